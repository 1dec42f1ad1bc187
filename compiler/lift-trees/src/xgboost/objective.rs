//! What objectives make of margins (`PredTransform`), and of the base that the file stores (`ProbToMargin`).

use flock_ir_spec::{DType, NodeId, Op};

use crate::answer::{Answer, Classes, Form, Labels};
use crate::build::Build;
use crate::{Res, unsupported};

/// The transforms that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Objective {
    /// Margins are predictions.
    Identity,
    /// A probability as a number.
    Logistic,
    /// Two classes by a probability.
    Binary,
    /// Two classes by the sign.
    Hinge,
    /// The exponential, of a logarithmic link.
    Exponential,
    /// Classes.
    Multiclass,
}

impl Objective {
    /// The objective of that name.
    pub fn named(name: &str) -> Res<Objective> {
        Ok(match name {
            "reg:squarederror"
            | "reg:linear"
            | "reg:squaredlogerror"
            | "reg:pseudohubererror"
            | "reg:absoluteerror"
            | "reg:quantileerror"
            | "reg:expectileerror"
            | "binary:logitraw"
            | "rank:ndcg"
            | "rank:map"
            | "rank:pairwise" => Objective::Identity,
            "reg:logistic" => Objective::Logistic,
            "binary:logistic" => Objective::Binary,
            "binary:hinge" => Objective::Hinge,
            "count:poisson" | "reg:gamma" | "reg:tweedie" | "survival:cox" | "survival:aft" => Objective::Exponential,
            "multi:softmax" | "multi:softprob" => Objective::Multiclass,
            _ => return Err(unsupported("learner.objective.name", format!("the objective `{name}` is not known"))),
        })
    }
}

/// The base in the scale of margins.
pub(crate) fn margins(objective: Objective, base: Vec<f32>) -> Vec<f32> {
    /// `kRtEps`.
    const EPSILON: f32 = 1e-6;
    let link = |b: f32| match objective {
        Objective::Logistic | Objective::Binary => -(1.0 / b.clamp(EPSILON, 1.0 - EPSILON) - 1.0).ln(),
        Objective::Exponential => b.ln(),
        Objective::Identity | Objective::Hinge | Objective::Multiclass => b,
    };
    base.into_iter().map(link).collect()
}

/// The greatest margin whose logistic is a half in float32: the probability of the second class is greater than a half
/// above it.
const HALF: f64 = 1.5 / (1 << 24) as f64;

/// The prediction.
pub(crate) fn apply(cx: &mut Build, objective: Objective, raw: NodeId, classes: usize) -> Res<Answer> {
    let margins = cx.cast(raw, DType::F64)?;
    let form = match objective {
        Objective::Identity => Form::Numbers(margins),
        Objective::Logistic => Form::Numbers(cx.op(Op::Logistic, &[margins])?),
        Objective::Exponential => Form::Numbers(cx.op(Op::Exp, &[margins])?),
        Objective::Binary => {
            let p = cx.op(Op::Logistic, &[margins])?;
            Form::Classes(each(cx, margins, Some(p), HALF)?)
        }
        Objective::Hinge => Form::Classes(each(cx, margins, None, 0.0)?),
        Objective::Multiclass => {
            let width = cx.width(raw);
            if width != classes || classes < 2 {
                let message = format!("{classes} classes of {width} outputs");
                return Err(unsupported("learner.learner_model_param.num_class", message));
            }
            let p = cx.op(Op::Softmax, &[margins])?;
            Form::Classes(vec![Classes::many(cx, margins, p, Labels::Count(classes))?])
        }
    };
    Ok(Answer { raw, form })
}

/// Two classes per output.
fn each(cx: &mut Build, margins: NodeId, p: Option<NodeId>, above: f64) -> Res<Vec<Classes>> {
    let second = cx.with(Op::Gt, margins, above)?;
    let mut targets = Vec::new();
    for k in 0..cx.width(margins) {
        let p = p.map(|p| cx.column(p, k)).transpose()?;
        let second = cx.column(second, k)?;
        targets.push(Classes::two(cx, p, second, Labels::Count(2))?);
    }
    Ok(targets)
}
