"""A suite: what `reports.toml` may say, in which words it is refused, and which runs come of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from workbench.errors import ConfigError, ParameterError, ReportError, WorkbenchError
from workbench.questions.masking import REDACTED
from workbench.reports import shipped
from workbench.reports.record import RunRecord
from workbench.reports.suite import find_suite, plan_again, plan_run, read_suite
from workbench.reports.window import resolve

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


def test_a_report_may_be_kept_from_windows(tmp_path):
    suite = read_suite(write(tmp_path, SUITE + 'window = "none"\n'))
    planned = {run.name: run for run in suite.plan(NOW, asked="2026-10-01")}
    assert planned["ready"].window is None
    assert planned["daily-orders"].window.asked == "2026-10-01, Europe/Berlin"


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


def test_a_run_is_planned_again_by_its_record(tmp_path):
    suite = read_suite(write(tmp_path))
    (first,) = suite.plan(NOW, ["daily-orders"])
    record = RunRecord(
        name="daily-orders",
        run="2026-11-20T06-00-00Z",
        notebook="03_change_frequency.ipynb",
        title="What?",
        status="failed",
        started=NOW,
        seconds=1,
        window=first.window,
        given=sorted(first.parameters),
        parameters={**first.parameters, "source": None},
    )
    later = NOW + timedelta(days=3)
    assert plan_again(record, later, suite, first.notebook) == first
    without = plan_again(record, later, None, first.notebook)
    assert (without.parameters, without.window, without.rules) == (first.parameters, first.window, ())
    hidden = record.model_copy(update={"parameters": {**record.parameters, "table": REDACTED}})
    with pytest.raises(ParameterError, match="in which table is hidden: run it by its name, and give -p table="):
        plan_again(hidden, later, suite, first.notebook)
