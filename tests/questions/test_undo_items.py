"""Items that a table would refuse as an undo would leave them are left alone, and told of."""

from __future__ import annotations

from typing import Any

import pytest

from tests.helpers.logs import chain, micros, write_log
from workbench import Workbench
from workbench.errors import ParameterError
from workbench.model.merging import Merged
from workbench.questions.undo_items import Planned, without_refused

NOON = micros("2026-11-18T12:00:00")
MINUTE = 60_000_000
KEY = {"pk": {"S": "p-1"}}


def planned(after: dict[str, Any] | None, action: Any = "update") -> Planned:
    return Planned('{"pk":{"S":"p-1"}}', KEY, Merged(action, after, (), frozenset({"e-1"})))


@pytest.mark.parametrize(
    ("city", "refused"), [(None, False), ({"S": "Kiel"}, False), ({"S": ""}, True), ({"N": "1"}, True)]
)
def test_an_item_keeps_to_the_keys_of_indexes(city, refused):
    each = planned({**KEY, "note": {"S": ""}, **({"city": city} if city else {})})
    (kept,), number = without_refused([each], {"city": "S"})
    assert number == refused
    assert (kept == each) is not refused
    if refused:
        assert (kept.merged.action, kept.merged.after, kept.merged.takes_back) == ("conflict", KEY, frozenset())
        assert kept.note.startswith("left alone, for the table would refuse it: the attribute city is ")
    assert without_refused([each], {}) == ([each], 0)


@pytest.mark.parametrize("action", ["delete", "unchanged", "gone", "unknown", "conflict"])
def test_what_is_not_written_is_not_looked_at(action):
    each = planned(None if action in ("delete", "gone") else {**KEY, "city": {"N": "1"}}, action)
    assert without_refused([each], {"city": "S"}) == ([each], 0)


def test_an_item_that_would_be_too_large_by_what_stays_is_left_alone(tmp_path):
    long = {"S": "x" * 250_000}
    states = [{**KEY, "a": long}, KEY, {**KEY, "b": long}]  # a went by mistake, and b came after that
    log = chain(KEY, [(NOON + at * MINUTE, state) for at, state in enumerate(states)])
    write_log(tmp_path / "log", log)
    wb = Workbench(tmp_path / "log", home=tmp_path / "home")
    bad = {"start": "2026-11-18T12:01Z", "end": "2026-11-18T12:02Z"}
    undone = wb.undo("things", **bad)
    assert undone.df["action"].tolist() == ["conflict"]
    assert undone.df["note"][0].startswith("left alone, for the table would refuse it: the item has 500,")
    assert "left alone: 1 item that the table would refuse as planned" in undone.stats.notes
    assert (undone.units, undone.writes) == (0, 0)
    assert undone.conflicts[["path", "status", "why"]].values.tolist() == [
        ["a", "conflict", "the table would refuse it"]
    ]
    assert "a" not in undone.df["after"][0], "it stays as it is"
    with pytest.raises(ParameterError, match="1 item in conflict, and on_conflict is fail"):
        wb.undo("things", **bad, on_conflict="fail")


@pytest.mark.parametrize(("attributes", "action"), [(100, "update"), (160, "conflict")])
def test_a_signed_item_is_never_written_in_parts(tmp_path, attributes, action):
    def state(value: str) -> dict[str, Any]:
        return {**KEY, "aws_dbe_foot": {"S": value}, **{f"a{number}": {"N": value} for number in range(attributes)}}

    log = chain(KEY, [(NOON + at * MINUTE, state(str(at))) for at in range(2)])
    write_log(tmp_path / "log", log)
    undone = Workbench(tmp_path / "log", home=tmp_path / "home").undo("things", start="2026-11-18T12:01Z")
    assert (undone.df["action"].tolist(), undone.writes) == ([action], int(action == "update"))
    assert undone.df["note"].str.contains("signed as a whole").tolist() == [action == "conflict"]
