"""How long items live: counts, curves and cohorts against a history that is replayed."""

from __future__ import annotations

import random
from collections import Counter

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.logs import chain, micros, write_log
from tests.helpers.profiles import examples
from workbench import Workbench
from workbench.errors import ParameterError
from workbench.model import times
from workbench.questions.lifetimes import survival

NOON = micros("2026-01-31T12:00:00")
HOUR = 3_600_000_000


def at(hour: int) -> pd.Timestamp:
    return pd.Timestamp("2026-01-31T12:00:00Z") + pd.Timedelta(hours=hour)


def hours(*many: int) -> list[pd.Timedelta]:
    return [pd.Timedelta(hours=each) for each in many]


@pytest.fixture
def wb(tmp_path, monkeypatch):
    """Five lives of four items, which came to Berlin or Rome; one moved."""
    monkeypatch.setattr(times, "now", lambda: at(100).to_pydatetime())

    def item(name: str, city: str) -> dict:
        return {"pk": {"S": name}, "city": {"S": city}}

    a, b, c, d = (item(name, city) for name, city in (("a", "Berlin"), ("b", "Berlin"), ("c", "Rome"), ("d", "Rome")))
    records = [
        *chain({"pk": {"S": "a"}}, [(NOON, a), (NOON + HOUR, a | {"city": {"S": "Rome"}}), (NOON + 2 * HOUR, None)]),
        *chain({"pk": {"S": "b"}}, [(NOON, b), (NOON + 4 * HOUR, None), (NOON + 20 * HOUR, b)]),
        *chain({"pk": {"S": "c"}}, [(NOON, c), (NOON + 6 * HOUR, None)], ttl=True),
        *chain({"pk": {"S": "d"}}, [(NOON + 13 * HOUR, d)]),
    ]
    return Workbench(write_log(tmp_path, records))


def test_lives_are_counted_by_what_they_began_with_and_ttl_is_told_apart(wb):
    df = wb.lifetimes("things", by="city").df
    assert df["belongs_to"].to_list() == ["Berlin", "Rome"]
    assert df[["items", "living", "deleted", "by_ttl"]].to_numpy().tolist() == [[3, 1, 2, 0], [2, 1, 1, 1]]
    assert df["median"].to_list() == hours(4, 6)
    assert df["p90"].isna().all()
    (row,) = wb.lifetimes("things").df.to_dict("records")
    assert (row["items"], row["living"], row["deleted"], row["by_ttl"], row["median"]) == (5, 2, 3, 1, hours(6)[0])


def test_survival_is_the_estimate_of_kaplan_and_meier(wb):
    curve = wb.lifetimes("things").survival
    assert curve["age"].to_list() == hours(2, 4, 6)
    assert curve["at_risk"].to_list() == [5, 4, 3]
    assert curve["survival"].round(6).to_list() == [0.8, 0.6, 0.4]
    assert curve["by_ttl"].to_list() == [0, 0, 1]


def test_cohorts_are_the_months_of_the_time_zone(wb):
    cohorts = wb.lifetimes("things", timezone="Europe/Berlin").cohorts
    assert cohorts["month"].to_list() == [
        pd.Timestamp(month, tz="Europe/Berlin") for month in ("2026-01-01", "2026-02-01")
    ]
    assert cohorts["items"].to_list() == [3, 2]
    assert cohorts["living"].to_list() == [0, 2]


def test_a_window_takes_lives_that_began_in_it_and_what_lives_at_its_end_lives(wb):
    df = wb.lifetimes("things", end=at(5)).df
    assert df[["items", "living", "deleted", "by_ttl"]].to_numpy().tolist() == [[3, 1, 2, 0]]
    later = wb.lifetimes("things", start=at(13)).df
    assert later[["items", "living", "deleted"]].to_numpy().tolist() == [[2, 2, 0]]
    nothing = wb.lifetimes("things", start=at(90))
    assert nothing.df.empty
    assert nothing.df.dtypes.astype(str).to_dict() == later.dtypes.astype(str).to_dict()
    with pytest.raises(ParameterError):
        wb.lifetimes("things", by="count(*)")


@given(lives=st.lists(st.tuples(st.integers(1, 6), st.booleans()), min_size=1, max_size=30), seed=st.integers(0, 99))
@examples(50)
def test_a_curve_is_the_product_of_what_is_left_at_each_age(lives, seed):
    random.Random(seed).shuffle(lives)
    age = pd.to_timedelta(pd.Series([each for each, _ in lives]), unit="h").astype("timedelta64[us]")
    gone = pd.Series([ended for _, ended in lives])
    curve = survival(age, gone, gone & False, pd.Series([1] * len(lives)))
    left, expected = 1.0, []
    for each, number in sorted(Counter(each for each, ended in lives if ended).items()):
        left *= 1 - number / sum(other >= each for other, _ in lives)
        expected.append((pd.Timedelta(hours=each), round(left, 9)))
    assert list(zip(curve["age"], curve["survival"].round(9), strict=True)) == expected


@pytest.mark.parametrize(
    ("by", "said"), [("array[1]", "by: column 1, at 'array.1.': .*an array"), (":end", "no parameter")]
)
def test_what_lives_are_grouped_by_is_one_value_of_their_own(wb, by, said):
    with pytest.raises(ParameterError, match=said):
        wb.lifetimes("things", by=by)


def test_its_charts_are_the_curves_and_the_cohorts(wb):
    by_city = wb.lifetimes("things", by="city")
    assert "lives shortest" in by_city.plot().get_title("left")
    assert "5 items came in" in by_city.plot("cohorts").get_title("left")
