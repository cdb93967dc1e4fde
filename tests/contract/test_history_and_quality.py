"""History, quality and reconciliation on a public repository's history, and on small logs made here."""

from __future__ import annotations

import base64
import gzip
import json
import random
import shutil
from collections import defaultdict
from pathlib import Path

import pandas as pd
import pytest

from tests.helpers.logs import chain, micros, record, write_log
from tests.model.test_ordering import fits
from workbench import Workbench
from workbench.errors import ParameterError
from workbench.model.ordering import ABSENT, Link
from workbench.model.records import canonical_change

KEY = {"pk": {"S": "x"}}
NOON = micros("2026-01-01T12:00:00")
A, B, C = (KEY | {"v": {"S": letter}} for letter in "ABC")


@pytest.fixture(scope="session")
def records(public_history) -> dict[str, list[dict]]:
    """The distinct records of the public history, by path."""
    found: dict[str, dict[str, dict]] = defaultdict(dict)
    for path in sorted((public_history / "data").rglob("*.gz")):
        for line in gzip.decompress(path.read_bytes()).splitlines():
            each = json.loads(line)
            found[each["dynamodb"]["Keys"]["path"]["S"]][each["eventID"]] = each
    return {path: list(each.values()) for path, each in found.items()}


def replayed(records: list[dict]) -> list[tuple[pd.Timestamp, str, str | None]]:
    """Each change in the order in which old images follow new ones, found by looking for the next link."""
    left, state, told = sorted(records, key=at), None, []
    while left:
        first = [each for each in left if at(each) == at(left[0])]
        following = [each for each in first if each["dynamodb"].get("OldImage") == state]
        # of several that fit, one after which the others still do
        each = next(each for each in following if len(first) == 1 or goes_on(each, first))
        left.remove(each)
        state = each["dynamodb"].get("NewImage")
        told.append((at(each), each["eventName"], state and state["blob"]["S"]))
    return told


def goes_on(each: dict, group: list[dict]) -> bool:
    rest = [other for other in group if other is not each]
    state = each["dynamodb"].get("NewImage")
    return not rest or any(other["dynamodb"].get("OldImage") == state and goes_on(other, rest) for other in rest)


def at(each: dict) -> pd.Timestamp:
    value = each["dynamodb"]["ApproximateCreationDateTime"]
    return pd.Timestamp(value, unit="us" if value > 10**14 else "ms", tz="UTC")


def test_the_history_of_any_path_of_a_public_repository_is_what_its_records_say(public_history, records):
    wb = Workbench(public_history / "data")
    told = wb.item_history("git-files", {"path": ""}, prefix=True).df
    assert not told["missing"].any()
    by_path = dict(list(told.groupby('"path"')))
    assert set(by_path) == set(records)
    for path, rows in by_path.items():
        blobs = rows[rows["path"] == "blob"].set_index("event_id")["after"].to_dict()
        state, seen = None, []
        for change in rows.drop_duplicates("event_id").itertuples():
            state = None if change.event_name == "REMOVE" else blobs.get(change.event_id, state)
            seen.append((change.ts, change.event_name, state))
        assert seen == replayed(records[path]), path
        lives = rows.drop_duplicates("event_id")
        assert lives["life"].iloc[-1] == lives["event_name"].eq("INSERT").sum()


def test_nothing_is_missing_in_a_public_repository_and_what_was_done_to_its_log_is_counted(public_history, records):
    told = Workbench(public_history / "data").data_quality("git-files")
    found = told.df.set_index("finding")
    delivered = sum(
        len(gzip.decompress(path.read_bytes()).splitlines()) for path in (public_history / "data").rglob("*.gz")
    )
    distinct = sum(map(len, records.values()))
    assert found.loc["duplicates", "count"] == delivered - distinct
    assert found.loc["duplicates", "share"] == (delivered - distinct) / delivered
    assert set(found.query("count > 0").index) <= {"duplicates", "reordered changes"}
    assert told.gaps.empty
    assert "can be trusted" in told.verdict


@pytest.mark.parametrize("seed", range(8))
def test_one_record_deleted_from_the_public_log_is_the_one_gap_found(public_history, records, tmp_path, seed):
    rng = random.Random(seed)
    everything = [(path, each) for path, own in sorted(records.items()) for each in own]
    path, lost = next(
        (path, each)
        for path, each in rng.sample(everything, len(everything))
        if not fits(links([other for other in records[path] if other is not each]))
    )
    copied = tmp_path / "data"
    shutil.copytree(public_history / "data", copied)
    for file in copied.rglob("*.gz"):
        lines = gzip.decompress(file.read_bytes()).splitlines(keepends=True)
        kept = [line for line in lines if json.loads(line)["eventID"] != lost["eventID"]]
        if kept != lines:
            file.write_bytes(gzip.compress(b"".join(kept)))
    told = Workbench(copied).data_quality("git-files")
    found = told.df.set_index("finding")["count"]
    assert found["missing changes"] + found["unseen beginnings"] == 1
    if found["missing changes"]:
        (gap,) = told.gaps.to_dict("records")
        assert gap["path"] == path
        assert gap["lost_after"] <= at(lost) <= gap["lost_before"]
        assert "the log is not complete" in told.verdict
    else:  # its first change: named by key and by the time of the one after
        (example,) = told.df.set_index("finding").loc["unseen beginnings", "examples"]
        after = min(at(each) for each in records[path] if each is not lost)
        assert example.startswith(f"path={path} ")
        assert after.isoformat() in example


def links(records: list[dict]) -> list[Link]:
    def text(image: dict | None) -> str:
        return ABSENT if image is None else json.dumps(image, sort_keys=True)

    return [
        Link(at(each), each["eventID"], text(each["dynamodb"].get("OldImage")), text(each["dynamodb"].get("NewImage")))
        for each in records
    ]


# --- history


def log(folder: Path, records: list[dict], layout: str = "raw") -> Workbench:
    return Workbench(write_log(folder, records, layout))


def test_a_new_life_begins_where_an_item_comes_back_and_a_ttl_delete_is_named(tmp_path):
    records = chain(KEY, [(NOON, A), (NOON + 5, None)], ttl=True) + chain(KEY, [(NOON + 9, B)])
    told = log(tmp_path, records).item_history("things", {"pk": "x"}).df
    assert list(told["life"]) == [1, 1, 2]
    assert list(told["event_name"]) == ["INSERT", "REMOVE", "INSERT"]
    assert list(told["by_ttl"]) == [False, True, False]
    assert list(told["change"]) == ["added", "removed", "added"]
    assert list(told["since_previous"].dropna()) == [pd.Timedelta("5us"), pd.Timedelta("4us")]


def test_changes_of_one_instant_are_told_in_the_order_their_images_follow_on(tmp_path):
    states = [(NOON, A), (NOON + 5, B), (NOON + 5, C), (NOON + 5, A)]
    records = chain(KEY, states, ids=["9", "4", "1", "2"])
    told = log(tmp_path, records[::-1]).item_history("things", {"pk": "x"}).df
    assert list(told["event_id"]) == ["9", "4", "1", "2"]
    assert list(told["after"]) == ["A", "B", "C", "A"]


def test_a_lost_change_shows_in_the_history_before_the_change_that_noticed(tmp_path):
    records = chain(KEY, [(NOON, A), (NOON + 1, B), (NOON + 2, C)])
    told = log(tmp_path, [records[0], records[2]]).item_history("things", {"pk": "x"}).df
    assert list(told["missing"]) == [False, True]
    assert list(told["before"])[1] == "B"


def test_a_log_without_old_images_is_told_by_what_each_change_left(tmp_path):
    told = log(tmp_path, chain(KEY, [(NOON, A), (NOON + 1, B)]), "flat").item_history("things", {"pk": "x"}).df
    assert told[["path", "before", "after"]].values.tolist()[1] == ["v", "A", "B"]


def test_a_write_that_changed_nothing_is_one_row_without_a_path(tmp_path):
    same = record("MODIFY", KEY, NOON + 1, new=A, old=A)
    told = log(tmp_path, [*chain(KEY, [(NOON, A)]), same]).item_history("things", {"pk": "x"}).df
    assert list(told["path"].isna()) == [False, True]


def test_a_window_shows_the_changes_in_it_and_reckons_with_those_before(tmp_path):
    wb = log(tmp_path, chain(KEY, [(NOON, A), (NOON + 1_000_000, B), (NOON + 2_000_000, None), (NOON + 3_000_000, C)]))
    told = wb.item_history("things", {"pk": "x"}, start="2026-01-01T12:00:01", end="2026-01-01T12:00:03.000001").df
    assert list(told["event_name"]) == ["MODIFY", "REMOVE", "INSERT"]
    assert list(told["life"]) == [1, 1, 2]
    assert not told["missing"].any()


def test_items_are_named_by_composite_numeric_and_binary_keys_one_many_or_by_what_they_begin_with(tmp_path):
    records = []
    for user, number in ((3, 51), (3, 52), (4, 51)):
        key = {"userId": {"N": str(user)}, "transactionId": {"N": str(number)}}
        records += chain(key, [(NOON, key | {"v": {"S": "1"}})])
    wb = log(tmp_path / "numbers", records)

    def told(key, **more):
        return wb.item_history("things", key, **more).df[["userId", "transactionId"]].values.tolist()

    assert told({"userId": "3", "transactionId": "51.0"}) == [[3, 51]]
    assert told([{"userId": 3, "transactionId": 51}, {"userId": 4, "transactionId": 51}]) == [[3, 51], [4, 51]]
    assert told({"userId": 3}) == [[3, 51], [3, 52]]
    with pytest.raises(
        ParameterError, match=r"'user' is no attribute of the key, which is transactionId, userId\. Did"
    ):
        told({"user": 3})
    with pytest.raises(ParameterError, match="'userId' is 'three': it must be a number"):
        told({"userId": "three"})
    with pytest.raises(ParameterError, match="a prefix needs a text"):
        told({"userId": "3"}, prefix=True)
    twice = base64.b64encode(base64.b64encode(b"w=")).decode()  # as Kinesis has it
    binary = {"pk": {"B": twice}}
    wb = log(tmp_path / "binary", chain(binary, [(NOON, binary | {"v": {"S": "1"}})]))
    assert len(wb.item_history("things", {"pk": "0x773d"}).df) == len(wb.item_history("things", {"pk": b"w="}).df) == 1


def test_an_item_that_is_not_in_the_log_has_an_empty_history(tmp_path):
    wb = log(tmp_path, chain(KEY, [(NOON, A)]))
    told = wb.item_history("things", {"pk": "nobody"})
    assert told.df.empty
    assert list(told.df.columns) == list(wb.item_history("things", {"pk": "x"}).df.columns)


# --- diff


def test_a_diff_names_items_added_removed_and_changed_and_can_be_asked_of_one_item(tmp_path):
    def item(name: str, *values: str | None, first: int = 0) -> list[dict]:
        key = {"pk": {"S": name}}
        return chain(
            key, [(NOON + first + number, value and key | {"v": {"S": value}}) for number, value in enumerate(values)]
        )

    records = item("same", "1") + item("changed", "1", "2") + item("new", "1", first=1) + item("gone", "1", None)
    wb = log(tmp_path, records)
    told = wb.diff("things", "2026-01-01T12:00", "2026-01-01T12:01")
    assert told.df[["pk", "item", "path"]].values.tolist() == [
        ["changed", "changed", "v"],
        ["gone", "removed", "v"],
        ["new", "added", "v"],
    ]
    assert told.items == {"added": 1, "removed": 1, "changed": 1, "same": 1}
    assert told.verdict == "things: 1 added, 1 removed, 1 changed; 1 items the same"
    one = wb.diff("things", "2026-01-01T12:00", key={"pk": "changed"})
    assert one.df["pk"].tolist() == ["changed"]
    assert one.items == {"added": 0, "removed": 0, "changed": 1, "same": 0}
    with pytest.raises(ParameterError, match="the wrong way round"):
        wb.diff("things", "2026-01-02", "2026-01-01")


# --- changes


def test_changes_are_chosen_by_window_event_key_and_condition(tmp_path):
    other = {"pk": {"S": "y"}}
    records = chain(KEY, [(NOON, A | {"n": {"N": "1"}}), (NOON + 1, A | {"n": {"N": "130"}}), (NOON + 2, None)])
    wb = log(tmp_path, records + chain(other, [(NOON + 1, other | {"n": {"S": "130"}})]))

    def found(**asked):
        df = wb.changes("things", **asked).df
        return list(zip(df["pk"], df["event_name"], strict=True))

    assert len(found()) == 4
    assert found(where="n > 120") == [("x", "MODIFY"), ("x", "REMOVE")]  # of either image
    assert found(where="new.n > 120 and old.n <= 120") == [("x", "MODIFY")]
    assert found(where="n > 120", events="REMOVE") == [("x", "REMOVE")]
    assert found(where="n = '130'") == [("y", "INSERT")]
    assert found(key={"pk": "y"}) == [("y", "INSERT")]
    assert found(start="2026-01-01T12:00:00.000002") == [("x", "REMOVE")]
    with pytest.raises(ParameterError, match="'UPDATE' is no event"):
        found(events="UPDATE")


def test_the_newest_changes_are_shown_by_time_and_how_many_there_are_is_said(tmp_path):
    wb = log(tmp_path, chain(KEY, [(NOON, A), (NOON + 1, B), (NOON + 2, C), (NOON + 3, None)]))
    told = wb.changes("things", limit=2)
    assert told.df["event_name"].tolist() == ["MODIFY", "REMOVE"]
    assert told.stats.notes == ("the newest of 4",)
    assert wb.changes("things", where="v = 'A'", limit=5).stats.notes == ()
    with pytest.raises(ParameterError, match="less than nothing"):
        wb.changes("things", limit=-1)


def test_numbers_are_compared_to_the_last_digit(tmp_path):
    digits = "1234567890123456789012345678901234567"
    records = [
        record("INSERT", {"pk": {"S": end}}, NOON, new={"pk": {"S": end}, "n": {"N": digits + end}}) for end in "345"
    ]
    wb = log(tmp_path, records)
    assert list(wb.latest_state("things", where=f"n > {digits}4").df["pk"]) == ["5"]
    assert list(wb.latest_state("things", where=f"n = {digits}4").df["pk"]) == ["4"]
    assert list(wb.latest_state("things", where=f"not n >= {digits}4").df["pk"]) == ["3"]
    assert list(wb.changes("things", where=f"n <> {digits}4").df["pk"]) == ["3", "5"]


def test_both_images_of_a_change_are_side_by_side(tmp_path):
    df = log(tmp_path, chain(KEY, [(NOON, A), (NOON + 1, B)])).changes("things").df
    assert list(df.columns) == [
        "pk",
        "ts",
        "event_name",
        "by_ttl",
        "size_bytes",
        "event_id",
        "new.pk",
        "new.v",
        "old.pk",
        "old.v",
    ]
    assert df["new.v"].tolist() == ["A", "B"]
    assert df["old.v"].isna().tolist() == [True, False]


# --- frequency


def test_attributes_are_counted_by_what_happened_to_them_and_on_how_many_items(tmp_path):
    y = {"pk": {"S": "y"}}
    one = chain(KEY, [(NOON, A), (NOON + 1, B | {"n": {"N": "1"}}), (NOON + 2, B | {"n": {"S": "1"}}), (NOON + 3, B)])
    other = chain(
        y, [(NOON, y | {"v": {"S": "A"}}), (NOON + 3_600_000_000, y | {"v": {"S": "B"}}), (NOON + 4_000_000_000, None)]
    )
    same = record("MODIFY", KEY, NOON + 9, new=B, old=B)
    wb = log(tmp_path, [*one, *other, same])
    told = wb.change_frequency("things", by="attribute")
    counted = told.df.set_index("path")[["changes", "added", "removed", "changed", "type_changed", "items"]]
    assert counted.loc["n"].tolist() == [3, 1, 1, 0, 1, 1]
    assert counted.loc["v"].tolist() == [2, 0, 0, 2, 0, 2]
    assert told.df["share"].tolist() == [3 / 5, 2 / 5]
    assert told.stats.notes == ("1 write that changed nothing",)
    hourly = wb.change_frequency("things", by="attribute", every="1h").df
    assert hourly.values.tolist() == [
        ["n", pd.Timestamp("2026-01-01T12:00Z"), 3],
        ["n", pd.Timestamp("2026-01-01T13:00Z"), 0],
        ["v", pd.Timestamp("2026-01-01T12:00Z"), 1],
        ["v", pd.Timestamp("2026-01-01T13:00Z"), 1],
    ]


def test_attributes_called_like_columns_of_an_answer_are_counted_as_others_are(tmp_path):
    names = ["bucket", "changes", "path", "ts", "kind", "item", "share"]
    states = [(NOON + n, {"pk": {"S": "x"}, **{name: {"N": str(n)} for name in names}}) for n in range(3)]
    wb = log(tmp_path, chain({"pk": {"S": "x"}}, states))
    for df in (wb.change_frequency("things", by="attribute", every=every).df for every in (None, "1h")):
        assert sorted(zip(df["path"], df["changes"], strict=True)) == sorted((name, 2) for name in names)


def test_concentration_and_intervals_are_counted_over_distinct_changes(tmp_path):
    y = {"pk": {"S": "y"}}
    states = [(NOON, A), (NOON, B), (NOON + 1_000, C), (NOON + 61_000_000, A)]
    records = chain(KEY, states) + chain(y, [(NOON, y | {"v": {"S": "1"}})])
    wb = log(tmp_path, [*records, records[1]])
    spread = wb.change_frequency("things", by="concentration").df
    assert spread.values.tolist() == [[4, 1, 0.5, 0.8], [1, 1, 1, 1]]
    found = wb.change_frequency("things", by="interval").df.query("changes > 0")
    assert found["up_to"].tolist() == [pd.Timedelta(0), pd.Timedelta("1ms"), pd.Timedelta("10min")]
    assert found["share"].tolist() == pytest.approx([1 / 3] * 3)


# --- quality


def test_each_finding_says_how_often_gives_examples_what_it_means_and_what_to_do(tmp_path):
    records = chain(KEY, [(NOON, A), (NOON + 1, B), (NOON + 2, C)])
    big = {"pk": {"S": "big"}, "v": {"S": "é" * 400_000}, "w": {"N": "1"}}
    y = {"pk": {"S": "y"}}
    late = chain(y, [(NOON, y | {"v": {"N": "1"}})])
    write_log(
        tmp_path / "year=2026/month=01/day=01/hour=12", [records[2], records[2]], name="stream-1-2026-01-01-12-00-07-x"
    )
    write_log(tmp_path / "year=2026/month=01/day=01/hour=13", [records[0]], name="stream-1-2026-01-01-13-30-00-y")
    write_log(
        tmp_path / "year=2026/month=01/day=03/hour=12", [*late, record("INSERT", {"pk": {"S": "big"}}, NOON, new=big)]
    )
    (tmp_path / "bad.json").write_text("{half\n")
    told = Workbench(tmp_path).data_quality("things")
    found = told.df.set_index("finding")
    counts = found["count"].to_dict()
    assert counts | {} == {
        "empty window": 0,
        "unreadable lines": 1,
        "missing changes": 1,
        "unseen beginnings": 0,
        "changes dated after they arrived": 0,
        "changes dated before 2012": 0,
        "Firehose failure objects": 0,
        "freshness": 0,
        "silent hours": 0,
        "unusual days": 0,
        "ambiguous ties": 0,
        "changes without an old image": 0,
        "changes without a new image": 0,
        "tables made again with another key": 0,
        "arrivals later than 1 d": 2,
        "reordered changes": 1,
        "duplicates": 1,
        "large records": 1,
        "attributes of several types": 1,
        "delivery lag": 0,
    }
    assert found.loc["missing changes", "status"] == "failed"
    (example,) = found.loc["missing changes", "examples"]
    assert example == "pk=x after 2026-01-01 12:00:00 and before 2026-01-01 12:00:00.000002 UTC: v"
    assert found.loc["attributes of several types", "examples"] == ["v: S, N"]
    assert "bad.json:1: not JSON" in found.loc["unreadable lines", "examples"][0]
    for row in told.df.query("count > 0").itertuples():
        assert row.meaning
        assert row.remedy
        assert len(row.examples) >= 1
    assert told.verdict.startswith("things: the log is not complete")
    assert told.lag["longest"].tolist() == [
        pd.Timedelta("6.999998s"),
        pd.Timedelta("90min"),
        pd.Timedelta("2D"),
    ] or told.lag["longest"].tolist() == [pd.Timedelta("7s"), pd.Timedelta("90min"), pd.Timedelta("2D")]


def test_the_types_of_every_path_are_told_with_when_and_on_how_many_items(tmp_path):
    y = {"pk": {"S": "y"}}
    deep = {"m": {"M": {"a.b": {"L": [{"N": "1"}, {"M": {"c": {"BOOL": True}}}]}, "e": {"M": {}}}}}
    records = chain(KEY, [(NOON, A), (NOON + 5, KEY | {"v": {"N": "2"}})]) + chain(y, [(NOON + 7, y | deep)])
    told = log(tmp_path, records).data_quality("things").drift
    assert told[["path", "type", "items", "share"]].values.tolist() == [
        ['m."a.b"', "L", 1, 0.5],
        ['m."a.b"[]', "N", 1, 0.5],
        ['m."a.b"[].c', "BOOL", 1, 0.5],
        ["m.e", "M", 1, 0.5],
        ["pk", "S", 2, 1.0],
        ["v", "N", 1, 0.5],
        ["v", "S", 1, 0.5],
    ]
    v = told[told["path"] == "v"].set_index("type")
    assert v.loc["S", "last_seen"] == pd.Timestamp("2026-01-01T12:00Z")
    assert v.loc["N", "first_seen"] == pd.Timestamp("2026-01-01T12:00:00.000005Z")


def test_a_log_that_begins_late_is_told_from_one_with_gaps(tmp_path):
    records = [
        record(
            "MODIFY",
            {"pk": {"S": f"{n}"}},
            NOON + n,
            old={"pk": {"S": f"{n}"}},
            new={"pk": {"S": f"{n}"}, "v": {"S": "A"}},
        )
        for n in range(9)
    ]
    told = log(tmp_path, records).data_quality("things")
    found = told.df.set_index("finding")
    assert found.loc["unseen beginnings", ["count", "share"]].tolist() == [9, 1.0]
    assert len(found.loc["unseen beginnings", "examples"]) == 3
    assert told.gaps.empty


def test_a_change_lost_within_an_instant_is_found_though_its_first_and_last_by_id_fit_what_is_around(tmp_path):
    D, E = (KEY | {"v": {"S": letter}} for letter in "DE")
    records = chain(KEY, [(NOON, A), (NOON + 1, B), (NOON + 1, C), (NOON + 1, D), (NOON + 1, E)], ids="09514")
    del records[2]  # B > C
    told = log(tmp_path, records).data_quality("things")
    assert told.gaps[["pk", "paths"]].values.tolist() == [["x", ["v"]]]
    assert told.df.set_index("finding").loc["missing changes", "count"] == 1


def test_a_gap_is_located_as_far_as_images_tell_where_several_places_explain_them(tmp_path):
    states = [(NOON, A), (NOON, B), (NOON, C), (NOON + 1, A), (NOON + 1, B), (NOON + 1, A)]
    records = chain(KEY, states)
    del records[2]  # B > C: before the second instant, or between B > A and C > A
    told = log(tmp_path, records).data_quality("things").gaps
    assert told["lost_after"].tolist() == [pd.Timestamp("2026-01-01T12:00Z")]
    assert told["lost_before"].tolist() == [pd.Timestamp("2026-01-01T12:00:00.000001Z")]


def test_a_first_change_lost_within_an_instant_is_an_unseen_beginning(tmp_path):
    records = chain(KEY, [(NOON, A), (NOON, B), (NOON, C)])[1:]
    told = log(tmp_path, records).data_quality("things").df.set_index("finding")
    assert told.loc["unseen beginnings", "count"] == 1
    assert told.loc["unseen beginnings", "examples"] == ["pk=x before 2026-01-01 12:00:00 UTC: v"]


def test_an_item_that_came_and_went_at_once_with_its_image_written_otherwise_raises_no_alarm(tmp_path):
    one, two = KEY | {"a": {"S": "1"}, "b": {"S": "2"}}, {"b": {"S": "2"}, "a": {"S": "1"}} | KEY
    records = [record("INSERT", KEY, NOON, new=one, event_id="2"), record("REMOVE", KEY, NOON, old=two, event_id="1")]
    told = log(tmp_path, records).data_quality("things").df.set_index("finding")
    assert told["count"].drop("ambiguous ties").sum() == 0


def test_images_written_otherwise_raise_no_false_alarm(tmp_path):
    one = KEY | {"s": {"NS": ["1", "2"]}, "n": {"N": "1.50"}}
    two = {"n": {"N": "1.5"}, "s": {"NS": ["2.0", "1"]}} | KEY
    records = [record("INSERT", KEY, NOON, new=one), record("MODIFY", KEY, NOON + 1, old=two, new=B)]
    assert log(tmp_path, records).data_quality("things").df.set_index("finding").loc["missing changes", "count"] == 0


def test_a_log_without_old_images_says_that_gaps_cannot_be_seen(tmp_path):
    told = log(tmp_path, chain(KEY, [(NOON, A), (NOON + 1, B)]), "flat").data_quality("things")
    assert told.df.set_index("finding").loc["changes without an old image", ["status", "count"]].tolist() == [
        "warning",
        1,
    ]
    with pytest.raises(ParameterError, match="'soon' is no length of time"):
        log(tmp_path, []).data_quality("things", late_arrival="soon")


def test_an_empty_window_is_answered_with_the_columns_there_would_be_and_is_not_called_trusted(tmp_path):
    wb = log(tmp_path, chain(KEY, [(NOON, A), (NOON + 1, B)]))
    for by in ("event", "attribute", "key", "concentration", "interval"):
        for every in (None, "1h"):
            full, none = (
                wb.change_frequency("things", by=by, every=every, **window).df
                for window in ({}, {"start": "2027-01-01"})
            )
            assert none.empty
            assert list(none.columns) == list(full.columns)
            assert all(str(one) == str(other) for one, other in zip(none.dtypes, full.dtypes, strict=True)), by
    told = wb.data_quality("things", start="2027-01-01")
    assert told.verdict == "things: the log can be trusted within limits (empty window)"
    assert told.lag.empty
    assert told.drift.empty


QUESTIONS = {
    "latest_state": {},
    "changes": {"where": "v = 'A'"},
    "item_history": {"key": "pk=x"},
    "diff": {"before": "2026-01-01T12:00:00"},
    "change_frequency": {"by": "attribute"},
    "data_quality": {},
}


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize(
    "image", [{"pk": "x", "v": "plain"}, {"v": {"N": "many"}}, {"v": {"L": [1]}}, {"v": {"X": ""}}]
)
def test_an_image_that_is_none_is_named_and_every_question_answered_from_the_others(tmp_path, question, image):
    records = [*chain(KEY, [(NOON, A), (NOON + 1, B)]), record("MODIFY", KEY, NOON + 2, old=B, new=KEY | image)]
    told = getattr(log(tmp_path, records), question)("things", **QUESTIONS[question])
    assert [found.line for found in told.stats.unreadable] == [3]  # whatever the question reads of an image


def test_an_image_that_is_no_json_is_named_where_a_condition_is_asked(tmp_path):
    rows = [canonical_change(each) for each in chain(KEY, [(NOON, A), (NOON + 1, B)])]
    rows[1]["new_image"] = '{"v":{"S":"B"'
    (tmp_path / "log.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for question in ("latest_state", "changes"):
        told = getattr(Workbench(tmp_path), question)("things", where="v = 'A' or v > 'A'")
        assert [found.line for found in told.stats.unreadable] == [2]
        assert len(told.df) == 1


@pytest.mark.parametrize("how", ["hash", "redact"])
@pytest.mark.parametrize("question", QUESTIONS)
def test_a_masked_attribute_is_in_no_answer(tmp_path, question, how):
    secret = {"pk": {"S": "Geheimnis"}}
    values = [{"S": "Verborgen"}, {"L": [{"S": "Verborgen"}]}, {"S": "Verborgen!"}, {"M": {"w": {"S": "Verborgen"}}}]
    records = chain(secret, [(NOON + number, secret | {"v": value}) for number, value in enumerate(values)])
    wb = Workbench(write_log(tmp_path, [records[0], records[0], *records[2:]]), mask=("pk", "v"), mask_with=how)
    instead = {"changes": {"where": "pk like 'G%'"}, "item_history": {"key": "pk=Geheimnis"}}
    told = getattr(wb, question)("things", **instead.get(question, QUESTIONS[question]))
    frames = [value for value in vars(told).values() if isinstance(value, pd.DataFrame)]
    assert len(told.df)
    for text in [*(frame.to_csv() for frame in frames), told._repr_html_(), getattr(told, "verdict", "")]:
        assert "Geheimnis" not in text
        assert "Verborgen" not in text


# --- an item older than the log, and event names


@pytest.mark.parametrize("ids", ["12", "21"])
@pytest.mark.parametrize("more", [[], [(1, B)]])
def test_an_item_older_than_the_log_removed_and_put_in_its_first_instant_lacks_its_beginning_only(tmp_path, ids, more):
    whole = chain(
        KEY,
        [(NOON - 9, A), (NOON, None), (NOON, C), *((NOON + after, new) for after, new in more)],
        ids=["0", *ids, "3"],
    )
    wb = Workbench(write_log(tmp_path, random.Random(3).sample(whole[1:], len(whole) - 1)))
    found = wb.data_quality("things").df.set_index("finding")["count"]
    assert (found["missing changes"], found["unseen beginnings"]) == (0, 1)
    told = wb.item_history("things").df.drop_duplicates("event_id")
    assert told["event_name"].tolist() == ["REMOVE", "INSERT", *["MODIFY"] * len(more)]
    assert told["missing"].tolist() == [True, *[False] * (len(told) - 1)]
    wb.close()


def test_a_whole_flat_log_with_changes_of_one_instant_lacks_nothing_in_any_order_of_event_ids(tmp_path):
    made = chain(KEY, [(NOON, A), (NOON, None), (NOON + 1, B), (NOON + 2, None), (NOON + 2, C)], ids="91827")
    wb = Workbench(write_log(tmp_path, made, "flat"))
    assert wb.data_quality("things").df.set_index("finding")["count"]["missing changes"] == 0
    told = wb.item_history("things").df.drop_duplicates("event_id")
    assert told["event_id"].tolist() == list("91827")
    assert not told["missing"].any()
    wb.close()


def test_a_flat_log_that_lacks_a_removal_within_an_instant_says_so(tmp_path):
    made = chain(KEY, [(NOON, A), (NOON + 1, None), (NOON + 1, B), (NOON + 2, None), (NOON + 3, C)], ids="95821")
    wb = Workbench(write_log(tmp_path, [each for each in made if each["eventID"] != "2"], "flat"))
    assert wb.data_quality("things").df.set_index("finding")["count"]["missing changes"] == 1
    wb.close()
