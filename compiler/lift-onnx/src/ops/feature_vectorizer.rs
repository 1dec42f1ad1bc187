//! `FeatureVectorizer`: inputs side by side as float32, each cut or filled with zeros to its announced width.
//! Source: ai.onnx.ml FeatureVectorizer-1; onnxruntime `ml/feature_vectorizer.cc`.

use flock_ir_spec::Frame;

use super::Lifter;
use crate::Res;
use crate::attributes::Form;
use crate::elem::Elem;
use crate::node::Node;
use crate::shape::{Dim, Shape};
use crate::value::Value;

pub static LIFTERS: &[Lifter] = &[Lifter {
    inputs: 1..=usize::MAX,
    ..Lifter::ml("FeatureVectorizer", &[1], &[("inputdimensions", Form::Ints)], lift)
}];

fn lift(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let announced = node.attributes().ints("inputdimensions");
    if announced.len() != node.inputs.len() {
        return Err(node.bad_attribute(format!("{} widths for {} inputs", announced.len(), node.inputs.len())));
    }
    let mut parts = Vec::new();
    let mut total = 0u64;
    let mut rows = Dim::Rows;
    for (i, announced) in announced.iter().enumerate() {
        let (x, width) = node.features(i)?;
        rows = x.shape.0[0];
        let announced = u32::try_from(*announced).map_err(|_| node.bad_attribute(format!("a width of {announced}")))?;
        total += u64::from(announced);
        let value = node.as_f32(&x, i)?;
        if announced > 0 {
            parts.push(node.slice(value, 0, announced.min(width))?);
        }
        if announced > width {
            node.frame_width(&Shape::fixed(&[total]))?;
            parts.push(node.constant(Frame::row_f32(vec![0.0; (announced - width) as usize]))?);
        }
    }
    let shape = Shape(vec![rows, Dim::Fixed(total)]);
    node.frame_width(&shape)?;
    let all = node.concat(&parts)?;
    node.give(Elem::F32, shape, all)
}
