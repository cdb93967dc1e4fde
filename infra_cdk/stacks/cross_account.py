"""Two accounts: the names both stacks know, so that either can be deployed first, and what one lets the other do."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra_cdk.config import Config
from infra_cdk.stacks.delivery import Destination


class Names:
    """The fixed names: Firehose's `role` in account A, the `bucket` and its key's `alias` in account B."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.role = f"{config.slug}-delivery-{config.region}"
        self.bucket = config.shared_bucket
        self.alias = f"{config.slug}/log"

    @property
    def role_arn(self) -> str:
        """ARN of Firehose's role, which need not be there yet."""
        return f"arn:{cdk.Aws.PARTITION}:iam::{self.config.producer_account}:role/{self.role}"


def shared_lake(scope: Construct, names: Names) -> Destination:
    """Describe the other account's bucket as a destination.

    Which key it has, its default encryption says; here the key is known by its alias alone, which it may not have yet.
    """
    config, stack = names.config, cdk.Stack.of(scope)
    bucket = f"arn:{cdk.Aws.PARTITION}:s3:::{names.bucket}"
    keys = stack.format_arn(service="kms", account=config.consumer_account, resource="key", resource_name="*")
    return Destination(
        bucket_arn=bucket,
        key_use=iam.PolicyStatement(
            sid="KeyOfBucket",
            actions=["kms:Decrypt", "kms:GenerateDataKey"],
            resources=[keys],
            conditions={
                "ForAnyValue:StringEquals": {"kms:ResourceAliases": f"alias/{names.alias}"},
                "StringEquals": {"kms:ViaService": f"s3.{config.region}.amazonaws.com"},
                "StringLike": {"kms:EncryptionContext:aws:s3:arn": [bucket, f"{bucket}/*"]},
            },
        ),
    )


def let_producer_write(scope: Construct, names: Names, bucket: s3.Bucket, key: kms.Key) -> None:
    """Let Firehose's role of the other account write objects, which are this account's own.

    The account is named as the principal, and the role as a condition: a policy that names a role which is not there
    yet is refused, and one that named a role which was deleted would not know it again.
    """
    config, log = names.config, names.config.any_log
    account = iam.AccountPrincipal(config.producer_account)
    role = {"ArnEquals": {"aws:PrincipalArn": names.role_arn}}
    bucket.add_to_resource_policy(
        iam.PolicyStatement(
            sid="ProducerWrites",
            principals=[account],
            conditions=role,
            actions=["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject", "s3:PutObjectAcl"],
            resources=[bucket.arn_for_objects(f"{kind}/{log}/*") for kind in ("data", "errors")],
        )
    )
    bucket.add_to_resource_policy(
        iam.PolicyStatement(
            sid="ProducerLooks",
            principals=[account],
            conditions=role,
            resources=[bucket.bucket_arn],
            actions=["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"],
        )
    )
    key.add_to_resource_policy(
        iam.PolicyStatement(
            sid="ProducerEncrypts",
            principals=[account],
            actions=["kms:Decrypt", "kms:GenerateDataKey"],
            resources=["*"],
            conditions=role | {"StringEquals": {"kms:ViaService": f"s3.{config.region}.amazonaws.com"}},
        )
    )
