"""Parameters that are lists, dates and instants: declared, read strictly, injected as what they are, shown, hidden."""

from __future__ import annotations

import ast
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from workbench.errors import ParameterError, ReportError
from workbench.model.times import instant
from workbench.reports import Parameter, kernel, run_report
from workbench.reports.parameters import as_text, coerce_all, read_parameters, texts_of, without_values

DECLARED = """\
from datetime import UTC, date, datetime
from typing import Optional

tables: list[str] = ["persons", "orders"]  # which tables
limits: list[int] = []
shares: Optional[list[float]] = None  # or none
flags: list[bool] = [True]
day: date = date(2026, 11, 1)  # the day
days: list[date] = [
    date(2026, 11, 1),  # not its help
    date.fromisoformat("2026-11-02"),
]  # some days
since: datetime = datetime(2026, 11, 1, 12, tzinfo=UTC)
until: Optional[datetime] = None
"""
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def sample(source: str = DECLARED) -> nbformat.NotebookNode:
    cell = new_code_cell(source, metadata={"tags": ["parameters"]})
    return new_notebook(cells=[cell], metadata={"kernelspec": {"name": "python3", "display_name": "x"}})


def declared() -> dict[str, Parameter]:
    return {each.name: each for each in read_parameters(sample(), Path("a.ipynb"))}


def in_the_kernel(given: dict[str, Any]) -> dict[str, Any]:
    """Run the parameter cell, and below it that of the parameters given, as papermill writes them."""
    from papermill.parameterize import parameterize_notebook

    parameters = coerce_all(given, [*declared().values()], Path("a.ipynb"))
    kernel.engine()
    node = sample()
    node.metadata["papermill"] = {}
    written = parameterize_notebook(
        node,
        {name: kernel.injected(value) for name, value in parameters.items()},
        kernel_name="python3",
        language="python",
    )
    assert nbformat.writes(written)  # its metadata are JSON
    scope: dict[str, Any] = {}
    for cell in written.cells:
        exec(cell.source, scope)
    return scope


def test_what_is_declared_is_read_with_its_default():
    assert {name: (each.type, each.default, each.help) for name, each in declared().items()} == {
        "tables": ("list[str]", ["persons", "orders"], "which tables"),
        "limits": ("list[int]", [], ""),
        "shares": ("Optional[list[float]]", None, "or none"),
        "flags": ("list[bool]", [True], ""),
        "day": ("date", date(2026, 11, 1), "the day"),
        "days": ("list[date]", [date(2026, 11, 1), date(2026, 11, 2)], "some days"),
        "since": ("datetime", NOON, ""),
        "until": ("Optional[datetime]", None, ""),
    }


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("tables", "a,b", ["a", "b"]),
        ("tables", " a , b ", ["a", "b"]),
        ("tables", "", []),
        ("tables", "one", ["one"]),
        ("tables", '["a, b", "", " c", "[d]"]', ["a, b", "", " c", "[d]"]),
        ("tables", 'it\'s "so"', ['it\'s "so"']),
        ("tables", '["\\"", "\\\\", "\\n", "日本", "\'\'\'"]', ['"', "\\", "\n", "日本", "'''"]),
        ("tables", "');import os;('", ["');import os;('"]),
        ("tables", ["a,b", ""], ["a,b", ""]),
        ("limits", "1, -2,007", [1, -2, 7]),
        ("limits", "[1, 2]", [1, 2]),
        ("shares", "0.5,1e-3", [0.5, 0.001]),
        ("shares", "None", None),
        ("flags", "true,False", [True, False]),
        ("day", "2024-02-29", date(2024, 2, 29)),
        ("days", "2026-11-01,2026-11-03", [date(2026, 11, 1), date(2026, 11, 3)]),
        ("since", "2026-11-01T12:00", NOON),
        ("since", "2026-11-01T13:00+01:00", NOON),
        ("since", "2026-11-01T12:00:00Z", NOON),
        ("since", "2026-11-01 13:00 Europe/Berlin", NOON),
        ("until", "2026-11-01", NOON - timedelta(hours=12)),
        ("until", None, None),
    ],
)
def test_what_is_given_arrives_in_the_kernel_as_what_is_declared(name, text, value):
    arrived = in_the_kernel({name: text})[name]
    assert arrived == value
    assert type(arrived) is type(value)
    if value is not None:  # and what is shown of it may be given again
        assert declared()[name].coerce(as_text(value)) == value


def test_what_is_not_given_is_as_the_notebook_has_it():
    assert in_the_kernel({})["days"] == [date(2026, 11, 1), date(2026, 11, 2)]


def test_so_long_ago_is_told_once():
    before = instant("-7d")
    assert before <= in_the_kernel({"since": "-7d"})["since"] <= instant("-7d")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tables", "a,,b"),
        ("tables", "a,"),
        ("tables", ","),
        ("tables", "[1]"),
        ("tables", '["a"'),
        ("tables", "['a']"),
        ("tables", "[null]"),
        ("tables", '[["a"]]'),
        ("tables", 1),
        ("tables", None),
        ("limits", "1,x"),
        ("limits", "[1.5]"),
        ("limits", "[true]"),
        ("shares", "[NaN]"),
        ("shares", "inf"),
        ("shares", "[[1]]"),
        ("flags", "yes"),
        ("day", "20261101"),
        ("day", "2026-W45-1"),
        ("day", "2026-02-30"),
        ("day", "2026-11-01T12:00"),
        ("day", "yesterday"),
        ("day", NOON),
        ("day", None),
        ("since", "noon"),
        ("since", "2026-11-01 12:00 Europe/Berlim"),
        ("since", 5),
        ("days", "2026-11-01;2026-11-02"),
    ],
)
def test_what_is_none_is_refused_in_one_line_that_says_how(name, text):
    with pytest.raises(ParameterError) as refused:
        coerce_all({name: text}, [*declared().values()], Path("a.ipynb"))
    told = str(refused.value)
    assert repr(name) in told
    assert "it must be" in told
    assert "\n" not in told


@pytest.mark.parametrize(
    "line",
    [
        'a: list[str] = "b,c"',
        'a: date = "2026-11-01"',
        'a: int = "5"',
        "a: list[list[int]] = [[1]]",
        "a: list[Optional[int]] = [None]",
        "a: list[str] = [1]",
        "a: list = []",
        "a: dict[str, int] = {}",
        "a: date = date.today()",
        "a: date = date(2026, 13, 1)",
        'a: date = date("x")',
        "a: datetime = datetime.now()",
        "a: datetime = date(2026, 11, 1)",
        "a: list[str] = list('ab')",
        "a: list[str] = ['a'] * 2",
    ],
)
def test_a_line_that_declares_nothing_is_refused(line):
    with pytest.raises(ReportError, match="is no declaration"):
        read_parameters(sample(line), Path("a.ipynb"))


def test_a_name_that_is_declared_twice_is_refused():
    with pytest.raises(ReportError, match="line 2: a is declared twice"):
        read_parameters(sample("a: int = 1\na: int = 2"), Path("a.ipynb"))


def test_masks_look_into_lists():
    assert list(texts_of(["person.email = 'a'", "b"])) == ["person.email = 'a'", "b"]
    assert list(texts_of([1, 2])) == list(texts_of(NOON)) == []


def test_values_are_taken_out_of_a_cell_however_it_is_written():
    hidden = without_values(DECLARED, ["tables", "days", "since"], "[masked]")
    assert "orders" not in hidden
    assert "2026-11-02" not in hidden
    assert len(ast.parse(hidden).body) == len(ast.parse(DECLARED).body)
    assert without_values('é = "ü"; secret = ["ß",\n "x"]  # why', ["secret"], "m") == 'é = "ü"; secret = "m"  # why'
    assert without_values("limit = 5", ["secret"], "m") == "limit = 5"


def test_a_date_is_an_instant_its_beginning():
    assert instant(date(2026, 11, 1)) == NOON - timedelta(hours=12)
    assert instant(date(2026, 11, 1), "Europe/Berlin") == NOON - timedelta(hours=13)


def test_what_a_record_has_kept_of_a_value_may_be_given_again():
    for name, value in (("days", [date(2026, 11, 1)]), ("since", NOON), ("tables", ["a, b"])):
        kept = json.loads(json.dumps(value, default=lambda each: each.isoformat()))
        assert declared()[name].coerce(kept) == value


@pytest.mark.process
def test_a_report_runs_with_them_and_hides_what_a_mask_names(tmp_path):
    node = sample()
    node.cells.append(new_code_cell("print(since.tzinfo, day.year, days, tables[0])"))
    nbformat.write(node, tmp_path / "sample.ipynb")
    given = {
        "since": "2026-11-01T13:00+01:00",
        "day": "2025-12-31",
        "tables": '["new.email = 1", "b"]',
        "days": "2026-11-05",
    }
    report = run_report(tmp_path / "sample.ipynb", given, tmp_path / "reports", settings={"mask": ["email"]})
    assert report.record.failed_cell is None
    assert report.record.parameters["since"] == "2026-11-01T12:00:00Z"
    assert report.record.parameters["days"] == ["2026-11-05"]
    assert report.record.parameters["tables"] == "[masked]"
    written = nbformat.read(report.notebook, 4)
    (output,) = written.cells[-1].outputs
    assert output.text == "UTC 2025 [datetime.date(2026, 11, 5)] new.email = 1\n"
    assert not [cell.source for cell in written.cells[:-1] if "new.email" in cell.source]
    assert "new.email" not in str(written.metadata)


def test_a_default_that_names_a_masked_attribute_is_nowhere_in_what_a_run_leaves(tmp_path):
    node = sample("""where: str = "email = 'ann@example.org'"\nmore: int = 1""")
    node.cells.append(new_code_cell("print(more)"))
    nbformat.write(node, tmp_path / "sample.ipynb")
    report = run_report(tmp_path / "sample.ipynb", {}, tmp_path / "reports", settings={"mask": ["email"]})
    assert report.record.parameters["where"] == "[masked]"
    left = [path for path in (tmp_path / "reports").rglob("*") if path.is_file()]
    assert {"report.html", "notebook.ipynb", "run.json", "index.html"} <= {path.name for path in left}
    assert [path.name for path in left if b"ann@example" in path.read_bytes()] == []
