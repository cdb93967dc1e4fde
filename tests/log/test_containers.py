"""What change records are wrapped in, and objects that are no log: read, or named once for what they are."""

from __future__ import annotations

import base64
import bz2
import gzip
import json
import lzma
import zipfile
from datetime import datetime
from itertools import accumulate
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import orc

from tests.helpers.logs import chain, micros, record, write_log
from workbench import Workbench
from workbench.cli import main
from workbench.errors import TableNotFound
from workbench.log.listing import list_objects, list_source
from workbench.log.objects import PARQUET, Unreadable
from workbench.log.reader import layout_of, read_changes
from workbench.model.records import canonical_change
from workbench.sql.questions import Question

KEY = {"pk": {"S": "x"}}
NOON = micros("2026-01-01T12:00:00")
A, B = (KEY | {"v": {"S": letter}} for letter in "AB")
RECORDS = chain(KEY, [(NOON, A), (NOON + 1, B), (NOON + 2, A)], ids=["1", "2", "3"])
CHANGES = [canonical_change(row) for row in RECORDS]
LINES = b"".join(json.dumps(row).encode() + b"\n" for row in RECORDS)


def b64(value: object) -> str:
    return base64.b64encode(value if isinstance(value, bytes) else json.dumps(value).encode()).decode()


def lines(values) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def compressed(kind: str, content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, kind) as stream:
        stream.write(content)
    return sink.getvalue().to_pybytes()


def zipped(**members: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with zipfile.ZipFile(sink, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return sink.getvalue().to_pybytes()


def kinesis(row: object) -> dict:
    return {
        "kinesis": {"partitionKey": "A", "sequenceNumber": "1", "data": b64(row)},
        "eventID": "shard:1",
        "eventName": "aws:kinesis:record",
        "eventSource": "aws:kinesis",
        "awsRegion": "eu-central-1",
    }


def get_records(row: object) -> dict:
    return {
        "SequenceNumber": "1",
        "ApproximateArrivalTimestamp": "2026-01-01T12:00:00+01:00",
        "Data": b64(row),
        "PartitionKey": "A",
    }


def failed(row: object) -> dict:
    return {
        "attemptsMade": 4,
        "arrivalTimestamp": 1767268800000,
        "errorCode": "Lambda.FunctionError",
        "errorMessage": "…",
        "attemptEndingTimestamp": 1767268900000,
        "rawData": b64(row),
        "lambdaArn": "arn:…",
    }


def cloud_event(**data: object) -> dict:
    return {"specversion": "1.0", "id": "1", "source": "/things", "type": "change", **data}


def relational(value: object, name: str = "") -> dict:
    if not isinstance(value, dict):
        return {name: value}
    return {
        path: each
        for key, inner in value.items()
        for path, each in relational(inner, f"{name}.{key}" if name else key).items()
    }


WRAPPED = {
    "an array": json.dumps(RECORDS).encode(),
    "an array, an element a line": b"[\n" + LINES.strip().replace(b"\n", b",\n") + b"\n]",
    "an array over many lines": json.dumps(RECORDS, indent=2).encode(),
    "an array a line": b"".join(lines([[row]]) for row in RECORDS),
    "lines that end in commas": LINES.replace(b"\n", b",\n"),
    "records over many lines": b"\n".join(json.dumps(row, indent=4).encode() for row in RECORDS),
    "records over many lines, joined": b"".join(json.dumps(row, indent=4).encode() for row in RECORDS),
    "a Lambda event": json.dumps({"Records": RECORDS}).encode(),
    "a Lambda event over many lines": json.dumps({"Records": RECORDS}, indent=1).encode().replace(b"\n", b"\r\n"),
    "a Lambda event of Kinesis": json.dumps({"Records": [kinesis(row) for row in RECORDS]}).encode(),
    "Kinesis envelopes": lines(kinesis(row) for row in RECORDS),
    "Kinesis records": lines(kinesis(row)["kinesis"] for row in RECORDS),
    "Kinesis envelopes, compressed": lines(kinesis(gzip.compress(json.dumps(row).encode())) for row in RECORDS),
    "get-records of Kinesis": json.dumps({"Records": [get_records(row) for row in RECORDS]}, indent=4).encode(),
    "a Firehose event": json.dumps({"records": [{"recordId": "1", "data": b64(row)} for row in RECORDS]}).encode(),
    "SQS messages": lines({"messageId": "1", "receiptHandle": "x", "body": json.dumps(row)} for row in RECORDS),
    "receive-message": json.dumps({"Messages": [{"MessageId": "1", "Body": json.dumps(r)} for r in RECORDS]}).encode(),
    "SNS in SQS": lines(
        {
            "messageId": "1",
            "body": json.dumps({"Type": "Notification", "TopicArn": "arn:…", "Message": json.dumps(row)}),
        }
        for row in RECORDS
    ),
    "EventBridge events": lines({"detail-type": "x", "source": "y", "detail": row} for row in RECORDS),
    "CloudEvents": lines(cloud_event(data=row) for row in RECORDS),
    "CloudEvents, a batch": json.dumps([cloud_event(data=json.dumps(row)) for row in RECORDS]).encode(),
    "CloudEvents, in base64": lines(cloud_event(data_base64=b64(row)) for row in RECORDS),
    "Firehose failures": lines(map(failed, RECORDS)),
    "texts": lines(json.dumps(row) for row in RECORDS),
    "columns": lines(map(relational, RECORDS)),
    "zstd": compressed("zstd", LINES),
    "zstd, two frames": compressed("zstd", LINES[:700]) + compressed("zstd", LINES[700:]),
    "bzip2": bz2.compress(LINES[:500]) + bz2.compress(LINES[500:]),
    "xz": lzma.compress(LINES),
    "lz4": compressed("lz4", LINES),
    "gzip twice": gzip.compress(gzip.compress(LINES)),
    "ZIP": zipped(a=lines(RECORDS[:1]), b=lines(RECORDS[1:])),
    "ZIP of gzip": zipped(a=gzip.compress(LINES)),
}


def read(path: Path, content: bytes) -> list:
    path.write_bytes(content)
    (item,) = list_objects(path)
    return [(each.line, each.reason) if isinstance(each, Unreadable) else each for each in read_changes(item)]


# --- what is wrapped is read


@pytest.mark.parametrize("content", WRAPPED.values(), ids=WRAPPED.keys())
def test_wrapped_and_compressed_records_are_read_as_they_are_bare(tmp_path, content):
    assert read(tmp_path / "object", content) == CHANGES


@pytest.mark.parametrize("content", WRAPPED.values(), ids=WRAPPED.keys())
def test_among_good_objects_too_and_the_answer_says_so(tmp_path, content):
    """The fast reader sees a sample of the objects only: the odd one is none of it."""
    for number in range(20):
        row = record("INSERT", {"pk": {"S": f"{number:02}"}}, NOON, new={"pk": {"S": f"{number:02}"}})
        write_log(tmp_path, [row], name=f"{number:02}")
    (tmp_path / "05 odd").write_bytes(content)
    assert len(Workbench(tmp_path).latest_state("things").df) == 21
    result = Workbench(tmp_path).changes("things", key="pk=x")
    assert (len(result.df), result.stats.unreadable) == (3, ())
    assert len(Workbench(tmp_path).changes("things").df) == 23


@pytest.mark.parametrize("content", [each for each in WRAPPED.values() if each.lstrip()[:1] in b'[{"'])
def test_among_the_lines_of_an_object_too(tmp_path, content):
    """DuckDB reads the good lines: the object is read again for the others."""
    good = [record("INSERT", {"pk": {"S": f"{n}"}}, NOON, new={"pk": {"S": f"{n}"}}) for n in range(30)]
    parts = [lines(good[:10]), content, b"\n", lines(good[10:20]), b"{half\n", lines(good[20:])]
    (tmp_path / "a.json").write_bytes(b"".join(parts))
    for number in range(12):
        write_log(tmp_path, good[:1], name=f"b{number:02}")
    result = Workbench(tmp_path).changes("things")
    assert len(result.df) == 33
    assert [each.line for each in result.stats.unreadable] == [b"".join(parts[:4]).count(b"\n") + 1]


def test_what_was_unwrapped_is_said(tmp_path):
    (tmp_path / "a.json").write_bytes(WRAPPED["a Lambda event"])
    (tmp_path / "b.json").write_bytes(
        lines([failed(record("INSERT", {"pk": {"S": "f"}}, NOON, new={"pk": {"S": "f"}}))])
    )
    notes = " ".join(Workbench(tmp_path).latest_state("things").stats.notes)
    assert '3 changes read out of {"Records": […]}' in notes
    assert "1 change read out of Firehose failure objects, of which Athena's table knows nothing" in notes


def test_orc_objects_are_read_and_nested_ones_named(tmp_path):
    orc.write_table(pa.Table.from_pylist(CHANGES, schema=PARQUET), tmp_path / "x.orc")
    (item,) = list_objects(tmp_path)
    assert list(read_changes(item)) == CHANGES
    assert layout_of(item)[0] == "envelope"
    assert len(Workbench(tmp_path).changes("things").df) == 3
    orc.write_table(pa.Table.from_pylist(RECORDS).select(["eventID", "dynamodb"]), tmp_path / "y.orc")
    (unreadable,) = Workbench(tmp_path).changes("things").stats.unreadable
    assert "an ORC file with nested columns" in unreadable.reason


def test_relationalized_columns_are_records_again(tmp_path):
    new = KEY | {"a.b": {"S": "dotted"}, "m": {"M": {"in": {"N": "1"}, "deep": {"M": {"x": {"BOOL": True}}}}}}
    new |= {"l": {"L": [{"S": "a"}]}, "n": {"N": "12345678901234567890.5"}}
    row = record("INSERT", KEY, NOON, new=new, event_id="1")
    assert read(tmp_path / "x.json", lines([relational(row)])) == [canonical_change(row)]
    pq.write_table(pa.Table.from_pylist([relational(row)]).drop_columns("userIdentity"), tmp_path / "x.parquet")
    (item,) = list_objects(tmp_path / "x.parquet")
    assert list(read_changes(item)) == [canonical_change(row)]
    lower = {name.lower(): value for name, value in relational(row).items()}
    assert read(tmp_path / "y.json", lines([lower])) == [canonical_change(row)]
    as_number = relational(row) | {"dynamodb.NewImage.n.N": 5}
    (change,) = read(tmp_path / "x.json", lines([as_number]))
    assert json.loads(change["new_image"])["n"] == {"N": "5"}


@pytest.mark.parametrize(
    "time",
    ["2026-01-01T12:00:00Z", "2026-01-01T13:00:00+01:00", "2026-01-01T12:00:00.000000", "2026-01-01 12:00:00+00:00"],
)
def test_times_are_read_as_the_aws_cli_prints_them(tmp_path, time):
    row = record("INSERT", KEY, NOON, new=A, event_id="1")
    del row["dynamodb"]["ApproximateCreationDateTimePrecision"]
    row["dynamodb"]["ApproximateCreationDateTime"] = time
    assert read(tmp_path / "x.json", lines([row])) == CHANGES[:1]
    assert Workbench(tmp_path).changes("things").df["ts"][0] == datetime.fromisoformat("2026-01-01T12:00:00Z")


# --- damage does not take the rest along


@given(st.data())
def test_an_array_cut_off_anywhere_gives_the_records_that_are_whole(tmp_path_factory, data):
    whole = json.dumps(RECORDS * 3, indent=data.draw(st.sampled_from([None, 2])))
    cut = data.draw(st.integers(1, len(whole) - 2))
    depths = accumulate({"{": 1, "}": -1}.get(letter, 0) for letter in whole)
    ends = [at for at, depth in enumerate(depths) if whole[at] == "}" and depth == 0]
    found = read(tmp_path_factory.mktemp("cut") / "x.json", whole[:cut].encode())
    good = [each for each in found if isinstance(each, dict)]
    assert good == (CHANGES * 3)[: sum(end < cut for end in ends)]
    assert 1 <= len(found) - len(good) <= 4, "and why it ends there: of up to three lines, each by itself"


def test_a_damaged_element_of_an_array_is_named_and_the_others_read(tmp_path):
    broken = json.dumps(RECORDS).replace('"eventID": "2"', '"eventID: "2"').encode()
    first, third, (line, reason) = read(tmp_path / "x.json", broken)
    assert (first, third, line) == (CHANGES[0], CHANGES[2], 1)
    assert "an array that is cut off or damaged" in reason
    wrong = json.dumps([RECORDS[0], {**RECORDS[1], "eventName": "UPSERT"}, RECORDS[2]]).encode()
    first, (line, reason), third = read(tmp_path / "y.json", wrong)
    assert (first, third, line) == (CHANGES[0], CHANGES[2], 1)
    assert reason.startswith("JSON arrays: ")


@pytest.mark.parametrize(
    "bad", [b"{half", b'{"a": {', b'{"a": [', b'{"a": [1,', b'{"a": ', b"[", b"{", b'{"a": {"b": [{"c":']
)
def test_a_line_that_is_cut_off_takes_none_of_the_next_ones_along(tmp_path, bad):
    each = LINES.splitlines()
    found = read(tmp_path / "x.json", b"\n".join([each[0], bad, each[1], each[2]]))
    assert [change for change in found if isinstance(change, dict)] == CHANGES
    assert [place[0] for place in found if isinstance(place, tuple)] == [2]
    found = read(tmp_path / "y.json", b"\n".join([bad, *each * 5, bad]))
    assert [change for change in found if isinstance(change, dict)] == CHANGES * 5
    assert [place[0] for place in found if isinstance(place, tuple)] == [1, 17]


@pytest.mark.parametrize("kind", ["zstd", "bzip2", "xz", "lz4", "gzip"])
def test_a_compressed_object_cut_off_gives_what_stands_before_and_is_named(tmp_path, kind):
    make = {"bzip2": bz2.compress, "xz": lzma.compress, "gzip": gzip.compress}.get(kind, lambda c: compressed(kind, c))
    good = make(LINES * 200)
    found = read(tmp_path / "x", good + make(LINES * 200)[:-30])
    changes = [each for each in found if isinstance(each, dict)]
    assert changes[:600] == CHANGES * 200
    assert changes == (CHANGES * 400)[: len(changes)]
    assert f"{kind} object is truncated" in found[-1][1]


# --- what is no log is named once, by what it is


def manifest(**more) -> bytes:
    return lines([{"exportArn": "arn:…", "tableArn": "arn:…", "outputFormat": "DYNAMODB_JSON"} | more])


NO_LOG = {
    "a scan": (
        json.dumps({"Items": [A, B], "Count": 2, "ScannedCount": 2}, indent=4).encode(),
        "output of a DynamoDB scan",
    ),
    "export data": (gzip.compress(lines({"Item": A} for _ in range(50))), "items of a table"),
    "an export's manifest": (manifest(), "manifest of a DynamoDB export"),
    "an import": (lines([{"t": [{"PutRequest": {"Item": A}}]}]), "request of batch-write-item"),
    "rows without an event": (lines([{"pk": "x", "v": 1}] * 50), "a row without an event"),
    "S3 events": (
        json.dumps({"Records": [{"eventSource": "aws:s3", "s3": {}, "eventName": "ObjectCreated:Put"}]}).encode(),
        "notification of S3",
    ),
    "CloudTrail": (
        json.dumps(
            {
                "Records": [
                    {
                        "eventVersion": "1.08",
                        "eventSource": "dynamodb.amazonaws.com",
                        "eventName": "PutItem",
                        "requestParameters": {},
                    }
                ]
                * 50
            }
        ).encode(),
        "CloudTrail",
    ),
    "CSV": (b"pk,v\n" + b"x,1\n1,2\n" * 50, "text that is no JSON"),
    "XML": (b"<a>\n" * 50, "text that is no JSON"),
    "UTF-16": (LINES.decode().encode("utf-16"), "UTF-16"),
    "Avro": (b"Obj\x01" + bytes(500), "Avro"),
    "Ion": (b"\xe0\x01\x00\xea" + bytes(500), "Amazon Ion"),
    "Snappy": (b"\xff\x06\x00\x00sNaPpY" + b"x\n" * 500, "Snappy"),
    "binary": (b"\x00\x01\n" * 500, "binary"),
    "gzip of Avro": (gzip.compress(b"Obj\x01" + bytes(500)), "gzip of an Avro file"),
    "no ORC": (b"ORC" + b"\n" * 500, "ORC object cannot be read"),
    "no ZIP": (b"PK\x03\x04" + b"\n" * 500, "a ZIP file that cannot be read"),
    "a KPL aggregate": (lines([kinesis(b"\xf3\x89\x9a\xc2" + bytes(50))]), "Kinesis Producer Library"),
}


@pytest.mark.parametrize(("content", "what"), NO_LOG.values(), ids=NO_LOG.keys())
def test_what_is_no_log_is_named_once_and_tables_fails(tmp_path, content, what):
    ((_, reason),) = read(tmp_path / "x", content)
    assert what in reason
    for ask in (Workbench(tmp_path).tables, lambda: Workbench(tmp_path).latest_state("things")):
        with pytest.raises(TableNotFound, match="holds no change records; ") as refused:
            ask()
        assert what in str(refused.value)
        assert "Unreadable(" not in str(refused.value)
    ran = CliRunner().invoke(main, ["tables", "--from", str(tmp_path)])
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert len(ran.stderr.splitlines()) == 1


@pytest.mark.parametrize(("content", "what"), NO_LOG.values(), ids=NO_LOG.keys())
def test_beside_a_log_it_is_named_and_the_log_answers(tmp_path, content, what):
    for number in range(20):
        write_log(tmp_path, RECORDS, name=f"{number:02}")
    (tmp_path / "05 odd").write_bytes(content)
    result = Workbench(tmp_path).latest_state("things")
    assert len(result.df) == 1
    assert [what in each.reason for each in result.stats.unreadable] == [True]


def test_an_empty_log_fails_too(tmp_path):
    with pytest.raises(TableNotFound, match="holds no change records"):
        Workbench(tmp_path).tables()


def test_an_export_within_a_log_is_named_whole(tmp_path):
    export = tmp_path / "AWSDynamoDB" / "01767225600000-aaaaaaaa"
    (export / "data").mkdir(parents=True)
    (export / "manifest-summary.json").write_bytes(manifest())
    (export / "manifest-files.json").write_bytes(lines([{"dataFileS3Key": "x", "itemCount": 1}]))
    for number in range(3):
        (export / "data" / f"{number}.json.gz").write_bytes(gzip.compress(lines([{"Item": A}])))
    incremental = tmp_path / "AWSDynamoDB" / "01767225700000-bbbbbbbb"
    incremental.mkdir()
    (incremental / "manifest-summary.json").write_bytes(manifest())
    (tmp_path / "AWSDynamoDB" / "data").mkdir()
    (tmp_path / "AWSDynamoDB" / "data" / "x.json.gz").write_bytes(gzip.compress(lines([{"Keys": KEY, "Metadata": {}}])))
    write_log(tmp_path / "2026/01/01/12", RECORDS)
    result = Workbench(tmp_path).latest_state("things")
    assert [(each.object, each.line) for each in result.stats.unreadable] == [(str(export), 0), (str(incremental), 0)]
    assert all("--baseline" in each.reason for each in result.stats.unreadable)


# --- tables of other kinds


def delta(folder: Path) -> None:
    (folder / "_delta_log").mkdir(parents=True)
    (folder / "_delta_log" / "00000000000000000000.json").write_text("{}")


def iceberg(folder: Path) -> None:
    (folder / "metadata").mkdir(parents=True)
    (folder / "metadata" / "00001-x.metadata.json").write_text("{}")


def hudi(folder: Path) -> None:
    (folder / ".hoodie").mkdir(parents=True)


@pytest.mark.parametrize(("make", "name"), [(delta, "Delta"), (iceberg, "Iceberg"), (hudi, "Hudi")])
def test_tables_whose_files_hold_removed_rows_are_refused_by_name(tmp_path, make, name):
    make(tmp_path / "lake" / "things")
    rows = pa.Table.from_pylist(CHANGES, schema=PARQUET)
    (tmp_path / "lake" / "things" / "data" / "day=1").mkdir(parents=True)
    pq.write_table(rows, tmp_path / "lake" / "things" / "data" / "day=1" / "x.parquet")
    for source in (
        "lake",
        "lake/things",
        "lake/things/data",
        "lake/things/data/day=1/*.parquet",
        "lake/*/data/*/*",
        "lake/things/data/day=1/x.parquet",
    ):
        with pytest.raises(TableNotFound, match=f"things: an? {name} table, .*: ask it through Athena"):
            Workbench(tmp_path / source).latest_state("things")
    write_log(tmp_path / "lake" / "log", RECORDS)
    result = Workbench(tmp_path / "lake").latest_state("things")
    assert [each.object for each in result.stats.unreadable] == [str(tmp_path / "lake" / "things")]
    assert result.stats.objects == 1


def test_a_folder_called_metadata_is_no_iceberg_table(tmp_path):
    write_log(tmp_path / "metadata", RECORDS)
    assert list_source(tmp_path).foreign == ()
    assert len(list_objects(tmp_path)) == 1


# --- what was reported


@pytest.mark.parametrize(
    ("case", "table", "rows", "unreadable"),
    [
        ("json-array/data", "inbox", 2, 0),
        ("array-among-good/data", "orders", 48, 0),
        ("lambda-event-pretty/data", "inbox", 2, 0),
        ("kinesis-envelope/data", "inbox", 1, 0),
        ("firehose-failed/data", "inbox", 3, 0),
        ("iso-time/data", "inbox", 2, 0),
        ("zstd/data", "orders", 3, 0),
        ("orc/data", "orders", 1, 0),
        ("export-in-log-folder/data", "orders", 1, 1),
        ("icloud-placeholder/icloud", "orders", 3, 1),
        ("underscore-table/under/data", "_audit", 3, 0),
        ("tables-counts/t3", "table-001", 20, 0),
    ],
)
def test_the_cases_reported_are_read_or_named(shared, case, table, rows, unreadable):
    result = Workbench(shared / "cases" / case).latest_state(table)
    assert (len(result.df), len(result.stats.unreadable)) == (rows, unreadable)


@pytest.mark.parametrize(
    ("case", "what"), [("delta-removed-file/delta", "Delta"), ("iceberg-deleted-row/iceberg", "Iceberg")]
)
def test_the_tables_reported_are_refused(shared, case, what):
    with pytest.raises(TableNotFound, match=f"an? {what} table"):
        Workbench(shared / "cases" / case).latest_state("orders")


@pytest.mark.parametrize("kind", ["json", "gzip", "zstd"])
def test_a_line_has_a_limit_and_a_longer_one_is_named_by_its_number(tmp_path, monkeypatch, kind):
    monkeypatch.setattr("workbench.log.compression._LONGEST", 3_000_000)
    each = LINES.splitlines()
    content = b"\n".join(
        [each[0], b'{"a": "' + b"x" * 5_000_000 + b'"}', each[1], b"y" * 3_000_001, each[2], b"z" * 3_000_002]
    )
    stored = {"json": content, "gzip": gzip.compress(content), "zstd": compressed("zstd", content)}[kind]
    found = read(tmp_path / "x", stored)
    assert [change for change in found if isinstance(change, dict)] == CHANGES
    assert [
        (line, reason.split(" bytes")[0]) for line, reason in (each for each in found if isinstance(each, tuple))
    ] == [(2, "a line of 5,000,009"), (4, "a line of 3,000,001"), (6, "a line of 3,000,002")]


def test_an_array_longer_than_a_line_the_fast_reader_takes_is_read_among_others(tmp_path):
    text = {"S": "t" * 2_000}
    for number in range(20):
        write_log(
            tmp_path,
            [record("INSERT", {"pk": {"S": f"{number}"}}, NOON, new={"pk": {"S": f"{number}"}})],
            name=f"{number:02}",
        )
    many = [record("INSERT", {"pk": {"S": f"x{n}"}}, NOON, new={"pk": {"S": f"x{n}"}, "v": text}) for n in range(2_500)]
    (tmp_path / "05 odd.json").write_text(json.dumps(many))
    assert (tmp_path / "05 odd.json").stat().st_size > 5_000_000
    assert len(Workbench(tmp_path).latest_state("things").df) == 2_520


def test_firehose_failures_are_counted_in_the_answer(tmp_path):
    (tmp_path / "x.json").write_bytes(WRAPPED["Firehose failures"])
    assert (
        Workbench(tmp_path)._engine.ask(Question("count", "select count(*) as n from {deliveries}"), "things").failures
        == 3
    )
