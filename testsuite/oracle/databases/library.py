"""DuckDB with a compiled library: a table goes from DuckDB into the library and back by the Arrow C Data Interface, and
DuckDB selects from what has come back. The statement's first line says which: `library PATH NAME`; in the statement, `scored`
is the table's columns with the outputs beside them."""

import ctypes

import duckdb
import pyarrow as pa

from databases import Result
from databases import duckdb as plain

connect, version, load = plain.connect, plain.version, plain.load


def query(connection, sql: str) -> Result:
    """Scores the only table of the database, and runs the statement."""
    first, statement = sql.split("\n", 1)
    _, path, name = first.split(" ")
    [(table,)] = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    data = connection.table(table).to_arrow_table().combine_chunks()
    outputs = score(path, name, data)
    columns = [*data.columns, *outputs.columns]
    scored = pa.Table.from_arrays(columns, names=[*data.column_names, *outputs.schema.names])
    connection.register("scored", scored)
    cursor = connection.execute(statement)
    return Result([entry[0] for entry in cursor.description], cursor.fetchall())


def score(path: str, name: str, data: pa.Table) -> pa.RecordBatch:
    """The outputs of the library's model for a table."""
    library = ctypes.CDLL(path)
    getattr(library, f"{name}_message").restype = ctypes.c_char_p
    batch = data.to_batches()[0] if data.num_rows else pa.RecordBatch.from_pylist([], schema=data.schema)
    # The interface's structures have nine and ten words.
    array, schema, out, fields = ((ctypes.c_int64 * 10)() for _ in range(4))
    addresses = [ctypes.addressof(memory) for memory in (array, schema, out, fields)]
    batch._export_to_c(addresses[0], addresses[1])
    status = getattr(library, f"{name}_batch")(
        *(ctypes.c_void_p(a) for a in addresses[:2]), 2, *(ctypes.c_void_p(a) for a in addresses[2:])
    )
    # What was exported is ours to release: taking it back does.
    pa.RecordBatch._import_from_c(addresses[0], addresses[1])
    if status:
        raise RuntimeError(getattr(library, f"{name}_message")().decode())
    return pa.RecordBatch._import_from_c(addresses[2], addresses[3])
