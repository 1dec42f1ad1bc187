//! `TopK`: the greatest or the least elements along an axis, which is not the rows', and their indices; of equals the
//! first. They come in order also where `sorted` asks for none. NaN comes last.
//! Source: ai.onnx TopK-1 … -24 (the number as an attribute before version 10).

use flock_ir_spec::{Attr, NodeId, Op};

use super::Lifter;
use crate::Res;
use crate::attributes::Form;
use crate::elem::Elem;
use crate::groups::Groups;
use crate::node::Node;
use crate::shape::Dim;
use crate::value::Value;

pub static LIFTERS: &[Lifter] = &[Lifter {
    attributes: &[("axis", Form::Int), ("largest", Form::Int), ("k", Form::Int)],
    ignores: &["sorted"],
    outputs: 2..=2,
    ..Lifter::main("TopK", &[1, 10, 11, 24], 1..=2, lift)
}];

fn lift(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = node.number_tensor(0)?;
    let axis = node.axis_attribute(&x.shape, -1)?;
    let n = node.extent(&x.shape, axis)?;
    let k = if node.has(1) { node.ints(1)?.first().copied() } else { node.attributes().int("k") };
    let k = k.and_then(|k| u64::try_from(k).ok()).filter(|k| (1..=n).contains(k));
    let k = k.ok_or_else(|| node.bad_attribute(format!("the top of {n} elements")))?;
    let largest = node.attributes().int("largest").unwrap_or(1) != 0;
    let groups = node.groups(&x.shape, &[axis as i64])?;
    let (mut values, mut indices) = (Vec::new(), Vec::new());
    for group in &groups.groups {
        let elements = node.take(x.node, group.clone())?;
        let keys = if largest { descending(node, elements, x.elem)? } else { elements };
        let order = node.op_with(Op::Order, Attr::Range { start: 0, len: k as u32 }, &[keys])?;
        let chosen = node.op(Op::Gather, &[elements, order])?;
        values.push(node.settled(chosen)?);
        indices.push(order);
    }
    let mut shape = x.shape.clone();
    shape.0[axis] = Dim::Fixed(k);
    let values = placed(node, &values, &groups, k)?;
    let indices = placed(node, &indices, &groups, k)?;
    Ok(vec![node.gives(x.elem, shape.clone(), values)?.into(), node.gives(Elem::I64, shape, indices)?.into()])
}

/// Keys in the opposite order: -1 - x of integers, which does not overflow.
fn descending(node: &mut Node<'_, '_>, x: NodeId, elem: Elem) -> Res<NodeId> {
    if !elem.is_int() {
        return node.op(Op::Neg, &[x]);
    }
    let minus = node.int(-1)?;
    let keys = node.op(Op::Sub, &[minus, x])?;
    node.settled(keys)
}

/// The first elements of each group in the places of a tensor whose axis is that short.
fn placed(node: &mut Node<'_, '_>, parts: &[NodeId], groups: &Groups, k: u64) -> Res<NodeId> {
    let joined = node.concat(parts)?;
    let mut order: Vec<(i64, i64)> = Vec::new();
    for (g, group) in groups.groups.iter().enumerate() {
        order.extend(group.iter().take(k as usize).enumerate().map(|(i, place)| (*place, (g * k as usize + i) as i64)));
    }
    order.sort_unstable();
    node.take(joined, order.into_iter().map(|(_, from)| from).collect())
}
