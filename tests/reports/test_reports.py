"""Reports: strict parameters, both files whatever happens, and HTML that needs nothing but itself."""

from __future__ import annotations

import ast
import hashlib
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import papermill
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

import workbench
from workbench.errors import ConfigError, ParameterError, ReportError
from workbench.reports import Report, RunRecord, Status, describe, run_report, shipped
from workbench.reports.record import CellFailure

PARAMETERS = """\
from typing import Optional

table: str = "persons"  # which table
key: Optional[str] = None  # a key = or none
limit: int = 10
share: float = 0.5  # between 0 and 1
fail: bool = False
wait: Optional[int] = None
"""
CHART = """\
import matplotlib.figure as f, io, sys
from tqdm.auto import tqdm
for _ in tqdm(range(3)): print("noise", file=sys.stderr)
figure = f.Figure(figsize=(2, 1)); figure.add_subplot().plot([1, 2]); out = io.BytesIO(); figure.savefig(out)
from IPython.display import display, Image, HTML, Javascript
display(Image(out.getvalue()))"""
HOSTILE = """\
display(HTML("<script src='https://cdn.example/x.js'></script><img src='http://x.example/y.png' alt='pic'>"
             "<link rel='stylesheet' href='//cdn.example/a.css'><table><tr><td>kept</td></tr></table>"))
display(Javascript("alert('no')"))
display({"application/vnd.jupyter.widget-view+json": {"model_id": "x"}, "text/plain": "bar noise"}, raw=True)
print(repr(key), table)"""
REMOTE_MARKDOWN = "## What is it like?\nSee ![logo](https://x.example/logo.png) here."


def cell(number: int, heading: str, error: str) -> CellFailure:
    return CellFailure(number=number, heading=heading, error=error)


def notebook(folder: Path, *cells: nbformat.NotebookNode, parameters: str | None = PARAMETERS) -> Path:
    node = new_notebook(metadata={"kernelspec": {"name": "elsewhere", "display_name": "x"}})
    node.cells.append(new_markdown_cell("# How are persons?\nRead on."))
    if parameters is not None:
        node.cells.append(new_code_cell(parameters, metadata={"tags": ["parameters"]}))
    node.cells += cells
    path = folder / "sample.ipynb"
    nbformat.write(node, path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("reports {braces}")  # papermill formats paths


@pytest.fixture(scope="module")
def sample(folder) -> Path:
    return notebook(
        folder,
        new_markdown_cell(REMOTE_MARKDOWN),
        new_code_cell(CHART),
        new_code_cell(HOSTILE),
        new_markdown_cell("## Does it end?"),
        new_code_cell("import time\nif fail: raise KeyError('gone\\nfor good')\nif wait: time.sleep(wait)"),
        new_markdown_cell("## What came of it?"),
        new_code_cell("import os; print('after', os.getcwd()); import workbench"),
    )


@pytest.fixture(scope="module")
def done(sample, folder, processes) -> Report:
    return run_report(sample, {"key": "00123"}, folder / "out")


@pytest.fixture(scope="module")
def failed(sample, folder, processes) -> Report:
    return run_report(sample, {"fail": "true"}, folder / "out", name="failed")


class Links(HTMLParser):
    """Collects what a page would load."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag != "a":
            self.found += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data")]


def test_describe_reads_name_type_default_and_help(sample):
    found = {each.name: (each.type, each.default, each.help) for each in describe(sample)}
    assert found == {
        "table": ("str", "persons", "which table"),
        "key": ("Optional[str]", None, "a key = or none"),
        "limit": ("int", 10, ""),
        "share": ("float", 0.5, "between 0 and 1"),
        "fail": ("bool", False, ""),
        "wait": ("Optional[int]", None, ""),
    }


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("key", "00123", "00123"),
        ("key", "1e5", "1e5"),
        ("key", "None", None),
        ("key", "", ""),
        ("table", "None", "None"),
        ("table", "True", "True"),
        ("limit", "007", 7),
        ("limit", "-3", -3),
        ("share", "1e-7", 1e-7),
        ("share", "3", 3.0),
        ("share", 3, 3.0),
        ("fail", "True", True),
        ("fail", "false", False),
        ("wait", "None", None),
        ("wait", None, None),
        ("wait", "5", 5),
    ],
)
def test_values_become_the_declared_type(sample, name, text, value):
    parameter = next(each for each in describe(sample) if each.name == name)
    assert (parameter.coerce(text), type(parameter.coerce(text))) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("limit", "1e5"),
        ("limit", "1.0"),
        ("limit", ""),
        ("limit", " 5"),
        ("limit", "1_000"),
        ("limit", True),
        ("limit", "None"),
        ("limit", 1.5),
        ("limit", "٣"),
        ("share", "nan"),
        ("share", "inf"),
        ("share", "1e999"),
        ("share", "half"),
        ("share", True),
        ("share", None),
        ("fail", "yes"),
        ("fail", "1"),
        ("fail", 1),
        ("fail", ""),
        ("table", None),
        ("table", 5),
        ("wait", "none"),
        ("wait", "x"),
        ("share", "1.2.3"),
    ],
)
def test_a_value_of_another_type_is_refused_in_one_line(sample, folder, name, text):
    with pytest.raises(ParameterError, match=f"parameter {name!r} is ") as caught:
        run_report(sample, {name: text}, folder / "never")
    assert "\n" not in str(caught.value)
    assert not (folder / "never").exists()


def test_an_unknown_parameter_is_refused_with_the_one_that_was_meant(sample, folder):
    with pytest.raises(ParameterError, match=r"no parameter 'tabel'.*Did you mean 'table'\?"):
        run_report(sample, {"tabel": "persons"}, folder / "never")


def test_a_notebook_without_a_parameter_cell_takes_none(tmp_path):
    path = notebook(tmp_path, parameters=None)
    assert describe(path) == []
    with pytest.raises(ParameterError, match="no cell tagged 'parameters'"):
        run_report(path, {"table": "x"}, tmp_path)


@pytest.mark.parametrize(
    "line", ["a = 1", "a: str = 1", "a: int = int(5)", "a: list = []", "a: str | None = None", "print(1)", "a: int"]
)
def test_a_line_that_declares_nothing_is_refused_with_its_number(tmp_path, line):
    with pytest.raises(ReportError, match=r"sample.ipynb, parameter cell, line 2: .*name: type = literal"):
        describe(notebook(tmp_path, parameters=f"x: int = 1\n{line}"))


def test_a_missing_notebook_is_named_with_its_neighbours(sample, folder):
    with pytest.raises(ReportError, match=r"Did you mean 'sample.ipynb'\?"):
        run_report(sample.with_name("smaple.ipynb"), {}, folder)


def test_a_file_that_is_no_notebook_is_refused_in_one_line(tmp_path):
    (tmp_path / "x.ipynb").write_text("not json")
    with pytest.raises(ReportError, match=r"x.ipynb is no notebook"):
        describe(tmp_path / "x.ipynb")


def test_a_report_is_the_executed_notebook_and_a_page(done, folder):
    assert done.folder.parent == folder / "out" / "sample"
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d-\d\d-\d\dZ", done.folder.name)
    assert done.record.failed_cell is None
    assert done.record.title == "How are persons?"
    assert done.record.parameters["key"] == "00123"
    assert done.record.parameters["limit"] == 10
    assert {path.name for path in done.folder.iterdir()} >= {"report.html", "notebook.ipynb", "run.json"}
    for file in done.record.files:
        kept = (done.folder / file.path).read_bytes()
        assert (len(kept), hashlib.sha256(kept).hexdigest()) == (file.bytes, file.sha256)
    assert RunRecord.model_validate_json((done.folder / "run.json").read_text()) == done.record
    assert "'00123' persons" in nbformat.writes(nbformat.read(done.notebook, as_version=4))


def test_the_kernel_works_in_the_callers_folder_and_finds_this_package(done):
    assert f"after {Path.cwd()}" in done.html.read_text()


@pytest.mark.process
@pytest.mark.parametrize("which", ["done", "failed"])
def test_the_page_loads_nothing_and_runs_nothing(which, request):
    links = Links(request.getfixturevalue(which).html.read_text())
    assert all(link.startswith(("data:", "#")) for link in links.found)
    assert any(link.startswith("data:image/png") for link in links.found)
    assert not links.tags & {"script", "link", "iframe", "object", "embed"}


def test_the_page_has_no_code_no_noise_and_what_the_reader_needs(done):
    page = done.html.read_text()
    assert "import" not in re.sub(r"data:[^\"]+", "", page.split("</style>")[1])
    assert "noise" not in page
    assert "kept" in page
    assert "[pic: not in this file]" in page
    assert re.search(r"<dt>key</dt><dd>00123</dd>", page)
    assert re.search(r"<dt>Run</dt><dd>20\d\d-\d\d-\d\d \d\d:\d\d(:\d\d)? UTC", page)
    assert "Python 3." in page
    assert page.count("<h1>") == 1
    assert 'name="viewport"' in page


def test_a_failing_cell_leaves_both_files_and_is_named(failed):
    assert failed.record.status is Status.FAILED
    assert failed.record.failed_cell == cell(5, "Does it end?", "KeyError: 'gone\\nfor good'")
    page = failed.html.read_text()
    assert "This report is not complete" in page
    assert "Does it end?" in page
    assert "Traceback" not in page
    assert "What came of it" not in page
    errors = [
        output
        for cell in nbformat.read(failed.notebook, as_version=4).cells
        for output in cell.get("outputs", [])
        if output.output_type == "error"
    ]
    assert errors[0].traceback


@pytest.mark.process
def test_a_cell_that_does_not_end_in_time_is_named(sample, folder):
    report = run_report(sample, {"wait": 3600}, folder / "out", name="slow", timeout=15)
    assert report.record.status is Status.TIMED_OUT
    assert report.record.failed_cell == cell(5, "Does it end?", "CellTimeout: no end within 15 s")
    assert "no end within 15 s" in report.html.read_text()


@pytest.mark.process
def test_a_kernel_that_dies_is_a_failed_cell(tmp_path):
    path = notebook(tmp_path, new_code_cell("import os; os._exit(1)"), parameters=None)
    record = run_report(path, {}, tmp_path / "out").record
    assert record.status is Status.DIED
    assert record.failed_cell
    assert record.failed_cell.number == 1
    assert record.failed_cell.error.startswith("DeadKernel: ")


@pytest.mark.process
def test_a_run_replaces_no_other_and_the_index_links_all(done, failed, sample, folder):
    before = {path: path.read_bytes() for path in done.folder.rglob("*") if path.is_file()}
    again = run_report(sample, {}, folder / "out")
    assert again.folder.parent == done.folder.parent
    assert again.folder != done.folder
    assert {path: path.read_bytes() for path in before} == before
    page = (folder / "out" / "index.html").read_text()
    for report in (done, failed, again):
        assert f'href="{report.record.name}/{report.record.run}/report.html"' in page
    assert "failed</b>" in page
    assert "Does it end?" in page
    assert all(link.startswith(("data:", "sample/", "failed/")) for link in Links(page).found)


@pytest.mark.process
def test_a_scheduled_run_is_silent_even_when_a_cell_takes_too_long(sample, tmp_path):
    call = f"run_report({str(sample)!r}, {{'wait': '9'}}, {str(tmp_path)!r}, timeout=1)"
    code = f"from workbench.reports import run_report; {call}"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert (run.stdout, run.stderr) == ("", "")


@pytest.mark.process
def test_a_report_is_run_by_this_python_whatever_kernels_are_installed(sample, tmp_path, monkeypatch):
    foreign = tmp_path / "share" / "kernels" / "python3"
    foreign.mkdir(parents=True)
    (foreign / "kernel.json").write_text('{"argv": ["false"], "display_name": "Another", "language": "python"}')
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "share"))
    notebook = tmp_path / "which.ipynb"
    cells = [
        new_code_cell("x: int = 1  # a number", metadata={"tags": ["parameters"]}),
        new_code_cell("import sys\nprint(sys.executable)"),
    ]
    nbformat.write(new_notebook(cells=cells), notebook)
    done = run_report(notebook, {}, tmp_path / "out")
    assert done.record.failed_cell is None
    assert nbformat.read(done.notebook, 4).cells[-1].outputs[0].text.strip() == sys.executable


def test_what_papermill_reads_of_a_parameter_cell_is_read_the_same(caplog):
    """It leaves out lines with a second ``=``, so that its own reading would lose parameters."""
    for path in sorted(shipped().glob("*.ipynb")):
        ours = {each.name: (each.type, each.help, each.default) for each in describe(path)}
        theirs = papermill.inspect_notebook(path)
        assert theirs
        for name, each in theirs.items():
            default = ast.literal_eval(each["default"])
            assert ours[name] == (each["inferred_type_name"], each["help"], default), path.name


CONNECTED = """\
from workbench import Workbench
wb = Workbench.from_parameters(globals())
print(wb.settings.engine, wb.settings.source, wb.settings.log_region)"""


def test_a_setting_is_a_parameter_of_every_notebook(tmp_path):
    path = notebook(tmp_path, new_code_cell(CONNECTED))
    given = {"table": "orders", "source": "logs", "log_region": "eu-central-1", "mask_salt": "secret"}
    report = run_report(path, given, tmp_path / "out", settings={"log_region": "us-east-1"})
    assert "duckdb logs eu-central-1" in report.html.read_text()
    assert (report.record.parameters["table"], report.record.parameters["source"]) == ("orders", "logs")
    assert "secret" not in report.notebook.read_text() + report.html.read_text()
    with pytest.raises(ConfigError, match="engine"):
        run_report(path, {"engine": "oracle"}, tmp_path / "never")
    assert not (tmp_path / "never").exists()


def test_papermill_alone_sets_where_a_notebook_asks(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(workbench.__file__).parents[1]))
    path = notebook(tmp_path, new_code_cell(CONNECTED))
    out = tmp_path / "executed.ipynb"
    papermill.execute_notebook(
        path, out, {"source": "logs"}, kernel_name="python3", language="python", progress_bar=False
    )
    assert nbformat.read(out, as_version=4).cells[-1].outputs[0].text == "duckdb logs None\n"
    with pytest.raises(papermill.PapermillExecutionError, match="oracle"):
        papermill.execute_notebook(
            path, out, {"engine": "oracle"}, kernel_name="python3", language="python", progress_bar=False
        )
