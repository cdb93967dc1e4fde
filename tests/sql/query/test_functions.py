"""Every function and operator, over edge inputs: DuckDB's text and Athena's have the same answer, here on DuckDB.

Athena's text is run as the test server runs it; `tests/trino/test_query.py` runs it on Trino.
"""

from __future__ import annotations

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from tests.helpers.aws import dialect
from tests.helpers.expressions import ITEMS, QUERIES
from tests.helpers.queries import Images, values_of
from workbench.engines.ingest import register_functions
from workbench.errors import ParameterError
from workbench.sql.query.functions import AGGREGATES, NAMED, SCALARS, WINDOW_FUNCTIONS
from workbench.sql.query.patterns import pattern_of

LOG = Images({"e": ITEMS})


@pytest.fixture(scope="module")
def engines():
    with (
        duckdb.connect(config={"integer_division": True}) as ours,
        duckdb.connect(config={"integer_division": True}) as athena,
    ):
        ours.execute("set TimeZone = 'UTC'")
        register_functions(ours)
        dialect.prepare(athena)
        yield ours, athena


@pytest.mark.parametrize("sql", QUERIES)
def test_both_texts_have_one_answer(engines, sql):
    ours, athena = engines
    planned = LOG.plan(sql)
    theirs = dialect.translated(sqlglot.parse_one(LOG.unloaded(planned), read="athena"))
    answers = [
        values_of(planned, con.sql(text).to_arrow_table())
        for con, text in ((ours, LOG.text(planned, "duckdb")), (athena, theirs))
    ]
    assert answers[0] == answers[1]
    assert answers[0]


def test_every_function_is_tried():
    tried = {type(node) for sql in QUERIES for node in sqlglot.parse_one(sql, read="athena").walk()}
    same = {exp.DateTrunc: exp.TimestampTrunc}
    missing = {same.get(each, each) for each in (*AGGREGATES, *SCALARS, *WINDOW_FUNCTIONS)} - tried
    assert not missing
    text = " ".join(QUERIES)
    assert all(f"{name}(" in text for name in NAMED if name != "changed")


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("replace(s, '', 'x')", "is not empty"),
        ("replace(s, s, 'x')", "is not empty"),
        ("split(s, '')", "is not empty"),
        ("split_part(s, ',', 0)", "from 1 on"),
        ("split_part(s, ',', n)", "from 1 on"),
        ("lpad(s, -1, 'x')", "from 0 on"),
        ("lpad(s, 3, '')", "is not empty"),
        ("chr(-1)", "number of Unicode"),
        ("chr(55296)", "number of Unicode"),
        ("regexp_like(s, s)", "written here"),
        ("regexp_like(s, '(?=a)')", "differently"),
        ("regexp_like(s, '(?i)a')", "differently"),
        ("regexp_like(s, '[[:alpha:]]')", "differently"),
        ("regexp_like(s, 'a++')", "differently"),
        ("regexp_like(s, '(a')", "never closed"),
        ("regexp_extract(s, '(a)(b)?', 2)", "not part of the match"),
        ("regexp_extract(s, '(x)|(a)', 1)", "not part of the match"),
        ("regexp_extract(s, '(a)', 2)", "has 1 groups"),
        ("regexp_replace(s, 'a', '$')", "no group"),
        ("regexp_replace(s, '(a)', '\\1')", "no group"),
        ("regexp_replace(s, '(a)', '$12')", "no group"),
        ("regexp_replace(s, 'a*', 'x')", "empty text"),
        ("date_format(cast(t as timestamp), '%f')", "microseconds"),
        ("date_format(cast(t as timestamp), '%x-%v')", "not read alike"),
        ("date_format(cast(t as timestamp), s)", "written here"),
        ("date_trunc('microsecond', cast(t as timestamp))", "a unit of time is"),
        ("date_trunc('hour', current_date)", "a unit of time is"),
        ("date_add('hour', 1, current_date)", "a unit of time is"),
        ("extract(hour from current_date)", "takes a timestamp"),
        ("current_date + interval '1' hour", "to a date"),
        ("cast(t as timestamp) at time zone 'EST'", "Europe/Berlin"),
        ("round(d, n)", "written here"),
        ("mod(d, 2)", "no remainder"),
        ("d*d*d*d*d*d*d*d*d", "digits after the point"),
        ("coalesce(n)", "two values"),
        ("lower(null)", "write its type"),
        ("ss = array['a']", "IS [NOT] DISTINCT FROM"),
        ("s like 'a!b' escape '!'", "ESCAPE takes one sign"),
        ("cast('x' as bigint)", "is not a number"),
        ("date 'x'", "is not a date"),
        ("timestamp 'x'", "is not a timestamp"),
        ("99999999999999999999", "64 bits"),
        ("1e400", "double"),
        ("999999999999999999999999999999999999.999", "38 digits"),
        ("lag(n, n) over (order by pk)", "from 0 on"),
        ("lag(n, 1, 0.5) over (order by pk)", "type of the others"),
        ("ntile(0) over (order by pk)", "from 1 on"),
        ("count(distinct n) over ()", "DISTINCT"),
        ("sum(n) filter (where b) over ()", "FILTER"),
        ("array_agg(n) over ()", "GROUP BY"),
    ],
)
def test_what_engines_answer_otherwise_is_refused(expression, told):
    with pytest.raises(ParameterError, match=r".") as refused:
        LOG.plan(f"select {expression} as x from e")
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("written", "groups"),
    [
        (r"^(\d+)(px)?$", (True, False)),
        ("(a)|(b)", (False, False)),
        ("((a)|b)(c)+", (True, False, True)),
        ("(a{0,2})(b){0,2}", (True, False)),
        ("(?:(a)|x)", (False,)),
        ("(a)*?", (False,)),
    ],
)
def test_which_groups_are_part_of_every_match(written, groups):
    assert pattern_of(written).groups == groups
