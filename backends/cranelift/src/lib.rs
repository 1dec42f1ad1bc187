//! Compiles functions of Flock IR to machine code with Cranelift.
//!
//! ```text
//! function ─► plan (flock_plan) ─► emit ─┬─► JIT: a flock_core::Program
//!                                        └─► an object file that holds a flock_core::FlockProgram
//! ```
//!
//! The result has the bits of the reference evaluator, `Reals` operators included: sums keep their order, nothing is
//! contracted, and the functions of `libm` are called, not rewritten.
//!
//! **Ensembles** are data for a kernel, or code ([`Trees`]); both give the same bits.

mod emit;
mod jit;
mod object;

use flock_api::{Backend, Support, Unsupported};
use flock_core::Program;
use flock_ir_spec::{Function, Module, Op, Verified};
use flock_plan::Plan;

pub use flock_plan::{Cpu, Options, Trees};

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

/// A plan as an object file for that processor. It needs the runtime library, and has one symbol for others,
/// [`flock_plan::program_symbol`]: a [`flock_core::FlockProgram`]. `name`, which all symbols begin with, is a C identifier.
///
/// # Errors
/// Where Cranelift has no code for the processor, or takes no function as long as one of the plan.
pub fn object(plan: &Plan, name: &str, cpu: Cpu) -> Result<Vec<u8>, Unsupported> {
    object::write(plan, name, cpu)
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
        flock_plan::nanoseconds(module, function, &flock_plan::Rates::NARROW)
    }

    fn emit(&self, module: &Verified, function: &str) -> Result<Program, Vec<Unsupported>> {
        compile_with(module, function, &self.0)
    }
}
