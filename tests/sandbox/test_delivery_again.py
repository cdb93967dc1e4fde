"""Delivery done again, at the same time, or of very large records."""

from __future__ import annotations

import gzip
import json
import threading
import time
from pathlib import Path
from typing import Any

from workbench.sandbox import ItemStore, deliver


def fill(store: ItemStore, count: int, **more: Any) -> None:
    with store.bulk():
        for number in range(count):
            store.put_item("things", {"pk": f"{number:05d}", **more})


def objects(lake: Path) -> list[list[str]]:
    """The keys in each object, in the order of the objects' names."""
    texts = [gzip.decompress(path.read_bytes()).decode() for path in sorted((lake / "data").rglob("things-*.gz"))]
    return [[json.loads(json.loads(line)["keys"])["pk"]["S"] for line in text.splitlines()] for text in texts]


def delivered(lake: Path) -> list[str]:
    return sorted(key for keys in objects(lake) for key in keys)


def test_several_deliveries_at_once_deliver_every_change_exactly_once(store, lake, tmp_path):
    fill(store, 3000)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            with ItemStore(tmp_path / "items.sqlite") as mine:
                deliver(mine, lake, "things", buffer_records=50)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert delivered(lake) == [f"{number:05d}" for number in range(3000)]
    assert list(lake.rglob(".*.part")) == []


def test_what_was_delivered_but_not_noted_takes_its_own_place_with_what_came_after(store, lake, monkeypatch):
    fill(store, 50)
    with monkeypatch.context() as cut:
        cut.setattr(store, "delivered", lambda *_: None)  # as if it was killed just before
        deliver(store, lake, "things", buffer_records=20)
    assert [len(keys) for keys in objects(lake)].count(20) == 2
    store.put_item("things", {"pk": "later"})
    time.sleep(1.1)  # the second of its arrival is part of an object's name
    deliver(store, lake, "things", buffer_records=20)
    assert delivered(lake) == [*(f"{number:05d}" for number in range(50)), "later"]


def test_an_object_is_full_after_its_bytes_too(store, lake, monkeypatch):
    monkeypatch.setattr("workbench.sandbox.delivery._LARGEST_OBJECT", 10_000)
    fill(store, 9, pad="x" * 4_000)
    deliver(store, lake, "things")
    assert sorted(map(len, objects(lake))) == [1, 2, 2, 2, 2]
