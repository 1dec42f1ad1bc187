//! Passes that every stage may want: composites into core operators, calls into the bodies of their functions.

use std::collections::HashMap;
use std::sync::Arc;

use crate::constant::Pool;
use crate::graph::{Graph, NodeId, TypeError};
use crate::module::{Function, Module, Output};
use crate::ops::{Attr, Composite, Op};

/// The same module with the composites that `keep` refuses replaced by their definitions.
#[must_use]
pub fn expand_composites(module: &Module, keep: &dyn Fn(Composite) -> bool) -> Module {
    let expand = |graph: &mut Graph, pool: &mut Pool, node: &crate::Node, args: &[NodeId]| match node.op {
        Op::Composite(c) if !keep(c) => graph.add_expanded(pool, c, args),
        _ => graph.add_like(node, args),
    };
    rewritten(module, |_, source, pool| rebuilt(source, pool, expand))
}

/// The same module with every call replaced by the body of the function that it names, its steps labelled
/// `function.step`. Functions stay, without calls in them. A call that a verified module cannot have (to no function,
/// no output, or a later function) stays as it is.
#[must_use]
pub fn inline_calls(module: &Module) -> Module {
    let mut index = HashMap::new();
    rewritten(module, |done, source, pool| {
        index.extend(done.iter().enumerate().skip(index.len()).map(|(i, f)| (f.name.clone(), i)));
        let mut inliner = Inliner { functions: done, index: &index, bodies: HashMap::new() };
        rebuilt(source, pool, |graph, _, node, args| inliner.node(graph, node, args))
    })
}

type Rebuilt = Result<(Graph, Vec<Option<NodeId>>), TypeError>;

/// Every graph of the module through `change`, which sees the functions that are done. A graph that does not fit its
/// records, which the verifier excludes, stays as it is.
fn rewritten(module: &Module, mut change: impl FnMut(&[Function], &Graph, &mut Pool) -> Rebuilt) -> Module {
    let mut out = Module { constants: module.constants.clone(), functions: Vec::new(), queries: Vec::new() };
    for f in &module.functions {
        let new = match change(&out.functions, &f.graph, &mut out.constants) {
            Ok((graph, became)) => with_graph(f, graph, &became),
            Err(_) => None,
        };
        out.functions.push(new.unwrap_or_else(|| f.clone()).without_dead_nodes());
    }
    for q in &module.queries {
        let new = match change(&out.functions, &q.graph, &mut out.constants) {
            Ok((graph, became)) => q.with_graph(graph, &became),
            Err(_) => None,
        };
        out.queries.push(new.unwrap_or_else(|| q.clone()).without_dead_nodes());
    }
    out.drop_unused_constants();
    out
}

fn rebuilt(
    source: &Graph,
    pool: &mut Pool,
    mut add: impl FnMut(&mut Graph, &mut Pool, &crate::Node, &[NodeId]) -> Result<NodeId, TypeError>,
) -> Rebuilt {
    let live = vec![true; source.nodes().len()];
    Graph::rebuild(source, &live, |graph, _, node, args| add(graph, pool, node, args))
}

fn with_graph(f: &Function, graph: Graph, became: &[Option<NodeId>]) -> Option<Function> {
    let output = |o: &Output| became.get(o.node.index()).copied().flatten().map(|node| Output { node, ..o.clone() });
    let outputs = f.outputs.iter().map(output).collect::<Option<_>>()?;
    Some(Function { name: f.name.clone(), params: f.params.clone(), graph, outputs })
}

/// A function's nodes in the caller's graph, for one list of operands.
type Body = Vec<Option<NodeId>>;

struct Inliner<'a> {
    /// Functions without calls.
    functions: &'a [Function],
    /// Where each is.
    index: &'a HashMap<Arc<str>, usize>,
    /// Bodies that are there already: outputs of one call share them.
    bodies: HashMap<(Arc<str>, Box<[NodeId]>), Body>,
}

impl Inliner<'_> {
    fn node(&mut self, graph: &mut Graph, node: &crate::Node, args: &[NodeId]) -> Result<NodeId, TypeError> {
        let Attr::Call { function, output, .. } = &node.attr else { return graph.add_like(node, args) };
        let Some(f) = self.index.get(function).and_then(|i| self.functions.get(*i)) else {
            return graph.add_like(node, args);
        };
        let (Some(output), true) = (f.output(output), f.params.len() == args.len()) else {
            return graph.add_like(node, args);
        };
        let key = (function.clone(), Box::from(args));
        if !self.bodies.contains_key(&key) {
            let body = inlined(graph, f, args)?;
            self.bodies.insert(key.clone(), body);
        }
        match self.bodies.get(&key).and_then(|b| b[output.node.index()]) {
            Some(id) => Ok(id),
            None => graph.add_like(node, args),
        }
    }
}

/// Adds the body of a function to a graph.
fn inlined(graph: &mut Graph, f: &Function, args: &[NodeId]) -> Result<Body, TypeError> {
    let before = graph.set_step(None);
    let mut body: Body = Vec::with_capacity(f.graph.nodes().len());
    let mut step = None;
    for (i, (id, node)) in f.graph.iter().enumerate() {
        if i == 0 || node.step != step {
            step = node.step;
            let path = match f.graph.step_of(id) {
                Some(path) => format!("{}.{path}", f.name),
                None => f.name.to_string(),
            };
            graph.set_step(Some(&path));
        }
        let operands: Vec<NodeId> = node.args.iter().filter_map(|a| body[a.index()]).collect();
        body.push(Some(match node.attr {
            Attr::Param(p) if node.op == Op::Input => *args
                .get(p as usize)
                .ok_or_else(|| TypeError { op: node.op.name(), why: format!("there is no parameter {p}") })?,
            _ => graph.add_like(node, &operands)?,
        }));
    }
    graph.set_step(before.as_deref());
    Ok(body)
}
