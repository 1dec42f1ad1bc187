"""Threads, one row, and compiling."""

import subprocess
from pathlib import Path

import numpy as np

from .measure import KEPT, OURS, TARGET, Line, Ours, Settings, Table, Timed, interleaved
from .trees import COMPILED, MODELS, ROWS, TRAINING, data, trained

THREADS = 2


def batch(name: str) -> tuple:
    x, z = data()
    path = trained(name, x, z)
    return path, x[TRAINING:] if name.startswith("lightgbm") else x[TRAINING:].astype(np.float32)


def threads(settings: Settings) -> list[Table]:
    """Wall time of a row with two threads beside one."""
    tables = []
    for name in ("lightgbm_100x31", "lightgbm_500x63", "forest_100x16"):
        ours = Ours(*batch(name), ROWS)
        one, all_cores = f"{OURS}, 1 thread", f"{OURS}, {THREADS} threads"
        scorers = [
            Timed(all_cores, ours.timer(settings.rows, threads=THREADS), settings.rows),
            Timed(one, ours.timer(settings.rows), settings.rows),
        ]
        lines = interleaved(scorers, settings.rounds)
        ours.close()
        tables.append(Table(f"threads, {name}", 1.8, lines=lines, ours=all_cores, beside=one, by="wall"))
    return tables


FEW_ROWS = 1000
FROM_C = f"{OURS}, from C"


def from_c(path: Path, x: np.ndarray) -> list[Timed]:
    """Shared libraries of an ensemble, called from one loop in C: ours, and what the peers' table left behind."""
    program, rows, library = KEPT / "one_row", KEPT / "one_row.data", KEPT / f"{path.stem}.so"
    subprocess.run(["cc", "-O2", "-o", program, Path(__file__).with_name("one_row.c"), "-ldl"], check=True)
    np.ascontiguousarray(x[:FEW_ROWS], dtype=np.float64).tofile(rows)
    flockc = TARGET / "release" / "flockc"
    subprocess.run([flockc, "compile", path, "--to", "sharedlib", "-o", library], check=True, capture_output=True)
    compiled, linked = path.with_suffix(".lleaves"), path.with_suffix(".lleaves.so")
    if compiled.exists():
        subprocess.run(["cc", "-shared", "-o", linked, compiled], check=True)
    libraries = {OURS: library, "lleaves": linked, "tl2cgen": path.with_suffix(".tl2cgen.so")}
    libraries = {who: library for who, library in libraries.items() if library.exists()}

    def called(who: str, rounds: int) -> list[float]:
        command = [program, libraries[who], who, rows, str(x.shape[1]), str(FEW_ROWS), str(rounds)]
        found = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return [float(n) for n in found.split()]

    def timer(who: str):
        def run(batches: int) -> tuple[float, float]:
            cpu, wall, _ = called(who, max(1, batches // FEW_ROWS))
            return cpu, wall

        return run

    mean = called(OURS, 1)[2]
    # A library may sum in single precision.
    differ = {who: "" if abs(called(who, 1)[2] - mean) <= 1e-5 * abs(mean) else "mean" for who in libraries}
    return [Timed(f"{who}, from C", timer(who), 1, differ[who], not differ[who]) for who in libraries]


def one_row(settings: Settings) -> list[Table]:
    """A batch of one row: ours and peers called from C; ours from Rust as well."""
    tables = []
    for name in MODELS:
        path, x = batch(name)
        ours = Ours(path, x, ROWS)
        lines = interleaved([*from_c(path, x), Timed(f"{OURS}, from Rust", ours.timer(1), 1)], settings.rounds)
        tables.append(Table(f"one row, {name}", 1, lines=lines, ours=FROM_C))
        ours.close()
    return tables


def compiling(settings: Settings) -> Table:
    """From a file to code: CPU milliseconds of reading and lifting, optimising, packing and emitting."""
    lines = []
    for name in [*COMPILED, *MODELS]:
        path, x = batch(name)
        found = []
        for _ in range(3):
            ours = Ours(path, x[:64], 64)
            found.append((ours.read, ours.optimised, ours.compiled))
            ours.close()
        for what, times in zip(("read", "optimise", "compile"), zip(*found)):
            lines.append(Line(f"{OURS}, {name}: {what}", sorted(times)[1], min(times), 0.0, "", True))
        total = sorted(map(sum, found))
        lines.append(Line(f"{OURS}, {name}: all", total[1], total[0], 0.0, "", True))
        for peer in ("lleaves", "tl2cgen"):
            took = path.with_suffix(f".{peer}.seconds")
            if took.exists():
                ms = float(took.read_text()) * 1e3
                lines.append(Line(f"{peer}, {name}", ms, ms, 0.0, "", True))
    note = "asked: 1,000 trees of 63 leaves ready to score in 100 ms; peers' time is that of their first run"
    return Table("compiling", 0, "ms", lines, {}, note)
