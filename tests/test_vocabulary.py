"""A question has one name, in Python, on the command line, in `sql` and in `export`; and a shorter one."""

from __future__ import annotations

import inspect
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.helpers.logs import chain, micros, write_log
from workbench.cli import main
from workbench.errors import ParameterError
from workbench.model import times
from workbench.questions.result import Result
from workbench.vocabulary import ALIASES, COUNTED_BY, QUESTIONS, alias_of
from workbench.workbench import Workbench

NOON = micros("2026-01-01T12:00:00")
KEY = {"pk": {"S": "x"}}
ARGUMENTS = {
    "diff": {"before": "2026-01-01T12:00:00Z"},
    "stale": {"older_than": "2026-01-01T13:00:00Z"},
    "transitions": {"path": "n"},
    "trend": {"aggregate": "count(*)"},
    "undo": {"to": "2026-01-01T12:00:00Z"},
}
"""What questions need beside the table."""
NAMES = [*QUESTIONS, *ALIASES, *(name.replace("_", "-") for name in QUESTIONS if "_" in name)]
OPTIONS_OF_RESULTS = {"out", "overwrite", "nested", "excel", "mask", "mask_with", "as_json"}
OPTIONS_OF_ROWS = {"columns", "order", "limit", "vertical", "format"}
"""Which of an answer's rows are shown and written, and how; a question may have a limit of its own."""
OF_PLANS = {"form", "plan"} | set(inspect.signature(Workbench.apply).parameters) - {"self", "journal"}
"""What the verb `undo` takes to write and to apply plans."""
OPTIONS_OF_LOGS = {"source", "keys", "baseline", "log_region", "log_account", "actor"}


@pytest.fixture
def log(tmp_path, monkeypatch):
    """A log of one item, and no settings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(times, "now", lambda: datetime(2026, 1, 2, tzinfo=UTC))
    states = [(NOON, KEY | {"n": {"N": "1"}}), (NOON + 60_000_000, KEY | {"n": {"N": "2"}})]
    return str(write_log(tmp_path / "log", chain(KEY, states)))


def options(values: dict[str, str]) -> list[str]:
    return [each for name, value in values.items() for each in ("-p", f"{name}={value}")]


def run(*arguments: str) -> str:
    ran = CliRunner().invoke(main, list(arguments))
    assert ran.exit_code == 0, ran.output
    return ran.stdout


def test_the_questions_are_the_methods_that_answer_with_a_result():
    methods = inspect.getmembers(Workbench, inspect.isfunction)
    kinds = {kind.__name__ for kind in (Result, *Result.__subclasses__())}
    answering = {name for name, each in methods if inspect.get_annotations(each).get("return") in kinds}
    assert answering - {"ask", "query"} == set(QUESTIONS), "ask takes any of them by name, query is of SQL"
    assert set(QUESTIONS) <= set(main.commands)
    assert set(ALIASES.values()) <= set(QUESTIONS)
    assert not set(ALIASES) & set(main.commands), "a shorter name is no verb of its own"


@pytest.mark.parametrize("question", QUESTIONS)
def test_options_are_called_what_the_parameters_are(question):
    parameters = set(inspect.signature(getattr(Workbench, question)).parameters) - {"self"}
    options = {each.name for each in main.commands[question].params}
    of_plans = OF_PLANS if question == "undo" else set()
    of_rows = OPTIONS_OF_ROWS - parameters if question != "undo" else set()
    assert of_rows <= options
    assert options - OPTIONS_OF_RESULTS - OPTIONS_OF_LOGS - of_rows - of_plans == parameters
    for each in main.commands[question].params:
        if each.param_type_name == "option" and each.name not in ("as_json", *of_plans & {"form", "plan"}):
            assert each.opts[0] == f"--{each.name}".replace("_", "-")


@pytest.mark.parametrize("name", NAMES)
def test_each_name_is_good_as_a_verb_and_in_export(log, name):
    question = ALIASES.get(name, name.replace("-", "_"))
    needed = ARGUMENTS.get(question, {})
    where, table = ["--source", log], "things"
    if question == "reconcile":  # which looks into the item store too
        Workbench().generate("persons", items=5, changes=10, progress=False)
        where, table = [], "persons"
    given = [f"--{each}={value}" for each, value in needed.items()] if question == "undo" else [*needed.values()]
    rows = json.loads(run(name, table, *given, *where, "--json"))
    assert rows == json.loads(run(question, table, *given, *where, "--json"))
    run("export", name, table, "out.json", *options(needed), *where)
    assert json.loads(Path("out.json.meta.json").read_text())["question"] == question


@pytest.mark.parametrize("name", NAMES)
def test_each_name_is_good_in_sql_in_python_and_on_the_command_line(log, name):
    wb = Workbench(log)
    question = ALIASES.get(name, name.replace("-", "_"))
    needed = {} if question in ("diff", "stale", "undo") else ARGUMENTS.get(question, {})
    text = wb.sql(name, "things", **needed)
    assert text == wb.sql(question, "things", **needed)
    ran = CliRunner(env={"WORKBENCH_SOURCE": log}).invoke(main, ["sql", name, "things", *options(needed)])
    assert ran.stdout.strip() == text.strip()
    assert wb.estimate(name, "things", **needed).objects == 1


def test_the_text_of_a_question_is_what_its_answer_was_asked_with(log):
    wb = Workbench(log)
    assert (
        wb.sql("latest_state", "things", as_of="2026-01-01T13:00Z")
        == wb.latest_state("things", as_of="2026-01-01T13:00Z").sql
    )
    for by in COUNTED_BY:
        if by != "attribute":
            assert wb.sql("frequency", "things", by=by) == wb.change_frequency("things", by=by).sql
    with pytest.raises(ParameterError, match="by='colour' is unknown; use event, attribute, key, concentration or int"):
        wb.sql("frequency", "things", by="colour")
    with pytest.raises(ParameterError, match="has no parameter 'by'"):
        wb.sql("latest", "things", by="key")


def test_help_lists_every_verb_once_with_its_shorter_name():
    lines = [line.split("  ")[1] for line in run("--help").split("Questions:")[1].splitlines() if line.startswith("  ")]
    shown = {f"{name}, {alias_of(name)}" if alias_of(name) else name for name in main.commands}
    assert sorted(lines) == sorted(shown)


def test_older_spellings_of_options_are_good(log, tmp_path):
    flat = {"eventID": "1", "eventName": "INSERT", "tableName": "t", "ts": "2026-01-01T12:00:00Z", "id": "7"}
    (tmp_path / "flat.json").write_text(json.dumps(flat))
    for source, keys in (("--from", "--key-name"), ("--source", "--keys")):
        (row,) = json.loads(run("latest", "t", source, str(tmp_path / "flat.json"), keys, "id", "--json"))
        assert row["id"] == "7"
    for events in ("--event", "--events"):
        assert len(json.loads(run("changes", "things", "--from", log, events, "MODIFY", "--json"))) == 1
    for number, excel in enumerate(("--excel", "--excel-csv")):
        run("latest", "things", "--from", log, "--out", f"{number}.csv", excel)
    assert Path("0.csv").read_bytes() == Path("1.csv").read_bytes()
    assert Path("0.csv").read_bytes()[:3] == b"\xef\xbb\xbf"
    assert run("latest", "things", "--from", log, "--include_deleted") == run(
        "latest", "things", "--from", log, "--include-deleted"
    )
