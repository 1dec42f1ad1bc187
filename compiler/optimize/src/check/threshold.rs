//! Every comparison, before trees that test the very value it compares with: a range that is one float too wide or too
//! narrow takes another way.

use super::*;

/// Steps from the column to what is compared.
const CHAINS: [&[(Op, f64, bool)]; 7] = [
    &[],
    &[(Op::Sub, 1.1, false), (Op::Div, 7.3, false)],
    &[(Op::Mul, -3.7, false), (Op::Add, 0.3, false)],
    &[(Op::Sub, 2.5, true)],
    &[(Op::Cast, 0.0, false)],
    &[(Op::Neg, 0.0, false), (Op::Max, -7.0, false), (Op::Floor, 0.0, false)],
    &[(Op::Div, 3.0, false), (Op::Coalesce, 0.25, false), (Op::Min, 2.0, false)],
];
const VALUES: [f64; 6] = [0.1, 0.0, 2.5, -1e300, f64::INFINITY, 1e-40];
const COMPARISONS: [Op; 6] = [Op::Eq, Op::Ne, Op::Lt, Op::Le, Op::Gt, Op::Ge];

fn chain(b: &mut FunctionBuilder, x: NodeId, steps: &[(Op, f64, bool)]) -> NodeId {
    steps.iter().fold(x, |x, (op, c, first)| {
        let one = matches!(op, Op::Neg | Op::Floor);
        let c = b.constant(Frame::row_f64([*c]));
        if *op == Op::Cast {
            let t = b.frame_type(x).expect("a frame");
            let single = b.op_with(Op::Cast, Attr::Type(t.with_dtype(DType::F32)), &[x]).expect("typed");
            return b.op_with(Op::Cast, Attr::Type(t), &[single]).expect("typed");
        }
        let both = if *first { [c, x] } else { [x, c] };
        b.op(*op, if one { &both[..1] } else { &both }).unwrap_or_else(|e| panic!("{e}"))
    })
}

/// One stump per test and threshold, with leaves that tell them apart.
fn stumps(thresholds: &[(u32, f64)], input: DType) -> TreeEnsemble {
    let mut t = TreeEnsemble {
        features: 2,
        outputs: 1,
        input,
        sum: DType::F64,
        base: vec![0.0],
        trees: Vec::new(),
        nodes: Vec::new(),
        leaves: vec![],
        values: vec![],
        sets: CategorySets::default(),
    };
    for (i, (feature, threshold)) in thresholds.iter().filter(|(_, t)| !t.is_nan()).enumerate() {
        for (j, test) in Test::COMPARISONS.into_iter().enumerate() {
            let n = t.nodes.len() as u32;
            t.trees.push(Tree { root: Child::node(n), target: Some(0) });
            let (left, right) = (Child::leaf(2 * n), Child::leaf(2 * n + 1));
            t.nodes.push(TreeNode {
                feature: *feature,
                test,
                missing_left: i % 2 == 0,
                threshold: *threshold,
                left,
                right,
            });
            t.leaves.extend([2 * n, 2 * n + 1]);
            t.values.extend([2f64.powi((6 * i + j) as i32), 0.0]);
        }
    }
    t
}

/// The column's value, the column itself, or a substitute, as a frame without null.
fn filled(b: &mut FunctionBuilder, x: NodeId) -> NodeId {
    let nan = b.constant(Frame::row_f64([f64::NAN]));
    b.op(Op::Coalesce, &[x, nan]).expect("typed")
}

fn module_for(steps: &[(Op, f64, bool)], op: Op, mirrored: bool, t: f64, k: f64, input: DType) -> Module {
    let mut b = FunctionBuilder::new("f");
    let x = b.input("x", FrameType::new(DType::F64, 1).nullable()).expect("new");
    let y = chain(&mut b, x, steps);
    let c = b.constant(Frame::row_f64([k]));
    let p = b.op(op, &if mirrored { [c, y] } else { [y, c] }).expect("typed");
    let (x, y) = (filled(&mut b, x), filled(&mut b, y));
    let both = b.op(Op::Concat, &[x, y]).expect("typed");
    let trees = b.constant(stumps(&[(0, t), (1, k), (0, t.next_up()), (1, k.next_down())], input));
    let yes = b.op(Op::Trees, &[both, trees]).expect("typed");
    let other = b.constant(stumps(&[(1, k), (0, t)], input));
    let no = b.op(Op::Trees, &[both, other]).expect("typed");
    let picked = b.op(Op::Select, &[p, yes, no]).expect("typed");
    b.output("picked", picked);
    b.finish().unwrap_or_else(|e| panic!("{e:#?}"))
}

/// What a chain makes of a value.
fn value(steps: &[(Op, f64, bool)], x: f64) -> f64 {
    let mut b = FunctionBuilder::new("f");
    let input = b.input("x", FrameType::new(DType::F64, 1)).expect("new");
    let y = chain(&mut b, input, steps);
    b.output("y", y);
    let module = b.finish().unwrap_or_else(|e| panic!("{e:#?}"));
    let x = Frame::new(1, 1, Data::F64(vec![x])).expect("one");
    match eval::call(&module, &module.functions[0], 1, &[x]).expect("a value")[0].get(0, 0) {
        Scalar::F64(y) => y,
        other => panic!("{other:?}"),
    }
}

#[test]
fn comparisons_end_at_the_very_float() {
    for steps in CHAINS {
        for (t, op) in VALUES.into_iter().flat_map(|t| COMPARISONS.map(|op| (t, op))) {
            let k = value(steps, t);
            let mut xs = vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 1e300, -1e300, 7.0];
            let near = |t: f64| [t, t.next_up(), t.next_down(), t.next_up().next_up(), -t, f64::from(t as f32)];
            xs.extend([t, k].into_iter().flat_map(near));
            let rows = xs.len() + 1;
            let ty = FrameType::new(DType::F64, 1).nullable();
            let data = Frame::from_fn(rows, ty, |i, _| xs.get(i).map_or(Scalar::Null, |x| Scalar::F64(*x)));
            for (mirrored, input) in [(false, DType::F32), (true, DType::F64)] {
                let module = Verified::new(module_for(steps, op, mirrored, t, k, input)).expect("sound");
                let target = Target::Function("f".into());
                let done = optimize(&module, &target, &Options::default(), &Estimate).expect("optimised");
                let run = |m: &Module| {
                    eval::call(m, &m.functions[0], rows, std::slice::from_ref(&data)).expect("values").remove(0)
                };
                let difference = difference(&run(&module), &run(&done.module));
                assert_eq!(difference, None, "{xs:?}\n{}\nbecame\n{}", *module, *done.module);
            }
        }
    }
}
