"""The law of compacted days: whatever is compacted, when, and whatever comes after, answers are those without."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pandas as pd
import pytest
from hypothesis import event, given, note
from hypothesis import strategies as st

from tests.helpers import lakes
from tests.helpers.aws.fixtures import credentials, impatient, server  # noqa: F401
from tests.helpers.aws.lake import BUCKET, athena, declare, place
from tests.helpers.aws.server import AwsServer
from tests.helpers.profiles import examples
from tests.helpers.questions import QUESTIONS, same
from workbench import Workbench
from workbench.errors import TableNotFound
from workbench.log.objects import arrival_of

KEPT = {"compacted": f"s3://{BUCKET}/compacted/", "checkpoints": f"s3://{BUCKET}/checkpoints/"}
GROUPS = 4  # of questions; each is asked of examples of its own, so that all are
DAY = timedelta(days=1)


def arriving(files: dict[Path, datetime], rng: random.Random) -> list[tuple[datetime, list[Path]]]:
    """In which parts the objects come, and until when each is compacted; some come late, for days that are over."""
    first, last = min(files.values()), max(files.values())
    cuts = sorted(first + (last - first + DAY) * rng.random() for _ in range(2))
    parts: list[tuple[datetime, list[Path]]] = [(cut + DAY * rng.choice([0, 1, 3]), []) for cut in (*cuts, last + DAY)]
    for path, arrived in files.items():
        due = next((number for number, cut in enumerate(cuts) if arrived <= cut), 2)
        parts[rng.randrange(due, 3) if rng.random() < 0.25 else due][1].append(path)
    return parts


def instant(rng: random.Random) -> datetime:
    return lakes.START + rng.choice([timedelta(hours=1), timedelta(microseconds=1)]) * rng.randrange(60)


def windows(rng: random.Random) -> dict[str, Callable[[Workbench], pd.DataFrame]]:
    """Questions about windows that begin and end anywhere, within days too."""
    start, later = sorted([instant(rng), instant(rng)])
    end = later + timedelta(seconds=1)
    return {
        f"changes from {start} to {end}": lambda wb: wb.changes("things", start=start, end=end).df,
        f"changes of an item from {start}": lambda wb: wb.changes("things", key={"pk": "p-1", "sk": 1}, start=start).df,
        f"versions until {end}": lambda wb: wb.versions("things", start=start, end=end).df,
        f"frequency from {start}": lambda wb: wb.change_frequency("things", start=start, every="6h").df,
        f"lag from {start}": lambda wb: wb.data_quality("things", start=start).lag,
        f"as of {end}": lambda wb: wb.latest_state("things", as_of=end, include_deleted=True).df,
        "counts": lambda wb: (
            wb.query(
                'select count(*) as changes, count(distinct event_id) as events, max(ts) as last from "things$changes"'
            ).df
        ),
    }


@pytest.mark.parametrize(
    "group", [pytest.param(group, marks=[pytest.mark.deep] * (group >= 2)) for group in range(GROUPS)]
)
@given(seed=st.integers(0, 2**32 - 1))
@examples(1)
def test_answers_are_the_same_with_compacted_days_and_without(server: AwsServer, group: int, seed: int):  # noqa: F811
    rng = random.Random(seed * GROUPS + group)
    layout = rng.choice(lakes.LAYOUTS)
    scheme = rng.choice(["year=/month=/day=/hour=", "2026/11/18/09", "dt=", "none"])
    note(f"{layout}, {scheme}")
    server.reset()
    plain = layout == "flat"
    made = lakes.records(rng.randrange(2**32), rng.randrange(20, 45), plain=plain, ties=not plain)
    with tempfile.TemporaryDirectory() as folder, patch("workbench.engines.compacting._now") as now:
        whole = lakes.write(Path(folder, "whole"), made, layout, scheme)
        files = {path: arrival_of(path.as_posix()) for path in sorted(whole.rglob("*")) if path.is_file()}
        declared = False
        kept = athena(server, **KEPT, late_arrival=rng.choice(["0s", "3h", "24h"]))
        for moment, part in arriving(files, rng):
            for path in part:
                target = Path(folder, "there", path.relative_to(whole))
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, target)
            if not part and not declared:
                continue
            location = place(server, Path(folder, "there"))
            if not declared:
                declare(server, lakes.glue_table("things", location, layout, made, scheme), scheme)
            declared = True
            now.return_value = moment
            for step in rng.sample(["compact", "compact again", "checkpoint"], rng.randrange(1, 3)):
                note(f"{moment}: {step}")
                if step == "checkpoint":
                    kept.checkpoint("things", keep=1)
                else:
                    event(f"days {step}ed: {len(kept.compact('things', again=step.endswith('again')))}")
        known_at = rng.choice([*files.values()]) + timedelta(microseconds=rng.choice([-1, 0, 1, 999_999]))
        note(f"known at {known_at}")
        asked = {name: QUESTIONS[name] for name in [*QUESTIONS][group::GROUPS]}
        asked |= dict(rng.sample([*windows(rng).items()], 1))
        compare(asked, kept, athena(server, checkpoints="off"), Workbench(whole, checkpoints="off"))
        some = dict(rng.sample([each for each in asked.items() if not each[0].startswith("undo")], 1))
        then = {"known_at": known_at, "late_arrival": "24h"}
        with (
            patch("workbench.questions.examination.now", lambda: known_at),
            patch("workbench.model.times.now", lambda: known_at),
        ):
            compare(
                some,
                athena(server, **KEPT, **then),
                athena(server, checkpoints="off", **then),
                Workbench(whole, checkpoints="off", **then),
            )


def compare(
    asked: dict[str, Callable[[Workbench], pd.DataFrame]], kept: Workbench, without: Workbench, local: Workbench
) -> None:
    """Ask the same of each, and close them."""
    for name, ask in asked.items():
        note(name)
        # The size of an image is as it was delivered on Athena, and of its canonical text in the embedded lake.
        expected = answer(ask, without if name == "quality" else local)
        if expected is None:
            assert answer(ask, kept) is None
        else:
            same(ask(kept), expected)
    if len(asked) > 1:
        found, wanted = (wb.latest_state("things") for wb in (kept, without))
        same(found.df, wanted.df)
        assert found.stats.ambiguous_ties == wanted.stats.ambiguous_ties
        assert found.stats.last_arrival == wanted.stats.last_arrival
        event(", ".join(what for what in ("compacted day", "checkpoint") if what in " ".join(found.stats.notes)))
    for wb in (kept, without, local):
        wb.close()


def answer(ask: Callable[[Workbench], Any], wb: Workbench) -> Any:
    """Return an answer, or None where there are no changes."""
    with suppress(TableNotFound):
        return ask(wb)
    return None
