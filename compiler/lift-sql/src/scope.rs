//! What names mean at a place in a query.

use std::sync::Arc;

use flock_ir_spec::{NodeId, RelId};
use sqlparser::ast::Ident;

use crate::names;

/// A column that can be named.
#[derive(Clone)]
pub(crate) struct ScopeColumn {
    /// The table that it belongs to; None for one that USING merged.
    pub table: Option<usize>,
    /// Its name.
    pub name: Arc<str>,
    /// Its value.
    pub node: NodeId,
    /// Whether it counts without its table's name, and for `*`: false where USING merged it.
    pub plain: bool,
}

/// A table that can be named.
#[derive(Clone)]
pub(crate) struct ScopeTable {
    /// The alias, or the parts of its name.
    pub name: Vec<Arc<str>>,
    /// A table whose schema is not known: it has every column.
    pub open: Option<RelId>,
    /// A fault was told about the table: its columns are anything.
    pub broken: bool,
}

/// Tables and columns that can be named, and those of the query around.
#[derive(Clone, Default)]
pub(crate) struct Scope<'o> {
    pub tables: Vec<ScopeTable>,
    pub columns: Vec<ScopeColumn>,
    /// The scope of the query around: for EXISTS it can be used, for others it explains a fault.
    pub outer: Option<&'o Scope<'o>>,
    /// Whether names of the outer scope have a value here.
    pub correlated: bool,
}

/// What a name means.
pub(crate) enum Found {
    Column(NodeId),
    /// A column of a table whose schema is not known.
    Open(RelId),
    /// A fault was told before.
    Told,
    Ambiguous(Vec<String>),
    Missing,
}

impl Scope<'_> {
    /// The table whose name ends in these parts.
    pub fn table(&self, parts: &[Ident]) -> Option<usize> {
        self.tables.iter().position(|t| {
            t.name.len() >= parts.len()
                && t.name[t.name.len() - parts.len()..].iter().zip(parts).all(|(n, p)| names::same(p, n))
        })
    }

    /// The meaning of `column` or `table.column` in this scope alone.
    pub fn find(&self, parts: &[Ident]) -> Found {
        let Some((column, qualifier)) = parts.split_last() else { return Found::Missing };
        let table = match qualifier {
            [] => None,
            _ => match self.table(qualifier) {
                Some(t) => Some(t),
                None if self.tables.iter().any(|t| t.broken && t.name.is_empty()) => return Found::Told,
                None => return Found::Missing,
            },
        };
        let visible = |c: &&ScopeColumn| match table {
            Some(t) => c.table == Some(t),
            None => c.plain,
        };
        let mut found: Vec<&ScopeColumn> =
            self.columns.iter().filter(visible).filter(|c| names::same(column, &c.name)).collect();
        found.dedup_by_key(|c| c.node);
        match found.as_slice() {
            [] => self.without_schema(table),
            [one] => Found::Column(one.node),
            many => Found::Ambiguous(many.iter().map(|c| self.qualified(c)).collect()),
        }
    }

    fn without_schema(&self, table: Option<usize>) -> Found {
        let tables = || self.tables.iter().enumerate().filter(|(i, _)| table.is_none_or(|t| t == *i)).map(|(_, t)| t);
        let open: Vec<&ScopeTable> = tables().filter(|t| t.open.is_some()).collect();
        match open.as_slice() {
            _ if tables().any(|t| t.broken) => Found::Told,
            [] => Found::Missing,
            [one] => one.open.map_or(Found::Missing, Found::Open),
            many => Found::Ambiguous(many.iter().map(|t| t.name.join(".")).collect()),
        }
    }

    /// The name of a column with its table's.
    pub fn qualified(&self, column: &ScopeColumn) -> String {
        match column.table.and_then(|t| self.tables.get(t)).and_then(|t| t.name.last()) {
            Some(table) => format!("{table}.{}", column.name),
            None => column.name.to_string(),
        }
    }

    /// Adds the tables and columns of another scope behind these.
    pub fn append(&mut self, other: Scope<'_>) {
        let offset = self.tables.len();
        self.tables.extend(other.tables);
        self.columns.extend(other.columns.into_iter().map(|c| ScopeColumn { table: c.table.map(|t| t + offset), ..c }));
    }
}
