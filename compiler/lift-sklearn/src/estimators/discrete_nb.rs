//! `BernoulliNB`, `MultinomialNB`, `ComplementNB`: the joint log likelihood is linear in the counts or truth values.
//!
//! | `classes_` | labels |   | `class_log_prior_` | [classes] |   | `feature_log_prob_` | [classes, k] |
//! | `binarize` | `BernoulliNB`: above it a value is 1, else 0; None where the values are 0 and 1 already |
//!
//! `ComplementNB` has weights of the complement and, but for a single class, no prior. NaN and infinities are refused,
//! negative values are not. Source: scikit-learn `naive_bayes.py`.

use flock_ir_spec::{Attr, DType, Diagnostic, Frame, FrameType, NodeId, Op};

use crate::columns::Columns;
use crate::labels::Labels;
use crate::lift::{Lift, Lifted, Lifter};
use crate::linear;
use crate::prediction::Classes;
use crate::read::view::{Matrix, View};
use crate::trees::pairwise_sum;

const READS: &[&str] = &["classes_", "class_log_prior_", "feature_log_prob_"];

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        class: "sklearn.naive_bayes.BernoulliNB",
        reads: &["classes_", "class_log_prior_", "feature_log_prob_", "binarize"],
        ignores: &["alpha", "class_prior", "fit_prior", "force_alpha", "class_count_", "feature_count_"],
        lift: bernoulli,
    },
    Lifter {
        class: "sklearn.naive_bayes.ComplementNB",
        reads: READS,
        ignores: &["alpha", "class_prior", "fit_prior", "force_alpha", "norm", "class_count_", "feature_all_", "feature_count_"],
        lift: complement,
    },
    Lifter {
        class: "sklearn.naive_bayes.MultinomialNB",
        reads: READS,
        ignores: &["alpha", "class_prior", "fit_prior", "force_alpha", "class_count_", "feature_count_"],
        lift: multinomial,
    },
];

/// What all three have: labels, prior, logs of probabilities.
struct Fitted {
    labels: Labels,
    prior: Vec<f64>,
    logs: Matrix,
}

fn fitted(view: &View<'_>, input: &Columns) -> Result<Fitted, Diagnostic> {
    let labels = Labels::of(&view.attr("classes_")?)?;
    let prior = view.attr("class_log_prior_")?.f64s_of(labels.len())?;
    let logs = linear::table(view, "feature_log_prob_", input.width())?;
    if logs.rows != labels.len() {
        return Err(view.attr("feature_log_prob_")?.expected(&format!("a row for each of {} classes", labels.len())));
    }
    Ok(Fitted { labels, prior, logs })
}

fn multinomial(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let Fitted { labels, prior, logs } = fitted(view, &input)?;
    let x = linear::finite(cx, view, &input)?;
    classes(cx, labels, x, logs, prior)
}

fn complement(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let Fitted { labels, prior, logs } = fitted(view, &input)?;
    let prior = if labels.len() == 1 { prior } else { vec![0.0; labels.len()] };
    let x = linear::finite(cx, view, &input)?;
    classes(cx, labels, x, logs, prior)
}

fn bernoulli(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let Fitted { labels, mut prior, mut logs } = fitted(view, &input)?;
    let mut x = linear::finite(cx, view, &input)?;
    let threshold = view.attr("binarize")?;
    if !threshold.is_none() {
        let threshold = cx.b.constant(Frame::row_f64([threshold.f64()?]));
        let above = cx.op(Op::Gt, &[x, threshold])?;
        x = cx.op_with(Op::Cast, Attr::Type(FrameType::new(DType::F64, input.width() as u32)), &[above])?;
    }
    // x log p + (1 - x) log(1 - p), as x (log p - log(1 - p)) and the sum of log(1 - p).
    for (row, prior) in logs.values.chunks_mut(input.width().max(1)).zip(&mut prior) {
        let negative: Vec<f64> = row.iter().map(|log| (1.0 - log.exp()).ln()).collect();
        row.iter_mut().zip(&negative).for_each(|(log, negative)| *log -= negative);
        *prior += pairwise_sum(&negative);
    }
    classes(cx, labels, x, logs, prior)
}

fn classes(cx: &mut Lift, labels: Labels, x: NodeId, logs: Matrix, prior: Vec<f64>) -> Result<Lifted, Diagnostic> {
    let joint = linear::map(cx, x, logs, prior)?;
    let label = cx.label_of_greatest(&labels, joint)?;
    let probabilities = cx.op(Op::Softmax, &[joint])?;
    Ok(Lifted::Prediction(Classes::new(labels, label).with_probabilities(probabilities).alone()))
}
