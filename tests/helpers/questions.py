"""Every question there is, as a person asks it: what the engines must agree on."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import pandas as pd

from tests.helpers.lakes import START
from workbench import Workbench
from workbench.questions.quality import Quality


@lru_cache(maxsize=4)
def _quality(wb: Workbench) -> Quality:
    return wb.data_quality("things")


def told_by(wb: Workbench, actor: str) -> Workbench:
    """The same log, whose items tell who wrote them."""
    return Workbench(**(wb.settings.model_dump() | {"actor": actor}))


AT, LATER = START.isoformat(), "2026-11-18T12:00:00Z"
QUESTIONS: dict[str, Callable[[Workbench], pd.DataFrame]] = {
    "latest": lambda wb: wb.latest_state("things").df,
    "as of": lambda wb: wb.latest_state("things", as_of=LATER).df,
    "with deleted": lambda wb: wb.latest_state("things", include_deleted=True).df,
    "latest where": lambda wb: wb.latest_state("things", where="age > 10 or name like 'A%'").df,
    "before it began": lambda wb: wb.latest_state("things", as_of="2026-11-01").df,
    "changes": lambda wb: wb.changes("things").df,
    "changes in a window": lambda wb: wb.changes("things", start=LATER, end="2026-11-19").df,
    "changes where": lambda wb: (
        wb.changes("things", events="MODIFY", where="new.name like '%a%' or old.age is absent").df
    ),
    "changes of an attribute": lambda wb: wb.changes("things", where="changed(age) and not changed(name)").df,
    "changes of sizes": lambda wb: (
        wb.changes("things", where="size(new.note) > size(old.note) or old.name <> new.name").df
    ),
    "latest with members": lambda wb: (
        wb.latest_state("things", where="contains(tags, 'b') or size(note) > 20 or starts_with(name, 'A')").df
    ),
    "changes by somebody": lambda wb: told_by(wb, "name").changes("things").df,
    "changes of an item": lambda wb: wb.changes("things", key={"pk": "p-1", "sk": 1}).df,
    "one item": lambda wb: wb.get("things", {"pk": "p-1", "sk": 1}).df,
    "one item then": lambda wb: wb.get("things", {"pk": "p-1", "sk": 1}, as_of=LATER).df,
    "lifetimes": lambda wb: wb.lifetimes("things", end="2026-11-19").df,
    "stale": lambda wb: wb.stale("things", LATER, where="age > 3").df.drop(columns="age", errors="ignore"),
    "versions": lambda wb: wb.versions("things").df,
    "versions in a window": lambda wb: wb.versions("things", start=LATER, where="age > 10 and version > 1").df,
    "versions as dbt": lambda wb: wb.versions("things", key={"pk": "p-1", "sk": 1}, as_of=LATER, names="dbt").df,
    "history": lambda wb: wb.item_history("things").df,
    "history by prefix": lambda wb: wb.item_history("things", "pk=p-", prefix=True).df,
    "history by somebody": lambda wb: told_by(wb, "address.geo").item_history("things").df,
    "diff": lambda wb: wb.diff("things", AT, LATER).df,
    "frequency": lambda wb: wb.change_frequency("things", every="3h", timezone="Europe/Berlin").df,
    "frequency in a window": lambda wb: wb.change_frequency("things", start=LATER, end="2026-11-19").df,
    "by attribute": lambda wb: wb.change_frequency("things", by="attribute").df,
    "by attribute and time": lambda wb: wb.change_frequency("things", by="attribute", every="1d").df,
    "by key": lambda wb: wb.change_frequency("things", by="key", limit=5).df,
    "concentration": lambda wb: wb.change_frequency("things", by="concentration").df,
    "interval": lambda wb: wb.change_frequency("things", by="interval").df,
    "transitions": lambda wb: wb.transitions("things", "note").df,
    "transitions of a number": lambda wb: wb.transitions("things", "age", start=LATER).df,
    "transitions, longest": lambda wb: wb.transitions("things", "name", end="2026-11-19").longest,
    "trend": lambda wb: wb.trend("things", "sum(length(note))", every="3h", timezone="Europe/Berlin").df,
    "trend by": lambda wb: wb.trend("things", "avg(length(note))", every="6h", by="name", where="note <> 'n'").df,
    "trend of values": lambda wb: wb.trend("things", "median(length(note))", every="1h", start=LATER).df,
    "trend of texts": lambda wb: wb.trend("things", "count(distinct name)", every="1d", by="age").df,
    "profile": lambda wb: wb.profile("things", against=LATER).df,
    "profile's values": lambda wb: wb.profile("things", ["name", "age"], as_of=LATER, limit=3).values,
    "undo": lambda wb: wb.undo("things", start=LATER, end="2026-11-18T20:00Z", live=False).df,
    "undo where": lambda wb: wb.undo("things", where="new.age > 10 and changed(name)", live=False).df,
    "undo by attribute": lambda wb: wb.undo("things", start=LATER, key="pk=p-", prefix=True, live=False).paths,
    "undo to": lambda wb: wb.undo("things", to=LATER, live=False).df,
    "undo of an actor": lambda wb: wb.undo("things", actor_is="age=7", on_conflict="before", live=False).df,
    "quality": lambda wb: _quality(wb).df.copy(),
    "quality's lag": lambda wb: _quality(wb).lag,
    "quality's drift": lambda wb: _quality(wb).drift,
}


def same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Assert that two answers are the same: columns, their types, and every value, nested ones too."""
    assert list(found.columns) == list(expected.columns)
    assert found.dtypes.astype(str).to_dict() == expected.dtypes.astype(str).to_dict()
    for name in expected.columns:
        values, wanted = ([_plain(value) for value in df[name]] for df in (found, expected))
        assert values == wanted, name


def _plain(value: object) -> object:
    if isinstance(value, frozenset):
        return ("set", *sorted(map(repr, value)))
    if isinstance(value, list | tuple):
        return [_plain(element) for element in value]
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return repr(value)
