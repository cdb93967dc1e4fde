"""Notebooks as reports: run by papermill, written as pages that stand alone, and listed in an index."""

from workbench.reports.parameters import Parameter
from workbench.reports.run import Report, describe, run_report, shipped, write_index

__all__ = ["Parameter", "Report", "describe", "run_report", "shipped", "write_index"]
