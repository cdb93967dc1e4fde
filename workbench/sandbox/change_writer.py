"""Writes changes of a dataset's items at drawn instants: new items, next versions, removals, bursts of one instant.

The standard library is all it needs: the Lambda that writes test data runs this file too.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from workbench.errors import ParameterError

_HOUR = timedelta(hours=1)
_BULK = 5_000  # changes a transaction
HOURLY_WEIGHTS = (2, 1, 1, 1, 1, 2, 5, 9, 12, 13, 12, 12, 13, 12, 11, 11, 12, 14, 16, 17, 15, 11, 7, 4)
"""How busy the hours of a day are, from midnight on, UTC."""


class Store(Protocol):
    """What is written to: the item store, or a table in DynamoDB."""

    def put_item(self, table: str, item: Mapping[str, Any], *, now: datetime | None = None) -> None:
        """Write an item, in place of one with its key."""

    def delete_item(self, table: str, key: Mapping[str, Any], *, now: datetime | None = None) -> None:
        """Remove an item."""

    def expire(self, table: str, now: datetime | None = None) -> int:
        """Remove the items whose time to live is over, and count them; 0 where that is not ours to do."""

    def bulk(self) -> AbstractContextManager[None]:
        """Make writes together; they are stored when it ends."""


class Dataset(Protocol):
    """Makes the items of a table, and their next versions."""

    key: dict[str, str]
    items_a_change: float
    newest_first: bool
    """Whether the newest items change most often, as orders do on their way; else the oldest do."""

    def new(self, number: int, now: datetime) -> dict[str, Any]:
        """Make the item of that number."""

    def changed(self, item: dict[str, Any], now: datetime) -> dict[str, Any]:
        """Make the item's next version, which differs."""

    def spoilt(self, item: dict[str, Any], now: datetime) -> dict[str, Any] | None:
        """Make what a job that is wrong leaves of the item; None where it leaves it alone."""


def span_of(start: datetime | None, end: datetime | None) -> tuple[datetime, datetime]:
    """Return the span of the changes: by default, the seven days before the last full hour.

    Raises
    ------
    ParameterError
        Where it is empty.

    >>> start, end = span_of(None, datetime(2026, 11, 18))
    >>> start.isoformat(), end.isoformat()
    ('2026-11-11T00:00:00+00:00', '2026-11-18T00:00:00+00:00')
    """
    until = _utc(end) if end else datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    since = _utc(start) if start else until - timedelta(days=7)
    if since >= until:
        raise ParameterError(f"the span is empty: start {since} is not before end {until}")
    return since, until


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def times_within(rng: random.Random, span: tuple[datetime, datetime], changes: int) -> list[datetime]:
    """Return drawn instants, in order, that follow the hours of the day, with quieter weekends.

    >>> noon = datetime(2026, 11, 18, 12, tzinfo=UTC)
    >>> times = times_within(random.Random(0), (noon, noon + timedelta(hours=2)), 3)
    >>> len(times), times == sorted(times), all(noon <= at < noon + timedelta(hours=2) for at in times)
    (3, True, True)
    """
    hours = math.ceil((span[1] - span[0]) / _HOUR)
    starts = [span[0] + hour * _HOUR for hour in range(hours)]
    weights = [HOURLY_WEIGHTS[at.hour] * (0.55 if at.weekday() >= 5 else 1) for at in starts]
    drawn = (
        at + timedelta(microseconds=rng.randrange(3_600_000_000)) for at in rng.choices(starts, weights, k=changes)
    )
    micros = (span[1] - span[0]) // timedelta(microseconds=1)
    return sorted(at if at < span[1] else span[0] + timedelta(microseconds=rng.randrange(micros)) for at in drawn)


def last_night(span: tuple[datetime, datetime]) -> datetime:
    """Return the last ten past two, UTC, that has a day of the span before it and six hours after it.

    Raises
    ------
    ParameterError
        Where there is none.

    >>> last_night((datetime(2026, 11, 11, tzinfo=UTC), datetime(2026, 11, 18, tzinfo=UTC))).isoformat()
    '2026-11-17T02:10:00+00:00'
    """
    latest = span[1] - timedelta(hours=6)
    night = latest.replace(hour=2, minute=10, second=0, microsecond=0)
    night -= timedelta(days=night > latest)
    if night - span[0] < timedelta(days=1):
        raise ParameterError("there is no night in the span for bad_night: let it be two days and a half, or more")
    return night


def write_changes(
    writer: Writer,
    times: list[datetime],
    same_instant: float,
    done: Callable[[int], object],
    bad_night: datetime | None = None,
) -> None:
    """Make a change at each of the times, a share of them in bursts of one item at one instant.

    With `bad_night`, a job that is wrong writes then, beside these changes.
    """
    bursts = same_instant / (2.25 - 1.25 * same_instant)  # a burst makes 2.25 changes on average
    over: datetime | None = None
    while writer.left:
        before = writer.left
        with writer.store.bulk():
            while writer.left and before - writer.left < _BULK:
                now = times[len(times) - writer.left]
                if bad_night and now >= bad_night:
                    over, bad_night = writer.spoil(bad_night), None
                now = max(now, over or now)
                if writer.rng.random() < bursts and writer.spare >= 3:
                    writer.burst(now)
                else:
                    writer.change(now)
        done(before - writer.left)


class Writer:
    """Makes changes of the items of one table, one by one or several at one instant."""

    def __init__(self, store: Store, table: str, data: Dataset, rng: random.Random, items: int, changes: int) -> None:
        self.store, self.rng, self.left, self.inserted, self.spoilt = store, rng, changes, 0, 0
        self._table, self._data, self._items = table, data, items
        self._live: list[dict[str, Any]] = []
        self._gone: list[dict[str, Any]] = []
        self._swept = datetime.min.replace(tzinfo=UTC)

    @property
    def spare(self) -> int:
        """How many changes are left beyond those that make new items."""
        return self.left - (self._items - self.inserted)

    def change(self, now: datetime) -> None:
        """Make one change, or the removals by TTL that are due."""
        if now - self._swept > _HOUR:
            self._swept, second = now, int(now.timestamp())
            due = [item for item in self._live if item.get("expires_at", second + 1) <= second]
            if 0 < len(due) <= self.spare:
                self.left -= self.store.expire(self._table, now)
                self._live = [item for item in self._live if item.get("expires_at", second + 1) > second]
                self._gone += due
                return
        drawn = self.rng.random()
        wanted = (self._items - self.inserted) / self.left
        if not self._live or (wanted and drawn < (wanted if wanted > 0.5 else min(0.9, 2.5 * wanted))):
            self._insert(now)
        elif drawn > 0.97:
            self._remove(self._pick(), now)
        elif drawn > 0.955 and self._gone:
            self._put(self._gone.pop(self.rng.randrange(len(self._gone))), now)
        else:
            self._modify(self._pick(), now)

    def burst(self, now: datetime) -> None:
        """Make two or three changes of one item at one instant: a chain, there and back, or removed and put back."""
        if not self._live:
            self.change(now)
            return
        at = self._pick()
        item, kind = self._live[at], self.rng.random()
        if kind < 0.5:
            for _ in range(self.rng.choice((2, 3))):
                self._modify(at, now)
        elif kind < 0.8:
            self._modify(at, now)
            self._put_back(at, item, now)
        else:
            self._remove(at, now)
            self._put(self._gone.pop(), now)

    def spoil(self, night: datetime) -> datetime:
        """Have a job change what it takes for something else, within two minutes; return when it was over."""
        left = [(at, item) for at, item in enumerate(self._live) if self._data.spoilt(item, night)]
        for number, (at, item) in enumerate(left):
            now = night + number / len(left) * timedelta(minutes=2)
            spoilt = self._data.spoilt(item, now) or item
            self.store.put_item(self._table, spoilt, now=now)
            self._live[at], self.spoilt = spoilt, self.spoilt + 1
        return night + timedelta(minutes=2)

    def _pick(self) -> int:
        at = int(len(self._live) * self.rng.random() ** 3)  # a few items change much more often than most
        return len(self._live) - 1 - at if self._data.newest_first else at

    def _insert(self, now: datetime) -> None:
        if self.inserted >= self._items and self._gone:
            self._put(self._gone.pop(), now)
            return
        self._put(self._data.new(self.inserted, now), now)
        self.inserted += 1

    def _put(self, item: dict[str, Any], now: datetime) -> None:
        if item.get("expires_at", math.inf) <= now.timestamp():
            item = {name: value for name, value in item.items() if name != "expires_at"}
        self.store.put_item(self._table, item, now=now)
        self._live.append(item)
        self.left -= 1

    def _put_back(self, at: int, item: dict[str, Any], now: datetime) -> None:
        self.store.put_item(self._table, item, now=now)
        self._live[at] = item
        self.left -= 1

    def _modify(self, at: int, now: datetime) -> None:
        self._put_back(at, self._data.changed(self._live[at], now), now)

    def _remove(self, at: int, now: datetime) -> None:
        item = self._live[at]
        self.store.delete_item(self._table, {name: item[name] for name in self._data.key}, now=now)
        self._live[at] = self._live[-1]
        self._live.pop()
        self._gone.append(item)
        self.left -= 1
