"""An export of the item store has the form of DynamoDB's own, and holds the items of one moment."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import re
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from workbench.errors import ParameterError, StoreError
from workbench.log.export_manifests import find_exports
from workbench.model.items import to_dynamodb
from workbench.sandbox import ItemStore, table_export
from workbench.sandbox.table_export import export_table


def summary(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "manifest-summary.json").read_text())


def manifest(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "manifest-files.json").read_text().splitlines()]


def files(folder: Path) -> list[list[dict[str, Any]]]:
    """The items of each data file, in the manifest's order."""
    paths = [folder.parents[1] / entry["dataFileS3Key"] for entry in manifest(folder)]
    return [[json.loads(line)["Item"] for line in gzip.open(path)] for path in paths]


def items(folder: Path) -> list[dict[str, Any]]:
    return [item for file in files(folder) for item in file]


def fill(store: ItemStore, count: int) -> None:
    with store.bulk():
        for number in range(count):
            store.put_item("things", {"pk": f"p-{number}", "n": number})


def exported_at(folder: Path) -> int:
    moment = datetime.fromisoformat(summary(folder)["exportTime"])
    return round(moment.timestamp() * 1_000_000)


def test_an_export_lies_and_is_named_as_dynamodb_would(store, tmp_path):
    fill(store, 20)
    folder = export_table(store, "things", tmp_path / "bucket", files=3)
    assert folder.parent == tmp_path / "bucket" / "AWSDynamoDB"
    assert re.fullmatch(r"\d{14}-[0-9a-f]{8}", folder.name)
    assert sorted(path.name for path in folder.iterdir()) == [
        "_started",
        "data",
        "manifest-files.checksum",
        "manifest-files.json",
        "manifest-summary.checksum",
        "manifest-summary.json",
    ]
    names = [path.name for path in (folder / "data").iterdir()]
    assert len(names) == 3
    assert all(re.fullmatch(r"[a-z2-7]{26}\.json\.gz", name) for name in names)


def test_its_summary_has_every_member_of_dynamodbs(store, tmp_path):
    fill(store, 5)
    before = datetime.now(UTC)
    folder = export_table(store, "things", tmp_path)
    told = summary(folder)
    assert list(told) == [
        "version",
        "exportArn",
        "startTime",
        "endTime",
        "tableArn",
        "tableId",
        "exportTime",
        "s3Bucket",
        "s3Prefix",
        "s3SseAlgorithm",
        "s3SseKmsKeyId",
        "manifestFilesS3Key",
        "billedSizeBytes",
        "itemCount",
        "outputFormat",
    ]
    assert (told["itemCount"], told["outputFormat"]) == (5, "DYNAMODB_JSON")
    assert told["billedSizeBytes"] == 5 * (2 + 3 + 1 + 2) - 1  # names, texts and numbers; 0 takes a byte less
    assert told["exportArn"].startswith("arn:aws:dynamodb:local:000000000000:table/things/export/")
    for name in ("startTime", "exportTime", "endTime"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", told[name])
    assert before.timestamp() <= exported_at(folder) / 1e6 <= datetime.now(UTC).timestamp()
    assert told["manifestFilesS3Key"] == f"AWSDynamoDB/{folder.name}/manifest-files.json"


def test_counts_checksums_and_tags_are_right(store, tmp_path):
    fill(store, 50)
    folder = export_table(store, "things", tmp_path, files=4)
    for entry, held in zip(manifest(folder), files(folder), strict=True):
        digest = hashlib.md5((tmp_path / entry["dataFileS3Key"]).read_bytes()).digest()
        assert entry["itemCount"] == len(held) > 0
        assert base64.b64decode(entry["md5Checksum"]) == digest
        assert entry["etag"] == hashlib.md5(digest).hexdigest() + "-1"
    for name in ("manifest-files", "manifest-summary"):
        digest = hashlib.md5((folder / f"{name}.json").read_bytes()).digest()
        assert base64.b64decode((folder / f"{name}.checksum").read_text()) == digest


def test_items_with_one_partition_key_lie_in_one_file(tmp_path):
    with ItemStore(tmp_path / "items.sqlite") as store:
        store.create_table("orders", {"customer": "S", "at": "N"})
        for number in range(40):
            store.put_item("orders", {"customer": f"c-{number % 10}", "at": number})
        held = files(export_table(store, "orders", tmp_path, files=4))
    customers = [{item["customer"]["S"] for item in file} for file in held]
    assert sum(map(len, held)) == 40
    assert sum(map(len, customers)) == 10
    assert sum(map(bool, customers)) > 1


def test_an_empty_table_has_empty_files(store, tmp_path):
    folder = export_table(store, "things", tmp_path)
    assert files(folder) == [[], []]
    assert summary(folder)["itemCount"] == 0


def test_items_are_written_exactly(store, tmp_path):
    item = {
        "pk": "a",
        "b": b"\x00\xff",
        "none": None,
        "empty": "",
        "set": {"x", "y"},
        "deep": {"l": [1, {"ö.ö": True}]},
    }
    store.put_item("things", item)
    assert items(export_table(store, "things", tmp_path)) == [to_dynamodb(item)]


def test_it_holds_every_change_up_to_its_time_and_no_later_one(store, tmp_path):
    store.put_item("things", {"pk": "before"})
    folder = export_table(store, "things", tmp_path)
    store.put_item("things", {"pk": "after"})
    before, after = (micros for _, micros in store.pending("things"))
    assert before <= exported_at(folder) < after
    assert [item["pk"]["S"] for item in items(folder)] == ["before"]


@pytest.mark.slow
def test_it_is_of_one_moment_while_others_write(store, tmp_path):
    fill(store, 3_000)
    done, started = threading.Event(), threading.Event()

    def write() -> None:
        with ItemStore(tmp_path / "items.sqlite") as writer:
            number = 0
            while not done.is_set():
                writer.put_item("things", {"pk": f"w-{number}"})
                number += 1
                started.set()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert started.wait(10)
        folders = [export_table(store, "things", tmp_path) for _ in range(3)]
    finally:
        done.set()
        thread.join()
    changes = [(micros, json.loads(store.records([seq])[0])) for seq, micros in store.pending("things")]
    for folder in folders:
        known = {record["dynamodb"]["Keys"]["pk"]["S"] for micros, record in changes if micros <= exported_at(folder)}
        assert {item["pk"]["S"] for item in items(folder)} == known
        assert len(known) > 3_000


@pytest.mark.parametrize("step", range(6))
def test_one_broken_off_at_any_step_does_not_look_finished(store, tmp_path, monkeypatch, step):
    fill(store, 5)
    steps = iter(range(100))

    def replace(source: os.PathLike[str], target: os.PathLike[str]) -> None:
        if next(steps) == step:
            raise OSError("killed")
        os.rename(source, target)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(StoreError, match="could not be exported"):
        export_table(store, "things", tmp_path)
    with pytest.raises(ParameterError, match="has not finished"):
        find_exports(tmp_path)


def test_a_table_that_is_not_there_is_named(store, tmp_path):
    with pytest.raises(StoreError, match="no table 'others'"):
        export_table(store, "others", tmp_path)


def test_an_export_needs_a_file(store, tmp_path):
    with pytest.raises(StoreError, match="1 data file or more"):
        export_table(store, "things", tmp_path, files=0)


def test_an_export_cannot_be_made_of_half_a_bulk_write(store, tmp_path):
    with store.bulk(), pytest.raises(StoreError, match="bulk"):
        export_table(store, "things", tmp_path)


def test_a_folder_that_cannot_be_written_is_named(store, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="could not be exported"):
        export_table(store, "things", tmp_path / "file")


def test_the_store_can_be_written_after_an_export(store, tmp_path):
    export_table(store, "things", tmp_path)
    store.put_item("things", {"pk": "a"})
    assert store.get_item("things", {"pk": "a"}) == {"pk": "a"}
    assert table_export.export_table(store, "things", tmp_path) in [export.folder for export in find_exports(tmp_path)]
