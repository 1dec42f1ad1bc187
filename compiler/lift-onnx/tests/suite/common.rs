//! Lifts an ONNX file, evaluates it by the reference on a case's rows, and says where it differs from onnxruntime.

use std::path::{Path, PathBuf};

use flock_ir_spec::{DType, Frame, FrameType, Module, Param, Scalar, eval};
use flock_lift_onnx::{Options, lift};

#[path = "../../../../testsuite/src/case.rs"]
#[allow(dead_code)]
mod case;

pub use case::{Case, Table};

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every file below a folder with that ending, in order.
pub fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut folders = vec![folder.to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// A model that lifts, with its tensor data in that folder.
pub fn lifted(bytes: &[u8], columns: Option<Vec<String>>, folder: Option<&Path>) -> Result<Module, String> {
    lift("model", bytes, &Options { columns, folder: folder.map(Path::to_owned), ..Options::default() })
        .map_err(|faults| faults.iter().map(|f| format!("{} {f}", f.code)).collect::<Vec<_>>().join("\n"))
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

/// The outputs of a model on the rows: names, and a frame each.
pub fn score(module: &Module, data: &Table) -> Result<Vec<(String, Frame)>, String> {
    let function = module.functions.first().ok_or("no function")?;
    let params = function.params.iter().map(|p| parameter(data, &p.name, p.ty)).collect::<Result<Vec<_>, _>>()?;
    let frames = eval::call(module, function, data.rows.len(), &params).map_err(|d| d.to_string())?;
    Ok(function.outputs.iter().map(|o| o.name.to_string()).zip(frames).collect())
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
    match (found, expected) {
        (Scalar::F32(_) | Scalar::F64(_), _) => match (number(found), number(expected)) {
            (Some(a), Some(b)) => a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance * b.abs().max(1.0),
            _ => false,
        },
        _ => found == expected,
    }
}

/// Whether a row has a null integer where the model reads a float: it is NaN to us, and the oracle does not ask.
fn null_integer_as_float(params: &[Param], data: &Table, row: usize) -> bool {
    params.iter().any(|p| match data.column(&p.name) {
        Some(c) => p.ty.dtype == DType::F64 && data.columns[c].1 != DType::F64 && data.rows[row][c] == Scalar::Null,
        None => false,
    })
}

/// Where a model differs from the section `run:onnx` of its case.
pub fn differences(case: &Case, model: &Path) -> Vec<String> {
    let table = |name: &str| Table::parse(case.section(name).expect("a section")).expect("a table");
    let (data, expected) = (table("data"), table("run:onnx"));
    let bytes = std::fs::read(model).expect("a model");
    let named = case.section("onnx").unwrap_or("").contains("names: named");
    let module = by_own_names(&bytes, &data, named, model.parent());
    let (module_params, found) = match module.and_then(|m| Ok((m.functions[0].params.clone(), score(&m, &data)?))) {
        Ok(found) => found,
        Err(e) => return vec![e],
    };
    let names: Vec<&str> = found.iter().map(|(n, _)| n.as_str()).collect();
    let wanted: Vec<&str> = expected.columns.iter().map(|(n, _)| n.as_str()).collect();
    if names != wanted {
        return vec![format!("columns {names:?}, expected {wanted:?}")];
    }
    let mut differences = Vec::new();
    for (r, row) in expected.rows.iter().enumerate().filter(|(r, _)| !null_integer_as_float(&module_params, &data, *r))
    {
        for (c, want) in row.iter().enumerate() {
            let tolerance = if expected.columns[c].1 == DType::F64 { 1e-9 } else { 1e-5 };
            let got = found[c].1.get(r, 0);
            if !equal(&got, want, tolerance) {
                differences.push(format!("row {r}, {}: {got:?}, expected {want:?}", names[c]));
            }
        }
    }
    differences
}

/// The model bound to the data's columns: by its own names where the data has them, else in the order of the data.
fn by_own_names(bytes: &[u8], data: &Table, named: bool, folder: Option<&Path>) -> Result<Module, String> {
    let module = lifted(bytes, None, folder)?;
    let has = |m: &Module| m.functions[0].params.iter().all(|p| data.column(&p.name).is_some());
    if named || has(&module) {
        return Ok(module);
    }
    lifted(bytes, Some(data.columns.iter().map(|(n, _)| n.clone()).collect()), folder)
}
