//! `Add`, `Sub`, `Mul`, `Div`, `Pow`: numpy's arithmetic on floats and int64.
//!
//! A row in which an int64 overflows is refused (onnxruntime wraps around). Integer division and int32 that depends on
//! data are not expressible. Powers 2 and 3 are products, as onnxruntime computes them.
//! Source: ai.onnx Add-7 … -14, Pow-7 … -15; onnxruntime `math/element_wise_ops.cc`.

use flock_ir_spec::{NodeId, Op};

use super::{Lift, Lifter};
use crate::Res;
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
];

fn lift(node: &mut Node<'_, '_>, op: Op) -> Res<Vec<Value>> {
    let (tensors, elem) = node.tensors_of_one_type()?;
    let (shape, value) = node.arithmetic(op, &tensors, elem)?;
    node.give(elem, shape, value)
}

fn divide(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let (tensors, elem) = node.tensors_of_one_type()?;
    if !elem.is_float() {
        return Err(node.unsupported(format!("division of {}", elem.name())));
    }
    let (shape, value) = node.arithmetic(Op::Div, &tensors, elem)?;
    node.give(elem, shape, value)
}

fn power(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let base = node.float_tensor(0)?;
    let known = node.literal(1).ok().filter(|l| l.len() == 1 && l.dims.len() <= base.shape.rank());
    let exponent = known.and_then(|l| l.float().or_else(|| l.ints().map(|i| i[0] as f64)));
    if let Some(times) = exponent.filter(|e| [2.0, 3.0].contains(e)) {
        let square = node.op(Op::Mul, &[base.node, base.node])?;
        let value = if times == 2.0 { square } else { node.op(Op::Mul, &[square, base.node])? };
        return node.give(base.elem, base.shape, value);
    }
    let exponent = node.tensor(1)?;
    if !exponent.elem.is_float() && !exponent.elem.is_int() {
        return Err(node.wrong_type(1, exponent.elem, "numbers"));
    }
    let cast = node.cast(exponent.node, base.elem.dtype())?;
    let exponent = Tensor { elem: base.elem, node: cast, ..exponent };
    let elem = base.elem;
    let (shape, value) = node.arithmetic(Op::Pow, &[base, exponent], elem)?;
    node.give(elem, shape, value)
}

impl Node<'_, '_> {
    /// An operator of two or more operands from left to right.
    pub fn arithmetic(&mut self, op: Op, tensors: &[Tensor], elem: Elem) -> Res<(Shape, NodeId)> {
        let (shape, nodes) = self.broadcast(tensors)?;
        if elem == Elem::I32 && shape.rows_axis().is_some() && !matches!(op, Op::Min | Op::Max) {
            return Err(self.unsupported("arithmetic of int32, which wraps around"));
        }
        let mut nodes = nodes.into_iter();
        let mut value = nodes.next().ok_or_else(|| self.fault("flock::lift::arity", "no operands"))?;
        for next in nodes {
            let result = self.op(op, &[value, next])?;
            value = self.settled(result)?;
        }
        let width = self.frame_width(&shape)?;
        Ok((shape, self.widened(value, width)?))
    }
}
