//! `Softmax`, `LogSoftmax`, `Hardmax` (1 for the first of the greatest): along one axis, which is not the rows'; before version 13 along it and all behind it.
//! Source: ai.onnx Softmax-1 … -13, LogSoftmax-1 … -13.

use flock_ir_spec::{Attr, NodeId, Op};

use super::Lifter;
use crate::Res;
use crate::attributes::Form;
use crate::elem::Elem;
use crate::node::Node;
use crate::value::Value;

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        attributes: &[("axis", Form::Int)],
        ..Lifter::main("Softmax", &[1, 11, 13], 1..=1, |n| lift(n, |n, x| n.op(Op::Softmax, &[x])))
    },
    Lifter {
        attributes: &[("axis", Form::Int)],
        ..Lifter::main("LogSoftmax", &[1, 11, 13], 1..=1, |n| lift(n, logarithm))
    },
    Lifter { attributes: &[("axis", Form::Int)], ..Lifter::main("Hardmax", &[1, 11, 13], 1..=1, |n| lift(n, hard)) },
];

fn lift(node: &mut Node<'_, '_>, f: fn(&mut Node<'_, '_>, NodeId) -> Res<NodeId>) -> Res<Vec<Value>> {
    let x = node.any_float_tensor(0)?;
    let alone = node.version() >= 13;
    let axis = node.attributes().int("axis").unwrap_or(if alone { -1 } else { 1 });
    let first = x.shape.axis(axis).ok_or_else(|| node.bad_attribute(format!("axis {axis} of a tensor {}", x.shape)))?;
    let last = if alone { first + 1 } else { x.shape.rank() };
    let axes: Vec<i64> = (first as i64..last as i64).collect();
    let groups = node.groups(&x.shape, &axes)?;
    let value = node.within_groups(&x, &groups, f)?;
    let value = node.fitted(value, x.elem)?;
    node.give(x.elem, x.shape, value)
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
