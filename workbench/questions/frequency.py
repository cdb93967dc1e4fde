"""Frames of how often things change: items, their attributes, and the time in between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from workbench.engines import Answer
from workbench.model import stream_views
from workbench.model.differences import differences
from workbench.model.keys import key_order
from workbench.model.records import refuse_images
from workbench.model.times import Moment, window
from workbench.questions import time_buckets
from workbench.questions.asking import Asking
from workbench.questions.columns import ATTRIBUTE_BUCKETS, ATTRIBUTES, HOT_KEYS, INTERVALS
from workbench.questions.frames import key_frame
from workbench.questions.history import path_text
from workbench.questions.result import Result
from workbench.questions.state import at_most, missing_images
from workbench.sql.filters import Filter
from workbench.text import count
from workbench.vocabulary import text_of

STEPS = (0.0, 0.001, 0.01, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 21600.0, 86400.0, 604800.0, 2592000.0, None)
"""Seconds up to which `change_intervals.sql` counts; None is longer."""
_KINDS = {"added": 0, "removed": 1, "type changed": 3}  # else 2, changed
_COUNTS = list(ATTRIBUTES)[2:6]  # in the order of the numbers of the kinds


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
    keys, modified, answer = asking.key_names(table), Filter(events=("MODIFY",)), None
    counted = AttributeChanges(keys)
    for answer in asking.batches("changes", table, where=modified, **span):
        counted.add(answer.rows)
    assert answer  # there is one at least
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
    """Which attributes the changes of a table touch, gathered batch by batch.

    >>> changes = AttributeChanges(["pk"], modifies=2)
    >>> changes.total().empty
    True
    """

    keys: Sequence[str]
    modifies: int = 0
    """Changes of items that were there before and after."""
    no_op_writes: int = 0
    """Those that changed nothing."""
    unknown: int = 0
    """Those of which the log does not have both images."""
    held: list[dict[str, Any]] = field(default_factory=list)
    """What they hold of the images; see `workbench.model.stream_views`."""
    _paths: dict[str, int] = field(default_factory=dict)
    _items: dict[str, int] = field(default_factory=dict)
    _touched: list[tuple[int, int, int, int]] = field(default_factory=list)
    """Number of the path, kind, number of the item, time in microseconds: one an attribute change."""

    def add(self, rows: pa.Table) -> None:
        """Take in MODIFY changes, as `changes.sql` answers them."""
        micros = pc.cast(rows.column("ts"), pa.int64()).to_pylist()
        images = (rows.column("old_image").to_pylist(), rows.column("new_image").to_pylist())
        self.modifies += len(micros)
        self.held += stream_views.count_views(rows)
        for key, at, old, new in zip(rows.column("keys").to_pylist(), micros, *images, strict=True):
            if old is None or new is None:
                self.unknown += 1
                continue
            touched: dict[str, int] = {}
            try:
                for each in differences(orjson.loads(old), orjson.loads(new)):
                    touched[path_text(each.path)] = _KINDS.get(each.change, 2)
            except (AttributeError, LookupError, TypeError, ValueError):
                refuse_images((old, new))
                raise
            if not touched:
                self.no_op_writes += 1
                continue
            item = self._items.setdefault(key, len(self._items))
            self._touched += [
                (self._paths.setdefault(path, len(self._paths)), kind, item, at) for path, kind in touched.items()
            ]

    def total(self) -> pd.DataFrame:
        """Return one row a path, the most changed first."""
        df = self._rows()
        for number, name in enumerate(_COUNTS):
            df[name] = df["kind"] == number
        paths = df.groupby("path", observed=True)
        total = paths[_COUNTS].sum()
        total["changes"] = paths.size()
        total["items"] = paths["item"].nunique()
        total["share"] = total["changes"] / max(self.modifies, 1)
        total["first_change"], total["last_change"] = paths["ts"].min(), paths["ts"].max()
        total = total.reset_index()[list(ATTRIBUTES)].astype(dict(ATTRIBUTES))
        return total.sort_values(["changes", "path"], ascending=[False, True], ignore_index=True)

    def over_time(self, every: str, timezone: str, start: datetime | None, end: datetime | None) -> pd.DataFrame:
        """Return one row a path and bucket, the most changed path first, empty buckets included."""
        df = self._rows()
        df["bucket"] = df["ts"].dt.tz_localize(None).dt.floor(pd.Timedelta(1, time_buckets.unit_of(every, timezone)))  # type: ignore[arg-type]
        counts = df.groupby(["bucket", "path"], observed=True).size().unstack(fill_value=0)
        sums = counts.sum()
        order = sorted(sums.index, key=lambda path: (-sums[path], path))
        numbered = counts[order].set_axis(range(len(order)), axis="columns")  # an attribute may be called bucket
        wide = time_buckets.into_buckets(numbered.reset_index(), every, timezone, start, end)
        long = wide.melt("bucket", var_name="path", value_name="changes")
        long["path"] = long["path"].map(dict(enumerate(order)))
        long = long[list(ATTRIBUTE_BUCKETS)].astype({"path": "str", "changes": "int64"})
        long.attrs = wide.attrs
        return long

    def _rows(self) -> pd.DataFrame:
        changes = np.array(self._touched, dtype="int64").reshape(-1, 4)
        df = pd.DataFrame(changes, columns=["path", "kind", "item", "ts"])
        df["path"] = pd.Categorical.from_codes(
            df["path"], pd.Index(sorted(self._paths, key=self._paths.__getitem__), dtype="str")
        )
        df["ts"] = df["ts"].to_numpy().astype("datetime64[us]")
        df["ts"] = df["ts"].dt.tz_localize("UTC")
        return df
