"""Custom steps, as people write them, for the cases of `--define`."""

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin, TransformerMixin


class ClipOutliers(TransformerMixin, BaseEstimator):
    """Cuts each column at two quantiles of the training data."""

    def __init__(self, share=0.1):
        self.share = share

    def fit(self, X, y=None):
        """Learns the quantiles."""
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.low_, self.high_ = np.nanquantile(X, [self.share, 1 - self.share], axis=0)
        return self

    def transform(self, X):
        """Cuts; NaN stays."""
        return X.clip(self.low_, self.high_, axis=1)

    def get_feature_names_out(self, names=None):
        """The names stay."""
        return self.feature_names_in_


class Ratio(TransformerMixin, BaseEstimator):
    """The first column through the second, and whether it was there."""

    def __init__(self, floor=1.0):
        self.floor = floor

    def fit(self, X, y=None):
        """Learns nothing."""
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        """Two columns."""
        X = np.asarray(X, dtype=float)
        ratio = X[:, 0] / np.maximum(X[:, 1], self.floor)
        return np.column_stack([ratio, (~np.isnan(ratio)).astype(float)])

    def get_feature_names_out(self, names=None):
        """The names of the two."""
        return np.array(["ratio", "known"], dtype=object)


class Tariff(RegressorMixin, BaseEstimator):
    """A price by rule: so much, and more beyond a limit."""

    def __init__(self, base=2.5, per_unit=0.5, limit=10.0):
        self.base, self.per_unit, self.limit = base, per_unit, limit

    def fit(self, X, y=None):
        """Learns nothing."""
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X):
        """The price."""
        units = np.asarray(X, dtype=float)[:, 0]
        return self.base + np.where(units > self.limit, self.per_unit * (units - self.limit), 0.0)
