//! Which form each tree takes, and the tables of all forms.

use std::collections::HashMap;

use super::bins::{MOST, Value};
use super::deep::Deep;
use super::few::{self, Few};
use super::planes::{Choice, Growing, LEAF, LEAVES, ROWS, Shape, Shared, Stretch, TestKey, share};
use super::run::Sizes;
use super::{EQUAL, IN, MISSING_LEFT, Node, TreesSpec, floats, pack_node};
use crate::blob::Blob;

/// Where in the table things are.
pub(super) struct Plan {
    pub stretches: u64,
    /// 0 where all trees are walked with all that there may be.
    pub stretch_count: u64,
    pub bins: u64,
    pub bases: u64,
    pub thresholds: u64,
    pub values: u64,
    pub deep: [u64; 5],
    pub few: Few,
    /// Per tree, its least leaf where few rows take its steps.
    pub least: Vec<Option<u32>>,
    pub sizes: Sizes,
}

/// Masks of a stretch: 64 bytes each, so that they stay in the second-level cache.
const MASKS: usize = 8192;
/// Programs up to which they are not worth what all of them share: the ranks of the features.
const FEW: usize = 4;
/// Features up to which there are walks side by side.
const FEATURES: usize = 1 << 20;

/// A number that orders as floats do; both zeros are one.
fn order(x: f64) -> i64 {
    let bits = (x + 0.0).to_bits() as i64;
    bits ^ ((bits >> 63) as u64 >> 1) as i64
}

fn unordered(order: i64) -> f64 {
    f64::from_bits((order ^ ((order >> 63) as u64 >> 1) as i64) as u64)
}

/// What becomes of a tree.
enum Form {
    /// It is walked with all that there may be.
    Walked,
    /// It has so many leaves, and is walked side by side.
    Deep(usize),
    Program(Shape, Vec<u32>),
}

/// Whether a node asks `x <= threshold` and nothing else.
fn is_plain<N: Node>(n: &N) -> bool {
    let (threshold, test, ..) = n.parts();
    test & (EQUAL | IN) == 0 && !threshold.wide().is_nan()
}

/// The nodes of a tree in ascending order; None where one has two parents.
fn reachable(t: &TreesSpec<'_>, root: u32) -> Option<Vec<u32>> {
    let mut nodes: Vec<u32> = if root & LEAF == 0 { vec![root] } else { vec![] };
    let mut next = 0;
    while next < nodes.len() {
        let n = &t.nodes[nodes[next] as usize];
        next += 1;
        nodes.extend([n.left, n.right].into_iter().filter(|c| c & LEAF == 0));
        if nodes.len() > t.nodes.len() {
            return None;
        }
    }
    nodes.sort_unstable();
    nodes.windows(2).all(|w| w[0] != w[1]).then_some(nodes)
}

/// A tree as a shape and, per leaf of it, the leaf of the ensemble.
fn shape<N: Node>(t: &TreesSpec<'_>, root: u32, nodes: &[u32]) -> Option<(Shape, Vec<u32>)> {
    let mut leaves = Vec::new();
    let mut child = |c: u32| {
        if c & LEAF == 0 {
            return nodes.binary_search(&c).unwrap_or(0) as u32;
        }
        leaves.push(c & !LEAF);
        LEAF | (leaves.len() as u32 - 1)
    };
    if root & LEAF != 0 {
        child(root);
    }
    let choice = |n: &u32| {
        let (threshold, test, left, right) = pack_node::<N>(&t.nodes[*n as usize]).parts();
        let (left, right) = (child(left), child(right));
        let (feature, missing) = (test & !(EQUAL | IN | MISSING_LEFT), test & MISSING_LEFT != 0);
        Choice { test: TestKey { feature, order: order(threshold.wide()), missing }, left, right }
    };
    let choices: Vec<Choice> = nodes.iter().map(choice).collect();
    let leaf_count = leaves.len();
    Some((Shape::new(choices, leaf_count)?, leaves))
}

fn form<N: Node>(t: &TreesSpec<'_>, root: u32) -> Form {
    let Some(nodes) = reachable(t, root) else { return Form::Walked };
    if !nodes.iter().all(|n| is_plain(&pack_node::<N>(&t.nodes[*n as usize]))) {
        return Form::Walked;
    }
    // Measured: a program takes 8 cycles for a node and 512 rows, a walk about 2 for a level and row.
    let program = if nodes.len() < LEAVES { shape::<N>(t, root, &nodes) } else { None };
    program.map_or(Form::Deep(nodes.len() + 1), |(shape, leaves)| Form::Program(shape, leaves))
}

fn forms<N: Node>(t: &TreesSpec<'_>) -> Vec<Form> {
    let mut forms: Vec<Form> = t.trees.iter().map(|tree| form::<N>(t, tree.root)).collect();
    let programs = forms.iter().filter(|f| matches!(f, Form::Program(..))).count();
    let programs = programs > FEW && most_tests(&forms) <= MOST;
    let columns = columns::<N>(t);
    for f in &mut forms {
        let leaves = match f {
            Form::Program(shape, _) if !programs => shape.leaves,
            Form::Program(..) | Form::Walked => continue,
            Form::Deep(leaves) => *leaves,
        };
        // A tree without a node has no walk.
        let fits = leaves > 1 && columns.is_some_and(|c| Deep::<N::X>::fits(leaves.max(LEAVES), c));
        *f = if fits { Form::Deep(leaves) } else { Form::Walked };
    }
    forms
}

/// Columns that walks over all nodes would read: features, apart where NaN goes left; None where there are too many.
fn columns<N: Node>(t: &TreesSpec<'_>) -> Option<usize> {
    let most = t.nodes.iter().map(|n| n.feature as usize).max()?;
    let mut read = vec![false; 2 * (most + 1).min(FEATURES)];
    for n in t.nodes {
        let low = pack_node::<N>(n).parts().1 & MISSING_LEFT != 0;
        *read.get_mut(2 * n.feature as usize + usize::from(low))? = true;
    }
    Some(read.iter().filter(|r| **r).count())
}

/// The tests of the programs on the feature that has most, equal ones counted again.
fn most_tests(forms: &[Form]) -> usize {
    let mut counts: HashMap<u32, usize> = HashMap::new();
    forms
        .iter()
        .filter_map(Form::shape)
        .flat_map(|s| &s.nodes)
        .for_each(|n| *counts.entry(n.test.feature).or_default() += 1);
    counts.into_values().max().unwrap_or(0)
}

impl Form {
    fn shape(&self) -> Option<&Shape> {
        if let Form::Program(s, _) = self { Some(s) } else { None }
    }
}

/// The tables as they grow.
struct Packing<'a, X> {
    t: &'a TreesSpec<'a>,
    shared: Shared<X>,
    stretches: Vec<Stretch>,
    growing: Growing,
    /// The first tree of what grows.
    first: usize,
    /// Leaf values by number, tree by tree.
    values: Vec<f64>,
    planes: usize,
    ranks: usize,
    deep: Deep<X>,
    /// See [`columns`].
    columns: Option<usize>,
}

/// Plans an ensemble's trees.
pub(super) fn plan<N: Node>(table: &mut Blob, t: &TreesSpec<'_>) -> Plan {
    let forms = forms::<N>(t);
    let tests = forms.iter().filter_map(Form::shape).flat_map(|s| s.nodes.iter().map(|n| n.test));
    let mut p = Packing {
        t,
        shared: share::<N::X>(tests, |k| N::X::of(unordered(k.order))),
        stretches: Vec::new(),
        growing: Growing::new(),
        first: 0,
        values: Vec::new(),
        planes: 0,
        ranks: 0,
        deep: Deep::new(),
        columns: columns::<N>(t),
    };
    for (i, form) in forms.into_iter().enumerate() {
        p.add::<N>(table, i, form);
    }
    p.close(table);
    let few = few::pack::<N>(table, t, &p.stretches, &p.shared.tables);
    p.finish(table, few)
}

impl<X: Value> Packing<'_, X> {
    fn add<N: Node<X = X>>(&mut self, table: &mut Blob, tree: usize, form: Form) {
        let form = match form {
            Form::Program(shape, leaves) => match self.program(table, tree, &shape, &leaves) {
                true => return,
                false if self.columns.is_some_and(|c| Deep::<X>::fits(LEAVES, c)) => Form::Deep(shape.leaves),
                false => Form::Walked,
            },
            other => other,
        };
        self.close(table);
        let kind = match form {
            Form::Deep(_) => 2,
            _ => 0,
        };
        if kind == 2 {
            self.deep_tree::<N>(tree);
        }
        match self.stretches.last_mut() {
            Some(s) if s.programs == kind => s.end = tree as u64 + 1,
            _ => {
                let (first, end) = (tree as u64, tree as u64 + 1);
                self.stretches.push(Stretch { programs: kind, first, end, ..Stretch::default() });
            }
        }
    }

    fn program(&mut self, table: &mut Blob, tree: usize, shape: &Shape, leaves: &[u32]) -> bool {
        if !self.growing.fits(shape.nodes.len(), MASKS) {
            self.close(table);
        }
        if self.growing.is_empty() {
            self.first = tree;
        }
        let numbers = shape.number();
        let target = self.t.trees[tree].target;
        let start = self.values.len();
        if !self.growing.add(shape, &numbers, start as u32, target.map_or(0, |o| o + 1)) {
            return false;
        }
        let outputs = if target.is_some() { 1 } else { self.t.outputs as usize };
        self.values.resize(start + (outputs << shape.bits()), 0.0);
        for (number, leaf) in numbers.iter().zip(leaves) {
            let from = self.t.leaves[*leaf as usize] as usize;
            (0..outputs)
                .for_each(|k| self.values[start + (k << shape.bits()) + *number as usize] = self.t.values[from + k]);
        }
        true
    }

    fn deep_tree<N: Node<X = X>>(&mut self, tree: usize) {
        let t = self.t;
        let test = |n: u32| {
            let (threshold, test, left, right) = pack_node::<N>(&t.nodes[n as usize]).parts();
            let column = [test & !(EQUAL | IN | MISSING_LEFT), u32::from(test & MISSING_LEFT != 0)];
            (threshold, column, left, right)
        };
        let width = if t.trees[tree].target.is_some() { 1 } else { t.outputs as usize };
        let values = |leaf: u32| {
            let start = t.leaves[leaf as usize] as usize;
            &t.values[start..start + width]
        };
        self.deep.add(tree, t.trees[tree].root, test, values);
    }

    /// Ends the stretch that grows.
    fn close(&mut self, table: &mut Blob) {
        if self.growing.is_empty() {
            return;
        }
        let growing = std::mem::replace(&mut self.growing, Growing::new());
        let (stretch, planes, ranks) = growing.write(table, &self.shared, self.first);
        self.stretches.push(stretch);
        (self.planes, self.ranks) = (self.planes.max(planes), self.ranks.max(ranks));
    }

    fn finish(self, table: &mut Blob, (few, least): (Few, Vec<Option<u32>>)) -> Plan {
        let tables = &self.shared.tables;
        let has = |kind: u64| self.stretches.iter().any(|s| s.programs == kind);
        let stretches: &[Stretch] = if has(1) || has(2) { &self.stretches } else { &[] };
        let sizes = Sizes {
            bins: tables.bins.len(),
            ranks: self.ranks,
            planes: self.planes,
            columns: if has(2) { self.deep.columns.len() } else { 0 },
            column_bytes: size_of::<X>(),
            // Programs fill planes of 512 rows.
            rows: if has(1) { self.deep.rows().max(ROWS) } else { self.deep.rows() },
        };
        Plan {
            stretch_count: stretches.len() as u64,
            stretches: table.section(stretches) as u64,
            bins: table.section(&tables.bins) as u64,
            bases: table.section(&tables.bases) as u64,
            thresholds: table.section(&tables.thresholds) as u64,
            values: floats(table, &self.values, self.t.sum_f64),
            deep: self.deep.write(table, |table, values| floats(table, values, self.t.sum_f64)),
            few,
            least,
            sizes,
        }
    }
}
