"""Config: what is deployed, read from CDK context (``-c name=value``, or `context` in cdk.json) and checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields, replace
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple

from workbench.errors import ConfigError, ParameterError, did_you_mean
from workbench.model.attribute_paths import column_path
from workbench.model.records import log_name
from workbench.sandbox.datasets import DATASETS

_TABLE_ARN = re.compile(r"arn:aws[\w-]*:dynamodb:([\w-]+):(\d{12}):table/([\w.-]{3,255})")
_TABLE = rf"([\w.-]{{3,255}}|{_TABLE_ARN.pattern})"
_YES, _NO = ("true", "yes", "1"), ("false", "no", "0")
# Settings that say something of the log, or of what reads it.
_OF_LOG = (
    "transform",
    "lambda_memory",
    "format",
    "buffer_mb",
    "buffer_seconds",
    "catalog",
    "crawler_schedule",
    "first_year",
    "first_day",
    "scan_cutoff_gb",
    "results_days",
    "archive_days",
    "archive",
    "reports",
    "schedules",
    "timezone",
    "scan_alarm_gb",
    "lake_formation",
    "lake_formation_admin",
    "replica_region",
    "iceberg",
    "view",
    "exports",
    "undo",
)
_NO_ICEBERG_LOG = (
    "format=iceberg: the log itself stays objects that nobody rewrites, for which object a change came in tells when "
    "it arrived, and what came twice or cannot be read; Iceberg's optimizers join files and expire snapshots. "
    "iceberg=true delivers the same changes into an Iceberg table beside it"
)
# What is one table's own, and so is not given with several.
_OF_ONE = (
    "table",
    "log",
    "generator",
    "partition_key",
    "sort_key",
    "ttl_attribute",
    "search",
    "table_stream",
    "view",
    "iceberg",
)
_MOST_TABLES = 200
_OF_STREAM = ("stream_shards", "stream_retention_hours", "search_rotation", "search_backup")


def option(
    default: Any,
    help: str,
    *,
    choices: tuple[str, ...] = (),
    pattern: str = "",
    example: str = "",
    between: tuple[int, int] | None = None,
) -> Any:
    """Describe a setting: its default, and what may be given."""
    return field(
        default=default,
        metadata={"help": help, "choices": choices, "pattern": pattern, "example": example, "between": between},
    )


class ViewColumn(NamedTuple):
    """A column of the flattened view."""

    attribute: str
    """As it was given."""
    steps: tuple[str, ...]
    kind: str
    """S, N or BOOL."""

    @property
    def name(self) -> str:
        """The column's name, as Athena has it: in lower case."""
        return "_".join(self.steps).lower()


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is deployed; frozen and valid. Make one with `read_config`."""

    name: str = option(
        "Workbench",
        "Name of the stacks; what must have a fixed name is called after it, so that "
        "copies with different names live side by side in one account",
        pattern=r"[A-Za-z][A-Za-z0-9-]{0,29}",
        example="Orders",
    )
    variant: str = option(
        "single",
        "All in one account, or the table and its stream in one and the lake in another",
        choices=("single", "cross-account"),
    )

    table: str = option(
        "",
        "Name or ARN of an existing table whose changes are captured; without it a table is made",
        pattern=rf"|[\w.-]{{3,255}}|{_TABLE_ARN.pattern}",
        example="orders",
    )
    tables: str = option(
        "",
        "Several existing tables instead, by name or ARN, with commas between them: one lake for all",
        pattern=rf"|{_TABLE}(,\s*{_TABLE})*",
        example="orders,customers",
    )
    stream: str = option(
        "shared",
        "tables: one Kinesis and one Firehose stream for all of them, or one of each for every table",
        choices=("shared", "each"),
    )
    log: str = option(
        "",
        "Name of the change log: the folder under data/ and the table in Glue; by default the "
        "table's name in lower case, or the generator's, or `items`",
        pattern=r"|[a-z][a-z0-9_]{0,100}",
        example="orders",
    )
    partition_key: str = option(
        "pk:S", "Partition key of a new table, with its type", pattern=r".{1,255}:[SNB]", example="pk:S"
    )
    sort_key: str = option("", "Sort key of a new table", pattern=r"|.{1,255}:[SNB]", example="at:N")
    ttl_attribute: str = option("expires_at", "Attribute of a new table by which items expire")
    generator: str = option(
        "",
        "A function that writes generated items into a new table, whose keys it then sets",
        choices=("", *DATASETS),
    )

    stream_shards: int = option(0, "Shards of the Kinesis stream; 0 is on-demand", between=(0, 500))
    stream_retention_hours: int = option(24, "How long the stream keeps what is not delivered yet", between=(24, 8760))
    transform: str = option(
        "envelope",
        "What is stored: the workbench's own columns, one column an attribute, the "
        "record with a line feed by the Lambda function, or by Firehose itself, without any",
        choices=("envelope", "flat", "newline", "delimiter"),
    )
    lambda_memory: int = option(512, "Memory of the transform function, MB", between=(128, 10240))
    format: str = option(
        "json", "Objects of gzip JSON, or Parquet by Firehose's format conversion", choices=("json", "parquet")
    )
    buffer_mb: int = option(64, "Firehose writes an object when so much has come …", between=(1, 128))
    buffer_seconds: int = option(300, "… or after so long", between=(0, 900))

    catalog: str = option(
        "table", "An explicit table with projected partitions, a crawler, or both", choices=("table", "crawler", "both")
    )
    crawler_schedule: str = option(
        "",
        "When the crawler runs (UTC); without it, on demand",
        pattern=r"|cron\(\S+( \S+){5}\)",
        example="cron(15 3 * * ? *)",
    )
    first_year: int = option(2025, "First year whose folders a query looks into", between=(2012, 2100))
    first_day: str = option(
        "",
        "First day whose folders a query looks into, in place of first_year: of the first deployment, never later",
        pattern=r"|20\d\d-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])",
        example="2026-11-26",
    )
    scan_cutoff_gb: int = option(100, "Athena cancels a query that scans more", between=(1, 7_000_000))
    results_days: int = option(7, "Query results expire after", between=(1, 3650))

    noncurrent_days: int = option(
        30, "Overwritten and deleted versions of objects are kept; of results and checkpoints a day", between=(1, 3650)
    )
    archive_days: int = option(0, "The log moves to S3 Standard-IA after; 0 is never", between=(0, 3650))
    archive: str = option(
        "none",
        "Storage class that the log's objects move to once their day is compacted; GLACIER_IR is read without waiting",
        choices=("none", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"),
    )
    log_days: int = option(30, "CloudWatch keeps logs; access logs of buckets are kept a year", between=(1, 3653))
    keep: bool = option(True, "`cdk destroy` leaves table, buckets and key; false empties and deletes them")
    production: bool = option(
        False, "Refuses what loses data: keep=false, alarms that nobody reads, a stream that a weekend outlasts"
    )

    network: str = option(
        "none",
        "Functions and tasks run in a VPC without internet, or in none (reports: in a public one)",
        choices=("none", "private"),
    )
    search: str = option(
        "none",
        "Into OpenSearch too: by a second Firehose stream, or by DynamoDB Streams and a function, for thin traffic",
        choices=("none", "firehose", "lambda"),
    )
    table_stream: str = option(
        "",
        "search=lambda: ARN of the existing table's own stream, with new images",
        pattern=rf"|{_TABLE_ARN.pattern}/stream/[\d:.T-]+",
        example="arn:aws:dynamodb:eu-central-1:123456789012:table/orders/stream/2026-01-01T00:00:00.000",
    )
    search_only: bool = option(
        False,
        "Into OpenSearch instead of a log: nothing is kept to ask for the past, and the "
        "settings of the log are left out",
    )
    search_rotation: str = option(
        "NoRotation",
        "How often Firehose begins a new index of changes",
        choices=("NoRotation", "OneHour", "OneDay", "OneWeek", "OneMonth"),
    )
    search_backup: str = option(
        "failed", "Which documents Firehose also keeps in S3, under search/", choices=("failed", "all")
    )
    search_instance: str = option(
        "t3.small.search",
        "Instances of the OpenSearch domain",
        pattern=r"[a-z0-9]+\.[a-z0-9]+\.search",
        example="r7g.large.search",
    )
    search_nodes: int = option(1, "How many: one, or an even number, in two zones", between=(1, 80))
    search_volume_gb: int = option(20, "Disk of each", between=(10, 3072))

    reports: bool = option(False, "Reports on a schedule, by a container of the workbench")
    schedules: str = option(
        "compact: cron(0 4 * * ? *) compact {table}; "
        "checkpoint: cron(0 5 * * ? *) checkpoint {table}; "
        "changes: cron(0 6 * * ? *) report run 03_change_frequency -p table={table} -p every=1d -p start=-7d; "
        "quality: cron(30 6 ? * MON *) quality {table} --start=-8d",
        "What runs when: name: cron(…) or rate(…), and what `workbench` is told; {table} is the log's name",
        pattern=r"(;?\s*[a-z][a-z0-9-]{0,30}:\s*(cron|rate)\([^)]+\)\s+[^;]+)+",
        example="quality: cron(30 6 ? * MON *) quality {table} --start=-8d",
    )
    timezone: str = option(
        "UTC", "Time zone of the schedules", pattern=r"[A-Za-z_]+(/[A-Za-z_+0-9-]+)*", example="Europe/Berlin"
    )

    alarms: bool = option(True, "A dashboard, alarms, and the topic they go to")
    alarm_email: str = option(
        "", "Who is told of alarms by e-mail", pattern=r"|[^@\s,]+@[^@\s,]+", example="data@example.com"
    )
    scan_alarm_gb: int = option(1000, "Alarm where queries scan more in an hour", between=(1, 7_000_000))

    lake_formation: str = option(
        "",
        "Lake Formation decides who reads the log: ARNs of roles and users that may, with commas between them",
        pattern=r"|arn:aws[\w-]*:iam::\d{12}:[^,\s]+(,\s*arn:[^,\s]+)*",
        example="arn:aws:iam::123456789012:role/Analyst",
    )
    lake_formation_admin: str = option(
        "",
        "ARN of a role that is administrator of the data lake, and lets this account assume it: it opts the readers in",
        pattern=r"|arn:aws[\w-]*:iam::\d{12}:role/[\w+=,.@/-]{1,512}",
        example="arn:aws:iam::123456789012:role/DataLakeAdmin",
    )
    replica_region: str = option(
        "", "A second Region the log is replicated to", pattern=r"|[a-z]{2}(-[a-z]+)+-\d", example="eu-west-1"
    )
    iceberg: bool = option(
        False, "The same changes into an Iceberg table too, for Redshift, EMR or Snowflake; answers come from the log"
    )
    view: str = option(
        "",
        "Attributes, with types, that a flattened view for BI tools has",
        pattern=r"|[^:,]+:(S|N|BOOL)(,\s*[^:,]+:(S|N|BOOL))*",
        example="pk:S,person.age:N,paid:BOOL",
    )
    exports: bool = option(False, "A policy to export the table to exports/ of the bucket, for baselines")
    undo: bool = option(False, "A policy to write the table's items back, for whoever applies undos; nobody has it")
    table_key: str = option(
        "",
        "undo, search=lambda: ARN of the customer's own key that an existing table is encrypted with, where it is",
        pattern=r"|arn:aws[\w-]*:kms:[\w-]+:\d{12}:key/[\w-]{1,128}",
        example="arn:aws:kms:eu-central-1:123456789012:key/1a2b3c4d-0000-0000-0000-000000000000",
    )

    producer_account: str = option(
        "", "cross-account: account of the table and its stream", pattern=r"|\d{12}", example="123456789012"
    )
    consumer_account: str = option("", "cross-account: account of the lake", pattern=r"|\d{12}", example="210987654321")
    region: str = option(
        "", "cross-account: the Region of both", pattern=r"|[a-z]{2}(-[a-z]+)+-\d", example="eu-central-1"
    )

    def __post_init__(self) -> None:
        if self.format == "iceberg":
            raise ConfigError(_NO_ICEBERG_LOG)
        for each in fields(self):
            _check(each, getattr(self, each.name))
        for wrong, why in self._contradictions():
            if wrong:
                raise ConfigError(why)

    def _contradictions(self) -> list[tuple[bool, str]]:
        accounts = (self.producer_account, self.consumer_account, self.region)
        return [
            (
                self.slug in ("primary", "default"),
                f"name={self.name}: Athena and Glue have a workgroup and a database of this name; take another",
            ),
            (
                self.format == "parquet" and self.transform != "envelope",
                f"format=parquet needs transform=envelope, whose columns Firehose can convert, not {self.transform}",
            ),
            (self.format == "parquet" and self.buffer_mb < 64, "format=parquet needs buffer_mb=64 or more"),
            (
                self.transform == "flat" and self.catalog != "crawler",
                f"transform=flat needs catalog=crawler, not {self.catalog}: which columns there are, "
                "only the items tell",
            ),
            (
                bool(self.crawler_schedule) and self.catalog == "table",
                "crawler_schedule needs catalog=crawler or both; catalog is table",
            ),
            (
                bool(self.table or self.generator) and self.keys != [("pk", "S")],
                "partition_key and sort_key are a new table's without a generator: leave them out",
            ),
            (
                len({name for name, _ in self.keys}) < len(self.keys),
                f"sort_key={self.sort_key}: the partition key has this name",
            ),
            *self._contradictions_of_several(),
            (bool(self.table and self.generator), "generator writes into a new table: leave out table or generator"),
            (
                self.archive != "none" and self.reports and not re.search(r"\)\s+compact\s", self.schedules),
                f"archive={self.archive} moves what is compacted, and no schedule compacts: add "
                "compact: cron(0 4 * * ? *) compact {table} to schedules, or leave out archive",
            ),
            (self.production and not self.keep, "keep=false would delete a production log: leave out one of the two"),
            (
                self.production and not self.alarm_email,
                "production=true needs alarm_email: somebody has to be told before the stream forgets changes",
            ),
            (
                self.production and self.streams and self.stream_retention_hours < 72,
                f"production=true needs stream_retention_hours=72 or more, not {self.stream_retention_hours}: what is "
                "not delivered over a weekend would be lost",
            ),
            (
                self.variant == "cross-account" and not all(accounts),
                "variant=cross-account needs producer_account, consumer_account and region",
            ),
            (
                self.variant == "cross-account" and self.producer_account == self.consumer_account,
                "producer_account and consumer_account are the same: take variant=single",
            ),
            *(
                (
                    self.variant == "cross-account" and _place(arn) not in (None, (self.region, self.producer_account)),
                    f"{kind}={arn}: not in region {self.region} of producer_account {self.producer_account}",
                )
                for kind, arn in [("table", self.table), *(("tables", table) for table in self._named)]
            ),
            (
                self.variant == "single" and any(accounts),
                "producer_account, consumer_account and region are for variant=cross-account; otherwise CDK's own "
                "environment decides (AWS_PROFILE, --profile)",
            ),
            (
                self.network == "private"
                and self.transform == "delimiter"
                and not (self.generator or self.reports or self.search != "none"),
                "network=private has nothing to run in it: transform=delimiter has no function",
            ),
            (self.search != "none" and self.variant != "single", f"search={self.search} needs variant=single"),
            (self.exports and self.variant != "single", "exports needs variant=single"),
            (
                self.iceberg and self.variant != "single",
                "iceberg needs variant=single: Firehose writes tables of its own account's catalog",
            ),
            (
                self.iceberg and bool(self.lake_formation),
                "iceberg and lake_formation: nothing grants Firehose and Glue's optimizers the Iceberg table; "
                "leave out one of the two",
            ),
            (
                bool(self.table_key)
                and not ((self.undo and (self.table or self.tables)) or (self.search == "lambda" and self.table)),
                "table_key is an existing table's, for undo and search=lambda: give table and one of them, or leave it "
                "out",
            ),
            (
                bool(self.lake_formation) != bool(self.lake_formation_admin),
                "lake_formation and lake_formation_admin go together: Lake Formation decides for those alone whom an "
                "administrator of the data lake opts in; give both, or neither",
            ),
            (
                bool(self.replica_region) and len(self.replica_bucket("0" * 12)) > 63,
                f"name={self.name}: the replica's bucket, {self.replica_bucket('ACCOUNT')}, would have more than the "
                "63 characters that a bucket's name may have; give a shorter name",
            ),
            (
                self.variant == "cross-account" and len(self.shared_bucket) > 63,
                f"name={self.name}: the bucket {self.shared_bucket} would have more than the 63 characters a bucket's "
                "name may have; give a shorter name",
            ),
            *(
                (
                    len(name) > self._longest_log_name,
                    f"the log's name, {name}, has {len(name)} characters, and names of queries, tables and indexes are "
                    f"made from it: give log=…, of {self._longest_log_name} at most",
                )
                for name in ([log_name(_table_name(each)) for each in self._named] or [self.log_name])
            ),
            (
                self.search == "lambda" and bool(self.table) != bool(self.table_stream),
                "search=lambda needs the existing table's table_stream, and a new table has its own",
            ),
            (bool(self.table_stream) and self.search != "lambda", "table_stream is for search=lambda"),
            (self.search_only and self.search == "none", "search_only=true needs search=firehose or search=lambda"),
            *(
                (self.search_only and self._given(name), f"{name} needs the log: leave out {name} or search_only")
                for name in _OF_LOG
            ),
            *(
                (
                    not self.streams and self._given(name),
                    f"{name} needs a Kinesis stream: with search=lambda and "
                    f"search_only=true there is none; leave out {name}",
                )
                for name in _OF_STREAM
            ),
            (
                self.search != "none" and self.search_nodes > 1 and self.search_nodes % 2 == 1,
                f"search_nodes={self.search_nodes}: give 1, or an even number, for two zones",
            ),
            (bool(self.first_day) and self.begin is None, f"first_day={self.first_day}: there is no such day"),
            (
                bool(self.first_day) and self._given("first_year"),
                "first_day and first_year say the same: leave out one of the two",
            ),
            (bool(self.alarm_email) and not self.alarms, "alarm_email needs alarms=true"),
            (bool(self.view) and self.layout == "flat", "view is for the other layouts: flat is a column an attribute"),
            (bool(self._view_twice), f"view={self.view}: {self._view_twice}"),
            (
                not self.several and not self.log_name[:1].isalpha(),
                f"table {self.table!r} makes no name for a Glue table: give log=…",
            ),
        ]

    def _contradictions_of_several(self) -> list[tuple[bool, str]]:
        if not self.several:
            return [
                (self.stream != "shared", f"stream={self.stream} is for several tables: give tables, or leave it out")
            ]
        names: dict[str, list[str]] = {}
        for table in self._named:
            names.setdefault(log_name(_table_name(table)), []).append(table)
        twice = {name: both for name, both in names.items() if len(both) > 1}
        nameless = [both[0] for name, both in names.items() if not name[:1].isalpha()]
        places = {place for place in map(_place, self._named) if place}
        return [
            *(
                (self._given(name), f"{name} is one table's: leave out {name}, or give one table by table=…")
                for name in _OF_ONE
            ),
            *(
                (
                    True,
                    f"tables: {' and '.join(both)} would both be the log {name}; deploy one of them "
                    "on its own, by -c name=… -c table=…",
                )
                for name, both in twice.items()
            ),
            *(
                (True, f"tables: {table!r} makes no name for a Glue table; deploy it on its own, by table=… and log=…")
                for table in nameless
            ),
            # A table's Kinesis stream is of its own account and Region:
            # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/kds_gettingstarted.html
            (
                len(places) > 1,
                "tables: a stream takes changes of its own account and Region alone; deploy once for each of "
                + ", ".join(sorted("/".join(place) for place in places)),
            ),
            (
                self.stream == "each" and self.variant != "single",
                "stream=each needs variant=single: the other account knows Firehose by one role's name",
            ),
            (
                self.format == "parquet" and bool(self.lake_formation),
                "tables with format=parquet and lake_formation: nothing grants Firehose the columns it converts to; "
                "leave out one of the three",
            ),
            (
                len(self._named) > _MOST_TABLES,
                f"tables: {len(self._named)} are too many for one deployment; give {_MOST_TABLES} at most",
            ),
            *(
                (self.shared and wrong, why)
                for wrong, why in (
                    (
                        self.transform == "delimiter",
                        "transform=delimiter has nothing that tells tables apart in a shared stream: take "
                        "transform=newline, which stores the same, or stream=each",
                    ),
                    # https://docs.aws.amazon.com/firehose/latest/dev/buffering.html
                    (self.buffer_mb < 64, "a shared stream needs buffer_mb=64 or more"),
                    (self.buffer_seconds < 60, "a shared stream needs buffer_seconds=60 or more"),
                )
            ),
        ]

    @cached_property
    def view_columns(self) -> list[ViewColumn]:
        """The columns of the flattened view that are attributes."""
        parts = (part.strip().rpartition(":") for part in self.view.split(",") if part.strip())
        return [ViewColumn(path, column_path(path), kind) for path, _, kind in parts]

    @property
    def _view_twice(self) -> str:
        """Why the columns of the flattened view do not make a view; '' where they do."""
        taken = {"changed_at": "the time of the last change", "image": "the whole item"}
        try:
            for each in self.view_columns:
                if other := taken.get(each.name):
                    return (
                        f"{each.attribute} and {other} are both the column {each.name}, since names of columns "
                        "have no case and dots become _; leave one of them out"
                    )
                taken[each.name] = each.attribute
        except ParameterError as error:
            return str(error)
        return ""

    def _given(self, name: str) -> bool:
        return any(each.name == name and getattr(self, name) != each.default for each in fields(self))

    @cached_property
    def begin(self) -> datetime | None:
        """When the first folder that a query looks into begins, UTC; None where only its year is given."""
        try:
            return datetime.fromisoformat(self.first_day) if self.first_day else None
        except ValueError:  # such as 2026-02-30
            return None

    @cached_property
    def slug(self) -> str:
        """The name as names of buckets, workgroups and roles may be."""
        return self.name.lower()

    def replica_bucket(self, account: str) -> str:
        """Name of the bucket in `replica_region`, which is known before it is there."""
        return f"{self.slug}-replica-{account}-{self.replica_region}"

    @cached_property
    def shared_bucket(self) -> str:
        """Name of the bucket in the account of the lake, of two accounts."""
        return f"{self.slug}-lake-{self.consumer_account}-{self.region}"

    @cached_property
    def database(self) -> str:
        """Name of the Glue database."""
        return self.slug.replace("-", "_")

    @cached_property
    def log_name(self) -> str:
        """Name of the one change log: the folder under ``data/`` and the table in Glue."""
        assert not self.several, "each of `logs` has a name"
        return self.log or log_name(_table_name(self.table)) or self.generator or "items"

    @property
    def several(self) -> bool:
        """Whether several tables are captured (or one of `tables`, which others may join), each into its own log."""
        return bool(self.tables)

    @property
    def shared(self) -> bool:
        """Whether several tables share a stream, in which a record's table tells which log it belongs to."""
        return self.several and self.stream == "shared"

    @cached_property
    def logs(self) -> list[Config]:
        """The same settings for each of `tables` alone, in the order of their logs' names; of one table, itself.

        >>> [each.log_name for each in Config(tables="Orders.eu, customers").logs]
        ['customers', 'orders_eu']
        """
        if not self.several:
            return [self]
        alone = [replace(self, tables="", stream="shared", table=table) for table in self._named]
        return sorted(alone, key=lambda each: each.log_name)

    @cached_property
    def any_log(self) -> str:
        """The log's name as policies have it; of several it is ``*``, so that a table more changes no policy."""
        return "*" if self.several else self.log_name

    @cached_property
    def what(self) -> str:
        """What is captured, as descriptions call it; of several none is named, so that a table more changes none."""
        return "several tables" if self.several else self.log_name

    @property
    def _named(self) -> list[str]:
        return [table.strip() for table in self.tables.split(",") if table.strip()]

    @property
    def _longest_log_name(self) -> int:
        """How many characters names that are made from it leave: a named query's has 128, Firehose's index 80.

        https://docs.aws.amazon.com/athena/latest/APIReference/API_CreateNamedQuery.html,
        https://docs.aws.amazon.com/firehose/latest/APIReference/API_AmazonopensearchserviceDestinationConfiguration.html
        """
        return 80 - len("-changes") if self.search == "firehose" else 101

    @cached_property
    def table_place(self) -> tuple[str, str] | None:
        """Region and account of existing tables, where one is named by its ARN."""
        return next(filter(None, map(_place, [self.table, *self._named])), None)

    @cached_property
    def layout(self) -> str:
        """The layout of the log, as `workbench.aws.catalog` names it."""
        return "raw" if self.transform in ("newline", "delimiter") else self.transform

    @cached_property
    def streams(self) -> bool:
        """Whether changes go through a Kinesis stream, not DynamoDB's own alone."""
        return not (self.search_only and self.search == "lambda")

    @cached_property
    def keys(self) -> list[tuple[str, str]]:
        """Names and types of a new table's key attributes."""
        return [
            (name, kind)
            for name, _, kind in (key.rpartition(":") for key in (self.partition_key, self.sort_key) if key)
        ]


def _table_name(table: str) -> str:
    return table.rpartition("/")[2]


def _place(table: str) -> tuple[str, str] | None:
    match = re.fullmatch(_TABLE_ARN, table)
    return (match[1], match[2]) if match else None


def read_config(context: Mapping[str, Any]) -> Config:
    """Read the settings from CDK context, in which the CDK's own have ``:``, ``@`` or ``/`` in their names.

    Raises
    ------
    ConfigError
        In one line: the setting, the value, and what would do.
    """
    known = {each.name: each for each in fields(Config)}
    given = {name: value for name, value in context.items() if not set(name) & set(":@/")}
    for name in given:
        if name not in known:
            raise ConfigError(f"there is no setting {name!r} (-c {name}=…).{did_you_mean(name, known)}")
    return Config(**{name: _converted(known[name], value) for name, value in given.items()})


def _converted(each: Field[Any], value: Any) -> Any:
    """Turn the text that ``-c`` gives into the setting's type."""
    text = str(value).strip()
    if isinstance(each.default, bool):
        if text.lower() not in _YES + _NO:
            raise ConfigError(f"{each.name}={value}: give true or false")
        return text.lower() in _YES
    if isinstance(each.default, int):
        if not re.fullmatch(r"\d+", text, re.ASCII):
            raise ConfigError(f"{each.name}={value}: give a whole number")
        return int(text)
    return text


def _check(each: Field[Any], value: Any) -> None:
    choices, pattern = each.metadata["choices"], each.metadata["pattern"]
    between, example = each.metadata["between"], each.metadata["example"]
    if choices and value not in choices:
        raise ConfigError(
            f"{each.name}={value}: give one of {', '.join(filter(None, choices))}.{did_you_mean(value, choices)}"
        )
    if pattern and not re.fullmatch(pattern, value):
        raise ConfigError(f"{each.name}={value}: give something like {example}")
    if between and not between[0] <= value <= between[1]:
        raise ConfigError(f"{each.name}={value}: give {between[0]} to {between[1]}")
