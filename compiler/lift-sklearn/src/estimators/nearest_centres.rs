//! `MeanShift`, `AffinityPropagation`, `Birch`: the label of the nearest centre; of `Birch` also the distances to its
//! subclusters as a transformer.
//!
//! | `cluster_centers_` | [clusters, k] f64; label i is centre i |
//! | `affinity` | of `AffinityPropagation`: with `precomputed` there are no centres |
//! | `subcluster_centers_`, `subcluster_labels_` | of `Birch`: [subclusters, k] f64, the label of each |
//! | `_subcluster_norms` | of `Birch`: the centres' squared lengths |
//!
//! NaN and infinities are refused.
//! Source: scikit-learn `cluster/_mean_shift.py`, `_affinity_propagation.py`, `_birch.py`; `pairwise_distances_argmin`.

use flock_ir_spec::{Diagnostic, Frame};

use crate::columns::Columns;
use crate::lift::{Lift, Lifted, Lifter};
use crate::linear;
use crate::nearest;
use crate::prediction::Prediction;
use crate::read::view::View;

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        class: "sklearn.cluster.MeanShift",
        reads: &["cluster_centers_"],
        ignores: &[
            "bandwidth", "bin_seeding", "cluster_all", "max_iter", "min_bin_freq", "n_jobs", "seeds", "labels_",
            "n_iter_",
        ],
        lift: centres,
    },
    Lifter {
        class: "sklearn.cluster.AffinityPropagation",
        reads: &["affinity", "cluster_centers_"],
        ignores: &[
            "convergence_iter", "copy", "damping", "max_iter", "preference", "random_state", "verbose",
            "affinity_matrix_", "cluster_centers_indices_", "labels_", "n_iter_",
        ],
        lift: exemplars,
    },
    Lifter {
        class: "sklearn.cluster.Birch",
        reads: &["subcluster_centers_", "subcluster_labels_", "_subcluster_norms"],
        ignores: &[
            "branching_factor", "compute_labels", "copy", "n_clusters", "threshold", "_n_features_out", "dummy_leaf_",
            "labels_", "root_",
        ],
        lift: birch,
    },
];

fn centres(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let centres = linear::table(view, "cluster_centers_", input.width())?;
    let x = linear::finite(cx, view, &input)?;
    Ok(Lifted::Prediction(Prediction::Numbers(nearest::nearest(cx, x, centres)?)))
}

fn exemplars(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let affinity = view.attr("affinity")?;
    if affinity.str() != Some("euclidean") {
        return Err(affinity.unsupported("affinities that were given, which leave no centres to compare rows with"));
    }
    if view.attr("cluster_centers_")?.shape()?.first() == Some(&0) {
        // It did not converge: the library gives -1.
        linear::finite(cx, view, &input)?;
        return Ok(Lifted::Prediction(Prediction::Numbers(cx.b.constant(Frame::row_i64([-1])))));
    }
    centres(cx, view, input)
}

fn birch(cx: &mut Lift, view: &View<'_>, input: Columns) -> Result<Lifted, Diagnostic> {
    let centres = nearest::double_table(view, "subcluster_centers_", input.width())?;
    let labels = view.attr("subcluster_labels_")?.f64s_of(centres.rows)?;
    let norms = view.attr("_subcluster_norms")?.f64s_of(centres.rows)?;
    let x = linear::finite(cx, view, &input)?;
    let squared = nearest::squared(cx, x, centres.clone(), norms)?;
    let index = nearest::least(cx, squared)?;
    let label = nearest::look_up(cx, index, labels.iter().map(|label| *label as i64).collect())?;
    let columns = nearest::columns(cx, view, x, centres)?;
    Ok(Lifted::Both(Prediction::Numbers(label), columns))
}
