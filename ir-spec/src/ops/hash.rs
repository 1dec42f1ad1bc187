//! Text to the numbers that models keep in its place.

use std::sync::Arc;

use super::{Apply, Attr, frame, ops, require};
use crate::city::city_hash;
use crate::frame::{Frame, Scalar};
use crate::types::{DType, Type};

ops! {
    /// CityHash64 of the text's bytes, in the version of 2011, as a signed number.
    CITY_HASH = "city_hash"("a") { shape "str [n,k] -> i64 [n,k]", nulls Strict, exact Bits, source "CatBoost util/digest/city.cpp (cityhash 1.0.3)", infer hash_type, eval hash }
}

fn hash_type(_: &Attr, args: &[Type]) -> Result<Type, String> {
    let t = frame(args, 0)?;
    Ok(Type::Frame(require(t, t.dtype == DType::Str, "str")?.with_dtype(DType::I64)))
}

fn hash(c: &Apply<'_>) -> Frame {
    c.map(|s: &Arc<str>| city_hash(s.as_bytes()).cast_signed()).unwrap_or_else(|| c.each(|_, _| Scalar::Null))
}
