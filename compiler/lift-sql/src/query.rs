//! Queries: WITH, set operations, ORDER BY and LIMIT around a body.

use std::sync::Arc;

use flock_ir_spec::{DType, NodeId, Rel, RelId};
use sqlparser::ast::{Expr, Ident, Query, SetExpr, SetOperator, SetQuantifier, TableAliasColumnDef, Values, With};

use crate::catalog::NOT_KNOWN;
use crate::expr::{Common, Literal, Meet, Value};
use crate::lifter::{Lifted, Lifter};
use crate::names;
use crate::scope::{Scope, ScopeColumn, ScopeTable};

/// Names and values of a result, in order.
pub(crate) type Columns = Vec<(Arc<str>, NodeId)>;

/// A lifted query: values over a relation. What a reader names is unfolded into them, so that a derived table or a view
/// costs no relation; where rows must be fixed they are projected first.
#[derive(Clone)]
pub(crate) struct Open {
    pub rel: RelId,
    pub columns: Columns,
    /// Whether the columns are those of the relation, in order and under their names.
    pub closed: bool,
}

/// A query with a name, lifted once.
pub(crate) struct Cte {
    pub name: Ident,
    /// None where it has a fault.
    pub open: Option<Open>,
    pub used: bool,
}

impl Lifter<'_> {
    /// The root of the whole statement.
    pub fn root(&mut self, q: &Query) -> Lifted<RelId> {
        let open = self.query(q, None, true)?;
        Ok(self.close(open)?.rel)
    }

    /// A query. Where it is not `ordered`, the order of rows cannot be seen. Of a derived table it can: databases keep it
    /// for a LIMIT around it.
    pub fn query(&mut self, q: &Query, outer: Option<&Scope<'_>>, ordered: bool) -> Lifted<Open> {
        let ctes = self.ctes.len();
        let with = self.clauses(q).and_then(|()| q.with.as_ref().map_or(Ok(()), |w| self.with(w)));
        let result = with.and_then(|()| self.ordered_body(q, outer, ordered));
        self.ctes.truncate(ctes);
        result
    }

    fn clauses(&mut self, q: &Query) -> Lifted<()> {
        let what = match q {
            Query { for_clause: Some(_), .. } => "FOR XML and FOR JSON",
            Query { settings: Some(_), .. } => "SETTINGS",
            Query { format_clause: Some(_), .. } => "FORMAT",
            q if !q.locks.is_empty() => "FOR UPDATE and FOR SHARE",
            q if !q.pipe_operators.is_empty() => "the pipe syntax",
            _ => return Ok(()),
        };
        Err(self.unsupported(q, what))
    }

    /// Lifts the queries of WITH. One with a fault stays in scope, so that its users have none for it.
    fn with(&mut self, with: &With) -> Lifted<()> {
        if with.recursive {
            return Err(self.unsupported(with, "WITH RECURSIVE"));
        }
        for cte in &with.cte_tables {
            let lifted = self.nested(|l| l.query(&cte.query, None, true));
            let open = match lifted {
                Ok(open) if cte.from.is_none() => self.renamed(open, &cte.alias.columns).ok(),
                Ok(_) => Err(self.unsupported(&names::at(&cte.alias.name), "FROM in WITH")).ok(),
                Err(_) => None,
            };
            if let Some(open) = &open {
                self.shared.insert(open.rel);
            }
            self.ctes.push(Cte { name: cte.alias.name.clone(), open, used: false });
        }
        Ok(())
    }

    fn ordered_body(&mut self, q: &Query, outer: Option<&Scope<'_>>, ordered: bool) -> Lifted<Open> {
        let limit = self.limit(q);
        let ordered = ordered || q.limit_clause.is_some() || q.fetch.is_some();
        let order = q.order_by.as_ref().filter(|_| ordered);
        let open = match &*q.body {
            SetExpr::Select(s) => self.select(s, order, outer),
            SetExpr::Query(q) if order.is_none() => self.query(q, outer, ordered),
            body => self.set_body(body, outer).and_then(|open| self.sorted_set(open, order)),
        };
        let (open, limit) = (open?, limit?);
        self.limited(open, limit)
    }

    /// A body on its own, without an order.
    fn set_body(&mut self, body: &SetExpr, outer: Option<&Scope<'_>>) -> Lifted<Open> {
        match body {
            SetExpr::Select(s) => self.select(s, None, outer),
            SetExpr::Query(q) => self.query(q, outer, false),
            SetExpr::SetOperation { op, set_quantifier, .. } => self.set_operation(body, *op, *set_quantifier, outer),
            SetExpr::Values(values) => self.values(values),
            SetExpr::Table(_) => Err(self.unsupported(body, "TABLE as a query")),
            _ => Err(self.unsupported(body, "a statement that changes data")),
        }
    }

    fn set_operation(
        &mut self,
        body: &SetExpr,
        op: SetOperator,
        quantifier: SetQuantifier,
        outer: Option<&Scope<'_>>,
    ) -> Lifted<Open> {
        if !matches!(quantifier, SetQuantifier::All | SetQuantifier::Distinct | SetQuantifier::None) {
            return Err(self.unsupported(body, format!("{op} {quantifier}")));
        }
        let mut parts = Vec::new();
        // A chain of one operation is one operation of many inputs, and long chains need no recursion.
        let mut rest = body;
        while let SetExpr::SetOperation { op: o, set_quantifier: s, left, right } = rest {
            if *o != op || *s != quantifier || (op != SetOperator::Union && !parts.is_empty()) {
                break;
            }
            parts.push(&**right);
            rest = left;
        }
        parts.push(rest);
        let inputs: Vec<Lifted<Open>> =
            parts.into_iter().rev().map(|p| self.nested(|l| l.set_body(p, outer))).collect();
        let inputs = inputs.into_iter().collect::<Lifted<Vec<Open>>>()?;
        let inputs = self.same_columns(body, op, inputs)?;
        match op {
            SetOperator::Union => {
                let union = self.union(inputs)?;
                if quantifier == SetQuantifier::All { Ok(union) } else { self.distinct(union) }
            }
            _ => self.carried_set(op, quantifier, inputs),
        }
    }

    /// The inputs closed, with the same dtypes column by column.
    fn same_columns(&mut self, at: &SetExpr, op: SetOperator, inputs: Vec<Open>) -> Lifted<Vec<Open>> {
        let width = inputs.first().map_or(0, |i| i.columns.len());
        if let Some(other) = inputs.iter().find(|i| i.columns.len() != width) {
            let message = format!("{op} of queries with {width} and {} columns", other.columns.len());
            return Err(self.fault("flock::sql::type", at, message));
        }
        let mut types: Vec<Common> = Vec::new();
        for c in 0..width {
            let values: Vec<Value> = inputs.iter().map(|i| self.chosen(i.columns[c].1)).collect();
            types.push(match self.common(&values, Meet::Choice) {
                Common::Clash(a, b) => {
                    let name = inputs.first().map(|i| i.columns[c].0.clone()).unwrap_or_default();
                    let message = format!("the column `{name}` of {op} is {a} in one query and {b} in another");
                    return Err(self.fault("flock::sql::type", at, message));
                }
                known => known,
            });
        }
        inputs
            .into_iter()
            .map(|open| {
                let columns: Vec<Lifted<_>> = open
                    .columns
                    .iter()
                    .zip(&types)
                    .map(|((name, node), ty)| Ok((name.clone(), self.in_common(*node, ty)?)))
                    .collect();
                let columns = columns.into_iter().collect::<Lifted<Vec<_>>>()?;
                let closed = open.closed && columns.iter().zip(&open.columns).all(|(a, b)| a.1 == b.1);
                self.close(Open { columns, closed, ..open })
            })
            .collect()
    }

    /// A value of a set operation's input in the type of its column; the database's where that is not known.
    fn in_common(&mut self, node: NodeId, ty: &Common) -> Lifted<NodeId> {
        match ty {
            Common::Is(dtype) => {
                let value = self.chosen(node);
                self.adapt(&value, *dtype)
            }
            Common::Unknown if self.ty(node).dtype != NOT_KNOWN.dtype => self.opaque("{0}".into(), None, &[node]),
            _ => Ok(node),
        }
    }

    /// A value of a select list: a bare null has no type of its own.
    fn chosen(&self, node: NodeId) -> Value {
        let bare = self.graph.node(node).op == flock_ir_spec::Op::Null && self.ty(node).dtype == DType::Str;
        if bare { Value::Literal(Literal::Null) } else { Value::Node(node) }
    }

    fn union(&mut self, inputs: Vec<Open>) -> Lifted<Open> {
        let Some(first) = inputs.first() else { return Err(crate::lifter::Told) };
        let mut columns = Vec::new();
        let mut leaves = Vec::new();
        for (c, (name, node)) in first.columns.clone().into_iter().enumerate() {
            let nullable = inputs.iter().any(|i| self.ty(i.columns[c].1).nullable);
            let column = self.mint(&name, self.ty(node).with_nulls(nullable));
            let leaf = self.leaf(&column);
            if inputs.iter().any(|i| self.unknown.contains(&i.columns[c].1)) {
                self.unknown.insert(leaf);
            }
            if inputs.iter().all(|i| self.without_nan(i.columns[c].1)) {
                self.no_nan.insert(leaf);
            }
            columns.push(column);
            leaves.push((name, leaf));
        }
        let rel = self.push(Rel::Union { inputs: inputs.iter().map(|i| i.rel).collect(), columns })?;
        Ok(Open { rel, columns: leaves, closed: true })
    }

    /// INTERSECT and EXCEPT are the database's.
    fn carried_set(&mut self, op: SetOperator, quantifier: SetQuantifier, inputs: Vec<Open>) -> Lifted<Open> {
        let word = if quantifier == SetQuantifier::All { " ALL" } else { "" };
        let sql = format!("SELECT * FROM {{0}} AS \"a\" {op}{word} SELECT * FROM {{1}} AS \"b\"");
        self.carried_rows(sql, inputs)
    }

    /// Carried SQL that gives the columns of its first input.
    fn carried_rows(&mut self, sql: String, inputs: Vec<Open>) -> Lifted<Open> {
        let mut columns = Vec::new();
        let mut leaves = Vec::new();
        for (name, node) in inputs.first().map(|i| i.columns.clone()).unwrap_or_default() {
            let column = self.mint(&name, self.ty(node).nullable());
            let leaf = self.leaf(&column);
            self.like(node, leaf);
            columns.push(column);
            leaves.push((name, leaf));
        }
        let rel =
            self.push(Rel::Opaque { sql: sql.into(), inputs: inputs.iter().map(|i| i.rel).collect(), columns })?;
        Ok(Open { rel, columns: leaves, closed: true })
    }

    /// `VALUES (…), (…)`: literals, carried.
    pub fn values(&mut self, values: &Values) -> Lifted<Open> {
        let width = values.rows.first().map_or(0, |r| r.content.len());
        if width == 0 || values.rows.iter().any(|r| r.content.len() != width) {
            return Err(self.unsupported(values, "VALUES with rows of different lengths"));
        }
        let mut columns: Vec<Vec<Value>> = vec![Vec::new(); width];
        let mut rows = Vec::new();
        for row in &values.rows {
            let mut texts = Vec::new();
            for (c, e) in row.content.iter().enumerate() {
                match self.expr(e, &Scope::default())? {
                    Value::Literal(l) => {
                        texts.push(l.sql().replace('{', "{{").replace('}', "}}"));
                        columns[c].push(Value::Literal(l));
                    }
                    Value::Node(_) => return Err(self.unsupported(e, "an expression in VALUES")),
                }
            }
            rows.push(format!("({})", texts.join(", ")));
        }
        let mut given = Vec::new();
        let mut leaves = Vec::new();
        for (c, all) in columns.iter().enumerate() {
            let name = format!("column{}", c + 1);
            let ty = match self.common(all, Meet::Choice) {
                Common::Is(dtype) => Some(dtype),
                Common::Null | Common::Unknown => None,
                Common::Clash(a, b) => {
                    return Err(self.fault("flock::sql::type", values, format!("`{name}` of VALUES is {a} and {b}")));
                }
            };
            let column = self.mint(&name, ty.map_or(NOT_KNOWN, |d| flock_ir_spec::FrameType::new(d, 1).nullable()));
            let leaf = self.leaf(&column);
            if ty.is_none() {
                self.unknown.insert(leaf);
            }
            self.no_nan.insert(leaf);
            given.push(column);
            leaves.push((Arc::from(name), leaf));
        }
        let rel = self.push(Rel::Opaque {
            sql: format!("VALUES {}", rows.join(", ")).into(),
            inputs: vec![],
            columns: given,
        })?;
        Ok(Open { rel, columns: leaves, closed: true })
    }

    // Shapes of a lifted query.

    /// The same with its columns as those of a relation.
    pub fn close(&mut self, open: Open) -> Lifted<Open> {
        if open.closed {
            return Ok(open);
        }
        let (rel, columns) = self.project(open.rel, open.columns)?;
        Ok(Open { rel, columns, closed: true })
    }

    /// Equal rows once.
    pub fn distinct(&mut self, open: Open) -> Lifted<Open> {
        let open = self.close(open)?;
        let rel = self.push(Rel::Distinct { input: open.rel })?;
        Ok(Open { rel, ..open })
    }

    /// The same with other column names.
    pub fn renamed(&mut self, open: Open, columns: &[TableAliasColumnDef]) -> Lifted<Open> {
        let Some(first) = columns.first() else { return Ok(open) };
        if columns.len() > open.columns.len() {
            let message = format!("{} names for {} columns", columns.len(), open.columns.len());
            return Err(self.fault("flock::sql::arguments", &names::at(&first.name), message));
        }
        let mut open = Open { closed: false, ..open };
        open.columns.iter_mut().zip(columns).for_each(|(c, new)| c.0 = names::given(&new.name));
        Ok(open)
    }

    /// The columns as a scope in which an ORDER BY around them reads.
    pub fn output_scope(&self, open: &Open) -> Scope<'static> {
        let column = |(name, node): &(Arc<str>, NodeId)| ScopeColumn {
            table: None,
            name: name.clone(),
            node: *node,
            plain: true,
        };
        Scope {
            columns: open.columns.iter().map(column).collect(),
            tables: Vec::<ScopeTable>::new(),
            ..Scope::default()
        }
    }

    /// An integer literal that counts rows.
    pub fn row_count(&mut self, e: &Expr) -> Lifted<Option<u64>> {
        let value = self.nested(|l| l.expr(e, &Scope::default()))?;
        match value {
            Value::Literal(Literal::Null) => Ok(None),
            Value::Literal(Literal::Integer(n)) if u64::try_from(n).is_ok() => Ok(u64::try_from(n).ok()),
            _ => Err(self.unsupported(e, "a number of rows that is no whole literal")),
        }
    }
}
