//! `NonZero`, `Unique`: how much they give depends on the elements, which must be known without data.
//! Source: ai.onnx NonZero-9, -13, Unique-11.

use std::cmp::Ordering;

use flock_ir_spec::{Frame, Scalar};

use super::Lifter;
use crate::Res;
use crate::attributes::Form;
use crate::elem::Elem;
use crate::literal::Literal;
use crate::node::Node;
use crate::value::Value;

pub static LIFTERS: &[Lifter] = &[
    Lifter::main("NonZero", &[9, 13], 1..=1, non_zero),
    Lifter {
        attributes: &[("axis", Form::Int), ("sorted", Form::Int)],
        outputs: 1..=4,
        ..Lifter::main("Unique", &[11], 1..=1, unique)
    },
];

/// The places of what is not 0, an axis a row.
fn non_zero(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = node.literal(0)?;
    let zero = crate::node::zero(x.elem.dtype()).get_flat(0);
    let places: Vec<usize> = (0..x.len()).filter(|i| x.frame.get_flat(*i) != zero && !is_zero(&x.frame, *i)).collect();
    let mut steps = vec![1u64; x.dims.len()];
    for axis in (1..x.dims.len()).rev() {
        steps[axis - 1] = steps[axis] * x.dims[axis];
    }
    node.spend((places.len() * steps.len()) as u64)?;
    let along = |(step, n): (&u64, &u64)| places.iter().map(|p| (*p as u64 / step % n) as i64).collect::<Vec<_>>();
    let found: Vec<i64> = steps.iter().zip(&x.dims).flat_map(along).collect();
    let dims = vec![x.dims.len() as u64, places.len() as u64];
    Ok(vec![Literal { dims, ..Literal::of_ints(found) }.into()])
}

/// Zeros of either sign.
fn is_zero(frame: &Frame, i: usize) -> bool {
    match frame.get_flat(i) {
        Scalar::F32(x) => x == 0.0,
        Scalar::F64(x) => x == 0.0,
        _ => false,
    }
}

fn compared(a: &Scalar, b: &Scalar) -> Ordering {
    match (a, b) {
        (Scalar::F32(a), Scalar::F32(b)) => a.partial_cmp(b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan())),
        (Scalar::F64(a), Scalar::F64(b)) => a.partial_cmp(b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan())),
        (Scalar::I64(a), Scalar::I64(b)) => a.cmp(b),
        (Scalar::Bool(a), Scalar::Bool(b)) => a.cmp(b),
        (Scalar::Str(a), Scalar::Str(b)) => a.cmp(b),
        _ => Ordering::Equal,
    }
}

/// What is there, once: elements, or slices along an axis; where each is first, which one each was, how often each is there.
fn unique(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = node.literal(0)?;
    let axis = match node.attributes().int("axis") {
        Some(axis) => Some(node.axis_of(&x.shape(), axis)?),
        None => None,
    };
    let n = axis.map_or(x.len(), |a| x.dims[a] as usize);
    let inner = axis.map_or(1, |a| x.dims[a + 1..].iter().product::<u64>() as usize);
    let outer = if n == 0 || inner == 0 { 0 } else { x.len() / n / inner };
    node.spend(4 * x.len() as u64)?;
    let slice = |i: usize| (0..outer).flat_map(move |o| (0..inner).map(move |j| (o * n + i) * inner + j));
    let order = |a: usize, b: usize| {
        let pairs = slice(a).zip(slice(b));
        pairs.map(|(p, q)| compared(&x.frame.get_flat(p), &x.frame.get_flat(q))).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
    };
    let mut sorted: Vec<usize> = (0..n).collect();
    sorted.sort_by(|a, b| order(*a, *b));
    // Per group of equal slices its members, which are in their order: the sort is stable.
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for i in sorted {
        match groups.last_mut() {
            Some(group) if order(group[0], i).is_eq() => group.push(i),
            _ => groups.push(vec![i]),
        }
    }
    if node.attributes().int("sorted").unwrap_or(1) == 0 {
        groups.sort_by_key(|g| g[0]);
    }
    let mut dims = if axis.is_some() { x.dims.clone() } else { vec![0] };
    dims[axis.unwrap_or(0)] = groups.len() as u64;
    let places = (0..outer.max(usize::from(axis.is_none())))
        .flat_map(|o| groups.iter().flat_map(move |g| (0..inner).map(move |j| Some((o * n + g[0]) * inner + j))));
    let places: Vec<Option<usize>> = places.collect();
    let column = Frame { rows: x.len(), width: 1, ..x.frame.clone() };
    let values = Literal::new(x.elem, dims, column.gather(&places).data).ok_or_else(|| node.bad_shape("no elements"))?;
    let mut which = vec![0; n];
    groups.iter().enumerate().for_each(|(g, group)| group.iter().for_each(|i| which[*i] = g as i64));
    let first = groups.iter().map(|g| g[0] as i64).collect();
    let counts = groups.iter().map(|g| g.len() as i64).collect();
    let lists = [first, which, counts].map(|list| Value::from(Literal { elem: Elem::I64, ..Literal::of_ints(list) }));
    Ok(std::iter::once(values.into()).chain(lists).take(node.proto.output.len()).collect())
}
