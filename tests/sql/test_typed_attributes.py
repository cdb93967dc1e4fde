"""Attributes of images as typed columns are what Python reads of them, in every engine's SQL."""

from __future__ import annotations

from decimal import Decimal

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers import attribute_values as made
from workbench.engines.ingest import register_functions
from workbench.errors import ParameterError
from workbench.model.attribute_schema import Held
from workbench.model.masked_values import REDACTED, hashed
from workbench.sql.typed_attributes import AttributeColumn, Masks, column_type, typed_columns

OFTEN = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def con():
    with duckdb.connect(config={"integer_division": True}) as connection:
        connection.execute("set TimeZone = 'UTC'")
        register_functions(connection)
        yield connection


def columns_of(root: Held) -> list[AttributeColumn]:
    """A column for every attribute of a schema, for the first two elements of each list, and for what is in these."""
    paths: list[tuple] = []
    todo: list[tuple[tuple, Held]] = [((), root)]
    while todo:
        path, held = todo.pop()
        below = [(name, member) for name, member in held.members.items()]
        below += [(index, held.elements) for index in (0, 1) if held.elements]
        for step, inner in below:
            paths.append(((*path, step), inner))
            todo.append(((*path, step), inner))
    return [AttributeColumn(f"c{n}", "image", path, held) for n, (path, held) in enumerate(paths)]


def schema(images) -> Held:
    root = Held()
    for image in images:
        root.add(made.written(image))
    return root


def answer(con, rows, columns, masks=Masks()) -> pa.Table:  # noqa: B008 - is frozen
    con.register("rows", pa.table({"n": range(len(rows)), "image": pa.array(rows, pa.string())}))
    text = typed_columns("rows", {"n": "n"}, columns, dialect="duckdb", masks=masks)
    return con.sql(text).to_arrow_table().sort_by("n")


def read(column: pa.ChunkedArray) -> list:
    return [each.as_py() for each in column]


@OFTEN
@given(st.lists(made.images, min_size=1, max_size=4), st.data())
def test_a_column_holds_what_python_reads(con, images, data):
    hows = data.draw(st.lists(st.integers(0, 3), min_size=len(images), max_size=len(images)))
    twice = data.draw(st.booleans())
    columns = columns_of(schema(images))
    if not columns:
        return
    rows = [
        " " + made.written(made.twice(image), how) if twice and how else made.written(image, how)
        for image, how in zip(images, hows, strict=True)
    ]
    found = answer(con, [*rows, None], columns)
    for column in columns:
        expected = [made.column_value(made.at(image, column.path), column.held) for image in [*images, None]]
        assert read(found.column(column.name)) == expected, (column.path, column_type(column))


@OFTEN
@given(st.lists(made.images, min_size=1, max_size=3))
def test_existence_and_type_are_told_of_null_too(con, images):
    there = [
        AttributeColumn(f"{what}{column.name}", "image", column.path, column.held, what=what)
        for column in columns_of(schema(images))
        for what in ("exists", "type")
    ]
    if not there:
        return
    found = answer(con, [made.written(image) for image in images], there)
    for column in there:
        values = [made.at(image, column.path) for image in images]
        expected = [value is not None if column.what == "exists" else next(iter(value or [None])) for value in values]
        assert read(found.column(column.name)) == expected


@OFTEN
@given(st.lists(made.images, min_size=1, max_size=3), st.sampled_from(["", "salt", "s" * 70, "ö'"]))
def test_a_masked_attribute_comes_as_frames_show_it(con, images, salt):
    columns = columns_of(schema(images))
    if not columns:
        return
    names = tuple({column.path[:1] for column in columns})
    rows = [made.written(image, 3) for image in images]
    redacted = answer(con, rows, columns, Masks(names))
    hidden = answer(con, rows, columns, Masks(names, "hash", salt))
    for column in columns:
        values = [made.at(image, column.path) for image in images]
        assert read(redacted.column(column.name)) == [None if value is None else REDACTED for value in values]
        assert read(hidden.column(column.name)) == [
            None if value is None else hashed(made.canonical_value(value).encode(), salt) for value in values
        ]
        assert column_type(column, Masks(names)) == "varchar"


def test_a_map_that_holds_what_is_masked_is_refused_whole():
    root = schema(
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
