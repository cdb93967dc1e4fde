"""What is listed is not what is read: objects in partitions that Glue does not know are in no answer, and are said."""

from __future__ import annotations

import pytest

from tests.helpers import lakes
from tests.helpers.aws.clients import session_of
from tests.helpers.aws.lake import BUCKET, DATABASE, athena, declare, place
from tests.helpers.questions import LATER, QUESTIONS, same
from workbench import Workbench
from workbench.errors import TableNotFound


def unregistered(server, folders: slice) -> list[dict]:
    """Take partitions out of the catalog, as they are before a crawler ran; return them."""
    glue = session_of(server).client("glue")
    found = glue.get_partitions(DatabaseName=DATABASE, TableName="things")["Partitions"]
    found = sorted(found, key=lambda each: each["Values"])[folders]
    for each in found:
        glue.delete_partition(DatabaseName=DATABASE, TableName="things", PartitionValues=each["Values"])
    return [{name: each[name] for name in ("Values", "StorageDescriptor")} for each in found]


@pytest.fixture
def crawled(empty, tmp_path):
    """A log of which a crawler has seen all folders."""
    folder, made = tmp_path / "log", lakes.records(1, changes=60)
    lakes.write(folder, made, "envelope", "crawled")
    location = place(empty, folder)
    declare(empty, lakes.glue_table("things", location, "envelope", made, "crawled"), "crawled")
    return empty, folder


def test_a_folder_that_no_crawler_has_seen_is_named_and_a_checkpoint_does_not_stand_on_it(crawled, tmp_path):
    server, folder = crawled
    later = unregistered(server, slice(-3, None))
    wb = athena(server, checkpoints="s3://results/checkpoints/")
    left = [path for each in later for path in folder.joinpath(*each["Values"]).iterdir()]
    objects = len([path for path in folder.rglob("*") if path.is_file()])
    for ask in (lambda: wb.latest_state("things"), lambda: wb.changes("things", start=LATER)):
        found = ask()
        assert found.stats.objects <= objects - len(left)
        assert any(
            f"{len(left)} objects in 3 folders are not read, s3://{BUCKET}" in note
            and "MSCK REPAIR TABLE logs.things" in note
            for note in found.stats.notes
        )
    quality = wb.data_quality("things").df.set_index("finding")
    assert quality.loc["objects in no partition", ["status", "count", "share"]].tolist() == [
        "failed",
        len(left),
        len(left) / objects,
    ]
    made = wb.checkpoint("things")
    assert len(made.objects) == objects - len(left)
    assert wb.tables()["objects"].tolist() == [objects - len(left)]
    for each in later:
        session_of(server).client("glue").create_partition(
            DatabaseName=DATABASE, TableName="things", PartitionInput=each
        )
    on_files = Workbench(folder, home=tmp_path / "home", checkpoints="off")
    for question in ("latest", "with deleted"):
        same(QUESTIONS[question](wb), QUESTIONS[question](on_files))
    found = wb.latest_state("things")
    assert not any("not read" in note for note in found.stats.notes)
    assert any("checkpoint" in note for note in found.stats.notes)
    assert "objects in no partition" not in set(wb.data_quality("things").df["finding"])
    wb.close()


def test_a_log_without_any_partition_says_so(crawled):
    server, _ = crawled
    unregistered(server, slice(None))
    wb = athena(server)
    with pytest.raises(TableNotFound, match=r"objects in \d+ folders are not read, .*, …; Glue has no partitions"):
        wb.latest_state("things")
    wb.close()


@pytest.mark.parametrize(
    ("scheme", "name", "span"),
    [
        (lakes.SCHEMES[0], "arrival", "year=2026/month=11/day=01/hour=00,year=2026/month=11/day=17/hour=23"),
        ("four columns", "day", "1,17"),
    ],
)
def test_a_folder_outside_of_the_projection_is_named(empty, tmp_path, scheme, name, span):
    made = lakes.records(1, changes=40)
    folder = lakes.write(tmp_path, made, "envelope")
    table = lakes.glue_table("things", place(empty, folder), "envelope", made, scheme)
    table["Parameters"][f"projection.{name}.range"] = span
    declare(empty, table)
    wb = athena(empty)
    found = wb.latest_state("things")
    outside = [path for path in folder.rglob("*.gz") if "day=17" not in str(path)]
    assert any(f"{len(outside)} objects in " in note and "projected partitions" in note for note in found.stats.notes)
    assert found.stats.objects == len(list(folder.rglob("*.gz"))) - len(outside)
    wb.close()


def test_a_partition_elsewhere_is_read_and_counted(crawled):
    """A partition may lie outside of the table's location."""
    server, folder = crawled
    (moved,) = unregistered(server, slice(-1, None))
    elsewhere = place(server, folder.joinpath(*moved["Values"]), "elsewhere/last")
    glue = session_of(server).client("glue")
    moved["StorageDescriptor"]["Location"] = elsewhere
    glue.create_partition(DatabaseName=DATABASE, TableName="things", PartitionInput=moved)
    s3 = session_of(server).client("s3")
    below = glue.get_table(DatabaseName=DATABASE, Name="things")["Table"]["StorageDescriptor"]["Location"]
    prefix = below.removeprefix(f"s3://{BUCKET}/") + "/".join(moved["Values"]) + "/"
    for item in s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix)["Contents"]:
        s3.delete_object(Bucket=BUCKET, Key=item["Key"])
    wb, on_files = athena(server), Workbench(folder)
    found = wb.latest_state("things")
    same(found.df, on_files.latest_state("things").df)
    assert found.stats.objects == len(list(folder.rglob("*.gz")))
    same(wb.changes("things", start=LATER).df, on_files.changes("things", start=LATER).df)
    wb.close()
    on_files.close()
