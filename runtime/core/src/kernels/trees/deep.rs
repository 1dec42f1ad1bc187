//! Trees of many leaves: a walk without branches, several rows side by side, over nodes that lie in pairs.
//!
//! ```text
//! node = nodes[at];  at = node.child + !(x[node.column] <= node.threshold)
//! ```
//! A leaf leads to itself: it compares a column of zeros with infinity. NaN goes right; where it must go left, the node reads a
//! copy of its column with negative infinity in NaN's place, which is not above any threshold. Rows are copied row by row first, so
//! that what a walk reads of one lies together.

use std::collections::HashMap;

use super::bins::Value;
use super::planes::LEAF;
use crate::blob::{Blob, Plain};

/// A node, or a leaf.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Step<X> {
    pub threshold: X,
    /// The left child; the right one is the next. A leaf's own place.
    pub child: u32,
    /// Which column of the copied row.
    pub column: u32,
}
// SAFETY: values are f32 or f64: three 32-bit numbers, or a double and two of them, no padding.
unsafe impl<X: Value> Plain for Step<X> {}

/// A column of the copied rows: the feature, and whether NaN becomes negative infinity.
pub(super) type Column = [u32; 2];

/// Rows that are scored at a time: many, because a tree is read from a far cache once for all of them.
pub(super) const ROWS: usize = 2048;
/// Rows that walk side by side.
const LANES: usize = 8;
/// Levels from one look at whether all have arrived to the next.
const LEVELS: usize = 4;

/// The walked trees of an ensemble while they are packed.
pub(super) struct Deep<X> {
    pub steps: Vec<Step<X>>,
    /// Per step, where a leaf's values start.
    pub starts: Vec<u32>,
    /// Per tree of the ensemble, its root.
    pub roots: Vec<u32>,
    pub columns: Vec<Column>,
    known: HashMap<Column, u32>,
}

/// A node as it is packed: threshold, column, children in the specification's form.
pub(super) type Test<X> = (X, Column, u32, u32);

impl<X: Value> Deep<X> {
    pub fn new() -> Deep<X> {
        // The first column is the zeros that leaves compare.
        let columns = vec![[u32::MAX, 0]];
        Deep { steps: vec![], starts: vec![], roots: vec![], columns, known: HashMap::new() }
    }

    /// Adds a tree, level by level.
    pub fn add(&mut self, root: u32, test: impl Fn(u32) -> Test<X>, start: impl Fn(u32) -> u32) {
        let mut open = std::collections::VecDeque::from([(root, self.reserve())]);
        self.roots.push(self.steps.len() as u32 - 1);
        while let Some((child, at)) = open.pop_front() {
            if child & LEAF != 0 {
                self.starts[at] = start(child & !LEAF);
                continue;
            }
            let (threshold, column, left, right) = test(child);
            let place = self.reserve();
            self.reserve();
            let next = self.columns.len() as u32;
            let known = *self.known.entry(column).or_insert(next);
            if known == next {
                self.columns.push(column);
            }
            self.steps[at] = Step { threshold, child: place as u32, column: known };
            open.extend([(left, place), (right, place + 1)]);
        }
    }

    /// A leaf, until it becomes something else.
    fn reserve(&mut self) -> usize {
        let at = self.steps.len();
        self.steps.push(Step { threshold: X::INFINITY, child: at as u32, column: 0 });
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

/// Copies rows, a multiple of 8 of them, row by row.
/// # Safety
/// `x` has the rows and features of the columns, `to` room for all.
#[inline(always)]
pub(super) unsafe fn copy_rows<X: Value>(columns: &[Column], x: *const X, stride: usize, rows: usize, to: *mut X) {
    let width = columns.len();
    // SAFETY: the caller's promise.
    unsafe {
        (0..rows).for_each(|i| to.add(i * width).write(X::of(0.0)));
        for (c, [feature, low]) in columns.iter().enumerate().skip(1) {
            let (x, to) = (x.add(*feature as usize * stride), to.add(c));
            if *low == 0 {
                (0..rows).for_each(|i| to.add(i * width).write(*x.add(i)));
            } else {
                for i in 0..rows {
                    let v = *x.add(i);
                    // Not equal to itself: NaN.
                    #[allow(clippy::eq_op)]
                    to.add(i * width).write(if v != v { X::of(f64::NEG_INFINITY) } else { v });
                }
            }
        }
    }
}

/// Calls `f(row, where its leaf's values start)` for each row.
/// # Safety
/// The steps are those of a packed ensemble and `root` of one of its trees; `x` has `rows`, up to the next multiple of 8, of `width`.
#[inline(always)]
pub(super) unsafe fn walk<X: Value>(
    steps: *const Step<X>,
    starts: *const u32,
    root: u32,
    x: *const X,
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
                        let step = &*steps.add(*at as usize);
                        let v = *x.add(lane * width + step.column as usize);
                        // NaN goes right.
                        #[allow(clippy::neg_cmp_op_on_partial_ord)]
                        let right = !(v <= step.threshold);
                        *at = step.child + u32::from(right);
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
