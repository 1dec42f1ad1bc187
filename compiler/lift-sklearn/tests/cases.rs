//! Every model of the cases, lifted and evaluated by the reference, against what its scikit-learn answered.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flock_ir_spec::{DType, Frame, FrameType, Scalar, eval};
use flock_lift_sklearn::{Options, lift};

struct Table {
    columns: Vec<(String, DType)>,
    rows: Vec<Vec<Scalar>>,
}

fn cells(line: &str) -> Vec<(String, bool)> {
    let mut cells = Vec::new();
    let mut rest = line;
    loop {
        let mut text = String::new();
        let quoted = rest.starts_with('"');
        if quoted {
            rest = &rest[1..];
            loop {
                let end = rest.find('"').expect("a closing quote");
                text += &rest[..end];
                rest = &rest[end + 1..];
                let Some(more) = rest.strip_prefix('"') else { break };
                text.push('"');
                rest = more;
            }
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            text += &rest[..end];
            rest = &rest[end..];
        }
        cells.push((text, quoted));
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None => return cells,
        }
    }
}

fn scalar(text: &str, quoted: bool, dtype: DType) -> Scalar {
    if !quoted && (text.is_empty() || text == "NULL") {
        return Scalar::Null;
    }
    match dtype {
        DType::F64 => Scalar::F64(text.parse().expect("a float")),
        DType::F32 => Scalar::F32(text.parse().expect("a float")),
        DType::I64 => Scalar::I64(text.parse().expect("an int")),
        DType::Bool => Scalar::Bool(text == "true"),
        DType::Str => Scalar::Str(Arc::from(text)),
    }
}

fn table(section: &str) -> Table {
    let mut lines = section.lines();
    let header = cells(lines.next().expect("a header"));
    let column = |(text, _): (String, bool)| {
        let (name, dtype) = text.rsplit_once(':').expect("name:type");
        (name.to_string(), DType::parse(dtype).expect("a dtype"))
    };
    let columns: Vec<(String, DType)> = header.into_iter().map(column).collect();
    let row = |line: &str| {
        let cells = cells(line);
        assert_eq!(cells.len(), columns.len(), "{line}");
        cells.iter().zip(&columns).map(|((text, quoted), (_, dtype))| scalar(text, *quoted, *dtype)).collect()
    };
    let rows = lines.map(row).collect();
    Table { rows, columns }
}

fn sections(text: &str) -> BTreeMap<String, String> {
    let mut sections = BTreeMap::new();
    let mut name = String::from("prose");
    let mut body = String::new();
    for line in text.lines().chain(["=== end"]) {
        if let Some(next) = line.strip_prefix("=== ") {
            sections.insert(name, body.trim_end_matches('\n').to_string());
            (name, body) = (next.trim().into(), String::new());
        } else {
            body += line;
            body.push('\n');
        }
    }
    sections
}

fn number(x: &Scalar) -> Option<f64> {
    match x {
        Scalar::I64(x) => Some(*x as f64),
        Scalar::F32(x) => Some(f64::from(*x)),
        Scalar::F64(x) => Some(*x),
        _ => None,
    }
}

fn equal(found: &Scalar, expected: &Scalar, tolerance: f64) -> bool {
    match (number(found), number(expected)) {
        (Some(a), Some(b)) if b.is_nan() => a.is_nan(),
        (Some(a), Some(b)) => a == b || (a - b).abs() <= tolerance * b.abs().max(1.0),
        (None, Some(b)) => *found == Scalar::Null && b.is_nan(),
        _ => found == expected,
    }
}

/// The column of the data as the parameter wants it.
fn parameter(data: &Table, name: &str, ty: FrameType) -> Result<Frame, String> {
    let c = data.columns.iter().position(|(n, _)| n == name).unwrap_or_else(|| panic!("no column `{name}` in data"));
    match (data.columns[c].1, ty.dtype) {
        (a, b) if a == b || (b == DType::F64 && a != DType::Str) => {}
        (a, _) => return Err(format!("column `{name}` is {a}, the parameter {ty}")),
    }
    Ok(Frame::from_fn(data.rows.len(), ty, |r, _| match (&data.rows[r][c], ty.dtype) {
        (Scalar::I64(x), DType::F64) => Scalar::F64(*x as f64),
        (Scalar::Bool(x), DType::F64) => Scalar::F64(f64::from(u8::from(*x))),
        (x, _) => x.clone(),
    }))
}

/// The scikit-learn versions of a case, the newest first.
fn versions(sections: &BTreeMap<String, String>) -> Vec<&'static str> {
    let options = sections.get("options").map_or("", |s| s);
    let listed = options.lines().find_map(|l| l.strip_prefix("versions:"));
    let listed = |v: &&str| listed.is_none_or(|l| l.split(',').any(|w| w.trim() == *v));
    ["1.9", "1.7", "1.5", "1.2"].into_iter().filter(listed).collect()
}

/// What that version answered; one without a section answers as the newest does.
fn expected<'a>(sections: &'a BTreeMap<String, String>, version: &str) -> Option<&'a String> {
    let newest = versions(sections)[0];
    let own = sections.get(&format!("run:sklearn-{version}"));
    own.or_else(|| sections.get(&format!("run:sklearn-{newest}")))
}

/// The differences of one model, as text.
fn differences(model: &Path, sections: &BTreeMap<String, String>, version: &str) -> Vec<String> {
    let options: BTreeMap<&str, &str> =
        sections.get("options").map_or("", |s| s).lines().filter_map(|l| l.split_once(": ")).collect();
    let columns = options.get("columns").map(|c| c.split(',').map(|c| c.trim().to_string()).collect());
    let tolerance: f64 = options.get("tolerance").map_or(1e-9, |t| t.parse().expect("a tolerance"));
    let bytes = std::fs::read(model).expect("the model");
    if let Some(words) = sections.get("refused") {
        let told = match lift("model", &bytes, &Options { columns, booster: Some(booster), ..Options::default() }) {
            Ok(_) => "a module".into(),
            Err(faults) => faults.iter().map(|f| f.message.clone()).collect::<Vec<_>>().join("\n"),
        };
        return if told.contains(words.as_str()) { Vec::new() } else { vec![format!("{told}, expected {words}")] };
    }
    let data = table(&sections["data"]);
    let types = data.columns.iter().cloned().collect();
    let define = options.get("define").map(|file| {
        let text = std::fs::read_to_string(model.with_file_name("..").join(file)).expect("a definition");
        std::sync::Arc::new(flock_ir_spec::text::parse(&text).expect("a module"))
    });
    let define = define.into_iter().collect();
    let module = match lift("model", &bytes, &Options { columns, types, define, booster: Some(booster) }) {
        Ok(module) => module,
        Err(faults) => return faults.iter().map(|f| format!("{} {f}", f.code)).collect(),
    };
    let function = &module.functions[0];
    let Some(expected) = expected(sections, version) else { return vec!["no numbers: `cargo xtask oracle`".into()] };
    let expected = table(expected);
    let params: Result<Vec<Frame>, String> = function.params.iter().map(|p| parameter(&data, &p.name, p.ty)).collect();
    let params = match params {
        Ok(params) => params,
        Err(fault) => return vec![fault],
    };
    let found = eval::call(&module, function, data.rows.len(), &params).expect("an evaluation");
    let names: Vec<&str> = function.outputs.iter().map(|o| &*o.name).collect();
    let wanted: Vec<&str> = expected.columns.iter().map(|(n, _)| n.as_str()).collect();
    if names != wanted {
        return vec![format!("columns {names:?}, expected {wanted:?}")];
    }
    let mut differences = Vec::new();
    for (r, row) in expected.rows.iter().enumerate() {
        for (k, want) in row.iter().enumerate() {
            let got = found[k].get(r, 0);
            if !equal(&got, want, tolerance) {
                differences.push(format!("row {r} {}: {got:?}, expected {want:?}; data {:?}", names[k], data.rows[r]));
            }
        }
    }
    differences
}

fn files(folder: &Path, out: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten().map(|e| e.path()) {
        if entry.is_dir() {
            files(&entry, out);
        } else if entry.extension().is_some_and(|e| e == "flk") {
            out.push(entry);
        }
    }
}

/// Models of LightGBM, XGBoost and CatBoost within a pipeline, read as flockc has them read.
fn booster(file: &flock_lift_sklearn::BoosterFile<'_>) -> Result<flock_lift_sklearn::Booster, flock_ir_spec::Faults> {
    let how = flock_lift_trees::Embedded { iterations: file.iterations, estimator: true };
    let flock_lift_trees::Embedding { module, features, labels, hashes_text } =
        flock_lift_trees::embedded(file.bytes, &how)?;
    Ok(flock_lift_sklearn::Booster { module, features, labels, hashes_text })
}

#[test]
fn lifted_models_answer_as_scikit_learn_does() {
    let mut cases = Vec::new();
    // Another folder of cases, for models that are made by the thousand and not kept.
    let folder = std::env::var_os("FLOCK_CASES").map(PathBuf::from);
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testsuite/cases");
    files(&folder.unwrap_or(own), &mut cases);
    cases.sort();
    let mut compared = 0;
    let mut failures = Vec::new();
    for case in &cases {
        let text = std::fs::read_to_string(case).expect("a case");
        let sections = sections(&text);
        if !sections.contains_key("sklearn") {
            continue;
        }
        for version in versions(&sections) {
            let stem = case.file_stem().and_then(|s| s.to_str()).expect("a name");
            let models = case.with_file_name("models");
            let file = |ending: &&str| models.join(format!("{stem}.sklearn-{version}.{ending}"));
            let Some(model) = ["joblib", "pkl", "skops"].iter().map(file).find(|f| f.exists()) else {
                failures.push(format!("{} {version}: no model", case.display()));
                continue;
            };
            compared += 1;
            let found = differences(&model, &sections, version);
            if !found.is_empty() {
                let shown = found.iter().take(4).cloned().collect::<Vec<_>>().join("\n    ");
                failures.push(format!("{} {version}: {} differences\n    {shown}", case.display(), found.len()));
            }
        }
    }
    assert!(failures.is_empty(), "{} of {compared} models:\n{}", failures.len(), failures.join("\n"));
    assert!(compared > 0, "no case was found");
}
