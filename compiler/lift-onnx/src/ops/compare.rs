//! `Equal`, `Less`, `LessOrEqual`, `Greater`, `GreaterOrEqual`, `And`, `Or`, `Xor`.
//! Source: ai.onnx Equal-7 … -19, Less-7 … -13, LessOrEqual-12, -16, And-7.

use flock_ir_spec::Op;

use super::Lifter;
use crate::Res;
use crate::elem::Elem;
use crate::node::Node;
use crate::value::Value;

pub static LIFTERS: &[Lifter] = &[
    Lifter::main("Equal", &[7, 11, 13, 19], 2..=2, |n| lift(n, Op::Eq, |_| true)),
    Lifter::main("Less", &[7, 9, 13], 2..=2, |n| lift(n, Op::Lt, number)),
    Lifter::main("LessOrEqual", &[12, 16], 2..=2, |n| lift(n, Op::Le, number)),
    Lifter::main("Greater", &[7, 9, 13], 2..=2, |n| lift(n, Op::Gt, number)),
    Lifter::main("GreaterOrEqual", &[12, 16], 2..=2, |n| lift(n, Op::Ge, number)),
    Lifter::main("And", &[7], 2..=2, |n| lift(n, Op::And, truth)),
    Lifter::main("Or", &[7], 2..=2, |n| lift(n, Op::Or, truth)),
    Lifter::main("Xor", &[7], 2..=2, |n| lift(n, Op::Ne, truth)),
];

fn number(elem: Elem) -> bool {
    elem.is_number()
}

fn truth(elem: Elem) -> bool {
    elem == Elem::Bool
}

fn lift(node: &mut Node<'_, '_>, op: Op, takes: fn(Elem) -> bool) -> Res<Vec<Value>> {
    let (tensors, elem) = node.tensors_of_one_type()?;
    if !takes(elem) {
        return Err(node.wrong_type(0, elem, "another type"));
    }
    let (shape, nodes) = node.broadcast(&tensors)?;
    let result = node.op(op, &nodes)?;
    let width = node.frame_width(&shape)?;
    let result = node.widened(result, width)?;
    node.give(Elem::Bool, shape, result)
}
