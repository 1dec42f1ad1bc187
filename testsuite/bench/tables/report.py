"""The page: a table and a plot for each."""

from pathlib import Path

from .measure import OURS, Table


def text(table: Table) -> str:
    """A table in Markdown, with the ratio and what was asked above it."""
    ratio = table.ratio()
    head = f"## {table.title}"
    if ratio and table.asked:
        head += f": {ratio[0]:.1f} times {ratio[1]}, asked {table.asked:g}"
    wall = any(line.wall for line in table.lines)
    columns = ["scorer", f"CPU {table.unit}, median", "least"] + (["wall, median"] if wall else []) + ["answers that differ"]
    rows = [head, "", table.note, "", "| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    for line in table.lines:
        cells = [line.name, f"{line.cpu:.1f}", f"{line.least:.1f}"] + ([f"{line.wall:.1f}"] if wall else []) + [line.differ]
        rows.append("| " + " | ".join(cells) + " |")
    rows += [f"\n{peer}: {fault}" for peer, fault in table.faults.items()]
    return "\n".join(rows) + "\n"


def plot(table: Table, path: Path) -> None:
    """Bars, ours in a colour of their own."""
    from matplotlib.figure import Figure

    lines = sorted(table.lines, key=lambda line: -line.cpu)
    values = [getattr(line, table.by) for line in lines]
    figure = Figure(figsize=(8, 1 + 0.32 * len(lines)), layout="constrained")
    axes = figure.subplots()
    colours = ["#1b7f5c" if line.name.startswith(OURS) else "#9aa5b1" for line in lines]
    bars = axes.barh([line.name for line in lines], values, color=colours)
    axes.bar_label(bars, [f"{v:,.1f}" for v in values], padding=3, fontsize=8)
    axes.set_xscale("log")
    axes.set_xlim(min(values) / 2, max(values) * 4)
    axes.set_xlabel(f"{'wall time' if table.by == 'wall' else 'CPU time'}, {table.unit}")
    axes.set_title(table.title, loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)


def write(tables: list[Table], versions: dict[str, str], folder: Path) -> Path:
    """`report.md` and an SVG for each table in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    page = ["# Figures", "", f"{versions['processor']}.", ""]
    page += [", ".join(f"{name} {v}" for name, v in versions.items() if name != "processor") + ".", ""]
    page += ["Scorers take turns; medians of rounds. Ratios are of CPU time in one thread, to the fastest peer whose answers are the library's.", ""]
    page += ["| table | times as fast | as | asked |", "|---|---|---|---|"]
    for table in tables:
        ratio = table.ratio()
        if ratio and table.asked:
            page.append(f"| {table.title} | {ratio[0]:.1f} | {ratio[1]} | {table.asked:g} |")
    for i, table in enumerate(tables):
        if table.lines:
            plot(table, folder / f"table_{i}.svg")
            page += ["", text(table), f"![{table.title}](table_{i}.svg)"]
    path = folder / "report.md"
    path.write_text("\n".join(page) + "\n")
    return path
