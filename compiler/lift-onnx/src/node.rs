//! A node while it is lifted: its inputs, its attributes, and what its lifter builds with.

use std::sync::Arc;

use flock_ir_spec::{Attr, Diagnostic, Frame, NodeId, Op, TypeError};
use onnx_protobuf::NodeProto;

use crate::Res;
use crate::attributes::Attributes;
use crate::elem::Elem;
use crate::lift::{Lift, Reading};
use crate::literal::{self, Literal, MAX_ELEMENTS};
use crate::ops::Lifter;
use crate::shape::{Dim, Shape};
use crate::value::{Tensor, Value};

/// A node and what it is lifted into.
pub struct Node<'l, 'm> {
    /// The lift.
    pub lift: &'l mut Lift<'m>,
    /// The node.
    pub proto: &'m NodeProto,
    /// Its index in the graph.
    pub index: usize,
    /// The lifter of its operator.
    pub lifter: &'static Lifter,
    /// The version of its operator set.
    pub opset: i64,
    /// Its inputs; None where an optional one is left out.
    pub inputs: Vec<Option<Value>>,
}

/// Budget that an operator of the IR takes: its node is a few hundred bytes.
pub const NODE_COST: u64 = 32;

impl<'m> Node<'_, 'm> {
    /// A fault of this node.
    pub fn fault(&self, code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(code, self.lift.place(self.index, self.proto), message)
    }

    /// What the IR, or a row by itself, cannot express.
    pub fn unsupported(&self, message: impl Into<String>) -> Diagnostic {
        self.fault("flock::lift::unsupported", message)
    }

    /// A wrong attribute.
    pub fn bad_attribute(&self, message: impl Into<String>) -> Diagnostic {
        self.fault("flock::lift::attribute", message)
    }

    /// A wrong shape.
    pub fn bad_shape(&self, message: impl Into<String>) -> Diagnostic {
        self.fault("flock::lift::shape", message)
    }

    /// A node that mixes rows.
    pub fn mixes_rows(&self, message: impl Into<String>) -> Diagnostic {
        self.fault(crate::lift::NOT_ROW_LOCAL, message)
    }

    /// The version of the operator's definition.
    pub fn version(&self) -> i64 {
        self.lifter.versions.iter().copied().filter(|v| *v <= self.opset).max().unwrap_or(1)
    }

    /// The attributes.
    pub fn attributes(&self) -> Attributes<'m> {
        Attributes(self.proto)
    }

    /// Whether input i is given.
    pub fn has(&self, i: usize) -> bool {
        self.inputs.get(i).is_some_and(Option::is_some)
    }

    fn given(&self, i: usize) -> Res<&Value> {
        let value = self.inputs.get(i).and_then(Option::as_ref);
        value.ok_or_else(|| self.fault("flock::lift::arity", format!("input {i} is left out")))
    }

    /// Input i as a tensor; a known one becomes a constant of the function.
    pub fn tensor(&mut self, i: usize) -> Res<Tensor> {
        let value = self.given(i)?.clone();
        self.value_tensor(&value).map_err(|e| match e.code {
            "flock::lift::type" => Diagnostic { message: format!("input {i} is {}", e.message), ..e },
            _ => e,
        })
    }

    /// Input i as a tensor that may be a known one of no elements; that has a node that nothing reads.
    pub fn tensor_or_empty(&mut self, i: usize) -> Res<Tensor> {
        match self.given(i)? {
            Value::Literal(l) if l.len() == 0 => {
                let (elem, shape) = (l.elem, l.shape());
                let node = self.constant(zero(elem.dtype()))?;
                Ok(Tensor { elem, shape, node })
            }
            _ => self.tensor(i),
        }
    }

    /// The elements of a tensor at every sum of the offsets; none of them are a known tensor.
    pub fn picked(&mut self, x: &Tensor, offsets: &[Vec<i64>], shape: Shape) -> Res<Vec<Value>> {
        if let Some(empty) = Literal::empty(x.elem, &shape) {
            return Ok(vec![empty.into()]);
        }
        let picked = self.pick(x.node, offsets)?;
        self.give(x.elem, shape, picked)
    }

    /// A value as a tensor; a known one becomes a constant of the function.
    pub fn value_tensor(&mut self, value: &Value) -> Res<Tensor> {
        match value {
            Value::Tensor(t) => Ok(t.clone()),
            Value::Literal(l) if l.len() == 0 => {
                Err(self.unsupported(format!("a tensor {} of no elements", l.shape())))
            }
            Value::Literal(l) => self.known(l),
            other => Err(self.fault("flock::lift::type", format!("{}, expected a tensor", other.describe()))),
        }
    }

    /// Every input as a tensor.
    pub fn tensors(&mut self) -> Res<Vec<Tensor>> {
        (0..self.inputs.len()).map(|i| self.tensor(i)).collect()
    }

    /// Input i as a tensor of floats.
    pub fn float_tensor(&mut self, i: usize) -> Res<Tensor> {
        let tensor = self.tensor(i)?;
        if tensor.elem.is_float() { Ok(tensor) } else { Err(self.wrong_type(i, tensor.elem, "float or double")) }
    }

    /// Input i as a tensor of any float.
    pub fn any_float_tensor(&mut self, i: usize) -> Res<Tensor> {
        let tensor = self.tensor(i)?;
        if tensor.elem.is_any_float() { Ok(tensor) } else { Err(self.wrong_type(i, tensor.elem, "a float")) }
    }

    /// Input i as a tensor of numbers.
    pub fn number_tensor(&mut self, i: usize) -> Res<Tensor> {
        let tensor = self.tensor(i)?;
        if tensor.elem.is_number() { Ok(tensor) } else { Err(self.wrong_type(i, tensor.elem, "numbers")) }
    }

    /// The one axis of an attribute, in a tensor.
    pub fn axis_attribute(&self, shape: &Shape, default: i64) -> Res<usize> {
        let axis = self.attributes().int("axis").unwrap_or(default);
        self.axis_of(shape, axis)
    }

    /// An axis that may count from behind, in a tensor.
    pub fn axis_of(&self, shape: &Shape, axis: i64) -> Res<usize> {
        shape.axis(axis).ok_or_else(|| self.bad_attribute(format!("axis {axis} of a tensor {shape}")))
    }

    /// An extent that is not the rows'.
    pub fn extent(&self, shape: &Shape, axis: usize) -> Res<u64> {
        match shape.0.get(axis) {
            Some(Dim::Fixed(n)) => Ok(*n),
            _ => Err(self.mixes_rows(format!("it works along the rows of a tensor {shape}"))),
        }
    }

    /// The fault of an input of another type.
    pub fn wrong_type(&self, i: usize, found: Elem, expected: &str) -> Diagnostic {
        self.fault("flock::lift::type", format!("input {i} is of {}, expected {expected}", found.name()))
    }

    /// Input i as known values.
    pub fn literal(&self, i: usize) -> Res<Arc<Literal>> {
        match self.given(i)? {
            Value::Literal(l) => Ok(l.clone()),
            other => Err(self.unsupported(format!("input {i} is {}; it must be known without data", other.describe()))),
        }
    }

    /// Input i as known integers.
    pub fn ints(&self, i: usize) -> Res<Vec<i64>> {
        let literal = self.literal(i)?;
        let ints = literal.ints().map(<[i64]>::to_vec);
        ints.ok_or_else(|| self.wrong_type(i, literal.elem, "int64"))
    }

    /// Known values as a constant of the function.
    pub fn known(&mut self, literal: &Literal) -> Res<Tensor> {
        let node = self.constant(literal.frame.clone())?;
        Ok(Tensor { elem: literal.elem, shape: literal.shape(), node })
    }

    /// A tensor attribute.
    pub fn tensor_attribute(&mut self, name: &str) -> Res<Option<Literal>> {
        let Some(proto) = self.attributes().tensor(name) else { return Ok(None) };
        let literal = literal::decode(proto, &mut self.lift.files);
        literal.map(Some).map_err(|e| self.bad_attribute(format!("attribute `{name}`: {e}")))
    }

    /// Takes elements of the lift's budget.
    pub fn spend(&mut self, elements: u64) -> Res<()> {
        self.lift.spend(elements).map_err(|e| self.fault("flock::lift::too_large", e))
    }

    /// A constant.
    pub fn constant(&mut self, frame: Frame) -> Res<NodeId> {
        self.spend(frame.len() as u64)?;
        Ok(self.lift.b.constant(frame))
    }

    /// A constant of one element: a number in the dtype of `like`.
    pub fn number(&mut self, like: Elem, x: f64) -> Res<NodeId> {
        self.numbers(like, vec![x])
    }

    /// A constant of one row of numbers in the dtype of `like`.
    pub fn numbers(&mut self, like: Elem, xs: Vec<f64>) -> Res<NodeId> {
        let frame = match like {
            Elem::F32 | Elem::Small(_) => Frame::row_f32(xs.into_iter().map(|x| x as f32).collect::<Vec<_>>()),
            Elem::F64 => Frame::row_f64(xs),
            _ => Frame::row_i64(xs.into_iter().map(|x| x as i64).collect::<Vec<_>>()),
        };
        self.constant(frame)
    }

    fn type_fault(&self, e: &TypeError) -> Diagnostic {
        self.fault("flock::lift::type", e.to_string())
    }

    /// An operator of the IR.
    pub fn op(&mut self, op: Op, args: &[NodeId]) -> Res<NodeId> {
        self.op_with(op, Attr::None, args)
    }

    /// An operator of the IR with an attribute.
    pub fn op_with(&mut self, op: Op, attr: Attr, args: &[NodeId]) -> Res<NodeId> {
        self.spend(NODE_COST)?;
        let node = self.lift.b.op_with(op, attr, args);
        node.map_err(|e| self.type_fault(&e))
    }

    /// The width of a node.
    pub fn width(&self, node: NodeId) -> u32 {
        self.lift.b.frame_type(node).map_or(0, |t| t.width)
    }

    /// Elements per row of a shape, which a frame can hold.
    pub fn frame_width(&self, shape: &Shape) -> Res<u32> {
        let width = shape.width().filter(|w| (1..=MAX_ELEMENTS).contains(w));
        let width = width.and_then(|w| u32::try_from(w).ok());
        width.ok_or_else(|| {
            self.fault("flock::lift::too_large", format!("a tensor {shape}; a row holds 1 to {MAX_ELEMENTS} elements"))
        })
    }

    /// The one output, a tensor.
    pub fn give(&self, elem: Elem, shape: Shape, node: NodeId) -> Res<Vec<Value>> {
        Ok(vec![self.gives(elem, shape, node)?.into()])
    }

    /// A tensor whose width has been checked against its shape.
    pub fn gives(&self, elem: Elem, shape: Shape, node: NodeId) -> Res<Tensor> {
        let (expected, found) = (self.frame_width(&shape)?, self.width(node));
        let dtype = self.lift.b.frame_type(node).map(|t| t.dtype);
        if expected != found || dtype != Some(elem.dtype()) {
            return Err(self.bad_shape(format!("{found} columns of {dtype:?} for a {} tensor {shape}", elem.name())));
        }
        Ok(Tensor { elem, shape, node })
    }

    /// The rows in which a column of the condition is not true are ones that onnxruntime refuses.
    pub fn refuse_unless(&mut self, condition: NodeId) -> Res<()> {
        let all = if self.width(condition) == 1 { condition } else { self.op(Op::All, &[condition])? };
        self.lift.b.refuse_unless(all);
        Ok(())
    }

    /// A node without nulls: rows in which it is null are refused. Null is an integer that overflowed, or a float that
    /// no integer holds; onnxruntime leaves both to the processor.
    pub fn settled(&mut self, node: NodeId) -> Res<NodeId> {
        let Some(ty) = self.lift.b.frame_type(node).filter(|t| t.nullable) else { return Ok(node) };
        let null = self.op(Op::IsNull, &[node])?;
        let valid = self.op(Op::Not, &[null])?;
        self.refuse_unless(valid)?;
        let zero = self.lift.b.constant(zero(ty.dtype));
        self.op(Op::Coalesce, &[node, zero])
    }

    /// A node in another dtype; settled.
    pub fn cast(&mut self, node: NodeId, to: flock_ir_spec::DType) -> Res<NodeId> {
        let Some(from) = self.lift.b.frame_type(node).filter(|t| t.dtype != to) else { return Ok(node) };
        let partial = from.dtype.is_float() && to == flock_ir_spec::DType::I64;
        let ty = from.with_dtype(to).with_nulls(from.nullable || partial);
        let cast = self.op_with(Op::Cast, Attr::Type(ty), &[node])?;
        self.settled(cast)
    }

    /// Input i as `[rows, features]`, and the number of features. Where a row is a call, `[1, features]` is a row as well,
    /// and so is `[features]`.
    pub fn features(&mut self, i: usize) -> Res<(Tensor, u32)> {
        let tensor = self.tensor(i)?;
        let calls = self.lift.reading == Reading::Calls;
        match tensor.shape.0.as_slice() {
            [Dim::Rows, Dim::Fixed(_)] => {}
            [Dim::Fixed(1), Dim::Fixed(_)] if calls => {}
            [Dim::Fixed(n)] if calls => {
                let shape = Shape::fixed(&[1, *n]);
                let width = self.frame_width(&shape)?;
                return Ok((Tensor { shape, ..tensor }, width));
            }
            [Dim::Rows] => return Err(self.mixes_rows("a tensor [rows] is one row of features to this operator")),
            _ => {
                return Err(
                    self.bad_shape(format!("input {i} is a tensor {}, expected [rows, features]", tensor.shape))
                );
            }
        }
        let width = self.frame_width(&tensor.shape)?;
        Ok((tensor, width))
    }

    /// A tensor of numbers as float32, as most operators of ai.onnx.ml compute.
    pub fn as_f32(&mut self, tensor: &Tensor, input: usize) -> Res<NodeId> {
        match tensor.elem {
            Elem::Str | Elem::Bool => Err(self.wrong_type(input, tensor.elem, "numbers")),
            _ => self.cast(tensor.node, flock_ir_spec::DType::F32),
        }
    }
}

/// A constant of one element: 0, false, empty text.
pub fn zero(dtype: flock_ir_spec::DType) -> Frame {
    use flock_ir_spec::DType;
    match dtype {
        DType::Bool => Frame::row_bool([false]),
        DType::I64 => Frame::row_i64([0]),
        DType::F32 => Frame::row_f32([0.0]),
        DType::F64 => Frame::row_f64([0.0]),
        DType::Str => Frame::row_str([""]),
    }
}
