"""Model files: the ending says which library writes and reads them."""

import pickle
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED

import joblib


def save(model, path: Path, compress: str | None = None) -> None:
    """Writes a fitted model as `.joblib`, `.pkl` or `.skops` (`compress` is `deflate` there)."""
    if path.suffix == ".joblib":
        joblib.dump(model, path, compress=(compress, 3) if compress else 0)
    elif path.suffix == ".skops":
        import skops.io

        skops.io.dump(model, path, compression=ZIP_DEFLATED if compress == "deflate" else ZIP_STORED)
    else:
        path.write_bytes(pickle.dumps(model))


def load(path: Path):
    """Reads one that was written here; a file of anybody else may run what it likes."""
    if path.suffix == ".joblib":
        return joblib.load(path)
    if path.suffix == ".skops":
        import skops.io

        return skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))
    return pickle.loads(path.read_bytes())
