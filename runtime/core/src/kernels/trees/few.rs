//! Few rows: a row at a time, several trees side by side, over ranks instead of values.
//!
//! ```text
//! step = steps[at];  at = step.next + (x[step.column] > step.test)
//! ```
//! Of trees that are programs for many rows, a node takes 8 bytes whatever the features are: it compares the rank of the row's value
//! among the feature's thresholds ([`super::bins`]) with the rank of its own threshold, which says the same as comparing the values.
//! Children lie in pairs; a leaf leads to itself, by a column that is always 0. NaN is the greatest rank, which goes right; where it
//! must go left, the node reads a column in which NaN is rank 0.
//!
//! Nothing branches on a row's values, which no processor foresees. Trees of like depth go together; of deep ones, in which most rows
//! arrive early, those that have not after some levels are gathered and go on. Values are added in the order of the trees.

use std::cmp::Reverse;
use std::mem::MaybeUninit;
use std::ops::Range;

use super::bins::{Bins, Tables, Value, rank};
use super::planes::{LEAF, Stretch};
use super::{EQUAL, IN, MISSING_LEFT, Node, TreesSpec};
use crate::blob::{Blob, Plain};
use crate::kernels::section;

/// A node, or a leaf.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Step {
    /// The greatest rank that goes left; of a leaf, its number in the tree.
    test: u16,
    /// Which of the row's ranks is compared; 0, which is rank 0, of a leaf.
    column: u16,
    /// The left child, the right one being the next; of a leaf, itself.
    next: u32,
}
// SAFETY: 2, 2 and 4 bytes, no padding.
unsafe impl Plain for Step {}

/// A column of the ranks, from the second on: the bins, and whether NaN is rank 0.
type Column = [u32; 2];

/// Neighbouring trees of one kind.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Run {
    /// First, and behind the last.
    trees: [u32; 2],
    /// Likewise; none where the trees have no steps.
    groups: [u32; 2],
    /// The output plus 1 that all trees add to; 0 where they differ, or add to all.
    pub target: u32,
    /// 1 where the first value of each leaf, by number, is the value with that number.
    pub numbered: u32,
}
// SAFETY: numbers of one size.
unsafe impl Plain for Run {}

/// Trees that go together.
#[repr(C)]
#[derive(Clone, Copy)]
struct Group {
    /// Of the deepest.
    depth: u32,
    /// Step 0, which is a leaf, where there are fewer.
    roots: [u32; TOGETHER],
    /// Which trees of the run these are.
    places: [u32; TOGETHER],
}
// SAFETY: numbers of one size.
unsafe impl Plain for Group {}

/// Trees that go side by side: as many as there are registers for.
const TOGETHER: usize = 10;
/// Most trees of a run with steps: a row's places in them stay in the first-level cache.
const RUN: usize = 256;
/// Depth up to which trees are walked to their end at once. Measured, as the next two.
const SHALLOW: u32 = 10;
/// Levels of deeper ones until what has arrived is left out, and from then on.
const LEVELS: [usize; 2] = [4, 3];
/// Most columns, and ranks that are held at a time: on the stack, for whole eights of rows.
const COLUMNS: usize = 1024;
const RANKS: usize = 8 * COLUMNS;

/// Where in the table things are.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Few {
    steps: u64,
    runs: u64,
    run_count: u64,
    groups: u64,
    columns: u64,
    column_count: u64,
}
// SAFETY: numbers of one size.
unsafe impl Plain for Few {}

/// The steps as they grow.
struct Packing<'a, X> {
    tables: &'a Tables<X>,
    steps: Vec<Step>,
    columns: Vec<Column>,
    /// Per bins: the columns, 0 where there is none yet.
    known: Vec<[u16; 2]>,
}

/// Packs the trees that are programs; of each tree, its least leaf if it is one of them.
pub(super) fn pack<N: Node>(
    table: &mut Blob,
    t: &TreesSpec<'_>,
    nodes: &[N],
    stretches: &[Stretch],
    tables: &Tables<N::X>,
) -> (Few, Vec<Option<u32>>) {
    let mut p =
        Packing { tables, steps: vec![Step::default()], columns: vec![], known: vec![[0; 2]; tables.bins.len()] };
    let mut packed: Vec<Option<[u32; 3]>> = vec![None; t.trees.len()];
    // Each feature has two columns at most, and column 0 is not theirs.
    if 2 * tables.bins.len() < COLUMNS {
        let trees = stretches.iter().filter(|s| s.programs == 1).flat_map(Stretch::trees);
        trees.for_each(|tree| packed[tree] = p.add(nodes, t.trees[tree].root));
    }
    let numbered = u32::from(t.leaves.iter().zip(0..).all(|(value, leaf)| *value == leaf));
    let mut groups = Vec::new();
    let mut runs = Vec::new();
    let mut first = 0;
    for some in packed.chunk_by(|a, b| a.is_some() == b.is_some()) {
        let most = if some[0].is_some() { RUN } else { some.len() };
        for some in some.chunks(most) {
            let trees = first..first + some.len();
            let before = groups.len() as u32;
            group(some, &mut groups);
            let target = t.trees[first].output(t);
            let one = target.filter(|_| t.trees[trees.clone()].iter().all(|tree| tree.output(t) == target));
            runs.push(Run {
                trees: [first as u32, trees.end as u32],
                groups: [before, groups.len() as u32],
                target: one.map_or(0, |o| o + 1),
                numbered,
            });
            first = trees.end;
        }
    }
    let few = Few {
        steps: table.section(&p.steps) as u64,
        runs: table.section(&runs) as u64,
        run_count: runs.len() as u64,
        groups: table.section(&groups) as u64,
        columns: table.section(&p.columns) as u64,
        column_count: p.columns.len() as u64,
    };
    (few, packed.into_iter().map(|tree| tree.map(|[_, _, least]| least)).collect())
}

/// Groups the trees of a run, given as root, depth and least leaf.
fn group(trees: &[Option<[u32; 3]>], groups: &mut Vec<Group>) {
    let mut trees: Vec<(u32, [u32; 3])> = trees.iter().zip(0..).filter_map(|(t, i)| Some((i, (*t)?))).collect();
    trees.sort_by_key(|(_, [_, depth, _])| Reverse(*depth));
    for some in trees.chunks(TOGETHER) {
        let mut group = Group { depth: some[0].1[1], roots: [0; TOGETHER], places: [RUN as u32; TOGETHER] };
        for (i, (place, [root, ..])) in some.iter().enumerate() {
            (group.roots[i], group.places[i]) = (*root, *place);
        }
        groups.push(group);
    }
}

impl<X: Value> Packing<'_, X> {
    /// Adds a tree and gives its root, depth and least leaf; None where its leaves' numbers are too far apart.
    fn add<N: Node<X = X>>(&mut self, nodes: &[N], root: u32) -> Option<[u32; 3]> {
        let first = self.steps.len();
        let mut open = vec![(root, self.reserve(1), 0)];
        let (mut deepest, mut leaves) = (0, Vec::new());
        while let Some((child, at, level)) = open.pop() {
            deepest = deepest.max(level);
            if child & LEAF != 0 {
                leaves.push((at, child & !LEAF));
                continue;
            }
            let (threshold, test, left, right) = nodes[child as usize].parts();
            let next = self.reserve(2);
            let (column, test) = self.test(threshold, test);
            self.steps[at] = Step { test, column, next: next as u32 };
            // The left child first: what is below lies next to it.
            open.extend([(right, next + 1, level + 1), (left, next, level + 1)]);
        }
        let least = leaves.iter().map(|(_, leaf)| *leaf).min()?;
        for (at, leaf) in leaves {
            let Ok(test) = u16::try_from(leaf - least) else {
                self.steps.truncate(first);
                return None;
            };
            self.steps[at] = Step { test, column: 0, next: at as u32 };
        }
        Some([first as u32, deepest, least])
    }

    fn reserve(&mut self, steps: usize) -> usize {
        let at = self.steps.len();
        self.steps.resize(at + steps, Step::default());
        at
    }

    /// A node's column and rank: its threshold's, found as a row's value is.
    fn test(&mut self, threshold: X, test: u32) -> (u16, u16) {
        let (feature, low) = (test & !(EQUAL | IN | MISSING_LEFT), test & MISSING_LEFT != 0);
        let bins = self.tables.bins.partition_point(|b| b.feature < feature);
        let known = &mut self.known[bins][usize::from(low)];
        if *known == 0 {
            self.columns.push([bins as u32, u32::from(low)]);
            *known = self.columns.len() as u16;
        }
        let (bases, thresholds) = (self.tables.bases.as_ptr(), self.tables.thresholds.as_ptr());
        // SAFETY: the bins are of these tables, and a threshold is not NaN.
        (*known, unsafe { rank(&self.tables.bins[bins], bases, thresholds, threshold) })
    }
}

/// What is done with leaves.
pub(super) trait Take {
    /// A row's leaves in some trees, in order.
    /// # Safety
    /// The row and the trees are among those that are asked for; trees have the leaves that `leaf` gives.
    unsafe fn take(&mut self, row: usize, trees: Range<usize>, run: &Run, leaf: impl Fn(usize) -> u32);
}

/// The parts of a table that are read.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a, X> {
    pub table: *const u8,
    pub few: &'a Few,
    pub bins: *const Bins,
    pub bases: *const u16,
    pub thresholds: *const X,
    /// Per tree: the least leaf, and the output plus 1 or 0 for all.
    pub roots: *const super::Root,
    pub x: *const X,
    pub stride: usize,
    pub rows: usize,
}

impl<X: Value> Rows<'_, X> {
    /// Gives the leaves of all rows in all trees, a row's in the order of these. `walk(trees, first row, rows)` stands in for trees
    /// without steps; the first row is a multiple of 8.
    /// # Safety
    /// The parts are those of one table; rows up to the next multiple of 64 are readable.
    #[inline(always)]
    pub unsafe fn leaves<T: Take>(&self, take: &mut T, walk: impl Fn(&mut T, Range<usize>, usize, usize)) {
        let mut ranks = [const { MaybeUninit::<u16>::uninit() }; RANKS];
        let ranks = ranks.as_mut_ptr().cast::<u16>();
        let mut places = [const { MaybeUninit::<u32>::uninit() }; RUN + 1];
        let places = places.as_mut_ptr().cast::<u32>();
        // SAFETY: the caller's promise; a place in a run is at most `RUN`, and ranks have room for the rows of a step.
        unsafe {
            let steps = section::<Step>(self.table, self.few.steps);
            let runs =
                std::slice::from_raw_parts(section::<Run>(self.table, self.few.runs), self.few.run_count as usize);
            let width = 1 + self.few.column_count as usize;
            let together = if width == 1 { self.rows.max(1) } else { (RANKS / width) & !7 };
            for first in (0..self.rows).step_by(together) {
                let rows = together.min(self.rows - first);
                if width > 1 {
                    self.rank(first, rows, width, ranks);
                }
                for run in runs {
                    let trees = run.trees[0] as usize..run.trees[1] as usize;
                    if run.groups[0] == run.groups[1] {
                        walk(take, trees, first, rows);
                        continue;
                    }
                    let groups = section::<Group>(self.table, self.few.groups).add(run.groups[0] as usize);
                    let groups = std::slice::from_raw_parts(groups, (run.groups[1] - run.groups[0]) as usize);
                    for row in 0..rows {
                        arrive(steps, groups, ranks.add(row * width), places);
                        let leaf = |tree: usize| {
                            let step = &*steps.add(*places.add(tree - trees.start) as usize);
                            (*self.roots.add(tree))[0] + u32::from(step.test)
                        };
                        take.take(first + row, trees.clone(), run, leaf);
                    }
                }
            }
        }
    }

    /// The ranks of some rows, row by row.
    #[inline(always)]
    unsafe fn rank(&self, first: usize, rows: usize, width: usize, ranks: *mut u16) {
        // SAFETY: as for `leaves`.
        unsafe {
            (0..rows).for_each(|row| ranks.add(row * width).write(0));
            let columns = section::<Column>(self.table, self.few.columns);
            for c in 1..width {
                let [bins, low] = *columns.add(c - 1);
                let bins = &*self.bins.add(bins as usize);
                let x = self.x.add(bins.feature as usize * self.stride + first);
                let missing = if low != 0 { 0 } else { u16::MAX };
                for row in 0..rows {
                    let v = *x.add(row);
                    let found = rank(bins, self.bases, self.thresholds, v);
                    // Not equal to itself: NaN, of which no rank is found that means anything.
                    #[allow(clippy::eq_op)]
                    ranks.add(row * width + c).write(if v == v { found } else { missing });
                }
            }
        }
    }
}

/// Takes a row through some levels of trees side by side; also where it was before the last one.
#[inline(always)]
unsafe fn descend(
    steps: *const Step,
    x: *const u16,
    mut at: [u32; TOGETHER],
    levels: usize,
) -> ([u32; TOGETHER], [u32; TOGETHER]) {
    let mut before = at;
    for _ in 0..levels {
        before = at;
        for at in &mut at {
            // SAFETY: steps lead to steps, columns are those of the row.
            unsafe {
                let step = &*steps.add(*at as usize);
                *at = step.next + u32::from(*x.add(usize::from(step.column)) > step.test);
            }
        }
    }
    (at, before)
}

/// Where a row arrives in the trees of a run, by their places.
#[inline(always)]
unsafe fn arrive(steps: *const Step, groups: &[Group], x: *const u16, places: *mut u32) {
    let mut open = [const { MaybeUninit::<u32>::uninit() }; RUN + TOGETHER];
    let open = open.as_mut_ptr().cast::<u32>();
    let mut count = 0;
    // SAFETY: places are at most `RUN`, at which there is nothing but step 0. A place is at most once among those that
    // are open, so these are at most `RUN`, and what stands behind them is written over or not read.
    unsafe {
        places.add(RUN).write(0);
        for group in groups {
            if group.depth <= SHALLOW {
                let (at, _) = descend(steps, x, group.roots, group.depth as usize);
                (0..TOGETHER).for_each(|i| *places.add(group.places[i] as usize) = at[i]);
                continue;
            }
            let (at, before) = descend(steps, x, group.roots, LEVELS[0]);
            for i in 0..TOGETHER {
                *places.add(group.places[i] as usize) = at[i];
                *open.add(count) = group.places[i];
                count += usize::from(at[i] != before[i]);
            }
        }
        while count > 0 {
            (0..TOGETHER).for_each(|i| *open.add(count + i) = RUN as u32);
            let mut left = 0;
            for first in (0..count).step_by(TOGETHER) {
                let some = *open.add(first).cast::<[u32; TOGETHER]>();
                let (at, before) = descend(steps, x, some.map(|p| *places.add(p as usize)), LEVELS[1]);
                for i in 0..TOGETHER {
                    *places.add(some[i] as usize) = at[i];
                    *open.add(left) = some[i];
                    left += usize::from(at[i] != before[i]);
                }
            }
            count = left;
        }
    }
}
