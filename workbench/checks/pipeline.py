"""Checks of what fills a change log on AWS: DynamoDB's stream, Firehose, and what they say in CloudWatch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from workbench.aws.errors import error_code, is_denied, is_unauthenticated, missing_permission
from workbench.checks.check import Check, Status
from workbench.checks.clients import Clients
from workbench.checks.refusal import refusal

if TYPE_CHECKING:
    from types_boto3_cloudwatch.type_defs import DimensionFilterTypeDef, DimensionTypeDef
    from types_boto3_dynamodb.type_defs import KinesisDataStreamDestinationTypeDef
    from types_boto3_firehose.type_defs import (
        DeliveryStreamDescriptionTypeDef,
        ExtendedS3DestinationDescriptionTypeDef,
        ListDeliveryStreamsInputTypeDef,
    )

_SLOW = 900  # seconds
_LISTED = 20_000


def delivery_streams(clients: Clients) -> list[DeliveryStreamDescriptionTypeDef]:
    """Describe the Firehose streams of the account that read from Kinesis."""
    firehose, names = clients.firehose, list[str]()
    request: ListDeliveryStreamsInputTypeDef = {"DeliveryStreamType": "KinesisStreamAsSource", "Limit": 100}
    while True:
        page = firehose.list_delivery_streams(**request)
        names += page["DeliveryStreamNames"]
        if not page["HasMoreDeliveryStreams"] or not page["DeliveryStreamNames"]:
            return [
                firehose.describe_delivery_stream(DeliveryStreamName=name)["DeliveryStreamDescription"]
                for name in names
            ]
        request["ExclusiveStartDeliveryStreamName"] = names[-1]


def check_pipeline(
    clients: Clients, table: str, location: str, delivery: Sequence[DeliveryStreamDescriptionTypeDef] | Exception
) -> Iterator[Check]:
    """Check how the changes of a table reach its log.

    Parameters
    ----------
    location
        Where the log is, ``s3://…``.
    delivery
        What `delivery_streams` returned, or why it could not.
    """
    name = f"stream of {table}"
    try:
        response = clients.dynamodb.describe_kinesis_streaming_destination(TableName=table)
    except (ClientError, BotoCoreError) as error:
        if isinstance(error, ClientError) and error.response["Error"]["Code"] == "ResourceNotFoundException":
            yield Check(
                name,
                "warning",
                f"there is no table {table!r} in DynamoDB here: nothing about its stream is known",
                "name the account and region of the table (profile=, region=), or its name (table_names=)",
            )
            return
        yield refusal(name, error, f"table/{table}", "warning")
        response = None
    arns = []
    if response is not None:
        destinations = response.get("KinesisDataStreamDestinations", [])
        arns = [each["StreamArn"] for each in destinations]
        yield from _destinations(name, table, destinations)
    yield from _tried(f"point-in-time recovery of {table}", f"table/{table}", lambda: _recovery(clients, table))
    yield from _tried(f"replication of {table}", "*", lambda: _replication(clients, table))
    yield from _tried(f"undo of {table}", f"table/{table}", lambda: _undo(clients, table))
    if not arns:
        return
    if isinstance(delivery, Exception):
        yield refusal(f"Firehose of {table}", delivery, "*", "warning")
        return
    own = [each for each in delivery if _source(each) in arns]
    if not own:
        yield Check(
            f"Firehose of {table}",
            "warning",
            f"no Firehose stream of this account reads {', '.join(arns)}",
            "where another account or program delivers, look there; else deploy infra_cdk",
        )
    for stream in own:
        yield from _firehose(clients, table, location, stream)


def error_places(clients: Clients, table: str) -> list[tuple[str, str]]:
    """Name where the Firehose streams of a table's changes put what they do not deliver: the bucket, and the prefix."""
    response = clients.dynamodb.describe_kinesis_streaming_destination(TableName=table)
    arns = [each["StreamArn"] for each in response.get("KinesisDataStreamDestinations", [])]
    targets = [
        each["ExtendedS3DestinationDescription"]
        for stream in delivery_streams(clients)
        if _source(stream) in arns
        for each in stream.get("Destinations", [])
        if "ExtendedS3DestinationDescription" in each
    ]
    places = [(s3["BucketARN"].rpartition(":")[2], _static(s3.get("ErrorOutputPrefix", ""))) for s3 in targets]
    return [(bucket, prefix) for bucket, prefix in places if prefix]


def _source(stream: DeliveryStreamDescriptionTypeDef) -> str | None:
    return stream.get("Source", {}).get("KinesisStreamSourceDescription", {}).get("KinesisStreamARN")


def _destinations(
    name: str, table: str, destinations: Sequence[KinesisDataStreamDestinationTypeDef]
) -> Iterator[Check]:
    enable = f"aws dynamodb enable-kinesis-streaming-destination --table-name {table} --stream-arn STREAM"
    if not destinations:
        yield Check(name, "failed", "changes go to no Kinesis stream: none is logged", enable)
    for each in destinations:
        state, stream = each["DestinationStatus"], each["StreamArn"].rpartition("/")[2]
        why = f": {each['DestinationStatusDescription']}" if each.get("DestinationStatusDescription") else ""
        precision = each.get("ApproximateCreationDateTimePrecision", "MILLISECOND").lower()
        if state == "ACTIVE":
            yield Check(name, "ok", f"changes go to {stream}, their times in {precision}s")
        elif state in ("ENABLING", "UPDATING"):
            yield Check(
                name, "warning", f"{stream} is {state.lower()}{why}: changes of now may be missing", "wait a minute"
            )
        else:
            yield Check(
                name,
                "failed",
                f"{stream} is {state}{why}: changes are not logged",
                f"{enable}; then make a baseline of what was missed: workbench baseline start {table}",
            )


def _recovery(clients: Clients, table: str) -> Iterator[Check]:
    backups = clients.dynamodb.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    name = f"point-in-time recovery of {table}"
    if backups.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus") == "ENABLED":
        yield Check(name, "ok", "on: exports to S3 are possible")
    else:
        yield Check(
            name,
            "warning",
            "off: the table cannot be exported as a baseline",
            "aws dynamodb "
            "update-continuous-"
            f"backups --table-name {table} --point-in-time-recovery-specification "
            "PointInTimeRecoveryEnabled=true",
        )


def _undo(clients: Clients, table: str) -> Iterator[Check]:
    """Tell whether this identity may apply an undo, which few should: it is no fault where it may not.

    AWS tells by trying only. What is tried are writes on a condition that no item meets: none is ever made.
    """
    client, missing = clients.dynamodb, list[str]()

    def denied(ask: Callable[..., Any], **request: Any) -> Any:
        try:
            return ask(TableName=table, **request)
        except ClientError as error:
            if is_denied(error):
                needed = missing_permission(error)
                missing.append(needed if needed.startswith("kms:") else needed.partition(" on ")[0])
            elif error_code(error) != "ConditionalCheckFailedException":
                raise
            return None

    if described := denied(client.describe_table):
        kinds = {each["AttributeName"]: each["AttributeType"] for each in described["Table"]["AttributeDefinitions"]}
        names = [each["AttributeName"] for each in described["Table"]["KeySchema"]]
        values = {"S": {"S": "workbench check"}, "N": {"N": "0"}, "B": {"B": b"workbench check"}}
        key = {name: values[kinds[name]] for name in names}
        never: dict[str, Any] = {
            "ConditionExpression": "attribute_exists(#0) AND attribute_not_exists(#0)",
            "ExpressionAttributeNames": {"#0": names[0]},
        }
        denied(client.get_item, Key=key)
        denied(client.put_item, Item=key, **never)
        denied(client.update_item, Key=key, **never)
        denied(client.delete_item, Key=key, **never)
    if not missing:
        yield Check(f"undo of {table}", "ok", "this identity may apply one: it may put, update and delete items")
        return
    yield Check(
        f"undo of {table}",
        "ok",
        f"this identity may plan one and not apply it, without {', '.join(dict.fromkeys(missing))}; "
        "where it should, give it the policy that infra_cdk makes with -c undo=true",
    )


def _replication(clients: Clients, table: str) -> Iterator[Check]:
    """Check the metrics of "Configuring shards and monitoring change data capture".

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/kds_using-shards-and-metrics.html
    """
    by_table: list[DimensionFilterTypeDef] = [{"Name": "TableName", "Value": table}]
    name, lost, oldest = f"replication of {table}", 0.0, 0.0
    for metric, days in (("FailedToReplicateRecordCount", 14), ("AgeOfOldestUnreplicatedRecord", 1)):
        # They have a second dimension, DelegatedOperation; only metrics of the last two weeks are listed.
        metrics = clients.cloudwatch.list_metrics(Namespace="AWS/DynamoDB", MetricName=metric, Dimensions=by_table)
        for each in metrics["Metrics"]:
            dimensions = each["Dimensions"]
            if days == 14:
                lost += sum(_values(clients, "AWS/DynamoDB", metric, dimensions, "Sum", timedelta(days=days), 86_400))
            else:
                ages = _values(clients, "AWS/DynamoDB", metric, dimensions, "Maximum", timedelta(hours=1), 300)
                oldest = max([oldest, *ages[:1]])
    if lost:
        yield Check(
            name,
            "failed",
            f"{lost:,.0f} changes of the last 14 days never reached Kinesis "
            "(FailedToReplicateRecordCount): the log lacks them; items of more than about 34 KB can "
            "be too large",
            f"workbench reconcile {table} finds the items; make them smaller, begin anew with a baseline",
        )
    elif oldest > _SLOW * 1000:
        yield Check(
            name,
            "warning",
            "the oldest change that has not reached Kinesis is "
            f"{oldest / 60_000:,.0f} min old: "
            "after 168 h DynamoDB gives up",
            "give the Kinesis stream more shards, or on-demand capacity",
        )
    else:
        yield Check(name, "ok", "no change of the last 14 days was lost on its way to Kinesis")


def _firehose(clients: Clients, table: str, location: str, stream: DeliveryStreamDescriptionTypeDef) -> Iterator[Check]:
    called = stream["DeliveryStreamName"]
    name, state = f"Firehose {called}", stream["DeliveryStreamStatus"]
    s3 = next(
        (
            each["ExtendedS3DestinationDescription"]
            for each in stream.get("Destinations", [])
            if "ExtendedS3DestinationDescription" in each
        ),
        None,
    )
    describe = f"aws firehose describe-delivery-stream --delivery-stream-name {called}"
    if state != "ACTIVE":
        why = stream.get("FailureDescription", {}).get("Details", "")
        yield Check(name, "failed", f"is {state}{f': {why}' if why else ''}: nothing is delivered", describe)
        return
    if s3 is None:
        yield Check(name, "warning", f"is active, and delivers the changes of {table} elsewhere than to S3", describe)
        return
    bucket = s3["BucketARN"].rpartition(":")[2]
    target = f"s3://{bucket}/{_static(s3.get('Prefix', ''))}"
    if location.startswith(target.rstrip("/")) or target.startswith(location.rstrip("/")):
        wait = s3.get("BufferingHints", {}).get("IntervalInSeconds", 300)
        yield Check(name, "ok", f"is active, delivers to {target} every {wait} s or sooner")
    else:
        yield Check(
            name,
            "warning",
            f"delivers to {target}, but the table is over {location}",
            f"workbench table create over {target}, or compare: {describe}",
        )
    hints = s3.get("BufferingHints", {}).get("IntervalInSeconds", 300)
    yield from _tried(f"delivery by {called}", "*", lambda: _delivery(clients, called, hints))
    yield from _tried(f"errors of {called}", bucket, lambda: _errors(clients, called, bucket, s3))


def _delivery(clients: Clients, called: str, interval: int) -> Iterator[Check]:
    by_stream: list[DimensionTypeDef] = [{"Name": "DeliveryStreamName", "Value": called}]

    def values(metric: str, statistic: str, hours: int) -> list[float]:
        return _values(clients, "AWS/Firehose", metric, by_stream, statistic, timedelta(hours=hours), 300)

    name = f"delivery by {called}"
    logs = f"look at /aws/kinesisfirehose/{called} in CloudWatch Logs"
    fresh, success = values("DeliveryToS3.DataFreshness", "Maximum", 1), values("DeliveryToS3.Success", "Minimum", 24)
    processing = values("ExecuteProcessing.Success", "Minimum", 24)
    if any(value < 1 for value in success):
        yield Check(
            name,
            "failed",
            "in the last 24 h some deliveries to S3 failed (DeliveryToS3.Success)",
            f"{logs}: the role needs s3:PutObject, and kms:GenerateDataKey where a key encrypts",
        )
    elif any(value < 1 for value in processing):
        yield Check(
            name,
            "warning",
            "in the last 24 h the transform failed for some records (ExecuteProcessing.Success)",
            f"{logs}; the records are under the error prefix",
        )
    elif fresh and fresh[0] > interval + _SLOW:
        yield Check(
            name,
            "warning",
            f"the oldest record not delivered is {fresh[0] / 60:,.0f} min old: answers lack what is younger",
            logs,
        )
    else:
        detail = f"the oldest record not delivered was {fresh[0]:,.0f} s old" if fresh else "nothing in the last hour"
        yield Check(name, "ok", f"{detail}, no delivery failed in the last 24 h")


def _errors(clients: Clients, called: str, bucket: str, s3: ExtendedS3DestinationDescriptionTypeDef) -> Iterator[Check]:
    name, prefix = f"errors of {called}", _static(s3.get("ErrorOutputPrefix", ""))
    if not prefix:
        yield Check(
            name,
            "warning",
            "there is no error prefix: failed records lie among the data",
            "set ErrorOutputPrefix to errors/!{firehose:error-output-type}/",
        )
        return
    pages = clients.s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=prefix, PaginationConfig={"MaxItems": _LISTED}
    )
    modified = [each["LastModified"] for page in pages for each in page.get("Contents", [])]
    recent = sum(moment > datetime.now(UTC) - timedelta(days=7) for moment in modified)
    place = f"s3://{bucket}/{prefix}"
    many = f"{len(modified):,}{' or more' if len(modified) == _LISTED else ''}"
    if recent or len(modified) == _LISTED:
        yield Check(
            name,
            "warning",
            f"{many} objects under {place}, {recent:,} of the last 7 days, the newest of "
            f"{max(modified):%Y-%m-%d %H:%M} UTC: changes in them are not in the log",
            f"aws s3 ls --recursive {place}; each line says why (errorMessage) and holds the record (rawData)",
        )
    else:
        yield Check(name, "ok", f"none of the last 7 days under {place}" + (f" ({many} older)" if modified else ""))


def _static(prefix: str) -> str:
    """Return what of a prefix is there before anything is put into it."""
    return prefix.partition("!{")[0]


def _values(
    clients: Clients,
    namespace: str,
    metric: str,
    dimensions: Sequence[DimensionTypeDef],
    statistic: str,
    back: timedelta,
    period: int,
) -> list[float]:
    """Return a metric's values, the newest first."""
    now = datetime.now(UTC)
    response = clients.cloudwatch.get_metric_data(
        StartTime=now - back,
        EndTime=now,
        ScanBy="TimestampDescending",
        MetricDataQueries=[
            {
                "Id": "m",
                "MetricStat": {
                    "Metric": {"Namespace": namespace, "MetricName": metric, "Dimensions": dimensions},
                    "Period": period,
                    "Stat": statistic,
                },
            }
        ],
    )
    return [value for result in response["MetricDataResults"] for value in result["Values"]]


def _tried(name: str, resource: str, part: Callable[[], Iterator[Check]], status: Status = "warning") -> list[Check]:
    try:
        return list(part())
    except (ClientError, BotoCoreError) as error:
        return [refusal(name, error, resource, "failed" if is_unauthenticated(error) else status)]
