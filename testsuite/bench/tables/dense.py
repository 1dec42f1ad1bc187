"""A network of two hidden layers, and one-hot encoding into logistic regression, beside their peers."""

from pathlib import Path

import joblib
import numpy as np

from .flights import FLIGHTS, MODELS as FLIGHT_MODELS, NUMBERS, TEXTS, graph, onnx_inputs
from .measure import KEPT, OURS, Ours, Settings, Table, Timed, clocked, differing, interleaved
from .trees import FEATURES, TRAINING, data, onnx_session

MLP = "mlp_2x64"


def network() -> tuple[Path, Path]:
    """A network on generated data, as scikit-learn saves it (f64) and as ONNX (f32)."""
    saved, graph = KEPT / f"{MLP}.joblib", KEPT / f"{MLP}.onnx"
    if not graph.exists():
        from skl2onnx import convert_sklearn
        from skl2onnx.common.data_types import FloatTensorType
        from sklearn.neural_network import MLPRegressor

        x, z = data()
        x = x[:TRAINING].astype(np.float32).astype(np.float64)
        model = MLPRegressor(hidden_layer_sizes=(64, 64), random_state=1, max_iter=8).fit(x, z[:TRAINING])
        joblib.dump(model, saved)
        graph.write_bytes(convert_sklearn(model, initial_types=[("x", FloatTensorType([None, FEATURES]))]).SerializeToString())
    return saved, graph


def mlp(settings: Settings) -> Table:
    """Single precision beside onnxruntime, double beside scikit-learn; all from one fitted model."""
    saved, graph = network()
    x = data()[0][TRAINING:].astype(np.float32)
    rows = settings.rows
    single, double = Ours(graph, x, len(x)), Ours(saved, x.astype(np.float64), len(x))
    session = onnx_session(graph.read_bytes())
    model = joblib.load(saved)
    batch = np.ascontiguousarray(x[:rows])
    wide = batch.astype(np.float64)
    reference, narrow = model.predict(wide), session(batch)
    scorers = [
        Timed(OURS, single.timer(rows), rows, str(differing(single.answers[0, :rows], narrow, 1e-5))),
        Timed(f"{OURS}, f64", double.timer(rows), rows, str(differing(double.answers[0, :rows], reference, 1e-9))),
        Timed("onnxruntime", clocked(lambda: session(batch), rows), rows, str(differing(narrow, reference, 1e-4))),
        Timed("scikit-learn, f64", clocked(lambda: model.predict(wide), rows), rows),
        Timed("scikit-learn", clocked(lambda: model.predict(batch), rows), rows),
    ]
    lines = interleaved(scorers, settings.rounds)
    for ours in (single, double):
        ours.close()
    return Table(MLP, 1, lines=lines, note="28 features, two hidden layers of 64 with relu; f32 unless it says f64")


def logistic(settings: Settings) -> Table:
    """Seven numbers imputed and scaled, three texts one-hot (121 columns), logistic regression; a batch in memory."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.ipc
    import pyarrow.parquet as pq

    rows = settings.rows
    whole = pq.read_table(FLIGHTS, columns=NUMBERS + TEXTS)
    some = whole.slice(0, 2 * rows).combine_chunks()
    plain, coded = KEPT / "flights_text.arrow", KEPT / "flights_dictionary.arrow"
    dictionary = some
    for name in TEXTS:
        at = dictionary.schema.get_field_index(name)
        dictionary = dictionary.set_column(at, name, dictionary[name].dictionary_encode())
    for path, table in ((plain, some), (coded, dictionary)):
        with pa.ipc.new_file(path, table.schema) as out:
            out.write_table(table)
    saved, tensors = FLIGHT_MODELS / "late_logistic.joblib", graph("late_logistic")
    ours, coded_ours, single = Ours(saved, plain, 2 * rows), Ours(saved, coded, 2 * rows), Ours(tensors, coded, 2 * rows)
    frame = some.slice(0, rows).to_pandas()
    model = joblib.load(saved)
    reference = model.predict_proba(frame)[:, 1]
    inputs = onnx_inputs(frame)
    session = onnx_session(tensors.read_bytes(), dictionary=True)
    found = session(inputs)[1][:, 1]

    def differ(o: Ours, tolerance: float) -> str:
        at = next(i for i, name in enumerate(o.outputs) if name in ("probability_1", "probability_True"))
        return str(differing(np.nan_to_num(o.answers[at, :rows], nan=-1), np.nan_to_num(reference, nan=-1), tolerance))

    scorers = [
        Timed(OURS, coded_ours.timer(rows), rows, differ(coded_ours, 1e-9)),
        Timed(f"{OURS}, text not in a dictionary", ours.timer(rows), rows, differ(ours, 1e-9)),
        Timed(f"{OURS}, the ONNX graph (f32)", single.timer(rows), rows, differ(single, 1e-4)),
        Timed("onnxruntime", clocked(lambda: session(inputs), rows), rows, str(differing(found, reference, 1e-4))),
        Timed("scikit-learn", clocked(lambda: model.predict_proba(frame), rows), rows),
        Timed("reading the columns", clocked(reader(frame), rows), rows, "", False),
    ]
    lines = interleaved(scorers, settings.rounds)
    for o in (ours, coded_ours, single):
        o.close()
    return Table("one_hot_logistic", 5, lines=lines, note=f"flights, {rows} rows; {coded_ours.what}")


def reader(frame) -> "callable":
    """Seven sums of f64 columns and three of codes: the memory that any scorer must read."""
    columns = [np.ascontiguousarray(frame[name].to_numpy(dtype=np.float64)) for name in NUMBERS]
    codes = [frame[name].astype("category").cat.codes.to_numpy(dtype=np.int32) for name in TEXTS]
    return lambda: [c.sum() for c in columns + codes]
