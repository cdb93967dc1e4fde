"""The variants that `make synth` makes and the tests look at: names, and the context of each."""

from __future__ import annotations

from typing import Any

_ACCOUNTS = {"variant": "cross-account", "producer_account": "123456789012", "consumer_account": "210987654321",
             "region": "eu-central-1"}  # fmt: skip
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
    "disposable": {"keep": "false", "name": "Trial"},
    "cross-account": _ACCOUNTS,
    "cross-account-parquet": _ACCOUNTS | {"format": "parquet"},
}
