"""The columnar store's bookkeeping: an object is never in two segments, and never missing after the next reading."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workbench.log import store as stores
from workbench.log.contents import Part
from workbench.log.objects import Object, Unreadable
from workbench.log.store import LogStore, Segment, object_number

Name = tuple[str, int, int]
NOON = datetime(2026, 11, 18, 12, 0, 0, 123456)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "log").mkdir()
    return tmp_path / "log"


@pytest.fixture
def store(tmp_path: Path, log: Path) -> LogStore:
    return LogStore(tmp_path / "home", log)


def name(log: Path, number: int, modified: int = 1) -> Name:
    return str(log / f"{number}.json.gz"), 100 + number, modified


def written(store: LogStore, names: Sequence[Name]) -> tuple[Path, Segment]:
    """Write a segment's file, two changes an object."""
    file = store.new_file()
    numbers = [store.number(each) for each in names for _ in range(2)]
    pq.write_table(pa.table({"object": pa.array(numbers, pa.int64())}), file)
    return file, Segment(file.name, frozenset(names), len(numbers))


def add(store: LogStore, *names: Name, replaces: Sequence[str] = ()) -> bool:
    return store.add(*written(store, names), replaces)


def held(store: LogStore) -> list[Name]:
    return sorted(each for segment in store.segments() for each in segment.objects)


def test_what_was_added_is_found_by_the_next_process_as_it_was(store, log, tmp_path):
    (file, _), objects = written(store, [name(log, 1)]), frozenset({name(log, 1), name(log, 2)})
    told = Segment(
        file.name,
        objects,
        2,
        first=NOON,
        last=NOON,
        unreadable=(Unreadable(name(log, 2)[0], 3, "not JSON"),),
        wrapped={name(log, 1)[0]: {"an SQS message": 2}},
        contents=(Part("persons", "eu-central-1", None, '{"pk":"S"}', 2, NOON, NOON),),
        sorted=True,
        lines=True,
        facts={"paths": ["/age/N"]},
    )
    assert store.add(file, told)
    (found,) = LogStore(tmp_path / "home", log).segments()
    assert (found.bytes, found.checksum) == (file.stat().st_size, found.checksum)
    assert found == stores.replace(told, bytes=found.bytes, checksum=found.checksum)
    assert store.path(found) == file


def test_a_store_is_private(store, log):
    assert add(store, name(log, 1))
    modes = {path.stat().st_mode & 0o777 for path in store.folder.iterdir()}
    assert modes == {0o600}
    assert {folder.stat().st_mode & 0o777 for folder in (store.folder, store.folder.parent)} == {0o700}


def test_an_object_is_added_once(store, log):
    assert add(store, name(log, 1), name(log, 2))
    assert not add(store, name(log, 2), name(log, 3))
    assert held(store) == [name(log, 1), name(log, 2)]
    assert len(list(store.folder.glob("*.parquet"))) == 1, "its own file is removed"


def test_segments_are_merged_once(store, log):
    assert add(store, name(log, 1))
    assert add(store, name(log, 2))
    before = [each.name for each in store.segments()]
    assert add(store, name(log, 1), name(log, 2), replaces=before)
    assert not add(store, name(log, 1), name(log, 2), replaces=before)
    assert held(store) == [name(log, 1), name(log, 2)]
    assert all((store.folder / each).exists() for each in before), "others may still read them"


def test_what_a_store_holds_of_a_log_is_told_object_by_object(store, log):
    assert add(store, name(log, 1), name(log, 2))
    assert add(store, name(log, 3))
    there = [Object(*each, "gzip", None) for each in (name(log, 2), name(log, 1, modified=9), name(log, 4))]
    covered = store.cover(there)
    assert [each.objects for each in covered.segments] == [{name(log, 1), name(log, 2)}]
    assert list(covered.gone.values()) == [{name(log, 1)}]
    assert [each.objects for each in covered.outdated] == [{name(log, 3)}]
    assert covered.missing == there[1:]


def test_a_lake_that_is_moved_keeps_its_store_and_the_numbers_of_its_objects(tmp_path):
    lake = tmp_path / "old" / "lake" / "data" / "persons"
    lake.mkdir(parents=True)
    store = LogStore(tmp_path / "old", lake)
    assert add(store, name(lake, 1))
    number = store.number(name(lake, 1))
    (tmp_path / "old").rename(tmp_path / "new")
    moved = tmp_path / "new" / "lake" / "data" / "persons"
    store = LogStore(tmp_path / "new", moved)
    assert held(store) == [name(moved, 1)]
    assert store.number(name(moved, 1)) == number == object_number("1.json.gz", 101, 1)


@pytest.mark.parametrize("source", ["log", "log/a.json", "log/*.json", "l*g/*.json", ".", "log/../log"])
def test_a_log_given_in_any_way_has_objects_within_it(tmp_path, monkeypatch, source):
    from workbench.log.listing import list_objects

    monkeypatch.chdir(tmp_path)
    Path("log").mkdir()
    Path("log/a.json").write_text("{}")
    (item,) = list_objects(source)
    store, listed = LogStore(Path("home"), source), (item.path, item.size, item.modified)
    assert add(store, listed)
    assert held(LogStore(Path("home"), source)) == [listed]
    assert LogStore(tmp_path / "home", source).folder == store.folder


def test_every_reading_of_a_log_has_a_store_of_its_own(store, log, tmp_path, monkeypatch):
    assert add(store, name(log, 1))
    assert LogStore(tmp_path / "home", log, "keys=pk").segments() == ()
    monkeypatch.setattr(stores, "READING", stores.READING + 1)
    assert LogStore(tmp_path / "home", log).segments() == ()


def test_what_nobody_names_any_more_is_removed_after_a_time(store, log):
    assert add(store, name(log, 1))
    (old,) = store.segments()
    os.utime(store.path(old), (0, 0))
    assert add(store, name(log, 1), replaces=[old.name])
    new_file = store.new_file()
    new_file.write_bytes(b"being written")
    store.collect()
    assert store.path(old).exists(), "replaced a moment ago"
    assert new_file.exists()
    for path in store.folder.iterdir():
        os.utime(path, (0, 0))
    store.collect()
    assert not store.path(old).exists()
    assert not new_file.exists()
    assert held(store) == [name(log, 1)]
    assert store.damaged(whole=True) == {}


def test_names_of_files_that_are_no_utf_8_survive(store, log):
    odd = (f"{log}/\udcff\u2028.json", 1, 1)
    assert add(store, odd)
    assert held(LogStore(store.folder.parents[1], log)) == [odd]
