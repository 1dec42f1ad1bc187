//! Runs programs over bit planes: see [`super::planes`] for what they mean, [`super::wide`] for the steps by processor.

use super::bins::{Bins, Value, ranks};
use super::planes::{Batch, MOST_PLANES, Masks, Op, PLANE, Program, ROWS, Stretch, UNIT, WORDS};
use super::wide::{Steps, Sum, TOGETHER, add_several};
use crate::kernels::section;

/// 512 bits: one for each row.
pub(super) type Plane = [u64; WORDS];
/// Bytes of the rows' leaves in a tree: low bytes, then high ones.
pub(super) const LEAVES_BYTES: usize = 2 * ROWS;

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
    /// A feature's ranks.
    pub rank: *mut u16,
    /// Per bins, bit by bit of the rows' ranks.
    pub ranks: *mut Plane,
    /// The rows whose lower bits of a rank are below a number, by number; then the same for its upper bits.
    pub steps: *mut Plane,
    /// The rows' leaves in some trees.
    pub leaves: *mut u8,
    /// What programs compute with.
    pub planes: *mut u8,
    /// Rows as deep trees read them.
    pub rows: *mut u8,
}

/// Trees of one output whose leaves are known and whose values are still to be added, in order.
struct Waiting<S> {
    values: [*const S; TOGETHER],
    count: usize,
    /// The output plus 1.
    target: u32,
    /// How many may wait.
    most: usize,
}

impl<S> Waiting<S> {
    /// Whether the tree waits too: none that adds to another output than those before it, or to several.
    #[inline(always)]
    fn take(&mut self, tree: &Program, values: *const S) -> bool {
        if self.count == 0 {
            self.target = tree.target;
        }
        let fits = self.count < self.most && tree.target > 0 && tree.target == self.target && tree.planes <= 8;
        if fits {
            self.values[self.count] = values.wrapping_add(tree.values as usize);
            self.count += 1;
        }
        fits
    }
}

/// Bytes of the parts of [`Memory`].
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    /// Planes of ranks.
    pub ranks: usize,
    /// Planes of steps, of the feature that has most: see [`steps`].
    pub steps: usize,
    pub planes: usize,
    /// Columns of the rows that deep trees read, and bytes of an element.
    pub columns: usize,
    pub column_bytes: usize,
    /// Rows that deep trees are walked with at a time.
    pub rows: usize,
}

impl Sizes {
    fn without_rows(self) -> usize {
        2 * ROWS + TOGETHER * LEAVES_BYTES + (self.ranks + self.steps + self.planes.max(2)) * PLANE
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
            let leaves = work.add(2 * ROWS);
            let ranks = leaves.add(TOGETHER * LEAVES_BYTES);
            let steps = ranks.add(self.ranks * PLANE);
            let planes = steps.add(self.steps * PLANE);
            planes.write_bytes(0, PLANE);
            planes.add(PLANE).write_bytes(0xff, PLANE);
            let rows = work.add(self.without_rows());
            Memory { rank: work.cast(), ranks: ranks.cast(), steps: steps.cast(), leaves, planes, rows }
        }
    }
}

/// The lower bits of a rank of so many, for whose numbers there are planes of their own: the fewest planes in all, but
/// enough that tests with the same upper bits come in runs.
fn lower(bits: usize) -> usize {
    bits.min(6).max(bits / 2)
}

/// Planes of steps for ranks of so many bits: for every number of the lower bits, and of the upper ones.
pub(super) fn steps(bits: usize) -> usize {
    (1 << lower(bits)) + (1 << (bits - lower(bits)))
}

/// The rows whose number is below t, for all t of so many bits: `bits` are the planes of the numbers.
/// # Safety
/// The planes are there, and `steps` has room for all.
#[inline(always)]
unsafe fn below<I: Steps>(bits: *const Plane, count: usize, steps: *mut Plane) {
    // SAFETY: the caller's promise.
    unsafe {
        I::store(I::zero(), steps);
        for bit in 0..count {
            let (rows, size) = (I::load(bits.add(bit)), 1 << bit);
            for t in 0..size {
                let below = I::load(steps.add(t));
                // Of those that have the bit, none is below a number without it.
                I::store(I::and_not(below, rows), steps.add(t));
                I::store(I::or_not(below, rows), steps.add(size + t));
            }
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
    pub unsafe fn rank<I: Steps>(&self) {
        for b in 0..self.bin_count {
            // SAFETY: rows up to the next multiple of 64 are readable; the memory has room for the planes of all bins.
            unsafe {
                let bins = &*self.bins.add(b);
                let x = self.x.add(bins.feature as usize * self.stride);
                ranks(bins, self.bases, self.thresholds, x, self.words() * 64, self.memory.rank);
                I::spread(self.memory.rank, bins.bits(), self.memory.ranks.add(bins.plane as usize));
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
            let masks = section::<Masks>(self.table, s.masks);
            for m in 0..s.mask_count as usize {
                self.mask::<I>(s, &*masks.add(m));
            }
            let (batches, ops) = (section::<Batch>(self.table, s.batches), section::<Op>(self.table, s.ops));
            let planes = self.memory.planes;
            let mut waiting = Waiting { values: [values; TOGETHER], count: 0, target: 0, most: I::TOGETHER };
            for b in 0..s.batch_count as usize {
                let batch = &*batches.add(b);
                for i in batch.ops[0]..batch.ops[1] {
                    let at = |o: u16| planes.add(usize::from(o) * UNIT).cast::<Plane>();
                    let [mask, left, right, to] = (*ops.add(i as usize)).map(at);
                    I::store(I::choose(I::load(mask), I::load(left), I::load(right)), to);
                }
                for t in batch.trees[0]..batch.trees[1] {
                    let tree = &*section::<Program>(self.table, s.trees).add(t as usize);
                    if !waiting.take(tree, values) {
                        self.add_waiting::<I, S>(&mut waiting, out);
                        if !waiting.take(tree, values) {
                            self.add_tree::<I, S>(tree, out, outputs, values);
                            continue;
                        }
                    }
                    let leaves = self.memory.leaves.add((waiting.count - 1) * LEAVES_BYTES);
                    I::leaves(&self.planes(tree), tree.planes as usize, self.words(), leaves);
                }
            }
            self.add_waiting::<I, S>(&mut waiting, out);
        }
    }

    /// Adds the values of the trees that wait.
    #[inline(always)]
    unsafe fn add_waiting<I: Steps, S: Sum>(&self, waiting: &mut Waiting<S>, out: *mut S) {
        // SAFETY: as for `add`; their leaves have been written, and their target is an output.
        unsafe {
            let out = out.wrapping_add((waiting.target as usize).wrapping_sub(1).wrapping_mul(self.stride));
            let [a, b, c, d] = waiting.values;
            match waiting.count {
                0 => {}
                1 => add_several([a], self.memory.leaves, self.rows, out),
                2 => add_several([a, b], self.memory.leaves, self.rows, out),
                3 => add_several([a, b, c], self.memory.leaves, self.rows, out),
                _ => I::add_four([a, b, c, d], self.memory.leaves, self.rows, out),
            }
            waiting.count = 0;
        }
    }

    /// Adds a tree's values by the planes that its program has made.
    #[inline(always)]
    unsafe fn add_tree<I: Steps, S: Sum>(&self, p: &Program, out: *mut S, outputs: usize, values: *const S) {
        // SAFETY: as for `add`.
        unsafe {
            let values = values.add(p.values as usize);
            let targets = if p.target > 0 { p.target as usize - 1..p.target as usize } else { 0..outputs };
            let plane = self.planes(p);
            I::leaves(&plane, p.planes as usize, self.words(), self.memory.leaves);
            for (k, o) in targets.enumerate() {
                let (out, values) = (out.add(o * self.stride), values.add(k << p.planes));
                S::add::<I>(values, &plane, p.planes as usize, self.memory.leaves, self.rows, out);
            }
        }
    }

    /// Where the bits of a tree's leaves are; those that it lacks are none.
    fn planes(&self, p: &Program) -> [*const Plane; MOST_PLANES] {
        // The memory has what programs name.
        p.plane.map(|o| self.memory.planes.wrapping_add(usize::from(o) * UNIT).cast::<Plane>().cast_const())
    }

    /// The masks of a feature's tests.
    #[inline(always)]
    unsafe fn mask<I: Steps>(&self, s: &Stretch, m: &Masks) {
        // SAFETY: as for `add`; there is memory for the steps of any bins.
        unsafe {
            let bins = &*self.bins.add(m.bins as usize);
            let (bits, ranks) = (bins.bits(), self.memory.ranks.add(bins.plane as usize).cast_const());
            let low = lower(bits);
            let (lower, upper) = (self.memory.steps, self.memory.steps.add(1 << low));
            below::<I>(ranks, low, lower);
            below::<I>(ranks.add(low), bits - low, upper);
            let tests = section::<u16>(self.table, s.ranks).add(m.first as usize);
            let masks = self.memory.planes.cast::<Plane>().add(m.slot as usize);
            // A rank passes if its upper bits are below those of the next one, or the same and the lower ones are below.
            let (mut same, mut passes, mut equal) = (usize::MAX, I::zero(), I::zero());
            for t in 0..m.count as usize {
                let next = usize::from(*tests.add(t)) + 1;
                if next >> low != same {
                    same = next >> low;
                    passes = I::load(upper.add(same));
                    let not_above = (same + 1) >> (bits - low) == 0;
                    equal = I::and_not(if not_above { I::load(upper.add(same + 1)) } else { I::ones() }, passes);
                }
                let lower = I::load(lower.add(next & ((1 << low) - 1)));
                I::store(I::or(passes, I::and(equal, lower)), masks.add(t));
            }
            if m.passed > 0 {
                self.pass::<I>(m, s, bins, masks);
            }
        }
    }

    /// NaN passes some tests although its rank does not say so.
    #[inline(always)]
    unsafe fn pass<I: Steps>(&self, m: &Masks, s: &Stretch, bins: &Bins, masks: *mut Plane) {
        // SAFETY: as for `add`.
        unsafe {
            let x = std::slice::from_raw_parts(self.x.add(bins.feature as usize * self.stride), self.words() * 64);
            // Not equal to itself: NaN.
            #[allow(clippy::eq_op)]
            let is_nan = |v: &X| v != v;
            if !x.iter().fold(false, |any, v| any | is_nan(v)) {
                return;
            }
            x.iter().enumerate().for_each(|(row, v)| self.memory.rank.add(row).write(u16::from(is_nan(v))));
            let missing = self.memory.steps;
            I::spread(self.memory.rank, 1, missing);
            let passes = section::<u16>(self.table, s.passes).add(m.passes as usize);
            for p in 0..m.passed as usize {
                let mask = masks.add(usize::from(*passes.add(p)));
                I::store(I::or(I::load(mask), I::load(missing)), mask);
            }
        }
    }
}
