"""What a report remembers of the questions that it asked: enough to tell what it stands on, and no value."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.lakes import records, write
from workbench import Workbench
from workbench.questions.answers_noted import REPORT, NotedAnswer, note, noted
from workbench.reports import Status
from workbench.reports.run import _of_answers, _status


@pytest.fixture
def scratch(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv(REPORT, str(tmp_path))
    return tmp_path


def test_an_answer_is_noted_with_where_it_is_from_and_how_fresh_that_was(scratch):
    log = write(scratch / "log", records(1), "envelope")
    wb = Workbench(log, mask=["a"])
    result = wb.changes("things", where="new.a is not null")
    (answer,) = noted(scratch)
    assert (answer.question, answer.table, answer.rows) == ("changes", "things", len(result))
    assert (answer.source, answer.engine, answer.account) == (str(log), "duckdb", None)
    assert (answer.newest_change, answer.newest_arrival) == (result.stats.newest_change, result.stats.last_arrival)
    assert (answer.masks, answer.live, answer.queries, answer.cost) == (("a",), False, 0, 0.0)
    told = _of_answers([answer], wb.settings)
    assert told["known_at"] == result.stats.last_arrival
    assert told["seconds_in_questions"] == round(result.stats.seconds, 3)
    assert (told["tables"], told["masks"]) == (["things"], ["a"])


def test_what_stands_on_more_than_the_log_cannot_be_repeated(scratch):
    wb = Workbench(home=scratch / "home")
    wb.generate("persons", items=10, changes=40)
    wb.latest_state("persons")
    assert _of_answers(noted(scratch), wb.settings)["known_at"] is not None
    for ask in (
        lambda: wb.reconcile("persons"),
        lambda: wb.undo("persons", to="2026-11-01"),
        lambda: wb.check(),
    ):
        (scratch / "answers.jsonl").unlink()
        wb.latest_state("persons")
        ask()
        answers = noted(scratch)
        assert [answer.live for answer in answers] == [False, True]
        told = _of_answers(answers, wb.settings)
        assert told["known_at"] is None
        assert told["newest_arrival"] is not None


def test_buckets_in_which_nothing_changed_tell_of_nothing_and_states_are_no_changes(scratch):
    wb = Workbench(write(scratch / "log", records(1), "envelope"))
    assert len(wb.change_frequency("things", every="1h", start="1999-01-01", end="1999-01-02")) == 24
    assert len(wb.versions("things"))
    assert [answer.rows > 0 for answer in noted(scratch)] == [False, True]
    assert _status(Status.COMPLETE, noted(scratch)) is Status.EMPTY
    wb.change_frequency("things", every="1h")
    assert _status(Status.COMPLETE, noted(scratch)) is Status.COMPLETE


def test_nothing_is_noted_where_no_report_is_made(tmp_path, monkeypatch):
    monkeypatch.delenv(REPORT, raising=False)
    monkeypatch.chdir(tmp_path)
    note(NotedAnswer(question="changes"))
    assert list(tmp_path.iterdir()) == []


def test_a_line_that_a_killed_kernel_left_half_is_passed_over(scratch):
    note(NotedAnswer(question="changes", table="things"))
    with (scratch / "answers.jsonl").open("a") as notes:
        notes.write('{"question": "chan')
    assert [answer.table for answer in noted(scratch)] == ["things"]


def test_what_cannot_be_noted_fails_the_cell(scratch):
    (scratch / "answers.jsonl").mkdir()
    with pytest.raises(OSError):
        note(NotedAnswer(question="changes"))
