//! Compiles functions of Flock IR to machine code with LLVM.
//!
//! ```text
//! function ─► plan (flock_plan) ─► emit: text of LLVM ─► default<O3> ─► object ─► a file, or in memory a flock_core::Program
//! ```
//!
//! The result has the bits of the reference evaluator and of the code that Cranelift makes, `Reals` operators included:
//! no instruction carries a fast-math flag, nothing is contracted, and the functions of `libm` are kernels of the
//! runtime, which LLVM sees as calls of names that it does not know.
//!
//! What it is for: passes over rows become vectors as wide as the CPU's registers, which Cranelift's scalar loops are
//! not, and so do small trees. What is a kernel for Cranelift is the same kernel here.

mod cpu;
mod emit;
mod jit;
mod text;

use std::sync::Arc;

use flock_api::{Backend, Support, Unsupported};
use flock_core::{Program, ProgramParts};
use flock_ir_spec::{Function, Module, Op, Verified};
use flock_plan::{Plan, unsupported};

pub use cpu::Cpu;
pub use flock_plan::{Options, Trees};

/// The symbol of the entry of a program in memory.
const ENTRY: &str = "flock_entry";

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
    program(plan).map_err(|e| vec![e])
}

/// The text that LLVM is given for a function, before and after optimisation: what to read when code is slow.
///
/// # Errors
/// As for [`compile`].
pub fn text(module: &Verified, function: &str, options: &Options, cpu: &Cpu) -> Result<[String; 2], Vec<Unsupported>> {
    let plan = flock_plan::plan(module, function, options)?;
    let refuse = |why: String| vec![unsupported(&plan.flat.name, "function", why)];
    let written = emit::write(&plan, ENTRY, cpu.vector_bytes());
    cpu.texts(written).map_err(refuse)
}

/// Compiles a plan for this machine.
fn program(plan: Plan) -> Result<Program, Unsupported> {
    let refuse = |why: String| unsupported(&plan.flat.name, "function", why);
    let cpu = Cpu::host().map_err(refuse)?;
    let object = cpu.object(emit::write(&plan, ENTRY, cpu.vector_bytes())).map_err(refuse)?;
    let (entry, code) = jit::load(&object, ENTRY).map_err(refuse)?;
    let (inputs, outputs) = (plan.inputs(), plan.outputs());
    let Plan { flat, memos, block_rows, scratch_bytes, blobs: constants, .. } = plan;
    let parts =
        ProgramParts { inputs, outputs, memos, entry, block_rows, scratch_bytes, constants, owner: Arc::new(code) };
    // SAFETY: the entry was compiled from this plan for exactly these parts, and the owner keeps its code.
    unsafe { Program::new(parts) }.map_err(|e| unsupported(&flat.name, "function", e.to_string()))
}

/// The backend.
#[derive(Clone, Copy, Debug, Default)]
pub struct Llvm(pub Options);

impl Backend for Llvm {
    type Artifact = Program;

    fn name(&self) -> &'static str {
        "llvm"
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
