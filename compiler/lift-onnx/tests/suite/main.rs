//! The lifter from outside: files in, columns and diagnostics out.

mod cases;
mod common;
mod conformance;
mod faults;
