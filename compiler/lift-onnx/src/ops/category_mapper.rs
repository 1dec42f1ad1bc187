//! `CategoryMapper`: from strings to integers by two lists, or back; what is in neither gets the default. Of equal keys the
//! last counts.
//! Source: ai.onnx.ml CategoryMapper-1; onnxruntime `ml/category_mapper.cc`.

use std::collections::HashSet;
use std::hash::Hash;

use flock_ir_spec::{Frame, Op};

use super::Lifter;
use crate::Res;
use crate::attributes::Form;
use crate::elem::Elem;
use crate::node::Node;
use crate::value::Value;

pub static LIFTERS: &[Lifter] = &[Lifter::ml(
    "CategoryMapper",
    &[1],
    &[
        ("cats_int64s", Form::Ints),
        ("cats_strings", Form::Texts),
        ("default_int64", Form::Int),
        ("default_string", Form::Text),
    ],
    lift,
)];

fn lift(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = node.tensor(0)?;
    let a = node.attributes();
    let (ints, texts) = (a.ints("cats_int64s").to_vec(), a.texts("cats_strings"));
    if ints.len() != texts.len() || ints.is_empty() {
        return Err(node.bad_attribute(format!("{} integers and {} strings", ints.len(), texts.len())));
    }
    let (ints, texts) = if x.elem == Elem::Str { last_of_keys(texts, ints, |t, i| (i, t)) } else { last_of_keys(ints, texts, |i, t| (i, t)) };
    let n = ints.len();
    let (ints, texts) = (Frame::row_i64(ints), Frame::row_str(texts));
    let (keys, values, default, elem) = match x.elem {
        Elem::Str => (texts, ints, Frame::row_i64([a.int("default_int64").unwrap_or(-1)]), Elem::I64),
        Elem::I64 => (ints, texts, Frame::row_str([a.text("default_string").unwrap_or("_Unused")]), Elem::Str),
        other => return Err(node.wrong_type(0, other, "int64 or string")),
    };
    let keys = node.constant(keys)?;
    let index = node.op(Op::IndexOf, &[x.node, keys])?;
    let found = node.look_up(index, Frame { rows: n, width: 1, ..values })?;
    let zero = node.int(0)?;
    let unknown = node.op(Op::Lt, &[index, zero])?;
    let default = node.constant(default)?;
    let value = node.op(Op::Select, &[unknown, default, found])?;
    node.give(elem, x.shape, value)
}

/// The pairs without those whose key comes again, as two lists in the caller's order.
fn last_of_keys<K: Clone + Eq + Hash, V, A, B>(keys: Vec<K>, values: Vec<V>, order: impl Fn(K, V) -> (A, B)) -> (Vec<A>, Vec<B>) {
    let mut seen = HashSet::new();
    keys.into_iter().zip(values).rev().filter(|(k, _)| seen.insert(k.clone())).map(|(k, v)| order(k, v)).unzip()
}
