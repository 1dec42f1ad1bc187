//! The cheapest node of every class: Knuth's generalisation of Dijkstra's algorithm over the AND/OR graph. A class is
//! settled after the children of its node, so that choices never form a cycle.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use egg::{Id, Language};
use flock_ir_spec::{Attr, Constant, Op, Type};

use crate::analysis::{constant, infer};
use crate::cost::Ask;
use crate::domain::key;
use crate::language::{Egraph, Enode, Head, Leaf};

/// Nodes that the search for better choices may visit.
const FLIPS: usize = 400_000;
/// Trees of shared nodes can cost more than a float holds; such sums stop here.
const MOST: f64 = 1e300;

/// What one application costs by itself; None where it cannot run.
pub fn own_cost(g: &Egraph<'_>, node: &Enode, scope: Option<&HashSet<Leaf>>) -> Option<f64> {
    let Head::Frame(op, _) = node.head else { return None };
    if let Some(leaf) = node.leaf() {
        return scope.is_none_or(|s| s.contains(&leaf)).then_some(0.0);
    }
    let ir = &g.analysis;
    match (op, node.attr()) {
        (Op::Const, _) => return Some(0.0),
        (Op::Call, Attr::Call { function, .. }) => {
            let f = ir.functions.iter().find(|f| f.name == *function)?;
            return (ir.placement == crate::Placement::Native).then(|| ir.cost.call(f, &ir.pool));
        }
        _ => {}
    }
    let args: Option<Vec<Type>> = node.children.iter().map(|c| g[*c].data.ty).collect();
    let args = args?;
    let out = infer(op, node.attr(), &args).ok()?;
    let trees = node.children.iter().find_map(|c| match constant(g, *c) {
        Some(Constant::Trees(t)) => Some(t),
        _ => None,
    });
    let ask = Ask { op, attr: node.attr(), out, args: &args, trees, placement: ir.placement };
    Some(ir.cost.op(&ask).max(0.001))
}

/// The chosen node of every class of frames that can be computed, and what its tree costs.
#[derive(Clone)]
pub struct Cheapest(HashMap<Id, (f64, Enode)>);

impl Cheapest {
    /// Chooses. With a scope only its leaves can be read. What `free` names is settled and costs nothing.
    pub fn new(g: &Egraph<'_>, scope: Option<&HashSet<Leaf>>, free: &HashMap<Id, Enode>) -> Cheapest {
        let mut parents: HashMap<Id, Vec<usize>> = HashMap::new();
        let mut nodes: Vec<(Id, &Enode, f64)> = Vec::new();
        let mut waiting: Vec<usize> = Vec::new();
        let mut heap = BinaryHeap::new();
        for class in g.classes() {
            for node in &class.nodes {
                if free.get(&class.id).is_some_and(|settled| settled != node) {
                    continue;
                }
                let Some(cost) = own_cost(g, node, scope) else { continue };
                let mut children: Vec<Id> = node.children.iter().map(|c| g.find(*c)).collect();
                children.sort_unstable();
                children.dedup();
                let i = nodes.len();
                children.iter().for_each(|c| parents.entry(*c).or_default().push(i));
                if children.is_empty() {
                    heap.push(Reverse((key(cost), i)));
                }
                waiting.push(children.len());
                nodes.push((class.id, node, cost));
            }
        }
        let mut chosen: HashMap<Id, (f64, Enode)> = HashMap::new();
        while let Some(Reverse((cost, i))) = heap.pop() {
            let (class, node, _) = nodes[i];
            if chosen.contains_key(&class) {
                continue;
            }
            chosen.insert(class, (crate::domain::unkey(cost), node.clone()));
            for p in parents.get(&class).into_iter().flatten() {
                waiting[*p] -= 1;
                if waiting[*p] == 0 {
                    let (_, node, own) = nodes[*p];
                    let below: f64 = node.children.iter().filter_map(|c| chosen.get(&g.find(*c))).map(|(c, _)| c).sum();
                    let cost = if free.contains_key(&nodes[*p].0) { 0.0 } else { (own + below).min(MOST) };
                    heap.push(Reverse((key(cost), *p)));
                }
            }
        }
        Cheapest(chosen)
    }

    /// Over the whole e-graph.
    pub fn of(g: &Egraph<'_>) -> Cheapest {
        Cheapest::new(g, None, &HashMap::new())
    }

    /// The node of a class.
    pub fn node(&self, g: &Egraph<'_>, class: Id) -> Option<&Enode> {
        self.0.get(&g.find(class)).map(|(_, n)| n)
    }

    /// A choice for these roots that shares more: what the choices have in common is free to the rest, then single
    /// choices are flipped while that makes the whole cheaper.
    pub fn improved(self, g: &Egraph<'_>, roots: &[Id], scope: Option<&HashSet<Leaf>>) -> Cheapest {
        let Some((order, total)) = self.measured(g, roots, scope) else { return self };
        let mut uses: HashMap<Id, usize> = HashMap::new();
        for class in &order {
            let children = self.node(g, *class).into_iter().flat_map(|n| n.children());
            children.for_each(|c| *uses.entry(g.find(*c)).or_default() += 1);
        }
        let shared = uses.into_iter().filter(|(_, n)| *n > 1).filter_map(|(c, _)| Some((c, self.node(g, c)?.clone())));
        let rerouted = Cheapest::new(g, scope, &shared.collect());
        let mut best = match rerouted.measured(g, roots, scope) {
            Some((_, t)) if t < total => rerouted,
            _ => self,
        };
        best.flip(g, roots, scope);
        best
    }

    fn measured(&self, g: &Egraph<'_>, roots: &[Id], scope: Option<&HashSet<Leaf>>) -> Option<(Vec<Id>, f64)> {
        let order = self.order(g, roots)?;
        let total = self.total(g, &order, scope)?;
        Some((order, total))
    }

    fn flip(&mut self, g: &Egraph<'_>, roots: &[Id], scope: Option<&HashSet<Leaf>>) {
        let Some((order, mut total)) = self.measured(g, roots, scope) else { return };
        let mut budget = FLIPS / order.len().max(1);
        for class in order.iter().rev() {
            let Some(mut chosen) = self.node(g, *class).cloned() else { continue };
            for node in &g[*class].nodes {
                if *node == chosen || budget == 0 || own_cost(g, node, scope).is_none() {
                    continue;
                }
                budget -= 1;
                self.choose(g, *class, node.clone());
                match self.measured(g, roots, scope) {
                    Some((_, t)) if t < total - 1e-9 => (total, chosen) = (t, node.clone()),
                    _ => self.choose(g, *class, chosen.clone()),
                }
            }
        }
    }

    /// Chooses another node for a class.
    fn choose(&mut self, g: &Egraph<'_>, class: Id, node: Enode) {
        if let Some(c) = self.0.get_mut(&g.find(class)) {
            c.1 = node;
        }
    }

    /// The classes below the roots, operands first; None where one cannot be computed or the choices form a cycle.
    pub fn order(&self, g: &Egraph<'_>, roots: &[Id]) -> Option<Vec<Id>> {
        let mut done = HashSet::new();
        let mut open = HashSet::new();
        let mut order = Vec::new();
        let mut stack: Vec<(Id, bool)> = roots.iter().rev().map(|r| (g.find(*r), false)).collect();
        while let Some((class, left)) = stack.pop() {
            if left {
                done.insert(class);
                open.remove(&class);
                order.push(class);
                continue;
            }
            if done.contains(&class) {
                continue;
            }
            if !open.insert(class) {
                return None;
            }
            stack.push((class, true));
            let node = self.node(g, class)?;
            stack.extend(node.children().iter().rev().map(|c| (g.find(*c), false)).filter(|(c, _)| !done.contains(c)));
        }
        Some(order)
    }

    /// What the classes below the roots cost, each once.
    pub fn total(&self, g: &Egraph<'_>, order: &[Id], scope: Option<&HashSet<Leaf>>) -> Option<f64> {
        order.iter().map(|c| own_cost(g, self.node(g, *c)?, scope)).sum()
    }
}
