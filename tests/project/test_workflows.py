"""The workflows run what anyone can run here: targets of the Makefile."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

HERE = Path(__file__).parents[2]
WORKFLOWS = sorted((HERE / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z-]+):", (HERE / "Makefile").read_text(), re.MULTILINE))


def steps(workflow: Path) -> list[dict[str, Any]]:
    jobs = yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"]
    return [step for job in jobs.values() for step in job["steps"]]


def commands(workflow: Path) -> list[str]:
    return [step["run"] for step in steps(workflow) if "run" in step]


def test_linters_fast_tests_all_tests_trino_and_docs_are_run():
    made = {workflow.stem: commands(workflow) for workflow in WORKFLOWS}
    assert made == {
        name: [f"make {target}"]
        for name, target in {
            "docs": "docs",
            "lint": "lint",
            "test": "test",
            "test-deep": "test-deep",
            "test-fast": "test-fast",
            "trino": "test-trino",
        }.items()
    }


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_runs_a_target_that_is_there_by_actions_of_a_major_version(workflow):
    assert {command.removeprefix("make ") for command in commands(workflow)} <= TARGETS
    for step in steps(workflow):
        assert ("uses" in step) != ("run" in step)
        if "uses" in step:
            assert re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"])


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_read_only_and_ends_some_time(workflow):
    text = yaml.safe_load(workflow.read_text(encoding="utf-8"))
    assert text["permissions"] == {"contents": "read"}
    assert all(job["timeout-minutes"] <= 90 for job in text["jobs"].values())


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_uses_the_python_the_project_asks_for_at_least_and_the_pins(workflow):
    least = re.search(r'^requires-python = ">=([\d.]+)"', (HERE / "pyproject.toml").read_text(), re.MULTILINE)
    assert least
    for step in steps(workflow):
        if step.get("uses", "").startswith("actions/setup-python@"):
            assert step["with"]["python-version"] == least[1]
            assert (HERE / step["with"]["cache-dependency-path"]).is_file()
