"""The policies that docs/bucket.md shows as text allow what the app's own do: no action more, and none less."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.infra.conftest import resources

POLICIES = Path("docs/policies")


def actions(statements: list[dict[str, Any]]) -> dict[str, set[str]]:
    """The actions of each statement, by its name; those on a key, which a bucket without one needs none of, left out."""
    listed = {each["Sid"]: each["Action"] for each in statements}
    found = {name: {action} if isinstance(action, str) else set(action) for name, action in listed.items()}
    return {name: each for name, each in found.items() if not any(action.startswith("kms:") for action in each)}


@pytest.mark.parametrize(
    ("file", "kind", "like", "only_here"),
    [
        ("undo.json", "AWS::IAM::ManagedPolicy", "SourceUndo", set()),
        ("analyst.json", "AWS::IAM::ManagedPolicy", "Analyst", set()),
        ("console.json", "AWS::IAM::ManagedPolicy", "Console", set()),
        ("export.json", "AWS::IAM::ManagedPolicy", "Exporter", set()),
        ("read-exports.json", "AWS::IAM::ManagedPolicy", "ExportReader", set()),
        ("firehose.json", "AWS::IAM::Policy", "DeliveryRole", {"Log"}),  # to CloudWatch, which the page leaves out
    ],
)
def test_a_policy_that_is_shown_is_that_of_the_app(variants, file, kind, like, only_here):
    variant = {"SourceUndo": "undo", "Exporter": "reports", "ExportReader": "reports"}.get(like, "delimiter")
    (policy,) = [each for name, each in resources(variants[variant], kind).items() if like in name]
    own = actions(policy["Properties"]["PolicyDocument"]["Statement"])
    assert actions(json.loads((POLICIES / file).read_text())["Statement"]) == {
        name: each for name, each in own.items() if name not in only_here
    }
