//! `ExtraTreeRegressor`: predicts as `DecisionTreeRegressor` does.
//!
//! Source: scikit-learn `tree/_classes.py`, `tree/_tree.pyx`.

use flock_ir_spec::Diagnostic;

use crate::columns::Columns;
use crate::forest;
use crate::lift::{Lift, Lifted, Lifter};
use crate::read::view::View;

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.tree.ExtraTreeRegressor",
    reads: &["criterion", "splitter", "monotonic_cst", "n_outputs_", "tree_"],
    ignores: forest::TREE_IGNORES,
    lift,
};

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let tree = std::slice::from_ref(view);
    Ok(Lifted::Prediction(forest::regressor(cx, view, tree, false, &input)?))
}
