//! `GradientBoostingRegressor`: a starting value plus the learning rate times each tree's leaf, stage by stage.
//!
//! | `estimators_` | [stages, 1] trees |   | `init_` | a `DummyRegressor`'s `constant_`, "zero", or any regressor |
//! | `learning_rate` | multiplied into the leaf, with one rounding, before the leaf is added |
//!
//! NaN and values that are infinite as float32 are refused. Every loss predicts alike. Source: scikit-learn `ensemble/_gb.py`.

use flock_ir_spec::Diagnostic;

use crate::boosting::{self, Start};
use crate::columns::Columns;
use crate::lift::{Lift, Lifted, Lifter};
use crate::prediction::Prediction;
use crate::read::view::View;

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.ensemble.GradientBoostingRegressor",
    reads: &["learning_rate", "loss", "init_", "estimators_"],
    ignores: boosting::IGNORES,
    lift,
};

const LOSSES: &[&str] = &["squared_error", "absolute_error", "huber", "quantile"];

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let loss = view.attr("loss")?;
    if loss.str().is_none_or(|l| !LOSSES.contains(&l)) {
        return Err(loss.unsupported(format!("the loss {} is not known", loss.str().unwrap_or("of another type"))));
    }
    let start = start(cx, view, &input)?;
    Ok(Lifted::Prediction(Prediction::Numbers(boosting::raw(cx, view, &input, start)?)))
}

fn start(cx: &mut Lift, view: &View<'_>, input: &Columns) -> Result<Start, Diagnostic> {
    let init = view.attr("init_")?;
    if init.str() == Some("zero") {
        return Ok(Start::Constant(vec![0.0]));
    }
    if let Some(dummy) = boosting::dummy(&init, "sklearn.dummy.DummyRegressor")? {
        return Ok(Start::Constant(dummy.attr("constant_")?.f64s_of(1)?));
    }
    let columns = boosting::columns(cx, view, input)?;
    Ok(Start::Rows(cx.regressor("init", &init, &columns)?))
}
