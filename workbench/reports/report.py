"""What a run of a notebook came to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from workbench.reports.record import RunRecord
from workbench.reports.runs import NOTEBOOK, PAGE


@dataclass(frozen=True)
class Report:
    """A notebook that was run, as it is published.

    Attributes
    ----------
    record
        What is known of the run.
    folder
        Where all that it left is: a folder, or a place in S3 as text.
    problem
        What could not be kept of it, or why the index of all runs was not written; empty where all was.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from workbench.reports.record import Status
    >>> began = datetime(2026, 11, 20, 6, tzinfo=UTC)
    >>> record = RunRecord(name="daily", run="2026-11-20T06-00-00Z", notebook="a.ipynb", title="How many?",
    ...                    status=Status.COMPLETE, started=began, seconds=1.5)
    >>> Report(record, "s3://reports/daily/2026-11-20T06-00-00Z").html
    's3://reports/daily/2026-11-20T06-00-00Z/report.html'
    """

    record: RunRecord
    folder: Path | str
    problem: str = ""

    @property
    def html(self) -> Path | str:
        """The page."""
        return self._file(PAGE)

    @property
    def notebook(self) -> Path | str:
        """The executed notebook."""
        return self._file(NOTEBOOK)

    def _file(self, name: str) -> Path | str:
        return self.folder / name if isinstance(self.folder, Path) else f"{self.folder}/{name}"
