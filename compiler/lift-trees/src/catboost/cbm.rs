//! The binary format: `CBM1`, the size of the core, and the core as a FlatBuffer. The splits of all trees are positions
//! in a list of conditions: the borders of the float features one after the other, then the hashes that categories are
//! equal to, then the borders of counters. The tables of counters stand behind the core.

use super::cbm_ctrs;
use super::flatbuffer::{Table, Vector};
use super::objective::Info;
use super::{Border, CatBoost, Category, Condition, FloatFeature, Node, Tree};
use crate::value::Value;
use crate::{Res, damaged, json};

/// Fields of `TModelTrees`.
mod field {
    pub const DIMENSION: usize = 0;
    pub const SPLITS: usize = 1;
    pub const SIZES: usize = 2;
    pub const STARTS: usize = 3;
    pub const CATEGORIES: usize = 4;
    pub const FLOAT_FEATURES: usize = 5;
    pub const ONE_HOT: usize = 6;
    pub const CTRS: usize = 7;
    pub const LEAF_VALUES: usize = 8;
    pub const STEPS: usize = 10;
    pub const NODE_LEAVES: usize = 11;
    pub const TEXTS: usize = 12;
    pub const SCALE: usize = 14;
    pub const BIAS: usize = 15;
    pub const BIASES: usize = 16;
    pub const EMBEDDINGS: usize = 18;
}

/// Reads a file.
pub(crate) fn read(bytes: &[u8]) -> Res<CatBoost> {
    let fault = || damaged("cbm", "the file is truncated or damaged");
    let size = bytes.get(4..).and_then(|b| b.first_chunk::<4>()).map(|s| u32::from_le_bytes(*s) as usize);
    let core = size.and_then(|size| bytes.get(8..)?.get(..size)).ok_or_else(fault)?;
    let root = Table::root(core).ok_or_else(fault)?;
    let trees = root.table(1).ok_or_else(fault)?;
    for (kind, field) in [("text", field::TEXTS), ("embedding", field::EMBEDDINGS)] {
        if let Some(found) = trees.vector(field, 4).filter(|v| v.len() > 0) {
            return Err(super::of_text("features", kind, found.len()));
        }
    }
    let (features, mut conditions) = features(trees, core.len()).ok_or_else(fault)?;
    let categories = categories(trees).ok_or_else(fault)?;
    one_hot(trees, core.len(), &mut conditions).ok_or_else(fault)?;
    let ctrs = trees.vector(field::CTRS, 4);
    let tables = bytes.get(8 + core.len()..).unwrap_or_default();
    let ctrs = cbm_ctrs::read(root, ctrs, (core.len(), tables), |ctr, border| {
        // Each border has its own four bytes in a file of the library.
        let fits = conditions.len() < core.len() / 4;
        if fits {
            conditions.push(Condition::Counter(ctr, border));
        }
        fits
    })?;
    let dimensions = trees.int(field::DIMENSION).and_then(|d| usize::try_from(d).ok()).ok_or_else(fault)?;
    let bias: Vec<f64> = trees.vector(field::BIASES, 8).map(|v| v.doubles().collect()).unwrap_or_default();
    let bias = if bias.is_empty() { vec![trees.double(field::BIAS).unwrap_or(0.0)] } else { bias };
    let scale = trees.double(field::SCALE).unwrap_or(1.0);
    let arrays = Arrays::of(trees, conditions, dimensions).ok_or_else(fault)?;
    let trees = (0..arrays.sizes.len()).map(|t| arrays.tree(t)).collect::<Res<_>>()?;
    Ok(CatBoost { features, categories, ctrs, trees, dimensions, scale, bias, info: info(root)? })
}

/// The float features, and the borders of all of them.
fn features(trees: Table<'_>, size: usize) -> Option<(Vec<FloatFeature>, Vec<Condition>)> {
    let (mut features, mut borders) = (Vec::new(), Vec::new());
    for (i, f) in trees.vector(field::FLOAT_FEATURES, 4).into_iter().flat_map(Vector::tables).enumerate() {
        let flat = usize::try_from(f.int(2).unwrap_or(-1)).ok()?;
        f.int(1).filter(|index| usize::try_from(*index) == Ok(i))?;
        let name = f.text(4).unwrap_or_default().to_owned();
        // `HasNans`, and `NanValueTreatment`: as is, false, true.
        features.push(FloatFeature { name, flat, nan_is_greatest: f.byte(0) != 0 && f.byte(5) == 2 });
        if let Some(v) = f.vector(3, 4) {
            // Each border has its own four bytes in a file of the library.
            if borders.len() + v.len() > size / 4 {
                return None;
            }
            borders.extend(v.floats().map(|border| Condition::Above(Border { feature: i as u32, border })));
        }
    }
    Some((features, borders))
}

/// The categories, whichever of them trees ask for.
fn categories(trees: Table<'_>) -> Option<Vec<Category>> {
    let all = trees.vector(field::CATEGORIES, 4).into_iter().flat_map(Vector::tables).enumerate();
    all.map(|(i, c)| {
        c.int(0).filter(|index| usize::try_from(*index) == Ok(i))?;
        Some(Category { name: c.text(2).unwrap_or_default().to_owned(), flat: usize::try_from(c.int(1)?).ok()? })
    })
    .collect()
}

/// Adds the hashes of one-hot splits.
fn one_hot(trees: Table<'_>, size: usize, conditions: &mut Vec<Condition>) -> Option<()> {
    for f in trees.vector(field::ONE_HOT, 4).into_iter().flat_map(Vector::tables) {
        let category = u32::try_from(f.int(0)?).ok()?;
        if let Some(v) = f.vector(1, 4) {
            if conditions.len() + v.len() > size / 4 {
                return None;
            }
            conditions.extend(v.ints().map(|value| Condition::Equal(category, value)));
        }
    }
    Some(())
}

/// What the model was trained with: JSON under `params` and `class_params`.
fn info(root: Table<'_>) -> Res<Info> {
    let text = |key: &str| {
        let mut entries = root.vector(2, 4)?.tables();
        entries.find(|e| e.text(0) == Some(key)).and_then(|e| e.text(1))
    };
    let parse = |key: &str| -> Res<Option<Value<'_>>> {
        let value = text(key).map(|t| json::parse(t.as_bytes(), json::Width::F64));
        value.transpose().map_err(|e| damaged(format!("info.{key}"), e))
    };
    Info::read(parse("params")?.as_ref(), parse("class_params")?.as_ref())
}

/// The arrays of all trees.
struct Arrays {
    conditions: Vec<Condition>,
    dimensions: usize,
    splits: Vec<i32>,
    sizes: Vec<usize>,
    starts: Vec<usize>,
    /// Where the leaves of each symmetric tree start.
    leaves: Vec<usize>,
    values: Vec<f64>,
    steps: Vec<[usize; 2]>,
    node_leaves: Vec<i32>,
    symmetric: bool,
}

impl Arrays {
    fn of(trees: Table<'_>, conditions: Vec<Condition>, dimensions: usize) -> Option<Arrays> {
        let sizes_of = |v: Vector<'_>| v.ints().map(|i| usize::try_from(i).ok()).collect::<Option<Vec<_>>>();
        let sizes = sizes_of(trees.vector(field::SIZES, 4)?)?;
        let steps: Vec<[usize; 2]> = trees.vector(field::STEPS, 4).map(|v| v.pairs().collect()).unwrap_or_default();
        let mut leaves = Vec::with_capacity(sizes.len());
        let mut start = 0usize;
        if steps.is_empty() {
            for size in &sizes {
                leaves.push(start);
                start = start.checked_add(1usize.checked_shl(*size as u32)?.checked_mul(dimensions)?)?;
            }
        }
        Some(Arrays {
            conditions,
            dimensions,
            splits: trees.vector(field::SPLITS, 4)?.ints().collect(),
            starts: sizes_of(trees.vector(field::STARTS, 4)?)?,
            sizes,
            leaves,
            values: trees.vector(field::LEAF_VALUES, 8)?.doubles().collect(),
            symmetric: steps.is_empty(),
            steps,
            node_leaves: trees.vector(field::NODE_LEAVES, 4).map(|v| v.ints().collect()).unwrap_or_default(),
        })
    }

    fn tree(&self, tree: usize) -> Res<Tree> {
        let place = format!("tree {tree}");
        let fault = || damaged(&*place, "its splits or leaves are not all there");
        let (size, start) = (self.sizes[tree], *self.starts.get(tree).ok_or_else(fault)?);
        let splits = start.checked_add(size).and_then(|end| self.splits.get(start..end)).ok_or_else(fault)?;
        if !self.symmetric {
            return self.nodes(start, splits, &place).map(Tree::Nodes);
        }
        let splits = splits.iter().map(|s| self.condition(*s, &place)).collect::<Res<_>>()?;
        let count = (1usize << size.min(63)).saturating_mul(self.dimensions);
        let from = self.leaves[tree];
        let values = from.checked_add(count).and_then(|end| self.values.get(from..end)).ok_or_else(fault)?;
        Ok(Tree::Symmetric { splits, values: values.to_vec() })
    }

    fn condition(&self, split: i32, place: &str) -> Res<Condition> {
        let position = usize::try_from(split).ok().and_then(|p| self.conditions.get(p));
        position.copied().ok_or_else(|| damaged(place, "a split that is no condition"))
    }

    /// A node says how many nodes further its children are; 0 is a leaf of its own, which stands behind all nodes.
    fn nodes(&self, start: usize, splits: &[i32], place: &str) -> Res<Vec<Node>> {
        let n = splits.len();
        let fault = || damaged(place, "its nodes or leaves are not all there");
        let mut nodes = Vec::with_capacity(2 * n);
        for (i, split) in splits.iter().enumerate() {
            let [left, right] = *self.steps.get(start + i).ok_or_else(fault)?;
            if left == 0 && right == 0 {
                nodes.push(Node::Leaf(self.leaf(start + i).ok_or_else(fault)?));
                continue;
            }
            let child = |diff: usize| if diff == 0 { n + i } else { i + diff };
            // A child beyond the nodes would be taken for a leaf behind them.
            if [left, right].iter().any(|d| *d != 0 && i + d >= n) {
                return Err(fault());
            }
            nodes.push(Node::Split(self.condition(*split, place)?, [child(left), child(right)]));
        }
        for i in 0..n {
            let own = self.steps.get(start + i).is_some_and(|s| (s[0] == 0) != (s[1] == 0));
            let leaf = if own { self.leaf(start + i).ok_or_else(fault)? } else { Vec::new() };
            nodes.push(Node::Leaf(leaf));
        }
        Ok(nodes)
    }

    /// The values of a node's leaf: positions of leaves count values.
    fn leaf(&self, node: usize) -> Option<Vec<f64>> {
        let at = usize::try_from(*self.node_leaves.get(node)?).ok()?;
        self.values.get(at..at.checked_add(self.dimensions)?).map(<[f64]>::to_vec)
    }
}
