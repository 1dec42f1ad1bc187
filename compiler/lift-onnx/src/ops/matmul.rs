//! `MatMul`, `Gemm`: rows times known weights, plus what is added.
//! Source: ai.onnx MatMul-1 … -13, Gemm-7 … -13. The order of a sum is the BLAS's own: equal up to rounding.

use flock_ir_spec::{Data, Frame, NodeId, Op};

use super::Lifter;
use crate::Res;
use crate::attributes::Form;
use crate::literal::Literal;
use crate::node::Node;
use crate::shape::{Dim, Shape};
use crate::value::{Tensor, Value};

pub static LIFTERS: &[Lifter] = &[
    Lifter::main("MatMul", &[1, 9, 13], 2..=2, matmul),
    Lifter {
        attributes: &[("alpha", Form::Float), ("beta", Form::Float), ("transA", Form::Int), ("transB", Form::Int)],
        ..Lifter::main("Gemm", &[7, 9, 11, 13], 2..=3, gemm)
    },
];

fn matmul(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let (x, weights) = operands(node)?;
    let (rows, columns, vector) = match weights.dims.as_slice() {
        [k] => (*k, 1, true),
        [k, m] => (*k, *m, false),
        _ => return Err(node.unsupported(format!("weights {}", weights.shape()))),
    };
    let value = linear(node, &x, &weights, (rows, columns), false, 1.0)?;
    let shape = if vector { Shape(vec![Dim::Rows]) } else { Shape::rows_by(&[columns]) };
    node.give(x.elem, shape, value)
}

fn gemm(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let (x, weights) = operands(node)?;
    let a = node.attributes();
    if a.int("transA").unwrap_or(0) != 0 {
        return Err(node.mixes_rows("it transposes the rows"));
    }
    let transposed = a.int("transB").unwrap_or(0) != 0;
    let (rows, columns) = match (weights.dims.as_slice(), transposed) {
        ([k, m], false) | ([m, k], true) => (*k, *m),
        _ => return Err(node.bad_shape(format!("weights {}", weights.shape()))),
    };
    let (alpha, beta) = (f64::from(a.float("alpha").unwrap_or(1.0)), f64::from(a.float("beta").unwrap_or(1.0)));
    let value = linear(node, &x, &weights, (rows, columns), transposed, alpha)?;
    let shape = Shape::rows_by(&[columns]);
    let value = if node.has(2) { plus(node, &x, value, &shape, beta)? } else { value };
    node.give(x.elem, shape, value)
}

fn operands(node: &mut Node<'_, '_>) -> Res<(Tensor, std::sync::Arc<Literal>)> {
    if matches!(node.inputs.get(1), Some(Some(Value::Tensor(_)))) {
        return Err(node.mixes_rows("the second factor depends on the rows"));
    }
    let (x, weights) = (node.float_tensor(0)?, node.literal(1)?);
    if weights.elem != x.elem {
        return Err(node.wrong_type(1, weights.elem, x.elem.name()));
    }
    match x.shape.0.as_slice() {
        [Dim::Rows, Dim::Fixed(_)] => Ok((x, weights)),
        _ => Err(node.unsupported(format!("a first factor {}; [rows, features] is expected", x.shape))),
    }
}

fn linear(
    node: &mut Node<'_, '_>,
    x: &Tensor,
    weights: &Literal,
    (k, m): (u64, u64),
    transposed: bool,
    alpha: f64,
) -> Res<NodeId> {
    if x.shape.width() != Some(k) || m == 0 {
        return Err(node.bad_shape(format!("{} times weights {}", x.shape, weights.shape())));
    }
    node.spend(weights.len() as u64)?;
    let (k, m) = (k as usize, m as usize);
    // A table lies column by column: transposed weights are in its order already.
    let order = (0..m).flat_map(|j| (0..k).map(move |i| if transposed { j * k + i } else { i * m + j }));
    let data = match &weights.frame.data {
        Data::F32(v) => Data::F32(order.map(|i| scaled_f32(v[i], alpha)).collect()),
        Data::F64(v) => Data::F64(order.map(|i| v[i] * alpha).collect()),
        _ => return Err(node.wrong_type(1, weights.elem, "float or double")),
    };
    let table = node.constant(Frame { rows: k, width: m, data, valid: None })?;
    let bias = node.numbers(x.elem, vec![0.0; m])?;
    node.op(Op::Linear, &[x.node, table, bias])
}

fn scaled_f32(x: f32, alpha: f64) -> f32 {
    if alpha == 1.0 { x } else { x * alpha as f32 }
}

/// What is added, times beta, broadcast to the product.
fn plus(node: &mut Node<'_, '_>, x: &Tensor, product: NodeId, shape: &Shape, beta: f64) -> Res<NodeId> {
    let added = node.float_tensor(2)?;
    if added.elem != x.elem {
        return Err(node.wrong_type(2, added.elem, x.elem.name()));
    }
    let product = Tensor { elem: x.elem, shape: shape.clone(), node: product };
    let (common, nodes) = node.broadcast(&[product, added])?;
    if common != *shape {
        return Err(node.bad_shape(format!("a sum {common} for a product {shape}")));
    }
    let added = if beta == 1.0 {
        nodes[1]
    } else {
        let beta = node.number(x.elem, beta)?;
        node.op(Op::Mul, &[nodes[1], beta])?
    };
    node.op(Op::Add, &[nodes[0], added])
}
