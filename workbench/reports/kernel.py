"""The kernel of reports: this very Python, and stopped with what started it."""

from __future__ import annotations

from datetime import date
from typing import Any, ClassVar

from jupyter_client.kernelspec import KernelSpecManager
from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.log import logger
from papermill.translators import PythonTranslator, papermill_translators

from workbench.reports.parameters import Value

_KERNEL = "python3"
_NAME = "workbench"


class _Client(PapermillNotebookClient):  # type: ignore[misc]
    """Runs a notebook on the Python it is itself run by, whatever kernels are installed under that name elsewhere."""

    def create_kernel_manager(self) -> Any:
        """Make a kernel manager that looks nowhere but in this environment."""
        manager = super().create_kernel_manager()
        manager.kernel_spec_manager = KernelSpecManager(kernel_dirs=[])  # there remains what ipykernel itself says
        return manager


class _Engine(NBClientEngine):  # type: ignore[misc]
    """papermill's engine with that client; it keeps the notebook as far as it was run, whatever ends it."""

    executed: ClassVar[NotebookNode | None] = None

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Any,
        kernel_name: str,
        start_timeout: int = 60,
        execution_timeout: int | None = None,
        **options: Any,
    ) -> Any:
        """Run the cells."""
        _Engine.executed = nb_man.nb
        traits = {name: value for name, value in options.items() if name in _Client.class_trait_names()}
        client = _Client(
            nb_man,
            kernel_name=kernel_name,
            startup_timeout=start_timeout,
            timeout=execution_timeout,
            log=logger,
            **traits,
        )
        try:
            return client.execute()
        finally:
            if client.km is not None and client.km.has_kernel:  # ended while the kernel was starting
                client.shutdown_kernel = "immediate"  # or it is interrupted first, and prints where that met it
                client._cleanup_kernel()


class _Written(str):
    """A date or an instant: text, as papermill keeps it in a notebook's metadata, that is another thing in Python."""

    python: str


class _Translator(PythonTranslator):  # type: ignore[misc]
    """Writes parameters into a cell; dates by the names with which the notebook declares them."""

    @classmethod
    def translate(cls, val: Any) -> str:
        """Write a value as Python."""
        return val.python if isinstance(val, _Written) else str(super().translate(val))


def injected(value: Value) -> Any:
    """Return a parameter as papermill is to put it into a notebook.

    >>> injected(date(2026, 11, 1)), injected(["a"])
    ('2026-11-01', ['a'])
    """
    if isinstance(value, date):
        written = _Written(value.isoformat())
        written.python = f'{type(value).__name__}.fromisoformat("{written}")'
        return written
    return [injected(each) for each in value] if isinstance(value, list) else value


def engine() -> str:
    """Return the name under which papermill knows the engine, from now on; it knows how to write dates, too."""
    papermill_engines.register(_NAME, _Engine)
    papermill_translators.register(_KERNEL, _Translator)
    _Engine.executed = None
    return _NAME


def executed() -> NotebookNode | None:
    """Return the notebook that was run last, as far as it was; None where its kernel was not even started."""
    return _Engine.executed
