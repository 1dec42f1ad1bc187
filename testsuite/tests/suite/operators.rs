//! Operators in databases against the reference evaluator, each by itself on hard values: over columns that may be null,
//! and over columns whose nulls were turned into NaN at the border. What a dialect refuses is listed, and the list fails
//! when an entry starts to pass.

use flock::artefact::{Kind, Pipeline};
use flock::compile::SqlOptions;
use flock_ir_spec::{
    Attr, CategorySets, Child, Composite, Constant, DType, Exactness, Frame, FrameType, FunctionBuilder, NodeId, Op,
    Scalar, Test, Tree, TreeEnsemble, TreeNode, Verified, Word, eval,
};
use flock_testsuite::case::Table;
use flock_testsuite::compare::difference;
use flock_testsuite::databases::{Databases, from_json};

use super::cases::say;

/// What a dialect has no exact form for: operator and reason.
fn refused(engine: &str) -> &'static [(&'static str, &'static str)] {
    const SHIFTS: (&str, &str) = ("bitwise", "shifts");
    const GATHERED: (&str, &str) = ("gather", "null from NaN");
    const RANKED: (&str, &str) = ("few ranks", "null from NaN");
    match engine {
        "sqlite" => &[SHIFTS, GATHERED, ("order", "too many to compare")],
        "postgres" => &[
            SHIFTS,
            GATHERED,
            RANKED,
            ("rem", "no exact remainder"),
            ("order", "null from NaN"),
            ("order", "too many to compare"),
        ],
        _ => &[SHIFTS, GATHERED, RANKED, ("order", "null from NaN")],
    }
}

/// Two floats, two integers, and a category as a float.
struct Columns {
    x: NodeId,
    y: NodeId,
    i: NodeId,
    j: NodeId,
    k: NodeId,
}

type Build = Box<dyn Fn(&mut FunctionBuilder, &Columns) -> Option<NodeId>>;

/// An operator to try, and how its node is built; None where the operands do not suit it.
struct Trial {
    name: String,
    build: Build,
}

fn trial(name: impl Into<String>, build: impl Fn(&mut FunctionBuilder, &Columns) -> Option<NodeId> + 'static) -> Trial {
    Trial { name: name.into(), build: Box::new(build) }
}

fn unary(op: Op) -> Trial {
    trial(op.name(), move |b, c| b.op(op, &[c.x]).ok())
}

fn trees(sets: &[&[u32]], input: DType) -> TreeEnsemble {
    let mut t = TreeEnsemble {
        features: 1,
        outputs: 1,
        input,
        sum: DType::F64,
        base: vec![0.5],
        trees: Vec::new(),
        nodes: Vec::new(),
        leaves: Vec::new(),
        values: Vec::new(),
        sets: CategorySets::default(),
    };
    for (i, members) in sets.iter().enumerate() {
        let set = t.sets.add(members.iter().copied()).unwrap();
        let leaf = |side: usize| Child::leaf((2 * i + side) as u32);
        t.trees.push(Tree { root: Child::node(i as u32), target: Some(0) });
        t.nodes.push(TreeNode {
            feature: 0,
            test: Test::In,
            missing_left: i % 2 == 0,
            threshold: f64::from(set),
            left: leaf(0),
            right: leaf(1),
        });
        t.leaves.extend([2 * i as u32, 2 * i as u32 + 1]);
        t.values.extend([2f64.powi(i as i32), 0.0]);
    }
    t
}

fn wide(b: &mut FunctionBuilder, c: &Columns, columns: usize) -> Option<NodeId> {
    let mut all = vec![c.x, c.y, c.k];
    for n in 3..columns {
        let shift = b.constant(Frame::row_f64([n as f64 - 5.5]));
        all.push(b.op(Op::Min, &[all[n % 3], shift]).ok()?);
    }
    b.op(Op::Concat, &all[..columns]).ok()
}

fn trials() -> Vec<Trial> {
    let mut all: Vec<Trial> = [Op::Sin, Op::Cos, Op::Atan].map(unary).into();
    // Of null and NaN, a truth value in SQL has NULL alone: what gives one is tested by itself.
    let composites = Composite::all().filter(|c| ![Composite::IS_FINITE, Composite::IS_MISSING].contains(c));
    all.extend(composites.map(Op::Composite).filter(|op| op.record().operands.len() == 1).map(unary));
    all.push(trial("rem", |b, c| b.op(Op::Rem, &[c.x, c.y]).ok()));
    all.push(trial("rem", |b, c| {
        let by = b.constant(Frame::row_f64([2.5]));
        b.op(Op::Rem, &[c.x, by]).ok()
    }));
    all.push(trial("integer rem", |b, c| b.op(Op::Rem, &[c.i, c.j]).ok()));
    all.push(trial("integer div", |b, c| b.op(Op::Div, &[c.i, c.j]).ok()));
    for word in [Word::And, Word::Or, Word::Xor, Word::Left, Word::Right] {
        let name = if matches!(word, Word::Left | Word::Right) { "bitwise" } else { "bits" };
        all.push(trial(name, move |b, c| b.op_with(Op::Bitwise, Attr::Word(word), &[c.i, c.j]).ok()));
    }
    all.push(trial("prod", |b, c| {
        let x = wide(b, c, 3)?;
        b.op(Op::Prod, &[x]).ok()
    }));
    all.push(trial("integer prod", |b, c| {
        let x = b.op(Op::Concat, &[c.i, c.j, c.j]).ok()?;
        b.op(Op::Prod, &[x]).ok()
    }));
    let curve = |xs: Vec<f64>| {
        let ys: Vec<f64> = xs.iter().enumerate().map(|(i, x)| (x * 0.37).sin() * 3.0 + (i % 3) as f64).collect();
        trial("interpolate", move |b, c| {
            let (xs, ys) = (b.constant(Frame::row_f64(xs.clone())), b.constant(Frame::row_f64(ys.clone())));
            b.op(Op::Interpolate, &[c.x, xs, ys]).ok()
        })
    };
    all.extend([
        curve(vec![0.0, 1.0]),
        curve(vec![-2.0, 0.5, 0.5, 2.5, 100.0]),
        curve((0..300).map(|i| f64::from(i) / 7.0 - 3.0).collect()),
    ]);
    for word in [Word::L1, Word::L2, Word::SqEuclidean, Word::Chebyshev] {
        all.push(trial("distances", move |b, c| {
            let x = wide(b, c, 3)?;
            let points = [1.0, 0.5, -2.0, 0.1, 30.0, 7.0, 0.0, -0.0, 3.0, 1e200, 2.0, 3.0];
            let points = b.constant(Frame::table_f64(4, 3, &points)?);
            let all = b.op_with(Op::Distances, Attr::Word(word), &[x, points]).ok()?;
            b.op(Op::Sum, &[all]).ok()
        }));
    }
    for (columns, start) in [(3, 0), (3, 2), (9, 4), (40, 0), (40, 17)] {
        let name = if columns < 17 { "few ranks" } else { "order" };
        all.push(trial(name, move |b, c| {
            let x = wide(b, c, columns)?;
            b.op_with(Op::Order, Attr::Range { start, len: 1 }, &[x]).ok()
        }));
    }
    all.push(trial("gather", |b, c| {
        let x = wide(b, c, 3)?;
        b.op(Op::Gather, &[x, c.i]).ok()
    }));
    all.push(trial("gather integers", |b, c| {
        let x = b.op(Op::Concat, &[c.i, c.j]).ok()?;
        b.op(Op::Gather, &[x, c.j]).ok()
    }));
    all.push(trial("gather constants", |b, c| {
        let x = b.constant(Frame::row_f64([0.5, -1.0, 7.0]));
        b.op(Op::Gather, &[x, c.i]).ok()
    }));
    for input in [DType::F64, DType::F32] {
        all.push(trial("sets", move |b, c| {
            let many: Vec<u32> = (3..60).collect();
            let few: &[u32] = if input == DType::F32 { &[2, 30] } else { &many };
            let t = trees(&[&[0, 2, 5], &[], few, &[1, 7, 4_000_000_000]], input);
            let t = b.constant(Constant::Trees(t));
            b.op(Op::Trees, &[c.k, t]).ok()
        }));
    }
    all
}

const FLOATS: [f64; 29] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -0.25,
    1.5,
    2.5,
    7.0,
    30.0,
    0.1,
    0.46875,
    0.47,
    3.9,
    4.1,
    -6.0,
    26.0,
    100.0,
    1e-9,
    0.999999999,
    1e-300,
    1e200,
    -1e200,
    5e-324,
    f64::MAX,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
    1e9,
];
const INTEGERS: [i64; 9] = [0, 1, -1, 2, 3, -7, 40, i64::MAX, i64::MIN];
const CATEGORIES: [f64; 13] =
    [0.0, -0.0, 1.0, 2.0, 2.5, 3.0, 5.0, 59.0, 60.0, -2.0, f64::NAN, f64::INFINITY, 4_000_000_000.0];

/// Rows of the columns: every float meets many others, and some are null. SQLite's tables have neither NaN nor -0.
fn data(engine: &str) -> Table {
    let names = [("x", DType::F64), ("y", DType::F64), ("i", DType::I64), ("j", DType::I64), ("k", DType::F64)];
    let null = |at: usize, every: usize, x: Scalar| match x {
        _ if at % every == every - 1 => Scalar::Null,
        Scalar::F64(x) if engine == "sqlite" && x.is_nan() => Scalar::Null,
        Scalar::F64(x) if engine == "sqlite" => Scalar::F64(x + 0.0),
        x => x,
    };
    let rows = (0..240).map(|r| {
        vec![
            null(r, 13, Scalar::F64(FLOATS[r % 29])),
            null(r, 17, Scalar::F64(FLOATS[(r * 5 + r / 29) % 29])),
            null(r, 11, Scalar::I64(INTEGERS[r % 9])),
            null(r, 19, Scalar::I64(INTEGERS[(r * 2 + r / 9) % 9])),
            null(r, 7, Scalar::F64(CATEGORIES[r % 13])),
        ]
    });
    Table { columns: names.map(|(n, t)| (n.into(), t)).into(), rows: rows.collect() }
}

/// The function of a trial; with `border`, floats come with NaN in place of null.
fn function(trial: &Trial, border: bool) -> Option<Verified> {
    let mut b = FunctionBuilder::new("f");
    let mut input = |name: &str, dtype: DType| {
        let x = b.input(name, FrameType::new(dtype, 1).nullable()).unwrap();
        if !border || dtype != DType::F64 {
            return x;
        }
        let nan = b.constant(Frame::row_f64([f64::NAN]));
        b.op(Op::Coalesce, &[x, nan]).unwrap()
    };
    let c = Columns {
        x: input("x", DType::F64),
        y: input("y", DType::F64),
        i: input("i", DType::I64),
        j: input("j", DType::I64),
        k: input("k", DType::F64),
    };
    let out = (trial.build)(&mut b, &c)?;
    b.output("out", out);
    b.output("row", c.i);
    Some(Verified::new(b.finish().unwrap()).unwrap())
}

fn run(databases: &mut Databases, engine: &str, module: &Verified, data: &Table) -> Result<(), String> {
    let f = &module.functions[0];
    let pipeline = Pipeline { module: module.clone(), name: "f".into(), kind: Kind::Flock, bytes: 0 };
    let options = SqlOptions {
        dialect: engine.into(),
        table: "data".into(),
        keep: vec!["n".into()],
        no_optimize: true,
        ..SqlOptions::default()
    };
    let sql = flock::compile::sql(&pipeline, &options).map_err(|e| format!("refused: {}", e.report(false)))?;
    let mut numbered = data.clone();
    numbered.columns.push(("n".into(), DType::I64));
    numbered.rows.iter_mut().enumerate().for_each(|(n, row)| row.push(Scalar::I64(n as i64)));
    let mut answer = databases
        .query(engine, "data", &numbered, &sql)
        .map_err(|e| format!("{e}\n{}", sql.chars().take(3000).collect::<String>()))?;
    answer.rows.sort_by_key(|r| r[0].as_i64());
    let params: Vec<Frame> = (f.params.iter().enumerate())
        .map(|(j, p)| Frame::from_fn(data.rows.len(), p.ty, |i, _| data.rows[i][j].clone()))
        .collect();
    let expected = eval::call(module, f, data.rows.len(), &params).unwrap().remove(0);
    let loose = f.graph.iter().any(|(_, n)| n.op.record().exact == Exactness::Reals);
    for (i, row) in answer.rows.iter().enumerate() {
        let found = from_json(&row[1], expected.dtype());
        if let Some(why) = difference(&found, &expected.get(i, 0), if loose { 1e-9 } else { 0.0 }) {
            let sql: String = sql.chars().take(1500).collect();
            return Err(format!("{:?}: {why}\n{sql}", data.rows[i]));
        }
    }
    Ok(())
}

fn check(engine: &str) {
    let started = Databases::start().and_then(|mut d| d.probe(engine).map(|_| d));
    let mut databases = match started {
        Ok(d) => d,
        Err(why) if std::env::var_os("FLOCK_REQUIRE_DATABASES").is_some() => panic!("{engine}: {why}"),
        Err(why) => return say(&format!("skipped: {engine}: {why}")),
    };
    let (data, refused) = (data(engine), refused(engine));
    let (mut wrong, mut used) = (Vec::new(), vec![false; refused.len()]);
    for trial in trials() {
        for border in [false, true] {
            let Some(module) = function(&trial, border) else {
                wrong.push(format!("{}: it does not take its operands", trial.name));
                continue;
            };
            let found = run(&mut databases, engine, &module, &data);
            let Err(why) = found else { continue };
            let known = refused
                .iter()
                .position(|(name, reason)| *name == trial.name && why.starts_with("refused") && why.contains(reason));
            match known {
                Some(i) => used[i] = true,
                None => wrong.push(format!("{} (border: {border}): {why}", trial.name)),
            }
        }
    }
    let idle = refused.iter().zip(&used).filter(|(_, used)| !**used).map(|(r, _)| format!("{r:?} is not refused"));
    wrong.extend(idle);
    assert!(wrong.is_empty(), "{engine}: {} wrong\n{}", wrong.len(), wrong.join("\n\n"));
}

#[test]
fn operators_in_sqlite() {
    check("sqlite");
}

#[test]
fn operators_in_duckdb() {
    check("duckdb");
}

#[test]
fn operators_in_postgres() {
    check("postgres");
}
