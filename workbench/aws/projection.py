"""Projected partitions: which values a column has by the parameters of its table, and in which form.

https://docs.aws.amazon.com/athena/latest/ug/partition-projection-supported-types.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from workbench.aws.partition_values import interval_of, numbers_of

_FORMS = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "M": "%-m", "d": "%-d", "H": "%-H"}
_NOW = re.compile(r"NOW\s*(?:([+-])\s*(\d+)\s*(YEAR|MONTH|WEEK|DAY|HOUR|MINUTE|SECOND)S?)?", re.IGNORECASE)
_LENGTHS = {
    "YEAR": timedelta(days=366),
    "MONTH": timedelta(days=31),
    "WEEK": timedelta(days=7),
    "DAY": timedelta(days=1),
    "HOUR": timedelta(hours=1),
    "MINUTE": timedelta(minutes=1),
    "SECOND": timedelta(seconds=1),
}


def projected_values(name: str, parameters: Mapping[str, str]) -> set[str]:
    """Return values of a projected column, the least and the greatest among them."""
    kind, low_high = (parameters.get(f"projection.{name}.{each}", "") for each in ("type", "range"))
    if kind == "enum":
        return {each.strip() for each in parameters.get(f"projection.{name}.values", "").split(",")}
    if kind == "integer":
        digits = int(parameters.get(f"projection.{name}.digits") or 0)
        return {each.strip().rjust(digits, "0") for each in low_high.split(",")}
    if kind == "date" and (form := strftime_form(parameters.get(f"projection.{name}.format", ""))):
        return {datetime(year, 12, 31, 23).strftime(form) for year in (2000, 2099)}
    return set()


def strftime_form(form: str) -> str:
    """Translate a form of Java's, of years to hours, to strftime's; '' where it has something else.

    >>> strftime_form("yyyy/MM/dd/HH"), strftime_form("yyyy-'W'w")
    ('%Y/%m/%d/%H', '')
    """
    text = re.sub(
        r"'([^']*)'|yyyy|MM|dd|HH|M|d|H|[A-Za-z]+",
        lambda match: match[1] if match[1] is not None else _FORMS.get(match[0], "\0"),
        form,
    )
    return "" if "\0" in text else text


def value_at(moment: datetime, form: str, units: str) -> str:
    """Return the value of a projected column at a local time, in its form of Java's, else of these units."""
    return moment.strftime(strftime_form(form) or "".join(f"%{unit}" for unit in units)).rjust(
        4 if "Y" in units else 0, "0"
    )


def _range_end(text: str, present: datetime) -> datetime | None:
    """Read one end of a projection's range; None where it is not known."""
    if now := _NOW.fullmatch(text.strip()):
        try:
            return present + int(now[2] or 0) * _LENGTHS[(now[3] or "DAY").upper()] * (-1 if now[1] == "-" else 1)
        except OverflowError:  # before or after all times there are
            return None
    span = interval_of(dict(zip("YmdH", numbers_of(text), strict=False)))
    return span and span[0]


def is_projected(name: str, parameters: Mapping[str, str], text: str) -> bool:
    """Return whether a value is one of a projected column's: Athena reads no folder of another.

    >>> span = {"projection.year.type": "integer", "projection.year.range": "2024,2033"}
    >>> is_projected("year", span, "2026"), is_projected("year", span, "2034")
    (True, False)
    """
    given = {
        each: parameters.get(f"projection.{name}.{each}", "")
        for each in ("type", "values", "range", "digits", "interval", "format")
    }
    low, _, high = (each.strip() for each in given["range"].partition(","))
    if given["type"] == "enum":
        return text in {each.strip() for each in given["values"].split(",")}
    if given["type"] == "integer" and low.isdecimal() and high.isdecimal():
        padded = str(int(text)).rjust(int(given["digits"] or 0), "0") if text.isdecimal() else ""
        return text == padded and int(low) <= int(text) <= int(high)
    if given["type"] == "date" and (form := strftime_form(given["format"])):
        at = interval_of(dict(zip("YmdH", numbers_of(text), strict=False)))
        now = datetime.now(UTC).replace(tzinfo=None)
        first, last = _range_end(low, now), _range_end(high, now)
        if first and _NOW.fullmatch(low):  # of a day that is half over, the folder
            first -= timedelta(days=1)
        return (
            at is not None
            and at[0].strftime(form) == text
            and (first is None or at[0] >= first)
            and (last is None or at[0] <= last)
        )
    return True


def count_projected(columns: Iterable[str], parameters: Mapping[str, str], at: datetime) -> int:
    """Count the partitions of a table: the folders that Athena lists for a query which names none, in UTC at `at`.

    https://docs.aws.amazon.com/athena/latest/ug/partition-projection.html (empty ones are listed as well)

    Raises
    ------
    ValueError
        Where a column's values are not those of a list, of numbers, or of times by weeks or less.

    >>> hours = {f"projection.arrival.{name}": text for name, text in {
    ...     "type": "date", "format": "yyyy/MM/dd/HH", "range": "2026/11/01/00,NOW", "interval.unit": "HOURS"
    ... }.items()}
    >>> count_projected(["arrival"], hours, datetime(2026, 11, 2, 1, 30))
    26
    """
    count = 1
    for name in columns:
        given = {
            each: parameters.get(f"projection.{name}.{each}", "")
            for each in ("type", "values", "range", "interval", "interval.unit")
        }
        low, _, high = (each.strip() for each in given["range"].partition(","))
        step = int(given["interval"] or 1)
        if given["type"] == "enum":
            count *= len(given["values"].split(","))
        elif given["type"] == "integer":
            count *= (int(high) - int(low)) // step + 1
        else:
            first, last = _range_end(low, at), _range_end(high, at)
            unit = given["interval.unit"].upper().removesuffix("S") or "DAY"
            if given["type"] != "date" or not first or not last or unit in ("YEAR", "MONTH"):
                raise ValueError(f"the partitions of {name} cannot be counted: {given}")
            count *= max(0, (last - first) // (step * _LENGTHS[unit]) + 1)
    return count


def is_padded(name: str, units: str, parameters: Mapping[str, str]) -> bool:
    """Return whether the values of a projected column sort as texts like the times they tell, `units`, do."""
    kind, form = (parameters.get(f"projection.{name}.{each}", "") for each in ("type", "format"))
    if kind == "integer":
        digits = int(parameters.get(f"projection.{name}.digits") or 0)
        return digits >= 2 or units == "Y"
    return kind == "date" and "%-" not in strftime_form(form)
