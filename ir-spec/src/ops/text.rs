//! Text to text, to truth values, and to counts of its terms.

use std::sync::Arc;

use flock_text::{Flavour, Machine, Pattern};

use super::{Apply, Arg, Attr, AttrKind, Word, frame, ops, require, same, table};
use crate::frame::{Data, Frame, Scalar};
use crate::types::{DType, FrameType, Type};

ops! {
    /// In lower case: the full mapping of each character in Unicode 14, a sigma at the end of a word as `ς`.
    LOWER = "lower"("a") { shape "str [n,k] -> [n,k]", nulls Strict, exact Bits, source "Python 3.11 str.lower", infer text_type, eval lower }
    /// In upper case: the full mapping of each character in Unicode 14.
    UPPER = "upper"("a") { shape "str [n,k] -> [n,k]", nulls Strict, exact Bits, source "Python 3.11 str.upper", infer text_type, eval upper }
    /// The compatible decomposition (NFKD of Unicode 14) without what combines (`unicode`), or what of it is ASCII
    /// (`ascii`). Text in ASCII stays.
    WITHOUT_ACCENTS = "without_accents"("a") [AttrKind::Word(&[Word::Unicode, Word::Ascii])] { shape "str [n,k] -> [n,k]", nulls Strict, exact Bits, source "sklearn.feature_extraction.text strip_accents_unicode, strip_accents_ascii", infer text_type, eval without_accents }
    /// One text behind the other.
    APPEND = "append"("a", "b") { shape "str [n,k] [n,k] -> [n,k]", nulls Strict, exact Bits, source "ONNX StringConcat-20", infer append_type, eval append }
    /// The number that the text begins with, as C reads it: `float` as `strtod`, `signed` as `strtoll` and `unsigned` as
    /// `strtoull`, whose 64 bits are given. Null where there is none or it is out of range.
    PARSE = "parse"("a") [AttrKind::Word(&[Word::Float, Word::Signed, Word::Unsigned])] { shape "str [n,k] -> nullable f64 or i64 [n,k]", nulls Own, exact Bits, source "onnxruntime tensor/cast_op.cc; C99 7.20.1", infer parse_type, eval parse }
    /// The number in eight significant digits, as C's `%.8g` writes it; `NaN`, `INF`, `-INF`.
    DIGITS = "digits"("a") { shape "f64 [n,k] -> str [n,k]", nulls Strict, exact Bits, source "onnxruntime tensor/cast_op.cc", infer digits_type, eval digits }
    /// Whether the pattern, in the syntax of RE2, matches all of the text.
    MATCHES = "matches"("a", "pattern") { shape "str [n,k], constant str 1 x 1 -> bool [n,k]", nulls Strict, exact Bits, source "ONNX RegexFullMatch-20", infer matches_type, eval matches }
    /// How often each term of the constant is in the text. The constant says what terms are (tokens that a pattern of
    /// Python's `re` finds, or characters, and runs of them), which are left out, and which column counts which.
    TERM_COUNTS = "term_counts"("text", "terms") { shape "str [n,1], terms -> f64 [n,columns of the terms]", nulls Strict, exact Bits, source "scikit-learn feature_extraction/text.py, _hashing_fast.pyx", infer counts_type, eval term_counts }
}

fn text(args: &[Type]) -> Result<FrameType, String> {
    let t = frame(args, 0)?;
    require(t, t.dtype == DType::Str, "str")
}

fn text_type(_: &Attr, args: &[Type]) -> Result<Type, String> {
    text(args).map(Type::Frame)
}

fn append_type(_: &Attr, args: &[Type]) -> Result<Type, String> {
    text(args)?;
    same(args).map(Type::Frame)
}

fn parse_type(attr: &Attr, args: &[Type]) -> Result<Type, String> {
    let dtype = if *attr == Attr::Word(Word::Float) { DType::F64 } else { DType::I64 };
    Ok(Type::Frame(text(args)?.with_dtype(dtype).nullable()))
}

fn parse(c: &Apply<'_>) -> Frame {
    let text = if let Some(Arg::Frame(f)) = c.args.first() { Some(*f) } else { None };
    let read = |s: &str| match c.attr {
        Attr::Word(Word::Float) => flock_text::leading_float(s).map(Scalar::F64),
        attr => flock_text::leading_integer(s, *attr == Attr::Word(Word::Signed)).map(Scalar::I64),
    };
    c.each(|i, j| match text.map(|t| t.get(if t.rows == 1 { 0 } else { i }, j)) {
        Some(Scalar::Str(s)) => read(&s).unwrap_or(Scalar::Null),
        _ => Scalar::Null,
    })
}

fn digits_type(_: &Attr, args: &[Type]) -> Result<Type, String> {
    let t = frame(args, 0)?;
    Ok(Type::Frame(require(t, t.dtype == DType::F64, "f64")?.with_dtype(DType::Str)))
}

fn digits(c: &Apply<'_>) -> Frame {
    c.map(|x: &f64| Arc::<str>::from(flock_text::eight_digits(*x))).unwrap_or_else(|| c.each(|_, _| Scalar::Null))
}

fn matches_type(_: &Attr, args: &[Type]) -> Result<Type, String> {
    let t = text(args)?;
    match table(args, 1)? {
        (DType::Str, 1, 1) => Ok(Type::Frame(t.with_dtype(DType::Bool))),
        (dtype, rows, width) => Err(format!("a pattern of {dtype} {rows} x {width}, expected one text")),
    }
}

fn counts_type(_: &Attr, args: &[Type]) -> Result<Type, String> {
    let t = text(args)?;
    match args.get(1) {
        Some(Type::Terms { columns }) if t.width == 1 => Ok(Type::Frame(t.with_dtype(DType::F64).with_width(*columns))),
        Some(Type::Terms { .. }) => Err(format!("documents of {} columns", t.width)),
        Some(ty) => Err(format!("operand 1 is {ty}, expected terms")),
        None => Err("no terms".into()),
    }
}

fn changed(c: &Apply<'_>, f: impl Fn(&str) -> String) -> Frame {
    c.map(|s: &Arc<str>| Arc::<str>::from(f(s))).unwrap_or_else(|| c.each(|_, _| Scalar::Null))
}

fn lower(c: &Apply<'_>) -> Frame {
    changed(c, flock_text::lower)
}

fn upper(c: &Apply<'_>) -> Frame {
    changed(c, flock_text::upper)
}

fn without_accents(c: &Apply<'_>) -> Frame {
    match c.attr {
        Attr::Word(Word::Ascii) => changed(c, flock_text::without_accents_ascii),
        _ => changed(c, flock_text::without_accents),
    }
}

fn append(c: &Apply<'_>) -> Frame {
    c.zip(|a: &Arc<str>, b: &Arc<str>| Arc::<str>::from([&**a, &**b].concat()))
        .unwrap_or_else(|| c.each(|_, _| Scalar::Null))
}

fn matches(c: &Apply<'_>) -> Frame {
    let pattern = c.frame(1).as_str().and_then(|p| p.first()).map(|p| Pattern::new(p, Flavour::Re2));
    let Some(Ok(pattern)) = pattern else { return c.each(|_, _| Scalar::Null) };
    let mut machine = Machine::default();
    c.each(|r, k| match c.at(0, r, k) {
        Scalar::Str(s) => Scalar::Bool(pattern.program().matches_all(&s, &mut machine)),
        _ => Scalar::Null,
    })
}

fn term_counts(c: &Apply<'_>) -> Frame {
    let Arg::Terms(terms) = c.args[1] else { panic!("operand 1 is no terms") };
    let x = c.frame(0);
    let texts = x.as_str().unwrap_or(&[]);
    let mut counts = vec![0.0; c.rows * c.out.width as usize];
    let documents = (0..c.rows).map(|r| {
        let at = x.broadcast_index(r, 0);
        (!x.is_null_flat(at)).then(|| &*texts[at])
    });
    terms.each(documents, |row, column, one| {
        let count = &mut counts[column as usize * c.rows + row];
        *count = if terms.binary { 1.0 } else { *count + one };
    });
    let valid = x.valid.as_ref().map(|_| {
        let rows: Vec<bool> = (0..c.rows).map(|r| !x.is_null_flat(x.broadcast_index(r, 0))).collect();
        rows.repeat(c.out.width as usize)
    });
    Frame { rows: c.rows, width: c.out.width as usize, data: Data::F64(counts), valid }
}
