"""What random pipelines are made of: every class that flockc lifts, with options drawn from scikit-learn's own table of
what each parameter may be. A new lifter joins by itself; here stands only what that table does not say."""

import importlib
import inspect
import numbers

from pipelines.spec import Call

# Parameters that stay as they are: they change how a fit runs, or what is drawn at random, and not what a file says.
FIXED = {"n_jobs", "verbose", "memory", "copy", "copy_X", "warm_start", "cache_size", "random_state", "max_iter", "tol",
         "max_iter_predict", "eps", "precompute", "store_cv_results", "store_cv_values", "return_train_score", "cv",
         "error_score", "feature_names_out", "n_init", "batch_size", "min_resources", "max_resources", "refit",
         "store_covariance", "compute_score", "compute_inverse_components", "dtype", "checks", "transform_input",
         "classes", "class_weight", "priors", "class_prior", "missing_values", "categories", "feature_range",
         "quantile_range", "transformer_weights", "sparse_threshold", "multi_class", "algorithm", "memory_level"}

# Values that keep a fit quick, or that the class cannot do without.
GIVEN = {
    "n_estimators": 3, "max_iter": 60, "random_state": 0, "cv": 2, "n_resampling": 2, "n_init": 1, "n_quantiles": 8,
    "iterations": 3, "max_trials": 20, "n_components": 2,
}
ONLY_WHERE = {
    "max_iter": ("MLPClassifier", "MLPRegressor", "IterativeImputer", "HistGradientBoostingClassifier",
                 "HistGradientBoostingRegressor", "FastICA", "NMF"),
    "n_components": ("PCA", "TruncatedSVD", "KernelPCA", "FastICA", "NMF", "FactorAnalysis", "Nystroem", "RBFSampler",
                     "GaussianRandomProjection", "SparseRandomProjection", "IncrementalPCA", "PLSRegression",
                     "PLSCanonical", "CCA", "GaussianMixture", "BayesianGaussianMixture", "NeighborhoodComponentsAnalysis"),
}

# Options of the libraries beside scikit-learn, which have no such table.
OPTIONS = {
    "XGBClassifier": {"n_estimators": [2, 5], "max_depth": [1, 3], "booster": ["gbtree", "dart", "gblinear"],
                      "base_score": [0.3, 0.5], "grow_policy": ["lossguide"], "tree_method": ["exact", "hist"]},
    "XGBRegressor": {"n_estimators": [2, 5], "max_depth": [1, 3], "booster": ["gbtree", "dart", "gblinear"],
                     "objective": ["reg:squarederror", "reg:absoluteerror", "reg:pseudohubererror"]},
    "LGBMClassifier": {"n_estimators": [2, 5], "num_leaves": [3, 7], "boosting_type": ["gbdt", "dart", "rf"],
                       "min_child_samples": [2], "extra_trees": [True], "zero_as_missing": [True]},
    "LGBMRegressor": {"n_estimators": [2, 5], "num_leaves": [3, 7], "min_child_samples": [2], "linear_tree": [True],
                      "objective": ["regression", "l1", "huber", "quantile"], "zero_as_missing": [True]},
    "CatBoostClassifier": {"depth": [2, 4], "nan_mode": ["Min", "Max"], "grow_policy": ["Lossguide", "Depthwise"]},
    "CatBoostRegressor": {"depth": [2, 4], "nan_mode": ["Min", "Max"], "loss_function": ["MAE", "Quantile"]},
}
ALWAYS = {
    "CatBoostClassifier": {"verbose": False, "allow_writing_files": False, "iterations": 4},
    "CatBoostRegressor": {"verbose": False, "allow_writing_files": False, "iterations": 4},
    "LGBMClassifier": {"verbose": -1, "min_child_samples": 3}, "LGBMRegressor": {"verbose": -1, "min_child_samples": 3},
}
# Built by hand in `draw`, or of no use in a row of steps.
APART = {"Pipeline", "ColumnTransformer", "FeatureUnion", "FunctionTransformer", "LabelEncoder", "LabelBinarizer",
         "MultiLabelBinarizer", "DictVectorizer", "FeatureHasher", "KernelCenterer", "FrozenEstimator", "IsotonicRegression"}


class Known:
    """The classes that flockc lifts, by what they do."""

    def __init__(self, classes: list[str]):
        self.scope, self.by_role = {}, {}
        for full in classes:
            found = _find(full)
            if found is not None and found.__name__ not in APART:
                self.scope[found.__name__] = found
                for role in _roles(found):
                    self.by_role.setdefault(role, []).append(found.__name__)

    def draw(self, rng, role: str, depth: int = 0) -> Call:
        """A random class of a role with random options."""
        names = self.by_role[role] if depth == 0 else [n for n in self.by_role[role] if not _around(self.scope[n])]
        return self._call(rng, self.scope[names[rng.integers(len(names))]], role, depth)

    def _call(self, rng, cls, role: str, depth: int) -> Call:
        name = cls.__name__
        parameters = inspect.signature(cls).parameters
        params = {key: value for key, value in GIVEN.items()
                  if key in parameters and name in ONLY_WHERE.get(key, (name,))} | ALWAYS.get(name, {})
        required = tuple(params)
        inner = "classifier" if role == "classifier" else "regressor"
        if "estimators" in parameters:
            count = int(rng.integers(2, 4))
            params["estimators"] = [(f"e{at}", self.draw(rng, inner, depth + 1)) for at in range(count)]
            required += ("estimators",)
        elif "estimator" in parameters and (_needs(parameters["estimator"]) or rng.random() < 0.5):
            params["estimator"] = self.draw(rng, inner, depth + 1)
            required += ("estimator",) if _needs(parameters["estimator"]) else ()
        for key, value in _options(rng, cls).items():
            params.setdefault(key, value)
        return Call(name, params, required)


def _find(full: str):
    """The class of a public name, or None where this environment has none."""
    module, _, name = full.rpartition(".")
    try:
        import sklearn.experimental.enable_halving_search_cv
        import sklearn.experimental.enable_iterative_imputer  # noqa: F401

        return getattr(importlib.import_module(module), name, None)
    except ImportError:
        return None


def _roles(cls) -> list[str]:
    """What a class can be in a pipeline."""
    from sklearn.base import (ClassifierMixin, ClusterMixin, OutlierMixin, RegressorMixin)

    mixins = {"classifier": ClassifierMixin, "regressor": RegressorMixin, "outlier": OutlierMixin, "cluster": ClusterMixin}
    roles = [role for role, mixin in mixins.items() if issubclass(cls, mixin)]
    if roles:
        return roles
    if cls.__name__.endswith(("SearchCV", "MultiOutputClassifier")):
        return []
    return ["transformer"] if hasattr(cls, "transform") else []


def _needs(parameter) -> bool:
    return parameter.default is inspect.Parameter.empty


def _around(cls) -> bool:
    """Whether a class wraps estimators."""
    parameters = inspect.signature(cls).parameters
    return any(key in parameters for key in ("estimators", "estimator", "base_estimator"))


def _options(rng, cls) -> dict:
    """At most three parameters with values that differ from the default."""
    table = OPTIONS.get(cls.__name__)
    if table is None:
        constraints = getattr(cls, "_parameter_constraints", {})
        table = {key: _values(rng, allowed) for key, allowed in constraints.items()
                 if key not in FIXED and key not in GIVEN and isinstance(allowed, list)}
    default = {key: parameter.default for key, parameter in inspect.signature(cls).parameters.items()}
    table = {key: [v for v in values if key in default and v != default[key]] for key, values in table.items()}
    keys = [key for key, values in table.items() if values]
    rng.shuffle(keys)
    return {key: table[key][rng.integers(len(table[key]))] for key in keys[: rng.integers(0, 4)]}


def _values(rng, allowed: list) -> list:
    """Some values that scikit-learn's constraints of a parameter allow."""
    values = []
    for rule in allowed:
        kind = type(rule).__name__
        if rule is None:
            values.append(None)
        elif kind == "StrOptions":
            values += sorted(rule.options - rule.deprecated)
        elif kind == "Options":
            values += [option for option in rule.options if isinstance(option, (str, int, float, bool))]
        elif isinstance(rule, str) and rule == "boolean":
            values += [True, False]
        elif kind in ("Interval", "RealNotInt"):
            values += _within(rng, rule)
    return values


def _within(rng, rule) -> list:
    """Two numbers of an interval, small ones."""
    whole = getattr(rule, "type", None) is numbers.Integral
    candidates = [1, 2, 3, 4, 5] if whole else [0.001, 0.1, 0.25, 0.5, 0.9, 1.0, 1.5, 3.0]
    fitting = [value for value in candidates if value in rule]
    rng.shuffle(fitting)
    return fitting[:2]
