//! Rows that reach the splits of trees and stand on their thresholds. The conditions on the way from a tree's root to a
//! split leave an interval of each column; the row takes a value from each, and the split's own column stands on the
//! last value of the lower side, then on the first of the upper, then a step away. Splits of different trees share a
//! row where their conditions can all hold, so that there are far fewer rows than splits.

use std::collections::{BTreeMap, BTreeSet};

use flock_ir_spec::{Child, Diagnostic, Frame, Function, Module, NodeId, Scalar, TreeEnsemble, eval};

use super::hard::{MOST_ELEMENTS, Reach, around, float, is_special, ordered, rank};

/// Splits that rows are made for at most, and values of all rows; beyond, an evenly spread part.
const MOST_SPLITS: usize = 1_000_000;
const MOST_CELLS: usize = 1 << 23;
/// Rows that wait for another split that fits.
const OPEN: usize = 32;
/// Rows that a shared row becomes: the lower side of every split's threshold, the upper side, and a step away.
const VARIANTS: usize = 3;

/// Where a test changes its answer, in the values of the only column that decides it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Border {
    /// The parameter.
    pub param: usize,
    /// The rank of the last value of the lower side.
    pub low: u64,
    /// Whether the lower side goes left.
    pub low_left: bool,
}

/// A pipeline with what is known of its inputs.
pub(super) struct Subject<'a> {
    pub module: &'a Module,
    pub function: &'a Function,
    pub reach: &'a Reach,
    /// Values worth trying, per parameter; the best known last.
    pub candidates: &'a [Vec<Scalar>],
    /// A row that the pipeline most likely accepts.
    pub base: &'a [Scalar],
}

/// Rows, and how many distinct (feature, threshold) pairs they stand on.
pub(super) struct Reached {
    /// Per parameter, its values.
    pub columns: Vec<Vec<Scalar>>,
    /// Distinct thresholds whose split is reached.
    pub thresholds: usize,
}

/// Makes the rows for the ensemble that reads the frame `x`; `borders` has one entry per inner node.
pub(super) fn rows(
    subject: &Subject<'_>,
    x: NodeId,
    trees: &TreeEnsemble,
    borders: &[Option<Border>],
) -> Result<Reached, Diagnostic> {
    let params = subject.function.params.len();
    let parents = parents(trees);
    let choices = Choices::new(subject, x, trees, borders)?;
    let paths = Paths { subject, x, trees, borders, parents: &parents, choices: &choices };
    let mut made = Made { columns: vec![Vec::new(); params], steps: 0 };
    let mut open: Vec<Open> = Vec::new();
    let mut oldest = 0;
    let mut reached = BTreeSet::new();
    for split in spread(interleaved(trees), params) {
        let Some(needs) = paths.needs(split) else { continue };
        if !open.iter_mut().any(|row| row.take(&needs, &paths)) {
            let mut row = Open::new(params);
            if !row.take(&needs, &paths) {
                continue;
            }
            if open.len() < OPEN {
                open.push(row);
            } else {
                made.write(&std::mem::replace(&mut open[oldest], row), subject, &choices);
                oldest = (oldest + 1) % OPEN;
            }
        }
        if trees.nodes[split].set().is_none() {
            reached.insert((trees.nodes[split].feature, trees.nodes[split].threshold.to_bits()));
        }
    }
    open.iter().for_each(|row| made.write(row, subject, &choices));
    Ok(Reached { columns: made.columns, thresholds: reached.len() })
}

/// Per inner node, its parent and whether it is the left child.
fn parents(trees: &TreeEnsemble) -> Vec<Option<(usize, bool)>> {
    let mut parents = vec![None; trees.nodes.len()];
    for (i, node) in trees.nodes.iter().enumerate() {
        for (child, left) in [(node.left, true), (node.right, false)] {
            if let Some(c) = child.as_node() {
                parents[c] = Some((i, left));
            }
        }
    }
    parents
}

/// The inner nodes that trees reach, the first of each tree, then the second of each, and so on: two splits of one tree
/// never share a row.
fn interleaved(trees: &TreeEnsemble) -> Vec<usize> {
    let mut tree: Vec<Option<usize>> = vec![None; trees.nodes.len()];
    for (t, root) in trees.trees.iter().enumerate() {
        if let Some(n) = root.root.as_node() {
            tree[n] = Some(t);
        }
    }
    let mut members = vec![0_usize; trees.trees.len()];
    let mut order = Vec::with_capacity(trees.nodes.len());
    // Children come after their parents.
    for (i, node) in trees.nodes.iter().enumerate() {
        let Some(t) = tree[i] else { continue };
        for child in [node.left, node.right].into_iter().filter_map(Child::as_node) {
            tree[child] = Some(t);
        }
        order.push((members[t], t, i));
        members[t] += 1;
    }
    order.sort_unstable();
    order.into_iter().map(|(_, _, i)| i).collect()
}

/// No more splits than rows may be made for.
fn spread(splits: Vec<usize>, params: usize) -> impl Iterator<Item = usize> {
    let most = MOST_SPLITS.min(MOST_CELLS / (VARIANTS * params.max(1))).max(1);
    let step = splits.len().div_ceil(most).max(1);
    splits.into_iter().step_by(step)
}

/// Values of columns that tests tell apart in another way than by an order: categories, flags.
struct Choices {
    /// Per parameter, the values as indices into its candidates, the best known first, and their first row.
    values: Vec<Vec<usize>>,
    first: Vec<usize>,
    /// The ensemble's features, one row per value.
    features: Frame,
}

impl Choices {
    fn new(
        s: &Subject<'_>,
        x: NodeId,
        trees: &TreeEnsemble,
        borders: &[Option<Border>],
    ) -> Result<Choices, Diagnostic> {
        let mut needed = BTreeSet::new();
        for (node, border) in trees.nodes.iter().zip(borders) {
            if border.is_none() {
                needed.extend(s.reach.single(x, node.feature));
            }
        }
        let width = s.function.graph.frame_type(x).map_or(1, |t| t.width.max(1) as usize);
        let most = (MOST_ELEMENTS / width / needed.len().max(1)).max(2);
        let known = |p: usize| {
            let plain = (0..s.candidates[p].len()).rev().filter(|i| !is_special(&s.candidates[p][*i]));
            if needed.contains(&p) { plain.take(most).collect() } else { Vec::new() }
        };
        let values: Vec<Vec<usize>> = (0..s.function.params.len()).map(known).collect();
        let rows: Vec<(usize, usize)> =
            values.iter().enumerate().flat_map(|(p, v)| v.iter().map(move |i| (p, *i))).collect();
        let value = |p: usize, row: usize| match rows[row] {
            (own, i) if own == p => s.candidates[p][i].clone(),
            _ => s.base[p].clone(),
        };
        let params: Vec<Frame> = (0..s.function.params.len())
            .map(|p| Frame::from_fn(rows.len(), s.function.params[p].ty.nullable(), |i, _| value(p, i)))
            .collect();
        let leaves = eval::Leaves { params: &params, columns: None };
        let features = eval::frames(s.module, &s.function.graph, &[x], rows.len(), &leaves)?.swap_remove(0);
        let mut first = vec![0; values.len()];
        for p in 1..values.len() {
            first[p] = first[p - 1] + values[p - 1].len();
        }
        Ok(Choices { values, first, features })
    }

    fn goes_left(&self, trees: &TreeEnsemble, node: usize, param: usize, value: usize) -> bool {
        let node = &trees.nodes[node];
        let x = match self.features.get(self.first[param] + value, node.feature as usize) {
            Scalar::F64(x) => x,
            Scalar::F32(x) => f64::from(x),
            _ => f64::NAN,
        };
        trees.goes_left(node, x)
    }
}

/// What a row needs to reach a split and to stand on it.
struct Needs {
    /// Per parameter, the least and the greatest rank.
    within: BTreeMap<usize, (u64, u64)>,
    /// Per parameter, tests that a choice must answer so.
    tests: BTreeMap<usize, Vec<(usize, bool)>>,
    own: Own,
}

/// The split's own column.
#[derive(Clone, Copy)]
enum Own {
    /// Stands on a border: the parameter, the rank of the lower side.
    On(usize, u64),
    /// Takes a value that goes left, then one that goes right: the parameter, the node.
    Either(usize, usize),
}

struct Paths<'a> {
    subject: &'a Subject<'a>,
    x: NodeId,
    trees: &'a TreeEnsemble,
    borders: &'a [Option<Border>],
    parents: &'a [Option<(usize, bool)>],
    choices: &'a Choices,
}

impl Paths<'_> {
    /// What reaches a split; None where nothing does, or where several columns together decide its test.
    fn needs(&self, split: usize) -> Option<Needs> {
        let own = match (self.borders[split], self.single(split)) {
            (Some(b), _) => Own::On(b.param, b.low),
            (None, param) => Own::Either(param?, split),
        };
        let mut needs = Needs { within: BTreeMap::new(), tests: BTreeMap::new(), own };
        let mut at = split;
        while let Some((parent, left)) = self.parents[at] {
            match (self.borders[parent], self.single(parent)) {
                (Some(b), _) => {
                    let (lo, hi) = needs.within.entry(b.param).or_insert((rank(-f64::MAX), rank(f64::MAX)));
                    if left == b.low_left {
                        *hi = b.low.min(*hi)
                    } else {
                        *lo = (b.low + 1).max(*lo)
                    }
                    if lo > hi {
                        return None;
                    }
                }
                (None, Some(param)) => needs.tests.entry(param).or_default().push((parent, left)),
                // What several columns decide is left to chance.
                (None, None) => {}
            }
            at = parent;
        }
        Some(needs)
    }

    fn single(&self, node: usize) -> Option<usize> {
        self.subject.reach.single(self.x, self.trees.nodes[node].feature)
    }

    /// The first value of a parameter that answers all of these tests so, and lies within the interval.
    fn choose(&self, param: usize, tests: &[(usize, bool)], (lo, hi): (u64, u64)) -> Option<usize> {
        let inside = |k: &usize| {
            let value = &self.subject.candidates[param][self.choices.values[param][*k]];
            number(value).is_none_or(|x| (lo..=hi).contains(&rank(x)))
        };
        (0..self.choices.values[param].len()).find(|k| self.answers(param, *k, tests) && inside(k))
    }

    fn answers(&self, param: usize, value: usize, tests: &[(usize, bool)]) -> bool {
        tests.iter().all(|(node, left)| self.choices.goes_left(self.trees, *node, param, value) == *left)
    }
}

fn number(s: &Scalar) -> Option<f64> {
    match s {
        Scalar::F64(x) => Some(*x),
        Scalar::F32(x) => Some(f64::from(*x)),
        Scalar::I64(x) => Some(*x as f64),
        _ => None,
    }
}

/// A row in the making.
struct Open {
    /// Per parameter, the least and the greatest rank that all splits on it allow.
    within: Vec<(u64, u64)>,
    /// Per parameter, the border that it stands on.
    on: Vec<Option<u64>>,
    /// Per parameter, the values of the first and the second variant.
    chosen: Vec<Option<(usize, usize)>>,
}

impl Open {
    fn new(params: usize) -> Open {
        Open {
            within: vec![(rank(-f64::MAX), rank(f64::MAX)); params],
            on: vec![None; params],
            chosen: vec![None; params],
        }
    }

    /// The interval of a parameter with what a split needs of it.
    fn narrowed(&self, needs: &Needs, p: usize) -> (u64, u64) {
        let (lo, hi) = self.within[p];
        needs.within.get(&p).map_or((lo, hi), |(l, h)| (lo.max(*l), hi.min(*h)))
    }

    /// Takes a split on where everything that it needs can hold beside what the row has; else the row stays as it is.
    fn take(&mut self, needs: &Needs, paths: &Paths<'_>) -> bool {
        let kept = |p: &usize| {
            let (lo, hi) = self.narrowed(needs, *p);
            // A value that is chosen stays: narrowing what it lies in could lose it.
            lo <= hi && self.on[*p].is_none_or(|low| lo <= low && low < hi) && self.chosen[*p].is_none()
        };
        if !needs.within.keys().all(kept) {
            return false;
        }
        let Some(mut chosen) = self.chosen_for(needs, paths) else { return false };
        match needs.own {
            Own::On(p, low) if !self.stands(needs, p, low) => return false,
            Own::On(p, low) => self.on[p] = Some(low),
            Own::Either(p, node) => match self.either(needs, paths, p, node) {
                Some(pair) => _ = chosen.insert(p, pair),
                None => return false,
            },
        }
        for p in needs.within.keys() {
            self.within[*p] = self.narrowed(needs, *p);
        }
        chosen.into_iter().for_each(|(p, pair)| self.chosen[p] = Some(pair));
        true
    }

    /// Values that answer the tests on the way, in both variants.
    fn chosen_for(&self, needs: &Needs, paths: &Paths<'_>) -> Option<BTreeMap<usize, (usize, usize)>> {
        let choose = |(p, tests): (&usize, &Vec<(usize, bool)>)| {
            let pair = match self.chosen[*p] {
                Some((a, b)) => (paths.answers(*p, a, tests) && paths.answers(*p, b, tests)).then_some((a, b)),
                None if self.on[*p].is_some() => None,
                None => paths.choose(*p, tests, self.narrowed(needs, *p)).map(|k| (k, k)),
            };
            Some((*p, pair?))
        };
        needs.tests.iter().map(choose).collect()
    }

    /// Whether the row can stand on that border.
    fn stands(&self, needs: &Needs, p: usize, low: u64) -> bool {
        let (lo, hi) = self.narrowed(needs, p);
        let free = self.on[p].is_none_or(|other| other == low) && self.chosen[p].is_none();
        free && !needs.tests.contains_key(&p) && lo <= low && low < hi
    }

    /// A value that goes left at the node, and one that goes right.
    fn either(&self, needs: &Needs, paths: &Paths<'_>, p: usize, node: usize) -> Option<(usize, usize)> {
        if self.chosen[p].is_some() || self.on[p].is_some() {
            return None;
        }
        let tests = needs.tests.get(&p).map_or(&[][..], Vec::as_slice);
        let side = |left| paths.choose(p, &[tests, &[(node, left)]].concat(), self.narrowed(needs, p));
        Some((side(true)?, side(false)?))
    }
}

/// Rows that are ready.
struct Made {
    columns: Vec<Vec<Scalar>>,
    /// Counts the thirds of variants, which take one step after another.
    steps: usize,
}

impl Made {
    fn write(&mut self, row: &Open, s: &Subject<'_>, choices: &Choices) {
        for variant in 0..VARIANTS {
            for (p, column) in self.columns.iter_mut().enumerate() {
                let candidate = |k: usize| s.candidates[p][choices.values[p][k]].clone();
                let (lo, hi) = row.within[p];
                let value = |rank: u64| float(s.function.params[p].ty.dtype, ordered(rank.clamp(lo, hi)));
                column.push(match (row.chosen[p], row.on[p]) {
                    (Some((_, second)), _) if variant == 1 => candidate(second),
                    (Some((first, _)), _) => candidate(first),
                    (None, Some(low)) if variant < 2 => value(low + variant as u64),
                    (None, Some(low)) => value(step(low, self.steps + p)),
                    (None, None) => match number(&s.base[p]) {
                        // The base row's value where it may be, else the nearest that may: a border on the way.
                        Some(x) if !(lo..=hi).contains(&rank(x)) => value(rank(x)),
                        _ => s.base[p].clone(),
                    },
                });
            }
        }
        self.steps += 1;
    }
}

/// A neighbour of the border, another one each time.
fn step(low: u64, turn: usize) -> u64 {
    let all = around(ordered(low));
    rank(all[turn % all.len()])
}
