//! `IsotonicRegression`: linear between thresholds.
//!
//! | `X_thresholds_`, `y_thresholds_` | [m] f64, ascending |   | `X_min_`, `X_max_` | their ends |
//! | `out_of_bounds` | `nan`: NaN beyond the ends; `clip`: the ends' values; `raise`: the row is refused |
//!
//! It predicts as a last step and gives a column before another one. With one threshold the answer is the same
//! everywhere. NaN and infinities are refused. Source: scikit-learn `isotonic.py`; scipy `interp1d`, which is
//! `numpy.interp` here.

use flock_ir_spec::{Diagnostic, Frame, NodeId, Op};

use crate::columns::{Columns, Facts};
use crate::lift::{Lift, Lifted, Lifter};
use crate::linear;
use crate::prediction::Prediction;
use crate::read::view::View;

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.isotonic.IsotonicRegression",
    reads: &["out_of_bounds", "X_min_", "X_max_", "X_thresholds_", "y_thresholds_"],
    ignores: &["increasing", "y_max", "y_min", "increasing_"],
    lift,
};

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    if input.width() != 1 {
        let message = format!("fitted on one column, the steps before give {}", input.width());
        return Err(Diagnostic::new("flock::lift::width", view.path(), message));
    }
    let x = linear::finite(cx, view, &input)?;
    let y = interpolated(cx, view, x)?;
    let facts = Facts { nan: true, big: true, overflow: true, single: false };
    let columns = Columns::node(y, 1, facts, Some(vec!["isotonicregression0".into()]));
    Ok(Lifted::Both(Prediction::Numbers(y), columns))
}

/// The function through the thresholds, with what comes beyond its ends.
pub(crate) fn interpolated(cx: &mut Lift, view: &View<'_>, x: NodeId) -> Result<NodeId, Diagnostic> {
    let thresholds = view.attr("X_thresholds_")?;
    if thresholds.element_size() != Some(8) {
        return Err(thresholds.unsupported("thresholds of float32: the library interpolates in float32 there"));
    }
    let xs = thresholds.f64s()?;
    let ys = view.attr("y_thresholds_")?.f64s_of(xs.len())?;
    let (Some(first), Some(last)) = (xs.first().copied(), xs.last().copied()) else {
        return Err(thresholds.expected("at least one threshold"));
    };
    if !xs.is_sorted() {
        return Err(thresholds.expected("ascending thresholds"));
    }
    let single = xs.len() == 1;
    let (points, values) = (cx.b.constant(Frame::row_f64(xs)), cx.b.constant(Frame::row_f64(ys)));
    let y = cx.op(Op::Interpolate, &[x, points, values])?;
    let bounds = view.attr("out_of_bounds")?;
    match bounds.str() {
        // Beyond its ends the function has their values.
        Some("clip") => Ok(y),
        Some("nan" | "raise") if single => Ok(y),
        Some("nan") => {
            let inside = between(cx, x, first, last)?;
            let nan = cx.b.constant(Frame::row_f64([f64::NAN]));
            cx.op(Op::Select, &[inside, y, nan])
        }
        Some("raise") => {
            let inside = between(cx, x, first, last)?;
            cx.refuse_unless_all(inside)?;
            Ok(y)
        }
        _ => Err(bounds.unsupported("a way beyond the ends that is not known")),
    }
}

fn between(cx: &mut Lift, x: NodeId, first: f64, last: f64) -> Result<NodeId, Diagnostic> {
    let (first, last) = (cx.b.constant(Frame::row_f64([first])), cx.b.constant(Frame::row_f64([last])));
    let (above, below) = (cx.op(Op::Ge, &[x, first])?, cx.op(Op::Le, &[x, last])?);
    cx.op(Op::And, &[above, below])
}
