//! `KMeans`, `MiniBatchKMeans`: the nearest centre; as a transformer the distance to each.
//!
//! | `cluster_centers_` | [clusters, k] f64 |
//!
//! The nearest has the least |c|² − 2 x · c, without |x|², which is the same for all centres; the first of equal ones.
//! `transform` adds it, and takes the root. NaN and infinities are refused.
//! Source: scikit-learn `cluster/_kmeans.py`, `_k_means_lloyd.pyx`.

use flock_ir_spec::{Diagnostic, NodeId, Op};

use crate::columns::Columns;
use crate::lift::{Lift, Lifted, Lifter};
use crate::linear;
use crate::nearest;
use crate::prediction::Prediction;
use crate::read::view::{Matrix, View};

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        class: "sklearn.cluster.KMeans",
        reads: &["cluster_centers_"],
        ignores: &[
            "algorithm", "copy_x", "init", "max_iter", "n_clusters", "n_init", "random_state", "tol", "verbose",
            "_algorithm", "_n_features_out", "_n_init", "_n_threads", "_tol", "inertia_", "labels_", "n_iter_",
        ],
        lift,
    },
    Lifter {
        class: "sklearn.cluster.MiniBatchKMeans",
        reads: &["cluster_centers_"],
        ignores: &[
            "batch_size", "compute_labels", "init", "init_size", "max_iter", "max_no_improvement", "n_clusters",
            "n_init", "random_state", "reassignment_ratio", "tol", "verbose", "_batch_size", "_counts",
            "_ewa_inertia", "_ewa_inertia_min", "_init_size", "_n_features_out", "_n_init",
            "_n_since_last_reassign", "_n_threads", "_no_improvement", "_random_state", "_tol", "inertia_",
            "labels_", "n_iter_", "n_steps_",
        ],
        lift,
    },
];

fn lift(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let centres = nearest::double_table(view, "cluster_centers_", input.width())?;
    if centres.rows == 0 {
        return Err(view.attr("cluster_centers_")?.expected("a centre"));
    }
    let x = linear::finite(cx, view, &input)?;
    let scores = closeness(cx, x, &centres)?;
    let label = if centres.rows == 1 { nearest::least(cx, scores)? } else { cx.op(Op::ArgMax, &[scores])? };
    let columns = nearest::columns(cx, view, x, centres)?;
    Ok(Lifted::Both(Prediction::Numbers(label), columns))
}

/// 2 x · c − |c|² of each centre: greatest at the nearest one.
pub(super) fn closeness(cx: &mut Lift, x: NodeId, centres: &Matrix) -> Result<NodeId, Diagnostic> {
    let bias = nearest::squared_norms(centres).iter().map(|n| -n).collect();
    let values = centres.values.iter().map(|c| 2.0 * c).collect();
    linear::map(cx, x, Matrix { values, ..*centres }, bias)
}
