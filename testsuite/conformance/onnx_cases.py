"""Writes the node cases of the `onnx` package as files that the conformance test of flock-lift-onnx reads.

    target/oracle/venv/bin/python testsuite/conformance/onnx_cases.py [FOLDER]

FOLDER (`target/conformance/onnx`) gets a folder per case: `model.onnx`; `input_<i>.pb`, each input as a TensorProto; and
`values.txt`, a line for each input and output: `input` or `output`, name, element type, extents, elements, separated
by tabs. Lists are separated by spaces; texts are written as hexadecimal digits of their UTF-8, `-` for none. An input that
is a sequence or absent has that word for an element type, and the tensors of a sequence are in `input_<i>_<j>.pb`; an
output that is a sequence has a line for each tensor, and none where it is absent. Random inputs have a seed.
"""

import shutil
import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

ROOT = Path(__file__).resolve().parents[2]


def element_type(info):
    return info.type.tensor_type.elem_type if info.type.HasField("tensor_type") else None


def as_tensor(value, info):
    """The value as a TensorProto."""
    if isinstance(value, TensorProto):
        return value
    array = np.asarray(value)
    if element_type(info) == TensorProto.STRING or array.dtype.kind in "OUS":
        texts = [t if isinstance(t, bytes) else str(t).encode() for t in array.flatten()]
        return TensorProto(data_type=TensorProto.STRING, dims=array.shape, string_data=texts)
    return numpy_helper.from_array(array)


def elements(tensor):
    if tensor.data_type == TensorProto.STRING:
        return [text.hex() or "-" for text in tensor.string_data]
    array = numpy_helper.to_array(tensor).flatten()
    if array.dtype.kind in "biu" or "int" in array.dtype.name:
        return [str(int(x)) for x in array]
    if array.dtype.kind == "c":
        return [repr(complex(x)) for x in array]
    return [repr(float(x)) for x in array]


def line(side, info, value):
    if value is None or isinstance(value, list):
        return f"{side}\t{info.name}\t{'absent' if value is None else 'sequence'}\t\t\n"
    tensor = as_tensor(value, info)
    name = TensorProto.DataType.Name(tensor.data_type).lower()
    dims = " ".join(map(str, tensor.dims))
    return f"{side}\t{info.name}\t{name}\t{dims}\t{' '.join(elements(tensor))}\n"


def write(case, folder):
    folder.mkdir(parents=True)
    graph = case.model.graph
    inputs, outputs = case.data_sets[0]
    (folder / "model.onnx").write_bytes(case.model.SerializeToString(deterministic=True))
    for i, (info, value) in enumerate(zip(graph.input, inputs)):
        parts = value if isinstance(value, list) else [] if value is None else [value]
        for j, part in enumerate(parts):
            tensor = as_tensor(part, info)
            tensor.name = f"{info.name}_{j}" if isinstance(value, list) else info.name
            file = f"input_{i}_{j}.pb" if isinstance(value, list) else f"input_{i}.pb"
            (folder / file).write_bytes(tensor.SerializeToString(deterministic=True))
    lines = [line("input", i, v) for i, v in zip(graph.input, inputs)]
    for info, value in zip(graph.output, outputs):
        parts = value if isinstance(value, list) else [] if value is None else [value]
        lines += [line("output", info, part) for part in parts]
    (folder / "values.txt").write_text("".join(lines))


def main(folder):
    warnings.filterwarnings("ignore")
    np.random.seed(0)
    from onnx.backend.test.case.node import collect_testcases

    cases = collect_testcases(None)
    shutil.rmtree(folder, ignore_errors=True)
    for case in cases:
        write(case, folder / case.name)
    (folder / "version.txt").write_text(f"{onnx.__version__}\n{len(cases)}\n")
    print(f"{len(cases)} cases of onnx {onnx.__version__} in {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "target/conformance/onnx")
