"""A state of a table, or the changes of a window, written into another table: planned in a file, and applied."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from workbench import paths
from workbench.errors import ParameterError
from workbench.model import times
from workbench.model.canonical import canonical_text, image_digest
from workbench.model.item_writes import writes_of
from workbench.model.masked_values import UNMATCHED
from workbench.model.merging import Rules
from workbench.model.times import END_OF_TIME, Moment, instant, window
from workbench.questions.asking import Asking
from workbench.questions.history import chained
from workbench.questions.masking import ImageMask, masked_paths
from workbench.questions.state import state_in_parts
from workbench.sandbox import ItemStore
from workbench.text import count, file_name
from workbench.undo.applying import Applied, How, apply_plan
from workbench.undo.journal import journal_of
from workbench.undo.plan_file import About, Lines, reading, writing
from workbench.undo.targets import DynamoTarget, StoreTarget, Target

Image = Mapping[str, Any]
_UNKNOWN: Image = {}  # an image there was, which the log does not hold


def replay(
    asking: Asking,
    table: str,
    to_table: str,
    *,
    as_of: Moment | None,
    start: Moment | None,
    end: Moment | None,
    rate: float | None,
    limit: int | None,
    why: str | None,
    out: str | Path | None,
    journal: str | Path | None,
) -> Applied:
    """Write a state, or the changes of a window, into another table; see `Workbench.replay`."""
    if to_table == table:
        raise ParameterError(f"{table!r} is the table itself: replay into another one, to_table=")
    if as_of is not None and (start is not None or end is not None):
        raise ParameterError("a state (as_of) or the changes of a window (start, end): replay one, and then the other")
    in_window = start is not None or end is not None
    begin, until = window(start, end)
    at = END_OF_TIME if as_of is None else instant(as_of)
    types = dict(asking.engine.keys(table)[0].types)
    mask = _mask(asking, types)
    made_at = times.now()
    asked: dict[str, Any] = {"table": table, "as_of": as_of and at, "start": start and begin, "end": end and until}
    asked |= {"mask": asking.settings.mask, "mask_with": asking.settings.mask_with if asking.settings.mask else None}
    given = {name: value for name, value in asked.items() if value}
    place = _place(asking, table, to_table, out, made_at)
    book = journal_of(place) if journal is None else paths.local_path(journal, ParameterError, "name a file")
    with _target(asking, table, to_table, types) as (target_of, key):
        there = target_of("").describe()
        about = About(
            to_table,
            key,
            "replay" if in_window else "state",
            made_at,
            given,
            Rules(at=made_at),
            there.arn,
            there.table_id,
            in_order=in_window,
        )
        with writing(place, about) as lines:
            if in_window:
                notes = _add_changes(asking, table, begin, until, lines, about, mask)
            else:
                notes = _add_state(asking, table, at, lines, about, mask)
            notes += [UNMATCHED.format(path) for path in mask.unmatched] if lines.count else []
            lines.about = replace(about, notes=tuple(notes))
        with reading(place) as plan:
            return apply_plan(plan, target_of(plan.sha), book, asking.settings.home, How(rate, limit, why=why))


def _add_state(asking: Asking, table: str, at: datetime, lines: Lines, about: About, mask: ImageMask) -> list[str]:
    """Add a put of every item there was; return what to know."""
    parts = asking.retrying(table, lambda: list(state_in_parts(asking, table, at)))
    for part in parts:
        for text in part.rows.column("image").to_pylist():
            if text is not None:
                image = orjson.loads(canonical_text(mask(text)))
                _add(lines, about, None, image, "put", at if at < END_OF_TIME else about.made_at)
    return [*asking.notes(table, at), *parts[-1].notes]


def _add_changes(
    asking: Asking, table: str, begin: datetime, until: datetime, lines: Lines, about: About, mask: ImageMask
) -> list[str]:
    """Add what makes each change of a window, in their order; return what to know."""
    answer = asking.retrying(table, lambda: asking.ask("changes", table, start=begin, end=until))
    unknown = 0
    left: dict[str, Image | None] = {}
    for row in in_their_order(answer.rows, about.key):
        old = _image(row["old_image"], mask, there=row["event_name"] != "INSERT")
        new = _image(row["new_image"], mask, there=row["event_name"] != "REMOVE")
        if old is _UNKNOWN:  # a log without old images
            old = left.get(row["keys"], _UNKNOWN)
        if row["old_image"] is None:
            left[row["keys"]] = new
        if old is _UNKNOWN or new is _UNKNOWN:
            unknown += 1
        else:
            _add(lines, about, old, new, row["event_name"].lower(), row["event_id"])
    notes = [*asking.notes(table, until), *answer.notes]
    if unknown:
        notes.append(f"left out: {count(unknown, 'change')} of which the log does not hold both images")
    return notes


def in_their_order(rows: pa.Table, key: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield the changes of items that have this key by their times, those of one instant as their images follow on.

    Parameters
    ----------
    rows
        Of `changes.sql`.
    """
    names = sorted(key)
    by_time = rows.take(pc.sort_indices(rows, [("ts", "ascending"), ("keys", "ascending"), ("event_id", "ascending")]))
    counted = by_time.group_by(["keys", "ts"]).aggregate([([], "count_all")])
    tied = counted.filter(pc.greater(counted.column("count_all"), 1)).column("keys")
    whole = by_time.filter(pc.is_in(by_time.column("keys"), value_set=tied.combine_chunks().unique())).to_pylist()
    place: dict[tuple[str, str], int] = {}
    for _, group in groupby(sorted(whole, key=lambda row: str(row["keys"])), key=lambda row: row["keys"]):
        for at, (row, _) in enumerate(chained(list(group))):
            place[row["keys"], row["event_id"]] = at
    each = (row for batch in by_time.to_batches(max_chunksize=10_000) for row in batch.to_pylist())
    for _, group in groupby(each, key=lambda row: (row["ts"], row["keys"])):
        for row in sorted(group, key=lambda row: place.get((row["keys"], row["event_id"]), 0)):
            if sorted(orjson.loads(row["keys"])) == names:
                yield row


def _add(lines: Lines, about: About, old: Image | None, new: Image | None, action: str, made: object) -> None:
    for write in writes_of(about.table, [*about.key], old, new):
        whole = image_digest(old) if write.kind == "Delete" else None
        lines.add(write, action, [str(made)], whole=whole, units=write.units(old))


def _image(text: str | None, mask: ImageMask, *, there: bool) -> Image | None:
    if text is None:
        return _UNKNOWN if there else None
    image: Image = orjson.loads(canonical_text(mask(text)))
    return image


def _mask(asking: Asking, types: Mapping[str, str]) -> ImageMask:
    """Return what hides values by the settings.

    Raises
    ------
    ParameterError
        Where items could not be told apart by their masked keys any more.
    """
    s = asking.settings
    for names in masked_paths(s.mask):
        kind = types.get(names[0])
        if kind and (kind != "S" or s.mask_with == "redact"):
            raise ParameterError(
                f"the key attribute {names[0]!r} is masked, and items need keys that differ: a key of type S can be "
                "masked by hash (mask_with=hash)"
            )
    return ImageMask(s.mask, s.mask_with, s.mask_salt)


def _place(asking: Asking, table: str, to_table: str, out: str | Path | None, at: datetime) -> Path:
    if out is not None:
        return paths.local_path(out, ParameterError, "the plan is a file of this machine")
    name = file_name(f"{table}-to-{to_table}-{at:%Y%m%dT%H%M%S.%f}Z")
    return asking.settings.home / "undo" / f"{name}.jsonl"


@contextmanager
def _target(
    asking: Asking, table: str, to_table: str, types: Mapping[str, str]
) -> Iterator[tuple[Callable[[str], Target], Mapping[str, str]]]:
    """Open the table that is written to, and tell its key; one of the item store is made where it is not there."""
    settings, session = asking.settings, asking.engine.session
    if asking.engine.tables_in_dynamodb and session:
        dynamodb = DynamoTarget(session, to_table)
        key = dynamodb.describe().key
        _refuse_another_key(to_table, key, types)
        yield lambda source: dynamodb, key
        return
    with ItemStore(settings.item_store) as store:
        if to_table not in store.tables():
            own = store.key_types(table) if table in store.tables() else types
            store.create_table(to_table, own if dict(own) == dict(types) else types)
        key = store.key_types(to_table)
        _refuse_another_key(to_table, key, types)
        yield lambda source: StoreTarget(store, settings.item_store, to_table, source), key


def _refuse_another_key(to_table: str, key: Mapping[str, str], types: Mapping[str, str]) -> None:
    if dict(key) != dict(types):
        called = [", ".join(f"{name} ({kind})" for name, kind in each.items()) for each in (key, types)]
        raise ParameterError(
            f"{to_table!r} has the key {called[0]}, and the log's is {called[1]}: name a table with the same key"
        )
