"""Undo on the embedded item store from end to end: what goes wrong around a plan, and what is asked for wrongly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner

from tests.helpers.logs import chain, write_log
from workbench import Workbench
from workbench.cli import main, undoing
from workbench.errors import ParameterError
from workbench.model.canonical import canonical_json
from workbench.sandbox import ItemStore
from workbench.sandbox.delivery import deliver
from workbench.undo.journal import Wrote
from workbench.undo.targets import StoreTarget

NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)
KEY = '{"pk":{"S":"p"}}'


def minute(number: float) -> datetime:
    return NOON + timedelta(minutes=number)


class Table:
    """A table of the item store, and the lake that its changes are delivered to."""

    def __init__(self, home: Path, **key: str) -> None:
        self.home = home
        with self.store() as store:
            store.create_table("things", key or {"pk": "S"})

    def store(self) -> ItemStore:
        return ItemStore(self.home / "store.sqlite")

    def put(self, at: float, item: Mapping[str, Any]) -> None:
        with self.store() as store:
            store.put_item("things", item, now=minute(at))

    def deliver(self) -> None:
        with self.store() as store:
            deliver(store, self.home / "lake", "things")

    def workbench(self, **settings: Any) -> Workbench:
        return Workbench(home=self.home, **settings)

    def items(self) -> dict[str, str]:
        with self.store() as store:
            return {key: canonical_json(json.loads(image)) for key, image in store.images("things")}

    def plan(self, **asked: Any) -> Path:
        self.deliver()
        return self.workbench().undo("things", **asked).save(self.home / "plan.jsonl")


def test_a_binary_key_that_was_asked_for_is_asked_for_again_when_it_is_applied(tmp_path):
    table = Table(tmp_path, pk="B")
    key = {"pk": b"\x00\xff"}
    table.put(0, {**key, "x": 1})
    before = table.items()
    table.put(1, {**key, "x": 9})
    plan = table.plan(start=minute(1), key=key)
    assert table.workbench().apply(plan, yes=True).done
    assert table.items() == before


@pytest.mark.parametrize("nested", [False, True])
def test_an_undo_that_removed_many_attributes_is_taken_back(tmp_path, nested):
    """To say of an attribute that it is not there takes more of a condition than its value does."""
    table = Table(tmp_path)
    many = {f"a{n:03}": n for n in range(140)}
    table.put(0, {"pk": "p", "x": 1, **({"m": {"k": 1}} if nested else {})})
    table.put(1, {"pk": "p", "x": 1, **({"m": {"k": 1, **many}} if nested else many)})
    wrong = table.items()
    plan = table.plan(start=minute(1))
    wb = table.workbench()
    assert wb.apply(plan, yes=True).done
    assert table.items() != wrong
    back = wb.undo("things", journal=f"{plan}.journal").save(tmp_path / "back.jsonl")
    assert wb.apply(back, yes=True).done
    assert table.items() == wrong


def test_what_was_deleted_and_is_not_known_is_left_out_of_what_is_put_back(tmp_path, monkeypatch):
    table = Table(tmp_path)
    table.put(0, {"pk": "other"})
    table.put(1, {"pk": "p", **{f"a{n:03}": n for n in range(200)}})
    plan = table.plan(start=minute(1))
    wb = table.workbench()
    monkeypatch.setattr(Wrote, "of_json", lambda told: Wrote(None, told["left"]))  # as where nobody could say it
    assert wb.apply(plan, yes=True).done
    back = wb.undo("things", journal=f"{plan}.journal")
    assert (back.actions, back.writes) == ({"unknown": 1}, 0)
    assert "the journal does not hold what was deleted" in back.df["note"][0]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["orders", "--apply"], "is a plan for 'things', not 'orders'"),
        (["things", "--key", "p", "--apply"], "--key is of planning, and --apply makes all of"),
        (["things", "--no-live", "--apply"], "--live is of planning"),
    ],
)
def test_a_plan_is_applied_as_it_is_and_to_its_own_table(tmp_path, monkeypatch, wrong, said):
    table = Table(tmp_path)
    table.put(0, {"pk": "p", "x": 1})
    table.put(1, {"pk": "p", "x": 9})
    plan = table.plan(start=minute(1))
    before = table.items()
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))
    refused = CliRunner().invoke(main, ["undo", *wrong, str(plan), "--yes"])
    assert refused.exit_code
    assert said in refused.output
    assert table.items() == before
    assert CliRunner().invoke(main, ["undo", "things", "--apply", str(plan), "--yes"]).exit_code == 0
    assert table.items() != before


@pytest.mark.parametrize("asked", [{"to": NOON}, {"start": minute(0.5)}])
def test_what_the_table_has_and_the_log_has_not_is_told(tmp_path, asked):
    table = Table(tmp_path)
    table.put(0, {"pk": "p", "x": 1})
    table.deliver()
    assert not any("delivered" in note for note in table.workbench().undo("things", **asked).stats.notes)
    table.put(1, {"pk": "p", "x": 9})
    undone = table.workbench().undo("things", **asked)
    assert not undone.writes
    assert (
        undone.stats.notes[-1]
        == "1 change of the table waits to be delivered: what the log does not tell is not in the plan"
    )


@pytest.mark.parametrize("how", ["hash", "redact"])
def test_masked_values_of_whole_items_and_of_elements_of_lists_are_not_shown(tmp_path, how):
    table = Table(tmp_path)
    secret = {"ssn": "zorro", "m": {"ssn": "zorro"}, "l": [{"ssn": "zorro", "n": 1}], "tags": frozenset({"zorro"})}
    table.put(0, {"pk": "a", **secret})
    table.put(0, {"pk": "r", **secret})
    table.put(1, {"pk": "a", **secret, "l": [{"ssn": "zorro 2", "n": 2}], "tags": frozenset({"zorro 2"})})
    table.put(1, {"pk": "n", **secret})
    with table.store() as store:
        store.delete_item("things", {"pk": "r"}, now=minute(1))
    table.put(2, {"pk": "n", **secret, "m": {"ssn": "zorro 3"}})
    table.deliver()
    masks = ["ssn", "m.ssn", "l.ssn", "tags"]
    wb = table.workbench(mask=masks, mask_with=how, mask_salt="salt")
    for asked in ({"to": NOON}, {"start": minute(1), "end": minute(2), "lists": "index"}):
        undone = wb.undo("things", **asked)
        assert "" in set(undone.paths["path"]), "an item as a whole"
        assert (undone.paths["pk"] == "a").sum() > 1
        for told in (undone.paths, undone.conflicts, undone.df):
            assert "zorro" not in str(told.to_dict("records"))
        assert "zorro" not in undone.to_html() + repr(undone) + undone.as_json


def test_what_was_replayed_into_a_table_is_a_change_that_stays(tmp_path):
    """It takes nothing back, though its journal is found with those of undos."""
    table = Table(tmp_path)
    with table.store() as store:
        store.create_table("copy", {"pk": "S"})
        for name in ("things", "copy"):
            store.put_item(name, {"pk": "p", "x": 1}, now=minute(0))
            store.put_item(name, {"pk": "p", "x": 99}, now=minute(1))
        store.put_item("things", {"pk": "p", "x": 5}, now=minute(2))
        for name in ("things", "copy"):
            deliver(store, tmp_path / "lake", name)
    assert table.workbench().replay("things", "copy", start=minute(1.5)).written == 1
    for _ in range(2):  # before and after the log has it
        undone = table.workbench().undo("copy", start=minute(1), end=minute(1.5))
        assert (undone.actions, len(undone.conflicts)) == ({"conflict": 1}, 1)
        with table.store() as store:
            deliver(store, tmp_path / "lake", "copy")


@pytest.mark.parametrize("actor", [None, "other", "by"])
def test_changes_that_still_arrive_are_seen_whatever_the_setting_actor_is(tmp_path, actor):
    table = Table(tmp_path)
    table.put(0, {"pk": "p", "x": 1, "by": "ann"})
    table.put(1, {"pk": "p", "x": 9, "by": "job"})
    table.deliver()
    plan = table.workbench(actor="by").undo("things", actor_is="job").save(tmp_path / "plan.jsonl")
    table.put(2, {"pk": "q", "x": 9, "by": "job"})
    table.deliver()
    with pytest.raises(ParameterError, match="still goes on: 1 change since the plan was made"):
        table.workbench(actor=actor).apply(plan, yes=True)


def test_who_says_yes_says_it_to_the_plan_that_was_shown(tmp_path, monkeypatch):
    table = Table(tmp_path)
    table.put(0, {"pk": "p", "x": 1})
    table.put(1, {"pk": "p", "x": 9})
    plan = table.plan(start=minute(1))
    before = table.items()
    wb = table.workbench()

    def meanwhile(*args: Any, **kwargs: Any) -> bool:
        wb.undo("things", start=minute(0)).save(plan, overwrite=True)
        return True

    monkeypatch.setattr(undoing.sys, "stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(undoing.sys, "stderr", SimpleNamespace(isatty=lambda: True, write=len, flush=lambda: None))
    monkeypatch.setattr(undoing.click, "confirm", meanwhile)
    how = dict.fromkeys(("rate", "limit", "max_changed", "sha", "why", "journal"))
    verb = click.Context(click.Command("apply"), info_name="apply")
    with verb, pytest.raises(ParameterError, match="is not the plan that was reviewed"):
        undoing.applied(table.workbench, str(plan), {**how, "yes": False}, as_json=True)
    assert table.items() == before


@pytest.mark.parametrize(
    ("arn", "said"),
    [
        (
            "arn:aws:dynamodb:eu-west-1:123456789012:table/things",
            "the Region eu-central-1, and the one to be written to",
        ),
        ("arn:aws:dynamodb:eu-central-1:123456789012:table/things", ""),
    ],
)
def test_a_log_of_one_region_is_not_planned_for_the_table_of_another(tmp_path, monkeypatch, arn, said):
    key = {"pk": {"S": "p"}}
    states = [(at, key | {"x": {"N": str(at)}}) for at in (1_795_000_000_000_000, 1_795_000_060_000_000)]
    write_log(tmp_path / "log", chain(key, states))
    table = Table(tmp_path)
    table.put(1, {"pk": "p", "x": 1_795_000_060_000_000})
    described = StoreTarget.describe
    monkeypatch.setattr(StoreTarget, "describe", lambda self: replace(described(self), arn=arn))
    wb = Workbench(tmp_path / "log", home=tmp_path)
    with pytest.raises(ParameterError, match=said) if said else nullcontext():
        assert wb.undo("things", events="MODIFY", live=True).writes == 1


@pytest.mark.parametrize("asked", [{}, {"key": "pk=p"}, {"key": "pk=p", "prefix": True}])
def test_what_an_undo_wrote_goes_back_to_a_later_instant_before_the_log_has_it(tmp_path, asked):
    table = Table(tmp_path)
    for at in range(3):
        table.put(at, {"pk": "p", "x": at})
        table.put(at, {"pk": "q", "x": at})
    table.deliver()
    states = [table.items()]
    wb = table.workbench()
    assert wb.apply(wb.undo("things", to=minute(0)).save(tmp_path / "first.jsonl"), yes=True).done
    states.append(table.items())
    later = wb.undo("things", to=minute(2), **asked)
    assert later.actions == {"update": 1 if asked else 2}
    assert wb.apply(later.save(tmp_path / "later.jsonl"), yes=True).done
    assert table.items() == ({**states[1], KEY: states[0][KEY]} if asked else states[0])


@pytest.mark.parametrize("key", [7, Decimal(7), b"\x07"])
def test_a_key_that_is_a_mere_value_is_refused_with_a_line(tmp_path, key):
    table = Table(tmp_path, id="N")
    table.put(0, {"id": 7})
    table.deliver()
    with pytest.raises(ParameterError, match="is none: give its attributes"):
        table.workbench().undo("things", start=NOON, key=key)
