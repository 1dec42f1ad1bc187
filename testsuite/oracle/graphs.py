"""Writes the numbers of the cases of ONNX graphs that are built by hand: what onnxruntime answers.

    python graphs.py --cases DIR [--check] [NAME …]

A case has a section `graph` with Python that builds its graph on `g`, a `Graph`. `--check` writes nothing and exits 1 if
anything would change.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pandas as pd
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.capi.onnxruntime_pybind11_state import RuntimeException

import graph_parts as parts
import oracle
import tables
from cases import Case
from frames import to_table
from graph_parts import ML
from lock import Lock, digest
from tables import Column

TENSORS = {
    "f32": (TensorProto.FLOAT, np.float32),
    "f64": (TensorProto.DOUBLE, np.float64),
    "i64": (TensorProto.INT64, np.int64),
    "i32": (TensorProto.INT32, np.int32),
    "bool": (TensorProto.BOOL, np.bool_),
    "str": (TensorProto.STRING, object),
}


class Graph:
    """Inputs of a type and a width, nodes, and the outputs that are asked for."""

    def __init__(self, opset=21, ml=3):
        self.opset, self.ml, self.ir, self.calls, self.external = opset, ml, 9, False, False
        self.inputs, self.nodes, self.outputs, self.constants, self.functions = [], [], [], {}, []
        self.names, self.infos = {}, []

    def input(self, name, kind="f32", width=1, dims=None):
        """An input of `width` columns: one has its name, more have it with `_0` and so on behind it. `dims` are the
        extents of a row, of one axis where they are not given; where a row is a call, of the whole tensor."""
        dims = [width] if dims is None else dims
        extents = dims if self.calls else [None, *dims]
        self.infos.append(helper.make_tensor_value_info(name, TENSORS[kind][0], extents))
        width = int(np.prod(dims))
        columns = [name] if width == 1 else [f"{name}_{i}" for i in range(width)]
        self.inputs.append((name, TENSORS[kind][1], dims, columns))
        return name

    def map(self, name, columns, keys, kind="f32"):
        """An input that is a map per row: a column for each of the keys, null where a row has not that one."""
        key = TensorProto.STRING if isinstance(keys[0], str) else TensorProto.INT64
        value = helper.make_tensor_type_proto(TENSORS[kind][0], [])
        self.infos.append(helper.make_value_info(name, helper.make_map_type_proto(key, value)))
        self.inputs.append((name, TENSORS[kind][1], dict(zip(columns, keys)), columns))
        self.calls = True
        return name

    def constant(self, value, dtype=np.float32):
        name = f"c{len(self.constants)}"
        self.constants[name] = np.array(value, dtype=dtype)
        return name

    def ints(self, *values):
        return self.constant(values, np.int64)

    def node(self, op, inputs, count=1, domain="", **attributes):
        """Names of the node's outputs; they are outputs of the graph only through `out`."""
        inputs = [inputs] if isinstance(inputs, str) else inputs
        outputs = [f"t{len(self.nodes)}_{i}" for i in range(count)]
        self.nodes.append(helper.make_node(op, inputs, outputs, f"{op}_{len(self.nodes)}", domain=domain, **attributes))
        return outputs[0] if count == 1 else outputs

    def ml_node(self, op, inputs, count=1, **attributes):
        """A node of ai.onnx.ml."""
        return self.node(op, inputs, count, ML, **attributes)

    def out(self, name, tensor, columns=None):
        """An output; `columns` are the names of its columns where they are not the output's own."""
        self.nodes.append(helper.make_node("Identity", [tensor], [name], f"out_{name}"))
        self.outputs.append(name)
        self.names[name] = columns

    def result(self, op, inputs, name, columns=None, domain="", **attributes):
        """A node whose one output is the graph's."""
        self.nodes.append(helper.make_node(op, inputs, [name], op, domain=domain, **attributes))
        self.outputs.append(name)
        self.names[name] = columns

    def function(self, name, inputs, outputs, nodes, attributes=(), domain="local"):
        """A function of the model; its nodes are (operator, inputs, outputs, attributes, domain)."""
        made = []
        for op, reads, gives, given, where in nodes:
            node = helper.make_node(op, reads, gives, domain=where)
            for key, value in given.items():
                refers = isinstance(value, onnx.AttributeProto)
                node.attribute.append(value if refers else helper.make_attribute(key, value))
            made.append(node)
        opsets = [helper.make_opsetid(d, v) for d, v in self.opsets().items()]
        self.functions.append(helper.make_function(domain, name, inputs, outputs, made, opsets, list(attributes)))

    def opsets(self):
        return {"": self.opset, ML: self.ml} | ({"local": 1} if self.functions else {})

    def model(self):
        graph = helper.make_graph(
            self.nodes, "graph", self.infos, [onnx.ValueInfoProto(name=n) for n in self.outputs],
            [numpy_helper.from_array(v, n) for n, v in self.constants.items()],
        )
        opsets = [helper.make_opsetid(domain, version) for domain, version in self.opsets().items()]
        return helper.make_model(
            graph, opset_imports=opsets, ir_version=self.ir, producer_name="graphs.py", functions=self.functions
        )


def answers(model: Path, graph: Graph, data: list[Column]) -> str:
    """The table of onnxruntime's answers: in one batch, or one call a row, as it has to be where a row makes it raise;
    such a row is null in every column."""
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    by_name = {c.name: c.values for c in data}
    rows = len(data[0].values)
    singly = [[row] for row in range(rows)]
    found = [] if graph.calls else [asked(session, graph, by_name, list(range(rows)))]
    if not found or found[0] is None:
        found = [asked(session, graph, by_name, call) for call in singly]
    known = next((columns for columns in found if columns is not None), None)
    if known is None:
        raise ValueError("onnxruntime refuses every row")
    values = [[value for columns in found for value in ([None] if columns is None else columns[i].values)] for i in range(len(known))]
    return tables.write([Column(column.name, column.type, of) for column, of in zip(known, values)])


def asked(session, graph: Graph, by_name: dict[str, list], call: list[int]) -> list[Column] | None:
    """The columns of one call, None where it raises."""
    feeds = {name: feed(graph, by_name, entry, call) for name, *entry in graph.inputs}
    found = []
    for output in session.get_outputs():
        try:
            value = session.run([output.name], feeds)[0]
        except RuntimeException:
            return None
        found += columns_of(output.name, value, len(call), graph.names.get(output.name))
    return found


def feed(graph: Graph, by_name: dict[str, list], entry: tuple, rows: list[int]):
    """What an input is given for some rows."""
    kind, dims, names = entry
    if isinstance(dims, dict):
        held = {dims[n]: by_name[n][rows[0]] for n in names}
        return {key: value for key, value in held.items() if value is not None}
    floats = kind in (np.float32, np.float64)
    table = [[np.nan if by_name[n][r] is None and floats else by_name[n][r] for n in names] for r in rows]
    with np.errstate(over="ignore"):
        return np.array(table, dtype=object).reshape(dims if graph.calls else [len(rows), *dims]).astype(kind)


def columns_of(name: str, value, rows: int, names: list[str] | dict | None) -> list[Column]:
    """The columns of an output."""
    if isinstance(value, list):
        # A map of labels, which `names` puts in order: onnxruntime sorts them.
        names = names or {label: f"{name}_{label}" for label in value[0]}
        return [Column(n, "f32", [row[label] for row in value]) for label, n in names.items()]
    array = np.asarray(value)
    kind = {"f": f"f{array.dtype.itemsize * 8}", "i": "i64", "u": "i64", "b": "bool"}.get(array.dtype.kind, "str")
    array = array.reshape(rows, -1)
    names = names or ([name] if array.shape[1] == 1 else [f"{name}_{i}" for i in range(array.shape[1])])
    return [Column(n, kind, array[:, i].tolist()) for i, n in enumerate(names)]


def built(case: Case) -> bool:
    """Whether a case is one of this script."""
    return case.get("graph") is not None


def model_path(case: Case) -> Path:
    """Where the graph of a case lies."""
    return case.path.parent / "models" / f"{case.path.stem}.onnx"


def model_files(case: Case) -> list[Path]:
    """The files of a case: the graph, and its tensors where they are in a file of their own."""
    path = model_path(case)
    return [path, path.with_suffix(".bin")] if "g.external" in case.get("graph") else [path]


def origin(case: Case) -> str:
    """The hash of what the graph is made from."""
    return digest("\0".join([case.get("graph"), oracle.pins(oracle.NEWEST, ("onnx==",))]).encode())


def build(case: Case) -> Graph:
    """Runs the Python of a case."""
    scope = {"np": np, "onnx": onnx, "helper": helper, "numpy_helper": numpy_helper, "T": TensorProto, "g": Graph()}
    scope |= vars(parts)
    exec(compile(case.get("graph"), str(case.path), "exec"), scope)
    return scope["g"]


def save(graph: Graph, path: Path) -> None:
    """Writes a graph, and its tensors beside it where it asks for that."""
    path.parent.mkdir(exist_ok=True)
    model = graph.model()
    if graph.external:
        beside = path.with_suffix(".bin")
        beside.unlink(missing_ok=True)
        onnx.external_data_helper.convert_model_to_external_data(model, location=beside.name, size_threshold=0)
        onnx.external_data_helper.write_external_data_tensors(model, str(path.parent))
    path.write_bytes(model.SerializeToString(deterministic=True))


def answer(case: Case, lock: Lock, check: bool) -> dict[str, str]:
    """Builds what is not fresh, and gives the sections of a case."""
    files, graph, made = model_files(case), build(case), origin(case)
    if not all(lock.is_fresh(path, made) for path in files):
        if check:
            raise ValueError("its graph is not that of its Python")
        save(graph, files[0])
        for path in files:
            lock.record(path, made)
    if case.get("refused") is not None:
        return {}
    sections = {}
    if case.get("data:python") is not None:
        scope = {"np": np, "pd": pd}
        exec(compile(case.get("data:python"), str(case.path), "exec"), scope)
        sections["data"] = tables.write(to_table(scope["rows"]))
        case.put("data", sections["data"], after="data:python")
    return sections | {"run:onnx": answers(files[0], graph, tables.parse(case.get("data")))}


def main() -> int:
    """Goes through the cases."""
    return oracle.go_through(__doc__, built, answer)


if __name__ == "__main__":
    sys.exit(main())
