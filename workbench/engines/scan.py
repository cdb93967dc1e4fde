"""What a question will scan: the partitions its window needs, the objects in them, and the limit on their size."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from workbench import render
from workbench.catalog import by_folder
from workbench.engines import Estimate, size
from workbench.errors import ScanRefused
from workbench.instants import END_OF_TIME, START_OF_TIME
from workbench.objects import Object
from workbench.partitions import BEFORE

# The window that every delivery a question reads is in, as its .sql file writes it.
_WINDOW = re.compile(r"\{deliveries\}\s+where (?P<start>ts >= :start and )?ts <=? :(?P<end>\w+)")


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


def window_of(question: str, values: Mapping[str, object], late_arrival: timedelta) -> Window:
    """Tell when the objects arrived that a question over a window of event time needs."""
    template = render.template(question)
    found = _WINDOW.search(template.replace("{candidates}", render.load("parts/candidates")))
    if not found:
        return Window()
    start, end = values.get("start") if found["start"] else None, values.get(found["end"])
    first = start - BEFORE if isinstance(start, datetime) and start > START_OF_TIME + BEFORE else None
    last = end + late_arrival if isinstance(end, datetime) and end < END_OF_TIME - late_arrival else None
    return Window(first, last, bool(found["start"]))


def refuse(estimate: Estimate, limit: int | None, objects: Sequence[Object], window: Window) -> None:
    """Refuse a question that would scan more than is allowed.

    Raises
    ------
    ScanRefused
        Naming the estimate, and the narrower window that would fit.
    """
    if limit is None or estimate.bytes <= limit:
        return
    fits, held = None, 0
    share = estimate.bytes / max(sum(item.size for item in objects), 1)  # of a question that reads its objects twice
    for moment, item in sorted(by_folder(objects), key=lambda each: each[0] or START_OF_TIME, reverse=True):
        held += item.size
        if held * share > limit or moment is None:
            break
        fits = moment
    raise ScanRefused(f"the question would scan {estimate}, more than max_scan_bytes={limit:,} ({size(limit)}) allow: "
                      + (_narrower(objects, fits) if window.starts else "raise max_scan_bytes"))  # fmt: skip


def _narrower(objects: Sequence[Object], fits: datetime | None) -> str:
    later = [moment for moment, _ in by_folder(objects) if moment and fits and moment >= fits]
    if not fits or not later:
        return "raise max_scan_bytes; not even one hour's objects fit"
    return f"start={(fits + BEFORE).isoformat().replace('+00:00', 'Z')} would fit, or raise max_scan_bytes"
