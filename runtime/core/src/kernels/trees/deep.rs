//! Trees of many leaves, and few trees: a walk without branches, several rows side by side, over nodes that lie in pairs.
//!
//! ```text
//! node = nodes[at];  at = node.child + !(x[node.column] <= node.threshold)
//! ```
//! A node takes 8 bytes for f32 features: the threshold, and child and column in one word. A leaf leads to itself: its threshold is
//! NaN, which sends everything right, and whose payload is the leaf's number. NaN goes right; where it must go left, the node reads
//! a copy of its column with negative infinity in NaN's place, which is not above any threshold. Rows are copied first, by groups of
//! those that walk together, so that what a group reads lies together and lanes differ by a constant.

use super::bins::Value;
use super::planes::LEAF;
use crate::blob::{Blob, Plain};

/// A node, or a leaf.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Step<X: Value> {
    pub threshold: X,
    /// Where among the tree's own steps the left child is, the right one being the next, and which element of a group's first row
    /// is compared; of a leaf, the place before its own.
    pub next: X::Word,
}
// SAFETY: two numbers of one size.
unsafe impl<X: Value> Plain for Step<X> {}

/// A column of the copied rows: the feature, and whether NaN becomes negative infinity.
pub(super) type Column = [u32; 2];

/// A tree: where its steps start, its depth, where its values start.
pub(super) type Root = [u32; 3];

/// Most rows that are scored at a time: many, because a tree is read from a far cache once for all of them.
const ROWS: usize = 16384;
/// Bytes of their copies that are worth it.
const COPIES: usize = 2 << 20;
/// The same for small trees: so few that they stay in the first-level cache.
const FEW_ROWS: usize = 256;
/// Bytes of a small tree.
const SMALL: usize = 16 << 10;
/// Rows that walk side by side. Measured: of a tree in a far cache, 16 overlap better than 8; what they do not fit into registers
/// for costs less.
pub(super) const LANES: usize = 16;
/// Bytes of a line of the cache.
const LINE: usize = 64;
/// Levels from one look at whether all have arrived to the next.
const LEVELS: usize = 4;

/// The walked trees of an ensemble while they are packed.
pub(super) struct Deep<X> {
    /// Threshold, child, column.
    steps: Vec<(X, u32, u32)>,
    /// Per tree of the ensemble.
    roots: Vec<Root>,
    pub columns: Vec<Column>,
    /// By feature, and whether NaN goes left: the column, or what none has.
    known: Vec<u32>,
    /// Of the leaves by number, tree by tree.
    values: Vec<f64>,
}

/// A node as it is packed: threshold, column, children in the specification's form.
pub(super) type Test<X> = (X, Column, u32, u32);

impl<X: Value> Deep<X> {
    pub fn new() -> Deep<X> {
        Deep { steps: vec![], roots: vec![], columns: vec![], known: vec![], values: vec![] }
    }

    /// Whether trees of at most so many leaves fit, with at most so many columns.
    pub fn fits(leaves: usize, columns: usize) -> bool {
        let bits = bits(columns);
        2 * leaves as u64 <= (1u64 << (X::WORD_BITS - bits).min(31)) && leaves < X::PAYLOADS
    }

    /// Adds a tree with that number that has a node, level by level; `values` gives those of a leaf.
    pub fn add<'v>(
        &mut self,
        tree: usize,
        root: u32,
        test: impl Fn(u32) -> Test<X>,
        values: impl Fn(u32) -> &'v [f64],
    ) {
        let first = self.steps.len();
        let start = self.values.len();
        let mut open = std::collections::VecDeque::from([(root, self.reserve(), 0)]);
        let (mut leaves, mut depth) = (0, 0);
        while let Some((child, at, level)) = open.pop_front() {
            if child & LEAF != 0 {
                self.steps[at] = (X::with_payload(leaves), ((at - first) as u32).wrapping_sub(1), 0);
                self.values.extend_from_slice(values(child & !LEAF));
                leaves += 1;
                depth = level;
                continue;
            }
            let (threshold, column, left, right) = test(child);
            let place = self.reserve();
            self.reserve();
            self.steps[at] = (threshold, (place - first) as u32, self.column(column));
            open.extend([(left, place, level + 1), (right, place + 1, level + 1)]);
        }
        self.roots.resize(tree, [0; 3]);
        self.roots.push([first as u32, depth, start as u32]);
    }

    /// The index of a column.
    fn column(&mut self, column: Column) -> u32 {
        let at = 2 * column[0] as usize + column[1] as usize;
        if at >= self.known.len() {
            self.known.resize(at + 1, u32::MAX);
        }
        if self.known[at] == u32::MAX {
            self.known[at] = self.columns.len() as u32;
            self.columns.push(column);
        }
        self.known[at]
    }

    /// Rows that are best scored at a time.
    pub fn rows(&self) -> usize {
        let largest = self.roots.windows(2).map(|w| w[1][0].saturating_sub(w[0][0])).max().unwrap_or(0);
        let last = self.roots.last().map_or(0, |r| self.steps.len() - r[0] as usize);
        let bytes = last.max(largest as usize) * size_of::<Step<X>>();
        let fit = COPIES / (self.columns.len().max(1) * size_of::<X>());
        if bytes <= SMALL { FEW_ROWS } else { fit.clamp(FEW_ROWS, ROWS) / FEW_ROWS * FEW_ROWS }
    }

    fn reserve(&mut self) -> usize {
        self.steps.push((X::INFINITY, 0, 0));
        self.steps.len() - 1
    }

    /// Writes steps, roots, columns and values, the latter by `floats`; last the bits that a column takes in a word.
    pub fn write(&self, table: &mut Blob, floats: impl FnOnce(&mut Blob, &[f64]) -> u64) -> [u64; 5] {
        let bits = bits(self.columns.len());
        let step = |(threshold, child, column): &(X, u32, u32)| Step {
            threshold: *threshold,
            next: X::join(*child, *column * LANES as u32, bits),
        };
        let steps: Vec<Step<X>> = self.steps.iter().map(step).collect();
        [
            table.section(&steps) as u64,
            table.section(&self.roots) as u64,
            table.section(&self.columns) as u64,
            floats(table, &self.values),
            u64::from(bits),
        ]
    }
}

/// Bits of an element's place among those of a group's first row.
fn bits(columns: usize) -> u32 {
    (columns * LANES).next_power_of_two().trailing_zeros()
}

/// Copies rows, a multiple of 16 of them, by groups: column by column, the group's rows side by side.
/// # Safety
/// `x` has the rows and features of the columns, `to` room for all.
#[inline(always)]
pub(super) unsafe fn copy_rows<X: Value>(columns: &[Column], x: *const X, stride: usize, rows: usize, to: *mut X) {
    for group in 0..rows / LANES {
        for (c, [feature, low]) in columns.iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe {
                let mut x = x.add(*feature as usize * stride + group * LANES).cast::<[X; LANES]>().read_unaligned();
                if *low != 0 {
                    for v in &mut x {
                        // Not equal to itself: NaN.
                        #[allow(clippy::eq_op)]
                        if *v != *v {
                            *v = X::of(f64::NEG_INFINITY);
                        }
                    }
                }
                to.add((group * columns.len() + c) * LANES).cast::<[X; LANES]>().write_unaligned(x);
            }
        }
    }
}

/// Where something is, and its bytes.
#[derive(Clone, Copy)]
pub(super) struct Memory(*const u8, usize);

impl Memory {
    /// `count` elements from `first` on.
    pub fn of<T>(all: *const T, first: usize, count: usize) -> Memory {
        Memory(all.wrapping_add(first).cast(), count * size_of::<T>())
    }

    /// Asks for the cache lines of one of so many shares.
    #[inline(always)]
    fn fetch(&self, share: usize, shares: usize) {
        let bytes = self.1.div_ceil(shares).next_multiple_of(LINE);
        let at = self.0.wrapping_add(share * bytes);
        #[cfg(target_arch = "x86_64")]
        for line in (0..bytes).step_by(LINE) {
            use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
            // SAFETY: every processor of the target has the instruction, which reads nothing that the program sees.
            unsafe { _mm_prefetch::<_MM_HINT_T1>(at.wrapping_add(line).cast()) }
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = at;
    }
}

/// The trees of an ensemble, and the rows that were copied for them.
#[derive(Clone, Copy)]
pub(super) struct Walks<X: Value> {
    pub steps: *const Step<X>,
    /// Bits of a column in a step.
    pub bits: u32,
    pub x: *const X,
    /// Columns of the copied rows.
    pub width: usize,
    pub rows: usize,
}

impl<X: Value> Walks<X> {
    /// Calls `f(row, the number of its leaf in the tree)` for each row. Group by group it asks for a share of `coming`, which is what
    /// the next walk reads from a far cache.
    /// # Safety
    /// The steps are those of a packed ensemble and `root` is one of its trees; `x` has the rows, up to the next multiple of 16.
    #[inline(always)]
    pub unsafe fn walk(&self, [first, depth, _]: Root, coming: [Memory; 2], mut f: impl FnMut(usize, usize)) {
        for group in (0..self.rows).step_by(LANES) {
            coming.iter().for_each(|memory| memory.fetch(group / LANES, self.rows.div_ceil(LANES)));
            // SAFETY: the caller's promise: children and columns are inside.
            unsafe {
                let steps = self.steps.add(first as usize);
                let x = self.x.add(group * self.width);
                let mut at = [0usize; LANES];
                let mut level = 0;
                loop {
                    let mut before = at;
                    for _ in 0..LEVELS.min(depth as usize - level) {
                        before = at;
                        for (lane, at) in at.iter_mut().enumerate() {
                            let step = &*steps.add(*at);
                            let (child, column) = X::split(step.next, self.bits);
                            // NaN goes right.
                            #[allow(clippy::neg_cmp_op_on_partial_ord)]
                            let right = !(*x.add(column + lane) <= step.threshold);
                            *at = child + usize::from(right);
                        }
                    }
                    level += LEVELS;
                    let moved = (0..LANES).fold(0, |m, lane| m | (at[lane] ^ before[lane]));
                    if level >= depth as usize || moved == 0 {
                        break;
                    }
                }
                let n = LANES.min(self.rows - group);
                let leaves = at.iter().take(n).map(|at| (*steps.add(*at)).threshold.payload());
                leaves.enumerate().for_each(|(lane, leaf)| f(group + lane, leaf as usize));
            }
        }
    }
}
