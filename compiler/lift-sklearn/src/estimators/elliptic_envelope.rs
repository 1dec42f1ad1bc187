//! `EllipticEnvelope`: an outlier where the squared Mahalanobis distance to the centre exceeds an offset.
//!
//! | `location_` | [k] f64 |   | `precision_` | [k, k] f64: the inverse covariance |   | `offset_` | a number |
//!
//! With `store_precision=False` the file has no inverse, and the library would invert the covariance anew with each call:
//! refused. NaN and infinities are refused. Source: scikit-learn `covariance/_elliptic_envelope.py`,
//! `_empirical_covariance.py`.

use flock_ir_spec::{Diagnostic, Frame, Op};

use crate::columns::Columns;
use crate::lift::{Lift, Lifted, Lifter};
use crate::linear;
use crate::prediction::Prediction;
use crate::read::view::View;

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.covariance.EllipticEnvelope",
    reads: &["location_", "precision_", "offset_"],
    ignores: &[
        "assume_centered", "contamination", "random_state", "store_precision", "support_fraction", "covariance_",
        "dist_", "raw_covariance_", "raw_location_", "raw_support_", "support_",
    ],
    lift,
};

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let width = input.width();
    let location = view.attr("location_")?.f64s_of(width)?;
    let precision = view.attr("precision_")?;
    if precision.is_none() {
        return Err(precision.unsupported("a covariance without its inverse (`store_precision=False`)"));
    }
    let precision = linear::table(view, "precision_", width)?;
    if precision.rows != width {
        return Err(view.attr("precision_")?.expected(&format!("a table of {width} rows")));
    }
    let x = linear::finite(cx, view, &input)?;
    let away = cx.with_row(Op::Sub, x, location)?;
    let along = linear::map(cx, away, precision.transposed(), vec![0.0; width])?;
    let products = cx.op(Op::Mul, &[away, along])?;
    let squared = cx.op(Op::Sum, &[products])?;
    // The library takes the root and squares it.
    let distance = cx.op(Op::Sqrt, &[squared])?;
    let distance = cx.op(Op::Mul, &[distance, distance])?;
    let minus = cx.op(Op::Neg, &[distance])?;
    let score = cx.with_row(Op::Sub, minus, vec![view.attr("offset_")?.f64()?])?;
    let zero = cx.b.constant(Frame::row_f64([0.0]));
    let inlier = cx.op(Op::Ge, &[score, zero])?;
    let label = cx.inlier_if(inlier)?;
    Ok(Lifted::Prediction(Prediction::Outliers { label, score }))
}
