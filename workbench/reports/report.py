"""What a run of a notebook came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from workbench.reports.parameters import Value


class FailedCell(NamedTuple):
    """A code cell that failed.

    Attributes
    ----------
    number
        Which of the code cells it is, from 1 on.
    heading
        The heading above it.
    error
        The error, in one line.
    """

    number: int
    heading: str
    error: str


@dataclass(frozen=True)
class Report:
    """A notebook that was run.

    Attributes
    ----------
    notebook, html
        The executed notebook, and the report made of it: files, or ``s3://`` addresses as text.
    title
        The notebook's first heading.
    parameters
        What it ran with, defaults included.
    seconds
        How long it ran.
    failed_cell
        The code cell that failed; None where none did.

    Examples
    --------
    >>> Report("out/a.ipynb", "out/a.html", "How many?", {"table": "persons"}, 1.5).failed_cell is None
    True
    """

    notebook: Path | str
    html: Path | str
    title: str
    parameters: Mapping[str, Value]
    seconds: float
    failed_cell: FailedCell | None = None
