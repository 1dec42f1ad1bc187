//! What holds where a frame is evaluated: on the rows of a relation, in a branch, behind a guard. Frames themselves stay
//! free of context: the pruned frame is another frame, and only the whole is equal.

use egg::Id;
use flock_ir_spec::{Attr, Op};

use super::rules;
use crate::analysis::add;
use crate::choose::Cheapest;
use crate::facts::Facts;
use crate::language::{Egraph, Enode, Head};
use crate::prune::prune;

rules! {
    /// A branch is evaluated where its condition is true, the other one where it is not.
    Bits "select-context":   [context Select] => { branches };
    /// A guarded value counts where the guard is true.
    Bits "guard-context":    [context Guard]  => { guarded };
    /// Frames over a relation need to be right on its rows alone: predicates prune trees, encodings and lookups.
    Bits "relation-context": (context Filter Project Aggregate Sort Join) => { on_rows };
}

/// Prunes a frame by facts, once per frame and facts.
fn pruned(g: &mut Egraph<'_>, best: &Cheapest, rule: &'static str, frame: Id, facts: &Facts) -> Option<Id> {
    let frame = g.find(frame);
    let facts = facts.about(|leaf| g[frame].data.free.binary_search(&leaf).is_ok());
    if !g.analysis.tried.insert((rule, frame, facts.clone())) {
        return None;
    }
    let new = prune(g, best, frame, &facts)?;
    let like =
        |a: Id, b: Id| g[a].data.frame().map(|t| (t.dtype, t.width)) == g[b].data.frame().map(|t| (t.dtype, t.width));
    like(new, frame).then_some(new)
}

fn branches(g: &mut Egraph<'_>, best: &Cheapest, _: Id, node: &Enode) -> Option<Id> {
    let [p, yes, no] = *node.children else { return None };
    let truth = g[p].data.truth.clone()?;
    let (in_yes, in_no) = (truth.yes.clone(), truth.not_true());
    let a = if in_yes.is_none() { None } else { pruned(g, best, "select-context", yes, &in_yes) };
    let b = if in_no.is_none() { None } else { pruned(g, best, "select-context", no, &in_no) };
    if a.is_none() && b.is_none() {
        return None;
    }
    add(g, Op::Select, Attr::None, &[p, a.unwrap_or(yes), b.unwrap_or(no)])
}

fn guarded(g: &mut Egraph<'_>, best: &Cheapest, _: Id, node: &Enode) -> Option<Id> {
    let [p, x] = *node.children else { return None };
    let facts = g[p].data.truth.as_ref()?.yes.clone();
    (!facts.is_none()).then_some(())?;
    let x = pruned(g, best, "guard-context", x, &facts)?;
    add(g, Op::Guard, Attr::None, &[p, x])
}

fn on_rows(g: &mut Egraph<'_>, best: &Cheapest, _: Id, node: &Enode) -> Option<Id> {
    let of = |i: usize| g[node.children[i]].data.facts.as_deref().cloned().unwrap_or_else(Facts::none);
    let facts = if let Head::Join(_) = node.head { of(0).meet(&of(1)) } else { of(0) };
    let mut children = node.children.to_vec();
    let mut changed = false;
    for frame in &mut children[node.inputs()..] {
        if let Some(new) = pruned(g, best, "relation-context", *frame, &facts) {
            (*frame, changed) = (new, true);
        }
    }
    changed.then(|| g.add(Enode::new(node.head.clone(), &children)))
}
