"""Typed columns of DynamoDB JSON images: attributes by their paths, of the types that a log's schema gives them.

What comes out is the same in either dialect. In Athena's, images are canonical, with binary encoded once. In DuckDB's
they are as the embedded engine keeps them: written in any way, and with a space before those whose binary is encoded
twice; its connection has the functions of `workbench.engines.ingest.register_functions`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from workbench.errors import ParameterError
from workbench.model.attribute_paths import column_name
from workbench.model.attribute_schema import Held, number_type, plain_elements, sql_type
from workbench.model.conditions import Name
from workbench.model.masked_values import REDACTED, How
from workbench.sql.conditions import json_path
from workbench.sql.dialects import to_duckdb
from workbench.sql.layouts import canonical
from workbench.sql.literals import identifier, literal
from workbench.sql.templates import part

Dialect = Literal["athena", "duckdb"]
Path = tuple[str | int, ...]
_KINDS = ("S", "N", "BOOL", "B", "SS", "NS", "BS", "L", "M")


@dataclass(frozen=True)
class AttributeColumn:
    """A column that tells of an attribute."""

    name: str
    """What it is called."""
    image: str
    """The column of the relation that the attribute is in: ``image``, ``new_image``, ``old_image`` or ``keys``."""
    path: Path
    """The attribute's; a number is the index of a list's element, from 0 on."""
    held: Held
    """What the log holds at the path; of an element, what all elements of the list are."""
    masked: bool = False
    """Whether it comes as a mask shows it."""
    what: Literal["value", "exists", "type"] = "value"
    """Its value; or whether it is there, NULL included; or its DynamoDB type, such as ``S``."""


@dataclass(frozen=True)
class Masks:
    """What is hidden, and how; see `workbench.questions.masking.mask`.

    A text that is made with a salt holds it: what is shown of it is made without.
    """

    paths: tuple[tuple[str, ...], ...] = ()
    """Of attributes, without the indexes of lists."""
    how: How = "redact"
    salt: str = ""


NO_MASKS = Masks()


def column_type(column: AttributeColumn, masks: Masks = NO_MASKS) -> str:
    """Return the type of a column in Athena's dialect.

    >>> column_type(AttributeColumn("c1", "image", ("age",), Held({"N": 2})))
    'bigint'
    """
    if column.what != "value":
        return "boolean" if column.what == "exists" else "varchar"
    return "varchar" if is_masked(column, masks) else sql_type(column.held)


def is_masked(column: AttributeColumn, masks: Masks) -> bool:
    """Return whether a column shows an attribute that is masked, or one below it."""
    names = tuple(step for step in column.path if isinstance(step, str))
    return column.masked or any(names[: len(path)] == path for path in masks.paths)


def typed_columns(
    relation: str,
    plain: Mapping[str, str],
    columns: Sequence[AttributeColumn],
    *,
    dialect: Dialect,
    masks: Masks = NO_MASKS,
) -> str:
    r"""Write the query of a relation's own columns and of attributes in its images.

    Parameters
    ----------
    relation
        SQL in `dialect`: a query in parentheses, or a name.
    plain
        By name, SQL in `dialect` of what is said of the relation's own columns.
    columns
        The attributes; their types are those of `column_type`.
    masks
        What is hidden. A masked attribute is varchar; where it is absent, it stays so.

    Raises
    ------
    ParameterError
        Where a map or list that is taken whole holds an attribute that is masked, or a name holds a NUL character.

    >>> import duckdb
    >>> images = "(select '{\"age\":{\"N\":\"41\"}}' as image)"
    >>> age = AttributeColumn("c1", "image", ("age",), Held({"N": 1}))
    >>> duckdb.sql(typed_columns(images, {}, [age], dialect="duckdb")).fetchall()
    [(41,)]
    """
    writer = _DuckDB(masks) if dialect == "duckdb" else _Athena(masks)
    cells = [f"{sql} as {identifier(name)}" for name, sql in plain.items()]
    for column in columns:
        refuse_masked_within(column, masks)
        cells.append(f"{writer.column(column)} as {identifier(column.name)}")
    listed = ",\n    ".join(cells)
    return f"select\n    {listed}\nfrom {writer.source(relation)}"


def refuse_masked_within(column: AttributeColumn, masks: Masks) -> None:
    """Refuse a map or list that is taken whole, and holds an attribute that is masked.

    Raises
    ------
    ParameterError
        Which names both.
    """
    if column.what != "value" or is_masked(column, masks):
        return
    names = tuple(step for step in column.path if isinstance(step, str))
    for path in masks.paths:
        if path[: len(names)] == names and _holds(column.held, path[len(names) :]):
            raise ParameterError(
                f"{column_name(column.path)} holds {column_name(path)}, which is masked: ask for its other attributes, "
                "not for all of it"
            )


def _holds(held: Held, path: Sequence[str]) -> bool:
    """Return whether there is an attribute at a path that tells no indexes."""
    if not path:
        return True
    below = held.members.get(path[0])
    return bool((below and _holds(below, path[1:])) or (held.elements and _holds(held.elements, path)))


def unmatched(masks: Masks, logs: Sequence[Held]) -> list[str]:
    """Return the attributes that are masked, and in none of some logs.

    >>> unmatched(Masks((("email",), ("person", "emial"))), [Held(members={"email": Held({"S": 1})})])
    ['person.emial']
    """
    known = [log for log in logs if log.members]
    return [column_name(path) for path in masks.paths if known and not any(_holds(log, path) for log in known)]


class _Writer(ABC):
    """Writes columns in one dialect."""

    def __init__(self, masks: Masks) -> None:
        self._masks = masks

    def column(self, column: AttributeColumn) -> str:
        """Write a column."""
        there = f"{self.whole(column)} is not null"
        masked = is_masked(column, self._masks)
        kinds = [kind for kind in _KINDS if kind in column.held.kinds]
        if column.what == "exists":
            return f"({there})"
        if column.what == "type" and masked:  # it is seen as a text
            return f"case when {there} then 'S' end"
        if column.what == "type":
            cases = [f"when {self.text(column, kind)} is not null then {literal(kind)}" for kind in (*kinds, "NULL")]
            return f"case {' '.join(cases)} end"
        if masked:
            return (
                self.hashed(column) if self._masks.how == "hash" else f"case when {there} then {literal(REDACTED)} end"
            )
        if len(kinds) > 1:
            return f"coalesce({', '.join(self._shown(column, kind) for kind in kinds)})"
        return self._value(column, kinds[0]) if kinds else "cast(null as varchar)"

    def _value(self, column: AttributeColumn, kind: str) -> str:
        """Write the value of an attribute of one type, but for NULL."""
        text, held = self.text(column, kind), column.held
        match kind:
            case "S":
                return text
            case "N":
                return self.number(text, number_type(held))
            case "BOOL":
                return f"cast({text} as boolean)"
            case "B":
                return self.binary(column, text)
            case "M":
                return self.members(column)
            case "L" if plain_elements(held):
                elements = held.elements or Held()
                return self.elements(column, next(iter(elements.types), "S"), sql_type(elements))
            case "L":
                return self.typed_elements(column)
            case _:
                return self.set(column, kind, number_type(held))

    def _shown(self, column: AttributeColumn, kind: str) -> str:
        """Write a value as text, of an attribute that has several types."""
        text = self.text(column, kind)
        if kind == "N":
            return self.translated(part("number", text=text))
        return text if kind in ("S", "BOOL") else f"case when {text} is not null then {self.typed(column)} end"

    def source(self, relation: str) -> str:
        """Write what the columns are selected from."""
        return f"{relation} as log"

    @abstractmethod
    def whole(self, column: AttributeColumn) -> str:
        """Write the DynamoDB JSON of an attribute, null where it is absent."""

    @abstractmethod
    def text(self, column: AttributeColumn, kind: str) -> str:
        """Write the text of a value of one type, null where it is absent or of another."""

    @abstractmethod
    def number(self, text: str, kind: str) -> str:
        """Write a number, given as text, in a type that holds it."""

    @abstractmethod
    def binary(self, column: AttributeColumn, text: str) -> str:
        """Write binary, given as base64."""

    @abstractmethod
    def set(self, column: AttributeColumn, kind: str, number: str) -> str:
        """Write a set as a sorted array."""

    @abstractmethod
    def elements(self, column: AttributeColumn, kind: str, sql: str) -> str:
        """Write a list whose elements have one DynamoDB type, and the SQL type of these."""

    @abstractmethod
    def typed_elements(self, column: AttributeColumn) -> str:
        """Write a list as an array of the canonical JSON of each element."""

    @abstractmethod
    def members(self, column: AttributeColumn) -> str:
        """Write a map as the canonical JSON of its members."""

    @abstractmethod
    def typed(self, column: AttributeColumn) -> str:
        """Write a value that is there as its canonical JSON, with its type."""

    @abstractmethod
    def hashed(self, column: AttributeColumn) -> str:
        """Write the hash of a value."""

    @abstractmethod
    def translated(self, sql: str) -> str:
        """Write an expression of Athena's dialect."""


class _DuckDB(_Writer):
    """All of an image is found in one pass, by JSON pointers."""

    def __init__(self, masks: Masks) -> None:
        super().__init__(masks)
        self._pointers: dict[str, dict[str, int]] = {}

    def source(self, relation: str) -> str:
        found = [
            f"json_extract_string({identifier(image)}, [{', '.join(map(literal, pointers))}]) as {_found(image)}"
            for image, pointers in self._pointers.items()
        ]
        return f"(select {', '.join(['*', *found])} from {relation} as log) as log"

    def whole(self, column: AttributeColumn) -> str:
        return self._at(column, _pointer(column.path))

    def text(self, column: AttributeColumn, kind: str) -> str:
        return self._at(column, f"{_pointer(column.path)}/{kind}")

    def _at(self, column: AttributeColumn, pointer: str) -> str:
        pointers = self._pointers.setdefault(column.image, {})
        return f"{_found(column.image)}[{pointers.setdefault(pointer, len(pointers) + 1)}]"

    def number(self, text: str, kind: str) -> str:
        return f"cast({text} as {kind})"

    def binary(self, column: AttributeColumn, text: str) -> str:
        twice = f"try(from_base64(decode(from_base64({text}))))"  # which is null where it is encoded once
        return f"coalesce(case when {_twice(column)} then {twice} end, from_base64({text}))"

    def set(self, column: AttributeColumn, kind: str, number: str) -> str:
        texts = f"cast(cast({self.text(column, kind)} as json) as varchar[])"
        if kind == "BS":
            once = f"list_transform({texts}, lambda member: to_base64({self.binary(column, 'member')}))"
            return f"list_transform(list_sort(list_distinct({once})), lambda member: from_base64(member))"
        if kind == "NS":
            texts = f"list_transform({texts}, lambda member: {self.number('member', number)})"
        return f"list_sort(list_distinct({texts}))"

    def elements(self, column: AttributeColumn, kind: str, sql: str) -> str:
        element = f"json_extract_string(element, '/{kind}')"
        element = element if kind == "S" else f"cast({element} as {sql})"
        return f"list_transform(cast(cast({self.text(column, 'L')} as json) as json[]), lambda element: {element})"

    def typed_elements(self, column: AttributeColumn) -> str:
        return f"canonical_elements({self.text(column, 'L')}, {_twice(column)})"

    def members(self, column: AttributeColumn) -> str:
        return f"canonical_members({self.text(column, 'M')}, {_twice(column)})"

    def typed(self, column: AttributeColumn) -> str:
        return f"canonical_value({self.whole(column)}, {_twice(column)})"

    def hashed(self, column: AttributeColumn) -> str:
        return f"masked_value({self.whole(column)}, {_twice(column)}, {literal(self._masks.salt)})"

    def translated(self, sql: str) -> str:
        return to_duckdb(sql)


class _Athena(_Writer):
    """Every value is found by itself: images are canonical."""

    def whole(self, column: AttributeColumn) -> str:
        return json_path(column.image, Name("", column.path))

    def text(self, column: AttributeColumn, kind: str) -> str:
        if kind in ("S", "N", "B", "BOOL", "NULL"):
            return json_path(column.image, Name("", column.path), kind)
        return f"json_extract({self.whole(column)}, '$[\"{kind}\"]')"

    def number(self, text: str, kind: str) -> str:
        exact = f"cast({text} as decimal(38, 0))" if kind == "bigint" else text  # 1.0 is no bigint
        return f"cast({exact} as {kind})"

    def binary(self, column: AttributeColumn, text: str) -> str:
        return f"from_base64({text})"

    def set(self, column: AttributeColumn, kind: str, number: str) -> str:
        texts = f"cast({self.text(column, kind)} as array(varchar))"
        if kind == "NS":
            texts = f"transform({texts}, member -> {self.number('member', number)})"
        members = f"array_sort(array_distinct({texts}))"
        return f"transform({members}, member -> from_base64(member))" if kind == "BS" else members

    def elements(self, column: AttributeColumn, kind: str, sql: str) -> str:
        element = f"json_extract_scalar(element, '$[\"{kind}\"]')"
        if kind != "S":
            element = self.number(element, sql) if kind == "N" else f"cast({element} as {sql})"
        return f"transform(cast({self.text(column, 'L')} as array(json)), element -> {element})"

    def typed_elements(self, column: AttributeColumn) -> str:
        written = self._canonical(column, "element")
        return f"transform(cast({self.text(column, 'L')} as array(json)), element -> {written})"

    def members(self, column: AttributeColumn) -> str:
        return self._canonical(column, self.text(column, "M"))

    def typed(self, column: AttributeColumn) -> str:
        return self._canonical(column, self.whole(column))

    def _canonical(self, column: AttributeColumn, json: str) -> str:
        """Write the canonical text of JSON, sets in the order that Python has them in, too."""
        text = canonical(f"json_format({json})")
        return part("sets_in_order", json=text) if _holds_sets(column.held) else text

    def hashed(self, column: AttributeColumn) -> str:
        salt = self._masks.salt  # Trino takes no empty key; HMAC fills a key up with zeros
        key = f"to_utf8({literal(salt)})" if salt else "from_hex('00')"
        return f"substr(lower(to_hex(hmac_sha256(to_utf8({self.typed(column)}), {key}))), 1, 16)"

    def translated(self, sql: str) -> str:
        return sql


def _holds_sets(held: Held) -> bool:
    below = [*held.members.values(), *([held.elements] if held.elements else [])]
    return not held.kinds.keys().isdisjoint(("SS", "NS")) or any(map(_holds_sets, below))


def _found(image: str) -> str:
    return identifier(f"{image} found")


def _twice(column: AttributeColumn) -> str:
    return f"starts_with({identifier(column.image)}, ' ')"


def _pointer(path: Path) -> str:
    """Return where an attribute is, as a JSON pointer (RFC 6901)."""
    pointer = ""
    for step in path:
        name = str(step).replace("~", "~0").replace("/", "~1")
        pointer += f"/L/{name}" if isinstance(step, int) else f"{'/M' if pointer else ''}/{name}"
    return pointer
