//! `TunedThresholdClassifierCV` and `FixedThresholdClassifier`: another classifier's score against a threshold of one's own.
//!
//! | `estimator_` | a classifier of two classes (`estimator` where it was fitted before) |
//! | `best_threshold_`, `threshold` | the positive class is predicted from there on |
//! | `pos_label`, `_curve_scorer` | the positive class; the second one where nothing else is said |
//! | `response_method` | `predict_proba`, `decision_function`, or `auto`: the first of these that there is |
//!
//! Source: scikit-learn `model_selection/_classification_threshold.py`, `utils/_response.py`.

use flock_ir_spec::{Diagnostic, Op};

use crate::columns::Columns;
use crate::lift::{Lift, Lifted, Lifter};
use crate::prediction::Classes;
use crate::read::view::{Plain, View};

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        class: "sklearn.model_selection.TunedThresholdClassifierCV",
        reads: &["estimator_", "best_threshold_", "response_method", "_curve_scorer"],
        ignores: &[
            "estimator", "scoring", "thresholds", "cv", "refit", "n_jobs", "random_state", "store_cv_results",
            "best_score_", "cv_results_",
        ],
        lift: tuned,
    },
    Lifter {
        class: "sklearn.model_selection.FixedThresholdClassifier",
        reads: &["estimator", "estimator_", "threshold", "pos_label", "response_method"],
        ignores: &[],
        lift: fixed,
    },
];

type Res<T> = Result<T, Diagnostic>;

fn tuned(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let estimator = view.attr("estimator_")?;
    let positive = positive_of_scorer(&view.attr("_curve_scorer")?)?;
    let classes = cx.classifier("estimator", &estimator, &input)?;
    let threshold = view.attr("best_threshold_")?.f64()?;
    decided(cx, view, &estimator, classes, positive, |_| threshold)
}

fn fixed(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let estimator = view.get("estimator_").map_or_else(|| view.attr("estimator"), Ok)?;
    let positive = view.attr("pos_label")?;
    let positive = if positive.is_none() { None } else { Some(positive.plain()?) };
    let classes = cx.classifier("estimator", &estimator, &input)?;
    let threshold = view.attr("threshold")?;
    if threshold.str() == Some("auto") {
        return decided(cx, view, &estimator, classes, positive, |decides| if decides { 0.0 } else { 0.5 });
    }
    let threshold = threshold.f64()?;
    decided(cx, view, &estimator, classes, positive, |_| threshold)
}

/// The label by a threshold, which depends on whether the score is a decision function.
fn decided(
    cx: &mut Lift,
    view: &View<'_>,
    estimator: &View<'_>,
    classes: Classes,
    positive: Option<Plain>,
    threshold: impl Fn(bool) -> f64,
) -> Res<Lifted> {
    let labels = &classes.labels;
    if labels.len() != 2 {
        return Err(estimator.expected("a classifier of two classes"));
    }
    let positive = match positive {
        None => 1,
        Some(label) => labels.position(&label).ok_or_else(|| view.expected("a class of its own"))?,
    };
    let method = view.attr("response_method")?;
    let decides = match method.str() {
        Some("auto") => classes.probabilities.is_none(),
        Some("predict_proba") => false,
        Some("decision_function") => true,
        _ => return Err(method.unsupported("a score that is not known")),
    };
    let score = match decides {
        false => {
            let p = classes.probabilities_of(estimator)?;
            cx.pick(p, &[positive])?
        }
        true if positive == 1 => classes.decision_of(estimator)?,
        true => {
            let score = classes.decision_of(estimator)?;
            cx.op(Op::Neg, &[score])?
        }
    };
    let enough = cx.with_row(Op::Ge, score, vec![threshold(decides)])?;
    let (yes, no) = (cx.b.constant(labels.row(positive)), cx.b.constant(labels.row(1 - positive)));
    let label = cx.op(Op::Select, &[enough, yes, no])?;
    Ok(Lifted::Prediction(Classes { label, ..classes }.alone()))
}

/// Metrics of the library that call the class 1 positive; its others leave it open.
const ONE: &[&str] = &[
    "average_precision_score", "f1_score", "fbeta_score", "jaccard_score", "precision_score", "recall_score",
];

/// The positive class of a scorer: what it was made with, else what its metric has by default.
fn positive_of_scorer(scorer: &View<'_>) -> Res<Option<Plain>> {
    if let Some(label) = scorer.attr("_kwargs")?.entry("pos_label") {
        return if label.is_none() { Ok(None) } else { label.plain().map(Some) };
    }
    let metric = scorer.attr("_score_func")?;
    let name = metric.class().unwrap_or_default();
    let last = name.rsplit('.').next().unwrap_or_default();
    if !name.starts_with("sklearn.metrics.") {
        return Err(metric.unsupported(format!("the metric `{name}`, whose positive class is known to Python alone")));
    }
    Ok(ONE.contains(&last).then_some(Plain::Int(1)))
}
