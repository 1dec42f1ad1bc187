"""Whole pipelines over the flights of 2013, from Parquet to Parquet: commands as their users run them."""

import os
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

from .measure import KEPT, OURS, ROOT, TARGET, Line, Ours, Settings, Table, Timed, clocked, differing, interleaved

FLIGHTS = TARGET / "flights" / "flights.parquet"
MODELS = ROOT / "testsuite" / "data" / "flights"
NUMBERS = ["dep_delay", "distance", "hour", "minute", "month", "day", "sched_dep_time"]
TEXTS = ["carrier", "origin", "dest"]
FLOCKC = TARGET / "release" / "flockc"

SKLEARN = """
import os
import sys, joblib, pandas as pd
model, data, out = sys.argv[1:]
frame = pd.read_parquet(data, columns=%s)
model = joblib.load(model)
probabilities = model.predict_proba(frame)
labels = model.classes_[probabilities.argmax(axis=1)]
pd.DataFrame({"prediction": labels, "probability_1": probabilities[:, 1]}).to_parquet(out)
""" % (NUMBERS + TEXTS)

ONNX = """
import sys
import pyarrow as pa, pyarrow.parquet as pq, onnxruntime as ort
sys.path.insert(0, %r)
from tables.flights import onnx_columns
model, data, out = sys.argv[1:]
table = pq.read_table(data, columns=%s, use_threads=False)
options = ort.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
labels, probabilities = session.run(None, onnx_columns(table))
pq.write_table(pa.table({"prediction": labels, "probability_1": probabilities[:, 1]}), out)
""" % (str(Path(__file__).resolve().parents[1]), NUMBERS + TEXTS)


def onnx_columns(table) -> dict[str, np.ndarray]:
    """The columns of an Arrow table as a graph wants them: numbers [n, 1] as f32 with NaN, texts [n, 1]."""
    numbers = {n: table[n].to_numpy().astype(np.float32).reshape(-1, 1) for n in NUMBERS}
    return numbers | {t: table[t].to_numpy().astype(object).reshape(-1, 1) for t in TEXTS}


def onnx_inputs(frame) -> dict[str, np.ndarray]:
    """The same of a pandas frame."""
    numbers = {n: frame[n].to_numpy(dtype=np.float32).reshape(-1, 1) for n in NUMBERS}
    return numbers | {t: frame[t].to_numpy(dtype=object).reshape(-1, 1) for t in TEXTS}


def command(arguments: list) -> tuple[float, float, int]:
    """Runs a command: CPU and wall seconds, and its largest memory in KiB."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "ARROW_NUM_THREADS": "1"}
    started = time.perf_counter()
    child = subprocess.Popen([str(a) for a in arguments], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    largest = [0]
    watching = threading.Thread(target=watch, args=(child.pid, largest))
    watching.start()
    error = child.stderr.read()
    _, status, used = os.wait4(child.pid, 0)
    wall = time.perf_counter() - started
    watching.join()
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise RuntimeError(error.decode()[-300:])
    return used.ru_utime + used.ru_stime, wall, largest[0]


def watch(pid: int, largest: list[int]) -> None:
    """Notes a process's largest memory until it ends. What `wait4` says of it starts from that of the parent."""
    while True:
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return
        peak = [line for line in status.splitlines() if line.startswith("VmHWM")]
        if not peak:
            return
        largest[0] = int(peak[0].split()[1])
        time.sleep(0.005)


def in_turns(commands: dict[str, list], rounds: int) -> tuple[list[Line], dict[str, int], dict[str, str]]:
    """Commands in turns: milliseconds of CPU and wall time, the largest memory of each, and what failed."""
    found, memory, faults = {name: [] for name in commands}, {}, {}
    for _ in range(rounds):
        for name, arguments in commands.items():
            if name in faults:
                continue
            try:
                cpu, wall, most = command(arguments)
            except RuntimeError as e:
                faults[name] = str(e)
                continue
            found[name].append((cpu * 1e3, wall * 1e3))
            memory[name] = max(most, memory.get(name, 0))
    lines = []
    for name in commands:
        if name not in faults:
            cpu, wall = ([r[i] for r in found[name]] for i in (0, 1))
            lines.append(Line(name, statistics.median(cpu), min(cpu), statistics.median(wall), "", True))
    return sorted(lines, key=lambda line: line.cpu), memory, faults


def graph(name: str) -> Path:
    """A committed graph with probabilities as a tensor: a list of dictionaries would cost onnxruntime most of its time."""
    path = KEPT / f"{name}_tensor.onnx"
    if not path.exists():
        import onnx

        proto = onnx.load(MODELS / f"{name}.onnx")
        for node in [n for n in proto.graph.node if n.op_type == "ZipMap"]:
            proto.graph.node.remove(node)
            at = next(i for i, o in enumerate(proto.graph.output) if o.name == node.output[0])
            tensor = onnx.helper.make_tensor_value_info(node.input[0], onnx.TensorProto.FLOAT, [None, None])
            proto.graph.output[at].CopyFrom(tensor)
        onnx.save(proto, path)
    return path


def whole(settings: Settings) -> list[Table]:
    """The whole command: a process that reads 336,776 flights and a model, and writes label and probability."""
    ours, sklearn, onnx = (KEPT / f"late_{n}.parquet" for n in ("ours", "sklearn", "onnx"))
    run = [FLOCKC, "run", MODELS / "late.joblib", "--data", FLIGHTS, "--engine", "native", "--outputs", "prediction,probability_1"]
    commands = {
        OURS: [*run, "-o", ours, "--threads", "1"],
        f"{OURS}, all cores": [*run, "-o", KEPT / "late_cores.parquet"],
        "pandas, scikit-learn": [sys.executable, "-c", SKLEARN, MODELS / "late.joblib", FLIGHTS, sklearn],
        "pyarrow, onnxruntime": [sys.executable, "-c", ONNX, graph("late"), FLIGHTS, onnx],
    }
    lines, memory, faults = in_turns(commands, max(3, settings.rounds // 2))
    answers(lines, {OURS: ours, "pyarrow, onnxruntime": onnx, f"{OURS}, all cores": KEPT / "late_cores.parquet"}, sklearn)
    note = "imputer, scaler, one-hot, boosting of 100 trees; largest memory in MiB: "
    note += ", ".join(f"{name} {kib // 1024}" for name, kib in memory.items())
    titles = (("pandas, scikit-learn", 10), ("pyarrow, onnxruntime", 5))
    return [Table(f"pipeline, whole command, beside {peer}", asked, "ms", lines, faults, note, beside=peer) for peer, asked in titles]


def answers(lines: list[Line], files: dict[str, Path], reference: Path) -> None:
    """Fills in how many probabilities differ from scikit-learn's by more than f32 says."""
    import pyarrow.parquet as pq

    right = np.nan_to_num(pq.read_table(reference)["probability_1"].to_numpy(), nan=-1)
    for line in lines:
        if line.name in files:
            found = pq.read_table(files[line.name])["probability_1"].to_numpy()
            tolerance = 1e-9 if line.name.startswith(OURS) else 1e-5
            line.differ = str(differing(np.nan_to_num(found.astype(np.float64), nan=-1), right, tolerance))


def alone(settings: Settings) -> list[Table]:
    """Scoring alone: all flights in memory, in the form that each takes."""
    import joblib
    import pyarrow.parquet as pq

    from .trees import onnx_session

    table = pq.read_table(FLIGHTS, columns=NUMBERS + TEXTS)
    rows = table.num_rows
    frame, inputs = table.to_pandas(), onnx_columns(table)
    model = joblib.load(MODELS / "late.joblib")
    session = onnx_session(graph("late").read_bytes(), dictionary=True)
    ours = Ours(MODELS / "late.joblib", FLIGHTS, rows)
    reference = np.nan_to_num(model.predict_proba(frame)[:, 1], nan=-1)
    at = ours.outputs.index("probability_1")
    wrong = differing(np.nan_to_num(ours.answers[at], nan=-1), reference, 1e-9)
    scorers = [
        Timed(OURS, ours.timer(rows), rows, str(wrong)),
        Timed("scikit-learn", clocked(lambda: model.predict_proba(frame), rows), rows),
        Timed("onnxruntime", clocked(lambda: session(inputs), rows), rows, str(differing(session(inputs)[1][:, 1], reference, 1e-5))),
    ]
    lines = interleaved(scorers, max(3, settings.rounds // 3))
    ours.close()
    note = f"{rows} rows in memory, text as Arrow strings; {ours.what}"
    return [Table(f"pipeline, scoring alone, beside {peer}", asked, "ns a row", lines, {}, note, beside=peer) for peer, asked in (("scikit-learn", 10), ("onnxruntime", 5))]


def memory(settings: Settings) -> Table:
    """A file of many row groups and others ten and twenty times as long: the same memory but for the footers, which are held."""
    import pyarrow.parquet as pq

    table = pq.read_table(FLIGHTS)
    lines, note, footers = [], [], []
    for times in (1, 10, 20):
        path = KEPT / f"flights_{times}.parquet"
        if not path.exists():
            with pq.ParquetWriter(path, table.schema) as out:
                for _ in range(times):
                    out.write_table(table, row_group_size=32_768)
        footer = pq.ParquetFile(path).metadata
        footers.append(f"{footer.num_row_groups} groups of {footer.num_columns} columns")
        run = [FLOCKC, "run", MODELS / "late.joblib", "--data", path, "-o", KEPT / "many.parquet", "--engine", "native"]
        for threads in (1, 2):
            runs = [command([*run, "--threads", threads]) for _ in range(3)]
            cpu, wall, most = (statistics.median(r[i] for r in runs) for i in range(3))
            name = f"{OURS}, {times} x {table.num_rows} rows, {threads} threads"
            lines.append(Line(name, cpu * 1e3, min(r[0] for r in runs) * 1e3, wall * 1e3, "", True))
            note.append(f"{times} x, {threads} threads: {most / 1024:.1f} MiB")
    told = f"largest memory: {'; '.join(note)}; the footers are of {', '.join(footers)}"
    return Table("streaming, row groups of 32,768 rows", 0, "ms", lines, {}, told, ours=lines[0].name)
