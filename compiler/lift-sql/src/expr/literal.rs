//! Literals: they take the type that they meet, as databases have it.

use std::fmt;
use std::sync::Arc;

use flock_ir_spec::{DType, Frame, NodeId};
use sqlparser::ast::{Value as Sql, ValueWithSpan};

use super::Value;
use crate::lifter::{Lifted, Lifter};

/// A literal that has not met a type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Literal {
    Null,
    Bool(bool),
    /// Without point or exponent.
    Integer(i128),
    /// With point or exponent, as written.
    Decimal(Arc<str>),
    Text(Arc<str>),
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Literal::Null => f.write_str("null"),
            Literal::Bool(x) => write!(f, "the truth value {x}"),
            Literal::Integer(x) => write!(f, "the number {x}"),
            Literal::Decimal(x) => write!(f, "the number {x}"),
            Literal::Text(_) => f.write_str("text"),
        }
    }
}

impl Literal {
    /// The type that it has where it meets none.
    pub fn alone(&self) -> DType {
        match self {
            Literal::Bool(_) => DType::Bool,
            Literal::Integer(_) => DType::I64,
            Literal::Decimal(_) => DType::F64,
            Literal::Text(_) | Literal::Null => DType::Str,
        }
    }

    /// The nearest double, where it is a number.
    pub fn number(&self) -> Option<f64> {
        match self {
            Literal::Integer(x) => Some(*x as f64),
            Literal::Decimal(x) => x.parse().ok(),
            _ => None,
        }
    }

    /// As SQL writes it.
    pub fn sql(&self) -> String {
        match self {
            Literal::Null => "NULL".into(),
            Literal::Bool(true) => "TRUE".into(),
            Literal::Bool(false) => "FALSE".into(),
            Literal::Integer(x) if *x < 0 => format!("({x})"),
            Literal::Integer(x) => x.to_string(),
            Literal::Decimal(x) if x.starts_with('-') => format!("({x})"),
            Literal::Decimal(x) => x.to_string(),
            Literal::Text(x) => format!("'{}'", x.replace('\'', "''")),
        }
    }

    /// Whether a 32-bit float holds it exactly.
    pub fn fits_f32(&self) -> bool {
        match self {
            Literal::Integer(x) => x.unsigned_abs() <= 1 << 24,
            Literal::Decimal(_) => self.number().is_some_and(|x| f64::from(x as f32) == x),
            _ => true,
        }
    }

    /// The greatest integer not above it, and whether that is the number itself. None beyond 38 digits.
    pub fn floor(&self) -> Option<(i128, bool)> {
        let text = match self {
            Literal::Integer(x) => return Some((*x, true)),
            Literal::Decimal(text) => text.to_ascii_lowercase(),
            _ => return None,
        };
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let fraction = fraction.trim_end_matches('0');
        let digits = format!("{whole}{fraction}");
        let digits: i128 = if matches!(&*digits, "" | "-") { 0 } else { digits.parse().ok()? };
        let scale = exponent.parse::<i32>().ok()?.checked_sub(i32::try_from(fraction.len()).ok()?)?;
        let power = 10i128.checked_pow(scale.unsigned_abs());
        match (power, scale >= 0) {
            _ if digits == 0 => Some((0, true)),
            (Some(p), true) => Some((digits.checked_mul(p)?, true)),
            (Some(p), false) => Some((digits.div_euclid(p), digits.rem_euclid(p) == 0)),
            (None, true) => None,
            (None, false) => Some((if digits < 0 { -1 } else { 0 }, false)),
        }
    }

    /// The number with the other sign; None for what is none.
    pub fn negated(&self) -> Option<Literal> {
        Some(match self {
            Literal::Integer(x) => Literal::Integer(x.checked_neg()?),
            Literal::Decimal(x) => Literal::Decimal(match x.strip_prefix('-') {
                Some(x) => x.into(),
                None => format!("-{x}").into(),
            }),
            Literal::Null => Literal::Null,
            _ => return None,
        })
    }
}

impl Lifter<'_> {
    /// A literal of the text.
    pub fn literal(&mut self, v: &ValueWithSpan) -> Lifted<Value> {
        let literal = match &v.value {
            Sql::Null => Literal::Null,
            Sql::Boolean(x) => Literal::Bool(*x),
            Sql::SingleQuotedString(s) | Sql::EscapedStringLiteral(s) | Sql::NationalStringLiteral(s) => {
                Literal::Text(s.as_str().into())
            }
            Sql::UnicodeStringLiteral(s) => Literal::Text(s.as_str().into()),
            Sql::DollarQuotedString(s) => Literal::Text(s.value.as_str().into()),
            Sql::Number(text, _) => match number(text) {
                Some(literal) => literal,
                None => return Err(self.fault("flock::sql::literal", v, format!("the number {text} is out of range"))),
            },
            Sql::Placeholder(p) => {
                return Err(self.fault("flock::sql::unsupported", v, format!("the parameter `{p}` has no value")));
            }
            other => return Err(self.unsupported(v, format!("the literal {other}"))),
        };
        Ok(Value::Literal(literal))
    }

    /// A literal as a constant of a dtype that it can take; a null for null.
    pub fn literal_node(&mut self, literal: &Literal, dtype: DType) -> Lifted<NodeId> {
        let frame = match (literal, dtype) {
            (Literal::Null, _) => {
                let node = self.null(dtype)?;
                return Ok(node);
            }
            (Literal::Bool(x), DType::Bool) => Frame::row_bool([*x]),
            (Literal::Bool(x), DType::I64) => Frame::row_i64([i64::from(*x)]),
            (Literal::Bool(x), DType::F64) => Frame::row_f64([f64::from(u8::from(*x))]),
            (Literal::Bool(x), DType::F32) => Frame::row_f32([f32::from(u8::from(*x))]),
            (Literal::Text(x), DType::Str) => Frame::row_str([x.clone()]),
            (Literal::Integer(x), DType::I64) => match i64::try_from(*x) {
                Ok(x) => Frame::row_i64([x]),
                Err(_) => return Err(self.out_of_range(literal, dtype)),
            },
            (Literal::Integer(x), DType::F64) => Frame::row_f64([*x as f64]),
            (Literal::Integer(x), DType::F32) => Frame::row_f32([*x as f32]),
            (Literal::Decimal(text), DType::F64) => Frame::row_f64([text.parse().unwrap_or(f64::NAN)]),
            (Literal::Decimal(text), DType::F32) => match text.parse::<f32>() {
                Ok(x) if x.is_finite() => Frame::row_f32([x]),
                _ => return Err(self.out_of_range(literal, dtype)),
            },
            _ => return Err(self.out_of_range(literal, dtype)),
        };
        Ok(self.constant(frame))
    }

    fn out_of_range(&mut self, literal: &Literal, dtype: DType) -> crate::lifter::Told {
        let message = format!("{literal} is no {dtype}");
        self.fault_at("flock::sql::literal", sqlparser::tokenizer::Span::empty(), message, None)
    }
}

/// A number; None where it is beyond every double.
fn number(text: &str) -> Option<Literal> {
    if text.bytes().all(|b| b.is_ascii_digit())
        && let Ok(x) = text.parse::<i128>()
    {
        return Some(Literal::Integer(x));
    }
    text.parse::<f64>().is_ok_and(f64::is_finite).then(|| Literal::Decimal(text.into()))
}
