"""DynamoDB JSON images as hypothesis draws them: of all types and names, badly written, wrong and damaged ones too."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

from hypothesis import strategies as st

ODD_NAMES = """* a.b x/y ~ ~1 / " \\ ' $ 0 1 - # S M N 日本 😀 _changed_at leaf_0 image {a} :a -- a[0] [*]"""
names = st.sampled_from(["a", "b", "pk", "", "\n", "\0", "two words", "\x7f", "\u2028", *ODD_NAMES.split()])
ODD_NUMBERS = (
    "0 -0 -0.0 1 -7 007 1.0 1.50 0.1 1e3 1E+2 1E-130 1E+125 0x10 +5 1_000 5. .5 -.5 - . 1.2.3 inf nan NaN five ١ "
    "9007199254740993 9007199254740993.0 1e22 1e400 0.30000000000000004 123456789012345.6 1234567890123456.7 "
    "0.1234567890123456789 1111111111111111.5 9223372036854775807 9223372036854775808 -9223372036854775808 "
    "-9223372036854775809 99999999999999999999999999999999999999 0.33333333333333333"
)
odd_numbers = st.sampled_from([*ODD_NUMBERS.split(), "", " 5", "5 "])
numbers = (
    st.integers(-(10**20), 10**20).map(str) | st.floats(allow_nan=False, allow_infinity=False).map(repr) | odd_numbers
)
texts = st.text(max_size=4) | st.sampled_from(
    ["", " ", "null", '"', "\\", "\\n", "a,1", "[1", "\0", "😀", "é", "\ud800"]
)
binary = st.binary(max_size=4).map(lambda value: base64.b64encode(value).decode()) | st.sampled_from(
    ["AQ==", "AR==", "AQ=", "%", ""]
)
raw = st.sampled_from([None, True, False, 0, 1, -1.5, 1e5, 1e20, 10**30, "", "x", [], {}, [1e5], [None], {"S": "x"}])


def members(value: st.SearchStrategy, size: int) -> st.SearchStrategy:
    """Members of an object, names that come again included."""
    return st.lists(st.tuples(names, value), max_size=size).map(Members)


class Members(list):
    """An object's members, in order."""


kinds = st.sampled_from(["S", "N", "B", "BOOL", "NULL", "SS", "NS", "BS", "M", "L", "X"])
flat = st.one_of(
    st.tuples(st.just("S"), texts),
    st.tuples(st.just("N"), numbers),
    st.tuples(st.just("N"), st.sampled_from(["1", "2", "1.0", "2.5"])),
    st.tuples(st.just("B"), binary),
    st.tuples(st.sampled_from(["BOOL", "NULL"]), st.booleans()),
    st.tuples(st.just("SS"), st.lists(texts, max_size=3)),
    st.tuples(st.just("NS"), st.lists(numbers, max_size=3)),
    st.tuples(st.just("BS"), st.lists(binary, max_size=2)),
    st.tuples(st.sampled_from(["M", "L"]), st.just([])).map(
        lambda pair: (pair[0], Members() if pair[0] == "M" else [])
    ),
).map(lambda pair: Members([pair]))


def nested(inner: st.SearchStrategy) -> st.SearchStrategy:
    return st.one_of(
        st.tuples(st.just("M"), members(inner, 3)).map(lambda pair: Members([pair])),
        st.tuples(st.just("L"), st.lists(inner, max_size=2)).map(lambda pair: Members([pair])),
    )


values = st.recursive(flat, nested, max_leaves=5)
wrong = st.lists(st.tuples(kinds, raw | values), max_size=2).map(Members) | raw


@st.composite
def written(draw: Callable) -> str:
    """An image as JSON text: mostly in its shortest form, else with spaces and escapes."""
    plain = draw(st.integers(0, 4)) > 0
    space = "" if plain else draw(st.sampled_from(["", " ", "\n"]))

    def write(value: object) -> str:
        if isinstance(value, Members):
            return "{" + ",".join(f"{write(name)}:{space}{write(inner)}" for name, inner in value) + space + "}"
        if isinstance(value, list):
            return "[" + f",{space}".join(map(write, value)) + "]"
        return json.dumps(value, ensure_ascii=not plain)

    image = draw(members(values, 4))
    if not draw(st.integers(0, 9)):
        image.append((draw(names), draw(wrong)))
    return write(image).encode(errors="surrogatepass").decode(errors="replace")


alphabet = st.sampled_from(
    [*'{}[]",:\\ 019eE.-+SNMLB', "\n", "null", "true", '"S":', "/", "é", "\0", '{"S":""}', ',"a":{"S":"x"}']
)


@st.composite
def damaged(draw: Callable) -> str:
    """An image of which some characters are missing, or others."""
    text = draw(written())
    for _ in range(draw(st.integers(0, 2))):
        at, more = draw(st.integers(0, len(text))), draw(st.integers(0, 2))
        text = text[:at] + draw(alphabet) * draw(st.integers(0, 2)) + text[at + more :]
    return text
