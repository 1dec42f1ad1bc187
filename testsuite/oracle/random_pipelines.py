"""Random pipelines: random steps, options and data, flockc beside the library on every engine.

    python random_pipelines.py N --flockc PATH --out DIR [--seed S] [--jobs J] [--only CLASS …] [--engines …] [--skip K]

Each pipeline has its own generator (seed, number), so that any one can be made again: `1 --seed S --skip K`. A failure
is made small and written to DIR as a case. Exit 1 where there is one.
"""

import argparse
import collections
import concurrent.futures
import json
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np

from pipelines.compare import Bench
from pipelines.draw import draw
from pipelines.estimators import Known
from pipelines.shrink import case, shrink
from worker import namespace

ENGINES = ["reference", "native", "duckdb", "sqlite"]


class State:
    """What a process keeps between pipelines."""

    known: Known
    bench: Bench
    scope: dict
    arguments: argparse.Namespace


def start(arguments: argparse.Namespace) -> None:
    """Prepares a process."""
    warnings.filterwarnings("ignore")
    done = subprocess.run([arguments.flockc, "inspect", "--classes", "--json"], capture_output=True, text=True, check=True)
    State.known = Known(json.loads(done.stdout)["scikit-learn"])
    State.scope = namespace() | State.known.scope
    State.bench = Bench(arguments.flockc, arguments.engines, State.scope)
    State.arguments = arguments


def one(number: int) -> dict:
    """Draws, compares, and where it differs makes small and writes one pipeline."""
    seed = State.arguments.seed
    subject, model = draw(np.random.default_rng([seed, number]), State.known, State.scope, State.arguments.only)
    names = sorted({call.name for call in subject.spec.calls()})
    try:
        found, refused = State.bench.findings(subject, model)
    except subprocess.TimeoutExpired:
        return {"number": number, "names": names, "refused": {}, "failure": "flockc takes longer than two minutes"}
    answer = {"number": number, "names": names, "refused": refused}
    if found:
        subject, finding = shrink(subject, found[0], State.bench, State.scope)
        path = State.arguments.out / f"{seed}-{number}.flk"
        path.write_text(case(subject, finding, f"seed {seed}, number {number}", State.known.imports), encoding="utf-8")
        answer["failure"] = f"{path}\n    {finding.engine}: {finding.text[:600]}\n    {subject.spec.code()[:400]}"
    return answer


def report(answers: list[dict], seconds: float) -> int:
    """Prints what was found; the number of failures."""
    used = collections.Counter(name for answer in answers for name in answer["names"])
    refused = collections.Counter(
        (engine, _reason(why)) for answer in answers for engine, why in answer["refused"].items()
    )
    failures = [answer["failure"] for answer in answers if "failure" in answer]
    print(f"{len(answers)} pipelines of {len(used)} classes in {seconds:.0f} s: {len(failures)} failures")
    for (engine, why), count in refused.most_common(25):
        print(f"  {count} refused ({engine}): {why}")
    for failure in failures:
        print(failure)
    return len(failures)


def _reason(text: str) -> str:
    """The message of the first fault."""
    lines = [line.strip() for line in text.splitlines() if "×" in line]
    return lines[0].lstrip("× ")[:160] if lines else text[:160]


def main() -> int:
    """Reads the command line and runs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("--flockc", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--skip", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--engines", nargs="*", default=ENGINES)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    numbers = range(arguments.skip, arguments.skip + arguments.count)
    started = time.monotonic()
    with concurrent.futures.ProcessPoolExecutor(arguments.jobs, initializer=start, initargs=(arguments,)) as pool:
        answers = list(pool.map(one, numbers, chunksize=4))
    return 1 if report(answers, time.monotonic() - started) else 0


if __name__ == "__main__":
    sys.exit(main())
