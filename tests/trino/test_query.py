"""Queries of a person's own on Trino, which Athena engine 3 is: its answers are the embedded engine's."""

from __future__ import annotations

import duckdb
import pytest

from tests.helpers.expressions import ITEMS, QUERIES
from tests.helpers.queries import NOW, Images, values_of
from workbench.engines.ingest import register_functions
from workbench.questions import lifetimes, transitions, trend
from workbench.sql.query import plan

pytestmark = [pytest.mark.trino, pytest.mark.timeout(1500)]
LOG = Images({"e": ITEMS})


@pytest.fixture(scope="module")
def con():
    with duckdb.connect(config={"integer_division": True}) as connection:
        connection.execute("set TimeZone = 'UTC'")
        register_functions(connection)
        yield connection


@pytest.mark.parametrize("sql", QUERIES)
def test_trino_answers_as_duckdb_does(trino, con, sql):
    planned = LOG.plan(sql)
    theirs = trino.query(LOG.unloaded(planned))
    ours = con.sql(LOG.text(planned, "duckdb")).to_arrow_table()
    assert values_of(planned, theirs) == values_of(planned, ours)


OWN = {
    **{f"transitions of {path}": transitions.text_of("e", path) for path in ("s", "n", "d", "f", "b", "n > 1")},
    **{f"lifetimes by {by}": lifetimes.text_of("e", by=by) for by in (None, "s", "d", "f", "b")},
    **{
        f"trend of {aggregate} by {by}": trend.text_of("e", aggregate, by=by, where=where, told_by_steps=told_by_steps)
        for aggregate, by, where, told_by_steps in (
            ("count(*)", None, None, True),
            ("sum(n)", "s", "n > 0 or b", True),
            ("sum(d)", "b", None, True),
            ("avg(big)", "d", None, True),
            ("sum(f)", "f", None, False),
            ("max(s)", "s", None, False),
            ("count(distinct b)", None, None, False),
        )
    },
}


@pytest.mark.parametrize("name", OWN)
def test_trino_answers_the_queries_of_questions_as_duckdb_does(trino, con, name):
    planned = plan(OWN[name], {}, LOG, now=NOW)
    theirs = trino.query(LOG.unloaded(planned))
    ours = con.sql(LOG.text(planned, "duckdb")).to_arrow_table()
    assert len(ours)
    assert sorted(map(str, values_of(planned, theirs))) == sorted(map(str, values_of(planned, ours)))
