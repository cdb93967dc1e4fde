"""The estimate of the README: it is what the module prints, and what the arithmetic gives when written out by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from infra_cdk import alternatives, costs
from infra_cdk.config import Config
from infra_cdk.stacks.reports import scheduled
from infra_cdk.variants import VARIANTS
from tests.helpers.lakes import in_four_columns
from tests.infra.conftest import only, resources
from workbench.aws.projection import count_projected
from workbench.aws.table_definitions import table_input

README = Path("infra_cdk/README.md")


def test_the_readme_has_the_tables_that_the_module_prints():
    assert costs.tables() in README.read_text(encoding="utf-8")


def test_the_readme_names_every_price_that_no_page_confirms():
    text = README.read_text(encoding="utf-8").partition("\n## Costs\n")[2].partition("\n| a month |")[0]
    unconfirmed = [name for name, price in costs.PRICES.items() if not price.page]
    assert unconfirmed
    assert [name for name in unconfirmed if f"`{name}`" not in text] == []
    assert all(price.as_of for price in costs.PRICES.values() if price.page)


# A small table, a month: 1,000,000 changes of items of 1 KB are records of 2.5 KB, 2.38 GB of them, which fill
# 0.31 GB (13 %) of the log, in 8,760 objects: one every five minutes. 30.42 days, 730 hours, a year of it is kept.
SMALL = {
    "change data capture": 0.10,  # 1 M units of 1 KB at 0.10
    "Kinesis stream": 29.20 + 2.861 * 0.08 + 2.384 * 0.04,  # 730 h at 0.04; in: 3 KB a record; out: 2.5 KB
    "Firehose": 4.768 * 0.029,  # 5 KB a record
    "Lambda": 307.9 * 0.0000133334 + 0.0438 * 0.20,  # 2,441 MB at 7.93 MB a GB-second; 43,800 minutes
    "S3, after a year": 3.719 * 0.023 + 8.76 * 0.005,  # 12 times 0.31 GB; 8,760 objects
    # 200 questions of a day, 10.4 MB, which is read twice; each time 24 hours are listed and 288 objects got
    "Athena, queries of a day": 400 * (9.950e-6 * 5 + 0.024 * 0.005 + 0.288 * 0.0004),
    "KMS": 2 + 3.504 * 0.03,  # once rotated; 4 users, 8,760 times five minutes each
    "alarms, dashboard, logs": 11 * 0.10 + 3 + 0.02089 * 0.50,  # half a KB for each of 43,800 calls
}
# A busy one: 300 times that, 715.3 GB of records; the log grows by 92.98 GB a month, in 11,444 objects of 64 MB.
BUSY = {
    "change data capture": 30.00,
    "Kinesis stream": 29.20 + 858.31 * 0.08 + 715.26 * 0.04,
    "Firehose": 1430.5 * 0.029,
    "Lambda": 92_358 * 0.0000133334 + 0.7324 * 0.20,  # a call a MB
    "S3, after a year": 1115.8 * 0.023 + 11.444 * 0.005,
    "Athena, queries of a day": 2000 * (3.0570 / 1024 * 5 + 0.024 * 0.005 + 0.3762 * 0.0004),
    "KMS": 2 + 3.504 * 0.03,
    "alarms, dashboard, logs": 11 * 0.10 + 3 + 0.34925 * 0.50,
}


@pytest.mark.parametrize(("use", "by_hand", "total"), [(costs.SMALL, SMALL, 36.24), (costs.BUSY, BUSY, 261.83)])
def test_the_estimates_are_what_the_arithmetic_gives_by_hand(use, by_hand, total):
    estimated = costs.estimate(use)
    assert estimated == pytest.approx(by_hand, rel=1e-3)
    assert sum(estimated.values()) == pytest.approx(total, abs=0.02)


def test_what_reports_add_is_what_the_arithmetic_gives_by_hand():
    small, busy = costs.added(costs.SMALL), costs.added(costs.BUSY)
    # 30.42 reports and 4.345 checks of 10 minutes, 60.83 checkpoints and compactions of 2: 7.822 hours of 1 vCPU, 4 GB
    tasks = 7.822 * (0.04048 + 4 * 0.004445) + 0.5 * 0.10 + 95.6 / 730 * 20 * 0.30
    assert small["reports=true: tasks, image, metrics"] == pytest.approx(tasks, rel=1e-3)
    assert busy["reports=true: tasks, image, metrics"] == pytest.approx(tasks, rel=1e-3)
    # a day's changes, and 100,000 (10 M) states of 2.5 KB at 13 % and 0.65 of that, each four times, once a day
    assert small["reports=true: a checkpoint a day"] == pytest.approx(
        30.417 * 4 * ((0.010189 + 0.65 * 0.030994) / 1024 * 5 + 0.024 * 0.005 + 0.288 * 0.0004), rel=1e-3
    )
    assert busy["reports=true: a checkpoint a day"] == pytest.approx(
        30.417 * 4 * ((3.0570 + 0.65 * 3.0994) / 1024 * 5 + 0.024 * 0.005 + 0.3762 * 0.0004), rel=1e-3
    )
    # a day's objects and, 0.67 times as large, what is made of them, read twice (or four times the least), and ten
    # written, once a day; after a year 0.67 times the log is stored beside it
    compaction = "reports=true: compaction every day, and a year of it"
    assert small[compaction] == pytest.approx(
        30.417 * (4 * 10 / 1024 / 1024 * 5 + 2 * (0.024 * 0.005 + 0.288 * 0.0004) + 0.010 * 0.005)
        + 3.719 * 0.67 * 0.023,
        rel=1e-3,
    )
    assert busy[compaction] == pytest.approx(
        30.417 * (2 * (1.65 * 3.0570 / 1024 * 5 + 0.024 * 0.005 + 0.3762 * 0.0004) + 0.010 * 0.005)
        + 1115.8 * 0.67 * 0.023,
        rel=1e-3,
    )
    # 30.417 times 8 reads of 7 days, and 4.3452 times 8 of 8 days and 6 of a checkpoint
    reads = {"daily": 30.417 * 8 * 7, "weekly": 4.3452 * 8 * 8, "checkpoints": 4.3452 * 6 * 0.65}
    assert small["reports=true: reports of 7 and 8 days"] == pytest.approx(
        (reads["daily"] + reads["weekly"]) * (0.010189 / 1024 * 5 + 0.024 * 0.005 + 0.288 * 0.0004)
        + reads["checkpoints"] * 0.030994 / 1024 * 5,
        rel=1e-3,
    )
    assert busy["reports=true: reports of 7 and 8 days"] == pytest.approx(
        (reads["daily"] + reads["weekly"]) * (3.0570 / 1024 * 5 + 0.024 * 0.005 + 0.3762 * 0.0004)
        + reads["checkpoints"] * 3.0994 / 1024 * 5,
        rel=1e-3,
    )


def test_what_compaction_and_the_archive_change_of_a_year_is_what_the_arithmetic_gives_by_hand():
    assert list(costs.after_a_year(costs.BUSY).values()) == pytest.approx(
        [
            2 * (1115.8 / 1024 * 5 + 137.33 * 0.0004 + 8.760 * 0.005),  # objects; hours; read twice
            3 * ((3.0570 + 0.65 * 3.0994) / 1024 * 5 + 0.3762 * 0.0004 + 0.024 * 0.005),  # a day, and a checkpoint
            1115.8 * 0.67 / 1024 * 5 + 3.650 * 0.0004 + 0.365 * 0.005,  # ten objects a day; days
            1115.8 * 0.023,
            1115.8 * 0.004 + 1115.8 * 0.67 * 0.023,  # objects of 8 MB
        ],
        rel=1e-3,
    )
    *_, in_s3, archived = costs.after_a_year(costs.SMALL).values()  # objects of 37 KB stay where they are
    assert archived == pytest.approx(in_s3 * 1.67)


def test_alternatives_are_priced_as_the_arithmetic_gives_by_hand_and_are_in_the_readme():
    found = {each.name: (each.small, each.busy) for each in alternatives.alternatives()}
    # 10 minutes of 2 DPUs a day; rows are 1.02 times the log; 715.26 GB of records a month
    optimized = 30.417 * 10 / 60 * 2 * 0.44
    captured = 30.00 + 29.20 + 858.31 * 0.08 + 715.26 * 0.04 + 92_358 * 0.0000133334 + 0.7324 * 0.20
    beside = 715.26 * (0.04 + 0.075) + 92_358 * 0.0000133334 + 0.7324 * 0.20 + 1115.8 * 1.02 * 0.023 + optimized
    assert found["this pipeline"][1] == pytest.approx(captured + 1430.5 * 0.029 + 1115.8 * 0.023 + 0.0572, rel=1e-3)
    assert found["`iceberg=true`, beside it"][1] == pytest.approx(beside, rel=1e-3)
    upserts = captured + 715.26 * 0.075 + 3.0994 * 1.02 * 0.023 + optimized
    assert found["Firehose upserts into Iceberg"][1] == pytest.approx(upserts, rel=1e-3)
    tables = captured + 715.26 * 0.075 + 1115.8 * 1.02 * 0.0265 + 92.98 * 1.02 * 0.005
    assert found["S3 Tables, appended to by Firehose"][1] == pytest.approx(tables, rel=1e-3)
    # 10 M items of 1 KB are 9.54 GB; 300 M changes of 1 KB, 286.1
    exports = 9.537 * 0.20 + 286.1 * 0.10
    assert found["zero-ETL, or incremental exports"][1] == pytest.approx(exports, rel=1e-3)
    assert all(0 < small < busy for small, busy in found.values())
    assert alternatives.table() in README.read_text(encoding="utf-8")


def test_before_and_after_are_what_the_arithmetic_gives_by_hand():
    busy, small = (list(costs.before_and_after(use).values()) for use in (costs.BUSY, costs.SMALL))
    scanned, got = 1115.8 / 1024 * 5, 137.33 * 0.0004
    assert busy == [
        pytest.approx(each, rel=1e-3)
        for each in (
            (89.280 * 0.005, 8.760 * 0.005),  # 10 years of 12 months of 31 days of 24 hours; 365 days
            (scanned + got + 89.280 * 0.005, scanned + got + 8.760 * 0.005),
            (2 * (scanned + got + 8.760 * 0.005), 0.67 * scanned + 3.650 * 0.0004 + 0.365 * 0.005),
            tuple(
                3 * ((3.0570 + share * 3.0994) / 1024 * 5 + 0.3762 * 0.0004 + 0.024 * 0.005) for share in (1.24, 0.65)
            ),
            (1115.8 * 1.88 * 0.023, 1115.8 * 1.07 * 0.023),
            (126.47, 26.10),
        )
    ]
    assert small == [
        pytest.approx(each, rel=1e-3)
        for each in (
            (0.4464, 0.0438),
            (0.018159 + 105.12 * 0.0004 + 0.4464, 0.018159 + 105.12 * 0.0004 + 0.0438),  # 3.719 GB
            (2 * (0.018159 + 105.12 * 0.0004 + 0.0438), 0.67 * 0.018159 + 3.650 * 0.0004 + 0.365 * 0.005),
            tuple(
                3 * ((0.010189 + share * 0.030994) / 1024 * 5 + 0.288 * 0.0004 + 0.024 * 0.005)
                for share in (1.24, 0.65)
            ),
            (3.719 * 1.88 * 0.023, 3.719 * 1.07 * 0.023),
            (29.52, 10.964),
        )
    ]


def test_the_folders_that_are_listed_are_those_that_a_table_declares_and_version_0_2_declared(variants):
    table = only(variants["single"], "AWS::Glue::Table")["TableInput"]
    columns = [each["Name"] for each in table["PartitionKeys"]]
    after_a_year = datetime(
        2025, 12, 31, 23, 59
    )  # of a log that began with the year from which folders are looked into
    assert count_projected(columns, table["Parameters"], after_a_year) == costs.HOURLY_FOLDERS == 8_760
    spans = {"year": "2025,2034", "month": "1,12", "day": "1,31", "hour": "0,23"}
    declared = {f"projection.{name}.range": span for name, span in spans.items()}
    declared |= {f"projection.{name}.type": "integer" for name in spans}
    assert count_projected(spans, declared, after_a_year) == costs.COMBINED_FOLDERS == 89_280


def test_streams_are_what_the_arithmetic_gives_by_hand_and_shards_have_room():
    assert list(costs.streams(costs.SMALL).values()) == pytest.approx(
        [
            29.20 + 2.861 * 0.08 + 2.384 * 0.04,
            29.20 + 2.861 * 0.08 + 2.384 * 0.04 + 2.384 * 48 / 730 * 0.10,
            730 * 0.015 + 1 * 0.014,
            730 * 0.015 + 1 * 0.014 + 730 * 0.02,
        ],
        rel=1e-3,
    )
    assert list(costs.streams(costs.BUSY).values()) == pytest.approx(
        [126.47, 126.47 + 715.26 * 48 / 730 * 0.10, 2 * 10.95 + 300 * 0.014, 2 * 10.95 + 300 * 0.014 + 2 * 14.60],
        rel=1e-3,
    )
    large = replace(costs.BUSY, item_kb=13)  # records of 26.5 KB are two PUT units
    assert costs.streams(large)["stream_shards=1 (busy: 2)"] == pytest.approx(2 * 10.95 + 600 * 0.014)
    for use in (costs.SMALL, costs.BUSY):  # ten times as much in a busy hour as in others
        assert 10 * use.changes / (730 * 3600) < use.shards * 1000
        assert 2 * use.raw_gb * 1024 / (730 * 3600) < use.shards


def test_what_other_settings_add_is_what_the_arithmetic_gives_by_hand():
    found = {name: cost for name, cost in costs.added(costs.BUSY).items() if not name.startswith("reports")}
    assert found == pytest.approx(
        {
            "format=parquet": 1430.5 * 0.018,
            "search=firehose: a second reader and Firehose": 715.26 * 0.04 + 41.48,
            "the table's own writes, to compare": 300 * 0.625,
        },
        rel=1e-3,
    )
    dollars = {name: cost for name, (cost, _) in costs.hourly().items()}
    assert dollars["network=private with reports"] == pytest.approx(5 * 2 * 730 * 0.01)
    assert dollars["search"] == pytest.approx(730 * 0.036 + 20 * 0.122)
    assert dollars["search=firehose with network=private"] == pytest.approx(2 * 730 * 0.01)
    assert dollars["catalog=crawler, run every day"] == pytest.approx(30.417 * 2 * 0.44 / 6, rel=1e-3)


def test_what_costs_by_the_hour_does_not_depend_on_changes_and_the_rest_does():
    nothing = {name: cost for name, cost in costs.estimate(replace(costs.SMALL, changes=0, queries=0)).items() if cost}
    assert {name: round(cost, 2) for name, cost in nothing.items()} == {
        "Kinesis stream": 29.20,
        "KMS": 2.11,
        "alarms, dashboard, logs": 4.10,
    }
    once, twice = (costs.estimate(replace(costs.BUSY, changes=changes)) for changes in (10**8, 2 * 10**8))
    assert twice["Firehose"] == 2 * once["Firehose"]
    assert twice["change data capture"] == 2 * once["change data capture"]


def test_sizes_are_rounded_up_as_aws_does():
    def line(name: str, item_kb: float) -> float:
        use = replace(costs.BUSY, item_kb=item_kb)
        return (costs.estimate(use) | costs.added(use))[name]

    assert line("Firehose", 0.1) == line("Firehose", 2.25)  # records of 0.7 and of 5 KB
    assert line("Firehose", 2.3) == 2 * line("Firehose", 2.25)  # of 5.1 KB
    for name in ("change data capture", "the table's own writes, to compare"):
        assert line(name, 0.1) == line(name, 1)
        assert line(name, 1.01) == 2 * line(name, 1)
    tiny = costs.estimate(replace(costs.SMALL, changes=1, queries=1024 * 1024))["Athena, queries of a day"]
    # 10 MB a query at least, of which a question is two, a list of each of 24 hours, and what there is to get: an object a month
    assert tiny == pytest.approx(2 * 10 * 5 + 2 * 2**20 * (24 * 0.005 + 0.0004 / 30.417) / 1000, rel=1e-3)


def test_several_tables_are_what_the_arithmetic_gives_by_hand():
    """Of twenty small tables, 47.68 GB of records; on demand, and one shard each, or for all."""
    stream, shard = 29.20 + 2.861 * 0.08 + 2.384 * 0.04, 730 * 0.015 + 0.014  # a PUT unit a change
    firehose, key, users = 20 * 4.768 * 0.029, 2, 0.876 * 0.03  # of each, five minutes in a month
    queries = 3 + 41 * 0.10  # a dashboard; two alarms of each, and one of what all scan
    told = 47.68 * 0.02 + 20 * 8.76 * 0.005
    by_hand = {
        "a deployment each": [20 * (one + key + 4 * users + 3 + 11 * 0.10) + firehose for one in (stream, shard)],
        "tables, stream=each": [
            20 * one + firehose + key + 42 * users + queries + 103 * 0.10 for one in (stream, shard)
        ],
        "tables, a stream for all (the default)": [
            one + firehose + told + key + 4 * users + queries + 9 * 0.10
            for one in (29.20 + 57.22 * 0.08 + 47.68 * 0.04, 730 * 0.015 + 20 * 0.014)
        ],
        "not offered: a stream for all, that a Firehose stream each reads whole": [
            one + 20 * firehose + key + 23 * users + queries + 46 * 0.10
            for one in (29.20 + 57.22 * 0.08 + 20 * 47.68 * 0.04, 730 * 0.015 + 20 * 0.014)
        ],
    }
    found = costs.several([costs.SMALL] * 20)
    assert {name: pytest.approx(dollars, rel=1e-3) for name, dollars in by_hand.items()} == {
        name: list(dollars) for name, dollars in found.items()
    }
    prose = README.read_text(encoding="utf-8").partition("\n## Several tables\n")[2].partition("\n## ")[0]
    alone, each, shared, _ = (round(dollars) for dollars, _ in found.values())
    assert (
        f"cost ${shared} a month with one stream for all, ${each} with one each and\n${alone} in a deployment" in prose
    )
    *_, (mixed, _), (whole, _) = costs.several(costs.TWENTY["a busy one and 19 small ones"]).values()
    assert f"that is ${whole:,.0f} instead of ${mixed:,.0f}." in prose


def test_what_is_counted_is_what_is_deployed(variants):
    alarms = [each["Properties"] for each in resources(variants["single"], "AWS::CloudWatch::Alarm").values()]
    queries = [alarm for alarm in alarms if "SELECT" in str(alarm.get("Metrics", ""))]
    assert (len(alarms) - len(queries), len(queries)) == (costs.ALARMS, costs.QUERY_ALARMS)
    assert len(resources(variants["single"], "AWS::CloudWatch::Dashboard")) == 1
    assert len(resources(variants["single"], "AWS::KMS::Key")) == 1
    endpoints = [
        each["Properties"]
        for each in resources(variants["private"], "AWS::EC2::VPCEndpoint").values()
        if each["Properties"].get("VpcEndpointType") == "Interface"
    ]
    assert [len(each["SubnetIds"]) for each in endpoints] == [costs.ZONES] * costs.ENDPOINTS
    assert VARIANTS["private"]["reports"] == "true"


def test_reports_are_estimated_as_they_are_scheduled():
    assert {each.command[0]: each.when for each in scheduled(Config())} == {
        "compact": "cron(0 4 * * ? *)",
        "checkpoint": "cron(0 5 * * ? *)",
        "report": "cron(0 6 * * ? *)",
        "quality": "cron(30 6 ? * MON *)",
    }
    told = {each.command[0]: each.command[-1] for each in scheduled(Config())}
    assert (told["report"], told["quality"]) == ("start=-7d", "--start=-8d")
    notebook = Path("notebooks/03_change_frequency.ipynb").read_text(encoding="utf-8")
    assert notebook.count("wb.change_frequency(") == costs.REPORT.queries - 1


def test_folders_that_are_listed_are_those_that_tables_project():
    new = table_input("items", "s3://lake/data/items/", first=datetime(2026, 1, 1))
    for table, folders in ((in_four_columns(new, 2026), costs.COMBINED_FOLDERS), (new, costs.HOURLY_FOLDERS)):
        names = [column["Name"] for column in table["PartitionKeys"]]
        assert count_projected(names, table["Parameters"], datetime(2026, 12, 31, 23, 30)) == folders
