//! Predictions: a model's function called on columns. Calls stay calls.

use std::sync::Arc;

use flock_ir_spec::{Attr, DType, Frame, FrameType, NodeId, Op, Param};
use sqlparser::ast::{Expr, Function, Ident, Spanned, Value as Sql};
use sqlparser::tokenizer::Span;

use crate::catalog::{Catalog, Model};
use crate::expr::{Literal, Value};
use crate::lifter::{Lifted, Lifter, Told};
use crate::names;
use crate::scope::{Found, Scope};

impl<'a> Lifter<'a> {
    /// `predict(m, …)`.
    pub fn predict(&mut self, f: &Function, scope: &Scope<'_>) -> Lifted<Value> {
        let args = self.argument_exprs(f)?;
        let Some((first, rest)) = args.split_first() else {
            return Err(self.usage(f, "predict(model)` or `predict(model, a, b)"));
        };
        let (name, model) = self.model_argument(first)?;
        let output = match model.outputs() {
            [only] => only,
            all => match all.iter().find(|o| &*o.0 == "prediction") {
                Some(output) => output,
                None => {
                    let message = format!("the model `{name}` has several outputs and none is `prediction`");
                    let all: Vec<&str> = all.iter().map(|o| &*o.0).collect();
                    let help =
                        format!("`FROM ML.PREDICT(MODEL {name}, TABLE t)` gives all of them: {}", all.join(", "));
                    return Err(self.fault_help("flock::sql::unknown_output", *first, message, help));
                }
            },
        };
        let args = self.bind(f, name, model, rest, scope)?;
        self.call(name, output, &args).map(Value::Node)
    }

    /// `predict_proba(m, 'label', …)`.
    pub fn predict_proba(&mut self, f: &Function, scope: &Scope<'_>) -> Lifted<Value> {
        let args = self.argument_exprs(f)?;
        let [first, label, rest @ ..] = args.as_slice() else {
            return Err(self.usage(f, "predict_proba(model, 'label')"));
        };
        let (name, model) = self.model_argument(first)?;
        let text = match label {
            Expr::Value(v) => match &v.value {
                Sql::SingleQuotedString(s) => Some(s.clone()),
                Sql::Number(n, _) => Some(n.clone()),
                Sql::Boolean(b) => Some(if *b { "True" } else { "False" }.to_owned()),
                _ => None,
            },
            _ => None,
        };
        let Some(text) = text else {
            return Err(self.fault(
                "flock::sql::type",
                *label,
                "the second argument of predict_proba is a label in quotes",
            ));
        };
        let wanted = format!("probability_{text}");
        let Some(output) = model.outputs().iter().find(|o| *o.0 == *wanted) else {
            let labels = model.outputs().iter().filter_map(|o| o.0.strip_prefix("probability_"));
            let help = names::help("labels", &text, labels);
            let message = format!("the model `{name}` gives no probability of `{text}`");
            return Err(self.fault_help("flock::sql::unknown_output", *label, message, help));
        };
        let args = self.bind(f, name, model, rest, scope)?;
        self.call(name, output, &args).map(Value::Node)
    }

    fn usage(&mut self, f: &Function, form: &str) -> Told {
        self.fault("flock::sql::arguments", f, format!("expected `{form}`"))
    }

    /// The model that an argument names: a name, a qualified name or a text.
    fn model_argument(&mut self, e: &Expr) -> Lifted<(&'a str, &'a Model)> {
        let written = match e {
            Expr::Identifier(i) => i.value.trim_start_matches('@').to_owned(),
            Expr::CompoundIdentifier(parts) => parts.iter().map(|p| p.value.as_str()).collect::<Vec<_>>().join("."),
            Expr::Value(v) => match &v.value {
                Sql::SingleQuotedString(s) => s.clone(),
                _ => return Err(self.fault("flock::sql::type", e, "the first argument is the model's name")),
            },
            _ => return Err(self.fault("flock::sql::type", e, "the first argument is the model's name")),
        };
        self.model(&written, e.span())
    }

    /// The model of that name: exactly, or the only one in another case.
    pub fn model(&mut self, written: &str, at: Span) -> Lifted<(&'a str, &'a Model)> {
        let catalog: &'a Catalog = self.catalog;
        if let Some((name, model)) = catalog.models.get_key_value(written) {
            return Ok((name, model));
        }
        let mut folded = catalog.models.iter().filter(|(n, _)| n.to_lowercase() == written.to_lowercase());
        if let (Some((name, model)), None) = (folded.next(), folded.next()) {
            return Ok((name, model));
        }
        let help = names::help("models", written, catalog.models.keys().map(String::as_str));
        Err(self.fault_at("flock::sql::unknown_model", at, format!("there is no model `{written}`"), Some(help)))
    }

    /// The arguments of a call in the types of the parameters: by position, or by name where there are none.
    fn bind(
        &mut self,
        f: &Function,
        name: &str,
        model: &Model,
        args: &[&Expr],
        scope: &Scope<'_>,
    ) -> Lifted<Vec<NodeId>> {
        if args.is_empty() {
            return self.bind_by_name(name, model, scope, f.span());
        }
        if args.len() != model.params().len() {
            let params: Vec<&str> = model.params().iter().map(|p| &*p.name).collect();
            let message = format!("the model `{name}` takes {} arguments, found {}", params.len(), args.len());
            return Err(self.fault_help(
                "flock::sql::arguments",
                f,
                message,
                format!("in order: {}", params.join(", ")),
            ));
        }
        let bound: Vec<Lifted<NodeId>> = args
            .iter()
            .zip(model.params())
            .map(|(e, p)| {
                let value = self.expr(e, scope)?;
                self.argument(name, p, value, e.span())
            })
            .collect();
        bound.into_iter().collect()
    }

    /// Each parameter is the column of exactly that name.
    pub fn bind_by_name(&mut self, name: &str, model: &Model, scope: &Scope<'_>, at: Span) -> Lifted<Vec<NodeId>> {
        let bound: Vec<Lifted<NodeId>> = model
            .params()
            .iter()
            .map(|p| {
                let mut ident = Ident::with_quote('"', &*p.name);
                ident.span = at;
                if let Found::Missing = scope.find(std::slice::from_ref(&ident)) {
                    let help = self.nearest_column(&p.name, scope);
                    let message =
                        format!("the model `{name}` wants a column `{}` ({}), and there is none", p.name, p.ty);
                    return Err(self.fault_at("flock::sql::unknown_column", at, message, Some(help)));
                }
                let node = self.named(std::slice::from_ref(&ident), scope)?;
                self.argument(name, p, Value::Node(node), at)
            })
            .collect();
        bound.into_iter().collect()
    }

    /// A value in the type of a parameter. Numbers become floats, nulls become NaN where a float is never null.
    fn argument(&mut self, model: &str, p: &Param, value: Value, at: Span) -> Lifted<NodeId> {
        let node = match &value {
            Value::Literal(l) => {
                let fits = match (l, p.ty.dtype) {
                    (Literal::Null, _) => p.ty.nullable || p.ty.dtype.is_float(),
                    (Literal::Text(_), DType::Str) | (Literal::Bool(_), DType::Bool) => true,
                    (Literal::Integer(_) | Literal::Bool(_), dtype) => dtype.is_number(),
                    (Literal::Decimal(_), dtype) => dtype.is_float(),
                    _ => false,
                };
                if !fits {
                    return Err(self.wrong_type(model, p, &value, at));
                }
                self.literal_node(l, p.ty.dtype)?
            }
            Value::Node(n) if self.unknown.contains(n) => self.unknown_argument(model, p, *n, at)?,
            Value::Node(n) => {
                let from = self.ty(*n).dtype;
                let widens = from == p.ty.dtype
                    || (p.ty.dtype.is_float() && matches!(from, DType::Bool | DType::I64 | DType::F32 | DType::F64))
                    || (p.ty.dtype == DType::I64 && from == DType::Bool);
                if !widens {
                    return Err(self.wrong_type(model, p, &value, at));
                }
                self.cast_to(*n, p.ty.dtype)?
            }
        };
        self.without_null(model, p, node, at)
    }

    fn without_null(&mut self, model: &str, p: &Param, node: NodeId, at: Span) -> Lifted<NodeId> {
        if p.ty.nullable || !self.ty(node).nullable {
            return Ok(node);
        }
        let nan = match p.ty.dtype {
            DType::F64 => Frame::row_f64([f64::NAN]),
            DType::F32 => Frame::row_f32([f32::NAN]),
            dtype => {
                let message = format!(
                    "the model `{model}` wants `{}` as {dtype} without nulls, and the value may be null",
                    p.name
                );
                let help = "write COALESCE(value, …) with what is to stand for null".to_owned();
                return Err(self.fault_at("flock::sql::type", at, message, Some(help)));
            }
        };
        let nan = self.constant(nan);
        self.op(Op::Coalesce, &[node, nan])
    }

    fn wrong_type(&mut self, model: &str, p: &Param, value: &Value, at: Span) -> Told {
        let found = self.describe(value);
        let message = format!("the model `{model}` wants `{}` as {}, found {found}", p.name, p.ty.dtype);
        let help = format!("write CAST(… AS {})", sql_type(p.ty));
        self.fault_at("flock::sql::type", at, message, Some(help))
    }

    /// A column of a table without a schema takes the parameter's type from now on; anything else is a fault.
    fn unknown_argument(&mut self, model: &str, p: &Param, node: NodeId, at: Span) -> Lifted<NodeId> {
        if let Some(column) = self.open.get(&node).cloned() {
            self.learning.entry(column).or_insert(p.ty.with_width(1).nullable());
            return self.null(p.ty.dtype);
        }
        let message = format!("the type of what the model `{model}` gets as `{}` is not known", p.name);
        let help = format!("write CAST(… AS {})", sql_type(p.ty));
        Err(self.fault_at("flock::sql::type", at, message, Some(help)))
    }

    /// A call of one output of a model.
    pub fn call(&mut self, name: &str, output: &(Arc<str>, FrameType), args: &[NodeId]) -> Lifted<NodeId> {
        self.models.insert(name.to_owned());
        let attr = Attr::Call { function: name.into(), output: output.0.clone(), ty: output.1 };
        self.add(Op::Call, attr, args)
    }

    /// The name of a prediction as a result column.
    pub fn prediction_name(&self, node: NodeId) -> Option<Arc<str>> {
        match &self.graph.node(node).attr {
            Attr::Call { output, .. } => Some(output.clone()),
            _ => None,
        }
    }
}

fn sql_type(ty: FrameType) -> &'static str {
    match ty.dtype {
        DType::Bool => "BOOLEAN",
        DType::I64 => "BIGINT",
        DType::F32 => "REAL",
        DType::F64 => "DOUBLE PRECISION",
        DType::Str => "VARCHAR",
    }
}
