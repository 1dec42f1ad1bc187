//! `Shape`, `Size`, `Range`, `EyeLike`, `HannWindow`, `HammingWindow`, `BlackmanWindow`: values that no data changes.
//! Source: ai.onnx Shape-1 … -25, Size-1 … -25, Range-11, EyeLike-9, -22, HannWindow-17.

use std::f64::consts::PI;

use flock_ir_spec::{Data, Op};

use super::{Lift, Lifter};
use crate::Res;
use crate::attributes::Form;
use crate::elem::{Elem, name_of};
use crate::extents::Extents;
use crate::literal::{Literal, MAX_ELEMENTS};
use crate::node::Node;
use crate::shape::Shape;
use crate::value::Value;

const fn window(op: &'static str, lift: Lift) -> Lifter {
    Lifter { attributes: &[("output_datatype", Form::Int), ("periodic", Form::Int)], ..Lifter::main(op, &[17], 1..=1, lift) }
}

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        attributes: &[("start", Form::Int), ("end", Form::Int)],
        ..Lifter::main("Shape", &[1, 13, 15, 19, 21, 23, 24, 25], 1..=1, shape)
    },
    Lifter::main("Size", &[1, 13, 19, 21, 23, 24, 25], 1..=1, size),
    Lifter::main("Range", &[11, 27], 3..=3, range),
    Lifter { attributes: &[("dtype", Form::Int), ("k", Form::Int)], ..Lifter::main("EyeLike", &[9, 22], 1..=1, eye) },
    window("HannWindow", |n| cosines(n, &[0.5, -0.5])),
    window("HammingWindow", |n| cosines(n, &[25.0 / 46.0, -21.0 / 46.0])),
    window("BlackmanWindow", |n| cosines(n, &[0.42, -0.5, 0.08])),
];

fn shape_of(node: &Node<'_, '_>) -> Res<Shape> {
    match &node.inputs[0] {
        Some(Value::Tensor(t)) => Ok(t.shape.clone()),
        Some(Value::Literal(l)) => Ok(l.shape()),
        _ => Err(node.unsupported("the shape of what is no tensor")),
    }
}

fn shape(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let shape = shape_of(node)?;
    let rank = shape.rank() as i64;
    let bound = |name: &str, default: i64| {
        let b = node.attributes().int(name).unwrap_or(default);
        (if b < 0 { b.saturating_add(rank) } else { b }).clamp(0, rank)
    };
    let (start, end) = (bound("start", 0), bound("end", rank));
    let dims = &shape.0[start as usize..end.max(start) as usize];
    Ok(vec![Extents::from(dims).into()])
}

fn size(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let shape = shape_of(node)?;
    let (None, Some(n)) = (shape.rows_axis(), shape.width()) else {
        return Err(node.mixes_rows(format!("the number of elements of a tensor {shape}")));
    };
    Ok(vec![Literal { dims: Vec::new(), ..Literal::of_ints(vec![n as i64]) }.into()])
}

fn range(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let (start, limit, delta) = (node.literal(0)?, node.literal(1)?, node.literal(2)?);
    let elem = start.elem;
    if [&limit, &delta].iter().any(|l| l.elem != elem) || [&start, &limit, &delta].iter().any(|l| l.len() != 1) {
        return Err(node.bad_shape("three numbers of one type are expected"));
    }
    let ints = |l: &Literal| l.ints().map(|v| v[0]);
    let data = match (ints(&start), ints(&limit), ints(&delta)) {
        (Some(a), Some(b), Some(step)) if step != 0 => {
            let n = ((i128::from(b) - i128::from(a)) as f64 / step as f64).ceil().max(0.0);
            let n = counted(node, n)?;
            Data::I64((0..n).map(|i| a.wrapping_add((i as i64).wrapping_mul(step))).collect())
        }
        (None, None, None) => {
            let of = |l: &Literal| l.float().unwrap_or(f64::NAN);
            let (a, b, step) = (of(&start), of(&limit), of(&delta));
            let n = counted(node, ((b - a) / step).ceil().max(0.0))?;
            match elem {
                Elem::F64 => Data::F64((0..n).map(|i| a + i as f64 * step).collect()),
                Elem::F32 => Data::F32((0..n).map(|i| a as f32 + i as f32 * step as f32).collect()),
                Elem::Small(_) => return small_range(node, (a, step, n), elem),
                _ => return Err(node.unsupported(format!("a range of {}", elem.name()))),
            }
        }
        _ => return Err(node.bad_attribute("a step of 0")),
    };
    let n = flock_ir_spec::with_data!(&data, v => v.len()) as u64;
    let literal = Literal::new(elem, vec![n], data).ok_or_else(|| node.bad_shape("a range beyond its type"))?;
    Ok(vec![literal.into()])
}

/// Multiples of the step, and their sums with the start, each rounded.
fn small_range(node: &mut Node<'_, '_>, (start, step, n): (f64, f64, usize), elem: Elem) -> Res<Vec<Value>> {
    if n == 0 {
        return Ok(Literal::empty(elem, &Shape::fixed(&[0])).into_iter().map(Value::from).collect());
    }
    let places = node.numbers(elem, (0..n).map(|i| i as f64).collect())?;
    let (start, step) = (node.number(elem, start)?, node.number(elem, step)?);
    let multiples = node.op(Op::Mul, &[places, step])?;
    let multiples = node.fitted(multiples, elem)?;
    let sums = node.op(Op::Add, &[multiples, start])?;
    let sums = node.fitted(sums, elem)?;
    node.give(elem, Shape::fixed(&[n as u64]), sums)
}

fn counted(node: &mut Node<'_, '_>, n: f64) -> Res<usize> {
    if n.is_nan() || n > MAX_ELEMENTS as f64 {
        return Err(node.fault("flock::lift::too_large", format!("a range of {n} elements")));
    }
    node.spend(n as u64)?;
    Ok(n as usize)
}

fn eye(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let shape = shape_of(node)?;
    let like = match &node.inputs[0] {
        Some(Value::Tensor(t)) => t.elem,
        Some(Value::Literal(l)) => l.elem,
        _ => Elem::F32,
    };
    if shape.rows_axis().is_some() {
        return Err(node.mixes_rows(format!("a diagonal across the rows of {shape}")));
    }
    let [h, w] = shape.row_dims()[..] else { return Err(node.bad_shape(format!("the diagonal of {shape}"))) };
    let elem = match node.attributes().int("dtype") {
        None => like,
        Some(t) => Elem::of(t).ok_or_else(|| node.bad_attribute(format!("dtype {}", name_of(t))))?,
    };
    let k = i128::from(node.attributes().int("k").unwrap_or(0));
    let n = u64::from(node.frame_width(&shape)?);
    node.spend(n)?;
    let on = (0..h).flat_map(|i| (0..w).map(move |j| i128::from(j) - i128::from(i) == k));
    let data = match elem {
        Elem::Int(_) => Data::I64(on.map(i64::from).collect()),
        Elem::F64 => Data::F64(on.map(|b| f64::from(u8::from(b))).collect()),
        Elem::F32 | Elem::Small(_) => Data::F32(on.map(|b| f32::from(u8::from(b))).collect()),
        Elem::Bool => Data::Bool(on.collect()),
        Elem::Str => return Err(node.unsupported("ones of text")),
    };
    let literal = Literal::new(elem, vec![h, w], data);
    literal.map(|l| vec![l.into()]).ok_or_else(|| node.bad_shape("a matrix beyond its type"))
}

/// A sum of cosines: coefficient i times cos(2πi·n / N).
fn cosines(node: &mut Node<'_, '_>, coefficients: &[f64]) -> Res<Vec<Value>> {
    let sizes = node.ints(0)?;
    let to = node.attributes().int("output_datatype").unwrap_or(1);
    let (elem, [size]) = (Elem::of(to), &sizes[..]) else { return Err(node.bad_shape("one size is expected")) };
    let n = counted(node, (*size).max(0) as f64)?;
    let periodic = node.attributes().int("periodic").unwrap_or(1) != 0;
    let period = if periodic { n as f64 } else { n as f64 - 1.0 };
    let at = |i: usize| {
        let term = |(k, c): (usize, &f64)| c * (2.0 * PI * k as f64 * i as f64 / period).cos();
        coefficients.iter().enumerate().map(term).sum::<f64>()
    };
    let values = (0..n).map(at);
    let data = match elem {
        Some(Elem::F32) => Data::F32(values.map(|x| x as f32).collect()),
        Some(Elem::F64) => Data::F64(values.collect()),
        _ => return Err(node.unsupported(format!("a window of {}", name_of(to)))),
    };
    let literal = Literal::new(elem.unwrap_or(Elem::F32), vec![n as u64], data);
    literal.map(|l| vec![l.into()]).ok_or_else(|| node.bad_shape("a window beyond its type"))
}
