//! `GaussianProcessClassifier`: a latent process per class, or per pair of classes, through a logistic.
//!
//! | `base_estimator_` | the process for two classes, else a `OneVsRestClassifier` or `OneVsOneClassifier` of processes |
//! | `multi_class` | `one_vs_rest`: probabilities; `one_vs_one`: labels alone |
//! | of a process: `kernel_`, `X_train_` | [`Covariance`] and [rows, k] |
//! | `y_train_`, `pi_`, `W_sr_`, `L_` | [rows], [rows, rows]: Laplace's approximation |
//!
//! The probability is the mean of a logistic under a normal distribution, by five error functions (Williams and Barber).
//! NaN and infinities are refused. Source: scikit-learn `gaussian_process/_gpc.py`, `multiclass.py`.

use std::f64::consts::PI;

use flock_ir_spec::{Composite, Diagnostic, Frame, NodeId, Op};

use super::gaussian_process_regressor::weighted;
use crate::columns::Columns;
use crate::covariances::Covariance;
use crate::labels::Labels;
use crate::lift::{Lift, Lifted, Lifter};
use crate::linear;
use crate::prediction::Classes;
use crate::read::view::{Matrix, View};
use crate::version::Version;

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.gaussian_process.GaussianProcessClassifier",
    reads: &["base_estimator_", "classes_", "multi_class", "n_classes_"],
    ignores: &["copy_X_train", "kernel", "max_iter_predict", "n_jobs", "n_restarts_optimizer", "optimizer", "random_state", "warm_start", "log_marginal_likelihood_value_"],
    lift,
};

type Res<T> = Result<T, Diagnostic>;

const LAMBDAS: [f64; 5] = [0.41, 0.4, 0.37, 0.44, 0.39];
const COEFS: [f64; 5] = [-1854.8214151, 3516.89893646, 221.29346712, 128.12323805, -2010.49422654];

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let labels = Labels::of(&view.attr("classes_")?)?;
    let base = view.attr("base_estimator_")?;
    let x = linear::finite(cx, view, &input)?;
    let classes = match labels.len() {
        2 => {
            let process = Process::of(cx, &base, x)?;
            let label = linear::label(cx, &labels, process.mean)?;
            let probabilities = cx.both_probabilities(process.probability)?;
            Classes::new(labels, label).with_probabilities(probabilities)
        }
        _ => {
            let processes = base.attr("estimators_")?.items()?;
            let processes = processes.iter().map(|p| Process::of(cx, p, x)).collect::<Res<Vec<_>>>()?;
            match view.attr("multi_class")?.str() {
                Some("one_vs_rest") if processes.len() == labels.len() => against_rest(cx, view, labels, &processes)?,
                Some("one_vs_one") if processes.len() == labels.len() * (labels.len() - 1) / 2 => {
                    against_each_other(cx, labels, &processes)?
                }
                _ => return Err(base.expected(&format!("processes for {} classes", labels.len()))),
            }
        }
    };
    Ok(Lifted::Prediction(classes.alone()))
}

/// A latent process: its mean, and the probability of the second class.
struct Process {
    mean: NodeId,
    probability: NodeId,
}

impl Process {
    fn of(cx: &mut Lift, view: &View<'_>, x: NodeId) -> Res<Process> {
        let width = cx.width(x);
        let covariance = Covariance::of(&view.attr("kernel_")?, width)?;
        let rows = linear::table(view, "X_train_", width)?;
        let n = rows.rows;
        let (y, pi) = (view.attr("y_train_")?.f64s_of(n)?, view.attr("pi_")?.f64s_of(n)?);
        let weights = y.iter().zip(&pi).map(|(y, pi)| y - pi).collect();
        let values = covariance.values(cx, view, x, &rows)?;
        let mean = weighted(cx, x, values, Matrix { rows: 1, columns: n, values: weights })?;
        let along = weighted(cx, x, values, whitening(view, n)?)?;
        let squares = cx.op(Op::Mul, &[along, along])?;
        let explained = cx.op(Op::Sum, &[squares])?;
        let own = covariance.own(cx, view, x)?;
        let variance = cx.op(Op::Sub, &[own, explained])?;
        Ok(Process { mean, probability: probability(cx, mean, variance)? })
    }
}

/// The table L⁻¹ diag(W_sr): the library solves L v = W_sr K.
fn whitening(view: &View<'_>, n: usize) -> Res<Matrix> {
    let (lower, roots) = (view.attr("L_")?, view.attr("W_sr_")?.f64s_of(n)?);
    let l = lower.matrix()?;
    if l.rows != n || l.columns != n || n > MAX_ROWS {
        return Err(lower.expected(&format!("a triangle of {n} rows, at most {MAX_ROWS}")));
    }
    let mut values = vec![0.0; n * n];
    for column in 0..n {
        for row in column..n {
            let known: f64 = (column..row).map(|k| l.values[row * n + k] * values[k * n + column]).sum();
            let right = if row == column { 1.0 } else { 0.0 };
            values[row * n + column] = (right - known) / l.values[row * n + row];
        }
    }
    values.chunks_mut(n).for_each(|row| row.iter_mut().zip(&roots).for_each(|(v, root)| *v *= root));
    Ok(Matrix { rows: n, columns: n, values })
}

/// A triangle of this size takes a gigaflop to turn round.
const MAX_ROWS: usize = 2048;

/// ∫ logistic(z) N(z | mean, variance) dz with the logistic as a sum of error functions.
fn probability(cx: &mut Lift, mean: NodeId, variance: NodeId) -> Res<NodeId> {
    let doubled = cx.with_row(Op::Mul, variance, vec![2.0])?;
    let one = cx.b.constant(Frame::row_f64([1.0]));
    let alpha = cx.op(Op::Div, &[one, doubled])?;
    let gamma = cx.with_row(Op::Mul, mean, LAMBDAS.to_vec())?;
    let sum = cx.with_row(Op::Add, alpha, LAMBDAS.iter().map(|l| l * l).collect())?;
    let share = cx.op(Op::Div, &[alpha, sum])?;
    let root = cx.op(Op::Sqrt, &[share])?;
    let argument = cx.op(Op::Mul, &[gamma, root])?;
    let erf = cx.op(Op::Composite(Composite::ERF), &[argument])?;
    let pi = cx.b.constant(Frame::row_f64([PI]));
    let width = cx.op(Op::Div, &[pi, alpha])?;
    let width = cx.op(Op::Sqrt, &[width])?;
    let area = cx.op(Op::Mul, &[width, erf])?;
    let norm = cx.with_row(Op::Mul, doubled, vec![PI])?;
    let norm = cx.op(Op::Sqrt, &[norm])?;
    let norm = cx.with_row(Op::Mul, norm, vec![2.0])?;
    let integrals = cx.op(Op::Div, &[area, norm])?;
    let terms = cx.with_row(Op::Mul, integrals, COEFS.to_vec())?;
    let sum = cx.op(Op::Sum, &[terms])?;
    cx.with_row(Op::Add, sum, vec![0.5 * COEFS.iter().sum::<f64>()])
}

/// The class of the greatest probability; probabilities divided by their sum.
fn against_rest(cx: &mut Lift, view: &View<'_>, labels: Labels, processes: &[Process]) -> Res<Classes> {
    let columns: Vec<NodeId> = processes.iter().map(|p| p.probability).collect();
    let p = cx.side_by_side(&columns)?;
    let version = Version::of(view)?;
    let label = if version < FIRST_SINCE { last_of_greatest(cx, &labels, p)? } else { cx.label_of_greatest(&labels, p)? };
    let sum = cx.op(Op::Sum, &[p])?;
    let mut probabilities = cx.op(Op::Div, &[p, sum])?;
    if version >= ZERO_SINCE {
        let zero = cx.b.constant(Frame::row_f64([0.0]));
        let none = cx.op(Op::Eq, &[sum, zero])?;
        probabilities = cx.op(Op::Select, &[none, p, probabilities])?;
    }
    Ok(Classes::new(labels, label).with_probabilities(probabilities))
}

/// Until then the last of equally great classes was `OneVsRestClassifier`'s answer.
const FIRST_SINCE: Version = Version(1, 9);

/// Since then probabilities that are all 0 stay so; before, their quotients were NaN.
const ZERO_SINCE: Version = Version(1, 7);

fn last_of_greatest(cx: &mut Lift, labels: &Labels, p: NodeId) -> Res<NodeId> {
    let n = labels.len();
    let backwards = cx.pick(p, &(0..n).rev().collect::<Vec<_>>())?;
    let from_end = cx.op(Op::ArgMax, &[backwards])?;
    let last = cx.b.constant(Frame::row_i64([n as i64 - 1]));
    let index = cx.op(Op::Sub, &[last, from_end])?;
    let index = cx.or_else(index, Frame::row_i64([0]))?;
    cx.label_at(labels, index)
}

/// Votes of the pairs, and less than half a vote by the sum of the probabilities.
fn against_each_other(cx: &mut Lift, labels: Labels, processes: &[Process]) -> Res<Classes> {
    let means: Vec<NodeId> = processes.iter().map(|p| p.mean).collect();
    let columns: Vec<NodeId> = processes.iter().map(|p| p.probability).collect();
    let (means, confidences) = (cx.side_by_side(&means)?, cx.side_by_side(&columns)?);
    let zero = cx.b.constant(Frame::row_f64([0.0]));
    let second = cx.op(Op::Gt, &[means, zero])?;
    let first = cx.op(Op::Not, &[second])?;
    let scores = crate::votes::one_versus_rest(cx, first, confidences, labels.len())?;
    let label = cx.label_of_greatest(&labels, scores)?;
    Ok(Classes::new(labels, label))
}
