//! A path, a folder or a pattern as a list of files.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::EngineError;

/// Folders within folders.
const DEPTH: usize = 16;

/// The files of a path, a folder (all files in it and below, but for names that start with `.` or `_`), or a pattern
/// (`*` and `?` within a name, `**` for folders), sorted by name.
///
/// # Errors
/// Where there is none, or a folder cannot be read.
pub fn files(path: &str) -> Result<Vec<PathBuf>, EngineError> {
    let exact = PathBuf::from(path);
    let found = match fs::metadata(&exact) {
        Ok(m) if m.is_dir() => below(&exact, DEPTH)?,
        Ok(_) => return Ok(vec![exact]),
        Err(_) if path.contains(['*', '?', '[']) => matching(path)?,
        Err(e) => return Err(EngineError::file(&exact, &e)),
    };
    if found.is_empty() {
        return Err(EngineError::File { path: path.into(), message: "no file is there".into() });
    }
    Ok(found)
}

fn below(folder: &Path, depth: usize) -> Result<Vec<PathBuf>, EngineError> {
    let failed = |e| EngineError::file(folder, &e);
    let mut entries = fs::read_dir(folder).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    let mut out = Vec::new();
    for e in entries {
        let path = e.path();
        if e.file_name().to_string_lossy().starts_with(['.', '_']) {
            continue;
        }
        if !path.is_dir() {
            out.push(path);
        } else if depth == 0 {
            return Err(EngineError::File {
                path: path.display().to_string(),
                message: format!("more than {DEPTH} folders deep"),
            });
        } else {
            out.extend(below(&path, depth - 1)?);
        }
    }
    Ok(out)
}

fn matching(pattern: &str) -> Result<Vec<PathBuf>, EngineError> {
    let wrong = |e: &dyn std::fmt::Display| EngineError::File { path: pattern.into(), message: e.to_string() };
    let mut out = Vec::new();
    for path in glob::glob(pattern).map_err(|e| wrong(&e))? {
        let path = path.map_err(|e| wrong(&e))?;
        if path.is_dir() { out.extend(below(&path, DEPTH)?) } else { out.push(path) }
    }
    Ok(out)
}
