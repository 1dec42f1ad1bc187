//! Regressors whose prediction is x · coef + intercept, per target: the classes differ in how they are fitted.
//!
//! | `coef_` | [k] or [targets, k] f64 |   | `intercept_` | one, or one per target |
//!
//! NaN and infinities are refused. Source: scikit-learn `linear_model/_base.py`, `LinearModel._decision_function`;
//! `SGDRegressor` has the same arithmetic in `_stochastic_gradient.py`.

use flock_ir_spec::Diagnostic;

use crate::columns::Columns;
use crate::lift::{Lift, Lifted, Lifter};
use crate::linear;
use crate::prediction::Prediction;
use crate::read::view::View;

pub static LIFTERS: &[Lifter] = &[
    regressor("sklearn.linear_model.ARDRegression", &["alpha_1", "alpha_2", "compute_score", "copy_X", "fit_intercept", "lambda_1", "lambda_2", "max_iter", "n_iter", "threshold_lambda", "tol", "verbose", "X_offset_", "X_scale_", "alpha_", "lambda_", "n_iter_", "scores_", "sigma_"]),
    regressor("sklearn.linear_model.BayesianRidge", &["alpha_1", "alpha_2", "alpha_init", "compute_score", "copy_X", "fit_intercept", "lambda_1", "lambda_2", "lambda_init", "max_iter", "n_iter", "tol", "verbose", "X_offset_", "X_scale_", "alpha_", "lambda_", "n_iter_", "scores_", "sigma_"]),
    regressor("sklearn.linear_model.ElasticNet", &["alpha", "copy_X", "fit_intercept", "l1_ratio", "max_iter", "positive", "precompute", "random_state", "selection", "tol", "warm_start", "dual_gap_", "n_iter_"]),
    regressor("sklearn.linear_model.ElasticNetCV", &["alphas", "copy_X", "cv", "eps", "fit_intercept", "l1_ratio", "max_iter", "n_alphas", "n_jobs", "positive", "precompute", "random_state", "selection", "tol", "verbose", "alpha_", "alphas_", "dual_gap_", "l1_ratio_", "mse_path_", "n_iter_", "_alphas"]),
    regressor("sklearn.linear_model.HuberRegressor", &["alpha", "epsilon", "fit_intercept", "max_iter", "tol", "warm_start", "n_iter_", "outliers_", "scale_"]),
    regressor("sklearn.linear_model.Lars", &["copy_X", "eps", "fit_intercept", "fit_path", "jitter", "n_nonzero_coefs", "normalize", "precompute", "random_state", "verbose", "active_", "alphas_", "coef_path_", "n_iter_"]),
    regressor("sklearn.linear_model.LarsCV", &["copy_X", "cv", "eps", "fit_intercept", "fit_path", "jitter", "max_iter", "max_n_alphas", "n_jobs", "n_nonzero_coefs", "normalize", "precompute", "random_state", "verbose", "active_", "alpha_", "alphas_", "coef_path_", "cv_alphas_", "mse_path_", "n_iter_"]),
    regressor("sklearn.linear_model.Lasso", &["alpha", "copy_X", "fit_intercept", "l1_ratio", "max_iter", "positive", "precompute", "random_state", "selection", "tol", "warm_start", "dual_gap_", "n_iter_"]),
    regressor("sklearn.linear_model.LassoCV", &["alphas", "copy_X", "cv", "eps", "fit_intercept", "max_iter", "n_alphas", "n_jobs", "positive", "precompute", "random_state", "selection", "tol", "verbose", "alpha_", "alphas_", "dual_gap_", "mse_path_", "n_iter_", "_alphas"]),
    regressor("sklearn.linear_model.LassoLars", &["alpha", "copy_X", "eps", "fit_intercept", "fit_path", "jitter", "max_iter", "normalize", "positive", "precompute", "random_state", "verbose", "active_", "alphas_", "coef_path_", "n_iter_"]),
    regressor("sklearn.linear_model.LassoLarsCV", &["copy_X", "cv", "eps", "fit_intercept", "max_iter", "max_n_alphas", "n_jobs", "normalize", "positive", "precompute", "verbose", "active_", "alpha_", "alphas_", "coef_path_", "cv_alphas_", "mse_path_", "n_iter_"]),
    regressor("sklearn.linear_model.LassoLarsIC", &["copy_X", "criterion", "eps", "fit_intercept", "fit_path", "max_iter", "noise_variance", "normalize", "positive", "precompute", "verbose", "alpha_", "alphas_", "criterion_", "n_iter_", "noise_variance_"]),
    regressor("sklearn.linear_model.LinearRegression", &["copy_X", "fit_intercept", "n_jobs", "positive", "tol", "rank_", "singular_"]),
    regressor("sklearn.svm.LinearSVR", &["C", "dual", "epsilon", "fit_intercept", "intercept_scaling", "loss", "max_iter", "random_state", "tol", "verbose", "n_iter_"]),
    regressor("sklearn.linear_model.MultiTaskElasticNet", &["alpha", "copy_X", "fit_intercept", "l1_ratio", "max_iter", "random_state", "selection", "tol", "warm_start", "dual_gap_", "eps_", "n_iter_"]),
    regressor("sklearn.linear_model.MultiTaskElasticNetCV", &["alphas", "copy_X", "cv", "eps", "fit_intercept", "l1_ratio", "max_iter", "n_alphas", "n_jobs", "positive", "precompute", "random_state", "selection", "tol", "verbose", "alpha_", "alphas_", "dual_gap_", "l1_ratio_", "mse_path_", "n_iter_", "_alphas"]),
    regressor("sklearn.linear_model.MultiTaskLasso", &["alpha", "copy_X", "fit_intercept", "l1_ratio", "max_iter", "random_state", "selection", "tol", "warm_start", "dual_gap_", "eps_", "n_iter_"]),
    regressor("sklearn.linear_model.MultiTaskLassoCV", &["alphas", "copy_X", "cv", "eps", "fit_intercept", "max_iter", "n_alphas", "n_jobs", "positive", "precompute", "random_state", "selection", "tol", "verbose", "alpha_", "alphas_", "dual_gap_", "mse_path_", "n_iter_", "_alphas"]),
    regressor("sklearn.linear_model.OrthogonalMatchingPursuit", &["fit_intercept", "n_nonzero_coefs", "normalize", "precompute", "tol", "n_iter_", "n_nonzero_coefs_"]),
    regressor("sklearn.linear_model.OrthogonalMatchingPursuitCV", &["copy", "cv", "fit_intercept", "max_iter", "n_jobs", "normalize", "verbose", "n_iter_", "n_nonzero_coefs_"]),
    regressor("sklearn.linear_model.PassiveAggressiveRegressor", &["C", "alpha", "average", "early_stopping", "epsilon", "eta0", "fit_intercept", "l1_ratio", "learning_rate", "loss", "max_iter", "n_iter_no_change", "penalty", "power_t", "random_state", "shuffle", "tol", "validation_fraction", "verbose", "warm_start", "n_iter_", "t_", "_average_coef", "_average_intercept", "_standard_coef", "_standard_intercept"]),
    regressor("sklearn.linear_model.QuantileRegressor", &["alpha", "fit_intercept", "quantile", "solver", "solver_options", "n_iter_"]),
    regressor("sklearn.linear_model.Ridge", &["alpha", "copy_X", "fit_intercept", "max_iter", "positive", "random_state", "solver", "tol", "n_iter_", "solver_"]),
    regressor("sklearn.linear_model.RidgeCV", &["alpha_per_target", "alphas", "cv", "fit_intercept", "gcv_mode", "scoring", "store_cv_results", "store_cv_values", "alpha_", "best_score_", "cv_results_", "cv_values_", "_store_cv_results"]),
    regressor("sklearn.linear_model.SGDRegressor", &["C", "alpha", "average", "early_stopping", "epsilon", "eta0", "fit_intercept", "l1_ratio", "learning_rate", "loss", "max_iter", "n_iter_no_change", "penalty", "power_t", "random_state", "shuffle", "tol", "validation_fraction", "verbose", "warm_start", "n_iter_", "t_", "_average_coef", "_average_intercept", "_standard_coef", "_standard_intercept"]),
    regressor("sklearn.linear_model.TheilSenRegressor", &["copy_X", "fit_intercept", "max_iter", "max_subpopulation", "n_jobs", "n_subsamples", "random_state", "tol", "verbose", "breakdown_", "n_iter_", "n_subpopulation_"]),
];

const fn regressor(class: &'static str, ignores: &'static [&'static str]) -> Lifter {
    Lifter { class, reads: &["coef_", "intercept_"], ignores, lift }
}

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    Ok(Lifted::Prediction(Prediction::Numbers(linear::decision(cx, view, &input)?)))
}
