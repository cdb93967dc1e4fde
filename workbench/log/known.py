"""A log as it was known at an instant: which of its objects had arrived."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from workbench.errors import ParameterError
from workbench.log.objects import Object, time_in_path
from workbench.text import count

_HOUR, _SECOND = timedelta(hours=1), timedelta(seconds=1)
_QUARTER = timedelta(minutes=15)  # of which every time zone's offset is a multiple


@dataclass(frozen=True)
class Known:
    """The objects of a log as it was known at an instant."""

    objects: list[Object]
    """Those that had arrived."""
    left_out: tuple[Object, ...]
    """Those that arrived later, or do not tell when."""
    notes: tuple[str, ...]
    """What to know about it."""


def known_until(objects: Sequence[Object], known_at: datetime) -> Known:
    """Tell apart the objects that had arrived until an instant, and those that are not to be read.

    An object arrives when its oldest record does. Where it tells no more than the hour, or the day, it counts as soon
    as that has begun.

    Parameters
    ----------
    known_at
        UTC.

    Raises
    ------
    ParameterError
        Where none of them tells when it arrived.

    >>> from workbench.log.objects import arrival_of
    >>> paths = [f"data/2026/11/18/09/persons-1-2026-11-18-09-{minute}-00-4f1c.gz" for minute in ("05", "30")]
    >>> objects = [Object(path, 100, 0, "gzip", arrival_of(path)) for path in paths]
    >>> from datetime import UTC
    >>> known = known_until(objects, datetime(2026, 11, 18, 9, 15, tzinfo=UTC))
    >>> [item.path.partition("persons-1-")[2] for item in known.objects]
    ['2026-11-18-09-05-00-4f1c.gz']
    """
    known, later, undated = list[Object](), list[Object](), list[Object]()
    for item in objects:
        (undated if item.arrival is None else known if item.arrival <= known_at else later).append(item)
    if undated and not known and not later:
        raise ParameterError(
            f"known_at={known_at:%Y-%m-%dT%H:%M:%SZ}: nothing tells when {count(len(undated), 'object')} arrived, "
            f"the first: {undated[0].path}; names as Firehose gives them do, folders of hours, and, where "
            "the time zone is not known, the setting arrival_zone. Leave out known_at"
        )
    notes = []
    if undated:
        notes.append(
            f"{count(len(undated), 'object')} not read, for nothing tells when they arrived, the first: "
            f"{undated[0].path}"
        )
    begun = [item for item in known if item.arrival and known_at < item.arrival + _told_within(item) - _SECOND]
    if begun:
        unit = "day" if any(_told_within(item) > _HOUR for item in begun) else "hour"
        notes.append(
            f"{count(len(begun), 'object')} of the {unit} in which that is, and tell no more of their arrival: "
            "they may have come after it, and are read"
        )
    return Known(known, (*later, *undated), tuple(notes))


def as_known(known_at: datetime) -> str:
    """Say that a log is asked as it was known.

    >>> from datetime import UTC
    >>> as_known(datetime(2026, 11, 18, 9, 15, tzinfo=UTC))
    'as it was known at 2026-11-18 09:15:00 UTC: what arrived later is not read'
    """
    moment = f"{known_at:%Y-%m-%d %H:%M:%S.%f}".removesuffix(".000000")
    return f"as it was known at {moment} UTC: what arrived later is not read"


def _told_within(item: Object) -> timedelta:
    """Return how exactly an object tells when it arrived."""
    told = time_in_path(Path(item.path).as_posix())
    if told and item.arrival and not (told[0] - item.arrival) % _QUARTER:
        return told[1]
    return _HOUR
