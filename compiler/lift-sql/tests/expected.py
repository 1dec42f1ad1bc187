"""Writes the rows of queries.txt, from DuckDB. Models are macros that say what the tests' models compute."""

import decimal
import pathlib
import re

import duckdb

TYPES = {"i64": "BIGINT", "f64": "DOUBLE", "f32": "FLOAT", "bool": "BOOLEAN", "str": "VARCHAR"}
MODELS = """
CREATE MACRO late_score(d, c) AS coalesce(d::double, 10.0::double) * 0.5::double + CASE WHEN c = 'AA' THEN 1.0::double ELSE 0.0::double END;
CREATE MACRO late_prediction(d, c) AS CASE WHEN late_score(d, c) > 15.0::double AND NOT isnan(late_score(d, c)) THEN 1 ELSE 0 END;
CREATE MACRO late_p1(d, c) AS late_score(d, c) / 100.0::double;
CREATE MACRO late_p0(d, c) AS 1.0::double - late_score(d, c) / 100.0::double;
"""


def literal(text: str, kind: str) -> str:
    if text == "NULL":
        return "NULL"
    return f"'{text}'::{TYPES[kind]}"


def load(connection, lines: list[str]) -> None:
    name = lines[0].split()[1]
    columns = [c.split(":") for c in lines[1].split()]
    spec = ", ".join(f"{n} {TYPES[k]}" for n, k in columns)
    connection.execute(f"CREATE TABLE {name} ({spec})")
    for line in lines[2:]:
        row = ", ".join(literal(t, k) for t, (_, k) in zip(line.split(), columns))
        connection.execute(f"INSERT INTO {name} VALUES ({row})")


def macros(sql: str) -> str:
    sql = re.sub(r"predict_proba\(late, '(.)'\)", r"late_p\1(dep_delay, carrier)", sql)
    sql = re.sub(r"predict_proba\(late, '(.)', ", r"late_p\1(", sql)
    sql = sql.replace("predict(whole, ", "(-1 * ")
    return sql.replace("predict(late)", "late_prediction(dep_delay, carrier)").replace("predict(late, ", "late_prediction(")


def show(value) -> str:
    match value:
        case None:
            return "NULL"
        case bool():
            return str(value).lower()
        case decimal.Decimal():
            return repr(float(value))
        case float():
            return repr(value).replace("nan", "NaN")
    return str(value)


def main() -> None:
    path = pathlib.Path(__file__).with_name("queries.txt")
    connection = duckdb.connect()
    connection.execute(MODELS)
    blocks = path.read_text().split("\n\n")
    out = []
    for block in blocks:
        lines = [l for l in block.strip("\n").split("\n")]
        if lines[0].startswith("table "):
            load(connection, lines)
        if lines[0].startswith("query"):
            head = lines[: lines.index("----") + 1]
            other = [l.removeprefix("duckdb: ") for l in head if l.startswith("duckdb: ")]
            sql = other[0] if other else " ".join(head[1:-1])
            rows = [" | ".join(map(show, row)) for row in connection.execute(macros(sql)).fetchall()]
            lines = head + (rows if "ordered" in lines[0] else sorted(rows))
        out.append("\n".join(lines))
    path.write_text("\n\n".join(out) + "\n")


main()
