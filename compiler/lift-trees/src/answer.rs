//! What a model gives, as named columns ("Columns out" of the command-line contract).

use std::sync::Arc;

use flock_ir_spec::{DType, Frame, NodeId, Op};

use crate::Res;
use crate::build::Build;

/// What a model gives for a row.
pub(crate) struct Answer {
    /// The scores before any transform.
    pub raw: NodeId,
    /// What `predict` makes of them.
    pub form: Form,
}

/// The form of a prediction.
pub(crate) enum Form {
    /// Numbers, one column per target.
    Numbers(NodeId),
    /// Classes per target.
    Classes(Vec<Classes>),
}

/// One target of a classifier.
pub(crate) struct Classes {
    /// The position of the predicted class among the labels; i64.
    pub index: NodeId,
    /// A column per class.
    pub probabilities: Option<NodeId>,
    /// The labels.
    pub labels: Labels,
}

/// The labels of classes.
pub(crate) enum Labels {
    /// 0, 1, … as many as that.
    Count(usize),
    /// As the file has them, a row per label, and as text.
    Stored(Frame, Vec<Arc<str>>),
}

impl Labels {
    fn texts(&self) -> Vec<String> {
        match self {
            Labels::Count(n) => (0..*n).map(|i| i.to_string()).collect(),
            Labels::Stored(_, texts) => texts.iter().map(|t| t.to_string()).collect(),
        }
    }

    fn of(&self, cx: &mut Build, index: NodeId) -> Res<NodeId> {
        match self {
            Labels::Count(_) => Ok(index),
            Labels::Stored(table, _) => {
                let table = cx.b.constant(table.clone());
                cx.op(Op::Lookup, &[index, table])
            }
        }
    }
}

impl Answer {
    /// The labels that the file stores.
    pub fn labels(&self) -> Option<Frame> {
        let Form::Classes(targets) = &self.form else { return None };
        match targets.as_slice() {
            [Classes { labels: Labels::Stored(table, _), .. }] => Some(table.clone()),
            _ => None,
        }
    }
}

impl Classes {
    /// Two classes by the probability of the second, which is predicted where the condition holds.
    pub fn two(cx: &mut Build, p: Option<NodeId>, second: NodeId, labels: Labels) -> Res<Classes> {
        let (yes, no) = (cx.b.constant(Frame::row_i64([1])), cx.b.constant(Frame::row_i64([0])));
        let index = cx.op(Op::Select, &[second, yes, no])?;
        let probabilities = match p {
            Some(p) => {
                let one = cx.number(1.0);
                let q = cx.op(Op::Sub, &[one, p])?;
                Some(cx.side_by_side(&[q, p])?)
            }
            None => None,
        };
        Ok(Classes { index, probabilities, labels })
    }

    /// Many classes; the first of the greatest scores is predicted.
    pub fn many(cx: &mut Build, scores: NodeId, probabilities: NodeId, labels: Labels) -> Res<Classes> {
        let index = cx.op(Op::ArgMax, &[scores])?;
        Ok(Classes { index, probabilities: Some(probabilities), labels })
    }
}

/// The outputs of a file's function.
pub(crate) fn columns(cx: &mut Build, answer: &Answer) -> Res<()> {
    match &answer.form {
        Form::Numbers(node) => numbered(cx, "prediction", *node),
        Form::Classes(targets) => {
            for (t, target) in targets.iter().enumerate() {
                let suffix = if targets.len() > 1 { format!("_{t}") } else { String::new() };
                let label = target.labels.of(cx, target.index)?;
                cx.b.output(&format!("prediction{suffix}"), label);
                let Some(probabilities) = target.probabilities else { continue };
                for (k, text) in target.labels.texts().iter().enumerate() {
                    let column = cx.column(probabilities, k)?;
                    cx.b.output(&format!("probability{suffix}_{text}"), column);
                }
            }
            Ok(())
        }
    }
}

/// The outputs of the function of a model within another file: `raw`, and as whole frames what is made of it.
pub(crate) fn frames(cx: &mut Build, answer: &Answer) -> Res<()> {
    let raw = cx.cast(answer.raw, DType::F64)?;
    cx.b.output("raw", raw);
    match &answer.form {
        Form::Numbers(node) => cx.b.output("prediction", *node),
        Form::Classes(targets) => {
            for (t, target) in targets.iter().enumerate() {
                let suffix = if targets.len() > 1 { format!("_{t}") } else { String::new() };
                cx.b.output(&format!("class{suffix}"), target.index);
                if let Some(p) = target.probabilities {
                    cx.b.output(&format!("probabilities{suffix}"), p);
                }
            }
        }
    }
    Ok(())
}

fn numbered(cx: &mut Build, name: &str, node: NodeId) -> Res<()> {
    let width = cx.width(node);
    for k in 0..width {
        let column = cx.column(node, k)?;
        cx.b.output(&if width == 1 { name.to_owned() } else { format!("{name}_{k}") }, column);
    }
    Ok(())
}
