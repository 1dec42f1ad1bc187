//! `ReduceSum`, `ReduceMean`, `ReduceMax`, `ReduceMin`, `ReduceProd`, `ReduceL1`, `ReduceL2`, `ReduceSumSquare`,
//! `ReduceLogSum`, `ReduceLogSumExp`: along axes that are not the rows'.
//!
//! Sums of int64 are exact; onnxruntime's go through doubles and lose the last bits beyond 2^53.
//! A NaN wins a greatest or a least element only in the first place, as in onnxruntime, whose loops ask `>` and `<`.
//! Source: ai.onnx ReduceSum-1 … -13 and the like, from which on the axes are an input (18 for the others).

use flock_ir_spec::{Composite, NodeId, Op};

use super::{Lift, Lifter};
use crate::Res;
use crate::attributes::{Declared, Form};
use crate::elem::Elem;
use crate::node::Node;
use crate::value::Value;

const ATTRIBUTES: &[Declared] = &[("axes", Form::Ints), ("keepdims", Form::Int), ("noop_with_empty_axes", Form::Int)];

const fn reduction(op: &'static str, versions: &'static [i64], lift: Lift) -> Lifter {
    Lifter { attributes: ATTRIBUTES, ..Lifter::main(op, versions, 1..=2, lift) }
}

/// How a group of elements is reduced.
type Reduce = fn(&mut Node<'_, '_>, NodeId, Elem) -> Res<NodeId>;

pub static LIFTERS: &[Lifter] = &[
    reduction("ReduceSum", &[1, 11, 13], |n| lift(n, true, sum)),
    reduction("ReduceMean", &[1, 11, 13, 18], |n| lift(n, true, mean)),
    reduction("ReduceMax", &[1, 11, 12, 13, 18, 20], |n| lift(n, true, |n, x, e| extreme(n, x, e, Op::Max))),
    reduction("ReduceMin", &[1, 11, 12, 13, 18, 20], |n| lift(n, true, |n, x, e| extreme(n, x, e, Op::Min))),
    reduction("ReduceProd", &[1, 11, 13, 18], |n| lift(n, true, |n, x, _| chain(n, x, Op::Mul))),
    reduction("ReduceL1", &[1, 11, 13, 18], |n| lift(n, false, sizes)),
    reduction("ReduceL2", &[1, 11, 13, 18], |n| lift(n, false, norm)),
    reduction("ReduceSumSquare", &[1, 11, 13, 18], |n| lift(n, false, squares)),
    reduction("ReduceLogSum", &[1, 11, 13, 18, 28], |n| lift(n, false, log_sum)),
    reduction("ReduceLogSumExp", &[1, 11, 13, 18, 28], |n| lift(n, false, log_sum_exp)),
];

/// `alone`: one element reduced by itself is itself.
fn lift(node: &mut Node<'_, '_>, alone: bool, reduce: Reduce) -> Res<Vec<Value>> {
    let x = node.tensor(0)?;
    let elem = x.elem;
    if !elem.is_float() && elem != Elem::I64 {
        return Err(node.wrong_type(0, elem, "float, double or int64"));
    }
    let axes = if node.has(1) { node.ints(1)? } else { node.attributes().ints("axes").to_vec() };
    let noop = node.attributes().int("noop_with_empty_axes").unwrap_or(0) != 0;
    if axes.is_empty() && noop {
        return if alone { Ok(vec![x.into()]) } else { Err(node.unsupported("no axes, and no reduction of them")) };
    }
    let groups = node.groups(&x.shape, &axes)?;
    let value = node.each_group(&x, &groups, |node, group| reduce(node, group, elem))?;
    let keep = node.attributes().int("keepdims").unwrap_or(1) != 0;
    node.give(elem, groups.reduced(&x.shape, keep), value)
}

fn sum(node: &mut Node<'_, '_>, x: NodeId, _: Elem) -> Res<NodeId> {
    let sum = node.op(Op::Sum, &[x])?;
    node.settled(sum)
}

fn mean(node: &mut Node<'_, '_>, x: NodeId, elem: Elem) -> Res<NodeId> {
    if !elem.is_float() {
        return Err(node.unsupported("a mean of integers"));
    }
    let n = node.number(elem, f64::from(node.width(x)))?;
    let sum = sum(node, x, elem)?;
    node.op(Op::Div, &[sum, n])
}

fn extreme(node: &mut Node<'_, '_>, x: NodeId, elem: Elem, op: Op) -> Res<NodeId> {
    if !elem.is_float() {
        return chain(node, x, op);
    }
    let greatest = op == Op::Max;
    let loser = if greatest { f64::NEG_INFINITY } else { f64::INFINITY };
    let x = node.without_nan(x, elem, f64::NAN, loser)?;
    node.op(if greatest { Op::RowMax } else { Op::RowMin }, &[x])
}

/// Columns combined from left to right.
fn chain(node: &mut Node<'_, '_>, x: NodeId, op: Op) -> Res<NodeId> {
    let mut value = node.column(x, 0)?;
    for column in 1..node.width(x) {
        let next = node.column(x, column)?;
        let result = node.op(op, &[value, next])?;
        value = node.settled(result)?;
    }
    Ok(value)
}

fn sizes(node: &mut Node<'_, '_>, x: NodeId, elem: Elem) -> Res<NodeId> {
    let sizes = node.op(Op::Abs, &[x])?;
    let sizes = node.settled(sizes)?;
    sum(node, sizes, elem)
}

fn squares(node: &mut Node<'_, '_>, x: NodeId, elem: Elem) -> Res<NodeId> {
    let squares = node.op(Op::Mul, &[x, x])?;
    let squares = node.settled(squares)?;
    sum(node, squares, elem)
}

fn norm(node: &mut Node<'_, '_>, x: NodeId, elem: Elem) -> Res<NodeId> {
    if !elem.is_float() {
        return Err(node.unsupported("a norm of integers"));
    }
    let squares = squares(node, x, elem)?;
    node.op(Op::Sqrt, &[squares])
}

fn log_sum(node: &mut Node<'_, '_>, x: NodeId, elem: Elem) -> Res<NodeId> {
    if !elem.is_float() {
        return Err(node.unsupported("a logarithm of integers"));
    }
    let sum = sum(node, x, elem)?;
    node.op(Op::Ln, &[sum])
}

/// The greatest, if it is finite, is taken out of the powers and added behind the logarithm.
fn log_sum_exp(node: &mut Node<'_, '_>, x: NodeId, elem: Elem) -> Res<NodeId> {
    if !elem.is_float() {
        return Err(node.unsupported("a logarithm of integers"));
    }
    let zero = node.number(elem, 0.0)?;
    let top = node.op(Op::RowMax, &[x])?;
    let finite = node.op(Op::Composite(Composite::IS_FINITE), &[top])?;
    let top = node.op(Op::Select, &[finite, top, zero])?;
    let below = node.op(Op::Sub, &[x, top])?;
    let powers = node.op(Op::Exp, &[below])?;
    let log = log_sum(node, powers, elem)?;
    node.op(Op::Add, &[log, top])
}
