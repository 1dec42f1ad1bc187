//! Classifiers that give the sign or the greatest of linear decisions, and no probabilities.
//!
//! | `coef_` | [1 or classes, k] f64 |   | `intercept_` | one per row of `coef_` |   | `classes_` | labels |
//!
//! NaN and infinities are refused. Source: scikit-learn `linear_model/_base.py`, `LinearClassifierMixin`.

use flock_ir_spec::Diagnostic;

use crate::columns::Columns;
use crate::labels::Labels;
use crate::lift::{Lift, Lifted, Lifter};
use crate::linear;
use crate::prediction::Classes;
use crate::read::view::View;

pub static LIFTERS: &[Lifter] = &[
    classifier("sklearn.linear_model.PassiveAggressiveClassifier", &["C", "alpha", "average", "class_weight", "early_stopping", "epsilon", "eta0", "fit_intercept", "l1_ratio", "learning_rate", "loss", "max_iter", "n_iter_no_change", "n_jobs", "penalty", "power_t", "random_state", "shuffle", "tol", "validation_fraction", "verbose", "warm_start", "loss_function_", "n_iter_", "t_", "_average_coef", "_average_intercept", "_expanded_class_weight", "_standard_coef", "_standard_intercept", "_loss_function_"]),
    classifier("sklearn.linear_model.Perceptron", &["C", "alpha", "average", "class_weight", "early_stopping", "epsilon", "eta0", "fit_intercept", "l1_ratio", "learning_rate", "loss", "max_iter", "n_iter_no_change", "n_jobs", "penalty", "power_t", "random_state", "shuffle", "tol", "validation_fraction", "verbose", "warm_start", "loss_function_", "n_iter_", "t_", "_average_coef", "_average_intercept", "_expanded_class_weight", "_standard_coef", "_standard_intercept", "_loss_function_"]),
    classifier("sklearn.svm.LinearSVC", &["C", "class_weight", "dual", "fit_intercept", "intercept_scaling", "loss", "max_iter", "multi_class", "penalty", "random_state", "tol", "verbose", "n_iter_"]),
];

const fn classifier(class: &'static str, ignores: &'static [&'static str]) -> Lifter {
    Lifter { class, reads: &["coef_", "intercept_", "classes_"], ignores, lift }
}

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let labels = Labels::of(&view.attr("classes_")?)?;
    let scores = linear::decision(cx, view, &input)?;
    linear::check_scores(cx, view, &labels, scores)?;
    let label = linear::label(cx, &labels, scores)?;
    Ok(Lifted::Prediction(Classes::new(labels, label).with_decision(scores).alone()))
}
