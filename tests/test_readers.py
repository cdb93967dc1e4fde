"""Every reader of change records reads the same: DuckDB's own and the one that goes line by line, JSON and Parquet."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.conftest import chain, micros, write_log
from workbench import Workbench
from workbench.embedded.backup import export_table
from workbench.embedded.store import ItemStore
from workbench.objects import Unreadable, list_objects
from workbench.reader import read_changes
from workbench.records import COLUMNS, canonical_change

KEY = {"pk": {"S": "x"}}
NOON = micros("2026-01-01T12:00:00")
A, B = (KEY | {"v": {"S": letter}} for letter in "AB")
RECORDS = chain(KEY, [(NOON, A), (NOON + 1, B), (NOON + 2, A)], ids=["1", "2", "3"])
NAMES_OF_COLUMNS = (*COLUMNS, "eventID", "eventName", "tableName", "userIdentity", "dynamodb", "object", "Item", "Keys",
                    "NewImage", "Metadata", "row_id", "file_row_number", "path", "size", "modified")  # fmt: skip


# --- a folder's name is never data


@pytest.mark.parametrize("name", NAMES_OF_COLUMNS)
@pytest.mark.parametrize("layout", ["raw", "envelope", "parquet"])
def test_no_reader_takes_a_column_out_of_a_folders_name(tmp_path, layout, name):
    folders = (f"{name}=2030-01-01", f"{name.lower()}=INSERT")
    plain, named = tmp_path / "plain", tmp_path / "named"
    for number, change in enumerate(RECORDS):
        write_log(plain / folders[number % 2].replace("=", "-"), [change], layout, name=str(number))
        write_log(named / folders[number % 2], [change], layout, name=str(number))
    one, other = (Workbench(folder).changes("things").df for folder in (plain, named))
    assert len(one) == len(RECORDS)
    pd.testing.assert_frame_equal(one, other)
    slow = [found for item in list_objects(named) for found in read_changes(item)]
    assert not [found for found in slow if isinstance(found, Unreadable)]
    assert sorted(slow, key=lambda change: change["ts"]) == [canonical_change(change) for change in RECORDS]


@pytest.mark.parametrize("name", NAMES_OF_COLUMNS)
def test_exports_and_checkpoints_lie_in_folders_of_any_name(tmp_path, name):
    log, place = tmp_path / "log", tmp_path / f"{name}=REMOVE"
    write_log(log, RECORDS)
    with ItemStore(tmp_path / "store.db") as store:
        store.create_table("things", {"pk": "S"})
        store.put_item("things", {"pk": "x", "v": "B"})
        export_table(store, "things", place / "exports")
    wb = Workbench(log, checkpoints=str(place / "checkpoints"))
    expected = wb.latest_state("things").df
    wb.checkpoint("things")
    again = Workbench(log, checkpoints=str(place / "checkpoints")).latest_state("things")
    pd.testing.assert_frame_equal(again.df, expected)
    assert any("checkpoint" in note for note in again.stats.notes)
    reconciled = Workbench(log, checkpoints="off").reconcile("things", against=place / "exports")
    assert list(reconciled.df["path"]) == ["v"]
