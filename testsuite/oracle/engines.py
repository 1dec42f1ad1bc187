"""Databases for the test runner: a JSON request per line on standard input, a JSON answer per line on standard output.

    {"engine": "duckdb", "probe": true}
    → {"version": "v2.0.0"}

    {"engine": "sqlite", "table": "t", "columns": [{"name": "a", "type": "f64"}], "rows": [[0.1], ["NaN"], [null]],
     "sql": "SELECT …"}
    → {"columns": ["a"], "rows": [[0.1], [null], [null]], "seconds": 0.0001}

Engines: sqlite, duckdb, postgres, and library: DuckDB with a compiled library. Types: f64, f32, i64, bool, str. In place of `rows`, `"parquet": PATH` loads a file,
with `columns` those of its columns; it stays loaded for the next request that asks for the same.
`"setup": [SQL, …]` runs before `sql`. With `"out": PATH` the result goes to a Parquet file and the answer has its
number of `rows`. Floats are JSON numbers that read back as the same bits, or "NaN", "Infinity", "-Infinity";
the rows of a result are in whatever order the database gives them, so ask for an ORDER BY where it matters.
Anything that fails is `{"error": TEXT}`; the next request starts afresh. `seconds` is executing and fetching,
`load_seconds` is loading.
"""

import decimal
import importlib
import json
import math
import sys
import time

import pyarrow as pa
import pyarrow.parquet as pq

NAMES = ("sqlite", "duckdb", "postgres", "library")
ARROW = {"f64": pa.float64(), "f32": pa.float32(), "i64": pa.int64(), "bool": pa.bool_(), "str": pa.string()}
SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class Engine:
    """A database and what is loaded in it."""

    def __init__(self, name: str):
        if name not in NAMES:
            raise ValueError(f"there is no engine `{name}`, only {', '.join(NAMES)}")
        self.module = importlib.import_module(f"databases.{name}")
        self.connection = None
        self.loaded = None

    def probe(self) -> dict:
        """The version, or why there is none."""
        self.close()
        self.connection = self.module.connect()
        return {"version": self.module.version(self.connection)}

    def answer(self, request: dict) -> dict:
        """Loads the request's table unless it is there, and runs its statement."""
        started = time.perf_counter()
        self._load(request)
        loaded = time.perf_counter()
        for statement in request.get("setup", []):
            self.connection.execute(statement)
        ready = time.perf_counter()
        result = self.module.query(self.connection, request["sql"])
        times = {"seconds": time.perf_counter() - ready, "load_seconds": loaded - started}
        return _encode(result, request.get("out")) | times

    def close(self) -> None:
        """Forgets the database."""
        if self.connection is not None:
            self.connection.close()
        self.connection, self.loaded = None, None

    def _load(self, request: dict) -> None:
        key = _key(request)
        if key is not None and key == self.loaded:
            return
        self.close()
        self.connection = self.module.connect()
        if "table" in request:
            self.module.load(self.connection, request["table"], _table(request))
        self.loaded = key


def _key(request: dict) -> str | None:
    """What a loaded file is known by; rows in the request, and what `setup` leaves behind, are never kept."""
    if "parquet" not in request or request.get("setup"):
        return None
    return json.dumps([request["table"], request["parquet"], request.get("columns")])


def _table(request: dict) -> pa.Table:
    """The request's rows as an Arrow table."""
    columns = request.get("columns")
    if "parquet" in request:
        return pq.read_table(request["parquet"], columns=columns and [column["name"] for column in columns])
    arrays = [_array([row[at] for row in request["rows"]], column["type"]) for at, column in enumerate(columns)]
    return pa.Table.from_arrays(arrays, names=[column["name"] for column in columns])


def _array(values: list, kind: str) -> pa.Array:
    if kind in ("f64", "f32"):
        values = [SPECIAL[value] if isinstance(value, str) else value and float(value) for value in values]
    return pa.array(values, type=ARROW[kind], from_pandas=False)


def _encode(result, out: str | None) -> dict:
    """The answer, or with `out` a Parquet file and its number of rows."""
    if out is None:
        return {"columns": result.columns, "rows": [[_plain(value) for value in row] for row in result.rows]}
    arrays = [_column([row[at] for row in result.rows]) for at in range(len(result.columns))]
    pq.write_table(pa.Table.from_arrays(arrays, names=result.columns), out)
    return {"columns": result.columns, "rows": len(result.rows)}


def _column(values: list) -> pa.Array:
    """A column of a result; numbers of several types become doubles."""
    values = [float(value) if isinstance(value, decimal.Decimal) else value for value in values]
    if any(isinstance(value, float) for value in values):
        return pa.array([None if value is None else float(value) for value in values], pa.float64(), from_pandas=False)
    return pa.array(values)


def _plain(value):
    """A value as JSON has it."""
    if isinstance(value, decimal.Decimal):
        value = float(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def handle(request: dict, engines: dict[str, Engine]) -> dict:
    """One answer; an engine that failed is forgotten."""
    name = request.get("engine", "")
    try:
        engine = engines.setdefault(name, Engine(name))
        return engine.probe() if request.get("probe") else engine.answer(request)
    except Exception as error:
        if name in engines:
            engines.pop(name).close()
        return {"error": f"{type(error).__name__}: {error}".strip()}


def main() -> None:
    """Answers until standard input closes."""
    engines: dict[str, Engine] = {}
    for line in sys.stdin:
        if line.strip():
            print(json.dumps(handle(json.loads(line), engines), allow_nan=False, default=str), flush=True)


if __name__ == "__main__":
    main()
