//! `VotingClassifier` and `VotingRegressor`: the members' labels, probabilities or numbers, averaged.
//!
//! | `estimators` | (name, estimator or "drop") |   | `estimators_` | fitted, those that were dropped left out |
//! | `weights` | one for each of `estimators`, or None |
//! | `voting` | `hard`: the label with most votes, `soft`: with the greatest mean probability |
//! | `classes_` | labels; the members' own classes are positions among them |
//!
//! Before another step they give the members' answers. Source: scikit-learn `ensemble/_voting.py`.

use flock_ir_spec::{Diagnostic, NodeId, Op};

use super::pipeline::named_steps;
use crate::columns::{Columns, Facts};
use crate::labels::Labels;
use crate::lift::{Lift, Lifted, Lifter};
use crate::members;
use crate::prediction::{Classes, Prediction};
use crate::read::view::View;

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        class: "sklearn.ensemble.VotingClassifier",
        reads: &["estimators", "estimators_", "weights", "voting", "flatten_transform", "classes_"],
        ignores: &["n_jobs", "verbose", "le_", "named_estimators_"],
        lift: classifier,
    },
    Lifter {
        class: "sklearn.ensemble.VotingRegressor",
        reads: &["estimators", "estimators_", "weights"],
        ignores: &["n_jobs", "verbose", "named_estimators_"],
        lift: regressor,
    },
];

type Res<T> = Result<T, Diagnostic>;

/// A member that was not dropped.
pub(super) struct Named<'a> {
    pub name: String,
    pub fitted: View<'a>,
    /// Its position in `estimators`.
    pub position: usize,
}

/// The fitted estimators of `estimators_` with the names of `estimators`.
pub(super) fn named<'a>(view: &View<'a>) -> Res<Vec<Named<'a>>> {
    let all = named_steps(&view.attr("estimators")?)?;
    let kept = all.into_iter().enumerate().filter(|(_, (_, e))| e.str() != Some("drop")).map(|(i, (name, _))| (i, name));
    let (kept, fitted): (Vec<_>, _) = (kept.collect(), members::list(view, "estimators_")?);
    if kept.len() != fitted.len() {
        return Err(view.attr("estimators_")?.expected(&format!("{} estimators", kept.len())));
    }
    let named = kept.into_iter().zip(fitted).map(|((position, name), fitted)| {
        let fitted = fitted.at(view.join(&format!("estimators.{name}")));
        Named { name, fitted, position }
    });
    Ok(named.collect())
}

/// What is known of numbers that another estimator predicted.
pub(super) const PREDICTED: Facts = Facts { nan: true, big: true, overflow: true, single: false };

fn weights(view: &View<'_>, members: &[Named<'_>]) -> Res<Option<Vec<f64>>> {
    let weights = view.attr("weights")?;
    if weights.is_none() {
        return Ok(None);
    }
    let all = weights.f64s()?;
    let own = members.iter().map(|m| all.get(m.position).copied()).collect::<Option<_>>();
    own.map(Some).ok_or_else(|| weights.expected("a weight for each estimator"))
}

fn classifier(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let labels = Labels::of(&view.attr("classes_")?)?;
    let members = named(view)?;
    let weights = weights(view, &members)?;
    let voting = view.attr("voting")?;
    let lifted = members.iter().map(|m| cx.classifier(&m.name, &m.fitted, &input)).collect::<Res<Vec<_>>>()?;
    match voting.str() {
        Some("soft") => soft(cx, view, labels, &members, &lifted, weights.as_deref()),
        Some("hard") => hard(cx, view, labels, &members, &lifted, weights.as_deref()),
        _ => Err(voting.unsupported("a way to vote that is not known")),
    }
}

fn soft(
    cx: &mut Lift,
    view: &View<'_>,
    labels: Labels,
    members: &[Named<'_>],
    lifted: &[Classes],
    weights: Option<&[f64]>,
) -> Res<Lifted> {
    let n = labels.len();
    let probabilities = lifted.iter().zip(members).map(|(c, m)| c.probabilities_of(&m.fitted)).collect::<Res<Vec<_>>>()?;
    if let Some(i) = probabilities.iter().position(|p| cx.width(*p) != n) {
        return Err(members[i].fitted.expected(&format!("a classifier of {n} classes")));
    }
    let mean = cx.average(&probabilities, weights, view)?;
    let label = cx.label_of_greatest(&labels, mean)?;
    let prediction = Classes::new(labels, label).with_probabilities(mean).alone();
    if !view.attr("flatten_transform")?.bool()? {
        // Tables of three dimensions are no columns.
        return Ok(Lifted::Prediction(prediction));
    }
    let names = members.iter().flat_map(|m| (0..n).map(move |k| format!("votingclassifier_{}{k}", m.name)));
    let node = cx.side_by_side(&probabilities)?;
    let columns = Columns::node(node, cx.width(node), PREDICTED, Some(names.collect()));
    Ok(Lifted::Both(prediction, columns))
}

fn hard(
    cx: &mut Lift,
    view: &View<'_>,
    labels: Labels,
    members: &[Named<'_>],
    lifted: &[Classes],
    weights: Option<&[f64]>,
) -> Res<Lifted> {
    let (mut votes, mut codes) = (Vec::new(), Vec::new());
    for (i, (classes, member)) in lifted.iter().zip(members).enumerate() {
        let position = cx.codes_of(classes, &member.fitted)?;
        let own = cx.is_position(position, labels.len())?;
        let (weight, none) = (cx.row_f64([weights.map_or(1.0, |w| w[i])]), cx.row_f64([0.0]));
        votes.push(cx.op(Op::Select, &[own, weight, none])?);
        codes.push(cx.as_f64(position)?);
    }
    let sum = cx.added(&votes, view)?;
    let label = cx.label_of_greatest(&labels, sum)?;
    let names = members.iter().map(|m| format!("votingclassifier_{}", m.name)).collect();
    let node = cx.side_by_side(&codes)?;
    let columns = Columns::node(node, codes.len(), Facts::CODES, Some(names));
    Ok(Lifted::Both(Classes::new(labels, label).alone(), columns))
}

fn regressor(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let members = named(view)?;
    let weights = weights(view, &members)?;
    let predicted = members.iter().map(|m| one_target(cx, m, &input)).collect::<Res<Vec<_>>>()?;
    let mean = cx.average(&predicted, weights.as_deref(), view)?;
    let names = members.iter().map(|m| format!("votingregressor_{}", m.name)).collect();
    let node = cx.side_by_side(&predicted)?;
    let columns = Columns::node(node, predicted.len(), PREDICTED, Some(names));
    Ok(Lifted::Both(Prediction::Numbers(mean), columns))
}

fn one_target(cx: &mut Lift, member: &Named<'_>, input: &Columns) -> Res<NodeId> {
    let predicted = cx.regressor(&member.name, &member.fitted, input)?;
    if cx.width(predicted) == 1 { Ok(predicted) } else { Err(member.fitted.expected("a regressor of one target")) }
}
