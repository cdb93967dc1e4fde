"""A suite: what `reports.toml` may say, in which words it is refused, and which runs come of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from click.testing import CliRunner, Result
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from workbench.cli import main
from workbench.errors import ConfigError, ParameterError, ReportError, WorkbenchError
from workbench.questions.masking import REDACTED
from workbench.reports import shipped
from workbench.reports.record import RunRecord
from workbench.reports.suite import Planned, find_suite, plan_failed, plan_named, plan_run, read_suite
from workbench.reports.window import resolve
from workbench.text import file_name

NOW = datetime(2026, 11, 20, 6, tzinfo=UTC)
SUITE = """
[defaults]
window = "yesterday"
timezone = "Europe/Berlin"
max_age = "6h"
parameters = {every = "1h", region = "eu-central-1"}

[reports.daily]
notebook = "03_change_frequency"
tables = ["persons", "orders"]
parameters = {limit = 5}
alert = ["deletes > 5%", "changes drops 50%"]

[reports.state]
notebook = "02_latest_state"
window = "2026-11"
timezone = "UTC"
max_age = "2d"
alert = "items < 1"
timeout = 60

[reports.ready]
notebook = "00_setup_check"
"""


def write(folder: Path, text: str = SUITE) -> Path:
    file = folder / "reports.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_suite_is_planned_whole(tmp_path):
    planned = {run.name: run for run in read_suite(write(tmp_path)).plan(NOW)}
    assert list(planned) == ["daily-persons", "daily-orders", "state", "ready"]
    persons = planned["daily-persons"]
    assert persons.notebook == shipped() / "03_change_frequency.ipynb"
    assert persons.parameters == {
        "every": "1h",
        "region": "eu-central-1",
        "limit": 5,
        "table": "persons",
        "timezone": "Europe/Berlin",
        "start": "2026-11-18T23:00:00Z",
        "end": "2026-11-19T23:00:00Z",
    }
    assert persons.window == resolve("yesterday", NOW, "Europe/Berlin")
    assert [rule.text for rule in persons.rules] == ["deletes > 5%", "changes drops 50%"]
    assert (persons.max_age, persons.timeout) == (timedelta(hours=6), 600)
    state = planned["state"]
    assert state.parameters == {
        "region": "eu-central-1",
        "compare_to": "2026-11-01T00:00:00Z",
        "as_of": "2026-12-01T00:00:00Z",
    }
    assert (state.max_age, state.timeout, [rule.text for rule in state.rules]) == (timedelta(days=2), 60, ["items < 1"])
    assert planned["ready"].window is None, "a window of the defaults holds where one is taken"
    assert planned["ready"].parameters == {"region": "eu-central-1"}


def test_reports_and_their_runs_are_chosen_by_name(tmp_path):
    suite = read_suite(write(tmp_path))
    assert [run.name for run in suite.plan(NOW, ["state", "daily-orders"])] == ["daily-orders", "state"]
    assert [run.name for run in suite.plan(NOW, ["daily", "daily-orders"])] == ["daily-persons", "daily-orders"]
    assert "daily" in suite
    assert "daily-persons" in suite
    with pytest.raises(ConfigError, match=r"reports.toml has no report 'dayly'\. Did you mean 'daily'\?"):
        suite.plan(NOW, ["dayly"])


def test_a_window_and_parameters_may_be_given_to_all_that_are_chosen(tmp_path):
    suite = read_suite(write(tmp_path))
    (state,) = suite.plan(NOW, ["state"], asked="2026-10-01", parameters={"table": "orders"})
    assert state.parameters["as_of"] == "2026-10-02T00:00:00Z"
    assert state.parameters["table"] == "orders"
    (orders,) = suite.plan(NOW, ["daily-orders"], asked="2026-10-01", timezone="UTC", parameters={"every": "1d"})
    assert orders.parameters["start"] == "2026-10-01T00:00:00Z"
    assert (orders.parameters["timezone"], orders.parameters["every"]) == ("UTC", "1d")
    with pytest.raises(ParameterError, match=r"reports.toml, reports.ready: 00_setup_check.ipynb takes no window"):
        suite.plan(NOW, asked="2026-10-01")


def test_the_zone_of_a_window_is_that_of_the_buckets(tmp_path):
    text = SUITE.replace("limit = 5", 'timezone = "Asia/Kolkata"')
    suite = read_suite(write(tmp_path, text))

    def zones(**given: object) -> tuple[str, str]:
        (run,) = suite.plan(NOW, ["daily-orders"], **given)
        return run.window.timezone, run.parameters["timezone"]

    assert zones() == ("Asia/Kolkata", "Asia/Kolkata")
    assert zones(timezone="Europe/Paris") == ("Europe/Paris", "Europe/Paris")
    assert zones(parameters={"timezone": "Asia/Tokyo"}) == ("Asia/Tokyo", "Asia/Tokyo")


def test_tables_of_the_defaults_may_be_left_out(tmp_path):
    text = "[defaults]\ntables = ['a', 'b']\n[reports.x]\nnotebook = '02_latest_state'\n"
    suite = read_suite(write(tmp_path, text + "[reports.y]\nnotebook = '00_setup_check'\ntables = []"))
    assert [run.name for run in suite.plan(NOW)] == ["x-a", "x-b", "y"]


def test_a_report_may_be_kept_from_windows(tmp_path):
    suite = read_suite(write(tmp_path, SUITE + 'window = "none"\n'))
    planned = {run.name: run for run in suite.plan(NOW, asked="2026-10-01")}
    assert planned["ready"].window is None
    window = planned["daily-orders"].window
    assert (window.asked, window.timezone) == ("2026-10-01", "Europe/Berlin")


def test_parameters_take_the_times_and_lists_of_toml(tmp_path):
    text = (
        '[reports.a]\nnotebook = "03_change_frequency"\nparameters = {start = 2026-11-01, end = 2026-11-02T06:00:00Z}'
    )
    (run,) = read_suite(write(tmp_path, text)).plan(NOW)
    assert run.parameters == {"start": "2026-11-01", "end": "2026-11-02T06:00:00Z"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "reports is missing: [reports.NAME] says what to run"),
        ("[reports]", "reports is {}: "),
        ("[reports.a\n", "cannot be read: Expected ']' at the end of a table declaration (at line 1, column 11)"),
        ("[report.a]\nnotebook = '02_latest_state'", "there is no key report. Did you mean 'reports'?"),
        ("[reports.a]\ntables = ['x']", "reports.a.notebook is missing"),
        ("[reports.a]\ntable = 'x'", "there is no key reports.a.table. Did you mean 'tables'?"),
        (
            "[reports.a]\nnotebook = '02_latest_state'\nwindows = 'x'",
            "there is no key reports.a.windows. Did you mean 'window'?",
        ),
        ("[defaults]\nnotebook = 'x'\n[reports.a]\nnotebook = 'x'", "there is no key defaults.notebook."),
        ("[reports.a]\nnotebook = 3", "reports.a.notebook is 3: input should be a valid string"),
        (
            "[reports.a]\nnotebook = 'x'\nwindow = 'yesterdy'",
            "reports.a.window is 'yesterdy': 'yesterdy' is no window of time",
        ),
        ("[reports.a]\nnotebook = 'x'\ntimezone = 'Mars'", "reports.a.timezone is 'Mars': 'Mars' is no time zone"),
        ("[reports.a]\nnotebook = 'x'\nalert = ['n >']", "reports.a.alert is 'n >': 'n >' is no rule, at its end"),
        ("[reports.a]\nnotebook = 'x'\nmax_age = 6", "reports.a.max_age is 6: input should be a valid string"),
        (
            "[reports.a]\nnotebook = 'x'\nmax_age = '6 parsecs'",
            "reports.a.max_age is '6 parsecs': '6 parsecs' is no length",
        ),
        ("[reports.a]\nnotebook = 'x'\ntimeout = 0", "reports.a.timeout is 0: input should be greater"),
        ("[reports.a]\nnotebook = 'x'\ntimeout = '60'", "reports.a.timeout is '60': input should be a valid integer"),
        (
            "[reports.a]\nnotebook = 'x'\ntables = 'persons'",
            "reports.a.tables is 'persons': input should be a valid list",
        ),
        ("[reports.a]\nnotebook = 'x'\nparameters = {a = {b = 1}}", "is no value of a parameter"),
        (
            "[reports.a]\nnotebook = 'x'\ntables = ['b']\n[reports.a-B]\nnotebook = 'x'",
            "two runs would be called 'a-B'",
        ),
        ("[reports.a]\nnotebook = 'x'\ntables = ['b', 'b']", "reports.a.tables names 'b' twice"),
        ("[reports.'']\nnotebook = 'x'", "a report has no name"),
    ],
)
def test_what_a_file_may_not_say_is_named_with_its_place(tmp_path, text, says):
    file = write(tmp_path, text)
    with pytest.raises(ConfigError) as refused:
        read_suite(file)
    assert says in str(refused.value)
    assert str(refused.value).startswith(f"{file}")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[reports.a]\nnotebook = '02_latest_stat'", "reports.a: there is no notebook"),
        ("[reports.a]\nnotebook = '02_latest_state'\nparameters = {tabel = 'x'}", "has no parameter 'tabel'"),
        ("[reports.a]\nnotebook = '03_change_frequency'\nparameters = {limit = 'x'}", "limit"),
        ("[reports.a]\nnotebook = '00_setup_check'\ntables = ['x']", "has no parameter 'table'"),
        (
            "[reports.a]\nnotebook = '02_latest_state'\ntables = ['x']\nparameters = {table = 'y'}",
            "has tables, and a parameter",
        ),
        ("[reports.a]\nnotebook = '00_setup_check'\nwindow = 'yesterday'", "takes no window"),
        (
            "[reports.a]\nnotebook = '02_latest_state'\nwindow = 'today'\nparameters = {as_of = '-2d'}",
            "as_of of 02_latest_state.ipynb is given twice",
        ),
        (
            "[defaults]\nparameters = {evry = '1h'}\n[reports.a]\nnotebook = '03_change_frequency'",
            "no notebook has a parameter 'evry'. Did you mean 'every'?",
        ),
    ],
)
def test_nothing_is_run_before_all_of_it_is_right(tmp_path, text, says):
    good = "\n[reports.z]\nnotebook = '02_latest_state'"
    with pytest.raises(WorkbenchError) as refused:
        read_suite(write(tmp_path, text + good)).plan(NOW)
    assert says in str(refused.value)
    assert "reports.toml" in str(refused.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"there is no file of reports .*other.toml"):
        read_suite(tmp_path / "other.toml")


def test_the_file_is_the_one_here_else_beside_that_of_settings(tmp_path, monkeypatch):
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    assert find_suite() is None
    (tmp_path / "workbench.toml").touch()
    write(tmp_path)
    assert find_suite() == tmp_path / "reports.toml"
    write(inner)
    assert find_suite() == inner / "reports.toml"


def test_notebooks_are_paths_from_the_file_or_own_ones_before_those_that_are_shipped(tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    for own in (tmp_path / "notebooks" / "02_latest_state.ipynb", tmp_path / "mine.ipynb"):
        own.write_bytes((shipped() / "02_latest_state.ipynb").read_bytes())
    text = "\n".join(
        f"[reports.{name}]\nnotebook = '{notebook}'"
        for name, notebook in {"a": "mine.ipynb", "b": "02_latest_state", "c": "03_change_frequency"}.items()
    )
    monkeypatch.chdir(tmp_path.parent)
    runs = read_suite(write(tmp_path, text)).plan(NOW)
    assert [run.notebook for run in runs] == [
        tmp_path / "mine.ipynb",
        tmp_path / "notebooks" / "02_latest_state.ipynb",
        shipped() / "03_change_frequency.ipynb",
    ]


def test_a_run_without_a_suite_takes_the_zone_of_its_buckets():
    notebook = shipped() / "03_change_frequency.ipynb"
    run = plan_run("a", notebook, {"timezone": "Europe/Berlin"}, NOW, "yesterday")
    assert run.parameters["start"] == "2026-11-18T23:00:00Z"
    with pytest.raises(ReportError, match="there is no notebook"):
        plan_run("a", notebook.with_name("none.ipynb"), {}, NOW)


def failed(planned: Planned, status: str = "failed", **given: object) -> RunRecord:
    """The record of a run as it was planned."""
    return RunRecord.model_validate(
        {
            "name": file_name(planned.name),
            "run": "2026-11-20T06-00-00Z",
            "notebook": planned.notebook.name,
            "title": "What?",
            "status": status,
            "started": NOW,
            "seconds": 1,
            "window": planned.window,
            "given": sorted(planned.parameters),
            "parameters": {**planned.parameters, "source": None},
            **given,
        }
    )


def test_what_failed_is_planned_again_by_its_record(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    suite = read_suite(write(tmp_path))
    runs = suite.plan(NOW)
    records = [failed(run, "complete" if run.name == "state" else "timed_out") for run in runs]
    later = NOW + timedelta(days=3)
    again = plan_failed(records, suite, later)
    assert again == [run for name in ("daily-orders", "daily-persons", "ready") for run in runs if run.name == name]
    assert [run.name for run in plan_failed(records, suite, later, ["daily"], timeout=5)] == [
        "daily-orders",
        "daily-persons",
    ]
    assert plan_failed(records, suite, later, ["daily"], timeout=5)[0].timeout == 5
    assert plan_failed(records, suite, later, ["state"]) == []
    (without,) = plan_failed(records, None, later, ["daily-orders"])
    assert (without.parameters, without.window, without.rules) == (again[0].parameters, again[0].window, ())
    with pytest.raises(ParameterError, match=r"no report 'dailly-orders' has run. Did you mean 'daily-orders'"):
        plan_failed(records, None, later, ["dailly-orders"])


def test_a_report_that_has_run_well_since_is_not_run_again(tmp_path):
    run = plan_run("a: b", shipped() / "02_latest_state.ipynb", {"as_of": "-2d"}, NOW)
    bad, good = failed(run), failed(run, "complete", started=NOW + timedelta(hours=1), run="2026-11-20T07-00-00Z")
    assert plan_failed([good, bad], None, NOW) == []
    (again,) = plan_failed([bad], None, NOW)
    assert (again.name, again.parameters) == ("a: b", {"as_of": "-2d"})
    hidden = bad.model_copy(update={"parameters": {**bad.parameters, "as_of": REDACTED}})
    with pytest.raises(ParameterError, match="in which as_of is hidden: run it by its name"):
        plan_failed([hidden], None, NOW)


def test_names_are_reports_of_the_suite_then_notebooks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    suite = read_suite(write(tmp_path))
    runs = plan_named(["04_item_history", "daily-orders"], suite, NOW, asked="2026-10-01", timeout=9)
    assert [(run.name, run.timeout) for run in runs] == [("daily-orders", 9), ("04_item_history", 9)]
    assert runs[1].parameters["before"] == runs[1].parameters["start"] == "2026-10-01T00:00:00Z"
    assert [run.name for run in plan_named(["02_latest_state"], None, NOW, called="now")] == ["now"]
    assert len(plan_named([], suite, NOW)) == 4
    with pytest.raises(ConfigError, match=r"name a notebook, or write a file reports\.toml"):
        plan_named([], None, NOW)
    with pytest.raises(
        ConfigError, match=r"has no report 'dayly', and there is no notebook of this name. Did you mean 'daily'\?"
    ):
        plan_named(["dayly"], suite, NOW)
    with pytest.raises(ParameterError, match="the name 'x' is for one notebook"):
        plan_named(["daily"], suite, NOW, called="x")


NOTEBOOK = """\
from workbench.reports import headlines
headlines(changes=int(limit), deletes=0.07)
if fail: raise ValueError("gone")"""


@pytest.mark.process
def test_a_suite_runs_by_the_command_line_and_tells_what_it_found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("workbench.model.times.now", lambda: NOW)
    cells = [
        new_code_cell(
            "limit: int = 1\nfail: bool = False\nstart: str = ''\nend: str = ''", metadata={"tags": ["parameters"]}
        ),
        new_code_cell(NOTEBOOK),
    ]
    nbformat.write(new_notebook(cells=[new_markdown_cell("# How many?"), *cells]), tmp_path / "own.ipynb")
    write(
        tmp_path,
        """
        [defaults]
        notebook = "own.ipynb"
        """,
    )
    assert "there is no key defaults.notebook" in ran(1, "report", "run").stderr
    write(
        tmp_path,
        """
        [defaults]
        window = "yesterday"
        alert = ["deletes > 5%", "changes drops 50%"]
        [reports.good]
        notebook = "own.ipynb"
        alert = "changes > 100"
        [reports.bad]
        notebook = "own.ipynb"
        parameters = {fail = true}
        [reports.watched]
        notebook = "own.ipynb"
        parameters = {limit = 10}
        """,
    )
    first = ran(1, "report", "run", "--json")
    assert [(each["name"], each["status"], len(each["alerts"])) for each in json.loads(first.stdout)] == [
        ("good", "complete", 0),
        ("bad", "failed", 0),
        ("watched", "complete", 1),
    ]
    assert (
        "Alert: watched: deletes > 5%: deletes is 7%; see reports/watched/2026-11-20T06-00-00Z/report.html"
        in first.stderr
    )
    record = json.loads((tmp_path / "reports/watched/2026-11-20T06-00-00Z/run.json").read_text())
    day = {"start": "2026-11-19T00:00:00Z", "end": "2026-11-20T00:00:00Z"}
    assert record["window"] == {"asked": "yesterday", **day, "timezone": "UTC"}
    assert [each["text"] for each in record["headlines"]] == ["10", "7%"]
    assert record["parameters"]["start"] == "2026-11-19T00:00:00Z"
    index = BeautifulSoup((tmp_path / "reports/index.html").read_text(), "html.parser")
    assert [each.a.get_text() for each in index.select("ul.latest h3")] == ["bad", "watched", "good"]

    monkeypatch.setattr("workbench.model.times.now", lambda: NOW + timedelta(days=2))
    again = ran(1, "report", "run", "--retry-failed", "--json")
    (bad,) = json.loads(again.stdout)
    assert (bad["name"], bad["run"], bad["window"]) == ("bad", "2026-11-22T06-00-00Z", record["window"])
    assert "nothing to run again" in ran(0, "report", "run", "--retry-failed", "good").stderr
    assert "give neither" in ran(2, "report", "run", "--retry-failed", "--for", "today").stderr
    alerted = ran(10, "report", "run", "watched", "--for", "yesterday", "-p", "limit=5", "--json")
    assert len(json.loads(alerted.stdout)[0]["alerts"]) == 1, "of other parameters, it is not compared"
    assert "'yesterdy' is no window of time" in ran(1, "report", "run", "watched", "--for", "yesterdy").stderr


def ran(code: int, *arguments: str) -> Result:
    done = CliRunner().invoke(main, list(arguments))
    assert done.exit_code == code, (done.exception, done.output)
    return done
