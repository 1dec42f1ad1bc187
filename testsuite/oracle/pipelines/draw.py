"""A random pipeline over random data, fitted."""

import signal
import warnings
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

import hard
from frames import to_frame
from pipelines.data import Data, hard_rows
from pipelines.estimators import Known
from pipelines.spec import Call, Raw
from tables import Column

TASKS = ["classifier"] * 5 + ["regressor"] * 3 + ["transformer", "outlier", "cluster"]
TEXT = ("Vectorizer", "TfidfTransformer", "Hasher")
FIT_SECONDS = 5


@dataclass
class Subject:
    """A pipeline, what it is fitted on, and the rows to score."""

    spec: Call
    train: list[Column]
    target: list | None
    named: bool
    rows: list[Column]

    def fit(self, scope: dict):
        """The fitted model; whatever the library raises comes out."""
        model = eval(self.spec.code(), dict(scope))
        with _time_limit(FIT_SECONDS), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return model.fit(to_frame(self.train, {}, self.named), None if self.target is None else np.array(self.target))


class TooLong(Exception):
    """A fit that takes its time."""


@contextmanager
def _time_limit(seconds: int):
    def stop(*_):
        raise TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def draw(rng, known: Known, scope: dict, only: list[str]) -> tuple[Subject, object]:
    """A subject and its fitted model. Draws again until the library can fit it."""
    while True:
        task = TASKS[rng.integers(len(TASKS))]
        if task not in known.by_role:
            continue
        data = Data(rng, task)
        known.numbers = list(data.numbers)
        try:
            spec = _spec(rng, known, task, data)
        except KeyError:
            continue
        if only and not any(call.name in only for call in spec.calls()):
            continue
        named = bool(data.words) or rng.random() < 0.8
        if not named:
            data.rename()
        subject = Subject(spec, data.table(), data.target, named, rows=[])
        try:
            model = subject.fit(scope)
        except Exception:
            continue
        subject.rows = hard_rows(rng, data, _thresholds(model, data))
        return subject, model


def _spec(rng, known: Known, task: str, data: Data) -> Call:
    encoders = [name for name in known.by_role["transformer"] if name.endswith("Encoder")]
    plain = [n for n in known.by_role["transformer"] if n not in encoders and not n.endswith(TEXT)]

    def one(names: list[str]) -> Call:
        name = names[rng.integers(len(names))]
        return known.call(rng, name, "transformer", 1)

    numbers = [one(plain) for _ in range(int(rng.choice([0, 1, 1, 2])))]
    imputers = [name for name in plain if name.endswith("Imputer")]
    if data.gaps and imputers and rng.random() < 0.8:
        numbers.insert(0, one(imputers))
    steps = []
    if data.words or rng.random() < 0.25:
        texts = [one([name]) for name in known.by_role["transformer"] if name.endswith("Vectorizer")]
        steps.append(("columns", _columns(rng, data, numbers, [one(encoders)] if encoders else [], texts)))
    else:
        steps += [(f"t{at}", call) for at, call in enumerate(numbers)]
    if rng.random() < 0.1:
        steps.append(("union", Call("FeatureUnion", {"transformer_list": [("u0", one(plain)), ("u1", one(plain))]},
                                    ("transformer_list",))))
    if rng.random() < 0.2:
        steps.append(("last", one(plain)))
    if task != "transformer":
        steps.append(("model", known.draw(rng, task)))
    if not steps:
        steps.append(("t", one(plain)))
    if task == "classifier" and rng.random() < 0.1:
        samplers = [f"{name}(random_state=0)" for name in ("RandomUnderSampler", "RandomOverSampler")]
        steps.insert(-1, ("sampler", Raw(samplers[rng.integers(2)])))
        return Call("SampledPipeline", {"steps": steps}, ("steps",))
    return steps[0][1] if len(steps) == 1 else Call("Pipeline", {"steps": steps}, ("steps",))


def _columns(rng, data: Data, numbers: list[Call], words: list[Call], texts: list[Call]) -> Call:
    parts = []
    if data.numbers:
        parts.append(("numbers", _chain(numbers), list(data.numbers)))
    if data.words and words:
        parts.append(("words", _chain(words), list(data.words)))
    if data.words and texts and rng.random() < 0.3:
        parts.append(("text", texts[rng.integers(len(texts))], data.words[0]))
    params = {"transformers": parts}
    if rng.random() < 0.2 and len(data.numbers) > 1:
        at = [name for name, _, _ in parts].index("numbers")
        parts[at] = (*parts[at][:2], data.numbers[1:])
        params["remainder"] = "passthrough"
    if rng.random() < 0.3:
        params["verbose_feature_names_out"] = False
    return Call("ColumnTransformer", params, ("transformers",))


def _chain(calls: list[Call]):
    if not calls:
        return "passthrough"
    if len(calls) == 1:
        return calls[0]
    return Call("Pipeline", {"steps": [(f"t{at}", call) for at, call in enumerate(calls)]}, ("steps",))


def _thresholds(model, data: Data) -> dict[str, list[float]]:
    """Column → thresholds, where the model is one of trees on the raw columns."""
    if hasattr(model, "steps") or data.words:
        return {}
    try:
        return {data.numbers[at]: found for at, found in hard.thresholds(model).items()}
    except (AttributeError, IndexError):
        return {}
