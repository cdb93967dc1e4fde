"""Printing for people: frames, verdicts and findings, in which what is from data is shown and never acts.

Imported when there is something to print, since `rich` and `pandas` take longer than the command line may.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from workbench.text import count, plain, words

ROWS = 20
"""Rows that are shown; files and JSON hold all."""
_PIPE = 160
"""Characters of a line in a pipe, where ``COLUMNS`` does not say."""
_TERMINAL = 80
"""Characters of a line on a terminal that does not say."""
_LINES = 25
"""Of any console: nothing is fitted into it, and rich reads what the environment says only where this is not said."""
_WIDE = 36
"""Characters that a column takes before others have their place."""
_TIME, _LEAST = 20, 8
"""To which columns are cut, and keys folded: first to what a time takes."""
_GAP = 2
_STYLES = {"ok": "green", "note": "cyan", "warning": "yellow", "failed": "red"}


def console() -> Console:
    """Return a console as wide as ``COLUMNS`` says, else as the terminal, and in a pipe 160 characters wide.

    There are terminals that say they are 0 wide, and so ``COLUMNS``: these say nothing.
    """
    said = os.environ.get("COLUMNS", "")
    width = int(said) if said.isdecimal() else 0
    if not width:
        width = shutil.get_terminal_size((_TERMINAL, 0)).columns if sys.stdout.isatty() else _PIPE
    return Console(width=width, height=_LINES, highlight=False, soft_wrap=False)


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


def print_frame(
    df: pd.DataFrame,
    most: int = ROWS,
    *,
    keys: int = 0,
    asked: Collection[str] = (),
    all_columns: bool = False,
    vertical: bool = False,
    more: int = 0,
) -> None:
    """Print the first rows of a frame as a table as wide as the terminal, and say how many more rows and columns are.

    Columns that hold nothing are left out, and so are those for which there is no room. A single row that has no room
    beside its names is printed as `print_rows` does.

    Parameters
    ----------
    most
        The most rows shown.
    keys
        So many of the first columns are those of the key: they are always there, and folded where others are cut.
    asked
        Columns that are always there too, as the last one is, which says when.
    all_columns
        Whether all of them are always there.
    vertical
        Whether each row is printed as `print_rows` does.
    more
        How many more rows there are than the frame has.
    """
    shown = df.head(most)
    table, left_out = (None, 0) if vertical else _table(shown, keys, asked, all_columns)
    if vertical or (left_out and len(df) + more == 1):
        print_rows([list(zip(shown.columns, row, strict=True)) for row in _values(shown)])
        left_out = 0
    elif table is not None:
        console().print(table)
    print_rest(len(df) - len(shown) + more, left_out)


def print_rest(rows: int, columns: int) -> None:
    """Say how many rows and columns are not shown, where there are any."""
    rest = [count(rows, "more row")] * (rows > 0) + [count(columns, "more column")] * (columns > 0)
    print_lines([printable(f"… {', '.join(rest)}", style="dim")] * bool(rest))


def print_rows(rows: Sequence[Sequence[tuple[str, Any]]]) -> None:
    """Print rows, each the names and values of its columns, one below the other: a line for each value there is."""
    there = [[(plain(str(name)), plain(cell(value))) for name, value in row if not _is_nothing(value)] for row in rows]
    width = min(max((cell_len(name) for row in there for name, _ in row), default=0), console().width // 2)
    for at, row in enumerate(there):
        grid = Table.grid(padding=(0, _GAP, 0, 0))
        grid.add_column(style="bold", overflow="fold", width=width)
        grid.add_column(overflow="fold")
        for name, text in row:
            grid.add_row(Text(name), Text(text))
        print_lines([*[""] * (at > 0), grid])


def _values(df: pd.DataFrame) -> Iterable[tuple[Any, ...]]:
    """Yield the rows of a frame, their values as Python has them."""
    return zip(*(df.iloc[:, at].astype(object) for at in range(df.shape[1])), strict=True)


def _table(df: pd.DataFrame, keys: int, asked: Collection[str], whole: bool) -> tuple[Table, int]:
    """Return a frame as a table that has room, and how many of its columns have none."""
    texts = {at: [plain(cell(value)) for value in df.iloc[:, at].astype(object)] for at in range(len(df.columns))}
    names = [plain(str(name)) for name in df.columns]
    natural = [max(map(cell_len, [name, *texts[at]])) for at, name in enumerate(names)]
    first = [at for at, name in enumerate(df.columns) if whole or at < keys or str(name) in asked]
    filled = [at for at in texts if whole or not len(df) or at in first or df.iloc[:, at].notna().any()]
    first += [at for at in filled[-1:] if at not in first]
    widths = {at: natural[at] if at < keys else min(natural[at], _WIDE) for at in first}
    room = console().width
    for at in filled:
        if at not in widths and sum(widths.values()) + _GAP * len(widths) + min(natural[at], _WIDE) <= room:
            widths[at] = min(natural[at], _WIDE)
    _fit(widths, natural, keys, room - _GAP * (len(widths) - 1))
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, _GAP, 0, 0))
    for at in sorted(widths):
        numeric = pd.api.types.is_numeric_dtype(df.dtypes.iloc[at]) and not pd.api.types.is_bool_dtype(
            df.dtypes.iloc[at]
        )
        table.add_column(
            Text(names[at]),
            justify="right" if numeric else "left",
            overflow="fold" if at < keys else "ellipsis",
            no_wrap=at >= keys,
            width=widths[at],
        )
    for row in zip(*(texts[at] for at in sorted(widths)), strict=True):
        table.add_row(*map(Text, row))
    return table, len(df.columns) - len(widths)


def _fit(widths: dict[int, int], natural: Sequence[int], keys: int, room: int) -> None:
    """Give columns the room that is left, the first ones first; or take what is too much from the widest."""
    left = room - sum(widths.values())
    for at in sorted(widths):
        more = min(max(left, 0), natural[at] - widths[at])
        widths[at] += more
        left -= more
    of_keys, others = [at for at in widths if at < keys], [at for at in widths if at >= keys]
    for some, least in ((others, _TIME), (of_keys, _TIME), (others, _LEAST), (of_keys, _LEAST)):
        while left < 0 and some and widths[widest := max(some, key=widths.__getitem__)] > least:
            widths[widest] -= 1
            left += 1


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
    """Write a value as a cell shows it: as DynamoDB and SQL spell values, never as Python does.

    >>> [cell(value) for value in (None, pd.NA, True, 0.25, b"a", ["a", {"b": 1}], frozenset({2, 1}))]
    ['NULL', '', 'true', '0.25', '0x61', 'a, {b: 1}', '{1, 2}']
    """
    if value is None:
        return "NULL"
    if _is_nothing(value):
        return ""
    if isinstance(value, bool | np.bool_):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S%z").replace("+0000", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, frozenset | set):
        return "{" + ", ".join(map(cell, sorted(value))) + "}"
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    if isinstance(value, timedelta):
        return words(value)
    if isinstance(value, list | tuple | np.ndarray):
        return ", ".join(map(cell, value))
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {cell(inner)}" for name, inner in value.items()) + "}"
    return f"{value:.4g}" if isinstance(value, float) and abs(value) < 1 else str(value)


def _is_nothing(value: Any) -> bool:
    return value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value)
