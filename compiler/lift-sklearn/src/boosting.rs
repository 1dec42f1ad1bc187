//! What the gradient-boosted regressor and classifier have in common.

use flock_ir_spec::{Diagnostic, NodeId, Op};

use crate::columns::{Columns, Facts};
use crate::estimators;
use crate::forest;
use crate::lift::{Lift, Lifter, public_name};
use crate::read::view::View;
use crate::trees::Trees;
use crate::version::Version;

/// Parameters and attributes of both that no prediction depends on.
pub(crate) const IGNORES: &[&str] = &[
    "n_estimators",
    "criterion",
    "min_samples_split",
    "min_samples_leaf",
    "min_weight_fraction_leaf",
    "subsample",
    "max_features",
    "max_depth",
    "min_impurity_decrease",
    "ccp_alpha",
    "init",
    "random_state",
    "alpha",
    "verbose",
    "max_leaf_nodes",
    "warm_start",
    "validation_fraction",
    "n_iter_no_change",
    "tol",
    "n_classes_",
    "_n_classes",
    "n_trees_per_iteration_",
    "max_features_",
    "_loss",
    "train_score_",
    "oob_improvement_",
    "oob_scores_",
    "oob_score_",
    "_rng",
    "n_estimators_",
];

/// What the scores start from.
pub(crate) enum Start {
    /// The same on every row.
    Constant(Vec<f64>),
    /// What another estimator gives for the row.
    Rows(NodeId),
}

/// The scores: the start plus each stage's leaves times the learning rate, in the order of the stages. A start that is
/// not the same on every row is added last, which may differ in the last bit.
pub(crate) fn raw(cx: &mut Lift, view: &View<'_>, input: &Columns, start: Start) -> Result<NodeId, Diagnostic> {
    cx.refuse_beyond_f32(input, false, view)?;
    let (base, rows) = match start {
        Start::Constant(base) => (base, None),
        Start::Rows(node) => (vec![0.0; cx.width(node)], Some(node)),
    };
    let rate = view.attr("learning_rate")?.f64()?;
    let outputs = base.len();
    let list = view.attr("estimators_")?;
    let stages = list.items()?;
    if list.shape()?.get(1..) != Some(&[outputs]) {
        return Err(list.expected(&format!("stages of {outputs} trees")));
    }
    let mut trees = Trees::new(input.width(), base, false);
    let mut open = true;
    for (i, tree) in stages.iter().enumerate() {
        let lifter = member(tree)?;
        open = open && cx.open(tree, lifter);
        let tree = tree.attr("tree_")?;
        if tree.attr("values")?.shape()?.get(1..) != Some(&[1, 1]) {
            return Err(tree.attr("values")?.expected("leaves of one value"));
        }
        trees.add(&tree, Some((i % outputs) as u32), |values, out| out.push(rate * values[0]))?;
    }
    let ensemble = trees.finish(view)?;
    let scores = forest::score(cx, view, input, ensemble)?;
    match rows {
        Some(rows) => cx.op(Op::Add, &[rows, scores]),
        None => Ok(scores),
    }
}

fn member(tree: &View<'_>) -> Result<&'static Lifter, Diagnostic> {
    let lifter = crate::lift::lifter_of(tree)?;
    let known = estimators::all().any(|l| std::ptr::eq(l, lifter)) && lifter.class.ends_with("TreeRegressor");
    if known { Ok(lifter) } else { Err(tree.expected("a `DecisionTreeRegressor`")) }
}

/// The estimator that the scores start from, where it is one that answers the same on every row.
pub(crate) fn dummy<'v, 'a>(init: &'v View<'a>, class: &str) -> Result<Option<&'v View<'a>>, Diagnostic> {
    match init.class().map(|c| public_name(&c)) {
        Some(found) if found == class => Version::of(init).map(|_| Some(init)),
        Some(_) => Ok(None),
        None => Err(init.expected("an estimator to start from")),
    }
}

/// The columns as the estimator to start from gets them: rounded to float32, none missing.
pub(crate) fn columns(cx: &mut Lift, view: &View<'_>, input: &Columns) -> Result<Columns, Diagnostic> {
    cx.refuse_beyond_f32(input, false, view)?;
    let x = cx.numbers(input, view)?;
    let x = cx.rounded_to_f32(x)?;
    let facts = Facts { nan: false, big: false, overflow: false, single: true };
    Ok(Columns::node(x, input.width(), facts, None))
}
