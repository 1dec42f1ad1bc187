//! The faults of a model, as many as a reader can use.

use flock_ir_spec::{Diagnostic, Faults};

/// Faults that are kept; of the others only the number.
const KEPT: usize = 100;

/// Collects faults.
#[derive(Default)]
pub struct Report {
    faults: Faults,
    total: usize,
}

impl Report {
    /// Adds a fault.
    pub fn push(&mut self, fault: Diagnostic) {
        self.total += 1;
        if self.faults.len() < KEPT {
            self.faults.push(fault);
        }
    }

    /// How many there are.
    pub fn total(&self) -> usize {
        self.total
    }

    /// The faults, and how many more there are.
    pub fn finish(mut self) -> Faults {
        if self.total > self.faults.len() {
            let rest = self.total - self.faults.len();
            self.faults.push(Diagnostic::new("flock::lift::more", "graph", format!("{rest} further faults")));
        }
        self.faults
    }
}
