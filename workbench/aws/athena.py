"""Queries on Athena, through awswrangler: run, followed, stopped, and what they leave read.

>>> from workbench.aws import Athena, open_session, spent
>>> from workbench.config import load_settings
>>> settings = load_settings(engine="athena", database="sales", output="s3://bucket/athena/")
>>> with Athena(open_session(settings), settings) as athena:  # doctest: +SKIP
...     athena.read("select city, sum(amount) as total from orders group by city")
     city  total
0  Berlin  812.5
>>> print(spent(athena.finished))  # doctest: +SKIP
1 query, 12.6 MB scanned, $0.0001

A query is wrapped in UNLOAD, so that its result travels as Parquet and '' stays apart from NULL. Ctrl-C, a time-out and
an error stop it; where the process dies, its `workbench.aws.watchdog` does.
"""

from __future__ import annotations

import contextlib
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

import awswrangler as wr
import pandas as pd
import pyarrow as pa
import sqlglot
from botocore.exceptions import BotoCoreError, ClientError
from sqlglot import exp

from workbench.aws.costs import FinishedQuery
from workbench.aws.errors import aws_words, explained, is_denied, remedy, remedy_by_words
from workbench.aws.result_order import in_order
from workbench.aws.session import Session
from workbench.aws.watchdog import Watchdog
from workbench.config import Settings
from workbench.errors import ConfigError, QueryError, without_athenas_values
from workbench.model.times import duration
from workbench.progress import progress

LONGEST_TEXT = 262_144  # https://docs.aws.amazon.com/athena/latest/ug/service-limits.html
_LEAST_CHARGED = 10_000_000  # bytes a query, https://aws.amazon.com/athena/pricing/
_DELAYS = (0.1, 0.2, 0.4, 0.8, 1.5)  # seconds between looks at a query
_ATTEMPTS = 3  # of a query that Athena says failed for a transient reason


@dataclass
class RunningQuery:
    """A query on its way."""

    sql: str
    target: str
    """The prefix, ``s3://…/``, under which its result is."""
    unloads: bool = True
    """Whether it is a query, whose result is written; else a statement, which leaves none."""
    stays: bool = False
    """Whether its target was asked for, and is not temporary."""
    id: str = ""
    finished: FinishedQuery | None = None
    """What it took, once it has succeeded."""


class Athena:
    """Athena in one workgroup and database: runs queries, and reads what they leave.

    A workgroup's own output location, engine version and scan limit hold; one that cannot serve is refused with what
    to do. Settings that count here: database, workgroup, output, query_timeout, price_per_tb, and, for the watchdog,
    profile, region, role and endpoint.

    Attributes
    ----------
    finished
        What each query that has succeeded took, in the order in which they did.
    """

    def __init__(self, session: Session, settings: Settings) -> None:
        self._session, self._settings = session, settings
        self._watchdog = Watchdog(settings)
        self._output: tuple[str, bool] | None = None
        self._scanned: dict[str, int] = {}
        self.finished: list[FinishedQuery] = []

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process that watches over the queries."""
        self.close()

    def read(self, sql: str) -> pd.DataFrame:
        """Run a query and return its rows, as `read_arrow` does, in columns of Arrow's types.

        >>> athena.read("select count(*) as orders from orders")  # doctest: +SKIP
           orders
        0   48210
        """
        df: pd.DataFrame = self.read_arrow(sql).to_pandas(types_mapper=pd.ArrowDtype)
        return df

    def read_arrow(self, sql: str) -> pa.Table:
        """Run a query and return its rows; nothing stays in S3.

        Athena writes timestamps of Parquet with milliseconds: cast to varchar in the query those that have more.

        Parameters
        ----------
        sql
            One SELECT in Athena's dialect.

        Returns
        -------
        pyarrow.Table
            In the order of the query, where that is one of columns of the result. A query without rows leaves no
            file, and so no types: then its columns are those it names, of type null.

        Raises
        ------
        QueryError
            With Athena's own words and what to do next.
        ConfigError
            Where the workgroup cannot serve.
        """
        (query,) = self.run([sql.strip().rstrip(";")])
        try:
            parts = list(self.batches(query))
        finally:
            self.clean(query)
        if parts:
            return in_order(pa.concat_tables(parts), sql)
        query_tree = sqlglot.parse_one(sql, read="athena")
        names = query_tree.named_selects if isinstance(query_tree, exp.Query) else []
        names = [name for name in names if name and name != "*"]
        return pa.table({name: pa.nulls(0) for name in names})

    def run(self, texts: Sequence[str], *, to: Sequence[str | None] = ()) -> list[RunningQuery]:
        """Run queries side by side until all have succeeded; whatever stops this stops them.

        Parameters
        ----------
        to
            Where the results of the first ones go, and stay, each an empty prefix; None where it is temporary.

        Raises
        ------
        QueryError
            With Athena's own words and what to do next.
        """
        output, enforced = self._result_location()
        running = [RunningQuery(text, f"{output}workbench/{uuid.uuid4()}/") for text in texts]
        for number, place in enumerate(to):
            if place:
                running[number] = RunningQuery(texts[number], place, stays=True)
        try:
            for query in running:
                self._start(query, None if enforced else output)
            self._follow(running, None if enforced else output)
        except BaseException:  # Ctrl-C and time-outs too: a query that nobody waits for still costs
            for query in running:
                query.stays = False
                self._stop(query)
                self.clean(query)
            raise
        return running

    def execute(self, statement: str) -> None:
        """Run a statement that leaves no rows, such as one that makes a view.

        Raises
        ------
        QueryError
            With Athena's own words and what to do next.
        """
        output, enforced = self._result_location()
        running = RunningQuery(statement, "", unloads=False, stays=True)
        try:
            self._start(running, None if enforced else output)
            self._follow([running], None if enforced else output)
        except BaseException:
            self._stop(running)
            raise
        finally:
            self.clean(running)

    def batches(self, query: RunningQuery, rows: int | None = None) -> Iterator[pa.Table]:
        """Read what a query left, as a whole or so many rows at a time; nothing where it has no rows."""
        try:
            uris = wr.s3.list_objects(query.target, boto3_session=self._session)
            if not uris:
                return
            frames = wr.s3.read_parquet(
                uris, dtype_backend="pyarrow", boto3_session=self._session, chunked=rows or False
            )
            parts = iter([frames] if isinstance(frames, pd.DataFrame) else frames)
            while (df := _next(parts)) is not None:
                yield pa.Table.from_pandas(df, preserve_index=False)
        except (ClientError, BotoCoreError, pa.ArrowException, OSError, wr.exceptions.NoFilesFound) as error:
            raise QueryError(
                f"the result of query {query.id} in {query.target} cannot be read: {aws_words(error)}; "
                f"{remedy(error) or 'ask again'}"
            ) from error

    def clean(self, query: RunningQuery) -> str | None:
        """Remove what a query left; return where that could not be done and why, None where it was."""
        try:
            if not query.stays:
                wr.s3.delete_objects(query.target, boto3_session=self._session)
            if query.id and self._output:
                wr.s3.delete_objects(f"{self._output[0]}{query.id}*", boto3_session=self._session)
        except (ClientError, BotoCoreError, wr.exceptions.ServiceApiError) as error:
            return f"the temporary objects in {query.target} could not be removed: {aws_words(error)}"
        return None

    def close(self) -> None:
        """End the process that watches over the queries."""
        self._watchdog.close()

    @property
    def output(self) -> str:
        """Where temporary objects go, with a slash at its end."""
        return self._result_location()[0]

    def _result_location(self) -> tuple[str, bool]:
        """Return where results go and whether the workgroup insists on it, having looked at the workgroup once."""
        if self._output is None:
            self._output = self._look_at_workgroup()
        return self._output

    def _look_at_workgroup(self) -> tuple[str, bool]:
        name = self._settings.workgroup
        unknown = {"InvalidRequestException": "set workgroup= to one that `aws athena list-work-groups` shows"}
        trouble = f"the workgroup {name!r} cannot be read"
        try:
            with explained(trouble, "athena:GetWorkGroup", raises=ConfigError, when=unknown):
                group = self._session.client("athena").get_work_group(WorkGroup=name)["WorkGroup"]
        except ConfigError as error:
            if self._settings.output and is_denied(error.__cause__):
                return self._settings.output.rstrip("/") + "/", False
            raise
        configuration = group.get("Configuration", {})
        version = configuration.get("EngineVersion", {}).get("EffectiveEngineVersion", "Athena engine version 3")
        if version.endswith(" 2"):
            raise ConfigError(
                f"the workgroup {name!r} runs {version}; the questions need version 3: `aws athena "
                f"update-work-group --work-group {name} --configuration-updates "
                'EngineVersion={SelectedEngineVersion="Athena engine version 3"}`'
            )
        if group.get("State") == "DISABLED":
            raise ConfigError(f"the workgroup {name!r} is disabled: set workgroup= to another")
        if configuration.get("ManagedQueryResultsConfiguration", {}).get("Enabled"):
            raise ConfigError(
                f"the workgroup {name!r} keeps results in Athena's own storage, which awswrangler cannot "
                "read: use a workgroup with an output location, or turn managed results off"
            )
        own = configuration.get("ResultConfiguration", {}).get("OutputLocation")
        enforced = bool(configuration.get("EnforceWorkGroupConfiguration")) and bool(own)
        output = own if enforced else self._settings.output or own
        if not output:
            raise ConfigError(f"the workgroup {name!r} has no output location: set output=s3://… or WORKBENCH_OUTPUT")
        return output.rstrip("/") + "/", enforced

    def _start(self, query: RunningQuery, output: str | None) -> None:
        # A checkpoint has half the bytes it has as SNAPPY, which every answer over it would scan:
        # https://docs.aws.amazon.com/athena/latest/ug/compression-support-zstd-levels.html
        unload = f"UNLOAD (\n{query.sql}\n) TO '{query.target}' WITH (format = 'PARQUET', compression = 'ZSTD')"
        text = unload if query.unloads else query.sql
        if len(text.encode()) > LONGEST_TEXT:
            raise QueryError(
                f"the query's text has {len(text.encode()):,} bytes, more than the {LONGEST_TEXT:,} "
                "Athena takes: ask for fewer keys, or a narrower window"
            )
        token = uuid.uuid4().hex

        def start() -> str:
            started = wr.athena.start_query_execution(  # type: ignore[call-overload]  # its stubs lag behind
                text,
                database=self._settings.database,
                s3_output=output,
                workgroup=self._settings.workgroup,
                client_request_token=token,
                boto3_session=self._session,
            )
            return str(started)

        try:
            with explained("Athena", raises=QueryError):
                query.id = start()
        except KeyboardInterrupt:  # it may have been started: the same token gives its id, and starts no other
            with contextlib.suppress(Exception):
                query.id = start()
            raise
        self._watchdog.note(query.id, running=True)

    def _follow(self, running: Sequence[RunningQuery], output: str | None) -> None:
        ends, waited, attempts = time.monotonic() + duration(self._settings.query_timeout).total_seconds(), 0, 1
        with progress("Athena") as show:
            while waiting := [query for query in running if query.finished is None]:
                states = [self._state(query) for query in waiting]
                for query, (state, why, retryable) in zip(waiting, states, strict=True):
                    if state == "FAILED" and retryable and attempts < _ATTEMPTS:
                        attempts += 1
                        self._watchdog.note(query.id, running=False)
                        self.clean(replace(query, stays=False))
                        time.sleep(2**attempts / 2)
                        if not query.stays:
                            query.target = f"{self.output}workbench/{uuid.uuid4()}/"
                        self._start(query, output)
                    elif state in ("FAILED", "CANCELLED"):
                        self._watchdog.note(query.id, running=False)
                        words = f"query {query.id} {state.lower()}: {without_athenas_values(why) or 'no reason given'}"
                        raise QueryError("; ".join(filter(None, (f"Athena: {words}", remedy_by_words(words)))))
                self._show(show, running, states[0][0])
                if time.monotonic() > ends:
                    raise QueryError(
                        f"the query took longer than {self._settings.query_timeout} and was stopped: ask "
                        "for a narrower window, or raise query_timeout"
                    )
                if any(query.finished is None for query in running):
                    time.sleep(_DELAYS[min(waited, len(_DELAYS) - 1)])
                    waited += 1

    def _state(self, query: RunningQuery) -> tuple[str, str, bool]:
        """Return a query's state, the reason for it, and whether that is transient; note what it took."""
        with explained("Athena", raises=QueryError):
            execution = wr.athena.get_query_execution(query.id, boto3_session=self._session)
        status, figures = execution["Status"], execution.get("Statistics", {})
        scanned = int(figures.get("DataScannedInBytes", 0))
        self._scanned[query.id] = scanned
        if status["State"] == "SUCCEEDED":
            seconds = [
                figures.get(f"{name}TimeInMillis", 0) / 1000
                for name in ("QueryQueue", "QueryPlanning", "EngineExecution")
            ]
            query.finished = FinishedQuery(query.id, scanned, self.cost(scanned), *seconds)
            self.finished.append(query.finished)
            self._watchdog.note(query.id, running=False)
        retryable = bool(status.get("AthenaError", {}).get("Retryable"))
        return status["State"], status.get("StateChangeReason", ""), retryable

    def _show(self, show: Callable[[str], None], running: Sequence[RunningQuery], state: str) -> None:
        scanned = sum(self._scanned.get(query.id, 0) for query in running)
        show(f"{state.lower()}, {scanned / 1e6:,.1f} MB scanned, ${self.cost(scanned):.4f}")

    def cost(self, scanned: int, queries: int = 1) -> float:
        """Return what scanning so many bytes costs, in dollars, by the setting price_per_tb.

        Parameters
        ----------
        queries
            In how many queries: 10 MB of each are charged at least.

        >>> Athena(open_session(settings), settings).cost(2_000_000_000)  # doctest: +SKIP
        0.01
        """
        return max(scanned, _LEAST_CHARGED * queries if scanned else 0) / 1e12 * self._settings.price_per_tb

    def _stop(self, query: RunningQuery) -> None:
        if query.id and query.finished is None:
            with contextlib.suppress(ClientError, BotoCoreError):  # one that has ended
                wr.athena.stop_query_execution(query.id, boto3_session=self._session)
            self._watchdog.note(query.id, running=False)


def _next(parts: Iterator[pd.DataFrame]) -> pd.DataFrame | None:
    with warnings.catch_warnings():  # awswrangler concatenates with an argument pandas 3 warns of
        warnings.filterwarnings("ignore", message="The copy keyword is deprecated")
        return next(parts, None)
