"""Checkpoints on Athena: the answers of the embedded engine, for less that is scanned; and what is left where."""

from __future__ import annotations

import shutil
from io import BytesIO
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.helpers import lakes
from tests.helpers.aws.clients import session_of
from tests.helpers.aws.lake import BUCKET, DATABASE, athena, declare, place
from tests.helpers.questions import AT, LATER, QUESTIONS, same
from workbench import Workbench
from workbench.aws.athena import Athena
from workbench.errors import ConfigError, ParameterError, ScanRefused

KEPT = f"s3://{BUCKET}/checkpoints/"
STATES = ("latest", "as of", "with deleted", "latest where", "before it began", "diff")


def halves(tmp_path: Path, layout: str = "envelope") -> tuple[Path, list[Path]]:
    """A log in a folder, and its objects in the order they arrived."""
    plain = layout == "flat"
    folder = lakes.write(tmp_path / "whole", lakes.records(1, plain=plain, ties=not plain), layout)
    return folder, sorted(path for path in folder.rglob("*") if path.is_file())


def put(server, tmp_path: Path, folder: Path, files: list[Path], number: int) -> str:
    """Put some of a log's files into the bucket."""
    part = tmp_path / f"part {number}"
    for path in files:
        target = part / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return place(server, part)


def objects(server, prefix: str) -> list[str]:
    found = session_of(server).client("s3").list_objects_v2(Bucket=BUCKET, Prefix=prefix)
    return [each["Key"] for each in found.get("Contents", [])]


def partitions(server) -> list[str]:
    found = session_of(server).client("glue").get_partitions(DatabaseName=DATABASE, TableName="things_checkpoints")
    return [each["Values"][0] for each in found["Partitions"]]


@pytest.fixture
def grown(empty, tmp_path):
    """A log of which a checkpoint was made twice while it grew: on Athena, and as files."""
    folder, files = halves(tmp_path)
    third = len(files) // 3
    location = put(empty, tmp_path, folder, files[:third], 0)
    declare(empty, lakes.glue_table("things", location, "envelope", lakes.records(1), lakes.SCHEMES[0]))
    wb = athena(empty, checkpoints=KEPT, late_arrival="12h")
    wb.checkpoint("things")
    put(empty, tmp_path, folder, files[third:-2], 1)
    wb.checkpoint("things")
    put(empty, tmp_path, folder, files[-2:], 2)
    yield wb, folder
    wb.close()


@pytest.mark.parametrize("layout", lakes.LAYOUTS)
def test_every_layout_gives_the_same_states_with_checkpoints(empty, tmp_path, layout):
    folder, files = halves(tmp_path, layout)
    location = put(empty, tmp_path, folder, files[: len(files) // 2], 0)
    made = lakes.records(1, plain=layout == "flat", ties=layout != "flat")
    declare(empty, lakes.glue_table("things", location, layout, made, lakes.SCHEMES[0]))
    on_athena = athena(empty, checkpoints=KEPT, late_arrival="24h")
    on_athena.checkpoint("things")
    put(empty, tmp_path, folder, files[len(files) // 2 :], 1)
    on_files = Workbench(folder, checkpoints="off")
    found = on_athena.latest_state("things", include_deleted=True)
    same(found.df, on_files.latest_state("things", include_deleted=True).df)
    assert "from the checkpoint" in found.stats.notes[0]
    same(QUESTIONS["as of"](on_athena), QUESTIONS["as of"](on_files))
    on_athena.close()


def test_a_checkpoint_of_a_checkpoint_gives_the_same_states_and_scans_less(empty, grown):
    wb, folder = grown
    on_files, without = Workbench(folder, checkpoints="off"), athena(empty)
    for question in STATES:
        same(QUESTIONS[question](wb), QUESTIONS[question](on_files))
    result, expected = wb.latest_state("things"), without.latest_state("things")
    assert result.stats.objects == 2
    assert result.stats.ambiguous_ties == expected.stats.ambiguous_ties
    assert result.stats.last_arrival == expected.stats.last_arrival
    assert wb.estimate("latest_state", "things").objects == 2
    assert len(result.stats.queries) == 2  # the question, and whether the checkpoint is overtaken
    assert wb.tables()["table"].tolist() == ["things"]  # the table of checkpoints is no log


def test_a_checkpoint_is_written_as_zstd(empty, grown):
    s3 = session_of(empty).client("s3")
    bodies = [s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in objects(empty, "checkpoints/")]
    files = [pq.read_metadata(BytesIO(body)) for body in bodies if body[:4] == b"PAR1"]
    columns = [each.row_group(0).column(number) for each in files for number in range(each.num_columns)]
    assert {column.compression for column in columns} == {"ZSTD"}


def test_an_instant_long_before_reads_the_log(grown):
    wb, folder = grown
    result = wb.latest_state("things", as_of="2026-11-17T08:00Z")
    assert not any("checkpoint" in note for note in result.stats.notes)
    same(result.df, Workbench(folder, checkpoints="off").latest_state("things", as_of="2026-11-17T08:00Z").df)


def test_what_an_overtaken_checkpoint_cannot_tell_is_read_from_the_log(empty, tmp_path):
    from tests.helpers.logs import chain, write_log
    from tests.log.test_checkpoints import DAY, KEY, NOON, A, B

    records = chain(KEY, [(NOON, A), (NOON + DAY, B), (NOON + DAY, A)])
    log = tmp_path / "log"
    write_log(log / "year=2026/month=01/day=04/hour=12", records[:2], "envelope", "things-1-2026-01-04-12-00-00-1")
    location = place(empty, log)
    declare(empty, lakes.glue_table("things", location, "envelope", [], lakes.SCHEMES[0]))
    wb = athena(empty, checkpoints=KEPT)
    wb.checkpoint("things")
    assert wb.latest_state("things").df["v"].tolist() == ["B"]
    write_log(log / "year=2026/month=01/day=05/hour=12", records[2:], "envelope", "things-1-2026-01-05-12-00-00-1")
    place(empty, log)
    result = wb.latest_state("things")
    assert result.df["v"].tolist() == ["A"]
    assert result.stats.objects == 2
    assert not any("checkpoint" in note for note in result.stats.notes)
    made = wb.checkpoint("things")
    assert len(made.objects) == 2
    result = wb.latest_state("things")
    assert result.df["v"].tolist() == ["A"]
    assert result.stats.objects == 0
    wb.close()


def test_the_newest_stay_with_their_partitions_and_nothing_temporary(empty, grown):
    wb, _ = grown
    kept = [wb.checkpoint("things", keep=2).id for _ in range(2)]
    assert sorted(partitions(empty)) == sorted(kept)
    assert {key.split("/")[2] for key in objects(empty, "checkpoints/")} == {f"checkpoint={each}" for each in kept}
    results = session_of(empty).client("s3").list_objects_v2(Bucket="results", Prefix="athena/")
    assert results["KeyCount"] == 0


def test_one_that_fails_leaves_nothing(empty, grown):
    wb, _ = grown
    before = objects(empty, "checkpoints/")
    glue = session_of(empty).client("glue")
    glue.delete_table(DatabaseName=DATABASE, Name="things_checkpoints")
    glue.create_table(DatabaseName=DATABASE, TableInput={"Name": "things_checkpoints"})
    with pytest.raises(ParameterError, match=r"logs.things_checkpoints is there already and holds no checkpoints"):
        athena_like(wb).checkpoint("things")
    assert objects(empty, "checkpoints/") == before


def test_unreadable_lines_of_a_checkpoint_are_told_of(empty, tmp_path):
    folder, files = halves(tmp_path)
    broken = files[0].with_name("things-1-2026-11-17-20-30-00-broken.json")
    broken.write_text('{"oops\n')
    location = put(empty, tmp_path, folder, [*files, broken], 0)
    declare(empty, lakes.glue_table("things", location, "envelope", lakes.records(1), lakes.SCHEMES[0]))
    athena(empty, checkpoints=KEPT, count_unreadable=False).checkpoint("things")  # which counts them all the same
    result = athena(empty, checkpoints=KEPT).latest_state("things")
    assert [each.object.rpartition("/")[2] for each in result.stats.unreadable] == [broken.name]
    assert len(result.stats.queries) == 1


def test_the_limit_holds_for_checkpoints_too(grown):
    wb, _ = grown
    limited = athena_like(wb, max_scan_bytes="10")
    with pytest.raises(ScanRefused, match="more than max_scan_bytes"):
        limited.latest_state("things", as_of=LATER)
    with pytest.raises(ScanRefused):
        limited.checkpoint("things")
    assert limited.spent.queries == 0


def athena_like(wb: Workbench, **settings) -> Workbench:
    given = {name: getattr(wb.settings, name) for name in ("endpoint", "region", "database", "output", "checkpoints")}
    return Workbench(engine="athena", **(given | settings))


def test_one_that_is_not_whole_any_more_is_not_used_and_this_is_said(empty, grown):
    wb, folder = grown
    expected = Workbench(folder, checkpoints="off").latest_state("things").df
    newest = max(partitions(empty))
    data = next(key for key in objects(empty, f"checkpoints/things/checkpoint={newest}/") if "_checkpoint" not in key)
    session_of(empty).client("s3").delete_object(Bucket=BUCKET, Key=data)
    result = athena_like(wb).latest_state("things")
    same(result.df, expected)
    assert any("some of its objects are gone" in note for note in result.stats.notes)
    session_of(empty).client("glue").delete_table(DatabaseName=DATABASE, Name="things_checkpoints")
    result = athena_like(wb).latest_state("things")
    same(result.df, expected)
    assert any("is no partition of things_checkpoints any more" in note for note in result.stats.notes)
    again = athena_like(wb)
    again.checkpoint("things")
    assert again.latest_state("things").stats.objects == 0


def test_one_that_is_removed_while_it_is_asked_does_not_answer(empty, grown, monkeypatch):
    wb, folder = grown
    run = Athena.run

    def removed_first(self, texts, **options):
        for key in objects(empty, "checkpoints/"):
            session_of(empty).client("s3").delete_object(Bucket=BUCKET, Key=key)
        return run(self, texts, **options)

    wb.latest_state("things")
    monkeypatch.setattr(Athena, "run", removed_first)
    result = wb.latest_state("things")
    same(result.df, Workbench(folder, checkpoints="off").latest_state("things").df)
    assert not any("checkpoint" in note for note in result.stats.notes)


def test_the_quality_of_a_window_begins_with_a_checkpoint(grown):
    wb, folder = grown
    on_files = Workbench(folder, checkpoints="off")
    found, expected = (each.data_quality("things", start="2026-11-19") for each in (wb, on_files))
    assert any("from the checkpoint" in note for note in found.stats.notes)
    assert found.verdict == expected.verdict
    same(found.gaps, expected.gaps)
    same(found.df.drop(columns="meaning"), expected.df.drop(columns="meaning"))
    assert not any("checkpoint" in note for note in wb.data_quality("things").stats.notes)


def test_where_no_place_is_set_the_message_says_how(empty, tmp_path):
    wb = athena(empty)
    with pytest.raises(ConfigError, match="no place for checkpoints is set"):
        wb.checkpoint("things")
    with pytest.raises(ConfigError, match="it is a place in S3"):
        athena(empty, checkpoints="kept")


def test_diff_of_two_instants_takes_two_checkpoints(grown):
    wb, folder = grown
    same(wb.diff("things", AT, LATER).df, Workbench(folder, checkpoints="off").diff("things", AT, LATER).df)


def test_what_a_checkpoint_told_of_objects_counts_for_answers_that_begin_with_it_alone(empty, grown):
    _, folder = grown
    newest = Workbench(folder).changes("things").stats.newest_change
    wb = athena(empty, checkpoints=KEPT, late_arrival="12h")  # which counts the objects after the checkpoint only
    wb.latest_state("things", as_of=AT)
    wb.latest_state("things")
    assert wb.changes("things").stats.newest_change == newest
    assert wb.latest_state("things").stats.newest_change == newest
    wb.close()
