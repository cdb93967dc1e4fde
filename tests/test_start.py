"""The program starts without what takes long to import; `benchmarks/start.py` has the times."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from workbench.cli import main

pytestmark = pytest.mark.process
ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("pandas", "numpy", "pyarrow", "duckdb", "pydantic", "sqlglot", "rich", "boto3", "awswrangler", "matplotlib")
PROGRAM = "import sys; sys.argv[1:] = {arguments!r}; from workbench.__main__ import main; main()"
COMPLETION = {"_WORKBENCH_COMPLETE": "bash_complete", "COMP_WORDS": "workbench la", "COMP_CWORD": "1"}


def imported(script: str, code: int = 0, **variables: str) -> tuple[set[str], str]:
    """Return which modules a process has imported when it ends, by Python's own account, and what it printed."""
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", script],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | variables,
    )
    assert ran.returncode == code, ran.stderr
    lines = (line for line in ran.stderr.splitlines() if line.startswith("import time:"))
    return {line.rpartition("|")[2].strip() for line in lines}, ran.stdout


def program(*arguments: str) -> str:
    return PROGRAM.format(arguments=list(arguments))


@pytest.mark.parametrize("verb", [(), *((name,) for name in main.commands)], ids=str)
def test_help_imports_nothing_that_takes_long(verb):
    modules, shown = imported(program(*verb, "--help"))
    assert shown.startswith(" ".join(("Usage: workbench", *verb)))
    assert modules >= {"workbench.cli", "click"}
    assert not modules & set(HEAVY)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["--version"], 0), (["--nonsense"], 2), (["lattest"], 2), (["latest", "t", "--mask-with", "ink"], 2), ([], 2)],
    ids=str,
)
def test_the_version_and_errors_of_usage_do_so_neither(arguments, code):
    modules, _ = imported(program(*arguments), code)
    assert "workbench.cli" in modules
    assert not modules & set(HEAVY)


def test_nor_does_the_completion_of_a_shell():
    modules, shown = imported(program(), **COMPLETION)
    assert shown == "plain,latest_state\n"
    assert not modules & set(HEAVY)


def test_nor_does_the_package_until_a_workbench_is_wanted():
    modules, _ = imported("import workbench")
    assert "workbench" in modules
    assert not modules & {*HEAVY, "click", "workbench.workbench"}
    modules, _ = imported("from workbench import Workbench")
    assert modules >= {"pandas", "workbench.workbench"}, "this is how it would show"


def test_a_verb_that_lists_no_table_imports_no_engine_of_aws(tmp_path):
    modules, _ = imported(program("tables"), WORKBENCH_HOME=str(tmp_path))
    assert not modules & {"boto3", "awswrangler", "matplotlib", "papermill"}
