//! The machine that code is for: what it has, and LLVM's way from text to an object for it.

use std::sync::Once;

use inkwell::OptimizationLevel;
use inkwell::context::Context;
use inkwell::memory_buffer::MemoryBuffer;
use inkwell::module::Module as Optimised;
use inkwell::passes::PassBuilderOptions;
use inkwell::targets::{
    CodeModel, FileType, InitializationConfig, RelocMode, Target, TargetMachine, TargetMachineOptions, TargetTriple,
};

use flock_plan::Cpu;

use crate::text::Module;

/// A machine as LLVM names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Machine {
    triple: String,
    name: String,
    features: String,
    /// Bytes of the registers that loops are to use.
    pub vector_bytes: u32,
}

/// What has 512-bit registers and slows its clock down for them; loops use half of each.
/// Source: LLVM 19 `X86.td`, `TuningPrefer256Bit`, without the newest, which no longer slow down.
const HALF: [&str; 8] = [
    "skylake-avx512",
    "cascadelake",
    "cooperlake",
    "cannonlake",
    "icelake-client",
    "icelake-server",
    "tigerlake",
    "rocketlake",
];

impl Machine {
    /// The machine that code for a processor is for.
    pub fn of(cpu: Cpu) -> Machine {
        initialize();
        let linux = |arch: &str, name: &str, vector_bytes| Machine {
            triple: format!("{arch}-unknown-linux-gnu"),
            name: name.to_owned(),
            features: String::new(),
            vector_bytes,
        };
        match cpu {
            Cpu::Native => Machine::host(),
            Cpu::X86V2 => linux("x86_64", cpu.name(), 16),
            Cpu::X86V3 => linux("x86_64", cpu.name(), 32),
            Cpu::X86V4 => linux("x86_64", cpu.name(), 64),
            Cpu::Aarch64 => linux("aarch64", "generic", 16),
        }
    }

    /// This machine with all that it has.
    fn host() -> Machine {
        let name = TargetMachine::get_host_cpu_name().to_string();
        let features = TargetMachine::get_host_cpu_features().to_string();
        let has = |feature: &str| features.split(',').any(|f| f.strip_prefix('+') == Some(feature));
        let vector_bytes = match (has("avx512f"), has("avx")) {
            (true, _) if !HALF.contains(&name.as_str()) => 64,
            (_, true) => 32,
            _ => 16,
        };
        let triple = TargetMachine::get_default_triple().as_str().to_string_lossy().into_owned();
        Machine { triple, name, features, vector_bytes }
    }

    fn target(&self) -> Result<TargetMachine, String> {
        let triple = TargetTriple::create(&self.triple);
        let target = Target::from_triple(&triple).map_err(|e| e.to_string())?;
        let options = TargetMachineOptions::new()
            .set_cpu(&self.name)
            .set_features(&self.features)
            .set_level(OptimizationLevel::Aggressive)
            .set_reloc_mode(RelocMode::PIC)
            .set_code_model(CodeModel::Default);
        target
            .create_target_machine_from_options(&triple, options)
            .ok_or_else(|| format!("LLVM has no code for {} on {}", self.name, self.triple))
    }

    /// A module as an object file.
    ///
    /// # Errors
    /// What LLVM says.
    pub fn object(&self, module: Module) -> Result<Vec<u8>, String> {
        let (context, machine) = (Context::create(), self.target()?);
        let optimised = self.optimised(&context, &machine, &self.whole(module, &machine))?;
        let object = machine.write_to_memory_buffer(&optimised, FileType::Object).map_err(|e| e.to_string())?;
        Ok(object.as_slice().to_vec())
    }

    /// A module's text, and that of what the optimiser makes of it.
    pub fn texts(&self, module: Module) -> Result<[String; 2], String> {
        let (context, machine) = (Context::create(), self.target()?);
        let text = self.whole(module, &machine);
        let optimised = self.optimised(&context, &machine, &text)?.print_to_string().to_string();
        Ok([text, optimised])
    }

    /// The text with what says for which machine it is.
    fn whole(&self, mut module: Module, machine: &TargetMachine) -> String {
        let layout = machine.get_target_data().get_data_layout().as_str().to_string_lossy().into_owned();
        module.add(format_args!(
            "attributes #0 = {{ nounwind \"target-cpu\"=\"{}\" \"target-features\"=\"{}\" \"prefer-vector-width\"=\"{}\" }}",
            self.name,
            self.features,
            self.vector_bytes * 8
        ));
        module.finish(&self.triple, &layout)
    }

    fn optimised<'c>(
        &self,
        context: &'c Context,
        machine: &TargetMachine,
        text: &str,
    ) -> Result<Optimised<'c>, String> {
        let buffer = MemoryBuffer::create_from_memory_range_copy(text.as_bytes(), "flock");
        let module = context.create_module_from_ir(buffer).map_err(|e| e.to_string())?;
        module.verify().map_err(|e| e.to_string())?;
        let passes = PassBuilderOptions::create();
        // A vector loop takes four registers at a time; to unroll it further takes a third of the time and gives nothing.
        passes.set_loop_unrolling(false);
        module.run_passes("default<O3>", machine, passes).map_err(|e| e.to_string())?;
        Ok(module)
    }
}

/// Makes the targets known, once for the process.
fn initialize() {
    static DONE: Once = Once::new();
    DONE.call_once(|| {
        let config = InitializationConfig::default();
        Target::initialize_x86(&config);
        Target::initialize_aarch64(&config);
    });
}
