//! `ClassifierChain` and `RegressorChain`: a member for each target, which gets the answers of those before it as columns.
//!
//! | `estimators_` | in the order of the chain |   | `order_` | the target of each |
//! | `chain_method_` | what a member hands on: `predict`, `predict_proba`, … (1.4 and later; before, `predict`) |
//!
//! Labels come out as floats. NaN and infinities are refused. Source: scikit-learn `multioutput.py`.

use flock_ir_spec::{Data, Diagnostic, Frame, NodeId, Op};

use super::voting::PREDICTED;
use crate::columns::Columns;
use crate::labels::Labels;
use crate::lift::{Lift, Lifted, Lifter};
use crate::members;
use crate::prediction::{Classes, Prediction};
use crate::read::view::View;

const IGNORES: &[&str] =
    &["base_estimator", "estimator", "order", "cv", "random_state", "verbose", "chain_method", "classes_"];

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        class: "sklearn.multioutput.ClassifierChain",
        reads: &["estimators_", "order_", "chain_method_"],
        ignores: IGNORES,
        lift: classifier,
    },
    Lifter {
        class: "sklearn.multioutput.RegressorChain",
        reads: &["estimators_", "order_"],
        ignores: IGNORES,
        lift: regressor,
    },
];

type Res<T> = Result<T, Diagnostic>;

/// The members, and per target the place of its member in the chain.
fn chain<'a>(view: &View<'a>) -> Res<(Vec<View<'a>>, Vec<usize>)> {
    let members = members::list(view, "estimators_")?;
    let order_view = view.attr("order_")?;
    let order = order_view.sizes()?;
    let places: Vec<Option<usize>> = (0..members.len()).map(|t| order.iter().position(|o| *o == t)).collect();
    let places = places.into_iter().collect::<Option<Vec<_>>>().filter(|_| order.len() == members.len());
    let places = places.ok_or_else(|| order_view.expected(&format!("an order of {} targets", members.len())))?;
    Ok((members, places))
}

fn classifier(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    cx.refuse_non_finite(&input, view)?;
    let (members, places) = chain(view)?;
    let method = view.get("chain_method_").map(|m| m.text()).transpose()?.unwrap_or_else(|| "predict".into());
    let (mut columns, mut links) = (input, Vec::with_capacity(members.len()));
    for (m, member) in members.iter().enumerate() {
        let classes = cx.classifier(&m.to_string(), member, &columns)?;
        let next = handed_on(cx, &classes, &method, member)?;
        columns.append(Columns::node(next, 1, PREDICTED, None));
        let predicted = cx.label_number(&classes, member)?;
        links.push(Classes { label: predicted, ..classes });
    }
    // The library takes the probability of the second of two classes; of more it takes none.
    let two = links.iter().all(|link| link.labels.len() == 2);
    let probabilities = two && links.iter().all(|link| link.probabilities.is_some());
    let decision = two && links.iter().all(|link| link.decision.is_some());
    let mut links: Vec<Option<Classes>> = links.into_iter().map(Some).collect();
    let targets = places.iter().filter_map(|p| links[*p].take()).map(|link| Classes {
        probabilities: link.probabilities.filter(|_| probabilities),
        decision: link.decision.filter(|_| decision),
        labels: of_floats(link.labels),
        ..link
    });
    Ok(Lifted::Prediction(Prediction::Classes(targets.collect())))
}

/// The same labels as floats, under the same names.
fn of_floats(labels: Labels) -> Labels {
    let data = match labels.table.data {
        Data::Bool(v) => Data::F64(v.into_iter().map(|b| f64::from(u8::from(b))).collect()),
        Data::I64(v) => Data::F64(v.into_iter().map(|i| i as f64).collect()),
        other => other,
    };
    Labels { table: Frame { data, ..labels.table }, ..labels }
}

fn handed_on(cx: &mut Lift, classes: &Classes, method: &str, member: &View<'_>) -> Res<NodeId> {
    match method {
        "predict" => cx.label_number(classes, member),
        "decision_function" => classes.decision_of(member),
        "predict_proba" | "predict_log_proba" => {
            let p = classes.probabilities_of(member)?;
            let p = cx.pick(p, &[cx.width(p) - 1])?;
            if method == "predict_proba" { Ok(p) } else { cx.op(Op::Ln, &[p]) }
        }
        _ => Err(member.unsupported(format!("a chain by `{method}`"))),
    }
}

fn regressor(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    cx.refuse_non_finite(&input, view)?;
    let (members, places) = chain(view)?;
    let (mut columns, mut links) = (input, Vec::with_capacity(members.len()));
    for (m, member) in members.iter().enumerate() {
        let predicted = cx.regressor(&m.to_string(), member, &columns)?;
        if cx.width(predicted) != 1 {
            return Err(member.expected("a regressor of one target"));
        }
        columns.append(Columns::node(predicted, 1, PREDICTED, None));
        links.push(predicted);
    }
    let targets: Vec<NodeId> = places.iter().map(|p| links[*p]).collect();
    Ok(Lifted::Prediction(Prediction::Numbers(cx.side_by_side(&targets)?)))
}
