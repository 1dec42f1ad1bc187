"""What the Python of hand-built ONNX graphs finds beside `g`: names, and attributes of models."""

import numpy as np
from onnx import numpy_helper

ML = "ai.onnx.ml"
NAN, INF = float("nan"), float("inf")
SPLITS = [(0, 0.5), (1, 0.25), (0, 0.75)]


def stumps(splits, weights, what="class", mode="BRANCH_LEQ", missing=0):
    """One tree per split (feature, threshold); `weights[t]` are those of its true and its false leaf: (output, value)."""
    a = {f"nodes_{k}": [] for k in "treeids nodeids featureids modes values truenodeids falsenodeids missing_value_tracks_true".split()}
    w = {f"{what}_{k}": [] for k in "treeids nodeids ids weights".split()}
    for t, (feature, threshold) in enumerate(splits):
        nodes = [(0, feature, mode, threshold, 1, 2, missing), (1, 0, "LEAF", 0.0, 0, 0, 0), (2, 0, "LEAF", 0.0, 0, 0, 0)]
        for node, f, m, value, yes, no, track in nodes:
            for key, item in zip(a, (t, node, f, m, float(value), yes, no, track)):
                a[key].append(item)
        for leaf, pairs in zip((1, 2), weights[t]):
            for output, value in pairs:
                for key, item in zip(w, (t, leaf, output, float(value))):
                    w[key].append(item)
    return a | w


def support_vectors(rng, classes, counts):
    """Vectors, coefficients and intercepts of a classifier of pairs over three features."""
    n, pairs = sum(counts), classes * (classes - 1) // 2
    r = lambda *shape: [float(np.float32(v)) for v in rng.normal(0, 0.7, shape).ravel()]
    return {"support_vectors": r(n, 3), "vectors_per_class": list(counts), "coefficients": r(classes - 1, n), "rho": r(pairs)}


def tree_ensemble(dtype, modes, members=None, targets=(0, 1, 0, 1), weights=(0.1, -0.2, 0.3, 0.4), missing=None, **attributes):
    """One tree: node 0 leads to nodes 1 and 2, these to leaves 0 to 3."""
    tensor = lambda values, kind=dtype: numpy_helper.from_array(np.array(values, dtype=kind))
    more = {} if members is None else {"membership_values": tensor(members)}
    more |= {} if missing is None else {"nodes_missing_value_tracks_true": missing}
    return {
        "tree_roots": [0], "nodes_featureids": [0, 1, 0], "nodes_modes": tensor(modes, np.uint8),
        "nodes_splits": tensor([0.5, 1.5, 1e9]), "nodes_truenodeids": [1, 0, 2], "nodes_trueleafs": [0, 1, 1],
        "nodes_falsenodeids": [2, 1, 3], "nodes_falseleafs": [0, 1, 1], "leaf_targetids": list(targets),
        "leaf_weights": tensor(weights), "n_targets": max(targets) + 1, **more, **attributes,
    }
