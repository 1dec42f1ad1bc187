//! The trees of `gbtree` and `dart`.

use std::borrow::Cow;

use flock_ir_spec::{CategorySets, Test};

use super::XgBoost;
use crate::derived::Derived;
use crate::forest::{Forest, Split};
use crate::value::{Numbers, Value};
use crate::{Res, damaged};

/// The trees of a model.
pub(crate) struct Trees<'m, 'a> {
    model: &'m Value<'a>,
    list: Cow<'m, [Value<'a>]>,
    groups: Cow<'m, Numbers<'a>>,
    /// Dart's factor of each tree; trees behind its end have 1.
    weights: Option<Cow<'m, Numbers<'a>>>,
    outputs: usize,
}

const PLACE: &str = "learner.gradient_booster.model";

impl<'m, 'a> Trees<'m, 'a> {
    /// The trees of the booster.
    pub fn of(file: &'m XgBoost<'a>) -> Res<Trees<'m, 'a>> {
        let booster = file.at(&["gradient_booster"])?;
        let inner = booster.get("gbtree").unwrap_or(booster);
        let missing = |what: &str| damaged(PLACE, format!("no `{what}`"));
        let model = inner.get("model").ok_or_else(|| missing("model"))?;
        let list = model.get("trees").and_then(Value::items).ok_or_else(|| missing("trees"))?;
        let groups = model.get("tree_info").and_then(Value::numbers).ok_or_else(|| missing("tree_info"))?;
        let weights = [booster, inner, model].into_iter().find_map(|v| v.get("weight_drop"));
        let weights = weights.map(|w| w.numbers().ok_or_else(|| missing("weight_drop"))).transpose()?;
        Ok(Trees { model, list, groups, weights, outputs: file.outputs()? })
    }

    /// How many of the trees an estimator adds up.
    pub fn len(&self, iterations: Option<usize>) -> Res<usize> {
        let Some(iterations) = iterations else { return Ok(self.list.len()) };
        let end = match self.model.get("iteration_indptr").and_then(Value::numbers) {
            Some(ends) => ends.get(iterations.min(ends.len().saturating_sub(1))).and_then(size),
            // Models before 1.7 have as many trees in every iteration.
            None => {
                let parallel = self.model.at(&["gbtree_model_param", "num_parallel_tree"]).and_then(Value::text);
                let parallel: usize = parallel.and_then(|p| p.parse().ok()).unwrap_or(1);
                iterations.checked_mul(parallel.max(1)).and_then(|n| n.checked_mul(self.outputs))
            }
        };
        end.map(|n| n.min(self.list.len())).ok_or_else(|| damaged(PLACE, "iterations that have no end"))
    }

    /// Adds a tree. The features are below `features`; `inplace` is how a dart model adds in `inplace_predict`.
    pub fn add(
        &self,
        index: usize,
        forest: &mut Forest,
        derived: &mut Derived,
        (features, base, inplace): (usize, &[f32], bool),
    ) -> Res<()> {
        let added = (|| {
            let group = self.groups.get(index).and_then(size).filter(|g| *g < self.outputs);
            let group = group.ok_or("no group that it adds to")?;
            let tree = Tree::read(&self.list[index], features, self.outputs)?;
            let weight = self.weights.as_ref().map(|w| w.get(index).unwrap_or(1.0) as f32);
            let target = (!tree.is_wide()).then_some(group as u32);
            if weight.is_some() && tree.is_wide() {
                return Err("a dart tree of several outputs".to_owned());
            }
            forest.tree(0, tree.left.len(), target, |node, values, sets| match tree.split(node, derived, sets)? {
                Some(split) => Ok(Some(split)),
                None => {
                    let start = values.len();
                    tree.leaf(node, values)?;
                    if let Some(weight) = weight {
                        let leaf = values[start] as f32;
                        let leaf = if inplace { (base[group] + leaf - base[group]) * weight } else { leaf * weight };
                        values[start] = f64::from(leaf);
                    }
                    Ok(None)
                }
            })
        })();
        added.map_err(|e| damaged(format!("{PLACE}.trees[{index}]"), e))
    }
}

/// A whole number that is no negative one.
fn size(x: f64) -> Option<usize> {
    ((0.0..4e9).contains(&x) && x.fract() == 0.0).then_some(x as usize)
}

/// The arrays of a tree.
struct Tree<'m, 'a> {
    left: Cow<'m, Numbers<'a>>,
    right: Cow<'m, Numbers<'a>>,
    indices: Cow<'m, Numbers<'a>>,
    conditions: Cow<'m, Numbers<'a>>,
    default_left: Cow<'m, Numbers<'a>>,
    /// Leaves of several outputs: the values, and whether a leaf's right child says where they are.
    wide: Option<(Cow<'m, Numbers<'a>>, bool)>,
    outputs: usize,
    features: usize,
    sets: Option<Sets<'m, 'a>>,
}

/// The categories that go right, per node that asks for them.
struct Sets<'m, 'a> {
    split_type: Cow<'m, Numbers<'a>>,
    nodes: Cow<'m, Numbers<'a>>,
    segments: Cow<'m, Numbers<'a>>,
    sizes: Cow<'m, Numbers<'a>>,
    categories: Cow<'m, Numbers<'a>>,
}

fn array<'m, 'a>(tree: &'m Value<'a>, name: &str) -> Result<Cow<'m, Numbers<'a>>, String> {
    match tree.get(name) {
        // Truth values, as older versions write `default_left`.
        Some(Value::List(items)) if items.iter().all(|i| i.truth().is_some()) => {
            let number = |i: &Value<'_>| if i.truth() == Some(true) { 1.0 } else { 0.0 };
            Ok(Cow::Owned(Numbers::Read(items.iter().map(number).collect())))
        }
        Some(value) => value.numbers().ok_or_else(|| format!("`{name}` is no list of numbers")),
        None => Err(format!("no `{name}`")),
    }
}

impl<'m, 'a> Tree<'m, 'a> {
    fn read(tree: &'m Value<'a>, features: usize, outputs: usize) -> Result<Tree<'m, 'a>, String> {
        let width = tree.at(&["tree_param", "size_leaf_vector"]).and_then(Value::text).unwrap_or("1");
        let wide = match width {
            "0" | "1" => None,
            n if n.parse() == Ok(outputs) => Some(match tree.get("leaf_weights") {
                Some(_) => (array(tree, "leaf_weights")?, true),
                None => (array(tree, "base_weights")?, false),
            }),
            n => return Err(format!("leaves of {n} values for {outputs} outputs")),
        };
        let sets = match tree.get("split_type") {
            Some(_) => Some(Sets {
                split_type: array(tree, "split_type")?,
                nodes: array(tree, "categories_nodes")?,
                segments: array(tree, "categories_segments")?,
                sizes: array(tree, "categories_sizes")?,
                categories: array(tree, "categories")?,
            }),
            None => None,
        };
        Ok(Tree {
            left: array(tree, "left_children")?,
            right: array(tree, "right_children")?,
            indices: array(tree, "split_indices")?,
            conditions: array(tree, "split_conditions")?,
            default_left: array(tree, "default_left")?,
            wide,
            outputs,
            features,
            sets,
        })
    }

    fn is_wide(&self) -> bool {
        self.wide.is_some()
    }

    /// What a node asks; None for a leaf.
    fn split(&self, node: usize, derived: &mut Derived, sets: &mut CategorySets) -> Result<Option<Split>, String> {
        let of = |array: &Numbers<'_>| array.get(node).ok_or_else(|| format!("node {node} is not in every array"));
        let left = of(&self.left)?;
        if left == -1.0 {
            return Ok(None);
        }
        let child = |x: f64| size(x).ok_or_else(|| format!("node {node} has no child"));
        let (left, right) = (child(left)?, child(of(&self.right)?)?);
        let feature = size(of(&self.indices)?).filter(|f| *f < self.features);
        let feature = feature.ok_or_else(|| format!("node {node} asks for no feature"))? as u32;
        let missing_left = of(&self.default_left)? != 0.0;
        if let Some(set) = self.set(node)? {
            // The categories of the set go right: here they are what holds, and the sides change places.
            let set = sets.add(set).ok_or("more sets of categories than there can be")?;
            let (feature, threshold) = (derived.category(feature), f64::from(set));
            let (left, right, missing_left) = (right, left, !missing_left);
            return Ok(Some(Split { feature, test: Test::In, threshold, missing_left, left, right }));
        }
        let threshold = of(&self.conditions)?;
        if threshold.is_nan() {
            return Err(format!("node {node} has NaN for a threshold"));
        }
        Ok(Some(Split { feature, test: Test::Lt, threshold, missing_left, left, right }))
    }

    /// The categories that a node sends right, if it asks for a category.
    fn set(&self, node: usize) -> Result<Option<Vec<u32>>, String> {
        let Some(sets) = self.sets.as_ref().filter(|s| s.split_type.get(node) == Some(1.0)) else { return Ok(None) };
        let fault = || format!("node {node} has no categories");
        // The nodes ascend, as they are written.
        let (mut low, mut high) = (0, sets.nodes.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match sets.nodes.get(middle) {
                Some(n) if n < node as f64 => low = middle + 1,
                _ => high = middle,
            }
        }
        let start = sets.nodes.get(low).filter(|n| *n == node as f64).and_then(|_| size(sets.segments.get(low)?));
        let count = sets.sizes.get(low).and_then(size);
        let (Some(start), Some(count)) = (start, count) else { return Err(fault()) };
        let code = |i: usize| {
            let code = sets.categories.get(start.checked_add(i)?).and_then(size)?;
            (code < 1 << 24).then_some(code as u32)
        };
        let count = if count <= sets.categories.len() { count } else { return Err(fault()) };
        (0..count).map(code).collect::<Option<Vec<u32>>>().map(Some).ok_or_else(fault)
    }

    /// The values of a leaf.
    fn leaf(&self, node: usize, values: &mut Vec<f64>) -> Result<(), String> {
        let missing = || format!("leaf {node} has no value");
        let Some((weights, mapped)) = &self.wide else {
            values.push(self.conditions.get(node).ok_or_else(missing)?);
            return Ok(());
        };
        let row = if *mapped { self.right.get(node).and_then(size).ok_or_else(missing)? } else { node };
        let start = row.checked_mul(self.outputs).ok_or_else(missing)?;
        for k in 0..self.outputs {
            values.push(weights.get(start + k).ok_or_else(missing)?);
        }
        Ok(())
    }
}
