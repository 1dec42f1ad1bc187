//! `LinearRegression`: x · coef + intercept, per target.
//!
//! | `coef_` | [k] or [targets, k] f64 |   | `intercept_` | one, or one per target |
//!
//! NaN and infinities are refused. Source: scikit-learn `linear_model/_base.py`.

use flock_ir_spec::{Diagnostic, Frame, NodeId, Op};

use crate::columns::Columns;
use crate::lift::{Lift, Lifted, Lifter};
use crate::prediction::Prediction;
use crate::read::view::View;

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.linear_model.LinearRegression",
    reads: &["coef_", "intercept_"],
    ignores: &["fit_intercept", "copy_X", "tol", "n_jobs", "positive", "rank_", "singular_"],
    lift,
};

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    Ok(Lifted::Prediction(Prediction::Numbers(decision(cx, view, &input)?)))
}

/// x · `coef_`ᵀ + `intercept_`, one column per row of `coef_`.
pub(super) fn decision(cx: &mut Lift, view: &View<'_>, input: &Columns) -> Result<NodeId, Diagnostic> {
    super::refuse_single(input, view)?;
    let coef_view = view.attr("coef_")?;
    let coef = coef_view.matrix()?;
    if coef.columns != input.width() {
        return Err(coef_view.expected(&format!("a coefficient for each of {} columns", input.width())));
    }
    let intercept_view = view.attr("intercept_")?;
    let intercept = match intercept_view.f64s() {
        Ok(values) if values.len() == coef.rows => values,
        Ok(values) if values.len() == 1 => vec![values[0]; coef.rows],
        Ok(_) => return Err(intercept_view.expected(&format!("{} intercepts", coef.rows))),
        Err(_) => vec![intercept_view.f64()?; coef.rows],
    };
    cx.refuse_non_finite(input, view)?;
    let x = cx.numbers(input, view)?;
    // Column by column of `coef`, which is x · W with W = coefᵀ stored column by column.
    let weights = Frame::new(coef.columns, coef.rows, flock_ir_spec::Data::F64(coef.values));
    let weights = weights.ok_or_else(|| coef_view.expected("a full table"))?;
    let (weights, intercept) = (cx.b.constant(weights), cx.b.constant(Frame::row_f64(intercept)));
    cx.op(Op::Linear, &[x, weights, intercept])
}
