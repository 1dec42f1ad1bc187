//! CAST: to frame casts where every database gives the same, else carried with the type that it names.

use flock_ir_spec::{DType, FrameType, Op};
use sqlparser::ast::{CastKind, DataType, Expr};

use super::carry::Template;
use super::{Literal, Value};
use crate::dialect::ToInteger;
use crate::lifter::{Lifted, Lifter};
use crate::scope::Scope;

/// The type that a SQL type stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Is(DType),
    /// `FLOAT`, which is not the same everywhere.
    Float,
    /// A type that the IR does not have, or that changes values (`VARCHAR(3)`).
    Other,
}

/// The type that a SQL type stands for.
pub(crate) fn target(ty: &DataType) -> Target {
    use DataType as T;
    use sqlparser::ast::ExactNumberInfo as Info;
    match ty {
        T::Double(Info::None) | T::DoublePrecision | T::Float8 | T::Float64 => Target::Is(DType::F64),
        T::Real | T::Float4 | T::Float32 => Target::Is(DType::F32),
        T::Float(Info::None) => Target::Float,
        T::Float(Info::Precision(p)) if *p <= 24 => Target::Is(DType::F32),
        T::Float(Info::Precision(_)) => Target::Is(DType::F64),
        T::BigInt(None) | T::Int8(None) | T::Int64 | T::Integer(None) | T::Int(None) | T::Int4(None) | T::Int32 => {
            Target::Is(DType::I64)
        }
        T::SmallInt(None) | T::TinyInt(None) | T::Int2(None) | T::Int16 => Target::Is(DType::I64),
        T::Text | T::Varchar(None) | T::CharacterVarying(None) | T::String(None) => Target::Is(DType::Str),
        T::Bool | T::Boolean => Target::Is(DType::Bool),
        _ => Target::Other,
    }
}

impl Lifter<'_> {
    /// `CAST(x AS type)`, `TRY_CAST`, `x::type`.
    pub fn cast(&mut self, e: &Expr, kind: &CastKind, x: &Expr, ty: &DataType, scope: &Scope<'_>) -> Lifted<Value> {
        let value = self.expr(x, scope)?;
        let to = match (target(ty), self.dialect.float()) {
            (Target::Is(dtype), _) | (Target::Float, Some(dtype)) => dtype,
            (Target::Float, None) => {
                return Err(self.fault_help(
                    "flock::sql::differs",
                    e,
                    "FLOAT is a double in PostgreSQL and a 32-bit float in DuckDB and DataFusion",
                    "write DOUBLE PRECISION or REAL",
                ));
            }
            (Target::Other, _) => return self.carried_cast(kind, &value, ty, None),
        };
        let from = match &value {
            Value::Literal(l) => return self.literal_cast(kind, l, ty, to),
            Value::Node(n) if self.unknown.contains(n) => return self.carried_cast(kind, &value, ty, Some(to)),
            Value::Node(n) => (*n, self.ty(*n).dtype),
        };
        match (from.1, to) {
            (a, b) if a == b => Ok(value),
            (DType::F32 | DType::F64, DType::I64) => self.truncated(e, kind, x, &value, ty),
            (DType::I64 | DType::F32 | DType::F64, DType::F32 | DType::F64)
            | (DType::I64, DType::Bool | DType::Str)
            | (DType::Bool, DType::I64 | DType::F32 | DType::F64) => Ok(self.cast_to(from.0, to)?.into()),
            _ => self.carried_cast(kind, &value, ty, Some(to)),
        }
    }

    /// A literal takes the type where its value is the same in it; else the database casts it.
    fn literal_cast(&mut self, kind: &CastKind, l: &Literal, ty: &DataType, to: DType) -> Lifted<Value> {
        let same = match (l, to) {
            (Literal::Null, _)
            | (Literal::Bool(_), DType::Bool)
            | (Literal::Text(_), DType::Str)
            | (Literal::Integer(_) | Literal::Decimal(_), DType::F64 | DType::F32) => true,
            (Literal::Integer(x), DType::I64) => i64::try_from(*x).is_ok(),
            _ => false,
        };
        if same {
            return Ok(self.literal_node(l, to)?.into());
        }
        self.carried_cast(kind, &Value::Literal(l.clone()), ty, Some(to))
    }

    /// A float as an integer: databases round to even or cut off; where the float is whole they agree.
    fn truncated(&mut self, e: &Expr, kind: &CastKind, x: &Expr, value: &Value, ty: &DataType) -> Lifted<Value> {
        let Value::Node(node) = value else { return self.carried_cast(kind, value, ty, Some(DType::I64)) };
        let whole = matches!(self.graph.node(*node).op, Op::Floor | Op::Ceil | Op::Round) || rounds(x);
        match self.dialect.to_integer() {
            _ if whole => Ok(self.cast_to(*node, DType::I64)?.into()),
            ToInteger::TowardsZero => Ok(self.cast_to(*node, DType::I64)?.into()),
            ToInteger::TiesToEven => {
                let even = self.op(Op::Round, &[*node])?;
                Ok(self.cast_to(even, DType::I64)?.into())
            }
            ToInteger::Differs => Err(self.fault_help(
                "flock::sql::differs",
                e,
                "a float as an integer is rounded in PostgreSQL and DuckDB and cut off in DataFusion",
                "say which: `CAST(floor(x) AS BIGINT)`, `CAST(round(x) AS BIGINT)`",
            )),
        }
    }

    fn carried_cast(&mut self, kind: &CastKind, value: &Value, ty: &DataType, to: Option<DType>) -> Lifted<Value> {
        let word = match kind {
            CastKind::TryCast => "TRY_CAST(",
            CastKind::SafeCast => "SAFE_CAST(",
            CastKind::Cast | CastKind::DoubleColon => "CAST(",
        };
        let mut t = Template::default();
        t.text(word).value(self, value).text(" AS ").raw(&ty.to_string()).text(")");
        Ok(t.finish(self, to.map(|d| FrameType::new(d, 1).nullable()))?.into())
    }
}

/// Whether the expression is a call that gives a whole number.
fn rounds(e: &Expr) -> bool {
    match e {
        Expr::Nested(e) => rounds(e),
        Expr::Floor { .. } | Expr::Ceil { .. } => true,
        Expr::Function(f) => {
            let one = matches!(&f.args, sqlparser::ast::FunctionArguments::List(l) if l.args.len() == 1);
            one && crate::names::function(&f.name).is_some_and(|n| matches!(n.as_str(), "round" | "trunc" | "truncate"))
        }
        _ => false,
    }
}
