//! `GaussianMixture`, `BayesianGaussianMixture`: the component of the greatest weighted density.
//!
//! | `means_` | [components, k] f64 |   | `weights_` | [components]: of `GaussianMixture` |
//! | `covariance_type` | `full`, `tied`, `diag`, `spherical` |
//! | `precisions_cholesky_` | [components, k, k], [k, k], [components, k], [components] |
//! | `weight_concentration_`, `weight_concentration_prior_type` | of `BayesianGaussianMixture`: expected log weights by digamma |
//! | `degrees_of_freedom_`, `mean_precision_` | of `BayesianGaussianMixture`: [components]; the former one number if `tied` |
//!
//! Output takes the form of a classifier whose labels are the components 0 … n − 1: `prediction`, `probability_0`, ….
//! NaN and infinities are refused. Source: scikit-learn `mixture/_gaussian_mixture.py`, `_bayesian_mixture.py`, `_base.py`.

use flock_ir_spec::{Diagnostic, NodeId, Op};

use crate::columns::Columns;
use crate::digamma::digamma;
use crate::labels::Labels;
use crate::lift::{Lift, Lifted, Lifter};
use crate::linear;
use crate::nearest;
use crate::prediction::Classes;
use crate::read::view::{Matrix, View};
use crate::trees::pairwise_sum;

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        class: "sklearn.mixture.GaussianMixture",
        reads: &["means_", "weights_", "covariance_type", "precisions_cholesky_"],
        ignores: &[
            "init_params", "max_iter", "means_init", "n_components", "n_init", "precisions_init", "random_state",
            "reg_covar", "tol", "verbose", "verbose_interval", "warm_start", "weights_init", "converged_",
            "covariances_", "lower_bound_", "lower_bounds_", "n_iter_", "precisions_",
        ],
        lift: plain,
    },
    Lifter {
        class: "sklearn.mixture.BayesianGaussianMixture",
        reads: &[
            "means_", "covariance_type", "precisions_cholesky_", "weight_concentration_",
            "weight_concentration_prior_type", "degrees_of_freedom_", "mean_precision_",
        ],
        ignores: &[
            "covariance_prior", "degrees_of_freedom_prior", "init_params", "max_iter", "mean_precision_prior",
            "mean_prior", "n_components", "n_init", "random_state", "reg_covar", "tol", "verbose", "verbose_interval",
            "warm_start", "weight_concentration_prior", "converged_", "covariance_prior_", "covariances_",
            "degrees_of_freedom_prior_", "lower_bound_", "lower_bounds_", "mean_precision_prior_", "mean_prior_",
            "n_iter_", "precisions_", "weight_concentration_prior_", "weights_",
        ],
        lift: bayesian,
    },
];

type Res<T> = Result<T, Diagnostic>;

fn plain(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let density = Density::of(view, input.width())?;
    let weights = view.attr("weights_")?.f64s_of(density.components())?;
    let log_weights: Vec<f64> = weights.into_iter().map(f64::ln).collect();
    let x = linear::finite(cx, view, &input)?;
    let log_density = density.log(cx, x)?;
    classes(cx, log_density, log_weights)
}

fn bayesian(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let density = Density::of(view, input.width())?;
    let (n, k) = (density.components(), input.width() as f64);
    let log_weights = expected_log_weights(view, n)?;
    let freedom = view.attr("degrees_of_freedom_")?;
    let freedom = match freedom.f64() {
        Ok(one) => vec![one; n],
        Err(_) => freedom.f64s_of(n)?,
    };
    let precision = view.attr("mean_precision_")?.f64s_of(n)?;
    let less = freedom.iter().map(|nu| 0.5 * k * nu.ln()).collect();
    let more = freedom.iter().zip(&precision).map(|(nu, beta)| {
        let digammas: f64 = (0..input.width()).map(|i| digamma(0.5 * (nu - i as f64))).sum();
        0.5 * (k * 2f64.ln() + digammas - k / beta)
    });
    let more = more.collect();
    let x = linear::finite(cx, view, &input)?;
    let gauss = density.log(cx, x)?;
    let log_density = cx.with_row(Op::Sub, gauss, less)?;
    let log_density = cx.with_row(Op::Add, log_density, more)?;
    classes(cx, log_density, log_weights)
}

/// E[ln weight] of each component.
fn expected_log_weights(view: &View<'_>, n: usize) -> Res<Vec<f64>> {
    let concentration = view.attr("weight_concentration_")?;
    let kind = view.attr("weight_concentration_prior_type")?;
    match kind.str() {
        Some("dirichlet_process") => {
            let [a, b] = concentration.tuple::<2>()?;
            let (a, b) = (a.f64s_of(n)?, b.f64s_of(n)?);
            let mut rest = 0.0;
            let of = |(a, b): (&f64, &f64)| {
                let both = digamma(a + b);
                let log = digamma(*a) - both + rest;
                rest += digamma(*b) - both;
                log
            };
            Ok(a.iter().zip(&b).map(of).collect())
        }
        Some("dirichlet_distribution") => {
            let a = concentration.f64s_of(n)?;
            let all = digamma(pairwise_sum(&a));
            Ok(a.iter().map(|a| digamma(*a) - all).collect())
        }
        _ => Err(kind.unsupported("a prior of the weights that is not known")),
    }
}

/// The label of the greatest weighted density, and the densities' shares: e to the power of each less the log of the sum.
fn classes(cx: &mut Lift, log_density: NodeId, log_weights: Vec<f64>) -> Res<Lifted> {
    let labels = Labels::numbers(log_weights.len());
    let weighted = cx.with_row(Op::Add, log_density, log_weights)?;
    let label = cx.label_of_greatest(&labels, weighted)?;
    let greatest = cx.op(Op::RowMax, &[weighted])?;
    let shifted = cx.op(Op::Sub, &[weighted, greatest])?;
    let powers = cx.op(Op::Exp, &[shifted])?;
    let sum = cx.op(Op::Sum, &[powers])?;
    let log = cx.op(Op::Ln, &[sum])?;
    let log = cx.op(Op::Add, &[greatest, log])?;
    let share = cx.op(Op::Sub, &[weighted, log])?;
    let probabilities = cx.op(Op::Exp, &[share])?;
    Ok(Lifted::Prediction(Classes::new(labels, label).with_probabilities(probabilities).of_components().alone()))
}

/// The normal densities of the components.
struct Density {
    means: Matrix,
    shape: Shape,
    /// Of all components' factors, as they lie in the file.
    cholesky: Vec<f64>,
}

#[derive(Clone, Copy, PartialEq)]
enum Shape {
    Full,
    Tied,
    Diagonal,
    Spherical,
}

impl Density {
    fn of(view: &View<'_>, width: usize) -> Res<Density> {
        let means = nearest::double_table(view, "means_", width)?;
        let kind = view.attr("covariance_type")?;
        let (shape, size) = match kind.str() {
            Some("full") => (Shape::Full, means.rows * width * width),
            Some("tied") => (Shape::Tied, width * width),
            Some("diag") => (Shape::Diagonal, means.rows * width),
            Some("spherical") => (Shape::Spherical, means.rows),
            _ => return Err(kind.unsupported("a type of covariance that is not known")),
        };
        if means.rows == 0 || width == 0 {
            return Err(view.attr("means_")?.expected("a component"));
        }
        let cholesky = view.attr("precisions_cholesky_")?.f64s_of(size)?;
        Ok(Density { means, shape, cholesky })
    }

    fn components(&self) -> usize {
        self.means.rows
    }

    /// ln density of each component: −(k ln 2π + squared distance) / 2 + ln det.
    fn log(&self, cx: &mut Lift, x: NodeId) -> Res<NodeId> {
        let width = self.means.columns;
        let distances = match self.shape {
            Shape::Full | Shape::Tied => self.rotated(cx, x)?,
            Shape::Diagonal => self.diagonal(cx, x)?,
            Shape::Spherical => self.spherical(cx, x)?,
        };
        let constant = width as f64 * (2.0 * std::f64::consts::PI).ln();
        let sum = cx.with_row(Op::Add, distances, vec![constant])?;
        let half = cx.with_row(Op::Mul, sum, vec![-0.5])?;
        cx.with_row(Op::Add, half, self.log_determinants())
    }

    fn log_determinants(&self) -> Vec<f64> {
        let k = self.means.columns;
        let diagonal = |factor: &[f64]| pairwise_sum(&(0..k).map(|i| factor[i * k + i].ln()).collect::<Vec<_>>());
        match self.shape {
            Shape::Full => self.cholesky.chunks(k * k).map(diagonal).collect(),
            Shape::Tied => vec![diagonal(&self.cholesky); self.components()],
            Shape::Diagonal => {
                self.cholesky.chunks(k).map(|d| pairwise_sum(&d.iter().map(|x| x.ln()).collect::<Vec<_>>())).collect()
            }
            Shape::Spherical => self.cholesky.iter().map(|x| k as f64 * x.ln()).collect(),
        }
    }

    /// |x · C − mean · C|², C being a component's factor.
    fn rotated(&self, cx: &mut Lift, x: NodeId) -> Res<NodeId> {
        let k = self.means.columns;
        let mut distances = Vec::with_capacity(self.components());
        for (i, mean) in self.means.values.chunks(k).enumerate() {
            let start = if self.shape == Shape::Tied { 0 } else { i * k * k };
            let factor = Matrix { rows: k, columns: k, values: self.cholesky[start..start + k * k].to_vec() };
            let axes = factor.transposed();
            let dot = |axis: &[f64]| -axis.iter().zip(mean).fold(0.0, |a, (c, m)| a + m * c);
            let bias = axes.values.chunks(k).map(dot).collect();
            let along = linear::map(cx, x, axes, bias)?;
            let squares = cx.op(Op::Mul, &[along, along])?;
            distances.push(cx.op(Op::Sum, &[squares])?);
        }
        cx.side_by_side(&distances)
    }

    /// Σ mean² p − 2 x · (mean p) + x² · p, p being the squared factor.
    fn diagonal(&self, cx: &mut Lift, x: NodeId) -> Res<NodeId> {
        let (n, k) = (self.components(), self.means.columns);
        let precisions = Matrix { rows: n, columns: k, values: self.cholesky.iter().map(|c| c * c).collect() };
        let pairs = || self.means.values.iter().zip(&precisions.values);
        let squares: Vec<f64> = pairs().map(|(m, p)| m * m * p).collect();
        let constant = squares.chunks(k).map(pairwise_sum).collect();
        let weights = Matrix { rows: n, columns: k, values: pairs().map(|(m, p)| -2.0 * (m * p)).collect() };
        let products = linear::map(cx, x, weights, constant)?;
        let square = cx.op(Op::Mul, &[x, x])?;
        let squared = linear::map(cx, square, precisions, vec![0.0; n])?;
        cx.op(Op::Add, &[products, squared])
    }

    /// (Σ mean² − 2 x · mean + |x|²) p, term by term.
    fn spherical(&self, cx: &mut Lift, x: NodeId) -> Res<NodeId> {
        let n = self.components();
        let precisions: Vec<f64> = self.cholesky.iter().map(|c| c * c).collect();
        let norms = nearest::squared_norms(&self.means);
        let constant = norms.iter().zip(&precisions).map(|(m, p)| m * p).collect();
        let products = linear::map(cx, x, self.means.clone(), vec![0.0; n])?;
        let products = cx.with_row(Op::Mul, products, precisions.iter().map(|p| -2.0 * p).collect())?;
        let first = cx.with_row(Op::Add, products, constant)?;
        let square = cx.op(Op::Mul, &[x, x])?;
        let own = cx.op(Op::Sum, &[square])?;
        let last = cx.with_row(Op::Mul, own, precisions)?;
        cx.op(Op::Add, &[first, last])
    }
}
