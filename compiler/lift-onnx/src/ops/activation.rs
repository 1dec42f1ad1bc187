//! `Celu`, `Selu`, `Gelu`, `HardSwish`, `Mish`, `Shrink`, `Swish`, `ThresholdedRelu`, `SwiGLU`, `PRelu`: functions of one element
//! between layers; angles and their hyperbolic kin, and `Erf`, in doubles.
//! Source: ai.onnx Celu-12, -28, Selu-6, -22, HardSwish-14, -22, Mish-18, -22, Shrink-9, Swish-24, ThresholdedRelu-10, -22,
//! PRelu-7 … -16, SwiGLU-28,
//! Gelu-20,
//! Sin-7, -22, Asinh-9, -22, Erf-9, -13.

use flock_ir_spec::{Composite, NodeId, Op};

use super::Lifter;
use super::unary::{attribute, float, softplus, unary, with};
use crate::Res;
use crate::attributes::{Declared, Form};
use crate::elem::Elem;
use crate::node::Node;
use crate::value::Value;

const ALPHA: &[Declared] = &[("alpha", Form::Float)];

pub static LIFTERS: &[Lifter] = &[
    with(ALPHA, unary("Celu", &[12, 28], |n| float(n, celu))),
    with(&[("alpha", Form::Float), ("gamma", Form::Float)], unary("Selu", &[6, 22], |n| float(n, selu))),
    unary("HardSwish", &[14, 22], |n| float(n, hard_swish)),
    unary("Mish", &[18, 22], |n| float(n, mish)),
    with(&[("bias", Form::Float), ("lambd", Form::Float)], unary("Shrink", &[9], shrink)),
    with(ALPHA, unary("Swish", &[24], |n| float(n, swish))),
    with(ALPHA, unary("ThresholdedRelu", &[10, 22], |n| float(n, thresholded))),
    Lifter { attributes: ALPHA, ..Lifter::main("SwiGLU", &[28], 2..=2, swiglu) },
    Lifter::main("PRelu", &[7, 9, 16], 2..=2, prelu),
    unary("Sin", &[7, 22], |n| float(n, |n, x, _| in_double(n, x, Op::Sin))),
    unary("Cos", &[7, 22], |n| float(n, |n, x, _| in_double(n, x, Op::Cos))),
    unary("Tan", &[7, 22], |n| float(n, |n, x, _| in_double(n, x, Op::Composite(Composite::TAN)))),
    unary("Asin", &[7, 22], |n| float(n, |n, x, _| in_double(n, x, Op::Composite(Composite::ASIN)))),
    unary("Acos", &[7, 22], |n| float(n, |n, x, _| in_double(n, x, Op::Composite(Composite::ACOS)))),
    unary("Atan", &[7, 22], |n| float(n, |n, x, _| in_double(n, x, Op::Atan))),
    unary("Sinh", &[9, 22], |n| float(n, |n, x, _| in_double(n, x, Op::Composite(Composite::SINH)))),
    unary("Cosh", &[9, 22], |n| float(n, |n, x, _| in_double(n, x, Op::Composite(Composite::COSH)))),
    unary("Asinh", &[9, 22], |n| float(n, |n, x, _| in_double(n, x, Op::Composite(Composite::ASINH)))),
    unary("Acosh", &[9, 22], |n| float(n, |n, x, _| in_double(n, x, Op::Composite(Composite::ACOSH)))),
    unary("Atanh", &[9, 22], |n| float(n, |n, x, _| in_double(n, x, Op::Composite(Composite::ATANH)))),
    unary("Erf", &[9, 13], |n| float(n, |n, x, _| in_double(n, x, Op::Composite(Composite::ERF)))),
    with(&[("approximate", Form::Text)], unary("Gelu", &[20], |n| float(n, gelu))),
];

/// A function in doubles, in the type of its operand again.
fn in_double(node: &mut Node<'_, '_>, x: NodeId, op: Op) -> Res<NodeId> {
    let Some(ty) = node.lift.b.frame_type(x) else { return Ok(x) };
    let wide = node.as_f64(x)?;
    let value = node.op(op, &[wide])?;
    node.cast(value, ty.dtype)
}

/// x / 2 · (1 + erf(x / √2)), or with `tanh` x / 2 · (1 + tanh(√(2/π) · (x + 0.044715 · x³))).
fn gelu(node: &mut Node<'_, '_>, x: NodeId, elem: Elem) -> Res<NodeId> {
    let (half, one) = (node.number(elem, 0.5)?, node.number(elem, 1.0)?);
    let gate = match node.attributes().text("approximate").unwrap_or("none") {
        "none" => {
            let root = node.number(elem, std::f64::consts::FRAC_1_SQRT_2)?;
            let scaled = node.op(Op::Mul, &[x, root])?;
            in_double(node, scaled, Op::Composite(Composite::ERF))?
        }
        "tanh" => {
            let (factor, root) = (node.number(elem, 0.044_715)?, node.number(elem, (2.0 / std::f64::consts::PI).sqrt())?);
            let square = node.op(Op::Mul, &[x, x])?;
            let cube = node.op(Op::Mul, &[square, x])?;
            let bent = node.op(Op::Mul, &[cube, factor])?;
            let sum = node.op(Op::Add, &[x, bent])?;
            let scaled = node.op(Op::Mul, &[sum, root])?;
            node.op(Op::Tanh, &[scaled])?
        }
        other => return Err(node.bad_attribute(format!("approximate `{other}` is unknown"))),
    };
    let sum = node.op(Op::Add, &[one, gate])?;
    let weighted = node.op(Op::Mul, &[x, sum])?;
    node.op(Op::Mul, &[weighted, half])
}

/// max(x, 0) + min(0, alpha · (e^(x / alpha) - 1)).
fn celu(node: &mut Node<'_, '_>, x: NodeId, elem: Elem) -> Res<NodeId> {
    let (alpha, zero) = (attribute(node, "alpha", 1.0, elem)?, node.number(elem, 0.0)?);
    let ratio = node.op(Op::Div, &[x, alpha])?;
    let power = node.op(Op::Expm1, &[ratio])?;
    let scaled = node.op(Op::Mul, &[alpha, power])?;
    let below = node.op(Op::Min, &[zero, scaled])?;
    let above = node.op(Op::Composite(Composite::RELU), &[x])?;
    node.op(Op::Add, &[above, below])
}

fn selu(node: &mut Node<'_, '_>, x: NodeId, elem: Elem) -> Res<NodeId> {
    let (alpha, gamma) = (attribute(node, "alpha", 1.673_263_2, elem)?, attribute(node, "gamma", 1.050_701, elem)?);
    let zero = node.number(elem, 0.0)?;
    let power = node.op(Op::Expm1, &[x])?;
    let scaled = node.op(Op::Mul, &[alpha, power])?;
    let above = node.op(Op::Gt, &[x, zero])?;
    let chosen = node.op(Op::Select, &[above, x, scaled])?;
    node.op(Op::Mul, &[gamma, chosen])
}

/// x · max(0, min(1, x / 6 + 0.5)).
fn hard_swish(node: &mut Node<'_, '_>, x: NodeId, elem: Elem) -> Res<NodeId> {
    let (sixth, half) = (node.number(elem, 1.0 / 6.0)?, node.number(elem, 0.5)?);
    let (zero, one) = (node.number(elem, 0.0)?, node.number(elem, 1.0)?);
    let scaled = node.op(Op::Mul, &[x, sixth])?;
    let moved = node.op(Op::Add, &[scaled, half])?;
    let gate = node.op(Op::Composite(Composite::CLIP), &[moved, zero, one])?;
    node.op(Op::Mul, &[x, gate])
}

fn mish(node: &mut Node<'_, '_>, x: NodeId, elem: Elem) -> Res<NodeId> {
    let soft = softplus(node, x, elem)?;
    let gate = node.op(Op::Tanh, &[soft])?;
    node.op(Op::Mul, &[x, gate])
}

/// 0 within lambd of 0; outside bias nearer to 0.
fn shrink(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = node.number_tensor(0)?;
    let (bias, lambda) = (attribute(node, "bias", 0.0, x.elem)?, attribute(node, "lambd", 0.5, x.elem)?);
    let zero = node.number(x.elem, 0.0)?;
    let opposite = node.op(Op::Neg, &[lambda])?;
    let (low, high) = (node.op(Op::Lt, &[x.node, opposite])?, node.op(Op::Gt, &[x.node, lambda])?);
    let (up, down) = (node.op(Op::Add, &[x.node, bias])?, node.op(Op::Sub, &[x.node, bias])?);
    let (up, down) = (node.fitted(up, x.elem)?, node.fitted(down, x.elem)?);
    let value = node.op(Op::Select, &[high, down, zero])?;
    let value = node.op(Op::Select, &[low, up, value])?;
    node.give(x.elem, x.shape, value)
}

fn swish(node: &mut Node<'_, '_>, x: NodeId, elem: Elem) -> Res<NodeId> {
    let alpha = attribute(node, "alpha", 1.0, elem)?;
    let scaled = node.op(Op::Mul, &[alpha, x])?;
    let gate = node.op(Op::Logistic, &[scaled])?;
    node.op(Op::Mul, &[x, gate])
}

/// The swish of one input times the other.
fn swiglu(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let (tensors, elem) = node.tensors_of_one_type()?;
    if !elem.is_any_float() || tensors[0].shape != tensors[1].shape {
        return Err(node.bad_shape(format!("{} and {}", tensors[0].shape, tensors[1].shape)));
    }
    let gate = swish(node, tensors[0].node, elem)?;
    let gate = node.fitted(gate, elem)?;
    let value = node.op(Op::Mul, &[gate, tensors[1].node])?;
    let value = node.fitted(value, elem)?;
    node.give(elem, tensors[0].shape.clone(), value)
}

fn thresholded(node: &mut Node<'_, '_>, x: NodeId, elem: Elem) -> Res<NodeId> {
    let (alpha, zero) = (attribute(node, "alpha", 1.0, elem)?, node.number(elem, 0.0)?);
    let above = node.op(Op::Gt, &[x, alpha])?;
    node.op(Op::Select, &[above, x, zero])
}

fn prelu(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let (tensors, elem) = node.tensors_of_one_type()?;
    let (shape, scaled) = node.arithmetic(Op::Mul, &tensors, elem)?;
    if shape != tensors[0].shape {
        return Err(node.bad_shape(format!("slopes {} for a tensor {}", tensors[1].shape, tensors[0].shape)));
    }
    let zero = node.number(elem, 0.0)?;
    let below = node.op(Op::Lt, &[tensors[0].node, zero])?;
    let value = node.op(Op::Select, &[below, scaled, tensors[0].node])?;
    node.give(elem, shape, value)
}
