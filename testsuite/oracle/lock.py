"""`models.lock`: what each committed model file was made from."""

import hashlib
from pathlib import Path


def digest(data: bytes) -> str:
    """Sixteen bytes of BLAKE2b, in hex."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


class Lock:
    """`models.lock`: per model file the hash of what made it and of its bytes."""

    def __init__(self, root: Path):
        self.root, self.path = root, root / "models.lock"
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        self.entries = {name: (made, held) for name, made, held in (line.split() for line in lines)}

    def is_fresh(self, path: Path, made: str) -> bool:
        """Whether the file is there, untouched, and made from the same."""
        return path.exists() and self.entries.get(self._name(path)) == (made, digest(path.read_bytes()))

    def record(self, path: Path, made: str) -> None:
        """Notes a file that was just written."""
        self.entries[self._name(path)] = (made, digest(path.read_bytes()))

    def strays(self, wanted: list[Path]) -> list[Path]:
        """Model files in the tree, or lines in the lock, that are not `wanted`."""
        known = {self._name(path) for path in self.root.rglob("models/*")} | set(self.entries)
        return [self.root / name for name in sorted(known - {self._name(path) for path in wanted})]

    def drop(self, path: Path) -> None:
        """Removes a file and its line."""
        path.unlink(missing_ok=True)
        self.entries.pop(self._name(path), None)

    def write(self) -> None:
        """One sorted line per file."""
        self.path.write_text("".join(f"{name} {made} {held}\n" for name, (made, held) in sorted(self.entries.items())))

    def _name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()
