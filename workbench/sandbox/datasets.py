"""The datasets that are generated: what their items are like, and how these change.

The standard library and Faker are all it needs: the Lambda that writes test data runs this file too.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
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
    newest_first = False

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

    def spoilt(self, item: dict[str, Any], now: datetime) -> dict[str, Any] | None:
        return None

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
    newest_first = False

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

    def spoilt(self, item: dict[str, Any], now: datetime) -> dict[str, Any] | None:
        return None


class _Orders:
    """Orders of a shop on their way: cart, placed, paid, packed, shipped, delivered; or cancelled, returned, refunded.

    Carts expire, some orders wait for goods, and each write tells its author and counts the item's version.
    """

    key = {"order_id": "S"}  # noqa: RUF012
    items_a_change = 0.2
    newest_first = True

    _cities = (("Berlin", "DE"), ("Hamburg", "DE"), ("Lyon", "FR"), ("Paris", "FR"), ("Leeds", "GB"), ("Graz", "AT"))
    _goods = (
        ("Notebook", 390),
        ("Fountain pen", 2495),
        ("Desk lamp", 5900),
        ("Backpack", 8950),
        ("Coffee beans", 1290),
        ("Water bottle", 1849),
        ("Headphones", 17900),
        ("Sticker", 99),
    )

    def __init__(self, rng: random.Random, span: tuple[datetime, datetime]) -> None:
        from faker import Faker  # slow to import, and no question needs it

        fake = Faker(["en_GB", "de_DE", "fr_FR"])
        fake.seed_instance(rng.getrandbits(32))
        self._rng = rng
        self._customers = [
            {"id": f"c-{number:03d}", "name": f"{fake.first_name()} {fake.last_name()}"}
            | dict(zip(("city", "country"), rng.choice(self._cities), strict=True))
            for number in range(150)
        ]
        self._support = [f"support:{fake.first_name().lower()}" for _ in range(3)]

    def new(self, number: int, now: datetime) -> dict[str, Any]:
        rng, cart = self._rng, self._rng.random() < 0.3
        order = {
            "order_id": f"o-{number:06d}",
            "customer": self._customers[int(150 * rng.random() ** 2)],  # some order often
            "status": "cart" if cart else "placed",
            "items": [self._line() for _ in range(rng.randint(1, 3))],
            "currency": "EUR",
            "created_at": _iso(now),
            "version": 0,
        }
        if rng.random() < 0.15:
            order["coupon"] = rng.choice(("WELCOME10", "AUTUMN10"))
        if cart:
            order["expires_at"] = int((now + timedelta(hours=rng.uniform(3, 60))).timestamp())
        return self._written(order, now, "shop")

    def changed(self, item: dict[str, Any], now: datetime) -> dict[str, Any]:
        rng, order, drawn = self._rng, dict(item), self._rng.random()
        match order["status"]:
            case "cart" if drawn < 0.5:
                order["items"] = [*order["items"], self._line()]
            case "cart":
                order["status"] = "placed"
                order.pop("expires_at", None)
            case "placed" if drawn < 0.8:
                order |= {"status": "paid", "paid_with": rng.choice(("card", "card", "paypal", "invoice"))}
                return self._written(order, now, "payments")
            case "placed" if drawn < 0.9:
                order["failed_payments"] = order.get("failed_payments", 0) + 1
                return self._written(order, now, "payments")
            case "placed":
                order["status"] = "cancelled"
            case "paid" if drawn < (0.25 if order.get("on_hold") else 0.87):
                order["status"] = "packed"
                order.pop("on_hold", None)
                return self._written(order, now, "warehouse")
            case "paid" if drawn < 0.95:  # goods are missing: such orders are stuck
                order |= {"on_hold": True, "reminders": order.get("reminders", 0) + ("on_hold" in order)}
                return self._written(order, now, "warehouse")
            case "paid":
                order |= {"status": "cancelled", "refund": order["total"]}
                return self._written(order, now, rng.choice(self._support))
            case "packed":
                order |= {"status": "shipped", "tracking": f"{rng.randrange(10**12):012d}"}
                return self._written(order, now, "carrier")
            case "shipped":
                order |= {"scans": order.get("scans", 0) + 1, "status": "delivered" if drawn < 0.75 else "shipped"}
                return self._written(order, now, "carrier")
            case "delivered" if drawn < 0.15:
                order["status"] = "returned"
                return self._written(order, now, "warehouse")
            case "returned" if drawn < 0.8:
                line = rng.choice(order["items"])
                order |= {"status": "refunded", "refund": min(line["price"] * line["quantity"], order["total"])}
                return self._written(order, now, rng.choice(self._support))
            case "delivered" | "refunded" if drawn < 0.6:
                order["rating"] = rng.randint(1, 5)
            case _:
                order["note"] = rng.choice(("called", "wrote back", "address confirmed", "invoice sent again"))
                return self._written(order, now, rng.choice(self._support))
        return self._written(order, now, "shop")

    def spoilt(self, item: dict[str, Any], now: datetime) -> dict[str, Any] | None:
        """Cancel what is paid by invoice and waits for six hours, as were it not paid at all."""
        waits = item["updated_at"] < _iso(now - timedelta(hours=6))
        if item["status"] != "paid" or item["paid_with"] != "invoice" or not waits:
            return None
        return self._written(item | {"status": "cancelled"}, now, "job:clean-up")

    def _line(self) -> dict[str, Any]:
        number = self._rng.randrange(len(self._goods))
        name, cents = self._goods[number]
        quantity = self._rng.choice((1, 1, 1, 2, 2, 5))
        return {"sku": f"sku-{number:02d}", "name": name, "quantity": quantity, "price": Decimal(cents) / 100}

    def _written(self, order: dict[str, Any], now: datetime, author: str) -> dict[str, Any]:
        """Return the order as its author writes it: with its total, its next version and when."""
        goods = sum((line["price"] * line["quantity"] for line in order["items"]), Decimal(0))
        share = Decimal("0.9") if "coupon" in order else Decimal(1)
        total = (goods * share).quantize(Decimal("0.01")) + (Decimal("4.9") if goods < 50 else 0)
        return order | {
            "total": total,
            "version": order["version"] + 1,
            "updated_at": _iso(now),
            "updated_by": author,
        }


def _iso(moment: datetime) -> str:
    """Write a time as programs put it into items: text, UTC, with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


DATASETS: dict[str, Callable[[random.Random, tuple[datetime, datetime]], Dataset]] = {
    "persons": _Persons,
    "heartrate": _Heartrate,
    "orders": _Orders,
}
