//! Graphs and queries into the e-graph.

use std::collections::HashMap;
use std::sync::Arc;

use egg::Id;
use flock_ir_spec::{Attr, Composite, Function, Graph, Node, NodeId, Op, Pool, Query, Rel, Type};

use crate::analysis::add_like;
use crate::language::{AggregateHead, Egraph, Enode, Head, Leaf};

/// Adds what the roots need; `leaf` says what parameters and columns stand for. None where a type does not hold.
pub fn import(
    g: &mut Egraph<'_>,
    graph: &Graph,
    roots: &[NodeId],
    model: Option<&str>,
    leaf: impl Fn(&Node) -> Option<Id>,
) -> Option<Vec<Id>> {
    let live = graph.reachable(roots.iter().copied());
    let mut steps: HashMap<Option<u32>, Arc<str>> = HashMap::new();
    let mut ids: Vec<Option<Id>> = vec![None; live.len()];
    for (id, node) in graph.iter().filter(|(id, _)| live[id.index()]) {
        let class = match node.op {
            Op::Input | Op::Column => leaf(node)?,
            op => {
                let args: Option<Vec<Id>> = node.args.iter().map(|a| ids[a.index()]).collect();
                add_like(g, &Enode::frame(op, node.attr.clone(), &[]), &args?)?
            }
        };
        if g[class].data.step.is_none() && (node.step.is_some() || model.is_some()) {
            let path = steps.entry(node.step).or_insert_with(|| step_path(model, graph.step_of(id)).into());
            g[class].data.step = Some(path.clone());
        }
        ids[id.index()] = Some(class);
    }
    roots.iter().map(|r| ids[r.index()]).collect()
}

/// Steps of a model that is inlined stand under its name.
fn step_path(model: Option<&str>, step: Option<&str>) -> String {
    [model, step].into_iter().flatten().collect::<Vec<_>>().join(".")
}

/// The outputs of a function.
pub fn function(g: &mut Egraph<'_>, f: &Function) -> Option<Vec<Id>> {
    for (i, p) in f.params.iter().enumerate() {
        g.analysis.leaves.insert(Leaf::Param(i as u32), p.ty);
    }
    let params: Vec<Id> =
        (0..f.params.len() as u32).map(|i| g.add(Enode::frame(Op::Input, Attr::Param(i), &[]))).collect();
    let roots: Vec<NodeId> = f.outputs.iter().map(|o| o.node).collect();
    import(g, &f.graph, &roots, None, |leaf| match leaf.attr {
        Attr::Param(i) => params.get(i as usize).copied(),
        _ => None,
    })
}

/// The result of a query.
pub fn query(g: &mut Egraph<'_>, q: &Query) -> Option<Id> {
    for node in q.graph.nodes() {
        if let (Attr::Column(c), Type::Frame(ty)) = (&node.attr, node.ty) {
            let known = g.analysis.leaves.entry(Leaf::Column(*c)).or_insert(ty);
            known.nullable |= ty.nullable;
        }
    }
    for column in q.rels.iter().flat_map(Rel::minted) {
        g.analysis.leaves.entry(Leaf::Column(column.id)).or_insert(column.ty);
    }
    let roots: Vec<NodeId> = q.rels.iter().flat_map(Rel::frames).collect();
    let mut columns = HashMap::new();
    for node in q.graph.nodes().iter().filter(|n| n.op == Op::Column) {
        if let Attr::Column(c) = node.attr {
            columns.insert(c, g.add(Enode::frame(Op::Column, node.attr.clone(), &[])));
        }
    }
    let frames = import(g, &q.graph, &roots, None, |leaf| match leaf.attr {
        Attr::Column(c) => columns.get(&c).copied(),
        _ => None,
    })?;
    let mut frames = frames.into_iter();
    let mut rels: Vec<Id> = Vec::with_capacity(q.rels.len());
    for rel in &q.rels {
        let mut children: Vec<Id> = rel.inputs().iter().map(|r| rels[r.index()]).collect();
        children.extend(frames.by_ref().take(rel.frames().len()));
        rels.push(g.add(Enode::new(head(rel), &children)));
    }
    rels.get(q.root.index()).copied()
}

fn head(rel: &Rel) -> Head {
    match rel {
        Rel::Scan { table, columns } => Head::Scan(table.clone(), columns.as_slice().into()),
        Rel::Filter { .. } => Head::Filter,
        Rel::Project { items, .. } => Head::Project(items.iter().map(|(c, _)| c.clone()).collect()),
        Rel::Join { kind, .. } => Head::Join(*kind),
        Rel::Aggregate { keys, aggregates, .. } => {
            let heads = aggregates.iter().map(|a| AggregateHead {
                column: a.column.clone(),
                kind: a.kind,
                distinct: a.distinct,
                arg: a.arg.is_some(),
            });
            Head::Aggregate(keys.iter().map(|(c, _)| c.clone()).collect(), heads.collect())
        }
        Rel::Sort { keys, .. } => Head::Sort(keys.iter().map(|k| (k.descending, k.nulls_first)).collect()),
        Rel::Limit { count, offset, .. } => Head::Limit(*count, *offset),
        Rel::Distinct { .. } => Head::Distinct,
        Rel::Union { columns, .. } => Head::Union(columns.as_slice().into()),
        Rel::Opaque { sql, columns, .. } => Head::Opaque(sql.clone(), columns.as_slice().into()),
    }
}

/// The definition of a composite on these operands.
pub fn definition(g: &mut Egraph<'_>, composite: Composite, args: &[Id]) -> Option<Id> {
    let (mut graph, mut pool) = (Graph::default(), Pool::default());
    let mut inputs = Vec::new();
    for (i, a) in args.iter().enumerate() {
        let ty = Type::Frame(g[*a].data.frame()?);
        inputs.push(graph.add_leaf(Op::Input, Attr::Param(i as u32), ty));
    }
    let root = graph.add_expanded(&mut pool, composite, &inputs).ok()?;
    for (id, _) in pool.iter() {
        g.analysis.pool.share_from(&pool, id);
    }
    import(g, &graph, &[root], None, |leaf| match leaf.attr {
        Attr::Param(i) => args.get(i as usize).copied(),
        _ => None,
    })?
    .pop()
}
