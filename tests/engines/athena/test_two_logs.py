"""A table of Athena compared with a folder, and with another table of Athena: as DuckDB compares two folders."""

from __future__ import annotations

from contextlib import closing

import pytest

from tests.helpers import lakes
from tests.helpers.aws.lake import athena, lake
from tests.helpers.questions import AT, LATER, same
from workbench import Workbench
from workbench.errors import ParameterError


@pytest.mark.parametrize("layout", ["envelope", "envelope, Parquet", "raw", "struct"])
def test_two_logs_differ_alike_on_either_engine(empty, tmp_path, layout):
    one = lake(empty, tmp_path / "one", layout, seed=1)
    two = lakes.write(tmp_path / "two", lakes.records(2), "raw")
    with (
        closing(Workbench(one, home=tmp_path / "home")) as production,
        closing(Workbench(two, home=tmp_path / "home")) as copy,
        closing(athena(empty, home=tmp_path / "athena")) as on_athena,
    ):
        for moments in ((LATER,), (LATER, AT), ("2026-11-30",)):
            expected = production.diff("things", *moments, against=copy)
            assert {"added", "removed", "changed"} <= set(expected.df["item"]) or moments != (LATER,)
            for found in (
                on_athena.diff("things", *moments, against_source=two),
                on_athena.diff("things", *moments, against=copy),
            ):
                same(found.df, expected.df)
                assert found.items == expected.items
                assert found.stats.queries
            turned = copy.diff("things", *moments[::-1], against=on_athena)
            assert turned.items["added"] == expected.items["removed"]
            assert turned.items["same"] == expected.items["same"]
            assert turned.stats.queries
        key = {"pk": "p-1", "sk": 1}
        same(
            on_athena.diff("things", LATER, key=key, against=copy).df,
            production.diff("things", LATER, key=key, against=copy).df,
        )


def test_two_tables_of_athena_whose_keys_are_called_differently(empty, tmp_path):
    made = lakes.records(3)
    lake(empty, tmp_path / "one", made=made)
    renamed = [(arrival, _renamed(change)) for arrival, change in made]
    two = lake(empty, tmp_path / "two", made=renamed, name="copy")
    with (
        closing(athena(empty, home=tmp_path / "athena")) as wb,
        closing(Workbench(two, home=tmp_path / "home")) as copy,
    ):
        found = wb.diff("things", LATER, against="copy", key_map={"pk": "id"})
        assert found.verdict == f"things against copy: no difference; {found.items['same']} items the same"
        assert found.items["same"]
        assert (
            wb.diff("things", LATER, against="copy", key_map="pk=id", key="pk=p-1").items["same"] < found.items["same"]
        )
        assert wb.diff("things", LATER, against_source=copy, key_map="pk=id", against="things").agrees
        with pytest.raises(ParameterError, match="say how they are called, key_map='pk=id'"):
            wb.diff("things", LATER, against="copy")


def _renamed(change: dict) -> dict:
    """The same record of a table whose key is called id, not pk."""
    inner = {
        name: {"id" if each == "pk" else each: value for each, value in image.items()}
        if isinstance(image, dict)
        else image
        for name, image in change["dynamodb"].items()
    }
    return change | {"dynamodb": inner}
