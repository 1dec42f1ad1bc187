//! Everything in one binary, so that its dependencies are linked once.
#![allow(clippy::unwrap_used)]

mod arrows;
mod cases;
mod cli;
mod coverage;
mod emitted;
mod linked;
mod linked_databases;
mod operators;
mod queries;
mod readme;
