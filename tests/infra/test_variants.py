"""The seven variants that the README gives in full: each row is the variant of its name, and makes what the row says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from infra_cdk.config import read_config
from infra_cdk.variants import VARIANTS
from tests.infra.conftest import only, resources

_TABLE = Path("infra_cdk/README.md").read_text(encoding="utf-8").partition("\n| variant | what | give |\n")[2]
ROWS = {
    name: dict(each.split("=", 1) for flag, each in zip(*[iter(shlex.split(given))] * 2, strict=True) if flag == "-c")
    for name, given in re.findall(r"^\| `([\w-]+)` \|.*\| `(.*)` \|$", _TABLE.partition("\n\n")[0], re.MULTILINE)
}
FLAT = ["private-flat", "cross-account-private-flat"]


def test_there_are_seven_rows():
    assert len(ROWS) == 7 == _TABLE.partition("\n\n")[0].count("\n|")  # the first line of these is the ruler


@pytest.mark.parametrize("name", ROWS)
def test_a_row_gives_exactly_what_its_variant_is_given_and_it_is_synthesised(variants, name):
    assert ROWS[name] == VARIANTS[name]
    read_config(ROWS[name])
    made = variants[name]
    assert made.findings == []
    assert len(made.templates) == (2 if "variant" in ROWS[name] else 1)


def test_the_crawler_runs_every_night_and_there_is_no_explicit_table(variants):
    assert only(variants["crawler"], "AWS::Glue::Crawler")["Schedule"] == {"ScheduleExpression": "cron(15 3 * * ? *)"}
    assert resources(variants["crawler"], "AWS::Glue::Table") == {}


def test_heart_rates_have_an_explicit_table_and_the_named_query_over_it(variants):
    made = variants["generator-heartrate"]
    assert only(made, "AWS::Glue::Table")["TableInput"]["Name"] == "heartrate"
    assert resources(made, "AWS::Glue::Crawler") == {}
    (query,) = [
        each["Properties"]["QueryString"]
        for each in resources(made, "AWS::Athena::NamedQuery").values()
        if each["Properties"]["Name"].endswith("heart rates over 120")
    ]
    assert "heartrate" in str(query)


@pytest.mark.parametrize("name", FLAT)
def test_the_private_flat_pipeline_is_as_its_row_says_in_one_account_and_in_two(variants, name):
    made = variants[name]
    assert only(made, "AWS::Kinesis::Stream")["ShardCount"] == 10
    target = only(made, "AWS::KinesisFirehose::DeliveryStream")["ExtendedS3DestinationConfiguration"]
    assert target["BufferingHints"] == {"IntervalInSeconds": 120, "SizeInMBs": 1}
    function = only(made, "AWS::Lambda::Function", "Transform")
    assert function["Environment"]["Variables"]["MODE"] == "flat"
    assert len(function["VpcConfig"]["SubnetIds"]) == 2
    assert [kind for kind in ("AWS::EC2::NatGateway", "AWS::EC2::InternetGateway") if resources(made, kind)] == []
    (crawler,) = resources(made, "AWS::Glue::Crawler")
    (network,) = resources(made, "AWS::EC2::VPC")
    assert (crawler.partition("/")[0], network.partition("/")[0]) == (
        ("Workbench", "Workbench") if name == "private-flat" else ("WorkbenchConsumer", "WorkbenchProducer")
    )


@pytest.mark.parametrize(("name", "streams", "mappings"), [("search-firehose", 2, 0), ("search-lambda", 1, 1)])
def test_search_is_fed_as_its_row_says(variants, name, streams, mappings):
    counted = {
        kind: len(resources(variants[name], kind))
        for kind in (
            "AWS::OpenSearchService::Domain",
            "AWS::KinesisFirehose::DeliveryStream",
            "AWS::Lambda::EventSourceMapping",
        )
    }
    assert list(counted.values()) == [1, streams, mappings]
