//! Packed ensembles against the plain meaning of their nodes, on values made to be hard.
#![allow(clippy::unwrap_used)]

use flock_core::kernels::trees::{Processor, flock_leaves, trees_on};
use flock_core::{Blob, TreeNodeSpec, TreeSpec, TreesSpec, pack_trees};

const LEAF: u32 = 1 << 31;
const STRIDE: usize = 1088;

struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % below
    }
    fn pick(&mut self, values: &[f64]) -> f64 {
        values[self.next(values.len())]
    }
}

/// Thresholds: f32 values, values between two f32, the ends of the range.
fn hard() -> Vec<f64> {
    let near =
        |x: f64| [x, x.next_up(), x.next_down(), f64::from((x as f32).next_up()), f64::from((x as f32).next_down())];
    let mut v: Vec<f64> =
        [0.1, -0.1, 1.0, 1e-45, 1e-310, 3.4028234663852886e38, 1e300].into_iter().flat_map(near).collect();
    v.extend([0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, 5e-324]);
    v.extend([2.0, 5.0, 6.0, 7.0, 40.0, 41.0, 42.0, 2.5, -2.0, 16_777_216.0, 4_294_967_295.0, 4_294_967_296.0]);
    v
}

/// A dense set, a sparse one, one without members, one of everything.
const SETS: [&[[u32; 2]]; 4] =
    [&[[0, 0], [2, 5], [40, 41]], &[[1, 1], [7, 7], [16_777_216, 4_294_967_295]], &[], &[[0, u32::MAX]]];

struct Ensemble {
    nodes: Vec<TreeNodeSpec>,
    trees: Vec<TreeSpec>,
    leaves: Vec<u32>,
    values: Vec<f64>,
}

fn ensemble(r: &mut Random, tests: usize, outputs: usize, wide: bool, most: usize) -> Ensemble {
    let mut e = Ensemble { nodes: vec![], trees: vec![], leaves: vec![], values: vec![] };
    // Few trees take another form than many.
    let trees = if r.next(3) == 0 { 1 + r.next(4) } else { 20 };
    for t in 0..trees {
        let first = e.nodes.len();
        let count = r.next(most);
        for i in 0..count {
            // Children: the next two free nodes in breadth order, else new leaves.
            let mut child = |n: usize| {
                if n < count {
                    return (first + n) as u32;
                }
                e.leaves.push(e.values.len() as u32);
                (0..if wide { outputs } else { 1 })
                    .for_each(|k| e.values.push((e.leaves.len() * 7 + k) as f64 * 0.1f32 as f64));
                LEAF | (e.leaves.len() as u32 - 1)
            };
            let (left, right) = (child(2 * i + 1), child(2 * i + 2));
            e.nodes.push(TreeNodeSpec {
                feature: r.next(3) as u32,
                test: r.next(tests) as u8,
                missing_left: r.next(2) == 0,
                threshold: threshold(r, most),
                left,
                right,
            });
            if let Some(n) = e.nodes.last_mut().filter(|n| n.test == 6) {
                n.threshold = r.next(SETS.len()) as f64;
            }
        }
        let root = if count > 0 { first as u32 } else { LEAF | e.leaves.len() as u32 };
        if count == 0 {
            e.leaves.push(e.values.len() as u32);
            (0..outputs).for_each(|k| e.values.push(k as f64));
        }
        e.trees.push(TreeSpec { root, target: (!wide).then_some((t % outputs) as u32) });
    }
    e
}

/// A hard one; in larger trees as often one of very many, and none that nothing is below: such trees are walked.
fn threshold(r: &mut Random, most: usize) -> f64 {
    match r.pick(&hard()) {
        t if most > 40 && (t == f64::NEG_INFINITY || r.next(2) == 0) => f64::from(r.next(1 << 20) as u32) * 0.37 - 1e5,
        t => t,
    }
}

fn reaches(e: &Ensemble, root: u32, x: &[f64]) -> usize {
    let mut at = root;
    while at & LEAF == 0 {
        let n = e.nodes[at as usize];
        let (v, t) = (x[n.feature as usize], n.threshold);
        let member =
            |set: &[[u32; 2]]| v.fract() == 0.0 && set.iter().any(|[a, b]| f64::from(*a) <= v && v <= f64::from(*b));
        let holds = match n.test {
            6 => member(SETS[t as usize]),
            test => [v <= t, v < t, v >= t, v > t, v == t, v != t][test as usize],
        };
        at = if if v.is_nan() { n.missing_left } else { holds } { n.left } else { n.right };
    }
    (at & !LEAF) as usize
}

fn score(e: &Ensemble, base: &[f64], x: &[f64], f32_sum: bool) -> Vec<f64> {
    let mut out = base.to_vec();
    for t in &e.trees {
        let at = e.leaves[reaches(e, t.root, x)] as usize;
        let range = match t.target {
            Some(o) => o as usize..o as usize + 1,
            None => 0..base.len(),
        };
        for (k, o) in range.enumerate() {
            let v = e.values[at + k];
            out[o] = if f32_sum { f64::from(out[o] as f32 + v as f32) } else { out[o] + v };
        }
    }
    out
}

fn compare(r: &mut Random, tests: usize, most: usize, forms: [bool; 3]) {
    let e = ensemble(r, tests, 3, forms[0], most);
    let rows = [101, STRIDE, 577, 30, 3][r.next(5)];
    check(r, &e, 3, rows, forms);
}

/// Trees that are grown a leaf at a time, mostly where they are deepest; leaves have any numbers, and values in any order.
fn grown(r: &mut Random, features: usize, tests: usize, outputs: usize, wide: bool) -> Ensemble {
    let mut e = Ensemble { nodes: vec![], trees: vec![], leaves: vec![], values: vec![] };
    let (trees, alike, turned) = (5 + r.next(300), r.next(2) == 0, r.next(2) == 0);
    // With thresholds that send a tree among those that are walked, or without.
    let most = 40 + r.next(2);
    for t in 0..trees {
        let target = (!wide && r.next(20) > 0).then(|| if alike { 0 } else { r.next(outputs) as u32 });
        // Without a target of their own, some trees add to all.
        let target = if alike && !wide { Some(0) } else { target };
        // Where a child is wanted: of a node, or as a root.
        let mut open: Vec<Option<(usize, bool)>> = vec![None];
        let mut root = 0;
        let mut set = |e: &mut Ensemble, place: Option<(usize, bool)>, child: u32| match place {
            Some((n, true)) => e.nodes[n].left = child,
            Some((n, false)) => e.nodes[n].right = child,
            None => root = child,
        };
        // Few trees have tests that no program knows.
        let tests = if t % 16 == 7 { tests } else { tests.min(4) };
        for _ in 0..r.next(40) {
            let at = if r.next(4) > 0 { open.len() - 1 } else { r.next(open.len()) };
            let place = open.swap_remove(at);
            let n = e.nodes.len();
            set(&mut e, place, n as u32);
            let test = r.next(tests) as u8;
            let threshold = if test == 6 { r.next(SETS.len()) as f64 } else { threshold(r, most) };
            let (feature, missing_left) = (r.next(features) as u32, r.next(2) == 0);
            e.nodes.push(TreeNodeSpec { feature, test, missing_left, threshold, left: 0, right: 0 });
            open.extend([Some((n, false)), Some((n, true))]);
        }
        while !open.is_empty() {
            let place = open.swap_remove(r.next(open.len()));
            let leaf = e.leaves.len() as u32;
            set(&mut e, place, LEAF | leaf);
            e.leaves.push(e.values.len() as u32);
            let count = if target.is_some() { 1 } else { outputs };
            (0..count).for_each(|k| e.values.push((e.leaves.len() * 7 + k) as f64 * 0.1f32 as f64));
        }
        e.trees.push(TreeSpec { root, target });
    }
    if turned && e.trees.iter().all(|t| t.target.is_some()) {
        e.leaves.reverse();
    }
    e
}

fn check(r: &mut Random, e: &Ensemble, features: usize, rows: usize, [_, input_f64, sum_f64]: [bool; 3]) {
    let outputs = 3;
    let base = [0.5, -1.0, 0.0];
    let packed = pack_trees(&TreesSpec {
        features: features as u32,
        outputs: outputs as u32,
        input_f64,
        sum_f64,
        base: &base,
        trees: &e.trees,
        nodes: &e.nodes,
        leaves: &e.leaves,
        values: &e.values,
        sets: &SETS,
    })
    .unwrap();
    let mut values = hard();
    values.push(f64::NAN);
    // Thresholds, and the values beside them.
    for _ in 0..100.min(e.nodes.len()) {
        let t = e.nodes[r.next(e.nodes.len())].threshold;
        values.extend([t, t.next_up(), t.next_down(), f64::from((t as f32).next_up())]);
    }
    let x: Vec<f64> = (0..features * STRIDE)
        .map(|_| r.pick(&values))
        .map(|x| if input_f64 { x } else { f64::from(x as f32) })
        .collect();
    let frame = if input_f64 { Blob::of(&x) } else { Blob::of(&x.iter().map(|x| *x as f32).collect::<Vec<_>>()) };
    let mut leaves = vec![0i64; e.trees.len() * STRIDE];
    // SAFETY: the frames have the strides and widths that the table was packed for.
    unsafe {
        flock_leaves(packed.table.as_ptr(), frame.as_ptr(), STRIDE, rows, leaves.as_mut_ptr(), std::ptr::null_mut());
    }
    let row_of = |row: usize| x.iter().skip(row).step_by(STRIDE).copied().collect::<Vec<f64>>();
    for row in 0..rows {
        for (t, tree) in e.trees.iter().enumerate() {
            let (got, want) = (leaves[t * STRIDE + row], reaches(e, tree.root, &row_of(row)));
            assert_eq!(got, want as i64, "tree {t} on {:?}", row_of(row));
        }
    }
    let want: Vec<Vec<f64>> = (0..rows).map(|row| score(e, &base, &row_of(row), !sum_f64)).collect();
    for processor in Processor::all() {
        // Memory that others have used before, and outputs behind the rows that stay as they are.
        let mut work = vec![0xa5a5_a5a5_a5a5_a5a5u64; packed.work.div_ceil(8)];
        let mut out = vec![u64::MAX; outputs * STRIDE];
        // SAFETY: as above; `work` is as long as packing has said, and the machine has the processor's features.
        unsafe {
            let (table, frame, out) = (packed.table.as_ptr(), frame.as_ptr(), out.as_mut_ptr().cast());
            trees_on(*processor, table, frame, STRIDE, rows, out, work.as_mut_ptr().cast());
        }
        // SAFETY: the memory of so many doubles holds as many floats.
        let f32s: &[f32] = unsafe { std::slice::from_raw_parts(out.as_ptr().cast(), outputs * STRIDE) };
        for (i, o) in (0..STRIDE).flat_map(|i| (0..outputs).map(move |o| (i, o))) {
            let at = o * STRIDE + i;
            let got = if sum_f64 { f64::from_bits(out[at]) } else { f64::from(f32s[at]) };
            match want.get(i) {
                Some(want) => {
                    assert_eq!(got.to_bits(), want[o].to_bits(), "{processor:?}: output {o} of {:?}", row_of(i))
                }
                None => assert!(got.is_nan(), "{processor:?}: row {i} of {rows} was written"),
            }
        }
    }
}

fn forms(bits: usize) -> [bool; 3] {
    [bits & 1 != 0, bits & 2 != 0, bits & 4 != 0]
}

#[test]
fn every_test_dtype_and_leaf_form_is_exact() {
    let mut r = Random(7);
    for round in 0..40 {
        (0..8).for_each(|bits| compare(&mut r, [4, 6, 7][round % 3], 40, forms(bits)));
    }
}

#[test]
fn trees_of_every_size_are_exact_on_every_processor() {
    let mut r = Random(8);
    for most in [4, 9, 18, 34, 70, 130, 300, 1200, 4000] {
        for bits in 0..8 {
            (0..3).for_each(|_| compare(&mut r, 4, most, forms(bits)));
        }
        // Some trees with tests that programs do not know stand between the others.
        let bits = r.next(8);
        compare(&mut r, 7, most.min(12), forms(bits));
    }
}

#[test]
fn few_rows_are_exact() {
    let mut r = Random(9);
    for rows in 0..=40 {
        for bits in 0..8 {
            let e = grown(&mut r, 3, [4, 7][rows % 2], 3, forms(bits)[0]);
            check(&mut r, &e, 3, rows, forms(bits));
        }
    }
}

#[test]
fn few_rows_of_many_columns_are_exact() {
    let mut r = Random(10);
    for features in [130, 400, 1100] {
        for rows in [1, 7, 39] {
            let e = grown(&mut r, features, 4, 3, false);
            let bits = r.next(4) * 2;
            check(&mut r, &e, features, rows, forms(bits));
        }
    }
}

/// Adds a tree of `count` nodes to the first output; a child that is no node is a new leaf.
fn shaped(
    e: &mut Ensemble,
    count: usize,
    children: impl Fn(usize) -> [usize; 2],
    mut test: impl FnMut(usize) -> (u32, f64),
) {
    let first = e.nodes.len();
    for i in 0..count {
        let [left, right] = children(i).map(|n| {
            if n < count {
                return (first + n) as u32;
            }
            e.leaves.push(e.values.len() as u32);
            e.values.push(e.leaves.len() as f64 * 0.7);
            LEAF | (e.leaves.len() as u32 - 1)
        });
        let (feature, threshold) = test(i);
        e.nodes.push(TreeNodeSpec { feature, test: 0, missing_left: i % 3 == 0, threshold, left, right });
    }
    e.trees.push(TreeSpec { root: first as u32, target: Some(0) });
}

const COMPLETE: fn(usize) -> [usize; 2] = |i| [2 * i + 1, 2 * i + 2];

/// A chain of so many nodes takes more planes than there are for a tree: it is walked, and its tests take no place among the masks.
#[test]
fn trees_without_a_program_leave_nothing_behind() {
    let mut r = Random(11);
    for chains in [1, 9] {
        let mut e = Ensemble { nodes: vec![], trees: vec![], leaves: vec![], values: vec![] };
        for c in 0..chains {
            shaped(&mut e, 1023, |i| [usize::MAX, i + 1], |i| (0, (i * chains + c) as f64 * 1e-3));
        }
        (0..6).for_each(|t| shaped(&mut e, 3, COMPLETE, |i| (1, (t * 3 + i) as f64 * 0.25)));
        check(&mut r, &e, 3, STRIDE, [false, true, true]);
    }
}

/// Ranks of 16 bits, most of whose thresholds are in other stretches than a tree's own.
#[test]
fn tens_of_thousands_of_thresholds_are_exact() {
    let mut r = Random(12);
    let mut e = Ensemble { nodes: vec![], trees: vec![], leaves: vec![], values: vec![] };
    for t in 0..45 {
        shaped(&mut e, 900, COMPLETE, |i| (0, (i * 45 + t) as f64));
    }
    for input_f64 in [false, true] {
        check(&mut r, &e, 3, 577, [false, input_f64, true]);
        check(&mut r, &e, 3, 9, [false, input_f64, true]);
    }
}

/// A tree whose leaves' numbers are too far apart for a step is walked, between others that are not.
#[test]
fn leaves_far_apart_are_exact() {
    let mut r = Random(13);
    let mut e = Ensemble { nodes: vec![], trees: vec![], leaves: vec![], values: vec![] };
    (0..7).for_each(|t| shaped(&mut e, 5, COMPLETE, |i| (i as u32 % 3, (t * 5 + i) as f64 * 0.25)));
    e.leaves.resize(70_000, 0);
    e.leaves[69_999] = 3;
    e.nodes[12].right = LEAF | 69_999;
    [1, 30, 300].into_iter().for_each(|rows| check(&mut r, &e, 3, rows, [false, true, true]));
}

#[test]
fn what_leads_outside_is_refused() {
    let node = TreeNodeSpec { feature: 0, test: 0, missing_left: false, threshold: 0.0, left: LEAF, right: LEAF };
    let pack = |nodes: &[TreeNodeSpec], root: u32, leaves: &[u32], values: &[f64]| {
        let trees = [TreeSpec { root, target: Some(0) }];
        pack_trees(&TreesSpec {
            features: 1,
            outputs: 1,
            input_f64: true,
            sum_f64: true,
            base: &[0.0],
            trees: &trees,
            nodes,
            leaves,
            values,
            sets: &[&[[0, 3]]],
        })
    };
    assert!(pack(&[node], 0, &[0], &[1.0]).is_ok());
    assert!(pack(&[TreeNodeSpec { feature: 1, ..node }], 0, &[0], &[1.0]).is_err(), "feature");
    assert!(pack(&[TreeNodeSpec { left: 0, ..node }], 0, &[0], &[1.0]).is_err(), "cycle");
    assert!(pack(&[TreeNodeSpec { right: LEAF | 1, ..node }], 0, &[0], &[1.0]).is_err(), "leaf");
    assert!(pack(&[TreeNodeSpec { threshold: f64::NAN, ..node }], 0, &[0], &[1.0]).is_err(), "threshold");
    assert!(pack(&[TreeNodeSpec { test: 6, ..node }], 0, &[0], &[1.0]).is_ok());
    for threshold in [1.0, -1.0, 0.5, f64::INFINITY] {
        assert!(pack(&[TreeNodeSpec { test: 6, threshold, ..node }], 0, &[0], &[1.0]).is_err(), "set");
    }
    assert!(pack(&[node], 1, &[0], &[1.0]).is_err(), "root");
    assert!(pack(&[node], 0, &[1], &[1.0]).is_err(), "values");
}
