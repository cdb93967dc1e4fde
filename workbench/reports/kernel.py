"""The kernel of reports: this very Python, and stopped with what started it."""

from __future__ import annotations

from typing import Any, ClassVar

from jupyter_client.kernelspec import KernelSpecManager
from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.log import logger

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
                client._cleanup_kernel()


def engine() -> str:
    """Return the name under which papermill knows the engine, from now on."""
    papermill_engines.register(_NAME, _Engine)
    _Engine.executed = None
    return _NAME


def executed() -> NotebookNode | None:
    """Return the notebook that was run last, as far as it was; None where its kernel was not even started."""
    return _Engine.executed
