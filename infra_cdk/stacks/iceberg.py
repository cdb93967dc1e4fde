"""The same changes once more, into an Iceberg table: for those who read them from Redshift, EMR, Snowflake or Spark.

The log stays what every answer comes from; this table can be made again from it, not the log from the table.
"""

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_glue as glue
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_kinesisfirehose as firehose
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra_cdk.config import Config
from infra_cdk.stacks.delivery import ARRIVAL, calling, logging, processors, reading
from infra_cdk.stacks.encryption import bucket_key_use, stream_key_use
from infra_cdk.stacks.functions import log_group
from workbench.model.records import COLUMN_TYPES

# A timestamp has no zone, as `ts` of the log has none: both are in UTC.
_TYPES = {"varchar": "string", "bigint": "long"}
# How often files are rewritten is Glue's; what was replaced is kept so long, in days, for readers that have begun.
_SNAPSHOT_DAYS, _ORPHAN_DAYS = 5, 3
_OPTIMIZERS = {
    "compaction": {},
    "retention": {
        "retentionConfiguration": {
            "icebergConfiguration": {
                "snapshotRetentionPeriodInDays": _SNAPSHOT_DAYS,
                "numberOfSnapshotsToRetain": 1,
                "cleanExpiredFiles": True,
            }
        }
    },
    "orphan_file_deletion": {
        "orphanFileDeletionConfiguration": {"icebergConfiguration": {"orphanFileRetentionPeriodInDays": _ORPHAN_DAYS}}
    },
}


class Iceberg(Construct):
    """`table`, the Firehose `stream` into it, its `transform`, and `reader`, a policy that is attached to nobody."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        config: Config,
        key: kms.IKey,
        source: kinesis.IStream,
        lake: s3.IBucket,
        database: glue.CfnDatabase,
        transform: lambda_.Function,
    ) -> None:
        super().__init__(scope, id)
        self._config, self._key, self._lake = config, key, lake
        self.transform = transform
        self.name = f"{config.log_name}_iceberg"
        # With all of it in IcebergTableInput and no TableInput, or an update would make it a plain table again:
        # https://github.com/aws/aws-cdk/pull/37988
        self.table = glue.CfnTable(
            self,
            "Table",
            catalog_id=cdk.Aws.ACCOUNT_ID,
            database_name=config.database,
            name=self.name,
            open_table_format_input={
                "icebergInput": {
                    "metadataOperation": "CREATE",
                    "version": "2",  # Firehose writes no other
                    "icebergTableInput": {
                        "location": f"s3://{lake.bucket_name}/iceberg/{config.log_name}/",
                        "schema": {"type": "struct", "fields": _fields()},
                        "partitionSpec": {
                            "fields": [
                                {
                                    "sourceId": 1 + list(COLUMN_TYPES).index("ts"),
                                    "fieldId": 1000,
                                    "name": "ts_day",
                                    "transform": "day",
                                }
                            ]
                        },
                    },
                }
            },
        )
        self.table.node.add_dependency(database, lake)
        self._optimize()
        self.stream = self._deliver(source, transform)
        self.reader = iam.ManagedPolicy(
            self,
            "Reader",
            description=f"{config.name}: read the Iceberg table of item changes",
            statements=[
                self._catalog("glue:GetDatabase", "glue:GetTable", "glue:GetTables"),
                iam.PolicyStatement(sid="ReadFiles", actions=["s3:GetObject"], resources=[self._files]),
                iam.PolicyStatement(
                    sid="ListFiles",
                    actions=["s3:ListBucket"],
                    resources=[lake.bucket_arn],
                    conditions={"StringLike": {"s3:prefix": [f"iceberg/{config.log_name}/*"]}},
                ),
                iam.PolicyStatement(sid="FindBucket", actions=["s3:GetBucketLocation"], resources=[lake.bucket_arn]),
                bucket_key_use(self, key.key_arn, lake.bucket_arn, "Decrypt"),
            ],
        )

    @property
    def _files(self) -> str:
        return f"{self._lake.bucket_arn}/iceberg/{self._config.log_name}/*"

    def _catalog(self, *actions: str) -> iam.PolicyStatement:
        database = self._config.database
        return iam.PolicyStatement(
            sid="Table",
            actions=list(actions),
            resources=[
                cdk.Stack.of(self).format_arn(service="glue", resource=part)
                for part in ("catalog", f"database/{database}", f"table/{database}/{self.name}")
            ],
        )

    def _writing(self) -> Sequence[iam.PolicyStatement]:
        """Allow files of the table to be written and removed, and its newest metadata to be named in the catalog."""
        bucket = self._lake.bucket_arn
        return (
            iam.PolicyStatement(
                sid="WriteFiles",
                actions=["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"],
                resources=[self._files],
            ),
            iam.PolicyStatement(
                sid="Bucket",
                actions=["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"],
                resources=[bucket],
            ),
            self._catalog("glue:GetDatabase", "glue:GetTable", "glue:UpdateTable"),
            bucket_key_use(self, self._key.key_arn, bucket, "Decrypt", "GenerateDataKey"),
        )

    def _optimize(self) -> None:
        """Have Glue join small files, and remove snapshots and files that are no longer needed.

        https://docs.aws.amazon.com/glue/latest/dg/optimization-prerequisites.html
        """
        stack = cdk.Stack.of(self)
        role = iam.Role(
            self,
            "OptimizerRole",
            assumed_by=iam.ServicePrincipal("glue.amazonaws.com"),
            description=f"{self._config.name}: keeps the Iceberg table in order",
        )
        groups = [f"/aws-glue/iceberg-{kind.replace('_', '-')}/logs" for kind in _OPTIMIZERS]
        for statement in (
            *self._writing(),
            iam.PolicyStatement(
                sid="Log",
                actions=["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
                resources=[
                    stack.format_arn(
                        service="logs",
                        resource="log-group",
                        resource_name=f"{group}:*",
                        arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
                    )
                    for group in groups
                ],
            ),
        ):
            role.add_to_policy(statement)
        for kind, more in _OPTIMIZERS.items():
            optimizer = glue.CfnTableOptimizer(
                self,
                "".join(word.title() for word in kind.split("_")),
                catalog_id=cdk.Aws.ACCOUNT_ID,
                database_name=self._config.database,
                table_name=self.name,
                type=kind,
                table_optimizer_configuration={"enabled": True, "roleArn": role.role_arn, **more},
            )
            optimizer.node.add_dependency(self.table, role)

    def _deliver(self, source: kinesis.IStream, transform: lambda_.Function) -> firehose.CfnDeliveryStream:
        """Have a second Firehose stream append every change; what it cannot write goes to ``iceberg-errors/``.

        That is outside of the table's place, where a file nobody names is removed, and of ``errors/``, which the
        workbench reads as the log's own. Rights: "Grant Firehose access to an Apache Iceberg Tables destination",
        https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-iceberg
        """
        config, stack, bucket = self._config, cdk.Stack.of(self), self._lake.bucket_arn
        group = log_group(self, "Log", config, self._key)
        role = iam.Role(
            self,
            "DeliveryRole",
            description=f"{config.name}: Firehose appends changes to the Iceberg table",
            assumed_by=iam.ServicePrincipal(
                "firehose.amazonaws.com", conditions={"StringEquals": {"sts:ExternalId": stack.account}}
            ),
        )
        for statement in (
            reading(source),
            stream_key_use(self, self._key.key_arn, source.stream_arn),
            *self._writing(),
            iam.PolicyStatement(
                sid="WriteErrors",
                actions=["s3:AbortMultipartUpload", "s3:PutObject"],
                resources=[f"{bucket}/iceberg-errors/{config.log_name}/*"],
            ),
            *calling(transform),
            logging(stack, group),
        ):
            role.add_to_policy(statement)
        log = logs.LogStream(
            self,
            "DeliveryLog",
            log_group=group,
            log_stream_name="Delivery",
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        written = {"enabled": True, "logGroupName": group.log_group_name, "logStreamName": log.log_stream_name}
        # a commit a minute at most: each is a snapshot with its own files
        buffering = {"intervalInSeconds": max(60, config.buffer_seconds), "sizeInMBs": config.buffer_mb}
        stream = firehose.CfnDeliveryStream(
            self,
            "Delivery",
            delivery_stream_type="KinesisStreamAsSource",
            kinesis_stream_source_configuration={"kinesisStreamArn": source.stream_arn, "roleArn": role.role_arn},
            iceberg_destination_configuration=firehose.CfnDeliveryStream.IcebergDestinationConfigurationProperty(
                append_only=True,
                role_arn=role.role_arn,
                catalog_configuration={"catalogArn": stack.format_arn(service="glue", resource="catalog")},
                destination_table_configuration_list=[
                    {"destinationDatabaseName": config.database, "destinationTableName": self.name}
                ],
                buffering_hints=buffering,
                processing_configuration={"enabled": True, "processors": processors(transform, role)},
                retry_options={"durationInSeconds": 7200},  # the most there is
                s3_backup_mode="FailedDataOnly",
                s3_configuration=firehose.CfnDeliveryStream.S3DestinationConfigurationProperty(
                    bucket_arn=bucket,
                    role_arn=role.role_arn,
                    error_output_prefix=f"iceberg-errors/{config.log_name}/!{{firehose:error-output-type}}/{ARRIVAL}",
                    compression_format="GZIP",
                    buffering_hints={"intervalInSeconds": 300, "sizeInMBs": 5},
                    encryption_configuration={"kmsEncryptionConfig": {"awskmsKeyArn": self._key.key_arn}},
                    cloud_watch_logging_options=written,
                ),
                cloud_watch_logging_options=written,
            ),
        )
        stream.node.add_dependency(role, self.table)
        return stream


def _fields() -> list[dict[str, object]]:
    """Write the columns of a change in Iceberg's terms; Firehose takes a record's names and types as they are."""
    return [
        {"id": number, "name": name, "type": _TYPES.get(kind, kind), "required": False}
        for number, (name, kind) in enumerate(COLUMN_TYPES.items(), start=1)
    ]
