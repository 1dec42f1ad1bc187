//! `MatMul`, `Gemm`.
//! Source: ai.onnx MatMul-1 … -13, Gemm-7 … -13. The order of a sum is the BLAS's own: equal up to rounding.

use flock_ir_spec::{NodeId, Op};

use super::Lifter;
use super::product::Factors;
use crate::Res;
use crate::attributes::Form;
use crate::elem::Elem;
use crate::node::Node;
use crate::shape::Shape;
use crate::value::{Tensor, Value};

pub static LIFTERS: &[Lifter] = &[
    Lifter::main("MatMul", &[1, 9, 13], 2..=2, matmul),
    Lifter {
        attributes: &[("alpha", Form::Float), ("beta", Form::Float), ("transA", Form::Int), ("transB", Form::Int)],
        ..Lifter::main("Gemm", &[7, 9, 11, 13], 2..=3, gemm)
    },
];

fn factors(node: &mut Node<'_, '_>) -> Res<(Factors, Elem)> {
    let (a, b) = (node.number_tensor(0)?, node.number_tensor(1)?);
    if a.elem != b.elem {
        return Err(node.wrong_type(1, b.elem, a.elem.name()));
    }
    let elem = a.elem;
    Ok((Factors { a, b }, elem))
}

fn matmul(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let (factors, elem) = factors(node)?;
    let (shape, value) = node.product(&factors)?;
    let value = node.fitted(value, elem)?;
    node.give(elem, shape, value)
}

fn gemm(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let (mut factors, elem) = factors(node)?;
    if node.attributes().flag("transA") && factors.a.shape.rows_axis().is_some() {
        return Err(node.mixes_rows("it transposes the rows"));
    }
    if factors.a.shape.rank() != 2 || factors.b.shape.rank() != 2 {
        return Err(node.bad_shape(format!("{} times {}", factors.a.shape, factors.b.shape)));
    }
    let a = node.attributes();
    if a.flag("transA") {
        factors.a = node.turned(&factors.a)?;
    }
    if a.flag("transB") {
        factors.b = node.turned(&factors.b)?;
    }
    let (shape, value) = node.product(&factors)?;
    let value = scaled(node, value, "alpha", elem)?;
    let value = if node.has(2) { plus(node, value, &shape, elem)? } else { value };
    let value = node.fitted(value, elem)?;
    node.give(elem, shape, value)
}

/// Times an attribute that is 1 where it is left out.
fn scaled(node: &mut Node<'_, '_>, value: NodeId, name: &str, elem: Elem) -> Res<NodeId> {
    match node.attributes().float(name).unwrap_or(1.0) {
        1.0 => Ok(value),
        factor => {
            let factor = node.number(elem, f64::from(factor))?;
            node.op(Op::Mul, &[value, factor])
        }
    }
}

/// What is added, times beta, broadcast to the product.
fn plus(node: &mut Node<'_, '_>, product: NodeId, shape: &Shape, elem: Elem) -> Res<NodeId> {
    let added = node.tensor(2)?;
    if added.elem != elem {
        return Err(node.wrong_type(2, added.elem, elem.name()));
    }
    let product = Tensor { elem, shape: shape.clone(), node: product };
    let (common, nodes) = node.broadcast(&[product, added])?;
    if common != *shape {
        return Err(node.bad_shape(format!("a sum {common} for a product {shape}")));
    }
    let added = scaled(node, nodes[1], "beta", elem)?;
    let sum = node.op(Op::Add, &[nodes[0], added])?;
    let width = node.frame_width(shape)?;
    node.widened(sum, width)
}
