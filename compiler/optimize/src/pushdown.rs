//! Columns that nobody reads: scans read what is needed, projections compute it, aggregates keep it. A pass of its own,
//! from the result down.

use std::collections::{BTreeSet, HashMap};

use flock_ir_spec::{Attr, ColumnDef, ColumnId, Graph, NodeId, Op, Query, Rel, RelId};

/// The columns below each node, found once per node.
struct Reads<'q> {
    graph: &'q Graph,
}

impl Reads<'_> {
    fn add(&self, roots: impl IntoIterator<Item = NodeId>, into: &mut BTreeSet<ColumnId>) {
        let live = self.graph.reachable(roots);
        for (_, node) in self.graph.iter().filter(|(id, _)| live[id.index()]) {
            if let (Op::Column, Attr::Column(c)) = (node.op, &node.attr) {
                into.insert(*c);
            }
        }
    }
}

/// The query without columns that its result does not need, relations that nothing reads, and dead nodes.
pub fn columns(query: &Query) -> Query {
    let mut needed: Vec<BTreeSet<ColumnId>> = vec![BTreeSet::new(); query.rels.len()];
    let mut live = vec![false; query.rels.len()];
    live[query.root.index()] = true;
    needed[query.root.index()] = query.columns(query.root).iter().map(|c| c.id).collect();
    let mut rels = query.rels.clone();
    for i in (0..rels.len()).rev().filter(|i| *i < query.rels.len()) {
        if !live[i] {
            continue;
        }
        narrow(&mut rels[i], &needed[i]);
        for (input, wants) in demands(query, &rels[i], &needed[i]) {
            live[input.index()] = true;
            needed[input.index()].extend(wants);
        }
    }
    rebuilt(query, &rels, &live)
}

/// Keeps what is needed, one column where nothing is: a relation has columns.
fn narrow(rel: &mut Rel, needed: &BTreeSet<ColumnId>) {
    fn keep<T: Clone>(all: &mut Vec<T>, column: impl Fn(&T) -> &ColumnDef, needed: &BTreeSet<ColumnId>) {
        let first = all.first().cloned();
        all.retain(|x| needed.contains(&column(x).id));
        if all.is_empty() {
            all.extend(first);
        }
    }
    match rel {
        Rel::Scan { columns, .. } => keep(columns, |c| c, needed),
        Rel::Project { items, .. } => keep(items, |(c, _)| c, needed),
        Rel::Aggregate { keys, aggregates, .. } if keys.is_empty() => keep(aggregates, |a| &a.column, needed),
        Rel::Aggregate { aggregates, .. } => aggregates.retain(|a| needed.contains(&a.column.id)),
        _ => {}
    }
}

/// What a relation needs of each input.
fn demands(query: &Query, rel: &Rel, needed: &BTreeSet<ColumnId>) -> Vec<(RelId, BTreeSet<ColumnId>)> {
    let reads = Reads { graph: &query.graph };
    let all = |r: RelId| -> BTreeSet<ColumnId> { query.columns(r).iter().map(|c| c.id).collect() };
    let mut read = BTreeSet::new();
    reads.add(rel.frames(), &mut read);
    match rel {
        Rel::Scan { .. } => vec![],
        Rel::Project { input, .. } | Rel::Aggregate { input, .. } => vec![(*input, read)],
        Rel::Filter { input, .. } | Rel::Sort { input, .. } | Rel::Limit { input, .. } => {
            read.extend(needed);
            vec![(*input, read)]
        }
        Rel::Join { left, right, .. } => {
            read.extend(needed);
            [*left, *right].into_iter().map(|side| (side, all(side).intersection(&read).copied().collect())).collect()
        }
        // Every column takes part: equal rows, columns by position, text that is not read.
        Rel::Distinct { .. } | Rel::Union { .. } | Rel::Opaque { .. } => {
            rel.inputs().into_iter().map(|r| (r, all(r))).collect()
        }
    }
}

fn rebuilt(query: &Query, rels: &[Rel], live: &[bool]) -> Query {
    let roots: Vec<NodeId> = rels.iter().zip(live).filter(|(_, l)| **l).flat_map(|(r, _)| r.frames()).collect();
    let nodes = query.graph.reachable(roots);
    let copied = Graph::rebuild(&query.graph, &nodes, |g, _, n, args| g.add_like(n, args));
    let Ok((graph, became)) = copied else { return query.clone() };
    let mut numbers: HashMap<RelId, RelId> = HashMap::new();
    let mut out = Vec::new();
    for (i, rel) in rels.iter().enumerate().filter(|(i, _)| live[*i]) {
        let node = |n: &mut NodeId| *n = became[n.index()].unwrap_or(*n);
        let input = |r: &mut RelId| *r = numbers.get(r).copied().unwrap_or(*r);
        let mut rel = rel.clone();
        renumber(&mut rel, input, node);
        numbers.insert(RelId(i as u32), RelId(out.len() as u32));
        out.push(rel);
    }
    let root = numbers.get(&query.root).copied().unwrap_or(query.root);
    Query { name: query.name.clone(), graph, rels: out, root }
}

fn renumber(rel: &mut Rel, input: impl Fn(&mut RelId), node: impl Fn(&mut NodeId)) {
    match rel {
        Rel::Scan { .. } => {}
        Rel::Filter { input: r, predicate } => {
            input(r);
            node(predicate);
        }
        Rel::Project { input: r, items } => {
            input(r);
            items.iter_mut().for_each(|(_, n)| node(n));
        }
        Rel::Join { left, right, on, .. } => {
            input(left);
            input(right);
            on.iter_mut().for_each(node);
        }
        Rel::Aggregate { input: r, keys, aggregates } => {
            input(r);
            keys.iter_mut().for_each(|(_, n)| node(n));
            aggregates.iter_mut().filter_map(|a| a.arg.as_mut()).for_each(node);
        }
        Rel::Sort { input: r, keys } => {
            input(r);
            keys.iter_mut().for_each(|k| node(&mut k.key));
        }
        Rel::Limit { input: r, .. } | Rel::Distinct { input: r } => input(r),
        Rel::Union { inputs, .. } | Rel::Opaque { inputs, .. } => inputs.iter_mut().for_each(input),
    }
}
