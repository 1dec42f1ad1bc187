//! Values to ranks: how many of a feature's thresholds lie below a value. Exact, whatever the values are.
//!
//! ```text
//! cell  = clamp((x - low) * scale)             // an even grid over the thresholds; not exact, but monotone
//! rank  = base[cell]                           // the thresholds in the cells before
//! rank += step where thresholds[rank + step - 1] < x, for step = 2^(n-1) … 1
//! ```
//! Subtraction, product and truncation are monotone in IEEE 754, so a threshold in an earlier cell is below x and one in a
//! later cell is above it; what shares the cell is searched. The compiler of the table computes cells as the kernel does.

use crate::blob::Plain;

/// Most thresholds of a feature.
pub(super) const MOST: usize = 60_000;
/// Most cells of a grid.
const CELLS: usize = 4096;

/// A float that is compared with thresholds.
pub(super) trait Value: Plain + PartialOrd {
    const INFINITY: Self;
    /// Two indices: integers as wide as the float.
    type Word: Plain;
    const WORD_BITS: u32;
    /// Numbers that a NaN can carry.
    const PAYLOADS: usize;
    fn of(x: f64) -> Self;
    /// A NaN that carries a number.
    fn with_payload(n: u32) -> Self;
    /// What a NaN carries.
    fn payload(self) -> u32;
    /// A place and, in the lower bits, a column.
    fn join(place: u32, column: u32, bits: u32) -> Self::Word;
    /// The same apart.
    fn split(word: Self::Word, bits: u32) -> (usize, usize);
    fn wide(self) -> f64;
    /// The cell of a grid. A NaN in between, where infinity meets a scale of 0, is cell 0.
    fn cell(self, low: Self, scale: Self, last: Self) -> u32;
}

macro_rules! value {
    ($t:ty, $word:ty, $payload:literal) => {
        impl Value for $t {
            const INFINITY: $t = <$t>::INFINITY;
            type Word = $word;
            const WORD_BITS: u32 = <$word>::BITS;
            const PAYLOADS: usize = 1 << $payload;
            fn with_payload(n: u32) -> $t {
                <$t>::from_bits(<$t>::NAN.to_bits() | <$word>::from(n))
            }
            #[inline(always)]
            fn payload(self) -> u32 {
                (self.to_bits() & ((1 << $payload) - 1)) as u32
            }
            fn join(place: u32, column: u32, bits: u32) -> $word {
                <$word>::from(place) << bits | <$word>::from(column)
            }
            #[inline(always)]
            fn split(word: $word, bits: u32) -> (usize, usize) {
                ((word >> bits) as usize, (word & ((1 << bits) - 1)) as usize)
            }
            fn of(x: f64) -> $t {
                x as $t
            }
            fn wide(self) -> f64 {
                f64::from(self)
            }
            #[inline(always)]
            fn cell(self, low: $t, scale: $t, last: $t) -> u32 {
                let at = (self - low) * scale;
                // Comparisons rather than `max` and `min`: one instruction each. NaN ends as 0.
                let at = if at > 0.0 { at } else { 0.0 };
                let at = if at < last { at } else { last };
                // SAFETY: between 0 and the last cell.
                unsafe { at.to_int_unchecked::<i32>() as u32 }
            }
        }
    };
}
value!(f32, u32, 22);
value!(f64, u64, 32);

/// How the values of one feature become ranks.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bins {
    /// The first cell's start, exact in the type of the features.
    pub low: f64,
    /// Cells per unit, likewise.
    pub scale: f64,
    /// The last cell; the one behind it is for NaN.
    pub last: u32,
    /// Steps of the search within a cell.
    pub steps: u32,
    /// Where the cells' ranks start.
    pub base: u32,
    /// Where the thresholds start.
    pub thresholds: u32,
    /// Column of the frame.
    pub feature: u32,
    /// Number of thresholds: the rank of what is above all.
    pub count: u32,
    /// The rank of NaN: `count`, where it never goes left, or that of the first test that it passes.
    pub missing: u32,
    /// Where in the kernel's memory the planes of its ranks start, in planes.
    pub plane: u32,
}
// SAFETY: two doubles and eight 32-bit numbers, no padding.
unsafe impl Plain for Bins {}

/// The tables of all features.
pub(super) struct Tables<X> {
    pub bins: Vec<Bins>,
    pub bases: Vec<u16>,
    pub thresholds: Vec<X>,
}

impl Bins {
    /// Bits of a rank.
    pub fn bits(&self) -> usize {
        (u32::BITS - self.count.leading_zeros()) as usize
    }
}

impl<X: Value> Tables<X> {
    /// Planes that spell the ranks of all features.
    pub fn planes(&self) -> usize {
        self.bins.last().map_or(0, |b| b.plane as usize + b.bits())
    }

    /// Adds a feature with its thresholds, ascending (equal ones may repeat), and the rank of NaN.
    pub fn add(&mut self, feature: u32, thresholds: &[X], missing: usize) {
        let (low, scale, cells, steps) = grid(thresholds);
        let counted = counts(thresholds, low, scale, cells);
        let mut below = 0;
        let bases = counted.iter().map(|n| {
            below += n;
            (below - n) as u16
        });
        let bins = Bins {
            low: low.wide(),
            scale: scale.wide(),
            last: cells as u32 - 1,
            steps,
            base: self.bases.len() as u32,
            thresholds: self.thresholds.len() as u32,
            feature,
            count: thresholds.len() as u32,
            missing: missing as u32,
            plane: self.planes() as u32,
        };
        self.bases.extend(bases);
        // NaN is not above any threshold, so the search leaves it where it starts.
        self.bases.push(missing as u16);
        self.thresholds.extend_from_slice(thresholds);
        self.thresholds.extend(std::iter::repeat_n(X::INFINITY, 1 << steps));
        self.bins.push(bins);
    }
}

fn counts<X: Value>(thresholds: &[X], low: X, scale: X, cells: usize) -> Vec<usize> {
    let mut counts = vec![0; cells];
    thresholds.iter().for_each(|t| counts[t.cell(low, scale, X::of((cells - 1) as f64)) as usize] += 1);
    counts
}

/// The grid that costs least: a cell more in each makes the table longer, a step fewer the search shorter.
fn grid<X: Value>(thresholds: &[X]) -> (X, X, usize, u32) {
    let finite = || thresholds.iter().map(|t| t.wide()).filter(|t| t.is_finite());
    let (low, high) = (finite().next().unwrap_or(0.0), finite().next_back().unwrap_or(0.0));
    let with = |cells: usize| {
        // Not quite to the last cell, so that rounding does not crowd it.
        let scale = X::of((cells as f64 - 0.5) / (high - low));
        let fine = scale.wide().is_finite() && scale.wide() > 0.0;
        let scale = if fine { scale } else { X::of(0.0) };
        let most = counts(thresholds, X::of(low), scale, cells).into_iter().max().unwrap_or(0);
        let steps = usize::BITS - most.leading_zeros();
        (X::of(low), scale, cells, steps)
    };
    let cost =
        |(_, _, cells, steps): &(X, X, usize, u32)| 8 * steps + cells.ilog2() + if *cells > 1024 { 2 } else { 0 };
    let sizes = (3..=CELLS.ilog2()).map(|bits| 1 << bits).take_while(|c| *c <= 16 * thresholds.len().max(1));
    sizes.map(with).min_by_key(cost).unwrap_or_else(|| with(1))
}

/// The ranks of some rows, a multiple of 64 and at most 512.
/// # Safety
/// `x` has so many rows, `out` room for as many, and the tables are those that `bins` is of.
#[inline(always)]
pub(super) unsafe fn ranks<X: Value>(
    b: &Bins,
    bases: *const u16,
    thresholds: *const X,
    x: *const X,
    rows: usize,
    out: *mut u16,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let (bases, thresholds) = (bases.add(b.base as usize), thresholds.add(b.thresholds as usize));
        let (low, scale, last) = (X::of(b.low), X::of(b.scale), X::of(f64::from(b.last)));
        for i in 0..rows {
            let v = *x.add(i);
            // Not equal to itself: NaN.
            #[allow(clippy::eq_op)]
            let cell = if v == v { v.cell(low, scale, last) } else { b.last + 1 };
            out.add(i).write(cell as u16);
        }
        match b.steps {
            0 | 1 => search::<X, 1>(bases, thresholds, x, rows, out, 1),
            2 => search::<X, 2>(bases, thresholds, x, rows, out, 2),
            3 => search::<X, 3>(bases, thresholds, x, rows, out, 3),
            n => search::<X, 0>(bases, thresholds, x, rows, out, n),
        }
    }
}

/// A step of the search within a cell: 2^s ranks on, where the last threshold of so many is below the value.
/// # Safety
/// There are so many thresholds from the rank on, padding included.
#[inline(always)]
unsafe fn step<X: Value>(thresholds: *const X, rank: usize, s: u32, v: X) -> usize {
    // SAFETY: the caller's promise.
    rank + (usize::from(unsafe { *thresholds.add(rank + (1 << s) - 1) } < v) << s)
}

/// The rank of a value that is not NaN; of NaN, something.
/// # Safety
/// The tables are those that `bins` is of.
#[inline(always)]
pub(super) unsafe fn rank<X: Value>(b: &Bins, bases: *const u16, thresholds: *const X, v: X) -> u16 {
    // Read as it is signed: one instruction to convert.
    let cell = v.cell(X::of(b.low), X::of(b.scale), X::of(f64::from(b.last as i32)));
    // SAFETY: the caller's promise; see `search`.
    unsafe {
        let thresholds = thresholds.add(b.thresholds as usize);
        let mut rank = usize::from(*bases.add(b.base as usize + cell as usize));
        for s in (2..b.steps).rev() {
            rank = step(thresholds, rank, s, v);
        }
        // Mostly one or two: no loop for these.
        if b.steps > 1 {
            rank = step(thresholds, rank, 1, v);
        }
        step(thresholds, rank, 0, v) as u16
    }
}

/// From cells to ranks, in place. `STEPS` of 0 stands for a number that is not known beforehand.
#[inline(always)]
unsafe fn search<X: Value, const STEPS: u32>(
    bases: *const u16,
    thresholds: *const X,
    x: *const X,
    rows: usize,
    out: *mut u16,
    steps: u32,
) {
    let steps = if STEPS == 0 { steps } else { STEPS };
    for i in 0..rows {
        // SAFETY: the caller's promise; a rank is at most the number of thresholds, behind which a step's worth is padding.
        unsafe {
            let v = *x.add(i);
            let mut rank = usize::from(*bases.add(usize::from(*out.add(i))));
            for s in (0..steps).rev() {
                rank = step(thresholds, rank, s, v);
            }
            out.add(i).write(rank as u16);
        }
    }
}
