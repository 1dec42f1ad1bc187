//! `GradientBoostingClassifier`: raw scores as in the regressor, one per class or one for two classes, and their link.
//!
//! | `estimators_` | [stages, 1 or classes] trees |   | `init_` | a `DummyClassifier`'s prior, or "zero" |
//! | `loss` | `log_loss`: logistic of the score, softmax for more classes; `exponential`: logistic of twice the score |
//!
//! NaN and values that are infinite as float32 are refused.
//! Source: scikit-learn `ensemble/_gb.py`; `ensemble/_gb_losses.py` before 1.4, `_loss/link.py` since.

use flock_ir_spec::{Diagnostic, Frame, NodeId, Op};

use crate::boosting;
use crate::columns::Columns;
use crate::labels::Labels;
use crate::lift::{Lift, Lifted, Lifter};
use crate::prediction::Classes;
use crate::read::view::View;
use crate::trees::pairwise_sum;
use crate::version::Version;

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.ensemble.GradientBoostingClassifier",
    reads: &["learning_rate", "loss", "init_", "estimators_", "classes_"],
    ignores: boosting::IGNORES,
    lift,
};

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let labels = Labels::of(&view.attr("classes_")?)?;
    let loss = view.attr("loss")?;
    let exponential = match (loss.str(), labels.len()) {
        (Some("log_loss" | "deviance"), 2..) => false,
        (Some("exponential"), 2) => true,
        _ => return Err(loss.unsupported(format!("a loss that is not known, for {} classes", labels.len()))),
    };
    let base = base(view, labels.len(), exponential)?;
    let scores = boosting::raw(cx, view, &input, base)?;
    let old = Version::of(view)? < Version(1, 4);
    let (label, probabilities) = match labels.len() {
        2 => two(cx, &labels, scores, exponential, old)?,
        _ => {
            let probabilities = cx.op(Op::Softmax, &[scores])?;
            let deciding = if old { probabilities } else { scores };
            (cx.label_of_greatest(&labels, deciding)?, probabilities)
        }
    };
    let classes = Classes::new(labels, label).with_probabilities(probabilities).with_decision(scores);
    Ok(Lifted::Prediction(classes.alone()))
}

fn two(
    cx: &mut Lift,
    labels: &Labels,
    score: NodeId,
    exponential: bool,
    old: bool,
) -> Result<(NodeId, NodeId), Diagnostic> {
    let argument = if exponential { cx.with_row(Op::Mul, score, vec![2.0])? } else { score };
    let p = cx.op(Op::Logistic, &[argument])?;
    let probabilities = cx.both_probabilities(p)?;
    let label = if old && !exponential {
        // Before 1.4 the greater probability decides, and the first class where both are a half.
        cx.label_of_greatest(labels, probabilities)?
    } else {
        let zero = cx.b.constant(Frame::row_f64([0.0]));
        let positive = cx.op(Op::Ge, &[score, zero])?;
        cx.label_if(labels, positive)?
    };
    Ok((label, probabilities))
}

/// The scores before the first tree: the link of the prior, kept off 0 and 1.
fn base(view: &View<'_>, classes: usize, exponential: bool) -> Result<Vec<f64>, Diagnostic> {
    let outputs = if classes == 2 { 1 } else { classes };
    let init = view.attr("init_")?;
    if init.str() == Some("zero") {
        return Ok(vec![0.0; outputs]);
    }
    let version = Version::of(view)?;
    // Until 1.7 float32's epsilon, since then float64's.
    let epsilon = if version < Version(1, 8) { f64::from(f32::EPSILON) } else { f64::EPSILON };
    let prior: Vec<f64> = prior(&init, classes)?.into_iter().map(|p| p.max(epsilon).min(1.0 - epsilon)).collect();
    Ok(match (classes, version < Version(1, 4)) {
        (2, old) => {
            let p = prior[1];
            let logit = if old { (p / (1.0 - p)).ln() } else { logit(p) };
            vec![if exponential { 0.5 * logit } else { logit }]
        }
        (_, true) => prior.iter().map(|p| p.ln()).collect(),
        (n, false) => {
            let logs: Vec<f64> = prior.iter().map(|p| p.ln()).collect();
            let mean = (pairwise_sum(&logs) / n as f64).exp();
            prior.iter().map(|p| (p / mean).ln()).collect()
        }
    })
}

/// `scipy.special.logit`.
fn logit(p: f64) -> f64 {
    if (0.3..=0.65).contains(&p) {
        let s = 2.0 * (p - 0.5);
        s.ln_1p() - (-s).ln_1p()
    } else {
        (p / (1.0 - p)).ln()
    }
}

/// What a `DummyClassifier` answers on every row.
fn prior(init: &View<'_>, classes: usize) -> Result<Vec<f64>, Diagnostic> {
    let dummy = boosting::dummy(init, "sklearn.dummy.DummyClassifier")?;
    let strategy = dummy.attr("strategy")?;
    let prior = dummy.attr("class_prior_")?.f64s_of(classes)?;
    match strategy.str() {
        Some("prior") => Ok(prior),
        Some("uniform") => Ok(vec![1.0 / classes as f64; classes]),
        Some("most_frequent") => {
            let first = prior.iter().enumerate().fold(0, |best, (i, p)| if *p > prior[best] { i } else { best });
            Ok((0..classes).map(|i| if i == first { 1.0 } else { 0.0 }).collect())
        }
        _ => Err(strategy.unsupported("a `DummyClassifier` of this strategy to start from")),
    }
}
