//! `PCA`, `IncrementalPCA`: the centred columns times the components, and with `whiten` over their deviation.
//!
//! | `components_` | [n, k] f64 |   | `mean_` | [k], subtracted after the product since 1.5 |
//! | `explained_variance_` | [n], read when `whiten` |
//!
//! NaN and infinities are refused. Source: scikit-learn `decomposition/_base.py`.

use flock_ir_spec::{Diagnostic, Op};

use crate::columns::Columns;
use crate::features::prefixed;
use crate::lift::{Lift, Lifted, Lifter};
use crate::linear;
use crate::read::view::View;
use crate::version::Version;

const READS: &[&str] = &["whiten", "components_", "mean_", "explained_variance_"];

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        class: "sklearn.decomposition.IncrementalPCA",
        reads: READS,
        ignores: &[
            "batch_size",
            "copy",
            "n_components",
            "batch_size_",
            "explained_variance_ratio_",
            "n_components_",
            "n_samples_seen_",
            "noise_variance_",
            "singular_values_",
            "var_",
        ],
        lift,
    },
    Lifter {
        class: "sklearn.decomposition.PCA",
        reads: READS,
        ignores: &[
            "_fit_svd_solver",
            "copy",
            "iterated_power",
            "n_components",
            "n_oversamples",
            "power_iteration_normalizer",
            "random_state",
            "svd_solver",
            "tol",
            "explained_variance_ratio_",
            "n_components_",
            "n_samples_",
            "n_features_",
            "noise_variance_",
            "singular_values_",
        ],
        lift,
    },
];

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let width = input.width();
    let components = linear::table(view, "components_", width)?;
    let n = components.rows;
    let mean = view.attr("mean_")?.f64s_of(width)?;
    let after = Version::of(view)? >= Version(1, 5);
    let mut x = linear::finite(cx, view, &input)?;
    let projected_mean: Vec<f64> = components.values.chunks(width.max(1)).map(|c| dot(&mean, c)).collect();
    if !after {
        x = cx.with_row(Op::Sub, x, mean)?;
    }
    let mut node = linear::map(cx, x, components, vec![0.0; n])?;
    if after {
        node = cx.with_row(Op::Sub, node, projected_mean)?;
    }
    if view.attr("whiten")?.bool()? {
        let variance = view.attr("explained_variance_")?.f64s_of(n)?;
        let least = if after { f64::EPSILON } else { 0.0 };
        node = cx.with_row(Op::Div, node, variance.iter().map(|v| v.sqrt().max(least)).collect())?;
    }
    Ok(Lifted::Columns(prefixed(cx, view, node)))
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
