//! `RidgeClassifier`, `RidgeClassifierCV`: the sign or the greatest of linear decisions; several labels at once where it
//! was fitted on an indicator matrix.
//!
//! | `coef_` | [outputs, k] f64 |   | `intercept_` | one per row of `coef_` |
//! | `_label_binarizer` | `classes_`: labels; `y_type_`: whether each decision is a label of its own |
//!
//! NaN and infinities are refused. Source: scikit-learn `linear_model/_ridge.py`, `_RidgeClassifierMixin`.

use flock_ir_spec::{Diagnostic, Frame, Op};

use crate::columns::Columns;
use crate::labels::Labels;
use crate::lift::{Lift, Lifted, Lifter};
use crate::linear;
use crate::prediction::{Classes, Prediction};
use crate::read::view::View;

const READS: &[&str] = &["coef_", "intercept_", "_label_binarizer"];

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        class: "sklearn.linear_model.RidgeClassifier",
        reads: READS,
        ignores: &["alpha", "class_weight", "copy_X", "fit_intercept", "max_iter", "positive", "random_state", "solver", "tol", "classes_", "n_iter_", "solver_"],
        lift,
    },
    Lifter {
        class: "sklearn.linear_model.RidgeClassifierCV",
        reads: READS,
        ignores: &["alpha_per_target", "alphas", "class_weight", "cv", "fit_intercept", "gcv_mode", "scoring", "store_cv_results", "store_cv_values", "alpha_", "best_score_", "classes_", "cv_results_", "cv_values_", "_store_cv_results"],
        lift,
    },
];

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let binarizer = view.attr("_label_binarizer")?;
    let scores = linear::decision(cx, view, &input)?;
    if binarizer.attr("y_type_")?.text()?.starts_with("multilabel") {
        let targets = (0..cx.width(scores)).map(|t| {
            let score = cx.pick(scores, &[t])?;
            let labels = Labels::no_and_yes();
            let label = linear::label(cx, &labels, score)?;
            Ok(Classes::new(labels, label).with_decision(score))
        });
        return Ok(Lifted::Prediction(Prediction::Classes(targets.collect::<Result<_, Diagnostic>>()?)));
    }
    let labels = Labels::of(&binarizer.attr("classes_")?)?;
    let label = if labels.len() == 1 {
        // The one class is the negative one: the library finds no label where the score is positive.
        let zero = cx.b.constant(Frame::row_f64([0.0]));
        let negative = cx.op(Op::Le, &[scores, zero])?;
        cx.refuse_unless_all(negative)?;
        cx.b.constant(labels.row(0))
    } else {
        linear::check_scores(cx, view, &labels, scores)?;
        linear::label(cx, &labels, scores)?
    };
    Ok(Lifted::Prediction(Classes::new(labels, label).with_decision(scores).alone()))
}
