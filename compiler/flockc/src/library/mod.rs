//! From a pipeline to files that other programs link or load: objects, static and shared libraries.
//!
//! ```text
//! pipeline ─► plan ─► NAME.o       code and constants, one symbol: NAME_program
//!                       + libflock_runtime.a ─► libNAME.a      two members: NAME.o, and all of the runtime as one object
//!                       + glue in C          ─► NAME.so        what is exported has the names of NAME.h
//!                ─► NAME.h, NAME.md   the structures of a row, the functions, an example
//! ```

mod archive;
mod glue;
mod header;
mod link;

use std::path::{Path, PathBuf};

use flock_core::Field;
use flock_plan::Cpu;

use crate::artefact::Pipeline;
use crate::codegen::Codegen;
use crate::error::{Error, Result};
use crate::optimize;

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An object file.
    Object,
    /// A static library, with the runtime.
    Static,
    /// A shared library, with the runtime, that databases load too.
    Shared,
}

/// What to write.
pub struct Request<'a> {
    /// The pipeline, with the outputs that are wanted.
    pub pipeline: &'a Pipeline,
    /// What it was read from, for the header.
    pub source: &'a Path,
    /// What is written.
    pub kind: Kind,
    /// The library's file.
    pub out: &'a Path,
    /// The processor that the code is for.
    pub cpu: Cpu,
    /// Who writes the code.
    pub codegen: Codegen,
    /// Compile what was lifted.
    pub no_optimize: bool,
}

/// A file to be written: its path, and its bytes.
pub type File = (PathBuf, Vec<u8>);

/// What is known of a library when its files are written.
struct Library<'a> {
    /// What symbols begin with.
    name: &'a str,
    file: &'a str,
    source: String,
    kind: Kind,
    inputs: Vec<Field>,
    outputs: Vec<Field>,
}

/// What symbols begin with: the file's name without its ending and `lib`.
///
/// # Errors
/// Wrong usage where that is no identifier of C.
pub fn name(out: &Path) -> Result<String> {
    let stem = out.file_stem().map(|s| s.to_string_lossy()).unwrap_or_default();
    let name = stem.strip_prefix("lib").filter(|rest| !rest.is_empty()).unwrap_or(&stem).replace('-', "_");
    let mut letters = name.chars();
    let fits = letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && letters.all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !header::is_reserved(&name)
        && !name.starts_with("flock");
    if fits {
        return Ok(name);
    }
    let message = format!("symbols begin with the file's name, and `{name}` is no identifier for that");
    Err(Error::usage("-o", message, "letters, digits and `_`, for example -o libscore.a"))
}

/// The files of a library; the last one is the library itself.
///
/// # Errors
/// What cannot be compiled, by name; a runtime library or a tool that is not there; a target that cannot be linked here.
pub fn files(request: &Request<'_>) -> Result<Vec<File>> {
    let name = name(request.out)?;
    if request.kind != Kind::Object && !request.cpu.is_here() {
        let message = format!("a library needs a runtime library of {}, and this one is another", request.cpu.name());
        return Err(Error::usage("--cpu", message, "use --to object, and link it where the runtime library is built"));
    }
    let pipeline = match request.no_optimize {
        true => request.pipeline.clone(),
        false => optimize::function(request.pipeline)?.pipeline,
    };
    let refused =
        |all: Vec<flock_api::Unsupported>| Error::Input(all.iter().map(|u| u.diagnostic("native code")).collect());
    let plan = flock_plan::plan(&pipeline.module, &pipeline.name, &flock_plan::Options::default()).map_err(refused)?;
    let object = request.codegen.object(&plan, &name, request.cpu)?;
    let file = request.out.file_name().map(|f| f.to_string_lossy()).unwrap_or_default();
    let library = Library {
        name: &name,
        file: &file,
        source: request.source.file_name().map(|f| f.to_string_lossy().into_owned()).unwrap_or_default(),
        kind: request.kind,
        inputs: plan.inputs(),
        outputs: plan.outputs(),
    };
    let beside = |ending: &str| request.out.with_file_name(format!("{name}.{ending}"));
    let mut files =
        vec![(beside("h"), header::header(&library).into_bytes()), (beside("md"), header::page(&library).into_bytes())];
    let bytes = match request.kind {
        Kind::Object => object,
        Kind::Static => link::archive(&name, &object)?,
        Kind::Shared => {
            let glue = glue::glue(&library);
            files.extend(glue.script.as_ref().map(|script| (beside("sql"), script.clone().into_bytes())));
            link::shared(&library, &object, &glue)?
        }
    };
    files.push((request.out.to_path_buf(), bytes));
    Ok(files)
}
