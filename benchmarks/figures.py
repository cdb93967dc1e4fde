"""Shows figures: as a table for a terminal, and as the marked blocks of README and docs/speed.md."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parent.parent
FILE = Path(__file__).with_name("figures.json")
PAGES = (_ROOT / "README.md", _ROOT / "docs" / "speed.md")
_BLOCK = re.compile(r"(<!-- figures: (?P<name>[^>]*) -->\n).*?(<!-- end of figures -->)", re.DOTALL)
_HEADINGS = ("", "seconds", "CPU s", "of scan", "aim", "peak MB", "rows", "items wrong")


def headline(log: Mapping[str, Any]) -> str:
    """Say what a log is: ``1,000,000 changes of 187,000 items (raw), …``."""
    kind = "Parquet" if log["layout"] == "parquet" else f"gz, {log['layout']}"
    store = f"; store {log['store'] / log['bytes']:.2f} of that" if log["store"] else ""
    rounds = "one round" if log["rounds"] == 1 else f"medians of {log['rounds']} rounds"
    return (
        f"{log['changes']:,} changes of {log['items']:,} items in {log['objects']:,} objects ({kind}), "
        f"{log['bytes'] / 1e6:,.0f} MB{store}; {rounds}"
    )


def cells(row: Mapping[str, Any]) -> list[str]:
    """Return what a table shows of a subject, by `_HEADINGS`; of one that was stopped, why."""
    aim = f"{row['aim']:.2f}" if "aim" in row else ""
    if "stopped" in row:
        return [row["title"], row["stopped"], "", "", aim, "", "", ""]
    wrong = f"{sum(row[name] for name in ('missing', 'extra', 'wrong')):,.0f}" if "wrong" in row else ""
    return [
        row["title"],
        f"{row['seconds']:,.2f}",
        f"{row['cpu']:,.2f}",
        f"{row['of_scan']:,.2f}",
        aim,
        f"{row['peak'] / 1e6:,.0f}",
        f"{row['rows']:,.0f}",
        wrong,
    ]


def in_text(log: Mapping[str, Any]) -> str:
    """Lay out a log's figures for a terminal."""
    lines = [list(_HEADINGS), *(cells(row) for row in log["subjects"])]
    width = max(len(line[0]) for line in lines)
    shown = [
        f"{line[0]:{width}} " + (line[1] if len(line[1]) > 9 else " ".join(f"{cell:>9}" for cell in line[1:]))
        for line in lines
    ]
    return "\n".join(["", headline(log), *shown])


def in_markdown(log: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], *, with_aims: bool) -> str:
    """Lay out some rows of a log's figures for a page."""
    table = [[headline(log), *_HEADINGS[1:]], ["---", *["--:"] * (len(_HEADINGS) - 1)], *map(cells, rows)]
    used = [at for at in range(len(_HEADINGS)) if at < 2 or any(line[at] for line in table[2:])]
    used = [at for at in used if with_aims or _HEADINGS[at] != "aim"]
    return "".join("| " + " | ".join(line[at] for at in used) + " |\n" for line in table)


def block(figures: Mapping[str, Any], name: str) -> str:
    """Return what stands in a marked block.

    Parameters
    ----------
    name
        ``machine``, a sentence; or LAYOUT CHANGES PART, a table, where PART is ``workbench``, ``peers`` (both with
        DuckDB's bare scan), or names of subjects.
    """
    if name == "machine":
        about = figures["machine"]
        packages = ", ".join(f"{package} {version}" for package, version in about["packages"].items())
        return f"{about['cores']} cores, {about['memory'] / 1e9:,.0f} GB, Python {about['python']}, {packages}.\n"
    layout, changes, *parts = name.split()
    found = [log for log in figures["logs"] if (log["layout"], log["changes"]) == (layout, int(changes))]
    if not found:
        return f"Not measured: `python -m benchmarks --changes {changes} --layouts {layout}`.\n"
    (log,) = found
    rows = [row for row in log["subjects"] if _is_in(row, parts)]
    return in_markdown(log, rows, with_aims=parts == ["workbench"])


def _is_in(row: Mapping[str, Any], parts: Sequence[str]) -> bool:
    if parts in (["workbench"], ["peers"]):
        return bool(row["name"] == "scan" or row["is_peer"] == (parts == ["peers"]))
    return row["name"] in parts


def filled(text: str, figures: Mapping[str, Any]) -> str:
    """Return a page with its marked blocks filled."""
    return _BLOCK.sub(lambda found: f"{found[1]}\n{block(figures, found['name'])}\n{found[3]}", text)


def write(figures: Mapping[str, Any]) -> None:
    """Keep the figures, beside those kept of other logs, and fill the pages with them."""
    kept = json.loads(FILE.read_text(encoding="utf-8"))["logs"] if FILE.is_file() else []
    logs = {(log["changes"], log["layout"]): log for log in (*kept, *figures["logs"])}
    figures = {**figures, "logs": [logs[name] for name in sorted(logs)]}
    FILE.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    for page in PAGES:
        page.write_text(filled(page.read_text(encoding="utf-8"), figures), encoding="utf-8")
