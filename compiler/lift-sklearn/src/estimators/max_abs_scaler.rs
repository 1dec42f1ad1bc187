//! `MaxAbsScaler`: divided by the greatest absolute value that was seen, and since 1.9 with `clip` into -1 … 1.
//!
//! | `scale_` | [k] f64, 1 where that was 0 |
//!
//! On a sparse matrix it multiplies by the reciprocal. NaN passes, infinities are refused.
//! Source: scikit-learn `preprocessing/_data.py`.

use flock_ir_spec::{Diagnostic, Op};

use crate::columns::Columns;
use crate::features::{ANY, not_infinite, one_to_one, row};
use crate::lift::{Lift, Lifted, Lifter};
use crate::read::view::View;

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.preprocessing.MaxAbsScaler",
    reads: &["clip", "scale_"],
    ignores: &["copy", "max_abs_", "n_samples_seen_"],
    lift,
};

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let x = not_infinite(cx, view, &input)?;
    let scale = view.attr("scale_")?.f64s_of(input.width())?;
    let mut x = match input.sparse {
        true => cx.with_row(Op::Mul, x, scale.iter().map(|s| 1.0 / s).collect())?,
        false => cx.with_row(Op::Div, x, scale)?,
    };
    if view.get("clip").map_or(Ok(false), |c| c.bool())? {
        let (low, high) = (row(cx, vec![-1.0]), row(cx, vec![1.0]));
        x = cx.op(Op::Max, &[low, x])?;
        x = cx.op(Op::Min, &[high, x])?;
    }
    let mut out = one_to_one(cx, &input, x, crate::columns::Facts { nan: input.facts().nan, ..ANY });
    out.sparse = input.sparse;
    Ok(Lifted::Columns(out))
}
