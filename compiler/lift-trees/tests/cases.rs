//! Every gradient boosting file of the repository's cases, lifted and evaluated by the reference, against its library.

use std::path::{Path, PathBuf};

use flock_ir_spec::{DType, Frame, FrameType, Scalar, eval};
use flock_lift_trees::{Options, lift};

#[path = "../../../testsuite/src/case.rs"]
#[allow(dead_code)]
mod case;
#[path = "../../../testsuite/src/compare.rs"]
#[allow(dead_code)]
mod compare;

use case::{Case, Table};

/// The cases of the repository in order, or those of another folder that are made by the thousand and not kept.
fn cases() -> Vec<Case> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testsuite/cases");
    let mut folders = vec![std::env::var_os("FLOCK_CASES").map_or(own, PathBuf::from)];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "flk") {
                found.push(path);
            }
        }
    }
    found.sort();
    found.iter().map(|path| Case::read(path).expect("a case")).collect()
}

/// A column of the data as the parameter wants it: integers and truth values may stand for floats.
fn parameter(data: &Table, name: &str, ty: FrameType) -> Result<Frame, String> {
    let c = data.column(name).ok_or_else(|| format!("no column `{name}` in the data"))?;
    let cell = |row: usize| match (&data.rows[row][c], ty.dtype) {
        (Scalar::I64(x), DType::F64) => Scalar::F64(*x as f64),
        (Scalar::Bool(x), DType::F64) => Scalar::F64(f64::from(u8::from(*x))),
        (x, _) => x.clone(),
    };
    let dtype = data.columns[c].1;
    if dtype != ty.dtype && (ty.dtype != DType::F64 || dtype == DType::Str) {
        return Err(format!("column `{name}` is {dtype}, the parameter {ty}"));
    }
    Ok(Frame::from_fn(data.rows.len(), ty, |r, _| cell(r)))
}

/// Where a model differs from what its library answered.
fn differences(case: &Case, model: &Path, expected: &Table) -> Result<Vec<String>, String> {
    let data = Table::parse(case.section("data").ok_or("no data")?)?;
    let bytes = std::fs::read(model).map_err(|e| e.to_string())?;
    let faults = |f: flock_ir_spec::Faults| f.iter().map(|d| format!("{} {d}", d.code)).collect::<Vec<_>>().join("\n");
    let options = Options { types: data.columns.iter().cloned().collect(), ..Options::default() };
    let module = lift("model", &bytes, &options).map_err(faults)?;
    let function = &module.functions[0];
    let params = function.params.iter().map(|p| parameter(&data, &p.name, p.ty)).collect::<Result<Vec<_>, _>>()?;
    let found = eval::call(&module, function, data.rows.len(), &params).map_err(|d| d.to_string())?;
    let names: Vec<&str> = function.outputs.iter().map(|o| &*o.name).collect();
    let wanted: Vec<&str> = expected.columns.iter().map(|(n, _)| n.as_str()).collect();
    if names != wanted {
        return Err(format!("columns {names:?}, expected {wanted:?}"));
    }
    let mut differences = Vec::new();
    for (r, row) in expected.rows.iter().enumerate() {
        for (c, want) in row.iter().enumerate() {
            let default = if expected.columns[c].1 == DType::F32 { 1e-5 } else { 1e-9 };
            let tolerance = case.option("tolerance").and_then(|t| t.parse().ok()).unwrap_or(default);
            if let Some(why) = compare::difference(&found[c].get(r, 0), want, tolerance) {
                differences.push(format!("row {r} {:?}: {}: {why}", data.rows[r], names[c]));
            }
        }
    }
    Ok(differences)
}

/// What a model gives in the place of a refusal in those words.
fn unrefused(model: &Path, words: &str) -> Option<String> {
    let bytes = std::fs::read(model).expect("the model");
    let told = match lift("model", &bytes, &Options::default()) {
        Ok(_) => "a module".into(),
        Err(faults) => faults.iter().map(|f| f.message.clone()).collect::<Vec<_>>().join("\n"),
    };
    (!told.contains(words)).then(|| format!("{told}, expected {words}"))
}

#[test]
fn files_answer_as_their_libraries_do() {
    let only = std::env::var("FLOCK_CASE").unwrap_or_default();
    let mut compared = 0;
    let mut failures = Vec::new();
    for case in cases().iter().filter(|c| c.path.to_string_lossy().contains(&only)) {
        let models: Vec<(String, PathBuf)> = case.models();
        for (suffix, model) in models.iter().filter(|(s, _)| !s.starts_with("sklearn") && s != "onnx") {
            if let Some(words) = case.section("refused") {
                failures
                    .extend(unrefused(model, words).map(|told| format!("{} {suffix}: {told}", case.path.display())));
                continue;
            }
            let run = case.run(suffix).unwrap_or_else(|| panic!("{}: no answers", case.path.display()));
            let expected = Table::parse(run).expect("a table");
            compared += 1;
            match differences(case, model, &expected) {
                Ok(d) if d.is_empty() => {}
                Ok(d) => failures.push(format!(
                    "{} {suffix}: {} differences\n    {}",
                    case.path.display(),
                    d.len(),
                    d[..d.len().min(4)].join("\n    ")
                )),
                Err(e) => failures.push(format!("{} {suffix}: {e}", case.path.display())),
            }
        }
    }
    assert!(failures.is_empty(), "{} of {compared} models:\n{}", failures.len(), failures.join("\n"));
    assert!(compared > 0, "no case was found");
}
