"""The customer-managed key everything is encrypted with, and the statements that allow its use through a service."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from infra_cdk.config import Config


def encryption_key(scope: Construct, config: Config, alias: str) -> kms.Key:
    """Make a key that rotates every year, with an alias, which CloudWatch Logs may use for the logs of this account."""
    stack = cdk.Stack.of(scope)
    key = kms.Key(
        scope,
        "Key",
        description=f"{config.name}: the changes of {config.what}",
        alias=alias,
        enable_key_rotation=True,
        removal_policy=removal(config),
        pending_window=cdk.Duration.days(7),
    )
    key.add_to_resource_policy(
        iam.PolicyStatement(
            sid="EncryptLogGroups",
            principals=[iam.ServicePrincipal(f"logs.{stack.region}.amazonaws.com")],
            actions=[
                "kms:Decrypt",
                "kms:DescribeKey",
                "kms:Encrypt",
                "kms:GenerateDataKey",
                "kms:GenerateDataKeyWithoutPlaintext",
                "kms:ReEncryptFrom",
                "kms:ReEncryptTo",
            ],
            resources=["*"],  # in a key's policy: this key
            conditions={
                "ArnLike": {
                    "kms:EncryptionContext:aws:logs:arn": stack.format_arn(
                        service="logs",
                        resource="log-group",
                        resource_name="*",
                        arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
                    )
                }
            },
        )
    )
    return key


def removal(config: Config) -> cdk.RemovalPolicy:
    """Say what becomes of what holds data when the stack goes."""
    return cdk.RemovalPolicy.RETAIN if config.keep else cdk.RemovalPolicy.DESTROY


def bucket_key_use(
    scope: Construct, key_arn: str, bucket_arn: str, *actions: str, sid: str = "KeyOfBucket"
) -> iam.PolicyStatement:
    """Allow the use of a key by S3 on behalf of who reads or writes a bucket's objects.

    With a bucket key S3 names the bucket in the encryption context, without one the object.
    """
    return iam.PolicyStatement(
        sid=sid,
        actions=[f"kms:{action}" for action in actions],
        resources=[key_arn],
        conditions={
            "StringEquals": {"kms:ViaService": _via(scope, "s3")},
            "StringLike": {"kms:EncryptionContext:aws:s3:arn": [bucket_arn, f"{bucket_arn}/*"]},
        },
    )


def stream_key_use(scope: Construct, key_arn: str, stream_arn: str) -> iam.PolicyStatement:
    """Allow the decryption of a Kinesis stream's records by who reads them."""
    return iam.PolicyStatement(
        sid="KeyOfStream",
        actions=["kms:Decrypt"],
        resources=[key_arn],
        conditions={
            "StringEquals": {
                "kms:ViaService": _via(scope, "kinesis"),
                "kms:EncryptionContext:aws:kinesis:arn": stream_arn,
            }
        },
    )


def table_key_use(scope: Construct, key_arn: str) -> iam.PolicyStatement:
    """Allow the use of a key by DynamoDB on behalf of who reads or writes items."""
    return iam.PolicyStatement(
        sid="KeyOfTable",
        resources=[key_arn],
        conditions={"StringEquals": {"kms:ViaService": _via(scope, "dynamodb")}},
        actions=[
            "kms:Decrypt",
            "kms:DescribeKey",
            "kms:Encrypt",
            "kms:GenerateDataKey",
            "kms:ReEncryptFrom",
            "kms:ReEncryptTo",
        ],
    )


def _via(scope: Construct, service: str) -> str:
    return f"{service}.{cdk.Stack.of(scope).region}.amazonaws.com"
