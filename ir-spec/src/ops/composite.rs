//! Composites: operators with a definition in the core. The text of the definition is the only meaning they have.

use super::{Attr, Record, ops, require, same};
use crate::types::{DType, Type};

ops! {
    /// Whether the element is missing: null or NaN.
    IS_MISSING = "is_missing"("a") { shape "floats [n,k] -> bool [n,k]", nulls Never, exact Bits, source "pandas.isna", infer missing_type, expands "(coalesce (is_nan ?a) true)" }
    /// The greater of the value and 0.
    RELU = "relu"("a") { shape "floats [n,k] -> [n,k]", nulls Strict, exact Bits, source "ONNX Relu-14", infer float_type, expands "(max ?a 0)" }
    /// Within the bounds.
    CLIP = "clip"("a", "low", "high") { shape "floats [n,k], bounds of width 1 or k -> [n,k]", nulls Strict, exact Bits, source "numpy.clip", infer float_type, expands "(min (max ?a ?low) ?high)" }
    /// Whether a float is neither infinite nor NaN.
    IS_FINITE = "is_finite"("a") { shape "floats [n,k] -> bool [n,k]", nulls Strict, exact Bits, source "numpy.isfinite", infer finite_type, expands "(lt (abs ?a) inf)" }
}

/// A composite by its position in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Composite(u16);

static COMPOSITES: &[&Record] = &[&IS_MISSING, &RELU, &CLIP, &IS_FINITE];

impl Composite {
    /// Whether the element is missing.
    pub const IS_MISSING: Composite = Composite(0);
    /// The greater of the value and 0.
    pub const RELU: Composite = Composite(1);
    /// Within the bounds.
    pub const CLIP: Composite = Composite(2);
    /// Neither infinite nor NaN.
    pub const IS_FINITE: Composite = Composite(3);

    /// Every composite.
    pub fn all() -> impl Iterator<Item = Composite> {
        (0..COMPOSITES.len() as u16).map(Composite)
    }

    /// The record.
    pub fn record(self) -> &'static Record {
        COMPOSITES[self.0 as usize]
    }
}

fn missing_type(attr: &Attr, args: &[Type]) -> Result<Type, String> {
    finite_type(attr, args).map(|t| match t {
        Type::Frame(t) => Type::Frame(t.with_nulls(false)),
        other => other,
    })
}

fn finite_type(_: &Attr, args: &[Type]) -> Result<Type, String> {
    let t = same(args)?;
    Ok(Type::Frame(require(t, t.dtype.is_float(), "a float")?.with_dtype(DType::Bool)))
}

fn float_type(_: &Attr, args: &[Type]) -> Result<Type, String> {
    let t = same(args)?;
    Ok(Type::Frame(require(t, t.dtype.is_float(), "a float")?))
}
