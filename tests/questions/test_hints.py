"""Conditions that can match nothing are told from those that do not, and an empty answer says why."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta

import pytest

from tests.helpers import lakes
from tests.helpers.logs import record
from tests.helpers.trust import NOON, image, key, made, micros
from workbench import Workbench
from workbench.errors import ParameterError

SPAN = "the log tells of changes from 2026-01-01 12:00:00 to 2026-01-01 14:00:00 UTC"


def delivered():
    """Three changes of a, one of b, which goes."""
    moments = [NOON + timedelta(hours=number) for number in range(3)]
    gone = record("REMOVE", key("b"), micros(NOON) + 1, old=image("b", 0), event_id="b1", ttl=True)
    return [*made("a", *moments), *made("b", NOON), (NOON + timedelta(seconds=5), gone)]


@pytest.fixture(scope="module")
def wb(tmp_path_factory):
    opened = Workbench(lakes.write(tmp_path_factory.mktemp("log"), delivered(), "raw"))
    yield opened
    opened.close()


def notes(told):
    return [note for note in told.stats.notes if "changes were read" not in note]


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ("ts > '2026-01-01 12:30'", ["a1", "a2"]),
        ("ts = '2026-01-01 13:00:00 UTC'", ["a1"]),
        ("ts between '2026-01-01T12:00Z' and '2026-01-01T13:00Z' and by_ttl = false", ["a0", "b0", "a1"]),
        ("not (ts < '2026-01-01T13:00Z')", ["a1", "a2"]),
        ("by_ttl = true", ["b1"]),
        ("event_name in ('REMOVE', 'INSERT')", ["a0", "b0", "b1"]),
        ("size_bytes > 9.5 and event_id like 'b%'", ["b0", "b1"]),
        ("size_bytes is absent", []),
        ("event_id <> 'a0'", ["b0", "b1", "a1", "a2"]),
        ("event_name = 'MODIFY' and new.v = 2", ["a2"]),
        ("old.v = 0 or ts > '2026-01-01T13:30Z'", ["b1", "a1", "a2"]),
    ],
)
def test_columns_of_changes_work_in_conditions(wb, where, ids):
    assert wb.changes("things", where=where).df["event_id"].tolist() == ids


@pytest.mark.parametrize(
    ("where", "keys"),
    [
        ("_changed_at >= '2026-01-01 14:00'", ["a"]),
        ("_deleted_at is absent", ["a"]),
        ("_deleted_at < '2026-01-02'", ["b"]),
        ("_by_ttl = true", ["b"]),
        ("not (_by_ttl = true)", ["a"]),
        ("_changed_at < '2026-01-01 13:00' or v = 2", ["a", "b"]),
    ],
)
def test_columns_of_the_latest_state_work_in_conditions(wb, where, keys):
    assert wb.latest_state("things", include_deleted=True, where=where).df["pk"].tolist() == keys


@pytest.mark.parametrize(
    ("where", "why"),
    [
        ("ts > 5", "ts is a time: compare it with a text like"),
        ("ts > 'soon'", "'soon' is not an instant"),
        ("size_bytes = '5'", "size_bytes is a number"),
        ("by_ttl = 'yes'", "by_ttl is true or false"),
        ("event_name = 'REMOVED'", "'REMOVED' is no event.*Did you mean 'REMOVE'"),
        ("ts like '2026%'", "like is for texts"),
    ],
)
def test_wrong_types_are_refused(wb, where, why):
    with pytest.raises(ParameterError, match=why):
        wb.changes("things", where=where)


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("V = 1", "no item in the log has 'V'. Did you mean 'v'?"),
        ("vv > 1", "no item in the log has 'vv'. Did you mean 'v'?"),
        ("v = '1'", "'v' is of type N in the log, and is compared with S"),
        ("ts > 5", "no item in the log has 'ts'. It is a column of changes, not of this."),
        ("V is absent", "no item in the log has 'V'. Did you mean 'v'?"),
        ("_changedat > '1'", "no item in the log has '_changedat'. Did you mean '_changed_at'?"),
        (
            "pk = Ann",
            "no item in the log has the attribute that 'pk' is compared with: a text stands in single quotes",
        ),
        ("pk = V.x", "no item in the log has 'V.x'."),
        ("size(V) > 1", "no item in the log has 'V'. Did you mean 'v'?"),
        ("contains(v, 'x')", "'v' is of type N in the log, and is compared with L, S, SS"),
        ("contains(v, 5)", "'v' is of type N in the log, and is compared with L, NS"),
        ("starts_with(v, 'x')", "'v' is of type N in the log, and is compared with S"),
        ("size(v) > 1 and v > 1", SPAN),
        ("v > v", SPAN),
    ],
)
def test_a_condition_that_can_match_nothing_is_said(wb, where, said):
    assert notes(wb.latest_state("things", where=where)) == [said]


def test_a_condition_on_what_is_there_says_nothing(wb):
    assert notes(wb.latest_state("things", where="v = 2 and pk = 'a'")) == []
    assert notes(wb.changes("things", where="new.v = 2 or old.pk = 'b'")) == []


def test_what_may_be_a_value_of_a_masked_attribute_is_no_hint(tmp_path):
    log = lakes.write(tmp_path / "log", delivered(), "raw")
    with closing(Workbench(log, home=tmp_path / "home", mask=["pk"])) as masked:
        for where in ("pk = Ann", "pk = Ann.Lee", "pk <> old.Ann and v > 9", "v >= 0 and pk = Ann[0]"):
            told = masked.changes("things", where=where)
            assert "Ann" not in repr(told) + told.sql + str(told.stats) + str(told.asked)


def test_an_empty_answer_says_from_when_to_when_the_log_tells(wb):
    assert notes(wb.latest_state("things", as_of="2025-12-31")) == [SPAN]
    assert notes(wb.changes("things", start="2026-02-01")) == [SPAN]
    assert notes(wb.item_history("things", "pk=never")) == [SPAN]
    assert notes(wb.latest_state("things", where="v = 99")) == [SPAN]
    assert notes(wb.changes("things", start=NOON)) == []
