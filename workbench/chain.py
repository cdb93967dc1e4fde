"""The changes of one item in the order their images follow on, and where one is missing.

Changes of one instant have no order of their own, but each says what it found and what it left: they are the
edges of a graph between images, and the order is a walk along all of them (Hierholzer's algorithm). Where no
walk takes all, changes are missing: then as few walks as will do are put one after another.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

ABSENT = ""
"""The image of an item that is not there."""


@dataclass(frozen=True, slots=True)
class Link:
    """A change of an item: what it found and left, as canonical text; `found` is None where it is not known."""

    ts: datetime
    event_id: str
    found: str | None
    left: str


def follow(changes: Iterable[Link]) -> Iterator[tuple[Link, bool]]:
    """Order the distinct changes of one item, and tell of each whether a change before it is missing.

    A change is missing where one did not find what the one before it left; before the item's first change,
    where that found the item there already.
    """
    instants = [list(group) for _, group in groupby(sorted(changes, key=_by_time), key=lambda change: change.ts)]
    at: str | None = ABSENT
    for group, after in zip(instants, [*instants[1:], []], strict=False):
        if len(group) > 1 and all(change.found is not None for change in group):
            group = _walk(group, at, _beginnings(after))
        for change in group:
            yield change, None not in (at, change.found) and at != change.found
            at = change.left


def _by_time(change: Link) -> tuple[datetime, str]:
    return change.ts, change.event_id


def _beginnings(group: Sequence[Link]) -> set[str]:
    """Return the images a walk along the changes of an instant can begin with; none where that is not known."""
    if any(change.found is None for change in group):
        return set()
    first = {image for image, surplus in _surplus(group).items() if surplus > 0}
    return first or {str(change.found) for change in group}


def _surplus(group: Iterable[Link]) -> Counter[str]:
    """Count how much more often each image is found than left."""
    count: Counter[str] = Counter()
    for change in group:
        count[str(change.found)] += 1
        count[change.left] -= 1
    return count


def _walk(group: Sequence[Link], at: str | None, after: set[str]) -> list[Link]:
    """Order the changes of an instant: from image `at` to one of `after`, with the fewest gaps."""
    surplus, parts = _surplus(group), _parts(group)
    begins = [at] if at is not None else sorted(_beginnings(group))
    last = after | {image for image, more in surplus.items() if more < 0}.union(map(min, parts), begins)
    walks = ((_jumps(surplus, parts, begin, end), begin, end) for begin in begins for end in sorted(last))
    jumps, begin, _ = min(
        walks, key=lambda walk: (len(walk[0]) + bool(after and walk[2] not in after), len(walk[0]), *walk)
    )
    leaving: dict[str, list[tuple[str, str, Link | None]]] = defaultdict(list)
    for change in group:
        leaving[str(change.found)].append((change.event_id, change.left, change))
    for come, go in jumps:
        leaving[come].append(("", go, None))
    for edges in leaving.values():  # taken from the end
        edges.sort(key=lambda edge: edge[:2], reverse=True)
    walked: list[Link] = []
    path: list[tuple[str, Link | None]] = [(begin, None)]
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
        joined = {str(change.found), change.left}
        apart = [part for part in parts if part.isdisjoint(joined)]
        parts = [*apart, joined.union(*(part for part in parts if not part.isdisjoint(joined)))]
    return sorted(parts, key=min)
