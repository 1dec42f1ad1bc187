//! Large models are few nodes: saturation stays bounded, and pruned models give the same bits on the rows that are left.

use std::sync::Arc;

use flock_ir_spec::eval::{self, Table};
use flock_ir_spec::*;
use flock_optimize::{Estimate, Optimized, Options, Stop, Target, optimize};

/// A plain generator of numbers.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 33) as usize) % n
    }
}

/// Full trees of that depth over `features` columns; encoded columns are tested against 0.5.
fn forest(trees: usize, depth: u32, features: u32, numeric: u32) -> TreeEnsemble {
    let mut numbers = Numbers(5);
    let inner = (1usize << depth) - 1;
    let mut t = TreeEnsemble {
        features,
        outputs: 1,
        input: DType::F32,
        sum: DType::F64,
        base: vec![0.5],
        trees: Vec::new(),
        nodes: Vec::new(),
        leaves: Vec::new(),
        values: Vec::new(),
        sets: CategorySets::default(),
    };
    for _ in 0..trees {
        let (node, leaf) = (t.nodes.len(), t.leaves.len());
        t.trees.push(Tree { root: Child::node(node as u32), target: Some(0) });
        let child = |i: usize| {
            if i < inner { Child::node((node + i) as u32) } else { Child::leaf((leaf + i - inner) as u32) }
        };
        for i in 0..inner {
            let feature =
                if numbers.below(2) == 0 { numbers.below(numeric as usize) } else { numbers.below(features as usize) }
                    as u32;
            let threshold = if feature < numeric { (numbers.below(200) as f64 - 100.0) / 40.0 } else { 0.5 };
            let (left, right) = (child(2 * i + 1), child(2 * i + 2));
            t.nodes.push(TreeNode {
                feature,
                test: Test::Le,
                missing_left: numbers.below(2) == 0,
                threshold,
                left,
                right,
            });
        }
        for _ in 0..=inner {
            t.leaves.push(t.values.len() as u32);
            t.values.push((numbers.below(2000) as f64 - 1000.0) / 7.0);
        }
    }
    t
}

/// Numbers imputed and scaled, one category encoded, then an ensemble or linear weights.
fn pipeline(numeric: u32, categories: u32, last: impl FnOnce(&mut FunctionBuilder, NodeId, u32) -> NodeId) -> Module {
    let mut b = FunctionBuilder::new("model");
    let mut parts = Vec::new();
    for i in 0..numeric {
        let x = b.input(&format!("x{i}"), FrameType::new(DType::F64, 1).nullable()).expect("new");
        let nan = b.constant(Frame::row_f64([f64::NAN]));
        parts.push(b.op(Op::Coalesce, &[x, nan]).expect("typed"));
    }
    let x = b.op(Op::Concat, &parts).expect("typed");
    let missing = b.op(Op::IsNan, &[x]).expect("typed");
    let fill = b.constant(Frame::row_f64(vec![1.5; numeric as usize]));
    let x = b.op(Op::Select, &[missing, fill, x]).expect("typed");
    let mean = b.constant(Frame::row_f64((0..numeric).map(|i| f64::from(i) * 0.3 + 1.0).collect::<Vec<_>>()));
    let x = b.op(Op::Sub, &[x, mean]).expect("typed");
    let scale = b.constant(Frame::row_f64((0..numeric).map(|i| f64::from(i) * 1.7 + 11.0).collect::<Vec<_>>()));
    let x = b.op(Op::Div, &[x, scale]).expect("typed");
    let s = b.input("s", FrameType::new(DType::Str, 1).nullable()).expect("new");
    let list = b.constant(Frame::row_str((0..categories).map(|i| format!("c{i}"))));
    let index = b.op(Op::IndexOf, &[s, list]).expect("typed");
    let unknown = b.constant(Frame::row_i64([-1]));
    let index = b.op(Op::Coalesce, &[index, unknown]).expect("typed");
    let hot = b.op_with(Op::OneHot, Attr::Type(FrameType::new(DType::F64, categories)), &[index]).expect("typed");
    let x = b.op(Op::Concat, &[x, hot]).expect("typed");
    let y = last(&mut b, x, numeric + categories);
    b.output("score", y);
    b.finish().expect("a sound function")
}

/// `select id, score(…) from t where s in ('c1', 'c7') and x0 > 3 and (x1 <= 5 or x2 is null)`.
fn with_query(mut module: Module, numeric: u32) -> Verified {
    let number = FrameType::new(DType::F64, 1).nullable();
    let column = |id: u32, name: &str, ty| ColumnDef { id: ColumnId(id), name: name.into(), ty };
    let mut columns = vec![column(0, "id", FrameType::new(DType::I64, 1))];
    columns.extend((0..numeric).map(|i| column(i + 1, &format!("x{i}"), number)));
    columns.push(column(numeric + 1, "s", number.with_dtype(DType::Str)));
    let mut g = Graph::default();
    let leaf = |g: &mut Graph, c: &ColumnDef| g.add_leaf(Op::Column, Attr::Column(c.id), Type::Frame(c.ty));
    let args: Vec<NodeId> = columns[1..].iter().map(|c| leaf(&mut g, c)).collect();
    let id = leaf(&mut g, &columns[0]);
    let ty = FrameType::new(DType::F64, 1);
    let call = Attr::Call { function: "model".into(), output: "score".into(), ty };
    let score = g.add(Op::Call, call, &args).expect("typed");
    let pool = &mut module.constants;
    let set = g.add_constant(pool, Frame::row_str(["c1", "c7"]).into());
    let (three, five) =
        (g.add_constant(pool, Frame::row_f64([3.0]).into()), g.add_constant(pool, Frame::row_f64([5.0]).into()));
    let within = g.add(Op::InSet, Attr::None, &[args[numeric as usize], set]).expect("typed");
    let above = g.add(Op::Gt, Attr::None, &[args[0], three]).expect("typed");
    let below = g.add(Op::Le, Attr::None, &[args[1], five]).expect("typed");
    let null = g.add(Op::IsNull, Attr::None, &[args[2]]).expect("typed");
    let either = g.add(Op::Or, Attr::None, &[below, null]).expect("typed");
    let predicate = g.add(Op::And, Attr::None, &[within, above, either]).expect("typed");
    let items = vec![(column(900, "id", columns[0].ty), id), (column(901, "score", ty), score)];
    let rels = vec![
        Rel::Scan { table: Arc::from([Arc::from("t")]), columns },
        Rel::Filter { input: RelId(0), predicate },
        Rel::Project { input: RelId(1), items },
    ];
    module.queries.push(Query { name: "q".into(), graph: g, rels, root: RelId(2) });
    Verified::new(module).expect("a sound query")
}

fn table(numeric: u32, rows: usize) -> Table {
    let mut numbers = Numbers(9);
    let mut names: Vec<Arc<str>> = vec!["id".into()];
    let mut frames = vec![Frame::new(rows, 1, Data::I64((0..rows as i64).collect())).expect("ids")];
    for i in 0..numeric {
        names.push(format!("x{i}").into());
        frames.push(Frame::from_fn(rows, FrameType::new(DType::F64, 1).nullable(), |_, _| match numbers.below(12) {
            0 => Scalar::Null,
            1 => Scalar::F64(f64::NAN),
            2 => Scalar::F64(3.0),
            3 => Scalar::F64(f64::INFINITY),
            _ => Scalar::F64((numbers.below(4000) as f64 - 1000.0) / 100.0),
        }));
    }
    names.push("s".into());
    frames.push(Frame::from_fn(rows, FrameType::new(DType::Str, 1).nullable(), |_, _| match numbers.below(4) {
        0 => Scalar::Null,
        1 => Scalar::Str("c1".into()),
        2 => Scalar::Str("c7".into()),
        _ => Scalar::Str("c12".into()),
    }));
    Table::new(names, frames)
}

fn run(module: &Verified) -> Optimized {
    let clock = std::time::Instant::now();
    let done = optimize(module, &Target::Query("q".into()), &Options::default(), &Estimate)
        .unwrap_or_else(|e| panic!("{e:?}"));
    println!("{:?}\n{}", clock.elapsed(), done.report);
    done
}

fn scores(module: &Module, numeric: u32) -> Table {
    let rows = table(numeric, 400);
    eval::query(module, &module.queries[0], &|_| Some(rows.clone())).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn a_forest_of_1000_trees_is_pruned_within_few_nodes() {
    let (numeric, categories) = (12, 16);
    let ensemble = |b: &mut FunctionBuilder, x, features| {
        let trees = b.constant(forest(1000, 8, features, numeric));
        b.op(Op::Trees, &[x, trees]).expect("typed")
    };
    let module = with_query(pipeline(numeric, categories, ensemble), numeric);
    let done = run(&module);
    let report = &done.report;
    assert_eq!(report.stop, Stop::Saturated);
    assert!(report.enodes < 1000, "{report}");
    assert_eq!(report.before.splits, 255_000);
    assert!(report.after.splits * 2 < report.before.splits, "{report}");
    let (before, after) = (scores(&module, numeric), scores(&done.module, numeric));
    assert!(before.rows > 20);
    assert_eq!(before.frames, after.frames);
}

#[test]
fn an_encoding_of_5000_columns_is_a_few_nodes() {
    let (numeric, categories) = (12, 5000);
    let weights = |b: &mut FunctionBuilder, x, features: u32| {
        let mut numbers = Numbers(3);
        let w: Vec<f64> = (0..features).map(|_| (numbers.below(2000) as f64 - 1000.0) / 700.0).collect();
        let w = b.constant(Frame::table_f64(features as usize, 1, &w).expect("a column"));
        let bias = b.constant(Frame::row_f64([0.25]));
        let y = b.op(Op::Linear, &[x, w, bias]).expect("typed");
        b.op(Op::Logistic, &[y]).expect("typed")
    };
    let module = with_query(pipeline(numeric, categories, weights), numeric);
    let done = run(&module);
    let report = &done.report;
    assert_eq!(report.stop, Stop::Saturated);
    assert!(report.enodes < 1000, "{report}");
    // The dictionary has the categories that the filter leaves.
    let graph = &done.module.queries[0].graph;
    let table = |node: &Node| match node.attr {
        Attr::Const(c) => done.module.constants.table(c).map(Frame::len),
        _ => None,
    };
    let widest = graph.nodes().iter().filter_map(table).max();
    assert!(widest < Some(20), "{widest:?}");
    let (before, after) = (scores(&module, numeric), scores(&done.module, numeric));
    assert_eq!(before.frames[0], after.frames[0]);
    for i in 0..before.rows {
        let (Scalar::F64(x), Scalar::F64(y)) = (before.frames[1].get(i, 0), after.frames[1].get(i, 0)) else {
            panic!("f64")
        };
        assert!((x - y).abs() < 1e-9 || (x.is_nan() && y.is_nan()), "{x} became {y}");
    }
}

#[test]
fn a_limit_ends_the_search_and_the_result_is_still_sound() {
    let (numeric, categories) = (12, 16);
    let ensemble = |b: &mut FunctionBuilder, x, features| {
        let trees = b.constant(forest(20, 5, features, numeric));
        b.op(Op::Trees, &[x, trees]).expect("typed")
    };
    let module = with_query(pipeline(numeric, categories, ensemble), numeric);
    for nodes in [0, 3, 10] {
        let mut options = Options::default();
        options.limits.nodes = nodes;
        let done =
            optimize(&module, &Target::Query("q".into()), &options, &Estimate).unwrap_or_else(|e| panic!("{e:?}"));
        assert_eq!(done.report.stop, Stop::Nodes, "{nodes} nodes\n{}", done.report);
        assert_eq!(scores(&module, numeric).frames, scores(&done.module, numeric).frames);
    }
}

/// A function of many small nodes: sums of sums, each used twice, and a wide concat of single columns.
fn many_nodes(n: usize) -> Verified {
    let mut b = FunctionBuilder::new("f");
    let x = b.input("x", FrameType::new(DType::F64, 1)).expect("new");
    let (mut y, mut parts) = (x, Vec::new());
    for i in 0..n {
        let c = b.constant(Frame::row_f64([i as f64 + 0.5]));
        let product = b.op(Op::Mul, &[y, c]).expect("typed");
        y = b.op(Op::Add, &[product, y]).expect("typed");
        parts.extend([y, c]);
    }
    let wide = b.op(Op::Concat, &parts).expect("typed");
    let last = b.op(Op::RowMax, &[wide]).expect("typed");
    b.output("y", y);
    b.output("last", last);
    Verified::new(b.finish().expect("sound")).expect("sound")
}

#[test]
fn a_function_of_many_nodes_takes_time_in_proportion() {
    let module = many_nodes(20_000);
    let clock = std::time::Instant::now();
    let done = optimize(&module, &Target::Function("f".into()), &Options::default(), &Estimate)
        .unwrap_or_else(|e| panic!("{e:?}"));
    println!("{:?}\n{}", clock.elapsed(), done.report);
    let x = Frame::new(3, 1, Data::F64(vec![0.25, -0.0, f64::NAN])).expect("three");
    let run =
        |m: &Module| eval::call(m, &m.functions[0], 3, std::slice::from_ref(&x)).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(run(&module), run(&done.module));
}

/// Three columns, put side by side eight times and taken apart again: each is there in eight ways.
#[test]
fn columns_that_are_there_in_many_ways_are_joined_in_one() {
    let mut b = FunctionBuilder::new("f");
    let columns: Vec<NodeId> =
        (0..3).map(|i| b.input(&format!("x{i}"), FrameType::new(DType::F64, 1)).expect("new")).collect();
    let x = b.op(Op::Concat, &columns).expect("typed");
    let wide = b.op(Op::Concat, &[x; 8]).expect("typed");
    let parts: Vec<NodeId> = (0..24)
        .map(|i| b.op_with(Op::Slice, Attr::Range { start: i * 5 % 24, len: 1 }, &[wide]).expect("typed"))
        .collect();
    let again = b.op(Op::Concat, &parts).expect("typed");
    let sum = b.op(Op::Mul, &[wide, again]).expect("typed");
    b.output("y", sum);
    let module = Verified::new(b.finish().expect("sound")).expect("sound");
    let done = optimize(&module, &Target::Function("f".into()), &Options::default(), &Estimate)
        .unwrap_or_else(|e| panic!("{e:?}"));
    let frames: Vec<Frame> =
        (0..3).map(|i| Frame::new(2, 1, Data::F64(vec![f64::from(i) + 0.5, -1.0])).expect("two")).collect();
    let run = |m: &Module| eval::call(m, &m.functions[0], 2, &frames).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(run(&module), run(&done.module));
}
