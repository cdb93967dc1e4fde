"""class Workbench: the questions an analyst asks of a table's past."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from workbench.aws.costs import Spent, spent
from workbench.checks.machine import run_checks
from workbench.config import load_settings
from workbench.engines import Answer, Estimate, Over, open_engine
from workbench.engines.base import as_question
from workbench.errors import (
    EngineLost,
    ParameterError,
    QueryError,
    RecordRefused,
    ScanRefused,
    WorkbenchError,
    did_you_mean,
)
from workbench.log.contents import Schema, alive_at, remade
from workbench.log.exports import others
from workbench.model import stream_views
from workbench.model.attribute_paths import column_name
from workbench.model.conditions import CHANGES, COLUMN, LATEST, Condition, holds, leaves, names, names_columns, parse
from workbench.model.keys import Key, read_keys
from workbench.model.records import EVENTS, refuse_images
from workbench.model.times import END_OF_TIME, START_OF_TIME, Moment, duration, instant
from workbench.model.times import window as time_window
from workbench.questions import frequency, time_buckets
from workbench.questions.examination import examine
from workbench.questions.frames import answer_frame, change_frame, item_frame
from workbench.questions.history import Comparison, History, Row, compare, history, with_baseline
from workbench.questions.masking import REDACTED, beside, mask, names_masked, ordered, unmatched
from workbench.questions.quality import Quality
from workbench.questions.reconciliation import actual_state, against_live, scanned
from workbench.questions.result import Result, Stats
from workbench.questions.schema_drift import drift
from workbench.sandbox.generate import Generated
from workbench.sql.filters import EVERYTHING, Filter, Keys
from workbench.text import count, plain
from workbench.vocabulary import QUESTIONS, question_name, text_of

if TYPE_CHECKING:
    from workbench.log.checkpoints import Checkpoint
    from workbench.sandbox.dynamodb_writer import Written

_BY_KEY = frozenset({"latest_state", "changes", "item_history", "diff", "reconcile"})  # whose rows are ordered by key
_NO_MASK = "the mask {} applies to nothing here"
_KINDS: Mapping[type, str] = {Decimal: "N", str: "S", bool: "BOOL", bytes: "B"}
_PARAMETERS = ("source", "baseline", "engine", "database", "workgroup", "max_scan_bytes")
Kind = Literal["event", "attribute", "key", "concentration", "interval"]
R = TypeVar("R", bound=Result)
T = TypeVar("T")


class Workbench:
    """A change log, and the questions it answers.

    Parameters
    ----------
    source
        A folder, file or glob of change logs; without it, the embedded lake in ``.workbench/lake``.
    **settings
        Any setting of `workbench.config.Settings`; they win over ``WORKBENCH_*`` in the environment and
        over ``workbench.toml``.

    Examples
    --------
    >>> wb = Workbench()                                            # doctest: +SKIP
    >>> wb.latest_state("persons", as_of="-2d").df    # doctest: +SKIP
    """

    def __init__(self, source: str | Path | None = None, **settings: Any) -> None:
        self.settings = load_settings(source=None if source is None else str(source), **settings)
        self._engine = open_engine(self.settings)
        WorkbenchError.tracebacks = self.settings.tracebacks

    @classmethod
    def from_parameters(cls, variables: Mapping[str, Any]) -> Workbench:
        """Open the log that a notebook's parameters name: ``wb = Workbench.from_parameters(globals())``.

        Of the variables those count that say which log is asked, and where: source, baseline, engine, database,
        workgroup and max_scan_bytes. One that is missing, None or empty is what the settings say. So they hold when
        ``papermill -p engine athena`` sets them, and no notebook has to declare or hand on each of them.

        Examples
        --------
        >>> Workbench.from_parameters({"source": "bucket/data", "engine": None, "table": "persons"}).settings.source
        'bucket/data'
        """
        return cls(**{name: variables[name] for name in _PARAMETERS if variables.get(name) not in (None, "")})

    def __repr__(self) -> str:
        """Say which engine answers, from where, and which file the settings are of."""
        s = self.settings
        return plain(
            f"Workbench(engine={s.engine!r}, {self._engine.place_of_logs}, settings={str(s.file or 'defaults')!r})"
        )

    @property
    def session(self) -> Any:
        """The boto3 session of the Athena engine; None of the embedded one."""
        return self._engine.session

    def tables(self) -> pd.DataFrame:
        """List the tables there are.

        Returns
        -------
        pandas.DataFrame
            table, layout, objects (how many), bytes (stored), first_arrival and last_arrival (UTC, of
            objects; NaT where neither name nor partition tells), aws_region and account_id (where the source is read
            for it and its records tell: a name that stands for several tables is listed for each; on Athena, where
            listing runs no query, as far as the log was looked into). What else a source holds, which is no log or was
            passed over, and what was not looked into, is told by ``df.attrs["notes"]``.
        """
        return self._engine.tables()

    def latest_state(
        self, table: str, *, as_of: Moment | None = None, include_deleted: bool = False, where: str | None = None
    ) -> Result:
        """Show what is in a table, or what was in it at an instant.

        Parameters
        ----------
        as_of
            An instant, UTC where it names no zone; changes made at that instant are included, whenever
            they arrived.
        include_deleted
            Show items that are gone too, by their keys, with when they went.
        where
            A condition on attributes, such as ``person.age > 40``; see `workbench.model.conditions`.

        Returns
        -------
        Result
            One row an item, ordered by key: its attributes as typed, flattened columns (see
            `workbench.model.attributes.frame`), and ``_changed_at``, its last change (UTC, microseconds). With
            `include_deleted` also ``_deleted_at`` (NaT where it lives) and ``_by_ttl``.

        Raises
        ------
        TableNotFound
            Naming the tables there are.
        ParameterError
            Where `where` or `as_of` cannot be read; the message says at which character.
        """
        at, condition = END_OF_TIME if as_of is None else instant(as_of), self._condition(where, LATEST)
        answer, df = self._state(table, at, include_deleted, condition)
        if df.empty and at < END_OF_TIME:  # nothing there yet: show the columns there will be
            df = self._state(table, END_OF_TIME, include_deleted, condition)[1].iloc[:0]
        asked = {"as_of": at if as_of else None, "include_deleted": include_deleted, "where": where}
        ambiguous = sum(answer.rows.column("ambiguous").to_pylist())
        return self._result(
            Result,
            df,
            answer,
            "latest_state",
            table,
            asked,
            ambiguous,
            notes=[*self._notes(table, at), *self._unmatched(df, where), *self._hints(table, df, condition, LATEST)],
        )

    def changes(
        self,
        table: str,
        *,
        start: Moment | None = None,
        end: Moment | None = None,
        key: Key | Sequence[Key] | None = None,
        prefix: bool = False,
        events: str | Sequence[str] = (),
        where: str | None = None,
        limit: int | None = None,
    ) -> Result:
        """List the changes of a table in a window of time.

        Parameters
        ----------
        start, end
            The window of event time, `start` inclusive, `end` exclusive, UTC where they name no zone.
        key, prefix
            Only of these items; see `workbench.model.keys.read_keys`.
        events
            Only INSERT, MODIFY or REMOVE, or several of them.
        where
            A condition on attributes of either image, or of ``new.`` and ``old.`` ones; see
            `workbench.model.conditions`.
        limit
            Only the newest so many; a million changes as a DataFrame take minutes and gigabytes.

        Returns
        -------
        Result
            One row a distinct change, by time: the key attributes, ts (UTC, microseconds), event_name, by_ttl,
            size_bytes, event_id, and the images' attributes as flattened columns that begin with ``new.`` and ``old.``.
        """
        begin, until = time_window(start, end)
        chosen = [events] if isinstance(events, str) else list(events)
        if unknown := [event for event in chosen if event not in EVENTS]:
            raise ParameterError(
                f"{unknown[0]!r} is no event: use {', '.join(EVENTS)}.{did_you_mean(unknown[0], EVENTS)}"
            )
        condition, keys = self._condition(where, CHANGES), self._keys(table, key, prefix)
        where_ = Filter(keys, tuple(chosen), condition)

        def ask() -> tuple[Answer, pd.DataFrame, int]:
            answer = self._ask("changes", table, start=begin, end=until, where=where_)
            rows = _holding(answer.rows, condition, "new_image", "old_image")
            shown = rows if limit is None else _newest(rows, limit)
            return answer, change_frame(shown, self._key_names(table), numbers=self.settings.numbers), len(rows)

        answer, df, found = self._trying(table, ask)
        asked = {
            "start": start and begin,
            "end": end and until,
            "key": key,
            "prefix": prefix,
            "events": chosen,
            "where": where,
            "limit": limit,
        }
        notes = [f"the newest of {found:,}"] if found > len(df) else []
        notes += self._unmatched(df, where, key, chosen, limit)
        notes += _held(stream_views.count_views(answer.rows))
        notes += self._hints(table, df, condition, CHANGES) if limit != 0 else []
        return self._result(Result, df, answer, "changes", table, asked, notes=notes)

    def item_history(
        self,
        table: str,
        key: Key | Sequence[Key] | None = None,
        *,
        prefix: bool = False,
        start: Moment | None = None,
        end: Moment | None = None,
    ) -> History:
        """Tell what happened to an item, or to a few: every change in order, attribute by attribute.

        Parameters
        ----------
        key, prefix
            The item's key, such as ``{"pk": "p-1"}`` or ``"pk=p-1"``, or several; without one, the item that changed
            most. One attribute of a composite key is all items that have it; with `prefix` the last attribute
            given is what the items' begin with.
        start, end
            Show only the changes of this window.

        Returns
        -------
        History
            One row an attribute change, by item and in the order of the changes: the key attributes, life (1, then
            one more after each deletion), ts (UTC, microseconds), event_name (INSERT, MODIFY, REMOVE, or BASELINE for
            what an export knows), by_ttl, since_previous (the time since the item's change before), path, change
            (added, removed, changed, type changed, members added, members removed, or unknown where the log holds one
            image only, or none), before and after (Python values;
            <NA> is absent, None is NULL), before_type and after_type (DynamoDB's), missing (a change before this one
            is not in the log, since what it found is not what was left), event_id. A change that changed no
            attribute but the key's is one row without a path.

        Raises
        ------
        ParameterError
            Where an attribute is none of the key, or a value not of its type.
        """
        begin, until = time_window(start, end)
        keys = self._keys(table, key, prefix)
        if key is None:
            busiest = self._engine.ask("hot_keys", table, start=begin, end=until, limit=1).rows
            keys = tuple(busiest.column("keys").to_pylist() or [""])  # which is no item's

        def ask() -> tuple[Answer, pd.DataFrame]:
            answer = self._ask("changes", table, end=until, where=Filter(keys))
            rows = _rows(answer.rows)
            if known := self._engine.baseline(table, None if until == END_OF_TIME else until):
                exported = self._engine.ask(
                    "changes",
                    table,
                    start=START_OF_TIME,
                    end=END_OF_TIME,
                    over="baseline",
                    where=Filter(keys),
                )
                rows = with_baseline(rows, _rows(exported.rows), known.time)
            return answer, history(rows, self._key_names(table), start=begin)

        answer, df = self._trying(table, ask)
        asked = {"key": key, "prefix": prefix, "start": start and begin, "end": end and until}
        notes = [*self._notes(table, until), *_held(stream_views.count_views(answer.rows)), *self._hints(table, df)]
        return self._result(History, df, answer, "item_history", table, asked, notes=notes)

    def diff(
        self,
        table: str,
        before: Moment,
        after: Moment | None = None,
        *,
        key: Key | Sequence[Key] | None = None,
        prefix: bool = False,
    ) -> Comparison:
        """Compare a table, or items of it, at two instants.

        Parameters
        ----------
        before, after
            The instants, both inclusive, UTC where they name no zone; without `after`, now.
        key, prefix
            Only these items, as in `item_history`.

        Returns
        -------
        Comparison
            One row an attribute that differs: the key attributes, item (added, removed, changed), path, change, before,
            after, before_type, after_type, as in `item_history`.
        """
        instants = instant(before), END_OF_TIME if after is None else instant(after)
        if instants[0] > instants[1]:
            raise ParameterError(f"the instants are the wrong way round: {instants[0]} is after {instants[1]}")
        chosen = Filter(self._keys(table, key, prefix))

        def ask() -> tuple[Answer, pd.DataFrame, dict[str, int]]:
            answers = [self._state_at(table, at, where=chosen) for at in instants]
            one, other = (_images(answer.rows) for answer in answers)
            df, items = compare(one, other, self._key_names(table), ("added", "removed", "changed"))
            return answers[-1], df, items

        answer, df, items = self._trying(table, ask)
        asked = {"before": instants[0], "after": after and instants[1], "key": key, "prefix": prefix}
        return self._result(
            Comparison, df, answer, "diff", table, asked, items=items, notes=self._notes(table, instants[0])
        )

    def reconcile(
        self,
        table: str,
        against: str | Path = "live",
        *,
        lag: str = "15min",
        wait: bool = False,
        segments: int = 4,
        rate: float | None = None,
    ) -> Comparison:
        """Compare the state the log leads to with the table itself.

        Parameters
        ----------
        against
            ``live``, the table as it is (the embedded item store; with ``engine="athena"`` a scan of the table of
            DynamoDB), or an export to S3, which is compared with the state at the time of the export.
        lag
            How long delivery may take: items with younger changes that are not in the log are in flight, and
            count for no difference.
        wait
            On DynamoDB: look at what differs again when `lag` is over, so that what is missing then is missing.
        segments, rate
            On DynamoDB: segments scanned side by side, and the read capacity units a second they may take.

        Returns
        -------
        Comparison
            One row an attribute that differs, before in the log and after in the table: the key attributes, item
            (``missing`` in the log, ``extra`` in it, ``differing``, ``in flight``), path, change, before, after,
            before_type, after_type.

        Raises
        ------
        StoreError
            Where there is no such table in the item store, or the table of DynamoDB cannot be read.
        ParameterError
            Where `against` holds no export of the table, or the log's keys are not the table's.
        """
        if segments < 1 or (rate is not None and not rate > 0):
            raise ParameterError(f"segments={segments}, rate={rate}: at least one segment, and a rate above nothing")
        slack, keys, sides = duration(lag), self._key_names(table, END_OF_TIME), ("missing", "extra", "differing")
        asked = {"against": str(against), "lag": lag}
        if self._engine.tables_in_dynamodb and str(against) == "live":
            scan, notes = scanned(self.session, table, keys, segments=segments, rate=rate)

            def ask_about(some: Sequence[str]) -> Answer:
                return self._state_at(table, END_OF_TIME, include_deleted=True, where=Filter(tuple(some)))

            found = self._trying(table, lambda: against_live(self.session, table, scan, ask_about, slack, wait=wait))
            df, items = compare(found.logged, found.actual, keys, sides, found.in_flight)
            return self._result(
                Comparison, df, found.answer, "reconcile", table, asked, items=items, notes=[*notes, *found.notes]
            )
        at, actual, in_flight, notes = actual_state(
            self.settings, table, against, slack, keys, place=self._engine.place(table), find=self._engine.exports
        )

        def ask() -> tuple[Answer, pd.DataFrame, dict[str, int]]:
            answer = self._state_at(table, at or END_OF_TIME, over="state" if at is None else "log")
            df, items = compare(_images(answer.rows), actual, keys, sides, in_flight)
            return answer, df, items

        answer, df, items = self._trying(table, ask)
        return self._result(Comparison, df, answer, "reconcile", table, asked | {"as_of": at}, items=items, notes=notes)

    def change_frequency(
        self,
        table: str,
        *,
        every: str | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
        by: Kind = "event",
        timezone: str = "UTC",
        limit: int = 20,
    ) -> Result:
        """Count the changes of a table over time by event, or by attribute, by item, by the time in between.

        Parameters
        ----------
        every
            Width of a bucket: 1min, 5min, 15min, 30min, 1h, 3h, 6h, 12h, 1d, 1w (from Monday) or 1mo; by event 1h
            where not given.
        start, end
            The window of event time, `start` inclusive, `end` exclusive, in `timezone` where they name no zone.
        by
            What is counted, see below.
        timezone
            Zone whose days and hours the buckets follow, and the window, such as ``Europe/Berlin``.
        limit
            How many items, with ``by="key"``.

        Returns
        -------
        Result
            ``by="event"``: bucket (datetime64[us, `timezone`], its start; empty ones too, of
            more than 20,000 those beside others only, which ``stats.notes`` says), inserts, modifies,
            removes, ttl_removes (part of removes) and changes.

            ``by="attribute"``, of MODIFY changes, since an INSERT or REMOVE touches every attribute: path, changes,
            and of these added, removed, changed and type_changed, items, share (of all MODIFY changes, 0 to 1),
            first_change and last_change (UTC), most changed first; with `every` instead path, bucket and changes.
            Writes that changed nothing are counted in ``stats.notes``.

            ``by="key"``: the key attributes, changes, inserts, modifies, removes, share, first_change and
            last_change, most changed first, and in the order of their keys where that is equal; of these, `limit` keeps
            those whose keys come first as text (10 before 9).

            ``by="concentration"``: changes_per_item, items that have so many, and item_share and change_share,
            cumulative from the most changed items on.

            ``by="interval"``, the time from one change of an item to its next: longer_than and up_to (timedelta),
            changes and share.

        Raises
        ------
        TableNotFound
            Naming the tables there are.
        ParameterError
            For an unknown bucket, time zone or `by`, or a window that ends before it starts.
        """
        begin, until = time_window(start, end, timezone)
        window: dict[str, Any] = {"start": begin, "end": until}
        asked = {"by": by, "every": every, "start": start and begin, "end": end and until, "timezone": timezone}
        unit, ends = time_buckets.unit_of(every or "1h", timezone), (begin if start else None, until if end else None)
        if by == "event":
            answer = self._engine.ask("change_frequency", table, **window, unit=unit)
            df = time_buckets.into_buckets(answer.rows.to_pandas(), every or "1h", timezone, *ends)
            return self._result(Result, df, answer, "change_frequency", table, asked, notes=time_buckets.left_out(df))
        if by == "attribute":
            answer, df, notes = self._trying(table, lambda: self._by_attribute(table, window, every, timezone, ends))
            return self._result(Result, df, answer, "change_frequency", table, asked, notes=notes)
        if by == "key":
            answer = self._engine.ask("hot_keys", table, **window, limit=_at_most(limit))
            df = frequency.hot_keys(answer.rows, self._key_names(table))
            return self._result(Result, df, answer, "change_frequency", table, asked | {"limit": limit})
        read = frequency.concentration if by == "concentration" else frequency.intervals
        answer = self._engine.ask(text_of("change_frequency", by), table, **window)
        return self._result(Result, read(answer.rows), answer, "change_frequency", table, asked)

    def data_quality(
        self,
        table: str,
        *,
        start: Moment | None = None,
        end: Moment | None = None,
        late_arrival: str = "24h",
        max_age: str | None = None,
    ) -> Quality:
        """Tell whether the log can be trusted: what is missing, twice, late, ambiguous or unreadable in it.

        Parameters
        ----------
        start, end
            The window of event time, `start` inclusive, `end` exclusive, UTC where they name no zone.
        late_arrival
            How late changes may arrive, such as ``24h``.
        max_age
            How old the newest change may be, such as ``1h``; an older log fails. Without it, one that is silent for
            longer than a week, and three times longer than ever before, is a warning. A window that ends before now is
            not judged.

        Returns
        -------
        Quality
            ``df`` with one row a finding: finding, status (ok, note, warning, failed), count, share (0 to 1), of
            (what the share is of), examples, meaning, remedy; and the frames ``gaps``, ``lag`` and ``drift``, and
            ``verdict``.
        """
        begin, until = time_window(start, end)
        slack, oldest = duration(late_arrival), duration(max_age) if max_age else None
        hide = partial(self._masked, table)
        found, answer = self._trying(table, lambda: examine(self._engine, table, begin, until, slack, hide, oldest))
        df = found.pop("df")
        asked = {"start": start and begin, "end": end and until, "late_arrival": late_arrival, "max_age": max_age}
        keys = (column_name((name,)) for name in self._key_names(table))
        notes, known = self._notes(table, until), [*keys, *found["drift"]["path"]]
        notes += [_NO_MASK.format(path) for path in beside(self.settings.mask, known)] if len(found["drift"]) else []
        return self._result(Quality, df, answer, "data_quality", table, asked, notes=notes, **found)

    def ask(self, question: str, table: str, /, **values: Any) -> Result:
        """Answer a question by its name: by its method, or of another `.sql` file by what its head declares.

        Parameters
        ----------
        question
            A question by its name or shorter name, or the name of a `.sql` file in ``workbench/sql``, such as hot_keys.
        **values
            Its parameters; the others have their defaults.

        Returns
        -------
        Result
            What the method gives; of a file, the columns of its head in the order of its rows, see
            `workbench.questions.frames.answer_frame`.

        Raises
        ------
        ParameterError
            Where there is no such question, or parameter; or a mask is set, and the head does not rule out that the
            answer holds values of attributes.

        >>> wb = Workbench()  # doctest: +SKIP
        >>> wb.ask("hot_keys", "persons", limit=5).df  # doctest: +SKIP
        """
        if (name := question_name(question)) in QUESTIONS:
            result: Result = getattr(self, name)(table, **values)
            return result
        meant = as_question(name)
        if self.settings.mask and not meant.tells_no_values:
            raise ParameterError(
                f"{name} could show what is masked ({', '.join(self.settings.mask)}), since it reads images or answers "
                "with texts: ask without a mask, or give the question a method that holds it"
            )
        bound = meant.bind(values)
        asked = {each: bound[each] for each, value in values.items() if value is not None}
        answer = self._trying(table, lambda: self._engine.ask(meant, table, **values))
        df = answer_frame(answer.rows, meant.columns, self._key_names(table))
        return self._result(Result, df, answer, name, table, asked, notes=self._notes(table, END_OF_TIME))

    def sql(self, question: str, table: str, /, **values: Any) -> str:
        """Return the text of a question over a table, in Athena's dialect, without running it.

        Parameters
        ----------
        question
            A question by its name or shorter name, whose text is what `Result.sql` holds (of `change_frequency` by
            what `by` says; of `data_quality` the first of several); or the name of a `.sql` file in ``workbench/sql``,
            such as hot_keys.
        **values
            Its parameters; the others have the defaults the question's method has. `where` is a condition, for
            latest_state and changes.
        """
        question = text_of(question, values.pop("by", None))
        where = values.pop("where", None)
        meant = as_question(question)
        if where and not meant.filters:
            raise ParameterError(f"{question} takes no where; latest_state and changes do")
        if where and names_masked(where, self.settings.mask):
            raise ParameterError(
                "the SQL of a condition on a masked attribute would show its values: leave it out, or "
                "ask the question itself"
            )
        columns = LATEST if meant.state else CHANGES
        chosen = Filter(condition=parse(where, columns) if where else None)
        return self._engine.sql(meant, table, where=chosen, **values)

    def estimate(self, question: str, table: str, /, **values: Any) -> Estimate:
        """Tell what a question would scan on Athena, and what that would cost, without running it; see `sql`.

        It is the size of the objects in the partitions the question's window needs; columns that are not asked for
        make it less where the log is in Parquet. The embedded engine reads the same objects, at no cost.
        """
        values.pop("where", None)
        question = text_of(question, values.pop("by", None))
        return self._engine.estimate(question, table, **values)

    @property
    def spent(self) -> Spent:
        """What all queries of this workbench have taken so far; nothing on the embedded engine."""
        return spent(self._engine.finished)

    def create_table(self, name: str, location: str, *, first_year: int | None = None) -> str:
        """Register the change log under a prefix of S3 in the Glue catalog, and return the statement that does it.

        The layout (envelope or raw), JSON or Parquet and how its folders tell the time are read off its objects; the
        table has explicit columns and projected partitions.

        Raises
        ------
        ParameterError
            Where there are no objects, they are of another layout, or the table exists.
        """
        return self._engine.catalog.register(name, location, first_year=first_year)

    def table_ddl(self, name: str) -> str:
        """Return the statement that makes a table of the Glue catalog, in Athena's DDL."""
        return self._engine.catalog.ddl(name)

    def generate(self, dataset: str, **options: Any) -> Generated | Written:
        """Make a realistic table and its change log in the embedded lake; see `workbench.sandbox.generate.generate`.

        With ``engine="athena"`` the same items are written to the table of DynamoDB, whose pipeline then logs the
        changes; see `workbench.sandbox.dynamodb_writer.write`. How the log is delivered (duplicates, late, reordered,
        layout) is then the pipeline's affair, and these options are left alone.
        """
        return self._engine.generate(dataset, **options)

    def export_baseline(self, table: str, to: str | Path = "exports") -> Path | str:
        """Export a table as it is now, in the form of DynamoDB's export to S3.

        Returns
        -------
        pathlib.Path or str
            The export's own folder, for ``Workbench(baseline=…)`` and for `reconcile`. With ``engine="athena"``, where
            DynamoDB makes the export under ``s3://…`` in its own time, its ARN: `export_status` tells how far it is.
        """
        return self._engine.export_table(table, to)

    def export_status(self, table: str) -> pd.DataFrame:
        """Tell how far the exports of a table of DynamoDB are; see `workbench.aws.export_jobs.export_status`."""
        return self._engine.export_status(table)

    def checkpoint(self, table: str, *, keep: int = 14) -> Checkpoint:
        """Keep what the log has come to, so that later answers read it and the new objects only.

        What is in a table, and what was in it at an instant, since then, is answered from the newest checkpoint that
        tells it; so are `diff`, `reconcile` and, of a window that starts since then, `data_quality`. The answers are
        the same as without: what comes late counts, and where a late change could lead further back than the checkpoint
        knows, all of the log is read. The setting `late_arrival` is how far back it knows everything; the setting
        `checkpoints` is where it is kept.

        Parameters
        ----------
        keep
            So many of the table's checkpoints stay, the newest.

        Returns
        -------
        Checkpoint
            What was kept: `since`, from when on states can be told from it, `made` (both UTC), `place`, `bytes`, the
            `objects` of the log it stands on, and their `unreadable` lines; as text, a line of these.

        Raises
        ------
        ConfigError
            Where none are kept.
        ParameterError
            Where `keep` is less than one.
        """
        if keep < 1:
            raise ParameterError(f"keep={keep}: at least the new checkpoint stays")
        return self._trying(table, lambda: self._engine.checkpoint(table, keep))

    def check(self) -> pd.DataFrame:
        """Check that this machine and the lake are ready; see `workbench.checks.machine.run_checks`."""
        return run_checks(self.settings)

    def close(self) -> None:
        """Free what the engine holds; the next question opens it again."""
        self._engine.close()

    def _state(
        self, table: str, at: datetime, include_deleted: bool, condition: Condition | None
    ) -> tuple[Answer, pd.DataFrame]:
        chosen = Filter(condition=condition)

        def ask() -> tuple[Answer, pd.DataFrame]:
            answer = self._state_at(table, at, include_deleted=include_deleted, where=chosen)
            rows = answer.rows if include_deleted else answer.rows.filter(answer.rows.column("image").is_valid())
            rows = _holding(rows, condition, "image")
            keys = self._key_names(table, at)
            return answer, item_frame(rows, keys, numbers=self.settings.numbers, include_deleted=include_deleted)

        return self._trying(table, ask)

    def _state_at(
        self,
        table: str,
        at: datetime,
        *,
        include_deleted: bool = False,
        where: Filter = EVERYTHING,
        over: Over = "state",
    ) -> Answer:
        """Ask for the state at an instant, and leave out what the log's images do not tell."""
        answer = self._ask("latest_state", table, over=over, as_of=at, include_deleted=include_deleted, where=where)
        unknown, ended = (answer.rows.column(name).to_pylist() for name in ("unknown", "ended"))
        rows, notes = answer.rows, answer.notes
        if any(ended):
            rows = _ended(rows, self._engine.keys(table))
        if any(unknown):
            after = at if at == END_OF_TIME else at + timedelta(microseconds=1)  # of that instant too
            held = self._engine.ask("stream_views", table, start=START_OF_TIME, end=after).rows.to_pylist()
            found = stream_views.infer_views(held)
            if not stream_views.have_states(found):
                raise ParameterError(
                    f"what is in {table!r} cannot be told: the log holds {stream_views.missing_images(found)}; "
                    "count its changes, or let the stream hand on both images"
                )
            notes = (
                *notes,
                f"left out: {count(sum(unknown), 'item')}, as the last change does not tell what it left: "
                f"the log holds {stream_views.missing_images(found)}",
            )
            rows = rows.filter(pa.array([not each for each in unknown], pa.bool_()))
        return replace(answer, rows=rows, notes=notes)

    def _by_attribute(
        self,
        table: str,
        window: Mapping[str, Any],
        every: str | None,
        timezone: str,
        ends: tuple[datetime | None, datetime | None],
    ) -> tuple[Answer, pd.DataFrame, list[str]]:
        keys, modified, answer = self._key_names(table), Filter(events=("MODIFY",)), None
        for last in (False, True):
            found = frequency.AttributeChanges(keys)
            try:
                for answer in self._engine.batches("changes", table, where=modified, **window):
                    found.add(answer.rows)
                break
            except EngineLost:  # parts of the answer are counted: count all of them again
                if last:
                    raise
        answer = answer or self._engine.ask("changes", table, where=Filter(nothing=True), **window)
        df = found.over_time(every, timezone, *ends) if every else found.total()
        notes = time_buckets.left_out(df)
        notes += [f"{count(found.no_op_writes, 'write')} that changed nothing"] if found.no_op_writes else []
        notes += [f"{count(found.unknown, 'change')} without both images not compared"] if found.unknown else []
        notes += _held(found.held)
        return answer, df, notes

    def _trying(self, table: str, ask: Callable[[], T]) -> T:
        try:
            return ask()
        except RecordRefused as error:  # an image is no DynamoDB JSON: find its line, and answer from the others
            self._engine.reread(table, error)
            return ask()

    def _key_names(self, table: str, at: datetime | None = None) -> Sequence[str]:
        """Name the attributes of the key, at an instant or of all there have been."""
        schemas = self._engine.keys(table)
        named = schemas if at is None else [alive_at(schemas, at)]
        return tuple(dict.fromkeys(name for each in named for name in each.types))

    def _keys(self, table: str, key: Key | Sequence[Key] | None, prefix: bool) -> Keys:
        if key is None and prefix:
            raise ParameterError("a prefix is of a key: give the key too (--key)")
        if key is None:
            return ()
        refused: ParameterError | None = None
        for whole in (False, True):  # it may be one that the table had before
            types = [each.types for each in self._engine.keys(table, whole=whole)]
            try:
                return tuple(
                    each if isinstance(each, str) else tuple(each) for each in read_keys(key, types, prefix=prefix)
                )
            except ParameterError as error:
                refused = error
        named = " ".join(f"{name}=…" for name in types[0])  # a text without names is a value of these
        self._refuse_masked(f"{key} {named}", f"a key is like {named}")
        raise refused or ParameterError(f"the key {key!r} cannot be read")

    def _condition(self, where: str | None, columns: Mapping[str, type]) -> Condition | None:
        try:
            return parse(where, columns) if where else None
        except ParameterError:
            self._refuse_masked(where or "", "see `workbench.model.conditions`")
            raise

    def _refuse_masked(self, text: str, advice: str) -> None:
        """Refuse a text whose error would show a value of a masked attribute, without showing it."""
        if self.settings.mask and names_masked(text, self.settings.mask):
            raise ParameterError(f"what is asked names a masked attribute and cannot be read: {advice}") from None

    def _ask(self, question: str, table: str, *, where: Filter, **values: Any) -> Answer:
        """Ask the engine; in the SQL shown, a condition on a masked attribute does not tell its values."""
        answer = self._engine.ask(question, table, where=where, **values)
        matching = where.sql(*as_question(question).filters)
        if not self.settings.mask or not names_masked(matching, self.settings.mask):
            return answer
        shown = answer.sql.replace(matching, f"'{REDACTED}'") if matching in answer.sql else REDACTED
        return replace(answer, sql=shown)

    def _notes(self, table: str, at: datetime) -> list[str]:
        schemas, moment = self._engine.keys(table), at.astimezone(UTC).replace(tzinfo=None)
        notes = remade([each for each in schemas if each.first <= moment])
        if not self.settings.baseline:
            return notes
        if known := self._engine.baseline(table, None if at == END_OF_TIME else at):
            return [f"from the export of {known.time:%Y-%m-%d %H:%M:%S} UTC on", *known.problems, *notes]
        exports = self._engine.exports(self.settings.baseline)
        when = "" if at == END_OF_TIME else f" at {at:%Y-%m-%d %H:%M:%S} UTC or before"
        return [
            f"the baseline is not used: it holds no full export of {table!r}{when}, but: "
            f"{others(exports, table, self._engine.place(table))}",
            *notes,
        ]

    def _hints(
        self,
        table: str,
        df: pd.DataFrame,
        condition: Condition | None = None,
        columns: Mapping[str, type] = MappingProxyType({}),
    ) -> list[str]:
        """Say why an answer may be empty, and what a condition names that the log does not have."""
        shown = {re.sub(r"\[\d+\]", "[]", re.sub(r"^(new|old)\.", "", str(column))) for column in df.columns}
        named = {each: _path(each.path) for each in names(condition) if each.image != COLUMN} if condition else {}
        unsure = [path for path in named.values() if not _known(path, shown)]
        try:
            notes = []
            if named and (df.empty or unsure):
                shapes, _ = drift(self._ask_all("schema_drift", table))
                paths = {*shapes["path"], *(() if df.empty else shown)}
                notes = [
                    *_unknown(named.values(), paths, columns),
                    *(_other_types(condition, shapes) if condition and df.empty else ()),
                ]
            if df.empty and not notes:
                ((first, last),) = (row.values() for row in self._ask_all("log_span", table).to_pylist())
                notes = [f"the log tells of changes from {first} to {last} UTC"] if first else []
        except (ScanRefused, QueryError, ValueError, LookupError):
            return []
        return notes

    def _ask_all(self, question: str, table: str) -> pa.Table:
        return self._engine.ask(question, table, start=START_OF_TIME, end=END_OF_TIME).rows

    def _masked(self, table: str, df: pd.DataFrame, within: Sequence[str] = ()) -> pd.DataFrame:
        hidden = mask(df, self.settings.mask, self.settings.mask_with, self.settings.mask_salt)
        return hidden if hidden is df else ordered(df, hidden, len(self._leading(table, df)), within)

    def _leading(self, table: str, df: pd.DataFrame) -> Sequence[str]:
        """Name the key attributes where a frame's first columns hold them."""
        names = self._key_names(table)
        pairs = zip(names, map(str, df.columns), strict=False)
        held = all(column in (name, f'"{name}"', column_name((name,))) for name, column in pairs)
        return names if held and len(names) <= len(df.columns) else ()

    def _shown(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return what was asked without what may hold values of masked attributes."""
        hidden = {name for name in ("where", "key") if names_masked(str(asked.get(name) or ""), self.settings.mask)}
        return {
            **asked,
            **dict.fromkeys(hidden, REDACTED),
            "mask": self.settings.mask,
            "mask_with": self.settings.mask_with,
        }

    def _result(
        self,
        kind: type[R],
        df: pd.DataFrame,
        answer: Answer,
        question: str,
        table: str,
        asked: Mapping[str, Any],
        ambiguous: int = 0,
        notes: Iterable[str] = (),
        **more: Any,
    ) -> R:
        stats = Stats(
            rows=len(df),
            seconds=answer.seconds,
            objects=answer.objects,
            bytes=answer.bytes,
            unreadable=answer.unreadable,
            ambiguous_ties=ambiguous,
            first_arrival=answer.first_arrival,
            last_arrival=answer.last_arrival,
            queries=answer.queries,
            notes=(*self._unfinished(table), *notes, *answer.notes),
            spent=self.spent.cost,
            newest_change=answer.newest_change,
        )
        if self.settings.mask:
            asked = self._shown(asked)
        given = {name: value for name, value in asked.items() if value not in (None, (), [], False)}
        by_key = question in _BY_KEY or asked.get("by") == "key"
        keys = self._leading(table, df) if len(df.columns) and by_key else ()
        result = kind(
            df,
            answer.sql,
            stats,
            {"question": question, "table": table, **given},
            session=self.session,
            keys=keys,
            **more,
        )
        return replace(result, df=self._masked(table, df, result.within)) if self.settings.mask else result

    def _unfinished(self, table: str) -> list[str]:
        """Say where a table of the embedded lake is half made."""
        if not self._engine.half_made(table):
            return []
        return [
            f"{table!r} is half made: it is being generated, or that was stopped; `workbench generate {table}` "
            "makes it whole"
        ]

    def _unmatched(self, df: pd.DataFrame, *filters: Any) -> list[str]:
        """Say which masks apply to nothing in a frame of all there is."""
        if df.empty or not self.settings.mask or any(filters):
            return []
        return [_NO_MASK.format(path) for path in unmatched(df, self.settings.mask)]


def _holding(rows: pa.Table, condition: Condition | None, new: str, old: str | None = None) -> pa.Table:
    """Keep the rows of which a condition holds exactly: SQL compares numbers as doubles."""
    if condition is None:
        return rows
    news = rows.column(new).to_pylist()
    olds = rows.column(old).to_pylist() if old else [None] * len(rows)
    told = _columns(rows) if names_columns(condition) else [None] * len(rows)
    held = []
    for *texts, row in zip(news, olds, told, strict=True):
        try:
            one, other = (text and orjson.loads(text) for text in texts)
            held.append(holds(condition, one, other, row))
        except (AttributeError, LookupError, TypeError, ValueError):
            refuse_images(texts)
            raise
    return rows.filter(pa.array(held, pa.bool_()))


def _columns(rows: pa.Table) -> list[dict[str, Any]]:
    """Return the columns an answer adds to attributes, row by row, as conditions compare them."""
    found = []
    for row in rows.select([name for name in rows.column_names if not name.endswith("image")]).to_pylist():
        ts = row["ts"].replace(tzinfo=UTC)
        if "event_id" in row:
            size = row["size_bytes"]
            found.append(
                {name: row[name] for name in CHANGES}
                | {"ts": ts, "size_bytes": size if size is None else Decimal(size)}
            )
        else:
            found.append({"_changed_at": ts, "_by_ttl": row["by_ttl"]})
    if "image" in rows.column_names:
        for row, image in zip(found, rows.column("image").to_pylist(), strict=True):
            row["_deleted_at"] = row["_changed_at"] if image is None else None
    return found


def _newest(rows: pa.Table, limit: int) -> pa.Table:
    order = [("ts", "descending"), ("keys", "ascending"), ("event_id", "ascending")]
    return rows.take(pc.sort_indices(rows, sort_keys=order)[: _at_most(limit)])


def _at_most(limit: int) -> int:
    if limit < 0:
        raise ParameterError(f"limit={limit} is less than nothing")
    return int(limit)


def _path(path: tuple[str | int, ...]) -> str:
    """Write a path as `schema_drift.drift` does: of whichever element."""
    return re.sub(r"\[\d+\]", "[]", column_name(path))


def _known(path: str, paths: Iterable[str]) -> bool:
    return any(each == path or each.startswith((f"{path}.", f"{path}[")) for each in paths)


def _unknown(named: Iterable[str], paths: set[str], columns: Mapping[str, type]) -> list[str]:
    notes = []
    for path in dict.fromkeys(named):
        if _known(path, paths):
            continue
        alike = {each.casefold(): each for each in sorted({*paths, *columns})}
        same = alike.get(path.casefold())
        other = {**LATEST, **CHANGES}.keys() - columns.keys()
        told = f" Did you mean {same!r}?" if same else did_you_mean(path, alike.values())
        told = (
            f" It is a column of {'changes' if path in CHANGES else 'latest'}, not of this." if path in other else told
        )
        notes.append(f"no item in the log has {path!r}.{told}")
    return notes


def _other_types(condition: Condition, shapes: pd.DataFrame) -> list[str]:
    """Say which attributes are compared with values of a type that the log does not have of them."""
    notes = []
    for leaf in leaves(condition):
        values = getattr(leaf, "values", None) or [getattr(leaf, "value", None) or getattr(leaf, "pattern", None)]
        kinds = {_KINDS[type(value)] for value in values if type(value) in _KINDS}
        path = _path(leaf.name.path)
        held = sorted(set(shapes.loc[shapes["path"] == path, "type"]))
        if leaf.name.image != COLUMN and kinds and held and not kinds & set(held):
            notes.append(
                f"{path!r} is of type {', '.join(held)} in the log, and is compared with {', '.join(sorted(kinds))}"
            )
    return notes


def _held(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say which images changes lack."""
    lacking = stream_views.missing_images(stream_views.infer_views(rows))
    return [f"the log holds {lacking}"] if lacking else []


def _ended(rows: pa.Table, schemas: Sequence[Schema]) -> pa.Table:
    """Date items that were there when the table was made again with another key by when that was."""
    began = {json.dumps(older.types): newer.first for newer, older in pairwise(schemas)}
    found = []
    for key, ts, ended in zip(*(rows.column(name).to_pylist() for name in ("keys", "ts", "ended")), strict=True):
        types = {name: kind for name, value in orjson.loads(key).items() for kind in value} if ended else {}
        found.append(began.get(json.dumps(types), ts))
    column = rows.schema.get_field_index("ts")
    return rows.set_column(column, "ts", pa.array(found, rows.schema.field("ts").type))


def _rows(rows: pa.Table) -> list[Row]:
    """Return the rows of `changes.sql`, their times in UTC."""
    return [row | {"ts": row["ts"].replace(tzinfo=UTC)} for row in rows.to_pylist()]


def _images(rows: pa.Table) -> dict[str, str]:
    """Return the images of the items that are there, by their keys."""
    pairs = zip(rows.column("keys").to_pylist(), rows.column("image").to_pylist(), strict=True)
    return {key: image for key, image in pairs if image is not None}
