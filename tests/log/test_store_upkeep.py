"""The stores of all logs: listed, verified, cleared, and kept below a size."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.log.test_store import add, held, name
from workbench.errors import ParameterError
from workbench.log import store as stores
from workbench.log.segments import Segment
from workbench.log.store import LogStore
from workbench.log.store_upkeep import clear, free_bytes, shrink, stored_logs, verify

LONG_AGO = 1_760_000_000


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Stores of three logs, used one after the other, the oldest in the embedded lake."""
    home = tmp_path / "home"
    for day, folder in enumerate((home / "lake" / "data" / "a", tmp_path / "logs" / "b", tmp_path / "logs" / "c")):
        folder.mkdir(parents=True)
        store = LogStore(home, folder)
        assert add(store, name(folder, 1), name(folder, 2))
        assert add(store, name(folder, 3))
        os.utime(store.folder / stores.MANIFEST, (LONG_AGO + day * 86_400,) * 2)
    return home


def sources(logs) -> list[str]:
    return [Path(log.source).name for log in logs]


def test_each_log_is_told_with_what_is_stored_of_it(home, tmp_path):
    logs = stored_logs(home)
    assert sources(logs) == ["c", "b", "a"], "the last used first"
    assert [log.source for log in logs] == [
        str(tmp_path / "logs" / "c"),
        str(tmp_path / "logs" / "b"),
        str(home / "lake" / "data" / "a"),
    ]
    (*_, oldest) = logs
    assert (oldest.changes, oldest.objects, oldest.segments, oldest.original) == (6, 3, 2, 101 + 102 + 103)
    assert oldest.bytes == sum(path.stat().st_size for path in oldest.folder.iterdir())
    assert oldest.used == datetime.fromtimestamp(LONG_AGO, UTC)
    assert not oldest.outdated
    assert free_bytes(home) > 0
    assert free_bytes(tmp_path / "none" / "below") > 0


def test_a_store_is_told_when_it_was_used(home):
    LogStore(home, home / "lake" / "data" / "a").touch()
    assert sources(stored_logs(home))[0] == "a"


def test_what_is_damaged_is_taken_out_and_told_and_what_is_sound_stays(home, tmp_path):
    store = LogStore(home, tmp_path / "logs" / "b")
    damaged, sound = store.segments()
    content = bytearray(store.path(damaged).read_bytes())
    content[len(content) // 2] ^= 1
    store.path(damaged).write_bytes(content)
    assert [(log.source, name, why) for log, name, why in verify(home)] == [
        (str(tmp_path / "logs" / "b"), damaged.name, "its file is not what was written")
    ]
    assert store.segments() == (sound,)
    assert verify(home) == []
    assert held(LogStore(home, tmp_path / "logs" / "c")) != []


@pytest.mark.parametrize(
    ("rows", "objects", "why"),
    [(5, 2, "has 4 changes instead of 5"), (4, 1, "has changes of other objects"), (4, 2, "")],
)
def test_a_segment_must_hold_what_is_noted_of_it(home, tmp_path, rows, objects, why):
    from tests.log.test_store import written

    (folder := tmp_path / "d").mkdir()
    store, names = LogStore(home, folder), [name(folder, 1), name(folder, 2)]
    file, segment = written(store, names)
    assert store.add(file, stores.replace(segment, rows=rows, objects=frozenset(names[:objects])))
    assert [reason for *_, reason in verify(home)] == [f"its file {why}"] * bool(why)


def test_a_file_that_is_no_parquet_is_told_of(home, tmp_path):
    (folder := tmp_path / "d").mkdir()
    store = LogStore(home, folder)
    file = store.new_file()
    file.write_text("no Parquet file, though noted as it is")
    assert store.add(file, Segment(file.name, frozenset({name(folder, 1)}), 1))
    ((_, segment, reason),) = verify(home)
    assert (segment, reason.partition(":")[0]) == (file.name, "its file is no segment")
    assert store.segments() == ()


def test_one_log_or_all_below_a_folder_or_all_are_cleared(home, tmp_path, monkeypatch):
    assert sources(clear(home, tmp_path / "logs" / "b")) == ["b"]
    assert sources(stored_logs(home)) == ["c", "a"]
    monkeypatch.chdir(tmp_path)
    assert sources(clear(home, "home/lake")) == ["a"]
    with pytest.raises(ParameterError, match=f"nothing is stored of home/lake; there is: {tmp_path}/logs/c$"):
        clear(home, "home/lake")
    assert sources(clear(home)) == ["c"]
    assert clear(home) == []
    assert list((home / stores.FOLDER).iterdir()) == []
    with pytest.raises(ParameterError, match="there is: nothing of any log"):
        clear(home, "logs")


def test_a_folder_that_is_none_of_ours_is_left_alone(home):
    other = home / stores.FOLDER / "mine"
    other.mkdir()
    (other / "kept.txt").write_text("mine")
    begun = home / stores.FOLDER / "b-0123456789abcdef"
    begun.mkdir()
    (begun / "half.parquet").write_text("left by one who was killed")
    assert len(clear(home)) == 4
    assert [path.name for path in (home / stores.FOLDER).rglob("*")] == ["mine", "kept.txt"]


def test_a_store_of_another_version_is_told_and_goes_like_any_other(home, monkeypatch):
    monkeypatch.setattr(stores, "READING", stores.READING + 1)
    assert [log.outdated for log in stored_logs(home)] == [True] * 3
    assert verify(home) == []
    assert len(shrink(home, 0)) == 3


def test_whole_logs_go_the_least_recently_used_first_until_the_rest_is_small_enough(home):
    c, b, a = stored_logs(home)
    assert shrink(home, c.bytes + b.bytes + a.bytes) == []
    assert shrink(home, c.bytes + b.bytes) == [a.folder]
    assert shrink(home, 0) == [b.folder, c.folder]
    assert stored_logs(home) == []


def test_a_log_that_this_process_has_in_use_stays_however_large_and_old_it_is(home, tmp_path):
    store = LogStore(home, tmp_path / "logs" / "b")
    assert len(shrink(home, 0)) == 2
    assert [log.folder for log in stored_logs(home)] == [store.folder]
    del store
    assert len(shrink(home, 0)) == 1


def test_a_log_that_any_process_has_just_used_stays_however_large_it_is(home, tmp_path):
    LogStore(home, tmp_path / "logs" / "b").touch()
    (tmp_path / "new").mkdir()
    LogStore(home, tmp_path / "new").new_file().write_bytes(b"being written")
    assert len(shrink(home, 0)) == 2
    assert sorted(sources(stored_logs(home))) == ["", "b"]


def test_two_of_a_log_read_with_other_settings_are_told_apart(home, tmp_path):
    folder = tmp_path / "logs" / "b"
    assert add(LogStore(home, folder, "keys=pk"), name(folder, 1))
    assert sorted(log.reading for log in stored_logs(home) if log.source == str(folder)) == ["", "keys=pk"]
    assert len(clear(home, folder)) == 2
