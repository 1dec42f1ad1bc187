//! Text to the numbers that models keep in its place.

use std::sync::Arc;

use super::{Apply, Attr, frame, ops, require};
use crate::frame::{Frame, Scalar};
use crate::types::{DType, Type};
use flock_text::city_hash;

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

#[cfg(test)]
mod tests {
    use super::*;

    /// The lower 32 bits as model files of CatBoost have them, for each way in which the length is treated.
    #[test]
    fn hashes_are_those_of_catboost() {
        let long = "a category whose text is longer than sixty-four bytes, so that its hash is made block by block";
        let expected = [
            ("", 797_982_799),
            ("x", -784_473_192),
            ("ä", 174_581_543),
            ("late", -48_886_518),
            ("nine or ten", -1_594_993_023),
            ("more than sixteen bytes", -147_664_117),
            ("more than thirty-two bytes in one text", -1_481_904_052),
            (long, -7_419_067),
        ];
        let found = expected.map(|(text, _)| (text, city_hash(text.as_bytes()) as i32));
        assert_eq!(found, expected);
    }
}
