"""Checks of a change log's table: that its newest object is young and can be read, and Athena sees its partition."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from workbench.aws.errors import error_code
from workbench.aws.log_tables import LogTable
from workbench.aws.partition_values import numbers_of
from workbench.checks.check import Check
from workbench.checks.clients import Clients
from workbench.checks.objects import ASKING_FAILED, bucket_and_prefix, bucket_refusal, check_key, encryption, halves
from workbench.checks.refusal import refusal
from workbench.config import Settings
from workbench.errors import ConfigError
from workbench.model.times import duration
from workbench.paths import is_hidden

if TYPE_CHECKING:
    from types_boto3_glue import GlueClient
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import ListObjectsV2RequestPaginateTypeDef, ObjectTypeDef

_LOOK_BACK = (
    timedelta(hours=2),
    timedelta(days=1, hours=2),
    timedelta(days=8),
    timedelta(days=32),
    timedelta(days=366),
)
_LISTED = 20_000
_HEAD = 2**20  # bytes read of an object


def check_data(clients: Clients, log: LogTable, settings: Settings) -> list[Check]:
    """Check a table, its newest object, and the partition that has it."""
    name = log.only or log.name
    by = ", ".join(column for column, _ in log.partitions.columns)
    parts = f"partitions {by}, {'projected' if log.projected else 'registered'}" if by else "no partitions"
    checks = [
        Check(
            f"table {name}",
            "ok",
            f"{log.database}.{log.name}: {log.layout}, {log.stored}, {parts}, over {log.location}",
        )
    ]
    try:
        bucket, prefix = bucket_and_prefix(log.location)
    except ConfigError as error:
        return [*checks, Check(f"data of {name}", "failed", *halves(str(error)))]
    try:
        newest, whole = _newest(clients.s3, log, bucket, prefix)
    except ASKING_FAILED as error:
        return [*checks, bucket_refusal(f"data of {name}", error, bucket, f"arn:aws:s3:::{bucket}")]
    if newest is None:
        checks.append(
            Check(
                f"data of {name}",
                "warning",
                f"there is no object under {log.location}",
                "change an item, and look at the lines of its stream and of Firehose",
            )
        )
        return checks
    age, late = datetime.now(UTC) - newest["LastModified"], duration(settings.late_arrival).to_pytimedelta()
    detail = f"the newest object is of {newest['LastModified']:%Y-%m-%d %H:%M} UTC"
    detail += "" if whole else f", of the first {_LISTED:,}"
    if age > late and whole:
        checks.append(
            Check(
                f"data of {name}",
                "warning",
                f"{detail}: nothing has changed since, or nothing is delivered",
                "change an item, and look at the lines of its stream and of Firehose",
            )
        )
    else:
        checks.append(Check(f"data of {name}", "ok", detail))
    checks += _partition(clients.glue, log, newest["Key"][len(prefix) :], name)
    try:
        response = clients.s3.get_object(Bucket=bucket, Key=newest["Key"], Range=f"bytes=0-{_HEAD - 1}")
        body = response["Body"].read()
    except ASKING_FAILED as error:
        return [*checks, bucket_refusal(f"reading {name}", error, bucket, f"arn:aws:s3:::{bucket}/{prefix}*")]
    checks.append(_content(name, newest["Key"], body, encryption(response), log.stored))
    return [*checks, *check_key(clients, f"KMS key of {name}", response)]


def _newest(s3: S3Client, log: LogTable, bucket: str, prefix: str) -> tuple[ObjectTypeDef | None, bool]:
    """Find the newest object, looking back further and further, and whether all there may be were seen."""
    now = datetime.now(UTC)
    folders = [log.partitions.folder(now - back) for back in _LOOK_BACK]
    pages = s3.get_paginator("list_objects_v2")
    for start in [*filter(None, folders), ""]:
        request: ListObjectsV2RequestPaginateTypeDef = {
            "Bucket": bucket,
            "Prefix": prefix,
            "PaginationConfig": {"MaxItems": _LISTED},
        }
        if start:
            request["StartAfter"] = prefix + start
        listed = [each for page in pages.paginate(**request) for each in page.get("Contents", [])]
        objects = [
            each
            for each in listed
            if each["Size"] and not any(not part or is_hidden(part) for part in each["Key"][len(prefix) :].split("/"))
        ]
        if objects:
            return max(objects, key=lambda each: (each["LastModified"], each["Key"])), len(listed) < _LISTED
    return None, True


def _partition(glue: GlueClient, log: LogTable, below: str, name: str) -> list[Check]:
    """Check that Athena sees the partition of the newest object."""
    columns, check = log.partitions.columns, f"partitions of {name}"
    if not columns:
        return []
    try:
        if log.projected:
            parameters = glue.get_table(DatabaseName=log.database, Name=log.name)["Table"].get("Parameters", {})
            return [_projection(check, parameters, [column for column, _ in columns])]
        values = [part.partition("=")[2] or part for part in below.split("/")[: len(columns)]]
        glue.get_partition(DatabaseName=log.database, TableName=log.name, PartitionValues=values)
    except ASKING_FAILED as error:
        if error_code(error) == "EntityNotFoundException":
            return [
                Check(
                    check,
                    "failed",
                    f"{below.rpartition('/')[0]} is not registered: Athena does not see what is in it",
                    f"MSCK REPAIR TABLE {log.database}.{log.name}, or a table with projected partitions: "
                    "workbench table create",
                )
            ]
        return [refusal(check, error, f"table/{log.database}/{log.name}")]
    return [Check(check, "ok", f"{'/'.join(values)}, the newest object's, is registered")]


def _projection(check: str, parameters: Mapping[str, str], columns: Iterable[str]) -> Check:
    year = datetime.now(UTC).year
    for column in columns:
        first, _, last = parameters.get(f"projection.{column}.range", "").partition(",")
        kind = parameters.get(f"projection.{column}.type")
        years = [number for text in (first, last) for number in numbers_of(text.strip())[:1]]
        if (
            (kind == "date" or (kind == "integer" and column == "year"))
            and len(years) == 2
            and not years[0] <= year <= years[1]
        ):
            return Check(
                check,
                "failed",
                f"{column} is projected from {first} to {last}: Athena finds nothing of {year}, and says nothing",
                f"ALTER TABLE … SET TBLPROPERTIES ('projection.{column}.range' = "
                f"'{first},{'NOW' if kind == 'date' else year + 10}')",
            )
    return Check(check, "ok", "projected, and the present is in their range")


def _content(name: str, key: str, body: bytes, encryption: str, stored: str) -> Check:
    """Check that the first of an object can be read as Athena reads it."""
    check, where = f"reading {name}", f"{key.rpartition('/')[2]} can be read{encryption}"
    if stored == "parquet" or key.endswith(".parquet"):
        if body[:4] == b"PAR1":
            return Check(check, "ok", f"{where}, and is Parquet")
        return Check(check, "failed", f"{key} is no Parquet", "declare the table as what its objects are")
    try:
        text = zlib.decompressobj(47).decompress(body) if body[:2] == b"\x1f\x8b" else body
    except zlib.error as error:
        return Check(check, "failed", f"{key} is damaged gzip: {error}", "deliver its records again")
    lines = [line for line in text.decode("utf-8", "replace").splitlines() if line.strip()]
    joined = sum(map(_is_joined, lines))
    if joined:
        return Check(
            check,
            "failed",
            f"{joined:,} of {len(lines):,} lines of {key} hold several records: "
            "Athena's JSON "
            "readers take the first and pass over the others",
            "have Firehose end each record with a newline "
            "(AppendDelimiterToRecord); what is there is read whole by the embedded engine, over a synced "
            "copy",
        )
    if lines and not lines[0].lstrip("\ufeff").startswith("{"):
        return Check(check, "failed", f"{key} holds no JSON objects", "declare the table over change records")
    return Check(check, "ok", f"{where}, one record a line")


def _is_joined(line: str) -> bool:
    """Return whether a line holds more than one JSON object."""
    try:
        _, end = json.JSONDecoder().raw_decode(line.lstrip("\ufeff \t"))
    except ValueError:
        return False
    return line.lstrip("\ufeff \t")[end:].lstrip().startswith("{")
