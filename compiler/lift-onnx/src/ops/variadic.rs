//! `Sum`, `Mean`, `Min`, `Max` of any number of tensors. NaN wins.
//! Source: ai.onnx Sum-8, -13, Mean-8, -13, Min-8 … -13, Max-8 … -13.

use flock_ir_spec::Op;

use super::Lifter;
use crate::Res;
use crate::node::Node;
use crate::value::Value;

pub static LIFTERS: &[Lifter] = &[
    Lifter::main("Sum", &[8, 13], 1..=usize::MAX, |n| lift(n, Op::Add)),
    Lifter::main("Mean", &[8, 13], 1..=usize::MAX, mean),
    Lifter::main("Min", &[8, 12, 13], 1..=usize::MAX, |n| lift(n, Op::Min)),
    Lifter::main("Max", &[8, 12, 13], 1..=usize::MAX, |n| lift(n, Op::Max)),
];

fn lift(node: &mut Node<'_, '_>, op: Op) -> Res<Vec<Value>> {
    let (tensors, elem) = node.tensors_of_one_type()?;
    let (shape, value) = node.arithmetic(op, &tensors, elem)?;
    node.give(elem, shape, value)
}

fn mean(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let (tensors, elem) = node.tensors_of_one_type()?;
    if !elem.is_any_float() {
        return Err(node.wrong_type(0, elem, "a float"));
    }
    let (shape, total) = node.arithmetic(Op::Add, &tensors, elem)?;
    let n = node.number(elem, tensors.len() as f64)?;
    let mean = node.op(Op::Div, &[total, n])?;
    let mean = node.fitted(mean, elem)?;
    node.give(elem, shape, mean)
}
