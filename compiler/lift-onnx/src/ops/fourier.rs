//! `DFT`, `STFT`: discrete Fourier transforms along an axis, which is not the rows', of all of it or of windows: linear maps
//! of known cosines and sines. The last axis holds a real part, or a real and an imaginary one.
//! `MelWeightMatrix`: triangles over the bins of such a transform, equally spaced in mels.
//! Source: ai.onnx DFT-17 (the axis as an attribute), DFT-20, STFT-17, MelWeightMatrix-17 and their reference
//! implementations in onnx.

use std::f64::consts::TAU;

use flock_ir_spec::{Data, Frame, NodeId, Op};

use super::Lifter;
use crate::Res;
use crate::attributes::Form;
use crate::elem::{Elem, name_of};
use crate::literal::Literal;
use crate::node::Node;
use crate::shape::{Dim, Shape};
use crate::value::Value;

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        attributes: &[("axis", Form::Int), ("inverse", Form::Int), ("onesided", Form::Int)],
        ..Lifter::main("DFT", &[17, 20], 1..=3, lift)
    },
    Lifter { attributes: &[("onesided", Form::Int)], ..Lifter::main("STFT", &[17], 2..=4, windows) },
    Lifter { attributes: &[("output_datatype", Form::Int)], ..Lifter::main("MelWeightMatrix", &[17], 5..=5, mel) },
];

/// What the transform of one series reads and gives.
struct Plan {
    /// Points that are read, and of how many parts.
    from: (usize, usize),
    /// Points that are given, and of how many parts.
    to: (usize, usize),
    /// Points of the transform.
    length: usize,
    inverse: bool,
    /// Whether only half of the points is read, the other being their conjugates.
    half: bool,
}

fn lift(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = node.float_tensor(0)?;
    let rank = x.shape.rank();
    let axis = match node.version() {
        17 => node.attributes().int("axis").unwrap_or(1),
        _ if node.has(2) => node.ints(2)?.first().copied().unwrap_or(-2),
        _ => -2,
    };
    let axis = node.axis_of(&x.shape, axis)?;
    let parts = node.extent(&x.shape, rank.saturating_sub(1))?;
    if axis + 1 >= rank || !(1..=2).contains(&parts) {
        return Err(node.bad_shape(format!("a series along axis {axis} of a tensor {}", x.shape)));
    }
    let read = node.extent(&x.shape, axis)? as usize;
    let (inverse, onesided) = (node.attributes().flag("inverse"), node.attributes().flag("onesided"));
    let half = inverse && onesided;
    let length = if node.has(1) { node.ints(1)?.first().copied().unwrap_or(0) } else { 0 };
    let length = match usize::try_from(length).unwrap_or(0) {
        0 if half => 2 * read.saturating_sub(1),
        0 => read,
        n => n,
    };
    if length == 0 || length > 1 << 16 {
        return Err(node.bad_shape(format!("a transform of {length} points")));
    }
    let to = if onesided && !inverse { length / 2 + 1 } else { length };
    let used = read.min(if half { length / 2 + 1 } else { length });
    let plan = Plan { from: (used, parts as usize), to: (to, if half { 1 } else { 2 }), length, inverse, half };
    let groups = node.groups(&x.shape, &[axis as i64, rank as i64 - 1])?;
    let taken = (plan.from.0 * plan.from.1) as u32;
    let value = node.each_group(&x, &groups, |node, group| {
        let series = node.slice(group, 0, taken)?;
        transformed(node, series, &plan, x.elem)
    })?;
    // Groups lie one behind the other, each point by point: the axes come last, and go back to their places.
    let mut moved = x.shape.clone();
    let parts = moved.0.pop();
    moved.0.remove(axis);
    moved.0.extend([Dim::Fixed(plan.to.0 as u64), Dim::Fixed(plan.to.1 as u64)]);
    let mut offsets = moved.offsets();
    let mut shape = x.shape.clone();
    let place = offsets.remove(rank - 2);
    offsets.insert(axis, place);
    shape.0[axis] = Dim::Fixed(plan.to.0 as u64);
    if let (Some(last), Some(_)) = (shape.0.last_mut(), parts) {
        *last = Dim::Fixed(plan.to.1 as u64);
    }
    let value = node.pick(value, &offsets)?;
    node.give(x.elem, shape, value)
}

/// Output point f is Σ x(t) · e^(∓2πi·f·t / n), the inverse over n. Of a series that is half given, the points between the
/// first and the middle one count twice.
fn transformed(node: &mut Node<'_, '_>, series: NodeId, plan: &Plan, elem: Elem) -> Res<NodeId> {
    let ((points, parts), (to, to_parts)) = (plan.from, plan.to);
    let (rows, width) = (points * parts, to * to_parts);
    node.spend((rows * width) as u64)?;
    let n = plan.length as f64;
    let scale = if plan.inverse { 1.0 / n } else { 1.0 };
    let weight = |row: usize, column: usize| {
        let (t, imaginary_in) = (row / parts, row % parts == 1);
        let (f, imaginary_out) = (column / to_parts, column % to_parts == 1);
        let angle = TAU * ((f * t) % plan.length) as f64 / n * if plan.inverse { 1.0 } else { -1.0 };
        let twice = plan.half && t > 0 && 2 * t < plan.length;
        let value = match (imaginary_in, imaginary_out) {
            (false, false) | (true, true) => angle.cos(),
            (false, true) => angle.sin(),
            (true, false) => -angle.sin(),
        };
        value * scale * if twice { 2.0 } else { 1.0 }
    };
    let table: Vec<f64> = (0..width).flat_map(|c| (0..rows).map(move |r| (r, c))).map(|(r, c)| weight(r, c)).collect();
    let weights = node.constant(Frame { rows, width, ..Frame::row_f64(table) })?;
    let bias = node.numbers(Elem::F64, vec![0.0; width])?;
    let wide = node.as_f64(series)?;
    let value = node.op(Op::Linear, &[wide, weights, bias])?;
    node.cast(value, elem.dtype())
}

/// Each window of a series `[rows, points, parts]`, times the weights of the window, transformed.
fn windows(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = node.float_tensor(0)?;
    let [_, Dim::Fixed(points), Dim::Fixed(parts @ 1..=2)] = x.shape.0[..] else {
        return Err(node.bad_shape(format!("a series {}", x.shape)));
    };
    let one = |node: &Node<'_, '_>, i: usize| -> Res<u64> {
        let value = node.ints(i)?.first().and_then(|v| u64::try_from(*v).ok()).filter(|v| *v > 0);
        value.ok_or_else(|| node.bad_shape(format!("input {i}, a number above 0 is expected")))
    };
    let step = one(node, 1)?;
    let window = if node.has(2) { Some(node.float_tensor(2)?) } else { None };
    let length = match &window {
        Some(w) => w.shape.width().unwrap_or(0),
        None => one(node, 3)?,
    };
    if length == 0 || length > points || length > 1 << 16 {
        return Err(node.bad_shape(format!("windows of {length} in a series of {points}")));
    }
    let length = length as usize;
    let onesided = node.attributes().int("onesided").unwrap_or(1) != 0;
    let to = if onesided { length / 2 + 1 } else { length };
    let plan = Plan { from: (length, parts as usize), to: (to, 2), length, inverse: false, half: false };
    let weights = match window {
        Some(w) => Some(node.pick(w.node, &[(0..length as i64).collect(), vec![0; parts as usize]])?),
        None => None,
    };
    let frames = (points - length as u64) / step + 1;
    let groups = node.groups(&x.shape, &[1, 2])?;
    let value = node.each_group(&x, &groups, |node, series| {
        let all = (0..frames)
            .map(|f| {
                let part = node.slice(series, (f * step * parts) as u32, length as u32 * parts as u32)?;
                let part = weights.map_or(Ok(part), |w| node.op(Op::Mul, &[part, w]))?;
                transformed(node, part, &plan, x.elem)
            })
            .collect::<Res<Vec<_>>>()?;
        node.concat(&all)
    })?;
    let shape = Shape(vec![x.shape.0[0], Dim::Fixed(frames), Dim::Fixed(to as u64), Dim::Fixed(2)]);
    node.give(x.elem, shape, value)
}

fn mel(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let int = |i: usize| -> Res<i64> {
        let value = node.ints(i)?.first().copied().filter(|v| (1..=1 << 20).contains(v));
        value.ok_or_else(|| node.bad_shape(format!("input {i}, a number above 0 is expected")))
    };
    let (bins, length, rate) = (int(0)?, int(1)?, int(2)?);
    let float = |i: usize| node.literal(i)?.float().ok_or_else(|| node.bad_shape(format!("input {i}, one float is expected")));
    let mels = |hertz: f64| 2595.0 * (1.0 + hertz / 700.0).log10();
    let (low, high) = (mels(float(3)?), mels(float(4)?));
    let rows = length / 2 + 1;
    let step = (high - low) / (bins + 2) as f64;
    let edge = |i: i64| {
        let hertz = 700.0 * (10f64.powf((i as f64 * step + low) / 2595.0) - 1.0);
        ((length + 1) as f64 * hertz / rate as f64).floor() as i64
    };
    let edges: Vec<i64> = (0..bins + 2).map(edge).collect();
    if edges.iter().any(|e| !(0..=rows).contains(e)) || edges[..edges.len() - 1].contains(&rows) {
        return Err(node.bad_shape(format!("edges {edges:?} of {rows} bins")));
    }
    node.spend((rows * bins) as u64)?;
    let mut table = vec![0f32; (rows * bins) as usize];
    let mut set = |row: i64, bin: usize, x: f64| table[row as usize * bins as usize + bin] = x as f32;
    for (bin, e) in edges.windows(3).enumerate() {
        let (up, down) = (e[1] - e[0], e[2] - e[1]);
        if up == 0 {
            set(e[1], bin, 1.0);
        }
        (e[0]..=e[1]).filter(|_| up > 0).for_each(|j| set(j, bin, (j - e[0]) as f64 / up as f64));
        (e[1]..e[2]).for_each(|j| set(j, bin, (e[2] - j) as f64 / down as f64));
    }
    match node.attributes().int("output_datatype").unwrap_or(1) {
        1 => {}
        other => return Err(node.unsupported(format!("a matrix of {}", name_of(other)))),
    }
    let literal = Literal::new(Elem::F32, vec![rows as u64, bins as u64], Data::F32(table));
    literal.map(|l| vec![l.into()]).ok_or_else(|| node.bad_shape("a matrix beyond its type"))
}
