"""What is stored of each log in columns, whether it is sound, and what was removed of it, as frames."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from workbench.config import Settings
from workbench.log.store_upkeep import StoredLog, clear, free_bytes, stored_logs, verify
from workbench.text import count, size


def stored_frame(settings: Settings, *, verified: bool = False) -> pd.DataFrame:
    """Return a row for each log of which something is stored; see `workbench.Workbench.store`."""
    wrong = verify(settings.home) if verified else []
    logs = stored_logs(settings.home)
    frame = _frame(logs)
    notes = [
        f"{size(sum(log.bytes for log in logs))} of at most {size(settings.store_max_bytes)}, "
        f"{size(free_bytes(settings.home))} free on this disk"
    ]
    notes += ["store is off: nothing is added to it"] * (not settings.store)
    if outdated := sum(log.outdated for log in logs):
        notes.append(f"{count(outdated, 'log')} of another version of this program, which this one reads again")
    if verified:
        damaged = Counter(log.folder for log, _, _ in wrong)
        frame.insert(len(frame.columns) - 1, "damaged", [damaged[log.folder] for log in logs])
        notes += [f"taken out of {log.source}, to be read again: {name} {reason}" for log, name, reason in wrong]
    frame.attrs["notes"] = notes
    return frame


def cleared_frame(settings: Settings, source: str | Path | None) -> pd.DataFrame:
    """Remove what is stored of a log, or of all, and return what that was."""
    return _frame(clear(settings.home, source))


def _frame(logs: Iterable[StoredLog]) -> pd.DataFrame:
    rows = [
        (
            log.source or f"(begun: {log.folder.name})",
            log.changes,
            log.objects,
            log.segments,
            log.bytes,
            log.bytes / log.original if log.original else None,
            log.used,
        )
        for log in logs
    ]
    names = ["log", "changes", "objects", "segments", "bytes", "share", "last_used"]
    frame = pd.DataFrame(rows, columns=names).astype({"share": float})
    return frame.astype(dict.fromkeys(("changes", "objects", "segments", "bytes"), "int64")).assign(
        last_used=pd.to_datetime(frame["last_used"], utc=True)
    )
