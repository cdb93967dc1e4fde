"""What every engine does, and what is left to each: a `Question` in, Arrow rows out.

A new engine is a class over `Engine`, registered by `workbench.engines.register`. It must say which tables there are,
which keys they have, and answer; the rest has a default. ``tests/engines/test_base.py`` has one of a few lines.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import pandas as pd
import pyarrow as pa

from workbench.aws.costs import FinishedQuery
from workbench.errors import ConfigError, ExportError, ParameterError
from workbench.log.export_manifests import find_exports
from workbench.log.exports import Baseline, Export, choose
from workbench.log.known import as_known
from workbench.log.objects import Object, Unreadable
from workbench.model.attribute_schema import Held
from workbench.model.stream_views import View, infer_views
from workbench.model.times import START_OF_TIME
from workbench.paths import local_path
from workbench.sql.filters import EVERYTHING, Filter
from workbench.sql.literals import identifier
from workbench.sql.questions import Question, load_question
from workbench.sql.typed_attributes import NO_MASKS, Masks
from workbench.text import count, size

if TYPE_CHECKING:
    import boto3

    from workbench.aws.catalog import Catalog
    from workbench.aws.views import Views
    from workbench.config import Settings
    from workbench.engines.snapshots import Snapshot
    from workbench.log.checkpoints import Checkpoint
    from workbench.log.contents import Schema
    from workbench.sandbox.dynamodb_writer import Written
    from workbench.sandbox.generate import Generated
    from workbench.sql.query import Plan

Over = Literal["log", "state", "history", "baseline"]
"""What a question is asked of: the change log, the log that follows from a baseline, the log with what a baseline knew
at its instant, or the baseline alone."""
AFTER_BASELINE: Mapping[Over, str] = {"state": "parts/from_baseline", "history": "parts/with_baseline"}
"""The text of a log with a baseline."""
Asked = Question | str
"""A question, or the name of one."""
TABLES = {
    "table": "str",
    "layout": "str",
    "objects": "int64",
    "bytes": "int64",
    "first_arrival": "datetime64[us, UTC]",
    "last_arrival": "datetime64[us, UTC]",
    "aws_region": "string",
    "account_id": "string",
}
"""The columns of a list of tables, and their types."""
_COPY = "write to a folder and copy it there (aws s3 sync), or export a table of DynamoDB with engine=athena"
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True)
class Estimate:
    """What a question will scan at most: the size of the objects it reads."""

    bytes: int
    objects: int
    cost: float
    """Dollars."""

    def __str__(self) -> str:
        """Write it in a line."""
        price = f", ${self.cost:,.4f}" if self.cost else ""
        return f"at most {size(self.bytes)} in {count(self.objects, 'object')}{price}"


@dataclass(frozen=True)
class Answer:
    """What an engine brings back: rows, the SQL in Athena's dialect, and what was read for it."""

    rows: pa.Table
    sql: str
    seconds: float
    objects: int
    bytes: int
    unreadable: tuple[Unreadable, ...]
    first_arrival: datetime | None = None
    last_arrival: datetime | None = None
    queries: tuple[FinishedQuery, ...] = ()
    notes: tuple[str, ...] = ()
    newest_change: datetime | None = None
    """When the last change of the log was made, in UTC; None where a question did not look at all that is new."""
    failures: int = 0
    """Changes that were read out of Firehose's failure objects, which did not reach the log."""
    unread: tuple[str, ...] = ()
    """Objects of the log, by their paths, in partitions that Glue does not know: no query reads them."""
    lost: tuple[str, ...] = ()
    """Attributes, or types of them, of the newest records that the table's columns do not hold."""


@dataclass(frozen=True)
class Listed:
    """A table there is, with the objects of its log."""

    table: str
    layout: str
    objects: Sequence[Object] = field(repr=False)
    region: str | None = None
    account: str | None = None
    """None, as the Region, where it is not known."""


def resumed_at(over: Over, after: datetime | None, values: Mapping[str, object]) -> datetime | None:
    """Return the instant whose state a question may take from a checkpoint; None where it needs all changes."""
    at = values.get("as_of")
    if after:
        return max(after, START_OF_TIME + _INSTANT) - _INSTANT
    return at if over == "state" and isinstance(at, datetime) else None


class Engine(ABC):
    """Runs questions over the change logs of tables."""

    tables_in_dynamodb: ClassVar[bool] = False
    """Whether the tables whose logs these are, are in DynamoDB; else they are in the item store of this machine."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    # What an engine has to tell.

    @abstractmethod
    def listed(self) -> tuple[Iterable[Listed], Sequence[str]]:
        """List the tables there are, and say what else is there that is no log, or was not looked into."""

    @abstractmethod
    def keys(self, table: str, *, whole: bool = False) -> list[Schema]:
        """Name the keys a table has had, the newest first: one but where it was made again with another.

        Where looking costs, they are those seen so far, or in the newest changes; with `whole` all.
        """

    @abstractmethod
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
        """Answer a question over a table's deliveries that match a filter.

        Parameters
        ----------
        question
            The question, or its name.
        where
            Only these deliveries, or states; for questions that take a filter.
        over
            What it is asked of.
        after
            Of the changes before this instant, only what they led to is of use: they may be read from a checkpoint.
        **values
            The question's parameters; the others have their defaults.
        """

    # What has a default.

    def schema(self, table: str) -> Held:
        """Return what all images of a table's log hold, new and old ones, its keys, and those of a baseline's items.

        It is up to date with the log. This default reads all changes.

        Raises
        ------
        RecordRefused
            Where an image is not DynamoDB JSON.
        """
        found = Held()
        for name, kind in (pair for each in self.keys(table, whole=True) for pair in each.types.items()):
            found.member(name).kinds.setdefault(kind, 0)
        over: Sequence[Over] = ("log", "baseline") if self._settings.baseline else ("log",)
        for answer in (each for one in over for each in self.batches("changes", table, over=one)):
            for image in ("new_image", "old_image"):
                for text in answer.rows.column(image).drop_null().to_pylist():
                    found.add(text)
        return found

    @property
    def session(self) -> boto3.Session | None:
        """The session with which files in S3 are reached; None where none is set up."""
        return None

    @property
    def known_at(self) -> datetime | None:
        """As of when the log is known, UTC: what had arrived by then is asked; None where that is all there is."""
        return self._settings.known_at

    @property
    def place_of_logs(self) -> str:
        """Where the logs are, for people: a folder, or a database."""
        return f"source={self._settings.source or str(self._settings.lake)!r}"

    @property
    def account(self) -> str | None:
        """The AWS account that is asked, where the session knows it; None of the embedded engine."""
        return None

    @property
    def finished(self) -> Sequence[FinishedQuery]:
        """Every paid query that has run."""
        return ()

    @property
    def catalog(self) -> Catalog:
        """The catalog that holds the tables.

        Raises
        ------
        ConfigError
            Where there is none.
        """
        raise ConfigError("the embedded lake has no catalog, its folders are the tables: set engine=athena")

    @property
    def made_views(self) -> Views:
        """The views over logs that were made in the catalog.

        Raises
        ------
        ConfigError
            Where there is no catalog.
        """
        raise ConfigError("the embedded lake has no views: use connect() or export_db, or set engine=athena")

    def view_text(self, plan: Plan, masks: Masks = NO_MASKS) -> str:
        """Write a query of a relation for a view, which reads all that the log will hold."""
        raise ConfigError(f"the engine {self._settings.engine} has no views")

    def tables(self) -> pd.DataFrame:
        """List the tables there are: a row a table, Region and account, with the columns of `TABLES`."""
        listed, notes = self.listed()
        rows = []
        for each in listed:
            arrivals = [item.arrival for item in each.objects if item.arrival]
            rows.append(
                (
                    each.table,
                    each.layout,
                    len(each.objects),
                    sum(item.size for item in each.objects),
                    min(arrivals, default=None),
                    max(arrivals, default=None),
                    each.region,
                    each.account,
                )
            )
        df = pd.DataFrame(rows, columns=[*TABLES]).astype(TABLES)
        df.attrs["notes"] = [*([as_known(self.known_at)] if self.known_at else []), *notes]
        return df

    def keys_seen(self, table: str) -> list[Schema]:
        """Name the keys that a table had when it was asked about last, where that is known."""
        return self.keys(table)

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
        """Answer a question in parts, at least one, so that a large answer does not fill the memory.

        When the first is there, other questions may be asked, and then none until the last is. Where the engine dies in
        between it raises `EngineLost`: forget what has come, and ask again.
        """
        yield self.ask(question, table, where=where, over=over, after=after, **values)

    def names(self) -> list[str]:
        """Name the tables there are, without looking into their logs where that can be done without."""
        return sorted({each.table for each in self.listed()[0]})

    def views(self, table: str) -> list[View]:
        """Tell which images the records of a log hold, and from when to when."""
        return infer_views(self.ask("stream_views", table).rows.to_pylist())

    def query(self, plan: Plan, masks: Masks = NO_MASKS) -> Answer:
        """Answer a person's own query over the relations of logs.

        Returns
        -------
        Answer
            Its rows have the columns of the plan, by their names inside, in their order.
        """
        raise ConfigError(f"the engine {self._settings.engine} takes no queries")

    def snapshot(self, table: str, folder: Path) -> Snapshot | None:
        """Have a table's log in a folder too, as it is now, and tell how it is read there; None where it is far."""
        return None

    def layout(self, table: str) -> str:
        """Name the layout of a table's log; of several, all of them, joined by `` + ``."""
        return next((each.layout for each in self.listed()[0] if each.table == table), "")

    def estimate_query(self, plan: Plan) -> Estimate:
        """Tell what `query` would read at most; nothing of it is run."""
        estimates = [self.estimate(each.question, each.table, **each.values) for each in plan.relations]
        total = [sum(parts) for parts in zip(*map(astuple, estimates), strict=True)]
        return Estimate(*total)

    def sql(self, question: Asked, table: str, /, *, where: Filter = EVERYTHING, **values: object) -> str:
        """Return the text `ask` would run, in Athena's dialect."""
        question = as_question(question)
        return question.compose(values, deliveries=self._named(table), matching=matching(question, where))

    def _named(self, table: str) -> str:
        """Write a table as the text of a question names it."""
        return identifier(table)

    def estimate(self, question: Asked, table: str, **values: object) -> Estimate:
        """Tell what `ask` would read at most; nothing is run."""
        as_question(question).bind(values)
        objects = [item for each in self.listed()[0] if each.table == table for item in each.objects]
        return Estimate(sum(item.size for item in objects), len(objects), 0.0)

    def place(self, table: str) -> Mapping[str, str]:
        """Tell a table's aws_region and account_id, where they are chosen or, as far as was looked, known."""
        return {}

    def exports(self, source: str | Path) -> list[Export]:
        """Find the exports under a folder or, where the engine reads it, an ``s3://`` prefix."""
        return find_exports(source)

    def baseline(self, table: str, at: datetime | None = None) -> Baseline | None:
        """Return the newest state an export knows of a table at an instant, where a baseline is set."""
        if not self._settings.baseline:
            return None
        return choose(self._known_exports(self._settings.baseline), table, at, self.place(table))

    def _known_exports(self, source: str) -> list[Export]:
        """Find the exports that had been made when the log was known as it is asked for."""
        exports, known_at = self.exports(source), self.known_at
        return [each for each in exports if known_at is None or (each.made or each.time) <= known_at]

    def baselines(self, table: str) -> list[Baseline]:
        """Return every state that exports know of a table, where a baseline is set."""
        if not self._settings.baseline:
            return []
        exports, place = self._known_exports(self._settings.baseline), self.place(table)
        instants = sorted({export.instant for export in exports if export.table in (table, "")})
        states = [choose(exports, table, instant, place) for instant in instants]
        return list(dict.fromkeys(state for state in states if state))

    def checkpoint(self, table: str, keep: int) -> Checkpoint:
        """Keep what a log has come to, for later questions over the state, and so many checkpoints of it."""
        raise ConfigError(f"the engine {self._settings.engine} keeps no checkpoints")

    def compact(self, table: str, *, again: bool) -> pd.DataFrame:
        """Compact the closed days of a log: a row a day that was made, with the columns of `compacting.COMPACTED`."""
        raise ConfigError(
            "nothing is to be compacted: the embedded engine keeps each log in columns by itself, see `workbench "
            "store`; with engine=athena days are compacted"
        )

    def archive(self, table: str) -> int:
        """Tag the objects of compacted days for the bucket's rules, and return how many had no tag."""
        raise ConfigError("objects are tagged in S3: set engine=athena")

    def forget(self, table: str) -> None:  # noqa: B027 - most engines keep nothing
        """Drop what is kept of a table, which is made anew."""

    def reread(self, table: str, error: Exception) -> None:
        """Leave out from now on what a fast reader let pass, or raise the error that made it seen."""
        raise error

    # The tables themselves: those of the item store of this machine, unless an engine says otherwise.

    def generate(self, dataset: str, **options: Any) -> Generated | Written:
        """Make a realistic table and its change log; see `workbench.sandbox.generate.generate`."""
        from workbench.sandbox import ItemStore
        from workbench.sandbox.generate import generate

        with ItemStore(self._settings.item_store) as store:
            return generate(store, self._settings.lake, dataset, forget=partial(self.forget, dataset), **options)

    def half_made(self, table: str) -> bool:
        """Return whether a table is being generated, or that was stopped."""
        from workbench.sandbox.generate import unfinished

        return not self._settings.source and bool(unfinished(self._settings.item_store, table))

    def export_table(self, table: str, to: str | Path) -> Path | str:
        """Export a table as it is now, in the form of DynamoDB's export to S3, and return where it is."""
        from workbench.sandbox import ItemStore, export_table

        with ItemStore(self._settings.item_store) as store:
            return export_table(store, table, local_path(to, ExportError, _COPY))

    def export_status(self, table: str) -> pd.DataFrame:
        """Tell how far the exports of a table are, where they take their time."""
        raise ConfigError("an export of the embedded store is made at once: set engine=athena for DynamoDB's")

    def close(self) -> None:  # noqa: B027 - most engines hold nothing
        """Free what the engine holds; the next question opens it again."""


def as_question(question: Asked) -> Question:
    """Return the question that is meant."""
    return load_question(question) if isinstance(question, str) else question


def matching(question: Question, where: Filter) -> str:
    """Write a filter for a question.

    Raises
    ------
    ParameterError
        Where it takes none.
    """
    if where == EVERYTHING:
        return "true"
    if not question.filters:
        raise ParameterError(f"{question.name} takes no filter")
    return where.sql(*question.filters)


def combined(answers: Mapping[str, Answer]) -> Answer:
    """Return what several logs told of, by their tables, as one answer; its rows and its text are the first's."""
    first, *others = answers.values()
    if not others:
        return first
    every = [first, *others]
    newest = [each.newest_change for each in every]
    return replace(
        first,
        objects=sum(each.objects for each in every),
        bytes=sum(each.bytes for each in every),
        unreadable=tuple(dict.fromkeys(line for each in every for line in each.unreadable)),
        first_arrival=min((each.first_arrival for each in every if each.first_arrival), default=None),
        last_arrival=max((each.last_arrival for each in every if each.last_arrival), default=None),
        notes=tuple(f"{table}: {note}" for table, each in answers.items() for note in each.notes),
        newest_change=None if None in newest else min(each for each in newest if each),
        failures=sum(each.failures for each in every),
        unread=tuple(path for each in every for path in each.unread),
        lost=tuple(name for each in every for name in each.lost),
    )
