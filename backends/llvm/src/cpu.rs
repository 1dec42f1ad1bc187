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

use crate::text::Module;

/// A machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cpu {
    triple: String,
    name: String,
    features: String,
    vector_bytes: u32,
}

/// CPUs by LLVM's names that code can be made for, with the bytes of the registers that loops are to use. Where a CPU has
/// 512-bit registers and slows down when it uses them, that is half of them.
/// Source: LLVM `X86.td`, `TuningPrefer256Bit`; Intel's optimisation manual, §2.
const NAMED: [(&str, &str, u32); 18] = [
    ("x86-64", "x86_64", 16),
    ("x86-64-v2", "x86_64", 16),
    ("x86-64-v3", "x86_64", 32),
    ("x86-64-v4", "x86_64", 64),
    ("haswell", "x86_64", 32),
    ("skylake", "x86_64", 32),
    ("skylake-avx512", "x86_64", 32),
    ("cascadelake", "x86_64", 32),
    ("icelake-server", "x86_64", 32),
    ("sapphirerapids", "x86_64", 64),
    ("graniterapids", "x86_64", 64),
    ("znver2", "x86_64", 32),
    ("znver3", "x86_64", 32),
    ("znver4", "x86_64", 64),
    ("aarch64", "aarch64", 16),
    ("neoverse-n1", "aarch64", 16),
    ("neoverse-v1", "aarch64", 16),
    ("neoverse-v2", "aarch64", 16),
];

impl Cpu {
    /// This machine with all that it has.
    ///
    /// # Errors
    /// Why LLVM has no code for it.
    pub fn host() -> Result<Cpu, String> {
        initialize();
        let name = TargetMachine::get_host_cpu_name().to_string();
        let features = TargetMachine::get_host_cpu_features().to_string();
        let has = |feature: &str| features.split(',').any(|f| f.strip_prefix('+') == Some(feature));
        let vector_bytes = match NAMED.iter().find(|(n, ..)| *n == name) {
            Some((_, _, bytes)) => *bytes,
            None if has("avx512f") => 64,
            None if has("avx") => 32,
            None => 16,
        };
        let triple = TargetMachine::get_default_triple().as_str().to_string_lossy().into_owned();
        Ok(Cpu { triple, name, features, vector_bytes })
    }

    /// The machine of that name; `native` is this one.
    ///
    /// # Errors
    /// The names that there are.
    pub fn named(name: &str) -> Result<Cpu, String> {
        if name == "native" {
            return Cpu::host();
        }
        let Some((_, arch, vector_bytes)) = NAMED.iter().find(|(n, ..)| *n == name) else {
            let known: Vec<&str> = NAMED.iter().map(|(n, ..)| *n).collect();
            return Err(format!(
                "`{name}` is no CPU that code can be made for; there are native, {}",
                known.join(", ")
            ));
        };
        let cpu = if name == *arch { "generic" } else { name };
        let triple = format!("{arch}-unknown-linux-gnu");
        Ok(Cpu { triple, name: cpu.to_owned(), features: String::new(), vector_bytes: *vector_bytes })
    }

    /// Bytes of the registers that loops are to use.
    pub fn vector_bytes(&self) -> u32 {
        self.vector_bytes
    }

    fn machine(&self) -> Result<TargetMachine, String> {
        initialize();
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
    pub(crate) fn object(&self, module: Module) -> Result<Vec<u8>, String> {
        let (context, machine) = (Context::create(), self.machine()?);
        let optimised = self.optimised(&context, &machine, &self.whole(module, &machine))?;
        let object = machine.write_to_memory_buffer(&optimised, FileType::Object).map_err(|e| e.to_string())?;
        Ok(object.as_slice().to_vec())
    }

    /// A module's text, and that of what the optimiser makes of it.
    pub(crate) fn texts(&self, module: Module) -> Result<[String; 2], String> {
        let (context, machine) = (Context::create(), self.machine()?);
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
