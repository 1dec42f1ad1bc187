//! `GaussianProcessRegressor`: the mean of the posterior, covariances with the fitted rows, weighted and summed.
//!
//! | `kernel_` | [`Covariance`] |   | `X_train_` | [rows, k] |   | `alpha_` | [rows] or [rows, targets] |
//! | `_y_train_mean`, `_y_train_std` | one per target: what `normalize_y` took away |
//!
//! NaN and infinities are refused. Source: scikit-learn `gaussian_process/_gpr.py`.

use flock_ir_spec::{Diagnostic, Frame, NodeId, Op};

use crate::columns::Columns;
use crate::covariances::Covariance;
use crate::lift::{Lift, Lifted, Lifter};
use crate::linear;
use crate::prediction::Prediction;
use crate::read::view::{Matrix, View};

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.gaussian_process.GaussianProcessRegressor",
    reads: &["kernel_", "X_train_", "alpha_", "_y_train_mean", "_y_train_std"],
    ignores: &["alpha", "copy_X_train", "kernel", "n_restarts_optimizer", "n_targets", "normalize_y", "optimizer", "random_state", "L_", "log_marginal_likelihood_value_", "y_train_", "_rng"],
    lift,
};

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let width = input.width();
    let covariance = Covariance::of(&view.attr("kernel_")?, width)?;
    let rows = linear::table(view, "X_train_", width)?;
    let alpha = view.attr("alpha_")?;
    let weights = match alpha.shape()?[..] {
        [_] => alpha.matrix()?,
        _ => alpha.matrix()?.transposed(),
    };
    if weights.columns != rows.rows || rows.rows == 0 {
        return Err(alpha.expected(&format!("a weight for each of {} rows", rows.rows)));
    }
    let targets = weights.rows;
    let x = linear::finite(cx, view, &input)?;
    let values = covariance.values(cx, view, x, &rows)?;
    let sum = weighted(cx, x, values, weights)?;
    let scaled = cx.with_row(Op::Mul, sum, per_target(view, "_y_train_std", targets)?)?;
    let mean = cx.with_row(Op::Add, scaled, per_target(view, "_y_train_mean", targets)?)?;
    Ok(Lifted::Prediction(Prediction::Numbers(mean)))
}

/// The values times weights, summed: a column per row of weights. One column of values stands for all.
pub(super) fn weighted(cx: &mut Lift, x: NodeId, values: NodeId, weights: Matrix) -> Result<NodeId, Diagnostic> {
    let targets = weights.rows;
    let mut values = values;
    if cx.width(values) != weights.columns {
        let ones = cx.b.constant(Frame::row_f64(vec![1.0; weights.columns]));
        values = cx.op(Op::Mul, &[values, ones])?;
    }
    if cx.b.constant_of(values).is_some() {
        // A kernel that is constant does not look at the row, but the row is there.
        let nothing = cx.with_row(Op::Mul, x, vec![0.0])?;
        let nothing = cx.op(Op::Sum, &[nothing])?;
        values = cx.op(Op::Add, &[values, nothing])?;
    }
    linear::map(cx, values, weights, vec![0.0; targets])
}

fn per_target(view: &View<'_>, name: &str, targets: usize) -> Result<Vec<f64>, Diagnostic> {
    let values = view.attr(name)?.f64s()?;
    match values.len() {
        1 => Ok(vec![values[0]; targets]),
        n if n == targets => Ok(values),
        _ => Err(view.attr(name)?.expected(&format!("a number for each of {targets} targets"))),
    }
}
