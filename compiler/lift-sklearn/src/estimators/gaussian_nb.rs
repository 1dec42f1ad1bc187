//! `GaussianNB`: a normal distribution per class and column.
//!
//! | `classes_` | labels |   | `class_prior_` | [classes] |   | `theta_`, `var_` | [classes, k]: means and variances |
//!
//! NaN and infinities are refused. Source: scikit-learn `naive_bayes.py`.

use std::f64::consts::PI;

use flock_ir_spec::{Diagnostic, Op};

use crate::columns::Columns;
use crate::labels::Labels;
use crate::lift::{Lift, Lifted, Lifter};
use crate::linear;
use crate::prediction::Classes;
use crate::read::view::View;
use crate::trees::pairwise_sum;

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.naive_bayes.GaussianNB",
    reads: &["classes_", "class_prior_", "theta_", "var_"],
    ignores: &["priors", "var_smoothing", "class_count_", "epsilon_"],
    lift,
};

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let (labels, width) = (Labels::of(&view.attr("classes_")?)?, input.width());
    let (means, variances) = (linear::table(view, "theta_", width)?, linear::table(view, "var_", width)?);
    if means.rows != labels.len() || variances.rows != labels.len() || width == 0 {
        return Err(view.attr("theta_")?.expected(&format!("means of {} classes", labels.len())));
    }
    let priors = view.attr("class_prior_")?.f64s_of(labels.len())?;
    let x = linear::finite(cx, view, &input)?;
    let mut joint = Vec::with_capacity(labels.len());
    for (i, (mean, variance)) in means.values.chunks(width).zip(variances.values.chunks(width)).enumerate() {
        let centred = cx.with_row(Op::Sub, x, mean.to_vec())?;
        let square = cx.op(Op::Mul, &[centred, centred])?;
        let scaled = cx.with_row(Op::Div, square, variance.to_vec())?;
        let sum = cx.op(Op::Sum, &[scaled])?;
        let half = cx.with_row(Op::Mul, sum, vec![-0.5])?;
        let logs: Vec<f64> = variance.iter().map(|v| (2.0 * PI * v).ln()).collect();
        let likelihood = cx.with_row(Op::Add, half, vec![-0.5 * pairwise_sum(&logs)])?;
        joint.push(cx.with_row(Op::Add, likelihood, vec![priors[i].ln()])?);
    }
    let joint = cx.side_by_side(&joint)?;
    let label = cx.label_of_greatest(&labels, joint)?;
    let probabilities = cx.op(Op::Softmax, &[joint])?;
    Ok(Lifted::Prediction(Classes::new(labels, label).with_probabilities(probabilities).alone()))
}
