"""HTML of reports: one file each, readable offline, on a phone and in print."""

from __future__ import annotations

import copy
import platform
import re
import warnings
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import nbformat
from bs4 import BeautifulSoup
from nbformat import NotebookNode

from workbench.reports.offline import offline
from workbench.reports.record import RunRecord
from workbench.reports.runs import NOTEBOOK
from workbench.text import plain
from workbench.version import __version__

HERE = Path(__file__).with_name("templates")
WIDGET = "application/vnd.jupyter.widget-view+json"
_SHOWN = ("text/html", "text/markdown", "image/svg+xml", "image/png", "image/jpeg", "text/latex", "text/plain")
_PROGRAMS = {"plotly": "a Plotly figure", "vega": "a Vega figure", "bokeh": "a Bokeh figure", "javascript": "a script"}
_TEXT = 1_000  # characters of the text shown instead
LIBRARIES = ("duckdb", "pandas", "matplotlib", "papermill")


def render(notebook: NotebookNode, record: RunRecord, folder: Path, *, folders: Sequence[Path] = ()) -> str:
    """Return an executed notebook as a page without code that refers to nothing outside itself.

    Parameters
    ----------
    folder
        Where the run is made: with its figures and tables.
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
        "title": record.title,
        "css": style(),
        "started": f"{record.started:%Y-%m-%d %H:%M}",
        "seconds": f"{record.seconds:.1f}",
        "parameters": [(name, value, name in record.given) for name, value in record.parameters.items()],
        "failed": record.failed_cell,
        "versions": record.versions,
        "source": record.notebook,
        "notebook": NOTEBOOK,
        "settings": record.settings,
        "known_at": record.known_at and record.known_at.isoformat().replace("+00:00", "Z"),
    }
    exporter = HTMLExporter(  # type: ignore[no-untyped-call]
        template_name="basic", raw_template=template("report"), exclude_anchor_links=True
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
    shown = {kind: data[kind] for kind in _SHOWN if kind in data and not (scripted and kind == "text/html")}
    if left_out and not shown.keys() - {"text/plain"}:
        about = " ".join([*left_out, str(data.get("text/html", ""))]).lower()
        what = next((words for word, words in _PROGRAMS.items() if word in about), "an output")
        text = str(shown.get("text/plain", ""))
        text = "" if re.fullmatch(r"<.*>|\s*", text, re.DOTALL) else f"\n{text[:_TEXT]}{'…' * (len(text) > _TEXT)}"
        shown = {
            "text/plain": f"[{what} is not in this file, since a program draws it: display a picture of it too]{text}"
        }
    output["data"] = nbformat.from_dict(shown)  # type: ignore[no-untyped-call]


def _shows(html: str) -> bool:
    soup = BeautifulSoup(offline(html), "html.parser")
    for style in soup.find_all("style"):
        style.decompose()
    return bool(soup.get_text(strip=True) or soup.find("img"))


def versions() -> str:
    """Return what the report was made with."""
    libraries = [f"{library} {version(library)}" for library in LIBRARIES]
    return " · ".join([f"Python {platform.python_version()}", f"workbench {__version__}", *libraries])


def template(name: str) -> str:
    """Return the text of a template of pages: ``report`` or ``index``."""
    return (HERE / f"{name}.html.j2").read_text(encoding="utf-8")


def style() -> str:
    """Return the CSS of the pages."""
    return (HERE / "report.css").read_text(encoding="utf-8")
