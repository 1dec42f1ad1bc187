//! Expressions to frame operators, where these mean the same; else to carried text.

mod arith;
mod carry;
mod case;
mod cast;
mod compare;
mod function;
mod literal;
mod table;

pub(crate) use arith::{Common, Meet};
pub(crate) use carry::Template;
pub(crate) use cast::{Target, target};
pub(crate) use literal::Literal;

use std::sync::Arc;

use flock_ir_spec::{DType, FrameType, NodeId, Op};
use sqlparser::ast::{BinaryOperator, CeilFloorKind, DateTimeField, Expr, Ident, Spanned, UnaryOperator};

use crate::lifter::{Lifted, Lifter};
use crate::names;
use crate::scope::{Found, Scope};

/// A lifted expression. A literal stays one until it meets a type.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Node(NodeId),
    Literal(Literal),
}

impl From<NodeId> for Value {
    fn from(node: NodeId) -> Value {
        Value::Node(node)
    }
}

pub(crate) const BOOL: FrameType = FrameType::new(DType::Bool, 1).nullable();
pub(crate) const TEXT: FrameType = FrameType::new(DType::Str, 1).nullable();
pub(crate) const INTEGER: FrameType = FrameType::new(DType::I64, 1).nullable();
pub(crate) const FLOAT: FrameType = FrameType::new(DType::F64, 1).nullable();

impl Lifter<'_> {
    /// An expression as a node.
    pub fn node(&mut self, e: &Expr, scope: &Scope<'_>) -> Lifted<NodeId> {
        let value = self.expr(e, scope)?;
        self.settle(value)
    }

    /// An expression.
    pub fn expr(&mut self, e: &Expr, scope: &Scope<'_>) -> Lifted<Value> {
        match e {
            Expr::Identifier(name) => self.name(std::slice::from_ref(name), scope),
            Expr::CompoundIdentifier(parts) => self.name(parts, scope),
            Expr::Nested(e) => self.expr(e, scope),
            Expr::Value(v) => self.literal(v),
            Expr::BinaryOp { left, op, right } => self.binary(e, left, op, right, scope),
            Expr::UnaryOp { op, expr } => self.unary(e, op, expr, scope),
            Expr::IsNull(x) => self.null_test(x, scope, false),
            Expr::IsNotNull(x) => self.null_test(x, scope, true),
            Expr::IsTrue(x) => self.truth(x, true, false, scope),
            Expr::IsNotTrue(x) => self.truth(x, true, true, scope),
            Expr::IsFalse(x) => self.truth(x, false, false, scope),
            Expr::IsNotFalse(x) => self.truth(x, false, true, scope),
            Expr::IsUnknown(x) => self.null_test(x, scope, false),
            Expr::IsNotUnknown(x) => self.null_test(x, scope, true),
            Expr::IsDistinctFrom(a, b) => self.distinct_from(e, a, b, false, scope),
            Expr::IsNotDistinctFrom(a, b) => self.distinct_from(e, a, b, true, scope),
            Expr::Between { expr, negated, low, high } => self.between(e, expr, low, high, *negated, scope),
            Expr::InList { expr, list, negated } => self.in_list(e, expr, list, *negated, scope),
            Expr::Case { operand, conditions, else_result, .. } => {
                self.case(e, operand.as_deref(), conditions, else_result.as_deref(), scope)
            }
            Expr::Cast { kind, expr, data_type, array: false, format: None } => {
                self.cast(e, kind, expr, data_type, scope)
            }
            Expr::Function(f) => self.function(e, f, scope),
            Expr::Floor { expr, field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) } => {
                self.rounded(e, Op::Floor, "floor", expr, scope)
            }
            Expr::Ceil { expr, field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) } => {
                self.rounded(e, Op::Ceil, "ceil", expr, scope)
            }
            Expr::Subquery(q) => self.scalar_subquery(q, scope),
            Expr::InSubquery { .. } | Expr::Exists { .. } => Err(self.fault_help(
                "flock::sql::unsupported",
                e,
                "IN (SELECT …) and EXISTS are supported as conditions of WHERE joined by AND, not inside of other expressions",
                "write the query with a join",
            )),
            Expr::Like { .. } | Expr::ILike { .. } | Expr::SimilarTo { .. } | Expr::RLike { .. } => {
                self.carried(e, Some(BOOL), scope)
            }
            Expr::Substring { .. } | Expr::Trim { .. } | Expr::Overlay { .. } => self.carried(e, Some(TEXT), scope),
            Expr::Position { .. } => self.carried(e, Some(INTEGER), scope),
            Expr::Extract { .. }
            | Expr::AtTimeZone { .. }
            | Expr::TypedString(_)
            | Expr::Interval(_)
            | Expr::Array(_)
            | Expr::Convert { .. }
            | Expr::Collate { .. }
            | Expr::Floor { .. }
            | Expr::Ceil { .. } => self.carried(e, None, scope),
            _ => Err(self.unsupported(e, format!("the expression `{}`", short(e)))),
        }
    }

    /// A name: a column of this scope, or of the one around where the query may be correlated.
    fn name(&mut self, parts: &[Ident], scope: &Scope<'_>) -> Lifted<Value> {
        self.named(parts, scope).map(Value::Node)
    }

    /// The column of that name.
    pub fn named(&mut self, parts: &[Ident], scope: &Scope<'_>) -> Lifted<NodeId> {
        let span = || Expr::CompoundIdentifier(parts.to_vec());
        let text = || parts.iter().map(|p| p.value.as_str()).collect::<Vec<_>>().join(".");
        match scope.find(parts) {
            Found::Column(node) => Ok(node),
            Found::Told => Err(crate::lifter::Told),
            Found::Open(rel) => match parts.last() {
                Some(column) => self.open_column(rel, column),
                None => Err(crate::lifter::Told),
            },
            Found::Ambiguous(all) => {
                let message = format!("`{}` is ambiguous: {}", text(), all.join(", "));
                Err(self.fault_help(
                    "flock::sql::ambiguous_column",
                    &span(),
                    message,
                    "put the table's name before it, or quote it",
                ))
            }
            Found::Missing => match scope.outer {
                Some(outer) if scope.correlated => self.named(parts, outer),
                Some(outer) if matches!(outer.find(parts), Found::Column(_) | Found::Open(_)) => {
                    let message = format!(
                        "`{}` belongs to the query around: such a subquery is supported under EXISTS only",
                        text()
                    );
                    Err(self.fault_help("flock::sql::unsupported", &span(), message, "write the query with a join"))
                }
                _ => Err(self.unknown_column(parts, scope)),
            },
        }
    }

    fn unknown_column(&mut self, parts: &[Ident], scope: &Scope<'_>) -> crate::lifter::Told {
        let text = parts.iter().map(|p| p.value.as_str()).collect::<Vec<_>>().join(".");
        let Some((column, qualifier)) = parts.split_last() else { return crate::lifter::Told };
        let at = Expr::CompoundIdentifier(parts.to_vec());
        if !qualifier.is_empty() && scope.table(qualifier).is_none() {
            let tables: Vec<String> = scope.tables.iter().map(|t| t.name.join(".")).collect();
            let table = qualifier.iter().map(|p| p.value.as_str()).collect::<Vec<_>>().join(".");
            let help = names::help("tables here", &table, tables.iter().map(String::as_str));
            return self.fault_help(
                "flock::sql::unknown_table",
                &at,
                format!("`{table}` in `{text}` is no table here"),
                help,
            );
        }
        let help = self.nearest_column(&column.value, scope);
        self.fault_help("flock::sql::unknown_column", &at, format!("there is no column `{text}`"), help)
    }

    /// A value as a truth value: bool, or carried text that the database must take for one.
    pub fn condition(&mut self, e: &Expr, scope: &Scope<'_>) -> Lifted<NodeId> {
        let value = self.expr(e, scope)?;
        self.truth_value(e, value)
    }

    pub fn truth_value(&mut self, at: &impl Spanned, value: Value) -> Lifted<NodeId> {
        match &value {
            Value::Literal(Literal::Null) => return self.null(DType::Bool),
            Value::Literal(Literal::Bool(_)) => return self.settle(value),
            Value::Node(n) if self.unknown.contains(n) => {
                let mut t = Template::default();
                t.text("(").value(self, &value).text(")");
                return t.finish(self, Some(BOOL));
            }
            Value::Node(n) if self.ty(*n).dtype == DType::Bool => return Ok(*n),
            _ => {}
        }
        let found = self.describe(&value);
        Err(self.fault("flock::sql::type", at, format!("{found} where a condition is expected")))
    }

    /// The type of a value for a message.
    pub fn describe(&self, value: &Value) -> String {
        match value {
            Value::Node(n) if self.unknown.contains(n) => "a value of unknown type".into(),
            Value::Node(n) => self.ty(*n).to_string(),
            Value::Literal(l) => l.to_string(),
        }
    }

    fn binary(&mut self, e: &Expr, left: &Expr, op: &BinaryOperator, right: &Expr, scope: &Scope<'_>) -> Lifted<Value> {
        if let BinaryOperator::And | BinaryOperator::Or = op {
            return self.logic(e, op, scope);
        }
        let (a, b) = (self.expr(left, scope), self.expr(right, scope));
        let (a, b) = (a?, b?);
        match op {
            BinaryOperator::Plus => self.arithmetic(e, Op::Add, "+", a, b),
            BinaryOperator::Minus => self.arithmetic(e, Op::Sub, "-", a, b),
            BinaryOperator::Multiply => self.arithmetic(e, Op::Mul, "*", a, b),
            BinaryOperator::Divide => self.quotient(e, a, b),
            BinaryOperator::Eq => self.compare(e, Op::Eq, a, b),
            BinaryOperator::NotEq => self.compare(e, Op::Ne, a, b),
            BinaryOperator::Lt => self.compare(e, Op::Lt, a, b),
            BinaryOperator::LtEq => self.compare(e, Op::Le, a, b),
            BinaryOperator::Gt => self.compare(e, Op::Gt, a, b),
            BinaryOperator::GtEq => self.compare(e, Op::Ge, a, b),
            BinaryOperator::Modulo => {
                let ty = self.common_type(&[a.clone(), b.clone()]);
                self.carried_binary(op, &a, &b, ty)
            }
            BinaryOperator::StringConcat => self.carried_binary(op, &a, &b, Some(TEXT)),
            BinaryOperator::PGRegexMatch
            | BinaryOperator::PGRegexIMatch
            | BinaryOperator::PGRegexNotMatch
            | BinaryOperator::PGRegexNotIMatch
            | BinaryOperator::PGLikeMatch
            | BinaryOperator::PGILikeMatch
            | BinaryOperator::PGNotLikeMatch
            | BinaryOperator::PGNotILikeMatch => self.carried_binary(op, &a, &b, Some(BOOL)),
            BinaryOperator::Custom(_) | BinaryOperator::PGCustomBinaryOperator(_) => {
                Err(self.unsupported(e, format!("the operator `{op}`")))
            }
            _ => self.carried_binary(op, &a, &b, None),
        }
    }

    /// A chain of one of AND and OR as one n-ary operator; the chain may be long.
    fn logic(&mut self, e: &Expr, op: &BinaryOperator, scope: &Scope<'_>) -> Lifted<Value> {
        let mut operands = Vec::new();
        for part in chain(e, op) {
            operands.push(self.condition(part, scope));
        }
        let nodes = operands.into_iter().collect::<Lifted<Vec<NodeId>>>()?;
        let op = if *op == BinaryOperator::And { Op::And } else { Op::Or };
        Ok(self.op(op, &nodes)?.into())
    }

    fn carried_binary(&mut self, op: &BinaryOperator, a: &Value, b: &Value, ty: Option<FrameType>) -> Lifted<Value> {
        let mut t = Template::default();
        t.text("(").value(self, a).text(" ").raw(&op.to_string()).text(" ").value(self, b).text(")");
        Ok(t.finish(self, ty)?.into())
    }

    fn unary(&mut self, e: &Expr, op: &UnaryOperator, expr: &Expr, scope: &Scope<'_>) -> Lifted<Value> {
        match op {
            UnaryOperator::Not => {
                let x = self.condition(expr, scope)?;
                Ok(self.not(x)?.into())
            }
            UnaryOperator::Minus => {
                let x = self.expr(expr, scope)?;
                self.negated(e, x)
            }
            UnaryOperator::Plus => {
                let x = self.expr(expr, scope)?;
                self.positive(e, x)
            }
            _ => Err(self.unsupported(e, format!("the operator `{op}`"))),
        }
    }

    /// The negation, as near to the comparisons as it can be: databases and the optimizer see through `x <= 30`, not through
    /// `NOT x > 30`.
    pub(crate) fn not(&mut self, x: NodeId) -> Lifted<NodeId> {
        let node = self.graph.node(x).clone();
        let float = node.args.first().and_then(|a| self.graph.frame_type(*a)).is_some_and(|t| t.dtype.is_float());
        let against_constant = node.args.get(1).is_some_and(|b| self.graph.node(*b).op == Op::Const);
        let flipped = match node.op {
            Op::Not => return Ok(node.args[0]),
            Op::And | Op::Or => {
                if let Some(below) = self.not_above(&node.args) {
                    return below;
                }
                let parts = node.args.iter().map(|a| self.not(*a)).collect::<Lifted<Vec<NodeId>>>()?;
                return self.op(if node.op == Op::And { Op::Or } else { Op::And }, &parts);
            }
            // NaN differs from everything, so these two are each other's negation for floats as well.
            Op::Eq => Op::Ne,
            Op::Ne => Op::Eq,
            Op::Lt => Op::Ge,
            Op::Le => Op::Gt,
            Op::Gt if !float => Op::Le,
            Op::Ge if !float => Op::Lt,
            _ => return self.op(Op::Not, &[x]),
        };
        if !float || matches!(flipped, Op::Eq | Op::Ne) {
            return self.op(flipped, &node.args);
        }
        if !against_constant {
            return self.op(Op::Not, &[x]);
        }
        let (above, nan) = (self.op(flipped, &node.args)?, self.op(Op::IsNan, &node.args[..1])?);
        self.op(Op::Or, &[above, nan])
    }

    /// `x > c OR x is NaN`, as a comparison with a constant is lifted: its negation is `x <= c`.
    fn not_above(&mut self, args: &[NodeId]) -> Option<Lifted<NodeId>> {
        let [above, nan] = args else { return None };
        let (above, nan) = (self.graph.node(*above).clone(), self.graph.node(*nan).clone());
        let below = match above.op {
            Op::Gt => Op::Le,
            Op::Ge => Op::Lt,
            _ => return None,
        };
        let same = nan.op == Op::IsNan && nan.args.first() == above.args.first();
        same.then(|| self.op(below, &above.args))
    }

    fn null_test(&mut self, x: &Expr, scope: &Scope<'_>, negated: bool) -> Lifted<Value> {
        let x = self.node(x, scope)?;
        let test = self.op(Op::IsNull, &[x])?;
        Ok(if negated { self.op(Op::Not, &[test])? } else { test }.into())
    }

    /// `x IS [NOT] TRUE` and `x IS [NOT] FALSE`: null is neither.
    fn truth(&mut self, x: &Expr, which: bool, negated: bool, scope: &Scope<'_>) -> Lifted<Value> {
        let x = self.condition(x, scope)?;
        let x = if which { x } else { self.op(Op::Not, &[x])? };
        let is = self.or_false(x)?;
        Ok(if negated { self.op(Op::Not, &[is])? } else { is }.into())
    }

    /// A truth value with false in the place of null.
    pub fn or_false(&mut self, x: NodeId) -> Lifted<NodeId> {
        self.or_bool(x, false)
    }

    /// A truth value with another in the place of null.
    pub fn or_bool(&mut self, x: NodeId, null: bool) -> Lifted<NodeId> {
        let value = self.constant(flock_ir_spec::Frame::row_bool([null]));
        if self.ty(x).nullable { self.op(Op::Coalesce, &[x, value]) } else { Ok(x) }
    }
}

/// The operands of a chain of one operator, left to right, without recursion.
pub(crate) fn chain<'e>(e: &'e Expr, op: &BinaryOperator) -> Vec<&'e Expr> {
    let mut out = Vec::new();
    let mut stack = vec![e];
    while let Some(e) = stack.pop() {
        match e {
            Expr::BinaryOp { left, op: o, right } if o == op => stack.extend([&**right, &**left]),
            Expr::Nested(inner) if matches!(&**inner, Expr::BinaryOp { op: o, .. } if o == op) => stack.push(inner),
            e => out.push(e),
        }
    }
    out
}

/// The text of an expression, cut where it is long.
pub(crate) fn short(e: &Expr) -> Arc<str> {
    let text = e.to_string();
    match text.char_indices().nth(60) {
        Some((i, _)) => format!("{}…", &text[..i]).into(),
        None => text.into(),
    }
}
