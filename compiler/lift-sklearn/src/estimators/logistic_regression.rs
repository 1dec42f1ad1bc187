//! `LogisticRegression`: a linear decision; a logistic for two classes, softmax or one-versus-rest for more.
//!
//! | `coef_` | [1 or classes, k] f64 |   | `intercept_` | [1 or classes] |   | `classes_` | labels |
//! | `multi_class`, `solver` | until 1.7, choose one-versus-rest or softmax |
//!
//! NaN and infinities are refused. Source: scikit-learn `linear_model/_logistic.py`, `_base.py`.

use flock_ir_spec::{Diagnostic, Frame, NodeId, Op};

use super::linear_regression::decision;
use crate::columns::Columns;
use crate::labels::Labels;
use crate::lift::{Lift, Lifted, Lifter};
use crate::prediction::Classes;
use crate::read::view::View;
use crate::version::Version;

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.linear_model.LogisticRegression",
    reads: &["coef_", "intercept_", "classes_", "multi_class", "solver"],
    ignores: &[
        "penalty", "dual", "tol", "C", "fit_intercept", "intercept_scaling", "class_weight", "random_state", "max_iter",
        "verbose", "warm_start", "n_jobs", "l1_ratio", "n_iter_",
    ],
    lift,
};

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let labels = Labels::of(&view.attr("classes_")?)?;
    let scores = decision(cx, view, &input)?;
    let expected = if labels.len() == 2 { 1 } else { labels.len() };
    if labels.len() < 2 || cx.width(scores) != expected {
        return Err(view.attr("coef_")?.expected(&format!("coefficients for {} classes", labels.len())));
    }
    let label = if labels.len() == 2 {
        let zero = cx.b.constant(Frame::row_f64([0.0]));
        let positive = cx.op(Op::Gt, &[scores, zero])?;
        cx.label_if(&labels, positive)?
    } else {
        cx.label_of_greatest(&labels, scores)?
    };
    let probabilities = match (one_versus_rest(view, labels.len())?, labels.len()) {
        (true, 2) => {
            let p = cx.op(Op::Logistic, &[scores])?;
            cx.both_probabilities(p)?
        }
        (true, _) => normalised(cx, view, scores)?,
        // `multi_class="multinomial"` with two classes: a softmax over both signs of the one decision.
        (false, 2) => {
            let minus = cx.op(Op::Neg, &[scores])?;
            let both = cx.side_by_side(&[minus, scores])?;
            cx.op(Op::Softmax, &[both])?
        }
        (false, _) => cx.op(Op::Softmax, &[scores])?,
    };
    let classes = Classes::new(labels, label).with_probabilities(probabilities).with_decision(scores);
    Ok(Lifted::Prediction(classes.alone()))
}

/// Whether probabilities are logistic, class by class (`predict_proba` of each version).
fn one_versus_rest(view: &View<'_>, classes: usize) -> Result<bool, Diagnostic> {
    let version = Version::of(view)?;
    if version >= Version(1, 8) {
        return Ok(classes == 2);
    }
    let solver = view.attr("solver")?.text()?;
    let auto = classes == 2
        || solver == "liblinear"
        || solver == "newton-cholesky" && version < Version(1, 6);
    let multi_class = view.attr("multi_class")?;
    match multi_class.str() {
        Some("ovr" | "warn") => Ok(true),
        Some("multinomial") => Ok(false),
        Some("auto") => Ok(auto),
        Some("deprecated") if version >= Version(1, 5) => Ok(auto),
        _ => Err(multi_class.unsupported("an unknown way to combine classes")),
    }
}

/// Logistics divided by their sum. Where all are 0 the quotient is NaN; since 1.9 it is uniform.
fn normalised(cx: &mut Lift, view: &View<'_>, scores: NodeId) -> Result<NodeId, Diagnostic> {
    let p = cx.op(Op::Logistic, &[scores])?;
    let sum = cx.op(Op::Sum, &[p])?;
    let quotient = cx.op(Op::Div, &[p, sum])?;
    if Version::of(view)? < Version(1, 9) {
        return Ok(quotient);
    }
    let (zero, uniform) = (Frame::row_f64([0.0]), Frame::row_f64([1.0 / cx.width(scores) as f64]));
    let (zero, uniform) = (cx.b.constant(zero), cx.b.constant(uniform));
    let none = cx.op(Op::Eq, &[sum, zero])?;
    cx.op(Op::Select, &[none, uniform, quotient])
}
