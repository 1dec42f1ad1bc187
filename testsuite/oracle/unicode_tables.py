"""Writes `runtime/text/src/tables.rs`: what Python's `str` and `re` know of each character, by asking them.

Run it with the Python whose answers count: the tables say which version of Unicode that one has."""

import sys
import unicodedata


def characters():
    return (chr(i) for i in range(0x110000) if not 0xD800 <= i < 0xE000)


def final_sigma(text: str) -> bool:
    return "ς" in text.lower()


def cased(c: str) -> bool:
    return final_sigma(c + "Σ")


TABLES = {
    "WORD": ("What `\\w` matches: `str.isalnum()`, and the underscore.", lambda c: c.isalnum() or c == "_"),
    "DIGIT": ("What `\\d` matches: `str.isdecimal()`.", str.isdecimal),
    "SPACE": ("What `\\s` matches and `str.split()` splits at: `str.isspace()`.", str.isspace),
    "CASED": ("Letters before or behind which a sigma is not alone.", cased),
    "IGNORABLE": ("What a sigma looks past for a letter.", lambda c: not cased(c) and final_sigma(f"a{c}Σ")),
    "ASSIGNED": ("Characters that this version of Unicode has.", lambda c: unicodedata.category(c) != "Cn"),
}


def ranges(holds):
    runs = []
    for c in characters():
        if not holds(c):
            continue
        if runs and runs[-1][1] + 1 == ord(c):
            runs[-1][1] = ord(c)
        else:
            runs.append([ord(c), ord(c)])
    return runs


def fnv(numbers):
    h = 0xCBF29CE484222325
    for n in numbers:
        h = ((h ^ n) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return h


def digest(change) -> int:
    """A number over what `change` makes of every character; `0` ends a character's text."""
    return fnv(n for c in characters() for n in [*map(ord, change(c)), 0])


def accents(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def main() -> None:
    out = [
        "//! What Python knows of characters. Written by `testsuite/oracle/unicode_tables.py`; not to be edited.",
        "",
        "/// First and last character of each run, ascending.",
        "pub(crate) type Ranges = &'static [[u32; 2]];",
        "",
        "/// The version of Unicode.",
        f'pub const UNICODE: &str = "{unicodedata.unidata_version}";',
    ]
    for name, (doc, holds) in TABLES.items():
        runs = ranges(holds)
        out += ["", f"/// {doc}", "#[rustfmt::skip]", f"pub(crate) static {name}: Ranges = &["]
        line = ""
        for first, last in runs:
            item = f"[{first:#x}, {last:#x}],"
            if len(line) + len(item) > 108:
                out.append("    " + line.rstrip())
                line = ""
            line += item + " "
        out += ["    " + line.rstrip(), "];"]
    changes = {"LOWER": str.lower, "UPPER": str.upper, "ACCENTS": accents}
    for name, change in changes.items():
        out += ["", "#[cfg(test)]", f"pub(crate) const {name}_DIGEST: u64 = {digest(change):#x};"]
    sys.stdout.write("\n".join(out) + "\n")


main()
