//! `OneHot`: one value where an index is, another elsewhere, along a new axis. An index below 0 counts from behind.
//! Source: ai.onnx OneHot-9 … -28.

use flock_ir_spec::{DType, Frame, Op};

use super::Lifter;
use crate::Res;
use crate::attributes::Form;
use crate::node::Node;
use crate::shape::{self, Dim};
use crate::value::Value;

pub static LIFTERS: &[Lifter] =
    &[Lifter { attributes: &[("axis", Form::Int)], ..Lifter::main("OneHot", &[9, 11, 28], 3..=3, lift) }];

fn lift(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let (indices, depth, values) = (node.number_tensor(0)?, node.literal(1)?, node.tensor(2)?);
    let depth = depth.ints().filter(|d| d.len() == 1).map(|d| d[0]).or_else(|| depth.float().map(|d| d as i64));
    let depth = depth.filter(|d| *d > 0).ok_or_else(|| node.bad_shape("one depth above 0 is expected"))?;
    if values.shape.rows_axis().is_some() || values.shape.width() != Some(2) {
        return Err(node.bad_shape(format!("values {}, expected two", values.shape)));
    }
    let rank = indices.shape.rank() as i64;
    let axis = node.attributes().int("axis").unwrap_or(-1);
    let axis = if axis < 0 { axis.saturating_add(rank + 1) } else { axis };
    if !(0..=rank).contains(&axis) {
        return Err(node.bad_attribute(format!("axis {axis} of {}", rank + 1)));
    }
    let mut shape = indices.shape.clone();
    shape.0.insert(axis as usize, Dim::Fixed(depth as u64));
    node.spend(4 * u64::from(node.frame_width(&shape)?))?;
    let mut sources = indices.shape.offsets();
    sources.insert(axis as usize, vec![0; depth as usize]);
    let mut places = shape.offsets().iter().map(|o| vec![0; o.len()]).collect::<Vec<_>>();
    places[axis as usize] = (0..depth).collect();
    let places = shape::sums(&places);
    let index = node.cast(indices.node, DType::I64)?;
    let index = node.pick(index, &sources)?;
    let behind = node.constant(Frame::row_i64(places.iter().map(|p| p - depth).collect::<Vec<_>>()))?;
    let places = node.constant(Frame::row_i64(places))?;
    let (front, back) = (node.op(Op::Eq, &[index, places])?, node.op(Op::Eq, &[index, behind])?);
    let here = node.op(Op::Or, &[front, back])?;
    let (off, on) = (node.column(values.node, 0)?, node.column(values.node, 1)?);
    let value = node.op(Op::Select, &[here, on, off])?;
    node.give(values.elem, shape, value)
}
