//! How models become SQL: one file per encoding.

pub mod dictionary;
pub mod nested_case;
