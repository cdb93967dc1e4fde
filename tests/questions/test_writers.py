"""Every file read back holds what was written."""

from __future__ import annotations

import csv
import hashlib
import json
import zipfile
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from pathlib import Path

import duckdb
import numpy as np
import openpyxl
import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from openpyxl.utils.escape import unescape

from tests.helpers.logs import chain, micros, write_log
from tests.helpers.profiles import examples
from workbench.cli import main
from workbench.errors import ExportError, ParameterError
from workbench.model.attribute_paths import column_path
from workbench.model.attributes import frame
from workbench.model.items import from_dynamodb
from workbench.questions import writers
from workbench.questions.cells import is_absent
from workbench.questions.nesting import nest
from workbench.questions.result import Result, Stats
from workbench.version import __version__
from workbench.workbench import Workbench

KINDS = ("parquet", "csv", "xlsx", "json")
LONG = Decimal("12345678901234567890.123456789012345678")  # 38 digits
MICROS = pd.Timestamp("2026-01-01T12:00:00.123457Z")


def texts(*values: object) -> pd.DataFrame:
    return pd.DataFrame({"a": pd.Series(list(values), dtype="str")})


def objects(*values: object) -> pd.DataFrame:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return pd.DataFrame({"a": pd.Series(array, dtype=object)})


def parquet(path: Path) -> list:
    return pq.read_table(path).column("a").to_pylist()


def sheet(path: Path) -> list[list]:
    """The cells of a sheet, which ends with its last cell that holds something."""
    return [[cell.value for cell in row] for row in openpyxl.load_workbook(path).active.iter_rows()]


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").split("\n")


def table(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def loaded(path: Path) -> list[dict]:
    return json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)


@pytest.fixture
def write(tmp_path):
    """Write a frame to a new file of a kind."""
    numbers = count()
    return lambda df, kind: writers.write(df, tmp_path / f"{next(numbers)}.{kind}")


# --- numbers


def test_38_digits_survive_in_every_format(write):
    df = objects(LONG, pd.NA, Decimal("-0.5"))
    assert parquet(write(df, "parquet")) == [LONG, None, Decimal("-0.5")]
    assert [each and Decimal(each) for each in lines(write(df, "csv"))[1:4]] == [LONG, "", Decimal("-0.5")]
    assert loaded(write(df, "json")) == [{"a": LONG}, {}, {"a": Decimal("-0.5")}]
    assert [row[0] for row in sheet(write(df, "xlsx"))] == ["a", str(LONG), None, -0.5]


def test_duckdb_and_pandas_read_the_decimals_of_parquet_exactly(write):
    path = write(objects(LONG, Decimal("-0.5")), "parquet")
    assert duckdb.sql(f"select a from '{path}'").fetchall() == [(LONG,), (Decimal("-0.5"),)]
    assert pd.read_parquet(path)["a"].tolist() == [LONG, Decimal("-0.5")]


def test_decimals_that_need_more_digits_together_than_a_decimal_has_are_text_and_not_rounded_by_a_reader(write):
    values = [Decimal("1" * 38), Decimal("0.0000000001"), Decimal("1E+125"), Decimal("1E-130")]
    path = write(objects(*values), "parquet")
    assert [Decimal(each) for (each,) in duckdb.sql(f"select a from '{path}'").fetchall()] == values


decimals = st.builds(
    lambda sign, digits, exponent: Decimal((sign, tuple(digits), exponent)),
    st.integers(0, 1),
    st.lists(st.integers(0, 9), min_size=1, max_size=38),
    st.integers(-60, 60),
)


@given(st.lists(decimals, min_size=1, max_size=5))
@examples(25)
def test_no_decimal_of_any_scale_is_ever_rounded(tmp_path_factory, values):
    folder, df = tmp_path_factory.mktemp("out"), objects(*values)
    read = {
        "parquet": parquet,
        "csv": lambda path: [row[0] for row in table(path)][1:],
        "json": lambda path: [row["a"] for row in loaded(path)],
        "xlsx": lambda path: [repr(row[0]) if isinstance(row[0], float) else row[0] for row in sheet(path)][1:],
    }
    for kind in KINDS:
        assert [Decimal(value) for value in read[kind](writers.write(df, folder / f"o.{kind}"))] == values, kind


def test_integers_keep_their_type_and_their_digits(write):
    df = pd.DataFrame({"a": pd.array([2**63 - 1, None, -7], dtype="Int64")})
    assert parquet(write(df, "parquet")) == [2**63 - 1, None, -7]
    assert lines(write(df, "csv"))[1:4] == [str(2**63 - 1), "", "-7"]
    assert loaded(write(df, "json")) == [{"a": 2**63 - 1}, {}, {"a": -7}]
    assert [row[0] for row in sheet(write(df, "xlsx"))] == ["a", str(2**63 - 1), None, -7]


def test_a_number_or_a_flag_beside_a_null_stays_one_in_parquet(write):
    df = frame(['{"a":{"N":"5"}}', '{"a":{"NULL":true}}', "{}"])
    assert parquet(write(df, "parquet")) == [5, None, None]
    assert loaded(write(df, "json")) == [{"a": 5}, {"a": None}, {}]
    flags = frame(['{"a":{"BOOL":true}}', '{"a":{"NULL":true}}'])
    assert parquet(write(flags, "parquet")) == [True, None]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=5))
@examples(25)
def test_floats_come_back_to_the_last_bit(tmp_path_factory, values):
    folder, df = tmp_path_factory.mktemp("out"), pd.DataFrame({"a": values})
    assert parquet(writers.write(df, folder / "o.parquet")) == values
    assert [float(each) for each in lines(writers.write(df, folder / "o.csv"))[1:-1]] == values
    assert [row["a"] for row in json.loads(writers.write(df, folder / "o.json").read_text())] == values
    assert [row[0] for row in sheet(writers.write(df, folder / "o.xlsx"))][1:] == values


# --- times


def test_times_of_a_zone_keep_their_wall_clock_and_name_it(write):
    days = pd.to_datetime(["2026-11-20", None, "2026-07-01"]).tz_localize("Europe/Berlin")
    df = pd.DataFrame({"a": pd.Series(days).astype("datetime64[us, Europe/Berlin]")})
    path = write(df, "parquet")
    assert str(pq.read_schema(path).field("a").type) == "timestamp[us, tz=Europe/Berlin]"
    assert parquet(path)[0].isoformat() == "2026-11-20T00:00:00+01:00"
    text = write(df, "csv")
    assert lines(text)[1:4] == ['"2026-11-20 00:00:00+01:00"', "", '"2026-07-01 00:00:00+02:00"']
    back = pd.to_datetime(pd.read_csv(text)["a"].dropna(), utc=True)
    assert back.tolist() == df["a"].dropna().dt.tz_convert("UTC").tolist()
    assert [row.get("a") for row in loaded(write(df, "json"))] == [
        "2026-11-20T00:00:00+01:00",
        None,
        "2026-07-01T00:00:00+02:00",
    ]
    assert [row[0] for row in sheet(write(df, "xlsx"))] == [
        "a (Europe/Berlin)",
        datetime(2026, 11, 20),
        None,
        datetime(2026, 7, 1),
    ]


def test_times_that_excel_would_round_are_text_of_the_wall_clock_too(write):
    df = pd.DataFrame({"a": pd.Series([MICROS]).dt.tz_convert("Europe/Berlin")})
    assert [row[0] for row in sheet(write(df, "xlsx"))] == ["a (Europe/Berlin)", "2026-01-01 13:00:00.123457"]


def test_times_are_utc_and_keep_their_microseconds(write):
    df = pd.DataFrame({"a": pd.Series([MICROS, pd.NaT]).astype("datetime64[us, UTC]")})
    path = write(df, "parquet")
    assert parquet(path) == [MICROS.to_pydatetime(), None]
    assert str(pq.read_schema(path).field("a").type) == "timestamp[us, tz=UTC]"
    assert lines(write(df, "csv"))[1:3] == ["2026-01-01 12:00:00.123457Z", ""]
    assert [pd.Timestamp(row["a"]) if row else None for row in loaded(write(df, "json"))] == [MICROS, None]
    assert [row[0] for row in sheet(write(df, "xlsx"))] == ["a", "2026-01-01 12:00:00.123457"]


def test_times_excel_can_hold_are_times_in_excel(write):
    df = pd.DataFrame({"a": pd.to_datetime(["2026-01-01T12:00:00.250Z", None])})
    assert [row[0] for row in sheet(write(df, "xlsx"))] == ["a", pd.Timestamp("2026-01-01T12:00:00.250")]


# --- texts

AWKWARD = [
    "",
    " lead ",
    "=1+1",
    "+1",
    "@SUM(A1)",
    "a,b",
    'say "hi"',
    "two\nlines",
    "win\r\ndows",
    "\t",
    "NULL",
    "NaN",
    "日本 😀",
    "_x0041_",
    "0012",
]


def test_awkward_texts_come_back_and_an_empty_one_stays_apart_from_none(write):
    df = texts(*AWKWARD, None)
    assert parquet(write(df, "parquet")) == [*AWKWARD, None]
    assert loaded(write(df, "json")) == [*({"a": each} for each in AWKWARD), {}]
    path = write(df, "csv")
    raw = path.read_bytes().decode()
    assert raw.startswith('"a"\n""\n" lead "\n')
    assert raw.endswith('"0012"\n\n'), "nothing, not even quotes, where nothing is"
    assert [row[0] if row else "" for row in table(path)][1:] == [*AWKWARD, ""]


def test_a_text_is_never_a_formula_in_excel_and_comes_back(write):
    book = openpyxl.load_workbook(write(texts(*AWKWARD), "xlsx"))
    cells = [row[0] for row in book.active.iter_rows(min_row=2)]
    assert {cell.data_type for cell in cells} <= {"s", "inlineStr"}
    assert [unescape(cell.value or "") for cell in cells] == AWKWARD


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1, max_size=4))
@examples(25)
def test_any_text_comes_back_from_every_format(tmp_path_factory, values):
    folder, df = tmp_path_factory.mktemp("out"), texts(*values)
    assert parquet(writers.write(df, folder / "o.parquet")) == values
    assert [row["a"] for row in loaded(writers.write(df, folder / "o.json"))] == values
    assert [row[0] for row in table(writers.write(df, folder / "o.csv"))][1:] == values
    assert [unescape(row[0]) for row in sheet(writers.write(df, folder / "o.xlsx"))][1:] == values


def test_a_text_longer_than_an_excel_cell_is_refused_and_never_cut(write, tmp_path):
    assert len(sheet(write(texts("x" * 32_767), "xlsx"))[1][0]) == 32_767
    for long in ("x" * 32_768, "\x01" * 10_000):
        with pytest.raises(ExportError, match=r"does not fit an Excel cell: write \.parquet or \.csv"):
            writers.write(texts(long), tmp_path / "long.xlsx")


# --- sets, lists, bytes, maps


def test_sets_and_lists_of_one_type_are_lists_in_parquet_and_json(write):
    sets = objects(frozenset({"b", "a"}), pd.NA)
    assert parquet(write(sets, "parquet")) == [["a", "b"], None]
    assert loaded(write(sets, "json")) == [{"a": ["a", "b"]}, {}]
    assert lines(write(sets, "csv"))[1:3] == ['"[""a"",""b""]"', ""]
    assert sheet(write(sets, "xlsx"))[1:] == [['["a","b"]']]


@pytest.mark.parametrize(
    "value",
    [
        [1, "a"],
        [True, 1],
        ["a", None],
        [{"x": 1}, {"y": 2}],
        [{}],
        {},
        [[1], ["a"]],
        [2**70],
        [LONG, Decimal("1E-30"), 5],
        [],
        [[]],
    ],
    ids=str,
)
def test_a_list_of_any_elements_can_be_written_and_read_back_with_all_it_holds(write, value):
    df = objects(value, pd.NA)
    (stored, missing) = parquet(write(df, "parquet"))
    assert (json.loads(stored, parse_float=Decimal) if isinstance(stored, str) else stored) == value
    assert missing is None
    assert loaded(write(df, "json")) == [{"a": value}, {}]
    assert json.loads(table(write(df, "csv"))[1][0], parse_float=Decimal) == value
    assert json.loads(sheet(write(df, "xlsx"))[1][0], parse_float=Decimal) == value


def test_texts_and_bytes_in_one_list_do_not_become_one_type(write):
    assert parquet(write(objects(["a", b"b"]), "parquet")) == ['["a","Yg=="]']


def test_bytes_are_bytes_in_parquet_and_base64_in_text(write):
    df = objects(b"\x00\xff", pd.NA)
    assert parquet(write(df, "parquet")) == [b"\x00\xff", None]
    assert loaded(write(df, "json")) == [{"a": "AP8="}, {}]
    assert lines(write(df, "csv"))[1:3] == ['"AP8="', ""]
    assert sheet(write(df, "xlsx"))[1:] == [["AP8="]]


def test_a_column_of_several_types_is_text_in_parquet_and_keeps_its_types_in_json(write):
    df = objects("x", 1, Decimal("1.50"), True, None, frozenset({2, 1}), pd.NA)
    assert parquet(write(df, "parquet")) == ["x", "1", "1.50", "true", None, "[1,2]", None]
    assert loaded(write(df, "json")) == [
        {"a": "x"},
        {"a": 1},
        {"a": Decimal("1.50")},
        {"a": True},
        {"a": None},
        {"a": [1, 2]},
        {},
    ]


# --- files


@pytest.mark.parametrize("kind", KINDS)
def test_a_frame_without_rows_keeps_its_columns_where_a_format_has_any(write, kind):
    path = write(frame([], keys=["pk", "a.b"]), kind)
    if kind == "parquet":
        assert pq.read_schema(path).names == ["pk", '"a.b"']
    if kind == "csv":
        assert lines(path)[0] == '"pk","""a.b"""'
    if kind == "xlsx":
        assert sheet(path) == [["pk", '"a.b"']]
    if kind == "json":
        assert loaded(path) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_frame_without_columns_can_be_written(write, kind):
    assert write(pd.DataFrame(), kind).exists()


def test_the_json_of_an_empty_frame_is_an_empty_array():
    assert (
        json.loads("".join(writers.to_json(pd.DataFrame())))
        == json.loads("".join(writers.to_json(frame([], keys=["pk"]))))
        == []
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_is_never_overwritten_unless_told(tmp_path, kind):
    path = writers.write(texts("old"), tmp_path / f"o.{kind}")
    before = path.read_bytes()
    with pytest.raises(ExportError, match="exists already: choose another name or overwrite it"):
        writers.write(texts("new"), path)
    assert path.read_bytes() == before
    writers.write(texts("new"), path, overwrite=True)
    assert path.read_bytes() != before


@pytest.mark.parametrize("kind", KINDS)
def test_a_failure_leaves_the_old_file_and_no_half_one(tmp_path, kind, monkeypatch):
    path = writers.write(texts("old"), tmp_path / f"o.{kind}")
    before = path.read_bytes()

    def half(df, part):
        part.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(writers._WRITERS, kind, half)
    with pytest.raises(ExportError, match="could not be written: No space left on device"):
        writers.write(texts("new"), path, overwrite=True)
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (before, [path])


def test_missing_folders_are_made_and_an_ending_in_capitals_is_understood(tmp_path):
    assert writers.write(texts("x"), tmp_path / "new" / "folder" / "o.CSV").read_text() == '"a"\n"x"\n'


@pytest.mark.parametrize("name", ["o.txt", "o", "o.parquet.gz"])
def test_an_unknown_ending_is_refused_with_those_there_are(tmp_path, name):
    with pytest.raises(
        ExportError, match=r"cannot write .*use one of \.parquet, \.xlsx, \.csv, \.tsv, \.json, \.jsonl, \.csv\.gz"
    ):
        writers.write(texts("x"), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_way_is_an_error_of_one_line(tmp_path):
    (tmp_path / "o.csv").mkdir()
    with pytest.raises(ExportError, match=r"o\.csv could not be written"):
        writers.write(texts("x"), tmp_path / "o.csv", overwrite=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="could not be written"):
        writers.write(texts("x"), tmp_path / "file" / "o.csv")


def test_an_address_of_a_bucket_is_not_taken_for_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ExportError, match=r"s3://bucket/o\.csv"):
        writers.write(texts("x"), "s3://bucket/o.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_result_writes_itself_in_each_format(tmp_path):
    result = Result(texts("x"), "select 1", Stats(rows=1, seconds=0.1, objects=1, bytes=10))
    for kind, method in zip(KINDS, (result.to_parquet, result.to_csv, result.to_excel, result.to_json), strict=True):
        assert method(tmp_path / f"o.{kind}") == tmp_path / f"o.{kind}"
        with pytest.raises(ExportError, match="exists already"):
            method(tmp_path / f"o.{kind}")
        method(tmp_path / f"o.{kind}", overwrite=True)
    assert result.to_json(tmp_path / "named.txt").read_text() == '[{"a":"x"}]\n'


# --- durations, and columns of any types


def test_durations_are_exact_seconds_in_text_formats_and_durations_in_parquet(write):
    values = [1, 40_000 * 86_400_000_000 + 1, 60_000_000, -1_500_000, None]
    df = pd.DataFrame({"a": pd.to_timedelta(values, unit="us").astype("timedelta64[us]")})
    seconds = [each if each is None else Decimal(each) / 1_000_000 for each in values]
    path = write(df, "parquet")
    assert str(pq.read_schema(path).field("a").type) == "duration[us]"
    assert pd.read_parquet(path)["a"].equals(df["a"])
    assert [each for (each,) in duckdb.sql(f"select a from '{path}'").fetchall()] == values
    assert [Decimal(each) if each else None for each in lines(write(df, "csv"))[1:6]] == seconds
    assert [row.get("a") for row in loaded(write(df, "json"))] == seconds
    assert [Decimal(str(row[0])) for row in sheet(write(df, "xlsx"))[1:]] == seconds[:-1]
    assert [round(float(each) * 1e6) for each in lines(write(df, "csv"))[1:5]] == values[:-1], "floats are enough"


def test_a_duration_or_a_time_within_a_column_of_objects_can_be_written(write):
    df = objects(pd.Timedelta("1.5s"), MICROS, MICROS.to_pydatetime(), "x")
    for kind in KINDS:
        assert write(df, kind).exists()
    assert [row["a"] for row in loaded(write(df, "json"))] == [
        Decimal("1.5"),
        "2026-01-01T12:00:00.123457+00:00",
        "2026-01-01T12:00:00.123457+00:00",
        "x",
    ]


ANY = [
    "x",
    "",
    7,
    2**70,
    LONG,
    True,
    b"\x00\xff",
    frozenset({Decimal("1.5"), 1}),
    frozenset({b"b"}),
    [1, "a", None],
    {"m": [LONG]},
    {},
    None,
    pd.NA,
]
ANY_TEXT = [
    "x",
    "",
    "7",
    str(2**70),
    str(LONG),
    "true",
    "AP8=",
    "[1,1.5]",
    '["Yg=="]',
    '[1,"a",null]',
    f'{{"m":[{LONG}]}}',
    "{}",
]


def test_values_of_all_types_in_one_column_keep_every_digit(write):
    df = objects(*ANY)
    assert parquet(write(df, "parquet")) == [*ANY_TEXT, None, None]
    assert [row[0] if row else "" for row in table(write(df, "csv"))][1:] == [*ANY_TEXT, "", ""]
    assert [None if row[0] is None else str(row[0]) for row in sheet(write(df, "xlsx"))][1:] == [
        "x",
        None,
        "7",
        *ANY_TEXT[3:5],
        "True",
        *ANY_TEXT[6:],
    ]
    rows = loaded(write(df, "json"))
    assert [row.get("a", "absent") for row in rows] == [
        "x",
        "",
        7,
        2**70,
        LONG,
        True,
        "AP8=",
        [1, Decimal("1.5")],
        ["Yg=="],
        [1, "a", None],
        {"m": [LONG]},
        {},
        None,
        "absent",
    ]


def test_flags_and_texts_that_are_missing_stay_so(write):
    df = frame(['{"b":{"BOOL":false},"s":{"S":""}}', "{}", '{"b":{"BOOL":true},"s":{"S":"NA"}}'])
    assert pq.read_table(write(df, "parquet")).to_pydict() == {"b": [False, None, True], "s": ["", None, "NA"]}
    assert lines(write(df, "csv"))[1:4] == ['false,""', ",", 'true,"NA"']
    assert loaded(write(df, "json")) == [{"b": False, "s": ""}, {}, {"b": True, "s": "NA"}]
    assert sheet(write(df, "xlsx"))[1:] == [[False, None], [None, None], [True, "NA"]]
    assert duckdb.sql(f"select * from '{write(df, 'parquet')}'").fetchall() == [(False, ""), (None, None), (True, "NA")]


# --- nested

PEOPLE = frame(
    [
        '{"pk":{"S":"a"},"p":{"M":{"age":{"N":"41"},"first.name":{"S":"Ann"},"home":{"M":{"zip":{"N":"12345678901234567890.123456789012345678"}}},'
        '"tags":{"SS":["y","x"]},"none":{"NULL":true},"raw":{"B":"AP8="}}},"a.b":{"M":{"c":{"S":""}}}}',
        '{"pk":{"S":"b"},"p":{"M":{"age":{"N":"7"}}}}',
        '{"pk":{"S":"c"},"p":{"M":{}}}',
        '{"pk":{"S":"d"}}',
    ],
    keys=["pk"],
)
WHOLE = [
    {
        "pk": "a",
        '"a.b"': {"c": ""},
        "p": {"age": 41, "first.name": "Ann", "home": {"zip": LONG}, "none": None, "raw": "AP8=", "tags": ["x", "y"]},
    },
    {"pk": "b", "p": {"age": 7}},
    {"pk": "c", "p": {}},
    {"pk": "d"},
]


@pytest.fixture
def nested(tmp_path):
    """Write a frame nested to a new file of a kind."""
    numbers = count()
    return lambda df, kind: writers.write(df, tmp_path / f"{next(numbers)}.{kind}", nested=True)


def test_nested_json_has_the_maps_that_the_items_have(nested):
    assert loaded(nested(PEOPLE, "json")) == WHOLE


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_nested_csv_and_excel_have_maps_as_json_text(nested, kind):
    heading, *rows = (table if kind == "csv" else sheet)(nested(PEOPLE, kind))
    assert heading == ["pk", '"a.b"', "p"]
    for row, whole in zip(rows, WHOLE, strict=True):
        row = dict(zip(heading, row, strict=False))
        for name in ('"a.b"', "p"):
            assert (json.loads(row[name], parse_float=Decimal) if row.get(name) else None) == whole.get(name)


def test_nested_parquet_has_structs_that_pandas_and_duckdb_read(nested):
    path = nested(PEOPLE, "parquet")
    nothing = dict.fromkeys(("age", "first.name", "home", "none", "raw", "tags"))
    expected = [WHOLE[0]["p"] | {"raw": b"\x00\xff"}, nothing | {"age": 7}, nothing, None]
    for read in (
        pq.read_table(path)["p"].to_pylist(),
        [each for (each,) in duckdb.sql(f"select p from '{path}'").fetchall()],
    ):
        assert read == expected, "an empty map is there, an absent one is not"
    assert [None if each is None else each["age"] for each in pd.read_parquet(path)["p"]] == [41, 7, None, None]
    assert duckdb.sql(f"""select p.home.zip, p."first.name" from '{path}'""").fetchall()[0] == (LONG, "Ann")


def test_a_field_of_several_types_is_json_text_within_its_struct(nested):
    df = frame(
        [
            f'{{"p":{{"M":{{"x":{value},"y":{{"N":"1"}}}}}}}}'
            for value in ('{"S":"1"}', '{"N":"1"}', '{"M":{"z":{"S":"é"}}}', '{"NULL":true}')
        ]
    )
    read = parquet_of(nested(df, "parquet"), "p")
    assert [each["x"] and json.loads(each["x"]) for each in read] == ["1", 1, {"z": "é"}, None]
    assert [each["y"] for each in read] == [1, 1, 1, 1]


def parquet_of(path: Path, name: str) -> list:
    return pq.read_table(path).column(name).to_pylist()


def test_an_attribute_that_is_a_map_in_one_item_and_none_in_the_next_is_whole_in_each(nested):
    df = frame(['{"p":{"M":{"x":{"N":"1"}}}}', '{"p":{"S":"text"}}', '{"p":{"NULL":true}}', '{"p":{"M":{}}}', "{}"])
    assert nest(df)["p"].tolist()[:4] == [{"x": 1}, "text", None, {}]
    assert nest(df)["p"].tolist()[4] is pd.NA
    assert parquet_of(nested(df, "parquet"), "p") == ['{"x":1}', "text", None, "{}", None]
    assert loaded(nested(df, "json")) == [{"p": {"x": 1}}, {"p": "text"}, {"p": None}, {"p": {}}, {}]


def test_nest_leaves_the_columns_of_a_result_and_what_is_no_path_as_they_are():
    df = pd.DataFrame(
        {
            "ts": [MICROS],
            'count("x")': [1],
            '"ts"': ["k"],
            '"_changed_at"': ["mine"],
            5: [2],
            "new.a": [1],
            "old.a.b": [2],
            "_changed_at": [MICROS],
        },
        index=[7],
    )
    whole = nest(df)
    assert list(whole) == ["ts", 'count("x")', '"ts"', '"_changed_at"', 5, "new", "old", "_changed_at"]
    assert whole[["new", "old"]].loc[7].to_list() == [{"a": 1}, {"a": {"b": 2}}]
    pd.testing.assert_frame_equal(whole[["ts", 5, "_changed_at"]], df[["ts", 5, "_changed_at"]])


def test_nest_never_loses_a_value_that_stands_where_another_has_something_under_it():
    df = pd.DataFrame({"new": ["key", "key"], "new.a": [1, 2], "m.a": [1, 2]})
    assert list(nest(df)) == ["new", "new.a", "m"]
    assert nest(pd.DataFrame()).empty
    assert list(nest(frame([], keys=["pk"]))) == ["pk"]


images = st.recursive(
    st.one_of(
        st.builds(lambda n: {"N": str(n)}, st.integers(-9, 9)),
        st.just({"NULL": True}),
        st.builds(lambda s: {"S": s}, st.text(max_size=2)),
        st.builds(lambda b: {"BOOL": b}, st.booleans()),
        st.just({"L": [{"M": {"x": {"N": "1"}}}]}),
    ),
    lambda inner: st.builds(
        lambda m: {"M": m}, st.dictionaries(st.text('ab."[]', min_size=1, max_size=2), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.lists(st.dictionaries(st.sampled_from(["a", "b", "a.b", "new"]), images, max_size=3), min_size=1, max_size=4))
@examples(100)
def test_nesting_a_frame_gives_the_items_it_was_made_from(tmp_path_factory, given_images):
    given_images = [{"pk": {"S": "x"}} | image for image in given_images]
    df = frame(map(json.dumps, given_images))
    whole = nest(df)
    for at, image in enumerate(given_images):
        item = {name: whole.loc[at, name if name != "a.b" else '"a.b"'] for name in image}
        assert item == from_dynamodb(image)
    folder = tmp_path_factory.mktemp("out")
    for kind in KINDS:
        writers.write(df, folder / f"o.{kind}", nested=True)
    read = loaded(folder / "o.json")
    assert [{column_path(name)[0]: value for name, value in row.items()} for row in read] == [
        from_dynamodb(image) for image in given_images
    ]


# --- where a file is from

ASKED = {
    "question": "latest_state",
    "table": "persons",
    "as_of": datetime(2026, 1, 1, 12, tzinfo=UTC),
    "key": {"pk": LONG},
    "every": pd.Timedelta("1h"),
}
STATS = Stats(
    rows=1,
    seconds=0.5,
    objects=2,
    bytes=10,
    ambiguous_ties=3,
    notes=("a note",),
    first_arrival=datetime(2026, 1, 1, tzinfo=UTC),
    last_arrival=datetime(2026, 1, 2, tzinfo=UTC),
)


def answer(df: pd.DataFrame, sql: str = "select 'é'", **asked: object) -> Result:
    return Result(df, sql, STATS, ASKED | asked)


def sidecar(path: Path) -> dict:
    return json.loads(writers.sidecar_of(path).read_text(encoding="utf-8"))


@pytest.mark.parametrize("kind", KINDS)
def test_beside_a_results_file_stands_where_it_is_from(tmp_path, kind):
    path = answer(PEOPLE).write(tmp_path / f"o.{kind}")
    about = sidecar(path)
    assert datetime.fromisoformat(about.pop("written_at")).utcoffset().total_seconds() == 0
    assert about.pop("workbench") == __version__
    assert about.pop("columns")["pk"] == "string"
    assert about == {
        "question": "latest_state",
        "table": "persons",
        "sql": "select 'é'",
        "parameters": {"as_of": "2026-01-01T12:00:00+00:00", "key": {"pk": str(LONG)}, "every": "0 days 01:00:00"},
        "window": {
            "as_of": "2026-01-01T12:00:00+00:00",
            "first_arrival": "2026-01-01T00:00:00+00:00",
            "last_arrival": "2026-01-02T00:00:00+00:00",
            "newest_change": None,
        },
        "objects": 2,
        "bytes": 10,
        "seconds": 0.5,
        "unreadable": 0,
        "ambiguous_ties": 3,
        "notes": ["a note"],
        "masked": {},
        "nested": False,
        "rows": 4,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    assert """\n  "sql": "select 'é'",\n""" in writers.sidecar_of(path).read_text(encoding="utf-8")


def test_a_sidecar_tells_of_the_frame_that_was_written(tmp_path):
    about = sidecar(answer(PEOPLE).to_json(tmp_path / "o.json", nested=True, mask="pk", mask_with="redact"))
    assert (about["nested"], list(about["columns"]), about["masked"]) == (True, ["pk", '"a.b"', "p"], {"pk": "redact"})


@pytest.mark.parametrize("there", ["o.csv", "o.csv.meta.json"])
def test_neither_file_is_overwritten_unless_told_and_then_both(tmp_path, there):
    (tmp_path / there).write_text("old")
    with pytest.raises(ExportError, match=f"{there} exists already"):
        answer(PEOPLE).to_csv(tmp_path / "o.csv")
    assert [file.name for file in tmp_path.iterdir()] == [there]
    path = answer(PEOPLE).to_csv(tmp_path / "o.csv", overwrite=True)
    assert sidecar(path)["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_failure_leaves_both_old_files(tmp_path, monkeypatch):
    path = answer(PEOPLE).to_csv(tmp_path / "o.csv")
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}

    def fails(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writers, "_described", fails)
    with pytest.raises(ExportError, match="No space left on device"):
        answer(texts("new")).to_csv(path, overwrite=True)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_a_frame_alone_is_written_without_a_second_file(tmp_path):
    writers.write(PEOPLE, tmp_path / "o.csv")
    assert [file.name for file in tmp_path.iterdir()] == ["o.csv"]


# --- masked


def everything(folder: Path) -> bytes:
    """The bytes of all files of a folder, with what is compressed in them uncompressed."""
    found = b""
    for path in folder.iterdir():
        found += path.read_bytes()
        if path.suffix == ".xlsx":
            with zipfile.ZipFile(path) as archive:
                found += b"".join(map(archive.read, archive.namelist()))
        if path.suffix == ".parquet":
            pq.write_table(pq.read_table(path), folder / "plain", compression="none", use_dictionary=False)
            found += (folder / "plain").read_bytes()
            (folder / "plain").unlink()
    return found


SECRET = "s3cret@example.com"


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_a_masked_value_is_in_any_file(tmp_path, kind, nested):
    df = frame(
        [
            f'{{"pk":{{"S":"{SECRET}"}},"p":{{"M":{{"email":{{"S":"{SECRET}"}}}}}},"people":{{"L":[{{"M":{{"email":{{"S":"{SECRET}"}}}}}}]}}}}'
        ]
    )
    asked = {"key": {"pk": SECRET}, "where": f"p.email = '{SECRET}'"}
    result = answer(df, f"select * from t where p.M.email.S = '{SECRET}'", **asked)
    masks = ("pk", "p.email", "people.email")
    result.write(tmp_path / f"o.{kind}", nested=nested, overwrite=True)
    assert SECRET.encode() in everything(tmp_path), "it would be found"
    path = result.write(tmp_path / f"o.{kind}", nested=nested, overwrite=True, mask=masks, mask_salt="pepper")
    for secret in (SECRET.encode(), b"s3cret", b"pepper"):
        assert secret not in everything(tmp_path)
    about = sidecar(path)
    assert (about["sql"], about["parameters"]["key"], about["window"]["as_of"]) == (
        "[masked]",
        "[masked]",
        "2026-01-01T12:00:00+00:00",
    )
    assert about["masked"] == dict.fromkeys(masks, "hash")


def test_what_was_masked_before_is_said_and_kept_out_of_the_sidecar(tmp_path):
    result = answer(texts("x"), f"select '{SECRET}' as email", mask=("p.email",), mask_with="redact")
    about = sidecar(result.to_csv(tmp_path / "o.csv", mask=["a"]))
    assert about["masked"] == {"p.email": "redact", "a": "hash"}
    assert SECRET not in str(about)
    assert "mask" not in about["parameters"]


def test_the_sql_of_a_question_that_names_nothing_masked_is_kept(tmp_path):
    about = sidecar(answer(PEOPLE).to_csv(tmp_path / "o.csv", mask=["p"]))
    assert (about["sql"], about["parameters"]["key"]) == ("select 'é'", {"pk": str(LONG)})


def test_a_malformed_mask_writes_nothing(tmp_path):
    with pytest.raises(ParameterError):
        answer(PEOPLE).to_csv(tmp_path / "o.csv", mask=["p."])
    assert list(tmp_path.iterdir()) == []


# --- every answer


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    log = tmp_path_factory.mktemp("log")
    key, at = {"pk": {"S": "p-1"}}, micros("2026-01-01T12:00:00") + 123_457
    first = key | {
        "n": {"N": str(LONG)},
        "s": {"S": ""},
        "m": {"M": {"x": {"N": "1"}}},
        "t": {"SS": ["a", "b"]},
        "l": {"L": [{"M": {"x": {"NULL": True}}}, {"S": "=1"}]},
        "b": {"B": "QVA4PQ=="},
    }
    second = key | {"n": {"S": "x"}, "m": {"M": {}}, "t": {"SS": ["b"]}, "l": {"L": []}, "f": {"BOOL": True}}
    states = [(at, first), (at + 61_000_001, second), (at + 10**10, None)]
    write_log(log / "2026" / "01" / "01" / "12", chain(key, states))
    wb = Workbench(log)
    return {
        "latest": wb.latest_state("things", as_of="2026-01-01T12:00:30Z"),
        "deleted": wb.latest_state("things", include_deleted=True),
        "changes": wb.changes("things"),
        "history": wb.item_history("things", {"pk": "p-1"}),
        "diff": wb.diff("things", "2026-01-01T12:00:30Z", "2026-01-01T12:02Z"),
        "quality": wb.data_quality("things"),
        **{
            by: wb.change_frequency("things", by=by)
            for by in ("event", "attribute", "key", "concentration", "interval")
        },
    }


def plain(value: object) -> object:
    """A value as JSON can have it."""
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, pd.Timestamp):
        return value.tz_convert("UTC").isoformat()
    if isinstance(value, pd.Timedelta):
        return Decimal(value // pd.Timedelta("1us")) / 1_000_000
    if isinstance(value, dict):
        return {name: plain(child) for name, child in value.items()}
    return "AP8=" if value == b"\x00\xff" else value


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize(
    "name",
    [
        "latest",
        "deleted",
        "changes",
        "history",
        "diff",
        "quality",
        "event",
        "attribute",
        "key",
        "concentration",
        "interval",
    ],
)
def test_every_answer_reads_back(answers, name, nested, tmp_path):
    result = answers[name]
    df = nest(result.df) if nested else result.df
    assert len(df), "there is something to write"
    for kind in KINDS:
        result.write(tmp_path / f"o.{kind}", nested=nested)
    rows = [
        [None if value is None or is_absent(value) else value for value in row]
        for row in zip(*(df[column].astype(object) for column in df), strict=True)
    ]

    assert list(pd.read_parquet(tmp_path / "o.parquet")) == list(df)
    relation = duckdb.sql(f"select * from '{tmp_path}/o.parquet'")
    assert (relation.columns, len(relation)) == (list(df), len(df))
    for column in df.select_dtypes(["datetimetz", "timedelta"]):
        pd.testing.assert_series_equal(pd.read_parquet(tmp_path / "o.parquet")[column], df[column], check_dtype=False)

    def given_back(row: dict) -> dict:
        return {key: each for key, each in row.items() if each is not None}

    assert [
        given_back(
            {
                key: pd.Timestamp(each).tz_convert("UTC").isoformat()
                if str(df[key].dtype).startswith("datetime")
                else each
                for key, each in row.items()
            }
        )
        for row in loaded(tmp_path / "o.json")
    ] == [{key: plain(each) for key, each in zip(df, row, strict=True) if each is not None} for row in rows]

    for read in (table(tmp_path / "o.csv"), sheet(tmp_path / "o.xlsx")):
        heading, *lines = read
        assert heading == list(df)
        for line, row in zip(lines, rows, strict=True):
            for cell, value in zip(line, row, strict=True):
                assert (cell in ("", None)) is (value is None or value == ""), (cell, value)
                if isinstance(value, Decimal):
                    assert Decimal(cell) == value
                if isinstance(value, pd.Timedelta):
                    assert Decimal(str(cell)) == plain(value)
                if isinstance(value, pd.Timestamp):
                    assert pd.to_datetime(cell, utc=True) == value


# --- in a notebook


def test_a_results_html_shows_markup_in_values_names_and_notes_as_text():
    evil = "<script>alert(1)</script>"
    df = objects(evil, [evil], {evil: evil}, frozenset({evil}), None, pd.NA).rename(columns={"a": evil})
    df.index = pd.Index([evil] * 6, name=evil)
    stats = Stats(rows=6, seconds=0.1, objects=1, bytes=10, notes=(evil,))
    html = Result(df, "", stats)._repr_html_()
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert html.count("<table") == html.count("</table>") == 1


def test_a_results_html_does_not_take_dollars_for_a_formula():
    assert "mathjax_ignore" in answer(texts("from $5 to $6"))._repr_html_()


# --- what Excel and Athena would read otherwise


FORMULAS = ["=1+1", "+1+1", "-1+cmd", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "=cmd|' /C calc'!A0"]


def test_csv_for_excel_runs_nothing_is_marked_as_utf_8_and_keeps_numbers(tmp_path):
    df = pd.DataFrame({"=name": [*FORMULAS, "a=b", "-5", "+1.5e3", "", "ü"], "n": range(-7, 7)})
    path = writers.write(df, tmp_path / "a.csv", excel=True)
    raw = path.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    read = pd.read_csv(path, encoding="utf-8-sig", keep_default_na=False, dtype=str)
    assert list(read.columns) == ["'=name", "n"]
    assert read["'=name"].to_list() == ["'" + text for text in FORMULAS] + ["a=b", "-5", "+1.5e3", "", "ü"]
    assert read["n"].astype(int).to_list() == list(range(-7, 7))


def test_csv_that_is_not_for_excel_is_exact(tmp_path):
    path = writers.write(pd.DataFrame({"=name": FORMULAS}), tmp_path / "a.csv")
    assert path.read_bytes().startswith(b'"=name"')
    with path.open(newline="", encoding="utf-8") as file:
        assert [row[0] for row in csv.reader(file)][1:] == FORMULAS


@pytest.mark.parametrize("kind", ["xlsx", "json", "parquet"])
def test_excel_is_an_option_of_csv_only(tmp_path, kind):
    with pytest.raises(ExportError, match="excel is for CSV"):
        writers.write(pd.DataFrame({"a": [1]}), tmp_path / f"a.{kind}", excel=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(("columns", "fits"), [(16_384, True), (16_385, False)])
def test_a_sheet_has_no_more_columns_than_excel_opens(tmp_path, columns, fits):
    df = pd.DataFrame([[1] * columns], columns=[f"c{n}" for n in range(columns)])
    if fits:
        assert writers.write(df, tmp_path / "a.xlsx").is_file()
        return
    with pytest.raises(ExportError, match=r"16,385 columns do not fit an Excel sheet \(16,384\)"):
        writers.write(df, tmp_path / "a.xlsx")
    assert not list(tmp_path.iterdir())


def test_columns_that_athena_takes_for_one_are_said_and_written(tmp_path):
    df = pd.DataFrame({"pk": ["a"], "Email": ["x"], "email": ["y"], "p.A": [1], "p.a": [2]})
    with pytest.warns(UserWarning, match="are one to readers") as warned:
        path = writers.write(df, tmp_path / "a.parquet", meta={"notes": ["before"]})
    assert len(warned) == 2
    about = json.loads(Path(f"{path}.meta.json").read_text())
    assert [note.split(" are one")[0] for note in about["notes"]] == [
        "before",
        "the columns Email and email",
        "the columns p.A and p.a",
    ]
    assert pq.read_table(path).column_names == list(df.columns)
    writers.write(df, tmp_path / "a.csv")  # said of Parquet only
    writers.write(df[["pk", "Email"]], tmp_path / "b.parquet")


def test_the_command_line_says_so_too_and_writes_csv_for_excel(tmp_path, monkeypatch):

    image = {"pk": {"S": "a"}, "Email": {"S": "=1"}, "email": {"S": "y"}}
    write_log(tmp_path / "log", chain({"pk": {"S": "a"}}, [(micros("2026-11-01T10:00:00"), image)]))
    monkeypatch.chdir(tmp_path)
    ran = CliRunner().invoke(main, ["latest", "things", "--from", "log", "--out", "a.parquet"])
    assert "note: the columns Email and email are one" in ran.stderr
    assert (
        CliRunner().invoke(main, ["latest", "things", "--from", "log", "--out", "a.csv", "--excel-csv"]).exit_code == 0
    )
    assert '"\'=1"' in Path("a.csv").read_text(encoding="utf-8-sig")
