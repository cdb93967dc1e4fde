"""The window of time that a report tells of: asked for in words, resolved once, given to its notebook as instants."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from workbench.errors import ParameterError
from workbench.model.times import instant, zone_of
from workbench.reports.parameters import as_text
from workbench.reports.record import Window

_WRITE_IT_LIKE = (
    "write it like yesterday, today, last-hour, last-week, last-month, -7d, 2026-11, 2026-11-01 or "
    "2026-11-01..2026-11-08, whose end is not in it"
)
_GIVES = (("start", "end"), ("compare_to", "as_of"), ("before", "after"))
"""Parameters of notebooks for the two ends of a window."""


def resolve(asked: str, at: datetime, timezone: str = "UTC") -> Window:
    """Return the window that is asked for, as seen `at` an instant.

    Parameters
    ----------
    asked
        ``yesterday``, ``today`` (until `at`), ``last-hour``, ``last-week`` (from Monday to Monday), ``last-month``: the
        last one that is over; ``-7d``, ``-1h30m``, ``-1mo``: so long until `at`; a month ``2026-11``, a day
        ``2026-11-01``; or two of months, days or instants with ``..`` between them, the second of which is not in the
        window: ``2026-11-01..2026-11-08`` are seven days.
    timezone
        Whose days, weeks and months they are: a day may have 23 or 25 hours.

    Raises
    ------
    ParameterError
        Where it is no window, or nothing is in it.

    Examples
    --------
    >>> window = resolve("yesterday", datetime(2026, 11, 20, 6, tzinfo=UTC), "Europe/Berlin")
    >>> window.start.isoformat(), window.end.isoformat()
    ('2026-11-18T23:00:00+00:00', '2026-11-19T23:00:00+00:00')
    """
    at, zone, text = at.astimezone(UTC).replace(microsecond=0), zone_of(timezone), asked.strip()
    start, end = _ends(text.lower(), text, at, zone)
    if start >= end:
        only = (
            f"; {text.split('..')[0]} alone is all of it" if re.fullmatch(r"(\d{4}-\d\d(?:-\d\d)?)\.\.\1", text) else ""
        )
        raise ParameterError(
            f"the window {asked!r} is empty: it would begin at {_iso(start)} and end before {_iso(end)}{only}"
        )
    return Window(asked=text, start=start, end=end, timezone=zone.key)


def parameters_of(window: Window, declared: Collection[str], given: Collection[str], notebook: str) -> dict[str, str]:
    """Return the parameters by which a notebook takes a window, as instants in UTC.

    Parameters
    ----------
    declared
        Names of the parameters that the notebook has: ``start`` and ``end``; ``as_of``, which is the end, with
        ``compare_to``, the start; ``after`` and ``before``, which are compared, as these.
    given
        Names of those that have a value already.
    notebook
        Its name, for errors.

    Raises
    ------
    ParameterError
        Where it has none of them, or one of them has a value already.

    Examples
    --------
    >>> day = resolve("2026-11-01", datetime(2026, 11, 20, 6, tzinfo=UTC))
    >>> parameters_of(day, ["table", "as_of", "compare_to"], [], "02_latest_state.ipynb")
    {'compare_to': '2026-11-01T00:00:00Z', 'as_of': '2026-11-02T00:00:00Z'}
    """
    if not takes_window(declared):
        raise ParameterError(
            f"{notebook} takes no window of time, for it has no parameters start and end, nor as_of: leave out --for "
            f'{window.asked!r}, or in reports.toml set window = "none" for it'
        )
    ends = {name: end for names in _GIVES for name, end in zip(names, (window.start, window.end), strict=True)}
    if "start" not in declared or "end" not in declared:
        ends = {name: end for name, end in ends.items() if name not in _GIVES[0]}
    if twice := sorted(ends.keys() & set(given)):
        raise ParameterError(f"{twice[0]} of {notebook} is given twice: by itself, and by the window {window.asked!r}")
    return {name: _iso(end) for name, end in ends.items() if name in declared}


def takes_window(declared: Collection[str]) -> bool:
    """Return whether a notebook of these parameters tells of a window.

    >>> takes_window(["table", "start", "end"]), takes_window(["table", "start"]), takes_window(["as_of"])
    (True, False, True)
    """
    return {"start", "end"} <= set(declared) or "as_of" in declared


def without_window(parameters: Mapping[str, object]) -> dict[str, object]:
    """Return parameters without those that a window gives.

    >>> without_window({"table": "persons", "start": "2026-11-01T00:00:00Z"})
    {'table': 'persons'}
    """
    gives = {name for names in _GIVES for name in names}
    return {name: value for name, value in parameters.items() if name not in gives}


def _ends(word: str, text: str, at: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    local = at.astimezone(zone)
    today, month = local.date(), local.date().replace(day=1)
    match word:
        case "today":
            return _midnight(today, zone), at
        case "yesterday":
            return _midnight(today - timedelta(days=1), zone), _midnight(today, zone)
        case "last-week":
            monday = today - timedelta(days=today.weekday())
            return _midnight(monday - timedelta(days=7), zone), _midnight(monday, zone)
        case "last-month":
            return _midnight((month - timedelta(days=1)).replace(day=1), zone), _midnight(month, zone)
        case "last-hour":
            into = timedelta(
                minutes=local.minute, seconds=local.second
            )  # as time passes, also where clocks are put back
            return at - into - timedelta(hours=1), at - into
    try:
        if ".." in text:
            first, last = (part.strip() for part in text.split("..", 1))
            return (_instant(first, at, zone), _instant(last, at, zone))
        if text.startswith("-"):
            return _instant(text, at, zone), at
        if month_or_day := _begins(text):
            first_day, next_day = month_or_day
            return _midnight(first_day, zone), _midnight(next_day, zone)
    except (ParameterError, ValueError, OverflowError) as error:
        raise ParameterError(f"{text!r} is no window of time ({error}): {_WRITE_IT_LIKE}") from error
    raise ParameterError(f"{text!r} is no window of time: {_WRITE_IT_LIKE}")


def _begins(text: str) -> tuple[date, date] | None:
    """Return the first day of a month, or a day, and the one after it; None where the text is neither."""
    if re.fullmatch(r"\d{4}-\d\d", text):
        first = date.fromisoformat(f"{text}-01")
        return first, (first + timedelta(days=31)).replace(day=1)
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        day = date.fromisoformat(text)
        return day, day + timedelta(days=1)
    return None


def _instant(text: str, at: datetime, zone: ZoneInfo) -> datetime:
    begins = _begins(text)
    return _midnight(begins[0], zone) if begins else instant(text, zone.key, at)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return when a day begins; where clocks are put forward at midnight, the first instant after the gap."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _iso(moment: datetime) -> str:
    return as_text(moment.astimezone(UTC))
