//! What the last step gives, as named columns ("Columns out" of the command-line contract).

use flock_ir_spec::{Attr, DType, Diagnostic, Frame, FrameType, NodeId, Op};

use crate::labels::Labels;
use crate::lift::{Lift, Lifted, MAX_INPUTS};
use crate::read::view::View;

/// A prediction.
pub enum Prediction {
    /// Numbers, one column per target; the label of a clusterer.
    Numbers(NodeId),
    /// What a classifier gives per target.
    Classes(Vec<Classes>),
    /// An outlier detector's label (1 or −1) and its `decision_function`.
    Outliers {
        /// 1 for an inlier, −1 for an outlier; i64.
        label: NodeId,
        /// `decision_function`.
        score: NodeId,
    },
}

/// One target of a classifier. It carries all that its methods give, since an estimator around it may ask for any of
/// them; what nobody asks for is a dead node.
pub struct Classes {
    /// The labels.
    pub labels: Labels,
    /// The predicted label (`predict`).
    pub label: NodeId,
    /// A column per class (`predict_proba`), where the class has that method.
    pub probabilities: Option<NodeId>,
    /// `decision_function`, where the class has that method.
    pub decision: Option<Decision>,
    /// Whether the labels are the numbers of a mixture's components, and no classes that it was told.
    pub components: bool,
}

/// What a `decision_function` gives.
#[derive(Clone, Copy, Debug)]
pub struct Decision {
    /// One column for two classes, else one per class or per pair of classes.
    pub scores: NodeId,
    /// Whether there is a column per pair (0 against 1, 0 against 2, …, 1 against 2, …).
    pub pairwise: bool,
}

impl Classes {
    /// A label without probabilities or scores.
    pub fn new(labels: Labels, label: NodeId) -> Classes {
        Classes { labels, label, probabilities: None, decision: None, components: false }
    }

    /// With `predict_proba`.
    #[must_use]
    pub fn with_probabilities(self, probabilities: NodeId) -> Classes {
        Classes { probabilities: Some(probabilities), ..self }
    }

    /// With a `decision_function` of one column for two classes, else one per class.
    #[must_use]
    pub fn with_decision(self, scores: NodeId) -> Classes {
        Classes { decision: Some(Decision { scores, pairwise: false }), ..self }
    }

    /// As those of a mixture.
    #[must_use]
    pub fn of_components(self) -> Classes {
        Classes { components: true, ..self }
    }

    /// As the only target.
    pub fn alone(self) -> Prediction {
        Prediction::Classes(vec![self])
    }

    /// The columns of the output; `suffix` is `_<target>` where there are several targets.
    fn columns(&self, cx: &mut Lift, suffix: &str) -> Res<Vec<(String, NodeId)>> {
        let mut named = vec![(format!("prediction{suffix}"), self.label)];
        let texts = &self.labels.texts;
        if let Some(probabilities) = self.probabilities {
            for (k, text) in texts.iter().enumerate() {
                named.push((format!("probability{suffix}_{text}"), cx.pick(probabilities, &[k])?));
            }
        } else if let Some(Decision { scores, pairwise }) = self.decision {
            let names: Vec<String> = match (cx.width(scores), pairwise) {
                (1, _) => vec![format!("score{suffix}")],
                (_, false) => texts.iter().map(|text| format!("score{suffix}_{text}")).collect(),
                (_, true) => {
                    let pairs = texts.iter().enumerate().flat_map(|(i, a)| texts[i + 1..].iter().map(move |b| (a, b)));
                    pairs.map(|(a, b)| format!("score{suffix}_{a}_{b}")).collect()
                }
            };
            for (k, name) in names.into_iter().enumerate() {
                named.push((name, cx.pick(scores, &[k])?));
            }
        }
        Ok(named)
    }
}

type Res<T> = Result<T, Diagnostic>;

impl Lift {
    /// The label at an index.
    pub fn label_at(&mut self, labels: &Labels, index: NodeId) -> Res<NodeId> {
        let table = self.b.constant(labels.table.clone());
        self.op(Op::Lookup, &[index, table])
    }

    /// The label of the greatest column, the first of equal ones.
    pub fn label_of_greatest(&mut self, labels: &Labels, scores: NodeId) -> Res<NodeId> {
        if labels.len() == 1 {
            return Ok(self.b.constant(labels.row(0)));
        }
        let index = self.op(Op::ArgMax, &[scores])?;
        self.label_at(labels, index)
    }

    /// The second label where the condition holds, else the first.
    pub fn label_if(&mut self, labels: &Labels, condition: NodeId) -> Res<NodeId> {
        let (no, yes) = (self.b.constant(labels.row(0)), self.b.constant(labels.row(1)));
        self.op(Op::Select, &[condition, yes, no])
    }

    /// 1 where the condition holds, else -1: the labels of outlier detectors.
    pub fn inlier_if(&mut self, condition: NodeId) -> Res<NodeId> {
        let (yes, no) = (self.b.constant(Frame::row_i64([1])), self.b.constant(Frame::row_i64([-1])));
        self.op(Op::Select, &[condition, yes, no])
    }

    /// `[1 - p, p]`.
    pub fn both_probabilities(&mut self, p: NodeId) -> Res<NodeId> {
        let one = self.b.constant(Frame::row_f64([1.0]));
        let q = self.op(Op::Sub, &[one, p])?;
        self.side_by_side(&[q, p])
    }

    pub(crate) fn outputs(&mut self, lifted: Lifted, root: &View<'_>) -> Res<()> {
        let named = match lifted {
            Lifted::Prediction(p) | Lifted::Both(p, _) => match p {
                Prediction::Numbers(node) => self.numbered("prediction", node)?,
                Prediction::Outliers { label, score } => vec![("prediction".into(), label), ("score".into(), score)],
                Prediction::Classes(targets) => {
                    let several = targets.len() > 1;
                    let mut named = Vec::new();
                    for (t, target) in targets.iter().enumerate() {
                        let suffix = if several { format!("_{t}") } else { String::new() };
                        named.extend(target.columns(self, &suffix)?);
                    }
                    named
                }
            },
            Lifted::Columns(columns) => {
                if columns.is_unknown() {
                    return Ok(());
                }
                if columns.width() > MAX_INPUTS {
                    return Err(root.unsupported(format!("an output of {} columns", columns.width())));
                }
                self.settle(&columns)?;
                let nodes = self.outputs_of(&columns, root)?;
                let numbered = || (0..nodes.len()).map(|i| format!("output_{i}")).collect();
                columns.names.clone().unwrap_or_else(numbered).into_iter().zip(nodes).collect()
            }
        };
        if named.is_empty() {
            return Err(root.unsupported("the pipeline gives no column"));
        }
        let mut seen: Vec<&str> = named.iter().map(|(n, _)| n.as_str()).collect();
        seen.sort_unstable();
        if let Some(twice) = seen.windows(2).find(|w| w[0] == w[1]) {
            let message = format!("two columns of the output are named `{}`", twice[0]);
            return Err(Diagnostic::new("flock::lift::output_name", root.path(), message));
        }
        for (name, node) in named {
            let node = self.as_output(node)?;
            self.b.output(&name, node);
        }
        Ok(())
    }

    fn numbered(&mut self, name: &str, node: NodeId) -> Res<Vec<(String, NodeId)>> {
        match self.width(node) {
            1 => Ok(vec![(name.into(), node)]),
            n => (0..n).map(|k| Ok((format!("{name}_{k}"), self.pick(node, &[k])?))).collect(),
        }
    }

    /// An output is a frame: a constant (a model without inputs' influence) is repeated on every row.
    fn as_output(&mut self, node: NodeId) -> Res<NodeId> {
        let ty = self.frame_type(node);
        match ty.dtype {
            DType::I64 | DType::F64 | DType::Bool | DType::Str => Ok(node),
            DType::F32 => self.op_with(Op::Cast, Attr::Type(FrameType { dtype: DType::F64, ..ty }), &[node]),
        }
    }
}
