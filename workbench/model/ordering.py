"""The changes of one item in the order their images follow on, and where one is missing.

Changes of one instant have no order of their own, but each says what it found and what it left: they are the
edges of a graph between images, and the order is a walk along all of them. Where no walk takes all, changes are
missing, and it jumps from one image to another, as rarely as will do over the whole of the item's changes; of walks
that jump equally often, it is one that begins with an item older than the log: that loses no change.

Where a change does not say what it found, its event does: whether the item was there.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby

ABSENT = ""
"""The image of an item that is not there."""
_THERE = "?"  # some image: no canonical text is this
_MANY = 16  # images of an instant up to which each is tried for its end


@dataclass(frozen=True, slots=True)
class Link:
    """A change of an item, with its images before and after as canonical text, `ABSENT` where it was not there."""

    ts: datetime
    event_id: str
    before: str | None
    """None where the change does not say which it was, but that the item was there."""
    after: str


def follow(changes: Iterable[Link]) -> Iterator[tuple[Link, bool]]:
    """Order the distinct changes of one item, and say of each whether a change before it is missing.

    A change is missing where one did not find what the one before it left; before the item's first change,
    where that found the item there already. Of all orders that keep to the times, it is one with the fewest gaps, and
    of these one with the fewest after the item's beginning.

    >>> noon = datetime(2026, 11, 18, 12)
    >>> changes = [Link(noon, "1", "B", "C"), Link(noon, "2", ABSENT, "A"), Link(noon, "3", "A", "B")]
    >>> [(change.event_id, missing) for change, missing in follow(changes)]
    [('2', False), ('3', False), ('1', False)]
    """
    instants = [list(group) for _, group in groupby(sorted(changes, key=_by_time), key=lambda change: change.ts)]
    ways: list[dict[str, _Way]] = [{ABSENT: _Way(_NO_GAP, ABSENT, ())}]  # by the image an instant ends with
    if instants:
        ways[0] |= {image: _Way(_UNSEEN, image, ()) for image in _beginnings(instants[0])}
    for group in instants:
        ways.append(_ways(group, ways[-1]))
    end, chosen = min(ways[-1], key=lambda image: (ways[-1][image].gaps, image)), []
    for group, ending in zip(reversed(instants), reversed(ways), strict=False):
        chosen.append((group, ending[end]))
        end = ending[end].begin
    at = ABSENT
    for group, way in reversed(chosen):
        for change in _along(group, way):
            yield change, change.before not in (None, at)
            at = change.after


@dataclass(frozen=True, slots=True)
class _Way:
    """A walk along the changes of an instant: the gaps until its end, where it begins, and its jumps."""

    gaps: tuple[int, int]
    """All, and those after the item's beginning."""
    begin: str
    jumps: tuple[tuple[str, str], ...]


_NO_GAP, _UNSEEN = (0, 0), (1, 0)


def _by_time(change: Link) -> tuple[datetime, str]:
    return change.ts, change.event_id


def _beginnings(group: Sequence[Link]) -> list[str]:
    """Return the images an item may have had before its first instant, where it is older than the log."""
    if any(change.before is None for change in group):
        return [_THERE]
    surplus = _surplus(group)
    images = {str(change.before) for change in group if surplus[str(change.before)] > 0}
    images.update(min(part) for part in _parts(group) if not any(surplus[image] for image in part))
    if len(group) <= _MANY:
        images.update(str(change.before) for change in group)
    return sorted(images - {ABSENT})[: _MANY if len(group) <= _MANY else 1]


def _ways(group: Sequence[Link], before: Mapping[str, _Way]) -> dict[str, _Way]:
    """Return the best way to each image that an instant can end with."""
    if any(change.before is None for change in group):
        return _ways_by_events(group, before)
    first = str(group[0].before)
    if len(group) == 1:
        gaps, begin = min((_plus(way.gaps, image != first), image) for image, way in before.items())
        return {group[0].after: _Way(gaps, begin, ())}
    surplus, parts = _surplus(group), _parts(group)
    ends = set(surplus)
    if len(ends) > _MANY:
        ends = {image for image in ends if surplus[image] < 0}.union(map(min, parts), before.keys() & ends)
    best: dict[str, _Way] = {}
    for end in sorted(ends):
        ways = [(_jumps(surplus, parts, begin, end), begin) for begin in before]
        gaps, begin, jumps = min((_plus(before[begin].gaps, len(jumps)), begin, jumps) for jumps, begin in ways)
        best[end] = _Way(gaps, begin, tuple(jumps))
    return best


def _ways_by_events(group: Sequence[Link], before: Mapping[str, _Way]) -> dict[str, _Way]:
    """Return the best ways along changes of which not all say what they found, but whether the item was there."""
    nearest = {_presence(image): image for image in sorted(before, key=lambda each: before[each].gaps, reverse=True)}
    ways: dict[str, _Way] = {}
    for way in _ways(
        [_by_event(change) for change in group], {kind: before[image] for kind, image in nearest.items()}
    ).values():
        ways[_along(group, way)[-1].after] = replace(way, begin=nearest[way.begin])
    return ways


def _presence(image: str | None) -> str:
    return ABSENT if image == ABSENT else _THERE


def _by_event(change: Link) -> Link:
    return replace(change, before=_presence(change.before), after=_presence(change.after))


def _plus(gaps: tuple[int, int], more: int) -> tuple[int, int]:
    return gaps[0] + more, gaps[1] + more


def _surplus(group: Iterable[Link]) -> Counter[str]:
    """Count how much more often each image is found than left."""
    count: Counter[str] = Counter()
    for change in group:
        count[str(change.before)] += 1
        count[change.after] -= 1
    return count


def _along(group: Sequence[Link], way: _Way) -> list[Link]:
    """Order the changes of an instant along a way (Hierholzer's algorithm)."""
    if len(group) == 1:
        return list(group)
    if any(change.before is None for change in group):
        by_event = {_by_event(change): change for change in group}
        return [by_event[change] for change in _along(list(by_event), replace(way, begin=_presence(way.begin)))]
    leaving: dict[str, list[tuple[str, str, Link | None]]] = defaultdict(list)
    for change in group:
        leaving[str(change.before)].append((change.event_id, change.after, change))
    for come, go in way.jumps:
        leaving[come].append(("", go, None))
    for edges in leaving.values():  # taken from the end
        edges.sort(key=lambda edge: edge[:2], reverse=True)
    walked: list[Link] = []
    path: list[tuple[str, Link | None]] = [(way.begin, None)]
    while path:
        if leaving[path[-1][0]]:
            _, image, came_by = leaving[path[-1][0]].pop()
            path.append((image, came_by))
        elif came_by := path.pop()[1]:
            walked.append(came_by)
    return walked[::-1]


def _jumps(surplus: Counter[str], parts: list[set[str]], begin: str, end: str) -> list[tuple[str, str]]:
    """Return from where to where a walk along all changes from `begin` to `end` has to jump."""
    surplus = surplus.copy()
    surplus[end] += 1  # as if a change led from the end back to the beginning: then a walk is a round trip
    surplus[begin] -= 1
    around = {begin, end}.union(*(part for part in parts if not part.isdisjoint({begin, end})))
    others = [part for part in parts if part.isdisjoint({begin, end})]
    come: list[str] = []
    go: list[str] = []
    for part in [around, *others]:
        starts = sorted(image for image in part for _ in range(surplus[image]))
        stops = sorted(image for image in part for _ in range(-surplus[image]))
        if not starts and others:  # a round trip of its own
            starts = stops = [end if part is around else min(part)]
        come += stops
        go += starts
    return list(zip(come, go[1:] + go[:1], strict=True))  # turned by one: from each part to the next


def _parts(group: Sequence[Link]) -> list[set[str]]:
    """Return the images that changes connect, part by part."""
    parts: list[set[str]] = []
    for change in group:
        joined = {str(change.before), change.after}
        apart = [part for part in parts if part.isdisjoint(joined)]
        parts = [*apart, joined.union(*(part for part in parts if not part.isdisjoint(joined)))]
    return sorted(parts, key=min)
