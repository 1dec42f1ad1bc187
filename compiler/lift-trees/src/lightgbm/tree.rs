//! A tree: its arrays, and what each node asks.

use flock_ir_spec::{CategorySets, Test};

use super::ZERO;
use super::text::{Fields, number, numbers};
use crate::derived::Derived;
use crate::forest::{Forest, Split};

/// The arrays of a tree.
pub(crate) struct Tree {
    /// Number of leaves, at least 1.
    pub leaves: usize,
    /// Value of each leaf.
    pub values: Vec<f64>,
    features: Vec<u32>,
    thresholds: Vec<f64>,
    decisions: Vec<i8>,
    left: Vec<i32>,
    right: Vec<i32>,
    boundaries: Vec<usize>,
    bits: Vec<u32>,
}

/// What a node takes for missing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    None,
    Zero,
    Nan,
}

impl Tree {
    /// Reads the arrays; the features are below `features`.
    pub fn read(fields: &Fields<'_>, features: usize) -> Result<Tree, String> {
        let leaves: usize = number(fields, "num_leaves")?;
        let values = numbers(fields, "leaf_value", leaves)?;
        if leaves == 0 {
            return Err("no leaf".into());
        }
        let n = leaves - 1;
        let categories: usize = number(fields, "num_cat")?;
        let mut tree = Tree {
            leaves,
            values,
            features: Vec::new(),
            thresholds: Vec::new(),
            decisions: Vec::new(),
            left: Vec::new(),
            right: Vec::new(),
            boundaries: Vec::new(),
            bits: Vec::new(),
        };
        if n == 0 {
            return Ok(tree);
        }
        tree.features = numbers(fields, "split_feature", n)?;
        tree.thresholds = numbers(fields, "threshold", n)?;
        tree.decisions = match fields.get("decision_type") {
            Some(_) => numbers(fields, "decision_type", n)?,
            None => vec![0; n],
        };
        tree.left = numbers(fields, "left_child", n)?;
        tree.right = numbers(fields, "right_child", n)?;
        if let Some(f) = tree.features.iter().find(|f| **f as usize >= features) {
            return Err(format!("feature {f} of {features}"));
        }
        if categories > 0 {
            tree.boundaries = numbers(fields, "cat_boundaries", categories.saturating_add(1))?;
            let words = tree.boundaries.last().copied().unwrap_or(0);
            tree.bits = numbers(fields, "cat_threshold", words)?;
            if !tree.boundaries.is_sorted() {
                return Err("`cat_boundaries` that do not ascend".into());
            }
        }
        Ok(tree)
    }

    /// Adds the tree to an ensemble; `value` is what a leaf adds to the target.
    pub fn add(
        &self,
        forest: &mut Forest,
        derived: &mut Derived,
        target: u32,
        value: impl Fn(usize) -> f64,
    ) -> Result<(), String> {
        let nodes = self.leaves - 1;
        let root = if nodes == 0 { nodes } else { 0 };
        forest.tree(root, nodes + self.leaves, Some(target), |place, values, sets| match place.checked_sub(nodes) {
            Some(leaf) => {
                values.push(value(leaf));
                Ok(None)
            }
            None => self.split(place, derived, sets).map(Some),
        })
    }

    /// Leaves stand behind the nodes; a negative child is the leaf of its complement.
    fn place(&self, child: i32) -> usize {
        let nodes = self.leaves - 1;
        if child >= 0 { child as usize } else { nodes.saturating_add(!child as usize) }
    }

    fn split(&self, node: usize, derived: &mut Derived, sets: &mut CategorySets) -> Result<Split, String> {
        let (left, right) = (self.place(self.left[node]), self.place(self.right[node]));
        let (feature, decision) = (self.features[node], self.decisions[node]);
        if decision & 1 != 0 {
            let set = sets.add_bits(self.words(node)?).ok_or("more sets of categories than there can be")?;
            let (feature, threshold) = (derived.category(feature), f64::from(set));
            return Ok(Split { feature, test: Test::In, threshold, missing_left: false, left, right });
        }
        let missing = match (decision >> 2) & 3 {
            0 => Missing::None,
            1 => Missing::Zero,
            2 => Missing::Nan,
            _ => return Err(format!("node {node} has a missing type that is not known")),
        };
        let threshold = self.thresholds[node];
        if threshold.is_nan() {
            return Err(format!("node {node} has NaN for a threshold"));
        }
        let default_left = decision & 2 != 0;
        let zero_left = threshold >= 0.0;
        let (test, threshold) = flushed(threshold);
        let (feature, missing_left) = match missing {
            Missing::Nan => (feature, default_left),
            // NaN is 0 here.
            Missing::None => (feature, zero_left),
            // Zeros and NaN go one way; where the test sends zeros there anyhow, the feature itself will do.
            Missing::Zero if default_left == zero_left => (feature, default_left),
            Missing::Zero => (derived.zero_is_missing(feature), default_left),
        };
        Ok(Split { feature, test, threshold, missing_left, left, right })
    }

    /// The categories that go left, as bits.
    fn words(&self, node: usize) -> Result<&[u32], String> {
        let index = self.thresholds[node] as usize;
        match (self.boundaries.get(index), self.boundaries.get(index.saturating_add(1))) {
            (Some(start), Some(end)) => Ok(&self.bits[*start..*end]),
            _ => Err(format!("node {node} names a set of categories that is not there")),
        }
    }
}

/// The test on a value as it comes that is the library's `<=` on the value with tiny ones made 0.
fn flushed(threshold: f64) -> (Test, f64) {
    if (0.0..ZERO).contains(&threshold) {
        (Test::Le, ZERO)
    } else if (-ZERO..0.0).contains(&threshold) {
        (Test::Lt, -ZERO)
    } else {
        (Test::Le, threshold)
    }
}
