"""Instants, windows and lengths of time as people write them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from workbench.errors import ParameterError
from workbench.text import moment as written

if TYPE_CHECKING:
    import pandas as pd  # heavy: completion of the command line reads settings, and does without

START_OF_TIME = datetime(1, 1, 1, tzinfo=UTC)
END_OF_TIME = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
Moment = str | date | datetime
"""An instant as people give it; pandas' Timestamp is a datetime."""
_DAYS = {"now": None, "today": 0, "yesterday": 1}
_WRITE_IT_LIKE = "write it like 2026-11-01T12:00:00Z, -7d, -1h30m, now, today or yesterday"
_LENGTH = r"(\d+(?:\.\d+)?)\s*(ms|mo|min|m|s|h|d|w)"
_UNITS = {"m": "min", "d": "D", "w": "W"}


def now() -> datetime:
    """Return the present instant; the one clock that answers go by."""
    return datetime.now(UTC)


def zone_of(name: str) -> ZoneInfo:
    """Return the time zone of a name.

    Raises
    ------
    ParameterError
        Where there is none.

    >>> zone_of("Europe/Berlin")
    zoneinfo.ZoneInfo(key='Europe/Berlin')
    """
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError) as error:
        raise ParameterError(f"{name!r} is no time zone: use a name like UTC or Europe/Berlin") from error


def instant(value: Moment, timezone: str = "UTC", at: datetime | None = None) -> datetime:
    """Read an instant, in `timezone` where it names no zone, and return it in UTC.

    It is a datetime, a date (its beginning), or text: ISO 8601, also with a zone's name after it, ``now``, ``today``
    and ``yesterday`` (the beginning of that day), or so long before now: ``-7d``, ``-1h30m``, ``-1mo``. What counts as
    now is `at`, where several instants are to be told by one.

    >>> instant("2026-11-01T12:00+01:00"), instant("2026-11-01", "Europe/Berlin")
    (datetime.datetime(2026, 11, 1, 11, 0, tzinfo=datetime.timezone.utc),
     datetime.datetime(2026, 10, 31, 23, 0, tzinfo=datetime.timezone.utc))
    """
    zone = zone_of(timezone)
    moment = _read_text(value.strip(), zone, at or now()) if isinstance(value, str) else value
    if hasattr(moment, "to_pydatetime"):
        moment = moment.to_pydatetime(warn=False)
    elif isinstance(moment, date) and not isinstance(moment, datetime):
        moment = datetime.combine(moment, time())
    if not isinstance(moment, datetime) or moment != moment:  # NaT is a datetime
        raise ParameterError(f"{value!r} is not an instant: {_WRITE_IT_LIKE}")
    try:
        return (moment.replace(tzinfo=zone) if moment.tzinfo is None else moment).astimezone(UTC)
    except OverflowError as error:
        raise ParameterError(f"{value!r} is outside of the years 1 to 9999 in UTC: {_WRITE_IT_LIKE}") from error


def window(start: Moment | None, end: Moment | None, timezone: str = "UTC") -> tuple[datetime, datetime]:
    """Return a window of time in UTC: from its start, inclusive, to its end, exclusive; what is not given is open.

    Raises
    ------
    ParameterError
        Where one of them is no instant, or the window is empty.

    >>> begin, until = window("2026-11-01", "2026-11-02", "Europe/Berlin")
    >>> begin.isoformat(), until.isoformat()
    ('2026-10-31T23:00:00+00:00', '2026-11-01T23:00:00+00:00')
    """
    begin = START_OF_TIME if start is None else instant(start, timezone)
    until = END_OF_TIME if end is None else instant(end, timezone)
    if begin >= until:
        raise ParameterError(
            f"the window is empty: its start, {written(begin)} UTC, is not before its end, {written(until)} UTC"
        )
    return begin, until


def duration(text: str) -> pd.Timedelta:
    """Return the length of time that a text such as ``15min``, ``1h30m``, ``7d`` or ``2w`` says.

    Raises
    ------
    ParameterError
        Where it is none, or longer than can be told; months have no length of their own.

    >>> duration("1h30m"), duration("2w")
    (Timedelta('0 days 01:30:00'), Timedelta('14 days 00:00:00'))
    """
    import pandas as pd

    parts = units_of(text)
    try:
        return sum((pd.Timedelta(float(count), _UNITS.get(unit, unit)) for unit, count in parts), pd.Timedelta(0))  # type: ignore[arg-type]
    except (OverflowError, ValueError):  # the latter is pandas' own for it
        raise ParameterError(f"{text!r} is longer than any log: write it like 15min, 24h or 7d") from None


def units_of(text: str) -> list[tuple[str, str]]:
    """Return the units of a length of time, with how many of each; it raises as `duration` does.

    >>> units_of("1h30m")
    [('h', '1'), ('m', '30')]
    """
    parts = _units(text)
    if not parts or "mo" in dict(parts):
        raise ParameterError(f"{text!r} is no length of time: write it like 15min, 24h or 7d")
    return parts


def _units(text: str) -> list[tuple[str, str]]:
    """Return the units and counts of a length of time; none where it is not one."""
    whole = re.fullmatch(rf"\s*(?:{_LENGTH}\s*)+", text)
    return [(unit, count) for count, unit in re.findall(_LENGTH, text)] if whole else []


def _read_text(text: str, zone: ZoneInfo, at: datetime) -> datetime:
    if text.lower() in _DAYS:
        ago = _DAYS[text.lower()]
        wall = at.astimezone(zone).replace(tzinfo=None)
        midnight = wall.replace(hour=0, minute=0, second=0, microsecond=0)
        return at if ago is None else midnight - timedelta(days=ago)
    if text.startswith("-") and (parts := _units(text[1:])):
        return _before(at, parts, zone, text)
    iso, name = text, ""
    if named := re.fullmatch(r"(.*\d)\s+([A-Za-z][\w+/-]*)", text):  # as this program prints times: … UTC
        iso, name = named.groups()
    try:
        moment = datetime.fromisoformat(iso)
        if name and moment.tzinfo is not None:
            raise ValueError("two zones")
    except ValueError as error:
        raise ParameterError(f"{text!r} is not an instant: {_WRITE_IT_LIKE}") from error
    return moment.replace(tzinfo=zone_of(name)) if name else moment


def _before(at: datetime, parts: list[tuple[str, str]], zone: ZoneInfo, text: str) -> datetime:
    """Go back from an instant: months by the calendar of the zone, the rest as time passes."""
    import pandas as pd

    months = [count for unit, count in parts if unit == "mo"]
    rest = "".join(count + unit for unit, count in parts if unit != "mo")
    if not all(count.isdigit() for count in months):
        raise ParameterError(f"{text!r} is not an instant: months are whole numbers, like -1mo")
    try:
        moment = pd.Timestamp(at)
        if months:
            moment = moment.tz_convert(zone) - pd.DateOffset(months=sum(map(int, months)))
        return (moment - (duration(rest) if rest else pd.Timedelta(0))).to_pydatetime()
    except (OverflowError, ValueError) as error:
        raise ParameterError(f"{text!r} is too long ago: {_WRITE_IT_LIKE}") from error
