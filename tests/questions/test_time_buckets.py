"""Buckets of time, against plain arithmetic with zoneinfo."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.profiles import examples
from workbench.errors import ParameterError
from workbench.questions.time_buckets import into_buckets, left_out, unit_of

COUNTS = ["inserts", "modifies", "removes", "ttl_removes", "changes"]

MINUTES = {"1min": 1, "5min": 5, "15min": 15, "30min": 30, "1h": 60}
HOURS = {"3h": 3, "6h": 6, "12h": 12, "1d": 24}
WIDTHS = (*MINUTES, *HOURS, "1w", "1mo")
CHANGES = {  # days on which a zone's clock changes, forward and back; some at midnight, some by half an hour
    "UTC": ["2024-03-31", "2024-10-27"],
    "Europe/Berlin": ["2024-03-31", "2024-10-27"],
    "Asia/Kolkata": ["2024-03-31", "2024-10-27"],
    "Australia/Lord_Howe": ["2024-10-05", "2024-04-06"],
    "America/St_Johns": ["2024-03-10", "2024-11-03"],
    "America/Santiago": ["2024-09-08", "2024-04-07"],
    "Africa/Cairo": ["2024-04-26", "2024-10-31"],
    "America/Havana": ["2024-03-10", "2024-11-03"],
}
MINUTE = timedelta(minutes=1)


def bucket_start(moment: datetime, every: str, zone: ZoneInfo) -> datetime:
    """The start of a moment's bucket, found by walking back minute by minute or by the calendar."""
    local = moment.astimezone(zone)
    if every in MINUTES:
        start = moment.replace(second=0, microsecond=0)
        while _minute(start, zone) % MINUTES[every] and _same_offset(start - MINUTE, start, zone):
            start -= MINUTE
        return start
    wall = local.replace(minute=0, second=0, microsecond=0, tzinfo=None)
    if every in HOURS:
        wall = wall.replace(hour=wall.hour // HOURS[every] * HOURS[every])
    else:
        day = wall.replace(hour=0)
        wall = day - timedelta(days=day.weekday()) if every == "1w" else day.replace(day=1)
    while not _exists(wall, zone):  # a midnight the clock skipped: the day begins later
        wall += MINUTE
    return wall.replace(tzinfo=zone, fold=0).astimezone(UTC)


def _minute(moment: datetime, zone: ZoneInfo) -> int:
    local = moment.astimezone(zone)
    return local.hour * 60 + local.minute


def _same_offset(one: datetime, other: datetime, zone: ZoneInfo) -> bool:
    return one.astimezone(zone).utcoffset() == other.astimezone(zone).utcoffset()


def _exists(wall: datetime, zone: ZoneInfo) -> bool:
    return wall.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None) == wall


def counted(moments: list[datetime], unit: str = "minute") -> pd.DataFrame:
    """What the query gives: counts by a UTC unit, without a zone."""
    floor = {"minute": {}, "hour": {"minute": 0}, "day": {"minute": 0, "hour": 0}}[unit]
    units = [moment.replace(second=0, microsecond=0, tzinfo=None, **floor) for moment in moments]
    counts = pd.Series(1, index=pd.DatetimeIndex(units, dtype="datetime64[us]")).groupby(level=0).sum()
    return pd.DataFrame({"bucket": counts.index, **dict.fromkeys(COUNTS, counts.to_numpy())})


@st.composite
def zone_and_moments(draw):
    name = draw(st.sampled_from(list(CHANGES)))
    day = datetime.fromisoformat(draw(st.sampled_from(CHANGES[name]))).replace(tzinfo=UTC)
    minutes = draw(st.lists(st.integers(-24 * 60, 3 * 24 * 60), min_size=1, max_size=12))
    return name, sorted(day + timedelta(minutes=each) for each in minutes)


@given(zone_and_moments(), st.sampled_from(WIDTHS))
@examples(250)
def test_every_change_is_counted_in_the_bucket_plain_arithmetic_gives(drawn, every):
    zone, moments = drawn
    df = into_buckets(counted(moments, unit_of(every, zone)), every, zone, None, None)
    expected = pd.Series([bucket_start(moment, every, ZoneInfo(zone)) for moment in moments]).value_counts()
    found = df[df["changes"] > 0].set_index("bucket")["changes"]
    assert {start.astimezone(UTC): int(count) for start, count in found.items()} == {
        start.to_pydatetime(): count for start, count in expected.items()
    }
    assert df["changes"].sum() == len(moments), "no change is lost"
    assert df["bucket"].is_monotonic_increasing
    assert df["bucket"].is_unique
    assert str(df["bucket"].dtype) == f"datetime64[us, {zone}]"


@given(zone_and_moments(), st.sampled_from([*MINUTES, *HOURS][3:]), st.integers(0, 3 * 24 * 60))
@examples(50)
def test_a_window_has_every_bucket_of_it_and_no_other_whether_anything_changed_or_not(drawn, every, length):
    zone, (start, *_) = drawn
    end = start + timedelta(minutes=length + 1)
    expected = {bucket_start(start + MINUTE * each, every, ZoneInfo(zone)) for each in range(length + 1)}
    empty = into_buckets(counted([]), every, zone, start, end)
    assert [moment.astimezone(UTC) for moment in empty["bucket"]] == sorted(expected)
    assert empty[COUNTS].to_numpy().sum() == 0
    full = into_buckets(counted([start], unit_of(every, zone)), every, zone, start, end)
    assert full["bucket"].tolist() == empty["bucket"].tolist()
    assert full["changes"].sum() == 1


def hours(zone: str, day: str, every: str = "1h") -> list[str]:
    start = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
    df = into_buckets(counted([]), every, zone, start.astimezone(UTC), (start + timedelta(days=1)).astimezone(UTC))
    return [moment.strftime("%H:%M%z") for moment in df["bucket"]]


def test_a_day_of_23_hours_leaves_one_out_and_a_day_of_25_has_one_twice():
    spring, autumn = hours("Europe/Berlin", "2024-03-31"), hours("Europe/Berlin", "2024-10-27")
    assert (len(spring), spring[1:3]) == (23, ["01:00+0100", "03:00+0200"])
    assert (len(autumn), autumn[2:4]) == (25, ["02:00+0200", "02:00+0100"])


def test_an_hour_the_clock_cuts_in_half_begins_where_it_was_cut():
    assert hours("Australia/Lord_Howe", "2024-04-07")[1:4] == ["01:00+1100", "01:30+1030", "02:00+1030"]
    assert hours("Australia/Lord_Howe", "2024-10-06")[1:4] == ["01:00+1030", "02:30+1100", "03:00+1100"]


def test_days_follow_the_calendar_also_after_a_midnight_that_did_not_exist():
    moments = [datetime(2024, 9, day, 12, tzinfo=UTC) for day in (8, 9, 10)]
    df = into_buckets(counted(moments), "1d", "America/Santiago", None, None)
    assert [moment.strftime("%d %H:%M") for moment in df["bucket"]] == ["08 01:00", "09 00:00", "10 00:00"]
    assert df["changes"].tolist() == [1, 1, 1]


def test_a_clock_turned_back_past_midnight_loses_no_change():
    moments = [datetime(2009, 11, 1, 2, 30, tzinfo=UTC), datetime(2009, 11, 1, 2, 31, tzinfo=UTC)]
    for every in WIDTHS:
        assert into_buckets(counted(moments), every, "America/St_Johns", None, None)["changes"].sum() == 2


def test_half_hour_zones_have_hours_of_their_own():
    df = into_buckets(counted([datetime(2024, 1, 1, 0, 10, tzinfo=UTC)]), "1h", "Asia/Kolkata", None, None)
    assert df["bucket"][0].isoformat() == "2024-01-01T05:00:00+05:30"


def test_weeks_begin_on_monday_and_months_on_the_first():
    moments = [datetime(2024, 1, 31, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC)]
    weeks = into_buckets(counted(moments, "day"), "1w", "UTC", None, None)
    assert {moment.day_name() for moment in weeks["bucket"]} == {"Monday"}
    assert len(weeks) == 5
    months = into_buckets(counted(moments, "day"), "1mo", "UTC", None, None)
    assert [str(moment.date()) for moment in months["bucket"]] == ["2024-01-01", "2024-02-01", "2024-03-01"]
    assert months["changes"].tolist() == [1, 0, 1]


def test_nothing_at_all_is_a_frame_without_rows_but_with_its_types():
    for start, end in (
        (None, None),
        (datetime(2024, 1, 1, tzinfo=UTC), None),
        (None, datetime(2024, 1, 1, tzinfo=UTC)),
    ):
        df = into_buckets(counted([]), "1h", "Europe/Berlin", start, end)
        assert df.empty
        assert {name: str(dtype) for name, dtype in df.dtypes.items()} == {
            "bucket": "datetime64[us, Europe/Berlin]"
        } | dict.fromkeys(COUNTS, "int64")


def test_the_end_of_a_window_opens_no_bucket_of_its_own():
    start = datetime(2024, 1, 1, tzinfo=UTC)
    assert len(into_buckets(counted([]), "1h", "UTC", start, start + timedelta(hours=2))) == 2
    assert len(into_buckets(counted([]), "1h", "UTC", start, start + timedelta(hours=2, microseconds=1))) == 3


def test_each_kind_of_count_is_added_up_for_itself():
    counts = counted([datetime(2024, 1, 1, 0, 1, tzinfo=UTC), datetime(2024, 1, 1, 0, 59, tzinfo=UTC)])
    counts["removes"] = [3, 4]
    counts["ttl_removes"] = [0, 4]
    assert into_buckets(counts, "1h", "UTC", None, None)[COUNTS].to_numpy().tolist() == [[2, 2, 7, 4, 2]]


def test_an_unknown_bucket_or_zone_is_refused_with_help():
    with pytest.raises(ParameterError, match=r"every='1hr' is no bucket; use one of 1min, .*Did you mean '1h'\?"):
        unit_of("1hr", "UTC")
    for zone in ("Europe/Berlim", "", "../etc/passwd", "a\0b"):
        with pytest.raises(ParameterError, match="is no time zone: use a name like UTC or Europe/Berlin"):
            unit_of("1h", zone)


def test_of_millions_of_buckets_those_with_changes_are_shown_and_the_empty_ones_beside_them():
    moments = [
        datetime(1990, 1, 1, 0, 7, tzinfo=UTC),
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(2026, 1, 1, 0, 1, tzinfo=UTC),
    ]
    df = into_buckets(counted(moments), "1min", "UTC", None, None)
    assert df["bucket"].dt.strftime("%Y-%m-%d %H:%M").tolist() == [
        "1990-01-01 00:07",
        "1990-01-01 00:08",
        "2025-12-31 23:59",
        "2026-01-01 00:00",
        "2026-01-01 00:01",
    ]
    assert df["changes"].tolist() == [1, 0, 0, 1, 1]
    (said,) = left_out(df)
    assert said == "about 18,934,550 empty buckets between the others are left out"
    window = into_buckets(
        counted([]), "1min", "UTC", datetime(1990, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
    )
    assert window["bucket"].dt.strftime("%Y-%m-%d %H:%M").tolist() == ["1990-01-01 00:00", "2025-12-31 23:59"]


@pytest.mark.parametrize("zone", CHANGES)
@pytest.mark.parametrize("every", ["30min", "1h", "3h", "12h", "1d"])
def test_what_is_left_out_is_empty_and_all_else_is_as_it_would_be(monkeypatch, zone, every):
    days = [datetime.fromisoformat(day).replace(tzinfo=UTC) for day in CHANGES[zone]]
    counts = counted([day + timedelta(hours=hour) for day in days for hour in (-30, -3, 0, 1, 2, 5, 26)])
    whole = into_buckets(counts, every, zone, None, None)
    monkeypatch.setattr("workbench.questions.time_buckets._MOST", 10)
    folded = into_buckets(counts, every, zone, None, None)
    kept = whole["changes"].ne(0)
    kept |= kept.shift(1, fill_value=False) | kept.shift(-1, fill_value=False)
    pd.testing.assert_frame_equal(folded, whole[kept].reset_index(drop=True), check_flags=False)


@pytest.mark.parametrize(
    ("every", "zone", "unit"),
    [
        ("1min", "UTC", "minute"),
        ("1h", "UTC", "hour"),
        ("12h", "UTC", "hour"),
        ("1d", "UTC", "day"),
        ("1mo", "UTC", "day"),
        ("1d", "Asia/Kolkata", "minute"),
    ],
)
def test_the_unit_counted_by_fits_into_the_bucket(every, zone, unit):
    assert unit_of(every, zone) == unit
