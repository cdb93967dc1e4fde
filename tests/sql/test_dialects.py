"""Queries that differ by instants alone are translated once, each to what it alone is translated to."""

from __future__ import annotations

import pytest
import sqlglot

from workbench.sql.dialects import in_duckdb, to_duckdb

FIRST, SECOND = "2026-01-02 03:04:05.000000", "2026-11-18 06:00:00.123456"


@pytest.mark.parametrize(
    "instants", [(FIRST, SECOND), (SECOND, FIRST), (FIRST, FIRST), (FIRST, "7777-07-07 07:07:07.000000")]
)
@pytest.mark.parametrize(
    "sql",
    [
        "select ts < timestamp '{0}', timestamp '{1}' as until from log where ts >= timestamp '{0}'",
        "select cast(timestamp '{0}' as timestamp(3)), date_diff('second', timestamp '{0}', timestamp '{1}')",
        "select timestamp '{0}' + interval '1' day, 'timestamp ''{1}''', 'timestamp {1}', timestamp '{0}' as \"{1}\"",
        "select with_timezone(timestamp '{0}', 'UTC'), timestamp '2026-01-01', timestamp '2026-01-01 00:00:00 UTC'",
    ],
)
def test_a_query_is_translated_as_if_it_were_the_only_one(sql, instants):
    asked = sql.format(*instants)
    alone = sqlglot.parse_one(asked, read="athena").transform(in_duckdb).sql(dialect="duckdb")
    assert to_duckdb(asked) == alone
    for instant in instants:
        assert alone.count(instant) == asked.count(instant)
