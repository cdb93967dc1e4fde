"""Notebooks as reports: run by papermill, kept in a folder a run, shown as pages that stand alone, and indexed.

`run_report` runs one and `run_reports` several, which `plan_named` takes from a suite, the file `reports.toml`;
`write_index` writes the page over all runs in a place, `describe` says which parameters a notebook takes; `headlines`
shows, in a notebook, the numbers that a report begins with.

A kernel needs little of it: the names below are imported when they are first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.reports.headline import headlines
    from workbench.reports.notebook import describe, notebook_of, shipped
    from workbench.reports.parameters import Parameter
    from workbench.reports.record import RunRecord, Status
    from workbench.reports.report import Report
    from workbench.reports.run import read_records, run_report, run_reports, write_index
    from workbench.reports.suite import Planned, find_suite, plan_failed, plan_named, read_suite

__all__ = [
    "Parameter",
    "Planned",
    "Report",
    "RunRecord",
    "Status",
    "describe",
    "find_suite",
    "headlines",
    "notebook_of",
    "plan_failed",
    "plan_named",
    "read_records",
    "read_suite",
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
    "find_suite": "suite",
    "headlines": "headline",
    "notebook_of": "notebook",
    "plan_failed": "suite",
    "plan_named": "suite",
    "read_records": "run",
    "read_suite": "suite",
    "run_report": "run",
    "run_reports": "run",
    "shipped": "notebook",
    "write_index": "run",
}


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
