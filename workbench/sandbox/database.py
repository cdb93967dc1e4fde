"""The SQLite file of an item store: its tables, opening it, and reading it beside a process that writes."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

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
