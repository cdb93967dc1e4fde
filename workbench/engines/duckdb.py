"""The embedded engine: DuckDB over a lake folder, or any folder of change logs."""

from __future__ import annotations

import os
import sys
import tempfile
import time
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import sqlglot

from workbench import render
from workbench.config import Settings
from workbench.engines import Answer
from workbench.engines.staging import StagedLog, canonical_image, layouts, register_functions
from workbench.errors import QueryError, TableNotFound, did_you_mean
from workbench.objects import list_objects

_COLUMNS = ("keys", "ts", "event_id", "event_name", "new_image", "old_image", "by_ttl")


class DuckDBEngine:
    """Answers questions from files; see `workbench.engines.Engine`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._logs: dict[str, StagedLog] = {}

    def close(self) -> None:
        """Free the memory and the files of the connection."""
        self._logs.clear()
        if self._connection:
            self._connection.close()
            self._connection = None

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

    def key_names(self, table: str) -> Sequence[str]:
        """Name the key attributes of a table, from one of its changes."""
        names = self._run("select json_keys(max(keys)) from {deliveries}", table, images=False)
        return tuple(names.column(0)[0].as_py() or ())

    def sql(self, question: str, table: str, **values: object) -> str:
        """Return the question's text in Athena's dialect, with its values filled in."""
        return self._text(question, values, {"deliveries": render.identifier(table), "canonical": "image"})

    def ask(self, question: str, table: str, **values: object) -> Answer:
        """Run a question over a table's deliveries."""
        began = time.perf_counter()
        template = render.load(question)
        rows = self._run(question, table, images="_image" in template or "{candidates}" in template, values=values)
        log = self._log(self._source_of(table))
        return Answer(rows, self.sql(question, table, **values), time.perf_counter() - began,
                      len(log.objects), sum(item.size for item in log.objects), log.unreadable)  # fmt: skip

    def reread(self, table: str) -> None:
        """Read a table's log again line by line."""
        self._log(self._source_of(table)).reread()

    def _run(self, question: str, table: str, *, images: bool, values: Mapping[str, object] | None = None,
             ) -> pa.Table:  # fmt: skip
        log = self._log(self._source_of(table))
        log.refresh(images=images)
        names = {"deliveries": self._deliveries(log, table), "canonical": "canonical_image(image)"}
        sql = sqlglot.transpile(self._text(question, values or {}, names, "row_id"), read="athena", write="duckdb")[0]
        try:
            return _decoded(self._con.sql(sql).to_arrow_table())
        except duckdb.Error as error:
            raise QueryError(f"{question} over {table!r} failed: {str(error).splitlines()[0]}") from error

    def _text(self, question: str, values: Mapping[str, object], names: dict[str, str], row: str = "") -> str:
        """Fill a question's template; with `row`, candidates are found by it alone and their images fetched after."""
        template = render.load(question) if " " not in question else question
        if "{candidates}" in template:
            part, columns = render.load("parts/candidates"), row or ", ".join(_COLUMNS)
            inner = {"as_of": values["as_of"]}
            candidates = render.fill(part, inner, {"deliveries": names["deliveries"], "columns": columns})
            if row:
                candidates = (f"select * from {names['deliveries']} as deliveries "
                              f"join ({candidates}) as found using ({row})")  # fmt: skip
            names = names | {"candidates": candidates}
            values = {name: value for name, value in values.items() if name != "as_of"}
        wanted = {name: sql for name, sql in names.items() if "{" + name + "}" in template}
        return render.fill(template, values, wanted)

    def _deliveries(self, log: StagedLog, table: str) -> str:
        held = sorted(name for (name,) in self._con.execute(
            f"select distinct table_name from {log.table} where keys is not null").fetchall())  # fmt: skip
        rows = f"(select *, rowid as row_id from {log.table})"
        if held == [table] or (len(held) == 1 and not self._settings.source):
            return rows
        if table in held:
            return f"(select *, rowid as row_id from {log.table} where table_name = {render.literal(table)})"
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


def _decoded(rows: pa.Table) -> pa.Table:
    """Decode the images that are still marked as holding binary encoded twice."""
    at = rows.schema.get_field_index("image")
    if at < 0:
        return rows
    images = rows.column(at).combine_chunks()
    marked = pc.fill_null(pc.starts_with(images, " "), False)
    decoded = pa.array(map(canonical_image, images.filter(marked).to_pylist()), images.type)
    return rows.set_column(at, "image", pc.replace_with_mask(images, marked, decoded))
