"""Every prediction on all 336,776 flights, on every engine, against scikit-learn's and onnxruntime's.

    cargo build --release --features query && cargo xtask flights --expected
    target/oracle/venv/bin/python testsuite/bench/flights.py [--models late,…] [--engines native,…]

Per model and engine: rows, labels that differ, the greatest relative error of a float, and CPU and wall seconds of the
whole command (for databases, of the statement alone, loading apart). Exits 1 if a label differs, or a float by more than 1e-9
of itself (in float32: by more than 1e-5 of max(1, itself)).
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
FLOCKC = TARGET / "release" / "flockc"
FLIGHTS = TARGET / "flights"
MODELS = ROOT / "testsuite" / "data" / "flights"
RUN = {"reference": "reference", "native": "native", "datafusion": "sql"}
DATABASES = ("duckdb", "sqlite", "postgres")
INPUTS = "id dep_delay distance hour minute month day sched_dep_time carrier origin dest".split()


class Databases:
    """The process that holds the databases."""

    def __init__(self):
        script = ROOT / "testsuite" / "oracle" / "engines.py"
        self.process = subprocess.Popen([sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **request) -> dict:
        print(json.dumps(request), file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())


def run_flockc(model: Path, engine: str, out: Path) -> dict:
    """Scores with flockc itself; seconds are the whole command's."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [FLOCKC, "run", model, "--data", FLIGHTS / "flights.parquet", "--engine", RUN[engine], "--keep", "id", "-o", out]
    done = subprocess.run(command, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        return {"error": done.stderr.strip()}
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"cpu": cpu, "wall": time.perf_counter() - started}


def run_database(databases: Databases, model: Path, engine: str, out: Path) -> dict:
    """Scores with the SQL that flockc writes; seconds are the statement's."""
    command = [FLOCKC, "compile", model, "--to", "sql", "--dialect", engine, "--table", "flights", "--keep", "id"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        return {"error": done.stderr.strip()}
    columns = [{"name": name} for name in INPUTS]
    answer = databases.ask(
        engine=engine, table="flights", parquet=str(FLIGHTS / "flights.parquet"), columns=columns, sql=done.stdout, out=str(out)
    )
    return answer if "error" in answer else {"wall": answer["seconds"], "load": answer["load_seconds"]}


def compare(out: Path, expected: Path, least: float) -> dict:
    """Labels that differ, and the greatest error of the floats relative to max(least, |expected|), by id."""
    found, right = pq.read_table(out), pq.read_table(expected)
    found = found.take(np.argsort(found["id"].to_numpy()))
    right = right.take(np.argsort(right["id"].to_numpy()))
    labels, error, refused = 0, 0.0, 0
    if not np.array_equal(found["id"].to_numpy(), right["id"].to_numpy()):
        return {"rows": found.num_rows, "labels": found.num_rows, "error": np.inf, "refused": 0}
    for name in [n for n in right.column_names if n in found.column_names and n != "id"]:
        f, r = found[name].to_numpy().astype(float), right[name].to_numpy().astype(float)
        refused = max(refused, int(np.isnan(r).sum()))
        if name == "prediction" and np.array_equal(r[~np.isnan(r)], np.round(r[~np.isnan(r)])):
            labels += int((~((f == r) | (np.isnan(f) & np.isnan(r)))).sum())
            continue
        off = np.abs(f - r) / np.maximum(np.abs(r), least)
        off[(f == r) | (np.isnan(f) & np.isnan(r))] = 0
        error = max(error, float(np.nan_to_num(off, nan=np.inf).max()))
    return {"rows": found.num_rows, "labels": labels, "error": error, "refused": refused}


def main() -> int:
    """Runs every model on every engine."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--models", default="late,late_forest,late_logistic,delay_linear")
    arguments.add_argument("--engines", default=",".join([*RUN, *DATABASES]))
    arguments.add_argument("--kinds", default="joblib,onnx")
    options = arguments.parse_args()
    databases, failed = Databases(), False
    print("| model | engine | rows | refused | labels that differ | worst relative error | CPU s | wall s |\n|---|---|---|---|---|---|---|---|")
    for name in options.models.split(","):
        for kind in options.kinds.split(","):
            expected = FLIGHTS / f"expected_{name}{'' if kind == 'joblib' else '_onnx'}.parquet"
            # A float32 answer is rounded relative to the sum that it comes from, not to itself.
            bound, least = (1e-9, 1e-300) if kind == "joblib" else (1e-5, 1.0)
            for engine in options.engines.split(","):
                with tempfile.TemporaryDirectory() as folder:
                    out, model = Path(folder) / "out.parquet", MODELS / f"{name}.{kind}"
                    timed = run_flockc(model, engine, out) if engine in RUN else run_database(databases, model, engine, out)
                    if "error" in timed:
                        print(f"| {model.name} | {engine} | {timed['error'][:200]} |", flush=True)
                        failed = True
                        continue
                    result = compare(out, expected, least)
                failed |= result["labels"] > 0 or result["error"] > bound
                cpu = f"{timed['cpu']:.2f}" if "cpu" in timed else "–"
                print(
                    f"| {model.name} | {engine} | {result['rows']} | {result['refused']} | {result['labels']} "
                    f"| {result['error']:.1e} | {cpu} | {timed['wall']:.2f} |",
                    flush=True,
                )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
