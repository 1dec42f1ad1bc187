//! `GradientBoostingClassifier`: raw scores as in the regressor, one per class or one for two classes, and their link.
//!
//! | `estimators_` | [stages, 1 or classes] trees |   | `init_` | a `DummyClassifier`'s prior, "zero", or any classifier |
//! | `loss` | `log_loss`: logistic of the score, softmax for more classes; `exponential`: logistic of twice the score |
//!
//! NaN and values that are infinite as float32 are refused.
//! Source: scikit-learn `ensemble/_gb.py`; `ensemble/_gb_losses.py` before 1.4, `_loss/link.py` since.

use flock_ir_spec::{Diagnostic, Frame, NodeId, Op};

use crate::boosting::{self, Start};
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
    let start = start(cx, view, &input, labels.len(), exponential)?;
    let scores = boosting::raw(cx, view, &input, start)?;
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

/// The scores before the first tree: the link of the prior, or of another classifier's probabilities.
fn start(
    cx: &mut Lift,
    view: &View<'_>,
    input: &Columns,
    classes: usize,
    exponential: bool,
) -> Result<Start, Diagnostic> {
    let outputs = if classes == 2 { 1 } else { classes };
    let init = view.attr("init_")?;
    if init.str() == Some("zero") {
        return Ok(Start::Constant(vec![0.0; outputs]));
    }
    let version = Version::of(view)?;
    if let Some(dummy) = boosting::dummy(&init, "sklearn.dummy.DummyClassifier")? {
        return Ok(Start::Constant(base(prior(dummy, classes)?, version, exponential)));
    }
    let columns = boosting::columns(cx, view, input)?;
    let member = cx.classifier("init", &init, &columns)?;
    let p = member.probabilities_of(&init)?;
    if cx.width(p) != classes {
        return Err(init.expected(&format!("a classifier of {classes} classes")));
    }
    Ok(Start::Rows(linked(cx, p, version, exponential)?))
}

/// Probabilities are kept off 0 and 1: until 1.7 by float32's epsilon, since then by float64's.
fn epsilon(version: Version) -> f64 {
    if version < Version(1, 8) { f64::from(f32::EPSILON) } else { f64::EPSILON }
}

/// The link of probabilities that differ from row to row.
fn linked(cx: &mut Lift, p: NodeId, version: Version, exponential: bool) -> Result<NodeId, Diagnostic> {
    let (epsilon, n) = (epsilon(version), cx.width(p));
    let p = if n == 2 { cx.pick(p, &[1])? } else { p };
    let p = cx.with_row(Op::Max, p, vec![epsilon])?;
    let p = cx.with_row(Op::Min, p, vec![1.0 - epsilon])?;
    if n > 2 {
        let logs = cx.op(Op::Ln, &[p])?;
        if version < Version(1, 4) {
            return Ok(logs);
        }
        let sum = cx.op(Op::Sum, &[logs])?;
        let mean = cx.with_row(Op::Div, sum, vec![n as f64])?;
        return cx.op(Op::Sub, &[logs, mean]);
    }
    let one = cx.row_f64([1.0]);
    let q = cx.op(Op::Sub, &[one, p])?;
    let odds = cx.op(Op::Div, &[p, q])?;
    let logit = cx.op(Op::Ln, &[odds])?;
    if exponential { cx.with_row(Op::Mul, logit, vec![0.5]) } else { Ok(logit) }
}

/// The link of the same probabilities on every row.
fn base(prior: Vec<f64>, version: Version, exponential: bool) -> Vec<f64> {
    let epsilon = epsilon(version);
    let prior: Vec<f64> = prior.into_iter().map(|p| p.max(epsilon).min(1.0 - epsilon)).collect();
    match (prior.len(), version < Version(1, 4)) {
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
    }
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
fn prior(dummy: &View<'_>, classes: usize) -> Result<Vec<f64>, Diagnostic> {
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
