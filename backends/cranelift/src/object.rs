//! A plan as an object file: its code, and its data as [`flock_plan::Plan::image`] says.

use std::collections::HashMap;

use cranelift::codegen::isa::{self, OwnedTargetIsa};
use cranelift::codegen::settings::Configurable;
use cranelift::module::{DataDescription, DataId, FuncId, Linkage, Module, default_libcall_names};
use cranelift::object::{ObjectBuilder, ObjectModule};
use flock_api::Unsupported;
use flock_plan::{Cpu, DataItem, Plan, entry_symbol, unsupported};

use crate::emit::{self, Done};
use crate::jit::finish;

/// An object file whose symbols begin with `name`.
pub(crate) fn write(plan: &Plan, name: &str, cpu: Cpu) -> Result<Vec<u8>, Unsupported> {
    let refuse = |why: String| unsupported(&plan.flat.name, "function", why);
    let isa = target(cpu).map_err(|e| refuse(format!("Cranelift has no code for {}: {e}", cpu.name())))?;
    let builder = ObjectBuilder::new(isa, name, default_libcall_names()).map_err(|e| refuse(e.to_string()))?;
    let mut module = ObjectModule::new(builder);
    let symbol = entry_symbol(name);
    let entry = emit::define(&mut module, plan, &symbol, Linkage::Local).map_err(|e| refuse(e.to_string()))?;
    data(&mut module, &plan.image(name), &symbol, entry).map_err(|e| refuse(e.to_string()))?;
    module.finish().emit().map_err(|e| refuse(e.to_string()))
}

fn target(cpu: Cpu) -> Result<OwnedTargetIsa, String> {
    let lookup = |triple| isa::lookup_by_name(triple).map_err(|e| e.to_string());
    let builder = match cpu {
        Cpu::Native => cranelift::native::builder().map_err(str::to_owned)?,
        Cpu::Aarch64 => lookup("aarch64-unknown-linux-gnu")?,
        Cpu::X86V2 | Cpu::X86V3 | Cpu::X86V4 => {
            let mut builder = lookup("x86_64-unknown-linux-gnu")?;
            builder.enable(cpu.name()).map_err(|e| e.to_string())?;
            builder
        }
    };
    finish(builder, true)
}

fn data(module: &mut ObjectModule, items: &[DataItem<'_>], symbol: &str, entry: FuncId) -> Done<()> {
    let mut known: HashMap<&str, DataId> = HashMap::new();
    for item in items {
        let linkage = if item.global { Linkage::Export } else { Linkage::Local };
        known.insert(&item.symbol, module.declare_data(&item.symbol, linkage, false, false)?);
    }
    for item in items {
        let mut description = DataDescription::new();
        description.define(item.bytes.to_vec().into_boxed_slice());
        description.set_align(item.align as u64);
        for r in &item.relocations {
            match known.get(r.symbol.as_str()) {
                Some(id) => {
                    let value = module.declare_data_in_data(*id, &mut description);
                    description.write_data_addr(r.offset as u32, value, r.addend as i64);
                }
                None => {
                    debug_assert_eq!(r.symbol, symbol, "an item names what is in the file");
                    let value = module.declare_func_in_data(entry, &mut description);
                    description.write_function_addr(r.offset as u32, value);
                }
            }
        }
        module.define_data(known[item.symbol.as_str()], &description)?;
    }
    Ok(())
}
