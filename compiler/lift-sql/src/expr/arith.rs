//! Arithmetic, and the type in which values meet.

use flock_ir_spec::{Attr, DType, FrameType, NodeId, Op};
use sqlparser::ast::{Expr, Spanned};

use super::carry::Template;
use super::{INTEGER, Literal, Value};
use crate::dialect::{Quotient, SourceDialect};
use crate::lifter::{Lifted, Lifter};
use crate::scope::Scope;

/// What values meet for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meet {
    Arithmetic,
    Comparison,
    /// One of them is chosen: CASE, COALESCE, UNION.
    Choice,
}

/// The type in which values meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Common {
    Is(DType),
    /// One of them has a type that is not known, or the IR does not have the common one.
    Unknown,
    /// All are null.
    Null,
    Clash(String, String),
}

/// What kinds of value there are among some.
#[derive(Default)]
struct Kinds {
    f64: bool,
    f32: bool,
    i64: bool,
    integer: bool,
    decimal: bool,
    wide: bool,
}

impl Lifter<'_> {
    /// The type in which values meet.
    pub fn common(&self, values: &[Value], meet: Meet) -> Common {
        let mut kinds = Kinds::default();
        let mut first: Option<(&Value, DType)> = None;
        for v in values {
            let dtype = match v {
                Value::Node(n) if self.unknown.contains(n) => return Common::Unknown,
                Value::Literal(Literal::Null) => continue,
                Value::Node(n) => self.ty(*n).dtype,
                Value::Literal(l) => l.alone(),
            };
            match first {
                Some((f, d)) if d != dtype && !(d.is_number() && dtype.is_number()) => {
                    return Common::Clash(self.describe(f), self.describe(v));
                }
                Some(_) => {}
                None => first = Some((v, dtype)),
            }
            match v {
                Value::Literal(l @ Literal::Integer(_)) => {
                    kinds.integer = true;
                    kinds.wide |= !l.fits_f32();
                }
                Value::Literal(l @ Literal::Decimal(_)) => {
                    kinds.decimal = true;
                    kinds.wide |= !l.fits_f32();
                }
                _ => match dtype {
                    DType::F64 => kinds.f64 = true,
                    DType::F32 => kinds.f32 = true,
                    DType::I64 => kinds.i64 = true,
                    _ => {}
                },
            }
        }
        match first {
            None => Common::Null,
            Some((_, dtype)) if !dtype.is_number() => Common::Is(dtype),
            Some(_) => self.numbers(&kinds, meet),
        }
    }

    fn numbers(&self, k: &Kinds, meet: Meet) -> Common {
        let decimal_unknown = meet == Meet::Arithmetic && !self.dialect.decimal_is_double();
        let literals = k.integer || k.decimal;
        match k {
            _ if k.f64 => Common::Is(DType::F64),
            _ if k.f32 && !k.i64 && (!literals || (meet == Meet::Comparison && !k.wide)) => Common::Is(DType::F32),
            _ if k.f32 && k.decimal => Common::Is(self.dialect.f32_with_decimal()),
            _ if k.f32 => Common::Is(self.dialect.f32_with_integer()),
            _ if k.decimal && decimal_unknown => Common::Unknown,
            _ if k.decimal => Common::Is(DType::F64),
            _ => Common::Is(DType::I64),
        }
    }

    /// The nullable type that values have in common, where it is known.
    pub fn common_type(&self, values: &[Value]) -> Option<FrameType> {
        match self.common(values, Meet::Arithmetic) {
            Common::Is(dtype) => Some(FrameType::new(dtype, 1).nullable()),
            _ => None,
        }
    }

    /// The value as a node of a dtype that [`Lifter::common`] gave.
    pub fn adapt(&mut self, value: &Value, dtype: DType) -> Lifted<NodeId> {
        match value {
            Value::Literal(l) => self.literal_node(l, dtype),
            Value::Node(n) => self.cast_to(*n, dtype),
        }
    }

    /// A cast, where it is another dtype. The result is null where the operator says so.
    pub fn cast_to(&mut self, node: NodeId, dtype: DType) -> Lifted<NodeId> {
        let from = self.ty(node);
        if from.dtype == dtype {
            return Ok(node);
        }
        let partial = from.dtype.is_float() && dtype == DType::I64;
        let to = FrameType::new(dtype, 1).with_nulls(from.nullable || partial);
        self.add(Op::Cast, Attr::Type(to), &[node])
    }

    /// `a + b`, `a - b`, `a * b`.
    pub fn arithmetic(&mut self, at: &Expr, op: Op, sign: &str, a: Value, b: Value) -> Lifted<Value> {
        if let (Value::Literal(Literal::Integer(x)), Value::Literal(Literal::Integer(y))) = (&a, &b) {
            let folded = match op {
                Op::Add => x.checked_add(*y),
                Op::Sub => x.checked_sub(*y),
                _ => x.checked_mul(*y),
            };
            if let Some(x) = folded.filter(|x| i64::try_from(*x).is_ok()) {
                return Ok(Value::Literal(Literal::Integer(x)));
            }
        }
        match self.common(&[a.clone(), b.clone()], Meet::Arithmetic) {
            Common::Is(dtype) if dtype.is_number() => {
                let (a, b) = (self.adapt(&a, dtype)?, self.adapt(&b, dtype)?);
                Ok(self.op(op, &[a, b])?.into())
            }
            Common::Unknown => self.carried_signs(sign, &a, &b, None),
            Common::Null => Ok(Value::Literal(Literal::Null)),
            found => Err(self.no_number(at, sign, found)),
        }
    }

    fn carried_signs(&mut self, sign: &str, a: &Value, b: &Value, ty: Option<FrameType>) -> Lifted<Value> {
        let mut t = Template::default();
        t.text("(").value(self, a).text(" ").text(sign).text(" ").value(self, b).text(")");
        Ok(t.finish(self, ty)?.into())
    }

    fn no_number(&mut self, at: &impl Spanned, sign: &str, found: Common) -> crate::lifter::Told {
        let message = match found {
            Common::Clash(a, b) => format!("`{sign}` of {a} and {b}"),
            Common::Is(dtype) => format!("`{sign}` of {dtype}"),
            _ => format!("`{sign}` of what is no number"),
        };
        self.fault("flock::sql::type", at, message)
    }

    /// `a / b`: of floats what IEEE 754 says, of integers what the dialect says.
    pub fn quotient(&mut self, at: &Expr, a: Value, b: Value) -> Lifted<Value> {
        match self.common(&[a.clone(), b.clone()], Meet::Arithmetic) {
            Common::Is(DType::I64) => match self.dialect.quotient() {
                Quotient::Integer => self.carried_signs("/", &a, &b, Some(INTEGER)),
                Quotient::Float => self.float_quotient(&a, &b, DType::F64),
                Quotient::Differs => Err(self.fault_help(
                    "flock::sql::differs",
                    at,
                    "a quotient of integers is an integer in PostgreSQL and DataFusion and a double in DuckDB",
                    "cast one side: `CAST(a AS DOUBLE PRECISION) / b`",
                )),
            },
            Common::Is(dtype) if dtype.is_float() => self.float_quotient(&a, &b, dtype),
            Common::Unknown => self.carried_signs("/", &a, &b, None),
            Common::Null => Ok(Value::Literal(Literal::Null)),
            found => Err(self.no_number(at, "/", found)),
        }
    }

    fn float_quotient(&mut self, a: &Value, b: &Value, dtype: DType) -> Lifted<Value> {
        let (a, b) = (self.adapt(a, dtype)?, self.adapt(b, dtype)?);
        Ok(self.op(Op::Div, &[a, b])?.into())
    }

    /// `-x`.
    pub fn negated(&mut self, at: &Expr, x: Value) -> Lifted<Value> {
        match &x {
            Value::Literal(l) => match l.negated() {
                Some(l) => Ok(Value::Literal(l)),
                None => Err(self.fault("flock::sql::type", at, format!("`-` of {l}"))),
            },
            Value::Node(n) if self.unknown.contains(n) => {
                let mut t = Template::default();
                t.text("(- ").value(self, &x).text(")");
                Ok(t.finish(self, None)?.into())
            }
            Value::Node(n) if self.ty(*n).dtype.is_number() => Ok(self.op(Op::Neg, &[*n])?.into()),
            Value::Node(n) => Err(self.no_number(at, "-", Common::Is(self.ty(*n).dtype))),
        }
    }

    /// `+x`: x, where it is a number.
    pub fn positive(&mut self, at: &Expr, x: Value) -> Lifted<Value> {
        match self.common(std::slice::from_ref(&x), Meet::Arithmetic) {
            Common::Is(dtype) if !dtype.is_number() => Err(self.no_number(at, "+", Common::Is(dtype))),
            _ => Ok(x),
        }
    }

    /// `floor(x)` and `ceil(x)`: of floats as IEEE 754 has them; of integers the type differs between databases.
    pub fn rounded(&mut self, e: &Expr, op: Op, name: &str, x: &Expr, scope: &Scope<'_>) -> Lifted<Value> {
        let value = self.expr(x, scope)?;
        match self.common(std::slice::from_ref(&value), Meet::Choice) {
            Common::Is(dtype) if dtype.is_float() => {
                let x = self.adapt(&value, dtype)?;
                Ok(self.op(op, &[x])?.into())
            }
            Common::Is(dtype) if !dtype.is_number() => Err(self.no_number(e, name, Common::Is(dtype))),
            _ => self.carried_call(name, &[value], None),
        }
    }

    /// A function that takes and gives doubles and means the same everywhere; DataFusion computes 32-bit floats in kind.
    pub fn float_function(&mut self, e: &Expr, op: Op, name: &str, x: Value) -> Lifted<Value> {
        match self.common(std::slice::from_ref(&x), Meet::Choice) {
            Common::Is(dtype) if dtype.is_number() => {
                let keeps = dtype == DType::F32 && self.dialect == SourceDialect::DataFusion;
                let x = self.adapt(&x, if keeps { DType::F32 } else { DType::F64 })?;
                Ok(self.op(op, &[x])?.into())
            }
            Common::Null => Ok(Value::Literal(Literal::Null)),
            Common::Unknown => self.carried_call(name, &[x], None),
            found => Err(self.no_number(e, name, found)),
        }
    }

    /// A call that is carried.
    pub fn carried_call(&mut self, name: &str, args: &[Value], ty: Option<FrameType>) -> Lifted<Value> {
        let mut t = Template::default();
        t.raw(name).text("(");
        for (i, a) in args.iter().enumerate() {
            t.text(if i == 0 { "" } else { ", " }).value(self, a);
        }
        t.text(")");
        Ok(t.finish(self, ty)?.into())
    }
}
