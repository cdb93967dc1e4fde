"""What is in a table, or was at an instant, and the changes that led there: `latest_state` and `changes`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from numbers import Integral
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from workbench.engines import Answer, Over
from workbench.engines.holding import surely_holding
from workbench.errors import ParameterError, did_you_mean
from workbench.log.contents import Schema
from workbench.model import stream_views
from workbench.model.conditions import CHANGES, LATEST, Condition, holds, names_columns
from workbench.model.keys import Key
from workbench.model.records import EVENTS, refuse_images
from workbench.model.times import END_OF_TIME, START_OF_TIME, Moment, instant, window
from workbench.questions.actors import actor_of
from workbench.questions.asking import Asking
from workbench.questions.gathering import Changes, Items
from workbench.questions.hints import hints
from workbench.questions.large import Frame, none_of
from workbench.questions.result import Result
from workbench.questions.what_changed import ChangeList
from workbench.sql.filters import EVERYTHING, Filter
from workbench.text import count


def latest_state(
    asking: Asking, table: str, *, as_of: Moment | None, include_deleted: bool, where: str | None
) -> Result:
    """Show what is in a table, or what was in it at an instant; see `Workbench.latest_state`."""
    at = END_OF_TIME if as_of is None else instant(as_of)
    condition = asking.read_condition(where, LATEST)
    answer, df, ambiguous = items_at(asking, table, at, include_deleted, condition)
    if df.empty and at < END_OF_TIME:  # nothing there yet: show the columns there will be
        df = none_of(items_at(asking, table, END_OF_TIME, include_deleted, condition)[1])
    notes = [*asking.notes(table, at), *asking.unmatched_masks(df, where), *hints(asking, table, df, condition, LATEST)]
    return asking.result(
        Result,
        df,
        answer,
        "latest_state",
        table,
        {"as_of": at if as_of else None, "include_deleted": include_deleted, "where": where},
        ambiguous=ambiguous,
        notes=notes,
    )


def changes(
    asking: Asking,
    table: str,
    *,
    start: Moment | None,
    end: Moment | None,
    key: Key | Sequence[Key] | None,
    prefix: bool,
    events: str | Sequence[str],
    where: str | None,
    limit: int | None,
) -> ChangeList:
    """List the changes of a table in a window of time; see `Workbench.changes`."""
    begin, until = window(start, end)
    chosen = [events] if isinstance(events, str) else list(events)
    if unknown := [event for event in chosen if event not in EVENTS]:
        raise ParameterError(f"{unknown[0]!r} is no event: use {', '.join(EVENTS)}.{did_you_mean(unknown[0], EVENTS)}")
    condition = asking.read_condition(where, CHANGES)
    matching = Filter(asking.read_keys(table, key, prefix), tuple(chosen), condition)
    actor = actor_of(asking.settings)

    def ask() -> tuple[Answer, Frame, int, list[dict[str, Any]]]:
        gathered, found, views = Changes(actor=actor, **asking.gathering), 0, []
        newest: pa.Table | None = None
        for answer in asking.batches("changes", table, start=begin, end=until, where=matching):
            views += stream_views.count_views(answer.rows)
            rows = holding(answer.rows, condition, "new_image", "old_image", threads=asking.settings.threads)
            found += len(rows)
            if limit is None:
                gathered.add(rows)
            else:
                newest = _newest(pa.concat_tables([newest, rows]) if newest else rows, limit)
        if newest:
            gathered.add(newest)
        return answer, gathered.frame(asking.key_names(table)), found, views

    answer, df, found, views = asking.retrying(table, ask)
    asked = {
        "start": start and begin,
        "end": end and until,
        "key": key,
        "prefix": prefix,
        "events": chosen,
        "where": where,
        "limit": limit,
        "actor": asking.settings.actor,
    }
    notes = [f"the newest of {found:,}"] if found > len(df) else []
    notes += asking.unmatched_masks(df, where, key, chosen, limit)
    notes += missing_images(views)
    notes += hints(asking, table, df, condition, CHANGES) if limit != 0 else []
    notes += actor.unknown(name.removeprefix("new.") for name in df.columns if name.startswith("new.")) if actor else []
    return asking.result(ChangeList, df, answer, "changes", table, asked, notes=notes, total=found)


def state_at(
    asking: Asking,
    table: str,
    at: datetime,
    *,
    include_deleted: bool = False,
    where: Filter = EVERYTHING,
    over: Over = "state",
) -> Answer:
    """Ask for the state at an instant, and leave out, with a note, what the log's images do not tell.

    Raises
    ------
    ParameterError
        Where they tell no state at all.
    """
    answers = list(state_in_parts(asking, table, at, include_deleted=include_deleted, where=where, over=over))
    return replace(answers[-1], rows=pa.concat_tables([answer.rows for answer in answers]))


def state_in_parts(
    asking: Asking,
    table: str,
    at: datetime,
    *,
    include_deleted: bool = False,
    where: Filter = EVERYTHING,
    over: Over = "state",
) -> Iterator[Answer]:
    """Ask for the state at an instant as `state_at` does; the last part has the notes."""
    unknown, ended = 0, list[pa.Table]()
    asked = {"over": over, "as_of": at, "include_deleted": include_deleted}
    for answer in asking.batches("latest_state", table, where=where, **asked):
        known = answer.rows.filter(pc.invert(answer.rows.column("unknown")))
        unknown += 0 if where.nothing else len(answer.rows) - len(known)  # Athena tells these whatever is asked for
        ended.append(known.filter(known.column("ended")))
        yield replace(answer, rows=known.filter(pc.invert(known.column("ended"))))
    rows, notes = pa.concat_tables(ended), answer.notes
    if len(rows):
        rows = _dated(rows, asking.engine.keys_seen(table))
    if unknown:
        after = at if at == END_OF_TIME else at + timedelta(microseconds=1)  # of that instant too
        counted = asking.engine.ask("stream_views", table, start=START_OF_TIME, end=after).rows.to_pylist()
        views = stream_views.infer_views(counted)
        if not stream_views.have_states(views):
            raise ParameterError(
                f"what is in {table!r} cannot be told: the log holds {stream_views.missing_images(views)}; "
                "count its changes, or let the stream hand on both images"
            )
        notes = (
            *notes,
            f"left out: {count(unknown, 'item')}, as the last change does not tell what it left: "
            f"the log holds {stream_views.missing_images(views)}",
        )
    yield replace(answer, rows=rows, notes=notes)


def images_by_key(rows: pa.Table) -> dict[str, str]:
    """Return the images of the items that are there, by their keys, both as DynamoDB JSON texts."""
    pairs = zip(rows.column("keys").to_pylist(), rows.column("image").to_pylist(), strict=True)
    return {key: image for key, image in pairs if image is not None}


def missing_images(counted: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say which images changes lack."""
    lacking = stream_views.missing_images(stream_views.infer_views(counted))
    return [f"the log holds {lacking}"] if lacking else []


def at_most(limit: int) -> int:
    """Return a number of rows.

    Raises
    ------
    ParameterError
        Where it is negative, or no whole number.
    """
    if isinstance(limit, bool) or not isinstance(limit, Integral):
        raise ParameterError(f"limit={limit!r} is no whole number")
    if limit < 0:
        raise ParameterError(f"limit={limit} is less than nothing")
    return int(limit)


def items_at(
    asking: Asking, table: str, at: datetime, include_deleted: bool, condition: Condition | None
) -> tuple[Answer, Frame, int]:
    """Return the items at an instant of which a condition holds, and how many are ambiguous."""

    def ask() -> tuple[Answer, Frame, int]:
        items: Items | None = None
        ambiguous = 0
        matching = Filter(condition=condition)
        for answer in state_in_parts(asking, table, at, include_deleted=include_deleted, where=matching):
            if items is None:
                items = Items(asking.key_names(table, at), include_deleted=include_deleted, **asking.gathering)
            ambiguous += pc.sum(answer.rows.column("ambiguous")).as_py() or 0
            rows = answer.rows if include_deleted else answer.rows.filter(answer.rows.column("image").is_valid())
            items.add(holding(rows, condition, "image", threads=asking.settings.threads))
        assert items  # of the first part at least
        return answer, items.frame(asking.key_names(table, at)), ambiguous

    return asking.retrying(table, ask)


def holding(
    rows: pa.Table, condition: Condition | None, new: str, old: str | None = None, *, threads: int | None = None
) -> pa.Table:
    """Keep the rows of which a condition holds exactly: SQL compares numbers as doubles."""
    if condition is None:
        return rows
    held = surely_holding(rows, condition, new, old, threads=threads)
    others = rows.filter(pa.array(~held))
    news = others.column(new).to_pylist()
    olds = others.column(old).to_pylist() if old else [None] * len(others)
    columns = _columns(others) if names_columns(condition) else [None] * len(others)
    exact = []
    for *texts, row in zip(news, olds, columns, strict=True):
        try:
            one, other = (text and orjson.loads(text) for text in texts)
            exact.append(holds(condition, one, other, row))
        except (AttributeError, LookupError, TypeError, ValueError):
            refuse_images(texts)
            raise
    held[~held] = exact
    return rows if held.all() else rows.filter(pa.array(held))


def _columns(rows: pa.Table) -> list[dict[str, Any]]:
    """Return the columns an answer adds to attributes, row by row, as conditions compare them."""
    columns = []
    for row in rows.select([name for name in rows.column_names if not name.endswith("image")]).to_pylist():
        if "valid_from" in row:
            began, ended = (row[name] and row[name].replace(tzinfo=UTC) for name in ("valid_from", "valid_to"))
            counts = {name: Decimal(row[name]) for name in ("version", "life")}
            columns.append({"valid_from": began, "valid_to": ended, **counts, "is_current": ended is None})
            columns[-1]["ended_by"] = row["ended_by"]
            continue
        ts = row["ts"].replace(tzinfo=UTC)
        if "event_id" in row:
            size = row["size_bytes"]
            columns.append(
                {name: row[name] for name in CHANGES}
                | {"ts": ts, "size_bytes": size if size is None else Decimal(size)}
            )
        else:
            columns.append({"_changed_at": ts, "_by_ttl": row["by_ttl"]})
    if "image" in rows.column_names and "valid_from" not in rows.column_names:
        for row, image in zip(columns, rows.column("image").to_pylist(), strict=True):
            row["_deleted_at"] = row["_changed_at"] if image is None else None
    return columns


def _newest(rows: pa.Table, limit: int) -> pa.Table:
    order = [("ts", "descending"), ("keys", "ascending"), ("event_id", "ascending")]
    return rows.take(pc.sort_indices(rows, sort_keys=order)[: at_most(limit)])


def _dated(rows: pa.Table, schemas: Sequence[Schema]) -> pa.Table:
    """Date items that were there when the table was made again with another key by when that was."""
    began = {json.dumps(older.types): newer.first for newer, older in pairwise(schemas)}
    times = []
    for key, ts, ended in zip(*(rows.column(name).to_pylist() for name in ("keys", "ts", "ended")), strict=True):
        types = {name: kind for name, value in orjson.loads(key).items() for kind in value} if ended else {}
        times.append(began.get(json.dumps(types), ts))
    column = rows.schema.get_field_index("ts")
    return rows.set_column(column, "ts", pa.array(times, rows.schema.field("ts").type))
