"""Attributes of images as typed columns are what Python reads of them, in every engine's SQL."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import duckdb
import pyarrow as pa
import pytest
import sqlglot
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.helpers import attribute_values as made
from tests.helpers.aws.dialect import prepare, translated
from workbench.engines.ingest import register_functions
from workbench.errors import ParameterError
from workbench.model.attribute_schema import Held
from workbench.model.masked_values import REDACTED, hashed
from workbench.sql.typed_attributes import AttributeColumn, Masks, column_type, is_masked, typed_columns

SELDOM = settings(  # the test server's SQL is long, and takes its time
    max_examples=12,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
OFTEN = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def con():
    with duckdb.connect(config={"integer_division": True}) as connection:
        connection.execute("set TimeZone = 'UTC'")
        register_functions(connection)
        yield connection


@pytest.fixture(scope="module")
def athena():
    """A connection that takes Athena's SQL as the test server has it."""
    with duckdb.connect() as connection:
        prepare(connection)
        yield connection


def answer(con, rows, columns, masks=Masks()) -> pa.Table:  # noqa: B008 - is frozen
    con.register("rows", pa.table({"n": range(len(rows)), "image": pa.array(rows, pa.string())}))
    text = typed_columns("rows", {"n": "n"}, columns, dialect="duckdb", masks=masks)
    return con.sql(text).to_arrow_table().sort_by("n")


def answer_of_athena(athena, images, columns, masks=Masks()) -> pa.Table:  # noqa: B008 - is frozen
    text = typed_columns(made.relation(images), {"n": "n"}, columns, dialect="athena", masks=masks)
    return athena.sql(translated(sqlglot.parse_one(text, read="athena"))).to_arrow_table().sort_by("n")


def read(column: pa.ChunkedArray) -> list:
    return [each.as_py() for each in column]


@OFTEN
@given(st.lists(made.images, min_size=1, max_size=4), st.data())
def test_a_column_holds_what_python_reads(con, images, data):
    hows = data.draw(st.lists(st.integers(0, 3), min_size=len(images), max_size=len(images)))
    twice = data.draw(st.booleans())
    columns = made.columns_of(made.schema(images))
    if not columns:
        return
    rows = [
        " " + made.written(made.twice(image), how) if twice and how else made.written(image, how)
        for image, how in zip(images, hows, strict=True)
    ]
    found = answer(con, [*rows, None], columns)
    for column in columns:
        assert read(found.column(column.name)) == expected(column, images), (column.path, column_type(column))


FEW = st.lists(st.dictionaries(made.names, made.values, max_size=2), min_size=1, max_size=3)


@SELDOM
@given(FEW, st.sampled_from([Masks(), Masks(how="redact"), Masks(how="hash", salt="s" * 70), Masks(how="hash")]))
def test_athenas_columns_are_those_of_the_embedded_engine(con, athena, images, masks):
    columns = made.columns_of(made.schema(images))[:6]
    masks = replace(masks, paths=tuple(column.path[:1] for column in columns[3:]))
    columns = [column for column in columns if len(column.path) > 1 or is_masked(column, masks) or masks == Masks()]
    columns += [replace(each, name=f"{what}{each.name}", what=what) for each in columns for what in ("exists", "type")]
    if columns:
        rows = [None if image is None else made.written(image, 3) for image in [*images, None]]
        found = answer_of_athena(athena, [*images, None], columns, masks), answer(con, rows, columns, masks)
        assert found[0].drop_columns("n").equals(found[1].drop_columns("n"))


def expected(column, images) -> list:
    return [made.column_value(made.at(image, column.path), column.held) for image in [*images, None]]


def test_athenas_columns_hold_what_python_reads(athena):
    member = {"SS": ["1×", "\x1f", "Ý", "\\"]}, {"NS": ["10", "9", "-1", "-1.5", "0.5", "-10", "0"]}
    images = [
        {
            "ss": member[0],
            "ns": member[1],
            "m": {"M": {"a": member[0], "😀": member[1]}},
            "l": {"L": [*member, {"N": "1"}]},
        },
        {"ss": {"S": "x"}, "ns": {"NS": ["2.5"]}, "m": {"M": {}}, "n": {"N": "1.50"}, "b": {"BS": ["AQ==", "AA=="]}},
        {
            "ss": {"N": "007"},
            "n": {"N": "-3"},
            "l": {"L": []},
            "k": {"L": [{"N": "1.25"}, {"NULL": True}]},
            "*": {"B": "AA=="},
        },
        {
            "ss": {"BOOL": True},
            "n": {"NULL": True},
            "": {"BOOL": False},
            "k": {"L": [{"N": "10"}]},
            "q\"'o": {"N": "1E+5"},
        },
    ]
    columns = made.columns_of(made.schema(images))
    found = answer_of_athena(athena, [*images, None], columns)
    for column in columns:
        assert read(found.column(column.name)) == expected(column, images), column.path


@OFTEN
@given(st.lists(made.images, min_size=1, max_size=3))
def test_existence_and_type_are_told_of_null_too(con, images):
    there = [
        AttributeColumn(f"{what}{column.name}", "image", column.path, column.held, what=what)
        for column in made.columns_of(made.schema(images))
        for what in ("exists", "type")
    ]
    if not there:
        return
    rows = [made.written(image) for image in images]
    found = answer(con, rows, there)
    for column in there:
        values = [made.at(image, column.path) for image in images]
        told = [value is not None if column.what == "exists" else next(iter(value or [None])) for value in values]
        assert read(found.column(column.name)) == told


@OFTEN
@given(st.lists(made.images, min_size=1, max_size=3), st.sampled_from(["", "salt", "s" * 70, "ö'"]))
def test_a_masked_attribute_comes_as_frames_show_it(con, images, salt):
    columns = made.columns_of(made.schema(images))
    if not columns:
        return
    names = tuple({column.path[:1] for column in columns})
    rows = [made.written(image, 3) for image in images]
    for masks in (Masks(names), Masks(names, "hash", salt)):
        found = answer(con, rows, columns, masks)
        for column in columns:
            values = [made.at(image, column.path) for image in images]
            assert column_type(column, masks) == "varchar"
            assert read(found.column(column.name)) == [
                None if value is None else REDACTED if masks.how == "redact" else hashed(whole(value), salt)
                for value in values
            ]


def whole(value) -> bytes:
    return made.canonical_value(value).encode()


def test_a_map_that_holds_what_is_masked_is_refused_whole():
    root = made.schema(
        [{"person": {"M": {"email": {"S": "x"}, "age": {"N": "1"}}}, "list": {"L": [{"M": {"e": {"S": ""}}}]}}]
    )
    person = AttributeColumn("c", "image", ("person",), root.members["person"])
    with pytest.raises(ParameterError, match=r"person holds person\.email, which is masked"):
        typed_columns("t", {}, [person], dialect="duckdb", masks=Masks((("person", "email"),)))
    for path in (("list",), ("list", 0)):
        column = AttributeColumn("c", "image", path, root.find(path))
        with pytest.raises(ParameterError, match=r"holds list\.e, which is masked"):
            typed_columns("t", {}, [column], dialect="athena", masks=Masks((("list", "e"),)))
    assert typed_columns("t", {}, [person], dialect="duckdb", masks=Masks((("person", "phone"), ("x",))))


def test_a_number_that_the_schema_does_not_know_of_fails_and_is_not_cut(con):
    column = AttributeColumn("c", "image", ("n",), Held({"N": 1}, digits=3, scale=2, int64=False))
    assert read(answer(con, ['{"n":{"N":"123.45"}}'], [column]).column("c")) == [Decimal("123.45")]
    for text in ("1E+30", "x"):
        with pytest.raises(duckdb.Error):
            answer(con, [f'{{"n":{{"N":"{text}"}}}}'], [column])


def test_own_columns_come_first_and_nothing_else_is_read(con):
    con.execute('create or replace temp table log as select 1 as ts, \'{"a":{"S":"x"}}\' as new_image, null as image')
    column = AttributeColumn("c1", "new_image", ("a",), Held({"S": 1}))
    text = typed_columns("(select * from log)", {"at": "ts + 1"}, [column], dialect="duckdb")
    assert con.sql(text).to_arrow_table().to_pylist() == [{"at": 2, "c1": "x"}]
    assert con.sql(typed_columns("log", {"at": "ts"}, [], dialect="duckdb")).fetchall() == [(1,)]
