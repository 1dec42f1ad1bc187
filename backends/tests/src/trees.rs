//! Ensembles of random shapes, as data and as code, against the reference evaluator.

use crate::{BOTH, Make, Random, check, hard_f64};
use flock_ir_spec::{Child, DType, FrameType, FunctionBuilder, Op, Test, Tree, TreeEnsemble, TreeNode, Verified};
use flock_plan::Options;

/// A random ensemble. Thresholds are the hard values themselves, so that rows lie on them; trees are chains, bushes
/// or anything between, and some are a leaf alone.
pub fn ensemble(
    random: &mut Random,
    features: u32,
    outputs: u32,
    trees: usize,
    nodes: usize,
    shape: usize,
) -> TreeEnsemble {
    let mut t = TreeEnsemble {
        features,
        outputs,
        input: if random.below(2) == 0 { DType::F32 } else { DType::F64 },
        sum: if random.below(2) == 0 { DType::F32 } else { DType::F64 },
        base: (0..outputs).map(|o| f64::from(o) * 0.25 - 0.5).collect(),
        trees: Vec::new(),
        nodes: Vec::new(),
        leaves: Vec::new(),
        values: Vec::new(),
        sets: Default::default(),
    };
    // Every third ensemble tests for sets of categories too, dense ones and sparse ones.
    let with_sets = random.below(3) == 0;
    for _ in 0..trees {
        let n = random.below(nodes + 1);
        let target = if random.below(3) == 0 { None } else { Some(random.below(outputs as usize) as u32) };
        let first = t.nodes.len();
        // Where a child is still open: node and side.
        let mut open: Vec<(usize, bool)> = Vec::new();
        for i in first..first + n {
            if !open.is_empty() {
                let slot = match shape {
                    0 => open.len() - 1,
                    1 => 0,
                    _ => random.below(open.len()),
                };
                set(&mut t, open.remove(slot), Child::node(i as u32));
            }
            let node = random_node(&mut t, random, features, with_sets);
            t.nodes.push(node);
            open.extend([(i, random.below(2) == 0)].into_iter().flat_map(|(i, side)| [(i, side), (i, !side)]));
        }
        for slot in open {
            let leaf = random_leaf(&mut t, random, target);
            set(&mut t, slot, leaf);
        }
        let root = if n > 0 { Child::node(first as u32) } else { random_leaf(&mut t, random, target) };
        t.trees.push(Tree { root, target });
    }
    t
}

fn set(t: &mut TreeEnsemble, (node, left): (usize, bool), child: Child) {
    let node = &mut t.nodes[node];
    *if left { &mut node.left } else { &mut node.right } = child;
}

fn random_node(t: &mut TreeEnsemble, random: &mut Random, features: u32, with_sets: bool) -> TreeNode {
    let thresholds: Vec<f64> = hard_f64().into_iter().filter(|x| !x.is_nan()).collect();
    let (mut test, mut threshold) = (*random.pick(&Test::COMPARISONS), *random.pick(&thresholds));
    if with_sets && random.below(2) == 0 {
        let members: Vec<u32> =
            (0..random.below(6)).map(|_| *random.pick(&[0, 1, 2, 3, 4, 5, 7, 100, u32::MAX])).collect();
        (test, threshold) = (Test::In, f64::from(t.sets.add(members).unwrap()));
    }
    TreeNode {
        feature: random.below(features as usize) as u32,
        test,
        missing_left: random.below(2) == 0,
        threshold,
        left: Child::leaf(0),
        right: Child::leaf(0),
    }
}

fn random_leaf(t: &mut TreeEnsemble, random: &mut Random, target: Option<u32>) -> Child {
    t.leaves.push(t.values.len() as u32);
    let len = if target.is_some() { 1 } else { t.outputs };
    t.values.extend((0..len).map(|_| f64::from(random.below(1000) as f32 / 7.0 - 50.0)));
    Child::leaf(t.leaves.len() as u32 - 1)
}

pub fn random_ensembles(make: Make) {
    for seed in 0..60 {
        let mut random = Random::new(seed + 100);
        let (features, outputs) = (1 + random.below(9) as u32, 1 + random.below(3) as u32);
        let (trees, nodes) = (random.below(40), *random.pick(&[1, 3, 8, 20, 60]));
        let t = ensemble(&mut random, features, outputs, trees, nodes, (seed % 3) as usize);
        t.check().unwrap();
        let mut f = FunctionBuilder::new("f");
        for (i, dtype) in [DType::F64, DType::F32].into_iter().enumerate() {
            for nullable in [false, true] {
                let x = f.input(&format!("x{i}{nullable}"), FrameType { dtype, nullable, width: features }).unwrap();
                let trees = f.constant(t.clone());
                let y = f.op(Op::Trees, &[x, trees]).unwrap();
                f.output(&format!("y {dtype} {nullable}"), y);
                if !t.trees.is_empty() {
                    let leaves = f.op(Op::Leaves, &[x, trees]).unwrap();
                    f.output(&format!("leaves {dtype} {nullable}"), leaves);
                }
            }
        }
        let module = Verified::new(f.finish().unwrap()).unwrap();
        check(make, &module, "f", &BOTH, &[1, 63, 1025], seed);
    }
}

/// A deep tree asks for thousands of rows, which as many outputs would take more memory for than a function may: it gets fewer.
pub fn many_outputs_take_fewer_rows(make: Make) {
    let mut random = Random::new(17);
    let (features, outputs) = (3, 5000);
    let mut t = loop {
        let t = ensemble(&mut random, features, outputs, 2, 1500, 2);
        if t.nodes.len() > 1500 && t.trees.iter().all(|tree| tree.target.is_some()) {
            break t;
        }
    };
    t.nodes.iter_mut().for_each(|n| n.test = Test::Le);
    let mut f = FunctionBuilder::new("f");
    let x = f.input("x", FrameType { dtype: t.input, nullable: false, width: features }).unwrap();
    let trees = f.constant(t);
    let y = f.op(Op::Trees, &[x, trees]).unwrap();
    f.output("y", y);
    let module = Verified::new(f.finish().unwrap()).unwrap();
    assert!((64..=512).contains(&crate::compile(make, &module, "f").block_rows()));
    check(make, &module, "f", &[Options::default()], &[1, 600], 17);
}

/// Features of several kinds, rounded before they are put together: columns, a constant, a one-hot, a look-up.
pub fn features_from_everywhere(make: Make) {
    let mut random = Random::new(9);
    let mut t = ensemble(&mut random, 12, 2, 30, 20, 1);
    t.input = DType::F32;
    let mut f = FunctionBuilder::new("f");
    let number = FrameType::new(DType::F64, 1);
    let (a, b) = (f.input("a", number.nullable()).unwrap(), f.input("b", number).unwrap());
    let (c, k) =
        (f.input("c", FrameType::new(DType::F32, 1)).unwrap(), f.input("k", FrameType::new(DType::I64, 1)).unwrap());
    let wide = f.op_with(Op::Cast, flock_ir_spec::Attr::Type(number), &[c]).unwrap();
    let fill = f.constant(flock_ir_spec::Frame::row_f64(vec![0.1]));
    let filled = f.op(Op::Coalesce, &[a, fill]).unwrap();
    let hot = f.op_with(Op::OneHot, flock_ir_spec::Attr::Type(FrameType::new(DType::F64, 5)), &[k]).unwrap();
    let table = f.constant(flock_ir_spec::Frame::table_f64(3, 2, &[0.1, 1e300, -0.0, 2.5, 1e-46, f64::NAN]).unwrap());
    let looked = f.op(Op::Lookup, &[k, table]).unwrap();
    let inner = f.op(Op::Concat, &[filled, b]).unwrap();
    let x = f.op(Op::Concat, &[inner, wide, fill, hot, looked, b]).unwrap();
    let ensemble = f.constant(t);
    let y = f.op(Op::Trees, &[x, ensemble]).unwrap();
    f.output("y", y);
    f.output("x", x);
    let module = Verified::new(f.finish().unwrap()).unwrap();
    check(make, &module, "f", &BOTH, &[1, 64, 3000], 4);
}

pub fn five_thousand_categories(make: Make) {
    let mut random = Random::new(5);
    let n = 5000;
    let categories: Vec<String> = (0..n).map(|i| format!("category {i}")).collect();
    let mut f = FunctionBuilder::new("f");
    let x = f.input("x", FrameType::new(DType::Str, 1).nullable()).unwrap();
    let set = f.constant(flock_ir_spec::Frame::row_str(categories.iter().map(|c| &**c)));
    let unknown = f.constant(flock_ir_spec::Frame::row_str(["category 77"]));
    let filled = f.op(Op::Coalesce, &[x, unknown]).unwrap();
    let index = f.op(Op::IndexOf, &[filled, set]).unwrap();
    let hot = f.op_with(Op::OneHot, flock_ir_spec::Attr::Type(FrameType::new(DType::F64, n)), &[index]).unwrap();
    let weights: Vec<f64> = (0..n).map(|i| f64::from(i) / 3.0 - 800.0).collect();
    let (w, b) =
        (flock_ir_spec::Frame::table_f64(n as usize, 1, &weights).unwrap(), flock_ir_spec::Frame::row_f64(vec![0.125]));
    let (w, b) = (f.constant(w), f.constant(b));
    let linear = f.op(Op::Linear, &[hot, w, b]).unwrap();
    f.output("linear", linear);
    let mut t = ensemble(&mut random, n, 1, 20, 30, 1);
    t.nodes.iter_mut().filter(|n| n.test != Test::In).for_each(|n| n.threshold = 0.5);
    let ensemble = f.constant(t);
    let trees = f.op(Op::Trees, &[hot, ensemble]).unwrap();
    f.output("trees", trees);
    let module = Verified::new(f.finish().unwrap()).unwrap();
    let rows = 200;
    let values = flock_ir_spec::Frame::from_fn(rows, FrameType::new(DType::Str, 1).nullable(), |i, _| match i % 7 {
        0 => flock_ir_spec::Scalar::Null,
        1 => flock_ir_spec::Scalar::Str("never seen".into()),
        _ => flock_ir_spec::Scalar::Str(format!("category {}", i * 25).into()),
    });
    for o in BOTH {
        let program = make(o).emit(&module, "f").unwrap();
        crate::compare(&program, &module, &module.functions[0], std::slice::from_ref(&values), rows);
    }
}
