"""The stack of a search index without a log: what brings changes to the domain, and nothing that reads a log."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from constructs import Construct

from infra_cdk.config import Config
from infra_cdk.stacks.encryption import encryption_key
from infra_cdk.stacks.generator import generator_function
from infra_cdk.stacks.pipeline import own_lake, private_network
from infra_cdk.stacks.search import Search
from infra_cdk.stacks.source import Source
from infra_cdk.stacks.storage import Storage
from infra_cdk.stacks.watch import Watch


class SearchOnly(cdk.Stack):
    """The table, the domain, and what brings the one's changes to the other.

    By Firehose there are a Kinesis stream, and a bucket for what cannot be indexed; by DynamoDB Streams there is
    neither. Its parts are those of `Pipeline`, so that one may become the other.
    """

    def __init__(self, scope: Construct, id: str, *, config: Config, **more: Any) -> None:
        super().__init__(scope, id, description=f"The items of {config.table or config.log_name}, searchable", **more)
        self.config = config
        self.key = encryption_key(self, config, alias=f"{config.slug}/log")
        self.network = private_network(self, config, self.key)
        self.source = Source(self, "Source", config=config, key=self.key)
        self.generator = generator_function(self, config, self.source, self.key, self.network)
        self.storage = Storage(self, "Storage", config=config, key=self.key) if config.streams else None
        self.search = Search(
            self,
            "Search",
            config=config,
            key=self.key,
            source=self.source,
            network=self.network,
            destination=own_lake(self, self.storage, self.key) if self.storage else None,
        )
        if config.alarms:
            self._watch(config)
        self._tell(config)

    def _watch(self, config: Config) -> None:
        watch = Watch(self, "Watch", config=config, key=self.key)
        if config.streams:
            watch.source(self.source)
        if self.generator:
            watch.function(self.generator, "Generator")
        watch.search(self.search, self.storage.lake if self.storage else None)

    def _tell(self, config: Config) -> None:
        told = {"TableName": (self.source.table.table_name, "DynamoDB table")}
        if self.storage and self.search.stream:
            told |= {
                "StreamName": (self.source.stream.stream_name, "Kinesis stream"),
                "DeliveryName": (self.search.stream.ref, "Firehose stream"),
                "SearchBucket": (self.storage.lake.bucket_name, "Bucket of what is not indexed"),
            }
        if self.generator:
            told["GeneratorName"] = (self.generator.function_name, "Function that writes items")
        for name, (value, description) in told.items():
            cdk.CfnOutput(self, name, value=value, description=description)
