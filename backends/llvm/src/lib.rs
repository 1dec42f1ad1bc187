//! Compiles functions of Flock IR to machine code with LLVM.
//!
//! ```text
//! function ─► plan (flock_plan) ─► emit: text of LLVM ─► default<O3> ─► object file ─┬─► JIT: a flock_core::Program
//!                                                                                    └─► one that holds a flock_core::FlockProgram
//! ```
//!
//! The result has the bits of the reference evaluator and of the code that Cranelift makes, `Reals` operators included:
//! no instruction carries a fast-math flag, nothing is contracted, and the functions of `libm` are kernels of the
//! runtime, which LLVM sees as calls of names that it does not know.
//!
//! **Where it is faster.** Passes over rows become vectors as wide as the CPU's registers, where Cranelift's are scalar, and
//! so do small trees, where Cranelift has 128 bits. What is a kernel is the same kernel for both: a large ensemble, a
//! linear map, text take as long. One row takes as long too, and compiling ten times as long and more, which is
//! why it pays from some hundred thousand rows on. Measured on one core with 256-bit registers by the example `speed`:
//!
//! | pipeline of 28 f64 columns | compiling, ms: Cranelift, LLVM | ns a row: Cranelift, LLVM | one row, ns |
//! |---|---|---|---|
//! | loading and a kernel alone | 0.8, 10 | 18, 20 | 1018, 873 |
//! | scaled | 0.8, 16 | 62, 27 | 888, 831 |
//! | imputed, clipped, scaled | 1.1, 22 | 124, 28 | 824, 899 |
//! | the same, and a polynomial of degree 8 | 1.0, 17 | 249, 59 | 927, 1384 |
//! | imputed, scaled, logistic regression | 1.1, 20 | 121, 31 | 789, 869 |
//! | scaled, MLP 64 x 64 | 1.0, 14 | 605, 582 | 4175, 4243 |
//! | 20 trees of depth 3 | 5.9, 84 | 141, 30 | 1462, 1898 |
//! | 100 trees of depth 3 and 5: kernels | 2 to 4, 17 to 19 | 305, 289; 371, 352 | 2804, 2841; 3609, 3579 |

mod data;
mod emit;
mod jit;
mod machine;
mod text;

use std::sync::Arc;

use flock_api::{Backend, Support, Unsupported};
use flock_core::{FlockEntry, Program, ProgramParts};
use flock_ir_spec::{Function, Module, Op, Verified};
use flock_plan::{Plan, Rates, entry_symbol, unsupported};

use machine::Machine;

pub use flock_plan::{Cpu, Options, Trees};

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

/// A plan as an object file for that processor. It needs the runtime library, and has one symbol for others,
/// [`flock_plan::program_symbol`]: a [`flock_core::FlockProgram`]. `name`, which all symbols begin with, is a C identifier.
///
/// # Errors
/// What LLVM says.
pub fn object(plan: &Plan, name: &str, cpu: Cpu) -> Result<Vec<u8>, Unsupported> {
    let machine = Machine::of(cpu);
    let mut text = emit::write(plan, &entry_symbol(name), "internal", machine.vector_bytes);
    plan.image(name).iter().for_each(|item| data::write(&mut text, item));
    machine.object(text).map_err(|why| unsupported(&plan.flat.name, "function", why))
}

/// The code of a function as LLVM's text, as it is written and as the optimiser leaves it: what to read when it is slow.
///
/// # Errors
/// As for [`compile`].
pub fn text(module: &Verified, function: &str, cpu: Cpu, options: &Options) -> Result<[String; 2], Vec<Unsupported>> {
    let plan = flock_plan::plan(module, function, options)?;
    let machine = Machine::of(cpu);
    let text = emit::write(&plan, ENTRY, "", machine.vector_bytes);
    machine.texts(text).map_err(|why| vec![unsupported(&plan.flat.name, "function", why)])
}

/// Compiles a plan for this machine.
fn program(plan: Plan) -> Result<Program, Unsupported> {
    let refuse = |why: String| unsupported(&plan.flat.name, "function", why);
    let machine = Machine::of(Cpu::Native);
    let text = emit::write(&plan, ENTRY, "", machine.vector_bytes);
    let object = machine.object(text).map_err(refuse)?;
    let (address, code) = jit::load(&object, ENTRY).map_err(refuse)?;
    // SAFETY: the emitter has written the function of that name with the signature of an entry.
    let entry = unsafe { std::mem::transmute::<*const u8, FlockEntry>(address) };
    let (inputs, outputs) = (plan.inputs(), plan.outputs());
    let Plan { flat, memos, block_rows, scratch_bytes, blobs: constants, .. } = plan;
    let owner = Arc::new(code);
    let parts = ProgramParts { inputs, outputs, memos, entry, block_rows, scratch_bytes, constants, owner };
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
        // Measured with 256-bit registers: 0.06 to 0.12 ns for an elementwise operator on an f64, in place of 0.4 to 0.8.
        let rates = Rates { element: 2.2 / f64::from(Machine::of(Cpu::Native).vector_bytes), trees: 0.2 };
        flock_plan::nanoseconds(module, function, &rates)
    }

    fn emit(&self, module: &Verified, function: &str) -> Result<Program, Vec<Unsupported>> {
        compile_with(module, function, &self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use flock_backend_tests::{Random, compare, functions, hard_frame};
    use flock_core::FlockProgram;
    use flock_ir_spec::Frame;
    use flock_plan::program_symbol;

    use super::*;

    /// Object files hold a whole program: linked in memory they give what the reference gives, for each processor that
    /// this one is too.
    #[test]
    fn object_files_hold_the_same_program() {
        #[cfg(target_arch = "x86_64")]
        let here = [
            (true, Cpu::X86V2),
            (std::arch::is_x86_feature_detected!("avx2"), Cpu::X86V3),
            (std::arch::is_x86_feature_detected!("avx512vl"), Cpu::X86V4),
        ];
        #[cfg(not(target_arch = "x86_64"))]
        let here = [];
        let here = here.into_iter().filter(|(has, _)| *has).map(|(_, cpu)| cpu).chain([Cpu::Native]);
        for seed in 300..306 {
            let module = functions::random_function(seed, 60);
            let function = &module.functions[0];
            let plan = flock_plan::plan(&module, "f", &Options::default()).unwrap();
            for cpu in here.clone() {
                let file = object(&plan, "score", cpu).unwrap();
                let (address, code) = jit::load(&file, &program_symbol("score")).unwrap();
                // SAFETY: the symbol is a program of this layout, and its memory is alive until the end of this block.
                let program = unsafe { Program::from_static(&*address.cast::<FlockProgram>()) }.unwrap();
                let mut random = Random::new(seed);
                let params: Vec<Frame> = function.params.iter().map(|p| hard_frame(300, p.ty, &mut random)).collect();
                compare(&program, &module, function, &params, 300);
                drop((program, code));
            }
        }
    }

    /// Whatever the processor has: a product and a sum stay two roundings, and passes use its registers.
    #[test]
    fn code_for_other_processors() {
        let module = functions::random_function(9, 60);
        let plan = flock_plan::plan(&module, "f", &Options::default()).unwrap();
        for (cpu, vector) in [
            (Cpu::X86V2, "<2 x double>"),
            (Cpu::X86V3, "<4 x double>"),
            (Cpu::X86V4, "<8 x double>"),
            (Cpu::Aarch64, "<2 x double>"),
        ] {
            let file = object(&plan, "score", cpu).unwrap();
            // ELF, e_machine: 62 is x86-64, 183 is AArch64.
            assert_eq!(file[..4], *b"\x7fELF");
            assert_eq!(file[18], if cpu == Cpu::Aarch64 { 183 } else { 62 });
            let [written, optimised] = text(&module, "f", cpu, &Options::default()).unwrap();
            assert!(optimised.contains(vector), "{} has no {vector}", cpu.name());
            for fast in ["fmuladd", "llvm.fma", " fast ", "contract", "reassoc", "nnan", "ninf", "nsz", "arcp", "afn"] {
                assert!(!written.contains(fast) && !optimised.contains(fast), "{}: {fast}", cpu.name());
            }
        }
    }
}
