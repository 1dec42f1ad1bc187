//! Text to the numbers that models keep in its place.

use std::sync::Arc;

use super::{Apply, Arg, Attr, AttrKind, Word, frame, ops, require};
use crate::frame::{Frame, Scalar};
use crate::types::{DType, Type};
use flock_text::{Digest, city_hash};

const DIGESTS: &[Word] = &[
    Word::Digest(Digest::Md5),
    Word::Digest(Digest::Sha1),
    Word::Digest(Digest::Sha224),
    Word::Digest(Digest::Sha256),
    Word::Digest(Digest::Sha384),
    Word::Digest(Digest::Sha512),
];

ops! {
    /// CityHash64 of the text's bytes, in the version of 2011, as a signed number.
    CITY_HASH = "city_hash"("a") { shape "str [n,k] -> i64 [n,k]", nulls Strict, exact Bits, source "CatBoost util/digest/city.cpp (cityhash 1.0.3)", infer hash_type, eval hash }
    /// The digest of the text's UTF-8, in words of 32 bits as numbers that are not negative, the highest first: 4 of them
    /// (`md5`), 5 (`sha1`), 7 (`sha224`), 8 (`sha256`), 12 (`sha384`) or 16 (`sha512`).
    DIGEST = "digest"("a") [AttrKind::Word(DIGESTS)] { shape "str [n,1] -> i64 [n,words]", nulls Strict, exact Bits, source "Python hashlib (RFC 1321, FIPS 180-4)", infer digest_type, eval digest }
}

fn hash_type(_: &Attr, args: &[Type]) -> Result<Type, String> {
    let t = frame(args, 0)?;
    Ok(Type::Frame(require(t, t.dtype == DType::Str, "str")?.with_dtype(DType::I64)))
}

/// The digest that an attribute of `digest` names.
pub fn digest_of(attr: &Attr) -> Option<Digest> {
    match attr {
        Attr::Word(Word::Digest(digest)) => Some(*digest),
        _ => None,
    }
}

fn digest_type(attr: &Attr, args: &[Type]) -> Result<Type, String> {
    let t = frame(args, 0)?;
    let t = require(t, t.dtype == DType::Str && t.width == 1, "str of width 1")?;
    let digest = digest_of(attr).ok_or("no digest of that name")?;
    Ok(Type::Frame(t.with_dtype(DType::I64).with_width(digest.words() as u32)))
}

fn digest(c: &Apply<'_>) -> Frame {
    let Some(digest) = digest_of(c.attr) else { return c.each(|_, _| Scalar::Null) };
    let text = c.args.first().and_then(|a| if let Arg::Frame(f) = a { Some(*f) } else { None });
    let words = |row: usize| match text.map(|t| t.get(if t.rows == 1 { 0 } else { row }, 0)) {
        Some(Scalar::Str(s)) => Some(digest.of(s.as_bytes())),
        _ => None,
    };
    let words: Vec<Option<[u32; 16]>> = (0..c.rows).map(words).collect();
    c.each(|i, j| words[i].map_or(Scalar::Null, |w| Scalar::I64(i64::from(w[j]))))
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
