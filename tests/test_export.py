"""Every file read back holds what was written."""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from itertools import count
from pathlib import Path

import duckdb
import numpy as np
import openpyxl
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.utils.escape import unescape

from workbench import export
from workbench.attributes import frame
from workbench.errors import ExportError
from workbench.result import Result, Stats

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
    return lambda df, kind: export.write(df, tmp_path / f"{next(numbers)}.{kind}")


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
@settings(max_examples=25)
def test_no_decimal_of_any_scale_is_ever_rounded(tmp_path_factory, values):
    folder, df = tmp_path_factory.mktemp("out"), objects(*values)
    read = {
        "parquet": parquet,
        "csv": lambda path: [row[0] for row in table(path)][1:],
        "json": lambda path: [row["a"] for row in loaded(path)],
        "xlsx": lambda path: [repr(row[0]) if isinstance(row[0], float) else row[0] for row in sheet(path)][1:],
    }
    for kind in KINDS:
        assert [Decimal(value) for value in read[kind](export.write(df, folder / f"o.{kind}"))] == values, kind


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
@settings(max_examples=25)
def test_floats_come_back_to_the_last_bit(tmp_path_factory, values):
    folder, df = tmp_path_factory.mktemp("out"), pd.DataFrame({"a": values})
    assert parquet(export.write(df, folder / "o.parquet")) == values
    assert [float(each) for each in lines(export.write(df, folder / "o.csv"))[1:-1]] == values
    assert [row["a"] for row in json.loads(export.write(df, folder / "o.json").read_text())] == values
    assert [row[0] for row in sheet(export.write(df, folder / "o.xlsx"))][1:] == values


# --- times


def test_times_are_utc_and_keep_their_microseconds(write):
    df = pd.DataFrame(
        {"a": pd.Series([MICROS, pd.NaT]).dt.tz_convert("Europe/Berlin").astype("datetime64[us, Europe/Berlin]")}
    )
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
@settings(max_examples=25)
def test_any_text_comes_back_from_every_format(tmp_path_factory, values):
    folder, df = tmp_path_factory.mktemp("out"), texts(*values)
    assert parquet(export.write(df, folder / "o.parquet")) == values
    assert [row["a"] for row in loaded(export.write(df, folder / "o.json"))] == values
    assert [row[0] for row in table(export.write(df, folder / "o.csv"))][1:] == values
    assert [unescape(row[0]) for row in sheet(export.write(df, folder / "o.xlsx"))][1:] == values


def test_a_text_longer_than_an_excel_cell_is_refused_and_never_cut(write, tmp_path):
    assert len(sheet(write(texts("x" * 32_767), "xlsx"))[1][0]) == 32_767
    for long in ("x" * 32_768, "\x01" * 10_000):
        with pytest.raises(ExportError, match=r"does not fit an Excel cell: write \.parquet or \.csv"):
            export.write(texts(long), tmp_path / "long.xlsx")


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
    assert json.loads(export.to_json(pd.DataFrame())) == json.loads(export.to_json(frame([], keys=["pk"]))) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_is_never_overwritten_unless_told(tmp_path, kind):
    path = export.write(texts("old"), tmp_path / f"o.{kind}")
    before = path.read_bytes()
    with pytest.raises(ExportError, match="exists already: choose another name or overwrite it"):
        export.write(texts("new"), path)
    assert path.read_bytes() == before
    export.write(texts("new"), path, overwrite=True)
    assert path.read_bytes() != before


@pytest.mark.parametrize("kind", KINDS)
def test_a_failure_leaves_the_old_file_and_no_half_one(tmp_path, kind, monkeypatch):
    path = export.write(texts("old"), tmp_path / f"o.{kind}")
    before = path.read_bytes()

    def half(df, part):
        part.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(export._WRITERS, kind, half)
    with pytest.raises(ExportError, match="could not be written: No space left on device"):
        export.write(texts("new"), path, overwrite=True)
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (before, [path])


def test_missing_folders_are_made_and_an_ending_in_capitals_is_understood(tmp_path):
    assert export.write(texts("x"), tmp_path / "new" / "folder" / "o.CSV").read_text() == '"a"\n"x"\n'


@pytest.mark.parametrize("name", ["o.txt", "o", "o.parquet.gz"])
def test_an_unknown_ending_is_refused_with_those_there_are(tmp_path, name):
    with pytest.raises(ExportError, match=r"cannot write .*use one of \.parquet, \.csv, \.xlsx, \.json"):
        export.write(texts("x"), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_way_is_an_error_of_one_line(tmp_path):
    (tmp_path / "o.csv").mkdir()
    with pytest.raises(ExportError, match=r"o\.csv could not be written"):
        export.write(texts("x"), tmp_path / "o.csv", overwrite=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="could not be written"):
        export.write(texts("x"), tmp_path / "file" / "o.csv")


def test_an_address_of_a_bucket_is_not_taken_for_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ExportError, match=r"s3://bucket/o\.csv"):
        export.write(texts("x"), "s3://bucket/o.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_result_writes_itself_in_each_format(tmp_path):
    result = Result(texts("x"), "select 1", Stats(rows=1, seconds=0.1, objects=1, bytes=10))
    for kind, method in zip(KINDS, (result.to_parquet, result.to_csv, result.to_excel, result.to_json), strict=True):
        assert method(tmp_path / f"o.{kind}") == tmp_path / f"o.{kind}"
        with pytest.raises(ExportError, match="exists already"):
            method(tmp_path / f"o.{kind}")
        method(tmp_path / f"o.{kind}", overwrite=True)
    assert result.to_json(tmp_path / "named.txt").read_text() == '[{"a":"x"}]\n'
