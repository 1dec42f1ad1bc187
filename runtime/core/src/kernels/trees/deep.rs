//! Trees of many leaves: a walk without branches, several rows side by side, over the ranks of the features.
//!
//! ```text
//! node = nodes[at];  at = node.child + (rank[node.column] > node.rank)
//! ```
//! A node is 8 bytes, and the two children of one lie together; a leaf leads to itself, by comparing a column of zeros. NaN ranks above
//! all in one column of its feature and below all in another, and a node reads the one that says where its NaN goes. The ranks of a
//! row lie together, and there are many rows, so that a tree is fetched once for all of them.

use std::collections::HashMap;

use super::bins::Value;
use super::planes::LEAF;
use crate::blob::Blob;

/// Rows that are scored at a time.
pub(super) const ROWS: usize = 4096;
/// Rows that walk side by side.
const LANES: usize = 8;
/// Levels from one look at whether all have arrived to the next.
const LEVELS: usize = 4;

/// A node or a leaf: rank, column, child, from the lowest bits on.
pub(super) type Step = u64;
/// Bits of a rank, and of a column.
const RANK: u32 = 24;
const COLUMN: u32 = 12;
/// A rank that is not below any.
const MOST: u32 = (1 << RANK) - 1;
/// Features and nodes beyond which a step cannot name them.
pub(super) const FEATURES: u32 = 1 << (COLUMN - 2);
pub(super) const NODES: usize = 1 << (62 - RANK - COLUMN);

fn step(rank: u32, column: u16, child: usize) -> Step {
    u64::from(rank) | u64::from(column) << RANK | (child as u64) << (RANK + COLUMN)
}

/// A column of the rows' ranks: which bins, and whether NaN is below all.
pub(super) type Column = [u32; 2];

/// The walked trees of an ensemble while they are packed.
pub(super) struct Deep {
    steps: Vec<Step>,
    /// Per step, where a leaf's values start.
    starts: Vec<u32>,
    /// Per tree of the ensemble, its root.
    pub roots: Vec<u32>,
    pub columns: Vec<Column>,
    known: HashMap<Column, u16>,
}

/// A node as it is packed: its rank, its column, its children in the specification's form.
pub(super) type Test = (u32, Column, u32, u32);

impl Deep {
    pub fn new() -> Deep {
        // The first column is the zeros that leaves compare.
        let columns = vec![[u32::MAX, 0]];
        Deep { steps: vec![], starts: vec![], roots: vec![], columns, known: HashMap::new() }
    }

    /// Adds a tree, level by level. The ensemble has fewer than [`FEATURES`] and [`NODES`].
    pub fn add(&mut self, root: u32, test: impl Fn(u32) -> Test, start: impl Fn(u32) -> u32) {
        let mut open = std::collections::VecDeque::from([(root, self.reserve())]);
        self.roots.push(self.steps.len() as u32 - 1);
        while let Some((child, at)) = open.pop_front() {
            if child & LEAF != 0 {
                self.starts[at] = start(child & !LEAF);
                continue;
            }
            let (rank, column, left, right) = test(child);
            let place = self.reserve();
            self.reserve();
            let next = self.columns.len() as u16;
            let known = *self.known.entry(column).or_insert(next);
            if known == next {
                self.columns.push(column);
            }
            self.steps[at] = step(rank, known, place);
            open.extend([(left, place), (right, place + 1)]);
        }
    }

    /// A leaf, until it becomes something else.
    fn reserve(&mut self) -> usize {
        let at = self.steps.len();
        self.steps.push(step(MOST, 0, at));
        self.starts.push(0);
        at
    }

    pub fn write(&self, table: &mut Blob) -> [u64; 4] {
        [
            table.section(&self.steps) as u64,
            table.section(&self.starts) as u64,
            table.section(&self.roots) as u64,
            table.section(&self.columns) as u64,
        ]
    }
}

/// Copies the ranks of some rows, row by row. `ranks` holds them bins by bins with the stride `most`, `feature` gives a bins' values.
/// # Safety
/// There are so many rows of each column, and `to` has room for all.
#[inline(always)]
pub(super) unsafe fn copy_ranks<X: Value>(
    columns: &[Column],
    ranks: *const u32,
    most: usize,
    feature: impl Fn(usize) -> *const X,
    rows: usize,
    to: *mut u32,
) {
    let width = columns.len();
    // SAFETY: the caller's promise.
    unsafe {
        (0..rows).for_each(|i| to.add(i * width).write(0));
        for (c, [bins, low]) in columns.iter().enumerate().skip(1) {
            let (x, ranks, to) = (feature(*bins as usize), ranks.add(*bins as usize * most), to.add(c));
            let missing = if *low == 0 { MOST } else { 0 };
            for i in 0..rows {
                let v = *x.add(i);
                // Not equal to itself: NaN.
                #[allow(clippy::eq_op)]
                let rank = if v != v { missing } else { *ranks.add(i) };
                to.add(i * width).write(rank);
            }
        }
    }
}

/// Calls `f(row, where its leaf's values start)` for each row.
/// # Safety
/// The steps are those of a packed ensemble and `root` of one of its trees; `x` has `rows`, up to the next multiple of 8, of `width`.
#[inline(always)]
pub(super) unsafe fn walk(
    steps: *const Step,
    starts: *const u32,
    root: u32,
    x: *const u32,
    width: usize,
    rows: usize,
    mut f: impl FnMut(usize, usize),
) {
    for first in (0..rows).step_by(LANES) {
        // SAFETY: the caller's promise: children and columns are inside.
        unsafe {
            let x = x.add(first * width);
            let mut at = [root; LANES];
            loop {
                let mut before = at;
                for _ in 0..LEVELS {
                    before = at;
                    for (lane, at) in at.iter_mut().enumerate() {
                        let step = *steps.add(*at as usize);
                        let rank = *x.add(lane * width + (step >> RANK) as usize % (1 << COLUMN));
                        *at = (step >> (RANK + COLUMN)) as u32 + u32::from(rank > step as u32 & MOST);
                    }
                }
                if at == before {
                    break;
                }
            }
            let n = LANES.min(rows - first);
            at.iter().take(n).enumerate().for_each(|(lane, at)| f(first + lane, *starts.add(*at as usize) as usize));
        }
    }
}
