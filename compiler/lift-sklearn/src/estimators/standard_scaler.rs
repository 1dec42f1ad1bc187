//! `StandardScaler`: subtract the mean, divide by the scale, column by column.
//!
//! | `mean_` | [k] f64 | read when `with_mean` |
//! | `scale_` | [k] f64 | read when `with_std`; 1 where the variance was 0 |
//!
//! It divides; multiplying by the reciprocal differs in the last bit. Only on a sparse matrix it multiplies.
//! NaN passes, infinities are refused. Source: scikit-learn `preprocessing/_data.py`.

use flock_ir_spec::{Diagnostic, Op};

use crate::columns::{Columns, Facts};
use crate::lift::{Lift, Lifted, Lifter};
use crate::read::view::View;

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.preprocessing.StandardScaler",
    reads: &["with_mean", "with_std", "mean_", "scale_"],
    ignores: &["copy", "var_", "n_samples_seen_"],
    lift,
};

fn lift(cx: &mut Lift<'_>, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let (width, facts) = (input.width(), input.facts());
    super::refuse_single(&input, view)?;
    let mut x = cx.numbers(&input, view)?;
    let pending = cx.refuse_infinity_later(&input, x)?;
    let mut settled = pending.is_none();
    if view.attr("with_mean")?.bool()? {
        let mean = view.attr("mean_")?.f64s_of(width)?;
        x = cx.with_row(Op::Sub, x, mean)?;
    }
    if view.attr("with_std")?.bool()? {
        let scale = view.attr("scale_")?.f64s_of(width)?;
        if scale.iter().any(|s| !s.is_finite())
            && let Some(pending) = pending
        {
            // inf / inf is NaN, and NaN may be let through later.
            cx.refuse_infinity(pending)?;
            settled = true;
        }
        x = match input.sparse {
            true => cx.with_row(Op::Mul, x, scale.iter().map(|s| 1.0 / s).collect())?,
            false => cx.with_row(Op::Div, x, scale)?,
        };
    }
    let facts = Facts { big: true, overflow: true, ..facts };
    let mut out = Columns::node(x, width, facts, input.names.clone());
    out.sparse = input.sparse;
    Ok(Lifted::Columns(out.with_pending(pending.filter(|_| !settled))))
}
