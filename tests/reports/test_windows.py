"""Windows of reports: what is asked for in words, on days of 23 and 25 hours too, and which parameters it becomes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from workbench.errors import ParameterError
from workbench.reports import describe, shipped
from workbench.reports.window import parameters_of, resolve, takes_window

FRIDAY = datetime(2026, 11, 20, 6, 12, 30, 999, tzinfo=UTC)


def ends(asked: str, at: datetime = FRIDAY, timezone: str = "UTC") -> tuple[str, str]:
    window = resolve(asked, at, timezone)
    return tuple(each.isoformat().replace("+00:00", "Z").replace(":00Z", "Z") for each in (window.start, window.end))


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("today", "2026-11-20T00:00Z", "2026-11-20T06:12:30Z"),
        ("Yesterday", "2026-11-19T00:00Z", "2026-11-20T00:00Z"),
        ("last-hour", "2026-11-20T05:00Z", "2026-11-20T06:00Z"),
        ("last-week", "2026-11-09T00:00Z", "2026-11-16T00:00Z"),
        ("last-month", "2026-10-01T00:00Z", "2026-11-01T00:00Z"),
        ("-7d", "2026-11-13T06:12:30Z", "2026-11-20T06:12:30Z"),
        ("-1h30m", "2026-11-20T04:42:30Z", "2026-11-20T06:12:30Z"),
        ("-1mo", "2026-10-20T06:12:30Z", "2026-11-20T06:12:30Z"),
        ("2026-12", "2026-12-01T00:00Z", "2027-01-01T00:00Z"),
        ("2026-02", "2026-02-01T00:00Z", "2026-03-01T00:00Z"),
        ("2026-11-01", "2026-11-01T00:00Z", "2026-11-02T00:00Z"),
        ("2026-11-01..2026-11-08", "2026-11-01T00:00Z", "2026-11-08T00:00Z"),
        (" 2026-09 .. 2026-11 ", "2026-09-01T00:00Z", "2026-11-01T00:00Z"),
        ("2026-11-01T06:00+01:00..2026-11-01T08:00Z", "2026-11-01T05:00Z", "2026-11-01T08:00Z"),
        ("-2d..-1d", "2026-11-18T06:12:30Z", "2026-11-19T06:12:30Z"),
        ("yesterday..now", "2026-11-19T00:00Z", "2026-11-20T06:12:30Z"),
    ],
)
def test_a_window_is_asked_for_in_words(asked, start, end):
    assert ends(asked) == (start, end)
    assert resolve(asked, FRIDAY).asked == asked.strip()


@pytest.mark.parametrize(
    ("asked", "at", "zone", "start", "end"),
    [
        ("yesterday", "2026-03-30T06:00Z", "Europe/Berlin", "2026-03-28T23:00Z", "2026-03-29T22:00Z"),  # 23 hours
        ("yesterday", "2026-10-26T06:00Z", "Europe/Berlin", "2026-10-24T22:00Z", "2026-10-25T23:00Z"),  # 25
        ("2026-10-25", "2026-11-26T06:00Z", "Europe/Berlin", "2026-10-24T22:00Z", "2026-10-25T23:00Z"),
        ("last-week", "2026-10-26T00:30Z", "Europe/Berlin", "2026-10-18T22:00Z", "2026-10-25T23:00Z"),
        (
            "last-week",
            "2026-11-16T00:30Z",
            "America/New_York",
            "2026-11-02T05:00Z",
            "2026-11-09T05:00Z",
        ),  # still Sunday
        ("last-month", "2026-11-01T02:00Z", "America/New_York", "2026-09-01T04:00Z", "2026-10-01T04:00Z"),
        ("today", "2026-11-20T23:30Z", "Asia/Kolkata", "2026-11-20T18:30Z", "2026-11-20T23:30Z"),
        ("last-hour", "2026-11-20T06:12Z", "Asia/Kolkata", "2026-11-20T04:30Z", "2026-11-20T05:30Z"),
        ("last-hour", "2026-10-25T01:20Z", "Europe/Berlin", "2026-10-25T00:00Z", "2026-10-25T01:00Z"),  # 02:00 to 02:00
        ("2018-11-04", "2026-11-20T06:00Z", "America/Sao_Paulo", "2018-11-04T03:00Z", "2018-11-05T02:00Z"),  # no 00:00
        (
            "2026-11-01..2026-11-02T12:00",
            "2026-11-20T06:00Z",
            "Europe/Berlin",
            "2026-10-31T23:00Z",
            "2026-11-02T11:00Z",
        ),
    ],
)
def test_days_weeks_and_months_are_those_of_a_time_zone(asked, at, zone, start, end):
    assert ends(asked, datetime.fromisoformat(at), zone) == (start, end)
    window = resolve(asked, datetime.fromisoformat(at), zone)
    assert (window.asked, window.timezone) == (asked, zone)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("yesterdy", "'yesterdy' is no window of time: write it like yesterday, today"),
        ("2026-13", "'2026-13' is no window of time"),
        ("2026-02-30", "'2026-02-30' is no window of time"),
        ("2026-11-01..later", "'later' is not an instant"),
        ("..", "is no window of time"),
        ("9999-12", "is no window of time"),
        ("-99999999d", "is no window of time"),
        ("2026-11-01..2026-11-01", "2026-11-01T00:00:00Z; 2026-11-01 alone is all of it"),
        ("2026-11-08..2026-11-01", "would begin at 2026-11-08T00:00:00Z and end before 2026-11-01T00:00:00Z"),
        ("", "is no window of time"),
    ],
)
def test_what_is_no_window_or_an_empty_one_is_refused(asked, says):
    with pytest.raises(ParameterError, match=says.replace("(", r"\(")) as refused:
        resolve(asked, FRIDAY)
    assert "\n" not in str(refused.value)


def test_today_is_empty_at_midnight_itself():
    with pytest.raises(ParameterError, match="is empty"):
        resolve("today", FRIDAY.replace(hour=0, minute=0, second=0))


@pytest.mark.parametrize(
    ("notebook", "expected"),
    [
        ("02_latest_state", {"as_of": "2026-11-02T00:00:00Z", "compare_to": "2026-11-01T00:00:00Z"}),
        ("03_change_frequency", {"start": "2026-11-01T00:00:00Z", "end": "2026-11-02T00:00:00Z"}),
        ("05_data_quality", {"start": "2026-11-01T00:00:00Z", "end": "2026-11-02T00:00:00Z"}),
    ],
)
def test_each_notebook_takes_it_by_its_own_parameters(notebook, expected):
    declared = [each.name for each in describe(shipped() / f"{notebook}.ipynb")]
    assert parameters_of(resolve("2026-11-01", FRIDAY), declared, ["table"], notebook) == expected


def test_a_notebook_without_them_refuses_a_window_and_so_does_one_that_has_it_already():
    day = resolve("2026-11-01", FRIDAY)
    with pytest.raises(ParameterError, match=r"a.ipynb takes no window of time.*leave out --for '2026-11-01'"):
        parameters_of(day, ["table", "start"], [], "a.ipynb")
    with pytest.raises(ParameterError, match=r"end of a\.ipynb is given twice"):
        parameters_of(day, ["start", "end"], ["end"], "a.ipynb")
    assert not takes_window(["compare_to"])


def test_windows_of_one_instant_fit_together():
    at = FRIDAY + timedelta(microseconds=5)
    assert resolve("yesterday", at).end == resolve("today", at).start
    assert resolve("-1d", at).end == resolve("today", at).end
