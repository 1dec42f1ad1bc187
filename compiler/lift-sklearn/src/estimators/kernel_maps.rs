//! Maps by a kernel: `KernelPCA`, `Nystroem`, and `KernelCenterer` of a kernel's values.
//!
//! | `X_fit_`, `components_` | the rows that the kernel compares with |   | `kernel`, `gamma`, `degree`, `coef0` | the kernel |
//! | `gamma_` | since 1.3 the gamma of `KernelPCA` as it was fitted; None is one over the number of columns |
//! | `_centerer` (`K_fit_rows_`, `K_fit_all_`) | the means of the training rows' kernel |
//! | `eigenvalues_`, `eigenvectors_` | [n], [m, n] |   | `normalization_` | [m, m] |
//!
//! NaN and infinities are refused, and by a centerer those of the kernel as well. Source: scikit-learn `decomposition/_kernel_pca.py`, `kernel_approximation.py`,
//! `preprocessing/_data.py`, `metrics/pairwise.py`.

use flock_ir_spec::{Composite, Diagnostic, NodeId, Op};

use crate::columns::Columns;
use crate::features::prefixed;
use crate::kernels::Kernel;
use crate::lift::{Lift, Lifted, Lifter};
use crate::linear;
use crate::read::view::{Matrix, View};

type Res<T> = Result<T, Diagnostic>;

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        class: "sklearn.decomposition.KernelPCA",
        reads: &["kernel", "gamma", "gamma_", "degree", "coef0", "_centerer", "X_fit_", "eigenvalues_", "eigenvectors_"],
        ignores: &[
            "alpha",
            "copy_X",
            "eigen_solver",
            "fit_inverse_transform",
            "iterated_power",
            "kernel_params",
            "max_iter",
            "n_components",
            "n_jobs",
            "random_state",
            "remove_zero_eig",
            "tol",
            "X_transformed_fit_",
            "dual_coef_",
        ],
        lift: principal,
    },
    Lifter {
        class: "sklearn.kernel_approximation.Nystroem",
        reads: &["kernel", "gamma", "degree", "coef0", "kernel_params", "components_", "normalization_"],
        ignores: &["_n_features_out", "n_components", "n_jobs", "random_state", "component_indices_"],
        lift: nystroem,
    },
    Lifter {
        class: "sklearn.preprocessing.KernelCenterer",
        reads: &["K_fit_rows_", "K_fit_all_"],
        ignores: &[],
        lift: |cx, view, input| {
            let values = linear::finite(cx, view, &input)?;
            let node = centred(cx, view, values)?;
            Ok(Lifted::Columns(prefixed(cx, view, node)))
        },
    },
];

fn principal(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let width = input.width();
    let parameter = |name: &str| match name {
        "gamma" => {
            let gamma = view.get("gamma_").map_or_else(|| view.attr("gamma"), Ok)?;
            if gamma.is_none() { Ok(1.0 / width as f64) } else { gamma.f64() }
        }
        name => view.attr(name)?.f64(),
    };
    let kernel = Kernel::named(&view.attr("kernel")?, parameter)?;
    let points = linear::table(view, "X_fit_", width)?;
    let values: Vec<f64> = view.attr("eigenvalues_")?.f64s()?;
    let mut vectors = view.attr("eigenvectors_")?.matrix()?;
    if vectors.rows != points.rows || vectors.columns != values.len() {
        return Err(view.attr("eigenvectors_")?.expected("a row per training row, a column per eigenvalue"));
    }
    for (at, v) in vectors.values.iter_mut().enumerate() {
        let value = values[at % values.len()];
        *v = if value == 0.0 { 0.0 } else { *v / value.sqrt() };
    }
    let x = linear::finite(cx, view, &input)?;
    let compared = kernel.values(cx, view, x, points)?;
    let finite = cx.op(Op::Composite(Composite::IS_FINITE), &[compared])?;
    cx.refuse_unless_all(finite)?;
    let compared = centred(cx, &view.attr("_centerer")?, compared)?;
    let n = vectors.columns;
    let node = linear::map(cx, compared, vectors.transposed(), vec![0.0; n])?;
    Ok(Lifted::Columns(prefixed(cx, view, node)))
}

/// K - the training rows' means - the mean of the row + the mean of all.
fn centred(cx: &mut Lift, view: &View<'_>, values: NodeId) -> Res<NodeId> {
    let rows = view.attr("K_fit_rows_")?.f64s_of(cx.width(values))?;
    let count = rows.len() as f64;
    let sum = cx.op(Op::Sum, &[values])?;
    let mean = cx.with_row(Op::Div, sum, vec![count])?;
    let values = cx.with_row(Op::Sub, values, rows)?;
    let values = cx.op(Op::Sub, &[values, mean])?;
    cx.with_row(Op::Add, values, vec![view.attr("K_fit_all_")?.f64()?])
}

fn nystroem(cx: &mut Lift, view: &View<'_>, input: Columns) -> Res<Lifted> {
    let width = input.width();
    let name = view.attr("kernel")?;
    let extra = view.attr("kernel_params")?;
    let given = |parameter: &str| {
        let own = view.attr(parameter)?;
        let found = if own.is_none() && !extra.is_none() { extra.entry(parameter) } else { Some(own) };
        found.filter(|v| !v.is_none()).map(|v| v.f64()).transpose()
    };
    let parameter = |parameter: &str| {
        let default = match parameter {
            "degree" => 3.0,
            "gamma" if name.str() != Some("chi2") => 1.0 / width as f64,
            _ => 1.0,
        };
        Ok(given(parameter)?.unwrap_or(default))
    };
    let kernel = Kernel::named(&name, parameter)?;
    let points: Matrix = linear::table(view, "components_", width)?;
    let n = points.rows;
    let x = linear::finite(cx, view, &input)?;
    let compared = kernel.values(cx, view, x, points)?;
    let weights = linear::table(view, "normalization_", n)?;
    let node = linear::map(cx, compared, weights, vec![0.0; n])?;
    Ok(Lifted::Columns(prefixed(cx, view, node)))
}
