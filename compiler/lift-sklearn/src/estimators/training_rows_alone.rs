//! Classes that tell something of their training rows and nothing of others: there is no `predict`, no `transform`, and so
//! no function of a row. They are refused by name.
//!
//! Source: scikit-learn `cluster/_dbscan.py`, `_optics.py`, `_hdbscan/hdbscan.py`, `_agglomerative.py`, `_spectral.py`;
//! `neighbors/_unsupervised.py`.

use flock_ir_spec::Diagnostic;

use crate::columns::Columns;
use crate::lift::{Lift, Lifted, Lifter};
use crate::read::view::View;

pub static LIFTERS: &[Lifter] = &[
    Lifter {
        class: "sklearn.cluster.DBSCAN",
        reads: &[],
        ignores: &[
            "algorithm", "eps", "leaf_size", "metric", "metric_params", "min_samples", "n_jobs", "p", "components_",
            "core_sample_indices_", "labels_",
        ],
        lift: clusters,
    },
    Lifter {
        class: "sklearn.cluster.HDBSCAN",
        reads: &[],
        ignores: &[
            "algorithm", "allow_single_cluster", "alpha", "cluster_selection_epsilon", "cluster_selection_method",
            "copy", "leaf_size", "max_cluster_size", "metric", "metric_params", "min_cluster_size", "min_samples",
            "n_jobs", "store_centers", "_metric_params", "_min_samples", "_raw_data", "_single_linkage_tree_",
            "centroids_", "labels_", "medoids_", "probabilities_",
        ],
        lift: clusters,
    },
    Lifter {
        class: "sklearn.cluster.OPTICS",
        reads: &[],
        ignores: &[
            "algorithm", "cluster_method", "eps", "leaf_size", "max_eps", "memory", "metric", "metric_params",
            "min_cluster_size", "min_samples", "n_jobs", "p", "predecessor_correction", "xi", "cluster_hierarchy_",
            "core_distances_", "labels_", "ordering_", "predecessor_", "reachability_",
        ],
        lift: clusters,
    },
    Lifter {
        class: "sklearn.cluster.AgglomerativeClustering",
        reads: &[],
        ignores: &[
            "affinity", "compute_distances", "compute_full_tree", "connectivity", "distance_threshold", "linkage",
            "memory", "metric", "n_clusters", "_metric", "children_", "distances_", "labels_", "n_clusters_",
            "n_connected_components_", "n_leaves_",
        ],
        lift: clusters,
    },
    Lifter {
        class: "sklearn.cluster.SpectralClustering",
        reads: &[],
        ignores: &[
            "affinity", "assign_labels", "coef0", "degree", "eigen_solver", "eigen_tol", "gamma", "kernel_params",
            "n_clusters", "n_components", "n_init", "n_jobs", "n_neighbors", "random_state", "verbose",
            "affinity_matrix_", "labels_",
        ],
        lift: clusters,
    },
    Lifter {
        class: "sklearn.neighbors.NearestNeighbors",
        reads: &[],
        ignores: &[
            "algorithm", "leaf_size", "metric", "metric_params", "n_jobs", "n_neighbors", "p", "radius", "_fit_X",
            "_fit_method", "_tree", "effective_metric_", "effective_metric_params_", "n_samples_fit_",
        ],
        lift: neighbours,
    },
];

fn clusters(_: &mut Lift, view: &View<'_>, _: Columns) -> Result<Lifted, Diagnostic> {
    let why = format!("{}, which labels its training rows alone: it has no `predict` for other rows", view.kind());
    Err(view.unsupported(why).help("a classifier trained on its `labels_` predicts them"))
}

fn neighbours(_: &mut Lift, view: &View<'_>, _: Columns) -> Result<Lifted, Diagnostic> {
    let why = "`NearestNeighbors`, which has neither `predict` nor `transform`: it lists neighbours, as many as asked for";
    Err(view.unsupported(why).help("`KNeighborsTransformer` gives their distances"))
}
