"""`.flk` case files: prose, then sections that open with `=== name`. See `testsuite/cases/README.md`."""

from pathlib import Path

MARK = "=== "


class Case:
    """A case file; sections keep their order, and those that are not touched keep their text."""

    def __init__(self, path: Path):
        self.path = path
        self.prose, self.sections = _parse(path.read_text(encoding="utf-8"))

    def get(self, name: str) -> str | None:
        """The text of a section, or None."""
        return self.sections.get(name)

    def put(self, name: str, text: str, after: str) -> None:
        """Replaces a section, or inserts it behind `after`."""
        if name in self.sections:
            self.sections[name] = text
            return
        entries = list(self.sections.items())
        at = [key for key, _ in entries].index(after) + 1
        self.sections = dict(entries[:at] + [(name, text)] + entries[at:])

    def drop(self, name: str) -> None:
        """Removes a section."""
        self.sections.pop(name, None)

    def settings(self, name: str) -> dict[str, str]:
        """A section of `key: value` lines; empty where there is none."""
        return parse_settings(self.get(name) or "")

    def text(self) -> str:
        """The file as it is written: one blank line before each section."""
        blocks = [self.prose.rstrip("\n")]
        blocks += [f"{MARK}{name}\n{text}".rstrip("\n") for name, text in self.sections.items()]
        return "\n\n".join(blocks) + "\n"


def parse_settings(text: str) -> dict[str, str]:
    """`key: value`, one a line."""
    pairs = (line.partition(":") for line in text.splitlines() if line.strip())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _parse(text: str) -> tuple[str, dict[str, str]]:
    prose, sections, current = [], {}, None
    for line in text.splitlines():
        if line.startswith(MARK):
            current = line[len(MARK) :].strip()
            if current in sections:
                raise ValueError(f"section `{current}` occurs twice")
            sections[current] = []
        else:
            (prose if current is None else sections[current]).append(line)
    return "\n".join(prose), {name: "\n".join(lines).rstrip() for name, lines in sections.items()}
