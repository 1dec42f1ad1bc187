//! The steps of a program by processor: plain words, AVX2, AVX-512. All give the same bits.

use super::planes::{MOST_PLANES, ROWS, WORDS};
use super::run::Plane;

/// What differs between processors. Everything is of 512 rows unless it says `words` (of 64 rows) or `rows`.
/// # Safety
/// Of all functions: the processor has what the implementation is for, planes are 512 bits in memory that is there.
pub(super) trait Steps: Copy {
    /// Whether [`Steps::compare`] is better than marking for few tests.
    const COMPARES: bool;
    /// `to = mask ? left : right`; `to` may be an operand.
    unsafe fn choose(mask: *const Plane, left: *const Plane, right: *const Plane, to: *mut Plane);
    /// For each test the rows whose rank, at most 255, is not above the test's.
    unsafe fn compare(ranks: *const u16, tests: *const u16, count: usize, masks: *mut Plane);
    /// The number that the planes spell for each row: a low byte each, 512 on a high byte each where there are more than 8.
    unsafe fn leaves(planes: &[*const Plane; MOST_PLANES], count: usize, words: usize, leaves: *mut u8);
    /// Adds `values[leaf]` to each row.
    unsafe fn add_f64(
        values: *const f64,
        planes: &[*const Plane; MOST_PLANES],
        count: usize,
        leaves: *const u8,
        rows: usize,
        out: *mut f64,
    ) {
        // SAFETY: the caller's promise.
        unsafe { look_up(values, count, leaves, rows, |i, v| *out.add(i) += v) }
        let _ = planes;
    }
    /// The same in single precision.
    unsafe fn add_f32(
        values: *const f32,
        planes: &[*const Plane; MOST_PLANES],
        count: usize,
        leaves: *const u8,
        rows: usize,
        out: *mut f32,
    ) {
        // SAFETY: the caller's promise.
        unsafe { look_up(values, count, leaves, rows, |i, v| *out.add(i) += v) }
        let _ = planes;
    }
}

/// The type of sums.
pub(super) trait Sum: Copy {
    /// As [`Steps::add_f64`].
    /// # Safety
    /// As there.
    unsafe fn add<I: Steps>(
        values: *const Self,
        planes: &[*const Plane; MOST_PLANES],
        count: usize,
        leaves: *const u8,
        rows: usize,
        out: *mut Self,
    );
}

macro_rules! sum {
    ($t:ty, $add:ident) => {
        impl Sum for $t {
            #[inline(always)]
            unsafe fn add<I: Steps>(
                values: *const $t,
                planes: &[*const Plane; MOST_PLANES],
                count: usize,
                leaves: *const u8,
                rows: usize,
                out: *mut $t,
            ) {
                // SAFETY: the caller's promise.
                unsafe { I::$add(values, planes, count, leaves, rows, out) }
            }
        }
    };
}
sum!(f32, add_f32);
sum!(f64, add_f64);

/// Calls `f(row, values[leaf])`.
#[inline(always)]
unsafe fn look_up<S: Copy>(
    values: *const S,
    planes: usize,
    leaves: *const u8,
    rows: usize,
    mut f: impl FnMut(usize, S),
) {
    // SAFETY: the caller's promise; a table has a value for every number of so many bits.
    unsafe {
        if planes <= 8 {
            (0..rows).for_each(|i| f(i, *values.add(usize::from(*leaves.add(i)))));
        } else {
            let leaf = |i: usize| usize::from(*leaves.add(i)) | usize::from(*leaves.add(ROWS + i)) << 8;
            (0..rows).for_each(|i| f(i, *values.add(leaf(i))));
        }
    }
}

/// Words of 64 bits, on any processor.
#[derive(Clone, Copy)]
pub(super) struct Plain;

/// Byte i of the result has bit j where byte j of `x` has bit i.
#[inline(always)]
fn transposed(x: u64) -> u64 {
    let swap = |x: u64, mask: u64, by: u32| {
        let t = (x ^ (x >> by)) & mask;
        x ^ t ^ (t << by)
    };
    let x = swap(x, 0x00aa_00aa_00aa_00aa, 7);
    let x = swap(x, 0x0000_cccc_0000_cccc, 14);
    swap(x, 0x0000_0000_f0f0_f0f0, 28)
}

#[inline(always)]
unsafe fn transposed_leaves(planes: &[*const Plane; MOST_PLANES], count: usize, words: usize, leaves: *mut u8) {
    for (half, planes) in planes[..count].chunks(8).enumerate() {
        for byte in 0..words * 8 {
            // SAFETY: 8 rows of a plane are a byte of it, and rows are bytes of `leaves`.
            unsafe {
                let bits = |(j, p): (usize, &*const Plane)| u64::from(*p.cast::<u8>().add(byte)) << (8 * j);
                let x = planes.iter().enumerate().map(bits).fold(0, |a, b| a | b);
                leaves.add(half * ROWS + byte * 8).cast::<u64>().write_unaligned(transposed(x).to_le());
            }
        }
    }
}

impl Steps for Plain {
    const COMPARES: bool = false;
    #[inline(always)]
    unsafe fn choose(mask: *const Plane, left: *const Plane, right: *const Plane, to: *mut Plane) {
        // SAFETY: the caller's promise.
        unsafe {
            let (m, l, r) = (*mask, *left, *right);
            *to = std::array::from_fn(|w| (m[w] & l[w]) | (!m[w] & r[w]));
        }
    }
    #[inline(always)]
    unsafe fn compare(ranks: *const u16, tests: *const u16, count: usize, masks: *mut Plane) {
        for t in 0..count {
            // SAFETY: the caller's promise.
            unsafe {
                let test = *tests.add(t);
                let word = |w: usize| (0..64).fold(0, |m, i| m | u64::from(*ranks.add(w * 64 + i) <= test) << i);
                *masks.add(t) = std::array::from_fn(word);
            }
        }
    }
    #[inline(always)]
    unsafe fn leaves(planes: &[*const Plane; MOST_PLANES], count: usize, words: usize, leaves: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe { transposed_leaves(planes, count, words, leaves) }
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) use x86::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{MOST_PLANES, Plane, ROWS, Steps, WORDS, look_up};

    /// 256 bits.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Avx2;

    impl Steps for Avx2 {
        const COMPARES: bool = true;
        #[inline(always)]
        unsafe fn choose(mask: *const Plane, left: *const Plane, right: *const Plane, to: *mut Plane) {
            // SAFETY: the caller's promise. Both halves are read before either is written.
            unsafe {
                let half = |h: usize| {
                    let at = |p: *const Plane| _mm256_loadu_si256(p.cast::<__m256i>().add(h));
                    let m = at(mask);
                    _mm256_or_si256(_mm256_and_si256(m, at(left)), _mm256_andnot_si256(m, at(right)))
                };
                let (low, high) = (half(0), half(1));
                _mm256_storeu_si256(to.cast(), low);
                _mm256_storeu_si256(to.cast::<__m256i>().add(1), high);
            }
        }
        #[inline(always)]
        unsafe fn compare(ranks: *const u16, tests: *const u16, count: usize, masks: *mut Plane) {
            // SAFETY: the caller's promise: ranks and tests are below 256.
            unsafe {
                for w in 0..2 * WORDS {
                    let at = ranks.add(w * 32).cast::<__m256i>();
                    // Packing works on halves of the register; the permutation puts rows in order.
                    let packed = _mm256_packus_epi16(_mm256_loadu_si256(at), _mm256_loadu_si256(at.add(1)));
                    let rank = _mm256_permute4x64_epi64::<0b11_01_10_00>(packed);
                    for t in 0..count {
                        let test = _mm256_set1_epi8(*tests.add(t) as i8);
                        let passes = _mm256_cmpeq_epi8(_mm256_max_epu8(rank, test), test);
                        masks.add(t).cast::<u32>().add(w).write(_mm256_movemask_epi8(passes) as u32);
                    }
                }
            }
        }
        #[inline(always)]
        unsafe fn leaves(planes: &[*const Plane; MOST_PLANES], count: usize, words: usize, leaves: *mut u8) {
            // SAFETY: the caller's promise.
            unsafe {
                // Of a word of 32 rows, the byte that each row's bit is in, and the bit in it.
                let byte = _mm256_setr_epi64x(0, 0x0101_0101_0101_0101, 0x0202_0202_0202_0202, 0x0303_0303_0303_0303);
                let bit = _mm256_set1_epi64x(0x8040_2010_0804_0201u64 as i64);
                for (half, planes) in planes[..count].chunks(8).enumerate() {
                    for w in 0..2 * words {
                        let mut leaf = _mm256_setzero_si256();
                        for (j, p) in planes.iter().enumerate() {
                            let rows = _mm256_set1_epi32(*p.cast::<i32>().add(w));
                            let own = _mm256_and_si256(_mm256_shuffle_epi8(rows, byte), bit);
                            let set = _mm256_cmpeq_epi8(own, bit);
                            leaf = _mm256_or_si256(leaf, _mm256_and_si256(set, _mm256_set1_epi8((1u8 << j) as i8)));
                        }
                        _mm256_storeu_si256(leaves.add(half * ROWS + w * 32).cast(), leaf);
                    }
                }
            }
        }
    }

    /// 512 bits, with bytes.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Avx512;

    impl Steps for Avx512 {
        const COMPARES: bool = true;
        #[inline(always)]
        unsafe fn choose(mask: *const Plane, left: *const Plane, right: *const Plane, to: *mut Plane) {
            // SAFETY: the caller's promise.
            unsafe {
                let at = |p: *const Plane| _mm512_loadu_si512(p.cast());
                // Bit by bit `mask ? left : right`.
                let chosen = _mm512_ternarylogic_epi64::<0xca>(at(mask), at(left), at(right));
                _mm512_storeu_si512(to.cast(), chosen);
            }
        }
        #[inline(always)]
        unsafe fn compare(ranks: *const u16, tests: *const u16, count: usize, masks: *mut Plane) {
            // SAFETY: the caller's promise: ranks and tests are below 256.
            unsafe {
                let narrow = |w: usize| {
                    let at = ranks.add(w * 64).cast::<__m512i>();
                    let low = _mm512_cvtepi16_epi8(_mm512_loadu_si512(at));
                    let high = _mm512_cvtepi16_epi8(_mm512_loadu_si512(at.add(1)));
                    _mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high)
                };
                let ranks: [__m512i; WORDS] = std::array::from_fn(narrow);
                for t in 0..count {
                    let test = _mm512_set1_epi8(*tests.add(t) as i8);
                    let to = masks.add(t).cast::<u64>();
                    for (w, rank) in ranks.iter().enumerate() {
                        to.add(w).write(_mm512_cmple_epu8_mask(*rank, test));
                    }
                }
            }
        }
        #[inline(always)]
        unsafe fn leaves(planes: &[*const Plane; MOST_PLANES], count: usize, words: usize, leaves: *mut u8) {
            for (half, planes) in planes[..count].chunks(8).enumerate() {
                for w in 0..words {
                    // SAFETY: the caller's promise.
                    unsafe {
                        let mut leaf = _mm512_setzero_si512();
                        for (j, p) in planes.iter().enumerate() {
                            let bit = _mm512_set1_epi8((1u8 << j) as i8);
                            leaf = _mm512_mask_add_epi8(leaf, *p.cast::<u64>().add(w), leaf, bit);
                        }
                        _mm512_storeu_si512(leaves.add(half * ROWS + w * 64).cast(), leaf);
                    }
                }
            }
        }
        #[inline(always)]
        unsafe fn add_f64(
            values: *const f64,
            planes: &[*const Plane; MOST_PLANES],
            count: usize,
            leaves: *const u8,
            rows: usize,
            out: *mut f64,
        ) {
            // SAFETY: the caller's promise.
            unsafe {
                match count {
                    0..=4 => permuted_f64::<4>(values, planes, count, leaves, rows, out),
                    5 => permuted_f64::<5>(values, planes, count, leaves, rows, out),
                    6 => permuted_f64::<6>(values, planes, count, leaves, rows, out),
                    _ => look_up(values, count, leaves, rows, |i, v| *out.add(i) += v),
                }
            }
        }
        #[inline(always)]
        unsafe fn add_f32(
            values: *const f32,
            planes: &[*const Plane; MOST_PLANES],
            count: usize,
            leaves: *const u8,
            rows: usize,
            out: *mut f32,
        ) {
            // SAFETY: the caller's promise.
            unsafe {
                match count {
                    0..=5 => permuted_f32::<5>(values, planes, count, leaves, rows, out),
                    6 => permuted_f32::<6>(values, planes, count, leaves, rows, out),
                    7 => permuted_f32::<7>(values, planes, count, leaves, rows, out),
                    _ => look_up(values, count, leaves, rows, |i, v| *out.add(i) += v),
                }
            }
        }
    }

    /// The lanes that are rows.
    fn lanes(rows: usize, first: usize, most: usize) -> u32 {
        ((1u64 << (rows - first).min(most)) - 1) as u32
    }

    /// Tables of up to 2^PLANES values in registers. Values of fewer planes fill what is there.
    #[inline(always)]
    unsafe fn permuted_f64<const PLANES: usize>(
        values: *const f64,
        planes: &[*const Plane; MOST_PLANES],
        count: usize,
        leaves: *const u8,
        rows: usize,
        out: *mut f64,
    ) {
        // SAFETY: the caller's promise; what the table lacks is not loaded, and 0 in the register.
        unsafe {
            let t: [__m512d; 8] = std::array::from_fn(|i| match (i * 8 < 1 << count) & (i * 8 < 1 << PLANES) {
                true => _mm512_maskz_loadu_pd(lanes(1 << count, i * 8, 8) as u8, values.add(i * 8)),
                false => _mm512_setzero_pd(),
            });
            for i in (0..rows).step_by(8) {
                let leaf = _mm512_cvtepu8_epi64(_mm_loadl_epi64(leaves.add(i).cast()));
                let bit = |p: usize| *planes[p].cast::<u8>().add(i / 8);
                let pair = |k: usize| _mm512_permutex2var_pd(t[2 * k], leaf, t[2 * k + 1]);
                let value = match PLANES {
                    4 => pair(0),
                    5 => _mm512_mask_blend_pd(bit(4), pair(0), pair(1)),
                    _ => {
                        let low = _mm512_mask_blend_pd(bit(4), pair(0), pair(1));
                        _mm512_mask_blend_pd(bit(5), low, _mm512_mask_blend_pd(bit(4), pair(2), pair(3)))
                    }
                };
                if rows - i >= 8 {
                    _mm512_storeu_pd(out.add(i), _mm512_add_pd(_mm512_loadu_pd(out.add(i)), value));
                } else {
                    let mask = lanes(rows, i, 8) as u8;
                    let sum = _mm512_add_pd(_mm512_maskz_loadu_pd(mask, out.add(i)), value);
                    _mm512_mask_storeu_pd(out.add(i), mask, sum);
                }
            }
        }
    }

    /// The same for single precision.
    #[inline(always)]
    unsafe fn permuted_f32<const PLANES: usize>(
        values: *const f32,
        planes: &[*const Plane; MOST_PLANES],
        count: usize,
        leaves: *const u8,
        rows: usize,
        out: *mut f32,
    ) {
        // SAFETY: as above.
        unsafe {
            let t: [__m512; 8] = std::array::from_fn(|i| match (i * 16 < 1 << count) & (i * 16 < 1 << PLANES) {
                true => _mm512_maskz_loadu_ps(lanes(1 << count, i * 16, 16) as u16, values.add(i * 16)),
                false => _mm512_setzero_ps(),
            });
            for i in (0..rows).step_by(16) {
                let leaf = _mm512_cvtepu8_epi32(_mm_loadu_si128(leaves.add(i).cast()));
                let bit = |p: usize| *planes[p].cast::<u16>().add(i / 16);
                let pair = |k: usize| _mm512_permutex2var_ps(t[2 * k], leaf, t[2 * k + 1]);
                let value = match PLANES {
                    5 => pair(0),
                    6 => _mm512_mask_blend_ps(bit(5), pair(0), pair(1)),
                    _ => {
                        let low = _mm512_mask_blend_ps(bit(5), pair(0), pair(1));
                        _mm512_mask_blend_ps(bit(6), low, _mm512_mask_blend_ps(bit(5), pair(2), pair(3)))
                    }
                };
                if rows - i >= 16 {
                    _mm512_storeu_ps(out.add(i), _mm512_add_ps(_mm512_loadu_ps(out.add(i)), value));
                } else {
                    let mask = lanes(rows, i, 16) as u16;
                    let sum = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, out.add(i)), value);
                    _mm512_mask_storeu_ps(out.add(i), mask, sum);
                }
            }
        }
    }
}
