//! Calls: predictions, aggregates, windows, functions that are operators, functions that are carried.

use flock_ir_spec::{DType, FrameType, Op};
use sqlparser::ast::{DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments};

use super::arith::{Common, Meet};
use super::table::{self, Gives, Known};
use super::{BOOL, FLOAT, INTEGER, Literal, TEXT, Value};
use crate::lifter::{Lifted, Lifter};
use crate::names;
use crate::scope::Scope;

/// Whether a call is an aggregate of the IR.
fn is_scalar_aggregate(name: &str) -> bool {
    matches!(name, "count" | "sum" | "avg" | "mean" | "min" | "max")
}

impl Lifter<'_> {
    /// A call.
    pub fn function(&mut self, e: &Expr, f: &Function, scope: &Scope<'_>) -> Lifted<Value> {
        let Some(name) = names::function(&f.name) else {
            return Err(self.unsupported(e, format!("the function `{}`", f.name)));
        };
        if f.over.is_some() {
            return self.window(e, f, &name, scope);
        }
        if is_scalar_aggregate(&name) {
            return self.aggregate(f, &name, scope);
        }
        self.plain(e, f)?;
        match name.as_str() {
            "predict" => return self.predict(f, scope),
            "predict_proba" => return self.predict_proba(f, scope),
            _ => {}
        }
        let args = self.arguments(f, scope)?;
        self.known_function(e, &name, args)
    }

    fn known_function(&mut self, e: &Expr, name: &str, args: Vec<Value>) -> Lifted<Value> {
        match (name, args.as_slice()) {
            ("abs", [x]) => self.abs(e, x.clone()),
            ("sqrt", [x]) => self.float_function(e, Op::Sqrt, name, x.clone()),
            ("exp", [x]) => self.float_function(e, Op::Exp, name, x.clone()),
            ("ln", [x]) => self.float_function(e, Op::Ln, name, x.clone()),
            ("tanh", [x]) => self.float_function(e, Op::Tanh, name, x.clone()),
            ("isnan", [x]) => self.isnan(e, x),
            ("coalesce" | "ifnull" | "nvl", [_, ..]) => self.coalesce(e, name, &args),
            ("nullif", [a, b]) => self.nullif(e, a.clone(), b.clone()),
            ("if" | "iif", [test, a, b]) => {
                let test = self.truth_value(e, test.clone())?;
                self.choose(e, &[(test, a.clone())], b.clone())
            }
            _ => self.carried_function(e, name, &args),
        }
    }

    fn carried_function(&mut self, e: &Expr, name: &str, args: &[Value]) -> Lifted<Value> {
        let gives = match table::look_up(name) {
            Known::Scalar(gives) => gives,
            Known::Aggregate => return Err(self.unsupported(e, format!("the aggregate `{name}`"))),
            Known::Volatile => {
                return Err(self.unsupported(e, format!("`{name}`, which gives another value from call to call")));
            }
            Known::Unheard => {
                let help = names::help("functions", name, table::names());
                let message =
                    format!("the function `{name}` is not known; it could aggregate, or change from call to call");
                return Err(self.fault_help("flock::sql::unknown_function", e, message, help));
            }
        };
        let ty = self.given(gives, args);
        if args.is_empty()
            && matches!(name, "current_date" | "current_time" | "current_timestamp" | "localtime" | "localtimestamp")
        {
            return Ok(self.opaque(name.to_uppercase(), ty, &[])?.into());
        }
        self.carried_call(name, args, ty)
    }

    fn given(&self, gives: Gives, args: &[Value]) -> Option<FrameType> {
        match gives {
            Gives::Text => Some(TEXT),
            Gives::Integer => Some(INTEGER),
            Gives::Bool => Some(BOOL),
            Gives::Same => self.common_type(args),
            Gives::Float => match self.common(args, Meet::Arithmetic) {
                Common::Is(DType::F64) => Some(FLOAT),
                _ => None,
            },
            Gives::Unknown => None,
        }
    }

    fn abs(&mut self, e: &Expr, x: Value) -> Lifted<Value> {
        match self.common(std::slice::from_ref(&x), Meet::Choice) {
            Common::Is(dtype) if dtype.is_number() => {
                let x = self.adapt(&x, dtype)?;
                Ok(self.op(Op::Abs, &[x])?.into())
            }
            Common::Null => Ok(Value::Literal(Literal::Null)),
            Common::Unknown => self.carried_call("abs", &[x], None),
            _ => {
                let found = self.describe(&x);
                Err(self.fault("flock::sql::type", e, format!("abs of {found}")))
            }
        }
    }

    fn isnan(&mut self, e: &Expr, x: &Value) -> Lifted<Value> {
        match self.common(std::slice::from_ref(x), Meet::Choice) {
            Common::Is(dtype) if dtype.is_float() => {
                let x = self.adapt(x, dtype)?;
                Ok(self.op(Op::IsNan, &[x])?.into())
            }
            Common::Unknown => self.carried_call("isnan", std::slice::from_ref(x), Some(BOOL)),
            _ => {
                let found = self.describe(x);
                Err(self.fault("flock::sql::type", e, format!("isnan of {found}")))
            }
        }
    }

    /// Refuses what a plain call does not have.
    fn plain(&mut self, e: &Expr, f: &Function) -> Lifted<()> {
        let what = match f {
            Function { filter: Some(_), .. } => "FILTER behind a function that is no aggregate",
            Function { null_treatment: Some(_), .. } => "IGNORE NULLS and RESPECT NULLS",
            Function { uses_odbc_syntax: true, .. } => "the ODBC call syntax",
            f if !f.within_group.is_empty() => "WITHIN GROUP",
            f if !matches!(f.parameters, FunctionArguments::None) => "a call with two lists of arguments",
            _ => return Ok(()),
        };
        Err(self.unsupported(e, what))
    }

    /// The arguments of a call as expressions.
    pub fn argument_exprs<'f>(&mut self, f: &'f Function) -> Lifted<Vec<&'f Expr>> {
        let list = match &f.args {
            FunctionArguments::None => return Ok(Vec::new()),
            FunctionArguments::List(list) => list,
            FunctionArguments::Subquery(q) => return Err(self.unsupported(&**q, "a query as an argument")),
        };
        if !list.clauses.is_empty() || list.duplicate_treatment == Some(DuplicateTreatment::Distinct) {
            let e = Expr::Function(f.clone());
            return Err(self.unsupported(&e, format!("the form of the call `{}`", super::short(&e))));
        }
        list.args
            .iter()
            .map(|a| match a {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => Ok(e),
                other => Err(self.unsupported(other, format!("the argument `{other}`"))),
            })
            .collect()
    }

    /// The arguments of a call, lifted.
    pub fn arguments(&mut self, f: &Function, scope: &Scope<'_>) -> Lifted<Vec<Value>> {
        let exprs = self.argument_exprs(f)?;
        let values: Vec<Lifted<Value>> = exprs.into_iter().map(|e| self.expr(e, scope)).collect();
        values.into_iter().collect()
    }
}
