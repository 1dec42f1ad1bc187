//! The processors that object files are for.

/// What a processor must have to run an object file. Kernels of the runtime choose by themselves what they make use of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cpu {
    /// This machine, with all that it has.
    Native,
    /// x86-64 with SSE4.2 and POPCNT: servers since 2009.
    X86V2,
    /// AVX2, FMA, BMI1 and BMI2 too: since 2013 to 2015.
    X86V3,
    /// AVX-512 F, BW, CD, DQ and VL too.
    X86V4,
    /// Any 64-bit ARM.
    Aarch64,
}

impl Cpu {
    /// All of them.
    pub const ALL: [Cpu; 5] = [Cpu::Native, Cpu::X86V2, Cpu::X86V3, Cpu::X86V4, Cpu::Aarch64];

    /// As the command line, and LLVM, call it.
    pub const fn name(self) -> &'static str {
        match self {
            Cpu::Native => "native",
            Cpu::X86V2 => "x86-64-v2",
            Cpu::X86V3 => "x86-64-v3",
            Cpu::X86V4 => "x86-64-v4",
            Cpu::Aarch64 => "aarch64",
        }
    }

    /// The one of that name.
    pub fn of(name: &str) -> Option<Cpu> {
        Cpu::ALL.into_iter().find(|c| c.name() == name)
    }

    /// The architecture, as Rust calls it.
    pub const fn architecture(self) -> &'static str {
        match self {
            Cpu::Native => std::env::consts::ARCH,
            Cpu::X86V2 | Cpu::X86V3 | Cpu::X86V4 => "x86_64",
            Cpu::Aarch64 => "aarch64",
        }
    }

    /// Whether object files for it can be linked with libraries of this machine.
    pub fn is_here(self) -> bool {
        self.architecture() == std::env::consts::ARCH
    }

    /// What code that may travel is made for: the least of this machine's architecture.
    pub const fn portable() -> Cpu {
        if cfg!(target_arch = "aarch64") { Cpu::Aarch64 } else { Cpu::X86V2 }
    }
}
