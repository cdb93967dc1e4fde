"""What DynamoDB refuses is found, as it stands in its documentation; what it takes at a limit is not.

Emulators cannot be asked: moto 5.2.5 takes conditions of 9,995 bytes, numbers of 39 digits and paths that overlap.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from workbench.model.item_writes import PathChange, Write
from workbench.model.write_limits import faults, item_faults

KEY = {"pk": {"S": "p-1"}}
UPDATE = Write(
    "things",
    "Update",
    KEY,
    None,
    (
        PathChange(("a",), {"N": "1"}, {"N": "2"}),
        PathChange(("m", "b"), None, {"S": "x"}),
        PathChange(("c",), {"S": ""}, None),
    ),
)
PUT = Write("things", "Put", KEY, {**KEY, "a": {"N": "1"}})
DELETE = Write("things", "Delete", KEY, {"a": {"N": "1"}})


def changed(write: Write, change: Callable[[dict[str, Any]], object]) -> list[str]:
    element = copy.deepcopy(write.element())
    change(element[write.kind])
    return faults(element)


def item(value: Any, name: str = "v") -> list[str]:
    return changed(PUT, lambda body: body.update(Item={**KEY, name: value}))


def nested(levels: int) -> dict[str, Any]:
    """A value with so many maps, one in the other."""
    value: dict[str, Any] = {"S": "x"}
    for _ in range(levels):
        value = {"M": {"a": value}}
    return value


@pytest.mark.parametrize("write", [UPDATE, PUT, DELETE])
def test_what_we_make_is_good(write):
    assert faults(write.element()) == []


@pytest.mark.parametrize(
    ("element", "fault"),
    [
        ({}, "it is no Put, Update or Delete"),
        ({"Put": {}, "Delete": {}}, "it is no Put, Update or Delete"),
        ({"ConditionCheck": {}}, "it is no Put, Update or Delete"),
        (None, "it is no Put, Update or Delete"),
        ({"Put": []}, "it holds no request"),
        ({"Put": {"TableName": "things"}}, "it has no Item"),
        ({"Delete": {"TableName": "things"}}, "it has no Key"),
        ({"Delete": {"TableName": 7, "Key": KEY}}, "it is not made as DynamoDB's requests are"),
        (
            {"Delete": {"TableName": "things", "Key": KEY, "UpdateExpression": ""}},
            "it has UpdateExpression, which Delete does not take",
        ),
    ],
)
def test_what_is_no_element_is_said(element, fault):
    assert faults(element) == [fault]


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ({"N": "1" * 38}, ""),
        ({"N": "1" * 38 + "000"}, ""),
        ({"N": "1" * 39}, "is a number of more than 38 digits"),
        ({"N": "0." + "1" * 39}, "is a number of more than 38 digits"),
        ({"N": "9.9E+125"}, ""),
        ({"N": "-1E-130"}, ""),
        ({"N": "1E+126"}, "is a number beyond 1E-130 to 9.9E+125"),
        ({"N": "1E-131"}, "is a number beyond 1E-130 to 9.9E+125"),
        ({"N": "NaN"}, "is not a number"),
        ({"N": ""}, "is not a number"),
        ({"N": 1}, "is of no type that DynamoDB has"),
        ({"X": "1"}, "is of no type that DynamoDB has"),
        ({"S": "", "N": "1"}, "is not of one type"),
        ({}, "is not of one type"),
        ({"S": "\ud800"}, "is not valid Unicode"),
        ({"NULL": False}, "is a NULL of false"),
        ({"BOOL": False}, ""),
        ({"BOOL": "false"}, "is of no type that DynamoDB has"),
        ({"B": "AQ="}, "is not base64"),
        ({"B": ""}, ""),
        ({"SS": []}, "is an empty set"),
        ({"SS": ["a", "a"]}, "is a set that has a member twice"),
        ({"NS": ["1", "1.0"]}, "is a set that has a member twice"),
        ({"NS": ["1", "x"]}, "is not a number"),
        ({"BS": ["AQ==", 1]}, "is a set of something else than texts"),
        ({"L": [{"M": {"a": {"SS": []}}}]}, "is an empty set"),
        ({"M": {"": {"S": "x"}}}, "holds a name that is empty, or of more than 65,535 bytes"),
        (nested(31), ""),
        (nested(32), "lies more than 32 levels deep"),
        ({"L": [nested(30)]}, ""),
        ({"L": [nested(31)]}, "lies more than 32 levels deep"),
    ],
)
def test_values_are_those_that_dynamodb_has(value, fault):
    assert item(value) == ([f"the attribute v {fault}"] if fault else [])
    condition = changed(DELETE, lambda body: body.update(ExpressionAttributeValues={":0": value}))
    assert condition == ([f"a value in its expressions {fault}"] if fault else [])


def test_an_item_is_at_most_400_kb():
    room = 400 * 1024 - len("pkp-1v")
    assert item({"S": "x" * room}) == []
    assert item({"S": "x" * (room + 1)}) == ["its item has 409,601 bytes, of 409,600 that an item may have"]
    (fault,) = changed(DELETE, lambda body: body.update(ExpressionAttributeValues={":0": {"S": "x" * 409_601}}))
    assert "has 409,601 bytes" in fault


def test_names_are_at_most_64_kb():
    assert item({"S": ""}, "n" * 65_535) == []
    (fault,) = item({"S": ""}, "n" * 65_536)
    assert "65,535" in fault
    (fault,) = item({"S": ""}, "")
    assert "empty" in fault


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        ({"pk": {"S": "x" * 2_048}, "sk": {"B": "A" * 1_364}}, ""),
        ({"pk": {"S": "x" * 2_049}}, "the key attribute pk has 2,049 bytes, of 2,048 that are allowed"),
        (
            {"pk": {"S": "x"}, "sk": {"S": "x" * 1_025}},
            "the key attribute sk has 1,025 bytes, of 1,024 that are allowed",
        ),
        (
            {"sk": {"S": "x" * 1_025}, "pk": {"S": "x"}},
            "the key attribute sk has 1,025 bytes, of 1,024 that are allowed",
        ),
        ({"pk": {"S": ""}}, "the key attribute pk is empty"),
        ({"pk": {"B": ""}}, "the key attribute pk is empty"),
        ({"pk": {"BOOL": True}}, "the key attribute pk is not of type S, N or B"),
        ({"pk": {"S": "x"}, "a": {"S": "x"}, "b": {"S": "x"}}, "its key is not of one or two attributes"),
    ],
)
def test_keys_are_those_that_dynamodb_has(key, fault):
    assert changed(DELETE, lambda body: body.update(Key=key)) == ([fault] if fault else [])
    if len(key) < 3:
        first = {"pk": key["pk"]} | key
        assert faults(Write("things", "Put", first, key).element()) == ([fault] if fault else [])


def test_expressions_have_at_most_4096_bytes():
    def longer(body: dict[str, Any], more: int) -> None:
        name = "#" + "n" * 250
        body["ExpressionAttributeNames"] |= {name: "n"}
        term = f" AND attribute_exists({name})"
        condition = body["ConditionExpression"]
        while len(condition) + 2 * len(term) < 4_096:
            condition += term
        last = name + "." + "#" + "n" * 10
        body["ExpressionAttributeNames"] |= {"#" + "n" * 10: "n"}
        condition += f" AND attribute_exists({last})"
        rest = 4_096 + more - len(condition) - len(" AND attribute_exists(#)")
        body["ExpressionAttributeNames"] |= {"#" + "m" * rest: "m"}
        body["ConditionExpression"] = f"{condition} AND attribute_exists(#{'m' * rest})"

    assert changed(DELETE, lambda body: longer(body, 0)) == []
    assert changed(DELETE, lambda body: longer(body, 1)) == [
        "its ConditionExpression has 4,097 bytes, of 4,096 that are allowed"
    ]


@pytest.mark.parametrize("count", [149, 150])
def test_expressions_have_at_most_300_operators(count):
    attributes = {f"a{number}": {"N": "1"} for number in range(count)}
    expected = [] if count == 149 else ["its ConditionExpression has 301 operators, of 300 that are allowed"]
    assert faults(Write("things", "Delete", KEY, attributes).element()) == expected


def test_names_and_values_have_at_most_2_mb():
    def large(body: dict[str, Any], last: int) -> None:
        sizes = [400_000] * 5 + [last]
        body["ExpressionAttributeValues"] = {f":{number}": {"S": "x" * size} for number, size in enumerate(sizes)}
        body["ConditionExpression"] = "attribute_exists(#0) AND " + " AND ".join(f"#1 = :{n}" for n in range(6))

    others = len("#0pk#1a") + 6 * len(":0")
    room = 2 * 1024 * 1024 - 5 * 400_000 - others
    assert changed(DELETE, lambda body: large(body, room)) == []
    (fault,) = changed(DELETE, lambda body: large(body, room + 1))
    assert fault == "its names and values have 2,097,153 bytes, of 2,097,152 that are allowed"


@pytest.mark.parametrize(
    ("update", "fault"),
    [
        ("SET #1 = :0, #1.#2 = :1", "its UpdateExpression has paths that overlap"),
        ("SET #1.#2 = :0, #1 = :1", "its UpdateExpression has paths that overlap"),
        ("SET #1 = :0 REMOVE #1", "its UpdateExpression has paths that overlap"),
        ("SET #1.#2 = :0, #1.#3 = :1", ""),
        ("SET #1 = :0 REMOVE #2, #3", ""),
        ("SET #0 = :0 REMOVE #1", "its UpdateExpression changes the key attribute pk"),
        ("SET #1 = :0 SET #2 = :1", "its UpdateExpression has a clause twice"),
        ("ADD #1 :0", "its UpdateExpression is not made of SET and REMOVE"),
        ("", "its UpdateExpression is not made of SET and REMOVE"),
        ("SET #1 = #2", "its UpdateExpression has an action of SET that is none"),
        ("SET #1", "its UpdateExpression has an action of SET that is none"),
        ("SET name = :0", "its UpdateExpression has an action of SET that is none"),
        ("REMOVE #1 = :0", "its UpdateExpression has an action of REMOVE that is none"),
        (f"SET {'.'.join(['#1'] * 32)} = :0", ""),
        (f"SET {'.'.join(['#1'] * 33)} = :0", "its UpdateExpression has a path of more than 32 names"),
        ("SET #1 = :2", "what its UpdateExpression sets lies more than 32 levels deep"),
    ],
)
def test_updates_are_those_that_dynamodb_takes(update, fault):
    used = [name for name in ("#0", "#1", "#2", "#3", ":0", ":1") if name in update or name == "#0"]
    body = {
        "TableName": "things",
        "Key": KEY,
        "UpdateExpression": update,
        "ConditionExpression": "attribute_exists(#0)",
        "ExpressionAttributeNames": {name: "pk" if name == "#0" else name for name in used if name[0] == "#"},
        "ExpressionAttributeValues": {name: {"N": "1"} for name in used if name[0] == ":"},
    }
    if ":2" in update:
        body["ExpressionAttributeValues"] = {":2": nested(31)}
        assert faults({"Update": body}) == []
        body["UpdateExpression"] = "SET #1.#1 = :2"
    body = {name: value for name, value in body.items() if value != {}}
    found = faults({"Update": body})
    assert (fault in found) if fault else (found == [])


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda body: body.pop("ConditionExpression"), "it has no condition on whether the item is there"),
        (
            lambda body: body.update(ConditionExpression=""),
            "it has an expression, names or values without anything in them",
        ),
        (
            lambda body: body.update(ExpressionAttributeValues={}),
            "it has an expression, names or values without anything in them",
        ),
        (lambda body: body.update(ConditionExpression="#1 = :0"), "it has no condition on whether the item is there"),
        (
            lambda body: body["ExpressionAttributeNames"].pop("#1"),
            "an expression uses a name or a value that is not given",
        ),
        (
            lambda body: body["ExpressionAttributeNames"].update({"#9": "x"}),
            "a name or a value is given that no expression uses",
        ),
        (
            lambda body: body["ExpressionAttributeValues"].update({":9": {"S": "x"}}),
            "a name or a value is given that no expression uses",
        ),
        (
            lambda body: body["ExpressionAttributeNames"].update({"#1": ""}),
            "an attribute's name is empty, or of more than 65,535 bytes",
        ),
        (
            lambda body: body["ExpressionAttributeNames"].update({"1": "x"}),
            "a placeholder is not # or : and letters, digits or _, of up to 255 bytes",
        ),
        (
            lambda body: body.update(ConditionExpression="attribute_exists(#0) OR #1 = :0"),
            "its ConditionExpression is not made of comparisons with =, attribute_ functions and AND",
        ),
        (
            lambda body: body.update(ConditionExpression="attribute_exists(#0) AND a = :0"),
            "its ConditionExpression is not made of comparisons with =, attribute_ functions and AND",
        ),
        (lambda body: body.update(TableName="t"), "its TableName is no name of a table, nor an ARN"),
        (lambda body: body.update(TableName="arn:aws:dynamodb:eu-central-1:123456789012:table/things"), ""),
    ],
)
def test_expressions_names_and_values_fit_each_other(change, fault):
    found = changed(DELETE, change)
    assert (fault in found) if fault else (found == [])


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (None, ""),
        ({"S": "x"}, ""),
        ({"S": "x" * 2_048}, ""),
        ({"S": "x" * 2_049}, "the attribute v, which an index is made by, has more than 2,048 bytes"),
        ({"S": ""}, "the attribute v is empty, and an index is made by it"),
        ({"NULL": True}, "the attribute v is not of type S, which an index is made by"),
        ({"N": "1"}, "the attribute v is not of type S, which an index is made by"),
        ({"SS": []}, "the attribute v is an empty set"),
    ],
)
def test_an_item_fits_the_keys_of_indexes(value, fault):
    found = item_faults({**KEY, **({"v": value} if value else {})}, {"v": "S", "w": "N"})
    assert (fault in found) if fault else (found == [])


def test_an_item_that_is_merged_is_at_most_400_kb():
    half = {"S": "x" * 204_790}
    assert item_faults({**KEY, "a": half}) == []
    assert item_faults({**KEY, "a": half, "b": half}) == []
    (fault,) = item_faults({**KEY, "a": half, "b": half, "another": half})
    assert fault.startswith("the item has ")


def test_a_put_is_conditioned_on_no_item_and_the_others_on_one():
    for write in (PUT, DELETE, UPDATE):
        condition = write.element()[write.kind]["ConditionExpression"]
        other = condition.replace("not_", "") if write is PUT else condition.replace("_exists(#0", "_not_exists(#0")
        found = changed(write, lambda body, other=other: body.update(ConditionExpression=other))
        assert found == ["it has no condition on whether the item is there"]
