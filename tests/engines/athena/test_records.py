"""One law for records, whatever the layout, the file format and the engine: what is a change, and what it says."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.helpers.aws.lake import athena, declare, place
from tests.helpers.logs import flat, record
from tests.helpers.questions import same
from tests.log.test_reader import EMPTY, KEY, NOON, A, B, of_streams, spelled, write_parquet
from workbench import Workbench
from workbench.aws.table_definitions import table_input
from workbench.model.records import canonical_change

Rows = Sequence[dict[str, Any]]
LAYOUTS = ("raw", "envelope", "parquet")
ASKED: tuple[Callable[[Workbench], Any], ...] = (
    lambda wb: wb.latest_state("things", include_deleted=True),
    lambda wb: wb.changes("things"),
    lambda wb: wb.change_frequency("things", every="1d"),
)


def answers(server, folder: Path, rows: Rows, layout: str, columns: dict[str, str] | None = None) -> list[Any]:
    """Ask both engines about a log, assert that they agree, and return what Athena answered."""
    if layout == "parquet":
        write_parquet(folder, list(rows))
    else:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "log.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    table = table_input(
        "things",
        place(server, folder),
        layout="raw" if layout == "raw" else "envelope",
        stored="parquet" if layout == "parquet" else "json",
        partitions="none",
    )
    if columns:  # the mapping of our own raw tables gives `keys` to Kinesis' Keys only
        table["StorageDescriptor"]["SerdeInfo"]["Parameters"] = {"ignore.malformed.json": "true"}
    table["StorageDescriptor"]["Columns"] += [{"Name": name, "Type": kind} for name, kind in (columns or {}).items()]
    declare(server, table)
    on_files, on_athena = Workbench(folder), athena(server)
    found = []
    for ask in ASKED:
        expected, told = ask(on_files), ask(on_athena)
        same(told.df, expected.df)
        assert [each.line for each in told.stats.unreadable] == [each.line for each in expected.stats.unreadable]
        found.append(told)
    on_files.close()
    on_athena.close()
    return found


def of_layout(change: dict[str, Any], layout: str, **images: Any) -> dict[str, Any]:
    """A record in a layout, with the images as they are given."""
    if layout == "raw":
        names = {"keys": "Keys", "new_image": "NewImage", "old_image": "OldImage"}
        return change | {"dynamodb": change["dynamodb"] | {names[name]: image for name, image in images.items()}}
    return canonical_change(change) | {name: json.dumps(image) for name, image in images.items()}


@pytest.mark.parametrize("layout", ["envelope", "parquet"])
def test_keys_are_one_item_whatever_their_spelling(empty, tmp_path, layout):
    key = {"pk": {"S": "ü"}, "n": {"N": "1"}}
    first = record("INSERT", key, NOON, new=key | {"v": {"N": "1"}})
    second = record("MODIFY", key, NOON + 1, new=key | {"v": {"N": "2.0"}}, old=key | {"v": {"N": "1"}})
    rows = [canonical_change(first), spelled(second) | {"keys": '{"pk": {"S": "\\u00fc"}, "n": {"N": "1.0"}}'}]
    latest, changes, _ = answers(empty, tmp_path, rows, layout)
    assert latest.df[["pk", "n", "v"]].to_dict("records") == [{"pk": "ü", "n": 1, "v": 2}]
    assert len(changes.df) == 2


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_image_without_attributes_is_none(empty, tmp_path, layout):
    rows = [
        of_layout(record("INSERT", KEY, NOON, new=A), layout, old_image={}),
        of_layout(record("REMOVE", KEY, NOON + 1, old=A), layout, new_image={}),
    ]
    latest, _, counts = answers(empty, tmp_path, rows, layout)
    assert counts.df[["inserts", "modifies", "removes"]].to_numpy().tolist() == [[1, 0, 1]]
    assert list(latest.df["_deleted_at"].notna()) == [True]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_changes_of_a_stream_without_new_images_are_kept(empty, tmp_path, layout):
    rows = []
    for view in ("KEYS_ONLY", "OLD_IMAGE", None):
        key = {"pk": {"S": str(view)}}
        made = [record("INSERT", key, NOON), record("MODIFY", key, NOON + 1, old=key), record("REMOVE", key, NOON + 2)]
        rows += [of_layout(of_streams(change, view), layout) for change in made]
    _, changes, counts = answers(empty, tmp_path, rows, layout)
    assert counts.df[["inserts", "modifies", "removes"]].to_numpy().tolist() == [[3, 3, 3]]
    assert not changes.stats.unreadable


def test_an_image_that_the_stream_has_and_the_record_lacks_is_refused(empty, tmp_path):
    rows = [
        record("INSERT", KEY, NOON),
        of_streams(record("MODIFY", KEY, NOON)),
        of_streams(record("INSERT", KEY, NOON), "NEW_IMAGE"),
        record("INSERT", KEY, NOON, new=A),
    ]
    latest, *_ = answers(empty, tmp_path, rows, "raw")
    assert [each.line for each in latest.stats.unreadable] == [1, 2, 3]
    assert len(latest.df) == 1


@pytest.mark.parametrize("layout", LAYOUTS)
def test_nulls_beside_a_value_and_for_one_are_absent(empty, tmp_path, layout):
    image = {
        "pk": {"S": "x", "N": None},
        "note": None,
        "v": {"S": None, "N": "1", "M": None},
        "m": {"M": {"a": None}},
        "z": {"L": [{"S": "a", "N": None}]},
    }
    change = record("INSERT", KEY, NOON, new=A)
    rows = [of_layout(change, layout, keys={"pk": {"S": "x", "N": None}}, new_image=image)]
    latest, *_ = answers(empty, tmp_path, rows, layout)
    assert latest.df[["pk", "v", "m", "z"]].to_dict("records") == [{"pk": "x", "v": 1, "m": {}, "z": ["a"]}]
    assert "note" not in latest.df
    assert not latest.stats.unreadable


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_image_that_is_none_is_refused_by_every_question(empty, tmp_path, layout):
    """Beside images that nest deeply, hold braces in texts, or have attributes called as types are."""
    deep: dict[str, Any] = {"S": '}}"{"S":'}
    for _ in range(12):
        deep = {"L": [{"M": {"M": deep, "L": {"L": []}}}, {"M": {}}]}
    rows = [
        of_layout(
            record("INSERT", KEY, NOON, new=A), layout, new_image=KEY | {"M": deep, "S": {"NS": ["-1.5e3", ".5"]}}
        )
    ]
    rows += [
        of_layout(record("MODIFY", KEY, NOON + at, new=B, old=A), layout, new_image=KEY | image)
        for at, image in enumerate(EMPTY, 1)
    ]
    latest, changes, counts = answers(empty, tmp_path, rows, layout)
    assert [each.line for each in changes.stats.unreadable] == [*range(2, len(EMPTY) + 2)]
    assert len(changes.df) == len(latest.df) == counts.df["inserts"].sum() == 1
    assert not counts.df["modifies"].sum()


def test_keys_that_are_none_are_refused(empty, tmp_path):
    three = {name: {"S": "x"} for name in "abc"}
    wrong: list[Any] = [
        {},
        three,
        {"a": {"BOOL": True}},
        {"a": {"S": None}},
        {"a": {"N": "x"}},
        {"a": "x"},
        [],
        "x",
        None,
    ]
    rows = [of_layout(record("INSERT", KEY, NOON + at, new=A), "envelope") for at in range(len(wrong) + 1)]
    for row, keys in zip(rows[1:], wrong, strict=True):
        row["keys"] = json.dumps(keys)
    latest, *_ = answers(empty, tmp_path, rows, "envelope")
    assert [each.line for each in latest.stats.unreadable] == [*range(2, len(wrong) + 2)]


def test_a_record_is_of_one_layout_whatever_columns_the_table_has(empty, tmp_path):
    """A raw record with names of an envelope's is raw; envelopes in the same table are envelopes."""
    beside = {
        "ts": "2001-01-01 00:00:00.000000",
        "new_image": json.dumps(KEY | B),
        "table_name": "others",
        "event_id": "x",
        "event_name": "REMOVE",
        "keys": json.dumps({"pk": {"S": "other"}}),
    }
    rows = [
        record("INSERT", KEY, NOON, new=A) | beside,
        canonical_change(record("MODIFY", KEY, NOON + 1, new=B, old=A)),
    ]
    names = ("event_id", "event_name", "table_name", "ts", "keys", "new_image", "old_image", "aws_region", "account_id")
    columns = dict.fromkeys(names, "string") | {"by_ttl": "boolean", "size_bytes": "bigint"}
    latest, changes, _ = answers(empty, tmp_path, rows, "raw", columns)
    assert list(changes.df["event_name"]) == ["INSERT", "MODIFY"]
    assert list(latest.df["v"]) == ["B"]


def test_binary_is_decoded_by_the_kind_of_the_record(empty, tmp_path):
    key = {"pk": {"B": "dGVzdA=="}}  # base64 of base64-like text: b"test"
    for kind, shape, value in (("streams", of_streams, b"test"), ("kinesis", lambda row: row, b"\xb5\xeb-")):
        empty.reset()
        change = shape(record("INSERT", key, NOON, new=key | {"v": {"BS": ["dGVzdA=="]}}))
        latest, *_ = answers(empty, tmp_path / kind, [change], "raw")
        assert latest.df[["pk", "v"]].to_dict("records") == [{"pk": value, "v": frozenset([value])}]


@pytest.mark.parametrize("name", ["new_image", "old_image"])
def test_a_flat_row_may_have_attributes_called_as_images_are(empty, tmp_path, name):
    """The names of its columns are those of an envelope; the key tells, which is in none of the images."""
    values = [None, "x", '{"pk":{"S":"other"}}']
    keys = [{"pk": {"S": letter}} for letter in "abc"]
    rows = [
        {
            each: inner
            for each, inner in (flat(record("INSERT", key, NOON, new=key | {"v": {"S": "A"}})) | {name: value}).items()
            if inner is not None
        }
        for key, value in zip(keys, values, strict=True)
    ]
    rows.append(canonical_change(record("INSERT", {"pk": {"S": "d"}}, NOON, new={"pk": {"S": "d"}, "v": {"S": "D"}})))
    latest, *_ = answers(empty, tmp_path, rows, "envelope", {"pk": "string", "v": "string"})
    assert latest.df["pk"].tolist() == ["a", "b", "c", "d"]
    assert [None if pd.isna(value) else value for value in latest.df[name]] == [*values, None]
