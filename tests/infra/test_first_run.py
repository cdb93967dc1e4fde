"""The page of the first hour on AWS: what it deploys has the outputs it names, and its steps and costs are the program's."""

from __future__ import annotations

import re
import shlex
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest

from infra_cdk import costs
from infra_cdk.config import read_config
from infra_cdk.synth import Synthesised, synthesise
from tests.engines.athena.test_aws_smoke import STEPS
from tests.infra.conftest import only, resources

PAGE = Path("docs/first-run-on-aws.md").read_text(encoding="utf-8")


def context(verb: str) -> dict[str, str]:
    """The settings that a command of the page gives the CDK."""
    (line,) = re.findall(rf"^npx aws-cdk\S+ {verb} (.*)$", PAGE, re.MULTILINE)
    words = shlex.split(line)
    return dict(value.split("=", 1) for flag, value in pairwise(words) if flag == "-c")


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Synthesised:
    return synthesise(context("deploy"), tmp_path_factory.mktemp("trial"))


def test_the_outputs_that_are_named_are_there_and_so_are_the_names_in_workbench_toml(trial):
    (template,) = trial.templates.values()
    named = PAGE.partition("use `TableName`")[2].partition(".")[0]
    outputs = {"TableName", *re.findall(r"`(\w+)`", named)}
    assert len(outputs) == 8
    assert outputs <= set(template["Outputs"])
    (block,) = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    told, config = tomllib.loads(block), read_config(context("deploy"))
    assert (told["database"], told["workgroup"]) == (config.database, config.slug)
    assert set(told["table_names"].values()) == {config.log_name}
    assert only(trial, "AWS::Athena::WorkGroup")["Name"] == told["workgroup"]


def test_it_is_taken_down_by_what_it_was_deployed_with_and_leaves_nothing(trial):
    assert context("destroy") == context("deploy")
    kept = [name for name, each in resources(trial).items() if each.get("DeletionPolicy", "Delete") != "Delete"]
    assert kept == []


def test_its_steps_are_those_of_the_report_and_its_costs_those_of_the_program():
    steps = re.findall(r"^\| (`smoke: .*?) \|", PAGE, re.MULTILINE)
    told = [name for each in steps for name in re.findall(r"`smoke: ([\w ]+)`", each)]
    assert told == [*STEPS, "removal", "state after it", "cost"]
    assert costs.first_run_table() in PAGE


def test_the_hour_costs_what_the_arithmetic_gives_by_hand():
    dollars = [each for each, _ in costs.first_run().values()]
    assert dollars == pytest.approx(
        [
            0.04,
            (1 + 11 * 0.10 + 3) / 730,
            60 * 10 / 1024 / 1024 * 5,
            100 * (0.625 + 0.10) / 1e6,
            60 * 200 * 0.0004 / 1000 + 0.005,
        ]
    )
