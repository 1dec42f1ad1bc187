//! `Gather`: slices of an axis by index, from behind where the index is negative.
//!
//! Known indices choose columns. Known data and indices of a row choose a slice of the first axis for each of them (an
//! embedding); a row with an index that is none is refused.
//! Source: ai.onnx Gather-1 … -13.

use flock_ir_spec::Frame;

use super::Lifter;
use crate::Res;
use crate::attributes::Form;
use crate::literal::Literal;
use crate::node::Node;
use crate::shape::{Dim, Shape};
use crate::value::Value;

pub static LIFTERS: &[Lifter] =
    &[Lifter { attributes: &[("axis", Form::Int)], ..Lifter::main("Gather", &[1, 11, 13], 2..=2, lift) }];

fn lift(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let axis = node.attributes().int("axis").unwrap_or(0);
    match (&node.inputs[0], &node.inputs[1]) {
        (_, Some(Value::Literal(_))) => columns(node, axis),
        (Some(Value::Literal(data)), _) => {
            let data = data.clone();
            by_row(node, &data, axis)
        }
        _ => Err(node.mixes_rows("every row's indices choose from every row")),
    }
}

fn columns(node: &mut Node<'_, '_>, axis: i64) -> Res<Vec<Value>> {
    let (x, literal) = (node.tensor(0)?, node.literal(1)?);
    let indices = node.ints(1)?;
    let axis = x.shape.axis(axis).ok_or_else(|| node.bad_attribute(format!("axis {axis} of a tensor {}", x.shape)))?;
    let Dim::Fixed(extent) = x.shape.0[axis] else {
        return Err(node.mixes_rows(format!("it chooses among the rows of a tensor {}", x.shape)));
    };
    let stride = x.shape.strides()[axis];
    let extent = extent as i64;
    let offset = |i: &i64| {
        let place = if *i < 0 { i + extent } else { *i };
        if (0..extent).contains(&place) { Ok(place * stride) } else { Err(*i) }
    };
    let offsets: Result<Vec<i64>, i64> = indices.iter().map(offset).collect();
    let chosen = offsets.map_err(|i| node.bad_shape(format!("index {i} of an axis of {extent}")))?;
    let mut offsets = x.shape.offsets();
    offsets[axis] = chosen;
    let mut shape = x.shape.clone();
    shape.0.splice(axis..=axis, literal.dims.iter().map(|d| Dim::Fixed(*d)));
    let picked = node.pick(x.node, &offsets)?;
    node.give(x.elem, shape, picked)
}

fn by_row(node: &mut Node<'_, '_>, data: &Literal, axis: i64) -> Res<Vec<Value>> {
    let index = node.tensor(1)?;
    let (Some(rows), 0) = (data.dims.first().copied().filter(|r| *r > 0), axis) else {
        return Err(node.unsupported(format!("an index per row into axis {axis} of data {}", data.shape())));
    };
    if !index.elem.is_int() {
        return Err(node.unsupported(format!("indices {} {}", index.elem.name(), index.shape)));
    }
    let width = data.len() / rows as usize;
    let places = node.index_within(index.node, rows, true)?;
    let value = node.look_up(places, table(&data.frame, rows as usize, width))?;
    let mut shape: Shape = index.shape;
    shape.0.extend(data.dims[1..].iter().map(|d| Dim::Fixed(*d)));
    node.give(data.elem, shape, value)
}

/// A row of all elements as a table.
fn table(all: &Frame, rows: usize, width: usize) -> Frame {
    let order = (0..width).flat_map(|j| (0..rows).map(move |i| Some(i * width + j))).collect::<Vec<_>>();
    let column = Frame { rows: all.len(), width: 1, ..all.clone() };
    Frame { rows, width, ..column.gather(&order) }
}
