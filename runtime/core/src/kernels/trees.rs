//! Tree ensembles as data.
//!
//! A node takes 16 bytes for f32 features and 24 for f64. Packing brings the six tests to `x <= t` (with the next
//! number below for `<`, children swapped for `>` and `>=`) and `x == t`, with thresholds in the features' own type:
//! for an f32 feature, `x <= t` says the same as `x <= (the greatest f32 not above t)`. A test on a set of categories looks
//! into a bit set, or for one that is sparse into its sorted runs; ensembles without such tests walk without that branch.
//! Several rows walk a tree side by side, so that their loads overlap; rows that have arrived wait.
//!
//! Trees of up to a few hundred leaves are better off as programs over bit planes ([`planes`]), if a block has rows enough
//! to fill one, and as steps over ranks ([`few`]) if it has not; these have no nodes. Which trees these are is settled by cost
//! when the ensemble is packed.

mod bins;
mod deep;
mod few;
mod pack;
mod planes;
mod run;
mod wide;

use std::ops::Range;

use crate::blob::{Blob, Plain};
pub use crate::kernels::processor::Processor;
use crate::kernels::{PackError, export, section};
use bins::{Bins, Value};
use planes::Stretch;

const LEAF: u32 = 1 << 31;

/// A node as the caller has it. `left` and `right`: bit 31 set for a leaf, its index below; otherwise a node's index,
/// greater than this node's own.
#[derive(Clone, Copy, Debug)]
pub struct TreeNodeSpec {
    /// Column of the frame.
    pub feature: u32,
    /// 0 `<=`, 1 `<`, 2 `>=`, 3 `>`, 4 `==`, 5 `!=`, 6 in the set whose index the threshold is.
    pub test: u8,
    /// Where NaN goes.
    pub missing_left: bool,
    /// Not NaN.
    pub threshold: f64,
    /// Where the row goes when the test holds.
    pub left: u32,
    /// Where it goes otherwise.
    pub right: u32,
}

/// A tree: its root (as a child of a node) and the output that it adds to, None where leaves have a value for each.
#[derive(Clone, Copy, Debug)]
pub struct TreeSpec {
    /// As `left` of a node.
    pub root: u32,
    /// One output, or all.
    pub target: Option<u32>,
}

impl TreeSpec {
    /// The one output that it adds to, None where there are several.
    fn output(&self, t: &TreesSpec<'_>) -> Option<u32> {
        if t.outputs == 1 { Some(0) } else { self.target }
    }
}

/// An ensemble as the caller has it.
#[derive(Clone, Copy, Debug)]
pub struct TreesSpec<'a> {
    /// Width of the frame that is read.
    pub features: u32,
    /// Width of the frame that is given.
    pub outputs: u32,
    /// Whether the frame that is read is f64; f32 otherwise. What was rounded before the call is compared as it is.
    pub input_f64: bool,
    /// Whether leaves, sums and the frame that is given are f64; f32 otherwise.
    pub sum_f64: bool,
    /// What each output starts from.
    pub base: &'a [f64],
    /// In the order in which they are added.
    pub trees: &'a [TreeSpec],
    /// Of all trees.
    pub nodes: &'a [TreeNodeSpec],
    /// Per leaf, where its values start.
    pub leaves: &'a [u32],
    /// Leaf values.
    pub values: &'a [f64],
    /// Sets of categories, each as its runs: first and last member, ascending.
    pub sets: &'a [&'a [[u32; 2]]],
}

/// A packed ensemble.
#[derive(Clone, Debug)]
pub struct PackedTrees {
    /// The table of [`flock_trees`] and [`flock_leaves`].
    pub table: Blob,
    /// Bytes of `work` that [`flock_trees`] needs, whatever the rows of a block are.
    pub work: usize,
    /// Rows of a block that suit the kernel best; 0 where it does not care.
    pub block_rows: usize,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Header {
    input_f64: u64,
    sum_f64: u64,
    /// Which tests there are beside `<=`: 0 none, 1 `==`, 2 sets too.
    tests: u64,
    features: u64,
    outputs: u64,
    trees: u64,
    base: u64,
    roots: u64,
    nodes: u64,
    leaves: u64,
    values: u64,
    sets: u64,
    members: u64,
    /// How the trees are added: stretches in order, and what all of programs share.
    stretches: u64,
    stretch_count: u64,
    bins: u64,
    bin_count: u64,
    bases: u64,
    thresholds: u64,
    program_values: u64,
    /// What the memory is cut into.
    rank_planes: u64,
    step_planes: u64,
    planes: u64,
    columns: u64,
    rows: u64,
    /// The trees of many leaves: steps, roots by tree, columns, values, bits of a column.
    deep: [u64; 5],
    /// How few rows are scored.
    few: few::Few,
}
// SAFETY: numbers of one size.
unsafe impl Plain for Header {}

/// Root, or the least leaf where few rows take steps of their own, and the output plus 1 or 0 for all.
type Root = [u32; 2];

const MISSING_LEFT: u32 = 1 << 31;
const EQUAL: u32 = 1 << 30;
const IN: u32 = 1 << 29;

/// A set: where it starts among the members, and how many words of a bit set it has, or how many runs.
type Set = [u64; 2];
const RUNS: u64 = 1 << 63;

/// Packs sets: as bits where these take little more than the runs, so that the table is no larger than what it is made of.
fn pack_sets(table: &mut Blob, sets: &[&[[u32; 2]]]) -> (u64, u64) {
    let mut members: Vec<u32> = Vec::new();
    let mut packed: Vec<Set> = Vec::with_capacity(sets.len());
    for runs in sets {
        let at = members.len() as u64;
        let words = runs.last().map_or(0, |[_, last]| *last as usize / 32 + 1);
        if words > 8 + 4 * runs.len() {
            members.extend(runs.iter().flatten());
            packed.push([at, runs.len() as u64 | RUNS]);
            continue;
        }
        members.resize(members.len() + words, 0);
        let bits = &mut members[at as usize..];
        runs.iter().flat_map(|[first, last]| *first..=*last).for_each(|m| bits[m as usize / 32] |= 1 << (m % 32));
        packed.push([at, words as u64]);
    }
    (table.section(&packed) as u64, table.section(&members) as u64)
}

/// Whether x is an integer of the set.
/// # Safety
/// The pointers are those of packed sets, and the set is one of them.
#[inline]
unsafe fn is_member(sets: *const Set, members: *const u32, set: f64, x: f64) -> bool {
    // What is no such integer differs from what the cast makes of it.
    let k = x as u32;
    if f64::from(k) != x {
        return false;
    }
    // SAFETY: the caller's promise.
    unsafe {
        let [at, len] = *sets.add(set as usize);
        let members = members.add(at as usize);
        if len & RUNS == 0 {
            return u64::from(k / 32) < len && *members.add(k as usize / 32) >> (k % 32) & 1 == 1;
        }
        let runs = std::slice::from_raw_parts(members.cast::<[u32; 2]>(), (len & !RUNS) as usize);
        runs.get(runs.partition_point(|[_, last]| *last < k)).is_some_and(|[first, _]| *first <= k)
    }
}

/// A packed node: 16 bytes.
#[repr(C)]
#[derive(Clone, Copy)]
struct Node32 {
    threshold: f32,
    test: u32,
    left: u32,
    right: u32,
}
// SAFETY: four numbers of one size.
unsafe impl Plain for Node32 {}

/// A packed node: 24 bytes.
#[repr(C)]
#[derive(Clone, Copy)]
struct Node64 {
    threshold: f64,
    test: u32,
    left: u32,
    right: u32,
    fill: u32,
}
// SAFETY: a double and four 32-bit numbers, no padding.
unsafe impl Plain for Node64 {}

/// A packed node over features of type `X`.
trait Node: Plain {
    type X: Value + Into<f64>;

    fn new(threshold: f64, test: u32, left: u32, right: u32) -> Self;
    fn parts(&self) -> (Self::X, u32, u32, u32);
    /// The greatest X not above t, as f64.
    fn not_above(t: f64) -> f64;
    /// The greatest X below t, as f64; NaN where there is none.
    fn below(t: f64) -> f64;
}

impl Node for Node32 {
    type X = f32;
    fn new(threshold: f64, test: u32, left: u32, right: u32) -> Node32 {
        Node32 { threshold: threshold as f32, test, left, right }
    }
    #[inline(always)]
    fn parts(&self) -> (f32, u32, u32, u32) {
        (self.threshold, self.test, self.left, self.right)
    }
    fn not_above(t: f64) -> f64 {
        let x = t as f32;
        f64::from(if f64::from(x) > t { x.next_down() } else { x })
    }
    fn below(t: f64) -> f64 {
        let x = t as f32;
        match f64::from(x) < t {
            true => f64::from(x),
            false if t == f64::NEG_INFINITY => f64::NAN,
            false => f64::from(x.next_down()),
        }
    }
}

impl Node for Node64 {
    type X = f64;
    fn new(threshold: f64, test: u32, left: u32, right: u32) -> Node64 {
        Node64 { threshold, test, left, right, fill: 0 }
    }
    #[inline(always)]
    fn parts(&self) -> (f64, u32, u32, u32) {
        (self.threshold, self.test, self.left, self.right)
    }
    fn not_above(t: f64) -> f64 {
        t
    }
    fn below(t: f64) -> f64 {
        if t == f64::NEG_INFINITY { f64::NAN } else { t.next_down() }
    }
}

/// Brings a node to `x <= t` or `x == t`.
fn pack_node<N: Node>(n: &TreeNodeSpec) -> N {
    let kind = match n.test {
        4 | 5 => EQUAL,
        6 => IN,
        _ => 0,
    };
    let threshold = match n.test {
        6 => n.threshold,
        0 | 3 => N::not_above(n.threshold),
        1 | 2 => N::below(n.threshold),
        // Nothing equals a threshold that is no X.
        _ if N::not_above(n.threshold) == n.threshold => n.threshold,
        _ => f64::NAN,
    };
    // `>=`, `>` and `!=` are the negations of `<`, `<=` and `==`, but for NaN, which has a direction of its own.
    let swap = matches!(n.test, 2 | 3 | 5);
    let missing = if n.missing_left != swap { MISSING_LEFT } else { 0 };
    let test = n.feature | missing | kind;
    let (left, right) = if swap { (n.right, n.left) } else { (n.left, n.right) };
    N::new(threshold, test, left, right)
}

fn check(t: &TreesSpec<'_>) -> Result<(), PackError> {
    let wrong = |what: String| Err(PackError(what));
    let limit = IN as usize;
    if t.features as usize >= limit || t.nodes.len() >= LEAF as usize || t.leaves.len() >= LEAF as usize {
        return wrong("more than 2^29 features, or 2^31 nodes or leaves".into());
    }
    if t.base.len() != t.outputs as usize {
        return wrong(format!("{} base values for {} outputs", t.base.len(), t.outputs));
    }
    let inside = |c: u32, after: usize| match c & LEAF {
        0 => (c as usize) < t.nodes.len() && c as usize >= after,
        _ => ((c & !LEAF) as usize) < t.leaves.len(),
    };
    for (i, n) in t.nodes.iter().enumerate() {
        if n.feature >= t.features
            || n.test > 6
            || n.threshold.is_nan()
            || n.test == 6 && !is_set(t, n.threshold)
            || !inside(n.left, i + 1)
            || !inside(n.right, i + 1)
        {
            return wrong(format!("node {i} has a feature, test, threshold or child that cannot be"));
        }
    }
    for (i, tree) in t.trees.iter().enumerate() {
        if !inside(tree.root, 0) || tree.target.is_some_and(|o| o >= t.outputs) {
            return wrong(format!("tree {i} has a root or an output that does not exist"));
        }
    }
    let wide = t.trees.iter().any(|t| t.target.is_none());
    let len = if wide { t.outputs as usize } else { 1 };
    match t.leaves.iter().position(|l| (*l as usize).checked_add(len).is_none_or(|end| end > t.values.len())) {
        // Where trees of both forms share a pool, a leaf of one value may stand at its end.
        Some(l) if len == 1 || t.leaves[l] as usize >= t.values.len() => wrong(format!("leaf {l} has no values")),
        _ => Ok(()),
    }
}

/// Whether a threshold is the index of a set, exact in the type of the features.
fn is_set(t: &TreesSpec<'_>, threshold: f64) -> bool {
    let most = if t.input_f64 { t.sets.len() } else { t.sets.len().min(1 << 24) };
    (0.0..most as f64).contains(&threshold) && threshold.fract() == 0.0
}

/// Packs an ensemble.
///
/// # Errors
/// Where an index leads outside, a threshold is NaN, or a child does not come after its parent.
pub fn pack_trees(t: &TreesSpec<'_>) -> Result<PackedTrees, PackError> {
    check(t)?;
    let mut table = Blob::of(&[0u8; size_of::<Header>()]);
    // About what there will be: of a node a choice or two and a step, of a leaf two forms of its values.
    table.reserve(t.nodes.len() * 40 + t.leaves.len() * 4 + t.values.len() * 16);
    let mut values = t.values.to_vec();
    // So that reading all outputs of any leaf stays inside, whatever the last leaf's form is.
    values.resize(values.len() + t.outputs as usize, 0.0);
    let (sets, members) = pack_sets(&mut table, t.sets);
    let tests = t.nodes.iter().map(|n| match n.test {
        6 => 2,
        4 | 5 => 1,
        _ => 0,
    });
    let (nodes, roots, plan) = match t.input_f64 {
        true => trees::<Node64>(&mut table, t),
        false => trees::<Node32>(&mut table, t),
    };
    let header = Header {
        input_f64: u64::from(t.input_f64),
        sum_f64: u64::from(t.sum_f64),
        tests: tests.max().unwrap_or(0),
        features: u64::from(t.features),
        outputs: u64::from(t.outputs),
        trees: t.trees.len() as u64,
        base: floats(&mut table, t.base, t.sum_f64),
        roots: table.section(&roots) as u64,
        nodes,
        leaves: table.section(t.leaves) as u64,
        values: floats(&mut table, &values, t.sum_f64),
        sets,
        members,
        stretches: plan.stretches,
        stretch_count: plan.stretch_count,
        bins: plan.bins,
        bin_count: plan.bin_count,
        bases: plan.bases,
        thresholds: plan.thresholds,
        program_values: plan.values,
        rank_planes: plan.sizes.ranks as u64,
        step_planes: plan.sizes.steps as u64,
        planes: plan.sizes.planes as u64,
        columns: plan.sizes.columns as u64,
        rows: plan.sizes.rows as u64,
        deep: plan.deep,
        few: plan.few,
    };
    table.set_header(header);
    let walks = plan.stretch_count == 0;
    let work = if walks { 0 } else { plan.sizes.bytes() };
    let rows = if plan.sizes.columns > 0 { plan.sizes.rows } else { planes::ROWS };
    Ok(PackedTrees { table, work, block_rows: if walks { 0 } else { rows } })
}

/// What becomes of the trees; the nodes of those that are walked, and one that a row that has arrived may read; the roots of all.
fn trees<N: Node>(table: &mut Blob, t: &TreesSpec<'_>) -> (u64, Vec<Root>, pack::Plan) {
    let nodes: Vec<N> = t.nodes.iter().map(pack_node).collect();
    let plan = pack::plan(table, t, &nodes);
    let mut walked = vec![false; nodes.len()];
    let walk = |walked: &mut [bool], child: u32| {
        if child & LEAF == 0 {
            walked[child as usize] = true;
        }
    };
    t.trees.iter().zip(&plan.least).filter(|(_, l)| l.is_none()).for_each(|(t, _)| walk(&mut walked, t.root));
    for (i, n) in t.nodes.iter().enumerate() {
        // Children come after their parents.
        if walked[i] {
            [n.left, n.right].into_iter().for_each(|c| walk(&mut walked, c));
        }
    }
    let mut count = 0;
    let before = |w: &bool| {
        count += u32::from(*w);
        count - u32::from(*w)
    };
    let places: Vec<u32> = walked.iter().map(before).collect();
    let place = |child: u32| if child & LEAF == 0 { places[child as usize] } else { child };
    let moved = |(n, _): (&N, &bool)| {
        let (threshold, test, left, right) = n.parts();
        N::new(threshold.into(), test, place(left), place(right))
    };
    let mut kept: Vec<N> = nodes.iter().zip(&walked).filter(|(_, w)| **w).map(moved).collect();
    kept.push(N::new(0.0, 0, LEAF, LEAF));
    let root = |(tree, least): (&TreeSpec, &Option<u32>)| {
        [least.unwrap_or_else(|| place(tree.root)), tree.output(t).map_or(0, |o| o + 1)]
    };
    let roots = t.trees.iter().zip(&plan.least).map(root).collect();
    (table.section(&kept) as u64, roots, plan)
}

fn floats(table: &mut Blob, values: &[f64], wide: bool) -> u64 {
    if wide {
        return table.section(values) as u64;
    }
    table.section(&values.iter().map(|v| *v as f32).collect::<Vec<_>>()) as u64
}

/// Rows that walk side by side.
const LANES: usize = 8;
/// Features of a single row that are copied together.
const TOGETHER: usize = 128;

/// Where `LANES` walks from `at` arrive: of neighbouring rows in one tree (`STEP` of 1), or of one row in as many trees (0).
/// `x` points at the first row of the first feature.
#[inline(always)]
unsafe fn walk<N: Node, const TESTS: u8, const STEP: usize>(
    nodes: *const N,
    (sets, members): (*const Set, *const u32),
    mut at: [u32; LANES],
    x: *const N::X,
    stride: usize,
) -> [u32; LANES] {
    while at.iter().fold(LEAF, |all, a| all & a) == 0 {
        for (lane, at) in at.iter_mut().enumerate() {
            let arrived = *at & LEAF != 0;
            // SAFETY: packing has checked nodes and features, and there is always a node 0.
            unsafe {
                let (threshold, test, left, right) = (*nodes.add(if arrived { 0 } else { *at as usize })).parts();
                let x = *x.add((test & !(MISSING_LEFT | EQUAL | IN)) as usize * stride + lane * STEP);
                let holds = match test & (EQUAL | IN) {
                    EQUAL if TESTS > 0 => x == threshold,
                    IN if TESTS > 1 => is_member(sets, members, threshold.into(), x.into()),
                    _ => x <= threshold,
                };
                // Not equal to itself: NaN.
                #[allow(clippy::eq_op)]
                let goes_left = holds | ((test & MISSING_LEFT != 0) & (x != x));
                let next = if goes_left { left } else { right };
                *at = if arrived { *at } else { next };
            }
        }
    }
    at.map(|a| a & !LEAF)
}

/// Calls `f(tree, first row, rows, leaves)` for some trees in order and within them for groups of rows.
/// # Safety
/// `table` was packed with features of `N::X`; the frame is as the conventions say.
#[inline(always)]
unsafe fn each_leaf<N: Node>(
    table: *const u8,
    x: *const N::X,
    stride: usize,
    rows: usize,
    trees: Range<usize>,
    mut f: impl FnMut(usize, usize, usize, [u32; LANES]),
) {
    // SAFETY: the caller's promise. The stride is a multiple of 64, so a last group that is not full still reads
    // inside of the frame's columns; its surplus rows are not used.
    unsafe {
        let h = &*table.cast::<Header>();
        let (nodes, roots) = (section::<N>(table, h.nodes), section::<Root>(table, h.roots));
        let sets = (section::<Set>(table, h.sets), section::<u32>(table, h.members));
        if rows < LANES / 2 {
            // Few rows: a row at a time, trees side by side. Behind the last one stand walks that have arrived.
            let mut together = [N::X::INFINITY; TOGETHER];
            for row in 0..rows {
                let (mut x, mut stride) = (x.add(row), stride);
                // Columns are far apart, and often in one set of the cache.
                if h.features as usize <= TOGETHER {
                    let features = together.iter_mut().take(h.features as usize).enumerate();
                    features.for_each(|(j, to)| *to = *x.add(j * stride));
                    (x, stride) = (together.as_ptr(), 1);
                }
                for first in trees.clone().step_by(LANES) {
                    let n = LANES.min(trees.end - first);
                    let at = std::array::from_fn(|i| if i < n { (*roots.add(first + i))[0] } else { LEAF });
                    let leaves = match h.tests {
                        0 => walk::<N, 0, 0>(nodes, sets, at, x, stride),
                        1 => walk::<N, 1, 0>(nodes, sets, at, x, stride),
                        _ => walk::<N, 2, 0>(nodes, sets, at, x, stride),
                    };
                    leaves.iter().take(n).enumerate().for_each(|(i, leaf)| f(first + i, row, 1, [*leaf; LANES]));
                }
            }
            return;
        }
        for tree in trees {
            let [root, _] = *roots.add(tree);
            for first in (0..rows).step_by(LANES) {
                let (x, at) = (x.add(first), [root; LANES]);
                let leaves = match h.tests {
                    0 => walk::<N, 0, 1>(nodes, sets, at, x, stride),
                    1 => walk::<N, 1, 1>(nodes, sets, at, x, stride),
                    _ => walk::<N, 2, 1>(nodes, sets, at, x, stride),
                };
                f(tree, first, LANES.min(rows - first), leaves);
            }
        }
    }
}

/// [`flock_trees`] as if the processor were that one.
/// # Safety
/// As there; the processor is at least that.
pub unsafe fn trees_on(
    processor: Processor,
    table: *const u8,
    x: *const u8,
    stride: usize,
    rows: usize,
    out: *mut u8,
    work: *mut u8,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let h = &*table.cast::<Header>();
        match (h.input_f64 != 0, h.sum_f64 != 0) {
            (false, false) => add_all::<Node32, f32>(processor, table, x.cast(), stride, rows, out.cast(), work),
            (false, true) => add_all::<Node32, f64>(processor, table, x.cast(), stride, rows, out.cast(), work),
            (true, false) => add_all::<Node64, f32>(processor, table, x.cast(), stride, rows, out.cast(), work),
            (true, true) => add_all::<Node64, f64>(processor, table, x.cast(), stride, rows, out.cast(), work),
        }
    }
}

/// Rows from which on programs are faster than a row at a time: below, most of a plane is empty.
const FEW_ROWS: usize = 40;

/// The ensemble's outputs.
/// # Safety
/// As for [`flock_trees`]; the table was packed for these types.
unsafe fn add_all<N: Node, S: Summed>(
    processor: Processor,
    table: *const u8,
    x: *const N::X,
    stride: usize,
    rows: usize,
    out: *mut S,
    work: *mut u8,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let h = &*table.cast::<Header>();
        let (base, outputs) = (section::<S>(table, h.base), h.outputs as usize);
        for o in 0..outputs {
            (0..rows).for_each(|i| out.add(o * stride + i).write(*base.add(o)));
        }
        if h.stretch_count == 0 || rows < FEW_ROWS || work.is_null() {
            let mut sums = Sums {
                values: section(table, h.values),
                starts: section(table, h.leaves),
                roots: section(table, h.roots),
                out,
                stride,
                outputs,
            };
            return few_rows::<N>(table, x, stride, rows).leaves(&mut sums, |_, trees, first, rows| {
                walk_all::<N, S>(table, x.add(first), stride, rows, out.add(first), trees);
            });
        }
        match processor {
            #[cfg(target_arch = "x86_64")]
            Processor::Avx512 => stretches_avx512::<N, S>(table, x, stride, rows, out, work),
            #[cfg(target_arch = "x86_64")]
            Processor::Avx2 => stretches_avx2::<N, S>(table, x, stride, rows, out, work),
            _ => stretches::<N, S, wide::Plain>(table, x, stride, rows, out, work),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi1,bmi2")]
unsafe fn stretches_avx512<N: Node, S: Summed>(
    table: *const u8,
    x: *const N::X,
    stride: usize,
    rows: usize,
    out: *mut S,
    work: *mut u8,
) {
    // SAFETY: the caller's promise, and it has asked the processor.
    unsafe { stretches::<N, S, wide::Avx512>(table, x, stride, rows, out, work) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2")]
unsafe fn stretches_avx2<N: Node, S: Summed>(
    table: *const u8,
    x: *const N::X,
    stride: usize,
    rows: usize,
    out: *mut S,
    work: *mut u8,
) {
    // SAFETY: the caller's promise, and it has asked the processor.
    unsafe { stretches::<N, S, wide::Avx2>(table, x, stride, rows, out, work) }
}

/// Stretch by stretch: trees that are programs 512 rows at a time, the others walked.
#[inline(always)]
unsafe fn stretches<N: Node, S: Summed, I: wide::Steps>(
    table: *const u8,
    x: *const N::X,
    stride: usize,
    rows: usize,
    out: *mut S,
    work: *mut u8,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let h = &*table.cast::<Header>();
        let sizes = run::Sizes {
            ranks: h.rank_planes as usize,
            steps: h.step_planes as usize,
            planes: h.planes as usize,
            columns: h.columns as usize,
            column_bytes: size_of::<N::X>(),
            rows: h.rows as usize,
        };
        let columns = std::slice::from_raw_parts(section::<deep::Column>(table, h.deep[2]), sizes.columns);
        let memory = sizes.cut(work);
        let all = std::slice::from_raw_parts(section::<Stretch>(table, h.stretches), h.stretch_count as usize);
        // A deep tree is read once for as many rows as there are; of programs, a chunk is ranked once for all stretches.
        let (chunk, together) = if columns.is_empty() { (planes::ROWS, all.len()) } else { (sizes.rows, 1) };
        for first in (0..rows).step_by(chunk) {
            let (x, out, rows) = (x.add(first), out.add(first), (rows - first).min(chunk));
            if !columns.is_empty() {
                deep::copy_rows(columns, x, stride, rows.next_multiple_of(deep::LANES), memory.rows.cast());
            }
            for some in all.chunks(together) {
                for first in (0..rows).step_by(planes::ROWS).filter(|_| some.iter().any(|s| s.programs == 1)) {
                    let block = run::Block {
                        table,
                        bins: section::<Bins>(table, h.bins),
                        bin_count: h.bin_count as usize,
                        bases: section(table, h.bases),
                        thresholds: section(table, h.thresholds),
                        x: x.add(first),
                        stride,
                        rows: (rows - first).min(planes::ROWS),
                        memory,
                    };
                    block.rank::<I>();
                    for s in some {
                        match s.programs {
                            1 => block.add::<I, S>(
                                s,
                                out.add(first),
                                h.outputs as usize,
                                section(table, h.program_values),
                            ),
                            _ => walk_all::<N, S>(table, block.x, stride, block.rows, out.add(first), s.trees()),
                        }
                    }
                }
                match some {
                    [s] if s.programs == 0 => walk_all::<N, S>(table, x, stride, rows, out, s.trees()),
                    [s] if s.programs == 2 => {
                        let (steps, bits, width) = (section(table, h.deep[0]), h.deep[4] as u32, columns.len());
                        let walks = deep::Walks { steps, bits, x: memory.rows.cast(), width, rows };
                        deep_all::<N, S>(table, s, &walks, stride, out)
                    }
                    _ => {}
                }
            }
        }
    }
}

/// Adds the trees of a stretch that are deep.
#[inline(always)]
unsafe fn deep_all<N: Node, S: Summed>(
    table: *const u8,
    s: &Stretch,
    walks: &deep::Walks<N::X>,
    stride: usize,
    out: *mut S,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let h = &*table.cast::<Header>();
        let (values, outputs) = (section::<S>(table, h.deep[3]), h.outputs as usize);
        for tree in s.trees() {
            let [_, target] = *section::<Root>(table, h.roots).add(tree);
            let roots = section::<deep::Root>(table, h.deep[1]);
            let root = *roots.add(tree);
            // The next tree is about as large as this one; behind the last there is nothing to read soon.
            let next = if tree + 1 < s.end as usize { *roots.add(tree + 1) } else { root };
            let coming = [
                deep::Memory::of(walks.steps, next[0] as usize, (next[0] - root[0]) as usize),
                deep::Memory::of(values, next[2] as usize, (next[2] - root[2]) as usize),
            ];
            let values = values.add(root[2] as usize);
            if target > 0 {
                let out = out.add((target as usize - 1) * stride);
                walks.walk(root, coming, |row, leaf| *out.add(row) += *values.add(leaf));
            } else {
                walks.walk(root, coming, |row, leaf| {
                    (0..outputs).for_each(|o| *out.add(o * stride + row) += *values.add(leaf * outputs + o));
                });
            }
        }
    }
}

/// The parts of a table for few rows.
unsafe fn few_rows<'a, N: Node>(table: *const u8, x: *const N::X, stride: usize, rows: usize) -> few::Rows<'a, N::X> {
    // SAFETY: the caller's promise.
    unsafe {
        let h = &*table.cast::<Header>();
        few::Rows {
            table,
            few: &h.few,
            bins: section(table, h.bins),
            bases: section(table, h.bases),
            thresholds: section(table, h.thresholds),
            roots: section(table, h.roots),
            x,
            stride,
            rows,
        }
    }
}

/// Adds the values of leaves.
struct Sums<S> {
    values: *const S,
    /// Per leaf, where its values start.
    starts: *const u32,
    roots: *const Root,
    out: *mut S,
    stride: usize,
    outputs: usize,
}

impl<S: Summed> few::Take for Sums<S> {
    #[inline(always)]
    unsafe fn take(&mut self, row: usize, trees: Range<usize>, run: &few::Run, leaf: impl Fn(usize) -> u32) {
        // SAFETY: the caller's promise.
        unsafe {
            let values = |tree: usize| self.values.add(*self.starts.add(leaf(tree) as usize) as usize);
            let out = |o: usize| self.out.add(o * self.stride + row);
            if run.target > 0 {
                // In a register, not in memory from one addition to the next.
                let out = out(run.target as usize - 1);
                *out = match run.numbered {
                    1 => trees.fold(*out, |sum, tree| sum + *self.values.add(leaf(tree) as usize)),
                    _ => trees.fold(*out, |sum, tree| sum + *values(tree)),
                };
                return;
            }
            for tree in trees {
                let values = values(tree);
                match (*self.roots.add(tree))[1] as usize {
                    0 => (0..self.outputs).for_each(|o| *out(o) += *values.add(o)),
                    target => *out(target - 1) += *values,
                }
            }
        }
    }
}

/// The leaves themselves, column by column.
struct Numbers {
    out: *mut i64,
    stride: usize,
}

impl few::Take for Numbers {
    #[inline(always)]
    unsafe fn take(&mut self, row: usize, trees: Range<usize>, _: &few::Run, leaf: impl Fn(usize) -> u32) {
        // SAFETY: the caller's promise.
        trees.for_each(|tree| unsafe { *self.out.add(tree * self.stride + row) = i64::from(leaf(tree)) });
    }
}

/// What sums are made of.
trait Summed: wide::Sum + std::ops::Add<Output = Self> {}
impl Summed for f32 {}
impl Summed for f64 {}

/// Adds the values of some trees, walking them.
unsafe fn walk_all<N: Node, S: Summed>(
    table: *const u8,
    x: *const N::X,
    stride: usize,
    rows: usize,
    out: *mut S,
    trees: Range<usize>,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let h = &*table.cast::<Header>();
        let (values, outputs) = (section::<S>(table, h.values), h.outputs as usize);
        let (roots, starts) = (section::<Root>(table, h.roots), section::<u32>(table, h.leaves));
        each_leaf::<N>(table, x, stride, rows, trees, |tree, first, n, leaves| {
            let [_, target] = *roots.add(tree);
            for (lane, leaf) in leaves.into_iter().enumerate().take(n) {
                let v = values.add(*starts.add(leaf as usize) as usize);
                if target > 0 {
                    *out.add((target as usize - 1) * stride + first + lane) += *v;
                } else {
                    (0..outputs).for_each(|o| *out.add(o * stride + first + lane) += *v.add(o));
                }
            }
        })
    }
}

/// [`flock_leaves`] of a table that was packed for these features.
unsafe fn number<N: Node>(table: *const u8, x: *const N::X, stride: usize, rows: usize, out: *mut i64) {
    // SAFETY: the caller's promise.
    unsafe {
        few_rows::<N>(table, x, stride, rows).leaves(&mut Numbers { out, stride }, |_, trees, first, rows| {
            each_leaf::<N>(table, x.add(first), stride, rows, trees, |tree, row, n, leaves| {
                let out = out.add(tree * stride + first + row);
                (0..n).for_each(|i| *out.add(i) = i64::from(leaves[i]));
            });
        });
    }
}

export! {
    /// The ensemble's outputs: base plus leaf values in the order of the trees, each addition in the sum's type.
    /// `x` and `out` are frames of the types that the table was packed for. `work` may be null where none is needed.
    fn flock_trees(table: *const u8, x: *const u8, stride: usize, rows: usize, out: *mut u8, work: *mut u8) {
        trees_on(Processor::best(), table, x, stride, rows, out, work)
    }

    /// The index of the leaf that each row reaches in each tree: a frame of as many columns as there are trees.
    fn flock_leaves(table: *const u8, x: *const u8, stride: usize, rows: usize, out: *mut i64, _work: *mut u8) {
        let h = &*table.cast::<Header>();
        match h.input_f64 {
            0 => number::<Node32>(table, x.cast(), stride, rows, out),
            _ => number::<Node64>(table, x.cast(), stride, rows, out),
        }
    }
}
