//! Transformers that multiply the columns by a table: `TruncatedSVD`, random projections, `FastICA`,
//! `NeighborhoodComponentsAnalysis`; and those whose table is known after a small inverse: `FactorAnalysis`,
//! `SparsePCA`.
//!
//! | `components_` | [n, k] f64, a sparse table for `SparseRandomProjection` |
//! | `mean_` | [k], subtracted first; by `FastICA` unless `whiten` is False |
//! | `noise_variance_` | [k], of `FactorAnalysis` |   | `ridge_alpha` | of `SparsePCA` |
//!
//! NaN and infinities are refused. Source: scikit-learn `decomposition/`, `random_projection.py`, `neighbors/_nca.py`.

use flock_ir_spec::{Diagnostic, NodeId, Op};

use crate::columns::Columns;
use crate::features::prefixed;
use crate::lift::{Lift, Lifted, Lifter};
use crate::linear;
use crate::read::view::{Matrix, Plain, View};

type Res<T> = Result<T, Diagnostic>;

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        class: "sklearn.decomposition.FactorAnalysis",
        reads: &["components_", "mean_", "noise_variance_"],
        ignores: &["copy", "iterated_power", "max_iter", "n_components", "noise_variance_init", "random_state", "rotation", "svd_method", "tol", "loglike_", "n_iter_"],
        lift: factors,
    },
    Lifter {
        class: "sklearn.decomposition.FastICA",
        reads: &["whiten", "_whiten", "components_", "mean_"],
        ignores: &["_unmixing", "algorithm", "fun", "fun_args", "max_iter", "n_components", "random_state", "tol", "w_init", "whiten_solver", "mixing_", "n_iter_", "whitening_"],
        lift: independent,
    },
    plain("sklearn.decomposition.TruncatedSVD", &["components_"], &["algorithm", "n_components", "n_iter", "n_oversamples", "power_iteration_normalizer", "random_state", "tol", "explained_variance_", "explained_variance_ratio_", "singular_values_"]),
    plain("sklearn.neighbors.NeighborhoodComponentsAnalysis", &["components_", "_n_features_out"], &["callback", "init", "max_iter", "n_components", "random_state", "tol", "verbose", "warm_start", "n_iter_", "random_state_"]),
    plain("sklearn.random_projection.GaussianRandomProjection", &["components_"], &["_n_features_out", "compute_inverse_components", "eps", "n_components", "random_state", "inverse_components_", "n_components_"]),
    plain("sklearn.random_projection.SparseRandomProjection", &["components_", "dense_output"], &["_n_features_out", "compute_inverse_components", "density", "eps", "n_components", "random_state", "density_", "inverse_components_", "n_components_"]),
    sparse("sklearn.decomposition.MiniBatchSparsePCA", &["alpha", "batch_size", "callback", "max_iter", "max_no_improvement", "method", "n_components", "n_iter", "n_jobs", "random_state", "shuffle", "tol", "verbose", "n_components_", "n_iter_"]),
    sparse("sklearn.decomposition.SparsePCA", &["U_init", "V_init", "alpha", "max_iter", "method", "n_components", "n_jobs", "random_state", "tol", "verbose", "error_", "n_components_", "n_iter_"]),
];

const fn plain(class: &'static str, reads: &'static [&'static str], ignores: &'static [&'static str]) -> Lifter {
    Lifter { class, reads, ignores, lift: projected }
}

const fn sparse(class: &'static str, ignores: &'static [&'static str]) -> Lifter {
    Lifter { class, reads: &["ridge_alpha", "components_", "mean_"], ignores, lift: ridge }
}

/// `components_` in full, with a column for each column of the input.
fn components(view: &View<'_>, width: usize) -> Res<Matrix> {
    let place = view.attr("components_")?;
    let matrix = linear::dense(&place)?;
    if matrix.columns != width || matrix.values.len() != matrix.rows * width {
        return Err(place.expected(&format!("a number for each of {width} columns")));
    }
    Ok(matrix)
}

fn times(cx: &mut Lift, x: NodeId, table: Matrix) -> Res<NodeId> {
    let n = table.rows;
    linear::map(cx, x, table, vec![0.0; n])
}

fn projected(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let table = components(view, input.width())?;
    let x = linear::finite(cx, view, &input)?;
    let node = times(cx, x, table)?;
    let mut out = prefixed(cx, view, node);
    // In 1.2 `NeighborhoodComponentsAnalysis` counts its columns wrongly, and names none.
    if view.get("_n_features_out").is_some_and(|n| n.size() != Ok(cx.width(node))) {
        out.names = None;
    }
    out.sparse = input.sparse && view.get("dense_output").is_some_and(|d| d.plain() == Ok(Plain::Bool(false)));
    Ok(Lifted::Columns(out))
}

fn independent(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let table = components(view, input.width())?;
    let mut x = linear::finite(cx, view, &input)?;
    // 1.2 has what became of the parameter apart.
    let whiten = view.get("_whiten").map_or_else(|| view.attr("whiten"), Ok)?;
    if whiten.plain()? != Plain::Bool(false) {
        x = cx.with_row(Op::Sub, x, view.attr("mean_")?.f64s_of(input.width())?)?;
    }
    let node = times(cx, x, table)?;
    Ok(Lifted::Columns(prefixed(cx, view, node)))
}

/// (x - mean) · (W / ψ)ᵀ · (I + (W / ψ) · Wᵀ)⁻¹.
fn factors(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let width = input.width();
    let table = components(view, width)?;
    let noise = view.attr("noise_variance_")?.f64s_of(width)?;
    let mut scaled = table.clone();
    scaled.values.chunks_mut(width.max(1)).for_each(|row| row.iter_mut().zip(&noise).for_each(|(w, n)| *w /= n));
    let mut gram = products(&scaled, &table);
    (0..gram.rows).for_each(|i| gram.values[i * gram.columns + i] += 1.0);
    let inverse = inverse(gram).ok_or_else(|| view.unsupported("components whose covariance has no inverse"))?;
    through(cx, view, &input, scaled, inverse)
}

/// The ridge regression of the centred row on the components: (x - mean) · Wᵀ · (W · Wᵀ + α I)⁻¹.
fn ridge(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let table = components(view, input.width())?;
    let alpha = view.attr("ridge_alpha")?.f64()?;
    let mut gram = products(&table, &table);
    (0..gram.rows).for_each(|i| gram.values[i * gram.columns + i] += alpha);
    let inverse = inverse(gram).ok_or_else(|| view.unsupported("components that depend on each other, without a ridge"))?;
    through(cx, view, &input, table, inverse)
}

fn through(cx: &mut Lift, view: &View<'_>, input: &Columns, first: Matrix, then: Matrix) -> Res<Lifted> {
    let x = linear::finite(cx, view, input)?;
    let x = cx.with_row(Op::Sub, x, view.attr("mean_")?.f64s_of(input.width())?)?;
    let inner = times(cx, x, first)?;
    let node = times(cx, inner, then.transposed())?;
    Ok(Lifted::Columns(prefixed(cx, view, node)))
}

/// a · bᵀ.
fn products(a: &Matrix, b: &Matrix) -> Matrix {
    let k = a.columns.max(1);
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    let values = a.values.chunks(k).flat_map(|x| b.values.chunks(k).map(move |y| dot(x, y))).collect();
    Matrix { rows: a.rows, columns: b.rows, values }
}

/// By elimination with the greatest pivot of each column; None where there is none.
fn inverse(matrix: Matrix) -> Option<Matrix> {
    let n = matrix.rows;
    let identity = |i: usize| (0..n).map(move |j| f64::from(u8::from(i == j)));
    let mut rows: Vec<Vec<f64>> =
        matrix.values.chunks(n.max(1)).enumerate().map(|(i, r)| r.iter().copied().chain(identity(i)).collect()).collect();
    for column in 0..n {
        let pivot = (column..n).max_by(|a, b| rows[*a][column].abs().total_cmp(&rows[*b][column].abs()))?;
        rows.swap(column, pivot);
        let lead = rows[column][column];
        if lead == 0.0 || !lead.is_finite() {
            return None;
        }
        rows[column].iter_mut().for_each(|v| *v /= lead);
        let leading = rows[column].clone();
        for (_, row) in rows.iter_mut().enumerate().filter(|(i, _)| *i != column) {
            let factor = row[column];
            row.iter_mut().zip(&leading).for_each(|(v, l)| *v -= factor * l);
        }
    }
    let values = rows.into_iter().flat_map(|r| r.into_iter().skip(n)).collect();
    Some(Matrix { rows: n, columns: n, values })
}
