"""The buckets: the lake with the change log, its checkpoints and compacted days, the access logs, Athena's results."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra_cdk.config import Config
from infra_cdk.stacks.encryption import removal

ARCHIVED = {"workbench-archive": "compacted"}
"""The tag that `workbench compact --archive` gives to objects whose day is compacted."""
_ARCHIVED_AFTER = 7  # days: a day that late objects make new in its first week is read where it is cheap


class Storage(Construct):
    """`lake` (data/, errors/, checkpoints/ and compacted/), and the `access_logs` of all buckets.

    `encrypted` is what buckets here have in common: the key, and where their access logs go.
    """

    def __init__(
        self, scope: Construct, id: str, *, config: Config, key: kms.IKey, lake_name: str | None = None
    ) -> None:
        super().__init__(scope, id)
        self.access_logs = private_bucket(
            self,
            "AccessLogs",
            config,
            encryption=s3.BucketEncryption.S3_MANAGED,  # log delivery cannot use a CMK
            lifecycle_rules=[tidy(config, expiration=cdk.Duration.days(365))],
        )
        self.encrypted: dict[str, Any] = {
            "encryption": s3.BucketEncryption.KMS,
            "encryption_key": key,
            "bucket_key_enabled": True,
            "server_access_logs_bucket": self.access_logs,
        }
        self._config = config
        self.lake = private_bucket(
            self,
            "Lake",
            config,
            bucket_name=lake_name,
            server_access_logs_prefix="lake/",
            **self.encrypted,
            lifecycle_rules=[tidy(config)] if config.search_only else [tidy(config), *_log_rules(config)],
        )

    @property
    def checkpoints(self) -> str:
        """Where checkpoints are kept: outside of data/, where neither the log's table nor a crawler sees them."""
        return f"s3://{self.lake.bucket_name}/checkpoints/"

    @property
    def compacted(self) -> str:
        """Where compacted days are kept, outside of data/ too."""
        return f"s3://{self.lake.bucket_name}/compacted/"

    def add_results(self) -> s3.Bucket:
        """Add the bucket of Athena's results, and of baselines that are staged for a session and removed after it.

        Both can be made again: what is removed of them, or left half-written, goes the next day.
        """
        return private_bucket(
            self,
            "Results",
            self._config,
            server_access_logs_prefix="results/",
            **self.encrypted,
            lifecycle_rules=[
                tidy(self._config, expiration=cdk.Duration.days(self._config.results_days), gone=cdk.Duration.days(1))
            ],
        )


def _log_rules(config: Config) -> list[s3.LifecycleRule]:
    """Say what becomes of the log with time, and of checkpoints and compacted days that were replaced.

    They are removed by who makes newer ones, not by their age: they are used however old they are. What is removed
    can be made again from the log, so its versions go the next day; the shorter of two rules holds:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-conflicts.html
    """
    rules = [
        s3.LifecycleRule(
            id=made,
            prefix=f"{made}/",
            expired_object_delete_marker=True,
            noncurrent_version_expiration=cdk.Duration.days(1),
        )
        for made in ("checkpoints", "compacted", *(["iceberg"] if config.iceberg else []))
    ]
    if config.archive != "none":
        # S3 leaves objects of less than 128 KB where they are: moving one costs more than it saves.
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-transition-general-considerations.html
        rules.append(
            s3.LifecycleRule(
                id="archive-compacted",
                prefix="data/",
                tag_filters=ARCHIVED,
                transitions=[
                    s3.Transition(
                        storage_class=s3.StorageClass(config.archive),
                        transition_after=cdk.Duration.days(_ARCHIVED_AFTER),
                    )
                ],
            )
        )
    if config.archive_days:
        after = cdk.Duration.days(max(30, config.archive_days))
        rules.append(
            s3.LifecycleRule(
                id="archive",
                prefix="data/",
                transitions=[s3.Transition(storage_class=s3.StorageClass.INFREQUENT_ACCESS, transition_after=after)],
            )
        )
    return rules


def private_bucket(scope: Construct, id: str, config: Config, **more: Any) -> s3.Bucket:
    """Make a bucket that is versioned, closed to the public, and reached by TLS alone.

    Where buckets are emptied and deleted with the stack their accesses are not logged: logs come up to hours later, and
    the bucket they fill again cannot be deleted (https://github.com/aws/aws-cdk/issues/16332,
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerLogs.html#LogDeliveryBestEffort). The bucket they would
    go to is there all the same, so that one that was filled before is deleted with the others.
    """
    if not config.keep:
        more = {name: value for name, value in more.items() if not name.startswith("server_access_logs_")}
    return s3.Bucket(
        scope,
        id,
        versioned=True,
        enforce_ssl=True,
        minimum_tls_version=1.2,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        removal_policy=removal(config),
        auto_delete_objects=not config.keep,
        **more,
    )


def tidy(config: Config, expiration: cdk.Duration | None = None, gone: cdk.Duration | None = None) -> s3.LifecycleRule:
    """Remove what is left over: parts of uploads, and versions that are no longer current, both after `gone`."""
    return s3.LifecycleRule(
        id="tidy",
        expiration=expiration,
        abort_incomplete_multipart_upload_after=gone or cdk.Duration.days(7),
        noncurrent_version_expiration=gone or cdk.Duration.days(config.noncurrent_days),
    )
