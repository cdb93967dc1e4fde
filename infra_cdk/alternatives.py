"""What AWS offers beside this pipeline, with what each costs: ``python -m infra_cdk.alternatives`` prints the table.

Compared is what stands between the table and stored data, a year on, without queries, keys and alarms. A row of Iceberg
is stored as ZSTD Parquet in no order: 1.02 of the gzip JSON, by benchmarks.sizes.
"""

from __future__ import annotations

from dataclasses import dataclass

from infra_cdk.costs import BUSY, DAYS, PRICE, SMALL, Use, estimate

_ICEBERG_SHARE = 1.02
_OPTIMIZER_MINUTES, _OPTIMIZER_DPUS = 10, 2  # a day; assumed, as a crawler's: no page was found that tells
_CHANGE_GB = 1 / 2**20  # in KB


@dataclass(frozen=True)
class Alternative:
    """A way to have a table's changes, or its state, in S3."""

    name: str
    keeps: str
    loses: str
    small: float
    """Dollars a month."""
    busy: float


def alternatives() -> list[Alternative]:
    """Compare them.

    >>> [each.name for each in alternatives()][:2]
    ['this pipeline', '`iceberg=true`, beside it']
    """
    priced = [(_pipeline(use), _beside(use), _upserts(use), _s3_tables(use), _zero_etl(use)) for use in (SMALL, BUSY)]
    texts = [
        (
            "this pipeline",
            "every change with the item before and after; what came twice, late or unreadable, and when",
            "nothing that reached the stream",
        ),
        (
            "`iceberg=true`, beside it",
            "every change, a row each, for Redshift, EMR, Snowflake and Spark",
            "when a change arrived; what could not be read; versions of the table older than five days",
        ),
        (
            "Firehose upserts into Iceberg",
            "the latest state",
            "the past; and where changes come out of order, the state: the last to arrive stays, not the last made",
        ),
        (
            "S3 Tables, appended to by Firehose",
            "every change, a row each; S3 keeps its files in order itself",
            "as `iceberg=true`; its buckets are no folder that can be copied, replicated or asked as objects",
        ),
        (
            "zero-ETL, or incremental exports",
            "the state, every quarter of an hour at best",
            "changes between two of them; by what an item was deleted; anything older than point-in-time recovery's 35 "
            "days that was not exported. What writes the target is not in the figures",
        ),
    ]
    return [Alternative(*text, *costs) for text, *costs in zip(texts, *priced, strict=True)]


def table() -> str:
    """Write the table of the README."""
    lines = ["| | keeps | loses | small, a month | busy, a month |", "|---|---|---|--:|--:|"]
    lines += [
        f"| {each.name} | {each.keeps} | {each.loses} | ${each.small:,.2f} | ${each.busy:,.2f} |"
        for each in alternatives()
    ]
    return "\n".join(lines)


def _pipeline(use: Use) -> float:
    lines = estimate(use)
    named = ("change data capture", "Kinesis stream", "Firehose", "Lambda", "S3, after a year")
    return sum(lines[name] for name in named)


def _captured(use: Use) -> float:
    """Price what brings the changes to a Firehose of their own, and the function it calls."""
    lines = estimate(use)
    return lines["change data capture"] + lines["Kinesis stream"] + lines["Lambda"]


def _optimized() -> float:
    return DAYS * _OPTIMIZER_MINUTES / 60 * _OPTIMIZER_DPUS * PRICE["Glue optimizer"]


def _beside(use: Use) -> float:
    """Price what is added: a second reader and Firehose, a function, the rows, and who joins their files."""
    return (
        use.raw_gb * PRICE["Kinesis on-demand out"]
        + use.raw_gb * PRICE["Firehose to Iceberg"]
        + estimate(use)["Lambda"]
        + use.log_gb * _ICEBERG_SHARE * PRICE["S3 Standard"]
        + _optimized()
    )


def _upserts(use: Use) -> float:
    return (
        _captured(use)
        + use.raw_gb * PRICE["Firehose to Iceberg"]
        + use.state_gb * _ICEBERG_SHARE * PRICE["S3 Standard"]
        + _optimized()
    )


def _s3_tables(use: Use) -> float:
    rows = use.log_gb * _ICEBERG_SHARE
    return (
        _captured(use)
        + use.raw_gb * PRICE["Firehose to Iceberg"]
        + rows * PRICE["S3 Tables"]
        + rows / use.months * PRICE["S3 Tables, compaction"]
    )


def _zero_etl(use: Use) -> float:
    """Price recovery to any point in time, and exports of what changed: each changed item once a window at most."""
    items_gb = use.items * use.item_kb * _CHANGE_GB
    changed_gb = use.changes * use.item_kb * _CHANGE_GB
    return items_gb * PRICE["DynamoDB point-in-time recovery"] + changed_gb * PRICE["DynamoDB export"]


if __name__ == "__main__":
    print(table())
