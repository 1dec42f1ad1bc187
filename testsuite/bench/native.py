"""Compiled code side by side with its peers: every table, and a report page with a plot for each.

    python3 -m venv target/bench-venv && target/bench-venv/bin/pip install -r testsuite/oracle/requirements-bench.txt
    cargo build --release -p flockc -p flock-runtime --bin flockc --lib --example score && cargo xtask flights
    target/bench-venv/bin/python testsuite/bench/native.py [--tables trees,mlp,…] [--models lightgbm_100x31,…] [--rounds 11]

Models are trained once on generated data with a fixed seed and kept in target/bench, where `report.md` goes too. Each scorer takes a
batch that is in memory in the form it likes best: row-major f64 or f32, or columns for compiled code; a scorer is called as its users
call it from Python, compiled code from a loop in Rust. Rounds are interleaved, medians are printed, CPU time beside wall time, and ratios to
the fastest peer that gives the library's answers on these rows. A peer that is not installed is left out, one that fails is named.
"""

import argparse
import os
import sys
import warnings

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "DAAL_NUM_THREADS"):
    os.environ[variable] = "1"
warnings.filterwarnings("ignore")

from tables import dense, flights, others, report, trees
from tables.measure import KEPT, Ours, Settings, versions


def limit_threads() -> None:
    """What asks the libraries themselves rather than the environment."""
    try:
        import daal4py

        daal4py.daalinit(1)
    except ImportError:
        pass


TABLES = {
    "trees": None,
    "mlp": lambda s: [dense.mlp(s)],
    "logistic": lambda s: [dense.logistic(s)],
    "pipeline": lambda s: flights.whole(s) + flights.alone(s),
    "memory": lambda s: [flights.memory(s)],
    "threads": others.threads,
    "row": others.one_row,
    "compile": lambda s: [others.compiling(s)],
}


def main() -> int:
    """Trains what is absent, measures, writes the page."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--tables", default=",".join(TABLES))
    arguments.add_argument("--models", default=",".join(trees.MODELS), help="of the table of trees")
    arguments.add_argument("--rows", type=int, default=10_000)
    arguments.add_argument("--rounds", type=int, default=11)
    arguments.add_argument("--only-ours", action="store_true", help="trees beside the library itself")
    arguments.add_argument("--codegen", choices=("cranelift", "llvm"), default="cranelift", help="who writes our code; llvm: build with --features llvm")
    given = arguments.parse_args()
    Ours.codegen = given.codegen
    settings = Settings(given.rows, given.rounds, given.only_ours)
    KEPT.mkdir(parents=True, exist_ok=True)
    limit_threads()
    found = versions()
    print("\n".join(f"{name} {version}" for name, version in found.items()))
    tables = []
    for name in given.tables.split(","):
        if name == "trees":
            made = (trees.table(model, settings) for model in given.models.split(","))
        else:
            made = TABLES[name](settings)
        for table in made:
            print("\n" + report.text(table), flush=True)
            tables.append(table)
    print(f"\n{report.write(tables, found, KEPT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
