"""The columnar store's bookkeeping: an object is never in two segments, and never missing after the next reading."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workbench.errors import StoreUnavailable
from workbench.log import store as stores
from workbench.log.contents import Part
from workbench.log.objects import Unreadable
from workbench.log.segments import Segment, object_number
from workbench.log.store import LogStore
from workbench.log.store_upkeep import clear

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


def again(store: LogStore, log: Path) -> LogStore:
    """The store as the next process opens it."""
    return LogStore(store.folder.parents[1], log)


def stamps(folder: Path) -> set[tuple[Path, int]]:
    return {(path, path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


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
        lines=True,
        facts={"paths": ["/age/N"]},
    )
    assert store.add(file, told)
    (found,) = LogStore(tmp_path / "home", log).segments()
    assert (found.bytes, found.modified) == (file.stat().st_size, file.stat().st_mtime_ns)
    assert found == stores.replace(told, bytes=found.bytes, checksum=found.checksum, modified=found.modified)
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
    assert held(again(store, log)) == [odd]


def test_a_merge_of_a_segment_that_was_dropped_meanwhile_is_not_taken_up(store, log):
    assert add(store, name(log, 1))
    before = [each.name for each in store.segments()]
    file, merged = written(store, [name(log, 1)])
    store.drop(before)
    assert not store.add(file, merged, before)
    assert not file.exists()
    assert held(store) == []


def test_a_file_that_is_gone_when_it_is_to_be_added_is_not_taken_up(store, log, monkeypatch):
    file, segment = written(store, [name(log, 1)])
    file.unlink()
    assert not store.add(file, segment)
    encode = stores.encoded
    file, segment = written(store, [name(log, 1)])
    monkeypatch.setattr(stores, "encoded", lambda *given: (file.unlink(), encode(*given))[1])
    assert not store.add(file, segment)
    assert held(store) == []


def test_a_bit_that_flips_anywhere_in_a_manifest_makes_it_none(store, log):
    assert add(store, name(log, 1))
    manifest = store.folder / stores.MANIFEST
    whole, segments = manifest.read_bytes(), store.segments()
    told = len(b'{"id":"') + 32  # of which the digits only tell it from the manifest before
    for at in range(len(whole)):
        manifest.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        found = again(store, log).segments()
        assert found == () or (at < told and found == segments), at
    for end in range(len(whole)):
        manifest.write_bytes(whole[:end])
        assert again(store, log).segments() == ()
    assert add(again(store, log), name(log, 1)), "it is replaced"
    assert held(store) == [name(log, 1)]


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "null", '"id"', '{"id":1}\n{}', "PAR1", "\0", "[" * 9_999],
    ids=lambda text: text[:8] or "empty",
)
def test_a_manifest_of_another_program_is_none_and_is_replaced(store, log, text):
    assert add(store, name(log, 1))
    (store.folder / stores.MANIFEST).write_text(text)
    assert store.segments() == ()
    assert add(store, name(log, 1))
    assert held(store) == [name(log, 1)]


def test_no_manifest_can_name_a_file_elsewhere(store, log, monkeypatch):
    monkeypatch.setattr(stores, "uuid4", lambda: SimpleNamespace(hex="../outside"))
    assert add(store, name(log, 1))
    assert again(store, log).segments() == ()


def test_a_home_that_cannot_be_written_is_one_error_and_stays_as_it_is(store, log, monkeypatch, tmp_path):
    assert add(store, name(log, 1))
    file, segment = written(store, [name(log, 2)])
    (old,) = store.segments()
    before = stamps(tmp_path) - {(file, file.stat().st_mtime_ns)}
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK and access(path, mode))  # root may all
    for write in (
        store.new_file,
        lambda: store.note(old.name, {}),
        lambda: store.add(file, segment),
        lambda: clear(tmp_path / "home"),
        LogStore(tmp_path / "none", log).new_file,
    ):
        with pytest.raises(StoreUnavailable, match="Permission denied; set home to a folder that can be written"):
            write()
    store.touch()
    store.collect()
    assert store.segments() == (old,), "what is there can be read"
    store.drop([old.name])
    assert store.segments() == ()
    assert LogStore(tmp_path / "home", log).segments() == (old,), "dropped for this process only"
    assert stamps(tmp_path) == before


def test_the_manifest_of_a_hundred_thousand_objects_is_read_once_and_then_only_what_is_new(store, log, monkeypatch):
    for number in range(5):
        assert add(store, name(log, number))
    decoded = []
    decode = stores.decoded
    monkeypatch.setattr(stores, "decoded", lambda *given: decoded.append(given) or decode(*given))
    other = again(store, log)
    assert len(other.segments()) == len(other.segments()) == len(decoded) == 5
    assert add(store, name(log, 5))
    assert len(other.segments()) == len(decoded) == 6


def test_a_manifest_that_may_not_be_read_is_none_and_is_never_replaced(store, log, monkeypatch):
    assert add(store, name(log, 1))
    files = stamps(store.folder)
    file, segment = written(store, [name(log, 1)])
    opened = Path.open

    def refusing(path: Path, *given: object, **more: object) -> object:
        if path.name == stores.MANIFEST:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *given, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refusing)
        assert again(store, log).segments() == ()
        with pytest.raises(StoreUnavailable, match="Permission denied"):
            again(store, log).add(file, segment)
    assert stamps(store.folder) == files | {(file, file.stat().st_mtime_ns)}


def test_a_file_that_was_changed_is_damaged_and_one_that_was_copied_is_read_once_to_tell(store, log, monkeypatch):
    assert add(store, name(log, 1))
    (segment,) = store.segments()
    path, read = store.path(segment), []
    measured = stores._measured
    monkeypatch.setattr(stores, "_measured", lambda path: read.append(path) or measured(path))
    assert (store.damaged(), read) == ({}, [])
    os.utime(path)
    assert (again(store, log).damaged(), read) == ({}, [path])
    assert (again(store, log).damaged(), read) == ({}, [path])
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert store.damaged() == {segment.name: "its file is not what was written"}


def test_a_copy_where_nothing_can_be_written_is_read_once_a_process(store, log, monkeypatch):
    assert add(store, name(log, 1))
    (segment,) = store.segments()
    os.utime(store.path(segment), (0, 0))
    read: list[Path] = []
    measured = stores._measured
    monkeypatch.setattr(stores, "_measured", lambda path: read.append(path) or measured(path))
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK and access(path, mode))
    assert store.damaged() == store.damaged() == {}
    assert len(read) == 1
    assert store.path(segment).stat().st_mtime == 0
