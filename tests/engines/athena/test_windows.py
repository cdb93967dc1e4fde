"""Questions with a window on Athena's path: what they answer where partitions are passed over, or hold nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.helpers import lakes
from tests.helpers.aws.clients import session_of
from tests.helpers.aws.lake import DATABASE, athena, declare, lake, place
from tests.helpers.questions import same
from tests.log.test_exports import START, items, write_export
from workbench import Workbench
from workbench.aws.table_definitions import table_input
from workbench.log.objects import arrival_of

NOTHING = {"before": ("2020-01-01", "2020-01-02"), "after": ("2031-01-01", "2031-01-02")}
WINDOWED = {
    "changes": lambda wb, start, end: wb.changes("things", start=start, end=end).df,
    "changes where": lambda wb, start, end: wb.changes("things", start=start, end=end, where="new.age > 1").df,
    "frequency": lambda wb, start, end: wb.change_frequency("things", start=start, end=end).df,
    "by attribute": lambda wb, start, end: wb.change_frequency("things", start=start, end=end, by="attribute").df,
    "by key": lambda wb, start, end: wb.change_frequency("things", start=start, end=end, by="key").df,
    "concentration": lambda wb, start, end: wb.change_frequency("things", start=start, end=end, by="concentration").df,
    "interval": lambda wb, start, end: wb.change_frequency("things", start=start, end=end, by="interval").df,
    "history": lambda wb, start, end: wb.item_history("things", start=start, end=end).df,
    "history of an item": lambda wb, start, end: wb.item_history("things", {"pk": "p-1", "sk": 1}, end=end).df,
    "diff": lambda wb, start, end: wb.diff("things", start, end).df,
    "as of": lambda wb, start, end: wb.latest_state("things", as_of=start).df,
    "quality": lambda wb, start, end: wb.data_quality("things", start=start, end=end).df,
    "quality's lag": lambda wb, start, end: wb.data_quality("things", start=start, end=end).lag,
    "quality's drift": lambda wb, start, end: wb.data_quality("things", start=start, end=end).drift,
}


@pytest.fixture(scope="module")
def both(server, tmp_path_factory):
    """The same log on both engines, of which a window leaves nothing."""
    server.reset()
    on_files = Workbench(lake(server, tmp_path_factory.mktemp("log")))
    on_athena = athena(server, late_arrival="0s")
    yield on_files, on_athena
    on_files.close()
    on_athena.close()


@pytest.mark.parametrize("window", ["before", "after"])
@pytest.mark.parametrize("question", WINDOWED)
def test_a_window_without_objects_has_an_answer_without_rows(both, question, window):
    on_files, on_athena = both
    found = WINDOWED[question](on_athena, *NOTHING[window])
    same(found, WINDOWED[question](on_files, *NOTHING[window]))


def test_a_baseline_older_than_the_log_is_the_answer_before_the_log(empty, tmp_path):
    folder = lake(empty, tmp_path / "log")
    write_export(tmp_path / "bucket", [items({"pk": "a", "sk": 1, "n": 1}, {"pk": "b", "sk": 2})], START)
    place(empty, tmp_path / "bucket", "exports")
    on_files, on_athena = (
        Workbench(folder, baseline=str(tmp_path / "bucket")),
        athena(empty, baseline="s3://lake/exports/"),
    )
    found = on_athena.latest_state("things", as_of="2026-06-01")
    same(found.df, on_files.latest_state("things", as_of="2026-06-01").df)
    assert found.df["pk"].tolist() == ["a", "b"]
    on_athena.close()
    on_files.close()


# --- whatever the partitions and their zone

PARTITIONS = {
    "unpadded texts, west": (
        "year={y}/month={m}/day={d}/hour={h}",
        ["year", "month", "day", "hour"],
        "string",
        False,
        -4,
    ),
    "unpadded numbers, east": ("year={y}/month={m}/day={d}/hour={h}", ["year", "month", "day", "hour"], "int", True, 9),
    "month first, far west": ("{m}/{d}/{y}/{h}", [f"partition_{n}" for n in range(4)], "string", False, -11),
    "a date and an hour, far east": ("dt={y}-{m:02}-{d:02}/hour={h}", ["dt", "hour"], "string", False, 14),
}
ASKED = ("changes", "frequency", "as of", "quality", "quality's lag")


@pytest.fixture(scope="module", params=PARTITIONS)
def elsewhere(request, server, tmp_path_factory):
    """A log in the folders of another time zone and, for the embedded engine, the same in those of UTC."""
    server.reset()
    pattern, columns, kind, projected, offset = PARTITIONS[request.param]
    folder, moved = tmp_path_factory.mktemp("log"), tmp_path_factory.mktemp("moved")
    made = lakes.records(4)
    for change in {id(change): change for _, change in made}.values():  # some are delivered twice
        change["dynamodb"]["ApproximateCreationDateTime"] += 13 * 86_400_000_000
    made = [
        (
            arrival + timedelta(days=13)
            if number % 6 == 0
            else datetime.fromtimestamp(change["dynamodb"]["ApproximateCreationDateTime"] // 1_000_000 + 2, UTC),
            change,
        )
        for number, (arrival, change) in enumerate(made)
    ]
    lakes.write(folder, made, "envelope")
    registered = {}
    for path in sorted(each for each in folder.rglob("*.gz")):
        arrived = arrival_of(path.name)
        local = arrived + timedelta(hours=offset)
        place_of = pattern.format(y=local.year, m=local.month, d=local.day, h=local.hour)
        target = moved / place_of / path.name.replace(f"{arrived:%Y-%m-%d-%H-%M-%S}", f"{local:%Y-%m-%d-%H-%M-%S}")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
        registered[place_of] = [part.rpartition("=")[2] for part in place_of.split("/")]
    location = place(server, moved)
    table = table_input("things", location, partitions="none")
    table["PartitionKeys"] = [{"Name": name, "Type": kind} for name in columns]
    if projected:
        ranges = {"year": "2026,2030", "month": "1,12", "day": "1,31", "hour": "0,23"}
        table["Parameters"] |= {"projection.enabled": "true"} | {
            f"projection.{name}.{key}": value
            for name, span in ranges.items()
            for key, value in (("type", "integer"), ("range", span))
        }
    declare(server, table)
    glue = session_of(server).client("glue")
    for place_of, values in () if projected else registered.items():
        glue.create_partition(
            DatabaseName=DATABASE,
            TableName="things",
            PartitionInput={
                "Values": values,
                "StorageDescriptor": table["StorageDescriptor"] | {"Location": f"{location}{place_of}/"},
            },
        )
    on_files, on_athena = Workbench(folder), athena(server)
    yield on_files, on_athena
    on_files.close()
    on_athena.close()


@pytest.mark.parametrize(
    "window", [("2026-11-30T20:30Z", "2026-11-30T23:30Z"), ("2026-12-01T02:00Z", "2026-12-01T09:00Z")]
)
@pytest.mark.parametrize("question", ASKED)
def test_a_window_has_the_answer_of_the_whole_log(elsewhere, question, window):
    on_files, on_athena = elsewhere
    found, expected = WINDOWED[question](on_athena, *window), WINDOWED[question](on_files, *window)
    assert len(expected)
    if question == "quality":  # the size of an image as it was delivered, or as canonical text
        found, expected = (df[df["finding"] != "large records"] for df in (found, expected))
    same(found.reset_index(drop=True), expected.reset_index(drop=True))


def test_the_zone_of_the_folders_is_said_and_may_be_set(elsewhere, request, server):
    _, on_athena = elsewhere
    offset = PARTITIONS[request.node.callspec.params["elsewhere"]][-1]
    found = on_athena.latest_state("things")
    assert any(f"UTC{offset:+03}:00" in note and "arrival_zone" in note for note in found.stats.notes)
    told = athena(server, arrival_zone=f"{offset:+03}:00")
    known = told.latest_state("things").stats
    assert not any("zone" in note for note in known.notes)
    assert (known.first_arrival, known.last_arrival) == (found.stats.first_arrival, found.stats.last_arrival)
    asked = told.changes("things", start="2026-12-01T08:00Z", end="2026-12-01T09:00Z").stats
    assert 0 < asked.objects < known.objects
    told.close()
