//! The versions of the format and of the operator sets that are known.

use std::collections::HashMap;

use flock_ir_spec::Diagnostic;
use onnx_protobuf::ModelProto;

use crate::report::Report;

/// The domain of the operators for classical models.
pub const ML: &str = "ai.onnx.ml";
/// The domain of all others, `ai.onnx`, which files write as nothing.
pub const MAIN: &str = "";

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

/// The version of each operator set that a model imports.
pub fn opsets(model: &ModelProto, faults: &mut Report) -> HashMap<String, i64> {
    let mut fault = |place: String, message: String| {
        faults.push(
            Diagnostic::new("flock::lift::version", place, message)
                .help("convert the model to a version that is known, or update flockc"),
        );
    };
    if !FORMATS.contains(&model.ir_version) {
        let (from, to) = (FORMATS.start(), FORMATS.end());
        fault(
            "ir_version".into(),
            format!("version {} of the file format; {from} to {to} are known", model.ir_version),
        );
    }
    let mut opsets = HashMap::new();
    for (i, import) in model.opset_import.iter().enumerate() {
        let (name, place) = (domain(&import.domain), format!("opset_import[{i}]"));
        let known = match name {
            MAIN => Some(MAIN_OPSETS),
            ML => Some(ML_OPSETS),
            _ => None,
        };
        if let Some(known) = known.filter(|k| !k.contains(&import.version)) {
            let (from, to) = (known.start(), known.end());
            fault(place.clone(), format!("opset {} of `{}`; {from} to {to} are known", import.version, shown(name)));
        }
        if opsets.insert(name.to_owned(), import.version).is_some_and(|v| v != import.version) {
            fault(place, format!("`{}` is imported in two versions", shown(name)));
        }
    }
    opsets
}
