"""HTML that an answer shows itself as in a notebook and in a report."""

from __future__ import annotations

import re
from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from workbench.text import plain

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

_ROW, _CELL = re.compile(r"<tr.*?</tr>", re.DOTALL), re.compile(r"<(t[dh])>([^<]*)</t[dh]>")
_SHORT = 40
"""Letters of a text, such as a key, which is not to be broken at its hyphen: JupyterLab breaks all it can."""
_HERE = Path(__file__).with_name("templates")


def small_print(text: str) -> str:
    """Return a line of text as a paragraph in small letters, everything escaped.

    >>> small_print("3 rows < 4")
    '<p><small>3 rows &lt; 4</small></p>'
    """
    return f"<p><small>{escape(plain(text))}</small></p>"


def fragment(name: str, **values: object) -> str:
    """Fill the template ``NAME.html.j2``, everything escaped; what comes needs nothing outside itself."""
    from jinja2 import Environment  # heavy, and the terminal does without

    text = (_HERE / f"{name}.html.j2").read_text(encoding="utf-8")
    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(text)
    page = template.render(css=(_HERE / "fragments.css").read_text(encoding="utf-8"), **values)
    return plain(page, keep="\n")


def as_table(frame: pd.DataFrame) -> Styler:
    """Show a frame in a notebook as answers are shown: values as on the command line, rows without numbers.

    Times are in UTC (`Z`) or tell their zone, lengths of time are in words, everything is escaped. It is for the small
    frames that a notebook makes of an answer; an answer shows itself.

    Parameters
    ----------
    frame
        Rows to show. An index with a name is shown, one that only counts rows is not.

    Returns
    -------
    pandas.io.formats.style.Styler
        What a notebook and a report show as a table.

    Examples
    --------
    >>> waiting = pd.DataFrame({"order": ["<o-1>"], "since": [pd.Timestamp("2026-11-01T12:00Z")]}, index=[7])
    >>> text = as_table(waiting).to_html()
    >>> "&lt;o-1&gt;" in text, "2026-11-01 12:00:00Z" in text, ">7<" in text
    (True, True, False)
    """
    frame = frame.reset_index(drop=True) if _counts_rows(frame.index) else frame
    styled = frame.style.format(_written).format_index(_written, axis="columns").format_index(_written, axis="index")
    if frame.columns.is_unique:  # else pandas styles none
        numbers = [_is_number(frame.iloc[:, at]) for at in range(len(frame.columns))]
        looks = [partial(_look, number=each) for each in numbers]
        for name, look in zip(frame.columns, looks, strict=True):
            styled = styled.map(look, subset=[name])
        styled = styled.apply_index(lambda names: [look(name) for name, look in zip(names, looks, strict=True)], axis=1)
    return styled.hide(axis="index") if _counts_rows(frame.index) else styled


def first_rows(frame: pd.DataFrame, most: int) -> str:
    """Return a frame as an HTML table, its first and last rows where there are more than `most`, as `as_table` has it.

    >>> ">0<" in first_rows(pd.DataFrame({"a": [1]}), 20)
    False
    """
    shown = frame if len(frame) <= most else pd.concat([frame.head(most // 2), frame.tail(most // 2)])
    shown = pd.DataFrame(
        {at: list(map(_cell, shown.iloc[:, at].astype(object))) for at in range(len(frame.columns))},
        index=shown.index,
        columns=range(len(frame.columns)),
        dtype=object,
    ).set_axis([plain(str(name)) for name in frame.columns], axis="columns")
    if len(frame) > most:
        skipped = pd.DataFrame([["…"] * len(frame.columns)], index=["…"], columns=shown.columns)
        shown = pd.concat([shown.head(most // 2), skipped, shown.tail(most // 2)])
    with pd.option_context("display.html.use_mathjax", False, "display.max_colwidth", None):  # `$` begins no formula
        text = shown.to_html(border=0, index=not _counts_rows(frame.index))
    numbers = [_is_number(frame.iloc[:, at]) for at in range(len(frame.columns))]
    return _ROW.sub(lambda row: _laid_out(row[0], numbers), plain(text, keep="\n"))


def _laid_out(row: str, numbers: list[bool]) -> str:
    """Put texts to the left and numbers to the right in a row that pandas wrote: its last cells are the columns."""
    at = len(numbers) - len(_CELL.findall(row)) - 1

    def cell(found: re.Match[str]) -> str:
        nonlocal at
        at += 1
        kind, text = found.groups()
        return f'<{kind} style="{_look(text, number=at >= 0 and numbers[at])}">{text}</{kind}>'

    return _CELL.sub(cell, row)


def _look(value: Any, *, number: bool) -> str:
    """Return the style of a cell: JupyterLab puts all to the right, and makes columns of long texts very narrow."""
    letters = len(_cell(value))
    room = "white-space: nowrap" if letters <= _SHORT else f"min-width: {20 if letters <= 4 * _SHORT else 40}em"
    return f"text-align: {'right' if number else 'left'}; {room}"


def _is_number(column: pd.Series[Any]) -> bool:
    return pd.api.types.infer_dtype(column, skipna=True) in ("integer", "floating", "decimal", "mixed-integer-float")


def _counts_rows(index: pd.Index[Any]) -> bool:
    return index.name is None and pd.api.types.is_integer_dtype(index.dtype)


def _cell(value: Any) -> str:
    from workbench.terminal import cell  # rich, which only what is shown needs

    return plain(cell(value))


def _written(value: Any) -> str:
    return escape(_cell(value))
