"""An item store with DynamoDB's put, update, delete, batch and TTL semantics and change capture, on SQLite.

Every write stores the item and its change record in one transaction: when a method returns, both are on
disk. The change records are those Kinesis Data Streams for DynamoDB writes, and wait here for delivery.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from workbench.errors import StoreError
from workbench.model.canonical import image_digest
from workbench.model.item_writes import Write
from workbench.model.items import from_dynamodb, to_dynamodb
from workbench.model.sizes import DEEPEST, LARGEST_ITEM, LONGEST_KEYS, item_size, value_size
from workbench.sandbox.database import Database
from workbench.sandbox.stream_records import change_record

_BATCH = 25
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Image(NamedTuple):
    attributes: dict[str, Any]
    size: int
    """In bytes, as DynamoDB counts it."""


class Conditional(NamedTuple):
    """What came of a conditional write: images are DynamoDB JSON, None where there is no item."""

    written: bool
    """Whether it is written, now or before."""
    before: bool
    """Whether it was written before, under the same id."""
    old: dict[str, Any] | None
    """The item it found; where it is not written, the item there is."""
    new: dict[str, Any] | None
    """The item it left."""


class ItemStore(Database):
    """Tables of items in one SQLite file; a context manager.

    Raises
    ------
    StoreError
        Where DynamoDB would refuse the write, for its reason; nothing was written then.
    """

    def __init__(self, path: str | Path, *, event_id: Callable[[], str] = lambda: str(uuid.uuid4())) -> None:
        self.event_id = event_id
        self._tables: dict[str, tuple[dict[str, str], str | None]] = {}
        super().__init__(path)

    def create_table(self, table: str, key: Mapping[str, str], *, ttl: str | None = None) -> None:
        """Create a table, `key` giving its one or two key attributes and their types S, N or B.

        `ttl` names the attribute that holds an item's time to live, in seconds since 1970.
        """
        if not re.fullmatch(r"[a-zA-Z0-9_.-]{3,255}", table):
            raise StoreError(f"{table!r} is no table name: 3 to 255 of a-z, A-Z, 0-9, '_', '-' and '.'")
        if not 1 <= len(key) <= 2 or set(key.values()) - {"S", "N", "B"}:
            raise StoreError(f"table {table!r}: a key is one or two attributes of type S, N or B, not {dict(key)}")
        if table in self.tables():
            raise StoreError(f"table {table!r} exists already")
        with self.transaction():
            self.connection.execute("insert into tables values (?, ?, ?, null)", (table, json.dumps(dict(key)), ttl))
            self.connection.execute("insert or replace into identities values (?, ?)", (table, str(uuid.uuid4())))

    def drop_table(self, table: str) -> None:
        """Remove a table with its items and what was not delivered yet."""
        with self.transaction():
            for relation in ("items", "changes", "arrivals", "tables", "identities"):
                self.connection.execute(f"delete from {relation} where name = ?", (table,))
        self._tables.pop(table, None)

    def tables(self) -> list[str]:
        """Return the names of the tables, in their order."""
        return [name for (name,) in self.connection.execute("select name from tables order by name")]

    def key_names(self, table: str) -> list[str]:
        """Return the names of a table's key attributes, the partition key first."""
        return list(self._key_and_ttl(table)[0])

    def key_types(self, table: str) -> dict[str, str]:
        """Return the key attributes of a table and their types (S, N, B), the partition key first."""
        return dict(self._key_and_ttl(table)[0])

    def identity(self, table: str) -> str | None:
        """Return what tells a table from one of its name that was made before; None of one made before there was that.

        It is what DynamoDB's TableId is.
        """
        row = self.connection.execute("select id from identities where name = ?", (table,)).fetchone()
        return row[0] if row else None

    def image(self, table: str, key: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the image of an item by its key, both DynamoDB JSON; None where there is none."""
        image, _ = self._stored_image(table, self._only_key(table, from_dynamodb(key)))
        return orjson.loads(image) if image else None

    def time_to_live(self, table: str) -> str | None:
        """Return the name of the attribute that tells when items expire; None where they do not."""
        return self._key_and_ttl(table)[1]

    def note(self, table: str, text: str | None = None) -> str | None:
        """Read the note kept with a table, or replace it."""
        if text is not None:
            self.connection.execute("update tables set note = ? where name = ?", (text, table))
        row = self.connection.execute("select note from tables where name = ?", (table,)).fetchone()
        return row[0] if row else None

    def get_item(self, table: str, key: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return an item, or None."""
        image, _ = self._stored_image(table, self._only_key(table, key))
        return from_dynamodb(orjson.loads(image)) if image else None

    def scan(self, table: str) -> Iterator[dict[str, Any]]:
        """Yield every item."""
        self._key_and_ttl(table)
        for (image,) in self.connection.execute("select image from items where name = ?", (table,)):
            yield from_dynamodb(orjson.loads(image))

    def images(self, table: str) -> Iterator[tuple[str, str]]:
        """Yield the key and the image of every item, as DynamoDB JSON texts."""
        self._key_and_ttl(table)
        for key, image in self.connection.execute("select key, image from items where name = ?", (table,)):
            yield key.decode(), image.decode()

    def put_item(self, table: str, item: Mapping[str, Any], *, now: datetime | None = None) -> None:
        """Write an item, in place of one with its key."""
        image = self._checked_image(table, item)
        with self.transaction():
            self._write(table, self._key_text(table, image.attributes), image, now)

    def update_item(
        self,
        table: str,
        key: Mapping[str, Any],
        *,
        put: Mapping[str, Any] | None = None,
        add: Mapping[str, Any] | None = None,
        delete: Mapping[str, Any] | Sequence[str] = (),
        now: datetime | None = None,
    ) -> None:
        """Change attributes of an item, which is made where there is none, as AttributeUpdates does.

        Parameters
        ----------
        put
            Attributes to set.
        add
            Numbers to add to numbers, or sets whose members to add.
        delete
            Names of attributes to remove, or a mapping: None removes it, a set those members of it.
        """
        text = self._only_key(table, key)
        put, add, removed = put or {}, add or {}, delete if isinstance(delete, Mapping) else dict.fromkeys(delete)
        members = {name: value for name, value in removed.items() if value is not None}
        touched = [*put, *add, *removed]
        if wrong := sorted(set(touched) & set(key)) or sorted({name for name in touched if touched.count(name) > 1}):
            raise StoreError(f"table {table!r}: {wrong[0]!r} is part of the key, or named twice, in one update")
        operands = self._checked_image(table, {**put, **add, **members}).attributes
        with self.transaction():
            old, _ = self._stored_image(table, text)
            if not (old or put or add) and removed:
                return  # nothing is deleted from no item
            image = orjson.loads(old or text)
            for name in (*add, *members):
                kinds = {*operands[name], *image.get(name, ())}
                if len(kinds) > 1 or not kinds <= {"SS", "NS", "BS", "N" if name in add else "SS"}:
                    raise StoreError(
                        f"table {table!r}: {name!r}: ADD takes a number or a set, DELETE a set, "
                        f"of the attribute's own type, not {' and '.join(sorted(kinds))}"
                    )
            item = {**from_dynamodb(image), **put}
            for name, value in add.items():
                item[name] = _sum_of(item[name], value) if name in item else value
            for name in removed:
                item[name] = item.get(name, frozenset()) - members[name] if name in members else None
                if not item[name]:
                    del item[name]
            self._write(table, text, self._checked_image(table, item), now)

    def delete_item(self, table: str, key: Mapping[str, Any], *, now: datetime | None = None) -> None:
        """Remove an item; where there is none, nothing happens."""
        text = self._only_key(table, key)
        with self.transaction():
            self._write(table, text, None, now)

    def write_conditionally(
        self, write: Write, *, source: str, id: str, whole: str | None = None, now: datetime | None = None
    ) -> Conditional:
        """Make a conditional write, and note that it is made, in one transaction: once, however often it is asked for.

        Parameters
        ----------
        source, id
            Name the write: what asks for it, and which of its writes. `forget_writes` removes what is noted.
        whole
            Of a Delete: the digest (`workbench.model.canonical.image_digest`) of the whole item that is removed.

        Returns
        -------
        Conditional
            Of a write whose condition does not hold the item there is; nothing is written then.
        """
        table, text = write.table, self._only_key(write.table, from_dynamodb(write.key))
        with self.transaction():
            row = self.connection.execute(
                "select old, new from conditional_writes where source = ? and id = ?", (source, id)
            ).fetchone()
            if row:
                return Conditional(True, True, *(orjson.loads(image) if image else None for image in row))
            stored, _ = self._stored_image(table, text)
            old = orjson.loads(stored) if stored else None
            if not write.holds(old) or (whole is not None and image_digest(old) != whole):
                return Conditional(False, False, old, None)
            done = write.done(old)
            image = None if done is None else self._checked_image(table, from_dynamodb(done))
            if image and self._key_text(table, image.attributes) != text:
                raise StoreError(f"table {table!r}: a write cannot change an item's key")
            self._write(table, text, image, now)
            new = None if image is None else orjson.dumps(image.attributes, option=orjson.OPT_SORT_KEYS)
            self.connection.execute("insert into conditional_writes values (?, ?, ?, ?)", (source, id, stored, new))
        return Conditional(True, False, old, image.attributes if image else None)

    def forget_writes(self, source: str) -> None:
        """Forget which conditional writes were made for this source."""
        with self.transaction():
            self.connection.execute("delete from conditional_writes where source = ?", (source,))

    def batch_write(
        self,
        table: str,
        *,
        puts: Iterable[Mapping[str, Any]] = (),
        deletes: Iterable[Mapping[str, Any]] = (),
        now: datetime | None = None,
    ) -> None:
        """Write and remove up to 25 items, each key at most once."""
        images = [self._checked_image(table, item) for item in puts]
        writes: list[tuple[bytes, _Image | None]] = [
            (self._key_text(table, image.attributes), image) for image in images
        ]
        writes += [(self._only_key(table, key), None) for key in deletes]
        if not 1 <= len(writes) <= _BATCH:
            raise StoreError(f"table {table!r}: a batch holds 1 to {_BATCH} writes, not {len(writes)}")
        if len({key for key, _ in writes}) < len(writes):
            raise StoreError(f"table {table!r}: a batch names a key twice")
        with self.transaction():
            for key, image in writes:
                self._write(table, key, image, now)

    def expire(self, table: str, now: datetime | None = None) -> int:
        """Remove the items whose time to live is over, as the TTL process does, and count them.

        Items that expired more than five years ago are left alone
        (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/howitworks-ttl.html).
        """
        moment = now or datetime.now(UTC)
        second = int(moment.timestamp())
        oldest = int((moment - timedelta(days=5 * 365)).timestamp())
        with self.transaction():
            due = self.connection.execute(
                "select key from items where name = ? and expires between ? and ? order by expires, key",
                (table, oldest, second),
            ).fetchall()
            for (key,) in due:
                self._write(table, key, None, moment, by_ttl=True)
        return len(due)

    def pending(self, table: str) -> Iterator[tuple[int, int]]:
        """Yield the sequence number and time (microseconds since 1970) of each change not delivered yet."""
        yield from self.connection.execute("select seq, micros from changes where name = ? order by seq", (table,))

    def records(self, numbers: Sequence[int]) -> list[bytes]:
        """Return change records by sequence number, in the order asked."""
        fetch = "select record from changes where seq = ?"
        return [self.connection.execute(fetch, (number,)).fetchone()[0] for number in numbers]

    def record_size(self, number: int) -> int:
        """Return the bytes of a change record, without reading it."""
        return int(self.connection.execute("select length(record) from changes where seq = ?", (number,)).fetchone()[0])

    def arrive(self, table: str, numbers: Sequence[int], micros: int) -> list[tuple[int, int]]:
        """Note that these changes, in sequence, arrive now, and pair each with its arrival: some arrived before."""
        with self.transaction():
            self.connection.execute("insert into arrivals values (?, ?, ?)", (table, numbers[-1], micros))
        noted = "select seq, micros from arrivals where name = ? order by rowid desc"
        arrived = dict.fromkeys(numbers, micros)
        for last, moment in self.connection.execute(
            noted, (table,)
        ):  # the first that includes a change is when it arrived
            arrived |= {number: moment for number in numbers if number <= last}
        return [(moment, number) for number, moment in arrived.items()]

    def delivered(self, table: str, last: int) -> None:
        """Forget the changes up to a sequence number: they are in the lake."""
        with self.transaction():
            for relation in ("changes", "arrivals"):
                self.connection.execute(f"delete from {relation} where name = ? and seq <= ?", (table, last))

    def _key_and_ttl(self, table: str) -> tuple[dict[str, str], str | None]:
        if table not in self._tables:
            row = self.connection.execute("select key, ttl from tables where name = ?", (table,)).fetchone()
            if not row:
                raise StoreError(
                    f"there is no table {table!r} in the item store, but: {', '.join(self.tables()) or 'none'}"
                )
            self._tables[table] = json.loads(row[0]), row[1]
        return self._tables[table]

    def _checked_image(self, table: str, item: Mapping[str, Any]) -> _Image:
        try:
            image = to_dynamodb(item)
            size, depth = item_size(image)
        except (ValueError, RecursionError) as error:  # ValueError: also a text that is not valid Unicode
            raise StoreError(f"table {table!r}: {error}") from error
        if size > LARGEST_ITEM or depth > DEEPEST:
            raise StoreError(
                f"table {table!r}: the item has {size:,} bytes and {depth} levels; at most "
                f"{LARGEST_ITEM:,} and {DEEPEST} are allowed"
            )
        return _Image(image, size)

    def _key_text(self, table: str, image: Mapping[str, Any]) -> bytes:
        key, _ = self._key_and_ttl(table)
        for (name, kind), longest in zip(key.items(), LONGEST_KEYS, strict=False):
            value = image.get(name, {})
            if kind not in value or not 1 <= value_size(kind, value[kind])[0] <= longest:
                raise StoreError(
                    f"table {table!r}: the key attribute {name!r} must be there, of type {kind} and "
                    f"of 1 to {longest:,} bytes"
                )
        return orjson.dumps({name: image[name] for name in key}, option=orjson.OPT_SORT_KEYS)

    def _only_key(self, table: str, key: Mapping[str, Any]) -> bytes:
        text = self._key_text(table, self._checked_image(table, key).attributes)
        if len(key) > len(self.key_names(table)):
            raise StoreError(f"table {table!r}: its key is {', '.join(self.key_names(table))}, not {', '.join(key)}")
        return text

    def _stored_image(self, table: str, key: bytes) -> tuple[bytes | None, int]:
        row = self.connection.execute(
            "select image, size from items where name = ? and key = ?", (table, key)
        ).fetchone()
        return row or (None, 0)

    def _write(self, table: str, key: bytes, image: _Image | None, now: datetime | None, by_ttl: bool = False) -> None:
        micros = ((now or datetime.now(UTC)) - _EPOCH) // timedelta(microseconds=1)
        old, size = self._stored_image(table, key)
        new = None if image is None else orjson.dumps(image.attributes, option=orjson.OPT_SORT_KEYS)
        if old == new:
            return  # DynamoDB captures no change where there is none
        size += item_size(orjson.loads(key))[0]
        if image is None:
            self.connection.execute("delete from items where name = ? and key = ?", (table, key))
        else:
            size += image.size
            expires = float(image.attributes.get(self._key_and_ttl(table)[1] or "", {}).get("N", "nan"))
            self.connection.execute(
                "insert or replace into items values (?, ?, ?, ?, ?)",
                (table, key, new, image.size, int(expires) if abs(expires) < 2**62 else None),
            )
        record = change_record(self.event_id(), table, micros, key, new, old, size, by_ttl)
        self.connection.execute("insert into changes (name, micros, record) values (?, ?, ?)", (table, micros, record))


def _sum_of(old: Any, value: Any) -> Any:
    if isinstance(old, frozenset):
        return old | value
    with localcontext(prec=300):  # any sum of two numbers, exactly: one of more than 38 digits is refused, not rounded
        return Decimal(str(old)) + Decimal(str(value))
