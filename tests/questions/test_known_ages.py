"""Ages in an answer from a log as it was known at an instant are those of that instant, so that it can be repeated."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from tests.helpers.logs import chain, micros, write_log
from workbench import Workbench
from workbench.model import times

KNOWN = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize("later", [timedelta(days=1), timedelta(days=90)])
def test_ages_are_told_at_the_instant_the_log_was_known_at(tmp_path, monkeypatch, later):
    item = {"pk": {"S": "a"}, "status": {"S": "new"}}
    records = chain({"pk": {"S": "a"}}, [(micros("2026-01-01T12:00:00"), item)])
    log = write_log(tmp_path / "2026/01/01/12", records, name="things-1-2026-01-01-12-00-00-4f1c")
    monkeypatch.setattr(times, "now", lambda: KNOWN + later)
    wb, day = Workbench(log, known_at=KNOWN), pd.Timedelta(hours=12)
    assert wb.transitions("things", "status").longest["age"].tolist() == [day]
    assert wb.stale("things", "2026-01-02T00:00Z").df["age"].tolist() == [day]
    ended = chain({"pk": {"S": "b"}}, [(micros("2026-01-01T06:00:00"), item), (micros("2026-01-01T23:00:00"), None)])
    write_log(log, ended, name="things-1-2026-01-01-12-30-00-4f1c")
    assert wb.lifetimes("things").survival["at_risk"].tolist() == [1]
