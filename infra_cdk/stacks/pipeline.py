"""The stacks: which pieces each has, and how they are put together. Optional parts are added here."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_glue as glue
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra_cdk.config import Config
from infra_cdk.stacks.athena import Athena
from infra_cdk.stacks.catalog import Catalog, explicit_table
from infra_cdk.stacks.cross_account import Names, let_producer_write, shared_lake
from infra_cdk.stacks.delivery import Delivery, Destination
from infra_cdk.stacks.encryption import bucket_key_use, encryption_key
from infra_cdk.stacks.generator import generator_function
from infra_cdk.stacks.source import Source
from infra_cdk.stacks.storage import Storage
from infra_cdk.stacks.transform import transform_function


class Pipeline(cdk.Stack):
    """All of it in one account: `key`, `source`, `transform`, `storage`, `catalog`, `delivery`, `athena`."""

    def __init__(self, scope: Construct, id: str, *, config: Config, **more: Any) -> None:
        super().__init__(scope, id, description=f"The log of item changes of {config.table or config.log_name}", **more)
        self.config = config
        self.key = encryption_key(self, config, alias=f"{config.slug}/log")
        self.source = Source(self, "Source", config=config, key=self.key)
        self.transform = transform_function(self, config, self.key)
        self.generator = generator_function(self, config, self.source, self.key)
        self.storage = Storage(self, "Storage", config=config, key=self.key)
        self.catalog = lake_catalog(self, config, self.storage, self.key)
        bucket = self.storage.lake.bucket_arn
        self.delivery = Delivery(
            self, "Delivery", config=config, source=self.source.stream, key=self.key, transform=self.transform,
            schema=schema_table(self, config, self.storage.lake.bucket_name, self.catalog),
            destination=Destination(bucket_arn=bucket, key_arn=self.key.key_arn, key_use=bucket_key_use(
                self, self.key.key_arn, bucket, "Decrypt", "GenerateDataKey")),
        )  # fmt: skip
        self.athena = Athena(self, "Athena", config=config, key=self.key, storage=self.storage, catalog=self.catalog)
        tell_source(self, self.source, self.delivery, self.generator)
        tell_lake(self, self.storage, self.athena, config)


class Producer(cdk.Stack):
    """Account A of two: the table, its stream, Firehose and the function. Writes into the `Consumer`'s bucket."""

    def __init__(self, scope: Construct, id: str, *, config: Config, **more: Any) -> None:
        super().__init__(scope, id, description=f"Captures the changes of {config.table or config.log_name}", **more)
        names = Names(config)
        self.config = config
        self.key = encryption_key(self, config, alias=f"{config.slug}/stream")
        self.source = Source(self, "Source", config=config, key=self.key)
        self.transform = transform_function(self, config, self.key)
        self.generator = generator_function(self, config, self.source, self.key)
        self.delivery = Delivery(
            self, "Delivery", config=config, source=self.source.stream, key=self.key, transform=self.transform,
            schema=schema_table(self, config, names.bucket, None), role_name=names.role,
            destination=shared_lake(self, names),
        )  # fmt: skip
        tell_source(self, self.source, self.delivery, self.generator)


class Consumer(cdk.Stack):
    """Account B of two: the bucket and its key, the catalog and the workgroup."""

    def __init__(self, scope: Construct, id: str, *, config: Config, **more: Any) -> None:
        super().__init__(scope, id, description=f"Keeps the log of item changes of {config.log_name}", **more)
        names = Names(config)
        self.config = config
        self.key = encryption_key(self, config, alias=names.alias)
        self.storage = Storage(self, "Storage", config=config, key=self.key, lake_name=names.bucket)
        let_producer_write(self, names, self.storage.lake, self.key)
        self.catalog = lake_catalog(self, config, self.storage, self.key)
        self.athena = Athena(self, "Athena", config=config, key=self.key, storage=self.storage, catalog=self.catalog)
        tell_lake(self, self.storage, self.athena, config)


def lake_catalog(stack: cdk.Stack, config: Config, storage: Storage, key: kms.IKey) -> Catalog:
    """Make the catalog over a lake."""
    catalog = Catalog(stack, "Catalog", config=config, bucket_name=storage.lake.bucket_name)
    if config.catalog != "table":
        catalog.crawl(bucket_arn=storage.lake.bucket_arn, bucket_name=storage.lake.bucket_name, key=key)
    return catalog


def schema_table(stack: cdk.Stack, config: Config, bucket_name: str, catalog: Catalog | None,
                 ) -> glue.CfnTable | None:  # fmt: skip
    """Return the table whose columns Firehose converts to, where it converts; it reads its own account's only."""
    if config.format != "parquet":
        return None
    if catalog is not None and catalog.table is not None:
        return catalog.table
    catalog = catalog or Catalog(stack, "Catalog", config=config, bucket_name=bucket_name)
    return catalog.table or explicit_table(catalog, catalog.database, config, bucket_name)


def tell_source(stack: cdk.Stack, source: Source, delivery: Delivery, generator: lambda_.Function | None) -> None:
    """Output what captures the changes."""
    cdk.CfnOutput(stack, "TableName", value=source.table.table_name, description="DynamoDB table")
    cdk.CfnOutput(stack, "StreamName", value=source.stream.stream_name, description="Kinesis stream")
    cdk.CfnOutput(stack, "DeliveryName", value=delivery.name, description="Firehose stream")
    if generator is not None:
        cdk.CfnOutput(stack, "GeneratorName", value=generator.function_name, description="Function that writes items")


def tell_lake(stack: cdk.Stack, storage: Storage, athena: Athena, config: Config) -> None:
    """Output what workbench.toml is told."""
    cdk.CfnOutput(stack, "LakeBucket", value=storage.lake.bucket_name, description="Bucket of the log")
    cdk.CfnOutput(stack, "Database", value=config.database, description="database = … in workbench.toml")
    cdk.CfnOutput(stack, "WorkGroup", value=athena.workgroup.name, description="workgroup = … in workbench.toml")
    cdk.CfnOutput(stack, "AnalystPolicy", value=athena.analyst.managed_policy_arn,
                  description="Attach to the roles of those who ask the log")  # fmt: skip
