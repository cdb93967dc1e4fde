"""The item store takes and refuses what DynamoDB does, and captures every change it makes."""

from __future__ import annotations

import base64
import contextlib
import json
import sqlite3
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.helpers.profiles import examples
from workbench.errors import StoreError
from workbench.model.canonical import image_digest
from workbench.model.item_writes import PathChange, Write
from workbench.model.items import from_dynamodb, to_dynamodb
from workbench.model.records import canonical_change, canonical_json
from workbench.model.sizes import item_size
from workbench.sandbox import ItemStore

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ItemStore]:
    with ItemStore(tmp_path / "items.sqlite") as made:
        made.create_table("things", {"pk": "S"}, ttl="until")
        yield made


def records(store: ItemStore, table: str = "things") -> list[dict[str, Any]]:
    return [json.loads(text) for text in store.records([number for number, _ in store.pending(table)])]


def events(store: ItemStore) -> list[str]:
    return [record["eventName"] for record in records(store)]


def item(store: ItemStore, pk: str = "a") -> dict[str, Any] | None:
    return store.get_item("things", {"pk": pk})


def refused(store: ItemStore, **thing: Any) -> str:
    with pytest.raises(StoreError) as told:
        store.put_item("things", {"pk": "a", **thing})
    return str(told.value)


def test_a_put_replaces_the_whole_item(store):
    store.put_item("things", {"pk": "a", "old": 1, "kept": False})
    store.put_item("things", {"pk": "a", "new": 2})
    assert item(store) == {"pk": "a", "new": 2}
    assert events(store) == ["INSERT", "MODIFY"]


def test_empty_text_null_and_absent_stay_apart(store):
    store.put_item("things", {"pk": "a", "empty": "", "none": None, "map": {}, "list": []})
    assert item(store) == {"pk": "a", "empty": "", "none": None, "map": {}, "list": []}


def test_an_update_makes_the_item_that_is_not_there(store):
    store.update_item("things", {"pk": "a"}, put={"name": "x"}, add={"count": 3, "tags": {"t"}})
    assert item(store) == {"pk": "a", "name": "x", "count": 3, "tags": frozenset({"t"})}
    store.update_item("things", {"pk": "b"})
    assert item(store, "b") == {"pk": "b"}
    assert events(store) == ["INSERT", "INSERT"]


def test_an_update_that_only_deletes_makes_no_item(store):
    # "If no item with the specified Key is found: DELETE - Nothing happens" (AttributeUpdates)
    store.update_item("things", {"pk": "a"}, delete=["name"])
    store.update_item("things", {"pk": "a"}, delete={"tags": {"t"}})
    assert item(store) is None
    assert events(store) == []


def test_an_update_leaves_the_other_attributes_alone(store):
    store.put_item("things", {"pk": "a", "x": 1, "y": 2, "z": 3})
    store.update_item("things", {"pk": "a"}, put={"x": "one"}, delete=["y", "not there"])
    assert item(store) == {"pk": "a", "x": "one", "z": 3}


def test_numbers_are_added_exactly_to_38_digits(store):
    big = 10**37 + 1
    store.put_item("things", {"pk": "a", "n": big, "m": Decimal("0.1")})
    store.update_item("things", {"pk": "a"}, add={"n": 1, "m": Decimal("0.2")})
    assert item(store) == {"pk": "a", "n": big + 1, "m": Decimal("0.3")}
    store.update_item("things", {"pk": "a"}, add={"n": -big - 1, "m": 0.7})
    assert item(store) == {"pk": "a", "n": 0, "m": 1}
    store.update_item("things", {"pk": "a"}, put={"n": big})
    with pytest.raises(StoreError, match="38 digits"):  # and not a rounded sum
        store.update_item("things", {"pk": "a"}, add={"n": Decimal("0.1")})
    assert item(store)["n"] == big


def test_members_are_added_to_and_deleted_from_sets_and_an_emptied_set_goes(store):
    store.put_item("things", {"pk": "a", "s": {"x", "y"}, "n": {1, 2}, "b": {b"1"}})
    store.update_item("things", {"pk": "a"}, add={"s": {"z"}, "n": {2, Decimal("2.5")}}, delete={"b": {b"1", b"2"}})
    assert item(store) == {"pk": "a", "s": frozenset("xyz"), "n": frozenset({1, 2, Decimal("2.5")})}
    store.update_item("things", {"pk": "a"}, delete={"s": {"x", "absent"}, "b": {b"1"}, "n": None})
    assert item(store) == {"pk": "a", "s": frozenset("yz")}


@pytest.mark.parametrize("there", ["", "text", False, None, [], [1], {}, {"m": 1}, {"s"}])
def test_a_number_is_added_only_to_a_number(store, there):
    store.put_item("things", {"pk": "a", "x": there})
    with pytest.raises(StoreError, match="'x'"):
        store.update_item("things", {"pk": "a"}, add={"x": 1})
    assert events(store) == ["INSERT"]


@pytest.mark.parametrize(("there", "operand"), [({"a"}, {1}), ({1}, {b"1"}), (1, {1}), (None, {"a"}), ("a", {"a"})])
def test_sets_take_part_only_with_sets_of_their_type(store, there, operand):
    store.put_item("things", {"pk": "a", "x": there})
    for operation in ("add", "delete"):
        with pytest.raises(StoreError, match="'x'"):
            store.update_item("things", {"pk": "a"}, **{operation: {"x": operand}})
    with pytest.raises(StoreError):
        store.update_item("things", {"pk": "a"}, delete={"x": set()})


@pytest.mark.parametrize("operand", ["text", True, None, [1], {"m": 1}])
def test_only_numbers_and_sets_are_added(store, operand):
    with pytest.raises(StoreError, match="'x'"):
        store.update_item("things", {"pk": "a"}, add={"x": operand})
    assert item(store) is None


def test_key_attributes_cannot_be_updated_and_none_be_named_twice(store):
    for wrong in (
        {"put": {"pk": "b"}},
        {"delete": ["pk"]},
        {"put": {"x": 1}, "delete": ["x"]},
        {"put": {"x": 1}, "add": {"x": 1}},
    ):
        with pytest.raises(StoreError, match="part of the key, or named twice"):
            store.update_item("things", {"pk": "a"}, **wrong)
    with pytest.raises(StoreError, match="its key is pk, not pk, x"):
        store.update_item("things", {"pk": "a", "x": 1})


def test_a_delete_removes_the_item_and_of_an_absent_one_captures_nothing(store):
    store.put_item("things", {"pk": "a"})
    store.delete_item("things", {"pk": "a"})
    store.delete_item("things", {"pk": "a"})
    store.delete_item("things", {"pk": "never"})
    assert item(store) is None
    assert events(store) == ["INSERT", "REMOVE"]


def test_a_write_that_changes_nothing_captures_nothing(store):
    store.put_item("things", {"pk": "a", "n": Decimal("1.50"), "s": {"x", "y"}, "m": {"p": 1, "q": 2}})
    store.put_item("things", {"m": {"q": 2, "p": Decimal("1.0")}, "s": {"y", "x"}, "n": 1.5, "pk": "a"})
    store.update_item("things", {"pk": "a"}, put={"n": Decimal("1.5")}, add={"s": {"x"}}, delete=["absent"])
    assert events(store) == ["INSERT"]


def test_a_batch_holds_1_to_25_writes_and_names_no_key_twice(store):
    store.batch_write("things", puts=[{"pk": str(number)} for number in range(25)])
    store.batch_write("things", puts=[{"pk": "new"}], deletes=[{"pk": "0"}, {"pk": "absent"}])
    assert len(list(store.scan("things"))) == 25
    x = {"pk": "x"}
    for wrong in (
        {"puts": [{"pk": str(number)} for number in range(26)]},
        {},
        {"puts": [x, x | {"n": 1}]},
        {"puts": [x], "deletes": [x]},
    ):
        with pytest.raises(StoreError, match="batch"):
            store.batch_write("things", **wrong)
    assert item(store, "x") is None


def test_a_refused_batch_writes_nothing_even_within_a_bulk(store):
    with store.bulk():
        with pytest.raises(StoreError):
            store.batch_write("things", puts=[{"pk": "a"}, {"pk": "b", "x": "y" * 500_000}])
        store.put_item("things", {"pk": "c"})
    assert list(store.scan("things")) == [{"pk": "c"}]


def test_a_bulk_is_kept_whole_or_not_at_all(tmp_path):
    with ItemStore(tmp_path / "items.sqlite") as store:
        store.create_table("things", {"pk": "S"})
        with contextlib.suppress(KeyboardInterrupt), store.bulk():
            store.put_item("things", {"pk": "a"})
            raise KeyboardInterrupt
        with store.bulk():
            store.put_item("things", {"pk": "b"})
    with ItemStore(tmp_path / "items.sqlite") as again:
        assert list(again.scan("things")) == [{"pk": "b"}]
        assert [record["dynamodb"]["Keys"] for record in records(again)] == [{"pk": {"S": "b"}}]


@pytest.mark.parametrize("pk", ["", 1, None, b"a", ["a"], "k" * 2049])
def test_a_key_must_be_there_of_its_type_not_empty_and_not_too_long(store, pk):
    for write in (store.put_item, store.delete_item, store.get_item, store.update_item):
        with pytest.raises(StoreError, match="key attribute 'pk'"):
            write("things", {"pk": pk})
    with pytest.raises(StoreError, match="key attribute 'pk'"):
        store.put_item("things", {"other": "a"})


def test_a_composite_key_has_a_shorter_sort_key_and_equal_numbers_are_one_key(store):
    store.create_table("readings", {"sensor": "B", "at": "N"})
    store.put_item("readings", {"sensor": b"\0", "at": Decimal("1.0"), "n": 1})
    store.put_item("readings", {"at": 1, "sensor": b"\0", "n": 2})
    assert list(store.scan("readings")) == [{"sensor": b"\0", "at": 1, "n": 2}]
    assert store.get_item("readings", {"at": Decimal("1E0"), "sensor": b"\0"})["n"] == 2
    store.create_table("names", {"first": "S", "last": "S"})
    store.put_item("names", {"first": "f" * 2048, "last": "l" * 1024})
    with pytest.raises(StoreError, match="1 to 1,024 bytes"):
        store.put_item("names", {"first": "f", "last": "l" * 1025})


@pytest.mark.parametrize("value", [float("nan"), Decimal("1E126"), 10**38 + 1, set(), {1, "a"}, object(), "\ud800"])
def test_a_value_dynamodb_cannot_hold_is_refused(store, value):
    assert "things" in refused(store, x=value)
    assert events(store) == []


def test_an_item_holds_400_kb_and_not_a_byte_more(store):
    room = 400 * 1024 - len("pk") - len("a") - len("ü".encode())
    store.put_item("things", {"pk": "a", "ü": "x" * room})
    assert "409,601 bytes" in refused(store, ü="x" * (room + 1))
    store.put_item("things", {"pk": "b", "ü": b"x" * room})
    with pytest.raises(StoreError, match="409,601 bytes"):
        store.update_item("things", {"pk": "b"}, put={"x": ""})


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ("", 0),
        ("日本", 6),
        (0, 1),
        (7, 2),
        (-123, 3),
        (Decimal("0.0012"), 2),
        (12_000_000, 2),
        (Decimal("1E+100"), 2),
        (b"", 0),
        (b"abcd", 4),
        (True, 1),
        (None, 1),
        ({"ab", "c"}, 3),
        ({b"ab", b"cde"}, 5),
        ({1, 22}, 4),
        ([], 3),
        ({}, 3),
        (["ab", 1], 3 + 2 + 2 + 2),
        ({"k": {"l": "x"}}, 3 + 1 + 1 + 3 + 1 + 1 + 1),
    ],
)
def test_sizes_follow_dynamodbs_rules(value, size):
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    assert item_size(to_dynamodb({"name": value}))[0] == len("name") + size


def test_sizes_are_those_of_published_records(shared):
    for line in (shared / "data" / "records.jsonl").read_text().splitlines():
        change = canonical_change(json.loads(line))
        images = [json.loads(change[name]) for name in ("keys", "new_image", "old_image") if change[name]]
        assert sum(item_size(image)[0] for image in images) == change["size_bytes"]


@pytest.mark.parametrize("wrap", [lambda inner: {"m": inner}, lambda inner: [inner]])
def test_an_item_is_at_most_32_levels_deep(store, wrap):
    value: Any = "leaf"
    for _ in range(31):
        value = wrap(value)
    store.put_item("things", {"pk": "a", "x": value})
    assert item(store)["x"] == value
    assert "33 levels" in refused(store, x=wrap(value))
    for _ in range(5_000):
        value = wrap(value)
    assert "recursion" in refused(store, x=value)


@pytest.mark.parametrize("name", ["ab", "a" * 256, "with space", "slash/y", 'quo"te', "ü-table", "", "abc\n"])
def test_a_table_name_that_dynamodb_refuses_is_refused(store, name):
    with pytest.raises(StoreError, match="is no table name"):
        store.create_table(name, {"pk": "S"})


def test_a_table_is_made_once_with_one_or_two_typed_keys_and_dropped_with_all_it_holds(store):
    store.create_table("A_table.with-all-9", {"pk": "S", "sk": "B"})
    assert store.key_names("A_table.with-all-9") == ["pk", "sk"]
    for wrong in ({}, {"a": "S", "b": "S", "c": "S"}, {"pk": "BOOL"}):
        with pytest.raises(StoreError, match="a key is one or two attributes"):
            store.create_table("other", wrong)
    with pytest.raises(StoreError, match="exists already"):
        store.create_table("things", {"pk": "N"})
    store.put_item("things", {"pk": "a"})
    store.drop_table("things")
    with pytest.raises(StoreError, match=r"no table 'things' in the item store, but: A_table\.with-all-9"):
        store.put_item("things", {"pk": "a"})
    store.create_table("things", {"pk": "N"})
    assert list(store.scan("things")) == list(store.pending("things")) == []


def test_time_to_live_removes_what_is_over_and_not_more_than_five_years_old(store):
    at = int(NOW.timestamp())
    untils = {
        "over": at - 1,
        "fraction": at - Decimal("1.5"),
        "now": at,
        "later": at + 1,
        "text": str(at - 1),
        "ancient": at - 6 * 365 * 86_400,
        "none": None,
        "huge": 10**37,
    }
    for pk, until in untils.items():
        store.put_item("things", {"pk": pk, "until": until}, now=NOW - timedelta(days=1))
    store.put_item("things", {"pk": "without"}, now=NOW - timedelta(days=1))
    assert store.expire("things", NOW) == 3
    assert store.expire("things", NOW) == 0
    assert {gone["pk"] for gone in store.scan("things")} == {"later", "ancient", "text", "none", "huge", "without"}
    removed = records(store)[-3:]
    assert {record["dynamodb"]["Keys"]["pk"]["S"] for record in removed} == {"over", "fraction", "now"}
    for record in removed:
        assert record["userIdentity"] == {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
        assert canonical_change(record)["by_ttl"]


def test_an_item_whose_time_to_live_was_put_off_or_taken_away_stays(store):
    past = int(NOW.timestamp()) - 100
    for pk in ("off", "away"):
        store.put_item("things", {"pk": pk, "until": past})
    store.update_item("things", {"pk": "off"}, add={"until": 1_000})
    store.update_item("things", {"pk": "away"}, delete=["until"])
    assert store.expire("things", NOW) == 0


def test_a_record_is_what_kinesis_data_streams_for_dynamodb_writes(store):
    store.put_item("things", {"pk": "a", "n": 101}, now=NOW)
    store.put_item("things", {"pk": "a", "n": 102}, now=NOW)
    store.delete_item("things", {"pk": "a"}, now=NOW)
    first, second, third = records(store)
    assert first.pop("eventID") != second["eventID"] != third["eventID"]
    assert first == {
        "awsRegion": "local",
        "eventName": "INSERT",
        "userIdentity": None,
        "recordFormat": "application/json",
        "tableName": "things",
        "eventSource": "aws:dynamodb",
        "dynamodb": {
            "ApproximateCreationDateTime": 1_772_366_400_123_456,
            "ApproximateCreationDateTimePrecision": "MICROSECOND",
            "Keys": {"pk": {"S": "a"}},
            "NewImage": {"n": {"N": "101"}, "pk": {"S": "a"}},
            "SizeBytes": 3 + 3 + 4,
        },
    }
    assert second["dynamodb"]["OldImage"] == first["dynamodb"]["NewImage"]
    assert second["dynamodb"]["SizeBytes"] == 3 + 7 + 7
    assert third["dynamodb"]["OldImage"] == second["dynamodb"]["NewImage"]
    assert third["dynamodb"]["SizeBytes"] == 3 + 7
    assert "NewImage" not in third["dynamodb"]
    assert [canonical_change(record)["event_name"] for record in (second, third)] == ["MODIFY", "REMOVE"]
    assert canonical_change(second)["ts"] == "2026-03-01 12:00:00.123456"


def test_a_records_size_is_the_one_in_awss_sample_event(store):  # Lambda's test event "DynamoDB Update"
    store.create_table("sample", {"Id": "N"})
    store.put_item("sample", {"Id": 101, "Message": "New item!"})
    store.put_item("sample", {"Id": 101, "Message": "This item has changed"})
    store.delete_item("sample", {"Id": 101})
    assert [record["dynamodb"]["SizeBytes"] for record in records(store, "sample")] == [26, 59, 38]


def test_binary_is_encoded_twice_and_comes_back(store):
    raw = b"\0\xff no text"
    store.create_table("blobs", {"pk": "B"})
    store.put_item("blobs", {"pk": raw, "b": raw, "bs": {raw, b""}, "deep": {"l": [raw, {'B":': raw}]}, "s": '"B":'})
    (record,) = records(store, "blobs")
    for image in (record["dynamodb"]["Keys"]["pk"], record["dynamodb"]["NewImage"]["b"]):
        assert base64.b64decode(base64.b64decode(image["B"])) == raw
    change = canonical_change(record)
    (there,) = store.scan("blobs")
    assert from_dynamodb(json.loads(change["new_image"])) == there
    assert from_dynamodb(json.loads(change["keys"])) == {"pk": raw}


def test_what_cannot_be_opened_or_written_is_said_without_losing_anything(tmp_path):
    (tmp_path / "no.sqlite").write_text("this is no database, and long enough to be seen as none " * 20)
    with pytest.raises(StoreError, match=r"no\.sqlite cannot be opened"):
        ItemStore(tmp_path / "no.sqlite")
    with ItemStore(tmp_path / "items.sqlite") as store:
        store.create_table("things", {"pk": "S"})
        other = sqlite3.connect(tmp_path / "items.sqlite", isolation_level=None)
        store.connection.execute("pragma busy_timeout = 10")
        other.execute("begin immediate")
        with pytest.raises(StoreError, match="could not write: database is locked"):
            store.put_item("things", {"pk": "a"})
        other.execute("rollback")
        other.close()
        store.put_item("things", {"pk": "a"})
        assert events(store) == ["INSERT"]


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=5)
NUMBER = st.one_of(st.integers(-(10**9), 10**9), st.decimals(-1000, 1000, places=3))
SCALAR = st.one_of(TEXT, NUMBER, st.binary(max_size=4), st.booleans(), st.none())
SETS = st.one_of(*(st.frozensets(kind, min_size=1, max_size=3) for kind in (TEXT, NUMBER, st.binary(max_size=3))))
VALUE = st.recursive(
    st.one_of(SCALAR, SETS),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(TEXT, inner, max_size=2)),
    max_leaves=3,
)
ATTRIBUTES = st.dictionaries(st.sampled_from(["x", "y.z", 'B":', "until"]), VALUE, max_size=3)
KEY = st.sampled_from(["a", "ü", '"'])


class Table(RuleBasedStateMachine):
    """The store beside a plain dict."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.store = ItemStore(Path(self.folder.name) / "items.sqlite")
        self.store.create_table("things", {"pk": "S"}, ttl="until")
        self.model: dict[str, dict[str, Any]] = {}
        self.now = NOW

    def teardown(self) -> None:
        with self.store:
            pass
        self.folder.cleanup()

    @rule(pk=KEY, attributes=ATTRIBUTES)
    def put(self, pk, attributes):
        self.store.put_item("things", {**attributes, "pk": pk}, now=self.now)
        self.model[pk] = {**attributes, "pk": pk}

    @rule(pk=KEY, put=ATTRIBUTES, delete=st.lists(st.sampled_from(["x", "y.z", "w"]), max_size=2, unique=True))
    def update(self, pk, put, delete):
        delete = [name for name in delete if name not in put]
        self.store.update_item("things", {"pk": pk}, put=put, delete=delete, now=self.now)
        if pk in self.model or put or not delete:
            changed = {"pk": pk} | self.model.get(pk, {}) | put
            self.model[pk] = {name: value for name, value in changed.items() if name not in delete}

    @rule(pk=KEY, amount=NUMBER)
    def add(self, pk, amount):
        there = self.model.get(pk, {"pk": pk}).get("count", 0)
        self.store.update_item("things", {"pk": pk}, add={"count": amount}, now=self.now)
        self.model[pk] = {"pk": pk} | self.model.get(pk, {}) | {"count": there + Decimal(amount)}

    @rule(pk=KEY)
    def delete(self, pk):
        self.store.delete_item("things", {"pk": pk}, now=self.now)
        self.model.pop(pk, None)

    @rule(later=st.sampled_from([0, 1, 3600]), until=st.sampled_from([-5, 0, 5]), pk=KEY)
    def expire(self, later, until, pk):
        self.now += timedelta(seconds=later)
        self.put(pk, {"until": int(self.now.timestamp()) + until})
        self.store.expire("things", self.now)
        second, oldest = int(self.now.timestamp()), int((self.now - timedelta(days=5 * 365)).timestamp())
        over = [
            pk
            for pk, item in self.model.items()
            if type(item.get("until")) in (int, Decimal) and oldest <= int(item["until"]) <= second
        ]
        for each in over:
            del self.model[each]

    @invariant()
    def the_store_holds_what_the_dict_holds(self):
        assert images(self.store.scan("things")) == images(self.model.values())

    @invariant()
    def the_captured_changes_in_their_order_give_the_table_and_each_follows_the_last(self):
        table: dict[str, str] = {}
        for change in map(canonical_change, records(self.store)):
            assert change["old_image"] == table.pop(change["keys"], None) != change["new_image"]
            if change["new_image"]:
                table[change["keys"]] = change["new_image"]
        assert sorted(table.values()) == images(self.store.scan("things"))


def images(items: Any) -> list[str]:
    return sorted(canonical_json(to_dynamodb(each)) for each in items)


TestTable = Table.TestCase
TestTable.settings = examples(25, stateful_step_count=20)


def test_a_conditional_write_is_made_once_under_its_name(store):
    store.put_item("things", {"pk": "a", "n": 1})
    key = {"pk": {"S": "a"}}
    write = Write("things", "Update", key, None, (PathChange(("n",), {"N": "1"}, {"N": "2"}),))
    made = store.write_conditionally(write, source="plan", id="1")
    assert (made.written, made.before, made.new) == (True, False, key | {"n": {"N": "2"}})
    again = store.write_conditionally(write, source="plan", id="1")
    assert (again.written, again.before, again.old, again.new) == (True, True, made.old, made.new)
    failed = store.write_conditionally(write, source="plan", id="2")
    assert (failed.written, failed.old) == (False, key | {"n": {"N": "2"}})
    events = [json.loads(each)["eventName"] for each in store.records([n for n, _ in store.pending("things")])]
    assert events == ["INSERT", "MODIFY"]
    store.forget_writes("plan")
    assert not store.write_conditionally(write, source="plan", id="1").written


def test_an_item_is_deleted_as_a_whole_or_not(store):
    store.put_item("things", {"pk": "a", "n": 1, "more": 2})
    key = {"pk": {"S": "a"}}
    write = Write("things", "Delete", key, {"n": {"N": "1"}})
    whole = image_digest(key | {"n": {"N": "1"}})
    assert not store.write_conditionally(write, source="plan", id="1", whole=whole).written
    there = store.image("things", key)
    assert store.write_conditionally(write, source="plan", id="2", whole=image_digest(there)).old == there
    assert store.image("things", key) is None


def test_a_table_made_again_is_another_one(store):
    first = store.identity("things")
    assert first
    assert store.identity("things") == first
    store.drop_table("things")
    assert store.identity("things") is None
    store.create_table("things", {"pk": "S"})
    assert store.identity("things") not in (None, first)


def test_what_is_refused_conditionally_is_what_is_refused_else(store):
    store.put_item("things", {"pk": "a", "n": 1})
    large = {"S": "x" * 500_000}
    write = Write("things", "Update", {"pk": {"S": "a"}}, None, (PathChange(("n",), {"N": "1"}, large),))
    with pytest.raises(StoreError, match="bytes"):
        store.write_conditionally(write, source="plan", id="1")
    assert store.get_item("things", {"pk": "a"}) == {"pk": "a", "n": 1}
