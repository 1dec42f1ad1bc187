//! Tree ensembles: one constant holds all trees of a model.

use std::collections::HashMap;

use crate::constant::{Hasher, all_canonical, make_canonical};
use crate::sets::CategorySets;
use crate::types::DType;

/// Where a branch leads: another node, or a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Child(u32);

impl Child {
    const LEAF: u32 = 1 << 31;

    /// The node of that index (below 2^31).
    pub fn node(index: u32) -> Child {
        Child(index & !Child::LEAF)
    }
    /// The leaf of that index (below 2^31).
    pub fn leaf(index: u32) -> Child {
        Child(index | Child::LEAF)
    }
    /// The index of the node, if it is one.
    pub fn as_node(self) -> Option<usize> {
        (self.0 & Child::LEAF == 0).then_some(self.0 as usize)
    }
    /// The index of the leaf, if it is one.
    pub fn as_leaf(self) -> Option<usize> {
        (self.0 & Child::LEAF != 0).then_some((self.0 & !Child::LEAF) as usize)
    }
    /// The bits: bit 31 set for a leaf, its index below. Kernels read this form.
    pub fn bits(self) -> u32 {
        self.0
    }
}

/// The test of a node: the row goes to the left child where `feature TEST threshold` holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Test {
    /// `<=`
    Le,
    /// `<`
    Lt,
    /// `>=`
    Ge,
    /// `>`
    Gt,
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// In a set of categories, whose index in [`TreeEnsemble::sets`] the threshold is.
    In,
}

impl Test {
    /// Every comparison with a threshold.
    pub const COMPARISONS: [Test; 6] = [Test::Le, Test::Lt, Test::Ge, Test::Gt, Test::Eq, Test::Ne];

    /// As written in the text form.
    pub fn symbol(self) -> &'static str {
        match self {
            Test::Le => "<=",
            Test::Lt => "<",
            Test::Ge => ">=",
            Test::Gt => ">",
            Test::Eq => "==",
            Test::Ne => "!=",
            Test::In => "in",
        }
    }

    /// Whether `x TEST threshold` holds; x is not NaN. [`Test::In`] is no comparison: [`TreeEnsemble::holds`] knows the sets.
    #[inline]
    pub fn holds(self, x: f64, threshold: f64) -> bool {
        match self {
            Test::Le => x <= threshold,
            Test::Lt => x < threshold,
            Test::Ge => x >= threshold,
            Test::Gt => x > threshold,
            Test::Eq => x == threshold,
            Test::Ne => x != threshold,
            Test::In => false,
        }
    }
}

/// One inner node.
#[derive(Clone, Copy, Debug)]
pub struct TreeNode {
    /// The column of the input frame that is tested.
    pub feature: u32,
    /// The test.
    pub test: Test,
    /// Whether NaN goes left. This alone decides for NaN; `test` is not asked.
    pub missing_left: bool,
    /// What the feature is compared with, in f64 whatever `input` is; of [`Test::In`] the index of a set. Never NaN.
    pub threshold: f64,
    /// Where the row goes when the test holds.
    pub left: Child,
    /// Where it goes otherwise.
    pub right: Child,
}

impl TreeNode {
    /// The set that [`Test::In`] asks for.
    pub fn set(&self) -> Option<usize> {
        (self.test == Test::In).then_some(self.threshold as usize)
    }
}

impl PartialEq for TreeNode {
    fn eq(&self, o: &TreeNode) -> bool {
        (self.feature, self.test, self.missing_left, self.left, self.right)
            == (o.feature, o.test, o.missing_left, o.left, o.right)
            && self.threshold.to_bits() == o.threshold.to_bits()
    }
}

/// One tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tree {
    /// Where a row starts: a leaf for a tree without nodes.
    pub root: Child,
    /// The output that the leaves add to; None where a leaf has a value for every output.
    pub target: Option<u32>,
}

/// The trees of a model. Output o of a row is `base[o]` plus, in the order of `trees`, the value of the leaf that
/// the row reaches in each tree that adds to o; every addition rounds to `sum`.
/// Children come after their parents in `nodes`, so a walk ends.
#[derive(Clone, Debug)]
pub struct TreeEnsemble {
    /// Width of the frame that is read.
    pub features: u32,
    /// Width of the frame that is given.
    pub outputs: u32,
    /// A feature is rounded to this (f32 or f64) before it is compared with a threshold in f64.
    pub input: DType,
    /// Dtype of leaves, sums and output: f32 or f64.
    pub sum: DType,
    /// What each output starts from; `outputs` values.
    pub base: Vec<f64>,
    /// The trees, in the order in which the library adds them.
    pub trees: Vec<Tree>,
    /// Inner nodes of all trees.
    pub nodes: Vec<TreeNode>,
    /// Per leaf, where its values start in `values`: one value, or `outputs` of them, as the tree's target says.
    pub leaves: Vec<u32>,
    /// Leaf values; representable in `sum`.
    pub values: Vec<f64>,
    /// The sets that nodes of [`Test::In`] name.
    pub sets: CategorySets,
}

impl PartialEq for TreeEnsemble {
    fn eq(&self, o: &TreeEnsemble) -> bool {
        let bits = |v: &[f64]| v.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        (self.features, self.outputs, self.input, self.sum) == (o.features, o.outputs, o.input, o.sum)
            && self.trees == o.trees
            && self.nodes == o.nodes
            && self.leaves == o.leaves
            && self.sets == o.sets
            && bits(&self.base) == bits(&o.base)
            && bits(&self.values) == bits(&o.values)
    }
}

impl TreeEnsemble {
    /// What is wrong with the arrays, if anything: indices, lengths, order of children, a node with two parents, values
    /// that are not representable in `sum`. A valid ensemble can be walked from any root with any row, and every leaf
    /// that a tree reaches has its values.
    pub fn check(&self) -> Result<(), String> {
        self.check_values()?;
        self.leaf_lengths().map(|_| ())
    }

    fn check_values(&self) -> Result<(), String> {
        if !self.input.is_float() || !self.sum.is_float() {
            return Err(format!("trees compare and add floats, not {} and {}", self.input, self.sum));
        }
        if self.base.len() != self.outputs as usize {
            return Err(format!("{} outputs but {} base values", self.outputs, self.base.len()));
        }
        if [self.nodes.len(), self.leaves.len(), self.trees.len()].into_iter().any(|n| n >= Child::LEAF as usize) {
            return Err("more than 2^31 trees, nodes or leaves".into());
        }
        let fits = |x: &f64| self.sum == DType::F64 || x.is_nan() || f64::from(*x as f32) == *x;
        match self.base.iter().chain(&self.values).find(|x| !fits(x)) {
            Some(x) => Err(format!("the value {x:?} is no {}", self.sum)),
            None => Ok(()),
        }
    }

    fn exists(&self, child: Child) -> bool {
        match child.as_node() {
            Some(n) => n < self.nodes.len(),
            None => child.as_leaf().is_some_and(|l| l < self.leaves.len()),
        }
    }

    /// Per leaf how many values the trees that reach it read: 0, 1 or `outputs`; what is wrong with trees, nodes and leaves.
    fn leaf_lengths(&self) -> Result<Vec<u32>, String> {
        // What is shared would be written once per path by a backend that nests: 2^depth times in the worst case.
        const HAS_PARENT: u8 = 1;
        const ALL_OUTPUTS: u8 = 2;
        let mut lengths = vec![0u32; self.leaves.len()];
        let mut met = vec![0u8; self.nodes.len()];
        let mut reach = |child: Child, all: u8, met: &mut [u8]| match child.as_node() {
            Some(n) if met[n] != 0 => Err(format!("node {n} has two parents")),
            Some(n) => {
                met[n] = HAS_PARENT | all;
                Ok(())
            }
            None => {
                let length = &mut lengths[(child.0 & !Child::LEAF) as usize];
                *length = (*length).max(if all != 0 { self.outputs } else { 1 });
                Ok(())
            }
        };
        for (t, tree) in self.trees.iter().enumerate() {
            if !self.exists(tree.root) {
                return Err(format!("tree {t} has a root that does not exist"));
            }
            if tree.target.is_some_and(|o| o >= self.outputs) {
                return Err(format!("tree {t} adds to output {} of {}", tree.target.unwrap_or(0), self.outputs));
            }
            reach(tree.root, if tree.target.is_none() { ALL_OUTPUTS } else { 0 }, &mut met)?;
        }
        for (i, n) in self.nodes.iter().enumerate() {
            if n.feature >= self.features {
                return Err(format!("node {i} tests feature {} of {}", n.feature, self.features));
            }
            if n.threshold.is_nan() {
                return Err(format!("node {i} has NaN for a threshold"));
            }
            if let Some(set) = n.set()
                && (set >= self.sets.len() || n.threshold.to_bits() != (set as f64).to_bits())
            {
                return Err(format!("node {i} names set {:?} of {}", n.threshold, self.sets.len()));
            }
            let all = met[i] & ALL_OUTPUTS;
            for child in [n.left, n.right] {
                if !self.exists(child) || child.as_node().is_some_and(|c| c <= i) {
                    return Err(format!("node {i} has a child that does not exist or does not come after it"));
                }
                reach(child, all, &mut met)?;
            }
        }
        let short = |(start, len): (&u32, &u32)| *start as usize + *len as usize > self.values.len();
        match self.leaves.iter().zip(&lengths).position(short) {
            Some(l) => Err(format!("leaf {l} has no values")),
            None => Ok(lengths),
        }
    }

    /// Where the values of a leaf end when the values lie in the order of the leaves.
    pub(crate) fn leaf_end(&self, leaf: usize) -> usize {
        self.leaves.get(leaf + 1).map_or(self.values.len(), |e| *e as usize)
    }

    /// For each node of [`Test::In`] in their order, the number that its set has when equal sets are one and are counted
    /// as they turn up.
    fn set_numbers(&self) -> Vec<u32> {
        let mut numbers: HashMap<&[[u32; 2]], u32> = HashMap::new();
        let sets = self.nodes.iter().filter_map(TreeNode::set);
        sets.map(|set| {
            let next = numbers.len() as u32;
            *numbers.entry(self.sets.runs(set)).or_insert(next)
        })
        .collect()
    }

    /// Whether the sets are counted as they turn up, each once.
    fn has_canonical_sets(&self) -> bool {
        if self.sets.is_empty() {
            return true;
        }
        let numbers = self.set_numbers();
        let named = self.nodes.iter().filter_map(TreeNode::set);
        named.eq(numbers.iter().map(|n| *n as usize))
            && numbers.iter().max().map_or(0, |n| *n as usize + 1) == self.sets.len()
    }

    /// Makes it so. The nodes have been checked.
    fn count_sets(&mut self) {
        let numbers = self.set_numbers();
        let mut sets = CategorySets::default();
        for (node, number) in self.nodes.iter_mut().filter(|n| n.test == Test::In).zip(numbers) {
            if number as usize == sets.len() {
                sets.add_runs(self.sets.runs(node.threshold as usize).iter().copied());
            }
            node.threshold = f64::from(number);
        }
        self.sets = sets;
    }

    /// Whether the values lie leaf after leaf, nothing between or behind them, NaNs are canonical, and so are sets.
    pub(crate) fn is_canonical(&self) -> bool {
        let starts = self.leaves.first().map_or(self.values.is_empty(), |s| *s == 0) && self.leaves.is_sorted();
        let inside = self.leaves.last().is_none_or(|s| *s as usize <= self.values.len());
        let nans = all_canonical(&self.base) && all_canonical(&self.values);
        let fits = |(l, n): (usize, &u32)| *n == 0 || self.leaf_end(l) - self.leaves[l] as usize == *n as usize;
        starts
            && inside
            && nans
            && self.leaf_lengths().is_ok_and(|lengths| lengths.iter().enumerate().all(fits))
            && self.has_canonical_sets()
    }

    /// The same ensemble with values leaf after leaf, canonical NaNs and sets; one that is not valid stays as it is.
    pub(crate) fn canonical(mut self) -> TreeEnsemble {
        make_canonical(&mut self.base);
        make_canonical(&mut self.values);
        if self.is_canonical() || self.check().is_err() {
            return self;
        }
        // First, since sets alone are no reason to move values: those that no tree reaches stay where others are in order.
        if !self.has_canonical_sets() {
            self.count_sets();
        }
        if self.is_canonical() {
            return self;
        }
        let Ok(lengths) = self.leaf_lengths() else { return self };
        let total: usize = lengths.iter().map(|n| *n as usize).sum();
        if u32::try_from(total).is_err() {
            return self;
        }
        let mut values = Vec::with_capacity(total);
        for (start, len) in self.leaves.iter_mut().zip(&lengths) {
            let from = *start as usize;
            *start = values.len() as u32;
            values.extend_from_slice(&self.values[from..from + *len as usize]);
        }
        self.values = values;
        self
    }

    /// Whether the test of a node holds for a feature that has been rounded to `input` and is not NaN.
    #[inline]
    pub fn holds(&self, node: &TreeNode, x: f64) -> bool {
        match node.test {
            Test::In => self.sets.contains(node.threshold as usize, x),
            test => test.holds(x, node.threshold),
        }
    }

    /// Whether a row with that value of the feature, not rounded yet, goes left at a node.
    #[inline]
    pub fn goes_left(&self, node: &TreeNode, x: f64) -> bool {
        let x = if self.input == DType::F32 { f64::from(x as f32) } else { x };
        if x.is_nan() { node.missing_left } else { self.holds(node, x) }
    }

    /// The leaf that a row reaches from a root; `x(feature)` is the value before rounding to `input`.
    pub fn leaf(&self, root: Child, x: impl Fn(usize) -> f64) -> usize {
        let mut at = root;
        while let Some(i) = at.as_node() {
            let n = &self.nodes[i];
            at = if self.goes_left(n, x(n.feature as usize)) { n.left } else { n.right };
        }
        at.as_leaf().unwrap_or(0)
    }

    /// The values of a leaf of that tree: one, or one per output.
    pub fn values(&self, tree: &Tree, leaf: usize) -> &[f64] {
        let start = self.leaves[leaf] as usize;
        &self.values[start..start + if tree.target.is_some() { 1 } else { self.outputs as usize }]
    }

    /// The outputs of one row into `out` (`outputs` values), in f64; exact also where `sum` is f32.
    pub fn score(&self, x: impl Fn(usize) -> f64, out: &mut [f64]) {
        out.copy_from_slice(&self.base);
        let add =
            |o: &mut f64, v: f64| *o = if self.sum == DType::F32 { f64::from(*o as f32 + v as f32) } else { *o + v };
        for tree in &self.trees {
            let values = self.values(tree, self.leaf(tree.root, &x));
            match tree.target {
                Some(o) => add(&mut out[o as usize], values[0]),
                None => out.iter_mut().zip(values).for_each(|(o, v)| add(o, *v)),
            }
        }
    }

    /// The greatest number of tests that a row can meet in a tree from that root.
    pub fn depths(&self) -> Vec<u32> {
        let mut depth = vec![1u32; self.nodes.len()];
        for i in (0..self.nodes.len()).rev() {
            let n = &self.nodes[i];
            let below = [n.left, n.right].into_iter().filter_map(Child::as_node).map(|c| depth[c]).max();
            depth[i] = 1 + below.unwrap_or(0);
        }
        self.trees.iter().map(|t| t.root.as_node().map_or(0, |n| depth[n])).collect()
    }

    pub(crate) fn hash_into(&self, h: &mut Hasher) {
        h.u32s([self.features, self.outputs, self.input as u32, self.sum as u32].into_iter());
        h.f64s(&self.base);
        h.each(self.trees.iter().map(|t| {
            let mut bytes = [0; 8];
            bytes[..4].copy_from_slice(&t.root.bits().to_le_bytes());
            bytes[4..].copy_from_slice(&t.target.map_or(0, |o| o.wrapping_add(1)).to_le_bytes());
            bytes
        }));
        h.each(self.nodes.iter().map(|n| {
            let mut bytes = [0; 22];
            bytes[..4].copy_from_slice(&n.feature.to_le_bytes());
            bytes[4..6].copy_from_slice(&[n.test as u8, u8::from(n.missing_left)]);
            bytes[6..14].copy_from_slice(&n.threshold.to_le_bytes());
            bytes[14..18].copy_from_slice(&n.left.bits().to_le_bytes());
            bytes[18..].copy_from_slice(&n.right.bits().to_le_bytes());
            bytes
        }));
        h.u32s(self.leaves.iter().copied());
        h.f64s(&self.values);
        // An ensemble without sets hashes as it did before there were any.
        if !self.sets.is_empty() {
            self.sets.hash_into(h);
        }
    }
}
