"""The notebooks keep the house rules, and run alone, in order and again."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from tests.helpers.browser import PHONE, WIDE, printed, visiting
from workbench.reports import Report, describe, run_report

FOLDER = Path(__file__).parents[2] / "notebooks"
ALL = sorted(FOLDER.glob("*.ipynb"), key=lambda path: (path.stem == "00_explore", path.name))
"""In their order, but for the one that people open first, and that needs a table."""
SMALL = {"items": 60, "changes": 400}


def read(path: Path) -> nbformat.NotebookNode:
    node = nbformat.read(path, as_version=4)
    nbformat.validate(node)
    return node


def code(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


@pytest.fixture
def elsewhere(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("WORKBENCH_HOME", "WORKBENCH_SOURCE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
class TestHouseRules:
    def test_is_committed_without_outputs_for_the_kernel_python3(self, path):
        node = read(path)
        assert (node.nbformat, node.nbformat_minor) == (4, 5)
        assert node.metadata.kernelspec.name == "python3"
        assert all(not cell.outputs and cell.execution_count is None for cell in code(path))

    def test_has_stable_speaking_cell_ids(self, path):
        ids = [cell.id for cell in read(path).cells]
        assert len(set(ids)) == len(ids)
        assert all(re.fullmatch(r"[a-z-]+", each) for each in ids)

    def test_declares_parameters_each_with_help(self, path):
        assert describe(path)
        assert all(parameter.help for parameter in describe(path))

    def test_asks_a_question_before_every_cell(self, path):
        node = read(path)
        for before, cell in zip(node.cells, node.cells[1:], strict=False):
            if cell.cell_type == "code" and "parameters" not in cell.metadata.get("tags", []):
                heading, *rest = before.source.splitlines()
                assert re.match(r"#+ .+\?$", heading)
                assert rest

    def test_has_eight_lines_a_cell_at_most(self, path):
        cells = [cell for cell in code(path) if "parameters" not in cell.metadata.get("tags", [])]
        assert all(len([line for line in cell.source.splitlines() if line.strip()]) <= 8 for cell in cells)

    def test_has_no_definitions_no_sql_and_no_aws_client(self, path):
        for cell in code(path):
            tree = ast.parse(cell.source)
            assert not any(isinstance(part, ast.FunctionDef | ast.ClassDef | ast.Lambda) for part in ast.walk(tree))
            assert not re.search(r"(?i)boto3|awswrangler|duckdb|\bselect\b.+\bfrom\b|plt\.", cell.source)


@pytest.fixture(scope="module")
def reports(tmp_path_factory, processes) -> list[Report]:
    """Of all notebooks in their order; and again of those that stand on what they made."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in ("WORKBENCH_HOME", "WORKBENCH_SOURCE"):
            patch.delenv(name, raising=False)
        again = [path for path in ALL if path.stem.startswith(("00", "01", "02"))]
        return [
            run_report(path, SMALL if path.stem.startswith("01") else {}, folder / "reports") for path in [*ALL, *again]
        ]


def test_the_notebooks_run_in_order_and_again(reports):
    for report in reports:
        assert report.record.failed_cell is None, (report.record.name, report.record.failed_cell)
    index = reports[0].folder.parents[1].joinpath("index.html").read_text()
    assert all(f"{report.record.name}/{report.record.run}/report.html" in index for report in reports)
    frequency = next(report for report in reports if report.record.name.startswith("03"))
    assert frequency.html.read_text().count('<img src="data:image/svg+xml') == 7  # each chart once, not twice


def test_what_a_report_shows_is_in_its_files(reports):
    for report in reports:
        page = BeautifulSoup(report.html.read_text(), "html.parser")
        links = {link["href"] for link in page.select("main .taken a")}
        kept = {file.path for file in report.record.files if file.path.startswith(("tables/", "figures/"))}
        assert links == {path for path in kept if "-narrow" not in path}, report.record.name
        assert "could not be written" not in page.get_text()
        for table in page.select("div.table"):
            file = table.select_one('a[href$=".parquet"]')["href"]
            assert len(table.select("tbody tr")) == len(pd.read_parquet(report.folder / file)), file


@pytest.mark.parametrize(("width", "dark"), [(WIDE, False), (PHONE, True)], ids=["wide light", "phone dark"])
@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_in_a_browser_nothing_of_a_page_is_wrong_cut_or_barred(reports, browser, path, width, dark):
    report = next(each for each in reversed(reports) if each.record.name == path.stem)
    with visiting(browser, report.html, width=width, dark=dark) as visit:
        assert not visit.problems
        assert not visit.cut()
        assert not visit.violations()
        assert visit.page.locator("h1").inner_text() == report.record.title
        broken = "images => images.filter(image => !image.complete || !image.naturalWidth).length"
        assert visit.page.locator("img").evaluate_all(broken) == 0


def test_on_paper_nothing_of_a_page_is_cut(reports, browser, tmp_path):
    report = next(each for each in reversed(reports) if each.record.name == "02_latest_state")
    with visiting(browser, report.html) as visit:
        text = printed(visit.page, tmp_path / "page.pdf")
        heads = visit.page.locator("main h2").all_inner_texts()
        tables = visit.page.locator("div.table")
        named = [
            tables.nth(at).locator("tbody tr").first.locator("th, td").first.text_content()
            for at in range(tables.count())
        ]
    assert len(heads) > 2
    for heading in heads:
        assert heading in text
    assert all(name in text for name in named)
    assert re.search(r"Not printed: \d+ of \d+ columns", text)
    assert not re.search(r"(?m)^(\s*\S\s*\n){4}", text)  # a column of one letter
    assert "Search" not in text


@pytest.mark.parametrize(
    "stem",
    [path.stem for path in ALL if path.stem not in ("00_setup_check", "01_generate_data")],
)
def test_without_data_a_notebook_says_in_one_line_what_to_do(elsewhere, stem):
    report = run_report(FOLDER / f"{stem}.ipynb", {}, elsewhere / "reports")
    assert report.record.failed_cell is not None
    assert "workbench generate" in report.record.failed_cell.error
    assert "workbench generate" in report.html.read_text()
