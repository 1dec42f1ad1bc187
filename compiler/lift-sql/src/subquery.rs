//! WHERE, and queries inside of expressions: `IN (SELECT …)` and EXISTS become semi and anti joins, a scalar subquery
//! that gives exactly one row becomes a cross join.

use flock_ir_spec::{Frame, JoinKind, NodeId, Op, Rel, RelId};
use sqlparser::ast::{BinaryOperator, Expr, GroupByExpr, Query, Select, SelectItem, SetExpr};

use crate::expr::{Value, chain};
use crate::lifter::{Lifted, Lifter};
use crate::scope::Scope;

/// A condition of WHERE that looks at another query.
struct Partner {
    kind: JoinKind,
    right: RelId,
    on: NodeId,
}

impl Lifter<'_> {
    /// The rows for which the condition is true.
    pub fn selection(&mut self, input: RelId, condition: &Expr, scope: &Scope<'_>) -> Lifted<RelId> {
        let outside = self.subqueries.replace(Vec::new());
        let mut predicates = Vec::new();
        let mut partners = Vec::new();
        for part in chain(condition, &BinaryOperator::And) {
            match partner_form(part) {
                Some(form) => partners.push(self.partner(part, form, scope)),
                None => predicates.push(self.condition(part, scope)),
            }
        }
        let rows = std::mem::replace(&mut self.subqueries, outside).unwrap_or_default();
        let predicates = predicates.into_iter().collect::<Lifted<Vec<_>>>()?;
        let partners = partners.into_iter().collect::<Lifted<Vec<_>>>()?;
        let rel = self.with_rows(input, rows)?;
        let mut rel = self.filter(rel, &predicates)?;
        for p in partners {
            rel = self.push(Rel::Join { kind: p.kind, left: rel, right: p.right, on: Some(p.on) })?;
        }
        Ok(rel)
    }

    /// Every row with the one row of each subquery.
    pub fn with_rows(&mut self, mut rel: RelId, rows: Vec<RelId>) -> Lifted<RelId> {
        for right in rows {
            rel = self.push(Rel::Join { kind: JoinKind::Cross, left: rel, right, on: None })?;
        }
        Ok(rel)
    }

    fn partner(&mut self, at: &Expr, form: Form<'_>, scope: &Scope<'_>) -> Lifted<Partner> {
        match form {
            Form::In(x, query, negated) => self.in_subquery(at, x, query, negated, scope),
            Form::Exists(query, negated) => {
                let (right, on) = self.exists(query, scope)?;
                Ok(Partner { kind: if negated { JoinKind::Anti } else { JoinKind::Semi }, right, on })
            }
        }
    }

    /// `x IN (SELECT k …)`: rows with an equal k. `x NOT IN (…)`: rows for which `x = k` is false for every k, so that a
    /// null on either side is a partner too.
    fn in_subquery(&mut self, at: &Expr, x: &Expr, query: &Query, negated: bool, scope: &Scope<'_>) -> Lifted<Partner> {
        let x = self.expr(x, scope);
        let open = self.nested(|l| l.query(query, Some(scope), false));
        let (x, open) = (x?, open?);
        let [(_, k)] = open.columns.as_slice() else {
            let message = format!("the query after IN gives {} columns, expected one", open.columns.len());
            return Err(self.fault("flock::sql::type", at, message));
        };
        let equal = self.compare(at, Op::Eq, x, Value::Node(*k))?;
        let equal = self.settle(equal)?;
        let (kind, on) = if negated { (JoinKind::Anti, self.or_bool(equal, true)?) } else { (JoinKind::Semi, equal) };
        Ok(Partner { kind, right: open.rel, on })
    }

    /// The rows of an EXISTS and the condition under which one is a partner.
    fn exists(&mut self, query: &Query, scope: &Scope<'_>) -> Lifted<(RelId, NodeId)> {
        let Some(select) = rows_alone(query) else {
            let open = self.nested(|l| l.query(query, Some(scope), false))?;
            let always = self.constant(Frame::row_bool([true]));
            return Ok((open.rel, always));
        };
        self.nested(|l| {
            let (rel, mut inner) = l.from(&select.from)?;
            inner.outer = Some(scope);
            inner.correlated = true;
            let named: Vec<Lifted<Value>> = select
                .projection
                .iter()
                .filter_map(|item| match item {
                    SelectItem::UnnamedExpr(e) | SelectItem::ExprWithAlias { expr: e, .. } => Some(l.expr(e, &inner)),
                    _ => None,
                })
                .collect();
            named.into_iter().collect::<Lifted<Vec<_>>>()?;
            let parts = select.selection.iter().flat_map(|e| chain(e, &BinaryOperator::And));
            let parts: Vec<Lifted<NodeId>> = parts.map(|e| l.condition(e, &inner)).collect();
            let parts = parts.into_iter().collect::<Lifted<Vec<_>>>()?;
            let on = match l.conjunction(&parts)? {
                Some(on) => on,
                None => l.constant(Frame::row_bool([true])),
            };
            Ok((rel, on))
        })
    }

    /// A query as a value: one that gives exactly one row, an aggregate without keys.
    pub fn scalar_subquery(&mut self, query: &Query, scope: &Scope<'_>) -> Lifted<Value> {
        let Some(mut rows) = self.subqueries.take() else {
            return Err(self.unsupported(query, "a subquery as a value in this clause"));
        };
        let open = self.nested(|l| l.query(query, Some(scope), false));
        let result = open.and_then(|open| {
            let one_row = matches!(&self.rels[open.rel.index()], Rel::Aggregate { keys, .. } if keys.is_empty());
            match open.columns.as_slice() {
                [(_, node)] if one_row => {
                    if !rows.contains(&open.rel) {
                        rows.push(open.rel);
                    }
                    Ok(Value::Node(*node))
                }
                [_] => Err(self.fault_help(
                    "flock::sql::unsupported",
                    query,
                    "a subquery as a value may give no row or several",
                    "supported is one aggregate without GROUP BY: `(SELECT max(x) FROM t)`",
                )),
                columns => {
                    let message = format!("a subquery as a value gives {} columns, expected one", columns.len());
                    Err(self.fault("flock::sql::type", query, message))
                }
            }
        });
        self.subqueries = Some(rows);
        result
    }
}

enum Form<'e> {
    In(&'e Expr, &'e Query, bool),
    Exists(&'e Query, bool),
}

/// `IN (SELECT …)` or EXISTS, through NOT and parentheses.
fn partner_form(mut e: &Expr) -> Option<Form<'_>> {
    let mut not = false;
    loop {
        match e {
            Expr::Nested(inner) => e = inner,
            Expr::UnaryOp { op: sqlparser::ast::UnaryOperator::Not, expr } => {
                not = !not;
                e = expr;
            }
            Expr::InSubquery { expr, subquery, negated } => return Some(Form::In(expr, subquery, *negated != not)),
            Expr::Exists { subquery, negated } => return Some(Form::Exists(subquery, *negated != not)),
            _ => return None,
        }
    }
}

/// The select of a query of which only whether it has rows can matter: FROM and WHERE, plain names or literals selected.
fn rows_alone(query: &Query) -> Option<&Select> {
    let bare =
        query.with.is_none() && query.order_by.is_none() && query.limit_clause.is_none() && query.fetch.is_none();
    let SetExpr::Select(select) = &*query.body else { return None };
    let plain = |item: &SelectItem| match item {
        SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => true,
        SelectItem::UnnamedExpr(e) | SelectItem::ExprWithAlias { expr: e, .. } => {
            matches!(e, Expr::Value(_) | Expr::Identifier(_) | Expr::CompoundIdentifier(_))
        }
        SelectItem::ExprWithAliases { .. } => false,
    };
    let ungrouped =
        matches!(&select.group_by, GroupByExpr::Expressions(keys, mods) if keys.is_empty() && mods.is_empty());
    let rest = select.having.is_none()
        && select.top.is_none()
        && select.qualify.is_none()
        && select.lateral_views.is_empty()
        && select.prewhere.is_none()
        && select.connect_by.is_empty()
        && !select.from.is_empty();
    (bare && ungrouped && rest && select.projection.iter().all(plain)).then_some(select)
}
