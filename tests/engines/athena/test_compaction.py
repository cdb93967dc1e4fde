"""Compacted days on Athena: the same answers, of fewer objects and bytes; what is left where; what is never read."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.engines.athena.test_checkpoints import halves, objects, put
from tests.helpers import lakes
from tests.helpers.aws.clients import session_of
from tests.helpers.aws.lake import BUCKET, DATABASE, athena, declare
from tests.helpers.questions import QUESTIONS, same
from workbench import Workbench
from workbench.aws.athena import Athena
from workbench.engines import compacting
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


@pytest.mark.parametrize("layout", lakes.LAYOUTS)
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


def test_where_no_place_is_set_the_message_says_how(empty, tmp_path):
    with pytest.raises(ConfigError, match="no place for compacted days is set"):
        athena(empty).compact("things")
    with pytest.raises(ConfigError, match="compacted is 'kept': with engine=athena it is a place in S3"):
        athena(empty, compacted="kept")
    with pytest.raises(ConfigError, match="the embedded engine keeps each log in columns by itself"):
        Workbench(halves(tmp_path)[0]).compact("things")
