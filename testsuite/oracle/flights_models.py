"""The models over the flights: scikit-learn pipelines and their ONNX twins.

`late` is 1 where a flight arrived more than 15 minutes late. Only flights with a known arrival delay are trained on;
a cancelled flight has no departure delay and still gets an answer, through the imputer.
"""

from pathlib import Path

import joblib
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

NUMBERS = ["dep_delay", "distance", "hour", "minute", "month", "day", "sched_dep_time"]
CATEGORIES = ["carrier", "origin", "dest"]
FEATURES = NUMBERS + CATEGORIES
LATE_MINUTES = 15
TRAINING_ROWS = 60_000

# name: (estimator, what it predicts, joblib's compression). The compressions differ so that each has a real file.
MODELS = {
    "late": (GradientBoostingClassifier(n_estimators=100, max_depth=3, random_state=0), "late", 0),
    "late_forest": (RandomForestClassifier(n_estimators=50, max_depth=8, random_state=0), "late", ("zlib", 6)),
    "late_logistic": (LogisticRegression(max_iter=1_000), "late", ("lz4", 3)),
    "delay_linear": (Ridge(alpha=1.0), "arr_delay", ("gzip", 6)),
}


def pipeline(model) -> Pipeline:
    """Imputer and scaler for the numbers, one-hot for the categories, then `model`."""
    numbers = Pipeline([("imputer", SimpleImputer(strategy="median")), ("scaler", StandardScaler())])
    categories = OneHotEncoder(handle_unknown="ignore")
    features = ColumnTransformer([("num", numbers, NUMBERS), ("cat", categories, CATEGORIES)])
    return Pipeline([("features", features), ("model", model)])


def training_rows(flights: pd.DataFrame) -> pd.DataFrame:
    """A seeded sample of the flights that arrived, with the target `late`."""
    arrived = flights[flights["arr_delay"].notna()]
    rows = arrived.sample(n=TRAINING_ROWS, random_state=0).sort_values("id")
    return rows.assign(late=(rows["arr_delay"] > LATE_MINUTES).astype("int64"))


def plain_strings(frame: pd.DataFrame) -> pd.DataFrame:
    """String columns as numpy objects, so that the files hold no pandas class."""
    return frame.astype({name: object for name in CATEGORIES})


def write_onnx(model: Pipeline, path: Path) -> None:
    """The ONNX twin: one [n, 1] input per column, float32 numbers and strings; ZipMap on."""
    import skl2onnx
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    inputs = [(name, FloatTensorType([None, 1])) for name in NUMBERS]
    inputs += [(name, StringTensorType([None, 1])) for name in CATEGORIES]
    graph = skl2onnx.to_onnx(model, initial_types=inputs, name=path.stem)
    path.write_bytes(graph.SerializeToString(deterministic=True))


def train_all(flights: pd.DataFrame, folder: Path) -> None:
    """Trains every model and writes `<name>.joblib` and `<name>.onnx` into `folder`."""
    rows = training_rows(flights)
    features = plain_strings(rows[FEATURES])
    for name, (estimator, target, compress) in MODELS.items():
        model = pipeline(estimator).fit(features, rows[target].to_numpy())
        joblib.dump(model, folder / f"{name}.joblib", compress=compress)
        write_onnx(model, folder / f"{name}.onnx")
        print(f"{name}: {(folder / name).with_suffix('.joblib').stat().st_size:,} bytes")
