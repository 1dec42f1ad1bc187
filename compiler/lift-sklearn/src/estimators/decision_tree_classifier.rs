//! `DecisionTreeClassifier`: the leaf that a row reaches.
//!
//! | `tree_.values` | [nodes, targets, classes]: fractions, and weighted counts before 1.4, divided by their sum |
//! | `classes_` | labels; one array per target where there are several |
//! | `criterion`, `splitter`, `monotonic_cst` | whether NaN is let in, which depends on the version |
//!
//! Values that are infinite as float32 are refused. Source: scikit-learn `tree/_classes.py`, `tree/_tree.pyx`.

use flock_ir_spec::Diagnostic;

use crate::columns::Columns;
use crate::forest;
use crate::lift::{Lift, Lifted, Lifter};
use crate::read::view::View;

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.tree.DecisionTreeClassifier",
    reads: &["criterion", "splitter", "monotonic_cst", "n_outputs_", "tree_", "classes_"],
    ignores: forest::TREE_IGNORES,
    lift,
};

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let tree = std::slice::from_ref(view);
    Ok(Lifted::Prediction(forest::classifier(cx, view, tree, false, &input)?))
}
