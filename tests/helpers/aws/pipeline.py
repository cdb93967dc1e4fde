"""The pipeline from a table of moto's to objects in its S3: what Kinesis Data Streams for DynamoDB and Firehose do.

moto has a table's stream of DynamoDB Streams, and no Kinesis Data Streams for DynamoDB; its Firehose has no source, no
transformation, no buffer and no format conversion. What is missing is filled in here, each time with the page it
stands on. The function that Firehose calls is the pipeline's own.
"""

from __future__ import annotations

import base64
import gzip
import importlib.util
import io
import json
import uuid
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from boto3.dynamodb.types import Binary, TypeDeserializer

from workbench.aws.session import Session

REGION = "eu-central-1"
ATTEMPTS = 4
"""The first call and NumberOfRetries, 3 by default and in the pipeline's template."""
_FUNCTION_BUFFER, _FUNCTION_SECONDS = 1 << 20, 60  # BufferSizeInMBs and BufferIntervalInSeconds of the template
_KINDS = {"string": pa.string(), "bigint": pa.int64(), "boolean": pa.bool_()}
_DESERIALIZER = TypeDeserializer()
_TTL = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
Function = Callable[[dict[str, Any]], dict[str, Any]]
Key = tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class StreamRecord:
    """A record of a Kinesis stream: its data, its shard, and when it arrived there."""

    arrived: datetime
    data: bytes
    shard: int = 0


class Capture:
    """What Kinesis Data Streams for DynamoDB carries of a table, made of the records of its stream.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/kds_using-record-format.html (the fields);
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/kds.html (twice, and out of order).
    """

    def __init__(self, session: Session, table: str) -> None:
        self._client, self._table = session.client("dynamodbstreams"), table
        described = session.client("dynamodb").describe_table(TableName=table)["Table"]
        stream = described["LatestStreamArn"]
        (shard,) = self._client.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"]
        self._at = self._client.get_shard_iterator(
            StreamArn=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]

    def read(self, times: Sequence[datetime], *, unit: str, expired: Collection[Key] = ()) -> list[dict[str, Any]]:
        """Read what is new, as Kinesis carries it.

        Parameters
        ----------
        times
            When each of the writes was made, by the test's clock: moto takes this machine's, in milliseconds.
        unit
            MICROSECOND or MILLISECOND, the precision that the capture is set to.
        expired
            Keys whose removals are by TTL: moto removes nothing by itself, so they were removed by a request.
        """
        found: list[dict[str, Any]] = []
        while records := (answer := self._client.get_records(ShardIterator=self._at))["Records"]:
            self._at = answer["NextShardIterator"]
            for record in records:
                # moto writes an update of an item there is not as two insertions, the first of the bare key.
                twice = found and (found[-1]["eventName"], record["eventName"]) == ("INSERT", "INSERT")
                if twice and found[-1]["dynamodb"]["Keys"] == record["dynamodb"]["Keys"]:
                    found.pop()
                found.append(record)
        # moto tells of a write that changes nothing, DynamoDB does not: .../developerguide/Streams.html
        found = [record for record in found if not _changes_nothing(record["dynamodb"])]
        return [_captured(record, self._table, made, unit, expired) for record, made in zip(found, times, strict=True)]


def _changes_nothing(change: Mapping[str, Any]) -> bool:
    return "NewImage" in change and "OldImage" in change and plain(change["NewImage"]) == plain(change["OldImage"])


def _captured(
    record: Mapping[str, Any], table: str, made: datetime, unit: str, expired: Collection[Key]
) -> dict[str, Any]:
    change = record["dynamodb"]
    micros = (made - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    gone = record["eventName"] == "REMOVE" and key_of(change["Keys"]) in expired
    images = {name: _twice(change[name]) for name in ("Keys", "NewImage", "OldImage") if name in change}
    return {
        "awsRegion": REGION,  # moto's streams are all in us-east-1
        "eventID": record["eventID"],
        "eventName": record["eventName"],
        "userIdentity": _TTL if gone else None,
        "recordFormat": "application/json",  # and no eventVersion, SequenceNumber, StreamViewType
        "tableName": table,
        "dynamodb": {
            "ApproximateCreationDateTime": micros if unit == "MICROSECOND" else micros // 1000,
            "ApproximateCreationDateTimePrecision": unit,
            **images,
            "SizeBytes": change["SizeBytes"],
        },
        "eventSource": "aws:dynamodb",
    }


def _twice(image: Mapping[str, Any]) -> dict[str, Any]:
    """An image of boto3's as Kinesis has it: binary in base64, and that in base64 again."""

    def value(given: Mapping[str, Any]) -> dict[str, Any]:
        ((kind, inner),) = given.items()
        if kind == "M":
            return {"M": {name: value(each) for name, each in inner.items()}}
        if kind == "L":
            return {"L": [value(each) for each in inner]}
        if kind in ("B", "BS"):
            texts = [base64.b64encode(base64.b64encode(each)).decode() for each in ([inner] if kind == "B" else inner)]
            return {kind: texts[0] if kind == "B" else texts}
        return dict(given)

    return {name: value(each) for name, each in image.items()}


def plain(image: Mapping[str, Any]) -> dict[str, Any]:
    """Values as boto3 gives them: numbers as decimals, binary as bytes."""

    def value(given: Any) -> Any:
        if isinstance(given, dict):
            return {name: value(each) for name, each in given.items()}
        if isinstance(given, list | set):
            return type(given)(map(value, given))
        return bytes(given) if isinstance(given, Binary) else given

    return {name: value(_DESERIALIZER.deserialize(each)) for name, each in image.items()}


def key_of(keys: Mapping[str, Mapping[str, Any]]) -> Key:
    """A key, to look things up by."""
    return tuple((name, *value.values()) for name, value in sorted(keys.items()))


def put_record(record: Mapping[str, Any], arrived: datetime, shards: int = 2) -> StreamRecord:
    """Put a change into a stream, into the shard of its key."""
    shard = zlib.crc32(json.dumps(record["dynamodb"]["Keys"], sort_keys=True).encode()) % shards
    return StreamRecord(arrived, json.dumps(record, ensure_ascii=False).encode(), shard)


def transform_function(mode: str, root: Path) -> Function:
    """Load the pipeline's function as Lambda does, by the name of its file, and call it with JSON in and out."""
    spec = importlib.util.spec_from_file_location(
        "handler", root / "infra_cdk" / "lambdas" / "transform" / "handler.py"
    )
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def call(event: dict[str, Any]) -> dict[str, Any]:
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("MODE", mode)
            answer: dict[str, Any] = json.loads(json.dumps(module.handler(json.loads(json.dumps(event)), None)))
        return answer

    return call


@dataclass
class Firehose:
    """A delivery stream that reads a Kinesis stream, has a function transform it, and writes objects into S3.

    Attributes
    ----------
    function
        What transforms a batch; None where Firehose itself ends each record with a line feed.
    columns
        Glue's columns, where records are converted to Parquet.
    unanswered
        How many calls of each batch, by its number, bring no answer: they are tried again, `ATTEMPTS` in all.
    repeated
        The numbers of objects that are written twice: S3 took the first too, but Firehose did not hear of it.
    """

    session: Session
    bucket: str
    log: str
    function: Function | None = None
    columns: Mapping[str, str] | None = None
    buffer_bytes: int = 16_000
    buffer_seconds: int = 900
    unanswered: Mapping[int, int] = field(default_factory=dict)
    repeated: Collection[int] = ()
    calls: int = 0
    objects: int = 0
    written: int = 0
    """Records in objects, those of objects written twice counted twice."""
    _batches: int = 0

    def deliver(self, records: Iterable[StreamRecord]) -> None:
        """Deliver records, oldest arrival first; of one moment, shard by shard."""
        held: list[StreamRecord] = []
        for record in self._transformed(sorted(records, key=lambda each: (each.arrived, each.shard))):
            # https://docs.aws.amazon.com/firehose/latest/dev/create-configure-backup.html (buffering hints)
            if held and (
                sum(len(each.data) for each in held) + len(record.data) > self.buffer_bytes
                or record.arrived - held[0].arrived > timedelta(seconds=self.buffer_seconds)
            ):
                self._write(held)
                held = []
            held.append(record)
        if held:
            self._write(held)

    def failures(self) -> list[dict[str, Any]]:
        """Return what could not be transformed, as it lies under the error prefix."""
        s3 = self.session.client("s3")
        prefix = f"errors/{self.log}/processing-failed/"
        found = s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix).get("Contents", [])
        bodies = [s3.get_object(Bucket=self.bucket, Key=each["Key"])["Body"].read() for each in found]
        return [json.loads(line) for body in bodies for line in gzip.decompress(body).splitlines()]

    def _transformed(self, records: Iterable[StreamRecord]) -> Iterator[StreamRecord]:
        if self.function is None:
            # https://docs.aws.amazon.com/firehose/latest/APIReference/API_Processor.html (AppendDelimiterToRecord)
            yield from (replace(record, data=record.data + b"\n") for record in records)
            return
        batch: list[StreamRecord] = []
        for record in records:
            full = sum(len(each.data) for each in batch) > _FUNCTION_BUFFER
            if batch and (full or record.arrived - batch[0].arrived > timedelta(seconds=_FUNCTION_SECONDS)):
                yield from self._call(batch)
                batch = []
            batch.append(record)
        if batch:
            yield from self._call(batch)

    def _call(self, batch: Sequence[StreamRecord]) -> Iterator[StreamRecord]:
        """Call the function as https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html says."""
        event = {
            "invocationId": str(uuid.UUID(int=self._batches)),
            "sourceKinesisStreamArn": f"arn:aws:kinesis:{REGION}:123456789012:stream/changes",
            "deliveryStreamArn": f"arn:aws:firehose:{REGION}:123456789012:deliverystream/changes",
            "region": REGION,
            "records": [
                {
                    "recordId": f"{49546986683135544286507457936321625675700192471156785154 + number}000000",
                    "approximateArrivalTimestamp": int(record.arrived.timestamp() * 1000),
                    "data": base64.b64encode(record.data).decode(),
                    "kinesisRecordMetadata": {
                        "sequenceNumber": str(number),
                        "subsequenceNumber": 0,
                        "partitionKey": f"{zlib.crc32(record.data):08X}",
                        "shardId": f"shardId-{record.shard:012}",
                        "approximateArrivalTimestamp": int(record.arrived.timestamp() * 1000),
                    },
                }
                for number, record in enumerate(batch)
            ],
        }
        unanswered = self.unanswered.get(self._batches, 0)
        self._batches += 1
        for attempt in range(1, ATTEMPTS + 1):
            self.calls += 1
            answer = self.function(event)  # type: ignore[misc]
            if attempt > unanswered:
                break
        else:  # it ran each time, and was not heard
            self._fail(batch, "Lambda.FunctionTimedOut", "The Lambda function timed out.", ATTEMPTS)
            return
        assert [each["recordId"] for each in answer["records"]] == [each["recordId"] for each in event["records"]]
        for record, each in zip(batch, answer["records"], strict=True):
            match each["result"]:
                case "Ok":
                    yield replace(record, data=base64.b64decode(each["data"]))
                case "ProcessingFailed":
                    self._fail([record], "Lambda.ProcessingFailedStatus", "ProcessingFailed status set for record", 1)
                case other:
                    assert other == "Dropped"

    def _write(self, held: Sequence[StreamRecord]) -> None:
        number, self.objects = self.objects, self.objects + 1
        content, ending = b"".join(each.data for each in held), ".json.gz"
        if self.columns:
            # https://docs.aws.amazon.com/firehose/latest/dev/record-format-conversion.html
            schema = pa.schema({name: _KINDS[kind] for name, kind in self.columns.items()})
            rows = [json.loads(line) for line in content.decode().split("\n")[:-1]]
            buffer = io.BytesIO()
            pq.write_table(pa.Table.from_pylist(rows, schema=schema), buffer, compression="gzip")
            content, ending = buffer.getvalue(), ".parquet"
        else:
            content = gzip.compress(content, mtime=0)
        for again in range(2 if number in self.repeated else 1):
            self.written += len(held)
            self._put("data", held[0].arrived, uuid.UUID(int=number << 8 | again), content, ending)

    def _fail(self, batch: Sequence[StreamRecord], code: str, why: str, attempts: int) -> None:
        """Write to the error prefix: .../firehose/latest/dev/data-transformation-failure-handling.html."""
        lines = [
            {
                "attemptsMade": attempts,
                "arrivalTimestamp": int(record.arrived.timestamp() * 1000),
                "errorCode": code,
                "errorMessage": why,
                "attemptEndingTimestamp": int(record.arrived.timestamp() * 1000) + 1000,
                "rawData": base64.b64encode(record.data).decode(),
                "lambdaArn": f"arn:aws:lambda:{REGION}:123456789012:function:transform",
            }
            for record in batch
        ]
        content = gzip.compress("".join(json.dumps(line) + "\n" for line in lines).encode(), mtime=0)
        name = uuid.uuid5(uuid.NAMESPACE_OID, repr((code, self._batches, batch)))
        self._put("errors", batch[0].arrived, name, content, ".json.gz", "processing-failed/")

    def _put(self, kind: str, arrived: datetime, name: uuid.UUID, content: bytes, ending: str, below: str = "") -> None:
        """Name an object by the oldest arrival in it: .../firehose/latest/dev/s3-object-name.html."""
        folder = f"{kind}/{self.log}/{below}year={arrived:%Y}/month={arrived:%m}/day={arrived:%d}/hour={arrived:%H}/"
        key = f"{folder}changes-1-{arrived:%Y-%m-%d-%H-%M-%S}-{name}{ending}"
        self.session.client("s3").put_object(Bucket=self.bucket, Key=key, Body=content)
