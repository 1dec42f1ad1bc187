//! What an estimator asks of the estimators within it.

use flock_ir_spec::{Attr, DType, Diagnostic, Frame, FrameType, NodeId, Op};

use crate::columns::Columns;
use crate::labels::Labels;
use crate::lift::{Lift, Lifted, public_name};
use crate::prediction::{Classes, Prediction};
use crate::read::view::View;

type Res<T> = Result<T, Diagnostic>;

/// The estimators of a list that is not empty.
pub(crate) fn list<'a>(view: &View<'a>, name: &str) -> Res<Vec<View<'a>>> {
    let list = view.attr(name)?;
    let members = list.items()?;
    if members.is_empty() { Err(list.expected("at least one estimator")) } else { Ok(members) }
}

impl Classes {
    /// `predict_proba`.
    pub fn probabilities_of(&self, place: &View<'_>) -> Res<NodeId> {
        self.probabilities.ok_or_else(|| place.unsupported(format!("{} has no `predict_proba`", place.kind())))
    }

    /// `decision_function`.
    pub fn decision_of(&self, place: &View<'_>) -> Res<NodeId> {
        let scores = self.decision.map(|d| d.scores);
        scores.ok_or_else(|| place.unsupported(format!("{} has no `decision_function`", place.kind())))
    }
}

/// What stands for a member that met one class only.
const CONSTANT: &str = "sklearn.multiclass._ConstantPredictor";

/// One column that says how much a member of two classes is for the second one, and the value above which it says so
/// (`_predict_binary` and `_threshold_for_binary_predict` of scikit-learn's `multiclass.py`).
pub(crate) struct Confidence {
    pub score: NodeId,
    pub threshold: f64,
    /// The second class is predicted, as 1, else 0; for a regressor its own prediction.
    pub predicted: NodeId,
    /// The probability of the second class, where the member has one.
    pub probability: Option<NodeId>,
    /// Whether `score` is a decision function.
    pub decides: bool,
}

impl Lift {
    /// Lifts an estimator that predicts. Its steps stand under `name`.
    pub fn member(&mut self, name: &str, view: &View<'_>, input: &Columns) -> Res<Prediction> {
        match self.in_step(name, |cx| cx.estimator(view, input.clone()))? {
            Lifted::Prediction(prediction) | Lifted::Both(prediction, _) => Ok(prediction),
            Lifted::Columns(_) => Err(view.unsupported(format!("{} transforms, and cannot predict", view.kind()))),
        }
    }

    /// Lifts a classifier of one target.
    pub fn classifier(&mut self, name: &str, view: &View<'_>, input: &Columns) -> Res<Classes> {
        match self.member(name, view, input)? {
            Prediction::Classes(mut targets) if targets.len() == 1 => Ok(targets.remove(0)),
            _ => Err(view.expected("a classifier of one target")),
        }
    }

    /// Lifts a regressor; one column per target.
    pub fn regressor(&mut self, name: &str, view: &View<'_>, input: &Columns) -> Res<NodeId> {
        match self.member(name, view, input)? {
            Prediction::Numbers(node) => Ok(node),
            _ => Err(view.expected("a regressor")),
        }
    }

    /// Lifts a member that tells one class from another.
    pub(crate) fn confidence(&mut self, name: &str, view: &View<'_>, input: &Columns) -> Res<Confidence> {
        if view.class().is_some_and(|c| public_name(&c) == CONSTANT) {
            return self.constant_confidence(view);
        }
        let classes = match self.member(name, view, input)? {
            Prediction::Classes(mut targets) if targets.len() == 1 => targets.remove(0),
            Prediction::Numbers(score) if self.width(score) == 1 => {
                return Ok(Confidence { score, threshold: 0.5, predicted: score, probability: None, decides: false });
            }
            _ => return Err(view.expected("a classifier or a regressor of one target")),
        };
        if classes.labels.len() != 2 {
            return Err(view.expected("a classifier of two classes"));
        }
        let probability = match classes.probabilities {
            Some(both) => Some(self.pick(both, &[1])?),
            None => None,
        };
        let (score, threshold) = match classes.decision {
            Some(decision) => (decision.scores, 0.0),
            None => (probability.map_or_else(|| classes.probabilities_of(view), Ok)?, 0.5),
        };
        let second = self.b.constant(classes.labels.row(1));
        let predicted = self.op(Op::Eq, &[classes.label, second])?;
        let predicted = self.as_f64(predicted)?;
        Ok(Confidence { score, threshold, predicted, probability, decides: classes.decision.is_some() })
    }

    /// A member that met one class only and says so on every row. It has a decision function, and is no classifier.
    fn constant_confidence(&mut self, view: &View<'_>) -> Res<Confidence> {
        let score = self.row_f64(view.attr("y_")?.f64s_of(1)?);
        Ok(Confidence { score, threshold: 0.5, predicted: score, probability: Some(score), decides: true })
    }

    /// Truth values and integers as f64.
    pub fn as_f64(&mut self, node: NodeId) -> Res<NodeId> {
        let ty = self.frame_type(node);
        if ty.dtype == DType::F64 {
            return Ok(node);
        }
        self.op_with(Op::Cast, Attr::Type(ty.with_dtype(DType::F64)), &[node])
    }

    /// A label of int, bool or float as a number.
    pub fn label_number(&mut self, classes: &Classes, place: &View<'_>) -> Res<NodeId> {
        if self.frame_type(classes.label).dtype == DType::Str {
            return Err(place.unsupported("a label of text where a number is expected"));
        }
        self.as_f64(classes.label)
    }

    /// The position of a classifier's label among others (i64), -1 where it is none of them.
    pub fn label_position(&mut self, classes: &Classes, among: &Labels, place: &View<'_>) -> Res<NodeId> {
        if classes.labels.table.dtype() != among.table.dtype() {
            return Err(place.expected("class labels of the type of the others"));
        }
        let row = Frame { rows: 1, width: among.len(), ..among.table.clone() };
        let row = self.b.constant(row);
        self.op(Op::IndexOf, &[classes.label, row])
    }

    /// Per column whether the position is its number.
    pub fn is_position(&mut self, position: NodeId, columns: usize) -> Res<NodeId> {
        let row = self.b.constant(Frame::row_i64((0..columns as i64).collect::<Vec<_>>()));
        self.op(Op::Eq, &[position, row])
    }

    /// The same classes under the labels that a label encoder took from them: class i becomes label i.
    pub fn decoded(&mut self, classes: Classes, labels: Labels, place: &View<'_>) -> Res<Classes> {
        if classes.labels.len() != labels.len() {
            let message =
                format!("a classifier of {} classes where {} are expected", classes.labels.len(), labels.len());
            return Err(place.unsupported(message));
        }
        let position = self.codes_of(&classes, place)?;
        let label = self.label_at(&labels, position)?;
        Ok(Classes { labels, label, ..classes })
    }

    /// The label of a classifier that was fitted on 0 … n − 1.
    pub fn codes_of(&mut self, classes: &Classes, place: &View<'_>) -> Res<NodeId> {
        if self.frame_type(classes.label).dtype != DType::I64 {
            return Err(place.expected("classes that are numbered"));
        }
        Ok(classes.label)
    }

    /// The columns of `node` put into `width` of them: column i goes to `positions[i]`, the others are 0.
    pub fn spread(&mut self, node: NodeId, positions: &[usize], width: usize) -> Res<NodeId> {
        if positions.iter().copied().eq(0..width) {
            return Ok(node);
        }
        let zero = self.b.constant(Frame::row_f64([0.0]));
        let mut parts = Vec::with_capacity(width);
        for k in 0..width {
            parts.push(match positions.iter().position(|p| *p == k) {
                Some(i) => self.pick(node, &[i])?,
                None => zero,
            });
        }
        self.side_by_side(&parts)
    }

    /// The sum of nodes of the same width, in their order.
    pub fn added(&mut self, nodes: &[NodeId], place: &View<'_>) -> Res<NodeId> {
        let Some((first, rest)) = nodes.split_first() else { return Err(place.expected("at least one estimator")) };
        rest.iter().try_fold(*first, |sum, node| self.op(Op::Add, &[sum, *node]))
    }

    /// The mean of nodes, weighted where there are weights (`numpy.average` over the members).
    pub fn average(&mut self, nodes: &[NodeId], weights: Option<&[f64]>, place: &View<'_>) -> Res<NodeId> {
        let Some(weights) = weights else {
            let sum = self.added(nodes, place)?;
            return self.with_row(Op::Div, sum, vec![nodes.len() as f64]);
        };
        let mut terms = Vec::with_capacity(nodes.len());
        for (node, weight) in nodes.iter().zip(weights) {
            terms.push(self.with_row(Op::Mul, *node, vec![*weight])?);
        }
        let sum = self.added(&terms, place)?;
        self.with_row(Op::Div, sum, vec![crate::trees::pairwise_sum(weights)])
    }

    /// A constant row of numbers.
    pub fn row_f64(&mut self, values: impl Into<Vec<f64>>) -> NodeId {
        self.b.constant(Frame::row_f64(values))
    }

    /// Numbers as float32 holds them, in f64.
    pub fn rounded_to_f32(&mut self, x: NodeId) -> Res<NodeId> {
        let width = self.width(x) as u32;
        let single = self.op_with(Op::Cast, Attr::Type(FrameType::new(DType::F32, width)), &[x])?;
        self.op_with(Op::Cast, Attr::Type(FrameType::new(DType::F64, width)), &[single])
    }
}
