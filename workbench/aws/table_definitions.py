"""The description of a table over a change log, as Glue and Athena take it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Literal, TypedDict

from workbench.aws.projection import strftime_form
from workbench.errors import ParameterError
from workbench.model.records import COLUMN_TYPES
from workbench.paths import split_s3_uri

if TYPE_CHECKING:
    from types_boto3_glue.type_defs import ColumnOutputTypeDef, ColumnTypeDef, TableInputTypeDef, TableTypeDef

Stored = Literal["json", "parquet"]
PartitionBy = Literal["arrival", "checkpoint", "compacted", "none"]


class TableOptions(TypedDict, total=False):
    """How a table is described; see `table_input`."""

    layout: str
    stored: Stored
    partitions: PartitionBy
    form: str
    template: str
    first_year: int
    first: datetime | None
    until: str


# In Hive's terms, and times as text: Athena reads a timestamp of JSON or Parquet with milliseconds only.
_HIVE_TYPES = {"varchar": "string", "timestamp": "string"}
_CHANGE = {name: _HIVE_TYPES.get(kind, kind) for name, kind in COLUMN_TYPES.items()}
_CHECKPOINT = ("keys", "ts", "event_id", "event_name", "new_image", "old_image", "size_bytes", "by_ttl")
_COLUMNS: dict[str, dict[str, str]] = {
    "envelope": _CHANGE,
    "raw": {
        "eventid": "string",
        "eventname": "string",
        "tablename": "string",
        "useridentity": "string",
        "awsregion": "string",
        "eventsourcearn": "string",
        "recordformat": "string",
        "eventversion": "string",
        "dynamodb": "struct<approximatecreationdatetime:bigint,approximatecreationdatetimeprecision:string,"
        "keys:string,newimage:string,oldimage:string,sizebytes:bigint,sequencenumber:string,"
        "streamviewtype:string>",
    },
    "checkpoint": {name: _CHANGE[name] for name in _CHECKPOINT},
    "compacted": _CHANGE | {"deliveries": "array<string>"},
}
VIEW = "VIRTUAL_VIEW"
"""The type of a table of Glue's that is a view."""
ICEBERG = ("table_type", "iceberg")
"""Parameter of an Iceberg table, and its value in lower case: https://iceberg.apache.org/docs/latest/aws/#glue-catalog"""
CHECKPOINTS = "workbench.log.checkpoints"
"""Parameter of a table that holds the checkpoints of a log, and no log."""
COMPACTED = "workbench.log.compacted"
"""Parameter of a table that holds the compacted days of a log, and no log."""
_REGISTERED: dict[str, tuple[tuple[str, ...], str]] = {
    "checkpoint": (("checkpoint",), CHECKPOINTS),
    "compacted": (("day", "made"), COMPACTED),
}
_READ_BY: dict[Stored, tuple[str, str, dict[str, str]]] = {
    "json": (
        "org.apache.hadoop.mapred.TextInputFormat",
        "org.openx.data.jsonserde.JsonSerDe",
        {"ignore.malformed.json": "true"},
    ),
    "parquet": (
        "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
        "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
        {"serialization.format": "1"},
    ),
}
# Taking names without regard to case, OpenX drops all but the last of attributes that differ in case only, in the text
# of a nested object too: so names are taken as they are, and those of the record mapped.
_EXACT = {"case.insensitive": "false"} | {
    f"mapping.{name.lower()}": name
    for name in (
        "eventID",
        "eventName",
        "tableName",
        "userIdentity",
        "awsRegion",
        "eventSourceARN",
        "Keys",
        "NewImage",
        "OldImage",
        "SizeBytes",
        "ApproximateCreationDateTime",
        "ApproximateCreationDateTimePrecision",
        "recordFormat",
        "eventVersion",
        "SequenceNumber",
        "StreamViewType",
    )
}
_WRITTEN_BY = {
    "json": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
    "parquet": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
}
ARRIVAL = "arrival"
"""The column of the folders' times."""
HOUR_FOLDERS = "'year='yyyy'/month='MM'/day='dd'/hour='HH"
"""The folders ``year=2026/month=11/day=18/hour=09``, in Java's letters: what stands in quotes is itself.

Folders of this form are dates of one column, as AWS has Firehose's own, so that Athena lists those from the first to
the present and no other; four columns of numbers are each combined with each, ten years of which are 89,280 hours, most
of them still to come: https://docs.aws.amazon.com/athena/latest/ug/partition-projection-kinesis-firehose-example.html.
A form in quotes is in use at https://github.com/ds-horizon/logwise (its page on S3 and Athena).
"""


def table_input(
    name: str,
    location: str,
    *,
    layout: str = "envelope",
    stored: Stored = "json",
    partitions: PartitionBy = "arrival",
    form: str = HOUR_FOLDERS,
    template: str = "${arrival}/",
    first_year: int = 2024,
    first: datetime | None = None,
    until: str = "NOW",
) -> TableInputTypeDef:
    """Describe a table over a prefix, as Glue takes it, with explicit columns and projected partitions.

    Parameters
    ----------
    location
        Where the objects are, ``s3://bucket/prefix/``.
    layout
        envelope, raw, checkpoint or compacted.
    partitions
        ``arrival``: one column of this name over folders whose names are times; ``checkpoint``, and ``compacted``, by
        day and made: registered; ``none``.
    form
        The folders' form, in Java's letters: `HOUR_FOLDERS`, or such as Firehose's own, ``yyyy/MM/dd/HH``.
    template
        Where a partition lies below `location`, such as ``dt=${arrival}/``.
    first, first_year
        From when on folders are looked into, in the time zone of their names; without it, from the begin of a year.
        Athena lists each of them, in a query that names no time: the later, the cheaper, but none is seen before.
    until
        The last folder: ``NOW``, which is UTC; ``NOW+14HOURS`` where they are named in a zone that may be ahead of it:
        https://docs.aws.amazon.com/athena/latest/ug/partition-projection-supported-types.html

    Examples
    --------
    >>> table = table_input("persons", "s3://bucket/data/persons/", first=datetime(2026, 11, 18, 9))
    >>> table["Parameters"]["projection.arrival.range"]
    'year=2026/month=11/day=18/hour=09,NOW'
    """
    if layout not in _COLUMNS:
        raise ParameterError(
            f"layout={layout!r} has no columns of its own: use envelope or raw, and a crawler for others"
        )
    if not re.fullmatch(r"[a-z0-9_]+", name):
        raise ParameterError(
            f"{name!r} is no name for Athena: use lower-case letters, digits and _, and map the "
            "DynamoDB table's name to it by the setting table_names"
        )
    location = location.rstrip("/") + "/"
    split_s3_uri(location, advice="write it like s3://bucket/data/persons/")
    keys: list[ColumnTypeDef] = []
    parameters = {"EXTERNAL": "TRUE", "classification": stored}
    if partitions == "arrival":
        begin = (first or datetime(first_year, 1, 1)).strftime(strftime_form(form))
        keys = [{"Name": ARRIVAL, "Type": "string"}]
        parameters |= {
            "projection.enabled": "true",
            f"projection.{ARRIVAL}.type": "date",
            f"projection.{ARRIVAL}.format": form,
            f"projection.{ARRIVAL}.range": f"{begin},{until}",
            f"projection.{ARRIVAL}.interval": "1",
            f"projection.{ARRIVAL}.interval.unit": "HOURS" if "HH" in form else "DAYS",
            "storage.location.template": location + template,
        }
    elif partitions in _REGISTERED:
        names, mark = _REGISTERED[partitions]
        keys, parameters = [{"Name": each, "Type": "string"} for each in names], parameters | {mark: "true"}
    reader, serde, serde_parameters = _READ_BY[stored]
    if layout == "raw":
        serde_parameters = serde_parameters | _EXACT
    return {
        "Name": name,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": parameters,
        "PartitionKeys": keys,
        "StorageDescriptor": {
            "Columns": [{"Name": column, "Type": kind} for column, kind in _COLUMNS[layout].items()],
            "Location": location,
            "InputFormat": reader,
            "OutputFormat": _WRITTEN_BY[stored],
            "SerdeInfo": {"SerializationLibrary": serde, "Parameters": serde_parameters},
        },
    }


def ddl(database: str, table: TableInputTypeDef | TableTypeDef) -> str:
    """Write the statement that makes a table, in Athena's DDL."""
    stored = table["StorageDescriptor"]

    def columns(listed: Sequence[ColumnTypeDef | ColumnOutputTypeDef]) -> str:
        return ",\n".join(f"  {_tick(column['Name'])} {column['Type']}" for column in listed)

    def properties(given: Mapping[str, str]) -> str:
        pairs = ",\n".join(f"  {_quoted(name)} = {_quoted(value)}" for name, value in sorted(given.items()))
        return f"(\n{pairs}\n)"

    lines = [f"CREATE EXTERNAL TABLE {_tick(database)}.{_tick(table['Name'])} (\n{columns(stored['Columns'])}\n)"]
    if table.get("PartitionKeys"):
        lines.append(f"PARTITIONED BY (\n{columns(table['PartitionKeys'])}\n)")
    serde = stored["SerdeInfo"]
    lines.append(f"ROW FORMAT SERDE {_quoted(serde['SerializationLibrary'])}")
    if serde.get("Parameters"):
        lines.append(f"WITH SERDEPROPERTIES {properties(serde['Parameters'])}")
    lines.append(
        f"STORED AS INPUTFORMAT {_quoted(stored['InputFormat'])}\n  OUTPUTFORMAT {_quoted(stored['OutputFormat'])}"
    )
    lines.append(f"LOCATION {_quoted(stored['Location'])}")
    parameters = {name: value for name, value in table.get("Parameters", {}).items() if name != "EXTERNAL"}
    return "\n".join([*lines, *([f"TBLPROPERTIES {properties(parameters)}"] if parameters else [])])


def _tick(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
