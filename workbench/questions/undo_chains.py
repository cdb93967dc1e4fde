"""Undo by the chains of items' changes: what was chosen among them, and what is planned to take it back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from workbench.model.canonical import canonical_text, image_digest
from workbench.model.differences import same
from workbench.model.merging import UNKNOWN, Action, Image, ItemChange, Merged, Rules, Unknown, take_back
from workbench.model.ordering import ABSENT, Link, follow
from workbench.questions.undo_items import PlainRun, Planned, PlannedItem
from workbench.undo.journal import SLACK, OwnWrite, write_id


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
) -> list[PlannedItem]:
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
    chains = _Chains(rows, bad, rules, key_names)
    keys = chains.keys
    ends = [at for at, (one, other) in enumerate(pairwise([*keys, None]), 1) if one != other]
    planned = list[PlannedItem]()
    for start, end in pairwise([0, *ends]):
        key = keys[start]
        if key not in own and (run := chains.plain_run(start, end, live)):
            planned.append(run)
            continue
        undone = _Undone(own[key]) if key in own else None
        changes = chains.changes(start, end, undone)
        now: Image | Unknown | None = changes[-1].after
        ahead = False
        if live is not None:
            last = [change.after for change in changes if change.ts == changes[-1].ts]  # in an order that is not told
            now = live.get(key)
            if undone and (own_change := undone.on_its_way(changes, now)):
                changes.append(own_change)
            else:
                ahead = not any(isinstance(left, Unknown) or alike(left, now) for left in last)
        elif len(changes) > 1 and changes[-2].ts == changes[-1].ts:
            text = states.get(key, "?")
            now = UNKNOWN if text == "?" else None if text is None else orjson.loads(text)
        if isinstance(now, Unknown):
            why = "what the item is now is not in the log; give the table itself, --live (live=True)"
            planned.append(Planned(key, None, Merged("unknown", None, (), frozenset()), why))
            continue
        planned.append(Planned(key, now, take_back(changes, now, rules, key_names), ahead=ahead))
    return planned


def alike(one: Image | None, other: Image | None) -> bool:
    """Return whether two images of an item are equal, None being one that is not there.

    >>> alike({"n": {"N": "1"}}, {"n": {"N": "1.0"}}), alike({}, None)
    (True, False)
    """
    return one == other or image_digest(one) == image_digest(other)


class _Chains:
    """The changes of items, one item after the other, in order."""

    def __init__(self, rows: pa.Table, bad: np.ndarray, rules: Rules, key_names: Collection[str]) -> None:
        names = ("keys", "ts", "event_id", "event_name", "by_ttl", "new_image", "old_image")
        columns = [rows.column(name).to_pylist() for name in names]
        self.keys, self._times, self._ids, self._events, self._by_ttl, self._news, self._olds = columns
        self._bad: list[bool] = bad.tolist()
        self._rules, self._key_names = rules, frozenset(key_names)

    def changes(self, begin: int, end: int, undone: _Undone | None = None) -> list[ItemChange]:
        """Return the changes of an item."""
        found = list[ItemChange]()
        after: Image | Unknown | None = None
        for at in range(begin, end):
            old, new, event, is_bad = self._olds[at], self._news[at], self._events[at], self._bad[at]
            before: Image | Unknown | None = None if event == "INSERT" else UNKNOWN
            if old:  # mostly what the change before it left, which has been read
                before = after if at > begin and old == self._news[at - 1] else orjson.loads(old)
            after = orjson.loads(new) if new else None if event == "REMOVE" else UNKNOWN
            ts = self._times[at].replace(tzinfo=UTC)
            undoes = undone.by(self._ids[at], after, ts, found) if undone else None
            undoes = None if is_bad else undoes
            found.append(ItemChange(ts, self._ids[at], before, after, is_bad, bool(self._by_ttl[at]), undoes))
        return found

    def plain_run(self, begin: int, end: int, live: Mapping[str, Image] | None) -> PlainRun | None:
        """Return what is planned for an item of which all is taken back; None where that is not so plain.

        It is not, where the texts do not tell that each change found what the one before it left, where the item is
        not what the last one left, or where there is a rule for something in it.
        """
        if not all(self._bad[begin:end]) or any(self._by_ttl[begin:end]):
            return None
        before, now = self._olds[begin], self._news[end - 1]
        inserted, removed = self._events[begin] == "INSERT", self._events[end - 1] == "REMOVE"
        if (before is None) != inserted or (now is None) != removed or (inserted and removed) or before == now:
            return None
        for at in range(begin + 1, end):
            if self._times[at] <= self._times[at - 1] or self._olds[at] != self._news[at - 1]:
                return None
        if live is not None and live.get(self.keys[begin]) != (orjson.loads(now) if now else None):
            return None

        def merge() -> Merged:
            return take_back(self.changes(begin, end), orjson.loads(now) if now else None, self._rules, self._key_names)

        ids = frozenset(self._ids[begin:end])
        return plain_change(self.keys[begin], before, now, self._rules, ids, merge, certain=end - begin == 1)


def plain_change(
    key: str,
    before: str | None,
    now: str | None,
    rules: Rules,
    takes_back: frozenset[str],
    merge: Callable[[], Merged],
    *,
    certain: bool = False,
) -> PlainRun | None:
    """Return what is planned for an item that is to be as it was; None where there is a rule for something in it.

    Parameters
    ----------
    before, now
        Its images, as texts; None where it was or is not there.
    certain
        Whether they are known to differ: texts of one image may.
    """
    if rules.kept or rules.bump or rules.mark or before == now:
        return None
    ttl = f'"{rules.ttl}"' if rules.ttl else None
    for text in (before or "", now or ""):
        if "aws_dbe_" in text or "amzn-ddb-map-sig" in text or (ttl and ttl in text):  # signed, or may expire
            return None
    if not certain and before and now and same({"M": orjson.loads(before)}, {"M": orjson.loads(now)}):
        return None
    action: Action = "delete" if before is None else "put back" if now is None else "update"
    return PlainRun(key, action, before, now, takes_back, merge)


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
