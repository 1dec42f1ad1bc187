//! scikit-learn's trees: arrays of node structs, all trees of a model into one ensemble.
//! Source: `tree/_tree.pyx`. A row goes left where `float32(x) <= threshold (f64)`, NaN where the node says.

use flock_ir_spec::{Child, DType, Diagnostic, Test, Tree, TreeEnsemble, TreeNode};

use crate::read::numpy::Kind;
use crate::read::view::{Records, View};
use crate::version::Version;

/// `left_child` of a leaf.
const TREE_LEAF: i64 = -1;

/// Collects trees.
pub struct Trees {
    ensemble: TreeEnsemble,
    missing: bool,
}

/// What an inner node tests, and the nodes of its tree that it leads to. `None` is a number that is none.
pub struct Branch {
    /// The column that is tested.
    pub feature: Option<usize>,
    /// The test that leads to the left.
    pub test: Test,
    /// What the column is compared with.
    pub threshold: f64,
    /// Whether NaN goes left.
    pub missing_left: bool,
    /// The node on the left.
    pub left: Option<usize>,
    /// The node on the right.
    pub right: Option<usize>,
}

/// Where the fields of a node struct are. Older versions have no `missing_go_to_left`: NaN is refused there.
struct Fields {
    left: usize,
    right: usize,
    feature: usize,
    threshold: usize,
    missing_left: Option<usize>,
}

impl Fields {
    fn of(records: &Records<'_>) -> Result<Fields, Diagnostic> {
        Ok(Fields {
            left: records.required("left_child", Kind::Int, 8)?,
            right: records.required("right_child", Kind::Int, 8)?,
            feature: records.required("feature", Kind::Int, 8)?,
            threshold: records.required("threshold", Kind::Float, 8)?,
            missing_left: records.offset("missing_go_to_left", Kind::UInt, 1)?,
        })
    }
}

fn word(node: &[u8], at: usize) -> [u8; 8] {
    let mut word = [0; 8];
    word.copy_from_slice(&node[at..at + 8]);
    word
}

impl Trees {
    /// No trees yet. Where no NaN can come (`missing` is false), what nodes say of it is left out.
    pub fn new(features: usize, base: Vec<f64>, missing: bool) -> Trees {
        let ensemble = TreeEnsemble {
            features: features as u32,
            outputs: base.len() as u32,
            input: DType::F32,
            sum: DType::F64,
            base,
            trees: Vec::new(),
            nodes: Vec::new(),
            leaves: Vec::new(),
            values: Vec::new(),
            sets: Default::default(),
        };
        Trees { ensemble, missing }
    }

    /// Trees that compare f64, as those of histograms do.
    #[must_use]
    pub fn of_doubles(mut self) -> Trees {
        self.ensemble.input = DType::F64;
        self
    }

    /// A set that nodes may split by, as words of 32 bits: what a branch of [`Test::In`] has for a threshold.
    pub fn set(&mut self, words: &[u32], place: &View<'_>) -> Result<u32, Diagnostic> {
        self.ensemble.sets.add_bits(words).ok_or_else(|| place.unsupported("too many sets of categories"))
    }

    /// Adds the tree of an estimator's `tree_`. `leaf` gets the values of a leaf (outputs × classes) and appends those
    /// that the ensemble adds: one for a target, one per output without.
    pub fn add(
        &mut self,
        tree: &View<'_>,
        target: Option<u32>,
        mut leaf: impl FnMut(&[f64], &mut Vec<f64>),
    ) -> Result<(), Diagnostic> {
        self.add_on(tree, None, target, |_, values, out| leaf(values, out))
    }

    /// Adds a tree that was grown on some of the columns, `columns[f]` for its feature f. `leaf` gets the leaf's number
    /// among the nodes of its tree, too.
    pub fn add_on(
        &mut self,
        tree: &View<'_>,
        columns: Option<&[usize]>,
        target: Option<u32>,
        mut leaf: impl FnMut(usize, &[f64], &mut Vec<f64>),
    ) -> Result<(), Diagnostic> {
        let nodes_view = tree.attr("nodes")?;
        let records = nodes_view.records()?;
        let fields = Fields::of(&records)?;
        let values_view = tree.attr("values")?;
        let values = values_view.f64s()?;
        let n = records.bytes.len() / records.itemsize;
        let stride = values.len() / n.max(1);
        if n == 0 || values.len() != n * stride || stride == 0 {
            return Err(values_view.expected(&format!("values for {n} nodes")));
        }
        let branch = |i: usize| {
            let node = &records.bytes[i * records.itemsize..(i + 1) * records.itemsize];
            let int = |at: usize| i64::from_le_bytes(word(node, at));
            if int(fields.left) == TREE_LEAF {
                return None;
            }
            let feature = usize::try_from(int(fields.feature)).ok();
            Some(Branch {
                feature: feature.and_then(|f| columns.map_or(Some(f), |c| c.get(f).copied())),
                test: Test::Le,
                threshold: f64::from_le_bytes(word(node, fields.threshold)),
                missing_left: fields.missing_left.is_some_and(|at| node[at] != 0),
                left: usize::try_from(int(fields.left)).ok(),
                right: usize::try_from(int(fields.right)).ok(),
            })
        };
        self.grow(n, target, &nodes_view, branch, |i, out| leaf(i, &values[i * stride..(i + 1) * stride], out))
    }

    /// Adds a tree of n nodes, the root first and every child behind its parent. `branch` says what an inner node tests;
    /// where it gives nothing there is a leaf, whose values `leaf` appends.
    pub fn grow(
        &mut self,
        n: usize,
        target: Option<u32>,
        place: &View<'_>,
        branch: impl Fn(usize) -> Option<Branch>,
        mut leaf: impl FnMut(usize, &mut Vec<f64>),
    ) -> Result<(), Diagnostic> {
        let children = self.number(n, |i| branch(i).is_none(), place)?;
        let e = &mut self.ensemble;
        for i in 0..n {
            let Some(node) = branch(i) else {
                e.leaves.push(e.values.len() as u32);
                leaf(i, &mut e.values);
                continue;
            };
            let below = |index: Option<usize>| index.filter(|c| *c > i).and_then(|c| children.get(c)).copied();
            let feature = node.feature.and_then(|f| u32::try_from(f).ok()).filter(|f| *f < e.features);
            let (Some(left), Some(right), Some(feature)) = (below(node.left), below(node.right), feature) else {
                return Err(place.unsupported(format!("node {i} points outside of its tree or of the features")));
            };
            if node.threshold.is_nan() {
                return Err(place.unsupported(format!("node {i} has NaN for a threshold")));
            }
            let missing_left = self.missing && node.missing_left;
            let Branch { test, threshold, .. } = node;
            e.nodes.push(TreeNode { feature, test, missing_left, threshold, left, right });
        }
        e.trees.push(Tree { root: children[0], target });
        Ok(())
    }

    /// The node or leaf that each node of a tree becomes.
    fn number(&self, n: usize, is_leaf: impl Fn(usize) -> bool, place: &View<'_>) -> Result<Vec<Child>, Diagnostic> {
        const MAX: usize = 1 << 31;
        let (mut nodes, mut leaves) = (self.ensemble.nodes.len(), self.ensemble.leaves.len());
        let outputs = self.ensemble.outputs as usize;
        if nodes + n >= MAX || leaves + n >= MAX || self.ensemble.values.len() + n * outputs >= u32::MAX as usize {
            return Err(place.unsupported("more than 2^31 nodes"));
        }
        let child = |i| {
            if is_leaf(i) {
                leaves += 1;
                Child::leaf(leaves as u32 - 1)
            } else {
                nodes += 1;
                Child::node(nodes as u32 - 1)
            }
        };
        Ok((0..n).map(child).collect())
    }

    /// The ensemble.
    pub fn finish(self, place: &View<'_>) -> Result<TreeEnsemble, Diagnostic> {
        self.ensemble.check().map_err(|e| place.unsupported(e))?;
        Ok(self.ensemble)
    }
}

/// Per node of an estimator's `tree_`: how many nodes lie on its path from the root, itself counted, and how many rows of
/// the training data reached it.
pub fn paths(tree: &View<'_>) -> Result<Vec<(u32, i64)>, Diagnostic> {
    let nodes_view = tree.attr("nodes")?;
    let records = nodes_view.records()?;
    let fields = Fields::of(&records)?;
    let samples = records.required("n_node_samples", Kind::Int, 8)?;
    let int = |node: &[u8], at: usize| i64::from_le_bytes(word(node, at));
    let mut paths: Vec<(u32, i64)> = records.bytes.chunks(records.itemsize).map(|n| (1, int(n, samples))).collect();
    for (i, node) in records.bytes.chunks(records.itemsize).enumerate() {
        for child in [int(node, fields.left), int(node, fields.right)] {
            // A child that is none is a fault, and `add` finds it.
            let child = usize::try_from(child).ok().filter(|c| *c > i);
            let length = paths[i].0 + 1;
            if let Some(path) = child.and_then(|c| paths.get_mut(c)) {
                path.0 = length;
            }
        }
    }
    Ok(paths)
}

/// The classes of a tree's outputs, and how its leaves give probabilities.
pub struct LeafClasses {
    /// Number of classes per output.
    pub classes: Vec<usize>,
    /// Since 1.4 leaves hold fractions; before, weighted counts that `predict_proba` divides by their sum.
    pub counts: bool,
}

impl LeafClasses {
    /// Of a fitted classifier.
    pub fn of(view: &View<'_>, classes: Vec<usize>) -> Result<LeafClasses, Diagnostic> {
        Ok(LeafClasses { classes, counts: Version::of(view)? < Version(1, 4) })
    }

    /// Number of probabilities.
    pub fn outputs(&self) -> usize {
        self.classes.iter().sum()
    }

    /// Appends the probabilities of a leaf, output by output.
    pub fn probabilities(&self, leaf: &[f64], out: &mut Vec<f64>) {
        for values in self.per_output(leaf) {
            let sum = if self.counts { pairwise_sum(values) } else { 1.0 };
            let sum = if sum == 0.0 { 1.0 } else { sum };
            out.extend(values.iter().map(|v| v / sum));
        }
    }

    /// Appends the values of a leaf as they stand.
    pub fn raw(&self, leaf: &[f64], out: &mut Vec<f64>) {
        self.per_output(leaf).for_each(|values| out.extend(values));
    }

    /// Whether the greatest value of a leaf is the greatest probability too: division may make two equal.
    pub fn agrees(&self, leaf: &[f64]) -> bool {
        !self.counts
            || self.per_output(leaf).all(|values| {
                let sum = pairwise_sum(values);
                let divided: Vec<f64> = values.iter().map(|v| v / sum).collect();
                greatest(values) == greatest(&divided)
            })
    }

    fn per_output<'v>(&'v self, leaf: &'v [f64]) -> impl Iterator<Item = &'v [f64]> {
        let padded = leaf.len() / self.classes.len().max(1);
        leaf.chunks(padded.max(1)).zip(&self.classes).map(|(values, n)| &values[..(*n).min(values.len())])
    }
}

/// The first of the greatest values.
pub fn greatest(values: &[f64]) -> usize {
    values.iter().enumerate().fold(0, |best, (i, v)| if *v > values[best] { i } else { best })
}

/// numpy's sum of a row: eight partial sums in blocks of up to 128, halves above.
/// Source: numpy `loops_utils.h.src`, `pairwise_sum`.
pub fn pairwise_sum(values: &[f64]) -> f64 {
    let n = values.len();
    if n < 8 {
        return values.iter().fold(0.0, |a, v| a + v);
    }
    if n <= 128 {
        let mut r: [f64; 8] = std::array::from_fn(|i| values[i]);
        let blocks = values[8..].chunks_exact(8);
        let rest = blocks.remainder();
        blocks.for_each(|b| r.iter_mut().zip(b).for_each(|(r, v)| *r += v));
        let sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
        return rest.iter().fold(sum, |a, v| a + v);
    }
    let half = n / 2 - (n / 2) % 8;
    pairwise_sum(&values[..half]) + pairwise_sum(&values[half..])
}

/// Whether the library lets NaN into a tree of these parameters (`_support_missing_values`).
pub fn allows_missing(tree: &View<'_>, forest: bool, sparse: bool) -> Result<bool, Diagnostic> {
    let version = Version::of(tree)?;
    if sparse || version < Version(1, 3) || (forest && version < Version(1, 4)) {
        return Ok(false);
    }
    let text = |name: &str| tree.get(name).and_then(|v| v.str()).unwrap_or_default();
    let extra = tree.class().is_some_and(|c| c.contains(".ExtraTree"));
    let splitter = match text("splitter") {
        "best" => !extra,
        "random" => version >= Version(1, 6),
        _ => false,
    };
    if version >= Version(1, 9) {
        return Ok(if extra { splitter } else { true });
    }
    let criterion =
        ["gini", "log_loss", "entropy", "squared_error", "friedman_mse", "poisson"].contains(&text("criterion"));
    let free = tree.get("monotonic_cst").is_none_or(|m| m.is_none());
    Ok(splitter && criterion && free)
}

#[cfg(test)]
mod tests {
    use super::pairwise_sum;

    /// The sums of numpy for `1 / arange(1, n + 1)`, as hexadecimal floats of `np.add.reduce`.
    #[test]
    fn sums_are_numpys() {
        for (n, sum) in NUMPY {
            let values: Vec<f64> = (1..=*n).map(|i| 1.0 / f64::from(i)).collect();
            assert_eq!(pairwise_sum(&values).to_bits(), *sum, "{n} values");
        }
    }

    const NUMPY: &[(u32, u64)] = &[
        (1, 0x3ff0000000000000),
        (7, 0x4004be2be2be2be2),
        (8, 0x4005be2be2be2be2),
        (9, 0x4006a1ba1ba1ba1b),
        (15, 0x400a8bbba47475d4),
        (16, 0x400b0bbba47475d4),
        (17, 0x400b84341cecee4c),
        (127, 0x4015b38ae9541ca6),
        (128, 0x4015bb8ae9541ca7),
        (129, 0x4015c37b09149ba9),
        (137, 0x401600dcab4ab08b),
        (300, 0x40192172a3e6965a),
        (1000, 0x401df11f45f4e61a),
    ];
}
