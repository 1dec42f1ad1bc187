//! `KNeighborsClassifier`, `KNeighborsRegressor`, `KNeighborsTransformer`: votes, means and distances of the nearest
//! training rows. What is read of these, and what happens with ties, stands in `neighbours.rs`.
//!
//! | `n_neighbors` | how many |   | `weights` | `uniform`, `distance` |
//! | `_y` | per target: the number of each training row's class, or its value |
//! | `classes_`, `outputs_2d_` | labels, a list of them for several targets |
//! | `mode` | of the transformer: `distance`, where a row is among its own neighbours, or `connectivity` |
//!
//! NaN and infinities are refused. Source: scikit-learn `neighbors/_classification.py`, `_regression.py`, `_graph.py`.

use flock_ir_spec::{Diagnostic, Frame, NodeId, Op};

use crate::columns::{Columns, Facts};
use crate::estimators::per_column;
use crate::labels::Labels;
use crate::lift::{Lift, Lifted, Lifter};
use crate::nearest::numbered_names;
use crate::neighbours::{self, Nearest, Targets, Training};
use crate::prediction::{Classes, Prediction};
use crate::read::view::View;
use crate::version::Version;

const READS: &[&str] = &[
    "n_neighbors", "weights", "_y", "_fit_X", "_fit_method", "effective_metric_", "effective_metric_params_", "p",
    "n_samples_fit_",
];
const IGNORES: &[&str] = &["algorithm", "leaf_size", "metric", "metric_params", "n_jobs", "radius", "_tree"];

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        class: "sklearn.neighbors.KNeighborsClassifier",
        reads: &[
            "n_neighbors", "weights", "_y", "classes_", "outputs_2d_", "_fit_X", "_fit_method", "effective_metric_",
            "effective_metric_params_", "p", "n_samples_fit_",
        ],
        ignores: IGNORES,
        lift: classifier,
    },
    Lifter { class: "sklearn.neighbors.KNeighborsRegressor", reads: READS, ignores: IGNORES, lift: regressor },
    Lifter {
        class: "sklearn.neighbors.KNeighborsTransformer",
        reads: &[
            "n_neighbors", "mode", "_fit_X", "_fit_method", "effective_metric_", "effective_metric_params_", "p",
            "n_samples_fit_",
        ],
        ignores: &["algorithm", "leaf_size", "metric", "metric_params", "n_jobs", "radius", "_tree", "_n_features_out"],
        lift: transformer,
    },
];

type Res<T> = Result<T, Diagnostic>;

/// The nearest rows, and their weights unless they count alike.
fn neighbours(cx: &mut Lift, view: &View<'_>, input: &Columns, training: &Training) -> Res<(Nearest, Option<NodeId>)> {
    let reduced = training.reduced(cx, view, input)?;
    let nearest = training.nearest(cx, view, reduced, view.attr("n_neighbors")?.size()?)?;
    if neighbours::alike(view)? {
        return Ok((nearest, None));
    }
    let distances = nearest.distances(cx, training)?;
    Ok((nearest, Some(neighbours::weights(cx, distances, None)?)))
}

fn classifier(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let training = Training::of(view, input.width())?;
    let targets = Targets::of(view, training.rows)?;
    let labels = view.attr("classes_")?;
    let labels = match view.attr("outputs_2d_")?.bool()? {
        true => per_column(&labels, targets.columns.len())?,
        false => vec![labels],
    };
    let (nearest, weights) = neighbours(cx, view, &input, &training)?;
    // Neighbours infinitely far away have no weight: since 1.3 the library refuses the row.
    let refused = Version::of(view)? >= Version(1, 3);
    if let Some(weights) = weights.filter(|_| refused) {
        let some = cx.with_row(Op::Ne, weights, vec![0.0])?;
        let some = cx.op(Op::Any, &[some])?;
        cx.refuse_unless_all(some)?;
    }
    let mut classes = Vec::with_capacity(labels.len());
    for (labels, codes) in labels.iter().zip(targets.columns) {
        let labels = Labels::of(labels)?;
        let codes = nearest.of(cx, codes)?;
        let votes = votes(cx, codes, weights, labels.len())?;
        let label = cx.label_of_greatest(&labels, votes)?;
        let sum = cx.op(Op::Sum, &[votes])?;
        let sum = if weights.is_none() || refused { sum } else { one_for_zero(cx, sum)? };
        let probabilities = cx.op(Op::Div, &[votes, sum])?;
        classes.push(Classes::new(labels, label).with_probabilities(probabilities));
    }
    Ok(Lifted::Prediction(Prediction::Classes(classes)))
}

fn one_for_zero(cx: &mut Lift, x: NodeId) -> Res<NodeId> {
    let (zero, one) = (cx.b.constant(Frame::row_f64([0.0])), cx.b.constant(Frame::row_f64([1.0])));
    let none = cx.op(Op::Eq, &[x, zero])?;
    cx.op(Op::Select, &[none, one, x])
}

/// Per class the sum of the weights of the neighbours that are of it.
fn votes(cx: &mut Lift, codes: NodeId, weights: Option<NodeId>, classes: usize) -> Res<NodeId> {
    let (zero, one) = (cx.b.constant(Frame::row_f64([0.0])), cx.b.constant(Frame::row_f64([1.0])));
    let sums = (0..classes).map(|class| {
        let of_class = cx.with_row(Op::Eq, codes, vec![class as f64])?;
        let votes = cx.op(Op::Select, &[of_class, weights.unwrap_or(one), zero])?;
        cx.op(Op::Sum, &[votes])
    });
    let sums = sums.collect::<Res<Vec<_>>>()?;
    cx.side_by_side(&sums)
}

fn regressor(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let training = Training::of(view, input.width())?;
    let targets = Targets::of(view, training.rows)?;
    let (nearest, weights) = neighbours(cx, view, &input, &training)?;
    let total = match weights {
        Some(weights) => cx.op(Op::Sum, &[weights])?,
        None => cx.b.constant(Frame::row_f64([cx.width(nearest.index) as f64])),
    };
    let means = targets.columns.into_iter().map(|target| {
        let mut values = nearest.of(cx, target)?;
        if let Some(weights) = weights {
            values = cx.op(Op::Mul, &[values, weights])?;
        }
        let sum = cx.op(Op::Sum, &[values])?;
        cx.op(Op::Div, &[sum, total])
    });
    let means = means.collect::<Res<Vec<_>>>()?;
    Ok(Lifted::Prediction(Prediction::Numbers(cx.side_by_side(&means)?)))
}

/// A column per training row: its distance, or 1, where it is among the nearest, else 0.
fn transformer(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let training = Training::of(view, input.width())?;
    let mode = view.attr("mode")?;
    let distances = match mode.str() {
        Some("distance") => true,
        Some("connectivity") => false,
        _ => return Err(mode.unsupported("a mode that is not known")),
    };
    let count = view.attr("n_neighbors")?.size()? + usize::from(distances);
    let reduced = training.reduced(cx, view, &input)?;
    let nearest = training.nearest(cx, view, reduced, count)?;
    let numbers: Vec<i64> = (0..training.rows as i64).collect();
    let numbers = cx.b.constant(Frame::row_i64(numbers));
    let chosen = (0..count).map(|rank| {
        let index = cx.pick(nearest.index, &[rank])?;
        cx.op(Op::Eq, &[numbers, index])
    });
    let chosen = chosen.collect::<Res<Vec<_>>>()?;
    let chosen = if chosen.len() == 1 { chosen[0] } else { cx.op(Op::Or, &chosen)? };
    let zero = cx.b.constant(Frame::row_f64([0.0]));
    let value = match distances {
        true => training.distance(cx, reduced)?,
        false => cx.b.constant(Frame::row_f64([1.0])),
    };
    let table = cx.op(Op::Select, &[chosen, value, zero])?;
    let facts = Facts { overflow: true, ..Facts::RAW };
    let mut out = Columns::node(table, training.rows, facts, Some(numbered_names(view, training.rows)));
    out.sparse = true;
    Ok(Lifted::Columns(out))
}
