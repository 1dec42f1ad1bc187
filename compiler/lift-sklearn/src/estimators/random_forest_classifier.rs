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
    ignores: forest::FOREST_IGNORES,
    lift,
};

pub(super) fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let trees = forest::members(cx, view, &member::LIFTER)?;
    Ok(Lifted::Prediction(forest::classifier(cx, view, &trees, true, &input)?))
}
