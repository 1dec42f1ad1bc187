//! The harness of the rules: `tests/rules.flock` has a function or query per rule, named after it. Every representation
//! that the e-graph holds of every class is evaluated on values made to be hard, and so is the result.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use egg::Id;
use flock_ir_spec::eval::{self, Leaves, Table};
use flock_ir_spec::*;

use crate::choose::Cheapest;
use crate::language::Egraph;
use crate::{Estimate, Limits, Optimized, Options, Placement, Target, analysis, build, optimize, rules, saturate};

mod random;
mod threshold;

const CASES: &str = include_str!("../../tests/rules.flock");
const ROWS: usize = 240;

/// The module of the cases, under the labels that its constants hash to.
fn module() -> Verified {
    let mut text = own_columns(CASES);
    // Labels are free in the file; the text form wants hashes.
    let faults = text::parse(&text).err().unwrap_or_default();
    for fault in faults.iter().filter(|f| f.code == "flock::text::hash") {
        let words: Vec<&str> = fault.message.split(['#', ',', ' ']).filter(|w| w.len() == 8).collect();
        let [found, .., said] = words.as_slice() else { panic!("{fault}") };
        text = text.replace(&format!("#{said}"), &format!("#{found}"));
    }
    let module = text::parse(&text).unwrap_or_else(|f| panic!("{f:#?}"));
    Verified::new(module).unwrap_or_else(|f| panic!("{f:#?}"))
}

/// Queries of the file count their columns from 1 each; a module counts them once.
fn own_columns(text: &str) -> String {
    let own = |(query, body): (usize, &str)| {
        let mut out = String::new();
        for (i, piece) in body.split('@').enumerate() {
            let digits = piece.bytes().take_while(u8::is_ascii_digit).count();
            match piece[..digits].parse::<usize>() {
                Ok(n) if i > 0 => out.push_str(&format!("@{}{}", 100 * query + n, &piece[digits..])),
                _ => out.push_str(piece),
            }
        }
        out
    };
    text.split("\nquery ").enumerate().map(own).collect::<Vec<_>>().join("\nquery ")
}

/// A plain generator of numbers.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 33) as usize) % n
    }
}

const FLOATS: [f64; 26] = [
    f64::NAN,
    0.0,
    -0.0,
    f64::INFINITY,
    f64::NEG_INFINITY,
    5e-324,
    -5e-324,
    1e-300,
    1e300,
    -1e300,
    0.1,
    0.10000000149011612,
    0.1000000052154064,
    0.10000000521540642,
    0.5,
    1.0,
    2.0,
    2.5,
    7.0,
    8.0,
    30.0,
    29.999999999999996,
    -5.0,
    -1.0,
    3.29,
    0.4,
];
const INTEGERS: [i64; 9] = [0, 1, 2, 3, -1, -2, 7, i64::MAX, i64::MIN];
const TEXTS: [&str; 6] = ["AA", "B6", "é", "", "ZZ", "x"];

/// A frame of hard values; with `tame` floats stay finite and of ordinary size.
pub fn hard(ty: FrameType, rows: usize, tame: bool, numbers: &mut Numbers) -> Frame {
    Frame::from_fn(rows, ty, |_, _| {
        if ty.nullable && numbers.below(6) == 0 {
            return Scalar::Null;
        }
        let float =
            if tame { (numbers.below(4001) as f64 - 2000.0) / 37.0 } else { FLOATS[numbers.below(FLOATS.len())] };
        match ty.dtype {
            DType::Bool => Scalar::Bool(numbers.below(2) == 0),
            DType::I64 => Scalar::I64(INTEGERS[numbers.below(INTEGERS.len())]),
            DType::F32 => Scalar::F32(float as f32),
            DType::F64 => Scalar::F64(float),
            DType::Str => Scalar::Str(TEXTS[numbers.below(TEXTS.len())].into()),
        }
    })
}

fn params(f: &Function, tame: bool, seed: u64) -> Vec<Frame> {
    let mut numbers = Numbers(seed);
    f.params.iter().map(|p| hard(p.ty, ROWS, tame, &mut numbers)).collect()
}

fn reals() -> BTreeSet<String> {
    rules::all().filter(|r| r.exact == Exactness::Reals).map(|r| r.name.to_owned()).collect()
}

fn with(disabled: BTreeSet<String>) -> Options {
    Options { disabled, ..Options::default() }
}

/// Equal in every bit, NaNs alike.
fn same(a: &Scalar, b: &Scalar) -> bool {
    match (a, b) {
        (Scalar::F64(x), Scalar::F64(y)) if x.is_nan() => y.is_nan(),
        (Scalar::F32(x), Scalar::F32(y)) if x.is_nan() => y.is_nan(),
        _ => a == b,
    }
}

fn difference(a: &Frame, b: &Frame) -> Option<String> {
    (0..a.rows).flat_map(|i| (0..a.width).map(move |j| (i, j))).find_map(|(i, j)| {
        let (x, y) = (a.get(i, j), b.get(i, j));
        (!same(&x, &y)).then(|| format!("row {i} column {j}: {x:?} became {y:?}"))
    })
}

/// The e-graph of a function after saturation, with its roots.
fn saturated<'a>(module: &'a Verified, f: &Function, disabled: &BTreeSet<String>) -> (Egraph<'a>, Vec<Id>) {
    let ir = analysis::Ir {
        pool: module.constants.clone(),
        functions: &module.functions,
        cost: &Estimate,
        placement: Placement::Sql,
        limits: Limits::default(),
        size_before: 0,
        leaves: HashMap::new(),
        faults: Vec::new(),
        rule: "build",
        tried: HashSet::new(),
    };
    let mut g = Egraph::new(ir);
    let roots = build::function(&mut g, f).expect("a typed function");
    g.rebuild();
    assert!(saturate::inline(&mut g));
    saturate::saturate(&mut g, disabled);
    assert_eq!(g.analysis.faults, Vec::<String>::new(), "{}", f.name);
    (g, roots)
}

/// Every node of every class gives the same bits as any other node of it.
fn check_classes(module: &Verified, f: &Function) {
    let (g, _) = saturated(module, f, &reals());
    let best = Cheapest::of(&g);
    let classes: Vec<Id> =
        g.classes().filter(|c| c.data.frame().is_some() && best.node(&g, c.id).is_some()).map(|c| c.id).collect();
    let mut scratch = Module { constants: g.analysis.pool.clone(), ..Module::default() };
    let values = params(f, false, 7);
    for class in classes {
        let Some(order) = best.order(&g, &[class]) else { continue };
        let mut graph = Graph::default();
        let mut ids: HashMap<Id, NodeId> = HashMap::new();
        for c in order {
            let node = best.node(&g, c).expect("chosen");
            let id = write(&g, &mut graph, &mut scratch, f, node, &ids).expect("typed");
            ids.insert(c, id);
        }
        let mut alternatives = vec![ids[&g.find(class)]];
        for node in &g[class].nodes {
            let inside = node.children.iter().all(|c| best.node(&g, *c).is_some());
            if !inside || node.op() == Some(Op::Call) {
                continue;
            }
            let Some(below) = best.order(&g, &node.children) else { continue };
            let mut ids: HashMap<Id, NodeId> = HashMap::new();
            for c in below {
                let node = best.node(&g, c).expect("chosen");
                let id = write(&g, &mut graph, &mut scratch, f, node, &ids).expect("typed");
                ids.insert(c, id);
            }
            alternatives.extend(write(&g, &mut graph, &mut scratch, f, node, &ids));
        }
        if alternatives.iter().any(|a| matches!(graph.ty(*a), Type::Trees { .. }) || graph.frame_type(*a).is_none()) {
            continue;
        }
        let leaves = Leaves { params: &values, columns: None };
        let found = eval::frames(&scratch, &graph, &alternatives, ROWS, &leaves).expect("values");
        for (other, id) in found.iter().zip(&alternatives) {
            if let Some(d) = difference(&found[0], other) {
                panic!("{}: {:?} is not {:?}: {d}", f.name, graph.node(*id), graph.node(alternatives[0]));
            }
        }
    }
}

fn write(
    g: &Egraph<'_>,
    graph: &mut Graph,
    module: &mut Module,
    f: &Function,
    node: &crate::language::Enode,
    ids: &HashMap<Id, NodeId>,
) -> Option<NodeId> {
    let (op, attr) = (node.op()?, node.attr().clone());
    match (op, &attr) {
        (Op::Input, Attr::Param(i)) => Some(graph.add_leaf(op, attr.clone(), Type::Frame(f.params[*i as usize].ty))),
        (Op::Const, Attr::Const(c)) => {
            let ty = module.constants.get(*c)?.ty();
            Some(graph.add_leaf(op, attr.clone(), ty))
        }
        _ => {
            let args: Option<Vec<NodeId>> = node.children.iter().map(|c| ids.get(&g.find(*c)).copied()).collect();
            let node =
                Node { op, attr, args: Box::from([]), ty: Type::Frame(FrameType::new(DType::Bool, 1)), step: None };
            graph.add_like(&node, &args?).ok()
        }
    }
}

fn rule_of(name: &str) -> &str {
    name.split([':', ' ']).next().unwrap_or(name)
}

fn fired(o: &Optimized) -> Vec<&'static str> {
    o.report.rules.iter().map(|r| r.name).collect()
}

#[test]
fn every_representation_has_the_same_bits() {
    let module = module();
    module.functions.iter().for_each(|f| check_classes(&module, f));
}

#[test]
fn functions_keep_every_bit_under_rules_of_bits() {
    let module = module();
    for f in &module.functions {
        let target = Target::Function(f.name.to_string());
        let done =
            optimize(&module, &target, &with(reals()), &Estimate).unwrap_or_else(|e| panic!("{}: {e:?}", f.name));
        let new = done.module.function(&f.name).expect("still there");
        for seed in 0..4 {
            let values = params(f, false, seed);
            let before = eval::call(&module, f, ROWS, &values).expect("before");
            let after = eval::call(&done.module, new, ROWS, &values).expect("after");
            for (b, a) in before.iter().zip(&after) {
                assert_eq!(difference(b, a), None, "{}\n{}", f.name, *done.module);
            }
        }
    }
}

/// The sum of the absolute terms of the linear map that gives the output.
fn terms(module: &Module, f: &Function, values: &[Frame], row: usize, column: usize) -> f64 {
    let node = f.graph.node(f.outputs[0].node);
    if node.op != Op::Linear {
        return 0.0;
    }
    let leaves = Leaves { params: values, columns: None };
    let x = eval::frames(module, &f.graph, &[node.args[0]], ROWS, &leaves).expect("operand").remove(0);
    let (Some(Constant::Table(w)), Some(Constant::Table(b))) =
        (f.graph.constant(&module.constants, node.args[1]), f.graph.constant(&module.constants, node.args[2]))
    else {
        panic!("weights")
    };
    let number = |s: Scalar| if let Scalar::F64(x) = s { x.abs() } else { f64::NAN };
    (0..x.width).map(|k| number(x.get(row, k)) * number(w.get(k, column))).sum::<f64>() + number(b.get(0, column))
}

#[test]
fn rules_of_reals_stay_within_the_tolerance() {
    let module = module();
    for f in &module.functions {
        let target = Target::Function(f.name.to_string());
        let done =
            optimize(&module, &target, &Options::default(), &Estimate).unwrap_or_else(|e| panic!("{}: {e:?}", f.name));
        let new = done.module.function(&f.name).expect("still there");
        for (seed, tame) in [(1, true), (2, true), (3, false)] {
            let values = params(f, tame, seed);
            let before = eval::call(&module, f, ROWS, &values).expect("before");
            let after = eval::call(&done.module, new, ROWS, &values).expect("after");
            for (o, (b, a)) in before.iter().zip(&after).enumerate() {
                for (i, j) in (0..ROWS).flat_map(|i| (0..b.width).map(move |j| (i, j))) {
                    let (x, y) = (b.get(i, j), a.get(i, j));
                    let near = match (&x, &y) {
                        (Scalar::F64(p), Scalar::F64(q)) if o == 0 && p.is_finite() => {
                            (p - q).abs() <= 1e-9 * terms(&module, f, &values, i, j) + 1e-12
                        }
                        // Sums that overflow may do so on the way or not at all.
                        (Scalar::F64(p), Scalar::F64(_)) if !p.is_finite() && values.iter().any(|v| large(v, i)) => {
                            true
                        }
                        _ => same(&x, &y),
                    };
                    assert!(near, "{} row {i} column {j}: {x:?} became {y:?}\n{}", f.name, *done.module);
                }
            }
        }
    }
}

fn large(v: &Frame, row: usize) -> bool {
    (0..v.width).any(|j| matches!(v.get(row, j), Scalar::F64(x) if x.abs() >= 1e300 && x.is_finite()))
}

fn tables(name: &[Arc<str>]) -> Option<Table> {
    let mut numbers = Numbers(11);
    let null = |d| FrameType::new(d, 1).nullable();
    let mut keys = |rows: usize| {
        Frame::from_fn(rows, null(DType::I64), |_, _| match numbers.below(7) {
            0 => Scalar::Null,
            k => Scalar::I64(k as i64 - 3),
        })
    };
    let mut more = Numbers(12);
    match &*name.join(".") {
        "t" => {
            let columns = vec![
                keys(90),
                hard(null(DType::F64), 90, false, &mut more),
                hard(null(DType::Str), 90, false, &mut more),
            ];
            Some(Table::new(vec!["k".into(), "x".into(), "s".into()], columns))
        }
        "u" => {
            let names = Frame::from_fn(20, null(DType::Str), |i, _| match i % 5 {
                0 => Scalar::Null,
                i => Scalar::Str(["one", "two", "three", "four"][i - 1].into()),
            });
            Some(Table::new(vec!["k".into(), "n".into()], vec![keys(20), names]))
        }
        _ => None,
    }
}

/// Rows as text, sorted: a query without `sort` at its root promises no order.
fn rows(t: &Table) -> Vec<String> {
    let row = |i: usize| t.frames.iter().map(|f| format!("{:?}", f.get(i, 0))).collect::<Vec<_>>().join(" | ");
    let mut rows: Vec<String> = (0..t.rows).map(row).collect();
    rows.sort();
    rows
}

#[test]
fn queries_give_the_same_rows() {
    let module = module();
    for q in &module.queries {
        let expected = rows(&eval::query(&module, q, &tables).expect("before"));
        for placement in [Placement::Sql, Placement::Native] {
            let options = Options { placement, ..Options::default() };
            let done = optimize(&module, &Target::Query(q.name.to_string()), &options, &Estimate)
                .unwrap_or_else(|e| panic!("{}: {e:?}", q.name));
            let new = done.module.queries.iter().find(|n| n.name == q.name).expect("still there");
            let found = rows(&eval::query(&done.module, new, &tables).expect("after"));
            assert_eq!(found, expected, "{}\n{}", q.name, *done.module);
        }
    }
}

#[test]
fn every_rule_fires_in_its_case() {
    let module = module();
    let mut silent = Vec::new();
    let mut never: BTreeSet<&str> = rules::all().map(|r| r.name).collect();
    let functions = module.functions.iter().map(|f| Target::Function(f.name.to_string()));
    let queries = module.queries.iter().map(|q| Target::Query(q.name.to_string()));
    for target in functions.chain(queries) {
        let done = optimize(&module, &target, &Options::default(), &Estimate).expect("optimised");
        let fired = fired(&done);
        let rule = rule_of(target.name());
        // Calls are inlined before the other rules run.
        if !fired.contains(&rule) && rule != "model" && rule != "inline" {
            silent.push(target.name().to_owned());
        }
        fired.iter().for_each(|r| _ = never.remove(r));
    }
    never.remove("inline");
    assert_eq!(silent, Vec::<String>::new(), "cases in which their rule did not fire");
    assert_eq!(never, BTreeSet::new(), "rules without a case");
}

#[test]
fn the_same_input_gives_the_same_output() {
    let module = module();
    for q in &module.queries {
        let run = || {
            let done = optimize(&module, &Target::Query(q.name.to_string()), &Options::default(), &Estimate)
                .expect("optimised");
            format!("{}\n{}", *done.module, done.report)
        };
        assert_eq!(run(), run(), "{}", q.name);
    }
}
