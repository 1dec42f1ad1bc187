//! `Reshape`, `Flatten`, `Squeeze`, `Unsqueeze`, `Transpose`, `Expand`: shapes.
//!
//! Memory is row-major, so that a new shape keeps each row's elements together where the rows are the outermost axis that
//! is longer than 1, before and after, and a row has as many elements as it had.
//! Source: ai.onnx Reshape-5 … -25, Flatten-9, Squeeze-1 … -25, Transpose-1, Expand-8.

use super::Lifter;
use crate::Res;
use crate::attributes::Form;
use crate::broadcast;
use crate::extents::{self, ROWS};
use crate::literal::Literal;
use crate::node::Node;
use crate::shape::{Dim, Shape};
use crate::value::{Tensor, Value};

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        attributes: &[("allowzero", Form::Int)],
        ..Lifter::main("Reshape", &[5, 13, 14, 19, 21, 23, 24, 25], 2..=2, reshape)
    },
    Lifter {
        attributes: &[("axis", Form::Int)],
        ..Lifter::main("Flatten", &[1, 9, 11, 13, 21, 23, 24, 25], 1..=1, flatten)
    },
    Lifter {
        attributes: &[("axes", Form::Ints)],
        ..Lifter::main("Squeeze", &[1, 11, 13, 21, 23, 24, 25], 1..=2, squeeze)
    },
    Lifter {
        attributes: &[("axes", Form::Ints)],
        ..Lifter::main("Unsqueeze", &[1, 11, 13, 21, 23, 24, 25], 1..=2, unsqueeze)
    },
    Lifter {
        attributes: &[("perm", Form::Ints)],
        ..Lifter::main("Transpose", &[1, 13, 21, 23, 24, 25], 1..=1, transpose)
    },
    Lifter::main("Expand", &[8, 13], 2..=2, expand),
];

fn reshape(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = node.tensor_or_empty(0)?;
    let target = extents::read(node, 1)?.dims;
    let copy_zero = node.attributes().int("allowzero").unwrap_or(0) == 0;
    let shape = reshaped(&x.shape, &target, copy_zero);
    let shape = shape.map_err(|e| if e.contains("rows") { node.mixes_rows(e) } else { node.bad_shape(e) })?;
    if let Some(empty) = Literal::empty(x.elem, &shape) {
        return Ok(vec![empty.into()]);
    }
    node.give(x.elem, shape, x.node)
}

/// Elements in front of the rows.
fn in_front(dims: &[Dim]) -> u64 {
    let fixed = dims.iter().take_while(|d| **d != Dim::Rows).map(|d| if let Dim::Fixed(n) = d { *n } else { 1 });
    fixed.fold(1, u64::saturating_mul)
}

/// The shape that a list of extents asks for: 0 copies one, -1 is what is left.
fn reshaped(from: &Shape, target: &[i64], copy_zero: bool) -> Result<Shape, String> {
    let wrong = |why: &str| format!("a tensor {from} as {target:?}: {why}");
    let mut dims = Vec::new();
    for (axis, n) in target.iter().enumerate() {
        dims.push(match *n {
            -1 => None,
            ROWS => Some(Dim::Rows),
            0 if copy_zero => Some(*from.0.get(axis).ok_or_else(|| wrong("0 copies an extent that is not there"))?),
            n => Some(Dim::Fixed(u64::try_from(n).map_err(|_| wrong("a negative extent"))?)),
        });
    }
    let open = dims.iter().filter(|d| d.is_none()).count();
    let mut known = dims.iter().flatten().filter_map(|d| if let Dim::Fixed(n) = d { Some(*n) } else { None });
    let known = known.try_fold(1u64, |a, n| a.checked_mul(n)).ok_or_else(|| wrong("too many elements"))?;
    let width = from.width().ok_or_else(|| wrong("too many elements"))?;
    let keeps_rows = dims.contains(&Some(Dim::Rows));
    let rest = match open {
        0 => None,
        // What is left is the rows, where the other extents are a row's.
        1 if from.rows_axis().is_some() && !keeps_rows => {
            if known != width {
                return Err(wrong("elements of several rows in one"));
            }
            Some(Dim::Rows)
        }
        1 if known > 0 && width % known == 0 => Some(Dim::Fixed(width / known)),
        _ => return Err(wrong("no extent fits")),
    };
    let shape = Shape(dims.into_iter().map(|d| d.or(rest).unwrap_or(Dim::Fixed(1))).collect());
    match (from.rows_axis(), shape.0.iter().filter(|d| **d == Dim::Rows).count()) {
        (Some(_), 0) => return Err(wrong("it fixes the number of rows")),
        (Some(_), 1) | (None, 0) => {}
        _ => return Err(wrong("other rows than its own")),
    }
    if shape.width() != Some(width) {
        return Err(wrong("another number of elements"));
    }
    if from.rows_axis().is_some() && (in_front(&from.0) != 1 || in_front(&shape.0) != 1) {
        return Err(wrong("rows are not the outermost axis"));
    }
    Ok(shape)
}

fn flatten(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = node.tensor(0)?;
    let axis = node.attributes().int("axis").unwrap_or(1);
    let rank = x.shape.rank() as i64;
    let split = if axis < 0 { axis.saturating_add(rank) } else { axis };
    if !(0..=rank).contains(&split) {
        return Err(node.bad_attribute(format!("axis {axis} of a tensor {}", x.shape)));
    }
    let (outer, inner) = x.shape.0.split_at(split as usize);
    let shape = product(outer).zip(product(inner)).map(|(outer, inner)| Shape(vec![outer, inner]));
    let outermost = x.shape.rows_axis().is_none() || in_front(&x.shape.0) == 1;
    match shape {
        Some(shape) if outermost && shape.width() == x.shape.width() => node.give(x.elem, shape, x.node),
        _ => Err(node.mixes_rows(format!("a tensor {} in two axes at {split} mixes its rows", x.shape))),
    }
}

/// One extent for several; None where rows and others would be one.
fn product(dims: &[Dim]) -> Option<Dim> {
    let fixed = dims.iter().filter_map(|d| if let Dim::Fixed(n) = d { Some(*n) } else { None });
    let n = fixed.fold(1u64, u64::saturating_mul);
    match (dims.contains(&Dim::Rows), n) {
        (true, 1) => Some(Dim::Rows),
        (true, _) => None,
        (false, n) => Some(Dim::Fixed(n)),
    }
}

/// The axes of input 1, or before version 13 of the attribute; None where none are given.
fn axes(node: &Node<'_, '_>) -> Res<Option<Vec<i64>>> {
    if node.has(1) {
        return node.ints(1).map(Some);
    }
    Ok(node.attributes().has("axes").then(|| node.attributes().ints("axes").to_vec()))
}

fn squeeze(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = node.tensor(0)?;
    let mut gone = vec![false; x.shape.rank()];
    match axes(node)? {
        None => gone.iter_mut().zip(&x.shape.0).for_each(|(g, d)| *g = *d == Dim::Fixed(1)),
        Some(axes) => {
            for a in axes {
                let axis = x.shape.axis(a).ok_or_else(|| node.bad_attribute(format!("axis {a} of a tensor {}", x.shape)))?;
                match x.shape.0[axis] {
                    Dim::Rows => return Err(node.mixes_rows(format!("it drops the rows of a tensor {}", x.shape))),
                    Dim::Fixed(1) => gone[axis] = true,
                    Dim::Fixed(n) => return Err(node.bad_shape(format!("axis {a} has {n} elements"))),
                }
            }
        }
    }
    let kept = x.shape.0.iter().zip(&gone).filter(|(_, gone)| !**gone).map(|(d, _)| *d).collect();
    node.give(x.elem, Shape(kept), x.node)
}

fn unsqueeze(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = node.tensor(0)?;
    let axes = axes(node)?.ok_or_else(|| node.bad_attribute("no axes"))?;
    let rank = x.shape.rank().saturating_add(axes.len());
    if rank > 64 {
        return Err(node.bad_shape(format!("{rank} axes")));
    }
    let mut new = vec![false; rank];
    for a in axes {
        let axis = if a < 0 { a.saturating_add(rank as i64) } else { a };
        match usize::try_from(axis).ok().and_then(|i| new.get_mut(i)) {
            Some(slot) if !*slot => *slot = true,
            _ => return Err(node.bad_attribute(format!("axis {a} of {rank}"))),
        }
    }
    let mut old = x.shape.0.iter();
    let dims = new.iter().map(|new| if *new { Dim::Fixed(1) } else { old.next().copied().unwrap_or(Dim::Fixed(1)) });
    node.give(x.elem, Shape(dims.collect()), x.node)
}

fn transpose(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = node.tensor(0)?;
    let rank = x.shape.rank();
    let order: Vec<i64> = match node.attributes().ints("perm") {
        [] => (0..rank as i64).rev().collect(),
        perm => perm.to_vec(),
    };
    let mut sorted = order.clone();
    sorted.sort_unstable();
    if sorted != (0..rank as i64).collect::<Vec<_>>() {
        return Err(node.bad_attribute(format!("the order {order:?} of {rank} axes")));
    }
    let offsets = x.shape.offsets();
    let moved: Vec<Vec<i64>> = order.iter().map(|a| offsets[*a as usize].clone()).collect();
    let shape = Shape(order.iter().map(|a| x.shape.0[*a as usize]).collect());
    let value = node.pick(x.node, &moved)?;
    node.give(x.elem, shape, value)
}

fn expand(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let (x, to) = (node.tensor(0)?, extents::shape(node, 1)?);
    let common = broadcast::common(&[&x.shape, &to]);
    let shape = common.map_err(|e| if e.contains("row") { node.mixes_rows(e) } else { node.bad_shape(e) })?;
    let value = expanded(node, &x, &shape)?;
    node.give(x.elem, shape, value)
}

fn expanded(node: &mut Node<'_, '_>, x: &Tensor, shape: &Shape) -> Res<flock_ir_spec::NodeId> {
    let width = node.frame_width(shape)?;
    if node.width(x.node) == width {
        return Ok(x.node);
    }
    node.pick(x.node, &broadcast::stretch(&x.shape, shape))
}
