"""Reading and compiling a 500-tree forest of depth 8 to SQL: CPU time and memory of the whole command.

    cargo build --release
    target/oracle/venv/bin/python testsuite/bench/compile.py [--runs 9]

The forest is fitted on generated data with a fixed seed and kept in target/bench. Prints the median of the runs, and the
bytes of the file, of the SQL, and of the command's greatest memory as a multiple of the file.
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


def forest(path: Path) -> None:
    """500 trees of depth 8 over 28 features."""
    random = np.random.default_rng(7)
    x = random.normal(size=(20_000, 28))
    y = (x[:, :6].sum(axis=1) + random.normal(size=len(x)) > 0).astype(int)
    joblib.dump(RandomForestClassifier(500, max_depth=8, random_state=0, n_jobs=2).fit(x, y), path)


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


def main() -> int:
    """Measures each dialect."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--runs", type=int, default=9)
    runs = arguments.parse_args().runs
    path = TARGET / "bench" / "forest_500x8.joblib"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        forest(path)
    size = path.stat().st_size
    print(f"file {size / 1e6:.2f} MB\n\n| dialect | CPU ms, median of {runs} | least | memory / file | SQL MB |\n|---|---|---|---|---|")
    for dialect in ("duckdb", "sqlite", "postgres", "datafusion"):
        out = path.with_suffix(f".{dialect}.sql")
        command = [FLOCKC, "compile", path, "--to", "sql", "--dialect", dialect, "--table", "t", "-o", out]
        figures = [measure(command) for _ in range(runs)]
        cpu = [1e3 * f[0] for f in figures]
        memory = statistics.median(f[1] for f in figures) / size
        print(f"| {dialect} | {statistics.median(cpu):.0f} | {min(cpu):.0f} | {memory:.2f} | {out.stat().st_size / 1e6:.1f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
