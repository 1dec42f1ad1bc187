//! `LabelPropagation`, `LabelSpreading`: the training rows' distributions of labels, weighted by a kernel.
//!
//! | `X_` | [m, k] f64: the training rows |   | `label_distributions_` | [m, classes] f64 |   | `classes_` | labels |
//! | `kernel`, `gamma` | `rbf` with its `gamma`, or `knn`: the sum over the nearest rows |
//! | `nn_fit`, `n_neighbors` | of `knn`: see `neighbours.rs` |
//!
//! NaN and infinities are refused. Source: scikit-learn `semi_supervised/_label_propagation.py`.

use flock_ir_spec::{Diagnostic, NodeId, Op};

use crate::columns::Columns;
use crate::kernels::exp_times;
use crate::labels::Labels;
use crate::lift::{Lift, Lifted, Lifter};
use crate::linear;
use crate::nearest;
use crate::neighbours::Training;
use crate::prediction::Classes;
use crate::read::view::{Matrix, View};

const READS: &[&str] = &["X_", "label_distributions_", "classes_", "kernel", "gamma", "nn_fit", "n_neighbors"];
const IGNORES: &[&str] = &["alpha", "max_iter", "n_jobs", "tol", "variant", "n_iter_", "transduction_"];

pub static LIFTERS: &[Lifter] = &[
    Lifter { class: "sklearn.semi_supervised.LabelPropagation", reads: READS, ignores: IGNORES, lift },
    Lifter { class: "sklearn.semi_supervised.LabelSpreading", reads: READS, ignores: IGNORES, lift },
];

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let labels = Labels::of(&view.attr("classes_")?)?;
    let shares = linear::table(view, "label_distributions_", labels.len())?;
    let rows = view.attr("X_")?;
    if rows.class().is_some_and(|class| class.starts_with("scipy.sparse.")) {
        return Err(rows.unsupported("training rows in a sparse matrix, whose distances are added in another order"));
    }
    let kernel = view.attr("kernel")?;
    let sums = match kernel.str() {
        Some("rbf") => by_kernel(cx, view, &input, shares)?,
        Some("knn") => by_neighbours(cx, view, &input, shares)?,
        _ => return Err(kernel.unsupported("a kernel that is a function of Python: a file has its name alone")),
    };
    let probabilities = linear::normalised(cx, sums, false)?;
    let label = cx.label_of_greatest(&labels, probabilities)?;
    Ok(Lifted::Prediction(Classes::new(labels, label).with_probabilities(probabilities).alone()))
}

fn by_kernel(cx: &mut Lift, view: &View<'_>, input: &Columns, shares: Matrix) -> Result<NodeId, Diagnostic> {
    let table = view.attr("X_")?;
    nearest::refuse_float32(&table)?;
    let points = linear::dense(&table)?;
    if points.columns != input.width() {
        return Err(table.expected(&format!("{} columns", input.width())));
    }
    if points.rows != shares.rows {
        return Err(view.attr("X_")?.expected(&format!("{} rows", shares.rows)));
    }
    let norms = nearest::squared_norms(&points);
    let x = linear::finite(cx, view, input)?;
    let squared = nearest::squared(cx, x, points, norms)?;
    let weights = exp_times(cx, squared, -view.attr("gamma")?.f64()?)?;
    let classes = shares.columns;
    linear::map(cx, weights, shares.transposed(), vec![0.0; classes])
}

fn by_neighbours(cx: &mut Lift, view: &View<'_>, input: &Columns, shares: Matrix) -> Result<NodeId, Diagnostic> {
    let search = view.attr("nn_fit")?;
    let training = Training::of(&search, input.width())?;
    if training.rows != shares.rows {
        return Err(search.expected(&format!("{} training rows", shares.rows)));
    }
    let reduced = training.reduced(cx, view, input)?;
    let nearest = training.nearest(cx, view, reduced, view.attr("n_neighbors")?.size()?)?;
    let by_class = shares.transposed();
    let sums = by_class.values.chunks(shares.rows).map(|class| {
        let own = nearest.of(cx, class.to_vec())?;
        cx.op(Op::Sum, &[own])
    });
    let sums = sums.collect::<Result<Vec<_>, _>>()?;
    cx.side_by_side(&sums)
}
