//! Functions given by a table of points.

use super::{Apply, Attr, frame, ops, require, table};
use crate::frame::{Frame, Scalar};
use crate::types::{DType, Type};

ops! {
    /// The piecewise linear function through the points (xs, ys), whose xs ascend: between two points
    /// `slope * (x - x_left) + y_left` with `slope = (y_right - y_left) / (x_right - x_left)`, before the first and behind
    /// the last point their y. Of points with one x the last counts. NaN stays NaN, but for a table of one point.
    INTERPOLATE = "interpolate"("x", "xs", "ys") { shape "f64 [n,k], constant f64 1 x m, constant f64 1 x m -> f64 [n,k]", nulls Strict, exact Bits, source "numpy.interp", infer interpolate_type, eval interpolate }
}

fn interpolate_type(_: &Attr, args: &[Type]) -> Result<Type, String> {
    let (x, xs, ys) = (frame(args, 0)?, table(args, 1)?, table(args, 2)?);
    require(x, x.dtype == DType::F64 && xs.0 == DType::F64 && ys.0 == DType::F64, "f64 throughout")?;
    if xs != ys || xs.1 != 1 || xs.2 == 0 {
        return Err(format!("xs of {} x {} and ys of {} x {}, expected one row each, as long", xs.1, xs.2, ys.1, ys.2));
    }
    Ok(Type::Frame(x))
}

fn interpolate(c: &Apply<'_>) -> Frame {
    let (xs, ys) = (c.frame(1).as_f64().unwrap_or(&[]), c.frame(2).as_f64().unwrap_or(&[]));
    c.map(|x| at(xs, ys, *x)).unwrap_or_else(|| c.each(|_, _| Scalar::Null))
}

/// The value at x. Where the slope or a difference is infinite, numpy.interp tries the right end, then equal ys.
fn at(xs: &[f64], ys: &[f64], x: f64) -> f64 {
    let last = xs.len() - 1;
    if x.is_nan() && last > 0 {
        return x;
    }
    // The number of points that are not to the right of x.
    match xs.partition_point(|e| *e <= x) {
        // Also NaN at a single point.
        0 => ys[0],
        n if n > last => ys[last],
        n if xs[n - 1] == x => ys[n - 1],
        right => {
            let left = right - 1;
            let slope = (ys[right] - ys[left]) / (xs[right] - xs[left]);
            let y = slope * (x - xs[left]) + ys[left];
            if !y.is_nan() {
                return y;
            }
            let y = slope * (x - xs[right]) + ys[right];
            if y.is_nan() && ys[left] == ys[right] { ys[left] } else { y }
        }
    }
}
