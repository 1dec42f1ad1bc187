//! Relations: filters move towards the tables, projections merge. SQL that is carried and not read does not move: it
//! may fail, or give another value each time.

use std::collections::HashMap;

use egg::Id;
use flock_ir_spec::{Attr, ColumnDef, ColumnId, Frame, JoinKind, Op, Scalar};

use super::rules;
use crate::analysis::{add, add_constant, add_like, inherit_step, table};
use crate::choose::Cheapest;
use crate::language::{Egraph, Enode, Head, Leaf};

rules! {
    /// A row passes two filters where it passes their conjunction, in order.
    Bits "filter-filter":    (Filter)          => { merge };
    /// A filter that every row passes changes nothing.
    Bits "filter-true":      (Filter)          => { idle };
    /// A filter of computed columns is a filter of what they are computed from.
    Bits "filter-project":   (context Filter)  => { before_project };
    /// A conjunct over one side of a join filters that side, where the side keeps its rows; over both sides of an inner
    /// join it is part of the condition.
    Bits "filter-join":      (Filter)          => { into_join };
    /// A conjunct of a join's condition over one side filters that side, where rows without a partner are not kept.
    Bits "join-condition":   (Join)            => { out_of_condition };
    /// A filter of a union filters each input.
    Bits "filter-union":     (context Filter)  => { into_union };
    /// Filtering keeps the order of rows.
    Bits "filter-sort":      (Filter)          => { before_sort };
    /// Equal rows pass a filter alike, where it reads no floats: -0 and 0 are equal there, and a filter may tell.
    Bits "filter-distinct":  (Filter)          => { before_distinct };
    /// A filter of keys drops whole groups, where there are keys, and none of them floats.
    Bits "filter-aggregate": (context Filter)  => { before_aggregate };
    /// Computed columns of computed columns are computed at once.
    Bits "project-project":  (context Project) => { merge_projects };
    /// Columns need to be computed for the rows alone that a limit keeps.
    Bits "limit-project":    (Limit)           => { limit_first };
}

/// A node of that shape in the input of a relation, with its children.
fn below(g: &Egraph<'_>, input: Id, shape: impl Fn(&Head) -> bool) -> Option<(Head, Vec<Id>)> {
    let input = &g[input];
    let found = input.nodes.iter().find(|n| shape(&n.head) && n.children.iter().all(|c| g.find(*c) != input.id))?;
    Some((found.head.clone(), found.children.to_vec()))
}

fn rel(g: &mut Egraph<'_>, head: Head, children: &[Id]) -> Id {
    g.add(Enode::new(head, children))
}

fn conjuncts(g: &Egraph<'_>, predicate: Id) -> Vec<Id> {
    g[predicate].nodes.iter().find_map(|n| n.is(Op::And)).map_or_else(|| vec![predicate], <[Id]>::to_vec)
}

fn all(g: &mut Egraph<'_>, conjuncts: &[Id]) -> Option<Id> {
    match conjuncts {
        [] => Some(add_constant(g, Frame::row_bool([true]))),
        [one] => Some(*one),
        many => add(g, Op::And, Attr::None, many),
    }
}

fn columns(g: &Egraph<'_>, rel: Id) -> Vec<ColumnDef> {
    g[rel].data.columns.iter().flat_map(|c| c.iter().cloned()).collect()
}

/// Whether a frame reads columns of that relation alone, and can be moved.
fn over(g: &Egraph<'_>, frame: Id, rel: Id) -> bool {
    let within = |c: ColumnId| g[rel].data.columns.as_ref().is_some_and(|d| d.iter().any(|d| d.id == c));
    !g[frame].data.carried && g[frame].data.free.iter().all(|l| matches!(l, Leaf::Column(c) if within(*c)))
}

/// Whether a frame reads no floats.
fn without_floats(g: &Egraph<'_>, frame: Id) -> bool {
    g[frame].data.free.iter().all(|l| g.analysis.leaves.get(l).is_some_and(|t| !t.dtype.is_float()))
}

fn is_true(g: &Egraph<'_>, frame: Id) -> bool {
    table(g, frame).is_some_and(|t| t.get(0, 0) == Scalar::Bool(true))
}

/// A frame with other frames in place of columns; None where SQL is carried in it.
fn substitute(g: &mut Egraph<'_>, best: &Cheapest, frame: Id, by: &HashMap<ColumnId, Id>) -> Option<Id> {
    if g[frame].data.carried {
        return None;
    }
    let mut became: HashMap<Id, Id> = HashMap::new();
    for class in best.order(g, &[frame])? {
        let node = best.node(g, class)?.clone();
        let new = match node.leaf() {
            Some(Leaf::Column(c)) => *by.get(&c)?,
            _ => {
                let args: Vec<Id> = node.children.iter().map(|c| became[&g.find(*c)]).collect();
                add_like(g, &node, &args)?
            }
        };
        inherit_step(g, new, class);
        became.insert(class, new);
    }
    became.get(&g.find(frame)).copied()
}

/// What the columns of a projection stand for; None where SQL is carried in one.
fn definitions(g: &Egraph<'_>, columns: &[ColumnDef], items: &[Id]) -> Option<HashMap<ColumnId, Id>> {
    items.iter().all(|i| !g[*i].data.carried).then(|| columns.iter().map(|c| c.id).zip(items.iter().copied()).collect())
}

fn merge(g: &mut Egraph<'_>, node: &Enode) -> Option<Id> {
    let (_, inner) = below(g, node.children[0], |h| *h == Head::Filter)?;
    let conjuncts = [conjuncts(g, inner[1]), conjuncts(g, node.children[1])].concat();
    let both = all(g, &conjuncts)?;
    Some(rel(g, Head::Filter, &[inner[0], both]))
}

fn idle(g: &mut Egraph<'_>, node: &Enode) -> Option<Id> {
    is_true(g, node.children[1]).then_some(node.children[0])
}

fn before_project(g: &mut Egraph<'_>, best: &Cheapest, _: Id, node: &Enode) -> Option<Id> {
    let (head, inner) = below(g, node.children[0], |h| matches!(h, Head::Project(_)))?;
    let Head::Project(columns) = &head else { return None };
    let by = definitions(g, columns, &inner[1..])?;
    let predicate = substitute(g, best, node.children[1], &by)?;
    let filtered = rel(g, Head::Filter, &[inner[0], predicate]);
    Some(rel(g, head, &[&[filtered], &inner[1..]].concat()))
}

fn into_join(g: &mut Egraph<'_>, node: &Enode) -> Option<Id> {
    let (head, inner) = below(g, node.children[0], |h| matches!(h, Head::Join(_)))?;
    let Head::Join(kind) = head else { return None };
    let (left, right) = (inner[0], inner[1]);
    let keeps_left = !matches!(kind, JoinKind::Right | JoinKind::Full);
    let keeps_right = matches!(kind, JoinKind::Inner | JoinKind::Cross | JoinKind::Right);
    let (mut ls, mut rs, mut rest) = (vec![], vec![], vec![]);
    for c in conjuncts(g, node.children[1]) {
        if keeps_left && over(g, c, left) {
            ls.push(c);
        } else if keeps_right && over(g, c, right) {
            rs.push(c);
        } else {
            rest.push(c);
        }
    }
    let inner_join = matches!(kind, JoinKind::Inner | JoinKind::Cross);
    let (on, outside): (Vec<Id>, Vec<Id>) = rest.into_iter().partition(|c| inner_join && !g[*c].data.carried);
    if ls.is_empty() && rs.is_empty() && on.is_empty() {
        return None;
    }
    let side = |g: &mut Egraph<'_>, input: Id, conjuncts: &[Id]| match conjuncts {
        [] => Some(input),
        some => all(g, some).map(|p| rel(g, Head::Filter, &[input, p])),
    };
    let mut children = vec![side(g, left, &ls)?, side(g, right, &rs)?];
    let on = [inner.get(2).map(|p| conjuncts_of(g, *p)).unwrap_or_default(), on].concat();
    let kind = if kind == JoinKind::Cross && !on.is_empty() { JoinKind::Inner } else { kind };
    if kind != JoinKind::Cross {
        children.push(all(g, &on)?);
    }
    let joined = rel(g, Head::Join(kind), &children);
    side(g, joined, &outside)
}

/// The conjuncts of a condition without one that is always true.
fn conjuncts_of(g: &Egraph<'_>, predicate: Id) -> Vec<Id> {
    conjuncts(g, predicate).into_iter().filter(|c| !is_true(g, *c)).collect()
}

fn out_of_condition(g: &mut Egraph<'_>, node: &Enode) -> Option<Id> {
    let (Head::Join(kind), [left, right, on]) = (&node.head, &*node.children) else { return None };
    let into_left = matches!(kind, JoinKind::Inner | JoinKind::Right | JoinKind::Semi);
    let into_right = matches!(kind, JoinKind::Inner | JoinKind::Left | JoinKind::Semi | JoinKind::Anti);
    let (mut ls, mut rs, mut rest) = (vec![], vec![], vec![]);
    for c in conjuncts_of(g, *on) {
        let reads = !g[c].data.free.is_empty();
        if reads && into_left && over(g, c, *left) {
            ls.push(c);
        } else if reads && into_right && over(g, c, *right) {
            rs.push(c);
        } else {
            rest.push(c);
        }
    }
    if ls.is_empty() && rs.is_empty() {
        return None;
    }
    let mut children = Vec::new();
    for (input, conjuncts) in [(*left, ls), (*right, rs)] {
        children.push(match conjuncts.as_slice() {
            [] => input,
            some => {
                let p = all(g, some)?;
                rel(g, Head::Filter, &[input, p])
            }
        });
    }
    let kind = if *kind == JoinKind::Inner && rest.is_empty() { JoinKind::Cross } else { *kind };
    if kind != JoinKind::Cross {
        children.push(all(g, &rest)?);
    }
    Some(rel(g, Head::Join(kind), &children))
}

fn into_union(g: &mut Egraph<'_>, best: &Cheapest, _: Id, node: &Enode) -> Option<Id> {
    let (head, inputs) = below(g, node.children[0], |h| matches!(h, Head::Union(_)))?;
    let Head::Union(minted) = &head else { return None };
    let mut filtered = Vec::with_capacity(inputs.len());
    for input in inputs {
        let from = columns(g, input);
        let leaves: Vec<Id> = from.iter().map(|c| g.add(Enode::frame(Op::Column, Attr::Column(c.id), &[]))).collect();
        let by = minted.iter().map(|c| c.id).zip(leaves).collect();
        let predicate = substitute(g, best, node.children[1], &by)?;
        filtered.push(rel(g, Head::Filter, &[input, predicate]));
    }
    Some(rel(g, head, &filtered))
}

fn before_sort(g: &mut Egraph<'_>, node: &Enode) -> Option<Id> {
    let (head, inner) = below(g, node.children[0], |h| matches!(h, Head::Sort(_)))?;
    let filtered = rel(g, Head::Filter, &[inner[0], node.children[1]]);
    (!g[node.children[1]].data.carried).then(|| rel(g, head, &[&[filtered], &inner[1..]].concat()))
}

fn before_distinct(g: &mut Egraph<'_>, node: &Enode) -> Option<Id> {
    let (head, inner) = below(g, node.children[0], |h| *h == Head::Distinct)?;
    let predicate = node.children[1];
    (!g[predicate].data.carried && without_floats(g, predicate)).then_some(())?;
    let filtered = rel(g, Head::Filter, &[inner[0], predicate]);
    Some(rel(g, head, &[filtered]))
}

fn before_aggregate(g: &mut Egraph<'_>, best: &Cheapest, _: Id, node: &Enode) -> Option<Id> {
    let (head, inner) = below(g, node.children[0], |h| matches!(h, Head::Aggregate(..)))?;
    let Head::Aggregate(keys, _) = &head else { return None };
    if keys.is_empty() {
        return None;
    }
    let by = definitions(g, keys, &inner[1..=keys.len()])?;
    let can_move = |g: &Egraph<'_>, c: &Id| {
        !g[*c].data.carried
            && without_floats(g, *c)
            && g[*c].data.free.iter().all(|l| matches!(l, Leaf::Column(id) if by.contains_key(id)))
    };
    let (keyed, rest): (Vec<Id>, Vec<Id>) = conjuncts(g, node.children[1]).into_iter().partition(|c| can_move(g, c));
    if keyed.is_empty() {
        return None;
    }
    let predicate = all(g, &keyed)?;
    let best = if best.node(g, predicate).is_some() { best } else { &Cheapest::of(g) };
    let predicate = substitute(g, best, predicate, &by)?;
    let filtered = rel(g, Head::Filter, &[inner[0], predicate]);
    let grouped = rel(g, head, &[&[filtered], &inner[1..]].concat());
    if rest.is_empty() {
        return Some(grouped);
    }
    let rest = all(g, &rest)?;
    Some(rel(g, Head::Filter, &[grouped, rest]))
}

fn merge_projects(g: &mut Egraph<'_>, best: &Cheapest, _: Id, node: &Enode) -> Option<Id> {
    let (inner_head, inner) = below(g, node.children[0], |h| matches!(h, Head::Project(_)))?;
    let Head::Project(columns) = &inner_head else { return None };
    let by = definitions(g, columns, &inner[1..])?;
    let mut children = vec![inner[0]];
    for item in &node.children[1..] {
        children.push(substitute(g, best, *item, &by)?);
    }
    Some(rel(g, node.head.clone(), &children))
}

fn limit_first(g: &mut Egraph<'_>, node: &Enode) -> Option<Id> {
    let (head, inner) = below(g, node.children[0], |h| matches!(h, Head::Project(_)))?;
    let carried = inner[1..].iter().any(|i| g[*i].data.carried);
    let limited = rel(g, node.head.clone(), &inner[..1]);
    (!carried).then(|| rel(g, head, &[&[limited], &inner[1..]].concat()))
}
