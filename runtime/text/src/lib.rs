//! Text the way Python reads it: case, accents, token patterns, terms of a document, hashes and digests, numbers.
//!
//! What a character is comes from tables that a Python wrote (`testsuite/oracle/unicode_tables.py`): a character that
//! its Unicode does not have is no letter and has no other case, whatever newer libraries know of it. The reference
//! evaluator and the kernels share this crate, since a second table of Unicode would prove nothing; what proves it is
//! Python itself, in the digests of the tables and in the cases of the oracle.

#![forbid(unsafe_code)]

mod accents;
mod case;
mod city;
mod classes;
mod digest;
mod hash;
mod number;
mod pattern;
mod search;
mod tables;
mod terms;

pub use accents::{without_accents, without_accents_ascii};
pub use case::{lower, upper};
pub use city::city_hash;
pub use classes::{is_digit, is_space, is_word};
pub use digest::Digest;
pub use hash::{column_of, murmur3};
pub use number::{eight_digits, leading_float, leading_integer};
pub use pattern::{Flavour, Instruction, Pattern, PatternError};
pub use search::{Machine, Program};
pub use tables::UNICODE;
pub use terms::{Splitter, Tokens, Unit, Work};
