//! `SequenceConstruct` and its like, `Optional` and its like: lists of tensors whose length is known, and what may be absent.
//! Source: ai.onnx SequenceConstruct-11, SequenceEmpty-11, SequenceInsert-11, SequenceErase-11, SequenceAt-11,
//! SequenceLength-11, SplitToSequence-11, -24, ConcatFromSequence-11, Optional-15, OptionalGetElement-15, -18,
//! OptionalHasElement-15, -18.

use std::sync::Arc;

use flock_ir_spec::Data;

use super::Lifter;
use crate::Res;
use crate::attributes::{Declared, Form};
use crate::body::{Body, Given, input};
use crate::elem::Elem;
use crate::literal::Literal;
use crate::node::Node;
use crate::value::Value;

const AXIS: Declared = ("axis", Form::Int);

pub static LIFTERS: &[Lifter] = &[
    Lifter::main("SequenceConstruct", &[11], 1..=usize::MAX, construct),
    Lifter { ignores: &["dtype"], ..Lifter::main("SequenceEmpty", &[11], 0..=0, |_| Ok(vec![Vec::new().into()])) },
    Lifter::main("SequenceInsert", &[11], 2..=3, insert),
    Lifter::main("SequenceErase", &[11], 1..=2, erase),
    Lifter::main("SequenceAt", &[11], 2..=2, at),
    Lifter::main("SequenceLength", &[11], 1..=1, length),
    Lifter { attributes: &[AXIS, ("keepdims", Form::Int)], ..Lifter::main("SplitToSequence", &[11, 24], 1..=2, split) },
    Lifter { attributes: &[AXIS, ("new_axis", Form::Int)], ..Lifter::main("ConcatFromSequence", &[11], 1..=1, concat) },
    Lifter { ignores: &["type"], ..Lifter::main("Optional", &[15], 0..=1, optional) },
    Lifter::main("OptionalGetElement", &[15, 18], 1..=1, element),
    Lifter::main("OptionalHasElement", &[15, 18], 0..=1, has_element),
];

/// Elements of a list.
const MAX_LENGTH: usize = 1 << 16;

impl From<Vec<Value>> for Value {
    fn from(values: Vec<Value>) -> Value {
        Value::Sequence(Arc::new(values))
    }
}

impl Node<'_, '_> {
    fn sequence(&self, i: usize) -> Res<Vec<Value>> {
        match self.inputs.get(i) {
            Some(Some(Value::Sequence(values))) => Ok(values.to_vec()),
            Some(Some(other)) => {
                let found = other.describe();
                Err(self.fault("flock::lift::type", format!("input {i} is {found}, expected a sequence")))
            }
            _ => Err(self.fault("flock::lift::arity", format!("input {i} is left out"))),
        }
    }

    /// A known place in a list, from behind where it is negative.
    fn place(&self, i: usize, len: usize) -> Res<usize> {
        let [place] = self.ints(i)?[..] else { return Err(self.bad_shape("one place is expected")) };
        let from_behind = place.saturating_add(len as i64);
        let place = if place < 0 { from_behind } else { place };
        usize::try_from(place).map_err(|_| self.bad_shape(format!("place {place} of a sequence of {len}")))
    }
}

fn construct(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let values: Vec<Value> = node.inputs.iter().flatten().cloned().collect();
    node.spend(values.len() as u64)?;
    Ok(vec![values.into()])
}

fn insert(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let mut values = node.sequence(0)?;
    let place = if node.has(2) { node.place(2, values.len())? } else { values.len() };
    node.spend(values.len() as u64)?;
    let value = node.inputs[1].clone().ok_or_else(|| node.fault("flock::lift::arity", "input 1 is left out"))?;
    if place > values.len() || values.len() >= MAX_LENGTH {
        return Err(node.bad_shape(format!("place {place} of a sequence of {}", values.len())));
    }
    values.insert(place, value);
    Ok(vec![values.into()])
}

fn erase(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let mut values = node.sequence(0)?;
    let place = if node.has(1) { node.place(1, values.len())? } else { values.len().wrapping_sub(1) };
    if place >= values.len() {
        return Err(node.bad_shape(format!("place {place} of a sequence of {}", values.len())));
    }
    values.remove(place);
    Ok(vec![values.into()])
}

fn at(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let values = node.sequence(0)?;
    let place = node.place(1, values.len())?;
    let value = values.get(place).cloned();
    value.map(|v| vec![v]).ok_or_else(|| node.bad_shape(format!("place {place} of a sequence of {}", values.len())))
}

fn known(node: &Node<'_, '_>, elem: Elem, data: Data) -> Res<Vec<Value>> {
    let literal = Literal::new(elem, Vec::new(), data).ok_or_else(|| node.bad_shape("no scalar"))?;
    Ok(vec![literal.into()])
}

fn length(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let n = node.sequence(0)?.len() as i64;
    known(node, Elem::I64, Data::I64(vec![n]))
}

fn split(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = node.tensor(0)?;
    let axis = node.axis_attribute(&x.shape, 0)?;
    let n = node.extent(&x.shape, axis)? as i64;
    let lengths = match node.has(1) {
        false => vec![1; n as usize],
        true if node.literal(1)?.dims.is_empty() => {
            let each = node.ints(1)?.first().copied().filter(|e| *e > 0);
            let each = each.ok_or_else(|| node.bad_shape("parts of no elements"))?;
            (0..n).step_by(each as usize).map(|start| each.min(n - start)).collect()
        }
        true => node.ints(1)?,
    };
    if lengths.iter().any(|l| *l < 0) || lengths.iter().sum::<i64>() != n || lengths.len() > MAX_LENGTH {
        return Err(node.bad_shape(format!("parts of {lengths:?} of {n}")));
    }
    let mut body = Body::new(1);
    let mut start = 0;
    let mut parts = Vec::new();
    for length in lengths {
        let part = body.slice("x0", axis as i64, start..start + length, 1);
        let flat = !node.has(1) && node.attributes().int("keepdims") == Some(0);
        let axis = body.ints(&[axis as i64]);
        parts.push(if flat { body.op("Squeeze", &[&part, &axis]) } else { part });
        start += length;
    }
    // As it came: what is known stays known.
    let x = node.inputs[0].clone();
    let parts = node.written_out(body, vec![x], &parts)?;
    Ok(vec![parts.into()])
}

fn concat(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let values = node.sequence(0)?;
    let axis = node.attributes().int("axis").ok_or_else(|| node.bad_attribute("no axis"))?;
    if values.is_empty() {
        return Err(node.unsupported("an empty sequence as a tensor"));
    }
    if node.attributes().flag("new_axis") {
        return Ok(vec![node.stacked(values, axis)?]);
    }
    let mut body = Body::new(values.len());
    let names: Vec<String> = (0..values.len()).map(input).collect();
    let parts: Vec<&str> = names.iter().map(String::as_str).collect();
    let all = body.op_with("Concat", &parts, &[("axis", Given::Int(axis))]);
    node.written_out(body, values.into_iter().map(Some).collect(), &[all])
}

fn optional(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    Ok(vec![node.inputs.first().cloned().flatten().unwrap_or(Value::Absent)])
}

fn element(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    match node.inputs.first().cloned().flatten() {
        None | Some(Value::Absent) => Err(node.unsupported("an element of what is absent")),
        Some(value) => Ok(vec![value]),
    }
}

fn has_element(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let has = !matches!(node.inputs.first(), None | Some(None) | Some(Some(Value::Absent)));
    known(node, Elem::Bool, Data::Bool(vec![has]))
}
