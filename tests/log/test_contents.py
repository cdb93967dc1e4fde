"""Which table a log's changes are of: what is mixed in one log is said."""

from __future__ import annotations

from datetime import datetime

from workbench.log.contents import Part, one_table

NOON = datetime(2026, 11, 18, 12)


def part(table: str) -> Part:
    return Part(table, "eu-central-1", "123456789012", '{"pk":"S"}', 5, NOON, NOON)


def test_changes_of_two_tables_in_one_log_are_said():
    (note,) = one_table([part("orders_eu"), part("Orders-EU")], "orders_eu", None, None).notes
    assert note == "changes of 2 tables are read as those of one (Orders-EU, orders_eu): set table_names for each"
    assert one_table([part("orders_eu"), part("orders_eu")], "orders_eu", None, None).notes == ()
