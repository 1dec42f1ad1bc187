//! What a name of the graph stands for during a lift.

use std::sync::Arc;

use flock_ir_spec::NodeId;

use crate::elem::Elem;
use crate::extents::Extents;
use crate::labels::Labels;
use crate::literal::Literal;
use crate::shape::Shape;

/// The value of a name.
#[derive(Clone, Debug)]
pub enum Value {
    /// A tensor of the IR; its frame is never null.
    Tensor(Tensor),
    /// A tensor of known values.
    Literal(Arc<Literal>),
    /// A number per label: what ZipMap gives, or an input of the graph.
    Map(Map),
    /// Extents, the number of rows among them.
    Extents(Extents),
    /// A list of known length.
    Sequence(Arc<Vec<Value>>),
    /// An optional value that is not there.
    Absent,
}

/// A tensor whose rows are computed by a node of the IR.
#[derive(Clone, Debug)]
pub struct Tensor {
    /// Element type.
    pub elem: Elem,
    /// Shape; the node's width is its width.
    pub shape: Shape,
    /// The node.
    pub node: NodeId,
}

/// Numbers by label.
#[derive(Clone, Debug)]
pub struct Map {
    /// The labels, one per column.
    pub labels: Arc<Labels>,
    /// `[rows, labels]`.
    pub numbers: Tensor,
}

impl Value {
    /// In words, for faults.
    pub fn describe(&self) -> String {
        match self {
            Value::Tensor(t) => format!("a {} tensor {}", t.elem.name(), t.shape),
            Value::Literal(l) => format!("a {} constant {}", l.elem.name(), l.shape()),
            Value::Map(_) => "a map".into(),
            Value::Extents(_) => "the number of rows".into(),
            Value::Sequence(values) => format!("a sequence of {}", values.len()),
            Value::Absent => "an optional value that is not there".into(),
        }
    }
}

impl From<Tensor> for Value {
    fn from(tensor: Tensor) -> Value {
        Value::Tensor(tensor)
    }
}

impl From<Literal> for Value {
    fn from(literal: Literal) -> Value {
        Value::Literal(Arc::new(literal))
    }
}
