"""The datasets that are generated: what their items are like, and how these change.

The standard library and Faker are all it needs: the Lambda that writes test data runs this file too.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from workbench.errors import ParameterError, did_you_mean
from workbench.sandbox.change_writer import HOURLY_WEIGHTS, Dataset


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
        awake = HOURLY_WEIGHTS[now.hour] / 17
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
