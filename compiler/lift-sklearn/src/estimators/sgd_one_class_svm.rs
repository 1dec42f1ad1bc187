//! `SGDOneClassSVM`: an outlier where x · coef lies below an offset.
//!
//! | `coef_` | [k] f64 |   | `offset_` | [1] |
//!
//! NaN and infinities are refused. Source: scikit-learn `linear_model/_stochastic_gradient.py`.

use flock_ir_spec::{Diagnostic, Frame, Op};

use crate::columns::Columns;
use crate::lift::{Lift, Lifted, Lifter};
use crate::linear;
use crate::prediction::Prediction;
use crate::read::view::View;

pub static LIFTER: Lifter = Lifter {
    class: "sklearn.linear_model.SGDOneClassSVM",
    reads: &["coef_", "offset_"],
    ignores: &["C", "alpha", "average", "early_stopping", "epsilon", "eta0", "fit_intercept", "l1_ratio", "learning_rate", "loss", "max_iter", "n_iter_no_change", "nu", "penalty", "power_t", "random_state", "shuffle", "tol", "validation_fraction", "verbose", "warm_start", "intercept_", "loss_function_", "n_iter_", "t_", "_average_coef", "_average_intercept", "_standard_coef", "_standard_intercept", "_loss_function_"],
    lift,
};

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let coef = linear::coefficients(view, input.width())?;
    if coef.rows != 1 {
        return Err(view.attr("coef_")?.expected("one row of coefficients"));
    }
    let offset = view.attr("offset_")?.f64s_of(1)?;
    let x = linear::finite(cx, view, &input)?;
    let score = linear::map(cx, x, coef, vec![-offset[0]])?;
    let zero = cx.b.constant(Frame::row_f64([0.0]));
    let inlier = cx.op(Op::Ge, &[score, zero])?;
    let label = cx.inlier_if(inlier)?;
    Ok(Lifted::Prediction(Prediction::Outliers { label, score }))
}
