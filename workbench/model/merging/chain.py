"""An item's changes as steps from value to value, in the order their images follow on, unseen ones between them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta
from itertools import groupby, pairwise
from typing import Any, NamedTuple

from workbench.model.canonical import canonical_json
from workbench.model.differences import same
from workbench.model.merging.changes import Image, ItemChange, Unknown, Value
from workbench.model.ordering import ABSENT, Link, follow

_MOST_TRIED = 2_000  # ways on, of the changes of one instant, before their order is given up as not to be told


class Step(NamedTuple):
    """What a change did to one node: its value before and after, None where there is none.

    >>> Step(None, {"S": ""}, bad=True).own
    False
    """

    before: Value | None
    after: Value | None
    bad: bool = False
    event_id: str = ""
    """Empty where the change was not seen."""
    undoes: frozenset[str] | None = None
    all_below: bool = False
    """Whether a map or set around this was made, removed or replaced, and so this written, whatever it is."""
    unordered: bool = False
    """Whether changes of its instant fit in another order too."""

    @property
    def own(self) -> bool:
        """Whether it is an earlier undo's, and stays."""
        return self.undoes is not None and not self.bad

    def took_back(self, event_ids: Collection[str]) -> bool:
        """Return whether it is an earlier undo's that took back one of these.

        >>> Step(None, {"S": ""}, undoes=frozenset({"e-1"})).took_back(["e-2"])
        False
        """
        return self.undoes is not None and not self.undoes.isdisjoint(event_ids)


def as_value(image: Image | None) -> Value | None:
    """Return an item as the value it is, a map.

    >>> as_value({"pk": {"S": "p-1"}}), as_value(None)
    ({'M': {'pk': {'S': 'p-1'}}}, None)
    """
    return None if image is None else {"M": image}


def steps_of(changes: Sequence[ItemChange], now: Image | None) -> list[Step]:
    """Return the steps an item went, from before its first change to what it is now.

    Where a change did not find what the one before it left, one that was not seen lies between: a step that stays, and
    so where the item is not what its last change left. Of changes of one instant which fit in several orders, those
    that stay come last. A change that does not say what it left is seen by what the next one found.

    Parameters
    ----------
    changes
        All distinct changes of an item from some instant on, in any order; a bad one has both its images.

    >>> from datetime import UTC, datetime
    >>> noon = datetime(2026, 11, 18, 12, tzinfo=UTC)
    >>> change = ItemChange(noon, "1", None, {"n": {"N": "1"}})
    >>> [(step.before, step.after) for step in steps_of([change], {"n": {"N": "2"}})]
    [(None, {'M': {'n': {'N': '1'}}}), ({'M': {'n': {'N': '1'}}}, {'M': {'n': {'N': '2'}}})]
    """
    steps: list[Step] = []
    at: Value | Unknown | None = Unknown.UNKNOWN
    for group, unordered in _instants(changes, now):
        of_instant: list[Step] = []
        for change in group:
            before, after = change.before, change.after
            if not isinstance(before, Unknown):
                found = as_value(before)
                if not isinstance(at, Unknown) and not same(at, found):
                    # one that was not seen before all of an instant is not of this instant
                    (of_instant if of_instant else steps).append(Step(at, found, unordered=unordered))
                at = found
            if isinstance(after, Unknown):
                continue
            left = as_value(after)
            if not isinstance(at, Unknown):
                of_instant.append(Step(at, left, change.bad, change.event_id, change.undoes, unordered=unordered))
            at = left
        steps += sorted(of_instant, key=lambda step: not step.bad) if unordered else of_instant
    if not isinstance(at, Unknown) and not same(at, as_value(now)):
        steps.append(Step(at, as_value(now)))
    return steps


def _instants(changes: Sequence[ItemChange], now: Image | None) -> Iterator[tuple[list[ItemChange], bool]]:
    """Yield the changes of each instant in their order, and whether those that stay may as well be later than told."""
    in_time = sorted(changes, key=lambda change: (change.ts, change.event_id))
    if all(one.ts != other.ts for one, other in pairwise(in_time)):
        yield from (([change], False) for change in in_time)
        return
    texts: dict[int, str] = {}  # by image: one change finds what another has left

    def text(image: Image | None) -> str:
        return ABSENT if image is None else texts.get(id(image)) or texts.setdefault(id(image), canonical_json(image))

    def link(change: ItemChange) -> Link:
        before = None if isinstance(change.before, Unknown) else text(change.before)
        after = f"?{change.event_id}" if isinstance(change.after, Unknown) else text(change.after)
        return Link(change.ts, change.event_id, before, after)

    end, links = text(now), [link(change) for change in in_time]
    links.append(Link(in_time[-1].ts + timedelta(microseconds=1), "", end, end))  # where the item is now
    by_id = {change.event_id: change for change in in_time}
    groups = [list(group) for _, group in groupby((link for link, _ in follow(links)), key=lambda link: link.ts)]
    begin: str | None = None
    for group, following in pairwise(groups):
        ordered = [by_id[link.event_id] for link in group]
        mixed = len({change.bad for change in ordered}) > 1
        visible = [link for link in group if link.before != link.after]
        yield ordered, mixed and bool(visible) and _several_fit(visible, begin, following[0].before)
        begin = None if isinstance(ordered[-1].after, Unknown) else group[-1].after


def _several_fit(walk: Sequence[Link], begin: str | None, end: str | None) -> bool:
    """Return whether an instant's changes fit in another order, with as few missing between them as in this one.

    Parameters
    ----------
    begin, end
        The image before the instant, and the one the next change found; None where it is not known.
    """

    def missing(at: str | None, link: Link) -> bool:
        return at is not None and (at == ABSENT if link.before is None else at != link.before)

    fewest = missing(begin, walk[0]) + sum(missing(one.after, other) for one, other in pairwise(walk))
    fewest += end not in (None, walk[-1].after)
    todo: list[tuple[Any, int, frozenset[int]]] = [(begin, 0, frozenset(range(len(walk))))]
    found = tried = 0
    while todo:
        at, gaps, left = todo.pop()
        tried += 1
        if not left:
            found += gaps + (end not in (None, at)) <= fewest
        if found > 1 or tried > _MOST_TRIED:
            return True
        for n in left:
            more = gaps + missing(at, walk[n])
            if more <= fewest:
                todo.append((walk[n].after, more, left - {n}))
    return False
