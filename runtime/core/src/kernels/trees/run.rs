//! Runs programs over bit planes: see [`super::planes`] for what they mean, [`super::wide`] for the steps by processor.

use super::bins::{Bins, Value, ranks};
use super::planes::{ALL_HERE, Batch, Marks, Op, PLANE, Program, ROWS, Stretch, UNIT, WORDS};
use super::wide::{Steps, Sum};
use crate::kernels::section;

/// 512 bits: one for each row.
pub(super) type Plane = [u64; WORDS];

/// What a block is scored with; all of it belongs to one packed ensemble.
pub(super) struct Block<X> {
    pub table: *const u8,
    pub bins: *const Bins,
    pub bin_count: usize,
    pub bases: *const u16,
    pub thresholds: *const X,
    pub x: *const X,
    /// Rows from one column of a frame to the next.
    pub stride: usize,
    /// 1 to [`ROWS`].
    pub rows: usize,
    pub memory: Memory,
}

/// The kernel's memory.
#[derive(Clone, Copy)]
pub(super) struct Memory {
    /// Per bins, the rows' ranks.
    pub ranks: *mut u16,
    /// Per rank of a feature, the rows that have it; zero between uses.
    pub marks: *mut Plane,
    /// The rows' leaves in a tree: low bytes, then high ones.
    pub leaves: *mut u8,
    /// What programs compute with.
    pub planes: *mut u8,
    /// Rows as deep trees read them.
    pub rows: *mut u8,
}

/// Bytes of the parts of [`Memory`].
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub bins: usize,
    /// Ranks of the feature that has most: one more than thresholds.
    pub ranks: usize,
    pub planes: usize,
    /// Columns of the rows that deep trees read, and bytes of an element.
    pub columns: usize,
    pub column_bytes: usize,
    /// Rows that deep trees are walked with at a time.
    pub rows: usize,
}

impl Sizes {
    fn without_rows(self) -> usize {
        self.bins * ROWS * 2 + self.ranks * PLANE + 2 * ROWS + self.planes.max(2) * PLANE
    }

    pub fn bytes(self) -> usize {
        self.without_rows() + self.columns * self.column_bytes * self.rows
    }

    /// Cuts the memory, and writes what must be there.
    /// # Safety
    /// `work` is as long as [`Sizes::bytes`] and aligned to a plane.
    pub unsafe fn cut(self, work: *mut u8) -> Memory {
        // SAFETY: the caller's promise.
        unsafe {
            let marks = work.add(self.bins * ROWS * 2);
            let leaves = marks.add(self.ranks * PLANE);
            let planes = leaves.add(2 * ROWS);
            marks.write_bytes(0, self.ranks * PLANE);
            planes.write_bytes(0, PLANE);
            planes.add(PLANE).write_bytes(0xff, PLANE);
            let rows = work.add(self.without_rows());
            Memory { ranks: work.cast(), marks: marks.cast(), leaves, planes, rows }
        }
    }
}

impl<X: Value> Block<X> {
    fn words(&self) -> usize {
        self.rows.div_ceil(64)
    }

    /// The ranks of all features.
    /// # Safety
    /// The parts fit one another.
    #[inline(always)]
    pub unsafe fn rank(&self) {
        for b in 0..self.bin_count {
            // SAFETY: rows up to the next multiple of 64 are readable; the memory has room for 512 of each bins.
            unsafe {
                let bins = &*self.bins.add(b);
                let x = self.x.add(bins.feature as usize * self.stride);
                let out = self.memory.ranks.add(b * ROWS);
                ranks(bins, self.bases, self.thresholds, x, self.words() * 64, out);
            }
        }
    }

    /// Adds the trees of a stretch.
    /// # Safety
    /// The parts fit one another, the ranks are there, and `out` is a frame of `outputs` columns.
    #[inline(always)]
    pub unsafe fn add<I: Steps, S: Sum>(&self, s: &Stretch, out: *mut S, outputs: usize, values: *const S) {
        // SAFETY: the caller's promise: the stretch names what is in the table, and programs what is in the memory.
        unsafe {
            let marks = section::<Marks>(self.table, s.marks);
            for m in 0..s.mark_count as usize {
                self.mask::<I>(s, &*marks.add(m));
            }
            let (batches, ops) = (section::<Batch>(self.table, s.batches), section::<Op>(self.table, s.ops));
            let planes = self.memory.planes;
            for b in 0..s.batch_count as usize {
                let batch = &*batches.add(b);
                for i in batch.ops[0]..batch.ops[1] {
                    let [mask, left, right, to] =
                        (*ops.add(i as usize)).map(|o| planes.add(usize::from(o) * UNIT).cast());
                    I::choose(mask, left, right, to);
                }
                for t in batch.trees[0]..batch.trees[1] {
                    self.add_tree::<I, S>(
                        &*section::<Program>(self.table, s.trees).add(t as usize),
                        out,
                        outputs,
                        values,
                    );
                }
            }
        }
    }

    /// Adds a tree's values by the planes that its program has made.
    #[inline(always)]
    unsafe fn add_tree<I: Steps, S: Sum>(&self, p: &Program, out: *mut S, outputs: usize, values: *const S) {
        // SAFETY: as for `add`.
        unsafe {
            let planes = self.memory.planes;
            let values = values.add(p.values as usize);
            let targets = if p.target > 0 { p.target as usize - 1..p.target as usize } else { 0..outputs };
            let plane = p.plane.map(|o| planes.add(usize::from(o) * UNIT).cast::<Plane>().cast_const());
            I::leaves(&plane, p.planes as usize, self.words(), self.memory.leaves);
            for (k, o) in targets.enumerate() {
                let (out, values) = (out.add(o * self.stride), values.add(k << p.planes));
                S::add::<I>(values, &plane, p.planes as usize, self.memory.leaves, self.rows, out);
            }
        }
    }
}

impl<X: Value> Block<X> {
    /// The masks of a feature's tests.
    #[inline(always)]
    unsafe fn mask<I: Steps>(&self, s: &Stretch, m: &Marks) {
        // SAFETY: as for `add`.
        unsafe {
            let bins = &*self.bins.add(m.bins as usize);
            let ranks = self.memory.ranks.add(m.bins as usize * ROWS).cast_const();
            let tests = section::<u16>(self.table, s.ranks).add(m.first as usize);
            let masks = self.memory.planes.cast::<Plane>().add(m.slot as usize);
            let (count, all) = (m.count as usize, bins.count as usize);
            // Measured: a comparison of 512 ranks takes 9 cycles; marking them 700, and 2.5 for each rank there is.
            if I::COMPARES && all < 256 && 18 * count < 1400 + 5 * all {
                I::compare(ranks, tests, count, masks);
            } else {
                let locals = section::<u16>(self.table, s.locals);
                match m.locals {
                    ALL_HERE => self.sweep(|r| usize::from(*ranks.add(r)), count, masks),
                    at => {
                        self.sweep(|r| usize::from(*locals.add(at as usize + usize::from(*ranks.add(r)))), count, masks)
                    }
                }
            }
            if m.passed > 0 {
                self.pass(m, s, bins, masks);
            }
        }
    }

    /// Marks each row at its rank, and gathers the marks up to each test's, which are 0 to `count - 1`.
    #[inline(always)]
    unsafe fn sweep(&self, rank: impl Fn(usize) -> usize, count: usize, masks: *mut Plane) {
        // SAFETY: as for `add`; ranks are at most `count`, and there is memory for one more than that.
        unsafe {
            let marks = self.memory.marks;
            for byte in 0..self.words() * 8 {
                let column = marks.cast::<u8>().add(byte);
                for bit in 0..8 {
                    *column.add(rank(byte * 8 + bit) * PLANE) |= 1 << bit;
                }
            }
            let mut passed: Plane = [0; WORDS];
            for t in 0..count {
                let marked = &mut *marks.add(t);
                (0..WORDS).for_each(|w| passed[w] |= marked[w]);
                *marked = [0; WORDS];
                *masks.add(t) = passed;
            }
            *marks.add(count) = [0; WORDS];
        }
    }

    /// NaN passes some tests although its rank does not say so.
    #[inline(always)]
    unsafe fn pass(&self, m: &Marks, s: &Stretch, bins: &Bins, masks: *mut Plane) {
        // SAFETY: as for `add`.
        unsafe {
            let x = self.x.add(bins.feature as usize * self.stride);
            let mut missing: Plane = [0; WORDS];
            for (w, word) in missing.iter_mut().enumerate().take(self.words()) {
                for i in 0..64 {
                    let v = *x.add(w * 64 + i);
                    // Not equal to itself: NaN.
                    #[allow(clippy::eq_op)]
                    let nan = v != v;
                    *word |= u64::from(nan) << i;
                }
            }
            if missing == [0; WORDS] {
                return;
            }
            let passes = section::<u16>(self.table, s.passes).add(m.passes as usize);
            for p in 0..m.passed as usize {
                let mask = &mut *masks.add(usize::from(*passes.add(p)));
                (0..WORDS).for_each(|w| mask[w] |= missing[w]);
            }
        }
    }
}
