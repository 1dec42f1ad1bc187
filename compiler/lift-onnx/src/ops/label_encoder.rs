//! `LabelEncoder`: from keys to values, element by element; what is no key gets the default.
//!
//! Version 1 has one list of strings and goes from them to their positions, or back. From version 2 keys and values are
//! lists (of equal keys the first counts, and NaN is no key); from version 4 they may be tensors, and NaN is a key.
//! Source: ai.onnx.ml LabelEncoder-1, -2, -4; onnxruntime `ml/label_encoder.cc`.

use std::collections::HashSet;
use std::sync::Arc;

use flock_ir_spec::{Data, Frame, Op};

use super::Lifter;
use crate::Res;
use crate::attributes::Form;
use crate::elem::Elem;
use crate::literal::Literal;
use crate::node::Node;
use crate::value::Value;

pub static LIFTERS: &[Lifter] = &[Lifter::ml(
    "LabelEncoder",
    &[1, 2, 4],
    &[
        ("classes_strings", Form::Texts),
        ("keys_strings", Form::Texts),
        ("keys_int64s", Form::Ints),
        ("keys_floats", Form::Floats),
        ("keys_tensor", Form::Tensor),
        ("values_strings", Form::Texts),
        ("values_int64s", Form::Ints),
        ("values_floats", Form::Floats),
        ("values_tensor", Form::Tensor),
        ("default_string", Form::Text),
        ("default_int64", Form::Int),
        ("default_float", Form::Float),
        ("default_tensor", Form::Tensor),
    ],
    lift,
)];

fn lift(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = node.tensor(0)?;
    let (keys, values) = if node.version() == 1 { classes(node, x.elem)? } else { lists(node)? };
    if keys.elem != x.elem {
        return Err(node.bad_attribute(format!("keys of {} for an input of {}", keys.elem.name(), x.elem.name())));
    }
    let default = default(node, values.elem)?;
    let n = keys.len();
    let keys = node.constant(keys.frame)?;
    let index = node.op(Op::IndexOf, &[x.node, keys])?;
    let found = node.look_up(index, Frame { rows: n, width: 1, ..values.frame })?;
    let zero = node.constant(Frame::row_i64([0]))?;
    let unknown = node.op(Op::Lt, &[index, zero])?;
    let default = node.constant(default)?;
    let value = node.op(Op::Select, &[unknown, default, found])?;
    node.give(values.elem, x.shape, value)
}

/// Version 1: strings to positions, where the last of equals counts, or positions to strings.
fn classes(node: &mut Node<'_, '_>, from: Elem) -> Res<(Literal, Literal)> {
    let classes = node.attributes().texts("classes_strings");
    if classes.is_empty() {
        return Err(node.bad_attribute("no classes"));
    }
    let positions: Vec<i64> = (0..classes.len() as i64).collect();
    if from != Elem::Str {
        return Ok((Literal::of_ints(positions), texts(classes)));
    }
    let mut seen = HashSet::new();
    let last: Vec<(Arc<str>, i64)> =
        classes.into_iter().zip(positions).rev().filter(|(c, _)| seen.insert(c.clone())).collect();
    let (keys, values) = last.into_iter().unzip();
    Ok((texts(keys), Literal::of_ints(values)))
}

fn texts(values: Vec<Arc<str>>) -> Literal {
    Literal { elem: Elem::Str, dims: vec![values.len() as u64], frame: Frame::row_str(values) }
}

/// From version 2: one list of keys, one of values.
fn lists(node: &mut Node<'_, '_>) -> Res<(Literal, Literal)> {
    let (keys, values) = (list(node, "keys")?, list(node, "values")?);
    if keys.len() != values.len() || keys.len() == 0 {
        return Err(node.bad_attribute(format!("{} keys and {} values", keys.len(), values.len())));
    }
    if node.version() < 4 { Ok(without_nan(keys, values)) } else { Ok((keys, values)) }
}

fn list(node: &mut Node<'_, '_>, what: &str) -> Res<Literal> {
    let a = node.attributes();
    let (strings, ints) = (a.texts(&format!("{what}_strings")), a.ints(&format!("{what}_int64s")));
    let floats = a.floats(&format!("{what}_floats"));
    let tensor = node.tensor_attribute(&format!("{what}_tensor"))?;
    let given = [!strings.is_empty(), !ints.is_empty(), !floats.is_empty(), tensor.is_some()];
    if given.iter().filter(|g| **g).count() != 1 {
        return Err(node.bad_attribute(format!("{what} are expected in one form")));
    }
    Ok(match tensor {
        Some(tensor) => tensor,
        None if !strings.is_empty() => texts(strings),
        None if !ints.is_empty() => Literal::of_ints(ints.to_vec()),
        None => Literal { elem: Elem::F32, dims: vec![floats.len() as u64], frame: Frame::row_f32(floats) },
    })
}

/// Before version 4 NaN equals no key; the IR's `index_of` finds it.
fn without_nan(keys: Literal, values: Literal) -> (Literal, Literal) {
    let Data::F32(floats) = &keys.frame.data else { return (keys, values) };
    let kept: Vec<usize> = (0..floats.len()).filter(|i| !floats[*i].is_nan()).collect();
    if kept.len() == floats.len() || kept.is_empty() {
        return (keys, values);
    }
    let select = |l: &Literal| {
        let rows: Vec<Option<usize>> = kept.iter().map(|i| Some(*i)).collect();
        let column = Frame { rows: l.len(), width: 1, ..l.frame.clone() };
        let column = column.gather(&rows);
        Literal { elem: l.elem, dims: vec![kept.len() as u64], frame: Frame { rows: 1, width: kept.len(), ..column } }
    };
    (select(&keys), select(&values))
}

/// What an unknown key gives, of the type of the values.
fn default(node: &mut Node<'_, '_>, elem: Elem) -> Res<Frame> {
    if let Some(tensor) = node.tensor_attribute("default_tensor")? {
        return match (tensor.elem == elem, tensor.len()) {
            (true, 1) => Ok(tensor.frame),
            _ => Err(node.bad_attribute(format!("a default of {} for values of {}", tensor.elem.name(), elem.name()))),
        };
    }
    let a = node.attributes();
    Ok(match elem {
        Elem::Str => Frame::row_str([a.text("default_string").unwrap_or("_Unused")]),
        Elem::F32 | Elem::Small(_) => Frame::row_f32([a.float("default_float").unwrap_or(-0.0)]),
        Elem::F64 => Frame::row_f64([f64::from(a.float("default_float").unwrap_or(-0.0))]),
        Elem::Int(_) => Frame::row_i64([a.int("default_int64").unwrap_or(-1)]),
        Elem::Bool => Frame::row_bool([false]),
    })
}
