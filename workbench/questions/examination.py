"""Asks all there is to ask of a log's quality, and has the findings judged; see `Workbench.data_quality`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd

from workbench.engines import Answer, Engine, Over
from workbench.model import stream_views
from workbench.model.times import END_OF_TIME, START_OF_TIME, now
from workbench.questions.chain_gaps import Example, gaps, suspects
from workbench.questions.delivery import Delivery, lag
from workbench.questions.evidence import EXAMPLES, LARGEST_RECORD, Evidence, Hide
from workbench.questions.findings import FINDINGS
from workbench.questions.history import Row, in_utc, with_baseline
from workbench.questions.judging import judge
from workbench.questions.schema_drift import drift
from workbench.sql.filters import Filter

if TYPE_CHECKING:
    from workbench.log.exports import Baseline

_KEYS_A_QUERY = 2_000


def examine(
    engine: Engine,
    table: str,
    start: datetime,
    end: datetime,
    late: pd.Timedelta,
    hide: Hide,
    max_age: pd.Timedelta | None = None,
) -> tuple[dict[str, Any], Answer]:
    """Ask all there is to ask of a log's quality.

    Parameters
    ----------
    start, end
        The window of event time in UTC, `end` exclusive.
    late
        How late changes may arrive.
    hide
        Masks what is shown.
    max_age
        How old the newest change may be.

    Returns
    -------
    tuple
        The frames ``df``, ``gaps``, ``lag`` and ``drift`` of `quality.Quality`; and the answer they stand on.
    """
    window: dict[str, Any] = {"start": start, "end": end}
    began, present = time.perf_counter(), engine.known_at or now()
    chains = _chains(engine, table, start, end)
    ambiguous = engine.ask(
        "ambiguous_items", table, over="state", after=end, as_of=end - timedelta(microseconds=1)
    ).rows
    ties = [(row["keys"], row["ts"]) for row in ambiguous.to_pylist() if row["ts"].replace(tzinfo=UTC) >= start]
    # by the day, so that an earlier answer of this day can be taken again
    latest = present.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=2)
    delivered = engine.ask(
        "delivery", table, **window, late_arrival=int(late.total_seconds()), present=latest, examples=EXAMPLES
    ).rows
    delivery = Delivery.read(delivered)
    types, _ = drift(engine.ask("schema_drift", table, **window).rows)
    sizes = engine.ask("record_sizes", table, **window, large=LARGEST_RECORD // 2, examples=EXAMPLES).rows
    imageless = sizes.column("no_old_image")[0].as_py() or sizes.column("no_new_image")[0].as_py()
    held = stream_views.infer_views(engine.ask("stream_views", table, **window).rows.to_pylist()) if imageless else []
    schemas = engine.keys(table)  # the last, since they need no images: asked first, the log would be read twice
    keys = list(dict.fromkeys(name for each in schemas for name in each.types))
    answer, baseline = chains.answer, chains.baseline
    missing = hide(gaps(chains.rows, keys, start))
    if baseline:  # what was before it is what it knows
        seen = missing["lost_before"] <= pd.Timestamp(baseline.time)
        missing = missing[missing["lost_after"].notna() | ~seen]
    evidence = Evidence(
        delivery=delivery,
        sizes=sizes.to_pylist()[0],
        gaps=missing,
        beginnings=chains.beginnings,
        unseen=chains.unseen,
        drift=types,
        ties=sorted(ties, key=lambda tie: tie[::-1]),
        late=late,
        unreadable=answer.unreadable,
        unread=answer.unread,
        lost=answer.lost,
        objects=answer.objects,
        failures=answer.failures,
        baseline=baseline.time if baseline else None,
        age=None if end <= present or delivery.newest is None else present - delivery.newest,
        max_age=max_age,
        last_arrival=answer.last_arrival if end == END_OF_TIME else None,
        held=held,
        schemas=schemas,
        hide=hide,
    )
    frames = {"df": judge(evidence, FINDINGS), "gaps": evidence.between, "lag": lag(delivered), "drift": types}
    return frames, replace(answer, seconds=time.perf_counter() - began)


@dataclass(frozen=True)
class _Chains:
    """Where changes may be missing.

    Attributes
    ----------
    answer
        To the first question asked.
    beginnings, unseen
        How many items were there before their first change, and examples.
    rows
        All changes of the items in which one may be missing.
    baseline
        The export that holds; None without one.
    """

    answer: Answer
    beginnings: int
    unseen: Sequence[Example]
    rows: Sequence[Row]
    baseline: Baseline | None = None


def _chains(engine: Engine, table: str, start: datetime, end: datetime) -> _Chains:
    """Find where changes may be missing.

    From a baseline on, what the log tells must follow from it; before it, the log stands alone.
    """
    baseline = engine.baseline(table)
    if baseline is None or baseline.time >= end:
        answer = engine.ask("chain_gaps", table, after=start, start=start, end=end, examples=EXAMPLES)
        suspected, beginnings, unseen = suspects(answer.rows)
        return _Chains(answer, beginnings, unseen, _changes(engine, table, suspected, end, start))
    since = baseline.time + timedelta(microseconds=1)
    answer = engine.ask("chain_gaps", table, over="state", start=max(start, since), end=end, examples=EXAMPLES)
    suspected, beginnings, unseen = suspects(answer.rows)
    if start < since:
        before = engine.ask("chain_gaps", table, start=start, end=since, examples=0)
        suspected = sorted({*suspected, *suspects(before.rows)[0]})
    logged = _changes(engine, table, suspected, end)
    exported = _changes(engine, table, suspected, END_OF_TIME, over="baseline")
    return _Chains(answer, beginnings, unseen, with_baseline(logged, exported, baseline.time), baseline)


def _changes(
    engine: Engine, table: str, keys: Sequence[str], end: datetime, after: datetime | None = None, over: Over = "log"
) -> list[Row]:
    rows: list[Row] = []
    for number in range(0, len(keys), _KEYS_A_QUERY):
        some = Filter(tuple(keys[number : number + _KEYS_A_QUERY]))
        answer = engine.ask("changes", table, start=START_OF_TIME, end=end, after=after, over=over, where=some)
        rows += in_utc(answer.rows)
    return rows
