//! Estimators that answer as the one within: searches over parameters, `FrozenEstimator`, `SelfTrainingClassifier`.
//!
//! | `best_estimator_` | of a search, fitted with the best parameters |   | `estimator` | of `FrozenEstimator` |
//! | `estimator_` | of `SelfTrainingClassifier`; `base_estimator_` before 1.6 |
//!
//! Source: scikit-learn `model_selection/_search.py`, `_search_successive_halving.py`, `frozen/_frozen.py`,
//! `semi_supervised/_self_training.py`.

use flock_ir_spec::Diagnostic;

use crate::columns::Columns;
use crate::lift::{Lift, Lifted, Lifter};
use crate::read::view::View;

/// What the searches keep of their search.
const SEARCH: &[&str] = &[
    "estimator", "param_grid", "param_distributions", "n_iter", "random_state", "scoring", "n_jobs", "refit", "cv",
    "verbose", "pre_dispatch", "error_score", "return_train_score", "best_index_", "best_params_", "best_score_",
    "cv_results_", "multimetric_", "n_splits_", "refit_time_", "scorer_", "_checked_cv_orig",
    "aggressive_elimination", "factor", "resource", "min_resources", "max_resources", "n_candidates",
    "_n_samples_orig", "min_resources_", "max_resources_", "n_candidates_", "n_iterations_", "n_possible_iterations_",
    "n_remaining_candidates_", "n_required_iterations_", "n_resources_",
];

const fn search(class: &'static str) -> Lifter {
    Lifter { class, reads: &["best_estimator_"], ignores: SEARCH, lift: best }
}

pub static LIFTERS: &[Lifter] = &[
    search("sklearn.model_selection.GridSearchCV"),
    search("sklearn.model_selection.HalvingGridSearchCV"),
    search("sklearn.model_selection.HalvingRandomSearchCV"),
    search("sklearn.model_selection.RandomizedSearchCV"),
    Lifter { class: "sklearn.frozen.FrozenEstimator", reads: &["estimator"], ignores: &[], lift: frozen },
    Lifter {
        class: "sklearn.semi_supervised.SelfTrainingClassifier",
        reads: &["estimator_", "base_estimator_"],
        ignores: &[
            "estimator", "base_estimator", "threshold", "criterion", "k_best", "max_iter", "verbose", "classes_",
            "transduction_", "labeled_iter_", "n_iter_", "termination_condition_",
        ],
        lift: self_training,
    },
];

fn best(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let best = view.attr("best_estimator_").map_err(|d| d.help("a search with `refit=False` predicts nothing"))?;
    cx.in_step("best_estimator", |cx| cx.estimator(&best, input))
}

fn frozen(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let estimator = view.attr("estimator")?;
    cx.in_step("estimator", |cx| cx.estimator(&estimator, input))
}

fn self_training(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let estimator = view.get("estimator_").map_or_else(|| view.attr("base_estimator_"), Ok)?;
    cx.in_step("estimator", |cx| cx.estimator(&estimator, input))
}
