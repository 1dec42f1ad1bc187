"""Writes the numbers of the cases: what the pinned libraries answer.

    python oracle.py --cases DIR --python VERSION=PYTHON … [--check] [NAME …]

Runs a worker in each environment. `--check` writes nothing and exits 1 if anything would change.
"""

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import tables
from cases import Case
from lock import Lock, digest

HERE = Path(__file__).parent
NEWEST = "1.9"
VERSIONS = [NEWEST, "1.7", "1.5", "1.2"]
ENDINGS = {"joblib": "joblib", "pickle": "pkl", "skops": "skops"}
BOOSTERS = ("xgboost", "lightgbm", "catboost")
NEIGHBOURS = ("category_encoders", "imblearn", "feature_engine")
PACKAGES = {"xgboost": "xgboost-cpu", "imblearn": "imbalanced-learn"}


def fitted(case: Case) -> bool:
    """Whether a case is one of this script."""
    return case.get("sklearn") is not None


def find(root: Path, names: list[str], wanted=fitted) -> list[Case]:
    """The cases that are `wanted` and whose path contains one of `names`."""
    paths = sorted(root.rglob("*.flk"))
    chosen = [path for path in paths if not names or any(name in path.relative_to(root).as_posix() for name in names)]
    return [case for case in map(Case, chosen) if wanted(case)]


def versions(case: Case) -> list[str]:
    """The case's scikit-learn versions, the newest first."""
    listed = case.settings("options").get("versions")
    return sorted(map(str.strip, listed.split(",")), key=VERSIONS.index) if listed else VERSIONS


def model_path(case: Case, version: str) -> Path:
    """Where the fitted model of that version lies."""
    ending = ENDINGS[case.settings("options").get("format", "joblib")]
    return case.path.parent / "models" / f"{case.path.stem}.sklearn-{version}.{ending}"


def twin_path(case: Case) -> Path | None:
    """Where the ONNX twin lies; None for a case without one."""
    return case.path.parent / "models" / f"{case.path.stem}.onnx" if case.get("onnx") is not None else None


def model_files(case: Case) -> list[Path]:
    """Every model file of a case."""
    files = [model_path(case, version) for version in versions(case)]
    return files + [twin for twin in [twin_path(case)] if twin]


def origin(case: Case, version: str, twin: bool) -> str:
    """The hash of what a model file is made from."""
    options = case.settings("options")
    parts = [case.get("sklearn"), options.get("compress", ""), pins(version, used(case))]
    if twin:
        header = (case.get("data") or "").partition("\n")[0]
        parts += [case.get("onnx"), header]
    return digest("\0".join(parts).encode())


def used(case: Case) -> tuple[str, ...]:
    """The packages beside scikit-learn that the model file of a case depends on."""
    named = [name for name in BOOSTERS + NEIGHBOURS if name in case.get("sklearn")]
    if case.settings("options").get("format") == "skops":
        named.append("skops")
    return tuple(PACKAGES.get(name, name) + "==" for name in named)


def pins(version: str, used: tuple[str, ...]) -> str:
    """The pinned packages that a model file depends on, without comments."""
    kept = ("scikit-learn", "numpy", "scipy", "pandas", "joblib", "skl2onnx", "onnx==") + used
    lines = requirements(version).read_text().splitlines()
    return "\n".join(line for line in lines if line.startswith(kept))


def requirements(version: str) -> Path:
    """The pins of an environment."""
    return HERE / ("requirements.txt" if version == NEWEST else f"requirements-{version}.txt")


def job(case: Case, version: str, lock: Lock) -> dict:
    """What the worker is asked for a case and a version."""
    newest = version == versions(case)[0]
    model, twin = model_path(case, version), twin_path(case) if newest else None
    fit = not lock.is_fresh(model, origin(case, version, False))
    convert = twin is not None and (fit or not lock.is_fresh(twin, origin(case, version, True)))
    return {"case": str(case.path), "version": version, "newest": newest, "model": str(model), "fit": fit,
            "twin": twin and str(twin), "convert": convert}


def ask(python: str, jobs: list[dict]) -> list[dict]:
    """Runs a worker on `jobs`."""
    command = [python, str(HERE / "worker.py")]
    done = subprocess.run(command, input=json.dumps(jobs), stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def place(case: Case, name: str) -> str:
    """The section behind which a new one goes."""
    order = ["options", "sklearn", *BOOSTERS, "graph", "onnx", "data:python", "data", *map(run_section, VERSIONS), "run:onnx"]
    order += [f"run:{booster}" for booster in BOOSTERS]
    return [before for before in order[: order.index(name)] if case.get(before) is not None][-1]


def run_section(version: str) -> str:
    """The section with the answers of that scikit-learn."""
    return f"run:sklearn-{version}"


def go_through(description: str, wanted, answer) -> int:
    """The command line of a script whose cases are those `wanted` and have the sections that `answer(case, lock,
    check)` gives; the exit status."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--cases", type=Path, required=True)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("names", nargs="*")
    arguments, _ = parser.parse_known_args()
    lock, changed, failed = Lock(arguments.cases), [], []
    for case in find(arguments.cases, arguments.names, wanted):
        try:
            names = update(case.path, answer(case, lock, arguments.check), write=not arguments.check)
            changed += [f"{case.path}: {', '.join(names)}"] if names else []
        except Exception as error:
            failed.append(f"{case.path}: {type(error).__name__}: {error}")
    if not arguments.check:
        lock.write()
    for line in changed + failed:
        print(line, file=sys.stderr)
    return 1 if failed or (arguments.check and changed) else 0


def update(path: Path, sections: dict[str, str], write: bool) -> list[str]:
    """Puts sections into a case; returns the names of those that changed.

    A version whose answers are those of the case's newest has no section of its own.
    """
    case, changed = Case(path), []
    newest = run_section(versions(case)[0])
    for name, text in sections.items():
        as_newest = name != newest and name.startswith("run:sklearn-") and redundant(case, newest, text)
        if as_newest and case.get(name) is not None:
            changed.append(name)
            case.drop(name)
        elif not as_newest and not _equal(case.get(name), text, PROCESSORS):
            changed.append(name)
            case.put(name, text, after=place(case, name))
    if changed and write:
        path.write_text(case.text(), encoding="utf-8")
    return changed


def redundant(case: Case, newest: str, text: str) -> bool:
    """Whether the newest version's table stands for this one; where a case asks for the same bits, they must be."""
    if case.settings("options").get("tolerance") == "0":
        return case.get(newest) is not None and case.get(newest).rstrip() == text.rstrip()
    return _equal(case.get(newest), text)


# What a library's own sums of terms that cancel differ by from one processor to the next.
PROCESSORS = 1e-12


def _equal(old: str | None, new: str, absolute: float = 1e-14) -> bool:
    try:
        return old is not None and tables.close(old, new, absolute)
    except (ValueError, KeyError):
        return False


@dataclass
class Report:
    """What a run found: `changed` sections and files, and `failed` cases."""

    changed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def run_version(version: str, python: str, cases: list[Case], lock: Lock, check: bool, report: Report) -> None:
    """Asks one environment for its part of the cases."""
    jobs = [job(case, version, lock) for case in cases if version in versions(case)]
    if check:
        outdated = [entry for entry in jobs if stale(entry)]
        report.changed += [f"{entry['case']}: its model files are not those of its Python" for entry in outdated]
        jobs = [entry for entry in jobs if not stale(entry)]
    by_case = {entry["case"]: entry for entry in jobs}
    for reply in ask(python, jobs) if jobs else []:
        take(reply, by_case[reply["case"]], lock, check, report)


def stale(entry: dict) -> bool:
    """Whether a job has to write model files."""
    return entry["fit"] or entry["convert"]


def take(reply: dict, entry: dict, lock: Lock, check: bool, report: Report) -> None:
    """Writes one answer and notes its files."""
    if "error" in reply:
        report.failed.append(f"{reply['case']} ({entry['version']}): {reply['error']}")
        return
    path = Path(reply["case"])
    changed = update(path, reply["sections"], write=not check)
    if changed:
        report.changed.append(f"{path}: {', '.join(changed)}")
    if not check:
        record(Case(path), entry, lock)


def record(case: Case, entry: dict, lock: Lock) -> None:
    """Notes in the lock what the worker wrote."""
    if entry["fit"]:
        lock.record(Path(entry["model"]), origin(case, entry["version"], False))
    if entry["convert"]:
        lock.record(Path(entry["twin"]), origin(case, entry["version"], True))


def sweep(root: Path, lock: Lock, check: bool, report: Report) -> None:
    """Removes the model files that no case stands for, and writes the lock."""
    import boosters
    import graphs

    kept = [path for case in find(root, []) for path in model_files(case)]
    kept += [path for case in find(root, [], graphs.built) for path in graphs.model_files(case)]
    strays = lock.strays(kept + [path for case in find(root, [], boosters.library) for path in boosters.model_files(case)])
    report.changed += [f"{path}: belongs to no case" for path in strays]
    if not check:
        for path in strays:
            lock.drop(path)
        lock.write()


def main() -> int:
    """Runs the environments one after the other, the newest first: it makes the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=Path, required=True)
    parser.add_argument("--python", action="append", required=True, help="VERSION=PYTHON")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    lock, report = Lock(arguments.cases), Report()
    pythons = dict(entry.split("=", 1) for entry in arguments.python)
    for version in sorted(pythons, key=VERSIONS.index):
        cases = find(arguments.cases, arguments.names)
        run_version(version, pythons[version], cases, lock, arguments.check, report)
    sweep(arguments.cases, lock, arguments.check, report)
    for line in report.changed + report.failed:
        print(line, file=sys.stderr)
    return 1 if report.failed or (arguments.check and report.changed) else 0


if __name__ == "__main__":
    sys.exit(main())
