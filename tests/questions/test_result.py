"""What a result is to whoever holds it: a frame to read, one call to show or draw it, and a text that tells no value."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.axes import Axes

from tests.helpers.logs import chain, micros, write_log
from workbench.errors import ParameterError, TableNotFound, WorkbenchError
from workbench.vocabulary import COUNTED_BY
from workbench.workbench import Workbench

NOON = micros("2026-01-01T12:00:00")
HOUR = 3_600_000_000


@pytest.fixture(scope="module")
def wb(tmp_path_factory) -> Workbench:
    """A log of three items with secrets in them, one of which is lost once."""
    folder = tmp_path_factory.mktemp("results")
    made = []
    for number in range(3):
        key = {"pk": {"S": f"GEHEIM{number}"}}
        states = [(NOON + at * HOUR, key | {"n": {"N": str(at)}, "mail": {"S": "GEHEIM@x"}}) for at in range(4)]
        made += chain(key, states)
    return Workbench(write_log(folder / "log", made), home=folder / "home")


def answers(wb: Workbench):
    return [
        wb.latest_state("things", as_of="2026-01-01T13:00Z"),
        wb.changes("things", events="MODIFY", start=datetime(2026, 1, 1, tzinfo=UTC)),
        wb.item_history("things"),
        wb.diff("things", "2026-01-01T13:00Z"),
        wb.data_quality("things"),
        *(wb.change_frequency("things", by=by) for by in COUNTED_BY),
    ]


def test_its_text_is_short_and_tells_what_was_asked_and_what_came(wb):
    told = repr(wb.latest_state("things", as_of="2026-01-01T13:00Z"))
    asked, outcome, summary = told.splitlines()
    assert asked == "latest_state('things', as_of='2026-01-01T13:00:00+00:00')"
    assert outcome == "3 rows × 4 columns: pk, mail, n, _changed_at"
    assert summary.startswith("3 rows from 1 object (")
    assert repr(wb.diff("things", "2026-01-01T13:00Z")).splitlines()[1] == "things: 3 changed; 0 items the same"
    assert repr(wb.data_quality("things")).splitlines()[1].startswith("things: the log can be trusted")


def test_its_text_tells_no_value_and_no_python_object_for_a_time(wb):
    for result in answers(wb):
        told = repr(result) + str(result)
        assert "GEHEIM" not in told
        assert "datetime." not in told
        assert len(repr(result).splitlines()) == 3


def test_what_is_masked_is_so_in_the_text_too(wb):
    hidden = Workbench(wb.settings.source, home=wb.settings.home, mask=["mail"])
    told = repr(hidden.latest_state("things", where="mail = 'GEHEIM@x'"))
    assert told.startswith("latest_state('things', where='[masked]', mask=('mail',), mask_with='hash')")


def test_many_columns_are_counted(wb, tmp_path):
    key = {"pk": {"S": "x"}}
    image = key | {f"a{number}": {"N": "1"} for number in range(20)}
    wide = Workbench(write_log(tmp_path / "log", chain(key, [(NOON, image)])), home=tmp_path)
    assert "1 row × 22 columns: pk, a0, a1, a10, a11, a12, a13, a14, … 14 more" in repr(wide.latest_state("things"))


def test_it_is_read_as_its_frame_is(wb):
    state = wb.latest_state("things")
    assert len(state) == len(state.df) == 3
    assert list(state) == list(state.df)
    assert state["n"].tolist() == [3, 3, 3]
    pd.testing.assert_frame_equal(state.head(2), state.df.head(2))
    assert "pk" in state
    assert wb.latest_state("things", where="n > 99"), "an answer without rows is an answer"
    with pytest.raises(ParameterError, match=r"latest_state\('things'\) has no column 'nn'. Did you mean 'n'\?"):
        state["nn"]


def test_show_prints_what_the_command_line_prints(wb, capsys):
    wb.latest_state("things").show()
    assert [line.split()[:1] for line in capsys.readouterr().out.splitlines()] == [
        ["pk"],
        ["GEHEIM0"],
        ["GEHEIM1"],
        ["GEHEIM2"],
    ]
    wb.diff("things", "2026-01-01T13:00Z").show()
    assert capsys.readouterr().out.startswith("things: 3 changed")
    wb.item_history("things").show()
    assert "MODIFY" in capsys.readouterr().out
    wb.data_quality("things").show()
    assert "missing changes" in capsys.readouterr().out


def test_there_is_a_chart_of_what_can_be_drawn(wb):
    for by in COUNTED_BY:
        axes = wb.change_frequency("things", by=by, every="1h" if by == "attribute" else None).plot()
        assert isinstance(axes, Axes)
        assert "things" in axes.get_title(loc="left") + axes.get_title() + str(axes.figure.texts) + axes.get_ylabel()
    assert wb.change_frequency("things").plot(title="mine").get_title(loc="left") == "mine"
    assert isinstance(wb.data_quality("things").plot(), Axes)
    assert "net" in wb.change_frequency("things").plot("live_items").get_title(loc="left")
    with pytest.raises(
        ParameterError, match=r"'pie' is no chart of .*: use change_frequency, live_items, weekday_hour"
    ):
        wb.change_frequency("things").plot("pie")


def test_what_has_no_chart_says_so_in_one_line(wb):
    with pytest.raises(ParameterError, match=r"there is no chart of changes\('things'\): change_frequency, .* and "):
        wb.changes("things").plot()
    with pytest.raises(ParameterError, match="the chart of attributes is over time: ask with every="):
        wb.change_frequency("things", by="attribute").plot()


# --- in a notebook


CELL = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell()
ran = shell.run_cell({cell!r})
"""


def shown(cell: str) -> list[str]:
    """Return the lines that IPython prints for a cell."""
    ran = subprocess.run([sys.executable, "-c", CELL.format(cell=cell)], capture_output=True, text=True, check=True)
    return ran.stdout.splitlines()


def test_an_error_in_a_notebook_is_one_line(wb, tmp_path):
    ask = f"from workbench import Workbench\nwb = Workbench({str(wb.settings.source)!r}, home={str(tmp_path)!r}%s)\n"
    asked = ask + "wb.latest_state('thing')"
    (line,) = shown(asked % "")
    assert line.startswith("TableNotFound: ")
    assert line.endswith("Did you mean 'things'?")
    lines = shown(asked % ", tracebacks=True")
    assert any("Traceback" in line for line in lines)
    assert any("latest_state" in line for line in lines), "the line of the cell"


def test_an_error_in_a_notebook_lets_nothing_act():
    (line,) = TableNotFound("no table '\x1b[31m\u202ex'\nthere")._render_traceback_()
    assert line == r"TableNotFound: no table '\x1b[31m\u202ex' there"


def test_the_workbench_opened_last_says_whether_tracebacks_are_shown(wb, tmp_path):
    assert hasattr(WorkbenchError("x"), "_render_traceback_")
    Workbench(home=tmp_path, tracebacks=True)
    assert not hasattr(WorkbenchError("x"), "_render_traceback_")
    Workbench(home=tmp_path)
    assert hasattr(WorkbenchError("x"), "_render_traceback_")


# --- the workbench itself


def test_a_workbench_says_its_engine_its_source_and_its_file_of_settings(wb, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert repr(Workbench()) == "Workbench(engine='duckdb', source='.workbench/lake', settings='defaults')"
    Path("workbench.toml").write_text('source = "logs"\nmask_salt = "GEHEIM"\n')
    told = repr(Workbench())
    assert told == (
        f"Workbench(engine='duckdb', source={str(tmp_path / 'logs')!r}, settings={str(tmp_path / 'workbench.toml')!r})"
    )


def test_what_is_no_name_of_a_column_is_refused_in_a_line(wb):
    result = wb.latest_state("things")
    for wrong in (0, slice(0, 1), result["pk"] == "p-000001", ("pk", "pk"), [0]):
        with pytest.raises(ParameterError, match=r"takes the name of a column, or a list of names; for rows take \.df"):
            result[wrong]


def test_the_hours_of_a_week_are_not_drawn_from_longer_buckets(wb):
    for every in ("3h", "1d", "1mo"):
        with pytest.raises(
            ParameterError, match=f"weekday_hour needs every= of 1min, .*, and this answer is by {every}"
        ):
            wb.change_frequency("things", every=every).plot("weekday_hour")
    assert wb.change_frequency("things").plot("weekday_hour")
