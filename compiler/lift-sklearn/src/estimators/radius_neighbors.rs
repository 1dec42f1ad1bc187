//! `RadiusNeighborsClassifier`, `RadiusNeighborsRegressor`: votes and means of the training rows within a radius. What is
//! read of these stands in `neighbours.rs`; there are no ties here.
//!
//! | `radius` | a distance; rows at it count; None is NaN to the tree indices: no row is within |   | `weights` | `uniform`, `distance` |
//! | `_y` | per target: the number of each training row's class, or its value |
//! | `classes_`, `outputs_2d_` | labels, a list of them for several targets |
//! | `outlier_label_` | per target the label of rows without neighbours; None: these rows are refused |
//!
//! A regressor gives NaN to a row without neighbours, and the least int64 where its targets are integers.
//! NaN and infinities are refused. Source: scikit-learn `neighbors/_classification.py`, `_regression.py`.

use flock_ir_spec::{Diagnostic, Frame, NodeId, Op};

use crate::columns::Columns;
use crate::estimators::per_column;
use crate::labels::Labels;
use crate::lift::{Lift, Lifted, Lifter};
use crate::neighbours::{self, Targets, Training};
use crate::prediction::{Classes, Prediction};
use crate::read::view::View;

const IGNORES: &[&str] =
    &["algorithm", "leaf_size", "metric", "metric_params", "n_jobs", "n_neighbors", "outlier_label", "_tree"];

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        class: "sklearn.neighbors.RadiusNeighborsClassifier",
        reads: &[
            "radius", "weights", "_y", "classes_", "outputs_2d_", "outlier_label_", "_fit_X", "_fit_method",
            "effective_metric_", "effective_metric_params_", "p", "n_samples_fit_",
        ],
        ignores: IGNORES,
        lift: classifier,
    },
    Lifter {
        class: "sklearn.neighbors.RadiusNeighborsRegressor",
        reads: &[
            "radius", "weights", "_y", "_fit_X", "_fit_method", "effective_metric_", "effective_metric_params_", "p",
            "n_samples_fit_",
        ],
        ignores: IGNORES,
        lift: regressor,
    },
];

type Res<T> = Result<T, Diagnostic>;

/// What each training row counts, a column each: 0 outside of the radius. And whether any is inside.
fn neighbourhood(cx: &mut Lift, view: &View<'_>, input: &Columns, training: &Training) -> Res<(NodeId, NodeId)> {
    let reduced = training.reduced(cx, view, input)?;
    let within = training.within(cx, reduced, radius(view)?)?;
    let any = cx.op(Op::Any, &[within])?;
    let weights = if neighbours::alike(view)? {
        let (zero, one) = (cx.b.constant(Frame::row_f64([0.0])), cx.b.constant(Frame::row_f64([1.0])));
        cx.op(Op::Select, &[within, one, zero])?
    } else {
        let distances = training.distance(cx, reduced)?;
        neighbours::weights(cx, distances, Some(within))?
    };
    Ok((weights, any))
}

fn radius(view: &View<'_>) -> Res<f64> {
    let radius = view.attr("radius")?;
    match view.attr("_fit_method")?.str() {
        Some("brute") if radius.is_none() => {
            Err(radius.unsupported("no radius without an index: the library itself fails on every row"))
        }
        _ if radius.is_none() => Ok(f64::NAN),
        _ => radius.f64(),
    }
}

fn classifier(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let training = Training::of(view, input.width())?;
    let targets = Targets::of(view, training.rows)?;
    let n = targets.columns.len();
    let labels = view.attr("classes_")?;
    let labels = if view.attr("outputs_2d_")?.bool()? { per_column(&labels, n)? } else { vec![labels] };
    let outlier = view.attr("outlier_label_")?;
    let (weights, any) = neighbourhood(cx, view, &input, &training)?;
    let outliers = if outlier.is_none() {
        cx.refuse_unless_all(any)?;
        None
    } else {
        Some(Labels::of(&outlier)?)
    };
    let mut classes = Vec::with_capacity(n);
    for (target, (labels, codes)) in labels.iter().zip(&targets.columns).enumerate() {
        let labels = Labels::of(labels)?;
        let votes = votes(cx, weights, codes, labels.len())?;
        let outlier = match &outliers {
            None => None,
            Some(outliers) if target < outliers.len() => Some((outliers.texts[target].as_str(), outliers.row(target))),
            Some(_) => return Err(outlier.expected("a label for each target")),
        };
        classes.push(shares(cx, labels, votes, any, outlier)?);
    }
    Ok(Lifted::Prediction(Prediction::Classes(classes)))
}

/// Per class the sum of the weights of its training rows.
fn votes(cx: &mut Lift, weights: NodeId, codes: &[f64], classes: usize) -> Res<NodeId> {
    let sums = (0..classes).map(|class| {
        let rows: Vec<usize> = (0..codes.len()).filter(|i| codes[*i] == class as f64).collect();
        if rows.is_empty() {
            return Ok(cx.b.constant(Frame::row_f64([0.0])));
        }
        let own = cx.pick(weights, &rows)?;
        cx.op(Op::Sum, &[own])
    });
    let sums = sums.collect::<Res<Vec<_>>>()?;
    cx.side_by_side(&sums)
}

/// Votes divided by their sum, and the label of the greatest. A row without neighbours is of the outliers' label, with
/// certainty where that is one of the classes.
fn shares(
    cx: &mut Lift,
    labels: Labels,
    votes: NodeId,
    any: NodeId,
    outlier: Option<(&str, Frame)>,
) -> Res<Classes> {
    let known = outlier.as_ref().and_then(|(text, _)| labels.texts.iter().position(|label| label == text));
    let votes = match known {
        None => votes,
        Some(label) => {
            let certain: Vec<f64> = (0..labels.len()).map(|i| if i == label { 1.0 } else { 0.0 }).collect();
            let certain = cx.b.constant(Frame::row_f64(certain));
            cx.op(Op::Select, &[any, votes, certain])?
        }
    };
    let sum = cx.op(Op::Sum, &[votes])?;
    let (zero, one) = (cx.b.constant(Frame::row_f64([0.0])), cx.b.constant(Frame::row_f64([1.0])));
    let empty = cx.op(Op::Eq, &[sum, zero])?;
    let sum = cx.op(Op::Select, &[empty, one, sum])?;
    let probabilities = cx.op(Op::Div, &[votes, sum])?;
    let mut label = cx.label_of_greatest(&labels, probabilities)?;
    if let Some((_, row)) = outlier.filter(|_| known.is_none()) {
        let own = cx.b.constant(row);
        label = cx.op(Op::Select, &[any, label, own])?;
    }
    Ok(Classes::new(labels, label).with_probabilities(probabilities))
}

fn regressor(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let training = Training::of(view, input.width())?;
    let targets = Targets::of(view, training.rows)?;
    let (weights, any) = neighbourhood(cx, view, &input, &training)?;
    let total = cx.op(Op::Sum, &[weights])?;
    // NaN as an integer.
    let none = if targets.whole { i64::MIN as f64 } else { f64::NAN };
    let none = cx.b.constant(Frame::row_f64([none]));
    let means = targets.columns.into_iter().map(|target| {
        let values = cx.with_row(Op::Mul, weights, target)?;
        let sum = cx.op(Op::Sum, &[values])?;
        let mean = cx.op(Op::Div, &[sum, total])?;
        cx.op(Op::Select, &[any, mean, none])
    });
    let means = means.collect::<Res<Vec<_>>>()?;
    Ok(Lifted::Prediction(Prediction::Numbers(cx.side_by_side(&means)?)))
}
