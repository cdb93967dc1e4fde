"""Execution of a notebook by papermill, whatever comes of it."""

from __future__ import annotations

import logging
import os
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from workbench.reports.notebook import last_heading, read_notebook
from workbench.reports.parameters import Value
from workbench.reports.report import FailedCell


@dataclass(frozen=True)
class Execution:
    """A notebook that was executed, as far as it went.

    Attributes
    ----------
    notebook
        With the outputs of its cells, and the parameters in a cell of their own.
    failed_cell
        The code cell that failed, did not end in time, or was running when the kernel died; None where none did.
    stopped
        Whether the run was ended from outside, by Ctrl-C or a signal.
    """

    notebook: NotebookNode
    failed_cell: FailedCell | None
    stopped: bool = False


def execute(notebook: NotebookNode, parameters: Mapping[str, Value], timeout: int, progress: bool) -> Execution:
    """Execute a notebook in a kernel of this very Python, in the working folder.

    Parameters
    ----------
    timeout
        Seconds a cell may take.
    progress
        Whether a bar is drawn on stderr.
    """
    # heavy, and `describe` and the rest of the command line do without
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill import PapermillExecutionError, execute_notebook

    from workbench.reports import kernel

    with tempfile.TemporaryDirectory(prefix="workbench-report-") as scratch, _kernel_environment():
        output = Path(scratch, "executed.ipynb")  # papermill formats paths: one of ours, without braces in it
        lost, stopped = "", False
        try:
            execute_notebook(
                notebook,
                str(output),
                dict(parameters),
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
        executed = read_notebook(output) if output.exists() else notebook
    # papermill marks a failure by cells of its own, red and large; ours say more
    executed.cells = [
        cell for cell in executed.cells if "papermill-error-cell-tag" not in cell.metadata.get("tags", [])
    ]
    return Execution(executed, _failed_cell(executed, lost), stopped)


def _failed_cell(executed: NotebookNode, lost: str) -> FailedCell | None:
    """Return which code cell failed; where the run was `lost`, its last cell gets that as its output."""
    last, number, heading = None, 0, "before the first heading"
    running: FailedCell | None = None
    for cell in executed.cells:
        if cell.cell_type == "markdown":
            heading = last_heading(cell.source) or heading
        if cell.cell_type != "code":
            continue
        number += 1
        errors = [output for output in cell.outputs if output.output_type == "error"]
        if errors and not lost:
            message = f"{errors[0].ename}: {errors[0].evalue}".strip()
            return FailedCell(number, heading, message.splitlines()[0])
        if cell.metadata.get("papermill", {}).get("start_time"):
            running, last = FailedCell(number, heading, lost), cell
    if not lost:
        return None
    if last is None:
        return FailedCell(1, "before the first cell", lost)
    ename, evalue = lost.split(": ", 1)
    # without the KeyboardInterrupt that stopping the kernel left there
    last.outputs = [output for output in last.outputs if output.output_type != "error"]
    error = {"output_type": "error", "ename": ename, "evalue": evalue, "traceback": [lost]}
    last.outputs.append(nbformat.from_dict(error))  # type: ignore[no-untyped-call]
    return running


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
def _kernel_environment() -> Iterator[None]:
    """Let the kernel find this very package, and keep progress bars out of what nobody watches."""
    package = str(Path(__file__).resolve().parents[2])
    folders = [] if package == sysconfig.get_path("purelib") else [package]
    folders += [os.environ["PYTHONPATH"]] if os.environ.get("PYTHONPATH") else []
    quiet = logging.NullHandler()  # else Python prints papermill's warnings where nobody set up logging
    logging.getLogger("papermill").addHandler(quiet)
    try:
        with environment({"PYTHONPATH": os.pathsep.join(folders), "TQDM_DISABLE": "1"}):
            yield
    finally:
        logging.getLogger("papermill").removeHandler(quiet)
