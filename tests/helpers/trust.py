"""Small logs, each with what `quality` must find in it: asked of both engines."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.helpers.logs import chain, record

Delivered = list[tuple[datetime, dict[str, Any]]]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def key(name: str) -> dict[str, Any]:
    return {"pk": {"S": name}}


def image(name: str, value: object) -> dict[str, Any]:
    return key(name) | {"v": {"N": str(value)}}


def micros(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def made(name: str, *moments: datetime, arrived: timedelta = timedelta(seconds=5)) -> Delivered:
    """An item that is put at each of these moments, each change delivered soon after."""
    states = [(micros(moment), image(name, number)) for number, moment in enumerate(moments)]
    changes = chain(key(name), states, ids=[f"{name}{number}" for number in range(len(moments))])
    return [(moment + arrived, change) for moment, change in zip(moments, changes, strict=True)]


def ahead() -> Delivered:
    """Changes of 2036 and of two hours later, in an object of 2026."""
    good = made("a", NOON, NOON + timedelta(minutes=1))
    odd = (
        made("b", NOON.replace(year=2036))
        + made("c", NOON + timedelta(hours=2))
        + made("d", NOON + timedelta(minutes=9))
    )
    return good + [(NOON + timedelta(seconds=5), change) for _, change in odd]


def in_another_unit() -> Delivered:
    """A time in milliseconds which says that it is in microseconds is one of 1970."""
    good = made("a", NOON)
    ((_, odd),) = made("b", NOON)
    odd["dynamodb"]["ApproximateCreationDateTime"] //= 1000
    return [*good, (NOON + timedelta(seconds=5), odd)]


def removed_first() -> Delivered:
    """Items older than the log, of which it has the removal only."""
    return [
        (
            NOON + timedelta(seconds=number),
            record("REMOVE", key(name), micros(NOON) + number, old=image(name, 1), event_id=name),
        )
        for number, name in enumerate("ab")
    ]


def often_delivered() -> Delivered:
    """One change, four times."""
    return made("a", NOON) * 4


def silent() -> Delivered:
    """Twelve changes in every hour of ten days, but for three hours of one of them."""
    hours = [NOON.replace(hour=0) + timedelta(hours=number) for number in range(240)]
    hours = [hour for number, hour in enumerate(hours) if number not in (100, 101, 102)]
    return made("a", *(hour + timedelta(minutes=5 * part) for hour in hours for part in range(12)))


def burst() -> Delivered:
    """Forty changes on every day of twelve, but 400 on one."""
    days = [NOON.replace(hour=6) + timedelta(days=number) for number in range(12)]
    return made(
        "a",
        *(
            day + timedelta(minutes=part)
            for number, day in enumerate(days)
            for part in range(400 if number == 7 else 40)
        ),
    )


def weekdays() -> Delivered:
    """A table written to in office hours only: nothing of that is odd."""
    days = [NOON + timedelta(days=number) for number in range(28)]
    return made(
        "a",
        *(
            day + timedelta(hours=hour, minutes=part)
            for day in days
            if day.weekday() < 5
            for hour in range(-3, 5)
            for part in range(0, 60, 5)
        ),
    )


LOGS: dict[str, tuple[Callable[[], Delivered], dict[str, tuple[str, int, float, str]]]] = {
    "ahead": (ahead, {"changes dated after they arrived": ("failed", 2, 2 / 5, "b at 2036-01-01 12:00:00 UTC")}),
    "another unit": (in_another_unit, {"changes dated before 2012": ("failed", 1, 1 / 2, "b at 1970-01-21 ")}),
    "removed first": (removed_first, {"unseen beginnings": ("warning", 2, 1.0, "pk=a at 2026-01-01 12:00:00 UTC")}),
    "often delivered": (often_delivered, {"duplicates": ("note", 3, 3 / 4, "a at 2026-01-01 12:00:00 UTC")}),
    "silent": (silent, {"silent hours": ("note", 3, 3 / 240, "2026-01-05 04:00:00 UTC to 2026-01-05 07:00:00 UTC")}),
    "burst": (burst, {"unusual days": ("note", 1, 1 / 12, "2026-01-08: 400 changes")}),
    "weekdays": (weekdays, {}),
}
"""By name: the log, and of each finding that is not ok its status, count, share, and what its first example ends with."""
