//! Compiles functions of Flock IR to machine code with Cranelift.
//!
//! ```text
//! function ─► plan (flock_plan) ─► emit ─► JIT: a flock_core::Program
//! ```
//!
//! The result has the bits of the reference evaluator, `Reals` operators included: sums keep their order, nothing is
//! contracted, and the functions of `libm` are called, not rewritten.
//!
//! **Ensembles** are data for a kernel, or code ([`Trees`]); both give the same bits.

mod emit;
mod jit;

use flock_api::{Backend, Support, Unsupported};
use flock_core::Program;
use flock_ir_spec::{Function, Module, Op, Verified};

pub use flock_plan::{Options, Trees};

/// Compiles a function of the module for this machine.
///
/// # Errors
/// Everything in the function that cannot be compiled, each with its step.
pub fn compile(module: &Verified, function: &str) -> Result<Program, Vec<Unsupported>> {
    compile_with(module, function, &Options::default())
}

/// The same with options.
///
/// # Errors
/// As for [`compile`].
pub fn compile_with(module: &Verified, function: &str, options: &Options) -> Result<Program, Vec<Unsupported>> {
    let plan = flock_plan::plan(module, function, options)?;
    jit::program(plan).map_err(|e| vec![e])
}

/// The backend.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cranelift(pub Options);

impl Backend for Cranelift {
    type Artifact = Program;

    fn name(&self) -> &'static str {
        "native"
    }

    fn supports(&self, op: Op) -> Support {
        flock_plan::supports(op)
    }

    fn cost(&self, module: &Module, function: &Function) -> f64 {
        flock_plan::nanoseconds(module, function)
    }

    fn emit(&self, module: &Verified, function: &str) -> Result<Program, Vec<Unsupported>> {
        compile_with(module, function, &self.0)
    }
}
