//! SQL as a backend among others.

use flock_api::{Backend, Support, Unsupported};
use flock_ir_spec::{Constant, Function, Module, Op, Verified};

use crate::dialect::Dialect;
use crate::encodings::nested_case;
use crate::select::{SelectOptions, emit_function};

pub(crate) const TERMS: &str =
    "no database splits text into tokens as Python's `re` does, whose classes are those of its Unicode";
pub(crate) const CHARACTERS: &str = "a database has its own tables of characters, which differ from Python's";
pub(crate) const PATTERNS: &str = "a database has its own syntax of patterns, which differs from RE2's";

/// SQL of one dialect; the artefact is a SELECT over a table `input`.
#[derive(Clone, Copy, Debug)]
pub struct Sql(&'static Dialect);

/// Why a hash has no form.
pub(crate) const NO_HASH: &str = "the model keeps 32-bit hashes of its categories and not the categories, and SQL has no \
     CityHash64; the native engine hashes as the library does";

/// Why numbers and text have no form in each other.
pub(crate) const NUMBERS: &str =
    "a database reads and writes the text of numbers in its own way, and a text that is none ends the statement";

/// Why a digest has no form.
pub(crate) const NO_DIGEST: &str = "the dialect has no such digest of text; the native engine has it";

impl Sql {
    /// SQL of that dialect.
    pub fn new(dialect: &'static Dialect) -> Sql {
        Sql(dialect)
    }
}

impl Backend for Sql {
    type Artifact = String;

    fn name(&self) -> &'static str {
        self.0.name
    }

    fn supports(&self, op: Op) -> Support {
        match op {
            Op::Leaves => Support::No("the leaves that a row reaches are not emitted as SQL"),
            Op::CityHash => Support::No(NO_HASH),
            Op::Digest if self.0.digests.is_empty() => Support::No(NO_DIGEST),
            Op::TermCounts => Support::No(TERMS),
            Op::Lower | Op::Upper | Op::WithoutAccents => Support::No(CHARACTERS),
            Op::Matches => Support::No(PATTERNS),
            Op::Parse | Op::Digits => Support::No(NUMBERS),
            Op::Composite(_) => Support::Expanded,
            _ => Support::Native,
        }
    }

    /// Trees as nested CASE and categories as dictionary CASE at their measured times; the rest by the number of
    /// elements.
    fn cost(&self, module: &Module, function: &Function) -> f64 {
        let graph = &function.graph;
        let live = graph.reachable(function.outputs.iter().map(|o| o.node));
        let constant =
            |node: &flock_ir_spec::Node, i: usize| node.args.get(i).and_then(|a| graph.constant(&module.constants, *a));
        let of = |node: &flock_ir_spec::Node| match (node.op, constant(node, 1)) {
            (Op::Trees | Op::Leaves, Some(Constant::Trees(t))) => nested_case::nanoseconds(t, self.0),
            // Half of the keys are compared before the value is found.
            (Op::IndexOf, Some(Constant::Table(t))) => self.0.when_ns * t.len() as f64 / 2.0,
            (Op::TermCounts | Op::Lower | Op::Upper | Op::WithoutAccents | Op::Matches | Op::Parse | Op::Digits, _) => {
                f64::INFINITY
            }
            (Op::Linear, Some(Constant::Table(t))) => t.len() as f64,
            (Op::Input | Op::Const | Op::Column | Op::OneHot | Op::Concat | Op::Slice | Op::Take, _) => 0.0,
            _ => node.ty.frame().map_or(0.0, |t| f64::from(t.width)),
        };
        graph.iter().filter(|(id, _)| live[id.index()]).map(|(_, n)| of(n)).sum()
    }

    fn emit(&self, module: &Verified, function: &str) -> Result<String, Vec<Unsupported>> {
        emit_function(module, function, &SelectOptions::new(self.0, "input"))
    }
}
