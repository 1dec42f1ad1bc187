//! `TreeEnsembleClassifier`: scores per class from trees, the label, the scores transformed.
//!
//! Three and more classes: the greatest score among the classes that have one wins, the first of equals.
//! Two classes are onnxruntime's own affair, and this follows it:
//!
//! | weights are for | base values | score s | label | columns |
//! |---|---|---|---|---|
//! | class 0 alone | none or one | sum + base | second where s > t | `[-s, s]`, `[1 - s, s]` if no weight is below 0, logistic of `[-s, s]` |
//! | class 0 alone | two | sum + first base | second where s > t | transform of `[s, 0]` |
//! | class 1 alone | none or one | sum | second where s > t | transform of `[0, s]` |
//! | class 1 alone | two | second base | second where s > t | transform of `[0, s]` |
//! | both | none or one | of class 1; the base adds to class 0 | 1 where s > 0, else 0 | transform of both |
//! | both | two | sum of class 0 + second base | 1 where s > 0, else 0 | transform of `[-s, s]` |
//!
//! t is 0.5 if no weight is below 0, else 0. With weights for both classes integer labels are 0 and 1 whatever
//! `classlabels_int64s` says; string labels are taken by that position.
//! Source: ai.onnx.ml TreeEnsembleClassifier-1, -3; onnxruntime 1.32 `ml/tree_ensemble_aggregator.h`, and its answers.

use std::sync::Arc;

use flock_ir_spec::{Frame, NodeId, Op};

use super::Lifter;
use super::tree_nodes::{Forest, NODES, STATISTICS};
use super::tree_sums::Scored;
use crate::Res;
use crate::attributes::{Declared, Form};
use crate::elem::Elem;
use crate::labels::Labels;
use crate::node::Node;
use crate::scores::PostTransform;
use crate::shape::{Dim, Shape};
use crate::value::Value;

const OWN: [Declared; 10] = [
    ("class_treeids", Form::Ints),
    ("class_nodeids", Form::Ints),
    ("class_ids", Form::Ints),
    ("class_weights", Form::Floats),
    ("class_weights_as_tensor", Form::Tensor),
    ("classlabels_int64s", Form::Ints),
    ("classlabels_strings", Form::Texts),
    ("base_values", Form::Floats),
    ("base_values_as_tensor", Form::Tensor),
    ("post_transform", Form::Text),
];

const ATTRIBUTES: [Declared; 19] = super::joined::<10, 9, 19>(OWN, NODES);

pub static LIFTERS: &[Lifter] = &[Lifter {
    outputs: 2..=2,
    ignores: STATISTICS,
    ..Lifter::ml("TreeEnsembleClassifier", &[1, 3], &ATTRIBUTES, lift)
}];

/// A classifier's trees and what is done with their sums.
struct Classifier {
    x: NodeId,
    elem: Elem,
    forest: Forest,
    labels: Arc<Labels>,
    scored: Vec<Scored>,
    base: Vec<f64>,
    transform: PostTransform,
    /// No weight is below 0.
    positive: bool,
}

fn lift(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let labels = Arc::new(node.labels("classlabels_int64s", "classlabels_strings")?);
    let k = labels.len();
    if k == 1 {
        return Err(node.unsupported("a classifier with one class"));
    }
    let transform = node.post_transform()?;
    let rows = node.features(0)?.0.shape.0[0];
    let (x, elem) = node.tree_features()?;
    let base = node.numbers_attribute("base_values", elem)?;
    if ![0, k].contains(&base.len()) && (k, base.len()) != (2, 1) {
        return Err(node.bad_attribute(format!("{} base values for {k} classes", base.len())));
    }
    let width = node.width(x);
    let positive = node.numbers_attribute("class_weights", elem)?.iter().all(|w| *w >= 0.0);
    let mut forest = node.forest("class", k, width, elem)?;
    let scored = forest.scored(k);
    if k == 2 && scored.contains(&Scored::Never) {
        forest.leaves.iter_mut().flatten().for_each(|weight| weight.0 = 0);
    }
    let c = Classifier { x, elem, forest, labels: labels.clone(), scored, base, transform, positive };
    let (label, scores) = if k > 2 { several(node, &c)? } else { two(node, &c)? };
    let label_elem = node.label_elem(&labels);
    node.lift.labels.push(labels);
    let label = node.gives(label_elem, Shape(vec![rows]), label)?;
    let scores = node.gives(Elem::F32, Shape(vec![rows, Dim::Fixed(k as u64)]), scores)?;
    Ok(vec![label.into(), scores.into()])
}

fn several(node: &mut Node<'_, '_>, c: &Classifier) -> Res<(NodeId, NodeId)> {
    let k = c.labels.len();
    let sums = node.tree_sums(c.x, &c.forest, k, c.elem)?;
    let (scores, candidates) = if c.base.is_empty() {
        (sums, among_scored(node, c, sums)?)
    } else {
        let base = node.numbers(c.elem, c.base.clone())?;
        let scores = node.op(Op::Add, &[sums, base])?;
        (scores, scores)
    };
    let index = node.op(Op::ArgMax, &[candidates])?;
    let label = node.look_up(index, c.labels.table())?;
    let scores = node.narrowed(scores)?;
    Ok((label, node.transformed(scores, c.transform)?))
}

/// The sums with those of classes without a score below everything.
fn among_scored(node: &mut Node<'_, '_>, c: &Classifier, sums: NodeId) -> Res<NodeId> {
    if c.scored.iter().all(|s| *s == Scored::Always) {
        return Ok(sums);
    }
    let scored = if c.scored.contains(&Scored::Sometimes) {
        node.tree_scored(c.x, &c.forest, c.labels.len(), c.elem)?
    } else {
        let always: Vec<bool> = c.scored.iter().map(|s| *s == Scored::Always).collect();
        node.constant(Frame::row_bool(always))?
    };
    let least = node.number(c.elem, f64::NEG_INFINITY)?;
    node.op(Op::Select, &[scored, sums, least])
}

fn two(node: &mut Node<'_, '_>, c: &Classifier) -> Res<(NodeId, NodeId)> {
    match c.scored.as_slice() {
        [Scored::Always, Scored::Never] => first_only(node, c),
        [Scored::Never, Scored::Always] => second_only(node, c),
        [Scored::Always, Scored::Always] => both(node, c),
        other => Err(node.unsupported(format!(
            "two classes of which some rows reach no weight ({other:?}): onnxruntime's answer follows no rule"
        ))),
    }
}

/// The sum of all leaves: those of the one class that has weights.
fn sum(node: &mut Node<'_, '_>, c: &Classifier) -> Res<NodeId> {
    node.tree_sums(c.x, &c.forest, 1, c.elem)
}

fn plus(node: &mut Node<'_, '_>, c: &Classifier, x: NodeId, base: Option<&f64>) -> Res<NodeId> {
    let Some(base) = base else { return Ok(x) };
    let base = node.number(c.elem, *base)?;
    node.op(Op::Add, &[x, base])
}

/// The label by the score, where the weights are for one class.
fn by_threshold(node: &mut Node<'_, '_>, c: &Classifier, score: NodeId) -> Res<NodeId> {
    let threshold = node.number(c.elem, if c.positive { 0.5 } else { 0.0 })?;
    let second = node.op(Op::Gt, &[score, threshold])?;
    node.one_of_two(second, &c.labels)
}

fn first_only(node: &mut Node<'_, '_>, c: &Classifier) -> Res<(NodeId, NodeId)> {
    let sum = sum(node, c)?;
    let score = plus(node, c, sum, c.base.first())?;
    let label = by_threshold(node, c, score)?;
    let narrow = node.narrowed(score)?;
    if c.base.len() < 2 {
        return Ok((label, node.two_classes(narrow, c.transform, c.positive)?));
    }
    let zero = node.number(Elem::F32, 0.0)?;
    let columns = node.concat(&[narrow, zero])?;
    Ok((label, node.transformed(columns, c.transform)?))
}

fn second_only(node: &mut Node<'_, '_>, c: &Classifier) -> Res<(NodeId, NodeId)> {
    let mut score = sum(node, c)?;
    if let [_, base] = c.base.as_slice() {
        // The weights are finite, so that 0 times their sum is 0 on every row.
        let zero = node.number(c.elem, 0.0)?;
        let nothing = node.op(Op::Mul, &[score, zero])?;
        score = plus(node, c, nothing, Some(base))?;
    }
    let label = by_threshold(node, c, score)?;
    let narrow = node.narrowed(score)?;
    let zero = node.number(Elem::F32, 0.0)?;
    let columns = node.concat(&[zero, narrow])?;
    Ok((label, node.transformed(columns, c.transform)?))
}

fn both(node: &mut Node<'_, '_>, c: &Classifier) -> Res<(NodeId, NodeId)> {
    let sums = node.tree_sums(c.x, &c.forest, 2, c.elem)?;
    let (first, second) = (node.column(sums, 0)?, node.column(sums, 1)?);
    let (first, second) = match c.base.as_slice() {
        [_, base] => {
            let score = plus(node, c, first, Some(base))?;
            (node.op(Op::Neg, &[score])?, score)
        }
        [base] => (plus(node, c, first, Some(base))?, second),
        _ => (first, second),
    };
    let zero = node.number(c.elem, 0.0)?;
    let positive = node.op(Op::Gt, &[second, zero])?;
    let by_position = match &*c.labels {
        Labels::Ints(_) => Labels::Ints(vec![0, 1]),
        Labels::Texts(_) => (*c.labels).clone(),
    };
    let label = node.one_of_two(positive, &by_position)?;
    let columns = node.concat(&[first, second])?;
    let columns = node.narrowed(columns)?;
    Ok((label, node.transformed(columns, c.transform)?))
}
