"""SQL text: values stay in their literals, parameters are found where they are meant."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import duckdb
import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import exp

from workbench.errors import ParameterError
from workbench.sql.literals import identifier, literal
from workbench.sql.questions import load_question, questions
from workbench.sql.templates import fill, load

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
FILLED: dict[str, object] = {
    "as_of": AT,
    "include_deleted": True,
    "start": AT,
    "end": AT,
    "until": AT,
    "first": False,
    "unit": "hour",
    "limit": 5,
    "examples": 3,
    "present": AT,
    "late_arrival": 86_400,
    "large": 500_000,
}
hostile = st.text() | st.lists(
    st.sampled_from(["'", "''", '"', "\\", "--", "/*", "*/", ";", ":x", "{t}", "\n", " or 1=1", "a"])
).map("".join)
valid_text = hostile.filter(lambda text: "\0" not in text)


def one(sql: str) -> exp.Expression:
    (statement,) = sqlglot.parse(sql, read="athena")
    return statement


# --- literals


@given(valid_text)
def test_a_text_never_leaves_its_literal(text):
    where = one(fill("select * from t where a = :x and b = 1", {"x": text})).find(exp.Where)
    assert where.this.left.right == exp.Literal.string(text)
    assert where.this.right.sql() == "b = 1"


@given(valid_text)
def test_duckdb_gets_the_text_that_was_given(text):
    sql = sqlglot.transpile(fill("select :x", {"x": text}), read="athena", write="duckdb")[0]
    assert duckdb.sql(sql).fetchall() == [(text,)]


@given(st.lists(valid_text, min_size=1, max_size=3))
def test_a_list_is_as_many_literals_as_it_has_elements(texts):
    (found,) = one(fill("select * from t where a in :x", {"x": texts})).find_all(exp.In)
    assert found.expressions == [exp.Literal.string(text) for text in texts]


@given(st.text(min_size=1).filter(lambda text: "\0" not in text))
def test_an_identifier_never_leaves_its_quotes(name):
    (column,) = one(f"select {identifier(name)} from t").expressions
    assert (column.name, column.this.quoted) == (name, True)


@pytest.mark.parametrize(
    ("value", "sql"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (5, "5"),
        (-5, "(-5)"),
        (1.5, "double '1.5'"),
        (1e-300, "double '1e-300'"),
        ("it's", "'it''s'"),
        ("", "''"),
        ("a\\", "'a\\'"),
        (date(2026, 1, 2), "date '2026-01-02'"),
        (AT, "timestamp '2026-01-01 12:00:00.000000'"),
        (datetime(2026, 1, 1, 12, 0, 0, 7, timezone(timedelta(hours=2))), "timestamp '2026-01-01 10:00:00.000007'"),
        (Decimal("1.50"), "cast('1.50' as decimal(3, 2))"),
        (Decimal("1E+3"), "cast('1000' as decimal(4, 0))"),
        (Decimal("-0.001"), "cast('-0.001' as decimal(3, 3))"),
        (Decimal(0), "cast('0' as decimal(1, 0))"),
        (("a", 1), "('a', 1)"),
        (["x"], "('x')"),
    ],
    ids=str,
)
def test_each_type_has_its_literal(value, sql):
    assert literal(value) == sql
    one(f"select {sql}")


@given(
    st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans()
    | st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)).map(lambda at: at.replace(tzinfo=UTC))
    | st.builds(
        lambda sign, digits, exponent: Decimal((sign, tuple(digits), exponent)),
        st.integers(0, 1),
        st.lists(st.integers(0, 9), min_size=1, max_size=19),
        st.integers(-19, 19),
    )
)
def test_duckdb_gets_the_value_that_was_given_to_the_last_digit(value):
    sql = sqlglot.transpile(fill("select :x", {"x": value}), read="athena", write="duckdb")[0]
    ((found,),) = duckdb.sql(sql).fetchall()
    assert found == (value.replace(tzinfo=None) if isinstance(value, datetime) else value)


def test_a_negative_number_after_a_minus_does_not_become_a_comment():
    assert one(fill("select 10 -:x as y, 1 as z", {"x": -3})).sql() == "SELECT 10 - (-3) AS y, 1 AS z"


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        Decimal("NaN"),
        Decimal("-Infinity"),
        Decimal("1." + "1" * 38),
        Decimal("1E+38"),
        "a\0b",
        object(),
        {},
        [],
        b"x",
    ],
    ids=lambda value: repr(value).partition(" at ")[0],
)
def test_what_no_literal_can_hold_is_refused(value):
    with pytest.raises(ParameterError):
        literal(value)


def test_a_time_without_a_zone_is_refused_with_the_way_to_write_it():
    with pytest.raises(ParameterError, match="has no time zone: write it like 2026-01-01T12:00:00Z"):
        literal(datetime(2026, 1, 1, 12))


# --- parameters


@pytest.mark.parametrize(
    "kept",
    [
        "':x {t}'",
        "'it''s :x'",
        '":x {t}"',
        '"a "" :x"',
        "-- :x {t} it's\n",
        "/* :x\n {t} ' */",
        "a::varchar",
        "'12:30'",
    ],
)
def test_texts_quoted_names_comments_and_casts_are_left_alone(kept):
    assert fill(f"select {kept}, :x from {{t}}", {"x": 1}, {"t": "q"}) == f"select {kept}, 1 from q"


@given(valid_text, valid_text)
def test_a_value_that_looks_like_a_parameter_is_not_filled_again(one_text, other):
    filled = fill("select :a, :b", {"a": one_text + ":b{t}", "b": other})
    assert [each.this for each in one(filled).expressions] == [one_text + ":b{t}", other]


def test_a_parameter_used_twice_is_filled_twice_and_names_are_told_apart_to_their_end():
    assert fill("select :a, :a, :ab, :a_b", {"a": 1, "ab": 2, "a_b": 3}) == "select 1, 1, 2, 3"


def test_a_missing_parameter_is_named_with_what_was_perhaps_meant():
    with pytest.raises(ParameterError, match=r"needs a value for ':as_of'\. Did you mean 'as_off'\?"):
        fill("select :as_of", {"as_off": 1})
    with pytest.raises(ParameterError, match=r"needs a value for '\{deliveries\}'"):
        fill("select * from {deliveries}")


def test_a_parameter_too_many_is_named_with_what_was_perhaps_meant():
    with pytest.raises(ParameterError, match=r"has no parameter 'as_off'; .* Did you mean 'as_of'\?"):
        fill("select :as_of", {"as_of": 1, "as_off": 1})
    with pytest.raises(ParameterError, match="has no parameter 't'"):
        fill("select 1 -- {t}", names={"t": "x"})
    with pytest.raises(ParameterError, match="has no parameter 'x'"):
        fill("select ':x'", {"x": 1})


# --- files


def test_there_is_a_question_for_every_file_and_a_wrong_name_is_helped():
    assert {"latest_state", "change_frequency", "hot_keys"} <= set(questions())
    with pytest.raises(ParameterError, match=r"no question 'latest_stat'; there are: .*Did you mean 'latest_state'\?"):
        load_question("latest_stat")


@pytest.mark.parametrize("name", questions())
def test_a_question_says_what_it_answers_and_is_one_statement_in_athenas_dialect(name):
    text = load(name).replace("{candidates}", load("parts/candidates"))
    text = text.replace("{settled_instants}", load("parts/settled_instants"))
    text = text.replace("{latest_state}", "select keys, ts, true as ambiguous from {deliveries} where ts <= :as_of")
    header = [line for line in load(name).splitlines() if line.startswith("--")]
    assert header[0].endswith("?"), "the question"
    assert any(line.startswith("-- Parameters:") for line in header)
    assert any(line.startswith("-- Rows:") for line in header)
    values = {each: FILLED[each] for each in FILLED if f":{each}" in text}
    names = {
        each: made
        for each, made in {
            "deliveries": '"t"',
            "canonical": "image",
            "columns": "keys, ts",
            "matching": "true",
            "alive": "true",
            "items": "true",
            "key_schema": "keys",
        }.items()
        if f"{{{each}}}" in text
    }
    assert isinstance(one(fill(text, values, names)), exp.Query)
    assert set(values) == {each for each in FILLED if f":{each}" in "\n".join(header)}, (
        "the header names its parameters"
    )


@pytest.mark.parametrize("part", ["candidates", "from_baseline", "read_json", "read_parquet", "read_export"])
def test_every_part_has_a_comment_that_says_what_it_is(part):
    assert load(f"parts/{part}").startswith("-- ")
