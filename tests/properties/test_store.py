"""The law of the store: whatever comes, changes or goes, and whoever is killed when, answers are those without it."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from tests.helpers.logs import write_log
from tests.helpers.profiles import examples
from tests.helpers.questions import same
from tests.properties.test_checkpoint import STEP, arriving, when
from tests.properties.test_replay import IMAGE, history
from workbench import Workbench, WorkbenchError
from workbench.engines import staging
from workbench.log.store import LogStore

STEPS = ("replace", "fsync", "chmod", "unlink", "write", "add")


class Killed(BaseException):
    """What ends a process in the middle; nothing is cleaned up after it."""


@contextmanager
def killed_at(step: int) -> Iterator[None]:
    """End what is done at so many steps that change a file."""
    left = [step]

    def dying(run):
        def run_or_die(*args, **more):
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return run(*args, **more)

        return run_or_die

    with pytest.MonkeyPatch.context() as patch:
        for name in ("replace", "fsync", "chmod", "unlink"):
            patch.setattr(os, name, dying(getattr(os, name)))
        patch.setattr(staging._Writing, "write", dying(staging._Writing.write))
        patch.setattr(LogStore, "add", dying(LogStore.add))
        patch.setattr(staging._Writing, "__exit__", lambda *_: None)
        with suppress(Killed):
            yield


def asked(wb: Workbench, at) -> list[object]:
    """Everything a log can be asked, with what is said of it."""
    try:
        latest = wb.latest_state("things", as_of=at, include_deleted=True)
        changes = wb.changes("things")
        answers = [
            latest.df,
            changes.df,
            wb.change_frequency("things").df,
            wb.change_frequency("things", by="attribute").df,
            wb.item_history("things").df,
            wb.tables().drop(columns="layout"),
            wb.data_quality("things").df,
        ]
        stats = latest.stats
        return [*answers, stats.unreadable, stats.ambiguous_ties, stats.objects, stats.bytes, stats.newest_change]
    except WorkbenchError as error:
        return [type(error), str(error)]


@given(
    steps=st.lists(STEP, min_size=4, max_size=14),
    pool=st.lists(IMAGE, min_size=2, max_size=2, unique_by=str),
    seed=st.integers(0, 2**32 - 1),
    bytes_of_a_segment=st.sampled_from([1, 1_500, 16 << 20]),
    merged=st.sampled_from([2, 3, 8]),
)
@examples(25)
def test_answers_are_those_without_a_store(steps, pool, seed, bytes_of_a_segment, merged):
    rng = random.Random(seed)
    records, states = history(steps, pool, rng, apart=False)
    if not records:
        return
    with tempfile.TemporaryDirectory() as folder, ExitStack() as closing, pytest.MonkeyPatch.context() as patch:
        patch.setattr(staging, "_SEGMENT", bytes_of_a_segment)
        patch.setattr(staging, "_MERGED", merged)
        log, home = Path(folder, "log"), Path(folder, "home")

        def opened(**more) -> Workbench:
            wb = Workbench(log, home=home, checkpoints=f"{folder}/kept", **more)
            closing.callback(wb.close)
            return wb

        one, other = opened(), opened()  # two processes, as far as the store can tell
        for name, each in arriving(records, rng):
            layout = rng.choice(["raw", "raw", "envelope", "parquet", "joined"])
            write_log(log, each, layout, name)
            files = sorted(log.iterdir())
            act = rng.choice(["", "", "replace", "remove", "rename", "damage", "checkpoint", "spoil", "killed"])
            chosen = rng.choice(files)
            if act == "replace":
                write_log(
                    log, rng.sample(records, rng.randrange(1, len(records) + 1)), "raw", chosen.name.split(".")[0]
                )
            elif act == "remove" and len(files) > 1:
                chosen.unlink()
            elif act == "rename":
                chosen.rename(chosen.with_name(f"{chosen.stem}-moved{chosen.suffix}"))
            elif act == "damage":
                chosen.write_bytes(chosen.read_bytes()[: rng.randrange(1, chosen.stat().st_size)])
            elif act == "checkpoint":
                with suppress(WorkbenchError):
                    rng.choice([one, other]).checkpoint("things")
            elif act == "spoil" and (segments := list(home.glob("store/*/*.parquet"))):
                rng.choice(segments).write_bytes(rng.choice([b"", b"PAR1", b"something else that is long" * 9]))
            elif act == "killed":
                with killed_at(rng.randrange(12)):
                    asked(opened(), None)
            event(act)
            at = rng.choice([None, when(rng.choice(states)[0])])
            expected = asked(opened(store="off"), at)
            for wb in rng.choice([(one,), (other,), (one, other), (opened(),)]):
                found = asked(wb, at)
                assert len(found) == len(expected), (found, expected)
                for each, wanted in zip(found, expected, strict=True):
                    if isinstance(wanted, pd.DataFrame):
                        same(each, wanted)
                    else:
                        assert each == wanted
        # Every object is in one segment, and in no two.
        store = LogStore(home, log, repr(one.settings.keys))
        stamps = [stamp for segment in store.segments() for stamp in segment.objects]
        assert len(stamps) == len(set(stamps))
