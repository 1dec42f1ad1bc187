//! From a file to a verified module: the content decides the kind.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use flock_ir_spec::{DType, Diagnostic, Function, Module, Verified, text};
use flock_lift_trees::Library;

use crate::error::{Error, Result};

/// What kind of file a pipeline came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A scikit-learn pipeline that pickle, joblib or skops wrote.
    Sklearn,
    /// An ONNX model.
    Onnx,
    /// A gradient boosting file.
    Boosting(Library),
    /// Flock IR as text.
    Flock,
}

impl Kind {
    /// As shown to users.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Sklearn => "scikit-learn",
            Kind::Onnx => "ONNX",
            Kind::Boosting(library) => library.name(),
            Kind::Flock => "Flock IR",
        }
    }
}

/// A pipeline that was read and lifted.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// The module; the pipeline is one of its functions.
    pub module: Verified,
    /// The name of that function.
    pub name: String,
    /// Where it came from.
    pub kind: Kind,
    /// Size of the file in bytes.
    pub bytes: u64,
}

impl Pipeline {
    /// The pipeline's function.
    pub fn function(&self) -> &Function {
        // `load` and `with_module` look the name up before a pipeline exists.
        self.module.function(&self.name).unwrap_or_else(|| unreachable!("the pipeline's function is in its module"))
    }

    /// The same pipeline with another module that has its function.
    pub fn with_module(&self, module: Verified) -> Result<Pipeline> {
        named(&module, &self.name)?;
        Ok(Pipeline { module, ..self.clone() })
    }

    /// The same pipeline with these outputs only; what only the others needed is gone.
    pub fn with_outputs(&self, outputs: &[String]) -> Result<Pipeline> {
        if outputs.is_empty() {
            return Ok(self.clone());
        }
        let known: Vec<&str> = self.function().outputs.iter().map(|o| &*o.name).collect();
        let fault = |(i, name): (usize, &String)| {
            if outputs[..i].contains(name) {
                let message = format!("`{name}` is asked for twice");
                return Some(Diagnostic::new("flock::outputs::twice", &**name, message).help("name each output once"));
            }
            let unknown = || {
                Diagnostic::new("flock::outputs::unknown", &**name, format!("`{}` has no such output", self.name))
                    .help(format!("it has: {}", known.join(", ")))
            };
            (!known.contains(&&**name)).then(unknown)
        };
        let faults: Vec<Diagnostic> = outputs.iter().enumerate().filter_map(fault).collect();
        let (true, Ok(function)) = (faults.is_empty(), self.function().keep_outputs(outputs)) else {
            return Err(Error::Input(faults));
        };
        let mut module = self.module.clone().into_inner();
        module.functions.retain(|f| *f.name != *self.name);
        module.functions.push(function);
        module.drop_unused_constants();
        self.with_module(Verified::new(module)?)
    }
}

fn named<'m>(module: &'m Verified, name: &str) -> Result<&'m Function> {
    module.function(name).ok_or_else(|| {
        Error::one(Diagnostic::new("flock::artefact::no_function", name, "the module has no function of that name"))
    })
}

/// The name of the function that a file's pipeline becomes: the file's stem.
pub fn function_name(path: &Path) -> String {
    path.file_stem().map_or_else(|| "pipeline".to_owned(), |s| s.to_string_lossy().into_owned())
}

/// What a pipeline's file does not say.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// The names of the inputs, for a pipeline that was trained on an unnamed array.
    pub columns: Option<Vec<String>>,
    /// What columns of the data hold: asked where a pipeline passes a column through that no step of it reads, and where
    /// a model hashes a category, which may be text or integers.
    pub types: BTreeMap<String, DType>,
    /// What custom classes mean: see [`definitions`].
    pub define: Vec<Arc<Module>>,
}

/// Reads `.flock` files with a function per custom class, named for it.
pub fn definitions(paths: &[std::path::PathBuf]) -> Result<Vec<Arc<Module>>> {
    let read = |path: &std::path::PathBuf| {
        let bytes = std::fs::read(path).map_err(|e| Error::io(path, &e))?;
        definition(&String::from_utf8_lossy(&bytes))
    };
    paths.iter().map(read).collect()
}

/// The same from text.
pub fn definition(source: &str) -> Result<Arc<Module>> {
    Ok(Arc::new(Verified::new(text::parse(source)?)?.into_inner()))
}

/// Reads and lifts a pipeline.
pub fn load(path: &Path, options: &LoadOptions) -> Result<Pipeline> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, &e))?;
    lift(path, &bytes, options)
}

/// The same from bytes; the path gives the name, and the folder where external tensor data lies.
pub fn lift(path: &Path, bytes: &[u8], options: &LoadOptions) -> Result<Pipeline> {
    let name = function_name(path);
    let kind = sniff(bytes).ok_or_else(|| unknown(path, bytes))?;
    let (module, name) = match kind {
        Kind::Sklearn => {
            let LoadOptions { columns, types, define } = options.clone();
            let options = flock_lift_sklearn::Options { columns, types, define, booster: Some(booster) };
            (flock_lift_sklearn::lift(&name, bytes, &options)?, name)
        }
        Kind::Onnx => {
            let options = flock_lift_onnx::Options {
                columns: options.columns.clone(),
                folder: path.parent().map(Path::to_path_buf),
                reading: None,
            };
            (flock_lift_onnx::lift(&name, bytes, &options)?, name)
        }
        Kind::Boosting(_) => {
            let options = flock_lift_trees::Options { columns: options.columns.clone(), types: options.types.clone() };
            (flock_lift_trees::lift(&name, bytes, &options)?, name)
        }
        Kind::Flock => {
            let mut module = text::parse(&String::from_utf8_lossy(bytes))?;
            let none = || Diagnostic::new("flock::artefact::no_function", path.display().to_string(), "no function");
            // The function named like the file, else the last one; those behind it are not its business.
            let named = module.functions.iter().position(|f| *f.name == *name);
            module.functions.truncate(named.map_or(usize::MAX, |i| i + 1));
            let name = module.functions.last().map(|f| f.name.to_string()).ok_or_else(none)?;
            (module, name)
        }
    };
    let module = Verified::new(module)?;
    named(&module, &name)?;
    Ok(Pipeline { module, name, kind, bytes: bytes.len() as u64 })
}

/// Reads a model of LightGBM, XGBoost or CatBoost that an estimator of a scikit-learn pipeline holds.
pub fn booster(
    file: &flock_lift_sklearn::BoosterFile<'_>,
) -> std::result::Result<flock_lift_sklearn::Booster, flock_ir_spec::Faults> {
    let how = flock_lift_trees::Embedded { iterations: file.iterations, estimator: true };
    let flock_lift_trees::Embedding { module, features, labels, hashes_text } =
        flock_lift_trees::embedded(file.bytes, &how)?;
    Ok(flock_lift_sklearn::Booster { module, features, labels, hashes_text })
}

/// What the content says that it is.
pub fn sniff(bytes: &[u8]) -> Option<Kind> {
    let text = bytes.iter().position(|b| !b.is_ascii_whitespace()).map_or(&[][..], |i| &bytes[i..]);
    if text.starts_with(b"flock ") {
        Some(Kind::Flock)
    } else if let Some(library) = flock_lift_trees::sniff(bytes) {
        Some(Kind::Boosting(library))
    } else if flock_lift_sklearn::sniff(bytes) {
        Some(Kind::Sklearn)
    } else if flock_lift_onnx::sniff(bytes) {
        Some(Kind::Onnx)
    } else {
        None
    }
}

fn unknown(path: &Path, bytes: &[u8]) -> Error {
    let found = match bytes {
        [] => "the file is empty".to_owned(),
        _ => format!("the file begins with {:02x?}", &bytes[..bytes.len().min(8)]),
    };
    Error::one(
        Diagnostic::new("flock::artefact::unknown_kind", path.display().to_string(), found)
            .help(
            "a pipeline is a scikit-learn .joblib, .pkl or .skops, an .onnx model, a file of LightGBM, XGBoost or CatBoost, \
             or Flock IR text (`flock 1`)",
        ),
    )
}

/// The BLAKE3 hash of a file, in hexadecimal.
pub fn file_hash(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, &e))?;
    Ok(blake3::hash(&bytes).to_hex().to_string())
}
