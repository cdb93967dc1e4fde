"""A log as it was known at an instant, on Athena: the answers of the objects that had arrived by then, and no others."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.engines.athena.test_checkpoints import KEPT, put
from tests.helpers import lakes
from tests.helpers.aws.clients import session_of
from tests.helpers.aws.lake import athena, declare, lake
from tests.helpers.questions import QUESTIONS, same
from workbench import Workbench
from workbench.errors import ParameterError, ScanRefused, TableNotFound
from workbench.log.objects import arrival_of

CASES = [
    ("envelope", "dt="),  # a day's objects in one partition
    pytest.param("raw", "none", marks=pytest.mark.deep),
    pytest.param("struct", "crawled", marks=pytest.mark.deep),
]


def arrivals(folder: Path) -> dict[Path, datetime]:
    """The objects of a log, and when they arrived, in that order."""
    files = {path: arrival_of(path.as_posix()) for path in folder.rglob("*") if path.is_file()}
    return dict(sorted(files.items(), key=lambda each: each[1]))


def only(folder: Path, to: Path, until: datetime) -> Path:
    """Copy what had arrived."""
    for path, arrival in arrivals(folder).items():
        if arrival <= until:
            target = to / path.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)
    return to


@pytest.mark.parametrize(("layout", "scheme"), CASES)
def test_every_question_is_answered_from_what_had_arrived(empty, tmp_path, monkeypatch, layout, scheme):
    folder = lake(empty, tmp_path / "whole", layout, scheme)
    times = [*arrivals(folder).values()]
    known_at = times[len(times) // 2]
    for clock in ("workbench.questions.examination.now", "workbench.model.times.now"):
        monkeypatch.setattr(clock, lambda: known_at)
    then = Workbench(only(folder, tmp_path / "then", known_at))
    now = Workbench(folder)
    on_athena, on_files = athena(empty, known_at=known_at), Workbench(folder, known_at=known_at)
    for name, ask in QUESTIONS.items():
        if name.startswith("undo"):  # it is of the table as it is
            for wb in (on_files, on_athena):
                with pytest.raises(ParameterError, match="leave out known_at"):
                    ask(wb)
            continue
        answers = [ask(wb) for wb in (then, on_files, on_athena)]
        if name == "quality":  # the size of an image is as it was delivered, or of its canonical text
            answers = [df[df["finding"] != "large records"] for df in answers]
        for found in answers[1:]:
            same(found, answers[0])
    for relation in ("things", "things$changes", "things$items"):
        text = f'select * from "{relation}" order by pk, sk' + ", event_id" * relation.endswith("changes")
        expected = then.query(text).df
        same(on_files.query(text).df, expected)
        same(on_athena.query(text).df, expected)
    result = on_athena.latest_state("things")
    assert result.stats.objects == len([each for each in times if each <= known_at]) < len(times)
    assert result.stats.last_arrival == result.stats.known_at == known_at
    assert f"as it was known at {known_at:%Y-%m-%d %H:%M:%S} UTC" in result.summary
    assert "as it was known at" in on_athena.tables().attrs["notes"][0]
    listed = ["objects", "bytes", "first_arrival", "last_arrival"]
    assert on_athena.tables()[listed].equals(on_files.tables()[listed])
    assert len(now.changes("things")) > len(then.changes("things"))
    for wb in (then, now, on_athena, on_files):
        wb.close()


def test_the_text_is_restricted_too(empty, tmp_path):
    """Pasted, it answers what was known, whatever arrives in the same partitions meanwhile."""
    folder = lake(empty, tmp_path, "envelope", "dt=")
    times = [*arrivals(folder).values()]
    known = athena(empty, known_at=times[-2])
    text = known.sql("latest_state", "things")
    assert f"timestamp '{times[-2]:%Y-%m-%d %H:%M:%S}.000000'" in text
    assert text == known.latest_state("things").sql
    on_files = Workbench(folder, known_at=times[-2])
    assert f"timestamp '{times[-2]:%Y-%m-%d %H:%M:%S}.000000'" in on_files.sql("latest_state", "things")
    assert on_files.sql("latest_state", "things") == on_files.latest_state("things").sql
    assert "$path" not in Workbench(folder).sql("latest_state", "things")
    known.close()


def test_what_is_scanned_beside_is_in_the_estimate_and_what_is_later_is_not(empty, tmp_path):
    folder = lake(empty, tmp_path, "envelope", "dt=")
    times = arrivals(folder)
    first_day = min(times.values()).date()
    known_at = min(times.values()) + timedelta(hours=1)
    known = athena(empty, known_at=known_at)
    same_partition = sum(path.stat().st_size for path, at in times.items() if at.date() == first_day)
    estimate = known.estimate("latest_state", "things")
    assert estimate.objects == len([at for at in times.values() if at <= known_at])
    assert estimate.bytes == 2 * same_partition - sum(
        path.stat().st_size for path, at in times.items() if at.date() == first_day and at > known_at
    )
    assert estimate.bytes < athena(empty).estimate("latest_state", "things").bytes
    with pytest.raises(ScanRefused):
        athena(empty, known_at=known_at, max_scan_bytes="10").latest_state("things")
    known.close()


def test_a_checkpoint_that_holds_more_is_not_used_and_one_that_does_not_is(empty, tmp_path):
    folder = lakes.write(tmp_path / "whole", lakes.records(1), "envelope")
    files, times = [*arrivals(folder)], [*arrivals(folder).values()]
    third = len(files) // 3
    location = put(empty, tmp_path, folder, files[:third], 0)
    declare(empty, lakes.glue_table("things", location, "envelope", lakes.records(1), lakes.SCHEMES[0]))
    wb = athena(empty, checkpoints=KEPT, late_arrival="12h")
    wb.checkpoint("things")
    put(empty, tmp_path, folder, files[third:-2], 1)
    wb.checkpoint("things")
    put(empty, tmp_path, folder, files[-2:], 2)
    wb.close()
    for known_at, objects in ((times[-3], 0), (times[-4], len(files) - 3 - third), (times[0], 1)):
        known = athena(empty, checkpoints=KEPT, late_arrival="12h", known_at=known_at)
        found = known.latest_state("things")
        same(found.df, Workbench(folder, known_at=known_at).latest_state("things").df)
        assert found.stats.objects == objects
        assert any("from the checkpoint" in note for note in found.stats.notes) == (known_at != times[0])
        known.close()


def test_what_makes_no_sense_is_refused(empty, tmp_path):
    folder = lake(empty, tmp_path, "envelope", "none")
    known = athena(empty, known_at="2026-11-18T06:00Z", checkpoints=KEPT)
    with pytest.raises(ParameterError, match="known_at=2026-11-18T06:00:00Z: a checkpoint keeps all"):
        known.checkpoint("things")
    with pytest.raises(ParameterError, match="the table itself is as it is now"):
        known.reconcile("things")
    with pytest.raises(TableNotFound, match="as it was known at 2026-11-01 00:00:00 UTC"):
        athena(empty, known_at="2026-11-01").latest_state("things")
    with pytest.raises(TableNotFound, match="as it was known at 2026-11-01 00:00:00 UTC"):
        Workbench(folder, known_at="2026-11-01").latest_state("things")
    s3 = session_of(empty).client("s3")
    location = "none/envelope/things"
    for key in [each["Key"] for each in s3.list_objects_v2(Bucket="lake", Prefix=location)["Contents"]]:
        body = s3.get_object(Bucket="lake", Key=key)["Body"].read()
        s3.delete_object(Bucket="lake", Key=key)
        s3.put_object(Bucket="lake", Key=f"{location}/part-{abs(hash(key)) % 10**9}.json.gz", Body=body)
    with pytest.raises(ParameterError, match="nothing tells when"):
        athena(empty, known_at="2026-11-18T06:00Z").latest_state("things")
    known.close()
