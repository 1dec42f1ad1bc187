//! Objects with the runtime: archives and shared libraries, by the tools of the system.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use flock_ir_spec::Diagnostic;

use super::Library;
use super::archive::{self, Member};
use super::glue::Glue;
use crate::error::{Error, Result};

const RUNTIME: &str = "libflock_runtime.a";

/// The runtime library, of the version that compiled code asks for.
fn runtime() -> Result<PathBuf> {
    let path = find()?;
    if memchr::memmem::find(&read(&path)?, &flock_core::FLOCK_MARK).is_some() {
        return Ok(path);
    }
    let message = "it is of another version than this flockc, whose libraries it would refuse";
    Err(Error::one(
        Diagnostic::new("flock::library::runtime", path.display().to_string(), message)
            .help("take the one that came with flockc, or build it with `cargo build --release -p flock-runtime`"),
    ))
}

/// Where it is: where `FLOCK_RUNTIME` says, beside this program, in its `../lib`, or above a test's.
fn find() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("FLOCK_RUNTIME").map(PathBuf::from) {
        return match path.is_file() {
            true => Ok(path),
            false => Err(Error::one(
                Diagnostic::new("flock::library::runtime", path.display().to_string(), "FLOCK_RUNTIME names no file")
                    .help(format!("the path of {RUNTIME}")),
            )),
        };
    }
    let program = std::env::current_exe().and_then(|p| p.canonicalize()).unwrap_or_default();
    let folder = program.parent().unwrap_or(Path::new("."));
    let places = ["", "../lib", ".."].map(|p| folder.join(p).join(RUNTIME));
    places.iter().find(|p| p.is_file()).cloned().ok_or_else(|| {
        Error::one(
            Diagnostic::new("flock::library::runtime", RUNTIME, format!("it is not in {}", folder.display()))
                .help("build it with `cargo build --release -p flock-runtime`, or set FLOCK_RUNTIME to its path"),
        )
    })
}

/// A folder that goes when the work is done.
fn workshop() -> Result<tempfile::TempDir> {
    tempfile::tempdir().map_err(|e| Error::io(&std::env::temp_dir(), &e))
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).map_err(|e| Error::io(path, &e))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| Error::io(path, &e))
}

/// Runs a tool; what it says is the fault's message.
fn tool(name: &str, package: &str, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<()> {
    let fault =
        |message: String, help: String| Error::one(Diagnostic::new("flock::library::tool", name, message).help(help));
    let output = Command::new(name)
        .args(arguments)
        .output()
        .map_err(|e| fault(format!("it cannot be started: {e}"), format!("install {package}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(fault(format!("it failed ({}): {}", output.status, said.trim()), "a fault of flockc, or of the tool".into()))
}

const BINUTILS: &str = "the package binutils";

/// All that other files may name of the runtime: the functions of C, and the kernels that compiled code calls.
fn symbols() -> Vec<&'static str> {
    flock_runtime::SYMBOLS.iter().copied().chain(flock_core::kernels::kernels().map(|k| k.name)).collect()
}

/// The runtime as one object: nothing but what its symbols reach, without debug information, and with no other symbol
/// for anyone to clash with. The same for every pipeline, so that libraries of two of them go into one program.
fn runtime_object(folder: &Path) -> Result<PathBuf> {
    let (library, whole) = (runtime()?, folder.join("flock_runtime.o"));
    let mut arguments = vec!["-r".into(), "--gc-sections".into(), "--strip-debug".into(), "-o".into()];
    arguments.push(whole.clone().into_os_string());
    for s in symbols() {
        arguments.extend(["-u".into(), s.into()]);
    }
    arguments.push(library.into_os_string());
    tool("ld", BINUTILS, &arguments)?;
    let list = folder.join("symbols");
    write(&list, symbols().join("\n").as_bytes())?;
    let keep = format!("--keep-global-symbols={}", list.display());
    // Bitcode is for compilers: most of the library's bytes, and nothing that a linker needs.
    let bare = ["--strip-unneeded", "--remove-section=.llvmbc", "--remove-section=.llvmcmd", &keep];
    tool("objcopy", BINUTILS, bare.map(OsStr::new).into_iter().chain([whole.as_os_str()]))?;
    Ok(whole)
}

/// `libNAME.a`: the pipeline's object and the runtime's.
pub(super) fn archive(name: &str, object: &[u8]) -> Result<Vec<u8>> {
    let folder = workshop()?;
    let runtime = read(&runtime_object(folder.path())?)?;
    let (file, program) = (format!("{name}.o"), flock_plan::program_symbol(name));
    let model = Member { name: &file, bytes: object, symbols: &[&program] };
    let runtime = Member { name: "flock_runtime.o", bytes: &runtime, symbols: &symbols() };
    archive::archive(&[model, runtime]).ok_or_else(|| {
        Error::one(Diagnostic::new("flock::library::size", file.clone(), "a static library has at most 4 GiB"))
    })
}

/// `NAME.so`: these and the glue, exporting what the glue defines and the functions of `flock.h`.
pub(super) fn shared(library: &Library<'_>, object: &[u8], glue: &Glue) -> Result<Vec<u8>> {
    let folder = workshop()?;
    let at = |file: &str| folder.path().join(file);
    let (model, source, script, out) = (at("model.o"), at("glue.c"), at("exports"), at("out.so"));
    write(&model, object)?;
    write(&source, glue.source.as_bytes())?;
    let program = flock_plan::program_symbol(library.name);
    let exported: Vec<&str> = flock_runtime::SYMBOLS
        .iter()
        .copied()
        .chain([&*program])
        .chain(glue.exports.iter().map(String::as_str))
        .collect();
    write(&script, format!("{{ global: {}; local: *; }};\n", exported.join("; ")).as_bytes())?;
    let runtime = runtime_object(folder.path())?;
    let mut arguments: Vec<std::ffi::OsString> =
        ["-shared", "-fPIC", "-O2", "-w", "-Wl,--gc-sections", "-Wl,--strip-debug"].map(Into::into).to_vec();
    // The pool's threads stay, so the library must.
    arguments.extend(["-Wl,-z,nodelete".into()]);
    arguments.push(format!("-Wl,--version-script={}", script.display()).into());
    arguments.push(format!("-Wl,-soname,{}", library.file).into());
    arguments.extend(["-o".into(), out.clone().into_os_string()]);
    arguments.extend([source, model, runtime].map(PathBuf::into_os_string));
    arguments.extend(["-lm", "-lpthread", "-ldl"].map(Into::into));
    tool("cc", "a C compiler, for example the package gcc", &arguments)?;
    read(&out)
}
