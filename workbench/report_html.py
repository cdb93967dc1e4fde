"""HTML of reports: one file each, readable offline, on a phone and in print."""

from __future__ import annotations

import copy
import platform
import re
import warnings
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import nbformat
from bs4 import BeautifulSoup
from jinja2 import Environment
from nbformat import NotebookNode

if TYPE_CHECKING:
    from workbench.reports import Report

HERE = Path(__file__).parent
WIDGET = "application/vnd.jupyter.widget-view+json"
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
    notebook: NotebookNode, *, title: str, parameters: list[tuple[str, Any, bool]], started: datetime,
    seconds: float, failed: tuple[int, str, str] | None, source: str, notebook_name: str,
    settings: str = "",
) -> str:  # fmt: skip
    """Return an executed notebook as a page without code that refers to nothing outside itself."""
    from nbconvert import HTMLExporter  # slow to import

    shown = copy.deepcopy(notebook)
    for cell in shown.cells:  # the page has its title already
        if cell.cell_type == "markdown" and re.search(r"^#\s", cell.source, re.MULTILINE):
            cell.source = re.sub(r"^#\s+.+$", "", cell.source, count=1, flags=re.MULTILINE)
            break
    for number, cell in enumerate(shown.cells):
        # progress bars: without a kernel nothing but their text would be left
        cell.outputs = [output for output in cell.get("outputs", []) if WIDGET not in output.get("data", {})]
        if any(output.output_type == "error" for output in cell.outputs):
            del shown.cells[number + 1 :]  # no headings without answers
            break
    about = {
        "title": title, "css": _css(), "started": f"{started:%Y-%m-%d %H:%M}", "seconds": f"{seconds:.1f}",
        "parameters": parameters, "failed": failed, "versions": versions(), "source": source,
        "notebook": notebook_name, "settings": settings,
    }  # fmt: skip
    exporter = HTMLExporter(  # type: ignore[no-untyped-call]
        template_name="basic", raw_template=_template("report"), exclude_anchor_links=True, embed_images=True
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nbconvert on missing alternative texts: the template has them
        page, _ = exporter.from_notebook_node(shown, resources={"report": about})
    return offline(page)


def render_index(reports: list[Report], folder: Path) -> str:
    """Return the page that links reports."""
    rows = [(report, quote(_relative(Path(report.html), folder)), _picture(Path(report.notebook)))
            for report in reports]  # fmt: skip
    return Environment(autoescape=True).from_string(_template("index")).render(
        css=_css(), reports=rows, failed=sum(report.failed_cell is not None for report in reports),
        written=f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
    )  # fmt: skip


def is_index(path: Path) -> bool:
    """Tell whether a file is a page that links reports."""
    return path.is_file() and "<title>Reports</title>" in path.read_text(encoding="utf-8", errors="replace")[:1000]


def offline(page: str) -> str:
    """Return a page without scripts, frames and whatever it would load from elsewhere."""
    soup = BeautifulSoup(page, "html.parser")
    for tag in soup.find_all(["script", "link", "iframe", "object", "embed", "video", "audio", "source"]):
        tag.decompose()
    for image in soup.find_all("img"):
        if not str(image.get("src", "")).startswith("data:"):
            image.replace_with(f"[{image.get('alt') or 'picture'}: not in this file]")
    return str(soup)


def versions() -> str:
    """Return what the report was made with."""
    found = [f"Python {platform.python_version()}"]
    for library in ("workbench", *LIBRARIES):
        try:
            found.append(f"{library} {version(library)}")
        except PackageNotFoundError:  # run from a checkout
            continue
    return " · ".join(found)


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
