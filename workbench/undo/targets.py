"""The tables a plan is written to, by single conditional writes: of the embedded item store, and of DynamoDB.

Single writes and no transactions: these take twice the units, and conflict with each other. What DynamoDB answers a
condition that does not hold with is the item there is, so no further read is needed to merge again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import orjson

from workbench.errors import StoreError
from workbench.model.canonical import canonical_keys, image_digest
from workbench.model.item_writes import Write
from workbench.sandbox import ItemStore

if TYPE_CHECKING:
    import boto3
    from botocore.exceptions import ClientError
    from types_boto3_dynamodb.type_defs import TableDescriptionTypeDef

Image = Mapping[str, Any]
IN_FLIGHT = 16
"""Writes that are under way at DynamoDB at a time."""
_FAILED = "ConditionalCheckFailedException"
# Answers to a write that is taken when it is made again later: another write of the item is under way.
_BUSY = ("TransactionConflictException", "TransactionInProgressException", "ReplicatedWriteConflictException")
# Answers to a write which that item or write can never be.
_REFUSED = ("ValidationException", "ItemCollectionSizeLimitExceededException")


@dataclass(frozen=True)
class Description:
    """What a table is.

    Attributes
    ----------
    table
        Its name.
    arn, table_id
        DynamoDB's; of the item store its file, and what tells the table from one of its name that was made before.
    key
        Its key attributes and their types (S, N, B), the partition key first.
    indexed
        Key attributes of indexes and their types: an item may have no other type there.
    """

    table: str
    arn: str
    table_id: str | None
    key: Mapping[str, str]
    indexed: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a write that was sent.

    Attributes
    ----------
    kind
        ``written``; ``failed``, since its condition did not hold; ``busy``, to be sent again later; ``unknown``, since
        there was no answer: it may be written; or ``refused``, for good.
    image
        Where it is written the item it left, else the item there is; None where there is none.
    old
        Of a Delete that was written, the item it removed.
    before
        Whether the table knows that it wrote it before.
    units
        Write units it took.
    why
        Why not, in a line without a value.
    """

    kind: Literal["written", "failed", "busy", "unknown", "refused"]
    image: Image | None = None
    old: Image | None = None
    before: bool = False
    units: float = 0.0
    why: str = ""


class Target(Protocol):
    """A table that a plan is written to."""

    in_flight: int
    """How many writes may be sent at a time, by threads."""
    remembers: bool
    """Whether it knows itself which writes it made, so that what was tried before is sent again without a doubt."""

    def describe(self) -> Description:
        """Tell what the table is.

        Raises
        ------
        StoreError
            Where there is none, or it cannot be described.
        """

    def listens(self) -> list[str]:
        """Say what every write sets off: streams, functions, replicas, indexes."""

    def undelivered(self) -> int | None:
        """Count the changes that the log does not have yet; None where that is not known."""

    def read(self, keys: Sequence[Image]) -> dict[str, Image]:
        """Return the items that are there, by their canonical keys, as they are now."""

    def together(self) -> AbstractContextManager[None]:
        """Send the writes of a block as the table takes them best."""

    def send(self, write: Write, name: str, whole: str | None = None) -> Outcome:
        """Send one write.

        Parameters
        ----------
        name
            Of the write, the same whenever it is sent again.
        whole
            Of a Delete: the digest of the whole item it removes.

        Raises
        ------
        StoreError
            Where nothing more can be sent: no credentials, no permission, no table.
        """

    def forget(self) -> None:
        """Forget the names of writes: what came of them is noted elsewhere."""


class StoreTarget:
    """A table of the embedded item store.

    Parameters
    ----------
    source
        What the writes are of: the SHA-256 of a plan.
    """

    in_flight, remembers = 1, True

    def __init__(self, store: ItemStore, path: Path, table: str, source: str = "") -> None:
        self._store, self._path, self._table, self._source = store, path, table, source

    def describe(self) -> Description:
        """Tell what the table is."""
        store, name = self._store, self._table
        return Description(name, str(self._path.absolute()), store.identity(name), store.key_types(name), {})

    def listens(self) -> list[str]:
        """Say nothing: only the log of changes does."""
        return []

    def undelivered(self) -> int:
        """Count the changes that wait to be delivered."""
        return sum(1 for _ in self._store.pending(self._table))

    def read(self, keys: Sequence[Image]) -> dict[str, Image]:
        """Return the items that are there, by their canonical keys."""
        found = {canonical_keys(key): self._store.image(self._table, key) for key in keys}
        return {key: image for key, image in found.items() if image is not None}

    @contextmanager
    def together(self) -> Iterator[None]:
        """Make the writes of a block one transaction."""
        with self._store.bulk():
            yield

    def send(self, write: Write, name: str, whole: str | None = None) -> Outcome:
        """Send one write; the item, its change and the write's name are stored in one transaction."""
        if write.kind == "Delete":
            whole = whole or image_digest({**write.key, **(write.item or {})})
        try:
            done = self._store.write_conditionally(write, source=self._source, id=name, whole=whole)
        except StoreError as error:
            return Outcome("refused", why=str(error))
        if not done.written:
            return Outcome("failed", done.old)
        units = 0.0 if done.before else float(write.units(done.old))
        return Outcome("written", done.new, done.old if write.kind == "Delete" else None, done.before, units)

    def forget(self) -> None:
        """Forget the names of the plan's writes."""
        self._store.forget_writes(self._source)


class DynamoTarget:
    """A table of DynamoDB.

    What fails is not tried again by the SDK, whose second try of a write that was made, but not answered, would find
    that its own condition does not hold (https://github.com/aws/aws-sdk-java/issues/2667).
    """

    in_flight, remembers = IN_FLIGHT, False

    def __init__(self, session: boto3.Session, table: str) -> None:
        from botocore.config import Config

        once = Config(retries={"mode": "standard", "total_max_attempts": 1}, max_pool_connections=IN_FLIGHT)
        self._session, self._table = session, table
        self._client = session.client("dynamodb", config=once)

    def describe(self) -> Description:
        """Tell what the table is."""
        from workbench.aws import dynamodb

        key, told = dynamodb.key_of(self._session, self._table), dynamodb.describe(self._session, self._table)
        assert told is not None  # else key_of raises
        types = {each["AttributeName"]: str(each["AttributeType"]) for each in told["AttributeDefinitions"]}
        return Description(
            self._table,
            told["TableArn"],
            told.get("TableId") or f"made {told['CreationDateTime'].isoformat()}",
            key,
            {name: kind for name, kind in types.items() if name not in key},
        )

    def listens(self) -> list[str]:
        """Say what every write sets off, as far as that may be asked."""
        from workbench.aws import dynamodb

        told = dynamodb.describe(self._session, self._table)
        return list(_listening(self._session, told)) if told else []

    def undelivered(self) -> None:
        """Say nothing: DynamoDB does not know what has come of its changes."""

    def read(self, keys: Sequence[Image]) -> dict[str, Image]:
        """Return the items that are there, by their canonical keys, read consistently."""
        from workbench.aws import dynamodb

        found = dynamodb.read(self._session, self._table, map(canonical_keys, keys)) if keys else {}
        return {key: orjson.loads(image) for key, image in found.items()}

    def together(self) -> AbstractContextManager[None]:
        """Send each write by itself."""
        return nullcontext()

    def send(self, write: Write, name: str, whole: str | None = None) -> Outcome:
        """Send one write; before a Delete the whole item is compared, and what it removed is looked at after it."""
        from botocore.exceptions import ClientError

        from workbench.aws.dynamodb import explained_table
        from workbench.aws.errors import THROTTLED, aws_words, error_code, is_unreachable

        action = f"dynamodb:{write.kind}Item"
        with explained_table(self._table, action, *(["dynamodb:GetItem"] if write.kind == "Delete" else [])):
            try:
                return self._delete(write, whole) if write.kind == "Delete" else self._write(write)
            except ClientError as error:
                code = error_code(error)
                if code == _FAILED:
                    return Outcome("failed", _item_of(error))
                if code in (*THROTTLED, *_BUSY):
                    return Outcome("busy", why=f"DynamoDB answered {code}")
                if code in _REFUSED:
                    return Outcome("refused", why=f"DynamoDB refused it: {code}")  # its words may hold values
                if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500:
                    return Outcome("unknown", why=f"DynamoDB answered {code}")
                raise
            except Exception as error:
                if is_unreachable(error):
                    return Outcome("unknown", why=f"there was no answer: {aws_words(error)}")
                raise

    def forget(self) -> None:
        """Do nothing: DynamoDB knows no names of writes."""

    def _write(self, write: Write) -> Outcome:
        from workbench.aws.dynamodb_values import plain_image

        ((kind, request),) = _native(write.element()).items()
        told: dict[str, Any] = {"ReturnConsumedCapacity": "TOTAL", "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        if kind == "Put":
            answer: Any = self._client.put_item(**request, **told)
            left: Image | None = write.item
        else:
            answer = self._client.update_item(**request, **told, ReturnValues="ALL_NEW")
            left = plain_image(answer["Attributes"])
        return Outcome("written", left, units=_units(answer))

    def _delete(self, write: Write, whole: str | None) -> Outcome:
        """Delete an item that is as a whole what it is to be; where it was another after all, put that back."""
        from workbench.aws.dynamodb_values import native_image, plain_image

        whole = whole or image_digest({**write.key, **(write.item or {})})
        key: Any = native_image(write.key)
        read = self._client.get_item(TableName=write.table, Key=key, ConsistentRead=True)
        there = plain_image(read["Item"]) if "Item" in read else None
        if image_digest(there) != whole:
            return Outcome("failed", there)
        request = _native(write.element())["Delete"]
        told: dict[str, Any] = {"ReturnConsumedCapacity": "TOTAL", "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        answer: Any = self._client.delete_item(**request, **told, ReturnValues="ALL_OLD")
        old = plain_image(answer["Attributes"])
        if image_digest(old) == whole:
            return Outcome("written", None, old, units=_units(answer))
        return self._put_back(write, old, _units(answer))

    def _put_back(self, write: Write, old: Image, units: float) -> Outcome:
        """Put back an item that got an attribute between the look at it and its removal; nothing is lost by that."""
        from botocore.exceptions import ClientError

        from workbench.aws.errors import THROTTLED, aws_words, error_code, is_aws_error, is_unreachable
        from workbench.aws.pacing import Backoff

        back, backoff = Write(write.table, "Put", write.key, old), Backoff(120.0)
        while True:
            try:
                done = self._write(back)
                return Outcome(
                    "failed", old, units=units + done.units, why="it was changed while it was deleted, and is put back"
                )
            except Exception as error:
                if not is_aws_error(error):
                    raise
                code = error_code(error)
                if code == _FAILED:
                    there = _item_of(error) if isinstance(error, ClientError) else None
                    if image_digest(there) == image_digest(old):  # ours, which was not answered
                        return Outcome("failed", old, units=units, why="it was changed while it was deleted, put back")
                    why = "it was changed while it was deleted, and was made anew before it could be put back"
                    return Outcome("refused", there, old, units=units, why=why)
                again = code in (*THROTTLED, *_BUSY) or is_unreachable(error) or code == "InternalServerError"
                if not (again and backoff.pause()):
                    why = f"it was changed while it was deleted, and cannot be put back ({aws_words(error)}): do it"
                    return Outcome("refused", None, old, units=units, why=f"{why} by hand, its image is in the journal")


def _native(element: Mapping[str, Any]) -> dict[str, Any]:
    """Return an element as boto3's client takes it: binary as bytes."""
    from workbench.aws.dynamodb_values import native_image

    ((kind, request),) = element.items()
    images = ("Item", "Key", "ExpressionAttributeValues")
    return {kind: {name: native_image(value) if name in images else value for name, value in request.items()}}


def _item_of(error: ClientError) -> Image | None:
    """Return the item whose condition did not hold, None where there is none."""
    from workbench.aws.dynamodb_values import plain_image

    answered: Any = error.response
    return plain_image(answered["Item"]) if answered.get("Item") else None


def _units(answer: Mapping[str, Any]) -> float:
    return float(answer.get("ConsumedCapacity", {}).get("CapacityUnits", 0.0))


def _listening(session: boto3.Session, told: TableDescriptionTypeDef) -> Iterator[str]:
    """Say what every write to a table sets off."""
    stream = told.get("StreamSpecification", {})
    if stream.get("StreamEnabled"):
        yield f"a stream of its changes ({stream.get('StreamViewType', '')})"
        yield from _functions(session, told.get("LatestStreamArn", ""))
    yield from _kinesis(session, told["TableName"])
    for replica in told.get("Replicas", ()):
        yield f"a replica in {replica.get('RegionName')}, where conditions do not see what is written there"
    both = (*told.get("GlobalSecondaryIndexes", ()), *told.get("LocalSecondaryIndexes", ()))
    if indexes := [each.get("IndexName", "") for each in both]:
        yield f"indexes, each of which takes units too: {', '.join(indexes)}"


def _functions(session: boto3.Session, stream: str) -> Iterator[str]:
    """Name the functions that a stream calls; where that may not be asked, say so."""
    from workbench.aws.errors import is_aws_error

    try:
        pages = session.client("lambda").get_paginator("list_event_source_mappings").paginate(EventSourceArn=stream)
        for page in pages:
            for mapping in page["EventSourceMappings"]:
                yield f"a function: {mapping.get('FunctionArn', '').rpartition(':')[2]} ({mapping.get('State', '')})"
    except Exception as error:
        if not is_aws_error(error):
            raise
        yield "perhaps functions: which may not be asked (lambda:ListEventSourceMappings)"


def _kinesis(session: boto3.Session, table: str) -> Iterator[str]:
    """Name the Kinesis streams that changes go to; where that may not be asked, say so."""
    from workbench.aws.errors import is_aws_error

    try:
        told = session.client("dynamodb").describe_kinesis_streaming_destination(TableName=table)
        for each in told.get("KinesisDataStreamDestinations", ()):
            stream, status = each.get("StreamArn", "").rpartition("/")[2], each.get("DestinationStatus", "")
            yield f"a Kinesis stream: {stream} ({status})"
    except Exception as error:
        if not is_aws_error(error):
            raise
        yield "perhaps Kinesis streams: which may not be asked (dynamodb:DescribeKinesisStreamingDestination)"
