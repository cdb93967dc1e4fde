"""Alerts: a small strict grammar, and what breaks a rule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from workbench.errors import ParameterError
from workbench.reports.alerts import broken, comparable_before, parse
from workbench.reports.record import Headline, RunRecord, Status, Window

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def run(day: int = 0, status: Status = Status.COMPLETE, **numbers: float | None) -> RunRecord:
    return RunRecord(
        name="daily",
        run=f"r{day}",
        notebook="a.ipynb",
        title="What?",
        status=status,
        seconds=1,
        tables=["persons"],
        started=NOON + timedelta(days=day),
        headlines=[Headline(name=name, value=value, text=str(value)) for name, value in numbers.items()],
    )


def says(rule: str, record: RunRecord, *earlier: RunRecord) -> list[str]:
    return [alert.says for alert in broken([parse(rule)], None, record, earlier)]


@pytest.mark.parametrize(
    ("text", "headline", "relation", "limit"),
    [
        ("deletes > 5%", "deletes", ">", 0.05),
        ("deletes>5 %", "deletes", ">", 0.05),
        ("changes < 1,000,000", "changes", "<", 1_000_000),
        ("balance >= -2.5", "balance", ">=", -2.5),
        ("lag <= 15min", "lag", "<=", 900),
        ("lag <= 1h30m", "lag", "<=", 5_400),
        ("late_changes = 0", "late_changes", "=", 0),
        ("late != 0", "late", "!=", 0),
        ("changes drops 50%", "changes", "drops", 0.5),
        ("änderungen rises 200%", "änderungen", "rises", 2),
    ],
)
def test_a_rule_is_a_name_a_relation_and_a_limit(text, headline, relation, limit):
    rule = parse(text)
    assert (rule.headline, rule.relation, rule.text) == (headline, relation, text)
    assert rule.limit == pytest.approx(limit)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "deletes",
        "deletes >",
        "> 5",
        "deletes 5%",
        "deletes > 5% or 1",
        "deletes > x",
        "a.b > 1",
        "changes drops 5",
        "changes > 1e5x",
        "__import__('os') > 1",
        "a > 1; b > 2",
        "changes falls 5%",
        "deletes > 1,00",
    ],
)
def test_all_else_is_refused_with_the_place_and_examples(text):
    with pytest.raises(ParameterError, match=r"is no rule.*write it like 'deletes > 5%'"):
        parse(text)


@pytest.mark.parametrize(
    ("rule", "value", "breaks"),
    [
        ("n > 5", 6, True),
        ("n > 5", 5, False),
        ("n >= 5", 5, True),
        ("n < 5", 5, False),
        ("n < 5", 4, True),
        ("n <= 5", 5, True),
        ("n = 0", 0, True),
        ("n != 0", 0, False),
        ("n != 0", 1, True),
        ("n > 5%", 0.06, True),
        ("n > 5", None, False),
    ],
)
def test_a_rule_is_broken_by_the_number(rule, value, breaks):
    assert says(rule, run(n=value)) == (["n is " + str(value)] if breaks else [])


@pytest.mark.parametrize(
    ("rule", "then", "now", "breaks"),
    [
        ("n drops 50%", 100, 50, True),
        ("n drops 50%", 100, 51, False),
        ("n drops 50%", 100, 500, False),
        ("n rises 100%", 100, 200, True),
        ("n rises 100%", 100, 199, False),
        ("n rises 100%", 0, 1, True),
        ("n rises 100%", 0, 0, False),
        ("n drops 50%", -10, -20, True),
        ("n drops 0%", 5, 5, False),
        ("n drops 50%", None, 5, False),
    ],
)
def test_a_rule_may_be_on_the_run_before(rule, then, now, breaks):
    found = says(rule, run(1, n=now), run(0, n=then))
    assert found == ([f"n is {now}, after {then} in the run before"] if breaks else [])


def test_a_headline_that_is_not_there_is_an_alert_of_its_own():
    assert says("delets > 5%", run(changes=1, deletes=0.5)) == [
        "the run has no headline 'delets': it has changes, deletes. Did you mean 'deletes'?"
    ]
    assert says("x > 5%", run(changes=1)) == ["the run has no headline 'x': it has changes"]
    assert says("deletes > 5%", run()) == ["the run has no headline 'deletes': it has none"]


def test_the_run_before_is_the_latest_complete_one_of_the_same_thing():
    window = Window(asked="yesterday", start=NOON - timedelta(days=1), end=NOON)
    month = window.model_copy(update={"start": NOON - timedelta(days=30)})
    today = run(9, n=1).model_copy(update={"window": window})
    like = run(1, n=2).model_copy(update={"window": window, "parameters": {"start": "2026-11-19T12:00:00Z"}})
    others = [
        run(2, n=3),  # of no window
        run(3, n=4).model_copy(update={"window": month}),
        run(4, Status.FAILED, n=5).model_copy(update={"window": window}),
        run(5, n=6).model_copy(update={"window": window, "tables": ["orders"]}),
        run(6, n=7).model_copy(update={"window": window, "parameters": {"every": "1d"}}),
        run(10, n=8).model_copy(update={"window": window}),  # later
    ]
    assert comparable_before(today, [*others, like]) == like
    assert comparable_before(today, others) is None
    assert says("n drops 10%", today, *others, like) == ["n is 1, after 2 in the run before"]


def test_the_days_on_which_clocks_are_changed_are_as_long_as_others():
    lengths = [
        run(day, n=1).model_copy(update={"window": Window(asked="x", start=NOON, end=NOON + timedelta(hours=hours))})
        for day, hours in enumerate((25, 23))
    ]
    assert comparable_before(lengths[1], lengths) == lengths[0]


@pytest.mark.parametrize(
    ("update", "expected"),
    [
        ({"newest_arrival": NOON - timedelta(hours=6)}, []),
        ({"newest_arrival": NOON - timedelta(hours=7)}, ["the newest change arrived 7 h before the run began"]),
        ({"newest_change": NOON - timedelta(days=2)}, ["the newest change was made 2 d before the run began"]),
        ({"newest_arrival": NOON, "newest_change": NOON - timedelta(days=2)}, []),
        ({}, ["no change was read that would tell how old the log is"]),
    ],
)
def test_a_log_may_be_too_old(update, expected):
    found = broken([], timedelta(hours=6), run().model_copy(update=update))
    assert [alert.says for alert in found] == expected
    assert {alert.rule for alert in found} <= {"max_age = 6 h"}


def test_a_length_of_time_that_none_can_hold_is_refused():
    with pytest.raises(ParameterError, match="'99999999999d' is longer than any log"):
        parse("lag > 99999999999d")
