//! `Split`: an axis, which is not the rows', in parts.
//! Source: ai.onnx Split-2, -11 (lengths as attribute), -13 (as input), -18 (or a number of parts, the last one shorter).

use super::Lifter;
use crate::Res;
use crate::attributes::Form;
use crate::node::Node;
use crate::shape::Dim;
use crate::value::Value;

pub static LIFTERS: &[Lifter] = &[Lifter {
    attributes: &[("axis", Form::Int), ("split", Form::Ints), ("num_outputs", Form::Int)],
    outputs: 1..=usize::MAX,
    ..Lifter::main("Split", &[2, 11, 13, 18], 1..=2, lift)
}];

fn lift(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = node.tensor_or_empty(0)?;
    let axis = node.attributes().int("axis").unwrap_or(0);
    let axis = x.shape.axis(axis).ok_or_else(|| node.bad_attribute(format!("axis {axis} of a tensor {}", x.shape)))?;
    let Dim::Fixed(extent) = x.shape.0[axis] else {
        return Err(node.mixes_rows(format!("it splits the rows of a tensor {}", x.shape)));
    };
    let offsets = x.shape.offsets();
    let mut values = Vec::new();
    let mut start = 0usize;
    for length in lengths(node, extent)? {
        let end = start + length as usize;
        let mut part = offsets.clone();
        part[axis] = offsets[axis][start..end].to_vec();
        let mut shape = x.shape.clone();
        shape.0[axis] = Dim::Fixed(length);
        values.extend(node.picked(&x, &part, shape)?);
        start = end;
    }
    Ok(values)
}

/// The lengths of the parts, which add up to the extent.
fn lengths(node: &Node<'_, '_>, extent: u64) -> Res<Vec<u64>> {
    let parts = node.proto.output.len() as u64;
    let given = if node.has(1) { node.ints(1)? } else { node.attributes().ints("split").to_vec() };
    if !given.is_empty() {
        let lengths: Option<Vec<u64>> = given.iter().map(|n| u64::try_from(*n).ok()).collect();
        let sum = |l: &Vec<u64>| l.iter().try_fold(0u64, |a, n| a.checked_add(*n));
        let fits = |l: &Vec<u64>| sum(l) == Some(extent) && l.len() as u64 == parts;
        return lengths.filter(fits).ok_or_else(|| node.bad_attribute(format!("parts of {given:?} of {extent}, {parts} outputs")));
    }
    let count = node.attributes().int("num_outputs").map_or(Some(parts), |n| u64::try_from(n).ok());
    let each = extent.div_ceil(parts);
    let uneven = !extent.is_multiple_of(parts);
    if count != Some(parts) || (uneven && node.version() < 18) || each * (parts - 1) >= extent {
        return Err(node.bad_attribute(format!("{extent} in {parts} parts")));
    }
    let mut lengths = vec![each; parts as usize - 1];
    lengths.push(extent - each * (parts - 1));
    Ok(lengths)
}
