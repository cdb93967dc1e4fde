"""What was asked while a report was made: it tells from what it is, how fresh that was, and how it can be repeated.

The answers are given in a kernel, and the report is written by who started that: it names a folder to both.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

REPORT = "_WORKBENCH_REPORT"
"""Of the environment: the folder that a report is made in; no setting, so that nobody sets it."""
_FILE = "answers.jsonl"


class NotedAnswer(BaseModel):
    """What is noted of an answer: no value of the data, and nothing that was asked about one.

    >>> NotedAnswer(question="changes", table="persons", rows=12).live
    False
    """

    model_config = ConfigDict(frozen=True)

    question: str
    table: str = ""
    rows: int = 0
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
    if folder := os.environ.get(REPORT):
        with open(Path(folder, _FILE), "a", encoding="utf-8") as notes:
            notes.write(answer.model_dump_json(exclude_defaults=True) + "\n")  # one write: kernels may have threads


def noted(folder: Path) -> list[NotedAnswer]:
    """Return what was noted in a report's folder; not the line in the writing of which its kernel was killed.

    >>> noted(Path("no-such-folder"))
    []
    """
    path = folder / _FILE
    answers = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            answers.append(NotedAnswer.model_validate_json(line))
        except ValidationError:
            continue
    return answers


def newest(instants: Iterable[datetime | None]) -> datetime | None:
    """Return the last of some instants; None where there is none.

    >>> newest([None, datetime(2026, 11, 17), datetime(2026, 11, 18), None])
    datetime.datetime(2026, 11, 18, 0, 0)
    """
    return max(filter(None, instants), default=None)
