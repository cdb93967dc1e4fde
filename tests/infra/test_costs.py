"""The estimate of the README: the tables are those the module prints, and follow what is used."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from infra_cdk import costs


def test_the_readme_has_the_tables_that_the_module_prints():
    assert costs.tables() in Path("infra_cdk/README.md").read_text(encoding="utf-8")


def test_what_costs_by_the_hour_does_not_depend_on_changes_and_the_rest_does():
    nothing = costs.estimate(replace(costs.SMALL, changes=0, queries=0))
    assert round(nothing["Kinesis stream"], 2) == round(730 * 0.04, 2)
    assert nothing["change data capture"] == nothing["Firehose"] == nothing["Athena, queries of a day"] == 0
    once, twice = (costs.estimate(replace(costs.BUSY, changes=changes)) for changes in (10**8, 2 * 10**8))
    assert twice["Firehose"] == 2 * once["Firehose"]
    assert twice["change data capture"] == 2 * once["change data capture"]


def test_records_are_rounded_up_as_aws_does():
    small, large = (costs.estimate(replace(costs.BUSY, item_kb=size))["Firehose"] for size in (0.1, 2))
    assert small == large  # 5 KB a record at least
