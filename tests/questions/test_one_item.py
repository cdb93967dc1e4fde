"""One item as it is or was, and the items that have not changed for long."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from click.testing import CliRunner

from tests.helpers.logs import chain, micros, record, write_log
from workbench import Workbench
from workbench.cli import main
from workbench.errors import ParameterError
from workbench.model import times

KEY = {"pk": {"S": "x"}}
NOON = micros("2026-01-01T12:00:00")
HOUR = 3_600_000_000
A = KEY | {"v": {"S": "A"}, "m": {"M": {"n": {"N": "1"}, "first.name": {"S": "Ann"}}}}
B = KEY | {"v": {"S": "B"}}


def at(hour: int) -> pd.Timestamp:
    return pd.Timestamp("2026-01-01T12:00:00Z") + pd.Timedelta(hours=hour)


@pytest.fixture
def log(tmp_path):
    lives = chain(KEY, [(NOON, A), (NOON + HOUR, B), (NOON + 2 * HOUR, None), (NOON + 4 * HOUR, A)], ttl=True)
    other = {"pk": {"S": "y"}}
    return write_log(tmp_path / "log", [*lives, *chain(other, [(NOON + HOUR, other | {"v": {"S": "Y"}})])])


def test_an_item_is_shown_as_it_is_was_or_is_gone(log):
    wb = Workbench(log)
    now = wb.get("things", "pk=x")
    assert now.item == {"pk": "x", "v": "A", "m": {"n": 1, "first.name": "Ann"}}
    assert now.verdict == "there, as it is since 2026-01-01 16:00:00 UTC (version 3, life 2)"
    then = wb.get("things", {"pk": "x"}, as_of=at(1))
    assert (then.item, then.df["_changed_at"][0]) == ({"pk": "x", "v": "B"}, at(1))
    gone = wb.get("things", "pk=x", as_of=at(3))
    assert gone.item is None
    assert gone.verdict == "gone since 2026-01-01 14:00:00 UTC, by TTL (it was version 2)"
    assert (gone.df["_deleted_at"][0], gone.df["_by_ttl"][0]) == (at(2), True)
    for moment in (None, at(0), at(1), at(2), at(4)):
        state = wb.latest_state("things", as_of=moment, include_deleted=True).df
        found = wb.get("things", "pk=x", as_of=moment).df
        assert found["_changed_at"].to_list() == state[state["pk"] == "x"]["_changed_at"].to_list()
        assert found["_deleted_at"].isna().to_list() == state[state["pk"] == "x"]["_deleted_at"].isna().to_list()


def test_an_item_that_never_was_and_one_of_which_only_its_removal_is_known(log, tmp_path):
    never = Workbench(log).get("things", "pk=z")
    assert (len(never), never.item, never.verdict) == (0, None, "there was no such item in the log")
    before = Workbench(log).get("things", "pk=x", as_of=at(-1))
    assert before.verdict == "there was no such item in the log until then"
    only = record("REMOVE", KEY, NOON, old=A)
    found = Workbench(write_log(tmp_path / "only", [only, *chain({"pk": {"S": "y"}}, [(NOON, {"pk": {"S": "y"}})])]))
    assert found.get("things", "pk=x").verdict == "gone since 2026-01-01 12:00:00 UTC"


def test_a_part_of_a_key_that_several_items_have_is_refused_and_without_a_key_it_is_the_busiest(tmp_path):
    keys = [{"pk": {"S": "x"}, "sk": {"N": str(number)}} for number in range(2)]
    wb = Workbench(write_log(tmp_path, [each for key in keys for each in chain(key, [(NOON, key)])]))
    with pytest.raises(ParameterError, match="several of that key in 'things': give all of it"):
        wb.get("things", "pk=x")
    assert wb.get("things", "pk=x sk=1").item == {"pk": "x", "sk": 1}
    assert wb.get("things").item is not None


def test_the_terminal_lists_attributes_and_json_is_the_item(log, tmp_path):
    shown = CliRunner().invoke(main, ["get", "things", "--key", "pk=x", "--source", str(log)])
    assert shown.exit_code == 0, shown.output
    assert "there, as it is since 2026-01-01 16:00:00" in shown.stdout
    listed = [line.split() for line in shown.stdout.splitlines()]
    assert [line for line in listed if line and line[0] in ("pk", "v", "m.n", 'm."first.name"')] == [
        ["pk", "x"],
        ['m."first.name"', "Ann"],
        ["m.n", "1"],
        ["v", "A"],
    ]
    ran = CliRunner().invoke(main, ["get", "things", "--key", "pk=x", "--source", str(log), "--json"])
    assert json.loads(ran.stdout) == {"pk": "x", "m": {"n": 1, "first.name": "Ann"}, "v": "A"}
    ran = CliRunner().invoke(
        main, ["get", "things", "--key", "pk=x", "--as-of", str(at(3)), "--source", str(log), "--json"]
    )
    assert json.loads(ran.stdout) is None


def test_a_masked_attribute_is_hidden_in_the_item_too(log):
    result = Workbench(log, mask=["m", "pk"], mask_with="redact").get("things", "pk=x")
    assert result.item == {"pk": "[masked]", "m": {"n": "[masked]", "first.name": "[masked]"}, "v": "A"}
    assert "pk=x" not in repr(result)


def test_stale_items_are_those_that_did_not_change_since_oldest_first(log, monkeypatch):
    monkeypatch.setattr(times, "now", lambda: at(10).to_pydatetime())
    wb = Workbench(log)
    df = wb.stale("things", at(5)).df
    assert list(df["pk"]) == ["y", "x"]
    assert list(df["age"]) == [pd.Timedelta(hours=9), pd.Timedelta(hours=6)]
    assert list(wb.stale("things", at(4)).df["pk"]) == ["y"]
    assert list(wb.stale("things", "7h").df["pk"]) == ["y"]
    assert list(wb.stale("things", "-5h").df["pk"]) == ["y", "x"]
    assert list(wb.stale("things", at(5), where="v = 'A'").df["pk"]) == ["x"]
    with pytest.raises(ParameterError):
        wb.stale("things", "long ago")
