//! Class labels of a graph.

use std::sync::Arc;

use flock_ir_spec::{Data, Frame, NodeId, Op};

use crate::Res;
use crate::elem::Elem;
use crate::node::Node;

/// Class labels, integers or strings.
#[derive(Clone, Debug, PartialEq)]
pub enum Labels {
    /// `classlabels_int64s`.
    Ints(Vec<i64>),
    /// `classlabels_strings`.
    Texts(Vec<Arc<str>>),
}

impl Labels {
    /// Number of labels.
    pub fn len(&self) -> usize {
        match self {
            Labels::Ints(v) => v.len(),
            Labels::Texts(v) => v.len(),
        }
    }

    /// Each label as the output columns spell it.
    pub fn names(&self) -> Vec<String> {
        match self {
            Labels::Ints(v) => v.iter().map(i64::to_string).collect(),
            Labels::Texts(v) => v.iter().map(|t| t.to_string()).collect(),
        }
    }

    /// A table of one column: row i is label i.
    pub fn table(&self) -> Frame {
        let data = match self {
            Labels::Ints(v) => Data::I64(v.clone()),
            Labels::Texts(v) => Data::Str(v.clone()),
        };
        Frame { rows: self.len(), width: 1, data, valid: None }
    }

    /// Label i as a constant of one row.
    pub fn row(&self, i: usize) -> Frame {
        match self {
            Labels::Ints(v) => Frame::row_i64([v[i]]),
            Labels::Texts(v) => Frame::row_str([v[i].clone()]),
        }
    }
}

impl Node<'_, '_> {
    /// The class labels of one of two attributes.
    pub fn labels(&self, ints: &str, texts: &str) -> Res<Labels> {
        let (i, t) = (self.attributes().ints(ints), self.attributes().texts(texts));
        match (i.is_empty(), t.is_empty()) {
            (false, true) => Ok(Labels::Ints(i.to_vec())),
            (true, false) => Ok(Labels::Texts(t)),
            _ => Err(self.bad_attribute(format!("class labels are expected in one of `{ints}` and `{texts}`"))),
        }
    }

    /// The second label where the condition holds, the first elsewhere.
    pub fn one_of_two(&mut self, second: NodeId, labels: &Labels) -> Res<NodeId> {
        let (yes, no) = (self.constant(labels.row(1))?, self.constant(labels.row(0))?);
        self.op(Op::Select, &[second, yes, no])
    }

    /// The element type of the labels.
    pub fn label_elem(&self, labels: &Labels) -> Elem {
        if matches!(labels, Labels::Ints(_)) { Elem::I64 } else { Elem::Str }
    }
}
