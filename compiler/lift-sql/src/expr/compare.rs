//! Comparisons. NaN is equal to itself and above every number, while the IR's operators are IEEE 754's; what NaN adds is
//! written out, and left out where a side cannot be NaN.

use flock_ir_spec::{DType, Frame, NodeId, Op};
use sqlparser::ast::Expr;

use super::arith::{Common, Meet};
use super::carry::Template;
use super::{BOOL, Literal, Value};
use crate::lifter::{Lifted, Lifter};
use crate::scope::Scope;

/// The sign of a comparison.
fn sign(op: Op) -> &'static str {
    match op {
        Op::Eq => "=",
        Op::Ne => "<>",
        Op::Lt => "<",
        Op::Le => "<=",
        Op::Gt => ">",
        _ => ">=",
    }
}

/// The comparison with its sides exchanged.
fn flipped(op: Op) -> Op {
    match op {
        Op::Lt => Op::Gt,
        Op::Le => Op::Ge,
        Op::Gt => Op::Lt,
        Op::Ge => Op::Le,
        op => op,
    }
}

impl Lifter<'_> {
    /// `a op b`.
    pub fn compare(&mut self, at: &Expr, op: Op, a: Value, b: Value) -> Lifted<Value> {
        // A literal stands on the right, so that one form is enough for those who read it.
        let (op, a, b) = match (&a, &b) {
            (Value::Literal(_), Value::Node(_)) => (flipped(op), b, a),
            _ => (op, a, b),
        };
        if let Some(node) = self.integer_bound(op, &a, &b)? {
            return Ok(node.into());
        }
        match self.common(&[a.clone(), b.clone()], Meet::Comparison) {
            Common::Null => Ok(self.null(DType::Bool)?.into()),
            Common::Unknown => self.carried_comparison(op, &a, &b),
            Common::Is(DType::Str) if !matches!(op, Op::Eq | Op::Ne) && !self.dialect.text_by_bytes() => {
                self.carried_comparison(op, &a, &b)
            }
            Common::Is(dtype) => {
                let (a, b) = (self.adapt(&a, dtype)?, self.adapt(&b, dtype)?);
                Ok(self.total(op, a, b)?.into())
            }
            Common::Clash(a, b) => {
                let message = format!("{a} is compared with {b}");
                Err(self.fault_help("flock::sql::type", at, message, "cast one side to the type of the other"))
            }
        }
    }

    fn carried_comparison(&mut self, op: Op, a: &Value, b: &Value) -> Lifted<Value> {
        let mut t = Template::default();
        t.text("(").value(self, a).text(" ").text(sign(op)).text(" ").value(self, b).text(")");
        Ok(t.finish(self, Some(BOOL))?.into())
    }

    /// A comparison of two values of one dtype, in the order where NaN is the greatest.
    pub fn total(&mut self, op: Op, a: NodeId, b: NodeId) -> Lifted<NodeId> {
        let (nan_a, nan_b) = (!self.without_nan(a), !self.without_nan(b));
        match op {
            _ if !nan_a && !nan_b => self.op(op, &[a, b]),
            Op::Lt | Op::Le if !nan_b => self.op(op, &[a, b]),
            Op::Lt => self.total(Op::Gt, b, a),
            Op::Le => self.total(Op::Ge, b, a),
            Op::Gt => self.above(a, b, nan_a, nan_b),
            // With one side never NaN this is the comparison and one more way to be true; else it is not-below, since
            // `or` must not turn the null of the other side into true.
            Op::Ge if !nan_b && !self.ty(b).nullable => {
                let (ge, nan) = (self.op(Op::Ge, &[a, b])?, self.op(Op::IsNan, &[a])?);
                self.op(Op::Or, &[ge, nan])
            }
            Op::Ge if !nan_a => self.op(Op::Ge, &[a, b]),
            Op::Ge => {
                let below = self.above(b, a, nan_b, nan_a)?;
                self.op(Op::Not, &[below])
            }
            // NaN differs from every number by IEEE 754 as well.
            _ if !nan_a || !nan_b => self.op(op, &[a, b]),
            _ => {
                let (eq, x, y) = (self.op(Op::Eq, &[a, b])?, self.op(Op::IsNan, &[a])?, self.op(Op::IsNan, &[b])?);
                let both = self.op(Op::And, &[x, y])?;
                let equal = self.op(Op::Or, &[eq, both])?;
                if op == Op::Eq { Ok(equal) } else { self.op(Op::Not, &[equal]) }
            }
        }
    }

    /// `a > b`: by the numbers, or NaN above a number.
    fn above(&mut self, a: NodeId, b: NodeId, nan_a: bool, nan_b: bool) -> Lifted<NodeId> {
        let gt = self.op(Op::Gt, &[a, b])?;
        if !nan_a {
            return Ok(gt);
        }
        let mut nan = self.op(Op::IsNan, &[a])?;
        if nan_b {
            let other = self.op(Op::IsNan, &[b])?;
            let number = self.op(Op::Not, &[other])?;
            nan = self.op(Op::And, &[nan, number])?;
        } else if self.ty(b).nullable {
            // Null where b is null: `or` would turn it into true.
            let known = self.op(Op::Eq, &[b, b])?;
            nan = self.op(Op::And, &[nan, known])?;
        }
        self.op(Op::Or, &[gt, nan])
    }

    /// An integer column against a literal that is no i64, exactly: `i > 30.5` is `i >= 31`. None for other operands.
    fn integer_bound(&mut self, op: Op, a: &Value, b: &Value) -> Lifted<Option<NodeId>> {
        let (Value::Node(node), Value::Literal(literal)) = (a, b) else { return Ok(None) };
        let node = *node;
        let wide = match literal {
            Literal::Decimal(_) => true,
            Literal::Integer(x) => i64::try_from(*x).is_err(),
            _ => false,
        };
        if !wide || self.unknown.contains(&node) || self.ty(node).dtype != DType::I64 {
            return Ok(None);
        }
        // Beyond 38 digits in front of the point a number is beyond every i64 on its side.
        let negative = literal.number().is_some_and(|x| x < 0.0);
        let (floor, whole) = literal.floor().unwrap_or((if negative { i128::MIN } else { i128::MAX }, true));
        let (op, bound) = match (op, whole) {
            (_, true) => (op, floor),
            (Op::Eq, _) => return self.constant_where_known(node, false).map(Some),
            (Op::Ne, _) => return self.constant_where_known(node, true).map(Some),
            (Op::Lt | Op::Le, _) => (Op::Le, floor),
            _ => (Op::Ge, floor.saturating_add(1)),
        };
        match i64::try_from(bound) {
            Ok(bound) => {
                let bound = self.constant(Frame::row_i64([bound]));
                self.op(op, &[node, bound]).map(Some)
            }
            Err(_) => {
                let above = matches!(op, Op::Gt | Op::Ge);
                let holds = op == Op::Ne || (op != Op::Eq && above == (bound < 0));
                self.constant_where_known(node, holds).map(Some)
            }
        }
    }

    /// True, or false, where an integer is not null.
    fn constant_where_known(&mut self, node: NodeId, holds: bool) -> Lifted<NodeId> {
        self.op(if holds { Op::Eq } else { Op::Ne }, &[node, node])
    }

    /// `x [NOT] BETWEEN low AND high`.
    pub fn between(
        &mut self,
        at: &Expr,
        x: &Expr,
        low: &Expr,
        high: &Expr,
        negated: bool,
        scope: &Scope<'_>,
    ) -> Lifted<Value> {
        let (x, low, high) = (self.expr(x, scope), self.expr(low, scope), self.expr(high, scope));
        let (x, low, high) = (x?, low?, high?);
        let above = self.compare(at, Op::Ge, x.clone(), low)?;
        let below = self.compare(at, Op::Le, x, high)?;
        let (above, below) = (self.settle(above)?, self.settle(below)?);
        let both = self.op(Op::And, &[above, below])?;
        Ok(if negated { self.not(both)? } else { both }.into())
    }

    /// `x [NOT] IN (…)`: the literals are one set, other items are compared one by one.
    pub fn in_list(&mut self, at: &Expr, x: &Expr, list: &[Expr], negated: bool, scope: &Scope<'_>) -> Lifted<Value> {
        let x = self.expr(x, scope);
        let items: Vec<Lifted<Value>> = list.iter().map(|e| self.expr(e, scope)).collect();
        let (x, items) = (x?, items.into_iter().collect::<Lifted<Vec<Value>>>()?);
        let mut tests = Vec::new();
        let (mut set, mut rest) = (Vec::new(), Vec::new());
        for item in items {
            match item {
                Value::Literal(l) if l != Literal::Null => set.push(l),
                other => rest.push(other),
            }
        }
        if let Some(test) = self.in_set(at, &x, &set)? {
            tests.push(test);
        }
        for item in rest {
            let test = self.compare(at, Op::Eq, x.clone(), item)?;
            tests.push(self.settle(test)?);
        }
        let any = match tests.as_slice() {
            [] => return Err(self.fault("flock::sql::type", at, "IN with an empty list")),
            [one] => *one,
            many => self.op(Op::Or, many)?,
        };
        Ok(if negated { self.op(Op::Not, &[any])? } else { any }.into())
    }

    /// Whether x is one of some literals; None for none.
    fn in_set(&mut self, at: &Expr, x: &Value, set: &[Literal]) -> Lifted<Option<NodeId>> {
        let [first, ..] = set else { return Ok(None) };
        let all: Vec<Value> = set.iter().cloned().map(Value::Literal).collect();
        let of_integers = matches!(x, Value::Node(n) if !self.unknown.contains(n) && self.ty(*n).dtype == DType::I64);
        let mut both = all.clone();
        both.push(x.clone());
        let common = self.common(&both, Meet::Comparison);
        let integers: Vec<i64> =
            set.iter().filter_map(|l| l.floor().filter(|f| f.1).and_then(|f| i64::try_from(f.0).ok())).collect();
        let frame = match (&common, x) {
            (Common::Clash(..) | Common::Unknown, _) | (_, Value::Literal(_)) => None,
            (Common::Is(dtype), _) if dtype.is_number() && of_integers => Some(Frame::row_i64(integers)),
            (Common::Is(DType::F64), _) => {
                Some(Frame::row_f64(set.iter().filter_map(Literal::number).collect::<Vec<_>>()))
            }
            (Common::Is(DType::F32), _) => {
                Some(Frame::row_f32(set.iter().filter_map(|l| Some(l.number()? as f32)).collect::<Vec<_>>()))
            }
            (Common::Is(DType::Str), _) => Some(Frame::row_str(set.iter().filter_map(|l| match l {
                Literal::Text(x) => Some(x.clone()),
                _ => None,
            }))),
            _ => None,
        };
        match frame {
            Some(frame) if frame.width == 0 => {
                let x = self.settle(x.clone())?;
                self.constant_where_known(x, false).map(Some)
            }
            Some(frame) if set.len() > 1 => {
                let dtype = frame.dtype();
                let (x, set) = (self.adapt(x, dtype)?, self.constant(frame));
                self.op(Op::InSet, &[x, set]).map(Some)
            }
            _ if set.len() == 1 => {
                let test = self.compare(at, Op::Eq, x.clone(), Value::Literal(first.clone()))?;
                self.settle(test).map(Some)
            }
            _ => self.any_of(at, x, &all).map(Some),
        }
    }

    /// Whether x is one of some values: carried as it stands where the types are the database's, else one by one.
    fn any_of(&mut self, at: &Expr, x: &Value, all: &[Value]) -> Lifted<NodeId> {
        if matches!(x, Value::Node(n) if self.unknown.contains(n)) {
            let mut t = Template::default();
            t.text("(").value(self, x).text(" IN (");
            for (i, v) in all.iter().enumerate() {
                t.text(if i == 0 { "" } else { ", " }).value(self, v);
            }
            t.text("))");
            return t.finish(self, Some(BOOL));
        }
        let mut tests = Vec::new();
        for v in all {
            let test = self.compare(at, Op::Eq, x.clone(), v.clone())?;
            tests.push(self.settle(test)?);
        }
        self.op(Op::Or, &tests)
    }

    /// `a IS [NOT] DISTINCT FROM b`: nulls are equal.
    pub fn distinct_from(&mut self, at: &Expr, a: &Expr, b: &Expr, equal: bool, scope: &Scope<'_>) -> Lifted<Value> {
        let (x, y) = (self.expr(a, scope), self.expr(b, scope));
        let (x, y) = (x?, y?);
        let eq = self.compare(at, Op::Eq, x.clone(), y.clone())?;
        let eq = self.settle(eq)?;
        let eq = self.or_false(eq)?;
        let (x, y) = (self.settle(x)?, self.settle(y)?);
        let (x, y) = (self.op(Op::IsNull, &[x])?, self.op(Op::IsNull, &[y])?);
        let both = self.op(Op::And, &[x, y])?;
        let same = self.op(Op::Or, &[eq, both])?;
        Ok(if equal { same } else { self.op(Op::Not, &[same])? }.into())
    }
}
