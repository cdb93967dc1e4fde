"""An item store with one table, and a lake to deliver it into."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.sandbox import ItemStore


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return tmp_path / "lake"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ItemStore]:
    with ItemStore(tmp_path / "items.sqlite") as made:
        made.create_table("things", {"pk": "S"})
        yield made
