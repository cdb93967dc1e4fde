"""The engine on AWS: Amazon Athena over change logs in the Glue catalog."""

from __future__ import annotations

import tempfile
import time
import uuid
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd
import pyarrow as pa
from botocore.exceptions import BotoCoreError, ClientError

from workbench.aws.athena import Athena, RunningQuery
from workbench.aws.catalog import Catalog
from workbench.aws.costs import FinishedQuery
from workbench.aws.errors import explained
from workbench.aws.export_jobs import export_status, find_exports, start_export
from workbench.aws.files import S3Files
from workbench.aws.log_tables import Listing, LogTable
from workbench.aws.result_order import in_order
from workbench.aws.session import Session, account_of, open_session
from workbench.aws.table_definitions import table_input
from workbench.aws.views import Views
from workbench.config import Settings
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
from workbench.engines.census import census, contents_of, unreadable_of
from workbench.engines.compacting import Compactor
from workbench.engines.exported import stage
from workbench.engines.ingest import register_functions
from workbench.engines.kept_schemas import KeptSchemas, Seen
from workbench.engines.reading import Reading
from workbench.engines.scan import Window, refuse, window_of
from workbench.engines.schemas import schema_of_rows, shapes_to_schema, unknown_in
from workbench.engines.unload import answer_over_nothing, with_times_as_text, with_types
from workbench.errors import ConfigError, ParameterError, QueryError, StoreError, TableNotFound
from workbench.log.checkpoints import Checkpoint, Checkpoints
from workbench.log.contents import Part, Schema, Table, alive_at, choice, merged, one_table, placing
from workbench.log.exports import Baseline, Export
from workbench.log.known import as_known
from workbench.log.manifests import Log
from workbench.log.objects import SCHEMA, Object, Unreadable, arrival_of, stamps
from workbench.model.attribute_schema import Held
from workbench.model.stream_views import View
from workbench.model.times import END_OF_TIME, duration
from workbench.sql.filters import EVERYTHING, Filter
from workbench.sql.layouts import DELIVERY, both
from workbench.sql.literals import literal
from workbench.sql.query import Plan, Relation
from workbench.sql.questions import CHANGE, Question, compose
from workbench.sql.templates import fill, load, part
from workbench.sql.typed_attributes import NO_MASKS, Masks

if TYPE_CHECKING:
    from workbench.sandbox.dynamodb_writer import Written

_BATCH = 50_000  # rows of a large answer handed over at a time
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_LONGEST_CONDITION = 100_000  # characters: Athena takes a text of 262,144 bytes
_REUSED = 20  # results kept for `result_reuse`


@dataclass(frozen=True)
class _Read:
    """What is read of a log."""

    table: str
    log: LogTable
    reading: Reading


@dataclass(frozen=True)
class _AskedFor:
    """A relation of a query, what is read for it, and its rows as SQL."""

    relation: Relation
    read: _Read
    values: Mapping[str, object]
    rows: str = ""
    unstaged: tuple[Unreadable, ...] = ()
    """Lines of an export in it that cannot be read."""


class AthenaEngine(Engine):
    """Answers questions by Athena."""

    tables_in_dynamodb = True

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._session = open_session(settings)
        self._catalog = Catalog(self._session, settings)
        self._queries = Athena(self.session, settings)
        self._contents: dict[str, tuple[Part, ...]] = {}
        self._places: dict[str, Mapping[str, str]] = {}
        self._counted: dict[str, dict[Object, tuple[Unreadable, ...]]] = {}
        self._kept: dict[str, tuple[float, pa.Table]] = {}
        self._schemas = KeptSchemas(settings.home if settings.store else None)
        self._held: dict[tuple[str, Baseline], Held] = {}
        place, compacted = (_place_in_s3(settings, name) for name in ("checkpoints", "compacted"))
        self._checkpoints = Checkpoints(place, S3Files(self.session)) if place else None
        self._compactor = Compactor(self._catalog, self._queries, compacted, settings) if compacted else None
        self._staged: tuple[str, Baseline, str, tuple[Unreadable, ...]] | None = None
        self._forget: Callable[[], object] = lambda: None
        self._left: list[str] = []
        self._whole_ones: set[str] = set()
        self._arrived: dict[str, bool] = {}

    @property
    def session(self) -> Session:
        """The session with which everything on AWS is reached."""
        return self._session

    @property
    def place_of_logs(self) -> str:
        """The database."""
        return f"database={self._settings.database!r}"

    @property
    def account(self) -> str | None:
        """The account of the credentials, where they tell it."""
        return account_of(self.session)

    @property
    def catalog(self) -> Catalog:
        """The Glue catalog's change logs."""
        return self._catalog

    def generate(self, dataset: str, **options: Any) -> Written:
        """Write a dataset to the table of DynamoDB; how its log is delivered is its pipeline's affair."""
        from workbench.sandbox import dynamodb_writer

        if options.pop("replace", False):
            raise ParameterError("replace is for the embedded lake: a table of DynamoDB is not removed by this")
        if options.pop("bad_night", False):
            raise ParameterError("bad_night is for the embedded lake: leave it out")
        faults = ("duplicates", "late", "reordered", "layout", "keep")
        return dynamodb_writer.write(
            self.session, dataset, **{name: given for name, given in options.items() if name not in faults}
        )

    def half_made(self, table: str) -> bool:
        """Return False: what is in a table of DynamoDB is in it."""
        return False

    def export_table(self, table: str, to: str | Path) -> str:
        """Ask DynamoDB to export a table, and return the export's ARN."""
        return start_export(self.session, table, str(to))

    def export_status(self, table: str) -> pd.DataFrame:
        """Tell how far the exports of a table are."""
        return export_status(self.session, table)

    def close(self) -> None:
        """Forget what was learnt, and remove what is in the catalog for a while."""
        self._queries.close()
        self._forget()
        self._staged = None
        self._counted.clear()
        self._contents.clear()
        self._kept.clear()

    @property
    def finished(self) -> Sequence[FinishedQuery]:
        """Every query that has run."""
        return self._queries.finished

    def listed(self) -> tuple[Iterable[Listed], Sequence[str]]:
        """List the change logs of the database with their objects, and say what was not looked into."""
        listed, notes, guessed = [], [], []
        for log in self.catalog.tables():
            name, listing = log.only or log.name, self._listing(log, Window())
            objects_listed = listing.objects
            notes += [f"{name}: {note}" for note in listing.known]
            checkpoint, counted = self._checkpoint(log, END_OF_TIME), self._counted.get(name, {})
            places = self._places_of(
                log, (*self._contents.get(name, ()), *(checkpoint.contents if checkpoint else ())), objects_listed
            )
            listed += [
                Listed(name, str(log.layout), objects, region, account) for (region, account), objects in places.items()
            ]
            unseen = [item for item in objects_listed if not self.catalog.looked_through(item)]
            if len(places) > 1 and unseen:
                notes.append(
                    f"{name}: of {len(unseen):,} of its {len(objects_listed):,} objects it is not known whose changes "
                    "they hold: they count for each of its Regions and accounts"
                )
            if any(item not in counted and not (checkpoint and checkpoint.holds(item)) for item in unseen):
                guessed.append(name)
        if guessed:
            notes.append(
                f"the Regions and accounts of {', '.join(guessed)} are those of a few objects, for listing "
                "runs no query: a question looks into all it reads"
            )
        return listed, notes

    def _places_of(
        self, log: LogTable, counted: Sequence[Part], objects: Sequence[Object]
    ) -> dict[tuple[str | None, str | None], Sequence[Object]]:
        """Name the Regions and accounts of a log, as far as it was looked into, with the objects that may hold them."""
        parts = {item: self.catalog.parts(log, item) for item in objects}
        every = [*counted, *(part for each in parts.values() for part in each)]
        place = placing(every)
        looked_through = {
            item: {place(part) for part in parts[item]} for item in objects if self.catalog.looked_through(item)
        }
        places = sorted({place(part) for part in every}, key=lambda each: [(value is None, value) for value in each])
        if len(places) < 2:
            return {places[0] if places else (None, None): objects}
        return {each: [item for item in objects if each in looked_through.get(item, {each})] for each in places}

    def layout(self, table: str) -> str:
        """Name the layout of a table's log."""
        return str(self.catalog.table(table).layout)

    def keys(self, table: str, *, whole: bool = False) -> list[Schema]:
        """Name the keys a table has had, the newest first: those seen so far, else in the newest hour."""
        log = self.catalog.table(table)
        reading = self._reading(None, log, table, {}, self._checkpoint(log, END_OF_TIME))
        log = reading.log
        if not whole and (schemas := self._identity(log, table, reading).schemas):
            return schemas
        newest = max(reading.objects, key=lambda item: (item.arrival or _LONG_AGO, item.path), default=None)
        latest = log.values(newest) if newest else None
        last_hour = [item for item in reading.objects if log.values(item) == latest]
        for objects in (reading.objects,) if whole else (last_hour, reading.objects):
            if new := self._new(table, objects, always=True):
                counted = replace(reading, checkpoint=None, chosen=new)
                counted.refuse_archived()
                self._refuse([(counted, ())])
                (query,) = self._queries.run([self._census(table, counted, new)])
                try:
                    self._note(log, table, new, self._whole(query))
                finally:
                    self._clean([query])
            if schemas := self._identity(log, table, reading).schemas:
                return schemas
        raise TableNotFound(f"{log.location} holds no change records")

    def schema(self, table: str) -> Held:
        """Return what all images of a log hold: only objects that came since are asked about, by a query of their own.

        Objects that were removed from the log still count, unless none of those looked through is there any more.

        Raises
        ------
        ScanRefused
            Where that would scan more than `max_scan_bytes`.
        """
        found = Held()
        found.merge(self._schema_of_log(table).held)
        for baseline in self.baselines(table):
            if (table, baseline) not in self._held:
                keys = alive_at(self.keys(table), baseline.time).types
                with duckdb.connect() as con:
                    register_functions(con)
                    stage(con, "state", baseline, tuple(self._settings.keys) or tuple(keys))
                    rows = "(select *, rowid as row_id from state)"
                    self._held[table, baseline] = schema_of_rows(con, rows, keys)
            found.merge(self._held[table, baseline])
        return found

    def _schema_of_log(self, table: str) -> Seen:
        log = self.catalog.table(table)
        whole = self._reading(None, log, table, {}, self._checkpoint(log, END_OF_TIME))
        reading = replace(whole, checkpoint=None)
        log, checkpoint = whole.log, whole.checkpoint
        if not reading.listed and reading.nothing and not checkpoint:
            raise TableNotFound(f"{log.location} holds no objects of change records")
        origin = self._identity(log, table, whole).origin
        seen = self._schemas.find(self._about(log, table, origin))
        there = stamps(reading.covered)
        if seen.objects.isdisjoint(there | (checkpoint.objects if checkpoint else frozenset())):
            seen = Seen(frozenset(), Held(), 0)  # another log, made anew in the same place
        if checkpoint and checkpoint.held and not checkpoint.objects <= seen.objects:
            seen = Seen(checkpoint.objects, checkpoint.held, 1)  # which a checkpoint does not tell
        for day in reading.used_days if not origin else ():
            alone = all(log.only in (None, each.table) for each in day.contents)
            if day.held and alone and seen.objects.isdisjoint(day.objects) and day.objects <= there:
                found = Held()
                found.merge(seen.held)
                found.merge(day.held)
                seen = Seen(seen.objects | day.objects, found, seen.unknown + day.unknown)
        new = [item for item in reading.covered if item.stamp not in seen.objects]
        gone = checkpoint.objects - there - seen.objects if checkpoint else frozenset()
        asked = replace(reading, checkpoint=checkpoint if gone else None, chosen=new)
        texts = []
        if asked.objects:
            lines = self._deliveries(table, asked, asked.objects, readable=None, origin=origin)
            texts.append(part("shapes", deliveries=lines, wanted=_only(log, asked.objects, asked.listed)))
        if asked.used_days:
            rows = log.compacted(asked.days_read, written=True, origin=origin)
            texts.append(part("shapes", deliveries=rows, wanted="true"))
        if checkpoint and gone:
            texts.append(part("shapes", deliveries=log.checkpoint(checkpoint.id), wanted="true"))
        if not texts:
            self._schemas.keep(self._about(log, table, origin), seen)
            return seen
        asked.refuse_archived()
        counted = self._new(table, asked.objects)
        self._refuse([(asked, counted)], overtaking=False)
        queries = self._queries.run(texts + ([self._census(table, asked, counted)] if counted else []))
        try:
            if counted:
                self._note(log, table, counted, self._whole(queries[-1]))
                if self._identity(log, table, reading).origin != origin:  # now it is known what the log holds
                    return self._schema_of_log(table)
            found = Held()
            found.merge(seen.held)
            unknown = seen.unknown
            for query in queries[: len(texts)]:
                rows = self._whole(query)
                found.merge(shapes_to_schema(rows))
                unknown += unknown_in(rows)
        finally:
            self._clean(queries)
        seen = Seen(seen.objects | stamps(new) | gone, found, unknown)
        self._schemas.keep(self._about(log, table, origin), seen)
        return seen

    def _about(self, log: LogTable, table: str, origin: Mapping[str, str]) -> dict[str, Any]:
        """Tell a log, and what is read of it, from all others."""
        place = {"log": log.sql_name, "location": log.location, "only": log.only}
        return {"table": table, **place, "origin": dict(origin), "keys": list(self._settings.keys)}

    def sql(self, question: Asked, table: str, /, *, where: Filter = EVERYTHING, **values: object) -> str:
        """Return the question's text in Athena's dialect, with its values filled in."""
        question = as_question(question)
        values = question.bind(values)
        reading = self._reading(question, self.catalog.table(table), table, values, None)
        deliveries, _ = self._relation(question, reading.log, table, reading, "log", values)
        return question.compose(values, deliveries=deliveries, matching=matching(question, where))

    def estimate(self, question: Asked, table: str, **values: object) -> Estimate:
        """Tell what a question would scan, from the sizes of the objects it would read; nothing is run."""
        question = as_question(question)
        values = question.bind(values)
        log, at = self.catalog.table(table), values.get("as_of")
        checkpoint = self._checkpoint(log, at) if question.state and isinstance(at, datetime) else None
        reading = self._reading(question, log, table, values, checkpoint)
        return self._estimate(reading, self._new(table, reading.objects))

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
        question = as_question(question)
        *answers, last = self._answers(question, table, where, over, question.bind(values), after=after)
        rows = pa.concat_tables([answer.rows for answer in [*answers, last]])
        return replace(last, rows=in_order(rows, last.sql))

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
        """Answer a question in parts, so that a large answer does not fill the memory; one that is kept is whole."""
        question = as_question(question)
        rows = None if duration(self._settings.result_reuse) else _BATCH
        yield from self._answers(question, table, where, over, question.bind(values), rows, after=after)

    def place(self, table: str) -> Mapping[str, str]:
        """Tell a table's Region and account, where they are chosen or, as far as was looked, known."""
        if table not in self._places:
            self.keys(table)
        return self._places[table]

    def exports(self, source: str | Path) -> list[Export]:
        """Find the exports under a folder or an ``s3://`` prefix."""
        return find_exports(source, self.session)

    def checkpoint(self, table: str, keep: int) -> Checkpoint:
        """Keep what the log has come to."""
        if self._checkpoints is None:
            raise ConfigError(
                "no place for checkpoints is set: checkpoints=s3://BUCKET/checkpoints/ or "
                "WORKBENCH_CHECKPOINTS, outside of the log's own prefix"
            )
        log, late = self.catalog.table(table), duration(self._settings.late_arrival).to_pytimedelta()
        log.refuse_within(self._checkpoints.top(log.name), "checkpoints")
        keys = self.keys(table, whole=True)[0].types
        for before in (self._checkpoint(log, END_OF_TIME), None, None):  # the last, where a compacted day was removed
            reading = self._reading(None, log, table, {}, before)
            log = reading.log
            checkpoint = self._checkpoints.begin(log.name, self._origin(log), reading.covered, keys, late, before)
            names = {name: name for name in ("new_image", "old_image")} | {
                "deliveries": self._log_rows(log, table, reading)
            }
            text = compose(
                load("parts/checkpoint"), dict.fromkeys(("as_of", "since"), checkpoint.since), names, state=CHANGE
            )
            text = with_times_as_text(text, pa.schema([SCHEMA.field(name) for name in CHANGE]))
            try:
                if running := self._run(text, log, table, reading, to=checkpoint.place):
                    self._clean([running])
                    return self._finished(checkpoint, log, table, reading, keep)
            except BaseException:
                with suppress(StoreError):
                    self._checkpoints.remove(checkpoint)
                raise
        raise QueryError(f"the checkpoint of {table!r} failed, for days were compacted meanwhile: make it again")

    def compact(self, table: str, *, again: bool) -> pd.DataFrame:
        """Compact the closed days of the log."""
        return self._compacting().compact(self.catalog.table(table), again=again)

    def archive(self, table: str) -> int:
        """Tag the objects of compacted days."""
        return self._compacting().archive(self.catalog.table(table))

    def _compacting(self) -> Compactor:
        if self._compactor is None:
            raise ConfigError(
                "no place for compacted days is set: compacted=s3://BUCKET/compacted/ or WORKBENCH_COMPACTED, outside "
                "of the log's own prefix"
            )
        return self._compactor

    def _finished(self, checkpoint: Checkpoint, log: LogTable, table: str, reading: Reading, keep: int) -> Checkpoint:
        """Register a checkpoint whose changes are in their place, and remove old ones."""
        assert self._checkpoints is not None
        checkpoint = replace(
            checkpoint,
            bytes=self._kept_bytes(checkpoint),
            unreadable=self._unreadable(table, reading),
            contents=self._identity(log, table, reading).parts,
            held=self._held_of(log, table, reading),
        )
        self.catalog.checkpoints.register(log, (checkpoint.id,), checkpoint.place)
        self._checkpoints.add(checkpoint)
        discarded = self._checkpoints.discard(log.name, checkpoint.log, keep)
        self.catalog.checkpoints.forget(log, [(each,) for each in discarded])
        return checkpoint

    def _held_of(self, log: LogTable, table: str, reading: Reading) -> Held | None:
        """Return what the images hold that a checkpoint is made of, where that is known: finding it out is a scan."""
        seen = self._schemas.find(self._about(log, table, self._identity(log, table, reading).origin))
        objects = stamps(reading.covered) | (reading.checkpoint.objects if reading.checkpoint else frozenset())
        return seen.held if objects <= seen.objects else None

    def _answers(
        self,
        question: Question,
        table: str,
        where: Filter,
        over: Over,
        values: Mapping[str, object],
        rows: int | None = None,
        *,
        after: datetime | None = None,
        resume: bool = True,
    ) -> Iterator[Answer]:
        began, log = time.perf_counter(), self.catalog.table(table)
        checkpoint = self._checkpoint(log, at) if resume and (at := resumed_at(over, after, values)) else None
        reading = self._reading(question, log, table, values, checkpoint)
        log = reading.log
        identity = self._identity(log, table, reading)
        if over != "log" and self._settings.baseline and not reading.nothing and not identity.place:
            self.keys(table)  # which baseline applies, the table's Region and account tell
            identity = self._identity(log, table, reading)
        begins = self._from_baseline(table, over, values)
        deliveries, unstaged = self._relation(question, log, table, reading, over, values)
        text, nothing = (
            question.compose(values, deliveries=deliveries, matching=matching(question, where)),
            answer_over_nothing(question, values),
        )
        schema, before = nothing.schema, len(self._queries.finished)

        def answer(part: pa.Table) -> Answer:
            told = self._answer_of(_Read(table, log, reading), unstaged, time.perf_counter() - began)
            return replace(
                told, rows=with_types(part, schema), sql=text, queries=tuple(self._queries.finished[before:])
            )

        if (reused := self._reused(text)) is not None:
            yield answer(reused)
            return
        if reading.nothing and not begins:
            if reading.window == Window(starts=reading.window.starts):
                known = [as_known(self.known_at)] if self.known_at else []
                raise TableNotFound(
                    "; ".join([f"{log.location} holds no objects of change records", *known, *reading.listing.notes])
                )
            yield answer(nothing)
            return
        running = self._run(with_times_as_text(text, schema), log, table, reading, count=over != "baseline")
        if running is None:
            yield from self._answers(question, table, where, over, values, rows, resume=False)
            return
        identity_now = self._identity(log, table, reading)  # now it is known what the log holds
        moved = identity_now.place != identity.place and self._from_baseline(table, over, values) != begins
        if identity_now.origin != identity.origin or moved:
            running.stays = False
            self._clean([running])
            yield from self._answers(question, table, where, over, values, rows, after=after, resume=resume)
            return
        try:
            parts = self._queries.batches(running, rows)
            first = next(parts, None)
            if first is None:
                first = schema.empty_table()
            if rows is None:
                self._keep(text, first)
                self._clean([running])
            yield answer(first)
            for part in parts:
                yield answer(part)
        finally:
            self._clean([running])

    def _answer_of(self, read: _Read, unstaged: tuple[Unreadable, ...], seconds: float) -> Answer:
        """Tell what was read of a log; the rows and the text are whose asked."""
        table, log, reading = read.table, read.log, read.reading
        arrivals = [item.arrival for item in reading.covered if item.arrival]
        notes = (
            *self._identity(log, table, reading).notes,
            *reading.notes,
            *reading.window.notes(self._settings.late_arrival),
            *self._left,
            *(self._compactor.left if self._compactor else ()),
        )
        return Answer(
            pa.table({}),
            "",
            seconds,
            len(reading.objects),
            reading.bytes,
            self._unreadable(table, reading) + unstaged,
            min(arrivals, default=None),
            max(arrivals, default=None),
            notes=notes,
            newest_change=self._newest_change(log, table, reading),
            unread=tuple(item.path for item in reading.listing.unread),
            lost=tuple(log.sample.lost.values()) if log.sample else (),
        )

    def names(self) -> list[str]:
        """Name the change logs of the database."""
        return sorted(log.only or log.name for log in self.catalog.tables())

    def views(self, table: str) -> list[View]:
        """Tell which images the records of a log hold, where some do not say what they left; else nothing."""
        return super().views(table) if self._schema_of_log(table).unknown else []

    @property
    def made_views(self) -> Views:
        """The views over logs that were made in the catalog."""
        return Views(self.session, self.catalog.database, self._queries)

    def view_text(self, plan: Plan, masks: Masks = NO_MASKS) -> str:
        """Write a query of a relation for a view, which reads all partitions there will be."""
        texts = []
        for relation in plan.relations:
            table, window = relation.table, Window()
            self.keys(table, whole=True)  # which tell what else is in the log
            reading = Reading(self._listing(self.catalog.table(table), window), window)
            origin = self._identity(reading.log, table, reading).origin
            deliveries = reading.log.deliveries(keys=self._settings.keys, origin=origin)
            question = relation.question
            rows = question.compose(question.bind(relation.values), deliveries=deliveries)
            texts.append(relation.projected(rows, "athena", masks))
        return plan.compose(texts, "athena")

    def query(self, plan: Plan, masks: Masks = NO_MASKS) -> Answer:
        """Answer a person's own query over the relations of logs: all of it runs on Athena."""
        return self._query(plan, masks, resume=True)

    def _query(self, plan: Plan, masks: Masks, *, resume: bool) -> Answer:
        began, before = time.perf_counter(), len(self._queries.finished)
        asked = [self._asked_for(relation, resume=resume) for relation in plan.relations]
        text = self._text_of(plan, asked, masks)
        running = self._run_over(with_times_as_text(text, _schema_of(plan)), [each.read for each in asked])
        if running is None:
            return self._query(plan, masks, resume=False)
        if self._text_of(plan, [self._again(each) for each in asked], masks) != text:  # now it is known what logs hold
            running.stays = False
            self._clean([running])
            return self._query(plan, masks, resume=resume)
        try:
            parts = list(self._queries.batches(running))
        finally:
            self._clean([running])
        rows = pa.concat_tables(parts) if parts else _schema_of(plan).empty_table()
        answers = {
            each.read.table: self._answer_of(each.read, each.unstaged, time.perf_counter() - began)
            for each in reversed(asked)
        }
        shown = self._text_of(plan, asked, replace(masks, salt=""))
        return replace(
            combined(answers),
            rows=plan.in_order(rows),
            sql=shown,
            queries=tuple(self._queries.finished[before:]),
        )

    def _asked_for(self, relation: Relation, *, resume: bool) -> _AskedFor:
        """Find what a relation of a query has to read."""
        question, table, over = relation.question, relation.table, relation.kind.over
        values = question.bind(relation.values)
        log = self.catalog.table(table)
        at = resumed_at(over, None, values) if resume else None
        reading = self._reading(question, log, table, values, self._checkpoint(log, at) if at else None)
        unplaced = over != "log" and self._settings.baseline and not reading.nothing
        if unplaced and not self._identity(reading.log, table, reading).place:
            self.keys(table)  # which baseline applies, the table's Region and account tell
        asked = _AskedFor(relation, _Read(table, reading.log, reading), values)
        if not self._is_empty(asked) or reading.window != Window(starts=reading.window.starts):
            return self._again(asked)
        raise TableNotFound("; ".join([f"{log.location} holds no objects of change records", *reading.listing.notes]))

    def _is_empty(self, asked: _AskedFor) -> bool:
        reading, over = asked.read.reading, asked.relation.kind.over
        begins = self._from_baseline(asked.read.table, over, asked.values)
        return reading.nothing and not begins

    def _again(self, asked: _AskedFor) -> _AskedFor:
        """Write the rows of a relation, by what is known of its log now."""
        read, question = asked.read, asked.relation.question
        over = asked.relation.kind.over
        deliveries, unstaged = self._relation(question, read.log, read.table, read.reading, over, asked.values)
        if self._is_empty(asked):
            deliveries = f"(select * from {deliveries} as log where false)"
        rows = question.compose(asked.values, deliveries=deliveries, matching=matching(question, asked.relation.only))
        return replace(asked, rows=rows, unstaged=unstaged)

    def _text_of(self, plan: Plan, asked: Sequence[_AskedFor], masks: Masks) -> str:
        return plan.compose([each.relation.projected(each.rows, "athena", masks) for each in asked], "athena")

    def _reading(
        self,
        question: Question | None,
        log: LogTable,
        table: str,
        values: Mapping[str, object],
        checkpoint: Checkpoint | None,
    ) -> Reading:
        """Find what a question has to read: the objects of its window, or a checkpoint and those after it."""
        window = self._window(question, values) if question else Window()
        listing = self._listing(log, window)
        return Reading(listing, window, checkpoint, self._compactor.find(listing.log) if self._compactor else ())

    def _run(
        self, text: str, log: LogTable, table: str, reading: Reading, *, to: str | None = None, count: bool = True
    ) -> RunningQuery | None:
        """Run a query of one log; see `_run_over`."""
        return self._run_over(text, [_Read(table, log, reading)], to=to, count=count)

    def _run_over(
        self, text: str, reads: Sequence[_Read], *, to: str | None = None, count: bool = True
    ) -> RunningQuery | None:
        """Run a query and, beside it, those that count unreadable lines and changes a checkpoint is overtaken by.

        Returns None, with nothing left of it, where a checkpoint does not tell the answer.
        """
        counting, overtaking = dict[str, tuple[_Read, list[Object]]](), list[_Read]()
        for read in reads:
            new = self._new(read.table, read.reading.objects, always=to is not None) if count else []
            before = counting[read.table][1] if read.table in counting else []
            if new := [item for item in new if item not in before]:
                counting[read.table] = read, [*before, *new]
            read.reading.refuse_archived()
            if read.reading.checkpoint and (read.reading.objects or read.reading.used_days):
                overtaking.append(read)
        texts = [text, *(self._census(table, read.reading, new) for table, (read, new) in counting.items())]
        for read in overtaking:
            checkpoint = read.reading.checkpoint
            assert checkpoint
            names = {
                "deliveries": self._later(read.log, read.table, read.reading),
                "checkpoint": read.log.checkpoint(checkpoint.id),
            }
            texts.append(fill(load("parts/overtaken"), {"since": checkpoint.since}, names))
        times = 2 if to else 1  # parts/checkpoint.sql names twice what is read
        self._refuse([(read.reading, counting.get(read.table, (read, []))[1]) for read in reads], times=times)
        running, *others = self._queries.run(texts, to=(to,) if to else ())
        try:
            # One that was removed meanwhile has no rows, of which Athena says nothing.
            overtaken = any(
                read.reading.checkpoint and self._checkpoints and not self._checkpoints.has(read.reading.checkpoint)
                for read in reads
            ) or any(self._compactor and self._compactor.missing(read.reading.used_days) for read in reads)
            for query in others[len(counting) :] if not overtaken else ():
                overtaken = overtaken or self._whole(query).column("changes").to_pylist() != [0]
            for (read, new), query in zip(counting.values(), others, strict=False):
                self._note(read.log, read.table, new, self._whole(query))
            for read in reads:
                self._identity(read.log, read.table, read.reading)
        except BaseException:
            running.stays = False
            self._clean([running])
            raise
        finally:
            self._clean(others)
        if overtaken:
            running.stays = False
            self._clean([running])
            return None
        return running

    def _census(self, table: str, reading: Reading, objects: Sequence[Object]) -> str:
        return census(self._deliveries(table, reading, objects, readable=None))

    def _identity(self, log: LogTable, table: str, reading: Reading) -> Table:
        """Tell which table a name stands for, as far as the log has been looked into."""
        contents_before = [each for one in reading.kept for each in one.contents if log.only in (None, each.table)]
        parts, counted = merged((*contents_before, *self._contents.get(table, ()))), self._counted.get(table, {})
        unknown = [item for item in reading.objects if item not in counted]
        given = table, self._settings.log_region, self._settings.log_account
        everything = reading.window == Window(starts=reading.window.starts)
        identity = one_table(parts, *given, whole=everything and not unknown)
        if unknown and not self._settings.count_unreadable:  # no query looks into them: their beginnings must do
            unsure = [item for item in unknown if not self.catalog.looked_through(item)]
            parts_begun = [part for item in unknown for part in self.catalog.parts(log, item)]
            identity_seen = one_table(
                merged((*parts, *parts_begun)), *given, whole=everything and not unsure, counted=not unsure
            )
            identity = replace(
                identity,
                place=identity_seen.place,
                notes=identity_seen.notes,
                origin=identity.origin if unsure else identity_seen.origin,
            )
            if unsure:
                identity = replace(
                    identity,
                    notes=(
                        *identity.notes,
                        f"{len(unsure):,} objects were not looked into for tables of "
                        "other Regions, accounts or keys: count_unreadable is off",
                    ),
                )
        self._places[table] = identity.place
        return identity

    def _unreadable(self, table: str, reading: Reading) -> tuple[Unreadable, ...]:
        """Return the lines of what an answer stands on that are no change records, as far as they were counted."""
        known = {**reading.told, **self._counted.get(table, {})}
        return tuple(each for item in reading.covered for each in known.get(item, ()))

    def _newest_change(self, log: LogTable, table: str, reading: Reading) -> datetime | None:
        """Tell when the last change that Athena can read was made, by what was counted; None where it may be later."""
        counted, window = self._counted.get(table, {}), reading.window
        if window.last or not all(item in counted or item in reading.told for item in reading.covered):
            return None
        newest = max((part.last for part in self._identity(log, table, reading).parts), default=None)
        newest = newest and newest.replace(tzinfo=UTC)
        # Objects that arrived before the window hold no change made since it began.
        return newest if newest and (window.first is None or newest >= window.first) else None

    def _log_rows(
        self, log: LogTable, table: str, reading: Reading, *, arrival: bool = False, repeats: bool = False
    ) -> str:
        """Return the deliveries of what is to be read and, before them, of the checkpoint."""
        if not reading.checkpoint:
            return self._later(log, table, reading, arrival=arrival, repeats=repeats)
        checkpoint = log.checkpoint(reading.checkpoint.id)
        if not reading.objects and not reading.used_days:
            return checkpoint
        return both(CHANGE, [checkpoint, self._later(log, table, reading)])

    def _later(
        self, log: LogTable, table: str, reading: Reading, *, arrival: bool = False, repeats: bool = False
    ) -> str:
        """Return the deliveries of the objects, and the compacted days, to read, of the one table that is meant."""
        origin = self._identity(log, table, reading).origin
        arrivals = reading.covered if arrival else None
        texts = []
        if reading.objects or not reading.used_days:
            texts.append(self._deliveries(table, reading, reading.objects, arrivals=arrivals, origin=origin))
        if reading.used_days:
            texts.append(log.compacted(reading.days_read, arrivals=arrivals, written=repeats, origin=origin))
        return both(DELIVERY, texts)

    def _relation(
        self, question: Question, log: LogTable, table: str, reading: Reading, over: Over, values: Mapping[str, object]
    ) -> tuple[str, tuple[Unreadable, ...]]:
        """Return what a question is asked of, as SQL, and the lines of the export in it that cannot be read."""
        log_rows = self._log_rows(log, table, reading, arrival=question.arrivals, repeats=question.repeats)
        if over == "log":
            return log_rows, ()
        baseline = self._from_baseline(table, over, values)
        if baseline is None:
            return (log_rows if over in AFTER_BASELINE else f"(select * from {log_rows} as log where false)"), ()
        exported, unstaged = self._exported(table, baseline)
        if over == "baseline":
            return exported, unstaged
        names = {"deliveries": log_rows, "baseline": exported}
        return f"({fill(load(AFTER_BASELINE[over]), {'since': baseline.time}, names)})", unstaged

    def _from_baseline(self, table: str, over: Over, values: Mapping[str, object]) -> Baseline | None:
        """Return the baseline a question begins with; None where it is of the log alone."""
        at = values.get("as_of")
        return None if over == "log" else self.baseline(table, at if isinstance(at, datetime) else None)

    def _checkpoint(self, log: LogTable, at: datetime) -> Checkpoint | None:
        if self._checkpoints is None:
            return None
        return self._checkpoints.find(
            log.name,
            self._origin(log),
            at,
            lambda checkpoint: self._is_whole(log, checkpoint) and self._had_arrived(log, checkpoint),
        )

    def _had_arrived(self, log: LogTable, checkpoint: Checkpoint) -> bool:
        """Return whether all that a checkpoint was made from had arrived when the log was known as it is asked for."""
        known_at = self.known_at
        if known_at is None:
            return True
        if checkpoint.place not in self._arrived:
            dated = self._listing(log, Window()).log
            items = (Object(*each, "json", arrival_of(each[0])) for each in checkpoint.objects)
            arrivals = (dated.zone.utc(dated.local_arrival(item)) for item in items)
            self._arrived[checkpoint.place] = all(each and each <= known_at for each in arrivals)
        return self._arrived[checkpoint.place]

    def _origin(self, log: LogTable) -> Log:
        """Tell where a log is, and what is chosen of it."""
        return Log(log.location + choice(self._settings.log_region, self._settings.log_account), log.location)

    def _is_whole(self, log: LogTable, checkpoint: Checkpoint) -> bool:
        """Look, once, whether all of a checkpoint is there: Athena says nothing of what is not."""
        if checkpoint.place in self._whole_ones:
            return True
        if not self.catalog.checkpoints.holds(log, (checkpoint.id,), checkpoint.place):
            self._left = [f"{checkpoint.place} is not used, for it is no partition of {log.name}_checkpoints any more"]
        elif self._kept_bytes(checkpoint) != checkpoint.bytes:
            self._left = [f"{checkpoint.place} is not used, for some of its objects are gone"]
        else:
            self._whole_ones.add(checkpoint.place)
        return checkpoint.place in self._whole_ones

    def _kept_bytes(self, checkpoint: Checkpoint) -> int:
        return sum(item.size for item in self.catalog.below(checkpoint.place))

    def _exported(self, table: str, baseline: Baseline) -> tuple[str, tuple[Unreadable, ...]]:
        """Put the state that exports know into a table of its own, for as long as this engine is open."""
        if self._staged and self._staged[:2] == (table, baseline):
            return self._staged[2:]
        self._forget()
        name = f"workbench_baseline_{uuid.uuid4().hex}"
        place = f"{self._queries.output}workbench/{name}/"
        with tempfile.TemporaryDirectory() as folder, duckdb.connect() as con:
            register_functions(con)
            unstaged = stage(
                con,
                "state",
                baseline,
                tuple(self._settings.keys) or tuple(alive_at(self.keys(table), baseline.time).types),
            )
            path = Path(folder, "state.parquet")
            con.execute(
                "copy (select * exclude (object) replace (cast(ts as varchar) as ts, canonical_image(new_image)"
                f" as new_image) from state) to {literal(str(path))} (format parquet)"
            )
            S3Files(self.session, QueryError).put(path, f"{place}state.parquet")
        self._forget = weakref.finalize(self, _remove, self.session, self.catalog.database, name, place)
        definition = table_input(name, place, stored="parquet", partitions="none")
        glue = self.session.client("glue")
        trouble, needed = "the baseline needs a table of its own for a while", ("glue:CreateTable", "glue:DeleteTable")
        try:
            with explained(trouble, *needed, raises=QueryError):
                glue.create_table(DatabaseName=self.catalog.database, TableInput=definition)
        except QueryError:
            self._forget()
            raise
        exported = self.catalog.table(name).deliveries()
        self._staged = (table, baseline, exported, unstaged)
        return exported, unstaged

    def _window(self, question: Question, values: Mapping[str, object]) -> Window:
        return window_of(question, values, duration(self._settings.late_arrival))

    def _listing(self, log: LogTable, window: Window) -> Listing:
        known_at = self.known_at
        if known_at is None:
            return self.catalog.listing(log, window.first, window.last)
        last = min(window.last, known_at) if window.last else known_at
        return self.catalog.listing(log, window.first, last).known_at(known_at)

    def _deliveries(self, table: str, reading: Reading, objects: Iterable[Object], **options: Any) -> str:
        """Read the partitions the objects are in: no others need be looked for."""
        log, everything = reading.log, [*reading.listed, *reading.listing.left_out]
        needed, there = ({log.values(item) or () for item in each} for each in (objects, everything))
        within, apart = log.partitions.within(needed, there), reading.apart([*objects])
        within += f" and {apart}" if apart else ""
        return log.deliveries(
            within=within, keys=self._settings.keys, known_at=self.known_at, there=everything, **options
        )

    def _new(self, table: str, objects: Sequence[Object], *, always: bool = False) -> list[Object]:
        """Return the objects whose unreadable lines are to be counted, by the setting or `always`."""
        counted = self._counted.get(table, {})
        return [item for item in objects if item not in counted] * (always or self._settings.count_unreadable)

    def _refuse(
        self, readings: Sequence[tuple[Reading, Sequence[Object]]], *, times: int = 1, overtaking: bool = True
    ) -> None:
        """Refuse to read more than `max_scan_bytes`: of each reading, the objects, and those in it that are counted."""
        until = [(each.log.needed_until(item), item.size) for each, _ in readings for item in each.objects]
        estimates = [self._estimate(*each, times=times, overtaking=overtaking) for each in readings]
        total = Estimate(*(sum(parts) for parts in zip(*map(astuple, estimates), strict=True)))
        refuse(total, self._settings.max_scan_bytes, until, readings[0][0].window)

    def _estimate(
        self, reading: Reading, counted: Sequence[Object] = (), *, times: int = 1, overtaking: bool = True
    ) -> Estimate:
        """Tell what a query that names what it reads so many `times` scans, with those that are run beside it.

        Whether a checkpoint is overtaken is asked, `overtaking`, of what came since, with the checkpoint twice.
        """
        checkpoint = reading.checkpoint.bytes if reading.checkpoint else 0
        later = sum(item.size for item in reading.scanned) + reading.kept_bytes - checkpoint
        beside = overtaking and bool(reading.checkpoint and (reading.objects or reading.used_days))
        scanned = (times + beside) * later + (times + 2 * beside) * checkpoint + sum(item.size for item in counted)
        return Estimate(scanned, len(reading.objects), self._queries.cost(scanned, 1 + beside + bool(counted)))

    def _whole(self, query: RunningQuery) -> pa.Table:
        parts = list(self._queries.batches(query))
        return pa.concat_tables(parts) if parts else pa.table({"path": [], "lines": []})

    def _reused(self, text: str) -> pa.Table | None:
        """Return an earlier result of the same text: Athena's own reuse does not take UNLOAD."""
        at, rows = self._kept.get(text, (0.0, None))
        if time.time() - at >= duration(self._settings.result_reuse).total_seconds():
            return None
        self._queries.finished.append(FinishedQuery("", 0, 0.0, 0.0, 0.0, 0.0, reused=True))
        return rows

    def _keep(self, text: str, rows: pa.Table) -> None:
        if duration(self._settings.result_reuse):
            self._kept[text] = (time.time(), rows)
            while len(self._kept) > _REUSED:
                self._kept.pop(next(iter(self._kept)))

    def _clean(self, running: Iterable[RunningQuery]) -> None:
        for query in running:
            if query.target and (remains := self._queries.clean(query)):
                self._left = [remains]
            query.target = ""

    def _note(self, log: LogTable, table: str, objects: Sequence[Object], counts: pa.Table) -> None:
        """Note the lines that are no change records, by object: a few objects are fetched to name the lines."""
        self._contents[table] = merged((*self._contents.get(table, ()), *contents_of(counts)))
        counted = self._counted.setdefault(table, {})
        counted |= unreadable_of(counts, log, objects, self.session, self._settings.keys)


def _only(log: LogTable, objects: Sequence[Object], there: Sequence[Object]) -> str:
    """Write the condition on lines of some objects where others are in their partitions; none where it is too long."""
    partitions, wanted = {log.values(item) for item in objects}, {item.path for item in objects}
    others = [item.path for item in there if item.path not in wanted and log.values(item) in partitions]
    if not others:
        return "readable"
    operator, paths = min((("in", sorted(wanted)), ("not in", others)), key=lambda each: len(each[1]))
    condition = f"arrival {operator} {literal(paths)}"
    return f"readable and {condition}" if len(condition) < _LONGEST_CONDITION else "readable"


def _place_in_s3(settings: Settings, name: str) -> str | None:
    """Return the place that a setting names; None where it is off."""
    place: str = getattr(settings, name) or "off"
    if place != "off" and not place.startswith("s3://"):
        raise ConfigError(f"{name} is {place!r}: with engine=athena it is a place in S3, s3://BUCKET/{name}/")
    return None if place == "off" else place


def _remove(session: Session, database: str, table: str, place: str) -> None:
    with suppress(ClientError, BotoCoreError):
        session.client("glue").delete_table(DatabaseName=database, Name=table)
    with suppress(StoreError):
        S3Files(session).remove(place)


def _schema_of(plan: Plan) -> pa.Schema:
    """Return the columns of a query's text; of their types, which are times."""
    return pa.schema(
        [(name, pa.timestamp("us") if kind == "timestamp" else pa.null()) for name, kind in plan.inside.items()]
    )
