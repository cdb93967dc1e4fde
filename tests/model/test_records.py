"""Change record → canonical change."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
import traceback
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers import SHARED
from tests.helpers.logs import record
from workbench import errors
from workbench.errors import RecordRefused
from workbench.model import canonical, records
from workbench.model.records import (
    COLUMNS,
    canonical_change,
    canonical_json,
    canonical_keys,
    canonical_number,
    canonical_time,
    parse_objects,
)

KEY = {"pk": {"S": "x"}}
A = KEY | {"v": {"N": "1"}}
B = KEY | {"v": {"N": "2"}}
AT = 1_760_000_000_123_456


@pytest.fixture(scope="module")
def published() -> list[dict]:
    if not SHARED.is_dir():
        pytest.skip("../shared is not here")
    return [json.loads(line) for line in (SHARED / "data" / "records.jsonl").read_text("utf-8").splitlines()]


# --- published records


def test_every_published_record_is_read_and_loses_nothing_but_the_second_encoding(published):
    for row in published:
        change, raw = canonical_change(row), row["dynamodb"]
        assert tuple(change) == COLUMNS
        assert (change["event_id"], change["event_name"], change["table_name"]) == (
            row["eventID"],
            row["eventName"],
            row["tableName"],
        )
        assert json.loads(change["keys"]) == raw["Keys"]
        assert change["size_bytes"] == raw["SizeBytes"]
        assert change["by_ttl"] is False
        for ours, theirs in (("new_image", "NewImage"), ("old_image", "OldImage")):
            image = change[ours] and json.loads(change[ours])
            assert (image and image.keys()) == (raw.get(theirs) and raw[theirs].keys())


def test_twice_encoded_binary_of_a_published_record_is_decoded_once(published):
    image = json.loads(canonical_change(published[0])["new_image"])
    assert base64.b64decode(image["binary"]["B"]) == bytes.fromhex("d77db5")
    assert {base64.b64decode(each) for each in image["binary set"]["BS"]} == {
        base64.b64decode(base64.b64decode(each)) for each in ("MTMyMQ==", "MTQzMQ==")
    }


def test_published_times_are_told_apart_record_by_record(published):
    times = [canonical_change(row)["ts"] for row in published]
    assert times[0] == "2024-06-25 20:38:10.250647", "microseconds, with the field"
    assert times[1] == "2022-08-15 21:29:11.097000", "milliseconds, without it"
    assert times[4] == "2024-07-15 02:39:25.891550"


def test_the_published_object_without_newlines_gives_both_its_records():
    if not SHARED.is_dir():
        pytest.skip("../shared is not here")
    text = (SHARED / "data" / "concatenated-no-newline.json").read_text("utf-8")
    changes = [canonical_change(value) for value in parse_objects(text)]
    assert [change["ts"] for change in changes] == ["2022-04-19 04:09:53.131000", "2022-04-19 04:10:52.389000"]
    assert len({change["keys"] for change in changes}) == 2


# --- time


@given(st.datetimes(min_value=datetime(2012, 1, 1), max_value=datetime(2199, 12, 31)))
def test_seconds_milliseconds_and_microseconds_are_the_same_moment(moment):
    micros = (moment - datetime(1970, 1, 1)) // timedelta(microseconds=1)
    for unit, precisions in ((1, ("MICROSECOND", None)), (1_000, ("MILLISECOND", None)), (1_000_000, (None,))):
        for precision in precisions:
            floor = datetime(1970, 1, 1) + timedelta(microseconds=micros // unit * unit)
            assert canonical_time(micros // unit, precision) == floor.isoformat(" ", "microseconds")


def test_the_field_wins_over_the_number_of_digits():
    assert canonical_time(5_000, "MILLISECOND") == "1970-01-01 00:00:05.000000"
    assert canonical_time(5_000, "MICROSECOND") == "1970-01-01 00:00:00.005000"


def test_a_time_with_a_fraction_or_written_as_text_keeps_its_microseconds():
    assert canonical_time(Decimal("1719347890250.647")) == "2024-06-25 20:38:10.250647"
    assert canonical_time("1719347890250647") == "2024-06-25 20:38:10.250647"


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        "soon",
        "",
        "9" * 5_000,
        [1],
        {},
        float("nan"),
        float("inf"),
        10**30,
        -(10**30),
        Decimal("1e999999999"),
    ],
    ids=repr,
)
def test_what_is_no_time_is_refused_and_never_crashes(value):
    with pytest.raises(RecordRefused, match="ApproximateCreationDateTime"):
        canonical_time(value)


# --- refusals


def changed(**replaced) -> dict:
    row = record("MODIFY", KEY, AT, new=B, old=A, event_id="e-1")
    inner = row["dynamodb"] | {name: value for name, value in replaced.items() if name[0].isupper()}
    return row | {"dynamodb": inner} | {name: value for name, value in replaced.items() if not name[0].isupper()}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ([1], "a JSON list, not an object"),
        (None, "a JSON NoneType, not an object"),
        ("text", "a JSON str, not an object"),
        ({}, "no 'dynamodb' object"),
        (changed(dynamodb=None), "no 'dynamodb' object"),
        (changed(Keys=None), "no 'Keys' object"),
        (changed(Keys={}), "the keys are not one or two attributes"),
        (changed(Keys={name: {"S": ""} for name in "abc"}), "the keys are not one or two attributes"),
        (changed(Keys={"pk": {"BOOL": True}}), "key 'pk' is not of type S, N or B"),
        (changed(Keys={"pk": "x"}), "key 'pk' is not of type S, N or B"),
        (changed(eventID=None), "no 'eventID'"),
        (changed(eventID=""), "no 'eventID'"),
        (changed(eventID=True), "no 'eventID'"),
        (changed(eventID="\ud800"), "not valid Unicode"),
        (changed(tableName=None), "no 'tableName'"),
        (changed(eventName="UPSERT"), "eventName is a str, not one of INSERT, MODIFY, REMOVE"),
        (changed(eventName=["INSERT"]), "eventName is a list, not one of"),
        (changed(eventName="REMOVE"), "REMOVE with a new image"),
        (changed(eventName="INSERT"), "INSERT with an old image"),
        (changed(NewImage=None), "MODIFY without a new image"),
        (changed(ApproximateCreationDateTime="noon"), "ApproximateCreationDateTime is a str, not a number"),
        (changed(NewImage="x"), "not an object of attributes"),
        (changed(NewImage={"v": "plain"}), "attribute 'v': not DynamoDB JSON"),
        (changed(NewImage={"v": {"S": "a", "N": "1"}}), "attribute 'v': not DynamoDB JSON"),
        (changed(NewImage={"v": {"X": "a"}}), "attribute 'v': unknown type 'X'"),
        (changed(NewImage={"v": {"S": 1}}), "attribute 'v': S holds a int"),
        (changed(NewImage={"v": {"N": "1,5"}}), "attribute 'v': N is not a number"),
        (changed(NewImage={"v": {"N": "NaN"}}), "attribute 'v': N is not a number"),
        (changed(NewImage={"v": {"B": "%"}}), "attribute 'v': B is not base64"),
        (changed(NewImage={"v": {"SS": [1]}}), "attribute 'v': SS holds something that is no text"),
        (changed(NewImage={"v": {"NS": ["one"]}}), "attribute 'v': N is not a number"),
        (changed(NewImage={"m": {"M": {"v": {"S": None}}}}), "attribute 'm': attribute 'v': S holds a NoneType"),
        (changed(NewImage={"v": {"S": "\ud800"}}), "not valid Unicode"),
    ],
)
def test_what_is_no_change_record_is_refused_with_the_reason(row, reason):
    with pytest.raises(RecordRefused, match=reason):
        canonical_change(row)


def test_an_image_nested_beyond_what_can_be_read_is_refused_and_does_not_crash():
    image: dict = {"S": "deep"}
    for _ in range(2_000):
        image = {"M": {"a": image}}
    with pytest.raises(RecordRefused, match="nested too deeply"):
        canonical_json({"a": image})


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from([*COLUMNS, "dynamodb", "Keys", "NewImage", "eventName", "eventID", "S", "x"]), inner
            )
        ),
    )
)
def test_any_json_is_a_change_or_refused_and_nothing_else_happens(value):
    with suppress(RecordRefused):
        assert tuple(canonical_change(value)) == COLUMNS


def test_a_size_that_is_no_size_is_unknown_and_the_change_stands():
    for size in ("big", 10**30, -1, True, None):
        assert canonical_change(changed(SizeBytes=size))["size_bytes"] is None


def test_names_of_new_columns_and_fields_are_no_trouble():
    assert canonical_change(changed(somethingNew={"a": 1}))["event_id"] == "e-1"


# --- TTL


def test_a_removal_by_the_ttl_service_is_told_from_one_by_a_person():
    gone = record("REMOVE", KEY, AT, old=A)
    assert canonical_change(record("REMOVE", KEY, AT, old=A, ttl=True))["by_ttl"] is True
    assert canonical_change(gone)["by_ttl"] is False
    assert canonical_change(gone | {"userIdentity": {"type": "IAMUser", "principalId": "AIDA"}})["by_ttl"] is False
    assert (
        canonical_change(changed(userIdentity={"type": "Service", "principalId": records.TTL_PRINCIPAL}))["by_ttl"]
        is False
    )


def test_the_identity_of_dynamodb_streams_is_spelled_with_capitals_and_recognised():
    identity = {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}
    assert canonical_change(record("REMOVE", KEY, AT, old=A) | {"userIdentity": identity})["by_ttl"] is True


def test_a_record_of_dynamodb_streams_names_its_table_in_its_arn():
    row = changed() | {"eventSourceARN": "arn:aws:dynamodb:eu-west-1:1:table/orders/stream/2026-01-01T00:00:00.000"}
    del row["tableName"]
    assert canonical_change(row)["table_name"] == "orders"


# --- envelope

attribute_values = st.recursive(
    st.one_of(
        st.text().map(lambda text: {"S": text}),
        st.integers(-(10**20), 10**20).map(lambda number: {"N": str(number)}),
        st.binary(max_size=8).map(lambda raw: {"B": base64.b64encode(raw).decode()}),
        st.booleans().map(lambda flag: {"BOOL": flag}),
        st.just({"NULL": True}),
        st.sets(st.text(max_size=3), min_size=1).map(lambda texts: {"SS": list(texts)}),
        st.sets(st.integers(), min_size=1).map(lambda numbers: {"NS": [*map(str, numbers)]}),
    ),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda values: {"L": values})
        | st.dictionaries(st.text(max_size=3), inner, max_size=3).map(lambda values: {"M": values})
    ),
    max_leaves=6,
)
images = st.dictionaries(st.text(max_size=4), attribute_values, max_size=4).map(lambda image: KEY | image)


@given(images, images)
def test_a_change_read_again_as_an_envelope_comes_back_unchanged(new, old):
    change = canonical_change(record("MODIFY", KEY, AT, new=new, old=old))
    assert canonical_change(change) == change
    assert canonical_change(json.loads(json.dumps(change))) == change, "also through a file"


@pytest.mark.parametrize("row", [record("INSERT", KEY, AT, new=A), record("REMOVE", KEY, AT, old=A, ttl=True)])
def test_an_envelope_without_an_old_or_a_new_image_comes_back_unchanged(row):
    change = canonical_change(row)
    assert canonical_change(change) == change
    assert canonical_change({name: value for name, value in change.items() if value is not None}) == change


def test_the_time_of_an_envelope_is_read_in_any_spelling_and_zone():
    change = canonical_change(changed())
    for spelled in (
        "2025-10-09T08:53:20.123456Z",
        "2025-10-09 10:53:20.123456+02:00",
        "2025-10-09 08:53:20.123456",
        datetime(2025, 10, 9, 8, 53, 20, 123456, tzinfo=UTC),
        datetime(2025, 10, 9, 8, 53, 20, 123456),
    ):
        assert canonical_change(change | {"ts": spelled}) == change


@pytest.mark.parametrize("made", [int, str])
@pytest.mark.parametrize("number", [1_770_111_500_123, 1_770_111_500_123_000])
def test_digits_alone_are_an_instant_in_an_envelope_too_and_no_day_of_another_century(made, number):
    row = canonical_change(record("INSERT", {"pk": {"S": "a"}}, 1_770_111_500_123_000, new={"pk": {"S": "a"}}))
    assert canonical_change(row | {"ts": made(number)}) == row


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"ts": None}, "ts is missing, not a time"),
        ({"ts": "noon"}, "ts is a str, not a time"),
        ({"ts": "0001-01-01T00:00:00+14:00"}, "not a time"),
        ({"keys": None}, "keys is not JSON text"),
        ({"keys": 5}, "keys is not JSON text"),
        ({"keys": "{"}, "keys is not JSON: "),
        ({"keys": "[]"}, "the keys are not one or two attributes"),
        ({"new_image": 5}, "new_image is not JSON text"),
        ({"new_image": "{"}, "new_image is not JSON: "),
        ({"new_image": "[" * 100_000}, "new_image is not JSON: "),
        ({"new_image": '{"v":1}'}, "attribute 'v'"),
        ({"event_name": None}, "eventName is missing"),
        ({"event_id": None}, "no 'event_id'"),
        ({"table_name": ""}, "no 'table_name'"),
    ],
)
def test_an_envelope_that_is_wrong_is_refused_with_the_reason(wrong, reason):
    with pytest.raises(RecordRefused, match=reason):
        canonical_change(canonical_change(changed()) | wrong)


def test_an_envelope_written_by_others_gets_our_types():
    theirs = canonical_change(changed()) | {"event_id": 7, "size_bytes": "61", "by_ttl": "false", "extra": 1}
    change = canonical_change(theirs)
    assert (change["event_id"], change["size_bytes"], change["by_ttl"]) == ("7", None, False)
    assert tuple(change) == COLUMNS


# --- canonical numbers

numbers = st.builds(
    lambda sign, digits, exponent: Decimal((sign, digits, exponent)),
    st.integers(0, 1),
    st.lists(st.integers(0, 9), min_size=1, max_size=38).map(tuple),
    st.integers(-130, 125),
)


@st.composite
def spelled(draw) -> tuple[Decimal, str]:
    """A number, and one of the ways to write it."""
    number = draw(numbers)
    exponent = draw(st.integers(-180, 180))
    sign, digits, point = number.as_tuple()
    moved = f"{Decimal((sign, digits, point - exponent)):f}"
    text = moved + "0" * draw(st.integers(0, 3)) * ("." in moved)
    sign, text = ("-", text[1:]) if text.startswith("-") else ("", text)
    text = sign + "0" * draw(st.integers(0, 3)) + text
    return number, text + (f"{draw(st.sampled_from('eE'))}{exponent:+d}" if exponent else "")


@given(numbers)
def test_a_canonical_number_has_the_value_it_was_written_with(number):
    for text in (str(number), f"{number:f}", f"{number:e}"):
        assert Decimal(canonical_number(text)) == number


@given(spelled(), spelled())
def test_numbers_have_the_same_canonical_form_exactly_when_they_are_equal(one, other):
    (number, text), (_, other_text) = one, other
    assert canonical_number(text) == canonical_number(str(number))
    assert (canonical_number(text) == canonical_number(other_text)) == (Decimal(text) == Decimal(other_text))


@given(spelled())
def test_a_canonical_number_is_canonical_already(one):
    canonical = canonical_number(one[1])
    assert canonical_number(canonical) == canonical


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("9" * 38, "9" * 38),
        ("-" + "9" * 38, "-" + "9" * 38),
        ("1" + "0" * 37, "1" + "0" * 37),
        ("1e37", "1" + "0" * 37),
        ("1e38", "1E+38"),
        ("-0.0", "0"),
        ("0e5", "0"),
        (".5", "0.5"),
        ("5.", "5"),
        ("00012.50", "12.5"),
        ("0." + "0" * 37 + "1", "0." + "0" * 37 + "1"),
        ("1e-39", "1E-39"),
        ("9.9E+125", "9.9E+125"),
        ("-1E-130", "-1E-130"),
    ],
)
def test_the_edges_of_a_number_are_spelled_as_expected(text, canonical):
    assert canonical_number(text) == canonical


@pytest.mark.parametrize(
    "text", ["", "-", ".", "E5", "1e", "1_0", " 1", "1\n", "--1", "0x10", "Infinity", "١", "1e9999999"]
)
def test_what_is_no_number_is_refused(text):
    with pytest.raises(RecordRefused, match="is not a number"):
        canonical_number(text)


# --- canonical JSON


def reordered(value, draw):
    """The same value, written in another order and with its numbers spelled otherwise."""
    ((kind, inner),) = value.items()
    if kind == "M":
        names = draw(st.permutations(list(inner)))
        return {"M": {name: reordered(inner[name], draw) for name in names}}
    if kind == "L":
        return {"L": [reordered(element, draw) for element in inner]}
    if kind in ("SS", "NS"):
        elements = [*draw(st.permutations(inner)), inner[0]]
        return {kind: [other_spelling(each) for each in elements] if kind == "NS" else elements}
    return {"N": other_spelling(inner)} if kind == "N" else value


def other_spelling(number: str) -> str:
    return f"{number}0e-1" if number != "0" else "-0.00"


@given(images, st.data())
def test_the_order_of_names_and_sets_and_the_spelling_of_numbers_make_no_difference(image, data):
    other = reordered({"M": image}, data.draw)["M"]
    assert canonical_json(other) == canonical_json(image)


@given(images, images)
def test_different_items_have_different_canonical_forms(one, other):
    same = _comparable(one) == _comparable(other)
    assert (canonical_json(one) == canonical_json(other)) == same


def _comparable(image):
    def value(tagged):
        ((kind, inner),) = tagged.items()
        if kind == "M":
            return kind, _comparable(inner)
        if kind == "L":
            return kind, [value(element) for element in inner]
        if kind == "N":
            return kind, int(inner)
        return kind, frozenset(map(int, inner)) if kind == "NS" else frozenset(inner) if kind == "SS" else inner

    return {name: value(tagged) for name, tagged in image.items()}


def test_the_order_of_a_list_and_the_type_of_a_value_do_make_a_difference():
    assert canonical_json({"v": {"L": [{"S": "a"}, {"S": "b"}]}}) != canonical_json(
        {"v": {"L": [{"S": "b"}, {"S": "a"}]}}
    )
    different = [{"S": "1"}, {"N": "1"}, {"SS": ["1"]}, {"NS": ["1"]}, {"L": [{"N": "1"}]}, {"S": ""}, {"NULL": True}]
    assert len({canonical_json({"v": value}) for value in different} | {canonical_json({})}) == len(different) + 1


@given(st.binary())
def test_twice_encoded_binary_comes_out_encoded_once_wherever_it_stands(raw):
    once = base64.b64encode(raw).decode()
    twice = base64.b64encode(once.encode()).decode()
    image = {"b": {"B": twice}, "l": {"L": [{"M": {"b": {"B": twice}}}]}, "s": {"BS": [twice]}}
    assert json.loads(canonical_json(image, twice=True)) == {
        "b": {"B": once},
        "l": {"L": [{"M": {"b": {"B": once}}}]},
        "s": {"BS": [once]},
    }


def test_a_binary_key_is_decoded_like_every_other_value():
    assert canonical_keys({"pk": {"B": "MTMyMQ=="}}, twice=True) == '{"pk":{"B":"1321"}}'


def test_canonical_text_is_minimal_and_leaves_unicode_as_it_is():
    assert canonical_json({"ü": {"S": 'a "b" \n'}, "a": {"N": "1.0"}}) == '{"a":{"N":"1"},"ü":{"S":"a \\"b\\" \\n"}}'


# --- lines


def test_records_that_follow_each_other_without_a_newline_are_all_found():
    assert list(parse_objects('{"a":1}{"b":2} \t[3]\r\n4')) == [{"a": 1}, {"b": 2}, [3], 4]
    assert list(parse_objects("")) == list(parse_objects(" \ufeff\r\n")) == []


def test_what_stood_before_garbage_is_kept_and_the_garbage_is_named():
    first, second, refused = parse_objects('{"a":1}{"b":2}{"c":')
    assert (first, second) == ({"a": 1}, {"b": 2})
    assert isinstance(refused, RecordRefused)
    assert "not JSON at character 20" in str(refused)


@pytest.mark.parametrize(
    ("text", "reason"),
    [("[" * 100_000, "nested too deeply"), ("1" * 5_000, "thousands of digits"), ("{'a': 1}", "not JSON")],
)
def test_a_line_python_cannot_read_is_refused_with_the_right_reason(text, reason):
    first, refused = parse_objects('{"good":1}' + text)
    assert first == {"good": 1}
    assert reason in str(refused)


def test_numbers_of_a_line_keep_every_digit():
    digits = "0.12345678901234567890123456789012345678"
    assert list(parse_objects(f'{{"n":{digits}}}')) == [{"n": Decimal(digits)}]


@given(
    st.lists(st.dictionaries(st.text(), st.text() | st.integers(), max_size=3)),
    st.sampled_from(["", " ", "\n", "\r\n"]),
)
def test_objects_written_one_after_the_other_are_read_back_whatever_stands_between(values, between):
    assert list(parse_objects(between.join(json.dumps(value) for value in values))) == values


# --- a Lambda runs this file


def test_the_files_and_their_error_run_alone_with_the_standard_library(tmp_path):
    for module in (errors, canonical, records):  # as in a Lambda, where they lie in packages without an __init__
        name = Path(module.__file__).relative_to(Path(errors.__file__).parents[1])
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(module.__file__, tmp_path / name)
    script = """
import sys
sys.path.insert(0, sys.argv[1])
from workbench.model import records
print(records.canonical_json({"a": {"N": "1.0"}}))
print(sorted(name for name in sys.modules if name.split(".")[0] not in sys.stdlib_module_names | {"__main__"}))
"""
    alone = [sys.executable, "-S", "-I", "-c", script, str(tmp_path)]
    ran = subprocess.run(alone, capture_output=True, text=True, check=True)
    ours = [
        "workbench",
        "workbench.errors",
        "workbench.model",
        "workbench.model.canonical",
        "workbench.model.records",
    ]
    assert ran.stdout.split("\n")[:2] == ['{"a":{"N":"1"}}', str(ours)]


# --- reasons are no way to see a value


SECRET = "ann@example.com"


@pytest.mark.parametrize(
    "row",
    [
        changed(NewImage={"email": {"N": SECRET}}),
        changed(NewImage={"email": {"NS": ["1", SECRET]}}),
        changed(NewImage={"email": {"B": SECRET}}),
        changed(NewImage={"email": {"BS": [SECRET]}}),
        changed(NewImage={"email": {"M": {"deep": {"L": [{"N": SECRET}]}}}}),
        changed(NewImage={"email": SECRET}),
        changed(NewImage={"email": {"S": [SECRET]}}),
        changed(Keys={"email": SECRET}),
        changed(Keys={"email": {"N": SECRET}}),
        changed(eventName=SECRET),
        changed(ApproximateCreationDateTime=SECRET),
        canonical_change(changed()) | {"ts": SECRET},
        canonical_change(changed()) | {"new_image": SECRET},
        canonical_change(changed()) | {"new_image": f'{{"email":{{"N":"{SECRET}"}}}}'},
        canonical_change(changed()) | {"keys": f'{{"email":"{SECRET}"}}'},
    ],
    ids=repr,
)
def test_a_reason_tells_path_and_type_and_never_the_value_nor_does_its_traceback(row):
    with pytest.raises(RecordRefused) as error:
        canonical_change(row)
    assert SECRET not in "".join(traceback.format_exception(error.value))
