//! `ArgMax`, `ArgMin`: the index of the greatest or least element along an axis, which is not the rows'; of equals the
//! first, or with `select_last_index` the last. A NaN wins in the first place alone.
//! Source: ai.onnx ArgMax-1 … -13; onnxruntime `reduction/reduction_ops.h`.

use flock_ir_spec::{Frame, NodeId, Op};

use super::{Lift, Lifter};
use crate::Res;
use crate::attributes::{Declared, Form};
use crate::elem::Elem;
use crate::node::Node;
use crate::value::Value;

const ATTRIBUTES: &[Declared] = &[("axis", Form::Int), ("keepdims", Form::Int), ("select_last_index", Form::Int)];

const fn ranking(op: &'static str, lift: Lift) -> Lifter {
    Lifter { attributes: ATTRIBUTES, ..Lifter::main(op, &[1, 11, 12, 13], 1..=1, lift) }
}

pub static LIFTERS: &[Lifter] = &[ranking("ArgMax", |n| lift(n, false)), ranking("ArgMin", |n| lift(n, true))];

fn lift(node: &mut Node<'_, '_>, least: bool) -> Res<Vec<Value>> {
    let x = node.number_tensor(0)?;
    // Integers of up to 53 bits are compared as doubles.
    let x = match x.elem {
        Elem::Int(int) => {
            if int.bits > 53 {
                node.refuse_inexact(x.node)?;
            }
            crate::value::Tensor { elem: Elem::F64, node: node.as_f64(x.node)?, ..x }
        }
        _ => x,
    };
    let axis = node.attributes().int("axis").unwrap_or(0);
    let groups = node.groups(&x.shape, &[axis])?;
    let last = node.attributes().int("select_last_index").unwrap_or(0) != 0;
    let index = node.each_group(&x, &groups, |node, group| {
        let group = if least { node.op(Op::Neg, &[group])? } else { group };
        if last { last_index(node, group, x.elem) } else { node.index_of_greatest(group, x.elem) }
    })?;
    let keep = node.attributes().int("keepdims").unwrap_or(1) != 0;
    node.give(Elem::I64, groups.reduced(&x.shape, keep), index)
}

fn last_index(node: &mut Node<'_, '_>, x: NodeId, elem: Elem) -> Res<NodeId> {
    let first = node.column(x, 0)?;
    let stuck = node.op(Op::IsNan, &[first])?;
    let numbers = node.without_nan(x, elem, f64::NEG_INFINITY, f64::NEG_INFINITY)?;
    let backwards: Vec<i64> = (0..i64::from(node.width(x))).rev().collect();
    let reversed = node.take(numbers, backwards.clone())?;
    let index = node.op(Op::ArgMax, &[reversed])?;
    let index = node.look_up(index, Frame { rows: backwards.len(), width: 1, ..Frame::row_i64(backwards) })?;
    let zero = node.constant(Frame::row_i64([0]))?;
    node.op(Op::Select, &[stuck, zero, index])
}
