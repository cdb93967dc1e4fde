"""Instants, windows and lengths of time as people write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pandas as pd

from workbench.errors import ParameterError

START_OF_TIME = datetime(1, 1, 1, tzinfo=UTC)
END_OF_TIME = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
Moment = str | datetime | pd.Timestamp


def instant(value: Moment) -> datetime:
    """Read an instant: ISO 8601 text or a datetime, UTC where it names no zone, or ``-7d``, so long before now.

    >>> instant("2026-11-01T12:00+01:00")
    datetime.datetime(2026, 11, 1, 11, 0, tzinfo=datetime.timezone.utc)
    """
    if isinstance(value, str) and (ago := value.strip()).startswith("-"):
        return datetime.now(UTC) - duration(ago[1:]).to_pytimedelta()
    try:
        moment = datetime.fromisoformat(value.strip()) if isinstance(value, str) else value
    except ValueError as error:
        raise ParameterError(f"{value!r} is not an instant: write it like 2026-11-01T12:00:00Z or -7d") from error
    if isinstance(moment, pd.Timestamp):
        moment = moment.to_pydatetime(warn=False)
    if not isinstance(moment, datetime):
        raise ParameterError(f"{value!r} is not an instant: write it like 2026-11-01T12:00:00Z")
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def window(start: Moment | None, end: Moment | None) -> tuple[datetime, datetime]:
    """Read a window of time: from its start, inclusive, to its end, exclusive; what is not given is open."""
    begin, until = START_OF_TIME if start is None else instant(start), END_OF_TIME if end is None else instant(end)
    if begin >= until:
        raise ParameterError(f"the window is empty: start {begin} is not before end {until}")
    return begin, until


def duration(text: str) -> pd.Timedelta:
    """Read a length of time such as ``15min``, ``24h`` or ``7d``."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|min|h|d)\s*", text)
    if not found:
        raise ParameterError(f"{text!r} is no length of time: write it like 15min, 24h or 7d")
    return pd.Timedelta(float(found[1]), found[2].replace("d", "D"))  # type: ignore[arg-type]
