"""flockc beside the library: the answers of every engine, and what differs."""

import json
import math
import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import joblib
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import scoring
from databases import duckdb, sqlite
from frames import to_frame
from pipelines.draw import Subject
from tables import Column

ARROW = {"f64": pa.float64(), "i64": pa.int64(), "bool": pa.bool_(), "str": pa.string()}
DATABASES = {"duckdb": duckdb, "sqlite": sqlite}
# What a lift may say of a file that the library wrote: that it does not know a class, or cannot be exact.
REFUSALS = ("flock::lift::unsupported", "flock::lift::unknown_class", "flock::emit::unsupported", "flock::outputs::collision")
TOLERANCE = 1e-9
ROW = "row number"
# Classes that choose neighbours, beside those that are named for it.
NEAR = {"KNNImputer", "LabelPropagation", "LabelSpreading", "LocalOutlierFactor"}


@dataclass
class Finding:
    """A difference: on which engine, of which kind, in words; `rows` are those that differ."""

    engine: str
    kind: str
    text: str
    rows: list[int]


class Refused(Exception):
    """flockc refuses by name."""


class Wrong(Exception):
    """flockc fails in a way that it should not."""


class Bench:
    """A folder for one process, and the connections to its databases."""

    def __init__(self, flockc: Path, engines: list[str], scope: dict):
        self.flockc, self.engines, self.scope = flockc, engines, scope
        self.folder = tempfile.TemporaryDirectory(prefix="flock-random-")
        self.path = Path(self.folder.name)

    def findings(self, subject: Subject, model) -> tuple[list[Finding], dict[str, str]]:
        """What differs, and which engine refuses why."""
        rows = to_frame(subject.rows, {}, subject.named)
        try:
            expected = scoring.score(model, rows)
        except (ValueError, NameError, AttributeError):
            return [], {}
        joblib.dump(model, self.path / "model.joblib")
        table = pa.table({c.name: pa.array(c.values, ARROW[c.type], from_pandas=False) for c in subject.rows}
                         | {ROW: pa.array(range(len(subject.rows[0].values)), pa.int64())})
        pq.write_table(table, self.path / "rows.parquet")
        found, refused, margins = [], {}, None
        for engine in self.engines:
            try:
                answer = self._answer(engine, table)
            except Refused as why:
                refused[engine] = str(why)
                if engine == "reference":
                    break
                continue
            except Wrong as why:
                found.append(Finding(engine, str(why).splitlines()[0][:200] if str(why) else "failure", str(why), []))
                continue
            if margins is None:
                margins = self._margins(subject, model, rows, expected)
            tolerance = max((_tolerance(call.name) for call in subject.spec.calls()), default=TOLERANCE)
            found += _differences(engine, answer, expected, margins, tolerance)
        return found, refused

    def _answer(self, engine: str, table: pa.Table) -> dict[str, list]:
        model = str(self.path / "model.joblib")
        if engine in DATABASES:
            sql = self._flockc("compile", model, "--to", "sql", "--dialect", engine, "--table", "data", "--keep", ROW)
            connection = DATABASES[engine].connect()
            try:
                DATABASES[engine].load(connection, "data", table)
                result = DATABASES[engine].query(connection, sql)
            except Exception as error:
                raise Wrong(f"{type(error).__name__}: {error}\n{sql[:3000]}") from error
            finally:
                connection.close()
            at = result.columns.index(ROW)
            ordered = sorted(result.rows, key=lambda row: row[at])
            return {name: [row[i] for row in ordered] for i, name in enumerate(result.columns) if i != at}
        out = self.path / "out.parquet"
        self._flockc("run", model, "--data", str(self.path / "rows.parquet"), "--engine", engine, "-o", str(out),
                     "--threads", "1")
        answer = pq.read_table(out)
        return {name: answer.column(name).to_pylist() for name in answer.column_names}

    def _flockc(self, *arguments: str) -> str:
        done = subprocess.run([self.flockc, *arguments], capture_output=True, text=True, timeout=120,
                              env={"NO_COLOR": "1"}, check=False)
        if done.returncode == 0:
            return done.stdout
        codes = [line.strip() for line in done.stderr.splitlines() if line.strip().startswith("flock::")]
        if done.returncode == 1 and codes and all(code.startswith(REFUSALS) for code in codes):
            raise Refused(done.stderr.strip())
        raise Wrong(f"{codes[0] if codes else f'exit {done.returncode}'}\n{done.stderr.strip()}")

    def _reordered(self, subject: Subject) -> list:
        """Where neighbours are chosen, the model as it is fitted on the rows in other orders: of neighbours that are
        equally near the library takes some or others."""
        if not any("Neighbors" in c.name or c.name in NEAR for c in subject.spec.calls()):
            return []
        models, rng = [], np.random.default_rng(0)
        for _ in range(6):
            order = rng.permutation(len(subject.train[0].values))
            train = [Column(c.name, c.type, [c.values[at] for at in order]) for c in subject.train]
            target = subject.target and [subject.target[at] for at in order]
            try:
                models.append(replace(subject, train=train, target=target).fit(self.scope))
            except Exception:
                continue
        return models

    def _margins(self, subject: Subject, model, rows, expected: list[Column]) -> dict[str, np.ndarray] | None:
        """Per column how far the library's own answer moves when inputs move by a few parts in 10^13; None where
        every comparison is exact, so that nothing may move."""
        report = json.loads(self._flockc("inspect", str(self.path / "model.joblib"), "--json"))
        if report["ensembles"] and not report["rounding"]:
            return None
        margins = {c.name: np.zeros(len(c.values)) for c in expected}
        # scikit-learn's distances to itself are as far from 0 as the root of a rounding.
        step = 3e-8 if any(c.name == "KNNImputer" and "weights" in c.params for c in subject.spec.calls()) else 3e-13
        rng = np.random.default_rng(0)
        asked = [(model, step)] * 3 + [(other, by) for other in self._reordered(subject) for by in (0.0, step)]
        for model, step in asked:
            moved = [Column(c.name, c.type, [_nudged(rng, v, step) for v in c.values]) if c.type == "f64" else c for c in subject.rows]
            try:
                answers = {c.name: c for c in scoring.score(model, to_frame(moved, {}, subject.named))}
            except Exception:
                continue
            for column in expected:
                for at, (was, now) in enumerate(zip(column.values, answers[column.name].values)):
                    both = isinstance(was, float) and isinstance(now, float) and math.isfinite(was) and math.isfinite(now)
                    gap = abs(was - now) if both else (0.0 if _same(was, now) else math.inf)
                    margins[column.name][at] = max(margins[column.name][at], gap)
        return margins


def _tolerance(name: str) -> float:
    """XGBoost's probabilities are float32; a kernel's sum has great terms of either sign, which moving a row does not show."""
    return 1e-6 if name.startswith("XGB") or name == "KernelRidge" else TOLERANCE


def _nudged(rng, value, step: float):
    return value if value is None or not math.isfinite(value) else value * (1 + step * rng.uniform(-1, 1))


def _same(one, other) -> bool:
    return one == other or (isinstance(one, float) and isinstance(other, float) and math.isnan(one) and math.isnan(other))


def _differences(engine: str, answer: dict[str, list], expected: list[Column], margins, tolerance: float) -> list[Finding]:
    wanted = {column.name: column for column in expected}
    if set(answer) != set(wanted):
        return [Finding(engine, "columns", f"{list(answer)}, expected {list(wanted)}", [])]
    found = []
    for name, column in wanted.items():
        rows, words = [], ""
        for at, (got, want) in enumerate(zip(answer[name], column.values)):
            margin = 0.0 if margins is None else margins[name][at]
            if not _equal(got, want, margin, tolerance):
                rows.append(at)
                words = words or f"row {at} {name}: {got!r}, expected {want!r}"
        if rows:
            kind = "prediction" if name.startswith("prediction") else name.split("_")[0]
            found.append(Finding(engine, f"differs: {kind}", words, rows))
    return found


def _equal(got, want, margin: float, tolerance: float) -> bool:
    if isinstance(want, float) and math.isnan(want):
        return got is None or (isinstance(got, float) and math.isnan(got))
    if got is None or want is None:
        return got is want or margin == math.inf
    if isinstance(want, bool) or isinstance(want, str):
        return got == want or margin > 0
    got, want = float(got), float(want)
    if got == want or not math.isfinite(want):
        return got == want or margin == math.inf
    return abs(got - want) <= tolerance * max(1.0, abs(want)) + margin
