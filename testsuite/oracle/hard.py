"""Rows that are made to be hard: what `data:python` sections of cases find beside numpy and pandas."""

import numpy as np
import pandas as pd

# Zeros, the smallest and the largest numbers of both widths, what float32 cannot hold, and no number at all.
EXTREMES = [0.0, -0.0, 5e-324, -5e-324, 1e-45, 1.1754943508222875e-38, 3.4028234663852886e38, -3.4028234663852886e38,
            3.4028235677973366e38, 1e300, -1e300, 1.7976931348623157e308, np.inf, -np.inf, np.nan]


def around(threshold: float) -> list[float]:
    """The threshold, its neighbours in both widths, and where rounding to float32 changes sides.

    A tree compares `float32(x) <= threshold`. With f the largest float32 at or below the threshold and g the next one,
    x goes left below the midpoint of f and g; on the midpoint the tie goes to the even one.
    """
    threshold = float(threshold)
    below, above = _neighbours(threshold)
    middle = below + (above - below) / 2
    points = [threshold, _down(threshold), _up(threshold), below, above, middle, _down(middle), _up(middle)]
    return list(dict.fromkeys(points))


def thresholds(model) -> dict[int, list[float]]:
    """Feature number → the sorted thresholds of all trees in the last step of `model`."""
    found: dict[int, set[float]] = {}
    for tree in _trees(model.steps[-1][1] if hasattr(model, "steps") else model):
        for feature, threshold in zip(tree.feature, tree.threshold):
            if feature >= 0:
                found.setdefault(int(feature), set()).add(float(threshold))
    return {feature: sorted(values) for feature, values in sorted(found.items())}


def vary(base: dict, **columns) -> pd.DataFrame:
    """The row `base`, then a row for each value of each column in turn, the other columns as in `base`."""
    rows = [base] + [base | {name: value} for name, values in columns.items() for value in values]
    return pd.DataFrame(rows)


def _trees(estimator) -> list:
    if hasattr(estimator, "tree_"):
        return [estimator.tree_]
    return [inner.tree_ for inner in np.asarray(estimator.estimators_).ravel()]


def _neighbours(value: float) -> tuple[float, float]:
    """The largest float32 at or below `value`, and the one after it."""
    nearest = np.float32(value)
    below = nearest if float(nearest) <= value else np.nextafter(nearest, np.float32(-np.inf))
    return float(below), float(np.nextafter(below, np.float32(np.inf)))


def _down(value: float) -> float:
    return float(np.nextafter(value, -np.inf))


def _up(value: float) -> float:
    return float(np.nextafter(value, np.inf))
