//! `BitShift`, `BitwiseAnd`, `BitwiseOr`, `BitwiseXor`, `BitwiseNot`: integers bit by bit, within their type. A shift by all
//! bits or by less than none leaves 0, or the sign to the right.
//! Source: ai.onnx BitShift-11 … -28, BitwiseAnd-18, BitwiseNot-18.

use flock_ir_spec::{Attr, Op, Word};

use super::Lifter;
use crate::Res;
use crate::attributes::Form;
use crate::elem::Elem;
use crate::node::Node;
use crate::value::Value;

pub static LIFTERS: &[Lifter] = &[
    Lifter { attributes: &[("direction", Form::Text)], ..Lifter::main("BitShift", &[11, 28], 2..=2, shift) },
    Lifter::main("BitwiseAnd", &[18], 2..=2, |n| lift(n, Word::And)),
    Lifter::main("BitwiseOr", &[18], 2..=2, |n| lift(n, Word::Or)),
    Lifter::main("BitwiseXor", &[18], 2..=2, |n| lift(n, Word::Xor)),
    Lifter::main("BitwiseNot", &[18], 1..=1, not),
];

fn lift(node: &mut Node<'_, '_>, word: Word) -> Res<Vec<Value>> {
    let (tensors, elem) = node.tensors_of_one_type()?;
    if !elem.is_int() {
        return Err(node.wrong_type(0, elem, "an integer"));
    }
    let (shape, nodes) = node.broadcast(&tensors)?;
    let value = node.op_with(Op::Bitwise, Attr::Word(word), &nodes)?;
    let value = node.fitted(value, elem)?;
    let width = node.frame_width(&shape)?;
    let value = node.widened(value, width)?;
    node.give(elem, shape, value)
}

fn shift(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    match node.attributes().text("direction") {
        Some("LEFT") => lift(node, Word::Left),
        Some("RIGHT") => lift(node, Word::Right),
        _ => Err(node.bad_attribute("a direction LEFT or RIGHT is expected")),
    }
}

fn not(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = node.number_tensor(0)?;
    let Elem::Int(int) = x.elem else { return Err(node.wrong_type(0, x.elem, "an integer")) };
    // All bits of the type, which a signed one writes as -1.
    let ones = node.int(if int.signed { -1 } else { int.high() })?;
    if int.bits == 64 && !int.signed {
        return Err(node.unsupported("the opposite bits of uint64, which are beyond 2^63"));
    }
    let value = node.op_with(Op::Bitwise, Attr::Word(Word::Xor), &[x.node, ones])?;
    node.give(x.elem, x.shape, value)
}
