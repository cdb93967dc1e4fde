"""The transform function, run as Lambda runs it, and what it leaves for the workbench to read."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra_cdk.stacks.transform import FILES
from tests.helpers.logs import chain, micros, record, write_log
from tests.helpers.profiles import examples
from tests.infra.conftest import Invoke, event, only, resources, store, stored
from workbench import Workbench
from workbench.log import flat
from workbench.model import attribute_paths, records
from workbench.model.records import COLUMNS, canonical_change

LIMIT = 6 * 1024 * 1024  # https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
NOON = micros("2026-01-01T12:00:00")
KEY = {"pk": {"S": "p-1"}}


def twice(content: bytes) -> str:
    """Binary as Kinesis has it."""
    return base64.b64encode(base64.b64encode(content)).decode()


RICH = KEY | {
    "text": {"S": 'quotes "\\" and ünïcode 日本語\n\u2028'},
    "empty": {"S": ""},
    "n": {"N": "1.50"},
    "big": {"N": "12345678901234567890123456789012345678"},
    "tiny": {"N": "1E-130"},
    "yes": {"BOOL": True},
    "none": {"NULL": True},
    "photo": {"B": twice(b"\x00\xff")},
    "tags": {"SS": ["b", "a"]},
    "numbers": {"NS": ["10", "9.0"]},
    "blobs": {"BS": [twice(b"x"), twice(b"a")]},
    "void": {"M": {}},
    "list": {"L": [{"S": "a"}, {"N": "1"}, {"NULL": True}, {"M": {"deep": {"BOOL": False}}}, {"L": []}]},
    "mixed": {"L": [{"SS": ["z"]}, {"B": twice(b"!")}]},
    "person": {"M": {"first.name": {"S": "Ada"}, "age": {"N": "41"}, "gone": {"NULL": True}}},
}
TAKEN = KEY | {
    name: {"S": name}
    for name in (
        "ts",
        "keys",
        "event_name",
        "EventID",
        "by_ttl",
        "_by_ttl",
        "attribute_values",
        "a.b",
        'q"q',
        "x[0]",
        "",
        "*",
        "日本",
        "has space",
    )
}
KINDS = [
    *chain(KEY, [(NOON, KEY | {"v": {"N": "1"}}), (NOON + 1, RICH), (NOON + 2, None)]),
    *chain({"pk": {"S": "p-2"}}, [(NOON, {"pk": {"S": "p-2"}} | {"person": RICH["person"]})], millis=True),
    *chain({"pk": {"S": "p-3"}}, [(NOON, {"pk": {"S": "p-3"}}), (NOON + 9, None)], ttl=True),
    *chain({"pk": {"S": "p-4"}}, [(NOON, RICH | {"pk": {"S": "p-4"}})]),
    *chain({"pk": {"S": "p-5"}}, [(NOON, TAKEN | {"pk": {"S": "p-5"}})]),
]
MALFORMED: list[Any] = [
    b"",
    b"   ",
    b"\xff\xfe{",
    "{",
    "[1, 2]",
    "null",
    '"text"',
    "{}",
    json.dumps(KINDS[0])[:-20],
    "not json",
    {"dynamodb": {}},
    {"dynamodb": {"Keys": {}}, "eventName": "INSERT", "eventID": "1"},
    KINDS[0] | {"eventName": "UPSERT"},
    KINDS[0] | {"eventID": ""},
    "[" * 100_000,
    "9" * 5_000,
    json.dumps(KINDS[0]) + "{",
    json.dumps(KINDS[0]).replace("p-1", "\\ud800"),
]
MODES = {"envelope": "single", "newline": "newline", "flat": "flat"}


def answers(folder: Path, table: str = "things", **settings: Any) -> list[pd.DataFrame]:
    wb = Workbench(folder, **settings)
    return [wb.latest_state(table).df, wb.latest_state(table, as_of="2026-01-01T12:00:00.000001Z").df]


def same(left: list[pd.DataFrame], right: list[pd.DataFrame]) -> None:
    for one, other in zip(left, right, strict=True):
        assert list(one.dtypes.items()) == list(other.dtypes.items())
        assert shown(one) == shown(other)


def shown(df: pd.DataFrame) -> list[list[str]]:
    """Rows as texts, sets in order: pandas cannot compare cells that hold sets."""
    texts = df.map(lambda cell: repr(sorted(cell, key=repr) if isinstance(cell, frozenset) else cell))
    return [list(df.columns), *texts.to_numpy().tolist()]


def test_the_package_is_the_handler_and_one_module_of_the_standard_library(variants):
    for name, function in resources(variants["single"], "AWS::Lambda::Function").items():
        asset = variants["single"].folder / f"asset.{function['Properties']['Code']['S3Key'].removesuffix('.zip')}"
        assert "Transform" in name
        assert {str(path.relative_to(asset)) for path in asset.rglob("*") if path.is_file()} == set(FILES)


@pytest.mark.parametrize("mode", ["envelope", "newline"])
def test_what_it_writes_gives_the_answers_that_the_raw_records_give(mode, invoke: Invoke, tmp_path):
    ((response,), (line,)) = invoke([event(KINDS)], MODES[mode])
    assert [each["result"] for each in response["records"]] == ["Ok"] * len(KINDS)
    assert (line["level"], line["records"], line["failed"], line["stream"]) == ("INFO", len(KINDS), 0, "changes")
    write_log(tmp_path / "raw" / "data" / "things", KINDS)
    store(tmp_path / "lake", "things", stored(response))
    raw, lake = (Workbench(tmp_path / name) for name in ("raw/data", "lake/data"))
    same(answers(tmp_path / "lake" / "data"), answers(tmp_path / "raw" / "data"))
    same(
        [lake.changes("things").df, lake.item_history("things", {"pk": "p-1"}).df],
        [raw.changes("things").df, raw.item_history("things", {"pk": "p-1"}).df],
    )
    assert lake.tables()["layout"].tolist() == [{"envelope": "envelope", "newline": "raw"}[mode]]


def test_envelope_lines_are_canonical_changes_in_the_columns_of_the_glue_table(invoke: Invoke, variants):
    ((response,), _) = invoke([event(KINDS)])
    rows = [json.loads(line) for line in stored(response).decode().split("\n")[:-1]]
    assert rows == [canonical_change(each) for each in KINDS]
    table = only(variants["single"], "AWS::Glue::Table")["TableInput"]
    assert [column["Name"] for column in table["StorageDescriptor"]["Columns"]] == list(COLUMNS) == list(rows[0])


def test_parquet_as_firehose_converts_it_to_the_glue_tables_types_gives_the_same_answers(
    invoke: Invoke, variants, tmp_path
):
    ((response,), _) = invoke([event(KINDS)], "parquet")
    columns = only(variants["parquet"], "AWS::Glue::Table")["TableInput"]["StorageDescriptor"]["Columns"]
    kinds = {"string": pa.string(), "bigint": pa.int64(), "boolean": pa.bool_()}
    schema = pa.schema({column["Name"]: kinds[column["Type"]] for column in columns})
    rows = [json.loads(line) for line in stored(response).decode().split("\n")[:-1]]
    folder = tmp_path / "lake" / "things" / "year=2026" / "month=01" / "day=01" / "hour=12"
    folder.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / "changes-1-2026-01-01-12-00-00-1.parquet")
    write_log(tmp_path / "raw" / "things", KINDS)
    same(answers(tmp_path / "lake"), answers(tmp_path / "raw"))


def test_flat_lines_have_one_plain_column_an_attribute_and_names_of_their_own_for_metadata(invoke: Invoke):
    ((response,), _) = invoke([event(KINDS)], "flat")
    first, rich, removed, *_, taken = [json.loads(line) for line in stored(response).decode().split("\n")[:-1]]
    assert first == {
        "event_id": KINDS[0]["eventID"],
        "event_name": "INSERT",
        "table_name": "things",
        "ts": "2026-01-01 12:00:00.000000",
        "keys": '{"pk":{"S":"p-1"}}',
        "size_bytes": 10,
        "by_ttl": False,
        "pk": "p-1",
        "v": 1,
    }
    assert rich['person."first.name"'] == "Ada"
    assert rich["tags"] == ["a", "b"]
    assert rich["photo"] == base64.b64encode(b"\x00\xff").decode()
    assert rich["none"] is None
    assert removed["event_name"] == "REMOVE"
    assert removed["person.age"] == 41  # what the item was
    assert taken['"ts"'] == "ts"
    assert set(json.loads(rich["attribute_values"])) == {
        "none",
        "photo",
        "tags",
        "numbers",
        "blobs",
        "mixed",
        "person.gone",
    }
    assert "12345678901234567890123456789012345678" in stored(response).decode().split("\n")[1]


def test_flat_lines_of_plain_values_give_the_same_latest_state(invoke: Invoke, tmp_path):
    plain = {
        name: value
        for name, value in RICH.items()
        if name in ("pk", "text", "empty", "n", "big", "tiny", "yes", "void", "list")
    }
    kinds = [
        *chain(KEY, [(NOON, KEY), (NOON + 1, plain)]),
        *chain({"pk": {"S": "p-3"}}, [(NOON, {"pk": {"S": "p-3"}}), (NOON + 9, None)], ttl=True),
    ]
    ((response,), _) = invoke([event(kinds)], "flat")
    store(tmp_path / "lake", "things", stored(response))
    write_log(tmp_path / "raw" / "things", kinds)
    same(answers(tmp_path / "lake" / "data"), answers(tmp_path / "raw"))


def test_flat_lines_of_every_type_and_name_give_the_same_latest_state(invoke: Invoke, tmp_path):
    ((response,), _) = invoke([event(KINDS)], "flat")
    store(tmp_path / "lake", "things", stored(response))
    write_log(tmp_path / "raw" / "things", KINDS)
    same(answers(tmp_path / "lake" / "data"), answers(tmp_path / "raw"))


def handler_module() -> Any:
    from infra_cdk.lambdas.transform import handler

    return handler


@pytest.mark.parametrize("more", [{}, {"tableName": "orders"}], ids=str)
def test_a_row_goes_to_the_folder_of_the_table_that_it_is_read_as(more, monkeypatch):
    monkeypatch.setenv("FOLDERS", "log")
    monkeypatch.setenv("MODE", "envelope")
    raw = record("INSERT", KEY, NOON, new=KEY) | {"tableName": "Customers-EU"}
    data = base64.b64encode(json.dumps(canonical_change(raw) | more).encode()).decode()
    (answer,) = handler_module().handler({"records": [{"recordId": "1", "data": data}]}, None)["records"]
    assert answer["result"] == "Ok"
    assert answer["metadata"] == {"partitionKeys": {"log": "customers_eu"}}


@given(st.lists(st.text(max_size=6), min_size=1, max_size=3))
@examples(200)
def test_flat_columns_are_named_as_the_workbench_names_them_but_for_names_of_metadata(path):
    handler = handler_module()
    name = handler.column_name(tuple(path))
    assert attribute_paths.column_path(name) == tuple(path)
    taken = path[0] in handler._TAKEN or records.plain_name(path[0]) in records.METADATA
    if not (len(path) == 1 and taken):
        assert name == attribute_paths.column_name(path)


@pytest.mark.parametrize("mode", list(MODES))
def test_a_record_that_cannot_be_read_fails_alone_and_its_reason_is_logged(mode, invoke: Invoke):
    records = [part for bad in MALFORMED for part in (bad, KINDS[0])]
    ((response,), (line,)) = invoke([event(records)], MODES[mode])
    assert [each["result"] for each in response["records"]] == ["ProcessingFailed", "Ok"] * len(MALFORMED)
    assert [each["recordId"] for each in response["records"]] == [
        each["recordId"] for each in event(records)["records"]
    ]
    assert (line["level"], line["records"], line["failed"]) == ("WARN", len(records), len(MALFORMED))
    assert sum(line["reasons"].values()) == len(MALFORMED)
    assert [each["recordId"] for each in line["failures"]] == [
        each["recordId"] for each in response["records"] if each["result"] != "Ok"
    ]
    assert line["failures"][0]["reason"] == "empty"


@pytest.mark.parametrize("mode", list(MODES))
def test_however_deep_a_record_is_nested_the_others_are_not_lost(mode, invoke: Invoke):
    def nested(depth: int, wrap: str) -> str:
        inner = '{"S":"x"}'
        for _ in range(depth):
            inner = '{"M":{"m":' + inner + "}}" if wrap == "M" else '{"L":[' + inner + "]}"
        text = json.dumps(record("INSERT", KEY, NOON, new=KEY | {"deep": {"S": "here"}}))
        return text.replace('{"S": "here"}', inner)

    deep = [nested(depth, wrap) for wrap in "ML" for depth in (1, 32, 100, 150, 200, 300, 400, 480, 600, 5_000)]
    ((response,), (line,)) = invoke([event([*deep, KINDS[0]])], MODES[mode])
    results = [each["result"] for each in response["records"]]
    assert results[:2] == ["Ok", "Ok"]  # DynamoDB nests 32 deep: https://docs.aws.amazon.com/amazondynamodb
    assert results[-1] == "Ok"
    assert line["failed"] == results.count("ProcessingFailed") > 0


def test_a_reason_in_the_log_is_no_longer_than_a_reason_should_be(invoke: Invoke):
    ((_,), (line,)) = invoke([event([KINDS[0] | {"eventName": "X" * 500_000}])])
    assert len(json.dumps(line)) < 1_000


def test_data_that_is_no_base64_or_missing_fails_alone(invoke: Invoke):
    sent = event([KINDS[0], KINDS[0], KINDS[0]])
    sent["records"][0]["data"] = "%%%"
    del sent["records"][1]["data"]
    ((response,), _) = invoke([sent])
    assert [each["result"] for each in response["records"]] == ["ProcessingFailed", "ProcessingFailed", "Ok"]


def test_an_empty_batch_has_an_empty_answer(invoke: Invoke):
    assert invoke([event([])])[0] == [{"records": []}]


def test_records_that_were_joined_on_the_way_come_out_a_line_each(invoke: Invoke, tmp_path):
    joined = "".join(map(json.dumps, KINDS))
    for mode in ("envelope", "newline", "flat"):
        ((response,), _) = invoke([event([joined, KINDS[0]])], MODES[mode])
        assert [each["result"] for each in response["records"]] == ["Ok", "Ok"], mode
        store(tmp_path / mode, "things", stored(response))
        assert len(Workbench(tmp_path / mode / "data").changes("things").df) == len(KINDS)


def test_newline_keeps_the_record_byte_for_byte(invoke: Invoke):
    text = json.dumps(KINDS[1], indent=None, separators=(", ", " : "), ensure_ascii=False)
    ((response,), _) = invoke([event([text, text + "\n"])], "newline")
    assert stored(response) == (text + "\n").encode() * 2


@pytest.mark.parametrize("mode", list(MODES))
def test_a_response_to_six_mb_stays_below_six_mb_and_what_has_no_room_fails_alone(mode, invoke: Invoke):
    image = KEY | {"quotes": {"S": '"' * 150_000}}  # grows most: twofold, and by a third in base64
    large = record("INSERT", KEY, NOON, new=image)
    small = [record("INSERT", {"pk": {"S": f"s-{n}"}}, NOON, new={"pk": {"S": f"s-{n}"}}) for n in range(2_000)]
    sent = event([large] * 11 + small)
    assert 0.9 * LIMIT < len(json.dumps(sent)) < LIMIT
    ((response,), (line,)) = invoke([sent], MODES[mode])
    assert len(json.dumps(response).encode()) < LIMIT
    results = [each["result"] for each in response["records"]]
    assert len(results) == len(sent["records"])
    assert "Ok" in results
    if mode == "envelope":
        assert "ProcessingFailed" in results
        assert line["failed"] == results.count("ProcessingFailed")
        assert set(line["reasons"]) == {"no room for it in a response of 6,000,000 bytes"}
    assert len(json.dumps(line)) < 20_000


def test_a_buffer_of_firehose_cannot_make_a_response_of_more_than_six_mb(invoke: Invoke, variants):
    stream = only(variants["single"], "AWS::KinesisFirehose::DeliveryStream")
    (processor,) = stream["ExtendedS3DestinationConfiguration"]["ProcessingConfiguration"]["Processors"]
    buffer = {each["ParameterName"]: each["ParameterValue"] for each in processor["Parameters"]}["BufferSizeInMBs"]
    largest = record("INSERT", KEY, NOON, new=KEY | {"quotes": {"S": '"' * 520_000}})  # 1 MB, as Kinesis takes
    assert 2**20 - 20_000 < len(json.dumps(largest)) < 2**20
    full = [largest] * (int(buffer) + 1)  # the buffer, and the record that does not fit
    ((response,), (line,)) = invoke([event(full)])
    assert line["failed"] == 0
    assert len(json.dumps(response)) < LIMIT


@given(
    st.recursive(
        st.one_of(
            st.builds(lambda text: {"S": text}, st.text(st.characters(exclude_categories=["Cs"]), max_size=8)),
            st.builds(lambda number: {"N": str(number)}, st.integers(-(10**37), 10**37)),
            st.just({"NULL": True}),
            st.builds(lambda yes: {"BOOL": yes}, st.booleans()),
            st.builds(
                lambda texts: {"SS": sorted(texts)}, st.sets(st.text(min_size=1, max_size=3), min_size=1, max_size=3)
            ),
            st.builds(lambda content: {"B": twice(content)}, st.binary(max_size=6)),
        ),
        lambda inner: st.one_of(
            st.builds(lambda values: {"L": values}, st.lists(inner, max_size=3)),
            st.builds(lambda values: {"M": values}, st.dictionaries(st.text(max_size=4), inner, max_size=3)),
        ),
        max_leaves=8,
    )
)
@examples(200)
def test_no_value_is_lost_in_a_flat_line(value):
    """Where plain JSON does not tell a value, attribute_values does: each column is one or the other."""
    handler = handler_module()
    image = KEY | {"value": value}
    given_record = record("INSERT", KEY, NOON, new=image)
    data = base64.b64encode(json.dumps(given_record).encode()).decode()
    row = json.loads(handler.transform(data, handler.LINES["flat"]), parse_float=Decimal)
    untold = json.loads(row.get("attribute_values", "{}"))
    rebuilt: dict[str, Any] = {}
    for name, written in row.items():
        if records.plain_name(name) not in records.METADATA:
            flat.put_attribute(
                rebuilt, attribute_paths.column_path(name), untold.get(name) or flat.attribute_value(written)
            )
    change = canonical_change(given_record | {"dynamodb": given_record["dynamodb"]})
    again = canonical_change(change | {"new_image": json.dumps(rebuilt)})
    assert json.loads(again["new_image"]) == json.loads(change["new_image"])
    assert datetime.fromisoformat(row["ts"])
