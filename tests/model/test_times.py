"""Instants, windows and lengths of time as people write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from workbench.errors import ParameterError
from workbench.model import times
from workbench.model.times import duration, instant, window

NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "given",
    [
        "2026-11-18T12:00Z",
        " 2026-11-18 12:00 ",
        "2026-11-18T13:00+01:00",
        datetime(2026, 11, 18, 12),
        NOON,
        pd.Timestamp("2026-11-18 13:00", tz="Europe/Berlin"),
    ],
)
def test_an_instant_is_utc_where_it_names_no_zone(given):
    assert instant(given) == NOON


@pytest.mark.parametrize(
    ("given", "before"),
    [("-7d", timedelta(days=7)), (" -1.5h ", timedelta(minutes=90)), ("-15min", timedelta(minutes=15))],
)
def test_so_long_before_now_is_an_instant_too(given, before):
    assert abs(datetime.now(UTC) - before - instant(given)) < timedelta(seconds=5)


def test_a_window_may_be_the_last_days():
    start, end = window("-7d", "-1d")
    assert abs(end - start - timedelta(days=6)) < timedelta(seconds=5)


@pytest.mark.parametrize(
    "given",
    [
        "noon",
        "7d",
        "-7",
        "-7 weeks",
        "",
        "2026-13-01",
        5,
        "2026-11-18 12:00 Mars/Base",
        "2026-11-18 12:00+01:00 UTC",
        "-1.5mo",
        "-99999y",
        pd.NaT,
    ],
)
def test_what_is_no_instant_is_refused_with_how_to_write_one(given):
    with pytest.raises(ParameterError, match=r"write it like|no time zone|whole numbers"):
        instant(given)


def test_a_window_that_ends_before_it_starts_is_refused():
    with pytest.raises(ParameterError, match="the window is empty"):
        window("2026-11-18", "2026-11-18")
    with pytest.raises(ParameterError, match="'soon' is no length of time"):
        duration("soon")


@pytest.fixture
def noon(monkeypatch):
    """The clock stands at noon of 18 November 2026, a Wednesday."""
    monkeypatch.setattr(times, "now", lambda: NOON)


@pytest.mark.parametrize(
    ("given", "zone", "meant"),
    [
        ("2026-11-20 17:45:00 UTC", "UTC", "2026-11-20T17:45:00+00:00"),
        ("2026-11-20 17:45:00 UTC", "Europe/Berlin", "2026-11-20T17:45:00+00:00"),
        ("2026-11-20 17:45:00.000001 Europe/Berlin", "UTC", "2026-11-20T16:45:00.000001+00:00"),
        ("2026-11-20 17:45:00+0100", "UTC", "2026-11-20T16:45:00+00:00"),
        ("2026-11-20", "Europe/Berlin", "2026-11-19T23:00:00+00:00"),
        ("2026-07-20", "America/New_York", "2026-07-20T04:00:00+00:00"),
        ("now", "Europe/Berlin", "2026-11-18T12:00:00+00:00"),
        ("Today", "UTC", "2026-11-18T00:00:00+00:00"),
        ("today", "Asia/Kolkata", "2026-11-17T18:30:00+00:00"),
        ("today", "Pacific/Auckland", "2026-11-18T11:00:00+00:00"),
        ("yesterday", "UTC", "2026-11-17T00:00:00+00:00"),
        ("yesterday", "Europe/Berlin", "2026-11-16T23:00:00+00:00"),
        ("-1w", "UTC", "2026-11-11T12:00:00+00:00"),
        ("-1h30m", "UTC", "2026-11-18T10:30:00+00:00"),
        ("-1h 30min", "UTC", "2026-11-18T10:30:00+00:00"),
        ("-2d12h", "UTC", "2026-11-16T00:00:00+00:00"),
        ("-1mo", "UTC", "2026-10-18T12:00:00+00:00"),
        ("-1mo", "Europe/Berlin", "2026-10-18T11:00:00+00:00"),
        ("-12mo1d", "UTC", "2025-11-17T12:00:00+00:00"),
        ("-0d", "UTC", "2026-11-18T12:00:00+00:00"),
    ],
)
def test_instants_as_people_and_this_program_write_them(noon, given, zone, meant):
    assert instant(given, zone).isoformat() == meant


def test_a_month_before_the_31st_is_the_last_day_of_a_shorter_one(monkeypatch):
    monkeypatch.setattr(times, "now", lambda: datetime(2026, 3, 31, 9, tzinfo=UTC))
    assert instant("-1mo") == datetime(2026, 2, 28, 9, tzinfo=UTC)


def test_lengths_of_time_may_have_several_units():
    assert duration("1h30m") == duration("90min") == timedelta(minutes=90)
    assert duration("2w") == timedelta(days=14)
    for wrong in ("1mo", "h", "1h30", "-1h"):
        with pytest.raises(ParameterError, match="no length of time"):
            duration(wrong)
