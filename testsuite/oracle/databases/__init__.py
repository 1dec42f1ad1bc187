"""The databases that the tests ask, one file each.

Each module has `connect()`, `version(connection)`, `load(connection, name, table)` for an Arrow table, and
`query(connection, sql)`, which returns `Result`.
"""

from dataclasses import dataclass


@dataclass
class Result:
    """Column names and rows of Python values."""

    columns: list[str]
    rows: list[tuple]


def quote(name: str) -> str:
    """An identifier as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def kind(arrow_type) -> str:
    """f64, f32, i64, bool or str of an Arrow type; a ValueError for any other."""
    import pyarrow.types as types

    tests = {
        "f64": types.is_float64, "f32": types.is_float32, "i64": types.is_integer, "bool": types.is_boolean,
        "str": lambda one: types.is_string(one) or types.is_large_string(one),
    }
    for name, test in tests.items():
        if test(arrow_type):
            return name
    raise ValueError(f"a column of type {arrow_type} cannot be loaded")


def create(name: str, table, words: dict[str, str], temporary: bool = False) -> str:
    """The CREATE TABLE statement for an Arrow table; `words` are the database's names of the types."""
    columns = ", ".join(f"{quote(field.name)} {words[kind(field.type)]}" for field in table.schema)
    return f"CREATE {'TEMPORARY ' if temporary else ''}TABLE {quote(name)} ({columns})"
