//! `OneHotEncoder`: 1 in the column of the category. The categories become a last axis.
//!
//! A float is cut to an integer first; NaN and what no integer holds are no category. Of equal categories the last one
//! counts. An unknown category gives zeros, or with `zeros = 0` a row that is refused.
//! Source: ai.onnx.ml OneHotEncoder-1; onnxruntime `ml/onehotencoder.cc`.

use std::collections::HashMap;
use std::hash::Hash;

use flock_ir_spec::{Attr, DType, Frame, FrameType, NodeId, Op};

use super::Lifter;
use crate::Res;
use crate::attributes::Form;
use crate::elem::Elem;
use crate::node::Node;
use crate::shape::Dim;
use crate::value::Value;

pub static LIFTERS: &[Lifter] = &[Lifter::ml(
    "OneHotEncoder",
    &[1],
    &[("cats_int64s", Form::Ints), ("cats_strings", Form::Texts), ("zeros", Form::Int)],
    lift,
)];

fn lift(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = node.tensor(0)?;
    let (ints, texts) = (node.attributes().ints("cats_int64s"), node.attributes().texts("cats_strings"));
    let (used, unused) = if x.elem == Elem::Str { (texts.len(), ints.len()) } else { (ints.len(), texts.len()) };
    if used == 0 || unused > 0 || x.elem == Elem::Bool {
        let found = format!("{} integer and {} string categories", ints.len(), texts.len());
        return Err(node.bad_attribute(format!("{found} for an input of {}", x.elem.name())));
    }
    if x.shape.rank() > 2 {
        return Err(node.bad_shape(format!("an input {}; two axes at most are expected", x.shape)));
    }
    let (categories, places) = if x.elem == Elem::Str {
        let (categories, places) = last_of_equals(texts);
        (Frame::row_str(categories), places)
    } else {
        let (categories, places) = last_of_equals(ints.to_vec());
        (Frame::row_i64(categories), places)
    };
    let index = positions(node, x.node, categories, &places)?;
    if node.attributes().int("zeros").unwrap_or(1) == 0 {
        let zero = node.constant(Frame::row_i64([0]))?;
        let known = node.op(Op::Ge, &[index, zero])?;
        node.refuse_unless(known)?;
    }
    let ty = FrameType::new(DType::F32, used as u32);
    let parts = (0..node.width(index))
        .map(|c| {
            let column = node.column(index, c)?;
            node.op_with(Op::OneHot, Attr::Type(ty), &[column])
        })
        .collect::<Res<Vec<_>>>()?;
    let ones = node.concat(&parts)?;
    let mut shape = x.shape;
    shape.0.push(Dim::Fixed(used as u64));
    node.give(Elem::F32, shape, ones)
}

/// The position of each element among the categories, -1 where it is none.
fn positions(node: &mut Node<'_, '_>, x: NodeId, categories: Frame, places: &[i64]) -> Res<NodeId> {
    let is_float = node.lift.b.frame_type(x).is_some_and(|t| t.dtype.is_float());
    let x = if is_float {
        let ty = FrameType::new(DType::I64, node.width(x)).nullable();
        node.op_with(Op::Cast, Attr::Type(ty), &[x])?
    } else {
        x
    };
    let categories = node.constant(categories)?;
    let mut index = node.op(Op::IndexOf, &[x, categories])?;
    let none = node.constant(Frame::row_i64([-1]))?;
    if is_float {
        index = node.op(Op::Coalesce, &[index, none])?;
    }
    if places.iter().enumerate().all(|(i, p)| *p == i as i64) {
        return Ok(index);
    }
    let table = Frame { rows: places.len(), width: 1, ..Frame::row_i64(places) };
    let place = node.look_up(index, table)?;
    let zero = node.constant(Frame::row_i64([0]))?;
    let unknown = node.op(Op::Lt, &[index, zero])?;
    node.op(Op::Select, &[unknown, none, place])
}

/// Each distinct value, and the place of its last occurrence.
fn last_of_equals<T: Clone + Eq + Hash>(values: Vec<T>) -> (Vec<T>, Vec<i64>) {
    let last: HashMap<T, usize> = values.iter().cloned().enumerate().map(|(i, v)| (v, i)).collect();
    let kept = values.into_iter().enumerate().filter(|(i, v)| last.get(v) == Some(i));
    kept.map(|(i, v)| (v, i as i64)).unzip()
}
