"""How the changes of a window were delivered: `delivery.sql` read, and what stands out in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from workbench.questions.columns import LAG

_LAGS = [name for name, kind in LAG.items() if kind.startswith("timedelta")]


@dataclass(frozen=True)
class Delivery:
    """What `delivery.sql` answers about all changes of a window.

    Attributes
    ----------
    total
        Its numbers by name, and examples of changes; empty where there is no change.
    newest
        The last change whose time is possible, in UTC.
    hours
        How many changes were made, by the hour (UTC) in which there were any; those whose time is possible.
    """

    total: Mapping[str, Any]
    newest: datetime | None
    hours: pd.Series

    @classmethod
    def read(cls, rows: pa.Table) -> Delivery:
        """Read the rows of `delivery.sql`."""
        total = rows.filter(rows.column("total")).to_pylist()
        newest = total[0]["newest"] if total else None
        by_hour = rows.filter(rows.column("made")).select(["hour", "changes", "ahead", "before"]).to_pandas()
        possible = (
            by_hour["changes"].astype("int64") - by_hour["ahead"].astype("int64") - by_hour["before"].astype("int64")
        )
        hours = pd.Series(possible.to_numpy(), pd.DatetimeIndex(by_hour["hour"]))[possible.to_numpy() > 0].sort_index()
        return cls(total[0] if total else {}, newest and newest.replace(tzinfo=UTC), hours)

    def count(self, name: str) -> int:
        """Return one of its numbers; 0 where there is no change."""
        return int(self.total.get(name) or 0)

    @property
    def longest_silence(self) -> timedelta:
        """The longest time between two hours with changes."""
        silences = self.hours.index.to_series().diff().max()
        return timedelta(0) if pd.isna(silences) else silences.to_pytimedelta()


def lag(rows: pa.Table) -> pd.DataFrame:
    """Read the hours of `delivery.sql`: how long changes took to arrive, one row an hour of arrival (UTC)."""
    arrived = pc.invert(pc.or_(rows.column("total"), rows.column("made")))
    hours = rows.filter(pc.and_(arrived, pc.and_(rows.column("hour").is_valid(), rows.column("longest").is_valid())))
    df: pd.DataFrame = hours.select(["hour", "changes", *_LAGS]).to_pandas()
    for name in _LAGS:
        df[name] = pd.to_timedelta(df[name].astype("int64"), unit="ms")
    df.insert(0, "arrival", df.pop("hour").astype("datetime64[us]").dt.tz_localize("UTC"))
    return df.astype(dict(LAG)).sort_values("arrival", ignore_index=True)


def silent_hours(hours: pd.Series) -> list[pd.Timestamp]:
    """Return the hours without a change, between the first and the last with one, that rarely were silent.

    An hour of the day of which at most a tenth of the other days had none, and the typical one at least 10.

    Examples
    --------
    >>> hours = pd.Series(20, pd.date_range("2026-11-01", periods=24 * 30, freq="1h"))
    >>> silent_hours(hours.drop(pd.Timestamp("2026-11-08 13:00")))
    [Timestamp('2026-11-08 13:00:00')]
    """
    if not len(hours) or (hours.index[-1] - hours.index[0]) < pd.Timedelta("7D"):
        return []
    silent: list[pd.Timestamp] = []
    every = hours.resample("h").sum()
    for _, days in every.groupby(pd.DatetimeIndex(every.index).hour):
        without = days[days == 0]
        if len(without) and len(without) - 1 <= (len(days) - 1) / 10 and days.median() >= 10:
            silent += list(without.index)
    return sorted(silent)


def unusual_days(hours: pd.Series) -> pd.Series:
    """Return the counts of whole days that stand out from a log of ten days or more; none where many do."""
    daily = by_day(hours).iloc[1:-1]
    typical = daily.median() if len(daily) >= 10 else 0
    if typical < 30:
        return daily.iloc[:0]
    spread = 1.4826 * (daily - typical).abs().median()
    out = daily[((daily < typical / 3) | (daily > typical * 3)) & ((daily - typical).abs() > 5 * spread)]
    return out if len(out) <= len(daily) / 10 else out.iloc[:0]


def by_day(hours: pd.Series) -> pd.Series:
    """Count by day (UTC), from the first to the last day."""
    return hours.resample("D").sum()


def runs(hours: Sequence[pd.Timestamp]) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
    """Put hours that follow each other together: where each run begins and ends.

    Examples
    --------
    >>> [f"{begin:%H}-{end:%H}" for begin, end in runs(list(pd.to_datetime(["2026-11-08 13:00", "2026-11-08 14:00"])))]
    ['13-15']
    """
    joined: list[tuple[pd.Timestamp, pd.Timestamp]] = []
    for hour in hours:
        begin = joined.pop()[0] if joined and joined[-1][1] == hour else hour
        joined.append((begin, hour + pd.Timedelta("1h")))
    return joined
