//! Text that is carried: templates in which `{i}` stands for operand i.

use std::ops::ControlFlow;

use flock_ir_spec::{FrameType, NodeId};
use sqlparser::ast::{Expr, Ident, VisitMut, VisitorMut};

use super::Value;
use crate::lifter::{Lifted, Lifter, Told};
use crate::scope::Scope;

/// A template under construction. Literals are written into the text, so that they keep the type which the database
/// gives them there.
#[derive(Default)]
pub(crate) struct Template {
    sql: String,
    operands: Vec<NodeId>,
}

impl Template {
    /// Text without braces.
    pub fn text(&mut self, text: &str) -> &mut Template {
        self.sql.push_str(text);
        self
    }

    /// Text in which braces are braces.
    pub fn raw(&mut self, text: &str) -> &mut Template {
        self.sql.push_str(&escaped(text));
        self
    }

    /// A value.
    pub fn value(&mut self, _: &Lifter<'_>, value: &Value) -> &mut Template {
        match value {
            Value::Literal(l) => self.raw(&l.sql()),
            Value::Node(n) => self.operand(*n),
        }
    }

    /// An operand; the same one twice is one.
    pub fn operand(&mut self, node: NodeId) -> &mut Template {
        let i = self.operands.iter().position(|o| *o == node).unwrap_or_else(|| {
            self.operands.push(node);
            self.operands.len() - 1
        });
        self.sql.push_str(&format!("{{{i}}}"));
        self
    }

    /// The node.
    pub fn finish(&mut self, lifter: &mut Lifter<'_>, ty: Option<FrameType>) -> Lifted<NodeId> {
        let operands = std::mem::take(&mut self.operands);
        lifter.opaque(std::mem::take(&mut self.sql), ty, &operands)
    }
}

fn escaped(text: &str) -> String {
    text.replace('{', "{{").replace('}', "}}")
}

impl Lifter<'_> {
    /// An expression that is carried as it stands, with its parts as operands.
    pub fn carried(&mut self, e: &Expr, ty: Option<FrameType>, scope: &Scope<'_>) -> Lifted<Value> {
        let (sql, operands) = self.template(e, scope)?;
        Ok(self.opaque(sql, ty, &operands)?.into())
    }

    /// The text of an expression with `{i}` in the place of its direct parts, and the parts. Literals stay in the text.
    pub fn template(&mut self, e: &Expr, scope: &Scope<'_>) -> Lifted<(String, Vec<NodeId>)> {
        let mut copy = e.clone();
        let marker = format!("{}p", self.marker);
        let mut parts = Parts { lifter: self, scope, marker: &marker, root: true, operands: Vec::new(), told: None };
        let _ = VisitMut::visit(&mut copy, &mut parts);
        let (operands, told) = (parts.operands, parts.told);
        if let Some(told) = told {
            return Err(told);
        }
        let mut text = escaped(&copy.to_string());
        for i in (0..operands.len()).rev() {
            text = text.replace(&format!("{marker}{i}_"), &format!("{{{i}}}"));
        }
        Ok((text, operands))
    }
}

/// Puts a name in the place of each direct part of an expression, and lifts the part.
struct Parts<'l, 'a, 's, 'o> {
    lifter: &'l mut Lifter<'a>,
    scope: &'s Scope<'o>,
    marker: &'l str,
    root: bool,
    operands: Vec<NodeId>,
    told: Option<Told>,
}

impl VisitorMut for Parts<'_, '_, '_, '_> {
    type Break = ();

    fn pre_visit_expr(&mut self, e: &mut Expr) -> ControlFlow<()> {
        if std::mem::take(&mut self.root) || matches!(e, Expr::Value(_)) {
            return ControlFlow::Continue(());
        }
        match self.lifter.node(e, self.scope) {
            Ok(node) => {
                *e = Expr::Identifier(Ident::new(format!("{}{}_", self.marker, self.operands.len())));
                self.operands.push(node);
            }
            Err(told) => {
                self.told = Some(told);
                *e = Expr::Identifier(Ident::new("told"));
            }
        }
        ControlFlow::Continue(())
    }
}
