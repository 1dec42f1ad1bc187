"""Tree ensembles: compiled code side by side with its peers, CPU time of a row in one thread.

    python3 -m venv target/bench-venv && target/bench-venv/bin/pip install -r testsuite/oracle/requirements-bench.txt
    cargo build --release -p flockc --example score
    target/bench-venv/bin/python testsuite/bench/native.py [--models lightgbm_100x31,…] [--rows 10000] [--rounds 11]

Models are trained once on generated data with a fixed seed and kept in target/bench. Each scorer takes a batch that is in
memory in the form it likes best: row-major f64 or f32, or columns for compiled code; a scorer is called as its users call it from
Python, compiled code from a loop in Rust. Rounds are interleaved, medians are printed, and ratios to the fastest peer that gives
the library's answers on these rows (to 1e-6 of them). A peer that is not installed is left out, one that fails is named.
"""

import argparse
import importlib.metadata
import os
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "DAAL_NUM_THREADS"):
    os.environ[variable] = "1"
warnings.filterwarnings("ignore")

import joblib
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
SCORE = TARGET / "release" / "examples" / "score"
KEPT = TARGET / "bench"
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
    "lightgbm_100x31": lightgbm(100, 31),
    "lightgbm_500x63": lightgbm(500, 63),
    "xgboost_1000x6": xgboost(1000, 6),
    "forest_100x8": forest(100, 8),
    "forest_100x16": forest(100, 16),
    "tree_8": tree(8),
}


def limit_threads() -> None:
    """What asks the libraries themselves rather than the environment."""
    try:
        import daal4py

        daal4py.daalinit(1)
    except ImportError:
        pass


def onnx_session(proto):
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
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
        compiled.compile(cache=str(path.with_suffix(".lleaves")))
        return lambda x: compiled.predict(x, n_jobs=1), np.float64

    return {
        "lightgbm": lambda: (lambda x: model.predict(x, num_threads=1), np.float64),
        "onnxruntime": onnx,
        "daal4py": oneapi,
        "lleaves": leaves,
        "tl2cgen": lambda: tl2cgen(path, "load_lightgbm_model", np.float64),
        "treelite": lambda: treelite(path, "load_lightgbm_model", np.float64),
    }


def tl2cgen(path: Path, load: str, dtype):
    import tl2cgen as compiler
    import treelite

    if path.stat().st_size > LARGE:
        raise ValueError("left out: gcc takes more than ten minutes for the code of a model of this size")

    model = getattr(treelite.frontend, load)(path) if load != "sklearn" else treelite.sklearn.import_model(joblib.load(path))
    library = path.with_suffix(".tl2cgen.so")
    if not library.exists():
        compiler.export_lib(model, toolchain="gcc", libpath=library, params={"parallel_comp": 32}, nthread=2)
    predictor = compiler.Predictor(library, nthread=1)
    return lambda x: predictor.predict(compiler.DMatrix(x, dtype=np.dtype(dtype).name)).ravel(), dtype


def treelite(path: Path, load: str, dtype):
    import treelite as library

    model = getattr(library.frontend, load)(path) if load != "sklearn" else library.sklearn.import_model(joblib.load(path))
    return lambda x: library.gtil.predict(model, x, nthread=1).ravel(), dtype


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

    return {
        "xgboost": lambda: (model.inplace_predict, np.float32),
        "onnxruntime": onnx,
        "daal4py": oneapi,
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
        "tl2cgen": lambda: tl2cgen(path, "sklearn", np.float32),
        "treelite": lambda: treelite(path, "sklearn", np.float32),
        "ydf": decision_forests,
    }


PEERS = {"lightgbm": lightgbm_peers, "xgboost": xgboost_peers, "forest": sklearn_peers, "tree": sklearn_peers}


class Ours:
    """The process that scores with compiled code; it takes the columns as f64 for LightGBM, as f32 otherwise."""

    def __init__(self, path: Path, x: np.ndarray):
        columns, self.output = path.with_suffix(".columns"), path.with_suffix(".scored")
        np.asfortranarray(x).T.tofile(columns)
        command = [SCORE, path, columns, str(len(x)), self.output]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.compiled, self.outputs, self.what = self.process.stdout.readline().strip().split(" ", 2)
        self.answers = np.fromfile(self.output).reshape(-1, len(x))[0]

    def time(self, batches: int, rows: int) -> float:
        print(batches, 0, rows, file=self.process.stdin, flush=True)
        return float(self.process.stdout.readline())


def time_peer(call, x: np.ndarray, batches: int) -> float:
    started = time.process_time_ns()
    for _ in range(batches):
        call(x)
    return (time.process_time_ns() - started) / (batches * len(x))


def measure(name: str, x: np.ndarray, rows: int, rounds: int, only_ours: bool) -> None:
    path = KEPT / f"{name}.{MODELS[name][1]}"
    singles = not name.startswith("lightgbm")
    x = x.astype(np.float32) if singles else x
    ours = Ours(path, x)
    peers, faults = {}, {}
    reference = None
    for peer, make in PEERS[name.split("_")[0]](path).items():
        if only_ours and reference is not None:
            break
        try:
            call, dtype = make()
            batch = np.ascontiguousarray(x[:rows].astype(dtype))
            answers = np.asarray(call(batch), dtype=np.float64).ravel()
        except Exception as e:  # what a peer cannot do is its own affair, and is printed
            faults[peer] = " ".join(str(e).split())[:120]
            continue
        reference = answers if reference is None else reference
        wrong = int((np.abs(answers - reference) > 1e-6 * np.maximum(1, np.abs(reference))).sum())
        started = time.perf_counter()
        call(batch)
        peers[peer] = (call, batch, wrong, max(1, int(0.05 / (time.perf_counter() - started))))
    different = int((ours.answers[:rows] != reference).sum())
    batches = max(1, int(0.05 / (ours.time(3, rows) * rows / 1e9)))
    times = {peer: [] for peer in ["flock", *peers]}
    for _ in range(rounds):
        times["flock"].append(ours.time(batches, rows))
        for peer, (call, batch, _, repeats) in peers.items():
            times[peer].append(time_peer(call, batch, repeats))
    medians = {peer: statistics.median(t) for peer, t in times.items()}
    exact = {p: medians[p] for p in peers if peers[p][2] == 0}
    fastest = min(exact, key=exact.get)
    print(f"\n## {name}: {medians['flock'] / exact[fastest]:.3f} of {fastest}, {exact[fastest] / medians['flock']:.1f} times as fast")
    print(f"compiled in {ours.compiled} ms; {ours.what}\n\n| scorer | ns a row, median of {rounds} | least | answers that differ |\n|---|---|---|---|")
    for peer, median in sorted(medians.items(), key=lambda item: item[1]):
        wrong = f"{different} (any bit)" if peer == "flock" else peers[peer][2]
        print(f"| {peer} | {median:.1f} | {min(times[peer]):.1f} | {wrong} |")
    for peer, fault in faults.items():
        print(f"\n{peer}: {fault}")
    sys.stdout.flush()


def versions() -> str:
    """Of the peers, and the processor."""
    found = []
    for package in "scikit-learn lightgbm xgboost onnxruntime treelite tl2cgen lleaves scikit-learn-intelex ydf numpy".split():
        try:
            found.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"{package} absent")
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    about = {line.split("\t")[0]: line.split(": ")[-1] for line in lines if ":" in line}
    cpu = f"{about.get('model name')}, family {about.get('cpu family')}, model {about.get('model')}"
    return f"{cpu}, {os.cpu_count()} cores\n{', '.join(found)}"


def main() -> int:
    """Trains what is absent and measures."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--models", default=",".join(MODELS))
    arguments.add_argument("--rows", type=int, default=10_000)
    arguments.add_argument("--rounds", type=int, default=11)
    arguments.add_argument("--only-ours", action="store_true", help="beside the library itself")
    settings = arguments.parse_args()
    KEPT.mkdir(parents=True, exist_ok=True)
    limit_threads()
    x, z = data()
    print(versions())
    for name in settings.models.split(","):
        train, suffix = MODELS[name]
        path = KEPT / f"{name}.{suffix}"
        if not path.exists():
            train(x[:TRAINING], z[:TRAINING], path)
        measure(name, x[TRAINING:], settings.rows, settings.rounds, settings.only_ours)
    return 0


if __name__ == "__main__":
    sys.exit(main())
