//! Tensor data in files beside the model.
//!
//! The model names a file, an offset and a length. The file must lie in the model's folder or below it, after links are
//! followed: a model may not read what its user did not put there.
//! Source: onnx.proto3, `TensorProto.external_data`; docs/ExternalData.md of onnx.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use onnx_protobuf::TensorProto;

/// The files beside a model.
pub struct Files {
    folder: Option<PathBuf>,
    /// Size of each file that was opened.
    sizes: HashMap<PathBuf, u64>,
    read: u64,
}

impl Files {
    /// The files of that folder; None where there is none, e.g. for a model that came from memory.
    pub fn new(folder: Option<PathBuf>) -> Files {
        Files { folder, sizes: HashMap::new(), read: 0 }
    }

    /// The bytes of a tensor, exactly `len` of them.
    pub fn read(&mut self, tensor: &TensorProto, len: usize) -> Result<Vec<u8>, String> {
        let entry = |key: &str| tensor.external_data.iter().find(|e| e.key == key).map(|e| e.value.as_str());
        let known = ["location", "offset", "length", "checksum"];
        if let Some(e) = tensor.external_data.iter().find(|e| !known.contains(&e.key.as_str())) {
            return Err(format!("external data with `{}`, which is not read", e.key));
        }
        let location = entry("location").ok_or("external data without a location")?;
        let number = |key: &str| match entry(key) {
            Some(text) => text.parse::<u64>().map(Some).map_err(|_| format!("external data with the {key} `{text}`")),
            None => Ok(None),
        };
        let (offset, announced) = (number("offset")?.unwrap_or(0), number("length")?);
        let path = self.path(location)?;
        let fault = |e: std::io::Error| format!("external data in `{location}`: {e}");
        let mut file = File::open(&path).map_err(fault)?;
        let meta = file.metadata().map_err(fault)?;
        if !meta.is_file() {
            return Err(format!("external data in `{location}`, which is no file"));
        }
        let rest = meta.len().checked_sub(offset);
        let expected = announced.or(rest).unwrap_or(0);
        if expected != len as u64 || rest.is_none_or(|r| r < len as u64) {
            let found = format!("offset {offset}, length {expected}, file of {}", meta.len());
            return Err(format!("external data in `{location}`: {found}; the tensor takes {len} bytes"));
        }
        self.count(path, meta.len(), len as u64).map_err(|()| format!("`{location}` is read over and over"))?;
        let mut bytes = vec![0; len];
        file.seek(SeekFrom::Start(offset)).map_err(fault)?;
        file.read_exact(&mut bytes).map_err(fault)?;
        Ok(bytes)
    }

    /// Each byte of a file belongs to one tensor, or to two that share it; a model of many tensors over the same bytes
    /// would take more memory than all of its files.
    fn count(&mut self, path: PathBuf, size: u64, len: u64) -> Result<(), ()> {
        self.sizes.insert(path, size);
        self.read += len;
        if self.read > 2 * self.sizes.values().sum::<u64>() { Err(()) } else { Ok(()) }
    }

    fn path(&self, location: &str) -> Result<PathBuf, String> {
        let folder =
            self.folder.as_deref().ok_or_else(|| format!("external data in `{location}`, and no folder is given"))?;
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let relative = Path::new(location);
        let inside = |c: Component<'_>| matches!(c, Component::Normal(_) | Component::CurDir);
        if location.is_empty() || location.contains('\0') || !relative.components().all(inside) {
            return Err(format!("external data in `{location}`: the path leaves the model's folder"));
        }
        let fault = |e: std::io::Error| format!("external data in `{location}`: {e}");
        let folder = folder.canonicalize().map_err(fault)?;
        let path = folder.join(relative).canonicalize().map_err(fault)?;
        if path.starts_with(&folder) {
            Ok(path)
        } else {
            Err(format!("external data in `{location}`: a link leaves the model's folder"))
        }
    }
}
