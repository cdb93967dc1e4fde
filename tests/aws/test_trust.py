"""What is odd in a log is found on Athena as it is on files."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.aws.conftest import athena, lake
from tests.questions import same
from tests.test_trust import agrees
from tests.trust import LOGS, NOON, made
from workbench import Workbench


@pytest.mark.parametrize("name", LOGS)
def test_what_is_odd_is_found_and_nothing_else(empty, tmp_path, name):
    delivered, wanted = LOGS[name]
    folder = lake(empty, tmp_path, "raw", made=delivered())
    on_files, on_athena = Workbench(folder), athena(empty)
    told = on_athena.data_quality("things")
    agrees(told, wanted)
    expected = on_files.data_quality("things")
    for one, other in ((told.df, expected.df), (told.lag, expected.lag), (told.gaps, expected.gaps)):
        same(one, other)
    on_athena.close()


def test_an_age_that_is_asked_for_fails(empty, tmp_path, monkeypatch):
    lake(empty, tmp_path, "raw", made=made("a", NOON))
    monkeypatch.setattr("workbench.quality.now", lambda: NOON + timedelta(minutes=61))
    wb = athena(empty)
    assert wb.data_quality("things", max_age="1h").df.set_index("finding").loc["freshness", "status"] == "failed"
    wb.close()
