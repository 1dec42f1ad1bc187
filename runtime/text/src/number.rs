//! Numbers in text and text of numbers, as the C library of onnxruntime reads and writes them.
//! Source: C99 7.20.1.3 (`strtod`), 7.20.1.4 (`strtoll`, `strtoull`), 7.19.6.1 (`%.8g`); glibc for what is out of range.

/// The number that the text begins with, behind blanks: decimal or hexadecimal, `inf`, `nan`. None where there is none, or
/// where it is none of the normal doubles and not exactly a double.
pub fn leading_float(text: &str) -> Option<f64> {
    let (negative, digits) = signed(text);
    let size = if let Some(rest) = after(digits, "0x").filter(|rest| has_digit(rest, 16)) {
        hexadecimal(rest)
    } else if has_digit(digits, 10) {
        decimal(digits)
    } else if after(digits, "inf").is_some() {
        Some(f64::INFINITY)
    } else {
        after(digits, "nan").map(|_| f64::NAN)
    }?;
    Some(if negative { -size } else { size })
}

/// The decimal integer that the text begins with, behind blanks; of an unsigned one, which may have a minus, the 64 bits.
/// None where there is none, or where it is out of range.
pub fn leading_integer(text: &str, is_signed: bool) -> Option<i64> {
    let (negative, digits) = signed(text);
    let digits = run(digits, 10);
    let size = digits.parse::<u64>().ok()?;
    match (is_signed, negative) {
        (true, false) => i64::try_from(size).ok(),
        (true, true) => 0i64.checked_sub_unsigned(size),
        (false, false) => Some(size.cast_signed()),
        (false, true) => Some(size.wrapping_neg().cast_signed()),
    }
}

/// The number in eight significant digits, without zeros at the end: `0.1`, `1.2345679e+08`, `NaN`, `-INF`.
pub fn eight_digits(x: f64) -> String {
    if x.is_nan() {
        return "NaN".into();
    }
    if x.is_infinite() {
        return if x > 0.0 { "INF".into() } else { "-INF".into() };
    }
    let scientific = format!("{x:.7e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let short = |text: &str| text.trim_end_matches('0').trim_end_matches('.').to_owned();
    if (-4..8).contains(&exponent) {
        let places = (7 - exponent) as usize;
        let fixed = format!("{x:.places$}");
        return if places > 0 { short(&fixed) } else { fixed };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", short(digits), exponent.abs())
}

/// Whether there is a minus, and what follows blanks and a sign.
fn signed(text: &str) -> (bool, &str) {
    let text = text.trim_start_matches([' ', '\t', '\n', '\u{b}', '\u{c}', '\r']);
    match text.strip_prefix(['+', '-']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    }
}

/// What follows a word, in whatever case it is.
fn after<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let head = text.get(..word.len()).filter(|head| head.eq_ignore_ascii_case(word));
    head.map(|_| &text[word.len()..])
}

/// The digits that the text begins with.
fn run(text: &str, radix: u32) -> &str {
    let end = text.find(|c: char| !c.is_digit(radix)).unwrap_or(text.len());
    &text[..end]
}

/// Whether the text begins with a digit, or a point and one.
fn has_digit(text: &str, radix: u32) -> bool {
    !run(text.strip_prefix('.').unwrap_or(text), radix).is_empty()
}

/// The digits before the point, those behind it, and the exponent behind `letter` where it is complete.
fn parts(text: &str, radix: u32, letter: char) -> (&str, &str, i64) {
    let whole = run(text, radix);
    let rest = &text[whole.len()..];
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => (run(rest, radix), &rest[run(rest, radix).len()..]),
        None => ("", rest),
    };
    let exponent = after(rest, letter.encode_utf8(&mut [0; 4])).map(signed);
    let exponent = exponent.map_or(0, |(negative, digits)| {
        // What has more digits is out of every range.
        let digits = run(digits, 10).trim_start_matches('0');
        let size = if digits.len() > 9 { 999_999_999 } else { digits.parse().unwrap_or(0) };
        if negative { -size } else { size }
    });
    (whole, fraction, exponent)
}

fn decimal(text: &str) -> Option<f64> {
    let (whole, fraction, exponent) = parts(text, 10, 'e');
    let x: f64 = format!("{whole}.{fraction}e{exponent}").parse().ok()?;
    let none = whole.bytes().chain(fraction.bytes()).all(|b| b == b'0');
    // A decimal fraction that is exactly a subnormal double has more than 700 digits; none is asked for here.
    let normal = x.is_normal() || none;
    normal.then_some(x)
}

/// The bits of a mantissa that are kept; what is below them only says that it is there.
const KEPT: u32 = 60;

fn hexadecimal(text: &str) -> Option<f64> {
    let (whole, fraction, exponent) = parts(text, 16, 'p');
    let (mut mantissa, mut dropped, mut below) = (0u64, 0i64, false);
    for digit in whole.chars().chain(fraction.chars()).filter_map(|c| c.to_digit(16)) {
        if mantissa >> (KEPT - 4) == 0 {
            mantissa = mantissa << 4 | u64::from(digit);
        } else {
            dropped += 4;
            below |= digit != 0;
        }
    }
    if mantissa == 0 {
        return Some(0.0);
    }
    let rounded = (mantissa | u64::from(below)) as f64;
    let power = exponent + dropped - 4 * fraction.len() as i64;
    let x = scaled(rounded, power);
    // Scaling is exact but for what is subnormal or infinite then.
    (x.is_finite() && scaled(x, -power) == rounded && (x.is_normal() || !below && rounded as u64 == mantissa))
        .then_some(x)
}

/// x × 2^power, in steps that double arithmetic has.
fn scaled(mut x: f64, power: i64) -> f64 {
    let mut left = power.clamp(-4000, 4000);
    while left != 0 && x != 0.0 && x.is_finite() {
        let step = left.clamp(-1000, 1000);
        x *= 2f64.powi(step as i32);
        left -= step;
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What onnxruntime 1.27's `Cast` gives.
    #[test]
    fn numbers_are_read_as_onnxruntime_reads_them() {
        let floats = [
            (" 5", Some(5.0)),
            ("+5", Some(5.0)),
            ("0x10", Some(16.0)),
            ("0x1p3", Some(8.0)),
            ("0b1", Some(0.0)),
            ("12abc", Some(12.0)),
            ("1,5", Some(1.0)),
            (".5", Some(0.5)),
            ("5.", Some(5.0)),
            ("1e", Some(1.0)),
            ("1e+2", Some(100.0)),
            ("-Infinity", Some(f64::NEG_INFINITY)),
            ("1e400", None),
            ("1e-400", None),
            ("4.9e-324", None),
            ("", None),
            (".", None),
            ("--1", None),
            ("true", None),
            ("\u{663}", None),
        ];
        floats.iter().for_each(|(text, number)| assert_eq!(leading_float(text), *number, "{text}"));
        assert!(leading_float("-nan(1)").is_some_and(f64::is_nan));
        assert_eq!(leading_float("-0").map(f64::to_bits), Some((-0.0f64).to_bits()));
        for (text, number) in
            [("0x10", Some(0)), ("1.5", Some(1)), ("-5", Some(-5)), (".5", None), ("99999999999999999999", None)]
        {
            assert_eq!((leading_integer(text, true), leading_integer(text, false)), (number, number), "{text}");
        }
        assert_eq!(
            (leading_integer("18446744073709551615", true), leading_integer("18446744073709551615", false)),
            (None, Some(-1))
        );
    }

    /// The same library's text of numbers.
    #[test]
    fn numbers_are_written_in_eight_digits() {
        let texts = [
            (-0.0, "-0"),
            (0.1, "0.1"),
            (1e7, "10000000"),
            (99_999_999.0, "99999999"),
            (1e8, "1e+08"),
            (123_456_789.0, "1.2345679e+08"),
            (0.0001, "0.0001"),
            (1e-5, "1e-05"),
            (1.0 / 3.0, "0.33333333"),
            (5e-324, "4.9406565e-324"),
            (1e300, "1e+300"),
            (f64::NEG_INFINITY, "-INF"),
        ];
        texts.iter().for_each(|(x, text)| assert_eq!(eight_digits(*x), *text));
    }
}
