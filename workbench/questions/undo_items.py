"""What an undo is to do with each item: from the chains of their changes, and as frames."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from workbench.model.attribute_paths import column_name
from workbench.model.canonical import canonical_text, image_digest
from workbench.model.item_writes import Write, writes_of
from workbench.model.items import plain_value
from workbench.model.merging import UNKNOWN, Image, ItemChange, Merged, PathOutcome, Rules, Unknown, Value, take_back
from workbench.model.ordering import ABSENT, Link, follow
from workbench.model.sizes import LARGEST_ITEM
from workbench.model.write_limits import item_faults
from workbench.questions.columns import UNDO, UNDO_PATHS
from workbench.questions.frames import key_frame
from workbench.undo.journal import SLACK, OwnWrite, write_id

WRITTEN = ("put back", "update", "delete")
"""The actions that write."""
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

    def writes(self, table: str, key_names: Sequence[str]) -> Iterator[tuple[Write, str | None]]:
        """Yield the writes, each with the digest of the whole item where that is removed."""
        if self.reversals or self.merged.action not in WRITTEN:
            yield from self.reversals
            return
        whole = image_digest(self.now) if self.merged.action == "delete" else None
        for write in writes_of(table, key_names, self.now, self.merged.after):
            yield write, whole

    def units(self, table: str, key_names: Sequence[str]) -> int:
        """Return how many write units that takes."""
        return sum(write.units(self.now) for write, _ in self.writes(table, key_names))


def without_refused(planned: Iterable[Planned], indexed: Mapping[str, str]) -> tuple[list[Planned], int]:
    """Leave alone the items that the table would refuse as they are to be, and count them.

    What was in the table can have become too large by what stays, or has no place in an index that was made since.

    Parameters
    ----------
    indexed
        Types of the attributes that are keys of the table's indexes, by their names.
    """
    kept, refused = [], 0
    for each in planned:
        after = each.merged.after
        if after and each.merged.action in ("put back", "update"):
            # The text is never shorter than what DynamoDB counts: most items need not be measured.
            large = len(orjson.dumps(after)) > LARGEST_ITEM
            wrong = item_faults(after if large else {name: after[name] for name in indexed if name in after}, indexed)
            if wrong:
                refused += 1
                left = replace(each.merged, action="conflict", after=each.now, takes_back=_NOTHING)
                each = replace(each, merged=left, note=f"left alone, for the table would refuse it: {wrong[0]}")
        kept.append(each)
    return kept, refused


def in_order(rows: pa.Table) -> pa.Table:
    """Return the changes of `chosen_chains.sql`, without the other items it names, by item and time."""
    changes = rows.filter(pc.is_null(rows.column("others")))
    return changes.sort_by([(name, "ascending") for name in ("keys", "ts", "event_id")])


def from_first(rows: pa.Table, bad: np.ndarray) -> tuple[pa.Table, np.ndarray]:
    """Keep what happened to each item since its first bad change, that instant included; rows are in order."""
    if not len(rows):
        return rows, bad
    items = rows.column("keys").combine_chunks().dictionary_encode().indices.to_numpy()
    micros = rows.column("ts").cast(pa.int64()).to_numpy()
    since = np.full(items.max() + 1, np.iinfo("int64").max)
    np.minimum.at(since, items[bad], micros[bad])
    kept = micros >= since[items]
    return (rows, bad) if kept.all() else (rows.filter(pa.array(kept)), bad[kept])


def settled_apart(rows: pa.Table) -> list[str]:
    """Return the items whose last instant has several changes: what these left, their order alone does not tell."""
    keys, times = rows.column("keys").to_pylist(), rows.column("ts").to_pylist()
    ends = [at for at, (one, other) in enumerate(pairwise([*keys, None])) if one != other]
    return [keys[at] for at in ends if at and keys[at - 1] == keys[at] and times[at - 1] == times[at]]


def planned_chains(
    rows: pa.Table,
    bad: np.ndarray,
    rules: Rules,
    key_names: Collection[str],
    *,
    states: Mapping[str, str | None],
    live: Mapping[str, Image] | None,
    own: Mapping[str, Sequence[OwnWrite]],
) -> list[Planned]:
    """Plan what takes the bad changes of items back.

    Parameters
    ----------
    rows
        All changes of items since their first bad one, in order.
    bad
        Which of them are bad.
    states
        The images, as texts, of items whose last instant does not tell it, None of one that is gone; one that is not
        in it is not known.
    live
        The items as they are in the table; without it, as the log's last change left them.
    own
        The writes of undos before, by item.
    """
    names = ("keys", "ts", "event_id", "event_name", "by_ttl", "new_image", "old_image")
    keys, *columns = (rows.column(name).to_pylist() for name in names)
    ends = [at for at, (one, other) in enumerate(pairwise([*keys, None]), 1) if one != other]
    planned, begin = [], 0
    for end in ends:
        key, changes, before = keys[begin], list[ItemChange](), begin
        undone = _Undone(own[key]) if key in own else None
        for ts, event_id, event_name, by_ttl, new, old, is_bad in zip(
            *(column[begin:end] for column in columns), bad[begin:end].tolist(), strict=True
        ):
            found: Image | Unknown | None = orjson.loads(old) if old else None if event_name == "INSERT" else UNKNOWN
            left: Image | Unknown | None = orjson.loads(new) if new else None if event_name == "REMOVE" else UNKNOWN
            at = ts.replace(tzinfo=UTC)
            undoes = undone.by(event_id, left, at, changes) if undone else None
            changes.append(ItemChange(at, event_id, found, left, is_bad, bool(by_ttl), None if is_bad else undoes))
        begin = end
        now: Image | Unknown | None = changes[-1].after
        ahead = False
        if live is not None:
            last, now = now, live.get(key)
            if undone and (own_change := undone.on_its_way(changes, now)):
                changes.append(own_change)
            else:
                ahead = not isinstance(last, Unknown) and last != now and image_digest(last) != image_digest(now)
        elif end - before > 1 and changes[-2].ts == changes[-1].ts:
            text = states.get(key, "?")
            now = UNKNOWN if text == "?" else None if text is None else orjson.loads(text)
        if isinstance(now, Unknown):
            why = "what the item is now is not in the log; give the table itself, --live (live=True)"
            planned.append(Planned(key, None, Merged("unknown", None, (), _NOTHING), why))
            continue
        planned.append(Planned(key, now, take_back(changes, now, rules, key_names), ahead=ahead))
    return planned


class _Undone:
    """Which changes of an item are the own writes of undos before; each write is one change."""

    def __init__(self, own: Sequence[OwnWrite]) -> None:
        self._left = sorted(own, key=lambda write: write.ended)
        self._event_ids: dict[str, str] = {}

    def by(
        self, event_id: str, left: Image | Unknown | None, ts: datetime, before: Sequence[ItemChange]
    ) -> frozenset[str] | None:
        """Return which changes one took back that left an image at an instant; None where it is no own write."""
        if isinstance(left, Unknown):
            return None
        digest = image_digest(left)
        for write in self._left:
            if write.made(write.key, digest, ts):
                self._left.remove(write)
                self._event_ids[write_id(write.plan, write.line)] = event_id
                return frozenset(self._told(write, before))
        return None

    def on_its_way(self, changes: Sequence[ItemChange], now: Image | None) -> ItemChange | None:
        """Return the own write that left an item as it is now, where the log does not have it yet."""
        last, digest = changes[-1], image_digest(now)
        if not self._left or isinstance(last.after, Unknown) or image_digest(last.after) == digest:
            return None
        for write in reversed(self._left):
            if write.left == digest and write.ended + SLACK >= last.ts:
                undoes = frozenset(self._told(write, changes))
                ts = max(write.ended, last.ts + timedelta(microseconds=1))
                return ItemChange(ts, write_id(write.plan, write.line), last.after, now, undoes=undoes)
        return None

    def _told(self, write: OwnWrite, before: Sequence[ItemChange]) -> Iterator[str]:
        """Yield the event ids of what a write took back: of changes, of a write before, or of all since an instant."""
        for name in write.takes_back:
            if name in self._event_ids:
                yield self._event_ids[name]
            elif (since := _instant_of(name)) is not None:
                yield from (change.event_id for change in before if change.ts > since)
            else:
                yield name


def _instant_of(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def found_by(changes: Sequence[Mapping[str, Any]], state: str | None, *, known: bool) -> tuple[bool, str | None]:
    """Tell what an item was before the first instant since, by the changes of that instant.

    Parameters
    ----------
    changes
        All distinct changes of that instant, as `chosen_chains.sql` answers them.
    state
        What the log says the item was, as a text; None is not there.
    known
        Whether the log says so.

    Returns
    -------
    tuple
        Whether that is known, and what it was. It is not where these changes did not find what the log says: a change
        is missing between.
    """
    links = [
        Link(
            row["ts"],
            row["event_id"],
            canonical_text(row["old_image"]) if row["old_image"] else ABSENT if row["event_name"] == "INSERT" else None,
            canonical_text(row["new_image"]) if row["new_image"] else ABSENT,
        )
        for row in changes
    ]
    if any(link.before is None for link in links):  # none of them tells: the log's word
        return known, state
    if known:
        before = canonical_text(state) if state else ABSENT
        first = Link(min(link.ts for link in links).replace(year=1), "", ABSENT, before)
        if before == ABSENT:
            return not any(missing for _, missing in follow(links)), None
        return not any(missing for _, missing in follow([first, *links])), state
    surplus = Counter(link.before for link in links)
    surplus.subtract(link.after for link in links)
    begins = [image for image, count in surplus.items() if count > 0]
    if len(begins) != 1:
        return False, None
    return True, begins[0] or None


def frame_of(planned: Sequence[Planned], key_names: Sequence[str]) -> pd.DataFrame:
    """Return a frame of one row an item: its key, and the columns of `UNDO`."""
    cells = [_cells(each, set(key_names)) for each in planned]
    columns: dict[str, Sequence[Any]] = {
        "action": [each.merged.action for each in planned],
        **{name: [cell[name] for cell in cells] for name in _TOLD},
        "note": [note_of(each) for each in planned],
    }
    return _frame([each.key for each in planned], key_names, columns, UNDO)


def paths_of(planned: Sequence[Planned], key_names: Sequence[str]) -> pd.DataFrame:
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
    return _frame([key for key, _ in told], key_names, columns, UNDO_PATHS)


def outcomes_of(merged: Merged) -> list[PathOutcome]:
    """Return what becomes of each attribute, in the order of their paths, whatever the order in the images."""
    return sorted(merged.outcomes, key=lambda outcome: (path_text(outcome), outcome.member or ""))


def path_text(outcome: PathOutcome) -> str:
    """Write an outcome's path; the item itself has none."""
    return column_name(outcome.path) if outcome.path else ""


def plain_or_absent(value: Value | None) -> Any:
    """Return a DynamoDB JSON value in Python, and NA for one that is absent."""
    return pd.NA if value is None else plain_value(value)


def note_of(planned: Planned) -> str:
    """Say what to know about what is planned for an item, without a value."""
    said: dict[str, None] = {planned.note: None} if planned.note else {}
    for outcome in outcomes_of(planned.merged):
        if outcome.status != "taken back" and outcome.why:
            path = path_text(outcome)
            said[f"{path}: {outcome.why}" if path else outcome.why] = None
    notes = [*said]
    return "; ".join([*notes[:_NOTES], *([f"{len(notes) - _NOTES:,} more"] if len(notes) > _NOTES else [])])


def _cells(planned: Planned, keys: set[str]) -> dict[str, Any]:
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
    for path, group in groupby(outcomes_of(merged), key=path_text):
        outcomes = [*group]
        for name in cells if path else ():
            value = _whole(outcomes, name, now, after)
            if value is not pd.NA:
                cells[name][path] = value
    paths = [*dict.fromkeys(path for outcome in outcomes_of(merged) if (path := path_text(outcome)))]
    return {"attributes": paths, "conflicts": _in_conflict(outcomes_of(merged)), **cells}


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


def value_at(image: Image | None, path: Sequence[str | int]) -> Value | None:
    """Return what an item has at a path; None where it has nothing there."""
    value: Value | None = {"M": image or {}}
    for name in path:
        inner = value or {}
        if isinstance(name, int):
            value = next(iter(inner.get("L", [])[name : name + 1]), None)
        else:
            value = inner.get("M", {}).get(name)
    return value


def _frame(
    keys: Sequence[str], key_names: Sequence[str], columns: Mapping[str, Sequence[Any]], kinds: Mapping[str, str]
) -> pd.DataFrame:
    df = key_frame(keys, key_names, kinds)
    for name, kind in kinds.items():
        cells = np.empty(len(keys), dtype=object)
        cells[:] = columns[name]
        df[name] = pd.Series(cells, df.index, dtype=object).astype(kind)  # type: ignore[call-overload]
    return df


def dollars(cost: float | None) -> str:
    """Write a price for people.

    >>> dollars(0.0000006), dollars(1.5)
    ('less than a cent', '$1.50')
    """
    return f"${cost:,.2f}" if cost and cost >= 0.01 else "less than a cent"
