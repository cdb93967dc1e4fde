"""In which time zone a log's folders and names tell when objects arrived.

Firehose writes both in UTC, or in its `CustomTimeZone`, and nothing in a name says which. What can be known: an object
arrived after the changes in it were made, and before it was stored. A copy is stored later than its original, so times
of storing bound the zone from one side only, and the changes from the other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from workbench.errors import ConfigError
from workbench.log.objects import Object, Unreadable

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
# Every offset from UTC that a zone has today, https://www.iana.org/time-zones.
OFFSETS = tuple(
    sorted(
        timedelta(minutes=minutes)
        for minutes in (*range(-720, 841, 60), -570, -210, -150, 210, 270, 330, 345, 390, 525, 570, 630, 765, 825)
    )
)
_SOON = 15 * MINUTE  # what Firehose keeps records for at most, and what records take to it, as a rule
ENOUGH = 3  # objects that must agree
_LOOKED_INTO = 8  # objects that tell the zone
_FIXED = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2})(?::?(\d\d))?|(UTC|GMT|Z)", re.IGNORECASE)


class ChangeTimes(NamedTuple):
    """The times of the changes in an object, UTC, without a zone."""

    first: datetime
    """The earliest."""
    leading: datetime
    """That of the first line, which as a rule arrived first."""
    last: datetime


@dataclass(frozen=True)
class Witness:
    """What one object tells of the zone: the time its name or its folder says, and the changes in it."""

    clock: datetime
    """By name or folder, without a zone."""
    width: timedelta
    """How long after it the object's oldest record may have arrived: an hour by the folder of an hour."""
    times: ChangeTimes

    @property
    def most(self) -> timedelta:
        """What the zone's offset is at most: the object arrived after its earliest change."""
        return self.clock + self.width + MINUTE - self.times.first

    def supports(self, offset: timedelta) -> bool:
        """Return whether the object arrived soon after its first line's change, with this offset."""
        return offset - self.width - MINUTE <= self.clock - self.times.leading <= offset + _SOON


@dataclass(frozen=True)
class Zone:
    """The time zone of a log's folders and names, as far as it is known."""

    least: timedelta = OFFSETS[0]
    """What its offset from UTC is at least, summer time taken into account."""
    most: timedelta = OFFSETS[-1]
    tz: tzinfo | None = UTC
    """None where it cannot be told."""
    early: timedelta = timedelta(0)
    """How much earlier than its latest change an object's folder may be, beside the zone."""
    given: bool = False
    """Whether a setting names it."""

    def local(self, start: datetime | None, end: datetime | None) -> tuple[datetime, datetime]:
        """Return the first and the last time that folders of arrivals from `start` to `end`, UTC, may tell."""
        low, high = datetime.min, datetime.max
        if start:
            at = start - self.early
            low = self._given(at) if self.given else at.replace(tzinfo=None) + self.least
        if end:
            high = self._given(end) if self.given else end.replace(tzinfo=None) + self.most
        return low, high

    def utc(self, clock: datetime | None) -> datetime | None:
        """Return the time in UTC that a name or a folder tells."""
        return clock.replace(tzinfo=self.tz).astimezone(UTC) if clock and self.tz else None

    def pieces(self, first: datetime, last: datetime) -> Iterator[tuple[datetime | None, timedelta]]:
        """Yield until which local time (None: for ever) the zone has which offset, from `first` to `last`."""
        assert self.tz
        hour, before = first.replace(minute=0, second=0, microsecond=0), self.tz.utcoffset(first) or timedelta(0)
        while not isinstance(self.tz, timezone) and hour <= last:
            hour += HOUR
            if (offset := self.tz.utcoffset(hour) or timedelta(0)) != before:
                yield hour, before
                before = offset
        yield None, before

    @property
    def name(self) -> str:
        """The zone for people."""
        return "not known" if self.tz is None else str(self.tz)

    @property
    def note(self) -> tuple[str, ...]:
        """Notes on what is unusual about it."""
        if self.tz is None:
            return (
                "the folders do not tell in which time zone they are: when objects arrived is not known, and a "
                "window may read more than it needs; set arrival_zone, such as America/New_York",
            )
        if self.given or self.tz is UTC:
            return ()
        return (
            f"by their changes, the folders and names of the log are in the time zone {self.name}, as Firehose's "
            "CustomTimeZone makes them; set arrival_zone, such as Europe/Berlin, to say which it is",
        )

    def _given(self, moment: datetime) -> datetime:
        return moment.astimezone(self.tz).replace(tzinfo=None)


def without_zone(moment: datetime) -> datetime:
    """Return a time as a clock shows it, without its zone.

    >>> without_zone(datetime(2026, 11, 18, 9, tzinfo=UTC))
    datetime.datetime(2026, 11, 18, 9, 0)
    """
    return moment.replace(tzinfo=None)


def named_zone(text: str) -> Zone:
    """Read the setting `arrival_zone`: a zone's name, or an offset from UTC.

    >>> named_zone("-04:00").utc(datetime(2026, 11, 18, 9))
    datetime.datetime(2026, 11, 18, 13, 0, tzinfo=datetime.timezone.utc)
    """
    if match := _FIXED.fullmatch(text.strip()):
        sign, hours, minutes = match[1], int(match[2] or 0), int(match[3] or 0)
        offset = timedelta(hours=hours, minutes=minutes) * (-1 if sign == "-" else 1)
        if not OFFSETS[0] <= offset <= OFFSETS[-1]:
            raise ConfigError(f"arrival_zone is {text!r}: no zone is so far from UTC; write it like -04:00")
        return Zone(offset, offset, timezone(offset) if offset else UTC, given=True)
    try:
        return Zone(tz=ZoneInfo(text.strip()), given=True)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError(
            f"arrival_zone is {text!r}, no time zone: write it like America/New_York, UTC or -04:00"
        ) from error


def times_of(changes: Iterable[dict[str, Any] | Unreadable]) -> ChangeTimes | None:
    """Return the times of changes in the order in which an object holds them; None where there are none.

    >>> times_of([{"ts": "2026-11-18 12:00:00.000000"}, {"ts": "2026-11-18 11:59:00.000000"}]).first
    datetime.datetime(2026, 11, 18, 11, 59)
    """
    times = [datetime.fromisoformat(each["ts"]) for each in changes if not isinstance(each, Unreadable)]
    return ChangeTimes(min(times), times[0], max(times)) if times else None


def sample_times(
    objects: Sequence[Object],
    times_by_path: dict[str, ChangeTimes | None],
    look: Callable[[Object], ChangeTimes | None],
) -> list[tuple[Object, ChangeTimes]]:
    """Return the times of changes in a few small objects of all times, each looked into once, by `times_by_path`."""
    step = max(1, -(-len(objects) // _LOOKED_INTO))
    for number in range(0, len(objects), step):
        some = objects[number : number + step]
        if not any(item.path in times_by_path for item in some):
            item = min(some, key=lambda each: each.size)
            times_by_path[item.path] = look(item)
    return [(item, seen) for item in objects if (seen := times_by_path.get(item.path))]


def infer_zone(witnesses: Sequence[Witness], stored: timedelta = OFFSETS[0]) -> Zone:
    """Return the zone that objects speak for, so that no window loses a change whatever the zone really is.

    Parameters
    ----------
    witnesses
        Objects of all times of the log.
    stored
        What the offset is at least by the times at which objects were stored.

    >>> clock, changed = datetime(2026, 11, 18, 7), datetime(2026, 11, 18, 12)
    >>> infer_zone([Witness(clock, MINUTE, ChangeTimes(changed, changed, changed))] * 3).name
    'UTC-05:00'
    """
    most = min((each.most for each in witnesses), default=OFFSETS[-1])
    least = max(stored - _SOON, OFFSETS[0]) if stored <= most else OFFSETS[0]  # else a clock was wrong
    early = max((each.times.last - each.clock - each.width for each in witnesses), default=timedelta(0))
    possible = [each for each in OFFSETS if least <= each <= most]
    support = {each: sum(w.supports(each) for w in witnesses) for each in OFFSETS}
    rough = sum(each.width > MINUTE for each in witnesses)  # such as agree with more than one zone
    agreed = [each for each in possible if support[each] >= max(ENOUGH, rough // 2 + 1)]
    # Changes dated wrongly make impossible what the other objects say.
    outvoting = [each for each in OFFSETS if support[each] >= max(ENOUGH, len(witnesses) // 2 + 1)]
    zero = timedelta(0)
    best: timedelta | None = zero
    likely = agreed or outvoting
    if zero in likely or (zero in possible and not likely):
        pass
    elif likely:  # whole hours are likelier than others, and the latest leaves the least delay
        best = max(likely, key=lambda each: (not each % HOUR, support[each], each))
    else:
        near = [each for each in possible if support[each] == len(witnesses) > 0]
        hours = [each for each in possible if not each % HOUR]
        best = max(near, key=lambda each: (not each % HOUR, each)) if near else hours[0] if len(hours) == 1 else None
    if agreed:
        low, high = min([*agreed, *([zero] if zero in possible else [])]), possible[-1]
    else:
        low, high = least, max((w.most for w in witnesses), default=OFFSETS[-1])
    tz = None if best is None else timezone(best) if best else UTC
    # Of a zone with summer time, objects of one half of the year tell an hour less or more.
    low, high = max(low - HOUR, OFFSETS[0]), min(high + HOUR, OFFSETS[-1])
    beyond = max(early + low, zero)
    return Zone(low, max(low, high), tz, beyond and beyond + HOUR)
