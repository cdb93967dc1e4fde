"""Exports of a table to S3 are found, checked against their manifests, and staged as the state they know."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import random
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.profiles import examples
from workbench.engines.exported import read_items, stage
from workbench.engines.ingest import canonical_image, register_functions
from workbench.errors import ParameterError, QueryError
from workbench.log.export_manifests import find_exports
from workbench.log.exports import Baseline, choose
from workbench.log.objects import SCHEMA, Unreadable
from workbench.model.items import from_dynamodb, to_dynamodb
from workbench.model.records import canonical_json, canonical_keys
from workbench.sandbox import ItemStore
from workbench.sandbox.table_export import export_table

ARN = "arn:aws:dynamodb:eu-central-1:123456789012:table/things"
START = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"preserve_insertion_order": False}) as opened:
        opened.execute("set TimeZone = 'UTC'")
        register_functions(opened)
        yield opened


def text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def lines(records: Iterable[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()


def items(*attributes: dict[str, Any]) -> bytes:
    return lines({"Item": to_dynamodb(item)} for item in attributes)


def put(pk: str, at: datetime, **attributes: Any) -> dict[str, Any]:
    """A change of an incremental export that leaves an item behind."""
    return removed(pk, at) | {"NewImage": to_dynamodb({"pk": pk, **attributes})}


def removed(pk: str, at: datetime) -> dict[str, Any]:
    micros = round(at.timestamp() * 1_000_000)
    return {"Metadata": {"WriteTimestampMicros": {"N": str(micros)}}, "Keys": {"pk": {"S": pk}}}


def write_export(
    bucket: Path,
    files: Sequence[bytes],
    time: datetime,
    *,
    since: datetime | None = None,
    name: str = "",
    **summary: Any,
) -> Path:
    """Write an export as DynamoDB does, each of `files` the content of one data file."""
    root = bucket / "AWSDynamoDB"
    folder = root / (name or f"{round(time.timestamp() * 1000):014d}-{'1a2b3c4d' if since else 'abcd1234'}")
    data = root / "data" if since else folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    folder.mkdir(exist_ok=True)
    (folder / "_started").touch()
    entries = []
    for number, content in enumerate(files):
        path, stored = data / f"{folder.name[:14]}x{number}.json.gz", gzip.compress(content)
        path.write_bytes(stored)
        entries.append(
            {
                "itemCount": len(content.split(b"\n")) - 1,
                "md5Checksum": base64.b64encode(hashlib.md5(stored).digest()).decode(),
                "etag": "0-1",
                "dataFileS3Key": f"a-prefix/{path.relative_to(bucket)}",
            }
        )
    window = (
        {
            "exportFromTime": text(since),
            "exportToTime": text(time),
            "exportType": "INCREMENTAL_EXPORT",
            "outputView": "NEW_AND_OLD_IMAGES",
        }
        if since
        else {"exportTime": text(time)}
    )
    told = {
        "version": "2020-06-30",
        "tableArn": ARN,
        "tableId": "1",
        "outputFormat": "DYNAMODB_JSON",
        "itemCount": sum(entry["itemCount"] for entry in entries),
        **window,
        **summary,
    }
    (folder / "manifest-files.json").write_bytes(lines(entries))
    (folder / "manifest-summary.json").write_text(json.dumps(told))
    return folder


def newest(folder: Path, table: str = "things", at: datetime | None = None) -> Baseline:
    found = choose(find_exports(folder), table, at)
    assert found is not None
    return found


def staged(con: duckdb.DuckDBPyConnection, baseline: Baseline, *keys: str) -> list[dict[str, Any]]:
    """The items of a baseline of which every line can be read."""
    assert stage(con, '"the state"', baseline, keys or ("pk",)) == ()
    rows = con.execute('select new_image from "the state"').fetchall()
    return sorted((from_dynamodb(json.loads(image)) for (image,) in rows), key=repr)


# the state that is staged

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=6)
NUMBER = st.one_of(
    st.integers(-(10**37), 10**37), st.decimals(-100, 100, places=4), st.sampled_from([10**40, -(10**-7)])
)
BINARY = st.binary(max_size=5)
SETS = [st.frozensets(part, min_size=1, max_size=3) for part in (TEXT, st.integers(-99, 99), BINARY)]
VALUE = st.recursive(
    st.one_of(TEXT, NUMBER, BINARY, st.booleans(), st.none(), *SETS),
    lambda inner: st.one_of(st.dictionaries(TEXT, inner, max_size=3), st.lists(inner, max_size=3)),
    max_leaves=6,
)
NAME = st.one_of(
    st.sampled_from(["a.b", 'q"q', "it's", "ö", "Item", "with space", "/~1", "\\", "$[0]", "💡"]), TEXT.filter(bool)
)
KEYS = {"S": TEXT.filter(bool), "N": NUMBER, "B": st.binary(min_size=1, max_size=5)}


@given(data=st.data(), kinds=st.lists(st.sampled_from("SNB"), min_size=1, max_size=2), files=st.integers(1, 3))
@examples(120)
def test_what_is_exported_is_staged_whatever_the_items_are(con, data, kinds, files):
    names = data.draw(
        st.lists(NAME.filter(lambda name: "\0" not in name), min_size=len(kinds), max_size=len(kinds), unique=True)
    )
    others = st.dictionaries(NAME, VALUE, max_size=4)
    with tempfile.TemporaryDirectory() as folder, ItemStore(Path(folder) / "items.sqlite") as store:
        store.create_table("things", dict(zip(names, kinds, strict=True)))
        for _ in range(data.draw(st.integers(0, 4))):
            key = {name: data.draw(KEYS[kind]) for name, kind in zip(names, kinds, strict=True)}
            store.put_item("things", data.draw(others) | key)
        export_table(store, "things", Path(folder), files=files)
        state = newest(Path(folder))
        assert state.problems == ()
        assert stage(con, "state", state, names) == ()
        rows = con.execute("select keys, new_image from state").fetchall()
        images = [to_dynamodb(item) for item in store.scan("things")]
        expected = [(canonical_keys({name: image[name] for name in names}), canonical_json(image)) for image in images]
        assert sorted((keys, canonical_image(image)) for keys, image in rows) == sorted(expected)
        assert sorted(read_items(state, names)) == sorted(expected)


def test_a_row_is_an_insert_at_the_time_of_the_export(con, tmp_path):
    folder = write_export(tmp_path, [items({"pk": "a", "n": 1})], START)
    assert stage(con, "state", newest(tmp_path), ["pk"]) == ()
    found = con.sql("select * from state").to_arrow_table()
    assert found.schema.names == [*SCHEMA.names, "object"]
    assert found.to_pylist() == [
        {
            "event_id": f"baseline {folder.name}",
            "event_name": "INSERT",
            "table_name": "things",
            "ts": START.replace(tzinfo=None),
            "keys": '{"pk":{"S":"a"}}',
            "new_image": '{"pk":{"S":"a"},"n":{"N":"1"}}',
            "old_image": None,
            "size_bytes": None,
            "by_ttl": False,
            "aws_region": None,
            "account_id": None,
            "object": None,
        }
    ]
    types = dict(con.execute("select column_name, column_type from (describe state)").fetchall())
    assert {name: kind for name, kind in types.items() if kind != "VARCHAR"} == {
        "ts": "TIMESTAMP",
        "size_bytes": "BIGINT",
        "by_ttl": "BOOLEAN",
        "object": "INTEGER",
    }


def test_the_export_of_the_developer_guide_is_read(con, tmp_path):
    book = {
        "Authors": {"SS": ["Author1", "Author2"]},
        "Dimensions": {"S": "8.5 x 11.0 x 1.5"},
        "ISBN": {"S": "333-3333333333"},
        "Id": {"N": "103"},
        "InPublication": {"BOOL": False},
        "PageCount": {"N": "600"},
        "Price": {"N": "2000"},
        "ProductCategory": {"S": "Book"},
        "Title": {"S": "Book 103 Title"},
    }
    folder = tmp_path / "2020-Nov" / "AWSDynamoDB" / "01234567890123-a1b2c3d4"
    (folder / "data").mkdir(parents=True)
    stored = gzip.compress(lines([{"Item": book}])), b""  # the file of a partition without items is empty
    for name, content in zip(("bafybeiczss3yxay3o4abnabbb", "gkes5o3lnrhoznhnkyax3hxvya"), stored, strict=True):
        (folder / "data" / f"{name}.json.gz").write_bytes(content)
    (folder / "manifest-files.json").write_bytes(
        lines(
            {
                "itemCount": count,
                "md5Checksum": base64.b64encode(hashlib.md5(content).digest()).decode(),
                "etag": "af83d6f217c19b8b0fff8023d8ca4716-1",
                "dataFileS3Key": f"2020-Nov/AWSDynamoDB/01234567890123-a1b2c3d4/data/{name}.json.gz",
            }
            for name, content, count in zip(
                ("bafybeiczss3yxay3o4abnabbb", "gkes5o3lnrhoznhnkyax3hxvya"), stored, (1, 0), strict=True
            )
        )
    )
    (folder / "manifest-summary.json").write_text("""{
       "version": "2020-06-30",
       "exportArn": "arn:aws:dynamodb:eu-central-1:123456789012:table/ProductCatalog/export/01234567890123-a1b2c3d4",
       "startTime": "2020-11-04T07:28:34.028Z",
       "endTime": "2020-11-04T07:33:43.897Z",
       "tableArn": "arn:aws:dynamodb:eu-central-1:123456789012:table/ProductCatalog",
       "tableId": "12345a12-abcd-123a-ab12-1234abc12345",
       "exportTime": "2020-11-04T07:28:34.028Z",
       "s3Bucket": "ddb-productcatalog-export",
       "s3Prefix": "2020-Nov",
       "s3SseAlgorithm": "AES256",
       "s3SseKmsKeyId": null,
       "manifestFilesS3Key": "AWSDynamoDB/01234567890123-a1b2c3d4/manifest-files.json",
       "billedSizeBytes": 0,
       "itemCount": 1,
       "outputFormat": "DYNAMODB_JSON"
    }""")
    (export,) = find_exports(tmp_path)
    assert (export.table, export.kind, export.items, export.since) == ("ProductCatalog", "full", 1, None)
    assert export.time == datetime(2020, 11, 4, 7, 28, 34, 28_000, UTC)
    state = newest(tmp_path, "ProductCatalog")
    assert state.problems == ()
    assert staged(con, state, "Id") == [from_dynamodb(book)]


def test_keys_are_canonical_however_they_are_written(con, tmp_path):
    written = [
        '{"Item" : {"pk": {"S": "\\u00e9\\/x"}, "n": {"N": "1.50"}}}',
        '{"Item":{"n":{"N":"1E+2"},"pk":{"S":"\\u0001"}}}',
        '{"Item":{"n":{"N":"-0"},"pk":{"S":"q\\"\\\\q"}}}',
        '{"Item":{"n":{"N":"7"},"pk":{"B":"YR=="}}}',
    ]
    write_export(tmp_path, ["".join(line + "\n" for line in written).encode()], START)
    assert stage(con, "state", newest(tmp_path), ["pk", "n"]) == ()
    rows = con.execute("select keys, new_image from state").fetchall()
    assert len(rows) == 4
    for keys, image in rows:
        assert keys == canonical_keys({name: json.loads(image)[name] for name in ("pk", "n")})


def test_clean_files_are_not_read_line_by_line(con, tmp_path, monkeypatch):
    monkeypatch.setattr("workbench.log.exports.read_lines", lambda item: pytest.fail("read line by line"))
    chain(tmp_path)
    exports = find_exports(tmp_path)
    state = Baseline(tuple(exports), exports[-1].instant, ())
    assert len(staged(con, state)) == 3


def test_the_key_attributes_must_be_the_key(con, tmp_path):
    write_export(tmp_path, [items({"pk": "a", "sk": 1}, {"pk": "a", "sk": 2})], START)
    with pytest.raises(ParameterError, match=r"2 items with one value of 'pk', which cannot be the whole key"):
        stage(con, "state", newest(tmp_path), ["pk"])
    with pytest.raises(ParameterError, match="no item of the export has the key 'id'"):
        stage(con, "state", newest(tmp_path), ["id"])
    with pytest.raises(ParameterError, match="does not say what its key is"):
        stage(con, "state", newest(tmp_path), [])
    assert con.execute("select count(*) from duckdb_tables() where table_name = 'state'").fetchone() == (0,)


def test_a_bucket_may_be_synced_without_the_first_parts_of_its_keys(con, tmp_path):
    write_export(tmp_path, [items({"pk": "a"}), items({"pk": "b"})], START)
    write_export(tmp_path, [lines([put("c", START)])], START + HOUR, since=START)
    expected = [{"pk": "a"}, {"pk": "b"}, {"pk": "c"}]
    (tmp_path / "AWSDynamoDB").rename(tmp_path / "only this")
    assert staged(con, newest(tmp_path / "only this")) == expected
    assert staged(con, newest(tmp_path)) == expected
    (full,) = (export.folder for export in find_exports(tmp_path) if export.kind == "full")
    alone = shutil.copytree(full, tmp_path / "elsewhere" / "one")
    assert staged(con, newest(alone)) == expected[:2]


def test_a_path_may_hold_what_duckdb_takes_for_a_pattern(con, tmp_path):
    write_export(tmp_path / "a [1] *?'", [items({"pk": "a"})], START)
    assert staged(con, newest(tmp_path)) == [{"pk": "a"}]


# incremental exports


def chain(bucket: Path) -> None:
    write_export(bucket, [items(*({"pk": pk, "v": 0} for pk in "abcd"))], START)
    write_export(
        bucket,
        [
            lines([put("a", START + 0.1 * HOUR, v=1), removed("b", START + 0.2 * HOUR)]),
            lines([removed("c", START + 0.3 * HOUR), put("new", START, v=1)]),
        ],
        START + HOUR,
        since=START,
    )
    write_export(
        bucket,
        [lines([put("c", START + 1.1 * HOUR, v=2), put("a", START + HOUR, v=2), removed("new", START + 1.5 * HOUR)])],
        START + 2 * HOUR,
        since=START + HOUR,
    )


def test_incremental_exports_put_update_and_remove_items(con, tmp_path):
    chain(tmp_path)
    state = newest(tmp_path)
    assert [export.kind for export in state.exports] == ["full", "incremental", "incremental"]
    assert state.problems == ()
    assert staged(con, state) == [{"pk": "a", "v": 2}, {"pk": "c", "v": 2}, {"pk": "d", "v": 0}]


def test_rows_of_incremental_exports_have_the_time_of_the_state(con, tmp_path):
    chain(tmp_path)
    state = newest(tmp_path)
    stage(con, "state", state, ["pk"])
    rows = con.execute("select distinct event_name, table_name, ts, by_ttl, object from state").fetchall()
    assert rows == [("INSERT", "things", state.time.replace(tzinfo=None), False, None)]


def test_the_state_ends_before_the_last_instant_of_a_window(tmp_path):
    chain(tmp_path)
    assert newest(tmp_path).time == START + 2 * HOUR - timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("hours", "exports", "expected"),
    [
        (0, 1, {"a": 0, "b": 0, "c": 0, "d": 0}),
        (0.99, 1, {"a": 0, "b": 0, "c": 0, "d": 0}),
        (1, 2, {"a": 1, "d": 0, "new": 1}),
        (1.9, 2, {"a": 1, "d": 0, "new": 1}),
        (2, 3, {"a": 2, "c": 2, "d": 0}),
    ],
)
def test_the_newest_state_at_an_instant_is_chosen(con, tmp_path, hours, exports, expected):
    chain(tmp_path)
    state = newest(tmp_path, at=START + hours * HOUR)
    assert len(state.exports) == exports
    assert state.time <= START + hours * HOUR
    assert {item["pk"]: item["v"] for item in staged(con, state)} == expected


def test_a_newer_full_export_makes_those_before_it_needless(con, tmp_path):
    chain(tmp_path)
    write_export(tmp_path, [items({"pk": "z"})], START + 3 * HOUR)
    state = newest(tmp_path)
    assert [export.time for export in state.exports] == [START + 3 * HOUR]
    assert state.problems == ()
    assert staged(con, state) == [{"pk": "z"}]


def test_there_is_no_state_before_the_first_full_export_nor_of_another_table(tmp_path):
    chain(tmp_path)
    exports = find_exports(tmp_path)
    assert choose(exports, "things", START - HOUR) is None
    assert choose(exports, "others") is None
    assert choose([export for export in exports if export.kind == "incremental"], "things") is None


def test_a_gap_between_exports_is_named_and_not_bridged(con, tmp_path):
    chain(tmp_path)
    write_export(
        tmp_path, [lines([removed("a", START + 5 * HOUR)])], START + 6 * HOUR, since=START + 5 * HOUR, name="late"
    )
    state = newest(tmp_path)
    assert len(state.exports) == 3
    assert state.problems == (
        "late: not joined on, for it begins at 2026-03-01 05:00:00+00:00 and the state before it ends at "
        "2026-03-01 02:00:00+00:00: an incremental export of the time between is missing",
    )
    assert {item["pk"] for item in staged(con, state)} == {"a", "c", "d"}


def test_the_newest_write_wins_where_windows_overlap(con, tmp_path):
    write_export(tmp_path, [items({"pk": "a", "v": 0}, {"pk": "b", "v": 0})], START)
    write_export(
        tmp_path, [lines([put("a", START + 1.7 * HOUR, v=2), removed("b", START)])], START + 2 * HOUR, since=START
    )
    write_export(
        tmp_path,
        [lines([put("a", START + 2.5 * HOUR, v=3), put("b", START + 2 * HOUR, v=3)])],
        START + 3 * HOUR,
        since=START + 1.5 * HOUR,
        name="over",
    )
    state = newest(tmp_path)
    (problem,) = state.problems
    assert problem.startswith("over: begins at 2026-03-01 01:30:00+00:00, before the state it follows on ends")
    assert staged(con, state) == [{"pk": "a", "v": 3}, {"pk": "b", "v": 3}]


def test_an_export_that_begins_where_the_state_ends_is_taken_before_one_that_overlaps(tmp_path):
    chain(tmp_path)
    write_export(tmp_path, [lines([])], START + 2 * HOUR, since=START - HOUR, name="wide")
    assert newest(tmp_path).problems == ()


def test_exports_of_a_table_made_again_under_its_name_are_not_joined(con, tmp_path):
    write_export(tmp_path, [items({"pk": "a"})], START)
    write_export(tmp_path, [lines([removed("a", START)])], START + HOUR, since=START, tableId="2")
    assert staged(con, newest(tmp_path)) == [{"pk": "a"}]


def test_exports_of_two_tables_of_one_name_are_refused(tmp_path):
    write_export(tmp_path, [items({"pk": "a"})], START)
    write_export(tmp_path, [items({"pk": "a"})], START + HOUR, tableArn=ARN.replace("eu-central-1", "us-east-1"))
    with pytest.raises(ParameterError, match="exports of 2 tables 'things': arn:aws:dynamodb:eu-central-1"):
        choose(find_exports(tmp_path), "things")


def test_an_export_of_new_images_only_is_read(con, tmp_path):
    write_export(tmp_path, [items({"pk": "a"}, {"pk": "b"})], START)
    changes = [put("a", START, v=1), removed("b", START) | {"OldImage": {"pk": {"S": "b"}}}]
    write_export(tmp_path, [lines(changes)], START + HOUR, since=START, outputView="NEW_IMAGE")
    assert staged(con, newest(tmp_path)) == [{"pk": "a", "v": 1}]


@given(seed=st.integers(0, 2**32), keys=st.integers(1, 5), steps=st.integers(0, 40))
@examples(60)
def test_a_chain_of_exports_gives_the_table_that_made_it(con, seed, keys, steps):
    """The windows are drawn from a history as DynamoDB draws them: the net change of each item in each."""
    rng, table = random.Random(seed), {}
    bounds = [START + hour * HOUR for hour in range(4)]
    with tempfile.TemporaryDirectory() as folder:
        for since, until in zip([None, *bounds], bounds, strict=False):
            before, written = dict(table), {}
            for step in range(steps):
                pk = f"k-{rng.randrange(keys)}"
                table[pk] = None if rng.random() < 0.4 else {"pk": pk, "v": rng.randrange(100)}
                written[pk] = (since or START - HOUR) + step * timedelta(minutes=1)
            if since is None:
                write_export(Path(folder), [items(*(item for item in table.values() if item))], until)
                continue
            net = [
                put(pk, at, v=table[pk]["v"]) if table[pk] else removed(pk, at)
                for pk, at in written.items()
                if table[pk] or before.get(pk)
            ]
            rng.shuffle(net)
            write_export(Path(folder), [lines(net[::2]), lines(net[1::2])], until, since=since)
        state = newest(Path(folder))
        assert len(state.exports) == 4
        assert state.problems == ()
        assert staged(con, state) == sorted((item for item in table.values() if item), key=repr)


# what is wrong with an export


@pytest.fixture
def export(tmp_path: Path) -> Path:
    return write_export(tmp_path / "bucket", [items({"pk": "a"}, {"pk": "b"}), items({"pk": "c"})], START)


def rewrite(export: Path, name: str, **changed: Any) -> None:
    """Change members of the summary, or of the first line of the files manifest."""
    first, *others = (export / name).read_text().splitlines()
    (export / name).write_text("\n".join([json.dumps(json.loads(first) | changed), *others]) + "\n")


def first_file(export: Path) -> Path:
    return sorted((export / "data").iterdir())[0]


def replace_first_file(export: Path, stored: bytes) -> None:
    first_file(export).write_bytes(stored)
    rewrite(export, "manifest-files.json", md5Checksum=base64.b64encode(hashlib.md5(stored).digest()).decode())


def pks(con: duckdb.DuckDBPyConnection) -> list[str]:
    return sorted(json.loads(keys)["pk"]["S"] for (keys,) in con.execute("select keys from state").fetchall())


def test_a_missing_data_file_is_a_problem(con, export):
    gone = first_file(export)
    gone.unlink()
    state = newest(export)
    assert state.problems == (f"{export.name}: the data file {gone.name}, of 2 items, is missing",)
    assert staged(con, state) == [{"pk": "c"}]


def test_a_data_file_the_manifest_does_not_name_is_a_problem(con, export):
    (export / "data" / "stray.json.gz").write_bytes(gzip.compress(items({"pk": "stray"})))
    state = newest(export)
    assert state.problems == (
        f"{export.name}: the data file stray.json.gz is not named by manifest-files.json, and not read",
    )
    assert len(staged(con, state)) == 3


def test_files_of_other_exports_in_the_folder_incremental_exports_share_are_none(tmp_path):
    chain(tmp_path)
    (tmp_path / "AWSDynamoDB" / "data" / "of-one-that-runs.json.gz").touch()
    assert [export.problems for export in find_exports(tmp_path)] == [(), (), ()]


def test_a_count_of_items_that_differs_is_a_problem(export):
    stored = gzip.compress(items({"pk": "a"}))
    replace_first_file(export, stored)
    assert newest(export).problems == (
        f"{export.name}: {first_file(export).name} holds 1 items, manifest-files.json says 2",
    )


def test_a_total_that_differs_is_a_problem(export):
    rewrite(export, "manifest-summary.json", itemCount=1_004)
    assert newest(export).problems == (
        f"{export.name}: manifest-summary.json counts 1,004 items, manifest-files.json 3",
    )


def test_a_checksum_that_differs_is_a_problem(con, export):
    stored = gzip.compress(items({"pk": "a"}, {"pk": "B"}))
    first_file(export).write_bytes(stored)
    (problem,) = newest(export).problems
    assert problem.startswith(f"{export.name}: {first_file(export).name} has the MD5 ")
    assert staged(con, newest(export)) == [{"pk": "B"}, {"pk": "a"}, {"pk": "c"}]


def test_a_file_that_changes_is_checked_again(export):
    assert newest(export).problems == ()
    first_file(export).write_bytes(gzip.compress(items({"pk": "a"})))
    assert len(newest(export).problems) == 2


BAD = [
    ("{nope", "not JSON at character 2"),
    ("[1]", "neither an 'Item'"),
    ('{"a":1}', "neither an 'Item'"),
    ('{"Item":"x"}', "neither an 'Item'"),
    ('{"Item":{"n":{"N":"1"}}}', "no key attribute 'pk'"),
    ('{"Item":{"pk":{"BOOL":true}}}', "not of type S, N or B"),
    ('{"Item":{"pk":{"N":"x"}}}', "not a number"),
    ('{"Item":{"pk":{"S":"\\ud800"}}}', "lone surrogate"),
    ('{"Keys":{"pk":{"S":"x"}}}', "no Metadata.WriteTimestampMicros"),
    ('{"Metadata":{"WriteTimestampMicros":{"N":"soon"}},"Keys":{"pk":{"S":"x"}}}', "a str, not a number"),
    ('{"Metadata":{"WriteTimestampMicros":{"N":"1"}},"Keys":{"pk":{"S":"x"},"sk":{"S":"x"}}}', "its key is pk, sk"),
    ('{"Metadata":{"WriteTimestampMicros":{"N":"1"}},"Keys":{"pk":{"S":"x"}},"NewImage":7}', "not an object"),
    (b'{"Item":{"pk":{"S":"\xff"}}}', "not UTF-8"),
]


@pytest.mark.parametrize(("bad", "reason"), BAD)
def test_a_line_that_is_no_item_is_named_and_the_others_are_kept(con, export, bad, reason):
    line = bad if isinstance(bad, bytes) else bad.encode()
    replace_first_file(export, gzip.compress(items({"pk": "a"}) + line + b"\n\n" + items({"pk": "b"})))
    rewrite(export, "manifest-files.json", itemCount=3)
    rewrite(export, "manifest-summary.json", itemCount=4)
    state = newest(export)
    assert state.problems == ()
    (unreadable,) = stage(con, "state", state, ["pk"])
    assert (unreadable.object, unreadable.line) == (str(first_file(export)), 2)
    assert reason in unreadable.reason
    assert pks(con) == ["a", "b", "c"]
    with pytest.raises(QueryError, match=r"1 lines of the export cannot be read, .*, line 2:"):
        list(read_items(state, ["pk"]))


def test_items_joined_on_one_line_are_all_kept(con, export):
    replace_first_file(export, gzip.compress(items({"pk": "a"}, {"pk": "b"}).replace(b"\n", b"") + b"\n"))
    assert stage(con, "state", newest(export), ["pk"]) == ()
    assert pks(con) == ["a", "b", "c"]


def test_what_follows_a_bad_record_on_its_line_is_kept(con, export):
    replace_first_file(export, gzip.compress(b'{"a":1}' + items({"pk": "a"}, {"pk": "b"})))
    assert [found.line for found in stage(con, "state", newest(export), ["pk"])] == [1]
    assert pks(con) == ["a", "b", "c"]


def test_a_truncated_file_is_named_and_what_stands_before_is_kept(con, tmp_path):
    rng = random.Random(7)
    many = items(*({"pk": f"p-{number}", "noise": rng.random().hex()} for number in range(2_000)))
    export = write_export(tmp_path, [many, items({"pk": "c"})], START)
    stored = first_file(export).read_bytes()
    first_file(export).write_bytes(stored[: len(stored) // 2])
    state = newest(export)
    count, md5 = state.problems
    assert "manifest-files.json says 2,000" in count
    assert "has the MD5" in md5
    *_, why = found = stage(con, "state", state, ["pk"])
    assert len(found) <= 2  # the line it breaks off in, and that it does
    assert isinstance(why, Unreadable)
    assert "truncated" in why.reason
    kept = pks(con)
    assert 500 < len(kept) < 1_999
    assert kept == sorted(["c", *(f"p-{number}" for number in range(len(kept) - 1))])


def test_a_file_that_is_no_gzip_is_named(con, export):
    replace_first_file(export, b"no gzip at all\n")
    (unreadable,) = stage(con, "state", newest(export), ["pk"])
    assert "not JSON" in unreadable.reason
    assert pks(con) == ["c"]


def test_an_export_of_which_no_line_can_be_read_is_an_empty_state_with_every_line_named(con, tmp_path):
    write_export(tmp_path, [b"x\ny\n"], START)
    assert [found.line for found in stage(con, "state", newest(tmp_path), ["pk"])] == [1, 2]
    assert pks(con) == []


# manifests that cannot be read


def test_a_folder_without_an_export_is_refused(tmp_path):
    with pytest.raises(ParameterError, match="holds no export of a table to S3"):
        find_exports(tmp_path)
    with pytest.raises(ParameterError, match="is in S3: sync it and give the folder"):
        find_exports("s3://a-bucket/AWSDynamoDB")


def test_an_export_that_has_not_finished_is_refused(export):
    (export / "manifest-summary.json").unlink()
    with pytest.raises(ParameterError, match="has not finished"):
        find_exports(export)


def test_one_that_has_not_finished_does_not_hide_the_others(export):
    unfinished = export.with_name("00000000000000-abcd1234")
    unfinished.mkdir()
    (unfinished / "_started").touch()
    assert [found.folder for found in find_exports(export.parents[1])] == [export]


def test_an_export_in_ion_is_refused(export):
    rewrite(export, "manifest-summary.json", outputFormat="ION")
    with pytest.raises(ParameterError, match="in the format ION, which cannot be read"):
        find_exports(export)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("manifest-summary.json", "{", "Expecting"),
        ("manifest-summary.json", "[]", "list"),
        ("manifest-summary.json", "{}", "no 'outputFormat'"),
        ("manifest-files.json", "{}", "no 'dataFileS3Key'"),
        ("manifest-files.json", '{"itemCount":', "Expecting"),
        ("manifest-files.json", None, "manifest-files.json"),
    ],
)
def test_a_damaged_manifest_is_refused_in_one_line(export, name, content, why):
    (export / name).unlink() if content is None else (export / name).write_text(content)
    with pytest.raises(ParameterError) as told:
        find_exports(export)
    assert f"the manifests of the export {export} cannot be read" in str(told.value)
    assert why in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    "changed",
    [
        {"tableArn": "things"},
        {"tableArn": None},
        {"exportTime": "yesterday"},
        {"itemCount": None},
        {"exportType": "INCREMENTAL_EXPORT"},
    ],
)
def test_a_summary_that_lacks_what_is_needed_is_refused(export, changed):
    rewrite(export, "manifest-summary.json", **changed)
    with pytest.raises(ParameterError, match="cannot be read"):
        find_exports(export)


def test_exports_are_listed_by_time(tmp_path):
    write_export(tmp_path, [items()], START + HOUR, name="a")
    write_export(tmp_path, [items()], START, name="z")
    assert [export.folder.name for export in find_exports(tmp_path)] == ["z", "a"]
