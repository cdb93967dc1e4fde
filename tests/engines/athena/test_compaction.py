"""Compacted days on Athena: the same answers, of fewer objects and bytes; what is left where; what is never read."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.engines.athena.test_checkpoints import KEPT as CHECKPOINTS
from tests.engines.athena.test_checkpoints import halves, objects, put
from tests.helpers import lakes
from tests.helpers.aws.clients import session_of
from tests.helpers.aws.lake import BUCKET, DATABASE, athena, declare
from tests.helpers.questions import QUESTIONS, same
from workbench import Workbench
from workbench.aws.athena import Athena
from workbench.aws.catalog import Catalog
from workbench.engines import compacting, reading
from workbench.engines.compacting import Compactor
from workbench.errors import ConfigError, QueryError, ScanRefused
from workbench.log.compaction import CompactedDays

KEPT = f"s3://{BUCKET}/compacted/"


@pytest.fixture(autouse=True)
def later(monkeypatch):
    """A time at which all days of the logs are over."""
    monkeypatch.setattr(compacting, "_now", lambda: datetime(2026, 12, 24, tzinfo=UTC))


@pytest.fixture
def compacted(empty, tmp_path):
    """A log, compacted but for its last objects: on Athena, and as files."""
    folder, files = halves(tmp_path)
    location = put(empty, tmp_path, folder, files[:-4], 0)
    declare(empty, lakes.glue_table("things", location, "envelope", lakes.records(1), lakes.SCHEMES[0]))
    wb = athena(empty, compacted=KEPT)
    wb.compact("things")
    put(empty, tmp_path, folder, files[-4:], 1)
    yield wb, folder
    wb.close()


SOME = (
    "latest",
    "as of",
    "changes in a window",
    "changes of an item",
    "versions in a window",
    "frequency in a window",
    "quality",
    "quality's lag",
)


@pytest.mark.parametrize(
    "layout",
    [
        pytest.param(layout, marks=[pytest.mark.deep] * (layout not in ("raw", "envelope, Parquet")))
        for layout in lakes.LAYOUTS
    ],
)
def test_every_layout_gives_the_same_answers_with_compacted_days(empty, tmp_path, layout):
    folder, files = halves(tmp_path, layout)
    location = put(empty, tmp_path, folder, files[:-4], 0)
    made = lakes.records(1, plain=layout == "flat", ties=layout != "flat")
    declare(empty, lakes.glue_table("things", location, layout, made, lakes.SCHEMES[0]))
    wb, on_files = athena(empty, compacted=KEPT), Workbench(folder)
    assert len(wb.compact("things")) >= 2
    put(empty, tmp_path, folder, files[-4:], 1)
    assert any("compacted days" in note for note in wb.latest_state("things").stats.notes)
    without = athena(empty)  # which reckons sizes of records as it does with them
    for name in SOME:
        same(QUESTIONS[name](wb), QUESTIONS[name](without if name == "quality" else on_files))
    wb.close()
    without.close()


def test_a_day_is_read_in_the_place_of_its_objects_and_said(compacted):
    wb, _ = compacted
    result = wb.latest_state("things")
    assert any("compacted days from 2026-11-17 to" in note for note in result.stats.notes)
    assert wb.estimate("latest_state", "things").objects == result.stats.objects == 4
    wb.compact("things")
    assert wb.latest_state("things").stats.objects == 0  # the late ones came in


def test_late_objects_come_in_by_making_the_day_again_and_the_one_before_goes_a_run_later(empty, compacted):
    wb, folder = compacted
    before = {key for key in objects(empty, "compacted/") if "_compacted" in key}
    again = wb.compact("things")
    assert dict(zip(map(str, again["day"]), again["status"], strict=True)) == {
        "2026-11-18": "made again",
        "2026-11-19": "made",
    }
    assert before < {key for key in objects(empty, "compacted/") if "_compacted" in key}
    same(wb.changes("things").df, Workbench(folder).changes("things").df)
    assert not len(wb.compact("things"))
    assert len({key for key in objects(empty, "compacted/") if "_compacted" in key}) == len(before) + 1
    same(wb.changes("things").df, Workbench(folder).changes("things").df)


def test_objects_that_are_gone_still_count_and_this_is_said(empty, compacted):
    wb, folder = compacted
    expected = {name: QUESTIONS[name](Workbench(folder)) for name in ("changes", "changes in a window", "latest")}
    first = objects(empty, "data/things/")[0]
    session_of(empty).client("s3").delete_object(Bucket=BUCKET, Key=first)
    assert any("gone from the log: 1 object of" in note for note in wb.changes("things").stats.notes)
    wb.compact("things", again=True)
    for name, each in expected.items():
        same(QUESTIONS[name](wb), each)


def test_an_archived_object_is_not_read_where_a_day_has_it_and_else_refused_in_a_line(empty, compacted):
    wb, _ = compacted
    s3 = session_of(empty).client("s3")
    wb.compact("things", archive=True)
    for key in objects(empty, "data/things/"):
        assert s3.get_object_tagging(Bucket=BUCKET, Key=key)["TagSet"] == [
            {"Key": "workbench-archive", "Value": "compacted"}
        ]
    wb.close()
    archived = objects(empty, "data/things/")
    for key in archived[:3]:
        body = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        s3.put_object(Bucket=BUCKET, Key=key, Body=body, StorageClass="GLACIER")
    without = athena(empty)
    with pytest.raises(QueryError, match=r"3 objects of the log are in an archive of S3, .* restore them"):
        without.changes("things")


def test_one_that_is_not_whole_any_more_is_not_used_and_this_is_said(empty, compacted):
    wb, folder = compacted
    wb.close()
    data = next(key for key in objects(empty, "compacted/") if "_compacted" not in key)
    session_of(empty).client("s3").delete_object(Bucket=BUCKET, Key=data)
    wb = athena(empty, compacted=KEPT)
    result = wb.changes("things")
    assert any("is not used, for some of its objects are gone" in note for note in result.stats.notes)
    same(result.df, Workbench(folder).changes("things").df)
    session_of(empty).client("glue").delete_table(DatabaseName=DATABASE, Name="things_compacted")
    wb = athena(empty, compacted=KEPT)
    result = wb.changes("things")
    assert any("is no partition of things_compacted any more" in note for note in result.stats.notes)
    same(result.df, Workbench(folder).changes("things").df)
    assert set(wb.compact("things")["status"]) == {"made"}


def test_one_whose_list_is_damaged_is_not_used_and_made_anew(empty, compacted):
    wb, folder = compacted
    wb.close()
    listed = next(key for key in objects(empty, "compacted/") if "_compacted" in key)
    session_of(empty).client("s3").put_object(Bucket=BUCKET, Key=listed, Body=b"PAR1 cut")
    wb = athena(empty, compacted=KEPT)
    result = wb.changes("things")
    assert any("is not used, for its list of objects is damaged" in note for note in result.stats.notes)
    same(result.df, Workbench(folder).changes("things").df)
    assert "made" in set(wb.compact("things")["status"])
    assert wb.changes("things").stats.objects == 0
    wb.compact("things")  # which removes it
    assert listed not in objects(empty, "compacted/")
    assert not any("damaged" in note for note in wb.changes("things").stats.notes)


def test_one_that_is_removed_while_it_is_asked_does_not_answer(empty, compacted, monkeypatch):
    wb, folder = compacted
    run = Athena.run

    def removed_first(self, texts, **options):
        for key in objects(empty, "compacted/"):
            session_of(empty).client("s3").delete_object(Bucket=BUCKET, Key=key)
        return run(self, texts, **options)

    monkeypatch.setattr(Athena, "run", removed_first)
    result = wb.changes("things")
    same(result.df, Workbench(folder).changes("things").df)
    assert not any("compacted day" in note for note in result.stats.notes)


def test_a_run_that_is_stopped_leaves_no_half_day(empty, tmp_path, monkeypatch):
    folder, files = halves(tmp_path)
    location = put(empty, tmp_path, folder, files, 0)
    declare(empty, lakes.glue_table("things", location, "envelope", lakes.records(1), lakes.SCHEMES[0]))
    wb = athena(empty, compacted=KEPT)
    with monkeypatch.context() as stopped:
        stopped.setattr(CompactedDays, "add", lambda self, day: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            wb.compact("things")
    assert not objects(empty, "compacted/")
    glue = session_of(empty).client("glue")
    assert not glue.get_partitions(DatabaseName=DATABASE, TableName="things_compacted")["Partitions"]
    same(wb.changes("things").df, Workbench(folder).changes("things").df)


def test_days_that_are_not_over_and_limits_leave_the_log_as_it_is(empty, tmp_path, monkeypatch):
    folder, files = halves(tmp_path)
    location = put(empty, tmp_path, folder, files, 0)
    declare(empty, lakes.glue_table("things", location, "envelope", lakes.records(1), lakes.SCHEMES[0]))
    with pytest.raises(ScanRefused, match=r"compacting 2026-11-17 of things would scan .*: raise max_scan_bytes"):
        athena(empty, compacted=KEPT, max_scan_bytes="10").compact("things")
    monkeypatch.setattr(compacting, "_now", lambda: datetime(2026, 11, 19, 23, 59, tzinfo=UTC))
    made = athena(empty, compacted=KEPT).compact("things")
    assert [str(day) for day in made["day"]] == ["2026-11-17"]  # the 18th has a day for what is late


def test_a_place_within_the_log_is_refused_before_anything_is_written(empty, tmp_path):
    folder, files = halves(tmp_path)
    location = put(empty, tmp_path, folder, files, 0)
    declare(empty, lakes.glue_table("things", location, "envelope", lakes.records(1), lakes.SCHEMES[0]))
    before = objects(empty, "")
    for kept in (location, f"{location}kept", location.removesuffix("things/")):  # the last has the days of `things`
        with pytest.raises(ConfigError, match=rf"compacted: .* is within the log of things, {location}, whose objects"):
            athena(empty, compacted=kept).compact("things")
        with pytest.raises(ConfigError, match=r"checkpoints: .* is within the log of things"):
            athena(empty, checkpoints=kept).checkpoint("things")
    assert objects(empty, "") == before
    assert len(athena(empty, compacted=f"{location}_kept/").compact("things"))  # which nobody reads as the log


def test_days_that_no_condition_could_tell_from_the_objects_beside_are_not_used_and_this_is_said(
    empty, tmp_path, monkeypatch
):
    folder = lakes.write(tmp_path / "whole", lakes.records(1), "envelope", "dt=")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    location = put(empty, tmp_path, folder, files[:-4], 0)
    declare(empty, lakes.glue_table("things", location, "envelope", lakes.records(1), "dt="))
    wb, on_files = athena(empty, compacted=KEPT), Workbench(folder)
    wb.compact("things")
    put(empty, tmp_path, folder, files[-4:], 1)  # of which one is in the folder of a day that is compacted
    monkeypatch.setattr(reading, "_LONGEST_CONDITION", 20)
    result = wb.changes("things")
    assert result.stats.objects == len(files)
    (said,) = (note for note in result.stats.notes if "not used" in note)
    assert said.startswith("2 compacted days from 2026-11-17 to 2026-11-18 not used, for no query could name")
    for name in SOME:
        if name != "quality":
            same(QUESTIONS[name](wb), QUESTIONS[name](on_files))
    session_of(empty).client("s3").delete_object(Bucket=BUCKET, Key=objects(empty, "data/things/")[0])
    assert any("1 object of days that are not used: their" in note for note in wb.changes("things").stats.notes)


def test_days_before_within_and_after_a_checkpoint(empty, tmp_path):
    folder, files = halves(tmp_path)
    half = len(files) // 2
    assert [sum("day=18" in path.as_posix() for path in part) > 0 for part in (files[:half], files[half:])] == [
        True
    ] * 2
    location = put(empty, tmp_path, folder, files[:half], 0)
    declare(empty, lakes.glue_table("things", location, "envelope", lakes.records(1), lakes.SCHEMES[0]))
    wb, on_files = athena(empty, compacted=KEPT, checkpoints=CHECKPOINTS, late_arrival="12h"), Workbench(folder)
    wb.checkpoint("things")
    put(empty, tmp_path, folder, files[half:], 1)
    wb.compact("things")
    for made_after in (False, True):
        if made_after:  # of days, and one made of it, too
            wb.checkpoint("things")
        result = wb.latest_state("things", include_deleted=True)
        assert "from the checkpoint" in result.stats.notes[0]
        assert made_after or "compacted day" in result.stats.notes[1]
        same(result.df, on_files.latest_state("things", include_deleted=True).df)
        for name in SOME:
            if name != "quality":
                same(QUESTIONS[name](wb), QUESTIONS[name](on_files))
    wb.close()


def test_a_log_as_it_was_known_is_told_from_days(empty, compacted):
    wb, folder = compacted
    wb.compact("things")
    for known_at in ("2026-11-17T23:59:59Z", "2026-11-18T03:30:00Z", "2026-11-18T10:00:01Z"):
        known, on_files = athena(empty, compacted=KEPT, known_at=known_at), Workbench(folder, known_at=known_at)
        for name in ("latest", "changes", "changes of an item", "versions"):
            same(QUESTIONS[name](known), QUESTIONS[name](on_files))
        assert any("compacted day" in note for note in known.changes("things").stats.notes)


def test_what_days_hold_is_answered_without_the_objects_that_are_archived(empty, compacted, monkeypatch):
    wb, folder = compacted
    wb.compact("things")
    listed = Catalog.listing

    def archived(self, *args, **options):  # by a lifecycle rule, which changes nothing else of them
        found = listed(self, *args, **options)
        return replace(found, objects=[replace(item, archived=True) for item in found.objects])

    monkeypatch.setattr(Catalog, "listing", archived)
    fresh = athena(empty, compacted=KEPT)
    for name in (*SOME, "undo"):
        if name != "quality":
            same(QUESTIONS[name](fresh), QUESTIONS[name](Workbench(folder)))
    then = {"known_at": "2026-11-18T03:30:00Z"}  # which a part of a day tells
    same(athena(empty, compacted=KEPT, **then).changes("things").df, Workbench(folder, **then).changes("things").df)
    assert not len(fresh.compact("things"))


@pytest.mark.parametrize("step", ["run", "register", "census", "add"])
def test_a_run_that_is_killed_at_any_step_leaves_nothing_that_is_read(empty, compacted, monkeypatch, step):
    """Nothing is cleared up, as after SIGKILL."""
    wb, folder = compacted
    killed = {
        "run": (Catalog, "listing", 2),  # when all is written, and it is looked whether objects changed
        "register": (Compactor, "_looked_at", 1),
        "census": (Compactor, "_described", 1),
        "add": (CompactedDays, "add", 1),
    }
    where, name, time = killed[step]
    called, unpatched = iter(range(1, 100)), getattr(where, name)

    def stop(*args, **options):
        if next(called) == time:
            raise KeyboardInterrupt
        return unpatched(*args, **options)

    with monkeypatch.context() as stopped:
        stopped.setattr(where, name, stop)
        stopped.setattr(Compactor, "_remove", lambda self, log, days: None)
        with pytest.raises(KeyboardInterrupt):
            wb.compact("things")
    wb.close()
    left, fresh = len(objects(empty, "compacted/")), athena(empty, compacted=KEPT)
    for name in ("changes", "latest", "quality's lag"):
        same(QUESTIONS[name](fresh), QUESTIONS[name](Workbench(folder)))
    assert len(fresh.compact("things")) == 2
    assert fresh.changes("things").stats.objects == 0
    same(fresh.changes("things").df, Workbench(folder).changes("things").df)
    monkeypatch.setattr(compacting, "_now", lambda: datetime(2036, 1, 1, tzinfo=UTC))
    fresh.compact("things")  # a day later what was left is removed
    assert len(objects(empty, "compacted/")) < left + 2


def test_two_that_compact_at_once_leave_one_good_state(empty, compacted):
    _, folder = compacted
    one, other = athena(empty, compacted=KEPT), athena(empty, compacted=KEPT)
    with ThreadPoolExecutor(2) as pool:
        made = [each.result() for each in [pool.submit(each.compact, "things") for each in (one, other)]]
    assert any(len(each) == 2 for each in made)
    for each in (athena(empty, compacted=KEPT), one, other):
        result = each.changes("things")
        assert result.stats.objects == 0
        same(result.df, Workbench(folder).changes("things").df)
    one.compact("things")
    same(other.changes("things").df, Workbench(folder).changes("things").df)


def test_a_day_of_which_objects_are_gone_and_changed(empty, compacted):
    wb, folder = compacted
    s3, keys = session_of(empty).client("s3"), objects(empty, "data/things/")
    same(wb.changes("things").df, Workbench(folder).changes("things").df)
    gone, changed, source = keys[1], keys[2], folder / keys[2].removeprefix("data/things/")
    s3.delete_object(Bucket=BUCKET, Key=gone)
    source.write_bytes(source.read_bytes() * 2)  # all of it is delivered once more: gzip takes one after the other
    s3.upload_file(str(source), BUCKET, changed)
    expected = Workbench(folder)
    for again in (False, True):
        if again:
            wb.compact("things")
        for name in ("changes", "latest", "changes in a window", "quality's lag", "versions"):
            same(QUESTIONS[name](wb), QUESTIONS[name](expected))
    assert wb.changes("things").stats.objects == 0


def test_where_no_place_is_set_the_message_says_how(empty, tmp_path):
    with pytest.raises(ConfigError, match="no place for compacted days is set"):
        athena(empty).compact("things")
    with pytest.raises(ConfigError, match="compacted is 'kept': with engine=athena it is a place in S3"):
        athena(empty, compacted="kept")
    with pytest.raises(ConfigError, match="the embedded engine keeps each log in columns by itself"):
        Workbench(halves(tmp_path)[0]).compact("things")
