"""Generates realistic tables with a past: through the item store, captured and delivered as in production."""

from __future__ import annotations

import json
import random
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import get_args

from tqdm import tqdm

from workbench.errors import ParameterError, StoreError, did_you_mean
from workbench.lock import alone
from workbench.progress import tqdm_options
from workbench.sandbox import Faults, ItemStore, deliver
from workbench.sandbox.change_writer import Writer, last_night, span_of, times_within, write_changes
from workbench.sandbox.database import note_of
from workbench.sandbox.datasets import DATASETS, check
from workbench.sandbox.delivery import DeliveryFormat
from workbench.text import count


@dataclass(frozen=True)
class Generated:
    """What was generated; `kept` when it was there already, as it was made then."""

    table: str
    items: int
    """Items there have been; some are gone by the end."""
    changes: int
    deliveries: int
    """Changes delivered, those that came twice counted twice."""
    objects: int
    seconds: float
    kept: bool = False

    def __str__(self) -> str:
        """Write it in a line."""
        how = "kept as it was, made before with" if self.kept else f"made in {self.seconds:.1f} s:"
        return (
            f"{self.table}: {how} {count(self.changes, 'change')} of {count(self.items, 'item')}, "
            f"{count(self.deliveries, 'delivery')} in {count(self.objects, 'object')}"
        )


def generate(
    store: ItemStore,
    lake: Path,
    dataset: str,
    *,
    items: int | None = None,
    changes: int = 10_000,
    seed: int = 0,
    start: datetime | None = None,
    end: datetime | None = None,
    duplicates: float = 0.01,
    late: float = 0.01,
    reordered: float = 0.02,
    same_instant: float = 0.03,
    bad_night: bool = False,
    layout: DeliveryFormat = "envelope",
    replace: bool = False,
    keep: bool = False,
    progress: bool = True,
    forget: Callable[[], object] = lambda: None,
) -> Generated:
    """Make a table and its change log; with the same arguments, the same one.

    Parameters
    ----------
    dataset
        ``persons`` (key pk: a nested person, tags, a schema that changes half-way, deletes, TTL),
        ``heartrate`` (key sensor_id and report_time: numbers, corrections, TTL) or ``orders`` (key order_id:
        customers, a status that moves on, lists of lines, totals, who wrote last, carts that expire).
    items, changes
        How many different items, and how many changes of them. By default one item in ten changes
        (persons), in five (orders), or four in five (heartrate).
    start, end
        The span of the changes, UTC where they name no zone; by default the seven days before the last
        full hour.
    duplicates, late, reordered
        Shares of the changes delivered twice, hours late, or minutes late, after newer ones.
    same_instant
        Share of the changes made in bursts that carry one time.
    bad_night
        Orders only: at ten past two of the last night, UTC, a job (``updated_by`` is ``job:clean-up``) cancels
        orders that are paid by invoice, as were they not paid. These changes come beside the others, for an undo to
        take them back.
    replace
        Make a table anew that is there already with other arguments.
    keep
        Keep a table that was made here with other arguments, as it is, rather than refuse.
    forget
        Removes what is kept elsewhere of the table that was there.

    Raises
    ------
    ParameterError
        For an unknown dataset, or numbers that make no sense.
    StoreError
        Where the table is there already, made with other arguments, or another process is making it.
    """
    check(dataset, items, changes)
    if layout not in get_args(DeliveryFormat):
        raise ParameterError(
            f"there is no layout {layout!r}; there are: {', '.join(get_args(DeliveryFormat))}."
            f"{did_you_mean(layout, get_args(DeliveryFormat))}"
        )
    span = span_of(start, end)
    if bad_night and dataset != "orders":
        raise ParameterError(f"bad_night is told of orders, not of {dataset}: leave it out")
    night = last_night(span) if bad_night else None
    shares = {"duplicates": duplicates, "late": late, "reordered": reordered, "same_instant": same_instant}
    for name, share in shares.items():
        if not 0 <= share <= 0.5:
            raise ParameterError(f"{name}={share} is no share: 0 to 0.5")
    drawn = [items, changes, seed, start, end, duplicates, late, reordered, same_instant, layout]
    arguments = json.dumps(drawn + [bad_night] * bad_night, default=str)
    with alone(lake, f"{dataset}.generating", f"making the table {dataset!r} in {lake}"):
        folder, note = lake / "data" / dataset, json.loads(store.note(dataset) or "{}")
        whole = "generated" in note and folder.exists()
        if whole and (note["arguments"] == arguments or (keep and not replace)):
            return Generated(**note["generated"] | {"kept": True})
        interrupted = note and not whole
        if not (replace or interrupted) and (dataset in store.tables() or folder.exists()):
            raise StoreError(
                f"table {dataset!r} is there already, made with other arguments or by hand: "
                "pass replace=True (--replace) to make it anew"
            )
        return _make(
            store,
            lake,
            dataset,
            arguments,
            items,
            changes,
            seed,
            span,
            same_instant,
            night,
            Faults(duplicates, late, reordered),
            layout,
            progress,
            forget,
        )


def unfinished(store: Path, table: str) -> bool:
    """Return whether the making of a table was begun and has not ended: it goes on, or its process was killed."""
    note = json.loads((store.is_file() and note_of(store, table)) or "{}")
    return bool(note) and "generated" not in note


def _make(
    store: ItemStore,
    lake: Path,
    table: str,
    arguments: str,
    items: int | None,
    changes: int,
    seed: int,
    span: tuple[datetime, datetime],
    same_instant: float,
    night: datetime | None,
    faults: Faults,
    layout: DeliveryFormat,
    progress: bool,
    forget: Callable[[], object],
) -> Generated:
    started = time.perf_counter()
    rng = random.Random(f"{seed} {table}")
    data = DATASETS[table](rng, span)
    with store.bulk():
        store.drop_table(table)
        store.create_table(table, data.key, ttl="expires_at")
        store.note(table, json.dumps({"arguments": arguments}))  # says whose it is, should this be interrupted
    forget()
    for folder in (lake / kind / table for kind in ("data", "errors")):
        if folder.exists():
            shutil.rmtree(folder)
    bar = tqdm(
        total=2 * changes,
        desc=f"{table}: changes",
        unit=" changes",
        unit_scale=True,
        **tqdm_options(show=progress),
    )
    with bar:
        writer = Writer(store, table, data, rng, items or max(1, int(changes * data.items_a_change)), changes)
        with _drawn_ids(store, rng):
            write_changes(writer, times_within(rng, span, changes), same_instant, bar.update, night)
        bar.set_description(f"{table}: deliveries")
        delivered = deliver(
            store, lake, table, layout=layout, buffer_seconds=900, faults=faults, seed=seed, progress=bar.update
        )
    generated = Generated(
        table,
        writer.inserted,
        changes + writer.spoilt,
        delivered.deliveries,
        delivered.objects,
        round(time.perf_counter() - started, 2),
    )
    forget()  # before it is whole: whoever is killed here makes it again
    store.note(table, json.dumps({"arguments": arguments, "generated": asdict(generated)}))
    return generated


@contextmanager
def _drawn_ids(store: ItemStore, rng: random.Random) -> Iterator[None]:
    """Draw the changes' ids, so that the same arguments give the same log."""
    event_id = store.event_id
    store.event_id = lambda: str(uuid.UUID(int=rng.getrandbits(128), version=4))
    try:
        yield
    finally:
        store.event_id = event_id
