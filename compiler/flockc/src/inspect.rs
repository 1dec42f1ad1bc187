//! What a pipeline is.

use flock_api::Backend;
use flock_ir_spec::{Attr, Constant, Exactness, Function, Op};
use serde_json::{Value, json};

use crate::artefact::Pipeline;
use crate::codegen::Codegen;

/// The report as data.
pub fn json(pipeline: &Pipeline) -> Value {
    let f = pipeline.function();
    let inputs: Vec<Value> = f
        .params
        .iter()
        .map(|p| json!({ "name": &*p.name, "type": p.ty.dtype.name(), "nullable": p.ty.nullable }))
        .collect();
    let outputs: Vec<Value> = f
        .outputs
        .iter()
        .filter_map(|o| Some((o, f.output_type(o)?)))
        .map(|(o, t)| json!({ "name": &*o.name, "type": t.dtype.name() }))
        .collect();
    let ensembles: Vec<Value> = pipeline
        .module
        .constants
        .iter()
        .filter_map(|(id, c)| match c.as_ref() {
            Constant::Trees(t) => Some(json!({
                "hash": id.to_string(), "trees": t.trees.len(), "splits": t.nodes.len(), "leaves": t.leaves.len(),
                "depth": t.depths().into_iter().max().unwrap_or(0), "features": t.features, "outputs": t.outputs,
            })),
            Constant::Table(_) | Constant::Terms(_) => None,
        })
        .collect();
    json!({
        "name": pipeline.name,
        "kind": pipeline.kind.name(),
        "bytes": pipeline.bytes,
        "steps": steps(f),
        "inputs": inputs,
        "outputs": outputs,
        "nodes": f.graph.nodes().len(),
        "constants": pipeline.module.constants.len(),
        "ensembles": ensembles,
        "rounding": rounding(f),
        "refuses": refuses(f),
        "targets": targets(pipeline),
    })
}

/// The steps in the order in which they compute, with the operators of each.
fn steps(f: &Function) -> Vec<Value> {
    let mut steps: Vec<(&str, Vec<&str>)> = Vec::new();
    for (id, node) in f.graph.iter().filter(|(_, n)| !matches!(n.op, Op::Const | Op::Input)) {
        let path = f.graph.step_of(id).unwrap_or("(result)");
        match steps.iter_mut().find(|(p, _)| *p == path) {
            Some((_, ops)) if ops.contains(&node.op.name()) => {}
            Some((_, ops)) => ops.push(node.op.name()),
            None => steps.push((path, vec![node.op.name()])),
        }
    }
    steps.into_iter().map(|(step, ops)| json!({ "step": step, "operators": ops })).collect()
}

/// Steps that are equal only up to rounding and whose values a later comparison routes on: there a row can take
/// another way, when the value is nearer to the threshold than the step's error.
fn rounding(f: &Function) -> Vec<String> {
    let mut tainted: Vec<Option<String>> = Vec::with_capacity(f.graph.nodes().len());
    let mut found = Vec::new();
    for (id, node) in f.graph.iter() {
        let inherited = node.args.iter().find_map(|a| tainted[a.index()].clone());
        let routes = matches!(
            node.op,
            Op::Trees
                | Op::Leaves
                | Op::Eq
                | Op::Ne
                | Op::Lt
                | Op::Le
                | Op::Gt
                | Op::Ge
                | Op::Bucketize
                | Op::ArgMax
                | Op::Order
                | Op::Rem
                | Op::IndexOf
        );
        if let (true, Some(step)) = (routes, &inherited)
            && !found.contains(step)
        {
            found.push(step.clone());
        }
        let own =
            (node.op.record().exact == Exactness::Reals).then(|| f.graph.step_of(id).unwrap_or("(result)").to_owned());
        tainted.push(inherited.or(own));
    }
    found
}

/// Whether there are rows that the library refuses.
fn refuses(f: &Function) -> bool {
    f.outputs.iter().any(|o| f.graph.node(o.node).op == Op::Guard)
}

fn targets(pipeline: &Pipeline) -> Vec<Value> {
    let f = pipeline.function();
    let sql = flock_sql::dialects().iter().map(|d| {
        let backend = flock_sql::Sql::new(d);
        (format!("sql:{}", d.name), backend.unsupported(f), backend.cost(&pipeline.module, f))
    });
    let native = Codegen::here().filter_map(|c| {
        let backend = c.backend().ok()?;
        Some((c.engine().to_owned(), backend.unsupported(f), backend.cost(&pipeline.module, f)))
    });
    native
        .chain(sql)
        .map(|(name, unsupported, cost)| {
            let why: Vec<String> =
                unsupported.iter().map(|u| format!("{}: {}: {}", u.place, u.what, u.reason)).collect();
            json!({ "target": name, "supported": why.is_empty(), "why_not": why, "ns_per_row": cost.round() })
        })
        .collect()
}

/// The classes of scikit-learn and the operators of ONNX that can be lifted.
pub fn classes() -> Value {
    let mut classes: Vec<&str> = flock_lift_sklearn::estimators::all().map(|l| l.class).collect();
    classes.sort_unstable();
    let mut operators: Vec<String> = flock_lift_onnx::ops::all()
        .map(|l| if l.domain.is_empty() { l.op.to_owned() } else { format!("{}.{}", l.domain, l.op) })
        .collect();
    operators.sort_unstable();
    json!({ "scikit-learn": classes, "ONNX": operators })
}

/// The same, one a line.
pub fn classes_text(classes: &Value) -> String {
    let line = |name: &Value| name.as_str().map(|n| format!("  {n}\n"));
    let lines = |names: &Value| names.as_array().into_iter().flatten().filter_map(line).collect::<String>();
    let kind = |(kind, names): (&String, &Value)| format!("{kind}\n{}", lines(names));
    classes.as_object().into_iter().flatten().map(kind).collect()
}

/// The report as text.
pub fn text(pipeline: &Pipeline) -> String {
    use std::fmt::Write;
    let f = pipeline.function();
    let report = json(pipeline);
    let mut out = String::new();
    let list = |v: &Value| v.as_array().cloned().unwrap_or_default();
    let word = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    let join = |v: &Value| list(v).iter().map(word).collect::<Vec<_>>().join(", ");
    // Writing to a string does not fail.
    let _ = writeln!(
        out,
        "{} — {}, {} bytes, {} nodes",
        pipeline.name,
        pipeline.kind.name(),
        pipeline.bytes,
        f.graph.nodes().len()
    );
    let _ = writeln!(out, "\nsteps");
    for s in list(&report["steps"]) {
        let _ = writeln!(out, "  {:<36} {}", word(&s["step"]), join(&s["operators"]));
    }
    for (title, key) in [("inputs", "inputs"), ("outputs", "outputs")] {
        let _ = writeln!(out, "\n{title}");
        for c in list(&report[key]) {
            let _ = writeln!(out, "  {:<36} {}", word(&c["name"]), word(&c["type"]));
        }
    }
    for e in list(&report["ensembles"]) {
        let _ = writeln!(
            out,
            "\ntrees: {}, splits {}, leaves {}, greatest depth {}, features {}",
            e["trees"], e["splits"], e["leaves"], e["depth"], e["features"]
        );
    }
    let _ = match list(&report["rounding"]).as_slice() {
        [] => writeln!(out, "\nrouting is exact: no comparison depends on a step that rounds"),
        _ => writeln!(out, "\nrouting behind rounding steps: {}", join(&report["rounding"])),
    };
    if refuses(f) {
        let _ = writeln!(out, "rows that the library refuses get NULL in every output");
    }
    let _ = writeln!(out, "\ntargets");
    for t in list(&report["targets"]) {
        let what = match t["supported"].as_bool() {
            Some(true) => format!("yes, about {} ns a row", t["ns_per_row"]),
            _ => format!("no: {}", join(&t["why_not"])),
        };
        let _ = writeln!(out, "  {:<36} {what}", word(&t["target"]));
    }
    out
}

/// The content hash that names a pipeline in certificates: over its IR text.
pub fn hash(pipeline: &Pipeline) -> Vec<String> {
    let mut hashes: Vec<String> = pipeline
        .function()
        .graph
        .nodes()
        .iter()
        .filter_map(|n| match &n.attr {
            Attr::Const(c) => Some(c.to_string()),
            _ => None,
        })
        .collect();
    hashes.sort();
    hashes.dedup();
    hashes
}
