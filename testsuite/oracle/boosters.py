"""Writes the numbers of the cases of gradient boosting files: what LightGBM, XGBoost and CatBoost answer.

    python boosters.py --cases DIR [--check] [NAME …]

A case has a section named for a library with Python that fits `model`. The model is saved in each of the library's
formats, read back, and asked for the rows. `--check` writes nothing and exits 1 if anything would change.
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import hard
import oracle
import tables
from cases import Case
from frames import to_table
from lock import Lock, digest
from scoring import _row_by_row, typed

# Library → the endings of its formats; the options `formats` chooses among them.
FORMATS = {"lightgbm": ["txt"], "xgboost": ["json", "ubj"], "catboost": ["json", "cbm"]}


def library(case: Case) -> str | None:
    """The library of a case."""
    return next((name for name in FORMATS if case.get(name) is not None), None)


def model_files(case: Case) -> list[Path]:
    """Where the models of a case lie."""
    name = library(case)
    given = case.settings("options").get("formats")
    endings = [ending.strip() for ending in given.split(",")] if given else FORMATS[name]
    return [case.path.parent / "models" / f"{case.path.stem}.{name}.{ending}" for ending in endings]


def origin(case: Case) -> str:
    """The hash of what the model files are made from."""
    name = library(case)
    pins = oracle.pins(oracle.NEWEST, (oracle.PACKAGES.get(name, name) + "==",))
    return digest("\0".join([case.get(name), pins]).encode())


def namespace() -> dict:
    """What the Python of a case finds."""
    names = {"np": np, "pd": pd, "EXTREMES": hard.EXTREMES, "around": hard.around, "vary": hard.vary}
    import catboost
    import lightgbm
    import xgboost

    return names | {"lgb": lightgbm, "xgb": xgboost, "cb": catboost}


def save(model, path: Path) -> None:
    """Writes a model in the format of the path's ending."""
    ending = path.suffix[1:]
    if ending == "txt":
        model.save_model(path)
    elif path.name.endswith((".catboost.json", ".cbm")):
        model.save_model(str(path), format=ending)
    else:
        model.save_model(path)


def load(path: Path):
    """Reads a model back: what is asked is what was written."""
    names = namespace()
    if path.suffix == ".txt":
        return names["lgb"].Booster(model_file=path)
    if ".catboost." in path.name:
        return names["cb"].CatBoost().load_model(str(path), format=path.suffix[1:])
    booster = names["xgb"].Booster()
    booster.load_model(path)
    return booster


def rows(data: list, options: dict[str, str], names: list[str]) -> pd.DataFrame:
    """The rows of a case under the model's names; text and what the option `categories` names are pandas categories."""
    given = [name.strip() for name in options.get("categories", "").split(",")]
    frame = pd.DataFrame()
    for column, name in zip(data, names or [c.name for c in data]):
        if column.type == "str" or column.name in given:
            frame[name] = pd.Categorical([category(value) for value in column.values])
        elif column.type == "bool":
            frame[name] = pd.Series(column.values, dtype=bool)
        else:
            frame[name] = np.array([np.nan if value is None else value for value in column.values], dtype=np.float64)
    return frame


def category(value):
    """A whole number as an integer, as the libraries were given it."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def lightgbm(model, data: list, options: dict[str, str]) -> dict[str, list]:
    """The columns that LightGBM's answers are."""
    objective = (model.dump_model().get("objective") or "none").split(" ")[0]
    frame = rows(data, options, model.feature_name())
    answer = model.predict(frame, num_threads=1)
    if objective == "binary":
        return two(answer)
    return many(answer) if objective.startswith("multiclass") else numbers(answer)


def two(p) -> dict[str, list]:
    """Two classes by the probability of the second."""
    p = np.asarray(p)
    return {"prediction": (p > 0.5).astype(int).tolist(), "probability_0": (1 - p).tolist(), "probability_1": p.tolist()}


def many(p) -> dict[str, list]:
    """A column per class."""
    labels = {"prediction": np.argmax(p, axis=1).tolist()}
    return labels | {f"probability_{k}": p[:, k].tolist() for k in range(p.shape[1])}


def numbers(answer) -> dict[str, list]:
    """Numbers, a column per target."""
    answer = np.asarray(answer)
    if answer.ndim == 1 or answer.shape[1] == 1:
        return {"prediction": answer.ravel().tolist()}
    return {f"prediction_{k}": answer[:, k].tolist() for k in range(answer.shape[1])}


def xgboost(model, data: list, options: dict[str, str]) -> dict[str, list]:
    """The columns that XGBoost's answers are: those of `Booster.predict`."""
    import xgboost

    objective = json.loads(model.save_config())["learner"]["objective"]["name"]
    frame = rows(data, options, model.feature_names)
    codes = not any(str(kind) == "category" for kind in frame.dtypes)
    given = frame.to_numpy() if codes else frame
    matrix = xgboost.DMatrix(given, nthread=1, enable_categorical=True, feature_names=model.feature_names,
                             feature_types=model.feature_types if codes else None)
    if objective.startswith("multi:"):
        margins = model.predict(matrix, output_margin=True)
        p = np.exp(margins - margins.max(axis=1, keepdims=True))
        return many(model.predict(matrix) if objective == "multi:softprob" else p / p.sum(axis=1, keepdims=True))
    answer = model.predict(matrix)
    if objective == "binary:hinge":
        return {"prediction": answer.astype(int).tolist()}
    if objective != "binary:logistic":
        return numbers(answer)
    if answer.ndim == 1:
        return two(answer)
    columns = {}
    for k in range(answer.shape[1]):
        named = two(answer[:, k])
        columns |= {name.replace("prediction", f"prediction_{k}").replace("y_", f"y_{k}_"): v for name, v in named.items()}
    return columns


def hashed(column) -> pd.Series:
    """A column as CatBoost takes it: text, integers and truth values as they are, since it hashes what they look like."""
    if column.type in ("str", "i64", "bool"):
        return pd.Series(column.values, dtype=object)
    return pd.Series([np.nan if value is None else value for value in column.values], dtype=np.float64)


def catboost(model, data: list, options: dict[str, str]) -> dict[str, list]:
    """The columns that CatBoost's answers are: those of its classifier or its regressor."""
    frame = pd.DataFrame({name: hashed(column) for column, name in zip(data, model.feature_names_ or [c.name for c in data])})
    loss = model.get_all_params()["loss_function"].split(":")[0]
    if loss in ("Logloss", "CrossEntropy", "MultiClass", "MultiClassOneVsAll"):
        names = list(model.classes_) if len(model.classes_) else [0, 1]
        labels = np.asarray(model.predict(frame, prediction_type="Class")).ravel().tolist()
        p = model.predict(frame, prediction_type="Probability")
        return {"prediction": labels} | {f"probability_{name}": p[:, k].tolist() for k, name in enumerate(names)}
    if loss in ("MultiLogloss", "MultiCrossEntropy"):
        labels, p = model.predict(frame, prediction_type="Class"), model.predict(frame, prediction_type="Probability")
        targets = [{f"prediction_{k}": labels[:, k].tolist(), f"probability_{k}_0": (1 - p[:, k]).tolist(),
                    f"probability_{k}_1": p[:, k].tolist()} for k in range(p.shape[1])]
        return {name: values for target in targets for name, values in target.items()}
    exponent = loss in ("Poisson", "Tweedie")
    return numbers(model.predict(frame, prediction_type="Exponent" if exponent else "RawFormulaVal"))


SCORERS = {"lightgbm": lightgbm, "xgboost": xgboost, "catboost": catboost}


def score(model, case: Case) -> str:
    """The table of answers; a row that the library refuses is null in every column."""
    name, data, options = library(case), tables.parse(case.get("data")), case.settings("options")
    floats = "f32" if name == "xgboost" else "f64"
    try:
        return tables.write(typed(SCORERS[name](model, data, options), floats))
    except Exception:
        every = range(len(data[0].values))
        one = lambda at: SCORERS[name](model, [tables.Column(c.name, c.type, [c.values[i] for i in at]) for c in data], options)
        return tables.write(typed(_row_by_row(one, list(every)), floats))


def answer(case: Case, lock: Lock, check: bool) -> dict[str, str]:
    """Fits what is not fresh, and gives the sections of a case."""
    name, scope = library(case), namespace()
    stale = [path for path in model_files(case) if not lock.is_fresh(path, origin(case))]
    if stale and check:
        raise ValueError("its model files are not those of its Python")
    model = None
    if stale:
        exec(compile(case.get(name), str(case.path), "exec"), scope)
        for path in stale:
            path.parent.mkdir(exist_ok=True)
            save(scope["model"], path)
            lock.record(path, origin(case))
    if case.get("refused") is not None:
        return {}
    models = [load(path) for path in model_files(case)]
    sections = {}
    if case.get("data:python") is not None:
        scope = namespace() | {"model": models[0]}
        exec(compile(case.get("data:python"), str(case.path), "exec"), scope)
        sections["data"] = tables.write(to_table(scope["rows"]))
        case.put("data", sections["data"], after="data:python")
    answers = [score(model, case) for model in models]
    # CatBoost reads its own JSON with an error in the last bit.
    if not all(tables.close(answers[-1], other) for other in answers):
        raise ValueError("the formats of the library answer differently")
    return sections | {f"run:{name}": answers[-1]}


def main() -> int:
    """Goes through the cases."""
    warnings.filterwarnings("ignore")
    return oracle.go_through(__doc__, library, answer)


if __name__ == "__main__":
    sys.exit(main())
