//! Trees as programs over bit planes: 512 rows at a time, no branch, and the same work whatever the rows are.
//!
//! A *mask* has a bit per row: whether the row passes a test. Equal tests of all trees of a stretch share one, so boosted
//! trees, whose thresholds are ends of histogram bins, have far fewer masks than nodes. The leaf that a row reaches in a tree is a
//! number of a few bits, and each bit is a plane of 512 rows: a node chooses, for each bit, between what its children say.
//! ```text
//! ranks   r_0, r_1 …: bit by bit of rank(x[feature])
//! masks   m[t] = rank < t: from those of the bits below, r_k ? m[t - 2^k] : 1 where t has bit k, else r_k ? 0 : m[t]
//! planes  p = m & left | ~m & right               // one instruction for 512 rows where registers are that wide
//! leaves  leaf = p_0 + 2 p_1 + 4 p_2 …;  sum += values[leaf]
//! ```
//! Leaves are numbered so that most nodes are constant in most bits: a complete tree of n nodes needs n - depth choices for all
//! of its bits together. Compare QuickScorer, which ands a word per false test and row, and RapidScorer, its form for
//! many rows: there the work grows with false tests times leaves, here with nodes.

use std::collections::HashMap;

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
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct TestKey {
    pub feature: u32,
    /// Bits that order as the thresholds do.
    pub order: i64,
    pub missing: bool,
}

/// A node with that test; children as in a tree's specification.
#[derive(Clone, Copy)]
pub(super) struct Choice {
    pub test: TestKey,
    pub left: u32,
    pub right: u32,
}

/// The marks of a feature in a stretch of trees.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Marks {
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
unsafe impl Plain for Marks {}

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
    pub marks: u64,
    pub mark_count: u64,
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
    /// Per test, its rank among its feature's, by its index in the bins.
    places: HashMap<TestKey, (u32, u16)>,
    /// Per bins, the tests that NaN passes against its rank.
    against: Vec<Vec<u16>>,
}

/// The tests of the trees that become programs, as bins; no feature has more than [`super::bins::MOST`].
pub(super) fn share<X: Value>(tests: impl Iterator<Item = TestKey>, threshold: impl Fn(&TestKey) -> X) -> Shared<X> {
    let mut all: Vec<TestKey> = tests.collect();
    all.sort_unstable();
    all.dedup();
    let mut shared = Shared {
        tables: Tables { bins: vec![], bases: vec![], thresholds: vec![] },
        places: HashMap::new(),
        against: Vec::new(),
    };
    for tests in all.chunk_by(|a, b| a.feature == b.feature) {
        // NaN's rank is that of the first test from which on it passes all; what it passes before is noted.
        let missing = tests.iter().rposition(|t| !t.missing).map_or(0, |last| last + 1);
        let bins = shared.tables.bins.len() as u32;
        let thresholds: Vec<X> = tests.iter().map(&threshold).collect();
        shared.tables.add(tests[0].feature, &thresholds, missing);
        shared.places.extend(tests.iter().enumerate().map(|(i, t)| (*t, (bins, i as u16))));
        shared.against.push((0..missing as u16).filter(|i| tests[usize::from(*i)].missing).collect());
    }
    shared
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
    /// Of a tree with not too many leaves; `nodes` are its own, children of them counted among them, and
    /// leaves from 0 on.
    pub fn new(nodes: Vec<Choice>, leaves: usize) -> Option<Shape> {
        if !(1..=LEAVES).contains(&leaves) {
            return None;
        }
        let mut sizes = vec![0; nodes.len()];
        for i in (0..nodes.len()).rev() {
            let size = |c: u32| if c & LEAF == 0 { sizes[c as usize] } else { 1 };
            sizes[i] = size(nodes[i].left) + size(nodes[i].right);
        }
        let root = if nodes.is_empty() { LEAF } else { 0 };
        Some(Shape { nodes, sizes, leaves, root })
    }

    fn size(&self, c: u32) -> u32 {
        if c & LEAF == 0 { self.sizes[c as usize] } else { 1 }
    }

    /// Bits of a leaf's number.
    pub fn bits(&self) -> u32 {
        self.leaves.next_power_of_two().trailing_zeros().max(1)
    }

    /// A number for each leaf, so that few nodes differ in any bit: each bit halves groups of subtrees, and takes
    /// apart no more subtrees than it must.
    pub fn number(&self) -> Vec<u32> {
        let mut numbers = vec![0; self.leaves];
        let mut groups = vec![vec![self.root]];
        for bit in (0..self.bits()).rev() {
            let half = 1u32 << bit;
            let mut next = Vec::with_capacity(groups.len() * 2);
            for group in groups {
                let [zeros, ones] = self.halve(group, half);
                ones.iter().for_each(|c| self.each_leaf(*c, &mut |l| numbers[l] |= half));
                next.extend([zeros, ones].into_iter().filter(|g| !g.is_empty()));
            }
            groups = next;
        }
        numbers
    }

    /// Two groups of at most `half` leaves each.
    fn halve(&self, group: Vec<u32>, half: u32) -> [Vec<u32>; 2] {
        let mut sides = [vec![], vec![]];
        let mut room = [half, half];
        // By size; a child goes where its parent's test says if it can, which saves that node's choice.
        let mut open: std::collections::BinaryHeap<(u32, u32, Option<usize>)> =
            group.into_iter().map(|c| (self.size(c), c, None)).collect();
        while let Some((size, child, wish)) = open.pop() {
            // Where it fits most tightly.
            let tighter = usize::from(room[1] < room[0]);
            let sides_in_order = [wish.unwrap_or(tighter), wish.map_or(1 - tighter, |w| 1 - w)];
            match sides_in_order.into_iter().find(|s| size <= room[*s]) {
                Some(s) => {
                    room[s] -= size;
                    sides[s].push(child);
                }
                // Larger than what is left on either side, so it has children.
                None => {
                    let n = self.nodes[child as usize];
                    open.push((self.size(n.left), n.left, Some(1)));
                    open.push((self.size(n.right), n.right, Some(0)));
                }
            }
        }
        sides
    }

    fn each_leaf(&self, child: u32, f: &mut impl FnMut(usize)) {
        let mut open = vec![child];
        while let Some(c) = open.pop() {
            match c & LEAF {
                0 => open.extend([self.nodes[c as usize].left, self.nodes[c as usize].right]),
                _ => f((c & !LEAF) as usize),
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
    tests: HashMap<TestKey, u16>,
    order: Vec<TestKey>,
    trees: Vec<Planned>,
}

impl Growing {
    pub fn new() -> Growing {
        Growing { tests: HashMap::new(), order: Vec::new(), trees: Vec::new() }
    }

    pub fn is_empty(&self) -> bool {
        self.trees.is_empty()
    }

    /// Whether another tree of so many nodes fits, with at most `masks` of them in all.
    pub fn fits(&self, nodes: usize, masks: usize) -> bool {
        self.is_empty() || self.order.len() + nodes <= masks.min(SLOTS - 2 - TEMPORARIES)
    }

    fn mask(&mut self, test: TestKey) -> u16 {
        *self.tests.entry(test).or_insert_with(|| {
            self.order.push(test);
            (self.order.len() - 1) as u16
        })
    }

    /// Adds a tree whose leaves have these numbers. False where it would need too many temporary planes.
    pub fn add(&mut self, shape: &Shape, numbers: &[u32], values: u32, target: u32) -> bool {
        let masks: Vec<u16> = shape.nodes.iter().map(|n| self.mask(n.test)).collect();
        let mut choices: Vec<Choose> = Vec::new();
        let mut results = Vec::new();
        let mut says = vec![Bit::Known(false); shape.nodes.len()];
        for bit in 0..shape.bits() {
            for (i, n) in shape.nodes.iter().enumerate().rev() {
                let of = |c: u32| match c & LEAF {
                    0 => says[c as usize],
                    _ => Bit::Known(numbers[(c & !LEAF) as usize] >> bit & 1 != 0),
                };
                let (left, right) = (of(n.left), of(n.right));
                says[i] = match (left, right) {
                    (Bit::Known(a), Bit::Known(b)) if a == b => left,
                    (Bit::Known(true), Bit::Known(false)) => Bit::Mask(masks[i]),
                    _ => {
                        let height = |b: Bit| if let Bit::Chosen(c) = b { choices[c as usize].height + 1 } else { 0 };
                        let height = height(left).max(height(right));
                        choices.push(Choose { mask: masks[i], left, right, height });
                        Bit::Chosen(choices.len() as u32 - 1)
                    }
                };
            }
            results.push(says.first().copied().unwrap_or(Bit::Known(false)));
        }
        if choices.len() > TEMPORARIES {
            return false;
        }
        self.trees.push(Planned { choices, results, values, target });
        true
    }

    /// Writes the stretch, and gives the planes that it needs.
    pub fn write<X: Value>(self, table: &mut Blob, shared: &Shared<X>, first: usize) -> (Stretch, usize) {
        // Masks lie by feature and rank.
        let mut sorted: Vec<(u32, u16, u16)> = Vec::with_capacity(self.order.len());
        sorted.extend(self.order.iter().enumerate().map(|(m, t)| {
            let (bins, rank) = shared.places[t];
            (bins, rank, m as u16)
        }));
        sorted.sort_unstable();
        let batches = batches(&self.trees);
        let scheduled: Vec<Scheduled> = batches.iter().map(|b| Scheduled::new(&self.trees[b.clone()])).collect();
        let start = 2 + scheduled.iter().map(|s| usize::from(s.temporaries)).max().unwrap_or(0);
        let mut at = vec![0u16; sorted.len()];
        sorted.iter().enumerate().for_each(|(i, (_, _, m))| at[usize::from(*m)] = (start + i) as u16);
        let mut marks: Vec<Marks> = vec![];
        let (mut ranks, mut passes): (Vec<u16>, Vec<u16>) = (vec![], vec![]);
        for group in sorted.chunk_by(|a, b| a.0 == b.0) {
            let against = &shared.against[group[0].0 as usize];
            let first_pass = passes.len();
            let hit = group.iter().enumerate().filter(|(_, (_, rank, _))| against.binary_search(rank).is_ok());
            passes.extend(hit.map(|(i, _)| i as u16));
            marks.push(Marks {
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
            mark_count: marks.len() as u64,
            marks: table.section(&marks) as u64,
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
        let all = trees.iter().enumerate().flat_map(|(t, p)| (0..p.choices.len() as u32).map(move |c| (t, c)));
        let mut order: Vec<(usize, u32)> = all.collect();
        order.sort_by_key(|(t, c)| trees[*t].choices[*c as usize].height);
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
