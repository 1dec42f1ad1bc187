//! A frame where something is known of its leaves: what is always the same becomes constant, what never happens goes.

use std::collections::HashMap;

use egg::Id;
use flock_ir_spec::{Attr, Constant, DType, FrameBuilder, FrameType, Op, Scalar};

use crate::analysis::{add, add_constant, add_like, constant, inherit_step, table};
use crate::choose::Cheapest;
use crate::domain::{Domain, Values};
use crate::encoder::Encoder;
use crate::facts::Facts;
use crate::forward::{self, Domains, WIDEST};
use crate::language::{Egraph, Enode};
use crate::tables::{columns_of, rows_of};
use crate::trees;

/// What the columns of a frame may be, by the chosen representation.
pub fn columns(g: &Egraph<'_>, best: &Cheapest, root: Id, facts: &Facts) -> Option<Domains> {
    let mut known: HashMap<Id, Domains> = HashMap::new();
    for class in best.order(g, &[root])? {
        let node = best.node(g, class)?;
        let args = operands(g, &known, &node.children);
        if let Some(ty) = g[class].data.frame() {
            known.insert(class, forward::domains(g, node, ty, &args, facts));
        }
    }
    known.get(&g.find(root)).cloned()
}

fn operands(g: &Egraph<'_>, known: &HashMap<Id, Domains>, children: &[Id]) -> Vec<Domains> {
    children.iter().map(|c| known.get(&g.find(*c)).cloned().unwrap_or_else(|| Domains::from([]))).collect()
}

/// A frame that is equal to the given one wherever the facts hold; None where nothing is gained.
pub fn prune(g: &mut Egraph<'_>, best: &Cheapest, root: Id, facts: &Facts) -> Option<Id> {
    if facts.is_impossible() {
        return None;
    }
    let mut known: HashMap<Id, Domains> = HashMap::new();
    let mut became: HashMap<Id, Id> = HashMap::new();
    for class in best.order(g, &[root])? {
        let node = best.node(g, class)?.clone();
        let new: Vec<Id> = node.children.iter().map(|c| became[&g.find(*c)]).collect();
        let Some(ty) = g[class].data.frame() else {
            became.insert(class, class);
            continue;
        };
        let args = operands(g, &known, &node.children);
        let domains = forward::domains(g, &node, ty, &args, facts);
        let pruned = match fixed(g, &node, ty, &domains) {
            Some(constant) => constant,
            None => simpler(g, &node, &new, &args).or_else(|| add_like(g, &node, &new))?,
        };
        inherit_step(g, pruned, class);
        became.insert(class, pruned);
        known.insert(class, domains);
    }
    let found = became[&g.find(root)];
    (g.find(found) != g.find(root)).then_some(found)
}

/// The constant that a node always is.
fn fixed(g: &mut Egraph<'_>, node: &Enode, ty: FrameType, domains: &Domains) -> Option<Id> {
    if node.op() == Some(Op::Const) || ty.width > WIDEST || domains.len() != ty.width as usize {
        return None;
    }
    let zero_is_plus = matches!(node.op(), Some(Op::OneHot));
    let mut row = FrameBuilder::new(1, ty.with_nulls(false));
    for d in domains.iter() {
        let zero = zero_is_plus && *d == Domain::point(&Scalar::F64(0.0), ty.dtype);
        row.push(if zero { plus_zero(ty)? } else { d.constant()? });
    }
    Some(add_constant(g, row.finish()))
}

fn plus_zero(ty: FrameType) -> Option<Scalar> {
    match ty.dtype {
        DType::F32 => Some(Scalar::F32(0.0)),
        DType::F64 => Some(Scalar::F64(0.0)),
        _ => None,
    }
}

fn always(d: &Domain, outcome: bool) -> bool {
    d.constant() == Some(Scalar::Bool(outcome))
}

fn never(d: &Domain, outcome: bool) -> bool {
    matches!(&d.values, Values::Numbers(r) if !r.contains(i64::from(outcome)))
}

/// A simpler node with the pruned operands, where the domains of the old ones allow it.
fn simpler(g: &mut Egraph<'_>, node: &Enode, new: &[Id], args: &[Domains]) -> Option<Id> {
    let width = |g: &Egraph<'_>, i: usize| g[new[i]].data.width();
    let result = |g: &Egraph<'_>| (0..new.len()).map(|i| width(g, i)).max().unwrap_or(1);
    match node.op()? {
        Op::Select if args[0].iter().all(|d| always(d, true)) && width(g, 1) == result(g) => Some(new[1]),
        Op::Select if args[0].iter().all(|d| never(d, true)) && width(g, 2) == result(g) => Some(new[2]),
        Op::Coalesce if args[0].iter().all(|d| !d.null) && width(g, 0) == result(g) => {
            (!g[new[0]].data.frame()?.nullable).then_some(new[0])
        }
        Op::Guard if always(&args[0][0], true) => Some(new[1]),
        op @ (Op::And | Op::Or) => {
            let idle = |d: &Domains| d.iter().all(|d| always(d, op == Op::And));
            let kept: Vec<Id> = new.iter().zip(args).filter(|(_, d)| !idle(d)).map(|(c, _)| *c).collect();
            let same = kept.iter().map(|c| g[*c].data.width()).max() == Some(result(g));
            match kept.as_slice() {
                _ if kept.len() == new.len() || !same => None,
                [one] => Some(*one),
                many => add(g, op, Attr::None, many),
            }
        }
        Op::InSet => {
            let set = table(g, new[1])?;
            let dtype = set.dtype();
            let used: Vec<usize> = (0..set.len())
                .filter(|i| args[0].iter().any(|d| !d.meet(&Domain::point(&set.get_flat(*i), dtype)).is_empty()))
                .collect();
            if used.len() == set.len() || used.is_empty() {
                return None;
            }
            let set = columns_of(set, &used);
            let set = add_constant(g, set);
            add(g, Op::InSet, Attr::None, &[new[0], set])
        }
        Op::Lookup => dictionary(g, new, &args[0][0]),
        Op::Trees => {
            let features = forward::features(g, new[1], &args[0])?;
            let Some(Constant::Trees(t)) = constant(g, new[1]) else { return None };
            let pruned = trees::prune(t, &features)?;
            let ensemble = add_constant(g, pruned);
            add(g, Op::Trees, Attr::None, &[new[0], ensemble])
        }
        _ => None,
    }
}

/// A dictionary of what can be looked up: one row where the index is constant, else the rows that are reached.
fn dictionary(g: &mut Egraph<'_>, new: &[Id], index: &Domain) -> Option<Id> {
    let t = table(g, new[1])?;
    let reached: Vec<usize> = (0..t.rows).filter(|i| index.ranges().contains(*i as i64)).collect();
    if let Some(Scalar::I64(i)) = index.constant() {
        let one = rows_of(t, &[usize::try_from(i).ok().filter(|i| *i < t.rows)?]);
        return Some(add_constant(g, one));
    }
    if reached.len() == t.rows || reached.is_empty() {
        return None;
    }
    let rows = rows_of(t, &reached);
    let index = Encoder::of(g, new[0])?.select(g, &reached)?;
    let rows = add_constant(g, rows);
    add(g, Op::Lookup, Attr::None, &[index, rows])
}
