//! Whole functions: random graphs, calls, text, what is refused, threads.

use crate::{Make, Random, check, compare, compile, hard, hard_frame};
use flock_api::Support;
use flock_ir_spec::{
    Attr, Composite, DType, Frame, FrameType, Function, FunctionBuilder, Graph, Module, NodeId, Op, Output, Param,
    Type, Verified, Word,
};
use flock_plan::Options;

const F64: FrameType = FrameType::new(DType::F64, 1);

/// A graph of operators chosen at random; each result may be an operand of the next.
pub fn random_function(seed: u64, size: usize) -> Verified {
    let mut random = Random::new(seed);
    let mut f = FunctionBuilder::new("f");
    let mut nodes: Vec<NodeId> = Vec::new();
    for (i, dtype) in DType::ALL.into_iter().enumerate() {
        for nullable in [false, true] {
            let width = *random.pick(&[1, 1, 1, 2, 4]);
            nodes.push(f.input(&format!("x{i}{nullable}"), FrameType { dtype, nullable, width }).unwrap());
        }
    }
    let ops: Vec<Op> = Op::all().collect();
    while nodes.len() < size {
        // The latest results first, so that chains grow long.
        let near = |random: &mut Random| {
            let reach = if random.below(3) == 0 { size } else { 12 };
            nodes[nodes.len() - 1 - random.below(nodes.len().min(reach))]
        };
        let (op, first) = (*random.pick(&ops), near(&mut random));
        let Some(t) = f.frame_type(first) else { continue };
        let attr = match op {
            Op::Cast => Attr::Type(FrameType { dtype: *random.pick(&DType::ALL), nullable: random.below(2) == 0, ..t }),
            Op::OneHot => Attr::Type(FrameType::new(DType::F64, 3).with_nulls(t.nullable)),
            Op::Null => Attr::Type(t.nullable()),
            Op::Slice => Attr::Range { start: random.below(t.width as usize) as u32, len: 1 },
            Op::Normalize => Attr::Word(*random.pick(&[Word::L1, Word::L2, Word::Max])),
            Op::Bucketize => Attr::Word(Word::Left),
            Op::Distances => Attr::Word(Word::L2),
            Op::Bitwise => Attr::Word(*random.pick(&[Word::And, Word::Xor, Word::Left, Word::Right])),
            Op::Order => Attr::Range { start: 0, len: 1 + random.below(t.width as usize) as u32 },
            _ => Attr::None,
        };
        let mut args = vec![first];
        match op {
            Op::Null => args.clear(),
            Op::InSet | Op::IndexOf => {
                let n = 1 + random.below(12) as u32;
                let set = Frame::from_fn(1, FrameType::new(t.dtype, n), |_, _| hard(t.dtype, &mut random));
                args.push(f.constant(set));
            }
            Op::Lookup => {
                let d = *random.pick(&DType::ALL);
                let table = Frame::from_fn(4, FrameType::new(d, 2), |_, _| hard(d, &mut random));
                args.push(f.constant(table));
            }
            Op::Take => {
                let columns = (0..3).map(|_| random.below(t.width as usize) as i64).collect::<Vec<_>>();
                args.push(f.constant(Frame::row_i64(columns)));
            }
            Op::Bucketize => args.push(f.constant(Frame::row_f64(vec![-1.0, 0.0, 2.5]))),
            Op::Interpolate => {
                args.push(f.constant(Frame::row_f64(vec![-1.0, 0.0, 2.5])));
                args.push(f.constant(Frame::row_f64(vec![3.0, -0.5, 1e-3])));
            }
            Op::Distances => {
                let points = (0..t.width * 2).map(|i| f64::from(i) - 1.5).collect::<Vec<_>>();
                args.push(f.constant(Frame::table_f64(2, t.width as usize, &points).unwrap()));
            }
            Op::Linear => {
                let w = (0..t.width * 2).map(|i| f64::from(i) - 1.5).collect::<Vec<_>>();
                args.push(f.constant(Frame::table_f64(t.width as usize, 2, &w).unwrap()));
                args.push(f.constant(Frame::row_f64(vec![0.5, -0.0])));
            }
            _ => {
                let more = match op.record().operands.last() {
                    Some(last) if last.ends_with("...") => random.below(4),
                    _ => op.record().operands.len().saturating_sub(1),
                };
                for _ in 0..more {
                    let other = near(&mut random);
                    args.push(match random.below(5) {
                        0 => {
                            f.constant(Frame::from_fn(1, FrameType::new(t.dtype, 1), |_, _| hard(t.dtype, &mut random)))
                        }
                        _ => other,
                    });
                }
            }
        }
        if let Ok(node) = f.op_with(op, attr, &args)
            && f.frame_type(node).is_some_and(|t| t.width <= 40)
            && !nodes.contains(&node)
        {
            nodes.push(node);
        }
    }
    let last = nodes.len();
    for (i, node) in nodes.into_iter().enumerate() {
        if i + 5 >= last || random.below(6) == 0 {
            f.output(&format!("y{i}"), node);
        }
    }
    Verified::new(f.finish().unwrap()).unwrap()
}

pub fn random_graphs(make: Make) {
    for seed in 1..=250 {
        let module = random_function(seed, 20 + (seed as usize % 5) * 30);
        check(make, &module, "f", &[Options::default()], &[1, 130], seed);
    }
}

pub fn large_graphs_are_cut_into_parts(make: Make) {
    for seed in [1001, 1002, 1003] {
        let module = random_function(seed, 1500);
        check(make, &module, "f", &[Options::default()], &[1, 70], seed);
    }
}

/// Whatever is left of a block behind the last full vector.
pub fn every_number_of_rows(make: Make) {
    let module = random_function(5, 60);
    let rows: Vec<usize> = (0..140).collect();
    check(make, &module, "f", &[Options::default()], &rows, 5);
}

/// A model is called twice, with an argument that is less nullable than its parameter.
pub fn calls_are_inlined(make: Make) {
    let mut inner = FunctionBuilder::new("inner");
    let x = inner.input("x", F64.nullable()).unwrap();
    let narrow = inner.op_with(Op::Cast, Attr::Type(FrameType::new(DType::F32, 1).nullable()), &[x]).unwrap();
    let relu = inner.op(Op::Composite(Composite::RELU), &[narrow]).unwrap();
    let missing = inner.op(Op::IsNull, &[x]).unwrap();
    inner.output("relu", relu);
    inner.output("missing", missing);
    let mut module: Module = inner.finish().unwrap();
    let mut graph = Graph::default();
    let a = graph.add_leaf(Op::Input, Attr::Param(0), Type::Frame(F64));
    let b = graph.add_leaf(Op::Input, Attr::Param(1), Type::Frame(F64.nullable()));
    let call = |g: &mut Graph, output: &str, ty, arg| {
        g.add(Op::Call, Attr::Call { function: "inner".into(), output: output.into(), ty }, &[arg]).unwrap()
    };
    let f32n = FrameType::new(DType::F32, 1).nullable();
    let outputs = [
        ("a", call(&mut graph, "relu", f32n, a)),
        ("b", call(&mut graph, "relu", f32n, b)),
        ("m", call(&mut graph, "missing", FrameType::new(DType::Bool, 1), b)),
    ];
    let outputs = outputs.map(|(name, node)| Output { name: name.into(), node }).to_vec();
    let params = vec![Param { name: "a".into(), ty: F64 }, Param { name: "b".into(), ty: F64.nullable() }];
    module.functions.push(Function { name: "outer".into(), params, graph, outputs });
    let module = Verified::new(module).unwrap();
    check(make, &module, "outer", &[Options::default()], &[1, 2000], 3);
    assert!(compile(make, &module, "outer").outputs()[0].nullable, "the declared type stays");
}

/// Text that is looked up, compared, chosen, made, and given back.
pub fn text(make: Make) {
    let mut f = FunctionBuilder::new("f");
    let s = FrameType::new(DType::Str, 1);
    let (a, b) = (f.input("a", s.nullable()).unwrap(), f.input("b", s).unwrap());
    let k = f.input("k", FrameType::new(DType::I64, 1).nullable()).unwrap();
    let names = f.constant(Frame::row_str(["a", "b", "AA", "a", ""]));
    let one = f.constant(Frame::row_str(["AA"]));
    let labels = f.constant(Frame::row_str(["on time", "late", ""]));
    let table = f.constant(
        Frame::new(3, 1, flock_ir_spec::Data::Str(vec!["on time".into(), "late".into(), "é".into()])).unwrap(),
    );
    let at = f.op(Op::IndexOf, &[a, names]).unwrap();
    let known = f.op(Op::InSet, &[b, names]).unwrap();
    let is = f.op(Op::Eq, &[one, a]).unwrap();
    let is_not = f.op(Op::Ne, &[b, one]).unwrap();
    let label = f.op(Op::Lookup, &[k, table]).unwrap();
    let digits = f.op_with(Op::Cast, Attr::Type(s.nullable()), &[k]).unwrap();
    let truth = f.op_with(Op::Cast, Attr::Type(s), &[known]).unwrap();
    let filled = f.op(Op::Coalesce, &[a, b]).unwrap();
    let chosen = f.op(Op::Select, &[known, digits, filled]).unwrap();
    let before = f.op(Op::Lt, &[filled, labels]).unwrap();
    let both = f.op(Op::Concat, &[a, b, one, label, truth]).unwrap();
    let among = f.op(Op::IndexOf, &[both, names]).unwrap();
    for (i, node) in
        [at, known, is, is_not, label, digits, truth, filled, chosen, before, both, among, one].into_iter().enumerate()
    {
        f.output(&format!("y{i}"), node);
    }
    let module = Verified::new(f.finish().unwrap()).unwrap();
    check(make, &module, "f", &[Options::default()], &[0, 1, 1025, 5000], 8);
}

pub fn what_cannot_be_compiled_is_named(make: Make) {
    let module = Verified::new(Module::default()).unwrap();
    let faults = make(Options::default()).emit(&module, "nothing").err().unwrap();
    assert_eq!(faults[0].what, "function");
    let backend = make(Options::default());
    assert!(matches!(backend.supports(Op::Opaque), Support::No(_)));
    assert!(matches!(backend.supports(Op::Column), Support::No(_)));
    assert_eq!(backend.supports(Op::Composite(Composite::RELU)), Support::Expanded);
    assert!(Op::CORE.iter().filter(|op| matches!(backend.supports(**op), Support::No(_))).count() == 2);
}

/// Frames whose scratch would take gigabytes are refused, not allocated.
pub fn frames_beyond_any_memory_are_refused(make: Make) {
    let mut f = FunctionBuilder::new("f");
    f.in_step("features.encoder", |f| {
        let k = f.input("k", FrameType::new(DType::I64, 1)).unwrap();
        let hot = f.op_with(Op::OneHot, Attr::Type(FrameType::new(DType::F64, 1 << 24)), &[k]).unwrap();
        let sum = f.op(Op::Sum, &[hot]).unwrap();
        f.output("y", sum);
    });
    let module = Verified::new(f.finish().unwrap()).unwrap();
    let faults = make(Options::default()).emit(&module, "f").err().unwrap();
    assert!(faults[0].reason.contains("too wide"), "{faults:?}");
}

pub fn one_program_on_many_threads(make: Make) {
    let module = random_function(77, 120);
    let function = &module.functions[0];
    let program = compile(make, &module, "f");
    std::thread::scope(|scope| {
        for seed in 0..4 {
            let (program, module) = (&program, &module);
            scope.spawn(move || {
                let mut random = Random::new(seed);
                let params: Vec<Frame> = function.params.iter().map(|p| hard_frame(700, p.ty, &mut random)).collect();
                compare(program, module, function, &params, 700);
            });
        }
    });
}

/// Parameters with a value for what is missing are loaded with it, and the test of a whole row is one kernel: what is asked
/// of a row before a forest.
pub fn filled_parameters_and_bounded_rows(make: Make) {
    for (seed, dtype) in [DType::F64, DType::F32].into_iter().enumerate() {
        let mut f = FunctionBuilder::new("f");
        let wide = FrameType { dtype, nullable: true, width: 3 };
        let (a, b) = (f.input("a", FrameType { width: 1, ..wide }).unwrap(), f.input("b", wide).unwrap());
        let c = f.input("c", FrameType { nullable: false, ..wide }).unwrap();
        let number =
            |x: f64| if dtype == DType::F64 { Frame::row_f64(vec![x]) } else { Frame::row_f32(vec![x as f32]) };
        let (fill, limit) = (f.constant(number(f64::NAN)), f.constant(number(1.5)));
        let all = f.op(Op::Concat, &[a, b, c]).unwrap();
        let filled = f.op(Op::Coalesce, &[all, fill]).unwrap();
        let alone = f.op(Op::Coalesce, &[b, limit]).unwrap();
        let abs = f.op(Op::Abs, &[filled]).unwrap();
        let ge = f.op(Op::Ge, &[abs, limit]).unwrap();
        let not = f.op(Op::Not, &[ge]).unwrap();
        let inside = f.op(Op::All, &[not]).unwrap();
        let sum = f.op(Op::Sum, &[filled]).unwrap();
        let guarded = f.op(Op::Guard, &[inside, sum]).unwrap();
        let missing = f.op(Op::IsNull, &[all]).unwrap();
        for (name, node) in
            [("filled", filled), ("alone", alone), ("inside", inside), ("guarded", guarded), ("missing", missing)]
        {
            f.output(name, node);
        }
        let module = Verified::new(f.finish().unwrap()).unwrap();
        check(make, &module, "f", &[Options::default()], &[1, 64, 301], seed as u64);
    }
}

/// Parameters that are rounded as they are loaded, the question whether f32 can hold them, and numbers in place of what is
/// below them, behind a map that is read once and one that is read twice.
pub fn rounded_parameters_and_floors(make: Make) {
    for (seed, dtype) in [DType::F64, DType::F32].into_iter().enumerate() {
        let mut f = FunctionBuilder::new("f");
        let (a, b) =
            (f.input("a", F64.nullable()).unwrap(), f.input("b", FrameType { width: 3, ..F64.nullable() }).unwrap());
        let row = |v: Vec<f64>| match dtype {
            DType::F32 => Frame::row_f32(v.iter().map(|x| *x as f32).collect::<Vec<_>>()),
            _ => Frame::row_f64(v),
        };
        let all = f.op(Op::Concat, &[a, b]).unwrap();
        let fill = f.constant(Frame::row_f64(vec![0.1]));
        let filled = f.op(Op::Coalesce, &[all, fill]).unwrap();
        let narrow = f.op_with(Op::Cast, Attr::Type(FrameType::new(DType::F32, 4)), &[filled]).unwrap();
        let abs = f.op(Op::Abs, &[filled]).unwrap();
        let beyond = f.constant(Frame::row_f64(vec![3.402_823_567_797_336_6e38]));
        let ge = f.op(Op::Ge, &[abs, beyond]).unwrap();
        let not = f.op(Op::Not, &[ge]).unwrap();
        let inside = f.op(Op::All, &[not]).unwrap();
        let x = if dtype == DType::F32 { narrow } else { filled };
        let weights: Vec<f64> = (0..36).map(|i| f64::from(i % 7) * 0.3 - 0.8).collect();
        let weights = Frame::new(4, 9, row(weights).data).unwrap();
        let (w, bias) = (f.constant(weights), f.constant(row((0..9).map(|i| f64::from(i) - 3.5).collect())));
        let (once, zero) = (f.op(Op::Linear, &[x, w, bias]).unwrap(), f.constant(row(vec![0.0])));
        let floored = f.op(Op::Max, &[once, zero]).unwrap();
        let (other, low) = (f.constant(row(vec![0.25; 9])), f.constant(row(vec![-0.5])));
        let twice = f.op(Op::Linear, &[x, w, other]).unwrap();
        let both = f.op(Op::Max, &[twice, low]).unwrap();
        for (name, node) in
            [("narrow", narrow), ("inside", inside), ("floored", floored), ("twice", twice), ("both", both)]
        {
            f.output(name, node);
        }
        let module = Verified::new(f.finish().unwrap()).unwrap();
        check(make, &module, "f", &[Options::default()], &[1, 3, 64, 301], seed as u64);
    }
}
