"""DuckDB through its Python package; nothing is installed or fetched at run time."""

import importlib

from databases import Result, create, quote

# This file has the package's name; an absolute import finds the package.
package = importlib.import_module("duckdb")

TYPES = {"f64": "DOUBLE", "f32": "FLOAT", "i64": "BIGINT", "bool": "BOOLEAN", "str": "VARCHAR"}


def connect():
    """An empty database in memory."""
    offline = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    return package.connect(":memory:", config=offline)


def version(connection) -> str:
    """The library's version."""
    return connection.execute("SELECT version()").fetchone()[0]


def load(connection, name: str, table) -> None:
    """Makes the table `name` from Arrow, so that NaN, null and every bit stay."""
    connection.execute(create(name, table, TYPES))
    connection.register("arrow_rows", table)
    connection.execute(f"INSERT INTO {quote(name)} SELECT * FROM arrow_rows")
    connection.unregister("arrow_rows")


def query(connection, sql: str) -> Result:
    """Executes and fetches everything."""
    cursor = connection.execute(sql)
    return Result([entry[0] for entry in cursor.description or []], cursor.fetchall())
