"""The explorer on Athena: versions and changes are a query each, within `max_scan_bytes`, and no move is another."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.explorer.test_states import cells, view
from tests.helpers.aws.lake import athena, lake
from workbench import Workbench
from workbench.errors import ScanRefused


def test_versions_and_changes_are_asked_for_once_and_moves_are_local(empty, tmp_path: Path):
    files = Workbench(lake(empty, tmp_path / "log", "envelope", "dt="))
    wb = athena(empty)
    explorer, expected = wb.explore("things"), files.explore("things")
    asked = len(wb._engine.finished)
    assert asked
    facts, of_files = explorer.facts(), expected.facts()
    assert {name: facts[name] for name in ("edges", "changes", "span")} == {
        name: of_files[name] for name in ("edges", "changes", "span")
    }
    assert sum(map(sum, facts["changes"].values())) == files.change_frequency("things").df["changes"].sum()
    assert explorer._answer.stats.queries == tuple(wb._engine.finished), "both, and no other, are told"
    assert "scanned" in facts["summary"]
    for instant in explorer._states.instants.tolist()[::7]:
        answers = [view(each, at=instant, sort=2, step=0) for each in (explorer, expected)]
        assert answers[0] == answers[1]
        assert cells(explorer.state) == cells(expected.state)
    assert view(explorer, compare=int(explorer._states.instants[0]), mode="difference")["comparison"]["rows"]
    assert explorer.answer({"kind": "item", "item": 0})["told"]
    assert len(wb._engine.finished) == asked, "a move is no query"
    for each in (files, wb):
        each.close()


def test_more_than_may_be_scanned_is_refused_before_it_starts(empty, tmp_path: Path):
    lake(empty, tmp_path / "log", "envelope", "dt=")
    wb = athena(empty, max_scan_bytes=1)
    with pytest.raises(ScanRefused):
        wb.explore("things")
    wb.close()
