"""The columnar stores of all logs below a home: what they hold, whether it is sound, and what of it goes.

Removing what is stored loses nothing but time: the next question reads the log again.
"""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from workbench.errors import ParameterError
from workbench.log.store import MANIFEST, LogStore, Store, available, changing, found, version
from workbench.paths import local_path

_IN_USE = 600  # seconds after it was used that a log may still be in use, by whatever process


@dataclass(frozen=True)
class StoredLog:
    """What is stored of a log."""

    folder: Path
    source: str
    """The log's place, as `workbench store clear` takes it; '' where it is not known."""
    reading: str
    """What of the settings it was read by."""
    outdated: bool
    """Whether another version of this program has read it: this one does so again."""
    changes: int
    objects: int
    segments: int
    bytes: int
    """Size of all files of the store."""
    original: int
    """Size of the objects."""
    used: datetime
    """When it was last asked, UTC."""
    store: Store | None = field(repr=False, compare=False)


def stored_logs(home: Path) -> list[StoredLog]:
    """Return what is stored of each log, the last used first.

    Raises
    ------
    StoreUnavailable
        Where a store may not be read.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as home:
    ...     stored_logs(Path(home))
    []
    """
    logs = []
    for folder, store in found(home):
        with available(folder):
            segments = store.segments() if store else ()
            size, used = _size_and_use(folder)
        logs.append(
            StoredLog(
                folder,
                _place(home, store),
                store.about["reading"] if store else "",
                store is not None and store.about["version"] != version(),
                sum(segment.rows for segment in segments),
                sum(len(segment.objects) for segment in segments),
                len(segments),
                size,
                sum(size_of for segment in segments for _, size_of, _ in segment.objects),
                datetime.fromtimestamp(used, UTC),
                store,
            )
        )
    return sorted(logs, key=lambda log: log.used, reverse=True)


def verify(home: Path) -> list[tuple[StoredLog, str, str]]:
    """Read every segment, and take those out that are not what was written; return the log, the segment and why.

    The objects of what is taken out are read again by the next question. Stores of other versions are not looked at.
    """
    wrong = []
    for log in stored_logs(home):
        if log.store and not log.outdated:
            damaged = log.store.damaged(whole=True)
            log.store.drop(damaged)
            log.store.collect()
            wrong += [(log, name, reason) for name, reason in damaged.items()]
    return wrong


def clear(home: Path, source: str | Path | None = None) -> list[StoredLog]:
    """Remove what is stored of a log, or of all logs below a folder; of all there are where none is named.

    Raises
    ------
    ParameterError
        Where nothing is stored of it; the message names what there is.
    """
    logs = stored_logs(home)
    chosen = logs
    if source is not None:
        if not str(source):
            raise ParameterError("name the log whose store is to go, or leave it out for all")
        place = local_path(source).resolve()
        chosen = [log for log in logs if log.source and Path(log.source).resolve().is_relative_to(place)]
        if not chosen:
            there = ", ".join(dict.fromkeys(log.source for log in logs if log.source))
            raise ParameterError(f"nothing is stored of {source}; there is: {there or 'nothing of any log'}")
    for log in chosen:
        _remove(log.folder)
    return chosen


def shrink(home: Path, limit: int) -> list[Path]:
    """Remove what is stored of whole logs, the least recently used first, until all takes no more than a limit.

    What is in use stays, even where it takes more: what this process has open, and what any has used in the last ten
    minutes.

    Parameters
    ----------
    limit
        Bytes.

    Returns
    -------
    list of Path
        The folders of the stores that were removed.
    """
    stores = [(folder, *_size_and_use(folder)) for folder, _ in found(home)]
    left, before, removed = sum(size for _, size, _ in stores), time.time() - _IN_USE, []
    for folder, size, used in sorted(stores, key=lambda each: each[2]):
        if left <= limit:
            break
        if used < before and folder not in {store.folder for store in LogStore.opened}:
            _remove(folder)
            removed.append(folder)
            left -= size
    return removed


def free_bytes(home: Path) -> int:
    """Return how much room there is for more on the disk of a home."""
    there = next(folder for folder in (home.absolute(), *home.absolute().parents) if folder.exists())
    return shutil.disk_usage(there).free


def _place(home: Path, store: Store | None) -> str:
    if store is None:
        return ""
    source = str(store.about["source"])
    return str(home / source) if store.about["inside"] else source


def _size_and_use(folder: Path) -> tuple[int, float]:
    """Return the size of all files of a store, and when it was last used, in seconds since 1970."""
    sizes, times, manifest = [0], [0.0], None
    with available(folder), suppress(FileNotFoundError):  # removed meanwhile
        times = [folder.stat().st_mtime]
        for entry in list(os.scandir(folder)):
            with suppress(FileNotFoundError):
                stat = entry.stat()
                sizes.append(stat.st_size)
                times.append(stat.st_mtime)
                manifest = stat.st_mtime if entry.name == MANIFEST else manifest
    return sum(sizes), max(times) if manifest is None else manifest


def _remove(folder: Path) -> None:
    """Remove a store: first its manifest, without which the rest is nothing."""
    with available(folder), changing(folder.parent), suppress(FileNotFoundError):  # removed meanwhile
        (folder / MANIFEST).unlink(missing_ok=True)
        for entry in list(os.scandir(folder)):
            with suppress(FileNotFoundError):
                os.unlink(entry.path)
        with suppress(OSError):  # another process has begun anew
            folder.rmdir()
