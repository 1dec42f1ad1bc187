"""Making a failure small: fewer rows, fewer steps, options at their defaults, and then a case of it."""

from dataclasses import replace

from pipelines.compare import Bench, Finding
from pipelines.draw import Subject
from pipelines.spec import literal
from tables import Column, write

MOST_TRIES = 250


def shrink(subject: Subject, finding: Finding, bench: Bench, scope: dict) -> tuple[Subject, Finding]:
    """The smallest subject that still fails on the same engine in the same way."""
    tries = 0
    smaller = True
    while smaller and tries < MOST_TRIES:
        smaller = False
        for other in _smaller(subject, finding):
            tries += 1
            again = _fails(other, finding, bench, scope)
            if again is not None:
                subject, finding, smaller = other, again, True
                break
            if tries >= MOST_TRIES:
                break
    return subject, finding


def _fails(subject: Subject, finding: Finding, bench: Bench, scope: dict) -> Finding | None:
    try:
        found, _ = bench.findings(subject, subject.fit(scope))
    except Exception:
        return None
    return next((f for f in found if (f.engine, f.kind) == (finding.engine, finding.kind)), None)


def _smaller(subject: Subject, finding: Finding):
    """Subjects with one thing less, the greatest cuts first."""
    if finding.rows and len(subject.rows[0].values) > 1:
        yield replace(subject, rows=_rows(subject.rows, finding.rows[:1]))
    for spec in subject.spec.smaller():
        yield replace(subject, spec=spec)
    count = len(subject.train[0].values)
    for keep in (count // 2, count - 4, count - 1):
        if 4 <= keep < count:
            target = subject.target and subject.target[:keep]
            yield replace(subject, train=_rows(subject.train, range(keep)), target=target)
    used = subject.spec.code()
    for column in subject.train:
        if subject.named and len(subject.train) > 1 and repr(column.name) not in used:
            yield replace(subject, train=[c for c in subject.train if c.name != column.name],
                          rows=[c for c in subject.rows if c.name != column.name])


def _rows(columns: list[Column], rows) -> list[Column]:
    return [Column(c.name, c.type, [c.values[at] for at in rows]) for c in columns]


def case(subject: Subject, finding: Finding, seed: str, imports: dict[str, str]) -> str:
    """The text of a case; `cargo xtask oracle` adds the library's answer."""
    columns = {c.name: [float("nan") if v is None else v for v in c.values] for c in subject.train}
    frame = ", ".join(f"{name!r}: {literal(values)}" for name, values in columns.items())
    words = [c.name for c in subject.train if c.type == "str"]
    dtype = f".astype({{{', '.join(f'{name!r}: object' for name in words)}}})" if words else ""
    target = "" if subject.target is None else f", {literal(subject.target)}"
    lines = "".join(f"{imports[name]}\n" for name in sorted({c.name for c in subject.spec.calls()} & set(imports)))
    rows = "rows" if subject.named else "rows.to_numpy()"
    return (
        f"Found by random pipelines ({seed}) on {finding.engine}: {finding.text.splitlines()[0][:200]}\n\n"
        f"=== options\nversions: 1.9\n\n"
        f"=== sklearn\n{lines}rows = pd.DataFrame({{{frame}}}){dtype}\nmodel = {subject.spec.code()}\nmodel.fit({rows}{target})\n\n"
        f"=== data\n{write(subject.rows)}"
    )
