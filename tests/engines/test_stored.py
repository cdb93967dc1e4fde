"""What is stored of logs, as it is shown, verified, cleared and kept small; and answers when a disk refuses it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from click.testing import CliRunner

from tests.helpers.logs import chain, micros, write_log
from workbench import Workbench
from workbench.cli import main
from workbench.engines import staging
from workbench.engines.staging import StagedLog
from workbench.errors import ParameterError
from workbench.log.store import MANIFEST, LogStore

NOON = micros("2026-01-01T12:00:00")
KEY = {"pk": {"S": "x"}}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "home"))
    return tmp_path


def log(folder: Path, *values: int) -> Path:
    """A log of one item, an object a change."""
    for value in values:
        states = [(NOON + value, KEY | {"n": {"N": str(value)}})]
        write_log(folder / f"year=2026/{value}", chain(KEY, states), "raw")
    return folder


def value(source: Path, **settings) -> int:
    wb = Workbench(source, **settings)
    (found,) = wb.latest_state("things").df["n"]
    wb.close()
    return found


def manifests() -> list[Path]:
    return sorted(Path("home/store").glob(f"*/{MANIFEST}"))


def run(*arguments: str, code: int = 0):
    ran = CliRunner().invoke(main, ["store", *arguments])
    assert ran.exit_code == code, ran.output
    return ran


def damage() -> Path:
    """Damage the oldest segment, its size staying what it was."""
    file = min(Path("home/store").glob("*/*.parquet"), key=lambda path: path.stat().st_mtime)
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 1
    file.write_bytes(content)
    return file


def test_nothing_is_stored_at_first():
    assert Workbench().store().empty
    assert run().stdout == ""
    assert run().stderr.startswith("0 B of at most 20.0 GB, ")
    assert run("clear").output == "nothing is stored\n"
    assert json.loads(run("--json").stdout) == []


def test_what_is_stored_of_a_log_is_shown_in_python_and_on_the_command_line(here):
    value(log(here / "things", 1, 2))
    stored = Workbench().store()
    (row,) = stored.to_dict("records")
    size = sum(path.stat().st_size for path in manifests()[0].parent.iterdir())
    original = sum(path.stat().st_size for path in (here / "things").rglob("*") if path.is_file())
    assert row.pop("last_used").tzinfo is not None
    assert row == {
        "log": str(here / "things"),
        "changes": 2,
        "objects": 2,
        "segments": 1,
        "bytes": size,
        "share": size / original,
    }
    assert str(here / "things") in run().stdout
    assert json.loads(run("--json").stdout)[0]["bytes"] == size
    assert "store is off" not in run().stderr
    assert Workbench(store=False).store().attrs["notes"][1] == "store is off: nothing is added to it"


def test_a_damaged_segment_is_told_once_and_read_again(here):
    source = log(here / "things", 1, 2)
    value(source)
    file = damage()
    assert run("verify", code=3).stderr.splitlines()[1:] == [
        f"taken out of {source}, to be read again: {file.name} its file is not what was written"
    ]
    assert Workbench().store()["objects"].tolist() == [0]
    assert value(source) == 2
    assert Workbench().store(verify=True)["damaged"].tolist() == [0]
    run("verify")


@pytest.mark.parametrize("at", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_bit_that_was_changed_in_what_is_stored_changes_no_answer(here, at):
    source = log(here / "things", *range(1, 9))
    before = Workbench(source).changes("things").df
    (file,) = Path("home/store").glob("*/*.parquet")
    content = bytearray(file.read_bytes())
    content[int(len(content) * at)] ^= 1
    file.write_bytes(content)
    pd.testing.assert_frame_equal(Workbench(source).changes("things").df, before)
    assert not file.exists() or file.name not in manifests()[0].read_text()


def test_a_log_or_all_are_cleared_and_read_again(here):
    a, b = log(here / "a", 1), log(here / "b", 2)
    value(a), value(b)
    assert run("clear", "a").stdout.endswith(f" of {a}\n")
    assert Workbench().store()["log"].tolist() == [str(b)]
    with pytest.raises(ParameterError, match="nothing is stored of a; there is: "):
        Workbench().store(clear="a")
    assert json.loads(run("clear", "--json").stdout)[0]["log"] == str(b)
    assert (value(a), value(b)) == (1, 2)
    assert Workbench().store(clear=True)["changes"].tolist() == [1, 1]
    assert manifests() == []


def test_an_open_workbench_answers_when_its_store_is_cleared_meanwhile(here):
    wb = Workbench(log(here / "things", 1, 2))
    before = wb.changes("things").df
    wb.store(clear=True)
    pd.testing.assert_frame_equal(wb.changes("things").df, before)
    assert len(manifests()) == 1


def test_logs_that_were_not_asked_for_long_go_when_there_is_too_much(here):
    a, b = log(here / "a", 1), log(here / "b", 2)
    value(a)
    os.utime(manifests()[0], (0, 0))
    value(b, store_max_bytes="20GB")
    assert len(manifests()) == 2
    log(here / "b", 3)
    value(b, store_max_bytes="1kB")
    assert Workbench().store()["log"].tolist() == [str(b)], "which is in use, however large"


def test_a_log_that_is_open_here_stays_when_there_is_too_much(here):
    a, b = log(here / "a", 1), log(here / "b", 2)
    wb = Workbench(a)
    wb.latest_state("things")
    os.utime(manifests()[0], (0, 0))
    value(b, store_max_bytes="1kB")
    assert len(manifests()) == 2
    wb.close()


@pytest.fixture
def read_only(monkeypatch):
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK and access(path, mode))


@pytest.mark.parametrize("how", ["damaged", "cut", "gone", "sound"])
def test_what_is_stored_where_nothing_can_be_written_is_read_as_far_as_it_is_sound(here, request, how):
    source = log(here / "things", 1, 2)
    value(source)
    (file,) = Path("home/store").glob("*/*.parquet")
    if how == "damaged":  # its size staying what it was
        size = file.stat().st_size
        file.write_bytes(file.read_bytes()[size // 2 :].rjust(size, b"\0"))
    elif how == "cut":
        file.write_bytes(file.read_bytes()[:100])
    elif how == "gone":
        file.unlink()
    request.getfixturevalue("read_only")
    log(source, 3)
    before = {path: path.stat().st_mtime_ns for path in Path("home").rglob("*")}
    wb = Workbench(source)
    assert wb.changes("things").df["new.n"].tolist() == [1, 2, 3]
    assert wb.latest_state("things").df["n"].tolist() == [3]
    assert {path: path.stat().st_mtime_ns for path in Path("home").rglob("*")} == before


@pytest.mark.parametrize("refused", ["_merge_into_one", "_keep_times"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), duckdb.IOException("No space left")])
def test_a_disk_that_is_full_when_segments_are_merged_fails_no_question(here, monkeypatch, refused, error):
    def full(*_: object) -> None:
        with staging_available():
            raise error

    monkeypatch.setattr(StagedLog, refused, full)
    for number in range(1, 12):
        assert value(log(here / "things", number)) == number
    assert LogStore(Path("home"), here / "things", "()").damaged(whole=True) == {}


def staging_available():
    from workbench.log.store import available

    return available(Path("home/store"))


def test_what_was_stored_by_one_is_not_read_again_by_another(here, monkeypatch):
    source = log(here / "things", 1, 2)
    value(source)
    read = []
    ingest = staging.Ingest.read
    monkeypatch.setattr(
        staging.Ingest, "read", lambda self, items, *rest: read.extend(items) or ingest(self, items, *rest)
    )
    assert value(source) == 2
    assert read == []
    assert value(log(source, 3)) == 3
    assert len(read) == 1


def test_a_log_whose_reading_was_only_begun_is_told_and_cleared(here):
    folder = LogStore(here / "home", log(here / "things", 1)).new_file().parent
    (folder / "half.parquet").write_bytes(b"half")
    assert Workbench().store()[["log", "changes", "bytes"]].to_numpy().tolist() == [[f"(begun: {folder.name})", 0, 4]]
    assert run("clear").stdout == f"removed: 4 B of (begun: {folder.name})\n"
    assert not folder.exists()
