"""What random pipelines are made of: every class that flockc lifts, with options drawn from scikit-learn's own table of
what each parameter may be. A new lifter joins by itself; here stands only what that table does not say."""

import importlib
import inspect
import numbers

from pipelines.spec import Call, Raw

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

# How category_encoders' classes may take what they do not know.
POLICIES = {"handle_unknown": ["return_nan", "error", "value"], "handle_missing": ["return_nan", "error", "value"]}

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
    "BaseNEncoder": {"base": [3]},
    "LogTransformer": {"base": ["10"]}, "LogCpTransformer": {"base": ["10"]},
    "PowerTransformer of feature_engine": {"exp": [0.5, 2, 3, -1]},
    "Winsorizer": {"capping_method": ["iqr", "quantiles", "mad"], "tail": ["both", "left"], "missing_values": ["ignore"]},
    "EqualWidthDiscretiser": {"bins": [3, 5]}, "EqualFrequencyDiscretiser": {"q": [3, 4]},
    "GeometricWidthDiscretiser": {"bins": [3, 5]},
    "MeanMedianImputer": {"imputation_method": ["mean"]}, "EndTailImputer": {"tail": ["left"], "imputation_method": ["iqr", "max"]},
    "ArbitraryNumberImputer": {"arbitrary_number": [-1, 0.5]}, "AddMissingIndicator": {"missing_only": [False]},
    "CategoricalImputer": {"imputation_method": ["frequent"], "ignore_format": [True]},
    "RareLabelEncoder": {"tol": [0.1, 0.3], "n_categories": [2], "missing_values": ["ignore"]},
    "CountFrequencyEncoder": {"encoding_method": ["frequency"], "missing_values": ["ignore"], "unseen": ["encode"]},
    "MeanEncoder": {"missing_values": ["ignore"], "unseen": ["encode"], "smoothing": [1.5, "auto"]},
    "OrdinalEncoder of feature_engine": {"encoding_method": ["arbitrary"], "missing_values": ["ignore"], "unseen": ["encode"]},
    "OneHotEncoder of feature_engine": {"drop_last": [True], "top_categories": [2]},
    "CyclicalFeatures": {"drop_original": [True]},
}
ALWAYS = {
    "CatBoostClassifier": {"verbose": False, "allow_writing_files": False, "iterations": 4},
    "CatBoostRegressor": {"verbose": False, "allow_writing_files": False, "iterations": 4},
    "LGBMClassifier": {"verbose": -1, "min_child_samples": 3}, "LGBMRegressor": {"verbose": -1, "min_child_samples": 3},
}
# What classes cannot do without and the columns decide.
BY_COLUMNS = {
    "DropFeatures": lambda rng, names: {"features_to_drop": names[:1]},
    "MathFeatures": lambda rng, names: {
        "variables": names[:3], "func": rng.permutation(["sum", "prod", "mean", "std", "var", "median", "min", "max"])[:3].tolist(),
        "missing_values": str(rng.choice(["raise", "ignore"])), "drop_original": bool(rng.random() < 0.3)},
    "RelativeFeatures": lambda rng, names: {
        "variables": names[:1], "reference": names[1:],
        "func": rng.permutation(["add", "mul", "sub", "div", "truediv", "floordiv", "mod", "pow"])[:3].tolist(),
        "fill_value": [None, 0, -1.5][rng.integers(3)], "missing_values": str(rng.choice(["raise", "ignore"]))},
    "ArbitraryDiscretiser": lambda rng, names: {"binning_dict": {names[0]: [-2.0, 0.0, 0.5, 3.0, 20.0]}},
    "ArbitraryOutlierCapper": lambda rng, names: {"max_capping_dict": {names[0]: 1.0}, "min_capping_dict": {names[-1]: -0.5}},
    "FunctionTransformer": lambda rng, names: {"func": Raw(f"np.{rng.choice(['log1p', 'sqrt', 'exp', 'abs', 'cbrt', 'sin'])}")},
    "GridSearchCV": lambda rng, names: {"param_grid": {}},
    "HalvingGridSearchCV": lambda rng, names: {"param_grid": {}},
    "RandomizedSearchCV": lambda rng, names: {"param_distributions": {}, "n_iter": 1},
    "HalvingRandomSearchCV": lambda rng, names: {"param_distributions": {}},
}
# A pipeline with a sampler, which has no part in a prediction.
SAMPLED = """from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import Pipeline as SampledPipeline
from imblearn.under_sampling import RandomUnderSampler"""
# Built by hand in `draw`, or of no use in a row of steps.
APART = {"Pipeline", "ColumnTransformer", "FeatureUnion", "LabelEncoder", "LabelBinarizer",
         "MultiLabelBinarizer", "DictVectorizer", "FeatureHasher", "KernelCenterer", "FrozenEstimator", "IsotonicRegression"}


class Known:
    """The classes that flockc lifts, by what they do; `imports` has the line for each that scikit-learn does not have,
    and `numbers` the names of the columns that are drawn for."""

    def __init__(self, classes: list[str]):
        self.scope, self.by_role, self.imports, self.numbers = {}, {}, {}, []
        for full in sorted(classes, key=lambda full: not full.startswith("sklearn.")):
            found = _find(full)
            if found is None or found.__name__ in APART:
                continue
            name = self._name(full, found)
            self.scope[name] = found
            for role in _roles(found):
                self.by_role.setdefault(role, []).append(name)
        self.imports["SampledPipeline"] = SAMPLED
        exec(SAMPLED, self.scope)

    def _name(self, full: str, cls) -> str:
        """The bare name, with the library in front of it where another has it too."""
        library, name = full.split(".")[0], cls.__name__
        if library == "sklearn":
            return name
        alias = library.title().replace("_", "") + name if name in self.scope else name
        self.imports[alias] = f"from {full.rpartition('.')[0]} import {name}" + (f" as {alias}" if alias != name else "")
        return alias

    def draw(self, rng, role: str, depth: int = 0) -> Call:
        """A random class of a role with random options."""
        names = self.by_role[role] if depth == 0 else [n for n in self.by_role[role] if not _around(self.scope[n])]
        return self.call(rng, names[rng.integers(len(names))], role, depth)

    def call(self, rng, name: str, role: str, depth: int) -> Call:
        """That class with random options."""
        cls = self.scope[name]
        parameters = inspect.signature(cls).parameters
        params = {key: value for key, value in GIVEN.items()
                  if key in parameters and name in ONLY_WHERE.get(key, (name,))} | ALWAYS.get(name, {})
        if name in BY_COLUMNS:
            params |= BY_COLUMNS[name](rng, self.numbers)
        required = tuple(params)
        inner = "classifier" if role == "classifier" else "regressor"
        if "estimators" in parameters:
            count = int(rng.integers(2, 4))
            params["estimators"] = [(f"e{at}", self.draw(rng, inner, depth + 1)) for at in range(count)]
            required += ("estimators",)
        elif "estimator" in parameters and (_needs(parameters["estimator"]) or rng.random() < 0.5):
            params["estimator"] = self.draw(rng, inner, depth + 1)
            required += ("estimator",) if _needs(parameters["estimator"]) else ()
        for key, value in _options(rng, name, cls).items():
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

    if cls.__name__.endswith("SearchCV"):
        return ["classifier", "regressor"]
    mixins = {"classifier": ClassifierMixin, "regressor": RegressorMixin, "outlier": OutlierMixin, "cluster": ClusterMixin}
    roles = [role for role, mixin in mixins.items() if issubclass(cls, mixin) and hasattr(cls, "predict")]
    roles += [role for role in ("classifier", "regressor") if cls.__name__ == f"CatBoost{role.title()}"]
    roles += ["cluster"] if cls.__name__.endswith("Mixture") else []
    if roles:
        return roles
    return ["transformer"] if hasattr(cls, "transform") else []


def _needs(parameter) -> bool:
    return parameter.default is inspect.Parameter.empty


def _around(cls) -> bool:
    """Whether a class wraps estimators."""
    parameters = inspect.signature(cls).parameters
    return any(key in parameters for key in ("estimators", "estimator", "base_estimator"))


def _options(rng, name: str, cls) -> dict:
    """At most three parameters with values that differ from the default."""
    table = OPTIONS.get(name, POLICIES if cls.__module__.startswith("category_encoders.") else None)
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
