"""The SQLite file of an item store: its tables, opening it, and reading it beside a process that writes."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from workbench.errors import StoreError

SCHEMA = """
create table if not exists tables (name text primary key, key text not null, ttl text, note text);
create table if not exists items (
    name text not null, key blob not null, image blob not null, size integer not null, expires integer,
    primary key (name, key)
) without rowid;
create index if not exists expiring on items (name, expires) where expires is not null;
create table if not exists changes (
    seq integer primary key autoincrement, name text not null, micros integer not null, record blob not null
);
create index if not exists pending on changes (name, seq);
create table if not exists arrivals (name text not null, seq integer not null, micros integer not null);
create table if not exists identities (name text primary key, id text not null);
create table if not exists conditional_writes (
    source text not null, id text not null, old blob, new blob, primary key (source, id)
) without rowid;
"""


def read_only(path: Path) -> bool:
    """Return whether a store is there and cannot be written."""
    return path.is_file() and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))


def connect(path: Path) -> sqlite3.Connection:
    """Open a store; one that cannot be written is left as it is, also by what SQLite would put beside it.

    Returns
    -------
    sqlite3.Connection
        In autocommit mode: transactions are begun and ended by statements.
    """
    if not read_only(path):
        return sqlite3.connect(path, isolation_level=None, timeout=30)
    written = path.with_name(f"{path.name}-wal")
    how = "mode=ro" if written.is_file() and written.stat().st_size else "immutable=1"
    return sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, isolation_level=None, timeout=30)


def note_of(path: Path, table: str) -> str | None:
    """Read the note kept with a table in a store that another process may be writing."""
    with closing(connect(path)) as db, suppress(sqlite3.OperationalError):  # a store without tables yet
        row = db.execute("select note from tables where name = ?", (table,)).fetchone()
        return row[0] if row else None
    return None


_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True)
class Snapshot:
    """What a store holds at one moment."""

    moment: datetime
    """The millisecond, in UTC, with which that ended: every change up to it is in, every later one is not."""
    _db: sqlite3.Connection

    def items(self, table: str) -> Iterator[tuple[bytes, bytes, int]]:
        """Yield the key and the image of every item, as DynamoDB JSON, and the image's size in bytes."""
        yield from self._db.execute("select key, image, size from items where name = ?", (table,))


class Database:
    """The file of a store, open: a context manager that closes it.

    Raises
    ------
    StoreError
        Where it cannot be opened, or written.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._bulk = False
        try:
            self.read_only = read_only(self._path)
            if not self.read_only:
                self._path.parent.mkdir(parents=True, exist_ok=True)
            self.connection = connect(self._path)
            if self.read_only:
                return
            self.connection.execute("pragma auto_vacuum = full")  # the file shrinks with each delivery
            self.connection.execute("pragma journal_mode = wal")
            self.connection.execute("pragma synchronous = full")
            self.connection.executescript(SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"the item store {path} cannot be opened: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make a block one transaction, undone where it fails; within `bulk` it is part of that one."""
        if self._bulk:
            yield
            return
        try:
            self.connection.execute("begin immediate")
            yield
            self.connection.execute("commit")
        except BaseException as error:
            if self.connection.in_transaction:
                self.connection.execute("rollback")
            if isinstance(error, sqlite3.Error):
                raise StoreError(f"the item store could not write: {error}") from error
            raise

    @contextmanager
    def bulk(self) -> Iterator[None]:
        """Make the writes within one transaction: acknowledged together, at the end."""
        with self.transaction():
            self._bulk = True
            try:
                yield
            finally:
                self._bulk = False

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """Take a snapshot of all tables, for a block: writers are held up while it is taken, and no longer.

        Raises
        ------
        StoreError
            Within a `bulk` write, whose end is not known yet.
        """
        if self.connection.in_transaction:
            raise StoreError("a snapshot, as of an export, cannot be taken within a bulk write: take it after")
        with closing(connect(self._path)) as reader:
            with nullcontext() if self.read_only else self.transaction():
                reader.execute("begin")
                reader.execute("select 1 from tables").fetchone()  # with its first read the snapshot is taken
                now = datetime.now(UTC)
                moment = now.replace(microsecond=now.microsecond // 1000 * 1000) + _MILLISECOND
                while datetime.now(UTC) <= moment:
                    time.sleep(0.0001)
            yield Snapshot(moment, reader)
