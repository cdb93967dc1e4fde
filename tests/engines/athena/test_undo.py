"""Undo on Athena: planned from the log there, looked at in DynamoDB, applied to it, and taken back."""

from __future__ import annotations

import json
from contextlib import closing

import pytest

from tests.helpers import lakes
from tests.helpers.aws.clients import session_of
from tests.helpers.aws.lake import athena, lake
from tests.helpers.questions import LATER, same
from workbench import Workbench
from workbench.aws import dynamodb
from workbench.aws.dynamodb_values import native_image
from workbench.errors import ParameterError, StoreError
from workbench.model.canonical import canonical_json, canonical_keys
from workbench.model.times import instant


def state(wb: Workbench, at: str = "2099-01-01") -> dict[str, str]:
    rows = wb._engine.ask("latest_state", "things", as_of=instant(at)).rows.to_pylist()
    return {row["keys"]: canonical_json(json.loads(row["image"])) for row in rows if row["image"]}


def table(server, items: dict[str, str], **more) -> None:
    """A table of DynamoDB that holds these items."""
    client = session_of(server).client("dynamodb")
    kinds = {"pk": "S", "sk": "N"}
    client.create_table(
        TableName="things",
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in (("pk", "HASH"), ("sk", "RANGE"))],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in kinds.items()],
        BillingMode="PAY_PER_REQUEST",
        **more,
    )
    for image in items.values():
        client.put_item(TableName="things", Item=native_image(json.loads(image)))


def held(server) -> dict[str, str]:
    found = dynamodb.scan(session_of(server), "things")
    return {
        canonical_keys({name: image[name] for name in ("pk", "sk")}): canonical_json(dict(image)) for image in found
    }


def test_a_table_goes_back_to_an_instant_and_forward_again(empty, tmp_path):
    on_files = Workbench(lake(empty, tmp_path / "log", "raw", seed=4))
    latest, then = state(on_files), state(on_files, LATER)
    stream = {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}}
    table(empty, latest, **stream)
    session_of(empty).client("dynamodb").update_time_to_live(
        TableName="things", TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
    )
    with closing(athena(empty, home=tmp_path / "home")) as wb:
        undone = wb.undo("things", to=LATER, live=True)
        same(undone.df, on_files.undo("things", to=LATER).df)
        assert undone.about.arn.startswith("arn:aws:dynamodb:eu-central-1:")
        assert undone.about.table_id
        assert undone.about.rules.ttl == "expires"
        assert tuple(undone.about.key) == ("pk", "sk")
        assert any("sets off a stream of its changes" in note for note in undone.stats.notes)
        gone = {each.key for each in undone.planned if each.action == "gone"}  # by TTL
        plan = undone.save(tmp_path / "plan.jsonl")
        assert wb.apply(plan, yes=True, limit=3).left == undone.writes - 3
        assert wb.apply(plan, yes=True).done
        assert held(empty) == {key: image for key, image in then.items() if key not in gone}
        back = wb.undo("things", journal=tmp_path / "plan.jsonl.journal")
        assert wb.apply(back.save(tmp_path / "back.jsonl"), yes=True).done
        assert held(empty) == latest


def test_the_table_is_looked_at_and_read_only_where_asked_for(empty, tmp_path):
    on_files = Workbench(lake(empty, tmp_path / "log", seed=4))
    table(empty, state(on_files))
    with closing(athena(empty, home=tmp_path / "home")) as wb:
        asked = {"start": LATER, "end": "2026-11-18T20:00Z"}
        client = session_of(empty).client("dynamodb")
        expected = on_files.undo("things", **asked)
        (first, *_) = [each for each in expected.planned if each.action == "update"]
        client.update_item(
            TableName="things",
            Key=native_image(json.loads(first.key)),
            UpdateExpression="SET added = :a",
            ExpressionAttributeValues={":a": {"S": "meanwhile"}},
        )
        before = empty.requests.count(("dynamodb", "BatchGetItem"))
        same(wb.undo("things", **asked).df, expected.df)
        assert empty.requests.count(("dynamodb", "BatchGetItem")) == before
        read = wb.undo("things", **asked, live=True)
        assert any("as by changes on their way: 1 item" in note for note in read.stats.notes)
        assert empty.requests.count(("dynamodb", "BatchGetItem")) > before
        described = empty.requests.count(("dynamodb", "DescribeTable"))
        assert wb.undo("things", **asked, live=False).about.arn is None
        assert empty.requests.count(("dynamodb", "DescribeTable")) == described


def test_another_table_of_that_name_and_none_are_told(empty, tmp_path):
    lake(empty, tmp_path / "log", made=lakes.records(1, 40))
    with closing(athena(empty, home=tmp_path / "home")) as wb:
        assert wb.undo("things", to=LATER).about.arn is None, "there is no such table: planned from the log alone"
        with pytest.raises(StoreError, match="there is no table 'things' in DynamoDB"):
            wb.undo("things", to=LATER, live=True)
        session_of(empty).client("dynamodb").create_table(
            TableName="things",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        with pytest.raises(ParameterError, match="is it another table of that name"):
            wb.undo("things", to=LATER)
