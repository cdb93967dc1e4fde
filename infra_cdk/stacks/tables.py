"""Several tables in one deployment: what each of them has of its own, in a nested stack named after its log.

CloudFormation takes 500 resources a stack, and twenty tables have more than that; a nested stack also lets a table come
or go without a change to what the others have.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
"""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_glue as glue
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra_cdk.config import Config
from infra_cdk.stacks.athena import Athena, name_queries
from infra_cdk.stacks.catalog import Catalog, explicit_table
from infra_cdk.stacks.delivery import Delivery, Destination
from infra_cdk.stacks.governance import export_policies, undo_policy
from infra_cdk.stacks.reports import Reports
from infra_cdk.stacks.source import Source
from infra_cdk.stacks.watch import Watch


class OneTable(cdk.NestedStack):
    """One of several tables: `capture` and `ask` add what it has, in one account to the same stack, or in one each.

    Parameters
    ----------
    config
        One of `Config.logs` of several tables.
    """

    def __init__(self, scope: Construct, *, config: Config) -> None:
        super().__init__(scope, f"Log-{config.log_name}", description=f"{config.name}: the changes of {config.table}")
        self.config = config
        self.table: glue.CfnTable | None = None
        self._watched: Construct | None = None

    def ask(
        self, *, catalog: Catalog, bucket_name: str, athena: Athena, reports: Reports | None, watch: Watch | None
    ) -> None:
        """Add the table in Glue, the named queries, and what runs on a schedule."""
        if self.config.catalog != "crawler":
            self.table = explicit_table(self, catalog.database, self.config, bucket_name)
        name_queries(Construct(self, "Queries"), self.config, athena.workgroup, catalog)
        if reports is not None:
            reports.schedule_each(self, self.config)
            if watch is not None:
                watch.compaction(self._alarms, self.config)

    def capture(
        self, *, key: kms.IKey, watch: Watch | None, stream: kinesis.Stream | None, delivery: Delivery | None
    ) -> Source:
        """Send the table's changes to the stream that all share, or to one of its own, and watch that they get there.

        A policy for whoever applies undos is for this one table.
        """
        source = Source(self, "Source", config=self.config, key=key, stream=stream)
        if delivery is not None:
            source.begin_after(delivery.stream)
        if self.config.undo:
            self._tell("UndoPolicy", undo_policy(self.config, key, source), "Who applies undos")
        if watch is not None:
            watch.table(self._alarms, source.table.table_name)
            if stream is None:
                watch.stream(self._alarms, source.stream)
        return source

    def deliver(
        self,
        *,
        source: Source,
        key: kms.IKey,
        watch: Watch | None,
        transform: lambda_.Function | None,
        destination: Destination,
        bucket_name: str,
        database: glue.CfnDatabase,
    ) -> None:
        """Add a Firehose stream of its own, which converts to the columns of its table in Glue where it converts."""
        schema = None
        if self.config.format == "parquet":
            schema = self.table or explicit_table(self, database, self.config, bucket_name)
        delivery = Delivery(
            self,
            "Delivery",
            config=self.config,
            source=source.stream,
            key=key,
            transform=transform,
            schema=schema,
            destination=destination,
        )
        source.begin_after(delivery.stream)
        if watch is not None:
            watch.delivery(delivery, self._alarms)

    def export(self, *, source: Source, key: kms.IKey, lake: s3.IBucket) -> None:
        """Add the policies of who has the table exported, and of who reads that."""
        exporter, reader = export_policies(self, self.config, key, source.table, lake)
        self._tell("ExportPolicy", exporter, "Who exports baselines")
        self._tell("ExportReaderPolicy", reader, "Who reads baselines")

    @property
    def _alarms(self) -> Construct:
        self._watched = self._watched or Construct(self, "Watch")
        return self._watched

    def _tell(self, id: str, policy: iam.ManagedPolicy, description: str) -> None:
        cdk.CfnOutput(self, id, value=policy.managed_policy_arn, description=description)
