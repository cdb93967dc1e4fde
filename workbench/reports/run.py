"""Reports: run notebooks with strict parameters; each run is kept in a folder of its own, with one offline page.

A cell that fails or does not end in time, a kernel that dies, and a run that is stopped still leave a run, with the
cell named in its page and in its record.
"""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

import nbformat
from nbformat import NotebookNode

from workbench import paths
from workbench.config import CONFIG, Settings, find_file, load_settings
from workbench.errors import NotPublished, ParameterError, ReportError, WorkbenchError
from workbench.model import times
from workbench.model.masked_values import REDACTED, names_masked
from workbench.questions.answers_noted import NotedAnswer, newest, noted
from workbench.reports import alerts, capture, headline
from workbench.reports.execution import environment, execute
from workbench.reports.notebook import read_notebook, title_of
from workbench.reports.parameters import (
    Parameter,
    Value,
    as_text,
    coerce_all,
    read_parameters,
    texts_of,
    without_values,
)
from workbench.reports.record import Alert, RunFile, RunRecord, Status
from workbench.reports.report import Report
from workbench.reports.runs import NOTEBOOK, PAGE, RECORD, Runs, Scratch
from workbench.reports.suite import Planned

_OF_CHANGES = frozenset({"changes", "change_frequency", "hot_keys", "item_history", "transitions"})
"""Questions whose answer tells of nothing where there was no change."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def run_report(
    notebook: str | Path,
    parameters: Mapping[str, Value],
    out: str | Path,
    *,
    name: str | None = None,
    timeout: int = 600,
    progress: bool | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Report:
    """Run a notebook, and keep what comes of it in a folder of its own: ``out/NAME/2026-11-20T06-00-00Z/``.

    In it are the page (``report.html``), the executed notebook (``notebook.ipynb``), figures, tables, and what is known
    of the run (``run.json``). ``out/index.html`` lists all runs.

    Parameters
    ----------
    parameters
        Values by name, as text or already of the declared type; see `workbench.reports.parameters`. A setting that the
        notebook does not declare is one of `settings`, and wins over it.
    out
        A folder, made when missing, or with ``engine="athena"`` a place in S3, ``s3://bucket/reports/``.
    name
        Name of the report, the notebook's own by default; it is never a path, see `workbench.text.file_name`.
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
        When the notebook is missing or malformed.
    NotPublished
        When `out` cannot be written to: before the notebook is run, if that can be told then.
    ParameterError
        When a parameter is unknown or not of its type. Nothing ran then.
    KeyboardInterrupt
        When it was stopped; the run is published.

    Examples
    --------
    >>> run_report("notebooks/02_latest_state.ipynb", {"table": "persons"}, "reports")  # doctest: +SKIP
    """
    path = paths.local_path(notebook, ReportError)
    planned = Planned(name or path.stem, path, parameters, timeout=timeout)
    (report,) = run_reports([planned], out, progress=progress, settings=settings)
    return report


def run_reports(
    planned: Iterable[Planned],
    out: str | Path,
    *,
    progress: bool | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Iterator[Report]:
    """Run reports one after another, once all of them are found fit to be run; see `run_report`.

    Yields
    ------
    Report
        Each as soon as it is published.

    Raises
    ------
    KeyboardInterrupt
        When it was stopped: that run is published, and those after it are not begun.
    """
    checked = [_Checked.of(each, settings or {}) for each in planned]
    if checked:
        with checked[0].holding() as first:
            Runs.of(out, first).refuse()
    bar = sys.stderr.isatty() if progress is None else progress
    for each in checked:
        with each.holding() as holding:
            report = _run(each, Runs.of(out, holding), holding, bar)
        yield report
        if report.record.status is Status.STOPPED:
            raise KeyboardInterrupt


def read_records(out: str | Path, settings: Mapping[str, Any] | None = None) -> list[RunRecord]:
    """Return the records of all runs in a folder or a place in S3, the oldest first.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     read_records(folder)
    []
    """
    return Runs.of(out, load_settings(**(settings or {}))).records()[0]


def write_index(out: str | Path, settings: Mapping[str, Any] | None = None) -> Path | str:
    """Write ``out/index.html`` anew, of all runs in a folder or a place in S3, and return where it is.

    Raises
    ------
    ReportError
        When there is no such folder.
    NotPublished
        When it cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_index(folder).name
    'index.html'
    """
    from workbench.reports import index  # which imports what a page is made with

    if not paths.is_s3(out) and not paths.local_path(out, ReportError).is_dir():
        raise ReportError(f"there is no folder {out}, and so no run that an index could list")
    return Runs.of(out, load_settings(**(settings or {}))).write_index(index.render)


@dataclass(frozen=True)
class _Checked:
    """A report that was found fit to be run."""

    planned: Planned
    notebook: NotebookNode
    declared: Sequence[Parameter]
    given: Mapping[str, Value]
    """Of the parameters that the notebook declares."""
    chosen: Mapping[str, Value]
    """Of the settings."""
    settings: Mapping[str, Any]

    @classmethod
    def of(cls, planned: Planned, settings: Mapping[str, Any]) -> _Checked:
        if planned.timeout < 1:
            raise ParameterError(f"timeout={planned.timeout}: a cell may take a second or more")
        source, parameters = planned.notebook, planned.parameters
        node = read_notebook(source)
        declared = read_parameters(node, source)
        names = {parameter.name for parameter in declared}
        chosen = {name: parameters[name] for name in parameters if name in Settings.model_fields and name not in names}
        given = coerce_all({name: parameters[name] for name in parameters if name not in chosen}, declared, source)
        checked = cls(planned, node, declared, given, chosen, settings)
        with checked.holding():
            return checked

    @contextmanager
    def holding(self) -> Iterator[Settings]:
        """Let its settings hold, here and in the kernel."""
        with _holding({**self.settings, **self.chosen}, self.planned.notebook.absolute().parent) as settings:
            yield settings


def _run(checked: _Checked, runs: Runs, holding: Settings, bar: bool) -> Report:
    """Run a notebook, and publish what comes of it."""
    planned = checked.planned
    started, clock = times.now(), time.perf_counter()
    with runs.begin(planned.name, started) as scratch:
        with _imported_meanwhile("workbench.reports.index"):
            execution = execute(
                checked.notebook, checked.given, planned.timeout, planned.name if bar else "", scratch.folder
            )
            seconds = time.perf_counter() - clock
        from workbench.reports import index, page

        with _uninterrupted():
            given = {**checked.given, **checked.chosen}
            used: dict[str, Any] = {**{each.name: each.default for each in checked.declared}, **given}
            masked = {
                key for key, value in used.items() if any(names_masked(text, holding.mask) for text in texts_of(value))
            }
            hidden = masked | ({"mask_salt"} & used.keys())
            used |= dict.fromkeys(hidden, REDACTED)
            _hide(execution.notebook, hidden)
            answers, headlines = noted(scratch.folder), headline.noted(scratch.folder)
            for notes in scratch.folder.glob("*.jsonl"):  # which the record holds now
                notes.unlink()
            fields = {
                "notebook": planned.notebook.name,
                "title": title_of(checked.notebook, planned.notebook.stem),
                "status": _status(execution.status, answers),
                "started": started,
                "seconds": round(seconds, 3),
                "window": planned.window,
                "parameters": {key: _recorded(value) for key, value in used.items()},
                "given": list(given),
                "settings": _summary(holding),
                "failed_cell": execution.failed_cell,
                "headlines": headlines,
                "versions": page.versions(),
                **_of_answers(answers, holding),
            }
            records: list[RunRecord] = []
            show = partial(
                page.render,
                folder=scratch.folder,
                tables=capture.taken(scratch.folder),
                folders=[planned.notebook.parent, Path.cwd()],
            )
            broken = _broken(planned, RunRecord(name=scratch.name, run=scratch.run, **fields), runs)
            problem = ""

            def finish() -> None:
                """Write what names the run; on a full disk, as little as can be."""
                nonlocal problem
                record = RunRecord(name=scratch.name, run=scratch.run, alerts=broken, **fields)
                try:
                    records[:] = [_write(execution.notebook, record, scratch, show)]
                except OSError as error:
                    if error.errno not in _FULL:
                        raise
                    problem = f"{scratch.name}: {error.strerror}: what its cells showed is not kept"
                    record = _without_outputs(execution.notebook, record, scratch)
                    records[:] = [_write(execution.notebook, record, scratch, show)]

            folder = runs.publish(scratch, finish)
            try:
                runs.write_index(index.render)
            except NotPublished as error:
                problem = problem or str(error)
    return Report(records[0], folder, problem)


def _broken(planned: Planned, record: RunRecord, runs: Runs) -> list[Alert]:
    """Return the rules that a run broke which is complete."""
    if not record.status.complete:
        return []
    try:
        earlier = [each for each in runs.records()[0] if each.name == record.name] if planned.rules else []
    except WorkbenchError as error:
        unread = Alert(rule=planned.rules[0].text, says=f"the runs before cannot be read: {error}")
        return [unread, *alerts.broken(planned.rules, planned.max_age, record)]
    return alerts.broken(planned.rules, planned.max_age, record, earlier)


def _write(
    notebook: NotebookNode, record: RunRecord, scratch: Scratch, show: Callable[[NotebookNode, RunRecord], str]
) -> RunRecord:
    """Write what a run leaves, beside what its kernel wrote, and return the record with all files."""
    notebook.metadata["workbench"] = json.loads(record.model_dump_json(exclude={"files"}))
    executed = nbformat.writes(notebook) + "\n"  # type: ignore[no-untyped-call]
    (scratch.folder / NOTEBOOK).write_text(executed, encoding="utf-8")
    (scratch.folder / PAGE).write_text(show(notebook, record), encoding="utf-8")
    files = [
        RunFile(path=path.relative_to(scratch.folder).as_posix(), bytes=path.stat().st_size, sha256=_digest(path))
        for path in sorted(scratch.folder.rglob("*"))
        if path.is_file() and path.name != RECORD
    ]
    record = record.model_copy(update={"files": files})
    (scratch.folder / RECORD).write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return record


def _without_outputs(notebook: NotebookNode, record: RunRecord, scratch: Scratch) -> RunRecord:
    """Take out of a run what takes room, and return a record that says so."""
    for path in scratch.folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.output_type == "error"]
    return record.model_copy(update={"status": Status.NOT_KEPT}) if record.status.complete else record


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _status(status: Status, answers: Sequence[NotedAnswer]) -> Status:
    """Tell a run that is complete from one that is complete and found no change."""
    of_changes = [answer for answer in answers if answer.question in _OF_CHANGES]
    if status is Status.COMPLETE and of_changes and not any(answer.rows for answer in of_changes):
        return Status.EMPTY
    return status


def _of_answers(answers: Sequence[NotedAnswer], holding: Settings) -> dict[str, Any]:
    """Return what the answers tell of a run."""
    arrived = newest(answer.newest_arrival for answer in answers)
    live = any(answer.live for answer in answers)
    accounts = {answer.account for answer in answers if answer.account}
    return {
        "seconds_in_questions": round(sum(answer.seconds for answer in answers), 3),
        "tables": list(dict.fromkeys(answer.table for answer in answers if answer.table)),
        "source": ", ".join(dict.fromkeys(answer.source for answer in answers if answer.source)),
        "engine": holding.engine,
        "account": ", ".join(sorted(accounts)) or None,
        "masks": list(dict.fromkeys([*holding.mask, *(path for answer in answers for path in answer.masks)])),
        "newest_change": newest(answer.newest_change for answer in answers),
        "newest_arrival": arrived,
        "known_at": None if live else holding.known_at or arrived,
        "queries": sum(answer.queries for answer in answers),
        "scanned": sum(answer.scanned for answer in answers),
        "cost": sum(answer.cost for answer in answers),
    }


def _recorded(value: Any) -> Any:
    """Return a value of a parameter as JSON has it."""
    if isinstance(value, list):
        return [_recorded(each) for each in value]
    return as_text(value) if isinstance(value, date) else value


@contextmanager
def _imported_meanwhile(module: str) -> Iterator[None]:
    """Import a module while this process waits for a kernel, so that nobody waits for that too."""
    thread = threading.Thread(target=import_module, args=(module,))
    thread.start()
    try:
        yield
    finally:
        thread.join()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let a Ctrl-C or SIGTERM wait until the block has ended; a second one does not."""
    waiting: list[tuple[int, FrameType | None]] = []
    if threading.current_thread() is not threading.main_thread():  # where no signal is taken anyway
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def act(number: int, frame: FrameType | None) -> None:
        handler = before[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    def hold(number: int, frame: FrameType | None) -> None:
        if waiting:
            act(number, frame)
        waiting.append((number, frame))

    with ExitStack() as restored:
        for number, handler in before.items():
            if callable(handler):
                signal.signal(number, hold)
                restored.callback(signal.signal, number, handler)
        yield
    if waiting:
        act(*waiting[0])


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
    """Return what a page says of the settings: their file, how values are masked, which attribute tells who wrote."""
    masked = f"mask_with: {settings.mask_with}" if settings.mask else ""
    actor = f"actor: {settings.actor}" if settings.actor else ""
    return " · ".join(filter(None, (str(settings.file or ""), masked, actor)))


def _hide(executed: NotebookNode, hidden: Collection[str]) -> None:
    """Take the values of parameters out of an executed notebook."""
    about = executed.metadata.get("papermill", {})
    about.pop("input_path", None)  # which is the whole notebook once more, since papermill was given it and no path
    about.get("parameters", {}).update(dict.fromkeys(hidden, REDACTED))
    for cell in executed.cells:
        if {"injected-parameters", "parameters"} & set(cell.metadata.get("tags", [])):
            cell.source = without_values(cell.source, hidden, REDACTED)
