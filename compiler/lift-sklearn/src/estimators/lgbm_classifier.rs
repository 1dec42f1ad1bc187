//! `LGBMClassifier`: a booster, asked up to its best iteration.
//! Source: lightgbm `sklearn.py`.

use flock_ir_spec::Diagnostic;

use crate::boosters;
use crate::boosters_parameters::LIGHTGBM;
use crate::columns::Columns;
use crate::lift::{Lift, Lifted, Lifter};
use crate::read::view::View;

pub static LIFTER: Lifter = Lifter {
    class: "lightgbm.sklearn.LGBMClassifier",
    reads: &["_Booster", "_objective", "_classes"],
    ignores: LIGHTGBM,
    lift,
};

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    // An objective of the user leaves raw scores in the place of labels.
    let objective = view.attr("_objective")?;
    match objective.str() {
        Some(_) => boosters::classifier(cx, view, input),
        None => Err(objective.unsupported("an objective that is a function of the user")),
    }
}
