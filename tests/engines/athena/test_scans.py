"""How many queries a call is on Athena, and how often they read its objects: what `infra_cdk.costs` reckons with."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest

from infra_cdk import costs
from infra_cdk.costs import Queries
from tests.helpers import lakes
from tests.helpers.aws.lake import athena, declare, lake, place
from workbench import Workbench
from workbench.engines import athena as athena_engine
from workbench.engines import compacting

AFTER = timedelta(days=2)


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*.gz"))


def event_time(change: dict[str, Any]) -> int:
    """When a record's change was made, in microseconds since 1970."""
    told = change["dynamodb"]["ApproximateCreationDateTime"]
    return told if "ApproximateCreationDateTimePrecision" in change["dynamodb"] else told * 1000


def later(arrival: datetime, change: dict[str, Any]) -> tuple[datetime, dict[str, Any]]:
    """The same two days later, so that nothing else is in the folders that a window reads beside."""
    told = {"ApproximateCreationDateTime": event_time(change) + AFTER // timedelta(microseconds=1)}
    precise = {"ApproximateCreationDateTimePrecision": "MICROSECOND"}
    return arrival + AFTER, change | {"dynamodb": change["dynamodb"] | told | precise}


def told(monkeypatch) -> list[int]:
    """What is held against `max_scan_bytes` from now on, in bytes."""
    bytes_told: list[int] = []
    monkeypatch.setattr(athena_engine, "refuse", lambda estimate, *_: bytes_told.append(estimate.bytes))
    return bytes_told


def scanned(wb: Workbench) -> list[int]:
    return sorted(query.scanned for query in wb._engine.finished)


@pytest.mark.parametrize(
    ("ask", "call"),
    [
        (lambda wb: wb.change_frequency("things"), costs.QUESTION),
        (lambda wb: wb.data_quality("things"), Queries(6, 6)),
        (lambda wb: wb.checkpoint("things"), Queries(2, 3)),  # the first one: none there is can be overtaken
    ],
    ids=["change_frequency", "data_quality", "checkpoint"],
)
def test_a_call_without_a_checkpoint_reads_its_objects_so_often(empty, tmp_path, ask, call):
    whole = size_of(lake(empty, tmp_path / "log"))
    wb = athena(empty, home=tmp_path / "home", checkpoints="s3://lake/checkpoints/")
    ask(wb)
    assert (len(scanned(wb)), sum(scanned(wb))) == (call.queries, call.log * whole)
    assert call.checkpoint == 0
    before = len(wb._engine.finished)
    wb.change_frequency("things")  # of the same process: counted already
    assert [query.scanned for query in wb._engine.finished[before:]] == [whole]
    wb.close()


def test_the_report_that_is_scheduled_reads_its_objects_so_often(empty, tmp_path, monkeypatch):
    whole = size_of(lake(empty, tmp_path / "log"))
    given = athena(empty, home=tmp_path / "home").settings
    for name in ("engine", "region", "endpoint", "database", "output", "home"):
        monkeypatch.setenv(f"WORKBENCH_{name.upper()}", str(getattr(given, name)))
    cells = json.loads(Path("notebooks/03_change_frequency.ipynb").read_text(encoding="utf-8"))["cells"]
    scope: dict[str, Any] = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]).replace('"persons"', '"things"'), scope)
    plt.close("all")
    wb: Workbench = scope["wb"]
    assert scanned(wb) == [whole] * costs.REPORT.queries
    assert costs.REPORT.log == costs.REPORT.queries
    wb.close()


def test_a_call_that_begins_with_a_checkpoint_reads_that_and_what_came_since_so_often(empty, tmp_path, monkeypatch):
    made = lakes.records(1)
    times = sorted(event_time(change) for _, change in made)
    middle = times[len(times) // 2]
    early = [(arrival, change) for arrival, change in made if event_time(change) < middle]
    late = [later(arrival, change) for arrival, change in made if event_time(change) >= middle]
    start = datetime.fromtimestamp(middle / 1e6, UTC) + AFTER - timedelta(hours=1)
    lakes.write(tmp_path / "early", early, "envelope")
    lakes.write(tmp_path / "late", late, "envelope")
    location = place(empty, tmp_path / "early")
    declare(empty, lakes.glue_table("things", location, "envelope", made, lakes.SCHEMES[0]))

    def opened() -> Workbench:
        return athena(empty, home=tmp_path / "home", checkpoints="s3://lake/checkpoints/", late_arrival="5h")

    wb = opened()
    kept = wb.checkpoint("things")
    assert kept.since < start
    wb.close()
    place(empty, tmp_path / "late")
    new, checkpoint = size_of(tmp_path / "late"), 0
    estimates = told(monkeypatch)
    calls: list[tuple[Callable[[Workbench], object], Queries, Callable[[int, int], list[int]]]] = [
        (
            lambda wb: wb.latest_state("things"),
            costs.SINCE_CHECKPOINT,
            lambda log, state: [log, log + state, log + 2 * state],
        ),
        (
            lambda wb: wb.data_quality("things", start=start),
            costs.QUALITY,
            lambda log, state: [*[log] * 4, *[log + state] * 2, *[log + 2 * state] * 2],
        ),
        (
            lambda wb: wb.checkpoint("things"),
            costs.CHECKPOINT,
            lambda log, state: [log, log + 2 * state, 2 * (log + state)],
        ),
    ]
    for ask, call, expected in calls:
        wb = opened()
        estimates.clear()
        ask(wb)
        assert sum(estimates) == call.log * new + call.checkpoint * kept.bytes  # so that max_scan_bytes holds
        checkpoint = checkpoint or (sum(scanned(wb)) - call.log * new) // call.checkpoint
        assert 0 < checkpoint <= kept.bytes
        assert scanned(wb) == sorted(expected(new, checkpoint))
        assert (len(scanned(wb)), sum(scanned(wb))) == (
            call.queries,
            call.log * new + call.checkpoint * checkpoint,
        )
        wb.close()


def test_days_are_compacted_by_so_many_queries_and_then_a_question_reads_them_once(empty, tmp_path, monkeypatch):
    monkeypatch.setattr(compacting, "_now", lambda: datetime(2026, 12, 24, tzinfo=UTC))
    whole = size_of(lake(empty, tmp_path / "log"))
    given = {"home": tmp_path / "home", "compacted": "s3://lake/compacted/"}
    wb = athena(empty, **given)
    made = wb.compact("things")
    days, call = len(made), costs.COMPACTION
    assert len(scanned(wb)) == days * call.queries
    kept = sum(scanned(wb)) - call.log * whole
    assert 0 < kept <= call.checkpoint * made["compacted_bytes"].sum()
    wb.close()
    wb = athena(empty, **given)
    wb.change_frequency("things")
    assert len(scanned(wb)) == costs.COMPACTED.queries
    assert 0 < sum(scanned(wb)) <= costs.COMPACTED.log * made["compacted_bytes"].sum()
    wb.close()
