"""An undo from end to end on AWS: planned from a log in S3, applied to the table in DynamoDB, and taken back."""

from __future__ import annotations

from datetime import timedelta

import orjson

from tests.helpers.aws.clients import session_of
from tests.helpers.aws.lake import athena, lake
from workbench import Workbench
from workbench.aws import dynamodb
from workbench.aws.dynamodb_values import native_image
from workbench.model.canonical import canonical_json
from workbench.model.times import END_OF_TIME
from workbench.questions.state import images_by_key, state_at


def test_a_table_goes_back_and_forth(empty, tmp_path):
    local = Workbench(lake(empty, tmp_path / "log"), home=tmp_path / "local")
    session, span = session_of(empty), local.changes("things")["ts"].sort_values()
    client, middle = session.client("dynamodb"), span.iloc[len(span) // 2]

    def state(at) -> list[str]:
        answered = images_by_key(state_at(local._asking, "things", at).rows)
        return sorted(canonical_json(orjson.loads(image)) for image in answered.values())

    def there() -> list[str]:
        return sorted(map(canonical_json, dynamodb.scan(session, "things")))

    client.create_table(
        TableName="things",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "N"},
        ],
    )
    for image in state(END_OF_TIME):
        client.put_item(TableName="things", Item=native_image(orjson.loads(image)))
    empty.faults.refuse("DescribeKinesisStreamingDestination", "AccessDeniedException", "which moto has not", times=99)
    wb = athena(empty, home=tmp_path / "home")
    undone = wb.undo("things", to=middle, live=True, ttl="until:keep")  # also what TTL removed
    assert undone.about.arn.startswith("arn:aws:dynamodb:")
    first = undone.apply(tmp_path / "plan.jsonl", yes=True, limit=2, why="a canary")
    assert (first.written, first.done) == (2, False)
    rest = wb.apply(tmp_path / "plan.jsonl", yes=True, rate=500)
    assert rest.done
    assert there() == state(middle) != state(END_OF_TIME)
    assert set(wb.undo("things", to=middle, live=True, ttl="until:keep").df["action"]) <= {"unchanged"}
    back = wb.undo("things", journal=rest.journal)
    assert back.apply(tmp_path / "back.jsonl", yes=True).done
    assert there() == state(END_OF_TIME)
    replayed = wb.undo("things", to=middle - timedelta(hours=1), live=True, key="pk=p-1")
    assert replayed.apply(tmp_path / "one.jsonl", yes=True).done
    wb.close()
    local.close()
