"""Athena's API over `tests.helpers.aws.execution`: queries run in the background, and are followed by polling."""

from __future__ import annotations

import copy
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import duckdb

from tests.helpers.aws.dialect import prepare
from tests.helpers.aws.execution import BytesScannedCutoff, Execution, Failed, Outcome, parse, pause
from tests.helpers.aws.faults import Faults
from tests.helpers.aws.storage import has_bucket, load, save, split

LONGEST_TEXT = 262_144
_QUEUED = 0.03  # seconds that a query waits before it runs: enough to be seen
_ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")
_PRIMARY = {
    "Name": "primary",
    "State": "ENABLED",
    "Description": "",
    "CreationTime": 1_700_000_000.0,
    "Configuration": {
        "ResultConfiguration": {},
        "EnforceWorkGroupConfiguration": False,
        "PublishCloudWatchMetricsEnabled": False,
        "RequesterPaysEnabled": False,
        "EngineVersion": {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": "Athena engine version 3"},
    },
}


class ApiError(Exception):
    """An error that a request is answered with."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class Query:
    """A query and how far it is."""

    id: str
    request: dict[str, Any]
    sql: str
    database: str
    workgroup: str
    output: str
    state: str = "QUEUED"
    reason: str = ""
    category: int = 0
    retryable: bool = False
    reused: bool = False
    submitted: float = field(default_factory=time.time)
    started: float = 0.0
    ended: float = 0.0
    outcome: Outcome = field(default_factory=Outcome)
    stop: threading.Event = field(default_factory=threading.Event)
    con: duckdb.DuckDBPyConnection | None = None
    thread: threading.Thread | None = None


class Athena:
    """The service; `workgroups` are as GetWorkGroup has them, and may be changed."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self._con = duckdb.connect(config={"integer_division": True})
        prepare(self._con)
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Stop what runs and forget all."""
        self.finish()
        self.queries: dict[str, Query] = {}
        self.started: list[dict[str, Any]] = []
        self.stopped: list[str] = []
        self.workgroups: dict[str, dict[str, Any]] = {"primary": copy.deepcopy(_PRIMARY)}
        self._tokens: dict[str, tuple[dict[str, Any], str]] = {}

    def finish(self) -> None:
        """Stop what runs."""
        for query in getattr(self, "queries", {}).values():
            self._cancel(query)
            if query.thread:
                query.thread.join()

    def close(self) -> None:
        """Stop what runs, and free the memory."""
        self.finish()
        self._con.close()

    def answer(self, operation: str, request: dict[str, Any], region: str) -> dict[str, Any]:
        """Answer a request.

        Raises
        ------
        ApiError
            Where Athena refuses it.
        """
        operations: dict[str, Callable[[dict[str, Any], str], dict[str, Any]]] = {
            "StartQueryExecution": self._start,
            "GetQueryExecution": self._get,
            "GetQueryResults": self._results,
            "StopQueryExecution": self._stop,
            "GetWorkGroup": self._group,
            "ListWorkGroups": self._groups,
            "BatchGetQueryExecution": self._batch,
            "ListQueryExecutions": self._list,
        }
        if operation not in operations:
            raise ApiError("InvalidRequestException", f"this server has no {operation}")
        return operations[operation](request, region)

    def _start(self, request: dict[str, Any], region: str) -> dict[str, Any]:
        self.started.append(request)
        sql, name = request["QueryString"], request.get("WorkGroup", "primary")
        with self._lock:
            if (token := request.get("ClientRequestToken")) in self._tokens:
                known, identity = self._tokens[str(token)]
                if known != request:
                    raise _invalid("Idempotent parameters do not match")
                return {"QueryExecutionId": identity}
            settings = self._settings(name)
            if self.workgroups[name]["State"] == "DISABLED":
                raise _invalid(f"WorkGroup {name} is disabled.")
            if len(sql.encode()) > LONGEST_TEXT:
                raise _invalid(
                    f"1 validation error detected: Value at 'queryString' failed to satisfy constraint: "
                    f"Member must have length less than or equal to {LONGEST_TEXT}"
                )
            identity = str(uuid.uuid4())
            place = self._place(settings, request)
            try:
                parse(sql)
            except ValueError as error:
                raise _invalid(str(error)) from error
            database = request.get("QueryExecutionContext", {}).get("Database", "default")
            query = Query(identity, request, sql, database, name, f"{place}{identity}" if place else "")
            self.queries[identity] = query
            if token:
                self._tokens[token] = (request, identity)
            query.con = self._con.cursor()
        cutoff = settings.get("BytesScannedCutoffPerQuery")
        query.thread = threading.Thread(target=self._run, args=(query, region, cutoff), daemon=True)
        query.thread.start()
        return {"QueryExecutionId": identity}

    def _settings(self, name: str) -> dict[str, Any]:
        if name not in self.workgroups:
            raise _invalid(f"WorkGroup {name} is not found.")
        settings: dict[str, Any] = self.workgroups[name]["Configuration"]
        return settings

    def _place(self, settings: dict[str, Any], request: dict[str, Any]) -> str:
        """Return where results go, with a slash at its end; '' for Athena's own storage."""
        if settings.get("ManagedQueryResultsConfiguration", {}).get("Enabled"):
            if request.get("ResultConfiguration"):
                raise _invalid("ResultConfiguration and ManagedQueryResultsConfiguration cannot be set together")
            return ""
        own = settings.get("ResultConfiguration", {}).get("OutputLocation")
        asked = request.get("ResultConfiguration", {}).get("OutputLocation")
        place = own if settings.get("EnforceWorkGroupConfiguration") else asked or own
        if not place:
            raise _invalid(
                "No output location provided. An output location is required either through the Workgroup "
                "result configuration setting or as an API input."
            )
        if not has_bucket(split(place)[0]):
            raise _invalid(f"Unable to verify/create output bucket {split(place)[0]}")
        return str(place).rstrip("/") + "/"

    def _run(self, query: Query, region: str, cutoff: int | None) -> None:
        pause(_QUEUED, query.stop)
        query.started = time.time()
        try:
            if not query.stop.is_set():
                query.state = "RUNNING"
                self._execute(query, region, cutoff)
            self._end(
                query,
                "CANCELLED" if query.stop.is_set() else "SUCCEEDED",
                "Query cancelled by user" if query.stop.is_set() else "",
            )
        except Failed as error:
            self._end(query, "FAILED", str(error), 2)
        except BytesScannedCutoff:
            self._end(query, "CANCELLED", "Bytes scanned limit was exceeded", 2)
        except duckdb.InterruptException:
            self._end(query, "CANCELLED", "Query cancelled by user")
        except Exception as error:  # a fault of this server's own must not leave a query running for ever
            self._end(query, "FAILED", f"GENERIC_INTERNAL_ERROR: {type(error).__name__}: {error}", 1)
        finally:
            if query.con:
                query.con.close()

    def _execute(self, query: Query, region: str, cutoff: int | None) -> None:
        slow, end = self.faults.take("slow"), self.faults.take("ends")
        if slow:
            pause(slow.seconds, query.stop)
        if query.stop.is_set():
            return
        if end:
            self._end(query, end.state, end.message, 1 if end.retryable else 2, end.retryable)
            return
        if (earlier := self._reusable(query)) is not None:
            query.outcome, query.reused = copy.copy(earlier.outcome), True
            query.outcome.scanned, query.output = 0, earlier.output
            return
        assert query.con
        execution = Execution(query.con, query.database, region, cutoff)
        query.outcome = execution.outcome
        execution.run(query.sql, query.output)
        for path in [
            *query.outcome.files,
            *([] if query.outcome.unload or not query.output else [f"{query.output}.csv"]),
        ]:
            if self.faults.take("truncated", path=path):
                data = load(path)
                save(path, data[: len(data) // 2])
        if query.outcome.unload and query.output:
            save(f"{query.output}-manifest.csv", "".join(f"{path}\n" for path in query.outcome.files).encode())
            save(f"{query.output}.metadata", b"\x0a\x00")

    def _reusable(self, query: Query) -> Query | None:
        asked = query.request.get("ResultReuseConfiguration", {}).get("ResultReuseByAgeConfiguration", {})
        if not asked.get("Enabled"):
            return None
        return next(
            (
                each
                for each in list(self.queries.values())
                if each is not query
                and each.state == "SUCCEEDED"
                and (each.sql, each.workgroup, each.database) == (query.sql, query.workgroup, query.database)
                and not each.outcome.unload
                and time.time() - each.ended < 60 * asked.get("MaxAgeInMinutes", 60)
            ),
            None,
        )

    def _end(self, query: Query, state: str, reason: str = "", category: int = 0, retryable: bool = False) -> None:
        with self._lock:
            if query.state in _ENDED:
                return
            query.reason, query.category, query.retryable, query.ended = reason, category, retryable, time.time()
            query.state = state

    def _stop(self, request: dict[str, Any], region: str) -> dict[str, Any]:
        query = self._query(request)
        self.stopped.append(query.id)
        self._cancel(query)
        return {}

    def _cancel(self, query: Query) -> None:
        if query.state in _ENDED:
            return
        query.stop.set()
        if query.con:
            query.con.interrupt()
        self._end(query, "CANCELLED", "Query cancelled by user")

    def _get(self, request: dict[str, Any], region: str) -> dict[str, Any]:
        return {"QueryExecution": self._execution(self._query(request))}

    def _batch(self, request: dict[str, Any], region: str) -> dict[str, Any]:
        asked = request["QueryExecutionIds"]
        unknown = [
            {
                "QueryExecutionId": each,
                "ErrorCode": "INVALID_INPUT",
                "ErrorMessage": f"QueryExecution {each} was not found",
            }
            for each in asked
            if each not in self.queries
        ]
        return {
            "QueryExecutions": [self._execution(self.queries[each]) for each in asked if each in self.queries],
            "UnprocessedQueryExecutionIds": unknown,
        }

    def _list(self, request: dict[str, Any], region: str) -> dict[str, Any]:
        name = request.get("WorkGroup", "primary")
        found = [each.id for each in self.queries.values() if each.workgroup == name][::-1]
        return _page("QueryExecutionIds", found, request, 50)

    def _group(self, request: dict[str, Any], region: str) -> dict[str, Any]:
        self._settings(request["WorkGroup"])
        return {"WorkGroup": {"Name": request["WorkGroup"], **self.workgroups[request["WorkGroup"]]}}

    def _groups(self, request: dict[str, Any], region: str) -> dict[str, Any]:
        found = [
            {
                "Name": name,
                "State": each["State"],
                "CreationTime": each.get("CreationTime", 0.0),
                "EngineVersion": each["Configuration"]["EngineVersion"],
            }
            for name, each in sorted(self.workgroups.items())
        ]
        return _page("WorkGroups", found, request, 50)

    def _results(self, request: dict[str, Any], region: str) -> dict[str, Any]:
        query = self._query(request)
        if query.state != "SUCCEEDED":
            raise _invalid(
                f"Query has not yet finished. Current state: {query.state}"
                if query.state not in _ENDED
                else f"Query did not finish successfully. Final query state: {query.state}"
            )
        names = tuple(name for name, _ in query.outcome.columns)
        rows = [names, *query.outcome.rows] if names else []
        if request.get("MaxResults", 1000) > 1000:
            raise _invalid("MaxResults is more than maximum allowed length 1000.")
        page = _page("Rows", rows, request, 1000)
        data = [
            {"Data": [{} if value is None else {"VarCharValue": value} for value in row]} for row in page.pop("Rows")
        ]
        described = [
            {
                "CatalogName": "hive",
                "SchemaName": "",
                "TableName": "",
                "Name": name,
                "Label": name,
                "Type": kind,
                "Precision": 2147483647 if kind == "varchar" else 0,
                "Scale": 0,
                "Nullable": "UNKNOWN",
                "CaseSensitive": kind == "varchar",
            }
            for name, kind in query.outcome.columns
        ]
        return {"ResultSet": {"Rows": data, "ResultSetMetadata": {"ColumnInfo": described}}, "UpdateCount": 0, **page}

    def _query(self, request: dict[str, Any]) -> Query:
        if request["QueryExecutionId"] not in self.queries:
            raise _invalid(f"QueryExecution {request['QueryExecutionId']} was not found")
        return self.queries[request["QueryExecutionId"]]

    def _execution(self, query: Query) -> dict[str, Any]:
        state = query.state
        status: dict[str, Any] = {"State": state, "SubmissionDateTime": query.submitted}
        if query.reason:
            status["StateChangeReason"] = query.reason
        if state in _ENDED:
            status["CompletionDateTime"] = query.ended
        if state == "FAILED":
            status["AthenaError"] = {
                "ErrorCategory": query.category,
                "ErrorType": 1100 if query.category == 1 else 1006,
                "Retryable": query.retryable,
                "ErrorMessage": query.reason,
            }
        began, now = query.started or time.time(), query.ended or time.time()
        statistics: dict[str, Any] = {
            "EngineExecutionTimeInMillis": _ms(now - began),
            "DataScannedInBytes": query.outcome.scanned,
            "TotalExecutionTimeInMillis": _ms(now - query.submitted),
            "QueryQueueTimeInMillis": _ms(began - query.submitted),
            "ServicePreProcessingTimeInMillis": 1,
            "QueryPlanningTimeInMillis": min(5, _ms(now - began)),
            "ServiceProcessingTimeInMillis": 1,
            "ResultReuseInformation": {"ReusedPreviousResult": query.reused},
        }
        if query.outcome.unload and query.output and state == "SUCCEEDED":
            statistics["DataManifestLocation"] = f"{query.output}-manifest.csv"
        given = query.request
        asked = given.get("ResultConfiguration", {})
        settings = self.workgroups.get(query.workgroup, {}).get("Configuration", {})
        location = query.output if query.outcome.unload or not query.output else f"{query.output}.csv"
        return {
            "QueryExecutionId": query.id,
            "Query": query.sql,
            "StatementType": "DML",
            "SubstatementType": "UNLOAD" if query.outcome.unload else "SELECT",
            "WorkGroup": query.workgroup,
            "Status": status,
            "Statistics": statistics,
            "ResultConfiguration": {**asked, "OutputLocation": location} if location else {},
            "QueryExecutionContext": {"Catalog": "awsdatacatalog", **given.get("QueryExecutionContext", {})},
            "ResultReuseConfiguration": given.get(
                "ResultReuseConfiguration", {"ResultReuseByAgeConfiguration": {"Enabled": False}}
            ),
            "EngineVersion": settings.get("EngineVersion", {}),
        }


def _ms(seconds: float) -> int:
    return max(0, round(seconds * 1000))


def _page(name: str, found: list[Any], request: dict[str, Any], most: int) -> dict[str, Any]:
    start, size = int(request.get("NextToken") or 0), min(request.get("MaxResults") or most, most)
    page: dict[str, Any] = {name: found[start : start + size]}
    return page | ({"NextToken": str(start + size)} if start + size < len(found) else {})


def _invalid(message: str) -> ApiError:
    return ApiError("InvalidRequestException", message)
