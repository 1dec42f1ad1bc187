//! `Clip`: the greater of the value and the lower bound, then the lesser of that and the upper one. NaN stays.
//! Source: ai.onnx Clip-6 (bounds as attributes), Clip-11 … -13 (as inputs).

use flock_ir_spec::{Composite, NodeId, Op};

use super::Lifter;
use crate::Res;
use crate::attributes::Form;
use crate::elem::Elem;
use crate::node::Node;
use crate::value::{Tensor, Value};

pub static LIFTERS: &[Lifter] = &[Lifter {
    attributes: &[("min", Form::Float), ("max", Form::Float)],
    ..Lifter::main("Clip", &[6, 11, 12, 13], 1..=3, lift)
}];

fn lift(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = node.tensor(0)?;
    let (low, high) = (bound(node, &x, 1, "min")?, bound(node, &x, 2, "max")?);
    if !x.elem.is_float() {
        let low = low.map_or(Ok(x.node), |low| node.op(Op::Max, &[x.node, low]))?;
        let clipped = high.map_or(Ok(low), |high| node.op(Op::Min, &[low, high]))?;
        return node.give(x.elem, x.shape, clipped);
    }
    // A bound that is left out is the greatest finite number, so that infinities are clipped as well.
    let greatest = if x.elem == Elem::F32 { f64::from(f32::MAX) } else { f64::MAX };
    let low = low.map_or_else(|| node.number(x.elem, -greatest), Ok)?;
    let high = high.map_or_else(|| node.number(x.elem, greatest), Ok)?;
    let clipped = node.op(Op::Composite(Composite::CLIP), &[x.node, low, high])?;
    node.give(x.elem, x.shape, clipped)
}

fn bound(node: &mut Node<'_, '_>, x: &Tensor, input: usize, name: &str) -> Res<Option<NodeId>> {
    if node.version() < 11 {
        let bound = node.attributes().float(name).filter(|_| x.elem.is_float());
        return bound.map(|b| node.number(x.elem, f64::from(b))).transpose();
    }
    if !node.has(input) {
        return Ok(None);
    }
    let literal = node.literal(input)?;
    if literal.elem != x.elem || literal.len() != 1 {
        return Err(node.wrong_type(input, literal.elem, &format!("one {}", x.elem.name())));
    }
    if literal.float().is_some_and(f64::is_nan) {
        return Err(node.unsupported("a bound that is NaN"));
    }
    node.known(&literal).map(|t| Some(t.node))
}
