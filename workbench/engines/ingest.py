"""Reads objects of a change log into one relation of DuckDB: a row a delivered change, sorted by keys and time.

DuckDB reads what is clean at full speed. A line it cannot read comes back as a row without keys; the objects that hold
one are read again by `workbench.log.reader`, which keeps their good changes and says what is wrong with the others.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any

import duckdb
import orjson
import pyarrow as pa

from workbench.errors import RecordRefused, causes
from workbench.log.objects import SCHEMA, Object, Unreadable
from workbench.log.reader import Layout, envelope_columns, layout_of, read_changes
from workbench.model.canonical import PYTHON_TYPES, canonical_number
from workbench.model.masked_values import hashed
from workbench.model.records import COLUMN_TYPES, COLUMNS, ORIGIN, canonical_json, canonical_keys
from workbench.sql.literals import identifier
from workbench.sql.templates import fill, load

Reader = tuple[str, str]
"""An object's format, and how DuckDB reads it; '' where the slow reader has to."""
Write = Callable[[str], str]
"""Makes a relation of a query, and returns its name; see `Ingest.read`."""

_IMAGES = ("new_image", "old_image")
_OPTIONAL = (*_IMAGES, "size_bytes", "by_ttl", *ORIGIN)
COLUMNS_READ = ", ".join([*SCHEMA.names, "object"])
"""The columns of a relation of changes that were read."""
_LINES = identifier("lines of objects")
_BATCH = 20_000  # rows read line by line before they are handed to DuckDB
_INTERRUPT = re.compile("^Query interrupted$|executing the UDF: KeyboardInterrupt:? *$")
_LONGEST = 4 << 20  # bytes of a line DuckDB reads: longer ones are left to the slow reader, and its own limit
_SAMPLE = 8  # objects looked into, spread over the log, before the rest is taken to be of their layouts
_CANONICAL_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,37}|-?(?:0|[1-9][0-9]{0,29})\.[0-9]{0,7}[1-9]")
_DAMAGED = (duckdb.IOException, duckdb.InvalidInputException, duckdb.ConversionException)


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


@dataclass
class Batch:
    """Objects that were read together."""

    relation: str
    """What their changes are in: the columns of `workbench.log.objects.SCHEMA`, and `object`, the number of the object.
    """
    objects: list[Object]
    """Those that were read; the others vanished meanwhile, or may not be read."""
    unreadable: list[Unreadable] = field(default_factory=list)
    """Every line of them that is no change record."""
    wrapped: dict[str, Counter[str]] = field(default_factory=dict)
    """How many of their changes were wrapped, by the object's path and what they were wrapped in."""
    failed: list[Object] = field(default_factory=list)
    """Those of them that cannot be read, or not to their end, which may pass."""
    vanished: list[Object] = field(default_factory=list)
    """Objects that were renamed or removed while they were read."""


class Ingest:
    """Reads objects of one log."""

    def __init__(self, con: duckdb.DuckDBPyConnection, keys: Sequence[str]) -> None:
        self._con, self._keys = con, tuple(keys)
        self._known_keys: set[tuple[str, ...]] = set()

    def readers(self, objects: Sequence[Object], *, line_by_line: bool = False) -> dict[Object, Reader]:
        """Tell how each object is to be read, by a sample of them where all of that are of the usual layouts."""
        looked = {item: layout_of(item) for item in _sample(objects)}
        usual, quick = {"envelope", "raw"}, {"json", "gzip"}
        unusual = any(layout not in usual or joined for layout, joined, _ in looked.values())
        readers: dict[Object, Reader] = {}
        for item in objects:
            if item not in looked and unusual and item.format != "parquet":
                looked[item] = layout_of(item)
            layout, joined, names = looked.get(item, ("raw", False, ()))
            self._known_keys |= {tuple(sorted(names))} - {()}
            reader = "unstructured" if joined else "newline_delimited"
            if item.format == "parquet":
                reader = ",".join(envelope_columns(item))
            fast = item.format == "parquet" or (layout in usual and item.format in quick)
            readers[item] = (item.format, reader if fast and not line_by_line else "")
        return readers

    def read(self, readers: Mapping[Object, Reader], numbers: Mapping[Object, int], write: Write) -> Batch:
        """Read objects into one relation.

        Parameters
        ----------
        readers
            The objects, and how each is read.
        numbers
            What the column `object` has for each.
        write
            Makes a relation of a query; what it made before may then go.
        """
        batch = Batch("", list(readers))
        fast = {item: reader for item, reader in readers.items() if reader[1]}
        slow = [item for item in readers if item not in fast]
        try:
            batch.relation = write(self._query(fast, numbers)) if fast else ""
        except _DAMAGED as error:  # one damaged object stops the whole statement
            let_interrupt(error)
            slow += [item for item in fast if not self._can_be_read(item, fast[item], numbers)]
            fast = {item: reader for item, reader in fast.items() if item not in slow}
            batch.relation = write(self._query(fast, numbers)) if fast else ""
        if batch.relation:
            again = f"select distinct object from {batch.relation} where keys is null"
            unclean = {number for (number,) in self._con.execute(again).fetchall()}
            slow += [item for item in fast if numbers[item] in unclean]
        if slow:
            self._read_lines(slow, numbers, batch)
            others = f"select {COLUMNS_READ} from {_LINES}"
            if batch.relation:
                left_out = ", ".join(str(numbers[item]) for item in slow)
                others += f" union all select {COLUMNS_READ} from {batch.relation} where object not in ({left_out})"
            batch.relation = write(others)
            self._con.execute(f"drop table {_LINES}")
        return batch

    def _can_be_read(self, item: Object, reader: Reader, numbers: Mapping[Object, int]) -> bool:
        try:
            self._con.execute(f"select max(keys) from ({self._query({item: reader}, numbers)})").fetchall()
        except _DAMAGED as error:
            let_interrupt(error)
            return False
        return True

    def _query(self, readers: Mapping[Object, Reader], numbers: Mapping[Object, int]) -> str:
        """Write the query that reads objects at full speed."""
        items_by_reader: dict[Reader, list[Object]] = {}
        for item, reader in readers.items():
            items_by_reader.setdefault(reader, []).append(item)
        patterns = {"key_pattern": self._key_pattern(), "image_pattern": _IMAGE_PATTERN}
        queries = []
        for (kind, how), items in items_by_reader.items():
            values: dict[str, object] = {
                "paths": [as_it_is(item.path) for item in items],
                "numbers": [numbers[item] for item in items],
                "time_pattern": _UTC,
            }
            if kind == "parquet":
                there = how.split(",")
                values["certain"] = set(there) <= {*COLUMNS}
                given = {name: name if name in there else f"null::{COLUMN_TYPES[name]}" for name in _OPTIONAL}
                records = fill(load("parts/read_parquet"), values, given)
            else:
                values |= {
                    "compression": "gzip" if kind == "gzip" else "none",
                    "format": how,
                    "longest": _LONGEST,
                    "ignore_errors": how == "newline_delimited",
                }
                records = fill(load("parts/read_json"), values)
            queries.append(
                f"select {COLUMNS_READ} from ({fill(load('parts/checked'), patterns, {'records': records})})"
            )
        return " union all ".join(queries)

    def _read_lines(self, items: Sequence[Object], numbers: Mapping[Object, int], batch: Batch) -> None:
        """Read objects line by line into a table."""
        kinds = ", ".join(f"{name} {COLUMN_TYPES[name]}" for name in SCHEMA.names)
        self._con.execute(f"create or replace temp table {_LINES} ({kinds}, object BIGINT)")
        for item in items:
            wrapped: Counter[str] = Counter()
            unreadable: list[Unreadable] = []
            try:
                changes = _changes(read_changes(item, self._keys, wrapped), unreadable)
                while some := list(islice(changes, _BATCH)):
                    rows = pa.Table.from_pylist(some, schema=SCHEMA)  # noqa: F841
                    self._con.execute(f"insert into {_LINES} select *, {numbers[item]} from rows")
            except FileNotFoundError:
                batch.vanished.append(item)
                batch.objects.remove(item)
                self._con.execute(f"delete from {_LINES} where object = {numbers[item]}")
                continue
            except OSError as error:
                unreadable.append(Unreadable(item.path, 0, f"cannot be read: {error.strerror or error}"))
                batch.failed.append(item)
            batch.unreadable += unreadable
            if wrapped:
                batch.wrapped[item.path] = wrapped

    def _key_pattern(self) -> str:
        """Match keys that are canonical as they stand: known names in order, plain texts and numbers."""
        text = r'"S":"(?:[^"\\]|\\["\\bfnrt])*"'
        number = r'"N":"(?:0|-?[1-9][0-9]{0,37}|-?(?:0|[1-9][0-9]{0,37})\.[0-9]{0,37}[1-9])"'
        plain = [names for names in sorted(self._known_keys) if not re.search(r'["\\\x00-\x1f]', "".join(names))]
        patterns = (",".join(rf'"{re.escape(name)}":\{{(?:{text}|{number})\}}' for name in names) for names in plain)
        return "|".join(rf"\{{{pattern}\}}" for pattern in patterns) or r"[^\s\S]"


def batches(objects: Sequence[Object], most: int) -> Iterator[list[Object]]:
    """Yield objects in turn, so many at a time that they have about `most` bytes together.

    >>> from workbench.log.objects import Object
    >>> [len(each) for each in batches([Object(str(n), 4, 0, "gzip", None) for n in range(5)], 8)]
    [2, 2, 1]
    """
    batch: list[Object] = []
    held = 0
    for item in objects:
        batch.append(item)
        held += item.size
        if held >= most:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def layouts(objects: Sequence[Object]) -> set[Layout]:
    """Name the layouts seen in a sample of the objects."""
    return {layout_of(item)[0] for item in _sample(objects)}


def let_interrupt(error: BaseException) -> None:
    """Raise KeyboardInterrupt where Ctrl-C is what ended a query: DuckDB makes another error of it."""
    if any(_INTERRUPT.search(str(each)) for each in causes(error)):
        raise KeyboardInterrupt from None


def as_it_is(path: str) -> str:
    """Write a path so that DuckDB takes it for no pattern: [ and * as one-letter classes."""
    return re.sub(r"([*?\[])", r"[\1]", path)


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
    con.create_function("canonical_members", _canonical_members, ["VARCHAR", "BOOLEAN"], "VARCHAR")
    con.create_function("canonical_elements", _canonical_elements, ["VARCHAR", "BOOLEAN"], "VARCHAR[]")
    con.create_function("canonical_value", _canonical_value, ["VARCHAR", "BOOLEAN"], "VARCHAR")
    con.create_function("masked_value", _masked_value, ["VARCHAR", "BOOLEAN", "VARCHAR"], "VARCHAR")
    con.execute("create temp macro xxhash64(bytes) as hash(bytes)")


def canonical_image(text: str) -> str:
    """Return a staged image in canonical form; a space before it says that binary is encoded twice.

    >>> canonical_image('{"b": {"NS": ["10", "9.0"]}, "a": {"S": ""}}')
    '{"a":{"S":""},"b":{"NS":["9","10"]}}'
    """
    try:
        image = orjson.loads(text)
        if not text.startswith(" ") and type(image) is dict and _settled(image):
            return orjson.dumps(image, option=orjson.OPT_SORT_KEYS).decode()
        return canonical_json(image, twice=text.startswith(" "))
    except (RecordRefused, ValueError):
        return text  # noticed where it is used: it cannot be read into a frame, and the log is read line by line


def _settled(attributes: dict[str, Any]) -> bool:
    """Make the values of attributes canonical where they are; return whether they all are of kinds it knows.

    It is `workbench.model.canonical.canonical_json` for what most images hold, in a third of the time. What it leaves
    half settled has the same canonical form.
    """
    return all(map(_is_settled, attributes.values()))


def _is_settled(value: Any) -> bool:
    if type(value) is not dict or len(value) != 1:
        return False
    ((kind, inner),) = value.items()
    if type(inner) is not PYTHON_TYPES.get(kind):
        return False
    if kind == "N":
        if not _CANONICAL_NUMBER.fullmatch(inner):
            value[kind] = canonical_number(inner)
    elif kind == "M":
        return _settled(inner)
    elif kind == "L":
        return all(map(_is_settled, inner))
    elif kind in ("SS", "NS"):
        if not all(type(element) is str for element in inner):
            return False
        value[kind] = sorted({*inner}) if kind == "SS" else sorted({*map(canonical_number, inner)}, key=Decimal)
    return kind not in ("B", "BS")


def _canonical_members(text: str, twice: bool) -> str:
    return canonical_json(orjson.loads(text), twice=twice)


def _canonical_elements(text: str, twice: bool) -> list[str]:
    return [_canonical_value(element, twice) for element in orjson.loads(text)]


def _canonical_value(value: str | Mapping[str, Any], twice: bool) -> str:
    read = orjson.loads(value) if isinstance(value, str) else value
    return canonical_json({"": read}, twice=twice)[4:-1]  # without the name and its braces


def _masked_value(text: str, twice: bool, salt: str) -> str:
    return hashed(_canonical_value(text, twice).encode(), salt)


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
