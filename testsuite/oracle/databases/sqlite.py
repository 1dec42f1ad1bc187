"""SQLite through Python's own module. It has no NaN: a NaN that is stored becomes NULL, as everywhere in SQLite."""

import sqlite3

from databases import Result, create, quote

TYPES = {"f64": "REAL", "f32": "REAL", "i64": "INTEGER", "bool": "INTEGER", "str": "TEXT"}
ROWS_AT_ONCE = 50_000


def connect() -> sqlite3.Connection:
    """An empty database in memory."""
    return sqlite3.connect(":memory:")


def version(connection: sqlite3.Connection) -> str:
    """The library's version."""
    return connection.execute("SELECT sqlite_version()").fetchone()[0]


def load(connection: sqlite3.Connection, name: str, table) -> None:
    """Makes the table `name`."""
    connection.execute(create(name, table, TYPES))
    marks = ", ".join("?" * table.num_columns)
    for batch in table.to_batches(max_chunksize=ROWS_AT_ONCE):
        rows = zip(*(column.to_pylist() for column in batch.columns))
        connection.executemany(f"INSERT INTO {quote(name)} VALUES ({marks})", rows)
    connection.commit()


def query(connection: sqlite3.Connection, sql: str) -> Result:
    """Executes and fetches everything."""
    cursor = connection.execute(sql)
    return Result([entry[0] for entry in cursor.description or []], cursor.fetchall())
