"""Random tables: what a pipeline is trained on, and rows that are made to be hard for it."""

import numpy as np

from hard import EXTREMES
from tables import Column

WORDS = ["a", "b", "red", "é", "", "x y", "A"]
UNSEEN = ["never", "B", " a", "NULL"]


class Data:
    """Training columns with a target, and the names of columns by kind."""

    def __init__(self, rng, task: str):
        self.rows = int(rng.integers(24, 60))
        self.numbers = [f"n{at}" for at in range(int(rng.integers(1, 5)))]
        self.words = [f"s{at}" for at in range(int(rng.choice([0, 0, 1, 2])))]
        self.columns = {name: _numbers(rng, self.rows) for name in self.numbers}
        self.columns |= {name: rng.choice(WORDS[: rng.integers(2, 6)], self.rows).tolist() for name in self.words}
        self.target = _target(rng, task, self.columns, self.rows)
        self.gaps = bool(rng.random() < 0.35)
        if self.gaps:
            for name in self.columns:
                holes = rng.random(self.rows) < 0.12
                self.columns[name] = [None if hole else value for hole, value in zip(holes, self.columns[name])]

    def rename(self) -> None:
        """The names that an array's columns have: `x0`, `x1`, …"""
        self.columns = {f"x{at}": values for at, values in enumerate(self.columns.values())}
        self.numbers = list(self.columns)

    def kind(self, name: str) -> str:
        """The type of a column, as tables write it."""
        return "f64" if name in self.numbers else "str"

    def table(self) -> list[Column]:
        """The training rows."""
        return [Column(name, self.kind(name), values) for name, values in self.columns.items()]


def _numbers(rng, rows: int) -> list[float]:
    """A column of one of several shapes; few digits, so that a case can be read."""
    shape = rng.integers(0, 6)
    if shape == 0:
        values = rng.integers(0, 4, rows).astype(float)
    elif shape == 1:
        values = np.round(np.exp(rng.normal(0, 3, rows)), 3)
    elif shape == 2:
        values = np.round(rng.normal(0, 1, rows), 1)
    elif shape == 3 and rng.random() < 0.3:
        values = np.full(rows, round(float(rng.normal()), 1))
    else:
        values = np.round(rng.normal(rng.normal(0, 5), 2, rows), 2)
    return values.tolist()


def _target(rng, task: str, columns: dict, rows: int) -> list | None:
    """Labels or numbers that depend on the columns."""
    signal = rng.normal(0, 1, rows)
    for values in columns.values():
        part = np.array([hash_of(v) if isinstance(v, str) else v for v in values])
        signal = signal + rng.normal() * (part - part.mean()) / (part.std() + 1e-9)
    if rng.random() < 0.1 and task in ("regressor", "classifier"):
        both = np.stack([signal, rng.permutation(signal)], axis=1)
        return (np.round(both, 2) if task == "regressor" else (both > np.median(signal)).astype(int)).tolist()
    if task == "regressor":
        return np.round(np.abs(signal) + 0.5 if rng.random() < 0.3 else signal * 3, 2).tolist()
    if task != "classifier":
        return None
    labels = [[0, 1], [0, 1, 2], ["no", "yes"], ["a", "b", "c", "d"], [False, True], [-1, 1], [3, 7, 5]][rng.integers(0, 7)]
    edges = np.quantile(signal, np.linspace(0, 1, len(labels) + 1)[1:-1])
    return [labels[at] for at in np.digitize(signal, edges)]


def hash_of(text: str) -> float:
    """A number for a word, the same on every run."""
    return float(sum(map(ord, text)) % 7)


def hard_rows(rng, data: Data, thresholds: dict[str, list[float]], count: int = 24) -> list[Column]:
    """Rows to score: seen ones with single cells replaced by thresholds and their neighbours, extremes, nulls, new words."""
    result = {name: [] for name in data.columns}
    for _ in range(count):
        base = int(rng.integers(data.rows))
        row = {name: values[base] for name, values in data.columns.items()}
        for name in list(row)[: None if rng.random() < 0.1 else int(rng.integers(0, 3))]:
            row[name] = _hard_cell(rng, name, data, thresholds)
        for name, value in row.items():
            result[name].append(value)
    order = list(result)
    return [Column(name, data.kind(name), result[name]) for name in order]


def _hard_cell(rng, name: str, data: Data, thresholds: dict[str, list[float]]):
    """One hard value of a column."""
    if rng.random() < 0.15:
        return None
    if name not in data.numbers:
        return str(rng.choice(WORDS + UNSEEN))
    seen = [value for value in data.columns[name] if value is not None]
    pick = rng.random()
    if pick < 0.4 and thresholds.get(name):
        at = thresholds[name][rng.integers(len(thresholds[name]))]
        return float([at, np.nextafter(at, -np.inf), np.nextafter(at, np.inf)][rng.integers(3)])
    if pick < 0.6 and len(seen) > 1:
        one, other = rng.choice(seen, 2)
        return float((one + other) / 2)
    if pick < 0.75:
        return float(EXTREMES[rng.integers(len(EXTREMES))])
    return float(np.round(rng.normal(0, 4), 2))
