"""What Athena's views are made of, on Trino: of exact types, and with the values that the embedded engine has."""

from __future__ import annotations

import duckdb
import pytest
import sqlglot

from tests.helpers.expressions import ITEMS
from tests.helpers.queries import Images, values_of
from workbench.engines.ingest import register_functions
from workbench.sql.literals import identifier
from workbench.sql.query import whole

pytestmark = [pytest.mark.trino, pytest.mark.timeout(1500)]
LOG = Images({"e": ITEMS})


@pytest.mark.parametrize("suffix", ["", "$changes", "$versions"])
def test_a_view_has_the_values_of_its_relation(trino, suffix):
    plan = whole.whole("e", suffix, LOG)
    shown = whole.on_athena(LOG.text(plan, "athena"), plan)
    every = sqlglot.parse_one(shown, read="athena").named_selects
    names = [name for name in every if f"{name}_text" not in every]
    theirs = trino.query(f"select {', '.join(map(identifier, names))} from ({shown}) as shown")
    theirs = theirs.rename_columns([column.name for column in plan.columns])
    with duckdb.connect(config={"integer_division": True}) as con:
        register_functions(con)
        ours = con.sql(LOG.text(plan, "duckdb")).to_arrow_table()
    assert sorted(values_of(plan, theirs), key=repr) == sorted(values_of(plan, ours), key=repr)
    times = [name for name in every if f"{name}_text" in every]
    assert times
    kinds = trino.query(f"select {', '.join(f'typeof({identifier(name)}) as {name}' for name in times)} from ({shown})")
    assert {kind for row in kinds.to_pylist() for kind in row.values()} == {"timestamp(3)"}, "what views can have"
