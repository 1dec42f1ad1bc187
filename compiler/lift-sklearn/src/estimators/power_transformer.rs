//! `PowerTransformer`: each column to a power, and with `standardize` scaled.
//!
//! | `lambdas_` | [k] f64 |   | `method` | `yeo-johnson`, or `box-cox`, which refuses what is not above 0 |
//! | `_scaler` | a `StandardScaler`, read when `standardize` |
//!
//! Since 1.9 the power is an exponential of a logarithm, which loses no digits near 0. NaN passes, infinities are
//! refused. Source: scikit-learn `preprocessing/_data.py`; scipy `stats/_morestats.py`, `special/_boxcox.pxd`.

use flock_ir_spec::{Diagnostic, Frame, NodeId, Op};

use crate::columns::Columns;
use crate::features::{ANY, not_infinite, one_to_one};
use crate::lift::{Lift, Lifted, Lifter};
use crate::read::view::View;
use crate::version::Version;

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.preprocessing.PowerTransformer",
    reads: &["method", "standardize", "lambdas_", "_scaler"],
    ignores: &["copy"],
    lift,
};

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let lambdas = view.attr("lambdas_")?.f64s_of(input.width())?;
    let x = not_infinite(cx, view, &input)?;
    let method = view.attr("method")?;
    let y = match method.str() {
        Some("yeo-johnson") => yeo_johnson(cx, x, &lambdas, Version::of(view)? >= Version(1, 9))?,
        Some("box-cox") => box_cox(cx, x, &lambdas)?,
        _ => return Err(method.unsupported("a method that is not known")),
    };
    let columns = one_to_one(cx, &input, y, ANY);
    if !view.attr("standardize")?.bool()? {
        return Ok(Lifted::Columns(columns));
    }
    cx.estimator(&view.attr("_scaler")?, columns)
}

/// From 0 on ((x + 1)^λ - 1) / λ, its mirror image with 2 - λ below; the logarithm where the power is 0.
pub(super) fn yeo_johnson(cx: &mut Lift, x: NodeId, lambdas: &[f64], by_logarithm: bool) -> Result<NodeId, Diagnostic> {
    let above = branch(cx, x, lambdas, by_logarithm)?;
    let mirrored = cx.op(Op::Neg, &[x])?;
    let below = branch(cx, mirrored, &lambdas.iter().map(|l| 2.0 - l).collect::<Vec<_>>(), by_logarithm)?;
    let below = cx.op(Op::Neg, &[below])?;
    let positive = cx.with_row(Op::Ge, x, vec![0.0])?;
    cx.op(Op::Select, &[positive, above, below])
}

fn branch(cx: &mut Lift, x: NodeId, powers: &[f64], by_logarithm: bool) -> Result<NodeId, Diagnostic> {
    let logarithm = cx.op(Op::Log1p, &[x])?;
    let flat: Vec<bool> = powers.iter().map(|p| p.abs() < f64::EPSILON).collect();
    let divisors: Vec<f64> = powers.iter().zip(&flat).map(|(p, flat)| if *flat { 1.0 } else { *p }).collect();
    let less_one = if by_logarithm {
        let exponent = cx.with_row(Op::Mul, logarithm, divisors.clone())?;
        cx.op(Op::Expm1, &[exponent])?
    } else {
        let base = cx.with_row(Op::Add, x, vec![1.0])?;
        let power = cx.with_row(Op::Pow, base, divisors.clone())?;
        cx.with_row(Op::Sub, power, vec![1.0])?
    };
    let power = cx.with_row(Op::Div, less_one, divisors)?;
    where_flat(cx, flat, logarithm, power)
}

/// (x^λ - 1) / λ, the logarithm where λ is 0.
pub(super) fn box_cox(cx: &mut Lift, x: NodeId, lambdas: &[f64]) -> Result<NodeId, Diagnostic> {
    let low = cx.with_row(Op::Le, x, vec![0.0])?;
    let high = cx.op(Op::Not, &[low])?;
    cx.refuse_unless_all(high)?;
    let logarithm = cx.op(Op::Ln, &[x])?;
    let flat: Vec<bool> = lambdas.iter().map(|l| l.abs() < 1e-19).collect();
    let divisors: Vec<f64> = lambdas.iter().zip(&flat).map(|(l, flat)| if *flat { 1.0 } else { *l }).collect();
    let exponent = cx.with_row(Op::Mul, logarithm, divisors.clone())?;
    let less_one = cx.op(Op::Expm1, &[exponent])?;
    let power = cx.with_row(Op::Div, less_one, divisors)?;
    where_flat(cx, flat, logarithm, power)
}

fn where_flat(cx: &mut Lift, flat: Vec<bool>, logarithm: NodeId, power: NodeId) -> Result<NodeId, Diagnostic> {
    match (flat.contains(&true), flat.contains(&false)) {
        (false, _) => Ok(power),
        (true, false) => Ok(logarithm),
        _ => {
            let flat = cx.b.constant(Frame::row_bool(flat));
            cx.op(Op::Select, &[flat, logarithm, power])
        }
    }
}
