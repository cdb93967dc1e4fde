"""The embedded engine: DuckDB over a lake folder, or any folder of change logs."""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import sqlglot
from sqlglot import exp

from workbench import render
from workbench.baseline import Baseline, choose, find_exports, stage
from workbench.config import Settings
from workbench.engines import Answer, Estimate, Over, Query
from workbench.engines.staging import StagedLog, canonical_image, layouts, register_functions
from workbench.errors import QueryError, TableNotFound, did_you_mean
from workbench.objects import Unreadable, list_objects

_BASELINE = "baseline"
_BATCH = 50_000  # rows of a large answer handed over at a time


class DuckDBEngine:
    """Answers questions from files; see `workbench.engines.Engine`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._logs: dict[str, StagedLog] = {}
        self._staged: tuple[str, Baseline] | None = None
        self._not_staged: tuple[Unreadable, ...] = ()

    def close(self) -> None:
        """Free the memory and the files of the connection."""
        self._logs.clear()
        self._staged = None
        if self._connection:
            self._connection.close()
            self._connection = None

    @property
    def finished(self) -> Sequence[Query]:
        """No query costs anything here."""
        return ()

    def tables(self) -> pd.DataFrame:
        """List the tables of the lake, or of the source, with their objects."""
        rows = []
        for source, names in self._sources().items():
            objects = list_objects(source)
            arrivals = [item.arrival for item in objects if item.arrival]
            for name in names:
                rows.append((name, " + ".join(sorted(layouts(objects))), len(objects),
                             sum(item.size for item in objects), min(arrivals, default=None),
                             max(arrivals, default=None)))  # fmt: skip
        df = pd.DataFrame(rows, columns=["table", "layout", "objects", "bytes", "first_arrival", "last_arrival"])
        return df.astype({"table": "str", "layout": "str", "objects": "int64", "bytes": "int64",
                          "first_arrival": "datetime64[us, UTC]", "last_arrival": "datetime64[us, UTC]"})  # fmt: skip

    def key_types(self, table: str) -> Mapping[str, str]:
        """Name the key attributes of a table and their types S, N or B, from one of its changes."""
        found = self._run("select max(keys) as keys from {deliveries}", table, images=False).column(0)[0].as_py()
        return {name: kind for name, value in json.loads(found or "{}").items() for kind in value}

    def sql(self, question: str, table: str, *, matching: str = "true", **values: object) -> str:
        """Return the question's text in Athena's dialect, with its values filled in."""
        names = {"deliveries": render.identifier(table), "canonical": "image", "matching": matching}
        return render.compose(question, values, names)

    def estimate(self, question: str, table: str, **values: object) -> Estimate:
        """Tell how much a question reads: all there is, at no cost."""
        objects = list_objects(self._source_of(table))
        return Estimate(sum(item.size for item in objects), len(objects), 0.0)

    def ask(self, question: str, table: str, *, matching: str = "true", over: Over = "log", **values: object,
            ) -> Answer:  # fmt: skip
        """Run a question over a table's deliveries."""
        began = time.perf_counter()
        rows = self._run(question, table, images=_needs_images(question), matching=matching, over=over, values=values)
        answer = self._answer(rows, self.sql(question, table, matching=matching, **values), table, began)
        if over == "log" or not self._staged or self._staged[0] != table:
            return answer
        return replace(answer, unreadable=answer.unreadable + self._not_staged)

    def batches(self, question: str, table: str, *, matching: str = "true", **values: object) -> Iterator[Answer]:
        """Run a question and yield its rows in parts, so that a large answer does not fill the memory."""
        began, text = time.perf_counter(), self.sql(question, table, matching=matching, **values)
        try:
            sql = self._prepared(question, table, images=_needs_images(question), matching=matching, values=values)
            for batch in self._con.sql(sql).to_arrow_reader(_BATCH):
                yield self._answer(_decoded(pa.Table.from_batches([batch])), text, table, began)
        except duckdb.Error as error:
            raise QueryError(f"{question} over {table!r} failed: {str(error).splitlines()[0]}") from error

    def baseline(self, table: str, at: datetime | None = None) -> Baseline | None:
        """Return the newest state an export knows of a table at an instant, where a baseline is set."""
        if not self._settings.baseline:
            return None
        return choose(find_exports(self._settings.baseline), table, at)

    def reread(self, table: str, error: Exception) -> None:
        """Read a table's log again line by line."""
        self._log(self._source_of(table)).reread()

    def _answer(self, rows: pa.Table, sql: str, table: str, began: float) -> Answer:
        log = self._log(self._source_of(table))
        arrivals = [item.arrival for item in log.objects if item.arrival]
        return Answer(rows, sql, time.perf_counter() - began, len(log.objects), sum(item.size for item in log.objects),
                      log.unreadable, min(arrivals, default=None), max(arrivals, default=None))  # fmt: skip

    def _run(self, question: str, table: str, *, images: bool, matching: str = "true", over: Over = "log",
             values: Mapping[str, object] | None = None) -> pa.Table:  # fmt: skip
        try:
            sql = self._prepared(question, table, images=images, matching=matching, over=over, values=values)
            return _decoded(self._con.sql(sql).to_arrow_table())
        except duckdb.Error as error:
            raise QueryError(f"{question} over {table!r} failed: {str(error).splitlines()[0]}") from error

    def _prepared(self, question: str, table: str, *, images: bool, matching: str, over: Over = "log",
                  values: Mapping[str, object] | None = None) -> str:  # fmt: skip
        """Bring the log up to date and return the text of a question in DuckDB's dialect."""
        log = self._log(self._source_of(table))
        narrow = images and not log.has_images and "keys" in matching and "_image" not in matching
        log.refresh(images=images and not narrow)
        rows = log
        if narrow:  # a few items: the images of the objects that hold their changes will do
            rows = log.part(_translated(f"select 1 where {matching}").partition(" WHERE ")[2]) or log
            log.refresh(images=rows is log)
        deliveries = self._deliveries(log, table, rows.table)
        if over != "log":
            deliveries = self._with_baseline(deliveries, table, over, (values or {}).get("as_of"))
        if "arrival" in render.template(question):
            deliveries = f"(select * from {deliveries} as log join {log.arrivals()} as objects using (object))"
        names = {"deliveries": deliveries, "canonical": "canonical_image(image)", "matching": matching}
        return _translated(render.compose(question, values or {}, names, row="row_id"))

    def _with_baseline(self, deliveries: str, table: str, over: Over, at: object) -> str:
        """Return the deliveries that follow from a baseline where there is one."""
        known = self.baseline(table, at if isinstance(at, datetime) else None)
        if not known:
            return deliveries if over == "state" else f"(select * from {deliveries} where false)"
        if self._staged != (table, known):
            names = tuple(self._settings.keys) or tuple(self.key_types(table))
            self._not_staged = stage(self._con, _BASELINE, known, names)
            self._staged = (table, known)
        if over == "baseline":
            return _BASELINE
        part = render.fill(render.load("parts/from_baseline"), {"since": known.time},
                           {"deliveries": deliveries, "baseline": _BASELINE})  # fmt: skip
        self._con.execute(f"create or replace temp table state as {part}")
        return "(select *, rowid as row_id from state)"

    def _deliveries(self, log: StagedLog, table: str, staged: str) -> str:
        held = sorted(name for (name,) in self._con.execute(
            f"select distinct table_name from {log.table} where keys is not null").fetchall())  # fmt: skip
        rows = f"(select *, rowid as row_id from {staged})"
        if held == [table] or (len(held) == 1 and not self._settings.source):
            return rows
        if table in held:
            return f"(select *, rowid as row_id from {staged} where table_name = {render.literal(table)})"
        if held:
            raise TableNotFound(f"{log.source} holds no changes of a table {table!r}, but of: {', '.join(held)}."
                                f"{did_you_mean(table, held)}")  # fmt: skip
        first = (
            f"; {len(log.unreadable):,} lines cannot be read, the first: {log.unreadable[0]}" if log.unreadable else ""
        )
        raise TableNotFound(f"{log.source} holds no change records{first}")

    def _sources(self) -> dict[str, list[str]]:
        """Map each source to the tables in it."""
        if self._settings.source:
            log = self._log(self._settings.source)
            log.refresh(images=False)
            found = self._con.execute(f"select distinct table_name from {log.table} order by 1").fetchall()
            return {self._settings.source: [name for (name,) in found]}
        data = self._settings.lake / "data"
        return {str(folder): [folder.name] for folder in sorted(data.glob("*")) if folder.is_dir()}

    def _source_of(self, table: str) -> str:
        if self._settings.source:
            return self._settings.source
        names = {names[0]: source for source, names in self._sources().items()}
        if table in names:
            return names[table]
        if not names:
            raise TableNotFound(
                f"there is no table {table!r}: the lake {self._settings.lake} is empty. Run `workbench generate "
                "persons`, or name a folder of change logs by --from (source=)"
            )
        raise TableNotFound(f"there is no table {table!r} in {self._settings.lake}, but: {', '.join(names)}."
                            f"{did_you_mean(table, names)}")  # fmt: skip

    def _log(self, source: str) -> StagedLog:
        if source not in self._logs:
            self._logs[source] = StagedLog(self._con, f"log {len(self._logs) + 1}", source, self._settings.keys)
        return self._logs[source]

    @property
    def _con(self) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            home = self._settings.home if self._settings.home.is_dir() else Path(tempfile.gettempdir())
            spill = home / f"spill-{os.getpid()}"  # made by DuckDB where it needs it, and removed
            options: dict[str, str | bool | int | float | list[str]] = {
                "preserve_insertion_order": False, "integer_division": True, "temp_directory": str(spill),
            }  # fmt: skip
            if self._settings.memory_limit:
                options["memory_limit"] = self._settings.memory_limit
            if self._settings.threads:
                options["threads"] = self._settings.threads
            try:
                con = duckdb.connect(config=options)
            except duckdb.Error as error:
                raise QueryError(f"DuckDB does not start: {str(error).splitlines()[0]}") from error
            con.execute("set TimeZone = 'UTC'")
            with suppress(duckdb.InvalidInputException):  # in a kernel without ipywidgets, where there is no bar
                con.execute(f"set enable_progress_bar = {sys.stdout.isatty()}")  # else drawn into a pipe too
            register_functions(con)
            self._connection = con
            weakref.finalize(self, con.close)  # else DuckDB's binding complains at the end of the process
        return self._connection


def _needs_images(question: str) -> bool:
    template = render.template(question)
    return "_image" in template or "{candidates}" in template


def _translated(sql: str) -> str:
    return str(sqlglot.parse_one(sql, read="athena").transform(_in_duckdb).sql(dialect="duckdb"))


def _in_duckdb(node: Any) -> Any:
    """Mend what sqlglot leaves as it is: bytes are not counted by length, groups are not written $1."""
    if isinstance(node, exp.Length) and isinstance(node.this, exp.Encode):
        return exp.func("octet_length", node.this)
    if isinstance(node, exp.RegexpReplace):
        written = re.sub(r"\$(\d)", r"\\\1", node.args["replacement"].this)
        node.set("replacement", exp.Literal.string(written))
    return node


def _decoded(rows: pa.Table) -> pa.Table:
    """Decode the images that are still marked as holding binary encoded twice."""
    for name in {"image", "new_image", "old_image"} & set(rows.schema.names):
        images = rows.column(name).combine_chunks()
        marked = pc.fill_null(pc.starts_with(images, " "), False)
        if pc.any(marked).as_py():
            decoded = pa.array(map(canonical_image, images.filter(marked).to_pylist()), images.type)
            images = pc.replace_with_mask(images, marked, decoded)
        rows = rows.set_column(rows.schema.get_field_index(name), name, images)
    return rows
