"""Where runs are kept: whole or not at all, none in the place of another, and all of them in the index."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest

from workbench.aws.session import open_session
from workbench.config import load_settings
from workbench.errors import ExportError, NotPublished, ReportError
from workbench.reports import RunRecord, Status, write_index
from workbench.reports.runs import RECORD, LocalRuns, Runs, S3Runs, Scratch

BEGAN = datetime(2026, 11, 20, 6, tzinfo=UTC)
RUN = "2026-11-20T06-00-00Z"


def finish(scratch: Scratch, text: str = "page") -> None:
    """Write what a run leaves."""
    record = RunRecord(
        name=scratch.name,
        run=scratch.run,
        notebook="a.ipynb",
        title="t",
        status=Status.COMPLETE,
        started=BEGAN,
        seconds=1.0,
    )
    (scratch.folder / "notebook.ipynb").write_text("{}")
    (scratch.folder / "report.html").write_text(text)
    (scratch.folder / "figures").mkdir(exist_ok=True)
    (scratch.folder / "figures" / "01.png").write_bytes(b"png")
    (scratch.folder / RECORD).write_text(record.model_dump_json())


def publish(runs: Runs, name: str = "daily", text: str = "page") -> str:
    with runs.begin(name, BEGAN) as scratch:
        return str(runs.publish(scratch, lambda: finish(scratch, text)))


def listed(records: Sequence[RunRecord], problems: Sequence[str] = ()) -> str:
    """An index of bare names."""
    return "\n".join([*(f"{record.name}/{record.run}" for record in records), *problems])


@pytest.fixture
def runs(tmp_path) -> LocalRuns:
    return LocalRuns(tmp_path / "out")


def hidden(out: Path) -> list[Path]:
    return [path for path in out.glob("*/*") if path.name.startswith(".")]


def test_a_run_is_published_whole_and_leaves_nothing_else(runs):
    with runs.begin("daily", BEGAN) as scratch:
        finish(scratch)
        assert runs.records() == ([], [])  # it is no run before it is published
        place = runs.publish(scratch, lambda: finish(scratch))
    assert place == runs.out / "daily" / RUN
    assert sorted(path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()) == [
        "figures/01.png",
        "notebook.ipynb",
        "report.html",
        "run.json",
    ]
    assert hidden(runs.out) == []


def test_runs_of_the_same_second_have_names_of_their_own(runs):
    with runs.begin("daily", BEGAN) as first, runs.begin("daily", BEGAN) as second:
        assert (first.run, second.run) == (RUN, f"{RUN}-2")
        runs.publish(second, lambda: finish(second, "second"))
        runs.publish(first, lambda: finish(first, "first"))
    publish(runs, text="third")
    assert {path.parent.name: path.read_text() for path in runs.out.glob("daily/*/report.html")} == {
        RUN: "first",
        f"{RUN}-2": "second",
        f"{RUN}-3": "third",
    }


@pytest.mark.parametrize(
    "name", ["..", ".", "", "a/b", "/etc", "x" * 300, "📈 täglich", "con", "LPT1.txt", "a\nb", "~", "_x", "a%2Fb", "{}"]
)
def test_no_name_leads_elsewhere(runs, name):
    place = Path(publish(runs, name))
    assert place.parent.parent == runs.out
    assert place.resolve().is_relative_to(runs.out.resolve())
    assert not place.parent.name.startswith(".")
    assert place.parent.name.casefold().partition(".")[0] not in ("con", "lpt1", "")
    (record,), problems = runs.records()
    assert (record.name, problems) == (place.parent.name, [])
    assert Path(publish(runs, record.name)).parent == place.parent  # as when it is made again


def test_what_fails_while_it_is_made_leaves_nothing(runs):
    with pytest.raises(RuntimeError), runs.begin("daily", BEGAN):
        raise RuntimeError
    assert not (runs.out / "daily").exists()


@pytest.mark.parametrize("what", ["rename", "fsync"])
def test_a_full_disk_publishes_nothing_and_says_so(runs, monkeypatch, what):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with runs.begin("daily", BEGAN) as scratch:
        monkeypatch.setattr(os, what, full)
        with pytest.raises(NotPublished, match="No space left on device") as caught:
            runs.publish(scratch, lambda: finish(scratch))
        monkeypatch.undo()
    assert "\n" not in str(caught.value)
    assert runs.records() == ([], [])
    assert not (runs.out / "daily").exists()


def test_a_place_that_cannot_be_written_to_is_refused_before(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NotPublished, match="cannot be written"):
        LocalRuns(tmp_path / "file").refuse()
    with pytest.raises(NotPublished, match="cannot be written"):
        LocalRuns(tmp_path / "file" / "below").refuse()
    with pytest.raises(ExportError, match='engine="athena"'):
        Runs.of("s3://bucket/reports", load_settings())


@pytest.mark.process
def test_what_a_killed_process_left_goes_with_the_next_run_and_what_one_makes_stays(runs):
    code = (
        "import sys, time; from pathlib import Path; from datetime import datetime, UTC\n"
        "from workbench.reports.runs import LocalRuns\n"
        f"with LocalRuns(Path({str(runs.out)!r})).begin('daily', datetime(2026, 11, 20, 6, tzinfo=UTC)) as scratch:\n"
        "    (scratch.folder / 'report.html').write_text('half'); print('begun', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "begun\n"
        publish(runs)
        (part,) = hidden(runs.out)
        assert (part / "run" / "report.html").read_text() == "half"  # it is being made
        other.kill()
    publish(runs, "another")
    assert hidden(runs.out) == []
    assert sorted(path.parent.name for path in runs.out.glob("*/*/run.json")) == [RUN, f"{RUN}-2"]


def test_what_others_write_beside_runs_stays_and_what_nobody_ended_goes(runs):
    publish(runs)
    theirs, written, left = runs.out / "daily" / ".theirs.part", runs.out / ".0123.part", runs.out / ".4567.part"
    theirs.mkdir()
    written.write_text("an answer that is being written")
    left.write_text("an index that was to be written")
    os.utime(left, (0, 0))
    publish(runs)
    assert [path.exists() for path in (theirs, written, left)] == [True, True, False]
    assert not (theirs / "held").exists()


def test_a_record_that_cannot_be_read_is_named_and_harms_no_other(runs):
    publish(runs)
    for name, text in (("cut", '{"name": "cut'), ("foreign", "[]"), ("more", '{"version": 1, "x\\u001b[31m": 2}')):
        folder = runs.out / name / RUN
        folder.mkdir(parents=True)
        (folder / RECORD).write_text(text)
    moved = runs.out / "moved" / RUN
    moved.mkdir(parents=True)
    (moved / RECORD).write_text((runs.out / "daily" / RUN / RECORD).read_text())
    (runs.out / "empty" / RUN).mkdir(parents=True)
    (runs.out / "folder" / RUN / RECORD).mkdir(parents=True)
    (record,), problems = runs.records()
    assert record.name == "daily"
    assert [problem.partition("/")[0] for problem in problems] == ["cut", "folder", "foreign", "more", "moved"]
    assert all("\n" not in problem and "\x1b" not in problem for problem in problems)
    assert (runs.out / "index.html") == runs.write_index(listed)


def test_of_runs_published_at_once_the_index_loses_none(runs):
    def run(number: int) -> None:
        publish(runs, f"r{number % 3}")
        runs.write_index(listed)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(run, range(18)))
    lines = (runs.out / "index.html").read_text().splitlines()
    assert len(lines) == len(set(lines)) == 18


class TestS3:
    @pytest.fixture
    def s3(self, aws_server, monkeypatch) -> S3Runs:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        settings = load_settings(engine="athena", region="eu-central-1", endpoint=aws_server)
        session = open_session(settings)
        bucket = f"reports-{os.getpid()}-{id(session)}"
        session.client("s3").create_bucket(
            Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        return S3Runs(f"s3://{bucket}/all", session)

    def keys(self, s3: S3Runs) -> dict[str, dict]:
        bucket, _, prefix = s3.out.removeprefix("s3://").partition("/")
        client: boto3.client = s3._session.client("s3")
        found = client.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/").get("Contents", [])
        return {
            each["Key"].removeprefix(f"{prefix}/"): client.get_object(Bucket=bucket, Key=each["Key"]) for each in found
        }

    def test_a_run_is_there_whole_and_a_browser_knows_what_it_is(self, s3):
        assert publish(s3) == f"{s3.out}/daily/{RUN}"
        assert s3.write_index(listed) == f"{s3.out}/index.html"
        kinds = {name: each["ContentType"] for name, each in self.keys(s3).items()}
        assert kinds == {
            "index.html": "text/html; charset=utf-8",
            f"daily/{RUN}/report.html": "text/html; charset=utf-8",
            f"daily/{RUN}/run.json": "application/json",
            f"daily/{RUN}/figures/01.png": "image/png",
            f"daily/{RUN}/notebook.ipynb": kinds[f"daily/{RUN}/notebook.ipynb"],
        }
        assert self.keys(s3)["index.html"]["Body"].read().decode() == f"daily/{RUN}"

    def test_runs_of_the_same_second_have_names_of_their_own(self, s3):
        assert [publish(s3, text=text).rpartition("/")[2] for text in "abc"] == [RUN, f"{RUN}-2", f"{RUN}-3"]
        pages = {name: each["Body"].read() for name, each in self.keys(s3).items() if name.endswith("report.html")}
        assert pages == {
            f"daily/{RUN}/report.html": b"a",
            f"daily/{RUN}-2/report.html": b"b",
            f"daily/{RUN}-3/report.html": b"c",
        }
        records = {name: json.loads(each["Body"].read()) for name, each in self.keys(s3).items() if "run.json" in name}
        assert all(name == f"daily/{record['run']}/run.json" for name, record in records.items())

    def test_what_fails_on_the_way_is_no_run(self, s3, monkeypatch):
        put = type(s3._files).put

        def refused(self, path, name, **options):
            if name.endswith("report.html"):
                raise ExportError(f"{name} cannot be written: SlowDown")
            return put(self, path, name, **options)

        monkeypatch.setattr(type(s3._files), "put", refused)
        with pytest.raises(NotPublished, match="SlowDown"):
            publish(s3)
        monkeypatch.undo()
        assert not any(name.endswith(RECORD) for name in self.keys(s3))
        assert s3.records() == ([], [])

    def test_of_runs_published_at_once_the_index_loses_none(self, s3):
        def run(number: int) -> None:
            publish(s3, f"r{number % 2}")
            s3.write_index(listed)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(run, range(8)))
        lines = self.keys(s3)["index.html"]["Body"].read().decode().splitlines()
        assert len(lines) == len(set(lines)) == 8

    def test_an_index_that_others_wrote_meanwhile_is_made_again(self, s3):
        publish(s3)
        others = iter(["first", "second"])

        def index(records: Sequence[RunRecord], problems: Sequence[str]) -> str:
            if (other := next(others, None)) is not None:
                publish(s3, other)
                s3._files.replace(f"{s3.out}/index.html", other.encode(), s3._files.version(f"{s3.out}/index.html"))
            return listed(records, problems)

        s3.write_index(index)
        assert len(self.keys(s3)["index.html"]["Body"].read().splitlines()) == 3

    def test_a_run_that_is_removed_while_the_index_is_made_is_not_in_it(self, s3, monkeypatch):
        publish(s3, "one")
        publish(s3, "two")
        read = type(s3._files).read

        def removed(files, uri):
            if "/two/" in uri:
                files.remove(f"{s3.out}/two/")
            return read(files, uri)

        monkeypatch.setattr(type(s3._files), "read", removed)
        assert [record.name for record in s3.records()[0]] == ["one"]
        assert s3.records()[1] == []

    def test_a_bucket_that_is_not_there_is_named(self, s3):
        gone = S3Runs("s3://gone-for-good/all", s3._session)
        with pytest.raises(NotPublished, match="gone-for-good"):
            publish(gone)
        with pytest.raises(NotPublished, match="gone-for-good"):
            gone.write_index(listed)


def test_a_folder_that_is_not_there_has_no_index(tmp_path):
    with pytest.raises(ReportError, match=r"there is no folder .*no run that an index could list"):
        write_index(tmp_path / "reprots")
    assert not any(tmp_path.iterdir())
