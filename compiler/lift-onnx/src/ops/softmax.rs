//! `Softmax`, `LogSoftmax`, `Hardmax` (1 for the first of the greatest): along one axis, which is not the rows'; before version 13 along it and all behind it.
//! Source: ai.onnx Softmax-1 … -13, LogSoftmax-1 … -13.

use flock_ir_spec::{Attr, NodeId, Op};

use super::Lifter;
use crate::Res;
use crate::attributes::Form;
use crate::elem::Elem;
use crate::groups::Groups;
use crate::node::Node;
use crate::value::{Tensor, Value};

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        attributes: &[("axis", Form::Int)],
        ..Lifter::main("Softmax", &[1, 11, 13], 1..=1, |n| lift(n, 2, |n, x| n.op(Op::Softmax, &[x])))
    },
    Lifter {
        attributes: &[("axis", Form::Int)],
        ..Lifter::main("LogSoftmax", &[1, 11, 13], 1..=1, |n| lift(n, 6, logarithm))
    },
    Lifter { attributes: &[("axis", Form::Int)], ..Lifter::main("Hardmax", &[1, 11, 13], 1..=1, |n| lift(n, 0, hard)) },
];

/// By groups, `f` on each, which takes `nodes` operators; or, of a softmax or its logarithm, by the elements of all groups
/// together, first with first, if that takes fewer.
fn lift(node: &mut Node<'_, '_>, nodes: usize, f: fn(&mut Node<'_, '_>, NodeId) -> Res<NodeId>) -> Res<Vec<Value>> {
    let x = node.any_float_tensor(0)?;
    let alone = node.version() >= 13;
    let axis = node.attributes().int("axis").unwrap_or(if alone { -1 } else { 1 });
    let first = x.shape.axis(axis).ok_or_else(|| node.bad_attribute(format!("axis {axis} of a tensor {}", x.shape)))?;
    let last = if alone { first + 1 } else { x.shape.rank() };
    let axes: Vec<i64> = (first as i64..last as i64).collect();
    let groups = node.groups(&x.shape, &axes)?;
    let size = groups.groups.first().map_or(0, Vec::len);
    let value = if nodes * groups.groups.len() > 6 * size {
        by_place(node, &x, &groups, nodes == 6)?
    } else {
        node.within_groups(&x, &groups, f)?
    };
    let value = node.fitted(value, x.elem)?;
    node.give(x.elem, x.shape, value)
}

/// The softmax, or its logarithm, of all groups at once: of each place in a group one frame.
fn by_place(node: &mut Node<'_, '_>, x: &Tensor, groups: &Groups, logarithm: bool) -> Res<NodeId> {
    let size = groups.groups.first().map_or(0, Vec::len);
    let places: Vec<Vec<i64>> = (0..size).map(|i| groups.groups.iter().map(|g| g[i]).collect()).collect();
    let elements = places.iter().map(|p| node.take(x.node, p.clone())).collect::<Res<Vec<_>>>()?;
    let folded = |node: &mut Node<'_, '_>, op: Op, all: &[NodeId]| {
        let first = all.first().copied().ok_or_else(|| node.bad_shape("a softmax of nothing"))?;
        all[1..].iter().try_fold(first, |a, b| node.op(op, &[a, *b]))
    };
    let top = folded(node, Op::Max, &elements)?;
    let below = elements.iter().map(|e| node.op(Op::Sub, &[*e, top])).collect::<Res<Vec<_>>>()?;
    let powers = below.iter().map(|e| node.op(Op::Exp, &[*e])).collect::<Res<Vec<_>>>()?;
    let total = folded(node, Op::Add, &powers)?;
    let results = if logarithm {
        let total = node.op(Op::Ln, &[total])?;
        below.iter().map(|e| node.op(Op::Sub, &[*e, total])).collect::<Res<Vec<_>>>()?
    } else {
        powers.iter().map(|e| node.op(Op::Div, &[*e, total])).collect::<Res<Vec<_>>>()?
    };
    let together = node.concat(&results)?;
    let mut order = vec![0; places.iter().map(Vec::len).sum()];
    places.iter().flatten().enumerate().for_each(|(from, to)| order[*to as usize] = from as i64);
    node.take(together, order)
}

fn hard(node: &mut Node<'_, '_>, x: NodeId) -> Res<NodeId> {
    let Some(ty) = node.lift.b.frame_type(x) else { return Ok(x) };
    let elem = if ty.dtype == flock_ir_spec::DType::F64 { Elem::F64 } else { Elem::F32 };
    let index = node.index_of_greatest(x, elem)?;
    node.op_with(Op::OneHot, Attr::Type(ty.with_nulls(false)), &[index])
}

/// x less the greatest, less the logarithm of the sum of the powers of these.
fn logarithm(node: &mut Node<'_, '_>, x: NodeId) -> Res<NodeId> {
    let top = node.op(Op::RowMax, &[x])?;
    let below = node.op(Op::Sub, &[x, top])?;
    let powers = node.op(Op::Exp, &[below])?;
    let total = node.op(Op::Sum, &[powers])?;
    let log = node.op(Op::Ln, &[total])?;
    node.op(Op::Sub, &[below, log])
}
