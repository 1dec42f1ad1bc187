"""Saves the models of the cases by skops as well, so that both files can be read and compared.

    python skops_twins.py --cases DIR --version VERSION --to DIR

`pairs.txt` in the folder has a line per model: the archive, a tab, the committed file. What skops itself cannot save is
left out, and said.
"""

import argparse
import sys
import warnings
from pathlib import Path

import files
from cases import Case
from oracle import find, model_path, versions


def pairs(cases: list[Case], version: str, folder: Path) -> list[str]:
    """Writes an archive for each model of that version."""
    lines = []
    for case in cases:
        source = model_path(case, version)
        if version not in versions(case) or source.suffix == ".skops":
            continue
        name = "-".join(source.parts[-3:]).replace("-models-", "-") + ".skops"
        try:
            files.save(files.load(source), folder / name)
        except Exception as error:
            print(f"{source}: skops refuses: {error}", file=sys.stderr)
            continue
        lines.append(f"{name}\t{source.resolve()}")
    return lines


def main() -> None:
    """Reads the command line and adds to the list."""
    warnings.filterwarnings("ignore")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=Path, required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--to", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.to.mkdir(parents=True, exist_ok=True)
    lines = pairs(find(arguments.cases, []), arguments.version, arguments.to)
    with (arguments.to / "pairs.txt").open("a") as listed:
        listed.writelines(f"{line}\n" for line in lines)


if __name__ == "__main__":
    main()
