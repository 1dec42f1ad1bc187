//! `ReduceSum`, `ReduceMean`, `ReduceMax`, `ReduceMin`, `ReduceProd`, `ReduceL1`, `ReduceL2`, `ReduceSumSquare`,
//! `ReduceLogSum`, `ReduceLogSumExp`: along axes that are not the rows'.
//!
//! Sums of int64 are exact; onnxruntime's go through doubles and lose the last bits beyond 2^53.
//! A NaN wins a greatest or a least element only in the first place, as in onnxruntime, whose loops ask `>` and `<`.
//! Of no elements a sum is 0, a product 1, the greatest the least number there is, and so on, as onnx says from version 20.
//! Source: ai.onnx ReduceSum-1 … -13 and the like, from which on the axes are an input (18 for the others).

use flock_ir_spec::{Composite, Data, NodeId, Op};

use super::{Lift, Lifter};
use crate::Res;
use crate::attributes::{Declared, Form};
use crate::elem::Elem;
use crate::literal::Literal;
use crate::node::Node;
use crate::shape::{Dim, Shape};
use crate::value::Value;

const ATTRIBUTES: &[Declared] = &[("axes", Form::Ints), ("keepdims", Form::Int), ("noop_with_empty_axes", Form::Int)];

const fn reduction(op: &'static str, versions: &'static [i64], lift: Lift) -> Lifter {
    Lifter { attributes: ATTRIBUTES, ..Lifter::main(op, versions, 1..=2, lift) }
}

/// How a group of elements is reduced, and what none of them are.
struct Reduction {
    reduce: fn(&mut Node<'_, '_>, NodeId, Elem) -> Res<NodeId>,
    none: fn(Elem) -> Option<f64>,
}

const fn with(
    reduce: fn(&mut Node<'_, '_>, NodeId, Elem) -> Res<NodeId>,
    none: fn(Elem) -> Option<f64>,
) -> Reduction {
    Reduction { reduce, none }
}

fn zero(_: Elem) -> Option<f64> {
    Some(0.0)
}

fn infinite(elem: Elem) -> Option<f64> {
    elem.is_any_float().then_some(f64::INFINITY)
}

pub static LIFTERS: &[Lifter] = &[
    reduction("ReduceSum", &[1, 11, 13], |n| lift(n, &with(sum, zero))),
    reduction("ReduceMean", &[1, 11, 13, 18], |n| lift(n, &with(mean, |_| Some(f64::NAN)))),
    reduction("ReduceMax", &[1, 11, 12, 13, 18, 20], |n| {
        lift(n, &with(|n, x, e| extreme(n, x, e, Op::Max), |e| infinite(e).map(|x| -x)))
    }),
    reduction("ReduceMin", &[1, 11, 12, 13, 18, 20], |n| lift(n, &with(|n, x, e| extreme(n, x, e, Op::Min), infinite))),
    reduction("ReduceProd", &[1, 11, 13, 18], |n| lift(n, &with(|n, x, e| chain(n, x, e, Op::Mul), |_| Some(1.0)))),
    reduction("ReduceL1", &[1, 11, 13, 18], |n| lift(n, &with(sizes, zero))),
    reduction("ReduceL2", &[1, 11, 13, 18], |n| lift(n, &with(norm, zero))),
    reduction("ReduceSumSquare", &[1, 11, 13, 18], |n| lift(n, &with(squares, zero))),
    reduction("ReduceLogSum", &[1, 11, 13, 18, 28], |n| lift(n, &with(log_sum, |e| infinite(e).map(|x| -x)))),
    reduction("ReduceLogSumExp", &[1, 11, 13, 18, 28], |n| lift(n, &with(log_sum_exp, |e| infinite(e).map(|x| -x)))),
];

fn lift(node: &mut Node<'_, '_>, how: &Reduction) -> Res<Vec<Value>> {
    let axes = if node.has(1) { node.ints(1)? } else { node.attributes().ints("axes").to_vec() };
    let keep = node.attributes().int("keepdims").unwrap_or(1) != 0;
    if let Some(empty) = of_no_elements(node, &axes, keep, how)? {
        return Ok(vec![empty]);
    }
    let x = node.tensor(0)?;
    // Greatest and least truth values are those of 0 and 1.
    let (elem, extreme) = (x.elem, matches!(node.proto.op_type.as_str(), "ReduceMax" | "ReduceMin"));
    if elem == Elem::Bool && extreme {
        let op = if node.proto.op_type == "ReduceMax" { Op::Any } else { Op::All };
        let groups = node.groups(&x.shape, &axes)?;
        let value = node.each_group(&x, &groups, |node, group| node.op(op, &[group]))?;
        return node.give(elem, groups.reduced(&x.shape, keep), value);
    }
    if !elem.is_number() {
        return Err(node.wrong_type(0, elem, "numbers"));
    }
    if axes.is_empty() && node.attributes().flag("noop_with_empty_axes") {
        // Each element is reduced by itself.
        let width = node.frame_width(&x.shape)?;
        let parts = (0..width)
            .map(|i| {
                let one = node.column(x.node, i)?;
                (how.reduce)(node, one, elem)
            })
            .collect::<Res<Vec<_>>>()?;
        let value = node.concat(&parts)?;
        return node.give(elem, x.shape, value);
    }
    let groups = node.groups(&x.shape, &axes)?;
    let value = node.each_group(&x, &groups, |node, group| {
        let value = (how.reduce)(node, group, elem)?;
        node.fitted(value, elem)
    })?;
    node.give(elem, groups.reduced(&x.shape, keep), value)
}

/// What a known tensor without elements reduces to.
fn of_no_elements(node: &mut Node<'_, '_>, axes: &[i64], keep: bool, how: &Reduction) -> Res<Option<Value>> {
    let Some(Some(Value::Literal(l))) = node.inputs.first() else { return Ok(None) };
    if l.len() > 0 {
        return Ok(None);
    }
    let (shape, elem) = (l.shape(), l.elem);
    let axes = if axes.is_empty() { (0..shape.rank() as i64).collect() } else { axes.to_vec() };
    let axes = axes.iter().map(|a| node.axis_of(&shape, *a)).collect::<Res<Vec<_>>>()?;
    let dims: Vec<u64> = (shape.row_dims().into_iter().enumerate())
        .filter_map(|(i, d)| if !axes.contains(&i) { Some(d) } else { keep.then_some(1) })
        .collect();
    let shape = Shape(dims.iter().map(|d| Dim::Fixed(*d)).collect());
    let n = if dims.contains(&0) { 0 } else { node.frame_width(&shape)? as usize };
    let data = match ((how.none)(elem), elem) {
        (Some(x), Elem::F64) => Data::F64(vec![x; n]),
        (Some(x), Elem::F32 | Elem::Small(_)) => Data::F32(vec![x as f32; n]),
        (Some(x), Elem::Int(_)) if x.is_finite() => Data::I64(vec![x as i64; n]),
        (None, Elem::Int(int)) if node.proto.op_type == "ReduceMax" => Data::I64(vec![int.low(); n]),
        (None, Elem::Int(int)) => Data::I64(vec![int.high(); n]),
        (_, Elem::Bool) => Data::Bool(vec![node.proto.op_type == "ReduceMin"; n]),
        _ => return Err(node.unsupported(format!("a reduction of no {}", elem.name()))),
    };
    Ok(Literal::new(elem, dims, data).map(Value::from))
}

fn sum(node: &mut Node<'_, '_>, x: NodeId, _: Elem) -> Res<NodeId> {
    let sum = node.op(Op::Sum, &[x])?;
    node.settled(sum)
}

/// Of integers cut towards zero, as C divides.
fn mean(node: &mut Node<'_, '_>, x: NodeId, elem: Elem) -> Res<NodeId> {
    let n = f64::from(node.width(x));
    let total = sum(node, x, elem)?;
    let n = node.number(elem, n)?;
    node.op(Op::Div, &[total, n])
}

fn extreme(node: &mut Node<'_, '_>, x: NodeId, elem: Elem, op: Op) -> Res<NodeId> {
    if elem.is_int() {
        return chain(node, x, elem, op);
    }
    let greatest = op == Op::Max;
    let loser = if greatest { f64::NEG_INFINITY } else { f64::INFINITY };
    let x = node.without_nan(x, elem, f64::NAN, loser)?;
    node.op(if greatest { Op::RowMax } else { Op::RowMin }, &[x])
}

/// Columns combined from left to right.
fn chain(node: &mut Node<'_, '_>, x: NodeId, elem: Elem, op: Op) -> Res<NodeId> {
    let mut value = node.column(x, 0)?;
    for column in 1..node.width(x) {
        let next = node.column(x, column)?;
        value = node.op(op, &[value, next])?;
        if op == Op::Mul {
            value = node.fitted(value, elem)?;
        }
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
    if !elem.is_any_float() {
        return Err(node.unsupported("a norm of integers"));
    }
    let squares = squares(node, x, elem)?;
    node.op(Op::Sqrt, &[squares])
}

fn log_sum(node: &mut Node<'_, '_>, x: NodeId, elem: Elem) -> Res<NodeId> {
    if !elem.is_any_float() {
        return Err(node.unsupported("a logarithm of integers"));
    }
    let sum = sum(node, x, elem)?;
    node.op(Op::Ln, &[sum])
}

/// The greatest, if it is finite, is taken out of the powers and added behind the logarithm.
fn log_sum_exp(node: &mut Node<'_, '_>, x: NodeId, elem: Elem) -> Res<NodeId> {
    if !elem.is_any_float() {
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
