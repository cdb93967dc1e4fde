"""Every reader of change records reads the same: DuckDB's own and the one that goes line by line, JSON and Parquet."""

from __future__ import annotations

import base64
import gzip
import json
import re
import tracemalloc
from contextlib import closing, suppress
from functools import partial
from itertools import permutations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

import workbench.questions.state
from tests.helpers.logs import chain, flat, micros, record, write_log
from tests.helpers.profiles import examples
from tests.model.test_records import attribute_values
from workbench import Workbench
from workbench.engines.duckdb import _decoded
from workbench.engines.ingest import _IMAGE_PATTERN
from workbench.engines.staging import StagedLog
from workbench.errors import RecordRefused
from workbench.log import compression
from workbench.log.listing import list_objects
from workbench.log.objects import Unreadable
from workbench.log.reader import read_changes
from workbench.model.conditions import parse
from workbench.model.records import COLUMNS, canonical_change, canonical_json, refuse_images
from workbench.questions.state import holding
from workbench.sandbox.item_store import ItemStore
from workbench.sandbox.table_export import export_table

KEY = {"pk": {"S": "x"}}
NOON = micros("2026-01-01T12:00:00")
A, B = (KEY | {"v": {"S": letter}} for letter in "AB")
RECORDS = chain(KEY, [(NOON, A), (NOON + 1, B), (NOON + 2, A)], ids=["1", "2", "3"])
NAMES_OF_COLUMNS = (
    *COLUMNS,
    "eventID",
    "eventName",
    "tableName",
    "userIdentity",
    "dynamodb",
    "object",
    "Item",
    "Keys",
    "NewImage",
    "Metadata",
    "row_id",
    "file_row_number",
    "path",
    "size",
    "modified",
)


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
    write_log(log, [change | {"awsRegion": "local"} for change in RECORDS])  # of this store, whose export it is
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


# --- a record's layout is decided once, by the whole record


def both(folder: Path) -> tuple[list[dict], list[dict]]:
    """The changes that DuckDB's reader finds, where it can, and those of the one that goes line by line."""
    answers = []
    for line_by_line in (False, True):
        home = folder / ".workbench" / f"{line_by_line}"
        with closing(Workbench(folder, checkpoints="off", home=home)) as wb:
            log = wb._engine._log(str(folder))
            log._line_by_line = line_by_line
            log.refresh()
            deliveries = f"select * exclude (row_id) from {log.deliveries()}"
            rows = _decoded(wb._engine._con.sql(deliveries).to_arrow_table()).to_pylist()
            lines = [{"line": found.line, "object": found.object} for found in log.unreadable]
        for row in rows:
            for name in ("keys", "new_image", "old_image"):  # in canonical form
                row[name] = row[name] and json.loads(row[name])
            row["object"] = log.by_number()[row["object"]].path
        answers.append(sorted([*rows, *lines], key=str))
    return answers[0], answers[1]


def rows_of(change: dict, layout: str) -> dict:
    return canonical_change(change) if layout == "envelope" else flat(change) if layout == "flat" else change


ODD = st.sampled_from(
    [
        None,
        "",
        "x",
        "2030-01-01T00:00:00Z",
        5,
        -1,
        True,
        {},
        [],
        {"a": 1},
        '{"pk":{"S":"other"}}',
        '{"pk":{"S":"x"},"v":{"S":"Z"}}',
        "{}",
        '{"v":{"S":',
        "INSERT",
        "REMOVE",
    ]
)
EXTRA = [
    *COLUMNS,
    "eventID",
    "eventName",
    "tableName",
    "userIdentity",
    "recordFormat",
    "eventVersion",
    "pk",
    "v",
    "note",
    "eventSourceARN",
    "eventSource",
    "dynamodb",
    "Keys",
    "attribute_values",
]


@examples(60, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_both_readers_agree_on_records_with_names_more_and_less(data):
    lines = []
    for _ in range(data.draw(st.integers(1, 6))):
        change = data.draw(st.sampled_from([*RECORDS, record("REMOVE", KEY, NOON + 3, old=A, ttl=True)]))
        row = rows_of(change, data.draw(st.sampled_from(["raw", "envelope", "flat"])))
        extra = data.draw(st.dictionaries(st.sampled_from(EXTRA), ODD, max_size=3))
        missing = data.draw(st.sets(st.sampled_from(sorted(row)), max_size=1))
        replaced = extra if data.draw(st.booleans()) else {}
        lines.append({name: value for name, value in (extra | row | replaced).items() if name not in missing})
    with TemporaryDirectory() as folder:
        for number in range(0, len(lines), 3):
            text = "".join(json.dumps(line) + "\n" for line in lines[number : number + 3])
            Path(folder, f"{number}.json").write_text(text)
        fast, slow = both(Path(folder))
    assert fast == slow


@pytest.mark.parametrize(
    "name", ["ts", "event_id", "event_name", "new_image", "old_image", "table_name", "keys", "by_ttl", "size_bytes"]
)
@pytest.mark.parametrize("beside", [[], ["{half"]])
def test_a_raw_record_with_a_name_of_an_envelope_is_raw_in_both_readers(tmp_path, name, beside):
    other = canonical_change(record("REMOVE", KEY, NOON + 10**12, old=A, table="others"))
    value = '{"pk":{"S":"x"},"v":{"N":"999"}}' if "image" in name else other[name]
    lines = [json.dumps(change | {name: value}) for change in RECORDS]
    (tmp_path / "log.json").write_text("\n".join([*lines, *beside]))
    df = Workbench(tmp_path).changes("things").df
    assert list(df["event_id"]) == ["1", "2", "3"]
    assert list(df["new.v"]) == ["A", "B", "A"]
    assert df["ts"].max() < pd.Timestamp("2026-01-02", tz="UTC")


@pytest.mark.parametrize(
    "more", [{"dynamodb": {"a": 1}}, {"dynamodb": "x"}, {"note": 1}, {"pk": "x"}, {"eventName": "x"}]
)
@pytest.mark.parametrize("less", [None, "size_bytes", "by_ttl", "old_image"])
def test_an_envelope_with_a_column_more_or_less_stays_one(tmp_path, more, less):
    rows = [canonical_change(change) | more for change in RECORDS]
    rows = [{name: value for name, value in row.items() if name != less} for row in rows]
    (tmp_path / "log.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    wb = Workbench(tmp_path)
    assert list(wb.changes("things").df["new.v"]) == ["A", "B", "A"]
    assert not wb.changes("things").stats.unreadable


@pytest.mark.parametrize("more", ["", "{}\n"])
@pytest.mark.parametrize("name", ["table_name", "ts", "event_id"])
def test_an_envelope_whose_key_has_the_name_of_a_column_stays_one_however_the_key_is_spelled(tmp_path, name, more):
    key, row = {name: {"N": "2.5"}}, canonical_change(RECORDS[0])
    row |= {"keys": json.dumps(key), "new_image": json.dumps({name: {"N": "2.50", "S": None}, "v": {"S": "A"}})}
    (tmp_path / "log.json").write_text(json.dumps(row) + "\n" + more)
    assert list(Workbench(tmp_path).changes("things").df["new.v"]) == ["A"]


def test_layouts_mixed_in_one_object_and_one_log_give_one_answer(tmp_path):
    mixed = [rows_of(change, layout) for change, layout in zip(RECORDS, ("envelope", "raw", "flat"), strict=True)]
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "log.json").write_text("".join(json.dumps(row) + "\n" for row in mixed))
    for number, (change, layout) in enumerate(zip(RECORDS, ("parquet", "raw", "flat"), strict=True)):
        write_log(tmp_path / "other", [change], layout, name=str(number))
    write_log(tmp_path / "plain", RECORDS)
    expected = Workbench(tmp_path / "plain").latest_state("things").df
    for name in ("one", "other"):
        result = Workbench(tmp_path / name).latest_state("things")
        pd.testing.assert_frame_equal(result.df, expected)
        assert not result.stats.unreadable


# --- Parquet: the same law


def spelled(change: dict) -> dict:
    """An envelope as another program writes it, with spaces and escapes."""
    row = canonical_change(change)
    return row | {name: row[name] and json.dumps(json.loads(row[name])) for name in ("keys", "new_image", "old_image")}


def write_parquet(folder: Path, rows: list[dict], name: str = "object") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / f"{name}.parquet")
    return folder


def test_keys_of_parquet_are_one_whatever_their_spelling(tmp_path):
    key = {"pk": {"S": "ü"}, "n": {"N": "1"}}
    states = chain(key, [(NOON, key | {"v": {"N": "1"}}), (NOON + 1, key | {"v": {"N": "2"}})])
    rows = [canonical_change(states[0]), spelled(states[1])]
    rows[1]["keys"] = '{"pk": {"S": "\\u00fc"}, "n": {"N": "1.0"}}'
    write_parquet(tmp_path / "parquet", rows)
    (tmp_path / "json").mkdir()
    (tmp_path / "json" / "log.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for stored in ("parquet", "json"):
        df = Workbench(tmp_path / stored).latest_state("things").df
        assert df[["pk", "n", "v"]].to_dict("records") == [{"pk": "ü", "n": 1, "v": 2}]


TIMES = """2026-02-03 10:38:20.5+01:00, 2026-02-03T04:38:20.5-05:00, 2026-02-03 09:38:20.5 UTC,
2026-02-03T09:38:20.500000000Z, 2026-02-03 09:38:20.5+00, 1770111500500"""


@pytest.mark.parametrize("time", re.split(r",\s", TIMES))
def test_the_time_of_an_envelope_is_that_instant_to_every_reader(tmp_path, time):
    row = canonical_change(RECORDS[0]) | {"ts": time}
    for name, more in (("fast", ""), ("slow", "{}\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "log.json").write_text(json.dumps(row) + "\n" + more)
    write_parquet(tmp_path / "parquet", [row])
    for name in ("fast", "slow", "parquet"):
        assert str(Workbench(tmp_path / name).changes("things").df["ts"][0]) == "2026-02-03 09:38:20.500000+00:00", name


def test_what_duckdb_takes_for_a_time_and_is_none_is_named(tmp_path):
    none = ["2026-02-03 10:00:00 Europe/Berlin", "infinity", "2026-02-03 (BC) 10:00:00"]
    rows = [canonical_change(RECORDS[0]), *(canonical_change(RECORDS[1]) | {"ts": time} for time in none)]
    (tmp_path / "json").mkdir()
    (tmp_path / "json" / "log.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    write_parquet(tmp_path / "parquet", rows)
    for name in ("json", "parquet"):
        stats = Workbench(tmp_path / name).changes("things").stats
        assert [(each.line, each.reason) for each in stats.unreadable] == [
            (n, "ts is a str, not a time") for n in (2, 3, 4)
        ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"new_image": "{"},
        {"new_image": '{"v":{"S":1}}'},
        {"event_name": "UPSERT"},
        {"keys": "[]"},
        {"ts": "noon"},
        {"event_id": None},
        {"event_name": "INSERT"},
    ],
)
def test_a_wrong_row_of_parquet_is_counted_as_in_json_by_every_question(tmp_path, wrong):
    rows = [canonical_change(change) for change in RECORDS]
    rows[1] |= wrong
    write_parquet(tmp_path, rows)
    for question in ("change_frequency", "latest_state", "data_quality"):
        with closing(Workbench(tmp_path)) as wb:
            assert [found.line for found in getattr(wb, question)("things").stats.unreadable] == [2], question


@pytest.mark.parametrize("less", [["size_bytes"], ["by_ttl"], ["size_bytes", "by_ttl"], ["old_image"]])
def test_parquet_with_columns_less_and_more_is_read(tmp_path, less):
    rows = [canonical_change(change) for change in RECORDS]
    write_parquet(tmp_path, [{name: row[name] for name in row if name not in less} for row in rows[:2]], "less")
    write_parquet(tmp_path, [rows[2] | {"dt": "2026-01-01", "pk": "x"}], "more")
    result = Workbench(tmp_path).changes("things")
    assert list(result.df["new.v"]) == ["A", "B", "A"]
    assert not result.stats.unreadable


@pytest.mark.parametrize("form", ["parquet", "json"])
def test_an_envelope_in_capitals_is_one(tmp_path, form):
    rows = [{name.upper(): value for name, value in canonical_change(change).items()} for change in RECORDS]
    if form == "parquet":
        write_parquet(tmp_path, rows, "capitals")
    else:
        (tmp_path / "capitals.json").write_text("\n".join(map(json.dumps, rows)))
    wb = Workbench(tmp_path)
    result = wb.changes("things")
    assert list(result.df["new.v"]) == ["A", "B", "A"]
    assert not result.stats.unreadable
    assert wb.tables()["layout"].tolist() == ["envelope"]


def lowered(value: Any) -> Any:
    """A record as a catalog's struct spells it: types and AWS's names in lower case."""
    if isinstance(value, dict):
        return {name.lower(): lowered(each) for name, each in value.items()}
    return [lowered(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("names", [lowered, lambda row: row])
def test_raw_records_as_nested_columns_of_parquet_are_read(tmp_path, names):
    first = KEY | {
        "m": {"M": {"a": {"N": "1"}, "l": {"L": [{"S": "x"}]}}},
        "tags": {"SS": ["b", "a"]},
        "t": {"BOOL": True},
    }
    second = KEY | {"n": {"N": "1.50"}, "m": {"M": {"b": {"S": ""}}}, "blob": {"B": "QVFJRA=="}}
    states = chain(KEY, [(NOON, first), (NOON + 1, second), (NOON + 2, None)], ids=["1", "2", "3"])
    write_parquet(tmp_path, [names(change) for change in states])
    slow = [found for item in list_objects(tmp_path) for found in read_changes(item)]
    assert slow == [canonical_change(change) for change in states]
    assert len(Workbench(tmp_path).changes("things").df) == 3


# --- nulls, images that are not there, and binary


@pytest.mark.parametrize("layout", ["raw", "envelope", "parquet"])
def test_nulls_beside_a_value_and_for_one_are_absent_to_every_question(tmp_path, layout):
    image = {"pk": {"S": "x", "N": None}, "note": None, "v": {"S": None, "N": "1", "M": None}, "m": {"M": {"a": None}}}
    change = record("INSERT", {"pk": {"S": "x", "N": None}}, NOON, new=image) | {"eventID": "1"}
    change["dynamodb"]["OldImage"] = None
    row = change
    if layout != "raw":
        texts = {"keys": json.dumps(change["dynamodb"]["Keys"]), "new_image": json.dumps(image)}
        row = canonical_change(change) | texts
    if layout == "parquet":
        write_parquet(tmp_path, [row])
    else:
        (tmp_path / "log.json").write_text(json.dumps(row))
    for question in ("change_frequency", "latest_state"):
        with closing(Workbench(tmp_path)) as wb:
            result = getattr(wb, question)("things")
            assert len(result.df) == 1
            assert not result.stats.unreadable
    assert result.df[["pk", "v"]].to_dict("records") == [{"pk": "x", "v": 1}]
    assert "note" not in result.df
    fast, slow = both(tmp_path)
    assert fast == slow


EMPTY = [
    {"m": {}},
    {"m": {"M": {"a": {}}}},
    {"M": {}},
    {"l": {"L": [{}]}},
    {"l": {"L": [None]}},
    {"ATM": {}},
    {"m": {"M": {"M": {}}}},
    {"v": {"S": None}},
    {"v": {"S": "a", "N": "1"}},
    {"v": {"M": {"a": {"S": 1}}}},
    {"v": {"N": "1,5"}},
    {"v": {"N": "NaN"}},
    {"v": {"B": "%"}},
    {"v": {"NS": ["x"]}},
    {"v": "plain"},
    {"v": {"X": ""}},
    {"v": {"L": {}}},
    {"v": {"M": []}},
    {"v": {"BOOL": "true"}},
    {"v": {"L": ["a"]}},
]


@pytest.mark.parametrize("layout", ["raw", "envelope", "parquet"])
@pytest.mark.parametrize("image", EMPTY, ids=str)
def test_an_image_that_is_none_is_refused_by_every_question_alike(tmp_path, layout, image):
    good, bad = record("INSERT", KEY, NOON, new=A), record("MODIFY", KEY, NOON + 1, new=B, old=A)
    rows = [good, bad]
    if layout == "raw":
        bad["dynamodb"]["NewImage"] = KEY | image
    else:
        rows = [canonical_change(row) for row in rows]
        rows[1]["new_image"] = json.dumps(KEY | image)
    if layout == "parquet":
        write_parquet(tmp_path, rows)
    else:
        (tmp_path / "log.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for question in ("change_frequency", "latest_state"):
        with closing(Workbench(tmp_path)) as wb:
            assert [found.line for found in getattr(wb, question)("things").stats.unreadable] == [2], question


@examples(150)
@given(
    st.recursive(
        attribute_values | st.none() | st.just({}) | st.just({"S": 1}),
        lambda inner: st.one_of(
            st.dictionaries(st.sampled_from("MLSax"), inner, max_size=2).map(lambda members: {"M": members}),
            st.lists(inner, max_size=2).map(lambda members: {"L": members}),
        ),
        max_leaves=5,
    )
)
def test_the_pattern_of_images_takes_no_json_that_is_none(value):
    image = {"a": value, "b": {"S": "}}"}}
    text = json.dumps(image, ensure_ascii=False)
    params = {"image": text, "pattern": _IMAGE_PATTERN}
    if duckdb.execute("select regexp_full_match($image, $pattern)", params).fetchall() == [(True,)]:
        canonical_json(image)


def of_streams(change: dict, view: str | None = "NEW_AND_OLD_IMAGES") -> dict:
    """A record as DynamoDB Streams hands it out."""
    arn = "arn:aws:dynamodb:eu-central-1:123456789012:table/things/stream/2026-01-01T00:00:00.000"
    inner = change["dynamodb"] | {"SequenceNumber": "1", "StreamViewType": view}
    kept = {name: value for name, value in change.items() if name not in ("tableName", "recordFormat")}
    return kept | {"eventVersion": "1.1", "eventSourceARN": arn, "dynamodb": inner}


def test_binary_is_decoded_by_the_kind_of_the_record(tmp_path):
    key = {"pk": {"B": "dGVzdA=="}}  # base64 of base64-like text: b"test"
    for kind, shape, value in (("streams", of_streams, b"test"), ("kinesis", lambda row: row, b"\xb5\xeb-")):
        change = shape(record("INSERT", key, NOON, new=key | {"v": {"BS": ["dGVzdA=="]}}))
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "log.json").write_text(json.dumps(change))
        fast, slow = both(tmp_path / kind)
        assert fast == slow
        assert base64.b64decode(fast[0]["keys"]["pk"]["B"]) == value
        assert base64.b64decode(fast[0]["new_image"]["v"]["BS"][0]) == value
        assert fast[0]["table_name"] == "things"


@pytest.mark.parametrize("view", ["KEYS_ONLY", "OLD_IMAGE", None])
@pytest.mark.parametrize("layout", ["raw", "envelope", "parquet"])
def test_changes_of_a_stream_without_new_images_count(tmp_path, view, layout):
    made = [record("INSERT", KEY, NOON), record("MODIFY", KEY, NOON + 1, old=A), record("REMOVE", KEY, NOON + 2)]
    rows = [of_streams(change, view) for change in made]
    if layout == "parquet":
        write_parquet(tmp_path, [canonical_change(row) for row in rows])
    else:
        (tmp_path / "log.json").write_text("".join(json.dumps(rows_of(row, layout)) + "\n" for row in rows))
    fast, slow = both(tmp_path)
    assert fast == slow
    assert [row["event_name"] for row in sorted(fast, key=lambda row: row["ts"])] == ["INSERT", "MODIFY", "REMOVE"]
    assert not any(row["new_image"] for row in fast)
    with closing(Workbench(tmp_path)) as wb:
        df = wb.change_frequency("things", every="1d").df
    assert df[["inserts", "modifies", "removes"]].to_numpy().tolist() == [[1, 1, 1]]


def test_an_image_that_the_stream_has_and_the_record_lacks_is_refused(tmp_path):
    rows = [
        record("INSERT", KEY, NOON),
        of_streams(record("MODIFY", KEY, NOON)),
        of_streams(record("INSERT", KEY, NOON), "NEW_IMAGE"),
        record("INSERT", KEY, NOON, new=A),
    ]
    (tmp_path / "log.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    fast, slow = both(tmp_path)
    assert fast == slow
    assert [row["line"] for row in fast if "line" in row] == [1, 2, 3]


@pytest.mark.parametrize("layout", ["raw", "envelope", "parquet"])
def test_an_image_without_attributes_is_none(tmp_path, layout):
    rows = [record("INSERT", KEY, NOON, new=A, old={}), record("REMOVE", KEY, NOON + 1, new={}, old=A)]
    if layout != "raw":
        rows = [canonical_change(row) | {"old_image" if at == 0 else "new_image": "{ }"} for at, row in enumerate(rows)]
    if layout == "parquet":
        write_parquet(tmp_path, rows)
    else:
        (tmp_path / "log.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    fast, slow = both(tmp_path)
    assert fast == slow
    assert sorted((row["event_name"], row["old_image"] is None, row["new_image"] is None) for row in fast) == [
        ("INSERT", True, False),
        ("REMOVE", False, True),
    ]


# --- flat rows with names of other layouts


@pytest.mark.parametrize("name", ["new_image", "old_image", "dynamodb"])
@pytest.mark.parametrize("value", ["{}", "x", 5, '{"pk":{"S":"other"}}', '{"v":{"S":"x"}}'])
def test_a_flat_row_may_have_attributes_with_names_of_other_layouts(tmp_path, name, value):
    rows = [flat(change) | {name: value} for change in RECORDS]
    (tmp_path / "log.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = Workbench(tmp_path).latest_state("things")
    assert not result.stats.unreadable
    assert result.df[["pk", "v", name]].to_dict("records") == [{"pk": "x", "v": "A", name: value}]


def test_rows_that_have_keys_need_not_those_of_the_setting(tmp_path):
    other = chain({"id": {"N": "1"}}, [(NOON, {"id": {"N": "1"}})], table="others")
    rows = [flat(change) for change in (*RECORDS, *other)]
    (tmp_path / "log.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    wb = Workbench(tmp_path, keys=("pk",))
    assert list(wb.latest_state("things").df["v"]) == ["A"]
    assert list(wb.latest_state("others").df["id"]) == ["1"]


# --- what may lead to the slow reader


def test_an_error_of_our_own_is_no_unreadable_image(tmp_path, monkeypatch):
    write_log(tmp_path, RECORDS)
    wb, reread = Workbench(tmp_path), []
    monkeypatch.setattr(StagedLog, "reread", lambda log: reread.append(log))
    for error in (TypeError("ours"), ValueError("ours"), KeyError("ours"), AttributeError("ours")):
        monkeypatch.setattr(workbench.questions.state, "Items", partial(_raising, error))
        with pytest.raises(type(error), match="ours"):
            wb.latest_state("things")
    monkeypatch.setattr(workbench.questions.state, "holds", partial(_raising, TypeError("ours")))
    with pytest.raises(TypeError, match="ours"):
        wb.changes("things", where="v = 'A'")
    assert not reread


def _raising(error, *args, **more):
    raise error


@pytest.mark.parametrize("where", ["monkeys > 3", "v = 'keys'", "keys.old is not null", "turkeys = 1 or v = 'A'"])
@pytest.mark.parametrize("question", ["latest_state", "changes"])
def test_a_condition_that_holds_the_letters_of_keys_reads_as_any_other(tmp_path, monkeypatch, where, question):
    write_log(tmp_path, RECORDS)
    slow = []
    monkeypatch.setattr(StagedLog, "reread", lambda log: slow.append(log))
    getattr(Workbench(tmp_path), question)("things", where=where)
    assert not slow


@pytest.mark.parametrize("image", EMPTY, ids=str)
def test_images_are_refused_as_what_they_are_whoever_stumbles_over_them(image):
    text = json.dumps(KEY | image)
    with pytest.raises(RecordRefused):
        refuse_images(["{}", None, text])
    rows = pa.table({"new_image": [text], "old_image": [json.dumps(A)]})
    with suppress(RecordRefused):  # and nothing else
        holding(rows, parse("v = 'A' or v > 1"), "new_image", "old_image")


# --- a line has a limit


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("ended", [b"\n", b""])
def test_a_line_beyond_the_limit_is_named_never_held_and_the_others_are_read(tmp_path, monkeypatch, packed, ended):
    monkeypatch.setattr(compression, "_LONGEST", 1 << 20)
    lines = [json.dumps(change).encode() for change in RECORDS]
    content = b"\n".join([lines[0], b'{"a":"' + b"x" * (40 << 20), lines[1]]) + b"\n" + lines[2] + ended
    path = tmp_path / "log.json"
    path.write_bytes(gzip.compress(content, 1) if packed else content)
    del content
    (item,) = list_objects(tmp_path)
    tracemalloc.start()
    try:
        found = list(read_changes(item))
        assert tracemalloc.get_traced_memory()[1] < 12 << 20
    finally:
        tracemalloc.stop()
    assert [each for each in found if isinstance(each, dict)] == [canonical_change(change) for change in RECORDS]
    (named,) = (each for each in found if isinstance(each, Unreadable))
    assert named.line == 2
    assert named.reason.startswith("a line of 41,943,046 bytes")
    assert len(Workbench(tmp_path).changes("things").df) == 3


def test_a_line_that_duckdb_does_not_take_is_read_up_to_the_limit(tmp_path):
    long = record("MODIFY", KEY, NOON + 5, new=A | {"t": {"S": "x" * (5 << 20)}}, old=A)
    (tmp_path / "log.json").write_text("".join(json.dumps(row) + "\n" for row in [*RECORDS, long]))
    wb = Workbench(tmp_path)
    assert len(wb.latest_state("things").df["t"][0]) == 5 << 20
    assert wb.change_frequency("things").df["changes"].sum() == 4


# --- flat rows of one instant: event names tell whether the item is there afterwards


@pytest.mark.parametrize("ids", list(permutations("123")))
@pytest.mark.parametrize(
    ("events", "there"),
    [
        ("IRI", True),
        ("RI", True),
        ("RIR", False),
        ("IR", False),
        ("R", False),
        ("MR", False),
        ("RIM", True),
        ("MM", True),
    ],
)
def test_event_names_settle_whether_an_item_is_there_where_old_images_are_not_known(tmp_path, ids, events, there):
    was = events[0] != "I"
    names = {"I": "INSERT", "R": "REMOVE", "M": "MODIFY"}
    rows = [record("INSERT", KEY, NOON, new=A, event_id="0")] if was else []
    rows += [
        record(names[event], KEY, NOON + 5, new=None if event == "R" else B, event_id=ids[at])
        for at, event in enumerate(events)
    ]
    for row in rows:
        row["dynamodb"].pop("OldImage", None)
    write_log(tmp_path, rows, "flat")
    df = Workbench(tmp_path).latest_state("things").df
    assert [row["v"] for row in df.to_dict("records")] == (["B"] if there else [])


def test_an_item_removed_and_put_before_an_instant_of_changes_only_is_there(tmp_path):
    made = [
        ("INSERT", NOON, A),
        ("REMOVE", NOON + 5, None),
        ("INSERT", NOON + 5, B),
        ("REMOVE", NOON + 6, None),
        ("INSERT", NOON + 6, A),
    ]
    write_log(
        tmp_path,
        [record(event, KEY, at, new=new, event_id=str(9 - number)) for number, (event, at, new) in enumerate(made)],
        "flat",
    )
    assert list(Workbench(tmp_path).latest_state("things").df["v"]) == ["A"]
