"""Headlines: the few numbers that a report begins with, which its run remembers, and the index compares."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from html import escape
from numbers import Integral, Real
from pathlib import Path
from typing import Any, TypeAlias

from workbench.errors import ParameterError, ReportError
from workbench.questions.answers_noted import REPORT, add_notes, read_notes
from workbench.reports.record import Headline
from workbench.text import hundredths, percent, plain, words

FILE = "headlines.jsonl"
_NAME = re.compile(r"[^\W\d]\w{0,39}")
_SPEC = re.compile(r"(\$?)(,?(?:\.\d{1,2})?[df%]?)")
_NOTHING = "–"
_LARGE = 1e18
"""From here on a number is written by its power of ten."""
_LONGEST = 10**13
"""Seconds of a difference that can be put in words: 300,000 years."""
Number: TypeAlias = "int | float | Decimal | timedelta | None"


class _Shown:
    """Headlines as a notebook and a terminal show them."""

    def __init__(self, headlines: Sequence[Headline]) -> None:
        self._headlines = headlines

    def __repr__(self) -> str:
        width = max(len(each.text) for each in self._headlines)
        return "\n".join(f"{each.text:>{width}}  {label(each.name)}" for each in self._headlines)

    def _repr_html_(self) -> str:
        numbers = "".join(
            '<div style="display:flex;flex-direction:column-reverse;justify-content:flex-end;white-space:nowrap">'
            f'<dt style="font-weight:400;font-size:.9em;opacity:.8">{escape(label(each.name))}</dt>'
            '<dd style="margin:0;font-size:1.9em;line-height:1.2;font-weight:600;font-variant-numeric:tabular-nums">'
            f"{escape(each.text)}</dd></div>"
            for each in self._headlines
        )
        row = "display:flex;flex-wrap:wrap;gap:.6em 2.4em;margin:.4em 0"
        return f'<dl class="headlines" style="{row}">{numbers}</dl>'


def headlines(**numbers: Number | tuple[Number, str]) -> None:
    """Show numbers large, and in a report note them: for its page, its ``run.json``, the index, and alerts.

    Parameters
    ----------
    **numbers
        Numbers by their names, in the order they are shown in. A whole number gets its thousands, a float from 0 to 1
        is a share, in per cent, any other one gets decimals, a ``timedelta`` is put in words. With a format beside it,
        ``mean=(0.25, ".2f")`` or ``worth=(1250, "$,.2f")``, it is written as that says. None, and what is no number
        (NaN), is shown as –.

    Raises
    ------
    ParameterError
        Where there is none, or one is no number, or its format is none.
    ReportError
        Where the report has a headline of this name already.

    Examples
    --------
    >>> headlines(changes=12_345, deletes=0.052, lag=timedelta(minutes=3, seconds=20))
        12,345  changes
          5.2%  deletes
    3 min 20 s  lag
    """
    if not numbers:
        raise ParameterError("headlines() shows numbers by their names, such as headlines(changes=1234)")
    shown = [_headline(name, given) for name, given in numbers.items()]
    if folder := os.environ.get(REPORT):
        _note(shown, Path(folder))
    _show(_Shown(shown))


def noted(folder: Path) -> list[Headline]:
    """Return the headlines that a report has noted in the folder of its run, in their order."""
    return read_notes(folder / FILE, Headline)


def label(name: str) -> str:
    """Write the name of a headline for people.

    >>> label("late_changes")
    'late changes'
    """
    return plain(name.replace("_", " "))


def difference(now: Headline, before: Headline) -> str:
    """Write by how much a headline moved since another run; empty where that cannot be told.

    >>> share = Headline(name="deletes", value=0.07, text="7%", kind="share")
    >>> difference(share, Headline(name="deletes", value=0.052, text="5.2%", kind="share"))
    '+1.8 points'
    >>> difference(Headline(name="n", value=1200, text="1,200"), Headline(name="n", value=1000, text="1,000"))
    '+200 (+20%)'
    """
    if now.value is None or before.value is None or now.kind != before.kind:
        return ""
    moved = now.value - before.value
    if not moved:
        return "no change"
    sign = "+" if moved > 0 else "−"
    if abs(moved) > (_LONGEST if now.kind == "seconds" else sys.float_info.max):
        return ""
    if now.kind == "seconds":
        return f"{sign}{words(timedelta(seconds=abs(moved)))}"
    if now.kind == "share":
        return f"{sign}{hundredths(abs(moved))} points"
    decimals = len(now.text.partition(".")[2])
    size = f"{'$' * now.text.lstrip('-').startswith('$')}{abs(moved):,.{decimals}f}"
    share = f" ({sign}{hundredths(abs(moved / before.value))}%)" if before.value else ""
    return f"{sign}{size}{share}"


def _headline(name: str, given: Any) -> Headline:
    if not _NAME.fullmatch(name):
        raise ParameterError(
            f"{name!r} is no name of a headline: letters, digits and _, 40 at most, as in late_changes"
        )
    value, spec = given if isinstance(given, tuple) and len(given) == 2 else (given, None)
    if spec is not None and not (isinstance(spec, str) and _SPEC.fullmatch(spec)):
        raise ParameterError(
            f"the headline {name} has the format {spec!r}: write it like ',', '.1%', ',.2f' or '$,.2f'"
        )
    import numpy as np
    import pandas as pd

    if isinstance(value, np.timedelta64):
        value = pd.Timedelta(value)
    if value is None or _is_no_number(value):
        return Headline(name=name, value=None, text=_NOTHING)
    if isinstance(value, timedelta):
        return Headline(name=name, value=value.total_seconds(), text=words(value), kind="seconds")
    if isinstance(value, bool) or not isinstance(value, Real | Decimal):
        raise ParameterError(f"the headline {name} is {type(value).__name__}: it is a number, a share or a timedelta")
    try:
        number = float(value) + 0.0  # which -0.0 is
    except OverflowError:
        raise ParameterError(f"the headline {name} is larger than any number that can be compared") from None
    if spec is None:
        share = not isinstance(value, Integral) and 0 <= number <= 1
        text = percent(number) if share else _written(value)
        return Headline(name=name, value=number, text=text, kind="share" if share else "number")
    dollar, pattern = _SPEC.fullmatch(spec).groups()  # type: ignore[union-attr]
    if pattern.endswith("%"):
        return Headline(name=name, value=number, text=f"{number:{pattern}}", kind="share")
    size = format(round(abs(number)) if pattern.endswith("d") else abs(number), pattern or ",")
    return Headline(name=name, value=number, text=f"{'-' * (number < 0)}{dollar}{size}")


def _is_no_number(value: Any) -> bool:
    """Return whether it is NaN, NaT, NA or infinite."""
    import numpy as np
    import pandas as pd

    if isinstance(value, float | np.floating):
        return not np.isfinite(value)
    if isinstance(value, Decimal):
        return not value.is_finite()
    return bool(pd.api.types.is_scalar(value) and pd.isna(value))


def _written(value: Any) -> str:
    number = float(value)
    if abs(number) >= _LARGE:
        return f"{number:.3g}"
    return f"{int(value):,}" if number.is_integer() else f"{number:,.2f}" if abs(number) >= 1 else f"{number:.3g}"


def _note(new: list[Headline], folder: Path) -> None:
    there = {each.name for each in noted(folder)}
    if twice := [each.name for each in new if each.name in there]:
        raise ReportError(f"the report has a headline {twice[0]} already: each has a name of its own")
    add_notes(FILE, new)


def _show(shown: _Shown) -> None:
    """Show them where the cell is, also where it does not end with them; without IPython, print them."""
    if "IPython" in sys.modules and sys.modules["IPython"].get_ipython():
        from IPython.display import display

        display(shown)  # type: ignore[no-untyped-call]
        return
    print(shown)
