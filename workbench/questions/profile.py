"""How the values of each attribute are distributed: now, and at another instant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd
import pyarrow as pa

from workbench.engines import Answer
from workbench.errors import ParameterError, did_you_mean
from workbench.model.attribute_paths import column_name, column_path
from workbench.model.attribute_schema import Held
from workbench.model.times import Moment, instant
from workbench.model.typed_columns import number_column
from workbench.questions.asking import Asking
from workbench.questions.query import Tables, frame, masks_of, own_plan, own_text, stands_on
from workbench.questions.result import Result
from workbench.questions.state import at_most
from workbench.sql.profiles import MASKED, states_text
from workbench.sql.query import Plan
from workbench.sql.query.composed import ComposedText

_NUMBERS = ("least", "p25", "median", "p75", "most", "least_before", "median_before", "most_before")
_COUNTS = ("different", "different_before")
_LENGTHS = ("shortest", "shortest_before", "longest", "longest_before")


@dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class Profile(Result):
    """How the values of each attribute are distributed: a row an attribute.

    Attributes
    ----------
    values
        The most frequent values: path, type, value (as text), share of all items and, against another instant,
        share_before.
    """

    values: pd.DataFrame

    def _print(self, rows: int, vertical: bool) -> None:
        from workbench.terminal import print_frame

        super()._print(rows, vertical)
        print_frame(self.values)


def profile(
    asking: Asking,
    table: str,
    paths: str | Sequence[str] | None,
    *,
    as_of: Moment | None,
    against: Moment | None,
    limit: int,
) -> Profile:
    """Tell how the values of attributes are distributed; see `Workbench.profile`."""
    at, before = (None if each is None else instant(each) for each in (as_of, against))

    def ask() -> tuple[Plan, Answer, list[tuple[str, ...]]]:
        asking.engine.keys(table)  # which names the tables there are where there is none of this name
        planned = own_plan(asking, text_of(table, paths, as_of=at, against=before, limit=limit, asking=asking))
        return planned, asking.engine.query(planned, masks_of(asking.settings)), list(_chosen(asking, table, paths))

    planned, answer, held = asking.retrying(table, ask)
    rows = frame(planned, answer.rows, "decimal")
    df, values = _told(rows, [column_name(path) for path in held], against=before is not None)
    asked: dict[str, Any] = {"paths": paths, "as_of": at, "against": before, "limit": limit}
    return asking.result(
        Profile,
        df,
        answer,
        "profile",
        table,
        asked,
        notes=[*planned.notes, *stands_on(asking, planned)],
        masked=True,
        values=values,
    )


def text_of(
    table: str,
    paths: str | Sequence[str] | None = None,
    *,
    as_of: Moment | None = None,
    against: Moment | None = None,
    limit: int = 5,
    asking: Asking,
) -> ComposedText:
    """Return the query of a profile, which is of what the log holds."""
    at, before = (None if each is None else instant(each) for each in (as_of, against))
    instants = [at] if before is None else [at, before]
    states = states_text(table, _chosen(asking, table, paths), instants, masks_of(asking.settings))
    return own_text("profile", table, {}, {"shown": at_most(limit)}, states=states)


def _chosen(asking: Asking, table: str, given: str | Sequence[str] | None) -> dict[tuple[str, ...], Held]:
    """Return the attributes that are asked for, or all that are in no other."""
    tables = Tables(asking.engine)
    schema, keys = tables.schema(table), tables.keys(table)
    paths = [given] if isinstance(given, str) else given or None
    there = {path: held for path, held in schema.paths() if paths is not None or not held.members}
    if paths is None:
        order = sorted(there, key=lambda path: (path[0] not in keys, path))
        return {path: there[path] for path in order}
    chosen = {}
    for text in paths:
        path = column_path(text)
        if path not in there:
            names = [column_name(each) for each in there]
            raise ParameterError(f"no item ever had an attribute {text!r}.{did_you_mean(text, names)}")
        chosen[path] = there[path]
    return chosen


def _told(rows: pd.DataFrame, names: Sequence[str], *, against: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what `profile.sql` tells: a row an attribute, those that moved most first, and their frequent values."""
    told, values = [], list[dict[str, Any]]()
    sides = ("", "_before") if against else ("",)
    for number, name in enumerate(names, 1):
        of = rows[rows["attribute"] == number]
        total = {side: int(of[f"items{side}"].sum()) for side in ("", "_before")}
        row: dict[str, Any] = {"path": name}
        for side in sides:
            items = of[f"items{side}"]

            share = partial(_share, items, total[side])
            kinds = items.groupby(of["kind"]).sum().sort_values(ascending=False, kind="stable")
            kinds = kinds[(kinds > 0) & (kinds.index != "NULL")]
            row |= {
                f"items{side}": total[side],
                f"there{side}": share(of["kind"].notna()),
                f"null{side}": share((of["kind"] == "NULL").fillna(False)),
                f"absent{side}": share(of["kind"].isna()),
                f"types{side}": ", ".join(map(str, kinds.index)),
                f"true{side}": share((of["value"] == "true").fillna(False)) if "BOOL" in kinds.index else float("nan"),
            }
        masked = (of["kind"] == MASKED).any()
        for each in (*_COUNTS, *_LENGTHS, *_NUMBERS):
            if against or not each.endswith("_before"):
                found = of[each].dropna()
                row[each] = None if found.empty or masked else found.sum() if each in _COUNTS else found.iloc[0]
                if each in _LENGTHS and row[each] is not None:
                    row[each] = found.min() if each.startswith("shortest") else found.max()
        if against:
            row["moved"] = _moved(of, total)
        told.append(row)
        frequent = of[of["value"].notna()].sort_values(
            ["items", "items_before", "value"], ascending=[False, False, True]
        )
        values += [
            {"path": name, "type": each["kind"], "value": each["value"]}
            | {
                f"share{side}": int(each[f"items{side}"]) / total[side] if total[side] else float("nan")
                for side in sides
            }
            for each in frequent.to_dict("records")
        ]
    df = pd.DataFrame(told)
    for each in _NUMBERS:
        if each in df:
            df[each] = number_column(pa.chunked_array([pa.array([_text(cell) for cell in df[each]], pa.string())]))
    df = df.astype({each: "Int64" for each in (*_COUNTS, *_LENGTHS) if each in df})
    if against:
        df = df.sort_values("moved", ascending=False, kind="stable", ignore_index=True)
    columns = ["path", "type", "value", *(f"share{side}" for side in sides)]
    frequent = pd.DataFrame(values, columns=columns).astype({"path": "str", "type": "str", "value": "str"})
    place = {name: at for at, name in enumerate(df["path"])}
    return df, frequent.sort_values("path", key=lambda column: column.map(place), kind="stable", ignore_index=True)


def _share(items: pd.Series[Any], total: int, some: pd.Series[Any]) -> float:
    return float(items[some].sum()) / total if total else float("nan")


def _moved(of: pd.DataFrame, total: dict[str, int]) -> float:
    """Return how far two distributions are apart, from 0 to 1: of numbers at their farthest, else by their shares."""
    if not total[""] or not total["_before"]:
        return float("nan")
    whole = total[""] * total["_before"]
    parted = int(of["parted"].sum()) / (2 * whole)
    numbers = of[of["farthest"].notna()]
    if numbers.empty:
        return parted
    both = int(numbers["items"].sum()) * int(numbers["items_before"].sum())
    kinds = of.groupby("kind", dropna=False)[["items", "items_before"]].sum()
    of_kinds = sum(abs(int(a) * total["_before"] - int(b) * total[""]) for a, b in kinds.to_numpy()) / (2 * whole)
    return max(of_kinds, int(numbers["farthest"].max()) / both if both else 0.0)


def _text(cell: object) -> str | None:
    return None if cell is None or pd.isna(cell) else str(cell)  # type: ignore[call-overload]
