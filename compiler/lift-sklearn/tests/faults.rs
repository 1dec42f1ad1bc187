//! What a lift says when it stops.

mod pickles;

use flock_ir_spec::Diagnostic;
use flock_lift_sklearn::read::Writer;
use flock_lift_sklearn::{Options, describe, lift};
use pickles::{array, bool, f64s, file, int, list, none, object, pipeline, scaler, text};

fn faults(value: Vec<u8>) -> Vec<Diagnostic> {
    match lift("m", &file(value), &Options::default()) {
        Ok(_) => panic!("lifted"),
        Err(faults) => faults,
    }
}

fn codes(value: Vec<u8>) -> Vec<(&'static str, String)> {
    faults(value).into_iter().map(|d| (d.code, d.place)).collect()
}

#[test]
fn a_hand_made_scaler_is_lifted() {
    let module = lift("m", &file(scaler("1.9.1", vec![])), &Options::default()).expect("a module");
    let function = &module.functions[0];
    assert_eq!((&*function.params[0].name, &*function.outputs[0].name), ("x0", "x0"));
    let names = Options { columns: Some(vec!["age".into()]), ..Options::default() };
    let module = lift("m", &file(scaler("1.9.1", vec![])), &names).expect("a module");
    assert_eq!(&*module.functions[0].params[0].name, "age");
}

#[test]
fn three_faults_are_three() {
    let other = object("my_company.steps", "Secret", [("n_features_in_", int(1))]);
    let steps = vec![
        ("first", other),
        ("second", scaler("1.9.1", vec![("shrink", bool(true))])),
        ("third", scaler("3.0.0", vec![])),
    ];
    assert_eq!(
        codes(pipeline(steps)),
        [
            ("flock::lift::unknown_class", "steps.first".to_string()),
            ("flock::lift::unread_parameter", "steps.second".to_string()),
            ("flock::lift::version", "steps.third".to_string()),
        ]
    );
}

#[test]
fn messages_name_what_was_found() {
    let shown = |value| faults(value).remove(0);
    let unread = shown(scaler("1.9.1", vec![("shrink", bool(true))]));
    assert_eq!(unread.message, "`StandardScaler` has a parameter `shrink` that its lifter does not read");
    let unknown = shown(object("os", "system", []));
    assert_eq!(
        (unknown.code, unknown.message.as_str()),
        ("flock::lift::unknown_class", "`os.system` is not supported")
    );
    let wide = shown(scaler("1.9.1", vec![("mean_", f64s(&[1.0, 2.0]))]));
    assert_eq!(
        (wide.code, wide.place.as_str(), wide.message.as_str()),
        ("flock::lift::unexpected_type", "mean_", "an array of 1 numbers expected, an array of float64 [2] found")
    );
    let opaque = shown(scaler("1.9.1", vec![("scale_", object("my", "Array", []))]));
    assert_eq!(opaque.message, "a list or an array expected, `Array` found");
    let predicts = pipeline(vec![("model", scaler("1.9.1", vec![])), ("list", list([none()]))]);
    assert_eq!(shown(predicts).message, "a fitted estimator expected, a list found");
}

#[test]
fn missing_attributes_say_that_nothing_was_fitted() {
    let raw = object(
        "sklearn.preprocessing._data",
        "StandardScaler",
        [
            ("with_mean", bool(true)),
            ("with_std", bool(true)),
            ("n_features_in_", int(1)),
            ("_sklearn_version", text("1.9.1")),
        ],
    );
    let fault = faults(raw).remove(0);
    assert_eq!(fault.code, "flock::lift::missing_attribute");
    assert_eq!(fault.help.as_deref(), Some("save the pipeline after it was fitted"));
}

#[test]
fn columns_given_must_fit() {
    let options =
        |names: &[&str]| Options { columns: Some(names.iter().map(|n| n.to_string()).collect()), ..Options::default() };
    let code =
        |names: &[&str]| lift("m", &file(scaler("1.9.1", vec![])), &options(names)).expect_err("a fault")[0].code;
    assert_eq!(code(&["a", "b"]), "flock::lift::columns");
    let named = scaler("1.9.1", vec![("feature_names_in_", array("U1", &[97, 0, 0, 0], 1))]);
    let fault = lift("m", &file(named), &options(&["b"])).expect_err("a fault").remove(0);
    assert_eq!(fault.code, "flock::lift::columns");
}

#[test]
fn versions_are_known_or_refused() {
    for version in ["1.2.0", "1.5.2", "1.9.1"] {
        assert!(lift("m", &file(scaler(version, vec![])), &Options::default()).is_ok(), "{version}");
    }
    for version in ["1.1.3", "1.10.0", "2.0", "nightly"] {
        assert_eq!(codes(scaler(version, vec![]))[0].0, "flock::lift::version", "{version}");
    }
}

#[test]
fn a_pipeline_in_itself_ends() {
    // The pipeline is memo 0, and its only step is memo 0.
    let mut bytes = b"\x80\x02csklearn.pipeline\nPipeline\n)\x81q\x00}(".to_vec();
    bytes.extend(text("steps"));
    bytes.extend(b"](");
    bytes.extend(text("again"));
    bytes.extend(b"h\x00\x86e");
    bytes.extend(text("memory"));
    bytes.extend(b"N");
    bytes.extend(text("_sklearn_version"));
    bytes.extend(text("1.9.1"));
    bytes.extend(text("n_features_in_"));
    bytes.extend(int(1));
    bytes.extend(b"ub.");
    let faults = lift("m", &bytes, &Options::default()).expect_err("a fault");
    assert_eq!(faults[0].code, "flock::lift::unsupported");
    assert!(describe(&bytes).expect("a description").steps.len() <= 1_000);
}

#[test]
fn a_step_named_a_million_times_is_too_much() {
    // `steps` holds one pair again and again.
    let mut bytes = b"\x80\x02csklearn.pipeline\nPipeline\n)\x81}(".to_vec();
    bytes.extend(text("steps"));
    bytes.extend(b"](");
    bytes.extend(text("s"));
    bytes.extend(scaler("1.9.1", vec![]));
    bytes.extend(b"\x86q\x05");
    bytes.extend(b"h\x05".repeat(1_000_000));
    bytes.extend(b"e");
    bytes.extend(text("n_features_in_"));
    bytes.extend(int(1));
    bytes.extend(text("_sklearn_version"));
    bytes.extend(text("1.9.1"));
    bytes.extend(b"ub.");
    assert!(lift("m", &bytes, &Options::default()).is_err());
}

#[test]
fn a_description_lists_the_steps() {
    let bytes = file(pipeline(vec![("num", scaler("1.9.1", vec![])), ("own", object("my", "Step", []))]));
    let description = describe(&bytes).expect("a description");
    let steps: Vec<(&str, &str, bool)> =
        description.steps.iter().map(|s| (s.path.as_str(), s.class.as_str(), s.supported)).collect();
    assert_eq!(
        steps,
        [
            ("model", "sklearn.pipeline.Pipeline", true),
            ("steps.num", "sklearn.preprocessing.StandardScaler", true),
            ("steps.own", "my.Step", false),
        ]
    );
    assert_eq!((description.writer, description.compression), (Writer::Pickle(2), "none"));
}
