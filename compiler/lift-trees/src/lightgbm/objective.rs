//! What objectives make of scores (`ConvertOutput`).

use flock_ir_spec::{NodeId, Op};

use crate::answer::{Answer, Classes, Form, Labels};
use crate::build::Build;
use crate::{Res, damaged, unsupported};

/// The prediction under the header's `objective`; scores as they are where the model was trained without one.
pub(crate) fn apply(cx: &mut Build, objective: Option<&str>, raw: NodeId) -> Res<Answer> {
    let mut words = objective.unwrap_or("custom").split_ascii_whitespace();
    let name = words.next().unwrap_or_default();
    let words: Vec<&str> = words.collect();
    let form = match name {
        "binary" => {
            let p = sigmoid(cx, raw, &words)?;
            let positive = cx.with(Op::Gt, raw, 0.0)?;
            Form::Classes(vec![Classes::two(cx, Some(p), positive, Labels::Count(2))?])
        }
        "multiclass" | "multiclassova" => {
            let p = if name == "multiclass" { cx.op(Op::Softmax, &[raw])? } else { sigmoid(cx, raw, &words)? };
            Form::Classes(vec![Classes::many(cx, raw, p, Labels::Count(cx.width(raw)))?])
        }
        _ => Form::Numbers(number(cx, name, &words, raw)?),
    };
    Ok(Answer { raw, form })
}

fn number(cx: &mut Build, name: &str, words: &[&str], raw: NodeId) -> Res<NodeId> {
    match name {
        "regression" | "regression_l1" | "fair" | "quantile" | "mape" if words.contains(&"sqrt") => {
            let size = cx.op(Op::Abs, &[raw])?;
            cx.op(Op::Mul, &[size, raw])
        }
        "regression" | "regression_l1" | "huber" | "fair" | "quantile" | "mape" | "lambdarank" | "rank_xendcg"
        | "custom" => Ok(raw),
        "poisson" | "gamma" | "tweedie" => cx.op(Op::Exp, &[raw]),
        "cross_entropy" => cx.op(Op::Logistic, &[raw]),
        "cross_entropy_lambda" => {
            let e = cx.op(Op::Exp, &[raw])?;
            cx.op(Op::Log1p, &[e])
        }
        _ => Err(unsupported("objective", format!("the objective `{name}` is not known"))),
    }
}

/// The logistic of the score times the objective's `sigmoid:`.
fn sigmoid(cx: &mut Build, raw: NodeId, words: &[&str]) -> Res<NodeId> {
    let text = words.iter().find_map(|w| w.strip_prefix("sigmoid:")).unwrap_or("1");
    let factor: f64 = text.parse().unwrap_or(f64::NAN);
    if !(factor > 0.0 && factor.is_finite()) {
        return Err(damaged("objective", format!("`sigmoid:{text}`, which is no positive number")));
    }
    let scaled = if factor == 1.0 { raw } else { cx.with(Op::Mul, raw, factor)? };
    cx.op(Op::Logistic, &[scaled])
}
