"""The state that exports know, staged in DuckDB for questions that begin with it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from workbench.engines.ingest import as_it_is, canonical_image, register_functions
from workbench.errors import ParameterError, QueryError, RecordRefused, without_values
from workbench.log.backup_items import items_of
from workbench.log.containers import values_of
from workbench.log.exports import Baseline, Export
from workbench.log.objects import SCHEMA, Unreadable, read_lines, stored_object
from workbench.model.records import COLUMN_TYPES, canonical_json, canonical_keys, canonical_time
from workbench.sql.literals import literal
from workbench.sql.templates import fill, load

_COLUMNS = ", ".join(f"{name} {kind}" for name, kind in COLUMN_TYPES.items()) + ", object INTEGER"
_CHANGES = '"changes of exports"'
_KEYLESS = "no key attribute"
_BATCH = 20_000  # rows read line by line before they are handed to DuckDB
# Values of key attributes that are canonical as DuckDB writes them: plain texts and numbers, base64 without loose bits.
_PLAIN = (
    r'\{"S":"(?:[^"\\]|\\["\\bfnrt])*"\}'
    r'|\{"N":"(?:0|-?[1-9][0-9]{0,37}|-?(?:0|[1-9][0-9]{0,37})\.[0-9]{0,37}[1-9])"\}'
    r'|\{"B":"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?"\}'
)


def stage(
    con: duckdb.DuckDBPyConnection, name: str, baseline: Baseline, key_names: Sequence[str]
) -> tuple[Unreadable, ...]:
    """Stage a baseline's state in a temporary table: a row an item, an INSERT at the baseline's time.

    Its columns are those of `workbench.log.objects.SCHEMA`, keys canonical, and `object` (null). DuckDB reads
    the files; one that is damaged or holds lines that are no items is read again line by line.

    Parameters
    ----------
    con
        Has the functions of `workbench.engines.ingest.register_functions`.
    name
        The table, quoted; it is replaced.
    key_names
        The attributes that make the key: a full export does not say.

    Returns
    -------
    tuple of Unreadable
        Every line that is no item or change, by file and line; what stands around it is staged.

    Raises
    ------
    ParameterError
        Where `key_names` are not the key: no item has them, or several share their values.
    """
    reader = _Reader(con, tuple(sorted(key_names)), baseline.time)
    try:
        for target in (name, _CHANGES):
            con.execute(f"create or replace temp table {target} ({_COLUMNS})")
        full, *later = baseline.exports
        reader.read(full, name)
        reader.check(name)
        for export in later:
            reader.read(export, _CHANGES)
        con.execute(f"delete from {name} where keys in (select keys from {_CHANGES})")
        last = f"from {_CHANGES} qualify row_number() over (partition by keys order by ts desc, object desc) = 1"
        con.execute(
            f"insert into {name} select * replace ({literal(baseline.time)} as ts) "
            f"from (select * {last}) where event_name = 'INSERT'"
        )
        con.execute(f"update {name} set object = null")
        con.execute(f"drop table {_CHANGES}")
    except BaseException as error:  # also Ctrl-C: half a state must not answer the next question
        con.execute(f"drop table if exists {_CHANGES}; drop table if exists {name}")
        if isinstance(error, duckdb.Error):
            where = baseline.exports[0].folder
            raise QueryError(f"the export {where} could not be read: {without_values(error)}") from error
        raise
    return tuple(sorted(reader.unreadable, key=lambda each: (each.object, each.line)))


def read_items(baseline: Baseline, key_names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the key and the image of every item of a baseline, in canonical form.

    Raises
    ------
    QueryError
        Where a line cannot be read: the items that are there would not be all there were.
    ParameterError
        Where `key_names` are not the key.
    """
    with duckdb.connect() as con:
        register_functions(con)
        if unreadable := stage(con, "items", baseline, key_names):
            raise QueryError(
                f"{len(unreadable):,} lines of the export cannot be read, the first: "
                f"{_line_of(unreadable[0])}; sync its folder again"
            )
        items = con.execute("select keys, new_image from items")
        while batch := items.fetchmany(_BATCH):
            yield from ((keys, canonical_image(image)) for keys, image in batch)


class _Reader:
    """Reads data files into tables, those that DuckDB cannot read line by line."""

    def __init__(self, con: duckdb.DuckDBPyConnection, keys: tuple[str, ...], time: datetime) -> None:
        if not 1 <= len(keys) <= 2:
            raise ParameterError("a full export does not say what its key is: name its one or two attributes, keys=(…)")
        self.unreadable: list[Unreadable] = []
        self._con, self._keys, self._time = con, keys, time
        self._files: list[Path] = []

    def read(self, export: Export, target: str) -> None:
        """Append the items of an export, or its changes, to a table."""
        files = [file.path for file in export.files if file.path.is_file() and file.path.stat().st_size]
        first = len(self._files)
        self._files += files
        if files:
            self._read(range(first, len(self._files)), export, target)
            damaged = self._con.execute(f"select distinct object from {target} where keys is null").fetchall()
            for (number,) in sorted(damaged):
                self._read_lines(number, export, target)

    def check(self, target: str) -> None:
        """Refuse key attributes that are not the key of the items read."""
        called = " and ".join(map(repr, self._keys))
        keyless = next((double for double in self.unreadable if double.reason.startswith(_KEYLESS)), None)
        if keyless and not self._con.execute(f"select 1 from {target} limit 1").fetchone():
            raise ParameterError(
                f"no item of the export has the key {called}, such as {_line_of(keyless)}; "
                "name the key attributes, keys=(…)"
            )
        twice = f"select count(*) from {target} group by keys having count(*) > 1 order by keys limit 1"
        if double := self._con.execute(twice).fetchone():
            raise ParameterError(
                f"the export holds {double[0]} items with one value of {called}, which cannot be the "
                "whole key; name the key attributes, keys=(…)"
            )

    def _read(self, numbers: range, export: Export, target: str) -> None:
        paths = [as_it_is(str(self._files[number])) for number in numbers]
        pointers = ["/" + key.replace("~", "~0").replace("/", "~1") for key in self._keys]
        starts = [f"{',' if at else '{'}{json.dumps(key, ensure_ascii=False)}:" for at, key in enumerate(self._keys)]
        keys = " || ".join(f"{literal(start)} || parts[{at}]" for at, start in enumerate(starts, start=1))
        query = fill(
            load("parts/read_export"),
            {
                "paths": paths,
                "first": numbers.start,
                "event_id": f"baseline {export.folder.name}",
                "table": export.table,
                "time": self._time,
                "names": len(pointers),
                "pointers": pointers,
                "plain": _PLAIN,
            },
            {"keys": f"{keys} || '}}'"},
        )
        try:
            self._con.execute(f"insert into {target} {query}")
        except (duckdb.IOException, duckdb.InvalidInputException, duckdb.ConversionException):
            # One damaged file stops the whole statement: halve until it is found, and read it line by line.
            if len(numbers) == 1:
                self._read_lines(numbers.start, export, target)
                return
            half = len(numbers) // 2
            self._read(numbers[:half], export, target)
            self._read(numbers[half:], export, target)

    def _read_lines(self, number: int, export: Export, target: str) -> None:
        self._con.execute(f"delete from {target} where object = {number}")
        constant = {"event_id": f"baseline {export.folder.name}", "table_name": export.table, "by_ttl": False}
        rows = self._rows(self._files[number])
        while batch := [row | constant for row in islice(rows, _BATCH)]:
            found = pa.Table.from_pylist(batch, schema=SCHEMA)  # noqa: F841
            self._con.execute(f"insert into {target} select *, {number} from found")

    def _rows(self, path: Path) -> Iterator[dict[str, Any]]:
        for number, outer in values_of(read_lines(stored_object(path))):
            for value in items_of(outer):
                try:
                    if isinstance(value, RecordRefused):
                        raise value
                    yield self._row(value)
                except RecordRefused as error:
                    self.unreadable.append(Unreadable(str(path), number, str(error)))

    def _row(self, value: Any) -> dict[str, Any]:
        """Read an item, or a change of an incremental export."""
        item = value.get("Item") if isinstance(value, dict) else None
        key = item if item is not None else value.get("Keys") if isinstance(value, dict) else None
        if not isinstance(key, dict):
            raise RecordRefused("neither an 'Item' nor 'Keys' of a change: no line of an export")
        if missing := [name for name in self._keys if name not in key]:
            raise RecordRefused(f"{_KEYLESS} {missing[0]!r}")
        if item is None and len(key) > len(self._keys):
            raise RecordRefused(f"its key is {', '.join(key)}, not {', '.join(self._keys)}")
        keys = canonical_keys({name: key[name] for name in self._keys})
        new, ts = item if item is not None else value.get("NewImage"), self._time.replace(tzinfo=None)
        if item is None:
            try:
                micros = value["Metadata"]["WriteTimestampMicros"]["N"]
            except (KeyError, TypeError) as error:
                raise RecordRefused("no Metadata.WriteTimestampMicros") from error
            ts = datetime.fromisoformat(canonical_time(micros, "MICROSECOND"))
        return {
            "event_name": "REMOVE" if new is None else "INSERT",
            "keys": keys,
            "ts": ts,
            "new_image": None if new is None else canonical_json(new),
        }


def _line_of(unreadable: Unreadable) -> str:
    return f"{unreadable.object}, line {unreadable.line}: {unreadable.reason}"
