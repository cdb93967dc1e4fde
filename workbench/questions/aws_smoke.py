"""One change in, one answer out: whether a pipeline on AWS works from end to end, as a report that can be sent.

An item with a key of its own kind is put into the table of DynamoDB, waited for in the log, asked for, and deleted.
The report names no account, nobody who asked, no key and no value of an item.
"""

from __future__ import annotations

import base64
import errno
import gzip
import os
import platform
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import orjson
import pandas as pd
from botocore.exceptions import BotoCoreError, ClientError

from workbench import paths
from workbench.aws import dynamodb
from workbench.aws.dynamodb_values import Image, native_image
from workbench.aws.errors import is_aws_error
from workbench.aws.session import Session
from workbench.checks.check import Check
from workbench.checks.clients import make_clients
from workbench.checks.machine import run_checks
from workbench.checks.objects import halves
from workbench.checks.pipeline import check_pipeline, delivery_streams, error_places
from workbench.checks.refusal import refusal
from workbench.engines import Estimate, open_engine
from workbench.engines.athena import AthenaEngine
from workbench.errors import ConfigError, ParameterError, ScanRefused, StoreError, TableNotFound, WorkbenchError
from workbench.lock import locked
from workbench.model import times
from workbench.model.canonical import canonical_json, canonical_keys
from workbench.model.times import END_OF_TIME, duration
from workbench.progress import progress
from workbench.questions import history
from workbench.questions.asking import Asking
from workbench.questions.state import state_at
from workbench.sql.filters import Filter
from workbench.text import count, words
from workbench.undo.targets import DynamoTarget
from workbench.version import __version__

if TYPE_CHECKING:
    from workbench.aws.log_tables import LogTable
    from workbench.config import Settings

MARK = "workbench_smoke"
"""The attribute that tells an item of this apart from all others: only where it has its own value is one deleted."""
_POLL = 10.0  # seconds from one look at the log to the next
_BEFORE = timedelta(minutes=15)  # how far this machine's clock may be ahead of DynamoDB's
_TRIES = 5  # keys that are tried: one that is taken is left alone
_ERROR_OBJECTS, _ERROR_BYTES = 20, 1 << 22  # of Firehose, that are looked into at a time
_EXPIRES_AFTER = timedelta(days=1)
_LOOK = (
    "workbench check names each part; then look at AgeOfOldestUnreplicatedRecord of the table (AWS/DynamoDB), "
    "GetRecords.IteratorAgeMilliseconds of the stream (AWS/Kinesis), DeliveryToS3.DataFreshness and "
    "ExecuteProcessing.Success (AWS/Firehose), and at the objects under errors/ of the bucket"
)
_sleep, _clock = time.sleep, time.monotonic  # tests have a pipeline work while somebody waits


class _NotSo(WorkbenchError):
    """Something that was looked at is not as it is to be: what, and what to do."""

    def __init__(self, detail: str, to_do: str) -> None:
        super().__init__(f"{detail}; {to_do}")
        self.detail, self.to_do = detail, to_do


@dataclass
class _Report:
    """The steps so far, each with the seconds it took."""

    tell: Callable[[str], None] = lambda _: None
    rows: list[tuple[Check, float | None]] = field(default_factory=list)

    def add(self, name: str, status: Literal["ok", "warning", "failed"], detail: str, to_do: str = "") -> None:
        self.rows.append((Check(f"smoke: {name}", status, detail, to_do), None))

    def step(self, name: str, resource: str, do: Callable[[], str]) -> bool:
        """Do a step; note how it went, and return whether it went well."""
        self.tell(name)
        called, began = f"smoke: {name}", _clock()
        try:
            check = Check(called, "ok", do())
        except _NotSo as error:
            check = Check(called, "failed", error.detail, error.to_do)
        except ScanRefused as error:
            check = Check(called, "warning", *halves(str(error)))
        except Exception as error:
            if is_aws_error(error) or (isinstance(error, WorkbenchError) and is_aws_error(error.__cause__ or error)):
                check = refusal(called, error, resource)
            elif isinstance(error, WorkbenchError):
                check = Check(called, "failed", *halves(str(error)))
            else:
                raise
        self.rows.append((check, round(_clock() - began, 1)))
        return check.status != "failed"

    def frame(self) -> pd.DataFrame:
        """Return the report without anything that tells whose account it is of."""
        return pd.DataFrame(
            [
                (check.check, check.status, redacted(check.detail), redacted(check.remedy), seconds)
                for check, seconds in self.rows
            ],
            columns=["check", "status", "detail", "remedy", "seconds"],
        ).astype({"seconds": float})


@dataclass(frozen=True)
class _Item:
    """The item that is written."""

    table: str
    key: Image
    mark: str
    others: Image = field(default_factory=dict)

    @property
    def image(self) -> Image:
        """All of it, as DynamoDB JSON."""
        return {**self.key, MARK: {"S": self.mark}, **self.others}

    @property
    def canonical_key(self) -> str:
        """Its key as the log has it."""
        return canonical_keys(self.key)


def outlook(session: object, table: str, estimate: Callable[[str, str], Estimate]) -> str:
    """Say, before anything is written, what will be, what that sets off, and what the questions may cost.

    Parameters
    ----------
    estimate
        Of a question, by its name and the table's.

    Raises
    ------
    ConfigError
        With another engine than Athena.
    StoreError
        Where the table cannot be described.
    """
    place = _on_aws(session)
    target = DynamoTarget(place, table)
    key = " and ".join(f"{name} ({kind})" for name, kind in target.describe().key.items())
    text = f"puts one item into the table {table!r} of DynamoDB in {place.region_name} (key {key}), and deletes it"
    if listening := target.listens():
        text += f"; every write sets off {'; '.join(listening)}"
    with suppress(WorkbenchError):  # of a log that is empty yet, nothing is known
        text += f"; asking the log of it costs about ${4 * estimate('latest_state', table).cost:,.4f}"
    return text


def aws_smoke(asking: Asking, table: str | None, *, wait: str, removal: bool, yes: bool) -> pd.DataFrame:
    """Write an item, wait until it is in the log, ask for it and delete it; see `Workbench.check`."""
    session = _on_aws(asking.engine.session)
    if not table:
        raise ParameterError(f"aws_smoke needs a table; there are: {', '.join(asking.engine.names()) or 'none'}")
    asking.refuse_known("aws_smoke writes an item now")
    patience = duration(wait).to_pytimedelta()
    if not yes:
        planned = outlook(session, table, lambda question, of: asking.estimate(question, of, {}))
        raise ParameterError(f"aws_smoke {planned}: nothing is written without yes=True (--yes)")
    settings = asking.settings.model_copy(update={"result_reuse": "0min"})  # what is there now
    report = _Report()
    report.add(
        "report",
        "ok",
        f"workbench {__version__}, Python {platform.python_version()}, {session.region_name}, "
        f"begun {times.now():%Y-%m-%d %H:%M:%S} UTC",
    )
    report.rows += [(Check(*row), None) for row in run_checks(asking.settings).itertuples(index=False)]
    own = Asking(open_engine(settings), settings)
    try:
        with progress(f"{table}: smoke") as report.tell:
            _Smoke(own, session, table, report, patience).run(removal)
        report.add("cost", "ok", str(own.spent))
    finally:
        own.engine.close()
    return report.frame()


class _Smoke:
    """One run."""

    def __init__(self, asking: Asking, session: Session, table: str, report: _Report, patience: timedelta) -> None:
        self.asking, self.session, self.table, self.report = asking, session, table, report
        self.patience = patience
        self.client, self.clients = session.client("dynamodb"), make_clients(session)
        self.error_places: list[tuple[str, str]] | None = None
        self.began = times.now()
        self.note = Path()
        self.resource = f"table/{table}"
        self.looked_into = set[str]()

    def run(self, removal: bool) -> None:
        """Do the steps, each only where those before it went well; whatever happens, the item is deleted."""
        types: dict[str, str] = {}

        def described() -> str:
            told = DynamoTarget(self.session, self.table).describe()
            types.update(told.key)
            self.note = _note_of(self.asking.settings, told.arn)
            self._make_folder()
            self._log()  # which raises where no log of it is known
            return f"key {', '.join(f'{name} ({kind})' for name, kind in types.items())}"

        if not self.report.step("table", self.resource, described):
            return
        lock = self.note.with_name(f".{self.note.stem}.lock")  # or the other run's item would be deleted as a left one
        with locked(lock, f"trying the table {self.table!r}", 1):
            self._try(types, removal)

    def _try(self, types: dict[str, str], removal: bool) -> None:
        step = self.report.step
        if self.note.exists() and not step("item of before", self.resource, self._clean_up):
            return
        if not step("rights", self.resource, lambda: self._try_rights(types)):
            return
        item: list[_Item] = []
        try:
            if step("write", self.resource, lambda: self._write(types, item)) and step(
                "arrival", "", lambda: self._arrive(item[0], "INSERT")
            ):
                step("item_history", "", lambda: self._history(item[0]))
                step("latest_state", "", lambda: self._state(item[0], there=True))
        finally:
            deleted = not self.note.exists() or step("delete", self.resource, self._clean_up)
        if removal and item and deleted and not self._failed:
            arrived = step("removal", "", lambda: self._arrive(item[0], "REMOVE"))
            _ = arrived and step("state after it", "", lambda: self._state(item[0], there=False))

    @property
    def _failed(self) -> bool:
        return any(check.status == "failed" for check, seconds in self.report.rows if seconds is not None)

    # The item.

    def _try_rights(self, types: dict[str, str]) -> str:
        """Try a deletion on a condition that no item meets: what could not be deleted is not written."""
        key: Any = native_image(_new_key(types))
        refused = self.client.exceptions.ConditionalCheckFailedException
        with dynamodb.explained_table(self.table, "dynamodb:DeleteItem"), suppress(refused):
            self.client.delete_item(
                TableName=self.table,
                Key=key,
                ConditionExpression="attribute_exists(#k) AND attribute_not_exists(#k)",
                ExpressionAttributeNames={"#k": next(iter(types))},
            )
        return "an item may be deleted again"

    def _write(self, types: dict[str, str], written: list[_Item]) -> str:
        """Put an item where there is none; it is noted first, so that another run finds what a killed one left."""
        others: Image = {}
        with suppress(StoreError):  # which may be for want of a permission
            if (name := dynamodb.time_to_live(self.session, self.table)) and name not in types:
                others = {name: {"N": str(int((times.now() + _EXPIRES_AFTER).timestamp()))}}
        for _ in range(_TRIES):
            item = _Item(self.table, _new_key(types), secrets.token_hex(16), others)
            self._keep(item)
            image: Any = native_image(item.image)
            with dynamodb.explained_table(self.table, "dynamodb:PutItem"):
                try:
                    self.client.put_item(
                        TableName=self.table,
                        Item=image,
                        ConditionExpression="attribute_not_exists(#k) OR #m = :m",  # ours, where an answer was lost
                        ExpressionAttributeNames={"#k": next(iter(types)), "#m": MARK},
                        ExpressionAttributeValues={":m": {"S": item.mark}},
                    )
                except self.client.exceptions.ConditionalCheckFailedException:
                    self.note.unlink()
                    continue
                except ClientError as error:
                    if _is_refused(error):
                        self.note.unlink()
                    raise
            written.append(item)
            return f"an item is put, marked by the attribute {MARK}" + (", and expires in a day" if others else "")
        raise _NotSo(f"{_TRIES} keys that were made up are taken", "run it again")

    def _make_folder(self) -> None:
        """Make the folder in which an item is noted while it is there, or say why none can be."""
        try:
            self.note.parent.mkdir(parents=True, exist_ok=True)
            if not os.access(self.note.parent, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except OSError as error:
            raise _NotSo(
                f"{self.note.parent} cannot be written, where the item is noted: {error.strerror}",
                "set home= to a folder that can be written",
            ) from error

    def _keep(self, item: _Item) -> None:
        with paths.write_atomically(self.note) as part:
            part.touch(0o600)
            part.write_bytes(orjson.dumps({"table": item.table, "key": item.key, "mark": item.mark}))

    def _clean_up(self) -> str:
        """Delete the item that is noted, if it is there and has its mark; what cannot be deleted stays noted."""
        noted = orjson.loads(self.note.read_bytes())
        key: Any = native_image(noted["key"])
        try:
            with dynamodb.explained_table(self.table, "dynamodb:DeleteItem"):
                try:
                    self.client.delete_item(
                        TableName=self.table,
                        Key=key,
                        ConditionExpression="#m = :m",
                        ExpressionAttributeNames={"#m": MARK},
                        ExpressionAttributeValues={":m": {"S": noted["mark"]}},
                    )
                    said = "the item is deleted"
                except self.client.exceptions.ConditionalCheckFailedException:
                    said = "there is no such item with its mark: nothing is deleted"
        except StoreError as error:
            what, to_do = halves(str(error))
            raise _NotSo(
                f"the item with the attribute {MARK} is still in the table: {what}",
                f"{to_do}; the next run deletes it, or you do: its key is in {self.note}",
            ) from error
        self.note.unlink()
        return said

    # The log.

    def _arrive(self, item: _Item, event: str) -> str:
        """Wait until a change of the item is in the log; of new objects alone the log is asked."""
        started, seen = _clock(), frozenset[str]()
        only, start = Filter((item.canonical_key,)), self.began - _BEFORE
        while True:
            there = self._objects(start)
            if there - seen:
                seen = there
                with suppress(TableNotFound):  # there are no changes yet
                    rows = self.asking.ask("changes", self.table, where=only, start=start).rows.to_pylist()
                    if found := [row for row in rows if row["event_name"] == event]:
                        return f"its {event} is in the log, made at {found[-1]['ts']:%Y-%m-%d %H:%M:%S} UTC"
            if failed := self._failure(item):
                raise _NotSo(*failed)
            if _clock() - started >= self.patience.total_seconds():
                raise _NotSo(*self._why_not(event, len(there)))
            self.report.tell(f"waiting for its {event}, {count(len(there), 'object')} since")
            _sleep(_POLL)

    def _log(self) -> LogTable:
        assert isinstance(self.asking.engine, AthenaEngine)
        return self.asking.engine.catalog.table(self.table)

    def _objects(self, start: datetime) -> frozenset[str]:
        assert isinstance(self.asking.engine, AthenaEngine)
        return frozenset(item.path for item in self.asking.engine.catalog.objects(self._log(), start, None))

    def _history(self, item: _Item) -> str:
        start = self.began - _BEFORE
        df = history.item_history(self.asking, self.table, _as_asked(item.key), prefix=False, start=start, end=None).df
        if (events := df["event_name"].unique().tolist()) != ["INSERT"]:
            raise _NotSo(
                f"its history is {', '.join(events) or 'nothing'}, not one INSERT",
                f"does something else write items of {self.table}, such as a function on its stream?",
            )
        return "one INSERT"

    def _state(self, item: _Item, *, there: bool) -> str:
        rows = state_at(self.asking, self.table, END_OF_TIME, where=Filter((item.canonical_key,))).rows.to_pylist()
        images = [row["image"] for row in rows if row["image"] is not None]
        if len(images) != there:
            raise _NotSo(
                f"{len(images)} such items are there by the log, not {int(there)}",
                f"workbench quality {self.table} tells what the log lacks",
            )
        if there and self.asking.engine.layout(self.table) == "flat":
            return "the item is there; a flat log does not tell the types of its values"
        if there and canonical_json(orjson.loads(images[0])) != canonical_json(item.image):
            raise _NotSo(
                "the item is there with other attributes than were put",
                f"does something else write items of {self.table}, such as a function on its stream?",
            )
        return "the item is there as it was put" if there else "the item is gone"

    # Where it may have got stuck.

    def _why_not(self, event: str, objects: int) -> tuple[str, str]:
        """Say what is known of the way from the table to the log."""
        what = f"after {words(self.patience)} its {event} is not in the log; {count(objects, 'object')} came meanwhile"
        try:
            delivery: Any = delivery_streams(self.clients)
        except (ClientError, BotoCoreError) as error:
            delivery = error
        found = [
            each
            for each in check_pipeline(self.clients, self.table, self._log().location, delivery)
            if each.status != "ok" and not each.check.startswith(("point-in-time", "undo"))
        ]
        if not found:
            return what, _LOOK
        first = min(found, key=lambda each: each.status != "failed")
        return f"{what}; {first.check}: {first.detail}", f"{first.remedy}; then {_LOOK}"

    def _failure(self, item: _Item) -> tuple[str, str] | None:
        """Say why Firehose did not deliver the item, where it wrote that down and it may be read; else None."""
        with suppress(ClientError, BotoCoreError):  # who may not look there is told so by the checks
            if self.error_places is None:
                self.error_places = error_places(self.clients, self.table)
            for bucket, prefix in self.error_places:
                for key in self._new_objects(bucket, prefix):
                    body = self.clients.s3.get_object(Bucket=bucket, Key=key)["Body"].read(_ERROR_BYTES)
                    for code, record in failures(body):
                        if item.mark.encode() in record:
                            return (
                                f"Firehose did not deliver it, but put it under errors: {code}",
                                f"look at s3://{bucket}/{key}: its line of this record has an errorMessage; and at the "
                                "logs of Firehose and of its function",
                            )
        return None

    def _new_objects(self, bucket: str, prefix: str) -> list[str]:
        pages = self.clients.s3.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=prefix, PaginationConfig={"MaxItems": 20_000}
        )
        new = [
            each["Key"]
            for page in pages
            for each in page.get("Contents", [])
            if each["LastModified"] >= self.began - _BEFORE and each["Key"] not in self.looked_into
        ][-_ERROR_OBJECTS:]
        self.looked_into.update(new)
        return new


def failures(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Read an object of Firehose's error prefix: of each line the code of the error and the record, as far as there.

    https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html

    >>> list(failures(b'{"errorCode":"Lambda.FunctionError","rawData":"e30="}\\n'))
    [('Lambda.FunctionError', b'{}')]
    """
    with suppress(OSError, EOFError):
        content = gzip.decompress(content)
    for line in content.splitlines():
        with suppress(ValueError, AttributeError):
            told = orjson.loads(line)
            yield str(told.get("errorCode", "no code is given")), base64.b64decode(told.get("rawData", ""))


def redacted(text: str) -> str:
    """Leave out of a text what tells whose account it is of: numbers of accounts, who asked, and the home folder.

    >>> redacted("arn:aws:sts::123456789012:assumed-role/Analyst/ada in account 123456789012")
    'arn:aws:sts::…:assumed-role/… in account …'
    """
    text = re.sub(r"(?<!\d)\d{12}(?!\d)", "…", text)
    # Names may have commas: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    text = re.sub(r"(:(?:assumed-role|user|role|federated-user)/)[^\s;\"']+", r"\1…", text)
    home = str(Path.home())
    return text if home == "/" else text.replace(home, "~")  # it is / for a user of a container that has none


def _is_refused(error: ClientError) -> bool:
    """Return whether a write was refused at its first try: only then is it certain that nothing was written.

    An earlier try may have been written though its answer was lost, and so may one that ended in a fault of AWS's own.
    """
    told = error.response["ResponseMetadata"]
    return told["HTTPStatusCode"] < 500 and told["RetryAttempts"] == 0


def _on_aws(session: object) -> Session:
    if not isinstance(session, Session):
        raise ConfigError("aws_smoke is of a pipeline on AWS: set engine=athena")
    return session


def _note_of(settings: Settings, arn: str) -> Path:
    """Return the file in which the item of a table is noted while it is there."""
    return settings.home / "smoke" / f"{sha256(arn.encode()).hexdigest()[:16]}.json"


def _new_key(types: Mapping[str, str]) -> Image:
    """Make a key up: a text or bytes that say what it is, a negative number of 18 digits.

    >>> _new_key({"pk": "S"})["pk"]["S"][:16]
    'workbench-smoke-'
    """
    name = f"workbench-smoke-{secrets.token_hex(8)}"
    number = str(-secrets.randbelow(9 * 10**17) - 10**17)
    values = {"S": name, "N": number, "B": base64.b64encode(name.encode()).decode()}
    return {each: {kind: values[kind]} for each, kind in types.items()}


def _as_asked(key: Image) -> dict[str, str]:
    """Write a key as people give it to a question."""
    return {
        name: f"0x{base64.b64decode(text).hex()}" if kind == "B" else text
        for name, value in key.items()
        for kind, text in value.items()
    }
