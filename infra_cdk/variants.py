"""The variants that `make synth` makes and the tests look at: names, and the context of each."""

from __future__ import annotations

from typing import Any

_ACCOUNTS = {
    "variant": "cross-account",
    "producer_account": "123456789012",
    "consumer_account": "210987654321",
    "region": "eu-central-1",
}
# A network without internet, a column an attribute, a stream of ten shards, and an object after 1 MiB or two minutes.
_PRIVATE_FLAT = {
    "network": "private",
    "transform": "flat",
    "catalog": "crawler",
    "stream_shards": "10",
    "buffer_mb": "1",
    "buffer_seconds": "120",
}
_TABLES = {"tables": "Orders.eu, arn:aws:dynamodb:eu-central-1:123456789012:table/customers"}
_STREAM = "arn:aws:dynamodb:eu-central-1:123456789012:table/orders/stream/2026-01-01T00:00:00.000"
_KEY = "arn:aws:kms:eu-central-1:123456789012:key/1a2b3c4d-0000-0000-0000-000000000000"
VARIANTS: dict[str, dict[str, Any]] = {
    "single": {},
    "parquet": {"format": "parquet", "archive_days": "90"},
    "flat": {"transform": "flat", "catalog": "crawler"},
    "newline": {"transform": "newline"},
    "delimiter": {"transform": "delimiter", "stream_shards": "2", "stream_retention_hours": "168"},
    "crawler": {"catalog": "crawler", "crawler_schedule": "cron(15 3 * * ? *)"},
    "both-catalogs": {"catalog": "both", "format": "parquet"},
    "existing-table": {"table": "Orders.eu"},
    "existing-table-arn": {"table": "arn:aws:dynamodb:eu-central-1:123456789012:table/orders"},
    "generator": {"generator": "persons"},
    "generator-heartrate": {"generator": "heartrate"},
    "generator-orders": {"generator": "orders"},
    "disposable": {"keep": "false", "name": "Trial"},
    "cross-account": _ACCOUNTS,
    "cross-account-parquet": _ACCOUNTS | {"format": "parquet"},
    "private": {"network": "private", "generator": "persons", "reports": "true", "name": "Private"},
    "private-transform": {"network": "private"},
    "search-firehose": {"search": "firehose", "search_rotation": "OneMonth", "search_backup": "all"},
    "search-lambda": {"search": "lambda", "alarm_email": "data@example.com"},
    "search-existing": {"search": "lambda", "table": "orders", "table_stream": _STREAM, "table_key": _KEY},
    "private-flat": _PRIVATE_FLAT,
    "cross-account-private-flat": _ACCOUNTS | _PRIVATE_FLAT,
    "private-search": {
        "network": "private",
        "search": "firehose",
        "search_nodes": "2",
        "search_instance": "r7g.large.search",
    },
    "private-search-lambda": {"network": "private", "search": "lambda", "transform": "delimiter"},
    "search-only-firehose": {"search": "firehose", "search_only": "true", "generator": "persons"},
    "search-only-lambda": {"search": "lambda", "search_only": "true"},
    "search-only-existing": {
        "search": "lambda",
        "search_only": "true",
        "table": "orders",
        "table_stream": _STREAM,
        "network": "private",
    },
    "undo": {"undo": "true"},
    "undo-existing": {
        "undo": "true",
        "table": "arn:aws:dynamodb:eu-central-1:123456789012:table/orders",
        "table_key": _KEY,
    },
    "cross-account-undo": _ACCOUNTS | {"undo": "true"},
    "reports": {
        "reports": "true",
        "timezone": "Europe/Berlin",
        "exports": "true",
        "production": "true",
        "alarm_email": "data@example.com",
        "stream_retention_hours": "72",
        "archive": "GLACIER_IR",
    },
    "cross-account-reports": _ACCOUNTS | {"reports": "true", "network": "private"},
    "governed": {
        "lake_formation": "arn:aws:iam::123456789012:role/Analyst, arn:aws:iam::123456789012:user/ada",
        "lake_formation_admin": "arn:aws:iam::123456789012:role/DataLakeAdmin",
        "replica_region": "eu-west-1",
        "view": "pk:S,person.age:N",
        "reports": "true",
    },
    "iceberg": {"iceberg": "true"},
    "no-alarms": {"alarms": "false"},
    "tables": _TABLES | {"format": "parquet", "catalog": "both", "reports": "true", "exports": "true", "undo": "true"},
    "tables-each": _TABLES | {"stream": "each", "transform": "delimiter", "stream_shards": "1"},
    "cross-account-tables": _ACCOUNTS | _TABLES | {"reports": "true", "transform": "newline"},
}
