"""Printing for people: frames, verdicts and findings, in which what is from data is shown and never acts.

Imported when there is something to print, since `rich` and `pandas` take longer than the command line may.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from workbench.text import count, plain, words

ROWS = 20
"""Rows that are shown; files and JSON hold all."""
_COLUMNS = 8
_STYLES = {"ok": "green", "note": "cyan", "warning": "yellow", "failed": "red"}


def console() -> Console:
    """Return a console as wide as the terminal; in a pipe 160 characters wide."""
    return Console(width=None if sys.stdout.isatty() else 160, highlight=False)


def printable(text: str, style: str = "") -> Text:
    """Make a cell or a heading of a text, which may be from data."""
    return Text(plain(text), style=style)


def print_lines(lines: Iterable[RenderableType]) -> None:
    """Print what is made of `printable` texts."""
    shown = console()
    for line in lines:
        shown.print(line)


def print_verdict(verdict: str) -> None:
    """Print the one line that says what was found."""
    console().print(printable(verdict, style="bold"))


def print_frame(df: pd.DataFrame, most: int = ROWS) -> None:
    """Print the first rows of a frame, `most` at most, and say how many more rows and columns there are.

    Of more than eight columns the first are shown that hold something, and the last, which says when.
    """
    shown = df.head(most)
    if len(df.columns) > _COLUMNS:
        *filled, last = [name for name in df.columns if not len(df) or shown[name].notna().any()]
        shown = shown[[*filled[: _COLUMNS - 1], last]]
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in shown.columns:
        numeric = pd.api.types.is_numeric_dtype(shown[name]) and not pd.api.types.is_bool_dtype(shown[name])
        table.add_column(
            printable(str(name)),
            justify="right" if numeric else "left",
            overflow="ellipsis",
            no_wrap=len(shown.columns) > 4,
        )
    for row in zip(*(shown[name].astype(object) for name in shown.columns), strict=True):
        table.add_row(*(printable(cell(value)) for value in row))
    rest = [count(len(df) - most, "more row")] * (len(df) > most)
    rest += [count(len(df.columns) - len(shown.columns), "more column")] * (len(shown.columns) < len(df.columns))
    print_lines([table, *([printable(f"… {', '.join(rest)}", style="dim")] if rest else [])])


def print_findings(findings: pd.DataFrame) -> None:
    """Print the findings of `data_quality`, each with its share, and where it is not ok its examples and remedy."""
    shown = console()
    for row in findings.to_dict("records"):
        measured = f": {row['count']:,} ({row['share']:.2%} of {row['of']})" if row["count"] and row["of"] else ""
        measured = measured or (f": {row['meaning']}" if not row["of"] else "")
        shown.print(
            Text.assemble((f"{row['status']:8}", _STYLES[row["status"]]), (row["finding"], "bold"), plain(measured))
        )
        lines = [*[row["meaning"]] * bool(row["of"]), *row["examples"], f"→ {row['remedy']}"]
        for line in lines if row["status"] != "ok" else []:
            text = printable(line, style="dim" if line == row["meaning"] else "")
            shown.print(Padding(text, (0, 0, 0, 8)))


def print_settings(settings: pd.DataFrame, file: object) -> None:
    """Print what `workbench.config.explain` tells: a setting a line, with its value and where that is from."""
    print_lines(
        [
            printable(f"settings of {file or 'no file: there is no workbench.toml here or above'}"),
            *(
                Text.assemble(
                    (f"{row['setting']:17}", "bold"), plain(f"{row['value']:25}"), (plain(row["source"]), "dim")
                )
                for row in settings.to_dict("records")
            ),
        ]
    )


def cell(value: Any) -> str:
    """Write a value as a cell shows it.

    >>> [cell(value) for value in (None, pd.NA, 0.25, b"a", ["a", {"b": 1}])]
    ['NULL', '', '0.25', '0x61', 'a, {b: 1}']
    """
    if value is None:
        return "NULL"
    if value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S%z").replace("+0000", "Z")
    if isinstance(value, frozenset):
        return "{" + ", ".join(map(cell, sorted(value))) + "}"
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    if isinstance(value, timedelta):
        return words(value)
    if isinstance(value, list):
        return ", ".join(map(cell, value))
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {cell(inner)}" for name, inner in value.items()) + "}"
    return f"{value:.4g}" if isinstance(value, float) and abs(value) < 1 else str(value)
