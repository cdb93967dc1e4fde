"""What images hold, asked by Athena's path, is what the embedded engine finds."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.helpers import lakes
from tests.helpers.aws.lake import athena, lake, place
from tests.helpers.logs import chain, micros, write_log
from workbench import Workbench
from workbench.engines import kept_schemas
from workbench.errors import ScanRefused, TableNotFound
from workbench.model.attribute_schema import sql_type

NOON = micros("2026-11-17T21:00:00")
KEY = {"pk": {"S": "new"}, "sk": {"N": "1234567.5"}}


@pytest.mark.parametrize("layout", lakes.LAYOUTS)
def test_it_is_that_of_the_embedded_engine(empty, tmp_path, layout):
    folder = lake(empty, tmp_path / "lake", layout)
    embedded = Workbench(folder, home=tmp_path / "home")._engine.schema("things")
    found = athena(empty, home=tmp_path / "home")._engine.schema("things")
    assert found == embedded
    assert found.count > 100
    assert found.find(("sk",)).digits == 1


def asked(wb: Workbench) -> int:
    return len(wb._engine.finished)


def test_only_objects_that_came_since_are_asked_about_also_by_the_next_process(empty, tmp_path):
    folder = lake(empty, tmp_path / "lake")
    first = athena(empty, home=tmp_path / "home")
    held = first._engine.schema("things")
    again = athena(empty, home=tmp_path / "home")
    assert again._engine.schema("things") == first._engine.schema("things") == held
    assert (asked(first), asked(again)) == (2, 0)  # what lines are no changes is counted beside it
    hour = next(path for path in sorted(folder.rglob("*")) if path.suffix == ".gz").parent
    for place_of_it in (hour, tmp_path / "later"):
        write_log(place_of_it, chain(KEY, [(NOON, KEY | {"age": {"NS": ["1.25"]}})]), "envelope", "later")
    place(empty, tmp_path / "later", f"year=-month=-day=-hour/envelope/things/{hour.relative_to(folder)}")
    new = again._engine.schema("things")
    assert new == Workbench(folder, home=tmp_path / "home")._engine.schema("things")
    assert new.count == held.count + 1  # those that were there in its partition count once
    assert asked(again) == 2
    assert sql_type(new.find(("sk",))) == "decimal(18,1)"
    assert new.find(("age",)).kinds["NS"] == 1


def test_a_log_that_was_made_anew_in_its_place_has_a_schema_of_its_own(empty, tmp_path):
    lake(empty, tmp_path / "before")
    assert athena(empty, home=tmp_path / "home")._engine.schema("things").find(("age",))
    empty.reset()
    changes = chain(KEY, [(NOON, KEY | {"colour": {"S": "red"}})])
    made = [(datetime(2026, 11, 17, 21, 5, tzinfo=UTC), change) for change in changes]
    folder = lake(empty, tmp_path / "after", made=made)
    new = athena(empty, home=tmp_path / "home")._engine.schema("things")
    assert new == Workbench(folder, home=tmp_path / "home")._engine.schema("things")
    assert sorted(new.members) == ["colour", "pk", "sk"]


def test_a_scan_that_is_too_large_is_refused_and_one_that_was_made_is_not_made_again(empty, tmp_path):
    lake(empty, tmp_path / "lake")
    with pytest.raises(ScanRefused, match="max_scan_bytes"):
        athena(empty, home=tmp_path / "home", max_scan_bytes=10)._engine.schema("things")
    held = athena(empty, home=tmp_path / "home")._engine.schema("things")
    assert athena(empty, home=tmp_path / "home", max_scan_bytes=10)._engine.schema("things") == held


def test_what_is_kept_is_private_and_what_is_damaged_is_found_out_again(empty, tmp_path):
    lake(empty, tmp_path / "lake")
    held = athena(empty, home=tmp_path / "home")._engine.schema("things")
    (kept,) = (tmp_path / "home" / kept_schemas.FOLDER).iterdir()
    assert kept.stat().st_mode & 0o77 == 0
    kept.write_bytes(b"damaged")
    assert athena(empty, home=tmp_path / "home")._engine.schema("things") == held
    kept.unlink()
    off = athena(empty, home=tmp_path / "home", store=False)
    assert off._engine.schema("things") == held
    assert not kept.exists()


def test_a_checkpoint_tells_the_schema_of_what_it_was_made_of(empty, tmp_path):
    folder = lake(empty, tmp_path / "lake")
    wb = athena(empty, home=tmp_path / "home", checkpoints="s3://results/checkpoints/")
    held = wb._engine.schema("things")
    wb.checkpoint("things")
    other = athena(empty, home=tmp_path / "other", checkpoints="s3://results/checkpoints/")
    assert other._engine.schema("things") == held
    assert asked(other) == 0
    assert Workbench(folder, home=tmp_path / "home")._engine.schema("things") == held


def test_a_log_without_objects_has_none(empty, tmp_path):
    folder = lake(empty, tmp_path / "lake", made=[])
    assert not list(folder.rglob("*.gz")) if folder.exists() else True
    with pytest.raises(TableNotFound, match="no objects of change records"):
        athena(empty, home=tmp_path / "home")._engine.schema("things")
