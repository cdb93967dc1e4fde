"""A server that answers for DynamoDB takes the elements of writes as they are, and does with them what they say.

moto takes a NULL in a condition for equal to an attribute that is absent, which DynamoDB does not; such cases are left
out. What moto takes though DynamoDB refuses it is tested in `tests.model.test_write_limits`, whose validator every
element goes through.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from tests.helpers.items import attributes, changed, pairs
from tests.helpers.profiles import examples
from workbench.model.canonical import canonical_json
from workbench.model.item_writes import Write, batch_requests, writes_of
from workbench.model.write_limits import faults

HASH = {"pk": {"S": "p-1"}}
KEY = {**HASH, "sk": {"B": "AAE="}}
Call = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def call(aws_server: str) -> Call:
    """Send a request of DynamoDB's API as it is written, without an SDK between."""
    session = requests.Session()

    def call(action: str, **body: Any) -> dict[str, Any]:
        headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"DynamoDB_20120810.{action}",
            "Authorization": "AWS4-HMAC-SHA256 Credential=testing/20261118/eu-central-1/dynamodb/aws4_request",
        }
        answer = session.post(aws_server, data=json.dumps(body), headers=headers, timeout=30)
        return answer.json()

    session.post(f"{aws_server}/moto-api/reset", timeout=10)
    for table, key in (("things", {"pk": "S", "sk": "B"}), ("persons", {"pk": "S"})):
        made = call(
            "CreateTable",
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": n, "KeyType": t} for n, t in zip(key, ("HASH", "RANGE"), strict=False)],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in key.items()],
        )
        assert "TableDescription" in made, made
    return call


def send(call: Call, *writes: Write) -> bool:
    """Send writes as one transaction, and return whether their conditions held."""
    for write in writes:
        assert not faults(write.element())
    answer = call("TransactWriteItems", TransactItems=[write.element() for write in writes])
    if "__type" in answer:
        assert answer["__type"].endswith("TransactionCanceledException"), answer
        assert "ConditionalCheckFailed" in json.dumps(answer), answer
    return "__type" not in answer


def there(call: Call, key: Any, table: str = "things") -> Any:
    return call("GetItem", TableName=table, Key=key, ConsistentRead=True).get("Item")


def put(call: Call, image: Any) -> None:
    if image is None:
        call("DeleteItem", TableName="things", Key=KEY)
    else:
        assert "__type" not in call("PutItem", TableName="things", Item=image)


def text(image: Any) -> str | None:
    return None if image is None else canonical_json(image)


def null_of_nothing(write: Write, image: Any) -> bool:
    """Whether a condition compares NULL with what is not there."""
    compared = [((name,), value) for name, value in (write.item or {}).items()]
    compared += [(change.path, change.expected) for change in write.changes]
    for path, value in compared:
        found = {"M": image or {}}
        for name in path:
            found = (found or {}).get("M", {}).get(name)
        if value == {"NULL": True} and found is None:
            return True
    return False


@examples(100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pairs(), st.integers(0, 9), st.data())
def test_writes_do_on_a_server_what_they_say(call, pair, which, data):
    now, after = ({**KEY, **image} for image in pair)
    now, after = None if which == 0 else now, None if which == 1 else after
    writes = writes_of("things", ["pk", "sk"], now, after)
    get, send_one = partial(there, call, KEY), partial(send, call)
    put(call, now)
    for write in writes:
        assert Write.read(write.element()) == write
        done = write.done(get())
        assert send_one(write)
        assert text(get()) == text(done)
    assert text(get()) == text(after)
    for write in writes[::-1]:
        assert send_one(write.reversed(now))
    assert text(get()) == text(now)
    other = None if which == 2 else {**KEY, **data.draw(changed(pair[0]) | attributes)}
    for write in writes:
        if null_of_nothing(write, other):
            continue
        put(call, other)
        assert send_one(write) == write.holds(other), write
        assert text(get()) == text(write.done(other) if write.holds(other) else other)


@pytest.mark.parametrize("added", [False, True])
def test_many_writes_are_one_transaction(call, added):
    images = {
        number: {"pk": {"S": f"{added} {number}"}, **{f"a{each}": {"N": str(each)} for each in range(number * 10)}}
        for number in range(1, 30)
    }
    old: dict[int, Any] = {number: None if added else image for number, image in images.items()}
    new = {number: image if added else {**image, "a1": {"S": "é"}} for number, image in images.items()}
    writes = [write for number in images for write in writes_of("persons", ["pk"], old[number], new[number])]
    assert len(writes) == len(images)
    for image in old.values():
        if image:
            call("PutItem", TableName="persons", Item=image)
    assert send(call, *writes)
    for image in new.values():
        assert text(there(call, {"pk": image["pk"]}, "persons")) == text(image)
    assert not send(call, *writes)


def test_batches_are_taken_as_they_are(call):
    items = [({"pk": {"S": f"b-{number}"}}, {"pk": {"S": f"b-{number}"}, "b": {"B": "AAE="}}) for number in range(60)]
    for batch in batch_requests("persons", items):
        assert call("BatchWriteItem", RequestItems=batch)["UnprocessedItems"] == {}
    assert all(there(call, key, "persons") == image for key, image in items)
    for batch in batch_requests("persons", [(key, None) for key, _ in items]):
        call("BatchWriteItem", RequestItems=batch)
    assert not any(there(call, key, "persons") for key, _ in items)
