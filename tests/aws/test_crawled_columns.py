"""The newest records beside a crawler's columns: what these do not hold, and how names are spelled."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.helpers.logs import record
from workbench.aws.crawled_columns import Sample
from workbench.model.records import canonical_change

AT = datetime(2026, 11, 18, 9, tzinfo=UTC)
KEY = {"Pk": {"S": "x"}}
IMAGE = (
    "struct<pk:struct<s:string>,balance:struct<s:string,null:boolean>,notes:string,phones:struct<l:array<struct<"
    "s:string,m:struct<kind:struct<s:string>>>>>,person:struct<m:struct<name:struct<s:string>>>>"
)


def columns(members: str = f"newimage:{IMAGE},oldimage:{IMAGE}") -> dict[str, str]:
    return {"eventname": "string", "dynamodb": f"struct<keys:struct<pk:struct<s:string>>,{members}>"}


def looked(layout: Any, given: dict[str, str], *images: dict[str, Any], old: dict[str, Any] | None = None) -> Sample:
    sample = Sample(given, layout)
    sample.look("one", AT, [canonical_change(record("MODIFY", KEY, 1, new=KEY | image, old=old)) for image in images])
    return sample


@pytest.mark.parametrize(
    ("image", "lost"),
    [
        ({"Balance": {"S": "1"}, "Person": {"M": {"Name": {"S": "a"}}}, "Notes": {"M": {"a": {"S": ""}}}}, []),
        ({"Balance": {"NULL": True}, "Phones": {"L": []}, "Person": {"M": {}}}, []),
        ({"Balance": {"N": "1"}}, ["Balance as N"]),
        ({"Fresh": {"SS": ["a"]}}, ["Fresh (SS)"]),
        ({"Person": {"M": {"Email": {"S": ""}, "Name": {"M": {}}}}}, ["Person.Email (S)", "Person.Name as M"]),
        (
            {"Phones": {"L": [{"S": ""}, {"M": {"Kind": {"N": "1"}}}, {"M": {"Kind": {"N": "2"}}}, {"NULL": True}]}},
            ["Phones[1].Kind as N", "Phones[3] as NULL"],
        ),
    ],
)
def test_attributes_and_types_that_columns_do_not_hold_are_named(image, lost):
    sample = looked("struct", columns(), image)
    assert list(sample.lost.values()) == lost
    assert sample.since == (AT if lost else None)
    for text in lost:
        assert text in sample.notes[0]
        assert "since objects of 2026-11-18 09:00 UTC; run the crawler again" in sample.notes[0]


@pytest.mark.parametrize(
    ("layout", "given"),
    [
        ("struct", columns(f"newimage:{IMAGE}")),
        ("raw", {"dynamodb": "struct<keys:string,newimage:string>"}),
        ("envelope", {"keys": "string", "new_image": "string"}),
    ],
)
def test_an_image_without_a_column_is_named(layout, given):
    assert list(looked(layout, given, {}, old=KEY).lost.values()) == ["old image"]
    assert not looked(layout, given, {}).lost


def test_a_column_that_a_flat_log_lacks_is_named_and_plain_names_are_learnt():
    sample = looked(
        "flat", dict.fromkeys(["event_name", "keys", "pk", "age"], "string"), {"Age": {"S": "1"}, "Fresh": {"S": ""}}
    )
    assert list(sample.lost.values()) == ["Fresh (S)"]
    assert sample.spelled[("age",)] == "Age"


def test_names_are_told_as_dynamodb_spells_them_and_those_alike_are_said():
    sample = looked("struct", columns(), {"Person": {"M": {"Name": {"S": ""}}}}, {"Person": {"M": {"name": {"S": ""}}}})
    assert sample.spelled == {("pk",): "Pk", ("person",): "Person", ("person", "name"): "Name"}
    assert sample.alike == {("Person.Name", "Person.name")}
    assert "names differ in case only have one column: Person.Name and Person.name" in sample.notes[0]


@pytest.mark.parametrize(
    ("layout", "given", "needed"),
    [
        ("envelope", dict.fromkeys(["keys", "new_image", "old_image"], "string"), False),
        ("struct", columns(), True),
        ("raw", {"dynamodb": "struct<keys:string,newimage:string,oldimage:string>"}, False),
        ("raw", {"dynamodb": "string"}, False),
        ("raw", {"dynamodb": "struct<keys:string>"}, True),
        ("flat", {}, True),
        (None, {}, False),
    ],
)
def test_texts_hold_whatever_there_is(layout, given, needed):
    assert Sample(given, layout).is_needed == needed
