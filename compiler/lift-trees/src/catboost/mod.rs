//! CatBoost's JSON and cbm files.
//!
//! | features | float32 borders; `nan_value_treatment`: NaN is below all of them, above all, or as it is (below) |
//! | trees | symmetric: a split per level, a leaf per combination; or nodes with two children |
//! | the end | the sum in float64, times the scale, plus the bias of each dimension |
//!
//! | categories | equal to one (one-hot), or what training counted of it, see `ctr` |
//!
//! A value is rounded to float32 and is to the right of a border that it is greater than. A category is text, an integer
//! its digits; a file holds 32 bits of its hash and nothing else, see `hashes`. The library refuses a row without one.
//! Source: CatBoost `libs/model/cpu/evaluator_impl.cpp`, `cpu/quantization.h`, `flatbuffers/model.fbs`,
//! `model_export/json_model_helpers.cpp`.

mod cbm;
mod cbm_ctrs;
mod ctr;
mod flatbuffer;
mod hashes;
mod json;
mod json_ctrs;
mod objective;

use std::collections::BTreeMap;

use flock_ir_spec::{DType, NodeId, Op, Test};

use crate::answer::Answer;
use crate::build::Build;
use crate::derived::Derived;
use crate::forest::{Forest, Split};
use crate::inputs::{Feature, Inputs, Kind};
use crate::lift::{Embedded, Model};
use crate::{Res, damaged, unsupported};

use ctr::Ctrs;

/// A file in its parts, whichever format it has.
pub(crate) struct CatBoost {
    /// Columns of numbers.
    pub features: Vec<FloatFeature>,
    /// Columns of categories.
    pub categories: Vec<Category>,
    /// Counters.
    pub ctrs: Ctrs,
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

/// A column of categories.
pub(crate) struct Category {
    /// Its name; empty where the model was trained on an array.
    pub name: String,
    /// Its place among all columns.
    pub flat: usize,
}

/// What a split asks; rows for which it holds go right.
#[derive(Clone, Copy)]
pub(crate) enum Condition {
    /// A number is above a border.
    Above(Border),
    /// A category has a hash.
    Equal(u32, i32),
    /// A counter is above a border.
    Counter(u32, f32),
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
        splits: Vec<Condition>,
        /// Leaf by leaf.
        values: Vec<f64>,
    },
    /// Nodes, the first of them the root.
    Nodes(Vec<Node>),
}

/// A node of a tree that is not symmetric.
pub(crate) enum Node {
    /// The positions of its children.
    Split(Condition, [usize; 2]),
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
    model.ctrs.check(model.categories.len(), model.features.len()).map_err(|e| damaged("ctrs", e))?;
    model.trees.truncate(how.iterations.unwrap_or(usize::MAX));
    Ok(model)
}

/// Columns that the library makes features of by means of its own.
fn of_text(place: &str, kind: &str, count: usize) -> flock_ir_spec::Diagnostic {
    let message = format!(
        "{count} {kind} features: what the library makes of them (dictionaries, naive Bayes, nearest neighbours) is not read"
    );
    unsupported(place, message).help("make numbers of the column before the model")
}

/// More values per leaf than anybody predicts.
const MAX_DIMENSIONS: usize = 100_000;

impl Model for CatBoost {
    fn features(&self) -> Res<Vec<Feature>> {
        let numbers = self.features.iter().map(|f| (f.flat, &f.name, Kind::Number));
        let mut all: Vec<_> = numbers.chain(self.categories.iter().map(|c| (c.flat, &c.name, Kind::Text))).collect();
        // Numbers among themselves stay in the order in which splits count them, as categories do.
        let ascending = |flats: Vec<usize>| flats.is_sorted_by(|a, b| a < b);
        if !ascending(self.features.iter().map(|f| f.flat).collect())
            || !ascending(self.categories.iter().map(|c| c.flat).collect())
        {
            return Err(damaged("features_info", "features that are not in the order of their columns"));
        }
        all.sort_by_key(|(flat, ..)| *flat);
        let named = |(flat, name, kind): (usize, &String, Kind)| {
            let name = if name.is_empty() { format!("x{flat}") } else { name.clone() };
            Feature { name, kind }
        };
        Ok(all.into_iter().map(named).collect())
    }

    fn lift(&self, cx: &mut Build, inputs: &Inputs) -> Res<Answer> {
        let columns = cx.in_step("categories", |cx| self.columns(cx, inputs))?;
        let raw = cx.in_step("trees", |cx| self.scores(cx, &columns))?;
        cx.in_step("objective", |cx| objective::apply(cx, &self.info, raw))
    }
}

/// The columns that trees test: the numbers, for each category of one-hot splits the position of its hash among theirs,
/// the counters.
struct TestedColumns {
    frame: NodeId,
    /// The column of each category that a split asks for, and the hashes.
    equal: BTreeMap<u32, (u32, Vec<i32>)>,
    /// The column of the first counter.
    counters: u32,
}

impl CatBoost {
    fn columns(&self, cx: &mut Build, inputs: &Inputs) -> Res<TestedColumns> {
        let numbers = if self.features.is_empty() { None } else { Some(inputs.numbers()?) };
        let mut frames: Vec<NodeId> = numbers.into_iter().collect();
        let mut width = self.features.len() as u32;
        let asked = self.asked()?;
        let mut equal = BTreeMap::new();
        if let Some(hashes) = hashes::of_texts(cx, inputs)? {
            frames.extend(hashes::positions(cx, hashes, &asked)?);
            for (category, values) in asked {
                equal.insert(category, (width, values));
                width += 1;
            }
            if !self.ctrs.ctrs.is_empty() {
                frames.push(hashes::counters(cx, self, hashes, numbers)?);
            }
        }
        if frames.is_empty() {
            // Trees of leaves alone.
            frames.push(cx.number(0.0));
        }
        Ok(TestedColumns { frame: cx.side_by_side(&frames)?, equal, counters: width })
    }

    /// The hashes that one-hot splits of the trees ask of categories, each once.
    fn asked(&self) -> Res<BTreeMap<u32, Vec<i32>>> {
        let mut asked: BTreeMap<u32, Vec<i32>> = BTreeMap::new();
        let mut note = |condition: &Condition| {
            if let Condition::Equal(category, value) = condition {
                asked.entry(*category).or_default().push(*value);
            }
        };
        for tree in &self.trees {
            match tree {
                Tree::Symmetric { splits, .. } => splits.iter().for_each(&mut note),
                Tree::Nodes(nodes) => nodes.iter().for_each(|n| {
                    if let Node::Split(condition, _) = n {
                        note(condition);
                    }
                }),
            }
        }
        if let Some(missing) = asked.keys().find(|c| **c as usize >= self.categories.len()) {
            return Err(damaged("trees", format!("a split on category {missing}, which is not there")));
        }
        for values in asked.values_mut() {
            values.sort_unstable();
            values.dedup();
        }
        Ok(asked)
    }

    fn scores(&self, cx: &mut Build, columns: &TestedColumns) -> Res<NodeId> {
        let mut forest = Forest::new(vec![0.0; self.dimensions], DType::F32, DType::F64);
        for (i, tree) in self.trees.iter().enumerate() {
            let added = match tree {
                Tree::Symmetric { splits, values } => self.symmetric(&mut forest, columns, splits, values),
                Tree::Nodes(nodes) => self.nodes(&mut forest, columns, nodes),
            };
            added.map_err(|e| damaged(format!("tree {i}"), e))?;
        }
        let placed = Derived::new(cx.width(columns.frame)).place(cx, columns.frame, 0.0, |_, x| Ok(x))?;
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
    fn symmetric(
        &self,
        forest: &mut Forest,
        columns: &TestedColumns,
        splits: &[Condition],
        values: &[f64],
    ) -> Result<(), String> {
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
            self.split(columns, splits[depth - 1 - level], [2 * place + 1, 2 * place + 2]).map(Some)
        })
    }

    fn nodes(&self, forest: &mut Forest, columns: &TestedColumns, nodes: &[Node]) -> Result<(), String> {
        forest.tree(0, nodes.len(), self.target(), |place, out, _| match &nodes[place] {
            Node::Split(condition, children) => self.split(columns, *condition, *children).map(Some),
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

    /// To the right where the condition holds.
    fn split(&self, columns: &TestedColumns, condition: Condition, [left, right]: [usize; 2]) -> Result<Split, String> {
        let (feature, border, nan_is_greatest) = match condition {
            Condition::Above(Border { feature, border }) => {
                let of = self.features.get(feature as usize).ok_or_else(|| format!("float feature {feature}"))?;
                (feature, border, of.nan_is_greatest)
            }
            Condition::Counter(ctr, _) if ctr as usize >= self.ctrs.ctrs.len() => return Err(format!("counter {ctr}")),
            Condition::Counter(ctr, border) => (columns.counters + ctr, border, false),
            Condition::Equal(category, value) => {
                let (feature, known) = columns.equal.get(&category).ok_or_else(|| format!("category {category}"))?;
                let at = known.binary_search(&value).map_err(|_| format!("hash {value}"))?;
                let (test, threshold) = (Test::Ne, at as f64);
                return Ok(Split { feature: *feature, test, threshold, missing_left: true, left, right });
            }
        };
        if border.is_nan() {
            return Err("NaN for a border".into());
        }
        let missing_left = !nan_is_greatest || border == f32::INFINITY;
        Ok(Split { feature, test: Test::Le, threshold: f64::from(border), missing_left, left, right })
    }
}
