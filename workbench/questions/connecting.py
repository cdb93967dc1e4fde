"""A log's relations for other tools: as views of a DuckDB connection, or as tables in a file of DuckDB's."""

from __future__ import annotations

import os
import shutil
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import gettempdir

import duckdb
import pyarrow as pa

from workbench.engines import Answer, Engine
from workbench.engines.snapshots import Snapshot, opened, shut, writing
from workbench.errors import ExportError, QueryError, TableNotFound, did_you_mean, without_values
from workbench.model.stream_views import have_states, missing_images
from workbench.paths import already_there, local_path, process_folder, write_atomically
from workbench.progress import progress
from workbench.questions.asking import Asking
from workbench.questions.query import Tables, masks_of
from workbench.sql.query import Plan, whole
from workbench.sql.query.relations import KINDS
from workbench.sql.typed_attributes import Masks

FRESHNESS = "workbench_tables"
"""The table that says how fresh the others are."""
_FOLDER = "connection-"


@dataclass(frozen=True)
class _Relation:
    """A relation of a table, what it is called in DuckDB, and how its rows come."""

    table: str
    name: str
    plan: Plan
    snapshot: Snapshot | None
    """None where only the engine reads its log."""


def connect(asking: Asking, tables: str | Sequence[str] | None) -> duckdb.DuckDBPyConnection:
    """Return a connection with a view for each relation; see `Workbench.connect`."""
    settings = asking.settings
    folder = _folder(settings.home)
    try:
        relations, answers = _relations(asking, tables, folder)
        if settings.mask or not all(each.snapshot for each in relations):
            file = folder / "tables.duckdb"
            _write(asking, relations, answers, file, folder)
            con, files = opened(settings, folder / "spill", file), [file]
        else:
            con = opened(settings, folder / "spill")
            with _told("the connection"):
                _make(con, relations, answers, lambda each: whole.view(each.name, _text(each, masks_of(settings))))
            files = sorted(folder.glob("*.parquet"))
        shut(con, files)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    weakref.finalize(con, shutil.rmtree, folder, ignore_errors=True)
    return con


def export_db(asking: Asking, path: str | Path, tables: str | Sequence[str] | None, overwrite: bool) -> Path:
    """Write a file of DuckDB's with a table for each relation; see `Workbench.export_db`."""
    target = local_path(path, ExportError, "write a file, and copy it where it is to be")
    if not overwrite and target.exists():
        raise already_there(target)
    folder = _folder(asking.settings.home)
    try:
        relations, answers = _relations(asking, tables, folder)
        with write_atomically(target) as part:
            _write(asking, relations, answers, part, folder)
            if not overwrite and target.exists():
                raise already_there(target)
    except OSError as error:
        raise ExportError(f"{target} could not be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return target


def _write(
    asking: Asking, relations: Sequence[_Relation], answers: dict[str, Answer], file: Path, folder: Path
) -> None:
    """Write the rows of all relations into a new file of DuckDB's."""
    masks = masks_of(asking.settings)
    with opened(asking.settings, folder / "spill") as con, progress("writing tables") as show, _told("the tables"):

        def rows_of(each: _Relation) -> str:
            show(each.name)
            if each.snapshot:
                return whole.table(each.name, _text(each, masks), shuffled=bool(masks.paths))
            answer = asking.engine.query(each.plan, masks)
            con.register("answer", answer.rows)
            answers[each.table] = answer
            rows = whole.called("select * from answer", each.plan)
            return whole.table(each.name, rows, shuffled=bool(masks.paths))

        with writing(con, file):
            _make(con, relations, answers, rows_of)


def _make(
    con: duckdb.DuckDBPyConnection,
    relations: Sequence[_Relation],
    answers: dict[str, Answer],
    statement: Callable[[_Relation], str],
) -> None:
    """Make each relation, by a statement; macros for instants; and the table that says how fresh they are."""
    for each in relations:
        con.execute(statement(each))
        if each.plan.relations[0].kind is KINDS["$versions"]:
            con.execute(whole.as_of(f"{each.name.removesuffix('$versions')}_as_of", each.name))
    con.register("fresh", _freshness(answers))
    names = whole.distinct([*(each.name for each in relations), FRESHNESS])
    con.execute(whole.table(names[-1], "select * from fresh"))
    con.unregister("fresh")


def _relations(
    asking: Asking, tables: str | Sequence[str] | None, folder: Path
) -> tuple[list[_Relation], dict[str, Answer]]:
    """Look into the logs of tables, and keep them as they are, where they are on this machine."""
    return asking.retrying("", lambda: _looked_into(asking, tables, folder))


def _looked_into(
    asking: Asking, tables: str | Sequence[str] | None, folder: Path
) -> tuple[list[_Relation], dict[str, Answer]]:
    engine = asking.engine
    names = _chosen(engine, tables)
    relations, answers = list[_Relation](), dict[str, Answer]()
    catalog, masks = Tables(engine), masks_of(asking.settings)
    for table, called in zip(names, whole.distinct(names), strict=True):
        snapshot = engine.snapshot(table, folder)
        views = engine.views(table)
        lacking = missing_images(views)
        notes = [f"left out is what changes do not tell: the log holds {lacking}"] if lacking else []
        if snapshot:
            answers[table] = replace(snapshot.answer, notes=(*snapshot.answer.notes, *notes))
        for suffix, kind in KINDS.items():
            if "image" in kind.images.values() and views and not have_states(views):
                continue  # no state is known
            plan = whole.whole(table, suffix, catalog, masks)
            relations.append(_Relation(table, f"{called}{suffix}", plan, snapshot))
    return relations, answers


def _chosen(engine: Engine, tables: str | Sequence[str] | None) -> list[str]:
    there = engine.names()
    if tables is None:
        if not there:
            raise TableNotFound(f"there is no table in {engine.place_of_logs}")
        return list(there)
    chosen = list(dict.fromkeys([tables] if isinstance(tables, str) else tables))
    for table in chosen:
        if table not in there:
            raise TableNotFound(
                f"there is no table {table!r} in {engine.place_of_logs}, but: {', '.join(there)}."
                f"{did_you_mean(table, there)}"
            )
    return chosen


def _text(each: _Relation, masks: Masks) -> str:
    assert each.snapshot
    return each.snapshot.text(each.plan, masks)


def _freshness(answers: dict[str, Answer]) -> pa.Table:
    """Tell of each table how fresh it is."""
    kinds = {
        "table_name": pa.string(),
        "newest_change": pa.timestamp("us"),
        "newest_arrival": pa.timestamp("us"),
        "objects": pa.int64(),
        "unreadable": pa.int64(),
        "notes": pa.string(),
    }
    rows = [
        {
            "table_name": table,
            "newest_change": answer.newest_change and answer.newest_change.replace(tzinfo=None),
            "newest_arrival": answer.last_arrival and answer.last_arrival.replace(tzinfo=None),
            "objects": answer.objects,
            "unreadable": len(answer.unreadable),
            "notes": "; ".join(answer.notes) or None,
        }
        for table, answer in answers.items()
    ]
    return pa.Table.from_pylist(rows, schema=pa.schema(kinds))


def _folder(home: Path) -> Path:
    """Make a private folder, beside the store where that can be."""
    home = home.absolute()
    with suppress(OSError):
        home.mkdir(parents=True, exist_ok=True)
    return process_folder(home if home.is_dir() and os.access(home, os.W_OK) else Path(gettempdir()), _FOLDER)


@contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        raise QueryError(f"{what} could not be made: {without_values(error)}") from error
