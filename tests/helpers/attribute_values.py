"""DynamoDB's values as hypothesis draws them, all of them right, and what SQL columns hold of them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from tests.helpers.images import ODD_NAMES
from workbench.model.attribute_schema import Held, number_type, plain_elements, sql_type
from workbench.model.canonical import canonical_json, canonical_number
from workbench.sql.literals import literal
from workbench.sql.typed_attributes import AttributeColumn

NUMBERS = ["0", "1", "-1", "7", "41", "1.5", "-0.001", "100", "0.1", "2.25", "1E+125", "-1E-130", "-0", "1.50", "10.0"]
NUMBERS += [str(2**63 - 1), str(2**63), str(-(2**63)), "12345678901234567890123456789012345678", "0." + "3" * 38]
_PLAIN: dict[str, Any] = {"ensure_ascii": False, "separators": (",", ":")}
names = st.sampled_from(["a", "b", "pk", "", "\n", "two words", "first.name", 'q"t', "o'b", *ODD_NAMES.split()])
texts = st.text(st.characters(codec="utf-8"), max_size=4) | st.sampled_from(
    ["", "null", '"', "\\", "[1]", "😀", "\x1f"]
)
numbers = st.sampled_from(NUMBERS) | st.integers(-999, 999).map(str) | st.decimals(-99, 99, places=2).map(str)
binary = st.binary(max_size=4).map(lambda value: base64.b64encode(value).decode())
scalars = st.one_of(
    texts.map(lambda value: {"S": value}),
    numbers.map(lambda value: {"N": value}),
    binary.map(lambda value: {"B": value}),
    st.booleans().map(lambda value: {"BOOL": value}),
    st.just({"NULL": True}),
    st.lists(texts, min_size=1, max_size=3, unique=True).map(lambda members: {"SS": members}),
    st.lists(numbers, min_size=1, max_size=3, unique_by=canonical_number).map(lambda members: {"NS": members}),
    st.lists(binary, min_size=1, max_size=3, unique=True).map(lambda members: {"BS": members}),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.dictionaries(names, inner, max_size=3).map(lambda members: {"M": members}),
        st.lists(inner, max_size=3).map(lambda elements: {"L": elements}),
        st.lists(st.sampled_from([{"S": "x"}, {"NULL": True}]), max_size=3).map(lambda elements: {"L": elements}),
        st.lists(numbers.map(lambda value: {"N": value}), max_size=3).map(lambda elements: {"L": elements}),
    ),
    max_leaves=5,
)
images = st.dictionaries(names, values, max_size=5)


def written(image: Mapping[str, Any], how: int = 0) -> str:
    """An image as the embedded engine may keep it: canonical, in any order, with spaces, or with escapes."""
    if how == 0:
        return canonical_json(image)
    return json.dumps(image, ensure_ascii=how == 1, separators=((",", ":"), (",", ":"), (", ", ": "))[how - 1])


def relation(images: Sequence[Mapping[str, Any] | None]) -> str:
    """SQL of a relation of ``n``, 0, 1, …, and ``image``, canonical as Athena's deliveries have it."""
    texts = [None if image is None else json.dumps(as_athena(json.loads(written(image))), **_PLAIN) for image in images]
    rows = ", ".join(f"({n}, cast({literal(text)} as varchar))" for n, text in enumerate(texts))
    return f"(select * from (values {rows}) as images (n, image))"


def as_athena(value: Any, kind: str = "") -> Any:
    """A value whose sets of numbers are ordered as texts."""
    if isinstance(value, dict):
        return {name: as_athena(inner, name if len(value) == 1 else "") for name, inner in value.items()}
    if isinstance(value, list):
        return [as_athena(each) for each in value] if kind != "NS" else sorted(value)
    return value


def twice(value: Any, kind: str = "") -> Any:
    """A value whose binary is encoded once more."""
    if isinstance(value, dict):
        return {name: twice(inner, name if len(value) == 1 else "") for name, inner in value.items()}
    if isinstance(value, list):
        return [twice(each, kind) for each in value]
    binary_text = isinstance(value, str) and kind in ("B", "BS")
    return base64.b64encode(value.encode()).decode() if binary_text else value


def at(image: Mapping[str, Any] | None, path: Sequence[str | int]) -> dict[str, Any] | None:
    """The value at a path of an image, with its type; None where there is none."""
    found: Any = None if image is None else {"M": image}
    for step in path:
        inner = (found or {}).get("L" if isinstance(step, int) else "M")
        if isinstance(step, int):
            found = inner[step] if inner is not None and step < len(inner) else None
        else:
            found = (inner or {}).get(step)
    return found


def canonical_value(value: Mapping[str, Any]) -> str:
    """A value's canonical JSON, with its type."""
    return canonical_json({"": dict(value)})[4:-1]


def column_value(value: Mapping[str, Any] | None, held: Held) -> Any:
    """What a column of the type of `held` has of a value, as Python reads it from Arrow."""
    if value is None or "NULL" in value:
        return None
    ((kind, inner),) = value.items()
    if len(held.types) > 1:
        shown = {"S": inner, "N": inner, "BOOL": str(inner).lower()}
        shown["N"] = canonical_number(inner) if kind == "N" else None
        return shown[kind] if kind in shown else canonical_value(value)
    if kind == "N":
        return number(inner, sql_type(held))
    if kind == "B":
        return base64.b64decode(inner)
    if kind == "M":
        return canonical_json(inner)
    if kind == "SS":
        return sorted(inner)
    if kind == "NS":
        return sorted(number(each, number_type(held)) for each in inner)
    if kind == "BS":
        return [base64.b64decode(each) for each in sorted(inner)]
    if kind == "L" and plain_elements(held):
        return [column_value(each, held.elements) for each in inner]
    return [canonical_value(each) for each in inner] if kind == "L" else inner


def number(text: str, kind: str) -> Any:
    """A number as a column of a SQL type has it."""
    exact = Decimal(canonical_number(text))
    return int(exact) if kind == "bigint" else float(exact) if kind == "double" else exact


def columns_of(root: Held) -> list[AttributeColumn]:
    """A column for every attribute of a schema, for the first two elements of each list, and for what is in these."""
    paths: list[tuple[tuple[str | int, ...], Held]] = []
    todo: list[tuple[tuple[str | int, ...], Held]] = [((), root)]
    while todo:
        path, held = todo.pop()
        below: list[tuple[str | int, Held]] = [*held.members.items()]
        below += [(index, held.elements) for index in (0, 1) if held.elements]
        todo += (found := [((*path, step), inner) for step, inner in below])
        paths += found
    return [AttributeColumn(f"c{n}", "image", path, held) for n, (path, held) in enumerate(paths)]


def schema(images: Sequence[Mapping[str, Any]]) -> Held:
    """What images hold."""
    root = Held()
    for image in images:
        root.add(written(image))
    return root
