"""Kills the applying of plans at random moments, resumes it, and looks whether every item was written once.

``python -m tests.undo.kills --kills 300`` does it 300 times on each place, after some time; the tests do it a few times,
after so many events (what is noted, flushed, sent and stored), whatever the speed of the machine. A small process forks
the ones that are killed: each is a process of its own, and none takes a second to start.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from tests.undo.places import TABLE, DynamoPlace, Place, StorePlace
from workbench.model.canonical import canonical_json, canonical_keys, image_digest
from workbench.model.item_writes import writes_of
from workbench.model.merging import Rules
from workbench.undo import applying, journal
from workbench.undo.applying import How, apply_plan
from workbench.undo.plan_file import About, reading, writing
from workbench.undo.targets import DynamoTarget, StoreTarget

_AT = datetime(2026, 11, 18, 12, tzinfo=UTC)
_ITEMS = 30
_TRIES = 12  # kills of one plan, after which it is applied to the end


@dataclass
class Killed:
    """What was seen."""

    kills: int = 0
    """Processes that were killed while they applied."""
    ended: int = 0
    """Processes that ended before it."""
    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def kill_often(place: Place, folder: Path, kills: int, seed: int, *, by_time: bool = False) -> Killed:
    """Apply plans that are killed until so many were; each is resumed until it is applied."""
    rng, seen, number = random.Random(seed), Killed(), 0
    with _Forks(place) as forks:
        _, seconds, events = forks.apply(_plan(place, folder / "first", rng))
        while seen.kills < kills:
            number += 1
            place.make()
            path = _plan(place, folder / str(number), rng)
            before, after = place.changes(), _after(path)
            for _ in range(min(_TRIES, kills - seen.kills)):
                after_all = rng.uniform(0, seconds) if by_time else rng.randrange(1, events)
                status, *_ = forks.apply(path, after_all)
                seconds *= 1.02 if status == signal.SIGKILL else 0.9  # the machine's speed varies
                seen.kills += status == signal.SIGKILL
                seen.ended += status != signal.SIGKILL
                if status == 0:
                    break
            status, *_ = forks.apply(path)
            with reading(path) as plan:
                ended = list(journal.results(journal.journal_of(path), plan))
            seen.counts.update(each.status for each in ended)
            times = set((place.changes() - before).values())
            seen.wrong += [f"plan {number}: ended with {status}"] * (status != 0)
            seen.wrong += [f"plan {number}: items written {times} times"] * (times != {1})
            seen.wrong += [f"plan {number}: not as planned"] * (place.items() != after)
            seen.wrong += [f"plan {number}: {len(ended)} results"] * (len(ended) != _ITEMS)
            for each in ended:
                image = after.get(canonical_keys(each.line.write.key))
                left = image_digest(json.loads(image)) if image else ""
                if [wrote.left for wrote in each.wrote] != [left]:
                    seen.wrong.append(f"plan {number}, line {each.line.number}: the journal does not agree")
    return seen


def _plan(place: Place, folder: Path, rng: random.Random) -> Path:
    """Fill the table, and plan updates, deletes and puts of all of it."""
    folder.mkdir(parents=True)
    path = folder / "plan.jsonl"
    with writing(path, About(TABLE, {"pk": "S"}, "changes", _AT, rules=Rules(at=_AT))) as lines:
        for number in range(_ITEMS):
            now: Mapping[str, Any] = {"pk": {"S": f"p-{number}"}, "price": {"N": str(rng.randrange(1_000))}}
            kind = rng.choice(["update", "update", "delete", "put"])
            if kind != "put":
                place.put(now)
            pair = {"update": (now, {**now, "price": {"N": "-1"}}), "delete": (now, None), "put": (None, now)}[kind]
            for write in writes_of(TABLE, ["pk"], *pair):
                lines.add(write, kind)
    return path


def _after(path: Path) -> dict[str, str]:
    """Return what the table is to be, by a plan that touches every item."""
    with reading(path) as plan:
        writes = [line.write for line in plan.lines(plan.order())]
    images = {
        canonical_keys(write.key): write.item
        if write.kind == "Put"
        else {**write.key, **{change.path[0]: change.wanted for change in write.changes}}
        for write in writes
        if write.kind != "Delete"
    }
    return {key: canonical_json(image) for key, image in images.items()}


class _Forks:
    """A process that forks processes that apply plans, which kill themselves after some time."""

    def __init__(self, place: Place) -> None:
        where = {"store": str(place.path)} if isinstance(place, StorePlace) else {"endpoint": place.endpoint}
        self._command = [sys.executable, "-m", "tests.undo.kills", "--serve", json.dumps(where)]

    def __enter__(self) -> _Forks:
        here = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=here
        )
        return self

    def __exit__(self, *exception: object) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def apply(self, path: Path, after: float | None = None) -> tuple[int, float, int]:
        """Apply a plan in a process that is killed after so many seconds (a float) or events.

        Returns
        -------
        tuple
            The signal, or code, the time it took, and the events there were, if it was not killed.
        """
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps([str(path), after]) + "\n")
        self._process.stdin.flush()
        status, seconds, events = json.loads(self._process.stdout.readline())
        return status, seconds, events


class _Events:
    """Counts what happens in a process, and kills it at the last event it is to see."""

    def __init__(self, last: int | None) -> None:
        self._numbers, self._last, self.count = itertools.count(1), last, 0

    def __call__(self) -> None:
        self.count = next(self._numbers)
        if self.count == self._last:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self) -> None:
        """Count what is noted, flushed, sent and stored."""
        for kind, name in (
            (journal.Journal, "_add"),
            (journal.Journal, "flush"),
            (StoreTarget, "send"),
            (DynamoTarget, "send"),
        ):
            setattr(kind, name, self._around(getattr(kind, name)))
        together = StoreTarget.together

        @contextmanager
        def stored(target: StoreTarget) -> Iterator[None]:
            with together(target):
                yield
            self()

        StoreTarget.together = stored  # type: ignore[method-assign]

    def _around(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any, **more: Any) -> Any:
            self()
            answer = method(*arguments, **more)
            self()
            return answer

        return watched


def _serve(where: dict[str, str]) -> None:
    applying._BATCH = 10
    place: Place = StorePlace(Path(where["store"])) if "store" in where else DynamoPlace(where["endpoint"])
    if isinstance(place, DynamoPlace):
        with place.target():
            pass  # which reads what AWS's services are, once
    for line in sys.stdin:
        path, after = json.loads(line)
        began = time.perf_counter()
        told, tell = os.pipe()
        child = os.fork()
        if child == 0:
            _apply(place, Path(path), after, tell)
        os.close(tell)
        _, status = os.waitpid(child, 0)
        with os.fdopen(told, "rb") as pipe:
            events = int(pipe.read() or 0)
        code = os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        print(json.dumps([code, time.perf_counter() - began, events]), flush=True)


def _apply(place: Place, path: Path, after: float | None, tell: int) -> NoReturn:
    """Apply a plan in a process of its own, and end it."""
    events, code = _Events(after if isinstance(after, int) else None), 1
    events.watch()
    if isinstance(after, float):
        threading.Thread(target=lambda: (time.sleep(after), os.kill(os.getpid(), signal.SIGKILL)), daemon=True).start()
    try:
        with reading(path) as plan, place.target(plan.sha) as target:
            done = apply_plan(plan, target, journal.journal_of(path), path.parent, How(progress=False))
        code = 0 if done.done else 2
    finally:
        os.write(tell, str(events.count).encode())
        os._exit(code)


def main() -> None:
    """Kill as often as is asked for, and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=20261126)
    parser.add_argument("--serve", type=json.loads)
    options = parser.parse_args()
    if options.serve:
        _serve(options.serve)
        return
    from tests.helpers.aws.server import AwsServer

    with AwsServer() as server:
        for name in ("store", "dynamodb"):
            with tempfile.TemporaryDirectory() as folder:
                place: Place = StorePlace(Path(folder, "s.sqlite")) if name == "store" else DynamoPlace(server.endpoint)
                place.make()
                began = time.perf_counter()
                seen = kill_often(place, Path(folder, "plans"), options.kills, options.seed, by_time=True)
                print(
                    f"{name}: {seen.kills} kills, {seen.ended} ended before, {dict(seen.counts)}, wrong: {seen.wrong}, "
                    f"{time.perf_counter() - began:.0f} s"
                )


if __name__ == "__main__":
    main()
