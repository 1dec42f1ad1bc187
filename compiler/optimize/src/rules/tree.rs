//! Tree ensembles without a context: what no row can reach, and columns that no test reads.

use egg::Id;
use flock_ir_spec::{Attr, Constant, Op};

use super::rules;
use super::shape::columns;
use crate::analysis::{add, add_constant, constant};
use crate::choose::Cheapest;
use crate::facts::Facts;
use crate::forward;
use crate::language::{Egraph, Enode};
use crate::prune;
use crate::tables;
use crate::trees;

rules! {
    /// Tests whose outcome follows from the tests above, or from what the columns can be at all, are not made.
    Bits "trees-reachable": [context Trees] => { reachable };
    /// A column that no test reads is not computed, where it is never null.
    Bits "trees-columns":   [context Trees] => { used_columns };
    /// Trees without tests are their base, where no column is null.
    Bits "trees-base":      [context Trees] => { base };
}

fn operands<'g>(g: &'g Egraph<'_>, node: &Enode) -> Option<(Id, &'g flock_ir_spec::TreeEnsemble)> {
    match constant(g, node.children[1])? {
        Constant::Trees(t) => Some((node.children[0], t)),
        Constant::Table(_) | Constant::Terms(_) => None,
    }
}

fn reachable(g: &mut Egraph<'_>, best: &Cheapest, _: Id, node: &Enode) -> Option<Id> {
    let (x, _) = operands(g, node)?;
    let domains = prune::columns(g, best, x, &Facts::none())?;
    let features = forward::features(g, node.children[1], &domains)?;
    let pruned = trees::prune(operands(g, node)?.1, &features)?;
    let ensemble = add_constant(g, pruned);
    add(g, Op::Trees, Attr::None, &[x, ensemble])
}

fn used_columns(g: &mut Egraph<'_>, best: &Cheapest, _: Id, node: &Enode) -> Option<Id> {
    let (x, t) = operands(g, node)?;
    let mut used = trees::used_features(t);
    if used.len() == t.features as usize {
        return None;
    }
    let domains = prune::columns(g, best, x, &Facts::none())?;
    // A null in any column makes the result null; one column stays where there would be none.
    let kept = |f: &u32| used.binary_search(f).is_ok() || domains.get(*f as usize).is_none_or(|d| d.null);
    used = (0..t.features).filter(kept).collect();
    if used.is_empty() {
        used.push(0);
    }
    if used.len() == t.features as usize {
        return None;
    }
    let narrow = trees::narrowed(t, &used);
    let narrow = add_constant(g, narrow);
    let x = columns(g, x, &used)?;
    add(g, Op::Trees, Attr::None, &[x, narrow])
}

fn base(g: &mut Egraph<'_>, best: &Cheapest, _: Id, node: &Enode) -> Option<Id> {
    let (x, t) = operands(g, node)?;
    t.trees.is_empty().then_some(())?;
    let row = tables::table(t.sum, 1, t.outputs as usize, t.base.clone())?;
    let domains = prune::columns(g, best, x, &Facts::none())?;
    domains.iter().all(|d| !d.null).then(|| add_constant(g, row))
}
