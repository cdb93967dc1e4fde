"""class Workbench: the questions an analyst asks of a table's past."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pyarrow.compute as pc

from workbench import attributes, buckets, render
from workbench.checks import run_checks
from workbench.config import load_settings
from workbench.embedded import ItemStore
from workbench.engines import Answer, Engine
from workbench.engines.duckdb import DuckDBEngine
from workbench.errors import ParameterError, RecordRefused
from workbench.generate import Generated, generate
from workbench.result import Result, Stats

_START_OF_TIME = datetime(1, 1, 1, tzinfo=UTC)
_END_OF_TIME = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
_DEFAULTS = {"as_of": _END_OF_TIME, "include_deleted": False, "start": _START_OF_TIME, "end": _END_OF_TIME,
             "unit": "hour", "limit": 20}  # fmt: skip
Moment = str | datetime | pd.Timestamp


class Workbench:
    """A change log, and the questions it answers.

    Parameters
    ----------
    source
        A folder, file or glob of change logs; without it, the embedded lake in ``.workbench/lake``.
    **settings
        Any setting of `workbench.config.Settings`; they win over ``WORKBENCH_*`` in the environment and
        over ``workbench.toml``.

    >>> wb = Workbench()                                            # doctest: +SKIP
    >>> wb.latest_state("persons", as_of="2026-11-01T12:00Z").df    # doctest: +SKIP
    """

    def __init__(self, source: str | Path | None = None, **settings: Any) -> None:
        self.settings = load_settings(source=None if source is None else str(source), **settings)
        self._engine: Engine = DuckDBEngine(self.settings)

    def tables(self) -> pd.DataFrame:
        """List the tables there are.

        Returns
        -------
        pandas.DataFrame
            table, layout, objects (how many), bytes (stored), first_arrival and last_arrival (UTC, hour of
            the partition; NaT outside dated partitions).
        """
        return self._engine.tables()

    def latest_state(self, table: str, *, as_of: Moment | None = None, include_deleted: bool = False) -> Result:
        """Show what is in a table, or what was in it at an instant.

        Parameters
        ----------
        as_of
            An instant, UTC where it names no zone; changes made at that instant are included, whenever
            they arrived.
        include_deleted
            Show items that are gone too, by their keys, with when they went.

        Returns
        -------
        Result
            One row an item, ordered by key: its attributes as typed, flattened columns (see
            `workbench.attributes.frame`), and ``_changed_at``, its last change (UTC, microseconds). With
            `include_deleted` also ``_deleted_at`` (NaT where it lives) and ``_by_ttl``.

        Raises
        ------
        TableNotFound
            Naming the tables there are.
        """
        at = _END_OF_TIME if as_of is None else instant(as_of)
        answer, df = self._items(table, at, include_deleted)
        if df.empty and at < _END_OF_TIME:  # nothing there yet: show the columns there will be
            df = self._items(table, _END_OF_TIME, include_deleted)[1].iloc[:0]
        ambiguous = sum(answer.rows.column("ambiguous").to_pylist())
        return _result(answer, df, ambiguous_ties=ambiguous)

    def change_frequency(self, table: str, *, every: str = "1h", start: Moment | None = None,
                         end: Moment | None = None, by: Literal["event", "key"] = "event",
                         timezone: str = "UTC", limit: int = 20) -> Result:  # fmt: skip
        """Count the changes of a table over time by event, or by item.

        Parameters
        ----------
        every
            Width of a bucket: 1min, 5min, 15min, 30min, 1h, 3h, 6h, 12h, 1d, 1w (from Monday) or 1mo.
        start, end
            The window of event time, `start` inclusive, `end` exclusive, UTC where they name no zone.
        timezone
            Zone whose days and hours the buckets follow, such as ``Europe/Berlin``.
        limit
            How many items, with ``by="key"``.

        Returns
        -------
        Result
            ``by="event"``: bucket (datetime64[us, `timezone`], its start; empty ones too), inserts, modifies,
            removes, ttl_removes (part of removes) and changes. ``by="key"``: the key attributes, changes,
            inserts, modifies, removes, share (0 to 1), first_change and last_change (UTC), most changed first.

        Raises
        ------
        TableNotFound
            Naming the tables there are.
        ParameterError
            For an unknown bucket, time zone or `by`, or a window that ends before it starts.
        """
        begin, until = start and instant(start), end and instant(end)
        if begin and until and begin >= until:
            raise ParameterError(f"the window is empty: start {begin} is not before end {until}")
        window = {"start": begin or _START_OF_TIME, "end": until or _END_OF_TIME}
        if by == "key":
            answer = self._engine.ask("hot_keys", table, **window, limit=int(limit))
            return _result(answer, self._hot_keys_frame(answer, table))
        if by != "event":
            raise ParameterError(f"by={by!r} is unknown; use 'event' or 'key'")
        unit = buckets.unit_of(every, timezone)
        answer = self._engine.ask("change_frequency", table, **window, unit=unit)
        df = buckets.into_buckets(answer.rows.to_pandas(), every, timezone, begin or None, until or None)
        return _result(answer, df)

    def sql(self, question: str, table: str, **values: Any) -> str:
        """Return the text of a question over a table, in Athena's dialect, without running it.

        Parameters
        ----------
        question
            The name of a `.sql` file in ``workbench/sql``: latest_state, change_frequency or hot_keys.
        **values
            Its parameters; the others have the defaults the question's method has.
        """
        defaults = {name: value for name, value in _DEFAULTS.items() if f":{name}" in render.whole(question)}
        times = {name: instant(value) for name, value in values.items() if name in ("as_of", "start", "end")}
        return self._engine.sql(question, table, **(defaults | values | times))

    def generate(self, dataset: str, **options: Any) -> Generated:
        """Make a realistic table and its change log in the embedded lake; see `workbench.generate.generate`."""
        with ItemStore(self.settings.store) as store:
            return generate(store, self.settings.lake, dataset, **options)

    def check(self) -> pd.DataFrame:
        """Check that this machine and the lake are ready; see `workbench.checks.run_checks`."""
        return run_checks(self.settings)

    def close(self) -> None:
        """Free what the engine holds; the next question opens it again."""
        self._engine.close()

    def _items(self, table: str, at: datetime, include_deleted: bool) -> tuple[Answer, pd.DataFrame]:
        answer = self._engine.ask("latest_state", table, as_of=at, include_deleted=include_deleted)
        try:
            return answer, self._item_frame(answer, table, include_deleted)
        except RecordRefused:  # an image is none: find the lines, and answer from the others
            self._engine.reread(table)
            answer = self._engine.ask("latest_state", table, as_of=at, include_deleted=include_deleted)
            return answer, self._item_frame(answer, table, include_deleted)

    def _key_names(self, keys: Sequence[str], table: str) -> Sequence[str]:
        """Take the names from the rows there are; only without one has the log to be asked again."""
        return tuple(json.loads(keys[0])) if keys else self._engine.key_names(table)

    def _hot_keys_frame(self, answer: Answer, table: str) -> pd.DataFrame:
        rows, texts = answer.rows, answer.rows.column("keys").to_pylist()
        keys = attributes.frame(texts, keys=self._key_names(texts, table))
        counts: pd.DataFrame = rows.drop_columns(["keys"]).to_pandas()
        counts = counts.astype(dict.fromkeys(("changes", "inserts", "modifies", "removes"), "int64"))
        for name in ("first_change", "last_change"):
            counts[name] = counts[name].astype("datetime64[us]").dt.tz_localize("UTC")
        taken = {name: f'"{name}"' for name in keys.columns if name in counts.columns}
        return pd.concat([keys.rename(columns=taken), counts], axis="columns")

    def _item_frame(self, answer: Answer, table: str, include_deleted: bool) -> pd.DataFrame:
        rows = answer.rows if include_deleted else answer.rows.filter(pc.is_valid(answer.rows.column("image")))
        keys, images = rows.column("keys").to_pylist(), rows.column("image").to_pylist()
        names = self._key_names(keys, table)
        shown = (image or key for key, image in zip(keys, images, strict=True))
        df = attributes.frame(shown, keys=names, numbers=self.settings.numbers)
        changed = rows.column("ts").to_pandas().astype("datetime64[us]").dt.tz_localize("UTC")
        df["_changed_at"] = changed
        if include_deleted:
            gone = pd.Series([image is None for image in images], dtype=bool)
            df["_deleted_at"] = changed.where(gone)
            df["_by_ttl"] = rows.column("by_ttl").to_pandas().astype(bool)
        order = [attributes.column_name((name,)) for name in names]
        mixed = any(df[name].dtype == object for name in order)  # of two types, which have no order of their own
        by_text = (lambda column: column.astype("str")) if mixed else None
        return df.sort_values(order, key=by_text, ignore_index=True)


def instant(value: Moment) -> datetime:
    """Read an instant: ISO 8601 text or a datetime, UTC where it names no zone.

    >>> instant("2026-11-01T12:00+01:00")
    datetime.datetime(2026, 11, 1, 11, 0, tzinfo=datetime.timezone.utc)
    """
    try:
        moment = datetime.fromisoformat(value.strip()) if isinstance(value, str) else value
    except ValueError as error:
        raise ParameterError(f"{value!r} is not an instant: write it like 2026-11-01T12:00:00Z") from error
    if isinstance(moment, pd.Timestamp):
        moment = moment.to_pydatetime(warn=False)
    if not isinstance(moment, datetime):
        raise ParameterError(f"{value!r} is not an instant: write it like 2026-11-01T12:00:00Z")
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _result(answer: Answer, df: pd.DataFrame, ambiguous_ties: int = 0) -> Result:
    stats = Stats(rows=len(df), seconds=answer.seconds, objects=answer.objects, bytes=answer.bytes,
                  unreadable=answer.unreadable, ambiguous_ties=ambiguous_ties)  # fmt: skip
    return Result(df, answer.sql, stats)
