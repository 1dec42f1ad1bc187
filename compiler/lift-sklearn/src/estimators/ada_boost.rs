//! `AdaBoostClassifier` and `AdaBoostRegressor`: members that vote, each with its weight.
//!
//! | `estimators_` | classifiers of the same labels, or regressors |   | `estimator_weights_` | a weight for each |
//! | `algorithm` | `SAMME`: for its label a member gives its weight, against each other one (since 1.3) its share of it; |
//! | | `SAMME.R` (until 1.5): the centred logarithms of its probabilities |
//!
//! The regressor gives the weighted median. NaN and infinities are refused.
//! Source: scikit-learn `ensemble/_weight_boosting.py`.

use flock_ir_spec::{Attr, Diagnostic, Frame, NodeId, Op};

use crate::columns::Columns;
use crate::forest;
use crate::labels::Labels;
use crate::lift::{Lift, Lifted, Lifter};
use crate::members;
use crate::prediction::{Classes, Prediction};
use crate::read::view::View;
use crate::trees::{LeafClasses, Trees, greatest, pairwise_sum};
use crate::version::Version;

const IGNORES: &[&str] = &[
    "estimator", "base_estimator", "estimator_", "estimator_params", "n_estimators", "learning_rate", "loss",
    "random_state", "estimator_errors_", "n_classes_",
];

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        class: "sklearn.ensemble.AdaBoostClassifier",
        reads: &["estimators_", "estimator_weights_", "classes_", "algorithm"],
        ignores: IGNORES,
        lift: classifier,
    },
    Lifter {
        class: "sklearn.ensemble.AdaBoostRegressor",
        reads: &["estimators_", "estimator_weights_"],
        ignores: IGNORES,
        lift: regressor,
    },
];

type Res<T> = Result<T, Diagnostic>;

/// How a member's answer becomes votes.
enum Votes {
    /// By its label: its weight, and what every other label gets of it.
    Label { weight: f64, other: f64 },
    /// By its probabilities.
    Probabilities,
}

pub(super) fn classifier(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let labels = Labels::of(&view.attr("classes_")?)?;
    let n = labels.len();
    if n == 0 {
        return Err(view.attr("classes_")?.expected("labels"));
    }
    cx.refuse_non_finite(&input, view)?;
    let members = members::list(view, "estimators_")?;
    // Classes beside scikit-learn's do not say the version; their members do.
    let version = Version::of(view).or_else(|_| Version::of(&members[0]))?;
    let real = version < Version(1, 6) && view.get("algorithm").and_then(|a| a.str()) == Some("SAMME.R");
    if n < 2 && !real && (Version(1, 3)..Version(1, 7)).contains(&version) {
        return Err(view.unsupported("one class, with which this version of the library divides by zero"));
    }
    let weights = weights(view, members.len())?;
    let others = |weight: f64| if version < Version(1, 3) { 0.0 } else { -1.0 / (n as f64 - 1.0) * weight };
    let votes = |m: usize| match real {
        true => Votes::Probabilities,
        false => Votes::Label { weight: weights[m], other: others(weights[m]) },
    };
    // With one class members are not asked since 1.7; before, they refuse rows.
    let members = if n == 1 && version >= Version(1, 7) { Vec::new() } else { members };
    let sum = match forest::are_trees(&members, "TreeClassifier") {
        _ if members.is_empty() => cx.row_f64([0.0]),
        true => of_trees(cx, view, &members, &input, &labels, votes)?,
        false => of_members(cx, view, &members, &input, &labels, votes)?,
    };
    if n == 1 {
        let label = cx.b.constant(labels.row(0));
        let one = cx.row_f64([1.0]);
        return Ok(Lifted::Prediction(Classes::new(labels, label).with_probabilities(one).alone()));
    }
    let scores = cx.with_row(Op::Div, sum, vec![pairwise_sum(&weights)])?;
    Ok(Lifted::Prediction(decided(cx, labels, scores)?.alone()))
}

/// Label, decision function and probabilities from the votes.
fn decided(cx: &mut Lift, labels: Labels, votes: NodeId) -> Res<Classes> {
    if labels.len() > 2 {
        let label = cx.label_of_greatest(&labels, votes)?;
        let scaled = cx.with_row(Op::Div, votes, vec![labels.len() as f64 - 1.0])?;
        let probabilities = cx.op(Op::Softmax, &[scaled])?;
        return Ok(Classes::new(labels, label).with_probabilities(probabilities).with_decision(votes));
    }
    let (no, yes) = (cx.pick(votes, &[0])?, cx.pick(votes, &[1])?);
    let score = cx.op(Op::Sub, &[yes, no])?;
    let positive = cx.with_row(Op::Gt, score, vec![0.0])?;
    let label = cx.label_if(&labels, positive)?;
    let minus = cx.op(Op::Neg, &[score])?;
    let both = cx.side_by_side(&[minus, score])?;
    let halves = cx.with_row(Op::Div, both, vec![2.0])?;
    let probabilities = cx.op(Op::Softmax, &[halves])?;
    Ok(Classes::new(labels, label).with_probabilities(probabilities).with_decision(score))
}

/// Members that are trees vote in their leaves: one ensemble.
fn of_trees(
    cx: &mut Lift,
    view: &View<'_>,
    members: &[View<'_>],
    input: &Columns,
    labels: &Labels,
    votes: impl Fn(usize) -> Votes,
) -> Res<NodeId> {
    cx.refuse_beyond_f32(input, false, view)?;
    forest::open_trees(cx, members);
    let n = labels.len();
    let mut trees = Trees::new(input.width(), vec![0.0; n], false);
    forest::expect_leaves(members, 1, n)?;
    for (m, tree) in members.iter().enumerate() {
        if Labels::of(&tree.attr("classes_")?)?.table != labels.table {
            return Err(tree.attr("classes_")?.expected("the labels of the ensemble"));
        }
        let leaf = LeafClasses::of(tree, vec![n])?;
        let votes = votes(m);
        trees.add(&tree.attr("tree_")?, None, |values, out| match votes {
            Votes::Label { weight, other } => {
                let first = greatest(values);
                out.extend((0..n).map(|k| if k == first { weight } else { other }));
            }
            Votes::Probabilities => {
                let mut p = Vec::with_capacity(n);
                leaf.probabilities(values, &mut p);
                let logs: Vec<f64> = p.iter().map(|p| p.max(f64::EPSILON).ln()).collect();
                let mean = (1.0 / n as f64) * pairwise_sum(&logs);
                out.extend(logs.iter().map(|log| (n as f64 - 1.0) * (log - mean)));
            }
        })?;
    }
    let ensemble = trees.finish(view)?;
    forest::score(cx, view, input, ensemble)
}

/// Any other members.
fn of_members(
    cx: &mut Lift,
    view: &View<'_>,
    members: &[View<'_>],
    input: &Columns,
    labels: &Labels,
    votes: impl Fn(usize) -> Votes,
) -> Res<NodeId> {
    let n = labels.len();
    let mut all = Vec::with_capacity(members.len());
    for (m, member) in members.iter().enumerate() {
        let classes = cx.classifier(&m.to_string(), member, input)?;
        all.push(match votes(m) {
            Votes::Label { weight, other } => {
                let position = cx.label_position(&classes, labels, member)?;
                let own = cx.is_position(position, n)?;
                let (weight, other) = (cx.row_f64([weight]), cx.row_f64([other]));
                cx.op(Op::Select, &[own, weight, other])?
            }
            Votes::Probabilities => {
                let p = classes.probabilities_of(member)?;
                let p = cx.with_row(Op::Max, p, vec![f64::EPSILON])?;
                let logs = cx.op(Op::Ln, &[p])?;
                let sum = cx.op(Op::Sum, &[logs])?;
                let mean = cx.with_row(Op::Mul, sum, vec![1.0 / n as f64])?;
                let centred = cx.op(Op::Sub, &[logs, mean])?;
                cx.with_row(Op::Mul, centred, vec![n as f64 - 1.0])?
            }
        });
    }
    cx.added(&all, view)
}

/// A weight for each member; those of members that a fit that ended early never had stand behind.
fn weights(view: &View<'_>, members: usize) -> Res<Vec<f64>> {
    let weights = view.attr("estimator_weights_")?;
    let values = weights.f64s()?;
    if values.len() < members { Err(weights.expected(&format!("{members} weights"))) } else { Ok(values) }
}

fn regressor(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    cx.refuse_non_finite(&input, view)?;
    let members = members::list(view, "estimators_")?;
    let mut weights = weights(view, members.len())?;
    weights.truncate(members.len());
    let leaves = forest::are_trees(&members, "TreeRegressor");
    let predictions = if leaves {
        cx.refuse_beyond_f32(&input, false, view)?;
        forest::open_trees(cx, &members);
        forest::expect_leaves(&members, 1, 1)?;
        let mut trees = Trees::new(input.width(), vec![0.0; members.len()], false);
        for (m, tree) in members.iter().enumerate() {
            trees.add(&tree.attr("tree_")?, Some(m as u32), |values, out| out.extend(values))?;
        }
        let ensemble = trees.finish(view)?;
        forest::score(cx, view, &input, ensemble)?
    } else {
        let mut all = Vec::with_capacity(members.len());
        for (m, member) in members.iter().enumerate() {
            all.push(cx.regressor(&m.to_string(), member, &input)?);
        }
        cx.side_by_side(&all)?
    };
    if cx.width(predictions) != members.len() {
        return Err(view.attr("estimators_")?.expected("regressors of one target"));
    }
    Ok(Lifted::Prediction(Prediction::Numbers(weighted_median(cx, predictions, weights, leaves)?)))
}

/// The first of the predictions in ascending order with which the weights so far are half of all or more. What
/// trees predict is never NaN.
fn weighted_median(cx: &mut Lift, predictions: NodeId, weights: Vec<f64>, leaves: bool) -> Res<NodeId> {
    let n = weights.len();
    let order = cx.op_with(Op::Order, Attr::Range { start: 0, len: n as u32 }, &[predictions])?;
    let weights = cx.row_f64(weights);
    let weights = cx.op(Op::Gather, &[weights, order])?;
    let weights = cx.or_else(weights, Frame::row_f64([0.0]))?;
    let mut sums = vec![cx.pick(weights, &[0])?];
    for k in 1..n {
        let next = cx.pick(weights, &[k])?;
        sums.push(cx.op(Op::Add, &[sums[k - 1], next])?);
    }
    let half = cx.with_row(Op::Mul, sums[n - 1], vec![0.5])?;
    let sums = cx.side_by_side(&sums)?;
    let enough = cx.op(Op::Ge, &[sums, half])?;
    let enough = cx.as_f64(enough)?;
    let rank = cx.op(Op::ArgMax, &[enough])?;
    let member = cx.op(Op::Gather, &[order, rank])?;
    if leaves {
        let median = cx.op(Op::Gather, &[predictions, member])?;
        return cx.or_else(median, Frame::row_f64([0.0]));
    }
    // NaN, which ranks last, goes by itself: a gathered null is another thing.
    let nan = cx.op(Op::IsNan, &[predictions])?;
    let (none, infinity) = (cx.row_f64([f64::NAN]), cx.row_f64([f64::INFINITY]));
    let numbers = cx.op(Op::Select, &[nan, infinity, predictions])?;
    let median = cx.op(Op::Gather, &[numbers, member])?;
    let median = cx.or_else(median, Frame::row_f64([0.0]))?;
    let nan = cx.as_f64(nan)?;
    let nan = cx.op(Op::Gather, &[nan, member])?;
    let nan = cx.or_else(nan, Frame::row_f64([0.0]))?;
    let nan = cx.with_row(Op::Ne, nan, vec![0.0])?;
    cx.op(Op::Select, &[nan, none, median])
}
