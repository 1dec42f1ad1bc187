"""The tables of `.flk` cases: CSV with typed headers that keeps null, NaN and every bit of a float.

The format is described in `testsuite/cases/README.md`. A table here is a list of `Column`.
"""

import math
from dataclasses import dataclass, field

TYPES = ("f64", "f32", "i64", "bool", "str")


@dataclass
class Column:
    """A named column: `type` is one of TYPES, a value is a Python scalar or None for null."""

    name: str
    type: str
    values: list = field(default_factory=list)


def parse(text: str) -> list[Column]:
    """Reads a table; a ValueError names the line that is wrong."""
    lines = [line for line in text.splitlines() if line]
    columns = [_parse_header(cell) for cell, _ in _split(lines[0])]
    for number, line in enumerate(lines[1:], start=1):
        cells = _split(line)
        if len(cells) != len(columns):
            raise ValueError(f"row {number} has {len(cells)} cells, the header {len(columns)}: {line}")
        for column, (cell, quoted) in zip(columns, cells):
            column.values.append(_parse_cell(cell, quoted, column.type))
    return columns


def write(columns: list[Column]) -> str:
    """The text of a table, a line end behind every row."""
    lines = [",".join(_quote(f"{column.name}:{column.type}") for column in columns)]
    for row in zip(*(column.values for column in columns)):
        lines.append(",".join(_format_cell(value, column.type) for value, column in zip(row, columns)))
    return "\n".join(lines) + "\n"


def close(one: str, other: str, absolute: float = 1e-14) -> bool:
    """Whether two tables are equal up to the last bits of their floats; a double may differ by `absolute` too."""
    if one == other:
        return True
    left, right = parse(one), parse(other)
    if [(c.name, c.type, len(c.values)) for c in left] != [(c.name, c.type, len(c.values)) for c in right]:
        return False
    return all(
        _same(a, b, column.type, absolute) for column, twin in zip(left, right) for a, b in zip(column.values, twin.values)
    )


def _same(a, b, kind: str, absolute: float) -> bool:
    if a is None or b is None or kind not in ("f64", "f32"):
        return a == b
    if math.isnan(a) or math.isnan(b) or math.isinf(a) or math.isinf(b):
        return repr(a) == repr(b)
    return math.isclose(a, b, rel_tol=1e-12 if kind == "f64" else 1e-6, abs_tol=absolute if kind == "f64" else 1e-7)


def _split(line: str) -> list[tuple[str, bool]]:
    """The cells of a line, each with whether it was quoted."""
    cells, at = [], 0
    while True:
        if line.startswith('"', at):
            cell, at = _quoted(line, at + 1)
            cells.append((cell, True))
        else:
            end = line.find(",", at)
            end = len(line) if end < 0 else end
            cells.append((line[at:end], False))
            at = end
        if at == len(line):
            return cells
        if line[at] != ",":
            raise ValueError(f"a comma is expected at character {at + 1}: {line}")
        at += 1


def _quoted(line: str, at: int) -> tuple[str, int]:
    """The quoted cell that begins at `at`, and where it ends."""
    text = ""
    while True:
        end = line.find('"', at)
        if end < 0:
            raise ValueError(f"a quote is not closed: {line}")
        text += line[at:end]
        if line[end + 1 : end + 2] != '"':
            return text, end + 1
        text += '"'
        at = end + 2


def _parse_header(cell: str) -> Column:
    name, _, kind = cell.rpartition(":")
    if kind not in TYPES:
        raise ValueError(f"column `{cell}` needs a type, one of {', '.join(TYPES)}")
    return Column(name, kind)


def _parse_cell(cell: str, quoted: bool, kind: str):
    if not quoted and cell in ("", "NULL"):
        return None
    if kind == "str":
        return cell
    if kind == "bool":
        return {"true": True, "false": False}[cell]
    return int(cell) if kind == "i64" else float(cell)


def _format_cell(value, kind: str) -> str:
    if value is None:
        return "NULL"
    if kind == "str":
        return _quote(value)
    if kind == "bool":
        return "true" if value else "false"
    return str(int(value)) if kind == "i64" else _format_float(value, kind)


def _format_float(value, kind: str) -> str:
    if math.isnan(value):
        return "NaN"
    if kind == "f64":
        return repr(float(value))
    import numpy as np

    return str(np.float32(value))


def _quote(text: str) -> str:
    if "\n" in text or "\r" in text:
        raise ValueError(f"a cell cannot hold a line break: {text!r}")
    if text in ("", "NULL") or text != text.strip() or "," in text or text.startswith('"'):
        return '"' + text.replace('"', '""') + '"'
    return text
