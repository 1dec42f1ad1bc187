//! From a verified function to one graph of primitives: calls inlined, composites expanded, features rounded once.

use std::collections::HashMap;
use std::sync::Arc;

use flock_api::Unsupported;
use flock_ir_spec::{
    Attr, Constant, DType, Data, Frame, FrameType, Function, Graph, Module, Node, NodeId, Op, Param, Pool, TypeError,
};

/// Nodes beyond which a function is refused: calls of calls can grow without bound.
const MOST_NODES: usize = 1 << 20;
/// Nodes copied, equal ones counted again.
const MOST_COPIES: usize = 1 << 24;
const TOO_LARGE: &str = "with its calls inlined the function is too large";
/// How far a rounding is pushed into concatenations.
const MOST_NESTED: u32 = 16;

/// A function without calls and composites.
pub(crate) struct Flat {
    pub name: Arc<str>,
    pub graph: Graph,
    pub pool: Pool,
    pub params: Vec<Param>,
    pub outputs: Vec<FlatOutput>,
}

/// An output with the type that the function declares.
pub(crate) struct FlatOutput {
    pub name: Arc<str>,
    pub node: NodeId,
    pub ty: FrameType,
}

/// A function's body with its outputs by name.
struct Body {
    graph: Graph,
    outputs: HashMap<Arc<str>, NodeId>,
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
    let mut pool = module.constants.clone();
    let mut bodies: HashMap<&str, Body> = HashMap::new();
    for f in &needed {
        let body = Flattener { pool: &mut pool, bodies: &bodies, copied: 0 }.body(f).map_err(|e| vec![e])?;
        bodies.insert(&f.name, body);
    }
    let f = &module.functions[last];
    let body = bodies.remove(function).ok_or_else(|| fault("function", "it was not reached"))?;
    let outputs = f.outputs.iter().filter_map(|o| {
        Some(FlatOutput { name: o.name.clone(), node: *body.outputs.get(&o.name)?, ty: f.output_type(o)? })
    });
    let outputs: Vec<FlatOutput> = outputs.collect();
    if outputs.len() != f.outputs.len() {
        return Err(fault("output", "an output is no frame"));
    }
    Ok(Flat { name: f.name.clone(), graph: body.graph, pool, params: f.params.clone(), outputs })
}

pub(crate) fn unsupported(place: &str, what: &str, reason: impl Into<String>) -> Unsupported {
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
            _ => node.args.len(),
        };
        let empty = |t: Option<FrameType>| t.is_some_and(|t| t.width == 0);
        let constant = matches!(node.op, Op::Const);
        let reason = match crate::reason(node.op) {
            Some(reason) => reason,
            None if !constant && empty(node.ty.frame()) => "a frame without columns",
            None if node.args.iter().take(operands).any(|a| empty(f.graph.frame_type(*a))) => "a frame without columns",
            None => continue,
        };
        let one = unsupported(place(&f.graph, id, &f.name), node.op.name(), reason);
        if !all.contains(&one) {
            all.push(one);
        }
    }
    all
}

struct Flattener<'a> {
    pool: &'a mut Pool,
    bodies: &'a HashMap<&'a str, Body>,
    copied: usize,
}

impl Flattener<'_> {
    fn body(&mut self, f: &Function) -> Result<Body, Unsupported> {
        let mut out = Graph::default();
        let mut became = vec![None; f.graph.nodes().len()];
        for (id, node) in live(f) {
            let here = place(&f.graph, id, &f.name);
            let wrong = |e: TypeError| unsupported(here, node.op.name(), e.to_string());
            out.set_step(f.graph.step_of(id));
            let args: Vec<NodeId> = node.args.iter().filter_map(|a| became[a.index()]).collect();
            let new = match &node.attr {
                Attr::Call { function, output, .. } => self.inline(&mut out, function, output, &args),
                _ => self.add(&mut out, node, &args),
            };
            became[id.index()] = Some(new.map_err(wrong)?);
            if out.nodes().len() > MOST_NODES {
                return Err(unsupported(here, node.op.name(), TOO_LARGE));
            }
        }
        out.set_step(None);
        let outputs = f.outputs.iter().filter_map(|o| Some((o.name.clone(), became[o.node.index()]?)));
        Ok(Body { outputs: outputs.collect(), graph: out })
    }

    /// Copies one output of a function whose body is flat already.
    fn inline(&mut self, out: &mut Graph, function: &str, output: &str, args: &[NodeId]) -> Result<NodeId, TypeError> {
        let missing = || TypeError { op: "call", why: format!("no output `{output}` of `{function}`") };
        let body = self.bodies.get(function).ok_or_else(missing)?;
        let root = *body.outputs.get(output).ok_or_else(missing)?;
        let live = body.graph.reachable([root]);
        let mut became = vec![None; live.len()];
        for (id, node) in body.graph.iter().filter(|(id, _)| live[id.index()]) {
            let operands: Vec<NodeId> = node.args.iter().filter_map(|a| became[a.index()]).collect();
            became[id.index()] = Some(match node.attr {
                Attr::Param(i) => *args.get(i as usize).ok_or_else(missing)?,
                _ => add_refined(out, node, &operands)?,
            });
            self.copied += 1;
            if out.nodes().len() > MOST_NODES || self.copied > MOST_COPIES {
                return Err(TypeError { op: "call", why: TOO_LARGE.into() });
            }
        }
        became[root.index()].ok_or_else(missing)
    }

    fn add(&mut self, out: &mut Graph, node: &Node, args: &[NodeId]) -> Result<NodeId, TypeError> {
        match (node.op, args) {
            (Op::Composite(c), _) => out.add_expanded(self.pool, c, args),
            (Op::Trees | Op::Leaves, [x, ensemble]) => {
                let rounds = match out.constant(self.pool, *ensemble) {
                    Some(Constant::Trees(t)) => t.input == DType::F32,
                    _ => false,
                };
                let x = if rounds { self.to_f32(out, *x, MOST_NESTED)? } else { *x };
                add_refined(out, node, &[x, *ensemble])
            }
            _ => add_refined(out, node, args),
        }
    }

    /// The frame rounded to f32, as near to where it comes from as may be: what comes from there is smaller, and the
    /// rounding is fused with it. Rounding is element by element, so it may move through what only moves elements.
    fn to_f32(&mut self, g: &mut Graph, x: NodeId, nested: u32) -> Result<NodeId, TypeError> {
        let Some(ty) = g.frame_type(x).filter(|t| t.dtype == DType::F64) else { return Ok(x) };
        let node = g.node(x).clone();
        let args = &node.args;
        match (node.op, &node.attr) {
            (Op::Const, _) => self.constant_to_f32(g, x),
            (Op::Concat, _) if nested > 0 => {
                let parts = args.iter().map(|a| self.to_f32(g, *a, nested - 1)).collect::<Result<Vec<_>, _>>()?;
                g.add(Op::Concat, Attr::None, &parts)
            }
            (Op::OneHot, _) => g.add(Op::OneHot, Attr::Type(ty.with_dtype(DType::F32)), args),
            (Op::Lookup, _) => {
                let table = self.constant_to_f32(g, args[1])?;
                g.add(Op::Lookup, Attr::None, &[args[0], table])
            }
            // f32 to f64 and back is the same number.
            (Op::Cast, _) if g.frame_type(args[0]).is_some_and(|t| t.dtype == DType::F32) => Ok(args[0]),
            _ => g.add(Op::Cast, Attr::Type(ty.with_dtype(DType::F32)), &[x]),
        }
    }

    fn constant_to_f32(&mut self, g: &mut Graph, id: NodeId) -> Result<NodeId, TypeError> {
        let table = match g.constant(self.pool, id) {
            Some(Constant::Table(t)) => t.as_f64().map(|v| (t.rows, t.width, v.iter().map(|x| *x as f32).collect())),
            _ => None,
        };
        let frame = table.and_then(|(rows, width, v)| Frame::new(rows, width, Data::F32(v)));
        let frame = frame.ok_or_else(|| TypeError { op: "const", why: "not a table of f64".into() })?;
        Ok(g.add_constant(self.pool, Constant::Table(frame)))
    }
}

/// Adds an equal node. Where an argument of an inlined call has no nulls and the parameter might have had, an attribute
/// that repeats the operand's type follows it.
fn add_refined(out: &mut Graph, node: &Node, args: &[NodeId]) -> Result<NodeId, TypeError> {
    let operand = args.first().and_then(|a| out.frame_type(*a));
    let attr = match (node.op, &node.attr, operand) {
        (Op::Cast, Attr::Type(to), Some(from)) => {
            let partial = from.dtype.is_float() && to.dtype == DType::I64;
            Attr::Type(to.with_nulls(from.nullable || partial))
        }
        (Op::OneHot, Attr::Type(to), Some(from)) => Attr::Type(to.with_nulls(from.nullable)),
        (_, attr, _) => attr.clone(),
    };
    if args.is_empty() && matches!(node.op, Op::Input | Op::Const | Op::Column) {
        return Ok(out.add_leaf(node.op, attr, node.ty));
    }
    out.add(node.op, attr, args)
}
