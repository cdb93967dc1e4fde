"""Reports: run a notebook with strict parameters, keep it and one offline HTML file without code.

A cell that fails or does not end in time still leaves both, with the cell named in them and in the `Report`.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import sysconfig
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from nbformat import NotebookNode

from workbench import paths
from workbench.config import CONFIG, Settings, find_file, load_settings
from workbench.errors import ParameterError, ReportError, did_you_mean
from workbench.questions.masking import REDACTED, names_masked
from workbench.reports import page
from workbench.reports.parameters import Parameter, Value, coerce_all, read_parameters
from workbench.text import file_name

if TYPE_CHECKING:
    import boto3


@dataclass(frozen=True)
class Report:
    """A notebook that was run.

    Attributes
    ----------
    notebook, html
        The executed notebook, and the report made of it: files, or ``s3://`` addresses as text.
    title
        The notebook's first heading.
    parameters
        What it ran with, defaults included.
    seconds
        How long it ran.
    failed_cell
        None, or the number of the code cell that failed, the heading above it, and the error in one line.
    """

    notebook: Path | str
    html: Path | str
    title: str
    parameters: Mapping[str, Value]
    seconds: float
    failed_cell: tuple[int, str, str] | None = None


def describe(notebook: str | Path) -> list[Parameter]:
    """Return the parameters of a notebook: name, type, default, help.

    Raises
    ------
    ReportError
        When there is no such notebook, or its parameter cell cannot be read.
    """
    return read_parameters(_read(Path(notebook)), Path(notebook))


def shipped() -> Path:
    """Return the folder of the notebooks that come with the package: in it where it is installed, else beside it."""
    package = Path(__file__).parents[1]
    inside = package / "notebooks"
    return inside if inside.is_dir() else package.parent / "notebooks"


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
        Values by name, as text or already of the declared type; see `workbench.reports.parameters`.
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
    node = _read(source)
    declared = read_parameters(node, source)
    given = coerce_all(parameters, declared, source)
    with _settings(settings or {}, source.absolute().parent) as known:
        return _run(
            node,
            source,
            declared,
            given,
            out,
            name,
            timeout,
            overwrite,
            sys.stderr.isatty() if progress is None else progress,
            known,
        )


def _run(
    node: NotebookNode,
    source: Path,
    declared: Sequence[Parameter],
    given: Mapping[str, Value],
    out: str | Path,
    name: str | None,
    timeout: int,
    overwrite: bool,
    progress: bool,
    known: Settings,
) -> Report:
    session = _session(out, known)
    stem = file_name(name or source.stem)
    files = [paths.beneath(out, f"{stem}{ending}", session) for ending in (".ipynb", ".html")]
    for file in files:
        if not overwrite and paths.exists(file, session):
            raise ReportError(f"{file} exists: choose another name or folder, or allow overwriting it")
        if isinstance(file, Path) and file.resolve() == source.resolve():
            raise ReportError(f"{file} is the notebook itself: choose another folder for its report")
    started, clock = datetime.now(UTC), time.perf_counter()
    done, failed, stopped = _execute(node, given, timeout, progress)
    used = {parameter.name: given.get(parameter.name, parameter.default) for parameter in declared}
    hidden = {key for key, value in used.items() if isinstance(value, str) and names_masked(value, known.mask)}
    used |= dict.fromkeys(hidden, REDACTED)
    _hide(done, hidden)
    seconds = time.perf_counter() - clock
    masked = f"masked: {', '.join(known.mask)} ({known.mask_with})" if known.mask else ""
    settings = " · ".join(filter(None, (f"settings of {known.file}" if known.file else "", masked)))
    shown = [(key, value, key in given) for key, value in used.items() if key in given or value is not None]
    report = Report(files[0], files[1], page.title(node, source.stem), used, seconds, failed)
    done.metadata["workbench"] = {
        "title": report.title,
        "seconds": round(seconds, 1),
        "failed_cell": failed,
        "parameters": {key: value for key, value, _ in shown},
    }
    text = page.render(
        done,
        title=report.title,
        parameters=shown,
        started=started,
        seconds=seconds,
        failed=failed,
        source=source.name,
        notebook_name=f"{stem}.ipynb",
        settings=settings,
        folders=[source.parent, Path.cwd()],
    )
    texts = [nbformat.writes(done) + "\n", text]  # type: ignore[no-untyped-call]
    for file, each in zip(files, texts, strict=True):
        _write(file, each, session)
    if isinstance(report.html, Path) and page.is_index(report.html.with_name("index.html")):
        write_index(report.html.parent)
    if stopped:
        raise KeyboardInterrupt
    return report


def write_index(out: str | Path, reports: Iterable[Report] = ()) -> Path:
    """Write ``out/index.html``, which links the reports in a folder, and these, with a line on each."""
    index = paths.local_path(out, ReportError, "an index is written to a folder") / "index.html"
    found = {Path(report.html).resolve(): report for report in (*_kept(index.parent), *reports)}
    _write(index, page.render_index([found[path] for path in sorted(found)], index.parent))
    return index


def _kept(folder: Path) -> Iterator[Report]:
    """Yield the reports in a folder, as their executed notebooks tell."""
    for path in folder.glob("*.ipynb"):
        with suppress(ReportError):  # no notebook at all
            told = _read(path).metadata.get("workbench")
            if told and (html := path.with_suffix(".html")).is_file():
                failed = told["failed_cell"]
                yield Report(path, html, told["title"], told["parameters"], told["seconds"], failed and tuple(failed))


@contextmanager
def _settings(given: Mapping[str, Any], folder: Path) -> Iterator[Settings]:
    """Let settings hold in processes started here, and the file of settings that holds here, else a folder's."""
    told = {
        f"WORKBENCH_{name}".upper(): value if isinstance(value, str) else json.dumps(value, default=str)
        for name, value in given.items()
        if value is not None
    }
    with _environment({CONFIG: str(file)} if (file := find_file(folder)) else {}), _environment(told):
        yield load_settings()


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _hide(done: NotebookNode, hidden: Collection[str]) -> None:
    """Take the values of parameters out of an executed notebook."""
    for name in hidden:
        done.metadata.get("papermill", {}).get("parameters", {}).update({name: REDACTED})
        for cell in done.cells:
            if {"injected-parameters", "parameters"} & set(cell.metadata.get("tags", [])):
                cell.source = re.sub(rf"(?m)^({name}\b[^=\n]*=\s*).*$", rf'\1"{REDACTED}"', cell.source)


def _session(out: str | Path, settings: Settings) -> boto3.Session | None:
    """Return the session with which reports are written to S3; None where they are not, or nobody set it up."""
    if not paths.is_s3(out) or settings.engine != "athena":
        return None
    from workbench.aws.session import open_session  # awswrangler, which takes a second to import

    return open_session(settings)


def _write(path: Path | str, text: str, session: boto3.Session | None = None) -> None:
    if isinstance(path, str):
        with tempfile.TemporaryDirectory(prefix="workbench-report-") as scratch:
            part = Path(scratch, "part")
            part.write_text(text, encoding="utf-8")
            paths.upload(part, path, session, overwrite=True)
        return
    try:
        with paths.write_atomically(path) as part:
            part.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ReportError(f"{path} cannot be written: {error.strerror or error}") from error


def _read(path: Path) -> NotebookNode:
    if not path.is_file():
        others = sorted(other.name for other in path.parent.glob("*.ipynb"))
        raise ReportError(
            f"there is no notebook {path}.{did_you_mean(path.name, others)}"
            + (f" There are: {', '.join(others)}" if others else "")
        )
    try:
        node: NotebookNode = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    except Exception as error:  # nbformat raises whatever its JSON parser and validator do
        raise ReportError(f"{path} is no notebook: {str(error).splitlines()[0]}") from error
    return node


def _execute(
    node: NotebookNode, given: Mapping[str, Value], timeout: int, progress: bool
) -> tuple[NotebookNode, tuple[int, str, str] | None, bool]:
    # heavy, and `describe` and the rest of the command line do without
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill import PapermillExecutionError, execute_notebook

    from workbench.reports import kernel

    with tempfile.TemporaryDirectory(prefix="workbench-report-") as scratch, _kernel_environment():
        kept = f"{scratch}/executed.ipynb"  # papermill formats paths: one of ours, without braces in it
        lost, stopped = "", False
        try:
            execute_notebook(
                node,
                kept,
                dict(given),
                kernel_name="python3",
                language="python",
                engine_name=kernel.engine(),
                progress_bar=progress,
                execution_timeout=timeout,
                extra_arguments=["--log-level=CRITICAL"],
            )
        except PapermillExecutionError:
            pass
        except CellTimeoutError:
            lost = f"CellTimeout: no end within {timeout} s"
        except DeadKernelError:
            lost = "DeadKernel: the notebook's Python process died, perhaps of lack of memory"
        except KeyboardInterrupt:  # or a signal that is taken for it: what there is by now is a report too
            lost, stopped = "Stopped: the run was ended before the notebook was", True
        done = _read(Path(kept)) if Path(kept).exists() else node
    # papermill marks a failure by cells of its own, red and large; ours say more
    marks = {"papermill-error-cell-tag"}
    done.cells = [cell for cell in done.cells if marks.isdisjoint(cell.metadata.get("tags", []))]
    return done, _failure(done, lost), stopped


def _failure(done: NotebookNode, lost: str) -> tuple[int, str, str] | None:
    """Return which code cell failed, under which heading and how; a lost one gets the error as its output."""
    started, number, heading = None, 0, "before the first heading"
    for cell in done.cells:
        if cell.cell_type == "markdown":
            heading = page.heading(cell.source) or heading
        if cell.cell_type != "code":
            continue
        number += 1
        errors = [output for output in cell.outputs if output.output_type == "error"]
        if errors and not lost:
            message = f"{errors[0].ename}: {errors[0].evalue}".strip()
            return number, heading, message.splitlines()[0]
        if cell.metadata.get("papermill", {}).get("start_time"):
            started, last = (number, heading, lost), cell
    if not lost:
        return None
    if started is None:
        return 1, "before the first cell", lost
    ename, evalue = lost.split(": ", 1)
    # without the KeyboardInterrupt that stopping the kernel left there
    last.outputs = [output for output in last.outputs if output.output_type != "error"]
    error = {"output_type": "error", "ename": ename, "evalue": evalue, "traceback": [lost]}
    last.outputs.append(nbformat.from_dict(error))  # type: ignore[no-untyped-call]
    return started


@contextmanager
def _kernel_environment() -> Iterator[None]:
    """Let the kernel find this very package, and keep progress bars out of what nobody watches."""
    package = str(Path(__file__).resolve().parents[2])
    paths = [] if package == sysconfig.get_path("purelib") else [package]
    paths += [os.environ["PYTHONPATH"]] if os.environ.get("PYTHONPATH") else []
    quiet = logging.NullHandler()  # else Python prints papermill's warnings where nobody set up logging
    logging.getLogger("papermill").addHandler(quiet)
    try:
        with _environment({"PYTHONPATH": os.pathsep.join(paths), "TQDM_DISABLE": "1"}):
            yield
    finally:
        logging.getLogger("papermill").removeHandler(quiet)
