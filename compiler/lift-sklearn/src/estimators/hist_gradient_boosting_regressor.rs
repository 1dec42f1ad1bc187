//! `HistGradientBoostingRegressor`: a baseline plus the leaves of the trees, iteration by iteration, and the loss's link.
//!
//! | `_predictors` | per iteration one tree; thresholds are f64 and compared with f64 |
//! | `_baseline_prediction` | what the sum starts from |
//! | `_preprocessor`, `_bin_mapper` | the categories of categorical columns |
//! | `loss` | `poisson` and `gamma` predict the exponential of the sum |
//!
//! NaN goes where the node says, infinities are numbers; nothing is refused.
//! Source: scikit-learn `ensemble/_hist_gradient_boosting/gradient_boosting.py`.

use flock_ir_spec::{Diagnostic, Op};

use crate::columns::Columns;
use crate::histogram;
use crate::lift::{Lift, Lifted, Lifter};
use crate::prediction::Prediction;
use crate::read::view::View;

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.ensemble.HistGradientBoostingRegressor",
    reads: histogram::READS,
    ignores: histogram::IGNORES,
    lift,
};

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let loss = view.attr("loss")?;
    let exponential = match loss.str() {
        Some("squared_error" | "absolute_error" | "quantile") => false,
        Some("poisson" | "gamma") => true,
        _ => return Err(loss.unsupported("a loss that is not known, and so is its link")),
    };
    let raw = histogram::raw(cx, view, &input)?;
    let prediction = if exponential { cx.op(Op::Exp, &[raw])? } else { raw };
    Ok(Lifted::Prediction(Prediction::Numbers(prediction)))
}
