"""Firehose: reads the stream, has records transformed, and writes objects into the lake, wherever that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_glue as glue
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_kinesisfirehose as firehose
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra_cdk.config import Config
from infra_cdk.stacks.encryption import stream_key_use
from infra_cdk.stacks.functions import log_group

ARRIVAL = "year=!{timestamp:yyyy}/month=!{timestamp:MM}/day=!{timestamp:dd}/hour=!{timestamp:HH}/"
# Of a shared stream: the function tells each record's log; what fails has no log to tell, and goes where that of all
# goes, as does what cannot be delivered for so long, which is the longest Firehose allows. It is switched on when a
# Firehose stream is made, or never: https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning-enable.html
# https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning-s3bucketprefix.html
# https://docs.aws.amazon.com/firehose/latest/APIReference/API_RetryOptions.html
_TOLD, _ALL = "!{partitionKeyFromLambda:log}", "_all"
_PARTITIONED: dict[str, Any] = {
    "dynamic_partitioning_configuration": {"enabled": True, "retryOptions": {"durationInSeconds": 7200}}
}
# Firehose fills this before it calls the function, and may add the record that does not fit. Of two MB come at most
# 5.6: an image's text grows by half as JSON in JSON, twofold if it were all quotes, and then by a third as base64.
# The response may have 6.
_LAMBDA_BUFFER_MB, _LAMBDA_BUFFER_SECONDS = 1, 60


@dataclass(frozen=True)
class Destination:
    """The bucket objects are written to, and the right to its key."""

    bucket_arn: str
    key_use: iam.PolicyStatement
    key_arn: str | None = None
    """None: the bucket's own default encryption is relied on, since its key is another account's."""


class Delivery(Construct):
    """`stream` (Firehose), its `role`, and `log`, where it says what it could not deliver."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        config: Config,
        source: kinesis.IStream,
        key: kms.IKey,
        destination: Destination,
        transform: lambda_.IFunction | None,
        schema: glue.CfnTable | None = None,
        role_name: str | None = None,
    ) -> None:
        super().__init__(scope, id)
        stack = cdk.Stack.of(self)
        self.log = log_group(self, "Log", config, key)
        self.role = iam.Role(
            self,
            "Role",
            role_name=role_name,
            description=f"{config.name}: Firehose delivers the change log",
            assumed_by=iam.ServicePrincipal(
                "firehose.amazonaws.com", conditions={"StringEquals": {"sts:ExternalId": stack.account}}
            ),
        )
        for statement in (
            reading(source),
            stream_key_use(self, key.key_arn, source.stream_arn),
            *writing(destination, config, "data", "errors"),
            *_converting(schema, stack),
            *calling(transform),
        ):
            self.role.add_to_policy(statement)
        log = logs.LogStream(
            self,
            "DeliveryLog",
            log_group=self.log,
            log_stream_name="Delivery",
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        self.role.add_to_policy(logging(stack, self.log))
        self.stream = firehose.CfnDeliveryStream(
            self,
            "Stream",
            delivery_stream_type="KinesisStreamAsSource",
            kinesis_stream_source_configuration=firehose.CfnDeliveryStream.KinesisStreamSourceConfigurationProperty(
                kinesis_stream_arn=source.stream_arn, role_arn=self.role.role_arn
            ),
            extended_s3_destination_configuration=(
                firehose.CfnDeliveryStream.ExtendedS3DestinationConfigurationProperty(
                    bucket_arn=destination.bucket_arn,
                    role_arn=self.role.role_arn,
                    prefix=f"data/{_TOLD if config.shared else config.log_name}/{ARRIVAL}",
                    error_output_prefix=f"errors/{_ALL if config.shared else config.log_name}/"
                    f"!{{firehose:error-output-type}}/{ARRIVAL}",
                    buffering_hints={"intervalInSeconds": config.buffer_seconds, "sizeInMBs": config.buffer_mb},
                    cloud_watch_logging_options={
                        "enabled": True,
                        "logGroupName": self.log.log_group_name,
                        "logStreamName": log.log_stream_name,
                    },
                    processing_configuration={"enabled": True, "processors": processors(transform, self.role)},
                    encryption_configuration=None
                    if destination.key_arn is None
                    else {"kmsEncryptionConfig": {"awskmsKeyArn": destination.key_arn}},
                    **_stored(schema, self.role, stack),
                    **_PARTITIONED if config.shared else {},
                )
            ),
        )
        self.stream.node.add_dependency(self.role)

    @property
    def name(self) -> str:
        """Name of the Firehose stream."""
        return self.stream.ref


def _stored(schema: glue.CfnTable | None, role: iam.Role, stack: cdk.Stack) -> dict[str, Any]:
    if schema is None:
        return {"compression_format": "GZIP", "file_extension": ".json.gz"}
    return {
        "compression_format": "UNCOMPRESSED",  # what Parquet compresses itself
        "data_format_conversion_configuration": {
            "enabled": True,
            "inputFormatConfiguration": {"deserializer": {"openXJsonSerDe": {}}},
            # Athena bills compressed bytes, and Firehose knows no ZSTD:
            # https://docs.aws.amazon.com/firehose/latest/APIReference/API_ParquetSerDe.html
            "outputFormatConfiguration": {"serializer": {"parquetSerDe": {"compression": "GZIP"}}},
            "schemaConfiguration": {
                "roleArn": role.role_arn,
                "catalogId": stack.account,
                "region": stack.region,
                "databaseName": schema.database_name,
                "tableName": schema.ref,
                "versionId": "LATEST",
            },
        },
    }


def processors(transform: lambda_.IFunction | None, role: iam.Role) -> list[dict[str, Any]]:
    """Say what each record goes through: a function, or, without one, Firehose's own delimiter."""
    if transform is None:
        return [_processor("AppendDelimiterToRecord", Delimiter="\\n")]
    return [
        _processor(
            "Lambda",
            LambdaArn=f"{transform.function_arn}:$LATEST",
            RoleArn=role.role_arn,
            NumberOfRetries="3",
            BufferSizeInMBs=str(_LAMBDA_BUFFER_MB),
            BufferIntervalInSeconds=str(_LAMBDA_BUFFER_SECONDS),
        )
    ]


def _processor(kind: str, **parameters: str) -> dict[str, Any]:
    listed = [{"parameterName": name, "parameterValue": value} for name, value in parameters.items()]
    return {"type": kind, "parameters": listed}


def reading(source: kinesis.IStream) -> iam.PolicyStatement:
    """Allow a stream to be read."""
    return iam.PolicyStatement(
        sid="ReadStream",
        resources=[source.stream_arn],
        actions=["kinesis:DescribeStream", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"],
    )


def writing(destination: Destination, config: Config, *folders: str) -> Sequence[iam.PolicyStatement]:
    """Allow a log's objects to be written, in some folders of the lake."""
    # An ACL that hands the object to the bucket's owner comes with objects for another account's bucket:
    # https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#cross-account-delivery-s3
    foreign = ["s3:PutObjectAcl"] if destination.key_arn is None else []
    return (
        iam.PolicyStatement(
            sid="WriteObjects",
            actions=["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject", *foreign],
            resources=[f"{destination.bucket_arn}/{kind}/{config.any_log}/*" for kind in folders],
        ),
        iam.PolicyStatement(
            sid="Bucket",
            actions=["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"],
            resources=[destination.bucket_arn],
        ),
        destination.key_use,
    )


def _converting(schema: glue.CfnTable | None, stack: cdk.Stack) -> Sequence[iam.PolicyStatement]:
    if schema is None:
        return ()
    parts = ("catalog", f"database/{schema.database_name}", f"table/{schema.database_name}/{schema.ref}")
    return (
        iam.PolicyStatement(
            sid="ReadSchema",
            actions=["glue:GetTable", "glue:GetTableVersion", "glue:GetTableVersions"],
            resources=[stack.format_arn(service="glue", resource=part) for part in parts],
        ),
    )


def logging(stack: cdk.Stack, group: logs.ILogGroup) -> iam.PolicyStatement:
    """Allow a delivery to write into its stream of a log group."""
    return iam.PolicyStatement(
        sid="Log",
        actions=["logs:PutLogEvents"],
        resources=[
            stack.format_arn(
                service="logs",
                resource="log-group",
                arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
                resource_name=f"{group.log_group_name}:log-stream:Delivery",
            )
        ],
    )


def calling(transform: lambda_.IFunction | None) -> Sequence[iam.PolicyStatement]:
    """Allow the function to be called, where there is one."""
    if transform is None:
        return ()
    return (
        iam.PolicyStatement(
            sid="Transform",
            actions=["lambda:GetFunctionConfiguration", "lambda:InvokeFunction"],
            resources=[transform.function_arn, f"{transform.function_arn}:$LATEST"],
        ),
    )
