//! `SGDClassifier`: linear decisions; the loss says whether there are probabilities.
//!
//! | `coef_` | [1 or classes, k] f64 |   | `intercept_` | one per row of `coef_` |   | `classes_` | labels |
//! | `loss` | `log_loss` (`log` until 1.2): logistic; `modified_huber`: the clipped decision; others: none |
//!
//! NaN and infinities are refused. Source: scikit-learn `linear_model/_stochastic_gradient.py`.

use flock_ir_spec::{Composite, Diagnostic, Frame, NodeId, Op};

use crate::columns::Columns;
use crate::labels::Labels;
use crate::lift::{Lift, Lifted, Lifter};
use crate::linear;
use crate::prediction::Classes;
use crate::read::view::View;

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.linear_model.SGDClassifier",
    reads: &["coef_", "intercept_", "classes_", "loss"],
    ignores: &["C", "alpha", "average", "class_weight", "early_stopping", "epsilon", "eta0", "fit_intercept", "l1_ratio", "learning_rate", "max_iter", "n_iter_no_change", "n_jobs", "penalty", "power_t", "random_state", "shuffle", "tol", "validation_fraction", "verbose", "warm_start", "loss_function_", "n_iter_", "t_", "_average_coef", "_average_intercept", "_expanded_class_weight", "_standard_coef", "_standard_intercept", "_loss_function_"],
    lift,
};

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let labels = Labels::of(&view.attr("classes_")?)?;
    let scores = linear::decision(cx, view, &input)?;
    linear::check_scores(cx, view, &labels, scores)?;
    let label = linear::label(cx, &labels, scores)?;
    let classes = Classes::new(labels, label).with_decision(scores);
    let classes = match view.attr("loss")?.text()?.as_str() {
        "log_loss" | "log" => classes.with_probabilities(linear::one_versus_rest(cx, view, scores)?),
        "modified_huber" => classes.with_probabilities(clipped(cx, scores)?),
        _ => classes,
    };
    Ok(Lifted::Prediction(classes.alone()))
}

/// (clip(score, -1, 1) + 1) / 2, for several classes divided by their sum, and uniform where that is 0.
fn clipped(cx: &mut Lift, scores: NodeId) -> Result<NodeId, Diagnostic> {
    let (low, high) = (cx.b.constant(Frame::row_f64([-1.0])), cx.b.constant(Frame::row_f64([1.0])));
    let clipped = cx.op(Op::Composite(Composite::CLIP), &[scores, low, high])?;
    let above = cx.with_row(Op::Add, clipped, vec![1.0])?;
    let p = cx.with_row(Op::Div, above, vec![2.0])?;
    if cx.width(p) == 1 { cx.both_probabilities(p) } else { linear::normalised(cx, p, true) }
}
