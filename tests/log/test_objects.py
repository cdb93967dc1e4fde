"""The objects of a change log: which there are, and reading them line by line."""

from __future__ import annotations

import gzip
import json
import os
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.logs import chain, flat, micros, record, write_log
from tests.helpers.profiles import examples
from workbench import Workbench
from workbench.engines import ingest, staging
from workbench.errors import ParameterError, WorkbenchError
from workbench.log.listing import list_objects
from workbench.log.objects import Unreadable
from workbench.log.reader import layout_of, read_changes
from workbench.model.records import canonical_change

KEY = {"pk": {"S": "x"}}
NOON = micros("2026-01-01T12:00:00")
A, B = (KEY | {"v": {"S": letter}} for letter in "AB")
RECORDS = chain(KEY, [(NOON, A), (NOON + 1, B), (NOON + 2, None)], ids=["1", "2", "3"])
CHANGES = [canonical_change(row) for row in RECORDS]
LINES = [json.dumps(row).encode() for row in RECORDS]


def read(path: Path, content: bytes | None = None, keys=()) -> list:
    """What is in an object: changes, and (line, reason) for what is none."""
    if content is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (item,) = list_objects(path)
    return [
        (found.line, found.reason) if isinstance(found, Unreadable) else found for found in read_changes(item, keys)
    ]


def flat_row(**columns) -> bytes:
    return json.dumps(
        {"eventID": "1", "eventName": "INSERT", "tableName": "t", "ts": "2026-01-01T12:00:00Z"} | columns
    ).encode()


def image(change: dict) -> dict:
    return json.loads(change["new_image"])


# --- listing


def test_objects_are_listed_in_order_and_hidden_and_empty_ones_passed_over(tmp_path):
    for name in (
        "b/2.json",
        "b/1.json",
        "a.json",
        "_SUCCESS",
        ".part",
        "_temporary/0.json",
        "b/.hidden/x.json",
        "b/_x.json",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    (tmp_path / "empty.json").touch()
    assert [Path(item.path).relative_to(tmp_path).as_posix() for item in list_objects(tmp_path)] == [
        "a.json",
        "b/1.json",
        "b/2.json",
    ]


def test_a_folder_inside_a_hidden_one_can_be_named(tmp_path):
    write_log(tmp_path / ".workbench" / "lake", RECORDS)
    assert len(list_objects(tmp_path / ".workbench" / "lake")) == 1


def test_a_glob_or_a_file_can_be_named(tmp_path):
    for name in ("a/1.json", "a/2.txt", "b/1.json", "b/_1.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    assert len(list_objects(tmp_path / "*" / "*.json")) == 2
    assert len(list_objects(f"{tmp_path}/**/1.*")) == 2
    assert [item.path for item in list_objects(tmp_path / "a" / "2.txt")] == [str(tmp_path / "a" / "2.txt")]
    assert list_objects(tmp_path / "*.nothing") == []


@pytest.mark.parametrize("name", ["log[1].json", "what?.json", "_named.json"])
def test_a_file_named_by_its_path_is_read_whatever_it_is_called(tmp_path, name):
    assert read(tmp_path / name, LINES[0]) == CHANGES[:1]


def test_a_path_that_is_not_there_is_an_error_and_an_empty_file_is_none(tmp_path):
    with pytest.raises(ParameterError, match="nowhere does not exist: give a folder, file or glob"):
        list_objects(tmp_path / "nowhere")
    (tmp_path / "empty.json").touch()
    assert list_objects(tmp_path / "empty.json") == list_objects(tmp_path) == []


def test_the_format_is_told_by_the_content_and_not_by_the_name(tmp_path):
    write_log(tmp_path, RECORDS, "parquet", name="p")
    (tmp_path / "p.parquet").rename(tmp_path / "a.json")
    (tmp_path / "b.json").write_bytes(gzip.compress(LINES[0]))
    (tmp_path / "c.gz").write_bytes(LINES[0])
    assert [item.format for item in list_objects(tmp_path)] == ["parquet", "gzip", "json"]
    assert [len(list(read_changes(item))) for item in list_objects(tmp_path)] == [3, 1, 1]


@pytest.mark.parametrize(
    ("folder", "arrival"),
    [
        ("year=2026/month=02/day=03/hour=04", datetime(2026, 2, 3, 4, tzinfo=UTC)),
        ("2026/02/03/04", datetime(2026, 2, 3, 4, tzinfo=UTC)),
        ("year=2026/month=02/day=03", datetime(2026, 2, 3, tzinfo=UTC)),
        ("backup/2020/01/01/data/year=2026/month=02/day=03/hour=04", datetime(2026, 2, 3, 4, tzinfo=UTC)),
        ("year=2026/month=02/day=31/hour=04", None),
        ("elsewhere", None),
    ],
)
def test_the_arrival_is_the_hour_of_the_partition(tmp_path, folder, arrival):
    (item,) = list_objects(write_log(tmp_path / folder, RECORDS))
    assert item.arrival == arrival


# --- layouts


@pytest.mark.parametrize("layout", ["raw", "joined", "envelope", "parquet", "flat"])
def test_each_layout_is_told_from_its_first_record_and_read_the_same(tmp_path, layout):
    (item,) = list_objects(write_log(tmp_path, RECORDS, layout))
    found, joined, keys = layout_of(item)
    assert (found, joined) == ({"joined": "raw", "parquet": "envelope"}.get(layout, layout), layout == "joined")
    assert keys == ("pk",)
    changes = list(read_changes(item))
    if layout == "flat":  # has one image only, and no size
        assert [change["new_image"] for change in changes] == [change["new_image"] for change in CHANGES]
        assert [change["keys"] for change in changes] == [change["keys"] for change in CHANGES]
    else:
        assert changes == CHANGES


@pytest.mark.parametrize(
    "content", [b"garbage", b"[1]", b'{"a": 1}', b"\n\n", b"\xff\xfe", b"PAR1 broken", b"\x1f\x8b broken"]
)
def test_what_is_no_log_has_an_unknown_layout_and_is_no_trouble(tmp_path, content):
    (tmp_path / "x.json").write_bytes(content)
    (item,) = list_objects(tmp_path)
    assert layout_of(item) == ("unknown", False, ())
    assert all(isinstance(found, Unreadable) for found in read_changes(item))


# --- lines


def test_lines_are_numbered_as_an_editor_does(tmp_path):
    content = b"\n".join([LINES[0], b"", b"{half", b"  ", LINES[1] + LINES[2] + b"{", b"5"])
    found = read(tmp_path / "x.json", content)
    assert [each for each in found if isinstance(each, dict)] == CHANGES
    numbers = [(each[0], each[1].split(":")[0].split(" at ")[0]) for each in found if isinstance(each, tuple)]
    assert numbers == [(3, "not JSON"), (5, "not JSON"), (6, "a JSON int, not an object")]


@pytest.mark.parametrize("between", [b"\n", b"\r\n", b"\n\n\n", b"", b" ", b"\t", b"\x1e"])
def test_records_are_found_whatever_stands_between_them(tmp_path, between):
    assert read(tmp_path / "x.json", between.join(LINES)) == CHANGES
    assert read(tmp_path / "y.json", between.join(LINES) + between) == CHANGES


def test_a_byte_order_mark_is_passed_over(tmp_path):
    assert read(tmp_path / "x.json", b"\xef\xbb\xbf" + b"\r\n".join(LINES)) == CHANGES


def test_a_line_that_is_not_utf_8_is_named_and_the_others_read(tmp_path):
    found = read(tmp_path / "x.json", b"\n".join([LINES[0], LINES[1][:-2] + b"\xff}}", LINES[2]]))
    assert (found[0], found[2]) == (CHANGES[0], CHANGES[2])
    assert found[1][0] == 2
    assert "not UTF-8" in found[1][1]


def test_separators_of_unicode_do_not_end_a_line(tmp_path):
    row = record("INSERT", KEY, NOON, new=KEY | {"v": {"S": "a\u2028b\x85c"}})
    (change,) = read(tmp_path / "x.json", json.dumps(row, ensure_ascii=False).encode())
    assert image(change)["v"]["S"] == "a\u2028b\x85c"


def test_records_longer_than_a_piece_of_reading_come_whole(tmp_path):
    row = record("INSERT", KEY, NOON, new=KEY | {"v": {"S": "x" * 3_000_000}})
    content = json.dumps(row).encode() + b"\n" + LINES[0]
    for stored in (content, gzip.compress(content)):
        first, second = read(tmp_path / "x.json", stored)
        assert len(image(first)["v"]["S"]) == 3_000_000
        assert second == CHANGES[0]


# --- gzip


def test_gzip_members_that_follow_each_other_are_one_object(tmp_path):
    assert read(tmp_path / "x.gz", b"".join(gzip.compress(line + b"\n") for line in LINES)) == CHANGES
    cut = b"\n".join(LINES)
    assert read(tmp_path / "y.gz", gzip.compress(cut[:100]) + gzip.compress(cut[100:])) == CHANGES, (
        "also within a record"
    )


@examples(40)
@given(st.data())
def test_a_gzip_object_cut_anywhere_gives_what_stands_before_and_is_named(tmp_path_factory, data):
    whole = gzip.compress(b"\n".join(LINES * 20))
    cut = data.draw(st.integers(3, len(whole) - 1))
    found = read(tmp_path_factory.mktemp("cut") / "x.gz", whole[:cut])
    good = [each for each in found if isinstance(each, dict)]
    assert good == (CHANGES * 20)[: len(good)]
    assert "gzip object is truncated after" in found[-1][1]
    assert len(found) - len(good) <= 2, "the half line and the truncation"


def test_a_damaged_gzip_object_is_named_and_what_stands_before_is_kept(tmp_path):
    content = gzip.compress(b"\n".join(LINES) + b"\n")
    found = read(tmp_path / "x.gz", content + b"no member")
    assert found[:3] == CHANGES
    assert found[3][0] == 4
    assert "gzip object is damaged after" in found[3][1]
    assert "damaged" in read(tmp_path / "y.gz", content[:-8] + b"\0" * 8)[-1][1], "its checksum is wrong"


@pytest.mark.parametrize("size", [(1 << 20) - 1, 1 << 20, (1 << 20) + 1, (2 << 20) + 100])
def test_a_gzip_object_of_any_size_that_is_whole_is_not_called_truncated(tmp_path, size):
    assert read(tmp_path / "x.gz", gzip.compress(b" " * (size - len(LINES[0])) + LINES[0])) == CHANGES[:1]


# --- Parquet


def test_the_times_of_a_parquet_object_may_be_timestamps(tmp_path):
    write_log(tmp_path / "texts", RECORDS, "parquet")
    texts = pq.read_table(tmp_path / "texts" / "object.parquet")
    times = texts.column("ts").cast(pa.timestamp("us"))
    (tmp_path / "times").mkdir()
    pq.write_table(texts.set_column(3, "ts", times), tmp_path / "times" / "object.parquet")
    one, other = (Workbench(tmp_path / name).changes("things").df for name in ("texts", "times"))
    pd.testing.assert_frame_equal(one, other)
    assert len(one)
    found = [change["ts"] for item in list_objects(tmp_path / "times") for change in read_changes(item)]
    assert found == texts.column("ts").to_pylist()


def test_a_broken_parquet_object_is_named(tmp_path):
    content = (write_log(tmp_path / "good", RECORDS, "parquet") / "object.parquet").read_bytes()
    for broken in (content[: len(content) // 2], b"PAR1" + b"\0" * 50):
        ((line, reason),) = read(tmp_path / "x.parquet", broken)
        assert (line, reason.split(":")[0]) == (0, "Parquet object cannot be read")


def test_a_wrong_row_of_a_parquet_object_is_named_by_its_number(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = write_log(tmp_path, RECORDS, "parquet") / "object.parquet"
    rows = pq.read_table(path).to_pylist()
    rows[1]["new_image"] = "{"
    pq.write_table(pa.Table.from_pylist(rows), path)
    found = read(path)
    assert (found[0], found[2]) == (CHANGES[0], CHANGES[2])
    assert found[1][0] == 2


# --- flat rows


def test_a_flat_row_names_its_keys_in_a_column_or_by_the_setting(tmp_path):
    (named,) = read(tmp_path / "x.json", flat_row(keys='{"pk":{"S":"x"}}', pk="x", v=1))
    (by_setting,) = read(tmp_path / "x.json", flat_row(pk="x", v=1), keys=("pk",))
    (null,) = read(tmp_path / "x.json", flat_row(keys=None, pk="x", v=1), keys=("pk",))
    assert named == by_setting == null
    assert (named["keys"], image(named)) == ('{"pk":{"S":"x"}}', {"pk": {"S": "x"}, "v": {"N": "1"}})


def test_a_flat_row_without_keys_is_refused_with_what_to_do(tmp_path):
    assert read(tmp_path / "x.json", flat_row(pk="x")) == [
        (1, "a flat record, no 'keys': name the key attributes, keys=(…)")
    ]
    assert read(tmp_path / "x.json", flat_row(v=1), keys=("pk",)) == [(1, "a flat record, no key attribute 'pk'")]


def test_a_flat_row_keeps_38_digits_nested_columns_and_every_type(tmp_path):
    digits = "12345678901234567890.123456789012345678"
    row = flat_row(
        pk="x",
        **{"m.a": 1, "m.b.c": True, '"dotted.name"': "d", "l": [1, "a", None, {"x": []}], "gone": None, "empty": ""},
    )
    (change,) = read(tmp_path / "x.json", row.replace(b'"pk"', f'"n": {digits}, "pk"'.encode()), keys=("pk",))
    assert image(change) == {
        "pk": {"S": "x"},
        "n": {"N": digits},
        "m": {"M": {"a": {"N": "1"}, "b": {"M": {"c": {"BOOL": True}}}}},
        "dotted.name": {"S": "d"},
        "empty": {"S": ""},
        "l": {"L": [{"N": "1"}, {"S": "a"}, {"NULL": True}, {"M": {"x": {"L": []}}}]},
    }
    assert Decimal(image(change)["n"]["N"]) == Decimal(digits)


@pytest.mark.parametrize("name", ['size 5"', "trailing.", ".", "", 'say "hi"', "a..b"])
def test_a_column_name_that_is_no_path_is_the_name_of_one_attribute(tmp_path, name):
    (change,) = read(tmp_path / "x.json", flat_row(pk="x", **{name: "v"}), keys=("pk",))
    assert image(change)[name] == {"S": "v"}


def test_a_column_under_one_that_is_no_map_is_refused_and_the_next_row_read(tmp_path):
    found = read(tmp_path / "x.json", flat_row(pk="x", a=1, **{"a.b": 2}) + b"\n" + flat_row(pk="y"), keys=("pk",))
    assert found[0] == (1, "column 'a.b' lies under one that is no map")
    assert image(found[1]) == {"pk": {"S": "y"}}


def test_the_metadata_of_a_flat_row_is_understood_in_any_spelling(tmp_path):
    rows = [
        {"event_id": "1", "event_name": "INSERT", "table_name": "t", "ts": 1767268800000},
        {"EventID": "1", "eventName": "INSERT", "TableName": "t", "ApproximateCreationDateTime": 1767268800},
        {
            "event-id": "1",
            "eventname": "INSERT",
            "tablename": "t",
            "approximate_creation_date_time": 1767268800000000,
            "ApproximateCreationDateTimePrecision": "MICROSECOND",
        },
    ]
    found = read(tmp_path / "x.json", b"\n".join(json.dumps(row | {"pk": "x"}).encode() for row in rows), keys=("pk",))
    assert found[0] == found[1] == found[2]
    assert found[0]["ts"] == "2026-01-01 12:00:00.000000"


def test_a_flat_row_without_id_and_table_is_the_same_change_each_time_it_is_delivered(tmp_path):
    row = {"eventName": "MODIFY", "ts": "2026-01-01T12:00:00Z", "pk": "x", "v": 1}
    path = tmp_path / "orders" / "year=2026" / "x.json"
    one, again, other = read(
        path, b"\n".join(json.dumps(each).encode() for each in (row, row, row | {"v": 2})), keys=("pk",)
    )
    assert one == again
    assert one["event_id"] != other["event_id"]
    assert one["table_name"] == "orders", "the folder above the partitions"


def test_a_flat_removal_has_no_new_image(tmp_path):
    (change,) = read(tmp_path / "x.json", flat_row(eventName="REMOVE", pk="x"), keys=("pk",))
    assert (change["event_name"], change["new_image"], change["by_ttl"]) == ("REMOVE", None, False)


def test_the_keys_setting_answers_a_question_over_a_flat_log(tmp_path):
    rows = [flat(row) | {"keys": None} for row in RECORDS[:2]]
    (tmp_path / "x.json").write_text("\n".join(map(json.dumps, rows)))
    df = Workbench(tmp_path, keys=("pk",)).latest_state("things").df
    assert df[["pk", "v"]].to_dict("records") == [{"pk": "x", "v": "B"}]


# --- what no reader may stumble over


@pytest.mark.parametrize(
    "wrong",
    [
        {"eventID": "\ud800"},
        {"dynamodb": {"SizeBytes": 10**30}},
        {"dynamodb": {"SizeBytes": "big"}},
        {"dynamodb": {"ApproximateCreationDateTime": 10**300}},
        {"eventID": 5},
        {"userIdentity": [1]},
        {"dynamodb": {"NewImage": {"pk": {"S": "x"}, "l": {"L": [{"X": 1}]}}}},
        {"dynamodb": {"NewImage": {"pk": {"S": "x"}, "l": {"SS": [1]}}}},
        {"dynamodb": {"NewImage": {"pk": {"S": "x"}, "n": {"N": "0x10"}}}},
    ],
    ids=str,
)
def test_no_wrong_record_stops_the_answer_from_the_good_ones(tmp_path, wrong):
    other = {"pk": {"S": "other"}}
    row = record("INSERT", KEY, NOON, new=A)
    row |= {name: row["dynamodb"] | value if name == "dynamodb" else value for name, value in wrong.items()}
    write_log(tmp_path, [record("INSERT", other, NOON, new=other)], name="good")
    (tmp_path / "wrong.json").write_text(json.dumps(row))
    result = Workbench(tmp_path).latest_state("things")
    assert "other" in list(result.df["pk"])
    assert len(result.df) + len(result.stats.unreadable) == 2, "answered or named, never lost"


# --- folders


def test_linked_folders_are_followed_once_and_loops_end(tmp_path):
    write_log(tmp_path / "elsewhere", RECORDS)
    write_log(tmp_path / "log" / "a", RECORDS[:1])
    for name, target in {"linked": "elsewhere", "again": "elsewhere", "a/loop": "log", "b": "log/a"}.items():
        (tmp_path / "log" / name).symlink_to(tmp_path / target)
    found = [Path(item.path).relative_to(tmp_path / "log").as_posix() for item in list_objects(tmp_path / "log")]
    assert found == ["a/object.json.gz", "again/object.json.gz"]
    assert len(Workbench(tmp_path / "log").changes("things").df) == 3


@pytest.mark.parametrize("what", ["folder", "file"])
def test_what_may_not_be_read_is_an_error_in_a_line(tmp_path, monkeypatch, what):
    write_log(tmp_path / "closed", RECORDS)
    write_log(tmp_path / "open", RECORDS)
    scandir, opened = os.scandir, Path.open

    def refused(path, *rest, do=scandir, **options):
        if "closed" in str(path):
            raise PermissionError(13, "Permission denied", str(path))
        return do(path, *rest, **options)

    if what == "folder":
        monkeypatch.setattr("os.scandir", refused)
    else:
        monkeypatch.setattr(Path, "open", lambda *given, **options: refused(*given, do=opened, **options))
    with pytest.raises(ParameterError, match=r"closed.* cannot be read: Permission denied; get the right to read it"):
        Workbench(tmp_path).changes("things")


def test_hidden_names_that_could_be_data_are_counted_in_the_answer(tmp_path):
    write_log(tmp_path / "things", RECORDS[:1])
    write_log(tmp_path / "things" / "_year=2026" / "_month=01", RECORDS)
    write_log(tmp_path / "things" / ".old", RECORDS, "parquet")
    write_log(tmp_path / "things", RECORDS, name="_copy")
    (tmp_path / "things" / "part.json.gz.crdownload").write_bytes(b"{")
    for name in ("_SUCCESS", "_temporary/x.gz", ".git/x", ".DS_Store", ".x.crc", ".readme", "_started"):
        (tmp_path / "things" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "things" / name).write_bytes(b"text")
    (tmp_path / "things" / "_started").unlink()
    result = Workbench(tmp_path / "things").changes("things")
    assert (len(result.df), result.stats.unreadable) == (1, ())
    assert [note.split(":")[1].split("/")[-1].split(",")[0] for note in result.stats.notes] == [
        ".old",
        "_copy.json.gz",
        "_year=2026",
        " 1 that are not whole by their names",
    ]
    assert "passed over: 1 object in " in result.stats.notes[0]
    assert all(note in result.summary for note in result.stats.notes)


@pytest.mark.parametrize("name", ["_audit", ".cache", "_"])
@pytest.mark.parametrize("layout", ["raw", "envelope", "parquet"])
def test_a_table_whose_name_begins_so_is_a_table(tmp_path, name, layout):
    rows = chain(KEY, [(NOON, A)], table=name)
    write_log(tmp_path / name / "2026/01/01/12", rows, layout)
    write_log(tmp_path / "things" / "2026/01/01/12", RECORDS)
    assert Workbench(tmp_path).tables()["table"].tolist() == sorted([name, "things"])
    assert len(Workbench(tmp_path / name).latest_state(name).df) == 1
    write_log(tmp_path / "home" / "lake" / "data" / name / "2026/01/01/12", rows, layout)
    assert Workbench(home=tmp_path / "home").tables()["table"].tolist() == [name]


def test_what_icloud_keeps_elsewhere_is_named(tmp_path):
    write_log(tmp_path, RECORDS)
    (tmp_path / ".b.gz.icloud").write_bytes(b"bplist00")
    result = Workbench(tmp_path).latest_state("things")
    (missing,) = result.stats.unreadable
    assert missing.object == str(tmp_path / "b.gz")
    assert missing.reason.startswith("not downloaded")


# --- tables


def test_tables_counts_for_each_table_what_holds_changes_of_it(tmp_path):
    write_log(tmp_path / "a" / "2026/01/01/12", RECORDS)
    write_log(tmp_path / "b" / "2026/01/01/13", chain(KEY, [(NOON, A)], table="other"), "envelope")
    write_log(tmp_path / "c" / "2026/01/01/14", [*RECORDS, *chain(KEY, [(NOON, A)], table="other")])
    sizes = {path.parts[-6]: path.stat().st_size for path in tmp_path.rglob("*.gz")}
    df = Workbench(tmp_path).tables().set_index("table")
    assert df["objects"].to_dict() == {"things": 2, "other": 2}
    assert df["bytes"].to_dict() == {"things": sizes["a"] + sizes["c"], "other": sizes["b"] + sizes["c"]}
    assert [moment.hour for moment in df.loc["things", ["first_arrival", "last_arrival"]]] == [12, 14]
    assert [moment.hour for moment in df.loc["other", ["first_arrival", "last_arrival"]]] == [13, 14]
    assert df["layout"].to_dict() == {"things": "raw", "other": "envelope + raw"}


# --- beside a sync


@pytest.mark.parametrize("layout", ["raw", "parquet"])
@pytest.mark.parametrize("where", ["first", "in the middle"])
def test_a_file_renamed_while_it_is_read_is_found_under_its_new_name(tmp_path, monkeypatch, layout, where):
    for number, row in enumerate(RECORDS):
        write_log(tmp_path, [row], layout, name=f"{number}.{'part' if number == 1 else 'x'}-1")
    path = next(tmp_path.glob("1.part*"))
    listed = staging.list_source

    def rename_after(source, known):
        found = listed(source, known)
        if path.exists():
            path.rename(tmp_path / f"1{path.suffix}")
        return found

    monkeypatch.setattr(staging, "list_source", rename_after)
    wb = Workbench(tmp_path)
    if where == "in the middle":
        monkeypatch.setattr(ingest, "_SAMPLE", 1)
    result = wb.changes("things")
    assert (len(result.df), result.stats.unreadable, result.stats.objects) == (3, (), 3)


def test_a_file_that_keeps_vanishing_is_named_and_the_rest_answered(tmp_path, monkeypatch):
    write_log(tmp_path, RECORDS)
    listed = staging.list_source

    def never_there(source, known):
        path = write_log(tmp_path, RECORDS, name="gone") / "gone.json.gz"
        found = listed(source, known)
        path.unlink()
        return found

    monkeypatch.setattr(staging, "list_source", never_there)
    result = Workbench(tmp_path).latest_state("things")
    (named,) = result.stats.unreadable
    assert named.object == str(tmp_path / "gone.json.gz")
    assert "vanished while it was read" in named.reason
    assert result.stats.objects == 2
    monkeypatch.undo()


def test_what_was_cut_off_is_whole_later_also_after_a_checkpoint(tmp_path):
    whole = gzip.compress(b"\n".join(LINES))
    log = tmp_path / "log" / "2026/01/01/12"
    log.mkdir(parents=True)
    (log / "x.gz").write_bytes(whole[:-20])
    settings = {"source": str(tmp_path / "log"), "home": tmp_path / "home"}
    wb = Workbench(**settings)
    assert "truncated" in wb.latest_state("things", include_deleted=True).stats.unreadable[-1].reason
    wb.checkpoint("things")
    for each in (wb, Workbench(**settings)):
        assert "truncated" in each.latest_state("things", include_deleted=True).stats.unreadable[-1].reason
    (log / "x.gz").write_bytes(whole)
    for each in (wb, Workbench(**settings)):
        result = each.latest_state("things", include_deleted=True)
        assert result.stats.unreadable == ()
        assert not any("not in the log any more" in note for note in result.stats.notes)
        assert any("changed since: 1 object of the checkpoint" in note for note in result.stats.notes)
        assert result.df["_deleted_at"].notna().all()
    wb.checkpoint("things")
    assert Workbench(**settings).latest_state("things").stats.unreadable == ()


# --- what a source may be


def test_a_source_is_a_file_url_or_a_home_and_not_in_s3(tmp_path, monkeypatch):
    write_log(tmp_path / "my log", RECORDS)
    url = f"{(tmp_path / 'my log').as_uri()}"
    assert len(Workbench(url).changes("things").df) == 3
    assert len(Workbench(f"{url}/object.json.gz").changes("things").df) == 3
    with pytest.raises(
        ParameterError, match=r"s3://bucket/data .*: ask what is in S3 by engine=\"athena\", or copy it"
    ):
        Workbench("s3://bucket/data").changes("things")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(Workbench("~/my log").changes("things").df) == 3
    with pytest.raises(WorkbenchError, match="there is no home folder for ~") as refused:
        Workbench("~nobody-of-that-name/log").changes("things")
    assert "\n" not in str(refused.value)


def test_what_lies_beside_a_log_is_not_kept_by_a_checkpoint(tmp_path):
    write_log(tmp_path / "log" / "2026/01/01/12", RECORDS)
    (tmp_path / "log" / "gone.gz").symlink_to(tmp_path / "nowhere")
    settings = {"source": str(tmp_path / "log"), "home": tmp_path / "home"}
    wb = Workbench(**settings)
    (named,) = wb.latest_state("things", include_deleted=True).stats.unreadable
    assert (named.object, named.line) == (str(tmp_path / "log" / "gone.gz"), 0)
    assert "a link to a file that is not here" in named.reason
    wb.checkpoint("things")
    (tmp_path / "log" / "gone.gz").unlink()
    for each in (wb, Workbench(**settings)):
        result = each.latest_state("things", include_deleted=True)
        assert result.stats.unreadable == ()
        assert any("from the checkpoint" in note for note in result.stats.notes)
