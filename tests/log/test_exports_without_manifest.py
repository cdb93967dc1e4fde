"""Items without a manifest as a baseline and as the truth: scans, import files, items a line, an export's data alone."""

from __future__ import annotations

import gzip
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.helpers.logs import chain, micros, record, write_log
from workbench import Workbench
from workbench.errors import ParameterError
from workbench.log.backup_items import items_of
from workbench.log.export_manifests import find_exports
from workbench.log.exports import choose
from workbench.sandbox.item_store import ItemStore
from workbench.sandbox.table_export import export_table

NOON = micros("2026-01-01T12:00:00")
MORNING = datetime(2026, 1, 1, 9, tzinfo=UTC).timestamp()
OLD = [{"pk": {"S": f"{n}"}, "v": {"N": f"{n}"}} for n in range(5)]
NEW = {"pk": {"S": "4"}, "v": {"N": "44"}}


def lines(values) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


BACKUPS = {
    "a scan": lines([{"Items": OLD, "Count": 5, "ScannedCount": 5, "ConsumedCapacity": None}]),
    "a scan over many lines": json.dumps({"Items": OLD, "Count": 5, "ScannedCount": 5}, indent=4).encode(),
    "pages of a scan": lines([{"Items": OLD[:2], "Count": 2}, {"Items": OLD[2:], "Count": 3}]),
    "an item a line": lines({"Item": item} for item in OLD),
    "an item a line, gzip": gzip.compress(lines({"Item": item} for item in OLD)),
    "bare items": lines(OLD),
    "an array of bare items": json.dumps(OLD, indent=1).encode(),
    "a request of batch-write-item": lines([{"things": [{"PutRequest": {"Item": item}} for item in OLD]}]),
}


def backup(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (MORNING, MORNING))
    return path


@pytest.mark.parametrize("content", BACKUPS.values(), ids=BACKUPS.keys())
@pytest.mark.parametrize("folder", [True, False])
def test_items_without_a_manifest_are_a_baseline(tmp_path, content, folder):
    path = backup(tmp_path / "backup" / "items", content)
    log = write_log(tmp_path / "log", [record("MODIFY", {"pk": {"S": "4"}}, NOON, new=NEW, old=OLD[4])])
    wb = Workbench(log, baseline=str(path.parent if folder else path), keys=("pk",))
    result = wb.latest_state("things")
    assert result.df["v"].tolist() == [0, 1, 2, 3, 44]
    said = " ".join(result.stats.notes)
    assert "items without a manifest" in said
    assert "at 2026-01-01 09:00:00 UTC, when its newest file was written" in said
    assert wb.latest_state("things", as_of="2026-01-01T10:00Z").df["v"].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("content", BACKUPS.values(), ids=BACKUPS.keys())
def test_items_without_a_manifest_are_compared_with_the_log(tmp_path, content):
    path = backup(tmp_path / "items", content)
    at = NOON - 4 * 3_600_000_000
    log = write_log(tmp_path / "log", [row for item in OLD for row in chain({"pk": item["pk"]}, [(at, item)])])
    assert Workbench(log).reconcile("things", against=str(path)).agrees
    lost = write_log(tmp_path / "lost", [row for item in OLD[1:] for row in chain({"pk": item["pk"]}, [(at, item)])])
    found = Workbench(lost).reconcile("things", against=str(path))
    assert (found.agrees, found.df["pk"].tolist()) == (False, ["0"])


def test_the_data_of_an_export_alone_is_dated_by_its_folder(tmp_path):
    backup(tmp_path / "AWSDynamoDB" / "01767255000000-1a2b3c4d" / "data" / "x.json.gz", BACKUPS["an item a line, gzip"])
    (export,) = find_exports(tmp_path / "AWSDynamoDB")
    assert export.time == datetime(2026, 1, 1, 8, 10, tzinfo=UTC)
    known = choose([export], "things")
    assert known
    assert "the name of its folder" in known.problems[0]


def test_a_file_among_them_that_holds_no_items_is_said(tmp_path):
    backup(tmp_path / "items.json", BACKUPS["a scan"])
    backup(tmp_path / "notes.csv", b"a,b\n1,2\n")
    known = choose(find_exports(tmp_path), "things")
    assert known
    assert known.problems[1].endswith("notes.csv is no file of items, and not read")


def test_what_holds_no_items_is_no_baseline(tmp_path):
    backup(tmp_path / "x.json", b'{"a": 1}')
    with pytest.raises(ParameterError, match=r"holds no export of a table to S3, .* and no file of items"):
        find_exports(tmp_path)


def test_an_item_may_have_attributes_that_are_called_like_types():
    assert list(items_of({"Item": {"S": {"S": "x"}}})) == [{"Item": {"S": {"S": "x"}}}]


@pytest.fixture
def exported(tmp_path) -> Path:
    with ItemStore(tmp_path / "store.db") as store:
        store.create_table("things", {"pk": "S"})
        for item in OLD:
            store.put_item("things", {"pk": item["pk"]["S"], "v": int(item["v"]["N"])})
        return export_table(store, "things", tmp_path / "exports")


def test_a_manifest_without_md5_is_read_with_a_note(exported):
    files = exported / "manifest-files.json"
    entries = [json.loads(line) for line in files.read_bytes().splitlines()]
    files.write_bytes(lines({name: value for name, value in each.items() if name != "md5Checksum"} for each in entries))
    known = choose(find_exports(exported), "things")
    assert known
    assert [("has no MD5 of" in problem) for problem in known.problems] == [True]


def test_an_export_behind_a_link_is_found_and_what_may_not_be_read_is_an_error(tmp_path, exported, monkeypatch):
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "exports").symlink_to(exported.parent)
    assert len(find_exports(tmp_path / "linked")) == 1
    scandir = os.scandir

    def refused(path):
        if Path(path).name == exported.name:
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr("os.scandir", refused)
    with pytest.raises(ParameterError, match="cannot be read: Permission denied"):
        find_exports(exported.parent)
