"""Undo, from what is asked to the elements that are written: kinds, options, masks, notes, live, and back again."""

from __future__ import annotations

import io
import json
import stat
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import reduce
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tests.helpers import lakes
from tests.helpers.logs import chain, micros, record, write_log
from tests.helpers.questions import same
from tests.questions.test_stream_views import changes as of_views
from workbench import Workbench
from workbench.errors import ExportError, ParameterError, StoreError
from workbench.model import times
from workbench.model.canonical import canonical_json, canonical_keys
from workbench.model.item_writes import Write, writes_of
from workbench.model.items import from_dynamodb
from workbench.model.write_limits import faults
from workbench.questions import undo_page
from workbench.questions.large import LargeFrame
from workbench.questions.undo import Undo
from workbench.questions.undo_items import PlainRun, Planned, takes_one_unit
from workbench.sandbox import ItemStore
from workbench.undo.journal import Journal

NOON = micros("2026-11-18T12:00:00")
MINUTE = 60_000_000
KEY = {"pk": {"S": "p-1"}}


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    monkeypatch.setattr(times, "now", lambda: datetime(2026, 11, 19, tzinfo=UTC))


def item(**attributes: Any) -> dict[str, Any]:
    return KEY | {
        name: value if isinstance(value, dict) else {"N" if isinstance(value, int) else "S": str(value)}
        for name, value in attributes.items()
    }


def of(tmp_path: Path, *states: Mapping[str, Any] | None, key: Mapping[str, Any] = KEY, **settings: Any) -> Workbench:
    """A log in which an item goes from state to state, one a minute, its changes called e-0, e-1, …"""
    made = chain(
        dict(key),
        [(NOON + at * MINUTE, None if state is None else {**key, **state}) for at, state in enumerate(states)],
        [f"e-{at}" for at in range(len(states))],
    )
    write_log(tmp_path / "log", made)
    return Workbench(tmp_path / "log", home=tmp_path / "home", **settings)


def minute(number: float) -> str:
    return (datetime(2026, 11, 18, 12, tzinfo=UTC) + timedelta(minutes=number)).isoformat()


def elements(undone: Undo, tmp_path: Path) -> list[dict[str, Any]]:
    """The elements of a plan, each of which DynamoDB would take."""
    if not undone.writes:
        return []
    place = undone.save(tmp_path / "elements.jsonl", overwrite=True)
    found = [json.loads(line) for line in place.read_text().splitlines()]
    assert [fault for element in found for fault in faults(element)] == []
    return found


def applied(undone: Undo, tmp_path: Path, items: Mapping[str, Any]) -> dict[str, Any]:
    """Items, by their keys, after the elements of a plan; each must be as it was planned for."""
    after = dict(items)
    for element in elements(undone, tmp_path):
        write = Write.read(element)
        key = canonical_keys(write.key)
        assert write.holds(after.get(key))
        after[key] = write.done(after.get(key))
    return {key: canonical_json(dict(image)) for key, image in after.items() if image is not None}


def row(undone: Undo) -> dict[str, Any]:
    (found,) = undone.df.to_dict("records")
    return found


# ---- back to an instant


@pytest.mark.parametrize("number", range(4))
def test_a_public_history_goes_back_to_each_of_its_instants(public_history, tmp_path, number):
    truth = json.loads((public_history / "truth.json").read_text())
    moment, then = truth["as_of"][number]
    wb = Workbench(public_history / "data", home=tmp_path)
    latest = wb._engine.ask("latest_state", "git-files").rows.to_pylist()
    items = {each["keys"]: json.loads(each["image"]) for each in latest}
    assert len(items) == len(truth["latest"])
    undone = wb.undo("git-files", to=moment)
    after = [from_dynamodb(json.loads(image)) for image in applied(undone, tmp_path, items).values()]
    assert {each["path"]: each["blob"] for each in after} == then
    assert undone.actions["delete"] > undone.actions["put back"] > 0
    assert "unknown" not in undone.actions
    again = Workbench(public_history / "data", home=tmp_path).undo("git-files", to="2099-01-01")
    assert again.verdict == "git-files: there is nothing to take back"


@pytest.mark.parametrize("seed", range(6))
def test_what_is_applied_to_the_state_now_is_the_state_then(tmp_path, seed):
    made = lakes.records(seed, 200)
    wb = Workbench(lakes.write(tmp_path / "log", made, "raw"), home=tmp_path / "home")
    for hours in (5, 17, 29, 41):
        at = lakes.START + timedelta(hours=hours)
        states = [wb._engine.ask("latest_state", "things", as_of=moment).rows for moment in (at, times.END_OF_TIME)]
        then, now = (
            {each["keys"]: json.loads(each["image"]) for each in rows.to_pylist() if each["image"]} for rows in states
        )
        undone = wb.undo("things", to=at, ttl="expires:keep")
        assert "unknown" not in undone.actions
        assert applied(undone, tmp_path, now) == {key: canonical_json(image) for key, image in then.items()}


def test_items_are_chosen_by_key_by_prefix_and_by_what_they_were_or_are(tmp_path):
    records = []
    for name in ("a-1", "a-2", "b-1"):
        key = {"pk": {"S": name}}
        states = [(NOON + at * MINUTE, key | {"n": {"N": str(at + len(records))}}) for at in range(2)]
        records += chain(key, states)
    wb = Workbench(write_log(tmp_path / "log", records))

    def keys(**chosen: Any) -> list[str]:
        return wb.undo("things", to=minute(0), **chosen)["pk"].tolist()

    assert keys() == ["a-1", "a-2", "b-1"]
    assert keys(key="pk=a-2") == ["a-2"]
    assert keys(key="pk=a", prefix=True) == ["a-1", "a-2"]
    assert keys(where="n = 5") == ["b-1"], "it is so now"
    assert keys(where="n = 2") == ["a-2"], "it was so then"
    assert keys(where="new.n = 3 and old.n = 2") == ["a-2"]


def test_what_the_log_cannot_know_of_an_instant_is_left_out(tmp_path):
    older = chain({"pk": {"S": "older"}}, [(NOON, {"pk": {"S": "older"}, "n": {"N": "1"}})])
    began, gap = {"pk": {"S": "began"}}, {"pk": {"S": "gap"}}
    states = [(NOON + at * MINUTE, gap | {"n": {"N": str(at)}}) for at in range(4)]
    records = [
        *older,
        record("MODIFY", began, NOON + 5 * MINUTE, old=began | {"n": {"N": "1"}}, new=began | {"n": {"N": "2"}}),
        *(each for at, each in enumerate(chain(gap, states)) if at != 2),
    ]
    wb = Workbench(write_log(tmp_path / "log", records))
    undone = wb.undo("things", to=minute(1.5))
    found = undone.df.set_index("pk")
    assert found.loc["began", "action"] == "update", "the first change since tells, as the log had begun"
    assert found.loc["began", "after"] == {"n": 1}
    assert found.loc["gap", "action"] == "unknown"
    assert "a change is missing" in found.loc["gap", "note"]
    assert any("left out: 1 item of which it cannot be known" in note for note in undone.stats.notes)
    before = wb.undo("things", to="2026-11-18T11:00Z").df.set_index("pk")
    assert set(before["action"]) == {"unknown"}
    assert before["note"].str.contains("the log begins after that instant").all()


def test_what_expired_since_is_put_back_where_asked_for_only(tmp_path):
    made = chain(KEY, [(NOON, item(expires=1_763_467_300))])
    gone = record("REMOVE", KEY, NOON + MINUTE, old=item(expires=1_763_467_300), ttl=True)
    wb = Workbench(write_log(tmp_path / "log", [*made, gone]))
    assert row(wb.undo("things", to=minute(0)))["action"] == "gone"
    for how, expires in (("keep", 1_763_467_300), ("drop", None), ("+7d", 1_795_651_200)):
        undone = wb.undo("things", to=minute(0), ttl=f"expires:{how}")
        assert row(undone)["action"] == "put back"
        (image,) = applied(undone, tmp_path, {}).values()
        assert from_dynamodb(json.loads(image)).get("expires") == expires
    live = of(tmp_path / "deleted", item(expires=1_763_467_300), None)
    assert any("put back, expired or not: 1 item" in note for note in live.undo("things", to=minute(0)).stats.notes)
    assert row(live.undo("things", to=minute(0), ttl="expires:skip"))["action"] == "gone"
    with pytest.raises(ParameterError, match="say which attribute it is, as ATTRIBUTE:drop"):
        wb.undo("things", to=minute(0), ttl="drop")
    with pytest.raises(ParameterError, match="is none of keep, drop"):
        wb.undo("things", to=minute(0), ttl="expires:7d")


# ---- taking changes back


ACTIONS = {
    "update": ([item(n=1), item(n=2)], {"start": minute(1)}, {"n": 1}),
    "delete": ([item(n=1)], {"start": minute(0)}, {}),
    "put back": ([item(n=1), None], {"events": "REMOVE"}, {"n": 1}),
    "unchanged": ([item(n=1), item(n=2), item(n=1)], {"where": "new.n = 2"}, {"n": 1}),
    "gone": ([item(n=1), item(n=2), None], {"where": "new.n = 2"}, {}),
    "conflict": ([item(n=1), item(n=2), item(n=3)], {"where": "new.n = 2"}, {"n": 3}),
}


@pytest.mark.parametrize("action", ACTIONS)
def test_each_action_is_told_with_its_values(tmp_path, action):
    states, chosen, after = ACTIONS[action]
    wb = of(tmp_path, *states)
    undone = wb.undo("things", **chosen)
    told = row(undone)
    assert told["action"] == action
    assert undone.actions == {action: 1}
    assert told["after"].get("n") == after.get("n")
    now = {canonical_keys(KEY): states[-1]} if states[-1] else {}
    expected = {canonical_keys(KEY): canonical_json(item(**after))} if after else {}
    assert applied(undone, tmp_path, now) == expected
    assert undone.units == (1 if action in ("update", "delete", "put back") else 0)


def test_a_conflict_is_told_with_all_values_and_left_alone(tmp_path):
    wb = of(tmp_path, item(n=1, m="a"), item(n=2, m="b"), item(n=3, m="b"))
    undone = wb.undo("things", where="new.n = 2")
    told = row(undone)
    assert (told["action"], told["attributes"], told["conflicts"]) == ("update", ["m", "n"], ["n"])
    assert (told["before"]["n"], told["bad"]["n"], told["now"]["n"], told["after"]["n"]) == (1, 2, 3, 3)
    (conflict,) = undone.conflicts.to_dict("records")
    assert [conflict[name] for name in ("path", "before", "bad", "now", "after")] == ["n", 1, 2, 3, 3]
    assert "1 conflict" in undone.verdict
    assert row(wb.undo("things", where="new.n = 2", on_conflict="before"))["after"] == {"m": "a", "n": 1}
    with pytest.raises(ParameterError, match="1 item in conflict"):
        wb.undo("things", where="new.n = 2", on_conflict="fail")


def test_attributes_are_kept_bumped_counted_back_and_marked(tmp_path):
    states = [
        item(n=1, visits=10, version=1, at="a"),
        item(n=2, visits=15, version=2, at="b"),
        item(n=2, visits=18, version=3, at="c"),
    ]
    wb = of(tmp_path, *states)
    undone = wb.undo("things", where="new.at = 'b'", kept="at", bump=["version"], delta=["visits"], mark="undone=yes")
    (image,) = applied(undone, tmp_path, {canonical_keys(KEY): states[-1]}).values()
    assert json.loads(image) == item(n=1, visits=13, version=4, at="c", undone="yes")
    assert undone.about.rules.kept == (("at",),)


def test_lists_go_by_index_where_asked_for(tmp_path):
    def of_list(*values: int) -> dict[str, Any]:
        return item(xs={"L": [{"N": str(value)} for value in values]})

    wb = of(tmp_path, of_list(1, 2, 3), of_list(9, 2, 3), of_list(9, 2, 4))
    assert row(wb.undo("things", where="new.xs[2] = 3 and new.xs[0] = 9"))["action"] == "conflict"
    undone = wb.undo("things", where="new.xs[2] = 3 and new.xs[0] = 9", lists="index")
    (image,) = applied(undone, tmp_path, {canonical_keys(KEY): of_list(9, 2, 4)}).values()
    assert json.loads(image) == of_list(1, 2, 4)


def test_a_condition_on_many_digits_chooses_exactly(tmp_path):
    number = 12345678901234567890
    wb = of(tmp_path, item(n=1), item(n=number), item(n=number + 1))
    assert row(wb.undo("things", where=f"new.n = {number + 1}"))["after"] == {"n": number}
    assert row(wb.undo("things", where=f"new.n = {number}"))["action"] == "conflict"


def test_an_actor_is_who_wrote_and_who_merely_stands_there_is_counted(tmp_path):
    states = [item(n=1, by="ann"), item(n=2, by="job-17"), item(n=3, by="job-17"), None]
    wb = of(tmp_path, *states[:3])
    for told in (
        wb.undo("things", actor_is="by=job-17"),
        Workbench(tmp_path / "log", actor="by").undo("things", actor_is="job-17"),
    ):
        assert told.paths.set_index("path").loc["by", "status"] == "taken back"
        assert row(told)["conflicts"] == ["n"], "the second change may be another's"
        assert any("the actor's name stands in 1 change that did not" in note for note in told.stats.notes)
        assert told.asked["actor_is"] == "by=job-17"
    with pytest.raises(ParameterError, match="say which attribute tells who wrote"):
        wb.undo("things", actor_is="job-17")


def test_other_items_of_the_same_instants_are_named(tmp_path):
    other = {"pk": {"S": "other"}}
    records = [*chain(KEY, [(NOON, item(n=1)), (NOON + MINUTE, item(n=2))]), *chain(other, [(NOON + MINUTE, other)])]
    wb = Workbench(write_log(tmp_path / "log", records))
    undone = wb.undo("things", where="new.n = 2")
    assert "changed at the same instants, and not taken back: 1 other item, such as pk=other" in undone.stats.notes
    masked = Workbench(tmp_path / "log", mask=["pk"], mask_with="redact").undo("things", where="new.n = 2")
    assert any("pk=[masked]" in note for note in masked.stats.notes)


@pytest.mark.parametrize("view", ["KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE"])
def test_changes_without_an_image_are_left_out(tmp_path, view):
    wb = Workbench(write_log(tmp_path / "log", of_views(view)))
    undone = wb.undo("things", events="MODIFY")
    assert undone.actions == {"unknown": 1}
    assert elements(undone, tmp_path) == []
    with pytest.raises(ParameterError, match="there is nothing to write"):
        undone.save(tmp_path / "none.jsonl")


def test_a_table_that_was_made_again_with_another_key_has_its_own_items_only(tmp_path):
    before = chain({"id": {"N": "7"}}, [(NOON, {"id": {"N": "7"}})])
    now = chain(KEY, [(NOON + MINUTE, item(n=1))])
    wb = Workbench(write_log(tmp_path / "log", [*before, *now]))
    undone = wb.undo("things", start=minute(0))
    assert undone["pk"].tolist() == ["p-1"]
    assert any("left out: 1 item of the table before it was made again" in note for note in undone.stats.notes)


def test_changes_of_an_instant_that_take_each_other_back_are_settled_as_the_state_is(tmp_path):
    records = [
        *chain(KEY, [(NOON, item(n=1))]),
        record("MODIFY", KEY, NOON + MINUTE, old=item(n=1), new=item(n=2), event_id="a"),
        record("MODIFY", KEY, NOON + MINUTE, old=item(n=2), new=item(n=1), event_id="b"),
    ]
    wb = Workbench(write_log(tmp_path / "log", records))
    undone = wb.undo("things", where="new.n = 2")
    assert applied(undone, tmp_path, {canonical_keys(KEY): item(n=1)}) == {
        canonical_keys(KEY): canonical_json(item(n=1))
    }
    assert undone.writes == 0


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "say what to take back"),
        ({"on_conflict": "before"}, "say what to take back"),
        ({"to": minute(0), "start": minute(0)}, "give the one or the other"),
        ({"to": minute(0), "actor_is": "a=b"}, "give the one or the other"),
        ({"journal": "j", "to": minute(0)}, "leave out what else chooses"),
        ({"events": "UPDATE"}, "'UPDATE' is no event"),
        ({"prefix": True, "start": minute(0)}, "give the key too"),
        ({"start": minute(0), "bump": "pk"}, "is of the key"),
        ({"start": minute(0), "kept": "a..b"}, "is no attribute path"),
        ({"start": minute(1), "end": minute(0)}, "the window is empty"),
        *(({"start": minute(0), name: ""}, f"{name} is empty") for name in ("where", "actor_is", "ttl", "mark")),
        ({"start": minute(0), "journal": ""}, "journal is empty"),
        ({"start": minute(0), "key": []}, "key is empty"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path, asked, said):
    with pytest.raises(ParameterError, match=said):
        of(tmp_path, item(n=1)).undo("things", **asked)


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("n < 0", True),
        ("n < old.n", True),
        ("new.n < 0 and old.n > 0", False),
        ("changed(n)", False),
        ("pk = 'p-1'", False),
    ],
)
def test_a_condition_that_chooses_by_either_image_is_told(tmp_path, where, told):
    """By "n < 0" what mended n is taken back as well."""
    undone = of(tmp_path, item(n=1), item(n=-5), item(n=3)).undo("things", where=where, start=minute(1))
    assert any("where reads n from either image" in note for note in undone.stats.notes) == told


@pytest.mark.parametrize("rule", ["kept", "bump", "delta"])
def test_a_rule_for_what_no_item_has_is_told(tmp_path, rule):
    wb = of(tmp_path, item(n=1, m={"M": {"v": {"N": "1"}}}), item(n=2))

    def told(name: str) -> bool:
        notes = wb.undo("things", start=minute(1), **{rule: name}).stats.notes
        return any("is it its name" in note for note in notes)

    assert [told(name) for name in ("n", "m.v", "nn", "m.n")] == [False, False, True, True]


def test_a_log_as_it_was_known_then_is_not_undone(tmp_path):
    of(tmp_path, item(n=1))
    with pytest.raises(ParameterError, match="leave out known_at"):
        Workbench(tmp_path / "log", known_at="2026-11-18").undo("things", to=minute(0))


def test_a_key_of_two_attributes_is_that_of_the_table(tmp_path):
    """A log has them in the order of their names."""
    key = {"user": {"S": "ann"}, "at": {"N": "7"}}
    write_log(tmp_path / "log", chain(key, [(NOON, key | {"n": {"N": "1"}}), (NOON + MINUTE, key | {"n": {"N": "2"}})]))
    with ItemStore(tmp_path / "home" / "store.sqlite") as store:
        store.create_table("things", {"user": "S", "at": "N"})
        store.put_item("things", {"user": "ann", "at": 7, "n": 2})
    wb = Workbench(tmp_path / "log", home=tmp_path / "home")
    for live, names in ((True, ["user", "at"]), (False, ["at", "user"])):
        undone = wb.undo("things", start=minute(1), live=live)
        assert list(undone.df)[:2] == list(undone.paths)[:2] == list(undone.about.key) == list(undone.keys) == names
        (element,) = elements(undone, tmp_path)
        assert element["Update"]["Key"] == key


# ---- masks


def test_masked_values_are_not_shown_and_are_exact_in_what_is_written(tmp_path):
    states = [item(email="ann@secret", tags={"SS": ["geheim", "x"]}), item(email="bob@secret", tags={"SS": ["x"]})]
    wb = of(tmp_path, *states, mask=["email", "tags"], mask_with="redact")
    undone = wb.undo("things", where="new.email = 'bob@secret'")
    shown = io.StringIO()
    Console(file=shown, width=200).print(undo_page.to_text(undone))
    for each in (undone.df, undone.paths, undone.conflicts):
        each.to_csv(shown)
        shown.write(repr(each.to_dict("records")))
    shown.write(f"{undone!r}{undone.summary}{undone.sql}{undone.asked}{undone.to_html()}{undone._repr_html_()}")
    for kind in ("csv", "json", "parquet", "xlsx"):
        place = undone.write(tmp_path / f"plan.{kind}")
        shown.write(Path(place).read_bytes().decode("latin-1") + Path(f"{place}.meta.json").read_text())
    assert "secret" not in shown.getvalue()
    assert "geheim" not in shown.getvalue()
    assert "[masked]" in shown.getvalue()
    assert row(undone)["after"] == {"email": "[masked]", "tags": "[masked]"}
    (image,) = applied(undone, tmp_path, {canonical_keys(KEY): states[-1]}).values()
    assert json.loads(image) == states[0]
    unmasked = of(tmp_path, *states).undo("things", where="new.email = 'bob@secret'")
    place = unmasked.write(tmp_path / "masked.json", mask=["email"], mask_with="redact")
    assert "secret" not in Path(place).read_text()


# ---- files


def test_a_plan_is_two_files_that_only_their_user_may_read(tmp_path):
    undone = of(tmp_path, item(n=1), item(n=2)).undo("things", start=minute(1))
    place = undone.save(tmp_path / "plan.jsonl")
    for file in (place, tmp_path / "plan.jsonl.meta.json"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    meta = json.loads((tmp_path / "plan.jsonl.meta.json").read_text())
    assert (meta["table"], meta["kind"], meta["units"], meta["counts"]) == ("things", "changes", 1, {"update": 1})
    assert meta["lines"] == [{"action": "update", "takes_back": ["e-1"]}]
    with pytest.raises(ExportError, match="exists"):
        undone.save(place)
    batch = undone.save(tmp_path / "batch.jsonl", format="batch")
    assert stat.S_IMODE(batch.stat().st_mode) == 0o600
    assert json.loads(batch.read_text()) == {"things": [{"PutRequest": {"Item": item(n=1)}}]}


def test_a_page_shows_what_there_is_to_decide_and_nothing_acts_in_it(tmp_path):
    records = []
    for number in range(30):
        key = {"pk": {"S": f"<script>{number:02}"}}
        states = [(NOON + at * MINUTE, key | {"n": {"S": f"<b>{at}</b>"}}) for at in range(3 if number == 7 else 2)]
        records += chain(key, states)
    wb = Workbench(write_log(tmp_path / "log", records))
    undone = wb.undo("things", start=minute(1), end=minute(2))
    text = undone.to_html(limit=10)
    assert "<script>" not in text
    assert "<b>1</b>&" not in text
    assert "&lt;b&gt;1&lt;/b&gt;" in text
    assert text.index("&lt;script&gt;07") < text.index("&lt;script&gt;00"), "conflicts come first"
    assert "conflict: before &#34;&lt;b&gt;0&lt;/b&gt;&#34;" in text
    assert "20 more items" in text
    assert "http" not in text.replace("http-equiv", "")
    assert undone.to_html(tmp_path / "plan.html", limit=10) == str(tmp_path / "plan.html")
    with pytest.raises(ExportError, match="exists"):
        undone.to_html(tmp_path / "plan.html")
    with pytest.raises(ParameterError, match="at least one item"):
        undone.to_html(limit=0)


# ---- the table itself, and back again


@pytest.fixture
def table(tmp_path):
    """A table of the item store, and its log of changes until then."""
    log, home = tmp_path / "log", tmp_path / "home"
    made = chain(KEY, [(NOON, item(n=1, m="a")), (NOON + MINUTE, item(n=2, m="b"))], ["e-0", "e-1"])
    write_log(log, made)
    with ItemStore(home / "store.sqlite") as store:
        store.create_table("things", {"pk": "S"}, ttl="expires")
        store.put_item("things", from_dynamodb(item(n=2, m="b")))
    return log, home


def stored(home: Path) -> dict[str, Any] | None:
    with ItemStore(home / "store.sqlite") as store:
        return store.get_item("things", {"pk": "p-1"})


def test_a_table_that_is_ahead_of_its_log_is_one_change_more_that_stays(table):
    log, home = table
    with ItemStore(home / "store.sqlite") as store:
        store.update_item("things", {"pk": "p-1"}, put={"m": "live"})
    wb = Workbench(log, home=home)
    blind, live = wb.undo("things", start=minute(1)), wb.undo("things", start=minute(1), live=True)
    assert row(blind)["conflicts"] == []
    assert (row(live)["conflicts"], row(live)["now"]["m"], row(live)["after"]) == (["m"], "live", {"m": "live", "n": 1})
    assert any(
        "not in the table what the log tells, as by changes on their way: 1 item" in note for note in live.stats.notes
    )
    assert any("planned from the log, whose newest change is of" in note for note in blind.stats.notes)
    assert live.about.arn == str((home / "store.sqlite").absolute())
    assert live.about.rules.ttl == "expires"
    to = wb.undo("things", to=minute(0), live=True)
    assert row(to)["now"]["m"] == "live"
    with pytest.raises(StoreError, match="no table 'things' in the item store"):
        Workbench(log, home=home / "other").undo("things", start=minute(1), live=True)


def test_what_an_instant_left_is_no_change_on_its_way_though_its_changes_have_no_order(table):
    log, home = table
    made = chain(
        KEY, [(NOON, item(n=1)), (NOON + MINUTE, item(n=3)), (NOON + MINUTE, item(n=2))], ["e-0", "e-2", "e-1"]
    )
    write_log(log, made)
    with ItemStore(home / "store.sqlite") as store:
        store.put_item("things", from_dynamodb(item(n=2)))
    plan = Workbench(log, home=home).undo("things", start=minute(1), live=True)
    assert (row(plan)["now"], row(plan)["after"], row(plan)["conflicts"]) == ({"n": 2}, {"n": 1}, [])
    assert not any("on their way" in note for note in plan.stats.notes)


def test_an_undo_is_applied_planned_for_nothing_again_and_taken_back(table, tmp_path):
    log, home = table
    wb = Workbench(log, home=home)
    before = stored(home)
    plan = wb.undo("things", start=minute(1), live=True).save(tmp_path / "plan.jsonl")
    assert wb.apply(plan, yes=True).done
    assert stored(home) == {"pk": "p-1", "n": 1, "m": "a"}
    again = wb.undo("things", start=minute(1), live=True)
    assert (again.actions, len(again.conflicts)) == ({"unchanged": 1}, 0)
    assert not any("on their way" in note for note in again.stats.notes), (
        "it is the undo's own, which the log has not yet"
    )

    deliver(home, log)
    arrived = Workbench(log, home=home).undo("things", start=minute(1), end=minute(2), live=True)
    assert (arrived.actions, len(arrived.conflicts)) == ({"unchanged": 1}, 0)

    back = wb.undo("things", journal=tmp_path / "plan.jsonl.journal")
    assert (row(back)["action"], row(back)["now"], row(back)["after"]) == (
        "update",
        {"m": "a", "n": 1},
        {"m": "b", "n": 2},
    )
    blind = Workbench(home=home)  # whose lake is empty: the log is not needed
    same(blind.undo("things", journal=tmp_path / "plan.jsonl.journal").df, back.df)
    assert back.apply(tmp_path / "back.jsonl", yes=True).done
    assert stored(home) == before
    for _ in range(2):  # before and after the log has it
        once_more = Workbench(log, home=home).undo("things", start=minute(1), end=minute(2), live=True)
        assert row(once_more)["after"] == {"m": "a", "n": 1}
        deliver(home, log)


def test_an_undo_that_is_taken_back_lets_versions_go_on_and_counters_follow(table, tmp_path):
    log, home = table
    wb, rules = Workbench(log, home=home), {"bump": "v", "delta": "n"}
    with ItemStore(home / "store.sqlite") as store:
        store.update_item("things", {"pk": "p-1"}, put={"v": 5})
    plan = wb.undo("things", start=minute(1), live=True, **rules).save(tmp_path / "plan.jsonl")
    done = wb.apply(plan, yes=True)
    assert stored(home) == {"pk": "p-1", "n": 1, "m": "a", "v": 6}
    back = wb.undo("things", journal=done.journal)
    assert row(back)["after"] == {"m": "b", "n": 2, "v": 7}
    with ItemStore(home / "store.sqlite") as store:
        store.update_item("things", {"pk": "p-1"}, add={"n": 10})
    back.apply(tmp_path / "back.jsonl", yes=True)
    assert stored(home) == {"pk": "p-1", "n": 12, "m": "b", "v": 7}
    with pytest.raises(ParameterError, match="as it was made: leave out rules"):
        wb.undo("things", journal=done.journal, kept="m")


def deliver(home: Path, log: Path) -> None:
    """Let the log have what the item store has captured since."""
    with ItemStore(home / "store.sqlite") as store:
        records = [json.loads(each) for each in store.records([number for number, _ in store.pending("things")])]
    records = [each | {"awsRegion": "eu-central-1"} for each in records[1:]]  # without what made the table
    write_log(log, records, name="delivered")


def test_a_plan_is_refused_without_a_yes_for_another_plan_and_while_bad_changes_arrive(table, tmp_path):
    log, home = table
    wb = Workbench(log, home=home)
    plan = wb.undo("things", where="changed(m) and old.m = 'a'", live=True).save(tmp_path / "plan.jsonl")
    with pytest.raises(ParameterError, match=r"makes 1 write in 'things'.*1 update: look at it, and say yes=True"):
        wb.apply(plan)
    with pytest.raises(ParameterError, match="is not the plan that was reviewed"):
        wb.apply(plan, yes=True, sha="0123456789abcdef")
    key = {"pk": {"S": "p-2"}}
    states = [(NOON + at * MINUTE, key | {"m": {"S": value}}) for at, value in ((0, "a"), (3, "b"))]
    write_log(log, chain(key, states), name="later")
    with pytest.raises(ParameterError, match="1 change since the plan was made"):
        Workbench(log, home=home).apply(plan, yes=True)
    write_log(log, chain(key, [(NOON - 5, key | {"m": {"S": "a"}}), (NOON - 1, key | {"m": {"S": "c"}})]), name="late")
    with pytest.raises(ParameterError, match="of before the plan came after it"):
        Workbench(log, home=home).apply(plan, yes=True)
    assert stored(home) == {"pk": "p-1", "n": 2, "m": "b"}


def test_what_an_undo_of_an_undo_takes_is_told_by_the_items_there_are(table, tmp_path):
    log, home = table
    with ItemStore(home / "store.sqlite") as store:
        store.update_item("things", {"pk": "p-1"}, put={"note": "x" * 2000})
    plan = Workbench(log, home=home).undo("things", start=minute(1), live=True).save(tmp_path / "plan.jsonl")
    made = Workbench(log, home=home).apply(plan, yes=True)
    back = Workbench(log, home=home).undo("things", journal=made.journal, live=True)
    assert (made.units, back.units) == (2, 2)


def test_what_a_process_that_was_killed_wrote_is_no_bad_change_that_arrives(table, tmp_path, monkeypatch):
    log, home = table
    plan = Workbench(log, home=home).undo("things", start=minute(1), live=True).save(tmp_path / "plan.jsonl")

    class Killed(BaseException):
        pass

    def killed(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "result", killed)
        with pytest.raises(Killed):
            Workbench(log, home=home).apply(plan, yes=True)
    assert stored(home) == {"pk": "p-1", "n": 1, "m": "a"}
    deliver(home, log)
    assert Workbench(log, home=home).apply(plan, yes=True).counts == {"written before": 1}

    with ItemStore(home / "store.sqlite") as store:
        store.update_item("things", {"pk": "p-1"}, put={"m": "bad again"})
    deliver(home, log)
    with pytest.raises(ParameterError, match="1 change since the plan was made"):
        Workbench(log, home=home).apply(plan, yes=True)


def test_a_plan_of_a_copy_of_a_log_is_not_applied_to_whatever_is_here(table, tmp_path):
    log, home = table
    plan = Workbench(log, home=home).undo("things", start=minute(1)).save(tmp_path / "plan.jsonl")
    with pytest.raises(ParameterError, match="names no table: apply it where the table is"):
        Workbench(log, home=home).apply(plan, yes=True)


def test_a_whole_item_in_conflict_is_shown_with_all_its_values(tmp_path):
    """Removed wrongly and made again by others: nothing is mixed, and somebody has to decide."""
    wb = of(tmp_path, item(n=1, m="a", same="x"), None, item(n=2, more="b", same="x"))
    told = row(undone := wb.undo("things", events="REMOVE"))
    assert (told["action"], told["attributes"]) == ("conflict", ["m", "more", "n", "same"])
    assert told["conflicts"] == ["m", "more", "n"]
    assert (told["before"], told["now"]) == ({"m": "a", "n": 1, "same": "x"}, {"more": "b", "n": 2, "same": "x"})
    assert told["after"] == told["now"]
    assert "conflict: before &#34;a&#34;, then wrongly absent" in undone.to_html()
    (whole,) = undone.conflicts.to_dict("records")
    assert whole["before"] == {"n": 1, "m": "a", "same": "x", "pk": "p-1"}


def test_a_frame_of_nothing_has_its_columns(tmp_path):
    undone = of(tmp_path, item(n=1)).undo("things", where="n = 5")
    assert list(undone.df)[1:] == ["action", "attributes", "conflicts", "before", "bad", "now", "after", "note"]
    assert len(undone.paths) == 0
    assert isinstance(undone.paths, pd.DataFrame)
    assert "nothing to take back" in undone.verdict
    assert "No item." in undone.to_html()
    masked = Workbench(tmp_path / "log", mask=["pk"]).undo("things", where="n = 5")
    assert "No item." in masked.to_html()


def test_what_carries_a_bad_value_along_is_no_bad_change(tmp_path):
    """Good writes after it have the bad price in their new image, and did not write it."""
    good, bad = item(price=5), item(price=-1)
    wb = of(tmp_path, good, bad, bad | item(note="mine"), bad | item(note="mine", seen=1))
    undone = wb.undo("things", where="new.price < 0")
    assert row(undone)["action"] == "update"
    (element,) = elements(undone, tmp_path)
    after = Write.read(element).done(bad | item(note="mine", seen=1))
    assert from_dynamodb(after or {}) == {"pk": "p-1", "price": 5, "note": "mine", "seen": 1}
    assert [note for note in undone.stats.notes if "carry along" in note] == [
        "not taken back: 2 changes, which carry along what where says of new., and did not write it; "
        "leave out new. for them too"
    ]
    whole = wb.undo("things", where="price < 0")
    assert from_dynamodb(Write.read(elements(whole, tmp_path)[0]).done(bad | item(note="mine", seen=1)) or {}) == {
        "pk": "p-1",
        "price": 5,
    }
    assert not any("carry along" in note for note in whole.stats.notes)
    again = of(tmp_path / "again", good, bad, item(price=-2), item(price=-2, note="mine"))
    twice = again.undo("things", where="new.price < 0")
    assert row(twice)["after"] == {"price": 5}, "a second bad value is one too"
    made = of(tmp_path / "made", bad, bad | item(note="mine"))
    assert row(made.undo("things", where="new.price < 0"))["action"] == "conflict", "made by bad, written into by good"
    assert (
        row(made.undo("things", where="new.email is absent", start=minute(0), end=minute(0.5)))["action"] == "conflict"
    )


# ---- items of which all is taken back


@pytest.mark.parametrize("asked", [{"start": 20}, {"to": 20}])
@pytest.mark.parametrize("seed", range(4))
def test_items_that_are_not_looked_into_are_planned_as_those_that_are(tmp_path, monkeypatch, seed, asked):
    wb = Workbench(lakes.write(tmp_path / "log", lakes.records(seed, 240), "envelope"), home=tmp_path / "home")
    asked = {name: lakes.START + timedelta(hours=hours) for name, hours in asked.items()} | {"ttl": "expires:keep"}
    plain = wb.undo("things", **asked)
    runs = [each for each in plain.planned if isinstance(each, PlainRun)]
    assert runs
    monkeypatch.setattr(PlainRun, "units", lambda *given: Planned.units(*given))
    for module in ("undo", "undo_chains"):
        monkeypatch.setattr(f"workbench.questions.{module}.plain_change", lambda *given, **options: None)
    looked_into = wb.undo("things", **asked)
    assert not any(isinstance(each, PlainRun) for each in looked_into.planned)
    assert (plain.actions, plain.units) == (looked_into.actions, looked_into.units)
    same(plain.df, looked_into.df)
    same(plain.paths, looked_into.paths)
    assert elements(plain, tmp_path) == elements(looked_into, tmp_path)
    by_key = {each.key: each.merged for each in looked_into.planned}
    assert all(by_key[each.key] == each.merged and by_key[each.key].action == each.action for each in runs)


leaves = st.sampled_from([{"N": "1"}, {"N": "-12.5"}, {"S": ""}, {"S": "x" * 40}, {"BOOL": True}, {"SS": ["a"]}])
values = st.recursive(
    leaves,
    lambda inner: st.dictionaries(st.text("abc", min_size=1, max_size=2), inner).map(lambda held: {"M": held}),
    max_leaves=8,
)
images = st.one_of(
    st.dictionaries(st.text("abcdef", min_size=1, max_size=3), values, max_size=25),
    st.integers(60, 100).map(lambda number: {f"{at:x}": {"N": "1"} for at in range(number)}),
    st.integers(2, 30).map(
        lambda depth: reduce(
            lambda inner, _: {"a": {"M": inner}}, range(depth), {f"{at:x}": {"S": ""} for at in range(40)}
        )
    ),
)


@given(images, images)
def test_what_takes_one_unit_is_told_by_texts_only_where_it_is_so(one, other):
    now, after = ({**KEY, **{name: value for name, value in image.items() if name != "pk"}} for image in (one, other))
    texts = [json.dumps(image, separators=(",", ":")) for image in (now, after)]
    if takes_one_unit(*texts):
        for sides in ((now, after), (None, after), (now, None)):
            writes = writes_of("things", ["pk"], *sides)
            assert sum(write.units(sides[0]) for write in writes) == len(writes)
            assert len(writes) <= 1


def test_a_large_plan_is_made_when_it_is_looked_at(tmp_path, monkeypatch):
    records = []
    for number in range(30):
        key = {"pk": {"S": f"p-{number:02}"}}
        records += chain(key, [(NOON + at * MINUTE, key | {"n": {"N": str(number + at)}}) for at in range(2)])
    wb = Workbench(write_log(tmp_path / "log", records))
    whole = wb.undo("things", start=minute(1)).df
    monkeypatch.setattr("workbench.questions.undo_items.PART", 7)
    undone = wb.undo("things", start=minute(1))
    assert isinstance(undone._frame, LargeFrame)
    assert len(undone) == 30
    shown = io.StringIO()
    Console(file=shown, width=200).print(undo_page.to_text(undone, limit=5))
    assert "p-04" in shown.getvalue()
    assert "25 more items" in shown.getvalue()
    assert isinstance(undone._frame, LargeFrame), "which is not made to show its first items"
    same(undone.df, whole)
    masked = Workbench(tmp_path / "log", mask=["pk", "n"]).undo("things", start=minute(1))
    assert not masked.df["pk"].str.startswith("p-").any()
    assert "p-0" not in masked.to_html()


def test_a_flat_log_tells_no_types_so_nothing_is_written(tmp_path):
    made = chain(KEY, [(NOON, item(n=1, m="7")), (NOON + MINUTE, item(n=2, m="8"))])
    wb = Workbench(write_log(tmp_path / "log", made, "flat"))
    undone = wb.undo("things", to=minute(0))
    assert undone.actions == {"unknown": 1}
    assert "does not tell the types" in row(undone)["note"]
    assert wb.undo("things", start=minute(1)).actions == {"unknown": 1}, "there is no old image"
