"""Tree ensembles beside their peers, one thread, batches of rows."""

import os
from pathlib import Path

import joblib
import numpy as np

from .measure import KEPT, OURS, Ours, Settings, Table, Timed, clocked, differing, interleaved

FEATURES = 28
TRAINING, ROWS = 60_000, 20_000
LARGE = 50_000_000


def data() -> tuple[np.ndarray, np.ndarray]:
    """Features of several shapes: normal, heavy-tailed, uniform, whole numbers; a target that depends on them."""
    random = np.random.default_rng(11)
    n = TRAINING + ROWS
    x = random.normal(size=(n, FEATURES))
    x[:, 7:14] = np.exp(x[:, 7:14])
    x[:, 14:21] = random.random(size=(n, 7))
    x[:, 21:24] = random.integers(0, 40, size=(n, 3))
    z = x[:, 0] * x[:, 1] + np.sin(3 * x[:, 2]) + np.log(x[:, 7]) * x[:, 14] + 0.05 * x[:, 21] + x[:, 3:7].sum(axis=1) * 0.4
    z += 0.3 * (x[:, 15:20] > 0.5).sum(axis=1) + 0.2 * x[:, 22] / 10 * x[:, 24] + random.normal(size=n) * 0.7
    return np.ascontiguousarray(x), z


def lightgbm(trees: int, leaves: int):
    def train(x, z, path):
        import lightgbm as lgb

        settings = {"objective": "regression", "num_leaves": leaves, "learning_rate": 0.1, "verbose": -1, "num_threads": 2, "seed": 1}
        lgb.train(settings, lgb.Dataset(x, z), trees).save_model(path)

    return train, "txt"


def xgboost(trees: int, depth: int):
    def train(x, z, path):
        import xgboost as xgb

        settings = {"max_depth": depth, "eta": 0.1, "tree_method": "hist", "nthread": 2, "seed": 1}
        xgb.train(settings, xgb.DMatrix(x, z), trees).save_model(path)

    return train, "json"


def forest(trees: int, depth: int):
    def train(x, z, path):
        from sklearn.ensemble import RandomForestRegressor

        joblib.dump(RandomForestRegressor(trees, max_depth=depth, random_state=1, n_jobs=2, max_features=0.4).fit(x, z), path)

    return train, "joblib"


def tree(depth: int):
    def train(x, z, path):
        from sklearn.tree import DecisionTreeRegressor

        joblib.dump(DecisionTreeRegressor(max_depth=depth, random_state=1).fit(x, z), path)

    return train, "joblib"


MODELS = {
    "lightgbm_100x31": (*lightgbm(100, 31), 5),
    "lightgbm_500x63": (*lightgbm(500, 63), 10),
    "xgboost_1000x6": (*xgboost(1000, 6), 5),
    "forest_100x8": (*forest(100, 8), 10),
    "forest_100x16": (*forest(100, 16), 3),
    "tree_8": (*tree(8), 5),
}
COMPILED = {"lightgbm_1000x63": lightgbm(1000, 63)}


def trained(name: str, x: np.ndarray, z: np.ndarray) -> Path:
    """The model's file; trains it where it is not there."""
    train, suffix, *_ = {**MODELS, **COMPILED}[name]
    path = KEPT / f"{name}.{suffix}"
    if not path.exists():
        train(x[:TRAINING], z[:TRAINING], path)
    return path


def onnx_session(proto, dictionary: bool = False):
    """Calls a graph, in one thread: with its one input for its first output, or with a dictionary for all."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    content = proto if isinstance(proto, bytes) else proto.SerializeToString()
    session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    if dictionary:
        return lambda inputs: session.run(None, inputs)
    name = session.get_inputs()[0].name
    return lambda x: session.run(None, {name: x})[0].ravel()


def lightgbm_peers(path: Path) -> dict:
    import lightgbm as lgb

    model = lgb.Booster(model_file=path)

    def onnx():
        from onnxmltools import convert_lightgbm
        from onnxmltools.convert.common.data_types import FloatTensorType

        run = onnx_session(convert_lightgbm(model, initial_types=[("x", FloatTensorType([None, FEATURES]))], zipmap=False))
        return run, np.float32

    def oneapi():
        import daal4py

        converted = daal4py.mb.convert_model(model)
        return lambda x: np.asarray(converted.predict(x)).ravel(), np.float64

    def leaves():
        import lleaves

        compiled = lleaves.Model(model_file=str(path))
        compiling("lleaves", path, path.with_suffix(".lleaves"), lambda to: compiled.compile(cache=str(to)))
        return lambda x: compiled.predict(x, n_jobs=1), np.float64

    return {
        "lightgbm": lambda: (lambda x: model.predict(x, num_threads=1), np.float64),
        "onnxruntime": onnx,
        "daal4py": oneapi,
        "lleaves": leaves,
        "hummingbird": lambda: hummingbird(model, np.float64),
        "tl2cgen": lambda: tl2cgen(path, "load_lightgbm_model", np.float64),
        "treelite": lambda: treelite(path, "load_lightgbm_model", np.float64),
    }


def compiling(peer: str, model: Path, to: Path, compile) -> None:
    """Compiles; what it took the first time, children included, is kept beside the result."""
    took = model.with_suffix(f".{peer}.seconds")
    if to.exists():
        compile(to) if peer == "lleaves" else None
        return
    before = sum(os.times()[:4])
    compile(to)
    took.write_text(f"{sum(os.times()[:4]) - before:.1f}")


def tl2cgen(path: Path, load: str, dtype):
    import tl2cgen as compiler
    import treelite

    if path.stat().st_size > LARGE:
        raise ValueError("left out: gcc takes more than ten minutes for the code of a model of this size")

    model = getattr(treelite.frontend, load)(path) if load != "sklearn" else treelite.sklearn.import_model(joblib.load(path))
    library = path.with_suffix(".tl2cgen.so")
    export = lambda to: compiler.export_lib(model, toolchain="gcc", libpath=to, params={"parallel_comp": 32}, nthread=2)
    compiling("tl2cgen", path, library, export)
    predictor = compiler.Predictor(library, nthread=1)
    return lambda x: predictor.predict(compiler.DMatrix(x, dtype=np.dtype(dtype).name)).ravel(), dtype


def treelite(path: Path, load: str, dtype):
    import treelite as library

    model = getattr(library.frontend, load)(path) if load != "sklearn" else library.sklearn.import_model(joblib.load(path))
    return lambda x: library.gtil.predict(model, x, nthread=1).ravel(), dtype


def hummingbird(model, dtype):
    """The model as tensors, run by PyTorch in one thread."""
    import torch
    from hummingbird.ml import convert

    torch.set_num_threads(1)
    converted = convert(model, "torch", np.zeros((2, FEATURES), dtype), extra_config={"n_threads": 1})
    return lambda x: np.asarray(converted.predict(x)).ravel(), dtype


def xgboost_peers(path: Path) -> dict:
    import xgboost as xgb

    model = xgb.Booster({"nthread": 1}, model_file=path)

    def onnx():
        from onnxmltools import convert_xgboost
        from onnxmltools.convert.common.data_types import FloatTensorType

        return onnx_session(convert_xgboost(model, initial_types=[("x", FloatTensorType([None, FEATURES]))])), np.float32

    def oneapi():
        import daal4py

        converted = daal4py.mb.convert_model(model)
        return lambda x: np.asarray(converted.predict(x)).ravel(), np.float32

    def tensors():
        estimator = xgb.XGBRegressor()
        estimator.load_model(path)
        return hummingbird(estimator, np.float32)

    return {
        "xgboost": lambda: (model.inplace_predict, np.float32),
        "onnxruntime": onnx,
        "daal4py": oneapi,
        "hummingbird": tensors,
        "tl2cgen": lambda: tl2cgen(path, "load_xgboost_model", np.float32),
        "treelite": lambda: treelite(path, "load_xgboost_model", np.float32),
    }


def sklearn_peers(path: Path) -> dict:
    model = joblib.load(path).set_params()
    if hasattr(model, "n_jobs"):
        model.n_jobs = 1

    def onnx():
        from skl2onnx import convert_sklearn
        from skl2onnx.common.data_types import FloatTensorType

        return onnx_session(convert_sklearn(model, initial_types=[("x", FloatTensorType([None, FEATURES]))])), np.float32

    def decision_forests():
        import ydf

        converted = ydf.from_sklearn(model)
        return lambda x: converted.predict({"features": x}), np.float32

    return {
        "scikit-learn": lambda: (model.predict, np.float32),
        "onnxruntime": onnx,
        "hummingbird": lambda: hummingbird(model, np.float32),
        "tl2cgen": lambda: tl2cgen(path, "sklearn", np.float32),
        "treelite": lambda: treelite(path, "sklearn", np.float32),
        "ydf": decision_forests,
    }


PEERS = {"lightgbm": lightgbm_peers, "xgboost": xgboost_peers, "forest": sklearn_peers, "tree": sklearn_peers}


def table(name: str, settings: Settings) -> Table:
    """One ensemble. An answer of ours differs if any bit does, a peer's by more than 1e-6 of it."""
    x, z = data()
    path = trained(name, x, z)
    x = x[TRAINING:] if name.startswith("lightgbm") else x[TRAINING:].astype(np.float32)
    ours = Ours(path, x, len(x))
    rows = settings.rows
    scorers, faults, reference = [], {}, None
    for peer, make in PEERS[name.split("_")[0]](path).items():
        if settings.only_ours and reference is not None:
            break
        try:
            call, dtype = make()
            batch = np.ascontiguousarray(x[:rows].astype(dtype))
            answers = np.asarray(call(batch), dtype=np.float64).ravel()
        except Exception as e:  # what a peer cannot do is its own affair, and is printed
            faults[peer] = " ".join(str(e).split())[:120]
            continue
        reference = answers if reference is None else reference
        wrong = differing(answers, reference, 1e-6)
        timer = clocked(lambda call=call, batch=batch: call(batch), rows)
        scorers.append(Timed(peer, timer, rows, str(wrong), wrong == 0))
    different = int((ours.answers[0, :rows] != reference).sum())
    scorers.insert(0, Timed(OURS, ours.timer(rows), rows, f"{different} (any bit)", different == 0))
    lines = interleaved(scorers, settings.rounds)
    ours.close()
    return Table(name, MODELS[name][2], lines=lines, faults=faults, note=f"{ours.compiled:.0f} ms of CPU to compile; {ours.what}")
