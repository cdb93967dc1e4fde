"""A question's head declares what its text is: both are held against each other, and against what engines answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from workbench.engines.scan import Window, window_of
from workbench.engines.unload import answer_over_nothing
from workbench.errors import ParameterError
from workbench.model.conditions import parse
from workbench.model.times import END_OF_TIME, START_OF_TIME, duration
from workbench.sql.filters import EVERYTHING, Filter
from workbench.sql.questions import load_question, parse_question, questions
from workbench.sql.templates import load

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
TYPES = {
    "VARCHAR": "varchar",
    "BIGINT": "bigint",
    "HUGEINT": "bigint",
    "INTEGER": "bigint",
    "DECIMAL": "decimal",
    "DOUBLE": "double",
    "BOOLEAN": "boolean",
    "TIMESTAMP": "timestamp",
    "VARCHAR[]": "array(varchar)",
}
HEAD = """-- What is it?
--
-- Parameters:
--   :start timestamp = beginning    from here on
-- Reads: keys
-- Columns:
--   n bigint
select count(*) as n from {deliveries} where ts >= :start
"""


@pytest.mark.parametrize("name", questions())
def test_a_question_answers_with_the_columns_its_head_declares(name):
    asked = load_question(name)
    with duckdb.connect(config={"integer_division": True}) as con:
        rows = answer_over_nothing(asked, asked.bind({}))
        con.register("answer", rows)
        described = con.sql("describe answer").fetchall()
    assert [column.name for column in asked.columns] == [column for column, *_ in described]
    for column, (_, kind, *_) in zip(asked.columns, described, strict=True):
        sums = kind.startswith("DECIMAL") and kind.endswith(",0)")
        told = "bigint" if sums else TYPES.get(kind.partition("(")[0], kind)
        assert column.type in ("any", told), column.name


@pytest.mark.parametrize("name", questions())
def test_a_question_reads_what_its_head_says_it_reads(name):
    """What it reads, by the columns of its text and of its filter that come from deliveries: as a parser sees them."""
    asked = load_question(name)
    tree = sqlglot.parse_one(asked.compose({}, deliveries="deliveries", canonical="canonical(image)"), read="athena")
    used = {column.name for column in tree.find_all(exp.Column)} | {*asked.filters}
    assert asked.images == bool(used & {"new_image", "old_image"})
    assert asked.arrivals == ("arrival" in used)


@pytest.mark.parametrize("name", questions())
def test_nothing_outside_a_questions_window_changes_its_answer(name):
    """The text compares the times of deliveries with the window's parameters, and with no others."""
    asked = load_question(name)
    tree = sqlglot.parse_one(asked.compose({}, deliveries="the_log"), read="athena")
    (scan,) = [each for each in tree.find_all(exp.Select) if _reads_deliveries(each)]
    compared = {
        type(each).__name__ for each in scan.args["where"].find_all(exp.GTE, exp.LT, exp.LTE) if each.this.name == "ts"
    }
    ends = {"LTE"} if asked.window.last == "as_of" else {"LT"}
    assert compared == ends | ({"GTE"} if asked.window.first else set())


def _reads_deliveries(select: exp.Select) -> bool:
    source = select.args.get("from_") or select.args.get("from")
    return source is not None and isinstance(source.this, exp.Table) and source.this.name == "the_log"


def test_a_window_is_what_the_head_says():
    values = {"start": AT, "end": AT, "as_of": AT}
    late = duration("1h").to_pytimedelta()
    assert window_of(load_question("hot_keys"), values, late).first < AT
    assert window_of(load_question("chain_gaps"), values, late) == Window(None, AT + late, False)
    until = {"start": AT, "end": END_OF_TIME - timedelta(microseconds=1)}  # which no zone's clock could tell
    assert window_of(load_question("chain_gaps"), until, timedelta(0)).last is None
    assert window_of(load_question("latest_state"), values, late) == Window(None, AT + late, False)
    assert window_of(load_question("hot_keys"), load_question("hot_keys").bind({}), late) == Window(None, None, True)


def test_what_is_not_given_has_its_default_and_what_is_given_as_text_is_read():
    bound = load_question("hot_keys").bind({"limit": "5", "start": "2026-01-01T12:00:00Z", "end": None})
    assert bound == {"start": AT, "end": END_OF_TIME, "limit": 5}
    assert load_question("latest_state").bind({"include_deleted": "true"}) == {
        "as_of": END_OF_TIME,
        "include_deleted": True,
    }
    assert load_question("record_sizes").bind({})["large"] == (1 << 20) // 2
    assert load_question("change_frequency").bind({})["start"] == START_OF_TIME
    with pytest.raises(ParameterError, match="limit is 'five': it must be a whole number"):
        load_question("hot_keys").bind({"limit": "five"})
    with pytest.raises(ParameterError, match=r"hot_keys has no parameter 'limits'. Did you mean 'limit'\?"):
        load_question("hot_keys").bind({"limits": 5})


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("Columns:", "Colums:", "'Colums' is no section of a head"),
        ("start timestamp", "start timestmp", "line ':start timestmp"),
        (":start timestamp", ":begin timestamp", "no :begin; the head has no parameter :start"),
        ("= beginning", "= someday", "default 'someday'"),
        ("Reads: keys", "Reads: pictures", "reads 'pictures'"),
        ("Reads: keys", "Filter: image", "no {matching}"),
        ("Reads: keys", "Window: before :end", "window names :end"),
        ("Reads: keys", "Window: sometimes", "'sometimes' cannot be read"),
        ("{deliveries}", "{deliveries} cross join {more}", "nothing fills {more} in"),
        ("ts >= :start", "ts >= :start and ({matching})", "no Filter: for {matching}"),
        ("n bigint", "n", "line 'n' cannot be read"),
        ("count(*)", "max(new_image)", "reads new_image, and the head has no images"),
        ("count(*)", 'max("old_image")', "reads old_image, and the head has no images"),
        ("count(*)", "max(arrival)", "reads arrival, and the head has no arrivals"),
        ("start", "after", ":after has the name of a parameter that every question has"),
    ],
)
def test_a_head_and_a_text_that_disagree_are_refused(old, new, told):
    assert parse_question("it", HEAD).title == "What is it?"
    with pytest.raises(ParameterError, match=told.replace("{", r"\{").replace("}", r"\}")):
        parse_question("it", HEAD.replace(old, new))


def test_every_parameter_and_column_is_explained_or_explains_itself():
    for name in questions():
        asked = load_question(name)
        assert all(each.meaning for each in asked.parameters.values()), name
        assert asked.rows, name
        assert load(name).startswith(f"-- {asked.title}")


# --- filters


def test_a_condition_whose_names_hold_the_word_keys_is_no_choice_of_items():
    assert not Filter(condition=parse("monkeys > 3")).only_items
    assert not Filter(("{}",), condition=parse("monkeys > 3")).only_items
    assert Filter(('{"pk":{"S":"a"}}',)).only_items
    assert EVERYTHING.sql() == "true"
    assert Filter(nothing=True, keys=("a",)).sql() == "false"
    assert Filter(("it's",), ("INSERT", "REMOVE")).sql() == "(keys in ('it''s')) and event_name in ('INSERT', 'REMOVE')"
