//! `KernelRidge`: kernel values against the rows that it was fitted on, weighted and summed.
//!
//! | `kernel`, `gamma`, `degree`, `coef0` | the kernel; `gamma` is 1 / k where it is None |
//! | `X_fit_` | [rows, k] |   | `dual_coef_` | [rows] or [rows, targets] |
//!
//! NaN and infinities are refused, and negative values by the chi-squared kernels. A function of Python is refused.
//! Source: scikit-learn `kernel_ridge.py`, `metrics/pairwise.py`.

use flock_ir_spec::Diagnostic;

use crate::columns::Columns;
use crate::kernels::Kernel;
use crate::lift::{Lift, Lifted, Lifter};
use crate::linear;
use crate::prediction::Prediction;
use crate::read::view::{Matrix, View};

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.kernel_ridge.KernelRidge",
    reads: &["kernel", "gamma", "degree", "coef0", "dual_coef_", "X_fit_"],
    ignores: &["alpha", "kernel_params"],
    lift,
};

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let width = input.width();
    let name = view.attr("kernel")?;
    let dual = view.attr("dual_coef_")?;
    let weights = match dual.shape()?[..] {
        [_] => dual.matrix()?,
        _ => dual.matrix()?.transposed(),
    };
    let x = linear::finite(cx, view, &input)?;
    let values = if name.str() == Some("precomputed") {
        x
    } else {
        let kernel = Kernel::named(&name, |of| match (of, view.attr(of)?) {
            ("gamma", gamma) if gamma.is_none() => Ok(1.0 / width as f64),
            (_, value) => value.f64(),
        })?;
        kernel.values(cx, view, x, rows(view, width)?)?
    };
    if weights.columns != cx.width(values) {
        return Err(dual.expected(&format!("a weight for each of {} rows", cx.width(values))));
    }
    let targets = weights.rows;
    let prediction = linear::map(cx, values, weights, vec![0.0; targets])?;
    Ok(Lifted::Prediction(Prediction::Numbers(prediction)))
}

/// The rows that it was fitted on.
fn rows(view: &View<'_>, width: usize) -> Result<Matrix, Diagnostic> {
    let rows = view.attr("X_fit_")?;
    let matrix = linear::dense(&rows)?;
    if matrix.rows == 0 || matrix.columns != width {
        return Err(rows.expected(&format!("rows of {width} columns")));
    }
    Ok(matrix)
}
