//! `SVR`, `NuSVR`, `OneClassSVM`: kernel values against the support vectors, weighted and summed.
//!
//! The attributes are those of [`crate::support_vectors`]; the sum is the prediction, or the score of an outlier
//! detector, whose inliers lie above 0.
//!
//! NaN and infinities are refused. Source: scikit-learn `svm/_base.py`; libsvm `svm.cpp`, `predict_values`.

use flock_ir_spec::{Diagnostic, Frame, NodeId, Op};

use crate::columns::Columns;
use crate::lift::{Lift, Lifted, Lifter};
use crate::prediction::Prediction;
use crate::read::view::View;
use crate::support_vectors::{READS, SupportVectors};

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        class: "sklearn.svm.NuSVR",
        reads: READS,
        ignores: &["C", "cache_size", "class_weight", "epsilon", "gamma", "max_iter", "nu", "probability", "random_state", "shrinking", "tol", "verbose", "dual_coef_", "fit_status_", "intercept_", "n_iter_", "shape_fit_", "_effective_probability", "_n_support", "_num_iter", "_probA", "_probB"],
        lift: regressor,
    },
    Lifter {
        class: "sklearn.svm.OneClassSVM",
        reads: READS,
        ignores: &["C", "cache_size", "class_weight", "epsilon", "gamma", "max_iter", "nu", "probability", "random_state", "shrinking", "tol", "verbose", "dual_coef_", "fit_status_", "intercept_", "n_iter_", "offset_", "shape_fit_", "_effective_probability", "_n_support", "_num_iter", "_probA", "_probB"],
        lift: outliers,
    },
    Lifter {
        class: "sklearn.svm.SVR",
        reads: READS,
        ignores: &["C", "cache_size", "class_weight", "epsilon", "gamma", "max_iter", "nu", "probability", "random_state", "shrinking", "tol", "verbose", "dual_coef_", "fit_status_", "intercept_", "n_iter_", "shape_fit_", "_effective_probability", "_n_support", "_num_iter", "_probA", "_probB"],
        lift: regressor,
    },
];

fn regressor(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    Ok(Lifted::Prediction(Prediction::Numbers(sum(cx, view, &input)?)))
}

fn outliers(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let score = sum(cx, view, &input)?;
    let zero = cx.b.constant(Frame::row_f64([0.0]));
    let inlier = cx.op(Op::Gt, &[score, zero])?;
    let label = cx.inlier_if(inlier)?;
    Ok(Lifted::Prediction(Prediction::Outliers { label, score }))
}

fn sum(cx: &mut Lift, view: &View<'_>, input: &Columns) -> Result<NodeId, Diagnostic> {
    let machine = SupportVectors::of(view, input.width())?;
    let weights = machine.dual.values.clone();
    machine.sums(cx, view, input, &[(0..machine.count()).zip(weights).collect()])
}
