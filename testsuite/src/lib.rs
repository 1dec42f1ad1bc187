//! Cases, figures and the tests that hold the whole together.

pub mod case;
pub mod compare;
pub mod databases;
