//! `Ridge`: predicts as `LinearRegression` does.
//! Source: scikit-learn `linear_model/_ridge.py`.

use flock_ir_spec::Diagnostic;

use super::linear_regression::decision;
use crate::columns::Columns;
use crate::lift::{Lift, Lifted, Lifter};
use crate::prediction::Prediction;
use crate::read::view::View;

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.linear_model.Ridge",
    reads: &["coef_", "intercept_"],
    ignores: &[
        "alpha", "fit_intercept", "copy_X", "max_iter", "tol", "solver", "positive", "random_state", "n_iter_", "solver_",
    ],
    lift,
};

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    Ok(Lifted::Prediction(Prediction::Numbers(decision(cx, view, &input)?)))
}
