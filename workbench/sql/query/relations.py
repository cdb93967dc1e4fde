"""The four relations there are for every table of a log, and what a query needs of them.

| relation | a row is |
| --- | --- |
| ``T`` | an item there is now, or, with ``FOR TIMESTAMP AS OF timestamp '…'``, there was |
| ``"T$changes"`` | a distinct change |
| ``"T$versions"`` | a state an item was in, while it was |
| ``"T$items"`` | an item that ever was |

Each is a `.sql` question, which answers with DynamoDB JSON; the columns a query names are read out of that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from workbench.model.attribute_schema import Held
from workbench.model.times import END_OF_TIME, START_OF_TIME
from workbench.sql.filters import EVERYTHING, Filter
from workbench.sql.questions import Question, load_question
from workbench.sql.typed_attributes import NO_MASKS, AttributeColumn, Dialect, Masks, typed_columns

Over = Literal["log", "state", "history"]
KEY = "$key"
"""A column of every relation, which `*` does not have: an item's whole key, as canonical DynamoDB JSON."""
Path = tuple[str | int, ...]
"""Names of maps' members, and indexes of lists' elements from 0."""


@dataclass(frozen=True)
class Kind:
    """One of the four kinds of relation."""

    suffix: str
    """What its name has after the table's."""
    question: str
    """The `.sql` question it is."""
    metadata: Mapping[str, tuple[str, str]]
    """Its columns that are no attributes: their types, and SQL of them in terms of the question's columns."""
    images: Mapping[str, str]
    """The columns of images attributes are read from, by what is written before its name; ``""`` is nothing."""
    over: Over
    """What it is asked of, see `workbench.engines.base`."""
    exists: str = "true"
    """Which rows of the question are its rows."""

    @property
    def prefixes(self) -> Sequence[str]:
        """What may be written before an attribute's name."""
        return [prefix for prefix in self.images if prefix]


KINDS: Mapping[str, Kind] = {
    kind.suffix: kind
    for kind in (
        Kind(
            "",
            "latest_state",
            {"_changed_at": ("timestamp", "ts")},
            {"": "image", "item": "image", "keys": "keys"},
            "state",
            "image is not null and not unknown and not ended",
        ),
        Kind(
            "$changes",
            "changes",
            {
                "ts": ("timestamp", "ts"),
                "event_name": ("varchar", "event_name"),
                "by_ttl": ("boolean", "by_ttl"),
                "size_bytes": ("bigint", "size_bytes"),
                "event_id": ("varchar", "event_id"),
            },
            {"": "keys", "keys": "keys", "new": "new_image", "old": "old_image"},
            "log",
        ),
        Kind(
            "$versions",
            "versions",
            {
                "valid_from": ("timestamp", "valid_from"),
                "valid_to": ("timestamp", "valid_to"),
                "version": ("bigint", "version"),
                "life": ("bigint", "life"),
                "is_current": ("boolean", "valid_to is null"),
                "ended_by": ("varchar", "ended_by"),
            },
            {"": "image", "item": "image", "keys": "keys"},
            "history",
        ),
        Kind(
            "$items",
            "items",
            {
                "first_change": ("timestamp", "first_change"),
                "last_change": ("timestamp", "last_change"),
                "changes": ("bigint", "changes"),
                "lives": ("bigint", "lives"),
                "deleted": ("boolean", "deleted"),
                "by_ttl": ("boolean", "by_ttl"),
            },
            {"": "keys", "keys": "keys"},
            "history",
        ),
    )
}


class Catalog(Protocol):
    """What a query is bound to: the tables there are, and what they hold."""

    def tables(self) -> Sequence[str]:
        """Name the tables."""
        ...

    def keys(self, table: str) -> Sequence[str]:
        """Name the attributes of the keys a table has had."""
        ...

    def schema(self, table: str) -> Held:
        """Tell what the images of a table's log hold."""
        ...


@dataclass
class Relation:
    """A relation a query reads, and what of it."""

    table: str
    kind: Kind
    schema: Held
    keys: Sequence[str]
    """Names of the key attributes."""
    as_of: datetime | None = None
    """UTC, inclusive; None is now."""
    start: datetime = START_OF_TIME
    end: datetime = END_OF_TIME
    """The window of event time, of changes: from its start, before its end."""
    only: Filter = EVERYTHING
    """The items it is asked of."""
    plain: dict[str, str] = field(default_factory=dict)
    """The columns of metadata it is asked for, by their names in the query: SQL of them."""
    columns: dict[tuple[str, Path, str], AttributeColumn] = field(default_factory=dict)
    """The attributes it is asked for: by image, path and what is asked of it."""

    @property
    def question(self) -> Question:
        """The question it is."""
        return load_question(self.kind.question)

    @property
    def reads_images(self) -> bool:
        """Whether it is asked for an attribute that its keys do not tell."""
        return any(column.image != "keys" for column in self.columns.values())

    @property
    def values(self) -> dict[str, object]:
        """The parameters of its question."""
        given = {"as_of": self.as_of or END_OF_TIME, "start": self.start, "end": self.end}
        return {name: value for name, value in given.items() if name in self.question.parameters}

    def metadata(self, name: str) -> tuple[str, str]:
        """Ask for a column of metadata; return its name in the query, and its type."""
        kind, sql = ("varchar", "keys") if name == KEY else self.kind.metadata[name]
        column = next((column for column, text in self.plain.items() if text == sql), f"m{len(self.plain) + 1}")
        self.plain[column] = sql
        return column, kind

    def node(self, image: str, path: Path) -> Held | None:
        """Tell what images hold at a path; None where no image has it."""
        if image == "keys" and path and path[0] not in self.keys:
            return None
        return self.schema.find(path)

    def projected(self, rows: str, dialect: Dialect, masks: Masks = NO_MASKS) -> str:
        """Return the query of its columns, of rows of its question.

        Parameters
        ----------
        rows
            SQL of its question, in `dialect`.
        """
        relation = f"(select * from (\n{rows}\n) as asked where {self.kind.exists})"
        plain = self.plain or ({} if self.columns else {"m1": "1"})  # of which rows are counted alone
        return typed_columns(relation, plain, list(self.columns.values()), dialect=dialect, masks=masks)

    def attributes(self, image: str) -> Iterator[Path]:
        """Name the attributes of an image as its columns: the keys, then by name; maps by their members."""
        if image == "keys":
            yield from ((name,) for name in self.keys)
            return
        yield from ((name,) for name in self.keys)
        for name in sorted(self.schema.members):
            if name not in self.keys:
                yield from _leaves(self.schema.members[name], (name,))


def _leaves(node: Held, path: tuple[str, ...]) -> Iterator[Path]:
    if not node.members or set(node.kinds) - {"M", "NULL"}:
        yield path
    for name in sorted(node.members):
        yield from _leaves(node.members[name], (*path, name))
