"""The datasets that are generated: what their items are like, and how these change.

The standard library and Faker are all it needs: the Lambda that writes test data runs this file too.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

from workbench.errors import ParameterError, did_you_mean

_HOUR = timedelta(hours=1)
_BULK = 5_000  # changes a transaction
_DAILY = (2, 1, 1, 1, 1, 2, 5, 9, 12, 13, 12, 12, 13, 12, 11, 11, 12, 14, 16, 17, 15, 11, 7, 4)  # weight by hour


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


def check(dataset: str, items: int | None, changes: int) -> None:
    """Refuse a dataset there is not, and numbers that make no sense.

    Raises
    ------
    ParameterError
        Naming the datasets there are, or the numbers.

    >>> check("persons", items=10, changes=100)
    """
    if dataset not in DATASETS:
        raise ParameterError(
            f"there is no dataset {dataset!r}; there are: {', '.join(DATASETS)}.{did_you_mean(dataset, DATASETS)}"
        )
    if changes < 1 or not 1 <= (1 if items is None else items) <= changes:
        raise ParameterError(f"items={items}, changes={changes}: at least one change, and one for each item")


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
    weights = [_DAILY[at.hour] * (0.55 if at.weekday() >= 5 else 1) for at in starts]
    drawn = (
        at + timedelta(microseconds=rng.randrange(3_600_000_000)) for at in rng.choices(starts, weights, k=changes)
    )
    micros = (span[1] - span[0]) // timedelta(microseconds=1)
    return sorted(at if at < span[1] else span[0] + timedelta(microseconds=rng.randrange(micros)) for at in drawn)


def write_changes(writer: Writer, times: list[datetime], same_instant: float, done: Callable[[int], object]) -> None:
    """Make a change at each of the times, a share of them in bursts of one item at one instant."""
    bursts = same_instant / (2.25 - 1.25 * same_instant)  # a burst makes 2.25 changes on average
    while writer.left:
        before = writer.left
        with writer.store.bulk():
            while writer.left and before - writer.left < _BULK:
                now = times[len(times) - writer.left]
                if writer.rng.random() < bursts and writer.spare >= 3:
                    writer.burst(now)
                else:
                    writer.change(now)
        done(before - writer.left)


class Dataset(Protocol):
    """Makes the items of a table, and their next versions."""

    key: dict[str, str]
    items_a_change: float

    def new(self, number: int, now: datetime) -> dict[str, Any]:
        """Make the item of that number."""

    def changed(self, item: dict[str, Any], now: datetime) -> dict[str, Any]:
        """Make the item's next version, which differs."""


class Writer:
    """Makes changes of the items of one table, one by one or several at one instant."""

    def __init__(self, store: Store, table: str, data: Dataset, rng: random.Random, items: int, changes: int) -> None:
        self.store, self.rng, self.left, self.inserted = store, rng, changes, 0
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

    def _pick(self) -> int:
        return int(len(self._live) * self.rng.random() ** 3)  # a few items change much more often than most

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


class _Persons:
    """People with an address; half-way a loyalty programme begins, and phone numbers become numbers."""

    key = {"pk": "S"}  # noqa: RUF012
    items_a_change = 0.1

    def __init__(self, rng: random.Random, span: tuple[datetime, datetime]) -> None:
        from faker import Faker  # slow to import, and no question needs it

        fake = Faker(["en_GB", "de_DE", "fr_FR", "ja_JP"])
        fake.seed_instance(rng.getrandbits(32))
        self._rng, self._turn = rng, span[0] + (span[1] - span[0]) / 2
        self._first = [fake.first_name() for _ in range(300)]
        self._last = [fake.last_name() for _ in range(300)]
        self._streets = [fake.street_address() for _ in range(300)]
        self._cities = [(fake.city(), fake.postcode()) for _ in range(200)]
        self._tags = ["new", "vip", "newsletter", "trial", "b2b", "churn-risk", "beta", "partner"]

    def new(self, number: int, now: datetime) -> dict[str, Any]:
        rng = self._rng
        first, last = rng.choice(self._first), rng.choice(self._last)
        item = {
            "pk": f"p-{number:06d}",
            "person": {
                "firstname": first,
                "lastname": last,
                "age": rng.randint(18, 95),
                "email": f"{first}.{last}@example.org".lower().replace(" ", ""),
                "address": self._address(),
            },
            "tags": frozenset(rng.sample(self._tags, rng.randint(1, 3))),
            "active": rng.random() < 0.8,
            "balance": Decimal(rng.randrange(100_000)) / 100,
            "visits": 0,
            "phone": self._phone(now),
        }
        if rng.random() < 0.05:
            item["avatar"] = rng.randbytes(12)
        if rng.random() < 0.1:
            item["note"] = rng.choice(("", None, 'prefers "quiet" hours', "日本語"))
        if rng.random() < 0.12:
            item["expires_at"] = int((now + timedelta(hours=rng.uniform(6, 100))).timestamp())
        return item

    def changed(self, item: dict[str, Any], now: datetime) -> dict[str, Any]:
        rng, person = self._rng, item["person"]
        drawn, new = rng.random(), dict(item)
        new["visits"] = item["visits"] + 1
        if drawn < 0.25:
            new["balance"] = Decimal(rng.randrange(100_000)) / 100
        elif drawn < 0.35:
            new["person"] = person | {"address": self._address()}
        elif drawn < 0.42:
            new["person"] = person | {"age": person["age"] + 1}
        elif drawn < 0.55:
            new["tags"] = frozenset(rng.sample(self._tags, rng.randint(1, 4)))
        elif drawn < 0.6:
            new["active"] = not item["active"]
        elif drawn < 0.65:
            new["phone"] = self._phone(now)
        elif drawn < 0.75 and now >= self._turn:
            new["loyalty"] = {"level": rng.choice(("bronze", "silver", "gold")), "points": rng.randrange(5_000)}
        return new

    def _address(self) -> dict[str, Any]:
        city, postcode = self._rng.choice(self._cities)
        return {"street": self._rng.choice(self._streets), "city": city, "postcode": postcode}

    def _phone(self, now: datetime) -> str | int:
        number = self._rng.randrange(10**8, 10**9)
        return number if now >= self._turn else f"0{number}"


class _Heartrate:
    """Readings of wearable sensors: most are written once, some are corrected, some expire."""

    key = {"sensor_id": "S", "report_time": "N"}  # noqa: RUF012
    items_a_change = 0.8

    def __init__(self, rng: random.Random, span: tuple[datetime, datetime]) -> None:
        self._rng = rng
        self._resting = [rng.uniform(52, 78) for _ in range(40)]

    def new(self, number: int, now: datetime) -> dict[str, Any]:
        rng = self._rng
        sensor = int(40 * rng.random() ** 1.7)
        awake = _DAILY[now.hour] / 17
        beats = (
            self._resting[sensor] + 25 * awake * rng.random() + (rng.expovariate(1 / 25) if rng.random() < 0.2 else 0)
        )
        item = {
            "sensor_id": f"sensor-{sensor:02d}",
            "report_time": int(now.timestamp() * 1000) * 1000 + number % 1000,
            "HeartRate": min(210, round(beats)),
            "confidence": Decimal(rng.randint(700, 1000)) / 1000,
            "battery": Decimal(rng.randint(100, 1000)) / 10,
        }
        if rng.random() < 0.05:
            item["expires_at"] = int((now + timedelta(hours=rng.uniform(12, 72))).timestamp())
        return item

    def changed(self, item: dict[str, Any], now: datetime) -> dict[str, Any]:
        beat = item["HeartRate"]
        return item | {"HeartRate": beat + self._rng.choice((-3, -2, -1, 1, 2, 3)), "corrected": True}


DATASETS: dict[str, Callable[[random.Random, tuple[datetime, datetime]], Dataset]] = {
    "persons": _Persons,
    "heartrate": _Heartrate,
}
