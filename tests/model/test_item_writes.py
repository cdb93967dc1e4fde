"""Writes lead from one image to the other, hold on what they were made for only, and keep DynamoDB's limits."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.items import attributes, changed, pairs
from tests.helpers.profiles import examples
from workbench.errors import ParameterError
from workbench.model.canonical import canonical_json
from workbench.model.item_writes import (
    Conflict,
    PathChange,
    Write,
    again,
    batch_requests,
    moved,
    writes_of,
)
from workbench.model.merging import Rules
from workbench.model.sizes import item_size
from workbench.model.write_limits import faults

KEY = {"pk": {"S": "p-1"}}
BOTH = {"sk": {"N": "7"}, **KEY}
RULES = Rules(
    at=datetime(2026, 11, 18, 12, tzinfo=UTC),
    bump=(("version",),),
    delta=(("visits",),),
    mark={("undone_by",): {"S": "undo 7"}},
)


def text(image: Any) -> str | None:
    return None if image is None else canonical_json(image)


def update(*changes: tuple[str, Any, Any]) -> Write:
    return Write(
        "things", "Update", KEY, None, tuple(PathChange(tuple(path.split(".")), *rest) for path, *rest in changes)
    )


def good(writes: list[Write]) -> list[Write]:
    """The same, each of which DynamoDB takes, and which can be read again."""
    for write in writes:
        assert not faults(write.element())
        assert Write.read(json.loads(json.dumps(write.element()))) == write
    return writes


def test_an_item_that_is_not_there_is_put_where_there_is_still_none():
    (write,) = good(writes_of("things", ["pk", "sk"], None, {**BOTH, "n": {"N": "1.0"}}))
    assert write.element() == {
        "Put": {
            "TableName": "things",
            "Item": {**BOTH, "n": {"N": "1"}},
            "ConditionExpression": "attribute_not_exists(#0) AND attribute_not_exists(#1)",
            "ExpressionAttributeNames": {"#0": "pk", "#1": "sk"},
        }
    }
    assert (write.holds(None), write.holds(BOTH)) == (True, False)


def test_an_item_is_deleted_where_it_is_as_it_was_seen():
    (write,) = good(writes_of("things", ["pk", "sk"], {**BOTH, "n": {"N": "1"}, "m": {"M": {}}}, None))
    assert write.element() == {
        "Delete": {
            "TableName": "things",
            "Key": BOTH,
            "ConditionExpression": "attribute_exists(#0) AND #1 = :0 AND #2 = :1",
            "ExpressionAttributeNames": {"#0": "pk", "#1": "m", "#2": "n"},
            "ExpressionAttributeValues": {":0": {"M": {}}, ":1": {"N": "1"}},
        }
    }
    assert list(write.key) == ["pk", "sk"]
    (write,) = good(writes_of("things", ["pk"], KEY, None))
    assert write.element()["Delete"]["ConditionExpression"] == "attribute_exists(#0)"


def test_only_what_differs_is_changed_and_compared():
    now = {**KEY, "same": {"S": "x"}, "n": {"N": "1"}, "gone": {"S": ""}, "m": {"M": {"a": {"S": "1"}}}}
    after = {**KEY, "same": {"S": "x"}, "n": {"N": "2"}, "m": {"M": {"a": {"S": "1"}, "b": {"NULL": True}}}}
    (write,) = good(writes_of("things", ["pk"], now, after))
    assert write.element() == {
        "Update": {
            "TableName": "things",
            "Key": KEY,
            "UpdateExpression": "SET #2.#3 = :2, #4 = :4 REMOVE #1",
            "ConditionExpression": "attribute_exists(#0) AND #1 = :0 AND attribute_type(#2, :1) AND "
            "attribute_not_exists(#2.#3) AND #4 = :3",
            "ExpressionAttributeNames": {"#0": "pk", "#1": "gone", "#2": "m", "#3": "b", "#4": "n"},
            "ExpressionAttributeValues": {
                ":0": {"S": ""},
                ":1": {"S": "M"},
                ":2": {"NULL": True},
                ":3": {"N": "1"},
                ":4": {"N": "2"},
            },
        }
    }


@pytest.mark.parametrize(
    ("now", "after", "changes"),
    [
        ({"n": {"N": "1.0"}, "s": {"SS": ["a", "b"]}}, {"n": {"N": "1"}, "s": {"SS": ["b", "a"]}}, []),
        ({"m": {"M": {"a": {"S": ""}}}}, {"m": {"M": {}}}, [("m.a", {"S": ""}, None)]),
        ({"m": {"M": {"a": {"S": ""}}}}, {}, [("m", {"M": {"a": {"S": ""}}}, None)]),
        ({}, {"m": {"M": {"a": {"M": {}}}}}, [("m", None, {"M": {"a": {"M": {}}}})]),
        ({"a": {"NULL": True}}, {"a": {"S": ""}}, [("a", {"NULL": True}, {"S": ""})]),
        ({"a": {"NS": ["1"]}}, {"a": {"NS": []}}, [("a", {"NS": ["1"]}, None)]),
        (
            {"a": {"L": [{"S": "x"}, {"S": "y"}]}},
            {"a": {"L": [{"S": "x"}]}},
            [("a", {"L": [{"S": "x"}, {"S": "y"}]}, {"L": [{"S": "x"}]})],
        ),
        ({"a": {"S": "x", "N": None}, "b": None}, {"a": {"S": "x"}}, []),
        ({"a": {"NS": ["2", "10"]}}, {"a": {"NS": ["3.0"]}}, [("a", {"NS": ["2", "10"]}, {"NS": ["3"]})]),
    ],
)
def test_values_differ_as_dynamodbs_do(now, after, changes):
    assert [write.changes for write in good(writes_of("things", ["pk"], {**KEY, **now}, {**KEY, **after}))] == [
        tuple(PathChange(tuple(path.split(".")), *rest) for path, *rest in changes)
    ] * bool(changes)


def test_a_key_is_not_changed():
    with pytest.raises(ParameterError, match="key cannot be changed"):
        writes_of("things", ["pk"], KEY, {"pk": {"S": "p-2"}})
    assert writes_of("things", ["pk"], None, None) == writes_of("things", ["pk"], KEY, KEY) == []


@examples(300)
@given(pairs(), st.integers(0, 9), st.data())
def test_writes_lead_there_and_back_and_hold_on_what_they_were_made_for_only(pair, which, data):
    now, after = ({**KEY, **image} for image in pair)
    now, after = None if which == 0 else now, None if which == 1 else after
    writes = good(writes_of("things", ["pk"], now, after))
    for order in (writes, writes[::-1]):
        image = now
        for write in order:
            assert write.holds(image)
            image = write.done(image)
        assert text(image) == text(after)
        for write in order[::-1]:
            (back,) = good([write.reversed(now)])
            assert back.holds(image)
            image = back.done(image)
        assert text(image) == text(now)
    other = {**KEY, **data.draw(changed(pair[0]) | attributes)}
    touched = [path for write in writes for path in paths(write)]
    if which > 1:
        assert all(write.holds(other) for write in writes) == all(at(other, path) == at(now, path) for path in touched)


def paths(write: Write) -> list[tuple[str, ...]]:
    return [change.path for change in write.changes]


def at(image: Any, path: tuple[str, ...]) -> str | None:
    """What is there, as text; None where the maps above are not."""
    for name in path[:-1]:
        image = image.get(name, {}).get("M")
        if image is None:
            return None
    return canonical_json({"": image[path[-1]]}) if path[-1] in image else ""


@pytest.mark.parametrize("count", [1, 148, 149, 150, 151, 299, 1_000])
@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("added", [False, True])
def test_more_changes_than_an_expression_may_hold_are_several_writes(count, deep, added):
    def image(value: dict[str, str]) -> dict[str, Any]:
        inner = {f"attribute {number}": value for number in range(count)}
        return {**KEY, **({"m": {"M": {"l": {"M": inner}}}} if deep else inner)}

    start = {**KEY, **({"m": {"M": {"l": {"M": {}}}}} if deep else {})} if added else image({"S": "x"})
    writes = good(writes_of("things", ["pk"], start, image({"S": "y"})))
    most = 149 if not added else 98 if deep else 130
    assert (len(writes) == 1) if count == 1 else (len(writes) <= -(-count // most))
    now: Any = start
    for write in writes[::-1]:
        assert write.holds(now)
        now = write.done(now)
    assert text(now) == text(image({"S": "y"}))


def test_writes_of_one_item_never_make_it_larger_than_it_was_and_is_to_be():
    now = {**KEY, **{f"z{number}": {"S": "x" * 2_000} for number in range(200)}}
    after = {**KEY, **{f"a{number}": {"S": "x" * 2_000} for number in range(200)}}
    image: Any = now
    for write in good(writes_of("things", ["pk"], now, after)):
        image = write.done(image)
        assert item_size(image)[0] <= item_size(now)[0]
    assert text(image) == text(after)


def test_a_delete_compares_149_attributes():
    now = {**KEY, **{f"a{number:03}": {"N": "1"} for number in range(200)}}
    (write,) = good(writes_of("things", ["pk"], now, None))
    assert len(write.item) == 149
    with pytest.raises(ParameterError, match="more attributes"):
        write.reversed()
    assert write.reversed(now).done(None) == now
    (few,) = writes_of("things", ["pk"], {**KEY, "a": {"S": "x"}}, None)
    assert few.reversed().item == {**KEY, "a": {"S": "x"}}


@pytest.mark.parametrize(
    "element",
    [
        {},
        {"Put": {}},
        {"Get": {"TableName": "things", "Key": KEY}},
        {"Put": {"TableName": "things", "Item": KEY}},
        {"Delete": {"TableName": "things", "Key": KEY, "ConditionExpression": "size(#0) > :0"}},
        None,
        {"Update": {**update(("a", None, {"S": "x"})).element()["Update"], "UpdateExpression": "SET #1 = :1"}},
        {"Update": {**update(("a", None, {"S": "x"})).element()["Update"], "ReturnValues": "NONE"}},
        {"Update": {**update(("a", None, {"S": "x"})).element()["Update"], "UpdateExpression": "ADD #1 :0"}},
    ],
)
def test_what_is_none_of_our_writes_is_refused_without_its_values(element):
    with pytest.raises(ParameterError, match="not a write as the workbench makes them"):
        Write.read(element)


def test_a_change_of_what_a_map_holds_needs_the_map():
    write = update(("m.a", None, {"S": "x"}))
    assert [write.holds({**KEY, **more}) for more in ({}, {"m": {"L": []}}, {"m": {"M": {}}})] == [False, False, True]
    assert not write.holds({**KEY, "m": {"M": {"a": {"S": ""}}}})


AGE = ("age", {"N": "9"}, {"N": "7"})
CASES = {
    "nothing has changed": ([AGE], {"age": {"N": "9"}}, [AGE]),
    "it was written before": ([AGE], {"age": {"N": "7"}}, []),
    "another has changed it": ([AGE], {"age": {"N": "8"}}, [("age",)]),
    "another has removed it": ([AGE], {}, [("age",)]),
    "another attribute has changed": (
        [AGE, ("name", {"S": "x"}, None)],
        {"age": {"N": "8"}, "name": {"S": "x"}},
        [("name", {"S": "x"}, None)],
    ),
    "one is done, one is not": ([AGE, ("b", None, {"S": "x"})], {"age": {"N": "7"}}, [("b", None, {"S": "x"})]),
    "a difference follows": (
        [("visits", {"N": "10"}, {"N": "7"})],
        {"visits": {"N": "20"}},
        [("visits", {"N": "20"}, {"N": "17"})],
    ),
    "a difference of what is no number": (
        [("visits", {"N": "10"}, {"N": "7"})],
        {"visits": {"S": "20"}},
        [("visits",)],
    ),
    "a difference of more than 38 digits": (
        [("visits", {"N": "2"}, {"N": "1"})],
        {"visits": {"N": "1E+60"}},
        [("visits",)],
    ),
    "a difference that happens to be there": (
        [("visits", {"N": "10"}, {"N": "7"})],
        {"visits": {"N": "7"}},
        [("visits", {"N": "7"}, {"N": "4"})],
    ),
    "a version is one more than there": (
        [AGE, ("version", {"N": "3"}, {"N": "4"})],
        {"age": {"N": "9"}, "version": {"N": "7"}},
        [AGE, ("version", {"N": "7"}, {"N": "8"})],
    ),
    "a version alone is not written": (
        [AGE, ("version", {"N": "3"}, {"N": "4"})],
        {"age": {"N": "8"}, "version": {"N": "7"}},
        [("age",)],
    ),
    "a version of what is done": (
        [AGE, ("version", {"N": "3"}, {"N": "4"})],
        {"age": {"N": "7"}, "version": {"N": "5"}},
        [],
    ),
    "the mark of another undo": (
        [AGE, ("undone_by", None, {"S": "undo 7"})],
        {"age": {"N": "9"}, "undone_by": {"S": "undo 6"}},
        [AGE, ("undone_by", {"S": "undo 6"}, {"S": "undo 7"})],
    ),
    "members of a set that others have changed": (
        [("tags", {"SS": ["a", "bad"]}, {"SS": ["a", "good"]})],
        {"tags": {"SS": ["bad", "new"]}},
        [("tags", {"SS": ["bad", "new"]}, {"SS": ["good", "new"]})],
    ),
    "numbers of a set": (
        [("tags", {"NS": ["1", "2"]}, {"NS": ["1"]})],
        {"tags": {"NS": ["2.0", "5"]}},
        [("tags", {"NS": ["2.0", "5"]}, {"NS": ["5"]})],
    ),
    "a set's last member": (
        [("tags", {"SS": ["a", "bad"]}, {"SS": ["a"]})],
        {"tags": {"SS": ["bad"]}},
        [("tags", {"SS": ["bad"]}, None)],
    ),
    "a set that was made, and has members of others": (
        [("tags", {"SS": ["bad"]}, None)],
        {"tags": {"SS": ["bad", "new"]}},
        [("tags", {"SS": ["bad", "new"]}, {"SS": ["new"]})],
    ),
    "a set that another has emptied": ([("tags", {"SS": ["a", "bad"]}, {"SS": ["a"]})], {}, []),
    "a set that another has emptied, to be added to": ([("tags", {"SS": ["a"]}, {"SS": ["a", "b"]})], {}, [("tags",)]),
    "a set that another has made": ([("tags", None, {"SS": ["a"]})], {"tags": {"SS": ["b"]}}, [("tags",)]),
    "a set of another type": ([("tags", {"SS": ["1"]}, {"SS": ["2"]})], {"tags": {"NS": ["1"]}}, [("tags",)]),
    "a list is whole": ([("l", {"L": [{"S": "a"}]}, {"L": []})], {"l": {"L": [{"S": "a"}, {"S": "b"}]}}, [("l",)]),
    "a map into which another has written": (
        [("m", {"M": {"a": {"S": ""}}}, None)],
        {"m": {"M": {"a": {"S": ""}, "b": {"S": ""}}}},
        [("m",)],
    ),
    "a map that is gone, in which something was to be": ([("m.a", None, {"S": "x"})], {}, [("m.a",)]),
    "a map that is gone, in which something was to go": ([("m.a", {"S": "x"}, None)], {}, []),
    "a map that is a text now": ([("m.a", {"S": "x"}, {"S": "y"})], {"m": {"S": "x"}}, [("m.a",)]),
    "a version that is no number": (
        [AGE, ("version", {"N": "3"}, {"N": "4"})],
        {"age": {"N": "9"}, "version": {"S": "x"}},
        [AGE],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_has_changed_meanwhile_is_merged_again(case):
    changes, live, expected = CASES[case]
    write, image = update(*changes), {**KEY, **live}
    found = again(write, image, RULES)
    if expected and len(expected[0]) == 1:
        stays = tuple(tuple(path.split(".")) for (path,) in expected)
        assert isinstance(found, Conflict)
        assert found.paths == moved(write, image, RULES) == stays
        return
    assert found == ([update(*expected)] if expected else [])
    for each in good(found):
        assert each.holds(image)
        assert again(each, each.done(image), RULES, perhaps_sent=True) == []


def test_a_difference_is_not_taken_twice_where_a_write_may_have_been_done():
    visits = ("visits", {"N": "10"}, {"N": "7"})
    both, marked = update(AGE, visits), update(visits, ("undone_by", None, {"S": "undo 7"}))
    there = {**KEY, "visits": {"N": "8"}, "undone_by": {"S": "undo 7"}}
    assert again(marked, there, RULES, perhaps_sent=True) == []  # the mark tells that it was done
    assert isinstance(again(marked, {**KEY, "visits": {"N": "8"}}, RULES, perhaps_sent=True), Conflict)
    assert again(update(visits), {**KEY, "visits": {"N": "7"}}, RULES, perhaps_sent=True) == []
    found = again(update(visits), {**KEY, "visits": {"N": "8"}}, RULES, perhaps_sent=True)
    assert isinstance(found, Conflict)  # 10 - 2 by another, or 7 + 1 after the write
    assert again(both, {**KEY, "age": {"N": "7"}, "visits": {"N": "8"}}, RULES, perhaps_sent=True) == []
    assert again(both, {**KEY, "age": {"N": "7"}, "visits": {"N": "10"}}, RULES, perhaps_sent=True) == [update(visits)]
    assert again(both, {**KEY, "age": {"N": "9"}, "visits": {"N": "8"}}, RULES, perhaps_sent=True) == [update(AGE)]
    assert moved(both, {**KEY, "age": {"N": "9"}, "visits": {"N": "8"}}, RULES, perhaps_sent=True) == (("visits",),)


@pytest.mark.parametrize("signature", ["aws_dbe_foot", "*amzn-ddb-map-sig*"])
def test_an_item_that_is_signed_is_changed_as_a_whole_or_not_at_all(signature):
    now = {**KEY, "age": {"N": "9"}, "name": {"S": "x"}, signature: {"B": "AA=="}}
    after = {**KEY, "age": {"N": "7"}, "name": {"S": "y"}, signature: {"B": "AQ=="}}
    (write,) = writes_of("things", ["pk"], now, after)
    assert again(write, now, RULES) == [write]
    assert again(write, after, RULES) == []
    for live in (
        {**now, "age": {"N": "8"}, signature: {"B": "Ag=="}},
        {**now, signature: {"B": "Ag=="}},
        {**now, "name": after["name"]},
        {name: value for name, value in now.items() if name != signature},
    ):
        assert isinstance(again(write, live, RULES), Conflict)
        assert moved(write, live, RULES)


def test_puts_and_deletes_are_merged_again_whole():
    (put,) = writes_of("things", ["pk"], None, {**KEY, "a": {"N": "1"}})
    assert again(put, None, RULES) == [put]
    assert again(put, {**KEY, "a": {"N": "1.0"}}, RULES) == []
    assert isinstance(again(put, {**KEY, "a": {"N": "2"}}, RULES), Conflict)
    (delete,) = writes_of("things", ["pk"], {**KEY, "a": {"N": "1"}}, None)
    assert again(delete, None, RULES) == []
    assert again(delete, {**KEY, "a": {"N": "1"}, "b": {"S": ""}}, RULES) == [delete]
    found = again(delete, {**KEY, "a": {"N": "2"}}, RULES)
    assert isinstance(found, Conflict)
    assert found.paths == (("a",),)
    assert again(update(AGE), None, RULES) == []


@examples(200)
@given(pairs(), st.data())
def test_merging_again_keeps_what_another_has_changed(pair, data):
    now, after = ({**KEY, **image} for image in pair)
    live = {**KEY, **data.draw(changed(pair[0]))}
    for write in writes_of("things", ["pk"], now, after):
        found = again(write, live, RULES)
        stays = moved(write, live, RULES)
        result: Any = live
        for each in found if isinstance(found, list) else ():
            assert each.holds(live)
            result = each.done(result)
        for change in write.changes:
            there = at(live, change.path)
            if there == at(now, change.path):
                assert at(result, change.path) == at(after, change.path)
            elif change.path in stays:
                assert at(result, change.path) == there
        ours = {path for write in writes_of("things", ["pk"], now, after) for path in paths(write)}
        for each in writes_of("things", ["pk"], live, result):
            assert ours >= set(paths(each))


def test_units_are_those_of_the_larger_image():
    small, large = {**KEY, "a": {"S": "x"}}, {**KEY, "a": {"S": "x" * 3_000}}
    for now, after in ((small, large), (large, small), (None, large), (large, None)):
        (write,) = writes_of("things", ["pk"], now, after)
        assert write.units(now) == write.units() == 3
    (write,) = writes_of("things", ["pk"], small, {**KEY, "a": {"S": "y"}})
    assert (write.units(), write.units({**small, "b": {"S": "x" * 5_000}})) == (1, 5)
    assert (
        writes_of("things", ["pk"], None, {**KEY, "a": {"S": "x" * (1024 - 6)}})[0].units() == 1
    )  # "pk" + "p-1" + "a" = 6


def test_batch_requests_keep_the_limits_of_a_batch():
    def key(number: int) -> dict[str, Any]:
        return {"pk": {"N": str(number)}}

    items = [(key(number % 30), None if number % 7 else {**key(number % 30), "a": {"S": "x"}}) for number in range(200)]
    items += [(key(number), {**key(number), "a": {"B": "A" * 500_000}}) for number in range(100, 140)]
    requests = list(batch_requests("things", items))
    assert [request for each in requests for request in each["things"]] == [
        {"DeleteRequest": {"Key": key}} if after is None else {"PutRequest": {"Item": after}} for key, after in items
    ]
    for each in requests:
        assert len(each["things"]) <= 25
        assert len(json.dumps(each)) < 16 * 1024 * 1024
        named = [
            json.dumps((request.get("DeleteRequest", {}).get("Key") or request["PutRequest"]["Item"])["pk"])
            for request in each["things"]
        ]
        assert len(set(named)) == len(named)
    assert list(batch_requests("things", [])) == []
