"""Notebooks as reports: run by papermill, written as pages that stand alone, and listed in an index.

`run_report` runs one, `write_index` lists those of a folder, `describe` says which parameters a notebook takes;
in a notebook, `headlines` shows the numbers that a report begins with.
"""

from workbench.reports.headline import headlines
from workbench.reports.index import write_index
from workbench.reports.notebook import describe, shipped
from workbench.reports.parameters import Parameter
from workbench.reports.report import FailedCell, Report
from workbench.reports.run import run_report

__all__ = ["FailedCell", "Parameter", "Report", "describe", "headlines", "run_report", "shipped", "write_index"]
