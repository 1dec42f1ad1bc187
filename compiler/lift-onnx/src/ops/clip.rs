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
    if !x.elem.is_any_float() {
        let low = low.map_or(Ok(x.node), |low| node.op(Op::Max, &[x.node, low]))?;
        let clipped = high.map_or(Ok(low), |high| node.op(Op::Min, &[low, high]))?;
        return node.give(x.elem, x.shape, clipped);
    }
    // A bound that is left out is the greatest finite number, so that infinities are clipped as well.
    let greatest = match x.elem {
        Elem::F64 => f64::MAX,
        Elem::Small(format) => format.greatest,
        _ => f64::from(f32::MAX),
    };
    let low = low.map_or_else(|| node.number(x.elem, -greatest), Ok)?;
    let high = high.map_or_else(|| node.number(x.elem, greatest), Ok)?;
    let clipped = node.op(Op::Composite(Composite::CLIP), &[x.node, low, high])?;
    node.give(x.elem, x.shape, clipped)
}

fn bound(node: &mut Node<'_, '_>, x: &Tensor, input: usize, name: &str) -> Res<Option<NodeId>> {
    if node.version() < 11 {
        let bound = node.attributes().float(name).filter(|_| x.elem.is_any_float());
        return bound.map(|b| node.number(x.elem, f64::from(b))).transpose();
    }
    if !node.has(input) {
        return Ok(None);
    }
    let bound = node.tensor(input)?;
    if bound.elem != x.elem || bound.shape.rows_axis().is_some() || bound.shape.width() != Some(1) {
        let found = format!("{} {}", bound.elem.name(), bound.shape);
        return Err(node.bad_shape(format!("a bound {found}, expected one {}", x.elem.name())));
    }
    if node.literal(input).ok().and_then(|l| l.float()).is_some_and(f64::is_nan) {
        return Err(node.unsupported("a bound that is NaN"));
    }
    Ok(Some(bound.node))
}
