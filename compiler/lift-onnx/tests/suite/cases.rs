//! Every graph of the repository's cases, twins and those that are built by hand, against the answers of onnxruntime.

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
fn the_graphs_of_the_cases_answer_as_onnxruntime_does() {
    let cases = files(&root().join("testsuite/cases"), "flk").into_iter().filter_map(|path| {
        let case = Case::read(&path).expect("a case");
        case.section("run:onnx")?;
        let model = path.parent()?.join("models").join(path.file_name()?).with_extension("onnx");
        Some((case, model))
    });
    check(cases.collect(), 60);
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
        let module = common::lifted(&bytes, None, None).unwrap_or_else(|e| panic!("{name}: {e}"));
        let function = &module.functions[0];
        let found: Vec<&str> = function.outputs.iter().map(|o| &*o.name).collect();
        assert_eq!(found, outputs, "{name}");
        let params: Vec<&str> = function.params.iter().map(|p| &*p.name).collect();
        assert_eq!(params[..2], ["dep_delay", "distance"], "{name}");
        assert_eq!(params.len(), 10, "{name}");
    }
}

/// A null number is NaN; a null text or integer fits no tensor, and its row is refused in every column.
#[test]
fn nulls_at_the_border() {
    let graph = root().join("testsuite/cases/onnx/models/encoders.onnx");
    let module = common::lifted(&std::fs::read(graph).expect("a model"), None, None).expect("it lifts");
    let data = common::Table::parse("s:str,i:i64,x:f64\na,1,NULL\nNULL,1,1.0\na,NULL,1.0\na,1,1.0").expect("a table");
    let columns = common::score(&module, &data).expect("scores");
    let nulls = |row: usize| columns.iter().filter(|(_, c)| c.is_null_flat(row)).count();
    assert_eq!([nulls(0), nulls(1), nulls(2), nulls(3)], [0, columns.len(), columns.len(), 0]);
    let hot = columns.iter().find(|(name, _)| name == "hot_x_1").expect("a column");
    assert_eq!([hot.1.get(0, 0), hot.1.get(3, 0)], [flock_ir_spec::Scalar::F32(0.0), flock_ir_spec::Scalar::F32(1.0)]);
}
