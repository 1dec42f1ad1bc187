//! x · W + b.
//!
//! The products are added from left to right, from 0 or from what is there, then the bias: the order in which the reference
//! rounds, on every processor. Rows stand side by side in a vector, so that no sum is taken apart, and a product is rounded before it is
//! added: a fused multiply-add would give other bits. It would also gain little: the cores that this was measured on (AMD Zen 3 and 4) have
//! adders beside their multipliers, and do both in the time of one fused operation.
//!
//! ```text
//! tile    4 vectors of rows; their inputs are copied together where several outputs read them
//! block   2 outputs (4 with 32 registers) of a tile: 8 or 16 vectors of sums in registers
//!             for each input: sums[output][vector] += x[vector] * w[output]
//! ```

use crate::blob::{Blob, Plain};
use crate::kernels::processor::Processor;
use crate::kernels::{PackError, export, section};

/// Header of a packed linear map; sections follow: weights, column-major (`inputs` of output 0, then of output 1, …), bias.
#[repr(C)]
#[derive(Clone, Copy)]
struct Header {
    inputs: u64,
    outputs: u64,
    weights: u64,
    bias: u64,
}
// SAFETY: four numbers without padding.
unsafe impl Plain for Header {}

fn pack<T: Plain>(inputs: usize, weights: &[T], bias: &[T]) -> Result<Blob, PackError> {
    if inputs.checked_mul(bias.len()) != Some(weights.len()) {
        return Err(PackError(format!("{} weights for {inputs} x {}", weights.len(), bias.len())));
    }
    let mut blob = Blob::of(&[0u8; size_of::<Header>()]);
    let (weights, at) = (blob.section(weights), bias);
    let bias = blob.section(at);
    blob.set_header(Header {
        inputs: inputs as u64,
        outputs: at.len() as u64,
        weights: weights as u64,
        bias: bias as u64,
    });
    Ok(blob)
}

/// The table of [`flock_linear_f64`]: `weights` column-major, `inputs` for each of `bias.len()` outputs.
///
/// # Errors
/// Where the number of weights is not inputs × outputs.
pub fn pack_linear_f64(inputs: usize, weights: &[f64], bias: &[f64]) -> Result<Blob, PackError> {
    pack(inputs, weights, bias)
}

/// The table of [`flock_linear_f32`].
///
/// # Errors
/// Where the number of weights is not inputs × outputs.
pub fn pack_linear_f32(inputs: usize, weights: &[f32], bias: &[f32]) -> Result<Blob, PackError> {
    pack(inputs, weights, bias)
}

/// Inputs, outputs, weights and bias of a packed map.
/// # Safety
/// `table` was written by [`pack_linear_f64`] or, for f32, by [`pack_linear_f32`].
pub(crate) unsafe fn weights<T>(table: *const u8) -> (usize, usize, *const T, *const T) {
    // SAFETY: the sections lie inside of the table.
    unsafe {
        let h = &*table.cast::<Header>();
        (h.inputs as usize, h.outputs as usize, section(table, h.weights), section(table, h.bias))
    }
}

/// A map and what it is applied to.
#[derive(Clone, Copy)]
pub struct Map<T> {
    /// The table.
    pub table: *const u8,
    /// A frame of the inputs.
    pub x: *const T,
    /// Rows from one column to the next, of all frames.
    pub stride: usize,
    /// Rows.
    pub rows: usize,
    /// What sums start from, a frame of the outputs; null for 0.
    pub start: *const T,
    /// What a result is at least, NaN apart; null for no such thing.
    pub floor: *const T,
    /// A frame of the outputs; may be `start`.
    pub out: *mut T,
}

/// Rows side by side.
/// # Safety
/// Of all functions: the processor has what the implementation is for, and pointers reach as many numbers as there are rows.
trait Lanes: Copy {
    type T: Number;
    const ROWS: usize;
    unsafe fn load(at: *const Self::T) -> Self;
    unsafe fn all(x: Self::T) -> Self;
    /// `self + x * w`, rounded twice.
    unsafe fn plus(self, x: Self, w: Self) -> Self;
    unsafe fn add(self, x: Self) -> Self;
    /// The floor where it is above.
    unsafe fn at_least(self, floor: Self) -> Self;
    unsafe fn store(self, to: *mut Self::T);
}

/// What a map is made of.
trait Number: Plain + Copy {
    const ZERO: Self;
}
impl Number for f32 {
    const ZERO: f32 = 0.0;
}
impl Number for f64 {
    const ZERO: f64 = 0.0;
}

macro_rules! arrays {
    ($($t:ty, $n:literal);*) => { $(
        impl Lanes for [$t; $n] {
            type T = $t;
            const ROWS: usize = $n;
            #[inline(always)]
            unsafe fn load(at: *const $t) -> Self {
                // SAFETY: the caller's promise.
                unsafe { at.cast::<Self>().read_unaligned() }
            }
            #[inline(always)]
            unsafe fn all(x: $t) -> Self {
                [x; $n]
            }
            #[inline(always)]
            unsafe fn plus(self, x: Self, w: Self) -> Self {
                std::array::from_fn(|i| self[i] + x[i] * w[i])
            }
            #[inline(always)]
            unsafe fn add(self, x: Self) -> Self {
                std::array::from_fn(|i| self[i] + x[i])
            }
            #[inline(always)]
            unsafe fn at_least(self, floor: Self) -> Self {
                std::array::from_fn(|i| if floor[i] > self[i] { floor[i] } else { self[i] })
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $t) {
                // SAFETY: the caller's promise.
                unsafe { to.cast::<Self>().write_unaligned(self) }
            }
        }
    )* };
}
arrays!(f32, 4; f32, 1; f64, 2; f64, 1);

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::Lanes;

    macro_rules! vectors {
        ($($v:ty, $t:ty, $n:literal, $load:ident, $all:ident, $mul:ident, $add:ident, $max:ident, $store:ident;)*) => { $(
            impl Lanes for $v {
                type T = $t;
                const ROWS: usize = $n;
                #[inline(always)]
                unsafe fn load(at: *const $t) -> Self {
                    // SAFETY: the caller's promise, here and below.
                    unsafe { $load(at) }
                }
                #[inline(always)]
                unsafe fn all(x: $t) -> Self {
                    unsafe { $all(x) }
                }
                #[inline(always)]
                unsafe fn plus(self, x: Self, w: Self) -> Self {
                    unsafe { $add(self, $mul(x, w)) }
                }
                #[inline(always)]
                unsafe fn add(self, x: Self) -> Self {
                    unsafe { $add(self, x) }
                }
                #[inline(always)]
                unsafe fn at_least(self, floor: Self) -> Self {
                    // The second operand where one is NaN or both are 0.
                    unsafe { $max(floor, self) }
                }
                #[inline(always)]
                unsafe fn store(self, to: *mut $t) {
                    unsafe { $store(to, self) }
                }
            }
        )* };
    }
    vectors! {
        __m256, f32, 8, _mm256_loadu_ps, _mm256_set1_ps, _mm256_mul_ps, _mm256_add_ps, _mm256_max_ps, _mm256_storeu_ps;
        __m256d, f64, 4, _mm256_loadu_pd, _mm256_set1_pd, _mm256_mul_pd, _mm256_add_pd, _mm256_max_pd, _mm256_storeu_pd;
        __m512, f32, 16, _mm512_loadu_ps, _mm512_set1_ps, _mm512_mul_ps, _mm512_add_ps, _mm512_max_ps, _mm512_storeu_ps;
        __m512d, f64, 8, _mm512_loadu_pd, _mm512_set1_pd, _mm512_mul_pd, _mm512_add_pd, _mm512_max_pd, _mm512_storeu_pd;
    }
}

/// Bytes of the inputs that are copied together: half of a first-level cache.
const COPIED: usize = 16 << 10;
/// Outputs from which on copying the inputs is worth it.
const SEVERAL: usize = 8;
/// Rows up to which one stands alone rather than beside others that are not there.
const ALONE: usize = 3;
/// Rows that a frame can be read to the next multiple of, by the conventions.
const READABLE: usize = 64;

/// Memory for the inputs of a tile.
#[repr(align(64))]
struct Copied([std::mem::MaybeUninit<u8>; COPIED]);

/// Inputs of a tile: where they are, elements from one to the next, their number, and the first one's index in the map.
#[derive(Clone, Copy)]
struct Inputs<T> {
    x: *const T,
    step: usize,
    first: usize,
    count: usize,
}

/// All rows, by tiles of `V` vectors and blocks of `J` outputs.
/// # Safety
/// The map was packed for `L::T`, frames are as the conventions say, and the processor has what `L` is for.
#[inline(always)]
unsafe fn map<L: Lanes, const V: usize, const J: usize>(m: &Map<L::T>) {
    let tile = V * L::ROWS;
    const { assert!(READABLE.is_multiple_of(V * L::ROWS)) };
    let together = COPIED / (tile * size_of::<L::T>());
    // SAFETY: the caller's promise; a tile stays within what may be read, and `finish` writes no row behind the last.
    unsafe {
        let (inputs, outputs, ..) = weights::<L::T>(m.table);
        let mut copied = Copied([std::mem::MaybeUninit::uninit(); COPIED]);
        let copy = copied.0.as_mut_ptr().cast::<L::T>();
        let copies = outputs >= SEVERAL;
        for row in (0..m.rows).step_by(tile) {
            let mut first = 0;
            loop {
                let count = if copies { together.min(inputs - first) } else { inputs };
                let x = m.x.add(first * m.stride + row);
                let mut of = Inputs { x, step: m.stride, first, count };
                if copies {
                    for k in 0..count {
                        std::ptr::copy_nonoverlapping(x.add(k * m.stride), copy.add(k * tile), tile);
                    }
                    of = Inputs { x: copy, step: tile, ..of };
                }
                let blocks = outputs / J * J;
                (0..blocks).step_by(J).for_each(|j| block::<L, V, J>(m, row, j, of));
                (blocks..outputs).for_each(|j| block::<L, V, 1>(m, row, j, of));
                first += count;
                if first == inputs {
                    break;
                }
            }
        }
    }
}

/// Some outputs of a tile, as far as these inputs go.
#[inline(always)]
unsafe fn block<L: Lanes, const V: usize, const J: usize>(m: &Map<L::T>, row: usize, j: usize, of: Inputs<L::T>) {
    // SAFETY: the caller's promise.
    unsafe {
        let (inputs, _, w, bias) = weights::<L::T>(m.table);
        let mut sums = [[L::all(L::T::ZERO); V]; J];
        let before = if of.first > 0 { m.out.cast_const() } else { m.start };
        if !before.is_null() {
            for (o, sums) in sums.iter_mut().enumerate() {
                let at = before.add((j + o) * m.stride + row);
                (0..V).for_each(|v| sums[v] = L::load(at.add(v * L::ROWS)));
            }
        }
        let w = w.add(j * inputs + of.first);
        // No closure: it would not have the caller's vectors.
        macro_rules! step {
            ($k:expr) => {
                let k = $k;
                let x: [L; V] = std::array::from_fn(|v| L::load(of.x.add(k * of.step + v * L::ROWS)));
                for (o, sums) in sums.iter_mut().enumerate() {
                    let w = L::all(*w.add(o * inputs + k));
                    (0..V).for_each(|v| sums[v] = sums[v].plus(x[v], w));
                }
            };
        }
        let pairs = of.count / 2 * 2;
        for k in (0..pairs).step_by(2) {
            step!(k);
            step!(k + 1);
        }
        if pairs < of.count {
            step!(pairs);
        }
        let last = of.first + of.count == inputs;
        for (o, sums) in sums.iter_mut().enumerate() {
            if last {
                let b = L::all(*bias.add(j + o));
                (0..V).for_each(|v| sums[v] = sums[v].add(b));
                if !m.floor.is_null() {
                    let floor = L::all(*m.floor);
                    (0..V).for_each(|v| sums[v] = sums[v].at_least(floor));
                }
            }
            finish(sums, m.rows - row, m.out.add((j + o) * m.stride + row));
        }
    }
}

/// Writes the rows that there are.
#[inline(always)]
unsafe fn finish<L: Lanes, const V: usize>(sums: &[L; V], rows: usize, out: *mut L::T) {
    // SAFETY: the caller's promise.
    unsafe {
        if rows >= V * L::ROWS {
            (0..V).for_each(|v| sums[v].store(out.add(v * L::ROWS)));
            return;
        }
        std::ptr::copy_nonoverlapping((&raw const *sums).cast::<L::T>(), out, rows);
    }
}

/// A map on a processor.
trait Mapped: Number {
    /// # Safety
    /// As for [`linear_f64_on`].
    unsafe fn on(processor: Processor, m: &Map<Self>);
}

macro_rules! mapped {
    ($t:ty, $plain:literal, $avx2:ident, $avx512:ident, $v256:ty, $v512:ty) => {
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi1,bmi2")]
        unsafe fn $avx512(m: &Map<$t>) {
            // SAFETY: the caller's promise, and it has asked the processor.
            unsafe { map::<$v512, 4, 4>(m) }
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,bmi1,bmi2")]
        unsafe fn $avx2(m: &Map<$t>) {
            // SAFETY: the caller's promise, and it has asked the processor.
            unsafe { map::<$v256, 4, 2>(m) }
        }
        impl Mapped for $t {
            unsafe fn on(processor: Processor, m: &Map<$t>) {
                // SAFETY: the caller's promise.
                unsafe {
                    if m.rows <= ALONE {
                        return map::<[$t; 1], 1, 8>(m);
                    }
                    match processor {
                        #[cfg(target_arch = "x86_64")]
                        Processor::Avx512 => $avx512(m),
                        #[cfg(target_arch = "x86_64")]
                        Processor::Avx2 => $avx2(m),
                        _ => map::<[$t; $plain], 4, 2>(m),
                    }
                }
            }
        }
    };
}
mapped!(f32, 4, avx2_f32, avx512_f32, std::arch::x86_64::__m256, std::arch::x86_64::__m512);
mapped!(f64, 2, avx2_f64, avx512_f64, std::arch::x86_64::__m256d, std::arch::x86_64::__m512d);

/// A map of f64 as if the processor were that one.
/// # Safety
/// The frames are as the conventions say, `start` and `floor` may be null; the processor is at least that.
pub unsafe fn linear_f64_on(processor: Processor, m: &Map<f64>) {
    // SAFETY: the caller's promise.
    unsafe { f64::on(processor, m) }
}

/// The same in f32 throughout.
/// # Safety
/// As for [`linear_f64_on`].
pub unsafe fn linear_f32_on(processor: Processor, m: &Map<f32>) {
    // SAFETY: the caller's promise.
    unsafe { f32::on(processor, m) }
}

const NO_F64: *const f64 = std::ptr::null();
const NO_F32: *const f32 = std::ptr::null();

export! {
    /// x of the table's inputs to out of its outputs, both f64.
    fn flock_linear_f64(table: *const u8, x: *const f64, stride: usize, rows: usize, out: *mut f64) {
        f64::on(Processor::best(), &Map { table, x, stride, rows, start: NO_F64, floor: NO_F64, out })
    }
    /// The same onto `start`, a frame of the outputs, which may be `out`.
    fn flock_linear_onto_f64(table: *const u8, x: *const f64, stride: usize, rows: usize, start: *const f64, out: *mut f64) {
        f64::on(Processor::best(), &Map { table, x, stride, rows, start, floor: NO_F64, out })
    }
    /// The same in f32 throughout.
    fn flock_linear_f32(table: *const u8, x: *const f32, stride: usize, rows: usize, out: *mut f32) {
        f32::on(Processor::best(), &Map { table, x, stride, rows, start: NO_F32, floor: NO_F32, out })
    }
    /// [`flock_linear_f64`], and `floor` in place of what is below it; NaN stays.
    fn flock_linear_floored_f64(table: *const u8, x: *const f64, stride: usize, rows: usize, floor: *const f64, out: *mut f64) {
        f64::on(Processor::best(), &Map { table, x, stride, rows, start: NO_F64, floor, out })
    }
    /// [`flock_linear_f32`], likewise.
    fn flock_linear_floored_f32(table: *const u8, x: *const f32, stride: usize, rows: usize, floor: *const f32, out: *mut f32) {
        f32::on(Processor::best(), &Map { table, x, stride, rows, start: NO_F32, floor, out })
    }
}
