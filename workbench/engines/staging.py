"""Reads the objects of a change log into one DuckDB table: a row a delivered change.

DuckDB reads what is clean at full speed. A line it cannot read comes back as a row without keys; the
objects that hold one are read again by `workbench.log.reader`, which keeps their good changes and says what
is wrong with the others. Only objects that came since the last question are read again.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pyarrow as pa

from workbench.errors import QueryError, RecordRefused, causes, without_values
from workbench.log.arrivals import ENOUGH, ChangeTimes, Witness, Zone, infer_zone, sample_times, times_of, without_zone
from workbench.log.checkpoints import Checkpoint
from workbench.log.containers import FAILURE
from workbench.log.contents import Part, merged
from workbench.log.listing import Listing, list_source
from workbench.log.objects import SCHEMA, Object, Unreadable, time_in_path
from workbench.log.reader import Layout, envelope_columns, layout_of, read_changes
from workbench.model.records import COLUMN_TYPES, COLUMNS, ORIGIN, canonical_json, canonical_keys
from workbench.sql.filters import like_key
from workbench.sql.literals import identifier, literal
from workbench.sql.templates import fill, load, part
from workbench.text import count

_IMAGES = ("new_image", "old_image")
_OPTIONAL = (*_IMAGES, "size_bytes", "by_ttl", *ORIGIN)
_BATCH = 20_000  # rows read line by line before they are handed to DuckDB
_PART = 4  # up to one in so many objects are read for the images of a few items, else all of them
_INTERRUPT = re.compile("^Query interrupted$|executing the UDF: KeyboardInterrupt:? *$")
_ATTEMPTS = 3  # to read objects that are renamed or removed meanwhile
_LONGEST = 4 << 20  # bytes of a line DuckDB reads: longer ones are left to the slow reader, and its own limit
_LOOKED_AT = 200  # changes at the beginning of an object that tell the zone of its name
_SAMPLE = 8  # objects looked into, spread over the log, before the rest is taken to be of their layouts


def _image_pattern() -> str:
    """Match the JSON that is DynamoDB JSON, as most writers write it; what it leaves is looked at in Python.

    It tells of every value what may stand before and after it, not how deep: that JSON is balanced is known.
    """
    colon, comma = ": ?", ", ?"
    text = r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u(?:[0-9abcefABCEF][0-9a-fA-F]|[dD][0-7])[0-9a-fA-F]{2}))*"'
    number = r'"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?"'
    binary = r'"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"'
    kinds = {"S": text, "N": number, "B": binary, "BOOL": "(?:true|false)", "NULL": "(?:true|false)"}
    kinds |= {f"{kind}S": rf"\[(?:{each}(?:{comma}{each})*)?\]" for kind, each in list(kinds.items())[:3]}
    kinds |= {"M": r"\{\}", "L": r"\[\]"}
    scalar = "|".join(f'"{kind}"{colon}{each}' for kind, each in kinds.items())
    name = f"{text}{colon}"
    value = (
        rf'(?:\{{"M"{colon}\{{{name}|\{{"L"{colon}\[)*'  # opened before it
        rf"\{{(?:{scalar})\}}(?:\}}\}}|\]\}})*"
    )  # closed after it
    return rf"\{{(?:{name}{value}(?:{comma}(?:{name})?{value})*)?\}}"


_IMAGE_PATTERN = _image_pattern()
# A time in UTC; DuckDB's cast would leave another zone out, so the slow reader reckons with that.
_UTC = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z| UTC|\+00(?::00)?)?"


class StagedLog:
    """The change records under one source, staged in a DuckDB connection; with a checkpoint, those after it."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        name: str,
        source: str,
        keys: Sequence[str],
        after: Checkpoint | None = None,
        zone: Zone | None = None,
    ) -> None:
        self.table = identifier(name)
        self.source = source
        self.after = after
        self._given_zone, self._zone = zone, Zone()
        self._seen: dict[str, ChangeTimes | None] = {}
        self._listing = Listing([])
        self.objects: list[Object] = []
        self._con, self._keys = con, tuple(keys)
        self._known_keys: set[tuple[str, ...]] = set()
        self._unreadable: dict[int, list[Unreadable]] = {}
        self._wrapped: dict[int, Counter[str]] = {}
        self._has_images = False
        self._line_by_line = False
        self._vanished = False
        self._contents: tuple[Part, ...] | None = None
        self._clear(images=False)

    @property
    def unreadable(self) -> tuple[Unreadable, ...]:
        """Every line of the log that is no change record, by object and line, and what lies beside the log."""
        lines = dict.fromkeys((*self._listing.foreign, *self.unread))
        return tuple(sorted(lines, key=lambda each: (each.object, each.line)))

    @property
    def unread(self) -> tuple[Unreadable, ...]:
        """What of the objects that were read is no change record."""
        own = {item.path for item in self.objects}  # where an object has changed since, what was wrong before is past
        before = [each for each in (self.after.unreadable if self.after else ()) if each.object not in own]
        return (*before, *(each for every in self._unreadable.values() for each in every))

    @property
    def listed(self) -> list[Object]:
        """Every object of the log."""
        return self._listing.objects

    @property
    def wrapped(self) -> Counter[str]:
        """How many changes were wrapped, by what they were wrapped in."""
        return sum(self._wrapped.values(), Counter())

    @property
    def notes(self) -> tuple[str, ...]:
        """What was read although it is unusual, and what was passed over."""
        notes = {name: f"{count(number, 'change')} read out of {name}" for name, number in sorted(self.wrapped.items())}
        if FAILURE in notes:
            notes[FAILURE] += ", of which Athena's table knows nothing"
        return (*notes.values(), *self._listing.notes, *self._zone.note)

    @property
    def bytes(self) -> int:
        """Size of what is read."""
        return sum(item.size for item in self.objects) + (self.after.bytes if self.after else 0)

    def refresh(self, *, images: bool) -> None:
        """Bring the table up to the objects there are now; `images` says whether images are needed too."""
        for attempt in range(_ATTEMPTS):
            self._refresh(images=images, last=attempt + 1 == _ATTEMPTS)
            if not self._vanished:
                return

    def _refresh(self, *, images: bool, last: bool) -> None:
        """Bring the table up to the objects there are, while they stay; the `last` time, name those that do not."""
        self._listing = self._dated(list_source(self.source))
        objects = [item for item in self.listed if not (self.after and self.after.holds(item))]
        staged, self._vanished = set(self.objects), False
        if staged - set(objects) or (images and not self._has_images):
            self._clear(images=images or self._has_images)
            staged = set()
        if not (new := [item for item in objects if item not in staged]):
            return
        try:
            self._add(new)
            if self._vanished and not last:  # renamed or removed while it was read: list again
                self._clear(images=images)
        except BaseException as error:  # also Ctrl-C: a half-read log must not answer the next question
            self._clear(images=images)
            if isinstance(error, duckdb.Error):
                raise QueryError(f"{self.source} could not be read: {without_values(error)}") from error
            raise

    def _dated(self, listing: Listing) -> Listing:
        """Date objects by the time zone of their names and folders, which is UTC where too few tell another."""
        self._zone = self._given_zone or self._infer_zone(listing.objects)
        if self._zone.tz is UTC:
            return listing
        return replace(
            listing,
            objects=[
                replace(item, arrival=self._zone.utc(item.arrival and without_zone(item.arrival)))
                for item in listing.objects
            ],
        )

    def _infer_zone(self, objects: Sequence[Object]) -> Zone:
        seen = sample_times([item for item in objects if item.arrival], self._seen, self._look)
        arrivals = ((time_in_path(Path(item.path).as_posix()), times) for item, times in seen)
        witnesses = [Witness(without_zone(by[0]), by[1], times) for by, times in arrivals if by]
        return infer_zone(witnesses) if len(witnesses) >= ENOUGH else Zone()

    def _look(self, item: Object) -> ChangeTimes | None:
        try:
            return times_of(islice(read_changes(item, self._keys), _LOOKED_AT))
        except OSError:
            return None

    @property
    def has_images(self) -> bool:
        """Whether images are staged too."""
        return self._has_images

    @property
    def contents(self) -> tuple[Part, ...]:
        """What is in the log, and in the checkpoint before it."""
        if self._contents is None:
            self._contents = self._look_into()
        return merged((*(self.after.contents if self.after else ()), *self._contents))

    def _look_into(self) -> tuple[Part, ...]:
        """Tell what the table holds; the keys' types by the patterns of keys seen, which is faster than by each key."""
        seen: dict[str, str] = {}
        while True:
            cases = "".join(f"when {pattern} then {literal(schema)} " for schema, pattern in seen.items())
            schema = f"case {cases}end" if seen else "null"
            other = self._con.execute(
                f"select keys from {self.table} where keys is not null and {schema} is null limit 1"
            ).fetchone()
            if other is None:
                break
            types = {name: kind for name, value in json.loads(other[0]).items() for kind in value}
            seen[json.dumps(types, ensure_ascii=False, separators=(",", ":"))] = like_key(types)
        text = part("contents", key_schema=schema, deliveries=f"(from {self.table} where keys is not null)")
        return tuple(Part(*row) for row in self._con.execute(text).fetchall())

    def part(self, matching: str) -> StagedLog | None:
        """Return the objects that hold changes of a few items, with images, as a log; None where they are many."""
        numbers = self._con.execute(f"select distinct object from {self.table} where {matching} order by 1").fetchall()
        if len(numbers) > len(self.objects) // _PART:
            return None
        part = StagedLog(self._con, f"part of {self.source}", self.source, self._keys)
        part._known_keys, part._line_by_line = self._known_keys, self._line_by_line
        part._clear(images=True)
        part._add([self.objects[number] for (number,) in numbers])
        return None if part._vanished else part

    def reread(self) -> None:
        """Read the whole log line by line, for what only the slow reader can tell."""
        self._line_by_line = True
        self._clear(images=True)
        self.refresh(images=True)

    def arrivals(self) -> str:
        """Return a relation of the objects: object, their number, and arrival (UTC, null where not known)."""
        arrivals = [item.arrival and item.arrival.replace(tzinfo=None) for item in self.objects]
        numbers = pa.array(range(len(arrivals)), pa.int32())
        rows = pa.table({"object": numbers, "arrival": pa.array(arrivals, pa.timestamp("us"))})  # noqa: F841
        self._con.execute("create or replace temp table arrivals as select * from rows")
        return "arrivals"

    def _clear(self, *, images: bool) -> None:
        self.objects, self._unreadable, self._wrapped, self._has_images = [], {}, {}, images
        self._contents = None
        columns = [f"{name} {COLUMN_TYPES[name]}" for name in self._columns()]
        self._con.execute(f"create or replace temp table {self.table} ({', '.join(columns)}, object INTEGER)")

    def _columns(self) -> list[str]:
        return [name for name in SCHEMA.names if self._has_images or name not in _IMAGES]

    def _add(self, objects: list[Object]) -> None:
        self._contents = None
        for (kind, reader), items in self._by_reader(objects).items():
            first = len(self.objects)
            self.objects += items
            if reader:
                self._read(first, items, kind, reader)
            else:
                self._read_lines(range(first, first + len(items)))
        again = self._con.execute(f"select distinct object from {self.table} where keys is null").fetchall()
        self._read_lines(sorted(number for (number,) in again))

    def _by_reader(self, objects: list[Object]) -> dict[tuple[str, str], list[Object]]:
        """Group the objects by format and DuckDB's reader for them, '' where there is none."""
        looked = {item: layout_of(item) for item in _sample(objects)}
        usual, quick = {"envelope", "raw"}, {"json", "gzip"}
        unusual = any(layout not in usual or joined for layout, joined, _ in looked.values())
        groups: dict[tuple[str, str], list[Object]] = {}
        for item in objects:
            if item not in looked and unusual and item.format != "parquet":
                looked[item] = layout_of(item)
            layout, joined, names = looked.get(item, ("raw", False, ()))
            self._known_keys |= {tuple(sorted(names))} - {()}
            reader = "unstructured" if joined else "newline_delimited"
            if item.format == "parquet":
                reader = ",".join(envelope_columns(item))
            fast = item.format == "parquet" or (layout in usual and item.format in quick)
            groups.setdefault((item.format, reader if fast and not self._line_by_line else ""), []).append(item)
        return groups

    def _read(self, first: int, items: Sequence[Object], kind: str, reader: str) -> None:
        values: dict[str, object] = {"paths": [as_it_is(item.path) for item in items], "first": first}
        values["time_pattern"] = _UTC
        if kind == "parquet":
            there = reader.split(",")
            values["certain"] = set(there) <= {*COLUMNS}
            given = {name: name if name in there else f"null::{COLUMN_TYPES[name]}" for name in _OPTIONAL}
            records = fill(load("parts/read_parquet"), values, given)
        else:
            values |= {
                "compression": "gzip" if kind == "gzip" else "none",
                "format": reader,
                "longest": _LONGEST,
                "ignore_errors": reader == "newline_delimited",
            }
            records = fill(load("parts/read_json"), values)
        patterns = {"key_pattern": self._key_pattern(), "image_pattern": _IMAGE_PATTERN}
        query = fill(load("parts/checked"), patterns, {"records": records})
        columns = ", ".join([*self._columns(), "object"])
        try:
            self._con.execute(f"insert into {self.table} select {columns} from ({query})")
        except (duckdb.IOException, duckdb.InvalidInputException, duckdb.ConversionException) as error:
            let_interrupt(error)
            # One damaged object stops the whole statement: halve until it is found, and read it line by line.
            if len(items) == 1:
                self._read_lines([first])
                return
            half = len(items) // 2
            self._read(first, items[:half], kind, reader)
            self._read(first + half, items[half:], kind, reader)

    def _read_lines(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self._con.execute(f"delete from {self.table} where object = {number}")
            unreadable = self._unreadable.setdefault(number, [])
            wrapped: Counter[str] = Counter()
            self._wrapped[number] = wrapped
            changes = self._still_there(number, read_changes(self.objects[number], self._keys, wrapped))
            changes = _changes(changes, unreadable)
            while batch := list(islice(changes, _BATCH)):
                rows = pa.Table.from_pylist(batch, schema=SCHEMA).select(self._columns())  # noqa: F841
                self._con.execute(f"insert into {self.table} select *, {number} from rows")

    def _still_there(self, number: int, changes: Iterator[Any]) -> Iterator[Any]:
        try:
            yield from changes
        except FileNotFoundError:
            self._vanished = True
            yield Unreadable(
                self.objects[number].path, 0, "vanished while it was read: ask again when the copy is over"
            )
        except OSError as error:
            yield Unreadable(self.objects[number].path, 0, f"cannot be read: {error.strerror or error}")

    def _key_pattern(self) -> str:
        """Match keys that are canonical as they stand: known names in order, plain texts and numbers."""
        text = r'"S":"(?:[^"\\]|\\["\\bfnrt])*"'
        number = r'"N":"(?:0|-?[1-9][0-9]{0,37}|-?(?:0|[1-9][0-9]{0,37})\.[0-9]{0,37}[1-9])"'
        plain = [names for names in sorted(self._known_keys) if not re.search(r'["\\\x00-\x1f]', "".join(names))]
        patterns = (",".join(rf'"{re.escape(name)}":\{{(?:{text}|{number})\}}' for name in names) for names in plain)
        return "|".join(rf"\{{{pattern}\}}" for pattern in patterns) or r"[^\s\S]"


def let_interrupt(error: BaseException) -> None:
    """Raise KeyboardInterrupt where Ctrl-C is what ended a query: DuckDB makes another error of it."""
    if any(_INTERRUPT.search(str(each)) for each in causes(error)):
        raise KeyboardInterrupt from None


def as_it_is(path: str) -> str:
    """Write a path so that DuckDB takes it for no pattern: [ and * as one-letter classes."""
    return re.sub(r"([*?\[])", r"[\1]", path)


def layouts(objects: Sequence[Object]) -> set[Layout]:
    """Name the layouts seen in a sample of the objects."""
    return {layout_of(item)[0] for item in _sample(objects)}


def kept_image(text: str) -> str:
    """Return a staged image as a checkpoint keeps it, binary encoded once; raise where it is none."""
    canonical = canonical_json(orjson.loads(text), twice=text.startswith(" "))
    return canonical if text.startswith(" ") else text


def register_functions(con: duckdb.DuckDBPyConnection) -> None:
    """Give DuckDB our canonical forms, for the values whose text may not be canonical as it is."""
    con.create_function("canonical_image", canonical_image, ["VARCHAR"], "VARCHAR")
    con.create_function("kept_image", kept_image, ["VARCHAR"], "VARCHAR")
    con.create_function("checked_image", _checked_image, ["VARCHAR", "BOOLEAN"], "VARCHAR")
    con.create_function("canonical_keys", _canonical_keys, ["VARCHAR", "BOOLEAN"], "VARCHAR")
    con.execute("create temp macro xxhash64(bytes) as hash(bytes)")


def canonical_image(text: str) -> str:
    """Return a staged image in canonical form; a space before it says that binary is encoded twice."""
    try:
        return canonical_json(orjson.loads(text), twice=text.startswith(" "))
    except (RecordRefused, ValueError):
        return text  # noticed where it is used: it cannot be read into a frame, and the log is read line by line


def _checked_image(text: str, twice: bool) -> str | None:
    try:
        return canonical_json(orjson.loads(text), twice=twice)
    except (RecordRefused, ValueError):
        return None


def _canonical_keys(text: str, twice: bool) -> str | None:
    try:
        return canonical_keys(orjson.loads(text), twice=twice)
    except (RecordRefused, ValueError, TypeError):
        return None


def _sample(objects: Sequence[Object]) -> list[Object]:
    return list(islice(objects, 0, None, max(1, -(-len(objects) // _SAMPLE))))


def _changes(rows: Iterable[dict[str, Any] | Unreadable], unreadable: list[Unreadable]) -> Iterator[dict[str, Any]]:
    for row in rows:
        if isinstance(row, Unreadable):
            unreadable.append(row)
        else:
            yield row | {"ts": datetime.fromisoformat(row["ts"])}
