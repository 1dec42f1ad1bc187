//! Columns of frames moved about: what shape operators come down to.

use std::sync::Arc;

use flock_ir_spec::{Attr, Constant, Data, Frame, NodeId, Op};

use crate::Res;
use crate::broadcast;
use crate::elem::Elem;
use crate::literal::MAX_ELEMENTS;
use crate::node::Node;
use crate::shape::{self, Shape};
use crate::value::Tensor;

impl Node<'_, '_> {
    /// The columns at every sum of the offsets (see [`shape::sums`]).
    pub fn pick(&mut self, node: NodeId, offsets: &[Vec<i64>]) -> Res<NodeId> {
        let n = shape::count(offsets).filter(|n| (1..=MAX_ELEMENTS).contains(n));
        let n = n.ok_or_else(|| {
            self.fault("flock::lift::too_large", format!("a row of no or of more than {MAX_ELEMENTS} elements"))
        })?;
        self.spend(n)?;
        self.take(node, shape::sums(offsets))
    }

    /// Columns by index, in that order.
    pub fn take(&mut self, node: NodeId, columns: Vec<i64>) -> Res<NodeId> {
        let width = i64::from(self.width(node));
        if let Some(c) = columns.iter().find(|c| !(0..width).contains(*c)) {
            return Err(self.bad_shape(format!("column {c} of {width}")));
        }
        let start = columns.first().copied().unwrap_or(0);
        if columns.iter().enumerate().all(|(i, c)| *c == start + i as i64) {
            return self.slice(node, start as u32, columns.len() as u32);
        }
        if let Some(Constant::Table(table)) = self.lift.b.constant_of(node) {
            let picked = picked(table, &columns);
            return self.constant(picked);
        }
        let columns = self.constant(Frame::row_i64(columns))?;
        self.op(Op::Take, &[node, columns])
    }

    /// A range of columns.
    pub fn slice(&mut self, node: NodeId, start: u32, len: u32) -> Res<NodeId> {
        if start == 0 && len == self.width(node) {
            return Ok(node);
        }
        self.op_with(Op::Slice, Attr::Range { start, len }, &[node])
    }

    /// One column.
    pub fn column(&mut self, node: NodeId, column: u32) -> Res<NodeId> {
        self.slice(node, column, 1)
    }

    /// Columns side by side.
    pub fn concat(&mut self, parts: &[NodeId]) -> Res<NodeId> {
        match parts {
            [one] => Ok(*one),
            many => self.op(Op::Concat, many),
        }
    }

    /// Tensors broadcast to their common shape. A node of width 1 stays: the operators of the IR repeat it.
    pub fn broadcast(&mut self, tensors: &[Tensor]) -> Res<(Shape, Vec<NodeId>)> {
        let shapes: Vec<&Shape> = tensors.iter().map(|t| &t.shape).collect();
        let common = broadcast::common(&shapes).map_err(|e| self.broadcast_fault(e))?;
        let width = self.frame_width(&common)?;
        let nodes = tensors.iter().map(|t| self.stretched(t, &common, width)).collect::<Res<Vec<_>>>()?;
        Ok((common, nodes))
    }

    fn stretched(&mut self, tensor: &Tensor, to: &Shape, width: u32) -> Res<NodeId> {
        match self.width(tensor.node) {
            w if w == width || w == 1 => Ok(tensor.node),
            _ => self.pick(tensor.node, &broadcast::stretch(&tensor.shape, to)),
        }
    }

    /// A tensor with its elements repeated along the axes that broadcast to a shape.
    pub fn spread(&mut self, tensor: &Tensor, to: &Shape, width: u32) -> Res<NodeId> {
        if self.width(tensor.node) == width {
            return Ok(tensor.node);
        }
        self.pick(tensor.node, &broadcast::stretch(&tensor.shape, to))
    }

    /// A node of that width: one column is repeated.
    pub fn widened(&mut self, node: NodeId, width: u32) -> Res<NodeId> {
        if self.width(node) == width { Ok(node) } else { self.pick(node, &[vec![0; width as usize]]) }
    }

    /// The row of a table at an index, for each column of the indices, side by side.
    pub fn look_up(&mut self, index: NodeId, table: Frame) -> Res<NodeId> {
        let table = self.constant(table)?;
        let columns = (0..self.width(index))
            .map(|c| {
                let index = self.column(index, c)?;
                self.op(Op::Lookup, &[index, table])
            })
            .collect::<Res<Vec<_>>>()?;
        self.concat(&columns)
    }

    /// An index per row, which must lie in `0..len`; with `wrap` one from `-len` on counts from behind. Other rows are
    /// refused, as onnxruntime refuses the whole batch. The index of a greatest element needs no check.
    pub fn index_within(&mut self, index: NodeId, len: u64, wrap: bool) -> Res<NodeId> {
        if self.lift.b.graph().node(index).op == Op::ArgMax {
            return Ok(index);
        }
        let len = len as i64;
        let (low, high) = (if wrap { -len } else { 0 }, len);
        let (low, high) = (self.constant(Frame::row_i64([low]))?, self.constant(Frame::row_i64([high]))?);
        let (above, below) = (self.op(Op::Ge, &[index, low])?, self.op(Op::Lt, &[index, high])?);
        let inside = self.op(Op::And, &[above, below])?;
        self.refuse_unless(inside)?;
        if !wrap {
            return Ok(index);
        }
        let zero = self.constant(Frame::row_i64([0]))?;
        let negative = self.op(Op::Lt, &[index, zero])?;
        let from_behind = self.op(Op::Add, &[index, high])?;
        // The sum of a negative and a positive integer does not overflow.
        let from_behind = self.op(Op::Coalesce, &[from_behind, zero])?;
        self.op(Op::Select, &[negative, from_behind, index])
    }

    /// All inputs as tensors of one type.
    pub fn tensors_of_one_type(&mut self) -> Res<(Vec<Tensor>, Elem)> {
        let tensors = self.tensors()?;
        let elem = tensors.first().map_or(Elem::F32, |t| t.elem);
        match tensors.iter().position(|t| t.elem != elem) {
            Some(i) => Err(self.wrong_type(i, tensors[i].elem, elem.name())),
            None => Ok((tensors, elem)),
        }
    }
}

fn picked(table: &Frame, columns: &[i64]) -> Frame {
    fn of<T: Clone>(values: &[T], columns: &[i64]) -> Vec<T> {
        columns.iter().map(|c| values[*c as usize].clone()).collect()
    }
    let data = match &table.data {
        Data::Bool(v) => Data::Bool(of(v, columns)),
        Data::I64(v) => Data::I64(of(v, columns)),
        Data::F32(v) => Data::F32(of(v, columns)),
        Data::F64(v) => Data::F64(of(v, columns)),
        Data::Str(v) => Data::Str(of::<Arc<str>>(v, columns)),
    };
    Frame { rows: 1, width: columns.len(), data, valid: None }
}
