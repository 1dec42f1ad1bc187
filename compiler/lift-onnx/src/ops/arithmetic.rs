//! `Add`, `Sub`, `Mul`, `Div`, `Pow`, `Mod`: numpy's arithmetic.
//!
//! Integers of less than 64 bits wrap around, as C's do; a row in which an int64 overflows is refused (onnxruntime wraps
//! around), and so is one that divides an integer by 0. Floats of less than 32 bits are computed in float32 and rounded.
//! Powers 2 and 3 are products, as onnxruntime computes them.
//! Source: ai.onnx Add-7 … -14, Pow-7 … -15, Mod-10 … -28; onnxruntime `math/element_wise_ops.cc`.

use flock_ir_spec::{DType, NodeId, Op};

use super::{Lift, Lifter};
use crate::Res;
use crate::attributes::Form;
use crate::elem::Elem;
use crate::node::Node;
use crate::shape::Shape;
use crate::value::{Tensor, Value};

const fn binary(op: &'static str, lift: Lift) -> Lifter {
    Lifter::main(op, &[7, 13, 14], 2..=2, lift)
}

pub static LIFTERS: &[Lifter] = &[
    binary("Add", |n| lift(n, Op::Add)),
    binary("Sub", |n| lift(n, Op::Sub)),
    binary("Mul", |n| lift(n, Op::Mul)),
    binary("Div", divide),
    Lifter::main("Pow", &[7, 12, 13, 15], 2..=2, power),
    Lifter { attributes: &[("fmod", Form::Int)], ..Lifter::main("Mod", &[10, 13, 28], 2..=2, modulo) },
];

fn lift(node: &mut Node<'_, '_>, op: Op) -> Res<Vec<Value>> {
    let (tensors, elem) = node.tensors_of_one_type()?;
    let (shape, value) = node.arithmetic(op, &tensors, elem)?;
    node.give(elem, shape, value)
}

fn divide(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let (tensors, elem) = node.tensors_of_one_type()?;
    let (shape, value) = node.arithmetic(Op::Div, &tensors, elem)?;
    node.give(elem, shape, value)
}

/// The remainder: of the sign of the divisor, or with `fmod` of the dividend.
fn modulo(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let (tensors, elem) = node.tensors_of_one_type()?;
    if !elem.is_number() {
        return Err(node.wrong_type(0, elem, "numbers"));
    }
    let (shape, nodes) = node.broadcast(&tensors)?;
    let rest = node.op(Op::Rem, &nodes)?;
    let rest = node.settled(rest)?;
    let rest = if node.attributes().flag("fmod") { rest } else { with_sign_of_divisor(node, rest, nodes[1], elem)? };
    let rest = node.fitted(rest, elem)?;
    let width = node.frame_width(&shape)?;
    let rest = node.widened(rest, width)?;
    node.give(elem, shape, rest)
}

/// A remainder of the dividend's sign, moved by the divisor where that has the other sign; 0 gets the divisor's sign.
fn with_sign_of_divisor(node: &mut Node<'_, '_>, rest: NodeId, divisor: NodeId, elem: Elem) -> Res<NodeId> {
    let zero = node.number(elem, 0.0)?;
    let negative = node.op(Op::Lt, &[rest, zero])?;
    let down = node.op(Op::Lt, &[divisor, zero])?;
    let differ = node.op(Op::Ne, &[negative, down])?;
    let some = node.op(Op::Ne, &[rest, zero])?;
    let moves = node.op(Op::And, &[differ, some])?;
    let moved = node.op(Op::Add, &[rest, divisor])?;
    let moved = node.settled(moved)?;
    let moved = node.op(Op::Select, &[moves, moved, rest])?;
    if elem.is_int() {
        return Ok(moved);
    }
    let minus_zero = node.number(elem, -0.0)?;
    let signed = node.op(Op::Select, &[down, minus_zero, zero])?;
    let none = node.op(Op::Eq, &[rest, zero])?;
    node.op(Op::Select, &[none, signed, moved])
}

fn power(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let base = node.number_tensor(0)?;
    let known = node.literal(1).ok().filter(|l| l.len() == 1 && l.dims.len() <= base.shape.rank());
    let exponent = known.and_then(|l| l.float().or_else(|| l.ints().map(|i| i[0] as f64)));
    if let Some(times) = exponent.filter(|e| [2.0, 3.0].contains(e)) {
        let square = node.op(Op::Mul, &[base.node, base.node])?;
        let square = node.fitted(square, base.elem)?;
        if times == 2.0 {
            return node.give(base.elem, base.shape, square);
        }
        let cube = node.op(Op::Mul, &[square, base.node])?;
        let cube = node.fitted(cube, base.elem)?;
        return node.give(base.elem, base.shape, cube);
    }
    let exponent = node.number_tensor(1)?;
    let elem = base.elem;
    // A power of an integer is one of a double, cut to an integer.
    let wide = if elem.is_int() { DType::F64 } else { elem.dtype() };
    let operands = [base, exponent]
        .into_iter()
        .map(|t| Ok(Tensor { elem: if wide == DType::F64 { Elem::F64 } else { Elem::F32 }, node: node.cast(t.node, wide)?, ..t }))
        .collect::<Res<Vec<_>>>()?;
    let (shape, value) = node.arithmetic(Op::Pow, &operands, operands[0].elem)?;
    let value = node.cast(value, elem.dtype())?;
    let value = node.fitted(value, elem)?;
    node.give(elem, shape, value)
}

impl Node<'_, '_> {
    /// An operator of two or more operands from left to right.
    pub fn arithmetic(&mut self, op: Op, tensors: &[Tensor], elem: Elem) -> Res<(Shape, NodeId)> {
        if !elem.is_number() {
            return Err(self.wrong_type(0, elem, "numbers"));
        }
        let (shape, nodes) = self.broadcast(tensors)?;
        let mut nodes = nodes.into_iter();
        let mut value = nodes.next().ok_or_else(|| self.fault("flock::lift::arity", "no operands"))?;
        for next in nodes {
            value = self.op(op, &[value, next])?;
            if !matches!(op, Op::Min | Op::Max) {
                value = self.fitted(value, elem)?;
            }
        }
        let width = self.frame_width(&shape)?;
        Ok((shape, self.widened(value, width)?))
    }
}
