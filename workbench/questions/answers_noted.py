"""What was asked while a report was made: it tells from what it is, how fresh that was, and how it can be repeated.

The answers are given in a kernel, and the report is written by who started that: it names a folder to both.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

REPORT = "_WORKBENCH_REPORT"
"""Of the environment: the folder that a report is made in; no setting, so that nobody sets it."""
_FILE = "answers.jsonl"
Note = TypeVar("Note", bound=BaseModel)


class NotedAnswer(BaseModel):
    """What is noted of an answer: no value of the data, and nothing that was asked about one.

    >>> NotedAnswer(question="changes", table="persons", rows=12).live
    False
    """

    model_config = ConfigDict(frozen=True)

    question: str
    table: str = ""
    rows: int = 0
    """Those that tell of something: buckets of time in which nothing changed are none."""
    source: str = ""
    """Where the log is, as a person names it."""
    engine: str = ""
    account: str | None = None
    """The AWS account that was asked, where the session knows it."""
    masks: tuple[str, ...] = ()
    newest_change: AwareDatetime | None = None
    newest_arrival: AwareDatetime | None = None
    live: bool = False
    """Whether it stands on more than the log: on what a table, or this machine, was at that moment."""
    queries: int = 0
    scanned: int = 0
    """Bytes that Athena scanned."""
    cost: float = 0.0
    """Dollars."""
    seconds: float = 0.0


def note(answer: NotedAnswer) -> None:
    """Note an answer where a report is made of it.

    Raises
    ------
    OSError
        Where it cannot be written, as on a full disk: a report must not tell of less than it was made of.
    """
    add_notes(_FILE, [answer])


def noted(folder: Path) -> list[NotedAnswer]:
    """Return what was noted in a report's folder.

    >>> noted(Path("no-such-folder"))
    []
    """
    return read_notes(folder / _FILE, NotedAnswer)


def add_notes(name: str, notes: Iterable[BaseModel]) -> None:
    """Add notes to a file in the folder of the report that is made, a line each; without a report, do nothing."""
    if folder := os.environ.get(REPORT):
        lines = "".join(each.model_dump_json(exclude_defaults=True) + "\n" for each in notes)
        with open(Path(folder, name), "a", encoding="utf-8") as file:
            file.write(lines)  # one write: kernels may have threads


def read_notes(file: Path, kind: type[Note]) -> list[Note]:
    """Return the notes of a kind in a file; not a line that is half there, for a full disk or the kernel's end.

    >>> read_notes(Path("no-such-folder", "answers.jsonl"), NotedAnswer)
    []
    """
    notes = []
    for line in file.read_bytes().split(b"\n") if file.exists() else []:  # text may hold other ends of lines
        try:
            notes.append(kind.model_validate_json(line))
        except ValidationError:
            continue
    return notes


def newest(instants: Iterable[datetime | None]) -> datetime | None:
    """Return the last of some instants; None where there is none.

    >>> newest([None, datetime(2026, 11, 17), datetime(2026, 11, 18), None])
    datetime.datetime(2026, 11, 18, 0, 0)
    """
    return max(filter(None, instants), default=None)
