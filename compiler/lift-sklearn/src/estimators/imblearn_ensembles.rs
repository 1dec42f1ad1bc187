//! Ensembles of imbalanced-learn: what their members are fitted on is balanced first, and the prediction is that of the
//! forest, bagging or boosting that they extend.
//!
//! | `BalancedRandomForestClassifier` | a `RandomForestClassifier` |
//! | `BalancedBaggingClassifier`, `EasyEnsembleClassifier` | a `BaggingClassifier` of pipelines that begin with a sampler |
//! | `RUSBoostClassifier` | an `AdaBoostClassifier` |
//!
//! Source: imbalanced-learn 0.14, `ensemble/`.

use super::{ada_boost, bagging, random_forest_classifier};
use crate::lift::Lifter;

const BAGGING_READS: &[&str] = &["estimators_", "estimators_features_", "classes_"];

const BAGGING_IGNORES: &[&str] = &[
    "estimator", "estimator_", "estimator_params", "n_estimators", "max_samples", "max_features", "bootstrap",
    "bootstrap_features", "oob_score", "warm_start", "n_jobs", "random_state", "verbose", "sampling_strategy", "replacement",
    "sampler", "sampler_", "n_classes_", "oob_score_", "oob_decision_function_", "_max_features", "_max_samples",
    "_n_samples", "_sample_weight", "_sampling_strategy", "_seeds",
];

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        class: "imblearn.ensemble.BalancedBaggingClassifier",
        reads: BAGGING_READS,
        ignores: BAGGING_IGNORES,
        lift: bagging::classifier,
    },
    Lifter {
        class: "imblearn.ensemble.BalancedRandomForestClassifier",
        reads: &["estimators_", "n_outputs_", "classes_"],
        ignores: &[
            "estimator", "estimator_", "n_estimators", "estimator_params", "bootstrap", "oob_score", "n_jobs",
            "random_state", "verbose", "warm_start", "class_weight", "max_samples", "criterion", "max_depth",
            "min_samples_split", "min_samples_leaf", "min_weight_fraction_leaf", "max_features", "max_leaf_nodes",
            "min_impurity_decrease", "ccp_alpha", "monotonic_cst", "sampling_strategy", "replacement", "base_sampler_",
            "samplers_", "pipelines_", "oob_score_", "oob_decision_function_", "n_classes_", "_n_features",
            "_n_samples_bootstrap", "_sampling_strategy",
        ],
        lift: random_forest_classifier::lift,
    },
    Lifter {
        class: "imblearn.ensemble.EasyEnsembleClassifier",
        reads: BAGGING_READS,
        ignores: BAGGING_IGNORES,
        lift: bagging::classifier,
    },
    Lifter {
        class: "imblearn.ensemble.RUSBoostClassifier",
        reads: &["estimators_", "estimator_weights_", "classes_", "algorithm"],
        ignores: &[
            "estimator", "estimator_", "estimator_params", "n_estimators", "learning_rate", "random_state",
            "sampling_strategy", "replacement", "base_sampler_", "samplers_", "pipelines_", "estimator_errors_",
            "n_classes_",
        ],
        lift: ada_boost::classifier,
    },
];
