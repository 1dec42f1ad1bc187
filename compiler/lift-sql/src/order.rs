//! ORDER BY, LIMIT, OFFSET, FETCH.

use flock_ir_spec::{NodeId, Rel, SortKey};
use sqlparser::ast::{Expr, LimitClause, OrderBy, OrderByExpr, OrderByKind, Query, Value as Sql};

use crate::lifter::{Lifted, Lifter};
use crate::names;
use crate::query::Open;
use crate::scope::Scope;

/// Which rows of a query are kept, by position.
#[derive(Clone, Copy, Default)]
pub(crate) struct Limit {
    count: Option<u64>,
    offset: u64,
}

impl Lifter<'_> {
    /// LIMIT, OFFSET and FETCH of a query.
    pub fn limit(&mut self, q: &Query) -> Lifted<Option<Limit>> {
        let mut limit = Limit::default();
        match &q.limit_clause {
            Some(LimitClause::LimitOffset { limit: count, offset, limit_by }) => {
                if !limit_by.is_empty() {
                    return Err(self.unsupported(q, "LIMIT BY"));
                }
                limit.count = count.as_ref().map(|e| self.row_count(e)).transpose()?.flatten();
                limit.offset = offset.as_ref().map(|o| self.row_count(&o.value)).transpose()?.flatten().unwrap_or(0);
            }
            Some(LimitClause::OffsetCommaLimit { offset, limit: count }) => {
                limit.count = self.row_count(count)?;
                limit.offset = self.row_count(offset)?.unwrap_or(0);
            }
            None => {}
        }
        if let Some(fetch) = &q.fetch {
            if fetch.with_ties || fetch.percent {
                return Err(self.unsupported(q, "FETCH with PERCENT or WITH TIES"));
            }
            limit.count = fetch.quantity.as_ref().map_or(Ok(Some(1)), |e| self.row_count(e))?;
        }
        Ok((limit.count.is_some() || limit.offset > 0).then_some(limit))
    }

    /// The rows that a limit keeps.
    pub fn limited(&mut self, open: Open, limit: Option<Limit>) -> Lifted<Open> {
        match limit {
            None => Ok(open),
            Some(Limit { count, offset }) => {
                let rel = self.push(Rel::Limit { input: open.rel, count, offset })?;
                Ok(Open { rel, ..open })
            }
        }
    }

    /// The items of ORDER BY.
    pub fn order_items<'q>(&mut self, order: Option<&'q OrderBy>) -> Lifted<&'q [OrderByExpr]> {
        let Some(order) = order else { return Ok(&[]) };
        match &order.kind {
            OrderByKind::Expressions(items) if order.interpolate.is_none() => {
                match items.iter().find(|i| i.with_fill.is_some()) {
                    Some(item) => Err(self.unsupported(item, "WITH FILL")),
                    None => Ok(items),
                }
            }
            _ => Err(self.unsupported(order, "ORDER BY ALL and INTERPOLATE")),
        }
    }

    /// A key: a position or a name of the result first, else an expression over the input.
    pub fn sort_key(&mut self, item: &OrderByExpr, output: &Scope<'_>, scope: &Scope<'_>) -> Lifted<SortKey> {
        let key = match &item.expr {
            Expr::Value(v) if matches!(v.value, Sql::Number(..)) => self.position(&item.expr, output)?,
            Expr::Identifier(name) if output.columns.iter().any(|c| names::same(name, &c.name)) => {
                self.named(std::slice::from_ref(name), output)?
            }
            e => self.node(e, scope)?,
        };
        let descending = item.options.asc == Some(false);
        let nulls_first = item.options.nulls_first.unwrap_or_else(|| self.dialect.nulls_first(descending));
        Ok(SortKey { key, descending, nulls_first })
    }

    /// The column of the result that a number names.
    pub fn position(&mut self, e: &Expr, output: &Scope<'_>) -> Lifted<NodeId> {
        let n = match e {
            Expr::Value(v) => match &v.value {
                Sql::Number(n, _) => n.parse::<usize>().ok(),
                _ => None,
            },
            _ => None,
        };
        match n.and_then(|n| output.columns.get(n.checked_sub(1)?)) {
            Some(c) => Ok(c.node),
            None => {
                let message = format!("{e} is no position among {} columns", output.columns.len());
                Err(self.fault("flock::sql::unknown_column", e, message))
            }
        }
    }

    /// The rows in order. Keys that are columns of the result are sorted by above the projection, so that the order is
    /// the last thing that happens.
    pub fn sorted(&mut self, open: Open, mut keys: Vec<SortKey>) -> Lifted<Open> {
        if keys.is_empty() {
            return Ok(open);
        }
        let at = |open: &Open, key: &SortKey| open.columns.iter().position(|c| c.1 == key.key);
        let open = match keys.iter().map(|k| at(&open, k)).collect::<Option<Vec<usize>>>() {
            Some(columns) => {
                let closed = self.close(open)?;
                keys.iter_mut().zip(columns).for_each(|(k, c)| k.key = closed.columns[c].1);
                closed
            }
            None => open,
        };
        for k in &mut keys {
            k.key = self.collated(k.key)?;
        }
        let rel = self.push(Rel::Sort { input: open.rel, keys })?;
        Ok(Open { rel, ..open })
    }

    /// ORDER BY around a set operation: over the columns of the result alone.
    pub fn sorted_set(&mut self, open: Open, order: Option<&OrderBy>) -> Lifted<Open> {
        let items = self.order_items(order)?;
        if items.is_empty() {
            return Ok(open);
        }
        let open = self.close(open)?;
        let output = self.output_scope(&open);
        let keys: Vec<Lifted<SortKey>> = items.iter().map(|i| self.sort_key(i, &output, &output)).collect();
        let keys = keys.into_iter().collect::<Lifted<Vec<SortKey>>>()?;
        self.sorted(open, keys)
    }
}
