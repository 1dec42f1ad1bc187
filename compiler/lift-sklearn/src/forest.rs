//! What single trees, forests and boosted trees have in common.

use flock_ir_spec::{Diagnostic, NodeId, Op, TreeEnsemble};

use crate::columns::Columns;
use crate::labels::Labels;
use crate::lift::{Lift, Lifter, lifter_of};
use crate::prediction::{Classes, Prediction};
use crate::read::view::View;
use crate::trees::{LeafClasses, Trees, allows_missing};

type Res<T> = Result<T, Diagnostic>;

/// Parameters and attributes of a single tree that no prediction depends on.
pub(crate) const TREE_IGNORES: &[&str] = &[
    "max_depth",
    "min_samples_split",
    "min_samples_leaf",
    "min_weight_fraction_leaf",
    "max_features",
    "max_leaf_nodes",
    "random_state",
    "min_impurity_decrease",
    "class_weight",
    "ccp_alpha",
    "max_features_",
    "n_classes_",
];

/// Those of a forest.
pub(crate) const FOREST_IGNORES: &[&str] = &[
    "estimator",
    "base_estimator",
    "estimator_",
    "n_estimators",
    "estimator_params",
    "bootstrap",
    "oob_score",
    "n_jobs",
    "random_state",
    "verbose",
    "warm_start",
    "class_weight",
    "max_samples",
    "criterion",
    "max_depth",
    "min_samples_split",
    "min_samples_leaf",
    "min_weight_fraction_leaf",
    "max_features",
    "max_leaf_nodes",
    "min_impurity_decrease",
    "ccp_alpha",
    "monotonic_cst",
    "_n_samples",
    "_n_samples_bootstrap",
    "_sample_weight",
    "oob_score_",
    "oob_decision_function_",
    "oob_prediction_",
    "n_classes_",
];

/// `n_outputs_`.
fn targets(view: &View<'_>) -> Res<usize> {
    let targets = view.attr("n_outputs_")?;
    match targets.size()? {
        0 => Err(targets.unsupported("no target")),
        n => Ok(n),
    }
}

/// The labels of each target: `classes_` is an array for one target, a list of arrays for several.
fn labels(view: &View<'_>) -> Res<Vec<Labels>> {
    let classes = view.attr("classes_")?;
    let labels: Vec<Labels> = match targets(view)? {
        1 => vec![Labels::of(&classes)?],
        n => {
            let lists = classes.items()?;
            if lists.len() != n {
                return Err(classes.expected(&format!("labels of {n} targets")));
            }
            lists.iter().map(Labels::of).collect::<Res<_>>()?
        }
    };
    if labels.iter().any(|l| l.len() == 0) { Err(classes.expected("labels")) } else { Ok(labels) }
}

/// The trees of a forest: each of the class that it says, with nothing that its lifter does not know.
pub(crate) fn members<'a>(cx: &mut Lift, view: &View<'a>, class: &'static Lifter) -> Res<Vec<View<'a>>> {
    let list = view.attr("estimators_")?;
    let trees = list.items()?;
    if trees.is_empty() {
        return Err(list.expected("at least one tree"));
    }
    for tree in &trees {
        let lifter = lifter_of(tree)?;
        if lifter.class != class.class {
            return Err(tree.expected(&format!("a `{}`", class.class)));
        }
        // One tree stands for all: the same fault a thousand times helps nobody.
        if !cx.open(tree, lifter) {
            break;
        }
    }
    Ok(trees)
}

/// Whether members are all trees, of classes that end in that word, and of one target.
pub(crate) fn are_trees(members: &[View<'_>], word: &str) -> bool {
    let one_target = |m: &View<'_>| m.get("n_outputs_").and_then(|n| n.size().ok()) == Some(1);
    members.iter().all(|m| lifter_of(m).is_ok_and(|l| l.class.ends_with(word)) && one_target(m))
}

/// The closed door for members that are trees: the first fault stands for all.
pub(crate) fn open_trees(cx: &mut Lift, members: &[View<'_>]) {
    for member in members {
        if !lifter_of(member).is_ok_and(|l| cx.open(member, l)) {
            break;
        }
    }
}

/// The leaf values of an ensemble of these trees, added up, one column per value.
fn summed(
    cx: &mut Lift,
    view: &View<'_>,
    trees: &[View<'_>],
    input: &Columns,
    (outputs, missing): (usize, bool),
    mut leaf: impl FnMut(&[f64], &mut Vec<f64>),
) -> Res<NodeId> {
    let mut all = Trees::new(input.width(), vec![0.0; outputs], missing);
    for tree in trees {
        let tree = tree.attr("tree_")?;
        all.add(&tree, None, &mut leaf)?;
    }
    let ensemble = all.finish(view)?;
    score(cx, view, input, ensemble)
}

/// The ensemble on the columns.
pub(crate) fn score(cx: &mut Lift, view: &View<'_>, input: &Columns, ensemble: TreeEnsemble) -> Res<NodeId> {
    let x = cx.numbers(input, view)?;
    let ensemble = cx.b.constant(ensemble);
    cx.op(Op::Trees, &[x, ensemble])
}

/// The number of values of a leaf, the same in all trees.
pub(crate) fn expect_leaves(trees: &[View<'_>], outputs: usize, classes: usize) -> Res<()> {
    for tree in trees {
        let values = tree.attr("tree_")?.attr("values")?;
        if values.shape()?.get(1..) != Some(&[outputs, classes]) {
            return Err(values.expected(&format!("leaves of {outputs} × {classes} values")));
        }
    }
    Ok(())
}

/// Refuses what the library refuses; gives whether a NaN may reach the trees.
fn refuse(cx: &mut Lift, view: &View<'_>, first: &View<'_>, forest: bool, input: &Columns) -> Res<bool> {
    let allowed = allows_missing(first, forest, input.sparse)?;
    cx.refuse_beyond_f32(input, allowed, view)?;
    Ok(allowed && input.facts().nan)
}

/// A classifier of one tree or of the mean of many.
pub(crate) fn classifier(
    cx: &mut Lift,
    view: &View<'_>,
    trees: &[View<'_>],
    forest: bool,
    input: &Columns,
) -> Res<Prediction> {
    let missing = refuse(cx, view, &trees[0], forest, input)?;
    let labels = labels(view)?;
    let leaf = LeafClasses::of(&trees[0], labels.iter().map(Labels::len).collect())?;
    let most = leaf.classes.iter().copied().max().unwrap_or(0);
    expect_leaves(trees, labels.len(), most)?;
    let mut agree = true;
    let sum = summed(cx, view, trees, input, (leaf.outputs(), missing), |values, out| {
        agree &= forest || leaf.agrees(values);
        leaf.probabilities(values, out);
    })?;
    let probabilities = mean(cx, sum, trees.len(), forest)?;
    // One tree's label is that of its leaf's greatest count, before any division.
    let deciding = match agree {
        true => probabilities,
        false => summed(cx, view, trees, input, (leaf.outputs(), missing), |values, out| leaf.raw(values, out))?,
    };
    let mut start = 0;
    let mut classes = Vec::new();
    for labels in labels {
        let positions: Vec<usize> = (start..start + labels.len()).collect();
        start += labels.len();
        let deciding = cx.pick(deciding, &positions)?;
        let label = cx.label_of_greatest(&labels, deciding)?;
        let probabilities = cx.pick(probabilities, &positions)?;
        classes.push(Classes::new(labels, label).with_probabilities(probabilities));
    }
    Ok(Prediction::Classes(classes))
}

/// A regressor of one tree or of the mean of many.
pub(crate) fn regressor(
    cx: &mut Lift,
    view: &View<'_>,
    trees: &[View<'_>],
    forest: bool,
    input: &Columns,
) -> Res<Prediction> {
    let missing = refuse(cx, view, &trees[0], forest, input)?;
    let targets = targets(view)?;
    expect_leaves(trees, targets, 1)?;
    let sum = summed(cx, view, trees, input, (targets, missing), |values, out| out.extend(values))?;
    Ok(Prediction::Numbers(mean(cx, sum, trees.len(), forest)?))
}

/// The library divides the sum of a forest by the number of trees, also where that is one.
fn mean(cx: &mut Lift, sum: NodeId, trees: usize, forest: bool) -> Res<NodeId> {
    if forest { cx.with_row(Op::Div, sum, vec![trees as f64]) } else { Ok(sum) }
}
