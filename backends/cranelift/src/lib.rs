//! Compiles functions of Flock IR to machine code with Cranelift.
//!
//! ```text
//! function ─► flatten ─► plan ─► emit ─► JIT
//!             calls and    what lies where,   machine code     flock_core::Program
//!             composites   what shares a      over any
//!             expanded     loop, which kernel `Module`
//! ```
//! The compiled function takes a block of rows (see [`flock_core`]): input columns are loaded into column-major frames in
//! scratch, chains of elementwise operators are one loop each, wide work is a call of a kernel with a constant table, and
//! outputs are stored. The number of rows of a block follows from the widths of the frames, so that a block stays in
//! cache. A frame's memory is used again after its last reader.
//!
//! The result has the bits of the reference evaluator, `Reals` operators included: sums keep their order, nothing is
//! contracted, and the functions of `libm` are called, not rewritten.
//!
//! **Text** is a pointer with a length in scratch. A text parameter that is only looked up, tested against a set or
//! against a constant never gets there: the kernel reads the column, once per distinct value where it has a dictionary.
//!
//! **Ensembles** are data for a kernel, or code ([`Trees`]); both give the same bits.
//!
//! **Wide parameters and outputs** are columns `name_0`, `name_1`, …; a frame of width 1 is the column `name`.
//!
//! Not compiled, and refused by name: `column` and `opaque` (they have a meaning within a query only), frames without
//! columns, edges that are not sorted, and functions whose frames or code would be beyond any use.

mod constants;
mod cost;
mod emit;
mod flatten;
mod jit;
mod plan;

use flock_api::{Backend, Support, Unsupported};
use flock_core::Program;
use flock_ir_spec::{Function, Module, Op, Verified};

pub use cost::Trees;

/// Choices that change the code and not the result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// How ensembles are compiled.
    pub trees: Trees,
}

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
    let plan = plan::build(flatten::flatten(module, function)?, options)?;
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
        match (reason(op), op) {
            (Some(reason), _) => Support::No(reason),
            (None, Op::Composite(_) | Op::Call) => Support::Expanded,
            (None, _) => Support::Native,
        }
    }

    fn cost(&self, module: &Module, function: &Function) -> f64 {
        cost::nanoseconds(module, function)
    }

    fn emit(&self, module: &Verified, function: &str) -> Result<Program, Vec<Unsupported>> {
        compile_with(module, function, &self.0)
    }
}

/// Why an operator is never compiled.
fn reason(op: Op) -> Option<&'static str> {
    match op {
        Op::Column => Some("a column of a relation has a value within its query only"),
        Op::Opaque => Some("only the target database knows what this SQL means"),
        _ => None,
    }
}
