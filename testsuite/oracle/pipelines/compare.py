"""flockc beside the library: the answers of every engine, and what differs."""

import json
import math
import subprocess
import tempfile
from dataclasses import dataclass
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
# What rounding moves an input by, and what no answer moves by unless it chooses others.
STEP, JUMP = 3e-13, 1e-4
# Whose objects a model is made of.
LIBRARIES = {"sklearn", "imblearn", "category_encoders", "feature_engine"}


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
        return self._run(engine)

    def _run(self, engine: str, *options: str) -> dict[str, list]:
        out = self.path / "out.parquet"
        self._flockc("run", str(self.path / "model.joblib"), "--data", str(self.path / "rows.parquet"), "--engine", engine,
                     "-o", str(out), "--threads", "1", *options)
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

    def _equally_near(self) -> list:
        """Models whose training rows have moved by rounding and are searched one by one: of neighbours that are equally
        near the library takes those that its index meets first, and these take some or others."""
        models = []
        for seed in range(8):
            model, rng = joblib.load(self.path / "model.joblib"), np.random.default_rng(seed)
            found = [part for part in _parts(model) if isinstance(getattr(part, "_fit_X", None), np.ndarray)
                     and "Radius" not in type(part).__name__]
            for part in found:
                # Its distances are roots of differences: as far off as the root of a rounding.
                step = 1e-6 if type(part).__name__ == "KNNImputer" else STEP
                part._fit_X = part._fit_X + step * rng.uniform(-1, 1, part._fit_X.shape) * (1 + np.abs(part._fit_X))
                part._fit_method, part._tree = "brute", None
            if not found:
                break
            models.append(model)
        return models

    def _margins(self, subject: Subject, model, rows, expected: list[Column]) -> dict[str, np.ndarray] | None:
        """Per column how far the answer may be from the library's: what its own moves by when inputs move by a few parts
        in 10^13, or when it meets other neighbours of those that are equally near, and what ours moves by when every
        step that is equal only up to rounding is rounded in another way. None where every comparison is exact, so that
        nothing may move."""
        report = json.loads(self._flockc("inspect", str(self.path / "model.joblib"), "--json"))
        if report["ensembles"] and not report["rounding"]:
            return None
        margins = {c.name: np.zeros(len(c.values)) for c in expected}
        # scikit-learn's distances to itself are as far from 0 as the root of a rounding.
        step = 3e-8 if any(c.name == "KNNImputer" and "weights" in c.params for c in subject.spec.calls()) else STEP
        rng = np.random.default_rng(0)
        for model, by in [(model, step)] * 3 + [(other, 0.0) for other in self._equally_near()]:
            moved = [Column(c.name, c.type, [_nudged(rng, v, by) for v in c.values]) if c.type == "f64" else c for c in subject.rows]
            try:
                answers = scoring.score(model, to_frame(moved, {}, subject.named))
            except Exception:
                continue
            jump = JUMP if by == 0.0 else math.inf
            _widen(margins, {c.name: c.values for c in expected}, {c.name: c.values for c in answers}, jump)
        plain = self._run("reference")
        for seed in range(6):
            _widen(margins, plain, self._run("reference", "--rounding", str(seed)))
        return margins


def _parts(value, seen: set | None = None):
    """Every object that a fitted model is made of."""
    seen = set() if seen is None else seen
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, dict):
        inner = value.values()
    elif isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.dtype == object):
        inner = list(np.ravel(value)) if isinstance(value, np.ndarray) else value
    elif type(value).__module__.split(".")[0] in LIBRARIES and hasattr(value, "__dict__"):
        yield value
        inner = vars(value).values()
    else:
        return
    for part in inner:
        yield from _parts(part, seen)


def _widen(margins: dict[str, np.ndarray], before: dict[str, list], after: dict[str, list], jump: float = math.inf) -> None:
    """Margins that hold from one answer to another; a gap beyond `jump`, of a number's size, is one between choices, of
    which there may be more than were met."""
    for name, margin in margins.items():
        for at, (was, now) in enumerate(zip(before.get(name, ()), after.get(name, ()))):
            both = isinstance(was, float) and isinstance(now, float) and math.isfinite(was) and math.isfinite(now)
            gap = abs(was - now) if both else (0.0 if _same(was, now) else math.inf)
            margin[at] = max(margin[at], gap if not both or gap <= jump * max(1.0, abs(was)) else math.inf)


def _tolerance(name: str) -> float:
    """XGBoost's probabilities are float32."""
    return 1e-6 if name.startswith("XGB") else TOLERANCE


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
