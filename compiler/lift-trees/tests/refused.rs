//! What is refused, and by which name.

use flock_lift_trees::{Options, lift};

fn refusal(file: &[u8]) -> String {
    let faults = lift("m", file, &Options::default()).expect_err("a fault");
    assert_eq!(faults[0].code, "flock::lift::unsupported", "{}", faults[0].message);
    faults[0].message.clone()
}

/// The library writes them to its binary format alone, as yet.
#[test]
fn text_and_embedding_features_of_catboost_are_refused_by_name() {
    let cbm = include_bytes!("../../../testsuite/fuzz/seeds/trees/text.catboost.cbm");
    assert!(refusal(cbm).starts_with("1 text features"));
    for kind in ["text", "embedding"] {
        let file =
            format!(r#"{{"features_info": {{"float_features": [], "{kind}_features": [{{"feature_index": 0}}]}}}}"#);
        assert!(refusal(file.as_bytes()).starts_with(&format!("1 {kind} features")));
    }
}
