"""When the newest object arrived that a run has read: a report writes it down, so that it can be repeated.

The answers are given in a kernel, and the report is written by who started that: it names a file to both.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

VARIABLE = "_WORKBENCH_ARRIVALS_READ"
"""Of the environment: the path of the file; no setting, so that nobody sets it."""


@contextmanager
def arrivals_noted() -> Iterator[Path]:
    """Make a file in which the processes started meanwhile note what they read, for `newest_arrival`."""
    before = os.environ.get(VARIABLE)
    with TemporaryDirectory(prefix="workbench-arrivals-") as folder:
        os.environ[VARIABLE] = str(Path(folder, "read"))
        try:
            yield Path(folder, "read")
        finally:
            os.environ.pop(VARIABLE)
            if before is not None:
                os.environ[VARIABLE] = before


def note_arrival(newest: datetime | None) -> None:
    """Note when the newest object of an answer arrived, where a report is made of it.

    >>> with arrivals_noted() as file:
    ...     for day in (17, 18, 16):
    ...         note_arrival(datetime.fromisoformat(f"2026-11-{day}T09:05:12Z"))
    ...     newest_arrival(file).isoformat()
    '2026-11-18T09:05:12+00:00'
    """
    if newest and (file := os.environ.get(VARIABLE)):
        with open(file, "a", encoding="ascii") as notes:
            notes.write(f"{newest.isoformat()}\n")


def newest_arrival(file: Path) -> datetime | None:
    """Return the newest that was noted; None where nothing was."""
    lines = file.read_text(encoding="ascii").splitlines() if file.exists() else []
    return max(map(datetime.fromisoformat, lines), default=None)
