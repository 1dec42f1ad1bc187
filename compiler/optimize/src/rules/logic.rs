//! Three-valued logic and guards.

use egg::Id;
use flock_ir_spec::{Attr, Op, Scalar};

use super::rules;
use crate::analysis::{add, table};
use crate::language::{Egraph, Enode};

rules! {
    /// Conjunctions of conjunctions are one, each conjunct once, in order, without what is always true.
    Bits "and-flat":    [And]   => { and_flat };
    /// Disjunctions of disjunctions are one, each once, in order, without what is never true.
    Bits "or-flat":     [Or]    => { or_flat };
    /// A guard within a guard lets a row pass where both do.
    Bits "guard-guard": [Guard] => { guard_guard };
    /// A guard that lets every row pass changes nothing.
    Bits "guard-true":  "(guard ?p ?a)" => "?a" if yes(?p);
    /// A linear map of guarded values is the guarded map: null where the guard is not true, either way.
    Bits "guard-linear": "(linear (guard ?p ?x) ?w ?b)" => "(guard ?p (linear ?x ?w ?b))" if condition(?p);
}

fn yes(g: &Egraph<'_>, c: &[Id]) -> bool {
    table(g, c[0]).is_some_and(|t| (0..t.len()).all(|i| t.get_flat(i) == Scalar::Bool(true)))
}

fn condition(g: &Egraph<'_>, c: &[Id]) -> bool {
    g[c[0]].data.width() == 1
}

fn flat(g: &mut Egraph<'_>, node: &Enode, op: Op) -> Option<Id> {
    let mut all: Vec<Id> = Vec::new();
    for c in &node.children {
        let inner = g[*c].nodes.iter().find_map(|n| n.is(op)).map(<[Id]>::to_vec);
        for x in inner.unwrap_or_else(|| vec![*c]) {
            let idle = table(g, x).is_some_and(|t| (0..t.len()).all(|i| t.get_flat(i) == Scalar::Bool(op == Op::And)));
            if !idle && !all.contains(&g.find(x)) {
                all.push(g.find(x));
            }
        }
    }
    let width = |of: &[Id]| of.iter().map(|c| g[*c].data.width()).max();
    match all.as_slice() {
        [] => None,
        _ if width(&all) != width(&node.children) => None,
        [one] => Some(*one),
        many => add(g, op, Attr::None, many),
    }
}

fn and_flat(g: &mut Egraph<'_>, node: &Enode) -> Option<Id> {
    flat(g, node, Op::And)
}

fn or_flat(g: &mut Egraph<'_>, node: &Enode) -> Option<Id> {
    flat(g, node, Op::Or)
}

fn guard_guard(g: &mut Egraph<'_>, node: &Enode) -> Option<Id> {
    let (outer, inner) = (node.children[0], node.children[1]);
    let (p, x) = g[inner].nodes.iter().find_map(|n| n.is(Op::Guard)).map(|c| (c[0], c[1]))?;
    let both = if g.find(outer) == g.find(p) { p } else { add(g, Op::And, Attr::None, &[p, outer])? };
    add(g, Op::Guard, Attr::None, &[both, x])
}
