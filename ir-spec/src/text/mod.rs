//! The text form of modules: what `.flock` files hold and `flockc explain` shows.
//!
//! Printing, parsing and printing again gives the same text. `SPEC.md` has the grammar and examples that are tests.
//! A text is as little trusted as a model file: parsing takes linear time, does not recurse, never panics, and reports
//! the faults of all lines. A parsed module is typed, but only the verifier says whether it is sound.

use std::fmt;

use crate::diagnostic::Faults;
use crate::graph::Graph;
use crate::module::Module;

mod lexer;
mod lower;
mod parser;
mod print;
mod syntax;
mod tables;

/// The version of the text form; it is the first line, `flock 1`.
pub const VERSION: u32 = 1;
/// Faults that a parse reports at most.
const MAX_FAULTS: usize = 100;

/// The module of a text, or all its faults. A place is `line:column`, both from 1.
///
/// Codes: `flock::text::version`, `flock::text::syntax`, `flock::text::value` (a literal that is no value of its
/// type), `flock::text::name` (unknown, or twice), `flock::text::hash` (a constant under another's hash),
/// `flock::text::type` (a node that its operator's record refuses).
pub fn parse(text: &str) -> Result<Module, Faults> {
    parser::parse(text)
}

impl fmt::Display for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print::module(self, f)
    }
}

/// One node as it stands in the text, with its operands; `None` for parameters, columns and constants, which have no
/// line of their own.
pub fn node_line(module: &Module, graph: &Graph, params: &[crate::Param], id: crate::NodeId) -> Option<String> {
    print::node_line(module, graph, params, id)
}
