//! Running other programs, and how a chore fails.

use std::process::Command;

/// How a chore ends when it does not succeed.
pub enum Failure {
    /// The command line is wrong: exit 2.
    Usage(String),
    /// Something else went wrong, or a check found a difference: exit 1.
    Failed(String),
}

impl Failure {
    /// What failed, and why.
    pub fn because(what: &str, why: impl std::fmt::Display) -> Failure {
        Failure::Failed(format!("{what}: {why}"))
    }
}

/// Runs `command` with our standard streams; anything but exit 0 is a failure.
pub fn run(command: &mut Command) -> Result<(), Failure> {
    let status = command.status().map_err(|error| cannot_start(command, error))?;
    if status.success() { Ok(()) } else { Err(Failure::Failed(format!("{} ended with {status}", name(command)))) }
}

fn cannot_start(command: &Command, error: std::io::Error) -> Failure {
    Failure::because(&format!("cannot run {}", name(command)), error)
}

fn name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}
