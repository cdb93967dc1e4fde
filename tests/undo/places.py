"""Tables that plans are applied to in tests: of the item store, and of DynamoDB as moto has it, with their changes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import orjson

from workbench.aws.dynamodb_values import native_image, plain_image
from workbench.aws.session import Session, open_session
from workbench.config import load_settings
from workbench.model.canonical import canonical_json, canonical_keys
from workbench.model.items import from_dynamodb
from workbench.sandbox import ItemStore
from workbench.undo.targets import DynamoTarget, StoreTarget, Target

TABLE, REGION = "things", "eu-central-1"
Image = Mapping[str, Any]


class Place(Protocol):
    """A place with a table `TABLE` of the key pk (S)."""

    def make(self) -> None: ...

    def put(self, item: Image) -> None: ...

    def delete(self, key: Image) -> None: ...

    def update(self, number: int, name: str, value: int) -> bool:
        """Set an attribute of the item p-NUMBER, as another writer does; say whether it is there."""

    def items(self) -> dict[str, str]:
        """Canonical images by canonical keys."""

    def changes(self) -> Counter[str]:
        """How many changes of each item the stream has."""

    def target(self, source: str = "") -> Any:
        """A context manager of the Target."""


class StorePlace:
    def __init__(self, path: Path) -> None:
        self.path = path

    def make(self) -> None:
        with ItemStore(self.path) as store:
            store.drop_table(TABLE)
            store.create_table(TABLE, {"pk": "S"})

    def put(self, item: Image) -> None:
        with ItemStore(self.path) as store:
            store.put_item(TABLE, from_dynamodb(item))

    def delete(self, key: Image) -> None:
        with ItemStore(self.path) as store:
            store.delete_item(TABLE, from_dynamodb(key))

    def update(self, number: int, name: str, value: int) -> bool:
        with ItemStore(self.path) as store, store.transaction():
            if store.image(TABLE, {"pk": {"S": f"p-{number}"}}) is None:
                return False
            store._bulk = True  # a part of this transaction
            store.update_item(TABLE, {"pk": f"p-{number}"}, put={name: value})
            return True

    def items(self) -> dict[str, str]:
        with ItemStore(self.path) as store:
            return {key: canonical_json(orjson.loads(image)) for key, image in store.images(TABLE)}

    def records(self) -> list[dict[str, Any]]:
        with ItemStore(self.path) as store:
            return [orjson.loads(each) for each in store.records([number for number, _ in store.pending(TABLE)])]

    def changes(self) -> Counter[str]:
        return Counter(canonical_keys(record["dynamodb"]["Keys"]) for record in self.records())

    @contextmanager
    def target(self, source: str = "") -> Iterator[Target]:
        with ItemStore(self.path) as store:
            yield StoreTarget(store, self.path, TABLE, source)


class DynamoPlace:
    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self._session: Session | None = None

    @property
    def session(self) -> Session:
        os.environ.setdefault("AWS_ACCESS_KEY_ID", "testing")
        os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "testing")
        self._session = self._session or open_session(load_settings(region=REGION, endpoint=self.endpoint))
        return self._session

    def make(self) -> None:
        client = self.session.client("dynamodb")
        if TABLE in client.list_tables()["TableNames"]:
            client.delete_table(TableName=TABLE)
        client.create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )

    def put(self, item: Image) -> None:
        self.session.client("dynamodb").put_item(TableName=TABLE, Item=native_image(item))

    def delete(self, key: Image) -> None:
        self.session.client("dynamodb").delete_item(TableName=TABLE, Key=native_image(key))

    def update(self, number: int, name: str, value: int) -> bool:
        client = self.session.client("dynamodb")
        try:
            client.update_item(
                TableName=TABLE,
                Key={"pk": {"S": f"p-{number}"}},
                ConditionExpression="attribute_exists(pk)",
                UpdateExpression="SET #name = :value",
                ExpressionAttributeNames={"#name": name},
                ExpressionAttributeValues={":value": {"N": str(value)}},
            )
        except client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def items(self) -> dict[str, str]:
        pages = self.session.client("dynamodb").get_paginator("scan").paginate(TableName=TABLE, ConsistentRead=True)
        images = [plain_image(item) for page in pages for item in page["Items"]]
        return {canonical_keys({"pk": image["pk"]}): canonical_json(image) for image in images}

    def records(self) -> list[dict[str, Any]]:
        streams = self.session.client("dynamodbstreams")
        (stream,) = [each for each in streams.list_streams(TableName=TABLE)["Streams"] if each["TableName"] == TABLE]
        records: list[dict[str, Any]] = []
        for shard in streams.describe_stream(StreamArn=stream["StreamArn"])["StreamDescription"]["Shards"]:
            at: str | None = streams.get_shard_iterator(
                StreamArn=stream["StreamArn"], ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            while at:
                answer = streams.get_records(ShardIterator=at)
                records += answer["Records"]
                at = answer.get("NextShardIterator") if answer["Records"] else None
        return records

    def changes(self) -> Counter[str]:
        return Counter(canonical_keys(plain_image(record["dynamodb"]["Keys"])) for record in self.records())

    @contextmanager
    def target(self, source: str = "") -> Iterator[Target]:
        yield DynamoTarget(self.session, TABLE)
