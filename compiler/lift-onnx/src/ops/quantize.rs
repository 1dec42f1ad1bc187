//! `QuantizeLinear`, `DequantizeLinear`, `DynamicQuantizeLinear`, `MatMulInteger`, `QLinearMatMul`: numbers as integers (or
//! 8-bit floats) with a scale and a zero point.
//!
//! A quantised number is x / scale, rounded to even, plus the zero point, within the bounds of its type.
//! Source: ai.onnx QuantizeLinear-10 … -28, DequantizeLinear-10 … -28; onnxruntime `quantization/quantize_linear.cc`.

use flock_ir_spec::{Composite, DType, NodeId, Op};

use super::Lifter;
use super::product::Factors;
use crate::Res;
use crate::attributes::Form;
use crate::elem::{Elem, name_of};
use crate::node::Node;
use crate::shape::{Dim, Shape};
use crate::value::{Tensor, Value};

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        attributes: &[
            ("axis", Form::Int),
            ("saturate", Form::Int),
            ("block_size", Form::Int),
            ("output_dtype", Form::Int),
            ("precision", Form::Int),
        ],
        ..Lifter::main("QuantizeLinear", &[10, 13, 19, 21, 23, 24, 25, 28], 2..=3, quantize)
    },
    Lifter {
        attributes: &[("axis", Form::Int), ("block_size", Form::Int), ("output_dtype", Form::Int)],
        ..Lifter::main("DequantizeLinear", &[10, 13, 19, 21, 23, 24, 25, 28], 2..=3, dequantize)
    },
    Lifter { outputs: 1..=3, ..Lifter::main("DynamicQuantizeLinear", &[11], 1..=1, dynamic) },
    Lifter::main("MatMulInteger", &[10], 2..=4, matmul_integer),
    Lifter::main("QLinearMatMul", &[10, 21], 8..=8, matmul_quantized),
];

fn quantize(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = node.number_tensor(0)?;
    if node.attributes().int("precision").unwrap_or(0) != 0 {
        return Err(node.unsupported("a precision of the division"));
    }
    let scale = node.any_float_tensor(1)?;
    let scale = node.aligned(scale, &x.shape)?;
    let zero = if node.has(2) { Some(node.number_tensor(2)?) } else { None };
    let asked = node.attributes().int("output_dtype").filter(|t| *t != 0);
    let to = match (&zero, asked) {
        (Some(zero), _) => zero.elem,
        (None, None) => Elem::U8,
        (None, Some(t)) => Elem::of(t).ok_or_else(|| node.bad_attribute(format!("output_dtype {}", name_of(t))))?,
    };
    let zero = zero.map(|z| node.aligned(z, &x.shape)).transpose()?;
    let value = quantized(node, &x, scale, zero, to)?;
    node.give(to, x.shape, value)
}

fn quantized(node: &mut Node<'_, '_>, x: &Tensor, scale: NodeId, zero: Option<NodeId>, to: Elem) -> Res<NodeId> {
    let value = node.cast(x.node, DType::F32)?;
    let scale = node.cast(scale, DType::F32)?;
    let ratio = node.op(Op::Div, &[value, scale])?;
    let ratio = node.fitted(ratio, if x.elem.is_any_float() { x.elem } else { Elem::F32 })?;
    match to {
        Elem::Int(int) => {
            let wide = node.as_f64(ratio)?;
            let whole = node.op(Op::Round, &[wide])?;
            let moved = match zero {
                Some(zero) => {
                    let zero = node.as_f64(zero)?;
                    node.op(Op::Add, &[whole, zero])?
                }
                None => whole,
            };
            let (low, high) = (node.double(int.low() as f64)?, node.double(int.high() as f64)?);
            let within = node.op(Op::Composite(Composite::CLIP), &[moved, low, high])?;
            let width = node.frame_width(&x.shape)?;
            let within = node.widened(within, width)?;
            node.cast(within, DType::I64)
        }
        Elem::Small(format) => {
            let moved = match zero {
                Some(zero) => node.op(Op::Add, &[ratio, zero])?,
                None => ratio,
            };
            let saturate = node.attributes().int("saturate").unwrap_or(1) != 0;
            let rounded = node.rounded(moved, format, saturate)?;
            let width = node.frame_width(&x.shape)?;
            node.widened(rounded, width)
        }
        other => Err(node.unsupported(format!("numbers quantised as {}", other.name()))),
    }
}

fn dequantize(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = node.number_tensor(0)?;
    let scale = node.any_float_tensor(1)?;
    let to = match node.attributes().int("output_dtype").filter(|t| *t != 0) {
        None => scale.elem,
        Some(t) => Elem::of(t).ok_or_else(|| node.bad_attribute(format!("output_dtype {}", name_of(t))))?,
    };
    let scale = node.aligned(scale, &x.shape)?;
    let mut value = x.node;
    if node.has(2) {
        let zero = node.number_tensor(2)?;
        let zero = node.aligned(zero, &x.shape)?;
        value = node.op(Op::Sub, &[value, zero])?;
        value = node.settled(value)?;
    }
    let value = node.cast(value, DType::F32)?;
    let scaled = node.op(Op::Mul, &[value, scale])?;
    let scaled = node.fitted(scaled, to)?;
    let scaled = node.cast(scaled, to.dtype())?;
    let width = node.frame_width(&x.shape)?;
    let scaled = node.widened(scaled, width)?;
    node.give(to, x.shape, scaled)
}

impl Node<'_, '_> {
    /// A scale or a zero point as a frame beside a tensor: one for all, one per index of the axis, or with `block_size`
    /// one per so many indices.
    fn aligned(&mut self, t: Tensor, shape: &Shape) -> Res<NodeId> {
        if t.shape.width() == Some(1) && t.shape.rows_axis().is_none() {
            return Ok(t.node);
        }
        let axis = self.axis_attribute(shape, 1)?;
        let block = self.attributes().int("block_size").unwrap_or(0);
        if block > 0 {
            return self.blocked(&t, shape, axis, block as u64);
        }
        let extent = self.extent(shape, axis)?;
        if t.shape.0 != [Dim::Fixed(extent)] {
            return Err(self.bad_shape(format!("a scale or zero point {} for axis {axis} of {shape}", t.shape)));
        }
        let mut dims = vec![Dim::Fixed(1); shape.rank()];
        dims[axis] = Dim::Fixed(extent);
        let width = self.frame_width(shape)?;
        let aligned = Tensor { shape: Shape(dims), ..t };
        self.spread(&aligned, shape, width)
    }

    fn blocked(&mut self, t: &Tensor, shape: &Shape, axis: usize, block: u64) -> Res<NodeId> {
        let extent = self.extent(shape, axis)?;
        let mut expected = shape.clone();
        expected.0[axis] = Dim::Fixed(extent.div_ceil(block));
        if t.shape != expected {
            return Err(self.bad_shape(format!("blocks {} of {shape}, expected {expected}", t.shape)));
        }
        let mut offsets = t.shape.offsets();
        let per_block = offsets[axis].clone();
        offsets[axis] = (0..extent).map(|i| per_block[(i / block) as usize]).collect();
        self.pick(t.node, &offsets)
    }
}

/// The scale is the range of the tensor, 0 included, over 255. It takes the whole tensor: where a row is a call alone.
fn dynamic(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let x = node.float_tensor(0)?;
    if x.shape.rows_axis().is_some() {
        return Err(node.mixes_rows("the scale is taken over all rows"));
    }
    let (zero, most) = (node.number(Elem::F32, 0.0)?, node.number(Elem::F32, 255.0)?);
    let (low, high) = (node.op(Op::RowMin, &[x.node])?, node.op(Op::RowMax, &[x.node])?);
    let (low, high) = (node.op(Op::Min, &[low, zero])?, node.op(Op::Max, &[high, zero])?);
    let range = node.op(Op::Sub, &[high, low])?;
    let scale = node.op(Op::Div, &[range, most])?;
    let from_zero = node.op(Op::Sub, &[zero, low])?;
    let place = node.op(Op::Div, &[from_zero, scale])?;
    let place = node.op(Op::Composite(Composite::CLIP), &[place, zero, most])?;
    let place = node.op(Op::Round, &[place])?;
    let point = node.cast(place, DType::I64)?;
    let value = quantized(node, &x, scale, Some(point), Elem::U8)?;
    let scalar = || Shape(Vec::new());
    Ok(vec![
        node.gives(Elem::U8, x.shape.clone(), value)?.into(),
        node.gives(Elem::F32, scalar(), scale)?.into(),
        node.gives(Elem::U8, scalar(), point)?.into(),
    ])
}

/// A quantised factor as whole doubles: less its zero point, one for all or one per row (`rows`) or column of a matrix.
fn factor(node: &mut Node<'_, '_>, x: usize, zero: usize, rows: bool) -> Res<Tensor> {
    let t = node.number_tensor(x)?;
    let mut value = node.as_f64(t.node)?;
    if node.has(zero) {
        let point = node.number_tensor(zero)?;
        let point = if rows && point.shape.rank() == 1 && point.shape.width() != Some(1) {
            Tensor { shape: Shape(vec![point.shape.0[0], Dim::Fixed(1)]), ..point }
        } else {
            point
        };
        let point = Tensor { node: node.as_f64(point.node)?, elem: Elem::F64, ..point };
        let (shape, difference) =
            node.arithmetic(Op::Sub, &[Tensor { node: value, elem: Elem::F64, shape: t.shape.clone() }, point], Elem::F64)?;
        if shape != t.shape {
            return Err(node.bad_shape(format!("zero points for a factor {}", t.shape)));
        }
        value = difference;
    }
    Ok(Tensor { elem: Elem::F64, shape: t.shape, node: value })
}

fn matmul_integer(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let (a, b) = (factor(node, 0, 2, true)?, factor(node, 1, 3, false)?);
    let (shape, product) = node.product(&Factors { a, b })?;
    let product = node.cast(product, DType::I64)?;
    let product = node.fitted(product, Elem::I32)?;
    node.give(Elem::I32, shape, product)
}

fn matmul_quantized(node: &mut Node<'_, '_>) -> Res<Vec<Value>> {
    let scale = |node: &mut Node<'_, '_>, i: usize| -> Res<NodeId> {
        let scale = node.any_float_tensor(i)?;
        match (scale.shape.width(), scale.shape.rows_axis()) {
            (Some(1), None) => node.as_f64(scale.node),
            _ => Err(node.unsupported(format!("a scale per row or column, {}", scale.shape))),
        }
    };
    let (a_scale, b_scale, y_scale) = (scale(node, 1)?, scale(node, 4)?, scale(node, 6)?);
    let (a, b) = (factor(node, 0, 2, true)?, factor(node, 3, 5, false)?);
    let point = node.number_tensor(7)?;
    let Elem::Int(int) = point.elem else { return Err(node.wrong_type(7, point.elem, "an integer")) };
    let (shape, product) = node.product(&Factors { a, b })?;
    let scales = node.op(Op::Mul, &[a_scale, b_scale])?;
    let scale = node.op(Op::Div, &[scales, y_scale])?;
    let scaled = node.op(Op::Mul, &[product, scale])?;
    let whole = node.op(Op::Round, &[scaled])?;
    let zero = node.as_f64(point.node)?;
    let moved = node.op(Op::Add, &[whole, zero])?;
    let (low, high) = (node.double(int.low() as f64)?, node.double(int.high() as f64)?);
    let within = node.op(Op::Composite(Composite::CLIP), &[moved, low, high])?;
    let value = node.cast(within, DType::I64)?;
    node.give(point.elem, shape, value)
}
