//! `PoissonRegressor`, `GammaRegressor`, `TweedieRegressor`: the exponential of x · coef + intercept, or that itself.
//!
//! | `coef_` | [k] f64 |   | `intercept_` | one |
//! | `link`, `power` | `TweedieRegressor`: `identity`, `log`, or `auto`: the identity for a power up to 0 |
//!
//! NaN and infinities are refused. Source: scikit-learn `linear_model/_glm/glm.py`.

use flock_ir_spec::{Diagnostic, Op};

use crate::columns::Columns;
use crate::lift::{Lift, Lifted, Lifter};
use crate::linear;
use crate::prediction::Prediction;
use crate::read::view::View;

const READS: &[&str] = &["coef_", "intercept_", "link", "power"];

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        class: "sklearn.linear_model.GammaRegressor",
        reads: READS,
        ignores: &["alpha", "fit_intercept", "max_iter", "solver", "tol", "verbose", "warm_start", "n_iter_", "_base_loss"],
        lift,
    },
    Lifter {
        class: "sklearn.linear_model.PoissonRegressor",
        reads: READS,
        ignores: &["alpha", "fit_intercept", "max_iter", "solver", "tol", "verbose", "warm_start", "n_iter_", "_base_loss"],
        lift,
    },
    Lifter {
        class: "sklearn.linear_model.TweedieRegressor",
        reads: READS,
        ignores: &["alpha", "fit_intercept", "max_iter", "solver", "tol", "verbose", "warm_start", "n_iter_", "_base_loss"],
        lift,
    },
];

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let raw = linear::decision(cx, view, &input)?;
    let prediction = if has_log_link(view)? { cx.op(Op::Exp, &[raw])? } else { raw };
    Ok(Lifted::Prediction(Prediction::Numbers(prediction)))
}

fn has_log_link(view: &View<'_>) -> Result<bool, Diagnostic> {
    let Some(link) = view.get("link") else { return Ok(true) };
    match link.str() {
        Some("log") => Ok(true),
        Some("identity") => Ok(false),
        Some("auto") => Ok(view.attr("power")?.f64()? > 0.0),
        _ => Err(link.unsupported("a link that is not known")),
    }
}
