"""Streams that hand on keys only, or one image: what counts is counted, and what cannot be told says why."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.helpers.logs import record, write_log
from workbench import Workbench
from workbench.errors import ParameterError
from workbench.model.stream_views import infer_views, missing_images

MICROS = 1_767_344_400_000_000
TYPES = {
    "KEYS_ONLY": (),
    "NEW_IMAGE": ("NewImage",),
    "OLD_IMAGE": ("OldImage",),
    "NEW_AND_OLD_IMAGES": ("NewImage", "OldImage"),
}
LACK = {
    "KEYS_ONLY": "keys only (StreamViewType KEYS_ONLY)",
    "NEW_IMAGE": "new images only (StreamViewType NEW_IMAGE, or flat rows)",
    "OLD_IMAGE": "old images only (StreamViewType OLD_IMAGE)",
}


def changes(kind: str, *, since: int = 0, lost: bool = False) -> list[dict]:
    """Two items: one is changed, the other removed; as a stream of a type hands them on."""
    a, b = {"pk": {"S": "a"}}, {"pk": {"S": "b"}}
    made = [
        ("INSERT", a, None, 1),
        ("MODIFY", a, 1, 2),
        ("MODIFY", a, 2, 3),
        ("INSERT", b, None, 5),
        ("REMOVE", b, 5, None),
    ]
    found = []
    for number, (event, key, old, new) in enumerate(made):
        images = {"OldImage": old, "NewImage": new}
        if lost and number == 1:
            continue
        given = {
            name: key | {"v": {"N": str(value)}} for name, value in images.items() if value and name in TYPES[kind]
        }
        change = record(
            event,
            key,
            MICROS + since + number * 1_000_000,
            new=given.get("NewImage"),
            old=given.get("OldImage"),
            event_id=f"{since}-{number}",
        )
        del change["recordFormat"]
        change["dynamodb"]["StreamViewType"] = kind
        found.append(change)
    return found


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("layout", ["raw", "envelope", "parquet"])
def test_what_has_keys_and_a_time_is_counted_whatever_the_stream(kind, layout, tmp_path):
    write_log(tmp_path, changes(kind), layout)
    wb = Workbench(tmp_path)
    assert wb.change_frequency("things").df[["inserts", "modifies", "removes"]].sum().tolist() == [2, 2, 1]
    busiest = wb.change_frequency("things", by="key").df
    assert busiest[["pk", "changes", "share"]].values.tolist() == [["a", 3, 0.6], ["b", 2, 0.4]]
    assert wb.change_frequency("things", by="concentration").df["items"].sum() == 2
    assert wb.change_frequency("things", by="interval").df["changes"].sum() == 3
    attribute = wb.change_frequency("things", by="attribute")
    assert attribute.df["changes"].tolist() == ([2] if kind == "NEW_AND_OLD_IMAGES" else [])
    listed = wb.changes("things")
    assert len(listed.df) == 5
    for answer in (attribute, listed):
        assert (LACK.get(kind, "the log holds") in answer.summary) is (kind in LACK)


@pytest.mark.parametrize("kind", ["KEYS_ONLY", "OLD_IMAGE"])
def test_a_state_that_no_image_tells_is_refused_by_the_streams_type(kind, tmp_path):
    write_log(tmp_path, changes(kind))
    wb = Workbench(tmp_path)
    for ask in (wb.latest_state, lambda table: wb.diff(table, "2026-01-02")):
        with pytest.raises(ParameterError, match=rf"cannot be told: the log holds .* \(StreamViewType {kind}\)"):
            ask("things")
    with pytest.raises(ParameterError, match=rf"the log holds .* \(StreamViewType .*{kind}"):
        wb.latest_state("things", as_of=pd.Timestamp(MICROS, unit="us", tz="UTC").to_pydatetime())
    for own in (
        wb.lifetimes,
        wb.profile,
        lambda table: wb.trend(table, "count(*)"),
        lambda table: wb.transitions(table, "pk"),
    ):
        with pytest.raises(ParameterError, match=rf"cannot be told: the log holds .* \(StreamViewType {kind}\)"):
            own("things")
    told = wb.item_history("things", "pk=a")
    assert LACK[kind] in told.summary
    assert not told.df["missing"].any()
    assert (told.df["life"] == 1).all()


def test_new_images_tell_the_state_and_the_history_but_no_gap(tmp_path):
    write_log(tmp_path, changes("NEW_IMAGE", lost=True))
    wb = Workbench(tmp_path)
    assert wb.latest_state("things").df[["pk", "v"]].values.tolist() == [["a", 3]]
    told = wb.data_quality("things")
    findings = told.df.set_index("finding")
    assert findings.loc["missing changes", "count"] == 0
    assert findings.loc["changes without an old image", "status"] == "warning"
    assert LACK["NEW_IMAGE"] in findings.loc["changes without an old image", "examples"][0]
    write_log(tmp_path / "later", changes("NEW_IMAGE")[1:])
    first = Workbench(tmp_path / "later").item_history("things", "pk=a").df.iloc[0]
    assert (first["change"], first["after"]) == ("unknown", 2)
    assert first["before"] is pd.NA


def test_a_stream_that_was_set_to_another_type_is_named_with_times(tmp_path):
    day = 86_400_000_000
    write_log(tmp_path, [*changes("KEYS_ONLY")[3:4], *changes("NEW_AND_OLD_IMAGES", since=day)[:3]])
    told = Workbench(tmp_path).latest_state("things")
    assert told.df[["pk", "v"]].values.tolist() == [["a", 3]]
    assert "left out: 1 item" in told.summary
    assert "NEW_AND_OLD_IMAGES from 2026-01-03 09:00" in told.summary
    assert "OLD_IMAGE or KEYS_ONLY from 2026-01-02 09:00" in told.summary


def test_the_type_is_what_explains_all_records():
    def row(event: str, new: bool, old: bool) -> dict:
        return {
            "event_name": event,
            "has_new": new,
            "has_old": old,
            "first_change": pd.Timestamp(0),
            "last_change": pd.Timestamp(0),
        }

    assert [view.kinds for view in infer_views([row("INSERT", False, False), row("REMOVE", False, False)])] == [
        ("KEYS_ONLY",)
    ]
    assert missing_images(infer_views([row("INSERT", True, False), row("REMOVE", False, True)])) == ""
    assert missing_images(infer_views([])) == ""
    assert "several" in missing_images(infer_views([row("MODIFY", True, True), row("MODIFY", False, False)]))
