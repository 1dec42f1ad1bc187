//! `RandomForestClassifier`: the trees' probabilities, added in their order and divided by their number.
//!
//! Values that are infinite as float32 are refused, NaN too before 1.4. Source: scikit-learn `ensemble/_forest.py`.

use flock_ir_spec::Diagnostic;

use super::decision_tree_classifier as member;
use crate::columns::Columns;
use crate::forest;
use crate::lift::{Lift, Lifted, Lifter};
use crate::read::view::View;

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.ensemble.RandomForestClassifier",
    reads: &["estimators_", "n_outputs_", "classes_"],
    ignores: &[
        "estimator",
        "base_estimator",
        "estimator_",
        "n_estimators",
        "estimator_params",
        "bootstrap",
        "oob_score",
        "n_jobs",
        "random_state",
        "verbose",
        "warm_start",
        "class_weight",
        "max_samples",
        "criterion",
        "max_depth",
        "min_samples_split",
        "min_samples_leaf",
        "min_weight_fraction_leaf",
        "max_features",
        "max_leaf_nodes",
        "min_impurity_decrease",
        "ccp_alpha",
        "monotonic_cst",
        "_n_samples",
        "_n_samples_bootstrap",
        "_sample_weight",
        "oob_score_",
        "oob_decision_function_",
        "n_classes_",
    ],
    lift,
};

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let trees = forest::members(cx, view, &member::LIFTER)?;
    Ok(Lifted::Prediction(forest::classifier(cx, view, &trees, true, &input)?))
}
