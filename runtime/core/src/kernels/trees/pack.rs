//! Which trees become programs, and their tables.

use std::collections::HashMap;

use super::bins::Value;
use super::planes::{Choice, Growing, LEAF, Shape, Shared, Stretch, TestKey, share};
use super::run::Sizes;
use super::{EQUAL, IN, MISSING_LEFT, Node, TreesSpec, floats, pack_node};
use crate::blob::Blob;

/// Where in the table things are.
pub(super) struct Plan {
    pub stretches: u64,
    pub stretch_count: u64,
    pub bins: u64,
    pub bases: u64,
    pub thresholds: u64,
    pub values: u64,
    /// All 0 where no tree is a program.
    pub sizes: Sizes,
}

/// Masks of a stretch: 64 bytes each, so that they stay in the second-level cache.
const MASKS: usize = 8192;

/// A number that orders as floats do; both zeros are one.
fn order(x: f64) -> i64 {
    let bits = (x + 0.0).to_bits() as i64;
    bits ^ ((bits >> 63) as u64 >> 1) as i64
}

fn unordered(order: i64) -> f64 {
    f64::from_bits((order ^ ((order >> 63) as u64 >> 1) as i64) as u64)
}

/// A tree as a shape and, per leaf of it, the leaf of the ensemble; None where a program cannot do its tests.
fn shape<N: Node>(t: &TreesSpec<'_>, root: u32) -> Option<(Shape, Vec<u32>)> {
    let mut nodes: Vec<u32> = if root & LEAF == 0 { vec![root] } else { vec![] };
    let mut next = 0;
    while next < nodes.len() {
        let n = &t.nodes[nodes[next] as usize];
        next += 1;
        nodes.extend([n.left, n.right].into_iter().filter(|c| c & LEAF == 0));
        if nodes.len() > super::planes::LEAVES {
            return None;
        }
    }
    nodes.sort_unstable();
    // Who shares a node is no tree.
    if nodes.windows(2).any(|w| w[0] == w[1]) {
        return None;
    }
    let places: HashMap<u32, u32> = nodes.iter().enumerate().map(|(i, n)| (*n, i as u32)).collect();
    let mut leaves = Vec::new();
    let mut child = |c: u32| match places.get(&c) {
        Some(place) => *place,
        None => {
            leaves.push(c & !LEAF);
            LEAF | (leaves.len() as u32 - 1)
        }
    };
    if root & LEAF != 0 {
        child(root);
    }
    let choices: Option<Vec<Choice>> = nodes
        .iter()
        .map(|n| {
            let (threshold, test, left, right) = pack_node::<N>(&t.nodes[*n as usize]).parts();
            let (left, right) = (child(left), child(right));
            let threshold = threshold.wide();
            let fits = test & (EQUAL | IN) == 0 && !threshold.is_nan();
            let feature = test & !(EQUAL | IN | MISSING_LEFT);
            let test = TestKey { feature, order: order(threshold), missing: test & MISSING_LEFT != 0 };
            fits.then_some(Choice { test, left, right })
        })
        .collect();
    Some((Shape::new(choices?, leaves.len())?, leaves))
}

/// Writes the programs of an ensemble.
pub(super) fn programs<N: Node>(table: &mut Blob, t: &TreesSpec<'_>) -> Plan {
    let mut shapes: Vec<Option<(Shape, Vec<u32>)>> = t.trees.iter().map(|tree| shape::<N>(t, tree.root)).collect();
    if !worth(&shapes) {
        shapes.iter_mut().for_each(|s| *s = None);
    }
    let tests = || shapes.iter().flatten().flat_map(|(s, _)| s.nodes.iter().map(|n| n.test));
    let Some(shared) = share::<N::X>(tests(), |k| N::X::of(unordered(k.order))) else {
        return none(table);
    };
    if shapes.iter().all(Option::is_none) {
        return none(table);
    }
    let (stretches, values, planes) = stretches(table, t, shapes, &shared);
    let tables = &shared.tables;
    let ranks = tables.bins.iter().map(|b| b.count as usize + 1).max().unwrap_or(0);
    Plan {
        stretch_count: stretches.len() as u64,
        stretches: table.section(&stretches) as u64,
        bins: table.section(&tables.bins) as u64,
        bases: table.section(&tables.bases) as u64,
        thresholds: table.section(&tables.thresholds) as u64,
        values: floats(table, &values, t.sum_f64),
        sizes: Sizes { bins: tables.bins.len(), ranks, planes },
    }
}

fn none(table: &mut Blob) -> Plan {
    let at = table.section::<u64>(&[]) as u64;
    let sizes = Sizes { bins: 0, ranks: 0, planes: 0 };
    Plan { stretches: at, stretch_count: 0, bins: at, bases: at, thresholds: at, values: at, sizes }
}

/// Whether programs are faster than walks. Features are ranked once for all trees, which a single tree does not repay.
fn worth(shapes: &[Option<(Shape, Vec<u32>)>]) -> bool {
    shapes.iter().flatten().count() > 4
}

fn stretches<X: Value>(
    table: &mut Blob,
    t: &TreesSpec<'_>,
    shapes: Vec<Option<(Shape, Vec<u32>)>>,
    shared: &Shared<X>,
) -> (Vec<Stretch>, Vec<f64>, usize) {
    let (mut stretches, mut values, mut planes) = (Vec::new(), Vec::new(), 0);
    let (mut growing, mut first) = (Growing::new(), 0);
    let mut close = |growing: &mut Growing, first: usize, stretches: &mut Vec<Stretch>, table: &mut Blob| {
        if !growing.is_empty() {
            let (stretch, needs) = std::mem::replace(growing, Growing::new()).write(table, shared, first);
            stretches.push(stretch);
            planes = planes.max(needs);
        }
    };
    for (i, shape) in shapes.into_iter().enumerate() {
        let Some((shape, leaves)) = shape else {
            close(&mut growing, first, &mut stretches, table);
            match stretches.last_mut() {
                Some(s) if s.programs == 0 => s.end = i as u64 + 1,
                _ => stretches.push(Stretch { first: i as u64, end: i as u64 + 1, ..Stretch::default() }),
            }
            continue;
        };
        if !growing.fits(shape.nodes.len(), MASKS) {
            close(&mut growing, first, &mut stretches, table);
        }
        if growing.is_empty() {
            first = i;
        }
        let numbers = shape.number();
        let outputs = if t.trees[i].target.is_some() { 1 } else { t.outputs as usize };
        let start = values.len();
        values.resize(start + (outputs << shape.bits()), 0.0);
        for (number, leaf) in numbers.iter().zip(&leaves) {
            let from = t.leaves[*leaf as usize] as usize;
            (0..outputs).for_each(|k| values[start + (k << shape.bits()) + *number as usize] = t.values[from + k]);
        }
        growing.add(&shape, &numbers, start as u32, t.trees[i].target.map_or(0, |o| o + 1));
    }
    close(&mut growing, first, &mut stretches, table);
    (stretches, values, planes)
}
