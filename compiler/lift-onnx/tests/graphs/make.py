"""Writes the graphs of single operators beside this file, and what onnxruntime answers on hard rows.

    target/oracle/venv/bin/python compiler/lift-onnx/tests/graphs/make.py [NAME]...

A graph has as many outputs as fit on one page, each named for the node that gives it. The tables are those of
`testsuite/cases/README.md`. Nothing here is edited by hand but this file.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto as T
from onnx import helper, numpy_helper

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[3] / "testsuite" / "oracle"))
from tables import Column, write  # noqa: E402

ML = "ai.onnx.ml"
NAN, INF = float("nan"), float("inf")
TENSORS = {"f32": (T.FLOAT, np.float32), "f64": (T.DOUBLE, np.float64), "i64": (T.INT64, np.int64),
           "bool": (T.BOOL, np.bool_), "str": (T.STRING, object), "i32": (T.INT32, np.int32)}
FLOATS = [0.0, -0.0, 1.0, -1.0, 0.5, 1.5, 2.5, -2.5, 0.1, 3e-8, -3e-8, 30.0, -30.0, 200.0, -200.0, 1e30, -1e30, 1e300,
          INF, -INF, NAN]
CASES = {}


class Graph:
    """Inputs of a type and a width, nodes, and the outputs that are asked for."""

    def __init__(self, prose, opset=21, ml=3):
        self.prose, self.opset, self.ml = prose, opset, ml
        self.inputs, self.rows, self.nodes, self.outputs, self.constants = [], {}, [], [], {}

    def input(self, name, kind, rows):
        """Rows are lists, one value per column."""
        self.inputs.append((name, kind, len(rows[0])))
        self.rows[name] = rows
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
        return helper.make_model(graph, opset_imports=opsets, ir_version=9, producer_name="make.py")

    def write(self, name):
        model = self.model().SerializeToString(deterministic=True)
        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        with np.errstate(over="ignore"):
            feeds = {n: np.array(self.rows[n], dtype=object).astype(TENSORS[k][1]) for n, k, _ in self.inputs}
        answers = session.run(self.outputs, feeds)
        (HERE / f"{name}.onnx").write_bytes(model)
        text = f"{self.prose}\n\n=== onnx\n\n=== data\n{write(self.data())}\n=== run:onnx\n{write(self.run(answers))}"
        (HERE / f"{name}.flk").write_text(text.rstrip() + "\n")

    def data(self):
        columns = []
        for name, kind, width in self.inputs:
            kind = {"f32": "f64", "i32": "i64"}.get(kind, kind)
            names = [name] if width == 1 else [f"{name}_{i}" for i in range(width)]
            columns += [Column(n, kind, [row[i] for row in self.rows[name]]) for i, n in enumerate(names)]
        return columns

    def run(self, answers):
        columns = []
        for name, answer in zip(self.outputs, answers):
            answer = np.asarray(answer)
            kind = {"f": f"f{answer.dtype.itemsize * 8}", "i": "i64", "b": "bool"}.get(answer.dtype.kind, "str")
            answer = answer.reshape(len(answer), -1)
            names = [name] if answer.shape[1] == 1 else [f"{name}_{i}" for i in range(answer.shape[1])]
            columns += [Column(n, kind, answer[:, i].tolist()) for i, n in enumerate(names)]
        return columns


def case(function):
    CASES[function.__name__] = function
    return function


def triples(seed=0, n=12):
    """Rows of three floats: ordinary ones, then hard ones."""
    rng = np.random.RandomState(seed)
    rows = [[float(np.float32(x)) for x in rng.normal(0, 2, 3)] for _ in range(n)]
    hard = [0.0, -0.0, 1.0, 1e30, -1e30, INF, -INF, NAN]
    return rows + [[hard[i], hard[(i * 3 + 1) % 8], hard[(i * 5 + 2) % 8]] for i in range(8)]


@case
def unary():
    g = Graph("Functions of one element on every kind of float.")
    x = g.input("x", "f32", [[v] for v in FLOATS])
    for op in "Abs Neg Sqrt Exp Log Reciprocal Floor Ceil Round Sigmoid Tanh Relu LeakyRelu Elu HardSigmoid Softplus Softsign Sign".split():
        g.out(op.lower(), g.node(op, x))
    g.out("leaky_half", g.node("LeakyRelu", x, alpha=0.5))
    g.out("elu_two", g.node("Elu", x, alpha=2.0))
    g.out("hard_three", g.node("HardSigmoid", x, alpha=0.3, beta=0.1))
    g.out("is_nan", g.node("IsNaN", x))
    g.out("is_inf", g.node("IsInf", x))
    g.out("is_positive_inf", g.node("IsInf", x, detect_negative=0))
    g.out("is_negative_inf", g.node("IsInf", x, detect_positive=0))
    one, minus = g.constant(1.0), g.constant(-1.0)
    g.out("clip", g.node("Clip", [x, minus, one]))
    g.out("clip_low", g.node("Clip", [x, minus]))
    g.out("clip_high", g.node("Clip", [x, "", one]))
    g.out("clip_crossed", g.node("Clip", [x, one, minus]))
    return g


@case
def arithmetic():
    g = Graph("Arithmetic and broadcasting of floats.")
    x, y = g.input("x", "f32", triples()), g.input("y", "f32", [[row[1]] for row in triples(1)])
    three, row, one, two = g.constant([1.0, -2.0, 0.25]), g.constant([[3.0, 0.0, -1.0]]), g.constant([2.0]), g.constant(0.5)
    for op in ("Add", "Sub", "Mul", "Div"):
        for name, other in (("y", y), ("three", three), ("row", row), ("one", one), ("scalar", two)):
            g.out(f"{op.lower()}_{name}", g.node(op, [x, other]))
    g.out("three_sub", g.node("Sub", [three, x]))
    g.out("y_sub_x", g.node("Sub", [y, x]))
    size = g.node("Abs", x)
    for name, power in (("two", g.constant(2.0)), ("three", g.ints(3)), ("half", g.constant(0.5)), ("list", three)):
        g.out(f"power_{name}", g.node("Pow", [size, power]))
    for op in ("Sum", "Mean", "Min", "Max"):
        g.out(op.lower(), g.node(op, [x, y, three]))
    wide = g.node("Unsqueeze", [x, g.ints(2)])
    g.out("outer", g.node("Mul", [wide, g.constant([[[1.0, 2.0]]])]))
    return g


@case
def integers():
    g = Graph("int64: arithmetic, comparison, casts.")
    x = g.input("i", "i64", [[0, 1], [1, -1], [-5, 3], [2**40, 2**20], [-(2**52) - 1, 7], [2**24 + 1, 9]])
    c = g.constant([3, -4], np.int64)
    for op in ("Add", "Sub", "Mul", "Min", "Max"):
        g.out(op.lower(), g.node(op, [x, c]))
    for op in ("Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"):
        g.out(op.lower(), g.node(op, [x, c]))
    for op in ("Neg", "Abs"):
        g.out(op.lower(), g.node(op, x))
    for op in ("ReduceSum", "ReduceMax", "ReduceMin"):
        g.out(op.lower(), g.node(op, [x, g.ints(1)]))
    for name, to in (("float", 1), ("double", 11), ("string", 8), ("bool", 9)):
        g.out(f"as_{name}", g.node("Cast", x, to=to))
    small = g.node("Clip", [x, g.constant(-9, np.int64), g.constant(9, np.int64)])
    narrow = g.node("Cast", small, to=6)
    g.out("as_int32", narrow)
    g.out("int32_as_float", g.node("Cast", narrow, to=1))
    g.out("int32_less", g.node("Less", [narrow, g.constant([1], np.int32)]))
    return g


@case
def casts():
    g = Graph("Casts of floats and truth values. A float that no integer holds has no answer that is the same on every processor.")
    x = g.input("x", "f32", [[v] for v in FLOATS if abs(v) < 1e10])
    b = g.input("b", "bool", [[i % 2 == 0] for i in range(len(g.rows["x"]))])
    for name, to in (("int64", 7), ("double", 11), ("bool", 9), ("int32", 6)):
        g.out(f"x_as_{name}", g.node("Cast", x, to=to))
    for name, to in (("float", 1), ("int64", 7), ("string", 8), ("double", 11)):
        g.out(f"b_as_{name}", g.node("Cast", b, to=to))
    return g


@case
def comparison():
    g = Graph("Comparison, logic and choice.")
    x, y = g.input("x", "f32", [[v] for v in FLOATS]), g.input("y", "f32", [[v] for v in FLOATS[::-1]])
    s = g.input("s", "str", [[["a", "b", "", "A", "é"][i % 5]] for i in range(len(FLOATS))])
    less = g.node("Less", [x, y])
    for op in ("Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"):
        g.out(op.lower(), g.node(op, [x, y]))
        g.out(f"{op.lower()}_one", g.node(op, [x, g.constant([0.1])]))
    big = g.node("Greater", [x, g.constant(0.0)])
    for op in ("And", "Or", "Xor"):
        g.out(op.lower(), g.node(op, [less, big]))
    g.out("not", g.node("Not", less))
    g.out("equal_text", g.node("Equal", [s, g.constant(["a", "b"], object)]))
    g.out("where", g.node("Where", [less, x, y]))
    g.out("where_wide", g.node("Where", [less, x, g.constant([1.0, 2.0])]))
    g.out("where_text", g.node("Where", [less, s, g.constant(["none"], object)]))
    return g


@case
def shapes():
    g = Graph("Tensors cut, turned and put together, row by row.")
    rng = np.random.RandomState(3)
    x = g.input("x", "f32", [[float(np.float32(v)) for v in rng.normal(0, 1, 6)] for _ in range(5)])
    box = g.node("Reshape", [x, g.ints(0, 2, 3)])
    g.out("box", box)
    g.out("reshape_open", g.node("Reshape", [box, g.ints(-1, 6)]))
    g.out("reshape_copied", g.node("Reshape", [box, g.ints(0, -1, 2)]))
    turned = g.node("Transpose", box, perm=[0, 2, 1])
    g.out("turned", turned)
    g.out("there_and_back", g.node("Transpose", g.node("Transpose", x), perm=[1, 0]))
    g.out("flat", g.node("Flatten", turned))
    g.out("column", g.node("Squeeze", [g.node("Slice", [x, g.ints(2), g.ints(3), g.ints(1)]), g.ints(1)]))
    g.out("squeezed", g.node("Squeeze", [g.node("Unsqueeze", [x, g.ints(1, -1)]), g.ints(-1)]))
    g.out("backwards", g.node("Slice", [x, g.ints(-1), g.ints(-100), g.ints(1), g.ints(-2)]))
    g.out("cut", g.node("Slice", [box, g.ints(0, 1), g.ints(2**63 - 1, 2), g.ints(0, 2)]))
    g.out("gather", g.node("Gather", [x, g.ints(-1, 0, 0)], axis=1))
    g.out("gather_table", g.node("Gather", [box, g.constant([[0, 1], [1, 1]], np.int64)], axis=-1))
    g.out("gather_one", g.node("Gather", [box, g.constant(1, np.int64)], axis=1))
    a, b = g.node("Split", [x, g.ints(2, 4)], 2, axis=1)
    g.out("split_short", a)
    g.out("split_long", b)
    seven = g.node("Concat", [x, g.node("Gather", [x, g.ints(0)], axis=1)], axis=1)
    for i, part in enumerate(g.node("Split", seven, 4, axis=1, num_outputs=4)):
        g.out(f"split_{i}", part)
    g.out("concat", g.node("Concat", [b, a, x], axis=1))
    g.out("concat_inner", g.node("Concat", [box, box], axis=2))
    g.out("concat_outer", g.node("Concat", [box, box], axis=-2))
    g.out("expand", g.node("Expand", [g.node("Unsqueeze", [a, g.ints(1)]), g.ints(3, 1)]))
    g.out("softmax", g.node("Softmax", box))
    g.out("softmax_outer", g.node("Softmax", box, axis=1))
    g.out("log_softmax", g.node("LogSoftmax", box, axis=-1))
    return g


@case
def reductions():
    g = Graph("Reductions and ranks, with ties, NaN and infinities.")
    x = g.input("x", "f32", triples(5) + [[3.0, 3.0, 1.0], [NAN, 1.0, 2.0], [1.0, NAN, 2.0], [NAN, NAN, NAN], [1.0, 3.0, 3.0]])
    for op in ("Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "SumSquare", "LogSum", "LogSumExp"):
        g.out(op.lower(), g.node(f"Reduce{op}", [x, g.ints(1)]))
    g.out("sum_flat", g.node("ReduceSum", [x, g.ints(-1)], keepdims=0))
    g.out("sum_nothing", g.node("ReduceSum", x, noop_with_empty_axes=1))
    for op in ("ArgMax", "ArgMin"):
        g.out(op.lower(), g.node(op, x, axis=1))
        g.out(f"{op.lower()}_last", g.node(op, x, axis=-1, keepdims=0, select_last_index=1))
    box = g.node("Unsqueeze", [x, g.ints(1)])
    g.out("max_box", g.node("ReduceMax", [g.node("Concat", [box, box], axis=1), g.ints(1)]))
    g.out("sum_box", g.node("ReduceSum", [g.node("Concat", [box, box], axis=1), g.ints(1, 2)]))
    g.out("softmax", g.node("Softmax", x))
    g.out("log_softmax", g.node("LogSoftmax", x))
    return g


@case
def old_opset():
    g = Graph("Opset 9: bounds, axes and lengths are attributes, and Softmax runs over all axes behind its own.", opset=9, ml=1)
    rng = np.random.RandomState(4)
    x = g.input("x", "f32", [[float(np.float32(v)) for v in rng.normal(0, 1, 6)] for _ in range(4)])
    box = g.node("Reshape", [x, g.ints(-1, 2, 3)])
    g.out("clip", g.node("Clip", x, min=-0.5, max=0.5))
    g.out("softmax", g.node("Softmax", box))
    g.out("softmax_inner", g.node("Softmax", box, axis=2))
    g.out("squeeze", g.node("Squeeze", g.node("Slice", x, starts=[1], ends=[2], axes=[1]), axes=[1]))
    g.out("unsqueeze", g.node("Unsqueeze", x, axes=[1]))
    for i, part in enumerate(g.node("Split", x, 3, axis=1)):
        g.out(f"third_{i}", part)
    g.out("split", g.node("Split", x, 2, axis=1, split=[1, 5])[1])
    g.out("sum", g.node("ReduceSum", x, axes=[1]))
    g.out("mean", g.node("ReduceMean", box, axes=[2], keepdims=0))
    g.out("dropout", g.node("Dropout", x, ratio=0.3))
    g.out("flatten", g.node("Flatten", box))
    g.out("upper", g.node("Max", [x, g.constant([0.0])]))
    return g


@case
def products():
    g = Graph("Matrix products with known weights.")
    x = g.input("x", "f32", triples(6)[:12])
    w, v, wt = g.constant([[1, 2], [0.5, -1], [0, 3]]), g.constant([1.0, 2.0, -0.5]), g.constant([[1, 0.5, 0], [2, -1, 3]])
    g.out("matmul", g.node("MatMul", [x, w]))
    g.out("vector", g.node("MatMul", [x, v]))
    g.out("gemm", g.node("Gemm", [x, w]))
    g.out("gemm_bias", g.node("Gemm", [x, wt, g.constant([0.5, -0.5])], transB=1))
    g.out("gemm_scaled", g.node("Gemm", [x, w, g.constant([[1.0, 2.0]])], alpha=0.5, beta=2.0))
    g.out("gemm_scalar", g.node("Gemm", [x, w, g.constant(0.25)]))
    g.out("gemm_rows", g.node("Gemm", [x, w, g.node("MatMul", [x, w])]))
    return g


@case
def encoders():
    g = Graph("One-hot and label encoders: unknown categories, equal ones, floats that are cut.", ml=2)
    s = g.input("s", "str", [["a"], ["b"], [""], ["c"], ["A"], ["é"], ["a"], ["b"]])
    i = g.input("i", "i64", [[1], [2], [3], [-1], [0], [2**60], [1], [7]])
    x = g.input("x", "f32", [[1.0], [1.9], [-0.0], [2.5], [-1.5], [1e20], [3.0], [2.0]])
    g.out("hot_s", g.node("OneHotEncoder", s, domain=ML, cats_strings=["b", "a", "", "é"], zeros=1))
    g.out("hot_i", g.node("OneHotEncoder", i, domain=ML, cats_int64s=[3, 1, 2, 1]))
    g.out("hot_x", g.node("OneHotEncoder", x, domain=ML, cats_int64s=[0, 1, 2, -1]))
    two = g.node("Concat", [i, i], axis=1)
    g.out("hot_two", g.node("OneHotEncoder", two, domain=ML, cats_int64s=[1, 2]))
    keys = {"strings": (s, ["a", "b", "a", ""]), "int64s": (i, [1, 2, 1, -1]), "floats": (x, [1.0, 2.5, NAN, 0.0])}
    values = {"strings": ["x", "y", "z", "w"], "int64s": [5, 6, 7, 8], "floats": [0.5, 1.5, 2.5, 3.5]}
    for k, (source, known) in keys.items():
        for v, given in values.items():
            if k == v and k != "strings":
                continue
            g.out(f"{k}_to_{v}", g.node("LabelEncoder", source, domain=ML, **{f"keys_{k}": known, f"values_{v}": given}))
    g.out("with_default", g.node("LabelEncoder", s, domain=ML, keys_strings=["a"], values_int64s=[3], default_int64=9))
    return g


@case
def encoders_tensors():
    g = Graph("Version 4 of the label encoder: keys and values in tensors, NaN a key.", ml=4)
    x = g.input("x", "f32", [[1.0], [NAN], [-0.0], [3.0]])
    d = g.input("d", "f64", [[0.1], [NAN], [2.0], [3.0]])
    s = g.input("s", "str", [["a"], ["b"], ["z"], [""]])
    g.out("floats", g.node("LabelEncoder", x, domain=ML, keys_floats=[1.0, NAN, 0.0, 1.0], values_int64s=[5, 6, 7, 8]))
    tensor = numpy_helper.from_array
    g.out("doubles", g.node("LabelEncoder", d, domain=ML, keys_tensor=tensor(np.array([0.1, NAN, 2.0])),
                            values_tensor=tensor(np.array([1.5, 2.5, 3.5])), default_tensor=tensor(np.array([9.5]))))
    g.out("texts", g.node("LabelEncoder", s, domain=ML, keys_tensor=tensor(np.array(["a", "b"], object)),
                          values_tensor=tensor(np.array([4, 5])), default_tensor=tensor(np.array([-7]))))
    return g


@case
def encoders_first():
    g = Graph("Version 1 of the label encoder: strings and their positions.", ml=1)
    s, i = g.input("s", "str", [["a"], ["b"], ["z"]]), g.input("i", "i64", [[1], [0], [9]])
    g.out("to_position", g.node("LabelEncoder", s, domain=ML, classes_strings=["a", "b", "a"]))
    g.out("to_text", g.node("LabelEncoder", i, domain=ML, classes_strings=["a", "b", "a"], default_string="none"))
    return g


@case
def features():
    g = Graph("Scalers, imputers, normalisers and their like.")
    x = g.input("x", "f32", triples(7))
    i = g.input("i", "i64", [[k, 2**24 + k - 9, 1] for k in range(len(g.rows["x"]))])
    g.out("scale", g.node("Scaler", x, domain=ML, offset=[1.0, 2.0, 0.1], scale=[0.5, 3.0, 1e-3]))
    g.out("scale_one", g.node("Scaler", x, domain=ML, offset=[0.1], scale=[3.0]))
    g.out("scale_ints", g.node("Scaler", i, domain=ML, offset=[0.5, 1.0, 2.0], scale=[2.0, 1.0, 0.1]))
    g.out("impute", g.node("Imputer", x, domain=ML, imputed_value_floats=[7.0, 8.0, 9.0], replaced_value_float=NAN))
    g.out("impute_zero", g.node("Imputer", x, domain=ML, imputed_value_floats=[5.0], replaced_value_float=0.0))
    g.out("impute_ints", g.node("Imputer", i, domain=ML, imputed_value_int64s=[-1, -2, -3], replaced_value_int64=1))
    for norm in ("MAX", "L1", "L2"):
        g.out(f"norm_{norm.lower()}", g.node("Normalizer", x, domain=ML, norm=norm))
    g.out("vector", g.node("FeatureVectorizer", [x, x], domain=ML, inputdimensions=[2, 5]))
    g.out("vector_ints", g.node("FeatureVectorizer", [i], domain=ML, inputdimensions=[3]))
    g.out("extract", g.node("ArrayFeatureExtractor", [x, g.ints(2, 0, 2)], domain=ML))
    return g


@case
def binarizer():
    g = Graph("Above a threshold or not. onnxruntime refuses a batch with a NaN.")
    x = g.input("x", "f32", [[v] for v in FLOATS if v == v])
    g.out("half", g.node("Binarizer", x, domain=ML, threshold=0.5))
    g.out("default", g.node("Binarizer", x, domain=ML))
    return g


@case
def linear_models():
    g = Graph("Linear classifiers and regressors: one score for two classes, ties, NaN, transforms.")
    x = g.input("x", "f32", triples(8) + [[0.0, 0.0, 0.0], [INF, 1.0, 1.0], [1.0, INF, 1.0], [NAN, 1.0, 1.0]])
    three, one = [1.0, 0.0, 0.5, 0.0, 1.0, -0.5, 1.0, 1.0, 0.0], [1.0, -2.0, 0.5]
    mirrored = [-1.0, 2.0, -0.5, 1.0, -2.0, 0.5]

    def classifier(name, coefficients, intercepts, **attributes):
        label, scores = g.node("LinearClassifier", x, 2, ML, coefficients=coefficients, intercepts=intercepts, **attributes)
        g.out(f"label_{name}", label)
        g.out(f"scores_{name}", scores)

    for post in ("NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO"):
        classifier(f"three_{post}", three, [0.0, 0.0, 0.25], classlabels_strings=["a", "b", "c"], post_transform=post)
        classifier(f"two_{post}", mirrored, [-0.5, 0.5], classlabels_ints=[7, -3], post_transform=post, multi_class=1)
    for post in ("NONE", "LOGISTIC"):
        classifier(f"one_{post}", one, [0.25], classlabels_ints=[4, 5], post_transform=post)
    for post in ("NONE", "LOGISTIC", "SOFTMAX"):
        g.out(f"one_target_{post}", g.node("LinearRegressor", x, domain=ML, coefficients=one, intercepts=[0.5], post_transform=post))
        g.out(f"three_targets_{post}", g.node("LinearRegressor", x, domain=ML, coefficients=three, intercepts=[0.5, 1.0, 2.0],
                                              targets=3, post_transform=post))
    g.out("no_intercepts", g.node("LinearRegressor", x, domain=ML, coefficients=three, targets=3))
    return g


def stumps(splits, weights, what="class", mode="BRANCH_LEQ", missing=0):
    """One tree per split (feature, threshold); `weights[t]` are those of its true and its false leaf: (output, value)."""
    a = {f"nodes_{k}": [] for k in "treeids nodeids featureids modes values truenodeids falsenodeids missing_value_tracks_true".split()}
    w = {f"{what}_{k}": [] for k in "treeids nodeids ids weights".split()}
    for t, (feature, threshold) in enumerate(splits):
        nodes = [(0, feature, mode, threshold, 1, 2, missing), (1, 0, "LEAF", 0.0, 0, 0, 0), (2, 0, "LEAF", 0.0, 0, 0, 0)]
        for node, f, m, value, yes, no, track in nodes:
            for key, item in zip(a, (t, node, f, m, float(value), yes, no, track)):
                a[key].append(item)
        for leaf, pairs in zip((1, 2), weights[t]):
            for output, value in pairs:
                for key, item in zip(w, (t, leaf, output, float(value))):
                    w[key].append(item)
    return a | w


TREE_ROWS = [[x, y] for x in (0.0, 0.5, 0.50000006, 1.0, NAN, INF, -INF) for y in (-1.0, 0.25, 2.0, NAN)]
SPLITS = [(0, 0.5), (1, 0.25), (0, 0.75)]


@case
def tree_classifiers():
    g = Graph("Tree classifiers: which classes have weights, their signs, base values and transforms.")
    x = g.input("x", "f32", TREE_ROWS)
    first = [([(0, 0.2)], [(0, 0.3)]), ([(0, 0.1)], [(0, 0.25)]), ([(0, 0.0)], [(0, 0.15)])]
    mixed = [([(0, -0.2)], [(0, 0.3)]), ([(0, 0.1)], [(0, -0.25)]), ([(0, 0.0)], [(0, 0.15)])]
    second = [([(1, v) for _, v in a], [(1, v) for _, v in b]) for a, b in mixed]
    both = [([(0, 0.6), (1, -0.4)], [(0, 0.1), (1, 0.9)]), ([(0, 0.5), (1, 0.5)], [(0, 1.0), (1, 0.0)])]
    dense = [([(0, 0.5), (1, 0.3), (2, 0.2)], [(0, 0.1), (1, 0.1), (2, 0.8)]), ([(0, 0.0), (1, 1.0), (2, 0.0)], [(0, 0.4), (1, 0.3), (2, 0.3)])]
    each = [([(0, -0.5)], [(0, 0.2)]), ([(1, 0.1)], [(1, -0.7)]), ([(2, -0.1)], [(2, 0.4)])]
    sparse = [([(0, -0.5)], [(1, -0.2)]), ([(1, -0.1)], [(2, -0.7)])]

    def classifier(name, weights, labels, **attributes):
        trees = stumps(SPLITS[: len(weights)], weights)
        label, scores = g.node("TreeEnsembleClassifier", x, 2, ML, **trees, **labels, **attributes)
        g.out(f"label_{name}", label)
        g.out(f"scores_{name}", scores)

    two, names, three = {"classlabels_int64s": [10, 20]}, {"classlabels_strings": ["no", "yes"]}, {"classlabels_int64s": [3, 1, 2]}
    for post in ("NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO"):
        classifier(f"first_{post}", first, two, post_transform=post)
        classifier(f"mixed_{post}", mixed, names, post_transform=post)
        classifier(f"second_{post}", second, two, post_transform=post)
        classifier(f"both_{post}", both, names, post_transform=post)
        classifier(f"dense_{post}", dense, three, post_transform=post)
        classifier(f"each_{post}", each, three, post_transform=post, base_values=[0.1, -0.2, 0.05])
        classifier(f"sparse_{post}", sparse, three, post_transform=post)
    for n, base in (("one", [0.35]), ("two", [0.1, 0.35])):
        for post in ("NONE", "LOGISTIC"):
            classifier(f"first_{n}_{post}", first, names, base_values=base, post_transform=post)
            classifier(f"mixed_{n}_{post}", mixed, two, base_values=base, post_transform=post)
            classifier(f"second_{n}_{post}", second, two, base_values=base, post_transform=post)
            classifier(f"both_{n}_{post}", both, two, base_values=base, post_transform=post)
    classifier("each_no_base", each, three)
    return g


@case
def tree_regressors():
    g = Graph("Tree regressors: comparisons, missing values, aggregates, targets without a weight.")
    x = g.input("x", "f32", TREE_ROWS)
    one = [([(0, -0.2)], [(0, 0.3)]), ([(0, 0.1)], [(0, -0.25)]), ([(0, 1e-9)], [(0, 150.0)])]
    several = [([(0, -0.2), (1, 3.0)], [(0, 0.3), (1, -1.0)]), ([(1, 0.1)], [(1, -0.25)])]
    sparse = [([(0, -0.2)], [(1, 0.3)]), ([(1, 0.1)], [(1, -0.25)])]

    def regressor(name, weights, targets, mode="BRANCH_LEQ", missing=0, **attributes):
        trees = stumps(SPLITS[: len(weights)], weights, "target", mode, missing)
        g.out(name, g.node("TreeEnsembleRegressor", x, domain=ML, n_targets=targets, **trees, **attributes))

    for mode in ("LEQ", "LT", "GTE", "GT", "EQ", "NEQ"):
        for missing in (0, 1):
            regressor(f"{mode}_{missing}", one, 1, f"BRANCH_{mode}", missing)
    for aggregate in ("SUM", "AVERAGE", "MIN", "MAX"):
        for name, weights, targets, base in (("one", one, 1, [0.5]), ("several", several, 2, [0.5, -1.0]), ("sparse", sparse, 2, [0.5, -1.0])):
            regressor(f"{name}_{aggregate}", weights, targets, aggregate_function=aggregate)
            regressor(f"{name}_{aggregate}_base", weights, targets, aggregate_function=aggregate, base_values=base)
    for post in ("LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO"):
        regressor(f"one_{post}", one, 1, post_transform=post)
        regressor(f"several_{post}", several, 2, post_transform=post)
    regressor("twice", [([(0, 1.0), (0, 2.0)], [(0, 3.0), (0, 4.0)])], 1)
    return g


@case
def doubles():
    g = Graph("A graph of doubles: trees compare and add doubles, and give float32.")
    x = g.input("x", "f64", [[0.1, 1.0], [0.10000000149011612, 2.0], [0.1000000015, -1e300], [NAN, 0.5], [1e-300, INF]])
    tensor = numpy_helper.from_array
    trees = stumps([(0, 0.1), (1, 1.0)], [([(0, 0.1)], [(0, -0.2)]), ([(0, 1.5)], [(0, 0.7)])], "target")
    g.out("trees", g.node("TreeEnsembleRegressor", x, domain=ML, n_targets=1, **trees))
    for key in ("nodes_values", "target_weights"):
        trees[f"{key}_as_tensor"] = tensor(np.array(trees.pop(key), np.float64))
    trees["nodes_values_as_tensor"] = tensor(np.array([0.1, 0, 0, 1.0, 0, 0], np.float64))
    g.out("trees_tensor", g.node("TreeEnsembleRegressor", x, domain=ML, n_targets=1, **trees))
    g.out("scaled", g.node("Scaler", x, domain=ML, offset=[0.1, 1.0], scale=[3.0, 0.5]))
    w = g.constant([[1.0, 0.5], [0.1, -1.0]], np.float64)
    g.out("gemm", g.node("Gemm", [x, w, g.constant([0.1, 0.2], np.float64)]))
    g.out("softmax", g.node("Softmax", x))
    g.out("sum", g.node("ReduceSum", [x, g.ints(1)]))
    g.out("narrow", g.node("Cast", x, to=1))
    g.out("mul", g.node("Mul", [x, g.constant([0.1], np.float64)]))
    return g


@case
def constants():
    g = Graph("Known values are computed before any row is seen.")
    x = g.input("x", "f32", [[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0], [-1.0, 0.5, NAN, 2.0]])
    i = g.input("i", "i64", [[0], [2], [-1]])
    half = g.node("Constant", [], value_float=0.5)
    fills = g.node("ConstantOfShape", g.ints(1, 4), value=numpy_helper.from_array(np.array([2.0], np.float32)))
    g.out("plus", g.node("Add", [x, g.node("Mul", [half, fills])]))
    extents = g.node("Concat", [g.node("Constant", [], value_ints=[-1]), g.node("Add", [g.ints(1), g.ints(1)]), g.ints(2)], axis=0)
    g.out("box", g.node("Transpose", g.node("Reshape", [x, extents]), perm=[0, 2, 1]))
    weights = g.node("Transpose", g.node("Cast", g.constant([[1.0, 2.0, 3.0, 4.0]], np.float64), to=1))
    g.out("product", g.node("MatMul", [x, weights]))
    g.out("embedding", g.node("Gather", [g.constant([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), i]))
    g.out("text", g.node("Gather", [g.constant(["a", "b", "c"], object), g.node("Squeeze", [i, g.ints(1)])]))
    return g


@case
def labels():
    g = Graph("Labels by the index of the greatest score, as scikit-learn's classifiers without a classifier operator end.")
    x = g.input("x", "f32", triples(9)[:12] + [[1.0, 1.0, 0.0]])
    index = g.node("ArgMax", x, axis=1)
    label = g.node("ArrayFeatureExtractor", [g.constant(["lo", "mid", "hi"], object), index], domain=ML)
    g.nodes.append(helper.make_node("Reshape", [label, g.ints(-1)], ["label"], "label"))
    g.nodes.append(helper.make_node("Softmax", [x], ["probabilities"], "probabilities"))
    g.outputs = ["label", "probabilities"]
    run = g.run
    g.run = lambda answers: [
        Column({"label": "prediction"}.get(c.name, f"probability_{'lo mid hi'.split()[int(c.name[-1:] if c.name[-1:].isdigit() else 0)]}"), c.type, c.values)
        for c in run(answers)
    ]
    return g


def support_vectors(rng, classes, counts):
    """Vectors, coefficients and intercepts of a classifier of pairs over three features."""
    n, pairs = sum(counts), classes * (classes - 1) // 2
    r = lambda *shape: [float(np.float32(v)) for v in rng.normal(0, 0.7, shape).ravel()]
    return {"support_vectors": r(n, 3), "vectors_per_class": list(counts), "coefficients": r(classes - 1, n), "rho": r(pairs)}


@case
def svm_classifiers():
    g = Graph("Support vector classifiers: kernels, votes, probabilities, transforms; linear ones.")
    x = g.input("x", "f32", triples(11)[:12] + [[0.0, 0.0, 0.0], [1e30, -1e30, 0.0], [NAN, 0.5, 0.25]])
    rng = np.random.RandomState(3)

    def classifier(name, **attributes):
        label, scores = g.node("SVMClassifier", x, 2, domain=ML, **attributes)
        g.out(f"{name}_label", label)
        g.out(name, scores)

    for kernel in ("LINEAR", "POLY", "RBF", "SIGMOID"):
        common = {"kernel_type": kernel, "kernel_params": [0.3, 0.5, 2.0]}
        classifier(f"two_{kernel}", classlabels_ints=[5, 9], **common, **support_vectors(rng, 2, (2, 3)))
        classifier(f"three_{kernel}", classlabels_strings=["a", "b", "c"], **common, **support_vectors(rng, 3, (2, 1, 3)))
    rbf = {"kernel_type": "RBF", "kernel_params": [0.2, 0.0, 0.0]}
    for post in ("LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO"):
        classifier(f"two_{post}", classlabels_ints=[0, 1], post_transform=post, **rbf, **support_vectors(rng, 2, (2, 2)))
        classifier(f"four_{post}", classlabels_ints=[0, 1, 2, 3], post_transform=post, **rbf, **support_vectors(rng, 4, (2, 1, 0, 2)))
    for classes in (2, 3, 4):
        pairs = classes * (classes - 1) // 2
        odds = {"prob_a": [-1.5, -0.7, -2.0, -1.0, -0.3, -3.0][:pairs], "prob_b": [0.1, -0.2, 0.0, 0.3, -0.1, 0.2][:pairs]}
        for post in ("NONE", "SOFTMAX", "PROBIT"):
            classifier(
                f"odds_{classes}_{post}", classlabels_ints=list(range(classes)), post_transform=post, **rbf, **odds,
                **support_vectors(rng, classes, (2,) * classes),
            )
    for classes in (1, 2, 3):
        for sign in ("any", "positive"):
            weights = rng.normal(0, 0.5, 3 * classes).astype(np.float32)
            weights = [float(w) for w in (np.abs(weights) if sign == "positive" else weights)]
            for post in ("NONE", "LOGISTIC", "SOFTMAX"):
                labels = list(range(10, 10 + classes))
                classifier(f"linear_{classes}_{sign}_{post}", classlabels_ints=labels, **rbf, coefficients=weights, rho=[0.1], post_transform=post)
    return g


@case
def svm_regressors():
    g = Graph("Support vector regressors: kernels, one class, linear ones; no transform is applied.")
    x = g.input("x", "f32", triples(12)[:12] + [[0.0, 0.0, 0.0], [1e30, -1e30, 0.0], [NAN, 0.5, 0.25]])
    rng = np.random.RandomState(4)
    r = lambda n: [float(np.float32(v)) for v in rng.normal(0, 0.7, n)]
    for kernel in ("LINEAR", "POLY", "RBF", "SIGMOID"):
        for one_class in (0, 1):
            for supports in (4, 0):
                vectors = {"support_vectors": r(3 * supports), "n_supports": supports} if supports else {}
                g.out(f"{kernel}_{one_class}_{supports}", g.node(
                    "SVMRegressor", x, domain=ML, kernel_type=kernel, kernel_params=[0.3, 0.5, 2.0], coefficients=r(supports or 3),
                    rho=[0.1], one_class=one_class, **vectors,
                ))
    for post in ("LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO", "PROBIT"):
        g.out(f"post_{post}", g.node("SVMRegressor", x, domain=ML, kernel_type="LINEAR", kernel_params=[0.3, 0.5, 2.0], coefficients=r(3), rho=[0.1], post_transform=post))
    return g


def tree_ensemble(dtype, modes, members=None, targets=(0, 1, 0, 1), weights=(0.1, -0.2, 0.3, 0.4), missing=None, **attributes):
    """One tree: node 0 leads to nodes 1 and 2, these to leaves 0 to 3."""
    tensor = lambda values, kind=dtype: numpy_helper.from_array(np.array(values, dtype=kind))
    more = {} if members is None else {"membership_values": tensor(members)}
    more |= {} if missing is None else {"nodes_missing_value_tracks_true": missing}
    return {
        "tree_roots": [0], "nodes_featureids": [0, 1, 0], "nodes_modes": tensor(modes, np.uint8),
        "nodes_splits": tensor([0.5, 1.5, 1e9]), "nodes_truenodeids": [1, 0, 2], "nodes_trueleafs": [0, 1, 1],
        "nodes_falsenodeids": [2, 1, 3], "nodes_falseleafs": [0, 1, 1], "leaf_targetids": list(targets),
        "leaf_weights": tensor(weights), "n_targets": max(targets) + 1, **more, **attributes,
    }


def ensembles(kind, dtype):
    g = Graph(f"Tree ensembles of version 5 over {kind}: tests, sets, missing values, aggregates, transforms.", ml=5)
    values = [0.5, 1.5, 1e9, -2.0, 3.0, 0.1, 7.25, NAN, INF, -INF, 0.0, -0.0]
    x = g.input("x", kind, [[a, values[(i * 5 + 1) % 12]] for i, a in enumerate(values)])
    ensemble = lambda name, *a, **k: g.out(name, g.node("TreeEnsemble", x, domain=ML, **tree_ensemble(dtype, *a, **k)))
    for mode in range(6):
        for missing in (0, 1):
            # onnxruntime takes two tests for equality of one feature together, and then reads integers alone.
            ensemble(f"mode_{mode}_{missing}", [mode, mode, 0 if mode == 4 else mode], missing=[missing] * 3)
    ensemble("member", [6, 0, 0], [0.5, 3.0, 7.25])
    ensemble("members", [6, 6, 0], [0.5, 3.0, 7.25, NAN, 1.5, 0.0], missing=[1, 0, 0])
    ensemble("numbers", [0, 6, 6], [-2.0, NAN, 0.1, 3.0], missing=[0, 1, 1])
    for aggregate in range(4):
        ensemble(f"aggregate_{aggregate}", [0, 0, 0], aggregate_function=aggregate)
        ensemble(f"aggregate_{aggregate}_one", [0, 0, 0], aggregate_function=aggregate, targets=(0, 0, 0, 0))
    for post in range(5):
        for name, more in (("", {}), ("_one", {"targets": (0, 0, 0, 0), "weights": (0.1, 0.2, 0.3, 0.4)})):
            scores = g.node("TreeEnsemble", x, domain=ML, **tree_ensemble(dtype, [0, 0, 0], post_transform=post, **more))
            # Transforms are computed in float32.
            g.out(f"post_{post}{name}", g.node("Cast", scores, to=T.FLOAT))
    return g


@case
def tree_ensembles():
    return ensembles("f32", np.float32)


@case
def tree_ensembles_double():
    return ensembles("f64", np.float64)


@case
def transforms():
    g = Graph("PROBIT, which onnxruntime computes with a few digits, where it is applied.")
    x = g.input("x", "f32", [[v] for v in (0.3, 0.9, 0.5, 1e-6, 0.999999, 0.0, 1.0, 2.0, -1.0, NAN)])
    linear = {"coefficients": [1.0], "intercepts": [0.0], "post_transform": "PROBIT"}
    g.out("one", g.node("LinearRegressor", x, domain=ML, **linear))
    two = {"coefficients": [1.0, 0.5], "intercepts": [0.0, 0.1], "post_transform": "PROBIT"}
    g.out("two", g.node("LinearRegressor", x, domain=ML, targets=2, **two))
    three = {"coefficients": [1.0, 0.5, 0.2], "intercepts": [0.0, 0.1, 0.1], "post_transform": "PROBIT"}
    g.out("classes", g.node("LinearClassifier", x, 2, domain=ML, classlabels_ints=[0, 1, 2], **three)[1])
    tree = stumps([(0, 0.4)], [([(0, 0.2)], [(0, 0.8)])], "target")
    g.out("tree", g.node("TreeEnsembleRegressor", x, domain=ML, n_targets=1, post_transform="PROBIT", **tree))
    return g


@case
def categories():
    g = Graph("Categories by name and by number: of equal keys the last counts.")
    s = g.input("s", "str", [["a"], ["b"], ["c"], ["z"], [""]])
    i = g.input("i", "i64", [[1], [2], [3], [7], [-1]])
    lists = {"cats_int64s": [1, 2, 3, 3], "cats_strings": ["a", "b", "a", "c"]}
    g.out("number", g.node("CategoryMapper", s, domain=ML, default_int64=9, **lists))
    g.out("number_default", g.node("CategoryMapper", s, domain=ML, **lists))
    g.out("name", g.node("CategoryMapper", i, domain=ML, default_string="?", **lists))
    return g


@case
def narrow_integers():
    g = Graph("Integers of 8 and 32 bits keep their last bits, floats of 16 bits are rounded.")
    rows = [[5, 3], [-7, 2], [7, -2], [2147483647, 1], [-2147483648, -1], [123456789, 987654], [255, 256], [-129, 128], [65504, 3]]
    x = g.input("x", "i32", [[a] for a, _ in rows])
    y = g.input("y", "i32", [[b] for _, b in rows])
    for op in ("Add", "Sub", "Mul", "Div"):
        g.out(op.lower(), g.node(op, [x, y]))
    g.out("mod", g.node("Mod", [x, y]))
    g.out("fmod", g.node("Mod", [x, y], fmod=1))
    for name, kind in (("i8", T.INT8), ("u8", T.UINT8), ("i16", T.INT16), ("u16", T.UINT16), ("u32", T.UINT32)):
        g.out(f"to_{name}", g.node("Cast", g.node("Cast", x, to=kind), to=T.INT64))
    half = g.node("Cast", x, to=T.FLOAT16)
    g.out("half", g.node("Cast", half, to=T.FLOAT))
    thirds = g.node("Div", [g.node("Cast", x, to=T.FLOAT), g.constant(3.0)])
    for name, kind in (("half", T.FLOAT16), ("brain", T.BFLOAT16), ("f8", T.FLOAT8E4M3FN), ("f8wide", T.FLOAT8E5M2)):
        g.out(f"third_{name}", g.node("Cast", g.node("Cast", thirds, to=kind), to=T.FLOAT))
    for name in ("And", "Or", "Xor"):
        g.out(f"bits_{name.lower()}", g.node(f"Bitwise{name}", [x, y]))
    return g


@case
def ranks():
    g = Graph("The greatest and the least of a row, elements by computed places, sums along it.")
    x = g.input("x", "f32", triples(13)[:12] + [[1.0, 1.0, 0.0], [-0.0, 0.0, 0.0]])
    i = g.input("i", "i64", [[n % 3, -1 - n % 3] for n in range(14)])
    for largest in (0, 1):
        values, indices = g.node("TopK", [x, g.ints(2)], 2, largest=largest)
        g.out(f"top_{largest}", values)
        g.out(f"place_{largest}", indices)
    g.out("chosen", g.node("GatherElements", [x, i], axis=1))
    g.out("running", g.node("CumSum", [x, g.constant(1, np.int64)]))
    g.out("running_back", g.node("CumSum", [x, g.constant(1, np.int64)], reverse=1, exclusive=1))
    g.out("layer", g.node("LayerNormalization", [x, g.constant([1.0, 2.0, 0.5]), g.constant([0.0, 1.0, -1.0])]))
    square = g.node("Reshape", [g.node("Concat", [x, x, x], axis=1), g.ints(-1, 3, 3)])
    g.out("products", g.node("MatMul", [square, g.node("Unsqueeze", [x, g.ints(2)])]))
    g.out("einsum", g.node("Einsum", [square, x], equation="bij,bj->bi"))
    g.out("hard", g.node("Hardmax", x))
    g.out("erf", g.node("Erf", x))
    g.out("gelu", g.node("Gelu", x))
    return g


@case
def batches():
    g = Graph("A batch of unknown size, taken apart and put together by its shape; an `If` on what is known.")
    x = g.input("x", "f32", [row + row[::-1] for row in triples(14)[:6]])
    shape = g.node("Shape", x)
    batch = g.node("Gather", [shape, g.constant(0, np.int64)], axis=0)
    extents = g.node("Concat", [g.node("Unsqueeze", [batch, g.ints(0)]), g.ints(2, 3)], axis=0)
    box = g.node("Reshape", [x, extents])
    g.out("box", g.node("Transpose", box, perm=[0, 2, 1]))
    g.out("back", g.node("Reshape", [g.node("ReduceMax", [box, g.ints(1)]), g.node("Concat", [g.node("Slice", [shape, g.ints(0), g.ints(1)]), g.ints(-1)], axis=0)]))
    zeros = g.node("ConstantOfShape", extents)
    g.out("expanded", g.node("Add", [zeros, g.node("Expand", [g.constant([[1.0], [2.0]]), extents])]))
    branch = lambda op: helper.make_graph([helper.make_node(op, [x], ["r"])], op, [], [onnx.ValueInfoProto(name="r")])
    known = g.node("Greater", [g.constant(2.0), g.constant(1.0)])
    g.out("chosen", g.node("If", known, then_branch=branch("Neg"), else_branch=branch("Abs")))
    return g


if __name__ == "__main__":
    for name in sys.argv[1:] or CASES:
        CASES[name]().write(name)
