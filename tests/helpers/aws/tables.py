"""Tables of moto's Glue catalog as relations: partitions registered or projected, pruned, and read from moto's S3."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from threading import Lock
from typing import Any

import pyarrow as pa
from moto.glue.models import glue_backends

from tests.helpers.aws import serde
from tests.helpers.aws.serde import SerDe, Unreadable, arrow_type
from tests.helpers.aws.storage import ACCOUNT, StoredObject, listed, load

_SERDES: dict[str, SerDe] = {
    "org.openx.data.jsonserde.JsonSerDe": "openx",
    "org.apache.hive.hcatalog.data.JsonSerDe": "hive",
    "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe": "parquet",
}
_LETTERS = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
_KEPT = 200_000  # rows in the cache


@dataclass(frozen=True)
class Read:
    """Objects of one partition: its values as they are, and where they are."""

    values: tuple[str, ...]
    objects: tuple[StoredObject, ...]


@dataclass
class Table:
    """A table of the catalog."""

    database: str
    name: str
    columns: dict[str, pa.DataType]
    keys: dict[str, pa.DataType]
    stored: SerDe
    options: dict[str, str]
    location: str
    parameters: dict[str, str]
    registered: list[tuple[tuple[str, ...], str]] = field(default_factory=list)

    @property
    def projected(self) -> bool:
        """Whether partitions are computed from the table's parameters, and those registered passed over."""
        return self.parameters.get("projection.enabled", "").lower() == "true"

    def partitions(self) -> list[Read]:
        """List the partitions with objects, as far as they are known without looking at a query."""
        if not self.keys:
            return [Read((), tuple(listed(self.location)))]
        if not self.projected:
            return [Read(values, tuple(listed(place))) for values, place in self.registered]
        return self._projection()

    def injected(self) -> list[str]:
        """Name the columns whose values a query must give."""
        return [name for name in self.keys if self.projected and self._setting(name, "type") == "injected"]

    def partition_rows(self, reads: Iterable[Read]) -> pa.Table:
        """Return the values of partitions, typed, with their place in the list."""
        rows = list(reads)
        columns = [
            pa.array([self._value(read.values[at], kind) for read in rows], kind)
            for at, kind in enumerate(self.keys.values())
        ]
        return pa.table([pa.array(range(len(rows)), pa.int64()), *columns], names=["_place", *self.keys])

    def load(self, reads: Iterable[Read], wanted: set[str] | None) -> pa.Table:
        """Read partitions into one relation, with ``$path``; `wanted` are the columns in use, None for all."""
        names = [name for name in self.columns if wanted is None or name in wanted]
        kinds = {**self.columns, **self.keys, "$path": pa.string()}
        schema = pa.schema([(name, kinds[name]) for name in (*names, *self.keys, "$path")])
        parts = []
        read_as = str((self.stored, sorted(self.options.items()), [*map(str, self.columns.items())]))
        for read in reads:
            values = [self._value(value, kind) for value, kind in zip(read.values, self.keys.values(), strict=True)]
            for item in read.objects:
                found = _read(item, self, read_as)
                for name in names:
                    if isinstance(found[name], Unreadable):
                        raise found[name]
                given = [
                    pa.repeat(pa.scalar(value, kind), found.rows)
                    for value, kind in zip(values, self.keys.values(), strict=True)
                ]
                columns = [*(found[name] for name in names), *given, pa.repeat(pa.scalar(item.path), found.rows)]
                parts.append(pa.Table.from_arrays(columns, schema=schema))
        return pa.concat_tables(parts) if parts else schema.empty_table()

    def scanned(self, reads: Iterable[Read], wanted: set[str] | None) -> int:
        """Return how many bytes reading takes."""
        objects = [item for read in reads for item in read.objects]
        if self.stored != "parquet" or wanted is None:
            return sum(item.size for item in objects)
        return sum(serde.parquet_bytes(load(item.path), wanted) for item in objects)

    def _value(self, text: str, kind: pa.DataType) -> Any:
        if text == _NO_VALUE:
            return None
        try:
            return text if kind == pa.string() else date.fromisoformat(text) if kind == pa.date32() else int(text)
        except ValueError as error:
            raise Unreadable(
                f"HIVE_INVALID_PARTITION_VALUE: Invalid partition value '{text}' for {kind} partition "
                f"key in {self.database}.{self.name}"
            ) from error

    def _setting(self, column: str, name: str, default: str = "") -> str:
        return self.parameters.get(f"projection.{column}.{name}", default)

    def _projection(self) -> list[Read]:
        """Find the objects at the places that the projection could name.

        That gives the same objects as going through all its values, since an object without a place is not read.
        """
        hive_style = self.location.rstrip("/") + "/" + "".join(f"{name}=${{{name}}}/" for name in self.keys)
        template = self.parameters.get("storage.location.template", hive_style).rstrip("/") + "/"
        place = "".join(
            f"(?P<{part[2:-1]}>{self._form(part[2:-1])})" if part.startswith("${") else re.escape(part)
            for part in re.split(r"(\$\{\w+\})", template)
        )
        fits = {name: self._fits(name) for name in self.keys}
        found: dict[tuple[str, ...], list[StoredObject]] = {}
        for item in listed(template.partition("${")[0].rpartition("/")[0]):
            at = re.match(place, item.path)
            if at and all(fits[name](at[name]) for name in self.keys):
                found.setdefault(tuple(at[name] for name in self.keys), []).append(item)
        return [Read(values, tuple(objects)) for values, objects in found.items()]

    def _form(self, column: str) -> str:
        if self._setting(column, "type") != "date":
            return "[^/]+"
        return "/".join(["[^/]+"] * (1 + self._setting(column, "format").count("/")))

    def _fits(self, column: str) -> Callable[[str], bool]:
        kind = self._setting(column, "type")
        if kind == "enum":
            values = {value.strip() for value in self._setting(column, "values").split(",")}
            return lambda text: text in values
        if kind == "injected":
            return lambda text: True
        low, _, high = (part.strip() for part in self._setting(column, "range").partition(","))
        if kind == "integer":
            digits, step = int(self._setting(column, "digits", "0")), int(self._setting(column, "interval", "1"))
            return lambda text: (
                text.isdecimal()
                and int(low) <= int(text) <= int(high)
                and (int(text) - int(low)) % step == 0
                and text == str(int(text)).rjust(digits, "0")
            )
        if kind == "date":
            form = _strptime(self._setting(column, "format"))
            first, last = _moment(low, form), _moment(high, form)

            def within(text: str) -> bool:
                try:
                    moment = datetime.strptime(text, form)
                except ValueError:
                    return False
                return moment.strftime(form) == text and first <= moment <= last

            return within
        raise Unreadable(
            f"INVALID_TABLE_PROPERTY: Table {self.database}.{self.name} is configured for partition "
            f"projection, but the following partition columns are missing projection configuration: "
            f"[{column}]"
        )


def find(database: str, name: str, region: str) -> Table | None:
    """Find a table of the catalog."""
    glue = glue_backends[ACCOUNT][region]
    if name not in getattr(glue.databases.get(database), "tables", {}):
        return None
    table = glue.get_table(database, name)
    found = table.as_dict()
    stored = found.get("StorageDescriptor", {})
    info = stored.get("SerdeInfo", {})
    if (library := info.get("SerializationLibrary", "")) not in _SERDES:
        raise Unreadable(f"HIVE_UNSUPPORTED_FORMAT: Unable to create input format: no SerDe {library!r}")
    keys = found.get("PartitionKeys") or []
    registered = [
        (tuple(part.values), part.partition_input.get("StorageDescriptor", {}).get("Location", ""))
        for part in table.partitions.values()
    ]
    return Table(
        database,
        name,
        {each["Name"].lower(): arrow_type(each["Type"]) for each in stored.get("Columns", [])},
        {each["Name"].lower(): arrow_type(each["Type"]) for each in keys},
        _SERDES[library],
        info.get("Parameters") or {},
        stored.get("Location", ""),
        found.get("Parameters") or {},
        registered,
    )


_cache: OrderedDict[tuple[StoredObject, str], serde.Columns] = OrderedDict()
_lock = Lock()
_cached_rows = 0


def _read(item: StoredObject, table: Table, read_as: str) -> serde.Columns:
    """Read an object, once for as long as neither it nor what `read_as` tells of the table changes."""
    global _cached_rows
    known = (item, read_as)
    with _lock:  # queries run side by side
        if known in _cache:
            _cache.move_to_end(known)
            return _cache[known]
    found = serde.read(load(item.path), item.path, table.stored, table.columns, table.options)
    with _lock:
        _cached_rows += found.rows - (_cache[known].rows if known in _cache else 0)
        _cache[known] = found
        while _cached_rows > _KEPT and len(_cache) > 1:
            _cached_rows -= _cache.popitem(last=False)[1].rows
    return found


def _strptime(form: str) -> str:
    for letters, code in _LETTERS.items():
        form = form.replace(letters, code)
    return form.replace("'", "")


def _moment(text: str, form: str) -> datetime:
    """Read one end of a projection's range: a date, or NOW with what is added or taken."""
    if found := re.fullmatch(r"NOW(?:\s*([+-])\s*(\d+)\s*(\w+?)S?)?", text.strip(), re.IGNORECASE):
        now = datetime.now(UTC).replace(tzinfo=None)
        if not found[1]:
            return now
        days = {"YEAR": 365, "MONTH": 30, "WEEK": 7, "DAY": 1, "HOUR": 1 / 24, "MINUTE": 1 / 1440}
        shift = timedelta(days=int(found[2]) * days[found[3].upper()])
        return now + shift if found[1] == "+" else now - shift
    return datetime.strptime(text, form)
