//! Lifts SQL queries with predictions to Flock IR.
//!
//! A statement that is one query becomes a [`Module`] with one [`flock_ir_spec::Query`] and the functions of the models
//! that it asks. Calls stay calls; derived tables, CTEs and views are unfolded; nothing is optimised.
//!
//! # What a query means
//!
//! What DataFusion, DuckDB and PostgreSQL say where they agree; where they differ [`SourceDialect`] decides, and
//! [`SourceDialect::Generic`] refuses what would change a value in silence.
//! - **NaN** is equal to itself and greater than every other number, as in all three, while the operators of the IR are
//!   IEEE 754's: `x > 30` becomes `or(gt(x, 30), is_nan(x))` where `x` may be NaN ([`Column::nan`]), and `x < 30` stays
//!   `lt(x, 30)`.
//! - **A statement that would fail** on a row (integer overflow, a cast out of range, division by zero in PostgreSQL)
//!   does not: the value is null, for floats what IEEE 754 says.
//! - **Numbers**: an integer literal takes the type that it meets; an integer meets a decimal literal in a comparison
//!   exactly; a decimal literal is a double in arithmetic, but not in PostgreSQL and DuckDB where it meets integers.
//! - **What is not understood** is carried as `opaque` text with its operands; its type is known only for a short list of
//!   functions, and a value of unknown type reaches no model without a CAST. Where even carrying it could misread
//!   the query (an unknown function may aggregate, or differ from call to call), it is refused by name.
//! - **Names** of unnamed results: a column's name, `prediction` or `probability_<label>` for a prediction, else the text
//!   of the expression. Equal names in the result are kept, as databases keep them.

mod catalog;
mod dialect;
mod expr;
mod finish;
mod forms;
mod from;
mod grammar;
mod group;
mod join;
mod lifter;
mod names;
mod order;
mod parse;
mod predict;
mod query;
mod scope;
mod select;
mod subquery;
mod window;

pub use catalog::{Catalog, Column, Model, Table};
pub use dialect::SourceDialect;

use flock_ir_spec::{Diagnostic, Faults, Module};

/// Twice what the deepest statement of [`parse::MAX_TOKENS`] tokens takes; memory is taken as it is used.
const STACK: usize = 1 << 29;

/// Lifts one query. `name` is the query's name in the module and the first part of every diagnostic's place
/// (`name:line:column`). The module holds the query and the functions of the models that it asks, each under the
/// model's name in the catalog.
///
/// # Errors
/// All faults of the statement: what does not parse, is no query, is not supported, names nothing or several things,
/// or has the wrong type.
pub fn lift(name: &str, sql: &str, catalog: &Catalog, dialect: SourceDialect) -> Result<Module, Faults> {
    let work = || parse::parse(name, sql).and_then(|parsed| lifter::lift(name, &parsed, catalog, dialect));
    std::thread::scope(|scope| {
        match std::thread::Builder::new().name("lift-sql".into()).stack_size(STACK).spawn_scoped(scope, work) {
            Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Err(e) => {
                Err(vec![Diagnostic::new("flock::sql::too_large", name, format!("no memory to read it with: {e}"))])
            }
        }
    })
}
