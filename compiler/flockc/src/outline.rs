//! Models inside of an optimised query, taken out into functions that machine code can compute: what the optimiser made of
//! a model within its query (pruned trees, folded weights) is what runs.

use std::sync::Arc;

use flock_ir_spec::{
    Attr, ColumnDef, ColumnId, Function, Graph, Module, Node, NodeId, Op, Output, Param, Query, Rel, RelId, TypeError,
    Verified,
};

use crate::error::Result;

/// The query with the expressions that hold a model replaced by calls of new functions, one per relation.
pub fn outline(module: Verified, query: &str) -> Result<Verified> {
    let mut module = module.into_inner();
    let Some(at) = module.queries.iter().position(|q| *q.name == *query) else { return Ok(Verified::new(module)?) };
    let q = module.queries[at].clone();
    let mut graph = q.graph.clone();
    let mut rels = q.rels.clone();
    for (i, rel) in rels.iter_mut().enumerate() {
        let roots: Vec<NodeId> = rel
            .frames()
            .into_iter()
            .flat_map(|root| conjuncts(&q.graph, root))
            .filter(|r| holds_model(&q.graph, *r))
            .collect();
        if roots.is_empty() {
            continue;
        }
        let name = free_name(&module, &format!("{query}_{i}"));
        let (function, columns) = function(&q, RelId(i as u32), &name, &roots)?;
        let args: Vec<NodeId> = columns
            .iter()
            .map(|c| graph.add_leaf(Op::Column, Attr::Column(c.id), flock_ir_spec::Type::Frame(c.ty)))
            .collect();
        let calls = function.outputs.iter().zip(&roots).map(|(o, root)| {
            let ty = function.output_type(o).ok_or_else(|| fault("an output is no frame"))?;
            let attr = Attr::Call { function: name.clone(), output: o.name.clone(), ty };
            Ok((*root, graph.add(Op::Call, attr, &args).map_err(fault)?))
        });
        let calls: Vec<(NodeId, NodeId)> = calls.collect::<Result<_>>()?;
        replace(&mut graph, rel, &calls)?;
        module.functions.push(function);
    }
    module.queries[at] = Query { graph, rels, ..q }.without_dead_nodes();
    let called: Vec<Arc<str>> = module.queries[at]
        .graph
        .nodes()
        .iter()
        .filter_map(|n| if let Attr::Call { function, .. } = &n.attr { Some(function.clone()) } else { None })
        .collect();
    module.functions.retain(|f| called.contains(&f.name));
    module.drop_unused_constants();
    Ok(Verified::new(module)?)
}

fn fault(e: impl std::fmt::Display) -> crate::Error {
    crate::query::fault(e.to_string())
}

fn free_name(module: &Module, wanted: &str) -> Arc<str> {
    let mut name = wanted.to_owned();
    while module.function(&name).is_some() {
        name.push('_');
    }
    name.into()
}

/// The operands of a conjunction stay apart, so that the database can push the plain ones down.
fn conjuncts(graph: &Graph, root: NodeId) -> Vec<NodeId> {
    match graph.node(root) {
        Node { op: Op::And, args, .. } => args.to_vec(),
        _ => vec![root],
    }
}

/// Whether an expression computes something that SQL is slow at, and nothing that only SQL knows.
fn holds_model(graph: &Graph, root: NodeId) -> bool {
    use Op::*;
    let live = graph.reachable([root]);
    let ops = || graph.iter().filter(|(id, _)| live[id.index()]).map(|(_, n)| n.op);
    let heavy = |op: Op| {
        matches!(op, Trees | Leaves | Linear | Softmax | Normalize | Lookup | IndexOf | OneHot | Logistic | Bucketize)
    };
    let own = |op: Op| matches!(op, Opaque | Call);
    ops().any(heavy) && !ops().any(own)
}

/// A function of the columns that the roots read; output k is root k.
fn function(q: &Query, rel: RelId, name: &Arc<str>, roots: &[NodeId]) -> Result<(Function, Vec<ColumnDef>)> {
    let visible: Vec<ColumnDef> = q.rel(rel).inputs().into_iter().flat_map(|r| q.columns(r)).collect();
    let live = q.graph.reachable(roots.iter().copied());
    let mut columns: Vec<ColumnDef> = Vec::new();
    for (id, node) in q.graph.iter().filter(|(id, _)| live[id.index()]) {
        if let (Op::Column, Attr::Column(c), Some(ty)) = (node.op, &node.attr, q.graph.frame_type(id)) {
            let name = visible.iter().find(|v| v.id == *c).map_or_else(|| c.to_string().into(), |v| v.name.clone());
            if !columns.iter().any(|known| known.id == *c && known.ty == ty) {
                columns.push(ColumnDef { id: *c, name, ty });
            }
        }
    }
    let index = |id: &ColumnId, ty| columns.iter().position(|c| c.id == *id && c.ty == ty).unwrap_or(0) as u32;
    let copy = |g: &mut Graph, id: NodeId, node: &Node, args: &[NodeId]| match (
        &node.op,
        &node.attr,
        q.graph.frame_type(id),
    ) {
        (Op::Column, Attr::Column(c), Some(ty)) => {
            Ok::<_, TypeError>(g.add_leaf(Op::Input, Attr::Param(index(c, ty)), node.ty))
        }
        _ => g.add_like(node, args),
    };
    let (graph, became) = Graph::rebuild(&q.graph, &live, copy).map_err(fault)?;
    let params =
        columns.iter().enumerate().map(|(i, c)| Param { name: format!("{i}_{}", c.name).into(), ty: c.ty }).collect();
    let outputs = roots
        .iter()
        .enumerate()
        .filter_map(|(k, r)| Some(Output { name: format!("out_{k}").into(), node: became[r.index()]? }));
    Ok((Function { name: name.clone(), params, outputs: outputs.collect(), graph }, columns))
}

/// Puts the calls in the place of the roots, also below a conjunction.
fn replace(graph: &mut Graph, rel: &mut Rel, calls: &[(NodeId, NodeId)]) -> Result<()> {
    let call = |id: NodeId| calls.iter().find(|(root, _)| *root == id).map(|(_, c)| *c);
    let mut failed = None;
    rel.map_frames(|root| {
        if let Some(c) = call(root) {
            return c;
        }
        let node = graph.node(root).clone();
        if node.op != Op::And || !node.args.iter().any(|a| call(*a).is_some()) {
            return root;
        }
        let args: Vec<NodeId> = node.args.iter().map(|a| call(*a).unwrap_or(*a)).collect();
        graph.add(Op::And, Attr::None, &args).unwrap_or_else(|e| {
            failed = Some(e);
            root
        })
    });
    failed.map_or(Ok(()), |e| Err(fault(e)))
}
