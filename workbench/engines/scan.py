"""What a question will scan: the partitions its window needs, the objects in them, and the limit on their size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby

from workbench.aws.partitions import BEFORE
from workbench.engines.base import Estimate
from workbench.errors import ScanRefused
from workbench.model.times import END_OF_TIME, START_OF_TIME
from workbench.sql.questions import Question
from workbench.text import size

_LAST = END_OF_TIME - timedelta(days=1)  # after which no time can be told in every zone


@dataclass(frozen=True)
class Window:
    """When the objects a question needs arrived; None is from the first on, or to the last."""

    first: datetime | None = None
    last: datetime | None = None
    starts: bool = False
    """Whether the question takes a start."""

    def notes(self, late_arrival: str) -> tuple[str, ...]:
        """Say what the window leaves out."""
        return (f"changes that arrived more than {late_arrival} after the window are not read",) if self.last else ()


def window_of(question: Question, values: Mapping[str, object], late_arrival: timedelta) -> Window:
    """Tell when the objects arrived that a question over a window of event time needs."""
    if question.window is None:
        return Window()
    start = values.get(question.window.first) if question.window.first else None
    end = values.get(question.window.last)
    first = start - BEFORE if isinstance(start, datetime) and start > START_OF_TIME + BEFORE else None
    last = end + late_arrival if isinstance(end, datetime) and end < _LAST - late_arrival else None
    return Window(first, last, question.window.first is not None)


def refuse(
    estimate: Estimate, limit: int | None, needed: Sequence[tuple[datetime | None, int]], window: Window
) -> None:
    """Refuse a question that would scan more than is allowed.

    Parameters
    ----------
    needed
        For each object, until when windows may start whose questions read it (None: all do), and its size.

    Raises
    ------
    ScanRefused
        Naming the estimate, and the narrower window that would fit.
    """
    if limit is None or estimate.bytes <= limit:
        return
    raise ScanRefused(
        f"the question would scan {estimate}, more than max_scan_bytes={limit:,} ({size(limit)}) allow: "
        + (
            _narrower(needed, limit * sum(each for _, each in needed) / estimate.bytes)
            if window.starts
            else "raise max_scan_bytes"
        )
    )


def _narrower(needed: Sequence[tuple[datetime | None, int]], limit: float) -> str:
    """Name the earliest start with which the objects that are read fit."""
    held, ever = 0, datetime.max.replace(tzinfo=UTC)
    latest = sorted(needed, key=lambda each: each[0] or ever, reverse=True)
    for until, some in groupby(latest, key=lambda each: each[0]):
        fits, held = held, held + sum(each for _, each in some)
        if held > limit and until and fits:
            return f"start={until.isoformat().replace('+00:00', 'Z')} would fit, or raise max_scan_bytes"
    return "raise max_scan_bytes; not even one hour's objects fit"
