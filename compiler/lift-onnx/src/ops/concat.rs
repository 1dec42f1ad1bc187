//! `Concat`: tensors side by side along an axis, which is not the rows'.
//! Source: ai.onnx Concat-4 … -13.

use flock_ir_spec::NodeId;

use super::Lifter;
use crate::Res;
use crate::attributes::Form;
use crate::node::Node;
use crate::shape::Dim;
use crate::value::{Tensor, Value};

pub static LIFTERS: &[Lifter] = &[Lifter {
    attributes: &[("axis", Form::Int)],
    ..Lifter::main("Concat", &[4, 11, 13], 1..=usize::MAX, lift)
}];

fn lift(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let all = (0..node.inputs.len()).map(|i| node.tensor_or_empty(i)).collect::<Res<Vec<_>>>()?;
    let elem = all[0].elem;
    if let Some(i) = all.iter().position(|t| t.elem != elem) {
        return Err(node.wrong_type(i, all[i].elem, elem.name()));
    }
    let first = all[0].shape.clone();
    let axis = node.attributes().int("axis").ok_or_else(|| node.bad_attribute("no axis"))?;
    let axis = first.axis(axis).ok_or_else(|| node.bad_attribute(format!("axis {axis} of a tensor {first}")))?;
    if all.iter().any(|t| t.shape.0.get(axis) == Some(&Dim::Rows)) {
        return Err(node.mixes_rows("it puts rows below rows"));
    }
    let mut total = 0u64;
    for (i, t) in all.iter().enumerate() {
        let others_agree = t.shape.rank() == first.rank()
            && t.shape.0.iter().zip(&first.0).enumerate().all(|(a, (x, y))| a == axis || x == y);
        match t.shape.0.get(axis) {
            Some(Dim::Fixed(n)) if others_agree => total = total.saturating_add(*n),
            _ => return Err(node.bad_shape(format!("input {i} is {}, the first {first}", t.shape))),
        }
    }
    let mut shape = first;
    shape.0[axis] = Dim::Fixed(total);
    if let Some(empty) = crate::literal::Literal::empty(elem, &shape) {
        return Ok(vec![empty.into()]);
    }
    node.frame_width(&shape)?;
    let parts: Vec<&Tensor> = all.iter().filter(|t| t.shape.width() != Some(0)).collect();
    let nodes: Vec<NodeId> = parts.iter().map(|t| t.node).collect();
    let joined = node.concat(&nodes)?;
    let value = interleaved(node, joined, &parts, axis)?;
    node.give(elem, shape, value)
}

/// Side by side as frames, the parts lie one behind the other; with axes before the concatenated one they alternate.
fn interleaved(node: &mut Node<'_, '_>, joined: NodeId, parts: &[&Tensor], axis: usize) -> Res<NodeId> {
    let before = |t: &Tensor| {
        let dims = t.shape.0[..axis].iter().map(|d| if let Dim::Fixed(n) = d { *n } else { 1 });
        dims.product::<u64>()
    };
    let outer = parts.first().map_or(1, |t| before(t));
    if outer <= 1 || parts.len() == 1 {
        return Ok(joined);
    }
    let widths: Vec<i64> = parts.iter().map(|t| i64::from(node.width(t.node))).collect();
    node.spend(widths.iter().sum::<i64>() as u64)?;
    let mut order = Vec::new();
    for o in 0..outer as i64 {
        let mut start = 0;
        for width in &widths {
            let inner = width / outer as i64;
            order.extend(start + o * inner..start + (o + 1) * inner);
            start += width;
        }
    }
    node.take(joined, order)
}
