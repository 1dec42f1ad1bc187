//! `CastMap`, `DictVectorizer`: numbers by label as a tensor. Their maps come from a `ZipMap` through `SequenceAt`; as an
//! input of the graph a map has keys that nothing says, and is refused.
//! Source: ai.onnx.ml CastMap-1, DictVectorizer-1; ai.onnx SequenceAt-11; onnxruntime `ml/cast_map.cc`,
//! `ml/dictvectorizer.cc`.

use std::collections::HashMap;

use flock_ir_spec::Frame;

use super::Lifter;
use crate::Res;
use crate::attributes::Form;
use crate::elem::Elem;
use crate::labels::Labels;
use crate::node::Node;
use crate::shape::Dim;
use crate::value::{Map, Tensor, Value};

pub static LIFTERS: &[Lifter] = &[
    Lifter::ml("CastMap", &[1], &[("cast_to", Form::Text), ("map_form", Form::Text), ("max_map", Form::Int)], cast_map),
    Lifter::ml("DictVectorizer", &[1], &[("int64_vocabulary", Form::Ints), ("string_vocabulary", Form::Texts)], vectorize),
    Lifter::main("SequenceAt", &[11], 2..=2, element),
];

fn map(node: &Node<'_, '_>) -> Res<Map> {
    match &node.inputs[0] {
        Some(Value::Map(map)) => Ok(map.clone()),
        other => {
            let found = other.as_ref().map_or_else(|| "nothing".into(), Value::describe);
            Err(node.fault("flock::lift::type", format!("input 0 is {found}, expected a map of ZipMap")))
        }
    }
}

/// A map of a sequence of maps: where a row is a call, of the only one that there is.
fn element(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let map = map(node)?;
    let [index] = node.ints(1)?[..] else { return Err(node.bad_shape("one index is expected")) };
    if map.numbers.shape.0.first() != Some(&Dim::Fixed(1)) {
        return Err(node.mixes_rows("it takes one row's map for all rows"));
    }
    if ![0, -1].contains(&index) {
        return Err(node.bad_shape(format!("element {index} of a sequence of one")));
    }
    Ok(vec![Value::Map(map)])
}

/// The numbers at each label of a list, 0 where there is none.
fn chosen<L: std::hash::Hash + Eq>(node: &mut Node<'_, '_>, map: &Map, keys: &[L], wanted: &[L]) -> Res<Tensor> {
    let places: HashMap<&L, i64> = keys.iter().zip(0..).collect();
    let places = wanted.iter().map(|w| places.get(w).copied()).collect();
    let zero = node.constant(Frame::row_f32([0.0]))?;
    let value = node.filled(map.numbers.node, places, Some(zero), Elem::F32)?;
    let mut shape = map.numbers.shape.clone();
    if let Some(last) = shape.0.last_mut() {
        *last = Dim::Fixed(wanted.len() as u64);
    }
    node.gives(Elem::F32, shape, value)
}

fn vectorize(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let map = map(node)?;
    let vocabulary = node.labels("int64_vocabulary", "string_vocabulary")?;
    let labels = map.labels.clone();
    let tensor = match (&*labels, &vocabulary) {
        (Labels::Ints(keys), Labels::Ints(wanted)) => chosen(node, &map, keys, wanted)?,
        (Labels::Texts(keys), Labels::Texts(wanted)) => chosen(node, &map, keys, wanted)?,
        _ => return Err(node.bad_attribute("a vocabulary of another type than the keys")),
    };
    Ok(vec![tensor.into()])
}

/// In the order of the keys, or with `map_form` `SPARSE` each at its key.
fn cast_map(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let map = map(node)?;
    let labels = map.labels.clone();
    let Labels::Ints(keys) = &*labels else { return Err(node.unsupported("a map of text keys")) };
    let a = node.attributes();
    let wanted: Vec<i64> = match a.text("map_form").unwrap_or("DENSE") {
        "DENSE" => {
            let mut sorted = keys.clone();
            sorted.sort_unstable();
            sorted
        }
        "SPARSE" => {
            let n = a.int("max_map").filter(|n| (1..=1 << 24).contains(n)).unwrap_or(1);
            if keys.iter().any(|k| !(0..n).contains(k)) {
                return Err(node.bad_attribute(format!("keys that are not below {n}")));
            }
            (0..n).collect()
        }
        other => return Err(node.bad_attribute(format!("map_form `{other}` is unknown"))),
    };
    let tensor = chosen(node, &map, keys, &wanted)?;
    let to = match a.text("cast_to").unwrap_or("TO_FLOAT") {
        "TO_FLOAT" => Elem::F32,
        "TO_INT64" => Elem::I64,
        other => return Err(node.unsupported(format!("cast_to `{other}` of numbers"))),
    };
    let value = node.converted(&tensor, to)?;
    node.give(to, tensor.shape, value)
}
