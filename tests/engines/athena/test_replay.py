"""A state, and the changes of a window, asked of Athena and written into a table of DynamoDB."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.helpers.aws.clients import session_of
from tests.helpers.aws.lake import athena, lake
from tests.questions.test_replay import images
from workbench import Workbench
from workbench.aws import dynamodb
from workbench.errors import ParameterError
from workbench.model.canonical import canonical_json


def test_a_state_and_changes_go_to_dynamodb_too(empty, tmp_path):
    folder = lake(empty, tmp_path / "log")
    local = Workbench(folder, home=tmp_path / "local")
    wb = athena(empty, home=tmp_path / "home")
    session = session_of(empty)
    session.client("dynamodb").create_table(
        TableName="copy",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "N"},
        ],
    )
    span = local.changes("things")["ts"]
    middle = span.sort_values().iloc[len(span) // 2]
    assert wb.replay("things", "copy", as_of=middle, rate=1_000).done
    changes = wb.replay("things", "copy", start=middle + timedelta(microseconds=1))
    assert changes.done
    assert changes.lines > 20
    assert local.replay("things", "copy").done
    found = sorted(canonical_json(image) for image in dynamodb.scan(session, "copy"))
    assert found == images(local, "copy")
    with pytest.raises(ParameterError, match="is the table itself"):
        wb.replay("things", "things")
    wb.close()
    local.close()
