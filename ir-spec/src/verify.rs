//! The verifier: what a module must satisfy before any stage trusts it.

use crate::diagnostic::{Diagnostic, Faults};
use crate::module::Module;

/// A module that the verifier has accepted.
#[derive(Clone, Debug)]
pub struct Verified(Module);

impl Verified {
    /// Verifies a module.
    pub fn new(module: Module) -> Result<Verified, Faults> {
        check(&module)?;
        Ok(Verified(module))
    }

    /// The module, to change it; it must be verified again.
    pub fn into_inner(self) -> Module {
        self.0
    }
}

impl std::ops::Deref for Verified {
    type Target = Module;
    fn deref(&self) -> &Module {
        &self.0
    }
}

/// All faults of a module.
pub fn check(_module: &Module) -> Result<(), Faults> {
    let faults: Vec<Diagnostic> = Vec::new();
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}
