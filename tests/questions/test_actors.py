"""Who made a change, as an attribute of the item says: beside every change, of every layout, and masked where it is."""

from __future__ import annotations

import json
import random

import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.logs import chain, micros, record, write_log
from tests.helpers.profiles import examples
from workbench import Workbench
from workbench.cli import main
from workbench.errors import ConfigError
from workbench.model.items import from_dynamodb
from workbench.questions import gathering, timeline
from workbench.questions.actors import Actor
from workbench.reports.run import _summary

NOON = micros("2026-01-01T12:00:00")
PK = {"pk": {"S": "x"}}
WRITERS = ("ann", "bob", "GEHEIM")


def wrote(name: str, **more: dict) -> dict:
    return PK | {"meta": {"M": {"updated.by": {"S": name}}}, **more}


@pytest.fixture
def log(tmp_path):
    """An item that ann makes, bob changes twice, the last time without saying so, and somebody removes."""
    states = [
        (NOON, wrote("ann", n={"N": "1"})),
        (NOON + 1_000_000, wrote("bob", n={"N": "2"})),
        (NOON + 2_000_000, wrote("bob", n={"N": "3"})),
        (NOON + 3_000_000, None),
    ]
    return write_log(tmp_path / "log", chain(PK, states))


def asked(log, actor='meta."updated.by"', **settings) -> Workbench:
    return Workbench(log, home=log.parent / "home", actor=actor, **settings)


def test_a_change_is_told_with_who_wrote_and_a_remove_with_nobody(log):
    df = asked(log).changes("things").df
    assert list(df.columns)[:5] == ["pk", "ts", "event_name", "actor", "by_ttl"]
    assert df["actor"].tolist() == ["ann", "bob", "bob", pd.NA]
    assert df["actor"].dtype == "string"
    told = asked(log).item_history("things").df
    assert list(told.columns)[:6] == ["pk", "life", "ts", "event_name", "actor", "by_ttl"]
    assert told.drop_duplicates("event_id")["actor"].tolist() == ["ann", "bob", "bob", pd.NA]
    for plain in (asked(log, None).changes("things").df, asked(log, None).item_history("things").df):
        assert "actor" not in plain, "where nobody asks for it"


def test_the_timeline_says_who_wrote(log):
    wb = asked(log)
    page = wb.item_history("things")._repr_html_()
    assert page.count("by &#34;ann&#34;") == 1
    assert page.count("by &#34;bob&#34;") == 2
    lines = CliRunner().invoke(main, ["history", "things", "--source", str(log), "--actor", 'meta."updated.by"']).stdout
    (removed,) = [line for line in lines.splitlines() if "REMOVE" in line]
    assert " by " not in removed
    assert lines.count('by "bob"') == 2
    long = timeline.to_html(
        asked(write_log(log / "b", chain(PK, [(NOON, wrote("x" * 5_000))]))).item_history("things").df
    )
    assert f"by &#34;{'x' * 99} …" in long


def test_it_is_read_from_the_file_of_settings_a_variable_and_an_option(log, monkeypatch):
    monkeypatch.chdir(log.parent)
    command = ["changes", "things", "--source", str(log), "--json"]

    def told() -> list:
        return [row.get("actor") for row in json.loads(CliRunner().invoke(main, command).stdout)]

    assert told() == [None] * 4
    (log.parent / "workbench.toml").write_text("actor = 'meta.\"updated.by\"'")
    assert told() == ["ann", "bob", "bob", None]
    monkeypatch.setenv("WORKBENCH_ACTOR", "n")
    assert told() == [1, 2, 3, None]
    command += ["--actor", "pk"]
    assert told() == ["x", "x", "x", None]
    with pytest.raises(ConfigError, match=r"setting 'actor' is 'a\.\.b': 'a\.\.b' is no attribute path"):
        Workbench(actor="a..b")


def test_an_actor_that_no_image_has_is_said_once(log):
    note = "no new image of these changes has the actor 'meta.updated_by'. Did you mean 'meta.\"updated.by\"'?"
    wb = asked(log, "meta.updated_by")
    for told in (wb.changes("things"), wb.item_history("things")):
        assert told.df["actor"].isna().all()
        assert [each for each in told.stats.notes if "actor" in each] == [note]
    for told in (asked(log).changes("things"), asked(log).item_history("things"), wb.latest_state("things")):
        assert not [each for each in told.stats.notes if "actor" in each]
    assert not [each for each in wb.changes("things", events="REMOVE").stats.notes if "actor" in each]


@pytest.mark.parametrize("actor", ['meta."updated.by"', "meta"])
@pytest.mark.parametrize("mask", ["meta", 'meta."updated.by"'])
@pytest.mark.parametrize("how", ["hash", "redact"])
def test_it_is_masked_where_the_attribute_is(tmp_path, actor, mask, how):
    states = [(NOON + at, wrote(name)) for at, name in enumerate(WRITERS)]
    log = write_log(tmp_path / "log", chain(PK, states))
    wb = asked(log, actor, mask=[mask], mask_with=how)
    for told in (wb.changes("things"), wb.item_history("things")):
        assert told.df["actor"].notna().all()
        shown = told.df.to_csv() + told._repr_html_() + repr(told)
        for kind in ("csv", "json"):
            path = told.write(tmp_path / f"out.{kind}", overwrite=True)
            shown += path.read_text() + path.with_name(f"{path.name}.meta.json").read_text()
        assert not [name for name in WRITERS if name in shown]
    clear = asked(log, actor)
    for told in (clear.changes("things"), clear.item_history("things")):
        path = told.write(tmp_path / "late.csv", mask=mask, mask_with=how, overwrite=True)
        assert not [name for name in WRITERS if name in path.read_text()]
        about = json.loads(path.with_name("late.csv.meta.json").read_text())
        assert about["actor"] == actor


def test_an_attribute_that_is_called_actor_is_no_trouble(tmp_path):
    key = {"actor": {"S": "k"}}
    log = write_log(tmp_path / "log", chain(key, [(NOON, key | {"by": {"S": "ann"}})]))
    for told in (asked(log, "by").changes("things").df, asked(log, "by").item_history("things").df):
        assert next(iter(told.columns)) == '"actor"'
        assert told.loc[0, ['"actor"', "actor"]].tolist() == ["k", "ann"]
    assert asked(log, None).changes("things").df["actor"].tolist() == ["k"]
    masked = asked(log, "by", mask=["actor"], mask_with="redact").changes("things").df
    assert masked.loc[0, ['"actor"', "actor"]].tolist() == ["[masked]", "ann"]


def test_a_state_of_an_export_has_who_wrote_it(tmp_path):
    row = {"keys": '{"pk":{"S":"x"}}', "ts": pd.Timestamp(NOON, unit="us", tz="UTC"), "by_ttl": False, "event_id": ""}
    row |= {"event_name": "BASELINE", "new_image": '{"pk":{"S":"x"},"by":{"S":"ann"}}', "old_image": None}
    from workbench.questions.history import history

    assert history([row], ["pk"], actor=Actor("by"))["actor"].tolist() == ["ann"]


def test_a_report_names_the_attribute(log):
    assert "actor: by" in _summary(asked(log, "by").settings)


NAMES = st.sampled_from(["by", "a.b", 'q"t', "_changed_at", "actor"])
VALUES = st.sampled_from(
    [
        {"S": "ann"},
        {"S": ""},
        {"N": "12345678901234567890123456789012345678"},
        {"N": "1.0"},
        {"NULL": True},
        {"BOOL": False},
        {"SS": ["a", "b"]},
        {"L": [{"S": "x"}]},
        {"M": {}},
        {"M": {"x": {"M": {"y": {"S": "z"}}}}},
    ]
)


@examples(60)
@given(st.lists(NAMES, min_size=1, max_size=2), st.lists(st.none() | VALUES, max_size=6), st.integers(0, 2**32 - 1))
def test_any_path_of_any_image_is_what_the_image_has_there(tmp_path_factory, path, values, seed):
    made = []
    for number, value in enumerate(values):
        image: dict = {} if value is None else {path[-1]: value}
        image = {path[0]: {"M": image}} if len(path) > 1 else image
        made.append(record("MODIFY", PK, NOON + number, new=PK | image, old=PK, event_id=f"{number}"))
    random.Random(seed).shuffle(made)
    folder = tmp_path_factory.mktemp("log")
    wb = Workbench(write_log(folder / "log", made), home=folder / "home", actor=gathering.column_name(path))
    if not made:
        return
    expected = {f"{at}": None if value is None else from_dynamodb({"": value})[""] for at, value in enumerate(values)}
    absent = {f"{at}" for at, value in enumerate(values) if value is None}
    for df in (wb.changes("things").df, wb.item_history("things", "pk=x").df.drop_duplicates("event_id")):
        for event, actor in zip(df["event_id"], df["actor"], strict=True):
            if event in absent:
                assert actor is pd.NA or actor != actor
            else:
                assert (actor == expected[event]) or (actor is None and expected[event] is None), event
    wb.close()
