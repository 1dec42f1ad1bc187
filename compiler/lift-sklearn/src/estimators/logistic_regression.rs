//! `LogisticRegression`, `LogisticRegressionCV`: a linear decision; a logistic for two classes, softmax or
//! one-versus-rest for more.
//!
//! | `coef_` | [1 or classes, k] f64 |   | `intercept_` | [1 or classes] |   | `classes_` | labels |
//! | `multi_class`, `solver` | until 1.7, choose one-versus-rest or softmax |
//!
//! NaN and infinities are refused. Source: scikit-learn `linear_model/_logistic.py`, `_base.py`.

use flock_ir_spec::{Diagnostic, Op};

use crate::columns::Columns;
use crate::labels::Labels;
use crate::lift::{Lift, Lifted, Lifter};
use crate::linear;
use crate::prediction::Classes;
use crate::read::view::View;
use crate::version::Version;

const READS: &[&str] = &["coef_", "intercept_", "classes_", "multi_class", "solver"];

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        class: "sklearn.linear_model.LogisticRegression",
        reads: READS,
        ignores: &["C", "class_weight", "dual", "fit_intercept", "intercept_scaling", "l1_ratio", "max_iter", "n_jobs", "penalty", "random_state", "tol", "verbose", "warm_start", "n_iter_"],
        lift,
    },
    Lifter {
        class: "sklearn.linear_model.LogisticRegressionCV",
        reads: READS,
        ignores: &["Cs", "class_weight", "cv", "dual", "fit_intercept", "intercept_scaling", "l1_ratios", "max_iter", "n_jobs", "penalty", "random_state", "refit", "scoring", "tol", "use_legacy_attributes", "verbose", "C_", "Cs_", "coefs_paths_", "l1_ratio_", "l1_ratios_", "n_iter_", "scores_"],
        lift,
    },
];

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let labels = Labels::of(&view.attr("classes_")?)?;
    let scores = linear::decision(cx, view, &input)?;
    linear::check_scores(cx, view, &labels, scores)?;
    let label = linear::label(cx, &labels, scores)?;
    let probabilities = match (one_versus_rest(view, labels.len())?, labels.len()) {
        (true, _) => linear::one_versus_rest(cx, view, scores)?,
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
    let auto = classes == 2 || solver == "liblinear" || solver == "newton-cholesky" && version < Version(1, 6);
    let multi_class = view.attr("multi_class")?;
    match multi_class.str() {
        Some("ovr" | "warn") => Ok(true),
        Some("multinomial") => Ok(false),
        Some("auto") => Ok(auto),
        Some("deprecated") if version >= Version(1, 5) => Ok(auto),
        _ => Err(multi_class.unsupported("an unknown way to combine classes")),
    }
}
