"""Frames of what happened to items: their history, and what differs between two states of them."""

from __future__ import annotations

import html
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import groupby
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa

from workbench.engines import Answer
from workbench.errors import ParameterError
from workbench.model import items, stream_views
from workbench.model.differences import differences
from workbench.model.keys import Key, key_order
from workbench.model.ordering import ABSENT, Link, follow
from workbench.model.records import canonical_text
from workbench.model.times import END_OF_TIME, START_OF_TIME, Moment, instant, window
from workbench.questions.actors import Actor, actor_of
from workbench.questions.asking import Asking
from workbench.questions.columns import HISTORY
from workbench.questions.frames import key_frame
from workbench.questions.hints import hints
from workbench.questions.html import small_print
from workbench.questions.result import Result
from workbench.questions.state import images_by_key, missing_images, state_at
from workbench.questions.state_comparison import compare, path_text
from workbench.sql.filters import Filter
from workbench.text import moment, plain

Row = Mapping[str, Any]
"""A change as `changes.sql` answers it."""


@dataclass(frozen=True, repr=False, eq=False)
class History(Result):
    """The lives of items; shows itself as a timeline."""

    def _print(self, rows: int, vertical: bool) -> None:
        if self.chosen or vertical:
            super()._print(rows, vertical)
            return
        from workbench.questions import timeline
        from workbench.terminal import print_lines

        print_lines([timeline.to_text(self.df)])

    def _repr_html_(self) -> str:
        if self.chosen:
            return super()._repr_html_()
        from workbench.questions import timeline  # Jinja, which only notebooks need

        return f"{timeline.to_html(self.df, limit=40)}{small_print(self.summary)}"


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Comparison(Result):
    """What differs between two states of a table.

    Attributes
    ----------
    items
        How many items, by what they are called in the column ``item``; ``same`` are the others.
    """

    items: Mapping[str, int]

    @property
    def agrees(self) -> bool:
        """Whether no item differs, but for changes that are still in flight."""
        return not any(count for name, count in self.items.items() if name not in ("same", "in flight"))

    @property
    def verdict(self) -> str:
        """One line: how many items differ, and how."""
        counts = [f"{count:,} {name}" for name, count in self.items.items() if count and name != "same"]
        against = self.asked.get("against") if self.asked.get("question") == "diff" else None
        what = f"{self.asked['table']}{f' against {against}' if against else ''}"
        return f"{what}: {', '.join(counts) or 'no difference'}; {self.items['same']:,} items the same"

    @property
    def _outcome(self) -> str:
        return self.verdict

    def _print(self, rows: int, vertical: bool) -> None:
        from workbench.terminal import print_verdict

        print_verdict(self.verdict)
        if len(self):
            super()._print(rows, vertical)

    def _repr_html_(self) -> str:
        return f"<p><b>{html.escape(plain(self.verdict))}</b></p>{super()._repr_html_() if len(self.df) else ''}"


def item_history(
    asking: Asking,
    table: str,
    key: Key | Sequence[Key] | None,
    *,
    prefix: bool,
    start: Moment | None,
    end: Moment | None,
) -> History:
    """Tell what happened to an item, or to a few; see `Workbench.item_history`."""
    begin, until = window(start, end)
    keys = asking.read_keys(table, key, prefix)
    if key is None:
        busiest = asking.engine.ask("hot_keys", table, start=begin, end=until, limit=1).rows
        keys = tuple(busiest.column("keys").to_pylist() or [""])  # which is no item's
    matching, actor = Filter(keys), actor_of(asking.settings)

    def ask() -> tuple[Answer, pd.DataFrame]:
        answer = asking.ask("changes", table, end=until, where=matching)
        rows = in_utc(answer.rows)
        if baseline := asking.engine.baseline(table, None if until == END_OF_TIME else until):
            exported = asking.engine.ask(
                "changes", table, start=START_OF_TIME, end=END_OF_TIME, over="baseline", where=matching
            )
            rows = with_baseline(rows, in_utc(exported.rows), baseline.time)
        return answer, history(rows, asking.key_names(table), start=begin, actor=actor)

    answer, df = asking.retrying(table, ask)
    asked = {"key": key, "prefix": prefix, "start": start and begin, "end": end and until}
    notes = [
        *asking.notes(table, until),
        *missing_images(stream_views.count_views(answer.rows)),
        *hints(asking, table, df),
        *(actor.untold(df) if actor else ()),
    ]
    asked["actor"] = asking.settings.actor
    return asking.result(History, df, answer, "item_history", table, asked, notes=notes)


def diff(
    asking: Asking,
    table: str,
    before: Moment,
    after: Moment | None,
    *,
    key: Key | Sequence[Key] | None,
    prefix: bool,
) -> Comparison:
    """Compare a table, or items of it, at two instants; see `Workbench.diff`."""
    instants = instant(before), END_OF_TIME if after is None else instant(after)
    if instants[0] > instants[1]:
        raise ParameterError(
            f"the instants are the wrong way round: {moment(instants[0])} UTC is after {moment(instants[1])} UTC"
        )
    matching = Filter(asking.read_keys(table, key, prefix))

    def ask() -> tuple[Answer, pd.DataFrame, dict[str, int]]:
        answers = [state_at(asking, table, at, where=matching) for at in instants]
        one, other = (images_by_key(answer.rows) for answer in answers)
        df, items = compare(
            one, other, asking.key_names(table), ("added", "removed", "changed"), threads=asking.settings.threads
        )
        return answers[-1], df, items

    answer, df, items = asking.retrying(table, ask)
    asked = {"before": instants[0], "after": after and instants[1], "key": key, "prefix": prefix}
    notes = asking.notes(table, instants[0])
    return asking.result(Comparison, df, answer, "diff", table, asked, items=items, notes=notes)


def history(
    rows: Iterable[Row], keys: Sequence[str], *, start: datetime | None = None, actor: Actor | None = None
) -> pd.DataFrame:
    """Return the lives of items, given their changes: one row an attribute change; see `Workbench.item_history`.

    Changes before `start` are reckoned with, but not shown; with `actor`, who wrote is told beside each.

    >>> row = {"keys": '{"pk":{"S":"a"}}', "event_id": "1", "event_name": "INSERT", "by_ttl": False, "old_image": None}
    >>> row |= {"ts": pd.Timestamp("2026-11-01", tz="UTC"), "new_image": '{"pk":{"S":"a"},"n":{"N":"1"}}'}
    >>> history([row], ["pk"])[["pk", "life", "path", "change", "after"]].to_dict("records")
    [{'pk': 'a', 'life': 1, 'path': 'n', 'change': 'added', 'after': 1}]
    """
    lines: list[tuple[Any, ...]] = []
    wrote: list[dict[str, Any] | None] = []
    ordered = sorted(rows, key=lambda row: key_order(row["keys"]))
    for key, changes in groupby(ordered, key=lambda row: row["keys"]):
        for row, at, life, since, missing in _lives(list(changes)):
            if start and row["ts"] < start:
                continue
            change = (life, row["ts"], row["event_name"], row["by_ttl"], since)
            left = image_of(row["new_image"]) if _holds_after(row) else _UNKNOWN
            unknown = at is _UNKNOWN or left is _UNKNOWN
            differing = list(_differing(at, left, orjson.loads(key))) or [_UNKNOWN_CHANGE if unknown else _NOTHING]
            lines += ((key, *change, *each, missing, row["event_id"]) for each in differing)
            wrote += [None if left is _UNKNOWN else left] * len(differing) if actor else []
    return _frame(lines, keys, HISTORY, actor, wrote)


def with_baseline(rows: Iterable[Row], baseline: Iterable[Row], at: datetime) -> list[Row]:
    """Add what an export knows of items at an instant, where their changes before it lead to something else."""
    exported = {row["keys"]: row for row in baseline}
    changes = sorted(rows, key=lambda row: row["keys"])
    log = {key: list(group) for key, group in groupby(changes, key=lambda row: row["keys"])}
    for key in exported.keys() | log.keys():
        ordered = [row for row, _ in chained([row for row in log.get(key, []) if row["ts"] <= at])]
        left = _canonical(ordered[-1]["new_image"]) if ordered else None
        image = exported[key]["new_image"] if key in exported else None
        if _canonical(image) != (left or ABSENT):
            changes.append(
                {
                    "keys": key,
                    "ts": at,
                    "event_id": "",
                    "event_name": "BASELINE",
                    "by_ttl": False,
                    "new_image": image,
                    "old_image": None,
                    "after_others": bool(ordered),
                }
            )
    return changes


def image_of(text: str | None) -> dict[str, Any] | None:
    """Parse an image; None where there is none.

    >>> image_of('{"n":{"N":"1.0"}}'), image_of(None)
    ({'n': {'N': '1'}}, None)
    """
    return None if text is None else orjson.loads(_canonical(text))


def chained(rows: Sequence[Row]) -> Iterator[tuple[Row, bool]]:
    """Order the changes of one item by their images; yield each, and whether one before it is missing.

    >>> row = {"ts": datetime(2026, 11, 1), "event_id": "1", "event_name": "INSERT", "old_image": None}
    >>> [missing for _, missing in chained([row | {"new_image": '{"n":{"N":"1"}}'}])]
    [False]
    """
    if not all(map(_holds_after, rows)):  # without images there is nothing to follow
        yield from ((row, False) for row in sorted(rows, key=lambda row: (row["ts"], row["event_id"])))
        return
    links = {}
    for row in rows:
        before = _canonical(row["old_image"]) if _holds_before(row) else None
        if row.get("after_others"):  # what an export says must be what the change before it left
            before = _canonical(row["new_image"])
        links[Link(row["ts"], row["event_id"], before, _canonical(row["new_image"]))] = row
    for link, missing in follow(links):
        yield links[link], missing


def _holds_before(row: Row) -> bool:
    return row["old_image"] is not None or row["event_name"] == "INSERT"


def _holds_after(row: Row) -> bool:
    return row["new_image"] is not None or row["event_name"] in ("REMOVE", "BASELINE")


def _canonical(text: str | None) -> str:
    return ABSENT if text is None else _canonical_text(text)


# An item's change finds what the one before it left: each image is asked for again and again.
_canonical_text: Callable[[str], str] = lru_cache(maxsize=20_000)(canonical_text)


def _lives(rows: Sequence[Row]) -> Iterator[tuple[Row, dict[str, Any] | None, int, Any, bool]]:
    """Yield the changes of an item with the image each found, its life, the time since the last, and `missing`."""
    life, before = 1, None
    left: dict[str, Any] | None = None
    for row, missing in chained(rows):
        if before is None and row["event_name"] in ("MODIFY", "REMOVE"):  # it was there
            left = _UNKNOWN
        now = image_of(row["new_image"]) if _holds_after(row) else _UNKNOWN
        life += before is not None and left is None and now is not None
        # In a log without old images, and for an export, what the last change left.
        at = image_of(row["old_image"]) if _holds_before(row) else left
        yield row, at, life, pd.NaT if before is None else row["ts"] - before, missing
        left, before = now, row["ts"]


_UNKNOWN: dict[str, Any] = {}  # an image there was, which the log does not hold
_NOTHING = (pd.NA, pd.NA, pd.NA, pd.NA, pd.NA, pd.NA)
_UNKNOWN_CHANGE = (pd.NA, "unknown", pd.NA, pd.NA, pd.NA, pd.NA)


def _differing(
    old: dict[str, Any] | None, new: dict[str, Any] | None, keys: Container[str]
) -> Iterator[tuple[Any, ...]]:
    if old is _UNKNOWN or new is _UNKNOWN:  # what is known of the one image, and no change
        for each in differences(None, new or old):
            if each.path[0] not in keys:
                value, kind = _plain(each.after), _kind(each.after)
                sides = (pd.NA, value, pd.NA, kind) if old is _UNKNOWN else (value, pd.NA, kind, pd.NA)
                yield (path_text(each.path), "unknown", *sides)
        return
    for each in differences(old, new):
        if each.path[0] in keys:
            continue
        before, after = each.before or each.after, each.after or each.before
        if each.change in ("added", "removed"):
            before, after = each.before, each.after
        yield (path_text(each.path), each.change, _plain(each.before), _plain(each.after), _kind(before), _kind(after))


def in_utc(rows: pa.Table) -> list[Row]:
    """Return the rows of `changes.sql`, their times in UTC."""
    return [row | {"ts": row["ts"].replace(tzinfo=UTC)} for row in rows.to_pylist()]


def _plain(value: Mapping[str, Any] | None) -> Any:
    return pd.NA if value is None else items.from_dynamodb({"": value})[""]


def _kind(value: Mapping[str, Any] | None) -> Any:
    return pd.NA if value is None else next(iter(value))


def _frame(
    rows: Sequence[tuple[Any, ...]],
    keys: Sequence[str],
    columns: Mapping[str, str],
    actor: Actor | None,
    wrote: Sequence[Mapping[str, Any] | None],
) -> pd.DataFrame:
    """Make a frame of rows that begin with a key's text: the key's attributes first, then the columns.

    With `actor`, `wrote` has the image that each row's change left.
    """
    df = pd.DataFrame(index=pd.RangeIndex(len(rows)))
    for number, (name, kind) in enumerate(columns.items(), start=1):
        values = np.empty(len(rows), dtype=object)
        values[:] = [row[number] for row in rows]
        column = pd.Series(values, dtype=object)
        column = pd.to_datetime(column, utc=True) if kind.startswith("datetime") else column
        df[name] = column.astype(kind)  # type: ignore[call-overload]
    df = actor.beside(df, actor.of_images(wrote)) if actor else df
    parts = [key_frame([row[0] for row in rows], keys, map(str, df)), df]
    return pd.concat(parts, axis="columns")
