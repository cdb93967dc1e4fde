"""Notebooks as files: where those of the package are, and how one is read."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from workbench import paths
from workbench.errors import ReportError, did_you_mean
from workbench.reports.parameters import Parameter, read_parameters


def shipped() -> Path:
    """Return the folder of the notebooks that come with the package: in it where it is installed, else beside it.

    Examples
    --------
    >>> (shipped() / "02_latest_state.ipynb").exists()
    True
    """
    package = Path(__file__).parents[1]
    inside = package / "notebooks"
    return inside if inside.is_dir() else package.parent / "notebooks"


def notebook_of(name: str, folder: Path) -> Path:
    """Return the notebook of a name: a path from a folder, or one in ``notebooks/`` there, or one that is shipped.

    Examples
    --------
    >>> notebook_of("02_latest_state", Path("nowhere")) == shipped() / "02_latest_state.ipynb"
    True
    """
    path = folder / paths.local_path(name)
    if path.suffix == ".ipynb" or path.is_file():
        return path
    own = folder / "notebooks" / f"{name}.ipynb"
    return own if own.is_file() else shipped() / own.name


def describe(notebook: str | Path) -> list[Parameter]:
    """Return the parameters of a notebook: name, type, default, help.

    Raises
    ------
    ReportError
        When there is no such notebook, or its parameter cell cannot be read.

    Examples
    --------
    >>> describe(shipped() / "02_latest_state.ipynb")[0]
    Parameter(name='table', type='str', default='persons', help='the table to ask about')
    """
    return read_parameters(read_notebook(Path(notebook)), Path(notebook))


def read_notebook(path: Path) -> NotebookNode:
    """Read a notebook as of nbformat 4.

    Raises
    ------
    ReportError
        When there is none, naming those beside it, or it is malformed.
    """
    if not path.is_file():
        others = sorted(other.name for other in path.parent.glob("*.ipynb"))
        raise ReportError(
            f"there is no notebook {path}.{did_you_mean(path.name, others)}"
            + (f" There are: {', '.join(others)}" if others else "")
        )
    try:
        notebook: NotebookNode = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    except Exception as error:  # nbformat raises whatever its JSON parser and validator do
        raise ReportError(f"{path} is no notebook: {str(error).splitlines()[0]}") from error
    return notebook


def title_of(notebook: NotebookNode, otherwise: str) -> str:
    """Return the first heading of a notebook.

    Examples
    --------
    >>> from nbformat.v4 import new_markdown_cell, new_notebook
    >>> title_of(new_notebook(cells=[new_markdown_cell("# How many?")]), "untitled")
    'How many?'
    """
    for cell in notebook.cells:
        match = re.search(r"^#\s+(.+)$", cell.source, re.MULTILINE) if cell.cell_type == "markdown" else None
        if match:
            return str(match[1])
    return otherwise


def last_heading(markdown: str) -> str | None:
    """Return the last heading of a markdown text.

    >>> last_heading("# How are persons?")
    'How are persons?'
    """
    headings = re.findall(r"^#+\s+(.+?)\s*#*$", markdown, re.MULTILINE)
    return headings[-1] if headings else None
