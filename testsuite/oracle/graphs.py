"""Writes the numbers of the cases of ONNX graphs that are built by hand: what onnxruntime answers.

    python graphs.py --cases DIR [--check] [NAME …]

A case has a section `graph` with Python that builds its graph on `g`, a `Graph`. `--check` writes nothing and exits 1 if
anything would change.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import oracle
import tables
from cases import Case
from lock import Lock, digest
from tables import Column

ML = "ai.onnx.ml"
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
        self.opset, self.ml = opset, ml
        self.inputs, self.nodes, self.outputs, self.constants = [], [], [], {}

    def input(self, name, kind="f32", width=1):
        """An input of `width` columns: one has its name, more have it with `_0` and so on behind it."""
        self.inputs.append((name, kind, width))
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

    def out(self, name, tensor):
        self.nodes.append(helper.make_node("Identity", [tensor], [name], f"out_{name}"))
        self.outputs.append(name)

    def model(self):
        graph = helper.make_graph(
            self.nodes, "graph",
            [helper.make_tensor_value_info(n, TENSORS[k][0], [None, w]) for n, k, w in self.inputs],
            [onnx.ValueInfoProto(name=n) for n in self.outputs],
            [numpy_helper.from_array(v, n) for n, v in self.constants.items()],
        )
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid(ML, self.ml)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=9, producer_name="graphs.py")


def answers(model: bytes, data: list[Column]) -> str:
    """The table of onnxruntime's answers in one batch."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    by_name = {c.name: c.values for c in data}
    feeds = {}
    for info in onnx.load_from_string(model).graph.input:
        tensor = info.type.tensor_type
        width = tensor.shape.dim[1].dim_value
        names = [info.name] if width == 1 else [f"{info.name}_{i}" for i in range(width)]
        kind = next(dtype for data_type, dtype in TENSORS.values() if data_type == tensor.elem_type)
        floats = kind in (np.float32, np.float64)
        columns = [[np.nan if v is None and floats else v for v in by_name[n]] for n in names]
        with np.errstate(over="ignore"):
            feeds[info.name] = np.array(columns, dtype=object).T.astype(kind)
    names = [output.name for output in session.get_outputs()]
    return tables.write([c for name, value in zip(names, session.run(None, feeds)) for c in columns_of(name, value)])


def columns_of(name: str, value) -> list[Column]:
    """The columns of an output."""
    if isinstance(value, list):
        labels = list(value[0])
        return [Column(f"{name}_{label}", "f32", [row[label] for row in value]) for label in labels]
    array = np.asarray(value)
    kind = {"f": f"f{array.dtype.itemsize * 8}", "i": "i64", "u": "i64", "b": "bool"}.get(array.dtype.kind, "str")
    array = array.reshape(len(array), -1)
    names = [name] if array.shape[1] == 1 else [f"{name}_{i}" for i in range(array.shape[1])]
    return [Column(n, kind, array[:, i].tolist()) for i, n in enumerate(names)]


def find(root: Path, names: list[str]) -> list[Case]:
    """The cases with a section `graph` whose path contains one of `names`."""
    chosen = [path for path in sorted(root.rglob("*.flk")) if not names or any(n in path.as_posix() for n in names)]
    return [case for case in map(Case, chosen) if case.get("graph") is not None]


def model_path(case: Case) -> Path:
    """Where the graph of a case lies."""
    return case.path.parent / "models" / f"{case.path.stem}.onnx"


def origin(case: Case) -> str:
    """The hash of what the graph is made from."""
    return digest("\0".join([case.get("graph"), oracle.pins(oracle.NEWEST, ("onnx==",))]).encode())


def build(case: Case) -> bytes:
    """Runs the Python of a case."""
    scope = {"np": np, "g": Graph(), "helper": helper, "numpy_helper": numpy_helper, "T": TensorProto, "onnx": onnx}
    exec(compile(case.get("graph"), str(case.path), "exec"), scope)
    return scope["g"].model().SerializeToString(deterministic=True)


def answer(case: Case, lock: Lock, check: bool) -> dict[str, str]:
    """Builds what is not fresh, and gives the sections of a case."""
    path = model_path(case)
    if not lock.is_fresh(path, origin(case)):
        if check:
            raise ValueError("its graph is not that of its Python")
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(build(case))
        lock.record(path, origin(case))
    return {"run:onnx": answers(path.read_bytes(), tables.parse(case.get("data")))}


def main() -> int:
    """Goes through the cases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=Path, required=True)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("names", nargs="*")
    arguments, _ = parser.parse_known_args()
    lock, changed, failed = Lock(arguments.cases), [], []
    for case in find(arguments.cases, arguments.names):
        try:
            names = oracle.update(case.path, answer(case, lock, arguments.check), write=not arguments.check)
            changed += [f"{case.path}: {', '.join(names)}"] if names else []
        except Exception as error:
            failed.append(f"{case.path}: {type(error).__name__}: {error}")
    if not arguments.check:
        lock.write()
    for line in changed + failed:
        print(line, file=sys.stderr)
    return 1 if failed or (arguments.check and changed) else 0


if __name__ == "__main__":
    sys.exit(main())
