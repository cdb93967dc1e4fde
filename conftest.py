"""What the examples in docstrings find there: `wb`, a workbench over a small lake that is the same on any day."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from _pytest.doctest import DoctestItem


@pytest.fixture(scope="session")
def workbench_of_examples(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Sixty changes of twelve persons."""
    from workbench import Workbench

    folder = tmp_path_factory.mktemp("examples")
    wb = Workbench(home=folder / ".workbench")
    wb.generate("persons", items=12, changes=60, seed=7, start="2025-11-17", end="2025-11-21", progress=False)
    return wb


@pytest.fixture(autouse=True)
def names_of_examples(
    request: pytest.FixtureRequest, doctest_namespace: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Give an example that asks `wb` one, and a folder of its own to write to."""
    if isinstance(request.node, DoctestItem) and request.node.dtest and "wb." in (request.node.dtest.docstring or ""):
        doctest_namespace["wb"] = request.getfixturevalue("workbench_of_examples")
        monkeypatch.chdir(tmp_path)
