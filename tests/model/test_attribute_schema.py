"""What images hold, and the SQL types that makes."""

from __future__ import annotations

import json
from decimal import Decimal, localcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.errors import RecordRefused
from workbench.model.attribute_schema import Held, notes, plain_elements, sql_type
from workbench.model.canonical import canonical_number

numbers = st.one_of(
    st.integers(-(2**64), 2**64).map(str),
    st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str),
    st.sampled_from(["0", "-0", "0.0", "1.50", "007", "1E+2", "1e-3", "1E-130", "9.9E+125", "0.5", ".5", "5."]),
    st.sampled_from([str(2**63 - 1), str(2**63), str(-(2**63)), str(-(2**63) - 1), "0." + "3" * 38, "9" * 38]),
)


def held(*values: dict) -> Held:
    root = Held()
    for value in values:
        root.add(json.dumps({"a": value}))
    return root.members["a"]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([{"S": "x"}], "varchar"),
        ([{"S": "x"}, {"NULL": True}], "varchar"),
        ([{"NULL": True}], "varchar"),
        ([{"N": "1"}, {"N": "9223372036854775807"}], "bigint"),
        ([{"N": "1"}, {"NULL": True}], "bigint"),
        ([{"N": "9223372036854775808"}], "decimal(38,0)"),
        ([{"N": "1.50"}, {"N": "-7"}], "decimal(18,1)"),
        ([{"N": "1.0"}], "bigint"),
        ([{"N": "0.123456789012345678"}], "decimal(18,18)"),
        ([{"N": "1"}, {"N": "0.123456789012345678"}], "decimal(38,18)"),
        ([{"N": "0." + "3" * 38}], "decimal(38,38)"),
        ([{"N": "1"}, {"N": "0." + "3" * 38}], "double"),
        ([{"N": "1E+125"}], "double"),
        ([{"BOOL": True}], "boolean"),
        ([{"B": "AQ=="}], "varbinary"),
        ([{"SS": ["a"]}], "array(varchar)"),
        ([{"NS": ["1", "2.5"]}], "array(decimal(18,1))"),
        ([{"NS": ["1", "2"]}], "array(bigint)"),
        ([{"BS": ["AQ=="]}], "array(varbinary)"),
        ([{"M": {"x": {"N": "1"}}}], "varchar"),
        ([{"L": []}], "array(varchar)"),
        ([{"L": [{"S": "a"}, {"NULL": True}]}], "array(varchar)"),
        ([{"L": [{"N": "1"}]}, {"L": [{"N": "2.25"}]}], "array(decimal(18,2))"),
        ([{"L": [{"BOOL": True}]}], "array(boolean)"),
        ([{"L": [{"S": "a"}, {"N": "1"}]}], "array(varchar)"),
        ([{"L": [{"M": {}}]}], "array(varchar)"),
        ([{"S": "x"}, {"N": "1"}], "varchar"),
        ([{"SS": ["x"]}, {"L": []}], "varchar"),
    ],
)
def test_the_type_is_the_narrowest_that_holds_every_value_exactly(values, kind):
    assert sql_type(held(*values)) == kind


@given(st.lists(numbers, min_size=1, max_size=6))
def test_the_type_of_numbers_holds_each_and_no_narrower_one_does(texts):
    kind = sql_type(held(*({"N": text} for text in texts)))
    values = [Decimal(canonical_number(text)) for text in texts]
    whole = all(value == value.to_integral_value() and -(2**63) <= value < 2**63 for value in values)
    assert (kind == "bigint") is whole
    if whole:
        return
    with localcontext(prec=200):
        scale = max(0, *(-value.normalize().as_tuple().exponent if value else 0 for value in values))
        digits = max(0, *(value.adjusted() + 1 if value else 0 for value in values))
    assert kind == ("double" if digits + scale > 38 else f"decimal({18 if digits + scale <= 18 else 38},{scale})")


@given(st.lists(st.lists(numbers, max_size=4), max_size=4), st.integers(0, 4))
def test_parts_add_up_to_the_whole_and_survive_as_json(images, at):
    texts = [json.dumps({"n": {"NS": each}, "l": {"L": [{"N": n} for n in each]}}) for each in images]
    whole, parts = Held(), [Held(), Held()]
    for number, text in enumerate(texts):
        whole.add(text)
        parts[number < at].add(text)
    parts[0].merge(Held.from_json(json.loads(json.dumps(parts[1].to_json()))))
    assert parts[0] == whole == Held.from_json(whole.to_json())
    assert whole.count == len(images)


def test_what_is_found_at_a_path_is_what_is_there():
    root = Held()
    root.add('{"phones":{"L":[{"M":{"no":{"S":"1"}}},{"NULL":true}]},"person":{"M":{"a.b":{"N":"1"}}}}', 3)
    assert root.find(()) is root
    assert root.find(("phones", 1)).kinds == {"M": 3, "NULL": 3}
    assert root.find(("phones", 7, "no")).kinds == {"S": 3}
    assert root.find(("person", "a.b")).kinds == {"N": 3}
    assert root.find(("person", "a")) is root.find(("person", 0)) is root.find(("x", "y")) is None
    assert not plain_elements(root.find(("phones",)))
    assert [path for path, _ in root.paths()] == [("person",), ("person", "a.b"), ("phones",)]


NO_IMAGES = ["", "[]", "1", "null", '{"a":1}', '{"a":{}}', '{"a":{"S":1}}', '{"a":{"N":"x"}}', '{"a":{"X":"x"}}']
NO_VALUES = ['{"S":"x","N":"1"}', '{"L":[1]}', '{"NS":[1]}', '{"BOOL":0}', '{"M":[]}', '{"L":[{"S":"x"},{"N":"x"}]}']


@pytest.mark.parametrize("image", [*NO_IMAGES, *(f'{{"a":{value}}}' for value in NO_VALUES)])
def test_what_is_no_image_is_refused_and_not_shown(image):
    with pytest.raises(RecordRefused) as refused:
        Held().add(image)
    assert "x" not in str(refused.value)


def test_notes_tell_several_types_and_numbers_that_are_rounded():
    root = Held()
    for image in (
        {"person": {"M": {"age": {"N": "1"}}}, "x": {"N": "1E+50"}},
        {"person": {"M": {"age": {"S": "1"}}}, "l": {"L": [{"N": "1E-50"}]}},
        {"person": {"M": {"age": {"N": "1"}}}, "ok": {"L": [{"S": "a"}, {"N": "1"}]}},
    ):
        root.add(json.dumps(image))
    assert notes(root) == [
        "l: its numbers need 0 digits before the decimal point and 50 after it, more than the 38 that a decimal has: "
        "double, which rounds",
        "person.age: N in 2 and S in 1 image: it is varchar here",
        "x: its numbers need 51 digits before the decimal point and 0 after it, more than the 38 that a decimal has: "
        "double, which rounds",
    ]


@settings(max_examples=30)
@given(st.dictionaries(st.text(max_size=3), numbers, max_size=3))
def test_any_name_is_an_attribute(image):
    root = Held()
    root.add(json.dumps({name: {"N": number} for name, number in image.items()}))
    assert set(root.members) == set(image)
