"""Undo on the embedded item store from end to end: what goes wrong around a plan, and what is asked for wrongly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from workbench import Workbench
from workbench.model.canonical import canonical_json
from workbench.sandbox import ItemStore
from workbench.sandbox.delivery import deliver

NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)


def minute(number: float) -> datetime:
    return NOON + timedelta(minutes=number)


class Table:
    """A table of the item store, and the lake that its changes are delivered to."""

    def __init__(self, home: Path, **key: str) -> None:
        self.home = home
        with self.store() as store:
            store.create_table("things", key or {"pk": "S"})

    def store(self) -> ItemStore:
        return ItemStore(self.home / "store.sqlite")

    def put(self, at: float, item: Mapping[str, Any]) -> None:
        with self.store() as store:
            store.put_item("things", item, now=minute(at))

    def deliver(self) -> None:
        with self.store() as store:
            deliver(store, self.home / "lake", "things")

    def workbench(self, **settings: Any) -> Workbench:
        return Workbench(home=self.home, **settings)

    def items(self) -> dict[str, str]:
        with self.store() as store:
            return {key: canonical_json(json.loads(image)) for key, image in store.images("things")}

    def plan(self, **asked: Any) -> Path:
        self.deliver()
        return self.workbench().undo("things", **asked).save(self.home / "plan.jsonl")


def test_a_binary_key_that_was_asked_for_is_asked_for_again_when_it_is_applied(tmp_path):
    table = Table(tmp_path, pk="B")
    key = {"pk": b"\x00\xff"}
    table.put(0, {**key, "x": 1})
    before = table.items()
    table.put(1, {**key, "x": 9})
    plan = table.plan(start=minute(1), key=key)
    assert table.workbench().apply(plan, yes=True).done
    assert table.items() == before
