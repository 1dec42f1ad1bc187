//! `Normalizer`: divided by the row's greatest element (not its size), its sum of sizes, or its Euclidean norm; a row for
//! which that is 0 stays. L2 is the square root of the share of each square, with the sign put back.
//! Source: ai.onnx.ml Normalizer-1; onnxruntime `ml/normalizer.cc`.

use flock_ir_spec::{Attr, NodeId, Op, Word};

use super::Lifter;
use crate::Res;
use crate::attributes::Form;
use crate::elem::Elem;
use crate::node::Node;
use crate::value::Value;

pub static LIFTERS: &[Lifter] = &[Lifter::ml("Normalizer", &[1], &[("norm", Form::Text)], lift)];

fn lift(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let (x, _) = node.features(0)?;
    let value = node.as_f32(&x, 0)?;
    let normalized = match node.attributes().text("norm").unwrap_or("MAX") {
        "L1" => node.op_with(Op::Normalize, Attr::Word(Word::L1), &[value])?,
        "L2" => euclidean(node, value)?,
        "MAX" => by_greatest(node, value)?,
        other => return Err(node.bad_attribute(format!("norm `{other}` is unknown"))),
    };
    node.give(Elem::F32, x.shape, normalized)
}

fn euclidean(node: &mut Node<'_, '_>, x: NodeId) -> Res<NodeId> {
    let zero = node.number(Elem::F32, 0.0)?;
    let squares = node.op(Op::Mul, &[x, x])?;
    let total = node.op(Op::Sum, &[squares])?;
    let shares = node.op(Op::Div, &[squares, total])?;
    let sizes = node.op(Op::Sqrt, &[shares])?;
    let opposite = node.op(Op::Neg, &[sizes])?;
    let below = node.op(Op::Lt, &[x, zero])?;
    let signed = node.op(Op::Select, &[below, opposite, sizes])?;
    let empty = node.op(Op::Eq, &[total, zero])?;
    node.op(Op::Select, &[empty, x, signed])
}

/// A NaN is never the greatest; nothing is below the lowest float.
fn by_greatest(node: &mut Node<'_, '_>, x: NodeId) -> Res<NodeId> {
    let (zero, lowest) = (node.number(Elem::F32, 0.0)?, node.number(Elem::F32, f64::from(f32::MIN))?);
    let nan = node.op(Op::IsNan, &[x])?;
    let numbers = node.op(Op::Select, &[nan, lowest, x])?;
    let top = node.op(Op::RowMax, &[numbers])?;
    let top = node.op(Op::Max, &[top, lowest])?;
    let divided = node.op(Op::Div, &[x, top])?;
    let empty = node.op(Op::Eq, &[top, zero])?;
    node.op(Op::Select, &[empty, x, divided])
}
