"""Buckets of time in a time zone: changes counted by a UTC unit, put together and filled with zeros."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pandas as pd

from workbench.errors import ParameterError, did_you_mean

COUNTS = ["inserts", "modifies", "removes", "ttl_removes", "changes"]
_WIDTHS = {
    "1min": "1min", "5min": "5min", "15min": "15min", "30min": "30min", "1h": "1h", "3h": "3h", "6h": "6h",
    "12h": "12h", "1d": "1D", "1w": "W-MON", "1mo": "MS",
}  # fmt: skip
_MOST = 1_000_000


def unit_of(every: str, timezone: str) -> str:
    """Name the UTC unit that buckets of this width are put together from.

    Raises
    ------
    ParameterError
        Where there is no such width or time zone.
    """
    if every not in _WIDTHS:
        raise ParameterError(f"every={every!r} is no bucket; use one of {', '.join(_WIDTHS)}."
                             f"{did_you_mean(every, _WIDTHS)}")  # fmt: skip
    try:
        ZoneInfo(timezone)
    except (ValueError, OSError, LookupError) as error:
        raise ParameterError(f"{timezone!r} is no time zone: use a name like UTC or Europe/Berlin") from error
    if timezone != "UTC" or "min" in every:
        return "minute"
    return "hour" if "h" in every else "day"


def into_buckets(counts: pd.DataFrame, every: str, timezone: str, start: datetime | None, end: datetime | None,
                 ) -> pd.DataFrame:  # fmt: skip
    """Put counts by UTC unit together into the buckets of a time zone, empty ones included.

    Buckets of up to an hour follow elapsed time, so an hour that a clock change repeats is two buckets;
    longer ones follow the local calendar, weeks from Monday, so that such a day has 23 or 25 hours.

    Parameters
    ----------
    counts
        ``bucket`` (datetime64, UTC) and `COUNTS`.
    start, end
        The window; without them, from the first to the last bucket with a change.

    Returns
    -------
    pandas.DataFrame
        ``bucket``, the start of each (datetime64[us, `timezone`]), and `COUNTS` (int64).
    """
    units = pd.DatetimeIndex(counts["bucket"]).tz_localize("UTC")
    first = pd.Timestamp(start) if start else units.min()
    last = pd.Timestamp(end) - pd.Timedelta("1us") if end else units.max()
    if pd.isna(first) or pd.isna(last) or first > last:
        buckets = pd.DatetimeIndex([], dtype="datetime64[us, UTC]").tz_convert(timezone)
    else:
        buckets = _all_buckets(first, last, every, timezone)
    starts = _floor(units, every, timezone)
    summed = counts[COUNTS].groupby(starts).sum().reindex(buckets, fill_value=0).astype("int64")
    return summed.rename_axis("bucket").reset_index().astype({"bucket": f"datetime64[us, {timezone}]"})


def _floor(moments: pd.DatetimeIndex, every: str, timezone: str) -> pd.DatetimeIndex:
    local = moments.tz_convert(timezone)
    wall = local.tz_localize(None)
    if every in ("1w", "1mo"):
        return _from_wall(wall.to_period("W-SUN" if every == "1w" else "M").start_time, timezone)
    floored = wall.floor(_WIDTHS[every])
    if pd.Timedelta(_WIDTHS[every]) <= pd.Timedelta("1h"):  # the same offset as before keeps a repeated hour apart
        return (floored - (wall - moments.tz_localize(None))).tz_localize("UTC").tz_convert(timezone)
    return _from_wall(floored, timezone)


def _from_wall(wall: pd.DatetimeIndex, timezone: str) -> pd.DatetimeIndex:
    return wall.tz_localize(timezone, ambiguous=[True] * len(wall), nonexistent="shift_forward")  # type: ignore[arg-type]


def _all_buckets(first: pd.Timestamp, last: pd.Timestamp, every: str, timezone: str) -> pd.DatetimeIndex:
    width = _WIDTHS[every]
    begin = _floor(pd.DatetimeIndex([first]), every, timezone)[0]
    if every not in ("1w", "1mo") and (last - begin) / pd.Timedelta(width) > _MOST:
        raise ParameterError(f"more than {_MOST:,} buckets of {every}: use wider buckets or a narrower window")
    if every not in ("1w", "1mo") and pd.Timedelta(width) <= pd.Timedelta("1h"):
        steps = pd.date_range(begin.tz_convert("UTC"), last.tz_convert("UTC"), freq=width)
        # the last step may fall short of the bucket `last` lies in where the zone's offset changes in between
        return _floor(pd.DatetimeIndex([*steps, last.tz_convert("UTC")]), every, timezone).unique().sort_values()
    wall = pd.date_range(begin.tz_localize(None), last.tz_convert(timezone).tz_localize(None), freq=width)
    return _from_wall(wall, timezone).unique()
