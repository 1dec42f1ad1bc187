//! `RANSACRegressor`: predicts as the estimator that was fitted on the inliers.
//!
//! | `estimator_` | a fitted regressor |
//!
//! What is refused is that estimator's business. Source: scikit-learn `linear_model/_ransac.py`.

use flock_ir_spec::Diagnostic;

use crate::columns::Columns;
use crate::lift::{Lift, Lifted, Lifter};
use crate::read::view::View;

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.linear_model.RANSACRegressor",
    reads: &["estimator_"],
    ignores: &["base_estimator", "estimator", "is_data_valid", "is_model_valid", "loss", "max_skips", "max_trials", "min_samples", "random_state", "residual_threshold", "stop_n_inliers", "stop_probability", "stop_score", "inlier_mask_", "n_skips_invalid_data_", "n_skips_invalid_model_", "n_skips_no_inliers_", "n_trials_"],
    lift,
};

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let estimator = view.attr("estimator_")?;
    match cx.estimator(&estimator, input)? {
        Lifted::Prediction(prediction) | Lifted::Both(prediction, _) => Ok(Lifted::Prediction(prediction)),
        Lifted::Columns(_) => Err(estimator.expected("an estimator that predicts")),
    }
}
