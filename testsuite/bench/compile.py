"""Reading a forest of 100 MB, and compiling a 500-tree forest of depth 8 to SQL: CPU time and memory of the whole command.

    cargo build --release
    target/oracle/venv/bin/python testsuite/bench/compile.py [--runs 9]

The forests are fitted on generated data with a fixed seed and kept in target/bench. Prints the median of the runs, and the
bytes of the file, of the SQL, and of the command's greatest memory as a multiple of the file. `inspect` lifts, verifies and
counts.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import joblib
import numpy as np
from sklearn.ensemble import RandomForestClassifier

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
FLOCKC = TARGET / "release" / "flockc"


def forest(trees: int, depth: int, rows: int) -> Path:
    """The file of a forest over 28 features."""
    path = TARGET / "bench" / f"forest_{trees}x{depth}.joblib"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        random = np.random.default_rng(7)
        x = random.normal(size=(rows, 28))
        y = (x[:, :6].sum(axis=1) + random.normal(size=len(x)) > 0).astype(int)
        joblib.dump(RandomForestClassifier(trees, max_depth=depth, random_state=0, n_jobs=2).fit(x, y), path)
    return path


def measure(command: list) -> tuple[float, int]:
    """CPU seconds and greatest resident bytes of a command.

    A child's own maximum as `wait4` gives it begins with this process's size, so the high-water mark is read while it runs."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peak = 0
    while True:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
            peak = max([peak, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))])
        except OSError:
            pass
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        time.sleep(0.0005)
    if status != 0:
        raise SystemExit(f"{command} failed")
    return usage.ru_utime + usage.ru_stime, peak * 1024


def figures(command: list, runs: int, size: int) -> str:
    """Cells: median and least CPU time, memory as a multiple of the file."""
    measured = [measure(command) for _ in range(runs)]
    cpu = [1e3 * f[0] for f in measured]
    memory = statistics.median(f[1] for f in measured) / size
    return f"{statistics.median(cpu):.0f} | {min(cpu):.0f} | {memory:.2f}"


def main() -> int:
    """Measures reading, then each dialect."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--runs", type=int, default=9)
    runs = arguments.parse_args().runs
    head = f"| what | file MB | CPU ms, median of {runs} | least | memory / file | SQL MB |\n|---|---|---|---|---|---|"
    print(head)
    path = forest(1000, 16, 6_000)
    size = path.stat().st_size
    print(f"| inspect, 1,000 trees of depth 16 | {size / 1e6:.1f} | {figures([FLOCKC, 'inspect', path], runs, size)} | |")
    path = forest(500, 8, 20_000)
    size = path.stat().st_size
    for dialect in ("duckdb", "sqlite", "postgres", "datafusion"):
        out = path.with_suffix(f".{dialect}.sql")
        command = [FLOCKC, "compile", path, "--to", "sql", "--dialect", dialect, "--table", "t", "-o", out]
        cells = figures(command, runs, size)
        print(f"| {dialect}, 500 trees of depth 8 | {size / 1e6:.1f} | {cells} | {out.stat().st_size / 1e6:.1f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
