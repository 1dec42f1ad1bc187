//! Trees whose leaves are linear models: `leaf_const` plus coefficients times features, in the order of the features; where
//! a feature of the leaf is NaN, `leaf_value`.

use flock_ir_spec::{DType, Frame, NodeId, Op};

use super::ZERO;
use super::text::{Fields, numbers};
use super::tree::Tree;
use crate::build::Build;
use crate::{Res, damaged};

/// The models of the leaves of a tree.
pub(crate) struct Leaves {
    constants: Vec<f64>,
    values: Vec<f64>,
    /// Features of all leaves, ascending.
    features: Vec<u32>,
    /// Per leaf its features and their coefficients.
    terms: Vec<Vec<(u32, f64)>>,
}

/// Elements of a tree's tables.
const MAX_TABLE: usize = 1 << 24;

/// Whether the leaves of a tree are linear models.
pub(crate) fn is_linear(fields: &Fields<'_>) -> bool {
    fields.get("is_linear").is_some_and(|f| f != "0")
}

impl Leaves {
    /// The leaves of a tree; those that are constants have no features.
    pub fn read(fields: &Fields<'_>, tree: &Tree, features: usize) -> Result<Leaves, String> {
        let values = tree.values.clone();
        if !is_linear(fields) {
            let terms = vec![Vec::new(); tree.leaves];
            return Ok(Leaves { constants: values.clone(), values, features: Vec::new(), terms });
        }
        let constants = numbers(fields, "leaf_const", tree.leaves)?;
        let counts: Vec<usize> = numbers(fields, "num_features", tree.leaves)?;
        let total = counts.iter().try_fold(0usize, |a, n| a.checked_add(*n)).ok_or("too many features")?;
        let of: Vec<u32> = numbers(fields, "leaf_features", total)?;
        let coefficients: Vec<f64> = numbers(fields, "leaf_coeff", total)?;
        let mut pairs = of.iter().copied().zip(coefficients);
        let terms: Vec<Vec<(u32, f64)>> = counts.iter().map(|n| pairs.by_ref().take(*n).collect()).collect();
        if terms.iter().any(|t| !t.is_sorted_by(|a, b| a.0 < b.0)) || of.iter().any(|f| *f as usize >= features) {
            return Err("`leaf_features` that do not ascend, or are no features".into());
        }
        let mut features = of;
        features.sort_unstable();
        features.dedup();
        if features.len().saturating_mul(tree.leaves) > MAX_TABLE {
            return Err(format!("{} leaves of {} features", tree.leaves, features.len()));
        }
        Ok(Leaves { constants, values, features, terms })
    }

    /// The value of the leaf of that number (i64), given the features with tiny values made 0.
    fn value(&self, cx: &mut Build, x: NodeId, leaf: NodeId) -> Res<NodeId> {
        let constant = lookup(cx, leaf, 1, &self.constants)?;
        if self.features.is_empty() {
            return Ok(constant);
        }
        let width = self.features.len();
        let mut coefficients = vec![0.0; width * self.terms.len()];
        let mut used = coefficients.clone();
        for (l, terms) in self.terms.iter().enumerate() {
            for (feature, coefficient) in terms {
                let at = l * width + self.features.partition_point(|f| f < feature);
                coefficients[at] = *coefficient;
                used[at] = 1.0;
            }
        }
        let x = cx.take(x, &self.features)?;
        let coefficients = lookup(cx, leaf, width, &coefficients)?;
        let used = lookup(cx, leaf, width, &used)?;
        let used = cx.with(Op::Gt, used, 0.5)?;
        let products = cx.op(Op::Mul, &[coefficients, x])?;
        let zero = cx.number(0.0);
        let terms = cx.op(Op::Select, &[used, products, zero])?;
        let all = cx.side_by_side(&[constant, terms])?;
        let sum = cx.op(Op::Sum, &[all])?;
        let nan = cx.op(Op::IsNan, &[x])?;
        let hit = cx.op(Op::And, &[nan, used])?;
        let hit = if width == 1 { hit } else { cx.op(Op::Any, &[hit])? };
        let value = lookup(cx, leaf, 1, &self.values)?;
        cx.op(Op::Select, &[hit, value, sum])
    }
}

fn lookup(cx: &mut Build, index: NodeId, width: usize, row_major: &[f64]) -> Res<NodeId> {
    let table = Frame::table_f64(row_major.len() / width, width, row_major);
    let table = cx.b.constant(table.ok_or_else(|| damaged("trees", "leaves that make no table"))?);
    cx.op(Op::Lookup, &[index, table])
}

/// The scores, given the number of the leaf that each tree reaches: each tree's value, added up in their order.
pub(crate) fn scores(cx: &mut Build, x: NodeId, leaves: NodeId, models: &[Leaves], outputs: usize) -> Res<NodeId> {
    let size = cx.op(Op::Abs, &[x])?;
    let tiny = cx.with(Op::Le, size, ZERO)?;
    let zero = cx.number(0.0);
    let x = cx.op(Op::Select, &[tiny, zero, x])?;
    let leaves = cx.cast(leaves, DType::I64)?;
    let leaves = cx.or_else(leaves, Frame::row_i64([-1]))?;
    let mut per_output: Vec<Vec<NodeId>> = vec![Vec::new(); outputs];
    for (t, model) in models.iter().enumerate() {
        let leaf = cx.column(leaves, t)?;
        per_output[t % outputs].push(model.value(cx, x, leaf)?);
    }
    let mut sums = Vec::with_capacity(outputs);
    for values in per_output {
        let all = cx.side_by_side(&values)?;
        sums.push(if values.len() == 1 { all } else { cx.op(Op::Sum, &[all])? });
    }
    cx.side_by_side(&sums)
}
