"""The same tests on the item store and on DynamoDB as moto has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.aws.fixtures import server  # noqa: F401
from tests.undo.places import DynamoPlace, Place, StorePlace
from workbench.aws import pacing


@pytest.fixture(params=["store", pytest.param("dynamodb", marks=pytest.mark.server)])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """An empty table."""
    made: Place = StorePlace(tmp_path / "items.sqlite")
    if request.param == "dynamodb":
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "testing")
        monkeypatch.setattr(pacing, "LONGEST_PAUSE", 0.01)
        made = DynamoPlace(request.getfixturevalue("server").endpoint)
    made.make()
    return made
