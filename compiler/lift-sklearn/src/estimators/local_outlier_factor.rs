//! `LocalOutlierFactor(novelty=True)`: how much thinner the training rows lie around a row than around its neighbours.
//! What is read of the training rows, and what happens with ties, stands in `neighbours.rs`.
//!
//! | `n_neighbors_` | how many |   | `offset_` | a number |   | `novelty` | must be true |
//! | `_distances_fit_X_` | [m, n_neighbors]: of each training row, the distances to its own neighbours |
//! | `_lrd` | [m]: of each training row, 1 over the mean reach of its neighbours |
//!
//! Without `novelty` the class only tells which of its training rows are outliers: refused, there is no `predict`.
//! NaN and infinities are refused. Source: scikit-learn `neighbors/_lof.py`.

use flock_ir_spec::{Diagnostic, Frame, NodeId, Op};

use crate::columns::Columns;
use crate::lift::{Lift, Lifted, Lifter};
use crate::neighbours::Training;
use crate::prediction::Prediction;
use crate::read::view::View;

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.neighbors.LocalOutlierFactor",
    reads: &[
        "novelty", "n_neighbors_", "offset_", "_distances_fit_X_", "_lrd", "_fit_X", "_fit_method",
        "effective_metric_", "effective_metric_params_", "p", "n_samples_fit_",
    ],
    ignores: &[
        "algorithm", "contamination", "leaf_size", "metric", "metric_params", "n_jobs", "n_neighbors", "radius",
        "_tree", "negative_outlier_factor_",
    ],
    lift,
};

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let novelty = view.attr("novelty")?;
    if !novelty.bool()? {
        let why = "outliers among the training rows alone (`novelty=False`): there is no `predict` for other rows";
        return Err(novelty.unsupported(why));
    }
    let training = Training::of(view, input.width())?;
    let count = view.attr("n_neighbors_")?.size()?;
    let reaches = view.attr("_distances_fit_X_")?;
    let own = reaches.matrix()?;
    if own.rows != training.rows || own.columns != count || own.values.len() != own.rows * own.columns {
        return Err(reaches.expected(&format!("{count} distances of each of {} rows", training.rows)));
    }
    let farthest = own.values.chunks(count).map(|row| row[count - 1]).collect();
    let densities = view.attr("_lrd")?.f64s_of(training.rows)?;
    let reduced = training.reduced(cx, view, &input)?;
    let nearest = training.nearest(cx, view, reduced, count)?;
    let distances = nearest.distances(cx, &training)?;
    let farthest = nearest.of(cx, farthest)?;
    let reach = cx.op(Op::Max, &[distances, farthest])?;
    let mean = average(cx, reach)?;
    let mean = cx.with_row(Op::Add, mean, vec![1e-10])?;
    let one = cx.b.constant(Frame::row_f64([1.0]));
    let density = cx.op(Op::Div, &[one, mean])?;
    let densities = nearest.of(cx, densities)?;
    let ratios = cx.op(Op::Div, &[densities, density])?;
    let factor = average(cx, ratios)?;
    let minus = cx.op(Op::Neg, &[factor])?;
    let score = cx.with_row(Op::Sub, minus, vec![view.attr("offset_")?.f64()?])?;
    let zero = cx.b.constant(Frame::row_f64([0.0]));
    let outlier = cx.op(Op::Lt, &[score, zero])?;
    let inlier = cx.op(Op::Not, &[outlier])?;
    let label = cx.inlier_if(inlier)?;
    Ok(Lifted::Prediction(Prediction::Outliers { label, score }))
}

fn average(cx: &mut Lift, values: NodeId) -> Result<NodeId, Diagnostic> {
    let sum = cx.op(Op::Sum, &[values])?;
    let count = cx.width(values) as f64;
    cx.with_row(Op::Div, sum, vec![count])
}
