//! `CastMap`, `DictVectorizer`: numbers by key as a tensor.
//!
//! Their maps are inputs of the graph, one a call. A vocabulary, or a number of keys, says which keys count: each is a
//! column of the data, null where the map of a row has it not, which is 0. Where a tensor has a number for each key that
//! is there, how wide it is depends on the data.
//! Source: ai.onnx.ml CastMap-1, DictVectorizer-1; onnxruntime `ml/cast_map.cc`, `ml/dictvectorizer.cc`.

use std::collections::{HashMap, HashSet};

use onnx_protobuf::GraphProto;

use super::Lifter;
use crate::Res;
use crate::attributes::{Attributes, Form};
use crate::elem::Elem;
use crate::labels::Labels;
use crate::node::{Node, zero};
use crate::shape::Dim;
use crate::value::{Map, Tensor, Value};

pub static LIFTERS: &[Lifter] = &[
    Lifter::ml("CastMap", &[1], &[("cast_to", Form::Text), ("map_form", Form::Text), ("max_map", Form::Int)], cast_map),
    Lifter::ml("DictVectorizer", &[1], &[("int64_vocabulary", Form::Ints), ("string_vocabulary", Form::Texts)], vectorize),
];

fn map(node: &Node<'_, '_>) -> Res<Map> {
    match &node.inputs[0] {
        Some(Value::Map(map)) => Ok(map.clone()),
        other => {
            let found = other.as_ref().map_or_else(|| "nothing".into(), Value::describe);
            Err(node.fault("flock::lift::type", format!("input 0 is {found}, expected a map")))
        }
    }
}

/// Keys that a map may have.
const MAX_KEYS: i64 = 1 << 20;

/// The keys of an input of the graph that is a map, by the operators that read it.
pub fn keys(graph: &GraphProto, name: &str, text: bool) -> Result<Labels, String> {
    let (mut ints, mut texts) = (Vec::new(), Vec::new());
    for node in graph.node.iter().filter(|n| n.input.iter().any(|i| i == name)) {
        let a = Attributes(node);
        let sparse = a.text("map_form") == Some("SPARSE");
        match node.op_type.as_str() {
            "DictVectorizer" => {
                ints.extend_from_slice(a.ints("int64_vocabulary"));
                texts.extend(a.texts("string_vocabulary"));
            }
            "CastMap" if sparse => ints.extend(0..a.int("max_map").unwrap_or(1).min(MAX_KEYS)),
            "CastMap" => return Err("a map in dense form: how wide it is depends on the data".into()),
            other => return Err(format!("a map that `{other}` reads: what its keys are is not known")),
        }
    }
    let (ints, texts) = (once(ints), once(texts));
    match text {
        true if ints.is_empty() && !texts.is_empty() => Ok(Labels::Texts(texts)),
        false if texts.is_empty() && !ints.is_empty() => Ok(Labels::Ints(ints)),
        _ => Err("a map without keys of its type that are read".into()),
    }
}

/// Each of several once, in their order.
fn once<T: Clone + Eq + std::hash::Hash>(all: Vec<T>) -> Vec<T> {
    let mut seen = HashSet::new();
    all.into_iter().filter(|x| seen.insert(x.clone())).collect()
}

/// The numbers at each label of a list, 0 where there is none.
fn chosen<L: std::hash::Hash + Eq>(node: &mut Node<'_, '_>, map: &Map, keys: &[L], wanted: &[L]) -> Res<Tensor> {
    let places: HashMap<&L, i64> = keys.iter().zip(0..).collect();
    let places = wanted.iter().map(|w| places.get(w).copied()).collect();
    let elem = map.numbers.elem;
    let zero = node.constant(zero(elem.dtype()))?;
    let value = node.filled(map.numbers.node, places, Some(zero), elem)?;
    let mut shape = map.numbers.shape.clone();
    if let Some(last) = shape.0.last_mut() {
        *last = Dim::Fixed(wanted.len() as u64);
    }
    node.gives(elem, shape, value)
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

/// Each number at its key.
fn cast_map(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let map = map(node)?;
    let labels = map.labels.clone();
    let Labels::Ints(keys) = &*labels else { return Err(node.unsupported("a map of text keys")) };
    let a = node.attributes();
    let wanted: Vec<i64> = match a.text("map_form").unwrap_or("DENSE") {
        "DENSE" => return Err(node.unsupported("a map in dense form: how wide it is depends on the data")),
        "SPARSE" => {
            let n = a.int("max_map").filter(|n| (1..=MAX_KEYS).contains(n)).unwrap_or(1);
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
