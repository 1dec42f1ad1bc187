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

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let (width, facts) = (input.width(), input.facts());
    super::refuse_single(&input, view)?;
    let mut x = cx.numbers(&input, view)?;
    let pending = cx.refuse_infinity_later(&input, x)?;
    let row = |with: &str, name: &str| match view.attr(with)?.bool()? {
        true => view.attr(name)?.f64s_of(width).map(Some),
        false => Ok(None),
    };
    let (mean, scale) = (row("with_mean", "mean_")?, row("with_std", "scale_")?);
    // inf - inf and inf / inf are NaN, which may be let through later.
    let hides = mean.iter().chain(&scale).flatten().any(|v| !v.is_finite());
    if let Some(pending) = pending.filter(|_| hides) {
        cx.refuse_infinity(pending)?;
    }
    if let Some(mean) = mean {
        x = cx.with_row(Op::Sub, x, mean)?;
    }
    if let Some(scale) = scale {
        x = match input.sparse {
            true => cx.with_row(Op::Mul, x, scale.iter().map(|s| 1.0 / s).collect())?,
            false => cx.with_row(Op::Div, x, scale)?,
        };
    }
    let facts = Facts { big: true, overflow: true, ..facts };
    let mut out = Columns::node(x, width, facts, input.names.clone());
    out.sparse = input.sparse;
    Ok(Lifted::Columns(out.with_pending(pending.filter(|_| !hides))))
}
