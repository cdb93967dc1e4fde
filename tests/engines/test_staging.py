"""How the embedded engine reads a log once, keeps it, and does without where it cannot."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.helpers import lakes
from tests.helpers.logs import micros, record, write_log
from tests.helpers.questions import LATER
from workbench import Workbench
from workbench.engines import ingest, staging
from workbench.engines.ingest import canonical_image
from workbench.engines.staging import StagedLog
from workbench.errors import ConfigError, StoreUnavailable
from workbench.log.store import LogStore
from workbench.model.times import END_OF_TIME
from workbench.sql import questions

DAYS = 12


def day(number: int) -> str:
    return f"2026-01-{number + 1:02d} 12:00:00"


def changes_of(number: int, items: int = 5) -> list[dict]:
    """The changes of a day: each item gets the day's number."""
    return [
        record(
            "INSERT" if number == 0 else "MODIFY",
            {"pk": {"S": f"p-{item}"}},
            micros(day(number)) + item,
            new={"pk": {"S": f"p-{item}"}, "n": {"N": str(number)}},
            old=None if number == 0 else {"pk": {"S": f"p-{item}"}, "n": {"N": str(number - 1)}},
            event_id=f"{number}-{item}",
        )
        for item in range(items)
    ]


def write_day(log: Path, number: int) -> Path:
    write_log(log, changes_of(number), name=f"day-{number:02d}")
    return log / f"day-{number:02d}.json.gz"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    for number in range(DAYS):
        write_day(tmp_path / "log", number)
    return tmp_path / "log"


def segments(log: Path, home: Path) -> list:
    return list(LogStore(home, log, "()").segments())


def read_lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the queries that read objects from now on."""
    queries, query = [], ingest.Ingest._query

    def noted(self, readers, numbers):
        queries.extend(item.path for item in readers)
        return query(self, readers, numbers)

    monkeypatch.setattr(ingest.Ingest, "_query", noted)
    return queries


def test_an_object_is_read_once_whoever_asks(log, tmp_path, monkeypatch):
    read = read_lines(monkeypatch)
    for _ in range(3):  # as three processes do
        with closing(Workbench(log, home=tmp_path / "home")) as wb:
            assert set(wb.latest_state("things").df["n"]) == {DAYS - 1}
            assert len(wb.changes("things").df) == DAYS * 5
    assert len(read) == DAYS
    later = write_day(log, DAYS)
    with closing(Workbench(log, home=tmp_path / "home")) as wb:
        assert set(wb.latest_state("things").df["n"]) == {DAYS}
    assert read[DAYS:] == [str(later)]


def test_a_window_reads_only_the_segments_of_its_time(log, tmp_path, monkeypatch):
    monkeypatch.setattr(staging, "_SEGMENT", 1)
    monkeypatch.setattr(staging, "_MERGED", 100)
    shown, of_store = [], StagedLog._of_store

    def noted(self, chosen):
        shown.append(len(chosen))
        return of_store(self, chosen)

    monkeypatch.setattr(StagedLog, "_of_store", noted)
    with closing(Workbench(log, home=tmp_path / "home")) as wb:
        assert len(wb.changes("things", start=day(3), end=day(5)).df) == 10
        assert shown[-1] <= 3  # the end is exclusive, and segments tell the first and last change
        assert set(wb.latest_state("things", as_of=day(4)).df["n"]) == {3, 4}
        assert shown[-1] == 5
        assert wb.change_frequency("things").df["changes"].sum() == DAYS * 5
        assert shown[-1] == DAYS


def test_small_segments_become_one_and_nothing_is_read_again(log, tmp_path, monkeypatch):
    monkeypatch.setattr(staging, "_SEGMENT", 1 << 20)
    monkeypatch.setattr(staging, "_MERGED", 4)
    home = tmp_path / "home"
    for path in (later := sorted(log.iterdir()))[1:]:
        path.rename(tmp_path / path.name)
    read = read_lines(monkeypatch)
    for number, path in enumerate(later):
        if number:
            (tmp_path / path.name).rename(path)
        with closing(Workbench(log, home=home)) as wb:
            assert len(wb.changes("things").df) == 5 * (number + 1)
    assert len(read) == DAYS
    held = segments(log, home)
    assert len(held) < 8
    assert sum(each.rows for each in held) == DAYS * 5
    assert sum(len(each.objects) for each in held) == DAYS
    one = max(held, key=lambda each: each.rows)
    keys = duckdb.sql(f"select keys, ts from '{LogStore(home, log, '()').path(one)}'").fetchall()
    assert keys == sorted(keys)


def test_segments_of_what_is_gone_leave_the_store(log, tmp_path):
    home = tmp_path / "home"
    with closing(Workbench(log, home=home)) as wb:
        wb.tables()
    for number in range(DAYS):
        (log / f"day-{number:02d}.json.gz").unlink()
    write_day(log, DAYS)
    with closing(Workbench(log, home=home)) as wb:
        assert len(wb.changes("things").df) == 5
    assert [len(each.objects) for each in segments(log, home)] == [1]


def test_without_a_store_the_log_is_read_into_memory(log, tmp_path, monkeypatch):
    read = read_lines(monkeypatch)
    with closing(Workbench(log, home=tmp_path / "home", store="off")) as wb:
        assert len(wb.changes("things").df) == DAYS * 5
        assert set(wb.latest_state("things").df["n"]) == {DAYS - 1}
        assert len(read) == DAYS
        (log / "day-00.json.gz").unlink()
        assert len(wb.changes("things").df) == DAYS * 5 - 5
        write_day(log, DAYS)
        assert len(wb.changes("things").df) == DAYS * 5
        assert len(read) == DAYS + 1
    assert not (tmp_path / "home" / "store").exists()


@pytest.mark.parametrize("fails", ["folder", "file", "manifest"])
def test_a_home_that_cannot_be_written_is_said_and_the_log_read_into_memory(log, tmp_path, monkeypatch, fails):
    home = tmp_path / "home"
    if fails == "folder":
        home.mkdir()
        (home / "store").write_text("no folder")
    if fails == "file":
        write, left = staging._Writing.write, [1]

        def full(self, query):
            if self._store is not None and not left.append(0):
                message = '{"exception_type":"IO","exception_message":"Could not write file","errno":"28"}'
                raise duckdb.IOException(f"IO Error: Async write failed for range [offset=0, size=1250]: {message}")
            return write(self, query)

        monkeypatch.setattr(staging._Writing, "write", full)
    if fails == "manifest":
        monkeypatch.setattr(LogStore, "add", lambda *_: (_ for _ in ()).throw(StoreUnavailable("the disk is full")))
    with closing(Workbench(log, home=home)) as wb:
        result = wb.changes("things")
        assert len(result.df) == DAYS * 5
        (note,) = [note for note in result.stats.notes if "read into memory" in note]
        assert "\n" not in note
        assert "{" not in note
        assert set(wb.latest_state("things").df["n"]) == {DAYS - 1}


def test_an_object_that_cannot_be_read_now_is_tried_again(log, tmp_path, monkeypatch):
    bad, read_changes = str(log / "day-03.json.gz"), ingest.read_changes
    failing = [True]

    def refused(item, *more):
        if item.path == bad and failing[0]:
            raise OSError(5, "Input/output error")
        return read_changes(item, *more)

    def unreadable(self, item, reader, numbers):
        return item.path != bad

    monkeypatch.setattr(ingest, "read_changes", refused)
    query = ingest.Ingest._query

    def refusing(self, readers, numbers):
        if failing[0] and any(item.path == bad for item in readers):
            raise duckdb.IOException("IO Error: Input/output error")
        return query(self, readers, numbers)

    monkeypatch.setattr(ingest.Ingest, "_query", refusing)
    monkeypatch.setattr(ingest.Ingest, "_can_be_read", unreadable)
    with closing(Workbench(log, home=tmp_path / "home")) as wb:
        result = wb.changes("things")
        assert len(result.df) == DAYS * 5 - 5
        assert [(each.object, each.reason) for each in result.stats.unreadable] == [
            (bad, "cannot be read: Input/output error")
        ]
        failing[0] = False
        result = wb.changes("things")
        assert len(result.df) == DAYS * 5
        assert not result.stats.unreadable


def test_an_object_that_grows_while_it_is_read_is_read_again(log, tmp_path, monkeypatch):
    whole, path, read = (log / "day-05.json.gz").read_bytes(), log / "day-05.json.gz", ingest.Ingest.read
    path.write_bytes(whole[:60])
    grown = []

    def growing(self, *given):
        batch = read(self, *given)
        if not grown:
            path.write_bytes(whole)
            grown.append(path)
        return batch

    monkeypatch.setattr(ingest.Ingest, "read", growing)
    with closing(Workbench(log, home=tmp_path / "home")) as wb:
        result = wb.changes("things")
        assert (len(result.df), result.stats.unreadable) == (DAYS * 5, ())
    with closing(Workbench(log, home=tmp_path / "home")) as wb:
        assert len(wb.changes("things").df) == DAYS * 5


@pytest.mark.parametrize("spoiled", ["gone", "empty", "cut", "flipped", "foreign"])
def test_a_segment_that_is_damaged_while_questions_are_asked_is_made_again(log, tmp_path, spoiled):
    home = tmp_path / "home"
    with closing(Workbench(log, home=home)) as wb:
        wanted = wb.changes("things").df.to_dict("records")
        (file,) = home.glob("store/*/*.parquet")
        content = file.read_bytes()
        if spoiled == "gone":
            file.unlink()
        elif spoiled == "flipped":
            middle = len(content) // 3
            file.write_bytes(
                content[:middle]
                + bytes(255 - each for each in content[middle : middle + 200])
                + content[middle + 200 :]
            )
        else:
            file.write_bytes({"empty": b"", "cut": content[:-9], "foreign": b"PAR1" + b"x" * 99 + b"PAR1"}[spoiled])
        assert wb.changes("things").df.to_dict("records") == wanted
        with closing(Workbench(log, home=home)) as other:
            assert other.changes("things").df.to_dict("records") == wanted


def test_three_processes_that_read_a_log_at_once_store_each_object_once(log, tmp_path, processes):
    home = tmp_path / "home"
    code = f"""
import json
from workbench.engines import staging
staging._SEGMENT, staging._MERGED = 400, 3
from tests.helpers.questions import LATER
from workbench import Workbench
wb = Workbench({str(log)!r}, home={str(home)!r})
print(json.dumps([len(wb.changes("things").df), sorted(map(int, wb.latest_state("things").df["n"]))]))
"""
    running = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=os.environ)
        for _ in range(3)
    ]
    answers = [json.loads(each.communicate()[0]) for each in running]
    assert answers == [[DAYS * 5, [DAYS - 1] * 5]] * 3
    stamps = [stamp for each in segments(log, home) for stamp in each.objects]
    assert (len(stamps), len(set(stamps))) == (DAYS, DAYS)


def test_a_log_that_is_moved_with_its_home_is_not_read_again(tmp_path, monkeypatch):
    home = tmp_path / "here"
    for number in range(2):
        write_day(home / "lake" / "data" / "things", number)
    with closing(Workbench(home=home)) as wb:
        assert len(wb.changes("things").df) == 10
    read = read_lines(monkeypatch)
    home.rename(tmp_path / "there")
    with closing(Workbench(home=tmp_path / "there")) as wb:
        result = wb.changes("things")
        assert len(result.df) == 10
        assert result.stats.newest_change == datetime(2026, 1, 2, 12, 0, 0, 4, tzinfo=UTC)
    assert not read


@pytest.mark.parametrize("seed", range(6))
def test_a_question_with_a_text_of_its_own_for_rows_answers_what_its_other_text_does(tmp_path, monkeypatch, seed):
    """The faster texts of parts/rows, which DuckDB alone runs, beside those that every engine runs."""
    made = lakes.records(seed, changes=150)
    rng = random.Random(seed)
    late = [(at + timedelta(hours=rng.choice([0, 0, 3, 50])), row) for at, row in rng.choices(made, k=40)]
    lakes.write(tmp_path / "log", [*made, *late], "raw")
    asked = {
        "chosen_chains": [{"first": True}, {"start": LATER}, {"end": LATER}],
        "latest_state": [{}, {"include_deleted": True}, {"as_of": LATER, "include_deleted": True}],
        "changes": [{}, {"start": LATER}],
        "delivery": [{"late_arrival": 60}, {"end": LATER, "examples": 1}, {"start": END_OF_TIME}],
        "record_sizes": [{"large": 200}, {"end": LATER, "examples": 1}, {"start": END_OF_TIME}],
        "versions": [{}, {"as_of": LATER}],
    }
    assert asked.keys() == questions._FEW.keys()

    def canonical(row: dict[str, Any]) -> str:  # of equal images either text may bring another spelling
        return str(
            {name: canonical_image(value) if name == "image" and value else value for name, value in row.items()}
        )

    with closing(Workbench(tmp_path / "log", home=tmp_path / "home")) as wb:

        def answers() -> list[list[str]]:
            return [
                sorted(map(canonical, wb._engine.ask(name, "things", **values).rows.to_pylist()))
                for name, many in asked.items()
                for values in many
            ]

        found = answers()
        settled = questions._settled_instants
        monkeypatch.setattr(questions, "_FEW", {})
        monkeypatch.setattr(questions, "_settled_instants", lambda at, names, row: settled(at, names, ""))
        assert found == answers()


def test_a_damaged_segment_whose_file_nobody_may_touch_is_made_again(log, tmp_path):
    home = tmp_path / "home"
    with closing(Workbench(log, home=home)) as wb:
        wb.tables()
    (file,) = home.glob("store/*/*.parquet")
    file.unlink()
    file.symlink_to(file.name)  # to itself: its time cannot be set
    with closing(Workbench(log, home=home)) as wb:
        assert len(wb.changes("things").df) == DAYS * 5
    assert sum(len(each.objects) for each in segments(log, home)) == DAYS


def test_a_home_whose_path_is_no_text_is_refused_in_a_line(log, tmp_path):
    with closing(Workbench(log, home=tmp_path / os.fsdecode(b"n\xff"))) as wb:
        wb.settings.home.mkdir()
        with pytest.raises(ConfigError, match="no UTF-8: set home to another folder"):
            wb.latest_state("things")


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0]])
@pytest.mark.parametrize("store", ["on", "off"])
def test_changes_that_tie_in_all_but_their_event_have_one_order(tmp_path, order, store):
    key, image = {"pk": {"S": "a"}}, {"pk": {"S": "a"}, "n": {"N": "1"}}
    events = [("INSERT", {"new": image}), ("MODIFY", {"new": image, "old": image}), ("REMOVE", {"old": image})]
    made = [record(event, key, micros(day(0)), event_id="1", **images) for event, images in events]
    write_log(tmp_path / "log", [made[number] for number in order])
    with closing(Workbench(tmp_path / "log", home=tmp_path / "home", store=store)) as wb:
        assert list(wb.changes("things").df["event_name"]) == ["INSERT", "MODIFY", "REMOVE"]
