"""Execution of a notebook by papermill, whatever comes of it."""

from __future__ import annotations

import logging
import os
import re
import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from workbench.questions.answers_noted import REPORT
from workbench.reports.notebook import last_heading
from workbench.reports.parameters import Value
from workbench.reports.record import CellFailure, Status
from workbench.text import plain

_CAPTURE = "workbench.reports.capture"
_SAID = 1_000
"""Characters of an error that a record, the index and a line on stderr tell."""
_BY_ERROR = {"ScanRefused": Status.REFUSED}  # by its class, as the kernel names it


@dataclass(frozen=True)
class Execution:
    """A notebook that was executed, as far as it went.

    Attributes
    ----------
    notebook
        With the outputs of its cells, and the parameters in a cell of their own.
    status
        How it ended.
    failed_cell
        The code cell that failed, did not end in time, or was running when the kernel died; None where none did.
    """

    notebook: NotebookNode
    status: Status
    failed_cell: CellFailure | None


def execute(
    notebook: NotebookNode, parameters: Mapping[str, Value], timeout: int, progress: str, scratch: Path
) -> Execution:
    """Execute a notebook in a kernel of this very Python, in the working folder.

    Parameters
    ----------
    timeout
        Seconds a cell may take.
    progress
        What a bar on stderr is named that tells how many cells are done; none is drawn without a name.
    scratch
        The folder into which the kernel puts what else the report is made of.
    """
    # heavy, and `describe` and the rest of the command line do without
    from nbclient.exceptions import CellTimeoutError
    from papermill import PapermillExecutionError, execute_notebook

    from workbench.progress import tqdm_options  # before the environment forbids what tqdm reads once, when imported
    from workbench.reports import kernel

    bar = {"desc": plain(progress), "bar_format": "{desc}: {n_fmt} of {total_fmt} cells · {elapsed}"}
    status, lost = Status.COMPLETE, ""
    with _kernel_environment(scratch):
        engine = kernel.engine()
        try:
            execute_notebook(
                notebook,
                None,
                {name: kernel.injected(value) for name, value in parameters.items()},
                kernel_name="python3",
                language="python",
                engine_name=engine,
                progress_bar={**tqdm_options(), **bar, "disable": False} if progress else False,
                execution_timeout=timeout,
                extra_arguments=["--log-level=CRITICAL", f"--ext={_CAPTURE}"],  # which takes down what cells show
            )
        except PapermillExecutionError:
            status = Status.FAILED
        except CellTimeoutError:
            status, lost = Status.TIMED_OUT, f"CellTimeout: no end within {timeout} s"
        except (RecursionError, NotImplementedError):  # of our own code
            raise
        except RuntimeError:  # nbclient's DeadKernelError is one, and so is that of a kernel which does not start
            status, lost = Status.DIED, "DeadKernel: the notebook's Python process died, perhaps of lack of memory"
        except KeyboardInterrupt:  # or a signal that is taken for it: what there is by now is a report too
            status, lost = Status.STOPPED, "Stopped: the run was ended before the notebook was"
        executed = kernel.executed() or notebook
    # papermill marks a failure by cells of its own, red and large; ours say more
    executed.cells = [
        cell for cell in executed.cells if "papermill-error-cell-tag" not in cell.metadata.get("tags", [])
    ]
    if status is Status.COMPLETE:
        return Execution(executed, status, None)
    failed, raised = _failed_cell(executed, lost)
    return Execution(executed, _BY_ERROR.get(raised, status), failed)


def _failed_cell(executed: NotebookNode, lost: str) -> tuple[CellFailure | None, str]:
    """Return which code cell failed, by an error of which class; a run that was `lost` tells so in its last cell."""
    last, number, heading = None, 0, "before the first heading"
    running: CellFailure | None = None
    for cell in executed.cells:
        if cell.cell_type == "markdown":
            heading = last_heading(cell.source) or heading
        if cell.cell_type != "code":
            continue
        number += 1
        errors = [output for output in cell.outputs if output.output_type == "error"]
        if errors and not lost and "raises-exception" not in cell.metadata.get("tags", []):
            message = f"{errors[0].ename}: {errors[0].evalue}".strip()
            return _failure(number, heading, message.splitlines()[0]), str(errors[0].ename)
        about = cell.metadata.get("papermill", {})
        if about.get("exception") and not errors and not lost:
            ename, evalue = _said(cell)
            cell.outputs.append(_error(ename, evalue))
            return _failure(number, heading, f"{ename}: {evalue}"), ename
        if about.get("start_time"):
            running, last = _failure(number, heading, lost), cell
    if not lost:
        return None, ""
    if last is None:
        return _failure(1, "before the first cell", lost), ""
    ename, evalue = lost.split(": ", 1)
    # without the KeyboardInterrupt that stopping the kernel left there
    last.outputs = [output for output in last.outputs if output.output_type != "error"]
    last.outputs.append(_error(ename, evalue))
    return running, ""


def _said(cell: NotebookNode) -> tuple[str, str]:
    """Return class and text of an error that a cell has no output for, as of a magic that is not there."""
    printed = "".join(output.text for output in cell.outputs if output.get("name") == "stderr")
    for line in reversed(printed.splitlines()):
        if found := re.fullmatch(r"(\w+Error): (.+)", line):
            return found[1], found[2]
    return "CellError", "the cell failed, and its error cannot be told"


def _error(ename: str, evalue: str) -> NotebookNode:
    error = {"output_type": "error", "ename": ename, "evalue": evalue, "traceback": [f"{ename}: {evalue}"]}
    made: NotebookNode = nbformat.from_dict(error)  # type: ignore[no-untyped-call]
    return made


def _failure(number: int, heading: str, error: str) -> CellFailure:
    """Name a cell, with the beginning of a very long error: the executed notebook has the whole."""
    return CellFailure(number=number, heading=heading, error=error if len(error) <= _SAID else f"{error[:_SAID]} …")


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables of the environment, for processes started here, and put back what was there.

    >>> with environment({"WORKBENCH_ENGINE": "athena"}):
    ...     os.environ["WORKBENCH_ENGINE"]
    'athena'
    """
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextmanager
def _kernel_environment(scratch: Path) -> Iterator[None]:
    """Let the kernel find this very package and the scratch folder, and keep progress bars out of what none watches."""
    package = str(Path(__file__).resolve().parents[2])
    folders = [] if package == sysconfig.get_path("purelib") else [package]
    folders += [os.environ["PYTHONPATH"]] if os.environ.get("PYTHONPATH") else []
    quiet = logging.NullHandler()  # else Python prints papermill's warnings where nobody set up logging
    logging.getLogger("papermill").addHandler(quiet)
    try:
        with environment(
            {"PYTHONPATH": os.pathsep.join(folders), "TQDM_DISABLE": "1", REPORT: str(scratch.absolute())}
        ):
            yield
    finally:
        logging.getLogger("papermill").removeHandler(quiet)
