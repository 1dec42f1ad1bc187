//! Categories: values to indices, indices to rows of a table.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Apply, Attr, AttrKind, Word, frame, ops, require, table};
use crate::frame::{Data, Frame, Scalar};
use crate::types::{DType, FrameType, Type};

ops! {
    /// The position of the value among the constant's elements, -1 where it is none of them. Numbers compare as
    /// numbers (-0 is 0), and NaN finds NaN. The first of equal elements counts.
    INDEX_OF = "index_of"("a", "categories") { shape "[n,k], constant 1 x m of the same dtype -> i64 [n,k]", nulls Strict, exact Bits, source "sklearn.preprocessing.OrdinalEncoder", infer index_of_type, eval index_of }
    /// The row of the table at the index; zeros (false, empty text) where there is none.
    LOOKUP = "lookup"("index", "table") { shape "i64 [n,1], constant m x k -> [n,k]", nulls Strict, exact Bits, source "ONNX Gather-13", infer lookup_type, eval lookup }
    /// 1 in the column of the index, 0 elsewhere; all 0 where the index is no column.
    ONE_HOT = "one_hot"("index") [AttrKind::Type] { shape "i64 [n,1] -> floats [n,width of the attribute]", nulls Strict, exact Bits, source "ONNX OneHot-11", infer one_hot_type, eval one_hot }
    /// The number of sorted edges below the value (`left`), or below it or equal to it (`right`); NaN counts all.
    BUCKETIZE = "bucketize"("a", "edges") [AttrKind::Word(&[Word::Left, Word::Right])] { shape "floats [n,k], constant 1 x m -> i64 [n,k]", nulls Strict, exact Bits, source "numpy.searchsorted", infer bucketize_type, eval bucketize }
}

fn constant_row(args: &[Type], dtype: DType) -> Result<(), String> {
    match table(args, 1)? {
        (d, 1, _) if d == dtype => Ok(()),
        (d, rows, width) => Err(format!("a table of {d} {rows} x {width}, expected one row of {dtype}")),
    }
}

fn index_of_type(_: &Attr, args: &[Type]) -> Result<Type, String> {
    let t = frame(args, 0)?;
    constant_row(args, t.dtype)?;
    Ok(Type::Frame(t.with_dtype(DType::I64)))
}

fn index(args: &[Type]) -> Result<FrameType, String> {
    let t = frame(args, 0)?;
    if t.dtype != DType::I64 || t.width != 1 {
        return Err(format!("an index of {t}, expected i64 of width 1"));
    }
    Ok(t)
}

fn lookup_type(_: &Attr, args: &[Type]) -> Result<Type, String> {
    let (t, (dtype, _, width)) = (index(args)?, table(args, 1)?);
    Ok(Type::Frame(t.with_dtype(dtype).with_width(width)))
}

fn one_hot_type(attr: &Attr, args: &[Type]) -> Result<Type, String> {
    let (t, Attr::Type(to)) = (index(args)?, attr) else {
        return Err("no type for the columns".into());
    };
    if to.nullable != t.nullable {
        return Err(format!("the attribute says {to}, the index is {t}"));
    }
    Ok(Type::Frame(require(*to, to.dtype.is_float(), "a float")?))
}

fn bucketize_type(_: &Attr, args: &[Type]) -> Result<Type, String> {
    let t = frame(args, 0)?;
    let t = require(t, t.dtype.is_float(), "a float")?;
    constant_row(args, t.dtype)?;
    Ok(Type::Frame(t.with_dtype(DType::I64)))
}

/// An element as a key of a hash table.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    Bool(bool),
    I64(i64),
    Bits(u64),
    Str(Arc<str>),
}

/// Equal keys are equal values: -0 is 0, and every NaN is one. None for null.
pub(crate) fn key(x: Scalar) -> Option<Key> {
    let bits = |x: f64| Key::Bits(if x.is_nan() { f64::NAN.to_bits() } else { (x + 0.0).to_bits() });
    Some(match x {
        Scalar::Null => return None,
        Scalar::Bool(x) => Key::Bool(x),
        Scalar::I64(x) => Key::I64(x),
        Scalar::F32(x) => bits(f64::from(x)),
        Scalar::F64(x) => bits(x),
        Scalar::Str(x) => Key::Str(x),
    })
}

fn index_of(c: &Apply<'_>) -> Frame {
    let categories = c.frame(1);
    let mut positions = HashMap::new();
    for i in (0..categories.len()).rev() {
        if let Some(k) = key(categories.get_flat(i)) {
            positions.insert(k, i as i64);
        }
    }
    c.each(|r, k| match key(c.at(0, r, k)) {
        Some(k) => Scalar::I64(positions.get(&k).copied().unwrap_or(-1)),
        None => Scalar::Null,
    })
}

fn zero(dtype: DType) -> Scalar {
    match dtype {
        DType::Bool => Scalar::Bool(false),
        DType::I64 => Scalar::I64(0),
        DType::F32 => Scalar::F32(0.0),
        DType::F64 => Scalar::F64(0.0),
        DType::Str => Scalar::Str("".into()),
    }
}

fn lookup(c: &Apply<'_>) -> Frame {
    let table = c.frame(1);
    c.each(|r, k| match c.at(0, r, 0) {
        Scalar::I64(i) if (0..table.rows as i64).contains(&i) => table.get(i as usize, k),
        Scalar::Null => Scalar::Null,
        _ => zero(c.out.dtype),
    })
}

fn one_hot(c: &Apply<'_>) -> Frame {
    c.each(|r, k| match (c.at(0, r, 0), c.out.dtype) {
        (Scalar::I64(i), DType::F32) => Scalar::F32(if i == k as i64 { 1.0 } else { 0.0 }),
        (Scalar::I64(i), _) => Scalar::F64(if i == k as i64 { 1.0 } else { 0.0 }),
        _ => Scalar::Null,
    })
}

fn bucketize(c: &Apply<'_>) -> Frame {
    let edges: Vec<f64> = match &c.frame(1).data {
        Data::F64(v) => v.clone(),
        Data::F32(v) => v.iter().map(|x| f64::from(*x)).collect(),
        _ => Vec::new(),
    };
    let right = matches!(c.attr, Attr::Word(Word::Right));
    let count = |x: f64| {
        let n = edges.partition_point(|e| x.is_nan() || if right { *e <= x } else { *e < x });
        Scalar::I64(n as i64)
    };
    c.each(|r, k| match c.at(0, r, k) {
        Scalar::F32(x) => count(f64::from(x)),
        Scalar::F64(x) => count(x),
        _ => Scalar::Null,
    })
}
