//! Elementary functions, element by element: one column of `n` elements, in place if wanted.
//! They are Rust's own (the platform's libm), as in the reference evaluation.

use crate::kernels::export;

#[inline]
unsafe fn map<T: Copy>(x: *const T, out: *mut T, n: usize, f: impl Fn(T) -> T) {
    for i in 0..n {
        // SAFETY: both columns have n elements.
        unsafe { out.add(i).write(f(x.add(i).read())) }
    }
}

export! {
    /// e to the power of x.
    fn flock_exp_f64(x: *const f64, out: *mut f64, n: usize) { map(x, out, n, f64::exp) }
    /// e to the power of x.
    fn flock_exp_f32(x: *const f32, out: *mut f32, n: usize) { map(x, out, n, f32::exp) }
    /// Natural logarithm.
    fn flock_ln_f64(x: *const f64, out: *mut f64, n: usize) { map(x, out, n, f64::ln) }
    /// Natural logarithm.
    fn flock_ln_f32(x: *const f32, out: *mut f32, n: usize) { map(x, out, n, f32::ln) }
    /// Natural logarithm of 1 + x.
    fn flock_log1p_f64(x: *const f64, out: *mut f64, n: usize) { map(x, out, n, f64::ln_1p) }
    /// Natural logarithm of 1 + x.
    fn flock_log1p_f32(x: *const f32, out: *mut f32, n: usize) { map(x, out, n, f32::ln_1p) }
    /// e to the power of x, less 1.
    fn flock_expm1_f64(x: *const f64, out: *mut f64, n: usize) { map(x, out, n, f64::exp_m1) }
    /// e to the power of x, less 1.
    fn flock_expm1_f32(x: *const f32, out: *mut f32, n: usize) { map(x, out, n, f32::exp_m1) }
    /// Hyperbolic tangent.
    fn flock_tanh_f64(x: *const f64, out: *mut f64, n: usize) { map(x, out, n, f64::tanh) }
    /// Hyperbolic tangent.
    fn flock_tanh_f32(x: *const f32, out: *mut f32, n: usize) { map(x, out, n, f32::tanh) }
    /// Sine.
    fn flock_sin_f64(x: *const f64, out: *mut f64, n: usize) { map(x, out, n, f64::sin) }
    /// Sine.
    fn flock_sin_f32(x: *const f32, out: *mut f32, n: usize) { map(x, out, n, f32::sin) }
    /// Cosine.
    fn flock_cos_f64(x: *const f64, out: *mut f64, n: usize) { map(x, out, n, f64::cos) }
    /// Cosine.
    fn flock_cos_f32(x: *const f32, out: *mut f32, n: usize) { map(x, out, n, f32::cos) }
    /// The angle of that tangent.
    fn flock_atan_f64(x: *const f64, out: *mut f64, n: usize) { map(x, out, n, f64::atan) }
    /// The angle of that tangent.
    fn flock_atan_f32(x: *const f32, out: *mut f32, n: usize) { map(x, out, n, f32::atan) }
    /// 1 / (1 + exp(-x)).
    fn flock_logistic_f64(x: *const f64, out: *mut f64, n: usize) { map(x, out, n, |x| 1.0 / (1.0 + (-x).exp())) }
    /// 1 / (1 + exp(-x)).
    fn flock_logistic_f32(x: *const f32, out: *mut f32, n: usize) { map(x, out, n, |x| 1.0 / (1.0 + (-x).exp())) }
    /// The nearest integer, ties to even.
    fn flock_round_f64(x: *const f64, out: *mut f64, n: usize) { map(x, out, n, f64::round_ties_even) }
    /// The nearest integer, ties to even.
    fn flock_round_f32(x: *const f32, out: *mut f32, n: usize) { map(x, out, n, f32::round_ties_even) }
    /// The greatest integer not above.
    fn flock_floor_f64(x: *const f64, out: *mut f64, n: usize) { map(x, out, n, f64::floor) }
    /// The greatest integer not above.
    fn flock_floor_f32(x: *const f32, out: *mut f32, n: usize) { map(x, out, n, f32::floor) }
    /// The least integer not below.
    fn flock_ceil_f64(x: *const f64, out: *mut f64, n: usize) { map(x, out, n, f64::ceil) }
    /// The least integer not below.
    fn flock_ceil_f32(x: *const f32, out: *mut f32, n: usize) { map(x, out, n, f32::ceil) }
    /// x to the power of y; a step of 0 repeats the first element, 1 takes each.
    fn flock_pow_f64(x: *const f64, x_step: usize, y: *const f64, y_step: usize, out: *mut f64, n: usize) {
        for i in 0..n {
            out.add(i).write(x.add(i * x_step).read().powf(y.add(i * y_step).read()));
        }
    }
    /// x to the power of y; a step of 0 repeats the first element, 1 takes each.
    fn flock_pow_f32(x: *const f32, x_step: usize, y: *const f32, y_step: usize, out: *mut f32, n: usize) {
        for i in 0..n {
            out.add(i).write(x.add(i * x_step).read().powf(y.add(i * y_step).read()));
        }
    }
    /// What is left of x after division by y towards zero; a step of 0 repeats the first element, 1 takes each.
    fn flock_rem_f64(x: *const f64, x_step: usize, y: *const f64, y_step: usize, out: *mut f64, n: usize) {
        for i in 0..n {
            out.add(i).write(x.add(i * x_step).read() % y.add(i * y_step).read());
        }
    }
    /// What is left of x after division by y towards zero; a step of 0 repeats the first element, 1 takes each.
    fn flock_rem_f32(x: *const f32, x_step: usize, y: *const f32, y_step: usize, out: *mut f32, n: usize) {
        for i in 0..n {
            out.add(i).write(x.add(i * x_step).read() % y.add(i * y_step).read());
        }
    }
    /// The same of integers; `out_valid` becomes 0 where y is 0 and is left as it was elsewhere.
    fn flock_rem_i64(x: *const i64, x_step: usize, y: *const i64, y_step: usize, out: *mut i64, n: usize, out_valid: *mut u8) {
        for i in 0..n {
            let y = *y.add(i * y_step);
            *out_valid.add(i) &= u8::from(y != 0);
            *out.add(i) = (*x.add(i * x_step)).wrapping_rem(if y == 0 { 1 } else { y });
        }
    }
    /// Copies bytes.
    fn flock_copy(x: *const u8, out: *mut u8, bytes: usize) { std::ptr::copy(x, out, bytes) }
}
