//! What models build functions with.

use flock_ir_spec::{Attr, DType, Diagnostic, Frame, FrameType, FunctionBuilder, NodeId, Op};

use crate::Res;

/// A function under construction.
pub(crate) struct Build {
    /// The function.
    pub b: FunctionBuilder,
    step: String,
}

impl Build {
    /// An empty function of that name.
    pub fn new(name: &str) -> Build {
        Build { b: FunctionBuilder::new(name), step: "model".into() }
    }

    /// Runs `f` with nodes labelled as those of a step.
    pub fn in_step<R>(&mut self, step: &str, f: impl FnOnce(&mut Build) -> R) -> R {
        let outer = std::mem::replace(&mut self.step, step.into());
        let before = self.b.set_step(Some(step));
        let result = f(self);
        self.b.set_step(before.as_deref());
        self.step = outer;
        result
    }

    /// An operator without attribute.
    pub fn op(&mut self, op: Op, args: &[NodeId]) -> Res<NodeId> {
        self.op_with(op, Attr::None, args)
    }

    /// An operator with an attribute. The models build well-typed nodes; a fault here is theirs.
    pub fn op_with(&mut self, op: Op, attr: Attr, args: &[NodeId]) -> Res<NodeId> {
        let fault = |e: flock_ir_spec::TypeError| Diagnostic::new("flock::lift::internal", &*self.step, e.to_string());
        self.b.op_with(op, attr, args).map_err(fault)
    }

    /// The type of a node that is a frame.
    pub fn frame_type(&self, node: NodeId) -> FrameType {
        self.b.frame_type(node).unwrap_or(FrameType::new(DType::F64, 0))
    }

    /// The number of columns of a node.
    pub fn width(&self, node: NodeId) -> usize {
        self.frame_type(node).width as usize
    }

    /// A number as an operand.
    pub fn number(&mut self, x: f64) -> NodeId {
        self.row([x])
    }

    /// A row of numbers as an operand.
    pub fn row(&mut self, row: impl Into<Vec<f64>>) -> NodeId {
        self.b.constant(Frame::row_f64(row))
    }

    /// `x op number`.
    pub fn with(&mut self, op: Op, x: NodeId, number: f64) -> Res<NodeId> {
        let number = self.number(number);
        self.op(op, &[x, number])
    }

    /// The same values in another dtype; nullable where the node is, or where a float has no integer.
    pub fn cast(&mut self, node: NodeId, dtype: DType) -> Res<NodeId> {
        let from = self.frame_type(node);
        if from.dtype == dtype {
            return Ok(node);
        }
        let partial = from.dtype.is_float() && dtype == DType::I64;
        let to = from.with_dtype(dtype).with_nulls(from.nullable || partial);
        self.op_with(Op::Cast, Attr::Type(to), &[node])
    }

    /// The node, and where it is null a constant.
    pub fn or_else(&mut self, node: NodeId, constant: Frame) -> Res<NodeId> {
        if !self.frame_type(node).nullable {
            return Ok(node);
        }
        let constant = self.b.constant(constant);
        self.op(Op::Coalesce, &[node, constant])
    }

    /// Some columns by position; a run of them is a slice.
    pub fn take(&mut self, node: NodeId, positions: &[u32]) -> Res<NodeId> {
        let first = positions.first().copied().unwrap_or(0);
        if positions.iter().enumerate().all(|(i, p)| *p == first + i as u32) {
            if positions.len() == self.width(node) {
                return Ok(node);
            }
            let range = Attr::Range { start: first, len: positions.len() as u32 };
            return self.op_with(Op::Slice, range, &[node]);
        }
        let columns = self.b.constant(Frame::row_i64(positions.iter().map(|p| i64::from(*p)).collect::<Vec<_>>()));
        self.op(Op::Take, &[node, columns])
    }

    /// One column.
    pub fn column(&mut self, node: NodeId, position: usize) -> Res<NodeId> {
        self.take(node, &[position as u32])
    }

    /// The frames' columns in one frame.
    pub fn side_by_side(&mut self, nodes: &[NodeId]) -> Res<NodeId> {
        match nodes {
            [one] => Ok(*one),
            many => self.op(Op::Concat, many),
        }
    }

    /// Refuses rows in which a column of the condition is not true.
    pub fn refuse_unless(&mut self, condition: NodeId) -> Res<()> {
        let all = if self.width(condition) == 1 { condition } else { self.op(Op::All, &[condition])? };
        self.b.refuse_unless(all);
        Ok(())
    }
}
