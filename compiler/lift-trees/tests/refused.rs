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

/// What a tree says is looked through for each key, so there may not be any number of keys; one that comes again counts once.
#[test]
fn a_lightgbm_tree_with_too_many_fields_is_damaged() {
    let header = "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=0\nfeature_names=x\n\n";
    let file = |keys: usize| {
        let fields: String = (0..200).map(|i| format!("key{}=1\n", i % keys)).collect();
        let file = format!("{header}Tree=0\n{fields}\nend of trees\n");
        lift("m", file.as_bytes(), &Options::default()).expect_err("a fault").remove(0).message
    };
    assert!(file(65).contains("more than 64 fields"), "{}", file(65));
    assert!(!file(64).contains("fields"), "{}", file(64));
}
