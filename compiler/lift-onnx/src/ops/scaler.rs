//! `Scaler`: subtract the offset, then multiply by the scale, in float32 (in double for a double input), to float32.
//! Source: ai.onnx.ml Scaler-1; onnxruntime `ml/scaler.cc`.

use flock_ir_spec::{DType, Op};

use super::Lifter;
use crate::Res;
use crate::attributes::Form;
use crate::elem::Elem;
use crate::node::Node;
use crate::value::Value;

pub static LIFTERS: &[Lifter] = &[Lifter::ml("Scaler", &[1], &[("offset", Form::Floats), ("scale", Form::Floats)], lift)];

fn lift(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let (x, width) = node.features(0)?;
    let (offset, scale) = (node.attributes().floats("offset"), node.attributes().floats("scale"));
    if offset.len() != scale.len() || ![1, width as usize].contains(&scale.len()) {
        let found = format!("{} offsets and {} scales for {width} features", offset.len(), scale.len());
        return Err(node.bad_attribute(format!("{found}; one or one per feature is expected")));
    }
    let (elem, value) = if x.elem == Elem::F64 { (Elem::F64, x.node) } else { (Elem::F32, node.as_f32(&x, 0)?) };
    let wide = |v: &[f32]| v.iter().map(|x| f64::from(*x)).collect();
    let (offset, scale) = (node.numbers(elem, wide(offset))?, node.numbers(elem, wide(scale))?);
    let centred = node.op(Op::Sub, &[value, offset])?;
    let scaled = node.op(Op::Mul, &[centred, scale])?;
    let scaled = node.cast(scaled, DType::F32)?;
    node.give(Elem::F32, x.shape, scaled)
}
