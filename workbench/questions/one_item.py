"""One item, as it is or was: `get`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar

import pandas as pd
import pyarrow as pa

from workbench.engines import Answer
from workbench.errors import ParameterError
from workbench.model.attribute_paths import RESERVED
from workbench.model.keys import Key
from workbench.model.times import END_OF_TIME, START_OF_TIME, Moment, instant
from workbench.questions import writers
from workbench.questions.asking import Asking
from workbench.questions.cells import is_absent
from workbench.questions.gathering import Items
from workbench.questions.large import whole_of
from workbench.questions.nesting import nest
from workbench.questions.result import Result
from workbench.questions.state import state_at
from workbench.sql.filters import Filter
from workbench.text import moment

_ROW = pa.schema({"keys": pa.string(), "image": pa.string(), "ts": pa.timestamp("us"), "by_ttl": pa.bool_()})


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Item(Result):
    """One item as it is or was: a frame of one row, or of none where there never was such an item.

    Attributes
    ----------
    verdict
        One line: whether it is there, since when, and in which of its versions and lives; or since when it is gone.
    """

    verdict: str
    _always: ClassVar[frozenset[str]] = RESERVED

    @property
    def item(self) -> dict[str, Any] | None:
        """The attributes, maps as dicts; None where the item is not there. An absent attribute is not in it."""
        if self.df.empty or self.df["_deleted_at"].notna().any():
            return None
        values = self._attributes.astype(object).iloc[0]  # numbers of Python's own, not of the frame's
        return {str(name): value for name, value in values.items() if not is_absent(value)}

    @property
    def _outcome(self) -> str:
        return self.verdict

    @property
    def as_json(self) -> str:
        """The item as a JSON object, maps as objects; ``null`` where it is not there."""
        if self.item is None:
            return "null"
        df = self._attributes
        there = [name for name in df.columns if not is_absent(df[name].iloc[0])]
        return "".join(writers.to_json(df[there])).strip().removeprefix("[").removesuffix("]")

    @property
    def _attributes(self) -> pd.DataFrame:
        return nest(self.df.drop(columns=[*RESERVED & set(self.df.columns)]))

    def _print(self, rows: int, vertical: bool) -> None:
        from workbench.terminal import print_frame, print_verdict

        print_verdict(self.verdict)
        if len(self.df):
            row = self.df.iloc[0]
            there = {name: value for name, value in row.items() if not is_absent(value) and name not in RESERVED}
            values = pd.Series([*there.values()], dtype=object)
            print_frame(pd.DataFrame({"attribute": [*map(str, there)], "value": values}), most=len(there))


def get(asking: Asking, table: str, key: Key | None, *, as_of: Moment | None) -> Item:
    """Show one item as it is or was; see `Workbench.get`."""
    at = END_OF_TIME if as_of is None else instant(as_of)
    keys = asking.read_keys(table, key, False)
    if key is None:
        busiest = asking.engine.ask("hot_keys", table, start=START_OF_TIME, end=END_OF_TIME, limit=1).rows
        keys = tuple(busiest.column("keys").to_pylist() or [""])  # which is no item's
    one = Filter(keys)

    def ask() -> tuple[Answer, pd.DataFrame, str, int]:
        answer = asking.ask("versions", table, where=one, over="history", as_of=at)
        rows = answer.rows.sort_by("valid_from").to_pylist()
        if len({row["keys"] for row in rows}) > 1:
            raise ParameterError(f"get shows one item, and there are several of that key in {table!r}: give all of it")
        if rows:
            last = rows[-1]
            verdict = _told(last)
            state: dict[str, Any] | None = _state(last)
        else:  # it was never there, or nothing but its removal is in the log
            gone = state_at(asking, table, at, include_deleted=True, where=one).rows.to_pylist()
            verdict = "there was no such item in the log" + ("" if as_of is None else " until then")
            state = gone[0] if len(gone) == 1 else None
            if state is not None:
                verdict = f"gone since {_written(state['ts'])}{', by TTL' if state['by_ttl'] else ''}"
        names = asking.key_names(table)
        items = Items(names, include_deleted=True, **asking.gathering)
        items.add(pa.Table.from_pylist([{name: state[name] for name in _ROW.names}] if state else [], _ROW))
        ambiguous = int(bool(rows) and rows[-1]["ambiguous"])
        return replace(answer, rows=answer.rows.slice(0, 0)), whole_of(items.frame(names)), verdict, ambiguous

    answer, df, verdict, ambiguous = asking.retrying(table, ask)
    asked = {"key": key, "as_of": as_of and at}
    notes = asking.notes(table, at)
    return asking.result(Item, df, answer, "get", table, asked, ambiguous=ambiguous, notes=notes, verdict=verdict)


def _state(last: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of `latest_state.sql` that follows from an item's last version."""
    gone = last["valid_to"] is not None
    return {
        "keys": last["keys"],
        "image": None if gone else last["image"],
        "ts": last["valid_to"] if gone else last["valid_from"],
        "by_ttl": last["ended_by"] == "ttl",
    }


def _told(last: Mapping[str, Any]) -> str:
    number = f"version {last['version']:,}" + (f", life {last['life']:,}" if last["life"] > 1 else "")
    if last["valid_to"] is None:
        return f"there, as it is since {_written(last['valid_from'])} ({number})"
    since = _written(last["valid_to"])
    if last["ended_by"] == "modify":
        return f"not known since {since}: the change then does not say what it left (before it was {number})"
    return f"gone since {since}{', by TTL' if last['ended_by'] == 'ttl' else ''} (it was {number})"


def _written(at: datetime) -> str:
    return f"{moment(at)} UTC"
