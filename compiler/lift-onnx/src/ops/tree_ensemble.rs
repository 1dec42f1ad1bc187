//! `TreeEnsemble`: trees whose inner nodes and leaves are lists of their own, with tests for membership in a set.
//!
//! A set is a list of numbers; that a feature is in one becomes a feature of its own, 1 or 0, which the node tests. NaN is
//! in no set; where a row with one goes, `nodes_missing_value_tracks_true` says. What the leaves add up to is the affair
//! of `TreeEnsembleRegressor`; here it keeps the type of the input, but for transforms, which are in float32.
//! `post_transform` 1 is the logistic function and 2 the softmax, as onnxruntime counts; the specification says it the other
//! way round.
//! Source: ai.onnx.ml TreeEnsemble-5; onnxruntime `ml/tree_ensemble_attribute.h`, whose answers these are.

use flock_ir_spec::{Child, Data, Frame, NodeId, Op, Test};

use super::Lifter;
use super::tree_nodes::{Forest, Slot};
use super::tree_regressor::{Aggregate, aggregate};
use crate::Res;
use crate::attributes::Form;
use crate::elem::Elem;
use crate::node::Node;
use crate::scores::PostTransform;
use crate::shape::{Dim, Shape};
use crate::value::Value;

pub static LIFTERS: &[Lifter] = &[Lifter {
    ignores: &["nodes_hitrates"],
    ..Lifter::ml(
        "TreeEnsemble",
        &[5],
        &[
            ("aggregate_function", Form::Int),
            ("post_transform", Form::Int),
            ("n_targets", Form::Int),
            ("tree_roots", Form::Ints),
            ("nodes_modes", Form::Tensor),
            ("nodes_featureids", Form::Ints),
            ("nodes_splits", Form::Tensor),
            ("nodes_truenodeids", Form::Ints),
            ("nodes_trueleafs", Form::Ints),
            ("nodes_falsenodeids", Form::Ints),
            ("nodes_falseleafs", Form::Ints),
            ("nodes_missing_value_tracks_true", Form::Ints),
            ("leaf_targetids", Form::Ints),
            ("leaf_weights", Form::Tensor),
            ("membership_values", Form::Tensor),
        ],
        lift,
    )
}];

/// The mode of a node that tests for membership.
const MEMBER: i64 = 6;

fn lift(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let a = node.attributes();
    let targets = a.int("n_targets").and_then(|n| usize::try_from(n).ok()).filter(|n| (1..=1 << 20).contains(n));
    let targets = targets.ok_or_else(|| node.bad_attribute("no number of targets"))?;
    let transform = match a.int("post_transform").unwrap_or(0) {
        0 => PostTransform::None,
        1 => PostTransform::Logistic,
        2 => PostTransform::Softmax,
        3 => PostTransform::SoftmaxZero,
        4 => PostTransform::Probit,
        other => return Err(node.bad_attribute(format!("post_transform {other} is unknown"))),
    };
    let how = match a.int("aggregate_function").unwrap_or(1) {
        0 => Aggregate::Average,
        1 => Aggregate::Sum,
        2 => Aggregate::Least,
        3 => Aggregate::Greatest,
        other => return Err(node.bad_attribute(format!("aggregate_function {other} is unknown"))),
    };
    let (features, _) = node.features(0)?;
    let rows = features.shape.0[0];
    let (x, elem) = node.tree_features()?;
    let lists = lists(node, elem)?;
    node.spend(4 * lists.modes.len() as u64)?;
    let (x, tests) = tests(node, x, &lists, elem)?;
    let width = node.width(x);
    let forest = Walk { lists: &lists, tests, targets, features: width, forest: Forest::empty() }.run();
    let forest = forest.map_err(|e| node.bad_attribute(e))?;
    let values = aggregate(node, x, &forest, targets, elem, how)?;
    let values = match transform {
        PostTransform::None => values,
        _ if targets == 1 && transform != PostTransform::Probit => values,
        _ => {
            let narrow = node.narrowed(values)?;
            let transformed = node.transformed(narrow, transform)?;
            node.cast(transformed, elem.dtype())?
        }
    };
    node.give(elem, Shape(vec![rows, Dim::Fixed(targets as u64)]), values)
}

/// The lists of the nodes and of the leaves.
struct Lists<'m> {
    roots: &'m [i64],
    modes: Vec<i64>,
    features: &'m [i64],
    splits: Vec<f64>,
    /// Per node where the true and the false branch lead, and whether to a leaf.
    yes: (&'m [i64], &'m [i64]),
    no: (&'m [i64], &'m [i64]),
    missing: &'m [i64],
    targets: &'m [i64],
    weights: Vec<f64>,
}

fn lists<'m>(node: &mut Node<'_, 'm>, elem: Elem) -> Res<Lists<'m>> {
    let modes = node.tensor_attribute("nodes_modes")?;
    let modes = modes.as_ref().and_then(|m| m.ints().map(<[i64]>::to_vec));
    let modes = modes.ok_or_else(|| node.bad_attribute("no `nodes_modes`"))?;
    let (splits, weights) = (floats(node, "nodes_splits", elem)?, floats(node, "leaf_weights", elem)?);
    let a = node.attributes();
    let lists = Lists {
        roots: a.ints("tree_roots"),
        modes,
        features: a.ints("nodes_featureids"),
        splits,
        yes: (a.ints("nodes_truenodeids"), a.ints("nodes_trueleafs")),
        no: (a.ints("nodes_falsenodeids"), a.ints("nodes_falseleafs")),
        missing: a.ints("nodes_missing_value_tracks_true"),
        targets: a.ints("leaf_targetids"),
        weights,
    };
    let n = lists.modes.len();
    let lengths =
        [lists.features.len(), lists.splits.len(), lists.yes.0.len(), lists.yes.1.len(), lists.no.0.len(), lists.no.1.len()];
    let missing = lists.missing.len();
    if lists.roots.is_empty() || lengths.iter().any(|l| *l != n) || (missing != 0 && missing != n) || n >= 1 << 30 {
        return Err(node.bad_attribute(format!("lists of {n}, {lengths:?} and {missing} elements for the nodes of trees")));
    }
    if lists.targets.len() != lists.weights.len() || lists.weights.iter().any(|w| !w.is_finite()) {
        return Err(node.bad_attribute(format!("{} targets and {} finite weights", lists.targets.len(), lists.weights.len())));
    }
    Ok(lists)
}

fn floats(node: &mut Node<'_, '_>, name: &str, elem: Elem) -> Res<Vec<f64>> {
    match node.tensor_attribute(name)? {
        Some(t) if t.elem == elem => Ok(t.floats().unwrap_or_default()),
        Some(t) => Err(node.bad_attribute(format!("`{name}` of {} for an input of {}", t.elem.name(), elem.name()))),
        None => Err(node.bad_attribute(format!("no `{name}`"))),
    }
}

/// What each node tests: a feature, the test, the threshold. Memberships become features behind the others.
type Tests = Vec<(i64, Test, f64)>;

fn tests(node: &mut Node<'_, '_>, x: NodeId, lists: &Lists<'_>, elem: Elem) -> Res<(NodeId, Tests)> {
    let members = match node.tensor_attribute("membership_values")? {
        Some(t) if t.elem == elem => t.floats().unwrap_or_default(),
        Some(t) => return Err(node.bad_attribute(format!("sets of {}", t.elem.name()))),
        None => Vec::new(),
    };
    let mut sets = members.split(|m| m.is_nan());
    let width = i64::from(node.width(x));
    let mut columns = vec![x];
    let mut tests = Vec::with_capacity(lists.modes.len());
    for (i, mode) in lists.modes.iter().enumerate() {
        let (feature, split) = (lists.features[i], lists.splits[i]);
        tests.push(match mode {
            0 => (feature, Test::Le, split),
            1 => (feature, Test::Lt, split),
            2 => (feature, Test::Ge, split),
            3 => (feature, Test::Gt, split),
            4 => (feature, Test::Eq, split),
            5 => (feature, Test::Ne, split),
            &MEMBER => {
                let set = sets.next().ok_or_else(|| node.bad_attribute("fewer sets than nodes that test for one"))?;
                if !(0..width).contains(&feature) {
                    return Err(node.bad_attribute(format!("feature {feature} of {width}")));
                }
                columns.push(is_member(node, x, feature as u32, set, elem)?);
                (width + columns.len() as i64 - 2, Test::Ge, 0.5)
            }
            other => return Err(node.bad_attribute(format!("the mode {other} is unknown"))),
        });
    }
    let x = if columns.len() == 1 { x } else { node.concat(&columns)? };
    Ok((x, tests))
}

/// 1 where the feature is in the set, 0 where it is not, NaN where it is NaN.
fn is_member(node: &mut Node<'_, '_>, x: NodeId, feature: u32, set: &[f64], elem: Elem) -> Res<NodeId> {
    let x = node.column(x, feature)?;
    let (one, zero) = (node.number(elem, 1.0)?, node.number(elem, 0.0)?);
    let flag = if set.is_empty() {
        zero
    } else {
        let data = match elem {
            Elem::F64 => Data::F64(set.to_vec()),
            _ => Data::F32(set.iter().map(|m| *m as f32).collect()),
        };
        let set = node.constant(Frame { rows: 1, width: set.len(), data, valid: None })?;
        let inside = node.op(Op::InSet, &[x, set])?;
        node.op(Op::Select, &[inside, one, zero])?
    };
    let nan = node.op(Op::IsNan, &[x])?;
    node.op(Op::Select, &[nan, x, flag])
}

/// Walks the trees from their roots and numbers what it meets.
struct Walk<'a, 'm> {
    lists: &'a Lists<'m>,
    tests: Tests,
    targets: usize,
    features: u32,
    forest: Forest,
}

impl Walk<'_, '_> {
    fn run(mut self) -> Result<Forest, String> {
        let mut seen = vec![false; self.lists.modes.len()];
        for root in self.lists.roots {
            let before = self.forest.leaves.len();
            self.tree(*root, &mut seen)?;
            self.forest.leaves_of.push(self.forest.leaves.len() - before);
        }
        Ok(self.forest)
    }

    fn tree(&mut self, root: i64, seen: &mut [bool]) -> Result<(), String> {
        let mut stack = vec![(root, false, Slot::Root)];
        while let Some((id, leaf, slot)) = stack.pop() {
            let child = if leaf { self.leaf(id)? } else { self.branch(id, seen, &mut stack)? };
            self.forest.put(slot, child);
        }
        Ok(())
    }

    fn branch(&mut self, id: i64, seen: &mut [bool], stack: &mut Vec<(i64, bool, Slot)>) -> Result<Child, String> {
        let at = usize::try_from(id).ok().filter(|i| *i < seen.len()).ok_or_else(|| format!("node {id}, which is none"))?;
        if std::mem::replace(&mut seen[at], true) {
            return Err(format!("node {id} is reached twice"));
        }
        let (feature, test, split) = self.tests[at];
        let feature = u32::try_from(feature).ok().filter(|f| *f < self.features);
        let feature = feature.ok_or_else(|| format!("a feature of node {id} that is none of {}", self.features))?;
        let number = self.forest.split(feature, test, split, self.lists.missing.get(at) == Some(&1));
        stack.push((self.lists.no.0[at], self.lists.no.1[at] != 0, Slot::Right(number)));
        stack.push((self.lists.yes.0[at], self.lists.yes.1[at] != 0, Slot::Left(number)));
        Ok(Child::node(number as u32))
    }

    fn leaf(&mut self, id: i64) -> Result<Child, String> {
        let at = usize::try_from(id).ok().filter(|i| *i < self.lists.targets.len());
        let at = at.ok_or_else(|| format!("leaf {id}, which is none"))?;
        let target = usize::try_from(self.lists.targets[at]).ok().filter(|t| *t < self.targets);
        let target = target.ok_or_else(|| format!("leaf {id} is for target {} of {}", self.lists.targets[at], self.targets))?;
        Ok(self.forest.leaf(vec![(target as u32, self.lists.weights[at])]))
    }
}
