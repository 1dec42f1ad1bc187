//! A program whose code lives in memory.

use std::sync::{Arc, Mutex};

use cranelift::codegen::isa::{Builder, OwnedTargetIsa};
use cranelift::codegen::settings::{self, Configurable};
use cranelift::jit::{JITBuilder, JITModule};
use cranelift::module::{Linkage, default_libcall_names};
use flock_api::Unsupported;
use flock_core::{FlockEntry, Program, ProgramParts, kernels::kernels};
use flock_plan::{Plan, unsupported};

use crate::emit;

/// The symbol of the entry.
const ENTRY: &str = "flock_entry";

/// The settings of all code. `pic` for objects that a linker places; a JIT wants it off.
pub(crate) fn finish(isa: Builder, pic: bool) -> Result<OwnedTargetIsa, String> {
    let mut flags = settings::builder();
    let pic = if pic { "true" } else { "false" };
    for (name, value) in
        [("opt_level", "speed"), ("is_pic", pic), ("use_colocated_libcalls", "false"), ("enable_verifier", "false")]
    {
        flags.set(name, value).map_err(|e| e.to_string())?;
    }
    isa.finish(settings::Flags::new(flags)).map_err(|e| e.to_string())
}

/// The host with all that its CPU has.
fn host() -> Result<OwnedTargetIsa, String> {
    finish(cranelift::native::builder().map_err(str::to_owned)?, false)
}

/// Code in memory; freed when the last program that uses it goes.
struct Code(Mutex<Option<JITModule>>);

impl Drop for Code {
    fn drop(&mut self) {
        let module = match self.0.get_mut() {
            Ok(module) => module.take(),
            Err(poisoned) => poisoned.into_inner().take(),
        };
        if let Some(module) = module {
            // SAFETY: the program that calls the code owns this, and is being dropped.
            unsafe { module.free_memory() }
        }
    }
}

/// Compiles a plan for this machine.
pub(crate) fn program(plan: Plan) -> Result<Program, Unsupported> {
    let refuse = |why: String| unsupported(&plan.flat.name, "function", why);
    let isa = host().map_err(|e| refuse(format!("Cranelift has no code for this machine: {e}")))?;
    let mut builder = JITBuilder::with_isa(isa, default_libcall_names());
    builder.symbols(kernels().map(|k| (k.name, k.address)));
    let mut module = JITModule::new(builder);
    let entry = emit::define(&mut module, &plan, ENTRY, Linkage::Export).map_err(|e| refuse(e.to_string()))?;
    module.finalize_definitions().map_err(|e| refuse(e.to_string()))?;
    let address = module.get_finalized_function(entry);
    // SAFETY: the emitter has just defined this function with the signature of an entry.
    let entry = unsafe { std::mem::transmute::<*const u8, FlockEntry>(address) };
    let owner = Arc::new(Code(Mutex::new(Some(module))));
    let (inputs, outputs) = (plan.inputs(), plan.outputs());
    let Plan { flat, memos, block_rows, scratch_bytes, blobs: constants, .. } = plan;
    let parts = ProgramParts { inputs, outputs, memos, entry, block_rows, scratch_bytes, constants, owner };
    // SAFETY: the entry was compiled from this plan for exactly these parts, and the owner keeps its code.
    unsafe { Program::new(parts) }.map_err(|e| unsupported(&flat.name, "function", e.to_string()))
}
