//! `RobustScaler`: less the median, over the range between two quantiles.
//!
//! | `center_` | [k] f64, read when `with_centering` |   | `scale_` | [k] f64, read when `with_scaling` |
//!
//! On a sparse matrix, which is not centred, it multiplies by the reciprocal. NaN passes, infinities are refused.
//! Source: scikit-learn `preprocessing/_data.py`.

use flock_ir_spec::{Diagnostic, Op};

use crate::columns::Columns;
use crate::features::{ANY, not_infinite, one_to_one};
use crate::lift::{Lift, Lifted, Lifter};
use crate::read::view::View;

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.preprocessing.RobustScaler",
    reads: &["with_centering", "with_scaling", "center_", "scale_"],
    ignores: &["copy", "quantile_range", "unit_variance"],
    lift,
};

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let width = input.width();
    let mut x = not_infinite(cx, view, &input)?;
    if view.attr("with_centering")?.bool()? && !input.sparse {
        x = cx.with_row(Op::Sub, x, view.attr("center_")?.f64s_of(width)?)?;
    }
    if view.attr("with_scaling")?.bool()? {
        let scale = view.attr("scale_")?.f64s_of(width)?;
        x = match input.sparse {
            true => cx.with_row(Op::Mul, x, scale.iter().map(|s| 1.0 / s).collect())?,
            false => cx.with_row(Op::Div, x, scale)?,
        };
    }
    let mut out = one_to_one(cx, &input, x, ANY);
    out.sparse = input.sparse;
    Ok(Lifted::Columns(out))
}
