//! Reductions over the columns of a row, and functions of whole rows. Columns are taken from left to right.
//! The strict ones work on values; [`flock_valid_all`] gives the validity of their result.

use crate::kernels::export;
use crate::kernels::processor::Processor;

/// For each row a fold over the frame's columns.
#[inline]
unsafe fn fold<T: Copy, A: Copy>(
    x: *const T,
    stride: usize,
    width: usize,
    rows: usize,
    out: *mut A,
    first: impl Fn(T) -> A,
    f: impl Fn(A, T, usize) -> A,
) {
    // SAFETY: the frame and `out` are as the conventions say. Column by column, so that the inner loop is contiguous.
    unsafe {
        for i in 0..rows {
            out.add(i).write(first(x.add(i).read()));
        }
        for j in 1..width {
            let column = x.add(j * stride);
            for i in 0..rows {
                out.add(i).write(f(out.add(i).read(), column.add(i).read(), j));
            }
        }
    }
}

/// How a row function reads and writes: f32 travels as f64, every step rounds to T.
trait Float: Copy {
    fn wide(self) -> f64;
    fn narrow(x: f64) -> Self;
}
impl Float for f32 {
    fn wide(self) -> f64 {
        f64::from(self)
    }
    fn narrow(x: f64) -> f32 {
        x as f32
    }
}
impl Float for f64 {
    fn wide(self) -> f64 {
        self
    }
    fn narrow(x: f64) -> f64 {
        x
    }
}

fn round<T: Float>(x: f64) -> f64 {
    T::narrow(x).wide()
}

unsafe fn softmax<T: Float>(x: *const T, stride: usize, width: usize, rows: usize, out: *mut T) {
    for i in 0..rows {
        let at = |j: usize| j * stride + i;
        // SAFETY: the frames are as the conventions say; every element of the row is written before it is read.
        unsafe {
            let value = |j: usize| x.add(at(j)).read().wide();
            let top = (0..width).map(value).reduce(|a, b| if a >= b || a.is_nan() { a } else { b }).unwrap_or(0.0);
            let mut total = 0.0;
            for j in 0..width {
                let e = T::narrow(round::<T>(value(j) - top).exp());
                out.add(at(j)).write(e);
                total = round::<T>(total + e.wide());
            }
            for j in 0..width {
                let e = out.add(at(j));
                e.write(T::narrow(e.read().wide() / total));
            }
        }
    }
}

/// Norms: 1 sum of absolute values, 2 Euclidean, 0 greatest absolute value.
unsafe fn normalize<T: Float>(x: *const T, stride: usize, width: usize, rows: usize, norm: usize, out: *mut T) {
    for i in 0..rows {
        // SAFETY: the frames are as the conventions say.
        unsafe {
            let xs = (0..width).map(|j| x.add(j * stride + i).read().wide());
            let size = match norm {
                1 => xs.fold(0.0, |a, x| round::<T>(a + x.abs())),
                2 => round::<T>(xs.fold(0.0, |a, x| round::<T>(a + round::<T>(x * x))).sqrt()),
                _ => xs.fold(0.0, |a: f64, x| a.max(x.abs())),
            };
            for j in 0..width {
                let v = x.add(j * stride + i).read();
                out.add(j * stride + i).write(if size == 0.0 { v } else { T::narrow(v.wide() / size) });
            }
        }
    }
}

unsafe fn argmax<T: Float>(x: *const T, stride: usize, width: usize, rows: usize, out: *mut i64) {
    for i in 0..rows {
        // SAFETY: the frame and `out` are as the conventions say.
        unsafe {
            let at = |j: usize| x.add(j * stride + i).read().wide();
            let (mut best, mut value) = (0, at(0));
            for j in 1..width {
                let v = at(j);
                if !value.is_nan() && (v > value || v.is_nan()) {
                    (best, value) = (j as i64, v);
                }
            }
            out.add(i).write(best);
        }
    }
}

/// Three-valued `any` (absorbing 1) or `all` (absorbing 0).
#[allow(clippy::too_many_arguments)]
unsafe fn quantify(
    x: *const u8,
    valid: *const u8,
    stride: usize,
    width: usize,
    rows: usize,
    absorbing: u8,
    out: *mut u8,
    out_valid: *mut u8,
) {
    for i in 0..rows {
        let (mut found, mut missing) = (false, false);
        for j in 0..width {
            let at = j * stride + i;
            // SAFETY: the frame and its validity are as the conventions say.
            unsafe {
                if !valid.is_null() && *valid.add(at) == 0 {
                    missing = true;
                } else if *x.add(at) == absorbing {
                    found = true;
                }
            }
        }
        // SAFETY: both outputs have a byte per row.
        unsafe {
            *out.add(i) = if found { absorbing } else { 1 - absorbing };
            if !out_valid.is_null() {
                *out_valid.add(i) = u8::from(found || !missing);
            }
        }
    }
}

/// Column by column, so that rows lie side by side.
#[inline(always)]
unsafe fn bounded<T: Float>(x: *const T, stride: usize, width: usize, rows: usize, limit: T, out: *mut u8) {
    // SAFETY: the caller's frame is of that width, and `out` has a byte per row.
    unsafe {
        out.write_bytes(1, rows);
        for j in 0..width {
            let x = x.add(j * stride);
            for i in 0..rows {
                // Not at or above, rather than below: NaN is within.
                let beyond = (*x.add(i)).wide().abs() >= limit.wide();
                *out.add(i) &= u8::from(!beyond);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn bounded_avx2<T: Float>(x: *const T, stride: usize, width: usize, rows: usize, limit: T, out: *mut u8) {
    // SAFETY: the caller's promise.
    unsafe { bounded(x, stride, width, rows, limit, out) }
}

/// [`flock_row_all_below_f64`] as if the processor were that one.
/// # Safety
/// As there; the processor is at least that.
pub unsafe fn row_all_below_f64_on(
    processor: Processor,
    (x, stride, width): (*const f64, usize, usize),
    rows: usize,
    limit: f64,
    out: *mut u8,
) {
    // SAFETY: the caller's promise.
    unsafe { all_bounded(processor, x, stride, width, rows, limit, out) }
}

/// [`flock_row_all_below_f32`], likewise.
/// # Safety
/// As there; the processor is at least that.
pub unsafe fn row_all_below_f32_on(
    processor: Processor,
    (x, stride, width): (*const f32, usize, usize),
    rows: usize,
    limit: f32,
    out: *mut u8,
) {
    // SAFETY: the caller's promise.
    unsafe { all_bounded(processor, x, stride, width, rows, limit, out) }
}

unsafe fn all_bounded<T: Float>(
    processor: Processor,
    x: *const T,
    stride: usize,
    width: usize,
    rows: usize,
    limit: T,
    out: *mut u8,
) {
    // SAFETY: the caller's promise, and the processor was asked.
    unsafe {
        match processor {
            #[cfg(target_arch = "x86_64")]
            Processor::Avx2 | Processor::Avx512 => bounded_avx2(x, stride, width, rows, limit, out),
            _ => bounded(x, stride, width, rows, limit, out),
        }
    }
}

export! {
    /// Whether no column's absolute value is at or above the limit; NaN is not.
    fn flock_row_all_below_f64(x: *const f64, stride: usize, width: usize, rows: usize, limit: *const f64, out: *mut u8) {
        all_bounded(Processor::best(), x, stride, width, rows, *limit, out)
    }
    /// The same in f32.
    fn flock_row_all_below_f32(x: *const f32, stride: usize, width: usize, rows: usize, limit: *const f32, out: *mut u8) {
        all_bounded(Processor::best(), x, stride, width, rows, *limit, out)
    }
    /// Sum from left to right, from 0.
    fn flock_row_sum_f64(x: *const f64, stride: usize, width: usize, rows: usize, out: *mut f64) {
        fold(x, stride, width, rows, out, |x| 0.0 + x, |a, x, _| a + x)
    }
    /// Sum from left to right, from 0, each addition in f32.
    fn flock_row_sum_f32(x: *const f32, stride: usize, width: usize, rows: usize, out: *mut f32) {
        fold(x, stride, width, rows, out, |x| 0.0 + x, |a, x, _| a + x)
    }
    /// Sum from left to right; `out_valid` becomes 0 where it overflows and is left as it was elsewhere.
    fn flock_row_sum_i64(x: *const i64, stride: usize, width: usize, rows: usize, out: *mut i64, out_valid: *mut u8) {
        out.write_bytes(0, rows);
        for j in 0..width {
            for i in 0..rows {
                let (sum, overflow) = (*out.add(i)).overflowing_add(*x.add(j * stride + i));
                *out.add(i) = sum;
                *out_valid.add(i) &= u8::from(!overflow);
            }
        }
    }
    /// Product from left to right, from 1.
    fn flock_row_prod_f64(x: *const f64, stride: usize, width: usize, rows: usize, out: *mut f64) {
        fold(x, stride, width, rows, out, |x| x, |a, x, _| a * x)
    }
    /// Product from left to right, from 1, each multiplication in f32.
    fn flock_row_prod_f32(x: *const f32, stride: usize, width: usize, rows: usize, out: *mut f32) {
        fold(x, stride, width, rows, out, |x| x, |a, x, _| a * x)
    }
    /// Product from left to right; `out_valid` becomes 0 where it overflows and is left as it was elsewhere.
    fn flock_row_prod_i64(x: *const i64, stride: usize, width: usize, rows: usize, out: *mut i64, out_valid: *mut u8) {
        (0..rows).for_each(|i| *out.add(i) = 1);
        for j in 0..width {
            for i in 0..rows {
                let (product, overflow) = (*out.add(i)).overflowing_mul(*x.add(j * stride + i));
                *out.add(i) = product;
                *out_valid.add(i) &= u8::from(!overflow);
            }
        }
    }
    /// The least; NaN where any is.
    fn flock_row_min_f64(x: *const f64, stride: usize, width: usize, rows: usize, out: *mut f64) {
        fold(x, stride, width, rows, out, |x| x, |a, b, _| if a <= b || a.is_nan() { a } else { b })
    }
    /// The least; NaN where any is.
    fn flock_row_min_f32(x: *const f32, stride: usize, width: usize, rows: usize, out: *mut f32) {
        fold(x, stride, width, rows, out, |x| x, |a, b, _| if a <= b || a.is_nan() { a } else { b })
    }
    /// The greatest; NaN where any is.
    fn flock_row_max_f64(x: *const f64, stride: usize, width: usize, rows: usize, out: *mut f64) {
        fold(x, stride, width, rows, out, |x| x, |a, b, _| if a >= b || a.is_nan() { a } else { b })
    }
    /// The greatest; NaN where any is.
    fn flock_row_max_f32(x: *const f32, stride: usize, width: usize, rows: usize, out: *mut f32) {
        fold(x, stride, width, rows, out, |x| x, |a, b, _| if a >= b || a.is_nan() { a } else { b })
    }
    /// The index of the first greatest column; the first NaN where there is one.
    fn flock_argmax_f64(x: *const f64, stride: usize, width: usize, rows: usize, out: *mut i64) {
        argmax(x, stride, width, rows, out)
    }
    /// The index of the first greatest column; the first NaN where there is one.
    fn flock_argmax_f32(x: *const f32, stride: usize, width: usize, rows: usize, out: *mut i64) {
        argmax(x, stride, width, rows, out)
    }
    /// exp(x - greatest) over the sum of these, row by row.
    fn flock_softmax_f64(x: *const f64, stride: usize, width: usize, rows: usize, out: *mut f64) {
        softmax(x, stride, width, rows, out)
    }
    /// exp(x - greatest) over the sum of these, row by row.
    fn flock_softmax_f32(x: *const f32, stride: usize, width: usize, rows: usize, out: *mut f32) {
        softmax(x, stride, width, rows, out)
    }
    /// Each row divided by its norm unless that is 0. `norm`: 1 sum of absolute values, 2 Euclidean, 0 greatest absolute value.
    fn flock_normalize_f64(x: *const f64, stride: usize, width: usize, rows: usize, norm: usize, out: *mut f64) {
        normalize(x, stride, width, rows, norm, out)
    }
    /// The same in f32.
    fn flock_normalize_f32(x: *const f32, stride: usize, width: usize, rows: usize, norm: usize, out: *mut f32) {
        normalize(x, stride, width, rows, norm, out)
    }
    /// Whether every column is true: false where one is, else missing where one is. `valid` may be null, and
    /// `out_valid` where no result can be missing.
    fn flock_row_all(x: *const u8, valid: *const u8, stride: usize, width: usize, rows: usize, out: *mut u8, out_valid: *mut u8) {
        quantify(x, valid, stride, width, rows, 0, out, out_valid)
    }
    /// Whether any column is true: true where one is, else missing where one is.
    fn flock_row_any(x: *const u8, valid: *const u8, stride: usize, width: usize, rows: usize, out: *mut u8, out_valid: *mut u8) {
        quantify(x, valid, stride, width, rows, 1, out, out_valid)
    }
    /// Per row, 1 where all columns are there: the validity of a strict function of the whole row.
    fn flock_valid_all(valid: *const u8, stride: usize, width: usize, rows: usize, out: *mut u8) {
        fold(valid, stride, width, rows, out, |v| v, |a, v, _| a & v)
    }
}
