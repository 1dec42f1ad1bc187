//! Arithmetic and elementary functions, element by element.

use super::{Apply, Attr, AttrKind, Word, ops, require, same};
use crate::frame::{Frame, Scalar};
use crate::types::{DType, Type};

ops! {
    /// Sum. Integers that overflow give null.
    ADD = "add"("a", "b") { shape "[n,k] [n,k] -> [n,k]; width 1 repeats", nulls Strict, exact Bits, source "IEEE 754-2019 5.4.1", infer arithmetic, eval |c| arith(c, i64::checked_add, |a, b| a + b, |a, b| a + b) }
    /// Difference. Integers that overflow give null.
    SUB = "sub"("a", "b") { shape "[n,k] [n,k] -> [n,k]; width 1 repeats", nulls Strict, exact Bits, source "IEEE 754-2019 5.4.1", infer arithmetic, eval |c| arith(c, i64::checked_sub, |a, b| a - b, |a, b| a - b) }
    /// Product. Integers that overflow give null.
    MUL = "mul"("a", "b") { shape "[n,k] [n,k] -> [n,k]; width 1 repeats", nulls Strict, exact Bits, source "IEEE 754-2019 5.4.1", infer arithmetic, eval |c| arith(c, i64::checked_mul, |a, b| a * b, |a, b| a * b) }
    /// Quotient. Of floats x/0 is an infinity, 0/0 is NaN. Of integers towards zero; null by 0, and where it overflows.
    DIV = "div"("a", "b") { shape "[n,k] [n,k] -> [n,k]; width 1 repeats", nulls Strict, exact Bits, source "IEEE 754-2019 5.4.1; C99 6.5.5", infer arithmetic, eval |c| arith(c, i64::checked_div, |a, b| a / b, |a, b| a / b) }
    /// Negation. The least integer gives null.
    NEG = "neg"("a") { shape "[n,k] -> [n,k]", nulls Strict, exact Bits, source "IEEE 754-2019 5.5.1", infer arithmetic, eval |c| unary(c, i64::checked_neg, |a| -a, |a| -a) }
    /// Absolute value. The least integer gives null.
    ABS = "abs"("a") { shape "[n,k] -> [n,k]", nulls Strict, exact Bits, source "IEEE 754-2019 5.5.1", infer arithmetic, eval |c| unary(c, i64::checked_abs, f32::abs, f64::abs) }
    /// The lesser. NaN where either is NaN; the first where both are equal (-0 and 0 are).
    MIN = "min"("a", "b") { shape "[n,k] [n,k] -> [n,k]; width 1 repeats", nulls Strict, exact Bits, source "numpy.minimum", infer numbers, eval |c| arith(c, |a, b| Some(a.min(b)), |a, b| if a <= b || a.is_nan() { a } else { b }, |a, b| if a <= b || a.is_nan() { a } else { b }) }
    /// The greater. NaN where either is NaN; the first where both are equal (-0 and 0 are).
    MAX = "max"("a", "b") { shape "[n,k] [n,k] -> [n,k]; width 1 repeats", nulls Strict, exact Bits, source "numpy.maximum", infer numbers, eval |c| arith(c, |a, b| Some(a.max(b)), |a, b| if a >= b || a.is_nan() { a } else { b }, |a, b| if a >= b || a.is_nan() { a } else { b }) }
    /// Square root, correctly rounded; NaN below zero.
    SQRT = "sqrt"("a") { shape "[n,k] floats -> [n,k]", nulls Strict, exact Bits, source "IEEE 754-2019 5.4.1", infer floats, eval |c| unary(c, |_| None, f32::sqrt, f64::sqrt) }
    /// The greatest integer not above.
    FLOOR = "floor"("a") { shape "[n,k] floats -> [n,k]", nulls Strict, exact Bits, source "IEEE 754-2019 5.9", infer floats, eval |c| unary(c, |_| None, f32::floor, f64::floor) }
    /// The least integer not below.
    CEIL = "ceil"("a") { shape "[n,k] floats -> [n,k]", nulls Strict, exact Bits, source "IEEE 754-2019 5.9", infer floats, eval |c| unary(c, |_| None, f32::ceil, f64::ceil) }
    /// The nearest integer, ties to even.
    ROUND = "round"("a") { shape "[n,k] floats -> [n,k]", nulls Strict, exact Bits, source "IEEE 754-2019 5.9", infer floats, eval |c| unary(c, |_| None, f32::round_ties_even, f64::round_ties_even) }
    /// e to the power of a; infinite above about 709.8, 0 below about -745.
    EXP = "exp"("a") { shape "[n,k] floats -> [n,k]", nulls Strict, exact Reals, source "C99 7.12.6.1", infer floats, eval |c| unary(c, |_| None, f32::exp, f64::exp) }
    /// Natural logarithm; -inf at 0, NaN below.
    LN = "ln"("a") { shape "[n,k] floats -> [n,k]", nulls Strict, exact Reals, source "C99 7.12.6.7", infer floats, eval |c| unary(c, |_| None, f32::ln, f64::ln) }
    /// Natural logarithm of 1 + a; -inf at -1, NaN below.
    LOG1P = "log1p"("a") { shape "[n,k] floats -> [n,k]", nulls Strict, exact Reals, source "C99 7.12.6.9", infer floats, eval |c| unary(c, |_| None, f32::ln_1p, f64::ln_1p) }
    /// e to the power of a, less 1.
    EXPM1 = "expm1"("a") { shape "[n,k] floats -> [n,k]", nulls Strict, exact Reals, source "C99 7.12.6.3", infer floats, eval |c| unary(c, |_| None, f32::exp_m1, f64::exp_m1) }
    /// a to the power of b.
    POW = "pow"("a", "b") { shape "[n,k] [n,k] floats -> [n,k]; width 1 repeats", nulls Strict, exact Reals, source "C99 7.12.7.4", infer floats, eval |c| arith(c, |_, _| None, f32::powf, f64::powf) }
    /// Hyperbolic tangent.
    TANH = "tanh"("a") { shape "[n,k] floats -> [n,k]", nulls Strict, exact Reals, source "C99 7.12.5.6", infer floats, eval |c| unary(c, |_| None, f32::tanh, f64::tanh) }
    /// Sine of an angle in radians; NaN at the infinities.
    SIN = "sin"("a") { shape "[n,k] floats -> [n,k]", nulls Strict, exact Reals, source "C99 7.12.4.6", infer floats, eval |c| unary(c, |_| None, f32::sin, f64::sin) }
    /// Cosine of an angle in radians; NaN at the infinities.
    COS = "cos"("a") { shape "[n,k] floats -> [n,k]", nulls Strict, exact Reals, source "C99 7.12.4.5", infer floats, eval |c| unary(c, |_| None, f32::cos, f64::cos) }
    /// The angle in radians, from -π/2 to π/2, of that tangent.
    ATAN = "atan"("a") { shape "[n,k] floats -> [n,k]", nulls Strict, exact Reals, source "C99 7.12.4.3", infer floats, eval |c| unary(c, |_| None, f32::atan, f64::atan) }
    /// 1 / (1 + exp(-a)), without overflow at either end: 1 above about 37, a denormal or 0 below about -709.
    LOGISTIC = "logistic"("a") { shape "[n,k] floats -> [n,k]", nulls Strict, exact Reals, source "scipy.special.expit", infer floats, eval |c| unary(c, |_| None, |a| 1.0 / (1.0 + (-a).exp()), |a| 1.0 / (1.0 + (-a).exp())) }
    /// What is left of a after division by b towards zero; it has the sign of a. Of floats it is exact, and NaN where a is
    /// infinite or b is 0; an integer has none by 0, which gives null.
    REM = "rem"("a", "b") { shape "[n,k] [n,k] -> [n,k]; width 1 repeats", nulls Strict, exact Bits, source "C99 7.12.10.1", infer arithmetic, eval |c| arith(c, |a, b| (b != 0).then(|| a.wrapping_rem(b)), |a, b| a % b, |a, b| a % b) }
    /// Integers bit by bit, in two's complement. A shift to the right repeats the sign; a shift by less than 0 or more
    /// than 63 places leaves 0 to the left, and the sign alone to the right.
    BITWISE = "bitwise"("a", "b") [AttrKind::Word(&[Word::And, Word::Or, Word::Xor, Word::Left, Word::Right])] { shape "i64 [n,k] [n,k] -> [n,k]; width 1 repeats", nulls Strict, exact Bits, source "numpy.bitwise_and, bitwise_or, bitwise_xor, left_shift, right_shift", infer integers, eval bitwise }
}

fn integers(_: &Attr, args: &[Type]) -> Result<Type, String> {
    let t = same(args)?;
    Ok(Type::Frame(require(t, t.dtype == DType::I64, "i64")?))
}

fn bitwise(c: &Apply<'_>) -> Frame {
    let f = |a: i64, b: i64| match c.attr {
        Attr::Word(Word::And) => a & b,
        Attr::Word(Word::Or) => a | b,
        Attr::Word(Word::Xor) => a ^ b,
        Attr::Word(Word::Left) => {
            if (0..64).contains(&b) {
                a << b
            } else {
                0
            }
        }
        _ => a >> if (0..64).contains(&b) { b } else { 63 },
    };
    c.zip(|a, b| f(*a, *b)).unwrap_or_else(|| c.each(|_, _| Scalar::Null))
}

fn numbers(_: &Attr, args: &[Type]) -> Result<Type, String> {
    let t = same(args)?;
    Ok(Type::Frame(require(t, t.dtype.is_number(), "a number")?))
}

fn floats(_: &Attr, args: &[Type]) -> Result<Type, String> {
    let t = same(args)?;
    Ok(Type::Frame(require(t, t.dtype.is_float(), "a float")?))
}

/// Numbers; integer results are nullable because they may overflow.
fn arithmetic(attr: &Attr, args: &[Type]) -> Result<Type, String> {
    match numbers(attr, args)? {
        Type::Frame(t) if t.dtype == DType::I64 => Ok(Type::Frame(t.nullable())),
        other => Ok(other),
    }
}

fn arith(
    c: &Apply<'_>,
    i: impl Fn(i64, i64) -> Option<i64>,
    f: impl Fn(f32, f32) -> f32,
    d: impl Fn(f64, f64) -> f64,
) -> Frame {
    c.zip(|a, b| d(*a, *b)).or_else(|| c.zip(|a, b| f(*a, *b))).unwrap_or_else(|| {
        c.each(|r, k| match (c.at(0, r, k), c.at(1, r, k)) {
            (Scalar::I64(a), Scalar::I64(b)) => i(a, b).map_or(Scalar::Null, Scalar::I64),
            _ => Scalar::Null,
        })
    })
}

fn unary(c: &Apply<'_>, i: impl Fn(i64) -> Option<i64>, f: impl Fn(f32) -> f32, d: impl Fn(f64) -> f64) -> Frame {
    c.map(|a| d(*a)).or_else(|| c.map(|a| f(*a))).unwrap_or_else(|| {
        c.each(|r, k| match c.at(0, r, k) {
            Scalar::I64(a) => i(a).map_or(Scalar::Null, Scalar::I64),
            _ => Scalar::Null,
        })
    })
}
