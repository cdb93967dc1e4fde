"""Conditions on attributes: what is read, when it holds, and that SQL loses no row for which it does."""

from __future__ import annotations

import base64
import json
import operator
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa
import pytest
import sqlglot
from hypothesis import example, given
from hypothesis import strategies as st
from sqlglot import exp

from tests.helpers.aws.dialect import prepare, translated
from tests.helpers.profiles import examples
from workbench.errors import ParameterError
from workbench.model.conditions import (
    CHANGES,
    And,
    Changed,
    Compares,
    Contains,
    Equals,
    IsAbsent,
    IsNull,
    Like,
    Name,
    Not,
    Or,
    Relates,
    holds,
    names_images,
    parse,
)
from workbench.model.items import from_dynamodb
from workbench.sql.conditions import condition as condition_sql
from workbench.sql.conditions import surely
from workbench.sql.dialects import to_duckdb
from workbench.sql.templates import fill

A, B = Name("", ("a",)), Name("", ("b",))
SIZE = Name("", ("a",), size=True)
DROP = "'; drop table t; --"


@pytest.fixture(scope="module")
def con():
    with duckdb.connect() as connection:
        yield connection


@pytest.fixture(scope="module")
def trino():
    """A connection that has Trino's semantics, as the test server's Athena."""
    with duckdb.connect() as connection:
        prepare(connection)
        yield connection


def selected(con, text: str, pairs, write=json.dumps, sql=condition_sql, athena=False) -> list[bool]:
    """Whether each pair of images is selected by the condition's SQL, as the engines run it."""
    sql = sql(parse(text), new="new_image", old="old_image")
    asked = f"select id from images where id >= 0 and {sql} and id >= 0"
    query = translated(sqlglot.parse_one(asked, read="athena")) if athena else to_duckdb(asked)
    new, old = ([None if image is None else write(image) for image in side] for side in zip(*pairs, strict=True))
    images = {"id": range(len(new)), "new_image": pa.array(new, pa.string()), "old_image": pa.array(old, pa.string())}
    con.register("images", pa.table(images))
    found = {row[0] for row in con.execute(query).fetchall()}
    return [i in found for i in range(len(new))]


# --- what is read


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a = 5", Equals(A, (Decimal(5),))),
        ("a=+5.0e0", Equals(A, (Decimal(5),))),
        (
            "a in (-1.50, 'it''s', TRUE, false, x'0aFF', '', X'')",
            Equals(A, (Decimal("-1.5"), "it's", True, False, b"\x0a\xff", "", b"")),
        ),
        ("a <> 5", And((Not(IsAbsent(A)), Not(Equals(A, (Decimal(5),)))))),
        ("a != 5", parse("a <> 5")),
        ("a NOT IN (5)", parse("a <> 5")),
        ("a>=1E-130", Compares(A, ">=", Decimal("1E-130"))),
        (
            "a<-12345678901234567890123456789012345678",
            Compares(A, "<", Decimal("-12345678901234567890123456789012345678")),
        ),
        ("a between 'x' and 'y'", And((Compares(A, ">=", "x"), Compares(A, "<=", "y")))),
        ("a not between 1 and 2", And((Not(IsAbsent(A)), Not(parse("a between 1 and 2"))))),
        ("a like 'A!%_'", Like(A, "A!!%_")),
        ("a like 'A!%_!!' escape '!'", Like(A, "A!%_!!")),
        (r"a like '\%%\\' escape '\'", Like(A, "!%%\\")),
        ("a like 'a%%' escape '%'", Like(A, "a!%")),
        ("a not like '%'", And((Not(IsAbsent(A)), Not(Like(A, "%"))))),
        ("a is absent", IsAbsent(A)),
        ("a Is Not Absent", Not(IsAbsent(A))),
        ("a is null", IsNull(A)),
        ("a is not null", And((Not(IsAbsent(A)), Not(IsNull(A))))),
        ("not not not a is null", Not(IsNull(A))),
        (
            "a is null or a = 1 and not (a = 2 or a = 3)",
            Or((IsNull(A), And((Equals(A, (1,)), Not(Or((Equals(A, (2,)), Equals(A, (3,))))))))),
        ),
        ("\n a\n=\t'\t'", Equals(A, ("\t",))),
        ("not(a=1)and(a=2)", And((Not(Equals(A, (1,))), Equals(A, (2,))))),
        ("a = b", Relates(A, "=", B)),
        ("a>=new.b", Relates(A, ">=", Name("new", ("b",)))),
        ("a <> b", And((Not(IsAbsent(A)), Not(IsAbsent(B)), Not(Relates(A, "=", B))))),
        ('"a" < "b"', Relates(A, "<", B)),
        ('a = m."b"', Relates(A, "=", Name("", ("m", "b")))),
        ("old.a != new.a", parse("old.a <> new.a")),
        ("changed(a)", Changed(A)),
        ("not Changed ( a )", Not(Changed(A))),
        ("contains(a, 'it''s')", Contains(A, "it's")),
        ("contains(new.a[0], -5)", Contains(Name("new", ("a", 0)), Decimal(-5))),
        ("CONTAINS(a, true)", Contains(A, True)),
        ("starts_with(a, '100%!_')", Like(A, "100!%!!!_%")),
        ("size(a) > 5", Compares(SIZE, ">", Decimal(5))),
        ("size(a) in (1, 2)", Equals(SIZE, (Decimal(1), Decimal(2)))),
        ("size(a) <> 5", And((Not(IsAbsent(SIZE)), Not(Equals(SIZE, (Decimal(5),)))))),
        ("size(a) not between 1 and 2", And((Not(IsAbsent(SIZE)), Not(parse("size(a) between 1 and 2"))))),
        ("size(a) < size(old.b)", Relates(SIZE, "<", Name("old", ("b",), size=True))),
        ("b = size(a)", Relates(B, "=", SIZE)),
        ("size = contains and changed in (5)", parse('"size" = "contains" and "changed" = 5')),
        ("not size in (1) or starts_with is absent", parse('not "size" = 1 or "starts_with" is absent')),
    ],
)
def test_a_condition_is_read(text, tree):
    assert parse(text) == tree


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("HeartRate", Name("", ("HeartRate",))),
        ("_größe-2", Name("", ("_größe-2",))),
        ("not-x", Name("", ("not-x",))),
        ("person.lastname", Name("", ("person", "lastname"))),
        ('person."first.name"', Name("", ("person", "first.name"))),
        ('"a ""b"" [0]\t"', Name("", ('a "b" [0]\t',))),
        ('"and"', Name("", ("and",))),
        ('""', Name("", ("",))),
        ("phones[0]", Name("", ("phones", 0))),
        ('phones[01][2].number."x"[3]', Name("", ("phones", 1, 2, "number", "x", 3))),
        ("new.age", Name("new", ("age",))),
        ('OLD."new".x', Name("old", ("new", "x"))),
        ("new", Name("", ("new",))),
        ("old[0]", Name("", ("old", 0))),
        ('"new".age', Name("", ("new", "age"))),
        ("newer.age", Name("", ("newer", "age"))),
    ],
)
def test_an_attribute_is_named_like_a_column(text, name):
    assert parse(f"{text} is null") == IsNull(name)


@pytest.mark.parametrize(
    ("text", "where", "expected"),
    [
        ("", "at its end", "expected an attribute"),
        (" \n", "at its end", "expected an attribute"),
        ("HeartRate", "at its end", "expected =, <>"),
        ("HeartRate >", "at its end", "expected a value like 5"),
        ("HeartRate > and a = 1", "at character 13,", "expected a value"),
        ("a = 'x", "at character 5,", "this quote is not closed"),
        ('"a = 1', "at character 1,", "this quote is not closed"),
        ('a = "x"', "at character 5,", "in single quotes"),
        ("(a = 1", "at character 1,", "this parenthesis is not closed"),
        ("a = 1)", "at character 6,", "expected a '('"),
        ("(a = 1 b = 2)", "at character 8,", "expected 'and', 'or' or ')'"),
        ("a = 1 b", "at character 7,", "expected 'and', 'or' or the end"),
        ("a = 1 and", "at its end", "expected an attribute"),
        ("a = 1 or or", "at character 10,", "expected an attribute"),
        ("and = 1", "at character 1,", "in double quotes"),
        ("a b = 1", "at character 3,", "expected =, <>"),
        ("a[x] = 1", "at character 2,", "expected =, <>"),
        ("a like 5", "at character 8,", "expected a text like 'A%_'"),
        ("a like 'x' escape '!!'", "at character 3,", "one character"),
        ("a like 'x' escape ''", "at character 3,", "one character"),
        ("a like 'x!y' escape '!'", "at character 3,", "expected %, _ or !"),
        ("a like 'x!' escape '!'", "at character 3,", "expected %, _ or !"),
        ("a not 5", "at character 7,", "expected 'in', 'like' or 'between'"),
        ("a in ()", "at character 7,", "expected a value"),
        ("a in (1 2)", "at character 9,", "expected ',' or ')'"),
        ("a is 5", "at character 6,", "expected 'absent' or 'null'"),
        ("a = null", "at character 5,", "`is null`"),
        ("a <> NULL", "at character 6,", "`is not null`"),
        ("a < true", "at character 5,", "no order"),
        ("a between false and true", "at character 11,", "no order"),
        ("a between 1 and 'x'", "at character 3,", "one type"),
        ("a = x'0'", "at character 5,", "hexadecimal"),
        ("a = 5x", "at character 5,", "expected a value"),
        ("a = 123456789012345678901234567890123456789", "at character 5,", "38 digits"),
        ("a = 1E126", "at character 5,", "9.9E+125"),
        ("a = 1E-131", "at character 5,", "1E-130"),
        ("a = 1E99999999999999999999", "at character 5,", "9.9E+125"),
        ("a = '\0'", "at character 6,", "NUL"),
        ("a = '\ud800'", "at character 6,", "surrogate"),
        ("(" * 1000 + "a = 1" + ")" * 1000, "at character 17,", "at most 16"),
        ("(" * 1000, "at character 17,", "at most 16"),
        ("a = b c", "at character 7,", "expected 'and', 'or' or the end"),
        ("a < ", "at its end", "or an attribute"),
        ("m.a =  'x' or new.a = \"x\"", "at character 23,", "in single quotes"),
        ("a between b and 5", "at character 11,", "expected a value like 5"),
        ("a in (b)", "at character 7,", "expected a value like 5"),
        ("a < size(b", "at character 9,", "this parenthesis is not closed"),
        ("size() > 1", "at character 6,", "expected an attribute"),
        ("size(a) = 'x'", "at character 11,", "expected a number like 5"),
        ("size(a) is absent", "at character 9,", "expected =, <>"),
        ("size(a) not like 'x'", "at character 13,", "expected 'in' or 'between'"),
        ("a = 1 and changed(new.x)", "at character 19,", "leave new. out"),
        ("changed(x) = 1", "at character 12,", "expected 'and', 'or' or the end"),
        ("contains(a)", "at character 11,", "expected ','"),
        ("contains(a, b)", "at character 13,", "expected a value like 5"),
        ("contains(a, null)", "at character 13,", "null compares with nothing"),
        ("starts_with(a, 5)", "at character 16,", "expected a text like"),
        (
            "b = 1 or sise(a) > 1",
            "at character 10,",
            "no function 'sise'. Did you mean 'size'? There are size, changed",
        ),
        ("begins_with(a, 'x')", "at character 1,", "Did you mean 'starts_with'?"),
        ("nonsense(a)", "at character 1,", "no function 'nonsense'. There are size, changed, contains, starts_with"),
    ],
)
def test_an_error_says_where_it_is_and_what_was_expected(text, where, expected):
    with pytest.raises(ParameterError) as error:
        parse(text)
    message = str(error.value)
    assert where in message
    assert expected in message
    assert "Write it like HeartRate > 120" in message
    assert "\n" not in message
    assert len(message) < 400


def test_marks_within_quotes_are_no_parentheses():
    assert parse('"(" = \'(((((((((((((((((((((((("\' ') == Equals(Name("", ("(",)), ('(((((((((((((((((((((((("',))


@pytest.mark.slow
def test_long_conditions_and_the_deepest_are_answered(con):
    deepest = "a = 1"
    for level in range(16):
        deepest = f"not ({deepest} {'and' if level % 2 else 'or'} a = {level} and b <> 2 or c = 1)"
    for text in (
        deepest,
        "not " * 1000 + "a = 2",
        " or ".join(["a = 3 and b = 1"] * 1000 + ["a = 1"]),
        f"a in ({', '.join(map(str, range(5000)))})",
    ):
        pair = ({"a": {"N": "1"}}, None)
        assert holds(parse(text), *pair) <= selected(con, text, [pair])[0]


# --- when it holds


@pytest.mark.parametrize(
    ("text", "new", "old", "expected"),
    [
        ("a = 5", {"a": {"N": "5.00"}}, None, True),
        ("a = 5", {"a": {"S": "5"}}, None, False),
        ("a <> 5", {"a": {"S": "5"}}, None, True),
        ("a <> 5", {}, None, False),
        ("not a = 5", {}, None, True),
        (
            "a = 12345678901234567890123456789012345678",
            {"a": {"N": "12345678901234567890123456789012345679"}},
            None,
            False,
        ),
        ("a = 0.1", {"a": {"N": "0.10"}}, None, True),
        ("not a = 9007199254740992", {"a": {"N": "9007199254740993"}}, None, True),
        ("a < 9007199254740993", {"a": {"N": "9007199254740992"}}, None, True),
        ("a < 5", {"a": {"N": "5.0"}}, None, False),
        ("not a = x'00'", {"a": {"B": "gA=="}}, None, True),
        ("not a < x'00'", {"a": {"B": "gA=="}}, None, True),
        ("a like '100!%' escape '!'", {"a": {"S": "100%"}}, None, True),
        ("a like '100!%' escape '!'", {"a": {"S": "1000"}}, None, False),
        ("a like '100%'", {"a": {"S": "1000"}}, None, True),
        ("a like 'x_%y'", {"a": {"S": "x\n\ny"}}, None, True),
        ("a like '%a%b%'", {"a": {"S": "abba"}}, None, True),
        ("a like '_'", {"a": {"S": "😀"}}, None, True),
        ("a like 'A'", {"a": {"S": "a"}}, None, False),
        ("a > 1E+2", {"a": {"N": "100.1"}}, None, True),
        ("a > '\uffff'", {"a": {"S": "😀"}}, None, True),
        ("a > x'7f'", {"a": {"B": "gA=="}}, None, True),
        ("a = true", {"a": {"BOOL": True}}, None, True),
        ("a = 1", {"a": {"BOOL": True}}, None, False),
        ("a is null", {"a": {"NULL": True}}, None, True),
        ("a is absent", {"a": {"NULL": True}}, None, False),
        ("a = ''", {"a": {"S": ""}}, None, True),
        ("a is not null", {}, None, False),
        ("a not like 'x%'", {"a": {"N": "1"}}, None, True),
        ("a.b is absent", {"a": {"S": "b"}}, None, True),
        ("a[1] is absent", {"a": {"L": [{"N": "1"}]}}, None, True),
        ("a[0].b = 1", {"a": {"L": [{"M": {"b": {"N": "1"}}}]}}, None, True),
        ("a = 1", None, {"a": {"N": "1"}}, True),
        ("a = 1 and b = 2", {"a": {"N": "1"}}, {"b": {"N": "2"}}, False),
        ("new.a = 1 and old.b = 2", {"a": {"N": "1"}}, {"b": {"N": "2"}}, True),
        ("old.a is absent and new.a = 1", {"a": {"N": "1"}}, None, True),
        ("a is absent", None, {"a": {"N": "1"}}, False),
        ("not a = 1", None, None, False),
        ("a = b", {"a": {"N": "1.0"}, "b": {"N": "1"}}, None, True),
        ("a = b", {"a": {"NS": ["2", "1.0"]}, "b": {"NS": ["1", "2"]}}, None, True),
        ("a = b", {"a": {"N": "1"}, "b": {"S": "1"}}, None, False),
        ("a <> b", {"a": {"N": "1"}, "b": {"S": "1"}}, None, True),
        ("a <> b", {"a": {"N": "1"}}, None, False),
        ("b <> a", {"a": {"N": "1"}}, None, False),
        ("a = b", {}, None, False),
        ("a = b", {"a": {"NULL": True}, "b": {"NULL": True}}, None, True),
        ("a < b", {"a": {"N": "9007199254740992"}, "b": {"N": "9007199254740993"}}, None, True),
        ("not a < b", {"a": {"N": "9007199254740993"}, "b": {"N": "9007199254740992"}}, None, True),
        ("a < b", {"a": {"BOOL": False}, "b": {"BOOL": True}}, None, False),
        ("a < b", {"a": {"B": "YQ=="}, "b": {"B": "Yg=="}}, None, True),
        ("old.a <> new.a", {"a": {"N": "2"}}, {"a": {"N": "1"}}, True),
        ("old.a <> new.a", {"a": {"N": "2"}}, None, False),
        ("new.a < old.a", {"a": {"N": "2"}}, {"a": {"N": "10"}}, True),
        ("changed(a)", {"a": {"N": "2"}}, None, True),
        ("changed(a)", None, {"a": {"N": "2"}}, True),
        ("changed(a)", {"b": {"N": "2"}}, None, False),
        ("changed(a)", {"a": {"N": "1.0"}}, {"a": {"N": "1"}}, False),
        (
            "not changed(a)",
            {"a": {"M": {"x": {"N": "1.0"}, "y": {"S": ""}}}},
            {"a": {"M": {"y": {"S": ""}, "x": {"N": "1"}}}},
            True,
        ),
        ("changed(a)", {"a": {"L": [{"N": "1"}, {"N": "2"}]}}, {"a": {"L": [{"N": "2"}, {"N": "1"}]}}, True),
        ("not changed(a)", {"a": {"SS": ["x", "y"]}}, {"a": {"SS": ["y", "x"]}}, True),
        ("changed(a)", {"a": {"NULL": True}}, {}, True),
        ("changed(a.b)", {"a": {"M": {"b": {"N": "1"}}}}, {"a": {"S": "b"}}, True),
        ("contains(a, 'x')", {"a": {"SS": ["y", "x"]}}, None, True),
        ("contains(a, 'x')", {"a": {"L": [{"N": "1"}, {"S": "x"}]}}, None, True),
        ("contains(a, 'x')", {"a": {"L": [{"S": "xy"}]}}, None, False),
        ("contains(a, 'x')", {"a": {"S": "yxy"}}, None, True),
        ("contains(a, '')", {"a": {"S": ""}}, None, True),
        ("contains(a, '%')", {"a": {"S": "100"}}, None, False),
        ("contains(a, 'x')", {"a": {"M": {"x": {"S": "x"}}}}, None, False),
        ("contains(a, 1)", {"a": {"NS": ["1.0"]}}, None, True),
        ("contains(a, 9007199254740993)", {"a": {"NS": ["9007199254740992"]}}, None, False),
        ("contains(a, 1)", {"a": {"L": [{"S": "1"}]}}, None, False),
        ("contains(a, true)", {"a": {"L": [{"BOOL": True}]}}, None, True),
        ("contains(a, false)", {"a": {"L": [{"N": "0"}]}}, None, False),
        ("contains(a, x'01')", {"a": {"BS": ["AQ=="]}}, None, True),
        ("starts_with(a, 'A_')", {"a": {"S": "A_b"}}, None, True),
        ("starts_with(a, 'A_')", {"a": {"S": "Ab"}}, None, False),
        ("size(a) = 1", {"a": {"S": "😀"}}, None, True),
        ("size(a) = 2", {"a": {"B": "AQI="}}, None, True),
        ("size(a) = 2", {"a": {"L": [{"N": "1"}, {"N": "1"}]}}, None, True),
        ("size(a) = 1", {"a": {"M": {"x": {"N": "1"}}}}, None, True),
        ("size(a) = 1", {"a": {"NS": ["1", "1.0"]}}, None, True),
        ("size(a) >= 0", {"a": {"N": "100"}}, None, False),
        ("not size(a) >= 0", {}, None, True),
        ("size(a) <> 1", {"a": {"BOOL": True}}, None, False),
        ("size(a) > 1.5", {"a": {"S": "ab"}}, None, True),
        ("size(a) = 1.5", {"a": {"S": "ab"}}, None, False),
        ("size(new.a) > size(old.a)", {"a": {"SS": ["a", "b"]}}, {"a": {"SS": ["a"]}}, True),
        ("b < size(a)", {"a": {"S": "abc"}, "b": {"N": "2.99999999999999999999"}}, None, True),
    ],
)
def test_a_condition_holds_as_documented(con, trino, text, new, old, expected):
    assert holds(parse(text), new, old) is expected
    assert selected(con, text, [(new, old)])[0] >= expected
    assert selected(trino, text, [(new, old)], athena=True)[0] >= expected
    assert selected(con, text, [(new, old)], sql=surely)[0] <= expected


def test_the_images_a_condition_names_are_told():
    assert names_images(parse("a = 1 or not (b = 2 and new.c is absent)"))
    assert not names_images(parse('a = 1 or not ("new".b = 2 and new is absent)'))
    assert names_images(parse("not changed(a)"))
    assert names_images(parse("a < old.b"))


def test_a_pattern_of_many_wildcards_takes_no_longer():
    assert not holds(parse(f"a like '{'%a' * 40}%b'"), {"a": {"S": "a" * 20_000}}, None)


# --- the law: any condition, any images


class Case(NamedTuple):
    """A condition as text, and what it means for plain Python values."""

    text: str
    test: Callable[[Callable[[str, list[Any]], Any]], bool]
    exact: bool = True  # neither numbers nor binary are compared, so SQL selects these rows and no other


MISSING = object()
NUMBERS = [
    "0",
    "-0",
    "5",
    "5.0",
    "50E-1",
    "1.50",
    "1E+2",
    "100",
    "-7",
    ".5",
    "9007199254740992",
    "9007199254740993",
    "12345678901234567890123456789012345678",
    "12345678901234567890123456789012345679",
    "-1.2345678901234567890123456789012345678",
    "-1.2345678901234567890123456789012345679",
    "1E-130",
    "9.9999999999999999999999999999999999999E+125",
]
TEXTS = [
    "",
    "a",
    "A",
    "b",
    "ab",
    "a%b",
    "100%",
    "a_b",
    "it's",
    "x\ny",
    "\\",
    "\\%",
    "é",
    "😀",
    "\uffff",
    "5",
    "true",
    "!",
    '"',
    DROP,
]
BYTES = [b"", b"a", b"ab", b"\xff", b"\x00"]
NAMES = [
    ("a", ["a"]),
    ("b", ["b"]),
    ("m.a", ["m", "a"]),
    ('m."*"', ["m", "*"]),
    ("l[0]", ["l", 0]),
    ("l[1].a", ["l", 1, "a"]),
    ('"*"', ["*"]),
    ('"it\'s ""odd"".\\"', ['it\'s "odd".\\']),
    ('"é😀 [0]$"', ["é😀 [0]$"]),
]
number, text, binary = map(st.sampled_from, (NUMBERS, TEXTS, BYTES))
encoded = binary.map(lambda value: base64.b64encode(value).decode())
scalar = st.one_of(
    number.map(lambda n: {"N": n}),
    (text | st.just("a\0b")).map(lambda s: {"S": s}),
    encoded.map(lambda b: {"B": b}),
    st.booleans().map(lambda b: {"BOOL": b}),
    st.just({"NULL": True}),
    st.sets(text, min_size=1).map(lambda s: {"SS": sorted(s)}),
    st.just({"NS": ["1", "2"]}),
    st.just({"BS": ["YQ=="]}),
)
inner = st.dictionaries(st.sampled_from(["a", "*"]), scalar, max_size=2).map(lambda m: {"M": m})
value = scalar | inner | st.lists(scalar | inner, max_size=2).map(lambda elements: {"L": elements})
image = st.dictionaries(st.sampled_from(["a", "b", "m", "l", "*", NAMES[-1][1][0], NAMES[-2][1][0]]), value)
pair = st.tuples(st.none() | image, st.none() | image)


def quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def kind(value: Any) -> str:
    names = {bool: "BOOL", int: "N", Decimal: "N", str: "S", bytes: "B"}
    return names.get(type(value), "other")


numbers = number.map(lambda n: (n if n[0] != "." else "0" + n, Decimal(n)))
texts = text.map(lambda s: (quoted(s), s))
binaries = binary.map(lambda b: (f"x'{b.hex()}'", b))
booleans = st.booleans().map(lambda b: (str(b).lower(), b))
literals = numbers | texts | binaries | booleans


def matches(tokens: list[tuple[str, bool]], value: str) -> bool:
    if not tokens:
        return not value
    (character, wild), *rest = tokens
    if wild and character == "%":
        return any(matches(rest, value[i:]) for i in range(len(value) + 1))
    return bool(value) and (wild or value[0] == character) and matches(rest, value[1:])


SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "<>": operator.ne,
    "!=": operator.ne,
}


def alike(one: Any, other: Any) -> bool:
    """Whether two values are one to DynamoDB, to which true is no number."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    return kind(one) == kind(other) and bool(one == other)


def compared(sign: str, one: Any, other: Any) -> bool:
    if one is MISSING or other is MISSING:
        return False
    if sign in ("=", "<>", "!="):
        return alike(one, other) == (sign == "=")
    return kind(one) == kind(other) and kind(one) in ("N", "S", "B") and SIGNS[sign](one, other)


def long(value: Any) -> Any:
    """How many characters, bytes or members a value has; MISSING where it has none."""
    return Decimal(len(value)) if isinstance(value, str | bytes | list | dict | frozenset) else MISSING


def related(draw, image: str, name: str, path: list[Any]) -> Case:
    """Compare an attribute, or its size, with another one, or its size."""
    other_image, (other, steps) = draw(st.sampled_from(["", image, "new", "old"])), draw(st.sampled_from(NAMES))
    sizes = draw(st.sampled_from([(False, False), (False, False), (True, True), (True, False), (False, True)]))
    if other[0] == '"' and not sizes[1]:
        other_image = other_image or "old"  # alone in double quotes it is taken for a text
    other = f"{other_image}.{other}" if other_image else other
    sign = draw(st.sampled_from([*SIGNS]))
    texts = [f"size({text})" if size else text for text, size in zip((name, other), sizes, strict=True)]
    one_of, other_of = (long if size else lambda value: value for size in sizes)
    return Case(
        f" {sign} ".join(texts),
        lambda get: compared(sign, one_of(get(image, path)), other_of(get(other_image, steps))),
        exact=False,
    )


def called(draw, image: str, name: str, path: list[Any]) -> Case:
    """Ask whether an attribute changed, contains a value, or begins with a text."""
    function = draw(st.sampled_from(["changed", "contains", "contains", "starts_with"]))
    if function == "changed":
        return Case(
            f"changed({name.removeprefix(f'{image}.') if image else name})",
            lambda get: not alike(get("old", path), get("new", path)),
            exact=False,
        )
    if function == "starts_with":
        prefix = draw(text)
        begins = lambda v: isinstance(v, str) and v.startswith(prefix)  # noqa: E731
        return Case(f"starts_with({name}, {quoted(prefix)})", lambda get: begins(get(image, path)))
    written, member = draw(literals)

    def contains(value: Any) -> bool:
        if isinstance(value, str) and isinstance(member, str):
            return member in value
        return isinstance(value, list | frozenset) and any(alike(each, member) for each in value)

    exact = kind(member) in ("S", "BOOL")
    return Case(f"contains({name}, {written})", lambda get: contains(get(image, path)), exact)


def sized(draw, image: str, name: str, path: list[Any]) -> Case:
    """Compare a size with numbers."""
    bounds = st.sampled_from(["0", "1", "2", "3", "4", "1.5", "2.0000000000000000001", "-1", "1E+2"])
    form = draw(st.sampled_from([*SIGNS, "in", "not in", "between", "not between"]))
    low, high = draw(bounds), draw(bounds)
    if form in SIGNS:
        test = lambda size: compared(form, size, Decimal(low))  # noqa: E731
        return Case(f"size({name}) {form} {low}", lambda get: test(long(get(image, path))), exact=False)
    among = form.endswith("in")

    def inside(size: Any) -> bool:
        return size in (Decimal(low), Decimal(high)) if among else Decimal(low) <= size <= Decimal(high)

    return Case(
        f"size({name}) {form} " + (f"({low}, {high})" if among else f"{low} and {high}"),
        lambda get: (lambda size: size is not MISSING and inside(size) != form.startswith("not"))(
            long(get(image, path))
        ),
        exact=False,
    )


@st.composite
def leaves(draw) -> Case:
    image, (name, path) = draw(st.sampled_from(["", "", "new", "old"])), draw(st.sampled_from(NAMES))
    name = f"{image}.{name}" if image else name
    negated = draw(st.booleans())
    plain = ["absent", "null", "order", "equal", "in", "like", "between"]
    form = draw(st.sampled_from([*plain, "other", "function", "size"]))
    used: list[Any] = []
    if form not in plain:
        return {"other": related, "function": called, "size": sized}[form](draw, image, name, path)
    if form in ("absent", "null"):
        clause = f"is {'not ' * negated}{form}"
        test = (lambda v: v is MISSING) if form == "absent" else (lambda v: v is None)
    elif form == "order":
        sign = draw(st.sampled_from(["<", "<=", ">", ">="]))
        written, bound = draw(numbers | texts | binaries)
        clause, used, negated = f"{sign} {written}", [bound], False
        compare = {
            "<": lambda v: v < bound,
            "<=": lambda v: v <= bound,
            ">": lambda v: v > bound,
            ">=": lambda v: v >= bound,
        }
        test = lambda v: kind(v) == kind(bound) and compare[sign](v)  # noqa: E731
    elif form in ("equal", "in"):
        chosen = draw(st.lists(literals, min_size=1, max_size=1 if form == "equal" else 4))
        used = [one for _, one in chosen]
        clause = f"{'not ' * negated}in ({', '.join(written for written, _ in chosen)})"
        if form == "equal":
            clause = f"{draw(st.sampled_from(['<>', '!='])) if negated else '='} {chosen[0][0]}"
        test = lambda v: any(kind(v) == kind(one) and v == one for one in used)  # noqa: E731
    elif form == "between":
        (low_written, low), (high_written, high) = draw(
            st.one_of(*(st.tuples(k, k) for k in (numbers, texts, binaries)))
        )
        clause, used = f"{'not ' * negated}between {low_written} and {high_written}", [low]
        test = lambda v: kind(v) == kind(low) and low <= v <= high  # noqa: E731
    else:
        tokens = draw(
            st.lists(st.sampled_from([("%", True), ("_", True), *((c, False) for c in "ab%_!'\\é😀\n5")]), max_size=5)
        )
        escape = draw(st.sampled_from("!\\~😀"))
        pattern = "".join(escape + c if not wild and c in ("%", "_", escape) else c for c, wild in tokens)
        clause = f"{'not ' * negated}like {quoted(pattern)} escape {quoted(escape)}"
        if pattern == "".join(c for c, _ in tokens) and draw(st.booleans()):
            clause = clause.partition(" escape ")[0]
        test = lambda v: isinstance(v, str) and matches(tokens, v)  # noqa: E731
    return Case(
        f"{name} {clause}",
        lambda get: (lambda v: v is not MISSING and not test(v) if negated else test(v))(get(image, path)),
        not {"N", "B"} & set(map(kind, used)),
    )


def joined(word: str, cases: list[Case]) -> Case:
    every = all if word == "and" else any
    return Case(
        "(" + f" {word} ".join(case.text for case in cases) + ")",
        lambda get: every(case.test(get) for case in cases),
        all(case.exact for case in cases),
    )


conditions = st.recursive(
    leaves(),
    lambda part: st.one_of(
        part.map(lambda case: Case(f"not {case.text}", lambda get: not case.test(get), case.exact)),
        st.builds(joined, st.sampled_from(["and", "or"]), st.lists(part, min_size=2, max_size=3)),
    ),
    max_leaves=6,
)


def meant(case: Case, new: Any, old: Any) -> bool:
    plain = {"new": from_dynamodb(new or {}), "old": from_dynamodb(old or {})}

    def reading(unqualified: str) -> bool:
        def get(image: str, path: list[Any]) -> Any:
            found: Any = plain[image or unqualified]
            for step in path:
                fits = (
                    step in found
                    if isinstance(found, dict)
                    else isinstance(found, list) and isinstance(step, int) and step < len(found)
                )
                if not fits:
                    return MISSING
                found = found[step]
            return found

        return case.test(get)

    return (new is not None and reading("new")) or (old is not None and reading("old"))


def twice(value: Any) -> Any:
    """Encode the binary of an image once more, as Kinesis has it."""

    def again(kind: str, inner: Any) -> Any:
        if kind in ("B", "BS"):
            return base64.b64encode(inner.encode()).decode() if kind == "B" else [again("B", one) for one in inner]
        return twice(inner)

    if isinstance(value, dict):
        return {key: again(key, inner) for key, inner in value.items()}
    return [twice(element) for element in value] if isinstance(value, list) else value


VALUES = (
    [{"N": n} for n in NUMBERS]
    + [{"S": s} for s in [*TEXTS, "a\0b"]]
    + [{"B": base64.b64encode(b).decode()} for b in BYTES]
    + [{"BOOL": True}, {"BOOL": False}, {"NULL": True}, {"SS": ["a"]}, {"NS": ["5"]}, {"BS": ["YQ=="]}]
    + [{"SS": ["b", "a"]}, {"NS": ["1.50", "5.0"]}, {"L": [{"N": "5"}, {"S": "a"}]}, {"L": [{"N": "5.0"}, {"S": "a"}]}]
    + [{"M": {"a": {"N": "100"}, "b": {"S": ""}}}, {"M": {"b": {"S": ""}, "a": {"N": "1E+2"}}}, {"L": [{"BOOL": True}]}]
)
EVERY = [  # every value under every name
    {
        "a": v,
        "b": w,
        "m": {"M": {"a": v, "*": w}},
        "l": {"L": [v, {"M": {"a": w}}]},
        "*": v,
        NAMES[-1][1][0]: w,
        NAMES[-2][1][0]: v,
    }
    for v, w in zip(VALUES, VALUES[7:] + VALUES[:7], strict=True)
]
PAIRS = [
    (None if i % 3 == 0 else v, None if i % 3 == 1 else w)
    for i, (v, w) in enumerate(zip(EVERY, EVERY[1:] + EVERY[:1], strict=True))
]


@examples(200)
@given(conditions, st.lists(pair, max_size=12))
def test_any_condition_means_what_it_says_and_sql_loses_no_row(con, trino, case, pairs):
    pairs = PAIRS + pairs
    expected = [meant(case, new, old) for new, old in pairs]
    tree = parse(case.text)
    assert [holds(tree, new, old) for new, old in pairs] == expected
    found = selected(con, case.text, pairs)
    assert all(map(bool.__le__, expected, found))
    sure = selected(con, case.text, pairs, sql=surely)
    assert all(map(bool.__le__, sure, expected))
    if case.exact:
        assert found == expected == sure
    on_athena = selected(trino, case.text, pairs, athena=True)
    assert all(map(bool.__le__, expected, on_athena))
    if case.exact:
        assert on_athena == expected
    marked = selected(con, case.text, pairs, lambda image: " " + json.dumps(twice(image), ensure_ascii=False))
    assert all(map(bool.__le__, expected, marked))


long_number = st.builds(
    lambda digits, exponent: f"{digits}E{exponent:+d}", st.integers(-(10**38) + 2, 10**38 - 2), st.integers(-92, 87)
)


@examples(100)
@given(
    long_number, st.lists(long_number, max_size=5), st.sampled_from(["=", "<>", "<", "<=", ">", ">="]), st.booleans()
)
def test_no_number_is_lost_to_rounding(con, bound, others, sign, negated):
    digits, exponent = bound.split("E")
    near = [bound, f"{int(digits) + 1}E{exponent}", f"{int(digits) - 1}E{exponent}", f"{digits}.0E{exponent}"]
    pairs = [({"a": {"N": one}}, None) for one in near + others]
    text = f"{'not ' * negated}a {sign} {bound}"
    expected = [holds(parse(text), *pair) for pair in pairs]
    assert all(map(bool.__le__, expected, selected(con, text, pairs)))
    assert all(map(bool.__le__, selected(con, text, pairs, sql=surely), expected))


def test_rows_that_are_clearly_out_are_not_selected(con):
    pairs = [({"a": {"N": n}}, None) for n in ("4", "5", "6")] + [({"a": {"S": "5"}}, None), ({}, None)]
    for text, expected in {
        "a = 5": "01000",
        "a <> 5": "10110",
        "a > 5": "01100",
        "not a > 5": "11011",
        "a >= 6": "00100",
        "not a >= 6": "11111",
        "a not in (4, 6)": "01010",
        "a between 5 and 5": "01000",
        "a = x'00'": "00000",
        "a = a": "11110",
        "a <> new.a": "00000",
        "a < b": "00000",
        "a < 'x' or a = b": "00010",
        "changed(b)": "00000",
        "changed(a)": "11110",
        "size(a) = 1": "00010",
        "not size(a) < 2": "11101",
        "contains(a, '5')": "00010",
        "contains(a, 5)": "00000",
        "starts_with(a, '6')": "00000",
    }.items():
        assert "".join(str(int(one)) for one in selected(con, text, pairs)) == expected, text


# --- the SQL text


name_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6) | st.lists(
    st.sampled_from(["*", ".", '"', "'", "\\", "[0]", "$", "a", "?", "#", "-1", " ", "\n", "S", "/"]), max_size=4
).map("".join)


@examples(200)
@given(st.lists(name_text, min_size=1, max_size=3))
@example([""])
@example(["*"])
@example(["m", "*", ""])
def test_any_name_finds_its_own_attribute_and_no_other(con, path):
    def image(names: list[str]) -> dict[str, Any]:
        *parents, last = names
        built: dict[str, Any] = {last: {"S": "hit"}, last + "x": {"S": "no"}, "zz": {"S": "no"}}
        for name in reversed(parents):
            built = {name: {"M": built}}
        return built

    name = ".".join('"' + part.replace('"', '""') + '"' for part in path)
    others = [image([*path[:-1], path[-1] + "y"]), image(["y", *path]), image([path[0] + "y", *path[1:]]), {}]
    pairs = [(image(path), None)] + [(other, None) for other in others]
    for text in (f"{name} = 'hit'", f"{name} is not absent"):
        expected = [holds(parse(text), *pair) for pair in pairs]
        assert expected == [True, False, False, False, False]
        assert selected(con, text, pairs) == expected


@given(name_text.filter(lambda name: name not in ("", "*")), st.integers(0, 10**9 - 1))
def test_a_json_path_reads_back_as_trino_reads_it(name, index):
    sql = condition_sql(parse('"' + name.replace('"', '""') + f"\"[{index}] = 'x'"), new="image")
    (path,) = re.findall(r"scalar\(image, '((?:[^']|'')*)'", sql)
    path = path.replace("''", "'")
    steps = re.findall(r'\["((?:[^"\\]|\\["\\])*)"\]|\[([0-9]+)\]', path)
    assert "$" + "".join(f'["{quoted}"]' if not at else f"[{at}]" for quoted, at in steps) == path
    assert [re.sub(r'\\(["\\])', r"\1", quoted) or int(at) for quoted, at in steps] == [name, "L", index, "S"]


@given(
    st.sampled_from([DROP, "' or 1=1 --", "\\'; drop table t; --", '"); drop table t; --', "/*", ":x {t}"]),
    st.booleans(),
)
def test_hostile_texts_and_names_are_only_compared(text, negated):
    name = '"' + text.replace('"', '""') + '"'
    with duckdb.connect() as con:
        con.execute("create table t as select 1 as x")
        pairs = [({text: {"S": text}}, None), ({"a": {"S": text}}, None), ({text: {"S": "x"}}, None), (None, None)]
        for clause in (f"= {quoted(text)}", f"in ({quoted(text)}, {quoted(text)})", f"like {quoted(text)}"):
            condition = f"{'not ' * negated}{name} {clause}"
            expected = [True, False, False, False] if not negated else [False, True, True, False]
            assert selected(con, condition, pairs) == expected
            sql = condition_sql(parse(condition), new="new_image")
            (statement,) = sqlglot.parse(f"select 1 from t where {sql}", read="athena")
            assert not list(statement.find_all(exp.Drop))
            assert fill("select {where}", names={"where": sql}) == f"select {sql}"
        assert con.execute("select x from t").fetchall() == [(1,)]


def test_columns_of_the_answer_are_compared_with_values_only():
    for text, expected in {
        "a = ts": "ts is a time, and compares with a value, not with an attribute",
        "event_name <> MODIFY": "event_name is a text, in single quotes, and compares with a value, not with an",
        "size(ts) > 5": "size.. is of attributes: one that is called so stands in double quotes",
        "changed(size_bytes)": "changed.. is of attributes",
        "contains(event_id, 'x')": "contains.. is of attributes",
    }.items():
        with pytest.raises(ParameterError, match=expected):
            parse(text, CHANGES)
    assert parse('size("ts") > 5', CHANGES) == Compares(Name("", ("ts",), size=True), ">", Decimal(5))
    assert parse("starts_with(event_name, 'M')", CHANGES) == Like(Name("column", ("event_name",)), "M%")


def test_one_image_has_neither_new_nor_old(con):
    with pytest.raises(ParameterError, match="here is one image only"):
        condition_sql(parse("a = 1 or changed(a)"), new="image")
    with pytest.raises(ParameterError, match="here is one image only"):
        condition_sql(parse("a = 1 or old.a = 2"), new="image")
    assert "old" not in condition_sql(parse("a = 1"), new="image")
