"""Between the tables of cases and what scikit-learn is given: a DataFrame, or an array without names."""

import numpy as np
import pandas as pd

from tables import Column

MISSING = {"nan": np.nan, "None": None, "NA": pd.NA}


def to_frame(data: list[Column], options: dict[str, str], named: bool):
    """The rows of a case as the model was fitted: by name, or as an array in the order of the columns."""
    missing = MISSING[options.get("null", "nan")]
    frame = pd.DataFrame({column.name: _series(column, missing) for column in data})
    return frame if named else frame.to_numpy().copy()


def _series(column: Column, missing) -> pd.Series:
    """A column as pandas would hold it: integers with gaps are floats, strings are objects."""
    has_null = any(value is None for value in column.values)
    if column.type == "f64" or (column.type == "i64" and has_null):
        return pd.Series([np.nan if value is None else value for value in column.values], dtype="float64")
    if column.type == "i64":
        return pd.Series(column.values, dtype="int64")
    if column.type == "bool" and not has_null:
        return pd.Series(column.values, dtype="bool")
    return pd.Series([missing if value is None else value for value in column.values], dtype=object)


def to_table(frame: pd.DataFrame) -> list[Column]:
    """A generated DataFrame as a table; NaN stays NaN in floats and is null elsewhere."""
    return [_column(str(name), frame[name]) for name in frame.columns]


def _column(name: str, series: pd.Series) -> Column:
    if series.dtype == np.float64:
        return Column(name, "f64", series.tolist())
    values = [None if pd.isna(value) else value for value in series.tolist()]
    kind = str(series.dtype).lower()
    if kind == "int64":
        return Column(name, "i64", [None if value is None else int(value) for value in values])
    if kind in ("bool", "boolean"):
        return Column(name, "bool", [None if value is None else bool(value) for value in values])
    return Column(name, "str", values)
