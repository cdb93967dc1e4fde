"""What changes are captured from: the DynamoDB table, and the Kinesis stream they go to."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_kinesisfirehose as firehose
from aws_cdk import aws_kms as kms
from aws_cdk import custom_resources as custom
from constructs import Construct, IConstruct

from infra_cdk.config import Config
from infra_cdk.stacks.encryption import removal
from infra_cdk.stacks.functions import sdk_calls
from workbench.sandbox.datasets import DATASETS

_TYPES = {"S": dynamodb.AttributeType.STRING, "N": dynamodb.AttributeType.NUMBER, "B": dynamodb.AttributeType.BINARY}


class Source(Construct):
    """`stream`, and `table`: a new one, or an existing one whose changes are made to go to the stream too.

    A stream that others share is given. Of several tables, `config.logs` have one each, and `config` has none.

    Where `config.streams` is false there is no stream: what reads the changes takes them from DynamoDB's own.
    """

    def __init__(
        self, scope: Construct, id: str, *, config: Config, key: kms.IKey, stream: kinesis.Stream | None = None
    ) -> None:
        super().__init__(scope, id)
        self._stream = stream or (self._kinesis(config, key) if config.streams else None)
        self._table: dynamodb.ITable | None = None
        if not config.several:
            self._table = self._existing(config) if config.table else self._new(config, key)
        self._begins: IConstruct | None = self._table
        if config.table and self._stream:
            self._begins = self._capture(config, key, self._stream)

    @property
    def table(self) -> dynamodb.ITable:
        """The DynamoDB table."""
        assert self._table, "config.several is true"
        return self._table

    @property
    def stream(self) -> kinesis.Stream:
        """The Kinesis stream."""
        assert self._stream, "config.streams is false"
        return self._stream

    def begin_after(self, delivery: firehose.CfnDeliveryStream) -> None:
        """Send no change to the stream before Firehose reads it: of what is there by then it reads nothing (LATEST).

        https://docs.aws.amazon.com/firehose/latest/dev/writing-with-kinesis-streams.html
        """
        assert self._begins, "config.several is true"
        self._begins.node.add_dependency(delivery)

    def _kinesis(self, config: Config, key: kms.IKey) -> kinesis.Stream:
        on_demand = not config.stream_shards
        return kinesis.Stream(
            self,
            "Stream",
            encryption=kinesis.StreamEncryption.KMS,
            encryption_key=key,
            stream_mode=kinesis.StreamMode.ON_DEMAND if on_demand else kinesis.StreamMode.PROVISIONED,
            shard_count=None if on_demand else config.stream_shards,
            retention_period=cdk.Duration.hours(config.stream_retention_hours),
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )

    def _new(self, config: Config, key: kms.IKey) -> dynamodb.ITable:
        partition, *sort = [dynamodb.Attribute(name=name, type=_TYPES[kind]) for name, kind in _keys(config)]
        return dynamodb.Table(
            self,
            "Table",
            partition_key=partition,
            sort_key=sort[0] if sort else None,
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            time_to_live_attribute=config.ttl_attribute or None,
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
            encryption_key=key,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=config.keep,
            removal_policy=removal(config),
            kinesis_stream=self._stream,
            stream=dynamodb.StreamViewType.NEW_IMAGE if config.search == "lambda" else None,
            kinesis_precision_timestamp=dynamodb.ApproximateCreationDateTimePrecision.MICROSECOND
            if self._stream
            else None,
        )

    def _existing(self, config: Config) -> dynamodb.ITable:
        arn = (
            config.table
            if config.table.startswith("arn:")
            else cdk.Stack.of(self).format_arn(service="dynamodb", resource="table", resource_name=config.table)
        )
        return dynamodb.Table.from_table_attributes(
            self,
            "Table",
            table_arn=arn,
            table_stream_arn=config.table_stream or None,
            encryption_key=kms.Key.from_key_arn(self, "TableKey", config.table_key) if config.table_key else None,
        )

    def _capture(self, config: Config, key: kms.IKey, stream: kinesis.Stream) -> Construct:
        """Send the changes of a table that another stack, or nobody, manages to the stream.

        CloudFormation can say so of a table it makes only; for others there are two calls of DynamoDB's API.
        """
        stack, table = cdk.Stack.of(self), self.table
        call = custom.AwsSdkCall(
            service="DynamoDB",
            action="enableKinesisStreamingDestination",
            parameters={
                "TableName": table.table_name,
                "StreamArn": stream.stream_arn,
                "EnableKinesisStreamingConfiguration": {"ApproximateCreationDateTimePrecision": "MICROSECOND"},
            },
            physical_resource_id=custom.PhysicalResourceId.of(f"{table.table_name} {stream.stream_name}"),
        )
        role = "AWSServiceRoleForDynamoDBKinesisDataStreamsReplication"
        service = "kinesisreplication.dynamodb.amazonaws.com"
        policy = custom.AwsCustomResourcePolicy.from_statements(
            [
                iam.PolicyStatement(
                    actions=[
                        "dynamodb:DescribeKinesisStreamingDestination",
                        "dynamodb:DisableKinesisStreamingDestination",
                        "dynamodb:EnableKinesisStreamingDestination",
                    ],
                    resources=[table.table_arn],
                ),
                iam.PolicyStatement(
                    actions=["kinesis:DescribeStream", "kinesis:PutRecord", "kinesis:PutRecords"],
                    resources=[stream.stream_arn],
                ),
                iam.PolicyStatement(
                    actions=["iam:CreateServiceLinkedRole"],
                    resources=[
                        stack.format_arn(
                            service="iam",
                            region="",
                            resource="role",
                            resource_name=f"aws-service-role/{service}/{role}",
                        )
                    ],
                    conditions={"StringEquals": {"iam:AWSServiceName": service}},
                ),
            ]
        )
        return sdk_calls(
            self,
            "Capture",
            config=config,
            key=key,
            resource_type="Custom::KinesisStreamingDestination",
            on_update=call,
            policy=policy,
            on_delete=custom.AwsSdkCall(
                service="DynamoDB",
                action="disableKinesisStreamingDestination",
                parameters={"TableName": table.table_name, "StreamArn": stream.stream_arn},
                ignore_error_codes_matching="ResourceNotFoundException|ValidationException",
            ),
        )


def _keys(config: Config) -> list[tuple[str, str]]:
    if not config.generator:
        return config.keys
    keys: dict[str, str] = DATASETS[config.generator].key  # type: ignore[attr-defined]
    return list(keys.items())
