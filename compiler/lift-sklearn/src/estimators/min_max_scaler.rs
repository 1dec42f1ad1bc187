//! `MinMaxScaler`: times a scale, plus a minimum, and with `clip` into the range.
//!
//! | `scale_` | [k] f64 |   | `min_` | [k] f64 |   | `feature_range` | read when `clip` |
//!
//! NaN passes, infinities are refused. Source: scikit-learn `preprocessing/_data.py`.

use flock_ir_spec::{Diagnostic, Frame, Op};

use crate::columns::{Columns, Facts};
use crate::lift::{Lift, Lifted, Lifter};
use crate::read::view::View;

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.preprocessing.MinMaxScaler",
    reads: &["clip", "feature_range", "scale_", "min_"],
    ignores: &["copy", "data_min_", "data_max_", "data_range_", "n_samples_seen_"],
    lift,
};

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let (width, facts) = (input.width(), input.facts());
    super::refuse_single(&input, view)?;
    let x = cx.numbers(&input, view)?;
    let pending = cx.refuse_infinity_later(&input, x)?;
    let (scale, min) = (view.attr("scale_")?.f64s_of(width)?, view.attr("min_")?.f64s_of(width)?);
    // Where infinity could become a number or NaN it is refused at once.
    let hides = view.attr("clip")?.bool()? || scale.iter().chain(&min).any(|v| !v.is_finite()) || scale.contains(&0.0);
    if let Some(pending) = pending.filter(|_| hides) {
        cx.refuse_infinity(pending)?;
    }
    let x = cx.with_row(Op::Mul, x, scale)?;
    let mut x = cx.with_row(Op::Add, x, min)?;
    if view.attr("clip")?.bool()? {
        let [low, high] = view.attr("feature_range")?.tuple::<2>()?;
        // The bound comes first: where both are zeros, numpy takes the bound's sign.
        let low = cx.b.constant(Frame::row_f64([low.f64()?]));
        x = cx.op(Op::Max, &[low, x])?;
        let high = cx.b.constant(Frame::row_f64([high.f64()?]));
        x = cx.op(Op::Min, &[high, x])?;
    }
    let out = Columns::node(x, width, Facts { big: true, overflow: true, ..facts }, input.names.clone());
    Ok(Lifted::Columns(out.with_pending(pending.filter(|_| !hides))))
}
