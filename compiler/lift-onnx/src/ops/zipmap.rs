//! `ZipMap`: a number per label. The columns stay in the order of the labels.
//! Source: ai.onnx.ml ZipMap-1; onnxruntime `ml/zipmap.cc`.

use std::sync::Arc;

use super::Lifter;
use crate::Res;
use crate::attributes::Form;
use crate::elem::Elem;
use crate::node::Node;
use crate::value::{Map, Value};

pub static LIFTERS: &[Lifter] =
    &[Lifter::ml("ZipMap", &[1], &[("classlabels_int64s", Form::Ints), ("classlabels_strings", Form::Texts)], lift)];

fn lift(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let (numbers, width) = node.features(0)?;
    if numbers.elem != Elem::F32 {
        return Err(node.wrong_type(0, numbers.elem, "float"));
    }
    let labels = Arc::new(node.labels("classlabels_int64s", "classlabels_strings")?);
    if labels.len() != width as usize {
        return Err(node.bad_attribute(format!("{} labels for {width} columns", labels.len())));
    }
    Ok(vec![Value::Map(Map { labels, numbers })])
}
