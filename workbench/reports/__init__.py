"""Notebooks as reports: run by papermill, kept in a folder a run, shown as pages that stand alone, and indexed.

`run_report` runs one and `run_reports` several, `write_index` writes the page over all runs in a place, `describe` says
which parameters a notebook takes; in a notebook, `headlines` shows the numbers that a report begins with.

A kernel needs little of it: the names below are imported when they are first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.reports.headline import headlines
    from workbench.reports.notebook import describe, shipped
    from workbench.reports.parameters import Parameter
    from workbench.reports.record import RunRecord, Status
    from workbench.reports.report import Report
    from workbench.reports.run import run_report, run_reports, write_index
    from workbench.reports.suite import Planned

__all__ = [
    "Parameter",
    "Planned",
    "Report",
    "RunRecord",
    "Status",
    "describe",
    "headlines",
    "run_report",
    "run_reports",
    "shipped",
    "write_index",
]
_MODULES = {
    "Parameter": "parameters",
    "Planned": "suite",
    "Report": "report",
    "RunRecord": "record",
    "Status": "record",
    "describe": "notebook",
    "headlines": "headline",
    "run_report": "run",
    "run_reports": "run",
    "shipped": "notebook",
    "write_index": "run",
}


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
