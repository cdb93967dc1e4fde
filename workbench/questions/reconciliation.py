"""What a table holds in truth, to compare with what its log leads to."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pandas as pd
from tqdm import tqdm

from workbench.config import Settings
from workbench.engines import Answer
from workbench.engines.exported import read_items
from workbench.errors import ParameterError, StoreError
from workbench.log.export_manifests import find_exports
from workbench.log.exports import Export, choose, others
from workbench.model.records import canonical_json, canonical_keys, canonical_text
from workbench.model.times import END_OF_TIME, duration
from workbench.progress import tqdm_options
from workbench.questions.asking import Asking
from workbench.questions.history import Comparison
from workbench.questions.state import images_by_key, state_at
from workbench.questions.state_comparison import compare
from workbench.sandbox import ItemStore
from workbench.sql.filters import Filter
from workbench.text import count, words

if TYPE_CHECKING:
    import boto3

_NAMED = 1_000  # keys a query names at most; of more, all are asked about
_SIDES = ("missing", "extra", "differing")  # missing in the log, extra in it, in both but not alike
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Live:
    """A log compared with its table in DynamoDB, as far as that can be told while both go on changing.

    Attributes
    ----------
    answer
        The log's.
    logged, actual
        The items' images by their keys, in the log and in the table.
    in_flight
        Keys of items of which a change may be on its way.
    notes
        What to know about it.
    """

    answer: Answer
    logged: Mapping[str, str]
    actual: Mapping[str, str]
    in_flight: set[str]
    notes: list[str]


def reconcile(
    asking: Asking,
    table: str,
    against: str | Path,
    *,
    lag: str,
    wait: bool,
    segments: int,
    rate: float | None,
) -> Comparison:
    """Compare the state the log leads to with the table itself; see `Workbench.reconcile`."""
    if segments < 1 or (rate is not None and not rate > 0):
        raise ParameterError(f"segments={segments}, rate={rate}: at least one segment, and a rate above nothing")
    if str(against) == "live":
        asking.refuse_known("the table itself is as it is now; compare with an export, against=")
    engine, slack = asking.engine, duration(lag)
    keys = tuple(engine.keys(table)[0].types)
    asked: dict[str, Any] = {"against": str(against), "lag": lag}
    if engine.tables_in_dynamodb and engine.session and str(against) == "live":
        session = engine.session
        scan, notes = scanned(session, table, keys, segments=segments, rate=rate)

        def ask_about(some: Sequence[str]) -> Answer:
            return state_at(asking, table, END_OF_TIME, include_deleted=True, where=Filter(tuple(some)))

        live = asking.retrying(table, lambda: against_live(session, table, scan, ask_about, slack, wait=wait))
        df, items = compare(live.logged, live.actual, keys, _SIDES, live.in_flight, threads=asking.settings.threads)
        return asking.result(
            Comparison, df, live.answer, "reconcile", table, asked, items=items, notes=[*notes, *live.notes], live=True
        )
    at, actual, in_flight, notes = actual_state(
        asking.settings, table, against, slack, keys, place=engine.place(table), find=engine.exports
    )

    def ask() -> tuple[Answer, pd.DataFrame, dict[str, int]]:
        answer = state_at(asking, table, at or END_OF_TIME, over="state" if at is None else "log")
        df, items = compare(
            images_by_key(answer.rows), actual, keys, _SIDES, in_flight, threads=asking.settings.threads
        )
        return answer, df, items

    answer, df, items = asking.retrying(table, ask)
    asked["as_of"] = at
    now = str(against) == "live"
    return asking.result(Comparison, df, answer, "reconcile", table, asked, items=items, notes=notes, live=now)


def actual_state(
    settings: Settings,
    table: str,
    against: str | Path,
    lag: pd.Timedelta,
    keys: Sequence[str],
    *,
    place: Mapping[str, str],
    find: Callable[[str | Path], list[Export]] = find_exports,
) -> tuple[datetime | None, dict[str, str], set[str], list[str]]:
    """Return the instant of a table's true state (None is now), its images by key, the keys in flight, and notes.

    The live table is that of the item store; for one in DynamoDB there are `scanned` and `against_live`.

    `find` finds the exports under `against`.

    In flight are items of which a change is younger than `lag` and not in the log yet. Of an export that is younger
    itself nobody knows which items they are: a note says so.
    """
    now = datetime.now(UTC)
    if str(against) == "live":
        with ItemStore(settings.item_store) as store:
            if settings.source and table not in store.tables():
                raise StoreError(
                    f"there is no table {table!r} in the item store: name an export of it to compare {settings.source} "
                    "with, --against EXPORT (against=)"
                )
            return None, dict(store.images(table)), _undelivered(store, table, now - lag.to_pytimedelta()), []
    exports = find(against)
    if not (export := choose(exports, table, None, place)):
        raise ParameterError(
            f"{against} holds no full export of {table!r} to compare with, but: {others(exports, table, place)}"
        )
    young = export.time > now - lag.to_pytimedelta()
    notes = (
        [f"the export is younger than {words(lag)}: what differs may be on its way; ask again then"] if young else []
    )
    return export.time, dict(read_items(export, keys)), set(), [*notes, *export.problems]


def scanned(
    session: boto3.Session, table: str, keys: Sequence[str], *, segments: int = 4, rate: float | None = None
) -> tuple[dict[str, str], list[str]]:
    """Return the images of a table in DynamoDB by their keys, in canonical form, and what the scan took.

    Raises
    ------
    StoreError
        Where the table cannot be read.
    ParameterError
        Where the log's keys are not the table's.
    """
    from workbench.aws import dynamodb  # boto3, which is slow to import

    if sorted(own := dynamodb.key_of(session, table)) != sorted(keys):
        raise ParameterError(
            f"the log of {table!r} has the key {', '.join(keys)}, the table in DynamoDB "
            f"{', '.join(own)}: is it another table of that name?"
        )
    began, scan = time.perf_counter(), dynamodb.scan(session, table, segments=segments, rate=rate)
    images: dict[str, str] = {}
    with tqdm(desc=f"{table}: scan", unit=" items", unit_scale=True, **tqdm_options()) as bar:
        for image in scan:
            images[canonical_keys({name: image[name] for name in own})] = canonical_json(image)
            bar.update()
            if len(images) % 1_000 == 0:
                bar.set_postfix_str(f"{scan.capacity:,.0f} read capacity units")
    took = time.perf_counter() - began
    return images, [
        f"scanned {count(scan.items, 'item')} in {took:,.1f} s for {scan.capacity:,.1f} read capacity units"
    ]


def against_live(
    session: boto3.Session,
    table: str,
    scan: Mapping[str, str],
    ask: Callable[[Sequence[str]], Answer],
    lag: pd.Timedelta,
    *,
    wait: bool = False,
) -> Live:
    """Compare a scan of a table in DynamoDB with its log, both of which go on changing.

    Items that differ are read again after the log was asked: what the log tells already is no difference. In flight is
    then an item that changed while it was looked at, or whose newest change in the log is younger than `lag`. Of the
    others the table does not tell when they changed: one that was changed once, just now, differs too. With `wait` they
    are looked at again when `lag` is over; what has not changed since, and is not in the log by then, is not in it.

    Parameters
    ----------
    scan
        Of `scanned`, made before.
    ask
        Asks `latest_state.sql`, deleted items included, about these keys, or all where there are none.
    """
    first = datetime.now(UTC)
    answer = ask(())
    rows = _by_key(answer)
    logged, actual, notes = _images(rows, scan), dict(scan), list[str]()
    differing = _differing(logged, actual)
    seen_first = _read_again(session, table, differing, actual)
    young = first - lag.to_pytimedelta()
    in_flight = {
        key
        for key in _differing(logged, actual)
        if scan.get(key) != actual.get(key) or (key in rows and rows[key]["ts"] >= young)
    }
    if (left := _differing(logged, actual)) and wait:
        _wait_until(first + lag.to_pytimedelta(), table)
        asked = _by_key(ask(sorted(left) if len(left) <= _NAMED else ()))
        rows = {key: asked[key] for key in left & asked.keys()}
        logged = {key: image for key, image in logged.items() if key not in left} | _images(rows, actual)
        again = _read_again(session, table, left, actual)
        in_flight = {key for key in _differing(logged, actual) if again.get(key) != seen_first.get(key)}
    elif left - in_flight:
        when = f"{first + lag.to_pytimedelta():%H:%M:%S} UTC"
        notes.append(
            f"what was changed in the last {words(lag)} may be on its way and differ too: what still differs "
            f"after {when} is not in the log (wait=True waits for that)"
        )
    return Live(answer, logged, actual, in_flight, notes)


def _read_again(session: boto3.Session, table: str, keys: set[str], actual: dict[str, str]) -> dict[str, str]:
    """Put the present images of items in place of those read before, and return them."""
    from workbench.aws import dynamodb

    present = dynamodb.read(session, table, sorted(keys)) if keys else {}
    for key in keys - present.keys():
        actual.pop(key, None)
    actual |= present
    return present


def _differing(logged: Mapping[str, str], actual: Mapping[str, str]) -> set[str]:
    return {key for key in logged.keys() | actual.keys() if logged.get(key) != actual.get(key)}


def _by_key(answer: Answer) -> dict[str, dict[str, Any]]:
    rows = answer.rows.select(["keys", "image", "ts"]).to_pylist()
    return {row["keys"]: row | {"ts": row["ts"].replace(tzinfo=UTC)} for row in rows}


def _images(rows: Mapping[str, Mapping[str, Any]], alike: Mapping[str, str]) -> dict[str, str]:
    """Return the images of the items that are there, in canonical form where they are not alike already."""
    images = {key: row["image"] for key, row in rows.items() if row["image"] is not None}
    return {key: image if alike.get(key) == image else canonical_text(image) for key, image in images.items()}


def _wait_until(moment: datetime, table: str) -> None:
    left = (moment - datetime.now(UTC)).total_seconds()
    with tqdm(
        total=max(0, round(left)), desc=f"{table}: waiting for what is on its way", unit=" s", **tqdm_options()
    ) as bar:
        while (left := (moment - datetime.now(UTC)).total_seconds()) > 0:
            time.sleep(min(1.0, left))
            bar.update()


def _undelivered(store: ItemStore, table: str, since: datetime) -> set[str]:
    young = [number for number, micros in store.pending(table) if _EPOCH + timedelta(microseconds=micros) >= since]
    records = (orjson.loads(record) for record in store.records(young))
    return {canonical_keys(record["dynamodb"]["Keys"], twice=True) for record in records}
