"""Runs inside one pinned environment: fits the models of cases and scores their rows.

    python worker.py < jobs.json > answers.json

A job is `{"case", "version", "newest", "model", "fit", "twin", "convert"}`: paths, and what is to be made anew.
The answer has the sections to write.
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import sklearn

import files
import hard
import scoring
import tables
from cases import Case
from frames import to_frame, to_table


def namespace() -> dict:
    """What the Python of a case finds."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.utils import all_estimators

    helpers = [make_column_selector, make_column_transformer, make_pipeline, make_union]
    helpers += [hard.around, hard.thresholds, hard.vary]
    names = {"np": np, "pd": pd, "sklearn": sklearn, "EXTREMES": hard.EXTREMES}
    return names | dict(all_estimators()) | {helper.__name__: helper for helper in helpers}


def answer(job: dict, names: dict) -> dict:
    """One job: fit or load, make the rows if the case says how, score."""
    case = Case(Path(job["case"]))
    options = case.settings("options")
    path = Path(job["model"])
    model = fit(case, path, options, names) if job["fit"] else files.load(path)
    if case.get("refused") is not None:
        return {"case": job["case"], "sections": {}}
    sections = {}
    if job["newest"] and case.get("data:python") is not None:
        sections["data"] = make_rows(case, model, names)
        case.put("data", sections["data"], after="data:python")
    if case.get("data") is None:
        raise ValueError("there is no section `data`, and `data:python` did not make one")
    data = tables.parse(case.get("data"))
    rows = to_frame(data, options, named=hasattr(model, "feature_names_in_"))
    sections[f"run:sklearn-{job['version']}"] = tables.write(scoring.score(model, rows))
    if job["twin"]:
        sections["run:onnx"] = twin(case, job, model, data)
    return {"case": job["case"], "sections": sections}


def fit(case: Case, path: Path, options: dict, names: dict):
    """Fits the case's model, writes it, and reads it back: what is scored is what was written."""
    scope = dict(names)
    exec(compile(case.get("sklearn"), str(case.path), "exec"), scope)
    path.parent.mkdir(exist_ok=True)
    files.save(scope["model"], path, options.get("compress"))
    return files.load(path)


def make_rows(case: Case, model, names: dict) -> str:
    """The table of `data` from the code that makes it."""
    scope = dict(names) | {"model": model}
    exec(compile(case.get("data:python"), str(case.path), "exec"), scope)
    return tables.write(to_table(scope["rows"]))


def twin(case: Case, job: dict, model, data: list) -> str:
    """The ONNX file, converted if asked, and what onnxruntime answers."""
    import twins

    settings = case.settings("onnx")
    path = Path(job["twin"])
    if job["convert"]:
        path.write_bytes(twins.convert(model, data, settings))
    return tables.write(twins.score(path.read_bytes(), data))


def main() -> None:
    """Reads jobs and writes an answer for each; a failure is an answer too."""
    warnings.filterwarnings("ignore")
    names, answers = namespace(), []
    for job in json.load(sys.stdin):
        try:
            answers.append(answer(job, names))
        except Exception as error:
            answers.append({"case": job["case"], "error": f"{type(error).__name__}: {error}"})
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
