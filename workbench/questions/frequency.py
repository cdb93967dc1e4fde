"""Frames of how often things change: items, their attributes, and the time in between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from workbench.engines import Answer
from workbench.engines.comparison import CHANGES, Comparer
from workbench.model import stream_views
from workbench.model.keys import key_order
from workbench.model.times import Moment, window
from workbench.model.typed_columns import encoded
from workbench.questions import time_buckets
from workbench.questions.asking import Asking
from workbench.questions.columns import ATTRIBUTE_BUCKETS, ATTRIBUTES, HOT_KEYS, INTERVALS
from workbench.questions.frames import key_frame
from workbench.questions.result import Result
from workbench.questions.state import at_most, missing_images
from workbench.questions.state_comparison import path_text
from workbench.sql.filters import Filter
from workbench.text import count
from workbench.vocabulary import text_of

STEPS = (0.0, 0.001, 0.01, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 21600.0, 86400.0, 604800.0, 2592000.0, None)
"""Seconds up to which `change_intervals.sql` counts; None is longer."""
_COUNTS = list(ATTRIBUTES)[2:6]
_KINDS = {"added": "added", "removed": "removed", "type changed": "type_changed"}
_COUNTED = np.array([_COUNTS.index(_KINDS.get(change, "changed")) for change in CHANGES])
"""By the numbers of changes in `CHANGES`, where in `_COUNTS` they are counted."""


def change_frequency(
    asking: Asking,
    table: str,
    *,
    every: str | None,
    start: Moment | None,
    end: Moment | None,
    by: str,
    timezone: str,
    limit: int,
) -> Result:
    """Count the changes of a table; see `Workbench.change_frequency`."""
    begin, until = window(start, end, timezone)
    span: dict[str, Any] = {"start": begin, "end": until}
    asked: dict[str, Any] = {
        "by": by,
        "every": every,
        "start": start and begin,
        "end": end and until,
        "timezone": timezone,
    }
    question = text_of("change_frequency", str(by))
    unit, ends = time_buckets.unit_of(every or "1h", timezone), (begin if start else None, until if end else None)
    notes: list[str] = []
    if by == "attribute":
        answer, df, notes = asking.retrying(table, lambda: _by_attribute(asking, table, span, every, timezone, ends))
        return asking.result(Result, df, answer, "change_frequency", table, asked, notes=notes)
    if by == "event":
        span["unit"] = unit
    if by == "key":
        span["limit"] = at_most(limit)
        asked["limit"] = limit
    answer = asking.engine.ask(question, table, **span)
    if by == "event":
        df = time_buckets.into_buckets(answer.rows.to_pandas(), every or "1h", timezone, *ends)
        notes = time_buckets.left_out(df)
    elif by == "key":
        df = hot_keys(answer.rows, asking.key_names(table))
    else:
        df = concentration(answer.rows) if by == "concentration" else intervals(answer.rows)
    return asking.result(Result, df, answer, "change_frequency", table, asked, notes=notes)


def _by_attribute(
    asking: Asking,
    table: str,
    span: Mapping[str, Any],
    every: str | None,
    timezone: str,
    ends: tuple[datetime | None, datetime | None],
) -> tuple[Answer, pd.DataFrame, list[str]]:
    """Count the changes of attributes in parts of the log that fit in memory."""
    modified = Filter(events=("MODIFY",))
    counted = AttributeChanges(time_buckets.unit_of(every, timezone) if every else None)
    with Comparer(threads=asking.settings.threads) as comparer:
        for answer in asking.batches("changes", table, where=modified, **span):  # there is one at least
            counted.add(answer.rows, comparer)
    df = counted.over_time(every, timezone, *ends) if every else counted.total()
    notes = time_buckets.left_out(df)
    notes += [f"{count(counted.no_op_writes, 'write')} that changed nothing"] if counted.no_op_writes else []
    notes += [f"{count(counted.unknown, 'change')} without both images not compared"] if counted.unknown else []
    notes += missing_images(counted.held)
    return answer, df, notes


def hot_keys(rows: pa.Table, keys: Sequence[str]) -> pd.DataFrame:
    """Read `hot_keys.sql`: the key attributes, then counts, share and first and last change (UTC).

    Items that changed equally often come in the order of their keys.

    >>> rows = {"keys": ['{"pk":{"S":"p-1"}}'], "changes": [2], "inserts": [1], "modifies": [1], "removes": [0]}
    >>> times = {name: pa.array([0], pa.timestamp("us")) for name in ("first_change", "last_change")}
    >>> list(hot_keys(pa.table(rows | {"share": [1.0]} | times), ["pk"]))[:4]
    ['pk', 'changes', 'inserts', 'modifies']
    """
    pairs = list(zip(rows.column("changes").to_pylist(), rows.column("keys").to_pylist(), strict=True))
    order = sorted(range(len(pairs)), key=lambda row: (-pairs[row][0], key_order(pairs[row][1])))
    rows = rows.take(pa.array(order, pa.int64()))
    counts: pd.DataFrame = rows.drop_columns(["keys"]).to_pandas()
    for name in ("first_change", "last_change"):
        counts[name] = counts[name].astype("datetime64[us]").dt.tz_localize("UTC")
    counts = counts[list(HOT_KEYS)].astype(dict(HOT_KEYS))
    return pd.concat([key_frame(rows.column("keys").to_pylist(), keys, HOT_KEYS), counts], axis="columns")


def concentration(rows: pa.Table) -> pd.DataFrame:
    """Read `key_concentration.sql`: cumulative shares of items and of their changes, the most changed items first.

    >>> concentration(pa.table({"changes_per_item": [1, 3], "items": [1, 1]}))["change_share"].to_list()
    [0.75, 1.0]
    """
    df: pd.DataFrame = rows.to_pandas().astype("int64").sort_values("changes_per_item", ascending=False)
    changes = df["changes_per_item"] * df["items"]
    df["item_share"] = df["items"].cumsum() / df["items"].sum()
    df["change_share"] = changes.cumsum() / changes.sum()
    return df.reset_index(drop=True)


def intervals(rows: pa.Table) -> pd.DataFrame:
    """Read `change_intervals.sql`: one row a step, those that did not occur included, unless nothing did.

    >>> intervals(pa.table({"up_to": [1.0, None], "changes": [3, 1]})).query("changes > 0")["share"].to_list()
    [0.75, 0.25]
    """
    up_to = [None if step is None else float(step) for step in rows.column("up_to").to_pylist()]
    counts = dict(zip(up_to, rows.column("changes").to_pylist(), strict=True))
    steps = [(longer, step) for longer, step in pairwise((None, *STEPS)) if counts]
    df = pd.DataFrame(
        {
            "longer_than": [
                pd.NaT if step == 0 or longer is None else timedelta(seconds=longer) for longer, step in steps
            ],
            "up_to": [pd.NaT if step is None else timedelta(seconds=step) for _, step in steps],
            "changes": [counts.get(step, 0) for _, step in steps],
        }
    )
    df["share"] = df["changes"] / df["changes"].sum()
    return df.astype(dict(INTERVALS))


@dataclass
class AttributeChanges:
    """Which attributes the changes of a table touch, counted batch by batch.

    >>> changes = AttributeChanges(modifies=2)
    >>> changes.total().empty
    True
    """

    unit: str | None = None
    """The unit of time by which they are counted too; see `time_buckets.unit_of`."""
    modifies: int = 0
    """Changes of items that were there before and after."""
    no_op_writes: int = 0
    """Those that changed nothing."""
    unknown: int = 0
    """Those of which the log does not have both images."""
    held: list[dict[str, Any]] = field(default_factory=list)
    """What they hold of the images; see `workbench.model.stream_views`."""
    _counts: dict[str, _Count] = field(default_factory=dict)
    """By path."""
    _items: dict[str, int] = field(default_factory=dict)
    """The numbers of the items that changed, by key."""
    _in_units: Counter[tuple[int, str]] = field(default_factory=Counter)
    """How many changes there were, by unit of time, in microseconds, and path."""

    def add(self, rows: pa.Table, comparer: Comparer) -> None:
        """Take in MODIFY changes, as `changes.sql` answers them."""
        self.modifies += len(rows)
        self.held += stream_views.count_views(rows)
        known = pc.and_(pc.is_valid(rows.column("old_image")), pc.is_valid(rows.column("new_image")))
        rows = rows.filter(known)
        self.unknown += len(known) - len(rows)
        found = comparer.compare(rows.column("old_image"), rows.column("new_image"), ordered=False)
        changed = np.zeros(len(rows), dtype=bool)
        changed[found.pairs] = True
        self.no_op_writes += len(rows) - int(np.count_nonzero(changed))
        if not len(found.pairs):
            return
        items, micros = self._numbered(rows.column("keys")), pc.cast(rows.column("ts"), pa.int64()).to_numpy()
        begins = np.flatnonzero(np.diff(found.paths, prepend=-1))
        for begin, end in pairwise([*begins.tolist(), len(found.paths)]):
            pairs = found.pairs[begin:end]
            once = np.diff(pairs, prepend=-1) != 0  # members that come and members that go are one change of a set
            pairs, kinds = pairs[once], _COUNTED[found.changes[begin:end][once]]
            path = path_text(found.names[found.paths[begin]])
            self._counts.setdefault(path, _Count()).add(kinds, items[pairs], micros[pairs])
            if self.unit:
                width = pd.Timedelta(1, self.unit) // pd.Timedelta(1, "us")  # type: ignore[arg-type]
                units, counts = np.unique(micros[pairs] // width * width, return_counts=True)
                self._in_units.update({(at, path): n for at, n in zip(units.tolist(), counts.tolist(), strict=True)})

    def total(self) -> pd.DataFrame:
        """Return one row a path, the most changed first."""
        rows = [(path, *count.row(self.modifies)) for path, count in self._counts.items()]
        total = pd.DataFrame(rows, columns=list(ATTRIBUTES))
        for name in ("first_change", "last_change"):
            total[name] = pd.to_datetime(total[name].astype("int64"), unit="us", utc=True)
        total = total.astype(dict(ATTRIBUTES))
        return total.sort_values(["changes", "path"], ascending=[False, True], ignore_index=True)

    def over_time(self, every: str, timezone: str, start: datetime | None, end: datetime | None) -> pd.DataFrame:
        """Return one row a path and bucket, the most changed path first, empty buckets included."""
        rows = [(at, path, changes) for (at, path), changes in self._in_units.items()]
        df = pd.DataFrame(rows, columns=["bucket", "path", "changes"]).astype({"path": "str", "changes": "int64"})
        df["bucket"] = df["bucket"].to_numpy("int64").astype("datetime64[us]")
        counts = df.set_index(["bucket", "path"])["changes"].unstack(fill_value=0)
        sums = counts.sum()
        order = sorted(sums.index, key=lambda path: (-sums[path], path))
        numbered = counts[order].set_axis(range(len(order)), axis="columns")  # an attribute may be called bucket
        wide = time_buckets.into_buckets(numbered.reset_index(), every, timezone, start, end)
        long = wide.melt("bucket", var_name="path", value_name="changes")
        long["path"] = long["path"].map(dict(enumerate(order)))
        long = long[list(ATTRIBUTE_BUCKETS)].astype({"path": "str", "changes": "int64"})
        long.attrs = wide.attrs
        return long

    def _numbered(self, keys: pa.ChunkedArray) -> np.ndarray:
        codes, different = encoded(keys)
        numbers = [self._items.setdefault(key, len(self._items)) for key in different.to_pylist()]
        each: np.ndarray = np.array(numbers, dtype="int64")[codes]
        return each


@dataclass
class _Count:
    """How often, and of which items, an attribute changed."""

    kinds: np.ndarray = field(default_factory=lambda: np.zeros(len(_COUNTS), dtype="int64"))
    first: int = 2**63 - 1
    last: int = -(2**63)
    """In microseconds."""
    _items: np.ndarray = field(default_factory=lambda: np.zeros(1024, dtype=bool))
    """Which items, by their numbers."""

    def add(self, kinds: np.ndarray, items: np.ndarray, micros: np.ndarray) -> None:
        self.kinds += np.bincount(kinds, minlength=len(_COUNTS))
        self.first, self.last = min(self.first, int(micros.min())), max(self.last, int(micros.max()))
        if (most := int(items.max())) >= len(self._items):
            self._items = np.concatenate([self._items, np.zeros(2 * most + 1 - len(self._items), dtype=bool)])
        self._items[items] = True

    def row(self, modifies: int) -> tuple[Any, ...]:
        """Return the columns of `ATTRIBUTES` but the path; times in microseconds."""
        changes = int(self.kinds.sum())
        items = int(np.count_nonzero(self._items))
        return (changes, *self.kinds.tolist(), items, changes / max(modifies, 1), self.first, self.last)
