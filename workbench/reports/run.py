"""Reports: run a notebook with strict parameters, keep it and one offline HTML file without code.

A cell that fails or does not end in time still leaves both, with the cell named in them and in the `Report`.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from workbench import paths
from workbench.config import CONFIG, Settings, find_file, load_settings
from workbench.errors import ParameterError, ReportError
from workbench.questions.arrivals_read import arrivals_noted, newest_arrival
from workbench.questions.masking import REDACTED, names_masked
from workbench.reports import page
from workbench.reports.destination import Destination
from workbench.reports.execution import environment, execute
from workbench.reports.index import is_index, write_index
from workbench.reports.notebook import read_notebook, title_of
from workbench.reports.parameters import Value, coerce_all, read_parameters
from workbench.reports.report import Report
from workbench.text import file_name


def run_report(
    notebook: str | Path,
    parameters: Mapping[str, Value],
    out: str | Path,
    *,
    name: str | None = None,
    timeout: int = 600,
    overwrite: bool = False,
    progress: bool | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Report:
    """Run a notebook and write ``out/NAME.ipynb`` and ``out/NAME.html``.

    Parameters
    ----------
    parameters
        Values by name, as text or already of the declared type; see `workbench.reports.parameters`. A setting that the
        notebook does not declare is one of `settings`, and wins over it.
    out
        A folder, made when missing, or with ``engine="athena"`` a place in S3, ``s3://bucket/reports/``.
    name
        Name of the two files, the notebook's own by default; it is never a path, see `workbench.text.file_name`.
    timeout
        Seconds a cell may take.
    progress
        Whether a bar is drawn on stderr; by default when that is a terminal.
    settings
        Settings of `workbench.config.Settings` that hold in the notebook. Beside them hold those of who starts it: the
        environment, and the nearest ``workbench.toml`` from the working folder, else from the notebook's.

    Raises
    ------
    ReportError
        When the notebook is missing or malformed, or an output exists and `overwrite` is not set, or
        cannot be written.
    ParameterError
        When a parameter is unknown or not of its type. Nothing ran then.

    Examples
    --------
    >>> run_report("notebooks/02_latest_state.ipynb", {"table": "persons"}, "reports")  # doctest: +SKIP
    """
    if timeout < 1:
        raise ParameterError(f"timeout={timeout}: a cell may take a second or more")
    source = paths.local_path(notebook, ReportError)
    node = read_notebook(source)
    declared = read_parameters(node, source)
    names = {parameter.name for parameter in declared}
    chosen = {name: value for name, value in parameters.items() if name in Settings.model_fields and name not in names}
    given = coerce_all({name: parameters[name] for name in parameters if name not in chosen}, declared, source)
    with _holding({**(settings or {}), **chosen}, source.absolute().parent) as holding:
        files = Destination.of(out, file_name(name or source.stem), holding)
        files.refuse(source, overwrite=overwrite)
        started, clock = datetime.now(UTC), time.perf_counter()
        with arrivals_noted() as arrivals:
            execution = execute(node, given, timeout, sys.stderr.isatty() if progress is None else progress)
            known_at = holding.known_at or newest_arrival(arrivals)
        seconds = time.perf_counter() - clock
        given |= chosen
        used = {**{parameter.name: parameter.default for parameter in declared}, **given}
        hidden = {key for key, value in used.items() if isinstance(value, str) and names_masked(value, holding.mask)}
        hidden |= {"mask_salt"} & used.keys()
        used |= dict.fromkeys(hidden, REDACTED)
        _hide(execution.notebook, hidden)
        report = Report(
            files.notebook, files.html, title_of(node, source.stem), used, seconds, execution.failed_cell, known_at
        )
        shown = [(key, value, key in given) for key, value in used.items() if key in given or value is not None]
        execution.notebook.metadata["workbench"] = {
            "title": report.title,
            "seconds": round(seconds, 1),
            "failed_cell": report.failed_cell,
            "parameters": {key: value for key, value, _ in shown},
            "known_at": known_at and known_at.isoformat(),
        }
        html = page.render(
            execution.notebook,
            report,
            parameters=shown,
            started=started,
            source=source.name,
            settings=_summary(holding),
            folders=[source.parent, Path.cwd()],
        )
        files.write(nbformat.writes(execution.notebook) + "\n", html)  # type: ignore[no-untyped-call]
        if isinstance(report.html, Path) and is_index(report.html.with_name("index.html")):
            write_index(report.html.parent)
    if execution.stopped:
        raise KeyboardInterrupt
    return report


@contextmanager
def _holding(given: Mapping[str, Any], folder: Path) -> Iterator[Settings]:
    """Let settings hold in processes started here, and the file of settings that holds here, else a folder's."""
    variables = {f"WORKBENCH_{name}".upper(): _as_text(value) for name, value in given.items() if value is not None}
    file = find_file(folder)
    with environment({CONFIG: str(file)} if file else {}), environment(variables):
        yield load_settings()


def _as_text(value: Any) -> str:
    """Write a setting as a variable has it."""
    if isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _summary(settings: Settings) -> str:
    """Return what a page says of the settings: their file, what is masked, and which attribute tells who wrote."""
    masked = f"masked: {', '.join(settings.mask)} ({settings.mask_with})" if settings.mask else ""
    actor = f"actor: {settings.actor}" if settings.actor else ""
    return " · ".join(filter(None, (f"settings of {settings.file}" if settings.file else "", masked, actor)))


def _hide(executed: NotebookNode, hidden: Collection[str]) -> None:
    """Take the values of parameters out of an executed notebook."""
    for name in hidden:
        executed.metadata.get("papermill", {}).get("parameters", {}).update({name: REDACTED})
        for cell in executed.cells:
            if {"injected-parameters", "parameters"} & set(cell.metadata.get("tags", [])):
                cell.source = re.sub(rf"(?m)^({name}\b[^=\n]*=\s*).*$", rf'\1"{REDACTED}"', cell.source)
