"""Which partitions a window keeps: all that hold its changes, whatever the scheme, the padding, the types and the zone."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.lakes import in_four_columns
from tests.helpers.profiles import examples
from workbench.aws.catalog import Catalog
from workbench.aws.log_tables import LogTable
from workbench.aws.partitions import Partitions, partitions_of
from workbench.aws.projection import count_projected
from workbench.aws.table_definitions import table_input
from workbench.config import load_settings
from workbench.errors import ConfigError
from workbench.log.arrivals import ChangeTimes, Witness, Zone, infer_zone, named_zone
from workbench.log.objects import Object

FIRST = datetime(2025, 12, 29, tzinfo=UTC)
HOURS = 24 * 12
TOP = "s3://lake/data/things/"
ZONES = {name: named_zone(name).tz for name in ("-11:00", "-04:00", "UTC", "+05:45", "+09:00", "+14:00")} | {
    "America/New_York": ZoneInfo("America/New_York"),
    "Europe/Berlin": ZoneInfo("Europe/Berlin"),
}


@dataclass(frozen=True)
class Scheme:
    """Partition columns, with what each of them tells as strftime writes it, and their folders."""

    columns: dict[str, str]
    folder: str = ""

    def values(self, local: datetime, padded: bool) -> tuple[str, ...]:
        forms = self.columns.values()
        return tuple(
            local.strftime(form if padded else form.replace("%m", "%-m").replace("%d", "%-d").replace("%H", "%-H"))
            for form in forms
        )

    def place(self, values: tuple[str, ...]) -> str:
        each = dict(zip(self.columns, values, strict=True))
        return (self.folder or "".join(f"{name}={{{name}}}/" for name in self.columns)).format(**each)


UNITS = {"year": "%Y", "month": "%m", "day": "%d", "hour": "%H"}
SCHEMES = {
    "hive": Scheme(UNITS),
    "days": Scheme({name: UNITS[name] for name in ("year", "month", "day")}),
    "months": Scheme({name: UNITS[name] for name in ("year", "month")}),
    "crawled": Scheme(
        {f"partition_{number}": form for number, form in enumerate(UNITS.values())},
        "{partition_0}/{partition_1}/{partition_2}/{partition_3}/",
    ),
    "month first": Scheme({name: UNITS[name] for name in ("month", "day", "year", "hour")}),
    "crawled, month first": Scheme(
        {"partition_0": "%m", "partition_1": "%d", "partition_2": "%Y"}, "{partition_0}/{partition_1}/{partition_2}/"
    ),
    "dt": Scheme({"dt": "%Y-%m-%d"}),
    "dt and hour": Scheme({"dt": "%Y-%m-%d", "hour": "%H"}),
    "hour and dt": Scheme({"h": "%H", "dt": "%Y/%m/%d"}, "{h}/{dt}/"),
    "arrival": Scheme({"arrival": "%Y/%m/%d/%H"}, "{arrival}/"),
    "named": Scheme({"arrival": "year=%Y/month=%m/day=%d/hour=%H"}, "{arrival}/"),
    "region first": Scheme({"region": "eu", **UNITS}),
    "other names": Scheme({"j": "%Y", "mo": "%m", "t": "%d", "st": "%H"}),
}
NUMBERS = {"hive", "days", "months", "crawled", "month first", "other names"}
COMPACT = Scheme({"dt": "%Y%m%d"})


@dataclass(frozen=True)
class Change:
    made: datetime
    object: str


class FromMemory(Catalog):
    """A catalog whose objects are in memory."""

    def __init__(self, objects: dict[Object, list[Change]], **given) -> None:
        super().__init__(None, load_settings(database="logs", **given))  # type: ignore[arg-type]
        self._all = objects

    def _listed(self, log, after="", until="", most=None):
        found = sorted(self._all, key=lambda item: item.path)
        return [item for item in found if item.path > after and (not until or item.path <= until)][:most]

    def _sampled(self, log, objects):
        return log

    def _look(self, item):
        times = [change.made.replace(tzinfo=None) for change in self._all[item]]
        return ChangeTimes(min(times), times[0], max(times))


def lake(scheme: Scheme, zone, rng: random.Random, *, padded: bool, named: bool, copied: bool, late: float = 0.1):
    """Objects as Firehose writes them, in one zone, and the changes in each."""
    arrived = []
    for _ in range(rng.choice([3, 30, 120])):
        made = FIRST + timedelta(seconds=rng.randrange(HOURS * 3600))
        lag = rng.choice([4000, 40_000, 80_000]) if rng.random() < late else rng.random() * 5
        arrived.append((made + timedelta(seconds=lag), made))
    objects: dict[Object, list[Change]] = {}
    values = {}
    arrived.sort()
    while arrived:
        first = arrived[0][0]
        some = [each for each in arrived if each[0] < first + timedelta(minutes=5)]
        arrived = arrived[len(some) :]
        local = first.astimezone(zone)
        told = scheme.values(local, padded)
        name = f"s-1-{local:%Y-%m-%d-%H-%M-%S}-{len(objects):04}" if named else f"part-{len(objects):04}"
        path = f"{TOP}{scheme.place(told)}{name}.gz"
        stored = datetime(2027, 3, 1, tzinfo=UTC) if copied else first + timedelta(minutes=5)
        objects[Object(path, 100, int(stored.timestamp() * 1e9), "gzip", None)] = [
            Change(made, path) for _, made in some
        ]
        values[path] = told
    return objects, values


def table(scheme: Scheme, values: dict[str, tuple[str, ...]], kind: str, projected: bool) -> LogTable:
    columns = [(name, kind) for name in scheme.columns]
    if projected:
        parameters = {"storage.location.template": TOP + scheme.place(tuple(f"${{{name}}}" for name in scheme.columns))}
        for number, name in enumerate(scheme.columns):
            texts = sorted({told[number] for told in values.values()})
            parameters |= {f"projection.{name}.type": "enum", f"projection.{name}.values": ",".join(texts)}
        scheme_of = partitions_of(columns, parameters, location=TOP)
    else:
        registered = {TOP + scheme.place(told): told for told in values.values()}
        scheme_of = partitions_of(columns, {}, registered, TOP)
    return LogTable("things", "logs", TOP, "envelope", {}, "json", scheme_of, projected)


def kept(log: LogTable, values: set[tuple[str, ...]], condition: str) -> set[tuple[str, ...]]:
    kinds = [kind.replace("string", "varchar") for _, kind in log.partitions.columns]
    columns = ", ".join(f'"{name}" {kind}' for (name, _), kind in zip(log.partitions.columns, kinds, strict=True))
    listed = sorted(values)
    with duckdb.connect() as con:
        con.execute(f"create table parts ({columns}, place integer)")
        names = [*(name for name, _ in log.partitions.columns), "place"]
        con.register("rows", pa.table([*map(list, zip(*listed, strict=True)), list(range(len(listed)))], names))
        con.execute("insert into parts select * from rows")
        return {listed[place] for (place,) in con.execute(f"select place from parts where {condition}").fetchall()}


LAKES = st.tuples(
    st.sampled_from(sorted(SCHEMES)),
    st.sampled_from(sorted(ZONES)),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.integers(0, 10_000),
    st.integers(0, HOURS),
    st.sampled_from([0, 1, 2, 30, 100]),
    st.sampled_from([0.0, 0.1, 0.5]),
)


@given(drawn=LAKES)
@examples(60)
def test_no_window_loses_a_change_whatever_the_scheme_the_padding_the_type_and_the_zone(drawn):
    name, zone, padded, numbers, named, copied, projected, seed, hour, length, late = drawn
    scheme, rng = SCHEMES[name], random.Random(seed)
    objects, values = lake(scheme, ZONES[zone], rng, padded=padded, named=named, copied=copied, late=late)
    log = table(scheme, values, "int" if numbers and name in NUMBERS else "string", projected)
    check(objects, values, log, FIRST + timedelta(hours=hour), timedelta(hours=length, minutes=10))


def check(objects, values, log: LogTable, start: datetime, length: timedelta, **given) -> int:
    """Assert that a window's partitions hold all of its changes; return how many are read."""
    end = start + length
    listing = FromMemory(objects, **given).listing(log, start - timedelta(hours=1), end + timedelta(hours=24))
    condition = listing.log.partitions.within(
        {listing.log.values(item) for item in listing.objects}, set(values.values())
    )
    read = kept(listing.log, set(values.values()), condition)
    assert {values[item.path] for item in listing.objects} <= read
    needed = {values[each.object] for changes in objects.values() for each in changes if start <= each.made < end}
    assert needed <= read
    assert listing.unread == ()
    return len(read)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("copied", [False, True])
def test_a_window_of_two_hours_reads_a_day_and_little_more(zone, copied):
    """Where names tell the time to the second, or a setting names the zone."""
    objects, values = lake(
        SCHEMES["hive"], ZONES[zone], random.Random(5), padded=False, named=True, copied=copied, late=0
    )
    for _ in range(20 if len(objects) < 200 else 0):
        objects, values = lake(
            SCHEMES["hive"], ZONES[zone], random.Random(_), padded=False, named=True, copied=copied, late=0
        )
    log = table(SCHEMES["hive"], values, "string", False)
    start = FIRST + timedelta(hours=100)
    told = check(objects, values, log, start, timedelta(hours=2))
    set_by_name = check(objects, values, log, start, timedelta(hours=2), arrival_zone=zone)
    assert set_by_name <= 29
    assert told <= (31 if zone in ("UTC", "-04:00", "-11:00") else 46)


def test_a_number_of_digits_is_compared_as_a_number():
    values = {f"{TOP}dt={day}/x.gz": (f"{day}",) for day in ("20251230", "20251231", "20260101")}
    log = table(COMPACT, values, "bigint", False)
    assert (
        log.partitions.within([("20251231",), ("20260101",)], [("20251230",)])
        == '"dt" >= 20251231 and "dt" <= 20260101'
    )
    dated = table(SCHEMES["dt"], {f"{TOP}dt={day}/x.gz": (day,) for day in ("2025-12-31",)}, "date", False)
    assert dated.partitions.within([("2025-12-31",)]) == "\"dt\" = date '2025-12-31'"


def test_a_long_window_names_whole_years_months_and_days_and_not_every_hour():
    hours = [FIRST + timedelta(hours=number) for number in range(24 * 100)]
    values = {SCHEMES["hive"].values(hour, False) for hour in hours}
    log = table(SCHEMES["hive"], {str(each): each for each in values}, "string", False)
    some = [SCHEMES["hive"].values(hour, False) for hour in hours[7:-5]]
    condition = log.partitions.within(some, values)
    assert kept(log, values, condition) == set(some)
    assert len(condition) < 1_000
    assert "\"month\" in ('1', '2', '3')" in condition


# --- the zone


def seen(*lags: float, offset: int = 0, width: timedelta = timedelta(seconds=1)) -> list[Witness]:
    """Objects of several days, whose records took so many seconds to arrive."""
    made = [datetime(2026, 3, 1, 10, 20) + timedelta(days=number, minutes=number) for number in range(len(lags))]
    told = [at + timedelta(hours=offset, seconds=lag) for at, lag in zip(made, lags, strict=True)]
    if width >= timedelta(hours=1):
        told = [at.replace(minute=0, second=0) for at in told]
    return [Witness(local, width, ChangeTimes(at, at, at)) for local, at in zip(told, made, strict=True)]


@pytest.mark.parametrize("width", [timedelta(seconds=1), timedelta(hours=1)])
@pytest.mark.parametrize("offset", [-11, -4, 0, 9, 14])
def test_the_zone_is_told_by_a_few_objects(offset, width):
    zone = infer_zone(seen(1, 2, 3, 5000, offset=offset, width=width))
    assert zone.tz == timezone(timedelta(hours=offset))
    assert zone.least <= timedelta(hours=offset) <= zone.most


def test_what_cannot_be_told_is_utc_or_not_known_and_every_zone_is_looked_for():
    backlog = infer_zone(seen(9 * 3600, 7 * 3600, 12_345, 20))
    assert (backlog.tz, backlog.note) == (UTC, ())
    assert backlog.least == timedelta(hours=-12)
    unknown = infer_zone(seen(3700, 4800, offset=-7))
    assert unknown.tz is None
    assert "arrival_zone" in unknown.note[0]
    assert unknown.utc(FIRST.replace(tzinfo=None)) is None
    assert infer_zone([]) == Zone(least=timedelta(hours=-12), most=timedelta(hours=14))


@pytest.mark.parametrize("offset", [-4, 0, 9])
@pytest.mark.parametrize("wrong", [timedelta(hours=2), timedelta(days=3650), timedelta(days=-20_000)])
def test_changes_dated_wrongly_do_not_hide_the_zone(offset, wrong):
    objects = seen(1, 2, 3, 4, 5, offset=offset)
    odd = objects[2].times.first + wrong
    objects[2] = replace(objects[2], times=ChangeTimes(odd, odd, odd))
    assert infer_zone(objects).tz == timezone(timedelta(hours=offset))


def test_objects_stored_soon_after_they_arrived_tell_the_zone_from_the_other_side():
    told = infer_zone(seen(9 * 3600, 9 * 3600 + 5000), stored=timedelta(hours=8, minutes=55))
    assert told.tz == timezone(timedelta(hours=9))
    assert "UTC+09:00" in told.note[0]


@pytest.mark.parametrize(
    ("text", "offset"), [("UTC", 0), ("+09:00", 540), ("-4", -240), ("UTC+05:45", 345), ("Asia/Tokyo", 540)]
)
def test_a_zone_is_given_by_name_or_offset(text, offset):
    zone = named_zone(text)
    assert zone.utc(datetime(2026, 7, 1, 12)) == datetime(2026, 7, 1, 12, tzinfo=UTC) - timedelta(minutes=offset)
    assert zone.note == ()


@pytest.mark.parametrize("text", ["nowhere", "+26:00", "../etc/passwd", ""])
def test_a_zone_that_is_none_is_refused(text):
    with pytest.raises(ConfigError, match="arrival_zone is"):
        named_zone(text)


# --- what is no time, and what is not there


@pytest.mark.parametrize("columns", [{}, {"region": "eu"}, {"kind": "7"}])
def test_partitions_that_tell_no_time_are_all_read(columns):
    scheme = Scheme(columns, "" if columns else "x/")
    objects, values = lake(scheme, UTC, random.Random(1), padded=True, named=True, copied=True)
    log = table(scheme, values, "string", False)
    listing = FromMemory(objects).listing(log, FIRST, FIRST + timedelta(hours=1))
    assert len(listing.objects) == len(objects)


def test_folders_earlier_than_their_changes_by_more_than_any_zone_are_not_pruned():
    objects, values = lake(SCHEMES["hive"], UTC, random.Random(2), padded=True, named=False, copied=True)
    behind = {
        item: [Change(each.made + timedelta(days=3), each.object) for each in changes]
        for item, changes in objects.items()
    }
    log = table(SCHEMES["hive"], values, "string", False)
    assert len(FromMemory(behind).listing(log, FIRST, FIRST + timedelta(hours=1)).objects) == len(objects)


def test_objects_outside_of_registered_and_projected_partitions_are_not_read_and_are_said():
    objects, values = lake(SCHEMES["hive"], UTC, random.Random(3), padded=False, named=True, copied=True)
    known = dict(sorted(values.items(), key=lambda each: each[0])[1:])
    rest = {told for path, told in values.items() if told not in set(known.values())}
    for projected in (False, True):
        log = table(SCHEMES["hive"], known, "string", projected)
        listing = FromMemory(objects).listing(log)
        if not projected:
            assert {values[item.path] for item in listing.unread} == rest
    units = {"projection.year.type": "integer", "projection.year.range": "2026,2030"}
    for unit, last in (("month", 12), ("day", 31), ("hour", 23)):
        units |= {
            f"projection.{unit}.type": "integer",
            f"projection.{unit}.range": f"0,{last}",
            f"projection.{unit}.digits": "2",
        }
    log = LogTable(
        "things",
        "logs",
        TOP,
        "envelope",
        {},
        "json",
        partitions_of([(name, "int") for name in UNITS], units, location=TOP),
        True,
    )
    listing = FromMemory(objects).listing(log)
    assert all("year=2026" in item.path and "=1/" not in item.path for item in listing.objects)
    assert len(listing.unread) + len(listing.objects) == len(objects)
    assert "projected partitions of logs.things leave them out" in listing.notes[0]


def test_a_projection_tells_form_and_place():
    parameters = {
        "projection.arrival.type": "date",
        "projection.arrival.format": "yyyy/MM/dd/HH",
        "projection.arrival.range": "2020/01/01/00,NOW",
        "storage.location.template": TOP + "${arrival}/",
    }
    scheme = partitions_of([("arrival", "string")], parameters, location=TOP)
    assert scheme.folder(datetime(2026, 11, 18, 9, 30)) == "2026/11/18/09/"
    assert scheme.values(f"{TOP}2021/12/30/00/x.gz", TOP) == ("2021/12/30/00",)
    assert scheme.values(f"{TOP}2019/12/30/00/x.gz", TOP) is None
    assert scheme.within([("2025/12/30/00",), ("2025/12/30/01",)]) == (
        "\"arrival\" >= '2025/12/30/00' and \"arrival\" <= '2025/12/30/01'"
    )
    assert Partitions().within([()]) == "true"


@pytest.mark.parametrize("end", ["9999-12-31", "9999/12", "9999", "NOW+9000YEARS"])
def test_a_projection_without_an_end_is_read(end):
    parameters = {"projection.dt.type": "date", "projection.dt.format": "yyyy-MM-dd"}
    parameters |= {"projection.dt.range": f"2020-01-01,{end}"}
    scheme = partitions_of([("dt", "string")], parameters, location=TOP)
    assert scheme.values(f"{TOP}dt=2026-11-18/x.gz", TOP) == ("2026-11-18",)
    assert scheme.values(f"{TOP}dt=2019-11-18/x.gz", TOP) is None


def test_a_partition_of_the_last_day_there_is_tells_no_time_and_is_read():
    places = {f"{TOP}dt={day}/": (day,) for day in ("2026-11-18", "9999-12-31")}
    scheme = partitions_of([("dt", "string")], {}, places, TOP)
    assert [scheme.interval(values) is None for values in places.values()] == [False, True]
    found = duckdb.sql(
        f"select * from (values ('2026-11-18'), ('9999-12-31')) as there(dt) where {scheme.within(places.values())}"
    )
    assert len(found.fetchall()) == 2


def test_a_new_table_has_one_column_of_hours_over_the_folders_there_are():
    made = table_input("things", TOP, first=datetime(2021, 11, 18, 9))
    columns = [(each["Name"], each["Type"]) for each in made["PartitionKeys"]]
    scheme = partitions_of(columns, made["Parameters"], location=TOP)
    assert columns == [("arrival", "string")]
    assert scheme.sort
    assert scheme.folder(datetime(2021, 11, 18, 9, 30)) == "year=2021/month=11/day=18/hour=09/"
    assert scheme.values(f"{TOP}year=2021/month=11/day=18/hour=09/x.gz", TOP) == ("year=2021/month=11/day=18/hour=09",)
    for beyond in (
        "year=2021/month=11/day=18/hour=08",
        "year=2021/month=11/day=18/hour=9",
        "year=9999/month=01/day=01/hour=00",
    ):
        assert scheme.values(f"{TOP}{beyond}/x.gz", TOP) is None
    assert scheme.within([("year=2021/month=11/day=18/hour=09",), ("year=2021/month=11/day=18/hour=10",)]) == (
        "\"arrival\" >= 'year=2021/month=11/day=18/hour=09' and \"arrival\" <= 'year=2021/month=11/day=18/hour=10'"
    )


@examples(50)
@given(st.sets(st.integers(0, 24 * 30), min_size=1, max_size=40))
def test_no_hour_without_objects_is_looked_into(hours):
    made = table_input("things", TOP, first=FIRST.replace(tzinfo=None))
    scheme = partitions_of([("arrival", "string")], made["Parameters"], location=TOP)
    every = [
        scheme.folder(FIRST.replace(tzinfo=None) + timedelta(hours=hour)).rstrip("/") for hour in range(24 * 30 + 1)
    ]
    there = pa.table({"arrival": every})  # noqa: F841
    found = duckdb.sql(
        f"select arrival from there where {scheme.within([(every[hour],) for hour in hours])}"
    ).fetchall()
    assert [arrival for (arrival,) in found] == [every[hour] for hour in sorted(hours)]


def test_very_many_separate_hours_are_one_span():
    made = table_input("things", TOP, first_year=2012)
    scheme = partitions_of([("arrival", "string")], made["Parameters"], location=TOP)
    days = [
        (f"year={2012 + number // 372}/month={number // 31 % 12 + 1:02}/day={number % 31 + 1:02}/hour=00",)
        for number in range(900)
    ]
    assert scheme.within([each for each in days if scheme.interval(each)]) == (
        "\"arrival\" >= 'year=2012/month=01/day=01/hour=00' and \"arrival\" <= 'year=2014/month=06/day=01/hour=00'"
    )


def test_folders_to_look_into_are_the_hours_there_were_not_ten_years_of_them():
    new = table_input("things", TOP, first=datetime(2026, 11, 18))
    old = in_four_columns(new, 2026)
    counts = [
        count_projected([each["Name"] for each in table["PartitionKeys"]], table["Parameters"], datetime(*at))
        for table in (old, new)
        for at in ((2026, 11, 25, 12, 59), (2027, 11, 18))
    ]
    assert counts == [89_280, 89_280, 7 * 24 + 13, 365 * 24 + 1]
    ahead = table_input("things", TOP, first=datetime(2026, 11, 18), until="NOW+14HOURS")
    assert count_projected(["arrival"], ahead["Parameters"], datetime(2026, 11, 18, 0, 5)) == 15
    days = table_input("things", TOP, form="yyyy-MM-dd", first_year=2026)
    assert count_projected(["arrival"], days["Parameters"], datetime(2026, 1, 31, 23)) == 31
    monthly = days["Parameters"] | {"projection.arrival.interval.unit": "MONTHS"}
    with pytest.raises(ValueError, match="the partitions of arrival cannot be counted"):
        count_projected(["arrival"], monthly, datetime(2026, 1, 31))
