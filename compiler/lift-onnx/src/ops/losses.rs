//! `NegativeLogLikelihoodLoss`, `SoftmaxCrossEntropyLoss`: what a class's probability costs, per element or over all.
//! Source: ai.onnx NegativeLogLikelihoodLoss-12 … -22, SoftmaxCrossEntropyLoss-12, -13, whose definitions these are.

use super::Lifter;
use crate::Res;
use crate::attributes::{Declared, Form};
use crate::body::{Body, Given};
use crate::node::Node;
use crate::value::Value;

const ATTRIBUTES: &[Declared] = &[("ignore_index", Form::Int), ("reduction", Form::Text)];

pub static LIFTERS: &[Lifter] = &[
    Lifter { attributes: ATTRIBUTES, ..Lifter::main("NegativeLogLikelihoodLoss", &[12, 13, 22], 2..=3, likelihood) },
    Lifter {
        attributes: ATTRIBUTES,
        outputs: 1..=2,
        ..Lifter::main("SoftmaxCrossEntropyLoss", &[12, 13], 2..=3, cross_entropy)
    },
];

fn likelihood(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let mut body = Body::new(3);
    let loss = loss(node, &mut body, "x0")?;
    node.written_out(body, node.inputs.clone(), &[loss])
}

fn cross_entropy(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let mut body = Body::new(3);
    let logarithms = body.op_with("LogSoftmax", &["x0"], &[("axis", Given::Int(1))]);
    let outputs = [loss(node, &mut body, &logarithms)?, logarithms];
    node.written_out(body, node.inputs.clone(), &outputs[..node.proto.output.len()])
}

/// The loss of logarithms of probabilities, classes along axis 1, for the classes in `x1`.
fn loss(node: &Node<'_, '_>, b: &mut Body, logarithms: &str) -> Res<String> {
    let a = node.attributes();
    let class = b.unsqueeze("x1", &[1]);
    let ignored = a.int("ignore_index").map(|i| {
        let i = b.int(i);
        let i = b.op("CastLike", &[&i, &class]);
        b.op("Equal", &[&class, &i])
    });
    let none = b.number(0.0, logarithms);
    let kept = |b: &mut Body, x: String, instead: &str| match &ignored {
        Some(ignored) => b.op("Where", &[ignored, instead, &x]),
        None => x,
    };
    let first = b.op("Sub", &[&class, &class]);
    let class = kept(b, class, &first);
    let chosen = b.op_with("GatherElements", &[logarithms, &class], &[("axis", Given::Int(1))]);
    let loss = b.op("Neg", &[&chosen]);
    let loss = kept(b, loss, &none);
    let weights = if node.has(2) {
        let weights = b.op("Gather", &["x2", &class]);
        Some(kept(b, weights, &none))
    } else if ignored.is_some() {
        let zeros = b.op("Mul", &[&loss, &none]);
        let one = b.number(1.0, logarithms);
        let ones = b.op("Add", &[&zeros, &one]);
        Some(kept(b, ones, &none))
    } else {
        None
    };
    let loss = if let Some(weights) = &weights { b.op("Mul", &[&loss, weights]) } else { loss };
    let over_all = |b: &mut Body, op: &str, x: &str| b.op_with(op, &[x], &[("keepdims", Given::Int(0))]);
    match (a.text("reduction").unwrap_or("mean"), weights) {
        ("none", _) => {
            let axis = b.ints(&[1]);
            Ok(b.op("Squeeze", &[&loss, &axis]))
        }
        ("sum", _) => Ok(over_all(b, "ReduceSum", &loss)),
        ("mean", None) => Ok(over_all(b, "ReduceMean", &loss)),
        ("mean", Some(weights)) => {
            let (sum, all) = (over_all(b, "ReduceSum", &loss), over_all(b, "ReduceSum", &weights));
            Ok(b.op("Div", &[&sum, &all]))
        }
        (other, _) => Err(node.bad_attribute(format!("reduction `{other}` is unknown"))),
    }
}
