"""What is measured, and how: scorers take turns, and what is said of each is a median."""

import importlib.metadata
import os
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[3]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
KEPT = TARGET / "bench"
OURS = "flock"
BATCH_SECONDS = 0.05


@dataclass
class Settings:
    rows: int
    rounds: int
    only_ours: bool


@dataclass
class Timed:
    """A scorer: called with a number of batches, it says the CPU and the wall nanoseconds of a row."""

    name: str
    run: Callable[[int], tuple[float, float]]
    rows: int
    differ: str = "0"
    exact: bool = True


@dataclass
class Line:
    name: str
    cpu: float
    least: float
    wall: float
    differ: str
    exact: bool


@dataclass
class Table:
    """Scorers of one work, what was asked of the first of them, and what was found."""

    title: str
    asked: float
    unit: str = "ns a row"
    lines: list[Line] = field(default_factory=list)
    faults: dict[str, str] = field(default_factory=dict)
    note: str = ""
    ours: str = OURS
    beside: str | None = None
    by: str = "cpu"

    def ratio(self) -> tuple[float, str] | None:
        """How many times the time of ours the fastest exact peer takes (or the one that it is beside), and which that is."""
        own = next((getattr(line, self.by) for line in self.lines if line.name == self.ours), None)
        peers = [line for line in self.lines if not line.name.startswith(OURS) and line.exact]
        if self.beside:
            peers = [line for line in self.lines if line.name == self.beside]
        if own is None or not peers:
            return None
        fastest = min(peers, key=lambda line: getattr(line, self.by))
        return getattr(fastest, self.by) / own, fastest.name


def clocked(call: Callable[[], object], rows: int) -> Callable[[int], tuple[float, float]]:
    """Times a call in this process."""

    def run(batches: int) -> tuple[float, float]:
        wall, cpu = time.perf_counter_ns(), time.process_time_ns()
        for _ in range(batches):
            call()
        scored = batches * rows
        return (time.process_time_ns() - cpu) / scored, (time.perf_counter_ns() - wall) / scored

    return run


def interleaved(scorers: list[Timed], rounds: int) -> list[Line]:
    """Rounds in which each scorer has its turn; lines from the fastest on."""
    batches = {}
    for s in scorers:
        _, wall = s.run(1)
        batches[s.name] = max(1, int(BATCH_SECONDS * 1e9 / (wall * s.rows)))
    found = {s.name: [] for s in scorers}
    for _ in range(rounds):
        for s in scorers:
            found[s.name].append(s.run(batches[s.name]))
    lines = []
    for s in scorers:
        cpu, wall = ([r[i] for r in found[s.name]] for i in (0, 1))
        lines.append(Line(s.name, statistics.median(cpu), min(cpu), statistics.median(wall), s.differ, s.exact))
    return sorted(lines, key=lambda line: line.cpu)


def differing(answers: np.ndarray, reference: np.ndarray, tolerance: float) -> int:
    """Answers that differ by more than that share of them, or of 1."""
    answers, reference = (np.asarray(a, dtype=np.float64).ravel() for a in (answers, reference))
    return int((np.abs(answers - reference) > tolerance * np.maximum(1, np.abs(reference))).sum())


class Ours:
    """The process that scores with compiled code."""

    codegen = "cranelift"

    def __init__(self, path: Path, data: np.ndarray | Path, rows: int):
        scored, columns = KEPT / f"{path.name}.scored", data
        if isinstance(data, np.ndarray):
            columns = KEPT / f"{path.name}.{data.dtype}.columns"
            np.asfortranarray(data).T.tofile(columns)
        command = [TARGET / "release" / "examples" / "score", path, columns, str(rows), scored, Ours.codegen]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        parts = self.process.stdout.readline().strip().split(" ", 4)
        self.read, self.optimised, self.compiled = (float(p) for p in parts[:3])
        self.outputs, self.what = parts[3].split(","), parts[4]
        self.answers = np.fromfile(scored).reshape(-1, rows)

    def timer(self, rows: int, first: int = 0, threads: int = 1) -> Callable[[int], tuple[float, float]]:
        def run(batches: int) -> tuple[float, float]:
            print(batches, first, rows, threads, file=self.process.stdin, flush=True)
            cpu, wall = self.process.stdout.readline().split()
            return float(cpu), float(wall)

        return run

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


PACKAGES = "scikit-learn lightgbm xgboost onnxruntime treelite tl2cgen lleaves scikit-learn-intelex ydf hummingbird-ml pandas pyarrow numpy"


def versions() -> dict[str, str]:
    """The processor, and the peers."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    about = {line.split("\t")[0]: line.split(": ")[-1] for line in lines if ":" in line}
    vectors = [v for v in ("avx2", "avx512f") if v in about.get("flags", "").split()]
    found = {"processor": f"{about.get('model name')}, family {about.get('cpu family')}, model {about.get('model')}, {os.cpu_count()} cores, {' '.join(vectors)}"}
    for package in PACKAGES.split():
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "absent"
    return found
