//! What the optimizer did, for `flockc explain`.

use std::collections::BTreeSet;
use std::fmt;

use flock_ir_spec::{Attr, Constant, Exactness, Function, Graph, Op, Pool, Query, Rel};

use crate::saturate::Stop;

/// One rule that fired.
#[derive(Clone, Debug, PartialEq)]
pub struct Fired {
    /// The rule.
    pub name: &'static str,
    /// Its law in words.
    pub law: &'static str,
    /// Whether it keeps every bit.
    pub exact: Exactness,
    /// How many equalities it found.
    pub fired: usize,
    /// How much of the cost is back without it, in the unit of [`Report::cost_after`]; asked for by
    /// [`explain`](crate::explain) alone.
    pub saved: Option<f64>,
}

/// How large a function or query is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Operators, leaves apart.
    pub nodes: usize,
    /// Trees in all ensembles.
    pub trees: usize,
    /// Tests in all trees.
    pub splits: usize,
    /// Columns of tables, or parameters, that are read.
    pub columns: usize,
    /// Relations.
    pub relations: usize,
}

impl Size {
    fn of_graph(graph: &Graph, pool: &Pool, live: &[bool]) -> Size {
        let mut size = Size::default();
        let mut seen = BTreeSet::new();
        for (id, node) in graph.iter().filter(|(id, _)| live[id.index()]) {
            size.nodes += usize::from(!matches!(node.op, Op::Input | Op::Const | Op::Column));
            if let (Attr::Const(c), Some(Constant::Trees(t))) = (&node.attr, graph.constant(pool, id))
                && seen.insert(*c)
            {
                size.trees += t.trees.len();
                size.splits += t.nodes.len();
            }
        }
        size
    }

    /// Of a function.
    pub fn of_function(f: &Function, pool: &Pool) -> Size {
        let live = f.graph.reachable(f.outputs.iter().map(|o| o.node));
        let read = f.graph.iter().filter(|(id, n)| live[id.index()] && n.op == Op::Input).count();
        Size { columns: read, ..Size::of_graph(&f.graph, pool, &live) }
    }

    /// Of a query.
    pub fn of_query(q: &Query, pool: &Pool) -> Size {
        let live = q.graph.reachable(q.rels.iter().flat_map(Rel::frames));
        let columns = q.rels.iter().map(|r| if let Rel::Scan { columns, .. } = r { columns.len() } else { 0 }).sum();
        Size { columns, relations: q.rels.len(), ..Size::of_graph(&q.graph, pool, &live) }
    }
}

/// What happened to one function or query. Printing is stable: equal inputs give equal text.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The function or query.
    pub target: String,
    /// The rules that fired, by name.
    pub rules: Vec<Fired>,
    /// The size with every call inlined, before any other rule.
    pub before: Size,
    /// The size afterwards.
    pub after: Size,
    /// Estimated nanoseconds before: per row of a function, in all of a query.
    pub cost_before: f64,
    /// The same afterwards.
    pub cost_after: f64,
    /// Parameters of the function that are no longer read.
    pub unread: Vec<String>,
    /// Passes over the rules.
    pub iterations: usize,
    /// Nodes of the e-graph at the end.
    pub enodes: usize,
    /// How the search ended.
    pub stop: Stop,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: estimated cost {} -> {}",
            self.target,
            nanoseconds(self.cost_before),
            nanoseconds(self.cost_after)
        )?;
        let (b, a) = (self.before, self.after);
        for (what, before, after) in [
            ("operators", b.nodes, a.nodes),
            ("relations", b.relations, a.relations),
            ("trees", b.trees, a.trees),
            ("splits", b.splits, a.splits),
            ("columns read", b.columns, a.columns),
        ] {
            if before + after > 0 {
                writeln!(f, "  {what:<12} {before} -> {after}")?;
            }
        }
        if !self.unread.is_empty() {
            writeln!(f, "  no longer read: {}", self.unread.join(", "))?;
        }
        for r in &self.rules {
            let exact = if r.exact == Exactness::Bits { "bits" } else { "reals" };
            write!(f, "  {:<20} {exact:<5} fired {:>4}", r.name, r.fired)?;
            if let Some(saved) = r.saved {
                write!(f, "  saved {}", nanoseconds(saved))?;
            }
            writeln!(f, "  {}", r.law.trim())?;
        }
        let end = match self.stop {
            Stop::Saturated => "nothing left to find",
            Stop::Nodes => "limit of nodes reached",
            Stop::Iterations => "limit of iterations reached",
        };
        writeln!(f, "  {} e-nodes, {} passes, {end}", self.enodes, self.iterations)
    }
}

/// A time in a unit that fits.
fn nanoseconds(ns: f64) -> String {
    match ns.abs() {
        x if x < 1e3 => format!("{ns:.1} ns"),
        x if x < 1e6 => format!("{:.2} us", ns / 1e3),
        x if x < 1e9 => format!("{:.2} ms", ns / 1e6),
        _ => format!("{:.2} s", ns / 1e9),
    }
}
