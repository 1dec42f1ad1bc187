//! CatBoost's JSON and cbm files.
//!
//! | features | float32 borders; `nan_value_treatment`: NaN is below all of them, above all, or as it is (below) |
//! | trees | symmetric: a split per level, a leaf per combination; or nodes with two children |
//! | the end | the sum in float64, times the scale, plus the bias of each dimension |
//!
//! A value is rounded to float32 and is to the right of a border that it is greater than. Categories are hashed by the
//! library: a file holds hashes and not the categories, so that trees which ask for one cannot be lifted.
//! Source: CatBoost `libs/model/cpu/evaluator_impl.cpp`, `cpu/quantization.h`, `flatbuffers/model.fbs`,
//! `model_export/json_model_helpers.cpp`.

mod cbm;
mod flatbuffer;
mod json;
mod objective;

use flock_ir_spec::{DType, NodeId, Op, Test};

use crate::answer::Answer;
use crate::build::Build;
use crate::derived::Derived;
use crate::forest::{Forest, Split};
use crate::inputs::{Feature, Kind};
use crate::lift::{Embedded, Model};
use crate::{Res, damaged};

/// A file in its parts, whichever format it has.
pub(crate) struct CatBoost {
    /// Columns of numbers.
    pub features: Vec<FloatFeature>,
    /// The trees in their order.
    pub trees: Vec<Tree>,
    /// Values per leaf.
    pub dimensions: usize,
    /// What the sums are multiplied with.
    pub scale: f64,
    /// What is added to each dimension, or to all of them.
    pub bias: Vec<f64>,
    /// What the model was trained with, as JSON: parameters and labels.
    pub info: objective::Info,
}

/// A column of numbers.
pub(crate) struct FloatFeature {
    /// Its name; empty where the model was trained on an array.
    pub name: String,
    /// Its place among all columns.
    pub flat: usize,
    /// Whether NaN is above every border.
    pub nan_is_greatest: bool,
}

/// A float32 border of a feature.
#[derive(Clone, Copy)]
pub(crate) struct Border {
    /// Which of the float features.
    pub feature: u32,
    /// Values above it go right.
    pub border: f32,
}

/// A tree.
pub(crate) enum Tree {
    /// A split per level; bit i of a leaf's number says whether split i is passed.
    Symmetric {
        /// The splits.
        splits: Vec<Border>,
        /// Leaf by leaf.
        values: Vec<f64>,
    },
    /// Nodes, the first of them the root.
    Nodes(Vec<Node>),
}

/// A node of a tree that is not symmetric.
pub(crate) enum Node {
    /// The positions of its children.
    Split(Border, [usize; 2]),
    /// Its values.
    Leaf(Vec<f64>),
}

/// Whether the bytes begin as the library's files do.
pub(crate) fn sniff(bytes: &[u8]) -> bool {
    let head = bytes[..bytes.len().min(4096)].trim_ascii_start();
    let has = |word: &[u8]| head.windows(word.len()).any(|w| w == word);
    let json = head.starts_with(b"{") && (has(b"\"features_info\"") || has(b"\"model_info\"") || has(b"\"ctr_data\""));
    bytes.starts_with(b"CBM1") || json
}

/// Reads a file of either format.
pub(crate) fn read(bytes: &[u8], how: &Embedded) -> Res<CatBoost> {
    let mut model = if bytes.starts_with(b"CBM1") { cbm::read(bytes)? } else { json::read(bytes)? };
    if model.dimensions == 0 || model.dimensions > MAX_DIMENSIONS {
        return Err(damaged("dimensions", format!("leaves of {} values", model.dimensions)));
    }
    if ![1, model.dimensions].contains(&model.bias.len()) {
        return Err(damaged("scale_and_bias", format!("{} biases", model.bias.len())));
    }
    model.trees.truncate(how.iterations.unwrap_or(usize::MAX));
    Ok(model)
}

/// More values per leaf than anybody predicts.
const MAX_DIMENSIONS: usize = 100_000;

impl Model for CatBoost {
    fn features(&self) -> Res<Vec<Feature>> {
        let feature = |f: &FloatFeature| {
            let name = if f.name.is_empty() { format!("x{}", f.flat) } else { f.name.clone() };
            Feature { name, kind: Kind::Number }
        };
        Ok(self.features.iter().map(feature).collect())
    }

    fn lift(&self, cx: &mut Build, x: NodeId) -> Res<Answer> {
        let raw = cx.in_step("trees", |cx| self.scores(cx, x))?;
        cx.in_step("objective", |cx| objective::apply(cx, &self.info, raw))
    }
}

impl CatBoost {
    fn scores(&self, cx: &mut Build, x: NodeId) -> Res<NodeId> {
        let mut forest = Forest::new(vec![0.0; self.dimensions], DType::F32, DType::F64);
        for (i, tree) in self.trees.iter().enumerate() {
            let added = match tree {
                Tree::Symmetric { splits, values } => self.symmetric(&mut forest, splits, values),
                Tree::Nodes(nodes) => self.nodes(&mut forest, nodes),
            };
            added.map_err(|e| damaged(format!("tree {i}"), e))?;
        }
        let placed = Derived::new(self.features.len()).place(cx, x, 0.0, |_, x| Ok(x))?;
        let ensemble = forest.finish(&placed).map_err(|e| damaged("trees", e))?;
        let ensemble = cx.b.constant(ensemble);
        let mut sum = cx.op(Op::Trees, &[placed.frame, ensemble])?;
        if self.scale != 1.0 {
            sum = cx.with(Op::Mul, sum, self.scale)?;
        }
        if self.bias.iter().all(|b| *b == 0.0) {
            return Ok(sum);
        }
        let bias = cx.row(self.bias.clone());
        cx.op(Op::Add, &[sum, bias])
    }

    /// The places of the level with 2^k of them are 2^k - 1, …; the last split is asked first, so that the leaves lie in
    /// their order.
    fn symmetric(&self, forest: &mut Forest, splits: &[Border], values: &[f64]) -> Result<(), String> {
        let depth = splits.len();
        let leaves = 1usize.checked_shl(depth as u32).filter(|n| n.checked_mul(self.dimensions) == Some(values.len()));
        let leaves = leaves.ok_or_else(|| format!("{} leaf values for {depth} splits", values.len()))?;
        forest.tree(0, 2 * leaves - 1, self.target(), |place, out, _| {
            if place + 1 >= leaves {
                let leaf = place + 1 - leaves;
                out.extend_from_slice(&values[leaf * self.dimensions..(leaf + 1) * self.dimensions]);
                return Ok(None);
            }
            let level = (place + 1).ilog2() as usize;
            self.split(splits[depth - 1 - level], [2 * place + 1, 2 * place + 2]).map(Some)
        })
    }

    fn nodes(&self, forest: &mut Forest, nodes: &[Node]) -> Result<(), String> {
        forest.tree(0, nodes.len(), self.target(), |place, out, _| match &nodes[place] {
            Node::Split(border, children) => self.split(*border, *children).map(Some),
            Node::Leaf(values) if values.len() == self.dimensions => {
                out.extend_from_slice(values);
                Ok(None)
            }
            Node::Leaf(values) => Err(format!("a leaf of {} values", values.len())),
        })
    }

    fn target(&self) -> Option<u32> {
        (self.dimensions == 1).then_some(0)
    }

    /// To the left at or below the border.
    fn split(&self, Border { feature, border }: Border, [left, right]: [usize; 2]) -> Result<Split, String> {
        let of = self.features.get(feature as usize).ok_or_else(|| format!("float feature {feature}"))?;
        if border.is_nan() {
            return Err("NaN for a border".into());
        }
        let missing_left = !of.nan_is_greatest || border == f32::INFINITY;
        Ok(Split { feature, test: Test::Le, threshold: f64::from(border), missing_left, left, right })
    }
}
