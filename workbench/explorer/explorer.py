"""Where the handles of an explorer stand, and what is shown there: the part of it that is in the kernel."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from workbench.errors import ConfigError, ParameterError, WorkbenchError
from workbench.explorer.changes import UNITS, Changes, changes_of, unit_of
from workbench.explorer.columns import ABSENT, Column, below
from workbench.explorer.filters import Holds, read_filter, where_it_holds
from workbench.explorer.states import ADDED, CHANGED, REMOVED, Differing, Numbers, States, micros, moment_of
from workbench.model.conditions import names
from workbench.model.times import END_OF_TIME, START_OF_TIME, Moment, instant
from workbench.progress import in_notebook
from workbench.questions.answers_noted import REPORT
from workbench.questions.asking import Asking
from workbench.questions.html import first_rows, small_print
from workbench.questions.result import Result
from workbench.questions.versions import versions
from workbench.sql.as_of import as_of_text, at_two_text
from workbench.text import count, moment, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from workbench.explorer.widget import Widget

PAGE = 50
"""Items of a page."""
BARS = 120
"""Bars of the changes behind the slider, at most."""
_STEPS = 1_000
"""Steps of a slider, at most."""
_SAVED = 10
"""Items in a notebook that was saved."""
_SHOWN_VERSIONS = 200
"""Of an item: the others are counted."""
_SHOWN_DIFFERENCES = 30
"""Attributes of an item that differ: the others are counted."""
_SECOND = 1_000_000
_ROUND = [
    *(_SECOND // each for each in (1_000_000, 100_000, 10_000, 1_000, 100, 10)),
    *(_SECOND * each for each in (1, 5, 15, 60, 300, 900, 3_600, 3 * 3_600, 6 * 3_600, 12 * 3_600, 86_400, 7 * 86_400)),
]
"""Lengths of time that steps and bars may have, in microseconds."""
_Answering = Callable[[Mapping[str, Any]], dict[str, Any]]
_TYPES: Mapping[str, type] = {"number": Decimal, "text": str, "boolean": bool}


def explore(asking: Asking, table: str, at: Moment | None, compare_to: Moment | None, where: str | None) -> Explorer:
    """Ask for the versions of all items, and return their explorer; see `Workbench.explore`."""
    if _is_live() and importlib.util.find_spec("anywidget") is None:
        raise ConfigError("the explorer needs anywidget, which is not installed: pip install '.[lab]'")
    answer = versions(
        asking, table, key=None, prefix=False, start=None, end=None, as_of=None, where=None, names="workbench"
    )
    baseline = asking.engine.baseline(table)
    states = States(answer.df, len(asking.key_names(table)), baseline.time if baseline else None)
    counted, changes = _changes(asking, table, states)
    queries = answer.stats.queries + counted.stats.queries
    seconds = answer.stats.seconds + counted.stats.seconds
    stats = replace(answer.stats, queries=queries, seconds=seconds, spent=counted.stats.spent)
    took = replace(answer, df=answer.df.iloc[:0], stats=stats)  # the rows are in columns now
    explorer = Explorer(asking, table, states, changes, took)
    explorer.where = where
    if at is not None:
        explorer.at = at
    explorer.compare_to = compare_to
    return explorer


def _changes(asking: Asking, table: str, states: States) -> tuple[Result, Changes]:
    """Ask how often the table changed: versions do not tell, since changes of one instant make one or none."""
    instants = states.instants
    unit = unit_of(_bar_of(int(instants[-1] - instants[0]), UNITS["millisecond"])) if len(instants) else "hour"
    answer = asking.engine.ask("change_frequency", table, start=START_OF_TIME, end=END_OF_TIME, unit=unit)
    df = answer.rows.to_pandas()
    counted = asking.result(Result, df, answer, "change_frequency", table, {"by": "event"})
    return counted, changes_of(df, unit)


class Explorer:
    """A table's life, with a handle at an instant: shows itself in JupyterLab, where the handle can be moved.

    What is set in Python moves what is on the screen, and what is moved there is read here: a cell below goes on from
    what was found. Each instant is in UTC, and all of it is told from what was asked when the explorer was opened.

    Examples
    --------
    >>> explorer = wb.explore("persons", at="2025-11-19")
    >>> explorer.state["pk"].to_list()
    ['p-000004', 'p-000006', 'p-000007', 'p-000008']
    >>> explorer.compare_to = "2025-11-18"
    >>> explorer.difference["item"].value_counts().to_dict()
    {'added': 4, 'removed': 1}
    """

    def __init__(self, asking: Asking, table: str, states: States, changes: Changes, answer: Result) -> None:
        self.table, self._asking, self._answer = table, asking, answer
        self._states, self._changes = states, changes
        self._settings = asking.settings
        instants = states.instants
        self._at = int(instants[-1]) if len(instants) else self._bounds[1] if self._bounds else 0
        self._compare_to: int | None = None
        self._where: str | None = None
        self._item: int | None = None
        self._held: tuple[str, Holds] | None = None
        self._differing: tuple[tuple[int, int, str | None], Differing] | None = None

    # For Python.

    @property
    def at(self) -> datetime:
        """The instant of the handle, UTC; it takes what `as_of` takes, such as ``"-2d"``."""
        return moment_of(self._at)

    @at.setter
    def at(self, moment: Moment) -> None:
        self._at = micros(instant(moment))
        self._moved()

    @property
    def compare_to(self) -> datetime | None:
        """The instant of the second handle, UTC; None where there is none."""
        return None if self._compare_to is None else moment_of(self._compare_to)

    @compare_to.setter
    def compare_to(self, moment: Moment | None) -> None:
        self._compare_to = None if moment is None else micros(instant(moment))
        self._moved()

    @property
    def where(self) -> str | None:
        """The condition that filters, as `Workbench.latest_state` takes it, on attributes; None where there is none."""
        return self._where

    @where.setter
    def where(self, text: str | None) -> None:
        text = (text or "").strip() or None
        self._holding(text)  # or it is refused, and the one before stays
        self._where = text
        self._moved()

    @property
    def key(self) -> dict[str, Any] | None:
        """The key of the item that was clicked last, as `Workbench.item_history` takes it; None where there is none."""
        if self._item is None:
            return None
        row = self._states.versions_of(self._item)[0]
        columns = self._states.columns[: self._states.keys]
        return {each.path[-1]: each.values.iloc[each.codes[row]] for each in columns if each.codes[row] != ABSENT}

    @property
    def state(self) -> pd.DataFrame:
        """The items at the handle for which `where` holds, all of them: attributes, and ``valid_from`` (UTC)."""
        return self._states.frame(self._rows(self._at))

    @property
    def difference(self) -> pd.DataFrame:
        """How the items at the handle differ from those at the second one, one row an attribute, as `diff` has it.

        The key, ``item`` (added, removed or changed), ``path``, ``before`` and ``after``; of an item that is on one
        side only, one row without a path.

        Raises
        ------
        ParameterError
            Where there is no second handle.
        """
        differing, states = self._difference(), self._states
        rows: list[tuple[Any, ...]] = []
        keys = states.columns[: states.keys]
        for change, before, after in zip(
            differing.change.tolist(), differing.before.tolist(), differing.after.tolist(), strict=True
        ):
            codes = [(column, int(column.codes[max(before, after)])) for column in keys]
            key = tuple(column.values.iloc[code] if code != ABSENT else pd.NA for column, code in codes)
            if change != CHANGED:
                rows.append((*key, change, pd.NA, pd.NA, pd.NA))
                continue
            for column, one, other in states.changes(before, after):
                sides = (column.values.iloc[code] if code != ABSENT else pd.NA for code in (one, other))
                rows.append((*key, change, column.name, *sides))
        names = [*(column.name for column in keys), "item", "path", "before", "after"]
        return pd.DataFrame(rows, columns=pd.Index(names), dtype=object)

    @property
    def sql(self) -> str:
        """The SQL that gives the same: for `Workbench.query`, or, where that has no words for `where`, of its own.

        Where there is a second handle, these are two SELECTs, of what the difference is between.
        """
        return self._sql(None, False) if self._compare_to is None else self._difference_sql()

    @property
    def python(self) -> str:
        """The line of Python that gives the same: the state, or the difference where there is a second handle."""
        if self._compare_to is None:
            return self._state_python()
        if self._where:  # which `diff` does not take
            both = f"at={_iso(self._at)!r}, compare_to={_iso(self._compare_to)!r}"
            return f"wb.explore({self.table!r}, {both}, where={self._where!r}).difference"
        first, last = map(_iso, sorted((self._at, self._compare_to)))
        return f"wb.diff({self.table!r}, {first!r}, {last!r})"

    def _state_python(self) -> str:
        where = f", where={self._where!r}" if self._where else ""
        return f"wb.latest_state({self.table!r}, as_of={_iso(self._at)!r}{where})"

    # What it shows itself as.

    def __repr__(self) -> str:
        """Say what it is of and where the handle stands, in one line."""
        line = f"the explorer of {self.table}: {self._sentence()}"
        how = "" if in_notebook() else "; it shows itself in JupyterLab, and here .state, .difference and .sql tell"
        return plain(line + how)

    def _ipython_display_(self) -> None:
        from IPython.display import display

        if _is_live():
            shown = self._widget._repr_mimebundle_() or ({},)
            display(shown[0] | self.still(), raw=True)  # type: ignore[no-untyped-call]
            return
        for part in (self._chart(), self._items()):
            display(part)  # type: ignore[no-untyped-call]
        if self._compare_to is not None:
            print(self._compared())

    def still(self) -> dict[str, str]:
        """Return what is shown where nothing can be moved, as in a notebook that was saved: the first items."""
        text = self._sentence() + (f"; {self._compared()}" if self._compare_to is not None else "")
        table = first_rows(self._states.frame(self._rows(self._at)[:_SAVED]), _SAVED)
        page = small_print(f"{self.table}: {text}") + table + small_print(f"{self.python} · {self._answer.summary}")
        return {"text/plain": repr(self), "text/html": page}

    def _items(self) -> Result:
        """Return the items at the handle as the answer that `Workbench.latest_state` gives, for a page to keep."""
        df = self.state
        asked = {"question": "latest_state", "table": self.table, "as_of": self.at, "where": self._where}
        given = {name: value for name, value in asked.items() if value is not None}
        return replace(
            self._answer,
            df=df,
            sql=self._sql(None, False),
            stats=replace(self._answer.stats, rows=len(df)),
            asked=given,
        )

    def _chart(self) -> Axes:
        """Draw the changes, and where the handles stand."""
        from matplotlib.dates import date2num

        from workbench import charts

        edges = self._edges
        counts = pd.DataFrame(
            {"bucket": pd.to_datetime(edges[:-1], unit="us", utc=True), **self._changes.frequency(edges)}
        )
        counts["removes"] += counts["ttl_removes"]  # of which those are
        counts["changes"] = counts[["inserts", "modifies", "removes"]].sum(axis="columns")
        ax = charts.change_frequency(counts, subject=self.table)
        for at, style in ((self._at, "-"), (self._compare_to, "--")):
            if at is not None and ax.get_xlim()[0] <= (place := date2num(moment_of(at))) <= ax.get_xlim()[1]:  # type: ignore[no-untyped-call]
                ax.axvline(place, color="#262b33", linestyle=style, linewidth=1.5)
        return ax

    @cached_property
    def _widget(self) -> Widget:
        from workbench.explorer.widget import Widget

        return Widget(self.facts(), self.answer)

    def _moved(self) -> None:
        if "_widget" in self.__dict__:
            self._widget.send({"kind": "moved", **self._stand()})

    def _sentence(self) -> str:
        if not len(self._states):
            return "no state of an item is known"
        shown = count(len(self._rows(self._at)), "item")
        where = f" where {self._where}" if self._where else ""
        return f"{shown} at {written(self._at)} UTC{where}"

    def _compared(self) -> str:
        counts = self._difference().counts
        changes = ", ".join(f"{counts[each]:,} {each}" for each in (ADDED, REMOVED, CHANGED))
        return f"{changes}, against {written(self._compare_to or 0)} UTC"

    # What the widget asks.

    def facts(self) -> dict[str, Any]:
        """Return what holds as long as the explorer is open: its columns, its span of time, the changes in it."""
        states, masked = self._states, self._masked
        first, last, step = self._span
        names = [
            {"name": plain(each.name), "type": "masked" if each in masked else each.type, "key": at < states.keys}
            for at, each in enumerate(states.columns)
        ]
        return {
            "table": plain(self.table),
            "columns": names,
            "span": [first, last],
            "step": step,
            "bar": self._bar,
            "edges": self._edges.tolist(),
            "changes": self._changes.frequency(self._edges),
            "items": states.number_of_items,
            "versions": len(states),
            "summary": plain(self._answer.summary),
            "page": PAGE,
            **self._stand(),
        }

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer what the widget asks: never more than a page, and an error as one line of text."""
        asked: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "view": self._view,
            "item": self._timeline,
        }
        reply = {"id": request.get("id"), "view": request.get("view")}
        kind = str(request.get("kind"))
        try:
            if kind not in asked:
                raise ParameterError(f"a message is view or item, and not {kind!r}")
            return reply | {"kind": kind} | asked[kind](request)
        except WorkbenchError as error:
            return reply | {"kind": "error", "error": plain(str(error)), "of": request.get("of")}

    def _stand(self) -> dict[str, Any]:
        return {"at": self._at, "compare": self._compare_to, "where": self._where or ""}

    def _view(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Move as asked, and tell what is there: a page of items, or of differences."""
        self._move(request)
        first = _whole(request, "first", 0, len(self._states))
        limit = _whole(request, "limit", 1, PAGE) if request.get("limit") else PAGE
        comparing = self._compare_to is not None
        columns = self._states.columns
        column = columns[_whole(request, "sort", 0, len(columns) - 1)] if request.get("sort") is not None else None
        if comparing and request.get("mode") == "difference":
            sql, python = self._difference_sql(), self.python
        else:
            sql, python = self._sql(column, bool(request.get("descending"))), self._state_python()
        reply: dict[str, Any] = self._stand() | {"when": written(self._at), "first": first}
        reply |= {"sql": plain(sql, keep="\n"), "python": plain(python, keep="\n")}
        there = self._states.at(self._at)
        rows = there[self._holding(self._where)[there]] if self._where else there
        reply |= {"there": len(there), "shown": len(rows), "comparison": None}
        if comparing:
            differing = self._difference()
            most = list(differing.attributes.items())[:_SHOWN_DIFFERENCES]
            reply["comparison"] = {
                "when": written(self._compare_to or 0),
                "counts": differing.counts,
                "attributes": [[plain(name), number] for name, number in most],
                "total": len(differing),
                "rows": [self._differing_row(differing, at) for at in range(first, min(first + limit, len(differing)))]
                if request.get("mode") == "difference"
                else [],
            }
        if request.get("mode") != "difference":
            ordered = self._states.ordered(rows, column, bool(request.get("descending")), first, limit)
            reply["rows"] = [self._row(int(row)) for row in ordered]
        return reply

    def _move(self, request: Mapping[str, Any]) -> None:
        """Take over what is asked; all of it, or nothing where a part cannot be read."""
        at, compare, where = self._at, self._compare_to, self._where
        if "at" in request:
            at = _instant(request["at"])
        if step := _whole(request, "step", -len(self._states.instants), len(self._states.instants)):
            at = self._next_change(at, step)
        if "compare" in request:
            compare = None if request["compare"] is None else _instant(request["compare"])
        if "where" in request:
            where = str(request["where"]).strip() or None
            self._holding(where)
        self._at, self._compare_to, self._where = at, compare, where

    def _next_change(self, at: int, step: int) -> int:
        instants = self._states.instants
        if not len(instants):
            return at
        place = int(np.searchsorted(instants, at, "right")) - 1 if step > 0 else int(np.searchsorted(instants, at))
        return int(instants[min(max(place + step, 0), len(instants) - 1)])

    def _timeline(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Tell an item's versions, the newest first, each by what it changed."""
        states = self._states
        if not len(states):
            raise ParameterError("no state of an item is known")
        self._item = item = _whole(request, "item", 0, states.number_of_items - 1)
        rows = states.versions_of(item)
        events: list[dict[str, Any]] = []
        for row in reversed(rows):
            if len(events) >= _SHOWN_VERSIONS:
                break
            if (ended := states.ended_by[row]) in ("remove", "ttl"):
                what = "removed by TTL" if ended == "ttl" else "removed"
                events.append({"at": int(states.ends[row]), "when": written(int(states.ends[row])), "what": what})
            came = states.came(row)
            what = ("known from the export" if not states.known(row) else "inserted") if came else "changed"
            attributes = self._attributes(-1 if came else row - 1, row)
            events.append(
                {"at": int(states.begins[row]), "when": written(int(states.begins[row])), "what": what, **attributes}
            )
        return {"item": item, "key": self._key_text(rows[0]), "versions": len(rows), "told": events}

    # Rows.

    def _rows(self, at: int) -> Numbers:
        rows = self._states.at(at)
        return rows[self._holding(self._where)[rows]] if self._where else rows

    def _holding(self, where: str | None) -> Holds:
        """Return of which versions a condition holds; once a condition, since moves leave it as it is."""
        if where is None:
            return np.ones(len(self._states), bool)
        if self._held is None or self._held[0] != where:
            condition = read_filter(where, self._settings.mask)
            self._held = where, where_it_holds(condition, self._states.columns, len(self._states))
        return self._held[1]

    def _difference(self) -> Differing:
        if self._compare_to is None:
            raise ParameterError("there is no second handle: set compare_to to an instant")
        first, last = sorted((self._at, self._compare_to))
        asked = first, last, self._where
        if self._differing is None or self._differing[0] != asked:
            one, other = (self._states.at(each) for each in (first, last))
            self._differing = (
                asked,
                self._states.differing(one, other, self._holding(self._where) if self._where else None),
            )
        return self._differing[1]

    def _row(self, row: int) -> dict[str, Any]:
        cells = [column.cell(int(column.codes[row])) for column in self._states.columns]
        return {"item": int(self._states.items[row]), "cells": cells, "since": written(int(self._states.begins[row]))}

    def _differing_row(self, differing: Differing, at: int) -> dict[str, Any]:
        change, before, after = str(differing.change[at]), int(differing.before[at]), int(differing.after[at])
        row = max(before, after)
        shown: dict[str, Any] = {"item": int(self._states.items[row]), "key": self._key_text(row), "change": change}
        return shown | (self._attributes(before, after) if change == CHANGED else {"attributes": [], "more": 0})

    def _attributes(self, before: int, after: int) -> dict[str, Any]:
        """Tell what two versions differ in."""
        changes = list(self._states.changes(before, after))
        shown = [
            [plain(column.name), column.cell(one), column.cell(other)]
            for column, one, other in changes[:_SHOWN_DIFFERENCES]
        ]
        return {"attributes": shown, "more": len(changes) - len(shown)}

    def _key_text(self, row: int) -> str:
        columns = self._states.columns[: self._states.keys]
        cells = [(plain(each.name), each.cell(int(each.codes[row]))) for each in columns]
        return ", ".join(f"{name}={text}" for name, (text, kind, _) in cells if kind != "absent")

    # What else there is to know.

    @cached_property
    def _masked(self) -> frozenset[Column]:
        """The columns whose values, or values in them, are masked."""
        from workbench.questions.masking import beside

        mask = self._settings.mask
        return frozenset(each for each in self._states.columns if any(not beside([path], [each.name]) for path in mask))

    @cached_property
    def _bounds(self) -> tuple[int, int] | None:
        """The first and the last instant at which anything is known to have changed; None where nothing has.

        A change that makes no version, as of an item whose state is not known, is in a unit of time; else it is exact.
        """
        instants, begins = self._states.instants, self._changes.begins
        bounds = [int(each) for each in instants[[0, -1]]] if len(instants) else []
        if len(begins) and (not bounds or begins[0] + self._changes.unit <= bounds[0]):
            bounds.append(int(begins[0]))
        if len(begins) and begins[-1] > bounds[-1]:
            bounds.append(int(begins[-1]))
        return (min(bounds), max(bounds)) if bounds else None

    @cached_property
    def _span(self) -> tuple[int, int, int]:
        """The first and the last instant of the slider, and its step, in microseconds: round ones."""
        first, last = self._bounds or (0, 0)
        if first == last:
            return first, last, 1
        step = next((each for each in _ROUND if (last - first) / each <= _STEPS), _ROUND[-1])
        return first - first % step, last - last % step + step, step

    @property
    def _bar(self) -> int:
        first, last = self._bounds or (0, 0)
        return _bar_of(last - first, self._changes.unit)

    @property
    def _edges(self) -> Numbers:
        """The instants between which changes are counted."""
        if self._bounds is None:
            return np.empty(0, np.int64)
        first, last = self._bounds
        begin = first - first % self._bar
        return np.arange(begin, last + 1 + self._bar, self._bar, dtype=np.int64)

    def _type_of(self, path: Sequence[str | int]) -> type | None:
        columns = [each for each in self._states.columns if each.path == tuple(path) and each not in self._masked]
        return _TYPES.get(columns[0].type) if columns else None

    def _sql(self, column: Column | None, descending: bool) -> str:
        condition = read_filter(self._where, self._settings.mask) if self._where else None
        order: list[tuple[Sequence[str | int], bool]] = []
        if column is not None and column.type in _TYPES:
            order = [(column.path, descending)]
        order += [(each.path, False) for each in self._states.columns[: self._states.keys] if each is not column]
        read = [name.path for name in names(condition)] if condition else []
        if all(below(self._states.columns, path) for path in read):  # a query names no attribute that no item ever had
            by = order if column is not None else ()
            if (text := as_of_text(self.table, self.at, condition, by, type_of=self._type_of)) is not None:
                return text
        return self._asking.sql("latest_state", self.table, {"as_of": self.at, "where": self._where})

    def _difference_sql(self) -> str:
        """Write the two SELECTs that the difference is between, of the items that it is of, each with a line before."""
        condition = read_filter(self._where, self._settings.mask) if self._where else None
        first, last = sorted((self._at, self._compare_to or 0))
        instants = moment_of(first), moment_of(last)
        keys = self._states.columns[: self._states.keys]
        texts, rest = None, ""
        if condition is not None:
            read = [name.path for name in names(condition)]
            known = all(below(self._states.columns, path) for path in read)
            if known and not any(each in self._masked or ABSENT in each.codes for each in keys):
                paths = [each.path for each in keys]
                texts = at_two_text(self.table, instants, condition, paths, type_of=self._type_of)
        if texts is None:
            texts = at_two_text(self.table, instants, type_of=self._type_of)
            rest = f", of items for which {' '.join((self._where or '').split())} at either" if condition else ""
        assert texts is not None  # without a condition there are words for it
        heads = (
            f"-- The items at {written(first)} UTC,",
            f"-- and those at {written(last)} UTC: the difference is what differs between the two{rest}",
        )
        return "\n\n".join(f"{head}\n{text};" for head, text in zip(heads, texts, strict=True))


def written(at: int) -> str:
    """Write an instant for people, UTC, with as many decimals as it has.

    >>> written(1_700_000_000_000_000), written(1_700_000_000_123_456)
    ('2023-11-14 22:13:20', '2023-11-14 22:13:20.123456')
    """
    return moment(moment_of(at))


def _bar_of(length: int, unit: int) -> int:
    """Return how long bars are over a length of time, in microseconds: whole units.

    >>> _bar_of(4 * 86_400_000_000, 60_000_000) // 60_000_000
    60
    """
    if not length:
        return max(_SECOND, unit)
    week = _ROUND[-1]
    found = (each for each in _ROUND if each >= unit and length / each <= BARS)
    return next(found, -(-length // (BARS * week)) * week)


def _iso(at: int) -> str:
    return moment_of(at).isoformat().replace("+00:00", "Z")


def _instant(given: object) -> int:
    """Read an instant of the widget: microseconds, or what somebody typed."""
    if isinstance(given, int | float) and not isinstance(given, bool):
        try:
            moment_of(int(given))
        except (OverflowError, ValueError):  # the latter is of NaN
            raise ParameterError(f"{given!r} is not an instant: it is before the year 1 or after 9999") from None
        return int(given)
    return micros(instant(str(given).strip()))


def _is_live() -> bool:
    """Return whether somebody may be there to move something: in a notebook, and no report."""
    return in_notebook() and not (os.environ.get(REPORT) or os.environ.get("TQDM_DISABLE"))


def _whole(request: Mapping[str, Any], name: str, least: int, most: int) -> int:
    """Read a whole number of the widget, 0 where there is none, and bring it into what there is."""
    given = request.get(name) or 0
    if not isinstance(given, int):
        raise ParameterError(f"{name}={given!r} of a message is no whole number")
    return min(max(given, least), most)
