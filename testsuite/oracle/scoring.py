"""Asks a fitted scikit-learn object for every output column that the command-line contract names ("Columns out").

Works with every pinned version. A row that the library refuses by an exception is null in every column.
"""

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer

from tables import Column


def score(model, rows) -> list[Column]:
    """The output columns for `rows`, a DataFrame or an array: all at once, row by row if the library raises."""
    if isinstance(rows, np.ndarray) and reads_documents(model):
        rows = rows.ravel()
    try:
        return typed(outputs(model, rows))
    except NameError:
        raise
    except Exception:
        return typed(_row_by_row(lambda one: outputs(model, one), rows))


def reads_documents(model) -> bool:
    """Whether the first thing that looks at the rows takes a list of texts, and no table."""
    while parts := getattr(model, "steps", None) or getattr(model, "transformer_list", None):
        model = parts[0][1]
    return isinstance(model, (CountVectorizer, HashingVectorizer))


def outputs(model, rows) -> dict[str, list]:
    """Column name → one Python value per row, by what `model` ends in."""
    last = _last_step(model)
    # A Gaussian process per pair of classes has the method, and it always raises.
    if hasattr(model, "predict_proba") and getattr(last, "multi_class", None) != "one_vs_one":
        return _classes(model, model.predict(rows), model.predict_proba(rows))
    if getattr(last, "_estimator_type", None) == "outlier_detector" or hasattr(last, "offset_"):
        return {"prediction": _list(model.predict(rows)), "score": _list(model.decision_function(rows))}
    if hasattr(model, "predict") and hasattr(model, "decision_function"):
        return _scores(model, model.predict(rows), model.decision_function(rows))
    if hasattr(model, "predict"):
        return _predictions(model.predict(rows))
    return _features(model, rows)


def _row_by_row(ask, rows) -> dict[str, list]:
    """`ask` for each row by itself; the names come from the rows that it answers."""
    answers = [_try(ask, rows[at : at + 1]) for at in range(len(rows))]
    names = next((list(answer) for answer in answers if answer is not None), None)
    if names is None:
        raise ValueError("the library refuses every row")
    return {name: [None if a is None else a[name][0] for a in answers] for name in names}


def _try(ask, row):
    try:
        return ask(row)
    except Exception:
        return None


def _last_step(model):
    return model.steps[-1][1] if hasattr(model, "steps") else model


def _list(array) -> list:
    return np.asarray(array).ravel().tolist()


def _classes(model, labels, probabilities) -> dict[str, list]:
    """A classifier with probabilities; several targets give a list of arrays, or a table of those of the second class.
    CatBoost's labels of one target are a table of one column."""
    if not isinstance(probabilities, list) and np.shape(labels) == np.shape(probabilities):
        probabilities = [np.stack([1 - column, column], axis=1) for column in np.asarray(probabilities).T]
        return _targets(labels, probabilities, _classes_of_targets(model, labels.shape[1]))
    if not isinstance(probabilities, list):
        columns = {"prediction": _list(labels)}
        # A mixture has probabilities of components, which have no labels.
        names = getattr(model, "classes_", range(probabilities.shape[1]))
        return columns | _per_label("probability", names, probabilities)
    return _targets(labels, probabilities, model.classes_)


def _targets(labels, probabilities: list, classes) -> dict[str, list]:
    columns = {}
    for target, array in enumerate(probabilities):
        columns[f"prediction_{target}"] = _list(labels[:, target])
        columns |= _per_label(f"probability_{target}", classes[target], array)
    return columns


def _classes_of_targets(model, targets: int) -> list:
    """The classes of each target: 0 and 1 of an indicator matrix; a chain lists them in its own order."""
    if not isinstance(model.classes_, list):
        return [[0, 1]] * targets
    order = list(getattr(_last_step(model), "order_", range(targets)))
    return [model.classes_[order.index(target)] for target in range(targets)]


def _per_label(prefix: str, labels, array) -> dict[str, list]:
    return {f"{prefix}_{label}": _list(array[:, at]) for at, label in enumerate(labels)}


def _scores(model, labels, scores) -> dict[str, list]:
    """A classifier with a decision function only; several targets give a table of labels."""
    if np.ndim(labels) == 2:
        columns = {}
        for target in range(labels.shape[1]):
            columns[f"prediction_{target}"] = _list(labels[:, target])
            columns[f"score_{target}"] = _list(scores[:, target])
        return columns
    if scores.ndim == 1:
        return {"prediction": _list(labels), "score": _list(scores)}
    if getattr(_last_step(model), "decision_function_shape", None) == "ovo":
        pairs = [f"{a}_{b}" for at, a in enumerate(model.classes_) for b in model.classes_[at + 1 :]]
        return {"prediction": _list(labels)} | _per_label("score", pairs, scores)
    return {"prediction": _list(labels)} | _per_label("score", model.classes_, scores)


def _predictions(values) -> dict[str, list]:
    """A regressor or a clusterer, with one target or several."""
    values = np.asarray(values)
    if values.ndim == 1 or values.shape[1] == 1:
        return {"prediction": _list(values)}
    return {f"prediction_{at}": _list(values[:, at]) for at in range(values.shape[1])}


def _features(model, rows) -> dict[str, list]:
    """A transformer: the names of `get_feature_names_out()`, else `output_0`, …"""
    table = model.transform(rows)
    if hasattr(table, "toarray"):
        table = table.toarray()
    if isinstance(table, pd.DataFrame):
        names = _names(model, table.shape[1], [str(name) for name in table.columns])
        return {name: table.iloc[:, at].tolist() for at, name in enumerate(names)}
    table = np.asarray(table)
    if table.ndim == 1:
        table = table.reshape(-1, 1)
    names = _names(model, table.shape[1], [f"output_{at}" for at in range(table.shape[1])])
    if len(set(names)) != len(names):
        raise NameError(f"two outputs have the same name: {', '.join(names)}")
    return {name: table[:, at].tolist() for at, name in enumerate(names)}


def _names(model, width: int, otherwise: list[str]) -> list[str]:
    try:
        names = [str(name) for name in model.get_feature_names_out()]
    except (AttributeError, ValueError):
        names = []
    return names if len(names) == width else otherwise


def typed(columns: dict[str, list], floats: str = "f64") -> list[Column]:
    """Columns with the type of their values; a missing string becomes null."""
    return [_typed(name, values, floats) for name, values in columns.items()]


def _typed(name: str, values: list, floats: str) -> Column:
    kinds = {type(value) for value in values if value is not None and value is not pd.NA}
    if str in kinds:
        return Column(name, "str", [value if isinstance(value, str) else None for value in values])
    if kinds <= {bool} and kinds:
        return Column(name, "bool", values)
    if kinds <= {int} and kinds:
        return Column(name, "i64", values)
    return Column(name, floats, [None if value is None else float(value) for value in values])
