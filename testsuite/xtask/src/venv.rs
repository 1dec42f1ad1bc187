//! The pinned Python environments: made when missing, and made again when their pins change.

use crate::layout::Layout;
use crate::process::{self, Failure};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A pinned environment.
pub struct Environment {
    /// The scikit-learn version that cases call it by.
    pub version: &'static str,
    folder: &'static str,
    requirements: &'static str,
}

impl Environment {
    /// Whether skops is among its pins: it does not go with the numpy of 1.2.
    pub fn has_skops(&self) -> bool {
        self.version != "1.2"
    }
}

/// The newest scikit-learn, with everything else the oracle needs.
pub const NEWEST: Environment = Environment { version: "1.9", folder: "venv", requirements: "requirements.txt" };

/// Every scikit-learn whose files are read, the newest first.
pub const ALL: [Environment; 4] = [
    NEWEST,
    Environment { version: "1.7", folder: "venv-1.7", requirements: "requirements-1.7.txt" },
    Environment { version: "1.5", folder: "venv-1.5", requirements: "requirements-1.5.txt" },
    Environment { version: "1.2", folder: "venv-1.2", requirements: "requirements-1.2.txt" },
];

/// Makes every environment.
pub fn make_all(layout: &Layout) -> Result<(), Failure> {
    for environment in &ALL {
        println!("{}", python(layout, environment)?.display());
    }
    Ok(())
}

/// The environment's Python; makes the environment if it is missing or its pins have changed.
pub fn python(layout: &Layout, environment: &Environment) -> Result<PathBuf, Failure> {
    let folder = layout.environment(environment.folder);
    let requirements = layout.oracle(environment.requirements);
    let _lock = lock(&folder)?;
    if !is_fresh(&folder, &requirements) {
        make(&folder, &requirements)?;
    }
    Ok(folder.join("bin/python"))
}

/// Holds off other processes that would make the same environment; released on drop.
fn lock(folder: &Path) -> Result<File, Failure> {
    let path = folder.with_file_name(format!("{}.lock", folder.file_name().unwrap_or_default().display()));
    let parent = folder.parent().unwrap_or(folder);
    let held =
        fs::create_dir_all(parent).and_then(|()| File::create(&path)).and_then(|file| file.lock().map(|()| file));
    held.map_err(|error| Failure::because(&format!("cannot lock {}", path.display()), error))
}

/// The stamp is a copy of the requirements; it is written last.
fn stamp(folder: &Path) -> PathBuf {
    folder.join("requirements.txt")
}

fn is_fresh(folder: &Path, requirements: &Path) -> bool {
    matches!((fs::read(stamp(folder)), fs::read(requirements)), (Ok(stamp), Ok(wanted)) if stamp == wanted)
}

fn make(folder: &Path, requirements: &Path) -> Result<(), Failure> {
    eprintln!("making {} from {}", folder.display(), requirements.display());
    process::run(Command::new(base_python()?).args(["-m", "venv", "--clear"]).arg(folder))?;
    let mut pip = Command::new(folder.join("bin/python"));
    process::run(pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]).arg(requirements))?;
    fs::copy(requirements, stamp(folder)).map_err(|error| Failure::because("cannot write the stamp", error))?;
    Ok(())
}

/// `FLOCK_PYTHON`, else python3.11, else a python3 of that version: the pins have wheels for 3.11 alone.
fn base_python() -> Result<String, Failure> {
    let candidates = match std::env::var("FLOCK_PYTHON") {
        Ok(python) => vec![python],
        Err(_) => vec!["python3.11".to_owned(), "python3".to_owned()],
    };
    let found = candidates.iter().find(|python| version(python).is_some_and(|text| text.starts_with("Python 3.11.")));
    found.cloned().ok_or_else(|| {
        Failure::Failed(format!(
            "Python 3.11 is needed, and {} is not it; on Debian 12: apt-get install python3-venv",
            candidates.join(" or ")
        ))
    })
}

fn version(python: &str) -> Option<String> {
    let done = Command::new(python).arg("--version").output().ok()?;
    String::from_utf8(done.stdout).ok()
}
