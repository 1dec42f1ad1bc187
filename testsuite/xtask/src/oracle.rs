//! `cargo xtask oracle` and `cargo xtask engines`: Python scripts in their pinned environments.

use crate::layout::Layout;
use crate::process::{self, Failure};
use crate::venv;
use std::process::Command;

/// A script of the oracle in the newest environment, seeded where a hash order would show in a file.
pub fn script(layout: &Layout, file: &str) -> Result<Command, Failure> {
    let mut command = Command::new(venv::python(layout, &venv::NEWEST)?);
    command.arg(layout.oracle(file)).env("PYTHONHASHSEED", "0").env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(command)
}

/// Writes the numbers of the cases, or with `--check` says which would change.
pub fn run(layout: &Layout, arguments: &[String]) -> Result<(), Failure> {
    let mut command = script(layout, "oracle.py")?;
    command.arg("--cases").arg(layout.cases());
    for environment in &venv::ALL {
        let python = venv::python(layout, environment)?;
        command.arg("--python").arg(format!("{}={}", environment.version, python.display()));
    }
    process::run(command.args(arguments))?;
    for file in ["boosters.py", "graphs.py"] {
        let mut command = script(layout, file)?;
        process::run(command.arg("--cases").arg(layout.cases()).args(arguments))?;
    }
    Ok(())
}

/// Random pipelines, compared with the library on every engine that needs no server.
pub fn random(layout: &Layout, arguments: &[String]) -> Result<(), Failure> {
    if arguments.is_empty() {
        return Err(Failure::Usage("`random` needs a number of pipelines".to_owned()));
    }
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    process::run(Command::new(cargo).args(["build", "--release", "--package", "flockc", "--bin", "flockc"]))?;
    let mut command = script(layout, "random_pipelines.py")?;
    command.args(arguments).arg("--flockc").arg(layout.flockc()).arg("--out").arg(layout.random());
    // One thread each: `--jobs` is how many run at a time.
    process::run(command.env("OMP_NUM_THREADS", "1").env("OPENBLAS_NUM_THREADS", "1"))
}

/// Saves the models of the cases by skops as well, below the build directory: a test compares what both files lift to.
pub fn skops(layout: &Layout) -> Result<(), Failure> {
    let folder = layout.skops();
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(Failure::because(&format!("cannot empty {}", folder.display()), error));
        }
        _ => {}
    }
    for environment in venv::ALL.iter().filter(|environment| environment.has_skops()) {
        let mut command = Command::new(venv::python(layout, environment)?);
        command.arg(layout.oracle("skops_twins.py")).env("PYTHONDONTWRITEBYTECODE", "1");
        command.arg("--cases").arg(layout.cases()).args(["--version", environment.version]);
        process::run(command.arg("--to").arg(&folder))?;
    }
    println!("FLOCK_SKOPS={}", folder.display());
    Ok(())
}

/// Answers requests for databases on standard input and output until it closes.
pub fn engines(layout: &Layout) -> Result<(), Failure> {
    process::run(&mut script(layout, "engines.py")?)
}
