//! Functions of one element: `Abs`, `Neg`, `Sqrt`, `Exp`, `Log`, `Reciprocal`, `Floor`, `Ceil`, `Round`, `Sigmoid`, `Tanh`,
//! `Relu`, `LeakyRelu`, `Elu`, `HardSigmoid`, `Softplus`, `Softsign`, `Sign`, `Not`, `IsNaN`, `IsInf`.
//! Source: the pages of these operators; corner cases as onnxruntime 1.32 answers them.

use flock_ir_spec::{Composite, NodeId, Op};

use super::{Lift, Lifter};
use crate::Res;
use crate::attributes::{Declared, Form};
use crate::elem::Elem;
use crate::node::Node;
use crate::value::Value;

pub const fn unary(op: &'static str, versions: &'static [i64], lift: Lift) -> Lifter {
    Lifter::main(op, versions, 1..=1, lift)
}

pub const fn with(attributes: &'static [Declared], lifter: Lifter) -> Lifter {
    Lifter {
        attributes,
        domain: lifter.domain,
        op: lifter.op,
        versions: lifter.versions,
        ignores: &[],
        inputs: 1..=1,
        outputs: 1..=1,
        lift: lifter.lift,
    }
}

pub static LIFTERS: &[Lifter] = &[
    unary("Abs", &[6, 13], |n| number(n, Op::Abs)),
    unary("Neg", &[6, 13], |n| number(n, Op::Neg)),
    unary("Sqrt", &[6, 13], |n| float(n, |n, x, _| n.op(Op::Sqrt, &[x]))),
    unary("Exp", &[6, 13], |n| float(n, |n, x, _| n.op(Op::Exp, &[x]))),
    unary("Log", &[6, 13], |n| float(n, |n, x, _| n.op(Op::Ln, &[x]))),
    unary("Reciprocal", &[6, 13], |n| float(n, reciprocal)),
    unary("Floor", &[6, 13], |n| float(n, |n, x, _| n.op(Op::Floor, &[x]))),
    unary("Ceil", &[6, 13], |n| float(n, |n, x, _| n.op(Op::Ceil, &[x]))),
    unary("Round", &[11, 22], |n| float(n, |n, x, _| n.op(Op::Round, &[x]))),
    unary("Sigmoid", &[6, 13], |n| float(n, |n, x, _| n.op(Op::Logistic, &[x]))),
    unary("Tanh", &[6, 13], |n| float(n, |n, x, _| n.op(Op::Tanh, &[x]))),
    unary("Relu", &[6, 13, 14], relu),
    with(&[("alpha", Form::Float)], unary("LeakyRelu", &[6, 16], |n| float(n, leaky_relu))),
    with(&[("alpha", Form::Float)], unary("Elu", &[6, 22], |n| float(n, elu))),
    with(&[("alpha", Form::Float), ("beta", Form::Float)], unary("HardSigmoid", &[6, 22], |n| float(n, hard_sigmoid))),
    unary("Softplus", &[1, 22], |n| float(n, softplus)),
    unary("Softsign", &[1, 22], |n| float(n, softsign)),
    unary("Sign", &[9, 13], signs),
    unary("Not", &[1], |n| test(n, |n, x, _| n.op(Op::Not, &[x]), |e| e == Elem::Bool)),
    unary("IsNaN", &[9, 13, 20], |n| test(n, |n, x, _| n.op(Op::IsNan, &[x]), Elem::is_any_float)),
    with(
        &[("detect_negative", Form::Int), ("detect_positive", Form::Int)],
        unary("IsInf", &[10, 20], |n| test(n, is_inf, Elem::is_any_float)),
    ),
];

pub type Function = fn(&mut Node<'_, '_>, NodeId, Elem) -> Res<NodeId>;

pub fn float(node: &mut Node<'_, '_>, f: Function) -> Res<Vec<Value>> {
    let x = node.any_float_tensor(0)?;
    let value = f(node, x.node, x.elem)?;
    let value = node.fitted(value, x.elem)?;
    node.give(x.elem, x.shape, value)
}

/// Of any number; the least int64 has no opposite, and its row is refused.
fn number(node: &mut Node<'_, '_>, op: Op) -> Res<Vec<Value>> {
    let x = node.number_tensor(0)?;
    let value = node.op(op, &[x.node])?;
    let value = node.fitted(value, x.elem)?;
    node.give(x.elem, x.shape, value)
}

fn test(node: &mut Node<'_, '_>, f: Function, takes: fn(Elem) -> bool) -> Res<Vec<Value>> {
    let x = node.tensor(0)?;
    if !takes(x.elem) {
        return Err(node.wrong_type(0, x.elem, "another type"));
    }
    let value = f(node, x.node, x.elem)?;
    node.give(Elem::Bool, x.shape, value)
}

fn reciprocal(node: &mut Node<'_, '_>, x: NodeId, elem: Elem) -> Res<NodeId> {
    let one = node.number(elem, 1.0)?;
    node.op(Op::Div, &[one, x])
}

pub fn attribute(node: &mut Node<'_, '_>, name: &str, default: f32, elem: Elem) -> Res<NodeId> {
    let value = node.attributes().float(name).unwrap_or(default);
    node.number(elem, f64::from(value))
}

fn leaky_relu(node: &mut Node<'_, '_>, x: NodeId, elem: Elem) -> Res<NodeId> {
    let (alpha, zero) = (attribute(node, "alpha", 0.01, elem)?, node.number(elem, 0.0)?);
    let below = node.op(Op::Lt, &[x, zero])?;
    let scaled = node.op(Op::Mul, &[x, alpha])?;
    node.op(Op::Select, &[below, scaled, x])
}

fn elu(node: &mut Node<'_, '_>, x: NodeId, elem: Elem) -> Res<NodeId> {
    let (alpha, zero) = (attribute(node, "alpha", 1.0, elem)?, node.number(elem, 0.0)?);
    let below = node.op(Op::Lt, &[x, zero])?;
    let power = node.op(Op::Expm1, &[x])?;
    let scaled = node.op(Op::Mul, &[power, alpha])?;
    node.op(Op::Select, &[below, scaled, x])
}

fn hard_sigmoid(node: &mut Node<'_, '_>, x: NodeId, elem: Elem) -> Res<NodeId> {
    let (alpha, beta) = (attribute(node, "alpha", 0.2, elem)?, attribute(node, "beta", 0.5, elem)?);
    let (zero, one) = (node.number(elem, 0.0)?, node.number(elem, 1.0)?);
    let scaled = node.op(Op::Mul, &[x, alpha])?;
    let moved = node.op(Op::Add, &[scaled, beta])?;
    node.op(Op::Composite(Composite::CLIP), &[moved, zero, one])
}

/// The positive part plus log(1 + exp(-|x|)), which overflows nowhere.
pub fn softplus(node: &mut Node<'_, '_>, x: NodeId, _: Elem) -> Res<NodeId> {
    let size = node.op(Op::Abs, &[x])?;
    let opposite = node.op(Op::Neg, &[size])?;
    let power = node.op(Op::Exp, &[opposite])?;
    let rest = node.op(Op::Log1p, &[power])?;
    let positive = node.op(Op::Composite(Composite::RELU), &[x])?;
    node.op(Op::Add, &[positive, rest])
}

fn softsign(node: &mut Node<'_, '_>, x: NodeId, elem: Elem) -> Res<NodeId> {
    let one = node.number(elem, 1.0)?;
    let size = node.op(Op::Abs, &[x])?;
    let below = node.op(Op::Add, &[one, size])?;
    node.op(Op::Div, &[x, below])
}

fn relu(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = node.number_tensor(0)?;
    let zero = node.number(x.elem, 0.0)?;
    let value = if x.elem.is_int() {
        node.op(Op::Max, &[x.node, zero])?
    } else {
        node.op(Op::Composite(Composite::RELU), &[x.node])?
    };
    node.give(x.elem, x.shape, value)
}

fn signs(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = node.number_tensor(0)?;
    let value = sign(node, x.node, x.elem)?;
    node.give(x.elem, x.shape, value)
}

/// 1, -1 or 0; NaN stays.
fn sign(node: &mut Node<'_, '_>, x: NodeId, elem: Elem) -> Res<NodeId> {
    let (zero, one, minus) = (node.number(elem, 0.0)?, node.number(elem, 1.0)?, node.number(elem, -1.0)?);
    let (above, below) = (node.op(Op::Gt, &[x, zero])?, node.op(Op::Lt, &[x, zero])?);
    let neither = node.op(Op::Eq, &[x, zero])?;
    let value = node.op(Op::Select, &[neither, zero, x])?;
    let value = node.op(Op::Select, &[below, minus, value])?;
    node.op(Op::Select, &[above, one, value])
}

fn is_inf(node: &mut Node<'_, '_>, x: NodeId, elem: Elem) -> Res<NodeId> {
    let detects = |name: &str| node.attributes().int(name).unwrap_or(1) != 0;
    let (negative, positive) = (detects("detect_negative"), detects("detect_positive"));
    let infinity = node.number(elem, f64::INFINITY)?;
    let x = match (negative, positive) {
        (true, true) => node.op(Op::Abs, &[x])?,
        (true, false) => node.op(Op::Neg, &[x])?,
        (false, true) => x,
        (false, false) => return Err(node.unsupported("neither infinity is asked for")),
    };
    node.op(Op::Eq, &[x, infinity])
}
