//! From the e-graph back to functions and queries: for each frame a representation within the scope of its relation,
//! for each relation the cheapest plan.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::sync::Arc;

use egg::Id;
use flock_ir_spec::{
    Aggregate, Attr, ColumnDef, Constant, DType, Data, Frame, FrameType, Function, Graph, JoinKind, NodeId, Op, Output,
    Pool, Query, Rel, RelId, SortKey, Type,
};

use crate::choose::Cheapest;
use crate::domain::{key, unkey};
use crate::language::{Egraph, Enode, Head, Leaf};

/// What was taken out, and its estimated cost: of a function in nanoseconds per row, of a query in nanoseconds.
pub struct Extracted<T> {
    /// The function or query.
    pub value: T,
    /// The estimate.
    pub cost: f64,
}

/// Writes chosen classes into a graph.
struct Writer<'g, 'a, 'p> {
    g: &'g Egraph<'a>,
    pool: &'p mut Pool,
    graph: Graph,
}

impl Writer<'_, '_, '_> {
    /// The nodes of the roots; `leaf` says a leaf's type.
    fn write(
        &mut self,
        best: &Cheapest,
        roots: &[Id],
        leaf: impl Fn(Leaf) -> Option<FrameType>,
    ) -> Option<Vec<NodeId>> {
        let order = best.order(self.g, roots)?;
        let steps = steps(self.g, best, &order);
        let mut written: HashMap<Id, NodeId> = HashMap::new();
        for class in order {
            let node = best.node(self.g, class)?;
            let (op, attr) = (node.op()?, node.attr().clone());
            self.graph.set_step(steps.get(&class).map(AsRef::as_ref));
            let id = match node.leaf() {
                Some(l) => self.graph.add_leaf(op, attr, Type::Frame(leaf(l)?)),
                None if op == Op::Const => {
                    let Attr::Const(c) = attr else { return None };
                    let constant = self.pool.share_from(&self.g.analysis.pool, c)?;
                    self.graph.add_leaf(op, attr, constant.ty())
                }
                None => {
                    let args: Option<Vec<NodeId>> =
                        node.children.iter().map(|c| written.get(&self.g.find(*c)).copied()).collect();
                    self.add(op, attr, &args?)?
                }
            };
            written.insert(class, id);
        }
        self.graph.set_step(None);
        roots.iter().map(|r| written.get(&self.g.find(*r)).copied()).collect()
    }

    /// An operator whose attribute follows its operand's nulls.
    fn add(&mut self, op: Op, attr: Attr, args: &[NodeId]) -> Option<NodeId> {
        let from = args.first().and_then(|a| self.graph.frame_type(*a));
        let attr = match (op, attr, from) {
            (Op::Cast | Op::OneHot, Attr::Type(t), Some(from)) => {
                let partial = op == Op::Cast && from.dtype.is_float() && t.dtype == DType::I64;
                Attr::Type(t.with_nulls(from.nullable || partial))
            }
            (_, attr, _) => attr,
        };
        self.graph.add(op, attr, args).ok()
    }

    fn constant(&mut self, table: Frame) -> NodeId {
        self.graph.add_constant(self.pool, Constant::Table(table))
    }

    /// The node as a value of that type: what is never null may be represented by what could be, or by less.
    fn fit(&mut self, node: NodeId, wanted: FrameType, exactly: bool) -> Option<NodeId> {
        let found = self.graph.frame_type(node)?;
        if found == wanted || (!exactly && found.fits(wanted)) {
            return Some(node);
        }
        if found.fits(wanted) {
            let yes = self.constant(Frame::row_bool([true]));
            return self.add(Op::Guard, Attr::None, &[yes, node]);
        }
        let zero = self.constant(zero(wanted.dtype)?);
        self.add(Op::Coalesce, Attr::None, &[node, zero])
    }
}

fn zero(dtype: DType) -> Option<Frame> {
    let data = match dtype {
        DType::Bool => Data::Bool(vec![false]),
        DType::I64 => Data::I64(vec![0]),
        DType::F32 => Data::F32(vec![0.0]),
        DType::F64 => Data::F64(vec![0.0]),
        DType::Str => Data::Str(vec!["".into()]),
    };
    Frame::new(1, 1, data)
}

/// The step of every class: its own, else that of the first that uses it.
fn steps(g: &Egraph<'_>, best: &Cheapest, order: &[Id]) -> HashMap<Id, Arc<str>> {
    let mut steps: HashMap<Id, Arc<str>> = HashMap::new();
    for class in order.iter().rev() {
        if let Some(own) = &g[*class].data.step {
            steps.insert(*class, own.clone());
        }
        if let (Some(step), Some(node)) = (steps.get(class).cloned(), best.node(g, *class)) {
            for child in &node.children {
                steps.entry(g.find(*child)).or_insert_with(|| step.clone());
            }
        }
    }
    steps
}

/// The function with these classes as its outputs.
pub fn function(g: &Egraph<'_>, f: &Function, roots: &[Id], pool: &mut Pool) -> Option<Extracted<Function>> {
    let best = Cheapest::of(g).improved(g, roots, None);
    let order = best.order(g, roots)?;
    let cost = best.total(g, &order, None)?;
    let mut writer = Writer { g, pool, graph: Graph::default() };
    let nodes = writer.write(&best, roots, |l| match l {
        Leaf::Param(i) => f.params.get(i as usize).map(|p| p.ty),
        Leaf::Column(_) => None,
    })?;
    let mut outputs = Vec::with_capacity(nodes.len());
    for (output, node) in f.outputs.iter().zip(nodes) {
        let wanted = f.output_type(output)?;
        outputs.push(Output { name: output.name.clone(), node: writer.fit(node, wanted, true)? });
    }
    let value = Function { graph: writer.graph, outputs, ..f.clone() };
    Some(Extracted { value, cost })
}

/// The plan of every relation: its node, what it costs and how many rows it is thought to give.
struct Plans {
    chosen: HashMap<Id, (Enode, f64, f64)>,
}

/// The representations of the frames of a relation: the common choice where that stays within its scope.
fn scoped<'b>(g: &Egraph<'_>, common: &'b Cheapest, node: &Enode) -> std::borrow::Cow<'b, Cheapest> {
    let frames = &node.children[node.inputs()..];
    let scope = scope(g, node);
    let inside = |order: Vec<Id>| {
        order.iter().all(|c| common.node(g, *c).and_then(Enode::leaf).is_none_or(|l| scope.contains(&l)))
    };
    if common.order(g, frames).is_some_and(inside) {
        return std::borrow::Cow::Borrowed(common);
    }
    std::borrow::Cow::Owned(Cheapest::new(g, Some(&scope), &HashMap::new()))
}

/// The leaves that frames of a relation may read.
fn scope(g: &Egraph<'_>, node: &Enode) -> HashSet<Leaf> {
    let inputs = node.children[..node.inputs()].iter();
    inputs.flat_map(|i| g[*i].data.columns.iter().flat_map(|c| c.iter())).map(|c| Leaf::Column(c.id)).collect()
}

/// The share of rows that pass, as long as nobody knows better.
fn selectivity(g: &Egraph<'_>, best: &Cheapest, predicate: Id, depth: u32) -> f64 {
    let Some(node) = best.node(g, predicate).filter(|_| depth > 0) else { return 0.3 };
    let of = |i: usize| selectivity(g, best, node.children[i], depth - 1);
    match node.op() {
        Some(Op::And) => (0..node.children.len()).map(of).product(),
        Some(Op::Or) => 1.0 - (0..node.children.len()).map(|i| 1.0 - of(i)).product::<f64>(),
        Some(Op::Not) => 1.0 - of(0),
        Some(Op::Eq) => 0.1,
        Some(Op::InSet) => 0.2,
        Some(Op::Const) => 1.0,
        _ => 0.3,
    }
}

impl Plans {
    /// The cheapest node of every relation, settled from the scans up.
    fn new(g: &Egraph<'_>, common: &Cheapest) -> Plans {
        let mut parents: HashMap<Id, Vec<usize>> = HashMap::new();
        let (mut nodes, mut waiting, mut heap) = (Vec::new(), Vec::new(), BinaryHeap::new());
        let mut plans = Plans { chosen: HashMap::new() };
        for class in g.classes() {
            for node in class.nodes.iter().filter(|n| n.op().is_none()) {
                let mut inputs: Vec<Id> = node.children[..node.inputs()].iter().map(|c| g.find(*c)).collect();
                inputs.sort_unstable();
                inputs.dedup();
                inputs.iter().for_each(|c| parents.entry(*c).or_default().push(nodes.len()));
                waiting.push(inputs.len());
                nodes.push((class.id, node));
                if let (true, Some((cost, rows))) = (inputs.is_empty(), plans.own(g, common, node)) {
                    heap.push(Reverse((key(cost), nodes.len() - 1, key(rows))));
                }
            }
        }
        while let Some(Reverse((cost, i, rows))) = heap.pop() {
            let (class, node) = nodes[i];
            if plans.chosen.contains_key(&class) {
                continue;
            }
            plans.chosen.insert(class, (node.clone(), unkey(cost), unkey(rows)));
            for p in parents.get(&class).into_iter().flatten() {
                waiting[*p] -= 1;
                if let (0, Some((own, rows))) = (waiting[*p], plans.own(g, common, nodes[*p].1)) {
                    let node = nodes[*p].1;
                    let below: f64 =
                        node.children[..node.inputs()].iter().filter_map(|c| plans.of(g, *c)).map(|p| p.1).sum();
                    heap.push(Reverse((key((own + below).min(1e300)), *p, key(rows))));
                }
            }
        }
        plans
    }

    fn of(&self, g: &Egraph<'_>, class: Id) -> Option<&(Enode, f64, f64)> {
        self.chosen.get(&g.find(class))
    }

    /// What a node costs on top of its inputs, and the rows that it gives.
    fn own(&self, g: &Egraph<'_>, common: &Cheapest, node: &Enode) -> Option<(f64, f64)> {
        let inputs: Option<Vec<f64>> = node.children[..node.inputs()].iter().map(|c| Some(self.of(g, *c)?.2)).collect();
        let inputs = inputs?;
        let frames = &node.children[node.inputs()..];
        let best = scoped(g, common, node);
        let scope = scope(g, node);
        let order = best.order(g, frames)?;
        let per_row = best.total(g, &order, Some(&scope))?;
        let rows: f64 = inputs.iter().sum();
        let model = g.analysis.cost;
        let cost = |name: &str, times: f64| times * (model.relation(name) + per_row);
        Some(match &node.head {
            Head::Scan(table, columns) => {
                let rows = model.rows(table);
                (rows * (1.0 + 0.1 * columns.len() as f64), rows)
            }
            Head::Filter => (cost("filter", rows), rows * selectivity(g, &best, frames[0], 8)),
            Head::Project(_) => (cost("project", rows), rows),
            Head::Join(kind) => {
                let (l, r) = (inputs[0], inputs[1]);
                let pairs = if *kind == JoinKind::Cross { l * r } else { l.max(r) };
                let given = if kind.keeps_right() { pairs } else { l * 0.5 };
                (cost("join", pairs) + model.relation("join") * 5.0 * (l + r), given)
            }
            Head::Aggregate(keys, _) => {
                (cost("aggregate", rows) * 3.0, if keys.is_empty() { 1.0 } else { rows.sqrt().max(1.0) })
            }
            Head::Sort(_) => (cost("sort", rows) + rows * rows.max(2.0).log2() * 5.0, rows),
            Head::Limit(count, _) => (0.0, count.map_or(rows, |c| rows.min(c as f64))),
            Head::Distinct => (cost("distinct", rows) * 10.0, rows * 0.5),
            Head::Union(_) => (cost("union", rows), rows),
            Head::Opaque(..) => (cost("opaque", rows.max(1e6)), rows.max(1e6)),
            Head::Frame(..) => return None,
        })
    }

    /// The relations below the root, inputs first.
    fn order(&self, g: &Egraph<'_>, root: Id) -> Option<Vec<Id>> {
        let (mut order, mut done, mut stack) = (Vec::new(), HashSet::new(), vec![(g.find(root), false)]);
        while let Some((class, left)) = stack.pop() {
            if done.contains(&class) {
                continue;
            }
            if left {
                done.insert(class);
                order.push(class);
                continue;
            }
            stack.push((class, true));
            let (node, ..) = self.of(g, class)?;
            stack.extend(node.children[..node.inputs()].iter().rev().map(|c| (g.find(*c), false)));
        }
        Some(order)
    }
}

/// The query with that class as its result.
pub fn query(g: &Egraph<'_>, q: &Query, root: Id, pool: &mut Pool) -> Option<Extracted<Query>> {
    let common = Cheapest::of(g);
    let plans = Plans::new(g, &common);
    let cost = plans.of(g, root)?.1;
    let mut writer = Writer { g, pool, graph: Graph::default() };
    let mut ids: HashMap<Id, RelId> = HashMap::new();
    let mut rels = Vec::new();
    for class in plans.order(g, root)? {
        let (node, ..) = plans.of(g, class)?;
        let inputs: Option<Vec<RelId>> =
            node.children[..node.inputs()].iter().map(|c| ids.get(&g.find(*c)).copied()).collect();
        let rel = relation(&mut writer, &common, node, &inputs?)?;
        ids.insert(class, RelId(rels.len() as u32));
        rels.push(rel);
    }
    let root = *ids.get(&g.find(root))?;
    Some(Extracted { value: Query { name: q.name.clone(), graph: writer.graph, rels, root }, cost })
}

fn relation(writer: &mut Writer<'_, '_, '_>, common: &Cheapest, node: &Enode, inputs: &[RelId]) -> Option<Rel> {
    let g = writer.g;
    let roots = &node.children[node.inputs()..];
    let columns: Vec<&ColumnDef> =
        node.children[..node.inputs()].iter().flat_map(|i| g[*i].data.columns.iter().flat_map(|c| c.iter())).collect();
    let types: HashMap<Leaf, FrameType> = columns.into_iter().map(|c| (Leaf::Column(c.id), c.ty)).collect();
    let best = scoped(g, common, node).into_owned().improved(g, roots, Some(&scope(g, node)));
    let frames = writer.write(&best, roots, |l| types.get(&l).copied())?;
    let mut items = |columns: &[ColumnDef], frames: &[NodeId]| -> Option<Vec<(ColumnDef, NodeId)>> {
        columns.iter().zip(frames).map(|(c, n)| Some((c.clone(), writer.fit(*n, c.ty, false)?))).collect()
    };
    let input = inputs.first().copied();
    Some(match &node.head {
        Head::Scan(table, columns) => Rel::Scan { table: table.clone(), columns: columns.to_vec() },
        Head::Filter => Rel::Filter { input: input?, predicate: *frames.first()? },
        Head::Project(columns) => Rel::Project { input: input?, items: items(columns, &frames)? },
        Head::Join(kind) => {
            Rel::Join { kind: *kind, left: input?, right: *inputs.get(1)?, on: frames.first().copied() }
        }
        Head::Aggregate(keys, heads) => {
            let mut args = frames[keys.len()..].iter().copied();
            let keys = items(keys, &frames[..keys.len()])?;
            let aggregates = heads.iter().map(|h| Aggregate {
                column: h.column.clone(),
                kind: h.kind,
                distinct: h.distinct,
                arg: if h.arg { args.next() } else { None },
            });
            Rel::Aggregate { input: input?, keys, aggregates: aggregates.collect() }
        }
        Head::Sort(how) => {
            let key = |(n, (descending, nulls_first)): (&NodeId, &(bool, bool))| SortKey {
                key: *n,
                descending: *descending,
                nulls_first: *nulls_first,
            };
            Rel::Sort { input: input?, keys: frames.iter().zip(how.iter()).map(key).collect() }
        }
        Head::Limit(count, offset) => Rel::Limit { input: input?, count: *count, offset: *offset },
        Head::Distinct => Rel::Distinct { input: input? },
        Head::Union(columns) => Rel::Union { inputs: inputs.to_vec(), columns: columns.to_vec() },
        Head::Opaque(sql, columns) => {
            Rel::Opaque { sql: sql.clone(), inputs: inputs.to_vec(), columns: columns.to_vec() }
        }
        Head::Frame(..) => return None,
    })
}
