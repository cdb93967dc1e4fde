"""What a run of a report leaves behind about itself: ``run.json``, of which pages and the index are made."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal, TypeAlias

from pydantic import AwareDatetime, BaseModel, ConfigDict

Value: TypeAlias = str | int | float | bool | list[str] | list[int] | list[float] | list[bool] | None


class Status(StrEnum):
    """How a run ended."""

    COMPLETE = "complete"
    """Every cell ran."""
    EMPTY = "empty"
    """Every cell ran, and no change was in the window."""
    FAILED = "failed"
    """A cell raised."""
    REFUSED = "refused"
    """A query was not made: it would have scanned more than `max_scan_bytes`."""
    TIMED_OUT = "timed_out"
    """A cell did not end in time."""
    DIED = "died"
    """The kernel was killed, or ended by itself."""
    STOPPED = "stopped"
    """From outside, by Ctrl-C or SIGTERM."""

    NOT_KEPT = "not_kept"
    """Every cell ran, and what they showed could not be written, as on a full disk."""

    @property
    def complete(self) -> bool:
        """Whether every cell ran, and what they showed is there."""
        return self in (Status.COMPLETE, Status.EMPTY)


class _Part(BaseModel):
    """Part of a record: what it does not know is refused, and nothing in it changes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Window(_Part):
    """The window of time that a report tells of, resolved once, when the run began."""

    asked: str
    """As it was asked for, such as ``yesterday``."""
    start: AwareDatetime
    """Its first instant."""
    end: AwareDatetime
    """The first instant after it."""
    timezone: str = "UTC"
    """Whose days, weeks and months were meant, and in which its ends are shown."""


class Headline(_Part):
    """A number that a report begins with."""

    name: str
    value: float | None
    """None where there is none: no share of nothing."""
    text: str
    """The number as it is shown."""
    kind: Literal["number", "share", "seconds"] = "number"
    """What the number is, by which two of them are compared: 0.05 of a share is 5%, a length of time is in seconds."""


class Alert(_Part):
    """A rule of `reports.toml` that a run broke."""

    rule: str
    """As it is written, such as ``deletes > 5%``."""
    says: str
    """What was found, in a line."""


class CellFailure(_Part):
    """The code cell in which a run ended before its notebook did."""

    number: int
    """Which of the code cells it is, from 1 on."""
    heading: str
    """The heading above it."""
    error: str
    """The error, in one line."""


class RunFile(_Part):
    """A file of a run."""

    path: str
    """Relative to the folder of the run, with ``/``."""
    bytes: int
    sha256: str


class RunRecord(_Part):
    """What is known of one run of one report, as ``run.json`` has it.

    Values that a mask names are not in it.

    Examples
    --------
    >>> from datetime import UTC
    >>> began = datetime(2026, 11, 20, 6, tzinfo=UTC)
    >>> record = RunRecord(name="daily", run="2026-11-20T06-00-00Z", notebook="03_change_frequency.ipynb",
    ...                    title="What changes?", status=Status.COMPLETE, started=began, seconds=12.5)
    >>> RunRecord.model_validate_json(record.model_dump_json()) == record
    True
    """

    version: int = 1
    """Of this format."""
    name: str
    """The report's: the first folder below that of all reports."""
    run: str
    """The run's: the second folder, by the time at which it began, UTC."""
    notebook: str
    """Name of the file that was run."""
    title: str
    """The notebook's first heading."""
    status: Status
    started: AwareDatetime
    seconds: float
    """From the start to the end of the last cell that ran."""
    seconds_in_questions: float = 0.0
    """Of them, those in which questions were answered."""
    window: Window | None = None
    """None where none was asked for."""
    parameters: dict[str, Value] = {}
    """What it ran with, defaults included."""
    given: list[str] = []
    """Names of the parameters that were given; the others are defaults."""
    tables: list[str] = []
    """The tables that were asked."""
    source: str = ""
    """Where their logs are, as a person names it: the embedded lake, a folder, a Glue database."""
    engine: str = ""
    account: str | None = None
    """The AWS account that was asked; None on the embedded engine."""
    masks: list[str] = []
    """The attributes whose values are hidden."""
    settings: str = ""
    """What else held while it ran, in a line."""
    newest_change: AwareDatetime | None = None
    """When the newest change was made that was read."""
    newest_arrival: AwareDatetime | None = None
    """When the newest object arrived that was read."""
    known_at: AwareDatetime | None = None
    """Run again with ``known_at=`` this, it says the same, whatever arrived since; None where it would not, or nobody
    can tell."""
    queries: int = 0
    """How many Athena ran."""
    scanned: int = 0
    """Bytes that Athena scanned."""
    cost: float = 0.0
    """Dollars."""
    headlines: list[Headline] = []
    alerts: list[Alert] = []
    failed_cell: CellFailure | None = None
    files: list[RunFile] = []
    """All files of the run but ``run.json``."""
    versions: str = ""
    """What it was made with, in a line."""

    @property
    def ended(self) -> datetime:
        """When its last cell had run."""
        from datetime import timedelta

        return self.started + timedelta(seconds=self.seconds)
