//! `QuadraticDiscriminantAnalysis`: the log posterior under a normal distribution per class.
//!
//! | `classes_` | labels |   | `priors_` | [classes] |   | `means_` | [classes, k] |
//! | `rotations_`, `scalings_` | per class [k, rank], [rank]: axes and variances along them |
//!
//! NaN and infinities are refused. Source: scikit-learn `discriminant_analysis.py`.

use flock_ir_spec::{Diagnostic, NodeId, Op};

use crate::columns::Columns;
use crate::estimators::per_column;
use crate::labels::Labels;
use crate::lift::{Lift, Lifted, Lifter};
use crate::linear;
use crate::prediction::Classes;
use crate::read::view::View;
use crate::trees::pairwise_sum;

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.discriminant_analysis.QuadraticDiscriminantAnalysis",
    reads: &["classes_", "priors_", "means_", "scalings_", "rotations_"],
    ignores: &["covariance_estimator", "priors", "reg_param", "shrinkage", "solver", "store_covariance", "tol", "covariance_"],
    lift,
};

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let labels = Labels::of(&view.attr("classes_")?)?;
    let n = labels.len();
    let means = linear::table(view, "means_", input.width())?;
    if n < 2 || means.rows != n {
        return Err(view.attr("means_")?.expected(&format!("means of {n} classes")));
    }
    let rotations = per_column(&view.attr("rotations_")?, n)?;
    let scalings = per_column(&view.attr("scalings_")?, n)?;
    let x = linear::finite(cx, view, &input)?;
    let mut norms = Vec::with_capacity(n);
    let mut logs = Vec::with_capacity(n);
    for (i, mean) in means.values.chunks(input.width()).enumerate() {
        let (norm, log) = distance(cx, x, mean, &rotations[i], &scalings[i])?;
        norms.push(norm);
        logs.push(log);
    }
    let norms = cx.side_by_side(&norms)?;
    let sum = cx.with_row(Op::Add, norms, logs)?;
    let likelihood = cx.with_row(Op::Mul, sum, vec![-0.5])?;
    let priors = view.attr("priors_")?.f64s_of(n)?.into_iter().map(f64::ln).collect();
    let posterior = cx.with_row(Op::Add, likelihood, priors)?;
    let label = cx.label_of_greatest(&labels, posterior)?;
    let probabilities = cx.op(Op::Softmax, &[posterior])?;
    let scores = if n == 2 {
        let (first, second) = (cx.pick(posterior, &[0])?, cx.pick(posterior, &[1])?);
        cx.op(Op::Sub, &[second, first])?
    } else {
        posterior
    };
    let classes = Classes::new(labels, label).with_probabilities(probabilities).with_decision(scores);
    Ok(Lifted::Prediction(classes.alone()))
}

/// The squared length of the row along a class's axes, in standard deviations, and the sum of the variances' logs.
fn distance(
    cx: &mut Lift,
    x: NodeId,
    mean: &[f64],
    rotation: &View<'_>,
    scaling: &View<'_>,
) -> Result<(NodeId, f64), Diagnostic> {
    let axes = rotation.matrix()?;
    if axes.rows != mean.len() {
        return Err(rotation.expected(&format!("a row for each of {} columns", mean.len())));
    }
    let variances = scaling.f64s_of(axes.columns)?;
    let mut weights = axes.transposed();
    for (axis, variance) in weights.values.chunks_mut(mean.len()).zip(&variances) {
        axis.iter_mut().for_each(|w| *w *= variance.powf(-0.5));
    }
    let centred = cx.with_row(Op::Sub, x, mean.to_vec())?;
    let n = weights.rows;
    let along = linear::map(cx, centred, weights, vec![0.0; n])?;
    let squares = cx.op(Op::Mul, &[along, along])?;
    let logs: Vec<f64> = variances.iter().map(|v| v.ln()).collect();
    Ok((cx.op(Op::Sum, &[squares])?, pairwise_sum(&logs)))
}
