//! `Binarizer`: 1 above the threshold, 0 elsewhere. A row with a NaN is refused.
//! Source: ai.onnx.ml Binarizer-1; onnxruntime `ml/binarizer.cc`.

use flock_ir_spec::Op;

use super::Lifter;
use crate::Res;
use crate::attributes::Form;
use crate::node::Node;
use crate::value::Value;

pub static LIFTERS: &[Lifter] = &[Lifter::ml("Binarizer", &[1], &[("threshold", Form::Float)], lift)];

fn lift(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = node.float_tensor(0)?;
    let nan = node.op(Op::IsNan, &[x.node])?;
    let number = node.op(Op::Not, &[nan])?;
    node.refuse_unless(number)?;
    let threshold = f64::from(node.attributes().float("threshold").unwrap_or(0.0));
    let threshold = node.number(x.elem, threshold)?;
    let above = node.op(Op::Gt, &[x.node, threshold])?;
    let (one, zero) = (node.number(x.elem, 1.0)?, node.number(x.elem, 0.0)?);
    let bits = node.op(Op::Select, &[above, one, zero])?;
    node.give(x.elem, x.shape, bits)
}
