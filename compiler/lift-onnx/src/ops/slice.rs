//! `Slice`: ranges of axes with a step, from behind where a bound is negative, cut at the ends as numpy cuts them.
//! Source: ai.onnx Slice-1 (bounds as attributes), Slice-10 … -13 (as inputs).

use super::Lifter;
use crate::Res;
use crate::attributes::Form;
use crate::node::Node;
use crate::shape::Dim;
use crate::value::Value;

pub static LIFTERS: &[Lifter] = &[Lifter {
    attributes: &[("starts", Form::Ints), ("ends", Form::Ints), ("axes", Form::Ints)],
    ..Lifter::main("Slice", &[1, 10, 11, 13], 1..=5, lift)
}];

fn lift(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = node.tensor_or_empty(0)?;
    let (starts, ends) = (bounds(node, 1, "starts")?, bounds(node, 2, "ends")?);
    let axes = bounds(node, 3, "axes")?;
    let axes = if axes.is_empty() { (0..starts.len() as i64).collect() } else { axes };
    let steps = if node.has(4) { node.ints(4)? } else { vec![1; starts.len()] };
    if [ends.len(), axes.len(), steps.len()].iter().any(|n| *n != starts.len()) {
        return Err(node.bad_attribute(format!("{} starts, {} ends, {} axes, {} steps", starts.len(), ends.len(), axes.len(), steps.len())));
    }
    let (mut shape, mut offsets, strides) = (x.shape.clone(), x.shape.offsets(), x.shape.strides());
    for (i, a) in axes.iter().enumerate() {
        let axis = shape.axis(*a).ok_or_else(|| node.bad_attribute(format!("axis {a} of a tensor {}", x.shape)))?;
        let (start, end, step) = (starts[i], ends[i], steps[i]);
        match x.shape.0[axis] {
            // From the first row to beyond any number of rows.
            Dim::Rows if (start, step) == (0, 1) && end >= i64::from(i32::MAX) => {}
            Dim::Rows => return Err(node.mixes_rows(format!("rows {start} to {end} of a tensor {}", x.shape))),
            Dim::Fixed(n) => {
                let chosen = range(n as i64, start, end, step).ok_or_else(|| node.bad_attribute("a step of 0"))?;
                shape.0[axis] = Dim::Fixed(chosen.len() as u64);
                offsets[axis] = chosen.into_iter().map(|i| i * strides[axis]).collect();
            }
        }
    }
    node.picked(&x, &offsets, shape)
}

fn bounds(node: &Node<'_, '_>, input: usize, name: &str) -> Res<Vec<i64>> {
    if node.version() < 10 {
        return Ok(node.attributes().ints(name).to_vec());
    }
    if node.has(input) { node.ints(input) } else { Ok(Vec::new()) }
}

/// The indices from `start` to before `end`, both cut to what there is.
fn range(n: i64, start: i64, end: i64, step: i64) -> Option<Vec<i64>> {
    let from_behind = |i: i64| if i < 0 { i.saturating_add(n) } else { i };
    let (start, end) = (from_behind(start), from_behind(end));
    let mut indices = Vec::new();
    if step > 0 {
        let (mut i, end) = (start.clamp(0, n), end.clamp(0, n));
        while i < end {
            indices.push(i);
            i = i.saturating_add(step);
        }
    } else if step < 0 {
        let (mut i, end) = (start.clamp(-1, n - 1), end.clamp(-1, n - 1));
        while i > end {
            indices.push(i);
            i = i.saturating_add(step);
        }
    } else {
        return None;
    }
    Some(indices)
}
