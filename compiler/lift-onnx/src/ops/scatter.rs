//! `GatherElements`, `GatherND`, `ScatterElements`, `Scatter`, `ScatterND`: elements by index.
//!
//! Known indices belong to one call: a tensor of rows would need some for each, as `GatherElements` may have.
//! Source: ai.onnx GatherElements-11, -13, GatherND-11 … -13, ScatterElements-11 … -18, Scatter-9, ScatterND-11 … -18.

use flock_ir_spec::{NodeId, Op};

use super::Lifter;
use crate::Res;
use crate::attributes::{Declared, Form};
use crate::elem::Elem;
use crate::node::Node;
use crate::shape::{Dim, Shape};
use crate::value::{Tensor, Value};

const AXIS: Declared = ("axis", Form::Int);
const REDUCTION: Declared = ("reduction", Form::Text);

pub static LIFTERS: &[Lifter] = &[
    Lifter { attributes: &[AXIS], ..Lifter::main("GatherElements", &[11, 13], 2..=2, gather_elements) },
    Lifter { attributes: &[("batch_dims", Form::Int)], ..Lifter::main("GatherND", &[11, 12, 13], 2..=2, gather_nd) },
    Lifter { attributes: &[AXIS, REDUCTION], ..Lifter::main("ScatterElements", &[11, 13, 16, 18], 3..=3, scatter_elements) },
    Lifter { attributes: &[AXIS], ..Lifter::main("Scatter", &[9, 11], 3..=3, scatter_elements) },
    Lifter { attributes: &[REDUCTION], ..Lifter::main("ScatterND", &[11, 13, 16, 18], 3..=3, scatter_nd) },
];

/// The extents of a tensor that is one call's.
fn extents(node: &Node<'_, '_>, shape: &Shape) -> Res<Vec<i64>> {
    if shape.rows_axis().is_some() {
        return Err(node.mixes_rows(format!("known indices into the rows of a tensor {shape}")));
    }
    Ok(shape.row_dims().into_iter().map(|d| d as i64).collect())
}

/// An index that may count from behind.
fn within(node: &Node<'_, '_>, index: i64, extent: i64) -> Res<i64> {
    let place = if index < 0 { index.saturating_add(extent) } else { index };
    if (0..extent).contains(&place) { Ok(place) } else { Err(node.bad_shape(format!("index {index} of an axis of {extent}"))) }
}

/// The indices along every axis of position p in a tensor of those extents.
fn coordinates(mut p: i64, dims: &[i64]) -> Vec<i64> {
    let mut at = vec![0; dims.len()];
    for (slot, d) in at.iter_mut().zip(dims).rev() {
        *slot = p % d;
        p /= d;
    }
    at
}

/// The positions that indices along one axis choose, in a tensor of `dims`; the other coordinates are the index's own.
fn along(node: &mut Node<'_, '_>, dims: &[i64], input: usize) -> Res<Vec<i64>> {
    let literal = node.literal(input)?;
    let indices = node.ints(input)?;
    let own: Vec<i64> = literal.dims.iter().map(|d| *d as i64).collect();
    let shape = Shape::fixed(&dims.iter().map(|d| *d as u64).collect::<Vec<_>>());
    let axis = node.axis_attribute(&shape, 0)?;
    let fits = own.len() == dims.len() && own.iter().zip(dims).enumerate().all(|(i, (o, d))| i == axis || o <= d);
    if !fits {
        return Err(node.bad_shape(format!("indices {} into {shape}", literal.shape())));
    }
    node.spend(indices.len() as u64)?;
    let strides = shape.strides();
    let place = |(p, index): (usize, &i64)| {
        let mut at = coordinates(p as i64, &own);
        at[axis] = within(node, *index, dims[axis])?;
        Ok(at.iter().zip(&strides).map(|(i, s)| i * s).sum())
    };
    indices.iter().enumerate().map(place).collect()
}

fn gather_elements(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = node.tensor(0)?;
    if let Some(Some(Value::Tensor(index))) = node.inputs.get(1) {
        let index = index.clone();
        return gather_computed(node, &x, &index);
    }
    let dims = extents(node, &x.shape)?;
    let places = along(node, &dims, 1)?;
    let shape = node.literal(1)?.shape();
    let value = node.take(x.node, places)?;
    node.give(x.elem, shape, value)
}

/// Elements along an axis by indices of the same row; a row with an index that is none is refused.
fn gather_computed(node: &mut Node<'_, '_>, x: &Tensor, index: &Tensor) -> Res<Vec<Value>> {
    let axis = node.axis_attribute(&x.shape, 0)?;
    let n = node.extent(&x.shape, axis)?;
    let mut expected = x.shape.clone();
    expected.0[axis] = index.shape.0.get(axis).copied().unwrap_or(Dim::Fixed(0));
    if expected != index.shape || !index.elem.is_int() {
        return Err(node.unsupported(format!("indices {} {} into {}", index.elem.name(), index.shape, x.shape)));
    }
    let places = node.index_within(index.node, n, true)?;
    if index.shape.width().is_some_and(|w| w / n.max(1) > 64) {
        return gather_among_all(node, x, &Tensor { node: places, ..index.clone() }, axis);
    }
    let (from, to) = (node.groups(&x.shape, &[axis as i64])?, node.groups(&index.shape, &[axis as i64])?);
    let mut sources = from.groups.into_iter();
    let index = Tensor { node: places, ..index.clone() };
    let value = node.within_groups(&index, &to, |node, places| {
        let elements = node.take(x.node, sources.next().unwrap_or_default())?;
        let chosen = node.op(Op::Gather, &[elements, places])?;
        node.settled(chosen)
    })?;
    node.give(x.elem, index.shape, value)
}

/// The same by places among all elements of the row, where there are many groups of them.
fn gather_among_all(node: &mut Node<'_, '_>, x: &Tensor, index: &Tensor, axis: usize) -> Res<Vec<Value>> {
    let strides = x.shape.strides();
    let mut offsets: Vec<Vec<i64>> = index.shape.offsets();
    for (a, along) in offsets.iter_mut().enumerate() {
        along.iter_mut().enumerate().for_each(|(i, o)| *o = if a == axis { 0 } else { i as i64 * strides[a] });
    }
    node.spend(u64::from(node.width(index.node)))?;
    let starts = node.constant(flock_ir_spec::Frame::row_i64(crate::shape::sums(&offsets)))?;
    let stride = node.int(strides[axis])?;
    let steps = node.op(Op::Mul, &[index.node, stride])?;
    let places = node.op(Op::Add, &[steps, starts])?;
    let chosen = node.op(Op::Gather, &[x.node, places])?;
    let value = node.settled(chosen)?;
    node.give(x.elem, index.shape.clone(), value)
}

/// The positions at which slices start that known tuples of indices choose, and the extents of such a slice.
fn tuples(node: &mut Node<'_, '_>, dims: &[i64], input: usize, batch: usize) -> Res<(Vec<i64>, Vec<i64>)> {
    let literal = node.literal(input)?;
    let indices = node.ints(input)?;
    let len = literal.dims.last().copied().unwrap_or(0) as usize;
    if literal.dims.len() <= batch || len == 0 || batch + len > dims.len() {
        return Err(node.bad_shape(format!("indices {} into {dims:?}", literal.shape())));
    }
    node.spend(indices.len() as u64)?;
    let strides = Shape::fixed(&dims.iter().map(|d| *d as u64).collect::<Vec<_>>()).strides();
    let own: Vec<i64> = literal.dims[..literal.dims.len() - 1].iter().map(|d| *d as i64).collect();
    let place = |(p, tuple): (usize, &[i64])| -> Res<i64> {
        let outer = coordinates(p as i64, &own);
        let mut at = 0;
        for axis in 0..batch {
            at += outer[axis] * strides[axis];
        }
        for (i, index) in tuple.iter().enumerate() {
            at += within(node, *index, dims[batch + i])? * strides[batch + i];
        }
        Ok(at)
    };
    let starts = indices.chunks(len).enumerate().map(place).collect::<Res<_>>()?;
    Ok((starts, dims[batch + len..].to_vec()))
}

fn gather_nd(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = node.tensor(0)?;
    if let Some(Some(Value::Tensor(index))) = node.inputs.get(1) {
        let index = index.clone();
        return gather_tuples(node, &x, &index);
    }
    let dims = extents(node, &x.shape)?;
    let batch = usize::try_from(node.attributes().int("batch_dims").unwrap_or(0)).unwrap_or(usize::MAX);
    let (starts, slice) = tuples(node, &dims, 1, batch)?;
    let each: i64 = slice.iter().product();
    node.spend((starts.len() as u64).saturating_mul(each as u64))?;
    let places = starts.iter().flat_map(|s| *s..s + each).collect();
    let literal = node.literal(1)?;
    let outer = literal.dims[..literal.dims.len() - 1].iter().copied();
    let shape = Shape(outer.chain(slice.iter().map(|d| *d as u64)).map(Dim::Fixed).collect());
    let value = node.take(x.node, places)?;
    node.give(x.elem, shape, value)
}

/// Slices by tuples of indices of the same row; a row with a tuple that is none is refused.
fn gather_tuples(node: &mut Node<'_, '_>, x: &Tensor, index: &Tensor) -> Res<Vec<Value>> {
    let rows = |s: &Shape| s.rows_axis() == Some(0);
    if node.attributes().int("batch_dims") != Some(1) || !rows(&x.shape) || !rows(&index.shape) || !index.elem.is_int() {
        return Err(node.mixes_rows(format!("indices {} {} into {}", index.elem.name(), index.shape, x.shape)));
    }
    let (dims, own) = (x.shape.row_dims(), index.shape.row_dims());
    let len = own.last().copied().unwrap_or(0) as usize;
    if len == 0 || len > dims.len() {
        return Err(node.bad_shape(format!("indices {} into {}", index.shape, x.shape)));
    }
    let tuples: i64 = own[..own.len() - 1].iter().product::<u64>() as i64;
    let each: i64 = dims[len..].iter().product::<u64>() as i64;
    let strides = Shape::fixed(&dims).strides();
    node.spend((tuples.saturating_mul(each)).unsigned_abs())?;
    let mut place: Option<NodeId> = None;
    for axis in 0..len {
        let columns = (0..tuples).map(|t| t * len as i64 + axis as i64).flat_map(|c| (0..each).map(move |_| c)).collect();
        let along = node.take(index.node, columns)?;
        let along = node.index_within(along, dims[axis], true)?;
        let stride = node.int(strides[axis])?;
        let steps = node.op(Op::Mul, &[along, stride])?;
        place = Some(match place {
            Some(before) => node.op(Op::Add, &[before, steps])?,
            None => steps,
        });
    }
    let starts = place.ok_or_else(|| node.bad_shape("no indices"))?;
    let within = (0..tuples).flat_map(|_| 0..each).collect::<Vec<i64>>();
    let within = node.constant(flock_ir_spec::Frame::row_i64(within))?;
    let places = node.op(Op::Add, &[starts, within])?;
    let chosen = node.op(Op::Gather, &[x.node, places])?;
    let value = node.settled(chosen)?;
    let dims: Vec<u64> = own[..own.len() - 1].iter().chain(&dims[len..]).copied().collect();
    node.give(x.elem, Shape::rows_by(&dims), value)
}

fn scatter_elements(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = node.tensor(0)?;
    let dims = extents(node, &x.shape)?;
    let places = along(node, &dims, 1)?;
    scattered(node, x, places)
}

fn scatter_nd(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = node.tensor(0)?;
    let dims = extents(node, &x.shape)?;
    let (starts, slice) = tuples(node, &dims, 1, 0)?;
    let each: i64 = slice.iter().product();
    node.spend((starts.len() as u64).saturating_mul(each as u64))?;
    let places = starts.iter().flat_map(|s| *s..s + each).collect();
    scattered(node, x, places)
}

/// The tensor with update i at place i, or combined with what is there.
fn scattered(node: &mut Node<'_, '_>, x: Tensor, places: Vec<i64>) -> Res<Vec<Value>> {
    let updates = node.tensor(2)?;
    if updates.elem != x.elem || updates.shape.rows_axis().is_some() || node.width(updates.node) as usize != places.len() {
        let found = format!("{} {}", updates.elem.name(), updates.shape);
        return Err(node.bad_shape(format!("updates {found} for {} places of {}", places.len(), x.elem.name())));
    }
    let width = node.width(x.node);
    let op = match node.attributes().text("reduction").unwrap_or("none") {
        "none" => None,
        "add" => Some(Op::Add),
        "mul" => Some(Op::Mul),
        "min" => Some(Op::Min),
        "max" => Some(Op::Max),
        other => return Err(node.bad_attribute(format!("reduction `{other}` is unknown"))),
    };
    let value = match op {
        None => {
            let mut sources: Vec<i64> = (0..i64::from(width)).collect();
            places.iter().enumerate().for_each(|(i, p)| sources[*p as usize] = i64::from(width) + i as i64);
            let both = node.concat(&[x.node, updates.node])?;
            node.take(both, sources)?
        }
        Some(op) => combined(node, op, (x.node, updates.node), &places, x.elem)?,
    };
    node.give(x.elem, x.shape, value)
}

fn combined(node: &mut Node<'_, '_>, op: Op, (x, updates): (NodeId, NodeId), places: &[i64], elem: Elem) -> Res<NodeId> {
    let mut columns = (0..node.width(x)).map(|i| node.column(x, i)).collect::<Res<Vec<_>>>()?;
    for (i, place) in places.iter().enumerate() {
        let update = node.column(updates, i as u32)?;
        let value = node.op(op, &[columns[*place as usize], update])?;
        columns[*place as usize] = if matches!(op, Op::Min | Op::Max) { value } else { node.fitted(value, elem)? };
    }
    node.concat(&columns)
}
