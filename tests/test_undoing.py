"""The verbs `undo` and `apply`: files, refusals, exit codes and what they say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from workbench import Workbench
from workbench.cli import main, undoing
from workbench.exit_codes import LEFT

SINCE = ["undo", "persons", "--start", "2025-11-20"]


@pytest.fixture(autouse=True)
def table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Workbench().generate("persons", items=12, changes=80, seed=7, start="2025-11-17", end="2025-11-21", progress=False)


def run(*arguments: str, code: int = 0, typed: str | None = None):
    ran = CliRunner().invoke(main, list(arguments), input=typed)
    assert ran.exit_code == code, ran.output
    return ran


def test_a_plan_is_printed_as_json_and_written_as_any_answer():
    rows = json.loads(run(*SINCE, "--json").stdout)
    assert {"pk", "action", "attributes", "before", "now", "after"} <= set(rows[0])
    run(*SINCE, "--out", "plan.csv")
    assert Path("plan.csv.meta.json").is_file()
    assert Path("plan.csv").read_text().startswith('"pk","action"')


def test_a_plan_is_written_reviewed_applied_by_its_hash_and_taken_back():
    said = run(*SINCE, "--out", "plan.jsonl").stderr
    sha = said.partition("its SHA-256 is ")[2][:64]
    assert f"workbench apply plan.jsonl --sha {sha[:16]}" in said
    assert "exists" in run(*SINCE, "--out", "plan.jsonl", code=1).output
    assert "look at it, and say --yes" in run("apply", "plan.jsonl", code=2).output
    assert "not the plan that was reviewed" in run("apply", "plan.jsonl", "--yes", "--sha", "0" * 16, code=1).output
    canary = run("apply", "plan.jsonl", "--yes", "--sha", sha[:16], "--limit", "1", code=LEFT)
    assert "1 of " in canary.stdout
    rest = run("undo", "persons", "--apply", "plan.jsonl", "--yes", "--why", "it was wrong", "--json")
    told = json.loads(rest.stdout)
    assert (told["left"], told["stopped"]) == (0, None)
    assert "it was wrong" in Path("plan.jsonl.journal").read_text()
    assert "unchanged" in run(*SINCE, "--end", "2025-11-21").stdout
    run("undo", "persons", "--journal", "plan.jsonl.journal", "--out", "back.jsonl")
    run("apply", "back.jsonl", "--yes")
    assert Workbench().reconcile("persons", lag="0s").agrees, "the table is again what the log leads to"


def test_unconditional_writes_come_with_a_warning():
    said = run(*SINCE, "--out", "batch.jsonl", "--format", "batch").stderr
    assert "are unconditional" in said
    requests = [json.loads(line) for line in Path("batch.jsonl").read_text().splitlines()]
    assert all(len(request["persons"]) <= 25 for request in requests)
    assert "--format is of --out PLAN.jsonl" in run(*SINCE, "--format", "batch", code=2).output


def test_a_page_is_written_for_who_decides():
    run(*SINCE, "--out", "plan.html")
    assert Path("plan.html").read_text().startswith("<!DOCTYPE html>")
    assert "exists" in run(*SINCE, "--out", "plan.html", code=1).output
    run(*SINCE, "--out", "plan.html", "--overwrite")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["undo", "persons"], 1, "say what to take back"),
        ([*SINCE, "--limit", "3"], 2, "--limit is of --apply PLAN"),
        ([*SINCE, "--yes"], 2, "--yes is of --apply PLAN"),
        (["apply", "nowhere.jsonl", "--yes"], 1, "there is no plan nowhere.jsonl"),
        (["undo", "persons", "--where", "new.balance = -1", "--out", "plan.jsonl"], 1, "there is nothing to write"),
        (["undo", "persons", "--journal", "nowhere"], 1, "there is no journal nowhere"),
    ],
)
def test_what_makes_no_sense_is_said(arguments, code, said):
    assert said in run(*arguments, code=code).output


def test_a_share_is_a_number_or_a_percentage():
    assert [undoing.share(each) for each in (None, "5", "1%", "0.5")] == [None, 5, 0.01, 0.5]
    run(*SINCE, "--out", "plan.jsonl")
    for text in ("few", "nan%", "-5%"):
        assert "no share" in run("apply", "plan.jsonl", "--yes", f"--max-changed={text}", code=2).output
