"""What the values of partition columns may tell of a time: Y, m, d and H, as in strftime."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import product

Values = tuple[str, ...]
"""What the partition columns of a table have, or which units each of them tells."""
_NAMES = {
    "Y": {"year", "y", "yyyy", "yr"},
    "m": {"month", "m", "mm", "mon"},
    "d": {"day", "d", "dd"},
    "H": {"hour", "h", "hh", "hr"},
}
_RANGES = {"Y": (1970, 2999), "m": (1, 12), "d": (1, 31), "H": (0, 23)}
_DATED = re.compile(
    r"(\d{4})([-/_.])(\d{1,2})(?:\2(\d{1,2})(?:[-/_.T: ](\d{1,2}))?)?|(\d{4})(\d\d)(?:(\d\d)(?:[-T_]?(\d\d))?)?"
)
_NAMED = re.compile(r"(?:^|(?<=/))[A-Za-z_]\w*=")  # a folder's name for what it tells


def possible_units(columns: Sequence[tuple[str, str]], texts: Sequence[Collection[str]]) -> list[Values]:
    """Return what columns of these values may tell, the likeliest first: together a year and what follows it.

    >>> possible_units([("year", "int"), ("month", "int")], [{"2026"}, {"09", "11"}])
    [('Y', 'm')]
    """
    if not 1 <= len(columns) <= 8:
        return []
    schemes = []
    for units in product(*map(_units_of, texts)):
        letters = "".join(units)
        if letters and sorted(letters, key="YmdH".index) == list("YmdH"[: len(letters)]):
            schemes.append(units)
    most = max((len("".join(units)) for units in schemes), default=0)
    schemes = [units for units in schemes if len("".join(units)) == most]
    named = {
        units: sum(name.lower() in _NAMES.get(unit, ()) for (name, _), unit in zip(columns, units, strict=True))
        for units in schemes
    }
    if schemes and most == max(named.values()):  # names and values agree
        return [max(schemes, key=lambda units: named[units])]
    return sorted(schemes, key=lambda units: (-named[units], not is_natural(units)))


def _units_of(texts: Collection[str]) -> list[str]:
    """List what one column may tell by its values."""
    numbers = [numbers_of(text) for text in texts]
    if not texts or not all(numbers):
        return [""]
    if len(numbers[0]) > 1:
        return ["YmdH"[: len(numbers[0])], ""] if len({len(each) for each in numbers}) == 1 else [""]
    if any(len(each) > 1 for each in numbers):
        return [""]
    return [unit for unit, (low, high) in _RANGES.items() if all(low <= each[0] <= high for each in numbers)] + [""]


def is_natural(units: Values) -> bool:
    """Return whether columns go from the year to the hour."""
    letters = "".join(units)
    return letters == "YmdH"[: len(letters)]


def numbers_of(text: str) -> tuple[int, ...]:
    """Return the numbers of a date, or one number; nothing where a text is neither.

    >>> numbers_of("2026-11-18"), numbers_of("2026111809"), numbers_of("09"), numbers_of("persons")
    ((2026, 11, 18), (2026, 11, 18, 9), (9,), ())
    >>> numbers_of("year=2026/month=11/day=18/hour=09")
    (2026, 11, 18, 9)
    """
    text = _NAMED.sub("", text)
    if date := _DATED.fullmatch(text):
        return tuple(int(each) for each in date.groups() if each is not None and each.isdecimal())
    return (int(text),) if text.isascii() and text.isdecimal() and len(text) <= 4 else ()


def interval_of(units: Mapping[str, int]) -> tuple[datetime, datetime] | None:
    """Return from when to when a year, month, day or hour lasts; None where that is no time, or has no year.

    >>> [moment.isoformat() for moment in interval_of({"Y": 2026, "m": 2}) or ()]
    ['2026-02-01T00:00:00', '2026-03-01T00:00:00']
    """
    try:
        start = datetime(units["Y"], units.get("m", 1), units.get("d", 1), units.get("H", 0))
        if "d" in units:
            return start, start + timedelta(hours=1 if "H" in units else 24)
        within = start.replace(day=28) if "m" in units else start.replace(month=12, day=28)
        return start, (within + timedelta(days=4)).replace(day=1)
    except (KeyError, ValueError, OverflowError):  # such as 9999-12-31, which says that there is no end
        return None


def ends_of(spans: Iterable[tuple[datetime, datetime]]) -> tuple[datetime, datetime]:
    """Return the first begin and the last end of spans."""
    listed = list(spans)
    return min(begin for begin, _ in listed), max(end for _, end in listed)
