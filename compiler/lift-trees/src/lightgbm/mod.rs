//! LightGBM's text files.
//!
//! | header | `num_tree_per_iteration`, `max_feature_idx`, `feature_names`, `feature_infos`, `objective`, `average_output` |
//! | a tree | `split_feature`, `threshold`, `decision_type`, `left_child`, `right_child`, `leaf_value`, `cat_boundaries`, … |
//! | the end | `parameters:` (which features are categories), `pandas_categorical:` (their values) |
//!
//! Values are compared as f64. A number of a size up to 1e-35 (as float32) is 0 to the library before any tree sees it.
//! Source: LightGBM `io/tree.cpp`, `boosting/gbdt_model_text.cpp`, `boosting/gbdt_prediction.cpp`, `c_api.cpp`.

mod categories;
mod linear;
mod objective;
mod text;
mod tree;

use flock_ir_spec::{DType, NodeId, Op};

use crate::answer::Answer;
use crate::build::Build;
use crate::derived::Derived;
use crate::forest::Forest;
use crate::inputs::{Feature, Inputs};
use crate::lift::{Embedded, Model};
use crate::{Res, damaged};

use text::File;
use tree::Tree;

/// `kZeroThreshold`.
pub(crate) const ZERO: f64 = 1e-35f32 as f64;

/// Whether the bytes begin as the library's files do.
pub(crate) fn sniff(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(256)];
    let mut lines = head.split(|b| *b == b'\n').map(<[u8]>::trim_ascii);
    lines.next() == Some(b"tree")
        && lines.next().is_some_and(|l| l.starts_with(b"version=") || l.starts_with(b"num_class="))
}

/// A file that was read.
pub(crate) struct LightGbm<'a> {
    file: File<'a>,
    /// Scores per row.
    outputs: usize,
    /// Iterations that are added up.
    iterations: usize,
}

/// Reads a file.
pub(crate) fn read<'a>(bytes: &'a [u8], how: &Embedded) -> Res<LightGbm<'a>> {
    let text = std::str::from_utf8(bytes).map_err(|e| damaged(format!("byte {}", e.valid_up_to()), "not UTF-8"))?;
    let file = File::read(text)?;
    let outputs = match file.header("num_tree_per_iteration") {
        Some(_) => file.size("num_tree_per_iteration")?,
        None => file.size("num_class")?,
    };
    if outputs == 0 || outputs > MAX_OUTPUTS {
        return Err(damaged("num_tree_per_iteration", format!("{outputs} trees in an iteration")));
    }
    let all = file.trees.len() / outputs;
    Ok(LightGbm { file, outputs, iterations: how.iterations.map_or(all, |n| n.min(all)) })
}

/// More classes than anybody predicts.
const MAX_OUTPUTS: usize = 100_000;

impl Model for LightGbm<'_> {
    fn features(&self) -> Res<Vec<Feature>> {
        categories::features(&self.file)
    }

    fn lift(&self, cx: &mut Build, inputs: &Inputs) -> Res<Answer> {
        let x = inputs.numbers()?;
        let sum = cx.in_step("trees", |cx| self.scores(cx, x))?;
        cx.in_step("objective", |cx| {
            let raw = match self.file.header("average_output") {
                Some(_) => cx.with(Op::Div, sum, self.iterations as f64)?,
                None => sum,
            };
            objective::apply(cx, self.file.header("objective"), raw)
        })
    }
}

impl LightGbm<'_> {
    fn scores(&self, cx: &mut Build, x: NodeId) -> Res<NodeId> {
        let features = cx.width(x);
        let fields = || self.file.trees.iter().take(self.iterations * self.outputs);
        let is_linear = fields().any(|f| linear::is_linear(f));
        // Of linear trees the leaf's number is asked, and each tree has its own output for that.
        let outputs = if is_linear { self.iterations * self.outputs } else { self.outputs };
        let mut derived = Derived::new(features);
        let mut forest = Forest::new(vec![0.0; outputs], DType::F64, DType::F64);
        let mut models = Vec::new();
        for (i, fields) in fields().enumerate() {
            let fault = |e| damaged(format!("tree {i}"), e);
            let tree = Tree::read(fields, features).map_err(fault)?;
            let target = (i % outputs) as u32;
            if is_linear {
                models.push(linear::Leaves::read(fields, &tree, features).map_err(fault)?);
                tree.add(&mut forest, &mut derived, target, |leaf| leaf as f64).map_err(fault)?;
            } else {
                tree.add(&mut forest, &mut derived, target, |leaf| tree.values[leaf]).map_err(fault)?;
            }
        }
        let placed = derived.place(cx, x, ZERO, category)?;
        let ensemble = forest.finish(&placed).map_err(|e| damaged("trees", e))?;
        let ensemble = cx.b.constant(ensemble);
        let scores = cx.op(Op::Trees, &[placed.frame, ensemble])?;
        if is_linear { linear::scores(cx, x, scores, &models, self.outputs) } else { Ok(scores) }
    }
}

/// `static_cast<int>`: towards zero. What it makes of a number beyond 32 bits is negative, and in no set either.
fn category(cx: &mut Build, x: NodeId) -> Res<NodeId> {
    let negative = cx.with(Op::Lt, x, 0.0)?;
    let (up, down) = (cx.op(Op::Ceil, &[x])?, cx.op(Op::Floor, &[x])?);
    cx.op(Op::Select, &[negative, up, down])
}
