//! `TransformedTargetRegressor`: a regressor of transformed targets, and the way back.
//!
//! | `regressor_` | the regressor |   | `transformer_` | what the targets went through |
//!
//! Source: scikit-learn `compose/_target.py`.

use flock_ir_spec::Diagnostic;

use crate::columns::Columns;
use crate::inverse;
use crate::lift::{Lift, Lifted, Lifter};
use crate::prediction::Prediction;
use crate::read::view::View;

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.compose.TransformedTargetRegressor",
    reads: &["regressor_", "transformer_"],
    ignores: &["regressor", "transformer", "func", "inverse_func", "check_inverse", "_training_dim"],
    lift,
};

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let predicted = cx.regressor("regressor", &view.attr("regressor_")?, &input)?;
    let transformer = view.attr("transformer_")?;
    let original = cx.in_step("transformer", |cx| inverse::inverse(cx, &transformer, predicted))?;
    Ok(Lifted::Prediction(Prediction::Numbers(original)))
}
