"""A store whose processes are killed, whose disk is full and whose files are damaged, at every step.

An object is never in two segments, never missing after the next reading, and what is sound is neither lost nor removed.
"""

from __future__ import annotations

import errno
import io
import os
import random
import shutil
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.helpers.profiles import examples
from workbench.errors import StoreError, StoreUnavailable
from workbench.log import store as stores
from workbench.log import store_upkeep
from workbench.log.segments import Segment
from workbench.log.store import LogStore
from workbench.log.store_upkeep import clear, shrink

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills processes by forking")

Name = tuple[str, int, int]
Step = Callable[[], object]
CHANGES = 2  # of each object
OWN = ("store.py", "store_upkeep.py", "paths.py", "lock.py", Path(__file__).name)
KILLED = 9


class Unwritten(Exception):
    """A segment's file could not be written, which is no affair of the store's."""


class World:
    """A log and its store below a home that may be copied, and which segments were damaged on purpose."""

    def __init__(self, home: Path) -> None:
        self.home, self.log = home, home / "lake" / "things"
        self.log.mkdir(parents=True, exist_ok=True)
        self.there: dict[int, int] = {}
        self.broken: set[str] = set()

    def copied(self, home: Path) -> World:
        copy = World(Path(shutil.copytree(self.home, home, dirs_exist_ok=True)))
        copy.there, copy.broken = dict(self.there), set(self.broken)
        return copy

    @property
    def store(self) -> LogStore:
        """As another process sees it."""
        return LogStore(self.home, self.log)

    def name(self, number: int) -> Name:
        return str(self.log / f"{number}.gz"), 100, self.there[number]

    def held(self) -> list[Name]:
        return sorted(name for segment in self.store.segments() for name in segment.objects)

    def missing(self, store: LogStore) -> list[Name]:
        held = {name for segment in store.segments() for name in segment.objects}
        return [name for name in map(self.name, self.there) if name not in held]

    def gone(self, segment: Segment) -> frozenset[Name]:
        """Tell which objects of a segment are no more, or have changed."""
        return segment.objects - set(map(self.name, self.there))

    def reading(self, size: int = 2) -> Step:
        """Return the step that adds what is missing, its files being made before it may be killed."""
        store = self.store
        missing = self.missing(store)
        batches = [missing[at : at + size] for at in range(0, len(missing), size)]
        made = [(content(store, batch), frozenset(batch)) for batch in batches]
        return lambda: [written(store, *each) for each in made]

    def merging(self, chosen: Collection[str] | None = None) -> Step:
        store = self.store
        merged = [each for each in store.segments() if chosen is None or each.name in chosen]
        names = {name for each in merged for name in each.objects - self.gone(each)}
        made = content(store, names)
        return lambda: written(store, made, frozenset(names), [each.name for each in merged])

    def check(self) -> None:
        """What holds at any moment, whatever happened before."""
        held = self.held()
        assert len(held) == len(set(held)), "in two segments"
        assert self.store.damaged().keys() <= self.broken, "a file of a segment is gone"

    def answer(self) -> None:
        """Read as the next question does, and find each object's changes once."""
        store = self.store
        store.drop(store.damaged(whole=True))
        self.reading()()
        assert self.missing(store) == []
        found = Counter[int]()
        for segment in store.segments():
            gone = set(map(store.number, self.gone(segment)))
            numbers = pq.read_table(store.path(segment))["object"].to_pylist()
            found.update(number for number in numbers if number not in gone)
        assert found == {store.number(self.name(number)): CHANGES for number in self.there}


def content(store: LogStore, names: Collection[Name]) -> bytes:
    numbers = [store.number(name) for name in names for _ in range(CHANGES)]
    file = io.BytesIO()
    pq.write_table(pa.table({"object": pa.array(numbers, pa.int64())}), file)
    return file.getvalue()


def written(store: LogStore, made: bytes, names: frozenset[Name], replaces: Collection[str] = ()) -> bool:
    file = store.new_file()
    try:
        file.write_bytes(made)
    except OSError as error:
        raise Unwritten(str(error)) from error
    return store.add(file, Segment(file.name, names, CHANGES * len(names)), replaces)


def forked(step: Step) -> int:
    """Start a process that does no more than a step; it ends with 0."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads, of which the child uses none
        child = os.fork()
    if not child:
        try:
            step()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    return child


@contextmanager
def ending(left: int, how: Callable[[], None], *, once: bool = False) -> Iterator[Callable[[], bool]]:
    """End what would change a file, after so many times that it did not; tell whether that came to pass."""

    def ended_before(function: Callable[..., Any], half: Callable[..., Any] = lambda *_: None) -> Callable[..., Any]:
        def ended(*given: Any, **more: Any) -> Any:
            nonlocal left
            left -= 1
            if left == -1 or (left < 0 and not once):
                half(*given)
                how()
            return function(*given, **more)

        return ended

    write = Path.write_bytes
    with pytest.MonkeyPatch.context() as patch:
        for name in ("fsync", "replace", "chmod", "utime", "open", "mkdir", "unlink", "rmdir"):
            patch.setattr(os, name, ended_before(getattr(os, name)))
        patch.setattr(Path, "write_bytes", ended_before(write, lambda path, data: write(path, data[: len(data) // 2])))
        yield lambda: left < 0


def failing(left: int, code: int = errno.ENOSPC) -> AbstractContextManager[Callable[[], bool]]:
    """Refuse what would change a file; an error of input or output happens once, the others last."""

    def refuse() -> None:
        raise OSError(code, os.strerror(code))

    return ending(left, refuse, once=code == errno.EIO)


def killed_at_step(step: Step, left: int) -> bool:
    """Do a step in a process that is killed before it changes a file the next time; return whether it was."""

    def step_by_step() -> None:
        with ending(left, lambda: os._exit(KILLED)):
            step()

    return how_ended(forked(step_by_step)) == KILLED


def killed_at_line(step: Step, left: int) -> bool:
    """Do a step in a process that is killed after so many lines of ours; return whether it was."""

    def count(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal left
        if Path(frame.f_code.co_filename).name not in OWN:
            return None
        if event == "line":
            left -= 1
            if not left:
                os._exit(KILLED)
        return count

    def traced() -> None:
        sys.settrace(count)
        step()

    return how_ended(forked(traced)) == KILLED


def how_ended(child: int) -> int:
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, KILLED)
    return code


@contextmanager
def at_once() -> Iterator[None]:
    """Remove what is to be removed without waiting for its age."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stores, "_KEPT", -1)
        patch.setattr(store_upkeep, "_IN_USE", -1)
        yield


def tidy(world: World) -> Step:
    store = world.store

    def step() -> None:
        with at_once():
            store.drop([each.name for each in store.segments() if world.gone(each) == each.objects])
            store.collect()

    return step


def removing(world: World) -> Step:
    def step() -> None:
        with at_once():
            shrink(world.home, 0)

    return step


STEPS: dict[str, Callable[[World], Step]] = {
    "reading": World.reading,
    "merging": World.merging,
    "noting": lambda world: lambda: world.store.note(world.store.segments()[0].name, {"paths": ["/pk/S"]}),
    "tidying": tidy,
    "clearing": lambda world: lambda: clear(world.home),
    "shrinking": removing,
}
LOSES_NOTHING = ("reading", "merging", "noting", "tidying")


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Three segments, one with a removed and a changed object; one whose objects are gone; an unnamed file; new objects."""
    world = World(tmp_path / "home")
    world.there = dict.fromkeys(range(8), 1)
    world.reading(3)()
    for number in (0, 6, 7):
        del world.there[number]
    world.there |= {1: 2, 8: 1, 9: 1}
    world.store.new_file().write_bytes(b"left by one who was killed")
    return world


@pytest.mark.parametrize("what", STEPS)
def test_whoever_is_killed_at_whatever_step_nothing_is_twice_or_missing(world, tmp_path, what):
    there = {world.name(number) for number in world.there}
    before, ends, left = there & {*world.held()}, True, -1
    while ends:
        left += 1
        copy = world.copied(tmp_path / f"copy {left}")
        ends = killed_at_step(STEPS[what](copy), left)
        copy.check()
        if what in LOSES_NOTHING:
            names = {(str(copy.log / Path(path).name), *rest) for path, *rest in before}
            assert names <= {*copy.held()}
        copy.answer()
        shutil.rmtree(copy.home)
    assert left > 3, "it was killed before each of its steps"


@pytest.mark.parametrize("what", STEPS)
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_what_the_disk_refuses_is_one_error_and_harms_nothing(world, tmp_path, what, code):
    refused, left = True, -1
    while refused:
        left += 1
        copy = world.copied(tmp_path / f"copy {left}")
        step = STEPS[what](copy)
        with failing(left, code) as failed:
            try:
                step()
                said = os.strerror(code)
            except (Unwritten, StoreUnavailable) as error:
                said = str(error)
            refused = failed()
        assert os.strerror(code) in said
        copy.check()
        copy.answer()


SEEDS = st.integers(0, 2**32)


class Life(RuleBasedStateMachine):
    """A log that is delivered, changed and removed, and a store whose every step may end early."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.world = World(Path(self.folder.name) / "home")
        self.modified = 1

    def teardown(self) -> None:
        self.world.answer()
        self.folder.cleanup()

    @rule(numbers=st.sets(st.integers(0, 20), max_size=6))
    def deliver(self, numbers):
        self.modified += 1
        self.world.there |= dict.fromkeys(numbers, self.modified)

    @rule(numbers=st.sets(st.integers(0, 20), max_size=4))
    def remove(self, numbers):
        for number in numbers & self.world.there.keys():
            del self.world.there[number]

    @rule(what=st.sampled_from([*STEPS]), early=st.one_of(st.none(), st.integers(1, 150)))
    def step(self, what, early):
        world = self.world
        if what == "noting" and not world.store.segments():
            return
        before = {*world.held()} & {world.name(number) for number in world.there}
        step = STEPS[what](world)
        if early is None:
            step()
        else:
            killed_at_line(step, early)
        if what in LOSES_NOTHING:
            assert before <= {*world.held()}

    @rule(left=st.integers(0, 12), what=st.sampled_from(["reading", "merging"]))
    def fill_the_disk(self, left, what):
        step = STEPS[what](self.world)
        with suppress(Unwritten, StoreUnavailable), failing(left):
            step()

    @rule(seed=SEEDS)
    def merge_some(self, seed):
        names = [each.name for each in self.world.store.segments()]
        self.world.merging(random.Random(seed).sample(names, min(2, len(names))))()

    @rule(seed=SEEDS, how=st.sampled_from(["cut", "empty", "gone", "flip", "foreign", "swap"]))
    def damage_a_segment(self, seed, how):
        rng = random.Random(seed)
        if segments := self.world.store.segments():
            chosen = rng.choice(segments)
            damage(self.world.store.path(chosen), how, rng)
            self.world.broken.add(chosen.name)
            whole = self.world.store.damaged(whole=True)
            assert chosen.name in whole
            assert whole.keys() <= self.world.broken

    @rule(seed=SEEDS, how=st.sampled_from(["cut", "empty", "gone", "flip", "foreign"]))
    def damage_the_manifest(self, seed, how):
        manifest = self.world.store.folder / stores.MANIFEST
        if manifest.exists():
            damage(manifest, how, random.Random(seed))

    @rule()
    def ask(self):
        self.world.answer()

    @invariant()
    def nothing_is_twice_and_what_is_sound_stays(self):
        self.world.check()


def damage(path: Path, how: str, rng: random.Random) -> None:
    """Damage a file as disks, copies and people do; leave a file damaged already as another is."""
    data = bytearray(path.read_bytes()) if path.exists() else bytearray()
    if how == "gone":
        path.unlink(missing_ok=True)
    elif how == "swap":
        other = io.BytesIO()
        pq.write_table(pa.table({"object": pa.array([1, 2, 3], pa.int64())}), other)
        path.write_bytes(other.getvalue())
    elif how == "foreign":
        path.write_bytes(b'{"program":"another"}\n'[: len(data)].ljust(len(data), b" "))
    elif how == "flip" and data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(data)
    else:
        path.write_bytes(data[: rng.randrange(len(data)) if how == "cut" and data else 0])


TestLife = Life.TestCase
TestLife.settings = examples(30, stateful_step_count=25)


@pytest.mark.parametrize("locks", [True, False])
def test_processes_that_add_the_same_objects_at_once_add_each_once(tmp_path, monkeypatch, locks):
    world = World(tmp_path / "home")
    world.there = dict.fromkeys(range(60), 1)
    if not locks:
        monkeypatch.setattr(stores, "alone", refused)

    def add_all(seed: int) -> None:
        rng, store = random.Random(seed), world.store
        for _ in range(10_000):
            missing = world.missing(store)
            if not missing:
                return
            batch = frozenset(rng.sample(missing, min(len(missing), rng.randrange(1, 5))))
            written(store, b"content", batch)
            if rng.random() < 0.2:
                merged = rng.sample(store.segments(), min(3, len(store.segments())))
                names = frozenset(name for each in merged for name in each.objects)
                written(store, b"merged", names, [each.name for each in merged])
        raise AssertionError("never whole")

    all_end_well([forked(lambda seed=seed: add_all(seed)) for seed in range(4)])
    world.check()
    assert world.held() == sorted(world.name(number) for number in world.there)
    if locks:
        with at_once():
            world.store.collect()
        files = {path.name for path in world.store.folder.iterdir()}
        assert files == {stores.MANIFEST, *(each.name for each in world.store.segments())}


def test_a_store_may_be_cleared_while_others_add_to_it(tmp_path):
    world = World(tmp_path / "home")
    world.there = dict.fromkeys(range(60), 1)

    def add_all() -> None:
        for _ in range(20):
            with suppress(Unwritten):  # into a folder that is gone
                for name in world.missing(world.store):
                    written(world.store, b"content", frozenset({name}))

    def clear_often() -> None:
        for _ in range(60):
            clear(world.home)

    all_end_well([forked(add_all), forked(add_all), forked(clear_often)])
    world.check()
    with suppress(FileNotFoundError):
        assert world.store.damaged() == {}


def all_end_well(children: list[int]) -> None:
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * len(children)


def refused(*_: object, **__: object) -> None:
    raise StoreError("there are no locks here")
