//! What every stage says when the input is at fault.

use std::fmt;

/// One fault of an input: a code, a place, what was found against what was expected, and what helps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable name of the kind of fault, e.g. `flock::lift::unknown_class`.
    pub code: &'static str,
    /// Where: a path within the artefact (`steps.features.num.scaler`), a line, a column; never empty.
    pub place: String,
    /// What was found against what was expected, one sentence.
    pub message: String,
    /// What helps, if anything is known to.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A diagnostic without help.
    pub fn new(code: &'static str, place: impl Into<String>, message: impl Into<String>) -> Diagnostic {
        Diagnostic { code, place: place.into(), message: message.into(), help: None }
    }

    /// The same with what helps.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

impl std::error::Error for Diagnostic {}

/// All faults of an input at once.
pub type Faults = Vec<Diagnostic>;
