//! Selectors that keep their choice: `RFE`, `RFECV`, `SequentialFeatureSelector`. The first two predict as a last step,
//! by their estimator on the columns that are left.
//!
//! | `support_` | [k] bool |   | `estimator_` | of the first two, fitted on what is left |
//! | `estimator` | whether it takes NaN decides if rows with one are refused |
//!
//! Source: scikit-learn `feature_selection/_rfe.py`, `_sequential.py`.

use flock_ir_spec::Diagnostic;

use crate::columns::Columns;
use crate::lift::{Lift, Lifted, Lifter};
use crate::read::view::View;
use crate::selection::{selected, takes_nan};

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        class: "sklearn.feature_selection.RFE",
        reads: &["estimator", "estimator_", "support_"],
        ignores: &["importance_getter", "n_features_to_select", "step", "verbose", "n_features_", "ranking_", "classes_"],
        lift: eliminated,
    },
    Lifter {
        class: "sklearn.feature_selection.RFECV",
        reads: &["estimator", "estimator_", "support_"],
        ignores: &[
            "cv",
            "importance_getter",
            "min_features_to_select",
            "n_features_to_select",
            "n_jobs",
            "scoring",
            "step",
            "verbose",
            "cv_results_",
            "n_features_",
            "ranking_",
            "classes_",
        ],
        lift: eliminated,
    },
    Lifter {
        class: "sklearn.feature_selection.SequentialFeatureSelector",
        reads: &["estimator", "support_"],
        ignores: &["cv", "direction", "n_features_to_select", "n_jobs", "scoring", "tol", "n_features_to_select_"],
        lift: |cx, view, input| chosen(cx, view, &input).map(Lifted::Columns),
    },
];

fn chosen(cx: &mut Lift, view: &View<'_>, input: &Columns) -> Result<Columns, Diagnostic> {
    let support = view.attr("support_")?.f64s()?.into_iter().map(|s| s != 0.0).collect::<Vec<_>>();
    let lenient = takes_nan(&view.attr("estimator")?)?;
    selected(cx, view, input, &support, lenient)
}

fn eliminated(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let columns = chosen(cx, view, &input)?;
    if cx.transforms {
        return Ok(Lifted::Columns(columns));
    }
    match cx.estimator(&view.attr("estimator_")?, columns.clone())? {
        Lifted::Prediction(prediction) | Lifted::Both(prediction, _) => Ok(Lifted::Both(prediction, columns)),
        Lifted::Columns(_) => Ok(Lifted::Columns(columns)),
    }
}
