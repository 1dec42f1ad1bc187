//! Comparison, three-valued logic, null tests, choice and cast.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;

use super::apply::Element;
use super::category::{Key, key};
use super::{Apply, Attr, AttrKind, common_width, frame, ops, require, same};
use crate::frame::{Frame, Scalar};
use crate::types::{DType, FrameType, Type};

ops! {
    /// Equal. NaN equals nothing; text is compared byte by byte.
    EQ = "eq"("a", "b") { shape "[n,k] [n,k] -> bool [n,k]; width 1 repeats", nulls Strict, exact Bits, source "IEEE 754-2019 5.11", infer compare, eval |c| ordered(c, |o| o == Some(Ordering::Equal)) }
    /// Not equal. NaN differs from everything.
    NE = "ne"("a", "b") { shape "[n,k] [n,k] -> bool [n,k]; width 1 repeats", nulls Strict, exact Bits, source "IEEE 754-2019 5.11", infer compare, eval |c| ordered(c, |o| o != Some(Ordering::Equal)) }
    /// Less. False where either is NaN.
    LT = "lt"("a", "b") { shape "[n,k] [n,k] -> bool [n,k]; width 1 repeats", nulls Strict, exact Bits, source "IEEE 754-2019 5.11", infer compare, eval |c| ordered(c, |o| o == Some(Ordering::Less)) }
    /// Less or equal. False where either is NaN.
    LE = "le"("a", "b") { shape "[n,k] [n,k] -> bool [n,k]; width 1 repeats", nulls Strict, exact Bits, source "IEEE 754-2019 5.11", infer compare, eval |c| ordered(c, |o| matches!(o, Some(Ordering::Less | Ordering::Equal))) }
    /// Greater. False where either is NaN.
    GT = "gt"("a", "b") { shape "[n,k] [n,k] -> bool [n,k]; width 1 repeats", nulls Strict, exact Bits, source "IEEE 754-2019 5.11", infer compare, eval |c| ordered(c, |o| o == Some(Ordering::Greater)) }
    /// Greater or equal. False where either is NaN.
    GE = "ge"("a", "b") { shape "[n,k] [n,k] -> bool [n,k]; width 1 repeats", nulls Strict, exact Bits, source "IEEE 754-2019 5.11", infer compare, eval |c| ordered(c, |o| matches!(o, Some(Ordering::Greater | Ordering::Equal))) }
    /// True where all are; false where one is false; null otherwise. Conjuncts stay in order, so that the cheap one can come first.
    AND = "and"("a...") { shape "bool [n,k] ... -> bool [n,k]; width 1 repeats", nulls Kleene, exact Bits, source "SQL:2016 6.39", infer logic, eval |c| kleene(c, false) }
    /// False where all are; true where one is true; null otherwise.
    OR = "or"("a...") { shape "bool [n,k] ... -> bool [n,k]; width 1 repeats", nulls Kleene, exact Bits, source "SQL:2016 6.39", infer logic, eval |c| kleene(c, true) }
    /// Negation.
    NOT = "not"("a") { shape "bool [n,k] -> bool [n,k]", nulls Strict, exact Bits, source "SQL:2016 6.39", infer logic, eval not }
    /// Whether the element is null. NaN is not.
    IS_NULL = "is_null"("a") { shape "[n,k] -> bool [n,k]", nulls Never, exact Bits, source "SQL:2016 8.8", infer test, eval is_null }
    /// Whether the element is NaN.
    IS_NAN = "is_nan"("a") { shape "floats [n,k] -> bool [n,k]", nulls Strict, exact Bits, source "IEEE 754-2019 5.7.2", infer float_test, eval is_nan }
    /// Whether the element equals one of the constant's. NaN equals nothing.
    IN_SET = "in_set"("a", "set") { shape "[n,k], constant 1 x m of the same dtype -> bool [n,k]", nulls Strict, exact Bits, source "SQL:2016 8.4", infer in_set_type, eval in_set }
    /// a where the condition is true, b where it is false or null.
    SELECT = "select"("condition", "a", "b") { shape "bool [n,k] [n,k] [n,k] -> [n,k]; width 1 repeats", nulls Own, exact Bits, source "SQL:2016 6.12 (searched CASE)", infer select_type, eval select }
    /// a where it is not null, else b.
    COALESCE = "coalesce"("a", "b") { shape "[n,k] [n,k] -> [n,k]; width 1 repeats", nulls Own, exact Bits, source "SQL:2016 6.12", infer coalesce_type, eval coalesce }
    /// x where the condition is true, null elsewhere: a row that the library would refuse.
    GUARD = "guard"("condition", "x") { shape "bool [n,1] [n,k] -> nullable [n,k]", nulls Own, exact Bits, source "Flock", infer guard_type, eval guard }
    /// To another dtype. Floats round to nearest even; integers and truth values become floats; a float becomes the
    /// integer towards zero, null where there is none; numbers are true where they are not 0. Text casts from bool
    /// ("True", "False") and i64 only.
    CAST = "cast"("a") [AttrKind::Type] { shape "[n,k] -> [n,k] of the dtype of the attribute", nulls Strict, exact Bits, source "IEEE 754-2019 5.4.2", infer cast_type, eval cast }
}

fn compare(_: &Attr, args: &[Type]) -> Result<Type, String> {
    Ok(Type::Frame(same(args)?.with_dtype(DType::Bool)))
}

fn logic(_: &Attr, args: &[Type]) -> Result<Type, String> {
    let t = same(args)?;
    Ok(Type::Frame(require(t, t.dtype == DType::Bool, "bool")?))
}

fn test(_: &Attr, args: &[Type]) -> Result<Type, String> {
    Ok(Type::Frame(FrameType::new(DType::Bool, frame(args, 0)?.width)))
}

fn float_test(_: &Attr, args: &[Type]) -> Result<Type, String> {
    let t = frame(args, 0)?;
    Ok(Type::Frame(require(t, t.dtype.is_float(), "a float")?.with_dtype(DType::Bool)))
}

fn in_set_type(_: &Attr, args: &[Type]) -> Result<Type, String> {
    let (t, (dtype, rows, _)) = (frame(args, 0)?, super::table(args, 1)?);
    if rows != 1 || dtype != t.dtype {
        return Err(format!("a set of {dtype} with {rows} rows for {t}, expected one row of {}", t.dtype));
    }
    Ok(Type::Frame(t.with_dtype(DType::Bool)))
}

fn select_type(_: &Attr, args: &[Type]) -> Result<Type, String> {
    let condition = frame(args, 0)?;
    require(condition, condition.dtype == DType::Bool, "a bool condition")?;
    let t = same(&args[1..])?;
    Ok(Type::Frame(t.with_width(common_width(&[condition, t])?)))
}

fn coalesce_type(_: &Attr, args: &[Type]) -> Result<Type, String> {
    Ok(Type::Frame(same(args)?.with_nulls(frame(args, 0)?.nullable && frame(args, 1)?.nullable)))
}

fn guard_type(_: &Attr, args: &[Type]) -> Result<Type, String> {
    let condition = frame(args, 0)?;
    if condition.dtype != DType::Bool || condition.width != 1 {
        return Err(format!("condition {condition}, expected bool of width 1"));
    }
    Ok(Type::Frame(frame(args, 1)?.nullable()))
}

fn cast_type(attr: &Attr, args: &[Type]) -> Result<Type, String> {
    let (from, Attr::Type(to)) = (frame(args, 0)?, attr) else {
        return Err("no type to cast to".into());
    };
    let partial = from.dtype.is_float() && to.dtype == DType::I64;
    let known = match (from.dtype, to.dtype) {
        (a, b) if a == b => true,
        (DType::Str, _) => false,
        (a, DType::Str) => matches!(a, DType::Bool | DType::I64),
        _ => true,
    };
    let t = from.with_dtype(to.dtype).with_nulls(from.nullable || partial);
    if !known {
        return Err(format!("no cast from {} to {}", from.dtype, to.dtype));
    }
    if t != *to {
        return Err(format!("the attribute says {to}, the operand gives {t}"));
    }
    Ok(Type::Frame(t))
}

fn ordered(c: &Apply<'_>, holds: impl Fn(Option<Ordering>) -> bool) -> Frame {
    fn typed<T: Element + PartialOrd>(c: &Apply<'_>, holds: &impl Fn(Option<Ordering>) -> bool) -> Option<Frame> {
        c.zip(|a: &T, b: &T| holds(a.partial_cmp(b)))
    }
    typed::<f64>(c, &holds)
        .or_else(|| typed::<f32>(c, &holds))
        .or_else(|| typed::<i64>(c, &holds))
        .or_else(|| typed::<Arc<str>>(c, &holds))
        .or_else(|| typed::<bool>(c, &holds))
        .unwrap_or_else(|| c.each(|_, _| Scalar::Null))
}

/// `and` absorbs false, `or` absorbs true.
fn kleene(c: &Apply<'_>, absorbing: bool) -> Frame {
    c.each(|r, k| {
        let mut result = Scalar::Bool(!absorbing);
        for i in 0..c.args.len() {
            match c.at(i, r, k) {
                Scalar::Bool(x) if x == absorbing => return Scalar::Bool(absorbing),
                Scalar::Null => result = Scalar::Null,
                _ => {}
            }
        }
        result
    })
}

fn not(c: &Apply<'_>) -> Frame {
    c.map(|x: &bool| !x).unwrap_or_else(|| c.each(|_, _| Scalar::Null))
}

fn is_null(c: &Apply<'_>) -> Frame {
    let x = c.frame(0);
    c.each(|r, k| Scalar::Bool(x.is_null_flat(x.broadcast_index(r, k))))
}

fn is_nan(c: &Apply<'_>) -> Frame {
    c.map(|x: &f64| x.is_nan()).or_else(|| c.map(|x: &f32| x.is_nan())).unwrap_or_else(|| c.each(|_, _| Scalar::Null))
}

fn in_set(c: &Apply<'_>) -> Frame {
    let set = c.frame(1);
    let members: HashSet<Key> = (0..set.len()).filter_map(|i| key(set.get_flat(i))).collect();
    c.each(|r, k| match c.at(0, r, k) {
        Scalar::Null => Scalar::Null,
        Scalar::F32(x) if x.is_nan() => Scalar::Bool(false),
        Scalar::F64(x) if x.is_nan() => Scalar::Bool(false),
        x => Scalar::Bool(key(x).is_some_and(|x| members.contains(&x))),
    })
}

fn select(c: &Apply<'_>) -> Frame {
    let (holds, a, b) = (c.is_true(0), c.frame(1), c.frame(2));
    c.pick(|r, k| Some(if holds(r, k) { (1, a.broadcast_index(r, k)) } else { (2, b.broadcast_index(r, k)) }))
}

fn coalesce(c: &Apply<'_>) -> Frame {
    let (a, b) = (c.frame(0), c.frame(1));
    c.pick(|r, k| {
        let at = a.broadcast_index(r, k);
        Some(if a.is_null_flat(at) { (1, b.broadcast_index(r, k)) } else { (0, at) })
    })
}

fn guard(c: &Apply<'_>) -> Frame {
    let (holds, x) = (c.is_true(0), c.frame(1));
    c.pick(|r, k| holds(r, 0).then(|| (1, x.broadcast_index(r, k))))
}

fn cast(c: &Apply<'_>) -> Frame {
    let typed = match c.out.dtype {
        DType::F64 => {
            c.map(|x: &f64| *x).or_else(|| c.map(|x: &i64| *x as f64)).or_else(|| c.map(|x: &f32| f64::from(*x)))
        }
        DType::F32 => c.map(|x: &f64| *x as f32).or_else(|| c.map(|x: &i64| *x as f32)),
        _ => None,
    };
    typed.unwrap_or_else(|| c.each(|r, k| cast_scalar(c.at(0, r, k), c.out.dtype)))
}

/// One element to another dtype.
pub fn cast_scalar(x: Scalar, to: DType) -> Scalar {
    use Scalar::*;
    let number = match x {
        Null => return Null,
        Bool(x) => f64::from(u8::from(x)),
        I64(x) => x as f64,
        F32(x) => f64::from(x),
        F64(x) => x,
        Str(_) => f64::NAN,
    };
    match (x, to) {
        (x @ Bool(_), DType::Bool) | (x @ I64(_), DType::I64) | (x @ Str(_), DType::Str) => x,
        (Bool(x), DType::Str) => Str(if x { "True" } else { "False" }.into()),
        (I64(x), DType::Str) => Str(x.to_string().into()),
        (I64(x), DType::F32) => F32(x as f32),
        (Bool(x), DType::I64) => I64(i64::from(x)),
        (I64(x), DType::Bool) => Bool(x != 0),
        (_, DType::F64) => F64(number),
        (_, DType::F32) => F32(number as f32),
        (_, DType::Bool) => Bool(number != 0.0),
        // 2^63 is the first float beyond i64 on either side that is not -2^63 itself.
        (_, DType::I64) if (-9223372036854775808.0..9223372036854775808.0).contains(&number) => I64(number as i64),
        _ => Null,
    }
}
