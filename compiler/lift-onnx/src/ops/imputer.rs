//! `Imputer`: put another value in the place of one, which may be NaN.
//! Source: ai.onnx.ml Imputer-1; onnxruntime `ml/imputer.cc`.

use flock_ir_spec::{Frame, NodeId, Op};

use super::Lifter;
use crate::Res;
use crate::attributes::Form;
use crate::node::Node;
use crate::value::Value;

pub static LIFTERS: &[Lifter] = &[Lifter::ml(
    "Imputer",
    &[1],
    &[
        ("imputed_value_floats", Form::Floats),
        ("replaced_value_float", Form::Float),
        ("imputed_value_int64s", Form::Ints),
        ("replaced_value_int64", Form::Int),
    ],
    lift,
)];

fn lift(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let (x, width) = node.features(0)?;
    let attributes = node.attributes();
    let (floats, ints) = (attributes.floats("imputed_value_floats"), attributes.ints("imputed_value_int64s"));
    let (given, other) = if x.elem.is_float() { (floats.len(), ints.len()) } else { (ints.len(), floats.len()) };
    if other > 0 || (given != 1 && given != width as usize) {
        let found = format!("{} floats and {} integers to impute", floats.len(), ints.len());
        return Err(node.bad_attribute(format!("{found} into {width} features of {}", x.elem.name())));
    }
    let (replace, values) = if x.elem.is_float() {
        let replaced = f64::from(attributes.float("replaced_value_float").unwrap_or(0.0));
        let values = node.numbers(x.elem, floats.iter().map(|v| f64::from(*v)).collect())?;
        (equals(node, &x, replaced)?, values)
    } else {
        if !x.elem.is_int() {
            return Err(node.wrong_type(0, x.elem, "numbers"));
        }
        let replaced = node.constant(Frame::row_i64([attributes.int("replaced_value_int64").unwrap_or(0)]))?;
        let values = node.constant(Frame::row_i64(ints))?;
        (node.op(Op::Eq, &[x.node, replaced])?, values)
    };
    let imputed = node.op(Op::Select, &[replace, values, x.node])?;
    node.give(x.elem, x.shape, imputed)
}

fn equals(node: &mut Node<'_, '_>, x: &crate::value::Tensor, value: f64) -> Res<NodeId> {
    if value.is_nan() {
        return node.op(Op::IsNan, &[x.node]);
    }
    let value = node.number(x.elem, value)?;
    node.op(Op::Eq, &[x.node, value])
}
