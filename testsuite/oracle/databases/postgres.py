"""PostgreSQL at the connection string in `FLOCK_POSTGRES`. Tables are temporary: they end with the connection."""

import io
import os

from databases import Result, create, quote

TYPES = {"f64": "double precision", "f32": "real", "i64": "bigint", "bool": "boolean", "str": "text"}


def connect():
    """A connection; a LookupError where `FLOCK_POSTGRES` is not set."""
    import psycopg

    address = os.environ.get("FLOCK_POSTGRES")
    if not address:
        raise LookupError("FLOCK_POSTGRES is not set; `cargo xtask postgres DIR` starts a server and prints it")
    connection = psycopg.connect(address, autocommit=True)
    # Compiling a large statement takes it longer than running it on a few rows.
    connection.execute("SET jit = off")
    connection.adapters.register_loader("float4", _real_loader())
    return connection


def _real_loader():
    """Reads a `real` as the float32 that it is, widened; the text alone would read back as another double."""
    import numpy
    from psycopg.adapt import Loader

    class Real(Loader):
        def load(self, data) -> float:
            return float(numpy.float32(bytes(data).decode()))

    return Real


def version(connection) -> str:
    """The server's version."""
    return connection.execute("SHOW server_version").fetchone()[0]


def load(connection, name: str, table) -> None:
    """Makes the temporary table `name` through COPY; Arrow's CSV writes floats that read back as the same bits."""
    import pyarrow.csv as csv

    connection.execute(create(name, table, TYPES, temporary=True))
    text = io.BytesIO()
    csv.write_csv(table, text, csv.WriteOptions(include_header=False))
    with connection.cursor().copy(f"COPY {quote(name)} FROM STDIN (FORMAT csv)") as copy:
        copy.write(text.getbuffer())


def query(connection, sql: str) -> Result:
    """Executes and fetches everything."""
    cursor = connection.execute(sql)
    rows = cursor.fetchall() if cursor.description else []
    return Result([entry.name for entry in cursor.description or []], rows)
