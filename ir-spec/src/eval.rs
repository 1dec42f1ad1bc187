//! The reference evaluator: what every engine is compared with. Plain, and not slower than it must be.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use crate::constant::{Constant, Pool};
use crate::diagnostic::Diagnostic;
use crate::frame::Frame;
use crate::graph::{Graph, NodeId};
use crate::module::{Function, Module};
use crate::ops::{Apply, Arg, Attr, ColumnId, Exactness, Meaning, Op};

mod relation;
mod rounding;

pub use relation::{Table, query};
pub use rounding::Rounding;

/// Elements of the widest frame that are evaluated at once: rows are taken in pieces of so many over its width, which
/// the row law allows.
const PIECE: usize = 1 << 19;

/// The values that leaves stand for.
#[derive(Default)]
pub struct Leaves<'a> {
    /// Parameters of the function, in order; all of `rows` rows.
    pub params: &'a [Frame],
    /// Columns of the relation.
    pub columns: Option<&'a HashMap<ColumnId, Frame>>,
}

/// Evaluates a function of the module on `rows` rows. `params` are in the order of [`Function::params`], with the
/// dtype, width and nulls that these say. Gives the outputs in order.
pub fn call(module: &Module, function: &Function, rows: usize, params: &[Frame]) -> Result<Vec<Frame>, Diagnostic> {
    called(module, function, rows, params, None)
}

/// Like [`call`], with every step that is equal only up to rounding moved by it: how far the outputs go from those of
/// [`call`] is what rounding can change of them, and a row whose label turns stands on a threshold.
pub fn call_rounded(
    module: &Module,
    function: &Function,
    rows: usize,
    params: &[Frame],
    rounding: Rounding,
) -> Result<Vec<Frame>, Diagnostic> {
    called(module, function, rows, params, Some(rounding))
}

fn called(
    module: &Module,
    function: &Function,
    rows: usize,
    params: &[Frame],
    rounding: Option<Rounding>,
) -> Result<Vec<Frame>, Diagnostic> {
    check_arguments(function, rows, params)?;
    let roots: Vec<NodeId> = function.outputs.iter().map(|o| o.node).collect();
    evaluated(module, &function.graph, &roots, rows, &Leaves { params, columns: None }, rounding)
}

fn check_arguments(function: &Function, rows: usize, params: &[Frame]) -> Result<(), Diagnostic> {
    let place = || function.name.to_string();
    if params.len() != function.params.len() {
        let message = format!("{} arguments for {} parameters", params.len(), function.params.len());
        return Err(Diagnostic::new("flock::eval::arguments", place(), message));
    }
    for (p, value) in function.params.iter().zip(params) {
        let nulls = value.valid.as_ref().is_some_and(|v| v.contains(&false));
        if value.dtype() != p.ty.dtype
            || value.width != p.ty.width as usize
            || value.rows != rows
            || (nulls && !p.ty.nullable)
        {
            let found = format!("{} {}x{}", value.dtype(), value.rows, value.width);
            let message = format!("parameter `{}` is {} of {rows} rows, found {found}", p.name, p.ty);
            return Err(Diagnostic::new("flock::eval::arguments", place(), message));
        }
    }
    Ok(())
}

/// Evaluates nodes of a graph on `rows` rows. Each result has `rows` rows: constants are repeated.
pub fn frames(
    module: &Module,
    graph: &Graph,
    roots: &[NodeId],
    rows: usize,
    leaves: &Leaves<'_>,
) -> Result<Vec<Frame>, Diagnostic> {
    evaluated(module, graph, roots, rows, leaves, None)
}

fn evaluated(
    module: &Module,
    graph: &Graph,
    roots: &[NodeId],
    rows: usize,
    leaves: &Leaves<'_>,
    rounding: Option<Rounding>,
) -> Result<Vec<Frame>, Diagnostic> {
    let live = graph.reachable(roots.iter().copied());
    let widest = graph.iter().filter(|(id, _)| live[id.index()]).filter_map(|(id, _)| graph.frame_type(id));
    let piece = (PIECE / widest.map(|t| t.width as usize).max().unwrap_or(1).max(1)).max(8);
    let run = |start: usize, len: usize| {
        Run { module, graph, live: &live, leaves, start, rows: len, all: rows, rounding }.roots(roots)
    };
    if rows <= piece {
        return run(0, rows);
    }
    let mut columns: Vec<Vec<Frame>> = roots.iter().map(|_| Vec::new()).collect();
    for start in (0..rows).step_by(piece) {
        let values = run(start, piece.min(rows - start))?;
        columns.iter_mut().zip(values).for_each(|(c, v)| c.push(v));
    }
    let stacked = columns.iter().zip(roots).map(|(parts, r)| {
        Frame::stack(parts).ok_or_else(|| unevaluable(graph, *r, "changes its type from row to row"))
    });
    stacked.collect()
}

/// Outputs of calls to one function with the same operands, evaluated together.
type Calls<'a> = HashMap<(&'a str, &'a [NodeId]), HashMap<&'a str, Frame>>;

/// One evaluation of some rows.
struct Run<'a> {
    module: &'a Module,
    graph: &'a Graph,
    live: &'a [bool],
    leaves: &'a Leaves<'a>,
    /// The first row of those that leaves hold.
    start: usize,
    /// Rows to evaluate.
    rows: usize,
    /// Rows that leaves hold.
    all: usize,
    /// What moves the steps that are equal only up to rounding.
    rounding: Option<Rounding>,
}

impl<'a> Run<'a> {
    fn live_nodes(&self) -> impl Iterator<Item = (NodeId, &'a crate::Node)> {
        self.graph.iter().filter(|(id, _)| self.live[id.index()])
    }

    fn roots(&self, roots: &[NodeId]) -> Result<Vec<Frame>, Diagnostic> {
        // A value is dropped after its last use, so that wide frames do not pile up.
        let mut last_use = vec![usize::MAX; self.live.len()];
        for (id, node) in self.live_nodes() {
            node.args.iter().for_each(|a| last_use[a.index()] = id.index());
        }
        roots.iter().for_each(|r| last_use[r.index()] = usize::MAX);
        let mut calls = self.calls();
        let mut values: Vec<Option<Cow<'a, Frame>>> = (0..self.live.len()).map(|_| None).collect();
        for (id, node) in self.live_nodes() {
            if !matches!(node.op, Op::Const) {
                values[id.index()] = Some(self.value(id, &values, &mut calls)?);
            }
            for a in node.args.iter().filter(|a| last_use[a.index()] == id.index()) {
                values[a.index()] = None;
            }
        }
        let constant = |r: NodeId| table(&self.module.constants, self.graph, r).cloned();
        roots
            .iter()
            .map(|r| match values[r.index()].clone().map(Cow::into_owned).or_else(|| constant(*r)) {
                Some(frame) => Ok(repeat(frame, self.rows)),
                None => Err(unevaluable(self.graph, *r, "is no frame")),
            })
            .collect()
    }

    /// The calls that will be made; what they give is filled in at the first of each.
    fn calls(&self) -> Calls<'a> {
        let mut calls: Calls<'a> = HashMap::new();
        for (_, node) in self.live_nodes() {
            if let Attr::Call { function, .. } = &node.attr {
                calls.entry((function, &node.args)).or_default();
            }
        }
        calls
    }

    /// The rows of this run out of what a leaf holds.
    fn rows_of(&self, leaf: &'a Frame) -> Cow<'a, Frame> {
        match leaf.rows {
            n if n == self.all && self.rows < n => Cow::Owned(leaf.slice_rows(self.start, self.rows)),
            _ => Cow::Borrowed(leaf),
        }
    }

    fn value(
        &self,
        id: NodeId,
        values: &[Option<Cow<'a, Frame>>],
        calls: &mut Calls<'a>,
    ) -> Result<Cow<'a, Frame>, Diagnostic> {
        let graph = self.graph;
        let node = graph.node(id);
        let fail = |why: &str| unevaluable(graph, id, why);
        match (&node.op, &node.attr) {
            (Op::Input, Attr::Param(i)) => {
                let param = self.leaves.params.get(*i as usize);
                param.map(|f| self.rows_of(f)).ok_or_else(|| fail("names a parameter that is not given"))
            }
            (Op::Column, Attr::Column(c)) => {
                let column = self.leaves.columns.and_then(|m| m.get(c));
                column.map(|f| self.rows_of(f)).ok_or_else(|| fail("names a column that is not given"))
            }
            (Op::Call, Attr::Call { function, output, .. }) => {
                let args = self.args(node, values)?;
                let Some(known) = calls.get_mut(&(&**function, &*node.args)) else {
                    return Err(fail("is no call that is needed"));
                };
                if !known.contains_key(&**output) {
                    *known = self.call(id, function, &args)?;
                }
                known.get(&**output).cloned().map(Cow::Owned).ok_or_else(|| fail("names no output"))
            }
            _ => {
                let args = self.args(node, values)?;
                let rounding = self.rounding.filter(|_| node.op.record().exact == Exactness::Reals);
                let rounding = rounding.map(|r| r.at(id.index(), self.start));
                let Some(rounding) = rounding else { return self.applied(id, &args).map(Cow::Owned) };
                let moved: Vec<Option<Frame>> = args.iter().map(|arg| rounding.operand(arg, self.rows)).collect();
                let args: Vec<Arg<'_>> =
                    moved.iter().zip(&args).map(|(moved, arg)| moved.as_ref().map_or(*arg, Arg::Frame)).collect();
                self.applied(id, &args).map(|frame| Cow::Owned(rounding.result(frame)))
            }
        }
    }

    fn applied(&self, id: NodeId, args: &[Arg<'_>]) -> Result<Frame, Diagnostic> {
        let node = self.graph.node(id);
        let fail = |why: &str| unevaluable(self.graph, id, why);
        let out = self.graph.frame_type(id).ok_or_else(|| fail("is no frame"))?;
        match node.op.record().meaning {
            Meaning::Eval(f) => Ok(f(&Apply { rows: self.rows, attr: &node.attr, args, out })),
            Meaning::Expands(_) => expanded(args, self.graph, id, self.rows),
            Meaning::Leaf => Err(fail("is known to the target database only")),
        }
    }

    fn args<'v>(
        &'v self,
        node: &crate::Node,
        values: &'v [Option<Cow<'a, Frame>>],
    ) -> Result<Vec<Arg<'v>>, Diagnostic> {
        let arg = |a: &NodeId| match (&values[a.index()], self.graph.constant(&self.module.constants, *a)) {
            (Some(f), _) => Ok(Arg::Frame(f.as_ref())),
            (None, Some(Constant::Table(f))) => Ok(Arg::Frame(f)),
            (None, Some(Constant::Trees(t))) => Ok(Arg::Trees(t)),
            (None, Some(Constant::Terms(t))) => Ok(Arg::Terms(t)),
            (None, None) => Err(unevaluable(self.graph, *a, "has no value here")),
        };
        node.args.iter().map(arg).collect()
    }

    /// Every output of the function that a call with these operands asks for.
    fn call(&self, id: NodeId, function: &'a str, args: &[Arg<'_>]) -> Result<HashMap<&'a str, Frame>, Diagnostic> {
        let node = self.graph.node(id);
        let fail = |why: &str| unevaluable(self.graph, id, why);
        let f = self.module.function(function).ok_or_else(|| fail("names no function"))?;
        let asked: BTreeSet<&'a str> = self
            .live_nodes()
            .filter(|(_, n)| n.args == node.args)
            .filter_map(|(_, n)| match &n.attr {
                Attr::Call { function: g, output, .. } if **g == *function => Some(&**output),
                _ => None,
            })
            .collect();
        let params = args.iter().map(|a| match a {
            Arg::Frame(f) => Ok(repeat((*f).clone(), self.rows)),
            Arg::Trees(_) | Arg::Terms(_) => Err(fail("takes frames")),
        });
        let params = params.collect::<Result<Vec<_>, _>>()?;
        check_arguments(f, self.rows, &params)?;
        let roots = asked.iter().map(|o| f.output(o).map(|o| o.node).ok_or_else(|| fail("names no output")));
        let roots = roots.collect::<Result<Vec<_>, _>>()?;
        let leaves = Leaves { params: &params, columns: None };
        Ok(asked
            .into_iter()
            .zip(evaluated(self.module, &f.graph, &roots, self.rows, &leaves, self.rounding)?)
            .collect())
    }
}

fn table<'m>(pool: &'m Pool, graph: &Graph, id: NodeId) -> Option<&'m Frame> {
    match graph.constant(pool, id) {
        Some(Constant::Table(t)) => Some(t),
        _ => None,
    }
}

fn unevaluable(graph: &Graph, id: NodeId, why: &str) -> Diagnostic {
    let node = graph.node(id);
    Diagnostic::new("flock::eval::no_meaning", format!("%{}", id.0), format!("`{}` {why}", node.op))
}

/// A composite by its definition: a graph of its own whose parameters are the operands.
fn expanded(args: &[Arg<'_>], graph: &Graph, id: NodeId, rows: usize) -> Result<Frame, Diagnostic> {
    let node = graph.node(id);
    let Op::Composite(composite) = node.op else { return Err(unevaluable(graph, id, "is no composite")) };
    let mut module = Module::default();
    let mut definition = Graph::default();
    let mut params = Vec::new();
    let mut inputs = Vec::new();
    for (i, arg) in args.iter().enumerate() {
        let (Arg::Frame(f), Some(ty)) = (arg, graph.ty(node.args[i]).frame()) else {
            return Err(unevaluable(graph, id, "takes frames"));
        };
        params.push((*f).clone());
        inputs.push(definition.add_leaf(Op::Input, Attr::Param(i as u32), crate::Type::Frame(ty)));
    }
    let root = definition
        .add_expanded(&mut module.constants, composite, &inputs)
        .map_err(|e| unevaluable(graph, id, &e.to_string()))?;
    let leaves = Leaves { params: &params, columns: None };
    frames(&module, &definition, &[root], rows, &leaves)?.pop().ok_or_else(|| unevaluable(graph, id, "has no value"))
}

/// A frame of one row on every row.
pub fn repeat(frame: Frame, rows: usize) -> Frame {
    if frame.rows == rows || frame.rows != 1 {
        return frame;
    }
    let ty = crate::FrameType::new(frame.dtype(), frame.width as u32).nullable();
    Frame::from_fn(rows, ty, |_, j| frame.get(0, j))
}
