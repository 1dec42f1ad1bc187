//! The steps of a program by processor: plain words, AVX2, AVX-512. All give the same bits.

use std::ops::AddAssign;

use super::planes::{MOST_PLANES, PLANE, ROWS, WORDS};
use super::run::{LEAVES_BYTES, Plane};

/// Most trees whose values are looked up together: a sum is loaded and stored once for all.
pub(super) const TOGETHER: usize = 4;

/// What differs between processors. Everything is of 512 rows unless it says `words` (of 64 rows) or `rows`.
/// # Safety
/// Of all functions: the processor has what the implementation is for, planes are 512 bits in memory that is there.
pub(super) trait Steps: Copy {
    /// A plane in registers.
    type Rows: Copy;
    /// Trees whose values are looked up together; 0 where each is better off by itself.
    const TOGETHER: usize = TOGETHER;
    unsafe fn load(plane: *const Plane) -> Self::Rows;
    unsafe fn store(rows: Self::Rows, plane: *mut Plane);
    unsafe fn zero() -> Self::Rows;
    unsafe fn ones() -> Self::Rows;
    unsafe fn and(a: Self::Rows, b: Self::Rows) -> Self::Rows;
    unsafe fn or(a: Self::Rows, b: Self::Rows) -> Self::Rows;
    /// `a & !b`
    unsafe fn and_not(a: Self::Rows, b: Self::Rows) -> Self::Rows;
    /// `a | !b`
    #[inline(always)]
    unsafe fn or_not(a: Self::Rows, b: Self::Rows) -> Self::Rows {
        // SAFETY: the caller's promise.
        unsafe { Self::or(a, Self::and_not(Self::ones(), b)) }
    }
    /// `mask ? left : right`
    #[inline(always)]
    unsafe fn choose(mask: Self::Rows, left: Self::Rows, right: Self::Rows) -> Self::Rows {
        // SAFETY: the caller's promise.
        unsafe { Self::or(Self::and(mask, left), Self::and_not(right, mask)) }
    }
    /// Bit by bit of the ranks, a plane each.
    unsafe fn spread(ranks: *const u16, bits: usize, planes: *mut Plane);
    /// The number that the planes spell for each row: a low byte each, 512 on a high byte each where there are more than 8.
    unsafe fn leaves(planes: &[*const Plane; MOST_PLANES], count: usize, words: usize, leaves: *mut u8);
    /// Adds the values of four trees, as [`add_several`] does.
    #[inline(always)]
    unsafe fn add_four<S: Sum>(values: [*const S; TOGETHER], leaves: *const u8, rows: usize, out: *mut S) {
        // SAFETY: the caller's promise.
        unsafe { add_several(values, leaves, rows, out) }
    }
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
        unsafe { look_up(values, count, leaves, rows, out) }
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
        unsafe { look_up(values, count, leaves, rows, out) }
        let _ = planes;
    }
}

/// The type of sums.
pub(super) trait Sum: Copy + AddAssign {
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

/// Adds each tree's `values[leaf]` to each row, in the order of the trees. Their leaves lie [`LEAVES_BYTES`] apart.
/// # Safety
/// Every leaf, of at most 8 bits, has a value.
#[inline(always)]
pub(super) unsafe fn add_several<S: Copy + AddAssign, const N: usize>(
    values: [*const S; N],
    leaves: *const u8,
    rows: usize,
    out: *mut S,
) {
    for i in 0..rows {
        // SAFETY: the caller's promise.
        unsafe {
            let mut sum = *out.add(i);
            for (k, values) in values.iter().enumerate() {
                sum += *values.add(usize::from(*leaves.add(k * LEAVES_BYTES + i)));
            }
            *out.add(i) = sum;
        }
    }
}

/// Adds a tree's `values[leaf]` to each row.
#[inline(always)]
unsafe fn look_up<S: Copy + AddAssign>(values: *const S, planes: usize, leaves: *const u8, rows: usize, out: *mut S) {
    // SAFETY: the caller's promise; a table has a value for every number of so many bits.
    unsafe {
        if planes <= 8 {
            return add_several([values], leaves, rows, out);
        }
        let leaf = |i: usize| usize::from(*leaves.add(i)) | usize::from(*leaves.add(ROWS + i)) << 8;
        (0..rows).for_each(|i| *out.add(i) += *values.add(leaf(i)));
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
    type Rows = Plane;
    #[inline(always)]
    unsafe fn load(plane: *const Plane) -> Plane {
        // SAFETY: the caller's promise.
        unsafe { *plane }
    }
    #[inline(always)]
    unsafe fn store(rows: Plane, plane: *mut Plane) {
        // SAFETY: the caller's promise.
        unsafe { *plane = rows }
    }
    #[inline(always)]
    unsafe fn zero() -> Plane {
        [0; WORDS]
    }
    #[inline(always)]
    unsafe fn ones() -> Plane {
        [u64::MAX; WORDS]
    }
    #[inline(always)]
    unsafe fn and(a: Plane, b: Plane) -> Plane {
        std::array::from_fn(|w| a[w] & b[w])
    }
    #[inline(always)]
    unsafe fn or(a: Plane, b: Plane) -> Plane {
        std::array::from_fn(|w| a[w] | b[w])
    }
    #[inline(always)]
    unsafe fn and_not(a: Plane, b: Plane) -> Plane {
        std::array::from_fn(|w| a[w] & !b[w])
    }
    #[inline(always)]
    unsafe fn spread(ranks: *const u16, bits: usize, planes: *mut Plane) {
        for low in (0..bits).step_by(8) {
            for byte in 0..PLANE {
                // SAFETY: the caller's promise; 8 rows are a byte of a plane.
                unsafe {
                    let rank = |row: usize| u64::from(*ranks.add(byte * 8 + row) >> low & 0xff) << (8 * row);
                    let spelled = transposed((0..8).fold(0, |all, row| all | rank(row))).to_le_bytes();
                    let planes = planes.add(low).cast::<u8>();
                    (0..8.min(bits - low)).for_each(|bit| *planes.add(bit * PLANE + byte) = spelled[bit]);
                }
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

    use super::{LEAVES_BYTES, MOST_PLANES, Plane, ROWS, Steps, Sum, TOGETHER, WORDS, look_up};

    /// 256 bits.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Avx2;

    impl Steps for Avx2 {
        type Rows = [__m256i; 2];
        #[inline(always)]
        unsafe fn load(plane: *const Plane) -> Self::Rows {
            // SAFETY: the caller's promise.
            unsafe { [half(plane, 0), half(plane, 1)] }
        }
        #[inline(always)]
        unsafe fn store(rows: Self::Rows, plane: *mut Plane) {
            // SAFETY: the caller's promise.
            unsafe { (0..2).for_each(|h| _mm256_storeu_si256(plane.cast::<__m256i>().add(h), rows[h])) }
        }
        #[inline(always)]
        unsafe fn zero() -> Self::Rows {
            // SAFETY: the caller's promise.
            unsafe { [_mm256_setzero_si256(); 2] }
        }
        #[inline(always)]
        unsafe fn ones() -> Self::Rows {
            // SAFETY: the caller's promise.
            unsafe { [_mm256_set1_epi64x(-1); 2] }
        }
        #[inline(always)]
        unsafe fn and(a: Self::Rows, b: Self::Rows) -> Self::Rows {
            // SAFETY: the caller's promise.
            unsafe { [_mm256_and_si256(a[0], b[0]), _mm256_and_si256(a[1], b[1])] }
        }
        #[inline(always)]
        unsafe fn or(a: Self::Rows, b: Self::Rows) -> Self::Rows {
            // SAFETY: the caller's promise.
            unsafe { [_mm256_or_si256(a[0], b[0]), _mm256_or_si256(a[1], b[1])] }
        }
        #[inline(always)]
        unsafe fn and_not(a: Self::Rows, b: Self::Rows) -> Self::Rows {
            // SAFETY: the caller's promise. The instruction negates its first operand.
            unsafe { [_mm256_andnot_si256(b[0], a[0]), _mm256_andnot_si256(b[1], a[1])] }
        }
        #[inline(always)]
        unsafe fn spread(ranks: *const u16, bits: usize, planes: *mut Plane) {
            for half in 0..ROWS / 256 {
                for low in (0..bits).step_by(8) {
                    // SAFETY: the caller's promise.
                    unsafe {
                        let bytes = |i: usize| {
                            let at = ranks.add(half * 256 + i * 32).cast::<__m256i>();
                            let byte = |rank: __m256i| match low {
                                0 => _mm256_and_si256(rank, _mm256_set1_epi16(0xff)),
                                _ => _mm256_srli_epi16::<8>(rank),
                            };
                            let (first, second) = (_mm256_loadu_si256(at), _mm256_loadu_si256(at.add(1)));
                            // Packing works on halves of the register; the permutation puts rows in order.
                            let packed = _mm256_packus_epi16(byte(first), byte(second));
                            _mm256_permute4x64_epi64::<0b11_01_10_00>(packed)
                        };
                        let spelled = exchanged(std::array::from_fn(bytes));
                        for (bit, rows) in spelled.into_iter().enumerate().take(bits - low) {
                            _mm256_storeu_si256(planes.add(low + bit).cast::<__m256i>().add(half), rows);
                        }
                    }
                }
            }
        }
        #[inline(always)]
        unsafe fn leaves(planes: &[*const Plane; MOST_PLANES], count: usize, words: usize, leaves: *mut u8) {
            for half in 0..words.div_ceil(4) {
                // SAFETY: the caller's promise; planes behind the last are none.
                unsafe {
                    let leaves = leaves.add(half * 256);
                    match count {
                        0..=4 => spelled::<4>(&planes[..4], half, leaves),
                        5..=6 => spelled::<6>(&planes[..6], half, leaves),
                        _ => spelled::<8>(&planes[..8], half, leaves),
                    }
                    if count > 8 {
                        spelled::<2>(&planes[8..], half, leaves.add(ROWS));
                    }
                }
            }
        }
        #[inline(always)]
        unsafe fn add_four<S: Sum>(values: [*const S; TOGETHER], leaves: *const u8, rows: usize, out: *mut S) {
            let mut together = [0u32; 32];
            for first in (0..rows).step_by(32) {
                // SAFETY: the caller's promise; leaves are there for a multiple of 64 rows.
                unsafe {
                    let at = |k: usize| _mm256_loadu_si256(leaves.add(k * LEAVES_BYTES + first).cast());
                    let (a, b, c, d) = (at(0), at(1), at(2), at(3));
                    let pairs = [
                        (_mm256_unpacklo_epi8(a, b), _mm256_unpacklo_epi8(c, d)),
                        (_mm256_unpackhi_epi8(a, b), _mm256_unpackhi_epi8(c, d)),
                    ];
                    // Unpacking works on halves of the register: rows 0 to 3 and 16 to 19 come first.
                    for (i, (low, high)) in pairs.into_iter().enumerate() {
                        let (first, second) = (_mm256_unpacklo_epi16(low, high), _mm256_unpackhi_epi16(low, high));
                        let to = together.as_mut_ptr().add(i * 8).cast::<__m256i>();
                        _mm256_storeu_si256(to, _mm256_permute2x128_si256::<0x20>(first, second));
                        _mm256_storeu_si256(to.add(2), _mm256_permute2x128_si256::<0x31>(first, second));
                    }
                    for (i, leaves) in together.iter().enumerate().take(rows - first) {
                        let out = out.add(first + i);
                        let mut sum = *out;
                        for (k, values) in values.iter().enumerate() {
                            sum += *values.add((leaves >> (8 * k) & 0xff) as usize);
                        }
                        *out = sum;
                    }
                }
            }
        }
    }

    /// The first or the second 256 rows of a plane.
    #[inline(always)]
    unsafe fn half(plane: *const Plane, half: usize) -> __m256i {
        // SAFETY: the caller's promise.
        unsafe { _mm256_loadu_si256(plane.cast::<__m256i>().add(half)) }
    }

    /// The number that up to 8 planes spell for each of 256 rows.
    #[inline(always)]
    unsafe fn spelled<const COUNT: usize>(planes: &[*const Plane], of: usize, leaves: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe {
            let plane = |p: usize| if p < COUNT { half(planes[p], of) } else { _mm256_setzero_si256() };
            let numbers = exchanged(std::array::from_fn(plane));
            numbers.iter().enumerate().for_each(|(i, n)| _mm256_storeu_si256(leaves.add(i * 32).cast(), *n));
        }
    }

    /// Exchanges which vector and which bit, in every byte: a vector of 32 rows lies bit by bit in planes, and number by number
    /// in memory. From blocks of 4 by 4 bits down.
    #[inline(always)]
    unsafe fn exchanged(mut v: [__m256i; 8]) -> [__m256i; 8] {
        macro_rules! swap {
            ($distance:literal, $mask:literal) => {
                for i in (0..8).filter(|i| i & $distance == 0) {
                    let (low, high) = (v[i], v[i + $distance]);
                    let differ = _mm256_xor_si256(_mm256_srli_epi16::<$distance>(low), high);
                    let differ = _mm256_and_si256(differ, _mm256_set1_epi8($mask));
                    v[i + $distance] = _mm256_xor_si256(high, differ);
                    v[i] = _mm256_xor_si256(low, _mm256_slli_epi16::<$distance>(differ));
                }
            };
        }
        // SAFETY: the caller's promise.
        unsafe {
            swap!(4, 0x0f);
            swap!(2, 0x33);
            swap!(1, 0x55);
        }
        v
    }

    /// 512 bits, with bytes.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Avx512;

    impl Steps for Avx512 {
        // Tables of values are in registers.
        const TOGETHER: usize = 0;
        type Rows = __m512i;
        #[inline(always)]
        unsafe fn load(plane: *const Plane) -> __m512i {
            // SAFETY: the caller's promise.
            unsafe { _mm512_loadu_si512(plane.cast()) }
        }
        #[inline(always)]
        unsafe fn store(rows: __m512i, plane: *mut Plane) {
            // SAFETY: the caller's promise.
            unsafe { _mm512_storeu_si512(plane.cast(), rows) }
        }
        #[inline(always)]
        unsafe fn zero() -> __m512i {
            // SAFETY: the caller's promise.
            unsafe { _mm512_setzero_si512() }
        }
        #[inline(always)]
        unsafe fn ones() -> __m512i {
            // SAFETY: the caller's promise.
            unsafe { _mm512_set1_epi64(-1) }
        }
        #[inline(always)]
        unsafe fn and(a: __m512i, b: __m512i) -> __m512i {
            // SAFETY: the caller's promise.
            unsafe { _mm512_and_si512(a, b) }
        }
        #[inline(always)]
        unsafe fn or(a: __m512i, b: __m512i) -> __m512i {
            // SAFETY: the caller's promise.
            unsafe { _mm512_or_si512(a, b) }
        }
        #[inline(always)]
        unsafe fn and_not(a: __m512i, b: __m512i) -> __m512i {
            // SAFETY: the caller's promise. The instruction negates its first operand.
            unsafe { _mm512_andnot_si512(b, a) }
        }
        #[inline(always)]
        unsafe fn choose(mask: __m512i, left: __m512i, right: __m512i) -> __m512i {
            // SAFETY: the caller's promise. Bit by bit `mask ? left : right`.
            unsafe { _mm512_ternarylogic_epi64::<0xca>(mask, left, right) }
        }
        #[inline(always)]
        unsafe fn spread(ranks: *const u16, bits: usize, planes: *mut Plane) {
            for w in 0..WORDS {
                // SAFETY: the caller's promise.
                unsafe {
                    let at = ranks.add(w * 64).cast::<__m512i>();
                    let (first, second) = (_mm512_loadu_si512(at), _mm512_loadu_si512(at.add(1)));
                    for bit in 0..bits {
                        let one = _mm512_set1_epi16((1u16 << bit) as i16);
                        let (low, high) = (_mm512_test_epi16_mask(first, one), _mm512_test_epi16_mask(second, one));
                        planes.add(bit).cast::<u64>().add(w).write(u64::from(low) | u64::from(high) << 32);
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
                    _ => look_up(values, count, leaves, rows, out),
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
                    _ => look_up(values, count, leaves, rows, out),
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
