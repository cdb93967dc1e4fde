"""Instants, windows and lengths of time as people write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from workbench.errors import ParameterError
from workbench.instants import duration, instant, window

NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)


@pytest.mark.parametrize("given", [
    "2026-11-18T12:00Z", " 2026-11-18 12:00 ", "2026-11-18T13:00+01:00", datetime(2026, 11, 18, 12), NOON,
    pd.Timestamp("2026-11-18 13:00", tz="Europe/Berlin")])  # fmt: skip
def test_an_instant_is_utc_where_it_names_no_zone(given):
    assert instant(given) == NOON


@pytest.mark.parametrize(("given", "before"), [("-7d", timedelta(days=7)), (" -1.5h ", timedelta(minutes=90)),
                                               ("-15min", timedelta(minutes=15))])  # fmt: skip
def test_so_long_before_now_is_an_instant_too(given, before):
    assert abs(datetime.now(UTC) - before - instant(given)) < timedelta(seconds=5)


def test_a_window_may_be_the_last_days():
    start, end = window("-7d", "-1d")
    assert abs(end - start - timedelta(days=6)) < timedelta(seconds=5)


@pytest.mark.parametrize("given", ["noon", "7d", "-7", "-7 weeks", "", "2026-13-01", 5])
def test_what_is_no_instant_is_refused_with_how_to_write_one(given):
    with pytest.raises(ParameterError, match="write it like"):
        instant(given)


def test_a_window_that_ends_before_it_starts_is_refused():
    with pytest.raises(ParameterError, match="the window is empty"):
        window("2026-11-18", "2026-11-18")
    with pytest.raises(ParameterError, match="'soon' is no length of time"):
        duration("soon")
