"""What scikit-learn and onnxruntime answer on every flight: what the bench and the full comparison measure against.

`expected_<name>.parquet` is the answer of `<name>.joblib`, `expected_<name>_onnx.parquet` that of `<name>.onnx`.
Columns: `id`, those of the command-line contract, and `decision_function` where the classifier has one. A refused
row is null.
"""

from pathlib import Path

import joblib
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

import scoring
import twins
from flights_models import CATEGORIES, FEATURES, MODELS, plain_strings
from tables import Column

ARROW = {"f64": pa.float64(), "f32": pa.float32(), "i64": pa.int64(), "bool": pa.bool_(), "str": pa.string()}


def write_all(flights: pd.DataFrame, models: Path, folder: Path) -> None:
    """Asks every model, in both forms, about `flights`."""
    rows = plain_strings(flights[FEATURES])
    table = [_column(rows, name) for name in FEATURES]
    for name in MODELS:
        model = joblib.load(models / f"{name}.joblib")
        _write(flights, scoring.score(model, rows) + _decisions(model, rows), folder / f"expected_{name}.parquet")
        twin = (models / f"{name}.onnx").read_bytes()
        _write(flights, twins.score(twin, table), folder / f"expected_{name}_onnx.parquet")
        print(name)


def _column(rows: pd.DataFrame, name: str) -> Column:
    if name in CATEGORIES:
        return Column(name, "str", [None if pd.isna(value) else value for value in rows[name]])
    return Column(name, "f64", rows[name].astype("float64").tolist())


def _decisions(model, rows: pd.DataFrame) -> list[Column]:
    if not hasattr(model, "decision_function"):
        return []
    return [Column("decision_function", "f64", model.decision_function(rows).tolist())]


def _write(flights: pd.DataFrame, columns: list[Column], path: Path) -> None:
    arrays = [pa.array(flights["id"], pa.int64())]
    arrays += [pa.array(column.values, ARROW[column.type], from_pandas=False) for column in columns]
    pq.write_table(pa.Table.from_arrays(arrays, names=["id"] + [column.name for column in columns]), path)
