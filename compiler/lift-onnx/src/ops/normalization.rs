//! `LayerNormalization`, `RMSNormalization`, `InstanceNormalization`, `GroupNormalization`, `BatchNormalization`,
//! `MeanVarianceNormalization`, `LpNormalization`, `LRN`: elements less a mean, over a deviation or a norm.
//!
//! Each takes its statistics along axes that are not the rows'; a batch normalisation has them in the model.
//! Source: ai.onnx LayerNormalization-17, RMSNormalization-23, InstanceNormalization-6 … -22, GroupNormalization-18 … -21,
//! BatchNormalization-7 … -15, MeanVarianceNormalization-9 … -13, LpNormalization-1 … -22, LRN-1 … -13.

use flock_ir_spec::{DType, NodeId, Op};

use super::Lifter;
use crate::Res;
use crate::attributes::Form;
use crate::elem::Elem;
use crate::groups::Groups;
use crate::node::Node;
use crate::shape::{Dim, Shape};
use crate::value::{Tensor, Value};

const EPSILON: (&str, Form) = ("epsilon", Form::Float);

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        attributes: &[("axis", Form::Int), EPSILON, ("stash_type", Form::Int)],
        outputs: 1..=3,
        ..Lifter::main("LayerNormalization", &[17], 2..=3, layer)
    },
    Lifter {
        attributes: &[("axis", Form::Int), EPSILON, ("stash_type", Form::Int)],
        ..Lifter::main("RMSNormalization", &[23], 2..=2, root_mean_square)
    },
    Lifter { attributes: &[EPSILON], ..Lifter::main("InstanceNormalization", &[6, 22], 3..=3, instance) },
    Lifter {
        attributes: &[EPSILON, ("num_groups", Form::Int), ("stash_type", Form::Int)],
        ..Lifter::main("GroupNormalization", &[18, 21], 3..=3, group)
    },
    Lifter {
        attributes: &[EPSILON, ("training_mode", Form::Int)],
        ignores: &["momentum", "spatial"],
        outputs: 1..=5,
        ..Lifter::main("BatchNormalization", &[7, 9, 14, 15], 5..=5, batch)
    },
    Lifter { attributes: &[("axes", Form::Ints)], ..Lifter::main("MeanVarianceNormalization", &[9, 13], 1..=1, mean_variance) },
    Lifter { attributes: &[("axis", Form::Int), ("p", Form::Int)], ..Lifter::main("LpNormalization", &[1, 22], 1..=1, lp) },
    Lifter {
        attributes: &[("alpha", Form::Float), ("beta", Form::Float), ("bias", Form::Float), ("size", Form::Int)],
        ..Lifter::main("LRN", &[1, 13], 1..=1, local_response)
    },
];

/// A tensor with statistics of groups of its elements.
struct Standard {
    /// The elements, standardised.
    value: NodeId,
    /// Per group the mean.
    mean: NodeId,
    /// Per group 1 over the deviation.
    inverse: NodeId,
}

/// The type that statistics are taken in: float32 at least.
fn wide(elem: Elem) -> Elem {
    if elem == Elem::F64 { Elem::F64 } else { Elem::F32 }
}

fn mean_of(node: &mut Node<'_, '_>, x: NodeId, elem: Elem) -> Res<NodeId> {
    let n = node.number(elem, f64::from(node.width(x)))?;
    let sum = node.op(Op::Sum, &[x])?;
    node.op(Op::Div, &[sum, n])
}

/// (x - mean) / sqrt(mean of (x - mean)² + epsilon), group by group; without `centre` the mean is not taken off.
fn standardised(node: &mut Node<'_, '_>, x: &Tensor, groups: &Groups, epsilon: f32, centre: bool) -> Res<Standard> {
    let elem = wide(x.elem);
    let epsilon = node.number(elem, f64::from(epsilon))?;
    let one = node.number(elem, 1.0)?;
    let (mut means, mut inverses) = (Vec::new(), Vec::new());
    let value = node.within_groups(x, groups, |node, group| {
        let mean = mean_of(node, group, elem)?;
        let centred = if centre { node.op(Op::Sub, &[group, mean])? } else { group };
        let squares = node.op(Op::Mul, &[centred, centred])?;
        let variance = mean_of(node, squares, elem)?;
        let sum = node.op(Op::Add, &[variance, epsilon])?;
        let deviation = node.op(Op::Sqrt, &[sum])?;
        let inverse = node.op(Op::Div, &[one, deviation])?;
        means.push(mean);
        inverses.push(inverse);
        node.op(Op::Mul, &[centred, inverse])
    })?;
    Ok(Standard { value, mean: node.concat(&means)?, inverse: node.concat(&inverses)? })
}

fn epsilon(node: &Node<'_, '_>) -> f32 {
    node.attributes().float("epsilon").unwrap_or(1e-5)
}

/// `axis` and all behind it.
fn from_axis(node: &mut Node<'_, '_>, shape: &Shape) -> Res<Groups> {
    let axis = node.axis_attribute(shape, -1)?;
    let axes: Vec<i64> = (axis as i64..shape.rank() as i64).collect();
    node.groups(shape, &axes)
}

/// The value times input i, broadcast.
fn combined(node: &mut Node<'_, '_>, op: Op, x: &Tensor, value: NodeId, i: usize) -> Res<NodeId> {
    let factor = node.any_float_tensor(i)?;
    let elem = wide(x.elem);
    let factor = Tensor { elem, node: node.cast(factor.node, elem.dtype())?, ..factor };
    let value = Tensor { elem, shape: x.shape.clone(), node: value };
    let (shape, value) = node.arithmetic(op, &[value, factor], elem)?;
    if shape == x.shape { Ok(value) } else { Err(node.bad_shape(format!("input {i} does not fit {}", x.shape))) }
}

fn layer(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = node.any_float_tensor(0)?;
    let groups = from_axis(node, &x.shape)?;
    let standard = standardised(node, &x, &groups, epsilon(node), true)?;
    let value = node.fitted(standard.value, x.elem)?;
    let mut value = combined(node, Op::Mul, &x, value, 1)?;
    if node.has(2) {
        value = combined(node, Op::Add, &x, value, 2)?;
    }
    let value = node.fitted(value, x.elem)?;
    let statistics = groups.reduced(&x.shape, true);
    let elem = wide(x.elem);
    let mut values = node.give(x.elem, x.shape.clone(), value)?;
    values.push(node.gives(elem, statistics.clone(), standard.mean)?.into());
    values.push(node.gives(elem, statistics, standard.inverse)?.into());
    Ok(values)
}

fn root_mean_square(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = node.any_float_tensor(0)?;
    let groups = from_axis(node, &x.shape)?;
    let standard = standardised(node, &x, &groups, epsilon(node), false)?;
    let value = node.fitted(standard.value, x.elem)?;
    let value = combined(node, Op::Mul, &x, value, 1)?;
    let value = node.fitted(value, x.elem)?;
    node.give(x.elem, x.shape, value)
}

/// One number per channel (axis 1), beside a tensor.
fn per_channel(node: &mut Node<'_, '_>, i: usize, shape: &Shape, elem: Elem) -> Res<NodeId> {
    let t = node.any_float_tensor(i)?;
    let channels = if shape.rank() > 1 { node.extent(shape, 1)? } else { 1 };
    if t.shape.0 != [Dim::Fixed(channels)] {
        return Err(node.bad_shape(format!("input {i} is {}, expected one per channel of {shape}", t.shape)));
    }
    let mut dims = vec![Dim::Fixed(1); shape.rank().max(2) - 1];
    dims[0] = Dim::Fixed(channels);
    let cast = node.cast(t.node, elem.dtype())?;
    let width = node.frame_width(shape)?;
    node.spread(&Tensor { elem, shape: Shape(dims), node: cast }, shape, width)
}

fn scale_and_shift(node: &mut Node<'_, '_>, x: &Tensor, value: NodeId) -> Res<Vec<Value>> {
    let elem = wide(x.elem);
    let (scale, shift) = (per_channel(node, 1, &x.shape, elem)?, per_channel(node, 2, &x.shape, elem)?);
    let scaled = node.op(Op::Mul, &[value, scale])?;
    let shifted = node.op(Op::Add, &[scaled, shift])?;
    let value = node.fitted(shifted, x.elem)?;
    node.give(x.elem, x.shape.clone(), value)
}

fn instance(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = node.any_float_tensor(0)?;
    let axes: Vec<i64> = (2..x.shape.rank() as i64).collect();
    if axes.is_empty() {
        return Err(node.bad_shape(format!("a tensor {} without axes behind its channels", x.shape)));
    }
    let groups = node.groups(&x.shape, &axes)?;
    let standard = standardised(node, &x, &groups, epsilon(node), true)?;
    scale_and_shift(node, &x, standard.value)
}

fn group(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = node.any_float_tensor(0)?;
    let channels = if x.shape.rank() > 1 { node.extent(&x.shape, 1)? } else { 0 };
    let count = node.attributes().int("num_groups").and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
    if count == 0 || channels % count != 0 || node.version() < 21 {
        return Err(node.unsupported(format!("{channels} channels in {count} groups, version {}", node.version())));
    }
    // The channels as two axes: groups, and channels of a group.
    let mut split = x.shape.clone();
    split.0.splice(1..=1, [Dim::Fixed(count), Dim::Fixed(channels / count)]);
    let axes: Vec<i64> = (2..split.rank() as i64).collect();
    let grouped = Tensor { shape: split, ..x.clone() };
    let groups = node.groups(&grouped.shape, &axes)?;
    let standard = standardised(node, &grouped, &groups, epsilon(node), true)?;
    scale_and_shift(node, &x, standard.value)
}

fn batch(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = node.any_float_tensor(0)?;
    if node.attributes().flag("training_mode") || node.attributes().int("spatial").unwrap_or(1) == 0 {
        return Err(node.unsupported("a batch normalisation in training, or not spatial"));
    }
    let elem = wide(x.elem);
    let [scale, shift, mean, variance] = [1, 2, 3, 4].map(|i| per_channel(node, i, &x.shape, elem));
    let (scale, shift, mean, variance) = (scale?, shift?, mean?, variance?);
    let epsilon = node.number(elem, f64::from(epsilon(node)))?;
    let sum = node.op(Op::Add, &[variance, epsilon])?;
    let deviation = node.op(Op::Sqrt, &[sum])?;
    let value = node.cast(x.node, elem.dtype())?;
    let centred = node.op(Op::Sub, &[value, mean])?;
    let standard = node.op(Op::Div, &[centred, deviation])?;
    let scaled = node.op(Op::Mul, &[standard, scale])?;
    let shifted = node.op(Op::Add, &[scaled, shift])?;
    let value = node.fitted(shifted, x.elem)?;
    node.give(x.elem, x.shape, value)
}

fn mean_variance(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = node.any_float_tensor(0)?;
    let axes = match node.attributes().ints("axes") {
        [] => vec![0, 2, 3],
        axes => axes.to_vec(),
    };
    let groups = node.groups(&x.shape, &axes)?;
    let elem = wide(x.elem);
    let tiny = node.number(elem, 1e-9)?;
    let value = node.within_groups(&x, &groups, |node, group| {
        let mean = mean_of(node, group, elem)?;
        let centred = node.op(Op::Sub, &[group, mean])?;
        let squares = node.op(Op::Mul, &[centred, centred])?;
        let variance = mean_of(node, squares, elem)?;
        let deviation = node.op(Op::Sqrt, &[variance])?;
        let below = node.op(Op::Add, &[deviation, tiny])?;
        node.op(Op::Div, &[centred, below])
    })?;
    let value = node.fitted(value, x.elem)?;
    node.give(x.elem, x.shape, value)
}

/// Over the sum of sizes or the Euclidean norm; 0 where that is 0.
fn lp(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = node.any_float_tensor(0)?;
    let axis = node.axis_attribute(&x.shape, -1)?;
    let p = node.attributes().int("p").unwrap_or(2);
    let groups = node.groups(&x.shape, &[axis as i64])?;
    let zero = node.number(wide(x.elem), 0.0)?;
    let value = node.within_groups(&x, &groups, |node, group| {
        let terms = if p == 1 { node.op(Op::Abs, &[group])? } else { node.op(Op::Mul, &[group, group])? };
        let sum = node.op(Op::Sum, &[terms])?;
        let norm = if p == 1 { sum } else { node.op(Op::Sqrt, &[sum])? };
        let divided = node.op(Op::Div, &[group, norm])?;
        let none = node.op(Op::Eq, &[norm, zero])?;
        node.op(Op::Select, &[none, zero, divided])
    })?;
    let value = node.fitted(value, x.elem)?;
    node.give(x.elem, x.shape, value)
}

/// x / (bias + alpha / size · the sum of the squares of the channels around it)^beta.
fn local_response(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = node.float_tensor(0)?;
    let a = node.attributes();
    let size = a.int("size").filter(|s| (1..=1 << 16).contains(s)).ok_or_else(|| node.bad_attribute("no size"))?;
    let alpha = f64::from(a.float("alpha").unwrap_or(1e-4)) / size as f64;
    let (alpha, beta) = (node.double(alpha)?, node.double(f64::from(a.float("beta").unwrap_or(0.75)))?);
    let bias = node.double(f64::from(a.float("bias").unwrap_or(1.0)))?;
    if x.shape.rank() < 2 {
        return Err(node.bad_shape(format!("a tensor {} without channels", x.shape)));
    }
    let channels = node.extent(&x.shape, 1)? as i64;
    let groups = node.groups(&x.shape, &[1])?;
    let value = node.within_groups(&x, &groups, |node, group| {
        let wide = node.as_f64(group)?;
        let squares = node.op(Op::Mul, &[wide, wide])?;
        let sums = (0..channels)
            .map(|c| {
                let (from, to) = ((c - (size - 1) / 2).max(0), (c + size / 2).min(channels - 1));
                let around = node.slice(squares, from as u32, (to - from + 1) as u32)?;
                node.op(Op::Sum, &[around])
            })
            .collect::<Res<Vec<_>>>()?;
        let sums = node.concat(&sums)?;
        let scaled = node.op(Op::Mul, &[sums, alpha])?;
        let base = node.op(Op::Add, &[scaled, bias])?;
        let divisor = node.op(Op::Pow, &[base, beta])?;
        let divided = node.op(Op::Div, &[wide, divisor])?;
        node.cast(divided, if x.elem == Elem::F64 { DType::F64 } else { DType::F32 })
    })?;
    node.give(x.elem, x.shape, value)
}
