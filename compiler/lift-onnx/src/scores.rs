//! What models of ai.onnx.ml do to their scores at the end (`post_transform`).
//!
//! All of it is in float32, also for double inputs. Source: onnxruntime `core/providers/cpu/ml/ml_common.h`. Its logistic
//! is 1 - logistic(-x) below zero, where the last bits are lost; ours keeps them, within the tolerance of float32.

use flock_ir_spec::{DType, Data, Frame, NodeId, Op};

use crate::Res;
use crate::elem::Elem;
use crate::node::Node;

/// A transform of scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostTransform {
    /// As they are.
    None,
    /// The logistic function of each.
    Logistic,
    /// The softmax of a row.
    Softmax,
    /// The softmax of those that are not 0.
    SoftmaxZero,
    /// The inverse of the normal distribution function, of a few digits as onnxruntime computes it.
    Probit,
}

/// π as onnxruntime writes it.
const ROUND_PI: f32 = 314_159.0 / 100_000.0;

impl Node<'_, '_> {
    /// The attribute `post_transform`.
    pub fn post_transform(&self) -> Res<PostTransform> {
        match self.attributes().text("post_transform").unwrap_or("NONE") {
            "NONE" => Ok(PostTransform::None),
            "LOGISTIC" => Ok(PostTransform::Logistic),
            "SOFTMAX" => Ok(PostTransform::Softmax),
            "SOFTMAX_ZERO" => Ok(PostTransform::SoftmaxZero),
            "PROBIT" => Ok(PostTransform::Probit),
            other => Err(self.bad_attribute(format!("post_transform `{other}` is unknown"))),
        }
    }

    /// Scores of a row of two or more, transformed.
    pub fn transformed(&mut self, scores: NodeId, transform: PostTransform) -> Res<NodeId> {
        match transform {
            PostTransform::None => Ok(scores),
            PostTransform::Logistic => self.op(Op::Logistic, &[scores]),
            PostTransform::Softmax => self.op(Op::Softmax, &[scores]),
            PostTransform::SoftmaxZero => self.softmax_zero(scores),
            PostTransform::Probit => self.probit(scores),
        }
    }

    /// The float type of a node.
    fn float_of(&self, node: NodeId) -> Elem {
        match self.lift.b.frame_type(node).map(|t| t.dtype) {
            Some(DType::F64) => Elem::F64,
            _ => Elem::F32,
        }
    }

    /// √2 · erf⁻¹(2x - 1), where with y = 1 - x², v = 2 / (π · 0.147) + ln(y) / 2: erf⁻¹(x) = ± √(√(v² - ln(y) / 0.147) - v).
    /// Source: Winitzki, "A handy approximation for the error function and its inverse"; onnxruntime takes 3.14159 for π.
    fn probit(&mut self, scores: NodeId) -> Res<NodeId> {
        let elem = self.float_of(scores);
        let (one, two, zero) = (self.number(elem, 1.0)?, self.number(elem, 2.0)?, self.number(elem, 0.0)?);
        let root = f64::from(std::f32::consts::SQRT_2);
        let a = f64::from(2.0 / (ROUND_PI * 0.147_f32));
        let [a, half, root] = [a, 0.5, root].map(|x| self.number(elem, x));
        let (a, half, root) = (a?, half?, root?);
        let inverse = self.number(elem, f64::from(1.0 / 0.147_f32))?;
        let twice = self.op(Op::Mul, &[two, scores])?;
        let x = self.op(Op::Sub, &[twice, one])?;
        let (below, above) = (self.op(Op::Sub, &[one, x])?, self.op(Op::Add, &[one, x])?);
        let y = self.op(Op::Mul, &[below, above])?;
        let log = self.op(Op::Ln, &[y])?;
        let half_log = self.op(Op::Mul, &[half, log])?;
        let v = self.op(Op::Add, &[a, half_log])?;
        let square = self.op(Op::Mul, &[v, v])?;
        let part = self.op(Op::Mul, &[inverse, log])?;
        let inner = self.op(Op::Sub, &[square, part])?;
        let inner = self.op(Op::Sqrt, &[inner])?;
        let outer = self.op(Op::Sub, &[inner, v])?;
        let size = self.op(Op::Sqrt, &[outer])?;
        let opposite = self.op(Op::Neg, &[size])?;
        let negative = self.op(Op::Lt, &[x, zero])?;
        let value = self.op(Op::Select, &[negative, opposite, size])?;
        self.op(Op::Mul, &[root, value])
    }

    /// exp(x - greatest) over the sum of these where |x| > 1e-7; x · exp(-greatest) over that sum elsewhere.
    fn softmax_zero(&mut self, scores: NodeId) -> Res<NodeId> {
        let elem = self.float_of(scores);
        let (tiny, zero) = (self.number(elem, 1e-7)?, self.number(elem, 0.0)?);
        let size = self.op(Op::Abs, &[scores])?;
        let counts = self.op(Op::Gt, &[size, tiny])?;
        let top = self.op(Op::RowMax, &[scores])?;
        let below = self.op(Op::Sub, &[scores, top])?;
        let powers = self.op(Op::Exp, &[below])?;
        let counted = self.op(Op::Select, &[counts, powers, zero])?;
        let total = self.op(Op::Sum, &[counted])?;
        let minus_top = self.op(Op::Neg, &[top])?;
        let factor = self.op(Op::Exp, &[minus_top])?;
        let small = self.op(Op::Mul, &[scores, factor])?;
        let terms = self.op(Op::Select, &[counts, powers, small])?;
        self.op(Op::Div, &[terms, total])
    }

    /// The two columns of a binary model with one score for its second class: `[-s, s]`, `[1 - s, s]` or the logistic
    /// function of the first. Softmax is not applied to a single score.
    pub fn two_classes(&mut self, score: NodeId, transform: PostTransform, complement: bool) -> Res<NodeId> {
        let negative = self.op(Op::Neg, &[score])?;
        if transform == PostTransform::Probit {
            return Err(
                self.unsupported("PROBIT of a single score for two classes: onnxruntime leaves one of them to chance")
            );
        }
        if transform == PostTransform::Logistic {
            let both = self.concat(&[negative, score])?;
            return self.op(Op::Logistic, &[both]);
        }
        let first = if complement {
            let one = self.number(Elem::F32, 1.0)?;
            self.op(Op::Sub, &[one, score])?
        } else {
            negative
        };
        self.concat(&[first, score])
    }

    /// Scores in which `first` stands for a NaN in the first column, where no comparison of onnxruntime's loops beats it,
    /// and `rest` for one in the others, where it beats nothing.
    pub fn without_nan(&mut self, scores: NodeId, elem: Elem, first: f64, rest: f64) -> Res<NodeId> {
        let mut stand_ins = vec![rest; self.width(scores) as usize];
        stand_ins[0] = first;
        let stand_ins = self.numbers(elem, stand_ins)?;
        let nan = self.op(Op::IsNan, &[scores])?;
        self.op(Op::Select, &[nan, stand_ins, scores])
    }

    /// The index of the greatest score as onnxruntime's loops find it: the first of equals.
    pub fn index_of_greatest(&mut self, scores: NodeId, elem: Elem) -> Res<NodeId> {
        let scores = self.without_nan(scores, elem, f64::INFINITY, f64::NEG_INFINITY)?;
        self.op(Op::ArgMax, &[scores])
    }

    /// Input 0 as float32, times the attribute `coefficients` (`outputs` × features), plus one intercept per output.
    pub fn linear_scores(&mut self, outputs: usize, intercepts: &[f32]) -> Res<NodeId> {
        let (x, features) = self.features(0)?;
        let coefficients = self.attributes().floats("coefficients");
        if coefficients.len() as u64 != outputs as u64 * u64::from(features) {
            let found = format!("{} coefficients for {features} features and {outputs} outputs", coefficients.len());
            return Err(self.bad_attribute(found));
        }
        let x = self.as_f32(&x, 0)?;
        // Rows of coefficients are columns of weights, and a table lies column by column.
        let data = Data::F32(coefficients.to_vec());
        let weights = self.constant(Frame { rows: features as usize, width: outputs, data, valid: None })?;
        let intercepts = self.constant(Frame::row_f32(intercepts))?;
        self.op(Op::Linear, &[x, weights, intercepts])
    }
}
