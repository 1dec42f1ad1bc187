//! One broken module per check of the verifier: each is refused with the code and the place that the check has.

use flock_ir_spec::*;

fn parsed(text: &str) -> Module {
    text::parse(&format!("flock 1\n{text}")).unwrap_or_else(|faults| panic!("{text}\n{faults:#?}"))
}

/// The faults of a module as `place code`.
fn faults(module: &Module) -> Vec<String> {
    let faults = verify::check(module).err().unwrap_or_default();
    faults.iter().map(|f| format!("{} {}", f.place, f.code.trim_start_matches("flock::verify::"))).collect()
}

fn refused(text: &str, expected: &[&str]) {
    assert_eq!(faults(&parsed(text)), expected, "{text}\n{:#?}", verify::check(&parsed(text)));
}

const F: &str = "fn f(a: f64, b: f64?) {\n  %0 = neg a\n  return (x = %0, y = b)\n}\n";
const SCANS: &str = "  r0 = scan t (a@1: i64, b@2: str?, c@3: f64)\n  r1 = scan u (a@4: i64, d@5: bool)\n";

fn query(lines: &str) -> String {
    format!("{F}query q {{\n{SCANS}{lines}\n}}\n")
}

#[test]
fn what_is_sound_is_accepted() {
    refused(F, &[]);
    refused(&query("  r2 = filter r1 @5\n  return r2"), &[]);
    refused("", &[]);
}

#[test]
fn functions() {
    refused(&format!("{F}{F}"), &["module name"]);
    refused("fn f(a: f64, a: f64) {\n  return (x = a)\n}", &["f name"]);
    refused("fn f(a: f64) {\n  return (x = a, x = a)\n}", &["f name"]);
    refused("fn f(a: f64) {\n  return ()\n}", &["f output"]);
    refused("fn f(a: f64[0]) {\n  return (x = a)\n}", &["f type"]);
    refused("const #cb5ebe39 = table f64[2] [1, 2; 3, 4]\nfn f() {\n  return (x = #cb5ebe39)\n}", &["f output"]);
    let mut outside = parsed(F);
    outside.functions[0].outputs[0].node = NodeId(99);
    assert_eq!(faults(&outside), ["f output"]);
}

#[test]
fn nodes() {
    let mut retyped = parsed(F);
    retyped.functions[0].params[0].ty = FrameType::new(DType::F32, 1);
    assert_eq!(faults(&retyped), ["f/parameter 0 type"]);
    let mut fewer = parsed(F);
    fewer.functions[0].params.pop();
    assert_eq!(faults(&fewer), ["f/parameter 1 type"]);
    let mut without = parsed("fn f(a: f64) {\n  %0 = add a f64[1]\n  return (x = %0)\n}");
    without.constants = Pool::default();
    let found = faults(&without);
    assert!(found.len() == 1 && found[0].starts_with("f/#") && found[0].ends_with(" type"), "{found:?}");
    // Nodes come through `Graph::add` only, which refuses what a record does; a graph that is put into another owner
    // is the way in which one can still be wrong.
    let mut column = parsed(&query("  return r0"));
    let mut graph = Graph::default();
    let ty = Type::Frame(FrameType::new(DType::I64, 1));
    let node = graph.add_leaf(Op::Column, Attr::Column(ColumnId(1)), ty);
    column.functions[0].graph = graph;
    column.functions[0].outputs = vec![Output { name: "x".into(), node }];
    assert_eq!(faults(&column), ["f/@1 leaf"]);
    let mut graph = Graph::default();
    graph.add_leaf(Op::Input, Attr::Param(0), ty);
    column = parsed(&query("  return r0"));
    column.queries[0].graph = graph;
    assert_eq!(faults(&column), ["q/parameter 0 leaf"]);
}

#[test]
fn graphs_refuse_what_records_do() {
    let mut graph = Graph::default();
    let a = graph.add_leaf(Op::Input, Attr::Param(0), Type::Frame(FrameType::new(DType::F64, 2)));
    assert!(graph.add(Op::Add, Attr::None, &[a]).is_err(), "operands");
    assert!(graph.add(Op::Add, Attr::None, &[a, NodeId(7)]).is_err(), "an operand that does not come before");
    assert!(graph.add(Op::Neg, Attr::Word(Word::L1), &[a]).is_err(), "attribute");
    assert!(graph.add(Op::Not, Attr::None, &[a]).is_err(), "dtype");
    let wide = Attr::Type(FrameType::new(DType::F64, types::MAX_WIDTH + 1).nullable());
    assert!(graph.add(Op::Null, wide, &[]).is_err(), "width");
}

#[test]
fn tables_that_operators_trust() {
    refused("fn f(a: f64[2]) {\n  %0 = take a i64[0, 2]\n  return (x = %0)\n}", &["f/%0 table"]);
    refused("fn f(a: f64[2]) {\n  %0 = take a i64[-1]\n  return (x = %0)\n}", &["f/%0 table"]);
    refused("fn f(a: f64) {\n  %0 = bucketize[left] a f64[1, 0]\n  return (x = %0)\n}", &["f/%0 table"]);
    refused("fn f(a: f64) {\n  %0 = bucketize[left] a f64[1, nan]\n  return (x = %0)\n}", &["f/%0 table"]);
}

#[test]
fn constants() {
    let id = |module: &Module| module.constants.iter().next().map(|(id, _)| id).expect("there is one");
    let with = |constant: Constant| {
        let mut module = Module::default();
        let own = constant.id();
        module.constants.share(own, constant.into());
        module
    };
    let fault = |module: &Module, code: &str| assert_eq!(faults(module), [format!("#{} {code}", id(module))]);
    let table = |rows, width, n, valid| Constant::Table(Frame { rows, width, data: Data::F64(vec![1.0; n]), valid });
    fault(&with(table(2, 2, 3, None)), "constant");
    fault(&with(table(1, 2, 2, Some(vec![true, false]))), "constant");
    fault(&with(table(3, 0, 0, None)), "constant");
    assert!(faults(&with(table(2, 2, 4, Some(vec![true; 4])))).is_empty());
    let mut other = Module::default();
    other.constants.share(Constant::Table(Frame::row_f64([1.0])).id(), Constant::Table(Frame::row_f64([2.0])).into());
    fault(&other, "hash");
}

#[test]
fn ensembles() {
    let sound = || TreeEnsemble {
        features: 2,
        outputs: 2,
        input: DType::F32,
        sum: DType::F32,
        base: vec![0.0, 0.0],
        trees: vec![Tree { root: Child::node(0), target: None }, Tree { root: Child::leaf(2), target: Some(1) }],
        nodes: vec![
            TreeNode {
                feature: 0,
                test: Test::Le,
                missing_left: false,
                threshold: 0.1,
                left: Child::node(1),
                right: Child::leaf(0),
            },
            TreeNode {
                feature: 1,
                test: Test::Le,
                missing_left: false,
                threshold: 0.1,
                left: Child::leaf(1),
                right: Child::leaf(0),
            },
        ],
        leaves: vec![0, 2, 4],
        values: vec![1.0, 2.0, 3.0, 4.0, 5.0],
        sets: CategorySets::default(),
    };
    assert_eq!(sound().check(), Ok(()));
    type Break = fn(&mut TreeEnsemble);
    let broken: [(&str, Break); 12] = [
        ("a dtype that is no float", |t| t.input = DType::I64),
        ("base values", |t| t.base.push(0.0)),
        ("a value that is no f32", |t| t.values[0] = 0.1),
        ("a root that does not exist", |t| t.trees[0].root = Child::node(2)),
        ("a leaf that does not exist", |t| t.trees[1].root = Child::leaf(3)),
        ("an output that does not exist", |t| t.trees[1].target = Some(2)),
        ("a feature that does not exist", |t| t.nodes[0].feature = 2),
        ("a threshold of NaN", |t| t.nodes[0].threshold = f64::NAN),
        ("a circle", |t| t.nodes[1].left = Child::node(1)),
        ("a child that does not exist", |t| t.nodes[1].left = Child::leaf(9)),
        ("a node with two parents", |t| t.nodes[0].right = Child::node(1)),
        ("a leaf without values", |t| t.values.truncate(4)),
    ];
    for (what, break_it) in broken {
        let mut t = sound();
        break_it(&mut t);
        assert!(t.check().is_err(), "{what} is accepted");
        // Whatever is broken, storing it does no harm, and the verifier sees it.
        let mut module = Module::default();
        module.constants.insert(t.into());
        assert!(faults(&module)[0].ends_with(" constant"), "{what}");
        assert!(!module.to_string().is_empty());
    }
    // The values of leaves may lie anywhere; what is stored is the same.
    let (mut module, mut other) = (Module::default(), Module::default());
    let mut shuffled = sound();
    shuffled.values = vec![9.0, 5.0, 3.0, 4.0, 1.0, 2.0];
    shuffled.leaves = vec![4, 2, 1];
    assert_eq!(module.constants.insert(sound().into()), other.constants.insert(shuffled.into()));
    assert_eq!(module, other);
}

#[test]
fn calls() {
    let caller = |line: &str| format!("{F}fn g(a: f64?) {{\n  {line}\n  return (x = %0)\n}}\n");
    refused(&caller("%0: f64? = call[f.y] f64[1] a"), &[]);
    refused(&caller("%0: f64 = call[h.y] f64[1] a"), &["g/%0 call"]);
    refused(&caller("%0: f64 = call[f.z] f64[1] a"), &["g/%0 call"]);
    refused(&caller("%0: f64 = call[f.y] f64[1] a"), &["g/%0 call"]);
    refused(&caller("%0: f64? = call[f.y] f64[1]"), &["g/%0 call"]);
    refused(&caller("%0: f64? = call[f.y] a a"), &["g/%0 call"]);
    refused(&caller("%0: f64? = call[g.x] a"), &["g/%0 call"]);
    let later = format!("fn g(a: f64) {{\n  %0: f64? = call[f.y] a a\n  return (x = %0)\n}}\n{F}");
    refused(&later, &["g/%0 call"]);
    refused("fn f(a: f64) {\n  %0: f64 = opaque[\"{0}\"] a\n  return (x = %0)\n}", &["f/%0 leaf"]);
}

#[test]
fn calls_do_not_pile_up() {
    let mut text = "fn f0(a: f64) {\n  %0 = neg a\n  return (x = %0)\n}\n".to_owned();
    for i in 1..70 {
        let below = i - 1;
        text += &format!(
            "fn f{i}(a: f64) {{\n  %0 = call[f{below}.x] a\n  %1 = call[f{below}.x] %0\n  return (x = %1)\n}}\n"
        );
    }
    let found = faults(&parsed(&text));
    assert!(found.contains(&"f30 too_large".to_owned()) && found.contains(&"f69 too_large".to_owned()), "{found:?}");
    assert!(!found.contains(&"f10 too_large".to_owned()));
}

#[test]
fn queries() {
    let q = |lines: &str, expected: &[&str]| refused(&query(lines), expected);
    refused(
        "query q {\n  r0 = scan t (a@1: i64)\n  return r0\n}\nquery q {\n  r0 = scan t (a@2: i64)\n  return r0\n}",
        &["module name"],
    );
    refused(
        "query q {\n  r0 = scan t (a@1: i64)\n  return r0\n}\nquery p {\n  r0 = scan t (a@1: i64)\n  return r0\n}",
        &["p/r0 column"],
    );
    q("  r2 = scan v (a@1: i64)\n  return r0", &["q/r2 column"]);
    q("  r2 = scan v (a@9: i64[2])\n  return r0", &["q/r2 column"]);
    q("  r2 = filter r0 @5\n  return r2", &["q/r2 scope"]);
    q("  r2 = filter r1 @4\n  return r2", &["q/r2 relation"]);
    q("  r2 = project r0 (x@9: f64 = @1)\n  return r2", &["q/r2 relation"]);
    q("  r2 = project r0 (x@9: str = @2)\n  return r2", &["q/r2 relation"]);
    q("  r2 = project r0 (x@9: i64? = @1)\n  r3 = filter r2 @5\n  return r3", &["q/r3 scope"]);
    q("  r2 = join[inner] r0 r0 bool[true]\n  return r2", &["q/r2 column"]);
    q("  r2 = join[inner] r0 r1\n  return r2", &["q/r2 relation"]);
    q("  r2 = join[cross] r0 r1 @5\n  return r2", &["q/r2 relation"]);
    q("  r2 = join[inner] r0 r1 @4\n  return r2", &["q/r2 relation"]);
    q("  r2 = join[semi] r0 r1 @5\n  r3 = filter r2 @5\n  return r3", &["q/r3 scope"]);
    // Above a left join the right side's columns may be null, in its condition they may not.
    q("  r2 = join[left] r0 r1 @5\n  r3 = filter r2 @5?\n  return r3", &[]);
    q("  r2 = join[left] r0 r1 @5\n  r3 = filter r2 @5\n  return r3", &["q/r3 scope"]);
    q("  r2 = union r0 r1 (x@9: i64, y@10: str?, z@11: f64)\n  return r2", &["q/r2 relation"]);
    q("  r2 = union r0 r0 (x@9: i64, y@10: str, z@11: f64)\n  return r2", &["q/r2 relation", "q/r2 relation"]);
    q("  r2 = aggregate r0 by () give (x@9: f64 = sum @3)\n  return r2", &["q/r2 relation"]);
    q("  r2 = aggregate r0 by (k@9: i64 = @1) give (x@10: f64 = sum @3)\n  return r2", &[]);
    q("  r2 = aggregate r0 by () give (x@9: f64? = avg @2)\n  return r2", &["q/r2 relation"]);
    q("  r2 = aggregate r0 by () give (x@9: f64? = sum)\n  return r2", &["q/r2 relation"]);
    q("  r2 = aggregate r0 by () give (x@9: i64 = count distinct)\n  return r2", &["q/r2 relation"]);
    q("  r2 = sort r0 (f64[1, 2] asc nulls last)\n  return r2", &["q/r2 relation"]);
    q("  r2 = opaque[\"{1}\"] r0 (x@9: i64)\n  return r2", &["q/r2 relation"]);
    q("  r2 = opaque[\"{{0}} {0}\"] r0 (x@9: i64)\n  return r2", &[]);
    q("  %0: i64 = opaque[\"now({\"]\n  r2 = project r0 (x@9: i64 = %0)\n  return r2", &["q/%0 leaf"]);
    q("  %0: i64 = opaque[\"now()\"]\n  r2 = project r0 (x@9: i64 = %0)\n  return r2", &[]);
    let mut later = parsed(&query("  r2 = filter r1 @5\n  return r2"));
    later.queries[0].rels.swap(1, 2);
    assert_eq!(faults(&later), ["q/r1 relation"]);
    let mut absent = parsed(&query("  return r0"));
    absent.queries[0].root = RelId(9);
    assert_eq!(faults(&absent), ["q relation"]);
}

#[test]
fn all_faults_are_reported_at_once() {
    refused(
        "fn f(a: f64[3]) {\n  %0 = take a i64[3]\n  %1 = take a i64[4]\n  return (x = %0, x = %1)\n}\nfn f(a: f64) {\n  return ()\n}",
        &["module name", "f name", "f/%0 table", "f/%1 table", "f output"],
    );
    let mut many = "fn f(a: f64) {\n".to_owned();
    (0..2000).for_each(|i| many += &format!("  %{i} = take a i64[{}]\n", i + 1));
    let found = faults(&parsed(&(many + "  return (x = a)\n}")));
    assert_eq!((found.len(), found[1000].as_str()), (1001, "module too_many"));
}

/// A chain of relations as long as this would overflow a stack, and repeat work, if columns were found by recursion.
#[test]
fn long_chains_are_bounded() {
    let mut text = "query q {\n  r0 = scan t (a@1: bool)\n".to_owned();
    (1..100_000).for_each(|i| text += &format!("  r{i} = filter r{} @1\n", i - 1));
    let module = parsed(&(text + "  return r99999\n}"));
    assert_eq!(faults(&module), Vec::<String>::new());
    assert_eq!(module.queries[0].columns(RelId(99_999)).len(), 1);
}
