//! What goes wrong, and how it is shown.

use std::fmt;

use flock_ir_spec::{Diagnostic, Faults};
use miette::{GraphicalReportHandler, GraphicalTheme};
use serde_json::{Value, json};

/// Why a command did not do its work.
#[derive(Debug)]
pub enum Error {
    /// The input is at fault: every fault of it. Exit code 1.
    Input(Faults),
    /// The command was used wrongly. Exit code 2.
    Usage(Diagnostic),
}

/// The result of a command of the library.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// One fault of the input.
    pub fn one(fault: Diagnostic) -> Error {
        Error::Input(vec![fault])
    }

    /// A file that cannot be read or written.
    pub fn io(path: &std::path::Path, error: &std::io::Error) -> Error {
        Error::one(Diagnostic::new("flock::io", path.display().to_string(), error.to_string()))
    }

    /// Wrong usage, with what helps.
    pub fn usage(place: &str, message: impl Into<String>, help: impl Into<String>) -> Error {
        Error::Usage(Diagnostic::new("flock::usage", place, message).help(help))
    }

    /// A feature that this build lacks.
    pub fn feature(feature: &str, what: &str) -> Error {
        Error::usage(
            what,
            format!("this build of flockc lacks the feature `{feature}`"),
            format!("build with it: cargo build --release --features {feature}"),
        )
    }

    /// The diagnostics.
    pub fn faults(&self) -> &[Diagnostic] {
        match self {
            Error::Input(faults) => faults,
            Error::Usage(fault) => std::slice::from_ref(fault),
        }
    }

    /// 1 where the input is at fault, 2 for wrong usage.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Input(_) => 1,
            Error::Usage(_) => 2,
        }
    }

    /// As a person reads it.
    pub fn report(&self, colour: bool) -> String {
        let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme).with_width(100);
        let mut text = String::new();
        for fault in self.faults() {
            // Writing to a string does not fail.
            let _ = handler.render_report(&mut text, &Shown(fault));
        }
        text
    }

    /// As a program reads it.
    pub fn json(&self) -> Value {
        let faults: Vec<Value> = self.faults().iter().map(fault_json).collect();
        json!({ "faults": faults })
    }
}

/// No build of this version computes on a GPU.
pub fn no_gpu() -> Error {
    let message = "GPU kernels are the cargo feature `wgpu`, which this version does not have yet";
    Error::usage("--engine gpu", message, "use --engine native")
}

/// One diagnostic as JSON.
pub fn fault_json(d: &Diagnostic) -> Value {
    json!({ "code": d.code, "place": d.place, "message": d.message, "help": d.help })
}

impl From<Faults> for Error {
    fn from(faults: Faults) -> Error {
        Error::Input(faults)
    }
}

impl From<Diagnostic> for Error {
    fn from(fault: Diagnostic) -> Error {
        Error::one(fault)
    }
}

/// A diagnostic in the form that miette draws.
#[derive(Debug)]
struct Shown<'a>(&'a Diagnostic);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl std::error::Error for Shown<'_> {}

impl miette::Diagnostic for Shown<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.0.code))
    }
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.0.help.as_ref().map(|h| Box::new(h) as Box<dyn fmt::Display>)
    }
}
