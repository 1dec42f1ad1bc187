//! The reference evaluator: what every engine is compared with. Plain, not fast.

use std::collections::HashMap;

use crate::constant::{Constant, Pool};
use crate::diagnostic::Diagnostic;
use crate::frame::Frame;
use crate::graph::{Graph, NodeId};
use crate::module::{Function, Module};
use crate::ops::{Apply, Arg, Attr, ColumnId, Meaning, Op};

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
    let roots: Vec<NodeId> = function.outputs.iter().map(|o| o.node).collect();
    frames(module, &function.graph, &roots, rows, &Leaves { params, columns: None })
}

/// Evaluates nodes of a graph on `rows` rows. Each result has `rows` rows: constants are repeated.
pub fn frames(
    module: &Module,
    graph: &Graph,
    roots: &[NodeId],
    rows: usize,
    leaves: &Leaves<'_>,
) -> Result<Vec<Frame>, Diagnostic> {
    let live = graph.reachable(roots.iter().copied());
    // A value is dropped after its last use, so that wide frames do not pile up.
    let mut last_use = vec![usize::MAX; live.len()];
    for (id, node) in graph.iter().filter(|(id, _)| live[id.index()]) {
        node.args.iter().for_each(|a| last_use[a.index()] = id.index());
    }
    roots.iter().for_each(|r| last_use[r.index()] = usize::MAX);
    let mut values: Vec<Option<Frame>> = (0..live.len()).map(|_| None).collect();
    for (id, node) in graph.iter().filter(|(id, _)| live[id.index()]) {
        if !matches!(node.op, Op::Const) {
            values[id.index()] = Some(node_value(module, graph, id, rows, leaves, &values)?);
        }
        for a in node.args.iter().filter(|a| last_use[a.index()] == id.index()) {
            values[a.index()] = None;
        }
    }
    roots
        .iter()
        .map(|r| match values[r.index()].clone().or_else(|| table(&module.constants, graph, *r).cloned()) {
            Some(frame) => Ok(repeat(frame, rows)),
            None => Err(unevaluable(graph, *r, "is no frame")),
        })
        .collect()
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

fn node_value(
    module: &Module,
    graph: &Graph,
    id: NodeId,
    rows: usize,
    leaves: &Leaves<'_>,
    values: &[Option<Frame>],
) -> Result<Frame, Diagnostic> {
    let node = graph.node(id);
    let arg = |a: NodeId| match (&values[a.index()], graph.constant(&module.constants, a)) {
        (Some(f), _) | (None, Some(Constant::Table(f))) => Ok(Arg::Frame(f)),
        (None, Some(Constant::Trees(t))) => Ok(Arg::Trees(t)),
        (None, None) => Err(unevaluable(graph, a, "has no value here")),
    };
    match (&node.op, &node.attr) {
        (Op::Input, Attr::Param(i)) => leaves
            .params
            .get(*i as usize)
            .cloned()
            .ok_or_else(|| unevaluable(graph, id, "names a parameter that is not given")),
        (Op::Column, Attr::Column(c)) => leaves
            .columns
            .and_then(|m| m.get(c))
            .cloned()
            .ok_or_else(|| unevaluable(graph, id, "names a column that is not given")),
        (Op::Call, Attr::Call { function, output, .. }) => {
            let f = module.function(function).ok_or_else(|| unevaluable(graph, id, "names no function"))?;
            let o = f.output(output).ok_or_else(|| unevaluable(graph, id, "names no output"))?;
            let params = node
                .args
                .iter()
                .map(|a| match arg(*a)? {
                    Arg::Frame(f) => Ok(repeat(f.clone(), rows)),
                    Arg::Trees(_) => Err(unevaluable(graph, *a, "is no frame")),
                })
                .collect::<Result<Vec<_>, _>>()?;
            let only = Function { outputs: vec![o.clone()], ..f.clone() };
            call(module, &only, rows, &params)?.pop().ok_or_else(|| unevaluable(graph, id, "has no output"))
        }
        _ => {
            let args = node.args.iter().map(|a| arg(*a)).collect::<Result<Vec<_>, _>>()?;
            let out = graph.frame_type(id).ok_or_else(|| unevaluable(graph, id, "is no frame"))?;
            match node.op.record().meaning {
                Meaning::Eval(f) => Ok(f(&Apply { rows, attr: &node.attr, args: &args, out })),
                Meaning::Expands(_) => expanded(&args, graph, id, rows),
                Meaning::Leaf => Err(unevaluable(graph, id, "is known to the target database only")),
            }
        }
    }
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
        params.push(repeat((*f).clone(), rows));
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
