"""Runs queries on Athena through awswrangler: starts them, follows them, stops them, and reads what they leave.

A query is wrapped in UNLOAD, so that its result travels as Parquet and '' stays apart from NULL. Athena writes
timestamps with milliseconds only, so the caller casts them to text.
"""

from __future__ import annotations

import contextlib
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import awswrangler as wr
import pandas as pd
import pyarrow as pa
from botocore.exceptions import BotoCoreError, ClientError

from workbench.aws.costs import Query
from workbench.aws.session import Session, said
from workbench.aws.watchdog import Guard
from workbench.config import Settings
from workbench.errors import ConfigError, QueryError, without_athenas_values
from workbench.model.times import duration
from workbench.progress import progress

LONGEST_TEXT = 262_144  # https://docs.aws.amazon.com/athena/latest/ug/service-limits.html
_LEAST_CHARGED = 10_000_000  # bytes a query, https://aws.amazon.com/athena/pricing/
_DELAYS = (0.1, 0.2, 0.4, 0.8, 1.5)  # seconds between looks at a query
_ATTEMPTS = 3  # of a query that Athena says failed for a transient reason
_ADVICE = {
    "TABLE_NOT_FOUND": "`workbench tables` lists the tables there are",
    "COLUMN_NOT_FOUND": "the table's columns have changed or are not a change log's: `workbench table show NAME`",
    "HIVE_METASTORE_ERROR": "`workbench table show NAME` prints the table's definition",
    "HIVE_BAD_DATA": "a column's type is not what the objects hold: register the log by `workbench table create`",
    "HIVE_CURSOR_ERROR": "an object cannot be read: look at the one named, or register the log by "
    "`workbench table create`, which counts bad lines instead",
    "EXCEEDED_MEMORY_LIMIT": "ask for a narrower window, or fewer items",
    "exhausted resources": "ask for a narrower window, or try again when the service is less busy",
    "Bytes scanned limit": "the workgroup's cutoff stopped it: ask for a narrower window, or raise the cutoff",
    "Access Denied": "`workbench check` names the missing permission",
    "AccessDenied": "`workbench check` names the missing permission",
    "not authorized": "`workbench check` names the missing permission",
    "ExpiredToken": "the credentials have expired: `aws sso login`, or renew them, and ask again",
    "security token included in the request is expired": "renew the credentials, such as by `aws sso login`",
    "Unable to locate credentials": "`aws configure` or `aws sso login`, or set profile=",
    "TooManyRequests": "Athena takes no more queries now: ask again in a minute",
    "ThrottlingException": "Athena takes no more queries now: ask again in a minute",
}


@dataclass
class Running:
    """A query on its way."""

    sql: str
    target: str
    stays: bool = False
    """Whether its target was asked for, and is not temporary."""
    id: str = ""
    found: Query | None = None


class Queries:
    """Runs queries in one workgroup."""

    def __init__(self, session: Session, settings: Settings) -> None:
        self._session, self._settings = session, settings
        self._guard = Guard(settings)
        self._output: tuple[str, bool] | None = None
        self._scanned: dict[str, int] = {}
        self.finished: list[Query] = []

    def run(self, texts: Sequence[str], *, to: str | None = None) -> list[Running]:
        """Run queries side by side until all have succeeded; whatever stops this stops them.

        Parameters
        ----------
        to
            Where the first one's result goes, and stays; an empty prefix.

        Raises
        ------
        QueryError
            With Athena's own words and what to do next.
        """
        output, enforced = self._place()
        running = [Running(text, f"{output}workbench/{uuid.uuid4()}/") for text in texts]
        if to:
            running[0] = Running(texts[0], to, stays=True)
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

    def batches(self, query: Running, rows: int | None = None) -> Iterator[pa.Table]:
        """Read what a query left, as a whole or so many rows at a time; nothing where it has no rows."""
        try:
            paths = wr.s3.list_objects(query.target, boto3_session=self._session)
            if not paths:
                return
            read: Any = wr.s3.read_parquet(
                paths, dtype_backend="pyarrow", boto3_session=self._session, chunked=rows or False
            )
            parts = iter([read] if isinstance(read, pd.DataFrame) else read)
            while (df := _next(parts)) is not None:
                yield pa.Table.from_pandas(df, preserve_index=False)
        except (ClientError, BotoCoreError, pa.ArrowException, OSError, wr.exceptions.NoFilesFound) as error:
            raise QueryError(
                f"the result of query {query.id} in {query.target} cannot be read: {said(error)}; "
                f"{_advice(said(error)) or 'ask again'}"
            ) from error

    def clean(self, query: Running) -> str | None:
        """Remove what a query left, and say where that could not be done."""
        try:
            if not query.stays:
                wr.s3.delete_objects(query.target, boto3_session=self._session)
            if query.id and self._output:
                wr.s3.delete_objects(f"{self._output[0]}{query.id}*", boto3_session=self._session)
        except (ClientError, BotoCoreError, wr.exceptions.ServiceApiError) as error:
            return f"the temporary objects in {query.target} could not be removed: {said(error)}"
        return None

    def close(self) -> None:
        """End the process that watches over the queries."""
        self._guard.close()

    @property
    def output(self) -> str:
        """Where temporary objects go, with a slash at its end."""
        return self._place()[0]

    def _place(self) -> tuple[str, bool]:
        """Return where results go and whether the workgroup insists on it, having looked at the workgroup once."""
        if self._output is None:
            self._output = self._look()
        return self._output

    def _look(self) -> tuple[str, bool]:
        name = self._settings.workgroup
        try:
            group = self._session.client("athena").get_work_group(WorkGroup=name)["WorkGroup"]
        except (ClientError, BotoCoreError) as error:
            words = said(error)
            if self._settings.output and "AccessDenied" in words:
                return self._settings.output.rstrip("/") + "/", False
            advice = _advice(words) or "set workgroup= to one that `aws athena list-work-groups` shows"
            raise ConfigError(f"the workgroup {name!r} cannot be read: {words}; {advice}") from error
        found = group.get("Configuration", {})
        version = found.get("EngineVersion", {}).get("EffectiveEngineVersion", "Athena engine version 3")
        if version.endswith(" 2"):
            raise ConfigError(
                f"the workgroup {name!r} runs {version}; the questions need version 3: `aws athena "
                f"update-work-group --work-group {name} --configuration-updates "
                'EngineVersion={SelectedEngineVersion="Athena engine version 3"}`'
            )
        if group.get("State") == "DISABLED":
            raise ConfigError(f"the workgroup {name!r} is disabled: set workgroup= to another")
        if found.get("ManagedQueryResultsConfiguration", {}).get("Enabled"):
            raise ConfigError(
                f"the workgroup {name!r} keeps results in Athena's own storage, which awswrangler cannot "
                "read: use a workgroup with an output location, or turn managed results off"
            )
        own = found.get("ResultConfiguration", {}).get("OutputLocation")
        enforced = bool(found.get("EnforceWorkGroupConfiguration")) and bool(own)
        output = own if enforced else self._settings.output or own
        if not output:
            raise ConfigError(f"the workgroup {name!r} has no output location: set output=s3://… or WORKBENCH_OUTPUT")
        return output.rstrip("/") + "/", enforced

    def _start(self, query: Running, output: str | None) -> None:
        unload = f"UNLOAD (\n{query.sql}\n) TO '{query.target}' WITH (format = 'PARQUET', compression = 'SNAPPY')"
        if len(unload.encode()) > LONGEST_TEXT:
            raise QueryError(
                f"the query's text has {len(unload.encode()):,} bytes, more than the {LONGEST_TEXT:,} "
                "Athena takes: ask for fewer keys, or a narrower window"
            )
        token = uuid.uuid4().hex

        def start() -> str:
            started = wr.athena.start_query_execution(  # type: ignore[call-overload]  # its stubs lag behind
                unload,
                database=self._settings.database,
                s3_output=output,
                workgroup=self._settings.workgroup,
                client_request_token=token,
                boto3_session=self._session,
            )
            return str(started)

        try:
            query.id = start()
        except KeyboardInterrupt:  # it may have been started: the same token gives its id, and starts no other
            with contextlib.suppress(Exception):
                query.id = start()
            raise
        except (ClientError, BotoCoreError, wr.exceptions.QueryFailed) as error:
            raise self._failed(said(error)) from error
        self._guard.tell(query.id, running=True)

    def _follow(self, running: Sequence[Running], output: str | None) -> None:
        ends, waited, attempts = time.monotonic() + duration(self._settings.query_timeout).total_seconds(), 0, 1
        with progress("Athena") as show:
            while waiting := [query for query in running if query.found is None]:
                told = [self._state(query) for query in waiting]
                for query, (state, why, retryable) in zip(waiting, told, strict=True):
                    if state == "FAILED" and retryable and attempts < _ATTEMPTS:
                        attempts += 1
                        self._guard.tell(query.id, running=False)
                        self.clean(replace(query, stays=False))
                        time.sleep(2**attempts / 2)
                        if not query.stays:
                            query.target = f"{self._place()[0]}workbench/{uuid.uuid4()}/"
                        self._start(query, output)
                    elif state in ("FAILED", "CANCELLED"):
                        self._guard.tell(query.id, running=False)
                        raise self._failed(
                            f"query {query.id} {state.lower()}: {without_athenas_values(why) or 'no reason given'}"
                        )
                self._show(show, running, told[0][0])
                if time.monotonic() > ends:
                    raise QueryError(
                        f"the query took longer than {self._settings.query_timeout} and was stopped: ask "
                        "for a narrower window, or raise query_timeout"
                    )
                if any(query.found is None for query in running):
                    time.sleep(_DELAYS[min(waited, len(_DELAYS) - 1)])
                    waited += 1

    def _state(self, query: Running) -> tuple[str, str, bool]:
        try:
            execution = wr.athena.get_query_execution(query.id, boto3_session=self._session)
        except (ClientError, BotoCoreError) as error:
            raise self._failed(said(error)) from error
        status, figures = execution["Status"], execution.get("Statistics", {})
        scanned = int(figures.get("DataScannedInBytes", 0))
        self._scanned[query.id] = scanned
        if status["State"] == "SUCCEEDED":
            seconds = [
                figures.get(f"{name}TimeInMillis", 0) / 1000
                for name in ("QueryQueue", "QueryPlanning", "EngineExecution")
            ]
            query.found = Query(query.id, scanned, self.cost(scanned), *seconds)
            self.finished.append(query.found)
            self._guard.tell(query.id, running=False)
        trouble = status.get("AthenaError", {})
        return status["State"], status.get("StateChangeReason", ""), bool(trouble.get("Retryable"))

    def _show(self, show: Callable[[str], None], running: Sequence[Running], state: str) -> None:
        scanned = sum(self._scanned.get(query.id, 0) for query in running)
        show(f"{state.lower()}, {scanned / 1e6:,.1f} MB scanned, ${self.cost(scanned):.4f}")

    def cost(self, scanned: int, queries: int = 1) -> float:
        """Return what scanning so many bytes costs, in dollars."""
        return max(scanned, _LEAST_CHARGED * queries if scanned else 0) / 1e12 * self._settings.price_per_tb

    def _stop(self, query: Running) -> None:
        if query.id and query.found is None:
            with contextlib.suppress(ClientError, BotoCoreError):  # one that has ended
                wr.athena.stop_query_execution(query.id, boto3_session=self._session)
            self._guard.tell(query.id, running=False)

    def _failed(self, words: str) -> QueryError:
        advice = _advice(words)
        return QueryError(f"Athena: {words}{'; ' + advice if advice else ''}")


def _next(parts: Iterator[pd.DataFrame]) -> pd.DataFrame | None:
    with warnings.catch_warnings():  # awswrangler concatenates with an argument pandas 3 warns of
        warnings.filterwarnings("ignore", message="The copy keyword is deprecated")
        return next(parts, None)


def _advice(words: str) -> str:
    return next((advice for sign, advice in _ADVICE.items() if sign.lower() in words.lower()), "")
