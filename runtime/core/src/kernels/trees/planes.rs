//! Trees as programs over bit planes: 512 rows at a time, no branch, and the same work whatever the rows are.
//!
//! A *mask* has a bit per row: whether the row passes a test. Equal tests of all trees of a stretch share one, so boosted
//! trees, whose thresholds are ends of histogram bins, have far fewer masks than nodes. The leaf that a row reaches in a tree is a
//! number of a few bits, and each bit is a plane of 512 rows: a node chooses, for each bit, between what its children say.
//! ```text
//! ranks   r_0, r_1 …: bit by bit of rank(x[feature])
//! masks   m[t] = rank < t: from those of the bits below, r_k ? m[t - 2^k] : 1 where t has bit k, else r_k ? 0 : m[t]; for the
//!         lower bits and the upper ones apart, which a test then joins
//! planes  p = m & left | ~m & right               // one instruction for 512 rows where registers are that wide
//! leaves  leaf = p_0 + 2 p_1 + 4 p_2 …;  sum += values[leaf]
//! ```
//! Leaves are numbered so that most nodes are constant in most bits: a complete tree of n nodes needs n - depth choices for all
//! of its bits together. Compare QuickScorer, which ands a word per false test and row, and RapidScorer, its form for
//! many rows: there the work grows with false tests times leaves, here with nodes.

use super::bins::{Tables, Value};
use crate::blob::{Blob, Plain};

/// Rows that are scored at a time.
pub(super) const ROWS: usize = 512;
/// Words of a plane.
pub(super) const WORDS: usize = ROWS / 64;
/// Bytes of a plane.
pub(super) const PLANE: usize = ROWS / 8;
/// Most leaves of a tree.
pub(super) const LEAVES: usize = 1 << MOST_PLANES;
/// Most planes of a tree.
pub(super) const MOST_PLANES: usize = 10;
/// Operands are counted in units of 8 bytes, in 16 bits.
pub(super) const UNIT: usize = 8;
/// Most planes that a program may name.
const SLOTS: usize = (1 << 16) * UNIT / PLANE;
/// Choices that are done together, at least those of one tree.
const TOGETHER: usize = 640;
/// Most temporary planes: a tree's choices where it has most, or those of several trees.
const TEMPORARIES: usize = LEAVES * 4;
/// Planes of constants: none, all.
const NONE: u16 = 0;
const ALL: u16 = (PLANE / UNIT) as u16;

/// A test that a row passes where `x <= threshold`, or where x is NaN if NaN passes.
#[derive(Clone, Copy)]
pub(super) struct TestKey {
    /// Below 2^29.
    pub feature: u32,
    /// Bits that order as the thresholds do.
    pub order: i64,
    pub missing: bool,
}

impl TestKey {
    /// By feature, threshold and what NaN does, in the upper bits; then a number of 32 bits.
    fn key(self, number: u32) -> u128 {
        let order = (self.order as u64) ^ (1 << 63);
        u128::from(self.feature) << 97 | u128::from(order) << 33 | u128::from(self.missing) << 32 | u128::from(number)
    }

    fn of(key: u128) -> TestKey {
        let order = ((key >> 33) as u64 ^ (1 << 63)) as i64;
        TestKey { feature: (key >> 97) as u32, order, missing: key >> 32 & 1 != 0 }
    }
}

/// The tests of some nodes in order, equal ones side by side.
pub(super) struct Sorted(Vec<u128>);

impl Sorted {
    /// Of fewer than 2^32 nodes.
    pub fn new(tests: impl Iterator<Item = TestKey>) -> Sorted {
        let mut keys: Vec<u128> = tests.zip(0..).map(|(t, n)| t.key(n)).collect();
        keys.sort_unstable();
        Sorted(keys)
    }

    /// The tests on the feature that has most, equal ones counted again.
    pub fn most(&self) -> usize {
        self.0.chunk_by(|a, b| a >> 97 == b >> 97).map(<[u128]>::len).max().unwrap_or(0)
    }
}

/// A node with the test of that number; children as in a tree's specification.
#[derive(Clone, Copy)]
pub(super) struct Choice {
    pub test: u32,
    pub left: u32,
    pub right: u32,
}

/// The masks of a feature in a stretch of trees.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Masks {
    /// Which bins.
    pub bins: u32,
    /// The first mask, in planes.
    pub slot: u32,
    /// Where the ranks are, one per mask, ascending.
    pub first: u32,
    /// Their number.
    pub count: u32,
    /// Which masks of the feature NaN passes although its rank does not say so: where they are, and how many.
    pub passes: u32,
    /// Their number.
    pub passed: u32,
}
// SAFETY: numbers of one size.
unsafe impl Plain for Masks {}

/// `to = mask ? left : right`, in units.
pub(super) type Op = [u16; 4];

/// What is done for some trees together, so that choices that do not depend on one another stand side by side.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Batch {
    /// Its ops: first, and behind the last.
    pub ops: [u32; 2],
    /// Its trees, likewise.
    pub trees: [u32; 2],
}
// SAFETY: numbers of one size.
unsafe impl Plain for Batch {}

/// How a tree's leaves are read off the planes.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Program {
    /// Where its values start: for each output that it adds to, a power of two of them.
    pub values: u32,
    pub planes: u32,
    /// Where each bit's plane is, in units.
    pub plane: [u16; MOST_PLANES],
    /// The output that it adds to plus 1, or 0 for all.
    pub target: u32,
}
// SAFETY: 16 and 32-bit numbers, an even number of the short ones.
unsafe impl Plain for Program {}

/// Trees that share masks.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(super) struct Stretch {
    /// 1 for programs, 2 for deep trees, 0 for trees that are walked with all that there may be.
    pub programs: u64,
    /// The trees: first, and behind the last.
    pub first: u64,
    pub end: u64,
    /// Where sections are; numbers of elements.
    pub masks: u64,
    pub mask_count: u64,
    pub ranks: u64,
    pub passes: u64,
    pub batches: u64,
    pub batch_count: u64,
    pub trees: u64,
    pub ops: u64,
}
// SAFETY: numbers of one size.
unsafe impl Plain for Stretch {}

impl Stretch {
    /// Its trees.
    pub fn trees(&self) -> std::ops::Range<usize> {
        self.first as usize..self.end as usize
    }
}

/// What all stretches share.
pub(super) struct Shared<X> {
    pub tables: Tables<X>,
    /// Per test, in their order, its bins and its rank among its feature's.
    places: Vec<(u32, u16)>,
    /// Per bins, the tests that NaN passes against its rank.
    against: Vec<Vec<u16>>,
}

impl<X> Shared<X> {
    /// Number of different tests.
    pub fn tests(&self) -> usize {
        self.places.len()
    }
}

/// The tests of the trees that become programs, as bins, and the number of each node's test among the different ones;
/// no feature has more than [`super::bins::MOST`].
pub(super) fn share<X: Value>(sorted: Sorted, threshold: impl Fn(TestKey) -> X) -> (Shared<X>, Vec<u32>) {
    let mut keys = sorted.0;
    let mut numbers = vec![0; keys.len()];
    for (equal, test) in keys.chunk_by(|a, b| a >> 32 == b >> 32).zip(0..) {
        equal.iter().for_each(|k| numbers[*k as u32 as usize] = test);
    }
    keys.dedup_by_key(|k| *k >> 32);
    let mut shared = Shared {
        tables: Tables { bins: vec![], bases: vec![], thresholds: vec![] },
        places: Vec::with_capacity(keys.len()),
        against: Vec::new(),
    };
    let all: Vec<TestKey> = keys.into_iter().map(TestKey::of).collect();
    for tests in all.chunk_by(|a, b| a.feature == b.feature) {
        // NaN's rank is that of the first test from which on it passes all; what it passes before is noted.
        let missing = tests.iter().rposition(|t| !t.missing).map_or(0, |last| last + 1);
        let bins = shared.tables.bins.len() as u32;
        let thresholds: Vec<X> = tests.iter().copied().map(&threshold).collect();
        shared.tables.add(tests[0].feature, &thresholds, missing);
        shared.places.extend((0..tests.len()).map(|i| (bins, i as u16)));
        shared.against.push((0..missing as u16).filter(|i| tests[usize::from(*i)].missing).collect());
    }
    (shared, numbers)
}

/// A tree in its own numbering: nodes in order, children below their parents.
pub(super) struct Shape {
    pub nodes: Vec<Choice>,
    /// Per node, how many leaves are below.
    sizes: Vec<u32>,
    pub leaves: usize,
    pub root: u32,
}

pub(super) const LEAF: u32 = 1 << 31;

impl Shape {
    /// Of a tree with at most [`LEAVES`]; `nodes` are its own, children of them counted among them, and
    /// leaves from 0 on.
    pub fn new(nodes: Vec<Choice>) -> Shape {
        let mut sizes = vec![0; nodes.len()];
        for i in (0..nodes.len()).rev() {
            let size = |c: u32| if c & LEAF == 0 { sizes[c as usize] } else { 1 };
            sizes[i] = size(nodes[i].left) + size(nodes[i].right);
        }
        let (leaves, root) = (nodes.len() + 1, if nodes.is_empty() { LEAF } else { 0 });
        Shape { nodes, sizes, leaves, root }
    }

    /// Of a child, how many leaves are below and, in the lower half, the child.
    fn sized(&self, c: u32) -> u64 {
        u64::from(if c & LEAF == 0 { self.sizes[c as usize] } else { 1 }) << 32 | u64::from(c)
    }

    /// Bits of a leaf's number.
    pub fn bits(&self) -> u32 {
        self.leaves.next_power_of_two().trailing_zeros().max(1)
    }

    /// A number for each leaf, so that few nodes differ in any bit: each bit halves groups of subtrees, and takes
    /// apart no more subtrees than it must.
    pub fn number(&self) -> Vec<u32> {
        // Groups one behind the other, each by size from the largest on: the bits so far, and where the group ends.
        let (mut subtrees, mut groups) = (vec![self.sized(self.root)], vec![(0, 1)]);
        let (mut halves, mut ones, mut apart) = (Vec::new(), Vec::new(), Vec::new());
        for bit in (0..self.bits()).rev() {
            let mut next = Vec::with_capacity(groups.len() * 2);
            let mut start = 0;
            for (number, end) in groups {
                let before = halves.len();
                self.halve(&subtrees[start..end], 1 << bit, [&mut halves, &mut ones], &mut apart);
                start = end;
                if halves.len() > before {
                    next.push((number, halves.len()));
                }
                if !ones.is_empty() {
                    halves.append(&mut ones);
                    next.push((number | 1 << bit, halves.len()));
                }
            }
            std::mem::swap(&mut subtrees, &mut halves);
            halves.clear();
            groups = next;
        }
        let mut numbers = vec![0; self.leaves];
        subtrees.iter().zip(&groups).for_each(|(s, (number, _))| numbers[(*s as u32 & !LEAF) as usize] = *number);
        numbers
    }

    /// Appends to two groups of at most `half` leaves each; `apart` is empty before and after.
    fn halve(&self, group: &[u64], half: u32, sides: [&mut Vec<u64>; 2], apart: &mut Vec<(u64, usize)>) {
        let mut room = [half, half];
        let mut group = group.iter().copied().peekable();
        // By size: what is left of the group, and children of what was taken apart.
        while let Some((subtree, wish)) = match (group.peek(), apart.last()) {
            (Some(s), Some((child, _))) if s < child => apart.pop().map(|(c, wish)| (c, Some(wish))),
            (Some(_), _) => group.next().map(|s| (s, None)),
            (None, _) => apart.pop().map(|(c, wish)| (c, Some(wish))),
        } {
            // A child goes where its parent's test says if it can, which saves that node's choice; others where they fit
            // most tightly.
            let first = wish.unwrap_or(usize::from(room[1] < room[0]));
            let size = (subtree >> 32) as u32;
            match [first, 1 - first].into_iter().find(|s| size <= room[*s]) {
                Some(s) => {
                    room[s] -= size;
                    sides[s].push(subtree);
                }
                // Larger than what is left on either side, so it has children.
                None => {
                    let n = self.nodes[subtree as u32 as usize];
                    for child in [(self.sized(n.left), 1), (self.sized(n.right), 0)] {
                        let smaller = apart.iter().rposition(|a| *a < child).map_or(0, |i| i + 1);
                        apart.insert(smaller, child);
                    }
                }
            }
        }
    }
}

/// What a subtree says for one bit.
#[derive(Clone, Copy, PartialEq)]
enum Bit {
    Known(bool),
    Mask(u16),
    /// What the choice of that number says.
    Chosen(u32),
}

/// `mask ? left : right`
struct Choose {
    mask: u16,
    left: Bit,
    right: Bit,
    /// The longest way to it from a mask.
    height: u32,
}

/// A tree of a stretch.
struct Planned {
    choices: Vec<Choose>,
    /// Bit by bit.
    results: Vec<Bit>,
    values: u32,
    target: u32,
}

/// A stretch while it grows.
pub(super) struct Growing {
    /// Per test of all stretches its mask, or `NO_MASK`.
    masks: Vec<u16>,
    /// Per mask its test.
    order: Vec<u32>,
    trees: Vec<Planned>,
}

const NO_MASK: u16 = u16::MAX;
/// Words that have a bit for each node of a tree.
const NODE_WORDS: usize = LEAVES / 64;

impl Growing {
    /// Empty, beside so many tests.
    pub fn new(tests: usize) -> Growing {
        Growing { masks: vec![NO_MASK; tests], order: Vec::new(), trees: Vec::new() }
    }

    pub fn is_empty(&self) -> bool {
        self.trees.is_empty()
    }

    /// Makes it empty.
    pub fn clear(&mut self) {
        self.order.drain(..).for_each(|test| self.masks[test as usize] = NO_MASK);
        self.trees.clear();
    }

    /// Whether another tree of so many nodes fits, with at most `masks` of them in all.
    pub fn fits(&self, nodes: usize, masks: usize) -> bool {
        self.is_empty() || self.order.len() + nodes <= masks.min(SLOTS - 2 - TEMPORARIES)
    }

    fn mask(&mut self, test: u32) -> u16 {
        let mask = &mut self.masks[test as usize];
        if *mask == NO_MASK {
            *mask = self.order.len() as u16;
            self.order.push(test);
        }
        *mask
    }

    /// Adds a tree whose leaves have these numbers. False where it would need too many temporary planes.
    pub fn add(&mut self, shape: &Shape, numbers: &[u32], values: u32, target: u32) -> bool {
        let masks: Vec<u16> = shape.nodes.iter().map(|n| self.mask(n.test)).collect();
        let bits = shape.bits() as usize;
        // Per node the bits that are the same in all of its leaves, and these; per bit the other nodes.
        let mut same = vec![(0u32, 0u32); shape.nodes.len()];
        let mut differ = [[0u64; NODE_WORDS]; MOST_PLANES];
        let known = |same: &[(u32, u32)], c: u32| match c & LEAF {
            0 => same[c as usize],
            _ => (u32::MAX, numbers[(c & !LEAF) as usize]),
        };
        for (i, n) in shape.nodes.iter().enumerate().rev() {
            let ((a, left), (b, right)) = (known(&same, n.left), known(&same, n.right));
            let both = a & b & !(left ^ right);
            same[i] = (both, left & both);
            let mut open = !both & ((1 << bits) - 1);
            while open != 0 {
                differ[open.trailing_zeros() as usize][i / 64] |= 1 << (i % 64);
                open &= open - 1;
            }
        }
        let mut choices: Vec<Choose> = Vec::with_capacity(2 * shape.nodes.len());
        let mut results = Vec::with_capacity(bits);
        let mut says = vec![Bit::Known(false); shape.nodes.len()];
        for (bit, differ) in differ.iter().enumerate().take(bits) {
            let of = |says: &[Bit], c: u32| match known(&same, c) {
                (all, value) if all >> bit & 1 != 0 => Bit::Known(value >> bit & 1 != 0),
                _ => says[c as usize],
            };
            for (word, nodes) in differ.iter().enumerate().take(shape.nodes.len().div_ceil(64)).rev() {
                let mut nodes = *nodes;
                while nodes != 0 {
                    let top = nodes.ilog2();
                    nodes ^= 1 << top;
                    let i = word * 64 + top as usize;
                    let n = shape.nodes[i];
                    let (left, right) = (of(&says, n.left), of(&says, n.right));
                    says[i] = match (left, right) {
                        (Bit::Known(true), Bit::Known(false)) => Bit::Mask(masks[i]),
                        _ => {
                            let height =
                                |b: Bit| if let Bit::Chosen(c) = b { choices[c as usize].height + 1 } else { 0 };
                            let height = height(left).max(height(right));
                            choices.push(Choose { mask: masks[i], left, right, height });
                            Bit::Chosen(choices.len() as u32 - 1)
                        }
                    };
                }
            }
            results.push(of(&says, shape.root));
        }
        if choices.len() > TEMPORARIES {
            return false;
        }
        self.trees.push(Planned { choices, results, values, target });
        true
    }

    /// Writes the stretch, and gives the planes that it needs.
    pub fn write<X: Value>(&self, table: &mut Blob, shared: &Shared<X>, first: usize) -> (Stretch, usize) {
        // Masks lie by feature and rank.
        let mut by_test: Vec<u64> = self.order.iter().zip(0..).map(|(t, m)| u64::from(*t) << 16 | m).collect();
        by_test.sort_unstable();
        let place = |t: u64| {
            let (bins, rank) = shared.places[(t >> 16) as usize];
            (bins, rank, t as u16)
        };
        let sorted: Vec<(u32, u16, u16)> = by_test.into_iter().map(place).collect();
        let batches = batches(&self.trees);
        let scheduled: Vec<Scheduled> = batches.iter().map(|b| Scheduled::new(&self.trees[b.clone()])).collect();
        let start = 2 + scheduled.iter().map(|s| usize::from(s.temporaries)).max().unwrap_or(0);
        let mut at = vec![0u16; sorted.len()];
        sorted.iter().enumerate().for_each(|(i, (_, _, m))| at[usize::from(*m)] = (start + i) as u16);
        let mut masks: Vec<Masks> = vec![];
        let (mut ranks, mut passes): (Vec<u16>, Vec<u16>) = (vec![], vec![]);
        for group in sorted.chunk_by(|a, b| a.0 == b.0) {
            let against = &shared.against[group[0].0 as usize];
            let first_pass = passes.len();
            let hit = group.iter().enumerate().filter(|(_, (_, rank, _))| against.binary_search(rank).is_ok());
            passes.extend(hit.map(|(i, _)| i as u16));
            masks.push(Masks {
                bins: group[0].0,
                slot: (start + ranks.len()) as u32,
                first: ranks.len() as u32,
                count: group.len() as u32,
                passes: first_pass as u32,
                passed: (passes.len() - first_pass) as u32,
            });
            ranks.extend(group.iter().map(|(_, rank, _)| *rank));
        }
        let mask = |m: u16| at[usize::from(m)] * ALL;
        let (mut programs, mut ops, mut written): (Vec<Program>, Vec<Op>, Vec<Batch>) = (vec![], vec![], vec![]);
        for (batch, scheduled) in batches.iter().zip(&scheduled) {
            let first = ops.len() as u32;
            let trees = &self.trees[batch.clone()];
            let place = |tree: usize, b: Bit| match b {
                Bit::Known(k) => {
                    if k {
                        ALL
                    } else {
                        NONE
                    }
                }
                Bit::Mask(m) => mask(m),
                Bit::Chosen(c) => (2 + scheduled.at[tree][c as usize]) * ALL,
            };
            ops.extend(scheduled.order.iter().map(|(tree, c)| {
                let choice = &trees[*tree].choices[*c as usize];
                let [left, right, to] = [choice.left, choice.right, Bit::Chosen(*c)].map(|b| place(*tree, b));
                [mask(choice.mask), left, right, to]
            }));
            programs.extend(trees.iter().enumerate().map(|(tree, t)| {
                let mut plane = [0; MOST_PLANES];
                t.results.iter().zip(&mut plane).for_each(|(b, p)| *p = place(tree, *b));
                Program { values: t.values, planes: t.results.len() as u32, plane, target: t.target }
            }));
            let trees = [batch.start as u32, batch.end as u32];
            written.push(Batch { ops: [first, ops.len() as u32], trees });
        }
        let stretch = Stretch {
            programs: 1,
            first: first as u64,
            end: (first + programs.len()) as u64,
            mask_count: masks.len() as u64,
            masks: table.section(&masks) as u64,
            ranks: table.section(&ranks) as u64,
            passes: table.section(&passes) as u64,
            batch_count: written.len() as u64,
            batches: table.section(&written) as u64,
            trees: table.section(&programs) as u64,
            ops: table.section(&ops) as u64,
        };
        (stretch, start + sorted.len())
    }
}

/// Trees whose choices are done together: as many as keep their temporary planes in the first-level cache.
fn batches(trees: &[Planned]) -> Vec<std::ops::Range<usize>> {
    let mut batches: Vec<std::ops::Range<usize>> = Vec::new();
    let mut choices = 0;
    for (i, t) in trees.iter().enumerate() {
        choices += t.choices.len();
        match batches.last_mut() {
            Some(b) if choices <= TOGETHER => b.end = i + 1,
            _ => {
                batches.push(i..i + 1);
                choices = t.choices.len();
            }
        }
    }
    batches
}

/// The order of a batch's choices, and where each goes among the temporary planes.
struct Scheduled {
    /// Tree and choice.
    order: Vec<(usize, u32)>,
    at: Vec<Vec<u16>>,
    temporaries: u16,
}

impl Scheduled {
    /// By height: what a choice needs is done well before, so that it need not wait for it.
    fn new(trees: &[Planned]) -> Scheduled {
        let each = |f: &mut dyn FnMut(usize, u32, usize)| {
            trees
                .iter()
                .enumerate()
                .for_each(|(t, p)| p.choices.iter().zip(0..).for_each(|(c, i)| f(t, i, c.height as usize)));
        };
        // Where those of a height start, in the order of heights.
        let mut starts = vec![0];
        each(&mut |_, _, height| {
            starts.resize(starts.len().max(height + 2), 0);
            starts[height + 1] += 1;
        });
        (1..starts.len()).for_each(|h| starts[h] += starts[h - 1]);
        let mut order = vec![(0, 0); starts[starts.len() - 1]];
        each(&mut |t, c, height| {
            order[starts[height]] = (t, c);
            starts[height] += 1;
        });
        let mut at: Vec<Vec<u16>> = trees.iter().map(|t| vec![0; t.choices.len()]).collect();
        let (mut free, mut temporaries): (Vec<u16>, u16) = (Vec::new(), 0);
        for (t, c) in &order {
            let choice = &trees[*t].choices[*c as usize];
            // A choice has one reader: its parent's, for the same bit.
            for b in [choice.left, choice.right] {
                if let Bit::Chosen(read) = b {
                    free.push(at[*t][read as usize]);
                }
            }
            at[*t][*c as usize] = free.pop().unwrap_or_else(|| {
                temporaries += 1;
                temporaries - 1
            });
        }
        Scheduled { order, at, temporaries }
    }
}
