//! Every record against what it says of itself: each operand list that its `infer` accepts is evaluated on hard values.

use flock_ir_spec::expand::expand_composites;
use flock_ir_spec::ops::{AttrKind, Meaning, NullRule, Op};
use flock_ir_spec::*;

/// Every hard value of a dtype, and a null first.
fn hard(dtype: DType) -> Vec<Scalar> {
    let floats = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.5,
        1.5,
        2.5,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        5e-324,
        -1e-310,
        1e300,
        -1e300,
        1e-40,
        0.1,
        f64::MAX,
        9.3e18,
        -9.3e18,
        800.0,
        -800.0,
        3.4028236e38,
    ];
    let values: Vec<Scalar> = match dtype {
        DType::Bool => vec![Scalar::Bool(false), Scalar::Bool(true)],
        DType::I64 => [0, 1, -1, 2, 3, i64::MAX, i64::MIN, 1 << 53].map(Scalar::I64).into(),
        DType::F32 => floats.iter().map(|x| Scalar::F32(*x as f32)).collect(),
        DType::F64 => floats.map(Scalar::F64).into(),
        DType::Str => ["", "AA", "aa", "é", "0", "True"].map(|s| Scalar::Str(s.into())).into(),
    };
    std::iter::once(Scalar::Null).chain(values).collect()
}

const ROWS: usize = 47;

/// A frame whose rows go through the hard values, each column at a step of its own.
fn frame(ty: FrameType, salt: usize) -> Frame {
    let values = hard(ty.dtype);
    let values = if ty.nullable { &values[..] } else { &values[1..] };
    Frame::from_fn(ROWS, ty, |i, j| values[(i * (1 + salt + j) + i / values.len() + salt + j) % values.len()].clone())
}

fn table(dtype: DType, rows: usize, width: usize) -> Constant {
    let values = hard(dtype);
    let ascending = [0.0, 0.5, 1.0, 1.5, 2.5, 800.0];
    let ty = FrameType::new(dtype, width as u32);
    Constant::Table(Frame::from_fn(rows, ty, |i, j| match dtype {
        // Indices of columns, and edges, as `take` and `bucketize` want them.
        DType::I64 => Scalar::I64((i * width + j) as i64 % 3),
        DType::F32 => Scalar::F32(ascending[(i * width + j) % 6] as f32),
        DType::F64 => Scalar::F64(ascending[(i * width + j) % 6]),
        _ => values[1 + (i * width + j) % (values.len() - 1)].clone(),
    }))
}

fn trees(input: DType, sum: DType) -> Constant {
    let node = |feature, test, threshold, left, right| TreeNode {
        feature,
        test,
        missing_left: feature == 1,
        threshold,
        left,
        right,
    };
    Constant::Trees(TreeEnsemble {
        features: 3,
        outputs: 2,
        input,
        sum,
        base: vec![0.5, -0.0],
        trees: vec![
            Tree { root: Child::node(0), target: None },
            Tree { root: Child::node(2), target: Some(1) },
            Tree { root: Child::leaf(5), target: Some(0) },
        ],
        nodes: vec![
            node(0, Test::Le, 0.5, Child::node(1), Child::leaf(0)),
            node(1, Test::Ne, 1e-40, Child::leaf(1), Child::leaf(2)),
            node(2, Test::Gt, -1e300, Child::leaf(3), Child::leaf(4)),
        ],
        leaves: vec![0, 2, 4, 6, 7, 8],
        values: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 0.25, -0.0, 1e30_f32.into()],
        sets: CategorySets::default(),
    })
}

fn terms(unit: Unit, binary: bool) -> Constant {
    let features = match unit {
        Unit::Word => Features::Vocabulary(["aa", "é", "True"].map(Into::into).into()),
        _ => Features::Hashed { columns: 3, signed: true },
    };
    let pattern = if unit == Unit::Word { r"\w+" } else { "" };
    Constant::Terms(Terms { unit, first: 1, last: 2, pattern: pattern.into(), stop: Vec::new(), binary, features })
}

/// An operand to try.
#[derive(Clone)]
enum Try {
    Frame(FrameType),
    Const(Constant),
}

fn operands() -> Vec<Try> {
    let mut all = Vec::new();
    for dtype in DType::ALL {
        for width in [1, 3] {
            all.push(Try::Frame(FrameType::new(dtype, width)));
            all.push(Try::Frame(FrameType::new(dtype, width).nullable()));
            all.push(Try::Const(table(dtype, 1, width as usize)));
        }
        all.push(Try::Const(table(dtype, 3, 3)));
    }
    all.push(Try::Const(terms(Unit::Word, false)));
    all.push(Try::Const(terms(Unit::CharWb, true)));
    all.push(Try::Const(trees(DType::F32, DType::F64)));
    all.push(Try::Const(trees(DType::F64, DType::F32)));
    all
}

fn attributes(kind: AttrKind) -> Vec<Attr> {
    let types = DType::ALL.into_iter().flat_map(|d| [1, 3].map(|w| FrameType::new(d, w)));
    match kind {
        AttrKind::None => vec![Attr::None],
        AttrKind::Type => types.flat_map(|t| [Attr::Type(t), Attr::Type(t.nullable())]).collect(),
        AttrKind::Range => [(0, 1), (1, 2), (0, 3), (2, 2)].map(|(start, len)| Attr::Range { start, len }).into(),
        AttrKind::Word(words) => words.iter().map(|w| Attr::Word(*w)).collect(),
        AttrKind::Param | AttrKind::Const | AttrKind::Column | AttrKind::Call | AttrKind::Opaque => vec![],
    }
}

/// Lists of operands of every accepted length up to three.
fn lists(op: Op) -> Vec<Vec<Try>> {
    let all = operands();
    let mut lists: Vec<Vec<Try>> = vec![vec![]];
    let mut longer: Vec<Vec<Try>> = vec![vec![]];
    for _ in 0..3 {
        longer = longer.iter().flat_map(|l| all.iter().map(|o| [&l[..], std::slice::from_ref(o)].concat())).collect();
        lists.extend(longer.iter().filter(|l| op.record().accepts_operands(l.len())).cloned());
    }
    lists.retain(|l| op.record().accepts_operands(l.len()));
    lists
}

/// The operator as a function of its frames, with their values; None where `infer` refuses.
fn applied(op: Op, attr: &Attr, list: &[Try]) -> Option<(Module, Vec<Frame>)> {
    let mut b = FunctionBuilder::new("f");
    let mut params = Vec::new();
    let mut args = Vec::new();
    for (i, operand) in list.iter().enumerate() {
        args.push(match operand {
            Try::Const(c) => b.constant(c.clone()),
            Try::Frame(ty) => {
                params.push(frame(*ty, i));
                b.input(&format!("p{i}"), *ty).expect("a new name")
            }
        });
    }
    let node = b.op_with(op, attr.clone(), &args).ok()?;
    b.output("x", node);
    match b.finish() {
        Ok(module) => Some((module, params)),
        // A table whose content does not fit, which is the verifier's business and not the record's.
        Err(faults) if faults.iter().all(|f| f.code == "flock::verify::table") => None,
        Err(faults) => panic!("{op} of accepted operands: {faults:#?}"),
    }
}

fn evaluated(module: &Module, rows: usize, params: &[Frame]) -> Frame {
    let function = &module.functions[0];
    eval::call(module, function, rows, params).unwrap_or_else(|e| panic!("{e}: {module}")).remove(0)
}

fn is_null(f: &Frame, r: usize, k: usize) -> bool {
    f.get(r, k) == Scalar::Null
}

fn check_result(op: Op, module: &Module, params: &[Frame], out: &Frame) {
    let function = &module.functions[0];
    let ty = function.output_type(&function.outputs[0]).expect("a frame");
    assert_eq!((out.rows, out.width, out.dtype()), (ROWS, ty.width as usize, ty.dtype), "{module}");
    let any_null = (0..out.len()).any(|i| out.get_flat(i) == Scalar::Null);
    assert!(ty.nullable || !any_null, "a null in {ty}: {module}");
    match op.record().nulls {
        NullRule::Never => assert!(!any_null, "{module}"),
        NullRule::Strict => {
            for r in 0..ROWS {
                let all_null = |p: &Frame| (0..p.width).all(|k| is_null(p, r, k));
                let row_is_null = (0..out.width).all(|k| is_null(out, r, k));
                assert!(!params.iter().any(all_null) || row_is_null, "row {r} of nulls gives a value: {module}");
            }
        }
        NullRule::Kleene | NullRule::Own => {}
    }
}

#[test]
fn every_record_evaluates_what_it_accepts() {
    for op in Op::all().filter(|op| !matches!(op.record().meaning, Meaning::Leaf)) {
        let mut accepted = 0;
        for list in lists(op) {
            for attr in attributes(op.record().attr) {
                let Some((module, params)) = applied(op, &attr, &list) else { continue };
                accepted += 1;
                let out = evaluated(&module, ROWS, &params);
                check_result(op, &module, &params, &out);
                // The row law: a row alone gives what it gives among others. Twelve rows meet every hard value.
                for r in (accepted % 4..ROWS).step_by(4) {
                    let alone: Vec<Frame> = params.iter().map(|p| p.slice_rows(r, 1)).collect();
                    assert_eq!(evaluated(&module, 1, &alone), out.slice_rows(r, 1), "row {r}: {module}");
                }
                assert_eq!(
                    evaluated(&module, 0, &params.iter().map(|p| p.slice_rows(0, 0)).collect::<Vec<_>>()).rows,
                    0
                );
                if let Op::Composite(_) = op {
                    let expanded = expand_composites(&module, &|_| false);
                    verify::check(&expanded).unwrap_or_else(|f| panic!("{f:#?}"));
                    assert!(expanded.functions[0].graph.nodes().iter().all(|n| !matches!(n.op, Op::Composite(_))));
                    assert_eq!(evaluated(&expanded, ROWS, &params), out, "{module}");
                }
                let text = module.to_string();
                assert_eq!(text::parse(&text).map(|m| m.to_string()), Ok(text), "the text form of {op}");
            }
        }
        assert!(accepted > 0, "`{op}` accepts nothing that was tried");
    }
}

#[test]
fn records_are_written_out() {
    let mut names = std::collections::HashSet::new();
    for op in Op::all() {
        let record = op.record();
        assert!(names.insert(record.name), "two operators are named {}", record.name);
        assert_eq!(Op::parse(record.name), Some(op));
        for (what, text) in [("doc", record.doc), ("shape", record.shape), ("source", record.source)] {
            assert!(!text.trim().is_empty(), "`{op}` has no {what}");
        }
        assert!(record.doc.trim_end().ends_with(['.', ')']), "the doc of `{op}` does not end");
    }
}

/// The tables of SQL's three-valued logic, written out.
#[test]
fn logic_is_three_valued() {
    let values = [Some(true), Some(false), None];
    let scalar = |v: Option<bool>| v.map_or(Scalar::Null, Scalar::Bool);
    let ty = FrameType::new(DType::Bool, 1).nullable();
    let pairs: Vec<(Option<bool>, Option<bool>)> = values.iter().flat_map(|a| values.map(|b| (*a, b))).collect();
    let and = [Some(true), Some(false), None, Some(false), Some(false), Some(false), None, Some(false), None];
    let or = [Some(true), Some(true), Some(true), Some(true), Some(false), None, Some(true), None, None];
    let a = Frame::from_fn(9, ty, |i, _| scalar(pairs[i].0));
    let b = Frame::from_fn(9, ty, |i, _| scalar(pairs[i].1));
    for (op, reduced, expected) in [(Op::And, Op::All, and), (Op::Or, Op::Any, or)] {
        let mut builder = FunctionBuilder::new("f");
        let args = [builder.input("a", ty).expect("new"), builder.input("b", ty).expect("new")];
        let pairwise = builder.op(op, &args).expect("bools");
        let both = builder.op(Op::Concat, &args).expect("bools");
        let rowwise = builder.op(reduced, &[both]).expect("bools");
        builder.output("pairwise", pairwise);
        builder.output("rowwise", rowwise);
        let module = builder.finish().unwrap_or_else(|f| panic!("{f:#?}"));
        let out = eval::call(&module, &module.functions[0], 9, &[a.clone(), b.clone()]).expect("evaluates");
        for (i, expected) in expected.into_iter().enumerate() {
            assert_eq!(out[0].get(i, 0), scalar(expected), "{op} of {:?}", pairs[i]);
            assert_eq!(out[1].get(i, 0), scalar(expected), "{reduced} of {:?}", pairs[i]);
        }
    }
}

/// Many rows are evaluated in pieces; the result does not show it.
#[test]
fn rows_are_taken_in_pieces_unseen() {
    let ty = FrameType::new(DType::F64, 1).nullable();
    let mut b = FunctionBuilder::new("f");
    let x = b.input("x", ty).expect("new");
    let edges = b.constant(Frame::row_f64((0..1000).map(f64::from).collect::<Vec<_>>()));
    let bin = b.op_with(Op::Bucketize, Attr::Word(Word::Left), &[x, edges]).expect("typed");
    let hot = Attr::Type(FrameType::new(DType::F64, 2000).nullable());
    let hot = b.op_with(Op::OneHot, hot, &[bin]).expect("typed");
    let sum = b.op(Op::Sum, &[hot]).expect("typed");
    b.output("sum", sum);
    b.output("bin", bin);
    let module = b.finish().unwrap_or_else(|f| panic!("{f:#?}"));
    let rows = 3001;
    let values = Frame::from_fn(rows, ty, |i, _| if i % 7 == 0 { Scalar::Null } else { Scalar::F64(i as f64 / 4.0) });
    let out = eval::call(&module, &module.functions[0], rows, &[values]).expect("evaluates");
    for i in 0..rows {
        let null = i % 7 == 0;
        assert_eq!(out[0].get(i, 0), if null { Scalar::Null } else { Scalar::F64(1.0) }, "row {i}");
        assert_eq!(out[1].get(i, 0), if null { Scalar::Null } else { Scalar::I64(i.div_ceil(4) as i64) }, "row {i}");
    }
}

/// Rounding moves a sum by as much as its terms are, not by as much as it is, the same for a seed always; what has the same
/// bits on every engine stays.
#[test]
fn rounding_moves_what_is_equal_up_to_rounding() {
    let ty = FrameType::new(DType::F64, 2);
    let mut b = FunctionBuilder::new("f");
    let x = b.input("x", ty).expect("new");
    let sum = b.op(Op::Sum, &[x]).expect("typed");
    let double = b.op(Op::Add, &[x, x]).expect("typed");
    b.output("sum", sum);
    b.output("double", double);
    let module = b.finish().unwrap_or_else(|f| panic!("{f:#?}"));
    let rows = 64;
    let values = [Frame::from_fn(rows, ty, |_, j| Scalar::F64(if j == 0 { 1e12 } else { -1e12 }))];
    let f = &module.functions[0];
    let plain = eval::call(&module, f, rows, &values).expect("evaluates");
    let moved = |seed| eval::call_rounded(&module, f, rows, &values, eval::Rounding::new(seed)).expect("evaluates");
    let sums = |frames: &[Frame]| -> Vec<Scalar> { (0..rows).map(|i| frames[0].get(i, 0)).collect() };
    assert!(sums(&plain).iter().all(|s| *s == Scalar::F64(0.0)));
    let (one, other) = (moved(1), moved(2));
    assert!(sums(&one).iter().all(|s| matches!(s, Scalar::F64(x) if *x != 0.0 && x.abs() < 1e12 * 1e-13)), "{one:?}");
    assert_ne!(sums(&one), sums(&other));
    assert_eq!(sums(&one), sums(&moved(1)));
    assert_eq!(one[1], plain[1]);
}
