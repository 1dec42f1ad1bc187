//! From a verified function to one graph of primitives: calls inlined, composites expanded, features rounded once.

use std::collections::HashMap;
use std::sync::Arc;

use flock_api::{Support, Unsupported};
use flock_ir_spec::expand::{expand_composites, inline_calls};
use flock_ir_spec::{
    Attr, Constant, DType, Data, Frame, FrameType, Function, Graph, Module, Node, NodeId, Op, Param, Pool, TypeError,
};

use crate::fuse::filled_inputs;

/// Nodes beyond which a function is refused.
const MOST_NODES: usize = 1 << 20;
/// How far a rounding is pushed into concatenations.
const MOST_NESTED: u32 = 16;

/// A function without calls and composites.
pub struct Flat {
    /// Its name.
    pub name: Arc<str>,
    /// Its nodes.
    pub graph: Graph,
    /// Its constants.
    pub pool: Pool,
    /// Its parameters.
    pub params: Vec<Param>,
    /// What it gives.
    pub outputs: Vec<FlatOutput>,
}

/// An output with the type that the function declares.
pub struct FlatOutput {
    /// Its name.
    pub name: Arc<str>,
    /// Its value.
    pub node: NodeId,
    /// Its type.
    pub ty: FrameType,
}

/// Flattens the function of that name.
pub(crate) fn flatten(module: &Module, function: &str) -> Result<Flat, Vec<Unsupported>> {
    let fault = |what: &str, reason: &str| vec![unsupported(function, what, reason)];
    let Some(last) = module.functions.iter().position(|f| &*f.name == function) else {
        return Err(fault("function", "the module has no function of that name"));
    };
    let needed = needed(module, last);
    let faults: Vec<Unsupported> = needed.iter().flat_map(|f| check(f)).collect();
    if !faults.is_empty() {
        return Err(faults);
    }
    let functions = needed.into_iter().cloned().collect();
    let alone = Module { constants: module.constants.clone(), functions, queries: Vec::new() };
    let mut alone = expand_composites(&inline_calls(&alone), &|_| false);
    let f = alone.functions.pop().ok_or_else(|| fault("function", "it was not reached"))?;
    if f.graph.nodes().len() > MOST_NODES {
        return Err(fault("call", "with its calls inlined the function is too large"));
    }
    let (pool, graph, became) = rounded(alone.constants, &f).map_err(|e| vec![e])?;
    let declared = module.functions[last].outputs.iter().filter_map(|o| module.functions[last].output_type(o));
    let outputs: Vec<FlatOutput> = f
        .outputs
        .iter()
        .zip(declared)
        .filter_map(|(o, ty)| Some(FlatOutput { name: o.name.clone(), node: became[o.node.index()]?, ty }))
        .collect();
    if outputs.len() != f.outputs.len() {
        return Err(fault("output", "an output is no frame"));
    }
    Ok(Flat { name: f.name, graph, pool, params: f.params, outputs })
}

type Rounded = (Pool, Graph, Vec<Option<NodeId>>);

/// The graph with features of f32 ensembles rounded before they are put together, and without calls and composites.
fn rounded(mut pool: Pool, f: &Function) -> Result<Rounded, Unsupported> {
    let live = f.graph.reachable(f.outputs.iter().map(|o| o.node));
    let (graph, became) = Graph::rebuild(&f.graph, &live, |g, id, node, args| {
        let added = match (node.op, args) {
            (Op::Call | Op::Composite(_), _) => {
                Err(TypeError { op: node.op.name(), why: "it was not expanded".into() })
            }
            (Op::Trees | Op::Leaves, [x, ensemble]) => round_features(g, &mut pool, node, *x, *ensemble),
            (Op::All, [x]) => match bounded_in_f32(g, &mut pool, *x) {
                Some(x) => x.and_then(|x| g.add(Op::All, node.attr.clone(), &[x])),
                None => g.add_like(node, args),
            },
            _ => g.add_like(node, args),
        };
        added.map_err(|e| unsupported(place(&f.graph, id, &f.name), node.op.name(), e.to_string()))
    })?;
    Ok((pool, graph, became))
}

/// Something in a function that cannot be compiled.
pub fn unsupported(place: &str, what: &str, reason: impl Into<String>) -> Unsupported {
    Unsupported { place: place.to_owned(), what: what.to_owned(), reason: reason.into() }
}

/// The place of a node: its step, or the function.
pub(crate) fn place<'a>(graph: &'a Graph, id: NodeId, function: &'a str) -> &'a str {
    graph.step_of(id).unwrap_or(function)
}

/// The functions that a function calls, directly or not, in the module's order; itself last.
fn needed(module: &Module, last: usize) -> Vec<&Function> {
    let by_name: HashMap<&str, usize> = module.functions.iter().enumerate().map(|(i, f)| (&*f.name, i)).collect();
    let mut needed = vec![false; last + 1];
    needed[last] = true;
    for i in (0..=last).rev().filter(|i| *i <= last) {
        if !needed[i] {
            continue;
        }
        let f = &module.functions[i];
        for (_, node) in live(f) {
            if let Attr::Call { function, .. } = &node.attr
                && let Some(callee) = by_name.get(&**function).filter(|c| **c < i)
            {
                needed[*callee] = true;
            }
        }
    }
    (0..=last).filter(|i| needed[*i]).map(|i| &module.functions[i]).collect()
}

fn live(f: &Function) -> impl Iterator<Item = (NodeId, &Node)> {
    let live = f.graph.reachable(f.outputs.iter().map(|o| o.node));
    f.graph.iter().filter(move |(id, _)| live[id.index()])
}

/// What cannot be compiled in a function, each place's once.
fn check(f: &Function) -> Vec<Unsupported> {
    let mut all = Vec::new();
    for (id, node) in live(f) {
        let operands = match node.op {
            Op::InSet | Op::IndexOf | Op::Lookup | Op::Bucketize | Op::Take | Op::Linear => 1,
            Op::Interpolate | Op::Distances => 1,
            _ => node.args.len(),
        };
        let empty = |t: Option<FrameType>| t.is_some_and(|t| t.width == 0);
        let constant = matches!(node.op, Op::Const);
        let reason = match crate::supports(node.op) {
            Support::No(reason) => reason,
            _ if !constant && empty(node.ty.frame()) => "a frame without columns",
            _ if node.args.iter().take(operands).any(|a| empty(f.graph.frame_type(*a))) => "a frame without columns",
            _ => continue,
        };
        let one = unsupported(place(&f.graph, id, &f.name), node.op.name(), reason);
        if !all.contains(&one) {
            all.push(one);
        }
    }
    all
}

fn round_features(
    g: &mut Graph,
    pool: &mut Pool,
    node: &Node,
    x: NodeId,
    ensemble: NodeId,
) -> Result<NodeId, TypeError> {
    let rounds = matches!(g.constant(pool, ensemble), Some(Constant::Trees(t)) if t.input == DType::F32);
    let x = if rounds { to_f32(g, pool, x, MOST_NESTED)? } else { x };
    g.add_like(node, &[x, ensemble])
}

/// The least f64 that rounds to an infinite f32: half-way between the greatest f32 and 2^128.
const BEYOND_F32: f64 = 3.402_823_567_797_336_6e38;

/// `not (ge (abs x) BEYOND_F32)`, asked of the inputs x, in f32: what is infinite there. Ensembles of f32 features, which the
/// question stands before, need no f64 frame then.
fn bounded_in_f32(g: &mut Graph, pool: &mut Pool, not: NodeId) -> Option<Result<NodeId, TypeError>> {
    let operand =
        |g: &Graph, id: NodeId, op: Op| if g.node(id).op == op { g.node(id).args.first().copied() } else { None };
    let ge = operand(g, not, Op::Not)?;
    let x = operand(g, operand(g, ge, Op::Ge)?, Op::Abs)?;
    let limit = match g.constant(pool, *g.node(ge).args.get(1)?) {
        Some(Constant::Table(t)) => t.as_f64().is_some_and(|v| v == [BEYOND_F32]),
        _ => false,
    };
    filled_inputs(g, pool, x).filter(|_| limit && g.frame_type(x).is_some_and(|t| t.dtype == DType::F64))?;
    let infinite = Constant::Table(Frame::row_f32(vec![f32::INFINITY]));
    let infinite = g.add_constant(pool, infinite);
    let mut question = || {
        let x = to_f32(g, pool, x, MOST_NESTED)?;
        let size = g.add(Op::Abs, Attr::None, &[x])?;
        let beyond = g.add(Op::Ge, Attr::None, &[size, infinite])?;
        g.add(Op::Not, Attr::None, &[beyond])
    };
    Some(question())
}

/// The frame rounded to f32, as near to where it comes from as may be: what comes from there is smaller, and the
/// rounding is fused with it. Rounding is element by element, so it may move through what only moves elements.
fn to_f32(g: &mut Graph, pool: &mut Pool, x: NodeId, nested: u32) -> Result<NodeId, TypeError> {
    let Some(ty) = g.frame_type(x).filter(|t| t.dtype == DType::F64) else { return Ok(x) };
    let node = g.node(x).clone();
    let args = &node.args;
    match (node.op, args.as_ref()) {
        (Op::Const, _) => constant_to_f32(g, pool, x),
        (Op::Concat, _) if nested > 0 => {
            let parts = args.iter().map(|a| to_f32(g, pool, *a, nested - 1)).collect::<Result<Vec<_>, _>>()?;
            g.add(Op::Concat, Attr::None, &parts)
        }
        (Op::OneHot, _) => g.add(Op::OneHot, Attr::Type(ty.with_dtype(DType::F32)), args),
        (Op::Lookup, [index, table]) => {
            let table = constant_to_f32(g, pool, *table)?;
            g.add(Op::Lookup, Attr::None, &[*index, table])
        }
        // f32 to f64 and back is the same number.
        (Op::Cast, [from]) if g.frame_type(*from).is_some_and(|t| t.dtype == DType::F32) => Ok(*from),
        _ => g.add(Op::Cast, Attr::Type(ty.with_dtype(DType::F32)), &[x]),
    }
}

fn constant_to_f32(g: &mut Graph, pool: &mut Pool, id: NodeId) -> Result<NodeId, TypeError> {
    let table = match g.constant(pool, id) {
        Some(Constant::Table(t)) => t.as_f64().map(|v| (t.rows, t.width, v.iter().map(|x| *x as f32).collect())),
        _ => None,
    };
    let frame = table.and_then(|(rows, width, v)| Frame::new(rows, width, Data::F32(v)));
    let frame = frame.ok_or_else(|| TypeError { op: "const", why: "not a table of f64".into() })?;
    Ok(g.add_constant(pool, Constant::Table(frame)))
}
