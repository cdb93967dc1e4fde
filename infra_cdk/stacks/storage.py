"""The buckets: the lake with the change log, the access logs, and Athena's results."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra_cdk.config import Config
from infra_cdk.stacks.encryption import removal


class Storage(Construct):
    """`lake` (data/ and errors/), `results` of queries, and `access_logs` of both.

    `encrypted` is what buckets here have in common: the key, and where their access logs go.
    """

    def __init__(self, scope: Construct, id: str, *, config: Config, key: kms.IKey, lake_name: str | None = None,
                 ) -> None:  # fmt: skip
        super().__init__(scope, id)
        self.access_logs = private_bucket(
            self, "AccessLogs", config, encryption=s3.BucketEncryption.S3_MANAGED,  # log delivery cannot use a CMK
            lifecycle_rules=[tidy(config, expiration=cdk.Duration.days(365))],
        )  # fmt: skip
        self.encrypted: dict[str, Any] = {
            "encryption": s3.BucketEncryption.KMS, "encryption_key": key, "bucket_key_enabled": True,
            "server_access_logs_bucket": self.access_logs,
        }  # fmt: skip
        archive = [s3.Transition(storage_class=s3.StorageClass.INFREQUENT_ACCESS,
                                 transition_after=cdk.Duration.days(max(30, config.archive_days)))]  # fmt: skip
        rules = [tidy(config)]
        if config.archive_days:
            rules.append(s3.LifecycleRule(id="archive", prefix="data/", transitions=archive))
        self.lake = private_bucket(self, "Lake", config, bucket_name=lake_name, server_access_logs_prefix="lake/",
                                 lifecycle_rules=rules, **self.encrypted)  # fmt: skip
        self.results = private_bucket(
            self, "Results", config, server_access_logs_prefix="results/", **self.encrypted,
            lifecycle_rules=[tidy(config, expiration=cdk.Duration.days(config.results_days))],
        )  # fmt: skip


def private_bucket(scope: Construct, id: str, config: Config, **more: Any) -> s3.Bucket:
    """Make a bucket that is versioned, closed to the public, and reached by TLS alone."""
    return s3.Bucket(
        scope, id, versioned=True, enforce_ssl=True, minimum_tls_version=1.2,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        removal_policy=removal(config), auto_delete_objects=not config.keep, **more,
    )  # fmt: skip


def tidy(config: Config, expiration: cdk.Duration | None = None) -> s3.LifecycleRule:
    """Remove what is left over: parts of uploads, and versions that are no longer current."""
    return s3.LifecycleRule(
        id="tidy", expiration=expiration, abort_incomplete_multipart_upload_after=cdk.Duration.days(7),
        noncurrent_version_expiration=cdk.Duration.days(config.noncurrent_days),
    )  # fmt: skip
