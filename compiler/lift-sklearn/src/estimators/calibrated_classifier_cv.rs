//! `CalibratedClassifierCV`: the mean of classifiers whose scores were calibrated, each on rows that it had not seen.
//!
//! | `calibrated_classifiers_` | `estimator`, `calibrators`, `method` of each |   | `classes_` | labels |
//! | `method` `sigmoid` | per class `a_`, `b_`: the logistic of -(a · score + b) |
//! | `isotonic` | per class a function through points |
//! | `temperature` | `beta_`: the softmax of beta · scores (1.8 and later) |
//!
//! The score is the decision function, or the probabilities of a classifier that has none. Temperatures take a decision
//! of three columns or more for logits; the library takes the logarithm of decisions that happen to be shares of 1 in
//! every row that it gets at once, which no decision function is. Source: scikit-learn `calibration.py`.

use flock_ir_spec::{Diagnostic, NodeId, Op};

use super::isotonic_regression::interpolated;
use crate::columns::Columns;
use crate::labels::Labels;
use crate::lift::{Lift, Lifted, Lifter};
use crate::members;
use crate::prediction::Classes;
use crate::read::view::View;

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.calibration.CalibratedClassifierCV",
    reads: &["calibrated_classifiers_", "classes_"],
    ignores: &["estimator", "base_estimator", "method", "cv", "n_jobs", "ensemble"],
    lift,
};

type Res<T> = Result<T, Diagnostic>;

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let labels = Labels::of(&view.attr("classes_")?)?;
    if labels.len() < 2 {
        return Err(view.attr("classes_")?.expected("two classes or more"));
    }
    let members = members::list(view, "calibrated_classifiers_")?;
    let mut all = Vec::with_capacity(members.len());
    for (m, member) in members.iter().enumerate() {
        all.push(calibrated(cx, &m.to_string(), member, &labels, &input)?);
    }
    let mean = cx.average(&all, None, view)?;
    let label = cx.label_of_greatest(&labels, mean)?;
    Ok(Lifted::Prediction(Classes::new(labels, label).with_probabilities(mean).alone()))
}

/// The probabilities of one of them.
fn calibrated(cx: &mut Lift, name: &str, member: &View<'_>, labels: &Labels, input: &Columns) -> Res<NodeId> {
    let estimator = member.attr("estimator")?;
    let classes = cx.classifier(name, &estimator, input)?;
    let n = labels.len();
    let method = member.attr("method")?;
    let calibrators = member.attr("calibrators")?;
    if method.str() == Some("temperature") {
        // Its classes are positions where labels are text.
        if classes.labels.len() != n {
            return Err(estimator.expected(&format!("a classifier of {n} classes")));
        }
        let beta = super::per_column(&calibrators, 1)?[0].attr("beta_")?.f64()?;
        let logits = logits(cx, &classes, &estimator)?;
        let scaled = cx.with_row(Op::Mul, logits, vec![beta])?;
        return cx.op(Op::Softmax, &[scaled]);
    }
    let positions: Option<Vec<usize>> = classes.labels.texts.iter().map(|t| labels.texts.iter().position(|l| l == t)).collect();
    let Some(positions) = positions.filter(|p| p.len() == n) else {
        return Err(estimator.unsupported("a part of the rows without one of the classes"));
    };
    let scores = match classes.decision {
        Some(decision) => decision.scores,
        None if n == 2 => {
            let p = classes.probabilities_of(&estimator)?;
            cx.pick(p, &[1])?
        }
        None => classes.probabilities_of(&estimator)?,
    };
    let columns = cx.width(scores);
    if columns != if n == 2 { 1 } else { n } {
        return Err(estimator.unsupported(format!("{columns} scores for {n} classes")));
    }
    let calibrators = super::per_column(&calibrators, columns)?;
    let mut parts = Vec::with_capacity(columns);
    for (k, calibrator) in calibrators.iter().enumerate() {
        let score = cx.pick(scores, &[k])?;
        parts.push(probability(cx, &method, calibrator, score)?);
    }
    if n == 2 {
        return cx.both_probabilities(parts[0]);
    }
    let all = cx.side_by_side(&parts)?;
    let all = cx.spread(all, &positions, n)?;
    let sum = cx.op(Op::Sum, &[all])?;
    let (none, uniform) = (cx.with_row(Op::Eq, sum, vec![0.0])?, cx.row_f64([1.0 / n as f64]));
    let shares = cx.op(Op::Div, &[all, sum])?;
    cx.op(Op::Select, &[none, uniform, shares])
}

fn probability(cx: &mut Lift, method: &View<'_>, calibrator: &View<'_>, score: NodeId) -> Res<NodeId> {
    match method.str() {
        Some("sigmoid") => {
            let line = cx.with_row(Op::Mul, score, vec![calibrator.attr("a_")?.f64()?])?;
            let line = cx.with_row(Op::Add, line, vec![calibrator.attr("b_")?.f64()?])?;
            let minus = cx.op(Op::Neg, &[line])?;
            cx.op(Op::Logistic, &[minus])
        }
        Some("isotonic") => {
            let p = interpolated(cx, calibrator, score)?;
            // What rounding has put above 1.
            cx.with_row(Op::Min, p, vec![1.0])
        }
        _ => Err(method.unsupported("a calibration that is not known")),
    }
}

fn logits(cx: &mut Lift, classes: &Classes, estimator: &View<'_>) -> Res<NodeId> {
    match classes.decision {
        Some(decision) if cx.width(decision.scores) == 1 => {
            let minus = cx.op(Op::Neg, &[decision.scores])?;
            cx.side_by_side(&[minus, decision.scores])
        }
        Some(decision) => Ok(decision.scores),
        None => {
            let p = classes.probabilities_of(estimator)?;
            let p = cx.with_row(Op::Add, p, vec![1e-12])?;
            cx.op(Op::Ln, &[p])
        }
    }
}
