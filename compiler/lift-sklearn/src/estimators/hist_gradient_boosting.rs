//! `HistGradientBoostingRegressor` and `HistGradientBoostingClassifier`: a baseline plus the leaves of the trees,
//! iteration by iteration, and the loss's link.
//!
//! | `_predictors` | per iteration one tree, or one per class; thresholds are f64 and compared with f64 |
//! | `_baseline_prediction` | what the sums start from |
//! | `_preprocessor`, `_bin_mapper` | the categories of categorical columns |
//! | `loss` | `poisson` and `gamma` predict the exponential of the sum; classifiers its logistic or softmax |
//!
//! NaN goes where the node says, infinities are numbers; nothing is refused. Until 1.4 a classifier's greater probability
//! decides, since then its score. Source: scikit-learn `ensemble/_hist_gradient_boosting/gradient_boosting.py`.

use flock_ir_spec::{Diagnostic, NodeId, Op};

use crate::columns::Columns;
use crate::histogram;
use crate::labels::Labels;
use crate::lift::{Lift, Lifted, Lifter};
use crate::prediction::{Classes, Prediction};
use crate::read::view::View;
use crate::version::Version;

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        class: "sklearn.ensemble.HistGradientBoostingRegressor",
        reads: histogram::READS,
        ignores: histogram::IGNORES,
        lift: regressor,
    },
    Lifter {
        class: "sklearn.ensemble.HistGradientBoostingClassifier",
        reads: histogram::READS,
        ignores: histogram::IGNORES,
        lift: classifier,
    },
];

fn regressor(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let loss = view.attr("loss")?;
    let exponential = match loss.str() {
        Some("squared_error" | "absolute_error" | "quantile") => false,
        Some("poisson" | "gamma") => true,
        _ => return Err(loss.unsupported("a loss that is not known, and so is its link")),
    };
    let raw = histogram::raw(cx, view, &input)?;
    let prediction = if exponential { cx.op(Op::Exp, &[raw])? } else { raw };
    Ok(Lifted::Prediction(Prediction::Numbers(prediction)))
}

fn classifier(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let loss = view.attr("loss")?;
    // The latter three are older names of the first.
    if !matches!(loss.str(), Some("log_loss" | "auto" | "binary_crossentropy" | "categorical_crossentropy")) {
        return Err(loss.unsupported("a loss that is not known, and so is its link"));
    }
    let labels = Labels::of(&view.attr("classes_")?)?;
    let scores = histogram::raw(cx, view, &input)?;
    if cx.width(scores) != if labels.len() > 2 { labels.len() } else { 1 } {
        return Err(view.attr("_baseline_prediction")?.expected(&format!("scores of {} classes", labels.len())));
    }
    let old = Version::of(view)? < Version(1, 5);
    let (label, probabilities) = match labels.len() {
        0 => return Err(view.attr("classes_")?.expected("labels")),
        1 | 2 => two(cx, &labels, scores, old)?,
        _ => {
            let probabilities = cx.op(Op::Softmax, &[scores])?;
            let deciding = if old { probabilities } else { scores };
            (cx.label_of_greatest(&labels, deciding)?, probabilities)
        }
    };
    let classes = Classes::new(labels, label).with_probabilities(probabilities).with_decision(scores);
    Ok(Lifted::Prediction(classes.alone()))
}

fn two(cx: &mut Lift, labels: &Labels, score: NodeId, old: bool) -> Result<(NodeId, NodeId), Diagnostic> {
    let p = cx.op(Op::Logistic, &[score])?;
    let probabilities = cx.both_probabilities(p)?;
    if labels.len() == 1 {
        // The score of the only class is far below 0.
        return Ok((cx.label_of_greatest(labels, probabilities)?, cx.pick(probabilities, &[0])?));
    }
    let label = if old {
        cx.label_of_greatest(labels, probabilities)?
    } else {
        let zero = cx.row_f64([0.0]);
        let positive = cx.op(Op::Gt, &[score, zero])?;
        cx.label_if(labels, positive)?
    };
    Ok((label, probabilities))
}
