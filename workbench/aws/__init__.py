"""The small package around awswrangler and boto3 by which everything here reaches Athena, Glue, S3 and DynamoDB.

It is usable by itself, also on tables that are no change logs:

>>> from workbench.aws import Athena, open_session
>>> from workbench.config import load_settings
>>> settings = load_settings(database="sales", output="s3://bucket/athena/", region="eu-central-1")
>>> with Athena(open_session(settings), settings) as athena:  # doctest: +SKIP
...     df = athena.read("select city, sum(amount) as total from orders group by city")

- `session`: the one boto3 session, with its clients, endpoint, role and retries
- `athena`, `costs`, `watchdog`: queries that are run, followed, stopped and read; what they cost
- `catalog`, `log_tables`, `log_objects`, `partitions`, `crawled_columns`, `table_definitions`: change logs in Glue
- `dynamodb`, `dynamodb_values`, `pacing`, `export_jobs`: tables in DynamoDB, and their exports to S3
- `files`: objects in S3
- `errors`: what AWS refuses, in one line with what mends it

awswrangler takes a second to import: the names below are imported when they are first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.aws.athena import Athena, RunningQuery
    from workbench.aws.catalog import Catalog
    from workbench.aws.costs import FinishedQuery, Spent, spent
    from workbench.aws.errors import explained
    from workbench.aws.files import S3Files
    from workbench.aws.session import Session, open_session

__all__ = [
    "Athena",
    "Catalog",
    "FinishedQuery",
    "RunningQuery",
    "S3Files",
    "Session",
    "Spent",
    "explained",
    "open_session",
    "spent",
]
_MODULES = {
    "Athena": "athena",
    "Catalog": "catalog",
    "FinishedQuery": "costs",
    "RunningQuery": "athena",
    "S3Files": "files",
    "Session": "session",
    "Spent": "costs",
    "explained": "errors",
    "open_session": "session",
    "spent": "costs",
}


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
