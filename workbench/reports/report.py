"""What a run of a notebook came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
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
    known_at
        What it was made of: what had arrived until then, UTC. By the setting of this name, else when the newest object
        arrived that it read; None where it read none that tells. Run again with ``known_at=`` this, it says the same,
        whatever arrived since.

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
    known_at: datetime | None = None
