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
from infra_cdk.stacks.governance import LakeFormation, export_policies, replicate, undo_policy
from infra_cdk.stacks.iceberg import Iceberg
from infra_cdk.stacks.network import Network
from infra_cdk.stacks.reports import Reports
from infra_cdk.stacks.search import Search
from infra_cdk.stacks.source import Source
from infra_cdk.stacks.storage import Storage
from infra_cdk.stacks.tables import OneTable
from infra_cdk.stacks.transform import transform_function, writing_function
from infra_cdk.stacks.watch import Watch
from workbench.aws.table_definitions import table_input


class Pipeline(cdk.Stack):
    """All of it in one account, a part a line; the optional ones are None where they are not asked for."""

    def __init__(self, scope: Construct, id: str, *, config: Config, **more: Any) -> None:
        super().__init__(scope, id, description=f"The log of item changes of {config.table or config.what}", **more)
        self.config = config
        self.key = encryption_key(self, config, alias=f"{config.slug}/log")
        self.network = private_network(self, config, self.key)
        self.source = Source(self, "Source", config=config, key=self.key)
        self.transform = transform_function(self, config, self.key, self.network)
        self.generator = generator_function(self, config, self.source, self.key, self.network)
        self.storage = Storage(self, "Storage", config=config, key=self.key)
        self.catalog = lake_catalog(self, config, self.storage, self.key)
        lake = own_lake(self, self.storage, self.key)
        self.delivery = Delivery(
            self,
            "Delivery",
            config=config,
            source=self.source.stream,
            key=self.key,
            transform=self.transform,
            schema=schema_table(self, config, self.storage.lake.bucket_name, self.catalog),
            destination=lake,
        )
        self.source.begin_after(self.delivery.stream)
        self.athena = Athena(self, "Athena", config=config, key=self.key, storage=self.storage, catalog=self.catalog)
        self.search = (
            None
            if config.search == "none"
            else Search(
                self, "Search", config=config, key=self.key, source=self.source, destination=lake, network=self.network
            )
        )
        self.iceberg = (
            second_delivery(self, config, self.key, self.source, self.storage, self.catalog, self.network)
            if config.iceberg
            else None
        )
        if self.iceberg:
            self.source.begin_after(self.iceberg.stream)
        if config.exports:
            exporter, reader = export_policies(self, config, self.key, self.source.table, self.storage.lake)
            cdk.CfnOutput(self, "ExportPolicy", value=exporter.managed_policy_arn, description="Who exports baselines")
            cdk.CfnOutput(
                self, "ExportReaderPolicy", value=reader.managed_policy_arn, description="Who reads baselines"
            )
        self.reports = govern(
            self, config, self.storage, self.catalog, self.athena, self.key, self.network, self.delivery
        )
        self.watch = Watch(self, "Watch", config=config, key=self.key) if config.alarms else None
        if self.watch:
            watch_source(self.watch, self.source, self.delivery, self.transform, self.generator, self.storage)
            watch_lake(self.watch, self.reports)
            if self.search:
                self.watch.search(self.search, self.storage.lake)
            if self.iceberg:
                self.watch.iceberg(self.iceberg, self.storage.lake)
        let_undo(self, config, self.key, self.source)
        tell_source(self, self.source, self.delivery, self.generator)
        tell_lake(self, self.storage, self.athena, config)


class TablesPipeline(cdk.Stack):
    """`Pipeline` for several tables: what they share is here, and `tables` has a nested stack for each.

    Where they share a stream, `source` and `delivery` are here too; otherwise they are None.
    """

    def __init__(self, scope: Construct, id: str, *, config: Config, **more: Any) -> None:
        super().__init__(scope, id, description="The logs of item changes of several tables", **more)
        self.config = config
        self.key = encryption_key(self, config, alias=f"{config.slug}/log")
        self.network = private_network(self, config, self.key)
        self.source = Source(self, "Source", config=config, key=self.key) if config.shared else None
        self.transform = transform_function(self, config, self.key, self.network)
        self.storage = Storage(self, "Storage", config=config, key=self.key)
        bucket_name = self.storage.lake.bucket_name
        self.catalog = lake_catalog(self, config, self.storage, self.key)
        lake = own_lake(self, self.storage, self.key)
        self.delivery: Delivery | None = None
        if self.source is not None:
            self.delivery = Delivery(
                self,
                "Delivery",
                config=config,
                source=self.source.stream,
                key=self.key,
                transform=self.transform,
                schema=shared_schema(self, config, bucket_name),
                destination=lake,
            )
        self.athena = Athena(self, "Athena", config=config, key=self.key, storage=self.storage, catalog=self.catalog)
        self.reports = govern(
            self, config, self.storage, self.catalog, self.athena, self.key, self.network, self.delivery
        )
        self.watch = Watch(self, "Watch", config=config, key=self.key) if config.alarms else None
        if self.watch:
            watch_tables(self.watch, self.source, self.delivery, self.transform)
            self.watch.errors(self.storage.lake)
            watch_lake(self.watch, self.reports)
        self.tables: dict[str, OneTable] = {}
        for one in config.logs:
            table = self.tables[one.log_name] = OneTable(self, config=one)
            table.ask(
                catalog=self.catalog,
                bucket_name=bucket_name,
                athena=self.athena,
                reports=self.reports,
                watch=self.watch,
            )
            source = table.capture(
                key=self.key,
                watch=self.watch,
                stream=self.source.stream if self.source else None,
                delivery=self.delivery,
            )
            if self.delivery is None:
                table.deliver(
                    source=source,
                    key=self.key,
                    watch=self.watch,
                    transform=self.transform,
                    destination=lake,
                    bucket_name=bucket_name,
                    database=self.catalog.database,
                )
            if config.exports:
                table.export(source=source, key=self.key, lake=self.storage.lake)
        if self.source and self.delivery:
            tell_stream(self, self.source, self.delivery)
        tell_lake(self, self.storage, self.athena, config)


class TablesProducer(cdk.Stack):
    """`Producer` for several tables, which share a stream: a nested stack each of `tables`."""

    def __init__(self, scope: Construct, id: str, *, config: Config, **more: Any) -> None:
        super().__init__(scope, id, description="Captures the changes of several tables", **more)
        names = Names(config)
        self.config = config
        self.key = encryption_key(self, config, alias=f"{config.slug}/stream")
        self.network = private_network(self, config, self.key)
        self.source = Source(self, "Source", config=config, key=self.key)
        self.transform = transform_function(self, config, self.key, self.network)
        self.delivery = Delivery(
            self,
            "Delivery",
            config=config,
            source=self.source.stream,
            key=self.key,
            transform=self.transform,
            schema=shared_schema(self, config, names.bucket),
            role_name=names.role,
            destination=shared_lake(self, names),
        )
        self.watch = Watch(self, "Watch", config=config, key=self.key) if config.alarms else None
        if self.watch:
            watch_tables(self.watch, self.source, self.delivery, self.transform)
        self.tables: dict[str, OneTable] = {}
        for one in config.logs:
            table = self.tables[one.log_name] = OneTable(self, config=one)
            table.capture(key=self.key, watch=self.watch, stream=self.source.stream, delivery=self.delivery)
        tell_stream(self, self.source, self.delivery)


class Producer(cdk.Stack):
    """Account A of two: the table, its stream, Firehose and the function. Writes into the `Consumer`'s bucket."""

    def __init__(self, scope: Construct, id: str, *, config: Config, **more: Any) -> None:
        super().__init__(scope, id, description=f"Captures the changes of {config.table or config.what}", **more)
        names = Names(config)
        self.config = config
        self.key = encryption_key(self, config, alias=f"{config.slug}/stream")
        self.network = private_network(self, config, self.key)
        self.source = Source(self, "Source", config=config, key=self.key)
        self.transform = transform_function(self, config, self.key, self.network)
        self.generator = generator_function(self, config, self.source, self.key, self.network)
        self.delivery = Delivery(
            self,
            "Delivery",
            config=config,
            source=self.source.stream,
            key=self.key,
            transform=self.transform,
            schema=schema_table(self, config, names.bucket, None),
            role_name=names.role,
            destination=shared_lake(self, names),
        )
        self.source.begin_after(self.delivery.stream)
        self.watch = Watch(self, "Watch", config=config, key=self.key) if config.alarms else None
        if self.watch:
            watch_source(self.watch, self.source, self.delivery, self.transform, self.generator)
        let_undo(self, config, self.key, self.source)
        tell_source(self, self.source, self.delivery, self.generator)


class Consumer(cdk.Stack):
    """Account B of two: the bucket and its key, the catalog and the workgroup."""

    def __init__(self, scope: Construct, id: str, *, config: Config, **more: Any) -> None:
        super().__init__(scope, id, description=f"Keeps the log of item changes of {config.what}", **more)
        names = Names(config)
        self.config = config
        self.key = encryption_key(self, config, alias=names.alias)
        self.storage = Storage(self, "Storage", config=config, key=self.key, lake_name=names.bucket)
        let_producer_write(self, names, self.storage.lake, self.key)
        self.catalog = lake_catalog(self, config, self.storage, self.key)
        self.athena = Athena(self, "Athena", config=config, key=self.key, storage=self.storage, catalog=self.catalog)
        network = private_network(self, config, self.key) if config.reports else None
        self.reports = govern(self, config, self.storage, self.catalog, self.athena, self.key, network)
        self.watch = Watch(self, "Watch", config=config, key=self.key) if config.alarms else None
        if self.watch:
            self.watch.errors(self.storage.lake)
            watch_lake(self.watch, self.reports)
        self.tables: dict[str, OneTable] = {}
        for one in config.logs if config.several else ():
            table = self.tables[one.log_name] = OneTable(self, config=one)
            table.ask(
                catalog=self.catalog,
                bucket_name=names.bucket,
                athena=self.athena,
                reports=self.reports,
                watch=self.watch,
            )
        tell_lake(self, self.storage, self.athena, config)


def second_delivery(
    stack: cdk.Stack,
    config: Config,
    key: kms.IKey,
    source: Source,
    storage: Storage,
    catalog: Catalog,
    network: Network | None,
) -> Iceberg:
    """Deliver the changes into an Iceberg table too, through the same function in its own mode."""
    iceberg = Iceberg(
        stack,
        "Iceberg",
        config=config,
        key=key,
        source=source.stream,
        lake=storage.lake,
        database=catalog.database,
        transform=writing_function(
            stack,
            "IcebergTransform",
            "iceberg",
            "Turns change records into rows of the Iceberg table",
            config=config,
            key=key,
            network=network,
        ),
    )
    cdk.CfnOutput(stack, "IcebergTable", value=iceberg.name, description="Iceberg table of the changes, in Database")
    cdk.CfnOutput(
        stack, "IcebergReaderPolicy", value=iceberg.reader.managed_policy_arn, description="Who reads IcebergTable"
    )
    return iceberg


def own_lake(stack: cdk.Stack, storage: Storage, key: kms.IKey) -> Destination:
    """Describe a lake of the same stack as a destination."""
    bucket = storage.lake.bucket_arn
    return Destination(
        bucket_arn=bucket,
        key_arn=key.key_arn,
        key_use=bucket_key_use(stack, key.key_arn, bucket, "Decrypt", "GenerateDataKey"),
    )


def private_network(stack: cdk.Stack, config: Config, key: kms.IKey) -> Network | None:
    """Make the network functions and tasks run in, where they are to have none but AWS's own services to reach."""
    return Network(stack, "Network", config=config, key=key) if config.network == "private" else None


def govern(
    stack: cdk.Stack,
    config: Config,
    storage: Storage,
    catalog: Catalog,
    athena: Athena,
    key: kms.IKey,
    network: Network | None,
    delivery: Delivery | None = None,
) -> Reports | None:
    """Add to a lake what is asked for: reports on a schedule, a replica, Lake Formation."""
    reports = None
    if config.reports:
        network = network or Network(stack, "Network", config=config, key=key)
        reports = Reports(stack, "Reports", config=config, key=key, storage=storage, athena=athena, network=network)
        cdk.CfnOutput(stack, "ReportsBucket", value=reports.bucket.bucket_name, description="Bucket of the reports")
    if config.replica_region:
        replicate(stack, config, key, storage.lake)
    if config.lake_formation:
        LakeFormation(
            stack,
            "LakeFormation",
            config=config,
            key=key,
            lake=storage.lake,
            catalog=catalog,
            delivery=delivery,
            also=reports.task.task_role if reports else None,
        )
    return reports


def watch_source(
    watch: Watch,
    source: Source,
    delivery: Delivery,
    transform: lambda_.Function | None,
    generator: lambda_.Function | None,
    storage: Storage | None = None,
) -> None:
    """Watch what captures the changes."""
    watch.source(source)
    watch.delivery(delivery)
    for name, function in (("Transform", transform), ("Generator", generator)):
        if function is not None:
            watch.function(function, name)
    if storage is not None:
        watch.errors(storage.lake)


def watch_tables(
    watch: Watch, source: Source | None, delivery: Delivery | None, transform: lambda_.Function | None
) -> None:
    """Watch what several tables share, and show what each has."""
    watch.tables(shared=source is not None)
    if source is not None and delivery is not None:
        watch.shared(source.stream)
        watch.delivery(delivery)
        watch.folders(delivery)
    if transform is not None:
        watch.function(transform, "Transform")


def watch_lake(watch: Watch, reports: Reports | None) -> None:
    """Watch who asks the log."""
    watch.queries()
    if reports is not None:
        watch.reports(reports)


def lake_catalog(stack: cdk.Stack, config: Config, storage: Storage, key: kms.IKey) -> Catalog:
    """Make the catalog over a lake."""
    catalog = Catalog(stack, "Catalog", config=config, bucket_name=storage.lake.bucket_name)
    if config.catalog != "table":
        catalog.crawl(bucket_arn=storage.lake.bucket_arn, bucket_name=storage.lake.bucket_name, key=key)
    return catalog


def schema_table(stack: cdk.Stack, config: Config, bucket_name: str, catalog: Catalog | None) -> glue.CfnTable | None:
    """Return the table whose columns Firehose converts to, where it converts; it reads its own account's only."""
    if config.format != "parquet":
        return None
    if catalog is not None and catalog.table is not None:
        return catalog.table
    catalog = catalog or Catalog(stack, "Catalog", config=config, bucket_name=bucket_name)
    return catalog.table or explicit_table(catalog, catalog.database, config, bucket_name)


def shared_schema(stack: cdk.Stack, config: Config, bucket_name: str) -> glue.CfnTable | None:
    """Return the table whose columns Firehose converts a shared stream to: no log's, so that any may go.

    It is in a database of its own, where nobody who asks the logs sees it, and has no objects.
    """
    if config.format != "parquet":
        return None
    scope = Construct(stack, "Schema")
    database = glue.CfnDatabase(
        scope,
        "Database",
        catalog_id=cdk.Aws.ACCOUNT_ID,
        database_input={"name": f"{config.database}_schema", "description": f"{config.name}: columns of all logs"},
    )
    described = table_input("changes", f"s3://{bucket_name}/schema/", stored="parquet", partitions="none")
    table = glue.CfnTable(scope, "Table", catalog_id=cdk.Aws.ACCOUNT_ID, database_name=f"{config.database}_schema")
    table.add_property_override("TableInput", described)
    table.add_resource_dependency(database)
    return table


def let_undo(stack: cdk.Stack, config: Config, key: kms.IKey, source: Source) -> None:
    """Make the policy of who applies undos, where it is asked for."""
    if config.undo:
        policy = undo_policy(config, key, source)
        cdk.CfnOutput(stack, "UndoPolicy", value=policy.managed_policy_arn, description="Who applies undos")


def tell_source(stack: cdk.Stack, source: Source, delivery: Delivery, generator: lambda_.Function | None) -> None:
    """Output what captures the changes."""
    cdk.CfnOutput(stack, "TableName", value=source.table.table_name, description="DynamoDB table")
    tell_stream(stack, source, delivery)
    if generator is not None:
        cdk.CfnOutput(stack, "GeneratorName", value=generator.function_name, description="Function that writes items")


def tell_stream(stack: cdk.Stack, source: Source, delivery: Delivery) -> None:
    """Output what the changes go through."""
    cdk.CfnOutput(stack, "StreamName", value=source.stream.stream_name, description="Kinesis stream")
    cdk.CfnOutput(stack, "DeliveryName", value=delivery.name, description="Firehose stream")


def tell_lake(stack: cdk.Stack, storage: Storage, athena: Athena, config: Config) -> None:
    """Output what workbench.toml is told."""
    cdk.CfnOutput(stack, "LakeBucket", value=storage.lake.bucket_name, description="Bucket of the log")
    cdk.CfnOutput(stack, "Database", value=config.database, description="database = … in workbench.toml")
    cdk.CfnOutput(stack, "WorkGroup", value=athena.workgroup.name, description="workgroup = … in workbench.toml")
    cdk.CfnOutput(
        stack,
        "AnalystPolicy",
        value=athena.analyst.managed_policy_arn,
        description="Attach to the roles of those who ask the log",
    )
    cdk.CfnOutput(
        stack,
        "MaintenancePolicy",
        value=athena.maintainer.managed_policy_arn,
        description="Attach beside it to those who make checkpoints and compact days",
    )
    cdk.CfnOutput(
        stack,
        "ConsolePolicy",
        value=athena.console.managed_policy_arn,
        description="AnalystPolicy too: attach to the roles of those who use Athena's console or BI tools",
    )
    cdk.CfnOutput(stack, "Checkpoints", value=storage.checkpoints, description="checkpoints = … in workbench.toml")
    cdk.CfnOutput(stack, "Compacted", value=storage.compacted, description="compacted = … in workbench.toml")
