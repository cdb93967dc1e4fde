"""The page that links the reports of a folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment

from workbench import paths
from workbench.errors import ReportError
from workbench.reports.destination import write_page
from workbench.reports.notebook import read_notebook
from workbench.reports.page import style, template
from workbench.reports.report import FailedCell, Report


def write_index(out: str | Path, reports: Iterable[Report] = ()) -> Path:
    """Write ``out/index.html``, which links the reports in a folder, and these, with a line on each.

    Raises
    ------
    ReportError
        When `out` is no folder of this machine, or cannot be written to.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_index(folder).name
    'index.html'
    """
    index = paths.local_path(out, ReportError, "an index is written to a folder") / "index.html"
    by_page = {Path(report.html).resolve(): report for report in (*_reports_in(index.parent), *reports)}
    write_page(index, _render([by_page[page] for page in sorted(by_page)], index.parent))
    return index


def is_index(path: Path) -> bool:
    """Return whether a file is a page that links reports."""
    return path.is_file() and "<title>Reports</title>" in path.read_text(encoding="utf-8", errors="replace")[:1000]


def _reports_in(folder: Path) -> Iterator[Report]:
    """Yield the reports in a folder, by what their executed notebooks hold."""
    for path in folder.glob("*.ipynb"):
        with suppress(ReportError):  # no notebook at all
            about = read_notebook(path).metadata.get("workbench")
            if about and (html := path.with_suffix(".html")).is_file():
                failed = about["failed_cell"] and FailedCell(*about["failed_cell"])
                yield Report(path, html, about["title"], about["parameters"], about["seconds"], failed)


def _render(reports: list[Report], folder: Path) -> str:
    rows = [(report, quote(_link(Path(report.html), folder)), _picture(Path(report.notebook))) for report in reports]
    page = Environment(autoescape=True).from_string(template("index"))
    return page.render(
        css=style(),
        reports=rows,
        failed=sum(report.failed_cell is not None for report in reports),
        written=f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
    )


def _picture(notebook: Path) -> str | None:
    """Return the first picture of an executed notebook, as base64."""
    for cell in read_notebook(notebook).cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                return str(output.data["image/png"]).replace("\n", "")
    return None


def _link(path: Path, folder: Path) -> str:
    resolved, root = path.resolve(), folder.resolve()
    return resolved.relative_to(root).as_posix() if resolved.is_relative_to(root) else resolved.as_uri()
