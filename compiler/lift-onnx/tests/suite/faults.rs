//! What cannot be lifted is refused by name, with its place; damaged and hostile files end in a diagnostic.

use std::io::Write;

use flock_ir_spec::{Diagnostic, Faults};
use flock_lift_onnx::{Options, lift, sniff};
use onnx_protobuf::{
    AttributeProto, FunctionProto, GraphProto, Message, ModelProto, NodeProto, OperatorSetIdProto,
    StringStringEntryProto, TensorProto, TensorShapeProto, TypeProto, ValueInfoProto, attribute_proto::AttributeType,
    tensor_proto::DataLocation, tensor_shape_proto, type_proto,
};

use crate::common;

const ML: &str = "ai.onnx.ml";

fn tensor_info(name: &str, data_type: i32, dims: &[i64]) -> ValueInfoProto {
    let mut shape = TensorShapeProto::new();
    for d in dims {
        let mut dim = tensor_shape_proto::Dimension::new();
        if *d != 0 {
            dim.set_dim_value(*d);
        }
        shape.dim.push(dim);
    }
    let tensor = type_proto::Tensor { elem_type: data_type, shape: Some(shape).into(), ..Default::default() };
    let mut ty = TypeProto::new();
    ty.set_tensor_type(tensor);
    ValueInfoProto { name: name.into(), type_: Some(ty).into(), ..Default::default() }
}

fn node(op: &str, domain: &str, inputs: &[&str], outputs: &[&str], attributes: Vec<AttributeProto>) -> NodeProto {
    NodeProto {
        op_type: op.into(),
        domain: domain.into(),
        name: format!("the {op}"),
        input: inputs.iter().map(|s| (*s).into()).collect(),
        output: outputs.iter().map(|s| (*s).into()).collect(),
        attribute: attributes,
        ..Default::default()
    }
}

fn attribute(name: &str, ty: AttributeType) -> AttributeProto {
    AttributeProto { name: name.into(), type_: ty.into(), ..Default::default() }
}

fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto { ints: values.to_vec(), ..attribute(name, AttributeType::INTS) }
}

fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { i: value, ..attribute(name, AttributeType::INT) }
}

fn floats(name: &str, values: &[f32]) -> AttributeProto {
    AttributeProto { floats: values.to_vec(), ..attribute(name, AttributeType::FLOATS) }
}

fn texts(name: &str, values: &[&str]) -> AttributeProto {
    AttributeProto {
        strings: values.iter().map(|s| s.as_bytes().to_vec()).collect(),
        ..attribute(name, AttributeType::STRINGS)
    }
}

/// A model of `x` `[rows, 2]` in float, with these nodes and one output `y`.
fn model(nodes: Vec<NodeProto>) -> ModelProto {
    let graph = GraphProto {
        node: nodes,
        input: vec![tensor_info("x", 1, &[0, 2])],
        output: vec![tensor_info("y", 1, &[0])],
        ..Default::default()
    };
    let opset = |domain: &str, version| OperatorSetIdProto { domain: domain.into(), version, ..Default::default() };
    ModelProto {
        ir_version: 8,
        opset_import: vec![opset("", 21), opset(ML, 3)],
        graph: Some(graph).into(),
        ..Default::default()
    }
}

fn bytes(model: &ModelProto) -> Vec<u8> {
    model.write_to_bytes().expect("bytes")
}

fn faults(model: &ModelProto) -> Faults {
    match lift("m", &bytes(model), &Options::default()) {
        Ok(_) => panic!("it lifts"),
        Err(faults) => {
            assert!(!faults.is_empty() && faults.iter().all(|f| !f.place.is_empty() && !f.message.is_empty()));
            faults
        }
    }
}

/// The only fault; its code and that its place and message hold the texts.
#[track_caller]
fn one(model: &ModelProto, code: &str, texts: &[&str]) -> Diagnostic {
    let mut faults = faults(model);
    assert_eq!(faults.len(), 1, "{faults:?}");
    let fault = faults.remove(0);
    assert_eq!(fault.code, code, "{fault}");
    texts.iter().for_each(|t| assert!(fault.to_string().contains(t), "`{t}` in `{fault}`"));
    fault
}

fn lifts(model: &ModelProto) -> Vec<String> {
    let module = lift("m", &bytes(model), &Options::default()).unwrap_or_else(|f| panic!("{f:?}"));
    module.functions[0].outputs.iter().map(|o| o.name.to_string()).collect()
}

#[test]
fn three_faults_are_three() {
    let m = model(vec![
        node("Frobnicate", "", &["x"], &["a"], vec![]),
        node("Scaler", ML, &["x"], &["b"], vec![floats("offset", &[0.0]), floats("scale", &[1.0]), int("clip", 1)]),
        node("Concat", "", &["a", "b", "nowhere"], &["c"], vec![int("axis", 1)]),
        node("ReduceSum", "", &["x", "c"], &["y"], vec![]),
    ]);
    let found = faults(&m);
    let codes: Vec<&str> = found.iter().map(|f| f.code).collect();
    assert_eq!(codes, ["flock::lift::missing_tensor", "flock::lift::unknown_op", "flock::lift::unread_attribute"]);
    assert_eq!(found[0].place, "graph.node[2] \"the Concat\" (Concat)");
    assert_eq!(found[1].place, "graph.node[0] \"the Frobnicate\" (Frobnicate)");
    assert!(found[1].message.contains("opset 21"), "{}", found[1]);
    assert!(found[2].message.contains("`clip`"), "{}", found[2]);
}

#[test]
fn names_and_circles() {
    let twice = model(vec![node("Relu", "", &["x"], &["y"], vec![]), node("Abs", "", &["x"], &["y"], vec![])]);
    one(&twice, "flock::lift::duplicate_name", &["graph.node[1]", "`y`"]);
    let circle = model(vec![
        node("Add", "", &["x", "b"], &["a"], vec![]),
        node("Relu", "", &["a"], &["b"], vec![]),
        node("Relu", "", &["b"], &["y"], vec![]),
    ]);
    one(&circle, "flock::lift::cycle", &["depends on itself"]);
    one(&model(vec![]), "flock::lift::missing_tensor", &["graph.output", "`y`"]);
    // Order is the reader's business, and what no output needs is not asked for anything.
    let shuffled = model(vec![
        node("Relu", "", &["a"], &["y"], vec![]),
        node("Abs", "", &["x"], &["a"], vec![]),
        node("Loop", "", &["x"], &["unused"], vec![]),
    ]);
    assert_eq!(lifts(&shuffled), ["y_0", "y_1"]);
}

#[test]
fn versions_are_closed() {
    let mut m = model(vec![node("Relu", "", &["x"], &["y"], vec![])]);
    m.opset_import[0].version = 99;
    one(&m, "flock::lift::version", &["opset_import[0]", "opset 99"]);
    m.opset_import[0].version = 21;
    m.ir_version = 99;
    one(&m, "flock::lift::version", &["ir_version", "99"]);
    m.ir_version = 8;
    m.opset_import.remove(0);
    one(&m, "flock::lift::version", &["graph.node[0]", "no imported opset"]);
    let mut early = model(vec![node("LessOrEqual", "", &["x", "x"], &["y"], vec![])]);
    early.opset_import[0].version = 11;
    one(&early, "flock::lift::version", &["LessOrEqual", "version 12"]);
}

#[test]
fn rows_are_not_mixed() {
    let mut axes =
        TensorProto { name: "axes".into(), data_type: 7, dims: vec![1], int64_data: vec![0], ..Default::default() };
    for (op, inputs, attributes) in [
        ("ReduceSum", &["x", "axes"][..], vec![]),
        ("ReduceSum", &["x"], vec![]),
        ("Concat", &["x", "x"], vec![int("axis", 0)]),
        ("ArgMax", &["x"], vec![]),
        ("Softmax", &["x"], vec![int("axis", 0)]),
        ("Gather", &["x", "axes"], vec![]),
        ("Split", &["x"], vec![]),
        ("MatMul", &["x", "x"], vec![]),
        ("Squeeze", &["x", "axes"], vec![]),
        ("Flatten", &["x"], vec![int("axis", 0)]),
        ("Gemm", &["x", "axes"], vec![int("transA", 1)]),
    ] {
        let mut m = model(vec![node(op, "", inputs, &["y"], attributes)]);
        m.graph.as_mut().expect("a graph").initializer.push(axes.clone());
        if op == "Gemm" {
            let g = m.graph.as_mut().expect("a graph");
            g.initializer[0] = TensorProto { data_type: 1, float_data: vec![1.0], int64_data: vec![], ..axes.clone() };
        }
        one(&m, "flock::lift::not_row_local", &[op]);
    }
    axes.int64_data = vec![-1];
    let mut m = model(vec![node("Reshape", "", &["x", "axes"], &["y"], vec![])]);
    m.graph.as_mut().expect("a graph").initializer.push(axes);
    one(&m, "flock::lift::not_row_local", &["[rows, 2]"]);
    // x and its transpose would pair every row with every other.
    let outer =
        model(vec![node("Transpose", "", &["x"], &["t"], vec![]), node("Add", "", &["x", "t"], &["y"], vec![])]);
    one(&outer, "flock::lift::not_row_local", &["Add"]);
}

fn tree(treeids: &[i64], yes: &[i64], no: &[i64], modes: &[&str]) -> ModelProto {
    let n = treeids.len() as i64;
    let leaves: Vec<i64> = (0..n).filter(|i| modes[*i as usize] == "LEAF").collect();
    let attributes = vec![
        ints("nodes_treeids", treeids),
        ints("nodes_nodeids", &(0..n).collect::<Vec<_>>()),
        ints("nodes_featureids", &vec![0; n as usize]),
        texts("nodes_modes", modes),
        floats("nodes_values", &vec![0.5; n as usize]),
        ints("nodes_truenodeids", yes),
        ints("nodes_falsenodeids", no),
        ints("target_treeids", &leaves.iter().map(|i| treeids[*i as usize]).collect::<Vec<_>>()),
        ints("target_nodeids", &leaves),
        ints("target_ids", &vec![0; leaves.len()]),
        floats("target_weights", &vec![1.0; leaves.len()]),
        int("n_targets", 1),
    ];
    model(vec![node("TreeEnsembleRegressor", ML, &["x"], &["y"], attributes)])
}

#[test]
fn trees_are_trees() {
    const B: &str = "BRANCH_LEQ";
    assert_eq!(lifts(&tree(&[0, 0, 0], &[1, 0, 0], &[2, 0, 0], &[B, "LEAF", "LEAF"])), ["y"]);
    for (m, text) in [
        (tree(&[0, 0, 0], &[0, 0, 0], &[2, 0, 0], &[B, "LEAF", "LEAF"]), "reached twice"),
        (tree(&[0, 0, 0], &[1, 0, 0], &[1, 0, 0], &[B, "LEAF", "LEAF"]), "reached twice"),
        (tree(&[0, 0, 0], &[1, 0, 0], &[7, 0, 0], &[B, "LEAF", "LEAF"]), "node 7, which is none"),
        (tree(&[0, 0, 0], &[1, 0, 0], &[2, 0, 0], &["BRANCH_MAYBE", "LEAF", "LEAF"]), "BRANCH_MAYBE"),
        (tree(&[0, 1, 0], &[1, 0, 0], &[2, 0, 0], &[B, "LEAF", "LEAF"]), "not in one run"),
        (tree(&[0, 0, 0], &[1, 0], &[2, 0, 0], &[B, "LEAF", "LEAF"]), "lists of 3"),
        (tree(&[], &[], &[], &[]), "0 weights"),
    ] {
        one(&m, "flock::lift::attribute", &[text]);
    }
    // A tree of a hundred thousand levels is walked, not recursed into.
    let n = 100_000i64;
    let yes: Vec<i64> = (0..2 * n + 1).map(|i| if i < n { i + 1 } else { 0 }).collect();
    let no: Vec<i64> = (0..2 * n + 1).map(|i| if i < n { n + 1 + i } else { 0 }).collect();
    let modes: Vec<&str> = (0..2 * n + 1).map(|i| if i < n { B } else { "LEAF" }).collect();
    assert_eq!(lifts(&tree(&vec![0; 2 * n as usize + 1], &yes, &no, &modes)), ["y"]);
}

#[test]
fn attributes_are_of_their_form() {
    let scaler = |attributes| model(vec![node("Scaler", ML, &["x"], &["y"], attributes)]);
    one(&scaler(vec![floats("offset", &[0.0]), ints("scale", &[1])]), "flock::lift::attribute", &["`scale`", "floats"]);
    one(
        &scaler(vec![floats("offset", &[0.0]), floats("offset", &[0.0]), floats("scale", &[1.0])]),
        "flock::lift::attribute",
        &["`offset`", "twice"],
    );
    one(
        &scaler(vec![floats("offset", &[0.0; 3]), floats("scale", &[1.0; 3])]),
        "flock::lift::attribute",
        &["2 features"],
    );
    one(&model(vec![node("Scaler", ML, &[], &["y"], vec![])]), "flock::lift::arity", &["0 inputs"]);
    let cast = |to| model(vec![node("Cast", "", &["x"], &["y"], vec![int("to", to)])]);
    one(&cast(14), "flock::lift::unsupported", &["complex64"]);
    assert!(!lifts(&cast(8)).is_empty(), "text is what it can become");
    one(&cast(i64::MIN), "flock::lift::unsupported", &["-9223372036854775808"]);
}

fn with_initializer(tensor: TensorProto) -> ModelProto {
    let mut m = model(vec![node("Add", "", &["x", "w"], &["y"], vec![])]);
    m.graph.as_mut().expect("a graph").initializer.push(tensor);
    m
}

#[test]
fn tensors_hold_what_they_announce() {
    let w = |dims: &[i64], data_type: i32| TensorProto {
        name: "w".into(),
        dims: dims.to_vec(),
        data_type,
        ..Default::default()
    };
    for (tensor, text) in [
        (w(&[1 << 40], 1), "1099511627776"),
        (w(&[1 << 40, 1 << 40], 1), "extents"),
        (w(&[-1], 1), "extent of -1"),
        (w(&[2], 1), "0 elements where the extents say 2"),
        (w(&[2], 14), "complex64"),
        (w(&[2], 77), "type 77"),
        (TensorProto { raw_data: vec![0; 7], ..w(&[2], 1) }, "7 bytes for 2 elements"),
        (TensorProto { string_data: vec![vec![0xff], vec![]], ..w(&[2], 8) }, "UTF-8"),
    ] {
        one(&with_initializer(tensor), "flock::lift::tensor", &["graph.initializer[0] \"w\"", text]);
    }
    assert_eq!(lifts(&with_initializer(TensorProto { float_data: vec![1.0, 2.0], ..w(&[2], 1) })).len(), 2);
}

#[test]
fn small_files_do_not_ask_for_much() {
    // Forty doublings of a constant, and of a row.
    for (first, code) in [("w", "flock::lift::"), ("x", "flock::lift::too_large")] {
        let mut nodes = Vec::new();
        for i in 0..40 {
            let from = if i == 0 { first.to_owned() } else { format!("d{}", i - 1) };
            nodes.push(node("Concat", "", &[&from, &from], &[&format!("d{i}")], vec![int("axis", 1)]));
        }
        nodes.push(node("Relu", "", &["d39"], &["y"], vec![]));
        let mut m = model(nodes);
        let w = TensorProto {
            name: "w".into(),
            dims: vec![1, 2],
            data_type: 1,
            float_data: vec![1.0; 2],
            ..Default::default()
        };
        m.graph.as_mut().expect("a graph").initializer.push(w);
        let found = faults(&m);
        assert!(found.len() == 1 && found[0].code.starts_with(code), "{found:?}");
    }
    let extents = TensorProto {
        name: "e".into(),
        dims: vec![2],
        data_type: 7,
        int64_data: vec![1 << 30; 2],
        ..Default::default()
    };
    let mut m =
        model(vec![node("ConstantOfShape", "", &["e"], &["c"], vec![]), node("Add", "", &["x", "c"], &["y"], vec![])]);
    m.graph.as_mut().expect("a graph").initializer.push(extents);
    one(&m, "flock::lift::too_large", &["ConstantOfShape"]);
}

fn function(name: &str, inputs: &[&str], outputs: &[&str], nodes: Vec<NodeProto>) -> FunctionProto {
    FunctionProto {
        name: name.into(),
        domain: "own".into(),
        input: inputs.iter().map(|s| (*s).into()).collect(),
        output: outputs.iter().map(|s| (*s).into()).collect(),
        node: nodes,
        opset_import: vec![
            OperatorSetIdProto { version: 21, ..Default::default() },
            OperatorSetIdProto { domain: "own".into(), version: 1, ..Default::default() },
        ],
        ..Default::default()
    }
}

fn with_functions(nodes: Vec<NodeProto>, functions: Vec<FunctionProto>) -> ModelProto {
    let mut m = model(nodes);
    m.opset_import.push(OperatorSetIdProto { domain: "own".into(), version: 1, ..Default::default() });
    m.functions = functions;
    m
}

#[test]
fn functions_see_their_own_names() {
    let call = |op: &str, attributes| vec![node(op, "own", &["x"], &["y"], attributes)];
    let twice = function("Twice", &["a"], &["b"], vec![node("Add", "", &["a", "a"], &["b"], vec![])]);
    let m = with_functions(call("Twice", vec![]), vec![twice.clone()]);
    assert_eq!(lifts(&m), ["y_0", "y_1"]);
    // Names of the graph around it are not its own.
    let outer = function("Outer", &["a"], &["b"], vec![node("Add", "", &["a", "x"], &["b"], vec![])]);
    one(&with_functions(call("Outer", vec![]), vec![outer]), "flock::lift::missing_tensor", &["`x`", "(Outer)"]);
    let asked = with_functions(call("Twice", vec![int("times", 2)]), vec![twice.clone()]);
    one(&asked, "flock::lift::function", &["`times`"]);
    let mut newer = twice.clone();
    newer.opset_import[0].version = 999;
    one(&with_functions(call("Twice", vec![]), vec![newer]), "flock::lift::version", &["999", "Twice"]);
    one(&with_functions(call("Twice", vec![]), vec![twice.clone(), twice]), "flock::lift::duplicate_name", &["Twice"]);
}

/// A function that calls itself, functions that call each other twice, and loops without an end: all stop.
#[test]
fn graphs_that_unfold_are_bounded() {
    let call = |from: &str, to: &str, out: &str| node(to, "own", &[from], &[out], vec![]);
    let itself = function("F0", &["a"], &["b"], vec![call("a", "F0", "b")]);
    one(&with_functions(vec![call("x", "F0", "y")], vec![itself]), "flock::lift::too_large", &["F0"]);
    let last = function("F14", &["a"], &["b"], vec![node("Abs", "", &["a"], &["b"], vec![])]);
    let many = |i: usize| {
        let next = format!("F{}", i + 1);
        let names: Vec<String> = (0..9).map(|j| if j == 0 { "a".into() } else { format!("t{j}") }).collect();
        let mut nodes: Vec<NodeProto> = names.windows(2).map(|w| call(&w[0], &next, &w[1])).collect();
        nodes.push(call("t8", &next, "b"));
        function(&format!("F{i}"), &["a"], &["b"], nodes)
    };
    let functions = (0..14).map(many).chain([last]).collect();
    let found = faults(&with_functions(vec![call("x", "F0", "y")], functions));
    assert!(found.iter().any(|f| f.message.contains("more memory than it is worth")), "{found:?}");
    let info = |name: &str, data_type: i32| tensor_info(name, data_type, &[]);
    let body = GraphProto {
        node: vec![
            node("Identity", "", &["c"], &["on"], vec![]),
            node("Abs", "", &["s"], &["t"], vec![]),
            node("Neg", "", &["t"], &["u"], vec![]),
        ],
        input: vec![info("i", 7), info("c", 9), info("s", 1)],
        output: vec![info("on", 9), info("u", 1)],
        ..Default::default()
    };
    let turning = AttributeProto { g: Some(body).into(), ..attribute("body", AttributeType::GRAPH) };
    let endless = model(vec![node("Loop", "", &["", "", "x"], &["y"], vec![turning])]);
    let found = faults(&endless);
    assert!(found.len() == 1 && found[0].code == "flock::lift::too_large", "{found:?}");
}

#[test]
fn a_million_nodes_take_linear_time() {
    let n = 300_000;
    let mut nodes: Vec<NodeProto> = (0..n)
        .map(|i| NodeProto {
            op_type: "Identity".into(),
            input: vec![if i == 0 { "x".into() } else { format!("t{i}") }],
            output: vec![if i == n - 1 { "y".into() } else { format!("t{}", i + 1) }],
            ..Default::default()
        })
        .collect();
    assert_eq!(lifts(&model(nodes.clone())), ["y_0", "y_1"]);
    nodes.iter_mut().for_each(|n| n.op_type = "Unheard".into());
    let found = faults(&model(nodes));
    assert_eq!(found.len(), 101);
    assert!(found[100].message.contains("further faults"), "{}", found[100]);
}

fn external(location: &str, more: &[(&str, &str)]) -> ModelProto {
    let entry =
        |key: &str, value: &str| StringStringEntryProto { key: key.into(), value: value.into(), ..Default::default() };
    let mut entries = vec![entry("location", location)];
    entries.extend(more.iter().map(|(k, v)| entry(k, v)));
    with_initializer(TensorProto {
        name: "w".into(),
        dims: vec![2],
        data_type: 1,
        data_location: DataLocation::EXTERNAL.into(),
        external_data: entries,
        ..Default::default()
    })
}

#[test]
fn external_data_stays_in_its_folder() {
    let folder = std::env::temp_dir().join(format!("flock-lift-onnx-{}", std::process::id()));
    let inside = folder.join("model");
    std::fs::create_dir_all(&inside).expect("a folder");
    let data: Vec<u8> = [9.0f32, 1.0, 2.0].iter().flat_map(|x| x.to_le_bytes()).collect();
    for path in [inside.join("weights.bin"), folder.join("secret.bin")] {
        std::fs::File::create(path).and_then(|mut f| f.write_all(&data)).expect("a file");
    }
    #[cfg(unix)]
    std::os::unix::fs::symlink(folder.join("secret.bin"), inside.join("link.bin")).expect("a link");
    let options = Options { columns: None, folder: Some(inside.clone()), ..Options::default() };
    let result = |location: &str, more: &[(&str, &str)]| lift("m", &bytes(&external(location, more)), &options);
    assert!(result("weights.bin", &[("offset", "4"), ("length", "8")]).is_ok());
    let secret = folder.join("secret.bin").display().to_string();
    for (location, more, text) in [
        ("../secret.bin", &[("offset", "4")][..], "leaves"),
        ("./../secret.bin", &[("offset", "4")], "leaves"),
        (secret.as_str(), &[("offset", "4")], "leaves"),
        ("link.bin", &[("offset", "4")], "leaves"),
        ("weights.bin", &[("offset", "8")], "8 bytes"),
        ("weights.bin", &[("offset", "99999999999999999999")], "offset"),
        ("weights.bin", &[("offset", "4"), ("length", "4")], "8 bytes"),
        ("nothing.bin", &[], "nothing.bin"),
        (".", &[], "no file"),
        ("", &[], "leaves"),
        ("weights.bin", &[("basepath", "/")], "basepath"),
    ] {
        let faults = result(location, more).expect_err(location);
        assert_eq!((faults.len(), faults[0].code), (1, "flock::lift::tensor"), "{faults:?}");
        assert!(faults[0].message.contains(text), "`{text}` in {}", faults[0]);
    }
    one(&external("weights.bin", &[]), "flock::lift::tensor", &["no folder is given"]);
    std::fs::remove_dir_all(folder).expect("the folder goes");
}

#[test]
fn inputs_and_outputs_name_columns() {
    let scaler = || node("Scaler", ML, &["x"], &["y"], vec![floats("offset", &[0.0]), floats("scale", &[1.0])]);
    let m = model(vec![scaler()]);
    let named = |columns: &[&str]| {
        let columns = Some(columns.iter().map(|c| (*c).to_owned()).collect());
        lift("m", &bytes(&m), &Options { columns, folder: None, ..Options::default() })
    };
    let module = named(&["a", "b"]).expect("it lifts");
    let params: Vec<&str> = module.functions[0].params.iter().map(|p| &*p.name).collect();
    assert_eq!(params, ["a", "b"]);
    assert_eq!(named(&["a"]).expect_err("one name")[0].code, "flock::lift::columns");
    assert_eq!(named(&["a", "a"]).expect_err("one name twice")[0].code, "flock::lift::columns");
    let mut open = model(vec![scaler()]);
    open.graph.as_mut().expect("a graph").input[0] = tensor_info("x", 1, &[0, 0]);
    one(&open, "flock::lift::input", &["number of columns"]);
    let columns = Some(vec!["a".to_owned(), "b".into(), "c".into()]);
    let module = lift("m", &bytes(&open), &Options { columns, folder: None, ..Options::default() }).expect("it lifts");
    assert_eq!(module.functions[0].params.len(), 3);
    let mut odd = model(vec![scaler()]);
    odd.graph.as_mut().expect("a graph").input[0] = tensor_info("x", 14, &[0, 2]);
    one(&odd, "flock::lift::input", &["complex64"]);
    odd.graph.as_mut().expect("a graph").input[0] = tensor_info("x", 1, &[]);
    one(&odd, "flock::lift::not_row_local", &["scalar"]);
    let mut constant = model(vec![node("Constant", "", &[], &["y"], vec![floats("value_floats", &[1.0])])]);
    one(&constant, "flock::lift::output", &["no value per row"]);
    let graph = constant.graph.as_mut().expect("a graph");
    graph.node[0] = scaler();
    graph.output.push(tensor_info("y", 1, &[0]));
    assert_eq!(faults(&constant).len(), 2);
}

#[test]
fn damage_has_a_place() {
    let whole = std::fs::read(common::root().join("testsuite/cases/boosting/models/binary.onnx")).expect("a model");
    let faults = lift("m", &whole[..whole.len() / 2], &Options::default()).expect_err("half a file");
    assert_eq!((faults.len(), faults[0].code), (1, "flock::lift::damaged"));
    assert!(faults[0].place.contains("at byte"), "{}", faults[0]);
    // Two hundred graphs within graphs.
    let mut graph = GraphProto::new();
    for _ in 0..200 {
        let body = AttributeProto { g: Some(graph).into(), ..attribute("body", AttributeType::GRAPH) };
        graph = GraphProto { node: vec![node("If", "", &[], &[], vec![body])], ..Default::default() };
    }
    let mut m = model(vec![]);
    m.graph = Some(graph).into();
    one(&m, "flock::lift::damaged", &["nested deeper"]);
    // Ten million empty nodes in twenty megabytes.
    let mut bytes = vec![0x08, 0x08, 0x3a];
    let nodes: Vec<u8> = [0x0au8, 0x00].repeat(10_000_000);
    let mut len = nodes.len();
    while len >= 0x80 {
        bytes.push((len as u8 & 0x7f) | 0x80);
        len >>= 7;
    }
    bytes.push(len as u8);
    bytes.extend(nodes);
    let faults = lift("m", &bytes, &Options::default()).expect_err("a bomb");
    assert_eq!(faults[0].code, "flock::lift::too_large");
}

#[test]
fn a_model_is_recognised() {
    for path in common::files(&common::root().join("testsuite"), "onnx") {
        let bytes = std::fs::read(&path).expect("a model");
        assert!(sniff(&bytes), "{}", path.display());
        assert!(sniff(&bytes[..bytes.len() - 7]), "{} cut short", path.display());
    }
    for path in common::files(&common::root().join("testsuite"), "joblib") {
        assert!(!sniff(&std::fs::read(&path).expect("a model")), "{}", path.display());
    }
    for other in [
        &b""[..],
        b"flock 1\n",
        b"PAR1",
        b"\x80\x04\x95",
        b"tree\nversion=v4",
        b"{\"learner\":",
        b"PK\x03\x04",
        &[0x08],
        &[8, 8],
    ] {
        assert!(!sniff(other), "{other:?}");
    }
}

/// Files with bytes changed, gone, doubled or moved: each ends in a module or in diagnostics.
#[test]
fn altered_files_end_in_an_answer() {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = move |n: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % n.max(1) as u64) as usize
    };
    let models = common::files(&common::root().join("testsuite/cases"), "onnx");
    let mut lifted = 0;
    for path in &models {
        let whole = std::fs::read(path).expect("a model");
        for _ in 0..150 {
            let mut bytes = whole.clone();
            for _ in 0..1 + random(4) {
                let (at, len) = (random(bytes.len()), 1 + random(12));
                let end = (at + len).min(bytes.len());
                match random(5) {
                    0 => bytes[at] = random(256) as u8,
                    1 => bytes[at] ^= 1 << random(8),
                    2 => drop(bytes.drain(at..end)),
                    3 => bytes.truncate(at.max(1)),
                    _ => {
                        let piece = bytes[at..end].to_vec();
                        let to = random(bytes.len());
                        bytes.splice(to..to, piece);
                    }
                }
                if bytes.is_empty() {
                    bytes.push(8);
                }
            }
            match lift("m", &bytes, &Options::default()) {
                Ok(_) => lifted += 1,
                Err(faults) => assert!(!faults.is_empty() && faults.iter().all(|f| f.code.starts_with("flock::"))),
            }
        }
    }
    assert!(lifted > 100, "{lifted} of the altered files are whole");
}
