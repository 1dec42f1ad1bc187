//! `MultiOutputClassifier` and `MultiOutputRegressor`: a member for each target.
//! Source: scikit-learn `multioutput.py`.

use flock_ir_spec::Diagnostic;

use crate::columns::Columns;
use crate::lift::{Lift, Lifted, Lifter};
use crate::members;
use crate::prediction::{Classes, Prediction};
use crate::read::view::View;

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        class: "sklearn.multioutput.MultiOutputClassifier",
        reads: &["estimators_"],
        ignores: &["estimator", "n_jobs", "classes_"],
        lift: classifier,
    },
    Lifter {
        class: "sklearn.multioutput.MultiOutputRegressor",
        reads: &["estimators_"],
        ignores: &["estimator", "n_jobs"],
        lift: regressor,
    },
];

fn classifier(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let members = members::list(view, "estimators_")?;
    let mut targets = Vec::with_capacity(members.len());
    for (m, member) in members.iter().enumerate() {
        targets.push(cx.classifier(&m.to_string(), member, &input)?);
    }
    // It has no decision function, and probabilities where all members have them.
    let all = targets.iter().all(|t| t.probabilities.is_some());
    let own = |t: Classes| Classes { probabilities: t.probabilities.filter(|_| all), decision: None, ..t };
    Ok(Lifted::Prediction(Prediction::Classes(targets.into_iter().map(own).collect())))
}

fn regressor(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let members = members::list(view, "estimators_")?;
    let mut targets = Vec::with_capacity(members.len());
    for (m, member) in members.iter().enumerate() {
        targets.push(cx.regressor(&m.to_string(), member, &input)?);
    }
    Ok(Lifted::Prediction(Prediction::Numbers(cx.side_by_side(&targets)?)))
}
