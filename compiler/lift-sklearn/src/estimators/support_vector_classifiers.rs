//! `SVC`, `NuSVC`: a decision for each pair of classes, whose votes decide.
//!
//! | `classes_`, `_n_support` | labels, and support vectors per class |
//! | `decision_function_shape`, `break_ties` | `ovr`: votes and a bounded sum of decisions, which may decide as well |
//! | `probability`, `_probA`, `_probB` | a logistic per pair, coupled |
//!
//! The other attributes are those of [`crate::support_vectors`]. A decision of 0 votes for the second class of its pair,
//! and in `ovr` for the first. NaN and infinities are refused. Source: scikit-learn `svm/_base.py`,
//! `utils/multiclass.py`; libsvm `svm.cpp`, `predict_values`, `predict_probability`.

use flock_ir_spec::{Composite, Diagnostic, Frame, NodeId, Op};

use crate::columns::Columns;
use crate::coupling;
use crate::labels::Labels;
use crate::lift::{Lift, Lifted, Lifter};
use crate::prediction::{Classes, Decision};
use crate::read::view::{Plain, View};
use crate::support_vectors::SupportVectors;
use crate::votes;

const READS: &[&str] = &["kernel", "degree", "coef0", "_gamma", "_sparse", "support_", "support_vectors_", "_dual_coef_", "_intercept_", "classes_", "_n_support", "decision_function_shape", "break_ties", "probability", "_probA", "_probB"];

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        class: "sklearn.svm.NuSVC",
        reads: READS,
        ignores: &["C", "cache_size", "class_weight", "epsilon", "gamma", "max_iter", "nu", "random_state", "shrinking", "tol", "verbose", "class_weight_", "dual_coef_", "fit_status_", "intercept_", "n_iter_", "shape_fit_", "_effective_probability", "_num_iter"],
        lift,
    },
    Lifter {
        class: "sklearn.svm.SVC",
        reads: READS,
        ignores: &["C", "cache_size", "class_weight", "epsilon", "gamma", "max_iter", "nu", "random_state", "shrinking", "tol", "verbose", "class_weight_", "dual_coef_", "fit_status_", "intercept_", "n_iter_", "shape_fit_", "_effective_probability", "_num_iter"],
        lift,
    },
];

/// More classes have more pairs than a graph is for.
const MAX_CLASSES: usize = 100;

type Res<T> = Result<T, Diagnostic>;

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let labels = Labels::of(&view.attr("classes_")?)?;
    let n = labels.len();
    if !(2..=MAX_CLASSES).contains(&n) {
        return Err(view.attr("classes_")?.expected(&format!("2 to {MAX_CLASSES} classes")));
    }
    let machine = SupportVectors::of(view, input.width())?;
    let raw = machine.sums(cx, view, &input, &pairs(view, &machine, n)?)?;
    let one_versus_rest = shape(view)?;
    let ties = view.attr("break_ties")?.bool()? && n > 2;
    let scores = match (n, one_versus_rest) {
        (2, _) => cx.op(Op::Neg, &[raw])?,
        (_, true) => one_versus_rest_scores(cx, raw, n)?,
        (_, false) => raw,
    };
    let label = match (n, ties) {
        (2, _) => first_unless_positive(cx, &labels, raw)?,
        (_, true) => cx.label_of_greatest(&labels, scores)?,
        (_, false) => {
            let counts = count(cx, raw, n)?;
            cx.label_of_greatest(&labels, counts)?
        }
    };
    let mut classes = Classes::new(labels, label);
    classes.decision = Some(Decision { scores, pairwise: n > 2 && !one_versus_rest });
    if matches!(view.attr("probability")?.plain()?, Plain::Bool(true)) {
        classes = classes.with_probabilities(probabilities(cx, view, raw, n)?);
    }
    Ok(Lifted::Prediction(classes.alone()))
}

/// Whether the decision function has a column per class.
fn shape(view: &View<'_>) -> Res<bool> {
    let shape = view.attr("decision_function_shape")?;
    match shape.str() {
        Some("ovr") => Ok(true),
        Some("ovo") if view.attr("break_ties")?.bool()? => {
            Err(shape.unsupported("`break_ties` with `ovo`, where the library itself refuses to predict"))
        }
        Some("ovo") => Ok(false),
        _ => Err(shape.unsupported("a shape of the decision function that is not known")),
    }
}

/// The weights of each pair's decision: those of the first class against the second, and the other way round.
fn pairs(view: &View<'_>, machine: &SupportVectors, classes: usize) -> Res<Vec<Vec<(usize, f64)>>> {
    let counts = view.attr("_n_support")?;
    let sizes = counts.sizes()?;
    let (dual, count) = (&machine.dual, machine.count());
    let total = sizes.iter().try_fold(0usize, |a, n| a.checked_add(*n));
    if sizes.len() != classes || total != Some(count) || dual.rows != classes - 1 {
        return Err(counts.expected(&format!("support vectors of {classes} classes, {count} in all")));
    }
    let ends = sizes.iter().scan(0, |end, n| {
        *end += n;
        Some(*end)
    });
    let ranges: Vec<std::ops::Range<usize>> = ends.zip(&sizes).map(|(end, n)| end - n..end).collect();
    let weights = |row: usize, class: usize| ranges[class].clone().map(move |s| (s, dual.values[row * count + s]));
    let pairs = (0..classes).flat_map(|i| (i + 1..classes).map(move |j| (i, j)));
    Ok(pairs.map(|(i, j)| weights(j - 1, i).chain(weights(i, j)).collect()).collect())
}

/// libsvm's label for two classes: the first where the sum is positive.
fn first_unless_positive(cx: &mut Lift, labels: &Labels, raw: NodeId) -> Res<NodeId> {
    let zero = cx.b.constant(Frame::row_f64([0.0]));
    let positive = cx.op(Op::Gt, &[raw, zero])?;
    let (first, second) = (cx.b.constant(labels.row(0)), cx.b.constant(labels.row(1)));
    cx.op(Op::Select, &[positive, first, second])
}

/// libsvm's votes: the first of a pair where its decision is positive.
fn count(cx: &mut Lift, raw: NodeId, classes: usize) -> Res<NodeId> {
    let zero = cx.b.constant(Frame::row_f64([0.0]));
    let first = cx.op(Op::Gt, &[raw, zero])?;
    votes::count(cx, first, classes)
}

/// `_ovr_decision_function` of the pairs' decisions, which are confidences in the first.
fn one_versus_rest_scores(cx: &mut Lift, raw: NodeId, classes: usize) -> Res<NodeId> {
    let zero = cx.b.constant(Frame::row_f64([0.0]));
    let second = cx.op(Op::Lt, &[raw, zero])?;
    let first = cx.op(Op::Not, &[second])?;
    let minus = cx.op(Op::Neg, &[raw])?;
    votes::one_versus_rest(cx, first, minus, classes)
}

/// Platt's logistic of each pair's decision, kept off 0 and 1, and coupled.
fn probabilities(cx: &mut Lift, view: &View<'_>, raw: NodeId, classes: usize) -> Res<NodeId> {
    let pairs = classes * (classes - 1) / 2;
    let (a, b) = (view.attr("_probA")?.f64s_of(pairs)?, view.attr("_probB")?.f64s_of(pairs)?);
    let scaled = cx.with_row(Op::Mul, raw, a)?;
    let shifted = cx.with_row(Op::Add, scaled, b)?;
    let argument = cx.op(Op::Neg, &[shifted])?;
    let p = cx.op(Op::Logistic, &[argument])?;
    let (low, high) = (cx.b.constant(Frame::row_f64([1e-7])), cx.b.constant(Frame::row_f64([1.0 - 1e-7])));
    let p = cx.op(Op::Composite(Composite::CLIP), &[p, low, high])?;
    coupling::probabilities(cx, p, classes)
}
