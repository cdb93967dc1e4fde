"""DynamoDB JSON ↔ Python and pandas."""

from __future__ import annotations

import base64
import json
import traceback
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import ParameterError, RecordRefused
from workbench.model.attribute_paths import RESERVED, column_name, column_path
from workbench.model.attributes import frame, to_images
from workbench.model.canonical import binary_once
from workbench.model.items import from_dynamodb, to_dynamodb
from workbench.model.records import canonical_json

numbers = st.one_of(
    st.integers(-(10**38) + 1, 10**38 - 1),
    st.builds(
        lambda sign, digits, exponent: Decimal((sign, tuple(digits), exponent)),
        st.integers(0, 1),
        st.lists(st.integers(0, 9), min_size=1, max_size=38),
        st.integers(-130, 80),
    ),
)
texts = st.text(max_size=6)
scalars = st.one_of(texts, numbers, st.binary(max_size=6), st.booleans(), st.none())
sets = st.one_of(st.frozensets(each, min_size=1, max_size=3) for each in (texts, numbers, st.binary(max_size=3)))
names = st.one_of(
    texts.filter(bool), st.sampled_from(["a", "b", "a.b", 'say "hi"', "two words", "日本", '"', ".", '"."', *RESERVED])
)
values = st.recursive(
    scalars | sets, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=8
)
items = st.dictionaries(names, values, max_size=5)


def text(item: dict) -> str:
    return canonical_json(to_dynamodb(item))


def read(*found: dict, **options) -> pd.DataFrame:
    """A frame of DynamoDB JSON images."""
    return frame([json.dumps(image) for image in found], **options)


def column(*written: str, **options) -> pd.Series:
    """The column that these numbers make."""
    return read(*({"n": {"N": number}} for number in written), **options)["n"]


# --- Python


@given(items)
def test_an_item_of_any_types_and_depth_comes_back_from_dynamodb_json(item):
    assert from_dynamodb(to_dynamodb(item)) == item


@given(items)
def test_boto3_reads_what_we_write_as_what_we_read(item):
    judge, image = TypeDeserializer(), to_dynamodb(item)
    assert _plain({name: judge.deserialize(_for_boto3(value)) for name, value in image.items()}) == from_dynamodb(image)


@given(items)
def test_we_read_what_boto3_writes(item):
    written = TypeSerializer().serialize(_for_serializer(item))["M"]
    assert from_dynamodb(_from_boto3({"M": written})["M"]) == item


def _for_boto3(value):
    """Binary is bytes on boto3's side of the wire."""
    ((kind, inner),) = value.items()
    if kind == "M":
        return {"M": {name: _for_boto3(child) for name, child in inner.items()}}
    if kind == "L":
        return {"L": [_for_boto3(child) for child in inner]}
    decode = {"B": base64.b64decode, "BS": lambda each: [*map(base64.b64decode, each)]}.get(kind, lambda each: each)
    return {kind: decode(inner)}


def _from_boto3(value):
    ((kind, inner),) = value.items()
    if kind == "M":
        return {"M": {name: _from_boto3(child) for name, child in inner.items()}}
    if kind == "L":
        return {"L": [_from_boto3(child) for child in inner]}
    if kind == "B":
        return {"B": base64.b64encode(bytes(inner)).decode()}
    return {kind: [base64.b64encode(bytes(each)).decode() for each in inner]} if kind == "BS" else value


def _plain(value):
    if isinstance(value, Binary):
        return value.value
    if isinstance(value, dict):
        return {name: _plain(child) for name, child in value.items()}
    if isinstance(value, list):
        return [_plain(child) for child in value]
    return frozenset(map(_plain, value)) if isinstance(value, set) else value


def _for_serializer(value):
    if isinstance(value, dict):
        return {name: _for_serializer(child) for name, child in value.items()}
    return [_for_serializer(child) for child in value] if isinstance(value, list) else value


def test_an_integer_is_an_int_and_every_other_number_a_decimal_with_all_its_digits():
    read_back = from_dynamodb({"i": {"N": "1E+2"}, "d": {"N": "0.10"}, "long": {"N": "9" * 38}, "big": {"N": "1E+125"}})
    assert read_back == {"i": 100, "d": Decimal("0.1"), "long": int("9" * 38), "big": Decimal("1E+125")}
    assert [type(value) for value in read_back.values()] == [int, Decimal, int, Decimal]


def test_numpy_scalars_floats_and_arrays_are_written_as_the_numbers_they_show():
    item = {
        "f": 0.1,
        "f32": np.float32(0.5),
        "i": np.int64(-3),
        "b": np.bool_(True),
        "a": np.array([1, 2]),
        "t": (1, "x"),
    }
    assert to_dynamodb(item) == {
        "f": {"N": "0.1"},
        "f32": {"N": "0.5"},
        "i": {"N": "-3"},
        "b": {"BOOL": True},
        "a": {"L": [{"N": "1"}, {"N": "2"}]},
        "t": {"L": [{"N": "1"}, {"S": "x"}]},
    }


def test_a_set_never_holds_one_number_twice():
    assert to_dynamodb({"s": {0.1, Decimal("0.1"), Decimal("0.10")}}) == {"s": {"NS": ["0.1"]}}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (float("nan"), "not a number DynamoDB can store"),
        (float("inf"), "not a number DynamoDB can store"),
        (Decimal("-Infinity"), "not a number DynamoDB can store"),
        (10**38 + 1, "more than 38 digits"),
        (Decimal("1." + "1" * 38), "more than 38 digits"),
        (Decimal("1E+126"), "outside DynamoDB's range"),
        (Decimal("1E-131"), "outside DynamoDB's range"),
        (Decimal("1E+9999999"), "outside DynamoDB's range"),
        (10**5_000, "outside DynamoDB's range"),
        (set(), "at least one member"),
        ({1, "a"}, "only texts, only numbers or only bytes"),
        ({True}, "only texts, only numbers or only bytes"),
        ({None}, "only texts, only numbers or only bytes"),
        (pd.Timestamp("2026-01-01"), "a Timestamp cannot be stored"),
        ([{"deep": object()}], "attribute 'deep': a object cannot be stored"),
        ({1: "x"}, "attribute name 1 is a int, not a text"),
    ],
    ids=lambda each: str(type(each).__name__),
)
def test_what_dynamodb_cannot_hold_is_refused_by_name(value, reason):
    with pytest.raises(ParameterError, match="attribute 'v': ") as refused:
        to_dynamodb({"v": value})
    assert reason in str(refused.value)
    assert len(str(refused.value)) < 300


WRONG = [
    ({"v": "plain"}, "attribute 'v': not DynamoDB JSON"),
    ({"v": {}}, "attribute 'v': not DynamoDB JSON"),
    ({"v": {"S": "a", "N": "1"}}, "attribute 'v': not DynamoDB JSON"),
    ({"v": {"X": "a"}}, "unknown type 'X'"),
    ({"v": {"N": 5}}, "N holds a int"),
    ({"v": {"N": "five"}}, "not a number"),
    ({"v": {"N": "0x10"}}, "not a number"),
    ({"v": {"B": "%%%"}}, "base64"),
    ({"v": {"SS": ["a", 1]}}, "SS holds something that is no text"),
    ({"v": {"SS": [["a"]]}}, "SS holds something that is no text"),
    ({"v": {"NS": [1]}}, "NS holds something that is no text"),
    ({"v": {"BS": ["%"]}}, "base64"),
    ({"v": {"BOOL": "true"}}, "BOOL holds a str"),
    ({"v": {"M": []}}, "M holds a list"),
    ({"v": {"M": {"w": 1}}}, "attribute 'v': attribute 'w'"),
    ({"v": {"L": [{"X": 1}]}}, "unknown type 'X'"),
    ({"v": {"L": [{"S": 1}]}}, "S holds a int"),
]


@pytest.mark.parametrize(("image", "reason"), WRONG, ids=str)
def test_an_image_of_wrong_shape_is_refused_with_the_reason(image, reason):
    with pytest.raises(RecordRefused, match=reason):
        from_dynamodb(image)


@pytest.mark.parametrize("image", [image for image, _ in WRONG] + [["a"], "a", 1, None], ids=str)
def test_a_frame_of_a_wrong_image_is_refused_whatever_stands_beside_it(image):
    for others in ([], [{"v": {"S": "good"}}], [{"v": {"N": "1"}}, {"v": {"N": "2"}}]):
        with pytest.raises(RecordRefused):
            read(*others, image)


def test_a_text_that_is_no_json_is_refused_and_not_shown():
    secret = "ann@example.com"
    with pytest.raises(RecordRefused, match="image 2 is not DynamoDB JSON") as error:
        frame(['{"v":{"S":"fine"}}', f'{{"v":{{"S":"{secret}"'])
    assert secret not in "".join(traceback.format_exception(error.value))


def _encoded_again(value, name=""):
    """A value with its binary encoded once more, as Kinesis has it."""
    if name == "B" and isinstance(value, str):
        return base64.b64encode(value.encode()).decode()
    if isinstance(value, list):
        return [_encoded_again(each, "B" if name == "BS" else "") for each in value]
    return {each: _encoded_again(inner, each) for each, inner in value.items()} if isinstance(value, dict) else value


@given(items, st.sampled_from([(",", ":"), (", ", ": ")]))
def test_binary_that_is_encoded_twice_comes_out_encoded_once_and_all_else_as_it_was(item, separators):
    twice = _encoded_again(image := to_dynamodb(item))
    assert json.loads(binary_once(json.dumps(twice, separators=separators))) == image
    assert json.loads(binary_once(json.dumps({"B": {"S": '{"B":"AQ=="}'}, "BS": {"M": twice}}))) == {
        "B": {"S": '{"B":"AQ=="}'},
        "BS": {"M": image},
    }


def test_what_stands_beside_binary_is_not_looked_for_in_texts():
    image = r'{"a":{"S":"{\"B\":\"QVE9PQ==\"}"},"B":{"S":"x{"},"b":{"B":"QVE9PQ==","S":null}}'
    assert json.loads(binary_once(image))["b"] == {"B": "AQ=="}
    assert json.loads(binary_once(image))["a"] == json.loads(image)["a"]


# --- frames


@given(st.lists(items, max_size=5), st.sampled_from([(), ("a",), ("b", "a")]))
def test_a_frame_of_any_items_gives_the_items_back(several, keys):
    df = frame([text(item) for item in several], keys=keys)
    assert len(df) == len(several)
    assert [from_dynamodb(image) for image in to_images(df)] == several
    assert [canonical_json(image) for image in to_images(df)] == [text(item) for item in several]


@given(st.lists(items, min_size=1, max_size=4))
def test_a_frame_of_decimals_gives_the_items_back_too(several):
    df = frame([text(item) for item in several], numbers="decimal")
    assert [from_dynamodb(image) for image in to_images(df)] == several


@given(
    st.lists(
        st.fixed_dictionaries({}, optional={"a": st.sampled_from(["", None, "x", 0, False, {}, [], {"": 1}])}),
        max_size=6,
    )
)
def test_what_is_missing_null_empty_and_false_stay_apart_in_any_mixture(several):
    assert [from_dynamodb(image) for image in to_images(frame([text(item) for item in several]))] == several


def test_missing_null_and_empty_text_look_different_in_a_cell():
    df = read({"a": {"S": ""}}, {"a": {"NULL": True}}, {})
    assert df["a"][0] == ""
    assert df["a"][1] is None
    assert df["a"][2] is pd.NA


def test_a_map_becomes_dotted_columns_and_an_attribute_with_a_dot_in_its_name_does_not_meet_it():
    df = read({"a": {"M": {"b": {"S": "in the map"}, "c.d": {"S": "dot"}}}, "a.b": {"S": "beside it"}})
    assert df.to_dict("records") == [{"a.b": "in the map", 'a."c.d"': "dot", '"a.b"': "beside it"}]


def test_an_attribute_that_is_a_map_here_and_a_text_there_has_a_column_for_either():
    df = read({"a": {"S": "x"}}, {"a": {"M": {"b": {"N": "1"}}}}, {"a": {"M": {}}})
    assert list(df.columns) == ["a", "a.b"]
    assert (df["a"][0], df["a"][1], df["a"][2]) == ("x", pd.NA, {})
    assert df["a.b"].isna().tolist() == [True, False, True]


def test_an_attribute_that_is_a_text_here_and_a_number_there_keeps_each_in_its_type():
    df = read({"a": {"S": "1"}}, {"a": {"N": "1"}}, {"a": {"N": "1.50"}}, {"a": {"SS": ["x"]}}, {"a": {"B": "AQI="}})
    assert df["a"].tolist() == ["1", 1, Decimal("1.5"), {"x"}, b"\x01\x02"]
    assert [type(value) for value in df["a"]] == [str, int, Decimal, frozenset, bytes]


def test_an_attribute_called_like_a_column_of_ours_is_quoted_and_comes_back():
    df = read({"_changed_at": {"S": "mine"}})
    assert list(df.columns) == ['"_changed_at"']
    df["_changed_at"] = pd.Timestamp("2026-01-01", tz="UTC")
    assert to_images(df) == [{"_changed_at": {"S": "mine"}}]


def test_keys_come_first_and_are_there_without_a_row_or_a_value():
    assert list(frame([], keys=["pk", "sk"]).columns) == ["pk", "sk"]
    assert list(read({"b": {"S": ""}, "sk": {"S": ""}, "a": {"S": ""}}, keys=["sk"]).columns) == ["sk", "a", "b"]
    df = read({"a": {"S": "x"}}, keys=["pk"])
    assert (list(df.columns), df["pk"].isna().tolist()) == (["pk", "a"], [True])
    assert list(frame([], keys=["a.b"]).columns) == ['"a.b"']


def test_items_without_an_attribute_are_rows_nevertheless():
    df = read({}, {})
    assert df.shape == (2, 0)
    assert to_images(df) == [{}, {}]


def test_each_type_has_its_dtype():
    df = read(
        {
            "s": {"S": "x"},
            "n": {"N": "1"},
            "f": {"N": "1.5"},
            "bool": {"BOOL": True},
            "b": {"B": "AQ=="},
            "null": {"NULL": True},
            "l": {"L": [{"S": "x"}]},
            "ss": {"SS": ["x"]},
            "m": {"M": {}},
        }
    )
    assert {name: str(dtype) for name, dtype in df.dtypes.items()} == {
        "s": "string",
        "n": "Int64",
        "f": "float64",
        "bool": "boolean",
        "b": "object",
        "null": "object",
        "l": "object",
        "ss": "object",
        "m": "object",
    }


def test_dtypes_do_not_depend_on_what_is_missing():
    full = {"s": {"S": "x"}, "n": {"N": "1"}, "f": {"N": "1.5"}, "bool": {"BOOL": True}}
    assert read(full, {}).dtypes.to_dict() == read(full).dtypes.to_dict()
    assert read({}, full)["n"].tolist() == [pd.NA, 1]


def test_lists_of_one_length_stay_one_list_a_cell():
    df = read({"l": {"L": [{"N": "1"}, {"N": "2"}]}}, {"l": {"L": [{"N": "3"}, {"N": "4"}]}})
    assert df["l"].tolist() == [[1, 2], [3, 4]]


# --- numbers


@pytest.mark.parametrize(
    ("written", "dtype"),
    [
        (["1", "-5", "100"], "Int64"),
        (["1.0", "1E+2"], "Int64"),
        ([str(2**63 - 1), str(-(2**63))], "Int64"),
        ([str(2**63 - 1), str(-(2**63)), "1.0"], "Int64"),
        ([str(2**63)], "object"),
        ([str(-(2**63) - 1)], "object"),
        ([str(2**63), "1.5"], "object"),
        (["0.1", "0.2", "3"], "float64"),
        (["1E+22", "1.5"], "float64"),
        (["1E-130"], "float64"),
        (["0.1234567890123456789"], "object"),
        (["1" * 38], "object"),
        (["0.1", "0." + "3" * 17], "object"),
        ([str(2**53 + 1), "0.5"], "object"),
    ],
)
def test_a_column_is_the_narrowest_that_holds_every_number_exactly(written, dtype):
    numbers = column(*written)
    assert str(numbers.dtype) == dtype
    assert [Decimal(repr(value)) if isinstance(value, float) else Decimal(value) for value in numbers.tolist()] == [
        Decimal(each) for each in written
    ]
    if dtype == "object":
        assert {type(value) for value in numbers} == {Decimal}


@given(st.lists(numbers, min_size=1, max_size=6))
def test_no_number_is_ever_rounded(several):
    written = column(*(to_dynamodb({"n": number})["n"]["N"] for number in several))
    exact = [Decimal(repr(value)) if isinstance(value, float) else Decimal(value) for value in written.tolist()]
    assert exact == [Decimal(number) for number in several]
    if all(number == int(number) and -(2**63) <= number < 2**63 for number in several):
        assert written.dtype == "Int64"


def test_decimals_can_be_asked_for():
    assert column("1", "2.50", numbers="decimal").tolist() == [Decimal(1), Decimal("2.5")]
    mixed = read({"n": {"N": "1"}}, {"n": {"S": "x"}}, numbers="decimal")["n"]
    assert [type(value) for value in mixed] == [Decimal, str]


# --- column names


@given(st.lists(st.text(max_size=5) | names, min_size=1, max_size=4))
def test_a_column_name_can_be_split_into_the_path_it_was_made_from(path):
    assert column_path(column_name(path)) == tuple(path)


@given(
    st.lists(
        st.lists(st.text('a."_ \n', max_size=3), min_size=1, max_size=3).map(tuple), min_size=2, max_size=2, unique=True
    )
)
def test_two_paths_never_share_a_column_name(paths):
    assert column_name(paths[0]) != column_name(paths[1])


@pytest.mark.parametrize("name", ["", ".", "a.", ".a", "a..b", 'a"b', '"a', '"a"b', '"a"."', 'a."b', '"a"\n'])
def test_a_name_that_is_no_path_is_refused_with_advice(name):
    with pytest.raises(ParameterError, match="is no attribute path: quote"):
        column_path(name)
