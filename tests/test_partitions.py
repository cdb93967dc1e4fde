"""The condition on partition columns keeps the partitions of a window, and no others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.instants import END_OF_TIME, START_OF_TIME
from workbench.partitions import Partitions, partitions_of

FIRST = datetime(2025, 12, 30, tzinfo=UTC)
HOURS = [FIRST + timedelta(hours=number) for number in range(24 * 40)]
UNITS = ("year", "month", "day", "hour")
FORMS = {"year": "%Y", "month": "%m", "day": "%d", "hour": "%H"}
MOMENT = st.sampled_from(HOURS).map(lambda hour: hour + timedelta(minutes=17))


def units(kind: str, names: tuple[str, ...] = UNITS) -> tuple[Partitions, list[tuple[str, ...]]]:
    scheme = partitions_of([(name, kind) for name in names], {}, ["2026", "01", "02", "03"][: len(names)])
    return scheme, [tuple(hour.strftime(FORMS[unit]) for unit in UNITS[: len(names)]) for hour in HOURS]


def text(name: str, form: str, kind: str = "string") -> tuple[Partitions, list[tuple[str, ...]]]:
    values = [(hour.strftime(form),) for hour in HOURS]
    return partitions_of([(name, kind)], {}, values[0]), values


CRAWLED = tuple(f"partition_{number}" for number in range(4))
SCHEMES = {
    "strings": (units("string"), "hour"), "integers": (units("int"), "hour"), "days": (units("string", UNITS[:3]), "day"),
    "crawled": (units("string", CRAWLED), "hour"), "dt": (text("dt", "%Y-%m-%d"), "day"),
    "compact dt": (text("dt", "%Y%m%d"), "day"), "number": (text("dt", "%Y%m%d", "bigint"), "day"),
    "date": (text("dt", "%Y-%m-%d", "date"), "day"), "hourly": (text("arrival", "%Y/%m/%d/%H"), "hour"),
}  # fmt: skip


def kept(scheme: Partitions, values: list[tuple[str, ...]], condition: str) -> set[int]:
    columns = ", ".join(f'"{name}" {kind.replace("string", "varchar")}' for name, kind in scheme.columns)
    with duckdb.connect() as con:
        con.execute(f"create table hours ({columns}, number integer)")
        columns = [*map(list, zip(*values, strict=True)), list(range(len(values)))]
        rows = pa.table(columns, [*"abcd"[: len(values[0])], "number"])  # noqa: F841
        con.execute("insert into hours select * from rows")
        return {number for (number,) in con.execute(f"select number from hours where {condition}").fetchall()}


@pytest.mark.parametrize("name", SCHEMES)
@given(one=MOMENT, other=MOMENT)
@settings(max_examples=8, deadline=None)
def test_the_condition_keeps_the_partitions_of_a_window_and_no_others(name, one, other):
    (scheme, values), unit = SCHEMES[name]
    first, last = min(one, other), max(one, other)
    down = {"minute": 0} | ({"hour": 0} if unit == "day" else {})
    wanted = {number for number, hour in enumerate(HOURS) if first.replace(**down) <= hour.replace(**down) <= last}
    assert kept(scheme, values, scheme.within(first, last)) == wanted


@pytest.mark.parametrize("name", SCHEMES)
def test_an_open_window_leaves_one_side_or_everything_open(name):
    (scheme, values), _ = SCHEMES[name]
    everything = set(range(len(HOURS)))
    assert kept(scheme, values, scheme.within(START_OF_TIME, END_OF_TIME)) == everything
    early = kept(scheme, values, scheme.within(START_OF_TIME, HOURS[100]))
    late = kept(scheme, values, scheme.within(HOURS[100], END_OF_TIME))
    assert (early | late, 100 in early & late, len(early & late) <= 24) == (everything, True, True)


@pytest.mark.parametrize("name", SCHEMES)
def test_folders_sort_as_time_does(name):
    (scheme, _), _ = SCHEMES[name]
    folders = [scheme.folder(hour) for hour in HOURS]
    assert folders == sorted(folders)
    assert len(set(folders)) in (len(HOURS), len(HOURS) // 24)


def test_a_projection_tells_form_and_place():
    parameters = {
        "projection.enabled": "true", "projection.arrival.type": "date", "projection.arrival.format": "yyyy/MM/dd/HH",
        "storage.location.template": "s3://lake/data/persons/${arrival}/",
    }  # fmt: skip
    scheme = partitions_of([("arrival", "string")], parameters, location="s3://lake/data/persons/")
    assert scheme.folder(datetime(2026, 11, 18, 9, 30, tzinfo=UTC)) == "2026/11/18/09/"
    assert scheme.within(HOURS[0], HOURS[1]) == "\"arrival\" >= '2025/12/30/00' and \"arrival\" <= '2025/12/30/01'"


@pytest.mark.parametrize("columns", [[], [("region", "string")], [("dt", "string"), ("region", "string")]])
def test_partitions_that_tell_no_time_are_all_read(columns):
    scheme = partitions_of(columns, {}, ["eu"] * len(columns))
    assert (scheme.within(HOURS[0], HOURS[1]), scheme.folder(HOURS[0])) == ("true", None)
