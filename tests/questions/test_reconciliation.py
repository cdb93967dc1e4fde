"""The state a log leads to against the table itself, and states that begin with an export."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from tests.helpers.logs import record, write_log
from workbench import Workbench
from workbench.errors import ParameterError, StoreError
from workbench.log.export_manifests import find_exports
from workbench.sandbox import ItemStore, deliver

LONG_AGO = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def wb(tmp_path) -> Workbench:
    return Workbench(home=tmp_path / "home")


def write(wb: Workbench, *, puts=(), deletes=(), table: str = "things", at: datetime | None = LONG_AGO, delivered=True):
    """Write to the table; without `delivered` the changes wait, and with None they are lost."""
    with ItemStore(wb.settings.item_store) as store:
        if table not in store.tables():
            store.create_table(table, {"pk": "S"})
        for item in puts:
            store.put_item(table, item, now=at)
        for key in deletes:
            store.delete_item(table, {"pk": key}, now=at)
        if delivered:
            deliver(store, wb.settings.lake, table)
        elif delivered is None and (pending := list(store.pending(table))):
            store.delivered(table, pending[-1][0])


def rows(found) -> list[tuple]:
    df = found.df.astype({"before": object, "after": object})
    return list(df[["pk", "item", "path", "before", "after"]].itertuples(index=False, name=None))


def test_a_log_that_tells_all_agrees_with_its_table(wb):
    write(wb, puts=[{"pk": "a", "v": 1, "tags": {"x", "y"}}, {"pk": "b"}], deletes=["b"])
    found = wb.reconcile("things")
    assert found.agrees
    assert found.items == {"missing": 0, "extra": 0, "differing": 0, "same": 1}
    assert found.df.empty


def test_what_the_log_does_not_tell_is_found_item_by_item_and_attribute_by_attribute(wb):
    write(wb, puts=[{"pk": "same"}, {"pk": "differs", "v": 1, "m": {"x": "1"}}, {"pk": "gone", "v": 1}])
    write(
        wb,
        puts=[{"pk": "differs", "v": 2, "m": {"x": "1", "y": None}}, {"pk": "new", "v": 1}],
        deletes=["gone"],
        delivered=None,
    )
    found = wb.reconcile("things")
    assert not found.agrees
    assert found.items == {"missing": 1, "extra": 1, "differing": 1, "same": 1}
    told = {(row[0], row[1], row[2]): row[3:] for row in rows(found)}
    assert told == {
        ("differs", "differing", "m.y"): (pd.NA, None),
        ("differs", "differing", "v"): (1, 2),
        ("gone", "extra", "v"): (1, pd.NA),
        ("new", "missing", "v"): (pd.NA, 1),
    }


def test_changes_that_are_still_on_their_way_count_for_no_difference_until_they_are_late(wb):
    now = datetime.now(UTC)
    write(wb, puts=[{"pk": "a", "v": 1}, {"pk": "b", "v": 1}])
    write(wb, puts=[{"pk": "a", "v": 2}], at=now - timedelta(hours=1), delivered=False)
    write(wb, puts=[{"pk": "b", "v": 2}, {"pk": "c"}], at=now, delivered=False)
    found = wb.reconcile("things")
    assert found.items == {"missing": 0, "extra": 0, "differing": 1, "in flight": 2, "same": 0}
    assert not found.agrees
    assert wb.reconcile("things", lag="2h").agrees
    with ItemStore(wb.settings.item_store) as store:
        deliver(store, wb.settings.lake, "things")
    assert wb.reconcile("things").items == {"missing": 0, "extra": 0, "differing": 0, "same": 3}


def test_an_export_is_compared_with_the_state_at_its_time(wb, tmp_path):
    write(wb, puts=[{"pk": "a", "v": 1}, {"pk": "b", "v": 1}])
    write(wb, puts=[{"pk": "b", "v": 9}], delivered=None)
    folder = wb.export_baseline("things", tmp_path / "exports")
    write(wb, puts=[{"pk": "a", "v": 2}], at=datetime.now(UTC) + timedelta(seconds=1))
    found = wb.reconcile("things", folder)
    assert found.stats.notes == ("the export is younger than 15 min: what differs may be on its way; ask again then",)
    assert wb.reconcile("things", folder, lag="0s").stats.notes == ()
    assert [row[:3] for row in rows(found)] == [("b", "differing", "v")]
    # an export that is the baseline too must not be compared with itself
    assert not Workbench(home=wb.settings.home, baseline=str(folder)).reconcile("things", folder).agrees
    write(wb, puts=[{"pk": "a"}], table="others")
    with pytest.raises(
        ParameterError, match="holds no full export of 'others' to compare with, but: full, of 'things', "
    ):
        wb.reconcile("others", folder)


def test_a_table_that_is_not_there_is_named(wb):
    write(wb, puts=[{"pk": "a"}])
    Path(wb.settings.item_store).unlink()
    with pytest.raises(StoreError, match="there is no table 'things' in the item store"):
        wb.reconcile("things")


@pytest.mark.slow
def test_a_hundred_thousand_items_agree_and_each_planted_difference_and_only_those_is_found(wb):
    wb.generate(
        "persons",
        items=100_000,
        changes=130_000,
        start=datetime(2026, 1, 5, tzinfo=UTC),
        end=datetime(2026, 1, 12, tzinfo=UTC),
    )
    found = wb.reconcile("persons")
    assert found.agrees
    assert found.items["same"] > 90_000
    with ItemStore(wb.settings.item_store) as store:
        items = [item for _, item in zip(range(3_000), store.scan("persons"), strict=False)][::1_000]
        with store.bulk():
            store.put_item("persons", items[0] | {"visits": -1})
            store.delete_item("persons", {"pk": items[1]["pk"]})
            store.put_item("persons", {"pk": "planted", "only": {"here": True}})
            store.put_item("persons", {name: value for name, value in items[2].items() if name != "balance"})
        store.delivered("persons", list(store.pending("persons"))[-1][0])
    found = wb.reconcile("persons")
    assert {(row[0], row[1]) for row in rows(found)} == {
        (items[0]["pk"], "differing"),
        (items[1]["pk"], "extra"),
        ("planted", "missing"),
        (items[2]["pk"], "differing"),
    }
    differing = {row[0]: row[2] for row in rows(found) if row[1] == "differing"}
    assert differing == {items[0]["pk"]: "visits", items[2]["pk"]: "balance"}


# --- a baseline


@pytest.fixture
def exported(wb, tmp_path) -> Workbench:
    """A table of which the stream saw nothing before the export."""
    write(wb, puts=[{"pk": "old", "v": 1}, {"pk": "changed", "v": 1}, {"pk": "removed", "v": 1}], delivered=None)
    wb.export_baseline("things", tmp_path / "exports")
    later = datetime.now(UTC) + timedelta(seconds=1)
    write(wb, puts=[{"pk": "changed", "v": 2}, {"pk": "new", "v": 1}], deletes=["removed"], at=later)
    return Workbench(home=wb.settings.home, baseline=str(tmp_path / "exports"))


def test_items_the_stream_never_saw_are_in_the_latest_state_and_at_instants_after_the_export(exported, wb):
    assert wb.latest_state("things").df["pk"].tolist() == ["changed", "new"]
    told = exported.latest_state("things")
    assert told.df[["pk", "v"]].values.tolist() == [["changed", 2], ["new", 1], ["old", 1]]
    assert "from the export of" in told.stats.notes[0]
    assert exported.reconcile("things").agrees
    at = told.df.set_index("pk").loc["old", "_changed_at"]
    assert exported.latest_state("things", as_of=at).df["pk"].tolist() == ["changed", "old", "removed"]
    assert exported.latest_state("things", as_of=at - pd.Timedelta("1s")).df.empty


def test_a_change_of_the_very_instant_of_the_export_is_in_it_already(wb, tmp_path):
    write(wb, puts=[{"pk": "a", "v": 2}], delivered=None)
    (export,) = find_exports(wb.export_baseline("things", tmp_path / "exports"))
    micros = (export.time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    key = {"pk": {"S": "a"}}
    seen = record("MODIFY", key, micros, old=key | {"v": {"N": "1"}}, new=key | {"v": {"N": "2"}})
    write_log(tmp_path / "log", [seen])
    told = Workbench(tmp_path / "log", baseline=str(tmp_path / "exports")).latest_state("things")
    assert told.df[["pk", "v"]].values.tolist() == [["a", 2]]
    assert told.stats.ambiguous_ties == 0


def test_the_history_of_an_item_begins_with_the_export_where_the_stream_saw_nothing_before(exported):
    old = exported.item_history("things", {"pk": "old"}).df
    assert old[["event_name", "path", "after"]].values.tolist() == [["BASELINE", "v", 1]]
    changed = exported.item_history("things", {"pk": "changed"}).df
    assert changed["event_name"].tolist() == ["BASELINE", "MODIFY"]
    assert not changed["missing"].any()
    assert exported.item_history("things", {"pk": "new"}).df["event_name"].tolist() == ["INSERT"]


def test_with_a_whole_log_a_baseline_changes_no_answer(wb, tmp_path):
    write(wb, puts=[{"pk": "a", "v": 1}, {"pk": "b", "v": 1}, {"pk": "c"}], deletes=["c"])
    folder = wb.export_baseline("things", tmp_path / "exports")
    write(wb, puts=[{"pk": "a", "v": 2}], deletes=["b"], at=datetime.now(UTC) + timedelta(seconds=1))
    other = Workbench(home=wb.settings.home, baseline=str(folder))
    for deleted in (False, True):
        one, two = (each.latest_state("things", include_deleted=deleted).df for each in (wb, other))
        pd.testing.assert_frame_equal(one, two)
    one, two = (each.item_history("things", {"pk": ""}, prefix=True).df for each in (wb, other))
    pd.testing.assert_frame_equal(one, two)


def test_where_the_log_had_lost_a_change_before_the_export_the_export_is_right(wb, tmp_path):
    write(wb, puts=[{"pk": "a", "v": 1}, {"pk": "b", "v": 1}])
    write(wb, puts=[{"pk": "a", "v": 2}], deletes=["b"], delivered=None)
    folder = wb.export_baseline("things", tmp_path / "exports")
    other = Workbench(home=wb.settings.home, baseline=str(folder))
    told = other.latest_state("things", include_deleted=True).df
    assert told[["pk", "v"]].astype(object).values.tolist() == [["a", 2], ["b", pd.NA]]
    assert told["_deleted_at"].notna().tolist() == [False, True]
    a = other.item_history("things", {"pk": "a"}).df
    assert a[["event_name", "path", "missing"]].values.tolist() == [["INSERT", "v", False], ["BASELINE", "v", True]]
    b = other.item_history("things", {"pk": "b"}).df
    assert b[["event_name", "change", "missing"]].values.tolist() == [
        ["INSERT", "added", False],
        ["BASELINE", "removed", True],
    ]


def test_a_log_from_elsewhere_without_a_table_here_is_told_what_to_compare_with(tmp_path):
    write_log(tmp_path / "log", [record("INSERT", {"pk": {"S": "a"}}, 1_760_000_000_000_000, new={"pk": {"S": "a"}})])
    with pytest.raises(StoreError, match=r"no table 'things' in the item store.*--against EXPORT"):
        Workbench(tmp_path / "log", home=tmp_path / "home").reconcile("things")
