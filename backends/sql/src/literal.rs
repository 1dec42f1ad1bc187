//! Literals and names as text.

use std::fmt::Write;

use crate::dialect::{Dialect, FloatForm};

/// How a float literal must read where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typed {
    /// By itself: its text alone makes it a double.
    Yes,
    /// Beside a double, in a comparison: the other side gives the type.
    No,
}

/// Appends a double; infinities and NaN too, where the dialect has them.
pub fn float(out: &mut String, dialect: &Dialect, x: f64, typed: Typed) {
    match dialect.floats {
        FloatForm::Cast(ty) if typed == Typed::Yes || !x.is_finite() => {
            out.push('\'');
            special_or_shortest(out, x);
            let _ = write!(out, "'::{ty}");
        }
        FloatForm::Cast(_) => shortest(out, x),
        _ if x.is_nan() => {
            let _ = write!(out, "'NaN'::{}", dialect.double);
        }
        // Beyond the greatest double: every parser of these dialects gives an infinity.
        _ if x.is_infinite() => out.push_str(if x > 0.0 { "9e999" } else { "-9e999" }),
        FloatForm::Exponent => {
            let start = out.len();
            shortest(out, x);
            if !out[start..].contains('e') {
                out.push_str("e0");
            }
        }
        FloatForm::Shortest => shortest(out, x),
        FloatForm::Decimal17 => far_from_a_tie(out, x),
    }
}

fn shortest(out: &mut String, x: f64) {
    let _ = write!(out, "{x:?}");
}

fn special_or_shortest(out: &mut String, x: f64) {
    match x {
        f64::INFINITY => out.push_str("Infinity"),
        f64::NEG_INFINITY => out.push_str("-Infinity"),
        x if x.is_nan() => out.push_str("NaN"),
        x => shortest(out, x),
    }
}

/// The shortest digits where even a parser that rounds twice must read them as x, else 17 digits, which are always so
/// near to x.
///
/// Below 1e-290 that parser loses digits: a product of two numbers above, which is exact, in place of the number.
fn far_from_a_tie(out: &mut String, x: f64) {
    if x != 0.0 && x.abs() < 1e-290 {
        let _ = write!(out, "({:.16e} * {:.16e})", x * 500f64.exp2(), (-500f64).exp2());
        return;
    }
    let start = out.len();
    shortest(out, x);
    if !near(&out[start..], x) {
        out.truncate(start);
        let _ = write!(out, "{x:.16e}");
    }
}

/// Whether a decimal is within 0.4 of the least distance between x and a neighbour's tie. False where that is not
/// known in 128 bits.
fn near(decimal: &str, x: f64) -> bool {
    let (digits, exponent) = decimal.split_once('e').unwrap_or((decimal, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = if fraction == "0" { "" } else { fraction };
    let digits = whole.bytes().chain(fraction.bytes()).filter(u8::is_ascii_digit);
    let d = digits.fold(0u128, |d, digit| d * 10 + u128::from(digit - b'0'));
    // These are 17 digits already.
    if d >= 10u128.pow(16) {
        return true;
    }
    let Ok(exponent) = exponent.parse::<i32>() else { return false };
    let q = exponent - fraction.len() as i32;
    let bits = x.abs().to_bits();
    let (biased, fraction_bits) = ((bits >> 52) as i32, u128::from(bits & ((1 << 52) - 1)));
    if biased == 0 {
        return x == 0.0;
    }
    let (m, p) = (fraction_bits | (1 << 52), biased - 1075);
    // decimal = d 10^q, x = m 2^p; both sides times 10^-q and 2^-p where these are whole, twos cancelled.
    let (Some(d), Some(m), Some(unit)) = (
        scaled(d, q.max(0), (q - p).max(0)),
        scaled(m, (-q).max(0), (p - q).max(0)),
        scaled(1, (-q).max(0), (p - q).max(0)),
    ) else {
        return false;
    };
    let distance = d.abs_diff(m);
    distance.checked_mul(10).is_some_and(|ten| ten <= unit)
}

/// x · 5^fives · 2^twos.
fn scaled(x: u128, fives: i32, twos: i32) -> Option<u128> {
    let x = x.checked_mul(5u128.checked_pow(fives as u32)?)?;
    (twos < 128 && x.leading_zeros() as i32 >= twos).then(|| x << twos)
}

/// Appends text as a literal. A quote is doubled; nothing else is special in these dialects.
pub fn text(out: &mut String, value: &str) {
    quoted(out, value, '\'');
}

/// Appends a name as an identifier.
pub fn name(out: &mut String, value: &str) {
    quoted(out, value, '"');
}

/// A name as an identifier.
pub fn identifier(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    name(&mut out, value);
    out
}

fn quoted(out: &mut String, value: &str, quote: char) {
    out.push(quote);
    for c in value.chars() {
        if c == quote {
            out.push(quote);
        }
        out.push(c);
    }
    out.push(quote);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialects;

    fn written(dialect: &str, x: f64, typed: Typed) -> String {
        let mut out = String::new();
        let d = dialects().iter().find(|d| d.name == dialect).copied().expect("a dialect");
        float(&mut out, d, x, typed);
        out
    }

    #[test]
    fn floats() {
        assert_eq!(written("duckdb", 12.5, Typed::No), "12.5e0");
        assert_eq!(written("duckdb", 1e-7, Typed::Yes), "1e-7");
        assert_eq!(written("datafusion", 12.5, Typed::Yes), "12.5");
        assert_eq!(written("postgres", -12.5, Typed::Yes), "'-12.5'::float8");
        assert_eq!(written("postgres", -12.5, Typed::No), "-12.5");
        assert_eq!(written("postgres", f64::INFINITY, Typed::No), "'Infinity'::float8");
        assert_eq!(written("sqlite", f64::NEG_INFINITY, Typed::No), "-9e999");
        assert_eq!(written("sqlite", 12.5, Typed::No), "12.5");
        assert_eq!(written("sqlite", 40.0, Typed::No), "40.0");
    }

    /// SQLite 3.40 divides a whole number by a power of ten in 80 bits and rounds the quotient again: right only where
    /// the decimal is not near to a tie.
    #[test]
    fn decimals_for_a_parser_that_rounds_twice() {
        let mut state = 1u64;
        for _ in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let x = (state >> 11) as f64 / 2f64.powi(50) - 4.0;
            let text = written("sqlite", x, Typed::Yes);
            assert_eq!(text.parse::<f64>().map(f64::to_bits), Ok(x.to_bits()));
            let digits = text.split('e').next().unwrap_or("").bytes().filter(u8::is_ascii_digit).count();
            assert!(digits >= 17 || near(&text, x) || text.trim_start_matches('-').len() <= 4, "{text}");
        }
        for x in [0.1, 0.3, 1e22, 1e23, 1e-290, 1.7976931348623157e308, 9007199254740993.0, 123456.789] {
            assert_eq!(written("sqlite", x, Typed::Yes).parse::<f64>(), Ok(x));
        }
        for x in [5e-324, -2.2250738585072014e-308, 9.876543210987654e-291] {
            let text = written("sqlite", x, Typed::Yes);
            let factors: Vec<f64> = text.trim_matches(['(', ')']).split(" * ").flat_map(str::parse).collect();
            assert_eq!(factors.iter().product::<f64>(), x, "{text}");
        }
    }

    #[test]
    fn quoting() {
        assert_eq!(identifier(r#"a"b"#), r#""a""b""#);
        let mut out = String::new();
        text(&mut out, "it's\n\\");
        assert_eq!(out, "'it''s\n\\'");
    }
}
