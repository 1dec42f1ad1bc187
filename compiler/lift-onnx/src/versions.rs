//! The versions of the format and of the operator sets that are known.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use flock_ir_spec::Diagnostic;
use onnx_protobuf::{ModelProto, OperatorSetIdProto};

use crate::report::Report;

/// The domain of the operators for classical models.
pub const ML: &str = "ai.onnx.ml";
/// The domain of all others, `ai.onnx`, which files write as nothing.
pub const MAIN: &str = "";

/// The domain of operators that are not decided yet.
pub const PREVIEW: &str = "ai.onnx.preview";

/// Versions of `ai.onnx` and `ai.onnx.ml` whose operators the lifters were compared with: those of onnx 1.23. Below 9 an
/// operator is read where its definition was the one of 9 already.
const MAIN_OPSETS: std::ops::RangeInclusive<i64> = 1..=28;
const ML_OPSETS: std::ops::RangeInclusive<i64> = 1..=5;
/// Versions of the file format, of the same onnx.
const FORMATS: std::ops::RangeInclusive<i64> = 3..=14;

/// The domain as it is written here.
pub fn domain(name: &str) -> &str {
    if name == "ai.onnx" { MAIN } else { name }
}

/// A domain as it is shown.
pub fn shown(domain: &str) -> &str {
    if domain.is_empty() { "ai.onnx" } else { domain }
}

fn fault(faults: &mut Report, place: String, message: String) {
    let help = "convert the model to a version that is known, or update flockc";
    faults.push(Diagnostic::new("flock::lift::version", place, message).help(help));
}

/// Refuses a version of the file format that is not known.
pub fn format(model: &ModelProto, faults: &mut Report) {
    if !FORMATS.contains(&model.ir_version) {
        let (from, to) = (FORMATS.start(), FORMATS.end());
        let message = format!("version {} of the file format; {from} to {to} are known", model.ir_version);
        fault(faults, "ir_version".into(), message);
    }
}

/// The version of each operator set that a model, or a function of it at that place, imports.
pub fn opsets(imports: &[OperatorSetIdProto], place: &str, faults: &mut Report) -> HashMap<String, i64> {
    let dot = if place.is_empty() { "" } else { "." };
    let mut opsets = HashMap::new();
    for (i, import) in imports.iter().enumerate() {
        let (name, place) = (domain(&import.domain), format!("{place}{dot}opset_import[{i}]"));
        let known = match name {
            MAIN => Some(MAIN_OPSETS),
            ML => Some(ML_OPSETS),
            PREVIEW => Some(1..=1),
            _ => None,
        };
        if let Some(known) = known.filter(|k| !k.contains(&import.version)) {
            let (from, to) = (known.start(), known.end());
            let message = format!("opset {} of `{}`; {from} to {to} are known", import.version, shown(name));
            fault(faults, place.clone(), message);
        }
        if opsets.insert(name.to_owned(), import.version).is_some_and(|v| v != import.version) {
            fault(faults, place, format!("`{}` is imported in two versions", shown(name)));
        }
    }
    opsets
}

/// The newest operator sets: what operators are written out in.
pub fn newest() -> Arc<HashMap<String, i64>> {
    static NEWEST: LazyLock<Arc<HashMap<String, i64>>> =
        LazyLock::new(|| Arc::new([(MAIN.to_owned(), *MAIN_OPSETS.end()), (ML.to_owned(), *ML_OPSETS.end())].into()));
    NEWEST.clone()
}
