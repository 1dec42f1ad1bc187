//! What a processor can do, as far as kernels make use of it. Which form of a kernel runs is settled at run time.

/// Vectors that a processor has. All forms of a kernel give the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Processor {
    /// What every processor of the target has: 128-bit vectors on x86-64 (SSE2) and on aarch64 (NEON), else words.
    Plain,
    /// AVX2, with BMI1 and BMI2.
    Avx2,
    /// These and AVX-512 F, BW, DQ and VL.
    Avx512,
}

impl Processor {
    /// Of this machine, from the least to the best.
    pub fn all() -> &'static [Processor] {
        let all = &[Processor::Plain, Processor::Avx2, Processor::Avx512];
        &all[..=Processor::best() as usize]
    }

    /// The best that this machine has.
    pub fn best() -> Processor {
        #[cfg(target_arch = "x86_64")]
        {
            macro_rules! has {
                ($($feature:tt),*) => { $(is_x86_feature_detected!($feature))&&* };
            }
            if has!("avx2", "bmi1", "bmi2") {
                return match has!("avx512f", "avx512bw", "avx512dq", "avx512vl") {
                    true => Processor::Avx512,
                    false => Processor::Avx2,
                };
            }
        }
        Processor::Plain
    }
}
