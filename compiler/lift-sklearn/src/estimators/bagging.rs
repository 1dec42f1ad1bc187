//! `BaggingClassifier` and `BaggingRegressor`: the mean of members, each on its own columns.
//!
//! | `estimators_`, `estimators_features_` | members, and the positions of their columns |
//! | `classes_` | labels; the members' own classes are positions among them |
//!
//! A member without `predict_proba` gives 1 for its label. What is refused is up to the members.
//! Source: scikit-learn `ensemble/_bagging.py`.

use flock_ir_spec::{Data, Diagnostic, NodeId, Op};

use super::pipeline::lone_step;
use crate::columns::Columns;
use crate::forest;
use crate::labels::Labels;
use crate::lift::{Lift, Lifted, Lifter};
use crate::members;
use crate::prediction::{Classes, Prediction};
use crate::read::view::View;
use crate::trees::{LeafClasses, Trees, allows_missing};

const IGNORES: &[&str] = &[
    "estimator", "base_estimator", "estimator_", "estimator_params", "n_estimators", "max_samples", "max_features",
    "bootstrap", "bootstrap_features", "oob_score", "warm_start", "n_jobs", "random_state", "verbose", "n_classes_",
    "oob_score_", "oob_decision_function_", "oob_prediction_", "_max_features", "_max_samples", "_n_samples", "_seeds",
    "_sample_weight",
];

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        class: "sklearn.ensemble.BaggingClassifier",
        reads: &["estimators_", "estimators_features_", "classes_"],
        ignores: IGNORES,
        lift: classifier,
    },
    Lifter {
        class: "sklearn.ensemble.BaggingRegressor",
        reads: &["estimators_", "estimators_features_"],
        ignores: IGNORES,
        lift: regressor,
    },
];

type Res<T> = Result<T, Diagnostic>;

/// A member and the positions of its columns.
type Member<'a> = (View<'a>, Vec<usize>);

fn members<'a>(cx: &mut Lift, view: &View<'a>, input: &Columns) -> Res<Vec<Member<'a>>> {
    let members = members::list(view, "estimators_")?;
    let lists = view.attr("estimators_features_")?;
    let lists = super::per_column(&lists, members.len())?;
    let positions = |list: &View<'a>| {
        let positions = list.sizes()?;
        let inside = positions.iter().all(|p| *p < input.width());
        if inside { Ok(positions) } else { Err(list.expected(&format!("positions among {} columns", input.width()))) }
    };
    let whole = |member: View<'a>| lone_step(&member).unwrap_or(member);
    let of = |(member, list)| Ok((whole(member), positions(list)?));
    let members: Vec<Member<'a>> = members.into_iter().zip(&lists).map(of).collect::<Res<_>>()?;
    // Nobody else refuses what a step before refuses in a column that no member has.
    if !(0..input.width()).all(|i| members.iter().any(|(_, positions)| positions.contains(&i))) {
        cx.settle(input)?;
    }
    Ok(members)
}

pub(super) fn classifier(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let labels = Labels::of(&view.attr("classes_")?)?;
    let members = members(cx, view, &input)?;
    let trees: Vec<View<'_>> = members.iter().map(|(member, _)| member.clone()).collect();
    let (sum, decision) = if forest::are_trees(&trees, "TreeClassifier") {
        (of_trees(cx, view, &members, &input, Some(labels.len()))?, None)
    } else {
        of_members(cx, view, &members, &input, labels.len())?
    };
    let probabilities = cx.with_row(Op::Div, sum, vec![members.len() as f64])?;
    let label = cx.label_of_greatest(&labels, probabilities)?;
    let mut classes = Classes::new(labels, label).with_probabilities(probabilities);
    if let Some(sum) = decision {
        classes = classes.with_decision(cx.with_row(Op::Div, sum, vec![members.len() as f64])?);
    }
    Ok(Lifted::Prediction(classes.alone()))
}

/// The sums of the members' probabilities and, where each has one for all classes, of their decision functions.
fn of_members(
    cx: &mut Lift,
    view: &View<'_>,
    members: &[Member<'_>],
    input: &Columns,
    n: usize,
) -> Res<(NodeId, Option<NodeId>)> {
    let (mut all, mut decisions) = (Vec::new(), Vec::new());
    for (m, (member, positions)) in members.iter().enumerate() {
        let columns = cx.select(input, positions)?;
        let classes = cx.classifier(&m.to_string(), member, &columns)?;
        decisions.extend(classes.decision.filter(|d| !d.pairwise).map(|d| d.scores));
        all.push(match classes.probabilities {
            Some(p) => {
                let own = positions_among(&classes.labels, n).ok_or_else(|| {
                    member.expected(&format!("a classifier of positions among {n} labels"))
                })?;
                cx.spread(p, &own, n)?
            }
            None => {
                let position = cx.codes_of(&classes, member)?;
                let own = cx.is_position(position, n)?;
                cx.as_f64(own)?
            }
        });
    }
    let width = if n == 2 { 1 } else { n };
    let alike = decisions.len() == members.len() && decisions.iter().all(|d| cx.width(*d) == width);
    let decision = if alike { Some(cx.added(&decisions, view)?) } else { None };
    Ok((cx.added(&all, view)?, decision))
}

/// The labels of a member, which are positions among those of the whole.
fn positions_among(labels: &Labels, n: usize) -> Option<Vec<usize>> {
    let Data::I64(positions) = &labels.table.data else { return None };
    positions.iter().map(|p| usize::try_from(*p).ok().filter(|p| *p < n)).collect()
}

fn regressor(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let members = members(cx, view, &input)?;
    let trees: Vec<View<'_>> = members.iter().map(|(member, _)| member.clone()).collect();
    let sum = if forest::are_trees(&trees, "TreeRegressor") {
        of_trees(cx, view, &members, &input, None)?
    } else {
        let mut all = Vec::new();
        for (m, (member, positions)) in members.iter().enumerate() {
            let columns = cx.select(&input, positions)?;
            all.push(cx.regressor(&m.to_string(), member, &columns)?);
        }
        cx.added(&all, view)?
    };
    Ok(Lifted::Prediction(Prediction::Numbers(cx.with_row(Op::Div, sum, vec![members.len() as f64])?)))
}

/// The sum over members that are trees of one target: one ensemble. `classes` are those of the whole.
fn of_trees(
    cx: &mut Lift,
    view: &View<'_>,
    members: &[Member<'_>],
    input: &Columns,
    classes: Option<usize>,
) -> Res<NodeId> {
    let views: Vec<View<'_>> = members.iter().map(|(member, _)| member.clone()).collect();
    forest::open_trees(cx, &views);
    let mut allowed = true;
    for (member, positions) in members {
        let own = allows_missing(member, false, input.sparse)?;
        allowed &= own;
        let columns = cx.select(input, positions)?;
        cx.refuse_beyond_f32(&columns, own, member)?;
    }
    let mut trees = Trees::new(input.width(), vec![0.0; classes.unwrap_or(1)], allowed && input.facts().nan);
    for (member, positions) in members {
        let tree = member.attr("tree_")?;
        let Some(n) = classes else {
            forest::expect_leaves(std::slice::from_ref(member), 1, 1)?;
            trees.add_on(&tree, Some(positions), None, |_, values, out| out.extend(values))?;
            continue;
        };
        let own = member.attr("classes_")?.sizes()?;
        forest::expect_leaves(std::slice::from_ref(member), 1, own.len())?;
        if own.iter().any(|c| *c >= n) {
            return Err(member.attr("classes_")?.expected(&format!("positions among {n} labels")));
        }
        let leaf = LeafClasses::of(member, vec![own.len()])?;
        trees.add_on(&tree, Some(positions), None, |_, values, out| {
            let (start, mut p) = (out.len(), Vec::with_capacity(own.len()));
            leaf.probabilities(values, &mut p);
            out.resize(start + n, 0.0);
            own.iter().zip(p).for_each(|(c, p)| out[start + c] = p);
        })?;
    }
    let ensemble = trees.finish(view)?;
    forest::score(cx, view, input, ensemble)
}
