//! Every ONNX twin of the repository's cases, and the graphs of `tests/graphs`, against the answers of onnxruntime.

use crate::common::{self, Case, differences, files, root};

fn check(cases: Vec<(Case, std::path::PathBuf)>, least: usize) {
    let mut report = String::new();
    for (case, model) in &cases {
        let differences = differences(case, model);
        if !differences.is_empty() {
            report += &format!("{}: {} differences\n", model.display(), differences.len());
            differences.iter().take(8).for_each(|d| report += &format!("    {d}\n"));
        }
    }
    assert!(report.is_empty(), "{report}");
    assert!(cases.len() >= least, "{} cases", cases.len());
}

#[test]
fn the_twins_of_the_cases_answer_as_onnxruntime_does() {
    let cases = files(&root().join("testsuite/cases"), "flk").into_iter().filter_map(|path| {
        let case = Case::read(&path).expect("a case");
        case.section("run:onnx")?;
        let model = path.parent()?.join("models").join(path.file_name()?).with_extension("onnx");
        Some((case, model))
    });
    check(cases.collect(), 25);
}

#[test]
fn graphs_of_single_operators_answer_as_onnxruntime_does() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/graphs");
    let cases =
        files(&folder, "flk").into_iter().map(|path| (Case::read(&path).expect("a case"), path.with_extension("onnx")));
    check(cases.collect(), 10);
}

/// The models of the flights lift, and give the columns that their kind has.
#[test]
fn the_models_of_the_flights_lift() {
    for (name, outputs) in [
        ("late", &["prediction", "probability_0", "probability_1"][..]),
        ("late_forest", &["prediction", "probability_0", "probability_1"]),
        ("late_logistic", &["prediction", "probability_0", "probability_1"]),
        ("delay_linear", &["variable"]),
    ] {
        let bytes = std::fs::read(root().join(format!("testsuite/data/flights/{name}.onnx"))).expect("a model");
        let module = common::lifted(&bytes, None).unwrap_or_else(|e| panic!("{name}: {e}"));
        let function = &module.functions[0];
        let found: Vec<&str> = function.outputs.iter().map(|o| &*o.name).collect();
        assert_eq!(found, outputs, "{name}");
        let params: Vec<&str> = function.params.iter().map(|p| &*p.name).collect();
        assert_eq!(params[..2], ["dep_delay", "distance"], "{name}");
        assert_eq!(params.len(), 10, "{name}");
    }
}
