"""ONNX twins: conversion by skl2onnx, answers by onnxruntime, columns as the command-line contract names them."""

import numpy as np

from scoring import typed
from tables import Column

TENSORS = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
    "tensor(string)": object,
}


def convert(model, data: list[Column], settings: dict[str, str]) -> bytes:
    """The twin's bytes. `settings` is the case's section `onnx`."""
    import skl2onnx

    options = {"zipmap": settings.get("zipmap", "true") == "true"}
    steps = [step for _, step in model.steps] if hasattr(model, "steps") else [model]
    by_name = hasattr(model, "feature_names_in_") and hasattr(steps[0], "transformers")
    inputs = settings.get("names", "named" if by_name else "array")
    graph = skl2onnx.to_onnx(
        model,
        initial_types=_inputs(data, settings.get("inputs", "typed"), inputs == "named"),
        options={id(steps[-1]): options} if hasattr(steps[-1], "classes_") else None,
        target_opset=int(settings["opset"]) if "opset" in settings else None,
        name="twin",
    )
    return graph.SerializeToString(deterministic=True)


def score(graph: bytes, data: list[Column]) -> list[Column]:
    """What onnxruntime answers in one batch; a null is NaN in a tensor of floats and fits no other, so that its row is null."""
    import onnxruntime

    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    floats = _float_columns(session.get_inputs(), data)
    keep = [at for at, row in enumerate(zip(*(c.values for c in data))) if _has_tensor(row, floats)]
    feeds = _feeds(session.get_inputs(), data, keep)
    columns = _columns(graph, session.get_outputs(), session.run(None, feeds))
    return [_spread(column, keep, len(data[0].values)) for column in columns]


def _inputs(data: list[Column], mode: str, named: bool) -> list:
    """skl2onnx's initial types."""
    from skl2onnx.common import data_types as onnx_types

    floats = onnx_types.DoubleTensorType if mode == "double" else onnx_types.FloatTensorType
    kinds = {
        "f64": floats,
        "i64": onnx_types.Int64TensorType,
        "bool": onnx_types.BooleanTensorType,
        "str": onnx_types.StringTensorType,
    }
    if mode == "float":
        kinds |= {"i64": floats, "bool": floats}
    if named:
        return [(column.name, kinds[column.type]([None, 1])) for column in data]
    return [("X", kinds[data[0].type]([None, len(data)]))]


def _float_columns(inputs, data: list[Column]) -> list[bool]:
    """Per column, whether it goes into a tensor of floats."""
    by_name = {entry.name: entry.type for entry in inputs}
    kinds = [by_name.get(column.name, inputs[0].type) for column in data]
    return [kind in ("tensor(float)", "tensor(double)") for kind in kinds]


def _has_tensor(row: tuple, floats: list[bool]) -> bool:
    return all(value is not None or is_float for value, is_float in zip(row, floats))


def _feeds(inputs, data: list[Column], keep: list[int]) -> dict[str, np.ndarray]:
    """Input name → tensor: a column each, or all of them side by side in one."""
    by_name = {column.name: column for column in data}
    array = [_vector(column, keep) for column in data]
    feeds = {}
    with np.errstate(over="ignore"):
        for entry in inputs:
            column = [_vector(by_name[entry.name], keep)] if entry.name in by_name else array
            feeds[entry.name] = np.stack(column, axis=1).astype(TENSORS[entry.type])
    return feeds


def _vector(column: Column, keep: list[int]) -> np.ndarray:
    values = [column.values[at] for at in keep]
    if column.type == "f64" or None in values:
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return np.array(values, dtype={"i64": np.int64, "bool": np.bool_, "str": object}[column.type])


def _columns(graph: bytes, entries: list, answers: list) -> list[Column]:
    """The classifier's form where the graph follows it, else each output under its own name."""
    if len(answers) == 2 and np.asarray(answers[0]).ndim == 1 and not _is_float(answers[0]):
        labels, probabilities = answers
        columns = {"prediction": np.asarray(labels).tolist()}
        return typed(columns | _probabilities(probabilities, _labels(graph)), "f32")
    columns = {}
    for entry, answer in zip(entries, answers):
        array = np.asarray(answer)
        array = array.reshape(len(array), -1)
        names = [entry.name] if array.shape[1] == 1 else [f"{entry.name}_{at}" for at in range(array.shape[1])]
        columns |= {name: array[:, at].tolist() for at, name in enumerate(names)}
    doubles = any(np.asarray(answer).dtype == np.float64 for answer in answers)
    return typed(columns, "f64" if doubles else "f32")


def _is_float(answer) -> bool:
    return np.asarray(answer).dtype.kind == "f"


def _probabilities(answer, labels: list) -> dict[str, list]:
    """ZipMap's dictionaries, or a tensor whose columns follow the graph's class labels."""
    if isinstance(answer, list):
        return {f"probability_{label}": [row[label] for row in answer] for label in answer[0]}
    return {f"probability_{label}": answer[:, at].tolist() for at, label in enumerate(labels)}


def _labels(graph: bytes) -> list:
    """The class labels in the graph's classifier node."""
    import onnx

    for node in onnx.load_from_string(graph).graph.node:
        for attribute in node.attribute:
            if attribute.name in ("classlabels_int64s", "classlabels_ints") and attribute.ints:
                return list(attribute.ints)
            if attribute.name == "classlabels_strings" and attribute.strings:
                return [label.decode() for label in attribute.strings]
    return []


def _spread(column: Column, keep: list[int], rows: int) -> Column:
    """The column with null where a row was not asked."""
    values = dict(zip(keep, column.values))
    return Column(column.name, column.type, [values.get(at) for at in range(rows)])
