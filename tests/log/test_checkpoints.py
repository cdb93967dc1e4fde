"""Checkpoints on the embedded engine: what they save, what they never change, and what is said of them."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from tests.helpers.logs import chain, micros, record, write_log
from tests.helpers.questions import same
from workbench import Workbench
from workbench.cli import main
from workbench.errors import ConfigError, ParameterError, StoreError
from workbench.log.checkpoints import Checkpoints

KEY, OTHER = {"pk": {"S": "x"}}, {"pk": {"S": "y"}}
NOON, DAY = micros("2026-01-01T12:00:00"), 86_400_000_000
A, B, C = (KEY | {"v": {"S": letter}} for letter in "ABC")


def at(micros: int) -> datetime:
    return datetime.fromtimestamp(micros / 1e6, UTC)


def arrive(log: Path, records: list[dict], moment: int) -> None:
    """Write an object that arrived at a time, as its name tells."""
    write_log(log, records, "raw", f"things-1-{at(moment):%Y-%m-%d-%H-%M-%S}-{len(list(log.glob('*')))}")


def opened(folder: Path, **settings) -> Workbench:
    return Workbench(folder / "log", checkpoints=str(folder / "kept"), **settings)


def agree(folder: Path, **asked):
    """Ask with checkpoints and without, and return the answer they agree on."""
    found = opened(folder).latest_state("things", **asked)
    expected = Workbench(folder / "log", checkpoints="off").latest_state("things", **asked)
    same(found.df, expected.df)
    assert found.stats.ambiguous_ties == expected.stats.ambiguous_ties
    assert found.stats.unreadable == expected.stats.unreadable
    assert (found.stats.first_arrival, found.stats.last_arrival) == (
        expected.stats.first_arrival,
        expected.stats.last_arrival,
    )
    assert not any("checkpoint" in note for note in expected.stats.notes)
    return found


def resumed(result) -> bool:
    return any("from the checkpoint" in note for note in result.stats.notes)


def test_later_answers_read_the_checkpoint_and_later_objects_only(tmp_path):
    for day in range(5):
        item = {"pk": {"S": str(day)}}
        arrive(tmp_path / "log", [record("INSERT", item, NOON + day * DAY, new=item)], NOON + day * DAY)
    made = opened(tmp_path).checkpoint("things")
    assert len(made.objects) == 5
    arrive(tmp_path / "log", chain(KEY, [(NOON + 6 * DAY, A)]), NOON + 6 * DAY)
    found = agree(tmp_path)
    assert resumed(found)
    assert found.stats.objects == 1
    assert len(found.df) == 6
    assert "and 1 later object" in " ".join(found.stats.notes)


def test_a_checkpoint_made_from_one_before_is_as_good_as_one_of_the_whole_log(tmp_path):
    later = (B, NOON + DAY), (None, NOON + 3 * DAY), (C, NOON + 4 * DAY)
    states = [(NOON, A), (NOON, B), (NOON, A), *((moment, image) for image, moment in later)]
    for change in chain(KEY, states):
        arrive(tmp_path / "log", [change], change["dynamodb"]["ApproximateCreationDateTime"])
        opened(tmp_path).checkpoint("things")
        agree(tmp_path, include_deleted=True)
    whole = Workbench(tmp_path / "log", checkpoints=str(tmp_path / "whole")).checkpoint("things")
    by_steps = opened(tmp_path).checkpoint("things")
    rows = [pq.read_table(f"{each.place}changes.parquet").to_pylist() for each in (whole, by_steps)]
    assert sorted(rows[0], key=repr) == sorted(rows[1], key=repr)


def test_an_instant_before_a_checkpoint_is_told_from_an_older_one_or_the_whole_log(tmp_path):
    for day, image in enumerate((A, B, C)):
        moment = NOON + day * 3 * DAY
        change = record("MODIFY" if day else "INSERT", KEY, moment, new=image, old=(None, A, B)[day])
        arrive(tmp_path / "log", [change], moment)
        opened(tmp_path).checkpoint("things")
    assert not resumed(agree(tmp_path, as_of=at(NOON - 2 * DAY)))  # before the first checkpoint's day
    early = agree(tmp_path, as_of=at(NOON + DAY))
    assert resumed(early)
    assert early.df["v"].tolist() == ["A"]
    assert agree(tmp_path, as_of=at(NOON + 4 * DAY)).df["v"].tolist() == ["B"]


@pytest.mark.parametrize(("late", "whole"), [([(NOON + DAY, B, A)], True), ([(NOON + DAY // 2, A, B)], False)])
def test_a_late_change_of_the_instant_a_checkpoint_begins_with_has_all_of_the_log_read(tmp_path, late, whole):
    """It can make that instant a cycle, A to B to A, whose state is the one before: which the checkpoint has not."""
    arrive(tmp_path / "log", chain(KEY, [(NOON, A), (NOON + DAY, B)]), NOON)
    arrive(tmp_path / "log", [record("INSERT", OTHER, NOON + 5 * DAY, new=OTHER)], NOON + 5 * DAY)
    opened(tmp_path).checkpoint("things")
    for moment, old, new in late:
        arrive(tmp_path / "log", [record("MODIFY", KEY, moment, new=new, old=old)], NOON + 6 * DAY)
    found = agree(tmp_path)
    assert resumed(found) is not whole
    assert found.df.set_index("pk")["v"]["x"] == ("A" if whole else "B")
    made = opened(tmp_path).checkpoint("things")  # which is made from all of the log too, and begins anew
    assert len(made.objects) == 3
    assert resumed(agree(tmp_path))


def test_a_late_change_below_a_cycle_that_a_checkpoint_has_is_noticed_too(tmp_path):
    records = chain(KEY, [(NOON, A), (NOON + DAY, B), (NOON + DAY, A), (NOON + 2 * DAY, C), (NOON + 2 * DAY, A)])
    late = records.pop(2)
    arrive(tmp_path / "log", records, NOON + 5 * DAY)
    opened(tmp_path).checkpoint("things")
    assert agree(tmp_path).stats.ambiguous_ties == 1
    arrive(tmp_path / "log", [late], NOON + 6 * DAY)
    found = agree(tmp_path)
    assert (found.stats.ambiguous_ties, found.df["v"].tolist()) == (0, ["A"])


def test_a_change_sent_again_after_the_checkpoint_changes_nothing(tmp_path):
    change = record("INSERT", KEY, NOON, new=A)
    arrive(tmp_path / "log", [change], NOON + 3 * DAY)
    opened(tmp_path).checkpoint("things")
    arrive(tmp_path / "log", [change], NOON + 4 * DAY)
    assert resumed(agree(tmp_path))


def test_unreadable_lines_are_told_of_though_they_are_not_read_again(tmp_path):
    arrive(tmp_path / "log", chain(KEY, [(NOON, A), (NOON + 1, B)]), NOON)
    (tmp_path / "log" / "broken.json").write_text('{"oops\n')
    bad = record("MODIFY", KEY, NOON + 2, new={"pk": {"WRONG": 1}}, old=B)
    arrive(tmp_path / "log", [bad], NOON + 2)
    made = opened(tmp_path).checkpoint("things")
    assert {each.object.rpartition("/")[2][:6] for each in made.unreadable} == {"broken", "things"}
    found = agree(tmp_path)
    assert resumed(found)
    assert found.df["v"].tolist() == ["B"]


def test_diff_and_reconcile_begin_with_it_too(tmp_path):
    wb = Workbench(home=tmp_path)
    wb.generate("persons", items=50, changes=400, seed=3)
    expected = wb.reconcile("persons").df, wb.diff("persons", "2026-11-20").df
    wb.checkpoint("persons")
    for result, df in zip((wb.reconcile("persons"), wb.diff("persons", "2026-11-20")), expected, strict=True):
        same(result.df, df)
        assert resumed(result)


def test_a_lake_may_be_moved_with_its_checkpoints(tmp_path):
    wb = Workbench(home=tmp_path / "here")
    wb.generate("persons", items=20, changes=50)
    wb.checkpoint("persons")
    shutil.move(tmp_path / "here", tmp_path / "there")
    found = Workbench(home=tmp_path / "there").latest_state("persons")
    assert resumed(found)
    assert found.stats.objects == 0


def test_a_table_generated_anew_has_none_of_the_old_one_left(tmp_path):
    wb = Workbench(home=tmp_path)
    wb.generate("persons", items=20, changes=50)
    wb.checkpoint("persons")
    wb.generate("persons", items=5, changes=10, replace=True)
    found = wb.latest_state("persons")
    assert not resumed(found)
    same(found.df, Workbench(home=tmp_path, checkpoints="off").latest_state("persons").df)


def test_objects_that_are_gone_from_the_log_still_count_and_this_is_said(tmp_path):
    arrive(tmp_path / "log", chain(KEY, [(NOON, A)]), NOON)
    arrive(tmp_path / "log", chain(OTHER, [(NOON + DAY, OTHER)]), NOON + DAY)
    opened(tmp_path).checkpoint("things")
    min((tmp_path / "log").iterdir()).unlink()
    found = opened(tmp_path).latest_state("things")
    assert found.df["pk"].tolist() == ["x", "y"]
    assert any("gone from the log: 1 object of the checkpoint" in note for note in found.stats.notes)


def test_the_newest_stay_and_what_failed_ones_left_goes(tmp_path):
    arrive(tmp_path / "log", chain(KEY, [(NOON, A)]), NOON)
    left = tmp_path / "kept" / "things" / "checkpoint=20260101T000000000000Z-20260101T000000000000Z"
    left.mkdir(parents=True)
    (left / "changes.parquet").touch()
    made = [opened(tmp_path).checkpoint("things", keep=2).id for _ in range(4)]
    there = {path.name for path in (tmp_path / "kept" / "things").iterdir()}
    assert there == {f"checkpoint={each}" for each in made[-2:]}


def test_logs_of_one_name_do_not_share_checkpoints(tmp_path):
    for folder in ("log", "log 2"):
        arrive(tmp_path / folder, chain(KEY, [(NOON, A)]), NOON)
    opened(tmp_path).checkpoint("things")
    other = Workbench(tmp_path / "log 2", checkpoints=str(tmp_path / "kept"))
    assert not resumed(other.latest_state("things"))
    other.checkpoint("things", keep=1)
    assert resumed(opened(tmp_path).latest_state("things"))


def test_one_that_fails_leaves_nothing_and_is_not_found(tmp_path, monkeypatch):
    arrive(tmp_path / "log", chain(KEY, [(NOON, A)]), NOON)
    monkeypatch.setattr(Checkpoints, "add", lambda self, made: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        opened(tmp_path).checkpoint("things")
    assert not list((tmp_path / "kept").rglob("*.parquet"))
    assert not resumed(agree(tmp_path))


def test_a_damaged_one_is_named_with_what_to_do(tmp_path):
    arrive(tmp_path / "log", chain(KEY, [(NOON, A)]), NOON)
    made = opened(tmp_path).checkpoint("things")
    Path(made.place, "_checkpoint.parquet").write_bytes(b"PAR1")
    with pytest.raises(StoreError, match=r"checkpoint=.* is damaged: .*; remove it, and make a new one"):
        opened(tmp_path).latest_state("things")


def test_where_none_are_kept_none_is_made(tmp_path):
    arrive(tmp_path / "log", chain(KEY, [(NOON, A)]), NOON)
    with pytest.raises(ConfigError, match="checkpoints is off"):
        Workbench(tmp_path / "log", checkpoints="off").checkpoint("things")
    with pytest.raises(ParameterError, match="keep=0"):
        opened(tmp_path).checkpoint("things", keep=0)


def test_the_command_line_says_what_was_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    arrive(tmp_path / "log", chain(KEY, [(NOON, A)]), NOON)
    done = CliRunner().invoke(main, ["checkpoint", "things", "--from", "log"])
    assert done.exit_code == 0, done.output
    assert done.output.startswith("checkpoint of things: 1 object in ")
    done = CliRunner().invoke(main, ["checkpoint", "things", "--from", "log", "--keep", "1", "--json"])
    told = json.loads(done.output)
    assert (told["table"], told["objects"], told["since"]) == ("things", 1, "2025-12-31T12:00:00+00:00")
    assert len(list((tmp_path / "home" / "checkpoints" / "things").iterdir())) == 1
