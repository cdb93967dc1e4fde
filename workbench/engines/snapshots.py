"""Logs as they are at an instant, for connections and files of DuckDB's that are not the engine's own.

A `Snapshot` needs nothing but a folder: links to what is stored of a log, so that it takes neither time nor space. What
is asked of it is answered by any connection that `opened` made.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from workbench.config import Settings
from workbench.engines.bars import hide_bar
from workbench.engines.base import Answer, Over
from workbench.engines.ingest import register_functions
from workbench.sql.dialects import to_duckdb
from workbench.sql.literals import literal
from workbench.sql.query import Plan, whole
from workbench.sql.typed_attributes import NO_MASKS, Masks

STORAGE = "v1.0.0"
"""The oldest DuckDB that reads the files that are written here."""
_CHANGEABLE = ("TimeZone", "python_enable_replacements", "threads", "enable_progress_bar")
"""Settings that stay open when the others are locked: ibis sets the first two, and none of them opens a file."""


@dataclass(frozen=True)
class Snapshot:
    """A table's log as it was."""

    deliveries: Mapping[Over, str]
    """Queries in DuckDB's dialect, in parentheses, of files in one folder."""
    one_key: bool
    """Whether all changes have keys of the same attributes and types."""
    answer: Answer
    """What was read, without rows."""

    def text(self, plan: Plan, masks: Masks = NO_MASKS) -> str:
        """Write the query of all columns of a relation, in DuckDB's dialect."""
        texts = []
        for relation in plan.relations:
            rows = relation.question.compose(
                relation.values,
                deliveries=self.deliveries[relation.kind.over],
                canonical="canonical_image(image)",
                alive="true" if self.one_key else None,
                row="row_id",
            )
            texts.append(relation.projected(to_duckdb(rows), "duckdb", masks))
        return whole.called(plan.compose(texts, "duckdb"), plan)


def opened(settings: Settings, spill: Path, file: Path | None = None) -> duckdb.DuckDBPyConnection:
    """Open a database in memory, or a file that is only read, with the functions that relations need.

    Parameters
    ----------
    spill
        A folder, which need not be there yet, for what does not fit into memory.
    """
    options: dict[str, str | bool | int | float | list[str]] = {"temp_directory": str(spill)}
    if settings.memory_limit:
        options["memory_limit"] = settings.memory_limit
    if settings.threads:
        options["threads"] = settings.threads
    con = duckdb.connect(str(file) if file else ":memory:", read_only=file is not None, config=options)
    con.execute("set TimeZone = 'UTC'")
    hide_bar(con)
    register_functions(con)
    return con


def shut(con: duckdb.DuckDBPyConnection, files: list[Path]) -> None:
    """Have a connection read these files and no other, for good; nor write one, load an extension or change that."""
    con.execute(f"set allowed_configs = [{', '.join(map(literal, _CHANGEABLE))}]")
    con.execute(f"set allowed_paths = [{', '.join(literal(str(file)) for file in files)}]")
    con.execute("set enable_external_access = false")
    con.execute("set lock_configuration = true")


@contextmanager
def writing(con: duckdb.DuckDBPyConnection, file: Path) -> Iterator[None]:
    """Have what is made in a connection of `opened`, while the block runs, in a new database file."""
    con.execute(f"attach {literal(str(file))} as exported (storage_version {literal(STORAGE)})")
    os.chmod(file, 0o600)  # before there is anything in it: it will hold what the log holds
    log = Path(f"{file}.wal")
    try:
        con.execute("use exported")
        yield
        con.execute("use memory")
        con.execute("detach exported")
    finally:
        log.unlink(missing_ok=True)
