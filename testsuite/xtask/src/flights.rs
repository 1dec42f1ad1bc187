//! `cargo xtask flights`: the data set, the models trained on it, what the libraries answer on all of it.

use crate::layout::Layout;
use crate::oracle::script;
use crate::process::{self, Failure};

/// Writes the full set and the sample; `--models` trains, `--expected` scores.
pub fn run(layout: &Layout, arguments: &[String]) -> Result<(), Failure> {
    if let Some(unknown) = arguments.iter().find(|argument| !["--models", "--expected"].contains(&argument.as_str())) {
        return Err(Failure::Usage(format!("`flights` does not know `{unknown}`")));
    }
    let mut command = script(layout, "flights.py")?;
    command.arg("--full").arg(layout.flights()).arg("--commit").arg(layout.committed_flights()).args(arguments);
    process::run(&mut command)
}
