"""One process at a time: a lock that ends with its process, however that ends, on every system."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from workbench.errors import StoreError

_PATIENCE = 60  # seconds


@contextmanager
def alone(lake: Path, doing: str, what: str, patience: int | None = None) -> Iterator[None]:
    """Wait until nobody else does the same in this lake.

    Parameters
    ----------
    patience
        Seconds to wait; else a minute.

    Raises
    ------
    StoreError
        Where another process has been at it all that time, or the lake is read-only.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder, alone(Path(folder, "lake"), "delivering", "delivering into the lake"):
    ...     pass
    """
    lake.mkdir(parents=True, exist_ok=True)
    with locked(lake.with_name(f".{lake.name}.{doing}"), what, patience):  # not in it: a lake holds objects only
        yield


@contextmanager
def locked(file: Path, what: str, patience: int | None = None) -> Iterator[None]:
    """Hold a lock that is a file of its own, which stays; see `alone`.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder, locked(Path(folder, ".plan.lock"), "applying the plan", 1):
    ...     pass
    """
    try:
        with closing(sqlite3.connect(file, isolation_level=None, timeout=1)) as lock:
            _hold(lock, f"another process is {what}: try again when it has ended", patience or _PATIENCE)
            yield
    except sqlite3.Error as error:
        raise StoreError(f"{file} cannot be locked: {error}") from error


def is_free(file: Path) -> bool:
    """Return whether nobody holds a lock, as after the process that held it has ended.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder, locked(Path(folder, "held"), "running"):
    ...     is_free(Path(folder, "held"))
    False
    """
    try:
        with closing(sqlite3.connect(file, isolation_level=None, timeout=0)) as lock:
            lock.execute("begin exclusive")
    except sqlite3.Error:  # it is held, or nobody can tell
        return False
    return True


def _hold(lock: sqlite3.Connection, busy: str, patience: int) -> None:
    for _ in range(patience):  # a second each: Ctrl-C ends the waiting
        try:
            lock.execute("begin exclusive")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
    raise StoreError(busy)
