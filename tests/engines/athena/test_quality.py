"""What is odd in a log is found on Athena as it is on files."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.helpers.aws.lake import athena, lake
from tests.helpers.questions import same
from tests.helpers.trust import LOGS, NOON, made
from tests.questions.test_quality import agrees
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
    monkeypatch.setattr("workbench.questions.examination.now", lambda: NOON + timedelta(minutes=61))
    wb = athena(empty)
    assert wb.data_quality("things", max_age="1h").df.set_index("finding").loc["freshness", "status"] == "failed"
    wb.close()


def test_every_answer_tells_the_newest_change_of_the_log_or_that_it_is_not_known(empty, tmp_path):
    last = NOON + timedelta(hours=30)
    folder = lake(empty, tmp_path, "raw", made=made("a", NOON, last) + made("b", NOON))
    on_files, on_athena = Workbench(folder), athena(empty)
    for ask in (
        lambda wb: wb.changes("things", start=NOON + timedelta(hours=20)),
        lambda wb: wb.latest_state("things"),
        lambda wb: wb.changes("things", key="pk=b"),
        lambda wb: wb.item_history("things"),
        lambda wb: wb.change_frequency("things"),
        lambda wb: wb.change_frequency("things", by="attribute"),
        lambda wb: wb.data_quality("things"),
    ):
        found, expected = ask(on_athena), ask(on_files)
        assert found.stats.newest_change == expected.stats.newest_change == last
        assert "newest change 2026-01-02 18:00:00 UTC · newest object of" in found.summary
    told = on_athena.change_frequency("things", end=NOON + timedelta(hours=1))  # what came after it may be newer
    assert told.stats.newest_change is None
    assert "newest change not known" in told.summary
    told = on_athena.changes("things", start=last + timedelta(hours=12))  # and what came before it, where it is empty
    assert told.stats.newest_change is None
    assert f"to {last:%Y-%m-%d %H:%M:%S} UTC" in told.summary
    on_athena.close()


def test_the_newest_change_is_not_guessed_where_lines_are_not_counted(empty, tmp_path):
    lake(empty, tmp_path, "raw", made=made("a", NOON))
    wb = athena(empty, count_unreadable=False)
    assert wb.latest_state("things").stats.newest_change is None
    wb.close()
