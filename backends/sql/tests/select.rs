//! What the emitted text must be like, whatever database reads it. That the numbers are right is for the cases to show,
//! which run on the databases themselves.

use flock_ir_spec::{
    Attr, Child, DType, Frame, FrameType, FunctionBuilder, Module, NodeId, Op, Test, Tree, TreeEnsemble, TreeNode,
    Verified,
};
use flock_sql::{Dialect, SelectOptions, dialect, dialects, emit_function};

const NUMBER: FrameType = FrameType::new(DType::F64, 1).nullable();
const TEXT: FrameType = FrameType::new(DType::Str, 1).nullable();

type Built = Result<NodeId, flock_ir_spec::TypeError>;

/// A number whose null is NaN, as pipelines take it.
fn number(b: &mut FunctionBuilder, name: &str) -> NodeId {
    let x = b.input(name, NUMBER).expect("one type");
    let nan = b.constant(Frame::row_f64([f64::NAN]));
    b.op(Op::Coalesce, &[x, nan]).expect("a number")
}

fn constant(b: &mut FunctionBuilder, x: f64) -> NodeId {
    b.constant(Frame::row_f64([x]))
}

fn module(build: impl FnOnce(&mut FunctionBuilder) -> Built) -> Verified {
    let mut b = FunctionBuilder::new("m");
    let y = build(&mut b).expect("types");
    b.output("y", y);
    verified(b.finish().expect("a module"))
}

fn verified(module: Module) -> Verified {
    Verified::new(module).expect("verified")
}

fn of(name: &str) -> &'static Dialect {
    dialect(name).expect("a dialect")
}

fn sql(module: &Verified, name: &str, keep: &[&str]) -> String {
    let keep = keep.iter().map(|k| (*k).to_owned()).collect();
    let options = SelectOptions { keep, ..SelectOptions::new(of(name), "t") };
    emit_function(module, "m", &options).expect("emitted")
}

/// `x <= 0, x <= 1, …` along one side.
fn chain(depth: u32) -> TreeEnsemble {
    let nodes = (0..depth).map(|i| TreeNode {
        feature: 0,
        test: Test::Le,
        missing_left: i % 2 == 0,
        threshold: f64::from(i),
        left: Child::leaf(i),
        right: if i + 1 < depth { Child::node(i + 1) } else { Child::leaf(depth) },
    });
    ensemble(nodes.collect(), depth + 1)
}

/// Every node has two nodes below it.
fn full(depth: u32) -> TreeEnsemble {
    let inner = (1 << depth) - 1;
    let child = |i: u32| if i < inner { Child::node(i) } else { Child::leaf(i - inner) };
    let node = |i: u32| TreeNode {
        feature: 0,
        test: Test::Le,
        missing_left: false,
        threshold: f64::from(i),
        left: child(2 * i + 1),
        right: child(2 * i + 2),
    };
    ensemble((0..inner).map(node).collect(), inner + 1)
}

fn ensemble(nodes: Vec<TreeNode>, leaves: u32) -> TreeEnsemble {
    TreeEnsemble {
        features: 1,
        outputs: 1,
        input: DType::F32,
        sum: DType::F64,
        base: vec![0.0],
        trees: vec![Tree { root: Child::node(0), target: None }],
        nodes,
        leaves: (0..leaves).collect(),
        values: (0..leaves).map(f64::from).collect(),
        sets: Default::default(),
    }
}

fn of_trees(trees: TreeEnsemble) -> Verified {
    module(|b| {
        let x = number(b, "x");
        let trees = b.constant(trees);
        b.op(Op::Trees, &[x, trees])
    })
}

/// The most CASE within one another, and the most parentheses.
fn nesting(sql: &str) -> (usize, usize) {
    let (mut cases, mut parens, mut deepest) = (0usize, 0usize, (0, 0));
    for word in sql.split(|c: char| c.is_whitespace() || c == ',') {
        for c in word.chars() {
            parens = match c {
                '(' => parens + 1,
                ')' => parens.saturating_sub(1),
                _ => parens,
            };
            deepest.1 = deepest.1.max(parens);
        }
        match word.trim_matches(['(', ')', '-']) {
            "CASE" => cases += 1,
            "END" => cases -= 1,
            _ => {}
        }
        deepest.0 = deepest.0.max(cases);
    }
    deepest
}

#[test]
fn a_scaler_reads_as_one() {
    let m = module(|b| {
        let x = number(b, "dep_delay");
        b.in_step("num.scaler", |b| {
            let (mean, scale) = (constant(b, 12.5), constant(b, 40.0));
            let x = b.op(Op::Sub, &[x, mean])?;
            b.op(Op::Div, &[x, scale])
        })
    });
    let text = sql(&m, "sqlite", &["id"]);
    assert_eq!(text, "SELECT\n  \"id\",\n  (CAST(\"dep_delay\" AS REAL) - 12.5) / 40.0 AS \"y\"\nFROM \"t\"\n");
}

#[test]
fn a_tree_compares_with_the_equivalent_double() {
    let mut tree = full(1);
    tree.nodes[0].threshold = 0.10000000149011612;
    let text = sql(&of_trees(tree), "datafusion", &[]);
    assert!(text.contains("<= 0.1000000052154064 THEN"), "{text}");
}

#[test]
fn no_tree_nests_deeper_than_the_parser_takes() {
    // What each parser took of CASE within CASE, as measured.
    for (name, most) in [("sqlite", 18), ("datafusion", 46), ("duckdb", 984), ("postgres", 1000)] {
        for trees in [chain(500), full(6), full(13)] {
            let (cases, parens) = nesting(&sql(&of_trees(trees), name, &[]));
            assert!(cases <= most && parens <= 40, "{name}: {cases} CASE, {parens} parentheses");
        }
    }
}

#[test]
fn a_tree_that_fits_reads_as_a_tree() {
    let text = sql(&of_trees(full(3)), "duckdb", &[]);
    assert_eq!(nesting(&text).0, 3, "{text}");
    assert_eq!(text.matches("CASE WHEN").count(), 7, "{text}");
}

#[test]
fn what_doubles_is_written_once() {
    let m = module(|b| {
        let mut x = number(b, "x");
        for _ in 0..200 {
            x = b.op(Op::Add, &[x, x])?;
        }
        Ok(x)
    });
    for d in dialects() {
        let text = sql(&m, d.name, &[]);
        assert!(text.len() < 400_000, "{}: {} bytes", d.name, text.len());
    }
}

/// 5,000 categories into a linear map, without an optimizer: one dictionary.
#[test]
fn a_wide_one_hot_is_one_dictionary() {
    let n = 5_000u32;
    let m = module(|b| {
        let x = b.input("c", TEXT).expect("one type");
        let none = b.constant(Frame::row_str([""]));
        let x = b.op(Op::Coalesce, &[x, none])?;
        let keys = b.constant(Frame::row_str((0..n).map(|i| format!("cat {i}")).collect::<Vec<_>>()));
        let index = b.op(Op::IndexOf, &[x, keys])?;
        let hot = b.op_with(Op::OneHot, Attr::Type(FrameType::new(DType::F64, n)), &[index])?;
        let weights: Vec<f64> = (1..=n).map(f64::from).collect();
        let w = b.constant(Frame::table_f64(n as usize, 1, &weights).expect("a table"));
        let bias = constant(b, 0.5);
        b.op(Op::Linear, &[hot, w, bias])
    });
    for d in dialects() {
        let text = sql(&m, d.name, &[]);
        assert_eq!(text.matches("WHEN 'cat ").count(), n as usize, "{}", d.name);
        assert!(text.len() < 64 * n as usize, "{}: {} bytes", d.name, text.len());
    }
}

#[test]
fn names_and_texts_are_quoted() {
    let m = module(|b| {
        let x = b.input("a\"b; DROP", TEXT).expect("one type");
        let keys = b.constant(Frame::row_str(["it's\nso"]));
        b.op(Op::InSet, &[x, keys])
    });
    for d in dialects() {
        let options = SelectOptions { table: vec!["s".into(), "t\"x".into()], ..SelectOptions::new(d, "t") };
        let text = emit_function(&m, "m", &options).expect("emitted");
        assert!(text.contains("\"a\"\"b; DROP\"") && text.contains("'it''s\nso'"), "{text}");
        assert!(text.contains("\"s\".\"t\"\"x\""), "{text}");
    }
}

#[test]
fn faults_of_names_come_together() {
    let mut b = FunctionBuilder::new("m");
    let (x, y) = (number(&mut b, "a"), number(&mut b, "A"));
    b.output("y", x);
    b.output(&"z".repeat(64), y);
    let m = verified(b.finish().expect("a module"));
    let faults = |name: &str| {
        let options = SelectOptions { keep: vec!["y".into()], ..SelectOptions::new(of(name), "t") };
        emit_function(&m, "m", &options).expect_err("refused").len()
    };
    assert_eq!(faults("duckdb"), 2, "`a` is `A`, and `y` is kept and computed");
    assert_eq!(faults("postgres"), 2, "64 bytes, and `y` twice");
    assert_eq!(faults("datafusion"), 1, "`y` twice");
}

#[test]
fn only_what_traps_is_guarded() {
    let m = module(|b| {
        let (x, y) = (number(b, "x"), number(b, "y"));
        b.op(Op::Mul, &[x, y])
    });
    assert!(!sql(&m, "sqlite", &[]).contains("CASE"));
    assert!(sql(&m, "postgres", &[]).contains("CASE WHEN"));
}

#[test]
fn leaves_are_refused_by_name() {
    let m = module(|b| {
        let x = b.in_step("boost", |b| {
            let x = number(b, "x");
            let trees = b.constant(full(2));
            b.op(Op::Leaves, &[x, trees])
        })?;
        b.op_with(Op::Cast, Attr::Type(FrameType::new(DType::F64, 1)), &[x])
    });
    let faults = emit_function(&m, "m", &SelectOptions::new(of("duckdb"), "t")).expect_err("refused");
    assert_eq!((faults[0].place.as_str(), faults[0].what.as_str()), ("boost", "leaves"));
}

#[test]
fn all_columns_pass_beside_stages() {
    let m = module(|b| {
        let x = number(b, "x");
        let y = b.op(Op::Logistic, &[x])?;
        b.op(Op::Mul, &[y, y])
    });
    for (name, expected) in [
        ("duckdb", "* EXCLUDE (\"flock."),
        ("datafusion", "* EXCLUDE (\"flock."),
        ("postgres", "(\"flock.row\").*"),
        ("sqlite", "\"t\"._rowid_"),
    ] {
        let text = sql(&m, name, &["*"]);
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn equal_input_gives_equal_text() {
    let m = of_trees(full(8));
    for d in dialects() {
        assert_eq!(sql(&m, d.name, &["id"]), sql(&m, d.name, &["id"]));
    }
}

/// Beside `*` the statement's own names begin with `flock.`, the table's alias in PostgreSQL among them: a column `t` is
/// no row.
#[test]
fn own_names_beside_a_star() {
    let used = |name: &str| {
        module(|b| {
            let x = number(b, name);
            let y = b.op(Op::Exp, &[x])?;
            b.op(Op::Mul, &[y, y])
        })
    };
    let text = sql(&used("t"), "postgres", &["*"]);
    assert!(text.contains("FROM \"t\" AS \"flock.row\"") && !text.contains("\"t\" AS \"flock.row\","), "{text}");
    for d in dialects() {
        let keep = vec!["*".to_owned()];
        let options = SelectOptions { keep, ..SelectOptions::new(d, "t") };
        assert!(emit_function(&used("flock.row"), "m", &options).is_err(), "{}", d.name);
        assert!(emit_function(&used("flock.row"), "m", &SelectOptions::new(d, "t")).is_ok(), "{}", d.name);
    }
}
