//! `PLSRegression`, `PLSCanonical`, `CCA`: the centred columns times coefficients predict; the standardised columns
//! times rotations are the components. `PLSSVD` has components alone.
//!
//! | `_x_mean`, `_x_std` | [k] f64 |   | `x_rotations_` (`x_weights_` of `PLSSVD`) | [k, components] |
//! | `coef_` | [targets, k]; until 1.2 `_coef_`, of the standardised columns |   | `intercept_` | [targets] |
//!
//! NaN and infinities are refused. Source: scikit-learn `cross_decomposition/_pls.py`.

use flock_ir_spec::{Diagnostic, NodeId, Op};

use crate::columns::{Columns, Facts};
use crate::lift::{Lift, Lifted, Lifter};
use crate::linear;
use crate::prediction::Prediction;
use crate::read::view::View;

const READS: &[&str] = &["_x_mean", "_x_std", "x_rotations_", "coef_", "_coef_", "intercept_"];

pub static LIFTERS: &[Lifter] = &[
    regressor("sklearn.cross_decomposition.CCA", &["algorithm", "copy", "deflation_mode", "max_iter", "mode", "n_components", "scale", "tol", "n_iter_", "x_loadings_", "x_weights_", "y_loadings_", "y_rotations_", "y_weights_", "_coef_warning", "_n_features_out", "_norm_y_weights", "_predict_1d", "_x_scores", "_y_mean", "_y_scores", "_y_std"]),
    regressor("sklearn.cross_decomposition.PLSCanonical", &["algorithm", "copy", "deflation_mode", "max_iter", "mode", "n_components", "scale", "tol", "n_iter_", "x_loadings_", "x_weights_", "y_loadings_", "y_rotations_", "y_weights_", "_coef_warning", "_n_features_out", "_norm_y_weights", "_predict_1d", "_x_scores", "_y_mean", "_y_scores", "_y_std"]),
    regressor("sklearn.cross_decomposition.PLSRegression", &["algorithm", "copy", "deflation_mode", "max_iter", "mode", "n_components", "scale", "tol", "n_iter_", "x_loadings_", "x_scores_", "x_weights_", "y_loadings_", "y_rotations_", "y_scores_", "y_weights_", "_coef_warning", "_n_features_out", "_norm_y_weights", "_predict_1d", "_x_scores", "_y_mean", "_y_scores", "_y_std"]),
    Lifter {
        class: "sklearn.cross_decomposition.PLSSVD",
        reads: &["_x_mean", "_x_std", "x_weights_"],
        ignores: &["copy", "n_components", "scale", "y_weights_", "_n_features_out", "_y_mean", "_y_std"],
        lift: |cx, view, input| {
            let (_, scaled) = standardised(cx, view, &input)?;
            components(cx, view, scaled, "x_weights_", "plssvd").map(Lifted::Columns)
        },
    },
];

const fn regressor(class: &'static str, ignores: &'static [&'static str]) -> Lifter {
    Lifter { class, reads: READS, ignores, lift }
}

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let width = input.width();
    let (centred, scaled) = standardised(cx, view, &input)?;
    let prefix = view.kind().trim_matches('`').to_lowercase();
    let columns = components(cx, view, scaled, "x_rotations_", &prefix)?;
    let old = view.get("_coef_").is_some();
    let coef = linear::table(view, if old { "_coef_" } else { "coef_" }, width)?;
    let intercept = view.attr("intercept_")?.f64s_of(coef.rows)?;
    let prediction = linear::map(cx, if old { scaled } else { centred }, coef, intercept)?;
    Ok(Lifted::Both(Prediction::Numbers(prediction), columns))
}

/// The columns less their mean, and that divided by their scale.
fn standardised(cx: &mut Lift, view: &View<'_>, input: &Columns) -> Result<(NodeId, NodeId), Diagnostic> {
    let width = input.width();
    let (mean, scale) = (view.attr("_x_mean")?.f64s_of(width)?, view.attr("_x_std")?.f64s_of(width)?);
    let x = linear::finite(cx, view, input)?;
    let centred = cx.with_row(Op::Sub, x, mean)?;
    Ok((centred, cx.with_row(Op::Div, centred, scale)?))
}

fn components(
    cx: &mut Lift,
    view: &View<'_>,
    scaled: NodeId,
    rotations: &str,
    prefix: &str,
) -> Result<Columns, Diagnostic> {
    let width = cx.width(scaled);
    let rotations = view.attr(rotations)?;
    let matrix = rotations.matrix()?;
    if matrix.rows != width {
        return Err(rotations.expected(&format!("a row for each of {width} columns")));
    }
    let weights = matrix.transposed();
    let n = weights.rows;
    let node = linear::map(cx, scaled, weights, vec![0.0; n])?;
    let names = (0..n).map(|i| format!("{prefix}{i}")).collect();
    let facts = Facts { nan: true, big: true, overflow: true, single: false };
    Ok(Columns::node(node, n, facts, Some(names)))
}
