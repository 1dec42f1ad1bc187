//! The dialects: one file each, one word in the list.

use crate::dialect::Dialect;

mod datafusion;
mod duckdb;
mod postgres;
mod sqlite;

static DIALECTS: &[&Dialect] = &[&duckdb::DIALECT, &sqlite::DIALECT, &postgres::DIALECT, &datafusion::DIALECT];

/// Every dialect.
pub fn dialects() -> &'static [&'static Dialect] {
    DIALECTS
}

/// The dialect of that name.
pub fn dialect(name: &str) -> Option<&'static Dialect> {
    DIALECTS.iter().find(|d| d.name == name).copied()
}
