//! `QuantileTransformer`: the share of the training values below, uniform or as a quantile of the normal distribution.
//!
//! | `quantiles_` | [n, k] f64, ascending |   | `references_` | [n], from 0 to 1 |
//! | `output_distribution` | `uniform` or `normal` |
//!
//! The share is the mean of two interpolations, from below and from above, which differ where quantiles repeat. On a
//! sparse matrix it is not lifted: the library leaves what is not stored, and a table does not say what is. NaN passes,
//! infinities are refused. Source: scikit-learn `preprocessing/_data.py`.

use flock_ir_spec::{Composite, Diagnostic, NodeId, Op};

use crate::columns::{Columns, Facts};
use crate::features::{not_infinite, one_to_one, row};
use crate::lift::{Lift, Lifted, Lifter};
use crate::read::view::View;

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.preprocessing.QuantileTransformer",
    reads: &["output_distribution", "quantiles_", "references_"],
    ignores: &["copy", "ignore_implicit_zeros", "n_quantiles", "random_state", "subsample", "n_quantiles_"],
    lift,
};

/// Values as near as this to the ends are the ends of a normal distribution.
const NEAR: f64 = 1e-7;

/// `stats.norm.ppf` at 1e-7 less the spacing of doubles at 1, and at 1 less that.
const ENDS: [f64; 2] = [-5.199_337_582_605_575, 5.199_337_582_703_42];

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    if input.sparse {
        return Err(view.unsupported("quantiles of a sparse matrix, of which the library transforms what is stored"));
    }
    let normal = match view.attr("output_distribution")?.str() {
        Some("uniform") => false,
        Some("normal") => true,
        _ => return Err(view.unsupported("an output distribution that is not known")),
    };
    let x = not_infinite(cx, view, &input)?;
    let references = view.attr("references_")?.f64s()?;
    let quantiles = view.attr("quantiles_")?.matrix()?.transposed();
    if quantiles.rows != input.width() || quantiles.columns != references.len() || references.is_empty() {
        return Err(view.expected("quantiles of each column for each reference"));
    }
    let mut shares = Vec::with_capacity(quantiles.rows);
    for (i, quantiles) in quantiles.values.chunks(references.len()).enumerate() {
        if !quantiles.is_sorted() {
            return Err(view.unsupported("quantiles that do not ascend: the column had no value at all"));
        }
        let column = cx.pick(x, &[i])?;
        shares.push(share(cx, column, quantiles, &references, normal)?);
    }
    let mut node = cx.side_by_side(&shares)?;
    if normal {
        node = cx.op(Op::Composite(Composite::PROBIT), &[node])?;
        let (low, high) = (row(cx, vec![ENDS[0]]), row(cx, vec![ENDS[1]]));
        node = cx.op(Op::Max, &[node, low])?;
        node = cx.op(Op::Min, &[node, high])?;
    }
    let facts = Facts { nan: input.facts().nan, ..Facts::CODES };
    Ok(Lifted::Columns(one_to_one(cx, &input, node, facts)))
}

fn share(
    cx: &mut Lift,
    x: NodeId,
    quantiles: &[f64],
    references: &[f64],
    normal: bool,
) -> Result<NodeId, Diagnostic> {
    let up = interpolated(cx, x, quantiles.to_vec(), references.to_vec())?;
    let negated = |values: &[f64]| values.iter().rev().map(|v| -v).collect::<Vec<_>>();
    let mirrored = cx.op(Op::Neg, &[x])?;
    let down = interpolated(cx, mirrored, negated(quantiles), negated(references))?;
    let both = cx.op(Op::Sub, &[up, down])?;
    let mean = cx.with_row(Op::Mul, both, vec![0.5])?;
    let (first, last) = (quantiles[0], quantiles[quantiles.len() - 1]);
    let (above, below) = if normal {
        let (more, less) = (cx.with_row(Op::Add, x, vec![NEAR])?, cx.with_row(Op::Sub, x, vec![NEAR])?);
        (cx.with_row(Op::Gt, more, vec![last])?, cx.with_row(Op::Lt, less, vec![first])?)
    } else {
        (cx.with_row(Op::Eq, x, vec![last])?, cx.with_row(Op::Eq, x, vec![first])?)
    };
    let (zero, one) = (row(cx, vec![0.0]), row(cx, vec![1.0]));
    let share = cx.op(Op::Select, &[above, one, mean])?;
    let share = cx.op(Op::Select, &[below, zero, share])?;
    if quantiles.len() > 1 {
        return Ok(share);
    }
    // Through one point the function has its value everywhere, at NaN as well.
    let missing = cx.op(Op::IsNan, &[x])?;
    cx.op(Op::Select, &[missing, x, share])
}

fn interpolated(cx: &mut Lift, x: NodeId, xs: Vec<f64>, ys: Vec<f64>) -> Result<NodeId, Diagnostic> {
    let (xs, ys) = (row(cx, xs), row(cx, ys));
    cx.op(Op::Interpolate, &[x, xs, ys])
}
