//! The verifier: what a module must satisfy before any stage trusts it. It reports all faults at once; a place is
//! `function/%7` or `query/r3`, with the numbers of the text form, or `#hash` for a constant.
//!
//! It checks
//! - **constants**: the id is the hash of the content; a table has rows × width elements, no null, and a width (one
//!   row of none is an empty set); an ensemble passes [`crate::TreeEnsemble::check`];
//! - **nodes**: the record accepts the number of operands and the kind of attribute, operands come before the node, its
//!   type is what the record infers, what its parameter, constant or column says, or what the called function gives;
//!   no frame is wider than [`crate::types::MAX_WIDTH`];
//! - **tables that an operator trusts**: the columns of a `take` exist, the edges of a `bucketize` ascend without NaN;
//! - **leaves**: parameters and calls stand in functions, columns, calls and SQL in queries; SQL templates name
//!   operands that exist;
//! - **functions**: names, parameters and outputs are unique and there is an output; a call names an earlier function
//!   (so there is no cycle) and one of its outputs, has its type, and passes every parameter a value that fits; at
//!   most [`MAX_CALL_DEPTH`] calls stand inside one another, and inlining makes at most [`MAX_INLINED`] nodes;
//! - **queries**: names are unique in the module, column ids too; relations read earlier ones; a frame reads columns
//!   of the relation it is evaluated on, nullable where an outer join made them so; predicates are bool of width 1;
//!   items, keys, aggregates and union inputs fit the columns that they become; sides of a join share no column; SQL
//!   templates name inputs that exist.
//!
//! It does not check that a table of the database has the columns that a scan names, that names within a relation
//! differ (a join may repeat them; a target that minds renames), what SQL in an `opaque` means, or that weights and
//! thresholds are sensible numbers.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Faults};
use crate::module::{Function, Module};
use crate::ops::{Attr, ColumnId};
use crate::types::FrameType;

mod constants;
mod functions;
mod nodes;
mod queries;

/// Calls that may stand inside one another: evaluation and inlining go one level deeper for each.
pub const MAX_CALL_DEPTH: usize = 64;
/// Nodes that a function or query may have once all calls in it are inlined.
pub const MAX_INLINED: u64 = 1 << 24;
/// Faults that are reported; beyond them a last one says that there are more.
pub const MAX_FAULTS: usize = 1000;

/// A module that the verifier has accepted.
#[derive(Clone, Debug)]
pub struct Verified(Module);

impl Verified {
    /// Verifies a module.
    pub fn new(module: Module) -> Result<Verified, Faults> {
        check(&module)?;
        Ok(Verified(module))
    }

    /// The module, to change it; it must be verified again.
    pub fn into_inner(self) -> Module {
        self.0
    }
}

impl std::ops::Deref for Verified {
    type Target = Module;
    fn deref(&self) -> &Module {
        &self.0
    }
}

/// All faults of a module, at most [`MAX_FAULTS`] and one that says so. Time and memory are linear in the module.
pub fn check(module: &Module) -> Result<(), Faults> {
    let mut faults = Found::default();
    constants::check(module, &mut faults);
    let context = Context::new(module);
    functions::check(&context, &mut faults);
    queries::check(&context, &mut faults);
    faults.done()
}

/// Faults as they are found.
#[derive(Default)]
struct Found {
    faults: Faults,
    more: bool,
}

impl Found {
    fn add(&mut self, code: &'static str, place: impl FnOnce() -> String, message: impl Into<String>) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(Diagnostic::new(code, place(), message));
        } else {
            self.more = true;
        }
    }

    fn done(mut self) -> Result<(), Faults> {
        if self.more {
            let message = format!("more than {MAX_FAULTS} faults; the first are listed");
            self.faults.push(Diagnostic::new("flock::verify::too_many", "module", message));
        }
        if self.faults.is_empty() { Ok(()) } else { Err(self.faults) }
    }
}

/// What nodes are checked against.
struct Context<'m> {
    module: &'m Module,
    /// Index of a function by name; the first of that name.
    functions: HashMap<Arc<str>, usize>,
    /// Types of the outputs of each function, by name.
    outputs: Vec<HashMap<Arc<str>, Option<FrameType>>>,
    /// Per function, how many nodes it has once inlined, and how deep its calls go.
    sizes: Vec<(u64, usize)>,
}

impl<'m> Context<'m> {
    fn new(module: &'m Module) -> Context<'m> {
        let mut functions = HashMap::new();
        for (i, f) in module.functions.iter().enumerate() {
            functions.entry(f.name.clone()).or_insert(i);
        }
        let types = |f: &Function| {
            let inside = |o: &&crate::Output| o.node.index() < f.graph.nodes().len();
            f.outputs.iter().filter(inside).map(|o| (o.name.clone(), f.output_type(o))).collect()
        };
        let outputs = module.functions.iter().map(types).collect();
        let mut context = Context { module, functions, outputs, sizes: Vec::new() };
        for f in &module.functions {
            let size = context.inlined(&f.graph);
            context.sizes.push(size);
        }
        context
    }

    /// How many nodes the graph has once its calls are inlined, and how deep they go; calls to functions that come
    /// later are faults of their own and count as one node.
    fn inlined(&self, graph: &crate::Graph) -> (u64, usize) {
        // Outputs of one call are inlined together.
        let mut seen = HashSet::new();
        let mut total = (graph.nodes().len() as u64, 0);
        for node in graph.nodes() {
            if let Attr::Call { function, .. } = &node.attr
                && let Some((size, depth)) = self.functions.get(function).and_then(|i| self.sizes.get(*i))
                && seen.insert((function, &node.args))
            {
                total = (total.0.saturating_add(*size), total.1.max(depth + 1));
            }
        }
        total
    }

    fn check_inlined(&self, name: &str, (size, depth): (u64, usize), faults: &mut Found) {
        if depth > MAX_CALL_DEPTH {
            let message = format!("calls go {depth} deep, at most {MAX_CALL_DEPTH} are allowed");
            faults.add("flock::verify::too_large", || name.to_owned(), message);
        }
        if size > MAX_INLINED {
            let message = format!("{size} nodes once calls are inlined, at most {MAX_INLINED} are allowed");
            faults.add("flock::verify::too_large", || name.to_owned(), message);
        }
    }
}

/// What the leaves of a graph may be.
enum Owner<'a> {
    /// Parameters of the function of that index.
    Function(usize),
    /// Columns that the query mints.
    Query(&'a HashMap<ColumnId, FrameType>),
}

/// Reports each name that came before.
fn check_unique<'n>(
    names: impl Iterator<Item = &'n Arc<str>>,
    what: &str,
    place: impl Fn() -> String,
    faults: &mut Found,
) {
    let mut seen = HashSet::new();
    for name in names {
        if !seen.insert(name) {
            faults.add("flock::verify::name", &place, format!("{what} `{name}` is there twice"));
        }
    }
}

/// What is wrong with a SQL template over `n` operands: `{i}` names one, `{{` and `}}` are braces.
fn check_template(sql: &str, n: usize) -> Result<(), String> {
    let mut rest = sql;
    while let Some(at) = rest.find(['{', '}']) {
        let tail = &rest[at..];
        if tail.starts_with("{{") || tail.starts_with("}}") {
            rest = &tail[2..];
            continue;
        }
        let Some((index, after)) = tail.strip_prefix('{').and_then(|t| t.split_once('}')) else {
            return Err("a brace that is neither doubled nor around an operand's number".into());
        };
        match index.parse::<usize>() {
            Ok(i) if i < n && index.bytes().all(|b| b.is_ascii_digit()) => rest = after,
            _ => return Err(format!("`{{{index}}}` in SQL with {n} operands")),
        }
    }
    Ok(())
}
