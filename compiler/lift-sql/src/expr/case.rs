//! CASE, COALESCE, NULLIF.

use flock_ir_spec::{NodeId, Op};
use sqlparser::ast::{CaseWhen, Expr};

use super::arith::{Common, Meet};
use super::carry::Template;
use super::{Literal, Value};
use crate::lifter::{Lifted, Lifter};
use crate::scope::Scope;

impl Lifter<'_> {
    /// `CASE [operand] WHEN … THEN … ELSE … END`.
    pub fn case(
        &mut self,
        e: &Expr,
        operand: Option<&Expr>,
        arms: &[CaseWhen],
        otherwise: Option<&Expr>,
        scope: &Scope<'_>,
    ) -> Lifted<Value> {
        let operand = operand.map(|o| self.expr(o, scope)).transpose()?;
        let lifted: Vec<Lifted<(NodeId, Value)>> = arms
            .iter()
            .map(|arm| {
                let test = self.arm_test(operand.as_ref(), &arm.condition, scope);
                let value = self.expr(&arm.result, scope);
                Ok((test?, value?))
            })
            .collect();
        let otherwise = otherwise.map_or(Ok(Value::Literal(Literal::Null)), |o| self.expr(o, scope));
        let arms = lifted.into_iter().collect::<Lifted<Vec<_>>>()?;
        self.choose(e, &arms, otherwise?)
    }

    fn arm_test(&mut self, operand: Option<&Value>, condition: &Expr, scope: &Scope<'_>) -> Lifted<NodeId> {
        let Some(operand) = operand else { return self.condition(condition, scope) };
        let value = self.expr(condition, scope)?;
        let test = self.compare(condition, Op::Eq, operand.clone(), value)?;
        self.settle(test)
    }

    /// The value of the first arm whose test is true.
    pub fn choose(&mut self, at: &Expr, arms: &[(NodeId, Value)], otherwise: Value) -> Lifted<Value> {
        let mut values: Vec<Value> = arms.iter().map(|(_, v)| v.clone()).collect();
        values.push(otherwise.clone());
        let dtype = match self.common(&values, Meet::Choice) {
            Common::Is(dtype) => dtype,
            Common::Null => return Ok(Value::Literal(Literal::Null)),
            Common::Unknown => return self.carried_case(arms, &otherwise),
            Common::Clash(a, b) => {
                let message = format!("the branches of CASE are {a} and {b}");
                return Err(self.fault("flock::sql::type", at, message));
            }
        };
        let mut result = self.adapt(&otherwise, dtype)?;
        for (test, value) in arms.iter().rev() {
            let value = self.adapt(value, dtype)?;
            result = self.op(Op::Select, &[*test, value, result])?;
        }
        Ok(result.into())
    }

    fn carried_case(&mut self, arms: &[(NodeId, Value)], otherwise: &Value) -> Lifted<Value> {
        let mut t = Template::default();
        t.text("CASE");
        for (test, value) in arms {
            t.text(" WHEN ").operand(*test).text(" THEN ").value(self, value);
        }
        t.text(" ELSE ").value(self, otherwise).text(" END");
        Ok(t.finish(self, None)?.into())
    }

    /// `COALESCE(a, b, …)`.
    pub fn coalesce(&mut self, at: &Expr, name: &str, values: &[Value]) -> Lifted<Value> {
        let dtype = match self.common(values, Meet::Choice) {
            Common::Is(dtype) => dtype,
            Common::Null => return Ok(Value::Literal(Literal::Null)),
            Common::Unknown => return self.carried_call(name, values, None),
            Common::Clash(a, b) => {
                let message = format!("{name} of {a} and {b}");
                return Err(self.fault("flock::sql::type", at, message));
            }
        };
        let mut result: Option<NodeId> = None;
        for value in values.iter().rev() {
            let value = self.adapt(value, dtype)?;
            result = Some(match result {
                Some(rest) => self.op(Op::Coalesce, &[value, rest])?,
                None => value,
            });
        }
        result.map(Value::Node).ok_or(crate::lifter::Told)
    }

    /// `NULLIF(a, b)`: null where they are equal, else a in its own type.
    pub fn nullif(&mut self, at: &Expr, a: Value, b: Value) -> Lifted<Value> {
        let equal = self.compare(at, Op::Eq, a.clone(), b)?;
        let equal = self.settle(equal)?;
        self.choose(at, &[(equal, Value::Literal(Literal::Null))], a)
    }
}
