//! `gblinear`: the bias plus the base, then the products of the features that are there, in their order, all in float32.

use flock_ir_spec::{DType, Frame, NodeId, Op};

use super::XgBoost;
use crate::build::Build;
use crate::{Res, damaged};

/// The scores. All outputs start from the first base.
pub(crate) fn scores(cx: &mut Build, file: &XgBoost<'_>, x: NodeId, base: &[f32]) -> Res<NodeId> {
    let place = "learner.gradient_booster.model.weights";
    let weights = file.at(&["gradient_booster", "model", "weights"])?.numbers();
    let weights = weights.ok_or_else(|| damaged(place, "is no list of numbers"))?;
    let (features, outputs) = (cx.width(x), base.len());
    if weights.len() != (features + 1) * outputs {
        return Err(damaged(place, format!("{} weights for {features} features and a bias", weights.len())));
    }
    let weight = |feature: usize, output: usize| weights.get(feature * outputs + output).unwrap_or(0.0) as f32;
    let x = cx.cast(x, DType::F32)?;
    let missing = cx.op(Op::IsNan, &[x])?;
    let zero = cx.b.constant(Frame::row_f32([0.0]));
    let mut scores = Vec::with_capacity(outputs);
    for k in 0..outputs {
        let row = cx.b.constant(Frame::row_f32((0..features).map(|f| weight(f, k)).collect::<Vec<_>>()));
        let products = cx.op(Op::Mul, &[x, row])?;
        let terms = cx.op(Op::Select, &[missing, zero, products])?;
        let start = cx.b.constant(Frame::row_f32([weight(features, k) + base[0]]));
        let all = cx.side_by_side(&[start, terms])?;
        scores.push(cx.op(Op::Sum, &[all])?);
    }
    cx.side_by_side(&scores)
}
