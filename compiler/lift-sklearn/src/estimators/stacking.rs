//! `StackingClassifier` and `StackingRegressor`: the members' answers are the columns of a last estimator.
//!
//! | `estimators`, `estimators_` | names, and fitted estimators |   | `final_estimator_` | the last one |
//! | `stack_method_` | per member: `predict_proba`, `decision_function` or `predict` |
//! | `passthrough` | whether the last estimator gets the members' own columns as well |
//! | `classes_` | labels; the last estimator's own classes are positions among them |
//!
//! Of two probabilities the second is taken. Before another step they give the columns.
//! Source: scikit-learn `ensemble/_stacking.py`.

use flock_ir_spec::{Diagnostic, NodeId};

use super::voting::{Named, PREDICTED, named};
use crate::columns::Columns;
use crate::labels::Labels;
use crate::lift::{Lift, Lifted, Lifter};
use crate::prediction::Prediction;
use crate::read::view::View;

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        class: "sklearn.ensemble.StackingClassifier",
        reads: &["estimators", "estimators_", "final_estimator_", "stack_method_", "passthrough", "classes_"],
        ignores: IGNORES,
        lift: classifier,
    },
    Lifter {
        class: "sklearn.ensemble.StackingRegressor",
        reads: &["estimators", "estimators_", "final_estimator_", "stack_method_", "passthrough"],
        ignores: IGNORES,
        lift: regressor,
    },
];

const IGNORES: &[&str] = &[
    "cv", "final_estimator", "n_jobs", "stack_method", "verbose", "_label_encoder", "_n_feature_outs",
    "named_estimators_",
];

type Res<T> = Result<T, Diagnostic>;

fn classifier(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let classes = view.attr("classes_")?;
    if classes.items().is_ok_and(|c| c.first().is_some_and(|c| c.shape().is_ok())) {
        return Err(classes.unsupported("several targets, of which the library gives the wrong class's probability"));
    }
    let labels = Labels::of(&classes)?;
    let columns = stacked(cx, view, &input, labels.len(), "stackingclassifier")?;
    let last = view.attr("final_estimator_")?;
    let answer = cx.classifier("final_estimator", &last, &columns)?;
    let prediction = cx.decoded(answer, labels, &last)?.alone();
    Ok(Lifted::Both(prediction, columns))
}

fn regressor(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let columns = stacked(cx, view, &input, 0, "stackingregressor")?;
    let last = view.attr("final_estimator_")?;
    let prediction = cx.regressor("final_estimator", &last, &columns)?;
    Ok(Lifted::Both(Prediction::Numbers(prediction), columns))
}

/// The members' answers side by side, and behind them what they were given.
fn stacked(cx: &mut Lift, view: &View<'_>, input: &Columns, classes: usize, class: &str) -> Res<Columns> {
    let members = named(view)?;
    let methods = view.attr("stack_method_")?;
    let methods = super::per_column(&methods, members.len())?;
    let mut all = Columns::none();
    for (member, method) in members.iter().zip(methods) {
        let node = answer(cx, member, &method, input, classes)?;
        let width = cx.width(node);
        let name = |k: usize| match width {
            1 => format!("{class}_{}", member.name),
            _ => format!("{class}_{}{k}", member.name),
        };
        all.append(Columns::node(node, width, PREDICTED, Some((0..width).map(name).collect())));
    }
    if view.attr("passthrough")?.bool()? {
        all.append(input.clone());
    }
    Ok(all)
}

fn answer(cx: &mut Lift, member: &Named<'_>, method: &View<'_>, input: &Columns, classes: usize) -> Res<NodeId> {
    let fitted = &member.fitted;
    match (cx.member(&member.name, fitted, input)?, method.str()) {
        (Prediction::Numbers(node), Some("predict")) => cx.as_f64(node),
        (Prediction::Classes(targets), Some(method)) if targets.len() == 1 => match method {
            "predict_proba" => {
                let p = targets[0].probabilities_of(fitted)?;
                if classes == 2 { cx.pick(p, &[1]) } else { Ok(p) }
            }
            "decision_function" => targets[0].decision_of(fitted),
            "predict" => cx.label_number(&targets[0], fitted),
            _ => Err(fitted.unsupported(format!("an answer by `{method}`"))),
        },
        _ => Err(fitted.expected("a classifier or a regressor of one target")),
    }
}
