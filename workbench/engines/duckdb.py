"""The embedded engine: DuckDB over a lake folder, or any folder of change logs."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast
from uuid import uuid4

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from workbench.config import Settings
from workbench.engines.bars import hide_bar
from workbench.engines.base import (
    AFTER_BASELINE,
    Answer,
    Asked,
    Engine,
    Estimate,
    Listed,
    Over,
    as_question,
    combined,
    matching,
    resumed_at,
)
from workbench.engines.exported import stage
from workbench.engines.ingest import as_it_is, layouts, let_interrupt, register_functions
from workbench.engines.schemas import schema_of_rows
from workbench.engines.snapshots import Snapshot
from workbench.engines.staging import StagedLog
from workbench.errors import (
    TOO_LARGE,
    ConfigError,
    EngineLost,
    ParameterError,
    QueryError,
    RecordRefused,
    StoreUnavailable,
    TableNotFound,
    causes,
    did_you_mean,
    without_values,
)
from workbench.log.arrivals import Zone, named_zone
from workbench.log.checkpoints import Checkpoint, Checkpoints
from workbench.log.containers import FAILURE
from workbench.log.contents import Schema, Table, alive_at, choice, one_table
from workbench.log.exports import Baseline
from workbench.log.known import as_known
from workbench.log.listing import ADVICE, list_objects
from workbench.log.manifests import Log
from workbench.log.objects import Object, Unreadable, grouped
from workbench.log.store import LogStore
from workbench.log.store_upkeep import shrink
from workbench.model.attribute_schema import Held
from workbench.model.canonical import binary_once
from workbench.model.stream_views import View, infer_views
from workbench.model.times import END_OF_TIME, START_OF_TIME, duration
from workbench.paths import local_path, private_folder
from workbench.sql.dialects import to_duckdb
from workbench.sql.filters import EVERYTHING, Filter, of_origin
from workbench.sql.layouts import arrival, known
from workbench.sql.literals import identifier, literal
from workbench.sql.query import Plan
from workbench.sql.questions import CHANGE, Question, compose
from workbench.sql.templates import fill, load, part
from workbench.sql.typed_attributes import NO_MASKS, Masks

_BASELINE = "baseline"
_CHANGES = "changes.parquet"
_NAMED = 3  # kinds of things that are no change records, where there is nothing else
_IMAGES = ("image", "new_image", "old_image")
_BATCH = 50_000  # rows of a large answer handed over at a time
M = TypeVar("M", bound=Callable[..., Any])


def _asked_again(method: M) -> M:
    """Ask once more where DuckDB died, on a new connection, and where what was read was removed or is damaged."""

    @wraps(method)
    def asked(self: DuckDBEngine, *args: Any, **options: Any) -> Any:
        if self._asking:  # within another: that one is asked again
            return method(self, *args, **options)
        lost = False
        while True:
            self._resumes, self._asking = None, True
            try:
                with self._alive():
                    return method(self, *args, **options)
            except EngineLost as error:
                if lost:
                    error.asked_again = True
                    raise
                lost = True
            except QueryError as error:
                if not self._is_mended(error, self._resumes):
                    raise
            finally:
                self._asking = False

    return cast(M, asked)


class DuckDBEngine(Engine):
    """Answers questions from files."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._asking = False
        self._logs: dict[tuple[str, str], StagedLog] = {}
        self._asked_of: dict[str, StagedLog] = {}
        self._staged: tuple[str, Baseline] | None = None
        self._not_staged: tuple[Unreadable, ...] = ()
        self._held: dict[str, Held] = {}
        self._resumes: Checkpoint | None = None
        own = None if settings.source else Zone()  # of the lake that this program writes
        self._zone = named_zone(settings.arrival_zone) if settings.arrival_zone else own
        place = settings.checkpoints or str(settings.home / "checkpoints")
        self._checkpoints = (
            None
            if place == "off"
            else Checkpoints(str(local_path(place, ConfigError, "set checkpoints to a folder, or to off")))
        )

    def close(self) -> None:
        """Free the memory and the files of the connection."""
        self._logs.clear()
        self._asked_of.clear()
        self._staged = None
        connection, self._connection = self._connection, None
        if connection:
            with suppress(duckdb.Error):  # of a database that is lost
                connection.close()
            self._emptied()

    @contextmanager
    def _alive(self) -> Iterator[None]:
        """Let Ctrl-C be Ctrl-C; where DuckDB died, close its connection, which answers nothing any more."""
        try:
            yield
        except (RuntimeError, duckdb.Error, QueryError) as error:
            let_interrupt(error)
            if not (fatal := _fatal(error)):
                if isinstance(error, duckdb.Error):
                    raise QueryError(f"DuckDB refused: {without_values(error)}") from error
                raise
            self.close()
            raise EngineLost(
                f"DuckDB died of an error of its own and was started anew, ask again: "
                f"{without_values(fatal)}; a lower setting `threads`, such as 1, may help"
            ) from None

    @_asked_again
    def tables(self) -> pd.DataFrame:
        """List the tables of the lake, or of the source, with their objects."""
        return super().tables()

    def listed(self) -> tuple[Iterable[Listed], Sequence[str]]:
        """List the tables of the lake, or of the source, and say what else the source holds."""
        known_at = self.known_at
        listed = [
            Listed(name, " + ".join(sorted(layouts(objects))), objects, region, account)
            for name, region, account, objects in self._objects_of_tables()
        ]
        if not self._settings.source:
            notes = {name: self._log(folder).notes for name, folder in self._folders().items()} if known_at else {}
            return listed, [f"{name}: {note}" for name, each in notes.items() for note in each]
        log = self._log(self._settings.source)
        return listed, [*grouped(log.unreadable), *log.notes]

    @_asked_again
    def layout(self, table: str) -> str:
        """Name the layouts of a table's log."""
        return " + ".join(sorted(layouts(self._objects(self._source_of(table)))))

    @_asked_again
    def keys(self, table: str, *, whole: bool = False) -> list[Schema]:
        """Name the keys a table has had, the newest first."""
        return self._table(table).schemas

    @_asked_again
    def keys_seen(self, table: str) -> list[Schema]:
        """Name the keys that a table had when it was asked about last."""
        log = self._asked_of.get(table)
        return self._identity(log, table).schemas if log else self.keys(table)

    @_asked_again
    def schema(self, table: str) -> Held:
        """Return what all images of a table's log hold; each part of it is looked through once, by one process."""
        try:
            return self._schema(table)
        except RecordRefused as error:
            self.reread(table, error)
            return self._schema(table)

    def _schema(self, table: str) -> Held:
        with _failing("its schema", table):
            found = self._schema_of_log(table)
            for baseline in self.baselines(table):
                self._stage(table, baseline)
                rows = f"(select *, rowid as row_id from {_BASELINE})"
                self._hold(found, repr(baseline), rows, alive_at(self._table(table).schemas, baseline.time).types)
        return found

    def _schema_of_log(self, table: str) -> Held:
        """Return what images of the log hold: of all objects or, where some are gone or not read, of a checkpoint's."""
        checkpoint, log = self._checkpoint(table, END_OF_TIME), self._log(self._source_of(table))
        gone = bool(checkpoint and log.lacks(checkpoint.objects))
        if checkpoint and checkpoint.held and (gone or not log.is_stored()):
            log = self._log(self._source_of(table), checkpoint)
        self._refresh(log)
        found = log.held(self._within(log, table) or "true", table)
        if checkpoint and log.after and checkpoint.held:
            found.merge(checkpoint.held)
        elif checkpoint and gone:
            self._hold(found, checkpoint.place, self._kept_changes(checkpoint), checkpoint.keys)
        return found

    def _hold(self, found: Held, name: str, changes: str, keys: Mapping[str, str]) -> None:
        """Take in what changes hold that never change, which are looked through once."""
        if name not in self._held:
            self._held[name] = schema_of_rows(self._con, changes, keys)
        found.merge(self._held[name])

    @_asked_again
    def place(self, table: str) -> Mapping[str, str]:
        """Tell a table's Region and account, where they are chosen or known."""
        return self._table(table).place

    def _table(self, table: str) -> Table:
        log = self._log(self._source_of(table), self._checkpoint(table, END_OF_TIME))
        self._refresh(log)
        return self._identity(log, table)

    def estimate(self, question: Asked, table: str, **values: object) -> Estimate:
        """Tell how much a question reads: all there is, at no cost."""
        as_question(question).bind(values)
        objects = self._objects(self._source_of(table))
        return Estimate(sum(item.size for item in objects), len(objects), 0.0)

    @_asked_again
    def ask(
        self,
        question: Asked,
        table: str,
        *,
        where: Filter = EVERYTHING,
        over: Over = "log",
        after: datetime | None = None,
        **values: object,
    ) -> Answer:
        """Answer a question over a table's deliveries."""
        began, question = time.perf_counter(), as_question(question)
        values = question.bind(values)
        with _failing(question.name, table):
            answer, sql = self._begun(question, table, where, over, after, values)
            rows = _decoded(self._con.sql(sql).to_arrow_table())
        return replace(answer, rows=rows, seconds=time.perf_counter() - began)

    def batches(
        self,
        question: Asked,
        table: str,
        *,
        where: Filter = EVERYTHING,
        over: Over = "log",
        after: datetime | None = None,
        **values: object,
    ) -> Iterator[Answer]:
        """Answer a question in parts, so that a large answer does not fill the memory."""
        began, question = time.perf_counter(), as_question(question)
        values, handed_over = question.bind(values), False
        while True:
            resumes: Checkpoint | None = None
            self._resumes = None
            try:
                with self._alive(), _failing(question.name, table):
                    answer, sql = self._begun(question, table, where, over, after, values)
                    resumes = self._resumes
                    asked = self._con.sql(sql)
                    nothing = asked.limit(0).to_arrow_table()
                    yield replace(answer, rows=nothing, seconds=time.perf_counter() - began)
                    for batch in asked.to_arrow_reader(_BATCH):
                        rows = _decoded(pa.Table.from_batches([batch]))
                        yield replace(answer, rows=rows, seconds=time.perf_counter() - began)
                        handed_over = True
                return
            except QueryError as error:
                if isinstance(error, EngineLost) or not self._is_mended(error, resumes or self._resumes):
                    raise
                if handed_over:
                    raise EngineLost(f"what was read of {table!r} is damaged or gone: ask again") from error

    def names(self) -> list[str]:
        """Name the tables of the lake, or of the source."""
        if not self._settings.source:
            return list(self._folders())
        log = self._log(self._settings.source)
        self._refresh(log)
        if not (names := sorted({part.table for part in log.contents})):
            raise self._without_changes(log)
        return names

    @_asked_again
    def views(self, table: str) -> list[View]:
        """Tell which images the records of a log hold, as is noted beside its segments."""
        _, log = self._whole(table)
        with _failing("its images", table):
            return infer_views(log.views(self._within(log, table) or "true"))

    @_asked_again
    def query(self, plan: Plan, masks: Masks = NO_MASKS) -> Answer:
        """Answer a person's own query over the relations of logs."""
        began = time.perf_counter()
        answers, shown, texts = dict[str, Answer](), list[str](), list[str]()
        try:
            for relation in plan.relations:
                question, table = relation.question, relation.table
                values = question.bind(relation.values)
                answer, sql = self._begun(
                    question, table, relation.only, relation.kind.over, None, values, images=relation.reads_images
                )
                answers.setdefault(table, answer)
                shown.append(relation.projected(answer.sql, "athena", replace(masks, salt="")))
                texts.append(relation.projected(sql, "duckdb", masks))
            rows = self._con.sql(plan.compose(texts, "duckdb")).to_arrow_table()
        except duckdb.Error as error:
            to_do = f"; {TOO_LARGE}" if isinstance(error, duckdb.OutOfRangeException) else ""
            raise QueryError(f"the query failed: {without_values(error)}{to_do}") from error
        whole = combined(answers)
        return replace(whole, rows=rows, sql=plan.compose(shown, "athena"), seconds=time.perf_counter() - began)

    @_asked_again
    def snapshot(self, table: str, folder: Path) -> Snapshot:
        """Have a table's log in a folder too, as it is now, and tell how it is read there."""
        try:
            return self._snapshot(table, folder)
        except FileNotFoundError:  # another process has merged what is stored
            return self._snapshot(table, folder)

    def _snapshot(self, table: str, folder: Path) -> Snapshot:
        log = self._log(self._source_of(table))
        self._refresh(log)
        with _failing("its copy", table):
            answer = self._answer(pa.table({}), "", table, log, time.perf_counter())
            deliveries: dict[Over, str] = {"log": self._deliveries(log, table, log.linked(folder))}
            if self._settings.baseline:
                whole = self._deliveries(log, table, log.deliveries())
                for over in AFTER_BASELINE:
                    begun = self._with_baseline(whole, table, over, None)
                    deliveries[over] = self._copied(begun, folder) if begun != whole else deliveries["log"]
        one_key = len(self._identity(log, table).schemas) < 2 and not self._settings.baseline
        return Snapshot({**dict.fromkeys(AFTER_BASELINE, deliveries["log"]), **deliveries}, one_key, answer)

    def _copied(self, relation: str, folder: Path) -> str:
        """Write a relation's rows into a file in a folder, and return the query that reads it there."""
        file = folder / f"{uuid4().hex}.parquet"
        self._con.execute(f"copy (select * exclude (row_id) from {relation}) to {literal(str(file))} (format parquet)")
        read = f"read_parquet({literal(as_it_is(str(file)))}, file_row_number = true, hive_partitioning = false)"
        return f"(select *, file_row_number as row_id from {read})"

    def _is_mended(self, error: QueryError, resumes: Checkpoint | None) -> bool:
        """Return whether a checkpoint is gone that a question began with, or what was stored of a log was damaged."""
        removed = resumes is not None and not _kept(resumes)
        reasons = list(causes(error))
        read = any(isinstance(each, duckdb.Error) for each in reasons)
        if not read or any(isinstance(each, duckdb.OutOfMemoryException) for each in reasons):
            return removed
        mended = [log.mended() for log in self._logs.values()]
        return removed or any(mended)

    def _begun(
        self,
        question: Question,
        table: str,
        where: Filter,
        over: Over,
        after: datetime | None,
        values: Mapping[str, object],
        *,
        images: bool = True,
    ) -> tuple[Answer, str]:
        """Return the answer to a question without its rows, and the SQL that gives them."""
        asking, self._asking = self._asking, True  # what is asked on the way is asked again with this
        try:
            sql, log = self._prepared(
                question, table, where=where, over=over, after=after, values=values, images=images
            )
            text = self.sql(question, table, where=where, **values)
            answer = self._answer(pa.table({}), text, table, log, time.perf_counter())
        finally:
            self._asking = asking
        if over == "log" or not self._staged or self._staged[0] != table:
            return answer, sql
        return replace(answer, unreadable=answer.unreadable + self._not_staged), sql

    @_asked_again
    def baseline(self, table: str, at: datetime | None = None) -> Baseline | None:
        """Return the newest state an export knows of a table at an instant, where a baseline is set."""
        return super().baseline(table, at)

    @_asked_again
    def reread(self, table: str, error: Exception) -> None:
        """Read a table's log again line by line."""
        source = self._source_of(table)
        for log in [log for (name, _), log in self._logs.items() if name == source] or [self._log(source)]:
            log.reread()

    @_asked_again
    def checkpoint(self, table: str, keep: int) -> Checkpoint:
        """Keep what the log has come to."""
        if self._checkpoints is None:
            raise ConfigError("no checkpoints are kept: checkpoints is off")
        keys, before = self._table(table).schemas[0].types, self._checkpoint(table, END_OF_TIME)
        deliveries, log = self._resumed(table, before) or self._whole(table)
        late = duration(self._settings.late_arrival).to_pytimedelta()
        checkpoint = self._checkpoints.begin(table, self._origin(table), log.listed, keys, late, log.after)
        held = self._schema_of_log(table)
        names = {"deliveries": deliveries} | {name: f"kept_image({name})" for name in ("new_image", "old_image")}
        text = compose(
            load("parts/checkpoint"),
            {"as_of": checkpoint.since, "since": checkpoint.since},
            names,
            state=CHANGE,
            row="row_id",
        )
        place = Path(checkpoint.place)
        try:
            place.mkdir(parents=True)
        except OSError as error:
            raise ConfigError(
                f"no checkpoint can be made at {place.parent}: {error.strerror}; set checkpoints to a "
                "folder that can be written, or to off"
            ) from error
        data = place / _CHANGES
        try:
            self._con.execute(f"copy ({to_duckdb(text)}) to {literal(str(data))} (format parquet, compression zstd)")
            checkpoint = replace(
                checkpoint,
                bytes=data.stat().st_size,
                unreadable=log.unread,
                contents=self._identity(log, table).parts,
                held=held,
            )
            self._checkpoints.add(checkpoint)
        except BaseException as error:
            self._checkpoints.remove(checkpoint)
            if isinstance(error, duckdb.Error):
                raise QueryError(f"the checkpoint of {table!r} failed: {without_values(error)}") from error
            raise
        self._checkpoints.discard(table, checkpoint.log, keep)
        return checkpoint

    def forget(self, table: str) -> None:
        """Remove the checkpoints of a table of the embedded lake, which is made anew."""
        if self._checkpoints:
            self._checkpoints.discard(table, Log("", ""))

    def _checkpoint(self, table: str, at: datetime) -> Checkpoint | None:
        def is_usable(checkpoint: Checkpoint) -> bool:
            return _kept(checkpoint) and self._log(self._source_of(table)).had_arrived(checkpoint)

        return self._checkpoints.find(table, self._origin(table), at, is_usable) if self._checkpoints else None

    def _origin(self, table: str) -> Log:
        """Tell where the log of a table is; the embedded lake may be moved with its checkpoints."""
        root = local_path(self._source_of(table), ParameterError, ADVICE)
        source = str(root.resolve()) if self._settings.source else ""
        source += choice(self._settings.log_region, self._settings.log_account)
        return Log(source, f"{root}/" if root.is_dir() else "")

    def _answer(self, rows: pa.Table, sql: str, table: str, log: StagedLog, began: float) -> Answer:
        arrivals = [item.arrival for item in log.listed if item.arrival]
        resumed = log.after.notes(log.listed, len(log.objects)) if log.after else ()
        identity = self._identity(log, table)
        notes, newest = (
            (*identity.notes, *resumed, *log.notes),
            max((part.last for part in identity.parts), default=None),
        )
        return Answer(
            rows,
            sql,
            time.perf_counter() - began,
            len(log.objects),
            log.bytes,
            log.unreadable,
            min(arrivals, default=None),
            max(arrivals, default=None),
            notes=notes,
            newest_change=newest and newest.replace(tzinfo=UTC),
            failures=log.wrapped[FAILURE],
        )

    def _prepared(
        self,
        question: Question,
        table: str,
        *,
        where: Filter,
        over: Over = "log",
        after: datetime | None = None,
        values: Mapping[str, object],
        images: bool = True,
    ) -> tuple[str, StagedLog]:
        """Bring the log up to date and return the text of a question in DuckDB's dialect, and what it reads."""
        at = resumed_at(over, after, values)
        checkpoint = self._checkpoint(table, at) if at else None
        window = question.window if over == "log" or not self._settings.baseline else None
        span = (values.get(window.first or ""), values.get(window.last)) if window else (None, None)
        deliveries, log = self._resumed(table, checkpoint) or self._whole(table, *span)
        if over != "log":
            deliveries = self._with_baseline(deliveries, table, over, values.get("as_of"))
        if question.arrivals:
            deliveries = f"(select * from {deliveries} as log join {log.arrivals()} as objects using (object))"
        one_key = len(self._identity(log, table).schemas) < 2 and (over == "log" or not self._settings.baseline)
        self._asked_of[table] = log
        text = question.compose(
            values,
            deliveries=deliveries,
            canonical="canonical_image(image)",
            matching=matching(question, where),
            alive="true" if one_key else None,
            items=where.of_items.sql(),
            row="row_id",
            images=images,
        )
        return to_duckdb(text), log

    def _whole(self, table: str, start: object = None, end: object = None) -> tuple[str, StagedLog]:
        """Return the deliveries of all objects, those of other times left out where that is easy."""
        log = self._log(self._source_of(table))
        self._refresh(log)
        return self._deliveries(log, table, log.deliveries(_known(start), _known(end))), log

    def _resumed(self, table: str, checkpoint: Checkpoint | None) -> tuple[str, StagedLog] | None:
        """Return a checkpoint's changes and those of later objects; None where that does not tell the state."""
        if checkpoint is None:
            return None
        self._resumes = checkpoint
        log = self._log(self._source_of(table), checkpoint)
        self._refresh(log)
        view = self._kept_changes(checkpoint)
        later = self._deliveries(log, table, log.deliveries())
        overtaken = fill(
            load("parts/overtaken"), {"since": checkpoint.since}, {"deliveries": later, "checkpoint": view}
        )
        if self._con.sql(to_duckdb(overtaken)).fetchall() != [(0,)]:
            return None
        columns = ", ".join([*CHANGE, "row_id"])
        return f"(select {columns} from {view} union all select {columns} from {later} as later)", log

    def _kept_changes(self, checkpoint: Checkpoint) -> str:
        """Return a view of the changes of a checkpoint."""
        view, path = identifier(f"kept {checkpoint.id}"), as_it_is(f"{checkpoint.place}{_CHANGES}")
        self._con.execute(
            f"create or replace temp view {view} as select *, -1 - file_row_number as row_id "
            f"from read_parquet({literal(path)}, file_row_number = true, "
            "hive_partitioning = false)"
        )
        return view

    def _stage(self, table: str, baseline: Baseline) -> None:
        """Read the state that exports know into a table."""
        if self._staged != (table, baseline):
            names = tuple(self._settings.keys) or tuple(alive_at(self._table(table).schemas, baseline.time).types)
            self._not_staged = stage(self._con, _BASELINE, baseline, names)
            self._staged = (table, baseline)

    def _with_baseline(self, deliveries: str, table: str, over: Over, at: object) -> str:
        """Return the deliveries that follow from a baseline where there is one."""
        baseline = super().baseline(table, at if isinstance(at, datetime) else None)
        if not baseline:
            return deliveries if over in AFTER_BASELINE else f"(select * from {deliveries} where false)"
        self._stage(table, baseline)
        if over == "baseline":
            return _BASELINE
        part = fill(
            load(AFTER_BASELINE[over]),
            {"since": baseline.time},
            {"deliveries": deliveries, "baseline": _BASELINE},
        )
        state = identifier(f"{over} of {table} since {baseline.time}")
        self._con.execute(f"create or replace temp table {state} as {part}")
        return f"(select *, rowid as row_id from {state})"

    def _deliveries(self, log: StagedLog, table: str, staged: str) -> str:
        within = self._within(log, table)
        return f"(select * from {staged} where {within})" if within else staged

    def _within(self, log: StagedLog, table: str) -> str:
        """Write the condition on the changes of a table, which is empty where the log holds no others."""
        held = sorted({part.table for part in log.contents})
        conditions = [of_origin(self._identity(log, table).origin)]
        if held != [table] and (self._settings.source or len(held) != 1):
            conditions.append(f"table_name = {literal(table)}")
        return " and ".join(filter(None, conditions))

    def _identity(self, log: StagedLog, table: str) -> Table:
        """Tell which table of a log a name stands for."""
        held = sorted({part.table for part in log.contents})
        own = [part for part in log.contents if part.table == table or (len(held) == 1 and not self._settings.source)]
        if own or log.after:
            return one_table(own, table, self._settings.log_region, self._settings.log_account)
        if held:
            raise TableNotFound(
                f"{log.source} holds no changes of a table {table!r}, but of: {', '.join(held)}."
                f"{did_you_mean(table, held)}"
            )
        raise self._without_changes(log)

    def _objects_of_tables(self) -> list[tuple[str, str | None, str | None, Sequence[Object]]]:
        """Name each table, with its Region and account where they are known, and the objects that hold its changes."""
        if not self._settings.source:
            return [(name, None, None, self._objects(folder)) for name, folder in self._folders().items()]
        log = self._log(self._settings.source)
        self._refresh(log)
        rows = self._con.execute(part("tables", log=log.deliveries())).fetchall()
        if not rows:
            raise self._without_changes(log)
        objects = log.by_number()
        return [(*names, [objects[number] for number in numbers]) for *names, numbers in rows]

    def _objects(self, source: str) -> Sequence[Object]:
        """List the objects of a source; none is read."""
        return self._log(source).listing().objects if self.known_at else list_objects(source)

    def _named(self, table: str) -> str:
        """Write a table as the text of a question names it: restricted to what is known, by the names of objects."""
        if not (known_at := self.known_at):
            return super()._named(table)
        zone = self._log(self._source_of(table)).zone
        return known(identifier(table), arrival(pieces=list(zone.pieces(known_at, known_at))), known_at)

    def _without_changes(self, log: StagedLog) -> TableNotFound:
        """Say that there is nothing to ask, and what is there instead."""
        kinds = grouped(log.unreadable)
        reasons = [as_known(self.known_at)] if self.known_at else []
        reasons += [*kinds[:_NAMED], *[f"{len(kinds) - _NAMED:,} more"] * (len(kinds) > _NAMED), *log.notes]
        return TableNotFound(f"{log.source} holds no change records" + "".join(f"; {each}" for each in reasons))

    def _folders(self) -> dict[str, str]:
        """Name the tables of the lake with their folders."""
        data = self._settings.lake / "data"
        return {folder.name: str(folder) for folder in sorted(data.glob("*")) if folder.is_dir()}

    def _source_of(self, table: str) -> str:
        if self._settings.source:
            return self._settings.source
        names = self._folders()
        if table in names:
            return names[table]
        if not names:
            raise TableNotFound(
                f"there is no table {table!r}: the lake {self._settings.lake} is empty. Run `workbench generate "
                "persons`, or name a folder of change logs by --source (source=)"
            )
        raise TableNotFound(
            f"there is no table {table!r} in {self._settings.lake}, but: {', '.join(names)}."
            f"{did_you_mean(table, names)}"
        )

    def _log(self, source: str, after: Checkpoint | None = None) -> StagedLog:
        name = source, after.place if after else ""
        if name not in self._logs:
            self._logs[name] = StagedLog(
                self._con,
                f"log {len(self._logs) + 1}",
                source,
                self._settings.keys,
                after,
                self._zone,
                self._store_of(source),
                self.known_at,
            )
        return self._logs[name]

    def _refresh(self, log: StagedLog) -> None:
        """Read what came since, and let the logs go from the store that were not asked for longest."""
        if log.refresh() and log.store:
            with suppress(StoreUnavailable):
                shrink(self._settings.home, self._settings.store_max_bytes)

    def _store_of(self, source: str) -> LogStore | None:
        root = local_path(source, ParameterError, ADVICE)
        if not self._settings.store:
            return None
        return LogStore(self._settings.home, root, repr(self._settings.keys))

    @property
    def _con(self) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            home = self._settings.home.absolute()
            home = home if home.is_dir() and os.access(home, os.W_OK) else Path(tempfile.gettempdir())
            try:
                str(home).encode()
            except UnicodeEncodeError:
                raise ConfigError(f"the path of home, {str(home)!r}, is no UTF-8: set home to another folder") from None
            spill = private_folder(home, "spill-")
            options: dict[str, str | bool | int | float | list[str]] = {
                "preserve_insertion_order": False,
                "integer_division": True,
                "temp_directory": str(spill),
            }
            if self._settings.memory_limit:
                options["memory_limit"] = self._settings.memory_limit
            if self._settings.threads:
                options["threads"] = self._settings.threads
            try:
                con = duckdb.connect(config=options)
            except duckdb.Error as error:
                raise QueryError(f"DuckDB does not start: {str(error).splitlines()[0]}") from error
            con.execute("set TimeZone = 'UTC'")
            hide_bar(con)
            register_functions(con)
            self._connection = con
            weakref.finalize(self, con.close)  # else DuckDB's binding complains at the end of the process
            self._emptied = weakref.finalize(self, shutil.rmtree, spill, ignore_errors=True)
        return self._connection


def _kept(checkpoint: Checkpoint) -> bool:
    """Tell whether the changes of a checkpoint are there: another process may have removed it."""
    return Path(checkpoint.place, _CHANGES).is_file()


def _fatal(error: BaseException) -> duckdb.Error | None:
    """Return the error of DuckDB's own, among the causes of one, after which it answers nothing any more."""
    fatal = (duckdb.FatalException, duckdb.InternalException)
    return next((each for each in causes(error) if isinstance(each, fatal)), None)


def _known(moment: object) -> datetime | None:
    """Return an instant; None where it is before or after all time."""
    return moment if isinstance(moment, datetime) and START_OF_TIME < moment < END_OF_TIME else None


@contextmanager
def _failing(name: str, table: str) -> Iterator[None]:
    """Say of which question an error of DuckDB is."""
    try:
        yield
    except duckdb.Error as error:
        raise QueryError(f"{name} over {table!r} failed: {without_values(error)}") from error


def _decoded(rows: pa.Table) -> pa.Table:
    """Decode the images that are still marked as holding binary encoded twice."""
    for name in {*_IMAGES} & set(rows.schema.names):
        marked = pc.fill_null(pc.starts_with(rows.column(name), " "), False)
        if pc.any(marked).as_py():
            images = rows.column(name).combine_chunks()
            decoded = pa.array(map(_decoded_image, images.filter(marked).to_pylist()), images.type)
            images = pc.replace_with_mask(images, marked.combine_chunks(), decoded)
            rows = rows.set_column(rows.schema.get_field_index(name), name, images)
    return rows


def _decoded_image(image: str) -> str:
    try:
        return binary_once(image.lstrip())
    except RecordRefused:
        return image  # noticed where it is used, as `canonical_image` leaves it
