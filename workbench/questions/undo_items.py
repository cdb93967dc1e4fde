"""What an undo is to do with each item: from the chains of their changes, and as frames."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, ClassVar

import numpy as np
import orjson
import pandas as pd

from workbench.model.attribute_paths import column_name
from workbench.model.canonical import image_digest
from workbench.model.differences import same, value_at
from workbench.model.item_writes import MOST_COMPARED, Write, writes_of
from workbench.model.items import plain_value
from workbench.model.merging import Action, Image, Merged, PathOutcome, Status, Value, is_signed
from workbench.model.sizes import LARGEST_ITEM
from workbench.model.write_limits import LONGEST_EXPRESSION, item_faults
from workbench.questions.columns import UNDO, UNDO_PATHS
from workbench.questions.frames import key_frame
from workbench.questions.gathering import PART
from workbench.questions.large import Frame, LargeFrame

WRITTEN = ("put back", "update", "delete")
"""The actions that write."""
_UNIT = 1024  # bytes that a write unit is for
_NOTES = 3  # that an item shows
_TOLD = ("attributes", "conflicts", "before", "bad", "now", "after")
_NOTHING = frozenset[str]()


@dataclass(frozen=True, slots=True)
class Planned:
    """What is planned for an item.

    Attributes
    ----------
    key
        Canonical DynamoDB JSON.
    now
        The item as it is, None where it is not there.
    merged
        What is to be done, and why.
    note
        What else to say of it, without a value.
    reversals
        Of an undo that is taken back: the writes, each with the digest of the whole item that a delete removes.
    ahead
        Whether the item is not in the table what the log tells, as by a change on its way.
    """

    key: str
    now: Image | None
    merged: Merged
    note: str = ""
    reversals: tuple[tuple[Write, str | None], ...] = ()
    ahead: bool = False

    @property
    def action(self) -> Action:
        """What is done with the item."""
        return self.merged.action

    @property
    def takes_back(self) -> frozenset[str]:
        """The event ids of the changes taken back."""
        return self.merged.takes_back

    def count(self, status: Status) -> int:
        """Count the attributes of which this comes."""
        return sum(outcome.status == status for outcome in self.merged.outcomes)

    def writes(self, table: str, key_names: Sequence[str]) -> Iterator[tuple[Write, str | None]]:
        """Yield the writes, each with the digest of the whole item where that is removed."""
        if self.reversals or self.action not in WRITTEN:
            yield from self.reversals
            return
        yield from _writes(table, key_names, self.now, self.merged.after)

    def units(self, table: str, key_names: Sequence[str]) -> int:
        """Return how many write units that takes."""
        return sum(write.units(self.now) for write, _ in self.writes(table, key_names))


@dataclass(frozen=True, slots=True)
class PlainRun:
    """What is planned for an item of which all that happened is taken back: it is as it was before.

    That is told by its images' texts, and they are not looked into before somebody asks. It is what a `Planned` is.

    Attributes
    ----------
    key, action
        As of `Planned`.
    before_text, now_text
        The item as it was, and as it is, as DynamoDB JSON texts; None where it was or is not there.
    takes_back
        The event ids of what happened to it.
    merge
        Says what is to be done, attribute by attribute.
    """

    key: str
    action: Action
    before_text: str | None
    now_text: str | None
    takes_back: frozenset[str]
    merge: Callable[[], Merged]
    note = ""
    reversals: ClassVar[tuple[tuple[Write, str | None], ...]] = ()
    ahead = False

    @property
    def now(self) -> Image | None:
        """The item as it is."""
        return orjson.loads(self.now_text) if self.now_text else None

    @property
    def merged(self) -> Merged:
        """What is to be done, and why."""
        return self.merge()

    def count(self, status: Status) -> int:
        """Count the attributes of which this comes, other than those taken back."""
        return 0

    def writes(self, table: str, key_names: Sequence[str]) -> Iterator[tuple[Write, str | None]]:
        """Yield the writes, each with the digest of the whole item where that is removed."""
        yield from _writes(table, key_names, self.now, orjson.loads(self.before_text) if self.before_text else None)

    def units(self, table: str, key_names: Sequence[str]) -> int:
        """Return how many write units that takes."""
        if takes_one_unit(self.before_text or "", self.now_text or ""):
            return 1
        return sum(write.units(self.now) for write, _ in self.writes(table, key_names))


PlannedItem = Planned | PlainRun


def takes_one_unit(one: str, other: str) -> bool:
    """Tell of two images, as texts, whether to make one of the other surely takes one write, of one unit.

    An item is never larger than its text. An attribute has 12 characters of it or more, and each level of maps 8; in an
    expression it is named twice, by 5 characters a level.

    >>> takes_one_unit('{"pk":{"S":"p"}}', '{"pk":{"S":"p"},"n":{"N":"2"}}'), takes_one_unit("", "x" * 1025)
    (True, False)
    """
    if not (one.isascii() and other.isascii() and len(one) <= _UNIT and len(other) <= _UNIT):
        return False
    attributes, levels = (len(one) + len(other)) // 12, 1 + max(one.count('"M":{'), other.count('"M":{'))
    return attributes < MOST_COMPARED and attributes * 2 * (5 * levels + 12) < LONGEST_EXPRESSION


def _writes(
    table: str, key_names: Sequence[str], now: Image | None, after: Image | None
) -> Iterator[tuple[Write, str | None]]:
    whole = image_digest(now) if after is None else None
    for write in writes_of(table, key_names, now, after):
        yield write, whole


def without_refused(planned: Iterable[PlannedItem], indexed: Mapping[str, str]) -> tuple[list[PlannedItem], int]:
    """Leave alone the items that the table would refuse as they are to be, and count them.

    What was in the table can have become too large by what stays, or has no place in an index that was made since. Left
    alone too, not counted, is what is signed as a whole and takes several writes: it would be what it never was.

    Parameters
    ----------
    indexed
        Types of the attributes that are keys of the table's indexes, by their names.
    """
    kept, refused = list[PlannedItem](), 0
    for each in planned:
        if isinstance(each, PlainRun):
            if not indexed and len(each.before_text or "") <= LARGEST_ITEM // 4:  # of characters of up to 4 bytes
                kept.append(each)
                continue
            each = Planned(each.key, each.now, each.merged)
        after = each.merged.after
        if after and each.merged.action in ("put back", "update"):
            # The text is never shorter than what DynamoDB counts: most items need not be measured.
            large = len(orjson.dumps(after)) > LARGEST_ITEM
            wrong = item_faults(after if large else {name: after[name] for name in indexed if name in after}, indexed)
            if wrong:
                refused += 1
                each = _left_alone(each, "the table would refuse it", f": {wrong[0]}")
            elif is_signed(after) and len(writes_of("", [*orjson.loads(each.key)], each.now, after)) > 1:
                each = _left_alone(each, "it is signed as a whole, and one write cannot change so many attributes")
        kept.append(each)
    return kept, refused


def _left_alone(planned: Planned, why: str, more: str = "") -> Planned:
    """Return what is planned for an item that has to stay as it is."""
    outcomes = (
        each if same(each.now, each.after) else replace(each, status="conflict", why=why, after=each.now)
        for each in planned.merged.outcomes
    )
    merged = Merged("conflict", planned.now, tuple(outcomes), _NOTHING)
    return replace(planned, merged=merged, note=f"left alone, for {why}{more}")


def frame_of(planned: Sequence[PlannedItem], key_names: Sequence[str]) -> Frame:
    """Return a frame of one row an item: its key, and the columns of `UNDO`; a large one is made when looked at."""
    keys = key_frame([each.key for each in planned], key_names, UNDO)

    def part(begin: int, end: int) -> pd.DataFrame:
        some = planned[begin:end]
        cells = [_cells(each, set(key_names)) for each in some]
        columns: dict[str, Sequence[Any]] = {
            "action": [each.action for each in some],
            **{name: [cell[name] for cell in cells] for name in _TOLD},
            "note": [note_of(each) for each in some],
        }
        return _frame(keys.iloc[begin:end].reset_index(drop=True), columns, UNDO)

    if len(planned) <= PART:
        return part(0, len(planned))
    starts = range(0, len(planned), PART)
    return LargeFrame(lambda: (part(start, start + PART) for start in starts), len(planned), part(0, 0))


def paths_of(planned: Sequence[PlannedItem], key_names: Sequence[str]) -> pd.DataFrame:
    """Return a frame of one row an attribute, or a member of a set: the item's key, and the columns of `UNDO_PATHS`."""
    told = [(each.key, outcome) for each in planned for outcome in outcomes_of(each.merged)]
    columns: dict[str, Sequence[Any]] = {
        "path": [path_text(outcome) for _, outcome in told],
        "member": [pd.NA if outcome.member is None else outcome.member for _, outcome in told],
        "status": [outcome.status for _, outcome in told],
        "why": [outcome.why for _, outcome in told],
        **{
            name: [plain_or_absent(getattr(outcome, name)) for _, outcome in told]
            for name in ("before", "bad", "now", "after")
        },
    }
    return _frame(key_frame([key for key, _ in told], key_names, UNDO_PATHS), columns, UNDO_PATHS)


def outcomes_of(merged: Merged) -> list[PathOutcome]:
    """Return what becomes of each attribute, in the order of their paths, whatever the order in the images."""
    return _by_path(merged.outcomes)


def _by_path(outcomes: Iterable[PathOutcome]) -> list[PathOutcome]:
    """Order what becomes of attributes by their paths."""
    return sorted(outcomes, key=lambda outcome: (path_text(outcome), outcome.member or ""))


def path_text(outcome: PathOutcome) -> str:
    """Write an outcome's path; the item itself has none."""
    return column_name(outcome.path) if outcome.path else ""


def plain_or_absent(value: Value | None) -> Any:
    """Return a DynamoDB JSON value in Python, and NA for one that is absent."""
    return pd.NA if value is None else plain_value(value)


def note_of(planned: PlannedItem) -> str:
    """Say what to know about what is planned for an item, without a value."""
    said: dict[str, None] = {planned.note: None} if planned.note else {}
    for outcome in outcomes_of(planned.merged):
        if outcome.status != "taken back" and outcome.why:
            path = path_text(outcome)
            said[f"{path}: {outcome.why}" if path else outcome.why] = None
    notes = [*said]
    return "; ".join([*notes[:_NOTES], *([f"{len(notes) - _NOTES:,} more"] if len(notes) > _NOTES else [])])


def _cells(planned: PlannedItem, keys: set[str]) -> dict[str, Any]:
    """Return the attributes of an item that are told of, and their values by their paths."""
    merged, now, after = planned.merged, planned.now, planned.merged.after
    if merged.action in ("put back", "delete") and not planned.reversals:
        put = merged.action == "put back"
        image = (after if put else now) or {}
        values = {column_name((name,)): plain_value(image[name]) for name in sorted(image.keys() - keys)}
        told = {
            "before": values if put else {},
            "bad": {},
            "now": {} if put else values,
            "after": values if put else {},
        }
        return {"attributes": [*values], "conflicts": [], **told}
    cells: dict[str, dict[str, Any]] = {"before": {}, "bad": {}, "now": {}, "after": {}}
    outcomes_told = _by_path(each for outcome in merged.outcomes for each in _by_attribute(outcome, keys))
    for path, group in groupby(outcomes_told, key=path_text):
        outcomes = [*group]
        for name in cells if path else ():
            value = _whole(outcomes, name, now, after)
            if value is not pd.NA:
                cells[name][path] = value
    paths = [*dict.fromkeys(path for outcome in outcomes_told if (path := path_text(outcome)))]
    return {"attributes": paths, "conflicts": _in_conflict(outcomes_told), **cells}


def _by_attribute(outcome: PathOutcome, keys: Collection[str]) -> Iterator[PathOutcome]:
    """Yield what came of a whole item that is in conflict for each of its attributes, and any other as it is."""
    if outcome.path or outcome.status != "conflict":
        yield outcome
        return
    sides = ("before", "bad", "now", "after")
    images = {side: (getattr(outcome, side) or {}).get("M", {}) for side in sides}
    for name in {name for side in ("before", "now", "after") for name in images[side]} - set(keys):
        values = {side: image.get(name) for side, image in images.items()}
        status: Status = "settled" if same(values["before"], values["now"]) else "conflict"
        yield replace(outcome, path=(name,), status=status, **values)


def _in_conflict(outcomes: Iterable[PathOutcome]) -> list[str]:
    return [*dict.fromkeys(path_text(outcome) for outcome in outcomes if outcome.status == "conflict")]


def _whole(outcomes: Sequence[PathOutcome], name: str, now: Image | None, after: Image | None) -> Any:
    """Return the value of an attribute that outcomes are of: of a set, with the members that they are not about."""
    first = outcomes[0]
    if first.member is None:
        return plain_or_absent(getattr(first, name))
    there = value_at(now, first.path) or value_at(after, first.path)
    members = set(plain_value(there)) if there and {"SS", "NS", "BS"} & there.keys() else set()
    for outcome in outcomes:
        had = [value for each in ("before", "bad", "now", "after") if (value := getattr(outcome, each)) is not None]
        for value in had:
            members.discard(plain_value(value))
        if (value := getattr(outcome, name)) is not None:
            members.add(plain_value(value))
    return frozenset(members) if members else pd.NA


def has_path(planned: PlannedItem, path: Sequence[str | int]) -> bool:
    """Return whether an item has something at a path, as it is, is to be, or was between.

    >>> has_path(Planned("{}", {"n": {"N": "1"}}, Merged("unchanged", None, (), frozenset())), ["m"])
    False
    """
    if isinstance(planned, PlainRun):
        return any(value_at(orjson.loads(text or "{}"), path) for text in (planned.before_text, planned.now_text))
    merged, wanted = planned.merged, tuple(path)
    if any(value_at(image, path) for image in (planned.now, merged.after)):
        return True
    for outcome in merged.outcomes:
        depth = len(outcome.path)
        if outcome.path[: len(wanted)] == wanted:
            return True
        if outcome.path == wanted[:depth] and value_at((outcome.before or {}).get("M"), wanted[depth:]):
            return True
    return False


def _frame(df: pd.DataFrame, columns: Mapping[str, Sequence[Any]], kinds: Mapping[str, str]) -> pd.DataFrame:
    for name, kind in kinds.items():
        cells = np.empty(len(df), dtype=object)
        cells[:] = columns[name]
        df[name] = pd.Series(cells, df.index, dtype=object).astype(kind)  # type: ignore[call-overload]
    return df


def dollars(cost: float | None) -> str:
    """Write a price for people.

    >>> dollars(0.0000006), dollars(1.5)
    ('less than a cent', '$1.50')
    """
    return f"${cost:,.2f}" if cost and cost >= 0.01 else "less than a cent"
