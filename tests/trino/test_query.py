"""Queries of a person's own on Trino, which Athena engine 3 is: its answers are the embedded engine's."""

from __future__ import annotations

import duckdb
import pytest

from tests.helpers.expressions import ITEMS, QUERIES
from tests.helpers.queries import Images, values_of
from workbench.engines.ingest import register_functions

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
