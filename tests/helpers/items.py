"""Items as DynamoDB takes them, as hypothesis draws them: of all types, with names that expressions are made of."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

Item = dict[str, dict[str, Any]]

names = st.sampled_from(["a", "b", "c", "a.b", "#0", ":0", "A", "SET", "x AND y", "two words", "é", "日本", "0", "[0]"])
numbers = st.sampled_from(
    [
        "0",
        "1",
        "-1",
        "2",
        "10",
        "1.5",
        "-0.25",
        "1E-130",
        "9.9E+125",
        "99999999999999999999999999999999999999",
        "0.1",
        "100",
    ]
)
texts = st.sampled_from(["", "x", "y", "é", '"', "\\", "1", "a longer text, with a comma"])
binary = st.binary(max_size=3).map(lambda value: base64.b64encode(value).decode())
some_binary = st.binary(min_size=1, max_size=2).map(lambda value: base64.b64encode(value).decode())
leaves = st.one_of(
    texts.map(lambda text: {"S": text}),
    numbers.map(lambda number: {"N": number}),
    binary.map(lambda text: {"B": text}),
    st.booleans().map(lambda value: {"BOOL": value}),
    st.just({"NULL": True}),
    st.lists(texts.filter(bool), min_size=1, max_size=4, unique=True).map(lambda each: {"SS": each}),
    st.lists(numbers, min_size=1, max_size=4, unique=True).map(lambda each: {"NS": each}),
    st.lists(some_binary, min_size=1, max_size=3, unique=True).map(lambda each: {"BS": each}),
)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.dictionaries(names, inner, max_size=4).map(lambda each: {"M": each}),
        st.lists(inner, max_size=3).map(lambda each: {"L": each}),
    ),
    max_leaves=8,
)
attributes = st.dictionaries(names, values, max_size=6)


@st.composite
def changed(draw: Callable, image: dict[str, Any]) -> dict[str, Any]:
    """Attributes of which some differ from these: in what a map holds, too."""
    image = dict(image)
    for name in draw(st.lists(st.sampled_from([*image, "a", "b", "c"]), max_size=3)):
        value = image.get(name)
        how = draw(st.integers(0, 5))
        if value and "M" in value and how < 4:
            image[name] = {"M": draw(changed(value["M"]))}
        elif value and how == 4:
            del image[name]
        elif value and (kind := next(iter(value))) in ("SS", "NS", "BS") and len(value[kind]) > 1 and how < 4:
            image[name] = {kind: value[kind][:-1] if how < 2 else value[kind][::-1]}
        else:
            image[name] = draw(values)
    return image


@st.composite
def pairs(draw: Callable) -> tuple[Item, Item]:
    """Two different images of one item, without its key."""
    now = draw(attributes)
    return now, draw(changed(now) | attributes)
