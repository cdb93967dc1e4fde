"""HTML of reports: one file each, readable offline, on a phone and in print."""

from __future__ import annotations

import copy
import platform
import re
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import nbformat
from bs4 import BeautifulSoup
from jinja2 import Environment
from nbformat import NotebookNode

from workbench.reports.offline import offline
from workbench.text import plain
from workbench.version import __version__

if TYPE_CHECKING:
    from workbench.reports.run import Report

HERE = Path(__file__).with_name("templates")
WIDGET = "application/vnd.jupyter.widget-view+json"
_SHOWN = ("text/html", "text/markdown", "image/svg+xml", "image/png", "image/jpeg", "text/latex", "text/plain")
_PROGRAMS = {"plotly": "a Plotly figure", "vega": "a Vega figure", "bokeh": "a Bokeh figure", "javascript": "a script"}
_TEXT = 1_000  # characters of the text shown instead
LIBRARIES = ("duckdb", "pandas", "matplotlib", "papermill")


def heading(markdown: str) -> str | None:
    """Return the last heading of a markdown text."""
    found = re.findall(r"^#+\s+(.+?)\s*#*$", markdown, re.MULTILINE)
    return found[-1] if found else None


def title(notebook: NotebookNode, otherwise: str) -> str:
    """Return the first heading of a notebook."""
    for cell in notebook.cells:
        match = re.search(r"^#\s+(.+)$", cell.source, re.MULTILINE) if cell.cell_type == "markdown" else None
        if match:
            return str(match[1])
    return otherwise


def render(
    notebook: NotebookNode,
    *,
    title: str,
    parameters: list[tuple[str, Any, bool]],
    started: datetime,
    seconds: float,
    failed: tuple[int, str, str] | None,
    source: str,
    notebook_name: str,
    settings: str = "",
    folders: Sequence[Path] = (),
) -> str:
    """Return an executed notebook as a page without code that refers to nothing outside itself.

    Parameters
    ----------
    folders
        Where the pictures are that its texts name.
    """
    from nbconvert import HTMLExporter  # slow to import

    shown = copy.deepcopy(notebook)
    for cell in shown.cells:  # the page has its title already
        if cell.cell_type == "markdown" and re.search(r"^#\s", cell.source, re.MULTILINE):
            cell.source = re.sub(r"^#\s+.+$", "", cell.source, count=1, flags=re.MULTILINE)
            break
    for number, cell in enumerate(shown.cells):
        # progress bars: without a kernel nothing but their text would be left
        cell.outputs = [output for output in cell.get("outputs", []) if WIDGET not in output.get("data", {})]
        for output in cell.outputs:
            _keep_what_shows(output)
        if any(output.output_type == "error" for output in cell.outputs):
            del shown.cells[number + 1 :]  # no headings without answers
            break
    about = {
        "title": title,
        "css": _css(),
        "started": f"{started:%Y-%m-%d %H:%M}",
        "seconds": f"{seconds:.1f}",
        "parameters": parameters,
        "failed": failed,
        "versions": versions(),
        "source": source,
        "notebook": notebook_name,
        "settings": settings,
    }
    exporter = HTMLExporter(  # type: ignore[no-untyped-call]
        template_name="basic", raw_template=_template("report"), exclude_anchor_links=True
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nbconvert on missing alternative texts: the template has them
        page, _ = exporter.from_notebook_node(shown, resources={"report": about})
    return plain(offline(page, folders), keep="\n\t\xa0")


def _keep_what_shows(output: NotebookNode) -> None:
    """Leave of an output what a page can show, and say what it cannot: a figure that is drawn by a program."""
    data = output.get("data")
    if not data:
        return
    scripted = "text/html" in data and not _shows(data["text/html"])
    left_out = [kind for kind in data if kind not in _SHOWN] + ["text/html"] * scripted
    kept = {kind: data[kind] for kind in _SHOWN if kind in data and not (scripted and kind == "text/html")}
    if left_out and not kept.keys() - {"text/plain"}:
        about = " ".join([*left_out, str(data.get("text/html", ""))]).lower()
        what = next((words for word, words in _PROGRAMS.items() if word in about), "an output")
        text = str(kept.get("text/plain", ""))
        text = "" if re.fullmatch(r"<.*>|\s*", text, re.DOTALL) else f"\n{text[:_TEXT]}{'…' * (len(text) > _TEXT)}"
        kept = {
            "text/plain": f"[{what} is not in this file, since a program draws it: display a picture of it too]{text}"
        }
    output["data"] = nbformat.from_dict(kept)  # type: ignore[no-untyped-call]


def _shows(html: str) -> bool:
    soup = BeautifulSoup(offline(html), "html.parser")
    for style in soup.find_all("style"):
        style.decompose()
    return bool(soup.get_text(strip=True) or soup.find("img"))


def render_index(reports: list[Report], folder: Path) -> str:
    """Return the page that links reports."""
    rows = [
        (report, quote(_relative(Path(report.html), folder)), _picture(Path(report.notebook))) for report in reports
    ]
    return (
        Environment(autoescape=True)
        .from_string(_template("index"))
        .render(
            css=_css(),
            reports=rows,
            failed=sum(report.failed_cell is not None for report in reports),
            written=f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
        )
    )


def is_index(path: Path) -> bool:
    """Tell whether a file is a page that links reports."""
    return path.is_file() and "<title>Reports</title>" in path.read_text(encoding="utf-8", errors="replace")[:1000]


def versions() -> str:
    """Return what the report was made with."""
    libraries = [f"{library} {version(library)}" for library in LIBRARIES]
    return " · ".join([f"Python {platform.python_version()}", f"workbench {__version__}", *libraries])


def _picture(notebook: Path) -> str | None:
    for cell in nbformat.read(notebook, as_version=4).cells:  # type: ignore[no-untyped-call]
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                return str(output.data["image/png"]).replace("\n", "")
    return None


def _relative(path: Path, folder: Path) -> str:
    resolved, root = path.resolve(), folder.resolve()
    return resolved.relative_to(root).as_posix() if resolved.is_relative_to(root) else resolved.as_uri()


def _template(name: str) -> str:
    return (HERE / f"{name}.html.j2").read_text(encoding="utf-8")


def _css() -> str:
    return (HERE / "report.css").read_text(encoding="utf-8")
