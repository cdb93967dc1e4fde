"""Buckets of time in a time zone: changes counted by a UTC unit, put together and filled with zeros."""

from __future__ import annotations

from datetime import datetime

import pandas as pd

from workbench.errors import ParameterError, did_you_mean
from workbench.model.times import zone_of

_WIDTHS = {
    "1min": "1min",
    "5min": "5min",
    "15min": "15min",
    "30min": "30min",
    "1h": "1h",
    "3h": "3h",
    "6h": "6h",
    "12h": "12h",
    "1d": "1D",
    "1w": "W-MON",
    "1mo": "MS",
}
_MOST = 20_000
"""Buckets up to which empty ones are shown; of more, those beside a change are, and the first and the last."""


def unit_of(every: str, timezone: str) -> str:
    """Name the UTC unit that buckets of this width are put together from.

    Raises
    ------
    ParameterError
        Where there is no such width or time zone.

    Examples
    --------
    >>> unit_of("1d", "UTC"), unit_of("1d", "Europe/Berlin")
    ('day', 'minute')
    """
    if every not in _WIDTHS:
        raise ParameterError(
            f"every={every!r} is no bucket; use one of {', '.join(_WIDTHS)}.{did_you_mean(every, _WIDTHS)}"
        )
    zone_of(timezone)
    if timezone != "UTC" or "min" in every:
        return "minute"
    return "hour" if "h" in every else "day"


def into_buckets(
    counts: pd.DataFrame, every: str, timezone: str, start: datetime | None, end: datetime | None
) -> pd.DataFrame:
    """Put counts by UTC unit together into the buckets of a time zone, empty ones included.

    Buckets of up to an hour follow elapsed time, so an hour that a clock change repeats is two buckets;
    longer ones follow the local calendar, weeks from Monday, so that such a day has 23 or 25 hours.

    Parameters
    ----------
    counts
        ``bucket`` (datetime64, UTC), and counts in all other columns.
    start, end
        The window; without them, from the first to the last bucket with a change.

    Returns
    -------
    pandas.DataFrame
        ``bucket``, the start of each (datetime64[us, `timezone`]), and the counts (int64). Where there are more than
        20,000 buckets, of the empty ones those beside a change, the first and the last: ``attrs["left_out"]`` is about
        how many there are more.

    Examples
    --------
    >>> counts = pd.DataFrame({"bucket": pd.to_datetime(["2026-11-01 00:00", "2026-11-01 02:00"]), "changes": [3, 1]})
    >>> into_buckets(counts, "1h", "UTC", None, None)["changes"].to_list()
    [3, 0, 1]
    """
    units = pd.DatetimeIndex(counts["bucket"]).tz_localize("UTC")
    first = pd.Timestamp(start) if start else units.min()
    last = pd.Timestamp(end) - pd.Timedelta("1us") if end else units.max()
    starts, many = _floor(units, every, timezone), 0
    if pd.isna(first) or pd.isna(last) or first > last:
        buckets = pd.DatetimeIndex([], dtype="datetime64[us, UTC]").tz_convert(timezone)
    elif (many := _about(first, last, every)) > _MOST:
        ends = _floor(pd.DatetimeIndex([first, last]).tz_convert("UTC"), every, timezone)
        buckets = ends.union(_beside(starts.unique(), every, timezone))
    else:
        buckets = _all_buckets(first, last, every, timezone)
    buckets = buckets.union(starts.unique())  # also where a clock change turns back past the start of a day
    summed = counts.drop(columns="bucket").groupby(starts).sum().reindex(buckets, fill_value=0).astype("int64")
    df = summed.rename_axis("bucket").reset_index().astype({"bucket": f"datetime64[us, {timezone}]"})
    df.attrs["left_out"] = max(0, many - len(df)) if many > _MOST else 0
    return df


def left_out(df: pd.DataFrame) -> list[str]:
    """Return a note on how many empty buckets a frame of `into_buckets` lacks; none where it has all.

    >>> left_out(pd.DataFrame())
    []
    """
    count = df.attrs.pop("left_out", 0)
    return [f"about {count:,} empty buckets between the others are left out"] if count else []


def _about(first: pd.Timestamp, last: pd.Timestamp, every: str) -> int:
    return 0 if every in ("1w", "1mo") else int((last - first) / pd.Timedelta(_WIDTHS[every])) + 1


def _beside(starts: pd.DatetimeIndex, every: str, timezone: str) -> pd.DatetimeIndex:
    """Return the buckets before and after some, within their span."""
    utc, width = starts.tz_convert("UTC"), pd.Timedelta(_WIDTHS[every])
    before, after = (_floor(moments, every, timezone) for moments in (utc - pd.Timedelta("1us"), utc + 1.5 * width))
    beside = before.union(after).unique()
    return beside[(beside >= starts.min()) & (beside <= starts.max())] if len(starts) else beside


def _floor(moments: pd.DatetimeIndex, every: str, timezone: str) -> pd.DatetimeIndex:
    if _by_calendar(every):
        return _from_wall(_floor_wall(moments.tz_convert(timezone).tz_localize(None), every), timezone)
    offset = _offset(moments, timezone)  # the same offset as before keeps a repeated hour apart
    floored = (moments + offset).floor(_WIDTHS[every]) - offset
    cut = _offset(floored, timezone) != offset
    if cut.any():  # the clock changed in between, by half an hour: the bucket begins there
        floored = pd.DatetimeIndex(
            [
                _clock_change(begin, moment, timezone) if changed else begin
                for begin, moment, changed in zip(floored, moments, cut, strict=True)
            ]
        )
    return floored.tz_convert(timezone)


def _by_calendar(every: str) -> bool:
    return every in ("1w", "1mo") or pd.Timedelta(_WIDTHS[every]) > pd.Timedelta("1h")


def _floor_wall(wall: pd.DatetimeIndex, every: str) -> pd.DatetimeIndex:
    if every in ("1w", "1mo"):
        return wall.to_period("W-SUN" if every == "1w" else "M").start_time
    return wall.floor(_WIDTHS[every])


def _from_wall(wall: pd.DatetimeIndex, timezone: str) -> pd.DatetimeIndex:
    return wall.tz_localize(timezone, ambiguous=[True] * len(wall), nonexistent="shift_forward")  # type: ignore[arg-type]


def _offset(moments: pd.DatetimeIndex, timezone: str) -> pd.TimedeltaIndex:
    return moments.tz_convert(timezone).tz_localize(None) - moments.tz_localize(None)


def _clock_change(before: pd.Timestamp, after: pd.Timestamp, timezone: str) -> pd.Timestamp:
    """Find the minute between two moments, in UTC, from which the clock shows the offset it has at the later."""
    minutes = pd.date_range(before.ceil("1min"), after, freq="1min")
    return minutes[_offset(minutes, timezone) == _offset(minutes[-1:], timezone)[0]][0]


def _all_buckets(first: pd.Timestamp, last: pd.Timestamp, every: str, timezone: str) -> pd.DatetimeIndex:
    width, ends = _WIDTHS[every], pd.DatetimeIndex([first, last]).tz_convert("UTC")
    if _by_calendar(every):  # stepped on the wall clock, whose days begin at midnight even where a zone skips it
        begin, end = _floor_wall(ends.tz_convert(timezone).tz_localize(None), every)
        return _from_wall(pd.date_range(begin, end, freq=width), timezone).unique()
    steps = pd.date_range(_floor(ends[:1], every, timezone)[0].tz_convert("UTC"), ends[1], freq=width)
    # the last step may fall short of the bucket `last` lies in where the zone's offset changes in between
    return _floor(pd.DatetimeIndex([*steps, ends[1]]), every, timezone).unique().sort_values()
