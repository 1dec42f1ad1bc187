//! `ArrayFeatureExtractor`: elements of the last axis by index.
//!
//! Known indices choose columns. Known data and an index per row choose a value for each row, as labels by the index of
//! the greatest score; onnxruntime gives these as `[1, rows]`. A row whose index is no index is refused.
//! Source: ai.onnx.ml ArrayFeatureExtractor-1; onnxruntime `ml/array_feature_extractor.cc`.

use std::sync::Arc;

use flock_ir_spec::{Data, Frame};

use super::Lifter;
use crate::Res;
use crate::elem::Elem;
use crate::labels::Labels;
use crate::literal::Literal;
use crate::node::Node;
use crate::shape::{Dim, Shape};
use crate::value::Value;

pub static LIFTERS: &[Lifter] = &[Lifter { inputs: 2..=2, ..Lifter::ml("ArrayFeatureExtractor", &[1], &[], lift) }];

fn lift(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    match (&node.inputs[0], &node.inputs[1]) {
        (_, Some(Value::Literal(_))) => columns(node),
        (Some(Value::Literal(data)), _) => {
            let data = data.clone();
            by_row(node, &data)
        }
        _ => Err(node.mixes_rows("every row's indices choose from every row")),
    }
}

fn columns(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let (x, indices) = (node.tensor(0)?, node.ints(1)?);
    let Some(Dim::Fixed(last)) = x.shape.0.last().copied() else {
        return Err(node.mixes_rows(format!("it chooses among the rows of a tensor {}", x.shape)));
    };
    if let Some(i) = indices.iter().find(|i| **i < 0 || **i as u64 >= last) {
        return Err(node.bad_shape(format!("index {i} of a last axis of {last}")));
    }
    let mut offsets = x.shape.offsets();
    let mut shape = x.shape.clone();
    if let (Some(offsets), Some(dim)) = (offsets.last_mut(), shape.0.last_mut()) {
        *offsets = indices.clone();
        *dim = Dim::Fixed(indices.len() as u64);
    }
    if shape.rank() == 1 {
        shape.0.insert(0, Dim::Fixed(1));
    }
    let picked = node.pick(x.node, &offsets)?;
    node.give(x.elem, shape, picked)
}

fn by_row(node: &mut Node<'_, '_>, data: &Literal) -> Res<Vec<Value>> {
    let index = node.tensor(1)?;
    let one_list = data.dims.iter().rev().skip(1).all(|d| *d == 1);
    if !one_list || data.len() == 0 || index.elem != Elem::I64 || index.shape.width() != Some(1) {
        let message = format!("indices {} {} into data {}", index.elem.name(), index.shape, data.shape());
        return Err(node.unsupported(message));
    }
    let labels = match &data.frame.data {
        Data::I64(v) => Some(Labels::Ints(v.clone())),
        Data::Str(v) => Some(Labels::Texts(v.clone())),
        _ => None,
    };
    node.lift.labels.extend(labels.map(Arc::new));
    let position = node.index_within(index.node, data.len() as u64, false)?;
    let value = node.look_up(position, Frame { rows: data.len(), width: 1, ..data.frame.clone() })?;
    node.give(data.elem, Shape(vec![Dim::Fixed(1), Dim::Rows]), value)
}
