//! What the safe wrapper says when a batch does not fit the program.

use std::fmt;

use crate::abi::FlockStatus;

/// A batch that a program refuses. Nothing was scored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoreError {
    /// The code that the C ABI gives for it.
    pub status: FlockStatus,
    /// Where: the name of an input or output, or `batch`.
    pub place: String,
    /// What was found against what was expected.
    pub message: String,
}

impl CoreError {
    /// Such a fault.
    pub fn new(status: FlockStatus, place: impl Into<String>, message: impl Into<String>) -> CoreError {
        CoreError { status, place: place.into(), message: message.into() }
    }
}

impl fmt::Display for CoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

impl std::error::Error for CoreError {}
