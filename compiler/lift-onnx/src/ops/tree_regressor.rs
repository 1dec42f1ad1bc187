//! `TreeEnsembleRegressor`: the sum, mean, least or greatest of the leaves per target, plus a base value.
//!
//! With one target a leaf's first weight counts and no transform is applied. With several, a target that no reached leaf
//! has a weight for is 0, its base value included.
//! Source: ai.onnx.ml TreeEnsembleRegressor-1, -3; onnxruntime 1.32 `ml/tree_ensemble_aggregator.h`, and its answers.

use flock_ir_spec::{Frame, NodeId, Op};

use super::Lifter;
use super::tree_nodes::{Forest, NODES, STATISTICS};
use super::tree_sums::Scored;
use crate::Res;
use crate::attributes::{Declared, Form};
use crate::elem::Elem;
use crate::node::Node;
use crate::scores::PostTransform;
use crate::shape::{Dim, Shape};
use crate::value::Value;

const OWN: [Declared; 9] = [
    ("target_treeids", Form::Ints),
    ("target_nodeids", Form::Ints),
    ("target_ids", Form::Ints),
    ("target_weights", Form::Floats),
    ("target_weights_as_tensor", Form::Tensor),
    ("n_targets", Form::Int),
    ("aggregate_function", Form::Text),
    ("base_values", Form::Floats),
    ("base_values_as_tensor", Form::Tensor),
];

const TRANSFORM: [Declared; 1] = [("post_transform", Form::Text)];

const ATTRIBUTES: [Declared; 19] = super::joined::<9, 10, 19>(OWN, super::joined::<1, 9, 10>(TRANSFORM, NODES));

pub static LIFTERS: &[Lifter] =
    &[Lifter { ignores: STATISTICS, ..Lifter::ml("TreeEnsembleRegressor", &[1, 3], &ATTRIBUTES, lift) }];

fn lift(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let n = node.attributes().int("n_targets").unwrap_or(0);
    let weights = node.attributes().ints("target_ids").len();
    let targets = usize::try_from(n).ok().filter(|t| (1..=weights).contains(t));
    let targets = targets.ok_or_else(|| node.bad_attribute(format!("{n} targets for {weights} weights")))?;
    let transform = node.post_transform()?;
    let rows = node.features(0)?.0.shape.0[0];
    let (x, elem) = node.tree_features()?;
    let base = node.numbers_attribute("base_values", elem)?;
    if ![0, targets].contains(&base.len()) {
        return Err(node.bad_attribute(format!("{} base values for {targets} targets", base.len())));
    }
    let width = node.width(x);
    let mut forest = node.forest("target", targets, width, elem)?;
    if targets == 1 {
        forest.leaves.iter_mut().for_each(|weights| weights.truncate(1));
    }
    let how = match node.attributes().text("aggregate_function").unwrap_or("SUM") {
        "SUM" => Aggregate::Sum,
        "AVERAGE" => Aggregate::Average,
        "MIN" => Aggregate::Least,
        "MAX" => Aggregate::Greatest,
        other => return Err(node.bad_attribute(format!("aggregate_function `{other}` is unknown"))),
    };
    let sums = aggregate(node, x, &forest, targets, elem, how)?;
    let values = with_base(node, x, &forest, &base, sums, elem)?;
    let values = node.narrowed(values)?;
    let values = if targets == 1 && transform != PostTransform::Probit { values } else { node.transformed(values, transform)? };
    node.give(Elem::F32, Shape(vec![rows, Dim::Fixed(targets as u64)]), values)
}

/// What the leaves of a target become.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Aggregate {
    /// Their sum over the number of trees.
    Average,
    /// Their sum.
    Sum,
    /// The least one.
    Least,
    /// The greatest one.
    Greatest,
}

/// The reached leaves of each target as one value; 0 where there is none.
pub fn aggregate(
    node: &mut Node<'_, '_>,
    x: NodeId,
    forest: &Forest,
    targets: usize,
    elem: Elem,
    how: Aggregate,
) -> Res<NodeId> {
    let reduce = match how {
        Aggregate::Sum => return node.tree_sums(x, forest, targets, elem),
        Aggregate::Average => {
            let sums = node.tree_sums(x, forest, targets, elem)?;
            let trees = node.number(elem, forest.roots.len() as f64)?;
            return node.op(Op::Div, &[sums, trees]);
        }
        Aggregate::Least => Op::RowMin,
        Aggregate::Greatest => Op::RowMax,
    };
    let extremes = node.tree_extremes(x, forest, targets, elem, reduce)?;
    masked(node, x, forest, extremes, elem)
}

fn with_base(node: &mut Node<'_, '_>, x: NodeId, forest: &Forest, base: &[f64], values: NodeId, elem: Elem) -> Res<NodeId> {
    if base.is_empty() {
        return Ok(values);
    }
    let base = node.numbers(elem, base.to_vec())?;
    let sums = node.op(Op::Add, &[values, base])?;
    masked(node, x, forest, sums, elem)
}

/// The values, 0 for targets without a score.
fn masked(node: &mut Node<'_, '_>, x: NodeId, forest: &Forest, values: NodeId, elem: Elem) -> Res<NodeId> {
    let targets = node.width(values) as usize;
    let scored = forest.scored(targets);
    if scored.iter().all(|s| *s == Scored::Always) {
        return Ok(values);
    }
    let scored = if scored.contains(&Scored::Sometimes) {
        node.tree_scored(x, forest, targets, elem)?
    } else {
        node.constant(Frame::row_bool(scored.iter().map(|s| *s == Scored::Always).collect::<Vec<_>>()))?
    };
    let zero = node.number(elem, 0.0)?;
    node.op(Op::Select, &[scored, values, zero])
}
