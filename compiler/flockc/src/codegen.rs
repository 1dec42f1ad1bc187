//! Who writes machine code: Cranelift, or with the feature `llvm` LLVM.
//!
//! Both write the same plan, call the same kernels and give the same bits. LLVM takes longer over it and makes vectors of
//! passes over rows.

use clap::ValueEnum;
use flock_api::{Backend, Unsupported};
use flock_core::Program;
use flock_ir_spec::{Function, Module, Node, Op};
use flock_plan::{Cpu, Plan};

use crate::cli::Engine;
use crate::error::{Error, Result};

/// A code generator.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Codegen {
    /// Cranelift: compiles in milliseconds.
    #[default]
    Cranelift,
    /// LLVM: compiles in tens of them, to vectors as wide as the processor has.
    Llvm,
}

impl Codegen {
    /// Whether this build has it.
    const fn is_here(self) -> bool {
        match self {
            Codegen::Cranelift => true,
            Codegen::Llvm => cfg!(feature = "llvm"),
        }
    }

    /// Those that this build has.
    pub fn here() -> impl Iterator<Item = Codegen> {
        [Codegen::Cranelift, Codegen::Llvm].into_iter().filter(|c| c.is_here())
    }

    /// The name of the engine that runs its code on the spot.
    pub const fn engine(self) -> &'static str {
        match self {
            Codegen::Cranelift => "native",
            Codegen::Llvm => "llvm",
        }
    }

    /// The backend.
    ///
    /// # Errors
    /// The feature to build with, where this build lacks it.
    pub fn backend(self) -> Result<Box<dyn Backend<Artifact = Program>>> {
        match self {
            Codegen::Cranelift => Ok(Box::new(flock_cranelift::Cranelift::default())),
            #[cfg(feature = "llvm")]
            Codegen::Llvm => Ok(Box::new(flock_llvm::Llvm::default())),
            #[cfg(not(feature = "llvm"))]
            Codegen::Llvm => Err(Error::feature("llvm", "--codegen llvm")),
        }
    }

    /// A plan as an object file whose symbols begin with `name`.
    ///
    /// # Errors
    /// What cannot be compiled, or the feature to build with.
    pub fn object(self, plan: &Plan, name: &str, cpu: Cpu) -> Result<Vec<u8>> {
        let refused = |u: Unsupported| Error::one(u.diagnostic("native code"));
        match self {
            Codegen::Cranelift => flock_cranelift::object(plan, name, cpu).map_err(refused),
            #[cfg(feature = "llvm")]
            Codegen::Llvm => flock_llvm::object(plan, name, cpu).map_err(refused),
            #[cfg(not(feature = "llvm"))]
            Codegen::Llvm => Err(Error::feature("llvm", "--codegen llvm")),
        }
    }

    /// Whether it can be asked for together with that engine.
    ///
    /// # Errors
    /// Wrong usage, or the feature to build with.
    pub fn with(self, engine: Engine) -> Result<()> {
        if matches!(engine, Engine::Auto | Engine::Native) {
            return self.backend().map(drop);
        }
        Err(Error::usage(
            "--codegen",
            "it chooses who writes machine code, which this engine has none of",
            "leave it out, or use --engine native",
        ))
    }

    /// What it takes to make machine code of a function, in nanoseconds: once, for each node, for each test of a tree that
    /// becomes code.
    pub fn compile_ns(self, module: &Module, function: &Function) -> f64 {
        let leaf = |n: &&Node| !matches!(n.op, Op::Input | Op::Const | Op::Null);
        let nodes = function.graph.nodes();
        let (once, node, test, nodes) = match self {
            Codegen::Cranelift => (1.5e6, 4e4, 3e4, nodes.len()),
            Codegen::Llvm => (1e7, 1e6, 5e5, nodes.iter().filter(leaf).count()),
        };
        once + node * nodes as f64 + test * flock_plan::code_nodes(module, function) as f64
    }
}
