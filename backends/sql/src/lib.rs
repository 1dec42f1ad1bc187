//! Emits SQL text from Flock IR: a function as one SELECT, a query as a statement.
//!
//! `dialects/` says what differs between engines, `lower/` makes scalar expressions of wide frames, `stages` decides
//! what is computed once and where, `statement` and `print` write it down. `lower/mod.rs` says how NaN, NULL and float32
//! are held.

mod backend;
mod carried;
mod dialect;
mod dialects;
mod encodings;
mod expr;
mod literal;
mod lower;
mod print;
mod query;
mod select;
mod stages;
mod statement;
pub mod threshold;

pub use backend::Sql;
pub use carried::Carried;
pub use dialect::{Dialect, Fence, FloatForm, Identifiers, IntegerCast, Nan, RoundEven, Star, Stored, Traps};
pub use dialects::{dialect, dialects};
pub use lower::Naming;
pub use query::emit_query;
pub use select::{SelectOptions, emit_function};
