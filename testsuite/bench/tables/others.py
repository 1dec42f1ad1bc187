"""Threads, one row, and compiling."""

import numpy as np

from .measure import OURS, Line, Ours, Settings, Table, Timed, interleaved
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


def one_row(settings: Settings) -> Table:
    """A batch of one row, called from Rust; peers that generate C code called from Python pay for that."""
    lines = []
    for name in MODELS:
        path, x = batch(name)
        ours = Ours(path, x, ROWS)
        lines += interleaved([Timed(f"{OURS}, {name}", ours.timer(1), 1)], settings.rounds)
        ours.close()
    return Table("one_row", 0, lines=lines, note="called from a loop in Rust")


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
