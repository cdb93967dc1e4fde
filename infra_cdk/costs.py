"""Estimates what the pipeline costs a month: ``python -m infra_cdk.costs`` prints the tables of the README.

Prices are on-demand list prices of us-east-1 in dollars, without free tiers, taxes or transfer. How sizes are rounded
is AWS's: Kinesis to 1 KB a record, Firehose to 5 KB a record, change data capture to 1 KB of the item.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

HOURS = 730
_KB = 1 / 2**20  # in GB

PRICES: dict[str, tuple[float, str]] = {
    "DynamoDB change data capture": (0.10, "a million units of 1 KB"),
    "Kinesis on-demand stream": (0.04, "an hour"),
    "Kinesis on-demand in": (0.08, "a GB"),
    "Kinesis on-demand out": (0.04, "a GB, each reader"),
    "Kinesis shard": (0.015, "an hour"),
    "Firehose": (0.029, "a GB"),
    "Firehose to Parquet": (0.018, "a GB more"),
    "Lambda (ARM)": (0.0000133334, "a GB-second"),
    "Lambda requests": (0.20, "a million"),
    "S3 Standard": (0.023, "a GB a month"),
    "S3 PUT": (0.005, "a thousand"),
    "Athena": (5.0, "a TB scanned, 10 MB at least a query"),
    "KMS key": (1.0, "a month"),
    "CloudWatch alarm": (0.10, "a month"),
    "CloudWatch logs": (0.50, "a GB"),
    "VPC endpoint": (0.01, "an hour, each zone"),
    "Firehose into a VPC": (0.01, "an hour, each zone"),
    "OpenSearch t3.small": (0.036, "an hour"),
    "OpenSearch disk (gp3)": (0.122, "a GB a month"),
    "Fargate vCPU": (0.04048, "an hour"),
    "Fargate memory": (0.004445, "a GB an hour"),
}  # fmt: skip


@dataclass(frozen=True)
class Use:
    """What a table and its analysts do in a month."""

    changes: int
    item_kb: float
    """Size of an item; a record has the old image and the new one, and half a KB beside."""
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
    def log_gb(self) -> float:
        """Size of the log by now."""
        return self.changes * self.record_kb * self.stored_share * self.months * _KB


SMALL, BUSY = Use(changes=1_000_000, item_kb=1, queries=200), Use(changes=300_000_000, item_kb=1, queries=1_000)


def estimate(use: Use) -> dict[str, float]:
    """Estimate the default variant, without the table itself: dollars a month by line."""
    price = {name: dollars for name, (dollars, _) in PRICES.items()}
    millions = use.changes / 1e6
    raw = use.changes * use.record_kb * _KB
    calls = max(HOURS * 60, raw * 1024)  # a buffer of a minute, or of 1 MB
    scanned = max(0.01, use.log_gb / use.months / 30) / 1024  # a day's partitions, in TB
    return {
        "change data capture": millions * ceil(use.item_kb) * price["DynamoDB change data capture"],
        "Kinesis stream": HOURS * price["Kinesis on-demand stream"]
        + use.changes * ceil(use.record_kb) * _KB * price["Kinesis on-demand in"]
        + raw * price["Kinesis on-demand out"],
        "Firehose": use.changes * 5 * ceil(use.record_kb / 5) * _KB * price["Firehose"],
        "Lambda": use.changes / 7.1 / 1024 * price["Lambda (ARM)"] + calls / 1e6 * price["Lambda requests"],
        "S3, after a year": use.log_gb * price["S3 Standard"] + HOURS * 12 / 1000 * price["S3 PUT"],
        "Athena, queries of a day": use.queries * scanned * price["Athena"],
        "KMS, alarms, logs": price["KMS key"] + 11 * price["CloudWatch alarm"]
        + calls * 400 / 2**30 * price["CloudWatch logs"],
    }  # fmt: skip


def hourly() -> dict[str, tuple[float, str]]:
    """Say what costs money whether or not anything changes: dollars a month, and what it is."""
    price = {name: dollars for name, (dollars, _) in PRICES.items()}
    return {
        "the Kinesis stream": (HOURS * price["Kinesis on-demand stream"],
                               f"on demand; with stream_shards=1, ${HOURS * price['Kinesis shard']:.0f}"),
        "network=private with reports": (5 * 2 * HOURS * price["VPC endpoint"],
                                         "five interface endpoints in two zones; without reports there are none"),
        "search": (HOURS * price["OpenSearch t3.small"] + 20 * price["OpenSearch disk (gp3)"],
                   "one t3.small.search with 20 GB"),
        "search=firehose with network=private": (2 * HOURS * price["Firehose into a VPC"], "Firehose in two zones"),
        "reports": (34 * 10 / 60 * (price["Fargate vCPU"] + 4 * price["Fargate memory"]),
                    "only while they run: 34 times 10 minutes"),
    }  # fmt: skip


def tables() -> str:
    """Write the tables of the README."""
    small, busy = estimate(SMALL), estimate(BUSY)
    lines = ["| a month | small: 1 M changes, 200 queries | busy: 300 M changes, 1,000 queries |", "|---|--:|--:|"]
    lines += [f"| {name} | ${small[name]:,.2f} | ${busy[name]:,.2f} |" for name in small]
    lines += [f"| **all** | **${sum(small.values()):,.0f}** | **${sum(busy.values()):,.0f}** |", ""]
    lines += ["| by the hour | a month | |", "|---|--:|---|"]
    lines += [f"| {name} | ${dollars:,.2f} | {about} |" for name, (dollars, about) in hourly().items()]
    lines += ["", "| assumed | $ | |", "|---|--:|---|"]
    lines += [f"| {name} | {f'{dollars:.10f}'.rstrip('0').rstrip('.')} | {unit} |"
              for name, (dollars, unit) in PRICES.items()]  # fmt: skip
    return "\n".join(lines)


if __name__ == "__main__":
    print(tables())
