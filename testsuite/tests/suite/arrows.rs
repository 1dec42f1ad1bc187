//! The arrows of ARCHITECTURE.md are the arrows of the manifests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

type Edges = BTreeMap<String, BTreeSet<String>>;

fn drawn() -> Edges {
    let page = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let block = page.split("```arrows\n").nth(1).unwrap().split("```").next().unwrap();
    let edge = |line: &str| {
        let (from, to) = line.split_once("->").unwrap();
        (from.trim().to_owned(), to.split_whitespace().map(str::to_owned).collect())
    };
    block.lines().map(edge).collect()
}

fn declared() -> Edges {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let names: BTreeSet<&str> = packages.iter().map(|p| p["name"].as_str().unwrap()).collect();
    let ours = |p: &serde_json::Value| {
        let all = p["dependencies"].as_array().unwrap().iter();
        // Tests may look anywhere; the arrows are of what is built.
        let built = all.filter(|d| d["kind"].as_str() != Some("dev")).map(|d| d["name"].as_str().unwrap());
        built.filter(|d| names.contains(d)).map(str::to_owned).collect()
    };
    packages.iter().map(|p| (p["name"].as_str().unwrap().to_owned(), ours(p))).collect()
}

#[test]
fn arrows_are_drawn_and_real() {
    let (drawn, declared) = (drawn(), declared());
    let mut wrong = Vec::new();
    for name in drawn.keys().chain(declared.keys()).collect::<BTreeSet<_>>() {
        let empty = BTreeSet::new();
        let (d, r) = (drawn.get(name), declared.get(name));
        if d.is_none() || r.is_none() {
            wrong.push(format!("{name}: {}", if d.is_none() { "not drawn" } else { "no such package" }));
        }
        let (d, r) = (d.unwrap_or(&empty), r.unwrap_or(&empty));
        wrong.extend(r.difference(d).map(|to| format!("{name} -> {to} is declared and not drawn")));
        wrong.extend(d.difference(r).map(|to| format!("{name} -> {to} is drawn and not declared")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The only crates that may name a heavy dependency.
#[test]
fn heavy_dependencies_stay_at_the_edge() {
    let allowed = [
        ("egg", "compiler/optimize"),
        ("cranelift", "backends/cranelift"),
        ("inkwell", "backends/llvm"),
        ("datafusion", "runtime/engine"),
        ("sqlparser", "compiler/lift-sql"),
        ("onnx-protobuf", "compiler/lift-onnx"),
    ];
    let folders = [
        "ir-spec",
        "compiler/lift-sklearn",
        "compiler/lift-onnx",
        "compiler/lift-sql",
        "compiler/optimize",
        "compiler/flockc",
        "backends/api",
        "backends/sql",
        "backends/plan",
        "backends/cranelift",
        "backends/llvm",
        "runtime/core",
        "runtime/engine",
    ];
    for folder in folders {
        let manifest = std::fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
        for (name, home) in allowed {
            let named =
                manifest.lines().any(|l| l.starts_with(&format!("{name} ")) || l.starts_with(&format!("{name}.")));
            assert!(!named || folder == home, "{folder} names {name}, which belongs to {home}");
        }
    }
}
