//! Which form each tree takes, and the tables of all forms.

use std::ops::Range;

use super::bins::{MOST, Value};
use super::deep::Deep;
use super::few::{self, Few};
use super::planes::{Choice, Growing, LEAF, LEAVES, ROWS, Shape, Shared, Sorted, Stretch, TestKey, share};
use super::run::{self, Sizes};
use super::{EQUAL, IN, MISSING_LEFT, Node, TreesSpec, floats};
use crate::blob::Blob;

/// Where in the table things are.
pub(super) struct Plan {
    pub stretches: u64,
    /// 0 where all trees are walked with all that there may be.
    pub stretch_count: u64,
    pub bins: u64,
    pub bin_count: u64,
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
#[derive(Clone)]
enum Form {
    /// It is walked with all that there may be.
    Walked,
    /// It has so many leaves, and is walked side by side.
    Deep(usize),
    /// It has nodes there among those of all programs.
    Program(Range<usize>),
}

/// Whether a node asks `x <= threshold` and nothing else.
fn is_plain<N: Node>(n: &N) -> bool {
    let (threshold, test, ..) = n.parts();
    test & (EQUAL | IN) == 0 && !threshold.wide().is_nan()
}

fn test_key<N: Node>(n: &N) -> TestKey {
    let (threshold, test, ..) = n.parts();
    let (feature, missing) = (test & !(EQUAL | IN | MISSING_LEFT), test & MISSING_LEFT != 0);
    TestKey { feature, order: order(threshold.wide()), missing }
}

/// The trees of an ensemble, and the nodes of those that may be programs.
struct Forms {
    forms: Vec<Form>,
    /// Tree by tree in ascending order.
    nodes: Vec<u32>,
    /// Per node of the ensemble the last tree that it was met in, plus 1.
    met: Vec<u32>,
}

impl Forms {
    fn of<N: Node>(t: &TreesSpec<'_>, nodes: &[N]) -> Forms {
        let mut all = Forms { forms: vec![], nodes: Vec::with_capacity(nodes.len()), met: vec![0; t.nodes.len()] };
        for tree in t.trees {
            let first = all.nodes.len();
            let reached = all.reach(nodes, tree.root);
            let count = all.nodes.len() - first;
            // Measured: a program takes 8 cycles for a node and 512 rows, a walk about 2 for a level and row.
            let form = match reached {
                true if count < LEAVES => Form::Program(first..all.nodes.len()),
                true => Form::Deep(count + 1),
                false => Form::Walked,
            };
            match form {
                Form::Program(_) => all.sort(first),
                _ => all.nodes.truncate(first),
            }
            all.forms.push(form);
        }
        all
    }

    /// Appends the nodes of the next tree; false where one has two parents, or a test that only walks know.
    fn reach<N: Node>(&mut self, nodes: &[N], root: u32) -> bool {
        let tree = self.forms.len() as u32 + 1;
        let mut next = self.nodes.len();
        self.nodes.extend((root & LEAF == 0).then_some(root));
        while let Some(i) = self.nodes.get(next) {
            let i = *i as usize;
            if std::mem::replace(&mut self.met[i], tree) == tree || !is_plain(&nodes[i]) {
                return false;
            }
            let (.., left, right) = nodes[i].parts();
            self.nodes.extend([left, right].into_iter().filter(|c| c & LEAF == 0));
            next += 1;
        }
        true
    }

    /// Sorts the nodes from there on: all different, so that often they are a range.
    fn sort(&mut self, first: usize) {
        let nodes = &mut self.nodes[first..];
        let (Some(least), Some(most)) = (nodes.iter().min(), nodes.iter().max()) else { return };
        let (least, most) = (*least, *most);
        match (most - least) as usize + 1 == nodes.len() {
            true => nodes.iter_mut().zip(least..).for_each(|(n, i)| *n = i),
            false => nodes.sort_unstable(),
        }
    }

    /// The tests of the programs; where programs are not worth their while or have too many tests, there are none left.
    fn tests<N: Node>(&mut self, nodes: &[N], columns: Option<usize>) -> Sorted {
        let programs = self.forms.iter().filter(|f| matches!(f, Form::Program(_))).count();
        let tests = |of: &[u32]| Sorted::new(of.iter().map(|n| test_key(&nodes[*n as usize])));
        let sorted = tests(if programs > FEW { &self.nodes } else { &[] });
        let programs = programs > FEW && sorted.most() <= MOST;
        for f in &mut self.forms {
            let leaves = match f {
                Form::Program(nodes) if !programs => nodes.len() + 1,
                Form::Program(..) | Form::Walked => continue,
                Form::Deep(leaves) => *leaves,
            };
            // A tree without a node has no walk.
            let fits = leaves > 1 && columns.is_some_and(|c| Deep::<N::X>::fits(leaves.max(LEAVES), c));
            *f = if fits { Form::Deep(leaves) } else { Form::Walked };
        }
        if programs { sorted } else { tests(&[]) }
    }
}

/// Columns that walks over all nodes would read: features, apart where NaN goes left; None where there are too many.
fn columns<N: Node>(nodes: &[N]) -> Option<usize> {
    let column = |n: &N| {
        let test = n.parts().1;
        2 * (test & !(EQUAL | IN | MISSING_LEFT)) as usize + usize::from(test & MISSING_LEFT != 0)
    };
    let most = nodes.iter().map(column).max()?;
    let mut read = vec![false; (most + 1).min(2 * FEATURES)];
    for n in nodes {
        *read.get_mut(column(n))? = true;
    }
    Some(read.iter().filter(|r| **r).count())
}

/// The tables as they grow.
struct Packing<'a, N: Node> {
    t: &'a TreesSpec<'a>,
    nodes: &'a [N],
    /// The nodes of programs, tree by tree, and the number of each one's test.
    programs: (&'a [u32], &'a [u32]),
    /// Per node of the ensemble, which of its tree it is.
    places: Vec<u32>,
    shared: Shared<N::X>,
    stretches: Vec<Stretch>,
    growing: Growing,
    /// The first tree of what grows.
    first: usize,
    /// Leaf values by number, tree by tree.
    values: Vec<f64>,
    planes: usize,
    deep: Deep<N::X>,
    /// See [`columns`].
    columns: Option<usize>,
}

/// Plans an ensemble's trees; `nodes` are its nodes, packed.
pub(super) fn plan<N: Node>(table: &mut Blob, t: &TreesSpec<'_>, nodes: &[N]) -> Plan {
    let columns = columns(nodes);
    let mut forms = Forms::of(t, nodes);
    let sorted = forms.tests(nodes, columns);
    let (shared, tests) = share(sorted, |k| N::X::of(unordered(k.order)));
    let mut p = Packing {
        t,
        nodes,
        programs: (&forms.nodes, &tests),
        places: forms.met,
        growing: Growing::new(shared.tests()),
        shared,
        stretches: Vec::new(),
        first: 0,
        values: Vec::with_capacity(t.values.len()),
        planes: 0,
        deep: Deep::new(),
        columns,
    };
    for (i, form) in forms.forms.into_iter().enumerate() {
        p.add(table, i, form);
    }
    p.close(table);
    let few = few::pack(table, t, nodes, &p.stretches, &p.shared.tables);
    p.finish(table, few)
}

impl<N: Node> Packing<'_, N> {
    fn add(&mut self, table: &mut Blob, tree: usize, form: Form) {
        let form = match form {
            Form::Program(nodes) => match self.program(table, tree, nodes.clone()) {
                true => return,
                false if self.columns.is_some_and(|c| Deep::<N::X>::fits(LEAVES, c)) => Form::Deep(nodes.len() + 1),
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
            self.deep_tree(tree);
        }
        match self.stretches.last_mut() {
            Some(s) if s.programs == kind => s.end = tree as u64 + 1,
            _ => {
                let (first, end) = (tree as u64, tree as u64 + 1);
                self.stretches.push(Stretch { programs: kind, first, end, ..Stretch::default() });
            }
        }
    }

    /// A tree as a shape and, per leaf of it, the leaf of the ensemble.
    fn shape(&mut self, root: u32, program: Range<usize>) -> (Shape, Vec<u32>) {
        let (nodes, tests) = (&self.programs.0[program.clone()], &self.programs.1[program]);
        nodes.iter().zip(0..).for_each(|(n, place)| self.places[*n as usize] = place);
        let mut leaves = Vec::with_capacity(nodes.len() + 1);
        let mut child = |c: u32| {
            if c & LEAF == 0 {
                return self.places[c as usize];
            }
            leaves.push(c & !LEAF);
            LEAF | (leaves.len() as u32 - 1)
        };
        if root & LEAF != 0 {
            child(root);
        }
        let choice = |(n, test): (&u32, &u32)| {
            let (.., left, right) = self.nodes[*n as usize].parts();
            Choice { test: *test, left: child(left), right: child(right) }
        };
        let choices: Vec<Choice> = nodes.iter().zip(tests).map(choice).collect();
        (Shape::new(choices), leaves)
    }

    fn program(&mut self, table: &mut Blob, tree: usize, nodes: Range<usize>) -> bool {
        let (shape, leaves) = self.shape(self.t.trees[tree].root, nodes);
        if !self.growing.fits(shape.nodes.len(), MASKS) {
            self.close(table);
        }
        if self.growing.is_empty() {
            self.first = tree;
        }
        let numbers = shape.number();
        let target = self.t.trees[tree].output(self.t);
        let start = self.values.len();
        if !self.growing.add(&shape, &numbers, start as u32, target.map_or(0, |o| o + 1)) {
            return false;
        }
        let outputs = if target.is_some() { 1 } else { self.t.outputs as usize };
        self.values.resize(start + (outputs << shape.bits()), 0.0);
        for (number, leaf) in numbers.iter().zip(leaves) {
            let from = self.t.leaves[leaf as usize] as usize;
            (0..outputs)
                .for_each(|k| self.values[start + (k << shape.bits()) + *number as usize] = self.t.values[from + k]);
        }
        true
    }

    fn deep_tree(&mut self, tree: usize) {
        let (t, nodes) = (self.t, self.nodes);
        let test = |n: u32| {
            let (threshold, test, left, right) = nodes[n as usize].parts();
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
        if !self.growing.is_empty() {
            let (stretch, planes) = self.growing.write(table, &self.shared, self.first);
            self.stretches.push(stretch);
            self.planes = self.planes.max(planes);
        }
        // A tree that did not fit has left its tests.
        self.growing.clear();
    }

    fn finish(self, table: &mut Blob, (few, least): (Few, Vec<Option<u32>>)) -> Plan {
        let tables = &self.shared.tables;
        let has = |kind: u64| self.stretches.iter().any(|s| s.programs == kind);
        let stretches: &[Stretch] = if has(1) || has(2) { &self.stretches } else { &[] };
        let sizes = Sizes {
            ranks: tables.planes(),
            steps: tables.bins.iter().map(|b| run::steps(b.bits())).max().unwrap_or(0),
            planes: self.planes,
            columns: if has(2) { self.deep.columns.len() } else { 0 },
            column_bytes: size_of::<N::X>(),
            // Programs fill planes of 512 rows.
            rows: if has(1) { self.deep.rows().max(ROWS) } else { self.deep.rows() },
        };
        Plan {
            stretch_count: stretches.len() as u64,
            stretches: table.section(stretches) as u64,
            bins: table.section(&tables.bins) as u64,
            bin_count: tables.bins.len() as u64,
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
