//! Every operator, over every dtype that its record accepts, with and without nulls, of width 1 and 3 and mixed,
//! parameters and constants, against the reference evaluator.

use crate::{Make, Random, check, compile, hard};
use flock_ir_spec::{
    Attr, DType, Data, Digest, Features, Frame, FrameBuilder, FrameType, FunctionBuilder, NodeId, Op, Scalar, Terms,
    Unit, Verified, Word,
};
use flock_plan::Options;

const ROWS: [usize; 5] = [0, 1, 63, 1025, 5000];
const WIDTHS: [u32; 2] = [1, 3];

fn types() -> Vec<FrameType> {
    let mut all = Vec::new();
    for dtype in DType::ALL {
        for width in WIDTHS {
            all.extend([false, true].map(|nullable| FrameType { dtype, nullable, width }));
        }
    }
    all
}

/// A parameter of that type, or a constant of it.
fn operand(f: &mut FunctionBuilder, ty: FrameType, constant: bool, random: &mut Random) -> NodeId {
    if constant {
        return f.constant(Frame::from_fn(1, FrameType { nullable: false, ..ty }, |_, _| hard(ty.dtype, random)));
    }
    f.input(&format!("x_{ty}"), ty).unwrap()
}

/// A row of a dtype: the second operand of what takes a set.
fn set(dtype: DType, n: usize, random: &mut Random) -> Frame {
    let mut row = FrameBuilder::new(1, FrameType::new(dtype, n as u32));
    (0..n).for_each(|_| row.push(hard(dtype, random)));
    row.finish()
}

/// Attributes worth trying for an operator on that operand.
fn attributes(op: Op, first: Option<FrameType>) -> Vec<Attr> {
    let Some(t) = first else { return vec![Attr::None] };
    match op {
        Op::Cast => {
            let to = |d: DType| [false, true].map(|n| Attr::Type(t.with_dtype(d).with_nulls(n)));
            DType::ALL.into_iter().flat_map(to).collect()
        }
        Op::OneHot => [DType::F32, DType::F64]
            .into_iter()
            .flat_map(|d| [1, 4].map(|w| Attr::Type(FrameType { dtype: d, nullable: t.nullable, width: w })))
            .collect(),
        Op::Normalize => [Word::L1, Word::L2, Word::Max].map(Attr::Word).to_vec(),
        Op::Bucketize => [Word::Left, Word::Right].map(Attr::Word).to_vec(),
        Op::Distances => [Word::L1, Word::L2, Word::SqEuclidean, Word::Chebyshev].map(Attr::Word).to_vec(),
        Op::Bitwise => [Word::And, Word::Or, Word::Xor, Word::Left, Word::Right].map(Attr::Word).to_vec(),
        Op::Digest => Digest::ALL.map(|d| Attr::Word(Word::Digest(d))).to_vec(),
        Op::Parse => [Word::Float, Word::Signed, Word::Unsigned].map(Attr::Word).to_vec(),
        Op::WithoutAccents => [Word::Unicode, Word::Ascii].map(Attr::Word).to_vec(),
        Op::Slice | Op::Order => (0..3).flat_map(|start| (1..3).map(move |len| Attr::Range { start, len })).collect(),
        _ => vec![Attr::None],
    }
}

/// Tables for the operands behind the first, where an operator takes tables.
fn tables(op: Op, t: FrameType, random: &mut Random) -> Option<Vec<Vec<Frame>>> {
    Some(match op {
        Op::InSet | Op::IndexOf => [0, 1, 2, 5, 20].map(|n| vec![set(t.dtype, n, random)]).to_vec(),
        Op::Lookup => DType::ALL
            .into_iter()
            .flat_map(|d| WIDTHS.map(|w| (d, w)))
            .map(|(d, w)| vec![Frame::from_fn(5, FrameType::new(d, w), |_, _| hard(d, random))])
            .collect(),
        Op::Take => [vec![0], vec![0, 1], vec![2, 0, 0], vec![1, 2, 1]]
            .into_iter()
            .map(|c: Vec<i64>| c.into_iter().map(|j| j % i64::from(t.width)).collect::<Vec<_>>())
            .map(|c| vec![Frame::row_i64(c)])
            .collect(),
        Op::Bucketize => {
            let edges = [f64::NEG_INFINITY, -1.0, 0.0, 0.5, 0.5, 3.0, f64::INFINITY];
            let narrow = || Frame::row_f32(edges.map(|e| e as f32).to_vec());
            vec![vec![if t.dtype == DType::F32 { narrow() } else { Frame::row_f64(edges.to_vec()) }]]
        }
        Op::Interpolate => {
            [vec![0.5], vec![-1.0, 0.0, 0.0, 2.5, 7.25], vec![f64::NEG_INFINITY, 0.0, 1e300, f64::INFINITY]]
                .into_iter()
                .map(|xs| {
                    let ys = xs.iter().enumerate().map(|(i, x)| x * 0.3 - i as f64).collect::<Vec<_>>();
                    vec![Frame::row_f64(xs), Frame::row_f64(ys)]
                })
                .collect()
        }
        Op::Distances if !t.dtype.is_float() => Vec::new(),
        Op::Distances => [1, 3]
            .map(|m| vec![Frame::from_fn(m, FrameType::new(t.dtype, t.width), |_, _| hard(t.dtype, random))])
            .to_vec(),
        Op::Linear if !t.dtype.is_float() => Vec::new(),
        Op::Linear => WIDTHS
            .map(|m| {
                let ty = FrameType::new(t.dtype, m);
                let small = |random: &mut Random| match t.dtype {
                    DType::F32 => Scalar::F32(random.below(9) as f32 / 3.0 - 1.0),
                    _ => Scalar::F64(random.below(9) as f64 / 3.0 - 1.0),
                };
                let w = Frame::from_fn(t.width as usize, ty, |_, _| small(random));
                vec![w, Frame::from_fn(1, ty, |_, _| small(random))]
            })
            .to_vec(),
        Op::Matches => ["", r"[a-z\d]*", r"(A|é).?"].map(|p| vec![Frame::row_str([p])]).to_vec(),
        _ => return None,
    })
}

/// Constants of terms: of words and of characters, by vocabulary and by hash.
fn terms() -> Vec<Terms> {
    let words = ["a", "é", "a b", "1", "A", "x"].map(Into::into);
    let vocabulary = Features::Vocabulary(words.into());
    let hashed = |signed| Features::Hashed { columns: 5, signed };
    let of = |unit, pattern: &str, stop: &[&str], binary, features| Terms {
        unit,
        first: 1,
        last: 3,
        pattern: pattern.into(),
        stop: stop.iter().map(|s| (*s).into()).collect(),
        binary,
        features,
    };
    vec![
        of(Unit::Word, r"\w+", &["b"], false, vocabulary.clone()),
        of(Unit::Word, r"[^\W\d_]+(?!x)|\d", &[], true, vocabulary.clone()),
        of(Unit::Word, r"(?u)\b\w\w+\b", &[], false, hashed(true)),
        of(Unit::Char, "", &[], false, vocabulary),
        of(Unit::CharWb, "", &[], true, hashed(false)),
    ]
}

/// One function with an output for each application that the record accepts. Trees have tests of their own.
fn every_application(op: Op) -> Option<Verified> {
    let mut random = Random::new(1 + op.name().len() as u64);
    let mut f = FunctionBuilder::new(op.name());
    let mut outputs = 0;
    let mut emit = |f: &mut FunctionBuilder, attr: Attr, args: &[NodeId]| {
        if let Ok(node) = f.op_with(op, attr, args) {
            f.output(&format!("{op}_{outputs}"), node);
            outputs += 1;
        }
    };
    if op == Op::Null {
        types().into_iter().for_each(|t| emit(&mut f, Attr::Type(t), &[]));
    }
    for t in types() {
        for constant in [false, true] {
            let first = operand(&mut f, t, constant, &mut random);
            for terms in terms().into_iter().filter(|_| op == Op::TermCounts) {
                let terms = f.constant(terms);
                emit(&mut f, Attr::None, &[first, terms]);
            }
            for attr in attributes(op, Some(t)) {
                match tables(op, t, &mut random) {
                    Some(choices) => choices.into_iter().for_each(|tables| {
                        let tables: Vec<NodeId> = tables.into_iter().map(|t| f.constant(t)).collect();
                        let args: Vec<NodeId> = [first].into_iter().chain(tables).collect();
                        emit(&mut f, attr.clone(), &args);
                    }),
                    None => {
                        emit(&mut f, attr.clone(), &[first]);
                        for second in types().into_iter().flat_map(|t| [(t, false), (t, true)]) {
                            let second_id = operand(&mut f, second.0, second.1, &mut random);
                            emit(&mut f, attr.clone(), &[first, second_id]);
                            for third in types() {
                                // Not every triple: each third type meets each second one now and then.
                                if random.below(4) == 0 {
                                    let third = operand(&mut f, third, random.below(4) == 0, &mut random);
                                    emit(&mut f, attr.clone(), &[first, second_id, third]);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    if outputs == 0 {
        return None;
    }
    Some(Verified::new(f.finish().unwrap()).unwrap())
}

pub fn every_operator_on_hard_values(make: Make) {
    let mut tested = 0;
    for op in Op::all() {
        if matches!(op, Op::Input | Op::Const | Op::Column | Op::Call | Op::Opaque | Op::Trees | Op::Leaves) {
            continue;
        }
        let module = every_application(op).unwrap_or_else(|| panic!("`{op}` accepts nothing"));
        let outputs = module.functions[0].outputs.len();
        let rows: &[usize] = if outputs > 300 { &[0, 1, 63, 1025] } else { &ROWS };
        check(make, &module, op.name(), &[Options::default()], rows, 7);
        tested += outputs;
    }
    assert!(tested > 3000, "{tested} applications");
}

pub fn parameters_and_constants_as_outputs(make: Make) {
    let mut f = FunctionBuilder::new("f");
    let mut random = Random::new(3);
    for t in types() {
        let x = operand(&mut f, t, false, &mut random);
        f.output(&format!("x {t}"), x);
        let c = operand(&mut f, t, true, &mut random);
        f.output(&format!("c {t}"), c);
        f.output(&format!("again {t}"), x);
    }
    let module = Verified::new(f.finish().unwrap()).unwrap();
    check(make, &module, "f", &[Options::default()], &ROWS, 5);
    let program = compile(make, &module, "f");
    let names: Vec<&str> = program.inputs().iter().map(|f| &*f.name).collect();
    assert_eq!(names[..4], ["x_bool", "x_bool?", "x_bool[3]_0", "x_bool[3]_1"]);
}

pub fn a_set_finds_no_nan_and_both_zeros(make: Make) {
    let mut f = FunctionBuilder::new("f");
    let x = f.input("x", FrameType::new(DType::F64, 1)).unwrap();
    for n in [3, 12] {
        let mut values: Vec<f64> = (10..10 + n).map(f64::from).collect();
        values.extend([f64::NAN, -0.0]);
        let set = f.constant(Frame::row_f64(values));
        let found = f.op(Op::InSet, &[x, set]).unwrap();
        f.output(&format!("in {n}"), found);
        let position = f.op(Op::IndexOf, &[x, set]).unwrap();
        f.output(&format!("at {n}"), position);
    }
    let module = Verified::new(f.finish().unwrap()).unwrap();
    let program = compile(make, &module, "f");
    let x = Frame::new(5, 1, Data::F64(vec![f64::NAN, 0.0, -0.0, 11.0, 1.0])).unwrap();
    crate::compare(&program, &module, &module.functions[0], &[x], 5);
}

/// A product and a sum are rounded one after the other, also where an instruction could do both at once.
pub fn nothing_is_contracted(make: Make) {
    let mut random = Random::new(41);
    for dtype in [DType::F64, DType::F32] {
        let mut f = FunctionBuilder::new("f");
        let ty = FrameType::new(dtype, 1);
        let [x, y, z] = ["x", "y", "z"].map(|n| f.input(n, ty).unwrap());
        let product = f.op(Op::Mul, &[x, y]).unwrap();
        for (name, op) in [("sum", Op::Add), ("difference", Op::Sub)] {
            let node = f.op(op, &[product, z]).unwrap();
            f.output(name, node);
        }
        let module = Verified::new(f.finish().unwrap()).unwrap();
        let near_one = |random: &mut Random| 1.0 + (random.below(1 << 20) as f64 - 524_288.0) * 3e-9;
        let number = |x: f64| if dtype == DType::F64 { Scalar::F64(x) } else { Scalar::F32(x as f32) };
        let rows = 500;
        let params: Vec<Frame> =
            [1.0, 1.0, -1.0].map(|sign| Frame::from_fn(rows, ty, |_, _| number(sign * near_one(&mut random)))).to_vec();
        crate::compare(&compile(make, &module, "f"), &module, &module.functions[0], &params, rows);
    }
}
