//! Reductions over the columns of a row.

use super::{Apply, Attr, AttrKind, Word, frame, ops, require};
use crate::frame::{Frame, Scalar};
use crate::types::{DType, Type};

ops! {
    /// Sum of the columns from left to right, from 0. Integers that overflow give null.
    SUM = "sum"("a") { shape "[n,k] -> [n,1]", nulls Strict, exact Reals, source "numpy.sum", infer sum_type, eval |c| total(c, 0, i64::checked_add, |a, x| a + x) }
    /// Product of the columns from left to right, from 1. Integers that overflow give null.
    PROD = "prod"("a") { shape "[n,k] -> [n,1]", nulls Strict, exact Reals, source "numpy.prod", infer sum_type, eval |c| total(c, 1, i64::checked_mul, |a, x| a * x) }
    /// The least column; NaN where any is NaN.
    ROW_MIN = "row_min"("a") { shape "floats [n,k] -> [n,1]", nulls Strict, exact Bits, source "numpy.min", infer |_, t| float_to(t, None, Some(1)), eval |c| reduce(c, |a, b| if a <= b || a.is_nan() { a } else { b }) }
    /// The greatest column; NaN where any is NaN.
    ROW_MAX = "row_max"("a") { shape "floats [n,k] -> [n,1]", nulls Strict, exact Bits, source "numpy.max", infer |_, t| float_to(t, None, Some(1)), eval |c| reduce(c, |a, b| if a >= b || a.is_nan() { a } else { b }) }
    /// Whether every column is true; three-valued.
    ALL = "all"("a") { shape "bool [n,k] -> bool [n,1]", nulls Kleene, exact Bits, source "numpy.all", infer bool_type, eval |c| quantifier(c, false) }
    /// Whether any column is true; three-valued.
    ANY = "any"("a") { shape "bool [n,k] -> bool [n,1]", nulls Kleene, exact Bits, source "numpy.any", infer bool_type, eval |c| quantifier(c, true) }
    /// The index of the greatest column, the first where several are; the first NaN where there is one.
    ARGMAX = "argmax"("a") { shape "floats [n,k] -> i64 [n,1]", nulls Strict, exact Bits, source "numpy.argmax", infer |_, t| float_to(t, Some(DType::I64), Some(1)), eval argmax }
    /// exp(a - greatest) over the sum of these.
    SOFTMAX = "softmax"("a") { shape "floats [n,k] -> [n,k]", nulls Strict, exact Reals, source "sklearn.utils.extmath.softmax", infer |_, t| float_to(t, None, None), eval softmax }
    /// Divided by its norm (`l1`, `l2` or `max`, where NaN counts for nothing); a row whose norm is 0 stays.
    NORMALIZE = "normalize"("a") [AttrKind::Word(&[Word::L1, Word::L2, Word::Max])] { shape "floats [n,k] -> [n,k]", nulls Strict, exact Reals, source "sklearn.preprocessing.normalize", infer |_, t| float_to(t, None, None), eval normalize }
}

fn float_to(args: &[Type], dtype: Option<DType>, width: Option<u32>) -> Result<Type, String> {
    let t = frame(args, 0)?;
    let t = require(t, t.dtype.is_float(), "a float")?;
    Ok(Type::Frame(t.with_dtype(dtype.unwrap_or(t.dtype)).with_width(width.unwrap_or(t.width))))
}

fn sum_type(_: &Attr, args: &[Type]) -> Result<Type, String> {
    let t = frame(args, 0)?;
    let t = require(t, t.dtype.is_number(), "a number")?;
    Ok(Type::Frame(t.with_width(1).with_nulls(t.nullable || t.dtype == DType::I64)))
}

fn bool_type(_: &Attr, args: &[Type]) -> Result<Type, String> {
    let t = frame(args, 0)?;
    Ok(Type::Frame(require(t, t.dtype == DType::Bool, "bool")?.with_width(1)))
}

fn round(dtype: DType, x: f64) -> f64 {
    if dtype == DType::F32 { f64::from(x as f32) } else { x }
}

/// Sum or product, from that number.
fn total(c: &Apply<'_>, first: i64, i: fn(i64, i64) -> Option<i64>, f: fn(f64, f64) -> f64) -> Frame {
    if c.out.dtype == DType::I64 {
        return c.each(|r, _| {
            let mut total = Some(first);
            for k in 0..c.frame(0).width {
                total = match c.at(0, r, k) {
                    Scalar::I64(x) => total.and_then(|t| i(t, x)),
                    _ => return Scalar::Null,
                };
            }
            total.map_or(Scalar::Null, Scalar::I64)
        });
    }
    c.rows_to_rows(|xs, out| out[0] = xs.iter().fold(first as f64, |a, x| round(c.out.dtype, f(a, *x))))
}

fn reduce(c: &Apply<'_>, f: impl Fn(f64, f64) -> f64) -> Frame {
    c.rows_to_rows(|xs, out| out[0] = xs.iter().copied().reduce(&f).unwrap_or(f64::NAN))
}

fn quantifier(c: &Apply<'_>, absorbing: bool) -> Frame {
    c.each(|r, _| {
        let mut result = Scalar::Bool(!absorbing);
        for k in 0..c.frame(0).width {
            match c.at(0, r, k) {
                Scalar::Bool(x) if x == absorbing => return Scalar::Bool(absorbing),
                Scalar::Null => result = Scalar::Null,
                _ => {}
            }
        }
        result
    })
}

fn argmax(c: &Apply<'_>) -> Frame {
    let beats = |x: f64, best: f64| !best.is_nan() && (x > best || x.is_nan());
    // A column's index is below 2^24, exact as a double.
    c.rows_to_rows(|xs, out| {
        out[0] = xs.iter().enumerate().fold(0, |b, (k, x)| if beats(*x, xs[b]) { k } else { b }) as f64;
    })
}

fn softmax(c: &Apply<'_>) -> Frame {
    let d = c.out.dtype;
    c.rows_to_rows(|xs, out| {
        let top = xs.iter().copied().reduce(|a, b| if a >= b || a.is_nan() { a } else { b }).unwrap_or(0.0);
        xs.iter_mut().for_each(|x| *x = round(d, round(d, *x - top).exp()));
        let total = xs.iter().fold(0.0, |a, x| round(d, a + x));
        out.iter_mut().zip(xs).for_each(|(o, x)| *o = *x / total);
    })
}

fn normalize(c: &Apply<'_>) -> Frame {
    let d = c.out.dtype;
    c.rows_to_rows(|xs, out| {
        let norm = match c.attr {
            Attr::Word(Word::L1) => xs.iter().fold(0.0, |a, x| round(d, a + x.abs())),
            Attr::Word(Word::L2) => round(d, xs.iter().fold(0.0, |a, x| round(d, a + round(d, x * x))).sqrt()),
            _ => xs.iter().fold(0.0, |a: f64, x| a.max(x.abs())),
        };
        out.iter_mut().zip(xs).for_each(|(o, x)| *o = if norm == 0.0 { *x } else { *x / norm });
    })
}
